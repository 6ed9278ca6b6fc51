"""Identifiers, and what each looks like: the patterns of `events/schemas/common.json`, said once for every service."""

from typing import Annotated

from pydantic import StringConstraints

ORDER_ID = r"^ord_[a-z2-7]{26}$"
CUSTOMER_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
SLUG = r"^[a-z0-9][a-z0-9-]{0,63}$"

OrderId = Annotated[str, StringConstraints(pattern=ORDER_ID)]
CustomerId = Annotated[str, StringConstraints(pattern=CUSTOMER_ID)]
PromoCodeId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{3,31}$")]
# A card network, in Stripe's spelling.
NetworkName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
# Restaurants and dishes.
Slug = Annotated[str, StringConstraints(pattern=SLUG)]
