"""Whether a deployed stack does what it is for: one order delivered, one declined, one cancelled, and one promo code.

Small enough for a stack that customers use, and only where no card can really be charged.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from laptop.client import NotThere
from laptop.pace import Deadline, eventually

from .deployed import Deployed
from .visiting import FAILURES, PAUSE, Visit

MENU = {
    "name": "Smoke test, nothing to order here",
    "cuisine": "None",
    "city": "Nowhere",
    "address": "Nowhere 1",
    "currency": "EUR",
    "delivery_fee": 250,
    "dishes": [
        {
            "dish_id": "air",
            "name": "Air",
            "description": "What is left when nothing is cooked",
            "price": 2000,
            "category": "None",
            "vegetarian": True,
            "vegan": True,
            "allergens": [],
        }
    ],
}
"""Of the restaurant that the orders go to. A meal of it is worth any code's smallest order."""
DECLINED = "pm_card_chargeCustomerFail"
"""Declined by the sandbox, by Stripe in test mode and by its stand-in alike (docs.stripe.com/testing)."""
# For all steps, on a quiet machine; what is removed afterwards takes half a minute more at most times.
_SECONDS = 90.0
_TEST_KEYS = ("sk_test_", "rk_test_")

Say = Callable[[str], None]


class RealMoney(Exception):
    """Cards may be charged here, or nobody can know that they are not."""


class NotForTests(RealMoney):
    """It is a stack that people use, or one whose gateway's books cannot be read."""


class Unwell(Exception):
    """A step did not do what it must.

    Attributes:
        order_id: the order that it was about; None if there was none.
    """

    def __init__(self, step: str, why: str, order_id: str | None) -> None:
        super().__init__(f"{step}: {why}")
        self.order_id = order_id


def must_be_play_money(stack: Deployed) -> str:
    """See that no card is really charged.

    Args:
        stack: where.

    Returns:
        The payment provider.

    Raises:
        RealMoney: the provider's key is none of its test mode, or cannot be read.
    """
    try:
        function = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs["PaymentsFunctionArn"])
        variables = function.get("Environment", {}).get("Variables", {})
        provider = str(variables.get("PAYMENT_PROVIDER"))
        if provider == "sandbox":
            return provider
        if provider != "stripe":
            raise RealMoney(f"Who takes the money is called {provider}, and nobody here knows whether it is real.")
        name = variables["STRIPE_SECRET_NAME"]
        key = str(stack.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    except (ClientError, BotoCoreError, KeyError) as error:
        what = f"{type(error).__name__}: {error}"
        raise RealMoney(f"Whether cards are really charged here cannot be known: {what}") from error
    if not key.startswith(_TEST_KEYS):
        raise RealMoney(f"The key in the secret {name} is none of Stripe's test mode: orders would be paid for.")
    return provider


def must_be_for_tests(stack: Deployed) -> None:
    """See that a stack may have scores of orders, and that the sandbox has its money.

    Args:
        stack: where.

    Raises:
        NotForTests: it is not; `make smoke` is for every other.
    """
    if must_be_play_money(stack) != "sandbox":
        raise NotForTests(
            "The scenarios read the sandbox's books, and another has the money here: make smoke does not."
        )
    pool = stack.client("cognito-idp").describe_user_pool(UserPoolId=stack.outputs["UserPoolId"])["UserPool"]
    if pool.get("DeletionProtection") == "ACTIVE":
        raise NotForTests("Its users are protected from deletion, so people use this stack: make smoke is for it.")


def smoke(visit: Visit, say: Say) -> None:
    """Let four orders live, and see what comes of them.

    Args:
        visit: its people and its restaurant.
        say: takes a line for each step.

    Raises:
        Unwell: a step did not do what it must.
    """
    _Smoke(visit, say).run()


class _Smoke:
    """One run. Each customer has one or two orders: no limit of a customer's is near."""

    def __init__(self, visit: Visit, say: Say) -> None:
        self._visit, self._client, self._say = visit, visit.client, say
        self._deadline = Deadline(_SECONDS)
        self._order_id: str | None = None

    def run(self) -> None:
        with self._step("people"):
            for person in ("ada", "carl", self._visit.cook):
                self._client.people.token(person)
        with self._step("menu"):
            self._visit.serve(MENU)
        with self._step("delivered"):
            self._place("ada")
            for status, move in (
                ("AWAITING_RESTAURANT", "accept"),
                ("PREPARING", "dispatch"),
                ("OUT_FOR_DELIVERY", "deliver"),
            ):
                self._until(status)
                self._client.move(str(self._order_id), move)
            self._ends("DELIVERED", payment="CAPTURED")
        with self._step("declined"):
            self._place("alan", payment_method=DECLINED)
            self._ends("DECLINED", payment="DECLINED")
        with self._step("cancelled"):
            self._place("barbara")
            self._cancelled()
        with self._step("code"):
            self._code()

    def _code(self) -> None:
        """The first delivery earned one; an order takes it, is cancelled, and it is free again."""
        codes = self._eventually(lambda: self._client.promo_codes("ada"), "the promo code of the first delivery")
        code = str(codes[0]["code"])
        self._eventually(lambda: self._known(code), "orders hearing of the promo code")
        order = self._place("ada", promo_code=code)
        _must(order["discount"]["amount"] > 0, "the code took nothing off")
        _must("reserved_by" in (self._known(code) or {}), "the code is not reserved")
        self._cancelled()
        self._eventually(lambda: "reserved_by" not in (self._known(code) or {}), "the code coming back")

    def _known(self, code: str) -> dict[str, Any] | None:
        """What orders know of one of Ada's codes."""
        rows = self._visit.stack.client("dynamodb").query(
            TableName=self._visit.stack.outputs["PromoCodesTableName"],
            KeyConditionExpression="customer_id = :customer",
            ExpressionAttributeValues={":customer": {"S": self._client.people.subject("ada")}},
            ConsistentRead=True,
        )["Items"]
        return next((row for row in rows if {"S": code} in row.values()), None)

    def _place(self, customer: str, **more: Any) -> dict[str, Any]:
        order = self._client.place(customer=customer, lines={"air": 2}, **more)
        self._order_id = str(order["order_id"])
        return order

    def _cancelled(self) -> None:
        self._until("AWAITING_RESTAURANT")
        self._client.move(str(self._order_id), "cancel")
        self._ends("CANCELLED", payment="RELEASED")

    def _until(self, status: str) -> dict[str, Any]:
        return self._client.until(str(self._order_id), status, seconds=max(self._deadline.left(), 1.0))

    def _ends(self, status: str, payment: str) -> None:
        found = self._until(status)["payment"]["status"]
        _must(found == payment, f"the payment is {found}, and should be {payment}")

    def _eventually(self, probe: Callable[[], Any], what: str) -> Any:
        return eventually(probe, max(self._deadline.left(), 1.0), what, PAUSE)

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        began, self._order_id = time.monotonic(), None
        try:
            yield
        except (*FAILURES, NotThere, _Not) as failure:
            raise Unwell(what, str(failure) or type(failure).__name__, self._order_id) from failure
        about = f" {self._order_id}" if self._order_id else ""
        self._say(f"{what:<10} {time.monotonic() - began:5.1f} s{about}")


class _Not(Exception):
    """Something is not as it must be."""


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Not(otherwise)
