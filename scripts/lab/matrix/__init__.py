"""The rows of the fault matrix: each fault at each place it can happen, and how an order may end that meets it."""

from ..cases import Case
from . import events, orders, outages, payments

OUTAGES = (outages.promotions_down, outages.database_down, outages.workers_killed)
"""What hits everybody, and needs the stack for itself: each runs its orders, and returns their cases."""


def cases(seed: int) -> list[Case]:
    """All rows. The seed names the orders and their customers."""
    rows = [
        *payments.functions(),
        *payments.payment_writes(),
        *payments.gateway(),
        *orders.api(),
        *orders.database(),
        *events.bus(),
        *events.status_events(),
        *events.promotions(),
        *orders.callbacks(),
        *orders.stops(),
    ]
    for number, case in enumerate(rows):
        case.name = f"{seed}-{number:03d}-{case.name}"
        case.customer = f"c-{seed}-{number:03d}"
    orders.know(rows)
    return rows
