"""NIfTI-1 and NIfTI-2 volumes in one file (.nii) ↔ Signal, byte for byte.

Read: the stored numbers, without the header's scaling: integers of 8 to 64 bits, floats of 32 and 64, RGB and RGBA of 8, of either byte
order. The axes are those of the file, the slowest first: (time, z, y, x), colours last. Slow axes of 1 are dropped; more than 4 axes
become 4 by merging slow ones. Header, extensions, and whatever follows the samples are kept.

Written from other signals: a header that says type and shape, and nothing of where in space the volume lies.

Refused: pairs of .hdr and .img, complex numbers, floats of 128 bits, bits.

Source: the headers nifti1.h and nifti2.h; nibabel reads them. It comes with the extra `science`.
"""

from __future__ import annotations

import io
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from .hollow import Dialect, Layout, squeezed
from .hollow import read as read_hollow
from .hollow import write as write_hollow
from .optional import require
from .registry import FileType

NEEDED = {"nibabel": "nibabel"}
SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}  # of the header, which is its first number
MAGICS = {348: (344, b"n+1\0", b"ni1\0"), 540: (4, b"n+2\0", b"ni2\0")}  # where it is; of one file; of a pair
PAIR = "of a pair of files, .hdr and .img, is not supported; convert it to .nii first"
COLOURS = {128: 3, 2304: 4}  # channels, by the code of the type
MOST_SIDE = 32767  # of an axis in NIfTI-1
WRITTEN = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a NIfTI file: an array of integers or floats.

    Raises:
        UnsupportedError: it is one of a pair, or its numbers are of a type that is refused.
        MissingError: nibabel is not installed.
        FormatError: not a NIfTI file, damaged, or truncated.
    """
    return read_hollow(file, DIALECT, limits)


def write(path: Path, signal: Signal) -> None:
    """Write the file that a signal was read from; of another one, a file with the least of a header.

    Raises:
        UnsupportedError: samples that NIfTI does not have: bool, floats of 16 bits; or a first axis of 1, which would be dropped.
        MissingError: nibabel is not installed.
    """
    write_hollow(path, signal, DIALECT)


def _parse(data: bytes) -> Layout:
    require("a NIfTI file", NEEDED)
    size = next((n for n in SIZES if n in (int.from_bytes(data[:4], order) for order in ("little", "big"))), None)
    if size is None:
        raise FormatError("not a NIfTI file")
    at, single, pair = MAGICS[size]
    magic = data[at : at + 4]
    if magic == pair:
        raise UnsupportedError(f"NIfTI {PAIR}")
    if len(data) < size:
        raise FormatError("truncated: it ends within the header")
    if magic != single:
        raise UnsupportedError(f"Analyze 7.5 {PAIR}") if size == 348 and not any(magic) else FormatError("not a NIfTI file")
    import nibabel

    header = getattr(nibabel, SIZES[size])(data[:size], check=False)
    code = int(header["datatype"])
    dtype = _dtype(header, code)
    axes = int(header["dim"][0])
    if not 1 <= axes <= 7:
        raise FormatError(f"damaged: it declares {axes} axes")
    stored = [int(n) for n in header["dim"][1 : axes + 1]][::-1]
    if min(stored) < 0:
        raise FormatError("damaged: an axis is negative")
    start = int(header.get_data_offset())
    if start < size + 4:
        raise FormatError(f"damaged: the samples begin at byte {start}, in the header")
    shape: tuple[int, ...] = tuple(stored)
    if code in COLOURS:
        stored.append(COLOURS[code])
        places = squeezed(shape)
        more = max(0, len(places) - 3)
        shape = (int(np.prod(places[: more + 1], dtype=np.int64)), *places[more + 1 :], COLOURS[code])
    else:
        shape = squeezed(shape)
    return Layout(start, dtype, tuple(stored), shape)


def _dtype(header: Any, code: int) -> np.dtype[Any]:
    """The type of the stored numbers. Raises UnsupportedError; FormatError: there is no such type."""
    if code in COLOURS:
        return np.dtype(np.uint8)
    if code == 1:
        raise UnsupportedError("NIfTI of single bits is not supported")
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except Exception:
        raise FormatError(f"damaged: it has no samples, or of the unknown type {code}") from None
    if dtype.kind == "c":
        raise UnsupportedError(f"complex samples ({dtype.name}) are not supported; save real and imaginary part as two files")
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UnsupportedError(f"samples of type {dtype.name} are not supported; integers and floats of up to 64 bits are")
    return dtype


def _fresh(signal: Signal) -> tuple[bytes, bytes]:
    require("a NIfTI file", NEEDED)
    import nibabel

    samples = signal.samples
    if samples.dtype.str[1:] not in WRITTEN:
        raise UnsupportedError(f".nii cannot hold samples of type {samples.dtype}; .npy can")
    shape, dtype = samples.shape, samples.dtype.newbyteorder("<")
    header: Any = getattr(nibabel, "Nifti1Header" if max(shape) <= MOST_SIDE else "Nifti2Header")()
    if len(shape) > 2 and shape[-1] == 3 and dtype == np.uint8:
        shape, dtype = shape[:-1], np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    header.set_data_dtype(dtype)
    header.set_data_shape(shape[::-1])
    size = int(header["sizeof_hdr"])
    header["vox_offset"] = -(-(size + 4) // 16) * 16
    out = io.BytesIO()
    header.write_to(out)
    return out.getvalue().ljust(int(header["vox_offset"]), b"\0"), b""


DIALECT = Dialect("nifti", ".nii", _parse, _fresh)
TYPES = (
    FileType(
        "NIfTI",
        "array",
        (".nii",),
        "NIfTI-1 and NIfTI-2: integers, floats, RGB, of up to 7 dimensions; comes back byte for byte (needs nibabel)",
        rb"(?:\x5c\x01\0\0.{36}[\x01-\x07]\0|\0\0\x01\x5c.{36}\0[\x01-\x07]|\x1c\x02\0\0n[+i]2|\0\0\x02\x1cn[+i]2)",
        read,
        write,
        "nifti/",
    ),
)
