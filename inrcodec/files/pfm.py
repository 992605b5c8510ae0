"""PFM, the portable float map: grey and RGB of float32.

The lines are stored from the bottom up. The sign of the scale is the byte order; the scale itself is kept, if it is not −1, as `pfm/scale`,
in the words of the file, and so is a header that is not written as here, as `pfm/header`. So a file comes back byte for byte.

Refused: several pictures in a file.

Source: Paul Debevec, "PFM Portable FloatMap Image Format"; pfm(5) of Netpbm.
"""

from __future__ import annotations

import math
import re
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from .bounds import check_size, contents
from .images import check_one
from .registry import FileType

HEADER = re.compile(rb"P([Ff])\s+(\d{1,10})\s+(\d{1,10})\s+([+-]?[0-9.]{1,40}(?:[eE][+-]?\d{1,3})?)\s")
LITTLE = b"-1.0"
LONGEST = 1 << 10  # bytes of a header


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a PFM file: (height, width) or (height, width, 3), float32 in native byte order.

    Raises:
        UnsupportedError: more follows after the picture.
        InrcodecError: not a PFM file, damaged, or truncated.
    """
    data = contents(file, limits)
    match = HEADER.match(data[:LONGEST])
    if match is None:
        raise InrcodecError("damaged PFM header")
    channels, width, height, scale = 3 if match[1] == b"F" else 1, int(match[2]), int(match[3]), _scale(match[4])
    if not (width and height and scale):
        raise InrcodecError(f"damaged PFM header: {width} × {height} pixels, scale {match[4].decode()}")
    check_size(limits, (height, width, channels), 4, 2, len(data))
    needed = 4 * width * height * channels
    there = len(data) - match.end()
    if there < needed:
        raise InrcodecError(f"PFM file ends after {there} of {needed} bytes of pixels")
    if there > needed:
        raise UnsupportedError("more follows after the picture of a PFM file; only files of one picture are supported")
    stored = np.frombuffer(data, "<u4" if scale < 0 else ">u4", needed // 4, match.end())  # as numbers, so that NaNs keep their bits
    shape = (height, width) if channels == 1 else (height, width, channels)
    samples = np.ascontiguousarray(stored.reshape(shape)[::-1], np.uint32).view(np.float32)
    metadata = {} if match[4] == LITTLE else {"pfm/scale": match[4]}
    if match[0] != _header(shape, match[4]):
        metadata["pfm/header"] = match[0]
    return Signal(samples, "image", 0, None, metadata)


def write(path: Path, signal: Signal) -> None:
    """Write a PFM file. Raises UnsupportedError: not a grey or RGB image of float32."""
    count = check_one(signal, "PFM")
    x = signal.samples
    if x.dtype != np.float32 or not x.dtype.isnative or count not in (1, 3):
        raise UnsupportedError(f"PFM holds grey or RGB of float32, not {count} channels of {x.dtype}; .tif or .npy can")
    scale = signal.metadata.get("pfm/scale", LITTLE)
    kept = signal.metadata.get("pfm/header", b"")
    match = HEADER.fullmatch(kept[:LONGEST])
    if not _scale(scale):
        scale = LITTLE
    header = _header(x.shape, scale)
    if match and (match[1], int(match[2]), int(match[3]), match[4]) == (b"F" if count == 3 else b"f", x.shape[1], x.shape[0], scale):
        header = kept
    order = "<" if (_scale(scale) or -1) < 0 else ">"
    path.write_bytes(header + np.ascontiguousarray(x[::-1]).view(np.uint32).astype(f"{order}u4").tobytes())


def _scale(text: bytes) -> float | None:
    """The number of a scale; None if it is none, or 0, or infinite."""
    if not re.fullmatch(rb"[+-]?[0-9.]{1,40}(?:[eE][+-]?\d{1,3})?", text) or text.count(b".") > 1 or not re.search(rb"\d", text):
        return None
    number = float(text)
    return number if number and math.isfinite(number) else None


def _header(shape: tuple[int, ...], scale: bytes) -> bytes:
    return b"P%s\n%d %d\n%s\n" % (b"F" if len(shape) == 3 else b"f", shape[1], shape[0], scale)


TYPES = (FileType("PFM", "image", (".pfm",), "grey and RGB of float32", rb"P[Ff]\s", read, write),)
