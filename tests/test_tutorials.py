"""The tutorials run from top to bottom, and print what they show."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pages import Page, Step, alike, outputs

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
NEEDED = {"clusters": ("fsspec", "ray"), "fitting": ("torch", "sklearn", "matplotlib"), "zarr": ("zarr", "xarray", "h5py")}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_prints_what_it_shows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in NEEDED.get(path.stem, ()):
        if find_spec(module) is None:
            pytest.skip(f"needs {module}")
    page = Page(path)
    assert len(page.steps) > 5
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:  # short: Ray's sockets lie in it, and have a limit
        for setting, value in (("RAY_TMPDIR", folder), ("RAY_AUTH_MODE", "disabled"), ("MPLBACKEND", "agg")):
            monkeypatch.setenv(setting, value)
        monkeypatch.chdir(folder)
        for step, came in outputs(page):
            assert alike(step, came), f"{path.name}, line {step.line}: shown is\n{step.shown}\nbut came\n{came}"
        monkeypatch.undo()  # out of the folder, which Windows could not remove otherwise


def written(folder: Path, text: str) -> Page:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return Page(path)


def test_steps_of_a_page(tmp_path: Path) -> None:
    text = "# A\n\n```python\nx = 3\nprint(x)\n```\n\n```text\n3\n```\n\n"
    text += "<!-- numbers vary -->\n```console\n$ inrcodec a \\\n> b\nc 5\nd\n$ inrcodec e\n```\n\nWords.\n\n```text\nof no step\n```\n"
    page = written(tmp_path, text)
    assert [(s.code, s.command, s.line, s.shown, s.numbers_vary) for s in page.steps] == [
        ("x = 3\nprint(x)\n", False, 4, "3\n", False),
        ("inrcodec a b", True, 14, "c 5\nd\n", True),
        ("inrcodec e", True, 18, "", True),
    ]
    assert [page.text[slice(*s.place)] for s in page.steps] == [s.shown for s in page.steps]


@pytest.mark.parametrize(
    ("shown", "came", "numbers_vary", "same"),
    [
        ("5 bytes, 3.1 s", "5 bytes, 44 s\n", False, True),
        ("5 bytes, 3.1 s", "6 bytes, 3.1 s", False, False),
        ("5 bytes", "6,1 bytes", True, True),
        ("5 bytes", "5 bits", True, False),
        ("…/coded: 6 files", "/tmp/x/coded: 6 files", False, True),
        ("a/b", "a\\b", False, True),
        ("", "a warning", False, False),
        ("a.b", "axb", False, False),
    ],
)
def test_what_is_alike(shown: str, came: str, numbers_vary: bool, same: bool) -> None:
    assert alike(Step("", True, 1, shown, (0, 0), numbers_vary), came) is same


def test_pages_run_in_one_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = "```python\nx = 3\n```\n\n```python\nprint(x + 1)\n```\n\n"
    page = written(tmp_path, blocks + "```console\n$ inrcodec --version\n$ inrcodec info none.linr\n```\n")
    came = [output for _, output in outputs(page)]
    assert came[:2] == ["", "4\n"]
    assert came[2].startswith("inrcodec")
    assert came[3] == "inrcodec: none.linr: cannot be read: no such file or directory\n"


@pytest.mark.parametrize("command", ["rm x", "inrcodec info --no-such-option", "inrcodec nothing"])
def test_commands_that_are_wrong(tmp_path: Path, command: str) -> None:
    with pytest.raises(AssertionError, match=r"page\.md, line 2"):
        list(outputs(written(tmp_path, f"```console\n$ {command}\n```\n")))
