"""A schedule reaches its target by its role, and nobody else's leave, as on AWS."""

import pytest
from worlds.emulator import World, unique


@pytest.mark.parametrize("may_send", [True, False])
def test_a_schedule_reaches_what_its_role_may_reach_and_the_rest_is_set_aside(world: World, may_send: bool) -> None:
    (queue, queue_arn), (letters, letters_arn) = world.queue(), world.queue()
    reached = [queue_arn, letters_arn] if may_send else [letters_arn]
    role = world.role([{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": reached}])
    world.client("scheduler").create_schedule(
        Name=unique("schedule"),
        ScheduleExpression="at(2026-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": queue_arn, "RoleArn": role, "DeadLetterConfig": {"Arn": letters_arn}},
        ActionAfterCompletion="DELETE",
    )

    event = world.next_message(queue if may_send else letters)

    assert event["source"] == "aws.scheduler"
