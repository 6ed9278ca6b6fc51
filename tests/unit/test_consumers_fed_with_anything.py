"""Whatever lies in a queue, a stream or an event: it is taken, or set aside with a reason; nothing fails for ever.

Each real consumer stands over its real tables. Where nothing is wrong with those, nothing may come back: the
same message would fail in the same way each time, and be handed out until it is given up. A dead letter must be such
that SQS takes it. What is invoked without a queue may raise what its destination for failures keeps, and nothing else.
"""

import copy
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import estimates.consumer
import estimates.copier
import kitchens.consumer
import live.consumer
import notifications.consumer
import observability.consumer
import orders.consumer
import promotions.consumer
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from contracts import schemas
from estimates.models import Models
from estimates.store import EstimateStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kitchens.store import KitchenFigures
from live.connections import Connections
from live.parties import Parties
from moto import mock_aws
from notifications.mailer import Mailer
from notifications.store import Sent
from orders.menu_bucket import report_key
from orders.promo_codes import PromoCodeStore
from promotions.operations import Promotions
from promotions.rules import RULES
from promotions.store import PromotionsStore
from pydantic import ValidationError
from tiffin import clients
from tiffin.consumer import NotTaken
from tiffin.unmendable import Unmendable
from worlds import feed
from worlds.aws import before_each_call
from worlds.estimates import model, uploaded
from worlds.logs import captured
from worlds.menus import BUCKET, a_file, a_menu, kitchen
from worlds.promotions import order
from worlds.runtime import context
from worlds.templates import create_table

# The long form of each is for `make test` alone.
OFTEN = pytest.mark.parametrize("examples", [10, pytest.param(200, marks=pytest.mark.generated)])
BATCHED = [
    *(orders.consumer, promotions.consumer, notifications.consumer, observability.consumer, kitchens.consumer),
    live.consumer,
]
QUEUED = [each for each in BATCHED if each is not kitchens.consumer]
READINGS = [(module, name) for module in BATCHED for name in sorted(module.consumer.names)]
# SQS API reference, SendMessage: the characters of a body, and what an attribute holds.
SENDABLE = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(
            "",
            " ",
            "\x00",
            "\ud800",
            "🥡" * 700,
            "x" * 70_000,
            "ord_" + "a" * 26,
            "NaN",
            "../..",
            "${x}",
            "2026-02-30T00:00:00Z",
        ),
        *(
            10**400,
            -(10**400),
            2**63,
            -1,
            0,
            1.5,
            -0.0,
            1e308,
            math.nan,
            math.inf,
            True,
            None,
            [],
            {},
            [[]],
            {"": None},
        ),
        *("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", {"amount": 1, "currency": "EUR"}, {"amount": 2**60}),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DEEP = st.sampled_from(["[" * 50_000, '{"a":' * 50_000, "[" * 5_000 + "]" * 5_000, "9" * 5_000, '{"detail": 1e999999}'])
# What may lie in a queue: SQS lets in no other characters, and no empty message.
BODIES = (TEXTS | JSON.map(json.dumps) | DEEP).filter(SENDABLE.fullmatch)
Place = tuple[Any, ...]
Mutation = tuple[int, str, Any]
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(["replace", "delete", "add", "wrap"]), JSON), min_size=1, max_size=3
)
ORDERS = st.integers(1, 3)


class Queue:
    """A dead-letter queue that takes what SQS takes, and keeps it."""

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []

    def send_message(self, *, MessageBody: str, MessageAttributes: dict[str, Any], **_: Any) -> None:  # noqa: N803
        assert SENDABLE.fullmatch(MessageBody)
        assert set(MessageAttributes) == {"reason", "error_type"}
        for attribute in MessageAttributes.values():
            assert SENDABLE.fullmatch(attribute["StringValue"])
        assert len(MessageBody.encode()) <= 2**20
        self.letters.append({"body": MessageBody} | {k: v["StringValue"] for k, v in MessageAttributes.items()})

    def take(self) -> list[dict[str, Any]]:
        """All that has come since the last time."""
        taken, self.letters = self.letters, []
        return taken


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Queue]:
    """The consumers over their tables; and where all of them set aside what they cannot take."""
    queue = Queue()
    with mock_aws():
        dynamodb = clients.client("dynamodb")
        store = PromotionsStore(create_table("promotions", "PromotionsTable"))
        sent = Sent(create_table("notifications", "SentTable"), pause=lambda _: None)
        figures = KitchenFigures(dynamodb, create_table("kitchens", "FiguresTable").name, pause=lambda _: None)
        stored = EstimateStore(create_table("estimates", "EstimatesTable"))
        mailer = Mailer(SimpleNamespace(send_email=lambda **_: {"MessageId": "m-1"}), "orders@tiffin.example")
        contacts = SimpleNamespace(address=lambda _: "ada@tiffin.example")
        bucket = SimpleNamespace(parts=lambda _: iter([model()]))
        made: list[tuple[ModuleType, str, Any]] = [
            (orders.consumer, "promo_codes", PromoCodeStore(create_table("orders", "PromoCodesTable"))),
            (promotions.consumer, "promotions", Promotions(store, RULES, pause=lambda _: None)),
            (notifications.consumer, "contacts", contacts),
            (notifications.consumer, "sent", sent),
            (notifications.consumer, "mailer", mailer),
            (kitchens.consumer, "figures", figures),
            (live.consumer, "connections", Connections(create_table("live", "ConnectionsTable"))),
            (live.consumer, "parties", Parties(create_table("live", "PartiesTable"))),
            (live.consumer, "posting", SimpleNamespace(tell=list)),
            (estimates.consumer, "store", stored),
            (estimates.consumer, "models", Models(tmp_path)),
            (estimates.copier, "models", Models(tmp_path)),
            (estimates.copier, "bucket", bucket),
        ]
        # What is old is told to nobody, and the examples are.
        monkeypatch.setattr(live.consumer, "is_news", lambda *_: True)
        for module, name, adapter in made:
            monkeypatch.setattr(module, name, lambda adapter=adapter: adapter)
        for module in BATCHED:
            monkeypatch.setitem(module.consumer.__dict__, "_sqs", queue)
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/dead")
        captured(monkeypatch)
        yield queue


def feeding(module: ModuleType, *bodies: Any) -> list[str]:
    """Give a consumer a batch of its queue or stream; what it wants to see again."""
    make = feed.raw_stream if module is kitchens.consumer else feed.raw
    return feed.failures(module.handler(make(*bodies), context()))


def repeatedly(examples: int) -> Callable[[Any], Any]:
    """As often, over tables that keep what was written before: as a queue's do."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(max_examples=examples, suppress_health_check=checks)


def places(document: Any) -> Iterator[Place]:
    """Every place of a document below its root, also of one that is deeper than Python calls."""
    waiting: list[tuple[Place, Any]] = [((), document)]
    while waiting:
        at, node = waiting.pop()
        if at:
            yield at
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        waiting += [((*at, key), child) for key, child in reversed(list(children))]


def test_places_are_found_in_what_is_deeper_than_python_calls() -> None:
    deep: Any = {"last": 1}
    for _ in range(3000):
        deep = [deep]
    assert len(list(places({"first": deep, "then": [2]}))) == 3004


def mutated(document: dict[str, Any], mutations: list[Mutation]) -> dict[str, Any]:
    """A document in which something is replaced, missing, added or one level deeper, at places chosen by number."""
    changed = copy.deepcopy(document)
    for number, how, value in mutations:
        known = list(places(changed))
        if not known:
            break
        # Values are drawn more than once: one that was put into itself by the next mutation would have no end.
        value = copy.deepcopy(value)
        *way, key = known[number % len(known)]
        parent: Any = changed
        for step in way:
            parent = parent[step]
        match how:
            case "replace":
                parent[key] = value
            case "delete":
                del parent[key]
            case "wrap":
                parent[key] = [parent[key]]
            case "add" if isinstance(parent, dict):
                parent[f"{key}_of_tomorrow"] = value
    return changed


def test_what_is_put_into_a_document_stays_as_it_was_drawn() -> None:
    drawn: dict[str, Any] = {"": None}
    for _ in range(3):
        made = mutated({"a": 1}, [(0, "replace", drawn), (1, "add", drawn), (2, "wrap", None)])
        assert made == {"a": {"": None, "_of_tomorrow": [{"": None}]}}
    assert drawn == {"": None}


@OFTEN
@pytest.mark.parametrize("module", BATCHED, ids=lambda module: module.__name__)
def test_what_is_no_event_is_set_aside_with_its_reason(dead: Queue, module: ModuleType, examples: int) -> None:
    @repeatedly(examples)
    @given(st.lists(BODIES, min_size=1, max_size=4))
    def run(bodies: list[str]) -> None:
        dead.take()
        assert feeding(module, *bodies) == []
        letters = dead.take()
        assert [letter["body"] for letter in letters] == bodies
        assert {letter["error_type"] for letter in letters} <= {"NotAnEvent", "UnknownEvent"}

    run()


@OFTEN
def test_octets_in_the_stream_that_are_no_text_are_set_aside_too(dead: Queue, examples: int) -> None:
    @repeatedly(examples)
    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
    def run(records: list[bytes]) -> None:
        dead.take()
        assert feeding(kitchens.consumer, *records) == []
        assert len(dead.take()) == len(records)

    run()


@OFTEN
@pytest.mark.parametrize(("module", "name"), READINGS, ids=lambda value: getattr(value, "__name__", value))
def test_an_event_that_is_not_quite_one_is_taken_or_set_aside_each_time_that_it_comes(
    dead: Queue, module: ModuleType, name: str, examples: int
) -> None:
    @repeatedly(max(examples // 4, 5))
    @given(ORDERS, MUTATIONS)
    def run(number: int, mutations: list[Mutation]) -> None:
        dead.take()
        body = json.dumps(mutated(feed.event(name, order(number)), mutations))
        before, after = (json.dumps(feed.event(name, order(other))) for other in (4, 5))
        for _ in range(2):
            assert feeding(module, before, body, after) == []
            letters = dead.take()
            # Its neighbours take effect whatever it is.
            assert [letter["body"] for letter in letters] in ([], [body])
            assert all(letter["reason"] for letter in letters)

    run()


class Trouble:
    """While it is on, no service answers as it should."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None

        def fail(*_: Any) -> None:
            if self.error:
                raise self.error

        before_each_call(monkeypatch, fail)


PASSING = [
    *(
        ClientError({"Error": {"Code": code, "Message": ""}}, "any")
        for code in ("ProvisionedThroughputExceededException", "InternalServerError", "AccessDeniedException")
    ),
    EndpointConnectionError(endpoint_url="https://dynamodb"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("module", "name"),
    [reading for reading in READINGS if reading[0] is not observability.consumer],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_trouble_of_the_services_around_brings_a_message_back_until_it_is_over(
    dead: Queue, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, error: Exception
) -> None:
    trouble = Trouble(monkeypatch)
    # With a code, as promotions has nothing to do for some ends without one.
    code = schemas.example("PromoCodeIssued")["detail"]["data"]["code"]
    message = feed.event(name, order(1), **({"promo_code": code} if module is promotions.consumer else {}))
    trouble.error = error
    assert len(feeding(module, message)) == 1
    trouble.error = None
    assert feeding(module, message) == []
    assert dead.take() == []


@OFTEN
@pytest.mark.parametrize("what", ["anything", "an event", "an upload"])
def test_what_is_invoked_without_a_queue_raises_only_what_may_be_kept(dead: Queue, what: str, examples: int) -> None:
    estimates.copier.handler(uploaded(model(), "first"), context())
    handler = estimates.copier.handler if what == "an upload" else estimates.consumer.handler
    documents = {
        "anything": JSON,
        "an event": st.builds(lambda n, m: mutated(feed.event("OrderAccepted", order(n)), m), ORDERS, MUTATIONS),
        "an upload": MUTATIONS.map(lambda m: mutated(uploaded(model(), "second", "02"), m)),
    }

    @repeatedly(examples)
    @given(documents[what])
    def run(document: Any) -> None:
        try:
            handler(document, context())
        except Unmendable as kept:
            assert str(kept)
        except NotTaken as missing:
            pytest.fail(f"it would be tried again: {missing}")

    run()
    handler(
        feed.event("OrderAccepted", order(1)) if what != "an upload" else uploaded(model(), "third", "03"), context()
    )


@OFTEN
def test_whatever_file_is_put_there_as_a_menu_takes_effect_or_gets_a_report(
    monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    files = (
        st.binary(max_size=300)
        | JSON.map(lambda v: json.dumps(v).encode())
        | MUTATIONS.map(lambda m: a_file(mutated(a_menu(), m)))
    )

    with kitchen(monkeypatch) as world:

        def reported(put: dict[str, Any]) -> bool:
            file = put["detail"]["object"]
            prefix = report_key(file["key"], file["version-id"])
            return bool(world.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"])

        @repeatedly(examples)
        @given(files)
        def run(content: bytes) -> None:
            row = world.row()
            put = world.put(content)
            world.hear(put)
            # One of the two; and again, as events come at least once, nothing else.
            outcome = reported(put), world.row()
            assert outcome[0] != (outcome[1] != row)
            world.hear(put)
            assert (reported(put), world.row()) == outcome

        run()


@OFTEN
def test_an_event_of_s3_that_is_not_quite_one_changes_no_menu(monkeypatch: pytest.MonkeyPatch, examples: int) -> None:
    with kitchen(monkeypatch) as world:
        world.hear(world.put(a_file(a_menu())))
        row = world.row()
        later = world.put(b"no menu")

        @repeatedly(examples)
        @given(MUTATIONS)
        def run(mutations: list[Mutation]) -> None:
            try:
                world.hear(mutated(later, mutations))
            except ValidationError as error:
                assert "input_value" not in str(error)
            except ClientError as error:
                # The file, or its version, is not there: Lambda tries again twice, and keeps the event.
                assert error.operation_name == "GetObject"
            assert world.row() == row

        run()


def test_every_consumer_of_events_is_fed_here() -> None:
    found = {path.parent.name for path in schemas.EVENTS.parent.glob("services/*/*/consumer.py")} - {"tiffin"}
    assert found == {module.__name__.split(".")[0] for module in (*BATCHED, estimates.consumer)}
