"""Section prev: a small picture of a picture, an eighth of its rows and columns, lossy. Decoding the file does not need it.

It is a lossy WebP file of 8 bits a sample. Its pixels may differ by the decoder, which is why nothing else in a file depends on it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from . import averages
from .container import framed
from .errors import FormatError, InrcodecError
from .files import webp
from .files.faults import faults
from .limits import Limits
from .signal import Kind, named

TYPE = b"prev"
SIDE = 8
SHARE = 100  # of the file, which is so many times as large at least
LEAST_PSNR = 28.0  # dB; below that one sees little of a picture
QUALITIES = 100
MOST_CHANNELS = 4
PIXEL_BYTES = 128  # that WebP, its pixels and samples made of them take, at most


def refusal(kind: Kind, dtype: np.dtype[Any] | None, shape: tuple[int, ...], depth: int) -> str | None:
    """Why a signal of this kind, type of integers (None: it has floats), shape and bit depth has no preview; None if it has one."""
    if kind != "image":
        return f"it is of a picture, and this is {named(kind)}"
    if dtype is None or dtype.kind not in "bu":
        return "only pictures of unsigned samples have one"
    if len(shape) == 3 and shape[2] > MOST_CHANNELS:
        return f"pictures of {shape[2]} channels have none"
    return f"samples of {depth} bits have none" if depth > averages.MAX_DEPTH else None


def encode(means: npt.NDArray[Any], depth: int, others: int) -> bytes | str:
    """The content of section prev, the best that is small enough; or why there is none.

    means: of the blocks, (rows, columns[, channels]), unsigned of `depth` bits, 8 or more; others: bytes of the file without it.
    """
    if max(means.shape[:2]) > webp.LONGEST_SIDE:
        return f"an eighth of the picture has more than {webp.LONGEST_SIDE} pixels a side"
    top = (1 << depth) - 1
    pixels = ((2 * 255 * means.astype(np.uint64) + top) // (2 * top)).astype(np.uint8)
    shown = _to_webp(pixels)
    best, low, high = b"", 0, QUALITIES
    while low <= high:  # the largest quality that fits; sizes grow with it, but for a few bytes
        quality = (low + high) // 2
        found = webp.encode_lossy(shown, quality)
        if framed(len(found)) * (SHARE - 1) <= others:
            best, low = found, quality + 1
        else:
            high = quality - 1
    if not best:
        return f"no preview is as small as 1/{SHARE} of the file"
    error = np.mean((pixels - _decoded(best, pixels.shape).astype(np.float64)) ** 2)
    psnr = 10 * math.log10(255**2 / error) if error else math.inf
    if psnr < LEAST_PSNR:
        return f"in 1/{SHARE} of the file a preview would have {psnr:.1f} dB, less than {LEAST_PSNR:g}"
    return best


def decode(content: bytes, shape: tuple[int, ...], depth: int, dtype: np.dtype[Any], limits: Limits) -> npt.NDArray[Any]:
    """The picture in section prev, in the shape, depth (8 or more) and type of the means that it stands for.

    shape: (rows, columns[, channels]) that it must have. Raises FormatError; LimitError.
    """
    limits.check_shape(shape)
    limits.check_memory(2 * len(content) + PIXEL_BYTES * math.prod(shape[:2]))
    try:
        with faults("not a WebP file that can be decoded"):
            pixels = _decoded(content, shape)
    except InrcodecError as fault:
        raise FormatError(f"damaged: its preview: {fault}; --exact (exact=True) decodes the picture without it") from fault
    if depth == 8:
        return pixels.astype(dtype, copy=False)
    return ((2 * ((1 << depth) - 1) * pixels.astype(np.uint64) + 255) // 510).astype(dtype)


def _channels(shape: tuple[int, ...]) -> int:
    """Channels of a picture of this shape."""
    return shape[2] if len(shape) == 3 else 1


def _to_webp(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pixels as RGB or RGBA; grey is three equal channels."""
    channels = _channels(pixels.shape)
    order = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    return pixels.reshape(*pixels.shape[:2], channels)[:, :, order]


def _decoded(data: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The pixels of a WebP file, in a shape of (rows, columns[, channels]); grey is the green of RGB. Raises InrcodecError."""
    channels = _channels(shape)
    found = webp.decode_lossy(data, shape[0], shape[1], channels in (2, 4))
    return found[:, :, {1: [1], 2: [1, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]].reshape(shape)
