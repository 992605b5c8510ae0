"""Tags of a TIFF page ↔ metadata: see `tiff`."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from io import BytesIO

from ..errors import InrcodecError
from . import density, ifd
from .ifd import ASCII, BYTE, RATIONAL, SHORT, UNDEFINED, Tags, Value
from .metadata import number, under
from .tags import utf8
from .tiffpixels import (
    BLACK_IS_0,
    DESCRIPTION,
    EXTRA_SAMPLES,
    PALETTE,
    PHOTOMETRIC,
    RGB,
    SEPARATED,
    UNASSOCIATED,
    WHITE_IS_0,
    Sort,
    colours,
    integer,
    usual_extras,
    usual_photometric,
)

ORIENTATION, X_DENSITY, Y_DENSITY, DENSITY_UNIT, DATE_TIME = 274, 282, 283, 296, 306
XMP, ICC = 700, 34675
MEANINGS = (WHITE_IS_0, BLACK_IS_0, RGB, SEPARATED)  # of channels that are written

TEXTS = {
    269: "Title",
    DESCRIPTION: "Description",
    271: "Make",
    272: "Model",
    305: "Software",
    DATE_TIME: "Creation Time",
    315: "Author",
    33432: "Copyright",
}
DATE = re.compile(rb"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")
OFFSETS = {13, 18}  # types of values that mean a place in this one file
UNITS = {1: "-", 2: "in", 3: "cm"}
# tags that say how the pixels are stored, which writing decides anew
STORAGE = {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 284, 288, 289, 292, 293, 317, 320}
STORAGE |= {322, 323, 324, 325, 330, 338, 339, 347, *range(512, 522), 529, 530, 531, 32997, 32998}


SHAPED = re.compile(rb'\{"shape": \[[0-9, ]*\]\}')  # a description by which tifffile says the shape alone, which a part does not have
IMAGEJ_COUNTS, IMAGEJ_DATA = 50838, 50839  # what ImageJ says of a stack, in the byte order of the file
LARGEST_EXTRAS = 1 << 10  # bytes of `tiff/extrasamples`


def to_metadata(tags: Tags, sort: Sort, order: str) -> dict[str, bytes]:
    """The metadata of a page. order: the byte order of the file, "<" or ">"."""
    metadata: dict[str, bytes] = {}
    if sort.photometric not in (PALETTE, usual_photometric(sort.channels)):
        metadata["tiff/photometric"] = b"%d" % sort.photometric
    colour = colours(sort.photometric, sort.channels, tags)
    if sort.photometric != PALETTE and sort.extras != usual_extras(sort.photometric, sort.channels, colour):
        metadata["tiff/extrasamples"] = " ".join(map(str, sort.extras)).encode()
    if order == ">" and IMAGEJ_DATA in tags:
        metadata["tiff/byteorder"] = b">"
    return metadata | described(tags)


def described(tags: Tags) -> dict[str, bytes]:
    """The metadata that tags hold beside those of the pixels."""
    metadata: dict[str, bytes] = {}
    exif: Tags = {}
    if fields := _density(tags):
        metadata["density"] = fields
    for tag, value in tags.items():
        if isinstance(value, dict):
            exif[tag] = value
        elif tag == ORIENTATION and value.kind == SHORT and len(value.data) == 2:
            if value.data != b"\1\0":  # 1, upright, goes without saying
                exif[tag] = value
        elif tag == ICC:
            metadata["icc"] = value.data
        elif tag == XMP:
            metadata["xmp"] = value.data
        elif tag in TEXTS and value.kind in (ASCII, BYTE, UNDEFINED) and (tag != DATE_TIME or DATE.fullmatch(value.data.rstrip(b"\0"))):
            if SHAPED.fullmatch(value.data.rstrip(b"\0")) is None:
                metadata[f"text/{TEXTS[tag]}"] = utf8(value.data.rstrip(b"\0"))
        elif tag not in STORAGE | {X_DENSITY, Y_DENSITY, DENSITY_UNIT} and value.kind not in OFFSETS:
            metadata[f"tiff/{tag}"] = struct.pack("<H", value.kind) + value.data
    if exif:
        metadata["exif"] = b"II*\0\x08\0\0\0" + ifd.pack(exif, 8)
    return metadata


def _density(tags: Tags) -> bytes | None:
    ratios = []
    for tag in (X_DENSITY, Y_DENSITY):
        value = tags.get(tag)
        if not isinstance(value, Value) or value.kind != RATIONAL or len(value.data) != 8:
            return None
        top, bottom = struct.unpack("<II", value.data)
        if not (top and bottom):
            return None
        ratios.append((top, bottom))
    unit = UNITS.get(integer(tags, DENSITY_UNIT, 2))
    if unit == "cm" and all(bottom % 100 == 0 for _, bottom in ratios):  # how whole numbers per metre are written
        unit, ratios = "m", [(top, bottom // 100) for top, bottom in ratios]
    fields = [f"{top}/{bottom}" if bottom > 1 else f"{top}" for top, bottom in ratios]
    return f"{fields[0]} {fields[1]} {unit}".encode() if unit else None


def from_metadata(metadata: Mapping[str, bytes]) -> Tags:
    """The tags that hold the metadata of a page. What TIFF has no place for is left out."""
    tags: Tags = _exif_tags(metadata.get("exif", b""))
    for name, value in under(metadata, "tiff/"):
        tag = number(name.encode(), (1 << 16) - 1)
        if tag is not None and tag not in STORAGE and len(value) >= 2:
            (kind,) = struct.unpack_from("<H", value)
            whole = kind in ifd.SIZES and (len(value) - 2) % ifd.SIZES[kind] == 0
            # a directory's place is none here, and what would be read as another key is that key's concern
            if whole and tag not in ifd.SUBDIRECTORIES and described({tag: Value(kind, value[2:])}).keys() == {f"tiff/{tag}"}:
                tags[tag] = Value(kind, value[2:])
    texts: dict[str, bytes] = {}
    for keyword, text in under(metadata, "text/"):
        texts.setdefault(keyword, text)
    for tag, keyword in TEXTS.items():
        if keyword in texts and (tag != DATE_TIME or DATE.fullmatch(texts[keyword])):
            tags[tag] = Value(ASCII, texts[keyword] + b"\0")
    if fields := density.parse(metadata):
        x, y, unit = fields
        divisor = 100 if unit == "m" else 1
        ratios = [_rational(*density.ratio(field), divisor) for field in (x, y)]
        if all(ratios):
            tags[X_DENSITY], tags[Y_DENSITY] = (Value(RATIONAL, struct.pack("<II", *r)) for r in ratios if r)
            tags[DENSITY_UNIT] = Value(SHORT, struct.pack("<H", {"-": 1, "in": 2}.get(unit, 3)))
    if icc := metadata.get("icc"):
        tags[ICC] = Value(UNDEFINED, icc)
    if xmp := metadata.get("xmp"):
        tags[XMP] = Value(BYTE, xmp)
    return tags


def pixel_tags(metadata: Mapping[str, bytes], channels: int, tags: Tags) -> Tags:
    """The tags that say what so many channels mean. tags: what `from_metadata` makes of the metadata."""
    photometric = number(metadata.get("tiff/photometric", b""), SEPARATED)
    if photometric not in MEANINGS or colours(photometric, channels, tags) > channels:
        photometric = usual_photometric(channels)
    colour = colours(photometric, channels, tags)
    extras = usual_extras(photometric, channels, colour)
    told = metadata.get("tiff/extrasamples", b"")[:LARGEST_EXTRAS].split(b" ")
    found = [number(word, UNASSOCIATED) for word in told]
    if len(found) == len(extras) and None not in found:
        extras = tuple(n for n in found if n is not None)
    pixels: Tags = {PHOTOMETRIC: Value(SHORT, struct.pack("<H", photometric))}
    return pixels | ({EXTRA_SAMPLES: Value(SHORT, struct.pack(f"<{len(extras)}H", *extras))} if extras else {})


def is_big_endian(metadata: Mapping[str, bytes]) -> bool:
    """Whether a file must be big-endian, since ImageJ's metadata are."""
    return metadata.get("tiff/byteorder") == b">" and f"tiff/{IMAGEJ_DATA}" in metadata


def _rational(top: int, bottom: int, divisor: int) -> tuple[int, int] | None:
    """A ratio divided by a number, in 32 bits each, or None if it does not fit."""
    bottom *= divisor
    while max(top, bottom) >= 1 << 32:
        top, bottom = top >> 1, bottom >> 1
    return (top, bottom) if top and bottom else None


def _exif_tags(block: bytes) -> Tags:
    """The tags of an Exif block that belong in a TIFF file: all that do not speak of the pixels it came with."""
    try:
        tags = ifd.parse(BytesIO(block))[0]
    except InrcodecError:
        return {}
    kept = {tag: value for tag, value in tags.items() if tag not in STORAGE | {X_DENSITY, Y_DENSITY, DENSITY_UNIT}}
    return {tag: value for tag, value in kept.items() if isinstance(value, dict) or value.kind not in OFFSETS}
