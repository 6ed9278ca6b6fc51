"""A trickle of orders on the laptop, as people make them: some are declined, rejected, cancelled, a few left lying.

Everybody in it is of the crowd: its customers, cooks and couriers have accounts of their own, and move no order but
those that its customers placed. Whoever plays a restaurant or a courier by hand may move them too, and the crowd lets
go of what somebody else has taken. `lab.crowd_process` lets it run beside `make up`.
"""

import random
import time
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from laptop import EmulatorError
from laptop.client import Client, Refused
from laptop.people import Person
from operations.scenarios import DECLINED
from orders.model import ENDS
from tiffin.callers import Role

from .cases import DELIVERED, NEVER_DELIVERED, SILENT
from .rush import KINDS, Kind

MOST_ORDERS, MOST_HOURS = 2000, 4.0
"""After so many orders, or hours, it goes home: all that it leaves is kept in memory."""
MOST_OPEN, MOST_LEFT = 25, 3
"""Orders of its own that are under way at the same time, and of them, those that it will leave lying."""
EVERY = 7.5
"""Seconds between two orders in the middle: from two thirds of it to four thirds."""
GIVES_UP = 600.0
"""Seconds without any answer, after which it goes home."""

DELIVERED_ONCE = KINDS[0]
LEFT = (Kind("never answered", 0.01, "REJECTED", SILENT), Kind("never delivered", 0.01, "EXPIRED", NEVER_DELIVERED))
_MIX = (*KINDS, *LEFT)
# Seconds in which somebody thinks, cooks or drives: at least, at most, and most often. By the clock of the workflows,
# so that a restaurant which has a quarter of an hour uses as much of it on a fast clock.
_THINKING = {
    "AWAITING_RESTAURANT": (20.0, 90.0, 30.0),
    "PREPARING": (20.0, 180.0, 45.0),
    "OUT_FOR_DELIVERY": (20.0, 180.0, 60.0),
}
_LOOK, _LOOK_AT_LEFT, _SOONEST = 1.0, 15.0, 0.1
# The first few come at once, so that there is something to look at.
_SOON_THERE, _AT_FIRST = 5, 1.0
_AGAIN, _AGAIN_AT_MOST = 1.0, 30.0
_REASONS = ("too_busy", "out_of_stock", "closing", "outside_delivery_area", "other")
# Fewer orders for each than anybody may place in an hour, and than make a limit of open ones near.
_NAMES = (
    *("amara", "anton", "aylin", "bao", "carmen", "chidi", "dana", "elif", "emeka", "farid", "freya", "goran"),
    *("hana", "ines", "ivo", "jonas", "kamala", "kenji", "lena", "luca", "maite", "mehmet", "nadia", "nils"),
    *("olga", "paolo", "priya", "quynh", "rosa", "samir", "sofia", "tariq", "uma", "viktor", "wanda", "yusuf"),
)
_STREETS = ("Harbour Street", "Lantern Quay", "Mill Lane", "Orchard Row", "Rope Walk", "Station Road")
_RIDERS = tuple(Person(f"crowd-rider-{n}", Role.COURIER) for n in range(1, 6))

FAILURES = (httpx.HTTPError, EmulatorError, BotoCoreError, ClientError)
"""What may come instead of an answer, besides a refusal."""


class Unanswered(Exception):
    """Nothing was answered for so long that nobody waits any more."""


@dataclass
class Going:
    """An order that is under way.

    Attributes:
        kind: what people do with it.
        customer: whose it is, by name.
        rate: how much faster its workflow's time passes.
        due: when somebody looks at it next, by the crowd's clock.
        body: what is asked for, by one key, until that is answered; None before anything was chosen.
        order_id: of the order; empty until it is answered.
        seen: the status about which somebody has begun to think.
        tries: how often in turn nothing was answered.
    """

    kind: Kind
    customer: str
    rate: float
    due: float
    body: dict[str, Any] | None = None
    order_id: str = ""
    restaurant_id: str = ""
    seen: str = ""
    tries: int = 0
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


def cook(restaurant_id: str) -> Person:
    """Who of the crowd answers a restaurant's orders."""
    return Person(f"crowd-cook-{restaurant_id}", Role.RESTAURANT, restaurant_id)


def rider(order_id: str) -> Person:
    """Who of the crowd brings an order: always the same one, as nobody else could deliver what they took."""
    return _RIDERS[zlib.crc32(order_id.encode()) % len(_RIDERS)]


class Crowd:
    """Orders and moves them, each thing when it is due.

    Args:
        client: the APIs.
        say: takes a line of the log. Nothing in it is personal.
        rate: how much faster time passes, by the clock of the workflows, for an order that begins now.
        chance: what happens.
        every: seconds between two orders, in the middle.
        pace: how much faster its people are, besides.
        orders: after how many it makes no further one.
        now: seconds that pass.

    Attributes:
        going: what is under way.
        begun: orders that were begun.
    """

    def __init__(
        self,
        client: Client,
        say: Callable[[str], None],
        rate: Callable[[], float] = lambda: 1.0,
        chance: random.Random | None = None,
        *,
        every: float = EVERY,
        pace: float = 1.0,
        orders: int = MOST_ORDERS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._say, self._rate, self._now = client, say, rate, now
        self._chance = chance or random.Random()  # noqa: S311 - people's whims
        self._every, self._pace, self._orders = every, pace, orders
        names = [f"crowd-{name}" for name in _NAMES]
        self._chance.shuffle(names)
        self._customers, self._known = cycle(names), set[str]()
        self._restaurants = list[str]()
        self._spent = set[str]()
        self._next = self._answered = now()
        self.going = list[Going]()
        self.begun = 0

    @property
    def over(self) -> bool:
        """Whether it has made as many orders as it makes, and all have ended."""
        return self.begun >= self._orders and not self.going

    def turn(self) -> float:
        """Do what is due.

        Returns:
            Seconds until something else is.

        Raises:
            Unanswered: see `GIVES_UP`.
        """
        if self.begun < self._orders and self._next <= self._now():
            if len(self.going) < MOST_OPEN:
                self._begin()
            wait = self._every * self._chance.uniform(2 / 3, 4 / 3)
            self._next = self._now() + (min(_AT_FIRST, wait) if self.begun < _SOON_THERE else wait)
        for going in [one for one in self.going if one.due <= self._now()]:
            then = self._tried(going)
            if then is None:
                self.going.remove(going)
            else:
                going.due = self._now() + then
        when = [one.due for one in self.going] + ([self._next] if self.begun < self._orders else [])
        return max(0.0, min(when) - self._now()) if when else 0.0

    def _begin(self) -> None:
        [kind] = self._chance.choices(_MIX, [kind.share for kind in _MIX])
        if kind in LEFT and sum(one.kind in LEFT for one in self.going) >= MOST_LEFT:
            kind = DELIVERED_ONCE
        self.begun += 1
        self.going.append(Going(kind, next(self._customers), self._rate(), self._now()))

    def _tried(self, going: Going) -> float | None:
        """Do the next thing with an order; what is not answered is tried again, later and later."""
        try:
            wait = self._next_with(going)
        except Refused as refused:
            self._answered = self._now()
            problem = str(refused.problem.get("type", "")).rpartition("/")[2]
            self._say(f"{going.order_id or going.kind.name}: {refused.status} {problem}")
            if refused.status >= 500 or problem == "throttled":
                wait = self._later(going)
            else:
                # Of an order that is elsewhere by now it is seen where. What is not there is with somebody else; and
                # what may not be ordered is not.
                wait = _LOOK if going.order_id and refused.status == 409 else None
        except FAILURES as failure:
            if self._now() - self._answered > GIVES_UP:
                raise Unanswered from failure
            self._say(f"{going.order_id or going.kind.name}: no answer, {type(failure).__name__}")
            wait = self._later(going)
        else:
            going.tries, self._answered = 0, self._now()
        return wait

    def _later(self, going: Going) -> float:
        going.tries += 1
        return float(min(_AGAIN * 2**going.tries, _AGAIN_AT_MOST))

    def _next_with(self, going: Going) -> float | None:
        """The next thing with an order.

        Returns:
            Seconds until the one after it; None if there is none.
        """
        if going.body is None and not going.order_id:
            going.body = self._chosen(going)
        if not going.order_id:
            order = self._client.place(customer=going.customer, key=going.key, **(going.body or {}))
            going.order_id = order["order_id"]
            self._say(f"{going.order_id}: placed at {going.restaurant_id}, to be {going.kind.name}")
        else:
            order = self._client.order(going.order_id, by=going.customer)
        status = order["status"]
        if status in ENDS:
            self._say(f"{going.order_id}: {status}")
            return None
        # Somebody may have moved it by hand to where its own plan has no move any more.
        plan = going.kind.plan if going.kind in LEFT else {**DELIVERED, **going.kind.plan}
        move = plan.get(status)
        if not isinstance(move, str):
            return self._soon(going, _LOOK if status == "PLACED" else _LOOK_AT_LEFT)
        if order["pending_move"]:
            return self._soon(going, _LOOK)
        if status != going.seen:
            going.seen = status
            return self._soon(going, self._chance.triangular(*_THINKING[status]))
        people: dict[str, Person | str] = {
            "cancel": going.customer,
            "dispatch": rider(going.order_id),
            "deliver": rider(going.order_id),
        }
        why = {"reason": self._chance.choice(_REASONS)} if move == "reject" else None
        self._client.move(going.order_id, move, why, by=people.get(move, cook(going.restaurant_id)))
        self._say(f"{going.order_id}: {move}")
        return self._soon(going, _LOOK)

    def _soon(self, going: Going, seconds: float) -> float:
        """As long as it is by the clock of the order."""
        return max(_SOONEST, seconds / going.rate / self._pace)

    def _chosen(self, going: Going) -> dict[str, Any]:
        """What a customer orders, once they have looked around: from any restaurant, one to three of its dishes."""
        if going.customer not in self._known:
            self._take_over(going.customer)
            self._known.add(going.customer)
        if not self._restaurants:
            self._restaurants = [one["restaurant_id"] for one in self._client.restaurants()]
        going.restaurant_id = self._chance.choice(self._restaurants)
        menu = self._client.menu(going.restaurant_id)
        dishes = self._chance.sample(menu["dishes"], k=min(len(menu["dishes"]), self._chance.choice([1, 2, 2, 3])))
        basket: dict[str, Any] = {
            "restaurant_id": going.restaurant_id,
            "menu_version": menu["version"],
            "lines": {dish["dish_id"]: self._chance.choice([1, 1, 2]) for dish in dishes},
        }
        if going.kind.coded:
            codes = [one["code"] for one in self._client.promo_codes(going.customer) if one["code"] not in self._spent]
            if codes:
                basket["promo_code"] = codes[0]
                self._spent.add(codes[0])
        if self._chance.random() < 0.5:
            self._client.quote(going.customer, **basket)
        name = going.customer.removeprefix("crowd-").title()
        address = f"{self._chance.choice(_STREETS)} {self._chance.randint(1, 120)}"
        more = {"payment_method": DECLINED} if going.kind.declined else {}
        return basket | more | {"delivery": {"name": name, "address": address}}

    def _take_over(self, customer: str) -> None:
        """Go on with what an earlier crowd left of a customer's."""
        ours = {one.order_id for one in self.going}
        for order in self._client.orders(customer):
            if order["status"] not in ENDS and order["order_id"] not in ours:
                left = Going(DELIVERED_ONCE, customer, self._rate(), self._now(), order_id=order["order_id"])
                left.restaurant_id = order["restaurant_id"]
                self.going.append(left)
