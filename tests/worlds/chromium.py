"""A real browser, headless, with a new profile, that talks to this machine alone."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

MUST = "TIFFIN_BROWSER"
"""Environment variable: `must` where the tests in a browser may not be skipped, as in CI."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)


def program() -> str | None:
    """The browser on the path, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def needed(found: bool, otherwise: str) -> None:
    """Go on if something that a test in a browser needs is there; else skip it, or fail it where that may not be.

    Args:
        found: whether it is.
        otherwise: what is missing.
    """
    if found:
        return
    if os.environ.get(MUST) == "must":
        pytest.fail(f"{otherwise}, and {MUST}=must says that it is needed", pytrace=False)
    pytest.skip(otherwise)


def is_there() -> None:
    """Go on if there is a browser."""
    needed(program() is not None, f"none of {', '.join(NAMES)} is on the path")


@contextmanager
def showing(url: str, resolver_rules: str) -> Iterator[None]:
    """Have a page open for as long as the context lasts.

    Args:
        url: of the page.
        resolver_rules: what names mean, as Chromium's option `--host-resolver-rules` has it.
    """
    browser = program()
    assert browser is not None
    with tempfile.TemporaryDirectory(prefix="tiffin-browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [browser, *_QUIET, f"--user-data-dir={profile}", f"--host-resolver-rules={resolver_rules}", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A group of its own: the browser's many processes end with it.
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
