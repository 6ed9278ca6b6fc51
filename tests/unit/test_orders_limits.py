"""How much one customer may ask for: decided in the order's own transaction, and given back once."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from orders.commands import PlaceOrder
from orders.customers import CustomerStore
from orders.limits import Limit, LimitReached, Limits
from orders.model import PromoCode, Restaurant, order_id_for
from orders.operations import place
from orders.promo_codes import PromoCodeStore
from orders.store import ATTEMPTS, OrderStore
from tiffin import clients
from tiffin.discounts import FreeDelivery, Offer
from tiffin.money import Money
from worlds.gateway import CUSTOMER, ask, event
from worlds.logs import captured
from worlds.orders import MENU_ITEM, PROBLEM, Api, an_order, orders_world
from worlds.tiffin import THREE_HOURS, Tiffin, tiffin_world
from worlds.verdicts import places_taken

LIMITS = Limits(open_orders=2, orders=4, declines=2, refused_codes=3)
NOW = datetime(2026, 5, 4, 18, 45, tzinfo=UTC)
CODE = "WELCOME-7Q2M4KXC"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch, LIMITS) as ready:
        at(monkeypatch, ready, NOW)
        yield ready


def at(monkeypatch: pytest.MonkeyPatch, api: Api, now: datetime) -> None:
    monkeypatch.setattr(api.module, "datetime", SimpleNamespace(now=lambda _: now))


def refused(api: Api, key: str, **changes: Any) -> str:
    """Place an order that is refused, and leaves nothing."""
    before = api.rows(), table("DeliveriesTable").scan()["Items"], api.workflow.started
    status, problem = api.place(key, **changes)
    assert (status, problem["status"]) == (429, 429)
    assert before == (api.rows(), table("DeliveriesTable").scan()["Items"], api.workflow.started)
    return str(problem["type"]).removeprefix(PROBLEM)


def table(name: str) -> Any:
    return clients.table(name)


def close(order_id: str, *, gives_back: bool = True) -> None:
    """Do to the rows what the workflow does last."""
    table("OrdersTable").update_item(Key={"order_id": order_id}, UpdateExpression="REMOVE open_shard, check_at")
    if gives_back:
        CustomerStore(table("CustomersTable"), LIMITS).give_back(CUSTOMER, [order_id])


def has_declined(times: int) -> None:
    table("CustomersTable").update_item(
        Key={"customer_id": CUSTOMER, "record": "hour#2026-05-04T18"},
        UpdateExpression="SET declines = :times",
        ExpressionAttributeValues={":times": times},
    )


def give_code(code: str = CODE) -> None:
    offer = Offer(FreeDelivery(type="free_delivery"), Money(amount=0, currency="EUR"), NOW + timedelta(days=1))
    PromoCodeStore(table("PromoCodesTable")).add(PromoCode(CUSTOMER, code, offer))


class TestOpenOrders:
    def test_one_more_than_may_be_open_is_refused_until_one_ends(self, api: Api) -> None:
        first = api.place("key-1")[1]
        api.place("key-2")
        assert refused(api, "key-3") == "too-many-open-orders"
        close(first["order_id"])
        assert api.place("key-3")[0] == 201
        assert refused(api, "key-4") == "too-many-open-orders"

    def test_a_repeated_request_is_its_order_whatever_is_reached(self, api: Api) -> None:
        _, first = api.place("key-1")
        api.place("key-2")
        has_declined(9)
        assert api.place("key-1") == (200, first)

    def test_a_twin_that_was_faster_is_found_though_it_took_the_last_place(self, api: Api) -> None:
        api.place("key-1")
        customers = api.module.customers()
        request, order_id = PlaceOrder.model_validate(an_order()), order_id_for(CUSTOMER, "key-2")
        order = place(request, Restaurant.model_validate(MENU_ITEM), customer_id=CUSTOMER, order_id=order_id, now=NOW)
        beside = customers.places(CUSTOMER, order_id, NOW, with_code=False)
        store = api.module.store()
        assert store.add(order, request, "Root=1", beside).order == order
        assert store.add(order, request, "Root=1", beside).order.order_id == order_id
        assert places_taken(CUSTOMER) == {row["order_id"] for row in api.rows()}

    def test_one_customers_limit_is_not_anothers(self, api: Api) -> None:
        for key in ("key-1", "key-2"):
            api.place(key)
        assert api.place("key-1", customer_id="cust-other")[0] == 201

    def test_a_place_that_a_former_workflow_left_behind_is_taken_back(self, api: Api) -> None:
        left, stays = api.place("key-1")[1], api.place("key-2")[1]
        close(left["order_id"], gives_back=False)
        status, third = api.place("key-3")
        assert status == 201
        assert places_taken(CUSTOMER) == {stays["order_id"], third["order_id"]}
        assert refused(api, "key-4") == "too-many-open-orders"

    def test_a_place_is_given_back_once(self, api: Api) -> None:
        first, _ = api.place("key-1")[1], api.place("key-2")
        for _ in range(3):
            close(first["order_id"])
        assert api.place("key-3")[0] == 201
        assert refused(api, "key-4") == "too-many-open-orders"


class TestInAnHour:
    def test_orders_are_counted_though_they_end(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(4):
            close(api.place(f"key-{number}")[1]["order_id"])
        assert refused(api, "key-4") == "too-many-orders"
        at(monkeypatch, api, NOW + timedelta(minutes=15))
        assert api.place("key-4")[0] == 201

    def test_whoever_was_declined_too_often_places_no_more_in_that_hour(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        has_declined(1)
        assert api.place("key-1")[0] == 201
        has_declined(2)
        assert refused(api, "key-2") == "too-many-declines"
        at(monkeypatch, api, NOW + timedelta(minutes=15))
        assert api.place("key-2")[0] == 201

    def test_it_is_said_when_to_ask_again(self, api: Api) -> None:
        has_declined(2)
        request = event("POST", "/orders", headers={"Idempotency-Key": "key-1"}, body=json.dumps(an_order()))
        request["headers"]["Content-Type"] = "application/json"
        answer = ask(api.module.handler, request)
        assert (answer.status, answer.headers["retry-after"]) == (429, "900")

    def test_its_rows_are_forgotten_a_day_after_the_hour(self, api: Api) -> None:
        api.place("key-1")
        rows = table("CustomersTable").scan()["Items"]
        assert {row["record"] for row in rows} == {"open", "hour#2026-05-04T18"}
        assert {int(row["expires_at"]) for row in rows} == {int((NOW + timedelta(hours=25)).timestamp())}


class TestPromoCodes:
    def test_wrong_codes_count_and_in_the_end_a_right_one_is_refused_alike(self, api: Api) -> None:
        give_code()
        for number in range(3):
            status, problem = api.place(f"key-{number}", promo_code=f"GUESS-{number}")
            assert (status, problem["type"]) == (422, PROBLEM + "unknown-promo-code")
        assert refused(api, "key-4", promo_code="GUESS-4") == "too-many-codes"
        assert refused(api, "key-5", promo_code=CODE) == "too-many-codes"
        assert "reserved_by" not in table("PromoCodesTable").scan()["Items"][0]
        assert api.place("key-6")[0] == 201

    def test_a_guess_that_was_read_before_the_limit_was_reached_is_judged_by_the_limit(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Many guesses at once: none of them has seen another's count."""
        give_code()
        monkeypatch.setattr(CustomerStore, "must_allow", lambda *_: None)
        answers = [api.place(f"key-{n}", promo_code=f"GUESS-{n}")[1]["type"] for n in range(5)]
        assert answers == [PROBLEM + "unknown-promo-code"] * 3 + [PROBLEM + "too-many-codes"] * 2
        assert refused(api, "key-9", promo_code=CODE) == "too-many-codes"

    def test_a_limit_is_judged_before_a_code(self, api: Api) -> None:
        for key in ("key-1", "key-2"):
            api.place(key)
        assert refused(api, "key-3", promo_code="GUESS-1") == "too-many-open-orders"
        assert "refused_codes" not in table("CustomersTable").scan()["Items"][0]

    def test_a_right_code_counts_as_none(self, api: Api) -> None:
        give_code()
        assert api.place("key-1", promo_code=CODE)[0] == 201
        assert all("refused_codes" not in row for row in table("CustomersTable").scan()["Items"])


class TestAtOnce:
    """DynamoDB refuses a transaction while another one is at any of its items."""

    @pytest.mark.parametrize("room", [20, 5])
    def test_of_twenty_orders_at_once_as_many_are_placed_as_may_be(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, room: int
    ) -> None:
        busy = Busy(table("OrdersTable").meta.client)
        orders_table = table("OrdersTable")
        monkeypatch.setattr(orders_table.meta.client, "transact_write_items", busy)
        limits = Limits(open_orders=room, orders=100, declines=2, refused_codes=3)
        monkeypatch.setattr(api.module, "store", lambda: OrderStore(orders_table))
        monkeypatch.setattr(api.module, "customers", lambda: CustomerStore(table("CustomersTable"), limits))
        orders, request = api.module.orders(), PlaceOrder.model_validate(an_order())

        def attempt(number: int) -> str:
            try:
                orders.place(request, CUSTOMER, order_id_for(CUSTOMER, str(number)), NOW, "Root=1")
            except LimitReached as reached:
                return reached.limit
            return "placed"

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(attempt, range(20)))
        assert answers.count("placed") == room == len(places_taken(CUSTOMER)) == len(api.rows())
        assert set(answers) <= {"placed", Limit.OPEN_ORDERS}
        assert busy.conflicts > 0

    def test_whoever_never_comes_through_may_try_again(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        tried = []

        def conflict(**_: Any) -> None:
            tried.append(1)
            raise cancelled("None", "TransactionConflict", "None", "None")

        monkeypatch.setattr(api.module.store()._table.meta.client, "transact_write_items", conflict)
        assert refused(api, "key-1") == "too-many-at-once"
        assert len(tried) == ATTEMPTS


class TestTheirLives:
    """With the real workflows."""

    @pytest.fixture
    def world(self) -> Iterator[Tiffin]:
        with tiffin_world() as world:
            yield world

    @pytest.mark.parametrize("move", [None, "cancel"])
    def test_orders_of_before_there_were_limits_end_too(self, world: Tiffin, move: str | None) -> None:
        order_id = world.place()[1]["order_id"]
        for row in world.dynamodb.scan(TableName="CustomersTable")["Items"]:
            world.dynamodb.delete_item(
                TableName="CustomersTable", Key={name: row[name] for name in ("customer_id", "record")}
            )
        if move:
            world.move(order_id, move)
            world.report(world.lives[order_id])
        world.settle()
        [row] = world.api.rows()
        assert str(row["status"]) == ("CANCELLED" if move else "EXPIRED")
        assert "open_shard" not in row
        assert places_taken(CUSTOMER) == set()
        rows = world.dynamodb.scan(TableName="CustomersTable")["Items"]
        assert all("expires_at" in row for row in rows)

    def test_a_card_that_is_declined_counts_though_its_order_is_cancelled(self, world: Tiffin) -> None:
        """Or cards would be tried by orders that are cancelled at once."""
        _, order = world.place(payment_method="pm_card_mastercard_chargeDeclinedInsufficientFunds")
        life = world.lives[order["order_id"]]
        while life.at != "RecordDeclined":
            life.step()
        world.move(order["order_id"], "cancel")
        world.report(life)
        world.settle()
        [row] = world.api.rows()
        assert (row["status"], row["payment"]["status"]) == ("CANCELLED", "DECLINED")
        hour = table("CustomersTable").get_item(
            Key={"customer_id": CUSTOMER, "record": f"hour#{row['placed_at'][:13]}"}
        )["Item"]
        assert (hour["orders"], hour["declines"]) == (1, 1)

    def test_a_decline_is_counted_once_however_often_it_is_recorded(self, world: Tiffin) -> None:
        _, order = world.place(payment_method="pm_card_mastercard_chargeDeclinedInsufficientFunds")
        life = world.lives[order["order_id"]]
        while life.at != "RecordDeclined":
            life.step()
        life.step(answer_lost=True)
        life.step(answer_lost=True)
        world.settle()
        hour = table("CustomersTable").get_item(
            Key={"customer_id": CUSTOMER, "record": f"hour#{order['placed_at'][:13]}"}
        )["Item"]
        assert hour["declines"] == 1

    def test_three_hours_of_silence_give_the_place_back(self, world: Tiffin) -> None:
        world.place()
        world.now += THREE_HOURS
        world.settle()
        assert places_taken(CUSTOMER) == set()


def test_a_refusal_is_counted_and_said_by_limit_and_names_nobody(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    log = captured(monkeypatch)
    counted: list[str] = []
    monkeypatch.setattr(api.module.metrics, "add_metric", lambda name, *_: counted.append(name))
    has_declined(2)
    refused(api, "key-1")
    assert counted == ["LimitsReached"]
    assert [line["limit"] for line in log.lines if "limit" in line] == ["declines"]
    assert CUSTOMER not in log.text


class Busy:
    """DynamoDB with transactions that take their time, and are refused where another one is.

    Attributes:
        conflicts: how many were.
    """

    def __init__(self, client: Any) -> None:
        self._write, self._held, self._lock = client.transact_write_items, set[str](), threading.Lock()
        self.conflicts = 0

    def __call__(self, *, TransactItems: list[dict[str, Any]]) -> Any:  # noqa: N803 - boto3's
        writes = [next(iter(item.values())) for item in TransactItems]
        keys = [json.dumps([w["TableName"], w.get("Key") or w["Item"]["order_id"]]) for w in writes]
        with self._lock:
            if self._held & set(keys):
                self.conflicts += 1
                raise cancelled(*("TransactionConflict" if key in self._held else "None" for key in keys))
            self._held |= set(keys)
        try:
            threading.Event().wait(0.01)
            with self._lock:
                return self._write(TransactItems=TransactItems)
        finally:
            with self._lock:
                self._held -= set(keys)


def cancelled(*codes: str) -> ClientError:
    reasons: Any = [{"Code": code} for code in codes]
    return ClientError(
        {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons},
        "TransactWriteItems",
    )
