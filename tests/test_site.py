"""What is ours of the documentation site: docstrings as reStructuredText, the check of links. `make docs` builds the site."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("sphinx")
DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    name: str = request.param
    module = import_module(name)
    monkeypatch.delitem(sys.modules, name)
    return module


@pytest.mark.parametrize("part", ["site_docstrings"], indirect=True)
@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("photos/**/*.png", r"photos/\*\*/\*.png"),
        ("`**options` of `open`", "`**options` of `open`"),
        ("name_ and name_of", r"name\_ and name_of"),
        ("a | b", r"a \| b"),
    ],
)
def test_text_of_docstrings_is_no_markup(part: ModuleType, line: str, text: str) -> None:
    assert part.plain(line) == text


@pytest.mark.parametrize("part", ["site_docstrings"], indirect=True)
def test_code_and_columns_are_literal(part: ModuleType) -> None:
    lines = ["Words.", "", "    import x", "    x.y()", "", "name    what", "", "Args:", "    a: b*"]
    part._escape(None, "module", "x", None, None, lines)
    assert lines == [
        *("Words.", "", ".. code-block:: python", "", "        import x", "        x.y()", ""),
        *(".. code-block:: text", "", "    name    what", "", "Args:", r"    a: b\*"),
    ]


@pytest.mark.parametrize("part", ["site_links"], indirect=True)
def test_links_that_lead_nowhere(part: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "page.html").write_text(
        '<h1 id="top-of-it">x</h1><img src="../none.svg"><a href="../b.html#there">b</a>', encoding="utf-8"
    )
    (tmp_path / "b.html").write_text(
        '<p id="there"></p><a href="a/page.html#none">a</a><a href="https://example.org/#x">x</a><a href="a/">a</a><a href="#there">b</a>',
        encoding="utf-8",
    )
    assert part.faults(tmp_path) == [
        "a/page.html: ../none.svg is not there",
        "b.html: a/ is not there",
        "b.html: a/page.html#none has no such anchor",
    ]
