"""The page on what lies where of a person: every place that keeps something is on it, with how long it keeps it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from contracts.cloudformation import Stack, deploy, transformed
from estimates import store as estimates
from kitchens import model as kitchens
from live import model as live
from notifications import store as notifications
from operations import personal
from orders import customers, promo_codes
from payments import sandbox
from support import store as support
from tiffin import outbox
from worlds import ROOT
from worlds.templates import EVERYTHING

PAGE = (ROOT / "docs" / "privacy.md").read_text("utf-8")
KEEPS = {
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::Table",
    "AWS::EFS::FileSystem",
    "AWS::Events::Archive",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::StepFunctions::StateMachine",
}
OUTBOX = timedelta(seconds=outbox.RETENTION_SECONDS)
# What a table's rows live for by what their writers say; DynamoDB knows of the attribute alone.
LIVES = {
    "Orders/CustomersTable": {customers.KEPT},
    "Orders/PromoCodesTable": {promo_codes.REMEMBERED},
    "Payments/PaymentsTable": {OUTBOX},
    "Payments/SandboxLedgerTable": {timedelta(seconds=sandbox.KEY_RETENTION_SECONDS)},
    "Promotions/PromotionsTable": {OUTBOX},
    "Notifications/SentTable": {notifications.REMEMBERED},
    "KitchensService/FiguresTable": {kitchens.REMEMBERED},
    "Support/StoriesTable": {support.REMEMBERED},
    "EstimatesService/EstimatesTable": {estimates.REMEMBERED},
    "Live/TicketsTable": {live.TICKET},
    "Live/ConnectionsTable": {live.CONNECTED},
    "Live/PartiesTable": {live.OPEN},
}


class Row(NamedTuple):
    kept: str
    put_back: str
    forget: str


class Kept(NamedTuple):
    path: str
    kind: str
    own: dict[str, Any]
    stack: Stack


def places(**parameters: str) -> Iterator[Kept]:
    for stack in deploy(transformed(), "tiffin", EVERYTHING | parameters):
        for _, name, kind, own in stack.resources():
            if kind in KEEPS:
                yield Kept("/".join((*stack.path, name)), kind, own, stack)


def rows() -> Iterator[tuple[str, Row]]:
    for line in re.findall(r"^\| `.*", PAGE, re.MULTILINE):
        where, _, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        yield from ((path, Row(*cells)) for path in re.findall(r"`([^`]+)`", where))


PLACES = {kept.path: kept for kept in places()}
ROWS = dict(rows())


def spans(text: str) -> set[timedelta]:
    found = re.findall(r"(\d+) (day|hour|second)s?", text)
    return {timedelta(**{f"{unit}s": int(number)}) for number, unit in found}


def days(number: int | str) -> set[timedelta]:
    return {timedelta(days=int(number))}


def expected(kept: Kept) -> set[timedelta]:
    own = kept.own
    match kept.kind:
        case "AWS::SQS::Queue":
            return {timedelta(seconds=own["MessageRetentionPeriod"])}
        case "AWS::Logs::LogGroup":
            return days(own["RetentionInDays"])
        case "AWS::Events::Archive":
            return days(own["RetentionDays"])
        case "AWS::Kinesis::Stream":
            return {timedelta(hours=int(own["RetentionPeriodHours"]))}
        case "AWS::StepFunctions::StateMachine":
            return days(90)
        case "AWS::DynamoDB::Table" if kept.path == "Orders/DeliveriesTable":
            return days(transformed()["template.yaml"]["Parameters"]["KeepDeliveriesDays"]["Default"])
        case "AWS::DynamoDB::Table":
            return LIVES.get(kept.path, set())
        case "AWS::S3::Bucket":
            rules = own.get("LifecycleConfiguration", {}).get("Rules", [])
            longest = [
                rule.get("ExpirationInDays") or rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
                for rule in rules
            ]
            return {timedelta(days=int(number)) for number in longest if number}
    return set()


def test_every_place_that_keeps_anything_has_one_row() -> None:
    listed = [path for path, _ in rows()]
    assert sorted(listed) == sorted(PLACES)


@pytest.mark.parametrize("path", sorted(PLACES))
def test_the_page_says_for_how_long_it_is_kept(path: str) -> None:
    kept = PLACES[path]
    if path != "Orders/MenusTable":  # shares its row with the bucket that fills it
        assert spans(ROWS[path].kept) == expected(kept)
    if kept.kind == "AWS::DynamoDB::Table":
        assert ("TimeToLiveSpecification" in kept.own) == bool(expected(kept))


@pytest.mark.parametrize("path", sorted(path for path, kept in PLACES.items() if kept.kind == "AWS::DynamoDB::Table"))
def test_the_page_says_what_can_be_put_back(path: str) -> None:
    enabled = PLACES[path].own.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    assert ROWS[path].put_back == ("35 days" if enabled else "–")


def test_the_page_says_of_the_tables_that_are_forgotten_that_they_are() -> None:
    """By the outputs of the root, which lead to each table that the tool works on."""
    outputs = transformed()["template.yaml"]["Outputs"]
    # Such as "Orders.Outputs.OrdersTableName", which is an output that names the table.
    worked_on = set()
    for place in personal.PLACES.values():
        service, name = outputs[place.output]["Value"]["Fn::GetAtt"]
        worked_on.add(f"{service}/{name.removeprefix('Outputs.').removesuffix('Name')}")
    silent = {path for path, row in ROWS.items() if PLACES[path].kind.endswith("Table") and row.forget[:7] == "nothing"}
    tables = {path for path, kept in PLACES.items() if kept.kind == "AWS::DynamoDB::Table"}
    assert tables - silent == worked_on


@pytest.mark.parametrize("path", sorted(path for path, kept in PLACES.items() if kept.kind == "AWS::DynamoDB::Table"))
def test_a_table_that_outlives_its_stack_is_protected_where_that_is_asked_for(path: str) -> None:
    kept = PLACES[path]
    written = transformed()[kept.stack.location]["Resources"][path.rpartition("/")[2]]
    (protected,) = [one for one in places(DeletionProtection="ACTIVE") if one.path == path]
    outlives = written.get("DeletionPolicy") == "RetainExceptOnCreate"
    assert protected.own.get("DeletionProtectionEnabled", False) is outlives
    assert kept.own.get("DeletionProtectionEnabled", False) is False
