"""NIfTI and FITS files in gzip (.nii.gz, .fits.gz) ↔ Signal.

What is inside comes back byte for byte. So does the gzip file itself if zlib makes it again at one of its levels, as files of Python's gzip
and of nibabel. Others have other encoders (the program gzip), flushes in between (astropy), or several members: a Notice says that only
the content comes back.

Metadata: `gzip/level` is the level, `gzip/head` the header with time and name. Without them, level 6 and an empty header are written.

Source: RFC 1952.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

from ..errors import FormatError, UnsupportedError, notice
from ..limits import Limits
from ..signal import Signal
from . import fits, hollow, nifti
from .bounds import contents
from .metadata import number
from .registry import FileType

MAGIC = b"\x1f\x8b\x08"
USUAL = MAGIC + bytes(6) + b"\xff"  # no flags, no time, no system
LEVEL, LEVELS = 6, (6, 9, 1, 5, 4, 7, 8, 3, 2)  # the usual one; all, the likely ones first
LEVEL_KEY, HEAD_KEY = "gzip/level", "gzip/head"
BLOCK = 1 << 20
CHECK, EXTRA, NAME, COMMENT = 2, 4, 8, 16  # flags of a header
TRAILER = 8  # bytes: CRC-32 and size
INNER = {extension: kind.DIALECT for kind in (nifti, fits) for extension in kind.TYPES[0].extensions}


@dataclass(frozen=True)
class Member:
    """One member: its header, its content, and where it ends in the file."""

    head: bytes
    content: bytes
    end: int


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a NIfTI or FITS file in gzip. A Notice tells if the gzip file will be another.

    Raises:
        UnsupportedError: something else is inside, or what NIfTI or FITS refuse.
        FormatError: damaged or truncated.
        LimitError: it asks for more than the limits allow.
    """
    data = contents(file, limits)
    first = _member(data, 0, limits, len(data))
    parts, end = [first.content], first.end
    while data[end : end + len(MAGIC)] == MAGIC:
        more = _member(data, end, limits, len(data) + sum(map(len, parts)))
        parts.append(more.content)
        end = more.end
    if data[end:].strip(b"\0"):
        raise FormatError(f"damaged: {len(data) - end} bytes follow the end of the gzip data")
    inside = b"".join(parts)
    signal = fits.of_bytes(path, inside, limits) if inside.startswith(b"SIMPLE  =") else _volume(inside, limits)
    level = _level(data, first) if len(parts) == 1 and end == len(data) else None
    if level is None:
        notice(f"{path}: what is inside comes back byte for byte, the gzip file itself does not", 2)
    own = {} if (level or LEVEL, first.head) == (LEVEL, USUAL) else {HEAD_KEY: first.head}
    own |= {LEVEL_KEY: b"%d" % level} if level not in (None, LEVEL) else {}
    return replace(signal, metadata={**signal.metadata, **own}) if own else signal


def _volume(inside: bytes, limits: Limits) -> Signal:
    if not nifti.TYPES[0].recognizes(inside[:100]):
        raise UnsupportedError("gzip of NIfTI and FITS is supported, and it holds something else; unpack it first")
    return hollow.of_bytes(inside, nifti.DIALECT, limits)


def write(path: Path, signal: Signal) -> None:
    """Write NIfTI or FITS, as the extension before .gz says, in gzip: the file that the signal was read from, where zlib is the same.

    Raises UnsupportedError: as NIfTI and FITS do.
    """
    inside = hollow.content(signal, INNER[Path(path.stem).suffix.lower()])
    head = signal.metadata.get(HEAD_KEY, USUAL)
    try:
        if _header_size(head, 0) != len(head):
            head = USUAL
    except FormatError:
        head = USUAL
    level = number(signal.metadata.get(LEVEL_KEY, b""), max(LEVELS)) or LEVEL
    with path.open("wb") as file:
        file.write(head)
        file.writelines(_deflated(inside, level))
        file.write(_trailer(inside))


def _trailer(content: bytes) -> bytes:
    return struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def _deflated(content: bytes, level: int) -> Iterator[bytes]:
    """A Deflate stream as zlib makes it, part by part."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, 0)
    for start in range(0, len(content), BLOCK):
        yield packer.compress(content[start : start + BLOCK])
    yield packer.flush()


def _level(data: bytes, member: Member) -> int | None:
    """The level at which zlib makes this member; None if there is none. A wrong one mostly shows within the first parts."""
    stream = memoryview(data)[len(member.head) : member.end - TRAILER]
    for level in LEVELS:
        at = 0
        for part in _deflated(member.content, level):
            if stream[at : at + len(part)] != part:
                break
            at += len(part)
        else:
            if at == len(stream):
                return level
    return None


def _header_size(data: bytes, start: int) -> int:
    """Bytes of the header that begins at a place. Raises FormatError."""
    if data[start : start + 3] != MAGIC or len(data) < start + 10:
        raise FormatError("truncated, or damaged: no header of gzip")
    flags, at = data[start + 3], start + 10
    if flags & EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (NAME, COMMENT):
        if flags & flag:
            at = data.find(b"\0", at) + 1
            if not at:
                raise FormatError("damaged: a name in the header of gzip has no end")
    at += 2 if flags & CHECK else 0
    if at > len(data):
        raise FormatError("truncated: it ends within the header of gzip")
    return at - start


def _member(data: bytes, start: int, limits: Limits, held: int) -> Member:
    """The member that begins at a place. held: bytes that are held already. Raises FormatError; LimitError."""
    head = data[start : start + _header_size(data, start)]
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    out, pending = io.BytesIO(), data[start + len(head) :]
    while not unpacker.eof:
        try:
            part = unpacker.decompress(pending, BLOCK)
        except zlib.error:
            raise FormatError("damaged: its gzip data cannot be unpacked") from None
        pending = unpacker.unconsumed_tail
        out.write(part)
        limits.check_memory(held + 2 * out.tell())
        if not part and not pending and not unpacker.eof:
            raise FormatError("truncated: its gzip data end early")
    content, end = out.getvalue(), len(data) - len(unpacker.unused_data) + TRAILER
    if data[end - TRAILER : end] != _trailer(content):
        raise FormatError("truncated, or damaged: the checksum of its gzip data does not match")
    return Member(head, content, end)


TYPES = (
    FileType(
        "NIfTI or FITS in gzip",
        "array",
        tuple(f"{extension}.gz" for extension in INNER),
        "what is inside comes back byte for byte, the gzip file if zlib made it",
        MAGIC,
        read,
        write,
    ),
)
