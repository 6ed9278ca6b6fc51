"""The payments table. Nothing else knows its keys: PK `order_id`, SK `record` = `PAYMENT` or `EVENT#<name>`."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tiffin import events, outbox
from tiffin.dynamodb import CONDITION_FAILED, CONFLICT, deserialize, refusals, serialize
from tiffin.money import Money

from payments.model import Decline, Payment, Status, announcement

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef

SOURCE = "tiffin.payments"


class Overtaken(Exception):
    """Another call changed the payment since it was read: read again and decide again."""


class PaymentStore:
    """Payments, each written only over the version that it was read at.

    Args:
        client: DynamoDB client.
        table: name of the payments table.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def load(self, order_id: str) -> Payment | None:
        """Read a payment as it is now; None if there is none."""
        key = {"order_id": {"S": order_id}, "record": {"S": "PAYMENT"}}
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _payment(found["Item"]) if "Item" in found else None

    def save(self, payment: Payment, trace_header: str) -> Payment:
        """Write a payment and the event that announces its new state, both or neither.

        Args:
            payment: what to write; its `version` is the one that was read, 0 for a new payment.
            trace_header: X-Ray header of the request that moved it.

        Returns:
            The payment with its new version.

        Raises:
            Overtaken: the row is not, or no longer, the version that was read.
        """
        now = events.rfc3339()
        written = _row(payment, now)
        put: PutTypeDef = {
            "TableName": self._table,
            "Item": _typed(written),
            "ConditionExpression": "attribute_not_exists(order_id)",
        }
        if payment.version:
            put["ConditionExpression"] = "version = :read"
            put["ExpressionAttributeValues"] = {":read": serialize(payment.version)}
        writes: list[TransactWriteItemTypeDef] = [{"Put": put}]
        if told := announcement(payment):
            name, data = told
            record = outbox.item(
                {"order_id": payment.order_id, "record": f"EVENT#{name}"},
                source=SOURCE,
                name=name,
                order_id=payment.order_id,
                data=data,
                trace_header=trace_header,
                occurred_at=now,
            )
            writes.append({"Put": {"TableName": self._table, "Item": _typed(record)}})
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            # Somebody else wrote first, or is writing now.
            if {CONDITION_FAILED, CONFLICT} & set(refusals(error)):
                raise Overtaken from error
            raise
        return _payment(_typed(written))


def _row(payment: Payment, now: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "order_id": payment.order_id,
        "record": "PAYMENT",
        "status": payment.status.value,
        "version": payment.version + 1,
        "updated_at": now,
        "customer_id": payment.customer_id,
        "amount": payment.amount.model_dump() if payment.amount else None,
        "fingerprint": payment.fingerprint,
        "reference": payment.reference,
        "provider": payment.provider,
        "network": payment.network,
        "decline": vars(payment.decline) if payment.decline else None,
        "release_code": payment.release_code,
    }
    return {name: value for name, value in row.items() if value is not None}


def _payment(item: dict[str, Any]) -> Payment:
    row = {name: deserialize(value) for name, value in item.items()}
    amount = row.get("amount")
    return Payment(
        order_id=row["order_id"],
        status=Status(row["status"]),
        version=int(row["version"]),
        customer_id=row.get("customer_id"),
        amount=Money.stored(amount) if amount else None,
        fingerprint=row.get("fingerprint"),
        reference=row.get("reference"),
        provider=row.get("provider"),
        network=row.get("network"),
        decline=_decline(row["decline"]) if "decline" in row else None,
        release_code=row.get("release_code"),
    )


def _decline(found: dict[str, Any]) -> Decline:
    return Decline(network=found["network"], code=found["code"], message=found["message"])


def _typed(item: dict[str, Any]) -> dict[str, Any]:
    return {name: serialize(value) for name, value in item.items()}
