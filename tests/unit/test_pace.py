"""How slow the machine is, and what follows: deadlines and clock are as written on a quiet one, longer on a busy."""

import itertools
from pathlib import Path

import pytest
from laptop import pace
from laptop.clock import Clock, paced
from laptop.pace import Deadline
from laptop.share import slowdown


class Machine:
    """Time on a machine where work takes as many times as long as the processor works on it.

    Attributes:
        shared: by how many this machine's processor is shared.
        now: seconds that have passed.
        worked: seconds that the processor has worked for us.
    """

    def __init__(self, shared: float = 1.0) -> None:
        self.shared, self.now, self.worked = shared, 0.0, 0.0

    def clock(self) -> float:
        return self.now

    def processor(self) -> float:
        return self.worked

    def work(self) -> None:
        self.worked += 0.001
        self.now += 0.001 * self.shared

    def slowdown(self) -> float:
        return slowdown(self.clock, self.processor, self.work)


class TestShare:
    def test_work_on_a_quiet_machine_takes_as_long_as_its_processor_time(self) -> None:
        assert Machine().slowdown() == pytest.approx(1)

    @pytest.mark.parametrize("shared", [2.5, 11, 40])
    def test_work_on_a_shared_processor_takes_as_many_times_as_long(self, shared: float) -> None:
        assert Machine(shared).slowdown() == pytest.approx(shared)

    def test_one_slice_that_was_interrupted_is_no_matter(self) -> None:
        machine = Machine()

        def work() -> None:
            machine.shared = 50 if machine.worked < 0.01 else 1
            machine.work()

        assert slowdown(machine.clock, machine.processor, work) == pytest.approx(1)

    @pytest.mark.parametrize(("shared", "at_most"), [(1, 0.11), (10, 1.1), (100, 2.1)])
    def test_measuring_takes_little_time(self, shared: float, at_most: float) -> None:
        machine = Machine(shared)
        machine.slowdown()
        assert machine.now < at_most


class TestSlowness:
    @pytest.mark.parametrize(("here", "there"), [(1.0, 1.0), (0.9, 0.98), (1.1, 1.05), (1.6, 1.0)])
    def test_a_quiet_machine_is_exactly_as_slow_as_itself(self, here: float, there: float) -> None:
        assert pace.mixed(here, there) == 1

    def test_both_sides_count_by_what_they_have_to_do(self) -> None:
        assert pace.mixed(2.5, 2.5) == 2.5
        assert 2 < pace.mixed(12, 2) < 12
        assert pace.mixed(2, 12) > pace.mixed(12, 2)

    def test_this_machine_can_be_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pace, "_measured", float("-inf"))
        monkeypatch.setattr(pace, "_slowness", 0.0)
        assert pace.measure() >= 1
        assert pace.patience(10) == 10 * pace.slowness()

    def test_a_quiet_moment_between_others_work_is_no_quiet_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pace, "_slowness", 1.0)
        monkeypatch.setattr(pace, "_measured", float("inf"))
        monkeypatch.setenv("TIFFIN_SLOWNESS", "2")
        assert (pace.measure(), pace.slowness(), pace.patience(10)) == (2, 2, 20)
        monkeypatch.setattr(pace, "_slowness", 3.0)
        assert (pace.measure(), pace.slowness(), pace.patience(10)) == (3, 3, 30)


class TestClock:
    def test_a_fast_clock_goes_slower_on_a_slow_machine(self) -> None:
        assert paced(540, 1) == Clock(540, 1)
        assert paced(540, 2.5) == Clock(216, 2.5)
        assert paced(540, 2.5).real_seconds(10_800) == 50

    def test_no_clock_goes_slower_than_the_true_one(self) -> None:
        assert paced(1, 8).rate == 1
        assert paced(4, 8).rate == 1

    def test_work_gets_as_much_more_time_as_the_machine_is_slower(self) -> None:
        assert paced(540, 1).enough_seconds(60) == 60
        assert paced(540, 2.5).enough_seconds(60) == 150

    def test_what_is_written_for_an_emulator_is_read_there(self, tmp_path: Path) -> None:
        for clock in (Clock(540, 1), Clock(216, 2.5)):
            clock.write(tmp_path)
            assert Clock.read(tmp_path) == clock
        assert [path.stat().st_mode & 0o077 for path in tmp_path.iterdir()] == [0]


class TestDeadline:
    """Ten seconds from the moment 0 on."""

    @staticmethod
    def deadline(machine: Machine, besides: float = 0.0) -> Deadline:
        return Deadline(10, besides, machine.clock, lambda: machine.shared)

    @pytest.fixture(autouse=True)
    def quiet_so_far(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TIFFIN_SLOWNESS", raising=False)
        monkeypatch.setattr(pace, "_slowness", 1.0)

    def test_on_a_quiet_machine_it_comes_when_it_should(self) -> None:
        machine = Machine()
        deadline = self.deadline(machine)
        for machine.now, passed in ((0, False), (9.9, False), (10, True), (60, True)):
            assert deadline.passed() is passed

    def test_on_a_machine_that_was_slow_before_it_comes_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pace, "_slowness", 3.0)
        machine = Machine(3)
        deadline = self.deadline(machine)
        assert deadline.left() == 30
        for machine.now, passed in ((29, False), (30, True)):
            assert deadline.passed() is passed

    def test_on_a_machine_that_becomes_slow_it_comes_later(self) -> None:
        machine = Machine()
        deadline = self.deadline(machine)
        machine.now, machine.shared = 12, 4
        assert not deadline.passed()
        assert deadline.left() == 28
        machine.now = 40
        assert deadline.passed()

    def test_time_that_was_slow_counts_as_slow_afterwards(self) -> None:
        machine = Machine()
        deadline = self.deadline(machine)
        machine.now, machine.shared = 12, 4
        deadline.passed()
        machine.shared = 1
        assert not deadline.passed()

    def test_what_takes_its_time_by_a_clock_takes_it_on_every_machine(self) -> None:
        machine = Machine()
        deadline = self.deadline(machine, besides=100)
        machine.now, machine.shared = 111, 2
        assert not deadline.passed()
        assert deadline.left() == 9


def test_who_waits_asks_soon_at_first_and_then_as_often_as_it_was_said() -> None:
    pauses = list(itertools.islice(pace.pauses(0.4), 12))
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 0.4
