"""Entry point: the REST handlers. Parse, call the domain, answer; no rules in here."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin import problems
from tiffin.callers import Role
from tiffin.cards import where_card_numbers_stand
from tiffin.clients import client, once, table
from tiffin.discounts import CodeExpired, MinimumNotReached, OtherCurrency, TakesNothingOff
from tiffin.ids import CUSTOMER_ID
from tiffin.models import BaseModel
from tiffin.paging import page_start, page_token
from tiffin.problems import Problem
from tiffin.rest import answer, answers, caller, rest_api
from tiffin.telemetry import about_order, came_to, customer_hash, logger, metrics, trace_header, tracer

from orders.commands import Basket, PlaceOrder, RejectOrder
from orders.customers import CustomerStore
from orders.deliveries import DeliveryStore
from orders.limits import Limit, LimitReached, Limits
from orders.menus import MenuStore
from orders.model import (
    IllegalMove,
    MenuChanged,
    Move,
    Order,
    OrderNotPayable,
    OrderStatus,
    OrderTotalTooLarge,
    OrderTotalTooSmall,
    PromoCodeAlreadyUsed,
    Quote,
    Restaurant,
    RestaurantSummary,
    UnknownDish,
    UnknownPromoCode,
    UnknownRestaurant,
    order_id_for,
)
from orders.operations import Orders
from orders.promo_codes import PromoCodeStore
from orders.store import KeyReused, OrderStore, StoredOrder, UnknownOrder
from orders.views import (
    CourierOrder,
    CourierSummary,
    KitchenOrder,
    KitchenSummary,
    OrderSummary,
    OrderView,
    SupportSummary,
    view,
)
from orders.workflow import OrderWorkflow

# Whose each route is. What of it they may see or move is asked where it is read or claimed.
ACCESS = {
    "POST /quotes": frozenset({Role.CUSTOMER}),
    "POST /orders": frozenset({Role.CUSTOMER}),
    "GET /orders": frozenset({Role.CUSTOMER}),
    "GET /orders/{order_id}": frozenset(Role),
    "POST /orders/{order_id}/accept": frozenset({Role.RESTAURANT}),
    "POST /orders/{order_id}/reject": frozenset({Role.RESTAURANT}),
    "POST /orders/{order_id}/dispatch": frozenset({Role.COURIER}),
    "POST /orders/{order_id}/deliver": frozenset({Role.COURIER}),
    "POST /orders/{order_id}/cancel": frozenset({Role.CUSTOMER}),
    "GET /kitchen/orders": frozenset({Role.RESTAURANT}),
    "GET /courier/orders": frozenset({Role.COURIER}),
    "GET /support/orders": frozenset({Role.SUPPORT}),
    "GET /restaurants": None,
    "GET /restaurants/{restaurant_id}/menu": None,
}
app = rest_api("Tiffin orders", ACCESS)

OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="From the order.")]
RestaurantId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$", description="From the list of restaurants.")]
PageSize = Annotated[int, Query(ge=1, le=100, description="How many on a page.")]
PageToken = Annotated[str | None, Query(alias="next", max_length=2048, description="`next` of the page before.")]


def _answers(success: dict[HTTPStatus, str], refused: dict[HTTPStatus, list[str]]) -> dict[int, Any]:
    """See `tiffin.rest.answers`; a card number is refused before any route."""
    unfit = [*refused.get(HTTPStatus.UNPROCESSABLE_ENTITY, []), "card-number-refused"]
    return answers(success, refused | {HTTPStatus.UNPROCESSABLE_ENTITY: unfit})


# What routes answer, for the OpenAPI document. A new kind of refusal belongs here too, and into docs/api.md.
UNREADABLE = {HTTPStatus.INTERNAL_SERVER_ERROR: ["unreadable-record"]}
UNPRICED = [
    "unknown-restaurant",
    "unknown-dish",
    "unknown-promo-code",
    "promo-code-expired",
    "promo-code-minimum-not-met",
    "promo-code-not-applicable",
    "order-total-too-small",
    "order-total-too-large",
    "order-not-payable",
]
QUOTED = _answers(
    {HTTPStatus.OK: "What an order would cost now."},
    UNREADABLE
    | {
        HTTPStatus.CONFLICT: ["menu-changed", "promo-code-already-used"],
        HTTPStatus.UNPROCESSABLE_ENTITY: UNPRICED,
        HTTPStatus.TOO_MANY_REQUESTS: ["too-many-codes"],
    },
)
PLACED = _answers(
    {
        HTTPStatus.CREATED: "The order, placed.",
        HTTPStatus.OK: "The order that this very request placed before, as it is now.",
    },
    UNREADABLE
    | {
        HTTPStatus.CONFLICT: ["idempotency-key-reused", "menu-changed", "promo-code-already-used"],
        HTTPStatus.UNPROCESSABLE_ENTITY: UNPRICED,
        HTTPStatus.TOO_MANY_REQUESTS: [
            "too-many-open-orders",
            "too-many-orders",
            "too-many-declines",
            "too-many-codes",
            "too-many-at-once",
        ],
    },
)
MOVED = _answers(
    {HTTPStatus.ACCEPTED: "The move is made: the workflow takes the order on."},
    UNREADABLE | {HTTPStatus.NOT_FOUND: ["unknown-order"], HTTPStatus.CONFLICT: ["illegal-move"]},
)
AN_ORDER = _answers({HTTPStatus.OK: "The order."}, UNREADABLE | {HTTPStatus.NOT_FOUND: ["unknown-order"]})
A_MENU = _answers(
    {HTTPStatus.OK: "The restaurant and its menu."}, UNREADABLE | {HTTPStatus.NOT_FOUND: ["unknown-restaurant"]}
)
RESTAURANTS = _answers(
    {HTTPStatus.OK: "A page of restaurants."}, {HTTPStatus.UNPROCESSABLE_ENTITY: ["invalid-page-token"]}
)
ORDERS = _answers({HTTPStatus.OK: "A page of orders."}, {HTTPStatus.UNPROCESSABLE_ENTITY: ["invalid-page-token"]})
WORK = _answers(
    {HTTPStatus.OK: "A page of orders."},
    {
        HTTPStatus.UNPROCESSABLE_ENTITY: ["invalid-page-token"],
        HTTPStatus.SERVICE_UNAVAILABLE: ["list-not-made-yet"],
    },
)
EVERYBODY = ["Customer", "Restaurant", "Courier", "Support"]


class Step(IntEnum):
    """From which value of the template's `OrderIndexes` on an index is there."""

    RESTAURANTS_INDEX = 3
    STATUS_INDEX = 4


class _Page(BaseModel):
    """What pages of orders have in common.

    Attributes:
        next: asks for the following page.
        unreadable: how many orders of this page are left out, as their rows cannot be read.
    """

    next: str | None = None
    unreadable: int = 0


class OrderPage(_Page):
    """A page of a customer's orders, newest first; `next` asks for the following one."""

    orders: list[OrderSummary]


class KitchenPage(_Page):
    """A page of a restaurant's open orders, oldest first; `next` asks for the following one."""

    orders: list[KitchenSummary]


class CourierPage(_Page):
    """A page of what a courier may fetch or is on the road with, oldest first; `next` asks for the following one."""

    orders: list[CourierSummary]


class SupportPage(_Page):
    """A page of orders by status, or of one customer; `next` asks for the following one.

    Attributes:
        cut: whether more are open than this page of all open ones shows; each status has them by pages.
    """

    orders: list[SupportSummary]
    cut: bool = False


class Which(StrEnum):
    """Which orders a courier asks for."""

    READY = "ready"
    MINE = "mine"


class RestaurantPage(BaseModel):
    """A page of restaurants; `next` asks for the following one."""

    restaurants: list[RestaurantSummary]
    next: str | None = None


# What an order would cost, by the same rules and the same refusals as if it were placed.
@app.post("/quotes", summary="What an order would cost now", tags=["Customer"], responses=QUOTED)
def quote_order(basket: Annotated[Basket, Body()]) -> Quote:
    """Nothing is ordered or reserved; a wrong promo code counts as it does with an order."""
    quoted = orders().quote(basket, caller(app).subject, datetime.now(UTC))
    came_to("quoted")
    return quoted


# Placing an order: the price comes from the menu, the id from customer and key, and the workflow takes over from here.
# A request that is repeated, by an impatient thumb or a retrying client, finds the order that it made before.
@app.post("/orders", summary="Place an order", tags=["Customer"], responses=PLACED)
def place_order(
    request: Annotated[PlaceOrder, Body()],
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=128,
            pattern=r"^[\x21-\x7e]+$",
            description="A name of yours for this order: repeated, it is the same order.",
        ),
    ],
) -> Response[Order]:
    customer_id = caller(app).subject
    order_id = order_id_for(customer_id, idempotency_key)
    about_order(order_id, customer_id=customer_id)
    stored = orders().place(request, customer_id, order_id, datetime.now(UTC), trace_header())
    came_to("placed" if stored.new else "placed-before")
    logger.info("Order placed" if stored.new else "Order was placed before", restaurant_id=stored.order.restaurant_id)
    return Response(
        status_code=HTTPStatus.CREATED if stored.new else HTTPStatus.OK,
        content_type="application/json",
        # Relative, so right below any stage and any base path.
        headers={"Location": order_id if app.current_event.path.endswith("/") else f"orders/{order_id}"},
        body=stored.order,
    )


@app.get("/orders", summary="One's own orders, newest first", tags=["Customer"], responses=ORDERS)
def list_orders(limit: PageSize = 20, next_page: PageToken = None) -> OrderPage:
    customer_id = caller(app).subject
    start = page_start(next_page, OrderStore.OF_CUSTOMER, customer_id=customer_id)
    page = store().of_customer(customer_id, limit, start)
    return OrderPage(orders=page.orders, next=page_token(page.position), unreadable=page.unreadable)


@app.get("/orders/<order_id>", summary="Where an order is, and why", tags=EVERYBODY, responses=AN_ORDER)
def get_order(order_id: OrderId) -> OrderView:
    """What is shown of it depends on who asks."""
    stored = store().get_for(caller(app), order_id)
    if caller(app).role is Role.SUPPORT:
        _read_by_support(order_id=order_id)
    return _shown(stored)


# Lists of those whose work orders are. What is not theirs is not in them, and their tokens lead nowhere else.
@app.get("/kitchen/orders", summary="One's open orders, oldest first", tags=["Restaurant"], responses=WORK)
def list_kitchen_orders(limit: PageSize = 20, next_page: PageToken = None) -> KitchenPage:
    """From when they can be accepted until they are delivered."""
    _must_have(Step.RESTAURANTS_INDEX)
    restaurant_id = caller(app).restaurant_id or ""
    start = page_start(next_page, OrderStore.OF_RESTAURANT, restaurant_id=restaurant_id)
    page = store().of_restaurant(restaurant_id, datetime.now(UTC), limit, start)
    return KitchenPage(orders=page.orders, next=page_token(page.position), unreadable=page.unreadable)


@app.get("/courier/orders", summary="What can be fetched, or is on the road with one", tags=["Courier"], responses=WORK)
def list_courier_orders(
    which: Annotated[Which, Query(description="What nobody has taken yet, or what one is on the road with.")] = (
        Which.READY
    ),
    limit: PageSize = 20,
    next_page: PageToken = None,
) -> CourierPage:
    """Oldest first."""
    _must_have(Step.STATUS_INDEX)
    now = datetime.now(UTC)
    if which is Which.READY:
        start = page_start(next_page, OrderStore.BY_STATUS, status=OrderStatus.PREPARING)
        page = store().to_be_fetched(now, limit, start)
    else:
        start = page_start(next_page, OrderStore.BY_STATUS, status=OrderStatus.OUT_FOR_DELIVERY)
        page = store().on_the_road(caller(app).subject, now, limit, start)
    return CourierPage(orders=page.orders, next=page_token(page.position), unreadable=page.unreadable)


@app.get("/support/orders", summary="Orders by status and age, or of a customer", tags=["Support"], responses=WORK)
def list_support_orders(
    status: Annotated[
        OrderStatus | None, Query(description="One status; by default all open orders, or all of the customer.")
    ] = None,
    customer: Annotated[
        str | None, Query(pattern=CUSTOMER_ID, description="One customer, by `customer_id`: the newest first.")
    ] = None,
    limit: PageSize = 20,
    next_page: PageToken = None,
) -> SupportPage:
    """Open orders the oldest first, ended ones the newest.

    All open ones at once come on one page, without `next`; `cut` says that more are open than it shows.

    In a customer's list nobody is named as courier: the order itself says who brings it.
    """
    if customer is not None:
        start = page_start(next_page, OrderStore.OF_CUSTOMER, customer_id=customer)
        page = store().of_customer_for_support(customer, status, limit, start)
        _read_by_support(orders=status or "all", customer_hash=customer_hash(customer))
        return SupportPage(orders=page.orders, next=page_token(page.position), unreadable=page.unreadable)
    _must_have(Step.STATUS_INDEX)
    if status is None:
        page_start(next_page, {})  # of a list that has one page only, there are no tokens
        page = store().oldest_open(limit)
    else:
        page = store().in_status(status, limit, page_start(next_page, OrderStore.BY_STATUS, status=status))
    _read_by_support(orders=status or "all open ones")
    return SupportPage(orders=page.orders, next=page_token(page.position), unreadable=page.unreadable, cut=page.cut)


# Moves. Each is claimed in one conditional write, so that of all who race exactly one wins; only then is the workflow
# told.
@app.post("/orders/<order_id>/accept", summary="The restaurant accepts", tags=["Restaurant"], responses=MOVED)
def accept(order_id: OrderId) -> Response[KitchenOrder]:
    return _move(order_id, Move.ACCEPT)


@app.post("/orders/<order_id>/reject", summary="The restaurant rejects", tags=["Restaurant"], responses=MOVED)
def reject(order_id: OrderId, request: Annotated[RejectOrder | None, Body()] = None) -> Response[KitchenOrder]:
    return _move(order_id, Move.REJECT, (request or RejectOrder()).reason)


@app.post("/orders/<order_id>/dispatch", summary="The courier leaves with it", tags=["Courier"], responses=MOVED)
def dispatch(order_id: OrderId) -> Response[CourierOrder]:
    return _move(order_id, Move.DISPATCH)


@app.post("/orders/<order_id>/deliver", summary="The courier hands it over", tags=["Courier"], responses=MOVED)
def deliver(order_id: OrderId) -> Response[CourierOrder]:
    return _move(order_id, Move.DELIVER)


@app.post(
    "/orders/<order_id>/cancel",
    summary="The customer cancels, until the restaurant accepts",
    tags=["Customer"],
    responses=MOVED,
)
def cancel(order_id: OrderId) -> Response[Order]:
    return _move(order_id, Move.CANCEL)


@app.get("/restaurants", summary="Restaurants", tags=["Menus"], responses=RESTAURANTS)
def list_restaurants(limit: PageSize = 50, next_page: PageToken = None) -> RestaurantPage:
    found, position = menus().list(limit, page_start(next_page, MenuStore.POSITION))
    return RestaurantPage(restaurants=found, next=page_token(position))


@app.get("/restaurants/<restaurant_id>/menu", summary="A restaurant's menu", tags=["Menus"], responses=A_MENU)
def get_menu(restaurant_id: RestaurantId) -> Restaurant:
    try:
        return menus().get(restaurant_id)
    except UnknownRestaurant as error:
        # Here it is what was asked for, and not what an order names.
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-restaurant", "There is no such restaurant.") from error


@app.exception_handler(UnknownOrder)
def unknown_order(_: UnknownOrder) -> Response[str]:
    return Problem(HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order.").response()


@app.exception_handler(UnknownRestaurant)
def unknown_restaurant(_: UnknownRestaurant) -> Response[str]:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-restaurant", "There is no such restaurant.").response()


@app.exception_handler(MenuChanged)
def menu_changed(error: MenuChanged) -> Response[str]:
    came_to("menu-changed")
    return Problem(HTTPStatus.CONFLICT, "menu-changed", str(error), menu_version=error.menu_version).response()


@app.exception_handler(UnknownDish)
def unknown_dish(error: UnknownDish) -> Response[str]:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-dish", str(error), dish_id=error.dish_id).response()


@app.exception_handler(OrderTotalTooSmall)
def order_total_too_small(error: OrderTotalTooSmall) -> Response[str]:
    limit = error.limit.model_dump()
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "order-total-too-small", str(error), limit=limit).response()


@app.exception_handler(OrderTotalTooLarge)
def order_total_too_large(error: OrderTotalTooLarge) -> Response[str]:
    limit = error.limit.model_dump()
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "order-total-too-large", str(error), limit=limit).response()


@app.exception_handler(OrderNotPayable)
def order_not_payable(error: OrderNotPayable) -> Response[str]:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "order-not-payable", str(error)).response()


@app.exception_handler(UnknownPromoCode)
def unknown_promo_code(_: UnknownPromoCode) -> Response[str]:
    detail = "You have no such promo code."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-promo-code", detail).response()


@app.exception_handler(CodeExpired)
def promo_code_expired(error: CodeExpired) -> Response[str]:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "promo-code-expired", str(error)).response()


@app.exception_handler(MinimumNotReached)
def promo_code_minimum(error: MinimumNotReached) -> Response[str]:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "promo-code-minimum-not-met", str(error)).response()


@app.exception_handler([OtherCurrency, TakesNothingOff])
def promo_code_not_applicable(error: OtherCurrency | TakesNothingOff) -> Response[str]:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "promo-code-not-applicable", str(error)).response()


@app.exception_handler(PromoCodeAlreadyUsed)
def promo_code_used(_: PromoCodeAlreadyUsed) -> Response[str]:
    return Problem(HTTPStatus.CONFLICT, "promo-code-already-used", "Another order has this promo code.").response()


@app.exception_handler(LimitReached)
def limit_reached(error: LimitReached) -> Response[str]:
    problem = _too_much(error.limit)
    if error.retry_after:
        problem.headers["Retry-After"] = str(error.retry_after)
    came_to(problem.slug)
    logger.info("Refused: a limit is reached", limit=error.limit)
    metrics.add_metric("LimitsReached", MetricUnit.Count, 1)
    return problem.response()


def _too_much(limit: Limit) -> Problem:
    status = HTTPStatus.TOO_MANY_REQUESTS
    match limit:
        case Limit.OPEN_ORDERS:
            detail = "You have as many open orders as anybody may have. One must end before the next."
            return Problem(status, "too-many-open-orders", detail)
        case Limit.ORDERS:
            return Problem(status, "too-many-orders", "You placed as many orders in this hour as anybody may.")
        case Limit.DECLINES:
            return Problem(status, "too-many-declines", "Too many of your payments were declined in this hour.")
        case Limit.CODES:
            return Problem(status, "too-many-codes", "You tried too many wrong promo codes in this hour.")
        case Limit.AT_ONCE:
            return Problem(status, "too-many-at-once", "You place too many orders at the same moment. Try again.")


@app.exception_handler(KeyReused)
def key_reused(_: KeyReused) -> Response[str]:
    detail = "This Idempotency-Key was used before with another body. A new order needs a new key."
    return Problem(HTTPStatus.CONFLICT, "idempotency-key-reused", detail).response()


@app.exception_handler(IllegalMove)
def illegal_move(error: IllegalMove) -> Response[str]:
    came_to("illegal-move")
    logger.info("Refused: %s while %s", error.move, error.status, taken=error.taken)
    metrics.add_metric("IllegalMoves", MetricUnit.Count, 1)
    return Problem(
        HTTPStatus.CONFLICT, "illegal-move", str(error), order_status=error.status, taken=error.taken
    ).response()


def _move(order_id: str, move: Move, reason: str | None = None) -> Response[Any]:
    about_order(order_id)
    stored = orders().move(order_id, move, caller(app), datetime.now(UTC), reason)
    came_to(stored.order.pending_move or stored.order.status)
    logger.info("Move made: %s", stored.order.pending_move)
    return Response(status_code=HTTPStatus.ACCEPTED, content_type="application/json", body=_shown(stored))


def _shown(stored: StoredOrder) -> OrderView:
    return view(stored.order, stored.ownership, stored.moves_made, caller(app))


def _read_by_support(**what: str) -> None:
    logger.info("Read by support", extra={"by": caller(app).subject, **what})
    metrics.add_metric("SupportReads", MetricUnit.Count, 1)


def _must_have(step: Step) -> None:
    """Refuse to answer a list whose index an update of the stack has not made yet.

    Raises:
        Problem: it has not.
    """
    if int(os.environ["ORDER_INDEXES"]) < step:
        detail = "This list is being made, by an update that goes on."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "list-not-made-yet", detail)


def _refuse_card_number(event: dict[str, Any]) -> None:
    """Refuse a request with a card number in it, before anything of it is read, logged or kept.

    Raises:
        Problem: there is one.
    """
    body: Any = event["body"]
    # What is no JSON is looked through as it stands: the refusal of it must not repeat the number either.
    with suppress(ValueError, Problem):
        body = problems.strict_json(body or "null")
    sent = {
        "body": body,
        "header": {"Idempotency-Key": event["headers"].get("idempotency-key")},
        "query": event.get("multiValueQueryStringParameters") or event.get("queryStringParameters"),
        "path": unquote(event["path"]),
    }
    places = sorted(set(where_card_numbers_stand(sent)))
    if not places:
        return
    came_to("card-number-refused")
    # Not the places themselves: a client names its members as it likes.
    logger.info("Refused: a card number", places=sorted({place.split("/")[1] for place in places}))
    raise Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "card-number-refused",
        "Send no card number: this API takes the name of a payment method that a gateway gave.",
        errors=[{"pointer": place, "reason": "looks like a card number"} for place in places],
    )


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one REST request.

    Args:
        event: an API Gateway REST proxy event.
        context: the Lambda context.

    Returns:
        A Lambda proxy integration response.
    """
    return answer(app, event, context, refuse=_refuse_card_number)


@once
def menus() -> MenuStore:
    """The menus table."""
    return MenuStore(table(os.environ["MENUS_TABLE"]))


@once
def promo_codes() -> PromoCodeStore:
    """The table of promo codes."""
    return PromoCodeStore(table(os.environ["PROMO_CODES_TABLE"]))


@once
def deliveries() -> DeliveryStore:
    """The deliveries table."""
    keep = timedelta(days=int(os.environ["KEEP_DELIVERIES_DAYS"]))
    return DeliveryStore(table(os.environ["DELIVERIES_TABLE"]), keep)


@once
def store() -> OrderStore:
    """The orders table, and what is personal of orders."""
    return OrderStore(table(os.environ["ORDERS_TABLE"]), deliveries().row)


@once
def customers() -> CustomerStore:
    """The customers table."""
    return CustomerStore(table(os.environ["CUSTOMERS_TABLE"]), Limits.of(os.environ))


@once
def workflow() -> OrderWorkflow:
    """The order workflow."""
    return OrderWorkflow(client("stepfunctions"), os.environ["ORDER_WORKFLOW_ARN"])


def orders() -> Orders:
    """The use cases, over those."""
    return Orders(store(), menus(), promo_codes(), deliveries(), customers(), workflow())
