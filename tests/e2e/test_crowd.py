"""The crowd of `make up CROWD=1`, as a process beside a stack that runs: it orders, stays one, and goes home."""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from lab import crowd_process
from lab.crowd import cook, rider
from laptop import NotRunning, Stack
from laptop.client import Client, Refused
from orders.model import ENDS
from worlds.polling import eventually
from worlds.stack import row

pytestmark = pytest.mark.laptop("inside")

IN_A_HURRY = ("--every", "0.4", "--pace", "60", "--orders", "150")
MOVES = {"AWAITING_RESTAURANT": "reject", "PREPARING": "dispatch", "OUT_FOR_DELIVERY": "deliver"}


def placed(log: str) -> set[str]:
    return set(re.findall(r"(ord_[a-z2-7]{26}): placed", log))


def ended(log: str, status: str) -> list[str]:
    return re.findall(rf"(ord_[a-z2-7]{{26}}): {status}\b", log)


@pytest.fixture
def state_dir(stack: Stack, client: Client, tmp_path: Path) -> Iterator[Path]:
    """Where the stack is found as that of `make up` is. What the crowd leaves of its orders is ended afterwards."""
    stack._process.save(tmp_path / "stack.json", stack.outputs)
    yield tmp_path
    crowd_process.stop(tmp_path)
    log = tmp_path / crowd_process.LOG
    for order_id in placed(log.read_text()) if log.exists() else []:
        eventually(partial(brought_on, client, order_id), what=f"the end of {order_id}")


def brought_on(client: Client, order_id: str) -> bool:
    """Whether an order has ended; if not, it is brought one move nearer to that."""
    order = client.order(order_id)
    status = str(order["status"])
    if status in MOVES and not order["pending_move"]:
        by = cook(order["restaurant_id"]) if status == "AWAITING_RESTAURANT" else rider(order_id)
        with suppress(Refused):  # it went on meanwhile
            client.move(order_id, MOVES[status], by=by)
    return status in ENDS


def test_it_orders_until_it_is_sent_home_and_touches_no_order_placed_by_hand(
    stack: Stack, client: Client, customer: str, state_dir: Path
) -> None:
    by_hand = client.place(customer=customer)["order_id"]
    client.until(by_hand, "AWAITING_RESTAURANT")
    log = state_dir / crowd_process.LOG

    assert crowd_process.start(state_dir, *IN_A_HURRY)
    assert not crowd_process.start(state_dir, *IN_A_HURRY)

    def seen() -> str:
        said = log.read_text()
        return said if ended(said, "DELIVERED") and ended(said, "DECLINED") else ""

    said = eventually(seen, 90, what="an order delivered and one declined")
    for status in ("DELIVERED", "DECLINED"):
        assert row(stack, ended(said, status)[0])["status"] == {"S": status}
    assert row(stack, ended(said, "DELIVERED")[0])["payment"]["M"]["status"] == {"S": "CAPTURED"}
    assert client.order(by_hand)["status"] == "AWAITING_RESTAURANT"

    assert crowd_process.stop(state_dir)
    assert not crowd_process.stop(state_dir)
    # Nothing of it is left that could order.
    at_home = placed(log.read_text())
    client.move(by_hand, "cancel")
    client.until(by_hand, "CANCELLED")
    assert placed(log.read_text()) == at_home

    assert crowd_process.start(state_dir, *IN_A_HURRY)


def test_without_a_stack_nobody_comes(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        crowd_process.start(tmp_path)
