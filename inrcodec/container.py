"""`.linr` bytes ↔ sections. It knows nothing of signals or models.

    file    = magic (9 bytes), version (1 byte), section …, end section
    section = type (4 ASCII letters), length (varint), content, CRC-32 (4 bytes, little-endian) of type and content

A type that begins with a capital letter must be understood by the reader; one that begins with a small letter may be
skipped. The last section is `END!`, empty: a file without it is truncated.

A small signal's file may be *compact*. It has no frames, and writes nothing that follows from the rest; reading it gives the same sections:

    file = magic (4 bytes), form (1 byte), what HEAD says, digest (4 bytes), meta, the profile's section, tile, CRC-32 of all before
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
LARGEST_COMPACT = 4096  # bytes of a compact file, as the encoder writes it: a larger one gains nothing, and has more to lose
DIGEST, SHORT_DIGEST = 32, 4  # bytes of the digest in HEAD
# the section of each profile that may be compact; a network that predicts samples is of use even if its file is cut, so it is framed
OWN = {0: None, 2: b"HYBR"}
# what HEAD says after the profile, by the low bits of the form: kind, sample type, bit depth, dimensions; and the last size of the shape
USUAL = (
    (b"\0\0\1\2", None),
    *((bytes([0, 1, depth, 2]), None) for depth in (2, 4, 8)),
    *((b"\0\1\10\3", channels) for channels in (2, 3, 4)),
    (b"\0\5\20\2", None),
    *((b"\0\5\20\3", channels) for channels in (2, 3, 4)),
    (b"\1\6\20\1", None),
    (b"\1\6\20\2", 2),
    (b"\2\1\10\1", None),
    (b"\2\5\20\1", None),
)
ANY = 15  # this form has HEAD itself, without the digest
MAPPED, DESCRIBED = 0x10, 0x20  # of the form: a value map is there; metadata are there
IMAGE, AUDIO = 0, 1  # kinds in HEAD
SIGNED = 2  # in the sample type


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
    check_start(data)
    if is_compact(data):
        return _read_compact(data)
    reader = Reader(memoryview(data)[FIRST:], "the file")
    sections: list[Section] = []
    while True:
        section = _next(reader)
        if section.type == END:
            reader.end()
            return sections
        sections.append(section)


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


# --- compact files ------------------------------------------------------------------------------------------------


def is_compact(data: bytes) -> bool:
    """Whether these are the first bytes of a compact file."""
    return data[: len(COMPACT)] == COMPACT


def _coordinate_axes(head: bytes) -> list[int]:
    """The sizes of the coordinate axes that a section HEAD tells. Raises FormatError if it ends before them."""
    r = Reader(head, "the header")
    kind, count = r.take(5)[1::3]
    shape = [r.varint() for _ in range(count)]
    return shape[:-1] if (kind, count) in ((IMAGE, 3), (AUDIO, 2)) else shape


def _usual_map(fixed: bytes) -> bytes:
    """The value map that a compact file does not write: that of all samples of the depth. fixed: of USUAL."""
    least = -1 << fixed[2] - 1 if fixed[1] & 3 == SIGNED else 0
    return varint(zigzag(least)) + bytes([1, fixed[2]])


def _skip_varints(r: Reader, count: int) -> bytes:
    """The bytes of the next varints."""
    start = r.position
    for _ in range(count):
        r.varint(2**66)
    return r.data[start : r.position].tobytes()


def write_compact(sections: Sequence[Section]) -> bytes | None:
    """The compact file of these sections, as `codec` makes them.

    None if there is none: there are several tiles, or none, or the file would have more than LARGEST_COMPACT bytes.
    """
    content = {section.type: section.content for section in sections}
    types = [section.type for section in sections]
    head = content[b"HEAD"]
    profile, fixed, rest = head[0], head[1:5], Reader(head[5:-DIGEST], "the header")
    if profile not in OWN or types.count(b"TILE") != 1:
        return None
    shape = [rest.varint() for _ in range(fixed[3])]
    last = shape[-1] if fixed[3] > 1 + (fixed[0] == IMAGE) else None
    form, parts = profile << 6, []
    if (fixed, last) in USUAL:
        form |= USUAL.index((fixed, last))
        parts += [varint(n) for n in (shape if last is None else shape[:-1])]
        parts.append(_skip_varints(rest, fixed[0] == AUDIO))
        value_map = rest.rest()
        if value_map != _usual_map(fixed):
            form |= MAPPED
            parts.append(value_map)
    else:
        form |= ANY
        parts.append(varint(len(head) - DIGEST - 1) + head[1:-DIGEST])
    parts.append(head[-DIGEST:][:SHORT_DIGEST])
    if b"meta" in content:
        form |= DESCRIBED
    parts += [varint(len(content[kind])) + content[kind] for kind in (b"meta", OWN[profile]) if kind in content]
    whole = b"".join([COMPACT, bytes([form]), *parts, content[b"TILE"]])
    return whole + struct.pack("<I", zlib.crc32(whole)) if len(whole) + 4 <= LARGEST_COMPACT else None


def _read_compact(data: bytes) -> list[Section]:
    """The sections of a compact file. Raises FormatError."""
    what = "the file"
    if len(data) < len(COMPACT) + 1 + SHORT_DIGEST + 4:
        raise FormatError("truncated: it ends within the first bytes")
    if struct.unpack("<I", data[-4:])[0] != zlib.crc32(data[:-4]):
        raise FormatError("damaged or truncated: its checksum does not match")
    r = Reader(memoryview(data)[len(COMPACT) : -4], what)
    form = r.byte()
    profile = form >> 6
    if profile not in OWN:
        raise FormatError("it is a compact file of a form that this version does not know; a newer inrcodec may read it")
    if form & ANY == ANY:
        if form & MAPPED:
            raise FormatError("damaged: a compact file has a header and a value map")
        told = r.take(r.varint())
    else:
        fixed, last = USUAL[form & ANY]
        told = fixed + _skip_varints(r, fixed[3] - (last is not None)) + (bytes([last]) if last is not None else b"")
        told += _skip_varints(r, fixed[0] == AUDIO)
        told += _skip_varints(r, 2) + bytes([r.byte()]) if form & MAPPED else _usual_map(fixed)
    head = Section(b"HEAD", bytes([profile]) + told + r.take(SHORT_DIGEST))
    sections = [head]
    own = OWN[profile]
    for kind in ([b"meta"] if form & DESCRIBED else []) + ([own] if own else []):
        sections.append(Section(kind, r.take(r.varint())))
    tile = r.rest()
    index = b"".join(map(varint, [*_coordinate_axes(head.content), len(tile)]))
    return [*sections, Section(b"TIDX", index), Section(b"TILE", tile)]


def sizes(data: bytes, sections: Sequence[Section]) -> dict[bytes, int]:
    """The bytes that the sections of each type take in their file; of a compact one, what is around them counts to none. data: the file."""
    found: dict[bytes, int] = {}
    for section in sections:
        taken = len(section.content) if is_compact(data) else section.size
        if not (is_compact(data) and section.type in (b"HEAD", b"TIDX")):
            found[section.type] = found.get(section.type, 0) + taken
    return found


# --- damaged files ------------------------------------------------------------------------------------------------


def _next(reader: Reader) -> Section:
    """The section that begins where the reader is. Raises FormatError."""
    kind = reader.take(4)
    length = reader.varint()
    if not (kind == END or (kind.isascii() and kind.isalpha())):
        raise FormatError("damaged: a section's type is not four letters")
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
            section = _next(reader)
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
    """All intact sections of a file that may be damaged anywhere. known: the types to look for behind damaged bytes.

    Raises FormatError: it is a compact file, and damaged.
    """
    if is_compact(data):
        return Scan(tuple((0, section) for section in read(data)), (), True, True)
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
            section = _next(reader)
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
