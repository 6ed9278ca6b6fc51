"""Who hears of what, by which ticket, and what becomes of what goes wrong on the way."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from contracts.schemas import EVENTS
from jsonschema import Draft202012Validator, FormatChecker
from live import api, consumer, gate, posting
from live.connections import Connection, Connections, TooManyConnections
from live.model import (
    CODE_EVENTS,
    CONNECTED,
    CONNECTIONS,
    CROWDED,
    NEWS,
    OPENING,
    ORDER_EVENTS,
    TICKET,
    told,
    topic_of,
)
from live.parties import Parties
from live.posting import Posting
from live.tickets import NoTicket, Tickets
from moto import mock_aws
from tiffin import clients
from tiffin.events import rfc3339
from tiffin.roles import Caller, Role
from worlds import feed
from worlds.gateway import event
from worlds.logs import captured
from worlds.promotions import order
from worlds.runtime import context
from worlds.templates import create_table

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ADA, BELLA = Caller("ada", Role.CUSTOMER), Caller("bella", Role.RESTAURANT, "r-bella-napoli")
CARL, SUE = Caller("carl", Role.COURIER), Caller("sue", Role.SUPPORT)
CONSOLE = "https://console.example"
CONTRACT = Draft202012Validator(
    json.loads((EVENTS / "messages" / "Changed.json").read_text("utf-8")), format_checker=FormatChecker()
)


class Gateway:
    """API Gateway's side of the connections: what each was told, and what is wrong with it."""

    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, Any]]] = {}
        self.wrong: dict[str, Exception] = {}

    def post_to_connection(self, ConnectionId: str, Data: bytes) -> None:  # noqa: N803 - boto3's
        if error := self.wrong.get(ConnectionId):
            raise error
        message = json.loads(Data)
        assert [each.message for each in CONTRACT.iter_errors(message)] == []
        self.told.setdefault(ConnectionId, []).append(message)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "PostToConnection")


class World:
    """The service on tables of its own.

    Attributes:
        gateway: API Gateway.
        tickets, connections, parties: its tables, by their adapters.
    """

    def __init__(self) -> None:
        self.tables = {
            name: create_table("live", name) for name in ("TicketsTable", "ConnectionsTable", "PartiesTable")
        }
        self.gateway = Gateway()
        self.tickets = Tickets(self.tables["TicketsTable"])
        self.connections = Connections(self.tables["ConnectionsTable"])
        self.parties = Parties(self.tables["PartiesTable"])

    def listens(self, *callers: Caller, ago: timedelta = timedelta(minutes=5)) -> None:
        """Let each have a connection, by the name of the account."""
        for each in callers:
            self.connections.add(each, f"{each.subject}=", datetime.now(UTC) - ago)

    def hears(self, *events: dict[str, Any]) -> list[str]:
        """Feed the consumer; returns which messages come again."""
        answer = consumer.handler(feed.batch(*events), context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def told(self, who: Caller) -> list[str | None]:
        return [message["event"] for message in self.gateway.told.get(f"{who.subject}=", [])]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return list(self.tables[table].scan()["Items"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("CONSOLE_ORIGIN", CONSOLE)
    monkeypatch.setenv("LIVE_URL", "wss://live.example/v1")
    with mock_aws():
        clients.client("dynamodb")
        made = World()
        for module in (api, gate):
            monkeypatch.setattr(module, "tickets", lambda: made.tickets)
        for module in (api, gate, consumer):
            monkeypatch.setattr(module, "connections", lambda: made.connections)
        monkeypatch.setattr(consumer, "parties", lambda: made.parties)
        monkeypatch.setattr(consumer, "posting", lambda: Posting(made.gateway, made.connections))
        yield made


def happens(name: str, order_id: str = order(1), *, ago: timedelta = timedelta(), **data: Any) -> dict[str, Any]:
    """An event of just now, about ada's order from bella."""
    concerns = {"customer_id": "ada"} | ({"restaurant_id": "r-bella-napoli"} if name in ORDER_EVENTS else {})
    made = feed.event(name, order_id, **(concerns | data))
    made["detail"]["metadata"]["occurred_at"] = rfc3339(datetime.now(UTC) - ago)
    return made


class TestWhoHearsOfWhat:
    @pytest.mark.parametrize("name", [*ORDER_EVENTS, "PaymentAuthorized", *CODE_EVENTS])
    def test_its_customer_and_support_hear_of_everything_and_others_of_nothing(self, world: World, name: str) -> None:
        strangers = [Caller("eve", Role.CUSTOMER), Caller("wok", Role.RESTAURANT, "r-golden-wok")]
        world.listens(ADA, SUE, *strangers)
        assert world.hears(happens(name)) == []
        assert world.told(ADA) == world.told(SUE) == [name]
        assert [world.told(stranger) for stranger in strangers] == [[], []]

    @pytest.mark.parametrize("name", [*ORDER_EVENTS, "PaymentAuthorized", *CODE_EVENTS])
    def test_a_restaurant_hears_of_its_orders_and_of_no_promo_code(self, world: World, name: str) -> None:
        world.listens(BELLA)
        world.parties.remember(order(1), "r-bella-napoli", datetime.now(UTC))
        world.hears(happens(name))
        assert world.told(BELLA) == ([] if name in CODE_EVENTS else [name])

    def test_whichever_comes_first_a_restaurant_hears_once_its_order_can_be_answered(self, world: World) -> None:
        world.listens(BELLA)
        world.hears(happens("PaymentAuthorized"), happens("OrderPlaced"))
        assert world.told(BELLA) == ["OrderPlaced"]
        world.hears(happens("OrderPlaced", order(2)), happens("PaymentAuthorized", order(2)))
        assert world.told(BELLA)[1:] == ["OrderPlaced", "PaymentAuthorized"]

    def test_a_courier_hears_which_order_can_be_fetched_and_of_no_other_which_it_is(self, world: World) -> None:
        world.listens(CARL)
        world.hears(*(happens(name) for name in [*ORDER_EVENTS, "PaymentAuthorized", *CODE_EVENTS]))
        heard = world.gateway.told["carl="]
        assert [message["event"] for message in heard if message["order_id"]] == ["OrderAccepted"]
        # One left with it, and no other may see it from then on; it ends in one of three ways.
        assert [message["settled"] for message in heard if not message["order_id"]].count(False) == 1
        assert len([message for message in heard if not message["order_id"]]) == 4
        assert not [message for message in heard if (message["order_id"] is None) != (message["event"] is None)]

    def test_a_topic_follows_from_who_somebody_is(self) -> None:
        assert [topic_of(who) for who in (ADA, BELLA, CARL, SUE)] == [
            "customer:ada",
            "restaurant:r-bella-napoli",
            "couriers",
            "support",
        ]

    def test_a_customer_called_like_a_role_or_a_restaurant_hears_nothing_of_theirs(self) -> None:
        topics = set(told("OrderAccepted", order(1), NOW, "ada", "r-bella-napoli"))
        for name in ("couriers", "support", "r-bella-napoli", "restaurant:r-bella-napoli"):
            assert topic_of(Caller(name, Role.CUSTOMER)) not in topics

    def test_what_is_told_before_the_order_shows_it_is_not_settled(self, world: World) -> None:
        world.listens(ADA)
        names = [*ORDER_EVENTS, "PaymentAuthorized"]
        for name in names:
            world.hears(happens(name))
        unsettled = {message["event"] for message in world.gateway.told["ada="] if not message["settled"]}
        assert unsettled == {"PaymentAuthorized", "OrderAccepted", "OrderDispatched"}

    def test_a_restaurant_that_hears_of_an_order_looks_again_as_it_may_be_paid_already(self, world: World) -> None:
        world.listens(BELLA, ADA)
        world.hears(happens("PaymentAuthorized"), happens("OrderPlaced"))
        assert [message["settled"] for message in world.gateway.told["bella="]] == [False]
        assert [message["settled"] for message in world.gateway.told["ada="]] == [False, True]

    @pytest.mark.parametrize("name", ORDER_EVENTS)
    def test_support_is_told_last_and_whoever_is_waited_for_first(
        self, world: World, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr(posting, "AT_ONCE", 1)
        world.listens(SUE, CARL, BELLA, ADA)
        world.hears(happens(name))
        heard = list(world.gateway.told)
        assert heard[:2] == ["ada=", "bella="]
        assert heard[-1] == "sue="

    def test_the_examples_of_the_contract_are_messages(self) -> None:
        document: Any = CONTRACT.schema
        for example in document["examples"]:
            assert list(CONTRACT.iter_errors(example)) == []


class TestWhatGoesWrong:
    def test_what_is_old_is_told_to_nobody_and_is_done(self, world: World) -> None:
        world.listens(ADA)
        assert world.hears(happens("OrderAccepted", ago=NEWS + timedelta(seconds=5))) == []
        assert world.told(ADA) == []

    def test_from_whom_an_order_is_is_remembered_though_the_event_is_late(self, world: World) -> None:
        world.listens(BELLA)
        world.hears(happens("OrderPlaced", ago=NEWS + timedelta(minutes=5)))
        world.hears(happens("PaymentAuthorized"))
        assert world.told(BELLA) == ["PaymentAuthorized"]

    def test_an_order_of_long_ago_leaves_nothing(self, world: World) -> None:
        world.hears(happens("OrderPlaced", ago=timedelta(hours=5)))
        assert world.rows("PartiesTable") == []

    def test_one_that_is_gone_is_forgotten_and_the_others_hear(self, world: World) -> None:
        world.listens(ADA, SUE)
        world.gateway.wrong["ada="] = refusal("GoneException")
        assert world.hears(happens("OrderAccepted")) == []
        assert [row["connection_id"] for row in world.rows("ConnectionsTable")] == ["sue="]
        assert world.told(SUE) == ["OrderAccepted"]

    def test_one_that_is_only_just_opening_is_kept_though_api_gateway_calls_it_gone(self, world: World) -> None:
        world.listens(ADA, ago=OPENING / 2)
        world.gateway.wrong["ada="] = refusal("GoneException")
        world.hears(happens("OrderAccepted"))
        world.gateway.wrong.clear()
        world.hears(happens("OrderDispatched"))
        assert world.told(ADA) == ["OrderDispatched"]

    @pytest.mark.parametrize(
        "error",
        [
            refusal("LimitExceededException"),
            refusal("ForbiddenException"),
            ReadTimeoutError(endpoint_url="u", error="e"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_one_that_cannot_be_told_is_its_own_trouble(self, world: World, error: Exception) -> None:
        world.listens(ADA, SUE)
        world.gateway.wrong["ada="] = error
        assert world.hears(happens("OrderAccepted")) == []
        assert world.told(SUE) == ["OrderAccepted"]
        assert len(world.rows("ConnectionsTable")) == 2

    def test_those_who_were_not_told_are_one_line_for_each_event(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = captured(monkeypatch)
        for number in range(5):
            world.connections.add(SUE, f"c{number}", datetime.now(UTC))
            world.gateway.wrong[f"c{number}"] = refusal("LimitExceededException" if number else "ForbiddenException")
        world.hears(happens("OrderAccepted"), happens("OrderDelivered"))
        lines = [line for line in log.lines if line["level"] == "WARNING"]
        assert [line["reasons"] for line in lines] == [{"LimitExceededException": 4, "ForbiddenException": 1}] * 2

    def test_a_table_out_of_reach_brings_that_event_back_alone(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.listens(ADA)
        of = world.connections.of

        def out_of_reach(topic: str, now: datetime) -> Any:
            if topic == "customer:eve":
                raise refusal("InternalServerError")
            return of(topic, now)

        monkeypatch.setattr(world.connections, "of", out_of_reach)
        events = [happens("OrderAccepted", order(2), customer_id="eve"), happens("OrderAccepted")]
        assert world.hears(*events) == ["message-0"]
        assert world.told(ADA) == ["OrderAccepted"]

    def test_a_defect_in_telling_is_not_swallowed(self, world: World) -> None:
        world.listens(ADA)
        world.gateway.wrong["ada="] = TypeError("ours")
        hearers = [(hearer, b"{}") for hearer in world.connections.of("customer:ada", datetime.now(UTC))]
        with pytest.raises(TypeError, match="ours"):
            Posting(world.gateway, world.connections).tell(hearers)

    def test_whoever_is_not_told_within_the_time_is_not_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(posting, "PATIENCE", -1.0)
        world.listens(ADA)
        assert world.hears(happens("OrderAccepted")) == []
        assert world.told(ADA) == []

    def test_a_slow_answer_to_who_listens_takes_nothing_of_that_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now, of = [0.0], world.connections.of

        def slowly(topic: str, moment: datetime) -> Iterator[Connection]:
            now[0] += 60
            yield from of(topic, moment)

        monkeypatch.setattr(world.connections, "of", slowly)
        monkeypatch.setattr(posting, "time", SimpleNamespace(monotonic=lambda: now[0]))
        world.listens(ADA)
        world.hears(happens("OrderAccepted"))
        assert world.told(ADA) == ["OrderAccepted"]

    def test_two_hundred_are_told(self, world: World) -> None:
        for number in range(200):
            world.connections.add(Caller(f"sue-{number}", Role.SUPPORT), f"c{number}", datetime.now(UTC))
        world.hears(happens("OrderAccepted"))
        assert len(world.gateway.told) == 200

    def test_who_connected_too_long_ago_is_told_nothing(self, world: World) -> None:
        """A row may outlive its time by days, and the connection does not."""
        world.listens(ADA, ago=CONNECTED + timedelta(minutes=1))
        world.hears(happens("OrderAccepted"))
        assert world.told(ADA) == []


class TestTickets:
    @pytest.mark.parametrize("who", [ADA, BELLA, CARL, SUE], ids=lambda who: who.subject)
    def test_it_is_good_once_for_whom_it_was_made(self, world: World, who: Caller) -> None:
        ticket = world.tickets.issue(who, NOW)
        assert world.tickets.redeem(ticket, NOW + TICKET / 2) == who
        with pytest.raises(NoTicket):
            world.tickets.redeem(ticket, NOW + TICKET / 2)

    def test_it_expires_and_is_used_up_by_the_attempt(self, world: World) -> None:
        ticket = world.tickets.issue(ADA, NOW)
        with pytest.raises(NoTicket):
            world.tickets.redeem(ticket, NOW + TICKET + timedelta(seconds=1))
        assert world.rows("TicketsTable") == []

    @pytest.mark.parametrize("forged", ["", "a", "a" * 43, "\ud800", "x" * 10_000], ids=len)
    def test_a_forged_one_is_none(self, world: World, forged: str) -> None:
        world.tickets.issue(ADA, NOW)
        with pytest.raises(NoTicket):
            world.tickets.redeem(forged, NOW)

    def test_what_is_stored_opens_nothing(self, world: World) -> None:
        ticket = world.tickets.issue(ADA, NOW)
        [row] = world.rows("TicketsTable")
        assert ticket not in json.dumps(row, default=str)
        with pytest.raises(NoTicket):
            world.tickets.redeem(row["digest"], NOW)

    def test_no_two_are_alike(self, world: World) -> None:
        assert len({world.tickets.issue(ADA, NOW) for _ in range(50)}) == 50

    def test_whoever_is_signed_in_gets_one(self, world: World) -> None:
        claims = {"token_use": "id", "sub": "ada", "cognito:groups": "customer"}
        answer = api.handler(event("POST", "/tickets", claims=claims), context())
        body = json.loads(answer["body"])
        assert answer["statusCode"] == 200
        assert body["url"] == "wss://live.example/v1"
        assert world.tickets.redeem(body["ticket"], datetime.now(UTC)) == ADA

    def test_whoever_listens_too_often_already_is_told_so(self, world: World) -> None:
        for number in range(CONNECTIONS):
            world.connections.add(ADA, f"c{number}", datetime.now(UTC))
        claims = {"token_use": "id", "sub": "ada", "cognito:groups": "customer"}
        answer = api.handler(event("POST", "/tickets", claims=claims), context())
        assert (answer["statusCode"], json.loads(answer["body"])["type"].rpartition("/")[2]) == (
            429,
            "too-many-connections",
        )


Connect = Callable[..., int]


@pytest.fixture
def connect(world: World) -> Connect:
    """A handshake; returns the status."""

    def handshake(ticket: str | None = None, kind: str = "CONNECT", **headers: str) -> int:
        asked = {
            "headers": headers,
            "queryStringParameters": None if ticket is None else {"ticket": ticket},
            "requestContext": {"eventType": kind, "connectionId": "new=", "routeKey": "$connect"},
        }
        return int(gate.handler(asked, context())["statusCode"])

    return handshake


class TestHandshakes:
    def test_a_good_ticket_lets_a_connection_hear(self, world: World, connect: Connect) -> None:
        assert connect(world.tickets.issue(ADA, datetime.now(UTC))) == 200
        world.hears(happens("OrderAccepted"))
        assert [message["event"] for message in world.gateway.told["new="]] == ["OrderAccepted"]

    def test_none_lets_nobody_in(self, world: World, connect: Connect) -> None:
        assert [connect(), connect(""), connect("a" * 43)] == [403, 403, 403]
        assert world.rows("ConnectionsTable") == []

    @pytest.mark.parametrize("name", ["Origin", "origin"])
    @pytest.mark.parametrize(
        ("origin", "status"),
        [(CONSOLE, 200), ("https://evil.example", 403), (f"{CONSOLE}.evil.example", 403), ("null", 403), ("", 403)],
    )
    def test_only_the_consoles_pages_are_let_in(
        self, world: World, connect: Connect, name: str, origin: str, status: int
    ) -> None:
        ticket = world.tickets.issue(ADA, datetime.now(UTC))
        assert connect(ticket, **{name: origin}) == status
        # A stranger's page does not use the ticket up.
        assert len(world.rows("TicketsTable")) == (status == 403)

    def test_one_too_many_is_refused_and_another_account_is_not(self, world: World, connect: Connect) -> None:
        for number in range(CONNECTIONS):
            world.connections.add(SUE, f"c{number}", datetime.now(UTC))
        assert connect(world.tickets.issue(SUE, datetime.now(UTC))) == 403
        assert connect(world.tickets.issue(Caller("sam", Role.SUPPORT), datetime.now(UTC))) == 200

    def test_ends_that_nobody_heard_of_keep_nobody_out_and_the_oldest_is_forgotten(
        self, world: World, connect: Connect
    ) -> None:
        """Of one that was lost, and of one that is open for long, the rows are alike."""
        now = datetime.now(UTC)
        world.connections.add(Caller("sam", Role.SUPPORT), "sams", now - timedelta(minutes=90))
        # By their names, the oldest is neither the first nor the last.
        for number in range(CONNECTIONS):
            world.connections.add(SUE, f"c{(number + 5) % CONNECTIONS}", now - CROWDED - timedelta(minutes=20 - number))
        world.connections.must_have_room(SUE, now)
        assert connect(world.tickets.issue(SUE, now)) == 200
        there = {row["connection_id"] for row in world.rows("ConnectionsTable")}
        assert there == {"sams", "new="} | {f"c{number}" for number in range(CONNECTIONS)} - {"c5"}

    def test_those_whose_time_is_over_do_not_count(self, world: World) -> None:
        for number in range(CONNECTIONS):
            world.connections.add(ADA, f"c{number}", datetime.now(UTC) - CONNECTED - timedelta(minutes=1))
        world.connections.must_have_room(ADA, datetime.now(UTC))
        for number in range(CONNECTIONS):
            world.connections.add(ADA, f"c{number}", datetime.now(UTC))
        with pytest.raises(TooManyConnections):
            world.connections.must_have_room(ADA, datetime.now(UTC))

    def test_one_that_ended_is_forgotten_however_often_that_is_said(self, world: World, connect: Connect) -> None:
        connect(world.tickets.issue(ADA, datetime.now(UTC)))
        world.listens(SUE)
        assert [connect(kind="DISCONNECT"), connect(kind="DISCONNECT")] == [200, 200]
        assert [row["connection_id"] for row in world.rows("ConnectionsTable")] == ["sue="]

    def test_words_of_a_client_let_nobody_in_and_end_nothing(self, world: World, connect: Connect) -> None:
        ticket = world.tickets.issue(ADA, datetime.now(UTC))
        assert connect(ticket, kind="MESSAGE") == 403
        assert world.rows("ConnectionsTable") == []

    def test_neither_ticket_nor_account_is_logged(
        self, world: World, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = captured(monkeypatch)
        ticket = world.tickets.issue(ADA, datetime.now(UTC))
        connect(ticket)
        connect(ticket)
        assert [line["reason"] for line in log.lines] == ["ticket"]
        assert ticket not in log.text
        assert "ada" not in log.text

    def test_that_somebody_of_support_hears_is_a_line_that_says_who(
        self, world: World, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = captured(monkeypatch)
        counted: list[str] = []
        monkeypatch.setattr("live.gate.metrics.add_metric", lambda name, *_: counted.append(name))
        for who in (ADA, BELLA, CARL, SUE):
            connect(world.tickets.issue(who, datetime.now(UTC)))
        assert [(line["message"], line["by"], line["what"]) for line in log.lines] == [
            ("Read by support", "sue", "live news")
        ]
        assert counted == ["SupportReads"]


def test_whoever_talks_without_end_keeps_nobody_from_opening_and_few_from_a_pong() -> None:
    """What clients say and how connections end have rates of their own: one bucket serves everybody."""
    from worlds.templates import resources

    stage = resources("live")["WebSocketStage"]["Properties"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
    assert stage["RouteSettings"].keys() == {"$default", "$disconnect"}
    for settings in stage["RouteSettings"].values():
        assert settings["ThrottlingRateLimit"] == 100
        assert settings["ThrottlingBurstLimit"] == 500
        # Of the default ones none holds here.
        assert (settings["DataTraceEnabled"], settings["LoggingLevel"]) == (False, "OFF")


def test_its_timeouts_leave_room_for_a_batch_in_which_all_is_slow() -> None:
    from worlds.templates import resources

    function = resources("live")["ConsumerFunction"]["Properties"]
    mapping = resources("live")["LiveMapping"]["Properties"]
    slow = posting.PATIENCE + 1 + 2  # and a message that is begun at the last moment: connecting, and an answer
    assert mapping["BatchSize"] * slow < function["Timeout"]
    assert SimpleNamespace(**mapping).ScalingConfig["MaximumConcurrency"] == 10
