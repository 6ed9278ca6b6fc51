"""Listening to what changes, as a page does: a ticket, a WebSocket, and the messages as they come."""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import httpx
import websocket

from . import pace
from .client import Refused
from .people import Person, SignsIn

PING = json.dumps({"type": "ping"})
_CONNECT_SECONDS = 20.0


class Heard(NamedTuple):
    """A message.

    Attributes:
        at: when it came.
        message: what it says.
    """

    at: datetime
    message: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long after the event it came."""
        return (self.at - datetime.fromisoformat(self.message["occurred_at"])).total_seconds()


class NotLetIn(Exception):
    """The handshake was refused.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the handshake was answered with {status}")
        self.status = status


class NotHeard(Exception):
    """What was waited for did not come in time."""

    def __init__(self, seconds: float, heard: list[Heard]) -> None:
        super().__init__(f"not within {seconds:g} s; heard was {[each.message for each in heard]}")


def ticket(outputs: Mapping[str, str], people: SignsIn, who: Person | str) -> dict[str, str]:
    """Fetch a ticket.

    Args:
        outputs: the stack's; `LiveApiUrl` is read.
        people: who sign in.
        who: for whom it is.

    Raises:
        Refused: with the problem.
    """
    headers = {"Authorization": f"Bearer {people.token(who)}"}
    answer = httpx.post(f"{outputs['LiveApiUrl']}/tickets", headers=headers, timeout=pace.patience(30), trust_env=False)
    if answer.is_error:
        raise Refused(answer.status_code, answer.json())
    return dict(answer.json())


class Listener:
    """One open connection. A context manager: leaving it closes it.

    Args:
        url: of the WebSocket.
        ticket: lets it in.
        origin: of the page that opens it; none by default, as of a program.

    Attributes:
        heard: messages in the order in which they came.

    Raises:
        NotLetIn: the handshake was refused.
    """

    def __init__(self, url: str, ticket: str, origin: str | None = None) -> None:
        self.heard: list[Heard] = []
        self._came = threading.Condition()
        try:
            self._socket = websocket.create_connection(
                f"{url}?ticket={ticket}",
                timeout=pace.patience(_CONNECT_SECONDS),
                origin=origin,
                suppress_origin=origin is None,
                http_no_proxy=["*"],
            )
        except websocket.WebSocketBadStatusException as refused:
            raise NotLetIn(refused.status_code) from None
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, outputs: Mapping[str, str], people: SignsIn, who: Person | str, origin: str | None = None) -> Self:
        """Fetch a ticket and listen by it."""
        good = ticket(outputs, people, who)
        return cls(good["url"], good["ticket"], origin)

    def say(self, text: str = PING) -> None:
        """Send something, by default what keeps the connection open."""
        self._socket.send(text)

    def wait_for(self, predicate: Callable[[dict[str, Any]], bool], seconds: float = 15.0) -> Heard:
        """Wait for the first message, past ones included, that fits.

        Args:
            predicate: whether a message is the one.
            seconds: how long, on a quiet machine.

        Raises:
            NotHeard: none came.
        """
        deadline, checked = pace.Deadline(seconds), 0
        with self._came:
            while True:
                for each in self.heard[checked:]:
                    if predicate(each.message):
                        return each
                checked = len(self.heard)
                if deadline.passed():
                    raise NotHeard(seconds, self.heard)
                self._came.wait(deadline.left())

    def wait_for_event(self, event: str, order_id: str, seconds: float = 15.0) -> Heard:
        """Wait for the first message, past ones included, of an event of an order."""
        return self.wait_for(lambda said: (said.get("event"), said.get("order_id")) == (event, order_id), seconds)

    @property
    def is_open(self) -> bool:
        """Whether it can still hear anything."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Hang up. Safe to repeat."""
        self._socket.close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        while True:
            try:
                text = self._socket.recv()
            except (OSError, websocket.WebSocketException):
                return
            if not text:
                return
            now = datetime.now(UTC)
            with self._came:
                self.heard.append(Heard(now, json.loads(text)))
                self._came.notify_all()
