"""Every command on a page can be pasted: a shell understands it, and what it calls is there and takes what it is given.

A block without a language is a shell's. Each is pasted into one whose programs only write down how they were called.
"""

import itertools
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from worlds import ROOT
from worlds.docs import PAGES, blocks

# What is asked for besides Python and make: AWS's tools, where AWS is; and what every machine has.
ELSEWHERE = ("aws", "sam", "curl", "jq")
EVERYWHERE = ("cat", "cut", "date", "git", "grep", "mv", "rm", "sed", "sort", "tr", "uniq", "xargs")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"\$\((?:call (?:on|typed),)?([A-Z_]+)\)|^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))
KNOWN = {name for names in VARIABLES for name in names if name}
# Installed with Python or by it: by their bare names they are another environment's, or nobody's.
OURS = r"python3?|pip|pytest|ruff|mypy|pre-commit|cfn-lint|lint-imports|node|npm|npx|uv"
# In one write: the programs of a pipeline run at the same time.
STUB = """#!/bin/sh
printf '%s' "$(printf '%s\\037' "${0##*/programs/}" "$@"; printf '\\036')" >> "$CALLS"
"""


PASTED = [
    pytest.param("\n".join(block.code for block in found), id=str(page.relative_to(ROOT)))
    for page, found in itertools.groupby(blocks("", "sh"), key=lambda block: block.page)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What looks like the root of the repository, with programs that do nothing."""
    for name in ("services", "menus", "events", "docs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    own = [f".venv/bin/{program.name}" for program in (ROOT / ".venv" / "bin").iterdir()]
    for path in ["make", *ELSEWHERE, *EVERYWHERE, *own]:
        stub = tmp_path / ("programs" if "/" not in path else "") / path
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text(STUB)
        stub.chmod(0o700)
    return tmp_path


def paste(folder: Path, text: str) -> tuple[list[list[str]], str]:
    """Paste text into a shell there. Returns how each program was called, and what the shell itself had to say."""
    calls = folder / "calls"
    calls.touch()
    environment = {"PATH": str(folder / "programs"), "CALLS": str(calls), "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["/usr/bin/env", "-i", *(f"{k}={v}" for k, v in environment.items()), "/bin/bash", "--norc", "-c", text],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    called = [call.split("\x1f")[:-1] for call in calls.read_text("utf-8").split("\x1e") if call]
    return called, done.stderr


def amiss(call: list[str]) -> str:
    """What is wrong with a call of make or of a command of ours; empty, if nothing is."""
    program, *arguments = call
    if program == "make":
        named = [one for one in arguments if not one.startswith("-")]
        unknown = [one for one in named if one.partition("=")[0] not in TARGETS | KNOWN]
        return f"make knows no {', '.join(unknown)}" if unknown else ""
    if program.endswith("/python") and arguments[0] != "-c":
        command = ROOT / arguments[0]
        if not command.is_file():
            return f"there is no {arguments[0]}"
        texts = command.read_text("utf-8") + (ROOT / "scripts" / "operations" / "deployed.py").read_text("utf-8")
        unknown = [one for one in arguments if one.startswith("--") and f'"{one}"' not in texts]
        return f"{arguments[0]} takes no {', '.join(unknown)}" if unknown else ""
    return ""


@pytest.mark.parametrize("text", PASTED)
def test_a_page_s_commands_can_be_pasted(text: str, folder: Path) -> None:
    assert re.findall(r"<[A-Za-z][\w -]*>|^\$ ", text, re.MULTILINE) == [], "a shell takes these for something else"
    called, complaints = paste(folder, text)
    assert complaints == ""
    assert called
    assert [said for call in called if (said := amiss(call))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_in_a_sentence_is_as_it_would_be_typed(page: Path) -> None:
    sentences = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    commands = [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", sentences)]
    assert [each for each in commands if re.match(rf"(?:[A-Z_]+=\S+ )*(?:{OURS}) ", each)] == []
    for command in commands:
        if re.match(r"(make|\.venv/bin/python) [\w.-]", command):
            # Behind it another command may follow, and dots stand for a value.
            words = shlex.split(re.split(r" (?:\\?\||&&|;) ", command)[0])
            assert amiss([word for word in words if not word.startswith(("…", "..."))]) == "", command


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("make redriv QUEUE=promotions", "make knows no redriv"),
        ("make redrive QUEU=promotions", "make knows no QUEU=promotions"),
        ("make redrive all queues", "make knows no all, queues"),
        (".venv/bin/python scripts/redrive.py --queue x --all", "scripts/redrive.py takes no --all"),
        (".venv/bin/python scripts/nothing.py", "there is no scripts/nothing.py"),
    ],
)
def test_a_command_that_does_not_exist_is_found(call: str, said: str) -> None:
    assert amiss(call.split()) == said


@pytest.mark.parametrize("text", ["python -c 1", "make up (it stays)", "cat <(", "cd nowhere", "uv pip list"])
def test_what_a_shell_refuses_is_found(text: str, folder: Path) -> None:
    assert paste(folder, text)[1]
