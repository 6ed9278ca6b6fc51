"""The states that an order enters on its way to each end, walked in the workflows' definitions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from contracts.statemachines import STATEMACHINES

ORDER, UNWIND = "order.asl.json", "unwind.asl.json"
_CALLBACK = ".waitForTaskToken"


class NoSuchWay(Exception):
    """A walk turns where the workflow does not."""


@dataclass(frozen=True)
class Walk:
    """A way through one workflow.

    Attributes:
        machine: its definition's file.
        turns: where it goes on from states with more than one way.
        last: the state in which it dies; none, if it comes to an end by itself.
    """

    machine: str
    turns: Mapping[str, str] = field(default_factory=dict)
    last: str | None = None


_ACCEPTED = {"IsAuthorized": "AwaitRestaurant", "RestaurantDecision": "AnnounceAccepted"}
_UNWOUND = Walk(UNWIND, {"HasEnded": "WasPlacedAnnounced", "WasPlacedAnnounced": "ReleasePayment",
                         "WhatBecameOfTheMoney": "RecordEnd"})  # fmt: skip
_DIES_WAITING = (Walk(ORDER, {"IsAuthorized": "AwaitRestaurant"}, "AwaitRestaurant"), _UNWOUND)
WALKS: Mapping[str, Sequence[Walk]] = {
    "first delivered": (Walk(ORDER, _ACCEPTED),),
    "delivered with a code": (Walk(ORDER, _ACCEPTED),),
    "delivered": (Walk(ORDER, _ACCEPTED),),
    "declined": (Walk(ORDER, {"IsAuthorized": "RecordDeclined"}),),
    "rejected": (Walk(ORDER, {"IsAuthorized": "AwaitRestaurant", "RestaurantDecision": "ReleasePayment"}),),
    "cancelled": _DIES_WAITING,
    "failed": _DIES_WAITING,
    "expired": (Walk(ORDER, _ACCEPTED, "AwaitDelivery"), _UNWOUND),
}
"""By the names of the ends that `lab.costing` counts."""


@dataclass(frozen=True)
class Entered:
    """What the states of a way do.

    Attributes:
        states: in their order, of each execution.
        events: that they put.
        payments: calls to payments.
        callbacks: answers that they waited for and got.
    """

    states: tuple[tuple[str, ...], ...]
    events: int
    payments: int
    callbacks: int


def walk(way: Walk) -> Iterator[tuple[str, dict[str, Any]]]:
    """The states of a walk, in their order.

    Raises:
        NoSuchWay: the workflow has another shape.
    """
    machine = definition(way.machine)
    name: str | None = machine["StartAt"]
    while name:
        state = machine["States"][name]
        yield name, state
        if name == way.last or state.get("End") or state["Type"] in ("Succeed", "Fail"):
            return
        ways = [state.get("Next"), state.get("Default"), *(way["Next"] for way in state.get("Choices", []))]
        goes_on = way.turns.get(name) or state.get("Next")
        if goes_on not in ways:
            raise NoSuchWay(f"{way.machine}: {name} does not lead to {goes_on}")
        name = goes_on


def entered(end: str) -> Entered:
    """What an order enters on its way to an end."""
    ways = [list(walk(way)) for way in WALKS[end]]
    states = [state for way in ways for _, state in way]
    resources = [str(state.get("Resource", "")) for state in states]
    died = sum(1 for way in WALKS[end] if way.last)
    return Entered(
        tuple(tuple(name for name, _ in way) for way in ways),
        sum("events:putEvents" in resource for resource in resources),
        sum("lambda:invoke" in resource for resource in resources),
        sum(resource.endswith(_CALLBACK) for resource in resources) - died,
    )


@lru_cache(maxsize=2)
def definition(file: str) -> dict[str, Any]:
    """A workflow's definition, by the name of its file."""
    return dict(json.loads((STATEMACHINES / file).read_text("utf-8")))
