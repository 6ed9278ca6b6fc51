"""A time axis on which milliseconds of work and hours of waiting both have room: idle stretches are cut short."""

from collections.abc import Iterable
from dataclasses import dataclass

from support.timeline import Span


@dataclass(frozen=True)
class Break:
    """An idle stretch that was cut short.

    Attributes:
        at, width: where it is drawn, as shares of the axis.
        seconds: how long it really was.
    """

    at: float
    width: float
    seconds: float


class Axis:
    """Maps moments to shares of a width.

    Args:
        spans: roots; what waits does not count as work.
    """

    _GAP = 0.03
    """Share that a cut stretch is drawn with."""

    def __init__(self, spans: Iterable[Span]) -> None:
        work = sorted(
            (s.start, max(s.end, s.start))
            for root in spans
            for _, s in root.walk()
            if not s.waits and s.kind != "workflow" and not any(c.waits or c.kind == "workflow" for c in _below(s))
        )
        merged: list[list[float]] = []
        for start, end in work:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        busy = sum(end - start for start, end in merged) or 1.0
        # Short pauses are part of the picture; only what would crowd the work out is cut.
        threshold = max(0.25 * busy, 0.02)
        stretches: list[list[float]] = []
        for start, end in merged:
            if stretches and start - stretches[-1][1] < threshold:
                stretches[-1][1] = end
            else:
                stretches.append([start, end])
        gaps = max(len(stretches) - 1, 0)
        gap = min(self._GAP, 0.4 / gaps) if gaps else 0.0
        total = sum(end - start for start, end in stretches) or 1.0
        scale = (1 - gap * gaps) / total
        self.breaks: list[Break] = []
        self._points: list[tuple[float, float]] = []
        at = 0.0
        for index, (start, end) in enumerate(stretches):
            if index:
                self.breaks.append(Break(at, gap, start - stretches[index - 1][1]))
                at += gap
            self._points += [(start, at), (end, at + (end - start) * scale)]
            at += (end - start) * scale

    def at(self, moment: float) -> float:
        """Where a moment is drawn, from 0 to 1."""
        if not self._points or moment <= self._points[0][0]:
            return 0.0
        for (before, left), (after, right) in zip(self._points, self._points[1:], strict=False):
            if moment <= after:
                return left + (right - left) * ((moment - before) / (after - before) if after > before else 1.0)
        return 1.0


def _below(span: Span) -> Iterable[Span]:
    return (s for depth, s in span.walk() if depth)
