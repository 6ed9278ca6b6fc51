"""What every store must know of DynamoDB: why a write was refused, and that its numbers are no integers."""

from typing import Any

from botocore.exceptions import ClientError

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
