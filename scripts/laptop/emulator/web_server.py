"""Serves the console on this machine, as CloudFront serves it on AWS: the same files, headers and ways to cache.

What the headers are is said in `web/headers.json`. A path that is no file is a page of the console's own: the answer is
`index.html`, and its router knows the page.
"""

import json
import mimetypes
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .. import web
from ..callers import CONTENT_TYPE, Callers
from ..environment import HOST

PAGE = "index.html"
"""The file that draws every page."""
_ONLY_BY_HTTPS = "Strict-Transport-Security"
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("font/woff2", ".woff2")


def serve(port: int, folder: Path) -> "ThreadingHTTPServer":
    """Serve the console from now on, in a thread.

    Args:
        port: where, on 127.0.0.1; 0 for any free one.
        folder: holds `config.json`, once there is one.

    Raises:
        OSError: the port is taken.
    """
    server = _Server((HOST, port), _Handler)
    server.config, server.callers = folder / web.CONFIG, Callers(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True, name="console").start()
    return server


def headers(config: Any) -> dict[str, str]:
    """The headers of every answer.

    Args:
        config: what `config.json` says. A page may connect to the origins in it, and to no others.
    """
    said: dict[str, str] = json.loads((web.FOLDER / "headers.json").read_text("utf-8"))["headers"]
    connect = " ".join(sorted(set(_origins(config))))
    return {name: value.replace(" {connect}", f" {connect}") for name, value in said.items() if name != _ONLY_BY_HTTPS}


def caching(path: str) -> str:
    """How long a file may be kept, by the longest beginning of its path that is listed."""
    said: dict[str, str] = json.loads((web.FOLDER / "headers.json").read_text("utf-8"))["cache"]
    return said[max((beginning for beginning in said if path.startswith(beginning)), key=len)]


def content_type(name: str) -> str:
    """The media type of a file by its name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _origins(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        for value in config.values():
            yield from _origins(value)
    elif isinstance(config, str) and (parts := urlsplit(config)).scheme in ("http", "https", "ws", "wss"):
        yield f"{parts.scheme}://{parts.netloc}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    config: Path
    callers: Callers


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "console", ""

    def do_GET(self) -> None:
        """Answer with a file, or with the page."""
        # Everybody may read it, as on AWS; only a name that is not ours leads nowhere (DNS rebinding).
        hosts = [("Host", value) for value in self.headers.get_all("Host", [])]
        if refusal := self.server.callers.refusal(self.path, hosts):
            self._answer(403, CONTENT_TYPE, refusal.document())
            return
        path = unquote(urlsplit(self.path).path).lstrip("/")
        found = self.server.config if path == web.CONFIG else _file(path)
        if found.is_file():
            self._answer(200, content_type(found.name), found.read_bytes(), path)
        elif found.name == PAGE:
            self._answer(503, "text/plain; charset=utf-8", b"The console is not built: make web\n")
        else:
            self._answer(404, "text/plain; charset=utf-8", b"Nothing here.\n")

    def do_HEAD(self) -> None:
        """The same, without the body."""
        self.do_GET()

    def _answer(self, status: int, content_type: str, body: bytes, path: str = "") -> None:
        config = json.loads(self.server.config.read_text("utf-8")) if self.server.config.is_file() else {}
        self.send_response(status)
        own = {"Content-Type": content_type, "Content-Length": str(len(body)), "Cache-Control": caching(path)}
        for name, value in (headers(config) | own).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a path may have a code to sign in with in it."""


def _file(path: str) -> Path:
    """The file of a path, or the page: of what was built, and of nothing beside it."""
    dist = web.DIST.resolve()
    found = (dist / path).resolve()
    inside = found.is_relative_to(dist) and not any(part.startswith(".") for part in found.relative_to(dist).parts)
    if inside and found.is_file():
        return found
    # What looks like a file and is none is missing; a browser must not take the page for a script.
    return dist / PAGE if "." not in path.rpartition("/")[2] else dist / "assets" / "missing"
