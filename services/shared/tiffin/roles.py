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

    def is_party_to(self, customer_id: str | None, restaurant_id: str | None) -> bool:
        """Whether what is of a customer and of a restaurant is this caller's to see, be it as support. No courier's is.

        Args:
            customer_id: whose it is; None if that is not known.
            restaurant_id: from whom; None likewise.
        """
        match self.role:
            case Role.CUSTOMER:
                return customer_id == self.subject
            case Role.RESTAURANT:
                return self.restaurant_id is not None and restaurant_id == self.restaurant_id
            case Role.COURIER:
                return False
            case Role.SUPPORT:
                return True
