"""Entry point: the order service's reconciler over durable executions; see `durable.api` for how, and why one may."""

import os

from orders import reconciler
from orders.workflow import OrderWorkflow, UnwindWorkflow
from tiffin.clients import client, once

from durable.executions import OrderExecutions, Unwinds

handler = reconciler.handler


@once
def executions() -> OrderWorkflow:
    """The order function's executions."""
    return OrderExecutions(client("lambda"), os.environ["ORDER_FUNCTION_ARN"], reconciler.store(), looks=True)


@once
def unwinds() -> UnwindWorkflow:
    """The unwind function."""
    return Unwinds(client("lambda"), os.environ["UNWIND_FUNCTION_ARN"])


reconciler.workflow, reconciler.unwind = executions, unwinds
