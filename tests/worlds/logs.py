"""What the services really log, and what they put on their traces.

Powertools' logger keeps the stream that it found when it was made, before any test began. So `capsys` and `capfd` never
see a line of it, and `caplog` sees messages without the keys beside them: a test that looks for a secret there can only
find nothing.
"""

import io
import json
from typing import Any

import pytest
from tiffin.telemetry import logger, tracer


class Log:
    """What is logged and annotated from now on.

    Attributes:
        annotations: what traces can be searched by, as name and value.
    """

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.annotations: list[tuple[str, Any]] = []

    @property
    def text(self) -> str:
        """Every line, as CloudWatch would get it.

        Raises:
            AssertionError: nothing was logged: that something is not in it would say nothing.
        """
        written = self.stream.getvalue()
        assert written, "nothing was logged"
        return written

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The same, read."""
        return [json.loads(line) for line in self.text.splitlines()]


def captured(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Take what is logged and annotated from now on."""
    log = Log()
    monkeypatch.setattr(logger.registered_handler, "stream", log.stream)
    monkeypatch.setattr(tracer, "put_annotation", lambda key, value: log.annotations.append((key, value)))
    return log
