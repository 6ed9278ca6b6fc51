"""The kitchens' figures of a stack, as a person wants to see them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from kitchens.model import PREPARATION_LIMIT, Figures
from kitchens.store import KitchenFigures

from .deployed import Deployed

__all__ = ["PREPARATION_LIMIT", "Figures", "Minutes", "NoKitchens", "by_minute", "by_restaurant", "read"]

Minutes = list[tuple[str, datetime, Figures]]
"""Restaurant, minute, and what its kitchen did in it."""


class NoKitchens(Exception):
    """The stack has no figures of kitchens."""


def read(stack: Deployed, since: datetime, until: datetime) -> Minutes:
    """What each kitchen did in each minute of a time, in the sequence of time.

    Raises:
        NoKitchens: the stack was deployed without them.
    """
    if "KitchensFiguresTableName" not in stack.outputs:
        raise NoKitchens(
            "This stack keeps no figures of kitchens: deploy it with Kitchens=true (make down, make up WITH=kitchens)."
        )
    table = KitchenFigures(stack.client("dynamodb"), stack.outputs["KitchensFiguresTableName"])
    return sorted(table.between(since, until), key=lambda found: (found[1], found[0]))


def by_restaurant(minutes: Minutes) -> dict[str, Figures]:
    """The figures of each kitchen over the whole time, by its name."""
    return _sums((restaurant, figures) for restaurant, _, figures in minutes)


def by_minute(minutes: Minutes) -> dict[str, Figures]:
    """The figures of all kitchens together, by the minute."""
    return _sums((f"{when:%Y-%m-%d %H:%M}", figures) for _, when, figures in minutes)


def _sums(parts: Iterable[tuple[str, Figures]]) -> dict[str, Figures]:
    found: dict[str, Figures] = defaultdict(Figures)
    for name, figures in parts:
        found[name] += figures
    return dict(sorted(found.items()))
