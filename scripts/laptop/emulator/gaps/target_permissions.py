"""A rule reaches its target only if it may: a queue by the queue's policy, a state machine by the role of the target.

Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge" and "Using IAM roles for Amazon
EventBridge". MiniStack delivers in any case, so that a template without the policy works there and loses events on AWS.
"""

from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import eventbridge, sqs

from .workflow_permissions import role_allows


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
    if arn.startswith("arn:aws:sqs:"):
        return bool(sqs.queue_policy_allows(arn, "events.amazonaws.com", str(rule.get("Arn")), get_account_id()))
    return True
