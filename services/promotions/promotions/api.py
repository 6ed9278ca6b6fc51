"""Entry point: the promo codes of a customer, over HTTP."""

import base64
import os
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from pydantic import BaseModel
from tiffin import problems
from tiffin.discounts import Discount
from tiffin.money import Money
from tiffin.telemetry import logger, tracer

from promotions.model import PromoCode
from promotions.redemption import State, Use, holders
from promotions.rules import RULES
from promotions.store import PromotionsStore

app = APIGatewayRestResolver(enable_validation=True)
problems.install(app)


class Status(StrEnum):
    """Whether a code can be spent."""

    AVAILABLE = "available"
    REDEEMED = "redeemed"
    EXPIRED = "expired"


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


@app.get("/promo-codes")
def list_promo_codes(
    customer_id: Annotated[
        str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Opaque id of the customer.")
    ],
    limit: Annotated[int, Query(ge=1, le=100, description="Codes per page.")] = 20,
    next_: Annotated[str | None, Query(alias="next", max_length=512, description="`next` of the page before.")] = None,
) -> Page:
    """The codes that a customer got, available or not."""
    codes, last = store().codes(customer_id, limit, _decode(next_) if next_ else None)
    uses = store().uses(customer_id) if codes else {}
    now = datetime.now(UTC)
    return Page(promo_codes=[_view(code, uses, now) for code in codes], next=_encode(last) if last else None)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)


@cache
def store() -> PromotionsStore:
    """The promotions table, connected once per execution environment."""
    config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})
    table = boto3.resource("dynamodb", config=config).Table(os.environ["PROMOTIONS_TABLE"])
    return PromotionsStore(table, RULES)


def _view(code: PromoCode, uses: dict[Use, State], now: datetime) -> PromoCodeView:
    if holders(code.code, uses):
        status = Status.REDEEMED
    else:
        status = Status.EXPIRED if now >= code.expires_at else Status.AVAILABLE
    return PromoCodeView(
        code=code.code,
        status=status,
        reason=code.reason,
        discount=code.discount,
        minimum_order=code.minimum_order,
        expires_at=code.expires_at,
    )


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:  # no base64, or no text
        raise problems.Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "`next` is not from a page before."
        ) from None
