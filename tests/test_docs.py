"""The documentation says what is true: links lead somewhere, examples run, command lines have options that exist."""

from __future__ import annotations

import re
import shlex
import tempfile
import unicodedata
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from inrcodec.cli import main

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *(path for folder in ("docs", "formats", "bench") for path in sorted((ROOT / folder).rglob("*.md"))),
]
WITH_EXAMPLES = [README, *(ROOT / "docs" / name for name in ("usage.md", "integrations.md", "bench.md", "viewer.md"))]
LONGEST_README = 120  # lines
COMMAND = re.compile(r"^    (?:.venv/bin/)?(inrcodec .*?)(?: {2,}.*)?$", re.M)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


def prose(document: Path) -> str:
    """The text without code, in which brackets mean something else."""
    without = FENCED.sub("", text_of(document))
    without = re.sub(r"^(?: {4}|\t).*$", "", without, flags=re.M)
    return re.sub(r"`[^`\n]*`", "", without)


def anchors(document: Path) -> set[str]:
    """What GitHub makes of the headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?) *$", FENCED.sub("", text_of(document)), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().replace(" ", "-")
        slug = "".join(c for c in plain if c in "-_" or unicodedata.category(c)[0] in "LNM")
        repeated = sum(re.fullmatch(re.escape(slug) + r"(-\d+)?", f) is not None for f in found)
        found.add(f"{slug}-{repeated}" if repeated else slug)
    return found


def links(document: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)) if "://" not in link]


def examples(language: str) -> list[tuple[str, str]]:
    """(name, code) of the fenced blocks of a language."""
    found = []
    for document in WITH_EXAMPLES:
        blocks = [code for kind, code in FENCED.findall(text_of(document)) if kind == language]
        found += [(f"{named(document)}, block {i}", code) for i, code in enumerate(blocks)]
    return found


def commands() -> list[str]:
    """Every `inrcodec …` in an indented block."""
    return sorted({line for document in WITH_EXAMPLES for line in COMMAND.findall(text_of(document))})


def test_readme_is_a_landing_page() -> None:
    assert len(text_of(README).splitlines()) <= LONGEST_README


def test_readme_names_the_commands_that_are_there() -> None:
    targets = re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.M)
    named_ones = re.findall(r"^    make (\w+)", text_of(README), re.M)
    assert set(named_ones) >= {"demo", "test"}
    assert set(named_ones) <= set(targets)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_file(), f"{named(document)} links to {link}"  # the site has no pages of folders
        if anchor:
            assert anchor in anchors(target), f"{named(document)} links to {link}"


@pytest.mark.parametrize("folder", ["docs", "docs/tutorials", "docs/api", "bench/results"])
def test_pages_are_listed(folder: str) -> None:
    """A page that nothing leads to is not found: each is in the list of its folder, or in that of the folder above."""
    place = ROOT / folder
    lists = [list_ for list_ in (place / "README.md", place.parent / "README.md", place.parent / "api.md") if list_.exists()]
    listed = {(list_.parent / link.partition("#")[0]).resolve() for list_ in lists for link in links(list_)}
    assert {page.name for page in place.glob("*.md") if page.resolve() not in listed} <= {"README.md", "index.md"}


@pytest.mark.parametrize("module", ["inrcodec", "inrcodec.batch", "inrcodec.compare", "inrcodec.files", "inrcodec.sound"])
def test_public_names_are_in_the_reference(module: str) -> None:
    inside = ("CHECKPOINTS", "SEEK_CUR", "SEEK_END", "SEEK_SET", "files", "lossy")  # numbers and modules
    reference = "\n".join(text_of(page) for page in sorted((ROOT / "docs" / "api").glob("*.md")))
    shown: set[str] = set()
    for block in re.findall(r"^```\{eval-rst\}\n(.*?)^```$", reference, re.M | re.S):
        current = re.findall(r"currentmodule:: (\S+)|^\.\. auto(?:function|class|exception):: (\S+)", block, re.M)
        place = ""
        for there, name in current:
            place = there or place
            shown.add(f"{place}.{name}" if name else "")
    missing = [name for name in import_module(module).__all__ if f"{module}.{name}" not in shown and name not in inside]
    assert not missing


@pytest.mark.parametrize(("name", "code"), examples("python"), ids=lambda value: value if "block" in value else "")
def test_python_runs(name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if 'profile="inr"' in code and not (find_spec("torch") and find_spec("sklearn")):
        pytest.skip("needs the extra `fit`")
    for module, sign in (("torch", "torch"), ("fsspec", "fsspec"), ("ray", "RayExecutor")):
        if sign in code:
            pytest.importorskip(module)
    with tempfile.TemporaryDirectory(prefix="r") as folder:  # a short name: those of Ray's sockets are in it, and have a limit
        for setting, value in (("RAY_TMPDIR", folder), ("RAY_AUTH_MODE", "disabled")):
            monkeypatch.setenv(setting, value)
        exec(compile(code, name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("line", commands())
def test_command_lines_parse(line: str) -> None:
    """Arguments and options as click takes them; nothing is run, and no file is opened."""
    _, name, *arguments = shlex.split(line)
    assert isinstance(main, click.Group)
    command = main.commands[name]
    assert command.make_context(name, arguments) is not None


def test_command_lines_are_found() -> None:
    assert len(commands()) > 8
    assert {line.split()[1] for line in commands()} == set(main.commands)
