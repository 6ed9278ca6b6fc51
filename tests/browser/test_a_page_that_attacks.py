"""A page that somebody opens while `make up` runs, with every way in that a page has. It gets nothing done.

What would be bad is that code runs on this machine: a function is made on the emulator, and invoked. The page knows
where the emulator listens, and what MiniStack takes for credentials.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from laptop.emulator.launcher import Emulator
from laptop.pace import patience
from worlds import chromium
from worlds.attacks import Attack
from worlds.emulator import World, unique
from worlds.polling import eventually


@pytest.fixture(scope="module", autouse=True)
def a_browser() -> None:
    chromium.is_there()


# Each step waits for the one before it, and says what came of it. `there` is the emulator as the page reaches it.
FETCH = """
const post = (target, body) => fetch(there + target, {
  method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body});
await step("role", () => post(plan.role, ""));
await step("function", () => post(plan.function, plan.body));
await step("invocation", () => post(plan.invocation, "{}"));
await step("preflight", () => fetch(there + plan.function, {
  method: "POST", headers: {"Content-Type": "application/json"}, body: plan.body}));
await step("websocket", () => new Promise((yes, no) => {
  const socket = new WebSocket(there.replace("http", "ws") + "/_aws/execute-api/a/v1");
  socket.onopen = yes; socket.onerror = no;
}));
"""
FORM = """
const submit = (target, body) => new Promise(done => {
  const frame = document.createElement("iframe");
  frame.name = "frame" + document.forms.length;
  document.body.appendChild(frame);
  const form = document.body.appendChild(document.createElement("form"));
  Object.assign(form, {method: "POST", enctype: "text/plain", action: there + target, target: frame.name});
  // A form of plain text has one equals sign in each line: it is put into a member that nobody reads.
  const field = form.appendChild(document.createElement("input"));
  field.name = body.slice(0, -1) + ', "Description": "'; field.value = '"}';
  frame.onload = done;
  // What the browser would not show in a frame is saved, and then the frame says nothing.
  setTimeout(done, 2000);
  form.submit();
});
await step("role", () => submit(plan.role, '{"a": ""}'));
await step("function", () => submit(plan.function, plan.body));
await step("invocation", () => submit(plan.invocation, '{"a": ""}'));
"""
TAGS = """
const tag = (name, attribute) => new Promise(done => {
  const element = document.createElement(name);
  element.onload = element.onerror = done;
  element[attribute] = there + plan.role;
  if (name === "link") element.rel = "stylesheet";
  document.body.appendChild(element);
});
for (const [name, attribute] of [["img", "src"], ["script", "src"], ["link", "href"], ["iframe", "src"]])
  await step(name, () => tag(name, attribute));
"""
PAGE = """<!doctype html><meta charset="utf-8"><title>Kittens</title><body><script>
(async () => {
  const plan = %(plan)s, there = plan.there, report = {};
  const step = async (name, act) => {
    try {
      const answer = await act();
      report[name] = answer instanceof Response ? answer.type + answer.status : "sent";
    } catch (error) { report[name] = "" + error; }
  };
  %(steps)s
  await fetch("/report", {method: "POST", body: JSON.stringify(report)});
})();
</script>"""


@dataclass
class Page:
    """The attacker's server, on a port of its own. What it does not serve itself it passes on to `behind`, unchanged.

    So a name is rebound: the page comes from the attacker, and the same name leads to the emulator a moment later.
    """

    behind: int
    html: str = ""
    report: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> "Page":
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/kittens.html":
                    return self._answer(page.html.encode())
                return self._pass_on()

            def do_POST(self) -> None:
                if self.path == "/report":
                    page.report |= json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    return self._answer(b"{}")
                return self._pass_on()

            def do_OPTIONS(self) -> None:
                self._pass_on()

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                head = [self.requestline, *(f"{k}: {v}" for k, v in self.headers.items() if k != "Connection")]
                with socket.create_connection(("127.0.0.1", page.behind), timeout=patience(30)) as emulator:
                    emulator.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode() + body)
                    with suppress(OSError):
                        while part := emulator.recv(65536):
                            self.wfile.write(part)
                self.close_connection = True

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    def shows(self, attack: Attack, there: str, steps: str) -> None:
        """Write the page.

        Args:
            attack: what it is after.
            there: where it looks for the emulator.
            steps: what it does.
        """
        plan = {
            "there": there,
            "role": attack.make_role(),
            "function": attack.make_function(),
            "body": attack.function(),
            "invocation": attack.invoke(),
        }
        self.html = PAGE % {"plan": json.dumps(plan), "steps": steps}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    emulator = Emulator(state_dir=tmp_path_factory.mktemp("state"))
    try:
        yield World(emulator.start().access)
    finally:
        emulator.stop()


@pytest.mark.parametrize("steps", [FETCH, FORM, TAGS], ids=["fetch", "form", "tags"])
@pytest.mark.parametrize("name", ["127.0.0.1", "evil.example"])
def test_a_page_from_elsewhere_makes_and_runs_nothing(inside: World, tmp_path: Path, steps: str, name: str) -> None:
    """The page is on another port, and reaches the emulator by its address, or by a name that leads here."""
    port = int(inside.endpoint.rpartition(":")[2])
    attack = Attack(unique("evil"), tmp_path / "marker")
    with Page(behind=port) as page:
        page.shows(attack, f"http://{name}:{port}", steps)

        with chromium.showing(f"http://kittens.example:{page.port}/kittens.html", "MAP * 127.0.0.1"):
            eventually(lambda: page.report, 60, "the end of the attack")

    assert set(page.report) >= ({"img", "script"} if steps is TAGS else {"role", "function", "invocation"})
    assert attack.effects(inside.access) == []


@pytest.mark.parametrize("steps", [FETCH, FORM, TAGS], ids=["fetch", "form", "tags"])
def test_a_page_whose_name_is_rebound_to_this_machine_makes_and_runs_nothing(
    inside: World, tmp_path: Path, steps: str
) -> None:
    """The page's own name and port lead to the emulator after it was loaded: to the browser they are one origin."""
    port = int(inside.endpoint.rpartition(":")[2])
    attack = Attack(unique("evil"), tmp_path / "marker")
    with Page(behind=port) as page:
        here = f"http://evil.example:{port}"
        page.shows(attack, here, steps)

        rules = f"MAP evil.example:{port} 127.0.0.1:{page.port}, MAP * 127.0.0.1"
        with chromium.showing(f"{here}/kittens.html", rules):
            eventually(lambda: page.report, 60, "the end of the attack")

    if steps is FETCH:
        # The browser lets the page read what comes back: of one origin, nothing but the emulator itself stops it.
        assert page.report["function"] == "basic403"
    assert attack.effects(inside.access) == []
