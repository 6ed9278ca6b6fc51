"""Whose signature a request bears: that of this start's own credentials, or of ones that this emulator gave out.

MiniStack 1.5.33 takes a request for the root user's without a look at its signature if it names the key `test` or any
twelve digits, and one with an `Authorization` header of another kind for anything. It derives the sessions of functions
from their names. Source of what is asked for here: IAM user guide, "AWS Signature Version 4 for API requests".
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_evaluator, lambda_runtime, sigv4
from ministack.core.responses import _account_from_sts_session
from ministack.core.router import extract_access_key_id
from ministack.services import lambda_svc, sts

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNKNOWN = ("UnrecognizedClientException", "The security token included in the request is invalid.")
_HINT = " The laptop takes the credentials of its own start alone: those of `make up` are in .tiffin/aws.env."
Failure = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """What is signed of a request, as it arrived.

    Attributes:
        method: such as `POST`.
        path: undecoded, without the query.
        query: values by name.
        headers: by lower-case name; of a repeated one, its values joined by commas.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "Request":
        """The request of an ASGI scope. A WebSocket's upgrade is a GET."""
        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name, text = raw.decode("latin-1").lower(), sigv4.decode_header_value(value)
            headers[name] = f"{headers[name]},{text}" if name in headers else text
        query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
        return cls(scope.get("method", "GET"), scope["raw_path"].decode("latin-1"), query, headers)

    @property
    def key(self) -> str:
        """The access key id that MiniStack goes by."""
        return str(extract_access_key_id(self.headers, self.query))

    @property
    def claims(self) -> bool:
        """Whether it names credentials of AWS, good or bad."""
        return bool(self.key) or self.headers.get("authorization", "").startswith("AWS")


def failure(request: Request, body: bytes) -> Failure | None:
    """Why a request's credentials are not taken: AWS's code and words, or None if they are."""
    try:
        return _failure(request, body)
    except (ValueError, TypeError, iam_evaluator.AmbiguousAccessKeyError):
        # A moment that is none, or a signature that is not even text.
        return "IncompleteSignature", "The request signature does not conform to AWS standards."


def _failure(request: Request, body: bytes) -> Failure | None:
    authorization = request.headers.get("authorization", "")
    presigned = not authorization and "X-Amz-Algorithm" in request.query
    if not authorization and not presigned:
        return "MissingAuthenticationToken", "Missing Authentication Token." + _HINT
    if presigned:
        signature = sigv4.parse_query_signature(request.query)
        algorithm = request.query["X-Amz-Algorithm"][0]
    else:
        signature = sigv4.parse_header_signature(request.headers)
        algorithm = authorization.partition(" ")[0]
    if isinstance(signature, tuple):
        return signature
    if algorithm != _ALGORITHM or signature.region_set is not None or "AWSAccessKeyId" in request.query:
        return "IncompleteSignature", f"Of signatures, only {_ALGORITHM} is taken here."
    # Two keys in one header: MiniStack reads the first, and the signature is the last one's.
    if signature.access_key_id != request.key:
        return "IncompleteSignature", "The request names more than one access key."
    if late := _late(signature, request) if presigned else sigv4.request_time_failure(signature):
        return late
    token = (
        request.query.get("X-Amz-Security-Token", [""])[0]
        if presigned
        else request.headers.get("x-amz-security-token", "")
    )
    secret = _secret(signature.access_key_id, token)
    if secret is None:
        return _UNKNOWN[0], _UNKNOWN[1] + _HINT
    found: Failure | None = sigv4.header_signature_failure(
        signature, secret, request.method, request.path, request.query, request.headers, body, presigned=presigned
    )
    return found


def _late(signature: sigv4.HeaderSignature, request: Request) -> Failure | None:
    """Whether a presigned URL is no longer good (IAM user guide, "Authentication methods": query parameters)."""
    expires = request.query.get("X-Amz-Expires", [""])[0]
    if sigv4.presigned_request_is_expired(signature.amz_date, expires):
        return "RequestExpired", "Request has expired."
    return None


def _secret(key: str, token: str) -> str | None:
    """The secret that belongs to a key and its session token, if this start knows them."""
    if key == os.environ["AWS_ACCESS_KEY_ID"]:
        return None if token else os.environ["AWS_SECRET_ACCESS_KEY"]
    if iam_evaluator.is_root_access_key(key):
        return None
    account = _account_from_sts_session(key) or iam_evaluator.find_iam_access_key_account(key)
    if account is None:
        return None
    found = iam_evaluator.resolve_credential(key, account, token)
    return str(found.secret_access_key) if isinstance(found, iam_evaluator.ResolvedCredential) else None


@cache
def _session_of(function: str, role: str) -> tuple[str, str, str]:
    return "ASIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30), secrets.token_urlsafe(64)


def execution_credentials(config: Mapping[str, Any]) -> dict[str, str]:
    """The credentials of a function's execution role: a session that nobody can foresee, one for each start.

    Args:
        config: the function's configuration.
    """
    function, role = config["FunctionArn"], config.get("Role", "")
    key, secret, token = _session_of(function, role)
    name, session = role.rpartition("/")[2], config["FunctionName"][:64]
    sts.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{function.split(':')[4]}:assumed-role/{name}/{session}",
            "UserId": f"{name}:{session}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def fill() -> None:
    """Give functions credentials that nobody can foresee."""
    for module in (lambda_runtime, lambda_svc):
        if not hasattr(module, "execution_credentials"):
            raise AttributeError(f"{module.__name__} no longer has execution_credentials")
        module.execution_credentials = execution_credentials
