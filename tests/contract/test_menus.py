"""The sample menus are sound, and come into a stack as everybody's menus do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laptop import menus
from laptop.errors import MenuNotTaken
from orders.model import Restaurant
from tiffin.dynamodb import plain
from worlds.menus import BUCKET, MENU, Kitchen, a_file, a_menu, created, kitchen
from worlds.runtime import ENVIRONMENT
from worlds.templates import dynamodb


class OneBucket:
    """A stack with a bucket, a table and what is between them, and nothing else."""

    def __init__(self, world: Kitchen) -> None:
        self.outputs = {"MenusBucketName": BUCKET, "MenusTableName": "MenusTable"}
        self._world, self._puts = world, 0

    def client(self, service: str) -> Any:
        return self if service == "s3" else dynamodb()

    def put_object(self, **given: Any) -> Any:
        """S3's, with all that it sets off."""
        answer = self._world.s3.put_object(**given)
        self._puts += 1
        self._world.hear(created(given["Key"], answer["VersionId"], len(given["Body"]), f"{self._puts:016x}"))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.s3, name)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kitchen]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with kitchen(monkeypatch) as made:
        yield made


def test_there_is_enough_to_choose_from() -> None:
    sound = menus.read()
    assert [f"{menu.restaurant_id}.json" for menu in sound] == [path.name for path in menus.files()]
    assert len(sound) >= 8
    assert sum(len(menu.dishes) for menu in sound) >= 100
    assert len({menu.version for menu in sound}) == len(sound)


def test_loading_twice_leaves_each_restaurant_once(world: Kitchen) -> None:
    stack = OneBucket(world)
    assert menus.seed(stack) == menus.seed(stack) >= 100
    assert len(world.table.scan()["Items"]) == len(menus.files())


def test_loading_mends_a_menu_that_was_changed(world: Kitchen) -> None:
    stack = OneBucket(world)
    menus.seed(stack)
    before = world.row("r-bella-napoli") or {}
    world.table.put_item(Item={"restaurant_id": "r-bella-napoli", "name": "Gone wrong"})
    menus.seed(stack)
    after = world.row("r-bella-napoli") or {}
    assert (after["menu_version"], after["dishes"]) == (before["menu_version"], before["dishes"])


def test_the_orders_service_reads_what_was_loaded(world: Kitchen) -> None:
    menus.seed(OneBucket(world))
    for written in menus.read():
        restaurant = Restaurant.model_validate(plain(world.row(written.restaurant_id)))
        assert (restaurant.currency, restaurant.delivery_fee) == (written.currency, written.delivery_fee)
        assert {d.dish_id: d.price for d in restaurant.dishes} == {d.dish_id: d.price for d in written.dishes}


def test_a_menu_that_is_refused_is_told_with_its_report(world: Kitchen, tmp_path: Path) -> None:
    (tmp_path / "r-bella.json").write_bytes(a_file(a_menu(price=0)))
    with pytest.raises(MenuNotTaken) as told:
        menus.seed(OneBucket(world), tmp_path)
    [fault] = json.loads(str(told.value))["faults"]
    assert (fault["line"], fault["pointer"]) == (14, "/dishes/0/price")
    assert world.row() is None
    with pytest.raises(MenuNotTaken, match=r"r-bella\.json: .*/dishes/0/price"):
        menus.read(tmp_path)


def test_a_menu_of_ones_own_is_put_the_same_way(world: Kitchen, tmp_path: Path) -> None:
    (tmp_path / "r-bella.json").write_bytes(a_file(MENU))
    assert menus.seed(OneBucket(world), tmp_path) == 1
    assert world.price() == 950
