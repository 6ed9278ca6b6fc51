"""Taking in what happened to orders, such that any event may come twice, late, or at the same time as another one.

A customer is read, what the news changes is decided, and the change is written on the condition that nobody changed the
customer meanwhile. If somebody did, it is read and decided again.
"""

import random
import time
from collections.abc import Callable, Sequence

from tiffin.unmendable import Unmendable, reason

from promotions.ledger import Announcement, News, decide
from promotions.model import Rule
from promotions.store import BudgetSpent, Overtaken, PromotionsStore

ATTEMPTS = 8
_LONGEST_PAUSE = 0.4


class TooMuchContention(Exception):
    """Other consumers kept changing the same customer: try again later."""


class RulesFailed(Unmendable):
    """Rules failed; everything else of the event is written.

    No retry mends a rule: the event belongs in the dead-letter queue. Sent back from there once the rule is mended, it
    gives what is owed, as rules look at the whole history; so does the customer's next event.

    Attributes:
        rules: names of those that failed.
        announced: what was announced of the others.
    """

    def __init__(self, failed: Sequence[tuple[str, Exception]], announced: list[Announcement]) -> None:
        super().__init__("; ".join(f"{rule}: {type(e).__name__} {reason(e)}" for rule, e in failed))
        self.rules, self.announced = tuple(rule for rule, _ in failed), announced


class Promotions:
    """The service's use cases.

    Args:
        store: the promotions table.
        rules: the rules in force.
        pause: called with seconds to wait before another attempt.
    """

    def __init__(
        self, store: PromotionsStore, rules: Sequence[Rule], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._store, self._rules, self._pause = store, rules, pause

    def record(self, news: News, trace_header: str) -> list[Announcement]:
        """Take in what an event says: once, however often it is called and whoever else is at it.

        Args:
            news: what the event says.
            trace_header: X-Ray header of the request that caused it, carried along in what is announced.

        Returns:
            What was announced; nothing if the event says nothing new.

        Raises:
            TooMuchContention: others kept winning; nothing that was begun is left half done.
            RulesFailed: some rules failed; what the others gave is written and announced.
        """
        announced: list[Announcement] = []
        if not news.matters:
            return announced
        exhausted: frozenset[str] = frozenset()
        attempt = 0
        while attempt < ATTEMPTS:
            customer = self._store.customer(news.customer_id)
            change = decide(customer, news, self._rules, exhausted)
            try:
                if change:
                    self._store.commit(customer, change, trace_header)
            except Overtaken:
                attempt += 1
                self._pause(random.uniform(0, min(_LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311 - jitter
                continue
            except BudgetSpent as nothing_left:
                exhausted |= {nothing_left.campaign}
                continue
            announced.extend(change.announcements)
            if change.partial:
                continue
            if change.failed:
                raise RulesFailed(change.failed, announced)
            return announced
        raise TooMuchContention(f"not recorded after {ATTEMPTS} attempts")
