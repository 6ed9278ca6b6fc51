"""Entry point: the order service's API, whole and unchanged, with durable executions where it has a workflow.

An example may do what no service may (CONTRIBUTING.md): it imports the order service. What it compares is the engine
alone, and all else is to be the same, down to each refusal. `orders.api` makes its use cases anew for each request, of
adapters that it asks for by name; here one of the names leads elsewhere.
"""

import os

from orders import api
from orders.workflow import OrderWorkflow
from tiffin.clients import client, once

from durable.executions import OrderExecutions

handler = api.handler


@once
def executions() -> OrderWorkflow:
    """The order function's executions."""
    return OrderExecutions(client("lambda"), os.environ["ORDER_FUNCTION_ARN"], api.store())


api.workflow = executions
