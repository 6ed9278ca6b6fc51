"""What goes wrong in each way that is compared: the same faults, and what becomes of an order meanwhile.

Who comes late or twice changes nothing, by any way; that is judged, of each order. What is written down is what else
follows: how long the order waits, who has to mend it, and who can say where it is.

Two things are hurried, as nobody waits for minutes: a message that failed comes again sooner than its queue's template
says, and so does the look at an order that waits for payments, both by the same factor (`comparing.HASTE`).
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError
from laptop import pace
from laptop.tap import fed_by

from .cases import DELIVERED, FOR_GOOD, LEDGER, ORDERS_TABLE, Case, Fault, Row
from .comparing import HASTE, LOOK, PATIENCE, Found, NotTheSame, Running, a_case
from .whereabouts import Answer, Search

WHILE_BROKEN = 6.0
"""Seconds in which an order is delivered by any way, many times over."""
_LATE = 5.0
_REPEATS = 3
WHERE = "where it is then, and what one reads to say so"
"""The row of what is asked while a step is broken."""


def run(running: Running, found: Found, say: Callable[[str], None] = lambda _: None) -> None:
    """Let all faults happen, one way.

    Args:
        running: the way.
        found: where it is written down.
        say: told what is going on.

    Raises:
        NotTheSame: an order did not end as it must by every way, or a fault never struck.
    """
    with running.hurried(*(running.outputs[name] for name in running.way.queues)):
        for name, fault in FAULTS.items():
            say(f"{running.way.name}: {name}")
            found.broken |= fault(running, name)


def _lives(running: Running, case: Case) -> float:
    """An order begins, ends, and is judged; its fault happened. Gives the seconds until it was closed."""
    running.begin(case)
    took = running.follow(case)
    running.judged(case)
    running.must_have_struck(case.name)
    return took


def _while_broken(running: Running, case: Case, then: Callable[[], None] = lambda: None) -> str:
    """Let an order live while its fault is in force, and after it.

    Args:
        running: the way.
        case: the order.
        then: done before it is mended.

    Returns:
        How far it came meanwhile, and what followed.
    """
    running.begin(case)
    until, over = pace.Deadline(WHILE_BROKEN), False
    while not until.passed():
        over = over or running.go_on(case)
        time.sleep(LOOK)
    then()
    running.lift(case.name)
    if over:
        return f"{case.row['status']} all the same"
    status, mended = case.row["status"], time.monotonic()
    running.follow(case)
    return f"{status} until it is mended, closed {time.monotonic() - mended:.0f} s later"


def _hurried(running: Running, queue: str) -> str:
    """That a message which failed came again from a queue sooner than its template says; nothing, if there is none."""
    seconds = running.comes_again.get(queue)
    return f" ({HASTE:.0f} times hurried: a message comes again after {seconds} s by its template)" if seconds else ""


# --- Somebody is broken -----------------------------------------------------------------------------------------------


@contextmanager
def _listened_to(running: Running) -> Iterator[str]:
    """The application's promotions listen to a way's bus, by a rule of their own there; gives their queue."""
    stack, bus = running.stack, running.outputs["EventBusName"]
    queue = stack.outputs["PromotionsQueueUrl"]
    if bus == stack.outputs["EventBusName"]:
        yield queue
        return
    events, sqs, name = stack.client("events"), stack.client("sqs"), f"promotions-{running.way.name}"
    were = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    policy, pattern = json.loads(were["Policy"]), {"source": ["tiffin.orders"]}
    rule = events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
    policy["Statement"].append(fed_by(rule, were["QueueArn"])["Statement"])
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": were["QueueArn"]}])
    try:
        yield queue
    finally:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=bus)
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": were["Policy"]})


def listener(running: Running, name: str) -> dict[str, str]:
    """Promotions raise, whatever they are given; then they are mended, and catch up."""
    case = a_case(running, "listener", DELIVERED, "pm_card_visa", "DELIVERED")
    raises = Fault("function", "raise", {"function": "*Promotions*ConsumerFunction*"}, times=FOR_GOOD)
    with running.stack.tap() as heard, _listened_to(running) as queue, running.hurried(queue):
        running.inject((raises,), case.name)
        said = _while_broken(running, case)
        mended = time.monotonic()
        # It is its customer's first, so that there is a promo code.
        heard.wait_for_event("PromoCodeIssued", case.order_id, PATIENCE)
    running.judged(case)
    running.must_have_struck(case.name)
    caught_up = f"promotions catch up {time.monotonic() - mended:.0f} s after they are mended"
    return {name: f"{said}; {caught_up}{_hurried(running, queue)}"}


def step(running: Running, name: str) -> dict[str, str]:
    """Who takes the answer of payments may not write it down; meanwhile somebody asks where the order is."""
    refused = Fault("api", "refuse", {"operation": "UpdateItem", "table": ORDERS_TABLE}, times=FOR_GOOD)
    case = a_case(running, "step", DELIVERED, "pm_card_visa", "DELIVERED", refused)
    asked: list[Answer] = []
    search = Search(running.way, running.stack, running.outputs, running.named)
    said = _while_broken(running, case, lambda: asked.append(search.find(case.order_id)))
    running.judged(case)
    running.must_have_struck(case.name)
    (answer,) = asked
    return {
        name: said + _hurried(running, running.outputs.get("HearsQueueUrl", "")),
        WHERE: f"{answer.calls} calls, {answer.places} of {len(running.way.places)} places: {answer.said}",
    }


def payments(running: Running, name: str) -> dict[str, str]:
    """Payments fail five times in a row."""
    # By its whole name: CloudFormation shortens what is too long.
    fails = Fault("function", "raise", {"function": running.named["Payments/PaymentsFunction"]}, times=5)
    case = a_case(running, "payments", DELIVERED, "pm_card_visa", "DELIVERED", fails)
    first, between = (seconds / HASTE for seconds in running.way.looks)
    before = running.letters()
    running.begin(case)
    looked, due = 0, time.monotonic() + pace.patience(first)
    deadline = pace.Deadline(PATIENCE)
    while not running.go_on(case):
        if deadline.passed():
            raise NotTheSame(f"{running.way.name}, {case.name}: it is {case.row['status']} and goes no further")
        if between and time.monotonic() > due and case.row["status"] == "PLACED":
            running.way.look_again(running.stack, running.outputs, case.order_id)
            looked, due = looked + 1, time.monotonic() + pace.patience(between)
        time.sleep(LOOK)
    took = time.monotonic() - case.began
    running.judged(case)
    running.must_have_struck(case.name)
    by_template = f"{running.way.at_most:.0f} s at most" if not between else f"{running.way.at_most / 60:.0f} min"
    if not between:
        return {name: f"tried again where it stands; closed after {took:.0f} s, by its retries {by_template}"}
    dead = running.letters() - before
    return {
        name: f"tried again by the queue, and by a sweep that looked {looked} times, with {dead} dead letters; closed "
        f"after {took:.0f} s here, {HASTE:.0f} times hurried, by its templates {by_template}"
    }


# --- Somebody dies ----------------------------------------------------------------------------------------------------


def killed_paying(running: Running, name: str) -> dict[str, str]:
    """The process of payments is killed once the gateway holds the money, and before they have written so."""
    kills = Fault("api", "kill-after", {"table": LEDGER, "operation": "TransactWriteItems"})
    case = a_case(running, "killed-paying", DELIVERED, "pm_card_visa", "DELIVERED", kills)
    hurried = _hurried(running, running.outputs.get("AsksQueueUrl", ""))
    return {name: f"asked again, paid once; closed after {_lives(running, case):.0f} s{hurried}"}


def killed_telling(running: Running, name: str) -> dict[str, str]:
    """The process that announces an order is killed once it has, and before anybody has written so."""
    if not (running.way.hears or running.way.durable):
        return {name: "nothing to kill: Step Functions makes the call by itself"}
    kills = Fault("api", "kill-after", {"operation": "PutEvents", "name": "OrderPlaced"})
    case = a_case(running, "killed-telling", DELIVERED, "pm_card_visa", "DELIVERED", kills)
    took = _lives(running, case)
    told = sum(
        (event["detail-type"], event["detail"]["metadata"]["order_id"]) == ("OrderPlaced", case.order_id)
        for event in running.tap.events
    )
    if told < 2:
        raise NotTheSame(f"{running.way.name}: what announced {case.name} was killed, and did not begin again")
    return {name: f"begun again: announced {told} times; closed after {took:.0f} s"}


def stopped(running: Running, name: str) -> dict[str, str]:
    """Somebody stops its execution while the restaurant thinks, and the news of that comes three times."""
    way = running.way
    if not way.unwinds:
        return {name: "nothing to stop"}
    repeated = Fault("target", "repeat", {"target": way.unwinds}, seconds=_REPEATS)
    case = a_case(running, "stopped", {}, "pm_card_visa", "FAILED", repeated)
    running.begin(case)
    _until_waiting(running, case)
    way.stop(running.stack, running.outputs, case.order_id)
    began = time.monotonic()
    running.follow(case)
    took = time.monotonic() - began
    running.judged(case)
    running.must_have_struck(case.name)
    return {name: f"unwound, and FAILED {took:.1f} s later, its money let go; the news of it came {_REPEATS} times"}


# --- Something comes again, or late -----------------------------------------------------------------------------------


def again(running: Running, name: str) -> dict[str, str]:
    """Whatever takes an order on comes more than once."""
    way = running.way
    function = {"function": running.named["Payments/PaymentsFunction"], "operation": "authorize"}
    lost = Fault("function", "lose", function)
    events = (Fault("target", "repeat", seconds=_REPEATS, times=FOR_GOOD),) if way.hears else ()
    case = a_case(running, "again", DELIVERED, "pm_card_visa", "DELIVERED", lost, *events)
    running.begin(case)
    if not way.hears:
        row = _until_waiting(running, case)
        way.start_again(running.stack, running.outputs, case.order_id)
        running.client.move(case.order_id, "accept")
        case.moved.add("AWAITING_RESTAURANT")
        _must_be_refused(running, row["task_token"], case.order_id)
    running.follow(case)
    running.judged(case)
    running.must_have_struck(case.name)
    held = "changes nothing: " + ("each event three times, " if way.hears else "its start, a callback (refused), ")
    return {name: f"{held}and the call of payments, whose answer was lost"}


def _must_be_refused(running: Running, token: str, order_id: str) -> None:
    """Answer a callback that was answered, with the opposite."""
    said = json.dumps({"order_id": order_id, "move": "reject", "at": "2026-01-01T00:00:00.000Z"})
    try:
        running.way.answer_again(running.stack, token, said)
    except ClientError:
        return
    raise NotTheSame(f"{running.way.name}: a callback was taken twice")


def late(running: Running, name: str) -> dict[str, str]:
    """The authorization is heard of after the customer has cancelled."""
    if not running.way.hears:
        return {name: "no step hears of it: the answer is that of the call"}
    delayed = Fault("target", "delay", {"name": "PaymentAuthorized"}, seconds=_LATE, times=FOR_GOOD)
    case = a_case(running, "late", {}, "pm_card_visa", "CANCELLED", delayed)
    running.begin(case)
    authorized = lambda: running.facts().payments.get(case.order_id, {}).get("status") == "AUTHORIZED"  # noqa: E731
    pace.eventually(authorized, PATIENCE, "the authorization")
    running.client.move(case.order_id, "cancel")
    running.follow(case)
    came = time.monotonic() + pace.patience(_LATE)
    while time.monotonic() < came:
        time.sleep(0.1)
    running.be_quiet()
    running.judged(case)
    running.must_have_struck(case.name)
    return {name: "changes nothing"}


def _until_waiting(running: Running, case: Case) -> Row:
    """Until an order waits for its restaurant, and can be told; its row then."""

    def waits() -> Row | None:
        row = running.row(case.order_id)
        return row if row.get("status") == "AWAITING_RESTAURANT" and running.way.ready(row) else None

    return pace.eventually(waits, PATIENCE, "an order that waits for its restaurant")


FAULTS: dict[str, Callable[[Running, str], dict[str, str]]] = {
    "a listener is broken": listener,
    "the write that takes the answer of payments is refused": step,
    "payments fail five times in a row": payments,
    "payments are killed once the money is held": killed_paying,
    "who announces the order is killed once it has": killed_telling,
    "its execution is stopped": stopped,
    "what takes it on comes more than once": again,
    "the authorization comes after the cancel": late,
}
"""What goes wrong, by its row of the page."""
ROWS = tuple(row for name, fault in FAULTS.items() for row in ((name, WHERE) if fault is step else (name,)))
"""What is written down, in the sequence of the page."""
