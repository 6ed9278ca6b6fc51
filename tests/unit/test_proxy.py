"""Containers reach the emulator by a proxy, and neither they nor anybody else reach anything else by it."""

import http.client
import ipaddress
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from laptop import NotLoopback
from laptop.proxy import Proxy

HERE = "127.0.0.1"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@dataclass
class Emulator:
    """Stands in for one: remembers what it was asked."""

    endpoint: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    it = Emulator()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            it.asked.append({"path": self.path, "headers": self.headers.items(), "body": body})
            self.send_response(400)
            self.send_header("x-amzn-requestid", "r-1")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer((HERE, 0), Handler)
    it.endpoint = f"http://{HERE}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield it
    server.shutdown()
    server.server_close()


def ask(proxy: Proxy, target: str, host: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HERE, proxy.port, timeout=10)
    try:
        connection.putrequest("POST", target, skip_host=True)
        for name, value in (("Host", host), ("Authorization", "AWS4-HMAC-SHA256 …".encode().decode("latin-1"))):
            connection.putheader(name, value)
        connection.putheader("Proxy-Connection", "keep-alive")
        connection.putheader("Content-Length", "7")
        connection.endheaders(b'{"a":1}')
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_request_comes_through_as_it_was_signed_and_so_does_its_answer(emulator: Emulator) -> None:
    authority = emulator.endpoint.removeprefix("http://")
    with Proxy(emulator.endpoint, HERE, LOOPBACK) as proxy:
        status, headers, body = ask(proxy, f"{emulator.endpoint}/a%2Fb?x=1&x=2", authority)
    assert (status, headers["x-amzn-requestid"], body) == (400, "r-1", b"{}")
    (asked,) = emulator.asked
    assert (asked["path"], asked["body"]) == ("/a%2Fb?x=1&x=2", '{"a":1}')
    said = {name.lower(): value for name, value in asked["headers"]}
    assert said["host"] == authority
    assert said["authorization"].startswith("AWS4-HMAC-SHA256")
    assert "proxy-connection" not in said
    assert proxy.forwarded == 1


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://169.254.169.254/latest", "169.254.169.254"),
        ("http://127.0.0.1:1/", "127.0.0.1:1"),
        ("{endpoint}.example.com/", "{authority}.example.com"),
        ("{endpoint}@example.com/", "{authority}"),
        ("{endpoint}/", "example.com"),
        ("/", "{authority}"),  # as a page would ask
    ],
)
def test_it_leads_nowhere_else(emulator: Emulator, target: str, host: str) -> None:
    names = {"endpoint": emulator.endpoint, "authority": emulator.endpoint.removeprefix("http://")}
    with Proxy(emulator.endpoint, HERE, LOOPBACK) as proxy:
        status, _, _ = ask(proxy, target.format(**names), host.format(**names))
    assert (status, emulator.asked, proxy.forwarded) == (403, [], 0)


def test_whoever_is_no_container_is_hung_up_on(emulator: Emulator) -> None:
    authority = emulator.endpoint.removeprefix("http://")
    with (
        Proxy(emulator.endpoint, HERE, ipaddress.ip_network("172.17.0.0/16")) as proxy,
        pytest.raises((ConnectionError, http.client.RemoteDisconnected)),
    ):
        ask(proxy, f"{emulator.endpoint}/", authority)
    assert emulator.asked == []


def test_it_is_for_an_emulator_of_this_machine_alone() -> None:
    with pytest.raises(NotLoopback):
        Proxy("http://192.0.2.1:4566", HERE, LOOPBACK)


def test_an_emulator_that_has_gone_is_told_of(emulator: Emulator) -> None:
    gone = "http://127.0.0.1:9"
    with Proxy(gone, HERE, LOOPBACK) as proxy:
        status, _, body = ask(proxy, f"{gone}/", "127.0.0.1:9")
    assert status == 502
    assert b"does not answer" in body
    assert json.dumps(emulator.asked) == "[]"
