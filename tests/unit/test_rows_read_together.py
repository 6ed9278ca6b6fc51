"""Rows of several tables in one call: all, in the order asked for, though DynamoDB gives them piece by piece."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from tiffin.dynamodb import Row, RowsLeftOut, read_rows
from worlds.templates import create_table

CODE = {"customer_id": "cust-1", "code": "A"}


class World:
    """Two tables, and DynamoDB that leaves rows out for a while.

    Attributes:
        asked: keys by table, call by call.
        pauses: in seconds.
        leaves_out: how many calls bring one row each.
    """

    def __init__(self) -> None:
        orders, codes = create_table("orders", "OrdersTable"), create_table("orders", "PromoCodesTable")
        orders.put_item(Item={"order_id": "ord_1", "total": 1})
        orders.put_item(Item={"order_id": "ord_2", "total": 2})
        codes.put_item(Item=CODE | {"discount": {"percent": 3}})
        self._client: Any = orders.meta.client
        self.asked: list[dict[str, Any]] = []
        self.pauses: list[float] = []
        self.leaves_out = 0

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's
        self.asked.append(RequestItems)
        if len(self.asked) > self.leaves_out:
            return self._client.batch_get_item(RequestItems=RequestItems)
        (table, wanted), *others = RequestItems.items()
        first, *keys = wanted["Keys"]
        left = {table: wanted | {"Keys": keys}} if keys else {}
        answer = self._client.batch_get_item(RequestItems={table: wanted | {"Keys": [first]}})
        return answer | {"UnprocessedKeys": left | dict(others)}

    def read(self, *rows: Row) -> list[Any]:
        client: Any = self
        return [row and {**row} for row in read_rows(client, rows, self.pauses.append)]


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


ROWS = [
    Row("OrdersTable", {"order_id": "ord_2"}),
    Row("PromoCodesTable", CODE),
    Row("OrdersTable", {"order_id": "ord_none"}),
    Row("OrdersTable", {"order_id": "ord_1"}),
]
FOUND = [
    {"order_id": "ord_2", "total": 2},
    CODE | {"discount": {"percent": 3}},
    None,
    {"order_id": "ord_1", "total": 1},
]


def test_each_comes_in_its_place_by_one_call_and_is_consistent(world: World) -> None:
    assert world.read(*ROWS) == FOUND
    [asked] = world.asked
    assert {table: wanted["ConsistentRead"] for table, wanted in asked.items()} == {
        "OrdersTable": True,
        "PromoCodesTable": True,
    }
    assert world.pauses == []


def test_what_was_left_out_is_asked_for_again_and_nothing_else_is(world: World) -> None:
    world.leaves_out = 2
    assert world.read(*ROWS) == FOUND
    assert [sum(len(wanted["Keys"]) for wanted in asked.values()) for asked in world.asked] == [4, 3, 2]
    assert all(wanted["ConsistentRead"] for asked in world.asked for wanted in asked.values())
    assert len(world.pauses) == 2
    assert all(0 <= pause <= 0.2 for pause in world.pauses)


def test_what_is_left_out_again_and_again_is_no_row_that_there_is_not(world: World) -> None:
    world.batch_get_item = lambda RequestItems: {"Responses": {}, "UnprocessedKeys": RequestItems}  # type: ignore[method-assign] # noqa: N803
    with pytest.raises(RowsLeftOut, match="OrdersTable, PromoCodesTable"):
        world.read(*ROWS)
    assert len(world.pauses) == 4


def test_of_no_rows_nothing_is_asked(world: World) -> None:
    assert (world.read(), world.asked) == ([], [])
