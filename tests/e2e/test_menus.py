"""A menu is a file: it takes effect whole, or gets a report, and orders know by which they were priced."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from laptop import Stack, menus
from laptop.client import Client
from laptop.pace import patience
from operations import dead_letters
from operations.deployed import Deployed
from worlds.menus import a_file, a_menu, created, dishes
from worlds.polling import eventually

pytestmark = pytest.mark.laptop("fault")

Put = Callable[..., str]


@pytest.fixture
def restaurant() -> str:
    return f"r-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def put(stack: Stack, tmp_path: Path, restaurant: str) -> Put:
    """Put a menu of the restaurant's into the bucket, and wait until it has taken effect; its version."""

    def put(**changes: Any) -> str:
        path = tmp_path / f"{restaurant}.json"
        path.write_bytes(a_file(a_menu(restaurant_id=restaurant, **changes)))
        return menus.put(stack, path).version

    return put


def shown(stack: Stack, restaurant: str) -> tuple[str, set[int], int]:
    """The version that a customer is shown, the prices on it, and how many dishes."""
    url = f"{stack.outputs['ApiUrl']}/restaurants/{restaurant}/menu"
    menu = httpx.get(url, trust_env=False, timeout=patience(30)).json()
    return menu["version"], {dish["price"] for dish in menu["dishes"]}, len(menu["dishes"])


def test_a_customer_sees_the_old_menu_or_the_new_one(stack: Stack, restaurant: str, put: Put) -> None:
    old = put(dishes=dishes(200, 900))
    seen: list[tuple[str, set[int], int]] = []
    over = threading.Event()

    def comes(version: str) -> None:
        eventually(lambda: seen and seen[-1][0] == version, what="a look at the menu")

    def look() -> None:
        while not over.is_set():
            seen.append(shown(stack, restaurant))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        comes(old)
        for price, count in ((1000, 150), (900, 200), (1000, 150)):
            version = put(dishes=dishes(count, price))
            comes(version)
    finally:
        over.set()
        looking.join()
    whole = {(900, 200): old, (1000, 150): version}
    assert {(*prices, count): version for version, prices, count in seen} == whole
    assert {len(prices) for _, prices, _ in seen} == {1}


def test_of_many_that_come_at_once_the_last_is_in_effect_and_an_older_event_takes_nothing_back(
    stack: Stack, restaurant: str
) -> None:
    s3, bucket, key = stack.client("s3"), stack.outputs["MenusBucketName"], f"{restaurant}.json"
    files = [a_file(a_menu(900 + number, restaurant_id=restaurant)) for number in range(6)]
    versions = [s3.put_object(Bucket=bucket, Key=key, Body=file)["VersionId"] for file in files]

    def row() -> dict[str, Any]:
        found: dict[str, Any] = stack.client("dynamodb").get_item(
            TableName=stack.outputs["MenusTableName"], Key={"restaurant_id": {"S": restaurant}}, ConsistentRead=True
        )
        return dict(found.get("Item", {}))

    eventually(lambda: row().get("file_version", {}).get("S") == versions[-1], what="the last menu")
    before = row()
    for number, version in enumerate(versions):
        # As EventBridge may, once more and late: with sequencers below that of the last one, or the same.
        order = before["file_order"]["S"] if version == versions[-1] else f"{number:018x}"
        event = created(key, version, len(files[number]), order)
        answer = stack.client("lambda").invoke(
            FunctionName=stack.outputs["MenusFunctionArn"], Payload=json.dumps(event).encode()
        )
        assert "FunctionError" not in answer
    assert row() == before


class TestBroken:
    """Nothing of it is on an order's way: orders go on, by the menu of before."""

    @pytest.fixture
    def deployed(self, stack: Stack) -> Deployed:
        return Deployed(stack.client, stack.outputs)

    @pytest.fixture
    def forbid(self, stack: Stack) -> Iterator[Callable[[bool], None]]:
        """Whether the function is forbidden to write menus, as after a permission that somebody took away."""
        functions, iam = stack.client("lambda"), stack.client("iam")
        role = functions.get_function_configuration(FunctionName=stack.outputs["MenusFunctionArn"])["Role"]
        deny = {"Effect": "Deny", "Action": "dynamodb:PutItem", "Resource": "*"}
        policy = {
            "RoleName": role.rpartition("/")[2],
            "PolicyName": "forbidden",
        }

        def forbid(forbidden: bool) -> None:
            if forbidden:
                iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
            else:
                iam.delete_role_policy(**policy)

        yield forbid
        with suppress(iam.exceptions.NoSuchEntityException):
            forbid(False)

    def letter(self, deployed: Deployed, key: str) -> dead_letters.Letter:
        def find() -> dead_letters.Letter | None:
            return next((one for one in dead_letters.redrive(deployed, "menus") if one.order_id == key), None)

        return eventually(find, 60, "becoming a dead letter")

    def test_a_permission_that_is_gone_keeps_the_file_and_a_redrive_takes_it_in(
        self,
        stack: Stack,
        deployed: Deployed,
        client: Client,
        customer: str,
        restaurant: str,
        put: Put,
        forbid: Callable[[bool], None],
    ) -> None:
        old = put()
        forbid(True)
        key = f"{restaurant}.json"
        dearer = a_file(a_menu(1500, restaurant_id=restaurant))
        stack.client("s3").put_object(Bucket=stack.outputs["MenusBucketName"], Key=key, Body=dearer)
        letter = self.letter(deployed, key)
        assert (letter.name, letter.reason.partition(":")[0]) == ("Object Created", "AccessDeniedException")
        assert shown(stack, restaurant) == (old, {950}, 1)
        order = client.place(customer=customer, restaurant_id=restaurant, lines={"margherita": 1})
        assert client.order(order["order_id"])["menu_version"] == old

        forbid(False)
        dead_letters.redrive(deployed, "menus", letter.message_id, send=True)
        eventually(lambda: shown(stack, restaurant)[1] == {1500}, what="the new menu")
        assert key not in [left.order_id for left in dead_letters.redrive(deployed, "menus")]

    def test_a_rule_that_may_not_call_keeps_the_file_and_a_redrive_takes_it_in(
        self, stack: Stack, deployed: Deployed, restaurant: str, put: Put
    ) -> None:
        put()
        functions, name = stack.client("lambda"), stack.outputs["MenusFunctionArn"]
        [allowed] = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
        functions.remove_permission(FunctionName=name, StatementId=allowed["Sid"])
        key = f"{restaurant}.json"
        dearer = a_file(a_menu(1500, restaurant_id=restaurant))
        try:
            stack.client("s3").put_object(Bucket=stack.outputs["MenusBucketName"], Key=key, Body=dearer)
            letter = self.letter(deployed, key)
            assert letter.reason.startswith("not delivered: NO_PERMISSIONS")
        finally:
            functions.add_permission(
                FunctionName=name,
                StatementId=allowed["Sid"],
                Action=allowed["Action"],
                Principal=allowed["Principal"]["Service"],
                SourceArn=next(iter(allowed["Condition"]["ArnLike"].values())),
            )
        dead_letters.redrive(deployed, "menus", letter.message_id, send=True)
        eventually(lambda: shown(stack, restaurant)[1] == {1500}, what="the new menu")
        assert put(dishes=dishes(1, 1600)) == shown(stack, restaurant)[0]
