"""Card numbers, so that none gets in: this application takes a gateway's names of cards, never a card. Pure.

A run of digits is taken for a card number if an issuer's prefix and length fit and its check digit is right (Luhn,
ISO/IEC 7812-1, Annex B). A number that merely looks like one is refused as well: how often, `docs/payments.md` says.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

SHORTEST, LONGEST = 13, 19
# First digits and lengths, by network. Sources: Braintree's credit-card-type (github.com/braintree/credit-card-type,
# card-types.ts) and docs.stripe.com/testing; Visa's 13 digits and JCB's 15 are older than both (Wikipedia, "Payment
# card number"). UnionPay's and Maestro's ranges are taken a little wider than they are. UnionPay is not looked for
# among shorter numbers, which in Indonesia (+62) are telephones, nor Visa among 13 digits that begin as telephones of
# Austria (+43) and Germany (+49) do.
_NETWORKS: dict[str, tuple[str, frozenset[int]]] = {
    "visa": (r"4", frozenset({16, 18, 19})),
    "visa, thirteen digits": (r"4[0-24-8]", frozenset({13})),
    "mastercard": (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", frozenset({16})),
    "amex": (r"3[47]", frozenset({15})),
    "discover": (r"6011|64[4-9]|65", frozenset({16, 19})),
    "diners": (r"30[0-5]|309|36|3[89]", frozenset({14, 16, 19})),
    "jcb": (r"35(?:2[89]|[3-8])", frozenset({16, 17, 18, 19})),
    "jcb, fifteen digits": (r"2131|1800", frozenset({15})),
    "unionpay": (r"62|81[0-7]", frozenset({16, 17, 18, 19})),
    "maestro": (r"493698|50|5[6-9]|63|67", frozenset(range(13, 20))),
}
_PREFIXES = {
    length: re.compile("|".join(prefixes for prefixes, lengths in _NETWORKS.values() if length in lengths))
    for length in range(SHORTEST, LONGEST + 1)
}
# Twice a digit, and of the two digits that it may have, the sum.
_DOUBLED = str.maketrans("0123456789", "0246813579")
# A plus sign says telephone number, as long as a number with an issuer's prefix can be one.
_LONGEST_TELEPHONE = 14
# What may be between two digits of one number, besides spaces, dashes and what has no width.
_JOINING = frozenset("\u2212._")
# A full stop that ends something: "flat 4. 0151 …".
_STOP = re.compile(r"\.(?=\s|$)")
# Identifiers whose digits are nobody's number: UUIDs (RFC 9562), and hashes in hexadecimal.
_IDENTIFIER = re.compile(
    r"(?<![0-9a-z])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{32,})(?![0-9a-z])", re.I
)


def holds_card_number(text: str) -> bool:
    """Whether a card number stands in a text.

    Args:
        text: any text. Digits of every script count, however spaced or dashed.

    Example:
        >>> holds_card_number("my card: 4242 4242-4242 4242")
        True
        >>> holds_card_number("call +49 151 12345678")
        False
    """
    # Few texts have as many digits: the others are spared the looking through. `str.isdigit` is true of just those
    # characters of which `unicodedata.digit` makes one.
    if sum(map(str.isdigit, text)) < SHORTEST:
        return False
    read = _STOP.sub(",", _IDENTIFIER.sub(",", text))
    return any(is_card_number(digits) for before, run in _runs(read) for digits in _numbers(run, before))


def is_card_number(digits: str) -> bool:
    """Whether digits are those of a card: an issuer's prefix, one of that issuer's lengths, and the check digit.

    Args:
        digits: ASCII digits and nothing else.
    """
    prefixes = _PREFIXES.get(len(digits))
    return prefixes is not None and prefixes.match(digits) is not None and _luhn(digits)


def where_card_numbers_stand(document: Any) -> Iterator[str]:
    """Where in a JSON document card numbers stand: in strings, in numbers, and in names of members.

    Args:
        document: what JSON gave.

    Returns:
        JSON pointers (RFC 6901); that of the whole object where the name of a member is one, so that none is repeated.
    """
    # Not by recursion: a document may be nested as deep as its parser can go.
    rest = [("", document)]
    while rest:
        at, value = rest.pop()
        if isinstance(value, dict):
            harmless = [(f"{at}/{name}", member) for name, member in value.items() if not holds_card_number(name)]
            if len(harmless) < len(value):
                yield at
            rest += harmless
        elif isinstance(value, list):
            rest += [(f"{at}/{index}", member) for index, member in enumerate(value)]
        elif isinstance(value, (str, int)) and holds_card_number(str(value)):
            yield at


def _luhn(digits: str) -> bool:
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def _runs(text: str) -> Iterator[tuple[str, list[str]]]:
    """The runs of digits in a text, each as the groups that its writer made of it, and the character before it."""
    before, groups, digits = "", list[str](), ""
    for character in f"{text},":
        if (digit := unicodedata.digit(character, None)) is not None:
            digits += str(digit)
            continue
        if digits:
            groups.append(digits)
            digits = ""
        if not _separates(character):
            if groups:
                yield before, groups
            before, groups = character, []


def _separates(character: str) -> bool:
    """Whether it stands between digits of one number: a space, a dash, or what has no width, as a joiner or a mark."""
    kind = unicodedata.category(character)
    return character.isspace() or character in _JOINING or kind in {"Pd", "Cf", "Mn", "Me"}


def _numbers(groups: list[str], before: str) -> Iterator[str]:
    """What in a run may be one number: the whole of it, or some groups that stand together.

    In a run that is longer than any card number, groups of two count for nothing: such are telephone numbers in the
    French manner, days, and times. Nor does what begins behind a plus sign and is short enough for a telephone number.
    """
    is_long = sum(map(len, groups)) > LONGEST
    for start in range(len(groups)):
        number = ""
        for group in groups[start:]:
            number += group
            if len(number) > LONGEST or (is_long and len(group) == 2):
                break
            is_telephone = before == "+" and start == 0 and len(number) <= _LONGEST_TELEPHONE
            if len(number) >= SHORTEST and not is_telephone:
                yield number
