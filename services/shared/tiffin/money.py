"""Money as integer minor units with a currency: never a float, never two currencies in one sum."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema

from tiffin.models import BaseModel

# Decimals of each currency that people pay in, by ISO 4217 list one as published on 2026-01-01 (www.six-group.com, its
# maintenance agency). Funds, metals and codes for tests are left out. What was withdrawn since 2022 is kept, at the end
# of the two decimals: amounts in it may still be stored somewhere.
_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
        CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
        KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
        NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB
        TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
        ANG BGN CUC HRK SLL ZWL
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
}
DECIMALS: Mapping[str, int] = {code: decimals for decimals, codes in _BY_DECIMALS.items() for code in codes.split()}
"""How many decimals a currency has: a minor unit of it is 10 to the power of minus so many."""


class UnknownCurrency(ValueError):
    """No currency of ISO 4217: nobody can say what its minor unit is, so no amount of it can be printed or charged."""


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were combined."""


def printed(amount: int, currency: str) -> str:
    """An amount for people: `EUR 21.50`, `JPY 1500`, `KWD 5.120`. The one place that knows how.

    Args:
        amount: minor units.
        currency: ISO 4217 code.

    Raises:
        UnknownCurrency: there is no such currency.
    """
    return f"{currency} {Decimal(amount).scaleb(-DECIMALS[_known(currency)]):f}"


def _known(currency: str) -> str:
    if currency not in DECIMALS:
        raise UnknownCurrency("no currency of ISO 4217")
    return currency


Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code"), AfterValidator(_known)]


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

    @classmethod
    def stored(cls, value: object) -> "Money":
        """An amount as it was written, whatever limits and currencies there are by now.

        Args:
            value: an amount, or a mapping with a whole number and the name of a currency.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(value, Money):
            return value
        if isinstance(value, Mapping):
            amount, currency = value.get("amount"), value.get("currency")
            if isinstance(currency, str) and isinstance(amount, (int, Decimal)) and amount == int(amount):
                return cls.model_construct(amount=int(amount), currency=currency)
        raise ValueError("no amount of money")

    def __str__(self) -> str:
        # What was stored may be of a currency that is none by now.
        known = self.currency in DECIMALS
        return printed(self.amount, self.currency) if known else f"{self.currency} {self.amount} (minor units)"


_STORED = {
    "type": "object",
    "title": "Money",
    "required": ["amount", "currency"],
    "properties": {
        "amount": {"type": "integer", "description": "Minor units."},
        "currency": {"type": "string", "description": "ISO 4217 code, as of the day it was written."},
    },
}
StoredMoney = Annotated[Money, BeforeValidator(Money.stored), WithJsonSchema(_STORED)]
"""A field that reads an amount back."""
