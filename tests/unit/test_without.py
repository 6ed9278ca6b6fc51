"""A root template without one of its applications: what names it goes, or does without, and all else stays."""

import json
from typing import Any

from laptop.changes import parsed
from laptop.without import NOBODY, without
from worlds import ROOT


def root() -> dict[str, Any]:
    """The root template, with intrinsic functions in their long forms, as it is built."""
    read: dict[str, Any] = json.loads(json.dumps(parsed((ROOT / "template.yaml").read_text("utf-8")), default=str))
    return read


def test_what_only_promotions_needed_goes_with_it() -> None:
    before, after = root(), without(root(), "Promotions")
    gone = before["Resources"].keys() - after["Resources"].keys()
    assert gone == {"Promotions", "PromotionsSource", "PromotionsNames", "PromotionsAddressLimit"}
    assert {name for name in before["Outputs"] if "Promotions" in name} == before["Outputs"].keys() - after[
        "Outputs"
    ].keys()
    assert "Promotions.Outputs" not in json.dumps(after)
    assert '"Promotions", "Outputs' not in json.dumps(after)


def test_who_knew_promotions_by_name_knows_nobody() -> None:
    given = without(root(), "Promotions")["Resources"]["Support"]["Properties"]["Parameters"]
    assert given["PromotionsTableName"] == given["PromotionsLogGroupName"] == NOBODY
    assert given["OrdersTableName"] == root()["Resources"]["Support"]["Properties"]["Parameters"]["OrdersTableName"]


def test_the_bus_lets_the_others_announce() -> None:
    def announcers(template: dict[str, Any]) -> list[str]:
        condition = template["Resources"]["OnlyAnnouncers"]["Properties"]["Statement"]["Condition"]
        return [one["Fn::GetAtt"][0] for one in condition["ArnNotEquals"]["aws:PrincipalArn"]]

    assert announcers(root()) == ["Orders", "Orders", "Payments", "Promotions"]
    assert announcers(without(root(), "Promotions")) == ["Orders", "Orders", "Payments"]


def test_what_does_not_name_it_stays_as_it_is() -> None:
    before, after = root(), without(root(), "Promotions")
    changed = {name for name, each in after["Resources"].items() if each != before["Resources"][name]}
    assert changed == {"Support", "Observability", "ConsoleService", "OnlyAnnouncers"}
    assert {key: after[key] for key in after if key not in ("Resources", "Outputs")} == {
        key: before[key] for key in before if key not in ("Resources", "Outputs")
    }
