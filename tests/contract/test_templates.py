"""What holds for all templates, once SAM has made of them what CloudFormation sees."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load
from cfnlint.template.transforms._sam import Transform
from support import ROOT

# Named within something else, one of many of that name, or for people only.
MAY_REPEAT = {"StageName", "MetricName", "LayerName", "DisplayName"}
TEMPLATES = [ROOT / "template.yaml", *sorted(ROOT.glob("services/*/template.yaml"))]


def names(template: Path) -> Iterator[tuple[str, str, Any]]:
    """Every name that a resource is given, with the resource's logical id and the property."""
    transform = Transform(str(template), load(str(template)), "eu-central-1")
    assert transform.transform_template() == []
    for logical_id, resource in transform.template()["Resources"].items():
        for name, value in resource.get("Properties", {}).items():
            if name.endswith("Name") and name not in MAY_REPEAT:
                yield logical_id, name, value


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.parent.name))
def test_two_stacks_of_it_can_stand_in_one_account(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is fixed: each is made by CloudFormation, or of a parameter or the stack's own name."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert [found for found in names(template) if isinstance(found[2], str)] == []
