"""Every conformance file of bundles, with the package and with the decoder that was written from SPEC.md alone; and changed ones."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import inrcodec
from bench.fuzz import bundles as fuzz
from inrcodec.files import safetensors

FORMATS = Path(__file__).parent.parent / "formats"
BUNDLES = FORMATS / "bundles"
MANIFEST: list[dict[str, Any]] = json.loads((BUNDLES / "manifest.json").read_text("utf-8"))
VALID = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" not in entry]
FAULTY = [pytest.param(entry, id=entry["file"]) for entry in MANIFEST if "invalid" in entry]


@pytest.fixture(scope="module")
def theirs(linr: ModuleType) -> ModuleType:
    """The standalone decoder of bundles."""
    found: ModuleType = linr.beside("linr_tensors")
    return found


@pytest.mark.parametrize("entry", VALID)
def test_both_decode(entry: dict[str, Any], theirs: ModuleType) -> None:
    data = (BUNDLES / entry["file"]).read_bytes()
    ours = inrcodec.decode_tensors(data, threads=1)
    tensors, metadata = theirs.decode_tensors(data)
    first = [(name, t.dtype, list(t.shape), hashlib.sha256(t.raw()).hexdigest()) for name, t in ours.tensors.items()]
    second = [(name, t.dtype, list(t.shape), hashlib.sha256(t.raw).hexdigest()) for name, t in tensors.items()]
    assert first == second == [(t["name"], t["dtype"], t["shape"], t["sha256"]) for t in entry["tensors"]]
    assert dict(ours.metadata) == metadata
    assert {key: hashlib.sha256(value).hexdigest() for key, value in metadata.items()} == entry["metadata"]
    assert inrcodec.info(data)["lossless"] == all("lossy" not in about for about in inrcodec.info(data)["tensors"])


@pytest.mark.parametrize("entry", FAULTY)
def test_both_refuse(entry: dict[str, Any], theirs: ModuleType) -> None:
    data = (BUNDLES / entry["file"]).read_bytes()
    with pytest.raises(inrcodec.FormatError) as caught:
        inrcodec.decode_tensors(data, threads=1)
    assert "\n" not in str(caught.value)
    with pytest.raises(theirs.Invalid):
        theirs.decode_tensors(data)


def test_manifest_lists_every_file() -> None:
    files = [entry["file"] for entry in MANIFEST]
    assert sorted(files) == sorted(path.relative_to(BUNDLES).as_posix() for path in BUNDLES.glob("*/*.linr"))
    for entry in MANIFEST:
        readme = (BUNDLES / entry["file"]).parent / "README.md"
        assert f"| `{Path(entry['file']).name}` | {entry['what']} |" in readme.read_text("utf-8")


def test_the_standalone_decoder_writes_safetensors(tmp_path: Path) -> None:
    source, target = BUNDLES / "valid" / "tied.linr", tmp_path / "out.safetensors"
    command = [sys.executable, str(FORMATS / "standalone" / "linr_tensors.py"), str(source), str(target)]
    subprocess.run(command, check=True, cwd=tmp_path)
    ours = inrcodec.decode_tensors(source.read_bytes())
    found = inrcodec.files.read_tensors(target)
    assert list(found.tensors) == list(ours.tensors)
    assert all(found.tensors[name].equals(tensor) for name, tensor in ours.tensors.items())
    assert target.read_bytes()[8:].startswith(safetensors.header_of(found))
    assert struct.unpack("<Q", target.read_bytes()[:8])[0] == len(safetensors.header_of(found))


@pytest.mark.parametrize("share", range(4))
def test_changed_bundles_decode_rightly_or_are_refused(share: int, theirs: ModuleType) -> None:
    """What the fuzzer makes: both decoders say the same of every file, and nothing but a FormatError or LimitError is raised."""
    seen = {"decoded": 0, "refused": 0, "limited": 0}
    for number in range(share, 1200, 4):
        seen[fuzz.judge(fuzz.changed(1, number), theirs)] += 1
    assert seen["decoded"] > 5
    assert seen["refused"] > 50


def test_a_judge_sees_a_decoder_that_differs(theirs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (BUNDLES / "valid" / "floats.linr").read_bytes()
    assert fuzz.judge(data, theirs) == "decoded"
    right = theirs.decode_tensors(data)
    monkeypatch.setattr(theirs, "decode_tensors", lambda _: ({}, right[1]))
    with pytest.raises(fuzz.Wrong, match="other tensors"):
        fuzz.judge(data, theirs)
    with pytest.raises(fuzz.Wrong, match="takes it"):
        fuzz.judge(data[:-1], theirs)
