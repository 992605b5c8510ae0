"""Every conformance file, with the package and with the decoder that was written from SPEC.md alone."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import inrcodec

FORMATS = Path(__file__).parent.parent / "formats"
VECTORS = FORMATS / "vectors"
STANDALONE = FORMATS / "standalone" / "linr.py"
MANIFEST: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text("utf-8"))
VALID = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" not in entry]
FAULTY = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" in entry]
# Faulty files that the package decodes although SPEC.md calls them invalid. Strict: a file that is refused again must leave this list.


@pytest.fixture(scope="module")
def linr() -> ModuleType:
    spec = importlib.util.spec_from_file_location("linr", STANDALONE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["linr"] = module  # dataclasses look for their module there
    spec.loader.exec_module(module)
    return module


def entry_of(samples: npt.NDArray[Any], kind: str, bit_depth: int, sample_rate: int | None, metadata: dict[str, bytes]) -> dict[str, Any]:
    """What the manifest has of a file, from what it decoded to."""
    little = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder("<")))
    return {
        "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
        "dtype": samples.dtype.str,
        "shape": list(samples.shape),
        "kind": kind,
        "bit_depth": bit_depth,
        "sample_rate": sample_rate,
        "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in metadata.items()},
    }


def expected(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("file", "what")}


@pytest.mark.parametrize("entry", VALID)
def test_both_decode(entry: dict[str, Any], linr: ModuleType) -> None:
    data = (VECTORS / entry["file"]).read_bytes()
    signal = inrcodec.decode(data)
    samples, about = linr.decode(data)
    assert entry_of(signal.samples, signal.kind, signal.bit_depth, signal.sample_rate, dict(signal.metadata)) == expected(entry)
    assert entry_of(samples, **about) == expected(entry)
    assert list(about["metadata"]) == list(signal.metadata) == list(entry["metadata"])  # in their order


@pytest.mark.parametrize("entry", FAULTY)
def test_package_refuses(entry: dict[str, Any], request: pytest.FixtureRequest) -> None:
    with pytest.raises(inrcodec.FormatError):
        inrcodec.decode((VECTORS / entry["file"]).read_bytes())


@pytest.mark.parametrize("entry", FAULTY)
def test_standalone_decoder_refuses(entry: dict[str, Any], linr: ModuleType) -> None:
    with pytest.raises(linr.Invalid):
        linr.decode((VECTORS / entry["file"]).read_bytes())


def test_manifest_lists_every_file() -> None:
    files = [entry["file"] for entry in MANIFEST]
    assert sorted(files) == sorted(path.relative_to(VECTORS).as_posix() for path in VECTORS.glob("*/*.linr"))
    for entry in MANIFEST:
        readme = (VECTORS / entry["file"]).parent / "README.md"
        assert f"| `{Path(entry['file']).name}` | {entry['what']} |" in readme.read_text("utf-8")


def test_truncation_anywhere_is_refused(linr: ModuleType) -> None:
    for file in ("subset/image-metadata.linr", "subset/inr-tiles-heads.linr"):
        data = (VECTORS / file).read_bytes()
        for length in range(len(data)):
            with pytest.raises(inrcodec.FormatError):
                inrcodec.decode(data[:length])
            with pytest.raises(linr.Invalid):
                linr.decode(data[:length])


def test_standalone_decoder_stands_alone(tmp_path: Path) -> None:
    """It runs as a program, and imports nothing of the package."""
    program = "import runpy, sys; sys.argv = sys.argv[1:]\n"
    program += "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    program += "finally: print([name for name in sys.modules if name.split('.')[0] in ('inrcodec', 'numba', 'torch')])"
    source = VECTORS / "subset" / "inr-tiles-heads.linr"
    target = tmp_path / "out.npy"
    result = subprocess.run(
        [sys.executable, "-c", program, str(STANDALONE), str(source), str(target)], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert result.stdout == "[]\n"
    assert np.array_equal(np.load(target), inrcodec.decode(source.read_bytes()).samples)
