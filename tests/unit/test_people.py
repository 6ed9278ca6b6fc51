"""Who signs in on the laptop, and what a redirect has to bring before it counts."""

import base64
import hashlib
import json

import httpx
import pytest
from laptop import NotSignedIn
from laptop.code_flow import Attempt, claims
from laptop.people import KNOWN, Person, answering_for, somebody
from laptop.stack import reachable
from tiffin.callers import Role

PAGES = "https://tiffin-x.auth.eu-central-1.amazoncognito.com"


def attempt() -> Attempt:
    return Attempt(PAGES, "client", nonce="n")


def tokens(request: httpx.Request, nonce: str = "n") -> httpx.Response:
    said = base64.urlsafe_b64encode(json.dumps({"nonce": nonce}).encode()).decode()
    asked = dict(httpx.QueryParams(request.content.decode()))
    return httpx.Response(200, json={"id_token": f"head.{said}.signature", "asked": asked})


class TestSomebody:
    def test_those_who_are_known_need_no_role(self) -> None:
        assert {name: person.role for name, person in KNOWN.items()} == {
            "ada": "customer", "bella": "restaurant", "carl": "courier", "sue": "support",
        }  # fmt: skip
        assert somebody("bella").restaurant_id == "r-bella-napoli"

    def test_a_new_name_is_a_customer_unless_it_is_said(self) -> None:
        assert somebody("kim") == Person("kim", Role.CUSTOMER)
        assert somebody("kim", "courier") == Person("kim", Role.COURIER)
        assert somebody("mia", "restaurant", "r-mia").email == "mia@tiffin.example"

    @pytest.mark.parametrize(
        ("name", "role", "restaurant"),
        [
            ("ada", "courier", None),
            ("bella", "restaurant", "r-other"),
            ("mia", "restaurant", None),
            ("kim", "courier", "r-mia"),
            ("kim", "owner", None),
            ("Kim Li", None, None),
            ("", None, None),
        ],
    )
    def test_nobody_is_what_cannot_be(self, name: str, role: str | None, restaurant: str | None) -> None:
        with pytest.raises(ValueError):
            somebody(name, role, restaurant)

    def test_each_restaurant_has_somebody_who_answers(self) -> None:
        assert answering_for("r-bella-napoli").name == "bella"
        assert answering_for("r-annapurna") == Person("r-annapurna", Role.RESTAURANT, "r-annapurna")


class TestAttempt:
    def test_the_browser_is_sent_off_with_a_challenge_and_never_with_the_verifier(self) -> None:
        one = attempt()
        asked = httpx.QueryParams(httpx.URL(one.address).query)

        digest = hashlib.sha256(one.verifier.encode()).digest()
        assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == ("S256", "code", "openid")
        assert one.verifier not in one.address
        assert 43 <= len(one.verifier) <= 128  # RFC 7636, section 4.1

    def test_a_redirect_brings_the_tokens(self) -> None:
        one = attempt()
        with httpx.Client(transport=httpx.MockTransport(tokens)) as http:
            asked = one.tokens(f"/callback?code=c&state={one.state}", http)["asked"]

        assert asked == {
            "grant_type": "authorization_code", "client_id": "client", "code": "c",
            "redirect_uri": one.callback, "code_verifier": one.verifier,
        }  # fmt: skip

    @pytest.mark.parametrize("query", ["code=c", "code=c&state=", "code=c&state=other", "code=c&state=\N{SNOWMAN}", ""])
    def test_a_redirect_that_nobody_asked_for_is_not_taken(self, query: str) -> None:
        with httpx.Client(transport=httpx.MockTransport(tokens)) as http, pytest.raises(NotSignedIn, match="another"):
            attempt().tokens(f"/callback?{query}", http)

    def test_a_token_that_another_attempt_asked_for_is_not_taken(self) -> None:
        one = Attempt(PAGES, "client")
        assert f"nonce={one.nonce}" in one.address.split("&")
        with httpx.Client(transport=httpx.MockTransport(tokens)) as http, pytest.raises(NotSignedIn, match="the token"):
            one.tokens(f"/callback?code=c&state={one.state}", http)

    def test_what_the_pages_say_against_it_is_told(self) -> None:
        one = attempt()
        refused = f"/callback?error=invalid_request&error_description=invalid_scope&state={one.state}"
        with (
            httpx.Client(transport=httpx.MockTransport(tokens)) as http,
            pytest.raises(NotSignedIn, match="invalid_request: invalid_scope"),
        ):
            one.tokens(refused, http)

    def test_two_attempts_share_nothing(self) -> None:
        one, other = attempt(), attempt()
        assert (one.state, one.verifier) != (other.state, other.verifier)
        assert one.verifier not in repr(one)


def test_a_token_s_claims_are_read_whatever_their_length() -> None:
    for name in ("a", "ab", "abc", "abcd"):
        body = base64.urlsafe_b64encode(json.dumps({"sub": name}).encode()).decode().rstrip("=")
        assert claims(f"head.{body}.signature") == {"sub": name}


def test_the_pages_are_the_emulator_s_on_the_laptop() -> None:
    assert reachable(PAGES, "http://127.0.0.1:4566") == "http://127.0.0.1:4566"
