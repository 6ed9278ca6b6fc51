"""When a stack is not deleted, or not everything, and why. That nothing is left of one is seen on the emulator."""

# ruff: noqa: N803 - arguments are called as boto3 calls them

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from operations.undeploying import CannotUndeploy, Left, Undeployed

ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/tiffin/1"
TEMPLATE = {"Resources": {"Table": {"DeletionPolicy": "RetainExceptOnCreate"}, "Thing": {"DeletionPolicy": "Retain"}}}


def gone(code: str, message: str = "does not exist") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Asked")


class Account:
    """As much of an account as a deletion meets: one stack with a table that stays, and maybe others beside it."""

    def __init__(self, *others: dict[str, Any], **more: Any) -> None:
        self.stack = {"StackName": "tiffin", "StackId": ARN, "StackStatus": "CREATE_COMPLETE", **more}
        self.others = list(others)
        self.after = "DELETE_COMPLETE"
        self.tables = {"tiffin-Table": True}  # protected
        self.secrets = {"tiffin/stripe"}
        self.done: list[str] = []

    def __call__(self, service: str) -> Any:
        account = self

        class Client:
            def __getattr__(self, operation: str) -> Callable[..., Any]:
                answer: Callable[..., Any] = getattr(account, f"{service}_{operation}")
                return answer

            def get_paginator(self, operation: str) -> Any:
                asked = getattr(self, operation)

                class Pages:
                    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
                        yield asked(**given)

                return Pages()

        return Client()

    # CloudFormation.

    def cloudformation_describe_stacks(self, StackName: str | None = None) -> dict[str, Any]:
        there = [self.stack, *self.others]
        if StackName is None:
            return {"Stacks": [one for one in there if one["StackStatus"] != "DELETE_COMPLETE"]}
        named = [one for one in there if StackName in (one["StackId"], one["StackName"])]
        if not named or (StackName != ARN and named[0]["StackStatus"] == "DELETE_COMPLETE"):
            raise gone("ValidationError", f"Stack with id {StackName} does not exist")
        return {"Stacks": named[:1]}

    def cloudformation_list_stacks(self) -> dict[str, Any]:
        return {"StackSummaries": [self.stack, *self.others]}

    def cloudformation_list_stack_resources(self, StackName: str) -> dict[str, Any]:
        kinds = {"Table": "AWS::DynamoDB::Table", "Thing": "AWS::Some::Thing"}
        return {
            "StackResourceSummaries": [
                {"LogicalResourceId": name, "PhysicalResourceId": f"tiffin-{name}", "ResourceType": kind}
                | ({"ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": "not empty"} if name == "Thing" else {})
                | ({"ResourceStatus": "DELETE_SKIPPED"} if name == "Table" else {})
                for name, kind in kinds.items()
            ]
        }

    def cloudformation_get_template(self, **_: Any) -> dict[str, Any]:
        return {"TemplateBody": json.dumps(TEMPLATE)}

    def cloudformation_delete_stack(self, StackName: str) -> None:
        self.done.append("stack")
        self.stack["StackStatus"] = self.after

    # What it leaves.

    def dynamodb_describe_table(self, TableName: str) -> dict[str, Any]:
        if TableName not in self.tables:
            raise gone("ResourceNotFoundException")
        return {"Table": {"TableStatus": "ACTIVE", "DeletionProtectionEnabled": self.tables[TableName]}}

    def dynamodb_update_table(self, TableName: str, DeletionProtectionEnabled: bool) -> None:
        self.tables[TableName] = DeletionProtectionEnabled

    def dynamodb_get_waiter(self, _: str) -> Any:
        class Waiter:
            def wait(self, **_: Any) -> None:
                """It is there."""

        return Waiter()

    def dynamodb_delete_table(self, TableName: str) -> None:
        if self.tables[TableName]:
            raise gone("ValidationException", "protected")
        del self.tables[TableName]
        self.done.append("table")

    def secretsmanager_describe_secret(self, SecretId: str) -> dict[str, Any]:
        if SecretId not in self.secrets:
            raise gone("ResourceNotFoundException")
        return {"Name": SecretId}

    def secretsmanager_delete_secret(self, SecretId: str, RecoveryWindowInDays: int) -> None:
        self.secrets.discard(SecretId)
        self.done.append(f"secret in {RecoveryWindowInDays} days")


def parameters(**given: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


STRIPE = parameters(PaymentProvider="stripe", StripeSecretName="tiffin/stripe")


def deleted(account: Account, name: str = "tiffin") -> list[str]:
    return list(Undeployed(account, name).delete(sleep=lambda _: None))


def test_the_stack_goes_first_and_then_what_it_left() -> None:
    account = Account()
    assert deleted(account) == [
        "stack tiffin: deletion asked for", "stack tiffin: deleted", "table tiffin-Table: deleted",
    ]  # fmt: skip
    assert account.done == ["stack", "table"]


def test_what_an_earlier_deletion_left_is_deleted_without_a_stack() -> None:
    account = Account(StackStatus="DELETE_COMPLETE")
    assert Undeployed(account, "tiffin").status() is None
    assert deleted(account) == ["table tiffin-Table: deleted"]
    assert deleted(account) == []


def test_a_stack_that_is_protected_from_termination_stays_whole() -> None:
    account = Account(EnableTerminationProtection=True)
    with pytest.raises(CannotUndeploy, match="update-termination-protection"):
        deleted(account)
    assert (account.done, list(account.tables)) == ([], ["tiffin-Table"])


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_a_stack_in_the_middle_of_something_stays_whole(status: str) -> None:
    account = Account(StackStatus=status)
    with pytest.raises(CannotUndeploy, match="Nothing was deleted"):
        deleted(account)
    assert account.done == []


def test_an_application_nested_in_a_stack_is_refused() -> None:
    account = Account(RootId="arn:aws:cloudformation:eu-central-1:123456789012:stack/root/1")
    with pytest.raises(CannotUndeploy, match="part of another stack"):
        deleted(account)


def test_what_keeps_the_stack_from_being_deleted_is_told_and_its_tables_stay() -> None:
    account = Account()
    account.after = "DELETE_FAILED"
    with pytest.raises(CannotUndeploy, match="Thing: not empty"):
        deleted(account)
    assert list(account.tables) == ["tiffin-Table"]


def test_what_it_does_not_know_how_to_delete_is_named() -> None:
    removed, stays = Undeployed(Account(), "tiffin").left()
    assert [one.name for one in removed] == ["tiffin-Table"]
    assert stays == [Left("AWS::Some::Thing", "tiffin-Thing", "delete it by hand")]


def test_the_secret_goes_with_the_last_stack_that_reads_it() -> None:
    account = Account(Parameters=STRIPE)
    assert "secret tiffin/stripe: goes in 7 days" in deleted(account)
    assert account.done == ["stack", "table", "secret in 7 days"]


def test_a_secret_that_another_stack_reads_stays() -> None:
    other = {"StackName": "tiffin-prod", "StackId": "arn:2", "StackStatus": "CREATE_COMPLETE", "Parameters": STRIPE}
    account = Account(other, Parameters=STRIPE)
    deleted(account)
    assert account.secrets == {"tiffin/stripe"}


def test_a_sandbox_s_secret_is_nobody_s_business() -> None:
    account = Account(Parameters=parameters(PaymentProvider="sandbox", StripeSecretName="tiffin/stripe"))
    deleted(account)
    assert account.secrets == {"tiffin/stripe"}
