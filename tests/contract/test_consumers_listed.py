"""The root's outputs list every consumer, with what a redrive and a replay need, under the names that they look for."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from contracts.cloudformation import transformed
from operations.consumers import DEAD_LETTERS, RULE, Consumer
from worlds.templates import applications

ROOT_OUTPUTS: dict[str, Any] = transformed()["template.yaml"]["Outputs"]


def name_in(reference: Any) -> str:
    """The logical id that a `Ref` or a `Fn::GetAtt` means."""
    [target] = reference.values()
    return str(target if isinstance(target, str) else target[0])


def led_to(output: dict[str, Any]) -> str:
    """What an output of the root leads to: a service's template, and a logical id in it."""
    value = output["Value"]
    if "Fn::GetAtt" not in value or not value["Fn::GetAtt"][1].startswith("Outputs."):
        return "template.yaml:" + str(value)
    application, name = value["Fn::GetAtt"][0], value["Fn::GetAtt"][1].removeprefix("Outputs.")
    path = f"services/{applications()[application]}/template.yaml"
    return f"{path}:{name_in(transformed()[path]['Outputs'][name]['Value'])}"


OUTPUTS = {name: led_to(output) for name, output in ROOT_OUTPUTS.items()}
LISTED = Consumer.all(OUTPUTS)


class Written(NamedTuple):
    """What the templates say of a dead-letter queue.

    Attributes:
        target: what its letters were meant for; empty, if they are positions in a stream.
        rule: the rule on the bus of what may be replayed; empty, if there is none.
    """

    target: str
    rule: str


def written() -> dict[str, Written]:
    """Each dead-letter queue of the templates, by which resources send what failed to it."""
    found: dict[str, Written] = {}
    for path, template in transformed().items():
        for dead, target, rule in _failures(template["Resources"]):
            before = found.get(f"{path}:{dead}", Written("", ""))
            found[f"{path}:{dead}"] = Written(
                f"{path}:{target}" if target else before.target, f"{path}:{rule}" if rule else before.rule
            )
    return found


def _failures(resources: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Whose failures go to which queue: the queue, for whom they were, and the rule that may be replayed."""
    for name, resource in resources.items():
        own = resource.get("Properties", {})
        if resource["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in own:
            yield name_in(own["RedrivePolicy"]["deadLetterTargetArn"]), name, ""
        elif resource["Type"] == "AWS::Events::Rule":
            for target in own["Targets"]:
                reached = name_in(target["Arn"])
                # One order's events reach a queue or a stream one by one; and who counts may not count again.
                replayed = resources[reached]["Type"] in ("AWS::SQS::Queue", "AWS::Kinesis::Stream")
                replayed = replayed and "EventBusName" in own and "replay-name" not in own["EventPattern"]
                yield name_in(target["DeadLetterConfig"]["Arn"]), reached, name if replayed else ""
        elif destination := own.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
            # What was invoked asynchronously can be invoked anew; a mapping's failures are positions in a stream.
            asynchronous = resource["Type"] == "AWS::Lambda::EventInvokeConfig"
            # By its alias, as it is invoked.
            yield name_in(destination), f"{name_in(own['FunctionName'])}Aliaslive" if asynchronous else "", ""


def test_every_queue_that_takes_what_failed_is_listed_once() -> None:
    assert sorted(one.dead_letters for one in LISTED.values()) == sorted(written())


@pytest.mark.parametrize("name", LISTED)
def test_a_consumer_s_letters_go_back_to_what_they_were_meant_for(name: str) -> None:
    one = LISTED[name]
    # A workflow is named as such by its output, and by its alias where a rule starts it.
    meant = written()[one.dead_letters].target.replace("WorkflowAliaslive", "Workflow")
    assert OUTPUTS.get(one.target, "") == meant


@pytest.mark.parametrize("name", LISTED)
def test_a_consumer_can_be_replayed_to_if_its_rule_takes_it(name: str) -> None:
    one = LISTED[name]
    assert one.rule == written()[one.dead_letters].rule


@pytest.mark.parametrize("name", LISTED)
def test_all_of_a_consumer_is_there_or_nothing(name: str) -> None:
    one = LISTED[name]
    [dead] = [output for output, to in OUTPUTS.items() if to == one.dead_letters and output.endswith(DEAD_LETTERS)]
    named = [dead, one.target, dead.removesuffix(DEAD_LETTERS) + RULE if one.rule else ""]
    assert len({ROOT_OUTPUTS[output].get("Condition") for output in named if output}) == 1


def test_those_that_are_typed_today_are_still_called_so() -> None:
    assert list(LISTED) == [
        "deaths", "estimates", "kitchens", "kitchens-positions", "live", "menus", "metrics", "models", "notifications",
        "payments-outbox", "promo-codes", "promotions", "promotions-outbox",
    ]  # fmt: skip
    replayed = [one.name for one in LISTED.values() if one.rule]
    assert replayed == ["kitchens", "notifications", "promo-codes", "promotions"]


def test_a_consumer_that_nobody_has_heard_of_is_known_by_its_outputs() -> None:
    outputs = {
        "ApiUrl": "https://api",
        "LoyaltyPointsDeadLetterQueueUrl": "https://dead",
        "LoyaltyPointsFunctionName": "counts",
        "LoyaltyPointsQueueUrl": "https://queue",
        "LoyaltyPointsRuleArn": "arn:rule",
        "SurveysDeadLetterQueueUrl": "https://positions",
    }
    assert Consumer.all(outputs) == {
        "loyalty-points": Consumer("loyalty-points", "https://dead", "LoyaltyPointsQueueUrl", "arn:rule"),
        "surveys": Consumer("surveys", "https://positions"),
    }
