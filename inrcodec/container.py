"""`.linr` bytes ↔ sections. It knows nothing of signals or models.

    file    = magic (9 bytes), version (1 byte), section …, end section
    section = type (4 ASCII letters), length (varint), content, CRC-32 (4 bytes, little-endian) of type and content

A type that begins with a capital letter must be understood by the reader; one that begins with a small letter may be
skipped. The last section is `END!`, empty: a file without it is truncated.

A small signal's file may be *compact*: it has another magic and no frames. `compact` reads and writes these.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import FormatError

MAGIC = b"\x89LINR\r\n\x1a\n"
VERSION = 1
FIRST = len(MAGIC) + 1  # where the sections begin
END = b"END!"
MAX_VARINT_BYTES = 10
COMPACT = b"\x89LI\n"  # magic of compact files


def varint(n: int, least: int = 0) -> bytes:
    """A non-negative integer in 7-bit groups, the lowest first, the high bit set on all but the last (LEB128); in `least` bytes or more."""
    out = bytearray()
    while n > 0x7F or len(out) + 1 < least:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n: int) -> int:
    """0, −1, 1, −2, … → 0, 1, 2, 3, …"""
    return 2 * n if n >= 0 else -2 * n - 1


class Reader:
    """Reads fields from the front of `data`. All methods raise FormatError at the end of the data; the message names `what`."""

    def __init__(self, data: bytes | memoryview, what: str) -> None:
        self.data = memoryview(data)
        self.what = what
        self.position = 0

    @property
    def left(self) -> int:
        """Bytes that have not been read."""
        return len(self.data) - self.position

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        if n > self.left:
            raise FormatError(f"truncated: {self.what} ends too early")
        self.position += n
        return self.data[self.position - n : self.position].tobytes()

    def byte(self) -> int:
        """The next byte, 0 … 255."""
        return self.take(1)[0]

    def varint(self, largest: int = 2**63 - 1) -> int:
        """The next varint (see the function `varint`). Raises FormatError if it is above `largest`."""
        n = 0
        for i in range(MAX_VARINT_BYTES):
            byte = self.byte()
            n |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                if n > largest:
                    raise FormatError(f"damaged: a number in {self.what} is out of range")
                return n
        raise FormatError(f"damaged: a number in {self.what} is too long")

    def signed(self) -> int:
        """The next varint as a signed integer, the inverse of `zigzag`."""
        n = self.varint(2**66)
        return n >> 1 if n % 2 == 0 else -(n + 1 >> 1)

    def rest(self) -> bytes:
        """All bytes that have not been read."""
        return self.take(self.left)

    def end(self) -> None:
        """Raise FormatError if bytes are left."""
        if self.left:
            raise FormatError(f"damaged: {self.what} has {self.left} bytes too many")


def framed(length: int) -> int:
    """Bytes in the file of a section whose content has `length` bytes."""
    return 4 + len(varint(length)) + length + 4


@dataclass(frozen=True)
class Section:
    """One section: its 4-letter type and its content."""

    type: bytes
    content: bytes

    @property
    def size(self) -> int:
        """Bytes in the file, framing included."""
        return framed(len(self.content))

    @property
    def required(self) -> bool:
        """Whether a reader that does not know the type must refuse the file."""
        return self.type[:1].isupper()


def pieces(section: Section) -> tuple[bytes, bytes, bytes]:
    """The bytes of a section in the file: what stands before its content, the content, and its checksum."""
    crc = zlib.crc32(section.content, zlib.crc32(section.type))
    return section.type + varint(len(section.content)), section.content, struct.pack("<I", crc)


def write(sections: Iterable[Section]) -> bytes:
    """The file: magic, version, the sections, the end section."""
    parts = [MAGIC, bytes([VERSION])]
    for section in [*sections, Section(END, b"")]:
        parts += pieces(section)
    return b"".join(parts)


def read(data: bytes) -> list[Section]:
    """All sections of a file that is not compact, but the end section.

    Raises:
        FormatError: the data is not a .linr file, is a compact one, has another format version, is truncated, or a section's CRC does not
            match.
        TypeError: the data is not bytes.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"a .linr file is bytes, not {type(data).__name__}")
    check_start(data)
    if is_compact(data):
        raise FormatError("it is a compact file, which has no framed sections")
    reader = Reader(memoryview(data)[FIRST:], "the file")
    sections: list[Section] = []
    while True:
        section = read_section(reader)
        if section.type == END:
            reader.end()
            return sections
        sections.append(section)


def is_linr(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a .linr file."""
    return head.startswith((MAGIC, COMPACT))


def check_start(data: bytes, damaged: bool = False) -> None:
    """Raise FormatError if the first FIRST bytes are not those of a .linr file of this version.

    damaged: whether some of them may be wrong, as long as it can be seen what they were.
    """
    if len(data) == 0:
        raise FormatError("not a .linr file: it is empty")
    if is_compact(data):
        return
    if data[1:3] == COMPACT[1:3] and data[0] & 0x7F == COMPACT[0] & 0x7F and data[3:4] in (b"\n", b"\r"):
        raise FormatError("damaged: its first bytes were changed, as a transfer in text mode does; transfer it in binary mode")
    if data[: len(MAGIC)] != MAGIC and not (damaged and data[1:5] == MAGIC[1:5]):
        if data in (MAGIC[: len(data)], COMPACT[: len(data)]):
            raise FormatError("truncated: it ends within the first bytes")
        if data[1:5] == MAGIC[1:5]:
            raise FormatError("damaged: its first bytes were changed, as a transfer in text mode does; transfer it in binary mode")
        raise FormatError("not a .linr file: it begins with other bytes")
    if data[: len(MAGIC)] == MAGIC and len(data) < FIRST:
        raise FormatError("truncated: it ends within the first bytes")
    if data[: len(MAGIC)] == MAGIC and data[len(MAGIC)] != VERSION:
        told = f"it has format version {data[len(MAGIC)]}, and this program reads version {VERSION}"
        raise FormatError(f"{told}; a newer inrcodec may read it")


def is_compact(data: bytes) -> bool:
    """Whether these are the first bytes of a compact file."""
    return data[: len(COMPACT)] == COMPACT


# --- damaged files ------------------------------------------------------------------------------------------------


def read_frame(reader: Reader) -> tuple[bytes, int]:
    """(type, bytes of the content) of the section that begins where the reader is. Raises FormatError."""
    kind = reader.take(4)
    length = reader.varint()
    if not (kind == END or (kind.isascii() and kind.isalpha())):
        raise FormatError("damaged: a section's type is not four letters")
    return kind, length


def read_section(reader: Reader) -> Section:
    """The section that begins where the reader is. Raises FormatError."""
    kind, length = read_frame(reader)
    content = reader.take(length)
    (crc,) = struct.unpack("<I", reader.take(4))
    if crc != zlib.crc32(content, zlib.crc32(kind)):
        raise FormatError(f"damaged: the checksum of section {kind.decode()} does not match")
    if kind == END and content:
        raise FormatError("damaged: its end section is not empty")
    return Section(kind, content)


def read_cut(data: bytes) -> tuple[list[Section], Section | None]:
    """The sections of a file up to its first fault; and if it ends inside a section, this one, with what is there of its content.

    Of a compact file there are none. Its one checksum tells nothing of a part of it.
    Raises FormatError if the first bytes are not those of a .linr file.
    """
    check_start(data)
    if is_compact(data):
        return [], None
    reader = Reader(memoryview(data)[FIRST:], "the file")
    sections: list[Section] = []
    while True:
        start = reader.position
        try:
            section = read_section(reader)
        except FormatError:
            reader.position = start
            return sections, _begun(reader)
        if section.type == END:
            return sections, None
        sections.append(section)


def _begun(reader: Reader) -> Section | None:
    """The section that the end of the file cuts, with the content that is there; None if there is none."""
    try:
        kind, length = reader.take(4), reader.varint()
    except FormatError:
        return None
    return Section(kind, reader.rest()) if length + 4 > reader.left else None


END_SIZE = framed(0)
EFFORT = 16  # looking for sections ends when checksums were computed over so many times the file's size


@dataclass(frozen=True)
class Scan:
    """What `scan` finds.

    Attributes:
        sections: the intact sections but the end section, each with the place of its first byte, in order.
        damaged: (first, last + 1) of the bytes that belong to none, in order.
        complete: whether the end section is there, and nothing behind it.
        ended: whether the end section is there.
    """

    sections: tuple[tuple[int, Section], ...]
    damaged: tuple[tuple[int, int], ...]
    complete: bool
    ended: bool


def scan(data: bytes, known: Sequence[bytes]) -> Scan:
    """All intact sections of a file that may be damaged anywhere, and is not compact. known: the types to look for behind damaged bytes."""
    found: list[tuple[int, Section]] = []
    damaged: list[tuple[int, int]] = []
    budget = EFFORT * len(data) + (1 << 16)
    places = dict.fromkeys((*known, END), 0)  # where each type is next to be looked at; −1: nowhere

    def at(position: int) -> tuple[Section, int] | None:
        """The intact section at a position, and where it ends."""
        nonlocal budget
        reader = Reader(data, "the file")
        reader.position = position
        try:
            section = read_section(reader)
        except FormatError:
            budget -= reader.position - position
            return None
        return section, reader.position

    def following(position: int) -> int:
        """Where the next intact section begins after damage at `position`; the end of the file if there is none."""
        skipped = _skip(data, position)
        if skipped is not None and (skipped == len(data) or at(skipped)):
            return skipped
        for kind, place in places.items():
            if 0 <= place <= position:  # else it was searched before, and still holds: a file may be damaged in many places
                places[kind] = data.find(kind, position + 1)
        while budget > 0 and any(place >= 0 for place in places.values()):
            kind = min((k for k in places if places[k] >= 0), key=lambda k: places[k])
            if at(places[kind]):
                return places[kind]
            places[kind] = data.find(kind, places[kind] + 1)
        return len(data)

    position = FIRST
    while position < len(data):
        here = at(position)
        if here is None:
            after = following(position)
            damaged.append((position, after))
            position = after
        elif here[0].type == END:
            if here[1] < len(data):
                damaged.append((here[1], len(data)))
            return Scan(tuple(found), tuple(damaged), here[1] == len(data), True)
        else:
            found.append((position, here[0]))
            position = here[1]
    return Scan(tuple(found), tuple(damaged), False, False)


def _skip(data: bytes, position: int) -> int | None:
    """Where the section at a position ends by its own word; None if its type or length cannot be right."""
    reader = Reader(data, "the file")
    reader.position = position
    try:
        kind = reader.take(4)
        length = reader.varint(reader.left)
    except FormatError:
        return None
    end = reader.position + length + 4
    return end if kind.isascii() and kind.isalpha() and end <= len(data) else None
