"""What customers learn of a decline: every code that Stripe documents, each in the answer, the event and the row."""

import json
import re

import pytest
from payments.gateway import Authorized, Captured, Opened, Voided
from payments.model import REFUSALS, UNDISCLOSED_CODES, Decline
from payments.operations import Payments
from payments.sandbox import DECLINES
from payments.stripe_gateway import _why
from tiffin.money import Money
from worlds import ROOT
from worlds.payments import MemoryDynamo, World, authorize, release

GENERIC = ("generic_decline", "Your card was declined.")
# docs.stripe.com/declines/codes. Of the first four the page asks that the customer be told no more than of a generic
# decline; of the other two it says that the card may have been reported lost or stolen.
HIDDEN = ["fraudulent", "lost_card", "merchant_blacklist", "stolen_card", "pickup_card", "restricted_card"]
_SAID = """
    authentication_required approve_with_id call_issuer card_not_supported card_velocity_exceeded currency_not_supported
    do_not_honor do_not_try_again duplicate_transaction expired_card generic_decline incorrect_address incorrect_cvc
    incorrect_number incorrect_pin incorrect_zip insufficient_funds invalid_account invalid_amount invalid_cvc
    invalid_expiry_month invalid_expiry_year invalid_number invalid_pin issuer_not_available
    new_account_information_available no_action_taken not_permitted offline_pin_required online_or_offline_pin_required
    pin_try_exceeded processing_error reenter_transaction revocation_of_all_authorizations revocation_of_authorization
    security_violation service_not_allowed stop_payment_order testmode_decline transaction_not_allowed try_again_later
    withdrawal_count_limit_exceeded
"""
SAID = _SAID.split()


class Declining:
    """A gateway that declines each order with the same words."""

    provider = "sandbox"

    def __init__(self, decline: Decline) -> None:
        self._decline = decline

    def open(self, order_id: str, amount: Money, payment_method: str) -> Opened:
        return Opened("pi_1")

    def authorize(self, reference: str) -> Authorized | Decline | Voided:
        return self._decline

    def capture(self, reference: str) -> Captured | Voided:
        raise NotImplementedError

    def void(self, reference: str) -> Voided | Captured:
        raise NotImplementedError


def declined(code: str) -> tuple[World, dict[str, str]]:
    world = World(MemoryDynamo())
    world.payments = Payments(world.store, Declining(Decline("visa", code, f"The words for {code}.")))
    return world, world.ask(authorize())


@pytest.mark.parametrize("code", HIDDEN)
def test_whoever_holds_a_stolen_card_hears_what_anybody_hears(code: str) -> None:
    world, answer = declined(code)
    assert answer == {"status": "DECLINED", "network": "visa", "code": GENERIC[0], "message": GENERIC[1]}
    [(name, event)] = world.events().items()
    assert name == "PaymentDeclined"
    assert event["data"]["reason"] == {"network": "visa", "code": GENERIC[0], "message": GENERIC[1]}
    for kept in (event, world.payment()):
        assert code not in str(kept)
    # Whoever asks again learns no more.
    assert world.ask(authorize()) == answer == world.ask(release())


@pytest.mark.parametrize("code", [*HIDDEN, *SAID])
def test_the_operators_count_the_true_reason(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    declined(code)
    [counted] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"PaymentDeclined"' in line]
    assert (counted["PaymentDeclined"], counted["network"], counted["code"]) == ([1], "visa", code)


@pytest.mark.parametrize("code", SAID)
def test_every_other_reason_is_the_customers_to_know(code: str) -> None:
    world, answer = declined(code)
    said = {"network": "visa", "code": code, "message": f"The words for {code}."}
    assert answer == {"status": "DECLINED"} | said
    assert world.events()["PaymentDeclined"]["data"]["reason"] == said


def test_no_code_is_hidden_that_is_not_among_these() -> None:
    assert sorted(UNDISCLOSED_CODES) == sorted(HIDDEN)
    assert not set(HIDDEN) & set(SAID)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ({"decline_code": "lost_card", "code": "card_declined", "message": "Declined."}, ("lost_card", "Declined.")),
        ({"decline_code": None, "code": "expired_card", "message": "Expired."}, ("expired_card", "Expired.")),
        ({"code": None, "message": None}, GENERIC),
        (None, GENERIC),
    ],
)
def test_stripes_decline_code_counts_before_its_error_code(error: dict[str, str] | None, why: tuple[str, str]) -> None:
    found = type("Error", (), error)() if error is not None else None
    assert _why(found) == why


# The sandbox's, by the suffix of the payment method's name: as docs/payments.md has them, with Stripe's sentences.
SANDBOX = {
    "chargeDeclined": GENERIC,
    "chargeCustomerFail": GENERIC,
    "chargeDeclinedInsufficientFunds": ("insufficient_funds", "Your card has insufficient funds."),
    "chargeDeclinedLostCard": ("lost_card", "Your card was declined."),
    "chargeDeclinedStolenCard": ("stolen_card", "Your card was declined."),
    "chargeDeclinedFraudulent": ("fraudulent", "Your card was declined."),
    "chargeDeclinedExpiredCard": ("expired_card", "Your card has expired."),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "chargeDeclinedProcessingError": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "chargeDeclinedVelocityLimitExceeded": (
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "authenticationRequired": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}
REFUSED = {
    "amount_too_large": "The amount is more than can be paid by card at once.",
    "amount_too_small": "The amount is less than can be paid by card.",
    "payment_intent_incompatible_payment_method": "This kind of payment method is not taken.",
    "payment_method_currency_mismatch": "This payment method cannot pay in the order's currency.",
    "payment_method_invalid_parameter": "This payment method is not complete.",
    "payment_method_restricted": "This payment method cannot be used here.",
    "payment_method_unexpected_state": "This payment method was used before, and cannot be used again.",
    "payment_method_unsupported_type": "This kind of payment method is not taken.",
    "resource_missing": "There is no such payment method.",
}


@pytest.mark.parametrize("suffix", SANDBOX)
def test_the_sandbox_declines_in_stripes_words(suffix: str) -> None:
    world = World(MemoryDynamo())
    code, message = GENERIC if SANDBOX[suffix][0] in HIDDEN else SANDBOX[suffix]
    answer = {"status": "DECLINED", "network": "amex", "code": code, "message": message}
    assert world.ask(authorize(f"pm_card_amex_{suffix}")) == answer
    assert world.balance().held == 0
    assert DECLINES[suffix] == SANDBOX[suffix]


def test_these_are_all_reasons_of_the_sandbox_and_all_refusals_of_a_gateway() -> None:
    assert dict(DECLINES) == SANDBOX
    assert dict(REFUSALS) == REFUSED


def test_the_page_lists_each_declining_method_with_its_code() -> None:
    """Rows may hold several methods, the later ones by their ends; a hidden code stands behind what is said of it."""
    table = (ROOT / "docs" / "payments.md").read_text("utf-8").split("## The sandbox")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| `(\w+)`(?:; counted as (.+))? \|$", table, re.MULTILINE)
    told = dict[str, str]()
    for methods, said, counted in rows:
        ends = re.findall(r"`(?:pm_card_(?:visa_)?|…)(\w+)`", methods)
        names = [end if end.startswith(("charge", "auth")) else f"chargeDeclined{end}" for end in ends]
        codes = re.findall(r"`(\w+)`", counted) or [said] * len(names)
        assert (said == GENERIC[0]) or not counted
        told |= dict(zip(names, codes, strict=True))
    assert told == {suffix: code for suffix, (code, _) in SANDBOX.items()}


def test_the_page_lists_what_is_hidden() -> None:
    page = " ".join((ROOT / "docs" / "payments.md").read_text("utf-8").split())
    listed = page.split("Told as a generic decline: ")[1].split(".")[0]
    assert re.findall(r"`(\w+)`", listed) == HIDDEN
