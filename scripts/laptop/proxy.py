"""The way from a container to the emulator, which listens on 127.0.0.1 alone and lets in only who asks for that.

A container has a 127.0.0.1 of its own. So its functions keep the emulator's own address as their endpoint, and ask by
way of this, as of an HTTP proxy (RFC 9112, section 3.2.2): request, `Host` and signature come through unchanged, and
the emulator needs to let nobody else in. It leads to the emulator and to nowhere else, from one network of containers.
"""

import http.client
import ipaddress
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from .environment import loopback
from .pace import patience

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# They speak of one connection, and there are two (RFC 9110, section 7.6.1). The length is told anew, and
# whoever expects to be told to go on has been told.
_OF_A_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "transfer-encoding", "content-length"}
    | {"expect"}
)


class Proxy:
    """Forwards to one emulator while it is entered.

    Args:
        endpoint: the emulator's.
        address: where to listen: of this machine's addresses the one that the containers see, and no other.
        network: the containers'. Whoever comes from elsewhere is hung up on.

    Attributes:
        port: where it listens, once it does.
        forwarded: how many requests it has passed on.

    Raises:
        NotLoopback: the endpoint is not this machine.
        OSError: it cannot listen there.
    """

    def __init__(self, endpoint: str, address: str, network: Network) -> None:
        leads_to = loopback(endpoint)
        self._server = _Server((address, 0), _Handler)
        self._server.endpoint, self._server.network, self._server.forwarded = leads_to, network, 0
        self.port = int(self._server.server_address[1])

    @property
    def forwarded(self) -> int:
        """How many requests were passed on."""
        return self._server.forwarded

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="proxy").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    endpoint: str
    network: Network
    forwarded: int

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether a connection comes from a container. This machine's own come from where the proxy listens."""
        peer = ipaddress.ip_address(client_address[0])
        own = ipaddress.ip_address(str(self.server_address[0]))
        return peer in self.network and (peer != own or own.is_loopback)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _pass_on(self) -> None:
        asked = urlsplit(self.path)
        if f"{asked.scheme}://{asked.netloc}" != self.server.endpoint or self.headers.get("Host") != asked.netloc:
            return self.send_error(403, f"This leads to {self.server.endpoint} and to nowhere else")
        if "Transfer-Encoding" in self.headers:
            return self.send_error(411, "The body's length must be said")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        target = self.path.removeprefix(self.server.endpoint) or "/"
        self.server.forwarded += 1
        emulator = http.client.HTTPConnection(asked.hostname or "", asked.port or 80, timeout=patience(60))
        try:
            emulator.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
            for name, value in self._end_to_end(self.headers.items()):
                emulator.putheader(name, value)
            if body or "Content-Length" in self.headers:
                emulator.putheader("Content-Length", str(len(body)))
            emulator.endheaders(body)
            answer = emulator.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            return self.send_error(502, f"The emulator does not answer: {type(problem).__name__}")
        finally:
            emulator.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in self._end_to_end(answer.getheaders()):
            self.send_header(name, value)
        length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)
        return None

    @staticmethod
    def _end_to_end(headers: Any) -> list[tuple[str, str]]:
        return [(name, value) for name, value in headers if name.lower() not in _OF_A_CONNECTION]

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _pass_on  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        """Silent: the emulator has a log."""
