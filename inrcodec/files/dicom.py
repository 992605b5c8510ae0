"""DICOM files with uncompressed pixels ↔ Signal, byte for byte.

Read: the stored numbers, without the rescaling: 1, 8, 16, 32 and 64 bits, and floats; (rows, columns) or (frames, rows, columns), colours
last. One frame of unsigned numbers is an image, of the depth that Bits Stored tells if all of them fit; everything else is an array. All
other elements are kept as they are, and so is the preamble.

A file can be written only with the elements that it was read with. A folder of files is a volume: see `series`.

Refused: compressed pixels, since the same compressed bytes would not come back; deflated files; YBR_FULL_422 of less than three numbers a
pixel; other widths.

Source: DICOM PS3.3 C.7.6.3, PS3.5 8; pydicom reads the elements. It comes with the extra `science`.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from .hollow import Dialect, Layout
from .hollow import read as read_hollow
from .hollow import write as write_hollow
from .optional import require
from .registry import FileType

NEEDED = {"pydicom": "pydicom"}
PIXELS = {0x7FE00010: "", 0x7FE00008: "f4", 0x7FE00009: "f8"}  # elements of pixels; of floats their type
DEFERRED = 1 << 12  # bytes of an element from which on it is not read
UNDEFINED = 0xFFFFFFFF  # the length of pixels in fragments, which are compressed
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"  # transfer syntaxes
NATIVE = ("", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", BIG)  # those of plain pixels; "": not told
WIDTHS = (1, 8, 16, 32, 64)
DECOMPRESS = "decompress it first, as with gdcmconv --raw or dcmconv and dcmdjpeg"


@dataclass(frozen=True)
class Slice:
    """Where a file stands in a series.

    series: its Series Instance UID. position: along the normal of the plane, in mm, and number: Instance Number; None: not told.
    """

    series: str
    position: float | None
    number: int | None


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a DICOM file: an image or an array.

    Raises:
        UnsupportedError: it has no pixels, or they are compressed, or of a width or layout that is refused.
        MissingError: pydicom is not installed.
        FormatError: not a DICOM file, damaged, or truncated.
    """
    return read_hollow(file, DIALECT, limits)


def write(path: Path, signal: Signal) -> None:
    """Write the file that a signal was read from. Raises UnsupportedError: it was read from another format, or changed."""
    write_hollow(path, signal, DIALECT)


def opened(data: bytes) -> Any:
    """The elements of a file, as a pydicom Dataset; long ones are not read. Raises FormatError; UnsupportedError: it is deflated."""
    require("a DICOM file", NEEDED)
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        found = pydicom.dcmread(io.BytesIO(data), defer_size=DEFERRED)
    except InvalidDicomError:
        raise FormatError("not a DICOM file") from None
    if _syntax(found) == DEFLATED:
        raise UnsupportedError(f"deflated DICOM is not supported; {DECOMPRESS}")
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what pydicom would print of a file."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _syntax(found: Any) -> str:
    return str(found.file_meta.get("TransferSyntaxUID", ""))


def parse(data: bytes) -> Layout:
    """The layout of the pixels. Raises FormatError; UnsupportedError."""
    with quiet():
        return layout_of(opened(data))


def layout_of(found: Any) -> Layout:
    """The layout of the pixels of a Dataset of `opened`. Raises FormatError; UnsupportedError."""
    tag = next((tag for tag in PIXELS if tag in found), None)
    if tag is None:
        raise UnsupportedError("there are no pixels in it")
    pixels = found.get_item(tag, keep_deferred=True)
    if pixels.length == UNDEFINED or _syntax(found) not in NATIVE:
        uid = found.file_meta.get("TransferSyntaxUID")
        name = getattr(uid, "name", None) or "an unknown transfer syntax"
        raise UnsupportedError(f"its pixels are compressed ({name}), and the same bytes would not come back; {DECOMPRESS}")
    rows, columns = _number(found, "Rows"), _number(found, "Columns")
    frames, channels = _number(found, "NumberOfFrames", 1), _number(found, "SamplesPerPixel", 1)
    if min(rows, columns, frames) < 1 or channels not in (1, 3, 4):
        raise FormatError(f"damaged: {frames} frames of {rows} × {columns} pixels with {channels} samples")
    bits = _number(found, "BitsAllocated", 8 * int((PIXELS[tag] or "f0")[1:]))
    dtype = _dtype(found, PIXELS[tag], bits, pixels.VR)
    planar = channels > 1 and _number(found, "PlanarConfiguration", 0) == 1
    if channels > 1 and "422" in str(found.get("PhotometricInterpretation", "")):
        raise UnsupportedError("pixels of YBR_FULL_422, which share their colours, are not supported; convert it to RGB first")
    before = (frames,) if frames > 1 else ()
    shape = (*before, rows, columns, *((channels,) if channels > 1 else ()))
    stored = (*before, channels, rows, columns) if planar else shape
    image = frames == 1 and dtype.kind in "bu"
    depth = _number(found, "BitsStored", 0) if dtype.kind in "ui" else 0
    depth = depth if 1 <= depth <= bits else 0
    layout = Layout(pixels.value_tell, dtype, stored, shape, planar, "image" if image else "array", depth)
    if pixels.length < layout.nbytes:
        raise FormatError(f"damaged: {pixels.length} bytes of pixels for {layout.nbytes}")
    return layout


def _dtype(found: Any, floats: str, bits: int, representation: str | None) -> np.dtype[Any]:
    """The type of the stored pixels. Raises UnsupportedError."""
    big = _syntax(found) == BIG
    if floats:
        return np.dtype((">" if big else "<") + floats)
    if bits not in WIDTHS:
        raise UnsupportedError(f"pixels of {bits} bits allocated are not supported; {', '.join(map(str, WIDTHS))} bits are")
    if bits == 1:
        return np.dtype(np.bool_)
    if bits == 8 and big and representation == "OW":
        raise UnsupportedError("big-endian pixels of 8 bits in words of 16 are not supported")
    return np.dtype(f"{'>' if big else '<'}{'i' if _number(found, 'PixelRepresentation', 0) else 'u'}{bits // 8}")


def _number(found: Any, name: str, default: int | None = None) -> int:
    """An element that is one whole number. Raises FormatError: it is not there, or no number."""
    value = found.get(name)
    if value is None or value == "":
        if default is None:
            raise FormatError(f"damaged: it has no {name}")
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise FormatError(f"damaged: its {name} is no number") from None


def place(found: Any) -> Slice:
    """Where a Dataset of `opened` stands in its series."""
    position = None
    try:
        directions = np.array(found.ImageOrientationPatient, float).reshape(2, 3)
        origin = np.array(found.ImagePositionPatient, float).reshape(3)
        position = float(np.dot(np.cross(*directions), origin))
    except (AttributeError, TypeError, ValueError):  # not told, or not as it should be
        position = None
    try:
        number = int(found.InstanceNumber)
    except (AttributeError, TypeError, ValueError):
        number = None
    return Slice(str(found.get("SeriesInstanceUID", "")), position if position is None or np.isfinite(position) else None, number)


def _fresh(signal: Signal) -> tuple[bytes, bytes]:
    if any(key.startswith("dicom/") for key in signal.metadata):
        raise UnsupportedError("these samples are not those of one DICOM file; a series is decoded to a folder, and .npy can hold any")
    raise UnsupportedError("a DICOM file is written only with the elements of one that was read; .npy can hold any samples")


DIALECT = Dialect("dicom", ".dcm", parse, _fresh)
TYPES = (
    FileType(
        "DICOM",
        "image",
        (".dcm", ".dicom"),
        "uncompressed pixels, and a folder of files as a volume; comes back byte for byte (needs pydicom)",
        rb".{128}DICM",
        read,
        write,
        "dicom/",
    ),
)
