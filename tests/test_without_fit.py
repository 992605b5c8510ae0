"""Without the extra `fit`: everything decodes, `hybrid` encodes, and what needs torch says so in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inrcodec
from inrcodec import Signal, files

# torch and scikit-learn are hidden, as if they were not installed
HIDDEN = """
import sys, importlib.abc

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ("torch", "sklearn") else find(name, package)
from inrcodec.cli import main
main(sys.argv[1:])
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDDEN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, encoding="utf-8")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    y, x = np.mgrid[0:150, 0:160]
    noise = np.random.default_rng(0).normal(0, 2, (150, 160, 3))
    shapes = 80 * np.sin(y / 9) * np.cos(x / 7) + 40 * (np.hypot(y - 70, x - 50) < 40)
    files.write(path, Signal(np.clip(120 + shapes[..., None] + noise, 0, 255).astype(np.uint8), "image"))
    return path


def test_hybrid_encodes_and_decodes(photo: Path, tmp_path: Path) -> None:
    result = run("encode", photo)
    assert (result.returncode, result.stderr) == (0, "")
    result = run("decode", photo.with_suffix(".linr"), "-o", tmp_path / "back.png")
    assert (result.returncode, result.stderr) == (0, "")
    assert files.read(tmp_path / "back.png").equals(files.read(photo))


def test_inr_decodes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    samples = np.arange(96, dtype=np.uint8).reshape(8, 12)
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(samples, profile="inr", hidden=8, steps=2, weights="uniform"))
    result = run("decode", tmp_path / "a.linr", "-o", tmp_path / "a.npy")
    assert (result.returncode, result.stderr) == (0, "")
    assert np.array_equal(np.load(tmp_path / "a.npy"), samples)


def test_what_needs_torch_says_so(photo: Path) -> None:
    for arguments in (("encode", photo, "--profile", "inr"), ("demo", "--directory", photo.parent / "demo")):
        result = run(*arguments)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert "needs torch and scikit-learn; install with: pip install torch scikit-learn" in line
        assert result.stdout == ""
    assert [p.name for p in photo.parent.iterdir()] == ["photo.png"]


def test_a_picture_is_not_fitted_to(photo: Path) -> None:
    result = run("encode", photo, "--tune")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "pip install torch scikit-learn" in line
    assert not photo.with_suffix(".linr").exists()


def test_auto_fits_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.arange(600, dtype=np.int64).reshape(20, 30) ** 3)
    result = run("encode", tmp_path / "wide.npy", "--effort", "4")
    assert (result.returncode, result.stderr) == (0, "")
    assert inrcodec.info((tmp_path / "wide.linr").read_bytes())["profile"] != "inr"
