"""What may be asked of this service: the bodies of its requests, judged here and nowhere else."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints
from tiffin.ids import Slug
from tiffin.models import BaseModel
from tiffin.text import is_plain, is_visible, normalised

MAX_LINES = 50
MAX_QUANTITY = 99


def _normalised(text: Any) -> Any:
    """Before anything is measured, kept, or hashed."""
    return normalised(text) if isinstance(text, str) else text


def _plain(text: str) -> str:
    """Refuse what no note or address needs, and what makes logs and printers show something else."""
    if not is_plain(text):
        raise ValueError("control characters and changes of direction are not allowed")
    return text


def _visible(text: str) -> str:
    """Refuse what names nobody and no place."""
    if not is_visible(text):
        raise ValueError("there is nothing to see in it")
    return text


Text = Annotated[
    str,
    BeforeValidator(_normalised),
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(_plain),
    AfterValidator(_visible),
    # For the OpenAPI document: stripped of white space, something is left.
    Field(json_schema_extra={"pattern": r"\S"}),
]
# Typed by hand, from a mail or a phone: capitals are ours to make.
PromoCodeText = Annotated[
    str, StringConstraints(pattern=r"^\s*[A-Za-z0-9][A-Za-z0-9-]{3,31}\s*$", strip_whitespace=True, to_upper=True)
]
Note = Annotated[str, BeforeValidator(_normalised), StringConstraints(max_length=500), AfterValidator(_plain)]


class _Request(BaseModel):
    # An unknown field is a misunderstanding (a price, say, that would be ignored): better refused than dropped.
    model_config = ConfigDict(extra="forbid", frozen=True)


class LineRequest(_Request):
    """So many of one dish. No price: prices come from the menu."""

    dish_id: Slug
    quantity: Annotated[StrictInt, Field(ge=1, le=MAX_QUANTITY)]


class DeliveryRequest(_Request):
    """Where the food goes. Personal data: stays in the deliveries table, never in events, logs or traces."""

    name: Text
    address: Text


class Basket(_Request):
    """The body of `POST /quotes`: what decides an order's price.

    Attributes:
        restaurant_id: from whom.
        lines: what, 1 to 50 different lines.
        promo_code: a code that promotions issued to this customer.
        menu_version: of the menu that the customer saw. If the menu is another one by now, which
            is ten seconds wide, it is refused.
    """

    restaurant_id: Slug
    lines: Annotated[list[LineRequest], Field(min_length=1, max_length=MAX_LINES)]
    promo_code: PromoCodeText | None = None
    menu_version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None


class PlaceOrder(Basket):
    """The body of `POST /orders`: a basket, who pays for it and where it goes.

    Attributes:
        payment_method: a gateway's payment method name, such as Stripe's `pm_card_visa`. Never a card number.
        delivery: where to.
        note: for the kitchen; any language, emoji included.
    """

    payment_method: Annotated[str, StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,96}$")]
    delivery: DeliveryRequest
    note: Note = ""

    def fingerprint(self) -> str:
        """A hash that tells two different bodies under one idempotency key apart."""
        # Without what is absent, so that a field that this model gains later leaves earlier bodies' hashes as they are.
        canonical = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class RejectOrder(_Request):
    """The optional body of `POST /orders/{id}/reject`: a closed list, as free text may hold what events must not."""

    reason: Literal["too_busy", "out_of_stock", "closing", "outside_delivery_area", "other"] = "other"
