"""The way out: messages to open connections, many at once and never too many."""

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError
from tiffin.telemetry import logger, metrics

from live.connections import Connection, Connections

AT_ONCE = 16
"""How many messages are under way at the same time; each has a connection to API Gateway of its own."""
PATIENCE = 2.0
"""Seconds of telling, after which nobody else is told of the same event: it is no live news then."""
_GONE = "GoneException"
_SENT, _WAS_GONE = "sent", "gone"


class Posting:
    """Tells connections, each by itself: one that is slow, full or broken is its own trouble and nobody else's.

    Args:
        client: of API Gateway's management API. One attempt: news that is late is overtaken by the next look.
        connections: who listens.
    """

    def __init__(self, client: Any, connections: Connections) -> None:
        self._client, self._connections = client, connections

    def tell(self, hearers: Iterable[tuple[Connection, bytes]]) -> None:
        """Send each its message. Nothing is raised over one that did not get it: it is counted.

        Args:
            hearers: who is told, and what: a JSON document.
        """
        # Found first: a table that is slow to say who listens takes nothing of the time to tell them.
        found = list(hearers)
        until = time.monotonic() + PATIENCE
        with ThreadPoolExecutor(AT_ONCE) as threads:
            # Each in a copy of this context, so that its part of the trace hangs where it belongs.
            sent = [threads.submit(copy_context().run, self._post, hearer, message, until) for hearer, message in found]
        outcomes = Counter(each.result() for each in sent)
        if many := outcomes.pop(_SENT, 0):
            metrics.add_metric("MessagesSent", MetricUnit.Count, many)
        if many := outcomes.pop(_WAS_GONE, 0):
            metrics.add_metric("ConnectionsGone", MetricUnit.Count, many)
        if outcomes:
            # One line, however many: thousands of listeners would be thousands of lines.
            metrics.add_metric("MessagesLost", MetricUnit.Count, outcomes.total())
            logger.warning("Messages not sent", reasons=dict(outcomes))

    def _post(self, hearer: Connection, message: bytes, until: float) -> str:
        """Send one message; returns that it was sent, that the connection is gone, or why it is lost."""
        if time.monotonic() > until:
            return "late"
        try:
            self._client.post_to_connection(ConnectionId=hearer.id, Data=message)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return self._gone(hearer) if code == _GONE else code
        except BotoCoreError as error:
            return type(error).__name__
        return _SENT

    def _gone(self, hearer: Connection) -> str:
        # Of a handshake that is not over API Gateway says the same (AWS re:Post, "410 GoneException errors"). Forgotten
        # now, it would be open and hear nothing. Who connects looks once it is open, and misses nothing by this.
        if not hearer.may_be_opening(datetime.now(UTC)):
            try:
                self._connections.remove(hearer)
            except (ClientError, BotoCoreError) as error:
                # The next message finds it gone as well.
                logger.warning("A connection that is gone is not forgotten yet", error_type=type(error).__name__)
        return _WAS_GONE
