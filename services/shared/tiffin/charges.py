"""What card gateways charge: in which currencies, from how much to how much, and in which steps.

Orders refuse at the door what no gateway would take, the loader of menus what could never be paid, and the sandbox
holds to it as Stripe does. All of it is from Stripe's page "Supported currencies" (docs.stripe.com/currencies), in the
minor units of ISO 4217 that `tiffin.money` counts in; how Stripe itself counts is in `payments.stripe_amounts`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tiffin.money import Money

# Section "Supported presentment currencies", and the five of three decimals.
_CURRENCIES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
    CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JPY KES
    KGS KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
    NZD PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD
    TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    BHD JOD KWD OMR TND
"""
CURRENCIES = frozenset(_CURRENCIES.split())
# Section "Minimum and maximum charge amounts". Elsewhere the minimum is what these are worth in the currency that the
# account is paid out in, which is for the gateway to say: it is its decline then.
_SMALLEST: Mapping[str, int] = {
    "AED": 200,
    "ARS": 50,
    "AUD": 50,
    "BRL": 50,
    "CAD": 50,
    "CHF": 50,
    "COP": 50,
    "CZK": 15_00,
    "DKK": 250,
    "EUR": 50,
    "GBP": 30,
    "HKD": 400,
    "HUF": 175_00,
    "IDR": 50,
    "ILS": 50,
    "INR": 50,
    "JPY": 50,
    "KRW": 50,
    "MXN": 10_00,
    "MYR": 200,
    "NOK": 300,
    "NZD": 50,
    "PHP": 50,
    "PLN": 200,
    "RON": 200,
    "RUB": 50,
    "SEK": 300,
    "SGD": 50,
    "THB": 10_00,
    "USD": 50,
    "ZAR": 50,
}
# Eight digits, as the reference of `amount` says (docs.stripe.com/api/payment_intents/create). Some cards take more,
# and no order needs it. Stripe counts hundredths of ISK and UGX: two of the digits are those.
_EIGHT_DIGITS = 99_999_999
_LARGEST: Mapping[str, int] = {"ISK": 999_999, "UGX": 999_999}
# Section "Three-decimal currencies": the last digit is a zero. And Stripe counts whole MGA, where ISO has hundredths.
_STEP: Mapping[str, int] = {"BHD": 10, "JOD": 10, "KWD": 10, "OMR": 10, "TND": 10, "MGA": 100}


class NotChargeable(ValueError):
    """No card is charged in this currency."""


class Range(NamedTuple):
    """What can be charged in one currency, in its minor units.

    Attributes:
        currency: ISO 4217 code.
        smallest: the least. An order that costs nothing is paid without a gateway.
        largest: the most.
        step: every charge is a multiple of it.
    """

    currency: str
    smallest: int
    largest: int
    step: int


def chargeable(currency: str) -> Range:
    """What can be charged in a currency.

    Raises:
        NotChargeable: nothing can.
    """
    if currency not in CURRENCIES:
        raise NotChargeable(f"No card is charged in {currency}.")
    step = _STEP.get(currency, 1)
    largest = _LARGEST.get(currency, _EIGHT_DIGITS)
    return Range(currency, _SMALLEST.get(currency, step), largest - largest % step, step)


def down_to_a_charge(amount: Money) -> Money:
    """The largest amount that is a multiple of its currency's step and no more than this one."""
    return Money(amount=amount.amount - amount.amount % _STEP.get(amount.currency, 1), currency=amount.currency)
