"""Notifications as Lambda runs them: events in, mails out, each once, and addresses in the mails alone."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, permutations
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from contracts.schemas import EVENTS, current, example
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from notifications import consumer
from notifications.contacts import Contacts
from notifications.mailer import Mailer, MailRefused
from notifications.messages import ANNOUNCED, SUBJECTS, Message, compose
from notifications.model import ON_THE_WAY, Overtaken, Telling, ToldAlready
from notifications.store import ATTEMPTS, LEASE, BeingSent, Sent
from tiffin import clients
from tiffin.events import ORDER_ENDS
from tiffin.money import Money
from tiffin.telemetry import metrics
from worlds.feed import batch, dead_letter_queue, failures, raw
from worlds.logs import captured
from worlds.pool import FakePool
from worlds.runtime import context
from worlds.templates import create_table, resources

ADA = "ada@tiffin.example"
SENDER = "orders@tiffin.example"
ORDER, OTHER = "ord_" + "a" * 26, "ord_" + "b" * 26
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SAMPLES = sorted((EVENTS / "invocations").glob("NotificationsConsumerFunction-*.json"))


class Ses:
    """Stands at SES; keeps the mails, and can be told what to answer first.

    Attributes:
        troubles: what it raises, one for each call; None for a call that goes well.
        during: what happens while a mail is on its way.
        meanwhile: what happens while somebody waits for another's mail.
    """

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []
        self.troubles: list[Exception | None] = []
        self.during: Callable[[], Any] | None = None
        self.meanwhile: Callable[[], Any] = lambda: None

    def send_email(self, **request: Any) -> Any:
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        if self.during:
            during, self.during = self.during, None
            during()
        self.mails.append(request)
        return {"MessageId": "m-1"}

    def subjects(self) -> list[str]:
        return [mail["Content"]["Simple"]["Subject"]["Data"] for mail in self.mails]


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch, pool: FakePool) -> Iterator[Ses]:
    with mock_aws():
        monkeypatch.setenv("SENT_TABLE", create_table("notifications", "SentTable").name)
        dead_letter_queue(monkeypatch)
        for name in ANNOUNCED:
            customer = example(name)["detail"]["data"]["customer_id"]
            pool.add(customer, ADA)
        pool.add("cust-ada", ADA)
        client: Any = pool
        monkeypatch.setattr(consumer, "contacts", lambda: Contacts(client, "pool"))
        ses = Ses()
        mailer = Mailer(ses, SENDER)
        monkeypatch.setattr(consumer, "mailer", lambda: mailer)
        sent = Sent(clients.table("SentTable"), pause=lambda seconds: ses.meanwhile())
        monkeypatch.setattr(consumer, "sent", lambda: sent)
        yield ses


def about(name: str, order_id: str) -> dict[str, Any]:
    """An event of an order of one's own."""
    event = example(name)
    event["detail"]["metadata"] |= {"order_id": order_id, "event_id": f"{order_id}:{name}"}
    event["detail"]["data"]["customer_id"] = "cust-ada"
    return event


def run(*events: dict[str, Any]) -> list[str]:
    return failures(consumer.handler(batch(*events), context()))


def test_mails_go_out_no_faster_than_the_account_may_send() -> None:
    moment, sent = 100.0, list[float]()

    class Clocked(Ses):
        def send_email(self, **request: Any) -> Any:
            sent.append(moment)
            if len(sent) == 2:
                raise ReadTimeoutError(endpoint_url="https://email")
            return super().send_email(**request)

    def wait(seconds: float) -> None:
        nonlocal moment
        moment += seconds

    mailer = Mailer(Clocked(), SENDER, interval=2.0, now=lambda: moment, wait=wait)
    mailer.send(ADA, Message("subject", "text"))
    moment += 0.5  # the work between two mails
    with pytest.raises(MailRefused):
        mailer.send(ADA, Message("subject", "text"))
    mailer.send(ADA, Message("subject", "text"))  # what was refused counts too
    moment += 7
    mailer.send(ADA, Message("subject", "text"))
    assert sent == [100.0, 102.0, 104.0, 111.0]


@pytest.mark.parametrize("name", ANNOUNCED)
def test_a_customer_is_told_once_however_often_the_event_comes(ses: Ses, name: str) -> None:
    event = example(name)
    again = event | {"id": "00000000-0000-4000-8000-000000000000"}  # a producer's retry: EventBridge's own id changes
    assert run(event, event) == []
    assert run(again) == []
    [mail] = ses.mails
    assert mail["Destination"] == {"ToAddresses": [ADA]}
    assert mail["FromEmailAddress"] == SENDER
    assert event["detail"]["metadata"]["order_id"] in mail["Content"]["Simple"]["Body"]["Text"]["Data"]


def test_a_customer_without_an_address_is_passed_over(ses: Ses) -> None:
    event = example("PaymentAuthorized")
    event["detail"]["data"]["customer_id"] = "cust-nobody"
    assert run(event) == []
    assert ses.mails == []


@pytest.mark.parametrize(
    "trouble",
    [
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": f"{ADA}: slow down"}}, "SendEmail"),
        ReadTimeoutError(endpoint_url="https://email.example"),
    ],
)
def test_a_mail_that_failed_is_tried_again_at_once(ses: Ses, trouble: Exception) -> None:
    ses.troubles = [trouble]
    held, delivered = about("PaymentAuthorized", ORDER), about("OrderDelivered", OTHER)
    assert run(held, delivered) == ["message-0"]
    assert run(held) == []
    assert ses.subjects() == ["Enjoy your meal", "We have your order"]


def test_a_mail_whose_sender_crashed_is_sent_by_the_next_attempt(ses: Ses) -> None:
    crashed = datetime.now(UTC) - LEASE - timedelta(seconds=2)
    consumer.sent().claim(ORDER, "PaymentAuthorized", crashed)  # and then nothing more was heard of it
    assert run(about("PaymentAuthorized", ORDER)) == []
    assert len(ses.mails) == 1


def test_a_mail_that_another_is_sending_comes_back_until_it_is_confirmed(ses: Ses) -> None:
    claim = consumer.sent().claim(ORDER, "PaymentAuthorized", datetime.now(UTC))
    assert run(about("PaymentAuthorized", ORDER)) == ["message-0"]
    consumer.sent().confirm(claim)
    assert run(about("PaymentAuthorized", ORDER)) == []
    assert ses.mails == []


def test_of_two_at_once_one_sends(ses: Ses) -> None:
    sent: Sent = consumer.sent()
    claim = sent.claim(ORDER, "OrderAccepted", NOW)
    with pytest.raises(BeingSent):
        sent.claim(ORDER, "OrderAccepted", NOW + timedelta(seconds=1))
    sent.confirm(claim)
    with pytest.raises(ToldAlready):
        sent.claim(ORDER, "OrderAccepted", NOW + 2 * LEASE)
    sent.give_back(claim)  # too late to take back
    with pytest.raises(ToldAlready):
        sent.claim(ORDER, "OrderAccepted", NOW + 2 * LEASE)


@pytest.mark.parametrize(
    ("code", "to_retry", "reasons"),
    [("TooManyRequestsException", ["message-0"], []), ("MessageRejected", [], ["MessageRejected"])],
)
def test_what_ses_refuses_is_free_of_address_and_customer_wherever_it_goes(
    ses: Ses, monkeypatch: pytest.MonkeyPatch, code: str, to_retry: list[str], reasons: list[str]
) -> None:
    """What may pass is tried again; what a person must mend is set aside at once, with its reason."""
    log = captured(monkeypatch)
    refusal: Any = {"Error": {"Code": code, "Message": f"Email address is not verified: {ADA}"}}
    ses.troubles = [ClientError(refusal, "SendEmail")]
    assert run(example("PaymentAuthorized")) == to_retry
    letters = boto3.client("sqs").receive_message(
        QueueUrl=boto3.client("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"], MessageAttributeNames=["All"]
    )
    told = [letter["MessageAttributes"]["reason"]["StringValue"] for letter in letters.get("Messages", [])]
    assert told == reasons
    assert code in log.text
    assert ADA not in log.text
    assert example("PaymentAuthorized")["detail"]["data"]["customer_id"] not in log.text


def test_an_unreadable_message_goes_to_the_dead_letter_queue(ses: Ses) -> None:
    assert consumer.handler(raw("poison"), context()) == {"batchItemFailures": []}
    url = boto3.client("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"]
    [letter] = boto3.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert letter["Body"] == "poison"


def test_a_mail_says_when_it_happened_and_what_it_costs() -> None:
    mail = compose("PaymentAuthorized", "ord_1", Money(amount=2350, currency="EUR"), NOW)
    assert mail.subject == "We have your order"
    assert "at 12:00 UTC on 26 November 2026" in mail.text
    assert f"{Money(amount=2350, currency='EUR')} was reserved on your card" in mail.text


def test_the_rule_lets_through_exactly_what_is_read() -> None:
    pattern = resources("notifications")["NotificationsRule"]["Properties"]["EventPattern"]
    assert sorted(pattern["detail-type"]) == sorted(consumer.consumer.names)
    assert {current().source(name) for name in consumer.consumer.names} == set(pattern["source"])


def test_a_claim_outlives_an_invocation_and_runs_out_before_the_next_attempt() -> None:
    function = resources("notifications")["ConsumerFunction"]["Properties"]
    queue = resources("notifications")["NotificationsQueue"]["Properties"]
    assert function["Timeout"] < LEASE.total_seconds() < queue["VisibilityTimeout"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_record_of_the_sample_invocations_becomes_a_mail(ses: Ses, path: Any) -> None:
    sample = json.loads(path.read_text())
    assert consumer.handler(sample, context()) == {"batchItemFailures": []}
    assert len(ses.mails) == len(sample["Records"])


def test_there_are_sample_invocations() -> None:
    """One for each end that needs its own words, and the way to the good one."""
    told = {
        json.loads(record["body"])["detail-type"]
        for path in SAMPLES
        for record in json.loads(path.read_text())["Records"]
    }
    assert told == set(ANNOUNCED)


# Every end is told.


UNDELIVERED = sorted(ORDER_ENDS.keys() - {"OrderDelivered"})


@pytest.mark.parametrize("name", UNDELIVERED)
def test_an_end_is_told_with_its_reason_and_what_becomes_of_the_money(ses: Ses, name: str) -> None:
    event = example(name)
    assert run(event) == []
    [mail] = ses.mails
    text = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    assert f"Why: {event['detail']['data']['reason']['message']}" in text
    assert "Nothing was taken from your card." in text
    assert ("banks may need some days to show it" in text) == (name != "OrderDeclined")
    assert "charged" not in text


def test_a_decline_is_told_with_the_cards_network_and_nothing_else_of_the_card() -> None:
    total = Money(amount=2790, currency="EUR")
    known = compose("OrderDeclined", "ord_1", total, NOW, "Your card has insufficient funds.", "mastercard")
    assert "Why: Your card has insufficient funds. (Card network: mastercard)\n" in known.text
    unknown = compose("OrderDeclined", "ord_1", total, NOW, "There is no such payment method.", "unknown")
    assert "Why: There is no such payment method.\n" in unknown.text


@pytest.mark.parametrize("name", ANNOUNCED)
def test_an_order_that_costs_nothing_speaks_of_no_card(name: str) -> None:
    text = compose(name, "ord_1", Money(amount=0, currency="EUR"), NOW, "It ended.").text
    assert "card" not in text.replace("your payment was declined", "")
    assert "0.00" not in text


def test_no_two_mails_have_one_subject() -> None:
    assert len(set(SUBJECTS.values())) == len(ANNOUNCED) == len(ON_THE_WAY) + len(ORDER_ENDS)
    assert set(ANNOUNCED) == {*ON_THE_WAY, *ORDER_ENDS}


def test_that_an_order_was_placed_is_told_once_it_can_be_paid_and_no_earlier(ses: Ses) -> None:
    assert "OrderPlaced" not in consumer.consumer.names
    assert run(about("PaymentAuthorized", ORDER)) == []
    assert ses.subjects() == ["We have your order"]


# In whatever order events arrive, no mail contradicts one that was sent.


def lives() -> Iterator[list[str]]:
    """What is told of an order, in the sequence of its life: every way in which it may end."""
    yield [*ON_THE_WAY, "OrderDelivered"]
    yield ["OrderDeclined"]
    yield ["PaymentAuthorized", "OrderRejected"]
    yield from ([*ON_THE_WAY[:went], "OrderCancelled"] for went in (0, 1))
    yield from ([*ON_THE_WAY[:went], end] for went in range(4) for end in ("OrderExpired", "OrderFailed"))


def subjects(names: list[str]) -> list[str]:
    return [SUBJECTS[name] for name in names]


def orders() -> Iterator[str]:
    """Order after order, each new."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for number in count():
        digits = [letters[number >> shift & 31] for shift in (15, 10, 5, 0)]
        yield f"ord_{'a' * 22}{''.join(digits)}"


NEW_ORDERS = orders()


@pytest.mark.parametrize("life", lives(), ids=lambda life: f"{life[-1]}-{len(life)}")
def test_events_that_come_as_they_happened_are_all_told(ses: Ses, life: list[str]) -> None:
    order_id = next(NEW_ORDERS)
    assert run(*(about(name, order_id) for name in life)) == []
    assert ses.subjects() == subjects(life)


@pytest.mark.parametrize("life", lives(), ids=lambda life: f"{life[-1]}-{len(life)}")
def test_in_every_order_of_arrival_a_mail_leads_on_and_the_end_is_told_last(ses: Ses, life: list[str]) -> None:
    for arrival in permutations(life):
        order_id = next(NEW_ORDERS)
        ses.mails.clear()
        # Each comes twice, and once more when all is over.
        for name in arrival:
            assert run(about(name, order_id), about(name, order_id)) == []
        assert run(*(about(name, order_id) for name in arrival)) == []
        furthest = [
            name for n, name in enumerate(arrival) if all(life.index(name) > life.index(e) for e in arrival[:n])
        ]
        assert ses.subjects() == subjects(furthest), arrival
        assert furthest[-1] == life[-1]


@pytest.mark.generated
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_again_or_fails_each_mail_is_sent_once_at_most_and_the_end_is_told(
    ses: Ses, data: st.DataObject
) -> None:
    """Batches of any size, events again and again, and SES that refuses now and then: SQS hands out what failed."""
    life = data.draw(st.sampled_from(list(lives())))
    again = data.draw(st.lists(st.sampled_from(life), max_size=6))
    arrival = data.draw(st.permutations([*life, *again]))
    refused = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "SendEmail")
    ses.mails.clear()
    ses.troubles = [refused if refuses else None for refuses in data.draw(st.lists(st.booleans(), max_size=6))]
    order_id = next(NEW_ORDERS)
    waiting = list(arrival)
    while waiting:
        size = data.draw(st.integers(1, len(waiting)))
        taken, waiting = waiting[:size], waiting[size:]
        failed = run(*(about(name, order_id) for name in taken))
        waiting += [taken[int(message.removeprefix("message-"))] for message in failed]
    sent = ses.subjects()
    assert sent == sorted(set(sent), key=subjects(life).index)  # each once at most, in the sequence of the life
    assert sent[-1] == SUBJECTS[life[-1]]


def test_we_have_your_order_is_not_said_after_the_order_ended_though_its_end_could_not_be_told(ses: Ses) -> None:
    """Neither when SES refused the last mail, nor when there was no address for it."""
    ses.troubles = [ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "SendEmail")]
    assert run(about("OrderCancelled", ORDER), about("PaymentAuthorized", ORDER)) == ["message-0"]
    nobody = about("OrderCancelled", OTHER)
    nobody["detail"]["data"]["customer_id"] = "cust-nobody-yet"
    assert run(nobody, about("PaymentAuthorized", OTHER)) == []
    assert ses.mails == []
    assert run(about("OrderCancelled", ORDER)) == []
    assert ses.subjects() == ["Your order is cancelled"]


@pytest.mark.parametrize("more", [{"email_verified": "false"}, {"email_verified": ""}, {"enabled": "false"}])
def test_an_address_that_its_owner_never_confirmed_gets_no_mail(ses: Ses, pool: FakePool, more: dict[str, str]) -> None:
    pool.add("cust-ada", ADA, **more)
    assert run(about("OrderCancelled", ORDER)) == []
    assert ses.subjects() == []
    pool.add("cust-ada", ADA)
    assert run(about("OrderCancelled", ORDER)) == []
    assert ses.subjects() == ["Your order is cancelled"]


def test_whose_address_becomes_known_is_told_the_last_news_and_nothing_older(ses: Ses, pool: FakePool) -> None:
    events = [about(name, ORDER) for name in ("PaymentAuthorized", "OrderAccepted")]
    for event in events:
        event["detail"]["data"]["customer_id"] = "cust-late"
    assert run(*events) == []
    pool.add("cust-late", ADA)
    assert run(*events) == []  # a replay
    assert ses.subjects() == ["Your order is being prepared"]


def test_what_is_overtaken_is_counted_and_no_dead_letter(ses: Ses, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "add_metric", lambda name, *_: counted.append(name))
    assert run(about("OrderCancelled", ORDER), about("PaymentAuthorized", ORDER), about("OrderCancelled", ORDER)) == []
    assert [name for name in counted if name.startswith("Mails")] == ["MailsSent", "MailsOvertaken"]
    url = boto3.client("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"]
    assert "Messages" not in boto3.client("sqs").receive_message(QueueUrl=url)


def test_who_finds_an_earlier_mail_on_its_way_waits_for_it(ses: Ses) -> None:
    """Two invocations at once: the later mail goes out second, or comes back if the first one takes long."""
    come_back: list[str] = []
    ses.during = lambda: come_back.extend(run(about("OrderAccepted", ORDER)))
    assert run(about("PaymentAuthorized", ORDER)) == []
    assert come_back == ["message-0"]
    assert run(about("OrderAccepted", ORDER)) == []
    assert ses.subjects() == ["We have your order", "Your order is being prepared"]

    claim = consumer.sent().claim(ORDER, "OrderDispatched", datetime.now(UTC))
    ses.meanwhile = lambda: consumer.sent().confirm(claim)
    assert run(about("OrderDelivered", ORDER)) == []
    assert ses.subjects()[2:] == ["Enjoy your meal"]


def test_who_finds_a_later_mail_on_its_way_sends_none(ses: Ses) -> None:
    ses.during = lambda: run(about("PaymentAuthorized", ORDER))
    assert run(about("OrderCancelled", ORDER), about("PaymentAuthorized", ORDER)) == []
    assert ses.subjects() == ["Your order is cancelled"]


def test_a_crash_in_an_earlier_mail_does_not_keep_the_end_from_being_told(ses: Ses) -> None:
    crashed = datetime.now(UTC) - LEASE - timedelta(seconds=2)
    consumer.sent().claim(ORDER, "PaymentAuthorized", crashed)
    assert run(about("OrderCancelled", ORDER), about("PaymentAuthorized", ORDER)) == []
    assert ses.subjects() == ["Your order is cancelled"]


def test_a_claim_that_ran_out_takes_nothing_from_its_successor(ses: Ses) -> None:
    sent = consumer.sent()
    late = sent.claim(ORDER, "OrderAccepted", NOW)
    sent.claim(ORDER, "OrderCancelled", NOW + 2 * LEASE)
    sent.give_back(late)
    with pytest.raises(BeingSent):
        sent.claim(ORDER, "OrderCancelled", NOW + 2 * LEASE)


def test_of_two_ends_the_first_one_stands() -> None:
    """There are never two; if there were, one mail of an end would have to do."""
    with pytest.raises(Overtaken):
        Telling("OrderDelivered", frozenset({"OrderDelivered"})).must_allow("OrderExpired")


def test_waiting_for_anothers_mail_leaves_a_batch_its_time(ses: Ses) -> None:
    waits: list[float] = []
    sent = Sent(clients.table("SentTable"), pause=waits.append)
    sent.claim(ORDER, "OrderAccepted", NOW)
    with pytest.raises(BeingSent):
        sent.claim(ORDER, "OrderDelivered", NOW)
    assert len(waits) == ATTEMPTS - 1
    batch_size = resources("notifications")["NotificationsMapping"]["Properties"]["BatchSize"]
    assert sum(waits) * batch_size < resources("notifications")["ConsumerFunction"]["Properties"]["Timeout"] / 2
