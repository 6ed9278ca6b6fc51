"""Who somebody is to an order. Pure: models judge by it; how it is read from a request is in `tiffin.callers`."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody is to an order: the groups of the user pool (services/identity/template.yaml)."""

    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"
    SUPPORT = "support"


@dataclass(frozen=True)
class Caller:
    """Somebody who signed in.

    Attributes:
        subject: the token's `sub`: the pool's own id of the account, which is never given to another. Orders know a
            customer by it.
        role: the one role of the account.
        restaurant_id: whose orders a restaurant's account answers; None for all other roles.
    """

    subject: str
    role: Role
    restaurant_id: str | None = None
