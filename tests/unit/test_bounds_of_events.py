"""What an event may hold in the places that are read: no more than its producers send, whoever announces it."""

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from contracts import schemas
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from notifications import consumer as notifications
from orders import consumer as projection
from payments.model import GENERIC_DECLINE, REFUSALS, Decline
from payments.sandbox import DECLINES
from promotions.model import Delivery, Expiry, History, Terms, euros
from promotions.rules import RULES, apology, free_delivery, loyalty, welcome_back
from promotions.rules.campaign import CAMPAIGNS, Campaign
from pydantic import ValidationError
from tiffin import clients
from tiffin.consumer import Consumer, Event, Unreadable
from tiffin.discounts import MOST, FixedAmount, FreeDelivery, Percentage, is_within_reason
from tiffin.events import event_id, names
from tiffin.ids import CUSTOMER_ID
from tiffin.text import is_sentence
from worlds import feed
from worlds.doors import CONSUMERS
from worlds.feed import dead_letter_queue, failures, raw
from worlds.promotions import SPRING, issued, order
from worlds.runtime import context
from worlds.templates import create_table

LINK = "https://evil.example/pay"
READINGS = [(consumer, name) for consumer in CONSUMERS for name in sorted(consumer.names)]
HUNDRED = {"type": "fixed", "amount": {"amount": 100_00, "currency": "EUR"}}
Place = tuple[str, ...]


def leaves(node: Any, at: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every place of a document that holds a text, a number or nothing, with what it holds."""
    if isinstance(node, dict):
        for key, member in node.items():
            yield from leaves(member, (*at, key))
    else:
        yield at, node


def forged(event: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    parent = changed["detail"]
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return changed


def read(consumer: Consumer, event: dict[str, Any]) -> Event[Any]:
    """The event as it is read.

    Raises:
        Unreadable: it is not.
    """
    _, told = consumer._read(json.dumps(event))
    return told


@pytest.mark.parametrize(("consumer", "name"), READINGS, ids=lambda value: value if isinstance(value, str) else None)
class TestEveryPlace:
    """Each either bounds what it takes, or is not read at all."""

    TEXTS = (LINK, "www.evil.example", "evil.example", "ann@evil.example", "A" * 2000, "", "a\nb", "\u202eevil", "\0")

    @pytest.mark.parametrize("text", TEXTS, ids=ascii)
    def test_takes_no_text_but_what_belongs_there(self, consumer: Consumer, name: str, text: str) -> None:
        event = schemas.example(name)
        as_it_was = repr(read(consumer, event))
        for place, held in leaves(event["detail"]):
            # A customer's id may have a dot in it; it is a key, and shown to nobody.
            allowed = {"trace_header"} | ({"customer_id"} if re.match(CUSTOMER_ID, text) else set())
            if isinstance(held, str) and place[-1] not in allowed:
                try:
                    told = repr(read(consumer, forged(event, place, text)))
                except Unreadable:
                    continue
                assert told == as_it_was, place

    @pytest.mark.parametrize("number", [-1, 100_000_001, 10**30, 0.5, True, "1"])
    def test_takes_no_number_but_what_belongs_there(self, consumer: Consumer, name: str, number: Any) -> None:
        event = schemas.example(name)
        as_it_was = repr(read(consumer, event))
        for place, held in leaves(event["detail"]):
            if isinstance(held, int) and place[-1] != "event_version":
                try:
                    told = repr(read(consumer, forged(event, place, number)))
                except Unreadable:
                    continue
                assert told == as_it_was, place


class TestIds:
    @pytest.mark.parametrize(
        "order_id", ["ord_1", "ord_" + "a" * 27, "ord_" + "A" * 26, "ord_" + "1" * 26, f"ord_{'a' * 26}\n", LINK]
    )
    @pytest.mark.parametrize("consumer", CONSUMERS)
    def test_an_order_is_named_as_orders_name_it(self, consumer: Consumer, order_id: str) -> None:
        event = feed.event(min(consumer.names), order_id)
        with pytest.raises(Unreadable, match="order_id: "):
            read(consumer, event)

    @pytest.mark.parametrize(
        "forgery",
        [
            f"{order(2)}:OrderDelivered",
            f"{order(1)}:OrderPlaced",
            f"{order(1)}:OrderDelivered:{LINK}",
            f"{order(1)}:OrderDelivered:",
            f"{order(1)}:OrderDeliveredX",
            f"{order(1)}",
            "x",
        ],
    )
    def test_an_event_is_named_by_its_order_and_its_name(self, forgery: str) -> None:
        consumer = next(c for c in CONSUMERS if "OrderDelivered" in c.names)
        event = feed.event("OrderDelivered", order(1))
        event["detail"]["metadata"]["event_id"] = forgery
        with pytest.raises(Unreadable, match="event_id"):
            read(consumer, event)

    @given(st.from_regex(r"[A-Z0-9][A-Z0-9-]{3,31}", fullmatch=True))
    def test_what_producers_name_it_is_taken(self, code: str) -> None:
        assert names(event_id(order(1), "PromoCodeIssued", code), order(1), "PromoCodeIssued")
        assert names(event_id(order(1), "OrderPlaced"), order(1), "OrderPlaced")


class TestDiscounts:
    """A forged announcement gains no more than the reason that it names gives away."""

    @pytest.fixture
    def table(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        with mock_aws():
            monkeypatch.setenv("PROMO_CODES_TABLE", create_table("orders", "PromoCodesTable").name)
            self.letters = dead_letter_queue(monkeypatch)
            projection.promo_codes.cache_clear()
            yield clients.table("PromoCodesTable")
        projection.promo_codes.cache_clear()

    @pytest.mark.parametrize(
        ("reason", "discount"),
        [
            *((reason, HUNDRED) for reason in [*MOST, "campaign", "new_rule"]),
            ("loyalty", {"type": "percentage", "percent": 25}),
            ("loyalty", {"type": "percentage", "percent": 25, "cap": {"amount": 10_01, "currency": "EUR"}}),
            ("loyalty", {"type": "percentage", "percent": 26, "cap": {"amount": 10_00, "currency": "EUR"}}),
            ("loyalty", {"type": "percentage", "percent": 25, "cap": {"amount": 10_00, "currency": "KWD"}}),
            ("loyalty", {"type": "fixed", "amount": {"amount": 1, "currency": "EUR"}}),
            ("free_delivery", {"type": "percentage", "percent": 1, "cap": {"amount": 1, "currency": "EUR"}}),
            ("apology", {"type": "free_delivery"}),
            ("campaign", {"type": "percentage", "percent": 100}),
            ("campaign", {"type": "fixed", "amount": {"amount": 20_01, "currency": "EUR"}}),
        ],
    )
    def test_a_code_that_exceeds_its_reason_is_set_aside(self, table: Any, reason: str, discount: Any) -> None:
        event = schemas.example("PromoCodeIssued")
        event["detail"]["data"] |= {"reason": reason, "discount": discount}
        schemas.validate(event)

        assert failures(projection.handler(raw(event), context())) == []

        assert table.scan()["Items"] == []
        [letter] = self.letters()
        said = letter["MessageAttributes"]["reason"]["StringValue"]
        assert "the discount is larger than its reason allows" in said

    def test_each_rule_gives_what_its_reason_allows_at_most(self) -> None:
        terms = {module.TERMS.reason: module.TERMS for module in (apology, free_delivery, loyalty, welcome_back)}
        assert {reason: [t.discount] for reason, t in terms.items()} == MOST
        reasons = {rule.__module__.rpartition(".")[2] for rule in RULES}
        assert {*MOST, "campaign"} <= reasons
        others = [import_module(f"promotions.rules.{reason}").TERMS for reason in reasons - {*MOST, "campaign"}]
        assert all(is_within_reason(terms.reason, terms.discount) for terms in others)
        assert all(is_within_reason("campaign", campaign.discount) for campaign in CAMPAIGNS)

    def test_a_rule_that_gives_more_is_refused_before_it_gives_anything(self) -> None:
        with pytest.raises(ValueError, match="MOST"):
            Terms("loyalty", "LOYAL", Percentage(percent=30, cap=euros(10)), euros(15))
        with pytest.raises(ValidationError, match="MOST"):
            Campaign.model_validate(SPRING.model_dump() | {"discount": HUNDRED})

    moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 12, 31)).map(lambda m: m.replace(tzinfo=UTC))  # noqa: DTZ001

    @given(
        st.lists(
            st.one_of(
                st.builds(Delivery, st.integers(0, 20).map(order), moments, st.sampled_from([euros(60), euros(101)])),
                st.builds(Expiry, st.integers(21, 30).map(order), moments),
            ),
            max_size=12,
            unique_by=lambda fact: fact.order_id,
        )
    )
    def test_what_promotions_give_orders_take_in(self, known: list[Delivery | Expiry]) -> None:
        for rule in (*RULES, SPRING.grants):
            for grant in rule(History.of(known)):
                told = read(projection.consumer, issued(grant))
                assert told.data.discount == grant.discount
                assert abs(told.data.expires_at - grant.expires_at) < timedelta(milliseconds=1)

    discounts = st.one_of(
        st.builds(
            Percentage,
            percent=st.integers(1, 50),
            cap=st.integers(1, 2000).map(lambda a: euros(1).model_copy(update={"amount": a})),
        ),
        st.builds(FixedAmount, amount=st.integers(1, 2000).map(lambda a: euros(1).model_copy(update={"amount": a}))),
        st.builds(FreeDelivery),
    )

    @given(discounts)
    def test_every_campaign_that_may_be_loaded_gives_codes_that_orders_take_in(
        self, discount: Percentage | FixedAmount | FreeDelivery
    ) -> None:
        campaign = Campaign.model_validate(SPRING.model_dump() | {"discount": discount.model_dump()})
        [grant] = campaign.grants(History.of([Delivery(order(1), SPRING.starts_at, euros(60))]))
        assert read(projection.consumer, issued(grant)).data.discount == discount


class TestMails:
    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("metadata", "order_id"), LINK),
            (("data", "reason", "message"), f"Pay again at {LINK}"),
            (("data", "reason", "message"), "Pay again at evil.example"),
            (("data", "reason", "message"), "Write to ann@evil.example"),
            (("data", "reason", "message"), "No.\n\nYours,\nAnn"),
            (("data", "reason", "message"), ""),
            (("data", "total", "currency"), "XXX"),
        ],
    )
    def test_a_forged_event_becomes_no_mail(self, monkeypatch: pytest.MonkeyPatch, place: Place, value: str) -> None:
        def told(*_: Any) -> None:
            raise AssertionError

        with mock_aws():
            letters = dead_letter_queue(monkeypatch)
            monkeypatch.setattr(notifications, "sent", told)
            event = forged(schemas.example("OrderRejected"), place, value)

            assert failures(notifications.handler(raw(event), context())) == []

            [letter] = letters()
            assert place[-1] in letter["MessageAttributes"]["reason"]["StringValue"]

    @pytest.mark.parametrize(
        "error",
        [
            "States.Runtime",
            "States.TaskFailed",
            "States.DataLimitExceeded",
            "DynamoDB.ConditionalCheckFailedException",
            "DynamoDb.ProvisionedThroughputExceededException",
            "Lambda.TooManyRequestsException",
            "Lambda.ENILimitReachedException",
            "EventBridge.FailedEntry",
            "Sandbox.Timedout",
            "GatewayRefused",
        ],
    )
    def test_what_killed_an_order_is_a_sentence(self, error: str) -> None:
        assert is_sentence(f"The order could not be completed: {error}.")

    @given(st.text())
    def test_whatever_a_gateway_says_is_told_as_a_sentence(self, text: str) -> None:
        assert is_sentence(Decline.told("visa", "do_not_honor", text).message)

    def test_what_is_said_of_declines_is_told_as_it_is(self) -> None:
        for message in [GENERIC_DECLINE[1], *REFUSALS.values(), *(message for _, message in DECLINES.values())]:
            assert Decline.told("visa", "do_not_honor", message).message == message
