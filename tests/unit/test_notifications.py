"""Notifications as Lambda runs them: events in, mails out, each once, and addresses in the mails alone."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from contracts.schemas import EVENTS, current, example
from moto import mock_aws
from notifications import consumer
from notifications.mailer import Mailer, MailRefused
from notifications.mailer import ses as ses_client
from notifications.messages import ANNOUNCED, Message, compose
from notifications.store import LEASE, BeingSent, Sent
from tiffin.money import Money
from tiffin.telemetry import logger
from worlds.feed import batch, dead_letter_queue, failures, raw
from worlds.runtime import context
from worlds.templates import create_table, resources

ADA = "ada@tiffin.example"
SENDER = "orders@tiffin.example"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SAMPLES = sorted((EVENTS / "invocations").glob("NotificationsConsumerFunction-*.json"))


class Ses:
    """Stands at SES; keeps the mails, and can be told what to answer first."""

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []
        self.troubles: list[Exception] = []

    def send_email(self, **request: Any) -> Any:
        if self.troubles:
            raise self.troubles.pop(0)
        self.mails.append(request)
        return {"MessageId": "m-1"}

    def subjects(self) -> list[str]:
        return [mail["Content"]["Simple"]["Subject"]["Data"] for mail in self.mails]


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    with mock_aws():
        for name in ("CONTACTS", "SENT"):
            monkeypatch.setenv(f"{name}_TABLE", create_table("notifications", f"{name.title()}Table").name)
        dead_letter_queue(monkeypatch)
        for name in ("OrderPlaced", "OrderExpired"):
            customer = example(name)["detail"]["data"]["customer_id"]
            table = boto3.resource("dynamodb").Table("ContactsTable")
            table.put_item(Item={"customer_id": customer, "email": ADA})
        ses = Ses()
        mailer = Mailer(ses, SENDER)
        monkeypatch.setattr(consumer, "mailer", lambda: mailer)
        consumer.contacts.cache_clear()
        consumer.sent.cache_clear()
        yield ses
    consumer.contacts.cache_clear()
    consumer.sent.cache_clear()


def run(*events: dict[str, Any]) -> list[str]:
    return failures(consumer.handler(batch(*events), context()))


def test_an_error_from_ses_is_free_of_the_recipients_address() -> None:
    """X-Ray writes down the message of a client's error, wherever it is caught afterwards."""
    client: Any = ses_client(boto3.client("sesv2", config=Config(retries={"total_max_attempts": 1})))
    sentence = f"Email address is not verified. The following identities failed the check: {ADA}"
    headers = HTTPHeaders.from_dict({"x-amzn-errortype": "MessageRejected"})
    refusal: Any = AWSResponse("https://ses.example", 400, headers, None)
    refusal._content = json.dumps({"message": sentence}).encode()
    client.meta.events.register("before-send.*", lambda **_: refusal)
    destination, content = {"ToAddresses": [ADA]}, {"Simple": {"Subject": {"Data": "s"}, "Body": {}}}

    with pytest.raises(ClientError) as refused:
        client.send_email(FromEmailAddress=SENDER, Destination=destination, Content=content)
    assert refused.value.response["Error"]["Code"] == "MessageRejected"
    assert ADA not in str(refused.value)

    with pytest.raises(MailRefused, match=r"^MessageRejected$"):
        Mailer(client, SENDER).send(ADA, Message("subject", "text"))


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
    event = example("OrderPlaced")
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
    assert run(example("OrderPlaced"), example("OrderDelivered")) == ["message-0"]
    assert run(example("OrderPlaced")) == []
    assert sorted(ses.subjects()) == ["Enjoy your meal", "We have your order"]


def test_a_mail_whose_sender_crashed_is_sent_by_the_next_attempt(ses: Ses, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    event_id = example("OrderPlaced")["detail"]["metadata"]["event_id"]
    assert consumer.sent().claim(event_id, now - LEASE - timedelta(seconds=2))  # and then nothing more was heard of it
    assert run(example("OrderPlaced")) == []
    assert len(ses.mails) == 1


def test_a_mail_that_another_is_sending_comes_back_until_it_is_confirmed(ses: Ses) -> None:
    event_id = example("OrderPlaced")["detail"]["metadata"]["event_id"]
    consumer.sent().claim(event_id, datetime.now(UTC))
    assert run(example("OrderPlaced")) == ["message-0"]
    consumer.sent().confirm(event_id)
    assert run(example("OrderPlaced")) == []
    assert ses.mails == []


def test_of_two_at_once_one_sends(ses: Ses) -> None:
    sent: Sent = consumer.sent()
    assert sent.claim("e", NOW)
    with pytest.raises(BeingSent):
        sent.claim("e", NOW + timedelta(seconds=1))
    sent.confirm("e")
    assert not sent.claim("e", NOW + 2 * LEASE)
    sent.give_back("e")  # too late to take back
    assert not sent.claim("e", NOW + 2 * LEASE)


def test_logs_are_free_of_address_and_customer_whatever_ses_says(ses: Ses, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", out)
    refusal: Any = {"Error": {"Code": "MessageRejected", "Message": f"Email address is not verified: {ADA}"}}
    ses.troubles = [ClientError(refusal, "SendEmail")]
    assert run(example("OrderPlaced")) == ["message-0"]
    assert "MessageRejected" in out.getvalue()
    assert ADA not in out.getvalue()
    assert example("OrderPlaced")["detail"]["data"]["customer_id"] not in out.getvalue()


def test_an_unreadable_message_goes_to_the_dead_letter_queue(ses: Ses) -> None:
    assert consumer.handler(raw("poison"), context()) == {"batchItemFailures": []}
    url = boto3.client("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"]
    [letter] = boto3.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert letter["Body"] == "poison"


def test_a_mail_says_when_it_happened_and_what_it_costs() -> None:
    mail = compose("OrderPlaced", "ord_1", Money(amount=2350, currency="EUR"), NOW)
    assert mail.subject == "We have your order"
    assert "EUR 23.50 at 12:00 UTC on 26 November 2026" in mail.text


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
    assert len(SAMPLES) >= 2
