"""BMP: black-and-white (1 bit) and 8-bit grey, RGB and RGBA.

Read too: palettes of 1, 4 and 8 bits, run-length coded ones included, as the RGB they stand for; grey if the palette is the
usual one, black to white in steps of 1. The pixel density is kept, and so is an ICC profile inside the file (a header of
version 5); of one in another file a notice says that it is not. RGBA needs a header that names the alpha channel; without it the
fourth byte means nothing and is dropped, as all viewers do.

Refused: 16-bit files (5 or 6 bits per channel, which programs expand to 8 in different ways), and everything rare that
Pillow does not read.

Source: BITMAPFILEHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER of the Windows API.
"""

from __future__ import annotations

import struct
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import InrcodecError, UnsupportedError, notice
from ..limits import Limits
from ..signal import Signal
from . import density
from .bounds import check_ratio, check_size, contents
from .images import Samples, check, image, pillow_decode
from .registry import FileType

FILE_HEADER = 14
CORE_HEADER, V5_HEADER = 12, 124  # OS/2's, with smaller fields; the one that can name a profile
RLE8, RLE4, BITFIELDS = 1, 2, 3
EMBEDDED, LINKED = b"DEBM", b"KNIL"  # 'MBED' and 'LINK' as little-endian numbers
COLOURS_AT = FILE_HEADER + 56  # of what a V4 or V5 header says of the colours
PROFILE_AT = FILE_HEADER + 112  # of its place and size in a V5 header
RUN_RATIO = 128  # 255 pixels in 2 bytes
FEW_PIXELS = 1 << 22  # as many may be left out by a coded file, which need not say all
MAX_SIZE = (1 << 32) - 1
DEPTHS = {1: (1, 8), 3: (8,), 4: (8,)}


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a BMP file: (height, width) or (height, width, 3 or 4), uint8, of 1 or 8 bits.

    Raises:
        UnsupportedError: 16 bits per pixel.
        InrcodecError: not a BMP file, damaged, or truncated.
    """
    data = contents(file, limits)
    if data[:2] != b"BM":
        raise InrcodecError("not a BMP file")
    (size,) = struct.unpack_from("<I", data, FILE_HEADER)
    core = size == CORE_HEADER
    (bits,) = struct.unpack_from("<H", data, FILE_HEADER + (10 if core else 14))
    metadata: dict[str, bytes] = {}
    used = 0
    if not core:
        x, y, used = struct.unpack_from("<iiI", data, FILE_HEADER + 24)
        if x > 0 and y > 0:
            metadata["density"] = b"%d %d m" % (x, y)
        if (icc := _profile(data, size)) is not None:
            metadata["icc"] = icc
        elif size >= V5_HEADER and data[COLOURS_AT : COLOURS_AT + 4] == LINKED:
            notice(f"{path}: its ICC profile is in another file, which the header names, and is not kept", 2)
    if bits == 16:
        raise UnsupportedError("BMP files of 16 bits per pixel are not supported: their channels have 5 or 6 bits")
    if bits > 8:
        _check_pixels(data, core, bits, 4 if bits == 32 else 3, limits)
        return image(pillow_decode(data, "BMP"), 8, metadata)
    start, entry = FILE_HEADER + size, 3 if core else 4
    colours = used or 1 << bits
    if colours > 1 << 16 or start + entry * colours > len(data):
        raise InrcodecError(f"damaged BMP file: a palette of {colours} colours")
    palette = np.frombuffer(data, np.uint8, entry * colours, start).reshape(-1, entry)[:, 2::-1]
    grey = bits != 4 and np.array_equal(palette, _grey_palette(bits))
    _check_pixels(data, core, bits, 1 if grey else 3, limits)
    # with a first colour that is no grey Pillow gives indices; grey palettes it replaces by pixels, not always the right ones
    indices = pillow_decode(data[:start] + b"\1\2\3" + data[start + 3 :], "BMP")
    if int(indices.max()) >= len(palette):
        raise InrcodecError(f"damaged BMP file: a pixel of colour {int(indices.max())} where the palette has {len(palette)}")
    if grey:
        return image(indices, bits, metadata)
    return image(palette[indices], 8, metadata)


def _profile(data: bytes, header: int) -> bytes | None:
    """The ICC profile that a header of version 5 says is in the file, None if there is none."""
    if header < V5_HEADER or data[COLOURS_AT : COLOURS_AT + 4] != EMBEDDED:
        return None
    at, length = struct.unpack_from("<II", data, PROFILE_AT)
    profile = data[FILE_HEADER + at : FILE_HEADER + at + length]
    if len(profile) < length:
        raise InrcodecError("BMP file ends within its ICC profile")
    return profile or None


def _check_pixels(data: bytes, core: bool, bits: int, channels: int, limits: Limits) -> None:
    """Refuse a picture that the limits do not allow, or that the file cannot hold. channels: of the samples."""
    width, height = struct.unpack_from("<HH" if core else "<Ii", data, FILE_HEADER + 4)
    coding = 0 if core else struct.unpack_from("<I", data, FILE_HEADER + 16)[0]
    height = abs(height)
    if not (width and height):
        raise InrcodecError(f"damaged BMP file: {width} × {height} pixels")
    # 4 arrays: Pillow's image and its copy, the samples, and what a palette makes of them
    check_size(limits, (height, width, channels), 1, 4, 2 * len(data))
    what = f"{width} × {height} pixels"
    if coding not in (RLE8, RLE4):
        check_ratio(len(data), (width * bits + 31) // 32 * 4 * height, 1, what)
    elif width * height > FEW_PIXELS:  # Pillow fills rows that are cut short byte by byte
        check_ratio(len(data), width * height, RUN_RATIO, what)


def write(path: Path, signal: Signal) -> None:
    """Write a BMP file of 1-bit or 8-bit grey, or of 8-bit RGB or RGBA.

    Raises:
        UnsupportedError: BMP cannot hold the image.
    """
    channels = check(signal, "BMP", DEPTHS)
    rows = _rows(signal.samples, signal.bit_depth)
    height, width = signal.samples.shape[:2]
    bits = signal.bit_depth * channels
    palette = b""
    if channels == 1:
        palette = np.pad(_grey_palette(bits), ((0, 0), (0, 1))).tobytes()
    icc = signal.metadata.get("icc", b"")
    colours = b""
    if channels == 4 or icc:
        # a version 4 header: the masks of red, green, blue and alpha, then "sRGB", and end points it ignores
        masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000) if channels == 4 else (0, 0, 0, 0)
        colours = struct.pack("<IIII4s48x", *masks, EMBEDDED if icc else b"BGRs")
    if icc:  # version 5: rendering intent (4 is that of photographs), place of the profile from the header on, its size
        colours += struct.pack("<IIII", 4, V5_HEADER + len(palette) + rows.size, len(icc), 0)
    start = FILE_HEADER + 40 + len(colours) + len(palette)
    size = start + rows.size + len(icc)
    if size > MAX_SIZE or max(height, width) >= 1 << 31:
        raise UnsupportedError("BMP cannot hold images of 4 GB; .tif and .pam can")
    x, y, per_metre = density.whole(signal.metadata, (1 << 31) - 1) or (0, 0, True)
    if not per_metre:
        x = y = 0
    header = struct.pack("<2sI4xI", b"BM", size, start)
    header += struct.pack("<IiiHHI", 40 + len(colours), width, height, 1, bits, BITFIELDS if channels == 4 else 0)
    header += struct.pack("<IiiII", rows.size, x, y, 0, 0)
    with path.open("wb") as file:
        file.write(header + colours + palette)
        rows.tofile(file)
        file.write(icc)


def _grey_palette(bits: int) -> Samples:
    """Red, green and blue of the 2^bits greys from black to white."""
    levels = np.linspace(0, 255, 1 << bits).astype(np.uint8)
    return np.stack((levels, levels, levels), axis=1)


def _rows(samples: Samples, depth: int) -> Samples:
    """The bytes of the rows: the lowest first, each padded to 4 bytes, channels in the order blue, green, red, alpha."""
    if samples.ndim == 3:
        samples = samples[:, :, [2, 1, 0, 3][: samples.shape[2]]].reshape(len(samples), -1)
    elif depth == 1:
        samples = np.packbits(samples, axis=1)
    return np.ascontiguousarray(np.pad(samples[::-1], ((0, 0), (0, -samples.shape[1] % 4))))


TYPES = (
    FileType(
        "BMP",
        "image",
        (".bmp",),
        "1-bit and 8-bit grey, RGB and RGBA; palettes are read as RGB",
        rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # the sizes of the header that there are
        read,
        write,
    ),
)
