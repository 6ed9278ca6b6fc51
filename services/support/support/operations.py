"""Telling a story: from what was told a moment ago, or by reading it, once for all who ask at that time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError
from tiffin.models import BaseModel
from tiffin.telemetry import logger, metrics

from support import story, timeline
from support.facts import PASSING
from support.live import Live, OutOfTime
from support.store import Kept, StoryStore
from support.views import OrderStory, WorkflowDefinition, WorkflowDefinitions, WorkflowKind, view

View = TypeVar("View", bound=BaseModel)

# How long, in seconds, a story is told again as it was read. Whoever presses reload then asks one table, and neither
# Step Functions nor CloudWatch Logs, whose `FilterLogEvents` lets five calls a second through for all of an account,
# and nobody raises that (AWS re:Post, "How do I determine throttling in my CloudWatch logs?"): a story takes four.
WHILE_OPEN = 5
"""It moves on; seconds are what a person notices late."""
JUST_ENDED, LATE = 15, 300
"""X-Ray shows a trace up to a minute after its end, and an order's last consumers come after that: until `LATE`
seconds after its end a story still grows."""
ONCE_ENDED = 600
"""Nothing comes any more, but for a letter that somebody sends back."""
IN_PART = 10
"""What is missing and may be had: asking again at once is what was too much."""
DEPLOYED = 60
"""Definitions: a deployment takes longer."""
STALE = 60
"""How old a story may be that is told while somebody else reads it anew."""
DEFINITIONS = "#definitions"
"""By what they are kept: no order is called so."""


class StillBeingRead(Exception):
    """Reading the story takes longer than whoever asks can wait; mostly somebody else reads it, and is not done yet."""


class Stories:
    """What support asks.

    Args:
        live: where it is read.
        store: what was told.
        reads: seconds within which a story has been read, or will not be.
        patience: seconds to wait for somebody else's reading.
        now: the time, in epoch seconds.
        pause: waits for seconds.
    """

    def __init__(
        self,
        live: Live,
        store: StoryStore,
        reads: float,
        patience: float,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._live, self._store, self._reads, self._patience = live, store, reads, patience
        self._now, self._pause = now, pause

    def of(self, order_id: str) -> OrderStory:
        """An order's story.

        Raises:
            UnknownOrder: there is none.
            StillBeingRead: see there.
        """
        return self._told(order_id, OrderStory, partial(self._read, order_id), _fresh_for)

    def definitions(self) -> WorkflowDefinitions:
        """The workflows as they are deployed.

        Raises:
            StillBeingRead: see there.
        """

        def read(_: float) -> WorkflowDefinitions:
            found = self._live.definitions()
            return WorkflowDefinitions(
                workflows=[
                    WorkflowDefinition(kind=WorkflowKind(kind), definition=definition)
                    for kind, definition in found.items()
                ]
            )

        return self._told(DEFINITIONS, WorkflowDefinitions, read, lambda _: DEPLOYED)

    def _read(self, order_id: str, spent: float) -> OrderStory:
        now = self._now()
        try:
            told = timeline.build(self._live.facts(order_id, spent))
        except OutOfTime:
            raise StillBeingRead from None
        return view(told, story.tell(told, now), datetime.fromtimestamp(now, UTC))

    def _told(
        self, key: str, model: type[View], read: Callable[[float], View], fresh_for: Callable[[View], float]
    ) -> View:
        """What is kept, or is read now.

        Args:
            key: by which it is kept.
            model: of it.
            read: reads it, given how many seconds are gone since it was asked for.
            fresh_for: how many seconds it may be told again.
        """
        asked = now = self._now()
        while True:
            kept = self._store.find(key)
            if known := _fresh(model, kept, now):
                return known
            # Whoever reads may give up, or find it too large to be kept. Then who waited reads, unless most of the time
            # is gone: all would be told half a story.
            if now <= asked + self._patience / 2 and self._store.begin(key, now, now + self._reads):
                # Between the look and this turn somebody may have read it, and be done.
                if known := _fresh(model, self._store.find(key), now):
                    self._give_up(key)
                    return known
                return self._anew(key, asked, read, fresh_for)
            if kept and now < kept.told + STALE and (known := _parsed(model, kept)):
                return known
            if now >= asked + self._patience:
                raise StillBeingRead
            self._pause(0.25)
            now = self._now()

    def _anew(self, key: str, asked: float, read: Callable[[float], View], fresh_for: Callable[[View], float]) -> View:
        now = self._now()
        try:
            found = read(now - asked)
        except BaseException:
            self._give_up(key)
            raise
        metrics.add_metric("StoriesRead", MetricUnit.Count, 1)
        if isinstance(found, OrderStory) and any(one.reason in PASSING for one in found.missing):
            metrics.add_metric("StoriesInPart", MetricUnit.Count, 1)
        try:
            self._store.keep(key, Kept(found.model_dump_json(), now, self._now() + fresh_for(found)))
        except (ClientError, BotoCoreError) as error:
            # It was read, and is told; the next one reads it anew.
            logger.warning("A story is not kept", error_type=type(error).__name__)
            self._give_up(key)
        return found

    def _give_up(self, key: str) -> None:
        try:
            self._store.give_up(key)
        except (ClientError, BotoCoreError) as error:
            # Others wait until it must have been read. Why it was not is what whoever asked is told.
            logger.warning("Others wait for a story that nobody reads", error_type=type(error).__name__)


def _fresh_for(told: OrderStory) -> float:
    """How many seconds a story may be told again."""
    if any(one.reason in PASSING for one in told.missing):
        return IN_PART
    if told.ended_at is None:
        return WHILE_OPEN
    return JUST_ENDED if (told.told_at - told.ended_at).total_seconds() < LATE else ONCE_ENDED


def _fresh(model: type[View], kept: Kept | None, now: float) -> View | None:
    """A story as it is kept, if it may be told again; None if it may not."""
    return _parsed(model, kept) if kept and now < kept.fresh_until else None


def _parsed(model: type[View], kept: Kept) -> View | None:
    """A story as it is kept; None if the version that kept it had other views."""
    try:
        return model.model_validate_json(kept.text)
    except ValidationError:
        return None
