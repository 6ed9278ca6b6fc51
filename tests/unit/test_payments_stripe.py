"""The Stripe gateway, through Stripe's own library, against localstripe in a process of its own."""

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn

import boto3
import httpx
import pytest
import stripe
from laptop.providers import StripeBooks
from moto import mock_aws
from payments import commands, stripe_gateway
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
from payments.model import Decline, HeldElsewhere, Payment, PaymentMismatch, refused
from payments.operations import Payments
from payments.sandbox import Balance
from payments.stripe_gateway import StripeGateway
from tiffin.money import Money
from worlds import ROOT
from worlds.payments import Boundary, World, authorize, capture, release

SECRET = "tiffin/stripe"
PRICE = Money(amount=2350, currency="EUR")
# The card number 4000000000000341: it exists, and every charge to it is declined.
DECLINED_METHOD = "pm_card_chargeCustomerFail"


@pytest.fixture(scope="module")
def api_base() -> Iterator[str]:
    program = ROOT / "scripts" / "localstripe_server.py"
    process = subprocess.Popen([sys.executable, str(program), "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def order() -> str:
    """An order of each test's own: the server remembers idempotency keys."""
    return "ord_" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz234567", k=26))


@pytest.fixture
def gateway(api_base: str) -> Iterator[StripeGateway]:
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString="sk_test_51Tiffin")
        yield StripeGateway(SECRET, api_base)


def intent(gateway: StripeGateway, reference: str) -> stripe.PaymentIntent:
    return gateway._intents().retrieve(reference)


def opened(gateway: StripeGateway, order: str, method: str = "pm_card_visa") -> str:
    answer = gateway.open(order, PRICE, method)
    assert isinstance(answer, Opened)
    return answer.reference


def invalid(message: str, param: str | None, code: str | None) -> stripe.InvalidRequestError:
    """As Stripe's library raises it; the message is Stripe's, and not for the customer."""
    return stripe.InvalidRequestError(message, param, code, http_status=400)  # type: ignore[no-untyped-call]


def answering(monkeypatch: pytest.MonkeyPatch, gateway: StripeGateway, error: Exception) -> None:
    """Let Stripe answer a PaymentIntent's creation with this error."""

    def create(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(gateway, "_intents", lambda: SimpleNamespace(create=create))


def fail_next(api_base: str) -> None:
    httpx.post(f"{api_base}/_config/fail_next", auth=("sk_test_51Tiffin", "")).raise_for_status()


class TestTheUsualWay:
    def test_opening_makes_an_intent_that_awaits_confirmation(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        found = intent(gateway, reference)
        assert (found.status, found.amount, found.currency) == ("requires_confirmation", 2350, "eur")
        assert found.metadata["order_id"] == order

    def test_the_money_is_held_then_taken(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        assert gateway.authorize(reference) == Authorized("visa")
        assert intent(gateway, reference).status == "requires_capture"
        assert gateway.capture(reference) == Captured()
        assert intent(gateway, reference).status == "succeeded"

    def test_the_money_is_held_then_given_back(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        gateway.authorize(reference)
        assert gateway.void(reference) == Voided()
        assert intent(gateway, reference).status == "canceled"

    def test_a_declined_card_says_why_each_time_it_is_asked(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order, DECLINED_METHOD)
        decline = Decline("visa", "card_declined", "Your card was declined.")
        assert gateway.authorize(reference) == decline
        assert gateway.authorize(reference) == decline

    def test_a_card_that_wants_its_holder_is_declined(self, gateway: StripeGateway, order: str, api_base: str) -> None:
        card: Any = {"number": "4000002500003155", "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        method = stripe_client(api_base).v1.payment_methods.create({"type": "card", "card": card})
        decline = gateway.authorize(opened(gateway, order, method.id))
        assert isinstance(decline, Decline)
        assert decline.code == "authentication_required"

    def test_an_unknown_method_is_declined(self, gateway: StripeGateway, order: str) -> None:
        decline = gateway.open(order, PRICE, "pm_nobody")
        assert decline == Decline("unknown", "resource_missing", "There is no such payment method.")


class TestRepeats:
    def test_an_order_is_opened_once(self, gateway: StripeGateway, order: str) -> None:
        assert opened(gateway, order) == opened(gateway, order)

    def test_an_order_opened_with_another_amount_is_a_mismatch(self, gateway: StripeGateway, order: str) -> None:
        opened(gateway, order)
        with pytest.raises(PaymentMismatch):
            gateway.open(order, Money(amount=1, currency="EUR"), "pm_card_visa")

    def test_each_later_call_finds_what_the_first_one_did(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        assert gateway.authorize(reference) == gateway.authorize(reference) == Authorized("visa")
        assert gateway.capture(reference) == gateway.capture(reference) == Captured()
        assert gateway.authorize(reference) == Authorized("visa")

    def test_a_hold_that_was_voided_is_reported_as_voided(self, gateway: StripeGateway, order: str) -> None:
        """With an idempotency key on the confirmation, Stripe would repeat its old answer here."""
        reference = opened(gateway, order)
        gateway.authorize(reference)
        gateway.void(reference)
        assert gateway.authorize(reference) == gateway.void(reference) == gateway.capture(reference) == Voided()

    def test_captured_money_stays_captured(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        gateway.authorize(reference)
        gateway.capture(reference)
        assert gateway.void(reference) == Captured()
        assert intent(gateway, reference).status == "succeeded"

    def test_a_void_before_the_confirmation_stands(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        gateway.void(reference)
        assert gateway.authorize(reference) == Voided()


class TestTrouble:
    def test_a_500_after_the_money_was_held(self, gateway: StripeGateway, order: str, api_base: str) -> None:
        reference = opened(gateway, order)
        fail_next(api_base)
        with pytest.raises(GatewayUnavailable):
            gateway.authorize(reference)
        assert gateway.authorize(reference) == Authorized("visa")

    def test_a_500_after_the_money_was_taken(self, gateway: StripeGateway, order: str, api_base: str) -> None:
        reference = opened(gateway, order)
        gateway.authorize(reference)
        fail_next(api_base)
        with pytest.raises(GatewayUnavailable):
            gateway.capture(reference)
        assert gateway.void(reference) == Captured()

    def test_an_order_gets_past_a_500_kept_under_its_key(
        self, gateway: StripeGateway, order: str, api_base: str
    ) -> None:
        """Stripe repeats it for a day."""
        fail_next(api_base)
        with pytest.raises(GatewayUnavailable):
            gateway.open(order, PRICE, "pm_card_visa")
        assert gateway.authorize(opened(gateway, order)) == Authorized("visa")

    def test_a_closed_port_is_reported_as_an_unavailable_gateway(self, gateway: StripeGateway) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(GatewayUnavailable):
            StripeGateway(SECRET, f"http://127.0.0.1:{port}").void("pi_1")

    def test_a_silent_gateway_is_reported_as_a_timeout(
        self, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stripe_gateway, "TIMEOUT_SECONDS", (1.0, 0.1))
        with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(GatewayTimeout):
            StripeGateway(SECRET, f"http://127.0.0.1:{deaf.getsockname()[1]}").capture("pi_1")

    def test_an_unknown_key_is_refused_and_kept_out_of_the_error(self, api_base: str, order: str) -> None:
        with mock_aws():
            boto3.client("secretsmanager").create_secret(Name="wrong", SecretString="pk_not_a_secret_key")
            with pytest.raises(GatewayRefused) as refused:
                StripeGateway("wrong", api_base).open(order, PRICE, "pm_card_visa")
        assert "pk_not" not in str(refused.value)

    def test_a_refusal_by_stripe_is_passed_on(self, gateway: StripeGateway, order: str) -> None:
        reference = opened(gateway, order)
        with pytest.raises(GatewayRefused):
            gateway.capture(reference)

    def test_the_library_leaves_retries_to_the_workflow(self, api_base: str) -> None:
        """One retry policy: the workflow's."""
        assert stripe_client(api_base)._requestor._options.max_network_retries == 0


def stripe_client(api_base: str) -> stripe.StripeClient:
    return stripe_gateway._client("sk_test_51Tiffin", api_base)


class TestAnotherProvider:
    """The stack is switched to another provider while a payment is open: only who holds the money is asked about it."""

    @pytest.fixture
    def world(self, gateway: StripeGateway) -> World:
        return World()

    @pytest.fixture(params=["sandbox to stripe", "stripe to sandbox"])
    def services(
        self, request: pytest.FixtureRequest, world: World, gateway: StripeGateway
    ) -> tuple[Payments, Payments]:
        """The service before the switch, and after it."""
        gateways: list[PaymentGateway] = [world.sandbox, gateway]
        if request.param == "stripe to sandbox":
            gateways.reverse()
        before, after = (Payments(world.store, Boundary(each)) for each in gateways)
        return before, after

    @pytest.mark.parametrize("asked", [capture, release], ids=["capture", "release"])
    def test_a_held_payment_goes_on_only_where_it_is_held(
        self, world: World, services: tuple[Payments, Payments], order: str, asked: Any
    ) -> None:
        before, after = services
        before.perform(commands.parse(authorize(order=order)))
        held, told = world.payment(order), world.events(order)

        with pytest.raises(HeldElsewhere, match=f"held by {held.provider}"):
            after.perform(commands.parse(asked(order)))

        assert (world.payment(order), world.events(order)) == (held, told)
        assert after._card_gateway.calls == []  # type: ignore[attr-defined]
        assert after.perform(commands.parse(authorize(order=order)))["status"] == "AUTHORIZED"
        ended = before.perform(commands.parse(asked(order)))["status"]
        assert ended == {capture: "CAPTURED", release: "RELEASED"}[asked]
        # What is over needs no gateway.
        assert after.perform(commands.parse(release(order)))["status"] == ended

    def test_an_authorization_under_way_goes_on_only_where_it_began(
        self, world: World, services: tuple[Payments, Payments], order: str
    ) -> None:
        before, after = services
        before._card_gateway.lose_answer("authorize")  # type: ignore[attr-defined]
        with pytest.raises(GatewayTimeout):
            before.perform(commands.parse(authorize(order=order)))
        with pytest.raises(HeldElsewhere):
            after.perform(commands.parse(authorize(order=order)))
        assert before.perform(commands.parse(authorize(order=order)))["status"] == "AUTHORIZED"

    def test_a_payment_that_is_still_unopened_is_opened_at_the_new_provider(
        self, world: World, services: tuple[Payments, Payments], order: str
    ) -> None:
        _, after = services
        command = commands.parse(authorize(order=order))
        assert isinstance(command, commands.Authorize)
        request = (command.order_id, command.customer_id, command.amount, command.payment_method)
        world.store.save(Payment.requested(*request), command.trace_header)
        assert after.perform(command)["status"] == "AUTHORIZED"
        assert world.payment(order).provider == after._card_gateway.provider

    def test_a_row_without_a_provider_belongs_to_the_configured_one(
        self, world: World, services: tuple[Payments, Payments], order: str
    ) -> None:
        before, _ = services
        before.perform(commands.parse(authorize(order=order)))
        world.store.save(replace(world.payment(order), provider=None), authorize()["trace_header"])
        assert before.perform(commands.parse(capture(order)))["status"] == "CAPTURED"


def a_card(api_base: str) -> str:
    """A payment method of the test's own, which belongs to no customer."""
    card: Any = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2030", "cvc": "123"}
    return stripe_client(api_base).v1.payment_methods.create({"type": "card", "card": card}).id


def another(order: str) -> str:
    return order[:-1] + ("a" if order[-1] != "a" else "b")


class TestTheCustomersDoing:
    """What Stripe refuses over something that the customer sent or chose is a decline, at once and with its reason."""

    @pytest.mark.parametrize(
        ("amount", "currency", "code"),
        [
            (30, "EUR", "amount_too_small"),
            (49, "JPY", "amount_too_small"),
            (17499, "HUF", "amount_too_small"),
            (100_000_000, "EUR", "amount_too_large"),
            (1_000_000, "ISK", "amount_too_large"),
        ],
    )
    def test_an_amount_that_no_card_is_charged(
        self, gateway: StripeGateway, order: str, amount: int, currency: str, code: str
    ) -> None:
        money = Money(amount=amount, currency=currency)
        decline = gateway.open(order, money, "pm_card_visa")
        assert decline == gateway.open(order, money, "pm_card_visa") == refused(code)

    def test_a_method_that_was_used_before(self, gateway: StripeGateway, order: str, api_base: str) -> None:
        method = a_card(api_base)
        assert gateway.authorize(opened(gateway, order, method)) == Authorized("visa")
        decline = refused("payment_method_unexpected_state")
        assert gateway.open(another(order), PRICE, method) == decline

    def test_a_method_that_another_order_used_since_it_was_opened(
        self, gateway: StripeGateway, order: str, api_base: str
    ) -> None:
        method = a_card(api_base)
        first, second = opened(gateway, order, method), opened(gateway, another(order), method)
        assert gateway.authorize(first) == Authorized("visa")
        decline = refused("payment_method_unexpected_state")
        assert gateway.authorize(second) == gateway.authorize(second) == decline
        assert intent(gateway, second).status == "requires_confirmation"
        assert gateway.authorize(first) == Authorized("visa")

    # Shapes of Stripe's answer: docs.stripe.com/api/errors. In the last two it says that a method was used.
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (invalid("Amount must be at least €0.50 eur", "amount", "amount_too_small"), "amount_too_small"),
            (invalid("Amount must be no more", "amount", "amount_too_large"), "amount_too_large"),
            (invalid("No such PaymentMethod", "payment_method", "resource_missing"), "resource_missing"),
            (invalid("Wrong kind", None, "payment_intent_incompatible_payment_method"),
             "payment_intent_incompatible_payment_method"),
            (invalid("It belongs to a customer", "payment_method", None), "generic_decline"),
            (stripe.CardError("Your card has expired.", None, "expired_card", json_body={  # type: ignore[no-untyped-call]
                "error": {"code": "expired_card", "message": "Your card has expired."}}), "expired_card"),
            (invalid("… It may not be used again. …", None, None), "payment_method_unexpected_state"),
            (invalid("… and may not be used again.", None, "payment_method_unexpected_state"),
             "payment_method_unexpected_state"),
        ],
        ids=["small", "large", "none", "kind", "another's", "card", "used, in words", "used, by code"],
    )  # fmt: skip
    def test_each_way_of_saying_so(
        self, gateway: StripeGateway, order: str, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
    ) -> None:
        answering(monkeypatch, gateway, error)
        decline = gateway.open(order, PRICE, "pm_1")
        assert isinstance(decline, Decline)
        assert (decline.network, decline.code) == ("unknown", code)
        assert "PaymentMethod" not in decline.message

    @pytest.mark.parametrize(
        "error",
        [
            invalid("Invalid currency: xyz", "currency", None),
            invalid("Unknown parameter", "capture_metod", "parameter_unknown"),
            invalid("No such customer", "customer", "resource_missing"),
            stripe.AuthenticationError("Invalid API Key", http_status=401),
            stripe.PermissionError("Not with this key", http_status=403),
        ],
        ids=["currency", "parameter", "customer", "key", "permission"],
    )
    def test_what_is_our_doing_is_refused(
        self, gateway: StripeGateway, order: str, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        answering(monkeypatch, gateway, error)
        with pytest.raises(GatewayRefused):
            gateway.open(order, PRICE, "pm_1")


class TestCurrencies:
    @pytest.mark.parametrize(
        ("amount", "currency", "theirs"),
        [(1500, "JPY", 1500), (500, "ISK", 50_000), (3500, "UGX", 350_000), (5120, "KWD", 5120), (90_000, "MGA", 900)],
    )
    def test_an_amount_is_held_as_stripe_counts_it_and_booked_as_we_do(
        self, gateway: StripeGateway, order: str, api_base: str, amount: int, currency: str, theirs: int
    ) -> None:
        answer = gateway.open(order, Money(amount=amount, currency=currency), "pm_card_visa")
        assert isinstance(answer, Opened)
        gateway.authorize(answer.reference)
        gateway.capture(answer.reference)
        assert intent(gateway, answer.reference).amount == theirs
        books = StripeBooks(api_base, "sk_test_51Tiffin")
        assert books.balance(order) == Balance(held=amount, captured=amount, voided=0)

    @pytest.mark.parametrize(("amount", "currency"), [(5124, "KWD"), (1050, "MGA")])
    def test_an_amount_that_stripe_has_no_number_for_is_not_rounded(
        self, gateway: StripeGateway, order: str, amount: int, currency: str
    ) -> None:
        with pytest.raises(GatewayRefused, match=currency):
            gateway.open(order, Money(amount=amount, currency=currency), "pm_card_visa")
