"""The ways to run an order that are compared: what each is made of, and how it is brought up. Each is one entry."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load
from laptop import Stack, deployment, functions, menus
from laptop.environment import ROOT
from laptop.stack import reachable
from operations import workflows
from tiffin.dynamodb import serialize

from . import durable

EXAMPLES = ROOT / "examples"
Outputs = Mapping[str, str]
ROWS = "OrdersTable", "PaymentsTable"
"""Tables that have a row of each order."""


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
class Place:
    """Where an order may be, or a message that it waits for.

    Attributes:
        path: logical ids that lead to it, from its stack down.
        kind: `row`, `stream`, `queue`, `execution`, or `call`: it waits in Lambda, as nobody waits for its answer.
        of: of a stream, its table.
    """

    path: str
    kind: str
    of: str = ""

    def __str__(self) -> str:
        name = f"`{self.of or self.path.rpartition('/')[2]}`"
        return {"stream": f"the stream of {name}", "call": f"calls of {name}"}.get(self.kind, name)


def _place(path: str, resource: Mapping[str, Any]) -> Place | None:
    """What a resource of a template is to an order; None, if no order is ever there."""
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind == "AWS::DynamoDB::Table" and path.rpartition("/")[2] in ROWS:
        return Place(path, "row")
    if kind == "AWS::SQS::Queue":
        return Place(path, "queue")
    if kind == "AWS::Serverless::StateMachine" or "DurableConfig" in properties:
        return Place(path, "execution")
    if properties.get("EventInvokeConfig", {}).get("MaximumRetryAttempts"):
        return Place(path, "call")
    if kind == "AWS::Lambda::EventSourceMapping":
        table, attribute = properties["EventSourceArn"]["Fn::GetAtt"]
        return Place(path, "stream", table) if attribute == "StreamArn" else None
    return None


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
        life: of that, what must be read to say in which sequence the steps come.
        picture: what draws that.
        history: what there is of an order afterwards, how it is read, and for how long.
        limits: of the engine, as its makers write them. Numbers in brackets are of the sources of docs/compare.md.
        three_hours: how they are done.
        at_most: seconds after which an order goes on by its templates, at the latest, if payments fail five times.
        through: templates that have each step of an order, with how the paths of their resources begin.
        machines: outputs with the ARNs of its state machines.
        durable: output with the name of the durable function that is an order's life.
        besides: how the paths of those resources begin that are not counted: who looks at open orders each minute,
            which is no order's own, and who only listens.
        hears: whether a step begins with an event of payments.
        unwinds: who is told of an execution's death, as a pattern; without, there is none that could die.
        start_again: starts an order that was started.
        answer_again: answers a callback that was answered: by its token, with something else.
        stop: stops an order's execution.
        queues: outputs with the URLs of its queues, from which what failed comes back later.
        ready: whether a row says that the next move can be made.
        clock: how much faster time passes for an order that expires.
        hurry: lets three hours pass for an order, if the clock does not.
        looks: seconds after placing at which somebody looks at an order that waits for payments, and between any two
            looks after that; 0, if nobody has to.
        look_again: lets somebody look at an order now.
        change: a patch that lets the restaurant be asked before the card.
        brought_up: makes it, on an emulator with the application; gives its outputs.
    """

    name: str
    stack: str
    template: Path
    its: tuple[str, ...]
    behaviour: tuple[Part, ...]
    life: tuple[Part, ...]
    picture: str
    history: str
    limits: str
    three_hours: str
    at_most: float
    through: tuple[tuple[str, Path], ...]
    brought_up: Callable[[Stack, "Way"], Outputs]
    machines: tuple[str, ...] = ()
    durable: str = ""
    besides: tuple[str, ...] = ()
    hears: bool = False
    unwinds: str = ""
    start_again: Callable[[Stack, Outputs, str], None] = lambda *_: None
    answer_again: Callable[[Stack, str, str], None] = lambda *_: None
    stop: Callable[[Stack, Outputs, str], None] = lambda *_: None
    queues: tuple[str, ...] = ()
    ready: Callable[[Mapping[str, Any]], bool] = lambda _: True
    clock: float = 1.0
    hurry: Callable[[Stack, Outputs, str], None] = lambda *_: None
    looks: tuple[float, float] = (0.0, 0.0)
    look_again: Callable[[Stack, Outputs, str], None] = lambda *_: None
    change: Path | None = None

    def files(self) -> list[str]:
        """The files in which its behaviour is written."""
        return list(dict.fromkeys(part.path for part in self.behaviour))

    def lines(self) -> int:
        """How many lines that is, without empty ones and comments."""
        return sum(len(part.lines()) for part in self.behaviour)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where an order may be, or a message that it waits for, by the templates."""
        found = (
            _place(f"{prefix}{name}", resource)
            for prefix, path in self.through
            for name, resource in load(str(path))["Resources"].items()
        )
        return tuple(place for place in found if place and not place.path.startswith(self.besides or ("-",)))

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


def _execution(outputs: Outputs, order_id: str) -> str:
    return workflows.execution_arn(outputs["OrderWorkflowArn"], order_id)


def _start_workflow_again(stack: Stack, outputs: Outputs, order_id: str) -> None:
    states, execution = stack.client("stepfunctions"), _execution(outputs, order_id)
    given = states.describe_execution(executionArn=execution)["input"]
    again = states.start_execution(stateMachineArn=outputs["OrderWorkflowArn"], name=order_id, input=given)
    if again["executionArn"] != execution:
        raise LookupError(f"{order_id} has two executions")


def _answer_workflow_again(stack: Stack, token: str, output: str) -> None:
    stack.client("stepfunctions").send_task_success(taskToken=token, output=output)


def _stop_workflow(stack: Stack, outputs: Outputs, order_id: str) -> None:
    stack.client("stepfunctions").stop_execution(executionArn=_execution(outputs, order_id))


def _start_function_again(stack: Stack, outputs: Outputs, order_id: str) -> None:
    asks, function = stack.client("lambda"), outputs["OrderFunctionName"]
    execution = durable.execution_arn(stack, function, order_id)
    given = asks.get_durable_execution(DurableExecutionArn=execution)["InputPayload"]
    again = asks.invoke(
        FunctionName=function, Qualifier="live", InvocationType="Event", DurableExecutionName=order_id, Payload=given
    )
    if again["DurableExecutionArn"] != execution:
        raise LookupError(f"{order_id} has two executions")


def _answer_function_again(stack: Stack, token: str, output: str) -> None:
    stack.client("lambda").send_durable_execution_callback_success(CallbackId=token, Result=output)


def _stop_function(stack: Stack, outputs: Outputs, order_id: str) -> None:
    execution = durable.execution_arn(stack, outputs["OrderFunctionName"], order_id)
    stack.client("lambda").stop_durable_execution(DurableExecutionArn=execution)


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
    life=(Part("statemachines/order.asl.json"),),
    picture="drawn from the definition, by Step Functions' console and [here](tour/04-orchestration.md)",
    history="each state with its input and output, by `GetExecutionHistory`, for 90 days (1)",
    limits="25,000 events and a year for an execution, 256 KiB for what a state is given (1)",
    three_hours="`TimeoutSeconds` of the workflow, one line; a rule on its death starts the unwind, and a sweep finds "
    "what that missed",
    at_most=62.0,
    through=(("Orders/", ROOT / "services/orders/template.yaml"),),
    brought_up=lambda stack, _: stack.outputs,
    machines=("OrderWorkflowArn", "UnwindWorkflowArn"),
    besides=(
        "Orders/ReconcilerFunction",
        "Orders/ConsumerFunction",
        "Orders/PromoCodes",
        "Orders/MenusDeadLetterQueue",
    ),
    unwinds="*UnwindWorkflow*",
    start_again=_start_workflow_again,
    answer_again=_answer_workflow_again,
    stop=_stop_workflow,
    ready=lambda row: "task_token" in row or "open_shard" not in row,
    clock=540.0,
    change=EXAMPLES / "choreographed/changes/restaurant-first.orchestrated.patch",
)

_BY_EVENTS = tuple(
    Part(f"examples/choreographed/choreographed/{name}.py")
    for name in ("no_workflow", "tells", "asks_payments", "hears_payments", "keeps_time", "rows", "rules")
)

CHOREOGRAPHED = Way(
    name="choreographed",
    stack="choreographed",
    template=EXAMPLES / "choreographed/template.yaml",
    its=("",),
    behaviour=(
        Part("examples/choreographed/choreographed/api.py"),
        *_BY_EVENTS,
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
    life=_BY_EVENTS,
    picture="none; who wants one reads these files and draws it, as [its README](../examples/choreographed/README.md) "
    "did",
    history="of the order, the moments in its row; of each step by itself, log lines for 30 days",
    limits="none for an order as a whole; a record is 24 hours in a stream (3), a message 14 days in a queue at most "
    "(4), 7 here",
    three_hours="each row carries the moment at which somebody should look at it; a sweep each minute asks an index",
    at_most=480.0,
    through=(
        ("", EXAMPLES / "choreographed/template.yaml"),
        ("Payments/", ROOT / "services/payments/template.yaml"),
    ),
    brought_up=deployed_beside,
    besides=("KeepsTimeFunction",),
    hears=True,
    queues=("AsksQueueUrl", "HearsQueueUrl"),
    hurry=let_time_be_up,
    looks=(120.0, 300.0),
    look_again=let_somebody_look,
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
    life=(Part("examples/durable/durable/order.py"),),
    picture="none; what comes nearest are the names of its steps",
    history="each step and callback with its result, by `GetDurableExecutionHistory`, for 14 days by its template, "
    "90 at most (2)",
    limits="3,000 operations and 100 MB (5), and 366 days (2) for an execution; 15 minutes for an invocation (6)",
    three_hours="`ExecutionTimeout` of the function, one line; a rule on its death calls the unwind, and a sweep finds "
    "what that missed",
    at_most=62.0,
    through=(("", EXAMPLES / "durable/template.yaml"),),
    brought_up=deployed_beside,
    durable="OrderFunctionName",
    besides=("ReconcilerFunction",),
    unwinds="*UnwindFunction*",
    start_again=_start_function_again,
    answer_again=_answer_function_again,
    stop=_stop_function,
    ready=ORCHESTRATED.ready,
    clock=540.0,
    change=EXAMPLES / "durable/changes/restaurant-first.durable.patch",
)

WAYS = (ORCHESTRATED, CHOREOGRAPHED, DURABLE)
