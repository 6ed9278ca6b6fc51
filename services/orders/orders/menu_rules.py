"""What a menu's file must be: what may be on a menu, and everything that is wrong with one, by line. Pure.

A restaurant's menu is one file, `r-bella-napoli.json`. It is judged whole before anything of it takes effect.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError, model_validator
from tiffin.charges import CURRENCIES, chargeable
from tiffin.ids import Slug
from tiffin.models import BaseModel, why
from tiffin.money import Currency, Money
from tiffin.text import is_plain, is_visible

from orders import located_json
from orders.located_json import Location, NotJson

MOST_BYTES = 256 * 1024
"""How large a file may be. Its row is no larger, and DynamoDB takes 400 KB (developer guide, "Quotas")."""
MOST_DISHES = 500
"""How many dishes a menu may have."""
MOST_FAULTS = 20
"""How many faults of a file are told one by one."""
_LONGEST = 200
_RESTAURANT = r"r-[a-z0-9][a-z0-9-]{0,60}"
_BOM = b"\xef\xbb\xbf"


def _printable(text: str) -> str:
    """A menu is shown to people and printed by tools: what hides or turns text around has no place on it."""
    if not is_plain(text) or not is_visible(text):
        raise ValueError("not a text that shows as it is")
    return text


def _charged(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError("no card is charged in this currency")
    return currency


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

    model_config = ConfigDict(extra="forbid", frozen=True)

    dish_id: Slug
    name: Text
    description: Text
    price: Annotated[StrictInt, Field(gt=0, le=100_000)]
    category: Text
    vegetarian: StrictBool
    vegan: StrictBool
    allergens: Annotated[list[Allergen], Field(max_length=14)]

    @model_validator(mode="after")
    def _diet_fits_allergens(self) -> Self:
        animal = _ANIMAL if self.vegetarian else frozenset()
        if self.vegan:
            animal = animal | {"eggs", "milk"}
            if not self.vegetarian:
                raise ValueError("vegan, but not vegetarian")
        if contradiction := sorted(animal & set(self.allergens)):
            raise ValueError(f"vegetarian or vegan, but with {' and '.join(contradiction)}")
        return self


class Menu(BaseModel):
    """One restaurant with its whole menu: one file, and one item of the menus table.

    Attributes:
        restaurant_id: `r-` and a slug; the file's name.
        currency: ISO 4217 code of all its prices; one that cards are charged in.
        delivery_fee: minor units of `currency`. As all prices, a multiple of what cards are charged in steps of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    restaurant_id: Annotated[str, Field(pattern=f"^{_RESTAURANT}$")]
    name: Text
    cuisine: Text
    city: Text
    address: Text
    currency: Annotated[Currency, AfterValidator(_charged)]
    delivery_fee: Annotated[StrictInt, Field(ge=0, le=10_000)]
    dishes: Annotated[list[Dish], Field(min_length=1, max_length=MOST_DISHES)]

    @property
    def version(self) -> str:
        """What tells this menu from every other: the same content is the same version, however it is laid out."""
        # Without what is absent, so that a field that this model gains later leaves the versions of before as they are.
        content = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))
        # Letters and few digits: a hash in hexadecimal may look like a card number, which the API takes from nobody.
        return "menu_" + base64.b32encode(hashlib.sha256(content.encode()).digest()).decode().lower()[:26]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a file.

    Attributes:
        line: where, the first being 1; None if it is about the file as a whole.
        pointer: which value, as a JSON pointer (RFC 6901); empty for the whole.
        reason: why, in words that quote no value.
    """

    line: int | None
    pointer: str
    reason: str


class MenuRefused(Exception):
    """A file is no menu: nothing of it takes effect.

    Args:
        faults: what is wrong with it.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults

    def report(self) -> dict[str, Any]:
        """The faults for whoever made the file, bounded in number and in length."""
        told = [asdict(fault) for fault in self.faults[:MOST_FAULTS]]
        return {"faults": told, "more": len(self.faults) - len(told)}


def restaurant_of(key: str, size: int) -> str:
    """Whose menu a file is, from its name alone: it need not be read for that.

    Args:
        key: the object's key.
        size: its bytes.

    Raises:
        MenuRefused: it is nobody's, or larger than a menu may be.
    """
    found = re.fullmatch(f"({_RESTAURANT})\\.json", key)
    if not found:
        reason = "a menu lies at the top of the bucket, and its name is the restaurant's id and .json: r-bella.json"
        raise MenuRefused([Fault(None, "", reason)])
    _bounded(size)
    return found[1]


def judged(content: bytes, restaurant_id: str) -> Menu:
    """A file's content as a menu.

    Args:
        content: what is in it.
        restaurant_id: whose it is by its name.

    Raises:
        MenuRefused: it is no menu, with all that is wrong.
    """
    _bounded(len(content))
    text = _text(content)
    try:
        document = located_json.read(text)
    except NotJson as error:
        raise MenuRefused([_fault(error.line, error.location, error.reason)]) from error
    try:
        menu = Menu.model_validate(document.value)
    except ValidationError as error:
        found = [
            _fault(document.line(e["loc"]), e["loc"], why(e).removeprefix("Value error, "))
            for e in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise MenuRefused(found) from None
    if wrong := [_fault(document.line(at), at, reason) for at, reason in _contradictions(menu, restaurant_id)]:
        raise MenuRefused(wrong)
    return menu


def _bounded(size: int) -> None:
    if size > MOST_BYTES:
        raise MenuRefused([Fault(None, "", f"larger than {MOST_BYTES} bytes")])
    if size == 0:
        raise MenuRefused([Fault(None, "", "the file is empty")])


def _text(content: bytes) -> str:
    if content.startswith(_BOM):
        # RFC 8259, section 8.1, forbids it.
        raise MenuRefused([Fault(1, "", "begins with a byte order mark: save it as UTF-8 without one")])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MenuRefused([Fault(line, "", "not UTF-8")]) from None


def _contradictions(menu: Menu, restaurant_id: str) -> Iterator[tuple[Location, str]]:
    """What is wrong with a menu whose values are each in order."""
    if menu.restaurant_id != restaurant_id:
        yield ("restaurant_id",), "not the id that the file is named by"
    step = chargeable(menu.currency).step
    steps = f"cards are charged in steps of {Money(amount=step, currency=menu.currency)}"
    if menu.delivery_fee % step:
        yield ("delivery_fee",), steps
    seen = Counter[str]()
    for number, dish in enumerate(menu.dishes):
        seen[dish.dish_id] += 1
        if seen[dish.dish_id] > 1:
            yield ("dishes", number, "dish_id"), "another dish has this id"
        if dish.price % step:
            yield ("dishes", number, "price"), steps


def _fault(line: int, location: Location, reason: str) -> Fault:
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return Fault(line, pointer[:_LONGEST], reason[:_LONGEST])
