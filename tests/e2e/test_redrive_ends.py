"""Letters that nobody mended bounce: a redrive of all of them ends, and has sent each once."""

import json
import uuid
from collections import Counter

import pytest
from laptop import Stack
from operations import dead_letters
from operations.deployed import Deployed
from worlds import feed
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("fault")


def test_letters_that_bounce_are_sent_back_once_each_and_are_there_again(stack: Stack, customer: str) -> None:
    deployed = Deployed(stack.client, stack.outputs)
    orders = {"ord_" + uuid.uuid4().hex.translate(str.maketrans("0189", "abcd"))[:26] for _ in range(12)}
    for order_id in orders:
        event = feed.event("OrderDelivered", order_id, customer_id=customer)
        event["detail"]["metadata"]["event_version"] = 7
        stack.client("sqs").send_message(QueueUrl=stack.outputs["PromotionsQueueUrl"], MessageBody=json.dumps(event))

    def dead() -> dict[str, str]:
        return {
            letter.order_id: letter.message_id
            for letter in dead_letters.redrive(deployed, "promotions")
            if letter.order_id in orders
        }

    eventually(lambda: dead().keys() == orders, what="becoming dead letters")
    before = dead()

    sent = dead_letters.redrive(deployed, "promotions", send=True)

    assert Counter(letter.order_id for letter in sent if letter.order_id in orders) == dict.fromkeys(orders, 1)
    eventually(lambda: dead().keys() == orders, what="becoming dead letters again")
    assert not set(before.values()) & set(dead().values())
    stack.client("sqs").purge_queue(QueueUrl=stack.outputs["PromotionsDeadLetterQueueUrl"])
