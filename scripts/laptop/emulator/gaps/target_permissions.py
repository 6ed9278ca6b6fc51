"""A rule reaches its target only if it may: a queue or a function by its policy, a state machine or a stream by a role.

Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge", "Using IAM roles for Amazon
EventBridge" and "Using dead-letter queues to process undelivered events": what may not be delivered is not tried again,
and goes to the target's dead-letter queue with the reason. MiniStack delivers in any case, so that a template without
the policy works there and loses events on AWS.
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
        if not _may_reach(target, rule):
            eventbridge.logger.error("FailedInvocations: rule %s may not reach %s", rule.get("Name"), target.get("Arn"))
            _set_aside(target, rule, view or eventbridge._pattern_event_view(event))
            return None
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_target


def _may_reach(target: dict[str, Any], rule: dict[str, Any]) -> bool:
    arn = str(target.get("Arn", ""))
    if arn.startswith("arn:aws:states:"):
        return role_allows(str(target.get("RoleArn", "")), "states:StartExecution", unqualified(arn))
    if arn.startswith("arn:aws:kinesis:"):
        return role_allows(str(target.get("RoleArn", "")), "kinesis:PutRecord", arn)
    if arn.startswith("arn:aws:sqs:"):
        return _queue_allows(arn, rule)
    if arn.startswith("arn:aws:lambda:"):
        return _function_allows(arn, rule)
    return True


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


def _set_aside(target: dict[str, Any], rule: dict[str, Any], view: Any) -> None:
    letters = str((target.get("DeadLetterConfig") or {}).get("Arn", ""))
    queue = sqs._queue_by_arn(letters) if letters else None
    if queue is None or not _queue_allows(letters, rule):
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
