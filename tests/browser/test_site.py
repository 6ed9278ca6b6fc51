"""The documentation's site, whole: each link leads somewhere, nothing comes from elsewhere, and what a reader sees.

A browser opens it from the file system, without a network.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from worlds import ROOT, chromium, site
from worlds.docs import PAGES, blocks
from worlds.windows import LOOKS, NARROW, browser

pytestmark = pytest.mark.laptop("own")
DRAWN = sorted({block.page for block in blocks("mermaid")})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    draws = ROOT / "scripts" / "site" / "node_modules"
    chromium.needed(draws.is_dir(), "what draws diagrams is not there: `make docs` fetches it")
    assert site.build(folder) == ""
    return folder


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, site.Page]:
    """Each page of the site, the catalogue of events included."""
    return {path: site.Page(path) for path in built.rglob("*.html") if "_static" not in path.parts}


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    chromium.is_there()
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
    page.close()
    # Words around what was found are asked of a server; of the file system there are none.
    assert set(complaints) <= {"Failed to fetch"}


def at(built: Path, page: Path) -> str:
    """Where a page of the repository is on the site."""
    return (built / page.relative_to(ROOT).with_suffix(".html")).as_uri()


def test_every_page_is_in_it(built: Path) -> None:
    missing = [
        page
        for page in PAGES
        if not page.is_relative_to(ROOT / "tests")
        and not (built / page.relative_to(ROOT).with_suffix(".html")).is_file()
    ]
    assert missing == []
    assert (built / "index.html").read_text("utf-8") == (built / "README.html").read_text("utf-8")


def test_every_link_leads_to_something(built: Path, pages: dict[Path, site.Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            name, anchor = urldefrag(unquote(link.partition("?")[0]))
            target = (path.parent / name).resolve() if name else path
            if ":" not in name and not (
                target.is_file() and (not anchor or target not in pages or anchor in pages[target].ids)
            ):
                lost.append(f"{path.relative_to(built)}: {link}")
    assert lost == []


def test_a_browser_loads_nothing_from_elsewhere(pages: dict[Path, site.Page]) -> None:
    assert len(pages) > 80
    assert {link for page in pages.values() for link in page.loaded if link.startswith(("http", "//"))} == set()


def test_what_is_no_page_is_there_as_text(built: Path) -> None:
    copy = built / "files" / "services" / "orders" / "orders" / "api.py.txt"
    assert copy.read_text("utf-8-sig") == (ROOT / "services" / "orders" / "orders" / "api.py").read_text("utf-8")


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


@pytest.mark.parametrize(("word", "title"), [("tombstone", "Payments"), ("item_count", "Events")])
def test_a_word_is_found_without_a_network(built: Path, page: Page, word: str, title: str) -> None:
    page.goto((built / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type(word)
    page.keyboard.press("Enter")
    found = page.locator("#search-results").get_by_role("link", name=title, exact=True)
    expect(found).to_be_visible()
    found.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def test_no_page_is_wider_than_a_phone(built: Path, pages: dict[Path, site.Page], page: Page) -> None:
    page.set_viewport_size(NARROW)
    wide = []
    for path in sorted(pages):
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path.relative_to(built))
    assert wide == []
