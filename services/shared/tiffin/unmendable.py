"""Errors that no retry can mend, told from those that may pass; and what may be said of one.

A message that cannot be handled comes back five times, minutes apart, before it reaches a dead-letter queue, and there
it has no reason. That is right for what may pass: a network, a throttle, a lost race, a permission that somebody took
away. It is a waste for what stays the same each time: a value that no rule knows, an item larger than its table takes,
a defect. Which error is which is said here, by type; one that is not named may pass.
"""

import traceback
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from pydantic import ValidationError

from tiffin.dynamodb import refusals
from tiffin.models import faults


class Unmendable(Exception):
    """No further attempt will go better.

    The message says what is wrong by field and rule, never by value: it is logged and stored.
    """


# The same input fails the same way: pydantic's ValidationError is a ValueError, as are those of text and money.
_DEFECTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
# The request itself is wrong: an item or a key is too large, say. Not to be tried again (DynamoDB developer guide,
# "Error handling with DynamoDB"; in a transaction it is a reason for cancelling, API reference, TransactWriteItems). So
# it is with a mail (Amazon SES API v2 reference, SendEmail).
_WRONG_REQUEST = {"Validation", "ValidationError", "BadRequest"}


def no_retry_mends(error: Exception) -> bool:
    """Whether the same work would fail in the same way, however often it is tried."""
    if isinstance(error, ClientError):
        return not _WRONG_REQUEST.isdisjoint(refusals(error))
    # Some of these are ValueErrors as well, such as a certificate that does not fit.
    if isinstance(error, (BotoCoreError, OSError)):
        return isinstance(error, ParamValidationError)
    return isinstance(error, (Unmendable, *_DEFECTS))


def reason(error: Exception) -> str:
    """Why it failed, for a person, without what the error itself says: that may hold values, and they may be personal.

    Returns:
        What an `Unmendable` says; else which fields are wrong, which call was refused, or where in the code it was.
    """
    match error:
        case Unmendable():
            return str(error) or type(error).__name__
        case ValidationError():
            return faults(error)
        case ClientError():
            return f"{error.operation_name}: {', '.join(refusals(error))}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"in {frames[-1].name} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else "nobody knows"
