"""Provisioned concurrency starts execution environments before they are needed, invokes nobody, and ends them again.

Source: AWS Lambda developer guide, "Configuring provisioned concurrency for a function", and API reference,
`PutProvisionedConcurrencyConfig` and `DeleteProvisionedConcurrencyConfig`: the status is IN_PROGRESS until the
environments have run their INIT, then READY, or FAILED with a reason. MiniStack says READY and starts nothing, and ends
nothing either. Nobody knows here which environments were started on demand, so all end that nobody is calling: those
may end at any moment on AWS too. There, it is for a version or an alias, and refused for `$LATEST`; here it is for
`$LATEST` too, as functions without an alias are called by that.
"""

import contextvars
import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import json_response
from ministack.services import lambda_svc


def fill() -> None:
    """Start what is asked for, in the background, and say how far it has come; end it when it is asked for no more."""
    put, delete = lambda_svc._put_provisioned_concurrency, lambda_svc._delete_provisioned_concurrency

    def put_provisioned_concurrency(name: str, qualifier: str, data: dict[str, Any]) -> Any:
        answer = put(name, qualifier, data)
        if answer[0] != 202:
            return answer
        function, _ = lambda_svc._get_func_record_for_qualifier(name, qualifier or None)
        config = lambda_svc._functions[name]["provisioned_concurrency"][qualifier or "$LATEST"]
        config |= {"Status": "IN_PROGRESS", "AvailableProvisionedConcurrentExecutions": 0}
        # The stores are scoped by account and region, which are context variables.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(_start, function, config), daemon=True).start()
        return json_response(config, 202)

    def delete_provisioned_concurrency(name: str, qualifier: str) -> Any:
        answer = delete(name, qualifier)
        if answer[0] == 204:
            function, _ = lambda_svc._get_func_record_for_qualifier(name, qualifier or None)
            _end(function["config"])
        return answer

    lambda_svc._put_provisioned_concurrency = put_provisioned_concurrency
    lambda_svc._delete_provisioned_concurrency = delete_provisioned_concurrency


def _start(function: dict[str, Any], config: dict[str, Any]) -> None:
    about, code = function["config"], function["code_zip"]
    name, version = about["FunctionName"], about.get("Version", "$LATEST")
    lambda_svc._ensure_reaper_thread()
    # Leased all at once, so that each is another one.
    workers = [
        lambda_runtime.acquire_worker(name, about, code, qualifier=version)[0]
        for _ in range(config["RequestedProvisionedConcurrentExecutions"])
    ]
    for worker in workers:
        try:
            lambda_runtime.ensure_spawned(worker)
            config["AvailableProvisionedConcurrentExecutions"] += 1
        except Exception as failed:
            config |= {"Status": "FAILED", "StatusReason": str(failed)}
        finally:
            lambda_runtime.release_worker(worker)
    if config["Status"] == "IN_PROGRESS":
        config["Status"] = "READY"


def _end(about: dict[str, Any]) -> None:
    key = lambda_runtime._worker_key(about["FunctionName"], about, about.get("Version", "$LATEST"))
    with lambda_runtime._lock:
        environments = lambda_runtime._workers.pop(key, [])
        if called := [worker for worker in environments if worker.in_use]:
            lambda_runtime._workers[key] = called
    lambda_runtime.kill_workers([worker for worker in environments if not worker.in_use])
