"""What a file holds besides what was read of it: of PNG, TIFF, WebP, BMP, PNM, FLAC and .npz all bytes can be accounted for.

Each byte is part of the samples, of metadata that come back, of how the file is packed (its compression, filters, tiles, tables to seek by,
padding of zeros), or it is reported. Of other types nothing is known, and of rare forms of these.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import zip_longest

from ..errors import InrcodecError
from ..files import bmp, flac, flacframes, ifd, netpbm, npz, pngchunks
from ..limits import NO_LIMITS

# how pixels are packed in a TIFF file, which is no loss: strips, tiles, compression, predictor, a palette
PACKING = {254, 255, 259, 266, 273, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}
SAMPLES = {258, 277, 339}  # bits, number and type of samples, which were compared
# what writers leave in short gaps: the header of a TIFF file that has become a page of another (Pillow), unused resolutions of 1 (tifffile)
LEFT = re.compile(rb"(?:\0|(?:II\*\0|MM\0\*).{4}|\x01\0{3}){1,64}", re.DOTALL)
PLACES = {273: 279, 324: 325}  # tags of TIFF that say where strips and tiles are: the tags that say how long these are
ONCE = (b"IHDR", b"PLTE", b"tRNS", b"hIST")  # chunks that PNG has once
END = "bytes after its end"
GAP = "bytes between its parts"
ZIP64 = 1  # the number of what a ZIP archive says of sizes of 4 GB, which np.savez always does
Span = tuple[int, int]


class UnknownForm(Exception):
    """It cannot be told what a file holds."""


def left_out(one: bytes, other: bytes) -> list[str] | None:
    """The names of what a file holds and another one of the same type, made of what was read of it, does not; None: it cannot be told."""
    look = next((look for starts, look in _TYPES if re.match(starts, one, re.DOTALL)), None)
    if look is None:
        return None
    try:
        return look(one, other)
    except (UnknownForm, InrcodecError, struct.error, zlib.error, ValueError, OverflowError):
        return None


def _png(one: bytes, other: bytes) -> list[str]:
    chunks, others = pngchunks.walk(one), pngchunks.walk(other)
    mine, theirs = Counter(kind for kind, _ in chunks), Counter(kind for kind, _ in others)
    passed = pngchunks.DROPPED | pngchunks.TEXTS
    missing = {kind for kind in mine - theirs if kind not in passed} | {kind for kind in ONCE if mine[kind] > 1}
    found = sorted(f"chunk {kind.decode('latin-1')}" for kind in missing)
    if sum(mine[kind] for kind in pngchunks.TEXTS) > sum(theirs[kind] for kind in pngchunks.TEXTS):
        found.append("texts")
    inflater = zlib.decompressobj()
    for kind, content in chunks:
        if kind == b"IDAT":
            if inflater.eof and content:
                found.append("bytes after its pixels")
                break
            while content and not inflater.eof:
                inflater.decompress(content, 1 << 20)
                content = inflater.unconsumed_tail
            if inflater.unused_data:
                found.append("bytes after its pixels")
                break
    end = len(pngchunks.SIGNATURE) + sum(12 + len(content) for _, content in chunks)
    return found + ([END] if end < len(one) else [])


def _webp(one: bytes, other: bytes) -> list[str]:
    missing = _webp_chunks(one)[0] - _webp_chunks(other)[0]
    found = sorted(f"chunk {kind.decode('latin-1')}" for kind in missing if kind != b"VP8X")  # that only says which others there are
    end = min(_webp_chunks(one)[1], 8 + int.from_bytes(one[4:8], "little"))
    return found + _after(one, end)


def _webp_chunks(data: bytes) -> tuple[Counter[bytes], int]:
    """The types of the chunks of a WebP file, and where they end."""
    found: Counter[bytes] = Counter()
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        if end > len(data):
            break
        found[data[at : at + 4]] += 1
        at = end
    return found, at


def _after(data: bytes, end: int) -> list[str]:
    return [END] if any(data[end:]) else []


def _uncovered(data: bytes, spans: Iterable[Span], left: re.Pattern[bytes] | None = None) -> list[str]:
    """What to say of bytes that are not zero and in none of the spans. left: what may be there all the same."""
    at, said = 0, set()
    for start, end in (*sorted(spans), (len(data), len(data))):
        gap = data[at : max(at, start)]
        if any(gap) and not (left and left.fullmatch(gap)):
            said.add(END if start == len(data) else GAP)
        at = max(at, end)
    return sorted(said, reverse=True)


def _tiff(one: bytes, other: bytes) -> list[str]:
    pages, others = (ifd.parse_pages(io.BytesIO(data))[0] for data in (one, other))
    missing: set[int] = set()
    for page, theirs in zip_longest(pages, others):
        if page is None or theirs is None:
            raise UnknownForm
        missing |= _missing_tags(page, theirs, others[0])
    spans, unread = _tiff_spans(one)
    return sorted(f"tag {tag}" for tag in missing | unread) + _uncovered(one, spans, LEFT)


def _missing_tags(page: ifd.Tags, theirs: ifd.Tags, first: ifd.Tags) -> set[int]:
    """The numbers of the tags of a page that are not in another, nor the same in the first page there."""
    found: set[int] = set()
    for tag, value in page.items():
        mine = theirs.get(tag)
        if isinstance(value, dict):
            found |= _missing_tags(value, mine, mine) if isinstance(mine, dict) else {tag}
        elif mine is None and first.get(tag) != value and tag not in PACKING | SAMPLES:
            found.add(tag)
    return found


def _tiff_spans(data: bytes) -> tuple[list[Span], set[int]]:
    """Where the parts of a TIFF file are, and the numbers of tags that are not read: of unknown types, or there twice."""
    order, big = {b"II": "<", b"MM": ">"}[data[:2]], data[2:4] in (b"+\0", b"\0+")
    layout = ifd.Layout(order, big)
    word, head, entry = (struct.calcsize(form) for form in (layout.pointer, layout.count, layout.entry))
    spans, unread = [(0, 16 if big else 8)], set()
    left, seen = [(struct.unpack_from(layout.pointer, data, 8 if big else 4)[0])], set()
    while left:
        at = left.pop()
        if not at or at in seen:
            continue
        seen.add(at)
        (count,) = struct.unpack_from(layout.count, data, at)
        spans.append((at, at + head + count * entry + word))
        values: dict[int, list[int]] = {}
        for i in range(count):
            tag, kind, number, field = struct.unpack_from(layout.entry, data, at + head + i * entry)
            if kind not in ifd.SIZES or tag in values:
                unread.add(tag)
                continue
            size, place = number * ifd.SIZES[kind], at + head + i * entry + entry - word
            if size > word:
                (place,) = struct.unpack(layout.pointer, field)
                spans.append((place, place + size))
            values[tag] = []
            if tag in PLACES or tag in PLACES.values() or tag in ifd.SUBDIRECTORIES:
                code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}[kind] if kind in (1, 3, 4, 13, 16, 18) else ""
                if not code:
                    raise UnknownForm
                values[tag] = list(struct.unpack_from(f"{order}{number}{code}", data, place))
        for starts, lengths in PLACES.items():
            if len(values.get(starts, [])) != len(values.get(lengths, [])):
                raise UnknownForm
            spans += [(start, start + length) for start, length in zip(values.get(starts, []), values.get(lengths, []), strict=True)]
        left += [place for tag in ifd.SUBDIRECTORIES for place in values.get(tag, [])]
        left.append(struct.unpack_from(layout.pointer, data, at + head + count * entry)[0])
    return spans, unread


def _bmp(one: bytes, other: bytes) -> list[str]:
    at, size, width, height, bits, coding = struct.unpack_from("<IIii2xHI", one, 10)
    used, head = struct.unpack_from("<I", one, 46)[0], bmp.FILE_HEADER + size
    if size not in (40, 108, bmp.V5_HEADER) or coding not in (0, bmp.BITFIELDS):
        raise UnknownForm
    head += 12 if coding and size == 40 else 0
    head += 4 * (used or (1 << bits if bits <= 8 else 0))
    end = at + (width * bits + 31) // 32 * 4 * abs(height)
    spans = [(0, 6), (10, head), (at, end)]
    found = []
    if bits == 32 and struct.unpack_from("<H", other, 28)[0] != 32:
        if coding:
            raise UnknownForm
        found += ["fourth bytes of its pixels"] if any(one[at + 3 : end : 4]) else []
    if size > 40:
        space = one[bmp.COLOURS_AT : bmp.COLOURS_AT + 4]
        found += ["end points and gamma of its colours"] if not any(space) and any(one[bmp.COLOURS_AT + 4 : bmp.COLOURS_AT + 52]) else []
        if size == bmp.V5_HEADER and space == bmp.EMBEDDED:
            place, length = struct.unpack_from("<II", one, bmp.PROFILE_AT)
            spans.append((bmp.FILE_HEADER + place, bmp.FILE_HEADER + place + length))
    return found + _uncovered(one, spans)


def _pnm(one: bytes, other: bytes) -> list[str]:
    magic = one[:2]
    bitmap = magic in (b"P1", b"P4")
    numbers, at, _ = netpbm.header_of(one, 2 if bitmap else 3)
    width, height, *_ = numbers
    if magic == b"P4":
        return [END] if len(one) > at + (width + 7) // 8 * height else []
    count = width * height * netpbm.CHANNELS[magic]
    if magic in (b"P5", b"P6"):
        return [END] if len(one) > at + count * (1 if numbers[2] < 256 else 2) else []
    if one.find(b"#", at) >= 0:
        return ["comments between its samples"]
    there = len(one[at:].translate(None, netpbm.SPACES)) if bitmap else sum(1 for _ in re.finditer(rb"\S+", one[at:]))
    return [END] if there > count else []


def _flac(one: bytes, other: bytes) -> list[str]:
    _, blocks, at = flac.metadata_blocks(one)
    info = flac.StreamInfo.parse(blocks[0][1])
    found = ["padding that is not empty"] if any(kind == flac.PADDING and any(body) for kind, body in blocks) else []
    if one[-flacframes.ID3V1[1] :].startswith(flacframes.ID3V1[0]):
        return [*found, "a tag ID3v1 behind its end"]
    try:  # without a count, frames must fill it to its end
        flacframes.decode(memoryview(one)[at:], info.channels, info.bits, 0, NO_LIMITS)
    except InrcodecError:
        found.append(END)
    return found


def _npz(one: bytes, other: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        members, start = sorted(archive.infolist(), key=lambda member: member.header_offset), archive.start_dir
        comment = archive.comment
    if not all(member.filename.endswith(npz.MEMBER) for member in members):  # another kind of archive
        raise UnknownForm
    found = ["the comment of the archive"] if comment else []
    found += [f"the comment of {member.filename}" for member in members if member.comment]
    spans = []
    for member in members:
        name, extra = struct.unpack_from("<HH", one, member.header_offset + 26)
        head = member.header_offset + 30 + name
        for more in (one[head : head + extra], member.extra):
            while more:
                kind, length = struct.unpack_from("<HH", more)
                if kind != ZIP64:
                    found.append(f"what is said of {member.filename} beside its size")
                more = more[4 + length :]
        spans.append((member.header_offset, head + extra + member.compress_size))
    return found + _uncovered(one[:start], spans)


_TYPES: tuple[tuple[bytes, Callable[[bytes, bytes], list[str]]], ...] = (
    (re.escape(pngchunks.SIGNATURE), _png),
    (rb"II[*+]\0|MM\0[*+]", _tiff),
    (rb"RIFF....WEBP", _webp),
    (rb"BM", _bmp),
    (rb"P[1-6][\s#]", _pnm),
    (rb"fLaC|ID3", _flac),
    (rb"PK\x03\x04", _npz),
)
