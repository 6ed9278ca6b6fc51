"""What `make watchers` says of what was heard, and what it will not begin."""

from contextlib import nullcontext
from typing import Any

import pytest
import watchers as command
from lab import watchers
from lab.watchers import Row
from laptop import Stack

WELL = Row("its own orders", 200, 20, [0.1] * 98 + [0.5, 0.9], 0)


def test_a_row_has_the_middle_the_last_but_one_in_a_hundred_and_the_longest() -> None:
    assert (WELL.quantile(0.5), WELL.quantile(0.99), WELL.quantile(1)) == (0.1, 0.9, 0.9)
    assert "| its own orders | 200 | 20 | 100 | 0.10 | 0.90 | 0.90 | 0 |" in command.table([WELL])


@pytest.mark.parametrize(
    ("row", "status"),
    [(WELL, 0), (Row("all orders", 1, 1, [0.1], 1), 1), (Row("all orders", 1, 1, [3.0] * 3, 0), 1)],
    ids=["well", "one lost", "half of them late"],
)
def test_it_fails_if_a_message_is_lost_or_half_come_late(
    monkeypatch: pytest.MonkeyPatch, row: Row, status: int
) -> None:
    def up(**_: Any) -> Any:
        return nullcontext()

    monkeypatch.setattr(Stack, "up", up)
    monkeypatch.setattr(watchers, "measure", lambda *_: [row])
    assert command.main([]) == status


@pytest.mark.parametrize("wrong", [["--watchers", "0"], ["--watchers", "501"], ["--orders", "0"]])
def test_more_than_a_machine_takes_is_refused_before_anything_starts(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "up", lambda **_: pytest.fail("it started"))
    with pytest.raises(SystemExit) as ended:
        command.main(wrong)
    assert ended.value.code == 2
