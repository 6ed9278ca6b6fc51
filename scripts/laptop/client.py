"""Tiffin as its clients see it: the REST calls of the customer, the restaurant, the courier and support."""

import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
from orders.model import ENDS

from . import pace
from .environment import trusted
from .people import RESTAURANT, Person, SignsIn, answering_for

COURIER, SUPPORT = "carl", "sue"


class _Placed(NamedTuple):
    """Whose an order is.

    Attributes:
        customer: who placed it, by name.
        restaurant_id: who answers it.
    """

    customer: str
    restaurant_id: str


class Refused(Exception):
    """The API answered with a problem document.

    Attributes:
        status: the HTTP status.
        problem: the document (RFC 9457).
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('type', '')}: {problem.get('detail') or problem}")
        self.status, self.problem = status, problem


class NotThere(Exception):
    """The order did not come to the awaited status in time."""

    def __init__(self, order: dict[str, Any], awaited: tuple[str, ...], seconds: float) -> None:
        super().__init__(
            f"{order['order_id']} is {order['status']} after {seconds:g} s, awaited was {' or '.join(awaited)}"
        )
        self.order = order


class Client:
    """Calls the REST APIs, each route as somebody whose it is: the customer, the restaurant, the courier or support.

    Args:
        outputs: the stack's outputs; `ApiUrl` and, where they are, `PromotionsApiUrl`, `SupportApiUrl` and
            `EstimatesApiUrl` are read.
        people: who sign in.
        restaurant: whose orders are placed, unless another is said.
        pause: seconds between two looks at an order that is waited for, at most; the first follow sooner.
        timeout: seconds for one call, on a quiet machine.
        look: called with every answer, and its body read.
        transport: what carries requests, instead of the network.
    """

    def __init__(
        self,
        outputs: Mapping[str, str],
        people: SignsIn,
        restaurant: str = RESTAURANT,
        pause: float = 0.1,
        timeout: float = 30.0,
        look: Callable[[httpx.Response], None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        hooks: Any = {"response": [httpx.Response.read, look] if look else []}
        self._restaurant, self._pause, self._timeout = restaurant, pause, timeout
        self._http = httpx.Client(
            verify=trusted(), limits=httpx.Limits(max_connections=64), event_hooks=hooks, transport=transport
        )
        self._orders, self._promotions = outputs["ApiUrl"], outputs.get("PromotionsApiUrl", "")
        self._support = outputs.get("SupportApiUrl", "")
        self._estimates = outputs.get("EstimatesApiUrl", "")
        self.people = people
        self._placed: dict[str, _Placed] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def quote(self, customer: str = "ada", lines: Mapping[str, int] | None = None, **more: Any) -> dict[str, Any]:
        """What an order of this client's restaurant would cost.

        Args:
            customer: who asks, by name.
            lines: quantities by dish.
            more: further fields of the body.

        Raises:
            Refused: with the problem.
        """
        body = {"restaurant_id": self._restaurant, "lines": _lines(lines)} | more
        return self._ask("POST", f"{self._orders}/quotes", customer, json=body)

    def place(
        self,
        *,
        customer: str = "ada",
        payment_method: str = "pm_card_visa",
        restaurant_id: str | None = None,
        lines: Mapping[str, int] | None = None,
        key: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Place an order.

        Args:
            customer: who orders, by name.
            payment_method: the sandbox answers by this name.
            restaurant_id: from whom; by default this client's own.
            lines: quantities by dish.
            key: the idempotency key; a new one by default.
            more: further fields of the body.

        Returns:
            The order.

        Raises:
            Refused: with the problem.
        """
        restaurant_id = restaurant_id or self._restaurant
        body = {
            "restaurant_id": restaurant_id,
            "lines": _lines(lines),
            "payment_method": payment_method,
            "delivery": {"name": "Ada Lovelace", "address": "12 St James's Square"},
        } | more
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        order = self._ask("POST", f"{self._orders}/orders", customer, json=body, headers=headers)
        self.knows(order["order_id"], customer, restaurant_id)
        return order

    def knows(self, order_id: str, customer: str, restaurant_id: str | None = None) -> None:
        """Say whose an order is that this client did not place, or got no answer for."""
        self._placed[order_id] = _Placed(customer, restaurant_id or self._restaurant)

    def move(
        self, order_id: str, move: str, body: dict[str, Any] | None = None, by: Person | str | None = None
    ) -> dict[str, Any]:
        """Make a move: accept, reject, cancel, dispatch or deliver.

        Args:
            order_id: the order.
            move: which.
            body: of the request.
            by: whose move it is; by default, of the person whose it should be.
        """
        return self._ask(
            "POST", f"{self._orders}/orders/{order_id}/{move}", by or self._whose(order_id, move), json=body
        )

    def order(self, order_id: str, by: Person | str | None = None) -> dict[str, Any]:
        """Where an order is, and why.

        Args:
            order_id: the order.
            by: who asks; by default its customer, if this client knows who that is, and else support.
        """
        return self._ask("GET", f"{self._orders}/orders/{order_id}", by or self._reader(order_id))

    def orders(self, customer: str) -> list[dict[str, Any]]:
        """A customer's newest orders."""
        return list(self._ask("GET", f"{self._orders}/orders", customer)["orders"])

    def work(self, of: str, **query: str) -> list[dict[str, Any]]:
        """What a role has to do, one page of it.

        Args:
            of: kitchen, courier or support.
            query: `which` of a courier, `status` for support.
        """
        people: dict[str, Person | str] = {
            "kitchen": answering_for(self._restaurant),
            "courier": COURIER,
            "support": SUPPORT,
        }
        return list(self._ask("GET", f"{self._orders}/{of}/orders", people[of], params=query)["orders"])

    def restaurants(self) -> list[dict[str, Any]]:
        """The restaurants."""
        return list(self._ask("GET", f"{self._orders}/restaurants", None)["restaurants"])

    def menu(self, restaurant_id: str) -> dict[str, Any]:
        """A restaurant with its dishes."""
        return self._ask("GET", f"{self._orders}/restaurants/{restaurant_id}/menu", None)

    def promo_codes(self, customer: str) -> list[dict[str, Any]]:
        """A customer's promo codes."""
        return list(self._ask("GET", f"{self._promotions}/promo-codes", customer)["promo_codes"])

    def story(self, order_id: str, by: Person | str = SUPPORT) -> dict[str, Any]:
        """Where an order is, what happened to it, and why.

        Args:
            order_id: the order.
            by: who asks.
        """
        return self._ask("GET", f"{self._support}/orders/{order_id}", by)

    def definitions(self) -> list[dict[str, Any]]:
        """The workflows as they are deployed, each with its `kind` and `definition`."""
        return list(self._ask("GET", f"{self._support}/definitions", SUPPORT)["workflows"])

    def estimate(self, order_id: str, by: Person | str | None = None) -> dict[str, Any] | None:
        """When an order is likely to arrive; None if nobody knows. For a stack with estimates.

        Args:
            order_id: the order.
            by: who asks; by default as for `order`.
        """
        try:
            return self._ask("GET", f"{self._estimates}/orders/{order_id}/estimate", by or self._reader(order_id))
        except Refused as refused:
            if str(refused.problem.get("type", "")).endswith("/no-estimate"):
                return None
            raise

    def until(self, order_id: str, *statuses: str, seconds: float = 30.0, besides: float = 0.0) -> dict[str, Any]:
        """Ask until the order is in one of the statuses.

        Args:
            order_id: the order.
            statuses: any of them will do.
            seconds: how long, on a quiet machine.
            besides: seconds that pass first by a clock, the same on every machine.

        Raises:
            NotThere: it is not in time, or ended otherwise.
        """
        deadline, often = pace.Deadline(seconds, besides), pace.pauses(self._pause)
        while True:
            order = self.order(order_id)
            if order["status"] in statuses:
                return order
            if order["status"] in ENDS or deadline.passed():
                raise NotThere(order, statuses, seconds)
            time.sleep(next(often))

    def deliver(self, order_id: str, seconds: float = 30.0) -> dict[str, Any]:
        """Take an order that was placed through every move to the customer's door, each within the seconds."""
        for status, move in (
            ("AWAITING_RESTAURANT", "accept"),
            ("PREPARING", "dispatch"),
            ("OUT_FOR_DELIVERY", "deliver"),
        ):
            self.until(order_id, status, seconds=seconds)
            self.move(order_id, move)
        return self.until(order_id, "DELIVERED", seconds=seconds)

    def _reader(self, order_id: str) -> str:
        """Whoever may read an order, and is known here."""
        placed = self._placed.get(order_id)
        return placed.customer if placed else SUPPORT

    def _whose(self, order_id: str, move: str) -> Person | str:
        """The person who makes a move."""
        if move in ("dispatch", "deliver"):
            return COURIER
        placed = self._placed.get(order_id)
        if move == "cancel":
            if placed is None:
                raise ValueError(f"{order_id} was not placed here: say who cancels it")
            return placed.customer
        restaurant_id = placed.restaurant_id if placed else self.order(order_id)["restaurant_id"]
        return answering_for(restaurant_id)

    def _ask(self, method: str, url: str, by: Person | str | None, **request: Any) -> dict[str, Any]:
        if by:
            request["headers"] = request.get("headers", {}) | {"Authorization": f"Bearer {self.people.token(by)}"}
        deadline = pace.Deadline(self._timeout)
        while True:
            response = self._http.request(method, url, timeout=pace.patience(self._timeout), **request)
            # API Gateway lets so many requests a second through, and says when to come again.
            wait = float(response.headers.get("Retry-After", 1))
            if not _throttled(response) or deadline.left() < wait:
                break
            time.sleep(wait)
        if response.is_success:
            return dict(response.json())
        try:
            problem = dict(response.json())
        except ValueError:
            problem = {"detail": response.text[:200]}
        raise Refused(response.status_code, problem)


def _lines(lines: Mapping[str, int] | None) -> list[dict[str, Any]]:
    """Quantities by dish, as a body has them."""
    return [{"dish_id": dish, "quantity": quantity} for dish, quantity in (lines or {"margherita": 2}).items()]


def _throttled(response: httpx.Response) -> bool:
    """Whether it was too many requests for the stack, not for a customer."""
    return response.status_code == HTTPStatus.TOO_MANY_REQUESTS and b"/problems/throttled" in response.content
