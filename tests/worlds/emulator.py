"""A bare emulator with its gaps filled, and small things to put into it. Tiffin itself is not deployed here."""

import io
import json
import os
import socket
import subprocess
import textwrap
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from laptop import environment
from laptop.emulator.launcher import Process

from worlds.polling import eventually

CLOCK = 60
"""A minute of a workflow's time takes a second here."""

SUCCEED = {"Type": "Succeed"}
"""The state with which a workflow ends well."""


class World:
    """One emulator, and what tests put into it."""

    def __init__(self, access: environment.Access) -> None:
        self.access = access
        self.endpoint = access.endpoint
        self.states = self.client("stepfunctions")
        self.functions = self.client("lambda")
        self.queues = self.client("sqs")
        self.iam = self.client("iam")
        self.admin = self.role([{"Effect": "Allow", "Action": "*", "Resource": "*"}])

    def client(self, service: str) -> Any:
        return environment.client(service, self.access)

    def role(self, statements: list[dict[str, Any]]) -> str:
        """ARN of a new role that any service may assume."""
        name = unique("role")
        anyone = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [anyone]})
        )
        self.iam.put_role_policy(
            RoleName=name,
            PolicyName="all",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )
        return str(role["Role"]["Arn"])

    def function(self, source: str, timeout: int = 10, role: str | None = None) -> str:
        """ARN of a new function with the handler `handler`."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("app.py", textwrap.dedent(source))
        return str(
            self.functions.create_function(
                FunctionName=unique("function"),
                Runtime=environment.runtime(),
                Role=role or self.admin,
                Handler="app.handler",
                Code={"ZipFile": archive.getvalue()},
                Timeout=timeout,
            )["FunctionArn"]
        )

    def machine(self, states: dict[str, Any], role: str | None = None, **fields: Any) -> str:
        """ARN of a new state machine, JSONata, that begins with the first of `states`."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
        return str(
            self.states.create_state_machine(
                name=unique("machine"), definition=json.dumps(definition), roleArn=role or self.admin
            )["stateMachineArn"]
        )

    def start(self, machine: str, **given: Any) -> str:
        """ARN of a new execution."""
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])

    def end_of(self, execution: str) -> dict[str, Any]:
        """Wait until an execution has ended; its description."""

        def ended() -> dict[str, Any] | None:
            described: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        return eventually(ended, what="the end of the execution")

    def history(self, execution: str) -> list[dict[str, Any]]:
        """An execution's events."""
        events: list[dict[str, Any]] = self.states.get_execution_history(executionArn=execution)["events"]
        return events

    def entered(self, execution: str) -> list[str]:
        """Names of the states that an execution has entered, in order."""
        return [
            e["stateEnteredEventDetails"]["name"] for e in self.history(execution) if "stateEnteredEventDetails" in e
        ]

    def settled(self, stack: str) -> dict[str, Any]:
        """Wait until nothing is done to a CloudFormation stack any more; its description.

        Args:
            stack: name, or ARN.
        """
        stacks = self.client("cloudformation")

        def at_rest() -> dict[str, Any] | None:
            [described] = stacks.describe_stacks(StackName=stack)["Stacks"]
            return None if described["StackStatus"].endswith("IN_PROGRESS") else described

        return eventually(at_rest, what=f"the stack {stack}")

    def queue(self, policy: Callable[[str], dict[str, Any]] | None = None, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        url = self.queues.create_queue(QueueName=unique("queue"), Attributes=attributes)["QueueUrl"]
        arn = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if policy:
            self.queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy(arn))})
        return str(url), str(arn)

    def next_message(self, queue: str) -> Any:
        """Wait for a message, take it off the queue, and return its body, which is JSON."""

        def receive() -> dict[str, Any] | None:
            messages = self.queues.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")
            return messages[0] if messages else None

        message = eventually(receive, what="a message")
        self.queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    def waiting_for_callback(self, queue: str, **fields: Any) -> dict[str, Any]:
        """A state that sends its task token to a queue and waits."""
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Arguments": {"QueueUrl": queue, "MessageBody": {"token": "{% $states.context.Task.Token %}"}},
            **fields,
        }


def unique(kind: str) -> str:
    """A name that no other test uses."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def allow_events(queue_arn: str) -> dict[str, Any]:
    """A queue's policy that lets EventBridge in."""
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
        },
    }


def with_a_worker(process: Process) -> None:
    """Leave a function's process behind, as every use does."""
    world = World(process.access)
    called = world.functions.invoke(FunctionName=world.function("def handler(event, context):\n    return 1"))
    assert json.load(called["Payload"]) == 1
    assert process.scratch in processes()


def group_is_gone(process: Process) -> bool:
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def nothing_remains_of(process: Process) -> bool:
    """Neither a process, a function worker included, nor the port, nor a file."""
    with socket.socket() as probe:
        refused = probe.connect_ex(("127.0.0.1", process.port)) != 0
    return (
        group_is_gone(process) and refused and process.scratch not in processes() and not Path(process.scratch).exists()
    )


def processes() -> str:
    """The command lines of all that runs on this machine."""
    return subprocess.run(["ps", "-axww", "-o", "command"], capture_output=True, text=True, check=True).stdout
