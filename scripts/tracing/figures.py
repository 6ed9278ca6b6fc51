"""Over many orders: how long they take to each status, and events to each consumer."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from orders.model import ENDS
from support.timeline import Timeline

PERCENTILES = (50, 90, 99)


def statuses(timelines: Iterable[Timeline]) -> dict[str, list[float]]:
    """Seconds from placed to each status that an order came to, by status.

    A status is entered at the moment at which a workflow began to write it on the order: never before it was placed,
    whatever the clocks of workflow and API say.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for timeline in timelines:
        for visit in timeline.visits:
            for attempt in visit.attempts:
                status = attempt.entered
                # A wait ends with its callback, long after its status was written.
                if status and (status not in ENDS or attempt.ended):
                    at = attempt.ended if attempt.ended and status in ENDS else attempt.at
                    found[status].append(max(0.0, at - timeline.placed))
    return dict(found)


def delays(timelines: Iterable[Timeline]) -> dict[tuple[str, str], list[float]]:
    """Seconds from an event to its consumer, by event and consumer; of several deliveries, the first."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for timeline in timelines:
        for event in timeline.events:
            for service in {consumer.service for consumer in event.consumers}:
                found[event.name, service].append(min(c.delay for c in event.consumers if c.service == service))
    return dict(found)


def percentiles(values: list[float]) -> dict[int, float]:
    """Nearest-rank percentiles: each is a value that was really measured."""
    ranked = sorted(values)
    return {p: ranked[math.ceil(p / 100 * len(ranked)) - 1] for p in PERCENTILES}


def summary(figures: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Figures for a program."""
    return {
        name: {"count": len(values), **{f"p{p}": value for p, value in percentiles(values).items()}}
        for name, values in figures.items()
    }
