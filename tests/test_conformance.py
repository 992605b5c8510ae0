"""Every conformance file, with the package and with the decoder that was written from SPEC.md alone."""

from __future__ import annotations

import contextlib
import hashlib
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
from inrcodec.errors import LossyError

FORMATS = Path(__file__).parent.parent / "formats"
VECTORS = FORMATS / "vectors"
STANDALONE = FORMATS / "standalone" / "linr.py"
MANIFEST: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text("utf-8"))
VALID = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" not in entry and "lossy" not in entry]
SLOW = {  # in the standalone decoder they take more than a second
    *(f"subset/sound_{name}.linr" for name in ("step_pair", "step_mono", "lags", "copies")),
    *(f"subset/hybrid_{name}.linr" for name in ("turned", "array_volume", "array_floats")),
    *(f"subset/hybrid_array_encoded_{name}.linr" for name in ("int16", "uint32", "bricks", "float32", "bfloat16", "complex")),
    *(f"subset/compact_preset_{number}.linr" for number in (6, 7)),
    *(f"uncommon/sound_{name}.linr" for name in ("step_all", "lags_4")),
    *(f"uncommon/hybrid_array_{name}.linr" for name in ("lines_15", "grain_64", "grain_minus_2048", "lags_same", "table_floats")),
    *(f"uncommon/hybrid_array_{name}.linr" for name in ("binary32", "binary64", "image_3")),
}
VALID_OF_TWO = [pytest.param(*one.values, id=one.id, marks=[pytest.mark.slow] if one.id in SLOW else []) for one in VALID]
LOSSY = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "lossy" in entry]
FAULTY = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" in entry]
VIEWS = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "views" in entry]


def entry_of(
    samples: npt.NDArray[Any], kind: str, bit_depth: int, sample_rate: int | None, metadata: dict[str, bytes], bfloat16: bool = False
) -> dict[str, Any]:
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
        **({"bfloat16": True} if bfloat16 else {}),
    }


def expected(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("file", "what", "views")}


@pytest.mark.parametrize("entry", VALID)
def test_the_package_decodes(entry: dict[str, Any]) -> None:
    signal = inrcodec.decode((VECTORS / entry["file"]).read_bytes())
    about = (signal.kind, signal.bit_depth, signal.sample_rate, dict(signal.metadata), signal.bfloat16)
    assert entry_of(signal.samples, *about) == expected(entry)
    assert list(signal.metadata) == list(entry["metadata"])  # in their order


@pytest.mark.parametrize("entry", VALID_OF_TWO)
def test_the_standalone_decoder_decodes(entry: dict[str, Any], linr: ModuleType) -> None:
    samples, about = linr.decode((VECTORS / entry["file"]).read_bytes())
    assert entry_of(samples, **about) == expected(entry)
    assert list(about["metadata"]) == list(entry["metadata"])


def test_the_slow_vectors_are_there() -> None:
    """A name that no vector has would leave nothing out."""
    assert {one.id for one in VALID} >= SLOW


@pytest.mark.parametrize("entry", FAULTY)
def test_package_refuses(entry: dict[str, Any]) -> None:
    with pytest.raises(inrcodec.FormatError):
        inrcodec.decode((VECTORS / entry["file"]).read_bytes())


@pytest.mark.parametrize("entry", FAULTY)
def test_standalone_decoder_refuses(entry: dict[str, Any], linr: ModuleType) -> None:
    with pytest.raises(linr.Invalid):
        linr.decode((VECTORS / entry["file"]).read_bytes())


@pytest.mark.parametrize("entry", LOSSY)
def test_neither_gives_samples_of_a_lossy_file(entry: dict[str, Any], linr: ModuleType) -> None:
    data = (VECTORS / entry["file"]).read_bytes()
    with pytest.raises(LossyError):
        inrcodec.decode(data)
    with pytest.raises(linr.NoSamples):
        linr.decode(data)
    found = inrcodec.info(data)
    assert not found["lossless"]
    assert [found[key] for key in ("kind", "shape", "bit_depth", "sample_rate")] == [
        entry[key] for key in ("kind", "shape", "bit_depth", "sample_rate")
    ]


def view_of(samples: npt.NDArray[Any]) -> dict[str, Any]:
    """What the manifest has of the samples of a view."""
    little = samples.astype(samples.dtype.newbyteorder("<"))
    return {
        "shape": list(samples.shape),
        "bytes": samples.dtype.itemsize,
        "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
    }


@pytest.mark.parametrize("entry", VIEWS)
def test_both_give_what_a_network_alone_says(entry: dict[str, Any], linr: ModuleType) -> None:
    """Of a file that was cut, the standalone decoder is given the whole one."""
    data = (VECTORS / entry["file"]).read_bytes()
    whole = (VECTORS / entry.get("whole", entry["file"])).read_bytes()
    for view in entry["views"]:
        expected = {key: view[key] for key in ("shape", "bytes", "sha256")}
        size, more, known = tuple(view["size"]), view["more_bits"], view["known"]
        configuration = view["configuration"] and tuple(view["configuration"])
        theirs, _ = linr.deeper(whole, more) if known else linr.network_only(whole, size, more, configuration)
        assert view_of(theirs) == expected
        depth = inrcodec.info(whole)["bit_depth"] + more if more else 0
        ours = inrcodec.render(
            data,
            sizes=size,
            bit_depth=depth,
            network_only=not known,
            config=configuration,
            fill="network" if known else "smooth",
            threads=1,
        )
        assert view_of(ours.samples) == expected


def test_a_network_that_was_cut_off_is_not_there() -> None:
    """Of each file that was cut, the first configuration that its views do not have is missing."""
    for entry in (entry for entry in MANIFEST if "whole" in entry):
        data, whole = ((VECTORS / file).read_bytes() for file in (entry["file"], entry["whole"]))
        there = [tuple(view["configuration"]) for view in entry["views"]]
        every = [(c["layers"], c["hidden"]) for c in inrcodec.info(whole)["network"]["configurations"]]
        assert every[: len(there)] == there
        with pytest.raises(inrcodec.UnsupportedError, match="it has no network"):
            inrcodec.render(data, config=every[len(there)], threads=1)


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


@pytest.mark.parametrize("file", ["lossy/inr-sinr", "subset/inr-values-sinr", "lossy/inr-supernet", "uncommon/inr-parts-one"])
def test_what_is_left_of_a_file_that_was_cut_says_the_same(file: str) -> None:
    """Of a network that was cut somewhere, either nothing is left, or it is one that the whole file has."""
    data = (VECTORS / f"{file}.linr").read_bytes()
    found = inrcodec.info(data)["network"].get("configurations", [])
    configurations: list[Any] = [(c["layers"], c["hidden"]) for c in found] or [None]
    left: dict[Any, int] = {}
    for config in configurations:
        right = inrcodec.render(data, network_only=True, config=config, threads=1).samples
        for length in range(len(data)):
            try:
                samples = inrcodec.render(data[:length], network_only=True, config=config, threads=1).samples
            except inrcodec.InrcodecError:
                continue
            assert np.array_equal(samples, right), (config, length)
            left.setdefault(config, length)
    assert list(left) == configurations
    assert list(left.values()) == sorted(left.values())


@pytest.mark.parametrize("entry", FAULTY)
def test_a_network_is_refused_with_a_fault_of_the_file(entry: dict[str, Any]) -> None:
    """A faulty file may have a network that is whole. No fault makes asking it crash."""
    with contextlib.suppress(inrcodec.FormatError, inrcodec.UnsupportedError):
        inrcodec.render((VECTORS / entry["file"]).read_bytes(), network_only=True, threads=1, max_samples=10_000)


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
