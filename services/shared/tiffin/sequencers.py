"""Which of two events about one object of S3 came later: EventBridge hands them over in any order, and twice."""


def in_order(sequencer: str) -> str:
    """A sequencer of S3's as a text that sorts as S3 means it, so that one comparison says which event was later.

    "Right pad the shorter value with zeros, and then do a lexicographical comparison" (S3 user guide, "Event message
    structure"; editions before 2022 said left). All are padded to the same length here, in the same letters.

    Args:
        sequencer: hexadecimal digits, at most 64.
    """
    return sequencer.lower().ljust(64, "0")
