"""Codecs of bytes, as peers: of the array as it lies in memory, shuffled by bytes or bits, and of differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import imagecodecs as ic
import numpy as np

from inrcodec.peers.numbers import SHUFFLES, decode_blosc, encode_blosc

from .base import Peer, Samples, Streams, Unsuited, anything, of_one, package

There = Callable[[Samples], bytes]
Back = Callable[[bytes, Samples], bytes]
Coder = Callable[[bytes], Any]  # gives something like bytes


def shuffled(array: Samples) -> bytes:
    """All first bytes of values, then all second ones, and so on."""
    return array.reshape(-1).view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def unshuffled(data: bytes, like: Samples) -> bytes:
    """What was shuffled."""
    return np.frombuffer(data, np.uint8).reshape(like.itemsize, -1).T.tobytes()


def differences(array: Samples) -> bytes:
    """Floats by the predictor of TIFF along the last axis, others as differences along it, shuffled."""
    if array.dtype.kind == "f":
        return np.asarray(ic.floatpred_encode(array, axis=-1)).tobytes()
    steps = array.copy()
    steps[..., 1:] -= array[..., :-1]
    return shuffled(steps)


def sums(data: bytes, like: Samples) -> bytes:
    """What had these differences."""
    if like.dtype.kind == "f":
        return np.asarray(ic.floatpred_decode(np.frombuffer(data, like.dtype).reshape(like.shape), axis=-1)).tobytes()
    return np.cumsum(np.frombuffer(unshuffled(data, like), like.dtype).reshape(like.shape), -1, like.dtype).tobytes()


def raw(array: Samples) -> bytes:
    """The array as it lies in memory."""
    return array.tobytes()


def same(data: bytes, like: Samples) -> bytes:
    """The same."""
    return data


FILTERS: dict[str, tuple[There, Back]] = {"raw": (raw, same), "shuffle": (shuffled, unshuffled), "differences": (differences, sums)}


def suits_filter(kind: str, array: Samples) -> None:
    """What differs from the raw bytes."""
    if kind == "shuffle" and array.itemsize == 1:
        raise Unsuited("is the same raw")


def encode(there: There, coder: Coder, array: Samples, threads: int) -> Streams:
    """One stream."""
    return [bytes(coder(there(array)))]


def decode(back: Back, coder: Coder, streams: Streams, like: Samples, threads: int) -> Samples:
    """The array of a stream."""
    return np.frombuffer(back(bytes(coder(streams[0])), like), like.dtype).reshape(like.shape)


def peers() -> list[Peer]:
    """All of them."""
    coders: list[tuple[str, Coder, Coder]] = [
        ("Zstandard 19", partial(ic.zstd_encode, level=19), ic.zstd_decode),
        ("Brotli 11", partial(ic.brotli_encode, level=11, lgwin=24), ic.brotli_decode),
        ("LZMA 9", partial(ic.lzma_encode, level=9), ic.lzma_decode),
        ("bzip2 9", lambda data: package("numcodecs").BZ2(9).encode(data), lambda data: package("numcodecs").BZ2(9).decode(data)),
    ]
    blosc = [
        Peer(f"Blosc2 Zstandard 9, {shuffle}", anything, *of_one(partial(encode_blosc, shuffle), decode_blosc)) for shuffle in SHUFFLES
    ]
    return blosc + [
        Peer(f"{name}, {kind}", partial(suits_filter, kind), partial(encode, there, coder), partial(decode, back, decoder))
        for name, coder, decoder in coders
        for kind, (there, back) in FILTERS.items()
    ]
