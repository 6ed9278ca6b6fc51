"""Logger, tracer and metrics, made once per service; the only module that names a tracing library.

The X-Ray SDK that Powertools' Tracer stands on is in maintenance, so nothing else in the services may import it:
a move to OpenTelemetry changes this file alone.
"""

import os
import secrets
import time

from aws_lambda_powertools import Logger, Metrics, Tracer

# Powertools reads the service name from POWERTOOLS_SERVICE_NAME, which each template sets.
logger = Logger(use_rfc3339=True, utc=True)
# Only boto3 calls are worth a subsegment; patching every library that the SDK knows costs cold start.
tracer = Tracer(patch_modules=["botocore"])
metrics = Metrics(namespace="Tiffin")


def trace_header() -> str:
    """The X-Ray trace header of this invocation, to be carried where AWS does not carry it by itself.

    Returns:
        `Root=…;Parent=…;Sampled=…`. Outside Lambda, where no trace is open, a fresh unsampled root, so that a field
        that must not be empty never is.

    Source: X-Ray developer guide, "Tracing header" and "Trace IDs".
    """
    return os.environ.get("_X_AMZN_TRACE_ID") or f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=0"


def about_order(order_id: str, **annotations: str) -> None:
    """Put the order's id, and what else identifies the work, on every later log line and on the open trace segment.

    Args:
        order_id: the order this invocation, or this record of a batch, is about.
        annotations: further searchable facts. Nothing personal: they end up in traces.
    """
    logger.append_keys(order_id=order_id, **annotations)
    for key, value in {"order_id": order_id, **annotations}.items():
        tracer.put_annotation(key, value)
