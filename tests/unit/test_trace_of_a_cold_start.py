"""What `make trace` makes of a cold start: a line of its own under the function that had to be started."""

from typing import Any

from rich.console import Console
from support.facts import Facts
from support.story import tell
from support.timeline import build, trees
from tracing.text import show

ORDER = "ord_vc72z45425iwi2mntvykvtjm4w"


def segments(*, cold: bool) -> list[dict[str, Any]]:
    """Of one invocation, as Lambda leaves them."""
    common = {"trace_id": "1-a", "name": "tiffin-Orders-1A2B3C4D5E6F7-ApiFunction-ABC123", "start_time": 10.0}
    started = {"id": "i", "name": "Initialization", "start_time": 10.1, "end_time": 10.6}
    handled = {
        "id": "h",
        "name": "## handler",
        "start_time": 10.6,
        "end_time": 10.9,
        "annotations": {"order_id": ORDER},
    }
    return [
        {**common, "id": "s", "end_time": 11.0, "origin": "AWS::Lambda"},
        {
            **common, "id": "f", "parent_id": "s", "end_time": 10.9, "origin": "AWS::Lambda::Function",
            "subsegments": [*([started] if cold else []), handled],
        },
    ]  # fmt: skip


def test_a_start_that_was_waited_for_stands_under_its_function() -> None:
    [function] = trees(segments(cold=True), ORDER)
    assert [(depth, span.name) for depth, span in function.walk()] == [
        (0, "Orders/ApiFunction"),
        (1, "Initialization"),
    ]
    assert function.children[0].end - function.children[0].start == 0.5
    [warm] = trees(segments(cold=False), ORDER)
    assert warm.children == []


def test_a_person_reads_how_long_it_took() -> None:
    facts = Facts(ORDER, "a test")
    facts.segments = segments(cold=True)
    timeline = build(facts)
    console = Console(record=True, width=120)
    show(console, timeline, tell(timeline, 20.0))
    assert any("Initialization" in line and "500 ms" in line for line in console.export_text().splitlines())
