"""An API asked at random, by Schemathesis: what its document allows, what it does not, and one answer after another.

Every check of Schemathesis is on. Its check that what is valid is accepted knows the schema alone: it is told which
refusals are of what no schema can say, see `is_the_apis_fault`.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar
from unittest.mock import patch

import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.transport.wsgi import WSGITransport
from tiffin.ids import SLUG
from tiffin.problems import TYPE_BASE

from worlds.described import described
from worlds.gateway import CUSTOMER, RESTAURANT, Handler, ask, claims_of, wsgi
from worlds.gateway import event as event_of
from worlds.orders import MENU_ITEM
from worlds.workflows import FakeOrderWorkflow

_send = WSGITransport.send
JSON = {"Content-Type": "application/json"}


def _send_in_process(transport: WSGITransport, case: Any, *, session: Any = None, **settings: Any) -> Any:
    """Schemathesis leaves out what only a socket needs, but not where a check asks again without its session."""
    for name in ("max_redirects", "verify", "cert", "proxies"):
        settings.pop(name, None)
    return _send(transport, case, session=session, **settings)


@dataclass
class Findings:
    """What came of it.

    Attributes:
        cases: how many requests were made.
        statuses: what they were answered with.
        failures: what is wrong, each with a request that shows it.
    """

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)


class Kitchen(FakeOrderWorkflow):
    """A workflow that takes each order on at once, so that every move is legal for some order.

    Args:
        table: the orders table.
    """

    NEXT: ClassVar = {"accept": "PREPARING", "dispatch": "OUT_FOR_DELIVERY", "deliver": "DELIVERED"}

    def __init__(self, table: Any) -> None:
        super().__init__()
        self._table = table

    def start(self, order_id: str, workflow_input: dict[str, Any]) -> Any:
        if order_id not in self:
            self._enter(order_id, "AWAITING_RESTAURANT")
        return super().start(order_id, workflow_input)

    def call_back(self, task_token: str, output: dict[str, Any]) -> None:
        if status := self.NEXT.get(output["move"]):
            self._enter(output["order_id"], status)

    def _enter(self, order_id: str, status: str) -> None:
        self._table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET #s = :s, task_token = :t, timeline.#s2 = :now",
            ExpressionAttributeNames={"#s": "status", "#s2": status},
            ExpressionAttributeValues={":s": status, ":t": f"token-{status}", ":now": "2026-05-04T18:31:00.000Z"},
        )


TOKEN = "a-token"
WHOSE = "whose it is"
"""A role: in each request, that of the person who has business at the path."""


def fuzz(handler: Handler, role: str, *, cases: int, seed: int) -> Findings:
    """Ask an API at random.

    Args:
        handler: the function behind it.
        role: of whoever asks, see `WHOSE`.
        cases: about how many requests. Each operation gets its share; values at the edge of a limit are always tried.
        seed: the same questions for the same seed.
    """
    config: dict[str, Any] = {"seed": seed, "base-url": "http://127.0.0.1", "continue-on-failure": True}
    config["auth"] = {"openapi": {"idToken": {"bearer": TOKEN}}}
    claims = None if role == WHOSE else claims_of(CUSTOMER, role, **{"custom:restaurant_id": RESTAURANT})
    application = wsgi(handler, TOKEN, claims)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", application, config=_config(config, 1))
    operations = sum(1 for _ in schema.get_all_operations())
    schema = schemathesis.openapi.from_wsgi(
        "/openapi.json", application, config=_config(config, max(1, cases // operations))
    )
    schema.hook("filter_failure")(is_the_apis_fault)
    schema.hook("map_body")(order_what_there_is)
    findings = Findings()
    with patch.object(WSGITransport, "send", _send_in_process):
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _note(findings, event)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                findings.failures[("Schemathesis", type(event).__name__, "")] = str(getattr(event, "info", event))
    # A body that is no JSON comes by chance alone, and may not.
    for (method, path), operation in described(handler).operations.items():
        if "requestBody" in operation:
            request = event_of(method, path.format(order_id="ord_none"), headers=JSON, body="{", claims=claims)
            findings.cases += 1
            findings.statuses[ask(handler, request).status] += 1
    return findings


def _config(config: dict[str, Any], examples: int) -> schemathesis.Config:
    return schemathesis.Config.from_dict(
        config
        | {
            "generation": {"max-examples": examples, "database": "none"},
            # One answer after another: a few long walks.
            "phases": {"stateful": {"max-steps": 10, "generation": {"max-examples": 1 + examples // 10}}},
        }
    )


def _note(findings: Findings, event: events.ScenarioFinished) -> None:
    made = event.recorder.interactions.values()
    findings.cases += len(made)
    findings.statuses.update(one.response.status_code for one in made if one.response)
    for checks in event.recorder.checks.values():
        for check in checks:
            if found := check.failure_info:
                where = (str(event.label), check.name, found.failure.title)
                findings.failures.setdefault(where, f"{found.failure.message}\n{found.code_sample}")


def is_the_apis_fault(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one. A valid request may be refused for what a schema has no words for.

    That is a refusal of its own type: the dish that the menu has not, the page token that nobody gave. Or a rule in our
    own words makes it ("Value error, ..."), such as one over a text's characters.
    """
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = response.json()
    if problem["type"] != TYPE_BASE + "invalid-request":
        return bool(response.status_code != 422)
    return not all(error["reason"].startswith("Value error, ") for error in problem["errors"])


def order_what_there_is(context: Any, body: Any) -> Any:
    """Of a restaurant and dishes that exist: otherwise no order would ever be placed. What is malformed stays so."""

    def known(holder: dict[str, Any], name: str, there_is: str) -> None:
        if isinstance(holder.get(name), str) and re.fullmatch(SLUG, holder[name]):
            holder[name] = there_is

    if isinstance(body, dict):
        known(body, "restaurant_id", MENU_ITEM["restaurant_id"])
        for line in lines if isinstance(lines := body.get("lines"), list) else []:
            if isinstance(line, dict):
                known(line, "dish_id", MENU_ITEM["dishes"][0]["dish_id"])
    return body
