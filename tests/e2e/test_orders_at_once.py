"""Many at once: each order ends where it should with one payment, and a repeated request is one order."""

from concurrent.futures import ThreadPoolExecutor
from subprocess import run
from typing import Any

import pytest
from contracts import schemas
from laptop import BusTap, Stack
from laptop.client import Client
from laptop.pace import patience
from payments.sandbox import Balance
from worlds import ROOT
from worlds.stack import balance

pytestmark = pytest.mark.laptop("many")

DECLINED = "pm_card_visa_chargeDeclined"


def payments_of(tap: BusTap, order_id: str, name: str) -> int:
    return sum(e["detail-type"] == name and e["detail"]["metadata"]["order_id"] == order_id for e in tap.events)


def test_twenty_orders_at_once(stack: Stack, tap: BusTap, client: Client, customer: str) -> None:
    def live(n: int) -> dict[str, Any]:
        order = client.place(
            customer=f"{customer[:40]}-{n % 5}", payment_method=DECLINED if n % 5 == 4 else "pm_card_visa"
        )
        if n % 5 == 4:
            return client.until(order["order_id"], "DECLINED", seconds=120)
        if n % 5 == 3:
            client.until(order["order_id"], "AWAITING_RESTAURANT", seconds=120)
            client.move(order["order_id"], "reject")
            return client.until(order["order_id"], "REJECTED", seconds=120)
        return client.deliver(order["order_id"], seconds=120)

    with ThreadPoolExecutor(20) as pool:
        ended = list(pool.map(live, range(20)))
    assert len({order["order_id"] for order in ended}) == 20
    for order in ended:
        price = order["total"]["amount"]
        expected = {
            "DELIVERED": Balance(held=price, captured=price, voided=0),
            "REJECTED": Balance(held=price, captured=0, voided=price),
            "DECLINED": Balance(held=0, captured=0, voided=0),
        }[order["status"]]
        assert balance(stack, order["order_id"]) == expected
        event = {"DELIVERED": "PaymentCaptured", "REJECTED": "PaymentReleased", "DECLINED": "PaymentDeclined"}
        name = event[order["status"]]
        tap.wait_for_event(name, order["order_id"])
        assert payments_of(tap, order["order_id"], name) == 1
    ids = {order["order_id"] for order in ended}
    # Other tests put bad events on the same bus.
    for event_seen in (seen for seen in tap.events if seen["detail"]["metadata"]["order_id"] in ids):
        schemas.validate(event_seen)


def test_the_readmes_calls_work_as_they_stand(stack: Stack, client: Client) -> None:
    """The calls of the README, run by a shell: none is out of date. Only make, which signs people in, is played."""
    readme = (ROOT / "README.md").read_text()
    block = next(part for part in readme.split("```") if "$API/orders" in part)
    calls = [line for line in block.replace("\\\n", " ").replace("\n       ", " ").strip().splitlines() if line]
    menu, who, place, noted, get, accept, dispatch, codes = calls
    known = (f"'-s token USER={name}') echo {stack.people.token(name)};;" for name in ("ada", "bella", "carl"))
    played = f'make() {{ case "$*" in {" ".join(known)} esac; }}'

    def shell(command: str, order: str = "") -> str:
        assignments = f"API={stack.outputs['ApiUrl']}; PROMOTIONS={stack.outputs['PromotionsApiUrl']}; ORDER={order}"
        script = "\n".join((assignments, played, who, command))
        return run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=patience(60)).stdout

    assert noted.startswith("ORDER=ord_")  # by whoever pastes; here it is set before each call
    assert "margherita" in shell(menu)
    order_id = next(word for word in shell(place).split('"') if word.startswith("ord_"))
    client.until(order_id, "AWAITING_RESTAURANT")
    assert order_id in shell(get, order_id)
    assert '"pending_move": "accept"' in shell(accept, order_id).replace('":"', '": "')
    client.until(order_id, "PREPARING")
    shell(dispatch, order_id)
    client.until(order_id, "OUT_FOR_DELIVERY")
    shell(dispatch.replace("/dispatch", "/deliver"), order_id)
    client.until(order_id, "DELIVERED")
    assert "promo_codes" in shell(codes)
