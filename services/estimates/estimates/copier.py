"""Entry point: a model was uploaded, and is copied to where estimates are made with it. It runs in the VPC.

S3 tells EventBridge, which invokes this; what fails is tried again and kept as `consumer.py` has it. A model that
cannot be used changes nothing, and its event lies in the dead-letter queue with the reason.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict, Field, StringConstraints, ValidationError
from tiffin.clients import client, once
from tiffin.consumer import NotAnEvent, saying_why
from tiffin.models import BaseModel, faults
from tiffin.telemetry import came_to, logger, metrics, tracer

from estimates.bucket import ModelsBucket, Upload
from estimates.models import Models
from estimates.operations import take_over

LARGEST = 8 * 1024**3
"""Octets of a model at most: what is copied at 10 MB a second within the function's quarter of an hour."""


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Bucket(_Read):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]{3,63}$")]


class _Object(_Read):
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    size: Annotated[int, Field(ge=0, le=LARGEST)]
    etag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    sequencer: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,64}$")]


class _Detail(_Read):
    bucket: _Bucket
    object: _Object


class ObjectCreated(_Read):
    """Of S3's event, what is read (S3 user guide, "EventBridge event message structure")."""

    detail: _Detail


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Take one upload."""
    with saying_why():
        upload = _upload(event)
        logger.append_keys(key=upload.key, size=upload.size, sequencer=upload.sequencer)
        if take_over(bucket(), models(), upload):
            came_to("model-in-force")
            logger.info("A model is in force")
            metrics.add_metric("ModelsTakenOver", MetricUnit.Count, 1)
        else:
            came_to("model-known")
            logger.info("Nothing to do: this model is in force, or there is a later upload")


def _upload(event: dict[str, Any]) -> Upload:
    try:
        read = ObjectCreated.model_validate(event).detail
    except ValidationError as error:
        raise NotAnEvent(faults(error)) from None
    return Upload(read.bucket.name, read.object.key, read.object.size, read.object.etag, read.object.sequencer)


@once
def bucket() -> ModelsBucket:
    """Where models are uploaded to."""
    return ModelsBucket(client("s3", read_timeout=10, attempts=4))


@once
def models() -> Models:
    """The folder of models."""
    return Models(Path(os.environ["MODELS_FOLDER"]))
