"""`.linr` bytes ↔ sections. It knows nothing of signals or models.

    file    = magic (9 bytes), version (1 byte), section …, end section
    section = type (4 ASCII letters), length (varint), content, CRC-32 (4 bytes, little-endian) of type and content

A type that begins with a capital letter must be understood by the reader; one that begins with a small letter may be
skipped. The last section is `END!`, empty: a file without it is truncated.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import FormatError

MAGIC = b"\x89LINR\r\n\x1a\n"
VERSION = 1
END = b"END!"
MAX_VARINT_BYTES = 10


def varint(n: int) -> bytes:
    """A non-negative integer in 7-bit groups, the lowest first, the high bit set on all but the last (LEB128)."""
    out = bytearray()
    while n > 0x7F:
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


@dataclass(frozen=True)
class Section:
    """One section: its 4-letter type and its content."""

    type: bytes
    content: bytes

    @property
    def size(self) -> int:
        """Bytes in the file, framing included."""
        return 4 + len(varint(len(self.content))) + len(self.content) + 4

    @property
    def required(self) -> bool:
        """Whether a reader that does not know the type must refuse the file."""
        return self.type[:1].isupper()


def write(sections: Iterable[Section]) -> bytes:
    """The file: magic, version, the sections, the end section."""
    parts = [MAGIC, bytes([VERSION])]
    for section in [*sections, Section(END, b"")]:
        crc = zlib.crc32(section.content, zlib.crc32(section.type))
        parts += [section.type, varint(len(section.content)), section.content, struct.pack("<I", crc)]
    return b"".join(parts)


def read(data: bytes) -> list[Section]:
    """All sections of a file but the end section.

    Raises:
        FormatError: the data is not a .linr file, has another format version, is truncated, or a section's CRC does not match.
        TypeError: the data is not bytes.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"a .linr file is bytes, not {type(data).__name__}")
    if len(data) == 0:
        raise FormatError("not a .linr file: it is empty")
    if data[: len(MAGIC)] != MAGIC:
        if data[: len(MAGIC)] == MAGIC[: len(data)]:
            raise FormatError("truncated: it ends within the first bytes")
        if data[1:5] == MAGIC[1:5]:
            raise FormatError("damaged: its first bytes were changed, as a transfer in text mode does; transfer it in binary mode")
        raise FormatError("not a .linr file: it begins with other bytes")
    reader = Reader(memoryview(data)[len(MAGIC) :], "the file")
    version = reader.byte()
    if version != VERSION:
        raise FormatError(f"it has format version {version}, and this program reads version {VERSION}; a newer inrcodec may read it")
    sections: list[Section] = []
    while True:
        kind = reader.take(4)
        length = reader.varint()
        if not (kind == END or (kind.isascii() and kind.isalpha())):
            raise FormatError("damaged: a section's type is not four letters")
        content = reader.take(length)
        (crc,) = struct.unpack("<I", reader.take(4))
        if crc != zlib.crc32(content, zlib.crc32(kind)):
            raise FormatError(f"damaged: the checksum of section {kind.decode()} does not match")
        if kind == END:
            if content:
                raise FormatError("damaged: its end section is not empty")
            reader.end()
            return sections
        sections.append(Section(kind, content))
