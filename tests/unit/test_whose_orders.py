"""What each role sees of orders: word for word what is theirs, and of everything else nothing, not that it exists."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from orders import api as orders_api
from orders import store
from tiffin import telemetry
from tiffin.events import rfc3339
from tiffin.paging import page_start, page_token
from worlds.aws import before_each_call
from worlds.gateway import Answer, ask, claims_of, courier, event, restaurant, support
from worlds.logs import captured
from worlds.orders import Api, orders_world

PERSONAL = {"address": "1 Analytical Row", "name": "Ada Lovelace", "note": "ring thrice", "card": "pm_card_visa"}
CUSTOMER = claims_of("cust-1")
STRANGERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "another customer": (claims_of("cust-2"), ["", "/cancel"]),
    "another restaurant": (restaurant("sakura"), ["", "/accept", "/reject"]),
    "another courier": (courier("2"), ["", "/dispatch", "/deliver"]),
}
STATUSES = ["PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED", "EXPIRED"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        yield ready


def placed(api: Api, key: str = "key-1", status: str = "PLACED", **changes: Any) -> str:
    """An order with everything personal in it, in a status."""
    delivery = {"name": PERSONAL["name"], "address": PERSONAL["address"]}
    order_id = str(api.place(key, delivery=delivery, note=PERSONAL["note"], **changes)[1]["order_id"])
    if status != "PLACED":
        api.put(order_id, status)
    return order_id


def becomes(api: Api, order_id: str, **attributes: Any) -> None:
    for name, value in attributes.items():
        api.table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET #n = :v",
            ExpressionAttributeNames={"#n": name},
            ExpressionAttributeValues={":v": value},
        )


def asked(method: str, path: str, claims: Mapping[str, str], query: str = "") -> Answer:
    return ask(orders_api.handler, event(method, path, query=query, claims=claims))


class TestWhatIsNotTheirs:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What AWS is asked from now on."""
        made = list[str]()

        def noted(_: str, operation: str, parameters: Mapping[str, Any]) -> None:
            made.append(" ".join((operation, *parameters.get("RequestItems", [str(parameters.get("TableName"))]))))

        before_each_call(monkeypatch, noted)
        return made

    @pytest.mark.parametrize("status", STATUSES)
    @pytest.mark.parametrize("stranger", STRANGERS)
    def test_is_as_if_it_did_not_exist(self, api: Api, calls: list[str], stranger: str, status: str) -> None:
        """The same bytes, the same headers, by the same calls; and the row stays as it was."""
        order_id = placed(api, status=status)
        becomes(api, order_id, courier_id="courier-1")
        before = api.rows()
        claims, paths = STRANGERS[stranger]
        for path in paths:
            answers, asked_for = list[Answer](), list[list[str]]()
            for one in (order_id, "ord_none"):
                calls.clear()
                answers.append(asked("POST" if path else "GET", f"/orders/{one}{path}", claims))
                asked_for.append([*calls])
            there, not_there = answers
            assert (there.status, there.problem) == (404, "unknown-order")
            assert there == not_there
            assert asked_for == [["BatchGetItem OrdersTable DeliveriesTable"]] * 2
        assert api.rows() == before

    @pytest.mark.parametrize("field", ["total", "status", "timeline", "claims"])
    def test_is_so_even_where_its_row_cannot_be_read(self, api: Api, field: str) -> None:
        order_id = placed(api)
        becomes(api, order_id, **{field: "nonsense"})
        for claims, paths in STRANGERS.values():
            for path in paths:
                method = "POST" if path else "GET"
                there = asked(method, f"/orders/{order_id}{path}", claims)
                assert there == asked(method, f"/orders/ord_none{path}", claims)

    def test_is_so_when_another_courier_was_faster(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        order_id = placed(api, status="PREPARING")
        of_orders: Any = orders_api.store()
        find = of_orders._find

        def finding(order_id: str) -> Any:
            monkeypatch.setattr(of_orders, "_find", find)
            found = find(order_id)
            assert asked("POST", f"/orders/{order_id}/dispatch", courier("1")).status == 202
            return found

        monkeypatch.setattr(of_orders, "_find", finding)
        late = asked("POST", f"/orders/{order_id}/dispatch", courier("2"))
        assert late == asked("POST", "/orders/ord_none/dispatch", courier("2"))
        assert api.rows()[0]["courier_id"] == "courier-1"
        assert len(api.workflow.callbacks) == 1

    def test_a_claim_tells_the_workflow_nothing_of_who_made_it(self, api: Api) -> None:
        order_id = placed(api, status="PREPARING")
        assert asked("POST", f"/orders/{order_id}/dispatch", courier("1")).status == 202
        [(_, told)] = api.workflow.callbacks
        assert told.keys() == {"order_id", "move", "at"}


LINE = {
    "dish_id": "margherita",
    "name": "Pizza Margherita",
    "quantity": 2,
    "unit_price": {"amount": 950, "currency": "EUR"},
    "price": {"amount": 1900, "currency": "EUR"},
}


class TestViews:
    def order(self, api: Api, status: str) -> dict[str, Any]:
        """The row, and what is the same in all views."""
        order_id = placed(api, status=status)
        becomes(api, order_id, courier_id="courier-1", updated_at="2026-05-04T18:31:00.000Z")
        [row] = api.rows()
        return row

    def seen(self, row: Mapping[str, Any], claims: Mapping[str, str]) -> Any:
        answer = asked("GET", f"/orders/{row['order_id']}", claims)
        assert answer.status == 200
        return answer.body

    def moments(self, row: Mapping[str, Any]) -> dict[str, str]:
        plain = {name: row[name] for name in ("placed_at", "updated_at", "deadline_at")}
        return {name: json_moment(moment) for name, moment in plain.items()}

    def test_a_restaurant_sees_what_to_cook(self, api: Api) -> None:
        row = self.order(api, "PREPARING")
        assert self.seen(row, restaurant()) == {
            "order_id": row["order_id"],
            "restaurant_id": "bella",
            "status": "PREPARING",
            "reason": None,
            "lines": [LINE],
            "subtotal": {"amount": 1900, "currency": "EUR"},
            "note": PERSONAL["note"],
            **self.moments(row),
            "timeline": [
                {"status": status, "at": json_moment(row["timeline"][status])} for status in ("PLACED", "PREPARING")
            ],
            "pending_move": None,
        }

    @pytest.mark.parametrize(
        ("status", "courier_id", "address"),
        [
            ("PREPARING", "courier-1", False),
            ("PREPARING", None, False),
            ("OUT_FOR_DELIVERY", "courier-1", True),
            # Left before couriers were recorded: whoever has it must know where to.
            ("OUT_FOR_DELIVERY", None, True),
            ("DELIVERED", "courier-1", False),
            ("EXPIRED", "courier-1", False),
        ],
    )
    def test_a_courier_sees_the_address_while_on_the_road(
        self, api: Api, status: str, courier_id: str | None, address: bool
    ) -> None:
        row = self.order(api, status)
        if courier_id is None:
            api.table.update_item(Key={"order_id": row["order_id"]}, UpdateExpression="REMOVE courier_id")
        where = {"name": PERSONAL["name"], "address": PERSONAL["address"]}
        assert self.seen(row, courier("1")) == {
            "order_id": row["order_id"],
            "restaurant_id": "bella",
            "restaurant_name": "Bella",
            "status": status,
            "item_count": 2,
            "delivery": where if address else None,
            **self.moments(row),
            "pending_move": None,
        }

    def test_support_sees_all_that_the_customer_does_and_who_did_what(self, api: Api) -> None:
        row = self.order(api, "OUT_FOR_DELIVERY")
        claim = {"move": "dispatch", "at": "2026-05-04T18:31:00.000Z", "by": "courier-1"}
        former = {"move": "accept", "at": "2026-05-04T18:30:00.000Z"}
        senseless = {"move": "eat", "at": "soon"}
        becomes(api, row["order_id"], claims={"PREPARING": claim, "AWAITING_RESTAURANT": former, "PLACED": senseless})
        customer, seen = self.seen(row, CUSTOMER), self.seen(row, support())
        assert seen == customer | {
            "courier_id": "courier-1",
            "claims": {
                "PREPARING": claim | {"at": "2026-05-04T18:31:00Z", "reason": None},
                "AWAITING_RESTAURANT": former | {"at": "2026-05-04T18:30:00Z", "by": None, "reason": None},
            },
        }
        assert (customer["delivery"]["address"], customer["note"]) == (PERSONAL["address"], PERSONAL["note"])
        assert customer["payment_method"] == PERSONAL["card"]

    @pytest.mark.parametrize(
        ("claims", "may_know"),
        [
            (CUSTOMER, {"address", "name", "note", "card"}),
            (restaurant(), {"note"}),
            (courier("1"), set()),
            (support(), {"address", "name", "note", "card"}),
        ],
        ids=["customer", "restaurant", "courier", "support"],
    )
    def test_nobody_is_told_more_than_their_view(self, api: Api, claims: dict[str, str], may_know: set[str]) -> None:
        on_the_road = {"address", "name"} if claims == courier("1") else set()
        for number, status in enumerate(STATUSES):
            order_id = placed(api, f"key-{number}", status)
            becomes(api, order_id, courier_id="courier-1")
            text = asked("GET", f"/orders/{order_id}", claims).text
            known = {what for what, said in PERSONAL.items() if said in text}
            assert known == may_know | (on_the_road if status == "OUT_FOR_DELIVERY" else set()), status
            whose = {who for who in ("cust-1", "courier-1") if who in text}
            assert whose == {"customer": {"cust-1"}, "support": {"cust-1", "courier-1"}}.get(
                claims["cognito:groups"], set()
            )

    @pytest.mark.parametrize(
        ("status", "move", "claims", "may_know"),
        [
            ("AWAITING_RESTAURANT", "accept", restaurant(), {"note"}),
            ("AWAITING_RESTAURANT", "reject", restaurant(), {"note"}),
            ("PREPARING", "dispatch", courier("1"), set()),
            ("OUT_FOR_DELIVERY", "deliver", courier("1"), {"address", "name"}),
            ("PLACED", "cancel", CUSTOMER, {"address", "name", "note", "card"}),
        ],
    )
    def test_a_move_is_answered_by_the_view_of_whose_it_is(
        self, api: Api, status: str, move: str, claims: dict[str, str], may_know: set[str]
    ) -> None:
        answer = asked("POST", f"/orders/{placed(api, status=status)}/{move}", claims)
        assert (answer.status, answer.body["pending_move"]) == (202, move)
        assert {what for what, said in PERSONAL.items() if said in answer.text} == may_know

    def test_why_a_card_was_declined_is_not_the_restaurants_business(self, api: Api) -> None:
        order_id = placed(api, status="DECLINED")
        reason = {"code": "stolen_card", "message": "Declined.", "network": "visa", "summary": "visa: stolen_card"}
        becomes(api, order_id, reason=reason)
        assert self.seen({"order_id": order_id}, CUSTOMER)["reason"] == reason
        assert self.seen({"order_id": order_id}, restaurant())["reason"] is None
        api.put(order_id, "FAILED")
        assert self.seen({"order_id": order_id}, restaurant())["reason"] == reason


def json_moment(moment: str) -> str:
    """A stored moment, as an answer has it."""
    return moment.replace(".000Z", "Z") if moment.endswith(".000Z") else moment.replace("Z", "000Z")


class TestSupportIsWatched:
    def test_each_reading_is_logged_with_who_read_and_counted(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        order_id = placed(api)
        counted = list[str]()
        monkeypatch.setattr(telemetry.metrics, "add_metric", lambda name, *_: counted.append(name))
        logs = captured(monkeypatch)
        for path in (f"/orders/{order_id}", "/support/orders"):
            assert asked("GET", path, support()).status == 200
        assert asked("GET", "/orders/ord_none", support()).status == 404
        read = [line for line in logs.lines if line["message"] == "Read by support"]
        assert [line["by"] for line in read] == ["support-1"] * 2
        assert (read[0]["order_id"], read[1]["orders"]) == (order_id, "all open ones")
        assert counted.count("SupportReads") == 2

    def test_whose_orders_were_listed_is_told_by_a_hash_alone(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        placed(api)
        counted = list[str]()
        monkeypatch.setattr(telemetry.metrics, "add_metric", lambda name, *_: counted.append(name))
        logs = captured(monkeypatch)
        assert asked("GET", "/support/orders", support(), "customer=cust-1").status == 200
        [read] = [line for line in logs.lines if line["message"] == "Read by support"]
        assert (read["by"], read["orders"]) == ("support-1", "all")
        assert read["customer_hash"] == telemetry.customer_hash("cust-1")
        assert "cust-1" not in logs.stream.getvalue()
        assert counted.count("SupportReads") == 1

    def test_nobody_else_is(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        order_id = placed(api, status="PREPARING")
        logs = captured(monkeypatch)
        for claims in (CUSTOMER, restaurant(), courier("1")):
            asked("GET", f"/orders/{order_id}", claims)
        assert "Read by support" not in logs.stream.getvalue()


class TestLists:
    def ids(self, path: str, claims: Mapping[str, str], query: str = "") -> list[str]:
        answer = asked("GET", path, claims, query)
        assert answer.status == 200, answer.text
        assert [what for what, said in PERSONAL.items() if said in answer.text] == []
        return [order["order_id"] for order in answer.body["orders"]]

    def orders(self, api: Api, *statuses: str, restaurant_id: str = "bella", couriers: str = "") -> list[str]:
        """One in each status, each a second younger than the one before."""
        now, found = datetime.now(UTC), list[str]()
        for number, status in enumerate(statuses):
            order_id = placed(api, f"{restaurant_id}-{couriers}-{number}", status)
            at = rfc3339(now - timedelta(minutes=len(statuses) - number))
            becomes(api, order_id, placed_at=at, restaurant_id=restaurant_id)
            if couriers:
                becomes(api, order_id, courier_id=couriers)
            found.append(order_id)
        return found

    def test_a_restaurant_lists_its_open_orders_the_oldest_first(self, api: Api) -> None:
        mine = self.orders(api, *STATUSES)
        self.orders(api, *STATUSES, restaurant_id="sakura")
        assert self.ids("/kitchen/orders", restaurant()) == mine[1:4]

    def test_a_courier_lists_what_nobody_has_taken_and_what_is_on_the_road_with_them(self, api: Api) -> None:
        free = self.orders(api, *STATUSES)
        mine, theirs = (self.orders(api, *STATUSES, couriers=f"courier-{n}") for n in (1, 2))
        assert self.ids("/courier/orders", courier("1")) == [free[2]]
        assert self.ids("/courier/orders", courier("1"), "which=ready") == [free[2]]
        assert self.ids("/courier/orders", courier("1"), "which=mine") == [mine[3]]
        assert self.ids("/courier/orders", courier("2"), "which=mine") == [theirs[3]]

    def test_support_lists_what_is_open_and_each_status(self, api: Api) -> None:
        found = self.orders(api, *STATUSES, "EXPIRED")
        assert self.ids("/support/orders", support()) == found[:4]
        assert self.ids("/support/orders", support(), "limit=2") == found[:2]
        assert self.ids("/support/orders", support(), "status=PREPARING") == [found[2]]
        # Ended ones the newest first.
        assert self.ids("/support/orders", support(), "status=EXPIRED") == [found[6], found[5]]

    @pytest.mark.parametrize(
        ("statuses", "limit", "cut"),
        [
            (("PREPARING", "PREPARING", "EXPIRED"), 2, False),
            (("PREPARING", "PREPARING", "PREPARING"), 2, True),
            (("PREPARING", "OUT_FOR_DELIVERY", "PLACED"), 2, True),
            (("PREPARING", "OUT_FOR_DELIVERY", "EXPIRED"), 2, False),
        ],
        ids=["as many as fit", "more of one status", "more of several", "as many as fit of several"],
    )
    def test_support_learns_that_more_are_open_than_are_listed(
        self, api: Api, statuses: tuple[str, ...], limit: int, cut: bool
    ) -> None:
        found = self.orders(api, *statuses)
        page = asked("GET", "/support/orders", support(), f"limit={limit}").body
        assert ([order["order_id"] for order in page["orders"]], page["cut"]) == (found[:limit], cut)
        assert asked("GET", "/support/orders", support(), "limit=100").body["cut"] is False

    def test_support_lists_a_customer_s_orders_the_newest_first(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.orders(api, *STATUSES, "EXPIRED", couriers="courier-1")
        [other] = [placed(api, "theirs", customer_id="cust-2")]
        assert self.ids("/support/orders", support(), "customer=cust-1") == found[::-1]
        assert self.ids("/support/orders", support(), "customer=cust-2") == [other]
        assert self.ids("/support/orders", support(), "customer=nobody") == []
        assert self.ids("/support/orders", support(), "customer=cust-1&status=EXPIRED") == [found[6], found[5]]
        # Its index is there before that of statuses is.
        monkeypatch.setenv("ORDER_INDEXES", "1")
        answer = asked("GET", "/support/orders", support(), "customer=cust-2")
        assert answer.body["orders"][0].keys() == {
            *("order_id", "restaurant_id", "restaurant_name", "courier_id"),
            *("status", "placed_at", "updated_at", "deadline_at"),
        }

    @pytest.mark.parametrize("customer", ["", "a b", "-x", "x" * 65, "%00"])
    def test_what_is_no_customer_s_id_is_refused(self, api: Api, customer: str) -> None:
        answer = asked("GET", "/support/orders", support(), f"customer={customer}")
        assert (answer.status, answer.problem) == (422, "invalid-request")

    def test_what_should_have_ended_long_ago_is_in_supports_list_alone(self, api: Api) -> None:
        ready, out = self.orders(api, "PREPARING", "OUT_FOR_DELIVERY")
        for order_id in (ready, out):
            becomes(api, order_id, placed_at=rfc3339(datetime.now(UTC) - timedelta(hours=3, minutes=4)))
        becomes(api, out, courier_id="courier-1")
        assert self.ids("/kitchen/orders", restaurant()) == []
        assert (
            self.ids("/courier/orders", courier("1")) == self.ids("/courier/orders", courier("1"), "which=mine") == []
        )
        assert set(self.ids("/support/orders", support())) == {ready, out}

    @pytest.mark.parametrize(
        ("path", "claims", "query"),
        [
            ("/kitchen/orders", restaurant(), ""),
            ("/courier/orders", courier("1"), "which=ready&"),
            ("/courier/orders", courier("1"), "which=mine&"),
            ("/support/orders", support(), "status=PREPARING&"),
            ("/support/orders", support(), "status=OUT_FOR_DELIVERY&"),
            ("/support/orders", support(), "customer=cust-1&"),
            ("/support/orders", support(), "customer=cust-1&status=PREPARING&"),
            ("/orders", CUSTOMER, ""),
        ],
    )
    def test_a_list_is_whole_page_by_page_and_its_tokens_name_only_what_is_in_it(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, path: str, claims: dict[str, str], query: str
    ) -> None:
        # So few at once that the wanted ones lie between others, and behind them.
        monkeypatch.setattr(store, "AT_ONCE", 2)
        for couriers in ("", "courier-1", "courier-2"):
            self.orders(api, "DELIVERED", "PREPARING", "OUT_FOR_DELIVERY", "PREPARING", "OUT_FOR_DELIVERY",
                        restaurant_id="bella" if couriers != "courier-2" else "sakura", couriers=couriers)  # fmt: skip
        whole = self.ids(path, claims, f"{query}limit=100")
        assert len(whole) > 1
        for limit in (1, 2, 3):
            found, token, pages = list[str](), "", 0
            while token is not None:
                page = asked("GET", path, claims, f"{query}limit={limit}" + (f"&next={token}" if token else "")).body
                found += [order["order_id"] for order in page["orders"]]
                token, pages = page["next"], pages + 1
                if token:
                    assert len(page["orders"]) == limit
                    position = page_start(token, position_of(path, query))
                    assert position is not None
                    assert position["order_id"] == found[-1]
            assert (found, pages) == (whole, pages)

    @pytest.mark.parametrize(
        ("path", "claims", "query", "of"),
        [
            ("/kitchen/orders", restaurant("sakura"), "", {"restaurant_id": "bella"}),
            ("/orders", claims_of("cust-2"), "", {"customer_id": "cust-1"}),
            ("/courier/orders", courier("1"), "which=mine&", {"status": "PREPARING"}),
            ("/courier/orders", courier("1"), "which=ready&", {"status": "DELIVERED"}),
            ("/support/orders", support(), "status=PLACED&", {"status": "PREPARING"}),
            ("/support/orders", support(), "", {"status": "PREPARING"}),
            ("/support/orders", support(), "customer=cust-2&", {"customer_id": "cust-1"}),
            ("/support/orders", support(), "customer=cust-1&", {"status": "PREPARING"}),
        ],
    )
    def test_a_token_of_another_list_is_none(
        self, api: Api, path: str, claims: dict[str, str], query: str, of: dict[str, str]
    ) -> None:
        position = of | {"placed_at": "2026-05-04T18:30:00.000Z", "order_id": "ord_" + "a" * 26}
        answer = asked("GET", path, claims, f"{query}next={page_token(position)}")
        assert (answer.status, answer.problem) == (422, "invalid-page-token")

    def test_a_row_that_cannot_be_read_hides_no_other(self, api: Api) -> None:
        broken, fine = self.orders(api, "PREPARING", "PREPARING")
        becomes(api, broken, deadline_at="soon")
        for path, claims in (
            ("/kitchen/orders", restaurant()),
            ("/courier/orders", courier("1")),
            ("/support/orders", support()),
            ("/orders", CUSTOMER),
        ):
            page = asked("GET", path, claims).body
            assert [order["order_id"] for order in page["orders"]] == [fine]
            assert page["unreadable"] == 1

    @pytest.mark.parametrize(
        ("step", "made"),
        [("1", set()), ("2", set()), ("3", {"/kitchen/orders"}),
         ("4", {"/kitchen/orders", "/courier/orders", "/support/orders"})],
    )  # fmt: skip
    def test_a_list_whose_index_is_not_made_yet_says_so(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, step: str, made: set[str]
    ) -> None:
        monkeypatch.setenv("ORDER_INDEXES", step)
        for path, claims in {
            "/kitchen/orders": restaurant(),
            "/courier/orders": courier("1"),
            "/support/orders": support(),
        }.items():
            answer = asked("GET", path, claims)
            expected = (200, "") if path in made else (503, "list-not-made-yet")
            assert (answer.status, answer.problem) == expected
        assert asked("GET", "/orders", CUSTOMER).status == 200


def position_of(path: str, query: str) -> Mapping[str, str]:
    if "customer=" in query:
        return store.OrderStore.OF_CUSTOMER
    kinds = {"/orders": store.OrderStore.OF_CUSTOMER, "/kitchen/orders": store.OrderStore.OF_RESTAURANT}
    return kinds.get(path, store.OrderStore.BY_STATUS)
