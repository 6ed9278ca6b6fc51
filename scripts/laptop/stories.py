"""The stories that `make demo` tells: orders with the people who move them, and what must have come of each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from contracts import schemas
from orders.model import ENDS
from payments.sandbox import Balance
from rich.console import Console
from rich.markup import escape
from tiffin.money import Money, printed

from .client import Client, Refused
from .clock import Clock
from .errors import EventNotSeen, NotInTime
from .pace import Deadline, eventually
from .providers import Books
from .tap import BusTap

PATIENCE = 60.0
# So long a promo code is waited for that may not come: nobody owes it.
AFTERTHOUGHT = 15.0
THREE_HOURS = 10_800.0
# What may come instead of an answer, from the APIs, the bus, or the books.
_FAILURES = (
    EventNotSeen, NotInTime, Refused, schemas.ContractViolation, httpx.HTTPError, BotoCoreError, ClientError,
)  # fmt: skip

COLOURS = {"DELIVERED": "green", "DECLINED": "yellow", "REJECTED": "yellow", "CANCELLED": "yellow", "EXPIRED": "red"}


class WentWrong(Exception):
    """A story did not end as it should.

    Attributes:
        order_id: its order; None if there is none yet.
    """

    def __init__(self, message: str, order_id: str | None = None) -> None:
        super().__init__(message)
        self.order_id = order_id


@dataclass
class Story:
    """One order, from what is done to it to what must have come of it.

    Attributes:
        title: one line for the person who watches.
        moves: who does what once the order is in which status.
        ends: the status that it must end in.
        announces: the events that its order must put on the bus, all of them.
        money: held, captured and voided, as shares of the price.
        because: the reason that must be given, if it did not end well.
        promises: the reason of the promo code that must come of it.
        customer: whose order it is, by name.
    """

    title: str
    moves: dict[str, str]
    ends: str
    announces: set[str]
    money: tuple[int, int, int]
    because: str | None = None
    promises: str | None = None
    declined: bool = False
    customer: str = "ada"
    order: dict[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)


PLACED_AND_HELD = {"OrderPlaced", "PaymentAuthorized"}
UNDONE = PLACED_AND_HELD | {"PaymentReleased"}
STORIES = [
    Story(
        "The courier never comes. Three hours later the food is worth nothing: the money goes back, with an apology.",
        {"AWAITING_RESTAURANT": "accept", "PREPARING": "dispatch"},
        "EXPIRED",
        UNDONE | {"OrderAccepted", "OrderDispatched", "OrderExpired", "PromoCodeIssued"},
        (1, 0, 1),
        "not_delivered_in_time",
        "apology",
        customer="grace",
    ),
    Story(
        "Ada orders pizza, and it arrives. It is her first order, so promotions say welcome back.",
        {"AWAITING_RESTAURANT": "accept", "PREPARING": "dispatch", "OUT_FOR_DELIVERY": "deliver"},
        "DELIVERED",
        PLACED_AND_HELD | {"OrderAccepted", "OrderDispatched", "PaymentCaptured", "OrderDelivered", "PromoCodeIssued"},
        (1, 1, 0),
        promises="welcome_back",
    ),
    Story(
        "Alan's card is declined, and anybody can read what the card network said.",
        {},
        "DECLINED",
        {"OrderPlaced", "PaymentDeclined", "OrderDeclined"},
        (0, 0, 0),
        declined=True,
        customer="alan",
    ),
    Story(
        "The restaurant has run out of dough: it rejects, and the hold is released.",
        {"AWAITING_RESTAURANT": "reject"},
        "REJECTED",
        UNDONE | {"OrderRejected"},
        (1, 0, 1),
        "restaurant_rejected",
        customer="edsger",
    ),
    Story(
        "Barbara changes her mind before the restaurant answers: the workflow is stopped, and unwound.",
        {"AWAITING_RESTAURANT": "cancel"},
        "CANCELLED",
        UNDONE | {"OrderCancelled"},
        (1, 0, 1),
        "cancelled_by_customer",
        customer="barbara",
    ),
]


class Teller:
    """Plays the stories' people, and tells what happens.

    Args:
        console: where to.
        client: the APIs.
        tap: the bus.
        books: the gateway's books.
        declined_method: a payment method that is declined.
    """

    def __init__(self, console: Console, client: Client, tap: BusTap, books: Books, declined_method: str) -> None:
        self._say, self._client, self._tap, self._books = console.print, client, tap, books
        self._declined_method = declined_method

    def begin(self, story: Story) -> None:
        """Place the story's order."""
        method = self._declined_method if story.declined else "pm_card_visa"
        story.order = self._client.place(customer=story.customer, payment_method=method, note="extra basil 🌿")

    def go_on(self, story: Story, tell: bool) -> bool:
        """Look at the order once, tell what is new, and let whoever is to move it do so.

        Returns:
            Whether the order has ended.
        """
        story.order = self._client.order(story.order["order_id"])
        for entered in story.order["timeline"]:
            if tell and entered["status"] not in story.seen:
                story.seen.append(entered["status"])
                self._tell_status(story, entered)
        status = story.order["status"]
        move = story.moves.get(status)
        if move and status not in story.taken:
            story.taken.add(status)
            self._client.move(story.order["order_id"], move, {"reason": "out_of_stock"} if move == "reject" else None)
        return status in ENDS

    def title(self, story: Story) -> None:
        """Open a story."""
        self._say(f"\n[bold]{escape(story.title)}[/bold]")
        price = Money.model_validate(story.order["total"])
        self._say(
            f"  [dim]{story.order['order_id']} · {story.customer} · {price} at {story.order['restaurant_name']}[/dim]"
        )

    def close(self, story: Story) -> None:
        """Tell the events and the money, and check the ending.

        Raises:
            WentWrong: it is not what it must be.
        """
        order_id = story.order["order_id"]
        _must(story.order["status"] == story.ends, f"it ended {story.order['status']}, not {story.ends}")
        reason = story.order["reason"] or {}
        if story.declined:
            _must(bool(reason.get("network")), "nobody can read which network declined it")
        elif story.because:
            _must(reason.get("code") == story.because, f"its reason is {reason.get('code')}, not {story.because}")
        for name in sorted(story.announces):
            self._tap.wait_for_event(name, order_id, PATIENCE)
        events = [e for e in self._tap.events if e["detail"]["metadata"]["order_id"] == order_id]
        for event in events:
            schemas.validate(event)
        names = {event["detail-type"] for event in events}
        _must(names == story.announces, f"it announced {sorted(names ^ story.announces)} besides or not")
        balance = self._sum_up(story)
        held, captured, voided = (share * story.order["total"]["amount"] for share in story.money)
        _must(balance == Balance(held=held, captured=captured, voided=voided), f"the gateway's books say {balance}")
        if story.promises:
            code = eventually(lambda: self._code(story), PATIENCE, f"the issue of a promo code ({story.promises})")
            self._say(f"  [dim]promotions[/dim]  {code['code']} ({story.promises.replace('_', ' ')})")
        self._say("  [green]✓ as it should[/green]")

    def sum_up(self, story: Story, promotions: bool) -> None:
        """Tell what came of an order that has ended, and judge none of it.

        Args:
            story: the order's. Its events are waited for, but not for those of promotions.
            promotions: whether there is anybody who gives promo codes.
        """
        for name in sorted(story.announces - {"PromoCodeIssued"}):
            self._tap.wait_for_event(name, story.order["order_id"], PATIENCE)
        code = None
        if promotions and story.promises:
            with suppress(NotInTime):
                code = eventually(lambda: self._code(story), AFTERTHOUGHT, "a promo code")
        self._sum_up(story)
        codes = self._client.promo_codes(story.customer) if promotions else []
        told = ", ".join(f"{one['code']} ({one['reason'].replace('_', ' ')})" for one in codes)
        nothing = "no code yet" if story.promises and not code else "no code"
        self._say(f"  [dim]promotions[/dim]  {told or (nothing if promotions else 'there is nobody')}")

    def _code(self, story: Story) -> dict[str, Any] | None:
        codes = self._client.promo_codes(story.customer)
        return next((code for code in codes if code["reason"] == story.promises), None)

    def _sum_up(self, story: Story) -> Balance:
        """Tell which events an order put on the bus, and what became of its money, which is returned."""
        order_id = story.order["order_id"]
        events = [e for e in self._tap.events if e["detail"]["metadata"]["order_id"] == order_id]
        # As they happened; they come as it falls out (no bus keeps a sequence).
        events.sort(key=lambda event: datetime.fromisoformat(event["detail"]["metadata"]["occurred_at"]))
        names = [event["detail-type"] for event in events]
        self._say(f"  [dim]on the bus[/dim]  {' · '.join(names)}", soft_wrap=True)
        balance = self._books.balance(order_id)
        self._say(f"  [dim]the money [/dim]  {_fate(balance, story.order['total']['currency'])}")
        return balance

    def _tell_status(self, story: Story, entered: dict[str, Any]) -> None:
        status = entered["status"]
        at, placed = (datetime.fromisoformat(text) for text in (entered["at"], story.order["placed_at"]))
        # A whole second comes without its fraction (RFC 3339).
        clock, took = at.isoformat(timespec="milliseconds")[11:23], (at - placed).total_seconds()
        line = f"  {clock}  {took:+7.2f} s  [{COLOURS.get(status, 'cyan')}]{status:<20}[/]"
        reason = story.order["reason"]
        if status in ENDS and reason:
            line += f" {escape(reason['summary'])} — {escape(reason['message'])}"
        self._say(line, highlight=False)


def _fate(balance: Balance, currency: str) -> str:
    """What became of the money, in words."""
    if balance.captured:
        return f"{printed(balance.captured, currency)} held, then taken"
    if balance.held:
        return f"{printed(balance.held, currency)} held, then given back"
    return "none was held"


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WentWrong(otherwise)


def tell(teller: Teller, stories: list[Story], clock: Clock) -> None:
    """Tell the stories one after the other, the longest one first begun and last told.

    Args:
        teller: plays their people.
        stories: the longest is about the three hours.
        clock: by which these pass.

    Raises:
        WentWrong: one did not end as it should.
    """
    longest, *others = stories
    with telling(longest):
        teller.begin(longest)
    for story in [*others, longest]:
        with telling(story):
            if story is not longest:
                teller.begin(story)
            teller.title(story)
            # After the three hours, as much time as others have, to give the money back and to announce it.
            deadline = Deadline(PATIENCE, clock.real_seconds(THREE_HOURS) if story is longest else 0.0)
            while not teller.go_on(story, tell=True):
                if story is not longest:
                    with telling(longest):
                        teller.go_on(longest, tell=False)
                _must(not deadline.passed(), f"it is {story.order['status']} and goes no further")
                time.sleep(0.05)
            teller.close(story)


@contextmanager
def telling(story: Story) -> Iterator[None]:
    """Whatever fails in here fails this story.

    Raises:
        WentWrong: it did; with its order.
    """
    try:
        yield
    except WentWrong as wrong:
        wrong.order_id = wrong.order_id or story.order.get("order_id")
        raise
    except _FAILURES as failure:
        what = str(failure) or type(failure).__name__
        raise WentWrong(what, story.order.get("order_id")) from failure
