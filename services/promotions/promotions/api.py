"""Entry point: the promo codes of a customer, over HTTP."""

import os
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from tiffin.callers import Role
from tiffin.clients import once, table
from tiffin.discounts import Discount
from tiffin.models import BaseModel
from tiffin.money import Money
from tiffin.paging import page_start, page_token
from tiffin.rest import answer, answers, caller, rest_api
from tiffin.telemetry import logger, metrics, tracer

from promotions.model import Status
from promotions.redemption import holders
from promotions.store import PromotionsStore

# Whose each route is.
ACCESS = {"GET /promo-codes": frozenset({Role.CUSTOMER})}
app = rest_api("Tiffin promotions", ACCESS)


class PromoCodeView(BaseModel):
    """A promo code as its customer sees it.

    Attributes:
        code: what to type.
        status: whether it can be spent.
        reason: rule that earned it.
        discount: what it takes off one order.
        minimum_order: smallest subtotal that it can be spent on.
        expires_at: first moment at which it is no longer taken.
    """

    code: str
    status: Status
    reason: str
    discount: Discount
    minimum_order: Money
    expires_at: datetime


class Page(BaseModel):
    """A page of promo codes.

    Attributes:
        promo_codes: the codes.
        next: what to pass as `next` for the page behind; null at the end.
    """

    promo_codes: list[PromoCodeView]
    next: str | None


@app.get(
    "/promo-codes",
    summary="One's own promo codes",
    tags=["Customer"],
    responses=answers(
        {HTTPStatus.OK: "A page of promo codes."}, {HTTPStatus.UNPROCESSABLE_ENTITY: ["invalid-page-token"]}
    ),
)
def list_promo_codes(
    limit: Annotated[int, Query(ge=1, le=100, description="Codes per page.")] = 20,
    next_: Annotated[str | None, Query(alias="next", max_length=512, description="`next` of the page before.")] = None,
) -> Page:
    """The codes that a customer got, available or not."""
    customer_id = caller(app).subject
    start = page_start(next_, PromotionsStore.POSITION)
    codes, last = store().codes(customer_id, limit, start["after"] if start else None)
    uses = store().uses(customer_id) if codes else {}
    now = datetime.now(UTC)
    shown = [
        PromoCodeView(
            code=code.code,
            status=code.status(now, taken=bool(holders(code.code, uses))),
            reason=code.reason,
            discount=code.discount,
            minimum_order=code.minimum_order,
            expires_at=code.expires_at,
        )
        for code in codes
    ]
    return Page(promo_codes=shown, next=page_token({"after": last} if last else None))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return answer(app, event, context)


@once
def store() -> PromotionsStore:
    """The promotions table."""
    return PromotionsStore(table(os.environ["PROMOTIONS_TABLE"]))
