"""The payments table: one version at a time, and each change together with its event."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from payments.gateway import GatewayUnavailable
from payments.model import Decline, Payment, Status
from payments.store import Overtaken, PaymentStore
from tiffin.money import Money
from worlds.payments import CUSTOMER, ORDER, TRACE, World

PRICE = Money(amount=2350, currency="EUR")


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def requested() -> Payment:
    return Payment.requested(ORDER, CUSTOMER, PRICE, "pm_card_visa")


class TestVersions:
    @pytest.mark.parametrize(
        "payment",
        [
            requested(),
            requested().opened("pi_1", "stripe").authorized("visa").capturing().captured(),
            requested().declined(Decline("amex", "expired_card", "Your card has expired.")),
            Payment.tombstone(ORDER, "order_unwound"),
        ],
        ids=lambda payment: payment.status.value,
    )
    def test_a_payment_is_read_as_it_was_written(self, world: World, payment: Payment) -> None:
        written = world.store.save(payment, TRACE)
        assert written.version == payment.version + 1
        assert world.store.load(ORDER) == written

    def test_a_payment_begins_once(self, world: World) -> None:
        world.store.save(requested(), TRACE)
        with pytest.raises(Overtaken):
            world.store.save(Payment.tombstone(ORDER, "order_unwound"), TRACE)
        assert world.payment().status is Status.AUTHORIZING

    def test_a_version_is_followed_by_one_other_only(self, world: World) -> None:
        begun = world.store.save(requested(), TRACE)
        world.store.save(begun.released("order_unwound"), TRACE)
        with pytest.raises(Overtaken):
            world.store.save(begun.opened("pi_1", "sandbox").authorized("visa"), TRACE)
        assert world.payment().status is Status.RELEASED
        assert set(world.events()) == {"PaymentReleased"}

    def test_an_order_without_a_payment_is_read_as_such(self, world: World) -> None:
        assert world.store.load(ORDER) is None


class TestTransactions:
    @pytest.fixture
    def canceled(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Let DynamoDB cancel each transaction, for a reason that no emulator gives."""

        def cancel(code: str) -> None:
            said: Any = {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": [{"Code": code}, {"Code": "None"}],
            }
            error = world.client.exceptions.TransactionCanceledException(said, "TransactWriteItems")
            monkeypatch.setattr(world.client, "transact_write_items", Mock(side_effect=error))

        return cancel

    def test_a_transaction_under_way_counts_as_overtaking(self, world: World, canceled: Callable[[str], None]) -> None:
        canceled("TransactionConflict")
        with pytest.raises(Overtaken):
            PaymentStore(world.client, world.table).save(requested(), TRACE)

    def test_any_other_reason_is_raised_as_it_is(self, world: World, canceled: Callable[[str], None]) -> None:
        canceled("ProvisionedThroughputExceeded")
        with pytest.raises(ClientError):
            PaymentStore(world.client, world.table).save(requested(), TRACE)

    def test_the_sandbox_asks_for_patience_where_another_call_holds_the_payment(
        self, world: World, canceled: Callable[[str], None]
    ) -> None:
        canceled("TransactionConflict")
        with pytest.raises(GatewayUnavailable):
            world.sandbox.open(ORDER, PRICE, "pm_card_visa")
