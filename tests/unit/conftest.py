"""Unit tests run in a process that can reach no account: fixed region, no credentials, no daemon, no sockets."""

import socket
from typing import Any

import pytest
from worlds.runtime import ENVIRONMENT

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what Lambda would set, and refuse every connection that leaves this machine."""
    for name, value in (ENVIRONMENT | {"AWS_EC2_METADATA_DISABLED": "true"}).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a unit test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
