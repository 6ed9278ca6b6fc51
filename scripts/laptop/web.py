"""The console on the laptop: built when its sources changed, told where everything is, and served beside the emulator.

What serves it is `emulator.web_server`, in the emulator's own process, so it comes and goes with that.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import private
from .code_flow import CALLBACK
from .environment import HOST, ROOT, STATE_DIR

PREFERRED_PORT = 4580
PORT = "TIFFIN_CONSOLE_PORT"
"""Environment variable of the emulator: where it serves the console; nowhere without it."""
URL = "WebUrl"
"""Name of the output with the console's address. On the laptop no template makes it."""
FOLDER = ROOT / "web"
DIST = FOLDER / "dist"
CONFIG = "config.json"
"""What differs from one deployment to the next; it is served beside the page, and lies in the emulator's directory."""
BUILT = DIST / ".built"
_MADE_BY_TOOLS = frozenset({"node_modules", "dist"})
# What it is built of besides, from where that is: the workflows that its pages draw, and what live news says.
ELSEWHERE = (ROOT / "statemachines", ROOT / "events" / "messages")
# The APIs by their names in config.json: the outputs with their URLs, as far as a stack has them.
_APIS = {"orders": "ApiUrl", "promotions": "PromotionsApiUrl", "support": "SupportApiUrl", "live": "LiveApiUrl"}
_SOCKET = "LiveUrl"


class NotBuilt(Exception):
    """The console could not be built; the message says why, and what to do."""


def origin(port: int) -> str:
    """Where the console is served."""
    return f"http://{HOST}:{port}"


def signed_in(origin: str) -> str:
    """Where the sign-in pages lead back to."""
    return f"{origin}/signed-in"


def parameters(port: int) -> dict[str, str]:
    """Template parameters by which the APIs name the console to browsers, and the sign-in pages lead back to it.

    Args:
        port: where it is served.
    """
    return {"ConsoleOrigin": origin(port), "CallbackUrls": f"{CALLBACK},{signed_in(origin(port))}"}


def configuration(outputs: Mapping[str, str]) -> dict[str, Any]:
    """The console's `config.json` (`web/src/config.ts`).

    Args:
        outputs: the stack's, as they can be reached.
    """
    socket = {"socket": outputs[_SOCKET]} if _SOCKET in outputs else {}
    return {
        "signInUrl": outputs["SignInUrl"],
        "clientId": outputs["UserPoolClientId"],
        "apis": {name: outputs[output] for name, output in _APIS.items() if output in outputs} | socket,
    }


def configure(folder: Path, outputs: Mapping[str, str]) -> None:
    """Tell the console where everything is.

    Args:
        folder: the emulator's directory.
        outputs: see `configuration`.
    """
    draft = folder / f"{CONFIG}.new"
    draft.write_text(json.dumps(configuration(outputs), indent=2) + "\n", "utf-8")
    draft.replace(folder / CONFIG)


def files() -> Iterator[Path]:
    """What was built, and is for browsers."""
    for path in sorted(DIST.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(DIST).parts):
            yield path


def changed() -> bool:
    """Whether what is built is not of the sources as they are."""
    return not BUILT.is_file() or BUILT.read_text("utf-8") != _sources()


def build(state_dir: Path = STATE_DIR) -> None:
    """Build it if it changed, with npm's packages fetched if they are not there yet. One does, others wait for it.

    Types and budget are `make web`'s to check.

    Args:
        state_dir: where the log goes.

    Raises:
        NotBuilt: npm could not fetch its packages, or the build failed.
    """
    with private.file(state_dir / "console-build.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if changed():
            _build(private.file(state_dir / "console-build.log"))


def _build(log: Path) -> None:
    sources = _sources()
    log.write_text("")
    lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = ("npm", "ci", "--prefer-offline", "--loglevel=error", "--fetch-retries=1", "--fetch-timeout=30000")
        _run(npm, log, "npm could not fetch its packages")
        installed.touch()
    _run(("node", "node_modules/vite/bin/vite.js", "build"), log, "its build failed")
    BUILT.write_text(sources, "utf-8")


def _run(command: Iterable[str], log: Path, failure: str) -> None:
    # Node and npm are packages of this environment, and look for each other on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    with log.open("a") as out:
        try:
            code = subprocess.run(
                list(command),
                cwd=FOLDER,
                env={**os.environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
            ).returncode
        except OSError as error:
            raise NotBuilt(f"{failure}: {error}") from error
    if code:
        last = log.read_text("utf-8", errors="replace").splitlines()[-6:]
        raise NotBuilt("\n".join([f"{failure}:", *last, f"The log is {log}."]))


def _sources() -> str:
    own = [path for path in FOLDER.iterdir() if path.name not in _MADE_BY_TOOLS]
    files = [file for path in (*own, *ELSEWHERE) for file in (path.rglob("*") if path.is_dir() else [path])]
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file() and not path.name.endswith(".d.ts"):
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()
