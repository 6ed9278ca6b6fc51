"""Who gets which answer at which route: the table that tests run in full, and the page of it.

An order is somebody's, so a row says where the order is, and a column who asks: whose it is, or another of that role.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"
ASKS = (
    "nobody",
    "customer",
    "another customer",
    "restaurant",
    "another restaurant",
    "courier",
    "another courier",
    "support",
)
"""Who asks: who did not sign in; the customer who ordered, the restaurant that cooks, the courier who takes it or took
it, each with somebody else of the same role; and support."""


@dataclass(frozen=True)
class Row:
    """What one route answers to everybody.

    Attributes:
        service: whose API it is.
        route: method and path, as the API's `ACCESS` names it.
        order: the status of the order that is asked for, or looked for in a list; empty if there is none.
        answers: by who asks, a status; behind it `+` if the order is in the list, `-` if it is not.
        query: of the request.
    """

    service: str
    route: str
    order: str
    answers: dict[str, str]
    query: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.service, self.route + self.query, self.order)))


AWAITING, PREPARING, OUT, DELIVERED = "AWAITING_RESTAURANT", "PREPARING", "OUT_FOR_DELIVERY", "DELIVERED"
# In the order of `ASKS`.
_TABLE: dict[str, list[tuple[Any, ...]]] = {
    "orders": [
        ("POST /quotes", "", "401 200 200 403 403 403 403 403"),
        ("POST /orders", "", "401 201 201 403 403 403 403 403"),
        ("GET /orders", AWAITING, "401 200+ 200- 403 403 403 403 403"),
        ("GET /orders/{order_id}", AWAITING, "401 200 404 200 404 404 404 200"),
        ("GET /orders/{order_id}", PREPARING, "401 200 404 200 404 200 200 200"),
        ("GET /orders/{order_id}", OUT, "401 200 404 200 404 200 404 200"),
        ("GET /orders/{order_id}", DELIVERED, "401 200 404 200 404 200 404 200"),
        ("POST /orders/{order_id}/accept", AWAITING, "401 403 403 202 404 403 403 403"),
        ("POST /orders/{order_id}/accept", OUT, "401 403 403 409 404 403 403 403"),
        ("POST /orders/{order_id}/reject", AWAITING, "401 403 403 202 404 403 403 403"),
        ("POST /orders/{order_id}/reject", OUT, "401 403 403 409 404 403 403 403"),
        ("POST /orders/{order_id}/dispatch", AWAITING, "401 403 403 403 403 404 404 403"),
        ("POST /orders/{order_id}/dispatch", PREPARING, "401 403 403 403 403 202 202 403"),
        ("POST /orders/{order_id}/dispatch", OUT, "401 403 403 403 403 409 404 403"),
        ("POST /orders/{order_id}/deliver", PREPARING, "401 403 403 403 403 409 409 403"),
        ("POST /orders/{order_id}/deliver", OUT, "401 403 403 403 403 202 404 403"),
        ("POST /orders/{order_id}/cancel", AWAITING, "401 202 404 403 403 403 403 403"),
        ("POST /orders/{order_id}/cancel", OUT, "401 409 404 403 403 403 403 403"),
        ("GET /kitchen/orders", AWAITING, "401 403 403 200+ 200- 403 403 403"),
        ("GET /courier/orders", PREPARING, "401 403 403 403 403 200+ 200+ 403", "?which=ready"),
        ("GET /courier/orders", OUT, "401 403 403 403 403 200- 200- 403", "?which=ready"),
        ("GET /courier/orders", OUT, "401 403 403 403 403 200+ 200- 403", "?which=mine"),
        ("GET /support/orders", OUT, "401 403 403 403 403 403 403 200+"),
        ("GET /support/orders", OUT, "401 403 403 403 403 403 403 200+", "?customer={customer_id}"),
        ("GET /support/orders", OUT, "401 403 403 403 403 403 403 200-", "?customer=somebody-else"),
        ("GET /restaurants", "", "200 200 200 200 200 200 200 200"),
        ("GET /restaurants/{restaurant_id}/menu", "", "200 200 200 200 200 200 200 200"),
        ("GET /openapi.json", "", "200 200 200 200 200 200 200 200"),
    ],
    "promotions": [
        ("GET /promo-codes", DELIVERED, "401 200+ 200- 403 403 403 403 403"),
        ("GET /openapi.json", "", "200 200 200 200 200 200 200 200"),
    ],
    "support": [
        ("GET /orders/{order_id}", AWAITING, "401 403 403 403 403 403 403 200"),
        ("GET /orders/{order_id}", DELIVERED, "401 403 403 403 403 403 403 200"),
        ("GET /definitions", "", "401 403 403 403 403 403 403 200"),
        ("GET /openapi.json", "", "200 200 200 200 200 200 200 200"),
    ],
    "estimates": [
        ("GET /orders/{order_id}/estimate", OUT, "401 200 404 200 404 403 403 200"),
        ("GET /openapi.json", "", "200 200 200 200 200 200 200 200"),
    ],
    "live": [
        ("POST /tickets", "", "401 200 200 200 200 200 200 200"),
        ("GET /openapi.json", "", "200 200 200 200 200 200 200 200"),
    ],
}
ROWS = tuple(
    Row(service, route, order, dict(zip(ASKS, answers.split(), strict=True)), *query)
    for service, rows in _TABLE.items()
    for route, order, answers, *query in rows
)
"""Every route of every API, at least once."""


@dataclass(frozen=True)
class Token:
    """A token that somebody might try.

    Attributes:
        kind: what it is.
        status: what each API answers.
        problem: the last part of the problem's type; empty if it is taken.
    """

    kind: str
    status: int
    problem: str


TOKENS = (
    Token("expired", 401, "sign-in-needed"),
    Token("of another user pool", 401, "sign-in-needed"),
    Token("tampered with", 401, "sign-in-needed"),
    Token("unsigned", 401, "sign-in-needed"),
    Token("signed by another key", 401, "sign-in-needed"),
    Token("an access token", 401, "sign-in-needed"),
    Token("of an account in no group", 403, "no-role"),
    Token("of an account in two groups", 403, "no-role"),
    Token("of a restaurant's account without its restaurant", 403, "no-role"),
    Token("of a deleted user, until it expires", 200, ""),
    Token("of a deleted user, afterwards", 401, "sign-in-needed"),
)
"""Each is tried at every API, at `ASKED`, by whom that is for."""
ASKED = {
    "orders": "GET /orders",
    "promotions": "GET /promo-codes",
    "support": "GET /definitions",
    "estimates": "GET /orders/{order_id}/estimate",
    "live": "POST /tickets",
}


def page() -> str:
    """The page of the documentation."""
    shown = {"+": " ✓", "-": " –"}
    rows = "\n".join(
        f"| {row.service} | `{row.route}{row.query}` | {f'`{row.order}`' if row.order else ''} | "
        + " | ".join(answer[:3] + shown.get(answer[3:], "") for answer in row.answers.values())
        + " |"
        for row in ROWS
    )
    tokens = "\n".join(f"| {one.kind} | {one.status} | {f'`{one.problem}`' if one.problem else ''} |" for one in TOKENS)
    routes = len({(row.service, row.route) for row in ROWS})
    tried = ", ".join(f"`{route}`" for route in ASKED.values())
    answers = Counter(answer[:3] for row in ROWS for answer in row.answers.values())
    counts = ", ".join(f"{number} × {status}" for status, number in sorted(answers.items()))
    return f"""# Access

<!-- Written by `.venv/bin/python scripts/render_access.py` from scripts/contracts/access.py. Do not edit. -->

Who gets which answer, at all {routes} routes of the four APIs. `tests/e2e/test_access.py` asks every one of these
{len(ROWS) * len(ASKS)} questions on the deployed stack, with tokens of people who signed in; a route without a row
fails `tests/contract/test_access_table.py`.

- **Who is let in.** People sign in by the pages of one user pool, and send its ID token: `Authorization: Bearer …`.
  There is no other way: no API key, no cookie, no password of ours
  ([why](decisions/sign-in-by-the-pool-s-pages.md)). API Gateway verifies the token and hands on what it says; the
  function reads the subject and the role from there, never from the request.
- **One account, one role.** An account in none of the four groups, or in two, is refused; so is a restaurant's that
  does not say which restaurant. Only an administrator can put somebody into a group, or name the restaurant
  ([users](deploying.md#users)).
- **How long a token lasts.** 15 minutes. API Gateway asks nobody whether the user still exists: whoever is deleted,
  or changes groups, is who they were until then. A sign-in is refreshed for a day, and that ends with the user.
- **What is not theirs does not exist.** 404, the same bytes and headers as for an id that nobody ever had; judged
  before what is legal, so no 409 tells a stranger where an order is
  ([why](decisions/a-strangers-order-does-not-exist.md)). 403 depends on the route and the role alone.
- **What is open.** Menus, restaurants, and each API's OpenAPI document.
- **Pages of other origins.** Nothing is done by a cookie, so a form on another site can do nothing. Only the
  console's origin (`ConsoleOrigin`) is named to browsers, in answers, preflights and API Gateway's own refusals,
  and never with credentials.
- **Headers.** Every answer of a function has `Strict-Transport-Security`, `X-Content-Type-Options: nosniff`, a
  `Content-Security-Policy` that allows nothing, and `Referrer-Policy: no-referrer`; what is behind the sign-in has
  `Cache-Control: no-store`. The APIs take TLS 1.2 and newer. An `ETag` is a hash of the body that its reader got, and
  `If-None-Match` is looked at after everything else: who may not see an order is answered as ever.

## Role by route by ownership

The order is in the status that is named, or the list is looked through for it: ✓ it is in it, – it is not.
*Customer*, *restaurant* and *courier* are whose the order is; while nobody has taken it, *courier* and *another
courier* are any two. 201, 202: done. 401: `sign-in-needed`. 403: `not-your-role`. 404: as if it did not exist. 409:
theirs, and not possible now.

| API | route | order | {" | ".join(ASKS)} |
|---|---|---|{"---|" * len(ASKS)}
{rows}

In all: {counts}.

## Tokens

Each was tried at {tried}, of whom that is for.

| a token … | status | problem |
|---|---|---|
{tokens}
"""
