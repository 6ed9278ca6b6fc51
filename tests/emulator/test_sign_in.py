"""Signing in by the pages of a user pool, and an API that asks for its tokens: as on AWS, and no page in between."""

import base64
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sign_in
from botocore.exceptions import ClientError
from laptop import NotSignedIn, Stack
from laptop.code_flow import CALLBACK, Attempt, claims, signed_in
from laptop.emulator import gaps
from laptop.emulator.launcher import free_port
from laptop.pace import patience
from laptop.people import People, Person
from operations.deployed import Deployed
from tiffin.callers import Role

TEMPLATE = Path(__file__).parent / "templates" / "sign_in.yaml"
ORIGIN = "https://console.example"


@pytest.fixture(scope="module")
def callback() -> str:
    return f"http://127.0.0.1:{free_port()}/callback"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, callback: str) -> Iterator[Stack]:
    left_open = {gaps.LEFT_OPEN: os.environ.get(gaps.LEFT_OPEN, "")}
    state_dir = tmp_path_factory.mktemp("state")
    parameters = {"CallbackUrl": callback}
    with Stack.up(
        env=left_open, template=TEMPLATE, parameters=parameters, state_dir=state_dir, lets_in=[ORIGIN]
    ) as running:
        yield running


def ask(stack: Stack, path: str, token: str | None = None, method: str = "GET", **headers: str) -> httpx.Response:
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.request(method, stack.outputs["ApiUrl"] + path, headers=headers, trust_env=False, timeout=patience(30))


def attempt_of(stack: Stack, **other: str) -> Attempt:
    return Attempt(stack.outputs["SignInUrl"], stack.outputs["UserPoolClientId"], **other)


def came_back(stack: Stack, person: str, attempt: Attempt, **other: str) -> str:
    """Where the pages send the browser of somebody who fills in the form."""
    form = httpx.QueryParams(httpx.URL(attempt.address).query)
    stack.people.token(person)
    filled = {**form, **other, "username": f"{person}@tiffin.example", "password": stack.people.password}
    url = f"{stack.outputs['SignInUrl']}/login"
    return httpx.post(url, data=filled, trust_env=False, timeout=patience(30)).headers["Location"]


def tokens_of(stack: Stack, person: str, scope: str = "openid") -> dict[str, Any]:
    attempt = attempt_of(stack)
    with httpx.Client(trust_env=False) as http:
        return attempt.tokens(came_back(stack, person, attempt, scope=scope), http)


def refresh(stack: Stack, tokens: dict[str, Any]) -> httpx.Response:
    form = {
        "grant_type": "refresh_token",
        "client_id": stack.outputs["UserPoolClientId"],
        "refresh_token": tokens["refresh_token"],
    }
    url = f"{stack.outputs['SignInUrl']}/oauth2/token"
    return httpx.post(url, data=form, trust_env=False, timeout=patience(30))


def revoke(stack: Stack, **form: str) -> httpx.Response:
    form = {"client_id": stack.outputs["UserPoolClientId"]} | form
    url = f"{stack.outputs['SignInUrl']}/oauth2/revoke"
    return httpx.post(url, data=form, trust_env=False, timeout=patience(30))


class TestPeople:
    def test_somebody_is_made_once_and_signs_in_as_what_they_are(self, stack: Stack) -> None:
        token = stack.people.token(Person("mia", Role.RESTAURANT, "r-mia"))

        said = claims(token)
        assert (said["cognito:groups"], said["custom:restaurant_id"]) == (["restaurant"], "r-mia")
        assert said["token_use"] == "id"
        assert stack.people.token(Person("mia", Role.RESTAURANT, "r-mia")) == token

    def test_another_process_signs_the_same_people_in(self, stack: Stack) -> None:
        other = People(stack.access, stack.outputs)
        assert other.subject("ada") == stack.people.subject("ada") != stack.people.subject("bob")
        other.close()

    def test_what_signs_tokens_lies_with_the_emulator_and_goes_with_it(self, stack: Stack) -> None:
        stack.people.token("ada")
        scratch = Path(stack._process.scratch)
        keys = list(scratch.rglob("*.pem"))
        assert any(stack.outputs["UserPoolId"] in key.name for key in keys)
        assert scratch.stat().st_mode & 0o077 == 0


class TestCodeFlow:
    def test_a_code_is_good_once_and_only_with_its_verifier(self, stack: Stack) -> None:
        attempt = attempt_of(stack)
        redirect = came_back(stack, "ada", attempt)
        thief = Attempt(attempt.pages, attempt.client_id, state=attempt.state)
        with httpx.Client(trust_env=False) as http:
            with pytest.raises(NotSignedIn, match="PKCE"):
                thief.tokens(redirect, http)
            assert claims(attempt.tokens(redirect, http)["id_token"])["sub"] == stack.people.subject("ada")
            with pytest.raises(NotSignedIn, match="invalid_grant"):
                attempt.tokens(redirect, http)

    def test_a_token_says_for_which_attempt_it_was_asked_for(self, stack: Stack) -> None:
        attempt = attempt_of(stack)
        with httpx.Client(trust_env=False) as http:
            with pytest.raises(NotSignedIn, match="the token is of another attempt"):
                attempt.tokens(came_back(stack, "ada", attempt, nonce="another"), http)
            taken = attempt.tokens(came_back(stack, "ada", attempt), http)
        assert claims(taken["id_token"])["nonce"] == attempt.nonce

    def test_the_pages_send_nobody_back_to_a_place_that_the_client_does_not_name(self, stack: Stack) -> None:
        attempt = attempt_of(stack, callback="https://evil.example/callback")
        assert httpx.get(attempt.address, trust_env=False, timeout=patience(30)).status_code == 400

    def test_a_token_that_was_refreshed_says_the_same_of_its_user(self, stack: Stack) -> None:
        tokens = tokens_of(stack, "ada")

        refreshed = refresh(stack, tokens).json()

        before, after = claims(tokens["id_token"]), claims(refreshed["id_token"])
        same = ("sub", "cognito:groups", "cognito:username", "aud", "iss", "token_use")
        assert [before[name] for name in same] == [after[name] for name in same]

    def test_a_user_who_was_deleted_gets_no_further_token(self, stack: Stack) -> None:
        tokens = tokens_of(stack, "gone")
        assert refresh(stack, tokens).status_code == 200

        stack.client("cognito-idp").admin_delete_user(
            UserPoolId=stack.outputs["UserPoolId"], Username="gone@tiffin.example"
        )

        refused = refresh(stack, tokens)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

    def test_a_token_that_was_revoked_is_refreshed_no_more(self, stack: Stack) -> None:
        tokens, others = tokens_of(stack, "ada"), tokens_of(stack, "ada")

        answer = revoke(stack, token=tokens["refresh_token"])

        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        refused = refresh(stack, tokens)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert refresh(stack, others).status_code == 200
        assert revoke(stack, token=tokens["refresh_token"]).status_code == 200

    def test_what_is_no_refresh_token_of_the_client_s_own_revokes_nothing(self, stack: Stack) -> None:
        tokens = tokens_of(stack, "ada")
        head, body, signature = tokens["refresh_token"].split(".")
        answers = [
            revoke(stack),
            revoke(stack, token=tokens["access_token"]),
            revoke(stack, token=tokens["refresh_token"], client_id="another"),
            revoke(stack, token=f"{head}.{body}.{signature[2:]}"),
        ]

        assert [(answer.status_code, answer.json()["error"] if answer.content else None) for answer in answers] == [
            (400, "invalid_request"),
            (400, "unsupported_token_type"),
            (401, "invalid_client"),
            (200, None),
        ]
        assert refresh(stack, tokens).status_code == 200

    def test_a_browser_that_asks_for_the_pages_icon_is_not_refused(self, stack: Stack) -> None:
        icon = f"{stack.outputs['SignInUrl']}/favicon.ico"
        assert httpx.get(icon, trust_env=False, timeout=patience(30)).status_code == 204

    def test_a_person_signs_in_in_a_browser_and_nobody_else_is_listened_to(
        self, stack: Stack, callback: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What `make token` does on AWS: the pages' address opens, and the browser comes back to this machine."""
        seen: list[int] = []

        def browser(address: str) -> None:
            asked = dict(httpx.QueryParams(httpx.URL(address).query))
            redirect = came_back(stack, "ada", attempt_of(stack, callback=callback), **asked)
            elsewhere = f"{callback}x?{redirect.partition('?')[2]}"
            asked_for = (callback, f"{callback}?code=c&state=guessed", elsewhere, redirect)
            seen.extend(httpx.get(url, trust_env=False, timeout=patience(30)).status_code for url in asked_for)

        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr("webbrowser.open", lambda address: pool.submit(browser, address))
            token = sign_in.in_a_browser(Deployed(stack.client, stack.outputs), callback)

        assert claims(token)["sub"] == stack.people.subject("ada")
        assert seen == [404, 404, 404, 200]
        assert capsys.readouterr().out == ""


def come_back(stack: Stack, http: httpx.Client, attempt: Attempt) -> httpx.Response:
    """Go on as whoever the pages say that one is, as a browser does."""
    form = dict(httpx.QueryParams(httpx.URL(attempt.address).query)) | {"known": "yes"}
    return http.post(f"{stack.outputs['SignInUrl']}/login", data=form, timeout=patience(30))


class TestSessions:
    @pytest.fixture
    def browser(self, stack: Stack) -> Iterator[httpx.Client]:
        """One in which ada has signed in."""
        stack.people.token("ada")
        with httpx.Client(trust_env=False) as http:
            signed_in(attempt_of(stack), "ada@tiffin.example", stack.people.password, http)
            yield http

    def offers(self, stack: Stack, http: httpx.Client) -> bool:
        page = http.get(attempt_of(stack).address, timeout=patience(30))
        assert page.status_code == 200
        assert 'type="password"' in page.text
        return "Sign in as ada@tiffin.example" in page.text

    def test_whoever_signed_in_goes_on_as_the_same_person_without_a_password(
        self, stack: Stack, browser: httpx.Client
    ) -> None:
        [cookie] = browser.cookies.jar
        assert (cookie.name, cookie.has_nonstandard_attr("HttpOnly")) == ("cognito", True)
        assert 3500 < (cookie.expires or 0) - time.time() <= 3600
        assert self.offers(stack, browser)
        attempt = attempt_of(stack)
        token = claims(attempt.tokens(come_back(stack, browser, attempt).headers["Location"], browser)["id_token"])
        assert (token["sub"], token["nonce"]) == (stack.people.subject("ada"), attempt.nonce)
        [renewed] = browser.cookies.jar
        assert renewed.value != cookie.value

    def test_another_browser_is_known_by_nobody(self, stack: Stack, browser: httpx.Client) -> None:
        assert self.offers(stack, browser)
        with httpx.Client(trust_env=False, cookies={"cognito": "guessed"}) as other:
            assert not self.offers(stack, other)
            answer = come_back(stack, other, attempt_of(stack))
        assert (answer.status_code, "Location" in answer.headers) == (200, False)

    def test_signing_out_forgets_the_person_whatever_the_browser_keeps(
        self, stack: Stack, browser: httpx.Client
    ) -> None:
        kept = browser.cookies["cognito"]
        out = {"client_id": stack.outputs["UserPoolClientId"], "logout_uri": CALLBACK}
        answer = browser.get(f"{stack.outputs['SignInUrl']}/logout", params=out, timeout=patience(30))
        assert answer.status_code == 302
        assert not browser.cookies
        browser.cookies.set("cognito", kept)
        assert not self.offers(stack, browser)
        assert "Location" not in come_back(stack, browser, attempt_of(stack)).headers

    def test_who_may_not_sign_in_any_more_is_not_let_in_by_a_session(self, stack: Stack, browser: httpx.Client) -> None:
        pool, where = stack.client("cognito-idp"), {"UserPoolId": stack.outputs["UserPoolId"]}
        pool.admin_disable_user(**where, Username="ada@tiffin.example")
        try:
            assert not self.offers(stack, browser)
            assert "Location" not in come_back(stack, browser, attempt_of(stack)).headers
        finally:
            pool.admin_enable_user(**where, Username="ada@tiffin.example")


class TestAttributes:
    def test_the_id_token_says_what_the_client_may_read_and_no_more(self, stack: Stack) -> None:
        assert "email" not in claims(stack.people.token("ada"))

    def test_a_user_cannot_write_what_its_client_may_not(self, stack: Stack) -> None:
        own = tokens_of(stack, "eve", "openid aws.cognito.signin.user.admin")["access_token"]
        pool = stack.client("cognito-idp")
        wish = {"Name": "custom:restaurant_id", "Value": "r-bella-napoli"}
        with pytest.raises(ClientError) as refused:
            pool.update_user_attributes(AccessToken=own, UserAttributes=[wish])

        assert "unauthorized attribute" in refused.value.response["Error"]["Message"]
        user = pool.admin_get_user(UserPoolId=stack.outputs["UserPoolId"], Username="eve@tiffin.example")
        assert "custom:restaurant_id" not in {attribute["Name"] for attribute in user["UserAttributes"]}


class TestAuthorizer:
    def test_groups_arrive_as_one_string(self, stack: Stack) -> None:
        """Joined by commas: nobody writes that down, and everybody who prints it sees it."""
        stack.people.token("two")
        where = {"UserPoolId": stack.outputs["UserPoolId"], "Username": "two@tiffin.example"}
        stack.client("cognito-idp").admin_add_user_to_group(**where, GroupName="support")

        arrived = ask(stack, "/claims", stack.people._signed_in(Person("two"))).json()

        assert arrived["cognito:groups"] == "customer,support"
        assert arrived["token_use"] == "id"

    def test_without_a_token_or_with_one_that_is_not_the_pool_s_there_is_no_answer(self, stack: Stack) -> None:
        token = stack.people.token("ada")
        head, body, signature = token.split(".")
        changed: dict[str, Any] = claims(token) | {"cognito:groups": ["support"]}
        forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
        unsigned = base64.urlsafe_b64encode(b'{"alg": "none"}').decode().rstrip("=")
        refused = [
            None,
            "x.y.z",
            f"{head}.{forged}.{signature}",
            f"{unsigned}.{body}.",
            f"{head}.{body}.{signature[2:]}",
        ]

        assert [ask(stack, "/claims", wrong).status_code for wrong in refused] == [401] * len(refused)
        assert ask(stack, "/claims", token).status_code == 200
        assert ask(stack, "/open").json() is None

    def test_a_preflight_needs_no_token_and_is_answered_as_the_document_says(self, stack: Stack) -> None:
        answer = ask(stack, "/claims", method="OPTIONS", **{"Origin": ORIGIN, "Access-Control-Request-Method": "GET"})

        assert answer.status_code == 200
        headers = {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
        assert headers == {
            "access-control-allow-origin": ORIGIN,
            "access-control-allow-methods": "GET,OPTIONS",
            "access-control-allow-headers": "authorization",
            "access-control-max-age": "600",
        }
