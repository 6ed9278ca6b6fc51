"""An API's OpenAPI document, to hold answers against: what is said is documented, and is as it is documented."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from laptop.environment import trusted
from laptop.pace import patience

from worlds.gateway import Handler, ask, event

# Of no operation, so of no place in the document.
NOWHERE = {"no-such-resource", "method-not-allowed", "request-refused"}


class Described:
    """What a served OpenAPI document says of its API.

    Args:
        document: the document.

    Attributes:
        operations: of it, by method and path.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.operations = {
            (method.upper(), path): operation
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }

    def refusals(self) -> set[tuple[str, str, int, str]]:
        """Every documented refusal: method, path, status, last part of its problem type."""
        return {
            (method, path, int(status), kind.rpartition("/")[2])
            for (method, path), operation in self.operations.items()
            for status, response in operation["responses"].items()
            for media_type, content in response.get("content", {}).items()
            if media_type == "application/problem+json"
            for kind in content["schema"]["allOf"][1]["properties"]["type"]["enum"]
        }

    def successes(self) -> set[tuple[str, str, int]]:
        """Every documented answer that is none: method, path, status."""
        return {
            (method, path, int(status))
            for (method, path), operation in self.operations.items()
            for status in operation["responses"]
            if int(status) < 400
        }

    def route(self, method: str, path: str) -> tuple[str, str] | None:
        """The operation that answers a path below the stage, if one does."""
        for known, template in self.operations:
            pattern = "[^/]+".join(re.escape(part) for part in re.split(r"{\w+}", template))
            if known == method and re.fullmatch(pattern + "/?", path):
                return known, template
        return None

    def must_know(self, method: str, path: str, status: int, content_type: str, text: str) -> None:
        """Hold an answer against the document.

        Raises:
            AssertionError: it is not there, or the answer is not as it says.
        """
        said = f"{method} {path}: {status} {content_type} {text[:300]}"
        route = self.route(method, path)
        if route is None:
            known = path == "/openapi.json" or (
                status in (404, 405) and str(json.loads(text)["type"]).rpartition("/")[2] in NOWHERE
            )
            assert known, f"no documented route: {said}"
            return
        responses = self.operations[route]["responses"]
        assert str(status) in responses, f"no documented status of {route}: {said}"
        content = responses[str(status)].get("content")
        if content is None:
            assert text == "", f"a body where none is documented: {said}"
            return
        assert content_type in content, f"no documented content type of {route}: {said}"
        schema = content[content_type]["schema"] | {"components": self.document["components"]}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        assert [error.message for error in validator.iter_errors(json.loads(text))] == [], said


def served(outputs: Mapping[str, str]) -> dict[str, Described]:
    """What each API of a running stack says of itself, by its URL."""
    urls = [
        outputs[name]
        for name in ("ApiUrl", "PromotionsApiUrl", "SupportApiUrl", "EstimatesApiUrl", "LiveApiUrl")
        if name in outputs
    ]
    return {
        url: Described(httpx.get(f"{url}/openapi.json", timeout=patience(30), verify=trusted()).json()) for url in urls
    }


def look(documents: Mapping[str, Described]) -> Callable[[httpx.Response], None]:
    """What holds every answer to a client against the document of the API that gave it.

    Args:
        documents: see `served`.
    """

    def known(answer: httpx.Response) -> None:
        (url,) = (url for url in documents if str(answer.url).startswith(url + "/"))
        path = answer.url.path.removeprefix(httpx.URL(url).path)
        documents[url].must_know(
            answer.request.method, path, answer.status_code, answer.headers.get("content-type", ""), answer.text
        )

    return known


@cache
def described(handler: Handler) -> Described:
    """What the API behind a handler says of itself."""
    return Described(ask(handler, event("GET", "/openapi.json")).body)
