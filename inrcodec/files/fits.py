"""FITS images ↔ Signal, byte for byte.

Read: the stored numbers of the largest image, in the primary unit or an extension, without BSCALE and BZERO, of any BITPIX. The axes are
 those of the file, the slowest first (NAXIS2 before NAXIS1). Slow axes of 1 are dropped; more than 4 become 4 by merging slow
ones. All headers, other images and tables are kept, compressed as metadata are.

Written from other signals: a primary unit with the cards that it must have.

Refused: files without an image, images that are compressed in a table, random groups.

Source: FITS standard 4.0; astropy reads the headers. It comes with the extra `science`.
"""

from __future__ import annotations

import io
import math
import warnings
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import FormatError, Notice, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import hollow
from .bounds import contents
from .hollow import Dialect, Layout, squeezed
from .optional import require
from .registry import FileType

NEEDED = {"astropy": "astropy"}
BITPIX = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
BLOCK = 2880  # bytes; headers and data are padded to it
TOLD = 0.1  # of a file: other images and tables of more than this are told


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a FITS file: an array of integers or floats. A Notice tells if much of the file is something else.

    Raises:
        UnsupportedError: there is no image, or it is compressed.
        MissingError: astropy is not installed.
        FormatError: not a FITS file, damaged, or truncated.
    """
    return of_bytes(path, contents(file, limits), limits)


def of_bytes(path: Path, data: bytes, limits: Limits) -> Signal:
    """As `read`, of the bytes of a file. path: for the Notice."""
    signal = hollow.of_bytes(data, DIALECT, limits)
    units, image = _units(data)
    others = sum(len(data[unit.body : unit.end]) for unit in units if unit is not image)
    if others > TOLD * len(data):
        count = sum(unit is not image and unit.end > unit.body for unit in units)
        what = f"only its largest image is coded as samples; {count} other image{'s' if count > 1 else ''} or tables"
        warnings.warn(Notice(f"{path}: {what}, {others} of {len(data)} bytes, are kept as metadata"), stacklevel=2)
    return signal


def write(path: Path, signal: Signal) -> None:
    """Write the file that a signal was read from; of another one, a file with the least of a header.

    Raises:
        UnsupportedError: samples that FITS does not have: bool, other unsigned ones than of 8 bits, signed ones of 8, floats of 16; or a
        first axis of 1, which would be dropped.
        MissingError: astropy is not installed.
    """
    hollow.write(path, signal, DIALECT)


class _Unit:
    """A header and its data."""

    def __init__(self, body: int, end: int, layout: Layout | None, compressed: bool) -> None:
        self.body, self.end, self.layout, self.compressed = body, end, layout, compressed


def _units(data: bytes) -> tuple[list[_Unit], _Unit]:
    """All units of a file, and the one with the largest image. Raises FormatError; UnsupportedError: there is none."""
    require("a FITS file", NEEDED)
    from astropy.io import fits

    if not data.startswith(b"SIMPLE  ="):
        raise FormatError("not a FITS file")
    found: list[_Unit] = []
    with fits.open(io.BytesIO(data), mode="readonly", memmap=False, lazy_load_hdus=True, disable_image_compression=True) as units:
        for unit in units:
            if (about := unit.fileinfo()) is None:
                raise FormatError("truncated, or damaged: a header has no end")
            start, header = int(about["datLoc"]), unit.header
            layout = None
            if isinstance(unit, (fits.PrimaryHDU, fits.ImageHDU)):
                layout = _layout(start, header)
            found.append(_Unit(start, start + int(about["datSpan"]), layout, bool(header.get("ZIMAGE", False))))
    images = [unit for unit in found if unit.layout and unit.layout.nbytes]
    if not images:
        if any(unit.compressed for unit in found):
            raise UnsupportedError("its image is compressed; unpack it first, as with funpack")
        raise UnsupportedError("there is no image in it; tables alone are not supported")
    return found, max(images, key=lambda unit: unit.layout.nbytes if unit.layout else 0)


def _layout(start: int, header: object) -> Layout | None:
    """The layout of an image; None if it has no data. Raises FormatError."""
    get = header.get  # type: ignore[attr-defined]  # astropy's headers are not typed
    axes, bitpix = get("NAXIS"), get("BITPIX")
    if bitpix not in BITPIX or not isinstance(axes, int) or not 0 <= axes <= 999:
        raise FormatError("damaged: it has no BITPIX, or no NAXIS, that there can be")
    stored = [get(f"NAXIS{i}") for i in range(axes, 0, -1)]
    if not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in stored):
        raise FormatError("damaged: an axis has no size that it can have")
    if not stored or 0 in stored:
        return None
    return Layout(start, np.dtype(BITPIX[bitpix]), tuple(stored), squeezed(stored))


def _parse(data: bytes) -> Layout:
    layout = _units(data)[1].layout
    assert layout is not None, "an image"
    return layout


def _fresh(signal: Signal) -> tuple[bytes, bytes]:
    samples = signal.samples
    bitpix = next((code for code, name in BITPIX.items() if name[-2:] == samples.dtype.str[1:]), None)
    if bitpix is None:
        raise UnsupportedError(f".fits cannot hold samples of type {samples.dtype} as they are; .npy can")
    cards = [("SIMPLE", "T"), ("BITPIX", bitpix), ("NAXIS", samples.ndim)]
    cards += [(f"NAXIS{i + 1}", n) for i, n in enumerate(samples.shape[::-1])]
    header = "".join(f"{name:<8}= {value:>20}".ljust(80) for name, value in cards) + "END".ljust(80)
    return header.ljust(math.ceil(len(header) / BLOCK) * BLOCK).encode(), bytes(-samples.nbytes % BLOCK)


DIALECT = Dialect("fits", ".fits", _parse, _fresh)
TYPES = (
    FileType(
        "FITS",
        "array",
        (".fits", ".fit", ".fts"),
        "the largest image as stored, the rest kept; comes back byte for byte (needs astropy)",
        rb"SIMPLE  =",
        read,
        write,
        "fits/",
    ),
)
