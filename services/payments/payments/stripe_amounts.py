"""How Stripe counts money: not always in the minor units of ISO 4217, and not every amount of them.

Source: docs.stripe.com/currencies, sections "Zero-decimal currencies", "Three-decimal currencies" and "Special cases".
Pure: imports neither AWS nor Stripe's library.
"""

from tiffin.money import DECIMALS, Money

# The page lists UGX here, and as a special case too; the special case is what its API goes by.
_ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
# The last digit must be a zero, says the page.
_THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# All others have two. ISK and UGX are among them: they lost their decimals, and Stripe's API keeps them, always `00`.
# HUF and TWD are charged with two as well; only payouts of them are whole.


class Inexact(ValueError):
    """Stripe has no number for this amount."""


def to_stripe(money: Money) -> int:
    """An amount as Stripe's API takes it.

    Raises:
        Inexact: it falls between two of those.
    """
    amount, rest = divmod(money.amount * _units(decimals(money.currency)), _units(DECIMALS[money.currency]))
    if rest or (money.currency in _THREE_DECIMAL and amount % 10):
        raise Inexact(f"Stripe cannot charge {money}")
    return amount


def from_stripe(amount: int, currency: str) -> Money:
    """An amount as Stripe's API gives it, in `currency` of small or capital letters.

    Raises:
        Inexact: the currency's own minor unit is larger than the amount's last digit.
    """
    code = currency.upper()
    minor, rest = divmod(amount * _units(DECIMALS[code]), _units(decimals(code)))
    if rest:
        raise Inexact(f"{amount} of Stripe's {code} is no whole number of minor units")
    return Money(amount=minor, currency=code)


def decimals(currency: str) -> int:
    """How many decimals Stripe's amounts of a currency have."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def _units(decimals: int) -> int:
    units: int = 10**decimals
    return units
