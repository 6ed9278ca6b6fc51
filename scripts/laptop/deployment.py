"""Build and deploy a template with the real SAM CLI, against the emulator."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import private
from .changes import parsed
from .emulator.launcher import tail
from .environment import REGION, ROOT, STATE_DIR, Access, architecture, client, runtime, sam_environment
from .errors import BuildFailed, DeployFailed, EmulatorError
from .without import without

ARTIFACTS = "tiffin-artifacts"
"""Name of the bucket that `sam deploy` uploads to."""
# An environment that samconfig.toml does not have: what is in the file is meant for a real deployment.
NO_CONFIGURATION = ("--config-env", "laptop")
# Folders that the application is built of, besides its template; and a built template's name, as it was built.
_BUILT_OF = ("services", "statemachines")
_AS_BUILT = "template.built.yaml"
# What a zip file's entries are dated, so that when they were built makes no difference: the earliest that it knows.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# Where a built layer lies, in YAML and in JSON.
_CONTENT = re.compile(r'(?m)^(?P<key> +"?ContentUri"?: "?)(?P<path>[^\s"]+)(?P<end>"?,?)$')


def deploy(
    access: Access,
    template: Path = ROOT / "template.yaml",
    stack_name: str = "tiffin",
    parameters: Mapping[str, str] | None = None,
    state_dir: Path = STATE_DIR,
    progress: Any = None,
    leave_out: str = "",
) -> dict[str, str]:
    """Build a template and deploy it.

    Args:
        access: the emulator's.
        template: the root template.
        stack_name: the stack's name.
        parameters: template parameters besides `Runtime` and `Architecture`, which are this machine's.
        state_dir: where build and logs go. Not to `.aws-sam`: a later `sam deploy` would take this machine's build from
            there and send it to AWS.
        progress: called with a text before each step; it returns a context manager around the step.
        leave_out: the logical id of an application of the root template that is not deployed; see `without`.

    Returns:
        The stack's outputs, as CloudFormation has them.

    Raises:
        BuildFailed, DeployFailed: with the last lines of what sam said.
    """
    environment = sam_environment(access, state_dir)
    # What a template does not declare is not passed on by sam.
    machine = {"Runtime": runtime(), "Architecture": architecture()}
    laptop = machine | {
        "FullObservability": "false",
        # Nothing costs anything here, and a crowd of orders is placed by one machine.
        "RequestsPerSecond": "1000",
        "RequestsBurst": "2000",
        "OrdersPerSecond": "1000",
        "OrdersBurst": "2000",
        "MailsPerSecond": "1000",
    }
    asked = laptop | dict(parameters or {})
    folder = state_dir / "sam" / stack_name
    step = progress or _silent
    with _one_at_a_time(state_dir):
        with step("Building the packages (sam build)"):
            # Of the parameters, only the machine's say what is built.
            built_for = overriding({name: asked[name] for name in machine})
            _build_what_changed(template, folder / "build", built_for, environment, state_dir / "sam-build.log")
        if leave_out:
            root = folder / "build" / "template.yaml"
            _write(root, json.dumps(without(json.loads(root.read_text()), leave_out), indent=1))
        with step("Deploying the stack (sam deploy)"):
            _make_bucket(access)
            upload_layers_once(access, folder)
            _sam(
                ["deploy", "--template-file", str(folder / "build" / "template.yaml"), "--stack-name", stack_name,
                 *NO_CONFIGURATION, "--s3-bucket", ARTIFACTS, "--region", environment["AWS_REGION"],
                 "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND",
                 "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar",
                 "--parameter-overrides", *overriding(asked)],
                template.parent, environment, state_dir / "sam-deploy.log", DeployFailed,
            )  # fmt: skip
    return outputs(access, stack_name)


def _make_bucket(access: Access) -> None:
    """The bucket that packages are uploaded to, unless an earlier deployment made it."""
    s3 = client("s3", access)
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})


def build(
    access: Access,
    folder: Path,
    template: Path = ROOT / "template.yaml",
    state_dir: Path = STATE_DIR,
) -> None:
    """Build a template for Lambda's own image, of this machine's architecture, and deploy nothing.

    Args:
        access: the emulator's.
        folder: what is built; its `template.yaml` is the root.
        template: the root template.
        state_dir: where packages and logs are.

    Raises:
        BuildFailed: with the last lines of what sam said.
    """
    # On a Mac the emulator's functions have a Mac's packages; in a container they have Linux's.
    environment = {**sam_environment(access, state_dir)}
    environment.pop("TIFFIN_PLATFORM", None)
    given = overriding({"Runtime": runtime(), "Architecture": architecture()})
    with _one_at_a_time(state_dir):
        _build(template, folder, given, environment, state_dir / "sam-build.log")


def overriding(parameters: Mapping[str, str]) -> list[str]:
    """Template parameters as sam takes them after `--parameter-overrides`."""
    return [f"ParameterKey={key},ParameterValue={_quoted(value)}" for key, value in parameters.items()]


def outputs(access: Access, stack_name: str) -> dict[str, str]:
    """A deployed stack's outputs by their names."""
    (stack,) = client("cloudformation", access).describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def upload_layers_once(access: Access, folder: Path) -> None:
    """Upload each different layer once, and point the built templates at it.

    Every service declares the layer, so that it can be deployed alone; `sam deploy` would pack and upload the same
    content once per service.

    Args:
        access: the emulator's.
        folder: holds `build`, what `sam build` made; packed layers are kept beside it, until they are packed anew.
    """
    s3 = client("s3", access)
    uploaded: set[str] = set()
    for template in (folder / "build").rglob("template.yaml"):

        def uri(match: re.Match[str], base: Path = template.parent) -> str:
            content = base / match["path"]
            if not content.is_dir():
                return match[0]
            archive = _packed(content, folder / "layers")
            if archive.name not in uploaded:
                s3.upload_file(str(archive), ARTIFACTS, archive.name)
                uploaded.add(archive.name)
            return f"{match['key']}s3://{ARTIFACTS}/{archive.name}{match['end']}"

        text = template.read_text()
        _write(template, _CONTENT.sub(uri, text))
    for archive in (folder / "layers").glob("*.zip"):
        if archive.name not in uploaded:
            archive.unlink()


def _packed(content: Path, cache: Path) -> Path:
    """A zip file of a directory, named by its content and packed only if it is new."""
    files = sorted(path for path in content.rglob("*") if path.is_file())
    digest = hashlib.sha256(str(_LONG_AGO).encode())  # an archive of before was packed otherwise
    for path in files:
        digest.update(f"{path.relative_to(content)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    archive = cache / f"{digest.hexdigest()}.zip"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        draft = archive.with_suffix(".new")
        with zipfile.ZipFile(draft, "w") as out:
            for path in files:
                entry = zipfile.ZipInfo.from_file(path, path.relative_to(content))
                entry.date_time, entry.compress_type = _LONG_AGO, zipfile.ZIP_DEFLATED
                out.writestr(entry, path.read_bytes(), compresslevel=1)
        draft.replace(archive)
    return archive


def _quoted(value: str) -> str:
    """A parameter's value as sam takes it with spaces and quotes in it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _build_what_changed(
    template: Path, folder: Path, given: list[str], environment: Mapping[str, str], log: Path
) -> None:
    """Build the application, unless what lies there was built of the very same files, by the same tools.

    `sam build --cached` looks at each function and layer by itself, and takes seconds to find that nothing changed.
    """
    built, digest = folder.parent / "built", _inputs(template, given, environment)
    there = built.is_file() and (folder / _AS_BUILT).is_file()
    if digest is None or not there or built.read_text() != digest:
        built.unlink(missing_ok=True)
        _build(template, folder, given, environment, log)
        for made in folder.rglob("template.yaml"):
            # What sam writes as YAML it reads as JSON too: in no time, where YAML takes seconds, and it reads it twice.
            made.write_text(json.dumps(parsed(made.read_text()), indent=1))
            shutil.copyfile(made, made.with_name(_AS_BUILT))
        if digest:
            built.write_text(digest)
    else:
        # Where layers lie in a bucket is for one emulator.
        for made in folder.rglob(_AS_BUILT):
            _write(made.with_name("template.yaml"), made.read_text())


def _write(path: Path, text: str) -> None:
    """Write a file so that whoever reads it meanwhile has it whole, as it was or as it is."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


def _inputs(template: Path, given: list[str], environment: Mapping[str, str]) -> str | None:
    """All that a build of the application is made of; None for another template: nobody knows what that names."""
    if template != ROOT / "template.yaml":
        return None
    digest = hashlib.sha256()
    tools = {name: value for name, value in environment.items() if name.startswith("TIFFIN_")}
    digest.update(repr((given, sorted(tools.items()), sys.version, version("aws-sam-cli"))).encode())
    below = [path for folder in _BUILT_OF for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    for path in (template, *below):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _build(template: Path, folder: Path, given: list[str], environment: Mapping[str, str], log: Path) -> None:
    _sam(
        ["build", *NO_CONFIGURATION, "--template-file", str(template), "--build-dir", str(folder),
         "--parameter-overrides", *given],
        template.parent, environment, log, BuildFailed,
    )  # fmt: skip


def _sam(
    arguments: list[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    error: type[BuildFailed] | type[DeployFailed],
) -> None:
    with private.file(log).open("wb") as out:
        # `-m samcli`: a console script's first line breaks when a virtual environment is moved.
        process = subprocess.Popen(
            [sys.executable, "-m", "samcli", *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            # A group of its own: make, uv and the rest end with it.
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code:
        raise error(f"`sam {arguments[0]}` failed with exit code {code}.", tail(log, 40), str(log))


@contextmanager
def _one_at_a_time(state_dir: Path) -> Iterator[None]:
    """Two builds in one folder would mix; the lock goes with the process that holds it."""
    private.folder(state_dir)
    lock = os.open(state_dir / "build.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    except OSError as problem:
        raise EmulatorError(f"Cannot build here: {problem}") from problem
    finally:
        os.close(lock)


@contextmanager
def _silent(_: str) -> Iterator[None]:
    yield
