"""The sources of a picture: values ↔ indices from 0 up, by an offset or by a table of the values that occur."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """How the values of one source become indices: value = least + index, or value = table[index].

    Attributes:
        largest: largest index.
        least: least value; 0 if there is a table.
        table: None, or (largest + 1,) int64: the values that occur, ascending.
        written: None, or the table as a file has it, if it is not expanded: there may be many tables, each from a few bytes.
    """

    largest: int
    least: int = 0
    table: npt.NDArray[np.int64] | None = None
    written: Written | None = None

    @property
    def has_table(self) -> bool:
        """Whether it has a table, expanded or not."""
        return self.table is not None or self.written is not None

    def expanded(self) -> npt.NDArray[np.int64] | None:
        """The table, if it has one. Raises FormatError."""
        return self.table if self.written is None else _expand(self.written, self.largest)


@dataclass(frozen=True)
class Written:
    """A table as section HYBR has it. last: its last value; packed: the bits of all values up to it, plain or as a Brotli string."""

    last: int
    packed: bytes
    plain: bool = False


def packed(data: bytes) -> bytes:
    """`data` as a blob: the length of its Brotli string as a varint, then the string."""
    packed = compress(data)
    return varint(len(packed)) + packed


def _table_bytes(last: int) -> int:
    """Bytes of the bits of a table whose last value is this."""
    return (last + 8) // 8


def _bits(values: npt.NDArray[np.int64]) -> bytes:
    """The bits of a table: which values occur."""
    present = np.zeros(int(values[-1]) + 1, np.uint8)
    present[values] = 1
    return np.packbits(present).tobytes()


def _table(values: npt.NDArray[np.int64]) -> bytes:
    return varint(int(values[-1])) + packed(_bits(values))


def table_size(source: Source) -> int:
    """Bytes that a source's table takes in section HYBR."""
    return len(_table(source.table)) if source.table is not None else 0


def _expand(table: Written, largest: int) -> npt.NDArray[np.int64]:
    raw = table.packed if table.plain else decompress(table.packed, _table_bytes(table.last), "a table of values")
    present = np.unpackbits(np.frombuffer(raw, np.uint8))
    values = np.flatnonzero(present).astype(np.int64)
    if len(values) != largest + 1 or values[-1] != table.last:
        raise FormatError("damaged: a table of values is not valid")
    return values


def write(source: Source) -> bytes:
    """The bytes of one source in section HYBR."""
    head = varint(source.largest) + bytes([source.has_table])
    if source.written is not None:
        return head + varint(source.written.last) + varint(len(source.written.packed)) + source.written.packed
    return head + (_table(source.table) if source.table is not None else varint(source.least))


def read(r: Reader, bits: int) -> Source:
    """Parse one source of section HYBR; its values are below 2^bits. Its table is checked when it is expanded. Raises FormatError."""
    largest, has_table = r.varint((1 << bits) - 1), r.byte()
    if has_table > 1:
        raise FormatError("damaged: a plane has an unknown setting")
    last = r.varint((1 << bits) - 1)
    if not has_table:
        if largest + last >= 1 << bits:
            raise FormatError("damaged: a plane's values are out of range")
        return Source(largest, last)
    if largest > last:
        raise FormatError("damaged: a table of values is not valid")
    return Source(largest, written=Written(last, r.take(r.varint())))


# how the brief form of HYBR has a source: its full range, like the source before it, only the largest value, as the long form, a table
# whose bits are plain
WHOLE, SAME, TOP, LONG, PLAIN = range(5)


def write_brief(source: Source, before: Source | None, bits: int) -> bytes:
    """The bytes of one source in the brief form of HYBR. before: the source before it, None if it is the first; bits: of its values."""
    top = (1 << bits) - 1
    if source.written is not None:
        w = source.written
        return bytes([PLAIN]) + varint(source.largest) + varint(w.last) + w.packed if w.plain else bytes([LONG]) + write(source)
    if source.table is not None:
        table = source.table
        if before is not None and before.table is not None and np.array_equal(before.table, table):
            return bytes([SAME])
        plain = bytes([PLAIN]) + varint(source.largest) + varint(int(table[-1])) + _bits(table)
        return min(plain, bytes([LONG]) + write(source), key=len)
    if source == Source(top):
        return bytes([WHOLE])
    if source == Source(0, top):
        return bytes([TOP])
    same = before is not None and not before.has_table and source == before
    return bytes([SAME]) if same else bytes([LONG]) + write(source)


def read_brief(r: Reader, before: Source | None, bits: int) -> Source:
    """The inverse of `write_brief`; see `read`. Raises FormatError."""
    way, top = r.byte(), (1 << bits) - 1
    if way == WHOLE:
        return Source(top)
    if way == SAME and before is not None:
        return before
    if way == TOP:
        return Source(0, top)
    if way == LONG:
        return read(r, bits)
    if way != PLAIN:
        raise FormatError("damaged: a plane has an unknown setting")
    largest, last = r.varint(top), r.varint(top)
    if largest > last:
        raise FormatError("damaged: a table of values is not valid")
    return Source(largest, written=Written(last, r.take(_table_bytes(last)), plain=True))


def split(values: npt.NDArray[Any]) -> Planes:
    """Values (axes…, channels), two axes or more → the sources (sources, height, width): channels slowest, then the leading axes."""
    moved = np.moveaxis(values, -1, 0)
    return moved.reshape(-1, *values.shape[-3:-1])


def join(planes: Planes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The inverse of `split`, for values of this shape, (axes…, channels)."""
    return np.moveaxis(planes.reshape(shape[-1], *shape[:-1]), 0, -1)


def to_indices(planes: Planes, sources: tuple[Source, ...]) -> Planes:
    """Values of the sources → their indices, uint16; both (sources, height, width)."""
    out = np.empty(planes.shape, np.uint16)
    for source, values, target in zip(sources, planes, out, strict=True):
        if source.table is not None:
            place = np.zeros(int(source.table[-1]) + 1, np.uint16)
            place[source.table] = np.arange(len(source.table))
            target[:] = place[values]
        else:
            target[:] = values - values.dtype.type(source.least)
    return out


def expanded(sources: Sequence[Source]) -> Iterator[npt.NDArray[np.int64] | None]:
    """The table of each source, see `Source.expanded`. Of sources in a row that are the same, it is made once. Raises FormatError."""
    before, table = None, None
    for source in sources:
        if source is not before:
            before, table = source, source.expanded()
        yield table


def from_indices(planes: Planes, sources: tuple[Source, ...]) -> Planes:
    """The inverse of `to_indices`, uint16. Raises FormatError if an index is out of range."""
    out = np.empty(planes.shape, np.uint16)
    for source, table, values, target in zip(sources, expanded(sources), planes, out, strict=True):
        if int(values.max()) > source.largest:
            raise FormatError("damaged: a value of a tile is out of range")
        target[:] = table.astype(np.uint16)[values] if table is not None else values + source.least
    return out


def pack(planes: Planes) -> npt.NDArray[Any]:
    """The values of a place in at most four planes of 16 bits as one number: (planes, height, width) → (height, width) uint64."""
    key = np.zeros(planes.shape[1:], np.uint64)
    for plane in planes:
        key = key << np.uint64(16) | plane.astype(np.uint64)
    return key
