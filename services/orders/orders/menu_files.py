"""Entry point: a file that was put into the bucket of menus. One event, one file, one write: no workflow is at stake.

S3 tells EventBridge, and a rule calls this function. What fails is tried again by Lambda, and kept in the dead-letter
queue in the end; a file that is no menu is no failure, and gets a report beside it.
"""

import os
from typing import Annotated, Any, Literal

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AfterValidator, ConfigDict, Field, StrictInt, StringConstraints
from tiffin.clients import client, once, table
from tiffin.models import BaseModel
from tiffin.sequencers import in_order
from tiffin.telemetry import came_to, logger, metrics, tracer

from orders.menu_bucket import MenuBucket
from orders.menu_intake import Intake, MenuFile
from orders.menus import MenuStore


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Object(_Read):
    """The file, as S3 tells EventBridge (S3 user guide, "EventBridge event message structure")."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    version_id: Annotated[str, Field(alias="version-id", pattern=r"^[\x21-\x7e]{1,1024}$")]
    size: Annotated[StrictInt, Field(ge=0)]
    sequencer: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,64}$"), AfterValidator(in_order)]


class _Detail(_Read):
    object: _Object


class ObjectCreated(_Read):
    """An object is there: put, copied, posted by a form, or completed part by part, which is all the same to a menu."""

    source: Literal["aws.s3"]
    detail_type: Annotated[Literal["Object Created"], Field(alias="detail-type")]
    detail: _Detail


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Take one file in.

    Args:
        event: EventBridge's, of S3's object.
        context: the Lambda context.

    Raises:
        ValidationError, ClientError, BotoCoreError: it could not be read, or not be written; nothing has changed.
    """
    seen = ObjectCreated.model_validate(event).detail.object
    outcome = intake().take(MenuFile(seen.key, seen.version_id, seen.size, seen.sequencer))
    came_to(f"menu-{outcome.kind}")
    match outcome.kind:
        case "taken":
            metrics.add_metric("MenusTaken", MetricUnit.Count, 1)
        case "refused":
            metrics.add_metric("MenusRefused", MetricUnit.Count, 1)
    # Not the key, which whoever puts a file there may choose: its version finds it.
    logger.info(
        "Menu: %s",
        outcome.kind,
        restaurant_id=outcome.restaurant_id,
        menu_version=outcome.menu_version,
        file_version=seen.version_id,
        faults=outcome.faults,
    )


@once
def intake() -> Intake:
    """The use case, over the bucket and the menus table."""
    return Intake(
        MenuBucket(client("s3"), os.environ["MENUS_BUCKET"]),
        MenuStore(table(os.environ["MENUS_TABLE"])),
    )
