"""Who is let in by what listens on this machine: every request as a browser, a tool or an attacker would send it."""

import pytest
from laptop import NoCaller
from laptop.callers import Callers

PORT = 4566
OWN = ("Host", "127.0.0.1:4566")
CONSOLE, EVIL = "http://127.0.0.1:5173", "https://evil.example"
Headers = list[tuple[str, str]]


def from_page(*more: tuple[str, str]) -> Headers:
    return [OWN, *more]


@pytest.fixture(scope="module")
def known() -> Callers:
    return Callers(PORT, [CONSOLE, "host.docker.internal", "door.example:8080"])


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([OWN], id="no browser"),
        pytest.param([("HOST", "127.0.0.1:4566")], id="a header in capitals"),
        pytest.param(from_page(("Sec-Fetch-Site", "none")), id="the address bar"),
        pytest.param(from_page(("Sec-Fetch-Site", "same-origin")), id="its own page"),
        pytest.param(from_page(("Origin", "http://127.0.0.1:4566")), id="its own page, posting"),
        pytest.param(from_page(("Origin", CONSOLE), ("Sec-Fetch-Site", "same-site")), id="the console"),
        pytest.param(
            from_page(("Referer", CONSOLE + "/"), ("Sec-Fetch-Site", "same-site")), id="a link on the console"
        ),
        pytest.param([("Host", "host.docker.internal:4566")], id="a container"),
        pytest.param([("Host", "Host.Docker.Internal:4566")], id="a container that writes capitals"),
        pytest.param(
            [("Host", "host.docker.internal:4566"), ("Origin", "http://host.docker.internal:4566")],
            id="its own page under its other name",
        ),
        pytest.param([("Host", "door.example:8080")], id="a name with a port of its own"),
    ],
)
def test_it_lets_in(known: Callers, headers: Headers) -> None:
    assert known.refusal("/", headers) is None


@pytest.mark.parametrize(
    ("header", "headers"),
    [
        pytest.param("Host", [], id="no host"),
        pytest.param("Host", [("Host", "evil.example:4566")], id="a rebound name"),
        pytest.param(
            "Host", [("Host", "evil.example:4566"), ("Origin", "http://127.0.0.1:4566")], id="rebound, own origin"
        ),
        pytest.param("Host", [("Host", "localhost:4566")], id="a name that the machine's resolver decides"),
        pytest.param("Host", [("Host", "127.0.0.1")], id="no port"),
        pytest.param("Host", [("Host", "127.0.0.1:4567")], id="another port"),
        pytest.param("Host", [("Host", "127.0.0.1.:4566")], id="a dot at the end"),
        pytest.param("Host", [("Host", "[::1]:4566")], id="where nobody listens"),
        pytest.param("Host", [("Host", "a@127.0.0.1:4566")], id="with a user"),
        pytest.param("Host", [("Host", "door.example:4566")], id="a name that was let in with another port"),
        pytest.param("Host", [OWN, OWN], id="two hosts"),
        pytest.param("Host", [OWN, ("host", "evil.example:4566")], id="two different hosts"),
        pytest.param("Origin", from_page(("Origin", EVIL)), id="a page"),
        pytest.param("Origin", from_page(("ORIGIN", EVIL)), id="a page, in capitals"),
        pytest.param("Origin", from_page(("Origin", "null")), id="a sandboxed frame"),
        pytest.param("Origin", from_page(("Origin", "")), id="an empty origin"),
        pytest.param("Origin", from_page(("Origin", "http://127.0.0.1:8000")), id="another port of this machine"),
        pytest.param("Origin", from_page(("Origin", "https://127.0.0.1:4566")), id="another scheme"),
        pytest.param("Origin", from_page(("Origin", CONSOLE), ("Origin", EVIL)), id="two origins"),
        pytest.param("Origin", from_page(("Origin", f"{CONSOLE}, {EVIL}")), id="two origins in one"),
        pytest.param(
            "Origin", from_page(("Origin", EVIL), ("Sec-Fetch-Site", "same-origin")), id="a page that says it is ours"
        ),
        pytest.param("Sec-Fetch-Site", from_page(("Sec-Fetch-Site", "cross-site")), id="an image, a script, a link"),
        pytest.param("Sec-Fetch-Site", from_page(("Sec-Fetch-Site", "same-site")), id="an image on another port"),
        pytest.param("Sec-Fetch-Site", from_page(("Sec-Fetch-Site", "")), id="nothing said"),
        pytest.param("Sec-Fetch-Site", from_page(("Sec-Fetch-Site", "same-origin, cross-site")), id="two in one"),
        pytest.param(
            "Sec-Fetch-Site",
            from_page(("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")),
            id="two of them",
        ),
        pytest.param(
            "Sec-Fetch-Site",
            from_page(("Sec-Fetch-Site", "cross-site"), ("Referer", EVIL + "/?" + CONSOLE)),
            id="a link on a page",
        ),
        pytest.param(
            "Sec-Fetch-Site",
            from_page(("Sec-Fetch-Site", "same-site"), ("Referer", CONSOLE + "4")),
            id="a link on a page whose port begins alike",
        ),
    ],
)
def test_it_refuses_and_says_over_which_header(known: Callers, header: str, headers: Headers) -> None:
    refusal = known.refusal("/", headers)

    assert refusal is not None
    assert refusal.header == header


@pytest.mark.parametrize("target", ["http://evil.example/", "http://127.0.0.1:4566/", "evil.example:4566", "*", ""])
def test_it_refuses_a_target_that_is_no_path(known: Callers, target: str) -> None:
    refusal = known.refusal(target, [OWN])

    assert refusal is not None
    assert refusal.header == "Host"


def test_a_refusal_says_what_would_let_the_caller_in(known: Callers) -> None:
    refusal = known.refusal("/", from_page(("Origin", EVIL)))

    assert refusal is not None
    assert Callers(PORT, [refusal.remedy.rpartition("=")[2]]).refusal("/", from_page(("Origin", EVIL))) is None


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "null",
        "",
        "http://",
        "http://*",
        "http://a/b",
        "ftp://a",
        "a b",
        "http://a@b",
        "a:b",
        ".a",
        "*.example.com",
    ],
)
def test_who_is_nobody_or_everybody_can_not_be_let_in(entry: str) -> None:
    with pytest.raises(NoCaller):
        Callers(PORT, [entry])
