"""What a function on a file system needs of AWS, and what a rule that invokes one does: both gaps of the emulator."""

import json
import textwrap
import uuid
from typing import Any

from laptop.environment import runtime
from worlds.emulator import World, unique
from worlds.polling import eventually

COUNTING = """
    import os, pathlib
    def handler(event, context):
        folder = pathlib.Path(os.environ["FOLDER"])
        with (folder / "calls").open("a") as calls:
            calls.write("x")
        count = len((folder / "calls").read_text())
        if event.get("detail", {}).get("fails", 0) >= count:
            raise ValueError("no luck")
        return [count, os.environ["FOLDER"], os.environ["OTHER"]]
"""


class Mounted:
    """A function on a file system of its own."""

    def __init__(self, world: World, may: str = "elasticfilesystem:ClientMount") -> None:
        self.world, efs = world, world.client("efs")
        self.system = efs.create_file_system(CreationToken=uuid.uuid4().hex)
        self.point = efs.create_access_point(
            ClientToken=uuid.uuid4().hex,
            FileSystemId=self.system["FileSystemId"],
            RootDirectory={"Path": "/models"},
        )
        self.dead_letters, self.dead_letters_arn = world.queue()
        self.role = world.role(
            [
                {
                    "Effect": "Allow",
                    "Action": may,
                    "Resource": self.system["FileSystemArn"],
                    "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": self.point["AccessPointArn"]}},
                },
                {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": self.dead_letters_arn},
                {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
            ]
        )

    def function(self, source: str = COUNTING, role: str | None = None) -> str:
        arn = self.world.function(source, role=role or self.role)
        self.world.functions.update_function_configuration(
            FunctionName=arn,
            FileSystemConfigs=[{"Arn": self.point["AccessPointArn"], "LocalMountPath": "/mnt/models"}],
            Environment={"Variables": {"FOLDER": "/mnt/models", "OTHER": "/mnt/modelsx"}},
        )
        return arn

    def call(self, function: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.world.functions.invoke(FunctionName=function)
        return {"error": answer.get("FunctionError"), "payload": json.load(answer["Payload"])}

    def on_a_rule(self, function: str, *, allowed: bool = True) -> str:
        """A source whose events the function is invoked with; what failed goes to the dead letters."""
        source, events = unique("source"), self.world.client("events")
        rule = events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
        events.put_targets(Rule=source, Targets=[{"Id": "function", "Arn": function}])
        if allowed:
            self.world.functions.add_permission(
                FunctionName=function,
                StatementId="rule",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=rule,
            )
        self.world.functions.put_function_event_invoke_config(
            FunctionName=function,
            MaximumRetryAttempts=2,
            DestinationConfig={"OnFailure": {"Destination": self.dead_letters_arn}},
        )
        return source

    def announce(self, source: str, **detail: Any) -> None:
        entry = {"Source": source, "DetailType": "Happened", "Detail": json.dumps(detail)}
        self.world.client("events").put_events(Entries=[entry])


class TestFileSystem:
    def test_two_functions_see_the_same_folder_wherever_it_lies(self, world: World) -> None:
        mounted = Mounted(world)
        first, second = (mounted.call(mounted.function())["payload"] for _ in range(2))

        assert (first[0], second[0]) == (1, 2)
        assert first[1] == second[1] != "/mnt/models"
        assert first[1].endswith("/models")
        assert first[2] == "/mnt/modelsx"

    def test_another_file_system_is_another_folder(self, world: World) -> None:
        paths = [mounted.call(mounted.function())["payload"][:2] for mounted in (Mounted(world), Mounted(world))]
        assert [count for count, _ in paths] == [1, 1]
        assert paths[0][1] != paths[1][1]

    def test_the_configuration_says_what_was_asked_for(self, world: World) -> None:
        mounted = Mounted(world)
        function = mounted.function()
        mounted.call(function)
        variables = world.functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        assert variables == {"FOLDER": "/mnt/models", "OTHER": "/mnt/modelsx"}

    def test_a_template_says_it_too(self, world: World) -> None:
        mounted, stacks, name = Mounted(world), world.client("cloudformation"), unique("stack")
        properties = {
            "Runtime": runtime(),
            "Handler": "index.handler",
            "Role": mounted.role,
            "Code": {"ZipFile": textwrap.dedent(COUNTING)},
            "FileSystemConfigs": [{"Arn": mounted.point["AccessPointArn"], "LocalMountPath": "/mnt/models"}],
            "Environment": {"Variables": {"FOLDER": "/mnt/models", "OTHER": "/mnt/modelsx"}},
        }
        template = {"Resources": {"Counting": {"Type": "AWS::Lambda::Function", "Properties": properties}}}
        stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        function = stacks.describe_stack_resource(StackName=name, LogicalResourceId="Counting")["StackResourceDetail"]

        counted, folder, _ = mounted.call(function["PhysicalResourceId"])["payload"]

        assert (counted, folder != "/mnt/models") == (1, True)

    def test_a_role_that_may_not_mount_it_starts_nothing(self, world: World) -> None:
        mounted = Mounted(world, may="elasticfilesystem:ClientWrite")
        called = mounted.call(mounted.function())
        assert called["error"]
        assert "EFSMountFailureException" in json.dumps(called["payload"])


class TestRuleThatInvokes:
    def test_a_function_that_raises_is_invoked_again(self, world: World) -> None:
        mounted = Mounted(world)
        function = mounted.function()
        mounted.announce(mounted.on_a_rule(function), fails=2)

        eventually(lambda: mounted.call(function)["payload"][0] >= 4 or None, what="three invocations by the rule")

    def test_what_failed_three_times_is_kept_with_the_error(self, world: World) -> None:
        mounted = Mounted(world)
        mounted.announce(mounted.on_a_rule(mounted.function()), fails=99)

        record = world.next_message(mounted.dead_letters)

        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestPayload"]["detail"] == {"fails": 99}
        said = record["responsePayload"]
        assert (said["errorType"], said["errorMessage"]) == ("ValueError", "no luck")

    def test_a_rule_that_the_function_does_not_know_invokes_nobody(self, world: World) -> None:
        mounted = Mounted(world)
        function = mounted.function()
        known, unknown = mounted.on_a_rule(function), mounted.on_a_rule(function, allowed=False)
        mounted.announce(unknown)
        mounted.announce(known, fails=99)

        record = world.next_message(mounted.dead_letters)

        assert record["requestPayload"]["source"] == known
        assert mounted.call(function)["payload"][0] == 4  # three of the known rule, and this one

    def test_no_record_is_sent_if_the_functions_role_may_not(self, world: World) -> None:
        mounted, sentinel = Mounted(world), Mounted(world)
        mount = {"Effect": "Allow", "Action": "elasticfilesystem:ClientMount", "Resource": "*"}
        mounted.announce(mounted.on_a_rule(mounted.function(role=world.role([mount]))), fails=99)
        sentinel.announce(sentinel.on_a_rule(sentinel.function()), fails=99)
        sentinel.announce(sentinel.on_a_rule(sentinel.function()), fails=99)

        for _ in range(2):
            world.next_message(sentinel.dead_letters)

        found = world.queues.receive_message(QueueUrl=mounted.dead_letters, WaitTimeSeconds=1)
        assert found.get("Messages", []) == []
