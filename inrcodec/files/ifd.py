"""Image file directories, the tag lists of TIFF files and Exif blocks: parsing them, and packing them for another place.

A TIFF file has a directory for each page; each tells where the next one is.

Values are kept as bytes in little-endian order, whatever the order of the file, so that they need no interpretation to be
moved. Of the directories that tags point to, those of Exif (Exif, GPS and interoperability) are followed.

Source: TIFF revision 6.0 (Adobe, 1992), section 2; Exif 2.32, section 4.6.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import InrcodecError
from ..limits import NO_LIMITS, Limits

EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
SUBDIRECTORIES = {EXIF, GPS, INTEROPERABILITY}
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
DEEPEST = 2  # interoperability, in Exif, in the file
SHARED = 2  # values may share bytes, but together they may not take more than so many times the file
PAGE_BYTES = 2000  # that the tags of a page take beside their values, and what is made of them
COPIES = 3  # of a value: here, in the metadata, and while it is turned from one into the other


@dataclass(frozen=True)
class Value:
    """A tag's value: its type, and its bytes in little-endian order."""

    kind: int
    data: bytes

    def integers(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        """The numbers of a tag whose type is an unsigned integer: a view of its bytes."""
        return np.frombuffer(self.data, f"<u{SIZES[self.kind]}")


Tags = dict[int, "Value | Tags"]


@dataclass(frozen=True)
class Layout:
    """How a file stores its directories."""

    order: str
    big: bool  # BigTIFF: 64-bit offsets

    @property
    def count(self) -> str:
        """`struct` format of the number of tags."""
        return self.order + ("Q" if self.big else "H")

    @property
    def entry(self) -> str:
        """`struct` format of a tag: number, type, count, and the value or its place."""
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    @property
    def pointer(self) -> str:
        """`struct` format of a place in the file, in bytes from its beginning."""
        return self.order + ("Q" if self.big else "I")


def parse(file: BinaryIO, limits: Limits = NO_LIMITS) -> tuple[Tags, bool]:
    """The tags of a file's first directory, and whether another directory follows. See `parse_pages`."""
    source, at = _begin(file, limits)
    with _damage():
        tags, following = _directory(source, at, 0)
    return tags, following != 0


def parse_pages(file: BinaryIO, limits: Limits = NO_LIMITS) -> tuple[list[Tags], str]:
    """The tags of all directories of a file, the first one first, and the byte order of the file, "<" or ">".

    Tags of a type that is not known are left out, as are directories of Exif that are damaged. The values together take at most SHARED
    times the bytes of the file, however many tags point at the same bytes.

    Raises:
        LimitError: the values take more memory than the limits allow, if there are COPIES of them.
        InrcodecError: the file does not begin like a TIFF file, or a directory is damaged, or is its own successor.
    """
    source, at = _begin(file, limits)
    pages: list[Tags] = []
    seen: set[int] = set()
    while at or not pages:
        if at in seen:
            raise InrcodecError("damaged TIFF file: its pages follow each other in a circle")
        seen.add(at)
        limits.check_memory(COPIES * source.taken + PAGE_BYTES * len(seen))
        with _damage():
            tags, at = _directory(source, at, 0)
        pages.append(tags)
    return pages, source.layout.order


@contextmanager
def _damage() -> Iterator[None]:
    """Raise InrcodecError if a directory cannot be read."""
    try:
        yield
    except (struct.error, OverflowError) as fault:
        raise InrcodecError("TIFF file is damaged or ends early") from fault


def _begin(file: BinaryIO, limits: Limits) -> tuple[_Source, int]:
    """A file, and where its first directory is. Raises InrcodecError: it does not begin like a TIFF file."""
    file.seek(0)
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
    magic = struct.unpack_from(order + "H", start, 2)[0] if order and len(start) >= 8 else 0
    if magic not in (42, 43):
        raise InrcodecError("not a TIFF file")
    layout = Layout(order, magic == 43)
    with _damage():
        (at,) = struct.unpack_from(layout.pointer, start, 8 if layout.big else 4)
    return _Source(file, layout, limits), at


class _Source:
    """A file and how it stores its directories. `read` gives bytes until they have become too many."""

    def __init__(self, file: BinaryIO, layout: Layout, limits: Limits) -> None:
        self.file, self.layout, self.limits = file, layout, limits
        self.size = file.seek(0, os.SEEK_END)
        self.taken = 0

    def read(self, at: int, count: int) -> bytes:
        """`count` bytes from `at` on. Raises struct.error if they are not there, or if more has been read than the file may hold."""
        self.taken += count
        if at + count > self.size or self.taken > SHARED * self.size:
            raise struct.error("value outside of the file, or values that share too much")
        self.limits.check_memory(COPIES * self.taken)
        self.file.seek(at)
        return self.file.read(count)


def _directory(source: _Source, at: int, level: int) -> tuple[Tags, int]:
    """The tags of a directory, and where the next one is; 0: there is none."""
    layout = source.layout
    (count,) = struct.unpack(layout.count, source.read(at, struct.calcsize(layout.count)))
    length = struct.calcsize(layout.entry)
    if count > 65536:
        raise struct.error("too many tags")
    source.file.seek(at + struct.calcsize(layout.count))
    table = source.file.read(count * length + struct.calcsize(layout.pointer))  # the last pointer may be missing
    tags: Tags = {}
    for i in range(count):
        tag, kind, number, field = struct.unpack_from(layout.entry, table, i * length)
        if kind not in SIZES or tag in tags:
            continue
        bytes_ = number * SIZES[kind]
        data = field[:bytes_]
        if bytes_ > len(field):
            (place,) = struct.unpack(layout.pointer, field)
            data = source.read(place, bytes_)
        value = Value(kind, _turned(data, kind) if layout.order == ">" else data)
        if tag not in SUBDIRECTORIES:
            tags[tag] = value
        elif level < DEEPEST and kind in (LONG, 13, LONG8, 18) and number == 1:
            try:
                tags[tag] = _directory(source, int(value.integers()[0]), level + 1)[0]
            except (struct.error, OverflowError):
                continue
    return tags, int.from_bytes(table[count * length :], "little" if layout.order == "<" else "big")


def _turned(data: bytes, kind: int) -> bytes:
    """The numbers of a value in the other byte order."""
    unit = 4 if kind in (RATIONAL, 10) else SIZES[kind]  # a rational is two numbers
    return np.frombuffer(data, f"u{unit}").byteswap().tobytes()


def pack(tags: Tags, at: int, big: bool = False, order: str = "<", last: bool = True) -> bytes:
    """A directory with all it points to, as bytes to be placed in a file.

    Args:
        tags: the values by number; a directory of Exif is itself such a mapping.
        at: where the bytes will begin, in bytes from the beginning of the file.
        big: whether it is a BigTIFF file, of 64-bit places.
        order: of the bytes of the file, "<" or ">".
        last: whether it is the last page; else the next one begins right behind these bytes.
    """
    layout = Layout(order, big)
    word = struct.calcsize(layout.pointer)
    values = at + struct.calcsize(layout.count) + len(tags) * struct.calcsize(layout.entry) + word
    table, tail = bytearray(struct.pack(layout.count, len(tags))), bytearray()
    for tag, value in sorted(tags.items(), key=lambda item: item[0]):
        pointer = struct.pack(layout.pointer, values + len(tail))
        if isinstance(value, dict):
            kind, number, field = LONG8 if big else LONG, 1, pointer
            tail += pack(value, values + len(tail), big, order)
        else:
            field = _turned(value.data, value.kind) if order == ">" else value.data
            kind, number = value.kind, len(field) // SIZES[value.kind]
            if len(field) > word:
                tail += field
                field = pointer
        tail += b"\0" * (len(tail) % 2)
        table += struct.pack(layout.entry, tag, kind, number, field)
    return bytes(table + struct.pack(layout.pointer, 0 if last else values + len(tail)) + tail)
