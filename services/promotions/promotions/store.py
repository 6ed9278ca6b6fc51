"""The promotions table. Nothing else knows its keys.

One partition per customer: `DELIVERED#<order>` and `EXPIRED#<order>` (the history), `CODE#<what earned it>`,
`USE#<code>#<order>`, `EVENT#<event id>` (the outbox; of a code put right, with its new expiry) and `TALLY`, whose
version guards all of them. A partition `CAMPAIGN#<id>` counts what a campaign has given away.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError
from pydantic import ConfigDict, TypeAdapter
from tiffin import outbox
from tiffin.discounts import Discount
from tiffin.dynamodb import CONDITION_FAILED, CONFLICT, NOT_AT_FAULT, refusals
from tiffin.events import event_id, rfc3339
from tiffin.money import Money
from tiffin.stored import UnreadableRow, reading

from promotions.ledger import Announcement, Change, Customer
from promotions.model import Delivery, Expiry, History, PromoCode
from promotions.redemption import State, Use

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SOURCE = "tiffin.promotions"
_discount: TypeAdapter[Any] = TypeAdapter(Discount, config=ConfigDict(hide_input_in_errors=True))
Item = dict[str, Any]


class Overtaken(Exception):
    """Somebody changed the customer since it was read, or is about to: read again and decide again."""


class BudgetSpent(Exception):
    """A campaign has nothing left to give."""

    def __init__(self, campaign: str) -> None:
        super().__init__(campaign)
        self.campaign = campaign


class PromotionsStore:
    """Customers, each written only over the version that it was read at.

    Args:
        table: the promotions table.
    """

    # A code's key: the rule in capitals, and what the rule tells its codes apart by.
    POSITION: ClassVar = {"after": r"^[A-Z0-9_]{1,64}(#[A-Za-z0-9_.:-]{1,64}){0,4}$"}
    """What a position in a customer's list of codes consists of."""

    def __init__(self, table: "Table") -> None:
        self._table = table

    def customer(self, customer_id: str) -> Customer:
        """Everything that is known of a customer."""
        # The version comes first, in a read of its own. A transaction that commits between two reads, or within a query
        # (which is not one moment: DynamoDB developer guide, "Isolation levels"), then makes it too old for the write.
        version = next((int(item["version"]) for item in self._items(customer_id, "TALLY")), 0)
        facts: list[Delivery | Expiry] = []
        codes: dict[str, PromoCode] = {}
        uses: dict[Use, State] = {}
        for item in self._items(customer_id):
            kind, _, rest = item["record"].partition("#")
            match kind:
                case "DELIVERED":
                    facts.append(Delivery(rest, datetime.fromisoformat(item["at"]), _money(item["total"])))
                case "EXPIRED":
                    facts.append(Expiry(rest, datetime.fromisoformat(item["at"])))
                case "CODE":
                    codes[rest] = _code(item)
                case "USE":
                    use = Use(*rest.rsplit("#", 1))
                    uses[use] = State[item["state"]]
        return Customer(customer_id, version, History.of(facts), codes, uses)

    def codes(self, customer_id: str, limit: int, after: str | None = None) -> tuple[list[PromoCode], str | None]:
        """A page of a customer's codes.

        Args:
            customer_id: whose.
            limit: how many at most.
            after: what earned the last code of the page before.

        Returns:
            The codes, and what to go on after, or None at the end.
        """
        query: dict[str, Any] = {
            "KeyConditionExpression": "customer_id = :c AND begins_with(#record, :code)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": {":c": customer_id, ":code": "CODE#"},
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = {"customer_id": customer_id, "record": f"CODE#{after}"}
        page = self._table.query(**query)
        last = page.get("LastEvaluatedKey")
        codes = list[PromoCode]()
        for item in page["Items"]:
            # One that a person must look at hides none of the others.
            with suppress(UnreadableRow):
                codes.append(_code(item))
        return codes, str(last["record"]).removeprefix("CODE#") if last else None

    def uses(self, customer_id: str) -> dict[Use, State]:
        """Where each use of a customer's codes stands."""
        return {
            Use(*item["record"].removeprefix("USE#").rsplit("#", 1)): State[item["state"]]
            for item in self._items(customer_id, "USE#")
        }

    def _items(self, customer_id: str, prefix: str | None = None) -> Iterator[Item]:
        query: dict[str, Any] = {
            "KeyConditionExpression": "customer_id = :c" + (" AND begins_with(#record, :prefix)" if prefix else ""),
            "ExpressionAttributeValues": {":c": customer_id} | ({":prefix": prefix} if prefix else {}),
            "ConsistentRead": True,
        } | ({"ExpressionAttributeNames": {"#record": "record"}} if prefix else {})
        while True:
            page = self._table.query(**query)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def commit(self, customer: Customer, change: Change, trace_header: str) -> None:
        """Write a change: history, codes, uses and the events that announce them, all of it or nothing.

        Args:
            customer: as read, and as the change was decided for.
            change: what to write.
            trace_header: X-Ray header of the request that caused it, carried along in what is announced.

        Raises:
            Overtaken: the customer is not, or no longer, as it was read.
            BudgetSpent: a code of the change has no budget left.
        """
        name = self._table.name
        partition = {"customer_id": customer.customer_id}

        def put(record: str, item: Item, *, new: bool = False) -> Item:
            request: Item = {"TableName": name, "Item": {**partition, "record": record, **item}}
            # The tally's version guards everything already; a code is worth a lock of its own.
            return {"Put": request | ({"ConditionExpression": "attribute_not_exists(customer_id)"} if new else {})}

        actions: list[Item] = [
            {
                "Update": {
                    "TableName": name,
                    "Key": {**partition, "record": "TALLY"},
                    "UpdateExpression": "SET version = :next",
                    "ConditionExpression": "version = :seen" if customer.version else "attribute_not_exists(version)",
                    "ExpressionAttributeValues": {":next": customer.version + 1}
                    | ({":seen": customer.version} if customer.version else {}),
                }
            },
            *(
                {
                    "Update": {
                        "TableName": name,
                        "Key": {"customer_id": f"CAMPAIGN#{budget.campaign}", "record": "BUDGET"},
                        "UpdateExpression": "ADD issued :one",
                        "ConditionExpression": "attribute_not_exists(issued) OR issued < :codes",
                        "ExpressionAttributeValues": {":one": 1, ":codes": budget.codes},
                    }
                }
                for budget in change.spent
            ),
            *(put(*_fact(fact)) for fact in change.facts),
            *(put(f"CODE#{code.key}", _code_item(code), new=True) for code in change.issued),
            *(put(f"CODE#{code.key}", _code_item(code)) for code in change.amended),
            *(put(f"USE#{use.code}#{use.order_id}", {"state": state.name}) for use, state in change.uses.items()),
        ]
        for announcement in change.announcements:
            record = "EVENT#" + event_id(announcement.order_id, announcement.name, announcement.code)
            if (code := announcement.issued) and code in change.amended:
                # The same order may have earned the code all along. What is written over an item is no new item, and
                # the relay announces new ones only.
                record += f"#{rfc3339(code.expires_at)}"
            event = outbox.item(
                {**partition, "record": record},
                source=SOURCE,
                name=announcement.name,
                order_id=announcement.order_id,
                data=_data(customer.customer_id, announcement),
                trace_header=trace_header,
                identity=(announcement.code,),
            )
            actions.append(put(record, event))
        try:
            self._table.meta.client.transact_write_items(TransactItems=actions)  # type: ignore[arg-type]
        except ClientError as error:
            raise _verdict(error, change) from error


def _verdict(error: ClientError, change: Change) -> Exception:
    """What a refused transaction means."""
    reasons = refusals(error)
    if set(reasons) - {NOT_AT_FAULT, CONDITION_FAILED, CONFLICT}:
        return error
    # The tally comes first, the budgets right behind it. A budget's refusal counts only if the tally was up to date.
    if reasons[0] == NOT_AT_FAULT:
        for budget, reason in zip(change.spent, reasons[1:], strict=False):
            if reason == CONDITION_FAILED:
                return BudgetSpent(budget.campaign)
    return Overtaken(", ".join(reasons))


def _fact(fact: Delivery | Expiry) -> tuple[str, Item]:
    if isinstance(fact, Delivery):
        return f"DELIVERED#{fact.order_id}", {"at": rfc3339(fact.at), "total": fact.total.model_dump()}
    return f"EXPIRED#{fact.order_id}", {"at": rfc3339(fact.at)}


def _money(item: Item) -> Money:
    return Money.stored(item)


def _code_item(code: PromoCode) -> Item:
    return {
        "code": code.code,
        "reason": code.reason,
        # As JSON, as its shape differs by type and DynamoDB's numbers are not integers.
        "discount": _discount.dump_json(code.discount, exclude_none=True).decode(),
        "minimum_order": code.minimum_order.model_dump(),
        "order_id": code.order_id,
        "earned_at": rfc3339(code.earned_at),
        # Not `expires_at`, which is the table's TTL attribute: a code is kept, it is the proof that it was issued.
        "valid_until": rfc3339(code.expires_at),
    }


def _code(item: Item) -> PromoCode:
    with reading("promo code", str(item.get("code", item["record"]))):
        return _promo_code(item)


def _promo_code(item: Item) -> PromoCode:
    return PromoCode(
        customer_id=item["customer_id"],
        code=item["code"],
        key=item["record"].removeprefix("CODE#"),
        reason=item["reason"],
        discount=_discount.validate_json(item["discount"]),
        minimum_order=_money(item["minimum_order"]),
        order_id=item["order_id"],
        earned_at=datetime.fromisoformat(item["earned_at"]),
        expires_at=datetime.fromisoformat(item["valid_until"]),
    )


def _data(customer_id: str, announcement: Announcement) -> dict[str, Any]:
    """The payload of an announced event (`events/schemas/`)."""
    data: dict[str, Any] = {"customer_id": customer_id, "code": announcement.code}
    if code := announcement.issued:
        data |= {
            "reason": code.reason,
            "discount": _discount.dump_python(code.discount, exclude_none=True),
            "minimum_order": code.minimum_order.model_dump(),
            "expires_at": rfc3339(code.expires_at),
        }
    return data
