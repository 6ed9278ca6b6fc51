"""What promotions cannot use goes to its dead-letter queue with the reason; the others of its batch take effect."""

import json
import uuid
from typing import Any

from laptop.client import Client
from operations.deployed import Deployed
from orders.model import order_id_for
from worlds import feed
from worlds.polling import eventually


def put(deployed: Deployed, *events: dict[str, Any]) -> None:
    """Into the queue, as the rule would put them there: nobody but the services' own roles announces."""
    entries = [{"Id": str(number), "MessageBody": json.dumps(event)} for number, event in enumerate(events)]
    sent = deployed.client("sqs").send_message_batch(QueueUrl=deployed.outputs["PromotionsQueueUrl"], Entries=entries)
    assert len(sent["Successful"]) == len(events)


def test_bad_events_are_kept_with_their_reason_and_good_ones_take_effect(
    deployed: Deployed, client: Client, customer: str, subject: str
) -> None:
    ids = [order_id_for(subject, uuid.uuid4().hex) for _ in range(3)]
    good, of_the_future, misshapen = (feed.event("OrderDelivered", order_id, customer_id=subject) for order_id in ids)
    of_the_future["detail"]["metadata"]["event_version"] = 99
    del misshapen["detail"]["data"]["customer_id"]
    put(deployed, of_the_future, good, misshapen)

    eventually(lambda: [c for c in client.promo_codes(customer) if c["reason"] == "welcome_back"], what="the code")

    sqs, queue, dead = deployed.client("sqs"), deployed.outputs["PromotionsDeadLetterQueueUrl"], {}

    def both_dead() -> bool:
        batch = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in batch.get("Messages", []):
            order_id = json.loads(message["Body"])["detail"]["metadata"]["order_id"]
            dead[order_id] = message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "")
            if order_id in ids:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return {ids[1], ids[2]} <= dead.keys()

    assert eventually(both_dead, what="keeping the dead letters")
    assert "version" in dead[ids[1]]
    assert "customer_id" in dead[ids[2]]
    assert ids[0] not in dead
