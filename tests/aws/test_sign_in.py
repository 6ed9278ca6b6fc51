"""Signing in by the pages of the user pool, as a browser does; and what a token that is not ours gets."""

import httpx
import pytest
from laptop import NotSignedIn
from laptop.code_flow import Attempt, claims, signed_in
from laptop.pace import patience
from operations.deployed import Deployed
from operations.visiting import Visit


@pytest.fixture
def attempt(deployed: Deployed) -> Attempt:
    pool, client_id = deployed.outputs["UserPoolId"], deployed.outputs["UserPoolClientId"]
    known = deployed.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client_id)
    return Attempt(deployed.outputs["SignInUrl"], client_id, known["UserPoolClient"]["CallbackURLs"][0])


def test_the_pages_let_somebody_in_whose_token_says_as_what_and_no_address(visit: Visit, attempt: Attempt) -> None:
    password = visit.guests.password(visit.cook)
    with httpx.Client() as http:
        said = claims(signed_in(attempt, visit.guests.email(visit.cook), password, http))
    assert said["sub"] == visit.guests.subject(visit.cook)
    assert (said["token_use"], said["cognito:groups"]) == ("id", ["restaurant"])
    assert said["custom:restaurant_id"] == visit.restaurant_id
    assert "email" not in said


def test_a_wrong_password_lets_nobody_in(visit: Visit, attempt: Attempt) -> None:
    visit.guests.token(visit.cook)
    with httpx.Client() as http, pytest.raises(NotSignedIn, match="did not let"):
        signed_in(attempt, visit.guests.email(visit.cook), "Aa1-not-the-password", http)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x.y.z"}], ids=["no token", "no real token"])
def test_without_a_token_of_the_pool_an_api_asks_to_sign_in(deployed: Deployed, header: dict[str, str]) -> None:
    for output, path in (("ApiUrl", "/orders"), ("PromotionsApiUrl", "/promo-codes")):
        answer = httpx.get(deployed.outputs[output] + path, headers=header, timeout=patience(30))
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (401, "sign-in-needed")
        assert answer.headers["www-authenticate"] == "Bearer"
