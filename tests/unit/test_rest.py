"""Both REST APIs, asked as API Gateway hands requests on: each gets an answer of its kind, whatever it holds."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from orders import api as orders_api
from promotions import api as promotions_api
from worlds.gateway import Answer, Handler, ask, claims_of, event, restaurant, support
from worlds.logs import Log, captured
from worlds.orders import Api, an_order, orders_world
from worlds.promotions import ANNA, TRACE, RecordingStore, delivered, expired
from worlds.templates import create_table

JSON = {"Content-Type": "application/json"}
SECRET = "Ada Lovelace, 1 Analytical Row"  # what a message of an error may repeat


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        yield ready


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingStore]:
    with mock_aws():
        table = create_table("promotions", "PromotionsTable")
        monkeypatch.setattr(promotions_api, "store", lambda: RecordingStore(table))
        yield RecordingStore(table)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """What is logged meanwhile."""
    return captured(monkeypatch)


def place(body: str | bytes | None = None, **headers: str) -> Answer:
    text = json.dumps(an_order()) if body is None else body
    sent = {"Idempotency-Key": "key-1"} | JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(orders_api.handler, event("POST", "/orders", body=text, headers=sent))


def token(**position: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def with_quantity(quantity: str) -> str:
    return json.dumps(an_order()).replace('"quantity": 2', f'"quantity": {quantity}')


@pytest.mark.usefixtures("codes")
class TestWhateverABodyHolds:
    @pytest.mark.parametrize(
        ("body", "status", "problem"),
        [
            (with_quantity("9" * 5_000), 400, "malformed-json"),
            (with_quantity("-" + "9" * 60_000), 400, "malformed-json"),
            (with_quantity("9" * 4_000), 422, "invalid-request"),
            (with_quantity("1e999"), 422, "invalid-request"),
            (with_quantity("1" + "0" * 400 + ".5"), 422, "invalid-request"),
            (with_quantity("NaN"), 400, "malformed-json"),
            (with_quantity("-Infinity"), 400, "malformed-json"),
            (with_quantity("[" * 61 + "]" * 61), 422, "invalid-request"),
            (with_quantity("[" * 62 + "]" * 62), 400, "malformed-json"),
            (with_quantity('"' + '\\"[{' * 900 + '"'), 422, "invalid-request"),
            ('{"a":' * 5_000 + "1" + "}" * 5_000, 400, "malformed-json"),
            ('{"note": "\\ud800"}', 400, "malformed-json"),
            ('{"\\ud800": 1}', 400, "malformed-json"),
            ("\ud800", 400, "malformed-json"),
            ("\ufeff{}", 400, "malformed-json"),
            ("[" + json.dumps(an_order()) + "]", 422, "invalid-request"),
            ('"text"', 422, "invalid-request"),
            ("0", 422, "invalid-request"),
            ("false", 422, "invalid-request"),
            ("null", 422, "invalid-request"),
            ("   ", 400, "malformed-json"),
            (b"\xff\xfe{\x00}\x00", 400, "malformed-json"),
            (b"x" * 65_537, 413, "body-too-large"),
            (b"{" * 60_000, 400, "malformed-json"),
        ],
    )
    def test_it_is_refused(self, orders: Api, body: str | bytes, status: int, problem: str) -> None:
        answer = place(body)
        assert (answer.status, answer.problem) == (status, problem)
        assert orders.rows() == []

    @pytest.mark.parametrize("quantity", ["2.0", "2e0", "0.2E+1"])
    def test_a_whole_number_is_one_however_it_is_written(self, orders: Api, quantity: str) -> None:
        answer = place(with_quantity(quantity))
        assert (answer.status, answer.body["lines"][0]["quantity"]) == (201, 2)
        assert place().status == 200  # the same request

    def test_an_order_in_base64_is_an_order(self, orders: Api) -> None:
        assert place(json.dumps(an_order()).encode()).status == 201

    @pytest.mark.parametrize("body", ["not base64!", "e30", "é"])
    def test_what_only_says_that_it_is_base64_is_refused(self, orders: Api, body: str) -> None:
        request = event("POST", "/orders", body=body, headers=JSON | {"Idempotency-Key": "k"})
        answer = ask(orders_api.handler, request | {"isBase64Encoded": True})
        assert (answer.status, answer.problem) == (400, "malformed-json")

    @pytest.mark.parametrize(
        "body",
        [
            json.dumps(an_order())[:-1] + ', "payment_method": "pm_card_mastercard"}',
            with_quantity('1, "quantity": 2'),
            json.dumps(an_order()).replace('"name"', '"name": "Bob", "n\\u0061me"'),
        ],
    )
    def test_a_name_that_stands_twice_is_a_misunderstanding(self, orders: Api, body: str) -> None:
        answer = place(body)
        assert (answer.status, answer.problem) == (422, "invalid-request")
        assert answer.body["errors"] == [{"pointer": "/body", "reason": "A name stands twice in one object"}]
        assert orders.rows() == []

    def test_a_pointer_leads_to_a_field_of_any_name(self, orders: Api) -> None:
        answer = place(json.dumps(an_order() | {"a/b~c": 1}))
        assert [error["pointer"] for error in answer.body["errors"]] == ["/body/a~1b~0c"]

    @pytest.mark.parametrize("body", ["{}", "null", '{"reason": "other"}'])
    def test_a_rejection_may_say_nothing(self, orders: Api, body: str) -> None:
        orders.put(order_id := place().body["order_id"], "AWAITING_RESTAURANT")
        assert (
            ask(orders_api.handler, event("POST", f"/orders/{order_id}/reject", body=body, headers=JSON)).status == 202
        )

    def test_a_rejection_in_a_list_is_refused(self, orders: Api) -> None:
        orders.put(order_id := place().body["order_id"], "AWAITING_RESTAURANT")
        request = event("POST", f"/orders/{order_id}/reject", body='[{"reason": "other"}]', headers=JSON)
        assert ask(orders_api.handler, request).problem == "invalid-request"


class TestWhateverHeadersSay:
    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "APPLICATION/JSON",
            "Application/Json; charset=UTF-8",
            'application/json;charset="utf-8"',
            " application/json ; boundary=x",
        ],
    )
    def test_json_is_json_in_capitals_too(self, orders: Api, content_type: str) -> None:
        assert place(Content_Type=content_type).status == 201

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            ";",
        ],
    )
    def test_another_media_type_is_refused(self, orders: Api, content_type: str) -> None:
        answer = place(Content_Type=content_type)
        assert (answer.status, answer.problem) == (415, "unsupported-media-type")

    @pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded", "text/plain"])
    def test_no_body_is_none_whatever_its_type(self, orders: Api, content_type: str) -> None:
        headers = {"Content-Type": content_type, "Idempotency-Key": "k"}
        answer = ask(orders_api.handler, event("POST", "/orders", headers=headers))
        assert (answer.status, answer.problem) == (422, "invalid-request")

    @pytest.mark.parametrize("name", ["idempotency-key", "IDEMPOTENCY-KEY", "iDeMpOtEnCy-kEy"])
    def test_a_headers_name_is_written_in_any_way(self, orders: Api, name: str) -> None:
        headers = {"CONTENT-TYPE": "application/json", name: "key-1"}
        assert (
            ask(orders_api.handler, event("POST", "/orders", body=json.dumps(an_order()), headers=headers)).status
            == 201
        )

    def test_a_key_that_is_sent_twice_is_refused(self, orders: Api) -> None:
        request = event("POST", "/orders", body=json.dumps(an_order()), headers=JSON | {"Idempotency-Key": "a"})
        request["multiValueHeaders"]["Idempotency-Key"] = ["a", "b"]
        assert ask(orders_api.handler, request).problem == "invalid-request"

    @pytest.mark.parametrize("missing", ["headers", "multiValueHeaders"])
    @pytest.mark.parametrize("value", [None, {}])
    def test_either_form_of_headers_will_do(self, orders: Api, missing: str, value: Any) -> None:
        request = event("POST", "/orders", body=json.dumps(an_order()), headers=JSON | {"Idempotency-Key": "a"})
        assert ask(orders_api.handler, request | {missing: value}).status == 201

    def test_a_request_without_any_is_answered(self, orders: Api) -> None:
        request = event("GET", "/restaurants") | {"headers": None, "multiValueHeaders": None}
        assert ask(orders_api.handler, request).status == 200


BOTH = pytest.mark.parametrize(
    ("handler", "path"),
    [(orders_api.handler, "/restaurants"), (promotions_api.handler, "/promo-codes")],
    ids=["orders", "promotions"],
)


@BOTH
@pytest.mark.usefixtures("orders", "codes")
class TestWhateverAPathOrAMethodIs:
    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "PUT", "DELETE", "TRACE", "POST", "BREW"])
    def test_a_method_that_a_path_has_not_is_refused_with_those_it_has(
        self, handler: Handler, path: str, method: str
    ) -> None:
        answer = ask(handler, event(method, path))
        assert (answer.status, answer.problem, answer.headers["allow"]) == (405, "method-not-allowed", "GET")

    @pytest.mark.parametrize("unknown", ["/", "", "//", "/nothing", "/%2F", "/%", "/é", "/\ud800", "/a b", "/%00"])
    def test_there_is_nothing_at_another_path(self, handler: Handler, path: str, unknown: str) -> None:
        answer = ask(handler, event("GET", unknown))
        assert (answer.status, answer.problem) == (404, "no-such-resource")

    @pytest.mark.parametrize("body", ["{", "x=1", b"\xff", "x" * 70_000])
    def test_the_body_of_a_question_counts_for_nothing(self, handler: Handler, path: str, body: str | bytes) -> None:
        assert ask(handler, event("GET", path, body=body)).status in (200, 422)
        assert ask(handler, event("GET", "/openapi.json", body=body, headers={"Content-Type": "text/x"})).status == 200


class TestWhateverAPathHolds:
    def test_a_path_that_is_percent_encoded_without_need_is_the_same_path(self, orders: Api) -> None:
        order_id = place().body["order_id"]
        encoded = "".join(f"%{ord(c):02x}" for c in order_id)
        assert ask(orders_api.handler, event("GET", f"/%6frders/{encoded}")).body["order_id"] == order_id
        assert ask(orders_api.handler, event("GET", "/restaurants/%62ella/menu")).status == 200

    @pytest.mark.parametrize(
        "order_id", ["%00", "%C3%28", "a%2Fb", "x" * 65, "a'b", "a b", "ord_%F0%9F%8D%95", "{}", "..%2f"]
    )
    def test_what_is_no_order_id_is_refused(self, orders: Api, order_id: str) -> None:
        assert ask(orders_api.handler, event("GET", f"/orders/{order_id}")).problem == "invalid-request"
        assert ask(orders_api.handler, event("POST", f"/orders/{order_id}/accept")).problem == "invalid-request"


TOKENS = [
    "%00",
    "A" * 1_000,
    base64.urlsafe_b64encode(b"[" * 1_400).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b"9" * 1_500).decode(),
    token(),
    token(customer_id="cust-1", placed_at="2026-05-04T18:31:00.000Z"),
    token(customer_id="cust-1", placed_at="2026-05-04T18:31:00.000Z", order_id=1),
    token(customer_id="cust-1", placed_at="2026-05-04T18:31:00.000Z", order_id={"S": "x"}),
    token(customer_id="cust-1", placed_at="2026-05-04T18:31:00.000Z", order_id="x" * 1_100),
    token(customer_id="cust-1", placed_at="2026-05-04T18:31:00.000Z", order_id="ord_" + "a" * 26 + "\n"),
    token(customer_id="cust-1", placed_at="p" * 1_100, order_id="ord_" + "a" * 26),
    token(customer_id="cust-1", placed_at="", order_id="ord_" + "a" * 26),
    token(restaurant_id="r" * 65),
    token(restaurant_id=None),
    token(restaurant_id=["bella"]),
    token(restaurant_id="Bella"),
    token(after="a" * 300),
    token(after=""),
    token(after=7),
    token(after="LOYALTY#\ud800"),
]


@pytest.mark.usefixtures("orders", "codes")
class TestWhateverAQuestionAsks:
    @pytest.mark.parametrize("text", TOKENS)
    @pytest.mark.parametrize(
        ("handler", "path"),
        [
            (orders_api.handler, "/orders"),
            (orders_api.handler, "/restaurants"),
            (promotions_api.handler, "/promo-codes"),
        ],
        ids=["orders", "restaurants", "promo-codes"],
    )
    def test_a_page_token_of_another_shape_is_refused(self, handler: Handler, path: str, text: str) -> None:
        answer = ask(handler, event("GET", path, query=f"next={text}"))
        assert answer.status == 422
        assert answer.problem in ("invalid-page-token", "invalid-request")

    @pytest.mark.parametrize(
        "query",
        [
            "limit=" + "9" * 5_000,
            "limit=1e3",
            "limit=NaN",
            "limit=%D9%A3",
            "limit=",
            "limit=1&limit=2",
            "next=a&next=b",
            "limit=1%00",
            "limit=%ED%A0%80",
            "next=" + "x" * 10_000,
        ],
    )
    @pytest.mark.parametrize(
        ("handler", "path"), [(orders_api.handler, "/orders"), (promotions_api.handler, "/promo-codes")]
    )
    def test_a_question_that_does_not_fit_is_refused(self, handler: Handler, path: str, query: str) -> None:
        answer = ask(handler, event("GET", path, query=query))
        assert (answer.status, answer.problem) == (422, "invalid-request")

    def test_pages_of_codes_of_every_rule_lead_on(self, codes: RecordingStore) -> None:
        """Each rule names its codes in its own way: the token of each is one that is taken back."""
        for number in range(1, 12):
            codes.record(delivered(number), TRACE)
        codes.record(expired(20), TRACE)
        seen, query = [], "limit=1"
        while True:
            page = ask(promotions_api.handler, event("GET", "/promo-codes", query=query, claims=claims_of(ANNA)))
            assert page.status == 200, page.text
            seen += page.body["promo_codes"]
            if not page.body["next"]:
                break
            query = f"limit=1&next={page.body['next']}"
        assert {code["reason"] for code in seen} >= {"welcome_back", "loyalty", "apology", "free_delivery"}


@BOTH
class TestADefect:
    """What is left when nobody foresaw it: 500, an id, and nothing of the request in the log."""

    def broken(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(orders_api, "menus", fail)
        monkeypatch.setattr(promotions_api, "store", fail)

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (RuntimeError(SECRET), "builtins.RuntimeError"),
            (RecursionError(SECRET), "builtins.RecursionError"),
            (KeyError(SECRET), "builtins.KeyError"),
            (
                ClientError({"Error": {"Code": "ValidationException", "Message": SECRET}}, "Query"),
                "botocore.exceptions.ClientError",
            ),
        ],
    )
    def test_it_is_answered_with_an_id_and_logged_by_its_type(
        self,
        monkeypatch: pytest.MonkeyPatch,
        log: Log,
        handler: Handler,
        path: str,
        error: Exception,
        kind: str,
    ) -> None:
        self.broken(monkeypatch, error)
        answer = ask(handler, event("GET", path))
        assert (answer.status, answer.problem) == (500, "internal-error")
        [line] = [line for line in log.lines if line["level"] == "ERROR"]
        assert (line["error_type"], line["problem_id"]) == (kind, answer.body["request_id"])
        assert re.fullmatch(r"(tests\.unit\.)?test_rest:\d+", line["error_at"][-1])
        assert any(at.startswith((orders_api.__name__, promotions_api.__name__)) for at in line["error_at"])
        assert SECRET not in log.text + answer.text
        assert "Traceback" not in log.text

    def test_it_is_answered_outside_of_the_routes_too(
        self, monkeypatch: pytest.MonkeyPatch, log: Log, handler: Handler, path: str
    ) -> None:
        request = event("GET", path)
        del request["requestContext"]["path"], request["queryStringParameters"]
        answer = ask(handler, request | {"multiValueQueryStringParameters": SECRET})
        assert (answer.status, answer.problem) == (500, "internal-error")
        assert SECRET not in log.text + answer.text

    def test_an_answer_that_breaks_its_schema_is_ours(
        self, monkeypatch: pytest.MonkeyPatch, log: Log, handler: Handler, path: str
    ) -> None:
        class Wrong:
            def list(self, *_: Any) -> Any:
                return [{"restaurant_id": SECRET}], None

            def codes(self, *_: Any) -> Any:
                return [SECRET], None

            def uses(self, *_: Any) -> Any:
                return {}

        monkeypatch.setattr(orders_api, "menus", Wrong)
        monkeypatch.setattr(promotions_api, "store", Wrong)
        answer = ask(handler, event("GET", path))
        assert (answer.status, answer.problem) == (500, "internal-error")
        assert SECRET not in log.text + answer.text


class TestBelowACustomDomain:
    @pytest.fixture(params=["food/orders", "food", "orders", "v1", ""])
    def base_path(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("BASE_PATH", request.param)
        return str(request.param)

    @pytest.fixture(params=["the domain", "the API's own URL"])
    def by(self, request: pytest.FixtureRequest, base_path: str) -> str | None:
        return base_path if request.param == "the domain" else None

    def test_every_route_is_there(self, orders: Api, by: str | None) -> None:
        headers = JSON | {"Idempotency-Key": "key-1"}
        request = event("POST", "/orders", body=json.dumps(an_order()), headers=headers, base_path=by)
        placed = ask(orders_api.handler, request)
        assert placed.status == 201, placed.text
        order = f"/orders/{placed.body['order_id']}"
        # Relative to the URL that was asked, so to where it is under any base path.
        assert placed.headers["location"] == order[1:]
        for method, path, query, status in [
            ("GET", order, "", 200),
            ("POST", f"{order}/cancel", "", 202),
            ("POST", f"{order}/accept", "", 409),
            ("GET", "/orders", "", 200),
            ("GET", "/restaurants", "", 200),
            ("GET", "/restaurants/bella/menu", "", 200),
            ("GET", "/openapi.json", "", 200),
            ("GET", "/nothing", "", 404),
            ("PUT", "/orders", "", 405),
        ]:
            assert ask(orders_api.handler, event(method, path, query=query, base_path=by)).status == status, path

    def test_promo_codes_are_there(self, codes: RecordingStore, by: str | None) -> None:
        request = event("GET", "/promo-codes", base_path=by, claims=claims_of(ANNA))
        assert ask(promotions_api.handler, request).body == {"promo_codes": [], "next": None}

    def test_a_page_leads_to_the_next_one(self, orders: Api, by: str | None) -> None:
        for number in range(3):
            orders.place(f"key-{number}")
        first = ask(orders_api.handler, event("GET", "/orders", query="limit=2", base_path=by))
        query = f"limit=2&next={first.body['next']}"
        second = ask(orders_api.handler, event("GET", "/orders", query=query, base_path=by))
        assert len(first.body["orders"] + second.body["orders"]) == 3

    def test_an_order_placed_with_a_slash_at_the_end_is_found_too(self, orders: Api) -> None:
        headers = JSON | {"Idempotency-Key": "key-1"}
        placed = ask(orders_api.handler, event("POST", "/orders/", body=json.dumps(an_order()), headers=headers))
        assert placed.headers["location"] == placed.body["order_id"]


class TestWhatAClientHas:
    """Conditional requests: RFC 9110, section 13.1.2."""

    @pytest.fixture
    def placed(self, orders: Api) -> str:
        return f"/orders/{orders.place()[1]['order_id']}"

    def get(self, path: str, *known: str, claims: dict[str, str] | None = None) -> Answer:
        request = event("GET", path, claims=claims)
        request["multiValueHeaders"]["iF-nOnE-mAtCh"] = list(known)
        return ask(orders_api.handler, request)

    def test_is_not_sent_again(self, placed: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONSOLE_ORIGIN", "https://console.example")
        whole = self.get(placed)
        again = self.get(placed, whole.headers["etag"])
        assert (again.status, again.text) == (304, "")
        assert {**again.headers, "content-type": "application/json"} == whole.headers
        assert whole.headers["access-control-expose-headers"].split(", ")[0] == "ETag"
        assert again.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("how", ["{}", "W/{}", '"other", W/"another" ,{}', '"a, b",{} , ', " * "])
    def test_may_be_said_in_any_way(self, placed: str, how: str) -> None:
        tag = self.get(placed).headers["etag"]
        assert self.get(placed, how.format(tag)).status == 304

    def test_may_be_said_in_several_lines(self, placed: str) -> None:
        tag = self.get(placed).headers["etag"]
        assert self.get(placed, tag, '"other"').status == self.get(placed, '"other"', tag).status == 304

    def test_may_be_said_by_a_gateway_that_knows_one_line_only(self, placed: str) -> None:
        request = event("GET", placed, headers={"IF-NONE-MATCH": self.get(placed).headers["etag"]})
        assert ask(orders_api.handler, request | {"multiValueHeaders": None}).status == 304

    @pytest.mark.parametrize("known", ["", '""', '"other"', "{bare}", "W/", "*, *", '"{bare}', '"x{bare}"', "'{bare}'"])
    def test_is_sent_if_it_is_something_else(self, placed: str, known: str) -> None:
        bare = self.get(placed).headers["etag"].strip('"')
        answer = self.get(placed, known.format(bare=bare))
        assert (answer.status, answer.body["order_id"]) == (200, placed.rpartition("/")[2])

    def test_is_sent_anew_once_it_has_changed(self, orders: Api, placed: str) -> None:
        tag = self.get(placed).headers["etag"]
        orders.put(placed.rpartition("/")[2], "PREPARING")
        changed = self.get(placed, tag)
        assert (changed.status, changed.body["status"]) == (200, "PREPARING")
        assert changed.headers["etag"] != tag

    def test_is_another_thing_to_another_role(self, placed: str) -> None:
        tags = {
            self.get(placed, claims=claims).headers["etag"] for claims in (claims_of("cust-1"), restaurant(), support())
        }
        assert len(tags) == 3

    @pytest.mark.parametrize("known", ["*", "the customer's"])
    def test_is_nothing_to_whoever_may_not_see_it(self, placed: str, known: str) -> None:
        known = self.get(placed).headers["etag"] if known != "*" else known
        answer = self.get(placed, known, claims=claims_of("cust-2"))
        assert (answer.status, answer.problem, "etag" in answer.headers) == (404, "unknown-order", False)

    def test_is_asked_for_by_what_changes_nothing_alone(self, orders: Api) -> None:
        """A quote, a move and a refusal have no tag, and are answered whatever a client has."""
        quoted = orders.call(
            "POST", "/quotes", {name: an_order()[name] for name in ("restaurant_id", "lines")}, {"If-None-Match": "*"}
        )
        assert quoted[0] == 200
        answer = place(If_None_Match="*")
        assert (answer.status, "etag" in answer.headers) == (201, False)

    @pytest.mark.usefixtures("codes", "orders")
    @pytest.mark.parametrize(
        ("handler", "path"),
        [
            *((orders_api.handler, path) for path in ("/restaurants", "/restaurants/bella/menu", "/openapi.json")),
            (promotions_api.handler, "/promo-codes"),
            (promotions_api.handler, "/openapi.json"),
        ],
    )
    def test_has_a_tag_wherever_it_is_read(self, handler: Handler, path: str) -> None:
        tag = ask(handler, event("GET", path)).headers["etag"]
        assert ask(handler, event("GET", path, headers={"If-None-Match": tag})).status == 304
