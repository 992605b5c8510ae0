"""Linear PCM: bytes of a file ↔ right-aligned integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..signal import Signal

MAX_BYTES = 4  # of one sample


@dataclass(frozen=True)
class Pcm:
    """How a file stores one sample: in `size` bytes, left-justified where there are more of them than bits."""

    size: int
    big_endian: bool = False
    unsigned: bool = False


def container(bit_depth: int) -> int:
    """The fewest bytes that hold `bit_depth` bits."""
    return (bit_depth + 7) // 8


def signed_type(bit_depth: int) -> type[np.signedinteger[Any]]:
    """The smallest of int8, int16, int32 for that many bits."""
    return (np.int8, np.int16, np.int32, np.int32)[container(bit_depth) - 1]


def frames_of(signal: Signal, extension: str) -> npt.NDArray[Any]:
    """The samples as (frames, channels).

    Raises:
        UnsupportedError: it is not sound, or has more bits than any of the sound formats here.
    """
    if signal.kind != "audio":
        raise UnsupportedError(f"a {extension} file holds sound, not {signal.kind} samples")
    if signal.bit_depth > 8 * MAX_BYTES:
        raise UnsupportedError(f"a {extension} file cannot hold {signal.bit_depth} bits per sample; .npy can")
    frames: npt.NDArray[Any] = signal.samples.reshape(len(signal.samples), -1)
    return frames


def unpack(data: bytes | memoryview, bits: int, pcm: Pcm) -> tuple[npt.NDArray[Any], int]:
    """Samples and their bit depth.

    The depth is `bits`, what the file claims, if the bits below are all 0 as they should be, else that of the container.
    """
    order = ">" if pcm.big_endian else "<"
    x: npt.NDArray[Any]
    if pcm.size == 1:
        raw = np.frombuffer(data, np.uint8)
        x = (raw ^ 0x80 if pcm.unsigned else raw).view(np.int8)
    elif pcm.size == 3:
        triples = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(triples), 4), np.uint8)
        wide[:, 1:] = triples[:, ::-1] if pcm.big_endian else triples
        x = wide.view("<i4")[:, 0] >> 8
    else:
        x = np.frombuffer(data, f"{order}i{pcm.size}")
    depth = 8 * pcm.size
    unused = depth - bits
    if unused and not np.any(x & ((1 << unused) - 1)):
        x = x >> unused
        depth = bits
    return x.astype(signed_type(depth)), depth


def pack(samples: npt.NDArray[Any], bit_depth: int, pcm: Pcm) -> bytes:
    """The reverse of `unpack`; frame by frame, the channels of a frame together."""
    x = samples.astype(np.int32) << (8 * pcm.size - bit_depth)
    if pcm.size == 1:
        raw = x.astype(np.int8).view(np.uint8)
        return (raw ^ 0x80 if pcm.unsigned else raw).tobytes()
    if pcm.size == 3:
        triples = np.ascontiguousarray(x, "<i4").view(np.uint8).reshape(-1, 4)[:, :3]
        return (triples[:, ::-1] if pcm.big_endian else triples).tobytes()
    return x.astype(f"{'>' if pcm.big_endian else '<'}i{pcm.size}").tobytes()
