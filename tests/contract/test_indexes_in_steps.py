"""The indexes of the orders' table: each as small as its list, and made and deleted one by one."""

from collections.abc import Mapping
from typing import Any

import pytest
from contracts.cloudformation import deploy, transformed
from orders import views
from worlds.templates import deployed

# As the template had them before there was a parameter `OrderIndexes`.
FORMER = {
    "open-orders": ["open_shard", "check_at"],
    "by-customer": ["customer_id", "placed_at"],
}


def table(step: int) -> dict[str, Any]:
    """Properties of `OrdersTable` at a value of `OrderIndexes`."""
    [stack] = [one for one in deploy(transformed(), "tiffin", {"OrderIndexes": str(step)}) if one.path == ("Orders",)]
    return dict(stack.resolved["Resources"]["OrdersTable"]["Properties"])


def indexes(of: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in of["GlobalSecondaryIndexes"]
    }


def test_each_step_makes_or_deletes_one_index_of_the_one_before() -> None:
    """As CloudFormation allows one in each update of a table; the first step is from the former template."""
    before = FORMER
    for step in (1, 2, 3, 4):
        properties = table(step)
        now = indexes(properties)
        assert len(before.keys() ^ now.keys()) == 1
        assert {name: keys for name, keys in now.items() if name in before} == {
            name: keys for name, keys in before.items() if name in now
        }
        assert properties["KeySchema"] == [{"AttributeName": "order_id", "KeyType": "HASH"}]
        used = {"order_id", *(key for keys in now.values() for key in keys)}
        defined = [one["AttributeName"] for one in properties["AttributeDefinitions"]]
        assert sorted(defined) == sorted(used)
        before = now
    assert table(4) == {**deployed()["orders"]["OrdersTable"]["Properties"]}


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("orders-of-customer", [views.OrderSummary]),
        ("orders-of-restaurant", [views.KitchenSummary]),
        ("orders-by-status", [views.CourierSummary, views.SupportSummary]),
    ],
)
def test_an_index_holds_what_its_lists_answer_and_no_more(name: str, answered: list[Any]) -> None:
    properties = table(4)
    [index] = [one for one in properties["GlobalSecondaryIndexes"] if one["IndexName"] == name]
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    keys = {"order_id", *indexes(properties)[name]}
    held = set(index["Projection"]["NonKeyAttributes"])
    assert held == {field for model in answered for field in model.model_fields} - keys
    assert held.isdisjoint({"delivery", "note", "payment_method", "task_token", "claims", "lines"})
