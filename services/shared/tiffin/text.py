"""What people type: one spelling for what looks the same, and nothing in it that shows as something else. Pure.

Source of the categories: Unicode Standard Annex #44, "General_Category Values" and "Bidirectional Class Values"; of the
forms: Annex #15, "Unicode Normalization Forms".
"""

import re
import unicodedata

# What opens, closes or overrides a direction. The marks U+200E, U+200F and U+061C are not among them: they turn no text
# around, and Hebrew and Arabic beside digits need them.
_REORDERING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
# Letters and symbols by category that show as nothing: the Hangul fillers, Braille's blank, music's empty note.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159")
# What mail programs make a link of: an address, or a name with a top-level domain. `States.TaskFailed` is none.
_LINK = re.compile(r"://|@|\bwww\.|\w\.(?:[a-z]{2,}|[A-Z]{2,})\b")
# Controls, formats, marks, and spaces.
_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Mc", "Me", "Zl", "Zp", "Zs"})


def normalised(text: str) -> str:
    """The same text in its one spelling, so that two devices which type it alike send it alike.

    Returns:
        Composed (NFC), and with every kind of line end as a line feed: Windows' two characters, and Unicode's line and
        paragraph separators.
    """
    text = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return unicodedata.normalize("NFC", text)


def is_plain(text: str) -> bool:
    """Whether a text reads as it is stored: no control characters but line feeds, no change of direction.

    Joiners (U+200C, U+200D), direction marks and variation selectors are fine: languages and emoji need them.
    """
    return not any(
        (unicodedata.category(c) == "Cc" and c != "\n") or unicodedata.bidirectional(c) in _REORDERING for c in text
    )


def is_visible(text: str) -> bool:
    """Whether a text shows anything: not if it is made of spaces, marks with no letter, and what has no width.

    Characters that this Python does not know yet count as visible: next year's emoji is nobody's fault.
    """
    return any(c not in _BLANK and unicodedata.category(c) not in _UNSEEN for c in text)


def is_sentence(text: str) -> bool:
    """Whether a text can be repeated to anybody as it is: one line, plain, with something to see and no link."""
    return is_visible(text) and is_plain(text) and "\n" not in text and _LINK.search(text) is None
