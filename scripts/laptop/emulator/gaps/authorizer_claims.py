"""A claim that is a list arrives at a REST API's function as one string, its items joined by commas.

API Gateway developer guide, "Control access to REST APIs using Amazon Cognito user pools as an authorizer", says that
claims arrive as strings, and not how a list becomes one: `cognito:groups` is `a,b` where people have printed it.
MiniStack joins it as HTTP APIs do, `[a b]`.
"""

from typing import Any

from ministack.services import apigateway_v1 as api_gateway


def fill() -> None:
    """Join the lists among the claims before MiniStack does."""
    stringify = api_gateway._stringify_claims

    def stringify_with_commas(claims: dict[str, Any] | None) -> dict[str, str]:
        joined = {
            name: ",".join(map(str, value)) if isinstance(value, list) else value
            for name, value in (claims or {}).items()
        }
        strings: dict[str, str] = stringify(joined)
        return strings

    api_gateway._stringify_claims = stringify_with_commas
