import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    claims = (event["requestContext"].get("authorizer") or {}).get("claims")
    return {"statusCode": 200, "body": json.dumps(claims)}
