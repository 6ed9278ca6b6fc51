"""AWS in a test's own process, inside `mock_aws`: DynamoDB is the emulator's, and all else is moto's.

Moto's DynamoDB would be most of what unit tests take: it copies every table for each transaction, and looks up each
member of an answer under seven names. And it judges a condition and writes in two steps, between which another thread
may write. The tables are made of the templates as everywhere else (`worlds.templates`).

Our own client asks DynamoDB here as it does where it is deployed, all but the connection. Moto answers boto3 alone,
which asks the rest: that both ask alike is tested by itself (`tests/unit/test_aws_client.py`).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
import moto.core.models
import pytest
from botocore.client import BaseClient
from botocore.signers import RequestSigner
from ministack.services import dynamodb
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.models import MockAWS
from tiffin import clients
from tiffin.aws import APIS, Client, _Host

_Answer = tuple[int, dict[str, Any], bytes]
_Do = Callable[..., Any]
_DYNAMODB = "dynamodb."


def aws_in_process() -> None:
    """Let AWS be as this module says. To be called before an entry point is imported."""
    # Moto makes boto3 forget its session, and a session reads and parses all that it knows of AWS anew.
    botocore.session.create_loader = cache(botocore.session.create_loader)
    # It prepares answers to thirteen hundred URLs, for whoever calls AWS without boto3. Nobody does.
    moto.core.models.RESPONSES_METHODS = []
    _instead(MockAWS, "_enable_patching", _with_no_tables)
    _instead(BotocoreStubber, "process_request", _boto3_is_answered)
    _instead(_Host, "ask", _our_client_is_answered)
    # No call leaves the process: nobody asks who makes it. Moto's S3 does.
    _instead(RequestSigner, "sign", _unless_to_dynamodb)
    clients.client = cache(_made)


def before_each_call(patch: pytest.MonkeyPatch, act: Callable[[str, str, Mapping[str, Any]], Any]) -> None:
    """See all that AWS is asked, whichever client asks.

    Args:
        patch: until when.
        act: is called with the service by boto3's name of it, the operation, and its members. What it returns is the
            answer, if that is not None; it may raise.
    """
    ours, theirs = Client.call, BaseClient._make_api_call  # type: ignore[attr-defined]
    names = {api.host: name for name, api in APIS.items()}

    def by_ours(client: Client, operation: str, **request: Any) -> Any:
        answer = act(names[client._api.host], operation, request)
        return ours(client, operation, **request) if answer is None else answer

    def by_boto3(client: Any, operation: str, request: dict[str, Any]) -> Any:
        answer = act(client.meta.service_model.service_name, operation, request)
        return theirs(client, operation, request) if answer is None else answer

    patch.setattr(Client, "call", by_ours)
    patch.setattr(BaseClient, "_make_api_call", by_boto3)


def _instead(of: type, name: str, do: Callable[..., Any]) -> None:
    before = getattr(of, name)
    setattr(of, name, lambda *given, **more: do(before, *given, **more))


def _with_no_tables(begin: _Do, mock: MockAWS, **how: Any) -> None:
    dynamodb.reset()
    begin(mock, **how)


def _boto3_is_answered(ask: _Do, stubber: BotocoreStubber, request: Any) -> Any:
    return _answer(request.headers, request.body) if f"//{_DYNAMODB}" in request.url else ask(stubber, request)


def _our_client_is_answered(ask: _Do, host: _Host, path: str, headers: Mapping[str, str], body: bytes) -> _Answer:
    if not (host.name.startswith(_DYNAMODB) and MockAWS._mocks_active):
        answer: _Answer = ask(host, path, headers, body)
        return answer
    status, headers, content = _answer(headers, body)
    return status, {name.lower(): value for name, value in headers.items()}, content


def _unless_to_dynamodb(sign: _Do, signer: Any, *given: Any, **more: Any) -> None:
    if not (MockAWS._mocks_active and signer._service_id == "DynamoDB"):
        sign(signer, *given, **more)


def _made(service: str, **how: Any) -> Any:
    return clients._ours(service, **how) if service == "dynamodb" else clients.by_boto3(service, **how)


def _answer(headers: Mapping[str, Any], body: bytes) -> _Answer:
    asked = {name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in headers.items()}
    answering = dynamodb.handle_request("POST", "/", asked, body, {})
    try:
        answering.send(None)
    except StopIteration as answered:
        answer: _Answer = answered.value
        return answer
    raise AssertionError("it waits for something")
