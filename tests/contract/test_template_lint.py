"""The check of the templates sees what AWS would refuse when they are deployed. Each case breaks them in one place."""

import copy
from collections.abc import Callable
from typing import Any

import lint_templates
import pytest
from contracts.cloudformation import Finding, Templates, deploy, transformed
from contracts.templates import NAMES, lint, lint_resolved

ROOT, ORDERS, OBSERVABILITY, KITCHENS = (
    "template.yaml",
    "services/orders/template.yaml",
    "services/observability/template.yaml",
    "services/kitchens/template.yaml",
)
Break = Callable[[Templates], object]


def put(template: str, *path: str | int, to: Any) -> Break:
    """A change that sets one member; `None` takes it away."""

    def change(templates: Any) -> None:
        node: Any = templates[template]
        for step in path[:-1]:
            node = node.setdefault(step, {}) if isinstance(node, dict) else node[int(step)]
        if to is None:
            del node[path[-1]]
        else:
            node[path[-1]] = to

    return change


def resource(kind: str, **properties: Any) -> Break:
    """A resource more, in the observability template."""
    return put(OBSERVABILITY, "Resources", "Odd", to={"Type": kind, "Properties": properties})


def allow(action: Any, on: Any, **more: Any) -> Break:
    """A statement more, in the policy of the order workflow."""
    statement = {"Sid": "Odd", "Effect": "Allow", "Action": action, "Resource": on} | more

    def change(templates: Any) -> None:
        role = templates[ORDERS]["Resources"]["OrderWorkflowRole"]["Properties"]
        role["Policies"][0]["PolicyDocument"]["Statement"].append(statement)

    return change


def named(name: str) -> dict[str, str]:
    return {"Fn::Sub": "${AWS::StackName}" + name}


TABLE = {"Fn::GetAtt": ["OrdersTable", "Arn"]}
EXECUTIONS = {
    "Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${OrderWorkflow.Name}:*"
}
QUEUE = {"Fn::GetAtt": ["PromoCodesQueue", "Arn"]}
MACHINE = ("Resources", "OrderWorkflow", "Properties")
ORDERS_PARAMETERS = ("Resources", "Orders", "Properties", "Parameters")
PERMISSION = {"FunctionName": "f", "Principal": "events.amazonaws.com"}

BROKEN: list[tuple[str, Break, str, str]] = [
    # What CloudFormation itself cannot resolve.
    ("a Ref to nothing", resource("AWS::SNS::Topic", DisplayName={"Ref": "Nobody"}), "Odd", "neither a parameter nor"),
    ("an attribute of nothing", resource("AWS::SNS::Topic", DisplayName={"Fn::GetAtt": "Nobody.Arn"}), "Odd",
     "Nobody is no resource"),
    ("an unknown attribute", resource("AWS::SNS::Topic", DisplayName={"Fn::GetAtt": "MetricsQueue.Url"}), "Odd",
     "MetricsQueue.Url: scripts/contracts/resource_types.py knows none"),
    ("an unknown function", resource("AWS::SNS::Topic", DisplayName={"Fn::ImportValue": "x"}), "Odd",
     "Fn::ImportValue: no value is known"),
    ("a parameter that nobody declares", put(ROOT, *ORDERS_PARAMETERS, "Colour", to="red"), "Parameters",
     "Colour is given, but not declared"),
    ("a parameter without a value", put(ROOT, *ORDERS_PARAMETERS, "EventBusName", to=None), "Parameters",
     "EventBusName gets no value"),
    ("an output that is not there", put(
        ROOT, *ORDERS_PARAMETERS, "BasePath", to={"Fn::GetAtt": "Payments.Outputs.Path"}),
     "Orders", "has no output Path"),
    # Names that an API refuses.
    ("a colon in a query's name", resource("AWS::Logs::QueryDefinition", Name=named("/a: b")), "Odd", "no colon"),
    ("an asterisk in a query's name", resource("AWS::Logs::QueryDefinition", Name=named("/all*")), "Odd",
     "no asterisk"),
    ("an empty folder", resource("AWS::Logs::QueryDefinition", Name=named("//a")), "Odd", "a slash makes a folder"),
    ("a query's name", resource("AWS::Logs::QueryDefinition", Name=named("x" * 240)), "Odd", "more than 255"),
    ("a layer's name", resource("AWS::Lambda::LayerVersion", LayerName=named(".runtime")), "Odd",
     "PublishLayerVersion"),
    ("a long layer's name", resource("AWS::Lambda::LayerVersion", LayerName=named("x" * 140)), "Odd", "more than 140"),
    ("a function's name", resource("AWS::Lambda::Function", FunctionName=named("x" * 50)), "Odd", "at most 64"),
    ("a role's name", resource("AWS::IAM::Role", RoleName=named("x" * 50)), "Odd", "more than 64"),
    ("a rule's name", resource("AWS::Events::Rule", Name=named("x" * 50)), "Odd", "more than 64"),
    ("an archive's name", resource("AWS::Events::Archive", ArchiveName=named("-archive")), "Odd", "more than 48"),
    ("a bus's name", resource("AWS::Events::EventBus", Name=named("/bus")), "Odd", "no slash"),
    ("the default bus", resource("AWS::Events::EventBus", Name="default"), "Odd", "not `default`"),
    ("a queue's name", resource("AWS::SQS::Queue", QueueName=named(".queue")), "Odd", "SQS API reference"),
    ("a long queue's name", resource("AWS::SQS::Queue", QueueName=named("x" * 50)), "Odd", "at most 80"),
    ("a topic's name", resource("AWS::SNS::Topic", TopicName=named(" alarms")), "Odd", "SNS API reference"),
    ("an alarm's name", resource("AWS::CloudWatch::Alarm", AlarmName=named("x" * 230)), "Odd", "more than 255"),
    ("a dashboard's name", resource("AWS::CloudWatch::Dashboard", DashboardName=named(" all")), "Odd", "PutDashboard"),
    ("a log group's name", resource("AWS::Logs::LogGroup", LogGroupName=named(":logs")), "Odd", "does not match"),
    ("AWS's own log group", resource("AWS::Logs::LogGroup", LogGroupName={"Fn::Sub": "aws/${AWS::StackName}"}), "Odd",
     "must not start with `aws/`"),
    ("a sampling rule's name", resource("AWS::XRay::SamplingRule", SamplingRule={"RuleName": named("")}), "Odd",
     "more than 32"),
    ("a sampled service's name", resource("AWS::XRay::SamplingRule", SamplingRule={"ServiceName": "x" * 65}), "Odd",
     "more than 64"),
    ("a group's name", resource("AWS::XRay::Group", GroupName=named("")), "Odd", "more than 32"),
    ("a schedule's name", resource("AWS::Scheduler::Schedule", Name=named("x" * 50)), "Odd", "more than 64"),
    ("a state machine's name", resource("AWS::StepFunctions::StateMachine", StateMachineName=named(" flow")), "Odd",
     "CreateStateMachine"),
    ("a stage's name", resource("AWS::ApiGateway::Stage", StageName="v1.0"), "Odd", "CreateStage"),
    ("a table's name", resource("AWS::DynamoDB::Table", TableName="ab"), "Odd", "3 to 255"),
    ("a budget's name", resource("AWS::Budgets::Budget", Budget={"BudgetName": named(":month")}), "Odd",
     "does not match"),
    # What else a call's model bounds.
    ("a description", put(OBSERVABILITY, "Resources", "MetricsRule", "Properties", "Description", to="x" * 513),
     "MetricsRule", "more than 512"),
    ("an alarm's description", put(
        OBSERVABILITY, "Resources", "OrdersStuck", "Properties", "AlarmDescription", to=named("x" * 1024)),
     "OrdersStuck", "more than 1024"),
    ("a number", put(ORDERS, "Resources", "PromoCodesMapping", "Properties", "BatchSize", to=10001),
     "PromoCodesMapping", "BatchSize: 10001, more than 10000"),
    ("a value of a set", put(ORDERS, "Resources", "ApiFunction", "Properties", "TracingConfig", "Mode", to="On"),
     "ApiFunction", "TracingConfig.Mode: is none of Active, PassThrough"),
    ("a rate", resource("AWS::XRay::SamplingRule", SamplingRule={"FixedRate": 2}), "Odd",
     "FixedRate: 2, more than 1"),
    ("attempts", resource("AWS::Lambda::EventInvokeConfig", MaximumRetryAttempts=3), "Odd", "more than 2"),
    ("a member deep within", put(
        ORDERS, "Resources", "OrdersTable", "Properties", "GlobalSecondaryIndexes", 0, "IndexName", to="by customer"),
     "OrdersTable", "GlobalSecondaryIndexes.0.IndexName: does not match"),
    # Names that every stack of the account would share.
    ("a literal name", resource("AWS::SQS::Queue", QueueName="dead-letters"), "Odd", "the same in every stack"),
    ("a name of the region", resource("AWS::SNS::Topic", TopicName={"Fn::Sub": "alarms-${AWS::Region}"}), "Odd",
     "the same in every stack"),
    ("a layer that all share", resource("AWS::Lambda::LayerVersion", LayerName="Runtime"), "Odd",
     "the same in every stack"),
    ("a nested name", resource("AWS::XRay::SamplingRule", SamplingRule={"RuleName": "orders"}), "Odd",
     "the same in every stack"),
    ("a name that no rule knows", resource("AWS::ECS::Cluster", ClusterName=named("")), "Odd",
     "does not know it as the name of AWS::ECS::Cluster"),
    # Parameters that take what the property does not.
    ("an open retention", put(ORDERS, "Parameters", "LogRetentionDays", to={"Type": "Number", "Default": 30}),
     "LogRetentionDays", "RetentionInDays of AccessLogGroup takes only some values"),
    ("a retention that CloudWatch has not", put(
        ORDERS, "Parameters", "LogRetentionDays", to={"Type": "Number", "Default": 30, "AllowedValues": [30, 31]}),
     "LogRetentionDays", "allows 31, which RetentionInDays of AccessLogGroup does not take"),
    ("an open parameter that is handed on", put(ROOT, "Parameters", "Runtime", "AllowedValues", to=None), "Runtime",
     "has no AllowedValues, but"),
    ("a value that the nested stack refuses", put(
        ROOT, "Parameters", "Runtime", "AllowedValues", to=["python3.13", "python3.15"]),
     "Runtime", "allows python3.15"),
    # A state machine's file and its substitutions.
    ("a substitution that is missing", put(ORDERS, *MACHINE, "DefinitionSubstitutions", "EventBusName", to=None),
     "OrderWorkflow", "order.asl.json has ${EventBusName}, which no DefinitionSubstitution fills"),
    ("a substitution too many", put(ORDERS, *MACHINE, "DefinitionSubstitutions", "Colour", to="red"), "OrderWorkflow",
     "Colour fills nothing in order.asl.json"),
    # Permissions.
    ("an action that is none", allow("dynamodb:ReadItem", TABLE), "Odd", "has no such action"),
    ("a service that is none", allow("dynamo:GetItem", TABLE), "Odd", "has no such action"),
    ("an action misspelled", allow("dynamodb:Getitem", TABLE), "Odd", "is spelled GetItem"),
    ("a wildcard in an action", allow("dynamodb:Get*", TABLE), "Odd", "name the actions"),
    ("every action", allow("*", TABLE), "Odd", "name the actions"),
    ("all but one action", allow(None, TABLE, NotAction="dynamodb:GetItem"), "Odd", "NotAction allows whatever"),
    ("any resource", allow("dynamodb:GetItem", "*"), "Odd", "can be limited to table: '*' allows all"),
    ("a wildcard in a resource", allow("dynamodb:GetItem", {"Fn::Sub": "${OrdersTable.Arn}*"}), "Odd",
     "a wildcard for a kind of resource that can be named"),
    ("any log group", allow("logs:FilterLogEvents", {"Fn::Sub": "arn:aws:logs:*:*:log-group:/aws/lambda/*:*"}), "Odd",
     "a wildcard for a kind of resource that can be named"),
    ("a resource that cannot be named", allow("xray:PutTraceSegments", TABLE), "Odd", "it needs Resource '*'"),
    ("another service's resource", allow("dynamodb:GetItem", QUEUE), "Odd", "dynamodb:GetItem is for table, and no"),
    ("another kind of the service", allow("states:StartExecution", EXECUTIONS), "Odd", "is for statemachine, and no"),
    ("a stream instead of a table", allow(
        "dynamodb:GetItem", {"Fn::Sub": "${OrdersTable.Arn}/stream/2026-05-04T18:30:00.000"}), "Odd", "is for table"),
    ("a resource too many", allow("dynamodb:GetItem", [TABLE, QUEUE]), "Odd", "no action here is for arn:aws:sqs"),
    ("a denial of nothing", allow("dynamodb:Drop*", TABLE, Effect="Deny"), "Odd", "denies nothing"),
    ("another's condition key", allow(
        "dynamodb:GetItem", TABLE, Condition={"StringEquals": {"events:source": "tiffin.orders"}}), "Odd",
     "events:source is a condition key of none"),
    ("a condition that is true of nothing", allow(
        "events:PutEvents", {"Fn::Sub": "arn:aws:events:eu-central-1:123456789012:event-bus/${EventBusName}"},
        Condition={"ForAllValues:StringEquals": {"events:source": "tiffin.orders"}}), "Odd", "add Null"),
    ("a resource policy", put(
        ORDERS, "Resources", "PromoCodesQueuePolicy", "Properties", "PolicyDocument", "Statement", 0, "Action",
        to="sqs:PutMessage"), "OnlyThisRule", "has no such action"),
    ("a trust policy", put(
        ORDERS, "Resources", "OrderWorkflowRole", "Properties", "AssumeRolePolicyDocument", "Statement", 0, "Action",
        to="sts:BecomeRole"), "OrderWorkflowRole", "has no such action"),
    # What is made only where it is asked for.
    ("a stream without a shard", put(KITCHENS, "Parameters", "ShardCount", "Default", to=0), "KitchensStream",
     "ShardCount"),
    ("a role that may put into no stream", put(
        KITCHENS, "Resources", "KitchensRuleRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0,
        "Action", to="kinesis:PutEvent"), "PutIntoThisStream", "has no such action"),
    ("a function's permission", resource("AWS::Lambda::Permission", Action="lambda:Call", **PERMISSION), "Odd",
     "has no such action"),
]  # fmt: skip


def broken(change: Break) -> Templates:
    templates = copy.deepcopy(transformed())
    change(templates)
    return templates


@pytest.mark.parametrize(("change", "where", "says"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_broken_templates_are_refused(change: Break, where: str, says: str) -> None:
    findings = lint(broken(change))
    assert [f for f in findings if where in f.where and says in f.message], findings


@pytest.mark.parametrize(
    "change",
    [
        allow("dynamodb:GetItem", TABLE),
        allow("dynamodb:Query", {"Fn::Sub": "${OrdersTable.Arn}/index/by-customer"}),
        allow("xray:PutTraceSegments", "*"),
        allow(["states:DescribeExecution", "states:StopExecution"], EXECUTIONS),
        allow("states:SendTaskSuccess", {"Ref": "OrderWorkflow"}),
        allow("dynamodb:*", TABLE, Effect="Deny"),
        resource("AWS::SQS::Queue", QueueName=named("-dead-letters")),
        resource("AWS::Logs::QueryDefinition", Name=named("/orders/one order")),
    ],
)
def test_what_is_sound_passes(change: Break) -> None:
    assert set(lint(broken(change))) == set(lint(transformed()))


def test_a_resource_whose_condition_is_false_cannot_be_referred_to() -> None:
    change = resource("AWS::SNS::Topic", DisplayName={"Ref": "AlarmMail"})
    [finding] = {f for f in lint(broken(change)) if "Odd" in f.where}
    assert finding.message == "AlarmMail is referred to, but its condition is false"


def test_what_is_only_wrong_once_resolved_is_seen_by_cfn_lint() -> None:
    change = put(ROOT, *ORDERS_PARAMETERS, "LogRetentionDays", to={"Fn::Select": [0, [42]]})
    findings = set(lint_resolved(broken(change))) - set(lint_resolved(transformed()))
    assert {(f.where, f.message.rpartition("[")[2]) for f in findings} == {(f"{ORDERS}: Logs", "cfn-lint E3030]")}


def test_nested_stacks_are_named_as_cloudformation_names_them() -> None:
    stacks = {stack.path: stack for stack in deploy(transformed(), NAMES[0])}
    assert stacks[("Orders",)].name.startswith("tiffin-staging-Orders-")
    names = {stack.name for stack in stacks.values()}
    assert len(names) == len(stacks) == 9
    outputs = stacks[()].resolved["Outputs"]
    assert outputs["OrdersTableName"]["Value"].startswith(f"{stacks[('Orders',)].name}-OrdersTable-")
    assert all(len(name) <= 128 for name in names)


def test_the_command_names_template_and_resource(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lint_templates, "lint", lambda _: [Finding("template.yaml: EventBus", "is wrong")])
    assert lint_templates.main([]) == 1
    assert capsys.readouterr().err == "template.yaml: EventBus: is wrong\n"


def test_the_committed_templates_pass() -> None:
    assert lint(transformed()) == []


def test_the_committed_templates_pass_once_they_are_resolved() -> None:
    assert lint_resolved(transformed()) == []
