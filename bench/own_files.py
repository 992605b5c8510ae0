"""The files of the example in docs/bench.md.

    python -m bench.own_files FOLDER

A photograph that was a JPEG, the same reduced to half its size, notes with
noise, and a volume.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from .array_data import turbulence
from .common import photo8
from .sound import RATE, music


def make(folder: Path) -> None:
    """Write the files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = photo8(256)
    Image.fromarray(photo).save(folder / "photo.png")
    reduced = np.rint(photo.reshape(128, 2, 128, 2, 3).mean((1, 3))).astype(np.uint8)
    Image.fromarray(reduced).save(folder / "reduced.png")
    soundfile.write(folder / "notes.wav", music(), RATE, subtype="PCM_16")
    np.save(folder / "flow.npy", np.rint(900 * turbulence(32, 5 / 3, 0)).astype(np.int16))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
