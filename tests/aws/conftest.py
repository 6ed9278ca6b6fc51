"""A visit to a deployed stack: the one that `--stack` names, on AWS or not, or else the one that all tests share."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from laptop import BusTap, EventNotSeen
from laptop.client import Client
from operations.deployed import Deployed
from operations.visiting import Visit
from worlds.any_stack import STACK
from worlds.described import Described, look, served

MENU = {
    "name": "A test's kitchen",
    "cuisine": "None",
    "city": "Nowhere",
    "address": "Nowhere 1",
    "currency": "EUR",
    "delivery_fee": 250,
    "dishes": [
        {
            "dish_id": "margherita",
            "name": "Margherita",
            "description": "Tomatoes, basil",
            "price": 950,
            "category": "Pizza",
            "vegetarian": True,
            "vegan": False,
            "allergens": ["gluten", "milk"],
        }
    ],
}
_TRIES = 6


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest) -> Deployed:
    """The stack: outputs, and a session of boto3."""
    named = request.config.stash.get(STACK, None)
    if named:
        return named
    laptop = request.getfixturevalue("stack")
    return Deployed(laptop.client, laptop.outputs)


@pytest.fixture(scope="session")
def visit(deployed: Deployed) -> Iterator[Visit]:
    """People and a restaurant for these tests alone, which are gone after them."""
    with Visit(deployed, "test") as visit:
        visit.serve(MENU)
        yield visit
    assert visit.left == []


@pytest.fixture(scope="session")
def described(deployed: Deployed) -> dict[str, Described]:
    """What each API of the stack says of itself, by its URL."""
    return served(deployed.outputs)


@pytest.fixture
def client(visit: Visit, described: dict[str, Described]) -> Iterator[Client]:
    """The REST APIs. Each answer must be one that the API's own document knows."""
    with closing(visit.caller(look=look(described))) as calls:
        yield calls


@pytest.fixture
def subject(visit: Visit, customer: str) -> str:
    """What the services call the test's customer."""
    return visit.guests.subject(customer)


@pytest.fixture(scope="session")
def tap(deployed: Deployed, visit: Visit) -> Iterator[BusTap]:
    """Every event on the bus, from some time before the first test that looks."""
    with BusTap(deployed.client, deployed.outputs["EventBusName"]) as tap:
        # On AWS a rule is in force a while after it was made.
        for _ in range(_TRIES):
            order_id = visit.client.place(customer="tap")["order_id"]
            visit.client.move(order_id, "cancel")
            try:
                tap.wait_for_event("OrderCancelled", order_id, 20)
            except EventNotSeen:
                continue
            break
        yield tap
