"""The chunks of a PNG file: walking them, and metadata ↔ ancillary chunks.

iCCP, gAMA, pHYs, eXIf, tEXt, zTXt and iTXt become the keys that all formats share. Other ancillary chunks, and those of the
above that hold more than these keys can say (an iTXt with a language, a keyword that looks like a repeated key) or that
cannot be understood, are kept whole as `png/TYPE`. The name of an ICC profile is kept as `png/profile-name`. Dropped are private
chunks whose type says that they depend on how the pixels are packed, as PNG demands.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

from ..errors import InrcodecError, UnsupportedError
from . import density
from .metadata import Collected, base, is_exif, number
from .tags import utf8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = b"XML:com.adobe.xmp"
PROFILE_NAME = b"ICC profile"
LARGEST_TEXTS = 1 << 26  # bytes that the texts and profiles of a file may take once inflated; a chunk that exceeds them is kept as it is
LONG_TEXT = 1024  # bytes from which a text is compressed

# chunks that hold pixels, or that say something about a palette or an animation that is no longer there
DROPPED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"hIST", b"acTL", b"fcTL", b"fdAT"}
OF_COLOUR_TYPE = {b"bKGD", b"sBIT"}  # their layout is that of the file's pixels
# of the types that PNG calls unsafe to copy once pixels are packed anew, the ones known to be about the picture only
SAFE = {b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"sPLT", b"pCAL", b"sCAL", b"tIME"}
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
SINGLE = {b"iCCP", b"gAMA", b"pHYs", b"eXIf"}
# bytes of chunks that a file has once; of those that depend on the colour type, by the number of channels
LENGTHS = {b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"tIME": 7}
COLOUR_LENGTHS = {b"bKGD": (2, 2, 6, 6), b"sBIT": (1, 2, 3, 4)}
LONGEST = (1 << 31) - 1  # bytes of a chunk
KEYWORD = re.compile(rb"[ -~\xa0-\xff]{1,79}")

Chunk = tuple[bytes, bytes]


def walk(data: bytes) -> list[Chunk]:
    """All chunks up to IEND, each as (type, content); what follows IEND is ignored.

    Raises:
        InrcodecError: not a PNG file, a damaged or a truncated one.
        UnsupportedError: an animation, or a critical chunk that PNG does not define.
    """
    if data[:8] != SIGNATURE:
        raise InrcodecError("not a PNG file")
    chunks: list[Chunk] = []
    at, view = 8, memoryview(data)
    while not chunks or chunks[-1][0] != b"IEND":
        if at + 12 > len(data):
            raise InrcodecError("PNG file ends before its IEND chunk")
        size, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalpha() or size >= 1 << 31:
            raise InrcodecError(f"damaged PNG file: no chunk at byte {at}")
        if at + 12 + size > len(data):
            raise InrcodecError(f"PNG file ends inside its {kind.decode()} chunk")
        (checksum,) = struct.unpack_from(">I", data, at + 8 + size)
        if zlib.crc32(view[at + 4 : at + 8 + size]) != checksum:
            raise InrcodecError(f"damaged PNG file: wrong checksum of the {kind.decode()} chunk at byte {at}")
        if kind == b"acTL":
            raise UnsupportedError("animated PNG is not supported")
        if kind[:1].isupper() and kind not in DROPPED:
            raise UnsupportedError(f"PNG with a critical chunk {kind.decode()}, unknown to the standard, is not supported")
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def build(kind: bytes, content: bytes) -> bytes:
    """The bytes of a chunk, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def to_metadata(chunks: Iterable[Chunk], same_colour_type: bool) -> dict[str, bytes]:
    """Metadata of the ancillary chunks.

    Args:
        chunks: all chunks of the file.
        same_colour_type: whether the samples are those of the file, not made from a palette or a transparent colour.
    """
    metadata = Collected()
    seen: set[bytes] = set()
    inflate = _Inflater(LARGEST_TEXTS)
    for kind, content in chunks:
        unsafe = kind[3:].isupper() and kind not in SAFE
        if kind in DROPPED or kind in seen or unsafe or (kind in OF_COLOUR_TYPE and not same_colour_type):
            continue
        if kind in SINGLE:
            seen.add(kind)  # PNG allows one of each; as viewers do, the first is taken
        try:
            entries = list(_entries(kind, content, inflate))
        except (ValueError, struct.error, zlib.error):
            entries = []
        if not entries or any(key in metadata for key, _ in entries if key == "xmp"):
            entries = [(f"png/{kind.decode()}", content)]
        for key, value in entries:
            metadata.add(key, value)
    return metadata


def _entries(kind: bytes, content: bytes, inflate: _Inflater) -> Iterator[tuple[str, bytes]]:
    """Shared keys and values that say the same as a chunk; nothing or an exception if there are none."""
    if kind == b"iCCP":
        name, method, packed = _split(content)
        if method == 0:
            yield "icc", inflate(packed)
            if name != PROFILE_NAME:
                yield "png/profile-name", name
    elif kind == b"gAMA":
        (gamma,) = struct.unpack(">I", content)
        if 0 < gamma < 1 << 31:
            yield "gamma", b"%d" % gamma
    elif kind == b"pHYs":
        x, y, unit = struct.unpack(">IIB", content)
        if 0 < x < 1 << 31 and 0 < y < 1 << 31 and unit in (0, 1):
            yield "density", b"%d %d %s" % (x, y, b"m" if unit else b"-")
    elif kind == b"eXIf":
        block = content.removeprefix(b"Exif\0\0")
        if is_exif(block):
            yield "exif", block
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        keyword, text = _text(kind, content, inflate)
        if keyword == XMP and kind == b"iTXt":
            yield "xmp", text
        elif _is_keyword(keyword) and b"\0" not in text:
            yield f"text/{keyword.decode('latin-1')}", text.decode("utf-8").encode()


def _split(content: bytes) -> tuple[bytes, int, bytes]:
    """Name, compression method and compressed data of an iCCP or zTXt chunk."""
    name, _, rest = content.partition(b"\0")
    return name, rest[0] if rest else -1, rest[1:]


def _text(kind: bytes, content: bytes, inflate: _Inflater) -> tuple[bytes, bytes]:
    """Keyword, and text as UTF-8; raises ValueError or zlib.error where the chunk says more or is broken."""
    if kind == b"iTXt":
        keyword, _, rest = content.partition(b"\0")
        language, _, rest_ = rest[2:].partition(b"\0")
        translated, end, text = rest_.partition(b"\0")
        if rest[:2] not in (b"\0\0", b"\1\0") or not end or ((language or translated) and keyword != XMP):
            raise ValueError
        return keyword, inflate(text) if rest[0] else text
    if kind == b"zTXt":
        keyword, method, packed = _split(content)
        if method != 0:
            raise ValueError
        text = inflate(packed)
    else:
        keyword, _, text = content.partition(b"\0")
    return keyword, text.decode("latin-1").encode()


def _is_keyword(keyword: bytes) -> bool:
    """Whether a keyword can be part of a key and be found in it again."""
    return 1 <= len(keyword) <= 79 and b"\0" not in keyword and not re.search(rb"#\d+\Z", keyword)


class _TooLarge(ValueError):
    """Data does not fit in what the texts and profiles of a file may take."""


class _Inflater:
    """Inflates the texts and profiles of a file, all of them together to at most `room` bytes.

    What is given up counts too, so that a thousand chunks that are too large do not take a thousand times as long as one.
    """

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, packed: bytes) -> bytes:
        """The inflated bytes. Raises ValueError if they are not all there or do not fit, zlib.error if they are damaged."""
        inflater = zlib.decompressobj()
        data = inflater.decompress(packed, self.room) if self.room else b""
        self.room -= len(data)
        if not inflater.eof:
            raise ValueError if self.room else _TooLarge
        return data


def from_metadata(metadata: Mapping[str, bytes], channels: int) -> bytes:
    """The ancillary chunks that hold the metadata, to be placed between IHDR and IDAT. channels: of the image.

    What PNG has no place for is left out: other formats' keys, texts without a valid keyword, a density out of range. So are chunks
    that are malformed, or that would be read as another key, and what would not be inflated when it is read.
    """
    out = bytearray()
    seen: set[bytes] = set()
    inflate = _Inflater(LARGEST_TEXTS)
    for key, value in metadata.items():
        if key.startswith("png/"):
            kind, content, inflated = base(key)[4:].encode(), value, 0
            valid = kind not in seen and _is_well_formed(kind, content, channels, inflate)
        else:
            kind, content, inflated = _shared_chunk(key, value, metadata)
            valid = kind != b"" and (inflated == 0 or inflated < inflate.room)
        if valid and len(content) <= LONGEST:
            inflate.room -= inflated
            if kind in LENGTHS or kind in COLOUR_LENGTHS:
                seen.add(kind)
            out += build(kind, content)
    return bytes(out)


def _shared_chunk(key: str, value: bytes, metadata: Mapping[str, bytes]) -> tuple[bytes, bytes, int]:
    """The chunk that holds the value of a key that all formats share, of no type if there is none; bytes to inflate when it is read."""
    if key == "icc":
        name = metadata.get("png/profile-name", b"")
        return b"iCCP", (name if KEYWORD.fullmatch(name) else PROFILE_NAME) + b"\0\0" + zlib.compress(value, 9), len(value)
    if key == "gamma" and (gamma := number(value, (1 << 31) - 1)):
        return b"gAMA", struct.pack(">I", gamma), 0
    if key == "density" and (size := density.whole(metadata, (1 << 31) - 1)):
        return b"pHYs", struct.pack(">IIB", *size), 0
    if key == "exif" and is_exif(value):
        return b"eXIf", value, 0
    if key == "xmp" and _is_text(value):
        return b"iTXt", XMP + b"\0\0\0\0\0" + value, 0
    if key.startswith("text/"):
        return _text_chunk(base(key)[5:], value)
    return b"", b"", 0


def _is_well_formed(kind: bytes, content: bytes, channels: int, inflate: _Inflater) -> bool:
    """Whether a chunk that has no shared key is what the standard says of its type; of types that are not checked here, it is."""
    if not re.fullmatch(rb"[a-z][A-Za-z]{3}", kind) or kind in DROPPED | SINGLE or (kind[3:].isupper() and kind not in SAFE):
        return False
    if kind in COLOUR_LENGTHS:
        return len(content) == COLOUR_LENGTHS[kind][channels - 1]
    if kind not in TEXTS:
        return len(content) == LENGTHS.get(kind, len(content))
    keyword, end, text = content.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        flags, (_, _, rest) = text[:2], text[2:].partition(b"\0")
        _, end, text = rest.partition(b"\0")
        packed = flags == b"\1\0"
        valid = packed or (flags == b"\0\0" and _is_text(text))
    elif packed:
        valid, text = text[:1] == b"\0", text[1:]
    else:
        valid = b"\0" not in text
    if not (end and valid and KEYWORD.fullmatch(keyword)):
        return False
    try:
        return not packed or inflate(text) is not None
    except _TooLarge:
        return True
    except (ValueError, zlib.error):
        return False


def _is_text(data: bytes) -> bool:
    """Whether these bytes are UTF-8, and without NUL."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _text_chunk(keyword: str, value: bytes) -> tuple[bytes, bytes, int]:
    """tEXt if Latin-1 can hold the text, else iTXt; compressed if it is long. No type if the keyword is not one of PNG's for texts."""
    try:
        name = keyword.encode("latin-1")
    except UnicodeEncodeError:
        return b"", b"", 0
    if not (_is_keyword(name) and KEYWORD.fullmatch(name)) or name == XMP:
        return b"", b"", 0
    text = utf8(value).decode().replace("\0", "\n")  # NUL, which separates texts in TIFF, is not allowed in PNG
    try:
        data, kind = text.encode("latin-1"), b"tEXt"
    except UnicodeEncodeError:
        data, kind = text.encode(), b"iTXt"
    if len(data) < LONG_TEXT:
        return kind, name + (b"\0" if kind == b"tEXt" else b"\0\0\0\0\0") + data, 0
    packed, inflated = zlib.compress(data, 9), len(data)
    return (b"zTXt", name + b"\0\0" + packed, inflated) if kind == b"tEXt" else (kind, name + b"\0\1\0\0\0" + packed, inflated)
