"""NumPy's .npy ↔ Signal.

Read: integers, bool, floats of 16, 32 and 64 bits, and complex numbers of two floats of 32 or 64 bits, of either byte order, 1 to 4
dimensions, C or Fortran order. The samples have the dtype of the file, byte order included, and are C-contiguous; `npy/fortran_order` tells
that the file was not. A header that is not what NumPy writes for this array is kept as `npy/header`, so the file comes back byte for byte.

Refused: everything else that can be in such a file, and bytes after the array.

Written: the samples of a signal of any kind, without its metadata; those of bfloat16 as their bits, uint16.

Source: numpy.lib.format, versions 1 to 3.
"""

from __future__ import annotations

import ast
import io
import math
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, UnsupportedError, quiet
from ..limits import Limits
from ..signal import Signal
from ..tensors import shape_fault
from ..values import bits_of
from .bounds import check_size, contents
from .registry import FileType

MAGIC = b"\x93NUMPY"
GROWTH, ALIGNED = 21, 64  # digits of an axis, and bytes, that NumPy's headers leave room for
HEADER_LIMIT = 1 << 16  # bytes; NumPy reads at most 10,000


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a .npy file: dtype and shape are those of the file.

    Raises:
        UnsupportedError: a type that is none of these, no or more than 4 dimensions, no samples, or bytes after the array.
        FormatError: not a .npy file, damaged, or truncated.
    """
    with _regular(path, file, limits) as regular:
        with regular.open("rb") as opened:
            start = opened.read(HEADER_LIMIT)
        return _read(regular, start, limits)


@contextmanager
def _regular(path: Path, file: BufferedReader, limits: Limits) -> Iterator[Path]:
    """A file that can be mapped: that at `path`, or a temporary copy of what comes through a pipe."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "array.npy"
        copy.write_bytes(contents(file, limits))
        yield copy


def _read(path: Path, start: bytes, limits: Limits) -> Signal:
    """The array of a file that begins with `start`."""
    if not start.startswith(MAGIC):
        raise FormatError("not a .npy file")
    if _header_size(start) > HEADER_LIMIT:
        raise FormatError(f"damaged: a header of {_header_size(start)} bytes")
    array = _mapped(path)
    if array is None:
        if b"'|O'" in start or b"'O'" in start:
            raise UnsupportedError("arrays of Python objects are not supported")
        raise FormatError("truncated, or damaged: NumPy cannot read the array")
    at = array.offset
    if at + array.nbytes != path.stat().st_size:
        raise UnsupportedError("more follows after the array; only files of one array are supported")
    check_size(limits, array.shape, array.dtype.itemsize, 2)
    samples = np.array(array, order="C")
    if samples.dtype.kind == "b" and samples.size and samples.view(np.uint8).max() > 1:
        raise FormatError("damaged: bool values that are neither 0 nor 1")
    signal = Signal(samples)
    metadata = {"npy/fortran_order": b"1"} if _is_fortran(array) else {}
    if start[:at] != _header(signal.samples, _is_fortran(array)):
        metadata["npy/header"] = start[:at]
    return replace(signal, metadata=metadata) if metadata else signal


def write(path: Path, signal: Signal) -> None:
    """Write the samples of a signal of any kind, in the order and with the header of the .npy file they came from, if they did."""
    x = signal.samples
    fortran = signal.metadata.get("npy/fortran_order") == b"1"
    body = x.tobytes("F" if fortran else "C")
    header = signal.metadata.get("npy/header")
    if header is not None and header.startswith(MAGIC) and _header_size(header) <= HEADER_LIMIT:
        path.write_bytes(header + body)
        found = _mapped(path)
        if found is not None and (found.offset, found.dtype, found.shape) == (len(header), x.dtype, x.shape) and _same(found, x):
            return
        del found  # a mapped file is not to be cut
    path.write_bytes(_header(x, fortran) + body)


def unpack(data: bytes) -> tuple[npt.NDArray[Any], dict[str, bytes]]:
    """The array in the bytes of a .npy file, of any type but Python objects, and what is kept beside it: see `read`. It is read-only.

    Raises:
        UnsupportedError: Python objects, or bytes after the array.
        FormatError: not a .npy file, damaged, or truncated.
    """
    shape, fortran, dtype, start = _parsed(data)
    if dtype.hasobject:
        raise UnsupportedError("arrays of Python objects are not supported")
    count = math.prod(shape)
    if count * dtype.itemsize > len(data) - start:
        raise FormatError(f"truncated: {len(data) - start} of {count * dtype.itemsize} bytes of the array are there")
    if count * dtype.itemsize < len(data) - start:
        raise UnsupportedError("more follows after the array; only files of one array are supported")
    x: npt.NDArray[Any] = np.ndarray(shape, dtype, data, start, order="F" if fortran else "C")
    x = x if x.flags.aligned else x.copy(order="K")  # the headers of old versions have any length
    if dtype.kind == "b" and count and x.view(np.uint8).max() > 1:
        raise FormatError("damaged: bool values that are neither 0 nor 1")
    metadata = {"npy/fortran_order": b"1"} if _is_fortran(x) else {}
    if data[:start] != _header(x, _is_fortran(x)):
        metadata["npy/header"] = data[:start]
    return x, metadata


def pack(x: npt.NDArray[Any], metadata: Mapping[str, bytes]) -> bytes:
    """The bytes of a .npy file of an array of any type but Python objects; of one from `unpack`, the same bytes. metadata: from there."""
    header = metadata.get("npy/header")
    if header is not None:
        try:
            shape, fortran, dtype, start = _parsed(header)
        except FormatError:
            start = -1
        if start == len(header) and (shape, dtype) == (x.shape, x.dtype):
            return header + x.tobytes("F" if fortran else "C")
    fortran = metadata.get("npy/fortran_order") == b"1"
    return _header(x, fortran) + x.tobytes("F" if fortran else "C")


def _parsed(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """(shape, whether in Fortran order, type, where the elements begin) that a header says. Raises FormatError."""
    if not data.startswith(MAGIC):
        raise FormatError("not a .npy file")
    if _header_size(data) > HEADER_LIMIT:
        raise FormatError(f"damaged: a header of {_header_size(data)} bytes")
    file = io.BytesIO(data)
    try:
        with quiet():  # old headers are read, with a warning
            version = np.lib.format.read_magic(file)
            if version == (3, 0):
                shape, fortran, dtype = _parsed_utf8(file)
            else:
                parse = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, fortran, dtype = parse(file, max_header_size=HEADER_LIMIT)
    except Exception:  # it is a Python literal: a damaged one fails in a dozen ways
        raise FormatError("damaged: its header is none of a .npy file") from None
    if shape_fault(shape):
        raise FormatError(f"damaged: {shape_fault(shape)}")
    return shape, fortran, dtype, file.tell()


def _parsed_utf8(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """What a header of version 3 says, for which NumPy has no public function. Raises ValueError, and what a Python literal can raise."""
    size = int.from_bytes(file.read(4), "little")
    told = ast.literal_eval(file.read(size).decode("utf-8"))
    shape, fortran = told["shape"], told["fortran_order"]
    whole = isinstance(shape, tuple) and all(isinstance(n, int) and not isinstance(n, bool) for n in shape)
    if set(told) != {"descr", "fortran_order", "shape"} or not whole or not isinstance(fortran, bool):
        raise ValueError("not a header")
    return shape, fortran, np.lib.format.descr_to_dtype(told["descr"])


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    """Whether two arrays of one type have the same bits."""
    return np.array_equal(bits_of(a), bits_of(b))


def _mapped(path: Path) -> np.memmap[Any, np.dtype[Any]] | None:
    """The array on disk, None if it is not a valid one. Mapping it checks its size before any memory is taken."""
    try:
        with quiet():  # old headers are read, with a warning
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception:  # the header is a Python literal: a damaged one fails in a dozen ways
        return None
    return array if isinstance(array, np.memmap) else None


def _header_size(start: bytes) -> int:
    """Bytes of a header as its first bytes tell it. NumPy takes as much memory before it looks further: up to 4 GB."""
    return int.from_bytes(start[8:10] if start[6:7] == b"\1" else start[8:12], "little")


def _is_fortran(x: npt.NDArray[Any]) -> bool:
    return x.flags.f_contiguous and not x.flags.c_contiguous


def _header(x: npt.NDArray[Any], fortran: bool) -> bytes:
    """What NumPy writes before an array of that dtype and shape."""
    out = io.BytesIO()
    told = {"shape": x.shape, "fortran_order": fortran, "descr": np.lib.format.dtype_to_descr(x.dtype)}
    try:
        np.lib.format.write_array_header_1_0(out, told)
        return out.getvalue()
    except UnicodeEncodeError:  # names of fields that only version 3 can have
        text = "{" + "".join(f"{key!r}: {told[key]!r}, " for key in sorted(told)) + "}"
        room = GROWTH - len(repr(x.shape[-1 if fortran else 0])) if x.shape else 0  # NumPy leaves it for an axis that grows
        content = text.encode() + b" " * room
        content += b" " * (ALIGNED - (len(content) + len(MAGIC) + 7) % ALIGNED) + b"\n"
        return MAGIC + b"\3\0" + len(content).to_bytes(4, "little") + content
    except ValueError:  # too long for version 1
        np.lib.format.write_array_header_2_0(out, told)
        return out.getvalue()


TYPES = (
    FileType(
        "NumPy",
        "array",
        (".npy",),
        "integers, bool, floats and complex numbers, 1 to 4 dimensions; written from signals of any kind",
        rb"\x93NUMPY",
        read,
        write,
    ),
)
