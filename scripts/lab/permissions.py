"""Take each statement of the templates' policies away, and see that something fails: so it is needed.

Every action of every statement by itself, on one running stack: it is taken out of the deployed policy, the smallest
story that needs it is told, which must fail; it is put back, and the story must end well. What the emulator asks nobody
for is in `NOT_SHOWN`, with the reason; what is in neither list is a mistake in them.
"""

import json
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from contracts.cloudformation import deploy, transformed
from contracts.permissions import listed, statements
from laptop import Stack, menus
from laptop.client import Client, NotThere, Refused
from laptop.errors import EventNotSeen, MenuNotTaken, NotInTime
from laptop.listener import Listener, NotHeard, NotLetIn
from laptop.mailbox import mails, verify
from laptop.pace import eventually
from operations.deployed import Deployed
from orders.menu_bucket import report_key

from . import estimating
from .cases import DECLINED_CARD
from .isolating import PARAMETERS, SENDER

QUICK, WELL = 3.0, 40.0
"""Seconds for each step of a story, on a quiet machine: while something is taken away, and once it is back."""
_FAILURES = (
    *(NotThere, NotInTime, Refused, EventNotSeen, MenuNotTaken, NotLetIn, NotHeard),
    *(ClientError, BotoCoreError, httpx.HTTPError),
)


@dataclass(frozen=True)
class Piece:
    """One action of a statement, or one permission of a function.

    Attributes:
        resource: logical ids that lead to the resource, such as `Orders/ApiFunctionRole`.
        kind: CloudFormation's type of it.
        sid: the statement's.
        action: like `dynamodb:GetItem`.
        on: paths of the resources that carry the policy, if it is not the resource itself.
    """

    resource: str
    kind: str
    sid: str
    action: str
    on: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.resource}/{self.sid}/{self.action}"


@dataclass(frozen=True)
class Verdict:
    """What became of a story without a piece.

    Attributes:
        piece: what was taken away.
        story: its name.
        failed: what failed; None if nothing did.
        well: what failed still once it was back; None if nothing did.
        seconds: how long both tellings took.
    """

    piece: Piece
    story: str
    failed: str | None
    well: str | None
    seconds: float


class NotNeeded(Exception):
    """A story ended well without what it was to need, or ended badly with it; or a piece is in no list."""


def pieces() -> list[Piece]:
    """Everything that the templates allow or deny, where all is deployed that can be asked for."""
    found = []
    for stack in deploy(transformed(), "tiffin", PARAMETERS):
        made = transformed()[stack.location]["Resources"]
        for _, name, kind, own in stack.resources():
            path = "/".join((*stack.path, name))
            if kind == "AWS::Lambda::Permission":
                function = "/".join((*stack.path, made[name]["Properties"]["FunctionName"]["Ref"]))
                found.append(Piece(path, kind, "-", own["Action"], (function,)))
                continue
            policies = {key: value for key, value in own.items() if key != "AssumeRolePolicyDocument"}
            beside = made[name]["Properties"].get("Queues") or made[name]["Properties"].get("Roles") or []
            on = tuple("/".join((*stack.path, one["Ref"])) for one in beside)
            found += [
                Piece(path, kind, statement.get("Sid", "-"), action, on)
                for statement in statements(policies)
                for action in listed(statement["Action"])
            ]
    return found


class World:
    """The stack with its stories, and the hand that takes pieces away.

    Args:
        stack: the running stack, deployed with all that can be asked for.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack, self.seconds = stack, WELL
        self.client, self.tap = Client(stack.outputs, stack.people), stack.tap()
        self._named = {one.path: one.name for one in Deployed(stack.client, stack.outputs).resources()}
        self._pieces = {str(piece): piece for piece in pieces()}
        self._model = estimating.small_model()
        verify(stack, SENDER)

    def close(self) -> None:
        """Close the connections, and listen no more."""
        self.client.close()
        self.tap.close()

    # --- Taking away and putting back ---

    @contextmanager
    def without(self, which: str) -> Iterator[None]:
        """Let a piece be away for a while."""
        back = self.take(self._pieces[which])
        try:
            yield
        finally:
            back()

    def take(self, piece: Piece) -> Callable[[], None]:
        """Take a piece out of what is deployed. Returns how to put it back."""
        if piece.kind == "AWS::IAM::Role":
            return self._from_role(self._named[piece.resource], piece)
        if piece.kind == "AWS::SQS::QueuePolicy":
            return _all([self._from_queue(self._named[queue], piece) for queue in piece.on])
        if piece.kind == "AWS::Lambda::Permission":
            return self._from_function(self._named[piece.on[0]])
        if piece.kind == "AWS::Events::EventBusPolicy":
            return self._from_bus(piece)
        raise NotNeeded(f"{piece}: nobody knows how to take it away")

    def _from_role(self, role: str, piece: Piece) -> Callable[[], None]:
        iam = self.stack.client("iam")
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            was = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            left = [
                statement | {"Action": kept}
                for statement in was["Statement"]
                if (kept := listed(statement["Action"]) if statement.get("Sid") != piece.sid else
                    [action for action in listed(statement["Action"]) if action != piece.action])
            ]  # fmt: skip
            if [listed(one["Action"]) for one in left] == [listed(one["Action"]) for one in was["Statement"]]:
                continue
            if left:
                document = json.dumps(was | {"Statement": left})
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
            else:
                iam.delete_role_policy(RoleName=role, PolicyName=name)
            return lambda: iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(was))
        raise NotNeeded(f"{piece}: the deployed role {role} has none")

    def _from_queue(self, url: str, piece: Piece) -> Callable[[], None]:
        sqs = self.stack.client("sqs")
        was = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        document = json.loads(was)
        left = [one for one in document["Statement"] if one.get("Sid") != piece.sid]
        policy = json.dumps(document | {"Statement": left}) if left else ""
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": was})

    def _from_function(self, function: str) -> Callable[[], None]:
        """A function that a rule calls has the one permission."""
        known = self.stack.client("lambda")
        [was] = json.loads(known.get_policy(FunctionName=function)["Policy"])["Statement"]
        known.remove_permission(FunctionName=function, StatementId=was["Sid"])
        [source] = [arns["AWS:SourceArn"] for arns in was["Condition"].values()]
        return lambda: known.add_permission(
            FunctionName=function, StatementId=was["Sid"], Action=was["Action"],
            Principal=was["Principal"]["Service"], SourceArn=source,
        )  # fmt: skip

    def _from_bus(self, piece: Piece) -> Callable[[], None]:
        events, bus = self.stack.client("events"), self.stack.outputs["EventBusName"]
        was = events.describe_event_bus(Name=bus)["Policy"]
        [sid] = [one["Sid"] for one in json.loads(was)["Statement"] if one["Sid"].startswith(f"{piece.resource}-")]
        events.remove_permission(EventBusName=bus, StatementId=sid)
        return lambda: events.put_permission(EventBusName=bus, Policy=was)

    # --- Telling ---

    def judge(self, piece: Piece, story: str) -> Verdict:
        """Tell a story without a piece, and again with it."""
        began = time.monotonic()
        back = self.take(piece)
        try:
            failed = self.tell(story, QUICK)
        finally:
            back()
        return Verdict(piece, story, failed, self.tell(story, WELL), time.monotonic() - began)

    def tell(self, story: str, seconds: float) -> str | None:
        """Tell a story by its name; returns what failed, None if it ended well."""
        self.seconds = seconds
        try:
            STORIES[story](self)
        except _FAILURES as failure:
            return f"{type(failure).__name__}: {' '.join(str(failure).split())}"
        return None

    def customer(self) -> str:
        """Somebody new."""
        return f"cust-{uuid.uuid4().hex[:12]}"

    def eventually(self, probe: Callable[[], Any], what: str) -> Any:
        """Ask until the answer is true, for as long as the story may take."""
        return eventually(probe, self.seconds, what)

    def order(self, *moves: str, customer: str | None = None, **more: Any) -> str:
        """Place an order, and make moves, each once it may be made."""
        order_id = str(self.client.place(customer=customer or self.customer(), **more)["order_id"])
        for move in moves:
            self.client.until(order_id, _BEFORE[move], seconds=self.seconds)
            self.client.move(order_id, move)
        return order_id

    def row(self, output: str, **key: str) -> dict[str, Any]:
        """A row of a table, by the output with the table's name; empty if there is none."""
        keys = {name: {"S": value} for name, value in key.items()}
        found = self.stack.client("dynamodb").get_item(
            TableName=self.stack.outputs[output], Key=keys, ConsistentRead=True
        )
        return dict(found.get("Item", {}))

    def due(self, order_id: str, *names: str) -> None:
        """Write into an order's row that moments have come, as time would, and sweep."""
        long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.stack.client("dynamodb").update_item(
            TableName=self.stack.outputs["OrdersTableName"],
            Key={"order_id": {"S": order_id}},
            UpdateExpression="SET " + ", ".join(f"{name} = :then" for name in names),
            ExpressionAttributeValues={":then": {"S": long_ago}},
        )
        self.stack.client("lambda").invoke(FunctionName=self.stack.outputs["ReconcilerFunctionName"], Payload=b"{}")

    def letters(self, output: str, about: str) -> bool:
        """Whether a dead-letter queue holds a message with a text. They stay there, and are seen again at once."""
        sqs, url = self.stack.client("sqs"), self.stack.outputs[output]
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5).get("Messages"):
            if any(about in message["Body"] for message in batch):
                return True
        return False

    def kept(self, output: str, about: str) -> None:
        """Wait for a dead letter with a text."""
        self.eventually(lambda: self.letters(output, about), f"the dead letter in {output}")

    def put_menu(self, name: str, body: bytes) -> str:
        """Put a file into the bucket of menus; returns its version."""
        put = self.stack.client("s3").put_object(Bucket=self.stack.outputs["MenusBucketName"], Key=name, Body=body)
        return str(put["VersionId"])


_BEFORE = {
    "accept": "AWAITING_RESTAURANT", "reject": "AWAITING_RESTAURANT", "cancel": "AWAITING_RESTAURANT",
    "dispatch": "PREPARING", "deliver": "OUT_FOR_DELIVERY",
}  # fmt: skip
_STOP = "Orders/ApiFunctionRole/StartAndCallBack"
_UNWIND = "Orders/DeathsRuleRole/StartTheUnwind/states:StartExecution"


def _all(backs: list[Callable[[], None]]) -> Callable[[], None]:
    def put_back() -> None:
        for back in backs:
            back()

    return put_back


# --- Stories ---


def _accepted(w: World) -> None:
    w.client.until(w.order("accept"), "PREPARING", seconds=w.seconds)


def _delivered(w: World) -> None:
    order_id = w.order("accept", "dispatch", "deliver")
    w.client.until(order_id, "DELIVERED", seconds=w.seconds)
    w.tap.wait_for_event("OrderDelivered", order_id, w.seconds)
    w.tap.wait_for_event("PaymentCaptured", order_id, w.seconds)
    w.eventually(lambda: "open_shard" not in w.row("OrdersTableName", order_id=order_id), "the order's close")


def _cancelled(w: World) -> None:
    order_id = w.order("cancel")
    w.client.until(order_id, "CANCELLED", seconds=w.seconds)
    w.tap.wait_for_event("OrderCancelled", order_id, w.seconds)
    w.tap.wait_for_event("PaymentReleased", order_id, w.seconds)
    w.eventually(lambda: "open_shard" not in w.row("OrdersTableName", order_id=order_id), "the order's close")


def _told(w: World) -> None:
    """Of an order that died, which has all that is read: two workflows, events, lines. What is refused is told."""
    order_id = w.order("cancel")
    w.client.until(order_id, "CANCELLED", seconds=w.seconds)

    def whole() -> bool:
        _untold(w, order_id)
        story = w.client.story(order_id)
        kinds = {run["kind"] for run in story["workflows"]}
        refused = [one for one in story["missing"] if one["reason"] == "refused"]
        # A story that cannot be kept is told all the same.
        return kinds == {"order", "unwind"} and not refused and "text" in w.row("StoriesTableName", story=order_id)

    w.eventually(whole, "the whole story")


def _defined(w: World) -> None:
    _untold(w, "#definitions")
    w.client.definitions()


def _untold(w: World, key: str) -> None:
    """Let a story be read anew: what was told a moment ago would be told again."""
    w.stack.client("dynamodb").delete_item(TableName=w.stack.outputs["StoriesTableName"], Key={"story": {"S": key}})


def _decline_counted(w: World) -> None:
    customer = w.customer()
    order_id = w.order(customer=customer, payment_method=DECLINED_CARD)
    order = w.client.until(order_id, "DECLINED", seconds=w.seconds)
    key = {"customer_id": w.stack.people.subject(customer), "record": f"hour#{order['placed_at'][:13]}"}
    w.eventually(lambda: w.row("CustomersTableName", **key).get("declines") == {"N": "1"}, "a decline that counts")


def _code_used(w: World) -> None:
    customer = w.customer()
    first = w.order("accept", "dispatch", "deliver", customer=customer)
    w.client.until(first, "DELIVERED", seconds=w.seconds)
    codes = w.eventually(lambda: w.client.promo_codes(customer), "the promo code")
    code = codes[0]["code"]
    w.eventually(
        lambda: w.row("PromoCodesTableName", customer_id=w.stack.people.subject(customer), code=code),
        "the code known to orders",
    )
    second = w.order(customer=customer, promo_code=code)
    w.tap.wait_for_event("PromoCodeRedeemed", second, w.seconds)


def _mailed(w: World) -> None:
    customer = w.customer()
    address = w.stack.people.confirm(customer)
    verify(w.stack, address)
    w.order(customer=customer)
    w.eventually(lambda: mails(w.stack, address), "the mail")


def _restarted(w: World) -> None:
    order_id = ""
    with w.without(f"{_STOP}/states:StartExecution"):
        try:
            order_id = w.order()
        except Refused:
            raise NotNeeded("an order that does not start is refused") from None
    w.due(order_id, "check_at")
    w.client.until(order_id, "AWAITING_RESTAURANT", seconds=w.seconds)


def _called_back(w: World) -> None:
    order_id = w.order()
    w.client.until(order_id, "AWAITING_RESTAURANT", seconds=w.seconds)
    with w.without(f"{_STOP}/states:SendTaskSuccess"):
        try:
            w.client.move(order_id, "accept")
        except Refused as refused:
            if refused.status < 500:
                raise
    w.due(order_id, "check_at")
    w.client.until(order_id, "PREPARING", seconds=w.seconds)


def _looked_at(w: World) -> None:
    order_id = w.order()
    w.client.until(order_id, "AWAITING_RESTAURANT", seconds=w.seconds)
    w.due(order_id, "check_at")
    now = datetime.now(UTC).isoformat()
    w.eventually(lambda: w.row("OrdersTableName", order_id=order_id)["check_at"]["S"] > now, "the next look")


def _overdue(w: World) -> None:
    order_id = w.order()
    w.client.until(order_id, "AWAITING_RESTAURANT", seconds=w.seconds)
    with w.without(_UNWIND):
        w.due(order_id, "check_at", "deadline_at")
        w.client.until(order_id, "EXPIRED", seconds=w.seconds)


def _death_kept(w: World) -> None:
    with w.without(_UNWIND):
        order_id = w.order("cancel")
        w.kept("DeathsDeadLetterQueueUrl", order_id)


def _unreadable(queue: str) -> Callable[[World], None]:
    def story(w: World) -> None:
        text = f"no event {uuid.uuid4().hex}"
        w.stack.client("sqs").send_message(QueueUrl=w.stack.outputs[f"{queue}QueueUrl"], MessageBody=text)
        w.kept(f"{queue}DeadLetterQueueUrl", text)

    return story


def _unreadable_in_the_stream(w: World) -> None:
    text = f"no-event-{uuid.uuid4().hex}"
    w.stack.client("kinesis").put_record(
        StreamName=w.stack.outputs["KitchensStreamName"], PartitionKey="none", Data=text.encode()
    )
    w.eventually(lambda: _any_letter(w, "KitchensDeadLetterQueueUrl", text), "the dead letter")


def _any_letter(w: World, output: str, text: str) -> bool:
    return w.letters(output, text) or w.letters(output, b64encode(text.encode()).decode())


def _no_event_in_the_outbox(table: str, key: str, queue: str) -> Callable[[World], None]:
    def story(w: World) -> None:
        name = f"nobody-{uuid.uuid4().hex[:12]}"
        item = {key: {"S": name}, "record": {"S": "EVENT#nothing"}}
        w.stack.client("dynamodb").put_item(TableName=w.stack.outputs[table], Item=item)
        w.kept(queue, name)

    return story


def _counted(w: World) -> None:
    order_id = w.order()
    w.client.until(order_id, "AWAITING_RESTAURANT", seconds=w.seconds)
    key = {"restaurant_id": "r-bella-napoli", "record": f"ORDER#{order_id}"}
    w.eventually(lambda: w.row("KitchensFiguresTableName", **key), "the kitchen's figure")


def _measured(w: World) -> None:
    logs, group = w.stack.client("logs"), w.stack.outputs["ObservabilityLogGroupName"]

    def lines() -> int:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return sum("OrdersPlaced" in event["message"] for page in pages for event in page["events"])

    before = lines()
    w.order()
    # The mapping waits five seconds for more.
    eventually(lambda: lines() > before, w.seconds + 5, "the metric")


def _uncounted_kept(w: World) -> None:
    with w.without("KitchensService/KitchensRuleRole/PutIntoThisStream/kinesis:PutRecord"):
        w.kept("KitchensDeadLetterQueueUrl", w.order())


def _menu_taken(w: World) -> None:
    menus.put(w.stack, menus.files()[0], w.seconds)


def _menu_refused(w: World) -> None:
    version = w.put_menu("r-nowhere.json", b"{")
    s3, bucket = w.stack.client("s3"), w.stack.outputs["MenusBucketName"]
    prefix = report_key("r-nowhere.json", version)
    w.eventually(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"), "the report")


def _menu_kept(without: str) -> Callable[[World], None]:
    def story(w: World) -> None:
        path = menus.files()[0]
        with w.without(without):
            version = w.put_menu(path.name, path.read_bytes())
            w.kept("MenusDeadLetterQueueUrl", version)

    return story


def _model_in_force(w: World) -> None:
    before = estimating.in_force(w.stack)
    estimating.upload(w.stack, w._model)
    w.eventually(lambda: estimating.in_force(w.stack) > before, "a model in force")


def _model_kept(w: World) -> None:
    before = _count(w, "ModelsDeadLetterQueueUrl")
    estimating.upload(w.stack, b"no model")
    w.eventually(lambda: _count(w, "ModelsDeadLetterQueueUrl") > before, "the dead letter")


def _model_unheard(w: World) -> None:
    before = _count(w, "ModelsDeadLetterQueueUrl")
    with w.without("EstimatesService/ModelsRulePermission/-/lambda:InvokeFunction"):
        estimating.upload(w.stack, w._model)
        w.eventually(lambda: _count(w, "ModelsDeadLetterQueueUrl") > before, "the dead letter")


def _estimated(w: World) -> None:
    order_id = w.order("accept")
    w.eventually(lambda: w.client.estimate(order_id), "the estimate")


def _estimate_kept(without: str) -> Callable[[World], None]:
    def story(w: World) -> None:
        with w.without(without):
            w.kept("EstimatesDeadLetterQueueUrl", w.order("accept"))

    return story


def _heard(w: World) -> None:
    customer = w.customer()
    with Listener.of(w.stack.outputs, w.stack.people, customer) as listener:
        order_id = w.order(customer=customer)
        for event in ("OrderPlaced", "PaymentAuthorized"):
            listener.wait_for_event(event, order_id, w.seconds)


def _listeners(w: World, customer: str) -> list[Any]:
    found = w.stack.client("dynamodb").query(
        TableName=w.stack.outputs["ConnectionsTableName"],
        KeyConditionExpression="topic = :topic",
        ExpressionAttributeValues={":topic": {"S": f"customer:{w.stack.people.subject(customer)}"}},
    )
    return list(found["Items"])


def _left(w: World) -> None:
    customer = w.customer()
    Listener.of(w.stack.outputs, w.stack.people, customer).close()
    w.eventually(lambda: not _listeners(w, customer), "a listener who left forgotten")


def _gone(w: World) -> None:
    customer = w.customer()
    topic = f"customer:{w.stack.people.subject(customer)}"
    now = datetime.now(UTC).timestamp()
    row = {"topic": topic, "listener": "nobody#gone", "connection_id": "gone"}
    item = {name: {"S": text} for name, text in row.items()}
    item |= {"connected_at": {"N": f"{now - 60:.0f}"}, "expires_at": {"N": f"{now + 600:.0f}"}}
    w.stack.client("dynamodb").put_item(TableName=w.stack.outputs["ConnectionsTableName"], Item=item)
    w.order(customer=customer)
    w.eventually(lambda: not _listeners(w, customer), "a listener who is gone forgotten")


def _intruder_refused(w: World) -> None:
    entry = {
        "EventBusName": w.stack.outputs["EventBusName"],
        "Source": "tiffin.nobody",
        "DetailType": "NothingHappened",
        "Detail": json.dumps({"metadata": {"order_id": "ord_none"}}),
    }
    try:
        w.stack.client("events").put_events(Entries=[entry])
    except ClientError:
        return
    raise NotInTime("the refusal of whoever announces nothing", 0)


def _count(w: World, output: str) -> int:
    name = "ApproximateNumberOfMessages"
    found = w.stack.client("sqs").get_queue_attributes(
        QueueUrl=w.stack.outputs[output], AttributeNames=[name, f"{name}NotVisible"]
    )
    return sum(int(number) for number in found["Attributes"].values())


STORIES: Mapping[str, Callable[[World], object]] = {
    "restaurants are listed": lambda w: w.client.restaurants(),
    "a menu is read": lambda w: w.client.menu("r-bella-napoli"),
    "a customer's orders are listed": lambda w: w.client.orders(w.customer()),
    "a restaurant's orders are listed": lambda w: w.client.work("kitchen"),
    "orders to be fetched are listed": lambda w: w.client.work("courier"),
    "support is told a story": _told,
    "support sees the workflows": _defined,
    "promo codes are listed": lambda w: w.client.promo_codes(w.customer()),
    "an order is accepted": _accepted,
    "an order is delivered": _delivered,
    "an order is cancelled": _cancelled,
    "a declined payment counts": _decline_counted,
    "a promo code is earned and used": _code_used,
    "a customer is told": _mailed,
    "an order that never began is begun": _restarted,
    "a callback that was lost is made": _called_back,
    "a waiting order is looked at again": _looked_at,
    "an overdue order is ended": _overdue,
    "a death that nobody unwinds is kept": _death_kept,
    "no event for orders is set aside": _unreadable("PromoCodes"),
    "no event for promotions is set aside": _unreadable("Promotions"),
    "no event for notifications is set aside": _unreadable("Notifications"),
    "no event for metrics is set aside": _unreadable("Metrics"),
    "no event for kitchens is set aside": _unreadable_in_the_stream,
    "no event in payments' outbox is set aside": _no_event_in_the_outbox(
        "PaymentsTableName", "order_id", "PaymentsOutboxDeadLetterQueueUrl"
    ),
    "no event in promotions' outbox is set aside": _no_event_in_the_outbox(
        "PromotionsTableName", "customer_id", "PromotionsOutboxDeadLetterQueueUrl"
    ),
    "a kitchen's order is counted": _counted,
    "an order is counted in a metric": _measured,
    "an event that no stream takes is kept": _uncounted_kept,
    "a menu takes effect": _menu_taken,
    "a file that is no menu is reported": _menu_refused,
    "a menu that fails is kept": _menu_kept("Orders/MenusFunctionRole/ReplaceAMenu/dynamodb:PutItem"),
    "a menu that nobody takes is kept": _menu_kept("Orders/MenusRuleMayCall/-/lambda:InvokeFunction"),
    "a model comes into force": _model_in_force,
    "a file that is no model is kept": _model_kept,
    "a model that nobody takes is kept": _model_unheard,
    "an order gets its estimate": _estimated,
    "an estimate that fails is kept": _estimate_kept(
        "EstimatesService/ConsumerFunctionRole/KeepEstimates/dynamodb:PutItem"
    ),
    "an order that nobody estimates is kept": _estimate_kept(
        "EstimatesService/EstimatesRulePermission/-/lambda:InvokeFunction"
    ),
    "who listens hears": _heard,
    "a listener who left is forgotten": _left,
    "a listener who is gone is forgotten": _gone,
    "no event for live news is set aside": _unreadable("Live"),
    "whoever is no announcer is refused": _intruder_refused,
}
"""What happens, by its name: each ends well, or raises."""

SHOWN: list[tuple[str, str]] = [
    ("OnlyAnnouncers/*", "whoever is no announcer is refused"),
    ("Orders/ApiFunctionRole/ReadAndClaimOrders/*", "an order is accepted"),
    ("Orders/ApiFunctionRole/ListACustomersOrders/*", "a customer's orders are listed"),
    ("Orders/ApiFunctionRole/ListARestaurantsOrders/*", "a restaurant's orders are listed"),
    ("Orders/ApiFunctionRole/ListOrdersByStatus/*", "orders to be fetched are listed"),
    ("Orders/ApiFunctionRole/ReadMenus/*", "a menu is read"),
    ("Orders/ApiFunctionRole/ListRestaurants/*", "restaurants are listed"),
    ("Orders/ApiFunctionRole/CheckAndReservePromoCodes/*", "a promo code is earned and used"),
    ("Orders/ApiFunctionRole/KeepDeliveries/*", "an order is accepted"),
    ("Orders/ApiFunctionRole/LimitCustomers/dynamodb:UpdateItem", "an order is accepted"),
    ("Orders/ApiFunctionRole/LimitCustomers/dynamodb:BatchGetItem", "a promo code is earned and used"),
    ("Orders/ApiFunctionRole/StartAndCallBack/*", "an order is accepted"),
    ("Orders/ApiFunctionRole/SeeWhatRunsAndStopWhatIsCancelled/states:StopExecution", "an order is cancelled"),
    ("Orders/ReconcilerFunctionRole/LookAtOpenOrders/*", "a waiting order is looked at again"),
    ("Orders/ReconcilerFunctionRole/FindOpenOrders/*", "a waiting order is looked at again"),
    ("Orders/ReconcilerFunctionRole/StartAndCallBack/states:StartExecution", "an order that never began is begun"),
    ("Orders/ReconcilerFunctionRole/StartAndCallBack/states:SendTaskSuccess", "a callback that was lost is made"),
    ("Orders/ReconcilerFunctionRole/Unwind/*", "an overdue order is ended"),
    ("Orders/ReconcilerFunctionRole/SeeWhatRunsAndStopWhatIsOverdue/states:StopExecution", "an overdue order is ended"),
    ("Orders/ConsumerFunctionRole/KeepTheCopy/*", "a promo code is earned and used"),
    ("Orders/ConsumerFunctionRole/SendUnreadableEventsAway/*", "no event for orders is set aside"),
    ("Orders/MenusFunctionRole/ReadTheVersionThatTheEventNames/*", "a menu takes effect"),
    ("Orders/MenusFunctionRole/ReportWhatIsWrong/*", "a file that is no menu is reported"),
    ("Orders/MenusFunctionRole/ReplaceAMenu/*", "a menu takes effect"),
    ("Orders/MenusFunctionRole/KeepWhatFailed/*", "a menu that fails is kept"),
    ("Orders/PromoCodesQueuePolicy/OnlyThisRule/*", "a promo code is earned and used"),
    ("Orders/DeathsDeadLetterQueuePolicy/OnlyThisRule/*", "a death that nobody unwinds is kept"),
    ("Orders/MenusDeadLetterQueuePolicy/OnlyThisRule/*", "a menu that nobody takes is kept"),
    ("Orders/MenusRuleMayCall/*", "a menu takes effect"),
    ("Orders/OrderWorkflowRole/RecordStatuses/dynamodb:UpdateItem", "an order is delivered"),
    ("Orders/OrderWorkflowRole/CountAndGiveBack/*", "a declined payment counts"),
    ("Orders/OrderWorkflowRole/AskPayments/*", "an order is delivered"),
    ("Orders/OrderWorkflowRole/AnnounceTheOrder/*", "an order is delivered"),
    ("Orders/UnwindWorkflowRole/[!T]*", "an order is cancelled"),
    ("Orders/DeathsRuleRole/*", "an order is cancelled"),
    ("Payments/PaymentsFunctionRole/*", "an order is delivered"),
    ("Payments/OutboxRelayFunctionRole/AnnouncePaymentEvents/*", "an order is delivered"),
    ("Payments/OutboxRelayFunctionRole/SetAsideWhatFails/*", "no event in payments' outbox is set aside"),
    ("Promotions/ApiFunctionRole/*", "promo codes are listed"),
    ("Support/ApiFunctionRole/ReadDefinitions/*", "support sees the workflows"),
    ("Support/ApiFunctionRole/KeepWhatWasTold/*", "support is told a story"),
    ("Support/ApiFunctionRole/ReadAnOrder/*", "support is told a story"),
    ("Support/ApiFunctionRole/ReadWhat*", "support is told a story"),
    ("Support/ApiFunctionRole/FindUnwinds/*", "support is told a story"),
    ("Support/ApiFunctionRole/ReadLines/*", "support is told a story"),
    ("Promotions/ConsumerFunctionRole/ReadAndChangeCustomers/*", "a promo code is earned and used"),
    ("Promotions/ConsumerFunctionRole/SendUnreadableEventsAway/*", "no event for promotions is set aside"),
    ("Promotions/OutboxRelayFunctionRole/AnnouncePromoCodes/*", "a promo code is earned and used"),
    ("Promotions/OutboxRelayFunctionRole/SetAsideWhatFails/*", "no event in promotions' outbox is set aside"),
    ("Promotions/PromotionsQueuePolicy/OnlyThisRule/*", "a promo code is earned and used"),
    ("Notifications/ConsumerFunctionRole/FindAddresses/*", "a customer is told"),
    ("Notifications/ConsumerFunctionRole/RememberWhatWasSent/*", "a customer is told"),
    ("Notifications/ConsumerFunctionRole/SendMail/*", "a customer is told"),
    ("Notifications/ConsumerFunctionRole/SendUnreadableEventsAway/*", "no event for notifications is set aside"),
    ("Notifications/NotificationsQueuePolicy/OnlyThisRule/*", "a customer is told"),
    ("Observability/ConsumerFunctionRole/SendUnreadableEventsAway/*", "no event for metrics is set aside"),
    ("Observability/MetricsQueuePolicy/OnlyThisRule/*", "an order is counted in a metric"),
    ("Live/ApiFunctionRole/*", "who listens hears"),
    ("Live/GateFunctionRole/UseTicketsUp/*", "who listens hears"),
    ("Live/GateFunctionRole/KeepConnections/dynamodb:[PQ]*", "who listens hears"),
    ("Live/GateFunctionRole/KeepConnections/dynamodb:DeleteItem", "a listener who left is forgotten"),
    ("Live/GateFunctionRole/FindConnectionsByTheirIds/*", "a listener who left is forgotten"),
    ("Live/ConsumerFunctionRole/FindWhoListens/dynamodb:Query", "who listens hears"),
    ("Live/ConsumerFunctionRole/FindWhoListens/dynamodb:DeleteItem", "a listener who is gone is forgotten"),
    ("Live/ConsumerFunctionRole/RememberFromWhomOrdersAre/*", "who listens hears"),
    ("Live/ConsumerFunctionRole/Tell/*", "who listens hears"),
    ("Live/ConsumerFunctionRole/SendUnreadableEventsAway/*", "no event for live news is set aside"),
    ("Live/LiveQueuePolicy/OnlyThisRule/*", "who listens hears"),
    ("KitchensService/ConsumerFunctionRole/CountOnce/*", "a kitchen's order is counted"),
    ("KitchensService/ConsumerFunctionRole/TakeEventsFromTheStream/kinesis:GetRecords", "a kitchen's order is counted"),
    ("KitchensService/ConsumerFunctionRole/SendUnreadableEventsAway/*", "no event for kitchens is set aside"),
    ("KitchensService/KitchensRuleRole/*", "a kitchen's order is counted"),
    ("KitchensService/KitchensDeadLetterQueuePolicy/OnlyThisRule/*", "an event that no stream takes is kept"),
    ("EstimatesService/ApiFunctionRole/*", "an order gets its estimate"),
    ("EstimatesService/ConsumerFunctionRole/KeepEstimates/*", "an order gets its estimate"),
    ("EstimatesService/ConsumerFunctionRole/KeepWhatFailed/*", "an estimate that fails is kept"),
    ("EstimatesService/CopyFunctionRole/ReadUploads/*", "a model comes into force"),
    ("EstimatesService/CopyFunctionRole/KeepWhatFailed/*", "a file that is no model is kept"),
    ("EstimatesService/EstimatesRulePermission/*", "an order gets its estimate"),
    ("EstimatesService/ModelsRulePermission/*", "a model comes into force"),
    ("EstimatesService/EstimatesQueuePolicy/OnlyThisRule/*", "an order that nobody estimates is kept"),
    ("EstimatesService/ModelsQueuePolicy/OnlyThisRule/*", "a model that nobody takes is kept"),
]
"""The story that needs a piece, by patterns of what is taken away."""

NOT_SHOWN: list[tuple[str, str]] = [
    ("*/WriteLinesAndTraces/WriteLinesIntoThisGroup/*", "the emulator writes a function's lines itself"),
    ("*/Trace/xray:*", "segments go to a collector of the laptop's, not through X-Ray's API"),
    ("Support/ApiFunctionRole/ReadTraces/*", "the laptop's X-Ray answers whoever asks"),
    ("*/OnlyEncryptedTransport/*", "every request counts as encrypted here (tests/emulator/test_permissions.py)"),
    ("*/TakeEventsFromTheQueue/*", "the emulator takes messages out for a function without asking its role"),
    ("*OutboxRelayFunctionRole/ReadTheStream/*", "the emulator reads a table's stream without asking the role"),
    ("*OutboxRelayFunctionRole/FindTheStream/*", "the emulator reads a table's stream without asking the role"),
    ("KitchensService/ConsumerFunctionRole/TakeEventsFromTheStream/kinesis:[!G]*",
     "the emulator asks for GetRecords alone before it reads a Kinesis stream"),
    ("KitchensService/ConsumerFunctionRole/TakeEventsFromTheStream/kinesis:GetShardIterator",
     "the emulator asks for GetRecords alone before it reads a Kinesis stream"),
    ("KitchensService/ConsumerFunctionRole/SayWhereTheStreamWasGivenUp/*",
     "a batch is given up after a thousand attempts or six hours (tests/emulator/test_kinesis.py)"),
    ("Orders/ApiFunctionRole/ReadRowByRowAsTheVersionBefore/*",
     "asked by the version before, while a deployment goes on"),
    ("Orders/*/SeeWhatRuns*/states:DescribeExecution",
     "asked only where an execution of that name ended before (tests/unit/test_orders_workflow_port.py)"),
    (
        "Orders/OrderWorkflowRole/RecordStatuses/dynamodb:GetItem",
        "asked only where a restaurant's answer and its silence meet (tests/workflow/test_every_order_ends.py)",
    ),
    ("Orders/EachMinuteRole/*", "the emulator's Scheduler calls without asking the role"),
    ("*/ApiFunction*Permissionv1/*", "the emulator's API Gateway calls without asking the function"),
    ("Live/WebSocketApiPermission/*", "the emulator's API Gateway calls without asking the function"),
    ("Orders[SN]*/-/events:PutEvents", "the roles' own statements say the same (tests/emulator/test_bus_policies.py)"),
    ("P*[SN]*/-/events:PutEvents", "the roles' own statements say the same (tests/emulator/test_bus_policies.py)"),
    ("EstimatesService/*Endpoint/*", "no VPC is made here, so nothing passes an endpoint"),
    ("EstimatesService/*/*NetworkInterfaces/*", "no VPC is made here, so no interface is"),
    ("EstimatesService/NoInterfacesByTheirCode/*", "no VPC is made here, so no interface is"),
    ("EstimatesService/ModelsFileSystem/OnlyByAnAccessPoint/*", "a file system here is a folder, without a policy"),
    ("EstimatesService/*/elasticfilesystem:Client*",
     "asked when a function's process starts (tests/emulator/test_functions_on_file_systems.py)"),
    ("Observability/AlarmTopicPolicy/*", "it is made with a budget, which the emulator has none of"),
]  # fmt: skip
"""What taking away would show nothing here, by patterns, with the reason."""


def story_of(piece: Piece) -> str | None:
    """The story that needs a piece; None if the emulator cannot show it."""
    return next((story for pattern, story in SHOWN if fnmatchcase(str(piece), pattern)), None)


def reason_of(piece: Piece) -> str | None:
    """Why the emulator cannot show that a piece is needed; None if it can, or if nobody knows."""
    if story_of(piece):
        return None
    return next((reason for pattern, reason in NOT_SHOWN if fnmatchcase(str(piece), pattern)), None)


def prepare(world: World, stories: Iterable[str]) -> None:
    """See that stories end well, each within the time that it gets when something is taken away.

    Raises:
        NotNeeded: one does not.
    """
    for story in [story for story in STORIES if story in stories]:
        if world.tell(story, WELL) and (failed := world.tell(story, WELL)):
            raise NotNeeded(f"{story}, with everything in place: {failed}")
        if failed := world.tell(story, QUICK):
            raise NotNeeded(f"{story} takes longer than {QUICK:g} s for a step: {failed}")
