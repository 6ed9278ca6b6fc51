"""What callers may ask of this service. The same contract as JSON Schema: `events/commands/payments.json`."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from tiffin.ids import CustomerId, OrderId
from tiffin.models import BaseModel, faults
from tiffin.money import Money
from tiffin.trace_headers import TraceHeader, new_root

from payments.model import InvalidPaymentRequest


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: OrderId
    # A hint: no money stays held, and none goes untaken, over it.
    trace_header: TraceHeader = Field(default_factory=new_root)


class Authorize(_Command):
    """Hold the order's money."""

    operation: Literal["authorize"]
    customer_id: CustomerId
    amount: Money
    payment_method: Annotated[str, Field(min_length=1, max_length=255, description="the gateway's token for a card")]


class Capture(_Command):
    """Take the money that is held."""

    operation: Literal["capture"]


class Release(_Command):
    """Let the money go, because the order ended without delivery."""

    operation: Literal["release"]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


Command: TypeAlias = Authorize | Capture | Release
_adapter: TypeAdapter[Command] = TypeAdapter(
    Annotated[Command, Field(discriminator="operation")], config=ConfigDict(hide_input_in_errors=True)
)


def parse(event: dict[str, Any]) -> Command:
    """Read a request.

    Raises:
        InvalidPaymentRequest: names the fields at fault, never their values: the message is logged and traced.
    """
    try:
        return _adapter.validate_python(event)
    except ValidationError as error:
        raise InvalidPaymentRequest(faults(error)) from None
