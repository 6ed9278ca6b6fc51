"""What the console is built of besides its own code: the APIs' documents, the services with their events, and rules.

All of it is said elsewhere, in the code, the templates and `events/`. `web/generated/` holds it as data, so that a
build of the console needs no Python, no YAML and no stack. The workflows it reads where they are.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cfnlint.decode.cfn_yaml import load  # the short forms (!Ref, !Sub) need a reader that knows them
from support.operations import JUST_ENDED, LATE, ONCE_ENDED, WHILE_OPEN
from tiffin.ids import CUSTOMER_ID, ORDER_ID

from . import schemas

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "web" / "generated"
APIS = ("orders", "promotions", "support", "live")
"""Whose API the console calls, as far as there is a service of that name."""
_THROUGH = {
    "AWS::SQS::Queue": "queue",
    "AWS::Kinesis::Stream": "stream",
    "AWS::Serverless::Function": "function",
    "AWS::StepFunctions::StateMachine": "workflow",
    "AWS::Serverless::StateMachine": "workflow",
}


def files() -> dict[Path, str]:
    """Each generated file, and what is in it."""
    return {
        **{GENERATED / f"{name}.openapi.json": _text(document(name)) for name in APIS if _has_api(name)},
        GENERATED / "services.json": _text({"services": list(services())}),
        GENERATED / "rules.json": _text(rules()),
    }


def rules() -> dict[str, Any]:
    """Rules that pages tell.

    How many seconds a restaurant has to answer, and a story is told again from a copy: while its order is open, just
    after its end, and once it was told `late` seconds after that; and what the ids of orders and of customers may be.
    """
    workflow = json.loads((ROOT / "statemachines" / "order.asl.json").read_text("utf-8"))
    return {
        "to_answer": workflow["States"]["AwaitRestaurant"]["TimeoutSeconds"],
        "story_kept": {"open": WHILE_OPEN, "just_ended": JUST_ENDED, "late": LATE, "ended": ONCE_ENDED},
        "order_id": ORDER_ID,
        "customer_id": CUSTOMER_ID,
    }


@cache
def document(service: str) -> Any:
    """The OpenAPI document that a service's API serves: asked of its routes, as a client asks, with no stack.

    Args:
        service: its folder below `services/`.
    """
    # The same sample serves every API: a request for the document is about nothing else.
    asked = json.loads((schemas.EVENTS / "invocations" / "OrdersApiFunction-openapi.json").read_text("utf-8"))
    return json.loads(importlib.import_module(f"{service}.api").app.resolve(asked, object())["body"])


def _has_api(service: str) -> bool:
    return (ROOT / "services" / service / service / "api.py").is_file()


def services() -> Iterator[dict[str, Any]]:
    """Each service that announces or hears events: what it announces, and what it listens to, by which way.

    One is `optional` if it is deployed, or hears anything, on a condition only.
    """
    catalogue = yaml.safe_load((schemas.EVENTS / "asyncapi.yaml").read_text("utf-8"))
    operations = list(catalogue["operations"].values())
    asked_for = _asked_for()
    for name in dict.fromkeys(operation["x-service"] for operation in operations):
        own = [operation for operation in operations if operation["x-service"] == name]
        yield {
            "name": name,
            "does": [operation["title"] for operation in own],
            "announces": [event for operation in own if operation["action"] == "send" for event in _events(operation)],
            "hears": [event for operation in own if operation["action"] == "receive" for event in _events(operation)],
            "through": next(_through(name), ""),
            "optional": name in asked_for or _hears_if_asked(name),
        }


def _asked_for() -> set[str]:
    """The services that a parameter of the stack asks for."""
    resources = load(str(ROOT / "template.yaml"))["Resources"].values()
    own = [each for each in resources if each["Type"] == "AWS::Serverless::Application" and "Condition" in each]
    return {Path(each["Properties"]["Location"]).parent.name for each in own}


def _events(operation: Mapping[str, Any]) -> list[str]:
    return [message["$ref"].rpartition("/")[2] for message in operation["messages"]]


def _hears_if_asked(service: str) -> bool:
    """Whether a condition decides of each of a service's rules whether it is enabled."""
    states = [rule.get("State") for rule in _rules(_resources(service))]
    return bool(states) and all(isinstance(state, dict) and "Fn::If" in state for state in states)


def _through(service: str) -> Iterator[str]:
    """What a service's rules on the bus hand events to."""
    resources = _resources(service)
    for rule in _rules(resources):
        for target in rule["Targets"]:
            (reached,) = target["Arn"].values()
            name = reached if isinstance(reached, str) else reached[0]
            yield _THROUGH[resources[name.split(".")[0]]["Type"]]


def _rules(resources: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The properties of each rule on the bus."""
    for resource in resources.values():
        own = resource.get("Properties", {})
        if resource["Type"] == "AWS::Events::Rule" and "EventBusName" in own:
            yield own


@cache
def _resources(service: str) -> dict[str, Any]:
    resources: dict[str, Any] = load(str(ROOT / "services" / service / "template.yaml"))["Resources"]
    return resources


def _text(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
