"""To whom the Stripe key may go: to Stripe, or to a stand-in on this machine, as code and templates agree."""

import re
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from payments.stripe_gateway import StripeGateway, UntrustedHost, is_trusted
from worlds import ROOT

TRUSTED = [
    "https://api.stripe.com",
    "http://127.0.0.1",
    "http://127.0.0.1:8420",
    "http://localhost:8420",
    "http://[::1]:8420",
]
UNTRUSTED = [
    "",
    "api.stripe.com",
    "http://api.stripe.com",
    "https://api.stripe.com/",
    "https://api.stripe.com:443",
    "https://API.STRIPE.COM",
    "https://api.stripe.com.evil.example",
    "https://api-stripe.com",
    "https://apixstripe.com",
    "https://evil.example/api.stripe.com",
    "https://evil.example#https://api.stripe.com",
    "https://evil.example?https://api.stripe.com",
    "https://api.stripe.com@evil.example",
    "https://api.stripe.com:443@evil.example",
    "https://api.stripe.com\\@evil.example",
    "https://api.stripe.com#@evil.example",
    "https://user@api.stripe.com",
    "https://api.stripe.com\n",
    "https://api.stripe.com\nhttps://evil.example",
    "\nhttps://api.stripe.com",
    "https://api.stripe.com evil.example",
    "https://127.0.0.1",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1@evil.example",
    "http://127.0.0.1:8420@evil.example",
    "http://127.0.0.1:8420/",
    "http://127.0.0.1:",
    "http://127.0.0.1:842O",
    "http://127.0.0.1:\u0668\u0664\u0662\u0660",
    "http://127.1",
    "http://2130706433",
    "http://127.0.0.10",
    "http://0.0.0.0:8420",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "http://mylocalhost",
    "http://[::1].evil.example",
    "http://[::1]@evil.example",
    "http://[::2]",
    "http://169.254.169.254",
    "ftp://localhost",
    "https://evil.example",
]


@pytest.fixture(params=["template.yaml", "services/payments/template.yaml"])
def parameter(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(load(str(ROOT / request.param))["Parameters"]["StripeApiBase"])


@pytest.mark.parametrize("api_base", TRUSTED)
def test_the_key_may_go_to_stripe_and_to_this_machine(api_base: str) -> None:
    assert is_trusted(api_base)
    StripeGateway("secret", api_base)


@pytest.mark.parametrize("api_base", UNTRUSTED)
def test_the_key_goes_to_no_other_host(api_base: str) -> None:
    assert not is_trusted(api_base)
    with pytest.raises(UntrustedHost):
        StripeGateway("secret", api_base)


def test_the_templates_take_the_same(parameter: dict[str, Any]) -> None:
    """CloudFormation matches the whole value; `$` of Python's would let a last newline pass."""
    pattern = re.compile(parameter["AllowedPattern"], re.ASCII)
    assert [each for each in (*TRUSTED, *UNTRUSTED) if pattern.fullmatch(each)] == TRUSTED
    # Not anchored by the service, it is by itself.
    assert [each for each in (*TRUSTED, *UNTRUSTED) if pattern.search(each.rstrip("\n"))] == [
        *TRUSTED,
        *[each for each in UNTRUSTED if each.rstrip("\n") in TRUSTED],
    ]
    assert parameter["Default"] == "https://api.stripe.com"
