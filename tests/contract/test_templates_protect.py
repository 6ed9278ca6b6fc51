"""What protects and is not needed to run: all in the templates that a working order would never miss."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contracts.cloudformation import deploy, transformed, uploaded
from contracts.compatibility import releases
from contracts.permissions import listed, statements
from contracts.schemas import Contracts, current
from worlds.templates import EVERYTHING, applications

DAY = 24 * 60 * 60
RESOURCES = {path: template["Resources"] for path, template in transformed().items()}


class Made:
    """A resource as SAM has made it, beside those of the same template.

    Attributes:
        name: its logical id.
        whole: it with its policies; `own` are its properties.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name, self.whole = path, name, RESOURCES[path][name]
        self.own: dict[str, Any] = self.whole.get("Properties", {})

    def follow(self, reference: dict[str, Any]) -> "Made":
        """The resource that a `Ref` or a `Fn::GetAtt` means."""
        [target] = reference.values()
        return Made(self.path, target if isinstance(target, str) else target[0])

    def beside(self, kind: str) -> Iterator["Made"]:
        """The resources of a type in the same template."""
        yield from (Made(self.path, name) for name, one in RESOURCES[self.path].items() if one["Type"] == kind)


def each(kind: str) -> Callable[[Any], Any]:
    """Let a test see every resource of a type; there are some, or the test is about nothing."""
    found = [
        pytest.param(Made(path, name), id=f"{path.removesuffix('/template.yaml').removeprefix('services/')}/{name}")
        for path, resources in RESOURCES.items()
        for name, one in resources.items()
        if one["Type"] == kind
    ]
    assert found, kind
    return pytest.mark.parametrize("made", found)


def fed(queue: Made) -> list[Made]:
    """The mappings that read a queue or a stream."""
    mappings = queue.beside("AWS::Lambda::EventSourceMapping")
    return [mapping for mapping in mappings if mapping.follow(mapping.own["EventSourceArn"]).name == queue.name]


def targeted(beside: Made) -> Iterator[str]:
    """What the rules of a template reach: their targets, and where goes what they cannot deliver."""
    for rule in beside.beside("AWS::Events::Rule"):
        for target in rule.own["Targets"]:
            yield from (rule.follow(arn).name for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]))


@each("AWS::Lambda::EventSourceMapping")
def test_one_bad_message_brings_back_no_other(made: Made) -> None:
    assert made.own["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@each("AWS::Lambda::EventSourceMapping")
def test_a_mapping_of_a_stream_gives_nothing_up_unseen(made: Made) -> None:
    if "StreamArn" in str(made.own["EventSourceArn"]):
        assert made.own["BisectBatchOnFunctionError"] is True
        assert (made.own["MaximumRetryAttempts"], made.own["MaximumRecordAgeInSeconds"]) == (-1, 6 * 60 * 60)
        assert made.own["StartingPosition"] == "TRIM_HORIZON"
        dead = made.follow(made.own["DestinationConfig"]["OnFailure"]["Destination"])
        assert (dead.whole["Type"], "DeadLetterQueue" in dead.name) == ("AWS::SQS::Queue", True)


@each("AWS::Kinesis::Stream")
def test_a_stream_is_encrypted_and_what_reads_it_has_limits_and_a_place_for_what_it_gives_up(made: Made) -> None:
    assert made.own["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    [mapping] = fed(made)
    assert mapping.own["BisectBatchOnFunctionError"] is True
    assert (mapping.own["MaximumRetryAttempts"], mapping.own["MaximumRecordAgeInSeconds"]) == (1000, 6 * 60 * 60)
    assert mapping.own["StartingPosition"] == "TRIM_HORIZON"
    dead = mapping.follow(mapping.own["DestinationConfig"]["OnFailure"]["Destination"])
    assert (dead.whole["Type"], "DeadLetterQueue" in dead.name) == ("AWS::SQS::Queue", True)


@each("AWS::Kinesis::Stream")
def test_whatever_is_put_into_a_stream_has_the_key_that_the_rule_names(made: Made) -> None:
    """By a field that every one of its events must have, in all releases; and by a role that may do nothing else."""
    [target] = [
        target
        for rule in made.beside("AWS::Events::Rule")
        for target in rule.own["Targets"]
        if made.follow(target["Arn"]).name == made.name
    ]
    [rule] = [rule for rule in made.beside("AWS::Events::Rule") if target in rule.own["Targets"]]
    start, *path = target["KinesisParameters"]["PartitionKeyPath"].split(".")
    assert (start, path[0]) == ("$", "detail")
    for contracts in (current(), *(Contracts.load(release) for release in releases())):
        for name in rule.own["EventPattern"]["detail-type"]:
            schema = contracts.resolved(name)
            for step in path[1:]:
                assert step in schema["required"], (name, step)
                schema = schema["properties"][step]
            assert schema["type"] == "string"
    [allowed] = statements(made.follow(target["RoleArn"]).own["Policies"])
    assert (allowed["Action"], made.follow(allowed["Resource"]).name) == ("kinesis:PutRecord", made.name)


def test_what_is_asked_for_is_made_only_then() -> None:
    made = {stack.location for stack in deploy(transformed(), "tiffin")}
    asked = {stack.location for stack in deploy(transformed(), "tiffin", {"Kitchens": "true"})}
    assert asked - made == {"services/kitchens/template.yaml"}
    [root, *_] = deploy(transformed(), "tiffin")
    assert not [name for name in root.resolved["Outputs"] if name.startswith("Kitchens")]


@each("AWS::SQS::Queue")
def test_a_queue_is_encrypted_and_either_has_a_dead_letter_queue_or_is_one(made: Made) -> None:
    assert made.own["SqsManagedSseEnabled"] is True
    if made.name.endswith("DeadLetterQueue"):
        assert "RedrivePolicy" not in made.own
        assert fed(made) == []
        assert made.own["MessageRetentionPeriod"] == 14 * DAY
    else:
        redrive = made.own["RedrivePolicy"]
        assert made.follow(redrive["deadLetterTargetArn"]).name == made.name.removesuffix("Queue") + "DeadLetterQueue"
        assert redrive["maxReceiveCount"] == 5
        assert made.own["MessageRetentionPeriod"] == 7 * DAY


@each("AWS::SQS::Queue")
def test_a_message_comes_back_when_its_function_has_surely_ended(made: Made) -> None:
    """Six times its timeout (Lambda developer guide, "Using Lambda with Amazon SQS")."""
    if not made.name.endswith("DeadLetterQueue"):
        [mapping] = fed(made)
        alias = mapping.follow(mapping.own["FunctionName"])
        assert made.own["VisibilityTimeout"] == 6 * alias.follow(alias.own["FunctionName"]).own["Timeout"]


@each("AWS::SQS::QueuePolicy")
def test_a_queue_takes_messages_from_its_rule_alone(made: Made) -> None:
    of = [made.follow(queue).name for queue in made.own["Queues"]]
    allowing = [one for one in statements(made.own) if one["Effect"] == "Allow"]
    if not set(of) & set(targeted(made)):
        # Lambda and functions send there, by the functions' roles.
        assert (allowing, [name.endswith("DeadLetterQueue") for name in of]) == ([], [True])
        return
    for statement in allowing:
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert {made.follow(arn).name for arn in listed(statement["Resource"])} == set(of)
        source = made.follow(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
        assert source.whole["Type"] == "AWS::Events::Rule"
        targets = [target for target in source.own["Targets"] if "DeadLetterConfig" in target]
        reached = {made.follow(t["DeadLetterConfig"]["Arn"]).name for t in targets} | {
            made.follow(t["Arn"]).name for t in targets
        }
        assert set(of) <= reached
    assert allowing


@each("AWS::Events::Rule")
def test_a_rule_tries_for_a_day_and_keeps_what_it_could_not_deliver(made: Made) -> None:
    for target in made.own["Targets"]:
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": 185}
        assert made.follow(target["DeadLetterConfig"]["Arn"]).name.endswith("DeadLetterQueue")


# Menus are loaded from a file, what was told, predicted or counted is forgotten after a while, or counted anew, and who
# listens connects anew.
MISSED_BY_NOBODY = {
    *("MenusTable", "SentTable", "FiguresTable", "EstimatesTable", "CustomersTable"),
    *("TicketsTable", "ConnectionsTable", "PartiesTable", "StoriesTable"),
}


@each("AWS::DynamoDB::Table")
def test_a_table_is_encrypted_and_can_be_put_back_to_any_second_or_can_be_filled_anew(made: Made) -> None:
    if made.name not in MISSED_BY_NOBODY:
        assert made.own["SSESpecification"] == {"SSEEnabled": True}
        assert made.own["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert made.own["BillingMode"] == "PAY_PER_REQUEST"


@each("AWS::DynamoDB::Table")
def test_a_table_outlives_its_stack_or_holds_nothing_that_is_missed(made: Made) -> None:
    # Beside those: the sandbox stands for the gateway's own side, and its money is none.
    if made.name not in MISSED_BY_NOBODY | {"SandboxLedgerTable"}:
        assert made.whole["DeletionPolicy"] == "RetainExceptOnCreate"
        assert made.whole["UpdateReplacePolicy"] == "Retain"


KNOW_NO_RESOURCE = ("xray:", "dynamodb:ListStreams", "ec2:Describe")
"""Actions that cannot be limited to a resource, by how they begin (Service authorization reference)."""


def named_in_full(policies: Any) -> None:
    for statement in statements(policies):
        if statement["Effect"] == "Allow":
            assert not [action for action in listed(statement["Action"]) if "*" in action]
            if "*" in listed(statement["Resource"]):
                assert all(action.startswith(KNOW_NO_RESOURCE) for action in listed(statement["Action"]))


def by_service(role: Made) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each service that may take a role, and under which condition."""
    for statement in statements(role.own["AssumeRolePolicyDocument"]):
        [(kind, services)] = statement["Principal"].items()
        assert kind == "Service"
        yield from ((service, statement.get("Condition", {})) for service in listed(services))


@each("AWS::IAM::Role")
def test_a_role_names_what_it_may_do_and_to_what(made: Made) -> None:
    named_in_full(made.own.get("Policies", []))


@each("AWS::IAM::Policy")
def test_what_several_roles_may_do_is_named_too(made: Made) -> None:
    named_in_full(made.own["PolicyDocument"])


@each("AWS::IAM::Role")
def test_a_role_has_no_policy_that_somebody_else_writes(made: Made) -> None:
    """AWS's own for functions, which SAM adds, write into every log group of the account.

    API Gateway's is the account's, not the application's: it is checked for that policy when it is set.
    """
    assert ("ManagedPolicyArns" in made.own) == (made.name == "ApiGatewayLogsRole")


@each("AWS::IAM::Role")
def test_a_role_is_taken_by_a_service_and_by_nobody_else(made: Made) -> None:
    assert all(service.endswith(".amazonaws.com") for service, _ in by_service(made))


@each("AWS::IAM::Role")
def test_a_role_that_is_taken_for_somebody_is_taken_for_this_account(made: Made) -> None:
    """A function has its role by its own account's leave; rules, schedules and state machines name one."""
    for service, condition in by_service(made):
        # AWS names no condition that API Gateway fulfils when it takes the role to log by.
        if service not in ("lambda.amazonaws.com", "apigateway.amazonaws.com"):
            assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        if service == "scheduler.amazonaws.com":
            assert condition["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].endswith(":schedule-group/default")


@each("AWS::Lambda::Function")
def test_a_function_has_a_role_of_its_own(made: Made) -> None:
    of = [function.follow(function.own["Role"]).name for function in made.beside("AWS::Lambda::Function")]
    assert of.count(made.follow(made.own["Role"]).name) == 1


@each("AWS::Lambda::Function")
def test_a_function_writes_lines_into_its_service_s_log_group_alone(made: Made) -> None:
    role = made.follow(made.own["Role"])
    shared = [
        policy
        for policy in made.beside("AWS::IAM::Policy")
        if role.name in [made.follow(r).name for r in policy.own["Roles"]]
    ]
    found = [
        one
        for policies in (role.own["Policies"], *(policy.own["PolicyDocument"] for policy in shared))
        for one in statements(policies)
        if any(action.startswith("logs:") for action in listed(one["Action"]))
    ]
    # Who is asked where an order is reads others' lines too, of the groups that it is told of.
    reading = [one for one in found if listed(one["Action"]) == ["logs:FilterLogEvents"]]
    assert bool(reading) is (made.path == "services/support/template.yaml")
    for group in (group["Fn::Sub"] for one in reading for group in one["Resource"]):
        assert re.fullmatch(r".*:log-group:\$\{\w+LogGroupName\}(:\*)?", group)
    found = [one for one in found if one not in reading]
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Logs}:log-stream:*"
    assert [(one["Action"], one["Resource"]) for one in found] == [
        (["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::Sub": group})
    ]


@each("AWS::StepFunctions::StateMachine")
def test_a_workflow_s_role_may_do_what_the_workflow_does_and_nothing_else(made: Made) -> None:
    """Actions by its states' resources, events by their names; and no other workflow has its role."""
    machines = made.beside("AWS::StepFunctions::StateMachine")
    assert [machine.own["RoleArn"] for machine in machines].count(made.own["RoleArn"]) == 1
    may = list(statements(made.follow(made.own["RoleArn"]).own["Policies"]))
    definition = uploaded(made.own["DefinitionS3Location"])
    assert definition is not None
    text = definition.read_text()
    does = {f"{a}:{b[0].upper()}{b[1:]}" for a, b in re.findall(r":::(?:aws-sdk:)?(\w+):(\w+)", text)}
    if "dynamodb:TransactWriteItems" in does:
        # No action of its own: each write of a transaction is asked for by itself.
        does -= {"dynamodb:TransactWriteItems"}
        does |= {f"dynamodb:{write}Item" for write in re.findall(r'"(Put|Update|Delete)": {', text)}
    actions = {action for one in may for action in listed(one["Action"]) if not action.startswith("xray:")}
    assert actions == {action.replace("lambda:Invoke", "lambda:InvokeFunction") for action in does}
    [announcing] = [one for one in may if one["Action"] == "events:PutEvents"]
    names = announcing["Condition"]["ForAllValues:StringEquals"]["events:detail-type"]
    said = re.findall(r'"(?:DetailType|event)": "(Order\w+)"', text)
    assert sorted(names) == sorted(set(said))


@each("AWS::StepFunctions::StateMachine")
def test_no_workflow_may_read_where_an_order_goes(made: Made) -> None:
    role = made.follow(made.own["RoleArn"])
    assert "DeliveriesTable" not in str(role.own)
    assert "Deliveries" not in str(made.own)


@each("AWS::SQS::Queue")
def test_a_queue_refuses_what_is_not_encrypted_on_its_way(made: Made) -> None:
    refusing = [
        one
        for policy in made.beside("AWS::SQS::QueuePolicy")
        if made.name in [made.follow(queue).name for queue in policy.own["Queues"]]
        for one in statements(policy.own)
        if one["Effect"] == "Deny"
    ]
    assert [(one["Principal"], one["Action"], one["Condition"]) for one in refusing] == [
        ("*", "sqs:*", {"Bool": {"aws:SecureTransport": "false"}})
    ]
    assert made.name in [made.follow(arn).name for arn in listed(refusing[0]["Resource"])]


@each("AWS::CloudWatch::Alarm")
def test_an_alarm_tells_somebody_and_names_its_runbook(made: Made) -> None:
    if made.name == "NewVersionFails":
        return  # It tells CodeDeploy: tests/contract/test_versions.py.
    assert made.own["AlarmActions"] == made.own["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert "/${RunbooksUrl}/" in made.own["AlarmDescription"]["Fn::Sub"].replace("Runbook: ", "/")


@each("AWS::CloudWatch::Alarm")
def test_an_alarm_of_dead_letters_counts_those_that_lie_there(made: Made) -> None:
    if made.name.endswith("DeadLetters"):
        counted = ("Namespace", "MetricName", "Statistic", "Threshold", "ComparisonOperator", "EvaluationPeriods")
        assert [made.own[key] for key in counted] == [
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 0, "GreaterThanThreshold", 1,
        ]  # fmt: skip
        [dimension] = made.own["Dimensions"]
        assert (dimension["Name"], "DeadLetterQueue" in str(dimension["Value"])) == ("QueueName", True)


def test_every_dead_letter_queue_has_an_alarm_of_its_own() -> None:
    stacks = deploy(transformed(), "tiffin", EVERYTHING)
    queues = [
        f"{stack.name}-{name}-"
        for stack in stacks
        for _, name, kind, _ in stack.resources()
        if kind == "AWS::SQS::Queue" and name.endswith("DeadLetterQueue")
    ]
    watched = [
        str(own["Dimensions"][0]["Value"])
        for stack in stacks
        for _, _, kind, own in stack.resources()
        if kind == "AWS::CloudWatch::Alarm" and own.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    ]
    assert {queue: sum(name.startswith(queue) for name in watched) for queue in queues} == dict.fromkeys(queues, 1)


@each("AWS::Lambda::Function")
def test_a_function_is_traced_and_logs_where_its_service_does(made: Made) -> None:
    assert made.own["TracingConfig"] == {"Mode": "Active"}
    assert made.own["LoggingConfig"] == {"LogGroup": {"Ref": "Logs"}}
    variables = made.own["Environment"]["Variables"]
    assert variables["POWERTOOLS_TRACER_CAPTURE_RESPONSE"] == "false"
    assert variables["POWERTOOLS_SERVICE_NAME"] == made.path.split("/")[1]
    assert variables["LOG_LEVEL"] == "INFO"


@each("AWS::Logs::LogGroup")
def test_log_lines_are_forgotten_after_a_while(made: Made) -> None:
    assert made.own["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@each("AWS::ApiGateway::Stage")
def test_an_api_is_traced_and_throttled(made: Made) -> None:
    assert made.own["TracingEnabled"] is True
    [setting, *more] = made.own["MethodSettings"]
    assert len(more) == (made.path == "services/orders/template.yaml")
    assert (setting["ResourcePath"], setting["HttpMethod"]) == ("/*", "*")
    assert {"ThrottlingBurstLimit", "ThrottlingRateLimit"} <= setting.keys()


@each("AWS::ApiGateway::Stage")
def test_a_request_is_logged_without_anything_personal(made: Made) -> None:
    """Route, outcome and the subject of the token: no address, agent, path or query."""
    [condition, setting, otherwise] = made.own["AccessLogSetting"]["Fn::If"]
    assert (condition, otherwise) == ("LogsAccess", {"Ref": "AWS::NoValue"})
    assert setting["DestinationArn"]["Fn::Sub"].endswith(":log-group:${AccessLogGroup}")
    assert json.loads(setting["Format"]) == {
        "request_id": "$context.requestId",
        "method": "$context.httpMethod",
        "resource": "$context.resourcePath",
        "status": "$context.status",
        "latency_ms": "$context.responseLatency",
        "refused_as": "$context.error.responseType",
        "authorizer_error": "$context.authorizer.error",
        "integration_error": "$context.integration.error",
        "sub": "$context.authorizer.claims.sub",
        "groups": "$context.authorizer.claims.cognito:groups",
    }


@each("AWS::ApiGateway::Stage")
def test_what_is_refused_to_callers_is_counted_from_the_access_log(made: Made) -> None:
    [counting] = [one.own for one in made.beside("AWS::Logs::MetricFilter")]
    assert counting["LogGroupName"] == {"Ref": "AccessLogGroup"}
    assert counting["FilterPattern"] == (
        '{ $.status = "401" || $.status = "403" || $.status = "429" || ($.status = "404" && $.refused_as = "-") }'
    )
    [metric] = counting["MetricTransformations"]
    assert (metric["MetricNamespace"], metric["MetricName"]) == ({"Ref": "MetricsNamespace"}, "RequestsRefused")
    assert (metric["MetricValue"], metric["DefaultValue"]) == ("1", 0)


@each("AWS::ApiGateway::RestApi")
def test_an_api_takes_nothing_older_than_tls_1_2(made: Made) -> None:
    assert (made.own["SecurityPolicy"], made.own["EndpointAccessMode"]) == ("SecurityPolicy_TLS13_1_2_2021_06", "BASIC")


def test_an_address_that_asks_too_often_is_refused_at_every_api_where_that_is_wanted() -> None:
    root = transformed()["template.yaml"]
    assert root["Parameters"]["RequestsPerAddress"]["Default"] == "0"
    [rule] = root["Resources"]["AddressLimit"]["Properties"]["Rules"]
    assert rule["Statement"]["RateBasedStatement"]["Limit"] == {"Ref": "RequestsPerAddress"}
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429
    limited = {
        name: (one["Condition"], one["Properties"]["ResourceArn"]["Fn::Sub"].split("/restapis/")[1])
        for name, one in root["Resources"].items()
        if one["Type"] == "AWS::WAFv2::WebACLAssociation"
    }
    assert limited == {
        "OrdersAddressLimit": ("LimitsAddresses", "${Orders.Outputs.ApiId}/stages/v1"),
        "PromotionsAddressLimit": ("LimitsAddresses", "${Promotions.Outputs.ApiId}/stages/v1"),
        "SupportAddressLimit": ("LimitsAddresses", "${Support.Outputs.ApiId}/stages/v1"),
        "LiveAddressLimit": ("LimitsAddresses", "${Live.Outputs.ApiId}/stages/v1"),
        "EstimatesAddressLimit": ("LimitsAddressesOfEstimates", "${EstimatesService.Outputs.ApiId}/stages/v1"),
    }


def test_what_api_gateway_logs_by_is_the_account_s_and_outlives_the_stack() -> None:
    root = transformed()["template.yaml"]["Resources"]
    for name in ("ApiGatewayLogsRole", "ApiGatewayAccount"):
        assert root[name]["Condition"] == "SetsAccessLogsRole"
        assert root[name]["DeletionPolicy"] == root[name]["UpdateReplacePolicy"] == "Retain"
    by = ["SetsAccessLogsRole", {"Ref": "ApiGatewayAccount"}, {"Fn::If": ["LogsAccess", "the-accounts-role", ""]}]
    given = {name: one["Properties"].get("Parameters", {}).get("AccessLogsBy") for name, one in root.items()}
    told = {name: value for name, value in given.items() if value}
    assert told == {name: {"Fn::If": by} for name in ("Orders", "Promotions", "Support", "Live", "EstimatesService")}


@each("AWS::StepFunctions::StateMachine")
def test_an_execution_is_traced_and_kept_for_ninety_days(made: Made) -> None:
    assert made.own["TracingConfiguration"] == {"Enabled": True}
    assert made.own["StateMachineType"] == "STANDARD"


def test_what_the_root_is_told_its_services_are_told() -> None:
    """A parameter of the root that a service has by the same name is handed on, whatever its default."""
    root = transformed()["template.yaml"]
    for name, one in root["Resources"].items():
        if one["Type"] == "AWS::CloudFormation::Stack":
            declared = transformed()[f"services/{applications()[name]}/template.yaml"]["Parameters"]
            given = one["Properties"]["Parameters"]
            for parameter in declared.keys() & root["Parameters"].keys():
                assert given[parameter] == {"Ref": parameter}, (name, parameter)


def test_a_replay_is_counted_by_nobody() -> None:
    pattern = RESOURCES["services/observability/template.yaml"]["MetricsRule"]["Properties"]["EventPattern"]
    assert pattern["replay-name"] == [{"exists": False}]


def test_mails_go_out_from_one_address_by_any_identity_and_its_configuration_set() -> None:
    role = RESOURCES["services/notifications/template.yaml"]["ConsumerFunctionRole"]["Properties"]
    [sending] = [one for one in statements(role["Policies"]) if one["Action"] == "ses:SendEmail"]
    assert [one for one in role["Policies"][0]["PolicyDocument"]["Statement"] if "Fn::If" in one] == [
        {"Fn::If": ["HasSender", sending, {"Ref": "AWS::NoValue"}]}
    ]
    kinds = [resource["Fn::Sub"].rsplit(":", 1)[-1] for resource in sending["Resource"]]
    assert kinds == ["identity/*", "configuration-set/*"]
    assert sending["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "Sender"}}}
