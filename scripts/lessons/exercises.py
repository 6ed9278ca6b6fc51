"""The exercises: how each scene is set, and what is missing until it is solved. They are judged by what came of it."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts import compatibility, schemas
from laptop.client import NotThere
from laptop.environment import ROOT, STATE_DIR
from laptop.errors import NotInTime
from laptop.pace import eventually
from laptop.providers import provider
from operations import workflows

from .stage import Stage

WORKFLOW = ROOT / "statemachines" / "order.asl.json"
RULES = ROOT / "services" / "promotions" / "promotions" / "rules"
ORDERS_OF_LESSON_11 = STATE_DIR / "lesson-11.orders"
# A promo code comes within a second or two of what earned it; a replay takes a little longer.
SOON = 10.0
# What somebody at a laptop waits for, in seconds.
SHORT = 60

Scene = dict[str, Any]


@dataclass(frozen=True)
class Exercise:
    """What there is to do about a lesson.

    Attributes:
        task: said once the scene is set, with names of it in braces.
        begin: sets the scene; returns what it is made of, as JSON.
        missing: what is missing until it is solved, a sentence each; it is given the scene and what was answered.
        on_stack: whether the scene goes with the laptop's stack.
    """

    task: str
    begin: Callable[[Stage], Scene]
    missing: Callable[[Stage, Scene, str], Iterator[str]]
    on_stack: bool = True


# --- 2: break promotions, and catch up --------------------------------------------------------------------------------


def _delete_promotions(stage: Stage) -> Scene:
    if "PromotionsApiUrl" in stage.stack.outputs:
        stage.stack.update(stage.console, leave_out="Promotions")
    customers = stage.strangers(3)
    stage.delivered(customers)
    return {"customers": customers, "names": ", ".join(customers)}


def _not_caught_up(stage: Stage, scene: Scene, _: str) -> Iterator[str]:
    if "PromotionsApiUrl" not in stage.stack.outputs:
        yield "Promotions is not there: nobody takes in what orders announce."
        return

    def without_code() -> list[str]:
        return [name for name in scene["customers"] if not _reasons(stage, name)]

    try:
        eventually(lambda: not without_code(), SOON)
    except NotInTime:
        yield from (f"{name}'s order was delivered, and there is no promo code for it." for name in without_code())


def _reasons(stage: Stage, customer: str) -> list[str]:
    return [code["reason"] for code in stage.client.promo_codes(customer)]


# --- 4: add a state ---------------------------------------------------------------------------------------------------


def _note_the_states(stage: Stage) -> Scene:
    deployed = workflows.definition(stage.stack.client, stage.stack.outputs["OrderWorkflowArn"])
    return {"states": sorted(deployed["States"])}


def _no_state_passed(stage: Stage, scene: Scene, _: str) -> Iterator[str]:
    name = WORKFLOW.relative_to(ROOT)
    try:
        drawn = json.loads(WORKFLOW.read_text("utf-8"))["States"].keys()
    except ValueError as error:
        yield f"{name} is no JSON: {error}"
        return
    new = set(drawn) - set(scene["states"])
    if not new:
        yield f"{name} has no state that it did not have before."
        return
    yield from _said_by("scripts/lint_statemachines.py")
    yield from _said_by("scripts/render_workflows.py", "--check")
    stack = stage.stack
    workflow = stack.outputs["OrderWorkflowArn"]
    if not new & workflows.definition(stack.client, workflow)["States"].keys():
        yield f"The laptop runs the workflow without {', '.join(sorted(new))}: make up"
        return
    try:
        [order_id] = stage.delivered(stage.strangers(1))
    except NotThere as stuck:
        yield f"An order did not come to its end: {stuck}"
        return
    if not new & set(workflows.way(stack.client, workflow, order_id)):
        yield f"{order_id} was delivered, and came by none of {', '.join(sorted(new))}."


def _said_by(*command: str) -> list[str]:
    """What a check of the house has to say; nothing if it is content."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr.splitlines() if done.returncode else []


# --- 5: shorten the deadline ------------------------------------------------------------------------------------------


def _let_one_wait(stage: Stage) -> Scene:
    return {"order_id": stage.on_the_road(*stage.strangers(1))}


def _waits_too_long(stage: Stage, scene: Scene, _: str) -> Iterator[str]:
    stack = stage.stack
    seconds = workflows.definition(stack.client, stack.outputs["OrderWorkflowArn"])["TimeoutSeconds"]
    if seconds > SHORT:
        yield f"An order that begins now is given up after {seconds} seconds; make it {SHORT} or less, and make up."
        return
    # Nobody moves it; a restaurant's silence takes longer.
    (customer,) = stage.strangers(1)
    order_id = stage.client.place(customer=customer)["order_id"]
    try:
        order = stage.client.until(order_id, "EXPIRED", besides=seconds / stack.rate_now())
    except NotThere as other:
        yield str(other)
        return
    lasted = _moment(order["timeline"][-1]["at"]) - _moment(order["placed_at"])
    stage.console.print(
        f"{order_id} expired after {lasted:.1f} s: its workflow has {seconds} seconds, and the unwind follows.",
        highlight=False,
        soft_wrap=True,
    )
    if order["payment"]["status"] != "RELEASED":
        yield f"{order_id} expired, and its payment is {order['payment']['status']}."
    before = stage.client.order(scene["order_id"])
    stage.console.print(
        f"{before['order_id']}, which began before, is {before['status']}: it keeps the workflow that it began with.",
        highlight=False,
        soft_wrap=True,
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# --- 8: break a contract, and be stopped ------------------------------------------------------------------------------


def _breaks_nothing(stage: Stage, _: Scene, __: str) -> Iterator[str]:
    if altered := compatibility.altered():
        names = ", ".join(str(path.relative_to(ROOT)) for path in altered)
        yield f"{names} is what others have built upon, and stays as it is: change events/schemas."
        return
    released = schemas.Contracts.load(compatibility.releases()[-1])
    try:
        found = compatibility.breaks(released, schemas.current())
    except schemas.NotJson as error:
        yield str(error)
        return
    if not found:
        yield "Whoever knows the released contracts can live with events/schemas as they are: nothing is stopped."
    for broken in found:
        stage.console.print(f"Stopped: {broken}", highlight=False, soft_wrap=True, markup=False)


# --- 11: find the lost order ------------------------------------------------------------------------------------------


def _lose_one(stage: Stage) -> Scene:
    customers = stage.strangers(4)
    client, stack = stage.client, stage.stack
    delivered = stage.delivered(customers[:1])
    with provider("sandbox") as sandbox:
        declined = client.place(customer=customers[1], payment_method=sandbox.declined_method)
    cancelled, lost = (client.place(customer=name)["order_id"] for name in customers[2:])
    client.until(cancelled, "AWAITING_RESTAURANT")
    client.move(cancelled, "cancel")
    client.until(lost, "AWAITING_RESTAURANT")
    client.move(lost, "accept")
    client.until(lost, "PREPARING")
    execution = workflows.execution_arn(stack.outputs["OrderWorkflowArn"], lost)
    stack.client("stepfunctions").stop_execution(executionArn=execution)
    for order_id, end in ((declined["order_id"], "DECLINED"), (cancelled, "CANCELLED"), (lost, "FAILED")):
        client.until(order_id, end)
    orders = [*delivered, declined["order_id"], cancelled, lost]
    random.shuffle(orders)
    ORDERS_OF_LESSON_11.write_text("".join(f"{order_id}\n" for order_id in orders))
    return {"orders": orders, "lost": lost, "file": str(_shown(ORDERS_OF_LESSON_11))}


def _not_named(stage: Stage, scene: Scene, answer: str) -> Iterator[str]:
    if not answer:
        yield "Say which it is: make check-lesson N=11 ORDER=ord_…"
    elif answer not in scene["orders"]:
        yield f"{answer} is none of the four in {scene['file']}."
    elif answer != scene["lost"]:
        order = stage.client.order(answer)
        yield f"{answer} is {order['status']}: somebody wanted or knew that. It is another one."


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT)


# --- 17: add a rule ---------------------------------------------------------------------------------------------------


def _rules() -> set[str]:
    return {path.stem for path in RULES.glob("*.py") if path.stem != "__init__"}


def _note_the_rules(_: Stage) -> Scene:
    return {"rules": sorted(_rules())}


def _no_rule_gives(stage: Stage, scene: Scene, _: str) -> Iterator[str]:
    new = _rules() - set(scene["rules"])
    if not new:
        yield f"{_shown(RULES)} has no file that it did not have before."
        return
    tests = "tests/unit/test_terms_of_promo_codes.py"
    kept = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", tests], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if kept.returncode:
        yield f"What it promises is not written down, or not what it does: .venv/bin/pytest {tests}"
    (customer,) = stage.strangers(1)
    for _number in range(2):
        stage.delivered([customer])
    try:
        reasons = eventually(lambda: new & set(_reasons(stage, customer)), SOON)
    except NotInTime:
        yield f"{customer}'s second order was delivered, and no code came by {', '.join(sorted(new))}: make up"
        return
    stage.console.print(f"{customer}'s second order earned a code by {', '.join(sorted(reasons))}.", highlight=False)


EXERCISES = {
    2: Exercise(
        "Promotions is deleted: its stack, its queue and its table. Meanwhile {names} ordered,\n"
        "and their orders were delivered; each is owed a promo code. Bring promotions back, and let it catch up.",
        _delete_promotions,
        _not_caught_up,
    ),
    4: Exercise(
        "Add a state to statemachines/order.asl.json through which a delivered order passes, with a Comment, as each\n"
        "state has: draw it anew (make format), and deploy it (make up).",
        _note_the_states,
        _no_state_passed,
    ),
    5: Exercise(
        "{order_id} is on the road, and its courier never comes. Who wants to wait three hours?\n"
        "Give orders a minute or less in statemachines/order.asl.json, and deploy it (make up).",
        _let_one_wait,
        _waits_too_long,
    ),
    8: Exercise(
        "Change events/schemas/OrderDelivered.json so that somebody who reads it is hurt, and see who stops you:\n"
        ".venv/bin/python scripts/event_contracts.py compare",
        lambda _: {},
        _breaks_nothing,
        on_stack=False,
    ),
    11: Exercise(
        "Four orders are in {file}. A restaurant had accepted one of them when it was lost; nobody\n"
        "wanted that. Which is it? make check-lesson N=11 ORDER=ord_…",
        _lose_one,
        _not_named,
    ),
    17: Exercise(
        "Give each customer a promo code for the second order that is delivered: one file in\n"
        "services/promotions/promotions/rules, and what it promises. Deploy it (make up).",
        _note_the_rules,
        _no_rule_gives,
        on_stack=False,
    ),
}
"""By the number of the lesson."""
