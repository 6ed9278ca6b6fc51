"""A client of AWS's JSON APIs that is small enough for a cold start.

boto3 reads a description of every service and of every endpoint there is before it makes its first call: about half of
what a function of ours did in INIT. What our functions ask of AWS are a dozen operations of services that speak one
protocol, JSON over HTTPS. This module speaks it (docs/decisions/an-aws-client-of-our-own.md): the names of operations
and members are boto3's, and so are the errors, so that the code around it reads as it would with boto3, and either can
take the other's place. What it has not, such as S3's XML, is boto3's still (`tiffin.clients`).

Sources: "AWS JSON 1.0 protocol" and "AWS JSON 1.1 protocol" of the Smithy documentation; IAM user guide, "Create a
signed AWS API request"; AWS SDKs and Tools reference guide, "Retry behavior", "Service-specific endpoints", "Container
credential provider".
"""

import hashlib
import hmac
import http.client
import json
import os
import random
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit
from uuid import uuid4

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
    SSLError,
)

from tiffin.dynamodb import deserialize, serialize
from tiffin.telemetry import AwsCall, aws_call


class _Api(NamedTuple):
    """How one service is spoken to.

    Attributes:
        host: the first label of its host, which is its name in traces too.
        signs_as: the service that a signature is for.
        setting: its name in `AWS_ENDPOINT_URL_…`.
        version: of the JSON protocol.
        target: what stands before an operation's name in `X-Amz-Target`.
        paths: of a service that has a path for each operation instead, the paths of those that are used here. Members
            that a path names are no part of the body.
        body: the member that is the body by itself, as it is; empty where all members are, as JSON.
        headers: what it is sent besides.
    """

    host: str
    signs_as: str
    setting: str
    version: str = "1.1"
    target: str = ""
    paths: Mapping[str, str] | None = None
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


APIS = {
    # Each WebSocket API has a host of its own: `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI` names it, and the stage.
    "apigatewaymanagementapi": _Api(
        *("execute-api", "execute-api", "APIGATEWAYMANAGEMENTAPI"),
        paths={"PostToConnection": "/@connections/{ConnectionId}"},
        body="Data",
    ),
    "cognito-idp": _Api(
        "cognito-idp", "cognito-idp", "COGNITO_IDENTITY_PROVIDER", target="AWSCognitoIdentityProviderService."
    ),
    "dynamodb": _Api("dynamodb", "dynamodb", "DYNAMODB", "1.0", "DynamoDB_20120810."),
    "events": _Api("events", "events", "EVENTBRIDGE", target="AWSEvents."),
    "logs": _Api("logs", "logs", "CLOUDWATCH_LOGS", target="Logs_20140328."),
    "secretsmanager": _Api("secretsmanager", "secretsmanager", "SECRETS_MANAGER", target="secretsmanager."),
    "sesv2": _Api("email", "ses", "SESV2", paths={"SendEmail": "/v2/email/outbound-emails"}),
    # It once spoke another protocol: asked so, it says errors by the codes of then, as boto3 has them.
    "sqs": _Api("sqs", "sqs", "SQS", "1.0", "AmazonSQS.", headers=(("x-amzn-query-mode", "true"),)),
    "stepfunctions": _Api("states", "states", "SFN", "1.0", "AWSStepFunctions."),
    "xray": _Api("xray", "xray", "XRAY", paths={"GetTraceSummaries": "/TraceSummaries", "BatchGetTraces": "/Traces"}),
}
"""The services that are spoken to, by boto3's names of them."""

# Operations that AWS makes once for each value of this member, however often they are asked for; boto3 sets it, too.
_ONCE = {"TransactWriteItems": "ClientRequestToken"}
# Worth another attempt (AWS SDKs and Tools reference guide, "Retry behavior").
_TRANSIENT_STATUS = {500, 502, 503, 504}
_TRANSIENT = {
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_LONGEST_PAUSE = 20.0
# Seconds before their end from which credentials are not used any more.
_MARGIN = timedelta(minutes=5)
_KEYS_ASKED_FOR = 3


class Client:
    """A service's operations, as methods with boto3's names: `client.get_item(TableName=…, Key=…)`.

    Safe to be used by several threads.

    Args:
        service: one of `APIS`.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for an answer.
        attempts: how often one call is tried in all.
        plain: whether the members of DynamoDB's items are Python's values rather than typed ones.

    Raises:
        NoRegionError: the environment names no region.
    """

    def __init__(
        self, service: str, *, connect_timeout: float, read_timeout: float, attempts: int, plain: bool = False
    ) -> None:
        self._api = APIS[service]
        self._attempts, self._plain = attempts, plain
        self._region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        if not self._region:
            raise NoRegionError
        self._host = _Host(_endpoint(self._api, self._region), connect_timeout, read_timeout)
        self.exceptions = _Errors()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self.call, "".join(part.capitalize() for part in name.split("_")))

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation.

        Args:
            operation: AWS's name of it, such as `GetItem`.
            request: its members.

        Returns:
            The members of its answer, and `ResponseMetadata`.

        Raises:
            ClientError: it was refused; one of `exceptions`, if somebody asked for that.
            BotoCoreError: it could not be asked, or did not answer.
        """
        if (token := _ONCE.get(operation)) and token not in request:
            request = {**request, token: str(uuid4())}
        with aws_call(self._api.host, operation, self._region, request) as seen:
            answer, error = self._tried(operation, _typed(request) if self._plain else request, seen)
            if error:
                seen.refused(error)
        # Raised outside, as what is raised inside is written into the trace with its words, and they may be personal.
        if error:
            raise error
        return _untyped(answer) if self._plain else answer

    def hang_up(self) -> None:
        """Close the connections that are kept for the next call."""
        self._host.hang_up()

    def get_paginator(self, name: str) -> "_Pages":
        """All pages of an operation that answers `LastEvaluatedKey`: `query` and `scan`."""
        return _Pages(getattr(self, name))

    def _tried(
        self, operation: str, request: dict[str, Any], seen: AwsCall
    ) -> tuple[dict[str, Any], ClientError | None]:
        path = self._host.path + (self._api.paths[operation] if self._api.paths else "/")
        if "{" in path:
            path = path.format_map({name: quote(str(value), safe="") for name, value in request.items()})
        body = (
            request[self._api.body]
            if self._api.body
            else json.dumps(request, separators=(",", ":"), default=_seconds).encode()
        )
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                status, headers, content = self._host.ask(path, self._signed(operation, path, body, seen.headers), body)
            except (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError):
                if last:
                    raise
            else:
                members = _members(content)
                metadata = {
                    "RequestId": headers.get("x-amzn-requestid", ""),
                    "HTTPStatusCode": status,
                    "HTTPHeaders": headers,
                    "RetryAttempts": attempt - 1,
                }
                seen.answered(metadata)
                if status < 300:
                    return _dated(members) | {"ResponseMetadata": metadata}, None
                code, message = _why(status, headers, members)
                if last or not (status in _TRANSIENT_STATUS or code in _TRANSIENT):
                    said: Any = {**members, "Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
                    return {}, self.exceptions.of(code)(said, operation)
            time.sleep(random.random() * min(2 ** (attempt - 1), _LONGEST_PAUSE))  # noqa: S311 - a pause, no secret
        raise AssertionError("no attempt was made")

    def _signed(self, operation: str, path: str, body: bytes, traced: Mapping[str, str]) -> dict[str, str]:
        """Headers of a request, signed for this moment (Signature Version 4)."""
        keys = _credentials()
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        signed = {
            "content-type": "application/json" if self._api.paths else f"application/x-amz-json-{self._api.version}",
            "host": self._host.name,
            "x-amz-date": now,
            **({"x-amz-security-token": keys.token} if keys.token else {}),
            **({} if self._api.paths else {"x-amz-target": self._api.target + operation}),
        }
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        # A path is encoded once more for the signature than for the wire.
        request = f"POST\n{quote(path, safe='/~')}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self._region}/{self._api.signs_as}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{keys.secret}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        authorization = f"AWS4-HMAC-SHA256 Credential={keys.id}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        unsigned = {**traced, **dict(self._api.headers), "user-agent": "tiffin"}
        return {**unsigned, **signed, "authorization": authorization}


class Table:
    """A DynamoDB table, for those who read and write plain Python values.

    Args:
        name: of the table.
        client: a client of DynamoDB, of plain values.
    """

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self.meta = SimpleNamespace(client=client)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(getattr(self.meta.client, name), TableName=self.name)


class _Pages:
    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask

    def paginate(self, *, PaginationConfig: Mapping[str, int] = {}, **request: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's
        """Every page; `PageSize` of the configuration is the most that one looks at."""
        if "PageSize" in PaginationConfig:
            request["Limit"] = PaginationConfig["PageSize"]
        while True:
            page = self._ask(**request)
            yield page
            if not (position := page.get("LastEvaluatedKey")):
                return
            request["ExclusiveStartKey"] = position


class _Errors:
    """Kinds of `ClientError` by their codes, so that one can be caught by its name, as with boto3."""

    def __init__(self) -> None:
        self._known = dict[str, type[ClientError]]()

    def of(self, code: str) -> type[ClientError]:
        """The kind of error that has a code."""
        return self._known.setdefault(code, type(code, (ClientError,), {}))

    def __getattr__(self, code: str) -> type[ClientError]:
        return self.of(code)


# --- Where a service is, and how it is reached ------------------------------------------------------------------------


# Of the partitions that have another domain than all regions that most people know.
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}


def _endpoint(api: _Api, region: str) -> str:
    told = os.environ.get(f"AWS_ENDPOINT_URL_{api.setting}") or os.environ.get("AWS_ENDPOINT_URL")
    suffix = next((each for prefix, each in _SUFFIXES.items() if region.startswith(prefix)), "amazonaws.com")
    return told or f"https://{api.host}.{region}.{suffix}"


class _Host:
    """One host, and the connections to it that are kept open from call to call."""

    def __init__(self, url: str, connect_timeout: float, read_timeout: float) -> None:
        parts = urlsplit(url)
        self.url, self.name, self.path = url, parts.netloc, parts.path.rstrip("/")
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._idle = list[http.client.HTTPConnection]()
        by = _proxy(parts.scheme, parts.hostname or "") or parts
        address: Any = {"host": by.hostname, "port": by.port, "timeout": connect_timeout}
        self._secure, self._tunnel = parts.scheme == "https", (parts.hostname, parts.port) if by is not parts else None
        # What a proxy is asked in the clear, it is asked by the whole URL.
        self._before_path = f"{parts.scheme}://{parts.netloc}" if self._tunnel and not self._secure else ""
        self._connection: Callable[[], http.client.HTTPConnection] = (
            partial(http.client.HTTPSConnection, **address, context=_trusted())
            if self._secure
            else partial(http.client.HTTPConnection, **address)
        )

    def ask(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and content of the answer to a request.

        Raises:
            EndpointConnectionError, ConnectTimeoutError, SSLError: there is no connection to be had.
            ReadTimeoutError, ConnectionClosedError: no answer came.
        """
        connection = self._open()
        try:
            # Of each request: a connection may have been opened with another patience.
            connection.sock.settimeout(self._read_timeout)
            connection.request("POST", self._before_path + path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=self.url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=self.url, error=error) from error
        except BaseException:
            connection.close()
            raise
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def _open(self) -> http.client.HTTPConnection:
        while connection := self._kept():
            # An environment is frozen between its calls for as long as nobody calls; meanwhile the other side hangs up.
            waits = select.poll()
            waits.register(connection.sock, select.POLLIN)
            if not waits.poll(0):
                return connection
            connection.close()
        connection = self._connection()
        if self._secure and self._tunnel:
            connection.set_tunnel(*self._tunnel)  # type: ignore[arg-type]
        try:
            connection.connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self.url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.url, error=error) from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:  # looked for first, another thread could take it before it is taken
            return None

    def hang_up(self) -> None:
        """Close what is kept open."""
        while connection := self._kept():
            connection.close()


def _proxy(scheme: str, host: str) -> SplitResult | None:
    """The proxy on the way to a host, by the variables that most programs know (`https_proxy`, `no_proxy`)."""
    told = {name.lower(): value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    spared = [name.strip().lstrip(".") for name in told.get("no_proxy", "").split(",") if name.strip()]
    if "*" in spared or any(host == name or host.endswith(f".{name}") for name in spared):
        return None
    proxy = told.get(f"{scheme}_proxy")
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None


@cache
def _trusted() -> ssl.SSLContext:
    """Whom to believe that it is AWS: the system's authorities, read once, in INIT."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))


# --- Who asks ---------------------------------------------------------------------------------------------------------


class _Keys(NamedTuple):
    id: str
    secret: str
    token: str | None
    until: datetime | None = None


_lent: list[_Keys] = []


def _credentials() -> _Keys:
    """The role's keys: of the environment, or, in a function that was restored from a snapshot, from beside it.

    Raises:
        NoCredentialsError: there are none.
        CredentialRetrievalError: they were not handed out.
    """
    environment = os.environ
    if "AWS_ACCESS_KEY_ID" in environment:
        token = environment.get("AWS_SESSION_TOKEN")
        return _Keys(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], token)
    url = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not url:
        raise NoCredentialsError
    now, held = datetime.now(UTC), _lent[-1] if _lent else None
    if held and held.until and now < held.until - _MARGIN:
        return held
    for _ in range(_KEYS_ASKED_FOR):
        try:
            _lent[:] = [_borrowed(url)]
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            trouble = type(error).__name__
        else:
            return _lent[-1]
    if held and held.until and now < held.until:
        return held
    raise CredentialRetrievalError(provider="container-role", error_msg=trouble)


def _borrowed(url: str) -> _Keys:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=1)
    try:
        said = {"Authorization": os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")}
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=said)
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise ValueError("no keys")
    return _Keys(
        told["AccessKeyId"], told["SecretAccessKey"], told["Token"], datetime.fromisoformat(told["Expiration"])
    )


# --- What goes out, and what comes back -------------------------------------------------------------------------------


def _seconds(value: Any) -> float:
    """How these protocols write a moment."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"AWS is sent no {type(value).__name__}")


def _members(content: bytes) -> dict[str, Any]:
    try:
        members = json.loads(content or b"{}")
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _why(status: int, headers: Mapping[str, str], members: dict[str, Any]) -> tuple[str, str]:
    """Code and message of a refusal. Some name the error's namespace before it, some a URL behind it."""
    known = headers.get("x-amzn-query-error", "").partition(";")[0]
    named = members.pop("__type", None) or headers.get("x-amzn-errortype") or members.get("code") or status
    message = members.get("message") or members.get("Message") or http.client.responses.get(status, "")
    return known or str(named).rpartition("#")[2].partition(":")[0], str(message)


def _dated(members: dict[str, Any]) -> dict[str, Any]:
    """An answer with its dates, which these protocols write as seconds since 1970, as moments."""
    for name, value in members.items():
        if name.endswith("Date") and isinstance(value, int | float):
            members[name] = datetime.fromtimestamp(value, UTC)
    return members


# Members that hold attributes by their names, or lists of such, wherever in a request or an answer they stand.
_ATTRIBUTES = {"Attributes", "ExclusiveStartKey", "ExpressionAttributeValues", "Item", "Key", "LastEvaluatedKey"}
_LISTS = {"Items", "Keys"}


def _each(members: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    def changed(attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: change(value) for name, value in attributes.items()}

    def walked(name: str, value: Any) -> Any:
        if name in _ATTRIBUTES:
            return changed(value)
        if name in _LISTS:
            return [changed(item) for item in value]
        if name == "Responses" and isinstance(value, dict):  # of BatchGetItem: lists of items by table
            return {table: [changed(item) for item in items] for table, items in value.items()}
        if isinstance(value, dict):
            return {inner: walked(inner, member) for inner, member in value.items()}
        if isinstance(value, list):
            return [walked("", member) for member in value]
        return value

    return {name: walked(name, value) for name, value in members.items()}


def _typed(request: Mapping[str, Any]) -> dict[str, Any]:
    return _each(request, serialize)


def _untyped(answer: Mapping[str, Any]) -> dict[str, Any]:
    return _each(answer, deserialize)
