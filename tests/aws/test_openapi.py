"""Both APIs as they are served: what API Gateway itself answers, and the documents that describe them."""

import uuid

import httpx
import pytest
from laptop.client import Client, Refused
from laptop.pace import patience
from operations.deployed import Deployed
from worlds.described import Described

API = pytest.mark.parametrize(("url", "path"), [("ApiUrl", "/orders"), ("PromotionsApiUrl", "/promo-codes")])


@API
def test_an_api_serves_the_document_that_describes_it(
    deployed: Deployed, described: dict[str, Described], url: str, path: str
) -> None:
    document = described[deployed.outputs[url]].document
    assert path in document["paths"]
    # Relative to where it was found.
    assert document["servers"] == [{"url": "."}]


@API
@pytest.mark.parametrize(("method", "below"), [("GET", "/nothing"), ("GET", ""), ("DELETE", None), ("PATCH", None)])
def test_where_there_is_nothing_api_gateway_says_so_as_we_do(
    deployed: Deployed, url: str, path: str, method: str, below: str | None
) -> None:
    answer = httpx.request(method, deployed.outputs[url] + (path if below is None else below), timeout=patience(30))
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("https://tiffin.example/problems/no-such-resource", 404)
    assert problem["request_id"]


def test_a_request_that_breaks_a_parser_is_answered_as_documented(deployed: Deployed, client: Client) -> None:
    """Every answer to this client is held against the document (`tests/conftest.py`)."""
    statuses = []
    for quantity in (int("9" * 4_000), 1.5):
        with pytest.raises(Refused) as refused:
            client.place(customer="cust-openapi", lines={"margherita": quantity})  # type: ignore[dict-item]
        statuses.append(refused.value.status)
    body = '{"lines": ' + "9" * 5_000 + "}"
    token = client.people.token("cust-openapi")
    headers = {
        "Idempotency-Key": uuid.uuid4().hex,
        "Content-Type": "APPLICATION/JSON",
        "Authorization": f"Bearer {token}",
    }
    answer = httpx.post(f"{deployed.outputs['ApiUrl']}/orders", content=body, headers=headers, timeout=patience(30))
    assert [*statuses, answer.status_code] == [422, 422, 400]
