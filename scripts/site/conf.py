"""The documentation as a site: which page is in which section, and what becomes of links. Sphinx reads it: `make docs`.

The pages stay where they are and what they are on GitHub, Markdown with relative links. Sphinx warns of a page that is
in no section, and of a link to a page, heading or picture that is not there; `make docs` takes a warning for an error.
What leads to a file of the repository that is no page (code, templates, folders) is settled here: to the repository,
where its address is known; otherwise to a copy on the site, as text.
"""

import fnmatch
import os
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
HOME = "README"

SECTIONS = {
    "Start": ["docs/laptop", "docs/console", "docs/deploying", "docs/after-a-deployment", "CONTRIBUTING"],
    "Tour": ["docs/tour*"],
    "How to": [
        "docs/add-*", "docs/make-it-yours", "docs/forking", "docs/changing", "docs/menus", "docs/sam-local",
        "docs/tracing", "docs/operating",
    ],
    "How it works": [
        "docs/payments", "docs/promotions", "docs/live", "docs/streams", "docs/large-files", "docs/privacy",
        "docs/threats",
    ],
    "Reference": ["docs/api", "docs/events", "docs/access", "docs/reference/*"],
    "Runbooks": ["docs/runbooks/*"],
    "Tried and measured": [
        "docs/faults", "docs/isolation", "docs/permissions", "docs/benchmarks", "docs/load", "docs/capacity",
        "docs/cost",
    ],
    "Other ways": ["docs/compare*", "docs/ways-not-taken", "examples/*"],
    "Decisions": ["docs/decisions*"],
    "Words and news": ["docs/glossary", "CHANGELOG"],
}  # fmt: skip
"""Each section's pages in sequence, by their paths without suffix; `*` stands for anything, folders included. Of a
folder that has a README, the README stands in the section, and its other pages below it."""

# Where a file of the repository is looked at: on GitHub, as its runner says (`.github/workflows/docs.yml`).
REPOSITORY = (
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}".format_map(os.environ) if "GITHUB_REPOSITORY" in os.environ else ""
)
REVISION = os.environ.get("GITHUB_SHA", "HEAD")
# Without a repository's address: the folder of copies.
COPIES = Path("files")
# The catalogue of events would be written over: Sphinx makes a page of that name of `docs/events.md`.
CATALOGUE, CATALOGUE_THERE = Path("docs/events.html"), Path("docs/catalogue.html")
DRAWING = "mermaid"

project = html_title = "Tiffin"
language = "en"
extensions = ["myst_parser"]
root_doc = HOME
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**.md", "examples/*/README.md"]
exclude_patterns = [".*", "**/node_modules", "build"]
nitpicky = True
smartquotes = False
myst_heading_anchors = 6
# What is markup to MyST alone, and text to GitHub.
myst_disable_syntax = ["myst_block_break", "myst_line_comment", "myst_role", "myst_target"]
# A block without a language is a shell's (tests/contract/test_docs_commands.py).
highlight_language = "sh"

html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "logo": {"text": project},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "search_as_you_type": True,
    "navigation_with_keys": False,
}
html_context = {"default_mode": "auto"}
html_sidebars = {"**": ["sections"]}
html_static_path = ["static", "node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_copy_source = html_show_sphinx = html_show_copyright = html_use_index = False

_copied: set[Path] = set()


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of what is ours: sections, links, drawings and copies."""
    app.add_lexer(DRAWING, TextLexer)
    # Before Sphinx's own collectors, which note what is in a section and what would be downloaded.
    app.connect("doctree-read", _sections, priority=100)
    app.connect("doctree-read", _links, priority=100)
    app.connect("html-page-context", _drawings)
    app.connect("build-finished", _files)
    return {"parallel_read_safe": False}


def _sections(app: Sphinx, page: nodes.document) -> None:
    """Put the sections below the home page, and a folder's pages below its README."""
    docs, docname = app.env.found_docs, app.env.current_document.docname
    if docname == HOME:
        for caption, patterns in SECTIONS.items():
            named = [name for pattern in patterns for name in _matching(docs, pattern)]
            page += _toctree(docname, [name for name in named if _readme(name) not in docs - {name}], caption)
    elif docname.endswith(f"/{HOME}"):
        page += _toctree(docname, sorted(name for name in docs - {docname} if _readme(name) == docname))


def _matching(docs: set[str], pattern: str) -> list[str]:
    # A name that is no pattern stays even if there is no such page: Sphinx says so.
    return sorted(fnmatch.filter(docs, pattern)) if "*" in pattern else [pattern]


def _readme(docname: str) -> str:
    """The README beside a page of a folder."""
    folder, _, _ = docname.rpartition("/")
    return f"{folder}/{HOME}"


def _toctree(parent: str, names: list[str], caption: str | None = None) -> nodes.compound:
    tree = addnodes.toctree(
        "", parent=parent, entries=[(None, name) for name in names], includefiles=names, caption=caption,
        rawcaption=caption, maxdepth=-1, glob=False, hidden=True, includehidden=False, numbered=0, titlesonly=True,
    )  # fmt: skip
    return nodes.compound("", tree, classes=["toctree-wrapper"])


def _links(app: Sphinx, page: nodes.document) -> None:
    """Settle each link that leads to a file or folder of the repository which is no page."""
    docname = app.env.current_document.docname
    for link in [*page.findall(addnodes.download_reference), *page.findall(addnodes.pending_xref)]:
        if link["reftype"] != "myst":
            continue
        named, _, anchor = link["reftarget"].partition("#")
        path = Path(named if link["refdomain"] == "doc" else app.env.relfn2path(named, docname)[0])
        if link["refdomain"] == "doc":
            if named in app.env.found_docs:
                continue
            path = path.with_name(f"{path.name}.md")
        if (readme := (path / HOME).as_posix()) in app.env.found_docs:
            link["refdomain"], link["reftarget"], link["reftargetid"] = "doc", readme, None
        elif (ROOT / path).exists():
            link.replace_self(nodes.reference("", "", *link.children, refuri=_address(docname, path, anchor)))


def _address(docname: str, path: Path, anchor: str = "") -> str:
    """Where a file or folder of the repository is looked at, from a page."""
    if path == CATALOGUE:
        there = CATALOGUE_THERE
    elif REPOSITORY:
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{REPOSITORY}/{kind}/{REVISION}/{path.as_posix()}" + (f"#{anchor}" if anchor else "")
    else:
        _copied.add(path)
        there = COPIES / f"{path}.txt"
    return "../" * docname.count("/") + there.as_posix()


def _drawings(app: Sphinx, _name: str, _template: str, _context: dict[str, Any], page: nodes.document | None) -> None:
    """Load what draws diagrams, where there is one."""
    if page and any(block.get("language") == DRAWING for block in page.findall(nodes.literal_block)):
        app.add_js_file("mermaid.tiny.js", loading_method="defer")
        app.add_js_file("drawings.js", loading_method="defer")


def _files(app: Sphinx, failed: Exception | None) -> None:
    """Write what is no page of Sphinx's: the way in, the catalogue of events, and copies of what is linked."""
    if failed:
        return
    site = Path(app.outdir)
    shutil.copy(site / f"{HOME}.html", site / "index.html")
    catalogue = (ROOT / CATALOGUE).read_text("utf-8")

    def relinked(found: re.Match[str]) -> str:
        path = Path(os.path.normpath(CATALOGUE.parent / found[1]))
        page = path.with_suffix("").as_posix()
        there = f"../{page}.html" if page in app.env.found_docs else _address(CATALOGUE_THERE.as_posix(), path)
        return f'href="{there}"'

    (site / CATALOGUE_THERE).parent.mkdir(exist_ok=True)
    (site / CATALOGUE_THERE).write_text(re.sub(r'href="([^"#:]+)"', relinked, catalogue), "utf-8")
    for path in _copied:
        source, copy = ROOT / path, site / COPIES / f"{path}.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text("utf-8") if source.is_file() else "".join(f"{name}\n" for name in _listed(source))
        # With a mark, as a browser would take a file without a header for another encoding.
        copy.write_text(text, "utf-8-sig")


def _listed(folder: Path) -> list[str]:
    return sorted(
        path.name + "/" * path.is_dir() for path in folder.iterdir() if path.name[0] not in "._" or path.is_file()
    )
