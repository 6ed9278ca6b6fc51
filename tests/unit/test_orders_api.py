"""The orders API over a real table: every refusal is a typed problem and leaves everything as it was."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from tiffin import clients
from worlds.orders import MENU_ITEM, PROBLEM, Api, an_order, orders_world


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        yield ready


class TestPlacing:
    def test_an_order_is_priced_written_and_its_workflow_started(self, api: Api) -> None:
        status, order = api.place()
        assert status == 201
        assert order["status"] == "PLACED"
        assert order["total"] == {"amount": 2150, "currency": "EUR"}
        [row] = api.rows()
        assert row["order_id"] == order["order_id"]
        assert row["total"] == {"amount": 2150, "currency": "EUR"}
        assert api.workflow.inputs[order["order_id"]]["total"] == {"amount": 2150, "currency": "EUR"}

    def test_a_repeated_request_is_the_same_order(self, api: Api) -> None:
        _, first = api.place()
        status, second = api.place()
        assert status == 200
        assert second == first
        assert len(api.rows()) == 1

    def test_the_same_key_with_another_body_is_refused(self, api: Api) -> None:
        _, first = api.place()
        before = api.rows()
        status, problem = api.place(note="something else")
        assert (status, problem["type"]) == (409, PROBLEM + "idempotency-key-reused")
        assert api.rows() == before
        assert api.workflow.started == [first["order_id"]]

    def test_the_same_body_under_another_key_is_another_order(self, api: Api) -> None:
        api.place("key-1")
        api.place("key-2")
        assert len(api.rows()) == 2

    def test_a_repeat_finds_its_order_though_the_dish_has_left_the_menu(self, api: Api) -> None:
        _, first = api.place()
        clients.table("MenusTable").put_item(Item=MENU_ITEM | {"dishes": []})
        assert api.place() == (200, first)

    def test_the_order_stands_when_the_start_of_its_workflow_fails(self, api: Api) -> None:
        api.workflow.down = True
        status, order = api.place()
        assert status == 201
        assert [row["status"] for row in api.rows()] == ["PLACED"]
        assert order["order_id"] not in api.workflow
        # The row says when the reconciler should look.
        assert api.rows()[0]["check_at"] > api.rows()[0]["placed_at"]

    def test_a_note_in_any_language_survives(self, api: Api) -> None:
        note = "ohne Zwiebeln 🧅🚫 谢谢"
        _, order = api.place(note=note)
        assert api.call("GET", f"/orders/{order['order_id']}")[1]["note"] == note


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "status", "slug"),
        [
            ({"lines": [{"dish_id": "sushi", "quantity": 1}]}, 422, "unknown-dish"),
            ({"restaurant_id": "nowhere"}, 422, "unknown-restaurant"),
            ({"lines": []}, 422, "invalid-request"),
            ({"lines": [{"dish_id": "margherita", "quantity": 0}]}, 422, "invalid-request"),
            ({"lines": [{"dish_id": "margherita", "quantity": 10_000}]}, 422, "invalid-request"),
            ({"lines": [{"dish_id": "margherita", "quantity": 1}] * 200}, 422, "invalid-request"),
            ({"lines": [{"dish_id": "margherita", "quantity": 1, "price": -100}]}, 422, "invalid-request"),
            ({"lines": [{"dish_id": "margherita", "quantity": 1, "price": 0.01}]}, 422, "invalid-request"),
            ({"total": {"amount": 1, "currency": "EUR"}}, 422, "invalid-request"),
        ],
    )
    def test_a_senseless_order_is_refused(self, api: Api, changes: dict[str, Any], status: int, slug: str) -> None:
        got, problem = api.place(**changes)
        assert (got, problem["type"], problem["status"]) == (status, PROBLEM + slug, status)
        assert api.rows() == []
        assert not api.workflow.started

    @pytest.mark.parametrize(
        ("raw", "headers", "status", "slug"),
        [
            ("{", {}, 400, "malformed-json"),
            ('{"a": NaN}', {}, 400, "malformed-json"),
            ('"\\ud800"', {}, 400, "malformed-json"),
            ("[" * 30_000, {}, 400, "malformed-json"),
            ("[]", {}, 422, "invalid-request"),
            ("null", {}, 422, "invalid-request"),
            ("x=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"),
            ("{}", {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
            (json.dumps({"note": "é" * 40_000}), {}, 413, "body-too-large"),
        ],
    )
    def test_a_malformed_body_is_refused(
        self, api: Api, raw: str, headers: dict[str, str], status: int, slug: str
    ) -> None:
        got, problem = api.call("POST", "/orders", raw=raw, headers={"Idempotency-Key": "k"} | headers)
        assert (got, problem["type"]) == (status, PROBLEM + slug)
        assert api.rows() == []

    @pytest.mark.parametrize("key", [None, "", "k" * 129, "über", "a b"])
    def test_a_missing_or_malformed_idempotency_key_is_refused(self, api: Api, key: str | None) -> None:
        headers = {} if key is None else {"Idempotency-Key": key}
        status, problem = api.call("POST", "/orders", an_order(), headers)
        assert (status, problem["type"]) == (422, PROBLEM + "invalid-request")
        assert api.rows() == []

    def test_a_problem_says_the_place_and_keeps_the_value_to_itself(self, api: Api) -> None:
        _, problem = api.place(delivery={"name": "Ada\x07", "address": "1 Analytical Row"})
        assert "Ada" not in json.dumps(problem)
        assert problem["errors"][0]["pointer"] == "/body/delivery/name"

    @pytest.mark.parametrize("path", ["/orders/ord_none", "/orders/ord_none/accept"])
    def test_an_unknown_order_is_answered_404(self, api: Api, path: str) -> None:
        status, problem = api.call("POST" if path.endswith("accept") else "GET", path)
        assert (status, problem["type"]) == (404, PROBLEM + "unknown-order")

    def test_an_unknown_path_is_answered_404(self, api: Api) -> None:
        status, problem = api.call("GET", "/nothing/here")
        assert (status, problem["type"]) == (404, PROBLEM + "no-such-resource")


class TestMoves:
    def test_accepting_claims_the_move_and_tells_the_workflow(self, api: Api) -> None:
        _, order = api.place()
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        status, answer = api.call("POST", f"/orders/{order['order_id']}/accept")
        assert status == 202
        assert answer["pending_move"] == "accept"
        [(token, output)] = api.workflow.callbacks
        assert token == "token-AWAITING_RESTAURANT"
        assert output["move"] == "accept"

    def test_a_rejection_carries_its_reason(self, api: Api) -> None:
        _, order = api.place()
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        assert api.call("POST", f"/orders/{order['order_id']}/reject", {"reason": "too_busy"})[0] == 202
        assert api.workflow.callbacks[0][1]["reason"] == "too_busy"

    def test_a_rejection_without_a_body_has_the_reason_other(self, api: Api) -> None:
        _, order = api.place()
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        assert api.call("POST", f"/orders/{order['order_id']}/reject")[0] == 202
        assert api.workflow.callbacks[0][1]["reason"] == "other"

    @pytest.mark.parametrize(
        ("first", "second"),
        [("accept", "reject"), ("reject", "accept"), ("accept", "accept"), ("accept", "cancel"), ("cancel", "accept")],
    )
    def test_of_two_moves_only_the_first_is_made(self, api: Api, first: str, second: str) -> None:
        _, order = api.place()
        path = f"/orders/{order['order_id']}"
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        assert api.call("POST", f"{path}/{first}")[0] == 202
        before, told = api.rows(), (list(api.workflow.callbacks), list(api.workflow.stopped))
        status, problem = api.call("POST", f"{path}/{second}")
        assert (status, problem["type"], problem["taken"]) == (409, PROBLEM + "illegal-move", first)
        assert api.rows() == before
        assert (api.workflow.callbacks, api.workflow.stopped) == told

    @pytest.mark.parametrize(
        ("status", "legal"),
        [
            ("PLACED", {"cancel"}),
            ("AWAITING_RESTAURANT", {"accept", "reject", "cancel"}),
            ("PREPARING", {"dispatch"}),
            ("OUT_FOR_DELIVERY", {"deliver"}),
            ("DELIVERED", set()),
            ("DECLINED", set()),
            ("REJECTED", set()),
            ("CANCELLED", set()),
            ("EXPIRED", set()),
            ("FAILED", set()),
        ],
    )
    def test_a_move_is_made_in_its_status_and_refused_in_every_other(
        self, api: Api, status: str, legal: set[str]
    ) -> None:
        for move in ("accept", "reject", "cancel", "dispatch", "deliver"):
            _, order = api.place(f"key-{move}")
            api.put(order["order_id"], status)
            before = api.rows()
            got, answer = api.call("POST", f"/orders/{order['order_id']}/{move}")
            if move in legal:
                assert (got, answer["pending_move"]) == (202, move)
            elif move in ("dispatch", "deliver") and status not in ("PREPARING", "OUT_FOR_DELIVERY"):
                # That no courier has it, and what became of it, is no courier's business.
                assert (got, answer["type"]) == (404, PROBLEM + "unknown-order")
                assert api.rows() == before
            else:
                assert (got, answer["type"], answer["order_status"]) == (409, PROBLEM + "illegal-move", status)
                assert api.rows() == before

    @pytest.mark.parametrize(
        ("status", "move", "taken"),
        [
            ("PLACED", "cancel", "deadline"),
            ("AWAITING_RESTAURANT", "accept", "deadline"),
            ("AWAITING_RESTAURANT", "reject", "deadline"),
            ("AWAITING_RESTAURANT", "cancel", "deadline"),
            ("PREPARING", "dispatch", "deadline"),
            ("OUT_FOR_DELIVERY", "deliver", "deadline"),
            ("DELIVERED", "deliver", None),
        ],
    )
    def test_a_move_after_the_deadline_is_refused(self, api: Api, status: str, move: str, taken: str | None) -> None:
        _, order = api.place()
        api.put(order["order_id"], status)
        mine = ", courier_id = :courier" if move == "deliver" else ""
        api.table.update_item(
            Key={"order_id": order["order_id"]},
            UpdateExpression=f"SET deadline_at = :past{mine}",
            ExpressionAttributeValues={":past": "2026-05-04T18:31:00.000Z"}
            | ({":courier": "courier-1"} if mine else {}),
        )
        before = api.rows()
        got, problem = api.call("POST", f"/orders/{order['order_id']}/{move}")
        assert (got, problem["type"], problem["taken"]) == (409, PROBLEM + "illegal-move", taken)
        assert api.rows() == before
        assert (api.workflow.callbacks, api.workflow.stopped) == ([], [])

    def test_the_claim_stands_when_the_callback_fails(self, api: Api) -> None:
        _, order = api.place()
        api.put(order["order_id"], "AWAITING_RESTAURANT")
        api.workflow.down = True
        assert api.call("POST", f"/orders/{order['order_id']}/accept")[0] == 202
        assert api.rows()[0]["claims"]["AWAITING_RESTAURANT"]["move"] == "accept"

    def test_cancelling_stops_the_workflow(self, api: Api) -> None:
        _, order = api.place()
        assert api.call("POST", f"/orders/{order['order_id']}/cancel")[0] == 202
        assert api.workflow.stopped == [(order["order_id"], "OrderCancelled")]


class TestReading:
    def test_orders_are_listed_newest_first_page_by_page_free_of_what_is_personal(self, api: Api) -> None:
        placed = [api.place(f"key-{n}", note="private")[1]["order_id"] for n in range(5)]
        api.place("other", customer_id="cust-2")
        seen: list[dict[str, Any]] = []
        query = {"limit": "2"}
        while True:
            status, page = api.call("GET", "/orders", query=query)
            assert status == 200
            seen += page["orders"]
            if not page["next"]:
                break
            query["next"] = page["next"]
        assert sorted(o["order_id"] for o in seen) == sorted(placed)
        # Moments, not texts: that of a whole second has no fraction, and would sort behind those that follow it.
        moments = [datetime.fromisoformat(o["placed_at"]) for o in seen]
        assert moments == sorted(moments, reverse=True)
        assert "private" not in str(seen)
        assert "Analytical" not in str(seen)

    @pytest.mark.parametrize(
        "query",
        [
            {"limit": "0"},
            {"limit": "1000"},
            {"next": "!!"},
            {"next": "é"},
            *(
                {"next": base64.urlsafe_b64encode(key).decode()}
                for key in (
                    b"[1]",
                    b"[" * 1500,
                    b'["customer_id", "placed_at", "order_id"]',
                    b'{"customer_id": "cust-1", "placed_at": "", "order_id": ""}',
                )
            ),
            {
                "next": base64.urlsafe_b64encode(
                    b'{"customer_id": "cust-2", "placed_at": "2026", "order_id": "ord_1"}'
                ).decode(),
            },
        ],
    )
    def test_a_bad_query_is_refused(self, api: Api, query: dict[str, str]) -> None:
        status, problem = api.call("GET", "/orders", query=query)
        assert status == 422
        assert problem["type"].startswith(PROBLEM)

    def test_restaurants_and_their_menus_can_be_read(self, api: Api) -> None:
        assert [r["restaurant_id"] for r in api.call("GET", "/restaurants")[1]["restaurants"]] == ["bella"]
        assert api.call("GET", "/restaurants/bella/menu")[1]["dishes"][0]["price"] == 950
        assert api.call("GET", "/restaurants/nowhere/menu")[0] == 404

    def test_the_api_describes_itself(self, api: Api) -> None:
        status, document = api.call("GET", "/openapi.json")
        assert status == 200
        assert set(document["paths"]) == {
            "/quotes",
            "/orders",
            "/orders/{order_id}",
            "/orders/{order_id}/accept",
            "/orders/{order_id}/reject",
            "/orders/{order_id}/dispatch",
            "/orders/{order_id}/deliver",
            "/orders/{order_id}/cancel",
            "/kitchen/orders",
            "/courier/orders",
            "/support/orders",
            "/restaurants",
            "/restaurants/{restaurant_id}/menu",
        }
