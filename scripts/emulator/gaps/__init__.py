"""What MiniStack lacks and Tiffin relies on: one module per behaviour of AWS, each applied before the emulator starts.

A filler wraps a function of MiniStack 1.5.33 and changes what comes out of it; it never changes Tiffin. A module says which
behaviour of AWS it stands for, and where AWS documents it. `fill` fails loudly if MiniStack no longer has what is wrapped.
"""

from . import nested_sam

ALL = (nested_sam,)


def fill() -> None:
    """Apply every filler."""
    for gap in ALL:
        gap.fill()
