"""Step Functions as Tiffin relies on it: ends, timeouts, callbacks, starts, announcements."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from laptop.errors import NotInTime
from worlds.emulator import SUCCEED, World, allow_events, unique
from worlds.polling import eventually


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


class TestTimeout:
    """A state machine's own TimeoutSeconds: here two minutes, two seconds by the clock."""

    def test_execution_is_timed_out_without_running_a_catch(self, world: World) -> None:
        queue, _ = world.queue()
        catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
        wait = world.waiting_for_callback(queue, Catch=catch, End=True)
        execution = world.start(world.machine({"Wait": wait, "Caught": SUCCEED}, TimeoutSeconds=120))

        ended = world.end_of(execution)

        assert ended["status"] == "TIMED_OUT"
        assert "error" not in ended
        assert "cause" not in ended
        assert world.history(execution)[-1]["type"] == "ExecutionTimedOut"
        assert world.entered(execution) == ["Wait"]

    def test_late_callback_is_refused_and_the_execution_stays_timed_out(self, world: World) -> None:
        queue, _ = world.queue()
        wait = world.waiting_for_callback(queue, Next="Next")
        execution = world.start(world.machine({"Wait": wait, "Next": SUCCEED}, TimeoutSeconds=120))
        token = world.next_message(queue)["token"]
        world.end_of(execution)

        with pytest.raises(ClientError) as refused:
            world.states.send_task_success(taskToken=token, output="{}")

        assert code(refused) == "TaskTimedOut"
        assert world.end_of(execution)["status"] == "TIMED_OUT"
        assert world.entered(execution) == ["Wait"]

    def test_status_event_says_timed_out_with_the_input(self, world: World) -> None:
        events = world.client("events")
        queue, arn = world.queue(allow_events)
        machine = world.machine({"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}, TimeoutSeconds=60)
        pattern = {"source": ["aws.states"], "detail": {"status": ["TIMED_OUT"], "stateMachineArn": [machine]}}
        rule = unique("rule")
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])

        execution = world.start(machine, order_id="ord_1")

        event = world.next_message(queue)
        assert event["resources"] == [execution]
        assert event["detail-type"] == "Step Functions Execution Status Change"
        assert json.loads(event["detail"]["input"]) == {"order_id": "ord_1"}
        assert event["detail"]["redriveStatus"] == "REDRIVABLE"
        assert event["detail"]["error"] is None

    def test_execution_that_is_done_in_time_succeeds(self, world: World) -> None:
        execution = world.start(world.machine({"Done": SUCCEED}, TimeoutSeconds=120))

        assert world.end_of(execution)["status"] == "SUCCEEDED"


class TestStop:
    def test_stopped_execution_stays_aborted_when_its_task_ends_later(self, world: World) -> None:
        """The task fails after the stop: its Catch stays unused, and the execution stays ABORTED."""
        queue, _ = world.queue()
        stopped, _ = world.queue()
        function = world.function(
            """
            import boto3, json
            def handler(event, context):
                sqs = boto3.client("sqs")
                sqs.send_message(QueueUrl=event["queue"], MessageBody=json.dumps("begun"))
                while "Messages" not in sqs.receive_message(QueueUrl=event["stopped"], WaitTimeSeconds=5):
                    pass
                sqs.send_message(QueueUrl=event["queue"], MessageBody=json.dumps("ends"))
                raise LookupError("too late")
            """,
            timeout=60,
        )
        states = {
            "Work": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": function, "Payload": {"queue": queue, "stopped": stopped}},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
                "End": True,
            },
            "Caught": SUCCEED,
        }
        execution = world.start(world.machine(states))
        assert world.next_message(queue) == "begun"

        world.states.stop_execution(executionArn=execution, error="Cancelled", cause="by the customer")
        world.queues.send_message(QueueUrl=stopped, MessageBody="now")
        assert world.next_message(queue) == "ends"
        marker = world.start(world.machine({"Done": SUCCEED}))
        world.end_of(marker)

        described = world.end_of(execution)
        assert (described["status"], described["error"]) == ("ABORTED", "Cancelled")
        assert world.history(execution)[-1]["type"] == "ExecutionAborted"
        assert world.entered(execution) == ["Work"]

    def test_the_task_token_of_a_stopped_execution_is_refused(self, world: World) -> None:
        queue, _ = world.queue()
        wait = world.waiting_for_callback(queue, Next="Next")
        execution = world.start(world.machine({"Wait": wait, "Next": SUCCEED}))
        token = world.next_message(queue)["token"]
        world.states.stop_execution(executionArn=execution)

        with pytest.raises(ClientError) as refused:
            world.states.send_task_success(taskToken=token, output="{}")

        assert code(refused) == "TaskTimedOut"
        assert world.end_of(execution)["status"] == "ABORTED"
        assert world.entered(execution) == ["Wait"]


class TestCallback:
    def test_the_first_of_two_callbacks_wins(self, world: World) -> None:
        queue, _ = world.queue()
        execution = world.start(world.machine({"Wait": world.waiting_for_callback(queue, End=True)}))
        token = world.next_message(queue)["token"]
        world.states.send_task_success(taskToken=token, output='"first"')

        with pytest.raises(ClientError) as refused:
            world.states.send_task_success(taskToken=token, output='"second"')

        assert code(refused) == "TaskTimedOut"
        assert world.end_of(execution)["output"] == '"first"'

    def test_each_attempt_has_a_token_of_its_own(self, world: World) -> None:
        queue, _ = world.queue()
        retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]
        execution = world.start(world.machine({"Wait": world.waiting_for_callback(queue, Retry=retry, End=True)}))
        first = world.next_message(queue)["token"]
        world.states.send_task_failure(taskToken=first, error="Again")
        second = world.next_message(queue)["token"]

        assert first != second
        with pytest.raises(ClientError) as refused:
            world.states.send_task_success(taskToken=first, output="{}")
        assert code(refused) == "TaskTimedOut"
        world.states.send_task_success(taskToken=second, output='"done"')
        assert world.end_of(execution)["output"] == '"done"'

    def test_time_to_wait_for_it_passes_by_the_clock(self, world: World) -> None:
        """Two minutes of waiting are over long before this test's own deadline of half a minute."""
        queue, _ = world.queue()
        catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Silence"}]
        wait = world.waiting_for_callback(queue, TimeoutSeconds=120, Catch=catch, End=True)
        execution = world.start(world.machine({"Wait": wait, "Silence": SUCCEED}))
        token = world.next_message(queue)["token"]

        assert world.end_of(execution)["status"] == "SUCCEEDED"
        assert world.entered(execution) == ["Wait", "Silence"]
        with pytest.raises(ClientError) as refused:
            world.states.send_task_success(taskToken=token, output="{}")
        assert code(refused) == "TaskTimedOut"


class TestStart:
    def test_starting_a_running_execution_again_is_the_same_start(self, world: World) -> None:
        queue, _ = world.queue()
        machine = world.machine({"Wait": world.waiting_for_callback(queue, End=True)})
        start = {"stateMachineArn": machine, "name": "ord_1", "input": '{"total": 1}'}
        first = world.states.start_execution(**start)

        again = world.states.start_execution(**start)

        assert again["executionArn"] == first["executionArn"]
        assert again["startDate"] == first["startDate"]
        assert len(world.states.list_executions(stateMachineArn=machine)["executions"]) == 1

    def test_another_input_under_the_same_name_is_refused(self, world: World) -> None:
        queue, _ = world.queue()
        machine = world.machine({"Wait": world.waiting_for_callback(queue, End=True)})
        world.states.start_execution(stateMachineArn=machine, name="ord_1", input='{"total": 1}')

        with pytest.raises(ClientError) as refused:
            world.states.start_execution(stateMachineArn=machine, name="ord_1", input='{"total": 2}')

        assert code(refused) == "ExecutionAlreadyExists"

    def test_the_name_of_an_execution_that_ended_is_refused(self, world: World) -> None:
        machine = world.machine({"Done": SUCCEED})
        first = world.states.start_execution(stateMachineArn=machine, name="ord_1", input="{}")
        world.end_of(first["executionArn"])

        with pytest.raises(ClientError) as refused:
            world.states.start_execution(stateMachineArn=machine, name="ord_1", input="{}")

        assert code(refused) == "ExecutionAlreadyExists"


class TestAnnounce:
    @staticmethod
    def announcing(source: str) -> dict[str, Any]:
        entry = {"Source": source, "DetailType": "OrderPlaced", "Detail": {"metadata": {"order_id": "ord_1"}}}
        return {
            "Announce": {
                "Type": "Task",
                "Resource": "arn:aws:states:::events:putEvents",
                "Arguments": {"Entries": [entry]},
                "Catch": [{"ErrorEquals": ["EventBridge.FailedEntry"], "Next": "Refused"}],
                "End": True,
            },
            "Refused": {"Type": "Pass", "Output": "refused", "End": True},
        }

    def test_a_refused_entry_fails_the_task(self, world: World) -> None:
        """EventBridge takes no `aws.` source from anybody."""
        execution = world.start(world.machine(self.announcing("aws.tiffin")))

        assert world.end_of(execution)["output"] == '"refused"'

    def test_an_event_names_execution_and_state_machine(self, world: World) -> None:
        events = world.client("events")
        queue, arn = world.queue(allow_events)
        source, rule = unique("tiffin"), unique("rule")
        events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
        events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
        machine = world.machine(self.announcing(source))

        execution = world.start(machine)

        event = world.next_message(queue)
        assert event["resources"] == [execution, machine]
        assert event["detail"] == {"metadata": {"order_id": "ord_1"}}


def test_until_fails_when_its_time_is_up() -> None:
    with pytest.raises(NotInTime, match="did not happen"):
        eventually(lambda: None, 0.1)
