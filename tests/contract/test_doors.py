"""What the first door lets in, every later door lets in too: request, row, workflow, payments, events, consumers.

Orders are placed by the real API over real tables, and their workflows stepped through as they are; the real
payments service answers them. Each request to payments is held to the payment contract, each event to its schema, and
each consumer reads every event that it subscribed to.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from contracts import schemas
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from orders.model import PromoCode
from orders.promo_codes import PromoCodeStore
from payments import handler as payments_handler
from payments.gateway import Authorized
from payments.model import Decline
from tiffin import clients, outbox
from tiffin.discounts import FixedAmount, Offer
from tiffin.money import Money
from worlds.doors import CONSUMERS, GOOD, PAYMENT_CONTRACT, Doors
from worlds.orders import MENU_ITEM, PROBLEM, orders_world
from worlds.runtime import ENVIRONMENT, context

WELL_FORMED = r"^Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;Parent=[0-9a-f]{16})?(;Sampled=[01])?$"
FOUND_OUTSIDE = "Root=1-0-0000000016764bd1ca9d3cc8;Parent=73cb3a63c8208c79;Sampled=1"
MALFORMED = [
    FOUND_OUTSIDE,
    "",
    " ",
    "Root=",
    "Self=1-67891234-12456789abcdef012345678",
    "Root=1-6926e7d4-0A1B2C3D4E5F60718293A4B5",
    GOOD + ";note=" + "x" * 600,
    "Root=2-6926e7d4-0a1b2c3d4e5f60718293a4b5",
    "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5\n",
    "ada@example.com",
    "🥡" * 300,
]
ANSWERS: list[list[dict[str, Any] | None]] = [
    [{"move": "accept"}, {"move": "dispatch"}, {"move": "deliver"}],
    [{"move": "reject", "reason": "too_busy"}],
    [{"move": "reject", "reason": "out_of_stock"}],
    [{"move": "reject", "reason": "closing"}],
    [{"move": "reject", "reason": "other"}],
    [{"move": "reject", "reason": "outside_delivery_area"}],
    [None],
]


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    for name, value in (
        ENVIRONMENT | {"POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_METRICS_DISABLED": "true"}
    ).items():
        monkeypatch.setenv(name, value)
    with orders_world(monkeypatch) as api:
        yield Doors(api, monkeypatch)


class TestTraceHeaders:
    @pytest.mark.parametrize("trace_header", [*MALFORMED, None])
    def test_an_order_is_paid_and_delivered_whatever_trace_header_came_with_it(
        self, doors: Doors, trace_header: str | None
    ) -> None:
        status, order = doors.place(trace_header)
        assert status == 201
        doors.run(order["order_id"], ANSWERS[0])
        assert doors.ended(order["order_id"])["status"] == "DELIVERED"
        assert doors.payments.balance(order["order_id"]).captured == 2150
        assert {"PaymentAuthorized", "PaymentCaptured"} == set(doors.payment_events(order["order_id"]))
        roots = {sent["detail"]["metadata"]["trace_header"] for sent in doors.announced}
        assert len(roots) == 1
        assert Draft202012Validator({"pattern": WELL_FORMED}).is_valid(roots.pop())

    @pytest.mark.parametrize(
        "trace_header",
        [
            GOOD,
            "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5",
            "Self=1-67891234-12456789abcdef012345678;" + GOOD,
            GOOD + ";Lineage=1:a87bd80c:0",
            GOOD.replace(";", "; "),
        ],
    )
    def test_a_well_formed_trace_header_is_carried_to_every_event(self, doors: Doors, trace_header: str) -> None:
        _, order = doors.place(trace_header)
        doors.run(order["order_id"], ANSWERS[0])
        doors.payment_events(order["order_id"])
        for sent in doors.announced:
            assert "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5" in sent["detail"]["metadata"]["trace_header"]

    @pytest.mark.parametrize(
        ("stored", "stop_at"),
        [
            *((stored, "AwaitRestaurant") for stored in (None, *MALFORMED)),
            *((stored, at) for stored in (None, FOUND_OUTSIDE) for at in ("AnnouncePlaced", "AuthorizePayment")),
        ],
    )
    def test_an_order_written_before_with_no_usable_trace_header_is_unwound_and_its_money_released(
        self, doors: Doors, stored: str | None, stop_at: str
    ) -> None:
        _, order = doors.place()
        doors.run(order["order_id"], [], stop_at=stop_at)
        doors.keep_trace_header(order["order_id"], stored)
        assert doors.unwind(order["order_id"], "TIMED_OUT").status == "SUCCEEDED"
        assert doors.ended(order["order_id"])["status"] == "EXPIRED"
        assert doors.payments.balance(order["order_id"]).open == 0
        assert doors.announced[-1]["detail-type"] == "OrderExpired"

    @pytest.mark.parametrize("stored", [None, *MALFORMED, 7])
    def test_an_order_written_before_with_no_usable_trace_header_is_started_and_paid(
        self, doors: Doors, stored: Any
    ) -> None:
        doors.api.workflow.down = True
        _, order = doors.place(key="again")
        doors.keep_trace_header(order["order_id"], stored)
        doors.api.workflow.down = False
        assert doors.place(key="again")[0] == 200
        given_first = doors.api.workflow.inputs[order["order_id"]]
        doors.place(key="again")
        # The same input each time: to Step Functions, another input under a known name is a conflict.
        assert doors.api.workflow.inputs[order["order_id"]] == given_first
        doors.run(order["order_id"], ANSWERS[0])
        assert doors.ended(order["order_id"])["status"] == "DELIVERED"

    @pytest.mark.parametrize("operation", ["authorize", "capture", "release"])
    @pytest.mark.parametrize("trace_header", [*MALFORMED, None, 7, {}, "left out"])
    def test_payments_refuse_nothing_over_a_trace_header(self, doors: Doors, trace_header: Any, operation: str) -> None:
        _, order = doors.place()
        doors.run(order["order_id"], [], stop_at="AwaitRestaurant")
        [authorize] = doors.asked
        extra = {} if operation == "authorize" else {"customer_id", "amount", "payment_method"}
        request = {k: v for k, v in authorize.items() if k not in extra} | {"operation": operation}
        request |= {"reason": "order_unwound"} if operation == "release" else {}
        request["trace_header"] = trace_header
        if trace_header == "left out":
            del request["trace_header"]
        PAYMENT_CONTRACT.validate(request)
        answer = payments_handler.handler(request, context("payments"))
        assert answer["status"] == {"authorize": "AUTHORIZED", "capture": "CAPTURED", "release": "RELEASED"}[operation]
        doors.payment_events(order["order_id"])

    @pytest.mark.parametrize("trace_header", [*MALFORMED, None, 7, "left out"])
    def test_consumers_read_an_event_whatever_its_trace_header(self, trace_header: Any) -> None:
        sent = schemas.example("OrderDelivered")
        metadata = sent["detail"]["metadata"] | {"trace_header": trace_header}
        if trace_header == "left out":
            del metadata["trace_header"]
        body = json.dumps(sent | {"detail": sent["detail"] | {"metadata": metadata}})
        for consumer in CONSUMERS:
            if "OrderDelivered" in consumer.names:
                _, read = consumer._read(body)
                assert Draft202012Validator({"pattern": WELL_FORMED}).is_valid(read.metadata.trace_header)

    @pytest.mark.parametrize("trace_header", [*MALFORMED, "left out"])
    def test_the_relay_sends_what_was_stored_with_a_trace_header_that_fits(self, trace_header: str) -> None:
        detail = schemas.example("PaymentCaptured")["detail"]
        detail["metadata"]["trace_header"] = trace_header
        if trace_header == "left out":
            del detail["metadata"]["trace_header"]
        image = {"source": "tiffin.payments", "detail_type": "PaymentCaptured", "detail": json.dumps(detail)}
        entry = outbox._entry({"dynamodb": {"NewImage": {k: {"S": v} for k, v in image.items()}}}, "bus")
        sent = json.loads(entry["Detail"])
        assert sent["metadata"]["trace_header"] == entry["TraceHeader"]
        assert sent["data"] == detail["data"]
        schemas.validate(
            schemas.example("PaymentCaptured") | {"detail": sent, "source": "tiffin.payments"},
        )


class TestWhatAGatewaySays:
    @pytest.mark.parametrize(
        "decline",
        [
            Decline("Cartes Bancaires", "do-not-honor", "Refused."),
            Decline("", "", ""),
            Decline("Eftpos-AU 2", "Try Again Later", " "),
            Decline("visa", "x" * 300, "word " * 1000),
        ],
    )
    def test_a_decline_in_new_words_reaches_the_customer_in_the_words_of_the_contract(
        self, doors: Doors, decline: Decline
    ) -> None:
        doors.payments.gateway.before["authorize"] = lambda: setattr(
            doors.payments.gateway, "inner", Refusing(doors.payments.sandbox, decline)
        )
        _, order = doors.place()
        assert doors.run(order["order_id"], []).status == "SUCCEEDED"
        ended = doors.ended(order["order_id"])
        assert ended["status"] == "DECLINED"
        assert ended["reason"]["message"]
        assert set(doors.payment_events(order["order_id"])) == {"PaymentDeclined"}

    @pytest.mark.parametrize("network", ["Visa", "eftpos_au", "Card 2.0", "", "n" * 99])
    def test_a_network_by_another_name_is_announced_as_the_contract_spells_names(
        self, doors: Doors, network: str
    ) -> None:
        doors.payments.gateway.before["authorize"] = lambda: setattr(
            doors.payments.gateway, "inner", Refusing(doors.payments.sandbox, Authorized(network))
        )
        _, order = doors.place()
        doors.run(order["order_id"], [], stop_at="AwaitRestaurant")
        assert set(doors.payment_events(order["order_id"])) == {"PaymentAuthorized"}


class Refusing:
    """A gateway that answers to an authorization what it is told to."""

    def __init__(self, inner: Any, says: Any) -> None:
        self._inner, self._says = inner, says

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def authorize(self, reference: str) -> Any:
        return self._says


def _words(most: int) -> st.SearchStrategy[str]:
    """Text that a person might type, and much that nobody would; what turns text around stops at the first door."""
    turning = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    characters = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=turning)
    return st.text(characters, max_size=most - 1).map(lambda text: f"A{text}")


slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True)
dishes = st.lists(
    st.tuples(slugs, _words(200), st.integers(1, 100_000)), min_size=1, max_size=5, unique_by=lambda dish: dish[0]
)
methods = st.one_of(
    st.sampled_from(["pm_card_visa", "pm_card_mastercard_debit", "pm_card_amex_chargeDeclined", "pm_nothing"]),
    st.from_regex(r"pm_[A-Za-z0-9_]{1,96}", fullmatch=True),
)
trace_headers = st.one_of(
    st.sampled_from([GOOD, *MALFORMED]),
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=700),
)


@pytest.mark.generated
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    customer=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True),
    restaurant=slugs,
    currency=st.sampled_from(["EUR", "USD", "GBP", "JPY"]),
    menu=dishes,
    quantities=st.lists(st.integers(1, 99), min_size=1, max_size=5),
    fee=st.integers(0, 10_000),
    method=methods,
    name=_words(200),
    address=_words(200),
    note=_words(500),
    code=st.none() | st.from_regex(r"[A-Z0-9][A-Z0-9-]{3,31}", fullmatch=True),
    key=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=100),
    trace_header=trace_headers,
    answers=st.sampled_from(ANSWERS),
    death=st.none() | st.sampled_from(["FAILED", "TIMED_OUT", "ABORTED", "UNREPORTED"]),
    stored=st.sampled_from(["as it is", None, *MALFORMED]),
)
def test_what_the_first_door_lets_in_every_other_door_lets_in(
    doors: Doors,
    customer: str,
    restaurant: str,
    currency: str,
    menu: list[tuple[str, str, int]],
    quantities: list[int],
    fee: int,
    method: str,
    name: str,
    address: str,
    note: str,
    code: str | None,
    key: str,
    trace_header: str | None,
    answers: list[dict[str, Any] | None],
    death: str | None,
    stored: str | None,
) -> None:
    doors.serve(
        MENU_ITEM
        | {
            "restaurant_id": restaurant,
            "currency": currency,
            "delivery_fee": fee,
            "dishes": [{"dish_id": d, "name": n, "price": p} for d, n, p in menu],
        }
    )
    if code:
        # Of all examples, one each.
        code = f"{code[:20]}-{next(doors._keys)}"
        five, nothing = Money(amount=500, currency=currency), Money(amount=0, currency=currency)
        offer = Offer(FixedAmount(amount=five), nothing, datetime.now(UTC) + timedelta(days=1))
        PromoCodeStore(clients.table("PromoCodesTable")).add(PromoCode(customer, code, offer))
    status, order = doors.place(
        trace_header,
        f"{key[:100]}-{next(doors._keys)}",
        customer_id=customer,
        restaurant_id=restaurant,
        lines=[{"dish_id": menu[n % len(menu)][0], "quantity": q} for n, q in enumerate(quantities)],
        payment_method=method,
        delivery={"name": name, "address": address},
        note=note,
        **({"promo_code": f" {code.lower()} "} if code else {}),
    )
    # Whatever else the first door says to it, it says so with a problem of ours.
    assert status == 201 or order["type"].startswith(PROBLEM)
    event("placed" if status == 201 else order["type"])
    assume(status == 201)
    order_id = order["order_id"]
    if death is None:
        assert doors.run(order_id, answers).status == "SUCCEEDED"
    else:
        doors.run(order_id, answers, stop_at="RestaurantDecision")
        if stored != "as it is":
            doors.keep_trace_header(order_id, stored)
        assert doors.unwind(order_id, death).status == "SUCCEEDED"
    ended = doors.ended(order_id)
    money = doors.payments.balance(order_id)
    assert money.captured == (order["total"]["amount"] if ended["status"] == "DELIVERED" else 0)
    assert money.open == 0
    doors.payment_events(order_id)
