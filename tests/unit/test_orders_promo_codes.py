"""Promo codes in the order context: learnt from events, reserved with the order, one order each."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from contracts.schemas import EVENTS, current, example
from orders import consumer
from orders.commands import PlaceOrder
from orders.limits import Limit, LimitReached
from orders.model import PERSONAL, PromoCodeAlreadyUsed, Restaurant, UnknownPromoCode, order_id_for
from orders.operations import place
from orders.promo_codes import PromoCodeStore
from orders.writes import Beside
from tiffin import clients
from tiffin.events import rfc3339
from worlds.feed import batch, dead_letter_queue
from worlds.orders import MENU_ITEM, PROBLEM, Api, an_order, orders_world
from worlds.runtime import context
from worlds.templates import resources

ANNA, BORIS = "cust-anna", "cust-boris"
CODE = "WELCOME-7Q2M4KXC"
NOW = datetime.now(UTC)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API and the consumer over one set of tables."""
    with orders_world(monkeypatch) as ready:
        dead_letter_queue(monkeypatch)
        consumer.promo_codes.cache_clear()
        yield ready
    consumer.promo_codes.cache_clear()


def issued(code: str = CODE, customer: str = ANNA, *, days: float = 30, **data: Any) -> dict[str, Any]:
    """20 % of at most 5 EUR, from 15 EUR on."""
    event = example("PromoCodeIssued")
    order_id = event["detail"]["metadata"]["order_id"]
    event["detail"]["metadata"]["event_id"] = f"{order_id}:PromoCodeIssued:{code}"
    event["detail"]["data"] |= {
        "customer_id": customer,
        "code": code,
        "discount": {"type": "percentage", "percent": 20, "cap": {"amount": 500, "currency": "EUR"}},
        "minimum_order": {"amount": 1500, "currency": "EUR"},
        "expires_at": rfc3339(NOW + timedelta(days=days)),
        **data,
    }
    return event


def restored(order_id: str, code: str = CODE, customer: str = ANNA) -> dict[str, Any]:
    event = example("PromoCodeRestored")
    event["detail"]["metadata"] |= {"order_id": order_id, "event_id": f"{order_id}:PromoCodeRestored:{code}"}
    event["detail"]["data"] |= {"customer_id": customer, "code": code}
    return event


def hear(*events: dict[str, Any]) -> None:
    assert consumer.handler(batch(*events), context()) == {"batchItemFailures": []}


def spend(world: Api, key: str, code: str | None = CODE, customer: str = ANNA, **changes: Any) -> tuple[int, Any]:
    return world.place(key, customer_id=customer, promo_code=code, **changes)


def codes() -> list[dict[str, Any]]:
    return clients.table("PromoCodesTable").scan()["Items"]


def holder(code: str = CODE, customer: str = ANNA) -> str | None:
    return PromoCodeStore(clients.table("PromoCodesTable")).get(customer, code).reserved_by


class TestSpending:
    def test_the_discount_is_taken_off_and_the_code_is_the_orders(self, world: Api) -> None:
        hear(issued())
        status, order = spend(world, "key-1")
        assert status == 201
        assert order["promo_code"] == CODE
        assert (order["subtotal"]["amount"], order["discount"]["amount"], order["total"]["amount"]) == (1900, 380, 1770)
        assert holder() == order["order_id"]
        assert world.workflow.inputs[order["order_id"]]["promo_code"] == CODE
        assert world.workflow.inputs[order["order_id"]]["discount"] == {"amount": 380, "currency": "EUR"}

    def test_an_order_without_a_code_pays_the_full_price(self, world: Api) -> None:
        hear(issued())
        assert world.place("key-1", customer_id=ANNA)[1]["discount"]["amount"] == 0
        assert holder() is None

    def test_a_repeated_request_is_the_same_order_though_its_code_is_taken(self, world: Api) -> None:
        hear(issued())
        _, first = spend(world, "key-1")
        assert spend(world, "key-1") == (200, first)

    def test_a_second_order_is_refused_and_the_first_keeps_the_code(self, world: Api) -> None:
        hear(issued())
        _, first = spend(world, "key-1")
        status, problem = spend(world, "key-2")
        assert (status, problem["type"]) == (409, PROBLEM + "promo-code-already-used")
        assert [row["order_id"] for row in world.rows()] == [first["order_id"]]
        assert holder() == first["order_id"]

    @pytest.mark.parametrize(
        ("event", "status", "slug"),
        [
            (issued("OTHER-12345678"), 422, "unknown-promo-code"),
            (issued(customer=BORIS), 422, "unknown-promo-code"),
            (issued(days=-0.001), 422, "promo-code-expired"),
            (issued(minimum_order={"amount": 1901, "currency": "EUR"}), 422, "promo-code-minimum-not-met"),
            (issued(minimum_order={"amount": 1500, "currency": "CHF"}), 422, "promo-code-minimum-not-met"),
        ],
        ids=["unknown", "of-another-customer", "expired", "minimum", "currency"],
    )
    def test_an_unusable_code_is_refused(self, world: Api, event: Any, status: int, slug: str) -> None:
        hear(event)
        before = codes()
        got, problem = spend(world, "key-1")
        assert (got, problem["type"]) == (status, PROBLEM + slug)
        assert world.rows() == []
        assert codes() == before

    def test_anothers_code_is_answered_like_an_unknown_one(self, world: Api) -> None:
        nothing = spend(world, "key-1")
        hear(issued(customer=BORIS))
        spend(world, "key-2", customer=BORIS)  # also if it is taken
        assert spend(world, "key-3") == nothing

    def test_two_customers_may_each_have_a_code_of_the_same_text(self, world: Api) -> None:
        hear(issued(), issued(customer=BORIS))
        assert spend(world, "key-1")[0] == spend(world, "key-1", customer=BORIS)[0] == 201


class TestRaces:
    """Both have read the code as free; the table decides."""

    def ready(self, key: str) -> tuple[Any, PlaceOrder, list[Beside]]:
        request = PlaceOrder.model_validate(an_order() | {"promo_code": CODE})
        store = PromoCodeStore(clients.table("PromoCodesTable"))
        code = store.get(ANNA, CODE)
        order_id = order_id_for(ANNA, key)
        order = place(
            request,
            Restaurant.model_validate(MENU_ITEM),
            customer_id=ANNA,
            order_id=order_id,
            now=datetime.now(UTC),
            promo_code=code,
        )
        return order, request, [store.reservation(code.customer_id, code.code, order_id)]

    def test_of_two_orders_for_one_code_one_wins(self, world: Api) -> None:
        hear(issued())
        (one, request, reserves), (other, _, too) = self.ready("key-1"), self.ready("key-2")
        store = world.module.store()
        store.add(one, request, "Root=1", reserves)
        with pytest.raises(PromoCodeAlreadyUsed):
            store.add(other, request, "Root=1", too)
        assert [row["order_id"] for row in world.rows()] == [one.order_id]
        assert holder() == one.order_id

    def test_twins_of_one_request_are_one_order(self, world: Api) -> None:
        hear(issued())
        (order, request, reserves), (twin, _, too) = self.ready("key-1"), self.ready("key-1")
        first = world.module.store().add(order, request, "Root=1", reserves)
        second = world.module.store().add(twin, request, "Root=1", too)
        assert second.order == first.order.model_copy(update=dict.fromkeys(PERSONAL))
        assert len(world.rows()) == 1

    def test_a_conflict_with_another_transaction_is_tried_again(
        self, world: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hear(issued())
        order, request, reserves = self.ready("key-1")
        client = world.module.store()._table.meta.client
        write, asked = client.transact_write_items, []

        def busy(**call: Any) -> Any:
            asked.append(call)
            if len(asked) < 3:
                raise cancelled("None", "TransactionConflict")
            return write(**call)

        monkeypatch.setattr(client, "transact_write_items", busy)
        world.module.store().add(order, request, "Root=1", reserves)
        assert holder() == order.order_id
        assert len(asked) == 3

    def test_endless_contention_is_told_to_whoever_makes_it(self, world: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        hear(issued())
        order, request, reserves = self.ready("key-1")

        def busy(**call: Any) -> Any:
            raise cancelled("None", "TransactionConflict")

        monkeypatch.setattr(world.module.store()._table.meta.client, "transact_write_items", busy)
        with pytest.raises(LimitReached) as refused:
            world.module.store().add(order, request, "Root=1", reserves)
        assert (refused.value.limit, refused.value.retry_after) == (Limit.AT_ONCE, 1)
        assert world.rows() == []


def cancelled(*codes: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": [{"Code": code} for code in codes],
        },
        "TransactWriteItems",
    )


class TestConsumer:
    def test_a_code_of_an_order_that_died_can_be_spent_again(self, world: Api) -> None:
        hear(issued())
        _, order = spend(world, "key-1")
        hear(restored(order["order_id"]))
        assert holder() is None
        assert spend(world, "key-2")[0] == 201

    def test_repeated_events_have_one_effect(self, world: Api) -> None:
        hear(issued(), issued())
        _, order = spend(world, "key-1")
        before = codes()
        hear(issued(), issued())
        assert codes() == before
        hear(restored(order["order_id"]), restored(order["order_id"]))
        assert holder() is None

    def test_of_two_announcements_the_earlier_expiry_counts_whichever_comes_first(self, world: Api) -> None:
        hear(issued("LATE-FIRST", days=30), issued("LATE-FIRST", days=20))
        hear(issued("EARLY-FIRST", days=20), issued("EARLY-FIRST", days=30))
        early = rfc3339(NOW + timedelta(days=20))
        assert {row["code"]: row["valid_until"] for row in codes()} == {"LATE-FIRST": early, "EARLY-FIRST": early}

    def test_an_earlier_expiry_leaves_the_reservation(self, world: Api) -> None:
        hear(issued())
        _, order = spend(world, "key-1")
        hear(issued(days=-1))
        assert holder() == order["order_id"]
        hear(restored(order["order_id"]))
        assert spend(world, "key-2")[1]["type"].endswith("promo-code-expired")

    def test_a_late_restoring_leaves_the_code_with_the_next_order(self, world: Api) -> None:
        hear(issued())
        _, first = spend(world, "key-1")
        hear(restored(first["order_id"]))
        _, second = spend(world, "key-2")
        hear(restored(first["order_id"]))
        assert holder() == second["order_id"]

    def test_a_restoring_that_comes_before_its_code_is_ignored(self, world: Api) -> None:
        hear(restored("ord_" + "a" * 26))
        assert codes() == []
        with pytest.raises(UnknownPromoCode):
            holder()

    @pytest.mark.parametrize(
        ("reason", "discount"),
        [
            ("welcome_back", {"type": "percentage", "percent": 7, "cap": {"amount": 500, "currency": "EUR"}}),
            ("apology", {"type": "fixed", "amount": {"amount": 500, "currency": "EUR"}}),
            ("free_delivery", {"type": "free_delivery"}),
        ],
    )
    def test_every_discount_of_the_contract_comes_through(
        self, world: Api, reason: str, discount: dict[str, Any]
    ) -> None:
        hear(issued(reason=reason, discount=discount))
        off = {"percentage": 133, "fixed": 500, "free_delivery": 250}[discount["type"]]
        assert spend(world, "key-1")[1]["discount"]["amount"] == off

    def test_a_code_is_forgotten_long_after_it_expired(self, world: Api) -> None:
        hear(issued())
        [row] = codes()
        assert datetime.fromtimestamp(int(row["expires_at"]), UTC) >= NOW + timedelta(days=30 + 89)
        assert resources("orders")["PromoCodesTable"]["Properties"]["TimeToLiveSpecification"]["Enabled"]


def test_the_rule_lets_through_exactly_what_the_consumer_reads() -> None:
    pattern = resources("orders")["PromoCodesRule"]["Properties"]["EventPattern"]
    assert sorted(pattern["detail-type"]) == sorted(consumer.consumer.names)
    assert {current().source(name) for name in consumer.consumer.names} == set(pattern["source"])


def test_the_queue_waits_six_times_as_long_as_the_function_may_run() -> None:
    """Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping"."""
    queue = resources("orders")["PromoCodesQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * resources("orders")["ConsumerFunction"]["Properties"]["Timeout"]


SAMPLES = sorted((EVENTS / "invocations").glob("OrdersConsumerFunction-*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_sample_invocations_are_taken(world: Api, path: Any) -> None:
    sample = json.loads(path.read_text())
    assert consumer.handler(sample, context()) == {"batchItemFailures": []}
    assert [code["code"] for code in codes()] == [
        json.loads(record["body"])["detail"]["data"]["code"]
        for record in sample["Records"]
        if "PromoCodeIssued" in record["body"]
    ]


def test_there_are_sample_invocations() -> None:
    assert len(SAMPLES) >= 2
