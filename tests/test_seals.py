"""Sealed conformance vectors never change, and formats/seals.py notices if one does."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FORMATS = Path(__file__).parent.parent / "formats"
NAMES: dict[str, Any] = runpy.run_path(str(FORMATS / "seals.py"))
main: Callable[..., int] = NAMES["main"]


@pytest.fixture
def formats(tmp_path: Path) -> Path:
    """Three folders of vectors, and a prior beside them, with a seal, 1.0.0."""
    tmp_path = tmp_path / "formats"
    prior = tmp_path.parent / "inrcodec" / "weights" / "priors" / "p.prior"
    prior.parent.mkdir(parents=True)
    prior.write_bytes(b"prior")
    for folder in ("vectors", "bundles", "arrays"):
        (tmp_path / folder / "valid").mkdir(parents=True)
        names = ["valid/a.linr", "valid/b.linr"]
        for name in names:
            (tmp_path / folder / name).write_bytes(f"{folder} {name}".encode())
        write_manifest(tmp_path / folder, names)
    assert main(["--seal", "1.0.0"], tmp_path) == 0
    return tmp_path


def write_manifest(folder: Path, names: list[str], **more: Any) -> None:
    entries = [{"file": name, "what": "a vector", "sha256": "0" * 64, "shape": [2, 3]} | more for name in names]
    (folder / "manifest.json").write_text(json.dumps(entries, indent=1), "utf-8")


def test_the_project_s_vectors_are_as_they_were_sealed() -> None:
    assert main([]) == 0


def test_the_first_seal_holds_all() -> None:
    lines = (FORMATS / "seals" / "1.0.0.sha256").read_text("ascii").splitlines()
    vectors = [line for line in lines if line.endswith(".linr")]
    assert len(vectors) > 1300
    assert len(vectors) == len((FORMATS / "seals" / "1.0.0-answers.sha256").read_text("ascii").splitlines())
    assert len(lines) - len(vectors) == len(list((FORMATS.parent / "inrcodec").rglob("*.prior")))


def test_a_seal_is_a_list_of_sha256sum(formats: Path) -> None:
    lines = (formats / "seals" / "1.0.0.sha256").read_bytes().decode().splitlines()
    assert len(lines) == 7
    assert lines[0] == f"{hashlib.sha256(b'prior').hexdigest()}  ../inrcodec/weights/priors/p.prior"
    assert lines[1] == f"{hashlib.sha256(b'arrays valid/a.linr').hexdigest()}  arrays/valid/a.linr"
    assert main([], formats) == 0


def change(formats: Path) -> None:
    (formats / "vectors" / "valid" / "b.linr").write_bytes(b"other")


def take_away(formats: Path) -> None:
    (formats / "vectors" / "valid" / "b.linr").unlink()


def change_answer(formats: Path) -> None:
    write_manifest(formats / "vectors", ["valid/a.linr", "valid/b.linr"], shape=[3, 2])


def forget_answer(formats: Path) -> None:
    write_manifest(formats / "vectors", ["valid/a.linr"])


@pytest.mark.parametrize("edit", [change, take_away, change_answer, forget_answer])
def test_what_changed_is_named(edit: Callable[[Path], None], formats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(formats)
    assert main([], formats) == 1
    assert "vectors/valid/b.linr" in capsys.readouterr().err
    assert main(["--seal", "1.1.0"], formats) == 1  # nothing is sealed over a broken seal
    assert not (formats / "seals" / "1.1.0.sha256").exists()


def test_vectors_may_be_added_and_explained_anew(formats: Path) -> None:
    (formats / "arrays" / "valid" / "c.linr").write_bytes(b"new")
    write_manifest(formats / "arrays", ["valid/a.linr", "valid/b.linr", "valid/c.linr"], what="told in other words")
    assert main([], formats) == 0
    assert main(["--seal", "1.1.0"], formats) == 0
    assert (formats / "seals" / "1.1.0.sha256").read_text("ascii").endswith("  arrays/valid/c.linr\n")
    (formats / "arrays" / "valid" / "c.linr").write_bytes(b"newer")
    assert main([], formats) == 1


def test_a_vector_without_an_answer_is_not_sealed(formats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (formats / "arrays" / "valid" / "c.linr").write_bytes(b"new")
    assert main(["--seal", "1.1.0"], formats) == 1
    assert "arrays/valid/c.linr is in no manifest" in capsys.readouterr().err


def test_a_prior_that_changes_is_named(formats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (formats.parent / "inrcodec" / "weights" / "priors" / "p.prior").write_bytes(b"better")
    assert main([], formats) == 1
    assert "../inrcodec/weights/priors/p.prior: it has changed" in capsys.readouterr().err


def test_nothing_new_and_a_damaged_seal_are_named(formats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seal", "1.1.0"], formats) == 1
    assert "everything has a seal" in capsys.readouterr().err
    (formats / "seals" / "1.0.0.sha256").write_text("nonsense\n", "ascii")
    assert main([], formats) == 1
    assert "1.0.0.sha256, line 1" in capsys.readouterr().err
