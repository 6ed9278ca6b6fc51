"""Authorize, capture and release: in order, out of order, twice, at once, and with every answer lost on the way."""

from collections.abc import Iterator

import pytest
from moto import mock_aws
from payments.gateway import GatewayTimeout, GatewayUnavailable
from payments.model import CaptureRefused, InvalidPaymentRequest, PaymentContended, PaymentMismatch, Status
from payments.sandbox import Balance
from payments.store import Overtaken
from worlds.payments import AMOUNT, CUSTOMER, ORDER, OTHER_ORDER, TRACE, World, authorize, capture, release

HELD = Balance(held=AMOUNT, captured=0, voided=0)
TAKEN = Balance(held=AMOUNT, captured=AMOUNT, voided=0)
GIVEN_BACK = Balance(held=AMOUNT, captured=0, voided=AMOUNT)
UNTOUCHED = Balance(held=0, captured=0, voided=0)


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


class TestTheUsualWay:
    def test_money_is_held_when_authorized(self, world: World) -> None:
        assert world.ask(authorize()) == {"status": "AUTHORIZED", "network": "visa"}
        assert world.balance() == HELD
        assert world.payment().status is Status.AUTHORIZED

    def test_money_is_taken_when_captured(self, world: World) -> None:
        world.ask(authorize())
        assert world.ask(capture()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN

    def test_money_is_given_back_when_released(self, world: World) -> None:
        world.ask(authorize())
        assert world.ask(release()) == {"status": "RELEASED"}
        assert world.balance() == GIVEN_BACK

    def test_a_declined_card_says_why_and_the_money_stays_untouched(self, world: World) -> None:
        answer = world.ask(authorize("pm_card_mastercard_chargeDeclinedInsufficientFunds"))
        assert answer == {
            "status": "DECLINED",
            "network": "mastercard",
            "code": "insufficient_funds",
            "message": "Your card has insufficient funds.",
        }
        assert world.balance() == UNTOUCHED

    def test_each_change_is_announced_with_the_trace_of_its_request(self, world: World) -> None:
        world.ask(authorize())
        world.ask(capture())
        events = world.events()
        assert set(events) == {"PaymentAuthorized", "PaymentCaptured"}
        core = {"customer_id": CUSTOMER, "amount": {"amount": AMOUNT, "currency": "EUR"}}
        assert events["PaymentAuthorized"]["data"] == {**core, "network": "visa"}
        assert events["PaymentCaptured"]["data"] == core
        assert events["PaymentCaptured"]["metadata"]["event_id"] == f"{ORDER}:PaymentCaptured"
        assert events["PaymentCaptured"]["metadata"]["trace_header"] == TRACE

    def test_a_free_order_leaves_the_gateway_alone(self, world: World) -> None:
        assert world.ask(authorize(amount=0)) == {"status": "AUTHORIZED", "network": "none"}
        assert world.ask(capture()) == {"status": "CAPTURED"}
        assert world.ask(release()) == {"status": "CAPTURED"}
        assert world.gateway.calls == []

    def test_the_payments_table_is_free_of_the_card(self, world: World) -> None:
        world.ask(authorize())
        assert "pm_card_visa" not in str(world.client.scan(TableName=world.table)["Items"])


class TestRepeats:
    @pytest.mark.parametrize("method", ["pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_nobody"])
    def test_a_repeated_authorization_has_the_first_answer_and_one_hold(self, world: World, method: str) -> None:
        first = world.ask(authorize(method))
        calls = len(world.gateway.calls)
        assert world.ask(authorize(method)) == first
        assert len(world.gateway.calls) == calls
        assert world.balance() in (HELD, UNTOUCHED)

    def test_a_repeated_capture_takes_the_money_once(self, world: World) -> None:
        world.ask(authorize())
        assert world.ask(capture()) == world.ask(capture()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN

    def test_a_repeated_release_gives_back_once(self, world: World) -> None:
        world.ask(authorize())
        assert world.ask(release()) == world.ask(release()) == {"status": "RELEASED"}
        assert world.balance() == GIVEN_BACK

    def test_an_authorization_repeated_after_the_capture_is_still_authorized(self, world: World) -> None:
        world.ask(authorize())
        world.ask(capture())
        assert world.ask(authorize()) == {"status": "AUTHORIZED", "network": "visa"}
        assert world.balance() == TAKEN

    @pytest.mark.parametrize("other", [authorize(amount=AMOUNT + 1), authorize("pm_card_amex")])
    def test_another_payment_for_the_same_order_is_refused(self, world: World, other: dict[str, str]) -> None:
        world.ask(authorize())
        with pytest.raises(PaymentMismatch):
            world.ask(other)
        assert world.balance() == HELD

    def test_a_payment_belongs_to_one_order_alone(self, world: World) -> None:
        world.ask(authorize())
        with pytest.raises(CaptureRefused):
            world.ask(capture(OTHER_ORDER))
        assert world.balance() == HELD


class TestOutOfOrder:
    def test_a_release_before_the_authorization_leaves_a_tombstone(self, world: World) -> None:
        assert world.ask(release()) == {"status": "RELEASED"}
        assert world.ask(authorize()) == {"status": "RELEASED"}
        assert world.balance() == UNTOUCHED
        assert world.events() == {}

    def test_a_release_after_the_capture_is_too_late(self, world: World) -> None:
        world.ask(authorize())
        world.ask(capture())
        assert world.ask(release()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN
        assert "PaymentReleased" not in world.events()

    def test_a_release_after_a_decline_is_answered_with_the_decline(self, world: World) -> None:
        declined = world.ask(authorize("pm_card_visa_chargeDeclined"))
        assert world.ask(release()) == declined
        assert "PaymentReleased" not in world.events()

    def test_a_capture_after_the_release_is_refused(self, world: World) -> None:
        world.ask(authorize())
        world.ask(release())
        with pytest.raises(CaptureRefused):
            world.ask(capture())
        assert world.balance() == GIVEN_BACK

    @pytest.mark.parametrize("before", [None, authorize("pm_card_visa_chargeDeclined"), release()])
    def test_a_capture_without_a_hold_is_refused(self, world: World, before: dict[str, str] | None) -> None:
        if before:
            world.ask(before)
        with pytest.raises(CaptureRefused):
            world.ask(capture())
        assert world.balance() == UNTOUCHED


class TestAtOnce:
    @pytest.mark.parametrize("moment", ["open", "authorize"])
    @pytest.mark.parametrize("side", ["before", "after"])
    def test_a_release_during_the_authorization_wins(self, world: World, moment: str, side: str) -> None:
        """Whenever it comes, the late authorization answers RELEASED and no hold is left."""
        getattr(world.gateway, side)[moment] = lambda: world.ask(release())
        assert world.ask(authorize()) == {"status": "RELEASED"}
        assert world.balance().open == 0
        assert world.payment().status is Status.RELEASED
        assert "PaymentAuthorized" not in world.events()

    def test_a_late_opening_closes_itself_at_the_gateway(self, world: World) -> None:
        world.gateway.after["open"] = lambda: world.ask(release())
        world.ask(authorize())
        assert world.gateway.calls == ["open", "void"]

    @pytest.mark.parametrize("moment", ["open", "authorize"])
    @pytest.mark.parametrize("side", ["before", "after"])
    def test_two_authorizations_at_once_hold_the_money_once(self, world: World, moment: str, side: str) -> None:
        answers = []
        getattr(world.gateway, side)[moment] = lambda: answers.append(world.ask(authorize()))
        answers.append(world.ask(authorize()))
        assert answers == [{"status": "AUTHORIZED", "network": "visa"}] * 2
        assert world.balance() == HELD

    @pytest.mark.parametrize("side", ["before", "after"])
    def test_two_captures_at_once_take_the_money_once(self, world: World, side: str) -> None:
        world.ask(authorize())
        getattr(world.gateway, side)["capture"] = lambda: world.ask(capture())
        assert world.ask(capture()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN

    def test_a_release_that_gets_ahead_of_a_capture_stops_it(self, world: World) -> None:
        world.ask(authorize())
        world.gateway.before["capture"] = lambda: world.ask(release())
        with pytest.raises(CaptureRefused):
            world.ask(capture())
        assert world.balance() == GIVEN_BACK
        assert set(world.events()) == {"PaymentAuthorized", "PaymentReleased"}

    def test_a_capture_that_gets_ahead_of_a_release_stands(self, world: World) -> None:
        world.ask(authorize())
        world.gateway.before["void"] = lambda: world.ask(capture())
        assert world.ask(release()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN
        assert set(world.events()) == {"PaymentAuthorized", "PaymentCaptured"}

    def test_endless_contention_is_reported_as_such(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def overtaken(*_: object) -> None:
            raise Overtaken

        monkeypatch.setattr(world.store, "save", overtaken)
        with pytest.raises(PaymentContended):
            world.ask(authorize())


class TestLostAnswers:
    @pytest.mark.parametrize("moment", ["open", "authorize"])
    def test_an_authorization_whose_answer_was_lost_is_found_again(self, world: World, moment: str) -> None:
        world.gateway.lose_answer(moment)
        with pytest.raises(GatewayTimeout):
            world.ask(authorize())
        assert world.ask(authorize()) == {"status": "AUTHORIZED", "network": "visa"}
        assert world.balance() == HELD

    def test_a_decline_whose_answer_was_lost_is_found_again(self, world: World) -> None:
        world.gateway.lose_answer("authorize")
        with pytest.raises(GatewayTimeout):
            world.ask(authorize("pm_card_chargeDeclinedExpiredCard"))
        assert world.ask(authorize("pm_card_chargeDeclinedExpiredCard"))["code"] == "expired_card"

    def test_a_capture_whose_answer_was_lost_is_found_again(self, world: World) -> None:
        world.ask(authorize())
        world.gateway.lose_answer("capture")
        with pytest.raises(GatewayTimeout):
            world.ask(capture())
        assert world.ask(capture()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN

    def test_a_release_finds_the_capture_whose_answer_was_lost(self, world: World) -> None:
        world.ask(authorize())
        world.gateway.lose_answer("capture")
        with pytest.raises(GatewayTimeout):
            world.ask(capture())
        assert world.ask(release()) == {"status": "CAPTURED"}
        assert world.balance() == TAKEN
        assert "PaymentCaptured" in world.events()

    def test_a_release_whose_answer_was_lost_is_found_again(self, world: World) -> None:
        world.ask(authorize())
        world.gateway.lose_answer("void")
        with pytest.raises(GatewayTimeout):
            world.ask(release())
        with pytest.raises(CaptureRefused):
            world.ask(capture())
        assert world.ask(release()) == {"status": "RELEASED"}
        assert world.balance() == GIVEN_BACK

    def test_a_release_undoes_an_authorization_whose_answer_was_lost_for_good(self, world: World) -> None:
        """Nobody will ever ask again: the workflow was stopped while the authorization was under way."""
        world.gateway.lose_answer("authorize")
        with pytest.raises(GatewayTimeout):
            world.ask(authorize())
        assert world.ask(release()) == {"status": "RELEASED"}
        assert world.balance() == GIVEN_BACK

    @pytest.mark.parametrize("died_at", [1, 2, 3, 4, 5])
    def test_a_repeat_completes_an_operation_that_died_before_any_of_its_writes(
        self, world: World, monkeypatch: pytest.MonkeyPatch, died_at: int
    ) -> None:
        """The five writes of an order: begun, opened, authorized, capturing, captured."""
        save, writes = world.store.save, 0

        def dies(*args: object) -> object:
            nonlocal writes
            writes += 1
            if writes == died_at:
                raise ConnectionAbortedError
            return save(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(world.store, "save", dies)
        for request in (authorize(), capture()):
            try:
                world.ask(request)
            except ConnectionAbortedError:
                world.ask(request)
        assert writes == 6
        assert world.balance() == TAKEN
        assert set(world.events()) == {"PaymentAuthorized", "PaymentCaptured"}


class TestAtTheGateway:
    def test_a_capture_of_a_hold_that_the_gateway_gave_up_is_refused(self, world: World) -> None:
        """Holds run out after some days, and people void them by hand."""
        world.ask(authorize())
        world.sandbox.void(world.payment().held_as)
        with pytest.raises(CaptureRefused):
            world.ask(capture())
        assert world.payment().status is Status.RELEASED
        assert world.events()["PaymentReleased"]["data"]["reason"]["code"] == "voided_at_gateway"

    def test_the_decline_of_a_stolen_card_reads_like_any_other(self, world: World) -> None:
        answer = world.ask(authorize("pm_card_visa_chargeDeclinedStolenCard"))
        assert answer["code"] == "generic_decline"
        assert "stolen" not in str(world.events())

    def test_an_outage_passes(self, world: World) -> None:
        for _ in range(2):
            with pytest.raises(GatewayUnavailable):
                world.ask(authorize("pm_card_visa_gatewayUnavailableTwice"))
        assert world.ask(authorize("pm_card_visa_gatewayUnavailableTwice"))["status"] == "AUTHORIZED"
        assert world.balance() == HELD


class TestReleaseReasons:
    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            ("not_delivered_in_time", "not_delivered_in_time"),
            ("Cancelled by Ada Lovelace!", "cancelled_by_ada_lovelace"),
            ("…", "unspecified"),
        ],
    )
    def test_a_reason_is_announced_as_a_code(self, world: World, reason: str, code: str) -> None:
        world.ask(authorize())
        world.ask(release(reason=reason))
        assert world.events()["PaymentReleased"]["data"]["reason"]["code"] == code


class TestRequests:
    @pytest.mark.parametrize(
        "broken",
        [
            {"operation": "refund"},
            {"order_id": "ord_1"},
            {"amount": {"amount": 23.5, "currency": "EUR"}},
            {"amount": {"amount": -1, "currency": "EUR"}},
            {"payment_method": ""},
            {"surprise": True},
        ],
    )
    def test_a_malformed_request_is_refused_and_its_values_kept_out_of_the_error(
        self, world: World, broken: dict[str, object]
    ) -> None:
        with pytest.raises(InvalidPaymentRequest) as refused:
            world.ask({**authorize(), **broken})
        assert CUSTOMER not in str(refused.value)
        assert refused.value.__suppress_context__
        assert world.client.scan(TableName=world.table)["Count"] == 0
