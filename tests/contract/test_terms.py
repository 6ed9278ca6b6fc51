"""Schedules, deadlines, retentions and thresholds: what the documentation promises is what templates and code say.

Each term stands here three times: as the page's sentence, as a number, and as the place where it is in force. So none
of the three changes without the others.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any, get_args

import pytest
from cfnlint.decode.cfn_yaml import load
from kitchens import model as figures
from notifications import store as mails
from orders import located_json, menu_rules, model, promo_codes, reconciler, store
from payments import sandbox, stripe_gateway
from tiffin import outbox, rest
from worlds import ROOT
from worlds.templates import resources

SERVICES = ("orders", "payments", "promotions", "notifications", "observability", "kitchens", "estimates", "live")
MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60


@cache
def page(name: str) -> str:
    """The text of a page, without its line ends."""
    return " ".join((ROOT / name).read_text("utf-8").split())


@cache
def states(workflow: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "statemachines" / f"{workflow}.asl.json").read_text("utf-8")))


def state(workflow: str, name: str) -> dict[str, Any]:
    return dict(states(workflow)["States"][name])


def of(service: str, name: str, *path: str | int) -> Any:
    """A property of a resource."""
    found: Any = resources(service)[name]["Properties"]
    for step in path:
        found = found[step]
    return found


@cache
def parameters(template: str) -> dict[str, Any]:
    return dict(load(str(ROOT / template))["Parameters"])


def default(name: str, template: str = "template.yaml") -> Any:
    return parameters(template)[name]["Default"]


def lifecycle(rule: str) -> dict[str, Any]:
    """A rule of the bucket of menus."""
    rules = of("orders", "MenusBucket", "LifecycleConfiguration", "Rules")
    return next(dict(one) for one in rules if one["Id"] == rule)


def seconds(span: timedelta) -> int:
    return int(span.total_seconds())


PROMISES: list[tuple[str, str, Any, Any]] = [
    # The life of an order.
    ("docs/tour/04-orchestration.md", "This is it, three hours at most", states("order")["TimeoutSeconds"], 3 * HOUR),
    ("docs/glossary.md", "Three hours after an order was placed", seconds(model.DELIVERY_WINDOW), 3 * HOUR),
    (
        "docs/tour/04-orchestration.md",
        "15 minutes at most",
        state("order", "AwaitRestaurant")["TimeoutSeconds"],
        15 * MINUTE,
    ),
    ("docs/decisions/open-until-announced.md", "the deadline and three minutes", seconds(model.GRACE), 3 * MINUTE),
    ("docs/decisions/a-claim-stays-due.md", "a minute ahead", seconds(store.CALLBACK_LOOK), MINUTE),
    ("docs/decisions/open-until-announced.md", "minutes after a move", seconds(store.FIRST_LOOK), 2 * MINUTE),
    (
        "services/observability/template.yaml",
        "An unwind took half an hour and was given up",
        states("unwind")["TimeoutSeconds"],
        30 * MINUTE,
    ),
    # The reconciler.
    (
        "docs/glossary.md",
        "One run of the reconciler, each minute",
        of("orders", "ReconcilerFunction", "Events", "EachMinute", "Properties", "ScheduleExpression"),
        "rate(1 minute)",
    ),
    (
        "docs/tour/10-compensation.md",
        "closes them each minute",
        of("orders", "ReconcilerFunction", "Timeout") < MINUTE,
        True,
    ),
    ("docs/runbooks/unwind-failing.md", "tries again every five minutes", seconds(reconciler.NEXT_LOOK), 5 * MINUTE),
    ("docs/runbooks/unwind-failing.md", "after five repairs it raises `OrdersStuck`", reconciler.PATIENCE, 5),
    ("docs/runbooks/reconciler.md", "until 15 seconds before its function's timeout", reconciler.ENOUGH, 15_000),
    (
        "docs/payments.md",
        "repeated by the reconciler every five minutes",
        "$toMillis($states.context.State.EnteredTime) + 300000" in json.dumps(state("unwind", "Begin")),
        True,
    ),
    # Menus.
    ("docs/menus.md", "more than 262,144 bytes, or none", menu_rules.MOST_BYTES, 262_144),
    ("docs/menus.md", "up to 256 KB of it", menu_rules.MOST_BYTES, 256 * 1024),
    ("docs/menus.md", "more than 500 dishes", menu_rules.MOST_DISHES, 500),
    ("docs/menus.md", "up to 20 faults", menu_rules.MOST_FAULTS, 20),
    ("docs/menus.md", "nesting beyond 16", located_json.DEEPEST, 16),
    ("docs/menus.md", "numbers of more than 20 characters", located_json.LONGEST_NUMBER, 20),
    ("docs/menus.md", "none of the fourteen", len(get_args(menu_rules.Allergen)), 14),
    ("docs/menus.md", "Reports are kept for 30 days", lifecycle("ForgetReports")["ExpirationInDays"], 30),
    (
        "docs/menus.md",
        "versions are kept for 90 days",
        lifecycle("ForgetWhatWasReplaced")["NoncurrentVersionExpiration"],
        {"NoncurrentDays": 90},
    ),
    ("docs/menus.md", "tried twice more and then kept", of("orders", "MenusPatience", "MaximumRetryAttempts"), 2),
    ("docs/menus.md", "for six hours here", of("orders", "MenusPatience", "MaximumEventAgeInSeconds"), 6 * HOUR),
    # Events.
    *(
        ("docs/runbooks/replay.md", "The archive keeps every domain event for 30 days", found, 30)
        for found in (
            default("ArchiveRetentionDays", "services/observability/template.yaml"),
            of("observability", "EventArchive", "RetentionDays") == {"Ref": "ArchiveRetentionDays"} and 30,
        )
    ),
    ("docs/operating.md", "the archive in `EventArchiveName`, 30 days", default("LogRetentionDays"), 30),
    ("docs/payments.md", "kept for a week", outbox.RETENTION_SECONDS, 7 * DAY),
    ("docs/runbooks/outbox.md", "still in the table for seven days", outbox.RETENTION_SECONDS, 7 * DAY),
    *(
        (where, says, of(service, "OutboxStreamMapping", name), value)
        for service in ("payments", "promotions")
        for where, says, name, value in (
            ("docs/runbooks/outbox.md", "for six hours", "MaximumRecordAgeInSeconds", 6 * HOUR),
            ("docs/runbooks/outbox.md", "however often that is", "MaximumRetryAttempts", -1),
        )
    ),
    *(
        (where, says, of(service, name, *path), value)
        for service, name in (
            ("orders", "PromoCodes"),
            ("promotions", "Promotions"),
            ("notifications", "Notifications"),
            ("observability", "Metrics"),
        )
        for where, says, name, path, value in (
            (
                "docs/runbooks/queue-behind.md",
                "lost for seven days",
                f"{name}Queue",
                ("MessageRetentionPeriod",),
                7 * DAY,
            ),
            (
                "docs/runbooks/queue-behind.md",
                "after five attempts the messages become",
                f"{name}Queue",
                ("RedrivePolicy", "maxReceiveCount"),
                5,
            ),
            (
                "docs/runbooks/redrive.md",
                "SQS counts 14 days",
                f"{name}DeadLetterQueue",
                ("MessageRetentionPeriod",),
                14 * DAY,
            ),
            (
                "docs/promotions.md",
                "it tries for a day",
                f"{name}Rule",
                ("Targets", 0, "RetryPolicy", "MaximumEventAgeInSeconds"),
                DAY,
            ),
            (
                "docs/promotions.md",
                "it tries for a day",
                f"{name}Rule",
                ("Targets", 0, "RetryPolicy", "MaximumRetryAttempts"),
                185,
            ),
        )
    ),
    (
        "docs/promotions.md",
        "comes back after three minutes, five times at most",
        of("promotions", "PromotionsQueue", "VisibilityTimeout"),
        3 * MINUTE,
    ),
    (
        "docs/promotions.md",
        "it tries for a day",
        of("orders", "DeathsRule", "Targets", 0, "RetryPolicy"),
        {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": 185},
    ),
    # Promo codes and mails.
    (
        "docs/decisions/promo-codes-are-a-projection.md",
        "Codes stay 90 days beyond their expiry",
        seconds(promo_codes.REMEMBERED),
        90 * DAY,
    ),
    ("docs/deploying.md", "| `MailsPerSecond` | 1 |", default("MailsPerSecond"), 1),
    # Longer than the queues and the archive keep an event: a replayed one is known again.
    ("docs/runbooks/replay.md", "A mail that was sent is not sent again", seconds(mails.REMEMBERED), 60 * DAY),
    # The kitchens' stream.
    ("docs/streams.md", "took longer than 20 minutes", seconds(figures.PREPARATION_LIMIT), 20 * MINUTE),
    ("docs/streams.md", "a week longer than any figure", seconds(figures.REMEMBERED - figures.KEPT), 7 * DAY),
    (
        "docs/streams.md",
        "`MaximumRetryAttempts` 1,000",
        of("kitchens", "KitchensMapping", "MaximumRetryAttempts"),
        1000,
    ),
    (
        "docs/runbooks/stream.md",
        "after six hours or 1,000 attempts",
        of("kitchens", "KitchensMapping", "MaximumRecordAgeInSeconds"),
        6 * HOUR,
    ),
    (
        "docs/runbooks/stream.md",
        "keeps each event for 24 hours",
        default("RetentionHours", "services/kitchens/template.yaml"),
        24,
    ),
    ("docs/deploying.md", "| `Kitchens` | false |", default("Kitchens"), "false"),
    # Payments.
    ("docs/payments.md", "keeps it for five minutes", stripe_gateway.KEY_CACHE_SECONDS, 5 * MINUTE),
    (
        "docs/payments.md",
        "waits 2 s for a connection and 8 s for an answer",
        stripe_gateway.TIMEOUT_SECONDS,
        (2.0, 8.0),
    ),
    ("docs/payments.md", "approved after two seconds", sandbox.SLOW_SECONDS, 2.0),
    # What it may cost, and what it takes.
    ("docs/deploying.md", "| `RequestsPerSecond`, `RequestsBurst` | 10, 20 |", default("RequestsPerSecond"), 10),
    ("docs/deploying.md", "| `RequestsPerSecond`, `RequestsBurst` | 10, 20 |", default("RequestsBurst"), 20),
    ("docs/deploying.md", "| `OrdersPerSecond`, `OrdersBurst` | 5, 10 |", default("OrdersPerSecond"), 5),
    ("docs/deploying.md", "| `OrdersPerSecond`, `OrdersBurst` | 5, 10 |", default("OrdersBurst"), 10),
    ("docs/deploying.md", "| `RequestsPerAddress` | 0 |", default("RequestsPerAddress"), "0"),
    ("docs/deploying.md", "| `PaymentsConcurrency` | 0 |", default("PaymentsConcurrency"), 0),
    ("docs/deploying.md", "| `MonthlyBudget` | 25 |", default("MonthlyBudget"), 25),
    ("docs/deploying.md", "| `LogRetentionDays` | 30 |", default("LogRetentionDays"), 30),
    (
        "docs/deploying.md",
        "| `TracedShare` (observability) | 1 |",
        default("TracedShare", "services/observability/template.yaml"),
        1,
    ),
    (
        "docs/deploying.md",
        "at 80 % of so many US dollars in a month, and when 100 % is forecast",
        [
            (told["Notification"]["NotificationType"], told["Notification"]["Threshold"])
            for told in of("observability", "Budget", "NotificationsWithSubscribers")
        ],
        [("ACTUAL", 80), ("FORECASTED", 100)],
    ),
    ("docs/api.md", "at most 65,536 bytes", rest.BODY_LIMIT, 65_536),
]


@pytest.mark.parametrize(
    ("where", "says", "found", "promised"), PROMISES, ids=[f"{n}: {says}" for n, (_, says, _, _) in enumerate(PROMISES)]
)
def test_a_term_is_as_the_documentation_promises(where: str, says: str, found: Any, promised: Any) -> None:
    assert says in page(where)
    assert found == promised


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_own_defaults_are_those_of_the_root(service: str) -> None:
    """Which it is deployed with, and which it is deployed with alone; but a budget is asked for once, at the root."""
    own, root = parameters(f"services/{service}/template.yaml"), parameters("template.yaml")
    shared = own.keys() & root.keys() - {"MonthlyBudget"}
    assert {name: own[name].get("Default") for name in shared} == {name: root[name].get("Default") for name in shared}
    assert {name: own[name].get("MinValue") for name in shared} == {name: root[name].get("MinValue") for name in shared}


# How often a state tries again, and how long it waits: enough for what passes, and an end for what does not.
AGAIN = {
    "announce": (1, 8, 60),
    "record": (1, 6, 30),
    # A quarter of an hour, as the pauses are half as long on average: nobody else knows of the death.
    "take up": (1, 30, 60),
    "authorize": (2, 6, 60),
    "capture": (2, 8, 60),
    "release": (2, 8, 60),
    "unwind release": (2, 10, 60),
    "a callback": (1, 20, 60),
}


def retried() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each retrier that tries again: its state, its kind, and itself."""
    for workflow in ("order", "unwind"):
        for name, body in states(workflow)["States"].items():
            for retrier in body.get("Retry", []):
                if not retrier["MaxAttempts"]:
                    continue
                if retrier["ErrorEquals"] == ["States.QueryEvaluationError"]:
                    kind = "a callback"
                elif "lambda" in body["Resource"]:
                    kind = ("unwind " if workflow == "unwind" else "") + body["Arguments"]["Payload"]["operation"]
                else:
                    kind = "announce" if "putEvents" in body["Resource"] else "record"
                    kind = "take up" if (workflow, name) == ("unwind", "Begin") else kind
                yield f"{workflow} {name}", kind, retrier


@pytest.mark.parametrize(("where", "kind", "retrier"), list(retried()), ids=[f"{w} {k}" for w, k, _ in retried()])
def test_a_state_tries_again_as_often_as_its_kind(where: str, kind: str, retrier: dict[str, Any]) -> None:
    assert (retrier["IntervalSeconds"], retrier["MaxAttempts"], retrier["MaxDelaySeconds"]) == AGAIN[kind]
    # Whoever fails together must not come back together.
    assert retrier["JitterStrategy"] == "FULL"


# By the integration: the optimised one spells the service DynamoDB, that of the SDK DynamoDb (Step Functions developer
# guide, "Handling errors").
REFUSED = {
    ":::dynamodb:updateItem": "DynamoDB.ConditionalCheckFailedException",
    ":::aws-sdk:dynamodb:updateItem": "DynamoDb.ConditionalCheckFailedException",
}


@pytest.mark.parametrize("workflow", ["order", "unwind"])
def test_a_refused_write_is_known_by_the_name_that_its_integration_gives_it(workflow: str) -> None:
    for name, body in states(workflow)["States"].items():
        if "ConditionExpression" not in body.get("Arguments", {}):
            continue
        refusal = next(error for integration, error in REFUSED.items() if integration in body["Resource"])
        once = [retrier for retrier in body["Retry"] if not retrier["MaxAttempts"]]
        assert [refusal in retrier["ErrorEquals"] for retrier in once] == [True], name
        assert {error for c in body.get("Catch", []) for error in c["ErrorEquals"]} <= {refusal, "States.Timeout"}, name


@pytest.mark.parametrize("workflow", ["order", "unwind"])
def test_a_call_to_payments_that_hangs_is_given_up_after_a_minute(workflow: str) -> None:
    calls = [body for body in states(workflow)["States"].values() if "lambda:invoke" in body.get("Resource", "")]
    assert {body["TimeoutSeconds"] for body in calls} == {MINUTE}
    globally = load(str(ROOT / "services/payments/template.yaml"))["Globals"]["Function"]
    assert (globally["Timeout"], "Timeout" in of("payments", "PaymentsFunction")) == (30, False)


class Alarmed:
    """What an alarm watches, and from when on it rings.

    Args:
        says: its description, before the runbook.
        metric: namespace and name.
        statistic: of the data points of a period.
        period: seconds.
        rings: comparison and threshold.
        of: how many periods are looked at, and how many of them must breach.
        silence: what no data means.
    """

    def __init__(
        self,
        says: str,
        metric: str,
        statistic: str,
        period: int,
        rings: str,
        of: str = "1 of 1",
        silence: str = "notBreaching",
    ) -> None:
        self.terms = (says, metric, statistic, period, rings, of, silence)


def dead_letters(says: str) -> Alarmed:
    return Alarmed(says, "AWS/SQS ApproximateNumberOfMessagesVisible", "Maximum", MINUTE, "> 0")


def behind(says: str, metric: str = "AWS/SQS ApproximateAgeOfOldestMessage", threshold: int = 10 * MINUTE) -> Alarmed:
    return Alarmed(says, metric, "Maximum", MINUTE, f"> {threshold}", "3 of 3")


def failing(says: str, metric: str) -> Alarmed:
    return Alarmed(says, f"AWS/States {metric}", "Sum", MINUTE, "> 0")


def failing_function(says: str) -> Alarmed:
    return Alarmed(says, "AWS/Lambda Errors", "Sum", MINUTE, "> 0", "3 of 5")


def throttled(says: str, metric: str, of: str) -> Alarmed:
    return Alarmed(says, metric, "Sum", MINUTE, "> 0", of)


ALARMS = {
    "PromoCodesDeadLetters": dead_letters(
        "Promo-code events that orders could not take in. Customers may be refused a code they have."
    ),
    "PromotionsDeadLetters": dead_letters("Events that promotions could not take in. Customers may lack promo codes."),
    "NotificationsDeadLetters": dead_letters("Events that notifications could not take in. Customers are not told."),
    "KitchensDeadLetters": dead_letters(
        "Events that the kitchens' figures could not take in. Orders are fine; figures are not."
    ),
    "PositionsDeadLetters": dead_letters(
        "A stretch of the kitchens' stream was given up: read it again before the stream forgets it."
    ),
    "EstimatesDeadLetters": dead_letters("Accepted orders that got no estimate. Orders are fine."),
    "ModelsDeadLetters": dead_letters("A model that was uploaded is not in force. The one before it is."),
    "LiveDeadLetters": dead_letters(
        "Events that nobody was told of. Orders are fine, and pages look again by themselves."
    ),
    "LiveFails": failing_function(
        "Live news fails again and again. Orders are fine, and pages look again by themselves."
    ),
    "GateFails": failing_function(
        "Connections are refused for no fault of theirs. Orders are fine, and pages look again by themselves."
    ),
    "TicketsFail": Alarmed(
        "Tickets are refused by our fault. Orders are fine, and pages look again by themselves.",
        *("AWS/ApiGateway 5XXError", "Sum", MINUTE, "> 0", "3 of 5"),
    ),
    "LiveLate": Alarmed(
        "Events wait for over a minute before anybody is told. Orders are fine.",
        *("AWS/SQS ApproximateAgeOfOldestMessage", "Maximum", MINUTE, f"> {MINUTE}", "3 of 5"),
    ),
    "LiveLost": Alarmed(
        "Messages are lost for a quarter of an hour: pages call themselves live and are not. "
        "Orders are fine, and pages look again each minute.",
        *("own MessagesLost", "Sum", 5 * MINUTE, "> 0", "3 of 3"),
    ),
    "MetricsDeadLetters": dead_letters("Events that could not be counted. Orders are fine; graphs are not."),
    "DeathsDeadLetters": dead_letters(
        "Orders died and the unwind workflow could not be started. The reconciler will find them; find out why."
    ),
    "MenusDeadLetters": dead_letters("Menus that could not be taken in. Orders go on, by the menus of before."),
    "PaymentsRelayDeadLetters": dead_letters("Payment events that were given up before they reached the bus."),
    "PromotionsRelayDeadLetters": dead_letters("Promo-code events that were given up before they reached the bus."),
    "PromoCodesBehind": behind("The oldest promo-code event has waited ten minutes for orders."),
    "PromotionsBehind": behind("The oldest event has waited ten minutes for promotions."),
    "NotificationsBehind": behind("The oldest event has waited ten minutes for notifications."),
    "KitchensBehind": behind(
        "The oldest event in the kitchens' stream has waited ten minutes.",
        "AWS/Lambda IteratorAge",
        10 * MINUTE * 1000,
    ),
    "PaymentsRelayBehind": behind(
        "Payment events have waited five minutes in the outbox.", "AWS/Lambda IteratorAge", 5 * MINUTE * 1000
    ),
    "PromotionsRelayBehind": behind(
        "Promo-code events have waited five minutes in the outbox.", "AWS/Lambda IteratorAge", 5 * MINUTE * 1000
    ),
    "OrderWorkflowFailed": failing("An order's workflow failed. The order is being unwound.", "ExecutionsFailed"),
    "UnwindFailed": failing(
        "An unwind failed: a customer's money may still be held. The reconciler tries again in minutes.",
        "ExecutionsFailed",
    ),
    "UnwindTimedOut": failing(
        "An unwind took half an hour and was given up: a customer's money may still be held.", "ExecutionsTimedOut"
    ),
    "OrdersStuck": Alarmed(
        "An order was repaired five times and is still open: a person is needed.",
        *("own OrdersStuck", "Sum", 5 * MINUTE, "> 0"),
    ),
    "ReconcilerRepairs": Alarmed(
        "More than five orders in five minutes needed the reconciler.",
        *("own ReconcilerRepairs", "Sum", 5 * MINUTE, "> 5"),
    ),
    "ReconcilerSilent": Alarmed(
        "The reconciler has not swept for five minutes: what is lost now stays lost.",
        *("own ReconcilerRepairs", "SampleCount", 5 * MINUTE, "< 1"),
        silence="breaching",
    ),
    "OrdersApiSlow": Alarmed(
        "One in a hundred calls of the orders API takes more than two seconds.",
        *("AWS/ApiGateway Latency", "p99", MINUTE, "> 2000", "3 of 5"),
    ),
    "OrdersApiFailing": Alarmed(
        "More than one in a hundred calls of the orders API fails by our fault.",
        *("AWS/ApiGateway 5XXError", "Average", MINUTE, "> 0.01", "2 of 3"),
    ),
    "OrdersApiThrottled": throttled("Lambda turned calls of the orders API away.", "AWS/Lambda Throttles", "1 of 1"),
    "PaymentsThrottled": throttled(
        "Lambda turned payment calls away; the workflow tries them again.", "AWS/Lambda Throttles", "3 of 3"
    ),
    "OrderWorkflowThrottled": throttled(
        "Step Functions holds back the order workflow's transitions.", "AWS/States ExecutionThrottled", "3 of 3"
    ),
    "DeclinesUnusual": Alarmed(
        "Far more orders than usual at this hour are declined.",
        *("own OrdersEnded", "Sum", 5 * MINUTE, "> ANOMALY_DETECTION_BAND(declined, 4)", "3 of 3"),
    ),
    "RequestsRefused": Alarmed(
        "More than a hundred requests in five minutes were refused: no token, no leave, not theirs, or too many.",
        *("own RequestsRefused", "Sum", 5 * MINUTE, "> 100"),
    ),
    "LimitsReached": Alarmed(
        "More than twenty times in five minutes a customer reached a limit of open orders, orders, declines or codes.",
        *("own LimitsReached", "Sum", 5 * MINUTE, "> 20"),
    ),
    "CardsTried": Alarmed(
        "More than ten orders a minute are declined: somebody may be trying cards.",
        *("own OrdersEnded", "Sum", MINUTE, "> 10", "2 of 3"),
    ),
}
SIGNS = {"GreaterThanThreshold": ">", "LessThanThreshold": "<", "GreaterThanUpperThreshold": ">"}


def alarms() -> dict[str, dict[str, Any]]:
    return {
        name: body["Properties"]
        for service in ("observability", "kitchens", "estimates", "live")
        for name, body in resources(service).items()
        if body["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_there_are_these_alarms_and_no_others() -> None:
    assert alarms().keys() == ALARMS.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_rings_when_its_description_says_so(name: str) -> None:
    alarm = alarms()[name]
    watched, statistic, threshold = (
        alarm,
        alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
        alarm.get("Threshold"),
    )
    if "Metrics" in alarm:
        [measured, band] = alarm["Metrics"]
        watched = measured["MetricStat"]["Metric"] | {"Period": measured["MetricStat"]["Period"]}
        statistic, threshold = measured["MetricStat"]["Stat"], band["Expression"]
        assert (alarm["ThresholdMetricId"], measured["ReturnData"]) == (band["Id"], True)
    namespace = watched["Namespace"] if isinstance(watched["Namespace"], str) else "own"
    periods = alarm["EvaluationPeriods"]
    assert (
        alarm["AlarmDescription"]["Fn::Sub"].partition(" Runbook: ")[0],
        f"{namespace} {watched['MetricName']}",
        statistic,
        watched["Period"],
        f"{SIGNS[alarm['ComparisonOperator']]} {threshold}",
        f"{alarm.get('DatapointsToAlarm', periods)} of {periods}",
        alarm["TreatMissingData"],
    ) == ALARMS[name].terms
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
