"""What holds for all templates, once SAM has made of them what CloudFormation sees."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from cfnlint.template.transforms._sam import Transform
from worlds import ROOT

TEMPLATES = [ROOT / "template.yaml", *sorted(ROOT.glob("services/*/template.yaml"))]
# Named within something else, one of many of that name, or for people only.
MAY_REPEAT = {"StageName", "MetricName", "LayerName", "DisplayName"}


@pytest.fixture(params=TEMPLATES, ids=lambda path: str(path.parent.name))
def properties(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The properties of each resource, by its logical id."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    template: Path = request.param
    transform = Transform(str(template), load(str(template)), "eu-central-1")
    assert transform.transform_template() == []
    return {name: resource.get("Properties", {}) for name, resource in transform.template()["Resources"].items()}


def allowed(node: Any) -> Iterator[dict[str, Any]]:
    """Every policy statement that allows something."""
    if isinstance(node, dict) and node.get("Effect") == "Allow":
        yield node
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from allowed(inner)


def test_two_stacks_can_stand_in_one_account(properties: dict[str, Any]) -> None:
    """Names are made by CloudFormation, or of a parameter or the stack's own name."""
    names = [(at, key, value) for at, own in properties.items() for key, value in own.items() if key.endswith("Name")]
    assert [name for name in names if isinstance(name[2], str) and name[1] not in MAY_REPEAT] == []


def test_a_queue_takes_in_the_events_of_its_own_rule_only(properties: dict[str, Any]) -> None:
    queues = [s for s in allowed(properties) if s.get("Principal") == {"Service": "events.amazonaws.com"}]
    assert [s for s in queues if s.get("Action") == "sqs:SendMessage" and "aws:SourceArn" not in str(s)] == []


def test_whoever_announces_announces_its_own_events_only(properties: dict[str, Any]) -> None:
    assert [s for s in allowed(properties) if "events:PutEvents" in str(s) and "events:source" not in str(s)] == []
