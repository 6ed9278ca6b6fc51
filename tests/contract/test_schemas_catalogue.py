"""The catalogue says of each event who sends it and who listens, as the contracts and the templates have it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import render_events
import yaml
from contracts import page
from contracts.schemas import EVENTS, current, names
from worlds import ROOT
from worlds.templates import resources

CATALOGUE = yaml.safe_load((EVENTS / "asyncapi.yaml").read_text("utf-8"))
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/template.yaml"))


def last(reference: dict[str, str]) -> str:
    return reference["$ref"].rsplit("/", 1)[1]


def announced(action: str) -> set[tuple[str, str]]:
    """Pairs of service and event, for one direction."""
    return {
        (operation["x-service"], last(message))
        for operation in CATALOGUE["operations"].values()
        if operation["action"] == action
        for message in operation["messages"]
    }


def test_each_event_is_sent_by_the_service_that_its_contract_names() -> None:
    assert announced("send") == {(current().source(name).removeprefix("tiffin."), name) for name in names()}


def test_each_event_stands_in_the_channel_of_its_source() -> None:
    placed = {(channel["address"], name) for channel in CATALOGUE["channels"].values() for name in channel["messages"]}
    assert placed == {(current().source(name), name) for name in names()}


def test_the_listeners_are_those_whose_templates_have_a_rule() -> None:
    heard = set()
    for service in SERVICES:
        for resource in resources(service).values():
            # What AWS itself tells is on the default bus.
            if resource["Type"] != "AWS::Events::Rule" or not {"EventPattern", "EventBusName"} <= {
                *resource["Properties"]
            }:
                continue
            pattern = resource["Properties"]["EventPattern"]
            wanted = pattern.get("detail-type", names())
            heard |= {(service, n) for n in wanted if current().source(n) in pattern["source"]}
    assert heard
    assert announced("receive") == heard


def test_each_message_is_described_by_the_schema_of_its_name() -> None:
    messages = CATALOGUE["components"]["messages"]
    assert set(messages) == set(names())
    for name, message in messages.items():
        assert message["name"] == name
        assert message["payload"]["schema"] == {"$ref": f"schemas/{name}.json"}
        assert message["payload"]["schemaFormat"] == "application/schema+json;version=draft-2020-12"


def test_the_committed_page_is_what_would_be_rendered() -> None:
    assert render_events.main(["--check"]) == 0, "run `python scripts/render_events.py`"


def test_a_stale_page_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "events.html"
    stale.write_text(page.render().replace("OrderPlaced", "OrderPlcaed", 1))
    monkeypatch.setattr(page, "PAGE", stale)
    assert render_events.main(["--check"]) == 1
    assert render_events.main([]) == 0
    assert render_events.main(["--check"]) == 0


class Page(HTMLParser):
    """What a page holds: ids, links, and whatever it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values: dict[str, Any] = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        if tag == "a":
            self.links.append(values["href"])
        self.loads += [values[name] for name in ("src", "srcset", "data") if name in values]
        self.loads += [values["href"]] if tag == "link" else []


def test_the_page_stands_alone_and_its_links_lead_somewhere() -> None:
    text = page.render()
    shown = Page(text)
    assert shown.loads == ["data:,"]
    assert not re.search(r"url\(|@import|https?://(?!tiffin\.example)", text)
    assert len(shown.ids) == len(set(shown.ids))
    assert set(names()) <= set(shown.ids)
    for link in shown.links:
        if link.startswith("#"):
            assert link[1:] in shown.ids, link
        else:
            assert (ROOT / "docs" / link).resolve().is_file(), link


def test_the_page_shows_every_field_of_every_event() -> None:
    text = page.render()
    for name in names():
        article = text.split(f'<article id="{name}">')[1].split("</article>")[0]
        for field in current().schema(name)["properties"]["data"]["properties"]:
            assert f"<code>{field}</code>" in article, f"{name}.{field}"


def test_the_page_shows_what_a_contract_says_as_text() -> None:
    assert str(page.prose("`<script>` **x** & y")) == "<code>&lt;script&gt;</code> <strong>x</strong> &amp; y"
    assert "<script>" not in page.highlighted({"<script>": ["</script>", 1, None]})
