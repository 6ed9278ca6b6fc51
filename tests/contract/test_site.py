"""The documentation as a site: every page is in it, every link leads somewhere, and it needs nothing from elsewhere."""

from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from worlds import ROOT, site
from worlds.docs import PAGES

NO_PAGES = [page for page in PAGES if page.is_relative_to(ROOT / "tests")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    assert site.build(folder) == ""
    return folder


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, site.Page]:
    """Each page of the site, the catalogue of events included."""
    return {path: site.Page(path) for path in built.rglob("*.html")}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository of a few pages, whose site is built with our settings."""
    for name in ("conf.py", "templates", "static"):
        there = tmp_path / "scripts" / "site" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if name == "conf.py":
            there.write_text((ROOT / "scripts" / "site" / name).read_text("utf-8"))
        else:
            there.symlink_to(ROOT / "scripts" / "site" / name)
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "api.py").write_text("answer = 42  # …\n")
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "docs" / "events.html").write_text('<a href="events.md">events</a> <a href="../services/api.py">code</a>')
    (tmp_path / "README.md").write_text("# Home\n\n[code](services/api.py), [all of it](services/)\n")
    return tmp_path


def test_every_page_is_in_it(built: Path) -> None:
    missing = [
        page
        for page in set(PAGES) - set(NO_PAGES)
        if not (built / page.relative_to(ROOT).with_suffix(".html")).is_file()
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
    assert len(pages) > 90
    assert {link for page in pages.values() for link in page.loaded if link.startswith(("http", "//"))} == set()


def test_what_is_no_page_is_there_as_text(built: Path) -> None:
    copy = built / "files" / "services" / "orders" / "orders" / "api.py.txt"
    assert copy.read_text("utf-8-sig") == (ROOT / "services" / "orders" / "orders" / "api.py").read_text("utf-8")


def test_what_is_wrong_is_said(small: Path) -> None:
    wrong = {
        "tour-1": ("[there](nowhere.md)", "target not found: 'nowhere.md'"),
        "tour-2": ("[there](../services/nowhere.py)", "target not found: '../services/nowhere.py'"),
        "tour-3": ("[there](../README.md#away)", "local id not found in doc 'README': 'away'"),
        "tour-4": ("[there](#away)", "target not found: 'away'"),
        "tour-5": ("![a picture](pictures/none.png)", "image file not readable: docs/pictures/none.png"),
        "tour-6": ("```json\n{]\n```", "Lexing literal_block"),
        "a-page-of-no-section": ("", "document isn't included in any toctree"),
    }
    for name, (written, _) in wrong.items():
        (small / "docs" / f"{name}.md").write_text(f"# {name}\n\n{written}\n")
    complaints = site.build(small / "build", small).splitlines()
    for name, (_, said) in wrong.items():
        [line] = [line for line in complaints if f"docs/{name}.md" in line]
        assert said in line
    # A page that a section names and that is not there.
    assert any("toctree contains reference to nonexisting document 'docs/laptop'" in line for line in complaints)


def test_a_folder_with_a_readme_is_one_page_with_others_below(small: Path) -> None:
    lessons = small / "docs" / "tour"
    lessons.mkdir()
    for name, title in (("README", "Tour"), ("01-order", "One"), ("02-pay", "Two")):
        (lessons / f"{name}.md").write_text(f"# {title}\n")
    (small / "README.md").write_text("# Home\n\n[the tour](docs/tour/)\n")
    assert "docs/tour" not in site.build(small / "build", small)
    assert "docs/tour/README.html" in site.Page(small / "build" / "README.html").links
    assert "02-pay.html" in site.Page(small / "build" / "docs" / "tour" / "01-order.html").links


@pytest.mark.parametrize(
    ("github", "code", "folder"),
    [
        ({}, "files/services/api.py.txt", "files/services.txt"),
        (
            {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "you/tiffin", "GITHUB_SHA": "abc"},
            "https://github.com/you/tiffin/blob/abc/services/api.py",
            "https://github.com/you/tiffin/tree/abc/services",
        ),
    ],
)
def test_code_is_looked_at_where_the_repository_is(small: Path, github: dict[str, str], code: str, folder: str) -> None:
    site.build(small / "build", small, **github)
    assert {code, folder} <= set(site.Page(small / "build" / "README.html").links)
    assert set(site.Page(small / "build" / "docs" / "catalogue.html").links) >= {
        code if github else f"../{code}",
    }
