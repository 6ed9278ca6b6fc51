"""Files that were put into the bucket of menus: what takes effect, what is reported, and what neither."""

import json
import threading
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ClientError
from orders.menu_rules import MOST_BYTES, Menu
from orders.menus import MenuStore
from pydantic import ValidationError
from tiffin.dynamodb import plain
from tiffin.telemetry import metrics
from worlds.logs import captured
from worlds.menus import MENU, Kitchen, a_file, a_menu, kitchen

SECRET = "Nonna's own"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kitchen]:
    with kitchen(monkeypatch) as made:
        yield made


def test_a_sound_file_becomes_the_row_in_one_write(world: Kitchen) -> None:
    event = world.put(a_file(MENU))
    world.hear(event)
    seen = event["detail"]["object"]
    assert plain(world.row()) == MENU | {
        "menu_version": Menu.model_validate(MENU).version,
        "file_order": seen["sequencer"].ljust(64, "0"),
        "file_version": seen["version-id"],
        "listed": "restaurant",
    }
    assert world.reports() == {}


def test_what_the_file_no_longer_says_is_gone_from_the_row(world: Kitchen) -> None:
    world.table.put_item(Item=MENU | {"restaurant_id": "r-bella", "dishes": [], "closed_on": "Monday"})
    world.hear(world.put(a_file(MENU)))
    row = world.row() or {}
    assert "closed_on" not in row
    assert world.price() == 950


class TestHowFilesArrive:
    """At least once, in any order (S3 user guide, "Event ordering and duplicate events")."""

    @pytest.mark.parametrize("arrival", permutations(range(3)))
    @pytest.mark.parametrize("twice", [False, True])
    def test_the_latest_is_in_effect_whatever_came_when(
        self, world: Kitchen, arrival: tuple[int, ...], twice: bool
    ) -> None:
        events = [world.put(a_file(a_menu(price))) for price in (900, 950, 1000)]
        for number in arrival:
            for _ in range(1 + twice):
                world.hear(events[number])
        assert world.price() == 1000
        assert (world.row() or {})["file_version"] == events[2]["detail"]["object"]["version-id"]

    def test_what_is_in_effect_never_goes_back(self, world: Kitchen) -> None:
        early, late = (world.put(a_file(a_menu(price))) for price in (900, 1000))
        seen = []
        for event in (early, late, early, late):
            world.hear(event)
            seen.append(world.price())
        assert seen == [900, 1000, 1000, 1000]

    def test_an_event_is_of_its_own_version_though_the_file_was_replaced_since(self, world: Kitchen) -> None:
        early = world.put(a_file(a_menu(900)))
        world.put(a_file(a_menu(1000)))
        world.hear(early)
        assert world.price() == 900

    def test_a_bad_file_between_two_good_ones_changes_nothing(self, world: Kitchen) -> None:
        good, bad = world.put(a_file(a_menu(900))), world.put(b"{}")
        world.hear(bad)
        assert world.row() is None
        world.hear(good)
        assert world.price() == 900

    def test_a_row_of_before_there_were_files_is_replaced(self, world: Kitchen) -> None:
        world.table.put_item(Item=a_menu(100))
        world.hear(world.put(a_file(a_menu(900))))
        assert world.price() == 900

    def test_an_earlier_version_that_is_copied_back_is_a_later_file(self, world: Kitchen) -> None:
        first, second = world.put(a_file(a_menu(900))), world.put(a_file(a_menu(1000)))
        for event in (first, second, world.put(a_file(a_menu(900)))):
            world.hear(event)
        assert world.price() == 900


class TestTwoAtOnce:
    """Each has read and judged its file; then the other writes first."""

    @pytest.mark.parametrize("slow_is_later", [True, False])
    def test_the_later_file_is_in_effect_whoever_writes_last(
        self, world: Kitchen, monkeypatch: pytest.MonkeyPatch, slow_is_later: bool
    ) -> None:
        events = [world.put(a_file(a_menu(price))) for price in (900, 1000)]
        slow, quick = (events[1], events[0]) if slow_is_later else (events[0], events[1])
        replace, meanwhile = MenuStore.replace, [lambda: world.hear(quick)]

        def interrupted(*arguments: Any) -> bool:
            while meanwhile:
                meanwhile.pop()()
            return replace(*arguments)

        monkeypatch.setattr(MenuStore, "replace", interrupted)
        world.hear(slow)
        assert world.price() == 1000

    def test_many_at_once_leave_the_latest(self, world: Kitchen) -> None:
        store = MenuStore(world.table)
        menus = [Menu.model_validate(a_menu(900 + n)) for n in range(8)]
        together = threading.Barrier(8)

        def take(number: int) -> None:
            together.wait()
            store.replace(menus[number], f"{number:064x}", f"v{number}")

        threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert world.price() == 907


class TestBadFile:
    def test_it_changes_nothing_and_is_reported_by_its_key_and_its_version(self, world: Kitchen) -> None:
        world.hear(world.put(a_file(MENU)))
        before = world.row()
        event = world.put(a_file(a_menu(955, currency="KWD", name=SECRET)))
        world.hear(event)
        assert world.row() == before
        version = event["detail"]["object"]["version-id"]
        steps = "cards are charged in steps of KWD 0.010"
        assert world.reports() == {
            f"reports/r-bella.json/{version}.json": {
                "key": "r-bella.json",
                "version_id": version,
                "faults": [{"line": 14, "pointer": "/dishes/0/price", "reason": steps}],
                "more": 0,
            }
        }

    def test_it_is_reported_once_though_it_comes_twice(self, world: Kitchen) -> None:
        event = world.put(b"")
        world.hear(event)
        world.hear(event)
        assert len(world.reports()) == 1

    @pytest.mark.parametrize(
        ("key", "content"),
        [
            ("menus/r-bella.json", a_file(MENU)),
            ("r-bella.txt", a_file(MENU)),
            ("r-other.json", a_file(MENU)),
            ("r-bella.json", b"\xff\xfe{\x00}\x00"),
            ("r-bella.json", b"[" * 10_000),
            ("r-" + "é" * 511 + ".json"[:-4], b"{}"),
        ],
        ids=["nested", "no json", "another's", "utf-16", "deep", "a long name"],
    )
    def test_each_kind_is_reported_and_changes_nothing(self, world: Kitchen, key: str, content: bytes) -> None:
        world.hear(world.put(content, key))
        [(name, report)] = world.reports().items()
        assert len(name.encode()) <= 1024
        assert (report["key"], len(report["faults"])) == (key, 1)
        assert world.table.scan()["Items"] == []

    def test_one_that_is_too_large_is_refused_unread(self, world: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
        event = world.put(b" ", size=MOST_BYTES + 1)
        world.s3.delete_object(Bucket="menus", Key="r-bella.json", VersionId=event["detail"]["object"]["version-id"])
        world.hear(event)
        [report] = world.reports().values()
        assert report["faults"] == [{"line": None, "pointer": "", "reason": "larger than 262144 bytes"}]

    def test_one_that_is_larger_than_its_event_says_is_read_no_further(self, world: Kitchen) -> None:
        world.hear(world.put(b" " * (2 * MOST_BYTES), size=10))
        [report] = world.reports().values()
        assert report["faults"] == [{"line": None, "pointer": "", "reason": "larger than 262144 bytes"}]

    def test_a_folder_is_no_file(self, world: Kitchen) -> None:
        world.hear(world.put(b"", "old menus/"))
        assert (world.reports(), world.table.scan()["Items"]) == ({}, [])


class TestTrouble:
    """Whatever goes wrong here is raised: Lambda tries again, and keeps the event in the end."""

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda e: e.pop("detail"),
            lambda e: e["detail"]["object"].pop("version-id"),
            lambda e: e["detail"]["object"].pop("sequencer"),
            lambda e: e["detail"]["object"].update(sequencer="no hex"),
            lambda e: e["detail"]["object"].update(sequencer="1" * 65),
            lambda e: e["detail"]["object"].update(key=""),
            lambda e: e["detail"]["object"].update(key="k" * 1025),
            lambda e: e["detail"]["object"].update(size=-1),
            lambda e: e["detail"]["object"].update({"version-id": "v\n"}),
            lambda e: e.update({"detail-type": "Object Deleted"}),
            lambda e: e.update(source="somebody"),
        ],
        ids=[
            *("nothing", "no version", "no sequencer", "letters", "long sequencer", "no key", "long key"),
            *("negative", "line end", "deleted", "another source"),
        ],
    )
    def test_an_event_of_another_shape_changes_nothing_and_is_raised_without_its_values(
        self, world: Kitchen, spoil: Callable[[dict[str, Any]], object]
    ) -> None:
        event = world.put(a_file(MENU))
        spoil(event)
        with pytest.raises(ValidationError) as raised:
            world.hear(event)
        assert "input_value" not in str(raised.value)
        assert (world.row(), world.reports()) == (None, {})

    def test_a_table_that_is_gone_is_raised_and_the_same_event_later_takes_effect(
        self, world: Kitchen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = world.put(a_file(MENU))
        with monkeypatch.context() as broken:
            error = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "PutItem")
            broken.setattr(MenuStore, "replace", raising(error))
            with pytest.raises(ClientError):
                world.hear(event)
        assert world.reports() == {}
        world.hear(event)
        assert world.price() == 950

    def test_a_version_that_is_gone_is_raised(self, world: Kitchen) -> None:
        event = world.put(a_file(MENU))
        world.s3.delete_object(Bucket="menus", Key="r-bella.json", VersionId=event["detail"]["object"]["version-id"])
        with pytest.raises(ClientError):
            world.hear(event)

    def test_a_file_that_is_deleted_takes_no_restaurant_off(self, world: Kitchen) -> None:
        world.hear(world.put(a_file(MENU)))
        world.s3.delete_object(Bucket="menus", Key="r-bella.json")
        assert world.price() == 950


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


class TestWhatIsSaid:
    def test_logs_and_traces_tell_what_became_of_a_file_and_nothing_that_is_in_it(
        self, world: Kitchen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = captured(monkeypatch)
        good = world.put(a_file(a_menu(name=SECRET)))
        world.hear(good)
        world.hear(good)
        world.hear(world.put(a_file({SECRET: 1}), f"{SECRET}.json"))
        world.hear(world.put(b"", f"{SECRET}/"))
        told = [(line["message"], line.get("restaurant_id"), line["faults"]) for line in log.lines]
        assert told == [
            ("Menu: taken", "r-bella", 0),
            ("Menu: overtaken", "r-bella", 0),
            ("Menu: refused", None, 1),
            ("Menu: no-file", None, 0),
        ]
        assert SECRET not in log.text + json.dumps(log.annotations)
        assert [value for name, value in log.annotations if name == "outcome"] == [
            *("menu-taken", "menu-overtaken", "menu-refused", "menu-no-file"),
        ]

    def test_what_was_taken_and_what_was_refused_is_counted(
        self, world: Kitchen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counted: list[str] = []
        monkeypatch.setattr(metrics, "add_metric", lambda name, *_: counted.append(name))
        good = world.put(a_file(MENU))
        for event in (good, good, world.put(b"")):
            world.hear(event)
        assert counted == ["MenusTaken", "MenusRefused"]
