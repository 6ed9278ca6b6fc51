"""Access logs of a stage: a line for each request, in the stage's own format, with what is known of who asks."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from laptop.pace import patience
from worlds.emulator import World, unique

FORMAT = "$context.httpMethod|$context.resourcePath|$context.status|$context.error.responseType|$context.requestId"
WHO = "$context.authorizer.claims.sub|$context.authorizer.claims.cognito:groups|$context.authorizer.error"


def template(group: str, pool_arn: str, lines: str, account: bool) -> dict[str, Any]:
    """An API with one route for whoever is in the pool."""
    ref = {"RestApiId": {"Ref": "Api"}}
    mock = {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}}
    authorizer = {"Type": "COGNITO_USER_POOLS", "ProviderARNs": [pool_arn], "Name": "people"}
    arn = {"Fn::Sub": f"arn:aws:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{group}"}
    resources = {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": unique("api")}},
        "People": {
            "Type": "AWS::ApiGateway::Authorizer",
            "Properties": {**ref, **authorizer, "IdentitySource": "method.request.header.Authorization"},
        },
        "Things": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {**ref, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "{thing}"},
        },
        "Get": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                **ref,
                **{"ResourceId": {"Ref": "Things"}, "HttpMethod": "GET", "Integration": mock},
                **{"AuthorizationType": "COGNITO_USER_POOLS", "AuthorizerId": {"Ref": "People"}},
            },
        },
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Get", "Properties": ref},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                **ref,
                **{"StageName": "v1", "DeploymentId": {"Ref": "Deployment"}},
                "AccessLogSetting": {"DestinationArn": arn, "Format": lines},
            },
        },
    }
    if account:
        resources["Account"] = {
            "Type": "AWS::ApiGateway::Account",
            "Properties": {"CloudWatchRoleArn": "arn:aws:iam::000000000000:role/logs"},
        }
        resources["Stage"]["DependsOn"] = "Account"
    return {"Resources": resources, "Outputs": {"Api": {"Value": {"Ref": "Api"}}}}


class Logged:
    """An API whose requests are logged, and a person who may ask it.

    Attributes:
        token: the person's.
        subject: the person's `sub`.
    """

    def __init__(self, world: World, *, account: bool = True) -> None:
        self._world, self._group, self._name = world, unique("/aws/apigateway/group"), unique("stack")
        users = world.client("cognito-idp")
        pool = users.create_user_pool(PoolName=unique("pool"))["UserPool"]
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        app = users.create_user_pool_client(UserPoolId=pool["Id"], ClientName="web", ExplicitAuthFlows=flows)
        person = users.admin_create_user(UserPoolId=pool["Id"], Username="ada")["User"]
        self.subject = next(a["Value"] for a in person["Attributes"] if a["Name"] == "sub")
        users.create_group(UserPoolId=pool["Id"], GroupName="customer")
        users.admin_add_user_to_group(UserPoolId=pool["Id"], Username="ada", GroupName="customer")
        users.admin_set_user_password(UserPoolId=pool["Id"], Username="ada", Password="Analytical-1", Permanent=True)
        self.token = users.admin_initiate_auth(
            UserPoolId=pool["Id"],
            ClientId=app["UserPoolClient"]["ClientId"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ada", "PASSWORD": "Analytical-1"},
        )["AuthenticationResult"]["IdToken"]
        self._pool_arn, self._account = pool["Arn"], account
        self._stacks = world.client("cloudformation")
        self._stacks.create_stack(StackName=self._name, TemplateBody=self._body(f"{FORMAT}|{WHO}"))
        self.stack = self._world.settled(self._name)

    def log_as(self, lines: str) -> None:
        """Give the stage another format."""
        self._stacks.update_stack(StackName=self._name, TemplateBody=self._body(lines))
        assert self._world.settled(self._name)["StackStatus"] == "UPDATE_COMPLETE"

    def get(self, path: str, token: str = "") -> httpx.Response:
        """Ask the API."""
        api = self.stack["Outputs"][0]["OutputValue"]
        headers = {"Authorization": token} if token else {}
        return httpx.get(
            f"{self._world.endpoint}/_aws/execute-api/{api}/v1{path}", headers=headers, timeout=patience(30)
        )

    def lines(self) -> list[str]:
        """What was logged."""
        events = self._world.client("logs").filter_log_events(logGroupName=self._group)["events"]
        return [event["message"] for event in events]

    def _body(self, lines: str) -> str:
        return json.dumps(template(self._group, self._pool_arn, lines, self._account))


@pytest.fixture(scope="module")
def logged(world: World) -> Iterator[Logged]:
    made = Logged(world)
    assert made.stack["StackStatus"] == "CREATE_COMPLETE", made.stack.get("StackStatusReason")
    yield made
    world.client("apigateway").update_account(patchOperations=[{"op": "remove", "path": "/cloudwatchRoleArn"}])


def test_each_request_is_a_line_whoever_answers_it(logged: Logged) -> None:
    answers = [logged.get("/secret", logged.token), logged.get("/secret"), logged.get("/secret/and/more")]

    lines = [line.split("|") for line in logged.lines()[-3:]]
    assert [answer.status_code for answer in answers] == [200, 401, 403]
    assert [line[:4] for line in lines] == [
        ["GET", "/{thing}", "200", "-"],
        ["GET", "/{thing}", "401", "UNAUTHORIZED"],
        ["GET", "-", "403", "MISSING_AUTHENTICATION_TOKEN"],
    ]
    # MiniStack puts brackets around groups, as in HTTP APIs.
    who = [[line[5], line[6].strip("[]"), line[7]] for line in lines]
    assert who == [[logged.subject, "customer", "-"], ["-", "-", "Unauthorized"], ["-"] * 3]
    assert [line[4] for line in lines[1:]] == [answer.headers["x-amzn-requestid"] for answer in answers[1:]]
    assert len({line[4] for line in lines}) == 3


def test_another_format_counts_from_then_on(logged: Logged) -> None:
    logged.log_as("$context.status only")
    logged.get("/secret", logged.token)
    assert logged.lines()[-1] == "200 only"
    logged.log_as(f"{FORMAT}|{WHO}")


def test_without_a_role_set_for_the_account_there_is_no_stage_with_access_logs(world: World) -> None:
    api_gateway = world.client("apigateway")
    before = api_gateway.get_account().get("cloudwatchRoleArn")
    if before:
        api_gateway.update_account(patchOperations=[{"op": "remove", "path": "/cloudwatchRoleArn"}])
    try:
        refused = Logged(world, account=False)
        assert refused.stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert "CloudWatch Logs role ARN must be set" in str(reasons(world, refused))
        with pytest.raises(ClientError):
            refused.lines()
    finally:
        if before:
            api_gateway.update_account(
                patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": before}]
            )


def reasons(world: World, of: Logged) -> list[str]:
    """Why resources of a stack failed."""
    events = world.client("cloudformation").describe_stack_events(StackName=of.stack["StackName"])["StackEvents"]
    return [event.get("ResourceStatusReason", "") for event in events]
