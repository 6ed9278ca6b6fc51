"""How somebody signs in, as SAM makes it of the templates, and what only an administrator may say of them."""

from typing import Any

from contracts.cloudformation import transformed
from laptop.code_flow import CALLBACK
from laptop.people import KNOWN, ROLES
from worlds import ROOT

IDENTITY: dict[str, Any] = transformed()["services/identity/template.yaml"]
CLIENT: dict[str, Any] = IDENTITY["Resources"]["AppClient"]["Properties"]


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
    assert tuple(groups) == ROLES


def test_make_token_listens_where_the_pages_send_browsers_back_to() -> None:
    for template in (transformed()["template.yaml"], IDENTITY):
        assert template["Parameters"]["CallbackUrls"]["Default"] == CALLBACK


def test_users_outlive_their_stack() -> None:
    pool = IDENTITY["Resources"]["UserPool"]
    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
