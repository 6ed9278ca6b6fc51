"""Estimates: an accepted order gets one, an upload becomes the model in force, and what fails says why."""

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from contracts.schemas import validate
from estimates import api, bucket, consumer, copier
from estimates.bucket import ModelsBucket, Upload
from estimates.model import AcceptedOrder, minutes
from estimates.model_file import ModelFile, UnusableModel
from estimates.models import KEPT, Models
from estimates.operations import Damaged
from estimates.store import EstimateStore
from moto import mock_aws
from tiffin.consumer import NotAnEvent, NotTaken, UnexpectedShape, UnknownEvent, UnknownVersion
from tiffin.money import Money
from tiffin.unmendable import Unmendable
from worlds import feed
from worlds.estimates import KEY, hand_made, model, uploaded
from worlds.gateway import Answer, ask, claims_of, courier, event, restaurant, support
from worlds.logs import captured
from worlds.promotions import order
from worlds.runtime import context
from worlds.templates import create_table

BUCKET = "models"
OTHER = 37
"""Minutes by which a second model differs from the first."""


DATA = feed.event("OrderAccepted", order(1))["detail"]["data"]
CUSTOMER = claims_of(DATA["customer_id"])


class World:
    """A bucket, a folder and a table, with the three functions around them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.s3 = boto3.client("s3", region_name="eu-central-1")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.table = create_table("estimates", "EstimatesTable")
        store = EstimateStore(self.table)
        for module, adapter, made in (
            (consumer, "store", store),
            (consumer, "models", Models(folder)),
            (copier, "models", Models(folder)),
            (copier, "bucket", ModelsBucket(self.s3)),
            (api, "store", store),
        ):
            monkeypatch.setattr(module, adapter, lambda made=made: made)

    def put(self, octets: bytes, sequencer: str = "01") -> dict[str, Any]:
        """Upload, and what S3 tells of it."""
        etag = self.s3.put_object(Bucket=BUCKET, Key=KEY, Body=octets)["ETag"].strip('"')
        return uploaded(octets, etag, sequencer, BUCKET)

    def upload(self, octets: bytes, sequencer: str = "01") -> None:
        copier.handler(self.put(octets, sequencer), context())

    def accept(self, number: int, **data: Any) -> str:
        """An order is accepted, as the bus tells it."""
        happened = feed.event("OrderAccepted", order(number), **data)
        validate(happened)
        consumer.handler(happened, context())
        return order(number)

    def ask(self, order_id: str, claims: dict[str, str] = CUSTOMER) -> Answer:
        return ask(api.handler, event("GET", f"/orders/{order_id}/estimate", claims=claims))

    def rows(self) -> dict[str, Any]:
        return {str(item["order_id"]): item for item in self.table.scan()["Items"]}

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def predicts(self) -> int:
        """Minutes that the model in force gives an order of nobody's, in no row."""
        return minutes(Models(self.folder).current(), AcceptedOrder("r", datetime(2026, 1, 5, tzinfo=UTC), MONEY))


RESTAURANT = DATA["restaurant_id"]
MONEY = Money(amount=2000, currency="EUR")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        yield World(tmp_path, monkeypatch)


class TestAnAcceptedOrder:
    def test_it_gets_an_estimate_that_its_customer_can_read(self, world: World) -> None:
        world.upload(model())
        order_id = world.accept(1)

        answer = world.ask(order_id)

        assert (answer.status, answer.body["order_id"]) == (200, order_id)
        accepted = datetime(2026, 11, 26, 11, 3, 42, 5000, tzinfo=UTC)  # the contract's example
        expected = datetime.fromisoformat(answer.body["expected_at"])
        assert (expected - accepted).total_seconds() == answer.body["minutes"] * 60
        assert 25 < answer.body["minutes"] < 50

    def test_its_row_holds_who_may_see_it_and_goes_after_a_week(self, world: World) -> None:
        world.upload(model())
        order_id = world.accept(1, customer_id="cust-ada")
        row = world.rows()[order_id]
        assert row.keys() == {"order_id", "customer_id", "restaurant_id", "minutes", "accepted_at", "expires_at"}
        assert (row["customer_id"], row["restaurant_id"]) == ("cust-ada", RESTAURANT)
        assert row["accepted_at"] == "2026-11-26T11:03:42.005Z"
        assert row["expires_at"] == datetime(2026, 12, 3, 11, 3, 42, tzinfo=UTC).timestamp()

    def test_told_twice_it_keeps_its_first_estimate(self, world: World) -> None:
        world.upload(model())
        world.accept(1)
        before = world.rows()
        world.upload(model(bias=OTHER), "02")
        world.accept(1)
        world.accept(2)
        assert world.rows()[order(1)] == before[order(1)]
        assert world.rows()[order(2)]["minutes"] == before[order(1)]["minutes"] + OTHER

    @pytest.mark.parametrize("order_id", [order(9), "ord_none"])
    def test_without_an_estimate_it_is_answered_so(self, world: World, order_id: str) -> None:
        answer = world.ask(order_id)
        assert (answer.status, answer.problem) == (404, "no-estimate")

    def test_a_row_that_cannot_be_read_is_told_from_one_that_is_not_there(self, world: World) -> None:
        world.table.put_item(Item={"order_id": order(1), "customer_id": CUSTOMER["sub"], "minutes": "soon"})
        answer = world.ask(order(1))
        assert (answer.status, answer.problem) == (500, "unreadable-record")
        # But not to whose it is not.
        assert world.ask(order(1), claims_of("cust-other")) == world.ask(order(2))

    @pytest.mark.parametrize(
        ("claims", "row_of", "seen"),
        [
            (CUSTOMER, "now", True),
            (claims_of("cust-other"), "now", False),
            (restaurant(RESTAURANT), "now", True),
            (restaurant("sakura"), "now", False),
            (support(), "now", True),
            # Before it was kept whose they are.
            (CUSTOMER, "before", False),
            (restaurant(RESTAURANT), "before", False),
            (support(), "before", True),
        ],
    )
    def test_it_is_seen_by_whose_the_order_is_and_by_support(
        self, world: World, claims: dict[str, str], row_of: str, seen: bool
    ) -> None:
        world.upload(model())
        order_id = world.accept(1)
        if row_of == "before":
            world.table.update_item(Key={"order_id": order_id}, UpdateExpression="REMOVE customer_id, restaurant_id")
        answer = world.ask(order_id, claims)
        assert answer == world.ask("ord_none", claims) if not seen else answer.status == 200

    def test_a_courier_has_no_business_here(self, world: World) -> None:
        assert world.ask(order(1), courier()).problem == "not-your-role"

    def test_what_support_reads_is_logged(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.upload(model())
        order_id = world.accept(1)
        logs = captured(monkeypatch)
        world.ask(order_id, support())
        [line] = [line for line in logs.lines if line["message"] == "Read by support"]
        assert (line["by"], line["order_id"]) == ("support-1", order_id)


class TestWhatCannotBePredicted:
    """Everything is raised: Lambda tries again, and sends event and error to the dead-letter queue."""

    def test_without_a_model_a_later_attempt_succeeds(self, world: World) -> None:
        with pytest.raises(NotTaken, match=r"^NoModel: "):
            world.accept(1)
        assert world.rows() == {}
        world.upload(model())
        world.accept(1)
        assert world.rows().keys() == {order(1)}

    def test_without_a_folder_it_is_the_same(self, world: World) -> None:
        world.folder.rmdir()
        with pytest.raises(NotTaken, match=r"^NoModel: "):
            world.accept(1)

    def test_a_file_that_became_unreadable_says_so(self, world: World) -> None:
        (world.folder / ("f" * 64 + ".safetensors")).write_bytes(b"nothing")
        with pytest.raises(UnusableModel):
            world.accept(1)

    def test_a_refused_write_may_pass(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.upload(model())

        def denied(*_: Any, **__: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "for Ada"}}, "PutItem")

        monkeypatch.setattr(consumer.store()._table, "put_item", denied)
        with pytest.raises(NotTaken, match=r"^ClientError: PutItem: AccessDenied$"):
            world.accept(1)

    @pytest.mark.parametrize(
        ("change", "error", "reason"),
        [
            (lambda e: e.pop("detail"), NotAnEvent, "detail: Field required"),
            (lambda e: e.update({"detail-type": "OrderEaten"}), UnknownEvent, "nobody here reads"),
            (lambda e: e["detail"]["metadata"].update(event_version=2), UnknownVersion, "OrderAccepted"),
            (lambda e: e["detail"]["data"].update(total="Ada"), UnexpectedShape, "total: "),
            (lambda e: e["detail"]["data"].pop("restaurant_id"), UnexpectedShape, "restaurant_id: Field required"),
        ],
        ids=["no detail", "another name", "another version", "another shape", "a lack"],
    )
    def test_an_event_that_nobody_can_read_is_raised_with_the_reason(
        self, world: World, change: Callable[[Any], Any], error: type[Exception], reason: str
    ) -> None:
        world.upload(model())
        bad = copy.deepcopy(feed.event("OrderAccepted", order(1)))
        change(bad)
        with pytest.raises(error, match=reason) as raised:
            consumer.handler(bad, context())
        assert "Ada" not in str(raised.value)
        assert world.rows() == {}

    def test_a_defect_is_raised_without_the_values_in_it(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        logs = captured(monkeypatch)

        def broken() -> None:
            raise ValueError("Ada Lovelace")

        monkeypatch.setattr(consumer, "models", broken)
        with pytest.raises(Unmendable, match=r"^ValueError: in broken") as raised:
            world.accept(1)
        assert "Ada" not in str(raised.value)
        assert "Ada" not in logs.text


class TestAnUpload:
    def test_it_is_in_force_from_the_next_order_on(self, world: World) -> None:
        world.upload(model(), "01")
        first = world.predicts()
        running = consumer.models().current()
        world.upload(model(bias=OTHER), "02")
        assert world.predicts() == first + OTHER
        assert consumer.models().current() is not running
        assert running["bias"][0] + OTHER == pytest.approx(consumer.models().current()["bias"][0], abs=1e-3)

    def test_the_same_file_is_mapped_once(self, world: World) -> None:
        world.upload(model())
        assert consumer.models().current() is consumer.models().current()

    def test_a_large_one_arrives_in_parts_and_whole(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        world.s3.meta.events.register(
            "provide-client-params.s3.GetObject", lambda params, **_: asked.append(params["Range"])
        )
        monkeypatch.setattr(bucket, "PART", 1000)
        world.upload(model(2500))
        assert asked == ["bytes=0-999", "bytes=1000-1999", f"bytes=2000-{len(model(2500)) - 1}"]
        assert (world.folder / world.files()[0]).read_bytes() == model(2500)

    def test_two_are_kept_and_older_ones_removed(self, world: World) -> None:
        for number in range(1, 5):
            world.upload(model(bias=float(number)), f"0{number}")
        assert KEPT == 2
        assert [name[:2] for name in world.files()] == ["03", "04"]

    def test_what_a_copy_that_died_has_left_is_removed(self, world: World) -> None:
        for name, age in (("old.draft", 7200), ("new.draft", 60)):
            (world.folder / name).touch()
            at = datetime.now(UTC).timestamp() - age
            os.utime(world.folder / name, (at, at))
        world.upload(model())
        assert [name for name in world.files() if name.endswith(".draft")] == ["new.draft"]

    def test_told_twice_it_is_copied_once(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        told = world.put(model())
        copier.handler(told, context())
        monkeypatch.setattr(copier, "bucket", lambda: None)
        copier.handler(told, context())
        assert len(world.files()) == 1

    @pytest.mark.parametrize(("older", "newer"), [("01", "02"), ("0AFF", "0B"), ("0a", "0A01"), ("9", "A")])
    def test_an_older_one_that_arrives_late_changes_nothing(self, world: World, older: str, newer: str) -> None:
        late = world.put(model(), older)
        world.upload(model(bias=OTHER), newer)
        before = world.predicts(), world.files()
        world.put(model(), older)  # as if it still lay there: its name alone tells that it is older
        copier.handler(late, context())
        assert (world.predicts(), world.files()) == before

    def test_an_older_one_that_is_copied_at_the_same_time_changes_nothing(self, world: World) -> None:
        """It began first, and ends last."""
        old, new = world.put(model(), "01"), model(bias=OTHER)
        with Models(world.folder).taking_over("01") as slow:
            slow.write(model())
            world.upload(new, "02")
            in_force = world.predicts()
        assert world.predicts() == in_force
        assert old["detail"]["object"]["sequencer"] == "01"

    def test_readers_have_the_old_one_until_all_of_the_new_one_is_there(self, world: World) -> None:
        world.upload(model(), "01")
        before = world.predicts()
        with Models(world.folder).taking_over("02") as file:
            file.write(model(bias=OTHER)[:-1])
            file.flush()
            assert world.predicts() == before
            file.write(model(bias=OTHER)[-1:])
            file.flush()
            assert world.predicts() == before
        assert world.predicts() == before + OTHER

    def test_another_one_that_took_its_place_is_not_taken_for_it(self, world: World) -> None:
        told = world.put(model())
        world.put(model(bias=OTHER))
        copier.handler(told, context())
        assert world.files() == []

    def test_one_that_is_cut_off_on_its_way_is_asked_for_again(self, world: World) -> None:
        told = world.put(model())
        told["detail"]["object"]["size"] += 1
        with pytest.raises(NotTaken, match=r"^Incomplete: "):
            copier.handler(told, context())
        assert world.files() == []

    def test_one_that_was_deleted_meanwhile_is_told(self, world: World) -> None:
        told = world.put(model())
        world.s3.delete_object(Bucket=BUCKET, Key=KEY)
        with pytest.raises(NotTaken, match="GetObject"):  # AccessDenied on AWS: the function may not list the bucket
            copier.handler(told, context())
        assert world.files() == []

    def test_a_bucket_that_does_not_answer_may_do_so_later(self, world: World) -> None:
        parts = ModelsBucket(world.s3).parts(Upload("another-bucket", KEY, 10, "e", "01"))
        with pytest.raises(ClientError, match="NoSuchBucket"):
            next(parts)


def damaged(at: int) -> bytes:
    """A model with one bit of its content turned."""
    octets = bytearray(model(5000))
    octets[at] ^= 1
    return bytes(octets)


class TestABadUpload:
    """It changes nothing, and is raised with the reason."""

    @pytest.mark.parametrize(
        ("octets", "error", "reason"),
        [
            (b"", UnusableModel, "shorter"),
            (b"\x89PNG" + bytes(9000), UnusableModel, "header"),
            (model()[:-4], UnusableModel, "cut off"),
            (hand_made(lambda header: header.pop("hours")), UnusableModel, "hours: there is no such tensor"),
            (hand_made(lambda header: header.pop("__metadata__")), Damaged, "no digest"),
            (damaged(-1), Damaged, "digest is another"),
            (damaged(-4500), Damaged, "digest is another"),
        ],
        ids=["empty", "a picture", "cut off", "a tensor lacks", "no digest", "its end", "its beginning"],
    )
    def test_the_one_before_stays_in_force(
        self, world: World, monkeypatch: pytest.MonkeyPatch, octets: bytes, error: type[Exception], reason: str
    ) -> None:
        monkeypatch.setattr(bucket, "PART", 4096)
        world.upload(model(), "01")
        before = world.predicts(), world.files()
        with pytest.raises(error, match=reason):
            world.upload(octets, "02")
        assert (world.predicts(), world.files()) == before
        world.upload(model(bias=OTHER), "03")
        assert world.predicts() == before[0] + OTHER

    def test_a_copy_that_breaks_off_leaves_nothing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def breaks(self: ModelsBucket, upload: Upload) -> Iterator[bytes]:
            yield model(5000)[:3000]
            raise OSError("gone")

        monkeypatch.setattr(ModelsBucket, "parts", breaks)
        with pytest.raises(NotTaken, match=r"^OSError: "):
            world.upload(model(5000))
        assert world.files() == []

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            ("size", -1),
            ("size", 10**12),
            ("sequencer", "../../etc"),
            ("sequencer", ""),
            ("sequencer", "1" * 65),
            ("etag", 'a"b'),
            ("key", ""),
        ],
    )
    def test_an_event_that_no_s3_sends_is_not_read(self, world: World, place: str, value: Any) -> None:
        told = world.put(model())
        told["detail"]["object"][place] = value
        with pytest.raises(NotAnEvent, match=place):
            copier.handler(told, context())
        assert world.files() == []


def test_the_digest_is_of_all_that_lies_behind_the_header() -> None:
    """As somebody else would check it, with any tool."""
    octets = model(5000)
    length = int.from_bytes(octets[:8], "little")
    said = json.loads(octets[8 : 8 + length])["__metadata__"]["sha256"]
    assert said == hashlib.sha256(octets[8 + length :]).hexdigest()
    assert ModelFile(octets).header.metadata["sha256"] == said
