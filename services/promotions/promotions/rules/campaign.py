"""Join in: during a campaign, delivered orders earn codes, up to a number per customer and while the budget lasts.

The campaigns are data: `promotions/campaigns.toml`. The budget is the one thing that all customers share, so who comes
first there does matter: a customer's codes are the same in any order of events as long as the budget is not used up.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from tiffin.discounts import Discount
from tiffin.models import BaseModel
from tiffin.moments import Moment
from tiffin.money import Money

from promotions.model import Budget, Grant, History, Terms


class Campaign(BaseModel):
    """One campaign.

    Attributes:
        id: names it for good.
        prefix: first part of its codes.
        starts_at: first moment, from 2020 on, as all of its dates.
        ends_at: first moment after it, before 2100, as all of its dates.
        expires_at: first moment at which its codes are no longer taken.
        budget: codes in all.
        per_customer: codes for one customer.
        minimum_order: smallest subtotal that a code can be spent on.
        discount: what a code takes off one order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    prefix: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,20}$")]
    starts_at: Moment
    ends_at: Moment
    expires_at: Moment
    budget: Annotated[int, Field(ge=1, le=1_000_000_000)]
    per_customer: Annotated[int, Field(ge=1, le=10)]
    minimum_order: Money
    discount: Discount

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.starts_at < self.ends_at <= self.expires_at:
            raise ValueError("a campaign starts, then ends, then its codes expire")
        self._terms()  # refuses a code that nobody could spend: now, and not at the first delivery
        return self

    def _terms(self) -> Terms:
        return Terms(__name__, self.prefix, self.discount, self.minimum_order)

    def grants(self, history: History) -> Iterator[Grant]:
        """One for each of the first orders delivered during the campaign."""
        joined = (delivery for delivery in history.deliveries if self.starts_at <= delivery.at < self.ends_at)
        for number, delivery in enumerate(islice(joined, self.per_customer), start=1):
            grant = self._terms().grant(self.id, str(number), by=delivery, expires_at=self.expires_at)
            yield replace(grant, budget=Budget(self.id, self.budget))


def load(path: Path) -> tuple[Campaign, ...]:
    """Read campaigns.

    Raises:
        pydantic.ValidationError: a campaign is not one.
        ValueError: two campaigns have the same id.
    """
    campaigns = tuple(map(Campaign.model_validate, tomllib.loads(path.read_text())["campaign"]))
    if len({campaign.id for campaign in campaigns}) < len(campaigns):
        raise ValueError("two campaigns have the same id")
    return campaigns


CAMPAIGNS: Sequence[Campaign] = load(Path(__file__).parent.parent / "campaigns.toml")


def rule(history: History) -> Iterator[Grant]:
    """What every campaign gives."""
    for campaign in CAMPAIGNS:
        yield from campaign.grants(history)
