"""X-Ray on the laptop: the daemon that functions send segments to, and the API that tools read traces with.

Source: X-Ray developer guide, "Sending segment documents to the X-Ray daemon", and X-Ray API reference:
`PutTraceSegments`, `GetTraceSummaries`, `BatchGetTraces`. Traces are kept in the laptop's record.
"""

import contextlib
import json
import socket
import threading
import time
from typing import Any

from ..environment import HOST
from . import xray_filter
from .store import Record, nodes

_MAX_DATAGRAM = 64 * 1024
_PAGE = 100
# Both from the API reference: BatchGetTraces takes five ids, a query spans six hours at most.
_MAX_IDS = 5
_MAX_SPAN = 6 * 3600 + 1
_Response = tuple[int, dict[str, str], bytes]


class Refused(Exception):
    """A request that X-Ray answers with `InvalidRequestException`."""


class Daemon:
    """Takes segment documents from UDP datagrams, on a port of its own on this machine.

    Args:
        record: where they go.

    Attributes:
        address: as `AWS_XRAY_DAEMON_ADDRESS` has it.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A burst of orders must not overflow the kernel's buffer before the thread gets its turn.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        self._socket.bind((HOST, 0))
        self.address = f"{HOST}:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, name="xray-daemon", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(_MAX_DATAGRAM)
            except OSError:
                return
            header, _, body = datagram.partition(b"\n")
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                if json.loads(header).get("format") == "json":
                    self._record.add_segment(checked(json.loads(body)))


class Api:
    """Answers the three operations as boto3's `xray` client asks them.

    Args:
        record: where traces are.
    """

    def __init__(self, record: Record) -> None:
        self._record = record

    def answer(self, path: str, body: bytes) -> _Response:
        """Answer one request.

        Args:
            path: `/TraceSegments`, `/TraceSummaries` or `/Traces`.
            body: JSON.
        """
        operation = {
            "/TraceSegments": self._put,
            "/TraceSummaries": self._summaries,
            "/Traces": self._traces,
        }.get(path.rstrip("/"), self._unknown)
        try:
            return 200, {"Content-Type": "application/json"}, json.dumps(operation(json.loads(body or b"{}"))).encode()
        except (Refused, xray_filter.InvalidFilter, ValueError, TypeError, KeyError, AttributeError) as error:
            return (
                400,
                {"Content-Type": "application/json", "x-amzn-ErrorType": "InvalidRequestException"},
                json.dumps({"Message": str(error)}).encode(),
            )

    def _unknown(self, _: dict[str, Any]) -> dict[str, Any]:
        raise Refused("Of X-Ray's operations, only those about traces are known here")

    def _put(self, request: dict[str, Any]) -> dict[str, Any]:
        refused = []
        for text in request["TraceSegmentDocuments"]:
            try:
                self._record.add_segment(checked(json.loads(text)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                refused.append({"ErrorCode": "InvalidSegment", "Message": str(error)})
        return {"UnprocessedTraceSegments": refused}

    def _summaries(self, request: dict[str, Any]) -> dict[str, Any]:
        start, end = float(request["StartTime"]), float(request["EndTime"])
        if not 0 <= end - start <= _MAX_SPAN:
            raise Refused("The time range must be no longer than six hours.")
        wanted = xray_filter.parse(request.get("FilterExpression") or "")
        self._record.flush()
        # By default a trace is in the range if it began there; by event, if anything of it was there.
        sql = (
            "SELECT trace_id FROM traces WHERE at <= ? AND until >= ?"
            if request.get("TimeRangeType") in ("Event", "Service")
            else "SELECT trace_id FROM traces WHERE at <= ? AND at >= ?"
        )
        arguments: list[Any] = [end, start]
        for key, value in wanted.annotated.items():
            sql += " AND trace_id IN (SELECT trace_id FROM annotations WHERE key = ? AND value = ?)"
            arguments += [key, value]
        ids = [row[0] for row in self._record.rows(f"{sql} ORDER BY at DESC, trace_id", arguments)]
        skip = int(request.get("NextToken") or 0)
        found, read = [], 0
        for trace_id in ids[skip:]:
            read += 1
            scope = xray_filter.Scope(self._segments(trace_id))
            if scope.segments and wanted.matches(scope):
                found.append(summary(trace_id, scope))
                if len(found) == _PAGE:
                    break
        answer = {"TraceSummaries": found, "ApproximateTime": start, "TracesProcessedCount": read}
        return answer | ({"NextToken": str(skip + read)} if skip + read < len(ids) else {})

    def _traces(self, request: dict[str, Any]) -> dict[str, Any]:
        ids = request["TraceIds"]
        if len(ids) > _MAX_IDS:
            raise Refused(f"At most {_MAX_IDS} trace ids are taken.")
        self._record.flush()
        traces, missing = [], []
        for trace_id in ids:
            segments = self._segments(trace_id)
            if segments:
                documents = [{"Id": s["id"], "Document": json.dumps(s)} for s in segments]
                traces.append({"Id": trace_id, "Duration": xray_filter.Scope(segments).duration, "Segments": documents})
            else:
                missing.append(trace_id)
        return {"Traces": traces, "UnprocessedTraceIds": missing}

    def _segments(self, trace_id: str) -> list[dict[str, Any]]:
        return read_segments(self._record.rows("SELECT document FROM segments WHERE trace_id = ?", [trace_id]))


def read_segments(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Segment documents of one trace, by their start."""
    return sorted((json.loads(document) for (document,) in rows), key=lambda s: float(s["start_time"]))


def checked(document: dict[str, Any]) -> dict[str, Any]:
    """Let a segment document through if it has what every segment has.

    Raises:
        ValueError: it lacks something.
    """
    for field, kind in (("id", str), ("trace_id", str), ("name", str), ("start_time", (int, float))):
        if not isinstance(document.get(field), kind):
            raise ValueError(f"{field} is missing or of the wrong type")  # noqa: TRY004 - one error for both
    if document.get("type") == "subsegment" and not document.get("parent_id"):
        raise ValueError("a subsegment sent on its own needs parent_id")
    return document


def summary(trace_id: str, scope: xray_filter.Scope) -> dict[str, Any]:
    """What `GetTraceSummaries` says of a trace."""
    root = scope.root
    http = root.get("http") or {}
    request, response = http.get("request") or {}, http.get("response") or {}
    annotations: dict[str, list[Any]] = {}
    for node in scope.all():
        for key, value in (node.get("annotations") or {}).items():
            values = annotations.setdefault(key, [])
            if value not in values:
                values.append(value)
    told = {"HttpURL": request.get("url"), "HttpMethod": request.get("method"), "HttpStatus": response.get("status")}
    return {
        "Id": trace_id,
        "StartTime": min(float(s["start_time"]) for s in scope.segments),
        "Duration": scope.duration,
        "ResponseTime": scope.response_time,
        "HasFault": scope.outcome("fault"),
        "HasError": scope.outcome("error"),
        "HasThrottle": any(node.get("throttle") for node in scope.all()),
        "IsPartial": scope.outcome("partial"),
        "Http": {key: value for key, value in told.items() if value is not None},
        "Annotations": {
            key: [{"AnnotationValue": _annotation(value), "ServiceIds": []} for value in values]
            for key, values in annotations.items()
        },
        "ServiceIds": [
            {"Name": s["name"], "Names": [s["name"]], **({"Type": s["origin"]} if s.get("origin") else {})}
            for s in scope.segments
            if s.get("type") != "subsegment"
        ],
        "EntryPoint": {"Name": root.get("name", ""), "Names": [root.get("name", "")]},
        "MatchedEventTime": time.time(),
    }


def _annotation(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BooleanValue": value}
    return {"NumberValue": value} if isinstance(value, int | float) else {"StringValue": str(value)}


__all__ = ["Api", "Daemon", "Refused", "checked", "nodes", "read_segments", "summary"]
