"""Sun raster files: black-and-white (1 bit), 8-bit grey, and RGB.

Read too: run-length coded files, 32-bit files whose fourth byte is padding, and colour maps, as the RGB they stand for; grey if
the map is black to white in steps of 1. 1 is black in a 1-bit file without a map; it is read as 0 for black, like every
other grey image, and written back inverted again. Files are written without compression. The format has no metadata.

OpenCV is not used here: it reads grey files without a map as zeros, and coded ones not at all.

Refused: other depths, 32-bit files whose fourth byte is used, raw maps, encapsulated TIFF and IFF.

Source: rasterfile(5) of SunOS 4.
"""

from __future__ import annotations

import re
import struct
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from .bounds import check_size, contents
from .images import Samples, check, image
from .registry import FileType

MAGIC = 0x59A66A95
HEADER = struct.Struct(">8I")  # magic, width, height, bits per pixel, bytes of pixels, type, type of the map, bytes of the map
OLD, STANDARD, CODED, RGB = range(4)
NO_MAP, RGB_MAP = range(2)
DEPTHS = {1: (1, 8), 3: (8,)}
RUN = re.compile(rb"\x80(?:\0|([^\0])(.))", re.DOTALL)  # 128 itself, or (count − 1, value)
RUN_RATIO = 86  # 256 bytes in 3
MAX_SIZE = (1 << 32) - 1


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a Sun raster file: (height, width) or (height, width, 3), uint8, of 1 or 8 bits.

    Raises:
        UnsupportedError: another depth, type or map than those named above.
        InrcodecError: not a Sun raster file, damaged, or truncated.
    """
    data = contents(file, limits)
    if len(data) < HEADER.size:
        raise InrcodecError("not a Sun raster file, or one that ends within its header")
    magic, width, height, bits, _, kind, map_kind, map_size = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise InrcodecError("not a Sun raster file")
    if not (width and height):
        raise InrcodecError(f"damaged Sun raster file: {width} × {height} pixels")
    if bits not in (1, 8, 24, 32) or kind > RGB:
        raise UnsupportedError(f"Sun raster of {bits} bits per pixel and type {kind} is not supported")
    if map_size and (map_kind != RGB_MAP or bits > 8):
        raise UnsupportedError(f"Sun raster of {bits} bits per pixel with a map of type {map_kind} is not supported")
    start = HEADER.size + map_size
    row = (width * bits + 15) // 16 * 2  # bytes; rows end at 16 bits
    if len(data) < start:
        raise InrcodecError("Sun raster file ends within its colour map")
    colours = _colour_map(data[HEADER.size : start]) if map_size else None
    grey = bits <= 8 and (colours is None or _is_grey(colours, bits))
    check_size(limits, (height, width, 1 if grey else 3), 1, 4, 2 * len(data))
    raster = _expand(data[start:], height * row) if kind == CODED else data[start:]
    if len(raster) < height * row:
        raise InrcodecError(f"Sun raster file ends after {len(raster)} of {height * row} bytes of pixels")
    rows = np.frombuffer(raster, np.uint8, height * row).reshape(height, row)
    if bits > 8:
        return image(_colours(rows[:, : width * bits // 8].reshape(height, width, bits // 8), kind), 8, {})
    indices = np.unpackbits(rows, axis=1, count=width) if bits == 1 else rows[:, :width]
    if colours is None:
        return image(1 - indices if bits == 1 else indices, bits, {})
    if int(indices.max()) >= len(colours):
        raise InrcodecError(f"damaged Sun raster file: a pixel of colour {int(indices.max())} where the map has {len(colours)}")
    return image(indices, bits, {}) if grey else image(colours[indices], 8, {})


def write(path: Path, signal: Signal) -> None:
    """Write a Sun raster file of 1-bit or 8-bit grey, or of 8-bit RGB.

    Raises:
        UnsupportedError: the format cannot hold the image.
    """
    channels = check(signal, "Sun raster", DEPTHS)
    height, width = signal.samples.shape[:2]
    if signal.bit_depth == 1:
        rows = np.packbits(1 - signal.samples, axis=1)
    else:
        rows = signal.samples.reshape(height, width, channels)[:, :, ::-1].reshape(height, -1)  # blue, green, red
    rows = np.ascontiguousarray(np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))))
    if rows.size > MAX_SIZE or max(height, width) > MAX_SIZE:
        raise UnsupportedError("Sun raster cannot hold images of 4 GB; .tif and .pam can")
    with path.open("wb") as file:
        file.write(HEADER.pack(MAGIC, width, height, channels * signal.bit_depth, rows.size, STANDARD, NO_MAP, 0))
        rows.tofile(file)


def _expand(coded: bytes, size: int) -> bytes | bytearray:
    """The bytes of a run-length coded raster, until there are `size` of them; half a run at its end stays as it is."""
    raster, at = bytearray(), 0
    if size > len(coded) * RUN_RATIO:
        return raster
    for run in RUN.finditer(coded):
        raster += coded[at : run.start()]
        raster += run[2] * (run[1][0] + 1) if run[1] else b"\x80"
        at = run.end()
        if len(raster) >= size:
            return raster
    return raster + coded[at:]


def _colours(pixels: Samples, kind: int) -> Samples:
    """RGB of pixels of 3 bytes, or of 4 with padding before them; in the order blue, green, red unless the type says RGB."""
    if pixels.shape[2] == 4:
        padding, pixels = pixels[:, :, 0], pixels[:, :, 1:]
        if int(padding.min()) != int(padding.max()) or int(padding.min()) not in (0, 255):
            raise UnsupportedError("Sun raster of 32 bits per pixel whose fourth byte is used is not supported")
    return pixels if kind == RGB else pixels[:, :, ::-1]


def _colour_map(stored: bytes) -> Samples:
    """(colours, 3): all reds are stored first, then all greens, then all blues."""
    if len(stored) % 3:
        raise InrcodecError("damaged Sun raster file: no valid colour map")
    return np.frombuffer(stored, np.uint8).reshape(3, -1).T


def _is_grey(colours: Samples, bits: int) -> bool:
    """Whether the colours are the grey levels in their order."""
    levels = np.linspace(0, 255, 1 << bits).astype(np.uint8)[:, None]
    return np.array_equal(colours, np.repeat(levels, 3, axis=1))


TYPES = (
    FileType(
        "Sun raster",
        "image",
        (".ras", ".sr"),
        "1-bit and 8-bit grey, RGB; colour maps are read as RGB",
        rb"\x59\xa6\x6a\x95",
        read,
        write,
    ),
)
