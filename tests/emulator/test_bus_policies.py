"""Who may announce what, as EventBridge and IAM decide it: by the announcer's own policies, and by the bus's."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from worlds.emulator import World, allow_events, unique
from worlds.polling import eventually

ANNOUNCE = """
    import boto3
    from botocore.exceptions import ClientError
    def handler(event, context):
        try:
            answer = boto3.client("events").put_events(Entries=event["entries"])
        except ClientError as error:
            return error.response["Error"]["Code"]
        return answer["FailedEntryCount"]
"""
TOLD, DENIED = 0, "AccessDeniedException"
Statement = dict[str, Any]


class Bus:
    """A bus of its own, whose every event reaches a queue.

    Attributes:
        name, arn: of the bus.
    """

    def __init__(self, world: World) -> None:
        self._world, self.name = world, unique("bus")
        self.events = world.client("events")
        self.arn = self.events.create_event_bus(Name=self.name)["EventBusArn"]
        self._queue, queue_arn = world.queue(allow_events)
        self.events.put_rule(Name="all", EventBusName=self.name, EventPattern='{"source": [{"prefix": ""}]}')
        self.events.put_targets(Rule="all", EventBusName=self.name, Targets=[{"Id": "queue", "Arn": queue_arn}])

    def entry(self, source: str | None, name: str | None) -> dict[str, str]:
        """One entry of `PutEvents`; without the member whose value is None."""
        said = {"Source": source, "DetailType": name, "Detail": "{}", "EventBusName": self.name}
        return {member: value for member, value in said.items() if value is not None}

    def announced_by(self, role: str, *told: tuple[str | None, str | None]) -> Any:
        """What a function with this role is answered when it announces all of these in one call."""
        function = self._world.function(ANNOUNCE, role=role)
        payload = json.dumps({"entries": [self.entry(*one) for one in told]})
        return json.load(self._world.functions.invoke(FunctionName=function, Payload=payload)["Payload"])

    def heard(self) -> list[tuple[str, str]]:
        """All that came so far, once: a mark is sent behind it."""
        mark, found = unique("mark"), list[tuple[str, str]]()
        self._world.queues.send_message(QueueUrl=self._queue, MessageBody=json.dumps(mark))
        while (message := self._world.next_message(self._queue)) != mark:
            found.append((message["source"], message["detail-type"]))
        return found


@pytest.fixture
def bus(world: World) -> Bus:
    return Bus(world)


def may_announce(bus: Bus, condition: dict[str, Any] | None = None) -> list[Statement]:
    statement = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": bus.arn}
    return [statement | ({"Condition": condition} if condition else {})]


OWN_EVENTS = {
    "ForAllValues:StringEquals": {"events:source": "tiffin.payments"},
    "ForAllValues:StringLike": {"events:detail-type": "Payment*"},
    "Null": {"events:source": "false", "events:detail-type": "false"},
}


class TestIdentityPolicy:
    @pytest.mark.parametrize(
        ("told", "answer"),
        [
            ([("tiffin.payments", "PaymentCaptured")], TOLD),
            ([("tiffin.orders", "PaymentCaptured")], DENIED),
            ([("tiffin.payments", "OrderDelivered")], DENIED),
            ([("tiffin.payments", "PaymentCaptured"), ("tiffin.orders", "PaymentCaptured")], DENIED),
            ([("tiffin.payments", "PaymentCaptured"), (None, "PaymentCaptured")], DENIED),
            ([("tiffin.payments", None)], DENIED),
        ],
    )
    def test_a_function_announces_what_its_role_may_by_source_and_by_name(
        self, world: World, bus: Bus, told: list[tuple[str | None, str | None]], answer: Any
    ) -> None:
        role = world.role(may_announce(bus, OWN_EVENTS))

        assert bus.announced_by(role, *told) == answer
        assert bus.heard() == (told if answer == TOLD else [])

    def test_a_key_that_is_absent_satisfies_for_all_values_which_is_why_null_stands_beside_it(
        self, world: World, bus: Bus
    ) -> None:
        """IAM user guide, "Set operators for multivalued context keys"."""
        without_null = {key: value for key, value in OWN_EVENTS.items() if key != "Null"}

        lax, strict = (world.role(may_announce(bus, condition)) for condition in (without_null, OWN_EVENTS))

        assert bus.announced_by(lax, (None, "PaymentCaptured")) == TOLD
        assert bus.announced_by(strict, (None, "PaymentCaptured")) == DENIED
        assert bus.announced_by(lax, ("tiffin.orders", "PaymentCaptured")) == DENIED

    def test_a_workflow_announces_what_its_role_may(self, world: World, bus: Bus) -> None:
        role = world.role(may_announce(bus, OWN_EVENTS))
        for told, error in (
            (("tiffin.payments", "PaymentCaptured"), None),
            (("tiffin.payments", "OrderDelivered"), "States.Permissions"),
            (("tiffin.orders", "PaymentCaptured"), "States.Permissions"),
        ):
            assert workflow_announces(world, bus, role, told).get("error") == error
        assert bus.heard() == [("tiffin.payments", "PaymentCaptured")]


def workflow_announces(world: World, bus: Bus, role: str, *told: tuple[str, str]) -> dict[str, Any]:
    """How an execution ends whose only state announces this."""
    arguments = {"Entries": [{**bus.entry(*one), "Detail": {}} for one in told]}
    state = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "Arguments": arguments, "End": True}
    return world.end_of(world.start(world.machine({"Tell": state}, role)))


class Policies:
    """Statements of a bus's policy, made, changed and taken away by CloudFormation."""

    def __init__(self, world: World, bus: Bus) -> None:
        self._world, self._cloudformation = world, world.client("cloudformation")
        self._bus, self._stack, self._known = bus, unique("policies"), False

    def set(self, **conditions: Statement) -> None:
        """Let the policy deny what fits these conditions, each a statement by its name; and nothing else."""
        names = list(conditions)
        resources = {
            name: {
                "Type": "AWS::Events::EventBusPolicy",
                **({"DependsOn": names[number - 1]} if number else {}),
                "Properties": {
                    "EventBusName": self._bus.name,
                    "StatementId": name,
                    "Statement": {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "events:PutEvents",
                        "Resource": self._bus.arn,
                        "Condition": condition,
                    },
                },
            }
            for number, (name, condition) in enumerate(conditions.items())
        }
        template = json.dumps({"Resources": resources | {"None": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
        change = self._cloudformation.update_stack if self._known else self._cloudformation.create_stack
        change(StackName=self._stack, TemplateBody=template)
        self._known = True
        stack = self._world.settled(self._stack)
        assert "ROLLBACK" not in stack["StackStatus"], stack.get("StackStatusReason")

    def delete(self) -> None:
        self._cloudformation.delete_stack(StackName=self._stack)
        eventually(lambda: "Policy" not in self.described(), what="the deletion")

    def described(self) -> dict[str, Any]:
        return dict(self._bus.events.describe_event_bus(Name=self._bus.name))


@pytest.fixture
def policies(world: World, bus: Bus) -> Iterator[Policies]:
    made = Policies(world, bus)
    yield made
    made.delete()


ORDERS = ("tiffin.orders", "OrderPlaced")


class TestBusPolicy:
    def test_it_denies_whoever_it_does_not_name_whatever_their_own_policies_allow(
        self, world: World, bus: Bus, policies: Policies
    ) -> None:
        named, other = world.role(may_announce(bus)), world.role(may_announce(bus))
        assert bus.announced_by(other, ORDERS) == TOLD
        policies.set(OnlyNamed={"ArnNotEquals": {"aws:PrincipalArn": [named]}})

        assert bus.announced_by(named, ORDERS) == TOLD
        assert bus.announced_by(other, ORDERS) == DENIED
        assert bus.announced_by(world.admin, ORDERS) == DENIED
        assert workflow_announces(world, bus, other, ORDERS)["error"] == "States.Permissions"
        assert workflow_announces(world, bus, named, ORDERS)["status"] == "SUCCEEDED"
        assert bus.heard() == [ORDERS] * 3

    def test_it_denies_the_root_of_the_account_too(self, bus: Bus, policies: Policies, world: World) -> None:
        """By an explicit Deny in a resource's policy (IAM user guide, "Policy evaluation logic")."""
        policies.set(OnlyNamed={"ArnNotEquals": {"aws:PrincipalArn": [world.admin]}})

        with pytest.raises(ClientError) as refused:
            bus.events.put_events(Entries=[bus.entry(*ORDERS)])

        assert refused.value.response["Error"]["Code"] == DENIED
        assert bus.heard() == []

    def test_it_binds_a_role_to_its_source_and_to_its_names(self, world: World, bus: Bus, policies: Policies) -> None:
        role, other = world.role(may_announce(bus)), world.role(may_announce(bus))
        its = {"ArnEquals": {"aws:PrincipalArn": role}}
        policies.set(
            Source=its | {"ForAnyValue:StringNotEquals": {"events:source": "tiffin.orders"}},
            Names=its | {"ForAnyValue:StringNotLike": {"events:detail-type": "Order*"}},
        )

        assert bus.announced_by(role, ORDERS, ("tiffin.orders", "OrderAccepted")) == TOLD
        assert bus.announced_by(role, ("tiffin.payments", "OrderPlaced")) == DENIED
        assert bus.announced_by(role, ("tiffin.orders", "PaymentCaptured")) == DENIED
        assert bus.announced_by(role, ORDERS, ("tiffin.promotions", "OrderPlaced")) == DENIED
        assert bus.announced_by(other, ("tiffin.payments", "PaymentCaptured")) == TOLD
        assert bus.heard() == [ORDERS, ("tiffin.orders", "OrderAccepted"), ("tiffin.payments", "PaymentCaptured")]

    def test_it_follows_its_template(self, world: World, bus: Bus, policies: Policies) -> None:
        first, second = world.role(may_announce(bus)), world.role(may_announce(bus))
        policies.set(Only={"ArnNotEquals": {"aws:PrincipalArn": [first]}})
        assert [bus.announced_by(role, ORDERS) for role in (first, second)] == [TOLD, DENIED]

        policies.set(Only={"ArnNotEquals": {"aws:PrincipalArn": [second]}})
        assert [bus.announced_by(role, ORDERS) for role in (first, second)] == [DENIED, TOLD]

        policies.set(Renamed={"ArnNotEquals": {"aws:PrincipalArn": [first, second]}})
        assert [bus.announced_by(role, ORDERS) for role in (first, second)] == [TOLD, TOLD]
        assert [s["Sid"] for s in json.loads(policies.described()["Policy"])["Statement"]] == ["Renamed"]

        policies.set()
        assert bus.announced_by(world.admin, ORDERS) == TOLD

    def test_it_concerns_its_own_bus_and_not_what_is_replayed(self, world: World, bus: Bus, policies: Policies) -> None:
        announcer, elsewhere = world.role(may_announce(bus)), Bus(world)
        archive = bus.events.create_archive(ArchiveName=unique("archive"), EventSourceArn=bus.arn)["ArchiveArn"]
        assert bus.announced_by(announcer, ORDERS) == TOLD
        policies.set(Nobody={"ArnNotEquals": {"aws:PrincipalArn": [world.admin + "-nobody"]}})

        bus.events.start_replay(
            ReplayName=unique("replay"),
            EventSourceArn=archive,
            EventStartTime=0,
            EventEndTime=4_000_000_000,
            Destination={"Arn": bus.arn},
        )

        told = list[tuple[str, str]]()

        def both_told() -> bool:
            told.extend(bus.heard())
            return told == [ORDERS] * 2

        eventually(both_told, what="the replay")
        assert bus.announced_by(announcer, ORDERS) == DENIED
        assert elsewhere.announced_by(world.admin, ORDERS) == TOLD


def test_a_policy_that_is_put_whole_is_the_policy(world: World) -> None:
    bus = Bus(world)
    deny = {"Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": bus.arn}
    policy = {"Version": "2012-10-17", "Statement": [deny]}

    bus.events.put_permission(EventBusName=bus.name, Policy=json.dumps(policy))

    assert json.loads(bus.events.describe_event_bus(Name=bus.name)["Policy"]) == policy
    with pytest.raises(ClientError, match="AccessDenied"):
        bus.events.put_events(Entries=[bus.entry("tiffin.orders", "OrderPlaced")])
