"""An example beside the application, on the stack that many tests share."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab.ways import Outputs, Way, deployed_beside
from laptop import Stack

from worlds.stack import delete


@contextmanager
def beside(stack: Stack, way: Way) -> Iterator[Outputs]:
    """A way's own outputs, while it is deployed; afterwards the application is alone again."""
    try:
        yield deployed_beside(stack, way)
    finally:
        delete(stack, way.stack)
