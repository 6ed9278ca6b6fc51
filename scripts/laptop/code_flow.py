"""Signing in as a browser does: the authorization-code flow with PKCE, on AWS and on the laptop alike.

Sources: RFC 6749, section 4.1; RFC 7636 (PKCE); Amazon Cognito developer guide, "Authorize endpoint" and "Token
endpoint". Whoever sees the code on its way cannot use it, as only the caller knows the verifier; and a redirect that
the caller did not ask for has not its `state`. A token that another attempt asked for has not its `nonce` (OpenID
Connect Core 1.0, section 3.1.3.7).
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx

from .errors import NotSignedIn
from .pace import patience

CALLBACK = "http://127.0.0.1:8976/callback"
"""Where the pages send a browser back to: the default of the templates' parameter `CallbackUrls`."""


@dataclass(frozen=True)
class Attempt:
    """One attempt of one person to sign in.

    Attributes:
        pages: base URL of the user pool's pages, the output `SignInUrl`.
        client_id: of the app client, the output `UserPoolClientId`.
        callback: where the pages send the browser back to.
        state: what the redirect has to repeat.
        verifier: what only this attempt knows.
        nonce: what the ID token has to repeat.
    """

    pages: str
    client_id: str
    callback: str = CALLBACK
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def address(self) -> str:
        """What the browser opens."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "scope": "openid",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": _base64url(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return f"{self.pages}/oauth2/authorize?{urlencode(asked)}"

    def tokens(self, redirect: str, http: httpx.Client) -> dict[str, Any]:
        """Exchange the code of a redirect for the person's tokens.

        Args:
            redirect: where the pages sent the browser, with the query.
            http: asks the token endpoint.

        Returns:
            What the token endpoint answers, with `id_token`, `access_token` and `refresh_token`.

        Raises:
            NotSignedIn: the redirect or the ID token is not this attempt's; or there is no code, or it is not taken.
        """
        brought = {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}
        if not secrets.compare_digest(brought.get("state", "").encode(), self.state.encode()):
            raise NotSignedIn("the browser came back from another attempt to sign in than this one")
        if "code" not in brought:
            raise NotSignedIn(f"{brought.get('error', 'no code')}: {brought.get('error_description', '')}")
        answer = http.post(
            f"{self.pages}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "client_id": self.client_id,
                "code": brought["code"],
                "redirect_uri": self.callback,
                "code_verifier": self.verifier,
            },
            timeout=patience(30),
        )
        if not answer.is_success:
            raise NotSignedIn(f"the code was not taken: {answer.text[:200]}")
        given = dict(answer.json())
        if claims(given["id_token"]).get("nonce") != self.nonce:
            raise NotSignedIn("the token is of another attempt to sign in than this one")
        return given


def signed_in(attempt: Attempt, email: str, password: str, http: httpx.Client) -> str:
    """Fill in the form of the pages, as somebody does in a browser.

    Args:
        attempt: this one.
        email: of who signs in.
        password: theirs.
        http: keeps the pages' cookies.

    Returns:
        The ID token.

    Raises:
        NotSignedIn: there is no form, or it does not let them in.
    """
    page = http.get(attempt.address, timeout=patience(30), follow_redirects=True)
    form = _Form()
    form.feed(page.text)
    if not form.asks_for_a_password:
        raise NotSignedIn(f"no form to fill in, but {page.status_code}: {page.text[:200]}")
    filled = form.hidden | {"username": email, "password": password}
    answer = http.post(urljoin(str(page.url), form.action), data=filled, timeout=patience(30))
    if "Location" not in answer.headers:
        raise NotSignedIn(f"the pages did not let {email} in")
    return str(attempt.tokens(answer.headers["Location"], http)["id_token"])


class _Form(HTMLParser):
    """The first form of a page that asks for a password.

    Attributes:
        action: where it goes.
        hidden: what it sends along unseen.
        asks_for_a_password: whether there is one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.action, self.hidden, self.asks_for_a_password = "", dict[str, str](), False
        self._over = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take note of a form and its fields."""
        said = {name: value or "" for name, value in attributes}
        if self._over:
            return
        if tag == "form":
            self.action, self.hidden = said.get("action", ""), {}
        elif tag == "input" and said.get("type") == "hidden":
            self.hidden[said.get("name", "")] = said.get("value", "")
        elif tag == "input" and said.get("type") == "password":
            self.asks_for_a_password = True

    def handle_endtag(self, tag: str) -> None:
        """A form that asks for a password is the one."""
        self._over = self._over or (tag == "form" and self.asks_for_a_password)


def claims(token: str) -> dict[str, Any]:
    """What a token says, unverified: for its owner to look into."""
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
