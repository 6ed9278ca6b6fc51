"""The order without a workflow keeps what is promised of an order, whatever arrives late, twice, or never.

It is judged by the same verdicts as the workflow (`worlds.verdicts`).
"""

import json
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from choreographed import hears_payments
from lab.cases import DECLINED_CARD
from worlds.choreographed import Choreographed, choreographed_world
from worlds.verdicts import must_be_over


@pytest.fixture
def world() -> Iterator[Choreographed]:
    with choreographed_world() as made:
        yield made


def placed(world: Choreographed, key: str = "key-1", **changes: str) -> str:
    status, answer = world.place(key, **changes)
    assert status == 201, answer
    return str(answer["order_id"])


def row(world: Choreographed, order_id: str) -> dict[str, object]:
    return next(row for row in world.api.rows() if row["order_id"] == order_id)


def must_end_as(world: Choreographed, order_id: str, status: str) -> None:
    world.settle()
    found = row(world, order_id)
    assert found["status"] == status
    must_be_over(world, found)


def told(world: Choreographed) -> list[str]:
    return [event["detail-type"] for event in world.bus if event["source"] != "tiffin.promotions"]


def test_an_order_is_delivered(world: Choreographed) -> None:
    order_id = placed(world)
    for move in ("accept", "dispatch", "deliver"):
        world.flow()
        assert world.move(order_id, move) == 202
    must_end_as(world, order_id, "DELIVERED")
    assert told(world) == [
        "OrderPlaced", "PaymentAuthorized", "OrderAccepted", "OrderDispatched", "PaymentCaptured", "OrderDelivered",
    ]  # fmt: skip


def test_a_declined_card_ends_it_and_counts(world: Choreographed) -> None:
    order_id = placed(world, payment_method=DECLINED_CARD)
    must_end_as(world, order_id, "DECLINED")
    assert told(world) == ["OrderPlaced", "PaymentDeclined", "OrderDeclined"]


def test_the_money_is_let_go_before_anybody_is_told_of_a_rejection(world: Choreographed) -> None:
    order_id = placed(world)
    world.flow()
    assert world.move(order_id, "reject") == 202
    must_end_as(world, order_id, "REJECTED")
    assert told(world)[-2:] == ["PaymentReleased", "OrderRejected"]


def test_silence_is_an_answer_after_fifteen_minutes(world: Choreographed) -> None:
    order_id = placed(world)
    must_end_as(world, order_id, "REJECTED")
    assert row(world, order_id)["reason"]["code"] == "restaurant_silent"  # type: ignore[index]


@pytest.mark.parametrize("authorized", [True, False])
def test_a_customer_cancels_before_or_after_the_card_has_answered(world: Choreographed, authorized: bool) -> None:
    order_id = placed(world)
    if authorized:
        world.flow()
    assert world.move(order_id, "cancel") == 202
    must_end_as(world, order_id, "CANCELLED")


def test_a_cancel_that_was_only_claimed_keeps_the_order_from_the_restaurant(world: Choreographed) -> None:
    order_id = placed(world)
    world.ask()
    assert world.move(order_id, "cancel", told=False) == 202
    world.flow()
    assert row(world, order_id)["status"] == "PLACED"
    must_end_as(world, order_id, "CANCELLED")


def test_payments_that_never_answer_fail_the_order_within_minutes(world: Choreographed) -> None:
    order_id = placed(world)
    world.payments_down = True
    for _ in range(5):
        world.flow()
        world.now += timedelta(minutes=5)
        world.look()
    world.payments_down = False
    must_end_as(world, order_id, "FAILED")


def test_an_authorization_that_comes_after_the_cancel_moves_nothing(world: Choreographed) -> None:
    order_id = placed(world)
    world.ask()
    [(consumer, late)] = [(c, e) for c, e in world.unheard if e["detail-type"] == "PaymentAuthorized"]
    world.unheard = [(c, e) for c, e in world.unheard if e is not late]
    assert world.move(order_id, "cancel") == 202
    must_end_as(world, order_id, "CANCELLED")
    world.hear(consumer, late)
    must_end_as(world, order_id, "CANCELLED")


@pytest.mark.parametrize("moves", [["accept"], ["accept", "dispatch"]])
def test_three_hours_are_the_limit(world: Choreographed, moves: list[str]) -> None:
    order_id = placed(world)
    for move in moves:
        world.flow()
        world.move(order_id, move)
    must_end_as(world, order_id, "EXPIRED")


def test_a_delivery_at_the_last_moment_is_paid_for(world: Choreographed) -> None:
    order_id = placed(world)
    for move in ("accept", "dispatch"):
        world.flow()
        world.move(order_id, move)
    world.now += timedelta(hours=2, minutes=59)
    world.payments_down = True
    assert world.move(order_id, "deliver") == 202
    world.now += timedelta(minutes=2)
    world.look()
    world.payments_down = False
    must_end_as(world, order_id, "DELIVERED")


def test_a_delivery_whose_capture_is_refused_fails_and_nobody_was_told_otherwise(world: Choreographed) -> None:
    order_id = placed(world)
    for move in ("accept", "dispatch"):
        world.flow()
        world.move(order_id, move)
    world.ledger.void(str(world.payment(order_id)["reference"]))
    assert world.move(order_id, "deliver") == 202
    must_end_as(world, order_id, "FAILED")
    assert "OrderDelivered" not in told(world)


@pytest.mark.parametrize("lost", ["accept", "dispatch", "reject", "cancel"])
def test_a_move_that_was_claimed_and_not_written_is_found(world: Choreographed, lost: str) -> None:
    order_id = placed(world)
    for move in ("accept", "dispatch"):
        world.flow()
        if move == lost:
            break
        if lost in ("reject", "cancel"):
            break
        world.move(order_id, move)
    assert world.move(order_id, lost, told=False) == 202
    world.settle()
    must_be_over(world, row(world, order_id))


def test_an_order_for_which_nobody_could_ask_payments_goes_on_once_somebody_can(world: Choreographed) -> None:
    order_id = placed(world)
    world.payments_down = True
    world.flow()
    assert (world.dead, row(world, order_id)["status"]) == ([json.dumps({"order_id": order_id})], "PLACED")
    world.payments_down = False
    world.now += timedelta(minutes=3)
    world.look()
    world.flow()
    assert row(world, order_id)["status"] == "AWAITING_RESTAURANT"


@pytest.mark.parametrize(
    ("lost", "method", "end"),
    [
        ("PaymentAuthorized", "pm_card_visa", "FAILED"),
        ("PaymentDeclined", DECLINED_CARD, "DECLINED"),
        ("PaymentCaptured", "pm_card_visa", "DELIVERED"),
    ],
)
def test_an_event_of_payments_that_nobody_hears_is_not_told_again_and_the_order_ends_all_the_same(
    world: Choreographed, lost: str, method: str, end: str
) -> None:
    world.lost.add(lost)
    order_id = placed(world, payment_method=method)
    for move in ("accept", "dispatch", "deliver"):
        world.flow()
        world.move(order_id, move)
    must_end_as(world, order_id, end)


def test_what_comes_twice_or_backwards_changes_nothing(world: Choreographed) -> None:
    order_id = placed(world)
    for move in ("accept", "dispatch", "deliver"):
        world.flow()
        world.move(order_id, move)
    world.settle()
    before, heard = row(world, order_id), list(world.bus)
    for event in [*reversed(heard), *heard]:
        if event["source"] == "tiffin.payments":
            world.hear(hears_payments, event)
    assert row(world, order_id) == before
    assert world.bus == heard


@pytest.mark.generated
@pytest.mark.parametrize("seed", range(10))
def test_in_whatever_order_things_happen_every_order_ends_well(seed: int) -> None:
    chance = random.Random(seed)
    with choreographed_world() as world:
        orders = [
            placed(world, f"key-{n}", payment_method=chance.choice(["pm_card_visa", "pm_card_visa", DECLINED_CARD]))
            for n in range(3)
        ]
        for _ in range(40):
            match chance.randrange(7):
                case 0 | 1:
                    world.move(
                        chance.choice(orders),
                        chance.choice(["accept", "accept", "reject", "cancel", "dispatch", "deliver"]),
                        told=chance.random() < 0.8,
                    )
                case 2 | 3 if world.asks:
                    if chance.random() < 0.2:
                        world.asks.append(chance.choice(world.asks))  # at least once
                    world.payments_down = chance.random() < 0.2
                    world.ask(chance.randrange(len(world.asks)))
                    world.payments_down = False
                case 4 | 5 if world.unheard:
                    heard = world.unheard.pop(chance.randrange(len(world.unheard)))
                    if chance.random() < 0.05 and heard[0] is hears_payments:
                        continue  # a letter that lies among the dead ones
                    if chance.random() < 0.2:
                        world.unheard.append(heard)
                    world.hear(*heard)
                case 6:
                    world.now += timedelta(minutes=chance.choice([0, 1, 2, 16, 60]))
                    world.look()
        world.settle()
        for order_id in orders:
            must_be_over(world, row(world, order_id))
