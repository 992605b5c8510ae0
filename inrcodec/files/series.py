"""A folder of DICOM files of one series ↔ Signal: a volume of their slices, (slices, rows, columns), colours last.

The slices are in the order of their positions along the normal of the plane, else of their instance numbers, else of the files' names. What
each file holds beside its pixels is kept under its name: `dicom/head/NAME`, `dicom/tail/NAME`. So all files come back, byte for byte.

Refused, naming the file: what is no DICOM file, several frames, another series, another shape or type of pixels, folders inside. Names that
begin with a dot are passed over; a Notice tells.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InrcodecError, UnsupportedError, naming, notice
from ..limits import Limits
from ..signal import Signal
from . import dicom, hollow
from .bounds import contents
from .faults import faults

ONLY = "a folder must hold the DICOM files of one series, and nothing else"
HEAD, TAIL = "dicom/head/", "dicom/tail/"
SAME = ("SeriesInstanceUID", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "PixelRepresentation")


class _File(NamedTuple):
    name: str
    place: dicom.Slice
    layout: hollow.Layout
    signal: Signal
    head: bytes
    tail: bytes


def read(folder: Path, limits: Limits) -> Signal:
    """The volume in a folder.

    Raises:
        UnsupportedError: a file is not one of a series, or is refused; the message begins with its name.
        MissingError: pydicom is not installed.
        LimitError: the files ask for more than the limits allow.
        InrcodecError: a file is damaged, or there is none.
        OSError: the folder or a file cannot be read.
    """
    entries = sorted(folder.iterdir())
    hidden = [path.name for path in entries if path.name.startswith(".")]
    found: list[_File] = []
    held = 0
    for path in entries:
        if path.name in hidden:
            continue
        with naming(path), faults("damaged or not a DICOM file"):
            one = _read(path, limits, held)
            _check_like(one, found[0] if found else one, folder)
            found.append(one)
            held += len(one.head) + 2 * one.signal.samples.nbytes + len(one.tail)
    with naming(folder):
        if not found:
            raise InrcodecError("there are no DICOM files in this folder")
        limits.check_shape((len(found), *found[0].signal.samples.shape))
        hollow.kept("dicom", b"".join(one.head for one in found), b"".join(one.tail for one in found))
    if hidden:
        notice(f"{folder}: passed over: {', '.join(hidden[:5])}{' and more' if len(hidden) > 5 else ''}", 2)
    found = _sorted(found)
    volume = np.stack([one.signal.samples for one in found])
    depth = max(one.signal.bit_depth for one in found)
    return replace(Signal(volume, "array", depth), metadata=_metadata(found))


def is_series(folder: Path, least: int = 1) -> bool:
    """Whether a folder holds nothing but DICOM files of one series and one size, at least so many. False if pydicom is not installed."""
    try:
        with os.scandir(folder) as entries:
            paths = [Path(entry.path) for entry in itertools.takewhile(_may_be, entries)]
        if len(paths) < max(1, least) or len(paths) < len(os.listdir(folder)):
            return False
        first = _told(paths[0])
        return all(_told(path) == first for path in paths[1:])
    except (OSError, InrcodecError, EOFError, ValueError, NotImplementedError, ImportError):
        return False


def _may_be(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a file that begins as DICOM files do. Raises OSError."""
    if entry.name.startswith(".") or not entry.is_file():
        return False
    with open(entry.path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def _told(path: Path) -> tuple[str, ...]:
    """What the files of a series have in common. Raises OSError, and what pydicom raises."""
    import pydicom

    with dicom.quiet():
        found = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(SAME))
        return tuple(str(found.get(keyword, "")) for keyword in SAME)


def _read(path: Path, limits: Limits, held: int) -> _File:
    """One file. held: bytes that are held already. Raises InrcodecError."""
    if not path.is_file():
        raise UnsupportedError(f"is no regular file; {ONLY}")
    if any(0xD800 <= ord(c) < 0xE000 for c in path.name):
        raise UnsupportedError("its name is not valid Unicode")
    with path.open("rb") as file:
        data = contents(file, limits)
    if data[128:132] != b"DICM":
        raise UnsupportedError(f"is no DICOM file; {ONLY}")
    limits.check_memory(held + 3 * len(data))
    with dicom.quiet():
        elements = dicom.opened(data)
        layout, place = dicom.layout_of(elements), dicom.place(elements)
    if len(layout.shape) > 2 and layout.shape[-1] not in (3, 4):
        raise UnsupportedError(f"has {layout.shape[0]} frames; files of a series have one each")
    signal = hollow.samples_of(data, layout, limits)
    return _File(path.name, place, layout, signal, data[: layout.start], data[layout.end :])


def _check_like(one: _File, first: _File, folder: Path) -> None:
    """Raise UnsupportedError if a file cannot be of one volume with the first."""
    shape, dtype = one.signal.samples.shape, one.signal.samples.dtype
    if shape != first.signal.samples.shape or dtype != first.signal.samples.dtype:
        wanted = f"{first.signal.samples.shape} {first.signal.samples.dtype}"
        raise UnsupportedError(f"has pixels of shape and type {shape} {dtype}, and {folder / first.name} has {wanted}")
    if one.place.series != first.place.series:
        raise UnsupportedError(f"is of another series than {folder / first.name}; encode each series from its own folder")


def _sorted(files: list[_File]) -> list[_File]:
    """The files in the order of the slices."""
    if all(one.place.position is not None for one in files):
        return sorted(files, key=lambda one: (one.place.position, one.place.number or 0, one.name))
    if all(one.place.number is not None for one in files):
        return sorted(files, key=lambda one: (one.place.number, one.name))
    return sorted(files, key=lambda one: one.name)


def _metadata(files: list[_File]) -> dict[str, bytes]:
    """What is kept: all heads, then all tails, since those are like each other."""
    heads = {HEAD + one.name: one.head for one in files}
    return heads | {TAIL + one.name: one.tail for one in files if one.tail}


def names(metadata: Mapping[str, bytes]) -> list[str]:
    """The names of the files that a volume was read from, in the order of the slices; empty if it was not read from a folder."""
    return [key.removeprefix(HEAD) for key in metadata if key.startswith(HEAD)]


def write(folder: Path, signal: Signal) -> None:
    """Write the files that a volume was read from into a folder, which is there and empty.

    Raises:
        UnsupportedError: it was not read from a folder, or is not what was read.
        FormatError: the name of a file is none.
        OSError: a file cannot be written.
    """
    found = names(signal.metadata)
    if not found:
        raise UnsupportedError("a folder is written only of a volume that was read from a folder of DICOM files")
    if len(found) != len(signal.samples) or signal.samples.ndim < 3:
        raise UnsupportedError(f"it has {len(signal.samples)} slices, and names of {len(found)} files")
    for name, samples in zip(found, signal.samples, strict=True):
        if not name or name in (".", "..") or any(c in name for c in "/\\\0:"):
            raise UnsupportedError(f"{name!r} is no name of a file")
        tail = signal.metadata.get(TAIL + name, b"")
        with dicom.quiet():
            content = hollow.joined(samples, dicom.parse, signal.metadata[HEAD + name], tail)
        if content is None:
            raise UnsupportedError(f"the slice of {name} is not what its header says; .npy can hold it")
        (folder / name).write_bytes(content)
