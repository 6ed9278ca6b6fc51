"""What every store must know of DynamoDB: how it writes values, reading rows together, why a write was refused."""

import random
import time
from collections.abc import Callable, Sequence
from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Underflow
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# What DynamoDB keeps of a number, no more (DynamoDB API reference, AttributeValue). What does not fit is an error.
_EXACT = Context(prec=38, Emin=-128, Emax=126, traps=[Clamped, Overflow, Inexact, Rounded, Underflow])

CONDITION_FAILED = "ConditionalCheckFailed"
"""The item is not as the write's condition wants it."""
CONFLICT = "TransactionConflict"
"""Another transaction is at the item just now."""
NOT_AT_FAULT = "None"
"""Of an item whose transaction was refused over another item."""
# How often rows are asked for that DynamoDB left out, and seconds of the first pause at most.
_ATTEMPTS, _PAUSE = 5, 0.05


class Row(NamedTuple):
    """A row to be read.

    Attributes:
        table: its table's name.
        key: its whole key.
    """

    table: str
    key: dict[str, str]


class RowsLeftOut(Exception):
    """DynamoDB leaves rows out of its answers, again and again: more is asked of it than it gives."""


def read_rows(
    client: "DynamoDBClient", rows: Sequence[Row], pause: Callable[[float], None] = time.sleep
) -> list[dict[str, Any] | None]:
    """Read rows of any tables in one call, each as it is now.

    Each by itself: of a transaction that is being written one row may be seen already, and another one not yet.

    Args:
        client: that of a table which takes plain Python values.
        rows: at most 100, all different.
        pause: called with seconds to wait before what was left out is asked for again.

    Returns:
        The rows, in the order in which they were asked for; None for one that there is not.

    Raises:
        RowsLeftOut: some did not come. DynamoDB leaves out what it is too busy for (DynamoDB API reference,
            BatchGetItem).
    """
    left: dict[str, Any] = {row.table: {"Keys": [], "ConsistentRead": True} for row in rows}
    found: dict[str, list[dict[str, Any]]] = {table: [] for table in left}
    for row in rows:
        left[row.table]["Keys"].append(row.key)
    for attempt in range(_ATTEMPTS):
        if not left:
            break
        if attempt:
            pause(random.uniform(0, _PAUSE * 2**attempt))  # noqa: S311 - jitter
        answer: Any = client.batch_get_item(RequestItems=left)
        for table, items in answer["Responses"].items():
            found[table] += items
        left = answer.get("UnprocessedKeys") or {}
    if left:
        raise RowsLeftOut(", ".join(left))
    return [next((item for item in found[row.table] if row.key.items() <= item.items()), None) for row in rows]


def serialize(value: Any) -> dict[str, Any]:
    """A value of Python as DynamoDB writes it, as boto3's TypeSerializer does: `{"N": "950"}`.

    Raises:
        TypeError: it has no such value: a float, or bytes, which no table of these has.
        ArithmeticError: a number has more digits than DynamoDB keeps.
        ValueError: a number is none.
    """
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | Decimal):
        number = str(_EXACT.create_decimal(value))
        if number in {"NaN", "Infinity", "-Infinity"}:
            raise ValueError("not a number that DynamoDB has")
        return {"N": number}
    if isinstance(value, dict):
        return {"M": {name: serialize(member) for name, member in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [serialize(member) for member in value]}
    if isinstance(value, set | frozenset) and value:
        [kind, *others] = {next(iter(serialize(member))) for member in value}
        if not others and kind in {"S", "N"}:
            return {f"{kind}S": [serialize(member)[kind] for member in value]}
    raise TypeError(f"DynamoDB has no such value here: {type(value).__name__}")


def deserialize(value: Any) -> Any:
    """A value as DynamoDB writes it, as one of Python, as boto3's TypeDeserializer does: numbers are Decimals."""
    [(kind, written)] = value.items()
    match kind:
        case "S" | "BOOL":
            return written
        case "N":
            return _EXACT.create_decimal(written)
        case "M":
            return {name: deserialize(member) for name, member in written.items()}
        case "L":
            return [deserialize(member) for member in written]
        case "NULL":
            return None
        case "SS":
            return set(written)
        case "NS":
            return {_EXACT.create_decimal(member) for member in written}
    raise TypeError(f"DynamoDB's type {kind} is not read here")


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
        (why, {name: deserialize(value) for name, value in item.items()})
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
