"""A visit to a deployed stack: people and a restaurant that are made for it, and are gone after it.

Whoever tries a stack has its outputs, a session of boto3 and the tokens of people, on AWS as on the laptop. The people
are accounts of the stack's own user pool, whose addresses are nobody's (RFC 2606) and get no mail; they sign in by an
app client of their own, which goes with them. Orders go to a restaurant of the visit's own, which no customer sees: so
nobody else's kitchen, and nobody's price, is touched.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, Self

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from laptop import EmulatorError, menus
from laptop.client import COURIER, Client, Refused
from laptop.pace import Deadline
from laptop.people import DOMAIN, KNOWN, Keyring, Person, answering_for, make_account
from orders.menu_rules import Menu
from tiffin.callers import Role

from .deployed import Deployed
from .personal import Personal, StillOpen, UnknownCustomer

FAILURES = (Refused, EmulatorError, StillOpen, ClientError, BotoCoreError, httpx.HTTPError)
"""What may come instead of an answer."""
PAUSE = 0.3
"""Seconds between two looks at what is waited for: others have the same API."""
_PATIENCE = 60.0
_ABREAST = 4


class Guests(Keyring):
    """People who are in a stack's user pool for the time of a visit.

    Args:
        stack: where.
        visit: what their addresses, and their app client, are known by; unique.
    """

    def __init__(self, stack: Deployed, visit: str) -> None:
        super().__init__()
        self._pool, self._pool_id, self._visit = stack.client("cognito-idp"), stack.outputs["UserPoolId"], visit
        # Nobody is told it, and it goes with the accounts.
        self._password = f"Aa1-{secrets.token_urlsafe(24)}"
        self._client_id: str | None = None
        self._emails: dict[Person, str] = {}
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the app client by which they sign in.

        Their passwords go to the administrator's API, which takes them from whoever may call it; the stack's own client
        takes none. The APIs take a token of any client of the pool.
        """
        with self._lock:
            if self._client_id is None:
                made = self._pool.create_user_pool_client(
                    UserPoolId=self._pool_id,
                    ClientName=self._visit,
                    ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
                    ReadAttributes=["custom:restaurant_id"],
                    IdTokenValidity=15,
                    AccessTokenValidity=15,
                    TokenValidityUnits={"IdToken": "minutes", "AccessToken": "minutes"},
                )
                self._client_id = made["UserPoolClient"]["ClientId"]

    def email(self, person: Person) -> str:
        """By which a person signs in here."""
        with self._lock:
            return self._emails.setdefault(person, f"{self._visit}-{len(self._emails)}-{person.name[:24]}@{DOMAIN}")

    def password(self, person: Person) -> str:
        """Theirs, once there is an account."""
        self.token(person)
        return self._password

    def everybody(self) -> list[Person]:
        """Whoever has, or may have, an account."""
        with self._lock:
            return list(self._emails)

    def remove(self, person: Person) -> None:
        """Remove an account, if it is there."""
        with suppress(self._pool.exceptions.UserNotFoundException):
            self._pool.admin_delete_user(UserPoolId=self._pool_id, Username=self.email(person))

    def close(self) -> None:
        """Remove the app client. From then on nobody signs in by it."""
        with self._lock:
            if self._client_id is not None:
                self._pool.delete_user_pool_client(UserPoolId=self._pool_id, ClientId=self._client_id)
                self._client_id = None

    def _make(self, person: Person) -> None:
        make_account(self._pool, self._pool_id, person, self.email(person), self._password)

    def _signed_in(self, person: Person) -> str:
        self.open()
        answer = self._pool.admin_initiate_auth(
            UserPoolId=self._pool_id,
            ClientId=self._client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": self.email(person), "PASSWORD": self._password},
        )
        return str(answer["AuthenticationResult"]["IdToken"])


class Visit:
    """A visit: a context manager, that removes what was made for it whatever happens in between.

    Args:
        stack: where.
        what: the first part of all its names.

    Attributes:
        stack: where.
        name: what all that it makes is known by.
        restaurant_id: its own restaurant, once it serves.
        guests: its people.
        client: the APIs, as they call them.
        left: what could not be removed, once it is over, in a sentence each.
    """

    def __init__(self, stack: Deployed, what: str) -> None:
        self.stack, self.name = stack, f"{what}-{secrets.token_hex(4)}"
        self.restaurant_id = f"r-{self.name}"
        self.guests = Guests(stack, self.name)
        self.client = self.caller()
        self.left: list[str] = []
        self._personal = Personal(stack)
        self._restaurants: list[str] = []

    def caller(self, **how: Any) -> Client:
        """A client of the APIs, which orders from the visit's own restaurant.

        Args:
            how: further arguments of `laptop.client.Client`.
        """
        return Client(self.stack.outputs, self.guests, self.restaurant_id, PAUSE, **how)

    def serve(self, menu: Mapping[str, Any], restaurant_id: str | None = None) -> Menu:
        """Let a restaurant have a menu, and wait until it is in effect. No list shows it.

        Args:
            menu: whatever restaurant it says it is of.
            restaurant_id: of a new restaurant; by default the visit's own.

        Returns:
            The menu.

        Raises:
            MenuNotTaken, NotInTime: it is not in effect.
        """
        whose = restaurant_id or self.restaurant_id
        if whose not in self._restaurants:
            self._restaurants.append(whose)
        content = json.dumps({**menu, "restaurant_id": whose}).encode()
        served = menus.serve(self.stack, f"{whose}.json", content)
        menus.unlist(self.stack, whose)
        return served

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The last is done first, and each whatever became of the others.
        with ExitStack() as over:
            over.callback(self.client.close)
            for restaurant_id in self._restaurants:
                over.callback(self._noted, f"the restaurant {restaurant_id}", menus.remove, self.stack, restaurant_id)
            over.callback(self._noted, f"the app client {self.name}", self.guests.close)
            # They bring orders to an end until then.
            for person in self.guests.everybody():
                over.callback(self._noted, f"the account {self.guests.email(person)}", self.guests.remove, person)
            over.callback(self._forget_customers)

    def _noted(self, what: str, remove: Callable[..., object], *arguments: object) -> None:
        """Remove something, or take note of why not."""
        try:
            remove(*arguments)
        except FAILURES as failure:
            self.left.append(f"{what}: {str(failure) or type(failure).__name__}")

    def _forget_customers(self) -> None:
        customers = [person for person in self.guests.everybody() if person.role is Role.CUSTOMER]
        with ThreadPoolExecutor(_ABREAST) as pool:
            for _ in pool.map(lambda each: self._noted(self.guests.email(each), self._forget, each), customers):
                pass

    def _forget(self, customer: Person) -> None:
        """End a customer's orders, and forget them."""
        deadline = Deadline(_PATIENCE)
        while True:
            try:
                list(self._personal.forget(self.guests.email(customer)))
            except UnknownCustomer:
                return
            except StillOpen as still:
                if deadline.passed():
                    raise
                self._end(still.orders, customer)
                time.sleep(PAUSE)
            else:
                return

    def _end(self, orders: Iterable[str], customer: Person) -> None:
        """Bring orders one move nearer to their end."""
        for order_id in orders:
            with suppress(Refused):
                order = self.client.order(order_id, by=customer)
                match order["status"]:
                    case "PLACED" | "AWAITING_RESTAURANT":
                        self.client.move(order_id, "cancel", by=customer)
                    case "PREPARING":
                        self.client.move(order_id, "dispatch", by=KNOWN[COURIER])
                    case "OUT_FOR_DELIVERY":
                        self._deliver(order_id)

    def _deliver(self, order_id: str) -> None:
        """Whoever took an order delivers it: to all others there is none."""
        for courier in [person for person in self.guests.everybody() if person.role is Role.COURIER]:
            with suppress(Refused):
                self.client.move(order_id, "deliver", by=courier)

    @property
    def cook(self) -> Person:
        """Who answers for the visit's restaurant."""
        return answering_for(self.restaurant_id)
