"""Linear PCM: bytes of a file ↔ right-aligned integers, or floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..signal import Signal
from ..values import bits_of

MAX_BYTES = 4  # of one sample


@dataclass(frozen=True)
class Pcm:
    """How a file stores one sample: left-justified where there are more bits in its bytes than in the sample.

    Attributes:
        size: bytes per sample, 1 to 4; of floats 4 or 8.
        big_endian: whether the highest byte comes first.
        unsigned: whether half of the range is added, as in WAV files of up to 8 bits.
    """

    size: int
    big_endian: bool = False
    unsigned: bool = False
    floating: bool = False


def container(bit_depth: int) -> int:
    """The fewest bytes that hold a sample of `bit_depth` bits."""
    return (bit_depth + 7) // 8


def signed_type(bit_depth: int) -> type[np.signedinteger[Any]]:
    """The smallest of int8, int16 and int32 that holds samples of 1 to 32 bits."""
    return (np.int8, np.int16, np.int32, np.int32)[container(bit_depth) - 1]


def frames_of(signal: Signal, extension: str, floating: tuple[int, ...] = ()) -> npt.NDArray[Any]:
    """The samples of a sound as (frames, channels).

    Args:
        signal: what is to be written.
        extension: of the file, for the message.
        floating: the bits of floats that the file can hold.

    Raises:
        UnsupportedError: it is not sound, has floats that the file cannot hold, or has more bits than any of the sound formats here.
    """
    if signal.kind != "audio":
        raise UnsupportedError(f"a {extension} file holds sound, not {signal.kind} samples")
    is_float = signal.samples.dtype.kind == "f"
    if is_float and signal.bit_depth not in floating:
        others = ".wav and .npy hold them" if signal.bit_depth >= 32 else ".npy holds them"
        raise UnsupportedError(f"a {extension} file cannot hold floats of {signal.bit_depth} bits; {others}")
    if not is_float and signal.bit_depth > 8 * MAX_BYTES:
        raise UnsupportedError(f"a {extension} file cannot hold {signal.bit_depth} bits per sample; .npy can")
    frames: npt.NDArray[Any] = signal.samples.reshape(len(signal.samples), -1)
    return frames


def unpack(data: bytes | memoryview, bits: int, pcm: Pcm) -> tuple[npt.NDArray[Any], int]:
    """The samples of linear PCM and their bit depth.

    The depth is `bits`, what the file claims, if the bits below are all 0 as they should be, else that of the container.

    Args:
        data: whole samples, the channels of a frame together.
        bits: bits per sample that the file claims, at most 8 times `pcm.size`.
        pcm: how they are stored.

    Returns:
        right-aligned samples of shape (frames × channels,), int8, int16, int32, float32 or float64, and their depth in bits.
    """
    order = ">" if pcm.big_endian else "<"
    x: npt.NDArray[Any]
    if pcm.floating:
        raw = np.frombuffer(data, f"{order}u{pcm.size}")
        return raw.astype(f"u{pcm.size}").view(f"f{pcm.size}"), 8 * pcm.size
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
    """The bytes that `unpack` reads as these samples.

    Args:
        samples: (frames,) or (frames, channels), signed, right-aligned; or floats.
        bit_depth: their bits, at most 8 times `pcm.size`.
        pcm: how they are to be stored.
    """
    if pcm.floating:
        return bits_of(samples).astype(f"{'>' if pcm.big_endian else '<'}u{pcm.size}").tobytes()
    x = samples.astype(np.int32) << (8 * pcm.size - bit_depth)
    if pcm.size == 1:
        raw = x.astype(np.int8).view(np.uint8)
        return (raw ^ 0x80 if pcm.unsigned else raw).tobytes()
    if pcm.size == 3:
        triples = np.ascontiguousarray(x, "<i4").view(np.uint8).reshape(-1, 4)[:, :3]
        return (triples[:, ::-1] if pcm.big_endian else triples).tobytes()
    return x.astype(f"{'>' if pcm.big_endian else '<'}i{pcm.size}").tobytes()
