"""A WebSocket API as API Gateway has it: what its template answers, whom it invokes, and how functions find it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import websocket
from botocore.exceptions import ClientError
from laptop.environment import runtime
from laptop.pace import patience
from worlds.emulator import World, unique
from worlds.polling import eventually

CODE = """
import os
def handler(event, context):
    if event == "where":
        return os.environ["WHERE"]
    asked = event["requestContext"]
    print("heard of", asked["eventType"], asked["connectionId"], flush=True)
    return {"statusCode": 403 if (event.get("queryStringParameters") or {}).get("no") else 200}
"""
WHERE = "wss://abc123.execute-api.eu-central-1.amazonaws.com/v1"


def template(says: str, role: str) -> dict[str, Any]:
    """An API whose handshakes a function judges, and which answers all else by itself."""
    of = {"ApiId": {"Ref": "Api"}}
    uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        "Stage": ("Stage", {"StageName": "v1", "AutoDeploy": True}),
        "Gate": ("Integration", {"IntegrationType": "AWS_PROXY", "IntegrationUri": {"Fn::Sub": uri}}),
        "Connect": ("Route", {"RouteKey": "$connect", "Target": {"Fn::Sub": "integrations/${Gate}"}}),
        "Disconnect": ("Route", {"RouteKey": "$disconnect", "Target": {"Fn::Sub": "integrations/${Gate}"}}),
        "Pong": ("Integration", {"IntegrationType": "MOCK", "RequestTemplates": {"200": '{"statusCode": 200}'}}),
        "Default": ("Route", {"RouteKey": "$default", "Target": {"Fn::Sub": "integrations/${Pong}"}}),
        "Says": (
            "IntegrationResponse",
            {
                "IntegrationId": {"Ref": "Pong"},
                "IntegrationResponseKey": "/200/",
                "ResponseTemplates": {"200": says},
            },
        ),
        "Answers": ("RouteResponse", {"RouteId": {"Ref": "Default"}, "RouteResponseKey": "$default"}),
    }
    return {
        "Resources": {
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Properties": {
                    "Name": unique("api"),
                    "ProtocolType": "WEBSOCKET",
                    "RouteSelectionExpression": "$request.body.type",
                },
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Code": {"ZipFile": CODE},
                    "Handler": "index.handler",
                    "Runtime": runtime(),
                    "Role": role,
                    "Environment": {"Variables": {"WHERE": WHERE}},
                },
            },
            **{
                name: {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": of | own}
                for name, (kind, own) in kinds.items()
            },
        },
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}, "Function": {"Value": {"Ref": "Function"}}},
    }


class Api:
    """The API, deployed.

    Attributes:
        url: of the WebSocket.
        function: the name of the one that judges.
    """

    def __init__(self, world: World) -> None:
        self._world, self._name = world, unique("stack")
        self._role = world.admin
        self._deploy("create_stack", "pong")
        (stack,) = world.client("cloudformation").describe_stacks(StackName=self._name)["Stacks"]
        made = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.function, self.http = made["Function"], f"{world.endpoint}/_aws/execute-api/{made['Api']}/v1"
        self.url = self.http.replace("http", "ws", 1)

    def says(self, words: str) -> None:
        """Let it answer something else."""
        self._deploy("update_stack", words)

    def connect(self, query: str = "") -> Any:
        return websocket.create_connection(
            self.url + query, timeout=patience(20), suppress_origin=True, http_no_proxy=["*"]
        )

    def lines(self) -> str:
        logs = self._world.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{self.function}")["events"]
        except ClientError:
            return ""
        return "".join(event["message"] for event in events)

    def _deploy(self, how: str, says: str) -> None:
        stacks = self._world.client("cloudformation")
        getattr(stacks, how)(StackName=self._name, TemplateBody=json.dumps(template(says, self._role)))
        assert self._world.settled(self._name)["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@pytest.fixture(scope="module")
def api(world: World) -> Iterator[Api]:
    yield Api(world)


def test_it_answers_by_itself_as_its_template_says_now(api: Api) -> None:
    socket = api.connect()
    socket.send("anything")
    assert socket.recv() == "pong"
    api.says("peng")
    socket.send('{"type": "no route"}')
    assert socket.recv() == "peng"
    socket.close()


def test_a_function_that_judges_a_handshake_logs_as_any_other(api: Api) -> None:
    socket = api.connect()
    eventually(lambda: "heard of CONNECT" in api.lines(), 20, "the line of the handshake")
    socket.close()
    eventually(lambda: "heard of DISCONNECT" in api.lines(), 20, "the line of the end")


def test_many_handshakes_and_ends_at_once_are_all_heard_of(api: Api) -> None:
    sockets = [api.connect() for _ in range(20)]
    for socket in sockets:
        socket.close()
    eventually(lambda: api.lines().count("heard of DISCONNECT") >= 20, 30, "the ends")


def test_a_handshake_that_is_refused_is_answered_with_403(api: Api) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        api.connect("?no=1")
    assert refused.value.status_code == 403


def test_who_is_not_connected_is_gone(world: World, api: Api) -> None:
    management: Any = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=api.http,
        region_name="eu-central-1",
        aws_access_key_id=world.access.access_key_id,
        aws_secret_access_key=world.access.secret_access_key,
    )
    with pytest.raises(ClientError) as gone:
        management.post_to_connection(ConnectionId="L0SM9cOFvHcCIhw=", Data=b"hello")
    assert gone.value.response["Error"]["Code"] == "GoneException"


def test_a_function_finds_an_api_where_its_environment_says_that_it_is(world: World, api: Api) -> None:
    answer = world.functions.invoke(FunctionName=api.function, Payload=b'"where"')
    assert json.load(answer["Payload"]) == f"{world.endpoint}/_aws/execute-api/abc123/v1".replace("http", "ws", 1)
