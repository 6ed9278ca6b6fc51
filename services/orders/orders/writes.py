"""What is written with a new order, in its own transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Beside:
    """A write in the transaction that makes an order: all are made, or none.

    Attributes:
        write: a member of `TransactItems`.
        refused: what it means that the write's condition failed. It gets the item as it is, if the write asks for that.
    """

    write: dict[str, Any]
    refused: Callable[[Mapping[str, Any]], Exception]
