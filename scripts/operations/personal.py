"""What there is about one customer: shown whole, and forgotten.

A tool of whoever runs the application, so it knows the keys of every service's tables, which no service does. What is
where, for how long and why is on one page, which the templates are held against: docs/privacy.md.

Forgetting may be interrupted anywhere and begun again: each pass does what is still to be done, and the account goes
last, so that its e-mail address finds the rest until then.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from laptop.people import DOMAIN
from orders.customers import KEPT, open_orders
from tiffin.dynamodb import condition_failed, plain
from tiffin.roles import Role
from tiffin.telemetry import customer_hash

from .deployed import Deployed

METHOD = "pm_forgotten"
"""What a forgotten order was paid with. No gateway has such a method, and an order must name one to be read."""
FINGERPRINT = "forgotten"
"""What a forgotten payment was asked for with: matches no request, so that a repeated one is refused, not paid."""
# More than any customer may have open (MaxOpenOrders): as long as the row is there, no order is placed.
CLOSED = 1_000_000
# So often what events on their way wrote meanwhile is looked for and taken away, too.
_PASSES = 5
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize

Row = dict[str, Any]


class UnknownCustomer(Exception):
    """There is no such customer: no account, and no row anywhere; or the account is no customer's."""


class StillOpen(Exception):
    """A customer with an open order cannot be forgotten: somebody is on the way to them, or owes them money."""

    def __init__(self, orders: list[str], disabled: bool) -> None:
        waits = " The account is disabled by now, and nothing more is ordered." if disabled else " Nothing was changed."
        super().__init__(f"Still open: {', '.join(orders)}. Ask again once it has ended.{waits}")
        self.orders = orders


class _Change(NamedTuple):
    """How a row that stays is to be."""

    put: Mapping[str, Any]
    remove: frozenset[str]
    only_if: str


@dataclass(frozen=True)
class _Place:
    """A table that knows something of a customer.

    Attributes:
        output: the root stack's, with the table's name.
        by: its partition key: the customer, or one of the customer's orders.
        keeps: what becomes of a row that is not deleted; None for those that are.
    """

    output: str
    by: str
    keeps: Callable[[Row], _Change | None] = lambda _: None


def _order(_: Row) -> _Change:
    gone = {"request_fingerprint", "delivery", "note"}
    return _Change(
        {"payment_method": METHOD}, frozenset(gone), "attribute_exists(order_id) AND attribute_not_exists(open_shard)"
    )


def _payment(row: Row) -> _Change | None:
    """Of a payment stays what bookkeeping needs: order, amount, status, the gateway's reference, network, release."""
    if row["record"] != "PAYMENT":
        return None
    return _Change({"fingerprint": FINGERPRINT}, frozenset({"customer_id", "decline"}), "attribute_exists(order_id)")


def _limit(row: Row) -> _Change | None:
    """What keeps the account's last tokens from ordering outlives them, and goes by its own time to live."""
    closed = row["record"] == "open" and row.get("orders", 0) > CLOSED / 2
    return _Change({}, frozenset(), "") if closed else None


PLACES = {
    "orders": _Place("OrdersTableName", "order_id", _order),
    "deliveries": _Place("DeliveriesTableName", "order_id"),
    "payments": _Place("PaymentsTableName", "order_id", _payment),
    "mails": _Place("SentTableName", "order_id"),
    "estimates": _Place("EstimatesTableName", "order_id"),
    "limits": _Place("CustomersTableName", "customer_id", _limit),
    "promo_codes": _Place("PromoCodesTableName", "customer_id"),
    "promotions": _Place("PromotionsTableName", "customer_id"),
}
"""The tables that know something of customers, by what an export calls it."""


class Personal:
    """What there is about customers, in one stack.

    Args:
        stack: where.
    """

    def __init__(self, stack: Deployed) -> None:
        self._stack = stack
        self._dynamodb, self._pool = stack.client("dynamodb"), stack.client("cognito-idp")
        self._user_pool = stack.outputs["UserPoolId"]
        # Estimates are made where they are asked for.
        self._places = {name: place for name, place in PLACES.items() if place.output in stack.outputs}
        self._keys = {name: self._key(place) for name, place in self._places.items()}

    def export(self, customer: str) -> dict[str, Any]:
        """Everything that there is about a customer.

        Args:
            customer: an account's subject or e-mail address; on the laptop a name too.

        Returns:
            The account, the rows of each table, whole, and what is elsewhere, with how long it is kept there.

        Raises:
            UnknownCustomer: there is nothing.
        """
        subject, account = self._who(customer)
        found = self._known(subject, account)
        return {"customer_id": subject, "account": account, **found, "elsewhere": list(self._elsewhere(subject))}

    def forget(self, customer: str) -> Iterator[str]:
        """Forget a customer, step by step.

        Args:
            customer: as for `export`.

        Yields:
            What was done.

        Raises:
            UnknownCustomer: there is nothing.
            StillOpen: an order is not over.
        """
        subject, account = self._who(customer)
        _must_be_over(self._known(subject, account), disabled=False)
        if account:
            user = {"UserPoolId": self._user_pool, "Username": subject}
            self._pool.admin_disable_user(**user)
            self._pool.admin_user_global_sign_out(**user)
            yield "account: disabled, signed out"
        placed = self._close(subject)
        yield "limits: no order is placed any more, by a token that is still good either"
        # The index of a customer's orders follows in a moment; the row of open ones is part of the order's own write.
        _must_be_over(self._rows(subject, placed), disabled=True)
        for _ in range(_PASSES):
            rows = self._rows(subject, placed)
            counted = {name: sum(self._settle(name, row) for row in rows[name]) for name in rows}
            if not any(counted.values()):
                break
            for name, count in counted.items():
                if count:
                    yield f"{name}: {count} {'rows' if count > 1 else 'row'} deleted or emptied"
        if account:
            self._pool.admin_delete_user(**user)
            yield "account: deleted"
        yield f"{subject} is nobody's any more. What goes by its own time: docs/privacy.md"

    # Who it is.

    def _who(self, customer: str) -> tuple[str, dict[str, Any] | None]:
        here = self._stack.region is None and "@" not in customer
        for name in [f"{customer}@{DOMAIN}", customer] if here else [customer]:
            try:
                user = self._pool.admin_get_user(UserPoolId=self._user_pool, Username=name)
            except self._pool.exceptions.UserNotFoundException:
                continue
            attributes = {attribute["Name"]: attribute.get("Value", "") for attribute in user["UserAttributes"]}
            groups = self._pool.admin_list_groups_for_user(UserPoolId=self._user_pool, Username=name)["Groups"]
            roles = sorted(group["GroupName"] for group in groups)
            if roles and Role.CUSTOMER not in roles:
                raise UnknownCustomer(f"{customer} is no customer, but {' and '.join(roles)}.")
            account = {"attributes": attributes, "groups": roles, "enabled": user["Enabled"]}
            account |= {"status": user["UserStatus"], "created_at": user["UserCreateDate"]}
            return attributes["sub"], account
        return customer, None

    def _known(self, subject: str, account: dict[str, Any] | None) -> dict[str, list[Row]]:
        rows = self._rows(subject)
        if not account and not any(rows.values()):
            raise UnknownCustomer(f"Nobody here knows {subject}.")
        return rows

    # What there is.

    def _rows(self, subject: str, more: frozenset[str] = frozenset()) -> dict[str, list[Row]]:
        """All rows, by the name of their place."""
        listed = self._query("orders", "customer_id", subject, {"IndexName": "orders-of-customer"})
        orders = sorted({str(row["order_id"]) for row in listed} | more)
        return {
            name: [
                row
                for key in (orders if place.by == "order_id" else [subject])
                for row in self._query(name, place.by, key, {"ConsistentRead": True})
            ]
            for name, place in self._places.items()
        }

    def _query(self, name: str, by: str, key: str, how: Mapping[str, Any]) -> list[Row]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._stack.outputs[self._places[name].output],
            KeyConditionExpression="#by = :key",
            ExpressionAttributeNames={"#by": by},
            ExpressionAttributeValues={":key": {"S": key}},
            **how,
        )
        items = (item for page in pages for item in page["Items"])
        return [plain({at: _deserialize(value) for at, value in item.items()}) for item in items]

    def _key(self, place: _Place) -> list[str]:
        described = self._dynamodb.describe_table(TableName=self._stack.outputs[place.output])
        return [key["AttributeName"] for key in described["Table"]["KeySchema"]]

    def _elsewhere(self, subject: str) -> Iterator[dict[str, str]]:
        events, logs, sqs = (self._stack.client(name) for name in ("events", "logs", "sqs"))
        known = f"the subject {subject} and ids of orders, no name, address, note or e-mail address"
        for resource in self._stack.resources():
            match resource.kind:
                case "AWS::Events::Archive":
                    days = events.describe_archive(ArchiveName=resource.name)["RetentionDays"]
                    what = f"events with {known}"
                case "AWS::Logs::LogGroup":
                    groups = logs.describe_log_groups(logGroupNamePrefix=resource.name)["logGroups"]
                    days = next(g["retentionInDays"] for g in groups if g["logGroupName"] == resource.name)
                    what = f"lines with {known}"
                case "AWS::SQS::Queue":
                    attribute = "MessageRetentionPeriod"
                    asked = sqs.get_queue_attributes(QueueUrl=resource.name, AttributeNames=[attribute])
                    days, what = int(asked["Attributes"][attribute]) // 86400, f"undelivered events with {known}"
                case "AWS::StepFunctions::StateMachine":
                    days, what = 90, "histories of orders with the payment method's name"
                case _:
                    continue
            yield {"where": resource.path, "what": what, "kept": f"{days} days"}
        yield {"where": "X-Ray", "what": f"traces with customer_hash {customer_hash(subject)}", "kept": "30 days"}
        yield {"where": "backups of tables", "what": "what their rows were", "kept": "35 days"}
        yield {"where": "the payment gateway", "what": "payments, by `reference`", "kept": "as long as it keeps them"}

    # What becomes of it.

    def _close(self, subject: str) -> frozenset[str]:
        """Let nothing be ordered any more, not by a token that is still good either; returns what was open."""
        row = self._dynamodb.update_item(
            TableName=self._stack.outputs["CustomersTableName"],
            Key={"customer_id": {"S": subject}, "record": {"S": "open"}},
            UpdateExpression="SET orders = :closed, expires_at = :expires_at",
            ExpressionAttributeValues={
                ":closed": {"N": str(CLOSED)},
                ":expires_at": {"N": str(int((datetime.now(UTC) + KEPT).timestamp()))},
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
        return open_orders(row)

    def _settle(self, name: str, row: Row) -> bool:
        """Delete a row, or take out of it what must not stay; returns whether there was anything to do."""
        place = self._places[name]
        at: Any = {
            "TableName": self._stack.outputs[place.output],
            "Key": {attribute: _serialize(row[attribute]) for attribute in self._keys[name]},
        }
        change = place.keeps(row)
        if change is None:
            self._dynamodb.delete_item(**at)
            return True
        remove = sorted(change.remove & row.keys())
        if not remove and all(row.get(attribute) == value for attribute, value in change.put.items()):
            return False
        updates = "SET " + ", ".join(f"{attribute} = :{attribute}" for attribute in change.put)
        try:
            self._dynamodb.update_item(
                **at,
                UpdateExpression=updates + (f" REMOVE {', '.join(remove)}" if remove else ""),
                ConditionExpression=change.only_if,
                ExpressionAttributeValues={f":{attribute}": _serialize(v) for attribute, v in change.put.items()},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise StillOpen([row["order_id"]], disabled=True) from error
        return True


def _must_be_over(rows: Mapping[str, list[Row]], *, disabled: bool) -> None:
    if still_open := [row["order_id"] for row in rows["orders"] if "open_shard" in row]:
        raise StillOpen(still_open, disabled)
