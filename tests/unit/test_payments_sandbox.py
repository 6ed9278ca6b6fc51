"""The sandbox gateway: what its payment methods do, what its keys promise, and what its ledger says."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from payments.gateway import (
    Authorized,
    Captured,
    GatewayRefused,
    GatewayTimeout,
    GatewayUnavailable,
    Opened,
    PaymentGateway,
    Voided,
)
from payments.model import REFUSALS, Decline, PaymentMismatch
from payments.sandbox import DECLINES, NETWORKS, Balance, SandboxGateway
from tiffin.money import Money
from worlds.payments import AMOUNT, ORDER, OTHER_ORDER, World, authorize

PRICE = Money(amount=AMOUNT, currency="EUR")


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def opened(sandbox: SandboxGateway, method: str, order: str = ORDER) -> str:
    answer = sandbox.open(order, PRICE, method)
    assert isinstance(answer, Opened)
    return answer.reference


def paid_with(sandbox: PaymentGateway, method: str) -> Authorized | Decline | Voided:
    answer = sandbox.open(ORDER, PRICE, method)
    return sandbox.authorize(answer.reference) if isinstance(answer, Opened) else answer


class TestPaymentMethods:
    @pytest.mark.parametrize("network", NETWORKS)
    def test_each_network_approves(self, world: World, network: str) -> None:
        assert paid_with(world.sandbox, f"pm_card_{network}") == Authorized(network)

    @pytest.mark.parametrize("method", ["pm_card_visa_debit", "pm_card_mastercard_debit", "pm_card_mastercard_prepaid"])
    def test_kinds_of_card_approve(self, world: World, method: str) -> None:
        assert isinstance(paid_with(world.sandbox, method), Authorized)

    @pytest.mark.parametrize(
        ("method", "network", "code"),
        [
            # Stripe's own names, some with a network and some without.
            ("pm_card_visa_chargeDeclined", "visa", "generic_decline"),
            ("pm_card_visa_chargeDeclinedInsufficientFunds", "visa", "insufficient_funds"),
            ("pm_card_visa_chargeDeclinedLostCard", "visa", "lost_card"),
            ("pm_card_visa_chargeDeclinedStolenCard", "visa", "stolen_card"),
            ("pm_card_chargeDeclinedExpiredCard", "visa", "expired_card"),
            ("pm_card_chargeDeclinedIncorrectCvc", "visa", "incorrect_cvc"),
            ("pm_card_chargeDeclinedProcessingError", "visa", "processing_error"),
            ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "visa", "card_velocity_exceeded"),
            ("pm_card_chargeCustomerFail", "visa", "generic_decline"),
            ("pm_card_authenticationRequired", "visa", "authentication_required"),
            # Ours: any network.
            ("pm_card_mastercard_chargeDeclinedInsufficientFunds", "mastercard", "insufficient_funds"),
            ("pm_card_amex_chargeDeclinedExpiredCard", "amex", "expired_card"),
        ],
    )
    def test_each_decline_says_why(self, world: World, method: str, network: str, code: str) -> None:
        decline = paid_with(world.sandbox, method)
        assert isinstance(decline, Decline)
        assert (decline.network, decline.code) == (network, code)
        assert world.balance().held == 0

    @pytest.mark.parametrize(
        "method", ["pm_card", "pm_card_", "pm_card_visa_", "pm_card_dinars", "tok_visa", "4242", "pm_card_visa_x"]
    )
    def test_an_unknown_method_is_declined(self, world: World, method: str) -> None:
        decline = paid_with(world.sandbox, method)
        assert isinstance(decline, Decline)
        assert decline.code == "resource_missing"

    def test_a_gateway_that_is_unavailable_twice_answers_the_third_call(self, world: World) -> None:
        reference = opened(world.sandbox, "pm_card_visa_gatewayUnavailableTwice")
        for _ in range(2):
            with pytest.raises(GatewayUnavailable):
                world.sandbox.authorize(reference)
        assert world.sandbox.authorize(reference) == Authorized("visa")

    def test_a_slow_gateway_answers_after_two_seconds(self, world: World) -> None:
        assert paid_with(world.sandbox, "pm_card_mastercard_gatewaySlow") == Authorized("mastercard")
        assert world.naps == [2.0]

    def test_a_gateway_that_loses_its_answer_once_holds_the_money_once(self, world: World) -> None:
        reference = opened(world.sandbox, "pm_card_visa_gatewayLosesAnswer")
        with pytest.raises(GatewayTimeout):
            world.sandbox.authorize(reference)
        assert world.balance().held == AMOUNT
        assert world.sandbox.authorize(reference) == Authorized("visa")
        assert world.balance().held == AMOUNT

    def test_every_decline_has_a_sentence(self) -> None:
        assert all(message.endswith(".") for _, message in DECLINES.values())


class TestIdempotencyKeys:
    def test_same_key_same_parameters_same_answer(self, world: World) -> None:
        assert opened(world.sandbox, "pm_card_visa") == opened(world.sandbox, "pm_card_visa")

    @pytest.mark.parametrize(
        ("amount", "method"), [(PRICE, "pm_card_amex"), (Money(amount=100, currency="EUR"), "pm_card_visa")]
    )
    def test_same_key_other_parameters_is_an_error(self, world: World, amount: Money, method: str) -> None:
        opened(world.sandbox, "pm_card_visa")
        with pytest.raises(PaymentMismatch):
            world.sandbox.open(ORDER, amount, method)

    def test_another_order_is_another_payment(self, world: World) -> None:
        assert opened(world.sandbox, "pm_card_visa") != opened(world.sandbox, "pm_card_visa", OTHER_ORDER)


class TestTheLedger:
    def test_opening_leaves_the_money_untouched(self, world: World) -> None:
        opened(world.sandbox, "pm_card_visa")
        assert world.balance() == Balance(0, 0, 0)

    def test_each_movement_is_booked_once(self, world: World) -> None:
        reference = opened(world.sandbox, "pm_card_visa")
        for _ in range(2):
            world.sandbox.authorize(reference)
        assert world.balance().open == AMOUNT
        for _ in range(2):
            assert world.sandbox.capture(reference) == Captured()
        assert world.balance() == Balance(held=AMOUNT, captured=AMOUNT, voided=0)
        assert world.sandbox.void(reference) == Captured()
        assert world.balance().open == 0

    def test_a_void_gives_back_what_is_held(self, world: World) -> None:
        reference = opened(world.sandbox, "pm_card_visa")
        world.sandbox.authorize(reference)
        for _ in range(2):
            assert world.sandbox.void(reference) == Voided()
        assert world.balance() == Balance(held=AMOUNT, captured=0, voided=AMOUNT)
        assert world.sandbox.capture(reference) == Voided()
        assert world.sandbox.authorize(reference) == Voided()

    def test_a_void_before_the_hold_leaves_the_money_untouched(self, world: World) -> None:
        reference = opened(world.sandbox, "pm_card_visa")
        assert world.sandbox.void(reference) == Voided()
        assert world.sandbox.authorize(reference) == Voided()
        assert world.balance() == Balance(0, 0, 0)

    def test_a_capture_before_the_hold_is_refused(self, world: World) -> None:
        with pytest.raises(GatewayRefused):
            world.sandbox.capture(opened(world.sandbox, "pm_card_visa"))

    def test_an_unknown_payment_is_refused(self, world: World) -> None:
        with pytest.raises(GatewayRefused):
            world.sandbox.authorize("pi_sandbox_nothing")


def asked(amount: int, currency: str, method: str = "pm_card_visa") -> dict[str, Any]:
    return authorize(method) | {"amount": {"amount": amount, "currency": currency}}


class TestWhatStripeWouldNotOpen:
    @pytest.mark.parametrize(
        ("request_", "code"),
        [
            (asked(49, "EUR"), "amount_too_small"),
            (asked(49, "JPY"), "amount_too_small"),
            (asked(17499, "HUF"), "amount_too_small"),
            (asked(100_000_000, "EUR"), "amount_too_large"),
            (asked(1_000_000, "ISK"), "amount_too_large"),
            (asked(2350, "EUR", "pm_card_visa_usedBefore"), "payment_method_unexpected_state"),
            (asked(2350, "EUR", "pm_card_usedBefore"), "payment_method_unexpected_state"),
            (asked(2350, "EUR", "pm_nobody"), "resource_missing"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_the_customer_s_doing_is_a_decline_at_once(self, world: World, request_: dict[str, Any], code: str) -> None:
        declined = {"status": "DECLINED", "network": "unknown", "code": code, "message": REFUSALS[code]}
        assert world.ask(request_) == world.ask(request_) == declined
        assert world.gateway.calls == ["open"]
        assert world.balance() == Balance(0, 0, 0)
        told = world.events()["PaymentDeclined"]["data"]
        assert told["reason"] == {"network": "unknown", "code": code, "message": REFUSALS[code]}

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [(50, "EUR"), (50, "JPY"), (99_999_999, "EUR"), (999_999, "ISK"), (10, "KWD"), (1, "XOF")],
    )
    def test_the_ends_of_the_range_are_held_in_full(self, world: World, amount: int, currency: str) -> None:
        assert world.ask(asked(amount, currency))["status"] == "AUTHORIZED"
        assert world.balance().open == amount

    @pytest.mark.parametrize(("amount", "currency"), [(2350, "IRR"), (5124, "KWD")])
    def test_what_our_own_menus_may_not_ask_for_is_a_defect(self, world: World, amount: int, currency: str) -> None:
        with pytest.raises(GatewayRefused, match=currency):
            world.ask(asked(amount, currency))

    def test_nothing_is_held_without_a_gateway(self, world: World) -> None:
        assert world.ask(asked(0, "EUR")) == {"status": "AUTHORIZED", "network": "none"}
        assert world.gateway.calls == []
