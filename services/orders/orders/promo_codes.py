"""The table of promo codes. Nothing else knows its keys."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import ConfigDict, TypeAdapter
from tiffin.discounts import Discount, Offer
from tiffin.dynamodb import Row, condition_failed, read_rows
from tiffin.events import rfc3339
from tiffin.money import Money
from tiffin.stored import reading

from orders.model import PromoCode, PromoCodeAlreadyUsed, UnknownPromoCode
from orders.writes import Beside

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# How long a code that expired is remembered, so that its customer hears why it is not taken.
REMEMBERED = timedelta(days=90)
_discount: TypeAdapter[Any] = TypeAdapter(Discount, config=ConfigDict(hide_input_in_errors=True))


class PromoCodeStore:
    """What promotions announced of promo codes, and which order has which: by customer, so that nobody finds another's.

    Args:
        table: the promo codes table.
    """

    def __init__(self, table: "Table") -> None:
        self._table = table

    def get(
        self, customer_id: str, code: str, beside: Sequence[Row] = (), judge: Callable[..., None] = lambda: None
    ) -> PromoCode:
        """A customer's code, read consistently, in one call with what it takes to judge whether it may be looked at.

        Args:
            customer_id: the customer.
            code: the code.
            beside: rows to be read together with it.
            judge: gets them, None for one that there is not, before anything of the code is looked at; raises if it
                may not be.

        Raises:
            UnknownPromoCode: the customer has no such code, as far as is known here.
            UnreadableRow: there is one, and what it is worth cannot be read.
            Exception: what `judge` raises.
        """
        row = Row(self._table.name, {"customer_id": customer_id, "code": code})
        item, *others = read_rows(self._table.meta.client, [row, *beside])
        judge(*others)
        if item is None:
            raise UnknownPromoCode(code)
        with reading("promo code", code):
            offer = Offer(
                _discount.validate_json(item["discount"]),
                Money.stored(item["minimum_order"]),
                datetime.fromisoformat(item["valid_until"]),
            )
        return PromoCode(customer_id, code, offer, item.get("reserved_by"))

    def add(self, code: PromoCode) -> None:
        """Learn of a code, or that it expires earlier; reserved or not. A repeated announcement changes nothing.

        Of two announcements the one with the earlier expiry counts, in whatever order they come.
        """
        values: dict[str, Any] = {
            # As JSON, as its shape differs by type and DynamoDB's numbers are not integers.
            ":discount": json.dumps(_discount.dump_python(code.offer.discount, mode="json", exclude_none=True)),
            ":minimum_order": code.offer.minimum_order.model_dump(),
            ":valid_until": rfc3339(code.offer.expires_at),
            # Not `valid_until`: this one is the table's TTL attribute, in seconds since 1970.
            ":expires_at": int(code.offer.expires_at.timestamp()) + int(REMEMBERED.total_seconds()),
        }
        try:
            self._table.update_item(
                Key={"customer_id": code.customer_id, "code": code.code},
                UpdateExpression="SET " + ", ".join(f"{name[1:]} = {name}" for name in values),
                ConditionExpression="attribute_not_exists(customer_id) OR valid_until > :valid_until",
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if not condition_failed(error):
                raise

    def reservation(self, customer_id: str, code: str, order_id: str) -> Beside:
        """The write that gives a code to an order if no order has it, to be made in one transaction with the order."""
        update = {
            "TableName": self._table.name,
            "Key": {"customer_id": customer_id, "code": code},
            "UpdateExpression": "SET reserved_by = :order",
            "ConditionExpression": "attribute_exists(customer_id) AND attribute_not_exists(reserved_by)",
            "ExpressionAttributeValues": {":order": order_id},
        }
        return Beside({"Update": update}, lambda _: PromoCodeAlreadyUsed(code))

    def release(self, customer_id: str, code: str, order_id: str) -> bool:
        """Take a code back from an order, if that order has it.

        Returns:
            Whether it had it. If not, the release is a repeated one, and the code may be another order's by now.
        """
        try:
            self._table.update_item(
                Key={"customer_id": customer_id, "code": code},
                UpdateExpression="REMOVE reserved_by",
                ConditionExpression="reserved_by = :order",
                ExpressionAttributeValues={":order": order_id},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True
