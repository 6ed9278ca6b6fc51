"""The ways to run an order that are compared: what each is made of, and how it is brought up. Each is one entry."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load
from laptop import Stack, deployment, functions, menus
from laptop.environment import ROOT
from laptop.stack import reachable
from tiffin.dynamodb import serialize

EXAMPLES = ROOT / "examples"
Outputs = Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """Some of a file that says how an order behaves.

    Attributes:
        path: of the file, from the repository's root.
        resources: of a template, those that belong to it; without, the whole file does.
    """

    path: str
    resources: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Its lines, without empty ones and comments."""
        written = (ROOT / self.path).read_text("utf-8").splitlines()
        if self.resources:
            written = [line for name in self.resources for line in _resource(self.path, name, written)]
        return [line for line in written if line.strip() and not line.strip().startswith("#")]


def _resource(path: str, name: str, written: list[str]) -> list[str]:
    """The lines of a template in which a resource is declared, up to whatever stands less deep."""
    try:
        begins = written.index(f"  {name}:")
    except ValueError:
        raise LookupError(f"{path} has no {name}") from None
    ends = next(
        (n for n in range(begins + 1, len(written)) if written[n].strip() and not written[n].startswith("   ")),
        len(written),
    )
    return written[begins:ends]


@dataclass(frozen=True)
class Way:
    """One way to run an order.

    Attributes:
        name: as its column is called.
        stack: name of its stack.
        template: of that.
        its: how the paths of its resources begin: the order's context and payments', and nobody who only listens.
        behaviour: where it is written what happens to an order: not what all ways share, such as prices, claims and
            payments.
        three_hours: how they are done.
        machines: outputs with the ARNs of its state machines.
        durable: output with the name of the durable function that is an order's life.
        besides: how the paths of those resources begin that are not counted: who looks at open orders each minute,
            which is no order's own, and who only listens.
        consumers: functions that take events from queues, as patterns: in its context, if there are any, else all that
            listen to its bus; without, nobody does.
        queues: outputs with the URLs of its queues, from which what failed comes back later.
        ready: whether a row says that the next move can be made.
        clock: how much faster time passes for an order that expires.
        hurry: lets three hours pass for an order, if the clock does not.
        look_again: lets somebody look at an order now rather than minutes later.
        places: where an order may be, or a message that it waits for: logical ids of its templates.
        change: a patch that lets the restaurant be asked before the card.
        brought_up: makes it, on an emulator with the application; gives its outputs.
    """

    name: str
    stack: str
    template: Path
    its: tuple[str, ...]
    behaviour: tuple[Part, ...]
    three_hours: str
    brought_up: Callable[[Stack, "Way"], Outputs]
    machines: tuple[str, ...] = ()
    durable: str = ""
    besides: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    ready: Callable[[Mapping[str, Any]], bool] = lambda _: True
    clock: float = 1.0
    hurry: Callable[[Stack, Outputs, str], None] = lambda *_: None
    look_again: Callable[[Stack, Outputs, str], None] = lambda *_: None
    places: tuple[str, ...] = ()
    change: Path | None = None

    def files(self) -> list[str]:
        """The files in which its behaviour is written."""
        return list(dict.fromkeys(part.path for part in self.behaviour))

    def lines(self) -> int:
        """How many lines that is, without empty ones and comments."""
        return sum(len(part.lines()) for part in self.behaviour)

    def declared(self) -> Iterator[tuple[str, str]]:
        """Types and logical ids of what its templates declare, those of nested ones that are its own too."""
        for path in (self.template, *self._nested()):
            for name, resource in load(str(path))["Resources"].items():
                yield resource["Type"], name

    def _nested(self) -> Iterator[Path]:
        for name, resource in load(str(self.template))["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Application" and f"{name}/".startswith(self.its):
                yield (self.template.parent / resource["Properties"]["Location"]).resolve()


def deployed_beside(stack: Stack, way: Way) -> Outputs:
    """Deploy a way's template beside the application, with its people and its menus."""
    pool = stack.client("cognito-idp").describe_user_pool(UserPoolId=stack.outputs["UserPoolId"])["UserPool"]["Arn"]
    given = deployment.deploy(stack.access, way.template, way.stack, {"UserPoolArn": pool})
    outputs = {name: reachable(value, stack.endpoint) for name, value in given.items()}
    functions.start(stack.access, lambda ready, of: None)
    dynamodb = stack.client("dynamodb")
    for menu in menus.read():
        row = menu.model_dump() | {"menu_version": menu.version, "listed": "restaurant"}
        dynamodb.put_item(
            TableName=outputs["MenusTableName"], Item={name: serialize(value) for name, value in row.items()}
        )
    return outputs


def let_time_be_up(stack: Stack, outputs: Outputs, order_id: str) -> None:
    """Write into an order's row that its three hours are over, and let the sweep look: it knows no faster clock."""
    _write(stack, outputs, order_id, "SET deadline_at = :then, check_at = :then")


def let_somebody_look(stack: Stack, outputs: Outputs, order_id: str) -> None:
    """Write into an order's row that somebody should have looked at it, and let the sweep do so now."""
    _write(stack, outputs, order_id, "SET check_at = :then")


def _write(stack: Stack, outputs: Outputs, order_id: str, update: str) -> None:
    stack.client("dynamodb").update_item(
        TableName=outputs["OrdersTableName"],
        Key={"order_id": {"S": order_id}},
        UpdateExpression=update,
        ExpressionAttributeValues={":then": {"S": "2020-01-01T00:00:00.000Z"}},
    )
    stack.client("lambda").invoke(FunctionName=outputs["KeepsTimeFunctionName"], Payload=b"{}")


ORCHESTRATED = Way(
    name="orchestrated",
    stack="tiffin",
    template=ROOT / "template.yaml",
    its=("Orders/", "Payments/"),
    behaviour=(
        Part("statemachines/order.asl.json"),
        Part("statemachines/unwind.asl.json"),
        Part("services/orders/orders/workflow.py"),
        Part("services/orders/orders/reconciler.py"),
        Part(
            "services/orders/template.yaml",
            (
                "OrderWorkflow",
                "UnwindWorkflow",
                "DeathsRule",
                "DeathsDeadLetterQueue",
                "DeathsDeadLetterQueuePolicy",
                "OrderWorkflowRole",
                "UnwindWorkflowRole",
                "DeathsRuleRole",
                "ReconcilerFunction",
                "ReconcilerFunctionRole",
                "EachMinuteRole",
            ),
        ),
    ),
    three_hours="`TimeoutSeconds` of the workflow, one line; a rule on its death starts the unwind, and a sweep finds "
    "what that missed",
    brought_up=lambda stack, _: stack.outputs,
    machines=("OrderWorkflowArn", "UnwindWorkflowArn"),
    besides=("Orders/ReconcilerFunction", "Orders/ConsumerFunction", "Orders/PromoCodes"),
    consumers=("*ConsumerFunction*",),
    ready=lambda row: "task_token" in row or "open_shard" not in row,
    clock=540.0,
    places=("OrdersTable", "OrderWorkflow", "DeathsDeadLetterQueue"),
    change=EXAMPLES / "choreographed/changes/restaurant-first.orchestrated.patch",
)

CHOREOGRAPHED = Way(
    name="choreographed",
    stack="choreographed",
    template=EXAMPLES / "choreographed/template.yaml",
    its=("",),
    behaviour=(
        *(
            Part(f"examples/choreographed/choreographed/{name}.py")
            for name in (
                "api",
                "no_workflow",
                "tells",
                "asks_payments",
                "hears_payments",
                "keeps_time",
                "rows",
                "rules",
            )
        ),
        Part(
            "examples/choreographed/template.yaml",
            (
                "TellsFunction",
                "TellsFunctionRole",
                "TellsMapping",
                "TellsDeadLetterQueue",
                "AsksQueue",
                "AsksDeadLetterQueue",
                "AsksMapping",
                "AsksPaymentsFunction",
                "AsksPaymentsFunctionRole",
                "HearsRule",
                "HearsQueue",
                "HearsDeadLetterQueue",
                "HearsMapping",
                "HearsPaymentsFunction",
                "HearsPaymentsFunctionRole",
                "KeepsTimeFunction",
                "KeepsTimeFunctionRole",
                "EachMinuteRole",
                "OnlyEncryptedTransport",
                "HearsQueuePolicy",
            ),
        ),
    ),
    three_hours="each row carries the moment at which somebody should look at it; a sweep each minute asks an index",
    brought_up=deployed_beside,
    besides=("KeepsTimeFunction",),
    consumers=("*HearsPaymentsFunction*",),
    queues=("AsksQueueUrl", "HearsQueueUrl"),
    hurry=let_time_be_up,
    look_again=let_somebody_look,
    places=(
        "OrdersTable",
        "TellsDeadLetterQueue",
        "AsksQueue",
        "AsksDeadLetterQueue",
        "PaymentsTable",
        "OutboxDeadLetterQueue",
        "HearsQueue",
        "HearsDeadLetterQueue",
    ),
    change=EXAMPLES / "choreographed/changes/restaurant-first.choreographed.patch",
)

DURABLE = Way(
    name="durable",
    stack="tiffin-durable",
    template=EXAMPLES / "durable/template.yaml",
    its=("",),
    behaviour=(
        *(
            Part(f"examples/durable/durable/{name}.py")
            for name in (
                "api",
                "order",
                "steps",
                "records",
                "payments",
                "announcements",
                "unwind",
                "executions",
                "reconciler",
            )
        ),
        Part(
            "examples/durable/template.yaml",
            (
                "OrderFunction",
                "OrderFunctionRole",
                "KeepTheHistory",
                "DeathsRule",
                "DeathsRuleMayCall",
                "DeathsDeadLetterQueue",
                "DeathsDeadLetterQueuePolicy",
                "UnwindFunction",
                "UnwindFunctionRole",
                "ReconcilerFunction",
                "ReconcilerFunctionRole",
                "EachMinuteRole",
            ),
        ),
    ),
    three_hours="`ExecutionTimeout` of the function, one line; a rule on its death calls the unwind, and a sweep finds "
    "what that missed",
    brought_up=deployed_beside,
    durable="OrderFunctionName",
    besides=("ReconcilerFunction",),
    ready=ORCHESTRATED.ready,
    clock=540.0,
    places=("OrdersTable", "OrderFunction", "DeathsDeadLetterQueue"),
    change=EXAMPLES / "durable/changes/restaurant-first.durable.patch",
)

WAYS = (ORCHESTRATED, CHOREOGRAPHED, DURABLE)
