"""A rule reaches its target only if it may: a queue by the queue's policy, a state machine by the role of the target.

Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge" and "Using IAM roles for Amazon
EventBridge". MiniStack delivers in any case, so that a template without the policy works there and loses events on AWS.
"""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, sqs

from .workflow_permissions import role_allows

_EVENTBRIDGE = "events.amazonaws.com"


def fill() -> None:
    """Drop what may not be delivered, and say so in the log, as a metric does on AWS."""
    invoke = eventbridge._invoke_target

    def invoke_target(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> Any:
        if not _may_reach(target, rule):
            eventbridge.logger.error("FailedInvocations: rule %s may not reach %s", rule.get("Name"), target.get("Arn"))
            return None
        return invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_target


def _may_reach(target: dict[str, Any], rule: dict[str, Any]) -> bool:
    arn = str(target.get("Arn", ""))
    if arn.startswith("arn:aws:states:"):
        return role_allows(str(target.get("RoleArn", "")), "states:StartExecution", arn)
    queue = sqs._queue_by_arn(arn) if arn.startswith("arn:aws:sqs:") else None
    if queue is None:
        return True
    context = iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account=get_account_id(),
        action="sqs:SendMessage",
        resource_arn=arn,
        region=get_region(),
        service_context={"aws:sourcearn": rule.get("Arn"), "aws:sourceaccount": get_account_id()},
    )
    policy = queue.get("attributes", {}).get("Policy")
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, _EVENTBRIDGE).decision == "Allow")
