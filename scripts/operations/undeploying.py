"""A stack and all that its deletion leaves behind: listed, deleted, and looked for again.

CloudFormation deletes a stack's resources, except those whose template says `DeletionPolicy: Retain` (here the tables
of orders, money and codes, the user pool, the bucket of models), and it does not know what came to be besides: former
versions of layers, log groups that a service made by itself, the secret that a person made. It remembers a deleted
stack's resources for 90 days (CloudFormation API reference, `ListStacks`), so that what an earlier deletion left is
found, too.

What other stacks of the account use stays, and is named: SAM's bucket of artifacts, the role by which API Gateway logs.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from botocore.exceptions import ClientError
from laptop.pace import patience

from .deployed import Clients

RECOVERY_DAYS = 7
"""Days for which a secret can still be got back; Secrets Manager takes 7 to 30."""
_RETAINED = {"Retain", "RetainExceptOnCreate"}
# They are gone with what they are a version of.
_GO_WITH_ANOTHER = {"AWS::Lambda::Version", "AWS::StepFunctions::StateMachineVersion", "AWS::ApiGateway::Deployment"}
# One for the account and region, whichever stack made it.
_THE_ACCOUNTS = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}
_WAIT_SECONDS = 3600
_ASK_SECONDS = 2
_BATCH = 1000


class CannotUndeploy(Exception):
    """It is not possible, with what to do about it. What was deleted until then is deleted."""


class Left(NamedTuple):
    """One thing that outlives the stack.

    Attributes:
        kind: what it is, for a person: `table`, `user pool`, `bucket`, `layer version`, `log group`, `secret`.
        name: by which AWS knows it.
        note: what is in it, or why it stays.
    """

    kind: str
    name: str
    note: str = ""


class _Owned(NamedTuple):
    """A resource of a stack of that name, there now or before.

    Attributes:
        kind: CloudFormation's type.
        name: its physical id.
        retained: whether its deletion policy lets it outlive the stack.
    """

    kind: str
    name: str
    retained: bool


@dataclass(frozen=True)
class Undeployed:
    """A stack by its name, as it is and as it was.

    Attributes:
        client: makes boto3 clients.
        name: the root stack's.
    """

    client: Clients
    name: str

    def status(self) -> str | None:
        """CloudFormation's word for how the stack is; None if there is none.

        Raises:
            CannotUndeploy: the name is that of an application nested in another stack.
            ClientError, BotoCoreError: AWS does not answer, or not this caller.
        """
        try:
            (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        if root := stack.get("RootId"):
            raise CannotUndeploy(f"{self.name} is part of another stack: undeploy that, {root}")
        return str(stack["StackStatus"])

    def left(self) -> tuple[list[Left], list[Left]]:
        """What a deletion leaves behind, or has left: what is removed then, and what stays as others may use it.

        Raises:
            CannotUndeploy, ClientError, BotoCoreError: as for `status`.
        """
        owned = list(self._owned())
        removed = [*self._retained(owned), *self._layers(owned), *self._log_groups(owned), *self._secret()]
        return list(dict.fromkeys(removed)), list(dict.fromkeys(self._stays(owned)))

    def delete(self, sleep: Callable[[float], object] = time.sleep) -> Iterator[str]:
        """Delete the stack, then what it leaves behind. May be interrupted and begun again.

        Args:
            sleep: waits between two looks at the stack.

        Yields:
            What was done.

        Raises:
            CannotUndeploy: CloudFormation cannot delete the stack, with its reasons; or something is still there.
            ClientError, BotoCoreError: AWS does not answer, or not this caller.
        """
        status = self.status()
        if status:
            self._may_be_deleted()
        owned = list(self._owned())
        left, _ = self.left()
        # CloudFormation deletes no bucket that has something in it, former versions included.
        for bucket in [
            one.name for one in owned if one.kind == "AWS::S3::Bucket" and self._is_there("bucket", one.name)
        ]:
            if count := self._empty(bucket):
                yield f"bucket {bucket}: {count} objects and versions deleted"
        if status:
            yield from self._delete_stack(sleep)
        # A function's last lines may come late: what is there now is looked for once more.
        for one in dict.fromkeys([*left, *self._log_groups(owned)]):
            if self._is_there(one.kind, one.name):
                yield f"{one.kind} {one.name}: {self._remove(one)}"
        if still := [f"{one.kind} {one.name}" for one in left if self._is_there(one.kind, one.name)]:
            raise CannotUndeploy(f"Still there: {', '.join(still)}. Run it again in a minute.")

    # The stack.

    def _stacks(self) -> Iterator[str]:
        """The stack by its id, and those of the same name that were deleted."""
        cloudformation = self.client("cloudformation")
        for page in cloudformation.get_paginator("list_stacks").paginate():
            for stack in page["StackSummaries"]:
                if stack["StackName"] == self.name and "RootId" not in stack:
                    yield stack["StackId"]

    def _owned(self) -> Iterator[_Owned]:
        for stack in self._stacks():
            yield from self._of(stack)

    def _of(self, stack: str) -> Iterator[_Owned]:
        cloudformation = self.client("cloudformation")
        try:
            pages = list(cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack))
            body = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
        except ClientError as error:
            # A nested stack that is no longer remembered, or one whose creation never began.
            if "does not exist" in str(error):
                return
            raise
        template = json.loads(body) if isinstance(body, str) else body
        for listed in (listed for page in pages for listed in page["StackResourceSummaries"]):
            name = listed.get("PhysicalResourceId", "")
            if listed["ResourceType"] == "AWS::CloudFormation::Stack" and name:
                yield from self._of(name)
            elif name:
                policy = template["Resources"].get(listed["LogicalResourceId"], {}).get("DeletionPolicy")
                yield _Owned(listed["ResourceType"], name, policy in _RETAINED)

    def _may_be_deleted(self) -> None:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        if stack.get("EnableTerminationProtection"):
            raise CannotUndeploy(
                f"{self.name} is protected from termination. Nothing was deleted. To end that: aws cloudformation "
                f"update-termination-protection --no-enable-termination-protection --stack-name {self.name}"
            )
        if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] not in _DELETABLE:
            raise CannotUndeploy(
                f"{self.name} is {stack['StackStatus']}. Nothing was deleted; try again when it has ended."
            )

    def _delete_stack(self, sleep: Callable[[float], object]) -> Iterator[str]:
        cloudformation = self.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        arn, ends = stack["StackId"], time.monotonic() + patience(_WAIT_SECONDS)
        cloudformation.delete_stack(StackName=arn)
        yield f"stack {self.name}: deletion asked for"
        while True:
            try:
                (stack,) = cloudformation.describe_stacks(StackName=arn)["Stacks"]
            except ClientError as error:
                if "does not exist" in str(error):
                    break
                raise
            if stack["StackStatus"] == "DELETE_COMPLETE":
                break
            if stack["StackStatus"] == "DELETE_FAILED" or time.monotonic() > ends:
                raise CannotUndeploy(f"{self.name} is {stack['StackStatus']}: {'; '.join(self._reasons(arn))}")
            sleep(_ASK_SECONDS)
        yield f"stack {self.name}: deleted"

    def _reasons(self, stack: str) -> Iterator[str]:
        for page in self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
            for listed in page["StackResourceSummaries"]:
                if listed["ResourceStatus"] == "DELETE_FAILED":
                    yield f"{listed['LogicalResourceId']}: {listed.get('ResourceStatusReason', 'no reason given')}"

    # What it leaves behind.

    def _retained(self, owned: list[_Owned]) -> Iterator[Left]:
        for one in owned:
            if one.retained and (kind := _KINDS.get(one.kind)) and self._is_there(kind, one.name):
                yield Left(kind, one.name, self._note(kind, one.name))

    def _layers(self, owned: list[_Owned]) -> Iterator[Left]:
        """Every version of each layer: an update makes a new one, and keeps those before."""
        functions = self.client("lambda")
        layers = {one.name.rpartition(":")[0] for one in owned if one.kind == "AWS::Lambda::LayerVersion"}
        for layer in sorted(layers - {""}):
            name = layer.rpartition(":")[2]
            for page in functions.get_paginator("list_layer_versions").paginate(LayerName=name):
                for version in page["LayerVersions"]:
                    yield Left("layer version", f"{name}:{version['Version']}")

    def _log_groups(self, owned: list[_Owned]) -> Iterator[Left]:
        """Groups that a service makes again by itself after they were deleted, or made beside the template's."""
        logs = self.client("logs")
        made = {one.name for one in owned if one.kind == "AWS::Logs::LogGroup"}
        prefixes = {f"/aws/lambda/{one.name}" for one in owned if one.kind == "AWS::Lambda::Function"}
        prefixes |= {
            f"API-Gateway-Execution-Logs_{one.name}/" for one in owned if one.kind == "AWS::ApiGateway::RestApi"
        }
        there = self.status() is not None
        for prefix in sorted(prefixes if there else prefixes | made):
            for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
                for group in page["logGroups"]:
                    exactly = prefix.endswith("/") or group["logGroupName"] == prefix
                    if exactly and not (there and group["logGroupName"] in made):
                        yield Left("log group", group["logGroupName"])

    def _secret(self) -> Iterator[Left]:
        """Stripe's key, which a person put there: unless another stack reads the same one."""
        name, others = None, set()
        for page in self.client("cloudformation").get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                given = {
                    parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", [])
                }
                if given.get("PaymentProvider") == "stripe" and "RootId" not in stack:
                    if stack["StackName"] == self.name:
                        name = given.get("StripeSecretName")
                    else:
                        others.add(given.get("StripeSecretName"))
        if name and name not in others and self._is_there("secret", name):
            yield Left("secret", name, f"can be got back for {RECOVERY_DAYS} days")

    def _stays(self, owned: list[_Owned]) -> Iterator[Left]:
        for one in owned:
            if one.retained and one.kind in _THE_ACCOUNTS:
                yield Left(one.kind, one.name, "API Gateway logs by it, for every stack of the account and region")
            elif one.retained and one.kind not in _KINDS and one.kind not in _GO_WITH_ANOTHER:
                yield Left(one.kind, one.name, "delete it by hand")
        try:
            described = self.client("cloudformation").describe_stacks(StackName="aws-sam-cli-managed-default")
        except ClientError:
            return
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0].get("Outputs", [])}
        if bucket := outputs.get("SourceBucket"):
            yield Left("bucket", bucket, "SAM's, of packages of all stacks that it deploys")

    # Things by their kind.

    def _note(self, kind: str, name: str) -> str:
        if kind == "table":
            table = self.client("dynamodb").describe_table(TableName=name)["Table"]
            protected = ", protected from deletion until then" if table.get("DeletionProtectionEnabled") else ""
            return f"about {table.get('ItemCount', 0)} rows{protected}"
        if kind == "user pool":
            pool = self.client("cognito-idp").describe_user_pool(UserPoolId=name)["UserPool"]
            protected = ", protected from deletion until then" if pool.get("DeletionProtection") == "ACTIVE" else ""
            return f"about {pool.get('EstimatedNumberOfUsers', 0)} accounts{protected}"
        return "with every version of every object" if kind == "bucket" else ""

    def _is_there(self, kind: str, name: str) -> bool:
        try:
            match kind:
                case "table":
                    described = self.client("dynamodb").describe_table(TableName=name)
                    return bool(described["Table"]["TableStatus"] != "DELETING")
                case "user pool":
                    self.client("cognito-idp").describe_user_pool(UserPoolId=name)
                case "bucket":
                    self.client("s3").head_bucket(Bucket=name)
                case "layer version":
                    layer, version = name.rsplit(":", 1)
                    self.client("lambda").get_layer_version(LayerName=layer, VersionNumber=int(version))
                case "log group":
                    groups = self.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
                    return any(group["logGroupName"] == name for group in groups)
                case "secret":
                    return "DeletedDate" not in self.client("secretsmanager").describe_secret(SecretId=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return False
            raise
        return True

    def _remove(self, one: Left) -> str:
        match one.kind:
            case "table":
                tables = self.client("dynamodb")
                if tables.describe_table(TableName=one.name)["Table"].get("DeletionProtectionEnabled"):
                    tables.update_table(TableName=one.name, DeletionProtectionEnabled=False)
                    tables.get_waiter("table_exists").wait(TableName=one.name)
                tables.delete_table(TableName=one.name)
            case "user pool":
                self._remove_pool(one.name)
            case "bucket":
                self._empty(one.name)
                self.client("s3").delete_bucket(Bucket=one.name)
            case "layer version":
                layer, version = one.name.rsplit(":", 1)
                self.client("lambda").delete_layer_version(LayerName=layer, VersionNumber=int(version))
            case "log group":
                self.client("logs").delete_log_group(logGroupName=one.name)
            case "secret":
                self.client("secretsmanager").delete_secret(SecretId=one.name, RecoveryWindowInDays=RECOVERY_DAYS)
                return f"goes in {RECOVERY_DAYS} days"
        return "deleted"

    def _remove_pool(self, pool: str) -> None:
        pools = self.client("cognito-idp")
        described = pools.describe_user_pool(UserPoolId=pool)["UserPool"]
        if domain := described.get("Domain"):
            pools.delete_user_pool_domain(UserPoolId=pool, Domain=domain)
        if described.get("DeletionProtection") == "ACTIVE":
            # UpdateUserPool sets all that it is not told back to its default: of no matter any more.
            pools.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
        pools.delete_user_pool(UserPoolId=pool)

    def _empty(self, bucket: str) -> int:
        s3, count = self.client("s3"), 0
        for page in s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": _BATCH}
        ):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
                if errors := answer.get("Errors"):
                    raise CannotUndeploy(f"{bucket}: {errors[0]['Key']} cannot be deleted: {errors[0].get('Message')}")
                count += len(found)
        return count


_KINDS = {
    "AWS::DynamoDB::Table": "table",
    "AWS::Cognito::UserPool": "user pool",
    "AWS::S3::Bucket": "bucket",
    "AWS::Logs::LogGroup": "log group",
    "AWS::Lambda::LayerVersion": "",
}
"""What a deletion may leave, by CloudFormation's type. Layers are listed by themselves, with their former versions."""
_DELETABLE = {"REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"}
_GONE = {"ResourceNotFoundException", "404", "NoSuchBucket", "NotFound"}
