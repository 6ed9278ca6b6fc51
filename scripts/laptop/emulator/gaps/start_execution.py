"""Starting a running execution again, by the same name and with the same input, is the same start.

Source: Step Functions API reference, `StartExecution`: "If StartExecution is called with the same name and input as a
running execution, the call succeeds and returns the same response as the original request." MiniStack refuses every
known name.
"""

from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response
from ministack.services import stepfunctions


def fill() -> None:
    """Answer for the running execution before MiniStack looks at the name."""
    start = stepfunctions._start_execution

    def start_execution(data: dict[str, Any]) -> Any:
        machine = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        if machine and data.get("name"):
            name = stepfunctions._state_machines[machine]["name"]
            arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{name}:{data['name']}"
            running = stepfunctions._executions.get(arn)
            if running and running["status"] == "RUNNING" and running["input"] == data.get("input", "{}"):
                return json_response({"executionArn": arn, "startDate": running["startDate"]})
        return start(data)

    stepfunctions._start_execution = start_execution
