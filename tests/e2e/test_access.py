"""Who gets which answer: the whole table of `contracts.access`, on the deployed stack, with tokens of its user pool."""

import base64
import json
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from contracts import access
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from laptop import Stack
from laptop.client import Client
from laptop.code_flow import claims
from laptop.environment import trusted
from laptop.pace import patience
from laptop.people import KNOWN, RESTAURANT, Person
from tiffin.callers import Role
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("many")

CUSTOMER = "access-own"
PEOPLE = {
    "another customer": Person("access-other"),
    "restaurant": KNOWN["bella"],
    "another restaurant": Person("access-kitchen", Role.RESTAURANT, "r-of-nobody-else"),
    "courier": Person("access-courier", Role.COURIER),
    "another courier": Person("access-rider", Role.COURIER),
    "support": KNOWN["sue"],
}
"""Who asks, but for the customer: each order may have one of its own."""
WAY = {"AWAITING_RESTAURANT": "accept", "PREPARING": "dispatch", "OUT_FOR_DELIVERY": "deliver"}
PROBLEMS = {
    "401": {"sign-in-needed"},
    "403": {"not-your-role"},
    "404": {"unknown-order", "no-estimate"},
    "409": {"illegal-move"},
}
URLS = {
    "orders": "ApiUrl",
    "promotions": "PromotionsApiUrl",
    "support": "SupportApiUrl",
    "estimates": "EstimatesApiUrl",
    "live": "LiveApiUrl",
}
GROUPS = ("customer", "support")
"""Of whom tokens are tried: support's at its API, a customer's at the others."""
DATE_AND_IDS = {"date", "x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "x-amz-request-id"}


@dataclass(frozen=True)
class Order:
    """An order, and whose it is."""

    order_id: str
    customer: Person


@dataclass
class World:
    """People and their orders, on the running stack.

    Attributes:
        stack: where.
        client: places the orders and moves them.
    """

    stack: Stack
    client: Client
    _kept: dict[str, Order] = field(default_factory=dict)

    def order_in(self, status: str, *, alone: bool = False) -> Order:
        """An order in a status, with a courier where it has one: one that all tests look at, or a new one."""
        if not alone and status in self._kept:
            return self._kept[status]
        who = Person(f"{CUSTOMER}-{uuid.uuid4().hex[:8]}")
        order_id = str(self.client.place(customer=who.name)["order_id"])
        for before, move in WAY.items():
            self.client.until(order_id, before)
            if before == status:
                break
            by = PEOPLE["courier"] if move != "accept" else None
            self.client.move(order_id, move, by=by)
        self.client.until(order_id, status)
        made = Order(order_id, who)
        return made if alone else self._kept.setdefault(status, made)

    def estimate(self, order_id: str, customer_id: str) -> None:
        """Let an order have an estimate, without a model."""
        texts = {
            "order_id": order_id,
            "customer_id": customer_id,
            "restaurant_id": RESTAURANT,
            "accepted_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        item = {name: {"S": text} for name, text in texts.items()} | {"minutes": {"N": "30"}}
        self.stack.client("dynamodb").put_item(TableName=self.stack.outputs["EstimatesTableName"], Item=item)

    def ask(self, row: access.Row, order_id: str, token: str | None) -> httpx.Response:
        """Ask what a row is about."""
        method, path = row.route.split()
        path = path.format(order_id=order_id, restaurant_id=RESTAURANT) if "{" in path else path
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body: dict[str, Any] | None = None
        if row.route in ("POST /quotes", "POST /orders"):
            body = {"restaurant_id": RESTAURANT, "lines": [{"dish_id": "margherita", "quantity": 1}]}
        if row.route == "POST /orders":
            headers["Idempotency-Key"] = str(uuid.uuid4())
            delivery = {"name": "Ada", "address": "Harbour Street 1"}
            body = (body or {}) | {"payment_method": "pm_card_visa", "delivery": delivery}
        url = self.stack.outputs[URLS[row.service]] + path + row.query
        return httpx.request(
            method, url, headers=headers, json=body, timeout=patience(30), trust_env=False, verify=trusted()
        )

    def token(self, who: str, order: Order | None) -> str | None:
        """The token of somebody from the table's columns."""
        if who == "nobody":
            return None
        own = order.customer if order else Person(CUSTOMER)
        return self.stack.people.token(own if who == "customer" else PEOPLE[who])

    def comes_to_be_listed(self, row: access.Row, order: Order, token: str | None, wanted: bool) -> None:
        """Wait until a list has an order in it, or has not: an index follows its table."""
        eventually(lambda: self.lists(row, order, token) == wanted, what=f"{order.order_id} in the list: {wanted}")

    def lists(self, row: access.Row, order: Order, token: str | None) -> bool:
        """Whether a list has an order in it; of promo codes, one that the order earned. It is read to its end."""
        looked_for, pages = order.order_id, row.query or "?"
        if row.service == "promotions":
            own = self.stack.people.token(order.customer)
            codes = eventually(lambda: self.ask(row, "", own).json()["promo_codes"], what="a promo code")
            looked_for = codes[0]["code"]
        query = httpx.QueryParams(pages.lstrip("?")).set("limit", 100)
        while True:
            page = self.ask(access.Row(row.service, row.route, "", {}, f"?{query}"), "", token).json()
            if looked_for in json.dumps(page):
                return True
            if not page.get("next"):
                return False
            query = query.set("next", page["next"])


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    with closing(Client(stack.outputs, stack.people)) as client:
        yield World(stack, client)


def nobodys() -> str:
    """An id that an order could have, and none has."""
    return "ord_" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))


def problem(answer: httpx.Response) -> str:
    """The last part of a refusal's type."""
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).rpartition("/")[2]


def told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer, but for what differs from one request to the next."""
    return answer.status_code, answer.content, {n: v for n, v in answer.headers.items() if n not in DATE_AND_IDS}


@pytest.mark.parametrize("row", access.ROWS, ids=str)
def test_everybody_gets_the_answer_that_the_table_says(world: World, row: access.Row) -> None:
    # What is done changes the order: so first those who do nothing, and then each with an order of their own.
    doers = [who for who, answer in row.answers.items() if answer == "202"]
    order = world.order_in(row.order, alone=bool(doers)) if row.order else None
    order_id = order.order_id if order else ""
    if order:
        row = replace(row, query=row.query.format(customer_id=world.stack.people.subject(order.customer)))
    if order and row.service == "estimates":
        world.estimate(order_id, world.stack.people.subject(order.customer))
    found = {}
    for who in [who for who in access.ASKS if who not in doers]:
        token = world.token(who, order)
        answer = world.ask(row, order_id, token)
        found[who] = str(answer.status_code)
        if found[who] in PROBLEMS:
            assert problem(answer) in PROBLEMS[found[who]]
        if found[who] == "404":
            assert told(answer) == told(world.ask(row, nobodys(), token)), who
        if order and row.answers[who][3:]:
            world.comes_to_be_listed(row, order, token, row.answers[who].endswith("+"))
            found[who] += row.answers[who][3:]
    for nth, who in enumerate(doers):
        own = order if nth == 0 else world.order_in(row.order, alone=True)
        assert own
        found[who] = str(world.ask(row, own.order_id, world.token(who, own)).status_code)
    assert found == row.answers


class Tokens:
    """Makes every kind of token that somebody might try, of people made for it.

    Args:
        stack: whose user pool and keys.
        group: whose tokens.
    """

    def __init__(self, stack: Stack, group: str) -> None:
        self._stack, self._pool, self._group = stack, stack.client("cognito-idp"), group
        self._pool_id = stack.outputs["UserPoolId"]
        self._password = f"Aa1-{uuid.uuid4()}"

    def good(self) -> tuple[str, dict[str, Any]]:
        """A token that is taken, and what is in it."""
        token = self._stack.people.token(Person(f"access-token-{self._group}", Role(self._group)))
        return token, claims(token)

    def expired(self) -> str:
        token, said = self.good()
        [key] = Path(self._stack._process.scratch).rglob(f"{self._pool_id}-id.pem")
        ours: Any = serialization.load_pem_private_key(key.read_bytes(), None)
        past = int(time.time()) - 3600
        fresh = signed(token, said, ours)
        assert fresh == token, "what is signed here is signed as the pool does"
        return signed(token, said | {"iat": past - 900, "auth_time": past - 900, "exp": past}, ours)

    def of_another_pool(self) -> str:
        pool_id = self._pool.create_user_pool(PoolName="elsewhere")["UserPool"]["Id"]
        try:
            self._pool.create_group(UserPoolId=pool_id, GroupName=self._group)
            return self._of_somebody(pool_id, self._group)["IdToken"]
        finally:
            self._pool.delete_user_pool(UserPoolId=pool_id)

    def tampered(self) -> str:
        token, said = self.good()
        head, _, signature = token.split(".")
        others = [group for group in GROUPS if group != self._group]
        return f"{head}.{text(said | {'cognito:groups': others})}.{signature}"

    def unsigned(self) -> str:
        return f"{text({'alg': 'none', 'typ': 'JWT'})}.{self.good()[0].split('.')[1]}."

    def of_another_key(self) -> str:
        token, said = self.good()
        return signed(token, said, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def access(self) -> str:
        return self._of_somebody(self._pool_id, self._group)["AccessToken"]

    def of(self, *groups: str) -> str:
        """The ID token of an account in these groups."""
        return self._of_somebody(self._pool_id, *groups)["IdToken"]

    def of_a_deleted_user(self, seconds: int) -> str:
        """An ID token that is good for so long, of a user who is gone."""
        return self._of_somebody(self._pool_id, self._group, seconds=seconds, stays=False)["IdToken"]

    def _of_somebody(self, pool_id: str, *groups: str, seconds: int = 600, stays: bool = True) -> dict[str, str]:
        where = {"UserPoolId": pool_id, "Username": f"{uuid.uuid4().hex}@tiffin.example"}
        self._pool.admin_create_user(**where, MessageAction="SUPPRESS")
        self._pool.admin_set_user_password(**where, Password=self._password, Permanent=True)
        for group in groups:
            self._pool.admin_add_user_to_group(**where, GroupName=group)
        client_id = self._pool.create_user_pool_client(
            UserPoolId=pool_id,
            ClientName=uuid.uuid4().hex,
            ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
            IdTokenValidity=seconds,
            AccessTokenValidity=seconds,
            TokenValidityUnits={"IdToken": "seconds", "AccessToken": "seconds"},
        )["UserPoolClient"]["ClientId"]
        try:
            tokens: dict[str, str] = self._pool.admin_initiate_auth(
                UserPoolId=pool_id,
                ClientId=client_id,
                AuthFlow="ADMIN_USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": where["Username"], "PASSWORD": self._password},
            )["AuthenticationResult"]
        finally:
            self._pool.delete_user_pool_client(UserPoolId=pool_id, ClientId=client_id)
            if not stays:
                self._pool.admin_delete_user(**where)
        return tokens


def text(value: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(like: str, said: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    """A token with the head of another one."""
    asked = f"{like.split('.')[0]}.{text(said)}"
    signature = key.sign(asked.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{asked}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


MADE: dict[str, Callable[[Tokens], str]] = {
    "expired": Tokens.expired,
    "of another user pool": Tokens.of_another_pool,
    "tampered with": Tokens.tampered,
    "unsigned": Tokens.unsigned,
    "signed by another key": Tokens.of_another_key,
    "an access token": Tokens.access,
    "of an account in no group": lambda tokens: tokens.of(),
    "of an account in two groups": lambda tokens: tokens.of("customer", "support"),
    "of a restaurant's account without its restaurant": lambda tokens: tokens.of("restaurant"),
}
ONCE_GONE = [one for one in access.TOKENS if one.kind.startswith("of a deleted user")]


def tokens(world: World, make: Callable[[Tokens], str]) -> dict[str, str]:
    """A kind of token, of somebody of each group."""
    return {group: make(Tokens(world.stack, group)) for group in GROUPS}


def answers(world: World, tokens: dict[str, str]) -> dict[str, tuple[int, str]]:
    """What each API answers to a token, by its bearer's group: the status, and the problem if it is one."""
    found = {}
    for service, route in access.ASKED.items():
        order_id, token = nobodys(), tokens["support" if service == "support" else "customer"]
        if service == "estimates":
            world.estimate(order_id, str(claims(token)["sub"]))
        answer = world.ask(access.Row(service, route, "", {}), order_id, token)
        found[service] = answer.status_code, "" if answer.is_success else problem(answer)
    return found


def test_a_token_that_is_good_is_taken(world: World) -> None:
    """And so what is refused below is refused for what the test did to it."""
    assert answers(world, tokens(world, lambda made: made.good()[0])) == dict.fromkeys(access.ASKED, (200, ""))


@pytest.mark.parametrize("one", [one for one in access.TOKENS if one not in ONCE_GONE], ids=lambda one: str(one.kind))
def test_a_token_is_answered_as_the_table_says(world: World, one: access.Token) -> None:
    assert answers(world, tokens(world, MADE[one.kind])) == dict.fromkeys(access.ASKED, (one.status, one.problem))


def test_a_deleted_users_token_is_taken_until_it_expires(world: World) -> None:
    before, after = ONCE_GONE
    gone = tokens(world, lambda made: made.of_a_deleted_user(int(patience(15))))
    assert answers(world, gone) == dict.fromkeys(access.ASKED, (before.status, before.problem))
    refused = dict.fromkeys(access.ASKED, (after.status, after.problem))
    eventually(lambda: answers(world, gone) == refused, what="the tokens' end")
    assert all(claims(token)["exp"] <= time.time() for token in gone.values())


class TestPagesOfTheConsole:
    ORIGIN = "https://console.invalid"

    def ask(self, world: World, api: str, method: str, path: str, **headers: str) -> httpx.Response:
        url = world.stack.outputs[URLS[api]] + path
        headers = {"Origin": self.ORIGIN} | headers
        return httpx.request(method, url, headers=headers, timeout=patience(30), trust_env=False, verify=trusted())

    @pytest.mark.parametrize(
        ("api", "path", "method"),
        [
            ("orders", "/orders", "POST"),
            ("promotions", "/promo-codes", "GET"),
            ("support", "/orders/x", "GET"),
            ("estimates", "/orders/x/estimate", "GET"),
            ("live", "/tickets", "POST"),
        ],
    )
    def test_a_preflight_is_answered_without_a_token(self, world: World, api: str, path: str, method: str) -> None:
        answer = self.ask(world, api, "OPTIONS", path, **{"Access-Control-Request-Method": method})
        assert answer.status_code == 200
        allowed = {n: v for n, v in answer.headers.items() if n.startswith("access-control-")}
        assert allowed["access-control-allow-origin"] == self.ORIGIN
        assert method in allowed["access-control-allow-methods"]
        assert {"authorization", "if-none-match"} <= set(allowed["access-control-allow-headers"].split(","))
        assert "access-control-allow-credentials" not in allowed

    @pytest.mark.parametrize("api", URLS)
    @pytest.mark.parametrize(("path", "status"), [("/nothing/here", 404), ("asked", 401), ("/openapi.json", 200)])
    def test_every_answer_names_the_console_alone(self, world: World, api: str, path: str, status: int) -> None:
        """API Gateway's own answers, and the functions'."""
        asked = re.sub(r"\{.*?\}", "x", access.ASKED[api]) if path == "asked" else f"GET {path}"
        answer = self.ask(world, api, *asked.split())
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == self.ORIGIN
        assert "access-control-allow-credentials" not in answer.headers

    def test_what_a_page_has_is_not_sent_again(self, world: World) -> None:
        token = world.stack.people.token(CUSTOMER)
        first = self.ask(world, "orders", "GET", "/restaurants", Authorization=f"Bearer {token}")
        assert "ETag" in first.headers["access-control-expose-headers"].split(", ")
        known = {"If-None-Match": f'W/"other", {first.headers["etag"]}'}
        again = self.ask(world, "orders", "GET", "/restaurants", Authorization=f"Bearer {token}", **known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["access-control-allow-origin"] == self.ORIGIN

    def test_what_is_personal_is_kept_by_nobody(self, world: World) -> None:
        token = world.stack.people.token(CUSTOMER)
        answer = self.ask(world, "orders", "GET", "/orders", Authorization=f"Bearer {token}")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert "access-control-allow-credentials" not in answer.headers
