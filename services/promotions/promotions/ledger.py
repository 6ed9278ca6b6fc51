"""What follows from an event: which codes are issued, redeemed and restored. Pure.

`decide` compares what a customer is entitled to by everything that is known with what the customer has, and answers
the difference. So an event that comes twice changes nothing, and events may come in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promotions import redemption
from promotions.model import Budget, Delivery, Expiry, Grant, History, PromoCode, Rule
from promotions.redemption import Happened, State, Use

MAX_CODES = 30
"""Codes issued or amended in one change: each is up to three of a transaction's 100 items (DynamoDB API reference)."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Everything that is known of one customer.

    Attributes:
        customer_id: opaque id.
        version: how often the record has changed.
        history: what happened.
        codes: codes issued, by what earned them.
        uses: where each use of a code stands.
    """

    customer_id: str
    version: int = 0
    history: History = field(default_factory=History)
    codes: Mapping[str, PromoCode] = field(default_factory=dict)
    uses: Mapping[Use, State] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What one event says to this context.

    Attributes:
        customer_id: whose order it is.
        order_id: the order.
        happened: what became of it.
        promo_code: the code spent on it.
        fact: what it adds to the history.
    """

    customer_id: str
    order_id: str
    happened: Happened
    promo_code: str | None = None
    fact: Delivery | Expiry | None = None

    @property
    def matters(self) -> bool:
        """Whether it can change anything here: an order placed without a code does not."""
        return self.promo_code is not None or self.fact is not None


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event to announce.

    Attributes:
        name: its name.
        order_id: the order that it belongs to.
        code: the code that it is about.
        issued: the code in full, if it is new or expires earlier than was announced.
    """

    name: str
    order_id: str
    code: str
    issued: PromoCode | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The difference that an event makes.

    Attributes:
        facts: new in the history.
        issued: new codes.
        amended: codes that turned out to have been earned earlier than it seemed; announced anew if their expiry moved.
        uses: new states of uses.
        announcements: events to announce.
        spent: budgets that each pay for one of the new codes.
        partial: whether more is to follow.
        failed: rules that failed, with their errors: what they would have given is still owed.
    """

    facts: Sequence[Delivery | Expiry] = ()
    issued: Sequence[PromoCode] = ()
    amended: Sequence[PromoCode] = ()
    uses: Mapping[Use, State] = field(default_factory=dict)
    announcements: Sequence[Announcement] = ()
    spent: Sequence[Budget] = ()
    partial: bool = False
    failed: Sequence[tuple[str, Exception]] = ()

    def __bool__(self) -> bool:
        return bool(self.facts or self.issued or self.amended or self.uses)


def decide(customer: Customer, news: News, rules: Sequence[Rule], exhausted: frozenset[str] = frozenset()) -> Change:
    """What an event changes for its customer.

    Args:
        customer: what is known so far.
        news: what the event says.
        rules: the rules in force.
        exhausted: campaigns that have nothing left to give.

    Returns:
        The change, empty if there is nothing new. At most `MAX_CODES` codes: decide again while it is partial. A rule
        that fails gives nothing, and takes nothing from the others.
    """
    history = customer.history.with_fact(news.fact) if news.fact else customer.history
    known: set[Delivery | Expiry] = {*customer.history.deliveries, *customer.history.expiries}
    seen: tuple[Delivery | Expiry, ...] = (*history.deliveries, *history.expiries)

    issued: list[PromoCode] = []
    amended: list[PromoCode] = []
    to_announce: list[PromoCode] = []
    spent: list[Budget] = []
    partial = False
    grants, failed = _granted(rules, history)
    for grant in grants:
        held = customer.codes.get(grant.key)
        if held is not None and (held.order_id, held.earned_at) == (grant.order_id, grant.earned_at):
            continue
        if held is None and grant.budget and grant.budget.campaign in exhausted:
            continue
        same = (code.earned_at for code in (*customer.codes.values(), *issued) if code.reason == grant.reason)
        if held is None and grant.cap and not grant.cap.leaves_room(grant.earned_at, same):
            continue
        if len(issued) + len(amended) == MAX_CODES or (grant.budget in spent and held is None):
            partial = True
        elif held is None:
            issued.append(PromoCode.issue(customer.customer_id, grant))
            to_announce.append(issued[-1])
            spent.extend([grant.budget] if grant.budget else [])
        else:
            amended.append(_amend(held, grant))
            # Whoever keeps a copy of the code (event-carried state transfer) must not take it for longer than we do.
            if grant.expires_at < held.expires_at:
                to_announce.append(amended[-1])

    uses = _uses(customer, news)
    return Change(
        facts=[fact for fact in seen if fact not in known],
        issued=issued,
        amended=amended,
        uses=uses,
        announcements=[
            *(Announcement("PromoCodeIssued", code.order_id, code.code, issued=code) for code in to_announce),
            *(
                Announcement(name, use.order_id, use.code)
                for use, state in uses.items()
                for name in redemption.announcements(customer.uses.get(use), state)
            ),
        ],
        spent=spent,
        partial=partial,
        failed=failed,
    )


def _granted(rules: Sequence[Rule], history: History) -> tuple[list[Grant], list[tuple[str, Exception]]]:
    """What all rules give, and which of them failed. Of a rule that fails, nothing: half of it could be anything."""
    grants: list[Grant] = []
    failed: list[tuple[str, Exception]] = []
    for rule in rules:
        try:
            given = list(rule(history))
        except Exception as error:
            # Nobody knows what a rule of tomorrow may raise. It is not swallowed: who writes the change says so.
            failed.append((rule.__module__.rpartition(".")[2], error))
        else:
            grants.extend(given)
    return grants, failed


def _amend(held: PromoCode, grant: Grant) -> PromoCode:
    # What was promised stays, whatever the rule's terms are by now; only the moment from which it counts is put right.
    return replace(held, order_id=grant.order_id, earned_at=grant.earned_at, expires_at=grant.expires_at)


def _uses(customer: Customer, news: News) -> dict[Use, State]:
    if news.promo_code is None:
        return {}
    use = Use(news.promo_code, news.order_id)
    before = customer.uses.get(use)
    now = redemption.after(before, news.happened)
    return {} if now is before else {use: now}
