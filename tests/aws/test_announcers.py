"""Nobody but the services' own roles announces, whatever else they are allowed to do."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from laptop import BusTap
from operations.deployed import Deployed
from orders.model import order_id_for
from worlds import feed


def test_an_administrator_announces_nothing(deployed: Deployed, tap: BusTap, customer: str) -> None:
    """Whoever deployed the stack; on the laptop the account's root. The policy of the bus denies them all the same."""
    order_id = order_id_for(customer, uuid.uuid4().hex)
    entry = {
        "EventBusName": deployed.outputs["EventBusName"],
        "Source": "tiffin.orders",
        "DetailType": "OrderDelivered",
        "Detail": json.dumps(feed.event("OrderDelivered", order_id)["detail"]),
    }
    with pytest.raises(ClientError) as refused:
        deployed.client("events").put_events(Entries=[entry])

    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert not [e for e in tap.events if e["detail"]["metadata"]["order_id"] == order_id]
