"""A trace goes on from service to service, and every service on its way leaves its own segments.

Carried, and only where AWS carries it:

- API Gateway (X-Ray developer guide, "Amazon API Gateway active tracing support"): a stage with tracing on begins a
  trace, or goes on with the caller's, and leaves a segment of the type `AWS::ApiGateway::Stage`.
- Lambda (Lambda developer guide, "Visualize Lambda function invocations using AWS X-Ray"): an invocation is a segment
  of `AWS::Lambda` and one of `AWS::Lambda::Function`; the handler finds the latter as the parent in `_X_AMZN_TRACE_ID`.
  In the latter an invocation that an execution environment had to be started for has a subsegment `Initialization`, as
  long as that took; one for which an environment was there, by provisioned concurrency, say, has none.
  A batch from a queue or a stream is a new trace; one from a queue links to the traces of its messages (X-Ray developer
  guide, "Tracing event-driven applications").
- Step Functions (Step Functions developer guide, "Trace Step Functions request data in AWS X-Ray"): with tracing
  enabled, an execution goes on with the trace of its `StartExecution`, or begins one, and hands it on to the functions
  it calls.
- EventBridge (X-Ray developer guide, "Amazon EventBridge"): the header of the request, or of the entry, arrives at a
  queue as the message attribute `AWSTraceHeader`. Events that AWS services emit carry none.

Every request is sampled, as the stack's sampling rule has it on AWS. MiniStack gives each function a trace of its own,
and leaves no segment.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway_v1, eventbridge, lambda_svc, sqs, stepfunctions
from ministack.services.cloudformation import provisioners

from ...record import hooks

_Document = dict[str, Any]


@dataclass(frozen=True)
class Trace:
    """Where a trace stands: its id, and the segment that the next one belongs under."""

    root: str
    parent: str | None = None
    sampled: bool = True

    @classmethod
    def new(cls) -> "Trace":
        """Begin a trace (X-Ray developer guide, "Trace IDs")."""
        return cls(f"1-{int(time.time()):08x}-{secrets.token_hex(12)}")

    @classmethod
    def read(cls, header: str | None) -> "Trace | None":
        """Read a tracing header; None if there is none, or no decision in it yet."""
        parts = dict(part.strip().partition("=")[::2] for part in (header or "").split(";"))
        if not parts.get("Root", "").startswith("1-"):
            return None
        return cls(parts["Root"], parts.get("Parent"), parts.get("Sampled", "1") != "0")

    def under(self, segment: str) -> "Trace":
        """The same trace, below another segment."""
        return Trace(self.root, segment, self.sampled)

    def header(self) -> str:
        """The tracing header."""
        parent = f";Parent={self.parent}" if self.parent else ""
        return f"Root={self.root}{parent};Sampled={int(self.sampled)}"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
_invocation: ContextVar[str | None] = ContextVar("invocation", default=None)
_initializations: ContextVar[list[_Document] | None] = ContextVar("initializations", default=None)
_state: ContextVar[Trace | None] = ContextVar("state", default=None)
_machine: ContextVar[Trace | None] = ContextVar("machine", default=None)
_delivering: ContextVar[Trace | None] = ContextVar("delivering", default=None)
_traced_definitions: set[str] = set()


def fill() -> None:
    """Wrap the places where work is handed from one service to the next."""
    _read_headers_of_requests()
    _trace_rest_apis()
    _trace_functions()
    _trace_state_machines()
    _carry_through_events()


def _send(document: _Document) -> None:
    record = hooks.record()
    if record is not None:
        record.add_segment(document)


@contextmanager
def _here(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    scope = variable.set(value)
    try:
        yield
    finally:
        variable.reset(scope)


def _read_headers_of_requests() -> None:
    # Only now: it takes names from modules that other fillers change.
    from ministack import app

    dispatch = app._dispatch_service_request

    async def dispatch_service_request(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        with _here(_current, Trace.read(headers.get("x-amzn-trace-id"))):
            return await dispatch(method, path, headers, *rest)

    app._dispatch_service_request = dispatch_service_request


def _trace_rest_apis() -> None:
    execute = apigateway_v1._execute_in_scope

    async def execute_in_scope(
        request: Any, api_id: str, stage_name: str, method: str, path: str, headers: dict[str, str], *rest: Any
    ) -> Any:
        stage = apigateway_v1._stages_v1.get(api_id, {}).get(stage_name) or {}
        if not stage.get("tracingEnabled"):
            return await execute(request, api_id, stage_name, method, path, headers, *rest)
        caller = Trace.read(headers.get("x-amzn-trace-id")) or Trace.new()
        segment, integration, began = secrets.token_hex(8), secrets.token_hex(8), time.time()
        status = 500
        try:
            with _here(_current, caller.under(integration)):
                response = await execute(request, api_id, stage_name, method, path, headers, *rest)
            # A refusal by the gateway itself is no tuple, and is made into one by the caller.
            status = int(response[0]) if isinstance(response, tuple) else 403
            return response
        finally:
            ended = time.time()
            outcome = _outcome(status)
            name = f"{(apigateway_v1._rest_apis.get(api_id) or {}).get('name', api_id)}/{stage_name}"
            if caller.sampled:
                _send(
                    {
                        "trace_id": caller.root,
                        "id": segment,
                        **({"parent_id": caller.parent} if caller.parent else {}),
                        "name": name,
                        "origin": "AWS::ApiGateway::Stage",
                        "start_time": began,
                        "end_time": ended,
                        # The query may say who asks.
                        "http": {"request": {"method": method, "url": path}, "response": {"status": status}},
                        "aws": {"api_gateway": {"rest_api_id": api_id, "stage": stage_name}},
                        "subsegments": [
                            {
                                "id": integration,
                                "name": "Lambda",
                                "namespace": "aws",
                                "start_time": began,
                                "end_time": ended,
                                "http": {"response": {"status": status}},
                                **outcome,
                            }
                        ],
                        **outcome,
                    }
                )

    apigateway_v1._execute_in_scope = execute_in_scope


def _outcome(status: int) -> dict[str, bool]:
    if status == 429:
        return {"error": True, "throttle": True}
    return {"fault": True} if status >= 500 else {"error": True} if status >= 400 else {}


def _trace_functions() -> None:
    header_of, execute = lambda_svc._xray_trace_id_for_invocation, lambda_svc._execute_function_warm

    def trace_id_for_invocation(config: dict[str, Any], inbound: str | None = None) -> Any:
        return _invocation.get() or header_of(config, inbound)

    def execute_function_warm(function: Any, event: Any, request_id: str) -> Any:
        config = function.get("config") or function
        links = _links(event)
        caller = None if links is not None else _current.get()
        if (config.get("TracingConfig") or {}).get("Mode") != "Active":
            with _here(_invocation, caller.header() if caller else None):
                return execute(function, event, request_id)
        trace = caller or Trace.new()
        service, work, began = secrets.token_hex(8), secrets.token_hex(8), time.time()
        failed = True
        cold: list[_Document] = []
        try:
            with _here(_invocation, trace.under(work).header()), _here(_initializations, cold):
                result = execute(function, event, request_id)
            failed = bool(result.get("error"))
            return result
        finally:
            if trace.sampled:
                common = {
                    "trace_id": trace.root,
                    "name": config["FunctionName"],
                    "start_time": began,
                    "end_time": time.time(),
                    **({"fault": True} if failed else {}),
                }
                aws = {"request_id": request_id, "function_arn": config.get("FunctionArn", "")}
                parent = {"parent_id": trace.parent} if trace.parent else {}
                linked = {"links": links} if links else {}
                _send(
                    common
                    | {"id": service, "origin": "AWS::Lambda", "aws": aws, "http": {"response": {"status": 200}}}
                    | parent
                    | linked
                )
                started = {"subsegments": cold} if cold else {}
                _send(
                    common | {"id": work, "origin": "AWS::Lambda::Function", "aws": aws, "parent_id": service} | started
                )

    spawn = lambda_runtime.Worker._spawn

    def timed_spawn(worker: Any) -> None:
        began = time.time()
        try:
            spawn(worker)
        finally:
            cold = _initializations.get()
            if cold is not None:
                cold.append(
                    {
                        "id": secrets.token_hex(8),
                        "name": "Initialization",
                        "start_time": began,
                        "end_time": time.time(),
                    }
                )

    lambda_runtime.Worker._spawn = timed_spawn
    lambda_svc._xray_trace_id_for_invocation = trace_id_for_invocation
    lambda_svc._execute_function_warm = execute_function_warm


def _links(event: Any) -> list[dict[str, str]] | None:
    """The traces of a batch's messages; None if this is no batch."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records or not isinstance(records[0], dict):
        return None
    if records[0].get("eventSource") not in ("aws:sqs", "aws:dynamodb"):
        return None
    traces = (Trace.read((record.get("attributes") or {}).get("AWSTraceHeader")) for record in records)
    unique = {trace.root: trace.parent or "" for trace in traces if trace}
    return [{"trace_id": root, "id": parent} for root, parent in unique.items()]


def _trace_state_machines() -> None:
    define, create = provisioners._sfn_definition, stepfunctions._create_state_machine
    run, do_task = stepfunctions._run_execution, stepfunctions._execute_task

    def sfn_definition(properties: dict[str, Any]) -> Any:
        definition = define(properties)
        if str((properties.get("TracingConfiguration") or {}).get("Enabled")).lower() == "true":
            _traced_definitions.add(definition)
        return definition

    def create_state_machine(data: dict[str, Any]) -> Any:
        if (data.get("tracingConfiguration") or {}).get("enabled"):
            _traced_definitions.add(data.get("definition", ""))
        return create(data)

    def run_execution(arn: str) -> Any:
        execution = stepfunctions._executions.get(arn)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
        if execution is None or machine is None or machine["definition"] not in _traced_definitions:
            return run(arn)
        caller = _current.get() or Trace.new()
        segment, began = secrets.token_hex(8), time.time()
        document: _Document = {
            "trace_id": caller.root,
            "id": segment,
            **({"parent_id": caller.parent} if caller.parent else {}),
            "name": machine["name"],
            "origin": "AWS::StepFunctions::StateMachine",
            "start_time": began,
            "aws": {"execution_arn": arn, "state_machine_arn": execution["stateMachineArn"]},
        }
        if caller.sampled:
            _send(document | {"in_progress": True})
        try:
            with _here(_machine, caller.under(segment)), _here(_current, caller.under(segment)):
                return run(arn)
        finally:
            if caller.sampled:
                _send(document | {"end_time": time.time()} | _failed(execution))

    def execute_task(state: Any, given: Any, execution: Any, context: Any) -> Any:
        machine = _machine.get()
        if machine is None:
            return do_task(state, given, execution, context)
        with _subsegment(machine, context["State"]["Name"], _state, {}):
            return do_task(state, given, execution, context)

    provisioners._sfn_definition = sfn_definition
    stepfunctions._create_state_machine = create_state_machine
    stepfunctions._run_execution = run_execution
    stepfunctions._execute_task = execute_task
    _trace_calls_of_states()


def _failed(execution: dict[str, Any]) -> _Document:
    if execution["status"] not in ("FAILED", "TIMED_OUT", "ABORTED"):
        return {}
    return {"fault": True, "cause": _cause(str(execution.get("error") or execution["status"]), "")}


def _cause(kind: str, message: str) -> _Document:
    return {"exceptions": [{"id": secrets.token_hex(8), "type": kind, "message": message}]}


@contextmanager
def _subsegment(above: Trace, name: str, variable: ContextVar[Trace | None], more: _Document) -> Iterator[None]:
    """A subsegment sent on its own: an execution may outlast a segment's 64 KB, and shows its steps as they come."""
    own, began = secrets.token_hex(8), time.time()
    outcome: _Document = {}
    try:
        with _here(variable, above.under(own)):
            yield
    except stepfunctions._ExecutionError as error:
        expected = error.error.endswith("ConditionalCheckFailedException")
        outcome = {"error" if expected else "fault": True, "cause": _cause(error.error, str(error.cause)[:500])}
        raise
    except BaseException:
        # The execution ended while this ran.
        outcome = {"fault": True}
        raise
    finally:
        if above.sampled:
            _send(
                {
                    "type": "subsegment",
                    "trace_id": above.root,
                    "parent_id": above.parent,
                    "id": own,
                    "name": name,
                    "start_time": began,
                    "end_time": time.time(),
                    **more,
                    **outcome,
                }
            )


def _trace_calls_of_states() -> None:
    """Each call of a task to a service is a subsegment of the state, and the parent of what the service does."""

    def traced(call: Callable[..., Any], describe: Callable[..., tuple[str, _Document]]) -> Callable[..., Any]:
        def traced_call(*arguments: Any) -> Any:
            state = _state.get()
            if state is None:
                return call(*arguments)
            name, aws = describe(*arguments)
            more = {"namespace": "aws", "aws": {"region": get_region(), "account_id": get_account_id(), **aws}}
            # That the optimised putEvents hands its trace on is nowhere documented: so here it does not.
            hands_on = name != "EventBridge"
            with _subsegment(state, name, _current, more), _here(_current, _current.get() if hands_on else None):
                return call(*arguments)

        return traced_call

    def function(reference: str, _: Any) -> tuple[str, _Document]:
        return "Lambda", {"operation": "Invoke", "function_name": str(reference).rpartition(":")[2]}

    def integration(resource: str, data: Any) -> tuple[str, _Document]:
        service, _, operation = (
            resource.partition(":states:::")[2].removeprefix("aws-sdk:").partition(".")[0].partition(":")
        )
        aws: _Document = {"operation": operation[:1].upper() + operation[1:]}
        if isinstance(data, dict) and "TableName" in data:
            aws["table_name"] = data["TableName"]
        return {"dynamodb": "DynamoDB", "events": "EventBridge", "sqs": "SQS"}.get(service, service), aws

    stepfunctions._call_lambda = traced(stepfunctions._call_lambda, function)
    stepfunctions._invoke_aws_sdk_integration = traced(stepfunctions._invoke_aws_sdk_integration, integration)
    for prefix, handler in list(stepfunctions._SERVICE_DISPATCH.items()):
        stepfunctions._SERVICE_DISPATCH[prefix] = traced(handler, integration)


def _carry_through_events() -> None:
    put, invoke, complete = eventbridge._put_events, eventbridge._invoke_target, sqs._ensure_msg_fields

    def put_events(data: dict[str, Any], *rest: Any, **more: Any) -> Any:
        entries = data.get("Entries", [])
        from_aws = bool(rest and rest[0]) or more.get("allow_aws_source", False)
        request = None if from_aws else _current.get()
        if not 0 < len(entries) <= 10:
            return put(data, *rest, **more)
        failed, results, answer = 0, [], None
        # One by one, as each entry may belong to another trace.
        for entry in entries:
            with _here(_delivering, Trace.read(entry.get("TraceHeader")) or request):
                answer = put({**data, "Entries": [entry]}, *rest, **more)
            if answer[0] != 200:
                return answer
            body = hooks.parsed(answer[2])
            failed += body["FailedEntryCount"]
            results += body["Entries"]
        return eventbridge.json_response({"FailedEntryCount": failed, "Entries": results})

    def invoke_target(*arguments: Any, **more: Any) -> Any:
        with _here(_current, _delivering.get()):
            return invoke(*arguments, **more)

    def ensure_msg_fields(message: dict[str, Any]) -> Any:
        trace = _delivering.get()
        if trace is not None:
            message.setdefault("sys", {}).setdefault("AWSTraceHeader", trace.header())
        return complete(message)

    eventbridge._put_events = put_events
    eventbridge._invoke_target = invoke_target
    sqs._ensure_msg_fields = ensure_msg_fields
