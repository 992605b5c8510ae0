"""A folder of some 200 tiny files of many types, for tests of many files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image

import inrcodec
from inrcodec import files
from inrcodec.tensors import Tensors

WHEN = 1_600_000_000  # seconds since 1970; files have times of their own from here on
FOREIGN = ("README.txt", ".DS_Store", "deep/.gitkeep")
CODED = ("coded.linr",)
LOSSY = ("photo.jpg",)
FAULTY = ("empty.png", "cut.png", "text.wav")


def picture(seed: int, *shape: int) -> npt.NDArray[np.uint8]:
    """A picture that is neither flat nor noise."""
    return np.cumsum(np.random.default_rng(seed).integers(-3, 4, shape), axis=1).astype(np.uint8)


def make(root: Path, count: int = 24) -> list[str]:
    """Make the tree; the names of all files in it that can be encoded, sorted. count: of each of eight types."""
    good: list[str] = []
    (root / "deep").mkdir(parents=True)
    (root / "wide").mkdir()
    for i in range(count):
        folder = ("", "deep", "deep/er", "wide")[i % 4]
        (root / folder).mkdir(parents=True, exist_ok=True)
        name = (root / folder).joinpath
        grey, colours = picture(i, 12 + i % 5, 15), picture(i + 100, 10, 14, 3)
        Image.fromarray(colours).save(name(f"{i:03}.png"), dpi=(300, 300))
        Image.fromarray(grey).save(name(f"{i:03}.tif"))
        Image.fromarray(colours).save(name(f"{i:03}.bmp"))
        sound = np.cumsum(picture(i, 90, 2).astype(np.int16) - 128, axis=0).astype(np.int16)
        soundfile.write(name(f"{i:03}.wav"), sound, 44100)
        soundfile.write(name(f"{i:03}.flac"), sound, 44100)
        np.save(name(f"{i:03}.npy"), grey.astype(np.float32) / 4)
        np.savez(name(f"{i:03}.npz"), a=grey, b=np.arange(i + 1))
        files.write_tensors(name(f"{i:03}.safetensors"), Tensors.of({"w": grey.astype(np.float32)}))
        good += [f"{folder}/{i:03}.{end}".lstrip("/") for end in ("png", "tif", "bmp", "wav", "flac", "npy", "npz", "safetensors")]
    (root / "README.txt").write_text("what is in this folder")
    (root / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "deep" / ".gitkeep").touch()
    (root / "empty.png").touch()
    (root / "cut.png").write_bytes((root / good[0]).read_bytes()[:60])
    (root / "text.wav").write_text("no sound")
    (root / "coded.linr").write_bytes(inrcodec.encode(np.arange(9), profile="stored"))
    jpeg = io.BytesIO()
    Image.fromarray(picture(1, 16, 16, 3)).save(jpeg, "JPEG")
    (root / "photo.jpg").write_bytes(jpeg.getvalue())
    for number, path in enumerate(sorted(path for path in root.rglob("*") if path.is_file())):
        os.utime(path, (WHEN + number, WHEN + number + 0.25))
    (root / good[0]).chmod(0o600)
    (root / "wide").chmod(0o750)
    os.utime(root / "wide", (WHEN, WHEN))
    return sorted(good, key=lambda name: name.split("/"))


def names_of(results: Any) -> list[str]:
    """The names of the sources of results."""
    return [result.task.name for result in results]


def left_over(*folders: Path) -> list[Path]:
    """Temporary files that should have gone."""
    return [path for folder in folders for path in folder.rglob(".inrcodec-*")]
