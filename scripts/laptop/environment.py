"""Nothing that the caller has set up for a real AWS account reaches the laptop's processes, nor the other way round.

Every child process gets an environment built here from a short list of harmless variables, never a copy of the
caller's: no profile, no credentials, no endpoint, no region, no emulator setting leaks in. Clients made here read no
configuration file and no `AWS_*` variable, use no proxy, and refuse any endpoint that is not a loopback address.
"""

import base64
import ipaddress
import os
import platform
import re
import secrets
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.loaders
import botocore.session
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .errors import NotLoopback
from .pace import patience

REGION = "eu-central-1"
HOST = "127.0.0.1"

ROOT = Path(__file__).resolve().parents[2]
STATE_DIR = ROOT / ".tiffin"


class _Models(botocore.loaders.Loader):
    """AWS's descriptions of its services, read once for all clients: that is most of what a client costs."""

    @property
    def search_paths(self) -> list[str]:
        """Where they are. A copy: each session of boto3 adds its own folder, which only its resources need."""
        return list(super().search_paths)


_models = _Models()

_EXECUTE_API = re.compile(r"(https|wss)://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(/[^/]*)?(.*)")
# What a program needs in order to run at all, and nothing that changes where it sends its requests.
_HARMLESS = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "COLUMNS", "USER", "LOGNAME", "SYSTEMROOT")
# `sam build` fetches the layer's packages from a registry, which may be behind a proxy, a private CA or a mirror.
_DOWNLOADS = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
)  # fmt: skip


def loopback(endpoint: str) -> str:
    """Let an endpoint through if it is this machine.

    Args:
        endpoint: a URL. A name is refused, `localhost` too: what it means is up to the machine's resolver.

    Returns:
        The endpoint, unchanged.

    Raises:
        NotLoopback: it is anything but an `http` URL of a literal loopback address.
    """
    if not is_loopback(endpoint):
        raise NotLoopback(endpoint)
    return endpoint


def served_at(value: str, endpoint: str) -> str:
    """The URL of an API, REST or WebSocket, as the emulator serves it; every other value as it is.

    Args:
        value: what may be such a URL.
        endpoint: the emulator's.

    Source: MiniStack's documentation of API Gateway; on AWS the API's id is part of the host name.
    """
    match = _EXECUTE_API.fullmatch(value)
    if not match:
        return value
    scheme, api, stage, rest = match.groups()
    where = endpoint if scheme == "https" else endpoint.replace("http", "ws", 1)
    return f"{where}/_aws/execute-api/{api}{stage or ''}{rest}"


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is this machine: an `http` URL of a literal loopback address."""
    parts = urlsplit(endpoint)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """Where an emulator is, and the credentials that its start made. It takes no others.

    Attributes:
        endpoint: its base URL.
        access_key_id: of the account's root user. No AWS account has a key that begins like this one.
        secret_access_key: what signs requests.
    """

    endpoint: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def new(cls, port: int) -> Self:
        """Access to an emulator that is about to start on a port."""
        key = "TIFFIN" + base64.b32encode(secrets.token_bytes(10)).decode()
        return cls(f"http://{HOST}:{port}", key, secrets.token_urlsafe(30))

    def credentials(self) -> dict[str, str]:
        """The credentials as variables of an environment."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}

    def variables(self) -> dict[str, str]:
        """All that AWS's CLI or an SDK needs in its environment in order to work here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **self.credentials(),
            # Of credentials that a shell had before; it would be sent along.
            "AWS_SESSION_TOKEN": "",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def environment(access: Access, state_dir: Path = STATE_DIR, caller: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the emulator's process: what runs, its own credentials, and no way out of this machine.

    Args:
        access: the emulator's.
        state_dir: where things may be written; the home directory too, if the caller's cannot be.
        caller: the caller's environment.
    """
    home = caller.get("HOME", "")
    if not (home and os.access(home, os.W_OK | os.X_OK)):
        home = str(state_dir / "home")
        Path(home).mkdir(parents=True, exist_ok=True)
    nowhere = os.devnull
    return {
        **{name: caller[name] for name in _HARMLESS if name in caller},
        # The interpreter that runs this also runs the emulator, the functions, sam and uv.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), caller.get("PATH", os.defpath)]),
        "HOME": home,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **access.credentials(),
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": HOST,
        "no_proxy": HOST,
    }


def sam_environment(
    access: Access, state_dir: Path = STATE_DIR, caller: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of the SAM CLI and of the layer's build: the emulator's, with the endpoint, and with downloads.

    Args:
        access: the emulator's.
        state_dir: where things may be written.
        caller: the caller's environment; of it, proxies, certificates and uv's own settings (`UV_*`) pass.

    Raises:
        NotLoopback: the endpoint is not this machine.
    """
    downloads = {name: caller[name] for name in _DOWNLOADS if name in caller}
    downloads |= {name: value for name, value in caller.items() if name.startswith("UV_")}
    return {
        **downloads,
        **environment(access, state_dir, caller),
        "AWS_ENDPOINT_URL": loopback(access.endpoint),
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.2",
        "__SAM_CLI_APP_DIR": str(state_dir / "sam"),
        "TIFFIN_RUNTIME": runtime(),
        "TIFFIN_ARCHITECTURE": architecture(),
        "TIFFIN_LAYER_CACHE": str(state_dir / "packages"),
        **({"TIFFIN_PLATFORM": f"{platform.machine()}-apple-darwin"} if sys.platform == "darwin" else {}),
    }


def client(service: str, access: Access, **config: Any) -> Any:
    """A boto3 client that can only talk to the emulator.

    Args:
        service: boto3's name of the service.
        access: the emulator's.
        config: settings of `botocore.config.Config`.

    Raises:
        NotLoopback: the endpoint is not this machine.
    """
    # botocore otherwise reads AWS_PROFILE and the files of ~/.aws before it looks at what it was given, and fails on a
    # profile that does not exist.
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "ca_bundle": (None, None, None, None),
        }
    )
    session.register_component("data_loader", _models)
    settings: dict[str, Any] = {
        "proxies": {},
        "use_fips_endpoint": False,
        "use_dualstack_endpoint": False,
        "retries": {"mode": "standard", "max_attempts": 3},
        "read_timeout": patience(60),
        "max_pool_connections": 50,  # many threads share one
        "s3": {"addressing_style": "path"},
        **config,
    }
    own: Any = boto3.Session(
        botocore_session=session,
        region_name=REGION,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
    )
    return own.client(service, endpoint_url=loopback(access.endpoint), config=botocore.config.Config(**settings))


@cache
def trusted() -> ssl.SSLContext:
    """Whom connections trust: read once, as that takes a hundred times as long as all else a client of httpx needs."""
    return httpx.create_ssl_context()


def signed(access: Access, url: str) -> dict[str, str]:
    """The headers that sign a GET of one of MiniStack's own pages, which no client of AWS knows.

    Args:
        access: the emulator's.
        url: at the emulator.
    """
    request = AWSRequest("GET", loopback(url))
    keys = Credentials(access.access_key_id, access.secret_access_key)
    SigV4Auth(keys, "ministack", REGION).add_auth(request)
    return dict(request.headers)


def runtime() -> str:
    """The Lambda runtime that is this interpreter: the emulator runs functions in the interpreter it runs in itself."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def architecture() -> str:
    """This machine's architecture by Lambda's name."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"
