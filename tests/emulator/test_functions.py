"""Lambda as Tiffin relies on it: error names, environments that survive an error, and streams."""

import json
import textwrap
from typing import Any

from worlds.emulator import World, unique
from worlds.polling import eventually

RAISING = """
    calls = 0
    class GatewayTimeout(Exception):
        pass
    def handler(event, context):
        global calls
        calls += 1
        if event.get("raise"):
            raise GatewayTimeout("no answer")
        return calls
"""


class TestErrors:
    def test_a_workflow_catches_an_exception_by_its_class_name(self, world: World) -> None:
        states = {
            "Work": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": world.function(RAISING), "Payload": {"raise": True}},
                "Catch": [
                    {"ErrorEquals": ["GatewayTimeout"], "Output": "{% $states.errorOutput.Cause %}", "Next": "Caught"}
                ],
                "End": True,
            },
            "Caught": {"Type": "Succeed"},
        }

        ended = world.end_of(world.start(world.machine(states)))

        assert ended["status"] == "SUCCEEDED"
        cause = json.loads(json.loads(ended["output"]))
        assert (cause["errorType"], cause["errorMessage"]) == ("GatewayTimeout", "no answer")
        assert "raise GatewayTimeout" in "".join(cause["stackTrace"])

    def test_the_execution_environment_survives_an_exception(self, world: World) -> None:
        function = world.function(RAISING)

        def call(**event: Any) -> Any:
            return world.functions.invoke(FunctionName=function, Payload=json.dumps(event))

        assert json.load(call()["Payload"]) == 1
        failed = call(**{"raise": True})

        assert failed["FunctionError"] == "Unhandled"
        assert json.load(failed["Payload"])["errorType"] == "GatewayTimeout"
        assert json.load(call()["Payload"]) == 3

    def test_the_log_has_the_traceback(self, world: World) -> None:
        function = world.function(RAISING)
        world.functions.invoke(FunctionName=function, Payload=b'{"raise": true}')
        logs = world.client("logs")
        group = f"/aws/lambda/{function.rpartition(':')[2]}"

        def logged() -> bool:
            events = logs.filter_log_events(logGroupName=group)["events"]
            return any("GatewayTimeout: no answer" in event["message"] for event in events)

        assert eventually(logged)

    def test_what_a_function_writes_is_in_the_log_of_the_invocation_in_which_it_did(self, world: World) -> None:
        function = world.function("def handler(event, context):\n    print(*event['words'], **event['how'])")
        logs, group = world.client("logs"), f"/aws/lambda/{function.rpartition(':')[2]}"
        for words, how in (
            (["one", "two"], {"sep": "\n"}),
            ([], {"end": ""}),
            (["unended"], {"end": ""}),
            (["last"], {}),
        ):
            payload = json.dumps({"words": words, "how": how}).encode()
            answer = world.functions.invoke(FunctionName=function, Payload=payload)
            assert "FunctionError" not in answer, answer["Payload"].read()

        def logged() -> list[str] | None:
            lines = [event["message"].strip() for event in logs.filter_log_events(logGroupName=group)["events"]]
            return lines if sum(line.startswith("REPORT") for line in lines) == 4 else None

        own = [line.split()[0] if line.split()[0].isupper() else line for line in eventually(logged)]
        assert own == [
            *("START", "one", "two", "END", "REPORT"),
            *("START", "END", "REPORT"),
            *("START", "unended", "END", "REPORT"),
            *("START", "last", "END", "REPORT"),
        ]

    def test_a_function_that_takes_too_long_fails_with_sandbox_timedout(self, world: World) -> None:
        function = world.function("def handler(event, context):\n    import time; time.sleep(600)", timeout=1)
        states = {
            "Work": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": function, "Payload": {}},
                "End": True,
            }
        }

        ended = world.end_of(world.start(world.machine(states)))

        assert (ended["status"], ended["error"]) == ("FAILED", "Sandbox.Timedout")


RELAY = """
    import boto3, json, os
    def handler(event, context):
        numbers = [int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in event["Records"]]
        boto3.client("sqs").send_message(QueueUrl=QUEUE, MessageBody=json.dumps(numbers))
        if MODE == "raise" and POISON in numbers:
            raise ValueError("poison")
        if MODE == "report":
            for record in event["Records"]:
                if int(record["dynamodb"]["NewImage"]["n"]["N"]) == POISON:
                    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        return {"batchItemFailures": []}
"""


class TestStream:
    """What becomes of the records of a DynamoDB stream that a function cannot process."""

    @staticmethod
    def relay(world: World, mode: str, poison: int, **mapping: Any) -> tuple[str, str, str]:
        """A table, the queue to which its function tells each batch it gets, and the queue for what is given up."""
        told, _ = world.queue()
        given_up, given_up_arn = world.queue()
        table = unique("table")
        tables = world.client("dynamodb")
        stream = tables.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]["LatestStreamArn"]
        for number in range(4):
            tables.put_item(TableName=table, Item={"pk": {"S": str(number)}, "n": {"N": str(number)}})
        function = world.function(f"QUEUE, MODE, POISON = {told!r}, {mode!r}, {poison}\n" + textwrap.dedent(RELAY))
        world.functions.create_event_source_mapping(
            EventSourceArn=stream,
            FunctionName=function,
            StartingPosition="TRIM_HORIZON",
            BatchSize=10,
            DestinationConfig={"OnFailure": {"Destination": given_up_arn}},
            **mapping,
        )
        return table, told, given_up

    def test_a_batch_is_retried_from_the_reported_record_on(self, world: World) -> None:
        _, told, _ = self.relay(
            world, "report", 2, FunctionResponseTypes=["ReportBatchItemFailures"], MaximumRetryAttempts=5
        )

        assert world.next_message(told) == [0, 1, 2, 3]
        assert world.next_message(told) == [2, 3]
        assert world.next_message(told) == [2, 3]

    def test_a_record_that_fails_every_time_goes_to_the_destination_and_the_others_pass(self, world: World) -> None:
        table, told, given_up = self.relay(world, "raise", 2, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1)

        discarded = world.next_message(given_up)

        assert discarded["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert discarded["DDBStreamBatchInfo"]["batchSize"] == 1
        world.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "9"}, "n": {"N": "9"}})
        batches: list[list[int]] = []
        while not any(9 in batch for batch in batches):
            batches.append(world.next_message(told))
        passed = {number for batch in batches if 2 not in batch for number in batch}
        assert passed == {0, 1, 3, 9}

    def test_what_passes_is_sent_once(self, world: World) -> None:
        table, told, _ = self.relay(world, "report", -1, FunctionResponseTypes=["ReportBatchItemFailures"])
        assert world.next_message(told) == [0, 1, 2, 3]

        world.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "9"}, "n": {"N": "9"}})

        assert world.next_message(told) == [9]
