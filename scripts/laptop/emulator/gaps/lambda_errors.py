"""A function's error carries the exception's class name as `errorType`, and the execution environment survives it.

Source: AWS Lambda developer guide, "Lambda function errors in Python"; Step Functions developer guide, "Handling
errors in Step Functions workflows": a task fails with the function's `errorType`, which is what `Retry` and `Catch`
match. MiniStack reports every raised error as `Runtime.HandlerError`, and starts the next invocation in a new process.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_RAISED = (
    "        except Exception as e:\n            _real_stdout.write(json.dumps("
    '{"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")\n'
)
# "ok" is about the process, which MiniStack ends otherwise.
_REPORTED = """        except Exception as e:
            print("[ERROR] " + traceback.format_exc(), file=sys.stderr, flush=True)
            _real_stdout.write(json.dumps({"status": "ok", "function_error": {
                "errorMessage": str(e), "errorType": type(e).__name__, "requestId": context.aws_request_id,
                "stackTrace": traceback.format_tb(e.__traceback__)}}) + "\\n")
"""
_INIT_FAILED = """        _real_stdout.write(json.dumps({"status": "error", "error": str(e)}) + "\\n")"""
_INIT_EXPLAINED = (
    """        _real_stdout.write(json.dumps({"status": "error", "error": traceback.format_exc()}) + "\\n")"""
)


class FunctionError(dict[str, Any]):
    """The payload of an invocation that raised, on its way from the worker to the invoker."""


def fill() -> None:
    """Change the worker's script, and carry what it says through the two functions that hand results on."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    for old, new in ((_RAISED, _REPORTED), (_INIT_FAILED, _INIT_EXPLAINED)):
        if old not in script:
            raise LookupError("MiniStack's Python worker is not the one that this filler was written for.")
        script = script.replace(old, new)
    lambda_runtime._PYTHON_WORKER_SCRIPT = script

    invoke = lambda_runtime.Worker.invoke

    def invoke_worker(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            response = invoke(self, *args, **kwargs)
        except Exception as died:
            # Raised on, this would end every other execution environment of the function, in the middle of its work.
            self._proc = None
            return {"status": "error", "error": str(died), "log": ""}
        error = response.pop("function_error", None)
        return {**response, "result": FunctionError(error)} if error else response

    lambda_runtime.Worker.invoke = invoke_worker

    execute = lambda_svc._execute_function_warm

    def execute_function_warm(*args: Any, **kwargs: Any) -> Any:
        result = execute(*args, **kwargs)
        if isinstance(result.get("body"), FunctionError):
            return {**result, "body": dict(result["body"]), "error": True}
        return result

    lambda_svc._execute_function_warm = execute_function_warm
