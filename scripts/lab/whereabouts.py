"""Where an order is that goes no further: what somebody reads who knows its id and nothing else, and what they learn.

They read place by place, each once, until one says which step is next and what is in its way. An execution does. A row
says what was, and a queue how many messages lie there, not whose: then all places have to be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from laptop import Stack
from laptop.environment import client
from operations import workflows

from . import durable
from .ways import Outputs, Place, Way


@dataclass(frozen=True)
class Answer:
    """What came of it.

    Attributes:
        places: how many were read.
        calls: of AWS's APIs, in all.
        said: in words; of a place that said nothing of the order, nothing.
    """

    places: int
    calls: int
    said: str


class Search:
    """Somebody who looks for an order.

    Args:
        way: by which it goes.
        stack: where.
        outputs: the way's own.
        named: physical ids of the way's resources, by their paths.
    """

    def __init__(self, way: Way, stack: Stack, outputs: Outputs, named: Mapping[str, str]) -> None:
        self._way, self._stack, self._outputs, self._named = way, stack, outputs, named
        self._calls = 0

    def client(self, service: str) -> Any:
        """A client whose calls are counted, and nobody else's."""
        made = client(service, self._stack.access)
        made.meta.events.register("before-call", self._count)
        return made

    def find(self, order_id: str) -> Answer:
        """Look for an order."""
        self._calls, learnt = 0, []
        reads = {
            "row": self._row,
            "stream": self._stream,
            "queue": self._queue,
            "execution": self._execution,
            # What waits in Lambda, nobody can read.
            "call": lambda *_: "",
        }
        for read, place in enumerate(self._way.places, 1):  # noqa: B007 - how far it came
            if said := reads[place.kind](place, order_id):
                learnt.append(said)
                if place.kind == "execution":
                    break
        return Answer(read, self._calls, "; ".join(learnt))

    def _count(self, **_: Any) -> None:
        self._calls += 1

    def _row(self, place: Place, order_id: str) -> str:
        asked = self.client("dynamodb").query(
            TableName=self._named[place.path],
            KeyConditionExpression="order_id = :order",
            ExpressionAttributeValues={":order": {"S": order_id}},
            ConsistentRead=True,
        )
        found = [item["status"]["S"] for item in asked["Items"] if "status" in item]
        return f"{place}: {found[0]}" if found else ""

    def _stream(self, place: Place, _: str) -> str:
        # Which record it is at, and whether one waits behind it, no API says; how the last batch ended, this one.
        mapping = self.client("lambda").get_event_source_mapping(UUID=self._named[place.path])
        return f"{place}: fails" if "FAILED" in mapping["LastProcessingResult"] else ""

    def _queue(self, place: Place, _: str) -> str:
        counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self._named[place.path]
        asked = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=counted)["Attributes"]
        lie = sum(int(asked[name]) for name in counted)
        return f"{place}: {lie} {'message' if lie == 1 else 'messages'}, whose is not said" if lie else ""

    def _execution(self, place: Place, order_id: str) -> str:
        return self._in_history(place, order_id) if self._way.durable else self._in_workflow(place, order_id)

    def _in_workflow(self, place: Place, order_id: str) -> str:
        execution = workflows.execution_arn(self._outputs["OrderWorkflowArn"], order_id)
        asked = self.client("stepfunctions").get_execution_history(executionArn=execution, reverseOrder=True)
        return _at(place, *workflow_is_at(asked["events"]))

    def _in_history(self, place: Place, order_id: str) -> str:
        execution = durable.execution_arn(self, self._outputs[self._way.durable], order_id)
        return _at(place, *function_is_at(durable.history(self, execution)))


def _at(place: Place, step: str, error: str) -> str:
    return f"{place}: in `{step}`" + (f", which fails with `{error}`" if error else "")


def workflow_is_at(latest_first: list[Mapping[str, Any]]) -> tuple[str, str]:
    """The state that an execution is in, and the error that it had there; empty, if none.

    Args:
        latest_first: its history, backwards.
    """
    error = ""
    for event in latest_first:
        if "stateEnteredEventDetails" in event:
            return event["stateEnteredEventDetails"]["name"], error
        failed = [event[name] for name in event if name.endswith("FailedEventDetails")]
        error = error or "".join(str(details.get("error", "")) for details in failed)
    return "", error


def function_is_at(history: list[dict[str, Any]]) -> tuple[str, str]:
    """The last step or callback of a durable execution that has begun, and the error that it had; empty, if none.

    Args:
        history: of it.
    """
    step = next((event["Name"] for event in reversed(history) if event.get("Name")), "")
    failed = [e["StepFailedDetails"] for e in history if e.get("Name") == step and "StepFailedDetails" in e]
    return step, str(failed[-1]["Error"]["Payload"].get("ErrorType", "")) if failed else ""
