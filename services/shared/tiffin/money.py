"""Money as integer minor units with a currency: never a float, never two currencies in one sum."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were combined."""


class Money(BaseModel):
    """An amount of money.

    Attributes:
        amount: minor units (cents), zero or more.
        currency: ISO 4217 code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[StrictInt, Field(ge=0, le=100_000_000)]
    currency: Currency

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} + {other.currency}")
        return Money(amount=self.amount + other.amount, currency=self.currency)

    def __mul__(self, quantity: int) -> "Money":
        return Money(amount=self.amount * quantity, currency=self.currency)

    def minus(self, other: "Money") -> "Money":
        """Subtract, never below zero: a discount larger than the order makes it free, not negative."""
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} - {other.currency}")
        return Money(amount=max(0, self.amount - other.amount), currency=self.currency)

    @classmethod
    def total(cls, amounts: Iterable[Self], currency: str) -> "Money":
        """Sum amounts of one currency; an empty sum is zero of it."""
        result = Money(amount=0, currency=currency)
        for amount in amounts:
            result = result + amount
        return result

    def __str__(self) -> str:
        return f"{self.amount // 100}.{self.amount % 100:02d} {self.currency}"
