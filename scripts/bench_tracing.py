"""What tracing and metrics cost a warm request: `make bench-tracing`.

The real handler of `GET /orders/{order_id}` answers in this process as it does in Lambda. Only the network is left out:
botocore's `before-send` hook hands back a stored item, so that the SDK's whole path runs, and segments go to a UDP port
where nobody listens closely. Modes take turns in rounds, each round a fresh process, so that a noisy machine is noisy
for all; figures are the medians over the rounds, in milliseconds, and ratios to the mode with neither.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODES = {
    "tracing and metrics": {},
    "metrics alone": {"POWERTOOLS_TRACE_DISABLED": "true"},
    "tracing alone": {"POWERTOOLS_METRICS_DISABLED": "true"},
    "neither": {"POWERTOOLS_TRACE_DISABLED": "true", "POWERTOOLS_METRICS_DISABLED": "true"},
}
# Whose order it is, by the token.
CUSTOMER = "5f2c8a1e-7c1b-4f5a-9d53-0a6f0f3a1c42"
LAMBDA = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "LAMBDA_TASK_ROOT": "/var/task",
    "POWERTOOLS_SERVICE_NAME": "orders",
    "POWERTOOLS_METRICS_NAMESPACE": "Tiffin/bench",
    "POWERTOOLS_TRACER_CAPTURE_RESPONSE": "false",
    "LOG_LEVEL": "INFO",
    "ORDERS_TABLE": "orders",
    "MENUS_TABLE": "menus",
    "PROMO_CODES_TABLE": "promo-codes",
    "ORDER_WORKFLOW_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:order",
    "_X_AMZN_TRACE_ID": "Root=1-6926e7d4-0a1b2c3d4e5f60718293a4b5;Parent=6b221d5bc9e6496c;Sampled=1",
}


class Context:
    """What the handler reads of Lambda's context."""

    function_name = "orders"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def one_round(requests: int) -> list[float]:
    """Answer so many requests in this process.

    Returns:
        Milliseconds of each, without the first twenty.
    """
    sys.path[:0] = [str(ROOT / "services" / name) for name in ("shared", "orders")]
    import boto3
    from botocore.awsrequest import AWSResponse

    class Raw:
        """A response's body."""

        def __init__(self, body: bytes) -> None:
            self._body = body

        def stream(self, **_: Any) -> Any:
            """The body, in one piece."""
            yield self._body

    answer = json.dumps({"Item": _item()}).encode()

    def stored(request: Any, **_: Any) -> Any:
        headers: Any = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 200, headers, Raw(answer))

    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    session.events.register("before-send", stored)
    from orders import api

    event = {
        "resource": "/orders/{order_id}",
        "path": "/orders/ord_vc72z45425iwi2mntvykvtjm4w",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"order_id": "ord_vc72z45425iwi2mntvykvtjm4w"},
        "requestContext": {
            "requestId": "r-1",
            "stage": "v1",
            "path": "/v1/orders/x",
            "authorizer": {"claims": {"token_use": "id", "sub": CUSTOMER, "cognito:groups": "customer"}},
        },
        "body": None,
        "isBase64Encoded": False,
    }
    took = []
    for _ in range(requests + 20):
        began = time.perf_counter()
        result = api.handler(event, Context())
        took.append((time.perf_counter() - began) * 1000)
        if result["statusCode"] != 200:
            raise RuntimeError(result["body"])
    return took[20:]


def _item() -> dict[str, Any]:
    money = {"M": {"amount": {"N": "2150"}, "currency": {"S": "EUR"}}}
    moment = {"S": "2026-05-04T18:30:00.000Z"}
    line = {
        "dish_id": {"S": "margherita"},
        "name": {"S": "Margherita"},
        "quantity": {"N": "2"},
        "unit_price": money,
        "price": money,
    }
    return {
        "order_id": {"S": "ord_vc72z45425iwi2mntvykvtjm4w"},
        "customer_id": {"S": CUSTOMER},
        "restaurant_id": {"S": "r-bella-napoli"},
        "restaurant_name": {"S": "Bella Napoli"},
        "status": {"S": "PREPARING"},
        "lines": {"L": [{"M": line}]},
        **dict.fromkeys(("subtotal", "delivery_fee", "discount", "total"), money),
        "payment_method": {"S": "pm_card_visa"},
        **dict.fromkeys(("placed_at", "updated_at", "deadline_at"), moment),
        "timeline": {"M": {"PLACED": moment, "AWAITING_RESTAURANT": moment, "PREPARING": moment}},
        "claims": {"M": {}},
        "trace_header": {"S": "Root=1"},
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="What tracing and metrics cost a warm request.")
    parser.add_argument("--rounds", type=int, default=7, help="fresh processes of each mode")
    parser.add_argument("--requests", type=int, default=300, help="requests in each")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        out = os.fdopen(os.dup(1), "w")
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)  # log lines and metrics are written, and go nowhere
        json.dump(one_round(options.requests), out)
        out.close()
        return 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        medians: dict[str, list[float]] = {mode: [] for mode in MODES}
        for _ in range(options.rounds):
            for mode, more in MODES.items():
                environment = {"PATH": os.environ.get("PATH", ""), **LAMBDA, **more}
                environment["AWS_XRAY_DAEMON_ADDRESS"] = f"127.0.0.1:{daemon.getsockname()[1]}"
                command = [sys.executable, __file__, "--child", "--requests", str(options.requests)]
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                medians[mode].append(statistics.median(json.loads(done.stdout)))
    base = statistics.median(medians["neither"])
    print(f"GET /orders/{{order_id}}, warm, no network; {options.rounds} rounds of {options.requests} requests each;")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores. Medians of medians.")
    for mode, values in medians.items():
        middle = statistics.median(values)
        print(f"{mode:<22} {middle:6.2f} ms  x{middle / base:.2f}  (rounds {min(values):.2f} to {max(values):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
