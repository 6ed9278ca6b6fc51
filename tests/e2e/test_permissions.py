"""What a policy says is needed: six statements of six kinds, each taken away and put back. All: `make permissions`."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from lab.permissions import World, pieces, story_of
from laptop import Stack

pytestmark = pytest.mark.laptop("fault")

KINDS = {
    "what a function reads": "Orders/ApiFunctionRole/ReadMenus/dynamodb:GetItem",
    "what a function sends": "Notifications/ConsumerFunctionRole/SendMail/ses:SendEmail",
    "what a workflow calls": "Orders/UnwindWorkflowRole/ReleaseTheMoney/lambda:InvokeFunction",
    "what a rule starts": "Orders/DeathsRuleRole/StartTheUnwind/states:StartExecution",
    "whom a queue lets in": "Notifications/NotificationsQueuePolicy/OnlyThisRule/sqs:SendMessage",
    "whom a function lets in": "Orders/MenusRuleMayCall/-/lambda:InvokeFunction",
}


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    with closing(World(stack)) as world:
        yield world


@pytest.mark.parametrize("which", KINDS.values(), ids=KINDS)
def test_what_is_taken_away_is_missed_and_all_is_well_once_it_is_back(world: World, which: str) -> None:
    [piece] = [piece for piece in pieces() if str(piece) == which]
    story = story_of(piece)
    assert story is not None

    verdict = world.judge(piece, story)

    assert verdict.failed is not None
    assert verdict.well is None
