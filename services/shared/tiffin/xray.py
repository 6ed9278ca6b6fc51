"""Subsegments of X-Ray, as the provider that Powertools' Tracer works with.

A function's segment is Lambda's; what happens inside is told to the daemon beside the function, a datagram for each
subsegment once it is over. That is all that a function needs of X-Ray. AWS's SDK for it is in maintenance, brings a
patcher of libraries, an event loop and a sampler along, and was a fifth of a consumer's cold start
(docs/decisions/tracing-behind-one-module.md).

Source: X-Ray developer guide, "X-Ray segment documents" and "Sending trace data to X-Ray", "Sending segment documents
to the X-Ray daemon".
"""

import json
import os
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from aws_lambda_powertools.tracing.base import BaseProvider, BaseSegment

_HEADER = b'{"format":"json","version":1}\n'
_LONGEST = 65_507 - len(_HEADER)
"""Bytes of a document that a datagram takes; the daemon would take a few more."""
_NOT_IN_NAMES = str.maketrans(
    "", "", "".join(c for c in map(chr, range(128)) if not (c.isalnum() or c in "_.:/%&#=+\\-@ "))
)
"""Takes away what the name of a subsegment may not have in it."""


class Subsegment(BaseSegment):
    """Something that a function did: what it was called, when it was, and what is known of it.

    Attributes:
        id: its own: 16 hexadecimal digits.
        trace_id: of the trace that it belongs to.
        sampled: whether the trace is kept.
        header: by which the trace goes on in whatever is called. It keeps the invocation's `Lineage`, by which Lambda
            finds functions that call each other without end.
    """

    def __init__(
        self,
        name: str,
        trace_id: str,
        parent_id: str,
        *,
        sampled: bool,
        namespace: str | None,
        lineage: str | None = None,
    ) -> None:
        self.id, self.trace_id, self.sampled = os.urandom(8).hex(), trace_id, sampled
        more = f";Lineage={lineage}" if lineage else ""
        self.header = f"Root={trace_id};Parent={self.id};Sampled={int(sampled)}{more}"
        self._document: dict[str, Any] = {
            "name": name.translate(_NOT_IN_NAMES)[:200],
            "id": self.id,
            "trace_id": trace_id,
            "parent_id": parent_id,
            "type": "subsegment",
            "start_time": time.time(),
        }
        if namespace:
            self._document["namespace"] = namespace

    def close(self, end_time: float | None = None) -> None:
        """Note that it is over."""
        self._document["end_time"] = end_time or time.time()

    def put_annotation(self, key: str, value: Any) -> None:
        """Note a fact that traces are found by."""
        self._document.setdefault("annotations", {})[key] = (
            value if isinstance(value, bool | int | float) else str(value)
        )

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Note a fact that is only shown. What was raised is noted already, as the cause."""
        if not isinstance(value, BaseException):
            self._document.setdefault("metadata", {}).setdefault(namespace, {})[key] = value

    def put_aws(self, facts: Mapping[str, Any]) -> None:
        """Note which call of AWS it was."""
        self._document["aws"] = dict(facts)

    def put_status(self, status: int) -> None:
        """Note which status was answered at last, and whose mistake it says that it was."""
        for former in ("fault", "error", "throttle"):
            self._document.pop(former, None)
        self._document["http"] = {"response": {"status": status}}
        if status >= 500:
            self._document["fault"] = True
        elif status >= 400:
            self._document["error"] = True
            if status == 429:
                self._document["throttle"] = True

    def add_exception(self, exception: BaseException, stack: Sequence[Any], remote: bool = False) -> None:
        """Note what was raised, once, where it began.

        Args:
            exception: what was.
            stack: of `traceback.extract_tb`.
            remote: whether the other side raised it.
        """
        if not remote:
            self._document["fault"] = True
        if known := getattr(exception, "_cause_id", None):
            self._document["cause"] = known
            return
        cause = os.urandom(8).hex()
        exception._cause_id = cause  # type: ignore[attr-defined]
        frames = [{"path": f.filename.rpartition("/")[2], "line": f.lineno, "label": f.name} for f in stack]
        told = {"id": cause, "type": type(exception).__name__, "message": str(exception), "remote": remote}
        self._document["cause"] = {"exceptions": [told | ({"stack": frames} if frames else {})]}

    def add_subsegment(self, subsegment: Any) -> None:
        """Each is sent by itself, and names the one that it is part of."""

    def remove_subsegment(self, subsegment: Any) -> None:
        """See `add_subsegment`."""

    def document(self) -> bytes:
        """What the daemon is told; without what is only shown, should it be too long for it."""
        for leaves_out in ((), ("metadata",), ("metadata", "cause")):
            kept = {name: value for name, value in self._document.items() if name not in leaves_out}
            document = json.dumps(kept, separators=(",", ":"), default=str).encode()
            if len(document) <= _LONGEST:
                break
        return document


class XRay(BaseProvider):
    """Makes subsegments below the segment of the invocation that `_X_AMZN_TRACE_ID` names, and sends them.

    Environment:
        AWS_XRAY_DAEMON_ADDRESS: where the daemon listens; Lambda sets it.
        POWERTOOLS_TRACE_DISABLED: whether nothing is sent.
    """

    def __init__(self) -> None:
        # What is open, the innermost last. A thread that runs in a copy of its maker's context goes on from there, and
        # what it opens is none of the others'.
        self._open: ContextVar[tuple[Subsegment, ...]] = ContextVar("open", default=())
        self._invocation = ""
        # Of the two addresses that there may be, one for each protocol, the one for datagrams.
        told = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000").split()
        host, _, port = (
            next((each for each in told if each.startswith("udp:")), told[0]).removeprefix("udp:").rpartition(":")
        )
        self._daemon = (host, int(port))
        self._disabled = os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in {"1", "true", "yes", "on"}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    @contextmanager
    def in_subsegment(self, name: str | None = None, **kwargs: Any) -> Generator[Subsegment, None, None]:
        """Do something in a subsegment of its own.

        Args:
            name: what is done.
            kwargs: `namespace`: `aws` for a call of AWS, `remote` for one of others.
        """
        header = "" if self._disabled else os.environ.get("_X_AMZN_TRACE_ID", "")
        # Of an invocation that was ended in the middle, something may be open still.
        above = self._open.get() if header == self._invocation else ()
        self._invocation = header
        parts = dict(part.strip().partition("=")[::2] for part in header.split(";"))
        subsegment = Subsegment(
            name or "",
            parts.get("Root", ""),
            above[-1].id if above else parts.get("Parent", ""),
            sampled=parts.get("Sampled") == "1" and "Root" in parts and "Parent" in parts,
            namespace=kwargs.get("namespace"),
            lineage=parts.get("Lineage"),
        )
        self._open.set((*above, subsegment))
        try:
            yield subsegment
        except Exception as error:
            import traceback

            subsegment.add_exception(error, traceback.extract_tb(error.__traceback__))
            raise
        finally:
            self._open.set(above)
            subsegment.close()
            self._send(subsegment)

    def _send(self, subsegment: Subsegment) -> None:
        if not subsegment.sampled:
            return
        try:
            self._socket.sendto(_HEADER + subsegment.document(), self._daemon)
        except OSError:
            # Nobody listens, or not so fast: no order is late for that.
            return

    def put_annotation(self, key: str, value: Any) -> None:
        """Note a fact on what is done just now."""
        if within := self._open.get():
            within[-1].put_annotation(key, value)

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Note a fact that is only shown on what is done just now."""
        if within := self._open.get():
            within[-1].put_metadata(key, value, namespace)

    def in_subsegment_async(self, name: str | None = None, **kwargs: Any) -> Any:
        """Nothing here is asynchronous."""
        raise NotImplementedError

    def patch(self, modules: Sequence[str]) -> None:
        """Nothing is patched: calls of AWS open subsegments themselves."""

    def patch_all(self) -> None:
        """See `patch`."""
