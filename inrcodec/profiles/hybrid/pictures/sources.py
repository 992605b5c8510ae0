"""The signal's planes as a transform sees them: values ↔ indices from 0 up, by an offset or by a table of the values that occur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ....compression import compress, decompress
from ....container import Reader, varint
from ....errors import FormatError

Planes = npt.NDArray[Any]  # (planes, height, width)


@dataclass(frozen=True)
class Source:
    """One of the signal's planes, as the transform sees it: value = least + index, or the table's entry.

    Attributes:
        largest: index that occurs.
        least: what is added to the index; 0 where there is a table.
        table: the values that occur, ascending, where few do: (largest + 1,) int64.
    """

    largest: int
    least: int = 0
    table: npt.NDArray[np.int64] | None = None


def packed(data: bytes) -> bytes:
    """Compressed bytes, after their length."""
    packed = compress(data)
    return varint(len(packed)) + packed


def _table(values: npt.NDArray[np.int64]) -> bytes:
    present = np.zeros(int(values[-1]) + 1, np.uint8)
    present[values] = 1
    return varint(int(values[-1])) + packed(np.packbits(present).tobytes())


def table_size(source: Source) -> int:
    """Bytes that a source's table takes."""
    return len(_table(source.table)) if source.table is not None else 0


def write(source: Source) -> bytes:
    """One source of section HYBR."""
    head = varint(source.largest) + bytes([source.table is not None])
    return head + (_table(source.table) if source.table is not None else varint(source.least))


def read(r: Reader, bits: int) -> Source:
    """One source, its values below 2^bits. Raises FormatError."""
    largest, has_table = r.varint((1 << bits) - 1), r.byte()
    if has_table > 1:
        raise FormatError("damaged: a plane has an unknown setting")
    last = r.varint((1 << bits) - 1)
    if not has_table:
        if largest + last >= 1 << bits:
            raise FormatError("damaged: a plane's values are out of range")
        return Source(largest, last)
    size = (last + 8) // 8
    raw = decompress(r.take(r.varint()), size, "a table of values")
    present = np.unpackbits(np.frombuffer(raw, np.uint8))
    table = np.flatnonzero(present).astype(np.int64)
    if len(raw) != size or len(table) != largest + 1 or table[-1] != last:
        raise FormatError("damaged: a table of values is not valid")
    return Source(largest, 0, table)


def split(values: npt.NDArray[Any]) -> Planes:
    """Values (axes…, channels), two axes or more → (planes, height, width): channels slowest, then the leading axes."""
    moved = np.moveaxis(values, -1, 0)
    return moved.reshape(-1, *values.shape[-3:-1])


def join(planes: Planes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The inverse, for values of this shape."""
    return np.moveaxis(planes.reshape(shape[-1], *shape[:-1]), 0, -1)


def to_indices(planes: Planes, sources: tuple[Source, ...]) -> Planes:
    """What the transform sees of the signal's planes: uint16."""
    out = np.empty(planes.shape, np.uint16)
    for source, values, target in zip(sources, planes, out, strict=True):
        if source.table is not None:
            place = np.zeros(int(source.table[-1]) + 1, np.uint16)
            place[source.table] = np.arange(len(source.table))
            target[:] = place[values]
        else:
            target[:] = values - values.dtype.type(source.least)
    return out


def from_indices(planes: Planes, sources: tuple[Source, ...]) -> Planes:
    """The inverse. Raises FormatError if an index is out of range."""
    out = np.empty(planes.shape, np.uint16)
    for source, values, target in zip(sources, planes, out, strict=True):
        if int(values.max()) > source.largest:
            raise FormatError("damaged: a value of a tile is out of range")
        target[:] = source.table[values] if source.table is not None else values + source.least
    return out


def pack(planes: Planes) -> npt.NDArray[Any]:
    """One key per place of at most four planes of 16 bits: (planes, height, width) → (height, width) uint64."""
    key = np.zeros(planes.shape[1:], np.uint64)
    for plane in planes:
        key = key << np.uint64(16) | plane.astype(np.uint64)
    return key
