"""What must be true of an order when it is over, whatever happened on the way (`docs/faults.md`, the invariants)."""

import json
from typing import Any

from worlds.templates import dynamodb
from worlds.tiffin import ENDS, Tiffin

LIFE = ["PLACED", "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED"]
ENDS_AFTER = {
    "DELIVERED": {"OUT_FOR_DELIVERY"},
    "DECLINED": {"PLACED"},
    "REJECTED": {"AWAITING_RESTAURANT"},
    "CANCELLED": {"PLACED", "AWAITING_RESTAURANT"},
    "EXPIRED": set(LIFE[:-1]),
    "FAILED": set(LIFE[:-1]),
}
ANNOUNCED_AS = {
    "PLACED": "OrderPlaced",
    "PREPARING": "OrderAccepted",
    "OUT_FOR_DELIVERY": "OrderDispatched",
    **{end: f"Order{end.capitalize()}" for end in ENDS},
}
REASONS = {
    "DECLINED": {"insufficient_funds"},
    "REJECTED": {"restaurant_rejected", "restaurant_silent"},
    "CANCELLED": {"cancelled_by_customer"},
    "EXPIRED": {"not_delivered_in_time"},
    "FAILED": {"workflow_failed"},
}
# Who decided in a status, and what may become of the order then. Out of time or by a defect it may always end.
MAY_END_AS = {
    "accept": {"DELIVERED"},
    "reject": {"REJECTED"},
    "silence": {"REJECTED"},
    # A card that is declined at the moment of cancelling is declined.
    "cancel": {"CANCELLED", "DECLINED"},
    "dispatch": {"DELIVERED"},
    "deliver": {"DELIVERED"},
}
TURN_TAKEN_BY = {
    "PREPARING": ("AWAITING_RESTAURANT", "accept"),
    "OUT_FOR_DELIVERY": ("PREPARING", "dispatch"),
    "DELIVERED": ("OUT_FOR_DELIVERY", "deliver"),
}


def must_be_over(world: Tiffin, row: dict[str, Any]) -> None:
    """Hold an order that ended against everything that is promised.

    Args:
        world: where it lived.
        row: the order's, as the table has it.
    """
    _its_timeline_is_a_life(row)
    _a_granted_turn_decided(row)
    _its_money_is_where_it_belongs(world, row)
    _its_turns_were_announced(world, row)
    _its_promo_code_is_spent_or_free(world, row)
    _its_place_is_given_back_and_a_decline_counts(world, row)
    assert not {"open_shard", "check_at", "task_token"} & row.keys()


def _its_timeline_is_a_life(row: dict[str, Any]) -> None:
    end = row["status"]
    *before, last = sorted(row["timeline"], key=lambda status: str(row["timeline"][status]))
    assert last == end
    assert before == LIFE[: len(before)]
    assert before[-1] in ENDS_AFTER[end]
    assert row["timeline"]["PLACED"] == row["placed_at"]
    reason = row.get("reason") or {}
    assert reason.get("code") in REASONS.get(end, {None})
    assert reason.get("message", "") != "" or end == "DELIVERED"


def _a_granted_turn_decided(row: dict[str, Any]) -> None:
    moves = {status: claim["move"] for status, claim in row["claims"].items()}
    for move in moves.values():
        assert row["status"] in MAY_END_AS[move] | {"EXPIRED", "FAILED"}, moves
    for status, (before, move) in TURN_TAKEN_BY.items():
        if status in row["timeline"]:
            assert moves.get(before) == move, moves
    if row["status"] == "REJECTED":
        silent = row["reason"]["code"] == "restaurant_silent"
        assert moves["AWAITING_RESTAURANT"] == ("silence" if silent else "reject")
    if row["status"] == "CANCELLED":
        assert "cancel" in moves.values()


def _its_money_is_where_it_belongs(world: Tiffin, row: dict[str, Any]) -> None:
    order_id, total = row["order_id"], int(row["total"]["amount"])
    money = world.ledger.balance(order_id)
    assert money.captured == (total if row["status"] == "DELIVERED" else 0)
    assert money.open == 0
    assert money.held in {0, total}
    payment = world.payment(order_id)
    status = payment["status"]
    assert row["payment"]["status"] == status
    assert (status == "CAPTURED") == (row["status"] == "DELIVERED")
    assert status in {"CAPTURED", "RELEASED", "DECLINED"}
    assert status == "DECLINED" or row["status"] != "DECLINED"
    if "AWAITING_RESTAURANT" in row["timeline"]:
        assert row["payment"]["network"] == "visa"
    told = {event for event in _announced(world, order_id) if event.startswith("Payment")}
    # Of a payment that was released before anything was known of it there is nothing to tell.
    tells = "amount" in payment
    assert told - {"PaymentAuthorized"} == ({f"Payment{status.capitalize()}"} if tells else set())
    assert "PaymentAuthorized" in told or "AWAITING_RESTAURANT" not in row["timeline"]


def _its_turns_were_announced(world: Tiffin, row: dict[str, Any]) -> None:
    told = _announced(world, row["order_id"])
    assert {ANNOUNCED_AS[status] for status in row["timeline"] if status in ANNOUNCED_AS} <= told.keys()
    assert {name for name in told if name in {ANNOUNCED_AS[end] for end in ENDS}} == {ANNOUNCED_AS[row["status"]]}
    once: dict[str, dict[str, Any]] = {}
    for telling in (each for tellings in told.values() for each in tellings):
        # Told twice, it is the same event. One order may earn two codes.
        assert once.setdefault(telling["detail"]["metadata"]["event_id"], telling) == telling
    [end, *_] = told[ANNOUNCED_AS[row["status"]]]
    assert end["detail"]["metadata"]["occurred_at"] == row["timeline"][row["status"]]
    [beginning, *_] = told["OrderPlaced"]
    assert beginning["detail"]["metadata"]["occurred_at"] == row["placed_at"]
    for event in (end, beginning):
        assert event["detail"]["data"]["promo_code"] == row.get("promo_code")
    moves = {claim["move"] for claim in row["claims"].values()}
    assert "accept" in moves or "OrderAccepted" not in told
    assert "dispatch" in moves or "OrderDispatched" not in told


def _its_promo_code_is_spent_or_free(world: Tiffin, row: dict[str, Any]) -> None:
    code = row.get("promo_code")
    if code is None:
        return
    key = {"customer_id": {"S": row["customer_id"]}, "code": {"S": code}}
    kept = world.dynamodb.get_item(TableName="PromoCodesTable", Key=key)["Item"]
    told = _announced(world, row["order_id"])
    assert "PromoCodeRedeemed" in told
    if row["status"] == "DELIVERED":
        assert kept["reserved_by"]["S"] == row["order_id"]
        assert "PromoCodeRestored" not in told
    else:
        assert kept.get("reserved_by") != {"S": row["order_id"]}
        assert len(told["PromoCodeRestored"]) == 1
    for item in (
        *world.outbox("PromotionsTable", "customer_id", row["customer_id"]),
        *world.outbox("PaymentsTable", "order_id", row["order_id"]),
    ):
        assert json.loads(item["detail"]["S"])["metadata"]["event_id"] in world.relayed


def places_taken(customer_id: str) -> set[str]:
    """The orders that take up places of a customer's. As many are counted."""
    key = {"customer_id": {"S": customer_id}, "record": {"S": "open"}}
    row = dynamodb().get_item(TableName="CustomersTable", Key=key, ConsistentRead=True).get("Item", {})
    places = set(row) - {*key, "orders", "expires_at"}
    assert row.get("orders", {"N": "0"}) == {"N": str(len(places))}
    return places


def _its_place_is_given_back_and_a_decline_counts(world: Tiffin, row: dict[str, Any]) -> None:
    assert row["order_id"] not in places_taken(row["customer_id"])
    hour = row["placed_at"][:13]
    key = {"customer_id": {"S": row["customer_id"]}, "record": {"S": f"hour#{hour}"}}
    counted = world.dynamodb.get_item(TableName="CustomersTable", Key=key)["Item"]
    theirs = [r for r in world.api.rows() if r["customer_id"] == row["customer_id"] and r["placed_at"][:13] == hour]
    declined = [r for r in theirs if r["payment"]["status"] == "DECLINED"]
    over = [r for r in declined if "open_shard" not in r]
    assert counted["orders"] == {"N": str(len(theirs))}
    assert len(over) <= int(counted.get("declines", {"N": "0"})["N"]) <= len(declined)


def _announced(world: Tiffin, order_id: str) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {}
    for event in world.bus:
        if event["detail"]["metadata"]["order_id"] == order_id:
            told.setdefault(event["detail-type"], []).append(event)
    return told
