"""What the console is built of is as the services say, and what it is served with lets nothing in but its own files."""

import json
import re
from pathlib import Path

import pytest
from contracts import console
from laptop import web
from laptop.emulator.web_server import caching, headers
from worlds import ROOT

OUTPUTS = {
    "SignInUrl": "https://pages.example",
    "UserPoolClientId": "client",
    "ApiUrl": "https://orders.example/v1",
    "PromotionsApiUrl": "https://promotions.example/v1",
}


@pytest.mark.parametrize("path", [*console.files(), *console.GENERATED.glob("*.json")], ids=lambda path: path.name)
def test_what_is_generated_is_as_it_would_be_generated_now(path: Path) -> None:
    assert path not in console.stale(), "run .venv/bin/python scripts/render_console.py"


def test_every_service_with_an_api_that_the_console_calls_has_its_document_there() -> None:
    there = {name for name in console.APIS if (ROOT / "services" / name / name / "api.py").exists()}
    assert {path.name.partition(".")[0] for path in console.GENERATED.glob("*.openapi.json")} == there


def directives(config: object) -> dict[str, str]:
    policy = headers(config)["Content-Security-Policy"]
    return {name: value for name, _, value in (each.strip().partition(" ") for each in policy.split(";"))}


def test_a_page_runs_and_shows_its_own_files_alone() -> None:
    assert directives({}) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }


def test_a_page_connects_to_what_its_configuration_names_and_to_nothing_else() -> None:
    live = {"LiveApiUrl": "https://live.example/v1", "LiveUrl": "wss://socket.example/v1"}
    assert directives(web.configuration(OUTPUTS | live))["connect-src"].split() == [
        "'self'",
        "https://live.example",
        "https://orders.example",
        "https://pages.example",
        "https://promotions.example",
        "wss://socket.example",
    ]


def test_who_leaves_for_the_sign_in_pages_says_from_which_origin_and_not_from_which_page() -> None:
    assert headers({})["Referrer-Policy"] == "strict-origin"


def test_only_files_whose_names_follow_from_their_content_are_kept() -> None:
    assert caching("assets/index-abc.js").endswith("immutable")
    assert {caching(path) for path in ("", "index.html", "config.json", "theme.js", "orders/ord_1")} == {"no-cache"}


def test_no_lock_names_a_registry_of_some_machine() -> None:
    lock = (web.FOLDER / "package-lock.json").read_text("utf-8")
    assert set(re.findall(r'"resolved": "https?://([^/"]+)', lock)) <= {"registry.npmjs.org"}
    versions = json.loads((web.FOLDER / "package.json").read_text("utf-8"))
    for name, version in (versions["dependencies"] | versions["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"


def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    page = (web.FOLDER / "index.html").read_text("utf-8")
    assert "<style" not in page
    assert "style=" not in page
    assert all('src="' in tag for tag in re.findall(r"<script[^>]*>", page))
