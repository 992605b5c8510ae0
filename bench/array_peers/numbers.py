"""Codecs of numbers, as peers: pcodec, fpzip, zfp, SZ3, LERC, AEC (CCSDS 121) and the Rice codes of FITS."""

from __future__ import annotations

from functools import partial

import imagecodecs as ic
import numpy as np

from inrcodec.peers.numbers import DELTAS, LEVEL, decode_pcodec, encode_pcodec, suits_pcodec

from .base import Peer, Samples, Streams, integers, of_one, package, types
from .pictures import slices

BLOCK, REFERENCES = 16, 128  # of AEC: values of a block, blocks from a reference to the next


def _pcodec(delta: str, array: Samples, threads: int) -> bytes:
    return encode_pcodec(delta, array)


def encode_fpzip(array: Samples, threads: int) -> Streams:
    """At full precision, in up to 4 dimensions."""
    return [bytes(package("fpzip").compress(array, precision=0, order="C"))]


def decode_fpzip(streams: Streams, like: Samples, threads: int) -> Samples:
    """What `encode_fpzip` gave."""
    return np.asarray(package("fpzip").decompress(streams[0], order="C")).reshape(like.shape)


def encode_aec(array: Samples, threads: int) -> Streams:
    """With few references as may be."""
    return [bytes(ic.aec_encode(array, blocksize=BLOCK, rsi=REFERENCES))]


def decode_aec(streams: Streams, like: Samples, threads: int) -> Samples:
    """What `encode_aec` gave."""
    whole = np.empty(-(-like.size // BLOCK) * BLOCK, like.dtype)  # it fills its last block
    ic.aec_decode(streams[0], bitspersample=8 * like.itemsize, blocksize=BLOCK, rsi=REFERENCES, out=whole)
    return whole[: like.size].reshape(like.shape)


def peers() -> list[Peer]:
    """All of them. What crashes at some arrays runs in a process of its own."""
    short = ("uint8", "uint16", "uint32", "int8", "int16", "int32")
    return [
        *(
            Peer(
                f"pcodec {LEVEL}, {d}",
                partial(suits_pcodec, d),
                *of_one(partial(_pcodec, d), lambda data, like, threads: decode_pcodec(data, like)),
                apart=d == "convolution",
            )
            for d in DELTAS
        ),
        Peer("fpzip", lambda a: types(a, "float32", "float64", axes=4), encode_fpzip, decode_fpzip, apart=True),
        Peer(
            "zfp, reversible",
            lambda a: types(a, "float32", "float64", "int32", "int64", axes=4),
            lambda a, threads: [bytes(ic.zfp_encode(a, mode="reversible"))],
            lambda s, a, threads: np.asarray(ic.zfp_decode(s[0])).reshape(a.shape),
        ),
        Peer(
            "SZ3, error 0",
            lambda a: types(a, "float32", "float64", axes=4),
            lambda a, threads: [bytes(ic.sz3_encode(a, mode="abs", abs=0.0))],
            lambda s, a, threads: np.asarray(ic.sz3_decode(s[0], a.shape, a.dtype)),
            apart=True,
        ),
        Peer(
            "LERC with Zstandard 19",
            lambda a: integers(a, 32, ("float32", "float64")),
            lambda a, threads: [bytes(ic.lerc_encode(slices(a), level=0, compression="zstd", compressionargs={"level": 19}))],
            lambda s, a, threads: np.asarray(ic.lerc_decode(s[0])).reshape(a.shape),
            apart=True,
        ),
        Peer("AEC", lambda a: types(a, *short), encode_aec, decode_aec),
        Peer(
            "Rice",
            lambda a: types(a, *short),
            lambda a, threads: [bytes(ic.rcomp_encode(a))],
            lambda s, a, threads: np.asarray(ic.rcomp_decode(s[0], shape=a.shape, dtype=a.dtype)),
        ),
    ]
