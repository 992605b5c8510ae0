"""The keys of `Signal.metadata`. Values are bytes; order is kept.

Shared by all formats, so that metadata survives a change of format:

- `icc`: an ICC profile
- `exif`: an Exif block, beginning with its TIFF header (`II*\\0` or `MM\\0*`), without the `Exif\\0\\0` of JPEG
- `xmp`: an XMP packet, UTF-8
- `gamma`: the file's gamma × 100000 as ASCII digits, as in PNG's gAMA (45455 is 1/2.2)
- `density`: three ASCII fields "X Y UNIT": pixels per unit, as decimals or fractions "p/q"; UNIT is `m` (metre), `in`, `cm`
  or `-` (aspect only)
- `text/KEYWORD`: a text, UTF-8 (Title, Author, Description, Copyright, Creation Time, Software, Comment, …: PNG's keywords)
- `tag/NAME`: a tag of a recording, UTF-8, names as in Vorbis comments (TITLE, ARTIST, ALBUM, DATE, …)
- `channel_mask`: the speaker positions of a WAVE_FORMAT_EXTENSIBLE file, ASCII digits

A key that is there more than once gets `#2`, `#3`, … appended. What only one format knows is kept under that format's
name and written back only to it: `png/gAMA`, `riff/head`, `flac/block`, `npy/fortran_order`, …
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping


class Collected(dict[str, bytes]):
    """Metadata while a reader collects it: it knows which numbers are taken, since a hostile file can repeat a key a million times."""

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        super().__init__(values or {})
        self.last: dict[str, int] = {}  # number by key

    def add(self, key: str, value: bytes) -> None:
        """Store `value` under `key`, or under `key#2`, `key#3`, … where that is taken."""
        name, n = key, self.last.get(key, 1)
        while name in self:
            n += 1
            name = f"{key}#{n}"
        self.last[key] = n
        self[name] = value


def base(key: str) -> str:
    """A key without the `#n` that `Collected.add` may have appended."""
    stem, mark, n = key.rpartition("#")
    return stem if mark and n.isascii() and n.isdigit() else key


def is_exif(block: bytes) -> bool:
    """Whether an Exif block begins as one does, with its TIFF header."""
    return block[:4] in (b"II*\0", b"MM\0*")


def number(value: bytes, limit: int) -> int | None:
    """The number that ASCII digits stand for, None if it is above `limit`, or not written as the readers write it (00, +1)."""
    short = len(value) <= len(str(limit))  # int() refuses thousands of digits
    return int(value) if short and re.fullmatch(rb"0|[1-9][0-9]*", value) and int(value) <= limit else None


def under(metadata: Mapping[str, bytes], prefix: str) -> Iterator[tuple[str, bytes]]:
    """The entries whose keys begin with `prefix`, each as (rest of the key without `#n`, value), in order."""
    for key, value in metadata.items():
        if key.startswith(prefix):
            yield base(key)[len(prefix) :], value
