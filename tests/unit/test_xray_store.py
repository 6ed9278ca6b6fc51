"""The laptop's X-Ray: the API as boto3 asks it, the daemon's datagrams, and the bounds of what is kept."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laptop.record.store import Record
from laptop.record.xray import Api, Daemon
from worlds.polling import eventually


def segment(trace: str, own: str = "s1", at: float = 1000.0, **more: Any) -> dict[str, Any]:
    return {"trace_id": trace, "id": own, "name": "orders", "start_time": at, "end_time": at + 1, **more}


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    kept = Record(tmp_path / "record.sqlite")
    yield kept
    kept.close()


@pytest.fixture
def api(record: Record) -> Api:
    return Api(record)


def call(api: Api, path: str, **request: Any) -> dict[str, Any]:
    status, _, body = api.answer(path, json.dumps(request).encode())
    assert status == 200, body
    return dict(json.loads(body))


def put(api: Api, *documents: dict[str, Any]) -> dict[str, Any]:
    return call(api, "/TraceSegments", TraceSegmentDocuments=[json.dumps(d) for d in documents])


def find(api: Api, expression: str = "", start: float = 0, end: float = 9000, **more: Any) -> dict[str, Any]:
    return call(api, "/TraceSummaries", StartTime=start, EndTime=end, FilterExpression=expression, **more)


class TestApi:
    def test_a_trace_is_found_by_its_annotation_and_comes_back_whole(self, api: Api) -> None:
        put(api, segment("1-a", annotations={"order_id": "x"}), segment("1-a", "s2"), segment("1-b"))
        (summary,) = find(api, 'annotation.order_id = "x"')["TraceSummaries"]
        assert summary["Id"] == "1-a"
        assert summary["Annotations"]["order_id"][0]["AnnotationValue"] == {"StringValue": "x"}
        (trace,) = call(api, "/Traces", TraceIds=["1-a", "1-none"])["Traces"]
        assert {json.loads(s["Document"])["id"] for s in trace["Segments"]} == {"s1", "s2"}

    def test_a_trace_is_found_within_the_time_range_only(self, api: Api) -> None:
        put(api, segment("1-a", at=1000.0))
        assert find(api, start=0, end=999)["TraceSummaries"] == []
        assert find(api, start=1001, end=2000)["TraceSummaries"] == []
        assert len(find(api, start=1000.5, end=2000, TimeRangeType="Event")["TraceSummaries"]) == 1

    def test_pages_hold_every_trace_once_the_newest_first(self, api: Api) -> None:
        put(api, *(segment(f"1-{n:03}", at=float(n)) for n in range(250)))
        ids: list[str] = []
        page = find(api)
        ids += [s["Id"] for s in page["TraceSummaries"]]
        while token := page.get("NextToken"):
            page = find(api, NextToken=token)
            ids += [s["Id"] for s in page["TraceSummaries"]]
        assert ids == [f"1-{n:03}" for n in reversed(range(250))]

    def test_a_complete_segment_outlasts_a_late_one_in_progress(self, api: Api) -> None:
        put(api, segment("1-a"), {**segment("1-a"), "in_progress": True})
        (summary,) = find(api)["TraceSummaries"]
        assert summary["IsPartial"] is False

    def test_a_malformed_segment_is_reported_as_unprocessed(self, api: Api) -> None:
        refused = put(api, {"id": "s1"}, segment("1-a"))["UnprocessedTraceSegments"]
        assert [r["ErrorCode"] for r in refused] == ["InvalidSegment"]

    @pytest.mark.parametrize(
        ("path", "request_"),
        [
            ("/TraceSummaries", {"StartTime": 0, "EndTime": 7 * 3600}),
            ("/TraceSummaries", {"StartTime": 0, "EndTime": 10, "FilterExpression": "weather = 1"}),
            ("/Traces", {"TraceIds": ["1-a"] * 6}),
            ("/Groups", {}),
        ],
    )
    def test_what_x_ray_refuses_is_refused(self, api: Api, path: str, request_: dict[str, Any]) -> None:
        status, headers, _ = api.answer(path, json.dumps(request_).encode())
        assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidRequestException")


def test_the_daemon_keeps_what_the_sdk_sends_and_survives_the_rest(record: Record, api: Api) -> None:
    daemon = Daemon(record)
    host, _, port = daemon.address.partition(":")
    header = b'{"format": "json", "version": 1}\n'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for body in (b"[]", b'{"id": 1}', json.dumps(segment("1-a")).encode()):
            sender.sendto(b"nonsense", (host, int(port)))
            sender.sendto(header + body, (host, int(port)))
    eventually(lambda: find(api)["TraceSummaries"], what="the segment's arrival")
    daemon.close()
    assert host == "127.0.0.1"


class TestRecord:
    def test_it_outlives_the_process_that_wrote_it(self, tmp_path: Path) -> None:
        first = Record(tmp_path / "record.sqlite")
        put(Api(first), segment("1-a"))
        first.close()
        second = Record(tmp_path / "record.sqlite")
        assert len(find(Api(second))["TraceSummaries"]) == 1
        second.close()

    def test_it_stays_within_its_bound_and_forgets_the_oldest(self, tmp_path: Path) -> None:
        limit = 400_000
        kept = Record(tmp_path / "record.sqlite", limit)
        for n in range(1500):
            kept.add_segment(segment(f"1-{n:04}", at=float(n), metadata={"filling": "x" * 1000}))
            kept.add_log(float(n), "orders", "r", None, "y" * 200)
        kept.flush()
        ids = [row[0] for row in kept.rows("SELECT trace_id FROM traces ORDER BY at")]
        (oldest_log,) = kept.rows("SELECT min(at) FROM logs")[0]
        kept.close()
        assert ids[-1] == "1-1499"
        assert 0 < len(ids) < 500
        assert oldest_log >= float(ids[0][2:]) - 1000
        # Up to one round of rows may come on top before the next trim.
        assert kept.size() < limit * 2
