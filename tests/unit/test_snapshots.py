"""A function that starts from a snapshot of its INIT: nothing in the snapshot is what each environment must have anew.

The hooks run by AWS's own client of the runtime API, in a process of its own. Copies of that process stand for the
environments that are restored from one snapshot.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT

if sys.platform != "linux":
    pytest.skip("AWS's client of the runtime API is for Linux", allow_module_level=True)

STARTED = {"orders": "orders.api", "promotions": "promotions.api", "payments": "payments.handler"}
"""The functions that may start from a snapshot, by their services."""

TABLES = ("ORDERS", "MENUS", "PROMO_CODES", "DELIVERIES", "CUSTOMERS", "PROMOTIONS", "PAYMENTS", "SANDBOX_LEDGER")
ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "restored",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
    "LAMBDA_TASK_ROOT": "/var/task",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "TIFFIN",
    "AWS_SECRET_ACCESS_KEY": "of-a-test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "restored",
    "POWERTOOLS_METRICS_NAMESPACE": "Restored",
    "BASE_PATH": "",
    "CONSOLE_ORIGIN": "https://console.invalid",
    "ORDER_INDEXES": "4",
    "KEEP_DELIVERIES_DAYS": "30",
    "MAX_OPEN_ORDERS": "5",
    "MAX_ORDERS_PER_HOUR": "20",
    "MAX_DECLINES_PER_HOUR": "5",
    "MAX_REFUSED_CODES_PER_HOUR": "10",
    "ORDER_WORKFLOW_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:order:live",
    "PAYMENT_PROVIDER": "sandbox",
    "STRIPE_SECRET_NAME": "tiffin/stripe",
    "STRIPE_API_BASE": "https://api.stripe.com",
    **{f"{table}_TABLE": table.lower() for table in TABLES},
}

INIT_CONNECTS_NOWHERE = """
import importlib, json, socket, sys
connected = []
def connect(self, address):
    connected.append(str(address))
    raise OSError("INIT connects to " + str(address))
socket.socket.connect = connect
importlib.import_module(sys.argv[1])
print(json.dumps(connected))
"""

# INIT, a connection that it opens, the snapshot, and two environments restored from it.
RESTORED = """
import http.server, importlib, json, os, random, sys, threading, uuid
from awslambdaric import bootstrap

opened, closed = [], threading.Event()
class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def setup(self):
        opened.append(1)
        super().setup()
    def finish(self):
        super().finish()
        closed.set()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *said):
        pass

door = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
threading.Thread(target=door.serve_forever, daemon=True).start()
os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{door.server_port}"
importlib.import_module(sys.argv[1])
from tiffin.clients import client
def call():
    client("dynamodb").get_item(TableName="orders", Key={"order_id": {"S": "ord_1"}})
call()
call()
before, one = len(opened), random.getstate()

class Lambda:
    def restore_next(self):
        # Here the snapshot is taken, and here every environment begins.
        assert closed.wait(10), "a connection is open in the snapshot"
        random.setstate(one)

restored = []
for _ in range(2):
    bootstrap.on_init_complete(Lambda(), None)
    restored.append([random.random(), str(uuid.uuid4()), os.urandom(4).hex()])
call()
print(json.dumps({"before": before, "after": len(opened), "restored": restored}))
"""


def run(program: str, module: str, **more: str) -> str:
    service = module.partition(".")[0]
    path = os.pathsep.join(str(ROOT / "services" / each) for each in ("shared", service))
    done = subprocess.run(
        [sys.executable, "-c", program, module], env=ENVIRONMENT | {"PATH": os.defpath, "PYTHONPATH": path} | more,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("module", STARTED.values())
def test_init_opens_no_connection_so_that_none_is_dead_when_it_is_restored(module: str) -> None:
    assert json.loads(run(INIT_CONNECTS_NOWHERE, module, AWS_ENDPOINT_URL="http://127.0.0.1:1")) == []


@pytest.mark.parametrize("module", STARTED.values())
def test_what_is_restored_has_connections_and_chances_of_its_own(module: str) -> None:
    found = json.loads(run(RESTORED, module))
    assert found["before"] == 1
    assert found["after"] == 2
    one, other = found["restored"]
    assert not set(one) & set(other)


def test_without_snapshots_no_hook_is_registered_and_its_library_is_not_needed() -> None:
    asks = "import sys, tiffin.clients; print('snapshot_restore_py' in sys.modules)"
    assert run(asks, "orders.api", AWS_LAMBDA_INITIALIZATION_TYPE="on-demand") == "False"


CHANGES = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "uuid1", "uuid4"}
CHANGES |= {"urandom", "token_hex", "token_bytes", "token_urlsafe", "random", "uniform", "randint", "choice"}


def kept(path: Path) -> Iterator[str]:
    """Calls by which INIT would keep a moment, an id or a chance: where a module or a class is made, or in `once`."""

    def calls(node: ast.AST) -> Iterator[str]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                name = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
                if name in CHANGES:
                    yield f"{path.relative_to(ROOT)}:{inner.lineno} {name}"

    def statements(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from statements(node.body)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from calls(node)
            else:
                for default in (*node.args.defaults, *(each for each in node.args.kw_defaults if each)):
                    yield from calls(default)
                if any("once" in ast.unparse(decorator) for decorator in node.decorator_list):
                    yield from calls(node)

    yield from statements(ast.parse(path.read_text("utf-8")).body)


def test_init_keeps_no_moment_no_id_and_no_chance() -> None:
    modules = [path for path in sorted((ROOT / "services").rglob("*.py")) if "/examples/" not in str(path)]
    assert len(modules) > 60
    assert [found for path in modules for found in kept(path)] == []
