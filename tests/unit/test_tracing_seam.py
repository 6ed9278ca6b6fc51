"""One module names the tracing library, so another one can take its place there (docs/decisions/)."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from worlds import ROOT

SHARED = ROOT / "services" / "shared" / "tiffin"
SEAM = SHARED / "telemetry.py"
MODULES = sorted(path for path in (ROOT / "services").rglob("*.py") if path not in {SEAM, SHARED / "xray.py"})
TRACING = ("aws_xray_sdk", "opentelemetry", "aws_lambda_powertools.tracing", "ddtrace")

# In a process of its own, as modules make their tracer when they are imported. The SDK cannot be imported there.
SWAPPED = """
import contextlib, io, json, sys
sys.modules["aws_xray_sdk"] = None
from aws_lambda_powertools.tracing.base import BaseProvider, BaseSegment

SPANS, OPEN = [], []

class Span(BaseSegment):
    def __init__(self, name):
        self.record = {"name": name, "attributes": {}, "errors": []}
        SPANS.append(self.record)
    def put_annotation(self, key, value): self.record["attributes"][key] = value
    def put_metadata(self, key, value, namespace="default"):
        # Errors come this way; a response must not.
        assert isinstance(value, Exception), key
        self.record["errors"].append(type(value).__name__)
    # A call of AWS's; this provider hands no trace on to it.
    trace_id = None
    def put_aws(self, facts): self.record["attributes"] |= facts
    def put_status(self, status): self.record["attributes"]["status"] = status
    def add_exception(self, exception, stack, remote=False): self.record["errors"].append(type(exception).__name__)
    def close(self, end_time=None): pass
    def add_subsegment(self, subsegment): pass
    def remove_subsegment(self, subsegment): pass

class Spans(BaseProvider):
    patched = []
    @contextlib.contextmanager
    def in_subsegment(self, name=None, **kwargs):
        OPEN.append(Span(name))
        try:
            yield OPEN[-1]
        finally:
            OPEN.pop()
    def in_subsegment_async(self, name=None, **kwargs): raise NotImplementedError
    def put_annotation(self, key, value): OPEN[-1].put_annotation(key, value)
    def put_metadata(self, key, value, namespace="default"): OPEN[-1].put_metadata(key, value, namespace)
    def patch(self, modules): self.patched += modules
    def patch_all(self): raise AssertionError("patches everything")


from moto import mock_aws
from pydantic import BaseModel
from worlds.runtime import context
with mock_aws(), contextlib.redirect_stdout(io.StringIO()):
    # The one line that a move would change in tiffin.telemetry.
    import tiffin.xray
    tiffin.xray.XRay = Spans
    from worlds.aws import aws_in_process
    aws_in_process()
    from payments import handler
    from worlds.payments import World, authorize
    import os
    world = World()
    os.environ |= {"PAYMENT_PROVIDER": "sandbox", "PAYMENTS_TABLE": world.table, "SANDBOX_LEDGER_TABLE": world.ledger}
    handler.handler(authorize(), context())
    handler.handler(authorize("pm_card_amex_chargeDeclined", order="ord_" + "b" * 26), context())
    try:
        handler.handler({"operation": "capture", "order_id": "nonsense"}, context())
    except Exception:
        pass
    from contracts.schemas import example
    from tiffin.consumer import Consumer
    consumer = Consumer()
    class Anything(BaseModel): pass
    consumer.on("OrderDelivered", reads=Anything)(lambda event: None)
    record = {"messageId": "m", "body": json.dumps(example("OrderDelivered")), "eventSource": "aws:sqs"}
    consumer({"Records": [record]}, context())
assert not [name for name, module in sys.modules.items() if name.startswith("aws_xray_sdk") and module]
print(json.dumps(SPANS))
"""


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "services")))
def test_every_other_module_is_free_of_tracing_libraries(path: Path) -> None:
    names = imported(path)
    assert not [name for name in names if name.startswith(TRACING)]
    # `from aws_lambda_powertools import Tracer` would make a second one, with settings of its own.
    assert not names & {f"aws_lambda_powertools.{name}" for name in ("Tracer", "Logger", "Metrics")}


def test_the_check_notices_the_seam_itself() -> None:
    assert "aws_lambda_powertools.Tracer" in imported(SEAM)


@pytest.fixture(scope="module")
def spans() -> list[dict[str, Any]]:
    """What the other provider was told, by the real handlers."""
    folders = ["services/shared", "services/payments", "scripts", "tests"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in folders),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "Tiffin/test",
        # Tracing is on as in Lambda.
        "LAMBDA_TASK_ROOT": "/var/task",
    }
    ran = subprocess.run(
        [sys.executable, "-c", SWAPPED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    told: list[dict[str, Any]] = json.loads(ran.stdout)
    return told


def test_another_provider_is_told_the_same(spans: list[dict[str, Any]]) -> None:
    calls = [span["name"].rsplit(".", 1)[-1] for span in spans if "SandboxGateway" in span["name"]]
    assert calls == ["open", "authorize", "open", "authorize"]
    aws = [span["attributes"] for span in spans if span["name"] == "dynamodb"]
    assert {call["table_name"] for call in aws if "table_name" in call} == {"PaymentsTable", "SandboxLedgerTable"}
    assert {call["status"] for call in aws} == {200}
    rest = (span for span in spans if span["name"] != "dynamodb" and "SandboxGateway" not in span["name"])
    held, declined, refused, consumed = rest
    assert {span["name"] for span in (held, declined, refused)} == {"## handler"}
    assert held["attributes"]["outcome"] == "AUTHORIZED"
    assert declined["attributes"]["outcome"] == "DECLINED"
    assert declined["attributes"]["order_id"] == "ord_" + "b" * 26
    assert held["attributes"]["customer_hash"] == declined["attributes"]["customer_hash"]
    assert refused["errors"] == ["InvalidPaymentRequest"]
    assert consumed["attributes"]["event_name"] == "OrderDelivered"
    assert consumed["attributes"]["outcome"] == "consumed"
