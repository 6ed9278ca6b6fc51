"""What people type into an order: names, addresses and notes of all languages pass; tricks and card numbers do not."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiffin.text import is_plain, is_visible, normalised
from worlds.logs import Log, captured
from worlds.orders import PROBLEM, Api, an_order, orders_world

CARD = "4242 4242 4242 4242"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with orders_world(monkeypatch) as ready:
        yield ready


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    return captured(monkeypatch)


def changed(place: str, text: str) -> dict[str, Any]:
    """An order with a text in one place."""
    order = an_order()
    if place == "note":
        return {"note": text}
    return {"delivery": order["delivery"] | {place: text}}


CONTROLS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) != "\n"]
TURNING = [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
HONEST = [
    "Ada Lovelace",
    "Zoë Ångström-Łukasiewicz",
    "O’Brien & Söhne",
    "王小明",
    "김철수",
    "やまだ たろう",
    "Нина Петрова",
    "Ελένη Παπαδοπούλου",
    "שרה לוי",
    "דירה 4\u200f, רחוב הרצל 12",
    "\u200eFlat 3\u200e حي السفارات",
    "محمد بن سلمان",
    "سپاس\u200cگزار",
    "ක්\u200dරමය",
    "सुनीता शर्मा",
    "สมชาย ใจดี",
    "👩\u200d👩\u200d👧 the Family",
    "❤️\u200d🔥",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "3️⃣ rd bell",
    "Z",
    "7",
    "Nguyễn Thị Minh Khai",
    "ᠮᠣᠩᠭᠣᠯ",
    "first line\nsecond line",
    "call +49 151 12345678",
    "\U0001fae8\U0001fadf",
]
EMPTY = [
    " ",
    "\u00a0\u2003\u3000",
    "\u200b",
    "\u200d\u200c\u2060\ufeff",
    "\u200e \u200f",
    "\u0301\u0308",
    "\ufe0f",
    "\u3164",
    "\u115f\u1160",
    "\u2800\u2800",
    "\u00ad",
    "\n\n",
    "\U000e0067\U000e007f",
]


class TestText:
    @pytest.mark.parametrize("place", ["name", "address", "note"])
    @pytest.mark.parametrize("character", CONTROLS + TURNING, ids=lambda c: f"U+{ord(c):04X}")
    def test_controls_and_changes_of_direction_are_refused(self, api: Api, place: str, character: str) -> None:
        status, problem = api.place(**changed(place, f"Ada{character}Lovelace"))
        assert (status, problem["type"]) == (422, PROBLEM + "invalid-request")
        assert problem["errors"][0]["pointer"].endswith(place)
        assert "Lovelace" not in json.dumps(problem)
        assert api.rows() == []

    @pytest.mark.parametrize("place", ["name", "address"])
    @pytest.mark.parametrize("text", EMPTY, ids=ascii)
    def test_a_name_in_which_nothing_is_visible_is_refused(self, api: Api, place: str, text: str) -> None:
        status, problem = api.place(**changed(place, text))
        assert (status, problem["type"]) == (422, PROBLEM + "invalid-request")
        assert api.rows() == []

    @pytest.mark.parametrize("place", ["name", "address", "note"])
    @pytest.mark.parametrize("text", HONEST, ids=ascii)
    def test_every_language_passes_and_is_kept(self, api: Api, place: str, text: str) -> None:
        status, order = api.place(**changed(place, text))
        assert status == 201
        _, read = api.call("GET", f"/orders/{order['order_id']}")
        assert (read["note"] if place == "note" else read["delivery"][place]) == unicodedata.normalize("NFC", text)

    @pytest.mark.parametrize("place", ["name", "address", "note"])
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Zoe\u0308 \u212bngstro\u0308m", "Zoë Ångström"),
            ("first\r\nsecond", "first\nsecond"),
            ("first\u2028second", "first\nsecond"),
            ("\u1112\u1161\u11ab", "한"),
        ],
    )
    def test_the_same_text_of_two_devices_is_the_same_order(self, api: Api, place: str, one: str, other: str) -> None:
        _, first = api.place(**changed(place, one))
        status, second = api.place(**changed(place, other))
        assert (status, second) == (200, first)
        assert len(api.rows()) == 1

    def test_a_text_is_measured_as_it_is_kept(self, api: Api) -> None:
        assert api.place(**changed("name", "e\u0301" * 200))[0] == 201
        assert api.place("key-2", **changed("name", "e\u0301" * 201))[0] == 422

    @given(st.text())
    def test_normalising_twice_is_normalising_once(self, text: str) -> None:
        once = normalised(text)
        assert normalised(once) == once
        assert is_plain(once) or any(unicodedata.category(c) in {"Cc", "Cf"} for c in once)
        assert is_visible(once) or not any(unicodedata.category(c)[0] in "N" for c in once)


class TestCards:
    @pytest.mark.parametrize(
        "changes",
        [
            {"note": f"take {CARD}"},
            {"note": CARD.replace(" ", "\u2013")},
            {"note": int(CARD.replace(" ", ""))},
            {"delivery": {"name": CARD, "address": "1 Analytical Row"}},
            {"delivery": {"name": "Ada", "address": f"1 Analytical Row\n{CARD}"}},
            {"payment_method": "pm_4242424242424242"},
            {"payment_method": "4242424242424242"},
            {"restaurant_id": "4242-4242-4242-4242"},
            {"restaurant_id": "4242424242424242"},
            {"lines": [{"dish_id": "4242424242424242", "quantity": 1}]},
            {"lines": [{"dish_id": "margherita", "quantity": 4242424242424242}]},
            {"promo_code": "4242-4242-4242-4242"},
            {"card": {"number": CARD}},
            {CARD: "visa"},
            {"tips": [[{"x": "４２４２４２４２４２４２４２４２"}]]},
        ],
        ids=ascii,
    )
    def test_a_card_number_anywhere_in_the_body(self, api: Api, changes: dict[str, Any], log: Log) -> None:
        answer = api.place(**changes)
        assert (answer[0], answer[1]["type"]) == (422, PROBLEM + "card-number-refused")
        assert answer[1]["errors"][0]["pointer"].startswith("/body")
        self.nowhere(api, answer, log)

    @pytest.mark.parametrize("key", ["4242424242424242", "4242-4242-4242-4242", CARD, "order-4242.4242.4242.4242"])
    @pytest.mark.parametrize("header", ["Idempotency-Key", "idempotency-key"])
    def test_a_card_number_as_the_idempotency_key(self, api: Api, key: str, header: str, log: Log) -> None:
        answer = api.call("POST", "/orders", an_order(), {header: key})
        assert (answer[0], answer[1]["type"]) == (422, PROBLEM + "card-number-refused")
        assert answer[1]["errors"][0]["pointer"] == "/header/Idempotency-Key"
        self.nowhere(api, answer, log)

    @pytest.mark.parametrize(
        ("method", "path", "query"),
        [
            ("POST", "/orders/4242424242424242/accept", None),
            ("POST", "/orders/4242%2042424242%2D42424242/cancel", None),
            ("GET", "/orders/4242-4242-4242-4242", None),
            ("GET", "/restaurants/4242424242424242/menu", None),
            ("GET", "/orders", {"next": "4242424242424242"}),
        ],
    )
    def test_a_card_number_in_path_or_query(
        self,
        api: Api,
        method: str,
        path: str,
        query: dict[str, str] | None,
        log: Log,
    ) -> None:
        answer = api.call(method, path, query=query)
        assert (answer[0], answer[1]["type"]) == (422, PROBLEM + "card-number-refused")
        self.nowhere(api, answer, log)

    def nowhere(self, api: Api, answer: Any, log: Log) -> None:
        """It is in no row, no workflow, no answer and no log."""
        assert api.rows() == []
        assert not api.workflow.started
        for written in (json.dumps(answer), log.text):
            digits = "".join(str(unicodedata.digit(c, "")) for c in written)
            assert "42424242" not in digits

    def test_an_order_with_honest_digits_is_placed(self, api: Api) -> None:
        status, _ = api.place(
            "1746384661123456789",
            customer_id="5f1c7a52-8f0b-4f43-9b1e-2c6f2d0f7a11",
            note="call 0151 23456789 or +49 30 1234567, code 4242",
            delivery={"name": "Ada 4242", "address": "42 Analytical Row, 10115 Berlin"},
        )
        assert status == 201
