"""The sample restaurants and their dishes: what may be on a menu, and how it comes into the menus table."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from boto3.dynamodb.types import TypeSerializer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, TypeAdapter, model_validator
from tiffin.charges import chargeable
from tiffin.money import Currency, Money
from tiffin.text import is_plain, is_visible

MENUS = Path(__file__).with_name("menus.json")

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


def _printable(text: str) -> str:
    """A menu is shown to people and printed by tools: what hides or turns text around has no place on it."""
    if not is_plain(text) or not is_visible(text):
        raise ValueError("not a text that shows as it is")
    return text


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
# The fourteen that must be declared in the European Union: Regulation (EU) No 1169/2011, Annex II.
Allergen = Literal[
    "celery",
    "crustaceans",
    "eggs",
    "fish",
    "gluten",
    "lupin",
    "milk",
    "molluscs",
    "mustard",
    "nuts",
    "peanuts",
    "sesame",
    "soybeans",
    "sulphites",
]
_ANIMAL: frozenset[str] = frozenset({"crustaceans", "fish", "molluscs"})


class Dish(BaseModel):
    """One dish.

    Attributes:
        dish_id: slug, unique within the restaurant.
        price: minor units of the restaurant's currency.
        vegan: implies `vegetarian`.
        allergens: those of the European Union's list that are in it.
    """

    model_config = ConfigDict(extra="forbid")

    dish_id: Slug
    name: Text
    description: Text
    price: Annotated[StrictInt, Field(gt=0, le=100_000)]
    category: Text
    vegetarian: bool
    vegan: bool
    allergens: list[Allergen]

    @model_validator(mode="after")
    def _diet_fits_allergens(self) -> Self:
        animal = _ANIMAL if self.vegetarian else frozenset()
        if self.vegan:
            animal = animal | {"eggs", "milk"}
            if not self.vegetarian:
                raise ValueError("vegan, but not vegetarian")
        if contradiction := sorted(animal & set(self.allergens)):
            raise ValueError(f"vegetarian or vegan, but it contains {contradiction}")
        return self


class Restaurant(BaseModel):
    """One restaurant with its whole menu: one item of the table.

    Attributes:
        restaurant_id: `r-` and a slug.
        currency: ISO 4217 code of all its prices; one that cards are charged in.
        delivery_fee: minor units of `currency`. As all prices, a multiple of what cards are charged in steps of.
    """

    model_config = ConfigDict(extra="forbid")

    restaurant_id: Annotated[str, Field(pattern=r"^r-[a-z0-9][a-z0-9-]{0,60}$")]
    name: Text
    cuisine: Text
    city: Text
    address: Text
    currency: Currency
    delivery_fee: Annotated[StrictInt, Field(ge=0, le=10_000)]
    dishes: Annotated[list[Dish], Field(min_length=1)]

    @model_validator(mode="after")
    def _dishes_are_told_apart(self) -> Self:
        ids = [dish.dish_id for dish in self.dishes]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"dish ids used twice: {twice}")
        return self

    @model_validator(mode="after")
    def _can_be_paid(self) -> Self:
        step = chargeable(self.currency).step
        prices = {"delivery": self.delivery_fee} | {dish.dish_id: dish.price for dish in self.dishes}
        if odd := sorted(name for name, price in prices.items() if price % step):
            raise ValueError(f"not in steps of {Money(amount=step, currency=self.currency)}: {odd}")
        return self


class DeployedStack(Protocol):
    """What seeding needs of a stack; the laptop's `laptop.Stack` is one."""

    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client for the stack."""


def read(path: Path = MENUS) -> list[Restaurant]:
    """Read and check the restaurants.

    Args:
        path: a JSON file like `menus.json`.

    Raises:
        pydantic.ValidationError: the file is not a list of sound restaurants; says where.
        ValueError: two restaurants share an id.
    """
    restaurants = TypeAdapter(list[Restaurant]).validate_python(json.loads(path.read_text("utf-8")))
    ids = [restaurant.restaurant_id for restaurant in restaurants]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ValueError(f"restaurant ids used twice: {twice}")
    return restaurants


def load(dynamodb: Any, table: str, restaurants: list[Restaurant]) -> int:
    """Write restaurants to a menus table, each replacing what was there under its id.

    Args:
        dynamodb: a boto3 DynamoDB client.
        table: name of the menus table.
        restaurants: see `read`.

    Returns:
        How many dishes are on the menus now written.
    """
    to_item = TypeSerializer().serialize
    for restaurant in restaurants:
        dynamodb.put_item(TableName=table, Item=to_item(restaurant.model_dump())["M"])
    return sum(len(restaurant.dishes) for restaurant in restaurants)


def seed(stack: DeployedStack) -> int:
    """Load `menus.json` into a deployed stack.

    Args:
        stack: with the output `MenusTableName`.

    Returns:
        How many dishes can be ordered now.
    """
    return load(stack.client("dynamodb"), stack.outputs["MenusTableName"], read())
