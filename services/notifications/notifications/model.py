"""How far a customer has been told of an order, and what may still be told. Pure: no AWS, no clock.

Events come at least once and in any order, and a mail cannot be called back. So what is told only ever goes on: of two
events the later one in an order's life ends the telling of the earlier one, and an end ends it for good.
"""

from dataclasses import dataclass

from tiffin.events import ORDER_ENDS

ON_THE_WAY = ("PaymentAuthorized", "OrderAccepted", "OrderDispatched")
"""What is told of an order before its end, in the sequence of its life."""
_STAGE = {name: stage for stage, name in enumerate(ON_THE_WAY)} | dict.fromkeys(ORDER_ENDS, len(ON_THE_WAY))


class ToldAlready(Exception):
    """The customer has this mail."""


class Overtaken(Exception):
    """A later event of the order became known first: this mail would contradict it."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How far the telling of one order has come.

    Attributes:
        furthest: the event furthest on in the order's life that became known, whether or not it was told; None if none.
        told: the events whose mails went out.
    """

    furthest: str | None = None
    told: frozenset[str] = frozenset()

    def must_allow(self, event_name: str) -> None:
        """Refuse a mail that was sent, or that would lead back.

        Args:
            event_name: what the mail would tell of.

        Raises:
            ToldAlready, Overtaken: it must not be sent.
        """
        if event_name in self.told:
            raise ToldAlready(event_name)
        # The one that became known and was not told is being tried again. Beside an end there is no other.
        if self.furthest and self.furthest != event_name and _STAGE[self.furthest] >= _STAGE[event_name]:
            raise Overtaken(f"{event_name} after {self.furthest}")
