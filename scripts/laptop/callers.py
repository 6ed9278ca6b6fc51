"""Who may talk to what listens on this machine: nobody whom a web page sent.

A browser lets any page send requests to 127.0.0.1, and only keeps the answers from it. A page can also have a name of
its own lead to 127.0.0.1 (DNS rebinding), and then reads the answers too. But no page can change what the browser says
of it, and that is what is looked at here:

| header | says | source |
|---|---|---|
| `Host` | the name that was asked for; a rebound name is not ours | RFC 9110, section 7.2 |
| `Origin` | which page sent it: with every POST, and a WebSocket's upgrade | Fetch standard, "`Origin` header" |
| `Sec-Fetch-Site` | how far off that page is, also where there is no `Origin` | W3C, "Fetch Metadata Request Headers" |

What is no browser sends the `Host` alone. A page on another port of 127.0.0.1 is `same-site`, and a stranger all the
same.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .environment import HOST
from .errors import NoCaller

LETS_IN = "TIFFIN_LETS_IN"
"""Environment variable: further hosts and origins to let in, comma-separated."""
CONTENT_TYPE = "application/problem+json"
# Of a request that a page of the same origin sent, or a person, by the address bar or a bookmark.
_OURS = ("same-origin", "none")
# The origin of whoever does not say, such as a sandboxed frame or a file.
_NOBODY = "null"
_FROM_ELSEWHERE = ("same-site", "cross-site")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in.

    Attributes:
        header: the header that tells it apart.
        value: what it said; nothing, if it is missing.
        remedy: what would let it in.
    """

    header: str
    value: str
    remedy: str

    def document(self) -> bytes:
        """The answer's body: a problem document (RFC 9457). The status is 403."""
        members = {
            "type": "https://tiffin.example/problems/caller-not-let-in",
            "title": "Caller not let in",
            "status": 403,
            "detail": f"This listens for its own machine, and refuses what a web page may have sent. {self.remedy}",
            "header": self.header,
            "value": self.value,
        }
        return json.dumps(members).encode()


class Callers:
    """Those whom one port lets in.

    Args:
        port: where it listens, on 127.0.0.1.
        lets_in: whom else. `host.docker.internal` or `host.docker.internal:4566` is another name for this machine;
            without a port, with the same one. `http://127.0.0.1:5173` is where a page is that may send requests. Only
            name what no stranger can make lead here.

    Raises:
        NoCaller: an entry is neither.
    """

    def __init__(self, port: int, lets_in: Iterable[str] = ()) -> None:
        self._own = f"{HOST}:{port}"
        self._hosts, self._origins = {self._own}, set[str]()
        for entry in (each.strip().lower() for each in lets_in):
            if _is_origin(entry):
                self._origins.add(entry)
            elif _HOST.fullmatch(entry) and entry != _NOBODY:
                self._hosts.add(entry if re.search(r":\d+$", entry) else f"{entry}:{port}")
            else:
                raise NoCaller(entry)
        self._origins |= {f"http://{host}" for host in self._hosts}

    def refusal(self, target: str, headers: Iterable[tuple[str, str]]) -> Refusal | None:
        """Whether, and why, a request is not let in.

        Args:
            target: the request's target as it was sent, a path and query (RFC 9112, section 3.2).
            headers: names in any case, repeated ones repeated.
        """
        said: dict[str, list[str]] = {}
        for name, value in headers:
            said.setdefault(name.lower(), []).append(value)
        if not target.startswith("/"):
            # `GET http://elsewhere/ HTTP/1.1`: it would count instead of the Host header.
            return Refusal("Host", target, "Ask for a path alone, as one asks a server and not a proxy.")
        hosts = said.get("host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            remedy = f"Ask for {self._own}, or let the name in: {LETS_IN}={hosts[0] if hosts else '…'}"
            return Refusal("Host", ", ".join(hosts), remedy)
        for origin in said.get("origin", []):
            if origin.lower() not in self._origins:
                let_in = f"Let the page in: {LETS_IN}={origin}"
                return Refusal("Origin", origin, "Serve the page from an address." if origin == _NOBODY else let_in)
        for site in said.get("sec-fetch-site", []):
            if site not in _OURS and not (site in _FROM_ELSEWHERE and self._knows_the_page(said)):
                remedy = f"Open the address itself, or let the page in by its origin: {LETS_IN}=http://…"
                return Refusal("Sec-Fetch-Site", site, remedy)
        return None

    def _knows_the_page(self, said: dict[str, list[str]]) -> bool:
        """Whether a request from elsewhere names a page that is let in. A link has no `Origin`, but a `Referer`."""
        if "origin" in said:
            return True
        pages = {f"{parts.scheme}://{parts.netloc}".lower() for parts in map(urlsplit, said.get("referer", []))}
        return bool(pages) and pages <= self._origins


def named(text: str) -> list[str]:
    """The entries of a comma-separated list."""
    return [entry for entry in (each.strip() for each in text.split(",")) if entry]


def _is_origin(entry: str) -> bool:
    scheme, separator, host = entry.partition("://")
    return bool(separator) and scheme in ("http", "https") and bool(_HOST.fullmatch(host))
