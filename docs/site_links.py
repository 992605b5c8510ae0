"""Links of the site: to files that are no pages, from the root of the site to its first page, and whether all of them lead somewhere.

GitHub shows every file of the repository. On the site, a link to a file that is no page leads to a copy of it, at the same place.
"""

from __future__ import annotations

import posixpath
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
FIRST_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>inrcodec</title>
<meta http-equiv="refresh" content="0; url={page}">
<a href="{page}">Documentation of inrcodec</a>
</html>
"""


class _Page(HTMLParser):
    """What a page of the built site has: the targets in it, and where its links, pictures and scripts lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.targets |= {given[name] for name in ("id", "name") if name in given}
        self.links |= {given[name] for name in ("href", "src") if name in given}


def faults(site: Path) -> list[str]:
    """The links inside of a built site that lead nowhere, a line each. An anchor must be in the page that it names."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file():
                found.append(f"{path.relative_to(site).as_posix()}: {link} is not there")
            elif anchor and target in pages and anchor not in pages[target].targets | {"top"}:
                found.append(f"{path.relative_to(site).as_posix()}: {link} has no such anchor")
    return found


def _link_to_copies(app: Sphinx, doctree: nodes.document) -> None:
    """Turn downloads, which is what MyST makes of a link to a file that is no page, into links to a copy of the file."""
    for node in list(doctree.findall(addnodes.download_reference)):
        folder = posixpath.dirname(app.env.current_document.docname)
        name = posixpath.normpath(posixpath.join(folder, node["reftarget"].removeprefix("/")))
        if node["reftarget"].startswith("/"):
            name = node["reftarget"].removeprefix("/")
        files: set[str] = app.env.metadata[app.env.current_document.docname].setdefault("linked_files", set())
        files.add(name)
        link = nodes.reference("", "", *node.children, refuri=posixpath.relpath(name, folder or "."), internal=True)
        node.replace_self(link)


def _results_are_orphans(app: Sphinx, doctree: nodes.document) -> None:
    """Pages of results are reached from the table of bench/results/README.md; a list of all of them would bury the other pages."""
    name = app.env.current_document.docname
    if name.startswith("bench/results/") and not name.endswith("/README"):
        app.env.metadata[name]["orphan"] = True


def _finish(app: Sphinx, fault: Exception | None) -> None:
    """Copy linked files, lead from the root to the first page, and check all links."""
    if fault is not None or app.builder.format != "html":
        return
    out, root = Path(app.outdir), app.config.root_doc
    for metadata in app.env.metadata.values():
        for name in metadata.get("linked_files", ()):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(app.srcdir) / name, out / name)
    (out / "index.html").write_text(FIRST_PAGE.format(page=app.builder.get_target_uri(root)), encoding="utf-8")
    for line in faults(out):
        logger.warning("%s", line, type="site", subtype="link")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", _link_to_copies, priority=100)  # before Sphinx collects downloads
    app.connect("doctree-read", _results_are_orphans)
    app.connect("build-finished", _finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
