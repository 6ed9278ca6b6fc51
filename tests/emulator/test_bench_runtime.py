"""What `make bench` measures with: a function under AWS's own runtime client, cold, as Lambda would run it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.coldstart import NotMeasured, Package, Runtime, compiled

if sys.platform != "linux":
    pytest.skip("Lambda's runtime runs on Linux alone", allow_module_level=True)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    with Runtime(tmp_path_factory.mktemp("run"), {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}) as made:
        yield made


def package(folder: Path, source: str, **layer: str) -> Package:
    """A function of one module, and a layer of another."""
    code, opt = folder / "task", folder / "opt"
    (opt / "python").mkdir(parents=True)
    code.mkdir()
    (code / "app.py").write_text(source)
    for name, text in layer.items():
        (opt / "python" / f"{name}.py").write_text(text)
    return Package("Bench/Function", "app.handler", code, [opt], {"SAYS": "hello"})


def left(folder: Path) -> list[str]:
    """Processes that have a path below the folder on their command line or in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_a_function_starts_once_with_its_layer_and_its_environment_and_answers_every_event(
    runtime: Runtime, tmp_path: Path
) -> None:
    source = """
import os, time, boto3, helper
assert os.environ["SAYS"] == "hello"
assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == "Bench-Function"
time.sleep(0.6)
def handler(event, context):
    assert os.environ["_X_AMZN_TRACE_ID"].endswith("Sampled=1")
    time.sleep(event["wait"])
    return {"statusCode": 200, "module": helper.__file__}
"""
    made = package(tmp_path, source, helper="x = 1")
    found = runtime.start(made, [b'{"wait": 0.5}', b'{"wait": 0}', b'{"wait": 0}'])
    assert found.init >= 600
    assert 500 <= found.first < found.init + 500
    assert len(found.warm) == 2
    assert max(found.warm) < 500
    assert found.peak > 10
    assert left(tmp_path) == []
    assert list(tmp_path.rglob("__pycache__")) == [], "Lambda's file system is read-only"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('no table')", "did not start|does not do its work"),
        ("def handler(event, context):\n    raise RuntimeError('no table')", "no table"),
        ("def handler(event, context):\n    return {'statusCode': 404, 'body': 'no order'}", "no order"),
        ("def handler(event, context):\n    return {'batchItemFailures': [{'itemIdentifier': 'm-1'}]}", "m-1"),
    ],
)
def test_what_does_not_do_its_work_is_not_measured(runtime: Runtime, tmp_path: Path, source: str, says: str) -> None:
    with pytest.raises(NotMeasured, match=says):
        runtime.start(package(tmp_path, source), [b"{}"])
    assert left(tmp_path) == []


def test_the_runtimes_boto3_gives_way_to_a_layers_own(runtime: Runtime, tmp_path: Path) -> None:
    source = "import boto3\ndef handler(event, context):\n    assert boto3.whose == 'the layer'"
    runtime.start(package(tmp_path, source, boto3="whose = 'the layer'"), [b"{}"])


def test_instructions_are_those_of_init_and_of_the_first_invocation_on_top(runtime: Runtime, tmp_path: Path) -> None:
    if not runtime.counts:
        pytest.skip("there is no valgrind here")
    source = "for _ in range(100_000): pass\ndef handler(event, context):\n    for _ in range(1_000_000): pass"
    made = package(tmp_path, source)
    init, first = runtime.count(made, b"{}")
    again, _ = runtime.count(made, b"{}")
    assert first - init > 10_000_000
    assert abs(again - init) < init / 500


def test_bytecode_is_what_spares_the_compiling(runtime: Runtime, tmp_path: Path) -> None:
    if not runtime.counts:
        pytest.skip("there is no valgrind here")
    made = package(tmp_path, "import helper\ndef handler(event, context): pass", helper="x = [1, 2, 3]\n" * 5000)
    without, _ = runtime.count(made, b"{}")
    compiled(made.layers[0])
    with_it, _ = runtime.count(made, b"{}")
    assert with_it < without * 0.9
