"""Other lossless codecs for arrays, for `bench.arrays`: those of imagecodecs and numcodecs, pcodec and fpzip.

A peer gets an array and gives back streams. The bytes of a file that would hold them, with shape and dtype, are not counted.
Codecs of pictures get one picture per slice, the last two axes. Integers are first made unsigned by taking away the least value.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any

import imagecodecs as ic
import numpy as np
import numpy.typing as npt

from .common import Result

Samples = npt.NDArray[Any]
Streams = list[bytes]
SMALL = 64  # pictures with fewer rows are also laid side by side


class Unsuited(ValueError):
    """A peer cannot take an array. The text says why."""


@dataclass(frozen=True)
class Peer:
    """A codec with its settings.

    Attributes:
        suits: raises Unsuited if the codec cannot take the array.
        encode: array → streams.
        decode: streams, and the array of which shape and dtype are known → array.
        apart: it can end the process, so it runs in another one.
        slow: left out of arrays of many values, see `LARGE`.
    """

    name: str
    suits: Callable[[Samples], None]
    encode: Callable[[Samples], Streams]
    decode: Callable[[Streams, Samples], Samples]
    apart: bool = False
    slow: bool = False


LARGE = 30_000_000  # bytes


def measure(peer: Peer, array: Samples) -> Result:
    """Bytes and seconds of a peer. Raises Unsuited if it cannot take the array, does not give it back, or ends its process."""
    peer.suits(array)
    if not peer.apart:
        return _measured(peer, array)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_by_name, peer.name, array).result()
        except BrokenProcessPool:
            raise Unsuited("crashes") from None


def _by_name(name: str, array: Samples) -> Result:
    return _measured(next(p for p in PEERS if p.name == name), array)


def _measured(peer: Peer, array: Samples) -> Result:
    start = time.perf_counter()
    streams = peer.encode(array)
    middle = time.perf_counter()
    back = peer.decode(streams, array)
    end = time.perf_counter()
    if back.dtype != array.dtype or back.shape != array.shape or back.tobytes() != array.tobytes():
        raise Unsuited("is not lossless here")
    return Result(sum(map(len, streams)), middle - start, end - middle)


# --- what codecs can take -----------------------------------------------------------------------------------------


def anything(array: Samples) -> None:
    """Every array."""


def _one_of(array: Samples, *types: str) -> None:
    if array.dtype.name not in types:
        raise Unsuited(f"does not take {array.dtype}")


def _numbers(array: Samples) -> None:
    _one_of(array, "uint8", "uint16", "uint32", "uint64", "int16", "int32", "int64", "float16", "float32", "float64")


def _at_most_4(array: Samples, *types: str) -> None:
    _one_of(array, *types)
    if array.ndim > 4:
        raise Unsuited("takes at most 4 axes")


def _pictures(array: Samples, bits: int, floats: tuple[str, ...] = ()) -> None:
    """Integers that span at most so many bits, in two axes or more."""
    if array.ndim < 2:
        raise Unsuited("takes pictures")
    if array.dtype.kind == "f":
        _one_of(array, *floats)
    elif array.dtype.kind not in "iu" or _bits(array) > bits:
        raise Unsuited(f"takes at most {bits} bits")


# --- pictures -----------------------------------------------------------------------------------------------------


def _bits(array: Samples) -> int:
    return max(1, (int(array.max()) - int(array.min())).bit_length())


def _unsigned(array: Samples) -> Samples:
    """Integers less their least value, in the smallest unsigned type; floats as they are."""
    if array.dtype.kind == "f":
        return array
    bits = _bits(array)
    return (array.astype(np.int64) - int(array.min())).astype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)


def _restored(found: Samples, like: Samples) -> Samples:
    if like.dtype.kind == "f":
        return found.reshape(like.shape)
    return (found.astype(np.int64) + int(like.min())).astype(like.dtype).reshape(like.shape)


def _slices(array: Samples) -> Samples:
    return array.reshape(-1, *array.shape[-2:])


def _tall(array: Samples) -> Samples:
    return array.reshape(1, -1, array.shape[-1])


def _mosaic(array: Samples) -> Samples:
    """Small pictures side by side, as nearly square as may be; the last row of them is filled with zeros."""
    pages = _slices(array)
    number, height, width = pages.shape
    across = max(1, round((number * height / width) ** 0.5))
    down = -(-number // across)
    filled = np.zeros((down * across, height, width), array.dtype)
    filled[:number] = pages
    return filled.reshape(down, across, height, width).swapaxes(1, 2).reshape(1, down * height, across * width)


def _unmosaic(picture: Samples, like: Samples) -> Samples:
    height, width = like.shape[-2:]
    down, across = picture.shape[1] // height, picture.shape[2] // width
    pages = picture.reshape(down, height, across, width).swapaxes(1, 2).reshape(-1, height, width)
    return pages[: like.size // (height * width)]


Laid = Callable[[Samples], Samples]
LAYOUTS: dict[str, Laid] = {"slices": _slices, "tall": _tall, "mosaic": _mosaic}


def _encode_pictures(encode: Callable[[Samples, int], bytes], layout: str, array: Samples) -> Streams:
    bits = _bits(array) if array.dtype.kind != "f" else 0
    return [bytes(encode(np.ascontiguousarray(page), bits)) for page in LAYOUTS[layout](_unsigned(array))]


def _decode_pictures(decode: Callable[[bytes], Samples], layout: str, streams: Streams, like: Samples) -> Samples:
    shape = LAYOUTS[layout](np.empty(like.shape, np.uint8)).shape[1:]
    pages = np.stack([np.asarray(decode(s)).reshape(shape) for s in streams])
    return _restored(_unmosaic(pages, like) if layout == "mosaic" else pages, like)


def _jpegxl(effort: int, picture: Samples, bits: int) -> bytes:
    depth = bits if picture.dtype == np.uint16 else None
    return bytes(ic.jpegxl_encode(picture, lossless=True, effort=effort, bitspersample=depth, numthreads=1))


def _jpeg2000(picture: Samples, bits: int) -> bytes:
    return bytes(ic.jpeg2k_encode(picture, level=0, reversible=True, codecformat="j2k", bitspersample=bits, numthreads=1))


def _htj2k(picture: Samples, bits: int) -> bytes:
    return bytes(ic.htj2k_encode(picture, reversible=True))


def _jpegls(picture: Samples, bits: int) -> bytes:
    return bytes(ic.jpegls_encode(picture, level=0))


def _small_only(suits: Callable[[Samples], None], array: Samples) -> None:
    suits(array)
    if array.ndim < 3 or array.shape[-2] >= SMALL:
        raise Unsuited("only for small pictures")


def _stack_only(suits: Callable[[Samples], None], array: Samples) -> None:
    suits(array)
    if array.ndim < 3:
        raise Unsuited("only for stacks")


def _picture_peers() -> list[Peer]:
    any_jxl = partial(_pictures, bits=16, floats=("float16", "float32"))
    found = []
    for effort in (7, 9):
        for layout in LAYOUTS:
            suits = {"slices": any_jxl, "tall": partial(_stack_only, any_jxl), "mosaic": partial(_small_only, any_jxl)}[layout]
            name = f"JPEG XL {effort}, {layout}"
            decode = partial(_decode_pictures, partial(ic.jpegxl_decode, numthreads=1), layout)
            found.append(Peer(name, suits, partial(_encode_pictures, partial(_jpegxl, effort), layout), decode, slow=effort > 7))
    for name, encode, back, bits in (
        ("JPEG 2000", _jpeg2000, ic.jpeg2k_decode, 24),
        ("HTJ2K", _htj2k, ic.htj2k_decode, 24),
        ("JPEG-LS", _jpegls, ic.jpegls_decode, 16),
    ):
        for layout in ("slices", "mosaic"):
            suited: Callable[[Samples], None] = partial(_pictures, bits=bits)
            suited = partial(_small_only, suited) if layout == "mosaic" else suited
            found.append(
                Peer(f"{name}, {layout}", suited, partial(_encode_pictures, encode, layout), partial(_decode_pictures, back, layout))
            )
    return found


# --- bytes --------------------------------------------------------------------------------------------------------

Filter = tuple[str, Callable[[Samples], bytes], Callable[[bytes, Samples], bytes]]


def _split(array: Samples) -> bytes:
    """Bytes shuffled: all first bytes of values, then all second ones."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, array.itemsize).T.tobytes()


def _joined(data: bytes, like: Samples) -> bytes:
    return np.frombuffer(data, np.uint8).reshape(like.itemsize, -1).T.tobytes()


def _predicted(array: Samples) -> bytes:
    """TIFF's predictor for floats along the last axis; integers: differences along it, then bytes shuffled."""
    if array.dtype.kind == "f":
        return np.asarray(ic.floatpred_encode(array, axis=-1)).tobytes()
    steps = array.copy()
    steps[..., 1:] -= array[..., :-1]
    return _split(steps)


def _unpredicted(data: bytes, like: Samples) -> bytes:
    if like.dtype.kind == "f":
        return np.asarray(ic.floatpred_decode(np.frombuffer(data, like.dtype).reshape(like.shape), axis=-1)).tobytes()
    steps = np.frombuffer(_joined(data, like), like.dtype).reshape(like.shape)
    return np.cumsum(steps, -1, like.dtype).tobytes()


FILTERS: list[Filter] = [
    ("raw", lambda a: a.tobytes(), lambda d, a: d),
    ("shuffle", _split, _joined),
    ("differences", _predicted, _unpredicted),
]


def _encode_bytes(filtered: Callable[[Samples], bytes], encode: Callable[[bytes], bytes], array: Samples) -> Streams:
    return [bytes(encode(filtered(array)))]


def _decode_bytes(
    restored: Callable[[bytes, Samples], bytes], decode: Callable[[bytes], bytes], streams: Streams, like: Samples
) -> Samples:
    return np.frombuffer(restored(bytes(decode(streams[0])), like), like.dtype).reshape(like.shape)


def _byte_peers() -> list[Peer]:
    coders: list[tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes], bool]] = [
        ("Zstandard 19", partial(ic.zstd_encode, level=19), ic.zstd_decode, False),
        ("Brotli 11", partial(ic.brotli_encode, level=11, lgwin=24), ic.brotli_decode, True),
        ("LZMA 9", partial(ic.lzma_encode, level=9), ic.lzma_decode, False),
    ]
    return [
        Peer(f"{name}, {kind}", anything, partial(_encode_bytes, there, encode), partial(_decode_bytes, back, decode), slow=slow)
        for name, encode, decode, slow in coders
        for kind, there, back in FILTERS
    ]


def _encode_blosc(shuffle: str, array: Samples) -> Streams:
    data = ic.blosc2_encode(array.tobytes(), level=9, compressor="zstd", shuffle=shuffle, typesize=array.itemsize, numthreads=1)
    return [bytes(data)]


def _decode_blosc(streams: Streams, like: Samples) -> Samples:
    return np.frombuffer(ic.blosc2_decode(streams[0], numthreads=1), like.dtype).reshape(like.shape)


# --- numbers ------------------------------------------------------------------------------------------------------


def _encode_pcodec(delta: str, array: Samples) -> Streams:
    from pcodec import ChunkConfig, DeltaSpec, standalone

    spec = {
        "auto": DeltaSpec.auto,
        "order 1": partial(DeltaSpec.try_consecutive, 1),
        "order 2": partial(DeltaSpec.try_consecutive, 2),
        "lookback": DeltaSpec.try_lookback,
        "convolution": partial(DeltaSpec.try_conv1, 16),
    }[delta]
    config = ChunkConfig(compression_level=12, delta_spec=spec())
    try:
        return [standalone.simple_compress(np.ascontiguousarray(array).reshape(-1), config)]
    except BaseException as fault:  # a panic of Rust is no Exception
        if type(fault).__name__ != "PanicException":
            raise
        raise Unsuited("crashes") from None


def _decode_pcodec(streams: Streams, like: Samples) -> Samples:
    from pcodec import standalone

    return np.asarray(standalone.simple_decompress(streams[0])).reshape(like.shape)


def _encode_fpzip(array: Samples) -> Streams:
    import fpzip

    return [bytes(fpzip.compress(np.ascontiguousarray(array), precision=0, order="C"))]


def _decode_fpzip(streams: Streams, like: Samples) -> Samples:
    import fpzip

    return np.asarray(fpzip.decompress(streams[0], order="C")).reshape(like.shape)


def _decode_sz3(streams: Streams, like: Samples) -> Samples:
    return np.asarray(ic.sz3_decode(streams[0], like.shape, like.dtype))


def _number_peers() -> list[Peer]:
    pcodec = [
        Peer(f"pcodec 12, {delta}", _numbers, partial(_encode_pcodec, delta), _decode_pcodec)
        for delta in ("auto", "order 1", "order 2", "lookback", "convolution")
    ]
    return [
        *pcodec,
        Peer("fpzip", lambda a: _at_most_4(a, "float32", "float64"), _encode_fpzip, _decode_fpzip, apart=True),
        Peer(
            "zfp, reversible",
            lambda a: _at_most_4(a, "float32", "float64", "int32", "int64"),
            lambda a: [bytes(ic.zfp_encode(a, mode="reversible"))],
            lambda s, a: np.asarray(ic.zfp_decode(s[0])).reshape(a.shape),
        ),
        Peer(
            "SZ3, bound 0",
            lambda a: _at_most_4(a, "float32", "float64"),
            lambda a: [bytes(ic.sz3_encode(a, mode="abs", abs=0.0))],
            _decode_sz3,
            apart=True,
        ),
    ]


def _lerc_peer() -> Peer:
    return Peer(
        "LERC",
        lambda a: _pictures(a, 32, ("float32", "float64")),
        lambda a: [bytes(ic.lerc_encode(np.ascontiguousarray(_slices(a)), level=0))],
        lambda s, a: np.asarray(ic.lerc_decode(s[0])).reshape(a.shape),
        apart=True,
    )


PEERS: list[Peer] = [
    *_picture_peers(),
    *(Peer(f"Blosc2 Zstandard 9, {kind}", anything, partial(_encode_blosc, kind), _decode_blosc) for kind in ("bitshuffle", "shuffle")),
    *_number_peers(),
    _lerc_peer(),
    *_byte_peers(),
]
