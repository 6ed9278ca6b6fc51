"""Which partitions of tables and indexes a rush of orders writes to, and how much: each takes only so much a second.

Orders are drawn at random, restaurants and customers by Zipf's law: the second has half of what the first has, the
third a third. Each is written as the service writes it, by its own functions, into no table; what is written of it
later is what `lives.json` says, as it was counted from real orders.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from orders.commands import PlaceOrder
from orders.model import Dish, Restaurant, order_id_for
from orders.operations import place
from orders.store import OrderStore

NOW = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)
Life = Mapping[str, Any]
Partition = tuple[str, str, str]
"""Table, index, and partition key."""
# A kind of key, and the attribute of an order that has it.
_ATTRIBUTES = {"order": "order_id", "customer": "customer_id", "restaurant": "restaurant_id", "shard": "open_shard",
}  # fmt: skip


@dataclass(frozen=True)
class Crowd:
    """Who orders from whom.

    Attributes:
        restaurants: how many there are.
        customers: how many there are.
        exponent: of Zipf's law; 0 for all alike.
        seed: the same draws each time.
    """

    restaurants: int = 5_000
    customers: int = 500_000
    exponent: float = 1.0
    seed: int = 1


class _Written(Exception):
    """What is to be known of an order is known: nobody asks what the store makes of its row."""


class _Table:
    """Takes one order's row, as DynamoDB would."""

    name = "orders"

    def __init__(self) -> None:
        self.row: dict[str, Any] = {}
        self.meta = SimpleNamespace(client=SimpleNamespace(transact_write_items=self._write))

    def _write(self, TransactItems: Sequence[Any]) -> None:  # noqa: N803 - boto3's name of it
        self.row = TransactItems[0]["Put"]["Item"]
        raise _Written


@lru_cache(maxsize=2)
def rows(crowd: Crowd, orders: int) -> Sequence[Mapping[str, Any]]:
    """Rows of orders as they are placed, by the service's own functions; the last ones are remembered."""
    chance = random.Random(crowd.seed)  # noqa: S311 - repeatable, which is the point
    kitchens = _zipf(chance, crowd.restaurants, crowd.exponent, orders)
    people = _zipf(chance, crowd.customers, crowd.exponent, orders)
    return [
        _row(f"r-{kitchen}", f"customer-{person}", f"key-{n}")
        for n, (kitchen, person) in enumerate(zip(kitchens, people, strict=True))
    ]


def load(
    placed: Sequence[Mapping[str, Any]], lives: Mapping[str, Life], mix: Mapping[str, float]
) -> dict[Partition, float]:
    """Write units of each partition for one order a second, on average.

    Args:
        placed: rows of orders.
        lives: what is written of an order, by its end.
        mix: shares of the ends.
    """
    units: dict[Partition, float] = defaultdict(float)
    for row in placed:
        for end, share in mix.items():
            for table, index, kind, taken in lives[end]["writes"]:
                key = str(row[_ATTRIBUTES[kind]]) if kind in _ATTRIBUTES else kind
                units[table, index, key] += share * taken / len(placed)
    return units


def hottest(units: Mapping[Partition, float]) -> list[tuple[Partition, float]]:
    """Of each table and index the partition with the most, the hottest first."""
    found: dict[tuple[str, str], tuple[Partition, float]] = {}
    for partition, taken in units.items():
        if taken > found.get(partition[:2], (partition, -1.0))[1]:
            found[partition[:2]] = (partition, taken)
    return sorted(found.values(), key=lambda pair: -pair[1])


def by_index(units: Mapping[Partition, float]) -> dict[tuple[str, str], float]:
    """Write units of each table and index for one order a second."""
    total: dict[tuple[str, str], float] = defaultdict(float)
    for (table, index, _), taken in units.items():
        total[table, index] += taken
    return total


def size(row: Mapping[str, Any], attributes: Iterable[str]) -> int:
    """Bytes of some attributes (DynamoDB developer guide, "Item sizes and formats"), of text and numbers about."""
    return sum(len(name) + len(str(row[name])) for name in attributes if name in row)


def _zipf(chance: random.Random, among: int, exponent: float, draws: int) -> list[int]:
    weights = list(accumulate(1 / rank**exponent for rank in range(1, among + 1)))
    return chance.choices(range(1, among + 1), cum_weights=weights, k=draws)


def _row(restaurant_id: str, customer_id: str, key: str) -> dict[str, Any]:
    request = _request(restaurant_id)
    order_id = order_id_for(customer_id, key)
    order = place(request, _restaurant(restaurant_id), customer_id=customer_id, order_id=order_id, now=NOW)
    table: Any = _Table()
    with suppress(_Written):
        OrderStore(table).add(order, request, "Root=1-00000000-000000000000000000000000")
    return dict(table.row)


@lru_cache
def _restaurant(restaurant_id: str) -> Restaurant:
    dishes = [Dish(dish_id="margherita", name="Margherita", price=900)]
    return Restaurant(
        restaurant_id=restaurant_id,
        name="Bella Napoli",
        cuisine="Italian",
        currency="EUR",
        delivery_fee=250,
        dishes=dishes,
    )


@lru_cache
def _request(restaurant_id: str) -> PlaceOrder:
    return PlaceOrder.model_validate(
        {
            "restaurant_id": restaurant_id,
            "payment_method": "pm_card_visa",
            "lines": [{"dish_id": "margherita", "quantity": 2}],
            "delivery": {"name": "Ada", "address": "Harbour Street 1"},
        }
    )
