"""What a web page sends to a machine on which an emulator runs, written down as the browser would send it."""

import base64
import http.client
import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from laptop import environment
from laptop.pace import patience

TWELVE_DIGITS = "000000000000"
CallerHeaders = list[tuple[str, str]]


def forged(key: str, service: str, **parameters: str) -> str:
    """A query that names an access key, with a signature that is none.

    Args:
        key: the access key id.
        service: what it is for.
        parameters: more of the query.
    """
    day = "20260101"
    return urlencode(
        {
            **parameters,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{key}/{day}/{environment.REGION}/{service}/aws4_request",
            "X-Amz-Date": f"{day}T000000Z",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": "0" * 64,
        }
    )


@dataclass(frozen=True)
class Attack:
    """Code that somebody wants to run on this machine.

    Attributes:
        name: of the function and its role.
        marker: the file that the function writes. Where it is, the attack has succeeded.
    """

    name: str
    marker: Path

    def make_role(self) -> str:
        """The target of a request, a GET too, that makes a role for the function."""
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        query = forged(
            TWELVE_DIGITS,
            "iam",
            Action="CreateRole",
            Version="2010-05-08",
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps(trust),
        )
        return f"/?{query}"

    def make_function(self, key: str = TWELVE_DIGITS) -> str:
        """The target of a POST that makes the function."""
        return f"/2015-03-31/functions?{forged(key, 'lambda')}"

    def invoke(self, key: str = TWELVE_DIGITS) -> str:
        """The target of a POST that runs it."""
        return f"/2015-03-31/functions/{self.name}/invocations?{forged(key, 'lambda')}"

    def function(self) -> str:
        """The body that makes the function."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("app.py", f"def handler(event, context):\n    open({str(self.marker)!r}, 'w').close()\n")
        return json.dumps(
            {
                "FunctionName": self.name,
                "Runtime": environment.runtime(),
                "Role": f"arn:aws:iam::{TWELVE_DIGITS}:role/{self.name}",
                "Handler": "app.handler",
                "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
            }
        )

    def effects(self, access: environment.Access) -> list[str]:
        """What has come of it: nothing, as an honest caller sees it.

        Args:
            access: of the emulator.
        """
        roles = environment.client("iam", access).list_roles()["Roles"]
        functions = environment.client("lambda", access).list_functions()["Functions"]
        made = [f"role {role['RoleName']}" for role in roles if role["RoleName"] == self.name]
        made += [f"function {found['FunctionName']}" for found in functions if found["FunctionName"] == self.name]
        return made + (["it ran"] if self.marker.exists() else [])


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document that it must be, and that no page may read."""
        assert self.headers["content-type"] == "application/problem+json"
        assert not [name for name in self.headers if name.startswith("access-control-")]
        return dict(json.loads(self.body))


def send(
    port: int,
    method: str,
    target: str,
    headers: CallerHeaders | None = None,
    body: str | None = None,
    version: str = "HTTP/1.1",
) -> Answer:
    """Send a request to a port of this machine, with these headers and no others, and a `Host` if none is given.

    Args:
        port: on 127.0.0.1.
        method: such as `POST`.
        target: as it stands in the request line.
        headers: repeated ones repeated. A `Host` of `-` is left out.
        body: text.
        version: of HTTP.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience(30))
    connection._http_vsn_str, connection._http_vsn = version, 10 if version == "HTTP/1.0" else 11  # type: ignore[attr-defined]
    given = list(headers or [])
    if not any(name.lower() == "host" for name, _ in given):
        given.insert(0, ("Host", f"127.0.0.1:{port}"))
    if body is not None:
        given.append(("Content-Length", str(len(body.encode()))))
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in given:
            if value != "-":
                connection.putheader(name, value)
        connection.endheaders(body.encode() if body is not None else None)
        response = connection.getresponse()
        return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
    finally:
        connection.close()
