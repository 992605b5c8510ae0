"""Changes of files for the fuzzer of the readers: blind ones, and ones that know where a format keeps its sizes."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from random import Random

EXTREMES = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    1 << 20,
    1 << 24,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
    (1 << 63) - 1,
)
Change = Callable[[bytearray, Random], None]


def _number(data: bytearray, rng: Random, at: int, size: int, order: str) -> None:
    """Put an extreme number, or one near the present one, at a place."""
    field = data[at : at + size]
    if len(field) < size:
        return
    old = int.from_bytes(field, order)  # type: ignore[arg-type]
    new = rng.choice(
        (*EXTREMES, old + 1, old - 1, 2 * old, old // 2, old ^ (1 << rng.randrange(8 * size)), len(data), rng.getrandbits(8 * size))
    )
    data[at : at + size] = (new & (1 << 8 * size) - 1).to_bytes(size, order)  # type: ignore[arg-type]


def flip(data: bytearray, rng: Random) -> None:
    """Flip a few bits."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def early(data: bytearray, rng: Random) -> None:
    """Change a byte near the beginning, where the headers are."""
    data[rng.randrange(min(len(data), 80))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def run(data: bytearray, rng: Random) -> None:
    """Overwrite a run of bytes."""
    at, size = rng.randrange(len(data)), rng.choice((1, 2, 4, 8, 30))
    size = min(size, len(data) - at)
    data[at : at + size] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))


def cut(data: bytearray, rng: Random) -> None:
    """Cut the end off."""
    del data[rng.randrange(1, len(data) + 1) :]


def remove(data: bytearray, rng: Random) -> None:
    """Remove a run of bytes."""
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 16, 64))]


def repeat(data: bytearray, rng: Random) -> None:
    """Repeat a run of bytes, now and then many times."""
    at = rng.randrange(len(data))
    part = bytes(data[at : at + rng.choice((1, 4, 12, 64))])
    data[at:at] = part * rng.choice((1, 2, 3, 1000))


def number(data: bytearray, rng: Random) -> None:
    """Put an extreme number anywhere, more often near the beginning."""
    size = rng.choice((2, 4, 4, 8))
    end = rng.choice((64, 200, len(data)))
    _number(data, rng, rng.randrange(max(1, min(end, len(data)))), size, rng.choice(("big", "little")))


def digits(data: bytearray, rng: Random) -> None:
    """Put another number for one that is written in digits."""
    found = list(re.finditer(rb"\d+", bytes(data[:300])))
    if found:
        place = rng.choice(found)
        data[place.start() : place.end()] = str(rng.choice((*EXTREMES, 10**30, rng.randrange(300)))).encode()


def _chunks(data: bytearray, start: int, order: str, tag: int, size: int) -> list[tuple[int, int]]:
    """(place of the size, place of the content) of the chunks from `start` on, whose headers are a tag and a size."""
    found, at = [], start
    while at + tag + size <= len(data):
        found.append((at + tag, at + tag + size))
        at += tag + size + int.from_bytes(data[at + tag : at + tag + size], order)  # type: ignore[arg-type]
        at += at % 2
    return found


def _chunk_change(start: int, order: str, tag: int = 4, size: int = 4) -> Change:
    def change(data: bytearray, rng: Random) -> None:
        """Change the size of a chunk, or a number in it."""
        found = _chunks(data, start, order, tag, size)
        if found:
            at, content = rng.choice(found)
            if rng.random() < 0.5:
                _number(data, rng, at, size, order)
            else:
                _number(data, rng, content + rng.randrange(24), rng.choice((1, 2, 4)), order)

    return change


def png_chunk(data: bytearray, rng: Random) -> None:
    """Change the content of a PNG chunk, or its type, repeat or remove it; its checksum is made right."""
    at, chunks = 8, []
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((bytes(data[at + 4 : at + 8]), bytearray(data[at + 8 : at + 8 + size])))
        at += 12 + size
    if not chunks:
        return
    i = rng.randrange(len(chunks)) if rng.random() < 0.6 else 0
    kind, body = chunks[i]
    action = rng.randrange(5)
    if action == 0:
        chunks[i:i] = [(kind, body)] * rng.choice((1, 2, 2000))
    elif action == 1:
        del chunks[i]
    elif action == 2:
        chunks[i] = rng.choice((b"tRNS", b"PLTE", b"zTXt", b"iCCP", b"iTXt", b"eXIf", b"IDAT", b"sBIT", b"pHYs")), body
    elif kind == b"IDAT" and action == 3:  # also below the compression
        with suppress(zlib.error):  # an earlier change may have hit it
            raw = bytearray(zlib.decompress(bytes(body)))
            rng.choice((flip, run, cut, repeat))(raw, rng)
            body[:] = zlib.compress(bytes(raw))
    elif body:
        rng.choice((flip, run, number, cut))(body, rng)
    parts = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(b, zlib.crc32(k))) for k, b in chunks]
    data[8:] = b"".join(parts)


def tiff_entry(data: bytearray, rng: Random) -> None:
    """Change a field of an entry of the first directory."""
    order = "little" if data[:2] == b"II" else "big"
    big = len(data) > 16 and 43 in data[2:4]
    word, head = (8, 8) if big else (4, 2)
    at = int.from_bytes(data[word : 2 * word], order)  # type: ignore[arg-type]
    count = min(int.from_bytes(data[at : at + head], order), 50)  # type: ignore[arg-type]
    if not count:
        return
    entry = at + head + rng.randrange(count) * (4 + 2 * word)
    field = rng.choice(((0, 2), (2, 2), (4, word), (4 + word, word), (4 + word, word), (4 + word, 2)))
    if rng.random() < 0.15:  # another compression or another tag
        _number(data, rng, entry, 2, order)
        data[entry : entry + 2] = rng.choice((259, 258, 277, 284, 317, 322, 323, 278, 338, 339)).to_bytes(2, order)  # type: ignore[arg-type]
    else:
        _number(data, rng, entry + field[0], field[1], order)


def jp2_marker(data: bytearray, rng: Random) -> None:
    """Change a number of a marker segment of the main header."""
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return
    found, at = [], at + 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0x93:
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((at, size))
        at += size
    at, size = rng.choice(found) if found else (0, 8)
    _number(data, rng, at + 2 + rng.randrange(max(size, 1)), rng.choice((1, 1, 2, 4)), "big")


def flac_info(data: bytearray, rng: Random) -> None:
    """Change a bit or a byte of STREAMINFO."""
    rng.choice((lambda: _number(data, rng, 8 + rng.randrange(20), rng.choice((1, 2, 4)), "big"), lambda: early(data, rng)))()


# of NIfTI-1 and NIfTI-2, the axes, type, width, place of the samples and magic: place and bytes
FIELDS_1 = ((40, 2), (42, 2), (44, 2), (46, 2), (70, 2), (72, 2), (108, 4), (344, 4))
FIELDS_2 = ((16, 8), (24, 8), (32, 8), (12, 2), (14, 2), (168, 8), (4, 4))
# Rows, Columns, Bits Allocated, Samples per Pixel, frames, signed or not, pixels, transfer syntax
TAGS = tuple(bytes.fromhex(tag) for tag in ("28001000", "28001100", "28000001", "28000200", "28000800", "28000301", "e07f1000", "02001000"))


def nifti_field(data: bytearray, rng: Random) -> None:
    """Change an axis, the type, the place of the samples, or the magic of a NIfTI header."""
    at, size = rng.choice(FIELDS_1 if 0x5C in data[:4] else FIELDS_2)
    _number(data, rng, at, size, "little" if data[:1] != b"\0" else "big")


def fits_card(data: bytearray, rng: Random) -> None:
    """Put another value into a card of a FITS header, or change, repeat or remove the card."""
    found = list(re.finditer(rb"(?:SIMPLE|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|XTENSION|TFIELDS|BSCALE|END) *", bytes(data)))
    if not found:
        return
    at = rng.choice(found).start() // 80 * 80
    action = rng.randrange(4)
    if action == 0:
        data[at + 10 : at + 30] = f"{rng.choice((*EXTREMES, -1, 8, 16, -32, 3))!s:>20}".encode()[:20]
    elif action == 1:
        data[at + 10 : at + 30] = rng.choice((b"T", b"F", b"'IMAGE   '", b"1.5", b"x")).rjust(20)
    elif action == 2:
        data[at : at + 80] = data[at : at + 80] * 2
    else:
        del data[at : at + 80]


def dicom_element(data: bytearray, rng: Random) -> None:
    """Change the tag, the length or the value of an element that describes the pixels."""
    at = data.find(rng.choice(TAGS), 132)
    if at >= 0:
        offset, size = rng.choice(((0, 2), (2, 2), (4, 2), (6, 2), (8, 2), (8, 4)))
        _number(data, rng, at + offset, size, "little")


def inside_gzip(data: bytearray, rng: Random) -> None:
    """Change what is inside, and pack it again."""
    with suppress(OSError, EOFError, zlib.error):
        inside = bytearray(gzip.decompress(bytes(data)))
        rng.choice((nifti_field, fits_card, cut))(inside, rng)
        data[:] = gzip.compress(bytes(inside), 1, mtime=0)


BLIND: tuple[Change, ...] = (flip, early, run, cut, remove, repeat, number, number)
AWARE: dict[str, tuple[Change, ...]] = {
    "png": (png_chunk,),
    "tif": (tiff_entry,),
    "webp": (_chunk_change(12, "little"),),
    "pnm": (digits,),
    "npy": (digits,),
    "jp2": (jp2_marker,),
    "wav": (_chunk_change(12, "little"),),
    "aiff": (_chunk_change(12, "big"),),
    "flac": (flac_info,),
    "caf": (_chunk_change(8, "big", 4, 8),),
    "w64": (_chunk_change(40, "little", 16, 8),),
    "nii": (nifti_field,),
    "gz": (inside_gzip,),
    "fits": (fits_card,),
    "dcm": (dicom_element,),
}


def mutate(kind: str, seeds: tuple[bytes, ...], rng: Random) -> bytes:
    """A file of that format with 1 to 4 changes, or the halves of two."""
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.05:
        other = rng.choice(seeds)
        return bytes(data[: rng.randrange(len(data))]) + other[rng.randrange(len(other)) :]
    aware = AWARE.get(kind, (number,))
    for _ in range(rng.choice((1, 1, 2, 4))):
        if data:
            rng.choice(aware if rng.random() < 0.5 else BLIND)(data, rng)
    return bytes(data)
