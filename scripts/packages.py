"""What `make packages` runs: build what would be deployed, and see that Lambda would take it. Nothing is deployed.

    python scripts/packages.py

It builds into .tiffin/packages, for the template's own runtime and architecture. Without a Python of that runtime on
the PATH (`python3.13`), layers have no bytecode: that is said. With one, every module must have its bytecode.
"""

import os
import subprocess
import sys
from pathlib import Path

from contracts.cloudformation import ROOT, transformed
from operations import packaged
from operations.readiness import runs
from rich.console import Console
from rich.markup import escape
from rich.table import Table

FOLDER = ROOT / ".tiffin" / "packages"


def main() -> int:
    """Run the command; returns the exit status."""
    console = Console(soft_wrap=True, highlight=False)
    parameters = transformed()["template.yaml"]["Parameters"]
    runtime, architecture = (str(parameters[name]["Default"]) for name in ("Runtime", "Architecture"))
    # The layers' makefile takes uv from the PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    asked = [
        "build",
        "--config-env",
        "none",
        "--template-file",
        "template.yaml",
        "--build-dir",
        str(FOLDER),
        "--parallel",
    ]
    built = subprocess.run(
        [sys.executable, "-m", "samcli", *asked],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "TIFFIN_RUNTIME": runtime, "TIFFIN_ARCHITECTURE": architecture},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if built.returncode:
        console.print(escape("\n".join(built.stdout.splitlines()[-20:])), "[red]✗[/red] `sam build` failed.", sep="\n")
        return 1
    compiles = runs(runtime)
    made = packaged.layers(FOLDER, runtime, architecture)
    table = Table("layer", "MB", "modules with bytecode", "native libraries", show_edge=False, pad_edge=False)
    for layer in made:
        modules = f"{layer.compiled} of {layer.compiled + len(layer.not_compiled)}"
        table.add_row(layer.name, f"{layer.bytes / 1e6:.1f}", modules, str(layer.native))
    console.print(table)
    problems = [problem for layer in made for problem in layer.problems(bytecode=compiles)]
    for problem in problems:
        console.print(f"[red]✗[/red] {escape(problem)}")
    if not compiles:
        console.print(f"– There is no {runtime} on the PATH: no bytecode, and colder starts.")
    if not problems:
        console.print(
            f"[green]✓[/green] {len(made)} layers for {runtime} on {architecture}, in {FOLDER.relative_to(ROOT)}"
        )
    return 1 if problems or not made else 0


if __name__ == "__main__":
    sys.exit(main())
