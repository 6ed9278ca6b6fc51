"""Entry point: the life of an order, as a durable function. Its death (failure, stop, three hours) runs no line of it.

Lambda calls the function again whenever there is something to go on with, and it runs from its first line each time:
what was done before is not done again, but answered from the execution's history. So whatever is in here must come to
the same steps in the same order each time, and nothing but a step may look at the clock, a table or the world.

`statemachines/order.asl.json` is the same life as a drawing.
"""

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from tiffin.telemetry import about_order, logger

from durable.announcements import first_words
from durable.steps import Order, Steps, tools

# How long a restaurant may think, before its silence is taken for a no.
SILENCE_MINUTES = 15
# How an order ends that was not accepted: its status, the code of its reason, and the sentence of it.
TURNED_DOWN = {
    "reject": ("REJECTED", "restaurant_rejected", "The restaurant rejected the order"),
    "silence": ("REJECTED", "restaurant_silent", "The restaurant did not answer within 15 minutes"),
    "cancel": ("CANCELLED", "cancelled_by_customer", "The customer cancelled the order"),
}


class PaymentReleasedMeanwhile(Exception):
    """A release overtook the authorization: somebody ended this order. The unwind finds out how."""


def life(order: Order, do: Steps) -> str:
    """From being placed to its end.

    Args:
        order: what was placed; see `orders.workflow.workflow_input`.
        do: everything that has an effect, each a step of its own.

    Returns:
        The status in which it ended.

    Raises:
        Exception: it died. The unwind follows, as after a stop and after three hours.
    """
    do.announce("OrderPlaced", order["placed_at"], **first_words(order))

    # The card network holds the money; it is taken only when the food has arrived. A decline is an answer, no failure.
    card = {"customer_id": order["customer_id"], "payment_method": order["payment_method"]}
    hold = do.pay("authorize", amount=order["total"], **card)
    if hold["status"] == "DECLINED":
        return do.end("DECLINED", {name: hold[name] for name in ("code", "message", "network")})
    if hold["status"] == "RELEASED":
        raise PaymentReleasedMeanwhile

    # The restaurant has 15 minutes, and its silence races with an answer in the last moment. Until it accepts, the
    # customer may cancel.
    answer = do.wait("AWAITING_RESTAURANT", minutes=SILENCE_MINUTES, network=hold["network"])
    if answer["move"] != "accept":
        end, code, message = TURNED_DOWN[answer["move"]]
        do.pay("release", reason=code)
        because = answer.get("reason", "other")
        told = message if because == "other" else f"{message}: {because.replace('_', ' ')}"
        return do.end(end, {"code": code, "message": f"{told}."})
    do.announce("OrderAccepted", answer["at"])

    # The kitchen cooks until the courier leaves with it. From here on the three hours are the only limit.
    left = do.wait("PREPARING")
    do.announce("OrderDispatched", left["at"])
    do.wait("OUT_FOR_DELIVERY")

    # The point of no return: the food has arrived, so the money that was held is taken.
    do.pay("capture")
    return do.end("DELIVERED")


@durable_execution
def _execution(order: Order, context: DurableContext) -> str:
    return life(order, Steps(context, order, tools()))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> Any:
    """Take an order on, from where it is.

    Args:
        event: what Lambda hands to a durable function; the order is in its history.
        context: the Lambda context, of which Powertools and the SDK have types that do not fit each other.

    Returns:
        How far it came, for Lambda.
    """
    about_order(_name(event), workflow="durable")
    return _execution(event, context)


def _name(event: Any) -> str:
    """The execution's name, which is the order's id: the last part but one of its ARN (Lambda API reference,
    "Execution")."""
    arn = event["DurableExecutionArn"] if isinstance(event, dict) else event.durable_execution_arn
    return str(arn).split("/")[-2]
