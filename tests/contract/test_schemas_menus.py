"""The menus are sound, and they arrive in the table as the orders service reads them."""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
import seed
from boto3.dynamodb.types import TypeDeserializer
from laptop import menus
from moto import mock_aws
from orders.model import Restaurant
from pydantic import ValidationError


class OneTable:
    """A stack with a menus table and nothing else."""

    def __init__(self) -> None:
        self.outputs = {"MenusTableName": "menus"}
        self._dynamodb = boto3.client(
            "dynamodb", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self._dynamodb.create_table(
            TableName="menus",
            KeySchema=[{"AttributeName": "restaurant_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "restaurant_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def client(self, service: str) -> Any:
        assert service == "dynamodb"
        return self._dynamodb

    def rows(self) -> list[dict[str, Any]]:
        from_item = TypeDeserializer().deserialize
        return [from_item({"M": item}) for item in self._dynamodb.scan(TableName="menus")["Items"]]


@mock_aws
def test_seeding_twice_leaves_each_restaurant_once() -> None:
    stack = OneTable()
    assert menus.seed(stack) == menus.seed(stack) >= 100
    rows = stack.rows()
    assert len({row["restaurant_id"] for row in rows}) == len(rows) == len(menus.read()) >= 8


@mock_aws
def test_seeding_mends_a_menu_that_was_changed() -> None:
    stack = OneTable()
    menus.seed(stack)
    before = sorted(stack.rows(), key=lambda row: row["restaurant_id"])
    stack.client("dynamodb").put_item(
        TableName="menus", Item={"restaurant_id": {"S": before[0]["restaurant_id"]}, "name": {"S": "Gone wrong"}}
    )
    menus.seed(stack)
    assert sorted(stack.rows(), key=lambda row: row["restaurant_id"]) == before


@mock_aws
def test_the_orders_service_reads_what_was_seeded() -> None:
    stack = OneTable()
    menus.seed(stack)
    read = {row["restaurant_id"]: Restaurant.model_validate(plain(row)) for row in stack.rows()}
    for written in menus.read():
        restaurant = read[written.restaurant_id]
        assert (restaurant.currency, restaurant.delivery_fee) == (written.currency, written.delivery_fee)
        assert {d.dish_id: d.price for d in restaurant.dishes} == {d.dish_id: d.price for d in written.dishes}


@mock_aws
def test_the_command_seeds_a_table_in_aws(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stack = OneTable()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    assert seed.main(["--table", "menus", "--region", "eu-central-1"]) == 0
    dishes = sum(len(row["dishes"]) for row in stack.rows())
    assert capsys.readouterr().out == f"{dishes} dishes can be ordered.\n"
    assert dishes >= 100


def test_a_profile_without_a_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    # It would otherwise seed the laptop, and its user believe that it was AWS.
    with pytest.raises(SystemExit):
        seed.main(["--profile", "production"])
    assert "go with --table" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dish", "says"),
    [
        ({"price": 9.5}, "price"),
        ({"price": 0}, "price"),
        ({"dish_id": "No Slug"}, "dish_id"),
        ({"allergens": ["gluten", "love"]}, "allergens"),
        ({"vegan": True, "vegetarian": False, "allergens": []}, "vegan, but not vegetarian"),
        ({"vegan": True, "allergens": ["milk"]}, "contains ['milk']"),
        ({"allergens": ["fish"]}, "contains ['fish']"),
        ({"cost": 950}, "cost"),
        ({"name": "Pizza \x1b[31m"}, "shows"),
        ({"description": "\u202eazziP"}, "shows"),
        ({"name": "\u200b"}, "shows"),
    ],
    ids=[
        *("fraction", "free", "malformed id", "unknown allergen", "vegan meat", "vegan milk", "fish", "unknown field"),
        *("control", "turned", "nothing"),
    ],
)
def test_an_unsound_dish_is_refused(dish: dict[str, Any], says: str, tmp_path: Path) -> None:
    given = json.loads(menus.MENUS.read_text("utf-8"))
    assert given[0]["dishes"][0]["vegetarian"]
    given[0]["dishes"][0] |= dish
    (tmp_path / "menus.json").write_text(json.dumps(given))
    with pytest.raises(ValidationError) as refusal:
        menus.read(tmp_path / "menus.json")
    assert says in str(refusal.value)


def test_a_dish_or_a_restaurant_that_stands_twice_is_refused(tmp_path: Path) -> None:
    given = json.loads(menus.MENUS.read_text("utf-8"))
    given[0]["dishes"].append(given[0]["dishes"][0])
    (tmp_path / "menus.json").write_text(json.dumps(given))
    with pytest.raises(ValidationError, match="dish ids used twice"):
        menus.read(tmp_path / "menus.json")
    given[0]["dishes"].pop()
    (tmp_path / "menus.json").write_text(json.dumps([*given, given[0]]))
    with pytest.raises(ValueError, match="restaurant ids used twice"):
        menus.read(tmp_path / "menus.json")


def plain(value: Any) -> Any:
    """DynamoDB's numbers as integers."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value if isinstance(value, (str, bool)) else int(value)


@pytest.mark.parametrize(
    ("restaurant", "says"),
    [
        ({"currency": "XYZ"}, "no currency of ISO 4217"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "IRR"}, "No card is charged in IRR"),
        ({"currency": "KWD", "delivery_fee": 255}, r"not in steps of KWD 0.010: ['delivery']"),
        ({"currency": "MGA", "delivery_fee": 200}, "not in steps of MGA 1.00: ['calzone-classico'"),
    ],
    ids=["unprintable", "small letters", "unpaid", "fils", "iraimbilanja"],
)
def test_prices_that_nobody_could_print_or_pay_are_refused(
    restaurant: dict[str, Any], says: str, tmp_path: Path
) -> None:
    given = json.loads(menus.MENUS.read_text("utf-8"))
    given[0] |= restaurant
    (tmp_path / "menus.json").write_text(json.dumps(given))
    with pytest.raises(ValidationError, match=re.escape(says)):
        menus.read(tmp_path / "menus.json")


@pytest.mark.parametrize("currency", ["EUR", "JPY", "ISK", "HUF", "BHD"])
def test_prices_in_a_currency_that_cards_are_charged_in_are_taken(currency: str, tmp_path: Path) -> None:
    given = json.loads(menus.MENUS.read_text("utf-8"))
    given[0]["currency"] = currency
    (tmp_path / "menus.json").write_text(json.dumps(given))
    assert menus.read(tmp_path / "menus.json")[0].currency == currency
