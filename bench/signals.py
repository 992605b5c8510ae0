"""Signals that are the same on every machine, for comparisons between machines and between ways to compile."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from inrcodec import Signal


def signals() -> Iterator[tuple[str, Signal, tuple[int, ...]]]:
    """Names, signals and the efforts to encode them at. No libm: its last bits differ between machines."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:96, 0:80]
    wave = (x * x + 3 * x * y) // 7 % 511
    noise = rng.integers(-6, 7, (96, 80, 3))
    colour = np.abs(wave[..., None] - 255) // 2 + np.array([0, 11, 40]) + noise
    yield "colours, 8 bits", Signal(np.clip(colour, 0, 255).astype(np.uint8), "image"), (1, 4, 5)
    yield "a grey picture, 16 bits", Signal((wave * 97 + rng.integers(0, 900, wave.shape)).astype(np.uint16), "image"), (1, 5)
    yield "a drawing of 5 colours", Signal(rng.integers(0, 256, (5, 3))[(x // 9 + y // 7) % 5].astype(np.uint8), "image"), (4,)
    step = rng.integers(-40, 41, (6000, 2)).cumsum(0)
    sound = step * 3 + np.abs(np.arange(6000) % 200 - 100)[:, None] * 50
    yield "stereo, 16 bits", Signal(np.clip(sound, -32768, 32767).astype(np.int16), "audio", 16, 44100), (1, 4, 5)
    yield "mono, 24 bits", Signal((sound[:, :1] * 191).astype(np.int32), "audio", 24, 48000), (4,)
    yield "an array of 32 bits", Signal(rng.integers(-(2**30), 2**30, (40, 50), np.int32).cumsum(1, np.int32)), (4,)


def digest(data: Any) -> str:
    """The SHA-256 of bytes or of an array's little-endian bytes."""
    if isinstance(data, np.ndarray):
        data = data.astype(data.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(data).hexdigest()
