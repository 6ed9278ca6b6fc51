"""Reading back what was stored, by a row's own rules: those of the day it was written may have been others.

A request is judged once, when it comes in. A row is only read: what its reader cannot do without must be there, and
everything else is taken as it is.
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from aws_lambda_powertools.metrics import MetricUnit
from pydantic import ValidationError

from tiffin.models import BaseModel, faults
from tiffin.telemetry import logger, metrics
from tiffin.unmendable import Unmendable

Row = TypeVar("Row", bound=BaseModel)


class UnreadableRow(Unmendable):
    """A row lacks what its reader cannot do without. A person must look at it.

    Args:
        kind: what it is: `order`.
        row_id: which one.
        why: the fields at fault, never their values: it is logged and traced.
    """

    def __init__(self, kind: str, row_id: str, why: str) -> None:
        super().__init__(f"{kind} {row_id}: {why}")
        self.kind, self.row_id, self.why = kind, row_id, why


@contextmanager
def reading(kind: str, row_id: str) -> Iterator[None]:
    """Make whatever goes wrong while a row is read an `UnreadableRow`, logged and counted.

    Args:
        kind: what it is.
        row_id: which one.

    Raises:
        UnreadableRow: from nothing, as the error that it stands for may repeat what is in the row.
    """
    try:
        yield
    except ValidationError as error:
        why = faults(error)
    except KeyError as error:
        why = _missing(error)
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        why = type(error).__name__
    else:
        return
    logger.error("A stored row cannot be read", kind=kind, row_id=row_id, reason=why)
    metrics.add_metric("RowsUnreadable", MetricUnit.Count, 1)
    raise UnreadableRow(kind, row_id, why) from None


def _missing(error: KeyError) -> str:
    """Which member is missing, if its name is written in the code that looked for it; a value looked up is not told."""
    frames = list(traceback.walk_tb(error.__traceback__))
    written = frames[-1][0].f_code.co_consts if frames else ()
    return f"no {error.args[0]}" if error.args and error.args[0] in written else "something that nobody here knows"


def read(model: type[Row], row: Mapping[str, Any], *, kind: str, row_id: str) -> Row:
    """Read a row, without those of its fields that are not essential and make no sense.

    Args:
        model: what is read. A field that has a default is not essential.
        row: what was stored.
        kind: what it is, for whoever must look at it.
        row_id: which one.

    Raises:
        UnreadableRow: something essential is missing or makes no sense.
    """
    with reading(kind, row_id):
        try:
            return model.model_validate(row)
        except ValidationError as error:
            wrong = {str(e["loc"][0]) for e in error.errors(include_input=False) if e["loc"]}
            if any(field.is_required() for name, field in model.model_fields.items() if name in wrong):
                raise
            found = model.model_validate({name: value for name, value in row.items() if name not in wrong})
            logger.error("A stored row was read in part", kind=kind, row_id=row_id, reason=faults(error))
            return found
