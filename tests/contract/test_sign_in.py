"""Who is let in, as SAM makes it of the templates: what is open, and what only an administrator may say of somebody."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from contracts.cloudformation import transformed
from laptop.code_flow import CALLBACK
from laptop.people import KNOWN
from tiffin.callers import Role
from worlds import ROOT
from worlds.templates import resources

OPEN = {
    ("orders", "get", "/restaurants"),
    ("orders", "get", "/restaurants/{restaurant_id}/menu"),
    ("orders", "get", "/openapi.json"),
    ("promotions", "get", "/openapi.json"),
    ("support", "get", "/openapi.json"),
    ("estimates", "get", "/openapi.json"),
    ("live", "get", "/openapi.json"),
}
"""All that is answered without a token."""
IDENTITY: dict[str, Any] = transformed()["services/identity/template.yaml"]
CLIENT: dict[str, Any] = IDENTITY["Resources"]["AppClient"]["Properties"]


class Method(NamedTuple):
    """A method of an API, as API Gateway imports it."""

    service: str
    name: str
    path: str
    operation: dict[str, Any]


def apis() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each API's document, by its service."""
    for location, template in transformed().items():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::ApiGateway::RestApi":
                yield location.split("/")[1], resource["Properties"]["Body"]


METHODS = [
    Method(service, name, path, operation)
    for service, document in apis()
    for path, operations in document["paths"].items()
    for name, operation in operations.items()
]


def test_exactly_menus_and_openapi_documents_are_open() -> None:
    asked = [method for method in METHODS if method.name != "options"]
    assert {m[:3] for m in asked if m.operation["security"] != [{"UserPool": []}]} == OPEN
    assert all(m.operation["security"] == [{"NONE": []}] for m in asked if m[:3] in OPEN)


def test_a_token_is_of_the_user_pool_that_the_service_is_told_of() -> None:
    documents = dict(apis())
    assert set(documents) == {"orders", "promotions", "support", "estimates", "live"}
    for document in documents.values():
        assert "security" not in document
        [(name, scheme)] = document["securityDefinitions"].items()
        assert (name, scheme["in"], scheme["name"]) == ("UserPool", "header", "Authorization")
        assert scheme["x-amazon-apigateway-authorizer"] == {
            "type": "cognito_user_pools",
            "providerARNs": [{"Ref": "UserPoolArn"}],
        }
    root = transformed()["template.yaml"]["Resources"]
    for service in ("Orders", "Promotions", "Support", "EstimatesService", "Live"):
        given = root[service]["Properties"]["Parameters"]["UserPoolArn"]
        assert given == {"Fn::GetAtt": ["Identity", "Outputs.UserPoolArn"]}


def test_a_preflight_is_answered_by_api_gateway_for_the_console_alone() -> None:
    preflights = [method for method in METHODS if method.name == "options"]
    assert {(m.service, m.path) for m in preflights} == {(m.service, m.path) for m in METHODS}
    for method in preflights:
        assert "security" not in method.operation
        integration = method.operation["x-amazon-apigateway-integration"]
        headers = integration["responses"]["default"]["responseParameters"]
        allowed = {name.removeprefix("method.response.header.Access-Control-"): v for name, v in headers.items()}
        of_the_path = {m.name.upper() for m in METHODS if (m.service, m.path) == (method.service, method.path)}
        assert integration["type"] == "mock"
        assert allowed["Allow-Origin"] == {"Fn::Sub": "'${ConsoleOrigin}'"}
        assert allowed["Allow-Headers"] == "'authorization,content-type,idempotency-key,if-none-match'"
        assert set(allowed["Allow-Methods"].strip("'").split(",")) == of_the_path
        assert "Allow-Credentials" not in allowed


@pytest.mark.parametrize(("service", "document"), list(apis()), ids=[service for service, _ in apis()])
def test_the_console_may_read_what_api_gateway_answers_by_itself(service: str, document: dict[str, Any]) -> None:
    answers = document["x-amazon-apigateway-gateway-responses"]
    assert {"UNAUTHORIZED", "ACCESS_DENIED", "DEFAULT_4XX", "DEFAULT_5XX"} <= answers.keys()
    for answer in answers.values():
        headers = answer["responseParameters"]
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == {"Fn::Sub": "'${ConsoleOrigin}'"}
    assert answers["UNAUTHORIZED"]["responseParameters"]["gatewayresponse.header.WWW-Authenticate"] == "'Bearer'"
    assert resources(service)["ApiFunction"]["Properties"]["Environment"]["Variables"]["CONSOLE_ORIGIN"] == {
        "Ref": "ConsoleOrigin"
    }


def test_by_default_no_page_is_the_console() -> None:
    for location, template in transformed().items():
        if declared := template["Parameters"].get("ConsoleOrigin"):
            assert declared["Default"] == "https://console.invalid", location


def test_no_template_holds_a_user() -> None:
    kinds = {resource["Type"] for template in transformed().values() for resource in template["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith(("AWS::Cognito::UserPoolUser", "Custom::"))]
    written = "".join(path.read_text() for path in [ROOT / "template.yaml", *ROOT.glob("services/*/template.yaml")])
    assert not [person for person in KNOWN.values() if person.email in written]


def test_nobody_but_an_administrator_makes_an_account_or_says_whose_restaurant_it_is() -> None:
    pool = IDENTITY["Resources"]["UserPool"]["Properties"]
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert [attribute["Name"] for attribute in pool["Schema"]] == ["restaurant_id"]
    assert "custom:restaurant_id" in CLIENT["ReadAttributes"]
    assert CLIENT["WriteAttributes"] == ["email"]
    assert CLIENT["AllowedOAuthScopes"] == ["openid"]  # that of a user who changes attributes is another


def test_nobody_signs_in_but_by_the_pages_and_with_a_code() -> None:
    assert CLIENT["AllowedOAuthFlows"] == ["code"]
    assert CLIENT["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert CLIENT["GenerateSecret"] is False
    assert CLIENT["PreventUserExistenceErrors"] == "ENABLED"


def test_a_token_of_somebody_who_was_deleted_is_good_for_a_quarter_of_an_hour_at_most() -> None:
    assert (CLIENT["IdTokenValidity"], CLIENT["AccessTokenValidity"]) == (15, 15)
    assert CLIENT["TokenValidityUnits"] == {"IdToken": "minutes", "AccessToken": "minutes", "RefreshToken": "days"}
    assert (CLIENT["RefreshTokenValidity"], CLIENT["EnableTokenRevocation"]) == (1, True)


def test_the_groups_are_the_roles() -> None:
    groups = [
        one["Properties"]["GroupName"]
        for one in IDENTITY["Resources"].values()
        if one["Type"] == "AWS::Cognito::UserPoolGroup"
    ]
    assert tuple(groups) == tuple(Role)


def test_make_token_listens_where_the_pages_send_browsers_back_to() -> None:
    for template in (transformed()["template.yaml"], IDENTITY):
        assert template["Parameters"]["CallbackUrls"]["Default"] == CALLBACK


def test_users_outlive_their_stack() -> None:
    pool = IDENTITY["Resources"]["UserPool"]
    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
