"""Codecs of pictures, as peers. They get a picture for each slice of the last two axes, or all of them in one.

Integers are first made unsigned by taking away the least value of the array. JPEG XL does not give back float16 below 2^(−14), so it is
often found not to be lossless there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import imagecodecs as ic
import numpy as np

from inrcodec.peers.pictures import decode_jpeg2000, decode_jpegls, decode_jpegxl, encode_jpeg2000, encode_jpegls, encode_jpegxl

from .base import Peer, Samples, Streams, Suits, Unsuited, bits, integers, restored, unsigned

SMALL = 64  # pictures with fewer rows are also laid side by side
Encode = Callable[[Samples, int, int], bytes]  # a picture, its bits (0: floats), threads
Decode = Callable[[bytes, int], Samples]


# --- how slices are laid -------------------------------------------------------------------------------------------


def slices(array: Samples) -> Samples:
    """(n, height, width): a picture for each slice."""
    return array.reshape(-1, *array.shape[-2:])


def tall(array: Samples) -> Samples:
    """(1, n × height, width): all slices in one picture, below each other."""
    return array.reshape(1, -1, array.shape[-1])


def mosaic(array: Samples) -> Samples:
    """Slices side by side in one picture, as nearly square as may be; what is left of the last row is zero."""
    pages = slices(array)
    number, height, width = pages.shape
    across = max(1, round((number * height / width) ** 0.5))
    down = -(-number // across)
    filled = np.zeros((down * across, height, width), array.dtype)
    filled[:number] = pages
    return filled.reshape(down, across, height, width).swapaxes(1, 2).reshape(1, down * height, across * width)


def unmosaic(picture: Samples, like: Samples) -> Samples:
    """The slices of a mosaic: as many as `like` has."""
    height, width = like.shape[-2:]
    down, across = picture.shape[1] // height, picture.shape[2] // width
    pages = picture.reshape(down, height, across, width).swapaxes(1, 2).reshape(-1, height, width)
    return pages[: like.size // (height * width)]


LAYOUTS: dict[str, Callable[[Samples], Samples]] = {"slices": slices, "tall": tall, "mosaic": mosaic}


def encode_laid(encode: Encode, layout: str, array: Samples, threads: int) -> Streams:
    """A stream for each picture."""
    depth = 0 if array.dtype.kind == "f" else bits(array)
    return [encode(np.ascontiguousarray(page), depth, threads) for page in LAYOUTS[layout](unsigned(array))]


def decode_laid(decode: Decode, layout: str, streams: Streams, like: Samples, threads: int) -> Samples:
    """The array of the streams."""
    shape = LAYOUTS[layout](np.empty(like.shape, np.uint8)).shape[1:]
    pages = np.stack([decode(s, threads).reshape(shape) for s in streams])
    return restored(unmosaic(pages, like) if layout == "mosaic" else pages, like)


def suited(layout: str, suits: Suits, array: Samples) -> None:
    """What a codec takes, where the layout differs from the others."""
    suits(array)
    if layout != "slices" and array.ndim < 3:
        raise Unsuited("lays slices, and this is one")
    if layout == "mosaic" and array.shape[-2] >= SMALL:
        raise Unsuited(f"lays slices of fewer than {SMALL} rows")


# --- codecs -------------------------------------------------------------------------------------------------------


def _of_one_thread(decode: Callable[[bytes], Samples], data: bytes, threads: int) -> Samples:
    return np.asarray(decode(data))


def peers() -> list[Peer]:
    """All of them in all layouts."""
    floats = ("float16", "float32")
    codecs: list[tuple[str, Encode, Decode, int, tuple[str, ...], tuple[str, ...]]] = [
        *(
            (
                f"JPEG XL {effort}",
                partial(encode_jpegxl, effort=effort),
                decode_jpegxl,
                16,
                floats,
                ("slices", "tall", "mosaic"),
            )
            for effort in (7, 9)
        ),
        (
            "JPEG 2000",
            encode_jpeg2000,
            decode_jpeg2000,
            24,
            (),
            ("slices", "mosaic"),
        ),
        (
            "HTJ2K",
            lambda picture, depth, threads: bytes(ic.htj2k_encode(picture, reversible=True)),
            partial(_of_one_thread, ic.htj2k_decode),
            24,
            (),
            ("slices", "mosaic"),
        ),
        (
            "JPEG-LS",
            lambda picture, depth, threads: encode_jpegls(picture),
            lambda data, threads: decode_jpegls(data),
            16,
            (),
            ("slices", "mosaic"),
        ),
    ]
    return [
        Peer(
            f"{name}, {layout}",
            partial(suited, layout, partial(integers, most=most, floats=types)),
            partial(encode_laid, encode, layout),
            partial(decode_laid, decode, layout),
        )
        for name, encode, decode, most, types, layouts in codecs
        for layout in layouts
    ]
