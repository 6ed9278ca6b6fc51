"""Moments at the edges: of the calendar, where nothing derived overflows, and of what an event may say, 2020 to 2100.

Food that was delivered in year 9999 is nonsense, and a code that expires then is a gift for life: the event that says
so is set aside. What was calculated or stored of such moments counts as the first or the last that there is.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from contracts.schemas import example, validate
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from notifications.messages import compose
from observability import consumer as metrics
from orders import consumer as projection
from promotions import consumer as promotions
from promotions.model import Delivery, Expiry, History, end_of_day, euros
from promotions.rules.campaign import Campaign
from pydantic import TypeAdapter, ValidationError
from tiffin.events import rfc3339
from tiffin.moments import EARLIEST, LATEST, Moment
from worlds.feed import batch, raw
from worlds.promotions import ANNA, SPRING, UNCAPPED, Ledger, issued, order
from worlds.runtime import context
from worlds.templates import create_table

EVERY_RULE = (*UNCAPPED, SPRING.grants)
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC, microsecond=999_000)
BEYOND = [
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999999999Z",
    "9999-12-31T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "0001-02-01T12:00:00+23:59",
    "1970-01-01T00:00:00Z",
    "2019-12-31T23:59:59.999Z",
    "2020-01-01T00:00:00+00:01",
    "2100-01-01T00:00:00Z",
    "2099-12-31T23:59:59-00:01",
    "2226-11-26T12:00:00Z",
]
EDGES = [
    "2020-01-01T00:00:00Z",
    "2020-01-01T14:00:00+14:00",
    "2099-12-31T23:59:59.999Z",
    "2099-12-31T23:59:59.999999999Z",
    "2099-12-31T11:59:59-12:00",
]


def offset(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


read = TypeAdapter[datetime](Moment).validate_python
"""As the consumers' models read a moment."""


# Any moment, and often one of the first and last days, in any offset that Python knows.
moments = st.builds(
    lambda moment, minutes: moment.replace(tzinfo=offset(minutes)),
    st.one_of(
        st.datetimes(),
        st.datetimes(max_value=datetime(1, 3, 31)),  # noqa: DTZ001 - the zone comes after
        st.datetimes(min_value=datetime(9999, 6, 1)),  # noqa: DTZ001
    ),
    st.integers(-(24 * 60 - 1), 24 * 60 - 1) | st.sampled_from([0, 0, 14 * 60, -12 * 60]),
)
facts = st.lists(
    st.one_of(
        st.builds(Delivery, st.integers(0, 20).map(order), moments, st.sampled_from([euros(60), euros(101)])),
        st.builds(Expiry, st.integers(21, 30).map(order), moments),
    ),
    max_size=12,
    unique_by=lambda fact: fact.order_id,
)


@given(facts)
def test_every_rule_knows_every_moment_and_gives_what_can_be_announced(known: list[Delivery | Expiry]) -> None:
    for rule in EVERY_RULE:
        grants = list(rule(History.of(known)))
        assert len({grant.key for grant in grants}) == len(grants)
        for grant in grants:
            validate(issued(grant))


@given(facts, st.data())
def test_a_rule_takes_nothing_back_at_the_edges_either(known: list[Delivery | Expiry], data: st.DataObject) -> None:
    later_known = data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    before = History.of(fact for fact in known if fact not in later_known)
    for rule in EVERY_RULE:
        then, now = ({g.key: g.expires_at for g in rule(h)} for h in (before, History.of(known)))
        assert then.keys() <= now.keys()
        assert all(now[key] <= expires_at for key, expires_at in then.items())


@given(moments, st.integers(0, 4_000_000))
def test_a_day_ends_where_the_calendar_ends_at_the_latest(moment: datetime, days: int) -> None:
    assert FIRST < end_of_day(moment, days) <= LATEST


def test_a_day_in_the_middle_ends_at_its_midnight_in_utc() -> None:
    evening = datetime(2026, 11, 26, 23, 30, tzinfo=offset(-12 * 60))
    assert end_of_day(evening, 1) == datetime(2026, 11, 29, tzinfo=UTC)


@given(moments)
def test_every_moment_is_written_and_read_back_as_itself_or_the_nearest_that_there_is(moment: datetime) -> None:
    text = rfc3339(moment)
    read = datetime.fromisoformat(text)
    assert len(text) == len("2026-01-31T12:00:00.000Z")
    if FIRST <= moment <= LAST:
        assert timedelta(0) <= moment - read < timedelta(milliseconds=1)
    else:
        assert read == (FIRST if moment < FIRST else LAST)


@given(moments, moments)
def test_two_moments_are_written_in_their_order(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    assert rfc3339(earlier) <= rfc3339(later)


@pytest.mark.parametrize("text", EDGES)
def test_a_mail_says_when_it_happened(text: str) -> None:
    assert read(text).strftime("%d %B") in compose("OrderDelivered", order(1), euros(20), read(text)).text


def test_a_moment_without_an_offset_is_none() -> None:
    with pytest.raises(ValidationError):
        read("2026-11-26T12:00:00")


@pytest.mark.parametrize("text", [*BEYOND, "2026-11-26", "1764154929", "yesterday", "", 1764154929, 1764154929.5, True])
def test_what_lies_beyond_or_is_no_text_is_no_moment_of_an_event(text: Any) -> None:
    with pytest.raises(ValidationError):
        read(text)


@given(st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)), st.integers(-840, 840))
def test_every_moment_of_eighty_years_is_one_in_every_offset(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert read(moment.astimezone(offset(minutes)).isoformat()) == moment


# --- Through the consumers --------------------------------------------------------------------------------------------


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        create_table("promotions", "PromotionsTable")
        create_table("orders", "PromoCodesTable")
        queue = boto3.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
        monkeypatch.setenv("PROMOTIONS_TABLE", "PromotionsTable")
        monkeypatch.setenv("PROMO_CODES_TABLE", "PromoCodesTable")
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queue)
        for cached in (promotions.promotions, projection.promo_codes):
            cached.cache_clear()
        yield boto3.resource("dynamodb")
    for cached in (promotions.promotions, projection.promo_codes):
        cached.cache_clear()


@pytest.mark.parametrize("text", EDGES)
@pytest.mark.parametrize(
    ("name", "where", "reason"),
    [
        ("OrderDelivered", ("data", "delivered_at"), "welcome_back"),
        ("OrderExpired", ("metadata", "occurred_at"), "apology"),
        ("OrderExpired", ("data", "deadline_at"), "apology"),
    ],
)
def test_an_event_at_the_edge_earns_its_code(
    tables: Any, name: str, where: tuple[str, str], reason: str, text: str
) -> None:
    event = example(name)
    event["detail"]["data"].pop("deadline_at", None)
    event["detail"][where[0]][where[1]] = text
    assert promotions.handler(raw(json.dumps(event)), context()) == {"batchItemFailures": []}

    items = tables.Table("PromotionsTable").scan()["Items"]
    [code] = [item for item in items if item["record"].startswith("CODE#")]
    assert code["reason"] == reason
    assert EARLIEST < datetime.fromisoformat(code["valid_until"]) <= LATEST
    [announced] = [json.loads(item["detail"]) for item in items if item["record"].startswith("EVENT#")]
    # And what is announced is taken in by who keeps a copy.
    told = example("PromoCodeIssued") | {"detail": announced}
    assert projection.handler(batch(told), context()) == {"batchItemFailures": []}
    [copy] = tables.Table("PromoCodesTable").scan()["Items"]
    assert copy["valid_until"] == code["valid_until"]


@pytest.mark.parametrize("text", EDGES)
def test_a_code_that_expires_at_the_edge_is_known_to_orders(tables: Any, text: str) -> None:
    event = example("PromoCodeIssued")
    event["detail"]["data"]["expires_at"] = text
    assert projection.handler(raw(json.dumps(event)), context()) == {"batchItemFailures": []}
    [code] = tables.Table("PromoCodesTable").scan()["Items"]
    assert code["valid_until"] == rfc3339(read(text))
    # The table's TTL attribute: 90 days later, in seconds since 1970.
    assert code["expires_at"] == int(read(text).timestamp()) + 90 * 86_400


@pytest.mark.parametrize("text", BEYOND)
@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("OrderDelivered", ("metadata", "occurred_at")),
        ("OrderDelivered", ("data", "delivered_at")),
        ("OrderExpired", ("data", "deadline_at")),
        ("PromoCodeIssued", ("data", "expires_at")),
    ],
)
def test_an_event_of_another_century_is_set_aside_with_the_reason(
    tables: Any, name: str, where: tuple[str, str], text: str
) -> None:
    event = example(name)
    event["detail"][where[0]][where[1]] = text
    handler = projection.handler if name == "PromoCodeIssued" else promotions.handler
    assert handler(raw(json.dumps(event)), context()) == {"batchItemFailures": []}

    assert [tables.Table(table).scan()["Items"] for table in ("PromotionsTable", "PromoCodesTable")] == [[], []]
    [letter] = boto3.client("sqs").receive_message(
        QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"], MessageAttributeNames=["All"]
    )["Messages"]
    assert f"{where[1]}: " in letter["MessageAttributes"]["reason"]["StringValue"]
    assert "between 2020 and 2100" in letter["MessageAttributes"]["reason"]["StringValue"]


@given(facts, st.randoms(use_true_random=False))
def test_the_ledger_ends_the_same_in_any_order(known: list[Delivery | Expiry], chance: Any) -> None:
    from promotions.ledger import News
    from promotions.redemption import Happened

    story = [
        News(ANNA, f.order_id, Happened.DELIVERED if isinstance(f, Delivery) else Happened.ENDED_UNDELIVERED, None, f)
        for f in known
    ]
    shuffled = story + story[:3]
    chance.shuffle(shuffled)
    one, other = Ledger(EVERY_RULE).take(*story), Ledger(EVERY_RULE).take(*shuffled)
    assert one.customer.codes == other.customer.codes


@pytest.mark.parametrize("text", EDGES)
def test_what_happened_at_the_edge_is_counted_at_a_moment_that_cloudwatch_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    event = example("OrderExpired")
    event["detail"]["metadata"]["occurred_at"] = text
    before = datetime.now(UTC)
    assert metrics.handler(raw(json.dumps(event)), context()) == {"batchItemFailures": []}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [counted] = [line["_aws"]["Timestamp"] / 1000 for line in lines if "OrdersEnded" in line]
    assert before.timestamp() - 14 * 86_400 < counted < datetime.now(UTC).timestamp() + 1


# --- Campaigns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"expires_at": "2227-08-01T00:00:00Z"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},
        {"starts_at": "1926-11-26T12:00:00Z"},
        {"ends_at": "2126-12-03T12:00:00Z", "expires_at": "2126-12-26T12:00:00Z"},
    ],
)
def test_a_campaign_of_another_century_is_a_slip_of_the_pen(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="between 2020 and 2100"):
        Campaign.model_validate(SPRING.model_dump() | wrong)


@pytest.mark.parametrize("minutes", [14 * 60, -12 * 60, 24 * 60 - 1, 1 - 24 * 60])
def test_a_campaign_begins_at_the_same_moment_in_every_offset(minutes: int) -> None:
    dates = {
        name: getattr(SPRING, name).astimezone(offset(minutes)).isoformat()
        for name in ("starts_at", "ends_at", "expires_at")
    }
    assert Campaign.model_validate(SPRING.model_dump() | dates) == SPRING


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": 10**40},
        {"discount": {"type": "fixed", "amount": {"amount": 0, "currency": "EUR"}}},
        {"discount": {"type": "percentage", "percent": 20, "cap": {"amount": 0, "currency": "EUR"}}},
        {"discount": {"type": "fixed", "amount": {"amount": 400, "currency": "CHF"}}},
        {"discount": {"type": "percentage", "percent": 20, "cap": {"amount": 400, "currency": "CHF"}}},
    ],
    ids=["budget", "nothing", "cap-of-nothing", "francs", "cap-in-francs"],
)
def test_a_campaign_whose_codes_nobody_could_spend_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Campaign.model_validate(SPRING.model_dump() | wrong)
