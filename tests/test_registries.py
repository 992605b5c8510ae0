"""Profiles, weight codings, transforms: each known by one registry. And the kernels' cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import inrcodec
from inrcodec import FormatError, Signal, codec, profiles
from inrcodec.cli import main
from inrcodec.kernels.picture import PREDICTORS
from inrcodec.kernels.predictors import WINDOWS
from inrcodec.layout import Layout
from inrcodec.options import CODING_NAMES, Options
from inrcodec.profiles.base import Encoded, Parts, Profile, Subject, TileDecoder
from inrcodec.profiles.hybrid.limits import SOUND
from inrcodec.profiles.hybrid.pictures.transforms import TRANSFORMS
from inrcodec.weights import codings

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "numbers",
    [
        [p.number for p in profiles.registered()],
        [p.name for p in profiles.registered()],
        [p.section for p in profiles.registered() if p.section],
        [c.number for c in codings.CODINGS],
        codings.NAMES,
        [t.name for t in TRANSFORMS.values()],
        [SOUND, *(t.number for t in TRANSFORMS.values())],
    ],
)
def test_names_and_numbers_are_not_taken_twice(numbers: Any) -> None:
    assert len(set(numbers)) == len(numbers) > 1


def test_codings_have_a_torch_side() -> None:
    pytest.importorskip("torch")
    from inrcodec.fit import codings as torch_side

    assert tuple(torch_side.CODINGS) == codings.NAMES == CODING_NAMES[1:]


def test_every_number_of_predictors_has_its_windows() -> None:
    """Each window gives two predictors, of which the last may be left out."""
    assert {used: len(windows) for used, windows in WINDOWS.items()} == {n: -(-n // 2) for n in WINDOWS}
    assert max(WINDOWS) == PREDICTORS


class Toy(Profile):
    """Constant bytes: the samples are what the encoder was given."""

    name = "toy"
    number = 55
    section = b"TOYS"
    codes = "bytes"
    words = "as they are"

    def applies(self, subject: Subject) -> bool:
        return subject.bits == 8

    def encode(self, subject: Subject, options: Options) -> Encoded:
        axes = subject.values.shape[:-1]
        content = inrcodec.container.Section(b"TOYS", subject.values.tobytes())
        return Encoded(self, Parts(Layout(axes, subject.values.shape[-1], axes), content, [b""]))

    def open(self, section: bytes | None, layout: Layout, bits: int, cut: bool = False) -> TileDecoder:
        return ToyDecoder(section or b"", layout)


class ToyDecoder(TileDecoder):
    def __init__(self, content: bytes, layout: Layout) -> None:
        self.content, self.layout = content, layout

    def decode_tile(self, box: Any, data: bytes, threads: int = 1, tick: Any = None) -> Any:
        return np.frombuffer(self.content, np.uint8).reshape(*self.layout.axes, self.layout.channels)

    def describe(self) -> dict[str, object]:
        return {"toy": True}


def test_a_new_profile_needs_nothing_but_its_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with pytest.raises(ValueError, match="toy"):
        inrcodec.encode(samples, profile="toy")
    monkeypatch.setattr(profiles, "PROFILES", (*profiles.PROFILES, Toy()))
    data = inrcodec.encode(samples, profile="toy")
    found = inrcodec.info(data)
    assert found["profile"] == "toy"
    assert found["bytes"]["plan"] > 256
    assert (inrcodec.decode(data).samples == samples).all()
    monkeypatch.undo()
    with pytest.raises(FormatError, match="TOYS"):
        inrcodec.decode(data)


def test_info_counts_plan_and_weights_of_hybrid(tmp_path: Path) -> None:
    data = inrcodec.encode(
        np.random.default_rng(0).integers(0, 200, (30, 30)).astype(np.uint8).cumsum(0) % 251, profile="hybrid", compact=False
    )
    found = inrcodec.info(data)
    section = next(s for s in codec.open_bytes(data).sections if s.type == b"HYBR")
    assert found["bytes"]["plan"] == section.size
    assert found["bytes"]["weights"] == 0
    assert found["weights"] is None
    assert sum(found["bytes"].values()) == len(data)
    (tmp_path / "a.linr").write_bytes(data)
    shown = CliRunner().invoke(main, ["info", str(tmp_path / "a.linr"), "--json"])
    assert json.loads(shown.stdout)["bytes"] == found["bytes"]


@pytest.mark.slow
def test_the_kernels_cache_sees_an_edit_of_an_inlined_stage(tmp_path: Path) -> None:
    """`code_bit` is inlined into kernels of other files. Numba by itself compares the age of the kernel's own file only."""
    shutil.copytree(ROOT / "inrcodec", tmp_path / "inrcodec", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    code = """
import numpy as np
from inrcodec.kernels import integers
print(integers.encode([np.arange(9)]).hex(), sum(integers._code.stats.cache_misses.values()))
"""

    def run() -> list[str]:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split()

    first, misses = run()
    assert misses == "1"
    assert run() == [first, "0"]
    path = tmp_path / "inrcodec" / "kernels" / "adaptive.py"
    stamp = path.stat()
    path.write_text(path.read_text("utf-8").replace("RATE[n]", "RATE[min(n, 3)]", 1).replace("rate = RATE", "rate = 0 * RATE"), "utf-8")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    changed, misses = run()
    assert misses == "1"
    assert changed != first
    kept = list((tmp_path / "cache").rglob("integers._code-*.nbc"))
    assert len(kept) == 1  # the one before was removed, unread: its classes need not be there any more


@pytest.mark.parametrize(
    ("signal", "says"),
    [
        (Signal(np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8) * 3 % 251, "image"), "least squares predictors"),
        (Signal((9000 * np.sin(np.arange(6000)[:, None] * [0.1, 0.13])).astype(np.int16), "audio", 16, 8000), "looks back"),
    ],
    ids=["picture", "sound"],
)
def test_info_tells_a_person_of_the_model(tmp_path: Path, signal: Signal, says: str) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes(inrcodec.encode(signal, profile="hybrid", effort=4))
    shown = CliRunner().invoke(main, ["info", str(path), "--stages"])
    assert shown.exit_code == 0
    assert says in shown.stdout
    assert " s\n" in shown.stdout  # how long each stage took
    spent = inrcodec.info(path.read_bytes(), stages=True)["stages"]
    assert sum(stage["bytes"] for stage in spent) <= path.stat().st_size
    assert all(abs(sum(s["bits"].values()) - 8 * s["bytes"]) < 0.05 * 8 * s["bytes"] + 512 for s in spent)
