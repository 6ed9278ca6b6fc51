"""What `make up` prints to be tried, pasted as a block into a shell."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import up
from laptop import Stack
from laptop.client import Client
from laptop.pace import patience

pytestmark = pytest.mark.laptop("inside")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_printed_calls_take_an_order_to_the_door_when_pasted(
    stack: Stack, client: Client, customer: str, tmp_path: Path, shell: str
) -> None:
    # `make token` asks the stack of `make up`; here it hands out this stack's, of a customer who ordered nothing yet.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, person in {"ada": customer, "bella": "bella", "carl": "carl", "sue": "sue"}.items():
        (programs / f"USER={name}").write_text(stack.people.token(person))
    make = programs / "make"
    make.write_text(f'#!/bin/sh\ntest "$1 $2" = "-s token" && cat "{programs}/$3"\n')
    make.chmod(0o700)
    folder = tmp_path / "here"
    folder.mkdir()

    ran = subprocess.run(
        [shell],
        input=up.requests_to_try(stack).replace("make stats KITCHENS=1\n", ""),
        text=True,
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        timeout=patience(90),
        check=False,
    )

    assert ran.stderr == ""
    [order_id] = set(re.findall(r"ord_[a-z2-7]+", ran.stdout))
    assert client.until(order_id, "DELIVERED")["payment"]["status"] == "CAPTURED"
    assert [ran.stdout.count(f'"status":"{status}"') >= 1 for status in ("AWAITING_RESTAURANT", "DELIVERED")] == [
        True
    ] * 2
    assert "WELCOME-" in ran.stdout
    assert re.search(r'^"headline": ?"delivered, and paid with visa, ', ran.stdout, re.MULTILINE)
    assert list(folder.iterdir()) == []


def test_the_printed_calls_have_no_comment_and_no_blank_line(stack: Stack) -> None:
    """An interactive zsh, which is macOS's, takes a comment for a command, and an apostrophe in it for a quotation."""
    lines = up.requests_to_try(stack).splitlines()
    assert [line for line in lines if line.lstrip().startswith("#") or not line.strip()] == []
