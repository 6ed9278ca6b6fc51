"""Our own client of AWS: it asks and is answered as boto3 is, whatever the network does, and traces each call."""

import json
import select
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st
from laptop.emulator.launcher import free_port
from moto.server import ThreadedMotoServer
from notifications.mailer import Mailer, MailRefused
from notifications.messages import Message
from tiffin import aws, telemetry, xray
from tiffin.aws import Client, Table
from tiffin.dynamodb import deserialize, refused_items, serialize

REGION = "eu-central-1"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
PATIENCE = 30
ADA = "ada@example.com"


MADE = list[Client]()
"""Clients of the test that runs."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    while MADE:
        MADE.pop().hang_up()


def client(service: str, *, attempts: int = 1, read_timeout: float = PATIENCE, plain: bool = False) -> Client:
    MADE.append(Client(service, connect_timeout=PATIENCE, read_timeout=read_timeout, attempts=attempts, plain=plain))
    return MADE[-1]


# --- Side by side with boto3 ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def both(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks the same of a service by both clients, in two regions that know nothing of each other."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    boto3.client("s3")  # reads the setting once

    def ask(service: str, *calls: Any) -> tuple[list[Any], list[Any]]:
        made = list[list[Any]]()
        for region, make in (("eu-west-1", partial(boto3.client, region_name="eu-west-1")), ("eu-west-2", client)):
            monkeypatch.setenv("AWS_DEFAULT_REGION", region)
            asking: Any = make(service)
            answers = list[Any]()
            for name, request in calls:
                given = json.loads(json.dumps(request).replace("REGION", region))
                try:
                    answer = getattr(asking, name)(**given)
                except ClientError as error:
                    answer = {"kind": type(error).__name__, "said": str(error), **error.response}
                metadata = answer.pop("ResponseMetadata")
                answers.append({"status": metadata["HTTPStatusCode"], **answer})
            made.append(json.loads(json.dumps(answers, default=str).replace(region, "REGION")))
        return made[0], made[1]

    return ask


ITEM = {"pk": {"S": "a"}, "n": {"N": "3"}, "deep": {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}]}}}}
PUT = {
    "Put": {
        "TableName": "t",
        "Item": ITEM,
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
}
SHAPE = {
    "TableName": "t",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
RUNS = "arn:aws:states:REGION:123456789012:execution:m:one"
ALIKE: dict[str, list[Any]] = {
    "dynamodb": [
        ("create_table", SHAPE),
        ("transact_write_items", {"TransactItems": [PUT]}),
        ("transact_write_items", {"TransactItems": [PUT]}),
        ("get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}, "ConsistentRead": True}),
        ("get_item", {"TableName": "t", "Key": {"pk": {"S": "b"}}}),
        ("get_item", {"TableName": "nowhere", "Key": {"pk": {"S": "b"}}}),
        ("put_item", {"TableName": "t", "Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
        (
            "update_item",
            {
                "TableName": "t",
                "Key": {"pk": {"S": "a"}},
                "UpdateExpression": "SET n = n + :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            },
        ),
        (
            "query",
            {
                "TableName": "t",
                "KeyConditionExpression": "pk = :a",
                "ExpressionAttributeValues": {":a": {"S": "a"}},
            },
        ),
        ("batch_get_item", {"RequestItems": {"t": {"Keys": [{"pk": {"S": "a"}}]}}}),
        ("update_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET"}),
    ],
    "stepfunctions": [
        ("describe_execution", {"executionArn": RUNS}),
        ("send_task_success", {"taskToken": "nobody's", "output": "{}"}),
        ("stop_execution", {"executionArn": RUNS, "error": "e", "cause": "c"}),
    ],
    "sqs": [
        ("create_queue", {"QueueName": "q"}),
        ("get_queue_url", {"QueueName": "q"}),
        ("get_queue_url", {"QueueName": "nowhere"}),
        ("send_message", {"QueueUrl": "http://127.0.0.1/123456789012/nowhere", "MessageBody": "m"}),
    ],
    "events": [
        ("put_events", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "no JSON"}]}),
        ("describe_event_bus", {"Name": "nowhere"}),
    ],
    "logs": [
        ("create_log_group", {"logGroupName": "g"}),
        ("create_log_group", {"logGroupName": "g"}),
        ("filter_log_events", {"logGroupName": "nowhere"}),
    ],
    "secretsmanager": [("get_secret_value", {"SecretId": "nowhere"})],
    "sesv2": [
        (
            "send_email",
            {
                "FromEmailAddress": "kitchen@example.com",
                "Destination": {"ToAddresses": [ADA]},
                "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
            },
        )
    ],
}


@pytest.mark.parametrize("service", ALIKE)
def test_it_asks_and_is_answered_as_boto3_is(both: Any, service: str) -> None:
    by_boto3, by_us = both(service, *ALIKE[service])

    def comparable(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Without what is another each time, and without the sentence that boto3 repeats beside the code."""
        kept = [{name: value for name, value in answer.items() if name.lower() != "message"} for answer in answers]
        for answer in kept:
            description = answer.get("TableDescription", {})
            for own in ("CreationDateTime", "TableId", "TableArn"):
                description.pop(own, None)
            error = answer.get("Error", {})
            error.pop("Type", None)
            if error.pop("QueryErrorCode", None) or error.get("Code", "").startswith("AWS."):
                answer.pop("kind", None)
            # boto3 knows which kind each operation has; ours has one for every code.
            if "kind" in answer and answer["kind"] in {"ClientError", answer.get("Error", {}).get("Code")}:
                answer.pop("kind")
            for member in ("SendingStatus", "executionArn"):
                answer.pop(member, None)
        return kept

    assert comparable(by_us) == comparable(by_boto3)


def test_a_table_takes_and_gives_plain_values_as_boto3s_does(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    read = list[Any]()
    for region in ("eu-west-3", "eu-north-1"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        resource = boto3.resource("dynamodb", region_name=region)
        resource.create_table(**SHAPE)  # type: ignore[arg-type]
        own = region == "eu-north-1"
        table: Any = Table("t", client("dynamodb", plain=True)) if own else resource.Table("t")
        for number in range(5):
            table.put_item(
                Item={"pk": str(number), "n": number, "deep": {"list": [True, None, {"x": "y"}]}, "s": {"a"}}
            )
        writes = [
            {
                "Update": {
                    "TableName": "t",
                    "Key": {"pk": "0"},
                    "UpdateExpression": "SET n = :n",
                    "ExpressionAttributeValues": {":n": 7},
                }
            }
        ]
        table.meta.client.transact_write_items(TransactItems=writes)
        pages = table.meta.client.get_paginator("scan").paginate(TableName="t", PaginationConfig={"PageSize": 2})
        everything = [[item["pk"] for item in page["Items"]] for page in pages]
        first = table.scan(Limit=2)
        asked = {"t": {"Keys": [{"pk": "0"}], "ConsistentRead": True}}
        read.append(
            [
                table.get_item(Key={"pk": "0"})["Item"],
                table.scan(ExclusiveStartKey=first["LastEvaluatedKey"])["Items"],
                table.update_item(
                    Key={"pk": "1"},
                    UpdateExpression="ADD n :n",
                    ExpressionAttributeValues={":n": 2},
                    ReturnValues="UPDATED_NEW",
                )["Attributes"],
                table.meta.client.batch_get_item(RequestItems=asked)["Responses"],
                everything,
            ]
        )
        with pytest.raises(table.meta.client.exceptions.TransactionCanceledException) as refused:
            table.meta.client.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": "t",
                            "Item": {"pk": "0"},
                            "ConditionExpression": "n = :n",
                            "ExpressionAttributeValues": {":n": 1},
                            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                        }
                    }
                ]
            )
        read[-1].append(refused_items(refused.value))
    assert read[1] == read[0]


NUMBERS = st.integers(-(10**37), 10**37) | st.decimals(
    allow_nan=False, allow_infinity=False, places=2, min_value=-(10**20), max_value=10**20
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | NUMBERS | st.sets(st.text(), min_size=1) | st.sets(NUMBERS, min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def same(typed: Any) -> Any:
    """A typed value, whatever the order of a set."""
    if isinstance(typed, dict):
        return {
            kind: sorted(each) if kind in {"SS", "NS"} and isinstance(each, list) else same(each)
            for kind, each in typed.items()
        }
    return [same(each) for each in typed] if isinstance(typed, list) else typed


@given(value=VALUES)
def test_values_are_written_and_read_as_by_boto3(value: Any) -> None:
    typed = serialize(value)
    assert same(typed) == same(TypeSerializer().serialize(value))
    assert deserialize(typed) == TypeDeserializer().deserialize(typed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [1.5, b"bytes", Decimal("NaN"), Decimal("Infinity"), 10**40, {"a", 1}, set(), object()]
)
def test_what_dynamodb_does_not_keep_is_refused_as_by_boto3(value: Any) -> None:
    with pytest.raises((TypeError, ArithmeticError, ValueError)):
        serialize(value)
    if not isinstance(value, bytes) and value != set():  # which boto3 leaves for DynamoDB to refuse
        with pytest.raises((TypeError, ArithmeticError)):
            TypeSerializer().serialize(value)


# --- Whatever the network does ----------------------------------------------------------------------------------------


class Answers:
    """A host that answers what it is told to, and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked = list[tuple[str, dict[str, str], bytes]]()
        self.connections = 0
        self.next: list[Any] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                host.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                host.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                answer = host.next.pop(0) if host.next else (200, {}, b"{}")
                if answer == "hang up":
                    self.close_connection = True
                    return
                if isinstance(answer, threading.Event):
                    answer.wait(PATIENCE)
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Keep still."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    answers = Answers()
    monkeypatch.setenv("AWS_ENDPOINT_URL", answers.url)
    monkeypatch.setattr("tiffin.aws.time.sleep", lambda _: None)
    yield answers
    answers.close()


def refusal(code: str, status: int = 400, message: str = "no") -> tuple[int, dict[str, str], bytes]:
    return status, {"x-amzn-requestid": "r-1"}, json.dumps({"__type": f"com.aws#{code}", "message": message}).encode()


def test_its_signature_is_the_one_that_boto3_makes(host: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    def signed(asking: Any) -> dict[str, str]:
        asking.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])
        return host.asked[-1][1]

    # A session of its own: the one that all share may have found other keys before.
    theirs = signed(boto3.session.Session().client("events", config=Config(retries={"total_max_attempts": 1})))
    moment = datetime.strptime(theirs["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    body = host.asked[-1][2]

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment

    monkeypatch.setattr(aws, "datetime", Then)
    monkeypatch.setattr("tiffin.aws.json.dumps", lambda *_, **__: body.decode())
    ours = signed(client("events"))

    assert ours["authorization"] == theirs["authorization"]
    for name in ("content-type", "x-amz-target", "x-amz-security-token", "x-amz-date"):
        assert ours[name] == theirs[name]


def test_a_message_to_a_connection_is_asked_and_signed_as_by_boto3(
    host: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a path with the stage in it and an id that must be encoded, and by a body that is no JSON of ours."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", f"{host.url}/v1")

    def asked(asking: Any) -> tuple[str, dict[str, str], bytes]:
        asking.post_to_connection(ConnectionId="L0SM9c/O+Hc=", Data=b"as it is")
        return host.asked[-1]

    once = Config(retries={"total_max_attempts": 1})
    theirs = asked(boto3.session.Session().client("apigatewaymanagementapi", config=once))
    ours = asked(client("apigatewaymanagementapi"))
    assert (ours[0], ours[2]) == (theirs[0], theirs[2]) == ("/v1/@connections/L0SM9c%2FO%2BHc%3D", b"as it is")
    # boto3 sends no content type here, so its signature has none: its signer says what one of our headers is.
    named = ("content-type", "host", "x-amz-date", "x-amz-security-token")
    request = AWSRequest("POST", host.url + ours[0], {name: ours[1][name] for name in named}, ours[2])
    request.context["timestamp"] = ours[1]["x-amz-date"]
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token")
    signer = SigV4Auth(keys, "execute-api", REGION)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert ours[1]["authorization"].endswith(f"Signature={signature}")


def test_a_connection_is_kept_for_the_next_call(host: Answers) -> None:
    asking = client("events")
    for _ in range(3):
        asking.put_events(Entries=[])
    assert (len(host.asked), host.connections) == (3, 1)


def test_one_that_the_other_side_hung_up_is_not_used_again(host: Answers) -> None:
    """As after an environment was frozen: nothing is asked on it, so nothing is lost on it."""
    asking = client("events")
    host.next = [(200, {"Connection": "keep-alive"}, b"{}")]
    asking.put_events(Entries=[])
    [kept] = asking._host._idle
    kept.sock.shutdown(socket.SHUT_WR)
    threading.Event().wait(0)
    until_readable(kept.sock)

    asking.put_events(Entries=[])
    assert (len(host.asked), host.connections) == (2, 2)


def until_readable(sock: socket.socket) -> None:
    """Wait until the other side has hung up."""
    assert select.select([sock], [], [], PATIENCE)[0]


@pytest.mark.parametrize(
    "trouble",
    ["hang up", refusal("ThrottlingException"), refusal("InternalFailure", 500), (503, {}, b"<html>Busy</html>")],
    ids=["hung up", "throttled", "fault", "no JSON"],
)
def test_what_may_pass_is_tried_again_and_then_told(host: Answers, trouble: Any) -> None:
    host.next = [trouble]
    client("dynamodb", attempts=2).get_item(TableName="t", Key={})
    assert len(host.asked) == 2

    host.next = [trouble, trouble]
    with pytest.raises((ClientError, ConnectionClosedError)):
        client("dynamodb", attempts=2).get_item(TableName="t", Key={})
    assert len(host.asked) == 4


def test_what_is_refused_is_not_asked_again_and_has_its_code(host: Answers) -> None:
    host.next = [refusal("ConditionalCheckFailedException")]
    asking = client("dynamodb", attempts=3)
    with pytest.raises(asking.exceptions.ConditionalCheckFailedException) as refused:
        asking.put_item(TableName="t", Item={})
    assert refused.value.response["ResponseMetadata"]["RequestId"] == "r-1"
    assert refused.value.operation_name == "PutItem"
    assert len(host.asked) == 1


def test_a_transaction_that_is_tried_again_is_the_same_one(host: Answers) -> None:
    """The first attempt may have been made, and its answer lost: DynamoDB knows the second by its token."""
    host.next = ["hang up"]
    client("dynamodb", attempts=2).transact_write_items(TransactItems=[])
    client("dynamodb", attempts=2).transact_write_items(TransactItems=[])
    tokens = [json.loads(body)["ClientRequestToken"] for _, _, body in host.asked]
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_host_that_does_not_answer_is_waited_for_no_longer_than_was_said(host: Answers) -> None:
    never = threading.Event()
    host.next = [never]
    try:
        with pytest.raises(ReadTimeoutError):
            client("events", read_timeout=0.2).put_events(Entries=[])
    finally:
        never.set()


def test_moments_are_seconds_both_ways(host: Answers) -> None:
    moment = datetime(2026, 11, 26, 17, 30, 0, 250_000, UTC)
    client("events").put_events(Entries=[{"Time": moment}])
    assert json.loads(host.asked[0][2]) == {"Entries": [{"Time": moment.timestamp()}]}

    host.next = [(200, {}, json.dumps({"startDate": moment.timestamp()}).encode())]
    assert client("stepfunctions").start_execution(name="one")["startDate"] == moment


def test_where_nobody_is_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EndpointConnectionError):
        client("events").put_events(Entries=[])


def test_a_proxy_is_asked_where_the_environment_names_one(host: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://events.invalid:1")
    monkeypatch.setenv("http_proxy", host.url)
    for spared in ("", "other.invalid"):
        monkeypatch.setenv("no_proxy", spared)
        client("events").put_events(Entries=[])
    assert [path for path, _, _ in host.asked] == ["http://events.invalid:1/"] * 2
    assert host.asked[0][1]["host"] == "events.invalid:1"

    for spared in ("*", "events.invalid", "other.invalid, .invalid"):
        monkeypatch.setenv("no_proxy", spared)
        with pytest.raises(EndpointConnectionError):
            client("events").put_events(Entries=[])
    assert len(host.asked) == 2


def test_a_secret_passes_a_proxy_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        asked = list[bytes]()

        def refuse() -> None:
            made, _ = proxy.accept()
            with made:
                asked.append(made.recv(1000))
                made.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:{1}".format(*proxy.getsockname()))
        with pytest.raises(EndpointConnectionError):
            client("events").put_events(Entries=[])
    assert asked[0].startswith(b"CONNECT events.eu-central-1.amazonaws.com:443 HTTP/1.")


def test_a_service_has_an_address_of_its_own_where_the_environment_says_so(
    host: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", host.url)
    client("events").put_events(Entries=[])
    assert len(host.asked) == 1


REGIONS = (
    *(REGION, "us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"),
    *("us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1"),
)
"""One of each partition."""


@pytest.mark.parametrize(("service", "region"), [(s, r) for s in aws.APIS for r in REGIONS])
def test_its_hosts_are_those_that_boto3_asks(service: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    make: Any = boto3.client
    theirs = make(service, region_name=region, endpoint_url=None).meta.endpoint_url
    assert client(service)._host.url == theirs


def test_without_a_region_or_keys_that_is_said(host: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(NoCredentialsError):
        client("events").put_events(Entries=[])
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(NoRegionError):
        client("events")


@pytest.mark.parametrize("status", [500, None], ids=["refused", "nobody there"])
def test_keys_that_are_not_handed_out_are_asked_for_again_and_used_while_they_last(
    host: Answers, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    asked = list[str]()

    def borrowed(url: str) -> Any:
        asked.append(url)
        raise ValueError(status) if status else ConnectionRefusedError

    monkeypatch.setattr(aws, "_borrowed", borrowed)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/keys")
    monkeypatch.setattr(aws, "_lent", [])
    with pytest.raises(CredentialRetrievalError):
        client("events").put_events(Entries=[])
    assert len(asked) == aws._KEYS_ASKED_FOR

    aws._lent.append(aws._Keys("AKID", "s", "t", datetime.now(UTC) + timedelta(minutes=1)))
    client("events").put_events(Entries=[])
    assert "Credential=AKID/" in host.asked[0][1]["authorization"]


def test_a_function_restored_from_a_snapshot_asks_for_its_keys_and_keeps_them_while_they_are_good(
    host: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    lent = list[str]()

    class Lender(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lent.append(self.headers["Authorization"])
            hours = 1 if len(lent) > 1 else 0
            until = datetime.now(UTC) + timedelta(hours=hours)
            keys = {
                "AccessKeyId": f"AKID{len(lent)}",
                "SecretAccessKey": "s",
                "Token": "t",
                "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
            }
            content = json.dumps(keys).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep still."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/keys?of=me")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me in")
    monkeypatch.setattr(aws, "_lent", [])
    try:
        for _ in range(3):
            client("events").put_events(Entries=[])
    finally:
        server.shutdown()
        server.server_close()
    # The first ones are over already, the second ones are kept.
    assert lent == ["let me in"] * 2
    used = [headers["authorization"].split("Credential=")[1].split("/")[0] for _, headers, _ in host.asked]
    assert used == ["AKID1", "AKID2", "AKID2"]


# --- What its traces say ----------------------------------------------------------------------------------------------


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What X-Ray's daemon was told since it was last asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.2)
        monkeypatch.setattr(telemetry.XRAY, "_daemon", listening.getsockname())
        monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)

        def told() -> list[dict[str, Any]]:
            documents = list[dict[str, Any]]()
            with suppress(TimeoutError):
                while True:
                    header, _, document = listening.recv(xray._LONGEST + 100).partition(b"\n")
                    assert json.loads(header) == {"format": "json", "version": 1}
                    documents.append(json.loads(document))
            return documents

        yield told


def test_a_call_is_a_subsegment_and_the_trace_goes_on_with_it(host: Answers, daemon: Any) -> None:
    host.next = [(200, {"x-amzn-requestid": "r-1"}, b"{}")]
    client("dynamodb").get_item(TableName="orders", Key={"order_id": {"S": "ord_x"}})
    [told] = daemon()
    assert told["start_time"] <= told["end_time"]
    assert told["aws"] == {
        "operation": "GetItem",
        "region": REGION,
        "table_name": "orders",
        "request_id": "r-1",
        "retries": 0,
    }
    assert (told["name"], told["namespace"], told["type"]) == ("dynamodb", "aws", "subsegment")
    assert (told["trace_id"], told["parent_id"]) == ("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8")
    assert told["http"]["response"]["status"] == 200
    [(_, headers, _)] = host.asked
    assert headers["x-amzn-trace-id"] == f"Root={told['trace_id']};Parent={told['id']};Sampled=1"


def test_a_refusal_is_told_by_its_code_and_not_by_its_words(host: Answers, daemon: Any) -> None:
    """SES names the recipient in its sentence ("Email address is not verified")."""
    host.next = [
        (400, {"x-amzn-errortype": "MessageRejected"}, json.dumps({"message": f"not verified: {ADA}"}).encode())
    ]
    asking = client("sesv2")
    with pytest.raises(asking.exceptions.MessageRejected):
        asking.send_email(Destination={"ToAddresses": [ADA]})
    [told] = daemon()
    assert told["error"] is True
    [cause] = told["cause"]["exceptions"]
    assert cause["type"] == "MessageRejected"
    assert ADA not in json.dumps(told)
    assert host.asked[0][0] == "/v2/email/outbound-emails"

    host.next = [
        (400, {"x-amzn-errortype": "MessageRejected"}, json.dumps({"message": f"not verified: {ADA}"}).encode())
    ]
    with pytest.raises(MailRefused, match=r"^MessageRejected$"):
        Mailer(asking, "kitchen@example.com").send(ADA, Message("subject", "text"))


def test_a_call_that_was_answered_at_last_is_no_fault(host: Answers, daemon: Any) -> None:
    host.next = [refusal("InternalFailure", 500), refusal("ThrottlingException")]
    client("dynamodb", attempts=3).get_item(TableName="orders", Key={})
    [told] = daemon()
    assert (told["http"]["response"]["status"], told["aws"]["retries"]) == (200, 2)
    assert not {"fault", "error", "throttle"} & told.keys()


def test_functions_that_call_each_other_without_end_are_still_found(
    host: Answers, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda counts them by `Lineage` (Lambda developer guide, "Recursive loop detection")."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"{TRACE};Lineage=25:d0a82a4e:0")
    client("sqs").send_message(QueueUrl="q", MessageBody="m")
    assert host.asked[0][1]["x-amzn-trace-id"].endswith(";Sampled=1;Lineage=25:d0a82a4e:0")
    assert len(daemon()) == 1


def test_what_is_raised_inside_is_told_once_where_it_began(daemon: Any) -> None:
    with suppress(ValueError), telemetry.XRAY.in_subsegment("outer"), telemetry.XRAY.in_subsegment("inner!"):
        raise ValueError("why")
    inner, outer = daemon()
    assert (inner["name"], outer["name"]) == ("inner", "outer")
    assert inner["parent_id"] == outer["id"]
    [cause] = inner["cause"]["exceptions"]
    assert (cause["type"], cause["message"], outer["cause"]) == ("ValueError", "why", cause["id"])
    assert cause["stack"][-1]["path"] == "test_aws_client.py"


def test_what_is_not_sampled_is_not_told_and_says_so_to_whom_it_calls(
    host: Answers, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE.replace("Sampled=1", "Sampled=0"))
    client("dynamodb").get_item(TableName="orders", Key={})
    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    client("dynamodb").get_item(TableName="orders", Key={})
    assert daemon() == []
    (_, without, _), (_, outside, _) = host.asked
    assert without["x-amzn-trace-id"].endswith(";Sampled=0")
    assert "x-amzn-trace-id" not in outside


def test_what_threads_do_at_once_hangs_below_what_they_were_begun_in(
    daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
    together = threading.Barrier(4, timeout=PATIENCE)

    def work(name: str) -> None:
        with telemetry.XRAY.in_subsegment(name):
            together.wait()

    with telemetry.XRAY.in_subsegment("all") as above, ThreadPoolExecutor(4) as threads:
        for number in range(4):
            threads.submit(copy_context().run, work, f"each {number}")
    told = daemon()
    assert {one["name"]: one["parent_id"] for one in told if one["name"] != "all"} == {
        f"each {number}": above.id for number in range(4)
    }
    [whole] = [one for one in told if one["name"] == "all"]
    assert whole["parent_id"] == "53995c3f42cd8ad8"


def test_where_tracing_is_switched_off_nothing_is_told(
    host: Answers, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "{}:{}".format(*telemetry.XRAY._daemon))
    monkeypatch.setattr(telemetry, "XRAY", xray.XRay())
    client("dynamodb").get_item(TableName="orders", Key={})
    assert daemon() == []
    telemetry.XRAY._socket.close()


def test_what_an_invocation_left_open_is_no_part_of_the_next(daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda ends a function that takes too long in the middle of whatever it does."""
    telemetry.XRAY.in_subsegment("cut off").__enter__()
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE.replace("5759e988", "5759e989"))
    with telemetry.XRAY.in_subsegment("next"):
        pass
    told = daemon()[-1]
    assert (told["name"], told["parent_id"]) == ("next", "53995c3f42cd8ad8")


@pytest.mark.parametrize("size", [65_260, 65_507, 65_536, 70_000])
def test_too_much_to_show_is_left_out_rather_than_lost(daemon: Any, size: int) -> None:
    with telemetry.XRAY.in_subsegment("large") as subsegment:
        subsegment.put_metadata("all", "x" * size)
        subsegment.put_annotation("order_id", "ord_x")
    [told] = daemon()
    assert told["annotations"] == {"order_id": "ord_x"}
    assert "metadata" not in told


def test_as_much_as_a_datagram_takes_is_shown(daemon: Any) -> None:
    with telemetry.XRAY.in_subsegment("large") as subsegment:
        subsegment.put_metadata("all", "x" * 65_000)
    [told] = daemon()
    assert len(told["metadata"]["default"]["all"]) == 65_000


def test_nobody_who_listens_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
    monkeypatch.setattr(telemetry.XRAY, "_daemon", ("127.0.0.1", free_port()))
    for _ in range(3):
        with telemetry.XRAY.in_subsegment("heard by nobody"):
            pass
