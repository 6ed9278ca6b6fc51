"""Who has signed in at the pages of a user pool is known there for an hour, and need not type the password again.

Source: AWS Knowledge Center, "What's the difference between the logout endpoint and the GlobalSignOut API in Amazon
Cognito?": the pages keep a cookie named `cognito` for an hour, offer whoever comes back to go on as the same person,
which begins the hour anew, and forget them at `/logout`. MiniStack's pages know nobody.
"""

import html
import re
import secrets
import time
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from ministack.services import cognito

Response = tuple[int, dict[str, str], bytes]

_COOKIE, _HOUR = "cognito", 3600
_FORM = '<form method="POST" action="/login">'
_HIDDEN = re.compile(r'<input type="hidden"[^>]*>')


class _Session(NamedTuple):
    pool_id: str
    username: str
    until: float


def fill() -> None:
    """Wrap what shows the form, what takes it, and what signs out."""
    authorize, log_in, log_out = cognito.handle_oauth2_authorize, cognito.handle_login_submit, cognito.handle_logout
    sessions: dict[str, _Session] = {}

    def known(headers: dict[str, str], client_id: str) -> tuple[str, dict[str, Any]] | None:
        """The session of whoever asks, if it is of the client's pool, and the person."""
        key = _cookie(headers)
        session = sessions.get(key)
        pool_id, pool, _ = cognito._find_pool_by_client_id(client_id)
        if session is None or pool is None or session.pool_id != pool_id or session.until < time.time():
            return None
        user = pool["_users"].get(session.username)
        return (key, user) if user and not cognito._hosted_ui_user_status_error(user) else None

    def remembered(response: Response) -> Response:
        """A response that lets somebody in, with the cookie by which they are known again."""
        status, headers, body = response
        code = parse_qs(urlsplit(headers.get("Location", "")).query).get("code", [""])[0]
        if not (let_in := cognito._authorization_codes.get(code)):
            return response
        now, key = time.time(), secrets.token_urlsafe(32)
        for old in [old for old, session in sessions.items() if session.until < now]:
            del sessions[old]
        sessions[key] = _Session(let_in["pool_id"], let_in["username"], now + _HOUR)
        return status, {**headers, "Set-Cookie": _set(key, _HOUR)}, body

    def authorize_whom_it_knows(method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> Response:
        status, answered, body = authorize(method, path, headers, query)
        found = known(headers, cognito._qp(query, "client_id"))
        page = body.decode()
        if status != 200 or not found or _FORM not in page:
            return status, answered, body
        fields = "".join(_HIDDEN.findall(page))
        name = html.escape(str(cognito._attr_list_to_dict(found[1]["Attributes"]).get("email", found[1]["Username"])))
        offer = f'{_FORM}{fields}<button type="submit" name="known" value="yes">Sign in as {name}</button></form>'
        return status, answered, page.replace(_FORM, f"{offer}\n{_FORM}", 1).encode()

    def log_in_whom_it_knows(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Response:
        form = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
        found = known(headers, form.get("client_id", "")) if "known" in form else None
        if not found:
            return remembered(log_in(method, path, headers, body, query))
        key, user = found
        asked = cognito._extract_oauth_form_params(form)
        del asked["response_type"]
        return remembered(
            cognito._issue_auth_code_redirect(**asked, pool_id=sessions.pop(key).pool_id, username=user["Username"])
        )

    def log_out_and_forget(method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> Response:
        status, answered, body = log_out(method, path, headers, query)
        if status == 302 and sessions.pop(_cookie(headers), None):
            answered = {**answered, "Set-Cookie": _set("", 0)}
        return status, answered, body

    cognito.handle_oauth2_authorize = authorize_whom_it_knows
    cognito.handle_login_submit = log_in_whom_it_knows
    cognito.handle_logout = log_out_and_forget


def _cookie(headers: dict[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _set(key: str, seconds: int) -> str:
    return f"{_COOKIE}={key}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
