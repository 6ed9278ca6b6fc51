"""The order as a durable function (`examples/durable`): every end that it has, and all that can happen on the way.

It lives in AWS's own test runner; whatever becomes of an order is held against what is promised of all orders
(`worlds.verdicts`): its life, its money, its events, its promo code, its customer's counts.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing.exceptions import ResourceNotFoundException
from durable import payments
from durable.order import life as as_deployed
from durable.steps import Order, Steps
from lab.cases import DECLINED_CARD
from worlds import ROOT
from worlds.durable import A_LIFE, SILENCE, DurableWorld, Execution, Killed, durable_world
from worlds.tiffin import THREE_HOURS
from worlds.verdicts import must_be_over

DELIVERED = ("accept", "dispatch", "deliver")
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def only_world() -> Iterator[DurableWorld]:
    with durable_world() as world:
        yield world


@pytest.fixture
def world(only_world: DurableWorld) -> Iterator[DurableWorld]:
    yield only_world
    only_world.begin_anew()


def must_have_ended(world: DurableWorld, life: Execution, end: str) -> dict[str, Any]:
    """Let everybody hear of it, and see that all is as it should be; the order's row."""
    world.tiffin.hear_all()
    row = world.row(life)
    assert row["status"] == end
    must_be_over(world.tiffin, row)
    # Nothing is left to be done, and doing it again changes nothing.
    before = world.tiffin.looks()
    assert world.unwind(life.name, "UNREPORTED") == "nothing-owed"
    assert world.tiffin.sweep(timedelta(hours=4)) == {}
    assert world.tiffin.looks() == before
    return row


class TestEnds:
    def test_a_delivered_order_is_paid_and_told_of(self, world: DurableWorld) -> None:
        world.tiffin.give_code("cust-1", "WELCOME-1")
        life = world.place(promo_code="WELCOME-1")
        world.move(life, *DELIVERED)
        assert life.status == "SUCCEEDED"
        must_have_ended(world, life, "DELIVERED")
        assert life.deeds == A_LIFE
        assert world.told(life) == ["OrderPlaced", "OrderAccepted", "OrderDispatched", "OrderDelivered"]

    def test_what_an_order_is_billed_for(self, world: DurableWorld) -> None:
        """The figure that examples/durable/README.md and docs/ways-not-taken.md multiply."""
        life = world.place()
        world.move(life, *DELIVERED)
        kinds = [kind for kind, _, _ in life.operations]
        assert {kind: kinds.count(kind) for kind in kinds} == {"EXECUTION": 1, "STEP": 11, "CALLBACK": 3}
        for page in ("examples/durable/README.md", "docs/ways-not-taken.md"):
            assert "15 operations" in (ROOT / page).read_text("utf-8")

    def test_a_declined_card_ends_the_order_with_the_networks_answer(self, world: DurableWorld) -> None:
        life = world.place(payment_method=DECLINED_CARD)
        assert life.status == "SUCCEEDED"
        row = must_have_ended(world, life, "DECLINED")
        assert row["reason"]["summary"] == "mastercard: insufficient_funds"

    def test_a_rejected_order_gets_its_money_and_its_code_back(self, world: DurableWorld) -> None:
        world.tiffin.give_code("cust-1", "WELCOME-1")
        life = world.place(promo_code="WELCOME-1")
        world.move(life, "reject")
        row = must_have_ended(world, life, "REJECTED")
        assert row["reason"]["message"] == "The restaurant rejected the order: too busy."

    def test_a_restaurants_silence_is_a_no(self, world: DurableWorld) -> None:
        life = world.place()
        world.let_pass(SILENCE - MINUTE, life)
        assert world.row(life)["status"] == "AWAITING_RESTAURANT"
        world.let_pass(2 * MINUTE, life)
        row = must_have_ended(world, life, "REJECTED")
        assert row["reason"]["code"] == "restaurant_silent"

    def test_a_customer_cancels_while_the_restaurant_is_asked(self, world: DurableWorld) -> None:
        life = world.place()
        assert world.move(life, "cancel") == 202
        # A business end like the others: nothing was stopped, and nothing needs to be unwound.
        assert life.status == "SUCCEEDED"
        must_have_ended(world, life, "CANCELLED")

    @pytest.mark.parametrize("moves", [(), ("accept",), ("accept", "dispatch")], ids=len)
    def test_an_order_that_takes_three_hours_expires(self, world: DurableWorld, moves: tuple[str, ...]) -> None:
        life = world.place()
        world.move(life, *moves)
        if not moves:
            # A restaurant that is silent is found out long before: this is one whose timer never came.
            life._timers[1].cancel()
        world.let_pass(THREE_HOURS - MINUTE, life)
        assert life.status == "RUNNING"
        world.let_pass(2 * MINUTE, life)
        assert life.status == "TIMED_OUT"
        assert world.report(life) == "EXPIRED"
        must_have_ended(world, life, "EXPIRED")


class TestRaces:
    def test_a_second_answer_is_refused_and_changes_nothing(self, world: DurableWorld) -> None:
        life = world.place()
        waited = life.callback or ""
        assert world.move(life, "accept") == 202
        before = world.row(life)
        assert [world.move(life, again) for again in ("accept", "reject", "cancel", "deliver")] == [409] * 4
        with pytest.raises(ResourceNotFoundException):
            life.call_back(waited, json.dumps({"move": "reject"}))
        life.rests()
        assert world.row(life) == before
        world.move(life, "dispatch", "deliver")
        must_have_ended(world, life, "DELIVERED")

    @pytest.mark.parametrize(
        ("move", "end"), [("accept", "DELIVERED"), ("reject", "REJECTED"), ("cancel", "CANCELLED")]
    )
    def test_an_answer_in_the_last_moment_stands_though_its_callback_is_lost(
        self, world: DurableWorld, move: str, end: str
    ) -> None:
        life = world.place()
        assert world.move(life, move, told=False) == 202
        world.let_pass(SILENCE, life)
        if end == "DELIVERED":
            world.move(life, "dispatch", "deliver")
        must_have_ended(world, life, end)

    def test_a_callback_that_comes_too_late_is_refused_and_silence_stands(self, world: DurableWorld) -> None:
        life = world.place()
        waited = life.callback or ""
        world.let_pass(SILENCE, life)
        with pytest.raises(ResourceNotFoundException):
            life.call_back(waited, json.dumps({"move": "accept"}))
        assert world.move(life, "accept") == 409
        must_have_ended(world, life, "REJECTED")

    @pytest.mark.parametrize("step", ["announce OrderPlaced", "authorize payment", "enter AWAITING_RESTAURANT"])
    def test_a_customer_who_cancels_before_the_restaurant_is_asked_is_found_there(
        self, world: DurableWorld, step: str
    ) -> None:
        """While the function is in the middle of something, there is no callback to tell it by."""

        def cancel(life: Execution, name: str, when: str) -> None:
            if (name, when) == (step, "before"):
                assert world.tiffin.move(life.name, "cancel") == 202

        world.meanwhile = cancel
        life = world.place()
        assert life.status == "SUCCEEDED"
        row = must_have_ended(world, life, "CANCELLED")
        assert set(row["timeline"]) == {"PLACED", "CANCELLED"}

    def test_a_delivery_at_the_deadline_is_delivered_or_expired_and_never_both(self, world: DurableWorld) -> None:
        life = world.place()
        world.move(life, "accept", "dispatch")

        def die_each_time(life: Execution, name: str, when: str) -> None:
            """Between taking the money and saying so."""
            if (name, when) == ("record DELIVERED", "before"):
                raise Killed

        world.meanwhile = die_each_time
        world.move(life, "deliver")
        world.let_pass(THREE_HOURS, life)
        # AWS calls it again until the three hours are over; the runner gives up before.
        assert life.status in {"FAILED", "TIMED_OUT"}
        assert world.report(life) == "DELIVERED"
        must_have_ended(world, life, "DELIVERED")


class TestDeaths:
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("step", A_LIFE)
    def test_a_function_that_is_killed_in_the_middle_goes_on_where_it_was(
        self, world: DurableWorld, step: str, when: str
    ) -> None:
        deaths = iter([True])

        def die(life: Execution, name: str, at: str) -> None:
            if (name, at) == (step, when) and next(deaths, False):
                raise Killed

        world.meanwhile = die
        life = world.place()
        for move in (None, *DELIVERED):
            if move:
                world.move(life, move)
            world.let_pass(MINUTE, life)
        assert life.status == "SUCCEEDED"
        must_have_ended(world, life, "DELIVERED")
        # What was done and not recorded is done once more, and what was recorded is not.
        again = [step] if when == "after" else []
        assert sorted(life.deeds) == sorted([*A_LIFE, *again])

    def test_a_stopped_execution_is_unwound(self, world: DurableWorld) -> None:
        life = world.place()
        world.move(life, "accept")
        life.stop()
        assert life.status in {"STOPPED", "FAILED"}
        assert world.unwind(life.name, "STOPPED") == "FAILED"
        must_have_ended(world, life, "FAILED")

    def test_a_payment_that_is_refused_for_good_is_not_tried_again(self, world: DurableWorld) -> None:
        """Somebody voided the hold behind its back."""
        life = world.place()
        world.move(life, "accept", "dispatch")
        asked = {"operation": "release", "order_id": life.name, "reason": "a_person_did_it"}
        world.tiffin.perform("arn:aws:states:::lambda:invoke", {"Payload": asked})
        world.move(life, "deliver")
        assert life.status == "FAILED"
        assert life.deeds.count("capture payment") == 1
        assert world.report(life) == "FAILED"
        must_have_ended(world, life, "FAILED")

    def test_payments_that_may_answer_later_are_asked_again(self, world: DurableWorld) -> None:
        world.tiffin.gateway.lose_answer("authorize")
        life = world.place()
        world.let_pass(MINUTE, life)
        assert life.deeds.count("authorize payment") == 2
        world.move(life, *DELIVERED)
        must_have_ended(world, life, "DELIVERED")

    def test_what_nobody_told_of_is_found_by_the_reconciler(self, world: DurableWorld) -> None:
        """Three hours are over, and the status event never comes."""
        life = world.place()
        world.move(life, "accept")
        world.let_pass(THREE_HOURS + MINUTE, life)
        assert world.tiffin.sweep(timedelta(minutes=5)) == {"overdue": 1}
        must_have_ended(world, life, "EXPIRED")

    def test_an_order_whose_execution_was_never_started_is_started(self, world: DurableWorld) -> None:
        world.tiffin.ports.deaf = True
        status, order = world.tiffin.place(customer_id="cust-1")
        world.tiffin.ports.deaf = False
        assert (status, world.lives) == (201, {})
        assert world.tiffin.sweep(timedelta(minutes=3)) == {"execution-started": 1}
        life = world.lives[order["order_id"]]
        life.rests()
        world.move(life, *DELIVERED)
        must_have_ended(world, life, "DELIVERED")

    def test_a_callback_that_was_lost_is_told_again(self, world: DurableWorld) -> None:
        life = world.place()
        world.move(life, "accept")
        waited = life.callback
        assert world.move(life, "dispatch", told=False) == 202
        assert world.tiffin.sweep(2 * MINUTE) == {"callback-lost": 1}
        assert life.rests() == "RUNNING"
        assert life.callback != waited
        world.move(life, "deliver")
        must_have_ended(world, life, "DELIVERED")


class TestCode:
    """What a deployment over the same version would do to orders under way. With versions none is touched."""

    def test_a_step_may_do_its_work_otherwise(self, world: DurableWorld) -> None:
        def otherwise(order: Order, do: Steps) -> str:
            return f"{as_deployed(order, do)}, by other code"

        life = world.place()
        life.life = otherwise
        world.move(life, *DELIVERED)
        assert life.status == "SUCCEEDED"
        must_have_ended(world, life, "DELIVERED")
        assert life.deeds == A_LIFE

    def test_a_step_more_before_what_was_done_fails_the_order_and_it_is_unwound(self, world: DurableWorld) -> None:
        def with_a_step_more(order: Order, do: Steps) -> str:
            do.announce("OrderPlaced", order["placed_at"])
            return as_deployed(order, do)

        def with_a_step_before(order: Order, do: Steps) -> str:
            do.pay("authorize")
            return as_deployed(order, do)

        for change in (with_a_step_more, with_a_step_before):
            life = world.place()
            life.life = change
            world.move(life, "accept")
            assert life.status == "FAILED"
            assert world.report(life) == "FAILED"
            must_have_ended(world, life, "FAILED")


def test_what_asking_again_does_not_mend_is_what_the_contract_says() -> None:
    contract = json.loads((ROOT / "events/commands/payments.json").read_text("utf-8"))
    assert set(contract["$defs"]["permanent_error"]["enum"]) == payments.PERMANENT


# In a process of its own, which finds the changed modules first.
LIVES = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1:]
from worlds.aws import aws_in_process

aws_in_process()
from worlds.durable import durable_world
import durable.order

assert Path(durable.order.__file__).is_relative_to(sys.argv[1]), durable.order.__file__
with durable_world() as world:
    ends = {"DELIVERED": ("accept", "dispatch", "deliver"), "REJECTED": ("reject",), "CANCELLED": ("cancel",)}
    for end, moves in ends.items():
        life = world.place()
        assert (world.row(life)["status"], world.tiffin.payment(life.name)) == ("AWAITING_RESTAURANT", {})
        assert world.move(life, *moves) == 202
        captured = "CAPTURED" if end == "DELIVERED" else "RELEASED"
        assert (world.row(life)["status"], world.tiffin.payment(life.name)["status"]) == (end, captured)
    life = world.place(payment_method="pm_card_chargeDeclined")
    world.move(life, "accept")
    assert world.row(life)["status"] == "DECLINED"
"""


def test_the_restaurant_is_asked_first_once_two_files_are_changed(tmp_path: Path) -> None:
    package = tmp_path / "examples/durable/durable"
    shutil.copytree(ROOT / "examples/durable/durable", package)
    patch = ROOT / "examples/durable/changes/restaurant-first.durable.patch"
    subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=True)
    path = [str(package.parent), *(entry for entry in sys.path if entry)]
    subprocess.run([sys.executable, "-c", LIVES, *path], check=True, cwd=ROOT)
