"""A day on which every function is called for everything that it does, and for some that it refuses.

It is lived once, for four questions that concern all of them: what of a customer is in a log line, a metric or a
trace; which metrics are counted, and how; which reads of a table are consistent; and that none reads a table from end
to end.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import ModuleType
from typing import Any

import estimates.api
import estimates.consumer
import estimates.copier
import kitchens.consumer
import live.api
import live.consumer
import live.gate
import notifications.consumer
import observability.consumer
import orders.api
import orders.consumer
import orders.limits
import orders.menu_files
import orders.reconciler
import payments.handler
import promotions.api
import promotions.consumer
import pytest
from aws_lambda_powertools.metrics.provider import cold_start
from botocore.exceptions import ClientError
from estimates.models import Models
from estimates.store import EstimateStore
from kitchens.store import KitchenFigures
from live.connections import Connections
from live.parties import Parties
from live.posting import Posting
from live.tickets import Tickets
from notifications.contacts import Contacts
from notifications.mailer import Mailer
from notifications.store import Sent
from orders.store import OrderStore
from promotions.model import code_for
from promotions.operations import Promotions
from promotions.rules import RULES
from promotions.store import PromotionsStore
from support import api as support_api
from support.live import Live
from support.operations import Stories
from support.store import StoryStore
from tiffin import outbox, telemetry
from tiffin.consumer import NotTaken
from tiffin.events import rfc3339
from tiffin.unmendable import Unmendable
from worlds import ROOT, feed
from worlds.aws import before_each_call
from worlds.doors import Doors
from worlds.estimates import model, uploaded
from worlds.gateway import ask, claims_of, event, support
from worlds.menus import BUCKET, MENU, Kitchen, a_file
from worlds.orders import orders_world
from worlds.pool import FakePool
from worlds.runtime import ENVIRONMENT, context
from worlds.support import LIMITS, PLACES, Aws
from worlds.templates import applications, create_table, functions, resources, table
from worlds.workflows import FakeUnwindWorkflow

FUNCTIONS: list[ModuleType] = [
    *(orders.api, orders.consumer, orders.reconciler, orders.menu_files, payments.handler, promotions.api),
    *(promotions.consumer, notifications.consumer, observability.consumer, kitchens.consumer, outbox),
    *(estimates.api, estimates.consumer, estimates.copier, support_api),
    *(live.api, live.gate, live.consumer),
]
CUSTOMER = "cust-5f1c7a52-8f0b-4f43"
PERSONAL = {
    "customer": CUSTOMER,
    "name": "Ada Lovelace",
    "address": "1 Analytical Row",
    "note": "ring thrice",
    "e-mail": "ada@tiffin.example",
    "payment method": "pm_card",
}
WELCOME = code_for(CUSTOMER, "WELCOME_BACK", "WELCOME")


class Day:
    """What was written, read and annotated, by the function in which it was.

    Attributes:
        written: log lines and metrics.
        annotations: of traces.
        reads: function, operation, table, index, and whether the read was consistent.
        operations: what each function asked AWS for.
    """

    def __init__(self) -> None:
        self.written: dict[str, StringIO] = {module.__name__: StringIO() for module in FUNCTIONS}
        self.annotations: dict[str, list[tuple[str, str]]] = {module.__name__: [] for module in FUNCTIONS}
        self.reads: set[tuple[str, str, str, str | None, bool]] = set()
        self.operations: dict[str, set[str]] = defaultdict(set)
        self._now: str | None = None

    @contextmanager
    def inside(self, function: str) -> Iterator[None]:
        """While one function runs."""
        self._now, before = function, self._now
        stream, handler = self.written[function], telemetry.logger.registered_handler
        kept, handler.stream = handler.stream, stream  # type: ignore[attr-defined]
        cold_start.is_cold_start = True
        try:
            with redirect_stdout(stream):
                yield
        finally:
            handler.stream = kept  # type: ignore[attr-defined]
            self._now = before

    def annotated(self, key: str, value: str) -> None:
        if self._now:
            self.annotations[self._now].append((key, value))

    def called(self, operation: str, parameters: Mapping[str, Any]) -> None:
        if not self._now:
            return
        self.operations[self._now].add(operation)
        if operation in ("GetItem", "Query", "BatchGetItem", "TransactGetItems", "Scan"):
            index = parameters.get("IndexName")
            for table, asked in parameters.get("RequestItems", {parameters.get("TableName"): parameters}).items():
                self.reads.add((self._now, operation, table, index, bool(asked.get("ConsistentRead"))))

    def counted(self, function: str) -> Iterator[tuple[str, str, frozenset[str]]]:
        """Name, unit and dimensions of each metric that a function counted, the service's own left out."""
        for line in self.written[function].getvalue().splitlines():
            for directive in json.loads(line).get("_aws", {}).get("CloudWatchMetrics", []):
                [dimensions] = directive["Dimensions"]
                for metric in directive["Metrics"]:
                    yield metric["Name"], metric["Unit"], frozenset(dimensions) - {"service"}


def refusing(error: str, says: object = PERSONAL) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": error, "Message": str(says)}}, "any")

    return refuse


class Ses:
    """Takes mails, or none."""

    refuses = False

    def send_email(self, **request: Any) -> Any:
        return refusing("TooManyRequestsException")() if self.refuses else {"MessageId": "m-1"}


class Bus:
    """Takes all events, or none."""

    takes = True

    def put_events(self, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        return {"Entries": [{} if self.takes else {"ErrorCode": "InternalFailure"} for _ in Entries]}


class Sockets:
    """API Gateway, to which one of the connections is gone, and another too slow."""

    def post_to_connection(self, ConnectionId: str, Data: bytes) -> None:  # noqa: N803 - boto3's
        if ConnectionId != "well":
            code = {"gone": "GoneException", "lost": "LimitExceededException"}[ConnectionId]
            raise ClientError({"Error": {"Code": code, "Message": CUSTOMER}}, "PostToConnection")


class World:
    """All services in one process."""

    def __init__(self, day: Day, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day, self.doors, self.patch = day, doors, monkeypatch
        self.promotions = create_table("promotions", "PromotionsTable")
        self.contacts = FakePool()
        pool: Any = self.contacts
        self.figures = create_table("kitchens", "FiguresTable")
        sent = Sent(create_table("notifications", "SentTable"), pause=lambda _: None)
        store = PromotionsStore(self.promotions)
        self.ses, self.bus, self.unwinds = Ses(), Bus(), FakeUnwindWorkflow()
        self.models, self.octets = Path(mkdtemp()), b""
        self.estimates = EstimateStore(create_table("estimates", "EstimatesTable"))
        self.tickets = Tickets(create_table("live", "TicketsTable"))
        self.connections = Connections(create_table("live", "ConnectionsTable"))
        parties = Parties(create_table("live", "PartiesTable"))
        mailer = Mailer(self.ses, "orders@tiffin.example")
        self.rules = [*RULES]
        for module, adapter, made in (
            (orders.consumer, "promo_codes", orders.api.promo_codes()),
            (orders.reconciler, "store", OrderStore(orders.api.store()._table)),
            (orders.reconciler, "workflow", doors.api.workflow),
            (orders.reconciler, "unwind", self.unwinds),
            (promotions.api, "store", store),
            (promotions.consumer, "promotions", Promotions(store, self.rules, pause=lambda _: None)),
            (notifications.consumer, "contacts", Contacts(pool, "pool")),
            (notifications.consumer, "sent", sent),
            (notifications.consumer, "mailer", mailer),
            (kitchens.consumer, "figures", KitchenFigures(doors.dynamodb, self.figures.name, pause=lambda _: None)),
            *((module, "tickets", self.tickets) for module in (live.api, live.gate)),
            *((module, "connections", self.connections) for module in (live.api, live.gate, live.consumer)),
            (live.consumer, "parties", parties),
            (live.consumer, "posting", Posting(Sockets(), self.connections)),
            (estimates.api, "store", self.estimates),
            (estimates.consumer, "store", self.estimates),
            (estimates.consumer, "models", Models(self.models)),
            (estimates.copier, "models", Models(self.models)),
            (estimates.copier, "bucket", self),
            (outbox, "_bus", self.bus),
        ):
            monkeypatch.setattr(module, adapter, lambda made=made: made)
        feed.dead_letter_queue(monkeypatch)
        outbox._sqs.cache_clear()
        monkeypatch.setenv("EVENT_BUS_NAME", "bus")

    def parts(self, upload: Any) -> Iterator[bytes]:
        """What lies in the bucket of models."""
        yield self.octets

    def hear(self, consumer: ModuleType, *bodies: Any) -> None:
        """A batch of a consumer's queue."""
        consumer.handler(feed.raw(*bodies), context())

    def place(self, **changes: Any) -> str:
        body = {
            "customer_id": CUSTOMER,
            "delivery": {"name": PERSONAL["name"], "address": PERSONAL["address"]},
            "note": PERSONAL["note"],
        } | changes
        return str(self.doors.place(**body)[1].get("order_id"))

    def spoil(self, order_id: str, **attributes: Any) -> None:
        for name, value in attributes.items():
            self.doors.api.table.update_item(
                Key={"order_id": order_id},
                UpdateExpression=f"SET {name} = :v",
                ExpressionAttributeValues={":v": value},
            )


def about(name: str, order_id: str, **data: Any) -> dict[str, Any]:
    """An event of now, about an order of the customer's."""
    happened = feed.event(name, order_id, **({"customer_id": CUSTOMER} | data))
    happened["detail"]["metadata"]["occurred_at"] = rfc3339(datetime.now(UTC))
    return happened


ORDER, OTHER, THIRD = ("ord_" + letter * 26 for letter in "abc")
UNREADABLE = [
    "poison",
    json.dumps(PERSONAL),
    about("OrderPlaced", ORDER, total=PERSONAL) | {"detail-type": "OrderPlaced"},
    about("OrderDelivered", ORDER, total=PERSONAL["address"]),
    about("PromoCodeIssued", ORDER, reason=PERSONAL["name"], discount=PERSONAL),
]


def orders_are_placed_moved_and_read(world: World) -> None:
    call = world.doors.api.call
    world.hear(orders.consumer, about("PromoCodeIssued", ORDER, code=WELCOME, expires_at="2099-01-01T00:00:00.000Z"))
    world.doors.place(key="same", customer_id=CUSTOMER)
    world.doors.place(key="same", customer_id=CUSTOMER)
    world.doors.place(key="same", customer_id=CUSTOMER, note=PERSONAL["note"])
    order_id = world.place(promo_code=WELCOME)
    world.doors.run(order_id, [{"move": "accept"}, {"move": "dispatch"}, {"move": "deliver"}])
    world.hear(orders.consumer, about("PromoCodeRestored", order_id, code=WELCOME), *UNREADABLE)
    with world.patch.context() as patch:
        patch.setattr(orders.consumer, "promo_codes", refusing("ThrottlingException", "Rate exceeded"))
        world.hear(orders.consumer, about("PromoCodeRestored", order_id, code=WELCOME))
    world.doors.run(world.place(payment_method="pm_card_visa_chargeDeclinedStolenCard"), [])
    world.doors.run(world.place(), [{"move": "reject"}])
    waiting = world.place()
    world.doors.api.put(waiting, "AWAITING_RESTAURANT")
    call("POST", f"/orders/{waiting}/reject", {"reason": "closing"})
    call("POST", f"/orders/{waiting}/accept")
    call("POST", f"/orders/{world.place()}/cancel")
    for path in (f"/orders/{waiting}", "/restaurants", "/restaurants/bella/menu", "/orders/ord_none", "/nowhere"):
        call("GET", path)
    call("GET", "/orders", claims=claims_of(CUSTOMER))
    for path in ("/kitchen/orders", "/courier/orders", "/support/orders"):
        call("GET", path)
    call("GET", f"/orders/{waiting}", claims=support())
    world.place(note="4242 4242 4242 4242")
    with world.patch.context() as patch:
        patch.setattr(orders.api.customers(), "_limits", orders.limits.Limits(0, 0, 0, 0))
        world.place(note=PERSONAL["note"])
    world.place(delivery={"name": PERSONAL["name"] + "\x07", "address": PERSONAL["address"]})
    broken = world.place()
    world.spoil(broken, deadline_at=PERSONAL["address"])
    call("GET", f"/orders/{broken}")
    world.doors.api.workflow.down = True
    world.place()
    world.doors.api.workflow.down = False
    with world.patch.context() as patch:
        patch.setattr(orders.api, "menus", refusing("ValidationException"))
        call("GET", "/restaurants")


def what_lies_undone_is_reconciled(world: World) -> None:
    world.doors.api.workflow.down = True
    late = world.place()
    world.doors.api.workflow.down = False
    world.spoil(late, check_at="2026-01-01T00:00:00.000Z", repairs=4)
    unreadable = world.place()
    world.spoil(unreadable, check_at="2026-01-01T00:00:00.000Z", deadline_at=PERSONAL["name"])
    invocation = context()
    world.patch.setattr(invocation, "get_remaining_time_in_millis", lambda: 55_000)
    assert orders.reconciler.handler({}, invocation) == {"execution-started": 1}
    world.spoil(late, check_at="2026-01-01T00:00:00.000Z")
    world.doors.api.workflow.down = True
    orders.reconciler.handler({}, invocation)
    world.doors.api.workflow.down = False


def promo_codes_are_earned_spent_and_given_back(world: World) -> None:
    now = rfc3339(datetime.now(UTC))
    world.hear(
        promotions.consumer,
        about("OrderDelivered", ORDER, promo_code=None, delivered_at=now),
        about("OrderPlaced", OTHER, promo_code=WELCOME),
        about("OrderCancelled", OTHER, promo_code=WELCOME),
        *UNREADABLE,
    )

    def failing(_: Any) -> Iterator[Any]:
        raise KeyError(PERSONAL["name"])
        yield

    world.rules.append(failing)
    world.hear(promotions.consumer, about("OrderDelivered", THIRD, promo_code=None, delivered_at=now))
    world.rules.remove(failing)
    with world.patch.context() as patch:
        patch.setattr(PromotionsStore, "customer", refusing("ThrottlingException", "Rate exceeded"))
        world.hear(promotions.consumer, about("OrderExpired", THIRD, promo_code=None))
    for asked in (CUSTOMER, PERSONAL["name"]):
        ask(promotions.api.handler, event("GET", "/promo-codes", claims=claims_of(asked)))
    world.promotions.update_item(
        Key={"customer_id": CUSTOMER, "record": "CODE#WELCOME_BACK"},
        UpdateExpression="SET valid_until = :v",
        ExpressionAttributeValues={":v": PERSONAL["name"]},
    )
    ask(promotions.api.handler, event("GET", "/promo-codes", claims=claims_of(CUSTOMER)))


def customers_are_told(world: World) -> None:
    world.hear(notifications.consumer, about("PaymentAuthorized", THIRD), *UNREADABLE)
    world.contacts.add(CUSTOMER, PERSONAL["e-mail"])
    world.hear(
        notifications.consumer,
        *(about("OrderCancelled", ORDER), about("PaymentAuthorized", ORDER)),
    )
    world.ses.refuses = True
    world.hear(notifications.consumer, about("OrderExpired", OTHER))
    world.ses.refuses = False


def all_of_it_is_counted(world: World) -> None:
    ends = ("Delivered", "Declined", "Rejected", "Cancelled", "Expired", "Failed")
    events = [about(f"Order{what}", ORDER) for what in ("Placed", *ends)]
    world.hear(observability.consumer, *events, about("PromoCodeIssued", ORDER), *UNREADABLE)
    with world.patch.context() as patch:
        patch.setattr(observability.consumer, "count", refusing("ThrottlingException", "Rate exceeded"))
        world.hear(observability.consumer, events[0])


def menus_come_in(world: World) -> None:
    world.patch.setenv("MENUS_BUCKET", BUCKET)
    orders.menu_files.intake.cache_clear()
    kitchen = Kitchen(orders.menu_files, orders.api.menus()._table)
    for content in (a_file(MENU), a_file(MENU | {"name": PERSONAL["name"]}), a_file(PERSONAL), b"", b"\xff"):
        kitchen.hear(kitchen.put(content))
    kitchen.hear(kitchen.put(a_file(MENU), f"{PERSONAL['name']}.json"))
    orders.menu_files.intake.cache_clear()


def kitchens_are_counted(world: World) -> None:
    def stream(*bodies: Any) -> None:
        kitchens.consumer.handler(feed.raw_stream(*bodies), context())

    events = [about(f"Order{what}", ORDER) for what in ("Placed", "Accepted", "Dispatched")]
    stream(*events, *UNREADABLE, PERSONAL["address"].encode("utf-16"))
    ancient = about("OrderPlaced", OTHER)
    ancient["detail"]["metadata"]["occurred_at"] = "2021-01-01T00:00:00.000Z"
    stream(events[0], ancient)
    [restaurant] = {event["detail"]["data"]["restaurant_id"] for event in events}
    world.figures.update_item(
        Key={"restaurant_id": restaurant, "record": f"ORDER#{ORDER}"},
        UpdateExpression="SET placed_at = :v",
        ExpressionAttributeValues={":v": PERSONAL["name"]},
    )
    stream(events[0])
    with world.patch.context() as patch:
        patch.setattr(kitchens.consumer, "figures", refusing("ThrottlingException", "Rate exceeded"))
        stream(events[0])


def whoever_looks_is_told(world: World) -> None:
    world.patch.setenv("LIVE_URL", "wss://live.example/v1")
    world.patch.setenv("CONSOLE_ORIGIN", "https://console.example")

    def shakes(kind: str, ticket: str, connection: str, **headers: str) -> None:
        asked = {"eventType": kind, "connectionId": connection}
        told = {"headers": headers, "queryStringParameters": {"ticket": ticket}, "requestContext": asked}
        live.gate.handler(told, context())

    whose = claims_of(CUSTOMER)
    tickets = [ask(live.api.handler, event("POST", "/tickets", claims=whose)).body["ticket"] for _ in range(3)]
    for ticket, connection in zip([*tickets, PERSONAL["name"]], ["well", "lost", "gone", "no"], strict=True):
        shakes("CONNECT", ticket, connection)
    shakes("CONNECT", PERSONAL["name"], "no", Origin="https://evil.example")
    world.hear(live.consumer, about("PaymentAuthorized", ORDER), about("PromoCodeIssued", ORDER), *UNREADABLE)
    placed, ancient = about("OrderPlaced", ORDER), about("OrderAccepted", OTHER)
    ancient["detail"]["metadata"]["occurred_at"] = "2021-01-01T00:00:00.000Z"
    world.hear(live.consumer, placed, ancient)
    with world.patch.context() as patch:
        for module in (live.api, live.consumer):
            patch.setattr(module, "connections", refusing("ThrottlingException", "Rate exceeded"))
        world.hear(live.consumer, placed)
        ask(live.api.handler, event("POST", "/tickets", claims=whose))
    shakes("DISCONNECT", "", "well")
    shakes("CONNECT", ask(live.api.handler, event("POST", "/tickets", claims=support())).body["ticket"], "sue")


def accepted_orders_get_estimates(world: World) -> None:
    def invoke(module: ModuleType, told: dict[str, Any]) -> None:
        with suppress(Unmendable, NotTaken):
            module.handler(told, context())

    accepted = about("OrderAccepted", ORDER)
    invoke(estimates.consumer, accepted)
    for octets in (model(), PERSONAL["name"].encode()):
        world.octets = octets
        invoke(estimates.copier, uploaded(octets, "e", str(len(octets))))
    invoke(estimates.copier, {"detail": PERSONAL})
    for told in (accepted, accepted, about("OrderAccepted", ORDER, total=PERSONAL), PERSONAL):
        invoke(estimates.consumer, told)
    world.estimates._table.put_item(Item={"order_id": OTHER, "minutes": PERSONAL["name"]})
    for order_id in (ORDER, OTHER, THIRD, PERSONAL["name"]):
        for claims in (claims_of(CUSTOMER), support()):
            ask(estimates.api.handler, event("GET", f"/orders/{order_id}/estimate", claims=claims))


def support_is_told_stories(world: World) -> None:
    aws = Aws()
    aws.lines["/orders"] = [{"message": "placed", "order_id": ORDER, "level": "INFO", **PERSONAL}]
    told = Stories(Live(aws, PLACES, "here", LIMITS), StoryStore(create_table("support", "StoriesTable")), 28, 0)
    world.patch.setattr(support_api, "stories", lambda: told)
    for order_id in (ORDER, OTHER):
        row = {"order_id": order_id, "customer_id": CUSTOMER, "status": "PLACED", "note": PERSONAL["note"]}
        table("OrdersTable").put_item(Item=row)
    for claims in (support(), claims_of(CUSTOMER)):
        for path in (f"/orders/{ORDER}", "/orders/ord_none", f"/orders/{PERSONAL['name']}", "/definitions"):
            ask(support_api.handler, event("GET", path, claims=claims))
    aws.failing["filter_log_events"] = "ThrottlingException"
    ask(support_api.handler, event("GET", f"/orders/{OTHER}", claims=support()))


def what_payments_wrote_is_announced(world: World) -> None:
    rows = world.doors.dynamodb.scan(TableName="PaymentsTable")["Items"]
    outgoing = [row for row in rows if row["record"]["S"].startswith("EVENT#")]
    assert outgoing
    broken = outgoing[0] | {"detail": {"S": json.dumps(PERSONAL)}}
    records = [
        {"eventName": "INSERT", "dynamodb": {"NewImage": row, "Keys": {"record": row["record"]}, "SequenceNumber": "1"}}
        for row in (*outgoing, broken)
    ]
    for world.bus.takes in (True, False):
        outbox.handler({"Records": records}, context())


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    day = Day()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in (ENVIRONMENT | {"POWERTOOLS_METRICS_DISABLED": "false"}).items():
            monkeypatch.setenv(name, value)
        before_each_call(monkeypatch, lambda _, operation, parameters: day.called(operation, parameters))
        monkeypatch.setattr(telemetry.tracer, "put_annotation", day.annotated)
        # What tests before this one counted, and nobody published.
        telemetry.metrics.clear_metrics()
        for module in FUNCTIONS:
            monkeypatch.setattr(module, "handler", observed(day, module))
        with orders_world(monkeypatch) as api:
            world = World(day, Doors(api, monkeypatch), monkeypatch)
            for part in (
                orders_are_placed_moved_and_read,
                what_lies_undone_is_reconciled,
                promo_codes_are_earned_spent_and_given_back,
                customers_are_told,
                all_of_it_is_counted,
                menus_come_in,
                kitchens_are_counted,
                whoever_looks_is_told,
                accepted_orders_get_estimates,
                support_is_told_stories,
                what_payments_wrote_is_announced,
            ):
                part(world)
            rmtree(world.models)
        yield day
    telemetry.metrics.clear_metrics()


def observed(day: Day, module: ModuleType) -> Callable[[Any, Any], Any]:
    handler = module.handler

    def inside(event: Any, invocation: Any) -> Any:
        with day.inside(module.__name__):
            return handler(event, invocation)

    return inside


def test_every_function_has_its_part_in_the_day() -> None:
    deployed = {resources(applications()[of])[name]["Properties"]["Handler"] for of, name in functions()}
    assert deployed == {f"{module.__name__}.handler" for module in FUNCTIONS}


@pytest.mark.parametrize("function", [module.__name__ for module in FUNCTIONS])
class TestPrivacy:
    @pytest.mark.parametrize("what", PERSONAL)
    def test_nothing_personal_is_logged_counted_or_traced(self, day: Day, function: str, what: str) -> None:
        written = day.written[function].getvalue()
        assert written, "it wrote nothing: then nothing is shown"
        assert PERSONAL[what] not in written
        assert PERSONAL[what] not in str(day.annotations[function])

    def test_every_line_is_json(self, day: Day, function: str) -> None:
        for line in day.written[function].getvalue().splitlines():
            assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize("function", ["orders.api", "payments.handler"])
def test_whoever_knows_a_customer_finds_their_orders_by_the_hash(day: Day, function: str) -> None:
    """Written out: a hash that changed would find nothing of yesterday."""
    assert telemetry.customer_hash(CUSTOMER) == "8965848f8987cf23"
    assert ("customer_hash", telemetry.customer_hash(CUSTOMER)) in day.annotations[function]
    lines = [json.loads(line) for line in day.written[function].getvalue().splitlines()]
    assert telemetry.customer_hash(CUSTOMER) in {line.get("customer_hash") for line in lines}


UNITS = {"count": "Count", "minor units": "Count", "seconds": "Seconds"}
CONSUMERS = {"orders", "promotions", "notifications", "observability", "kitchens", "live"}


def catalogue() -> dict[str, tuple[set[str], str, frozenset[str]]]:
    """The page's table: the services, unit and further dimensions of each metric."""
    table = (ROOT / "docs" / "operating.md").read_text("utf-8").split("## Metrics")[1].split("\n## ")[0]
    found = {}
    for cells in re.findall(r"^\| (`.+) \|$", table, re.MULTILINE):
        names, services, dimensions, unit, _ = (cell.strip() for cell in cells.split("|"))
        said = CONSUMERS if services == "each consumer" else set(services.split(", "))
        for name in re.findall(r"`(\w+)`", names):
            found[name] = (said, UNITS[unit], frozenset(re.findall(r"`(\w+)`", dimensions)))
    return found


def test_each_metric_is_counted_by_the_service_in_the_unit_and_with_the_dimensions_of_the_page(day: Day) -> None:
    counted: dict[str, tuple[set[str], str, frozenset[str]]] = {}
    for function in day.written:
        # The relay is deployed twice.
        services = {"payments", "promotions"} if function == outbox.__name__ else {function.partition(".")[0]}
        for name, unit, dimensions in day.counted(function):
            by = counted.get(name, (set[str](), "", frozenset[str]()))[0] | services
            counted[name] = (by, unit, dimensions)
    assert counted == catalogue()


# Whoever decides by what was read must read what is so now (DynamoDB developer guide, "Read consistency"). The others:
# an index is never consistent, and its readers read each order again before they act; a menu, an address and the list
# of codes that somebody looks at may be a moment old, as may an estimate, and an order's story. The menu that an order
# is priced by is read consistently, and then remembered for seconds (tests/unit/test_remembered_menus.py).
READS = {
    ("orders.api", "BatchGetItem", "OrdersTable", None, True),
    ("orders.api", "BatchGetItem", "PromoCodesTable", None, True),
    ("orders.api", "BatchGetItem", "CustomersTable", None, True),
    ("orders.api", "BatchGetItem", "DeliveriesTable", None, True),
    ("orders.api", "GetItem", "MenusTable", None, True),
    ("orders.api", "GetItem", "MenusTable", None, False),
    ("orders.api", "Query", "MenusTable", "restaurants", False),
    ("orders.api", "Query", "OrdersTable", "orders-of-customer", False),
    ("orders.api", "Query", "OrdersTable", "orders-of-restaurant", False),
    ("orders.api", "Query", "OrdersTable", "orders-by-status", False),
    ("orders.reconciler", "GetItem", "OrdersTable", None, True),
    ("orders.reconciler", "Query", "OrdersTable", "open-orders", False),
    ("payments.handler", "GetItem", "PaymentsTable", None, True),
    ("payments.handler", "GetItem", "SandboxLedgerTable", None, True),
    ("promotions.consumer", "Query", "PromotionsTable", None, True),
    ("promotions.api", "Query", "PromotionsTable", None, True),
    ("promotions.api", "Query", "PromotionsTable", None, False),
    ("notifications.consumer", "GetItem", "SentTable", None, True),
    ("kitchens.consumer", "GetItem", "FiguresTable", None, True),
    ("live.api", "Query", "ConnectionsTable", None, True),
    ("live.gate", "Query", "ConnectionsTable", None, True),
    ("live.gate", "Query", "ConnectionsTable", "by-connection", False),
    ("live.consumer", "Query", "ConnectionsTable", None, True),
    ("live.consumer", "GetItem", "PartiesTable", None, True),
    ("estimates.api", "GetItem", "EstimatesTable", None, False),
    ("support.api", "GetItem", "StoriesTable", None, True),
    ("support.api", "GetItem", "OrdersTable", None, False),
    ("support.api", "Query", "PaymentsTable", None, False),
    ("support.api", "Query", "PromotionsTable", None, False),
}


def test_what_decisions_follow_from_is_read_consistently(day: Day) -> None:
    assert day.reads == READS


# PartiQL's statements too: one without a key is a scan.
END_TO_END = {"Scan", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}


def test_no_function_reads_a_table_from_end_to_end(day: Day) -> None:
    """What that costs grows with the table, and it ends with the first table that is too large."""
    assert {name: found for name, asked in day.operations.items() if (found := asked & END_TO_END)} == {}
    # Whoever has a table at all was seen to ask for something.
    assert {function for function, *_ in READS} <= set(day.operations)


@pytest.mark.parametrize("workflow", ["order", "unwind"])
def test_the_workflows_read_consistently_too(workflow: str) -> None:
    states = json.loads((ROOT / "statemachines" / f"{workflow}.asl.json").read_text("utf-8"))["States"]
    reads = {
        name: state["Arguments"].get("ConsistentRead")
        for name, state in states.items()
        if re.search(
            r"dynamodb:(getItem|query|batchGetItem|transactGetItems|scan)", state.get("Resource", ""), re.IGNORECASE
        )
    }
    assert reads == {"order": {"ReadClaim": True}, "unwind": {"ReadOrder": True}}[workflow]
