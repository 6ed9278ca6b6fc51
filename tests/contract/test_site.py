"""How the documentation becomes a site: what is wrong is said, and what becomes of links, on a few pages.

The whole site is looked at by `tests/browser/test_site.py`.
"""

from pathlib import Path

import pytest
from worlds import ROOT, site


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
    (tmp_path / "docs" / "events.html").write_text(
        '<a href="events.md">events</a> <a href="../services/api.py">code</a>'
    )
    (tmp_path / "docs" / "events.md").write_text("# Events\n")
    (tmp_path / "README.md").write_text("# Home\n\n[code](services/api.py), [all of it](services/)\n")
    return tmp_path


def test_what_is_wrong_is_said(small: Path) -> None:
    wrong = {
        "tour-1": ("[there](nowhere.md)", "target not found: 'nowhere.md'"),
        "tour-2": ("[there](../services/nowhere.py)", "target not found: '../services/nowhere.py'"),
        "tour-3": ("[there](../README.md#away)", "local id not found in doc 'README': 'away'"),
        "tour-4": ("[there](#away)", "target not found: 'away'"),
        "tour-5": ("![a picture](pictures/none.png)", "image file not readable: docs/pictures/none.png"),
        "a-page-of-no-section": ("", "document isn't included in any toctree"),
    }
    for name, (written, _) in wrong.items():
        (small / "docs" / f"{name}.md").write_text(f"# {name}\n\n{written}\n")
    complaints = site.build(small / "build", small).splitlines()
    for name, (_, said) in wrong.items():
        [line] = [line for line in complaints if f"docs/{name}.md" in line]
        assert said in line
    # A page that a section names and that is not there.
    assert any("toctree contains reference to non-included document 'docs/laptop'" in line for line in complaints)


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
