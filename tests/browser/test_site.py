"""The documentation's site as a reader sees it, from the file system, without a network: drawings and search."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from worlds import ROOT, chromium, site
from worlds.docs import blocks
from worlds.windows import LOOKS, NARROW, browser

pytestmark = [
    pytest.mark.laptop("own"),
    pytest.mark.skipif(chromium.program() is None, reason=f"none of {', '.join(chromium.NAMES)} is on the path"),
]
DRAWN = sorted({block.page for block in blocks("mermaid")})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    site.build(folder)
    if not (folder / "_static" / "mermaid.tiny.js").is_file():
        pytest.skip("what draws diagrams is not there: `make docs` fetches it")
    return folder


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    with sync_playwright() as playwright, browser(playwright) as chrome:
        context = chrome.new_context(reduced_motion="reduce")
        context.set_offline(True)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    page.close()


def at(built: Path, page: Path) -> str:
    """Where a page of the repository is on the site."""
    return (built / page.relative_to(ROOT).with_suffix(".html")).as_uri()


@pytest.mark.parametrize("drawn", DRAWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_diagram_is_drawn_light_and_dark(built: Path, page: Page, drawn: Path) -> None:
    many = sum(block.page == drawn for block in blocks("mermaid"))
    colours = set()
    for look in LOOKS:
        page.emulate_media(color_scheme=look)
        page.goto(at(built, drawn))
        expect(page.locator(".drawing svg[aria-roledescription]")).to_have_count(many)
        expect(page.locator(".drawing svg[aria-roledescription=error]")).to_have_count(0)
        colours.add(page.locator(".drawing svg style").first.text_content())
    assert len(colours) == len(LOOKS)


def test_a_word_is_found_without_a_network(built: Path, page: Page) -> None:
    page.goto((built / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("tombstone")
    page.keyboard.press("Enter")
    found = page.get_by_role("listitem").get_by_role("link", name="Payments")
    expect(found).to_be_visible()
    found.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Payments")


def test_no_page_is_wider_than_a_phone(built: Path, page: Page) -> None:
    page.set_viewport_size(NARROW)
    wide = []
    for path in sorted(built.rglob("*.html")):
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path.relative_to(built))
    assert wide == []
