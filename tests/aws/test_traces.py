"""Where an order is, and why, is found by its id: in its row, its execution, and its traces by annotation."""

import time

from laptop.client import Client
from operations.deployed import Deployed
from support import story, timeline
from tracing.sources import Live
from worlds.polling import eventually


def test_a_delivered_orders_story_is_told_with_its_traces(deployed: Deployed, client: Client, customer: str) -> None:
    order_id = client.place(customer=customer)["order_id"]
    client.deliver(order_id)

    def told() -> timeline.Timeline | None:
        whole = timeline.build(Live(deployed).facts(order_id))
        kinds = {span.kind for root in whole.spans for _, span in root.walk()}
        return whole if {"request", "function", "workflow", "state"} <= kinds else None

    # X-Ray shows a trace some time after its end.
    whole = eventually(told, 120, "the order's traces", pause=2)
    said = story.tell(whole, time.time())
    assert said.status == "DELIVERED"
    assert said.sentence.startswith("delivered, and paid with visa, ")
