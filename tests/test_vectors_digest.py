"""The conformance vectors are what they were, and formats/check_digest.py notices if they are not."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "formats" / "check_digest.py"
NAMES: dict[str, Any] = runpy.run_path(str(SCRIPT))
main: Callable[..., int] = NAMES["main"]
digest_of: Callable[[Path], str] = NAMES["digest_of"]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A small folder of vectors with its digest."""
    (tmp_path / "subset").mkdir()
    (tmp_path / "subset" / "b.linr").write_bytes(b"two")
    (tmp_path / "subset" / "a.linr").write_bytes(b"one\r\n")
    (tmp_path / "subset" / "README.md").write_text("not a vector")
    (tmp_path / "manifest.json").write_bytes(b"[\n]\n")
    assert main(["--write"], tmp_path) == 0
    return tmp_path


def test_vectors_are_what_they_were() -> None:
    assert main([]) == 0


def test_digest_is_that_of_the_sorted_list(vectors: Path) -> None:
    files = [("manifest.json", b"[\n]\n"), ("subset/a.linr", b"one\r\n"), ("subset/b.linr", b"two")]
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files)
    assert digest_of(vectors) == hashlib.sha256(lines.encode()).hexdigest()
    assert (vectors / "SHA256").read_bytes() == digest_of(vectors).encode() + b"\n"
    assert main([], vectors) == 0


def change(vectors: Path) -> None:
    (vectors / "subset" / "a.linr").write_bytes(b"one\n")


def add(vectors: Path) -> None:
    (vectors / "subset" / "c.linr").write_bytes(b"")


def take_away(vectors: Path) -> None:
    (vectors / "subset" / "b.linr").unlink()


def rename(vectors: Path) -> None:
    (vectors / "subset" / "b.linr").rename(vectors / "subset" / "d.linr")


def change_manifest(vectors: Path) -> None:
    (vectors / "manifest.json").write_bytes(b"[]\n")


@pytest.mark.parametrize("edit", [change, add, take_away, rename, change_manifest])
def test_a_difference_is_named_in_one_line(edit: Callable[[Path], None], vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digest_of(vectors)
    edit(vectors)
    assert main([], vectors) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert before in error
    assert digest_of(vectors) in error
    assert "--write" in error
    assert main(["--write"], vectors) == 0
    assert main([], vectors) == 0


def test_line_ends_of_the_manifest_do_not_count(vectors: Path) -> None:
    (vectors / "manifest.json").write_bytes(b"[\r\n]\r\n")
    assert main([], vectors) == 0


@pytest.mark.parametrize("name", ["SHA256", "manifest.json"])
def test_a_missing_file_is_named(name: str, vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (vectors / name).unlink()
    assert main([], vectors) == 1
    assert name in capsys.readouterr().err
