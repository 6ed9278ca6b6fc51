"""What every store must know of DynamoDB: why a write was refused, and that its numbers are no integers."""

from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

_deserialize = TypeDeserializer().deserialize

CONDITION_FAILED = "ConditionalCheckFailed"
"""The item is not as the write's condition wants it."""
CONFLICT = "TransactionConflict"
"""Another transaction is at the item just now."""
NOT_AT_FAULT = "None"
"""Of an item whose transaction was refused over another item."""


def refusals(error: ClientError) -> list[str]:
    """Why a write was refused: one reason per item of a transaction, in its order; one in all for any other call.

    Source: DynamoDB API reference, TransactWriteItems, "TransactionCanceledException".
    """
    if reasons := error.response.get("CancellationReasons"):
        return [str(reason.get("Code", NOT_AT_FAULT)) for reason in reasons]
    return [error.response["Error"]["Code"].removesuffix("Exception")]


def refused_items(error: ClientError) -> list[tuple[str, dict[str, Any]]]:
    """Why a transaction was refused, as `refusals` has it, and each item as it is: empty, if its write asked for none.

    boto3 leaves what an error holds as DynamoDB writes it.
    """
    reasons: Any = error.response.get("CancellationReasons", [])
    items: list[dict[str, Any]] = [reason.get("Item") or {} for reason in reasons] or [{}]
    return [
        (why, {name: _deserialize(value) for name, value in item.items()})
        for why, item in zip(refusals(error), items, strict=True)
    ]


def condition_failed(error: ClientError) -> bool:
    """Whether a single write was refused for its condition. Whatever else went wrong is for the caller to raise."""
    return refusals(error) == [CONDITION_FAILED]


def plain(value: Any) -> Any:
    """What was read, with DynamoDB's Decimals as the integers they are: every number in these tables is one."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return int(value) if hasattr(value, "as_tuple") else value
