"""A rule reaches its target only if it may: a queue or a function by its policy, a state machine or a stream by a role.
A schedule reaches whatever it is for by its role alone.

Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge", "Using IAM roles for Amazon
EventBridge" and "Using dead-letter queues to process undelivered events": what may not be delivered is not tried again,
and goes to the target's dead-letter queue with the reason. EventBridge Scheduler user guide, "Setting up Amazon
EventBridge Scheduler", "Set up the execution role". MiniStack delivers in any case, so that a template without the
policy works there and loses events on AWS.
"""

import json
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, sqs

from .workflow_permissions import role_allows
from .workflow_versions import unqualified

_EVENTS = "events.amazonaws.com"


def fill() -> None:
    """Set aside what may not be delivered, and say so in the log, as a metric does on AWS."""
    invoke = eventbridge._invoke_target

    def invoke_target(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> Any:
        if not _may_reach(str(target.get("Arn", "")), target, rule):
            eventbridge.logger.error("FailedInvocations: rule %s may not reach %s", rule.get("Name"), target.get("Arn"))
            _set_aside(target, rule, view or eventbridge._pattern_event_view(event))
            return None
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_target


def _may_reach(arn: str, target: dict[str, Any], rule: dict[str, Any]) -> bool:
    """Whether an ARN may be reached: that of a target, or of where is set aside what it does not get."""
    service = f"{arn}:::".split(":")[2]
    by_policy = _BY_POLICY.get(service)
    if by_policy and ":scheduler:" not in str(rule.get("Arn")):
        return by_policy(arn, rule)
    action = _BY_ROLE.get(service)
    return action is None or role_allows(str(target.get("RoleArn", "")), action, unqualified(arn))


def _queue_allows(arn: str, rule: dict[str, Any]) -> bool:
    return bool(sqs.queue_policy_allows(arn, _EVENTS, str(rule.get("Arn")), get_account_id()))


def _function_allows(arn: str, rule: dict[str, Any]) -> bool:
    found = lambda_svc.function_policy_for_arn(arn)
    if found is None:
        return False
    asked = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=arn,
        region=get_region(),
        service_context={"aws:sourcearn": str(rule.get("Arn")), "aws:sourceaccount": get_account_id()},
    )
    return bool(evaluate_resource_policy(found[0], asked, service=_EVENTS).decision == "Allow")


_BY_POLICY = {"sqs": _queue_allows, "lambda": _function_allows}
_BY_ROLE = {
    "states": "states:StartExecution",
    "kinesis": "kinesis:PutRecord",
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
}


def _set_aside(target: dict[str, Any], rule: dict[str, Any], view: Any) -> None:
    letters = str((target.get("DeadLetterConfig") or {}).get("Arn", ""))
    queue = sqs._queue_by_arn(letters) if letters else None
    if queue is None or not _may_reach(letters, target, rule):
        return
    body = json.dumps(view.event_with_detail())
    eventbridge._dispatch_to_sqs(parse_arn(letters), body)
    said = {
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "The target's policy does not let the rule in.",
        "RULE_ARN": str(rule.get("Arn")),
        "TARGET_ARN": str(target.get("Arn")),
    }
    message = next(one for one in reversed(queue["messages"]) if one["body"] == body)
    message["message_attributes"] = {name: {"DataType": "String", "StringValue": text} for name, text in said.items()}
