"""A folder of small files of every kind, for the tests of the viewer."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import inrcodec
from inrcodec import Signal, Tensor, Tensors, known

RATE = 8000
OUTSIDE = "outside.linr"


def samples() -> dict[str, Signal]:
    """The signals in the folder, by the names of their files."""
    rng = np.random.default_rng(1)
    smooth = np.cumsum(np.cumsum(rng.integers(-2, 3, (96, 128, 3)), axis=0), axis=1).astype(np.uint8)
    tone = 9000 * np.sin(np.arange(6000) / 9)
    stereo = np.stack([tone, -tone], axis=1).astype(np.int16)
    fields = rng.normal(size=(20, 30)).astype(np.float32)
    fields[3, 4] = np.nan
    grainy = np.add.outer(np.arange(256), np.arange(256)) // 4 + rng.integers(0, 32, (256, 256))
    return {
        "preview.linr": Signal(grainy.astype(np.uint8), "image"),
        "photo.linr": Signal(smooth, "image"),
        "deep.linr": Signal(smooth.astype(np.uint16) * 250 + 7, "image", 16),
        "stack.linr": Signal(np.stack([smooth[:32, :40], 255 - smooth[:32, :40]]), "stack"),
        "sub/floats.linr": Signal(fields, "array"),
        "volume.linr": Signal(rng.integers(-900, 900, (3, 16, 20)).astype(np.int16), "array"),
        "line.linr": Signal(np.cumsum(rng.normal(size=500)).astype(np.float32), "array"),
        "complex.linr": Signal((rng.normal(size=(9, 10)) + 2j).astype(np.complex64), "array"),
        "sound.linr": Signal(stereo, "audio", 16, RATE),
        "wide.linr": Signal(np.repeat(stereo[:2000, :1].astype(np.int32) * 200, 3, axis=1), "audio", 24, RATE),
        "slow.linr": Signal(stereo[:100], "audio", 16, 10),
    }


def make_folder(folder: Path) -> dict[str, Signal]:
    """Fill a folder; a file outside.linr lies beside it, and link.linr leads there where the system has links. Returns `samples`."""
    known_signals = samples()
    (folder / "sub").mkdir(parents=True)
    for name, signal in known_signals.items():
        options: dict[str, Any] = {"effort": 1, "threads": 1}
        if name == "photo.linr":
            options["tile"] = 64
        if name == "preview.linr":
            options["preview"] = True
        if signal.kind == "array":
            options["profile"] = "stored"
        (folder / name).write_bytes(inrcodec.encode(signal, **options))
    photo = bytearray((folder / "photo.linr").read_bytes())
    photo[len(photo) // 2] ^= 1
    (folder / "damaged.linr").write_bytes(photo)
    (folder / "nonsense.linr").write_bytes(b"this is no file of that kind")
    (folder / "arrays.linr").write_bytes(inrcodec.encode_arrays({"speed": np.arange(30.0), "<b>": np.arange(4)}, effort=1))
    tensors = Tensors({"w": Tensor("F32", np.arange(3, dtype=np.float32).view(np.uint32))}, {})
    (folder / "tensors.linr").write_bytes(inrcodec.encode(tensors))
    with resources.as_file(resources.files(known) / "inr-bitlinear-sinr.linr") as network:
        shutil.copy(network, folder / "network.linr")
    (folder / "notes.txt").write_text("no .linr file", encoding="utf-8")
    shutil.copy(folder / "photo.linr", folder.parent / OUTSIDE)
    with suppress(OSError, NotImplementedError):  # on Windows, not everybody may make links
        os.symlink(folder.parent / OUTSIDE, folder / "link.linr")
        os.symlink(folder.parent, folder / "up", target_is_directory=True)
    return known_signals
