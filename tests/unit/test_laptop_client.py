"""The laptop's client asks as whoever's each route is."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from laptop.client import Client
from laptop.people import Person

OUTPUTS = {"ApiUrl": "http://orders", "PromotionsApiUrl": "http://promotions", "EstimatesApiUrl": "http://estimates"}


class Names:
    """People whose token is their name."""

    def token(self, person: Person | str) -> str:
        return person if isinstance(person, str) else person.name


class Stack:
    """Three APIs that take note of who asks for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        people: Any = Names()
        self.client = Client(OUTPUTS, people, transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        who = request.headers.get("Authorization", "nobody").removeprefix("Bearer ")
        self.asked.append((request.method, request.url.path, who))
        said = json.loads(request.content or b"{}")
        order = {"order_id": "ord_1", "restaurant_id": said.get("restaurant_id", "r-mia")}
        return httpx.Response(200, json={"orders": [], "promo_codes": [], "restaurants": [], **order})


def test_each_move_of_an_order_that_was_placed_here_is_made_by_the_person_whose_it_is() -> None:
    stack = Stack()
    stack.client.place(customer="kim", restaurant_id="r-annapurna")
    for move in ("accept", "reject", "dispatch", "deliver", "cancel"):
        stack.client.move("ord_1", move)
    stack.client.order("ord_1")
    stack.client.estimate("ord_1")

    assert [who for _, _, who in stack.asked] == [
        "kim", "r-annapurna", "r-annapurna", "carl", "carl", "kim", "kim", "kim",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ask", "who"),
    [
        (lambda client: client.order("ord_2"), ["sue"]),
        (lambda client: client.move("ord_2", "accept"), ["sue", "r-mia"]),
        (lambda client: client.move("ord_2", "deliver"), ["carl"]),
        (lambda client: client.move("ord_2", "deliver", by="cleo"), ["cleo"]),
        (lambda client: client.order("ord_2", by="carl"), ["carl"]),
        (lambda client: client.quote("kim"), ["kim"]),
        (lambda client: client.orders("kim"), ["kim"]),
        (lambda client: client.promo_codes("kim"), ["kim"]),
        (lambda client: client.restaurants(), ["nobody"]),
        (lambda client: client.menu("r-mia"), ["nobody"]),
    ],
)
def test_what_was_not_placed_here_is_asked_for_by_support_or_whoever_is_named(
    ask: Callable[[Client], object], who: list[str]
) -> None:
    stack = Stack()
    ask(stack.client)
    assert [asked for _, _, asked in stack.asked] == who


def test_whose_order_it_is_that_somebody_else_placed_has_to_be_said() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="say who cancels it"):
        stack.client.move("ord_2", "cancel")
    stack.client.knows("ord_2", "kim")
    stack.client.move("ord_2", "cancel")
    assert stack.asked == [("POST", "/orders/ord_2/cancel", "kim")]
