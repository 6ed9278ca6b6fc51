"""How the laptop serves the console: its files, its pages, and nothing beside them."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from laptop import web
from laptop.emulator import web_server


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    dist = tmp_path / "web" / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / ".vite").mkdir()
    (dist / "index.html").write_text("the page")
    (dist / "assets" / "index-1.js").write_text("the script")
    (dist / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "web" / "secret.txt").write_text("not for anybody")
    monkeypatch.setattr(web, "DIST", dist)
    (tmp_path / web.CONFIG).write_text(json.dumps({"apis": {"orders": "http://127.0.0.1:4566/v1"}}))
    server = web_server.serve(0, tmp_path)
    with httpx.Client(base_url=web.origin(server.server_port), trust_env=False) as http:
        yield http
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/", "/orders", "/orders/ord_1?a=b", "/signed-in?code=c&state=s"])
def test_every_page_of_the_console_is_the_one_page(site: httpx.Client, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.text) == (200, "the page")
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_script_is_a_script_and_is_kept(site: httpx.Client) -> None:
    answer = site.get("/assets/index-1.js")
    assert (answer.text, answer.headers["Content-Type"]) == ("the script", "text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    ["/assets/gone.js", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "/.vite/manifest.json"],
)
def test_what_is_no_file_of_the_console_is_not_there(site: httpx.Client, path: str) -> None:
    answer = site.request("GET", httpx.URL(str(site.base_url).rstrip("/")).copy_with(raw_path=path.encode()))
    assert answer.status_code == 404
    assert "not for anybody" not in answer.text


def test_every_answer_has_the_headers(site: httpx.Client) -> None:
    for path in ("/", "/config.json", "/assets/index-1.js", "/assets/gone.js"):
        answer = site.get(path)
        assert "connect-src 'self' http://127.0.0.1:4566;" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        # By http it would be ignored, and it is not for other ports of this machine to be asked by https.
        assert "Strict-Transport-Security" not in answer.headers


def test_a_name_that_is_made_to_lead_here_gets_nothing(site: httpx.Client) -> None:
    answer = site.get("/config.json", headers={"Host": "rebound.example"})
    assert answer.status_code == 403
    assert "apis" not in answer.text


def test_before_it_is_built_it_says_how_to_build_it(site: httpx.Client) -> None:
    (web.DIST / "index.html").unlink()
    answer = site.get("/orders")
    assert (answer.status_code, answer.text) == (503, "The console is not built: make web\n")
