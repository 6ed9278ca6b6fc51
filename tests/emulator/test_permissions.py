"""IAM as Tiffin relies on it: what works here has the permissions that it needs on AWS."""

import json
from typing import Any

import pytest
from worlds.emulator import World, allow_events, unique
from worlds.polling import eventually

CALL_BACK = """
    import boto3
    from botocore.exceptions import ClientError
    def handler(event, context):
        try:
            boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='"done"')
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "sent"
"""


class TestCallback:
    @pytest.mark.parametrize(("allowed", "answer"), [("its own", "sent"), ("another", "AccessDeniedException")])
    def test_it_needs_a_permission_on_the_machine_that_waits(self, world: World, allowed: str, answer: str) -> None:
        queue, _ = world.queue()
        machine = world.machine({"Wait": world.waiting_for_callback(queue, End=True)})
        on = machine if allowed == "its own" else machine + "-other"
        role = world.role([{"Effect": "Allow", "Action": "states:SendTaskSuccess", "Resource": on}])
        function = world.function(CALL_BACK, role=role)
        world.start(machine)

        called = world.functions.invoke(FunctionName=function, Payload=json.dumps(world.next_message(queue)))

        assert json.load(called["Payload"]) == answer


class TestWorkflow:
    TABLE_STATE = {  # noqa: RUF012 - never changed
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Catch": [{"ErrorEquals": ["States.Permissions"], "Next": "Denied"}],
        "End": True,
    }

    @pytest.mark.parametrize("resource", ["dynamodb:updateItem", "aws-sdk:dynamodb:updateItem"])
    @pytest.mark.parametrize(("action", "output"), [("UpdateItem", "{}"), ("GetItem", '"denied"')])
    def test_it_acts_with_the_permissions_of_its_role(
        self, world: World, resource: str, action: str, output: str
    ) -> None:
        table = unique("table")
        arn = world.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]["TableArn"]
        role = world.role([{"Effect": "Allow", "Action": f"dynamodb:{action}", "Resource": arn}])
        states: dict[str, Any] = {
            "Write": {
                **self.TABLE_STATE,
                "Resource": f"arn:aws:states:::{resource}",
                "Arguments": {
                    "TableName": table,
                    "Key": {"pk": {"S": "1"}},
                    "UpdateExpression": "SET n = :n",
                    "ExpressionAttributeValues": {":n": {"N": "1"}},
                },
            },
            "Denied": {"Type": "Pass", "Output": "denied", "End": True},
        }

        ended = world.end_of(world.start(world.machine(states, role)))

        assert ended["output"] == output
        assert len(world.client("dynamodb").scan(TableName=table)["Items"]) == (1 if action == "UpdateItem" else 0)

    def test_it_invokes_only_the_function_that_it_may(self, world: World) -> None:
        mine = world.function("def handler(event, context):\n    return 1")
        other = world.function("def handler(event, context):\n    return 2")
        role = world.role([{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": mine}])

        def invoking(function: str) -> dict[str, Any]:
            arguments = {"FunctionName": function, "Payload": {}}
            state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, "End": True}
            return world.end_of(world.start(world.machine({"Invoke": state}, role)))

        assert invoking(mine)["status"] == "SUCCEEDED"
        refused = invoking(other)
        assert (refused["status"], refused["error"]) == ("FAILED", "States.Permissions")

    @pytest.mark.parametrize(("source", "error"), [("tiffin.orders", None), ("tiffin.payments", "States.Permissions")])
    def test_it_announces_only_what_is_its_own(self, world: World, source: str, error: str | None) -> None:
        own = {"ForAllValues:StringEquals": {"events:source": "tiffin.orders"}}
        role = world.role([{"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*", "Condition": own}])
        entry = {"Source": source, "DetailType": "OrderPlaced", "Detail": {}}
        state = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "End": True}

        ended = world.end_of(world.start(world.machine({"Tell": {**state, "Arguments": {"Entries": [entry]}}}, role)))

        assert (ended["status"], ended.get("error")) == ("FAILED" if error else "SUCCEEDED", error)


class TestRule:
    def test_a_queue_gets_only_what_its_policy_lets_in(self, world: World) -> None:
        """Three queues of one rule: with a policy for it, with a policy for another rule, with none."""
        events, source, rule = world.client("events"), unique("tiffin"), unique("rule")
        arn = events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))["RuleArn"]

        def for_rule(rule_arn: str) -> Any:
            def policy(queue_arn: str) -> dict[str, Any]:
                document = allow_events(queue_arn)
                document["Statement"]["Condition"] = {"ArnEquals": {"aws:SourceArn": rule_arn}}
                return document

            return policy

        closed, misled, let_in = world.queue(), world.queue(for_rule(arn + "-other")), world.queue(for_rule(arn))
        targets = [{"Id": str(i), "Arn": queue[1]} for i, queue in enumerate((closed, misled, let_in))]
        events.put_targets(Rule=rule, Targets=targets)

        events.put_events(Entries=[{"Source": source, "DetailType": "OrderPlaced", "Detail": "{}"}])

        # The targets are served in order: when the last one has it, the others would have it too.
        assert world.next_message(let_in[0])["source"] == source
        for url, _ in (closed, misled):
            assert "Messages" not in world.queues.receive_message(QueueUrl=url)

    @pytest.mark.parametrize(("may", "status"), [(True, ["SUCCEEDED"]), (False, [])])
    def test_a_state_machine_is_started_only_with_a_role_that_may(
        self, world: World, may: bool, status: list[str]
    ) -> None:
        events, source, rule = world.client("events"), unique("tiffin"), unique("rule")
        queue, queue_arn = world.queue(allow_events)
        machine = world.machine({"Done": {"Type": "Succeed"}})
        on = machine if may else machine + "-other"
        role = world.role([{"Effect": "Allow", "Action": "states:StartExecution", "Resource": on}])
        events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
        machine_target = {"Id": "machine", "Arn": machine, "RoleArn": role}
        events.put_targets(Rule=rule, Targets=[machine_target, {"Id": "queue", "Arn": queue_arn}])

        events.put_events(Entries=[{"Source": source, "DetailType": "OrderPlaced", "Detail": "{}"}])

        world.next_message(queue)
        eventually(lambda: [e["status"] for e in _executions(world, machine)] == status)


def _executions(world: World, machine: str) -> list[dict[str, Any]]:
    executions: list[dict[str, Any]] = world.states.list_executions(stateMachineArn=machine)["executions"]
    return executions


class TestTransport:
    SEND = """
        import boto3
        from botocore.exceptions import ClientError
        def handler(event, context):
            try:
                boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody='"hello"')
            except ClientError as error:
                return error.response["Error"]["Code"]
            return "sent"
    """

    @pytest.mark.parametrize(
        ("refused", "answer"), [("false", "sent"), ("true", "AccessDenied")], ids=["unencrypted", "encrypted"]
    )
    def test_requests_count_as_encrypted(self, world: World, refused: str, answer: str) -> None:
        """A queue that refuses unencrypted requests takes those of a function, and the other way round."""

        def policy(arn: str) -> dict[str, Any]:
            condition = {"Bool": {"aws:SecureTransport": refused}}
            deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": condition}
            return {"Version": "2012-10-17", "Statement": deny}

        queue, arn = world.queue(policy)
        role = world.role([{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}])
        function = world.function(self.SEND, role=role)

        called = world.functions.invoke(FunctionName=function, Payload=json.dumps({"queue": queue}))

        assert json.load(called["Payload"]) in (answer, answer + "Exception")
