"""What somebody sends by hand who means harm, over the wire: what is in between may read it in its own way."""

import base64
import http.client
import itertools
import json
import socket
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from laptop import Stack
from laptop.client import Client, Refused
from laptop.code_flow import claims
from laptop.pace import patience
from laptop.people import RESTAURANT, Person
from tiffin.callers import Role
from worlds.polling import eventually
from worlds.stack import row

pytestmark = pytest.mark.laptop("harm")

Headers = list[tuple[str, str]]
MANY = 6
COURIERS = [Person(f"abuse-rider-{n}", Role.COURIER) for n in range(MANY)]
COOKS = [Person(f"abuse-cook-{n}", Role.RESTAURANT, RESTAURANT) for n in range(MANY)]


class Wire:
    """Sends what a library would not: paths as they stand, and headers more than once.

    Args:
        stack: to its orders API.
    """

    def __init__(self, stack: Stack) -> None:
        self.url = urlsplit(stack.outputs["ApiUrl"])

    def ask(
        self, method: str, path: str, headers: Headers | None = None, body: bytes = b"", below: str | None = None
    ) -> tuple[int, bytes]:
        """A request as it stands.

        Args:
            method: of HTTP, or not.
            path: below the stage, as it goes over the wire.
            headers: in this order.
            body: sent with its length.
            below: instead of the stage's path.
        """
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=patience(30))
        try:
            connection.putrequest(method, (self.url.path if below is None else below) + path)
            for name, value in [*(headers or []), ("Content-Length", str(len(body)))]:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def wire(stack: Stack) -> Wire:
    return Wire(stack)


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


def outcome(call: Callable[[], Any]) -> str:
    """How a call was answered: the problem's name, or nothing."""
    try:
        call()
    except Refused as refused:
        return str(refused.problem["type"]).rpartition("/")[2]
    return ""


class TestHeaders:
    @pytest.mark.parametrize("first", ["ada", "sue"])
    def test_of_two_tokens_the_one_that_is_judged_is_the_one_that_counts(
        self, stack: Stack, wire: Wire, first: str
    ) -> None:
        """Whichever it is: no request is verified as one person and answered as another."""
        names = ["ada", "sue"] if first == "ada" else ["sue", "ada"]
        both = [header for name in names for header in bearer(stack.people.token(name))]
        statuses = [wire.ask("GET", path, both)[0] for path in ("/orders", "/support/orders")]
        assert statuses in ([200, 403], [403, 200], [401, 401], [400, 400])

    @pytest.mark.parametrize("forged_first", [True, False])
    def test_a_forged_token_beside_a_good_one_makes_nobody_support(
        self, stack: Stack, wire: Wire, forged_first: bool
    ) -> None:
        good = stack.people.token("ada")
        head, _, signature = good.split(".")
        said = json.dumps(claims(good) | {"cognito:groups": ["support"]}).encode()
        forged = f"{head}.{base64.urlsafe_b64encode(said).decode().rstrip('=')}.{signature}"
        both = [header for token in ([forged, good] if forged_first else [good, forged]) for header in bearer(token)]
        assert wire.ask("GET", "/support/orders", both)[0] in (400, 401, 403)

    def test_what_a_client_says_of_itself_counts_for_nothing(self, stack: Stack, wire: Wire) -> None:
        sub = stack.people.subject("ada")
        said = {"claims": {"sub": sub, "token_use": "id", "cognito:groups": "support"}}
        headers = [
            ("X-Amzn-Request-Context", json.dumps({"authorizer": said})),
            ("X-Forwarded-User", sub),
            ("X-HTTP-Method-Override", "OPTIONS"),
            ("Cookie", f"token={stack.people.token('ada')}"),
        ]
        assert wire.ask("GET", "/orders", headers)[0] == 401
        assert wire.ask("GET", f"/orders?access_token={stack.people.token('ada')}", headers)[0] == 401

    def test_a_header_is_called_what_it_is_in_capitals_too(self, stack: Stack, wire: Wire) -> None:
        token = stack.people.token("ada")
        assert wire.ask("GET", "/orders", [("AUTHORIZATION", f"Bearer {token}")])[0] == 200
        assert wire.ask("GET", "/support/orders", [("aUTHORIZATION", f"Bearer {token}")])[0] == 403

    @pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "X-Anything"])
    def test_a_header_of_a_megabyte_is_refused_and_others_are_served(self, wire: Wire, name: str) -> None:
        try:
            status = wire.ask("POST", "/orders", [(name, "x" * 1_000_000)], b"{}")[0]
        except (ConnectionError, http.client.HTTPException):
            status = 400  # hung up, which says the same
        assert 400 <= status < 500
        assert wire.ask("GET", "/restaurants")[0] == 200


class TestPathsAndMethods:
    @pytest.mark.parametrize(
        "path",
        [
            "/orders/../support/orders",
            "/orders/%2e%2e/support/orders",
            "/restaurants/../support/orders",
            "/restaurants/%2e%2e%2fsupport%2forders",
            "//support/orders",
            "/support%2Forders",
            "/support/orders/",
            "/support/orders;x",
            "/SUPPORT/orders",
            "/support/orders%00",
            "/support/orders%3Fstatus=PLACED",
        ],
    )
    def test_no_way_of_writing_a_path_leads_a_customer_to_support(self, stack: Stack, wire: Wire, path: str) -> None:
        for headers in ([], bearer(stack.people.token("ada"))):
            status, body = wire.ask("GET", path, headers)
            assert 400 <= status < 500, body

    @pytest.mark.parametrize(
        "path", ["/orders/{}%2Faccept", "/orders//{}/accept", "/orders/./{}/accept", "/orders/x/../{}/accept"]
    )
    def test_no_way_of_writing_a_path_moves_another_s_order(
        self, stack: Stack, wire: Wire, client: Client, customer: str, path: str
    ) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        before = row(stack, order_id)
        for headers in ([], bearer(stack.people.token(f"{customer[:40]}-x"))):
            assert 400 <= wire.ask("POST", path.format(order_id), headers)[0] < 500
        assert row(stack, order_id) == before

    @pytest.mark.parametrize("stage", ["", "/prod", "/Stage", "/v1/v1", "/%76%31/..", "/V1"])
    def test_there_is_no_other_stage(self, stack: Stack, wire: Wire, stage: str) -> None:
        api = wire.url.path.rpartition("/")[0]
        status, body = wire.ask("GET", "/orders", bearer(stack.people.token("ada")), below=api + stage)
        assert 400 <= status < 500, body

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PROPFIND", "GETX"])
    def test_a_method_that_a_path_has_not_does_nothing(
        self, stack: Stack, wire: Wire, client: Client, customer: str, method: str
    ) -> None:
        for headers in ([], bearer(stack.people.token(customer))):
            assert 400 <= wire.ask(method, "/orders", [*headers, ("X-HTTP-Method-Override", "POST")], b"{}")[0] < 500
        assert client.orders(customer) == []


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\x00" * 100,
            b"\xff\xfe{}",
            b"[" * 60_000,
            b'{"a":' * 10_000,
            b'{"customer_id": "somebody-else"}',
            b'{"__proto__": {"role": "support"}}',
            b"1e999999",
            b'{"lines": [' + b'{"dish_id": "margherita", "quantity": 1},' * 1_000 + b"]}",
            b'"' + b"x" * 100_000 + b'"',
        ],
        ids=lambda body: f"{body[:20]!r}",
    )
    def test_no_body_is_more_than_a_bad_request(
        self, stack: Stack, wire: Wire, client: Client, customer: str, body: bytes
    ) -> None:
        headers = bearer(stack.people.token(customer))
        headers += [("Content-Type", "application/json"), ("Idempotency-Key", str(uuid.uuid4()))]
        status, answer = wire.ask("POST", "/orders", headers, body)
        assert status in (400, 413, 422), answer
        assert json.loads(answer)["type"].startswith("https://tiffin.example/problems/")
        assert client.orders(customer) == []

    def test_a_customer_is_nobody_else_by_saying_so(self, client: Client, customer: str) -> None:
        refused = outcome(lambda: client.place(customer=customer, customer_id=client.people.subject("ada")))
        assert refused == "invalid-request"

    def test_who_sends_half_a_request_holds_up_nobody(self, stack: Stack, wire: Wire, client: Client) -> None:
        head = f"POST {wire.url.path}/orders HTTP/1.1\r\nHost: {wire.url.netloc}\r\nContent-Length: 5000\r\n\r\n{{"
        slow = [socket.create_connection((wire.url.hostname or "", wire.url.port or 80)) for _ in range(20)]
        try:
            for sender in slow:
                sender.sendall(head.encode())
            assert client.restaurants()
            assert wire.ask("GET", "/orders", bearer(stack.people.token("ada")))[0] == 200
        finally:
            for sender in slow:
                sender.close()
        assert client.restaurants()


class TestAtOnce:
    """The same, by many, at the same moment."""

    def test_of_couriers_who_take_the_same_order_one_has_it(self, stack: Stack, client: Client, customer: str) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        client.move(order_id, "accept")
        client.until(order_id, "PREPARING")
        for courier in COURIERS:
            stack.people.token(courier)
        with ThreadPoolExecutor(MANY) as pool:
            got = list(pool.map(lambda c: outcome(lambda: client.move(order_id, "dispatch", by=c)), COURIERS))
        assert got.count("") == 1
        assert set(got) <= {"", "unknown-order"}
        winner = COURIERS[got.index("")]
        assert row(stack, order_id)["courier_id"]["S"] == stack.people.subject(winner)
        client.until(order_id, "OUT_FOR_DELIVERY")
        for courier in COURIERS:
            expected = "" if courier is winner else "unknown-order"
            assert outcome(lambda c=courier: client.order(order_id, by=c)) == expected  # type: ignore[misc]

    def test_of_a_restaurants_people_and_a_customer_one_decides(
        self, stack: Stack, client: Client, customer: str
    ) -> None:
        order_id = client.place(customer=customer)["order_id"]
        client.until(order_id, "AWAITING_RESTAURANT")
        stack.people.token(customer)
        moves = [(cook, "accept" if n % 2 else "reject") for n, cook in enumerate(COOKS)] + [
            (Person(customer), "cancel")
        ]
        for person, _ in moves:
            stack.people.token(person)
        with ThreadPoolExecutor(len(moves)) as pool:
            got = list(pool.map(lambda m: outcome(lambda: client.move(order_id, m[1], by=m[0])), moves))
        assert Counter(got) == {"": 1, "illegal-move": len(moves) - 1}
        made = moves[got.index("")][1]
        client.until(order_id, {"accept": "PREPARING", "reject": "REJECTED", "cancel": "CANCELLED"}[made])

    def test_of_twenty_orders_at_once_five_are_open_and_places_are_given_back(
        self, stack: Stack, client: Client, customer: str, subject: str
    ) -> None:
        def place(_: int) -> str:
            # Who got in another's way is told so, and tries again.
            while (told := outcome(lambda: client.place(customer=customer))) == "too-many-at-once":
                pass
            return told

        def places() -> tuple[int, set[str]]:
            """How many the row says are taken, and by which orders."""
            key = {"customer_id": {"S": subject}, "record": {"S": "open"}}
            found = stack.client("dynamodb").get_item(TableName=stack.outputs["CustomersTableName"], Key=key)["Item"]
            return int(found["orders"]["N"]), {name for name in found if name.startswith("ord_")}

        with ThreadPoolExecutor(20) as pool:
            got = Counter(pool.map(place, range(20)))
        assert got == {"": 5, "too-many-open-orders": 15}
        orders = [order["order_id"] for order in client.orders(customer)]
        assert places() == (5, set(orders))
        for order_id in orders:
            client.until(order_id, "AWAITING_RESTAURANT")
            client.move(order_id, "reject")
            client.until(order_id, "REJECTED")
        eventually(lambda: places() == (0, set()), what="the places, given back")
        assert outcome(lambda: client.place(customer=customer)) == ""


class TestGuessing:
    def test_whoever_guesses_codes_is_stopped_at_ten(self, client: Client, customer: str) -> None:
        """Be it by orders, by quotes, or now by one and now by the other."""
        ways = itertools.cycle([client.place, client.quote])

        def guess() -> str:
            code = f"WELCOME-{uuid.uuid4().hex[:8].upper()}"
            return outcome(lambda: next(ways)(customer=customer, promo_code=code))

        began = datetime.now(UTC).hour
        tries = list(itertools.takewhile(lambda got: got == "unknown-promo-code", (guess() for _ in range(21))))
        assert {guess(), guess()} == {"too-many-codes"}
        # An hour is one of the clock: who begins before its end has twice as many around it.
        assert len(tries) == 10 or (datetime.now(UTC).hour != began and 10 < len(tries) <= 20)

    def test_another_customers_page_token_leads_nowhere(
        self, stack: Stack, wire: Wire, client: Client, customer: str
    ) -> None:
        for _ in range(2):
            client.place(customer=customer)
        own = bearer(stack.people.token(customer))
        page = eventually(
            lambda: json.loads(wire.ask("GET", "/orders?limit=1", own)[1]).get("next"), what="a next page"
        )
        assert wire.ask("GET", f"/orders?limit=1&next={page}", own)[0] == 200
        stranger = bearer(stack.people.token(f"{customer[:40]}-x"))
        status, answer = wire.ask("GET", f"/orders?limit=1&next={page}", stranger)
        assert (status, json.loads(answer)["type"].rpartition("/")[2]) == (422, "invalid-page-token")
