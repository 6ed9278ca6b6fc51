"""A redrive ends: it sends the letters that are there when it begins, each once, whatever comes back or comes anew."""

import itertools
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from operations.dead_letters import CannotRedrive, redrive
from operations.deployed import Deployed

DEAD, QUEUE = "dead", "queue"
NOON = 1_800_000_000.0


class Queues:
    """A queue and its dead-letter queue, whose clock is minutes off this machine's and passes with each call.

    Attributes:
        letters: bodies of the dead letters by their ids; sent when, and hidden by whom.
        sent: what was sent back.
        bounces: whether what is sent back comes back at once.
        storm: how many new letters come with each call.
    """

    def __init__(self, letters: int, *, bounces: bool = False, storm: int = 0) -> None:
        self._ids, self._now = itertools.count(1), NOON
        self.letters: dict[str, dict[str, Any]] = {}
        self.sent: list[str] = []
        self.bounces, self.storm = bounces, 0
        for _ in range(letters):
            self.come(f"event {len(self.letters)}")
        self._now, self.storm = NOON + 60, storm

    def come(self, body: str) -> None:
        number = f"m{next(self._ids)}"
        self.letters[number] = {"body": body, "sent": self._now * 1000, "hidden": False}

    def _passes(self) -> None:
        self._now += 1.1
        for _ in range(self.storm):
            self.come("new")

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        assert asked["QueueUrl"] == DEAD
        assert self._now < NOON + 1000, "it does not end"
        batch = [number for number, letter in self.letters.items() if not letter["hidden"]][:10]
        for number in batch:
            self.letters[number]["hidden"] = True
        answer = {"ResponseMetadata": {"HTTPHeaders": {"date": formatdate(int(self._now), usegmt=True)}}}
        self._passes()
        return answer | {
            "Messages": [
                {
                    "MessageId": number,
                    "ReceiptHandle": number,
                    "Body": self.letters[number]["body"],
                    "Attributes": {"SentTimestamp": str(int(self.letters[number]["sent"]))},
                }
                for number in batch
            ]
        }

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 - boto3's names
        assert QueueUrl == QUEUE
        self.sent.append(MessageBody)
        assert len(self.sent) < 1000, "it does not end"
        self._passes()
        if self.bounces:
            self.come(MessageBody)

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        assert QueueUrl == DEAD
        del self.letters[ReceiptHandle]

    def change_message_visibility(self, *, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803
        self.letters[ReceiptHandle]["hidden"] = False

    @property
    def stack(self) -> Deployed:
        outputs = {
            "PromotionsDeadLetterQueueUrl": DEAD,
            "PromotionsQueueUrl": QUEUE,
            "PaymentsOutboxDeadLetterQueueUrl": DEAD,
        }
        return cast(Deployed, SimpleNamespace(client=lambda _: self, outputs=outputs, region="eu-central-1"))


def test_letters_that_bounce_are_sent_back_once_each() -> None:
    queues = Queues(25, bounces=True)
    assert len(redrive(queues.stack, "promotions", send=True)) == 25
    assert queues.sent == [f"event {number}" for number in range(25)]
    # They are there again, as other letters, for whoever mends the cause first.
    assert [letter["body"] for letter in queues.letters.values()] == queues.sent
    assert not any(letter["hidden"] for letter in queues.letters.values())


def test_letters_that_come_meanwhile_are_left_for_the_next_time() -> None:
    queues = Queues(12, storm=4)
    assert len(redrive(queues.stack, "promotions", send=True)) == 12
    assert queues.sent == [f"event {number}" for number in range(12)]
    assert {letter["body"] for letter in queues.letters.values()} == {"new"}


def test_a_look_ends_too_and_hides_nothing() -> None:
    queues = Queues(12, storm=40)
    seen = [letter.body for letter in redrive(queues.stack, "promotions")]
    assert seen[:10] == [f"event {number}" for number in range(10)]
    assert queues.sent == []
    assert not any(letter["hidden"] for letter in queues.letters.values())


def test_one_letter_alone_is_sent_and_the_others_are_shown_again() -> None:
    queues = Queues(3)
    [letter] = redrive(queues.stack, "promotions", "m2", send=True)
    assert (letter.body, queues.sent, list(queues.letters)) == ("event 1", ["event 1"], ["m1", "m3"])
    assert not any(letter["hidden"] for letter in queues.letters.values())


def test_what_could_not_be_sent_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    queues = Queues(3)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "SendMessage")

    monkeypatch.setattr(queues, "send_message", refuse)
    with pytest.raises(ClientError):
        redrive(queues.stack, "promotions", send=True)
    assert list(queues.letters) == ["m1", "m2", "m3"]
    assert not any(letter["hidden"] for letter in queues.letters.values())


def test_a_letter_whose_minute_is_over_needs_no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    queues = Queues(2)

    def late(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "MessageNotInflight", "Message": "It is not."}}, "ChangeMessageVisibility")

    monkeypatch.setattr(queues, "change_message_visibility", late)
    assert len(redrive(queues.stack, "promotions")) == 2


def test_a_queue_that_this_stack_lacks_is_named_with_those_that_it_has() -> None:
    with pytest.raises(CannotRedrive, match="no queue kitchens, but payments-outbox, promotions"):
        redrive(Queues(0).stack, "kitchens")


def test_what_goes_back_to_nowhere_is_a_page() -> None:
    queues = Queues(1)
    with pytest.raises(CannotRedrive, match=r"no events: see docs/runbooks/outbox\.md"):
        redrive(queues.stack, "payments-outbox", send=True)
    assert list(queues.letters) == ["m1"]
