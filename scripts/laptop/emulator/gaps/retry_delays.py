"""A retrier's `MaxDelaySeconds` caps its delay, and `JitterStrategy` FULL spreads it from nothing to the full delay.

Source: Step Functions developer guide, "Handling errors in Step Functions workflows", "Retry field examples".
MiniStack knows neither field.
"""

import random
from typing import Any

from ministack.services import stepfunctions


def fill() -> None:
    """Hand out each matching retrier with the delay of this attempt as its whole interval."""
    find = stepfunctions._find_matching_retrier

    def find_matching_retrier(retriers: list[dict[str, Any]], error: str, counts: dict[int, int]) -> Any:
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return retrier, index
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)  # noqa: S311 - it only spreads load
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, index

    stepfunctions._find_matching_retrier = find_matching_retrier
