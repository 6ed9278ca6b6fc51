"""The order workflow, deployed: each branch, told by its effects: the row, the events on the bus, the money."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from contracts import schemas
from laptop import BusTap
from laptop.client import Client, Refused
from operations.deployed import Deployed
from payments.sandbox import Balance
from worlds.polling import eventually
from worlds.stack import balance, names_on_bus, row

INSUFFICIENT = "pm_card_mastercard_chargeDeclinedInsufficientFunds"


class TestDelivered:
    def test_an_order_goes_through_every_status_and_the_money_is_taken_once(
        self, deployed: Deployed, tap: BusTap, client: Client, customer: str
    ) -> None:
        order = client.place(customer=customer)
        delivered = client.deliver(order["order_id"])
        assert [entry["status"] for entry in delivered["timeline"]] == [
            "PLACED",
            "AWAITING_RESTAURANT",
            "PREPARING",
            "OUT_FOR_DELIVERY",
            "DELIVERED",
        ]
        assert delivered["payment"] == {"status": "CAPTURED", "network": "visa"}
        assert balance(deployed, order["order_id"]) == Balance(held=2150, captured=2150, voided=0)
        expected = {
            "OrderPlaced",
            "PaymentAuthorized",
            "OrderAccepted",
            "OrderDispatched",
            "PaymentCaptured",
            "OrderDelivered",
        }
        assert names_on_bus(tap, order["order_id"], *expected) == expected

    def test_an_order_that_ended_leaves_the_index_of_open_orders(
        self, deployed: Deployed, client: Client, customer: str
    ) -> None:
        order = client.place(customer=customer)
        client.deliver(order["order_id"])

        def closed() -> bool:
            return not {"open_shard", "check_at", "task_token"} & row(deployed, order["order_id"]).keys()

        assert eventually(closed, what="leaving the index of open orders")


class TestDeclined:
    def test_a_person_reads_what_the_card_network_said(
        self, deployed: Deployed, tap: BusTap, client: Client, customer: str
    ) -> None:
        order = client.place(customer=customer, payment_method=INSUFFICIENT)
        declined = client.until(order["order_id"], "DECLINED")
        assert declined["reason"]["summary"] == "mastercard: insufficient_funds"
        assert declined["reason"]["message"] == "Your card has insufficient funds."
        assert balance(deployed, order["order_id"]) == Balance(held=0, captured=0, voided=0)
        event = tap.wait_for(
            lambda e: e["detail-type"] == "OrderDeclined" and e["detail"]["metadata"]["order_id"] == order["order_id"]
        )
        assert event["detail"]["data"]["reason"]["network"] == "mastercard"

    def test_a_payment_gets_past_a_gateway_that_is_away_twice(
        self, deployed: Deployed, client: Client, customer: str
    ) -> None:
        order = client.place(customer=customer, payment_method="pm_card_visa_gatewayUnavailableTwice")
        client.until(order["order_id"], "AWAITING_RESTAURANT", seconds=60)
        assert balance(deployed, order["order_id"]) == Balance(held=2150, captured=0, voided=0)

    def test_a_slow_gateway_is_waited_for(self, deployed: Deployed, client: Client, customer: str) -> None:
        order = client.place(customer=customer, payment_method="pm_card_visa_gatewaySlow")
        client.until(order["order_id"], "AWAITING_RESTAURANT", seconds=60)
        assert balance(deployed, order["order_id"]) == Balance(held=2150, captured=0, voided=0)


class TestRejected:
    def test_the_hold_is_released(self, deployed: Deployed, tap: BusTap, client: Client, customer: str) -> None:
        order = client.place(customer=customer)
        client.until(order["order_id"], "AWAITING_RESTAURANT")
        client.move(order["order_id"], "reject", {"reason": "out_of_stock"})
        rejected = client.until(order["order_id"], "REJECTED")
        assert rejected["reason"]["message"] == "The restaurant rejected the order: out of stock."
        assert balance(deployed, order["order_id"]) == Balance(held=2150, captured=0, voided=2150)
        expected = {
            "OrderPlaced",
            "PaymentAuthorized",
            "PaymentReleased",
            "OrderRejected",
        }
        assert names_on_bus(tap, order["order_id"], *expected) == expected


class TestCancelled:
    def test_a_cancelled_order_is_unwound_once(
        self, deployed: Deployed, tap: BusTap, client: Client, customer: str
    ) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        client.move(order_id, "cancel")
        cancelled = client.until(order_id, "CANCELLED")
        assert cancelled["reason"]["summary"] == "cancelled_by_customer"
        assert balance(deployed, order_id) == Balance(held=2150, captured=0, voided=2150)
        expected = {
            "OrderPlaced",
            "PaymentAuthorized",
            "PaymentReleased",
            "OrderCancelled",
        }
        assert names_on_bus(tap, order_id, *expected) == expected

    def test_an_order_may_be_cancelled_in_the_middle_of_its_payment(
        self, deployed: Deployed, tap: BusTap, client: Client, customer: str
    ) -> None:
        order_id = client.place(customer=customer, payment_method="pm_card_visa_gatewaySlow")["order_id"]
        client.move(order_id, "cancel")
        client.until(order_id, "CANCELLED")

        # Whether release or authorization came first, nothing is held in the end.
        def settled() -> bool:
            return balance(deployed, order_id).open == 0 and len(names_on_bus(tap, order_id, "OrderCancelled")) >= 2

        assert eventually(settled, what="giving the money back")
        assert balance(deployed, order_id).captured == 0


class TestMovesThatRace:
    def test_of_ten_who_race_exactly_one_wins(
        self, deployed: Deployed, tap: BusTap, client: Client, customer: str
    ) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")

        def attempt(move: str) -> str | None:
            try:
                client.move(order_id, move)
            except Refused as refusal:
                assert (refusal.status, refusal.problem["type"].rsplit("/", 1)[-1]) == (409, "illegal-move")
                return None
            return move

        moves = ["accept", "reject", "cancel"] * 3 + ["accept"]
        with ThreadPoolExecutor(len(moves)) as pool:
            winners = [move for move in pool.map(attempt, moves) if move]
        assert len(winners) == 1
        end = {"accept": "PREPARING", "reject": "REJECTED", "cancel": "CANCELLED"}[winners[0]]
        client.until(order_id, end)
        announced = {"accept": "OrderAccepted", "reject": "OrderRejected", "cancel": "OrderCancelled"}
        names = names_on_bus(tap, order_id, announced[winners[0]])
        assert names & set(announced.values()) == {announced[winners[0]]}

    @pytest.mark.parametrize(
        ("until", "move", "again"),
        [("REJECTED", "reject", "accept"), ("PREPARING", "accept", "accept"), ("PREPARING", "accept", "cancel")],
    )
    def test_a_late_move_is_refused_and_the_order_stays_as_it_is(
        self, client: Client, customer: str, until: str, move: str, again: str
    ) -> None:
        order_id = client.place(customer=customer, key=f"{customer}-{move}-{again}")["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        client.move(order_id, move)
        before = client.until(order_id, until)
        with pytest.raises(Refused) as refusal:
            client.move(order_id, again)
        assert refusal.value.status == 409
        assert refusal.value.problem["order_status"] == until
        assert client.order(order_id) == before

    def test_a_second_delivery_is_refused_and_the_money_is_taken_once(
        self, deployed: Deployed, client: Client, customer: str
    ) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.deliver(order_id)
        with pytest.raises(Refused) as refusal:
            client.move(order_id, "deliver")
        assert refusal.value.status == 409
        assert balance(deployed, order_id) == Balance(held=2150, captured=2150, voided=0)


def test_every_event_on_the_bus_keeps_its_contract(tap: BusTap, client: Client, customer: str) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)
    names_on_bus(tap, order_id, "OrderDelivered", "PromoCodeIssued")
    assert len(tap.events) >= 7
    for event in tap.events:
        schemas.validate(event)
