"""What makes those worlds quick of which there are thousands, or in which thousands of calls are made."""

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from ministack.services import dynamodb


@contextmanager
def quick_expressions() -> Iterator[None]:
    """Let each JSONata expression be parsed once, and take its time: on a busy machine a second may go by."""
    parse, parsed = Parser.parse, dict[str, Any]()

    def parse_once(parser: Parser, expression: str, *more: Any) -> Any:
        if expression not in parsed:
            parsed[expression] = parse(parser, expression, *more)
        return parsed[expression]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parser, "parse", parse_once)
        patch.setattr(Jsonata, "jsonata", staticmethod(lambda expression, **_: Jsonata(expression)))
        yield


def tables() -> bytes:
    """All tables with all that is in them, to come back to."""
    return pickle.dumps(dict(dynamodb._tables.items()))


def put_back(tables: bytes) -> None:
    """Let the tables hold what they held."""
    for name, table in pickle.loads(tables).items():  # noqa: S301 - our own
        dynamodb._tables[name] = table


def contents() -> str:
    """What is in the tables, for comparing."""
    return json.dumps({name: table["items"] for name, table in dynamodb._tables.items()}, sort_keys=True)
