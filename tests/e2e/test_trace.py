"""After a crowd of orders placed at once, each is traced on its own, from the running stack and from its record."""

import json
import os
import time
import trace as trace_command
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from laptop import Stack
from laptop.client import Client
from laptop.environment import STATE_DIR
from laptop.record.store import FILE
from operations.deployed import Deployed
from support import story, timeline
from tracing import html
from tracing.sources import Live, Recorded, Source
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("many")

CROWD = int(os.environ.get("CROWD", "20"))
# As many at the same moment; the rest of the burst waits for a connection. More cold starts at once than that are more
# than two cores do within a function's time.
CONNECTIONS = 16
INSUFFICIENT = "pm_card_mastercard_chargeDeclinedInsufficientFunds"
SENTENCES = {
    "DELIVERED": "delivered, and paid with visa, ",
    "DECLINED": "payment declined: mastercard, insufficient_funds, ",
    "REJECTED": "rejected by the restaurant: out of stock, ",
    "CANCELLED": "cancelled by the customer",
}


@pytest.fixture(scope="module")
def crowd(stack: Stack) -> dict[str, str]:
    """Orders that were placed at once, by id, and how each must have ended."""
    ends = [list(SENTENCES)[n % len(SENTENCES)] for n in range(CROWD)]

    def live(number: int) -> tuple[str, str]:
        client, end = Client(stack.outputs, stack.people), ends[number]
        method = INSUFFICIENT if end == "DECLINED" else "pm_card_visa"
        order_id = client.place(customer=f"crowd-{number}", payment_method=method)["order_id"]
        if end == "DELIVERED":
            client.deliver(order_id, seconds=200)
        elif end == "REJECTED":
            client.until(order_id, "AWAITING_RESTAURANT", seconds=200)
            client.move(order_id, "reject", {"reason": "out_of_stock"})
        elif end == "CANCELLED":
            client.move(order_id, "cancel")
        client.until(order_id, end, seconds=200)
        client.close()
        return order_id, end

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return dict(pool.map(live, range(CROWD)))


@pytest.fixture(scope="module", params=["the running stack", "the record"])
def source(request: pytest.FixtureRequest, stack: Stack) -> Source:
    if request.param == "the record":
        return Recorded(STATE_DIR / FILE)
    return Live(Deployed(stack.client, stack.outputs))


def told(source: Source, order_id: str) -> timeline.Timeline:
    return timeline.build(source.facts(order_id))


@pytest.fixture(scope="module")
def read(source: Source, crowd: dict[str, str]) -> dict[str, timeline.Timeline]:
    """What there is of each order, by its id, once its last segment has come."""
    kinds = {"request", "function", "workflow", "state", "call"}

    def whole(order_id: str) -> timeline.Timeline | None:
        found = told(source, order_id)
        return found if kinds <= {span.kind for root in found.spans for _, span in root.walk()} else None

    return {
        order_id: eventually(partial(whole, order_id), what=f"all kinds of segments of {order_id}")
        for order_id in crowd
    }


class TestCrowd:
    def test_each_order_has_its_own_story(self, read: dict[str, timeline.Timeline], crowd: dict[str, str]) -> None:
        for order_id, end in crowd.items():
            said = story.tell(read[order_id], time.time())
            assert said.status == end
            assert said.sentence.startswith(SENTENCES[end])

    def test_each_order_is_shown_with_its_own_segments_only(self, read: dict[str, timeline.Timeline]) -> None:
        owner: dict[tuple[str, str], str] = {}
        for order_id, whole in read.items():
            spans = [span for root in whole.spans for _, span in root.walk()]
            shown = json.dumps(trace_command.as_json(whole, story.tell(whole, time.time())))
            assert not [other for other in read if other != order_id and other in shown]
            # The invocation of a batch is everybody's whose message was in it; what was done in it is one order's.
            for span in spans:
                if span.kind != "function":
                    assert owner.setdefault((span.trace_id, span.id), order_id) == order_id, span

    def test_the_trace_crosses_from_the_request_to_the_payment(self, source: Source, crowd: dict[str, str]) -> None:
        order_id = next(o for o, end in crowd.items() if end == "DELIVERED")
        placed = next(root for root in told(source, order_id).spans if root.name == "POST /orders")
        names = [span.name for _, span in placed.walk()]
        chain = ["Orders/ApiFunction", "OrderWorkflow", "AuthorizePayment", "CapturePayment"]
        assert [name for name in names if name in chain] == chain
        assert names.count("Payments/PaymentsFunction") == 2

    def test_an_event_is_shown_with_its_consumer_and_a_delay(self, source: Source, crowd: dict[str, str]) -> None:
        order_id = next(o for o, end in crowd.items() if end == "DELIVERED")

        def consumed() -> list[timeline.Consumption] | None:
            delivered = [e for e in told(source, order_id).events if e.name == "OrderDelivered"]
            return [c for e in delivered for c in e.consumers if c.service == "promotions"] or None

        (consumption, *_) = eventually(consumed, what="that promotions hears of the delivery")
        assert 0 <= consumption.delay < 60
        assert consumption.outcome == "consumed"

    def test_logs_stand_beside_the_step_that_wrote_them(self, source: Source, crowd: dict[str, str]) -> None:
        order_id = next(o for o, end in crowd.items() if end == "DECLINED")
        authorize = next(v for v in told(source, order_id).visits if v.state == "AuthorizePayment")
        assert {line.service for line in authorize.logs} == {"payments"}

    def test_the_page_is_free_of_what_is_personal(self, read: dict[str, timeline.Timeline]) -> None:
        for whole in read.values():
            shown = html.page(whole, story.tell(whole, time.time()))
            personal = ("Ada Lovelace", "12 St James", "pm_card_")
            assert not [text for text in personal if text in shown]


def test_the_command_tells_the_story_in_its_first_line(
    stack: Stack, crowd: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for end, sentence in SENTENCES.items():
        order_id = next(o for o, e in crowd.items() if e == end)
        assert trace_command.main(["--order", order_id]) == 0
        assert capsys.readouterr().out.splitlines()[0].startswith(sentence)


def test_an_unknown_order_is_said_to_be_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert trace_command.main(["--order", "ord_nobody"]) == 1
    assert "Nothing is known of ord_nobody" in capsys.readouterr().out
