"""How much faster time passes for Step Functions than for everybody else. What the fillers and the record share.

Scaled: a state machine's `TimeoutSeconds`, the `TimeoutSeconds` of a task that waits for a callback, and, by MiniStack
itself (`SFN_WAIT_SCALE`), `Wait` states and the delay of a retry. Not scaled: the `TimeoutSeconds` of a task that does
real work.
"""

import os

ENV = "TIFFIN_CLOCK"


def real_seconds(seconds: float) -> float:
    """How long a span of Step Functions' time really takes.

    Args:
        seconds: the span, as a state machine's definition has it.
    """
    return seconds / float(os.environ.get(ENV, "1"))
