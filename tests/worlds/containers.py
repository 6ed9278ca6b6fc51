"""A tour of the functions in containers that is over, and what is to be asked about it."""

from dataclasses import dataclass
from typing import Any

from laptop import BusTap
from operations.container_tour import Tour


@dataclass(frozen=True)
class Been:
    """A tour that is over.

    Attributes:
        tour: what came of it.
        deployed: the functions that it could call.
        elsewhere: those of the templates that this stack has not, or that cannot run here.
        left: containers that are there after it and were not before.
        events: what was on the bus meanwhile.
    """

    tour: Tour
    deployed: list[str]
    elsewhere: list[str]
    left: set[str]
    events: BusTap


def lambdas(engine: Any) -> set[str]:
    """Ids of the containers that a `sam local` has made and not removed, running or not.

    Args:
        engine: a client of Docker's.
    """
    return {each.id for each in engine.containers.list(all=True, filters={"label": "sam.cli.container.type=lambda"})}
