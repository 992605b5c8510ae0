"""Codecs of arrays: Blosc2 and pcodec. Shape and type, which a file would say beside, are not counted."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import imagecodecs as ic
import numpy as np

from ..signal import Kind, Signal
from ..values import parts_of
from .base import FLOATS, Peer, Samples, Unsuited, native, package, types

SHUFFLES = ("bitshuffle", "shuffle")  # of Blosc2
DELTAS = ("auto", "order 1", "order 2", "lookback", "convolution")  # of pcodec
LEVEL = 12  # of pcodec, the highest


def encode_blosc(shuffle: str, array: Samples, threads: int) -> bytes:
    """Blosc2 with Zstandard at its highest level, of the array as it lies in memory."""
    data = ic.blosc2_encode(array.tobytes(), level=9, compressor="zstd", shuffle=shuffle, typesize=array.itemsize, numthreads=threads)
    return bytes(data)


def decode_blosc(data: bytes, like: Samples, threads: int) -> Samples:
    """What `encode_blosc` was given. like: an array of the same shape and type."""
    return np.frombuffer(ic.blosc2_decode(data, numthreads=threads), like.dtype).reshape(like.shape)


def suits_pcodec(delta: str, array: Samples) -> None:
    """Raise Unsuited unless an array has numbers of 16 bits or more; for a convolution, of fewer than 64."""
    types(array, "uint16", "int16", "uint32", "int32", *FLOATS, *(("uint64", "int64") if delta != "convolution" else ()))
    if delta == "convolution" and array.itemsize == 8:
        raise Unsuited("takes at most 32 bits")


def encode_pcodec(delta: str, array: Samples) -> bytes:
    """pcodec of the array as one sequence. delta: one of DELTAS, how values are predicted from earlier ones. Raises Unsuited."""
    pcodec = package("pcodec")
    made = pcodec.DeltaSpec
    spec = {
        "auto": made.auto,
        "order 1": partial(made.try_consecutive, 1),
        "order 2": partial(made.try_consecutive, 2),
        "lookback": made.try_lookback,
        "convolution": partial(made.try_conv1, 16),
    }[delta]()
    config = pcodec.ChunkConfig(compression_level=LEVEL, delta_spec=spec)
    return bytes(pcodec.standalone.simple_compress(array.reshape(-1), config))


def decode_pcodec(data: bytes, like: Samples) -> Samples:
    """What `encode_pcodec` was given. like: an array of the same shape and type. Raises Unsuited."""
    return np.asarray(package("pcodec").standalone.simple_decompress(data)).reshape(like.shape)


class _OfArrays(Peer):
    """A codec of arrays: one string of bytes."""

    kinds: tuple[Kind, ...] = ("array",)

    def size(self, coded: bytes) -> int:
        return len(coded)

    def samples(self, decoded: Samples, signal: Signal) -> Samples:
        like = signal.samples
        whole = decoded.view(like.dtype.newbyteorder("=")) if like.dtype.kind == "c" and decoded.dtype.kind == "f" else decoded
        return whole.astype(like.dtype, copy=False).reshape(like.shape)


class Blosc2(_OfArrays):
    """Blosc2: shuffled bytes or bits, and Zstandard. It takes all arrays."""

    name = "Blosc2"
    settings = "Zstandard, level 9, bits or bytes shuffled, what is smaller"

    def version(self) -> str:
        return str(ic.blosc2_version())

    def check(self, signal: Signal) -> None:
        """Every array suits it."""

    def encode(self, prepared: Signal, threads: int) -> bytes:
        return min((encode_blosc(shuffle, prepared.samples, threads) for shuffle in SHUFFLES), key=len)

    def decode(self, coded: bytes, prepared: Signal, threads: int) -> Samples:
        return decode_blosc(coded, prepared.samples, threads)


class Pcodec(_OfArrays):
    """pcodec, for numbers of 16 bits or more."""

    name = "pcodec"
    settings = f"level {LEVEL}"

    def missing(self) -> str:
        return "" if find_spec("pcodec") else "the package pcodec is not installed; install with: pip install pcodec"

    def version(self) -> str:
        return f"pcodec {version('pcodec')}"

    def check(self, signal: Signal) -> None:
        suits_pcodec("auto", parts_of(signal.samples[..., :1]))

    def prepare(self, signal: Signal, folder: Any) -> Samples:
        return parts_of(native(signal.samples))

    def encode(self, prepared: Samples, threads: int) -> bytes:
        return encode_pcodec("auto", prepared)

    def decode(self, coded: bytes, prepared: Samples, threads: int) -> Samples:
        return decode_pcodec(coded, prepared)
