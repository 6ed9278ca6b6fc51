"""Orders as people make them, many at once, on any stack: who does what, and what must hold of each order afterwards.

Nothing here knows how fast they come: `make load` says. People sign in, look around, order, look at their orders until
something is new, and make their moves; a customer makes a dozen orders at most, so that no limit of one is near.
"""

import itertools
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from laptop import BusTap, pace
from laptop.client import COURIER, NotThere, Refused
from operations.scenarios import DECLINED, MENU
from operations.visiting import FAILURES, Visit

from .cases import CANCELLED, DELIVERED, REJECTED, Case, Plan, Row
from .invariants import Facts, judge
from .lab import plain

ORDERS_EACH = 12
"""Of one customer: below what the template lets one place in an hour, and with its declines, too."""
PATIENCE = 60.0
"""Seconds for which somebody waits for the next turn of an order, on a quiet machine."""
_ORDER = re.compile(r"/ord_[a-z2-7]{26}")
_RESTAURANT = re.compile(r"/restaurants/r-[^/]+/menu$")
_BASE = re.compile(r".*?/(?=orders|restaurants|promo-codes|kitchen|courier|support)")


@dataclass(frozen=True)
class Kind:
    """What people do with an order.

    Attributes:
        name: as the report has it.
        share: of all orders.
        status: that it ends in.
        plan: who does what once it is in which status.
        declined: whether the card is declined.
        coded: whether a promo code is used, if the customer has one.
    """

    name: str
    share: float
    status: str
    plan: Plan = field(default_factory=dict)
    declined: bool = False
    coded: bool = False


KINDS = (
    Kind("delivered", 0.70, "DELIVERED", DELIVERED),
    Kind("delivered with a code", 0.10, "DELIVERED", DELIVERED, coded=True),
    Kind("declined", 0.06, "DECLINED", declined=True),
    Kind("rejected", 0.07, "REJECTED", REJECTED),
    Kind("cancelled", 0.07, "CANCELLED", CANCELLED),
)


class Told(Protocol):
    """Who hears of each step: its name, milliseconds, and what went wrong."""

    def __call__(self, step: str, milliseconds: float, wrong: str = "") -> None:
        """Take note of a step."""


def _nobody(step: str, milliseconds: float, wrong: str = "") -> None:
    """Hears nothing."""


class Rush:
    """People who order from one restaurant, all at once.

    Args:
        visit: whose people and restaurant they are.
        seed: the same stories each time, for the same number of them.

    Attributes:
        told: hears of each step.
        begun, done: stories.
        cases: the orders.
        wrong: why stories were given up.
    """

    def __init__(self, visit: Visit, seed: int = 1) -> None:
        self._visit = visit
        self.told: Told = _nobody
        self.client = visit.caller(look=self._look)
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, which is the point
        self._lock = threading.Lock()
        self._numbers, self._people = itertools.count(), itertools.count()
        self._free: list[tuple[str, int]] = []
        self._signed_in: set[str] = set()
        self._spent: set[str] = set()
        self.cases: list[Case] = []
        self.wrong: Counter[str] = Counter()
        self.begun = self.done = 0

    def prepare(self) -> None:
        """Let the restaurant serve, and sign in who works."""
        self._visit.serve(MENU)
        for person in (COURIER, self._visit.cook):
            self.client.people.token(person)

    def one(self) -> None:
        """One customer's order, from looking around to its end; what goes wrong is told and counted, never raised."""
        with self._lock:
            number = next(self._numbers)
            self.begun += 1
            kind = self._chance.choices(KINDS, [kind.share for kind in KINDS])[0]
            looks = self._chance.random()
            customer, made = self._free.pop() if self._free else (f"c{next(self._people)}", 0)
        case = Case(f"{self._visit.name}-{number:06d}", kind.name, "under load", kind.plan, frozenset({kind.status}))
        case.customer = customer
        try:
            self._live(case, kind, looks)
            self.done += 1
        except (NotThere, *FAILURES) as failure:
            # What the API answered is told already; this is what it meant for the order.
            self.wrong[f"{kind.name}: {_reason(failure)}"] += 1
            case.notes.append(_reason(failure))
        finally:
            with self._lock:
                if case.subject:
                    self.cases.append(case)
                # Who was refused something has a limit before them, or a broken order behind: somebody else goes on.
                if made + 1 < ORDERS_EACH and not case.notes:
                    self._free.insert(0, (customer, made + 1))

    def _live(self, case: Case, kind: Kind, looks: float) -> None:
        client = self.client
        began = time.monotonic()
        case.subject = client.people.subject(case.customer)
        if case.customer not in self._signed_in:
            self._signed_in.add(case.customer)
            self.told("sign in", 1000 * (time.monotonic() - began))
        if looks < 0.5:
            client.restaurants()
            client.menu(self._visit.restaurant_id)
        more: dict[str, Any] = {}
        if kind.coded:
            # Promotions hear later than orders that a code is spent.
            codes = [one["code"] for one in client.promo_codes(case.customer) if one["code"] not in self._spent]
            if codes:
                more = {"promo_code": codes[0]}
                self._spent.add(codes[0])
        if kind.declined:
            more["payment_method"] = DECLINED
        client.place(customer=case.customer, lines={"air": 2}, key=case.name, **more)
        case.answered = True
        for status, move in kind.plan.items():
            client.until(case.order_id, status, seconds=PATIENCE)
            if move == "accept" and looks < 0.3:
                client.work("kitchen")
            if move == "dispatch" and looks < 0.3:
                client.work("courier", which="ready")
            client.move(case.order_id, str(move), {"reason": "other"} if move == "reject" else None)
        client.until(case.order_id, kind.status, seconds=PATIENCE)

    def _look(self, response: httpx.Response) -> None:
        wrong = "" if response.is_success else f"{response.status_code} {_problem(response)}"
        self.told(
            step(response.request.method, response.request.url.path), 1000 * response.elapsed.total_seconds(), wrong
        )


class Witness:
    """What happened, read from tables and the bus: all that the invariants ask for.

    Args:
        client: makes boto3 clients.
        outputs: the stack's.
    """

    def __init__(self, client: Callable[[str], Any], outputs: Mapping[str, str]) -> None:
        self._dynamodb, self._outputs = client("dynamodb"), outputs
        self.tap = BusTap(client, outputs["EventBusName"])

    def rows(self, output: str, key: str) -> dict[str, list[Row]]:
        """Everything in a table, by one attribute."""
        found: dict[str, list[Row]] = {}
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self._outputs[output]):
            for item in page["Items"]:
                row = plain(item)
                if key in row:
                    found.setdefault(row[key], []).append(row)
        return found

    def close(self) -> None:
        """Hear no more."""
        self.tap.close()


def verdicts(witness: Witness, cases: Sequence[Case], seconds: float = 60.0) -> dict[str, dict[str, str]]:
    """Judge all orders, again while events may still be on their way.

    Args:
        witness: who knows.
        cases: the orders. Of one whose people gave up nobody expects that it has ended.
        seconds: how long things may take to become right.

    Returns:
        What is wrong, by order and invariant; only those with which something is.
    """
    deadline = pace.Deadline(seconds)
    left = list(cases)
    while True:
        facts = Facts.read(witness)
        of_customer: dict[str, list[str]] = {}
        for case in cases:
            of_customer.setdefault(case.subject, []).append(case.order_id)
        # Of each order, what its customer has: else each would look through everybody's events.
        own = {
            subject: Facts(
                facts.orders,
                facts.payments,
                facts.ledger,
                facts.promotions,
                facts.customers,
                {order_id: facts.events.get(order_id, []) for order_id in orders},
            )
            for subject, orders in of_customer.items()
        }
        found = {case.order_id: judge(case, own[case.subject]) for case in left}
        for case in left:
            if case.notes:
                found[case.order_id].pop("I1", None)
        wrong = {order_id: verdict for order_id, verdict in found.items() if verdict}
        if not wrong or deadline.passed():
            return wrong
        left = [case for case in left if case.order_id in wrong]
        time.sleep(1.0)


def step(method: str, path: str) -> str:
    """What a request is for, such as `POST orders/{id}/accept`.

    >>> step("POST", "/_aws/execute-api/abc/v1/orders/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa/accept")
    'POST orders/{id}/accept'
    """
    return f"{method} {_BASE.sub('', _RESTAURANT.sub('/restaurants/{id}/menu', _ORDER.sub('/{id}', path)), count=1)}"


def _problem(response: httpx.Response) -> str:
    try:
        return str(response.json().get("type", "")).rpartition("/")[2]
    except ValueError:
        return ""


def _reason(failure: Exception) -> str:
    if isinstance(failure, Refused):
        return f"{failure.status} {str(failure.problem.get('type', '')).rpartition('/')[2]}"
    if isinstance(failure, NotThere):
        return f"still {failure.order['status']}"
    return type(failure).__name__
