"""Who signs in, as what, and with which token; and the people of the laptop.

Those are users of the emulator's user pool alone, made by its administrator's API when somebody first asks for them. No
template holds a user, so none can be deployed. A person signs in through the pool's pages, as a browser would; only the
form is filled in from here. Who visits a stack on AWS is `operations.visiting.Guests`.
"""

import base64
import hashlib
import hmac
import re
import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import httpx
from tiffin.callers import Role

from .code_flow import Attempt, claims, signed_in
from .environment import Access, client, trusted

RESTAURANT = "r-bella-napoli"
"""Whose orders `bella` answers."""
DOMAIN = "tiffin.example"
"""Of their e-mail addresses: nobody's domain (RFC 2606)."""
_SPARE_SECONDS = 120


@dataclass(frozen=True)
class Person:
    """Somebody who signs in.

    Attributes:
        name: what they are called here; their e-mail address begins with it.
        role: as what they sign in, the group that they are in.
        restaurant_id: the restaurant that they answer for, of the role `restaurant`.
    """

    name: str
    role: Role = Role.CUSTOMER
    restaurant_id: str | None = None

    @property
    def email(self) -> str:
        """By which they sign in."""
        return f"{self.name}@{DOMAIN}"


KNOWN = {
    person.name: person
    for person in (
        Person("ada"),
        Person("bella", Role.RESTAURANT, RESTAURANT),
        Person("carl", Role.COURIER),
        Person("sue", Role.SUPPORT),
    )
}
"""Those who need no introduction: a customer, a restaurant, a courier, and support."""


def somebody(name: str, role: str | None = None, restaurant_id: str | None = None) -> Person:
    """A person by name: of those who are known, or a new one.

    Args:
        name: small letters, digits and hyphens.
        role: as what they sign in; of a new one, `customer` unless it is said.
        restaurant_id: for whom they answer, of the role `restaurant`.

    Raises:
        ValueError: it is no name, no role, or somebody known by that name has another.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name):
        raise ValueError(f"{name!r} is no name: small letters, digits and hyphens")
    known = KNOWN.get(name)
    told = Person(name, Role(role or "customer"), restaurant_id)
    person = told if role or restaurant_id else known or told
    if (person.role is Role.RESTAURANT) != bool(person.restaurant_id):
        raise ValueError("the role of a restaurant, and no other, has its restaurant")
    if known and known != person:
        raise ValueError(f"{name} is {known.role} here, and nobody else: take another name")
    return person


def answering_for(restaurant_id: str) -> Person:
    """Who answers a restaurant's orders."""
    return KNOWN["bella"] if restaurant_id == RESTAURANT else Person(restaurant_id, Role.RESTAURANT, restaurant_id)


class SignsIn(Protocol):
    """Who has the tokens of people: all that a client of the APIs asks for."""

    def token(self, person: Person | str) -> str:
        """See `Keyring.token`."""

    def subject(self, person: Person | str) -> str:
        """See `Keyring.subject`."""


class Keyring(ABC):
    """The ID tokens of people, each kept for as long as it is good. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._tokens: dict[Person, str] = {}
        self._turns: defaultdict[Person, threading.Lock] = defaultdict(threading.Lock)

    def token(self, person: Person | str) -> str:
        """A person's ID token that is good for a while yet.

        Args:
            person: who, or the name of somebody known, or of a customer.

        Raises:
            NotSignedIn: they could not be signed in.
        """
        who = somebody(person) if isinstance(person, str) else person
        with self._turns[who]:
            token = self._tokens.get(who)
            if token is None:
                self._make(who)
            if token is None or claims(token)["exp"] - time.time() < _SPARE_SECONDS:
                token = self._tokens[who] = self._signed_in(who)
            return token

    def subject(self, person: Person | str) -> str:
        """What the APIs and the events call a person: the token's `sub`.

        Args:
            person: as for `token`.
        """
        return str(claims(self.token(person))["sub"])

    @abstractmethod
    def _make(self, person: Person) -> None:
        """See that there is an account."""

    @abstractmethod
    def _signed_in(self, person: Person) -> str:
        """Sign somebody in, and return the ID token."""


def make_account(pool: Any, pool_id: str, person: Person, email: str, password: str) -> None:
    """Let a person have an account in a user pool, by the administrator's API. No mail goes out.

    Args:
        pool: a client of Cognito.
        pool_id: the pool.
        person: who; what is there of them already stays.
        email: by which they sign in.
        password: with which.
    """
    where = {"UserPoolId": pool_id, "Username": email}
    attributes = {"email": email, "email_verified": "false"}
    if person.restaurant_id:
        attributes["custom:restaurant_id"] = person.restaurant_id
    # Another process may have made them, and not have got any further.
    with suppress(pool.exceptions.UsernameExistsException):
        pool.admin_create_user(
            **where,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            MessageAction="SUPPRESS",
        )
    pool.admin_set_user_password(**where, Password=password, Permanent=True)
    pool.admin_add_user_to_group(**where, GroupName=person.role)


class People(Keyring):
    """Signs people in, one stack's of the laptop.

    Args:
        access: the emulator's.
        outputs: the stack's.
    """

    def __init__(self, access: Access, outputs: Mapping[str, str]) -> None:
        super().__init__()
        self._access, self._outputs = access, outputs
        self._http = httpx.Client(verify=trusted(), trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def confirm(self, person: Person | str) -> str:
        """Let a person show that their address is theirs, as by the link in a mail: from then on they are told by mail.

        Args:
            person: as for `token`.

        Returns:
            The address.
        """
        who = somebody(person) if isinstance(person, str) else person
        self.token(who)
        self._pool.admin_update_user_attributes(
            UserPoolId=self._outputs["UserPoolId"],
            Username=who.email,
            UserAttributes=[{"Name": "email_verified", "Value": "true"}],
        )
        return who.email

    def welcome(self) -> list[Person]:
        """See that everybody known has an account, for whoever signs in as one of them by a browser.

        Returns:
            Who they are.
        """
        for person in KNOWN.values():
            self._make(person)
        return list(KNOWN.values())

    @cached_property
    def password(self) -> str:
        """Everybody's password: it follows from what only this emulator's owner knows, and goes when it goes."""
        known = self._access.secret_access_key.encode()
        made = hmac.digest(known, f"people of {self._outputs['UserPoolId']}".encode(), hashlib.sha256)
        return "Aa1-" + base64.urlsafe_b64encode(made).decode().rstrip("=")

    @cached_property
    def _pool(self) -> Any:
        return client("cognito-idp", self._access)

    def _make(self, person: Person) -> None:
        make_account(self._pool, self._outputs["UserPoolId"], person, person.email, self.password)

    def _signed_in(self, person: Person) -> str:
        attempt = Attempt(self._outputs["SignInUrl"], self._outputs["UserPoolClientId"])
        return signed_in(attempt, person.email, self.password, self._http)
