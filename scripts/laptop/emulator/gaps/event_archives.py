"""CloudFormation makes event archives, and a replay reaches only the rules that it names.

Source: CloudFormation template reference, `AWS::Events::Archive`; EventBridge API reference, ReplayDestination:
"FilterArns: a list of ARNs for rules to replay events to". MiniStack has archives and replays in its API, but no such
resource type, and plays to every rule.
"""

import json
from typing import Any

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners


def fill() -> None:
    """Add the resource type, and look at a replay's filter before a target is invoked."""
    provisioners._RESOURCE_HANDLERS["AWS::Events::Archive"] = {"create": _create, "delete": _delete}
    invoke = eventbridge._invoke_target

    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> Any:
        replay = eventbridge._replays.get(event.get("ReplayName"))
        wanted = (replay or {}).get("Destination", {}).get("FilterArns")
        return None if wanted and rule.get("Arn") not in wanted else invoke(target, event, rule, view)

    eventbridge._invoke_target = invoke_target


def _create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    name = props.get("ArchiveName") or provisioners._physical_name(stack_name, logical_id, max_len=48)
    pattern = props.get("EventPattern", "")
    status, _, body = eventbridge._create_archive(
        {
            "ArchiveName": name,
            "EventSourceArn": props["SourceArn"],
            "Description": props.get("Description", ""),
            "EventPattern": json.dumps(pattern) if isinstance(pattern, dict) else pattern,
            "RetentionDays": int(props.get("RetentionDays", 0)),
        }
    )
    if status >= 400:
        raise ValueError(f"AWS::Events::Archive: {body!r}")
    return name, {"Arn": json.loads(body)["ArchiveArn"], "ArchiveName": name}


def _delete(physical_id: str, props: dict[str, Any]) -> None:
    eventbridge._delete_archive({"ArchiveName": physical_id})
