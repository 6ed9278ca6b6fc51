"""What makes worlds quick, of which there are thousands, and those in which thousands of calls are made.

In the latter DynamoDB is the emulator's, called in the test's own process: moto copies every table for each
transaction, and looks up each member of an answer under seven names. The tables are made of the templates as everywhere
else (`worlds.templates`).
"""

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
import moto.core.models
import pytest
from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser
from ministack.services import dynamodb
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.serialize import ResponseSerializer

_Answer = tuple[int, dict[str, Any], bytes]


def quick_moto() -> None:
    """Spare moto's worlds what is done in each and changes nothing: two thirds of what a unit test would take."""
    # Moto makes boto3 forget its session, and a session reads and parses all that it knows of AWS anew.
    botocore.session.create_loader = cache(botocore.session.create_loader)
    # It prepares answers to thirteen hundred URLs, for whoever calls AWS without boto3. Nobody does.
    moto.core.models.RESPONSES_METHODS = []
    # And it looks up each type that a value of DynamoDB may have under seven names; a value has one.
    serialize = ResponseSerializer._serialize_structure_member

    def serialize_member(self: ResponseSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if not (type(value) is dict and key not in value and shape.name.endswith("AttributeValue")):
            serialize(self, serialized, value, shape, key)

    ResponseSerializer._serialize_structure_member = serialize_member  # type: ignore[method-assign]


@contextmanager
def quick_tables() -> Iterator[None]:
    """Let the emulator answer what is asked of DynamoDB, inside `mock_aws`; other services stay moto's."""
    asked = BotocoreStubber.process_request

    def process(stubber: BotocoreStubber, request: Any) -> Any:
        return _answer(request) if "//dynamodb." in request.url else asked(stubber, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", process)
        # No call leaves the process: nobody asks who makes it.
        patch.setattr(RequestSigner, "sign", lambda *_, **__: None)
        patch.setattr(UserAgentString, "to_string", lambda _: "tests")
        dynamodb.reset()
        try:
            yield
        finally:
            dynamodb.reset()


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


def _answer(request: Any) -> _Answer:
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    answering = dynamodb.handle_request("POST", "/", headers, request.body, {})
    try:
        answering.send(None)
    except StopIteration as answered:
        answer: _Answer = answered.value
        return answer
    raise AssertionError("it waits for something")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
