"""TIFF and BigTIFF: grey, grey+alpha, RGB and RGBA of 1 to 16 bits.

tifffile decodes and encodes the pixels, in strips or tiles, interleaved or in planes, of any lossless compression; they stay
as stored: orientation, and the sense of grey where 0 is white, are metadata. Palettes are read as the RGB they stand for, of
8 bits if that loses nothing, else of 16. Files are written little-endian, with Deflate where the depth is 1, 8 or 16.

Metadata: ICC profile, XMP, density and the common texts have shared keys; Exif and GPS directories and the orientation make up
`exif`. All other tags but those that say how the pixels are stored are kept as `tiff/NUMBER`: 2 bytes for the type, then
the little-endian values. `tiff/photometric` is there if 0 is white, `tiff/extrasamples` if alpha is not of the usual,
unassociated sort.

Refused: several pages, sub-images, floats, signed samples, other colour spaces than grey and RGB, more than 4 channels,
channels of unequal depth, and lossy compression, whose pixels depend on the decoder.

Source: TIFF revision 6.0 (Adobe, 1992); BigTIFF as libtiff 4 writes it.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Mapping
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import density, ifd
from .bounds import DEFLATE, check_ratio, check_size, contents
from .ifd import ASCII, BYTE, RATIONAL, SHORT, UNDEFINED, Tags, Value
from .images import Samples, check, image
from .metadata import number, under
from .registry import FileType
from .tags import utf8

# tifffile logs what it finds odd in a file; without a handler that would end up on the terminal
logging.getLogger("tifffile").addHandler(logging.NullHandler())

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES_PER_PIXEL, ROWS_PER_STRIP, STRIP_SIZES, PLANES = 273, 277, 278, 279, 284
DESCRIPTION, ORIENTATION, X_DENSITY, Y_DENSITY, DENSITY_UNIT, DATE_TIME = 270, 274, 282, 283, 296, 306
COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 320, 322, 323, 324, 325
SUB_IMAGES, EXTRA_SAMPLES, SAMPLE_FORMAT, XMP, DEPTH, ICC = 330, 338, 339, 700, 32997, 34675

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
# uncompressed, CCITT (3), LZW, Deflate (2), PackBits, LZMA, Zstandard
LOSSLESS = {1, 2, 3, 4, 5, 8, 32946, 32773, 34925, 50000}
# the most bytes that a coded byte can stand for; one of CCITT can stand for any number of rows
RATIOS = {1: 1, 5: 4096, 8: DEFLATE, 32946: DEFLATE, 32773: 64, 34925: 1 << 14, 50000: 1 << 16}
SHARED = 16  # strips may share bytes, but together they may not take more than so many times the file
MOST_CHANNELS = (1 << 16) - 1  # that can be declared; a tag that says something of channels, or one thing, has no more numbers
COUNTED = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES_PER_PIXEL, ROWS_PER_STRIP, PLANES}
COUNTED |= {TILE_WIDTH, TILE_HEIGHT, EXTRA_SAMPLES, SAMPLE_FORMAT, DEPTH}
SEGMENT_BYTES = 100  # that tifffile and the checks here take for a strip or tile
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE = range(4)
COLOURS = {4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "colour filter array", 32844: "LogL"}
FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
ASSOCIATED, UNASSOCIATED = 1, 2
EXTRA = {b"0": "unspecified", b"1": "assocalpha"}  # alpha by the value of `tiff/extrasamples`
DEPTHS = dict.fromkeys((1, 2, 3, 4), range(1, 17))
MOST_TAGS = 4096  # that tifffile reads
CLASSIC_LIMIT = (1 << 32) - (1 << 27)  # bytes of pixels from which offsets need 64 bits; the rest is for metadata


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a TIFF file: (height, width) or (height, width, 2 to 4), uint8 up to 8 bits, else uint16.

    Raises:
        UnsupportedError: several pages, or samples of a sort that is named above.
        InrcodecError: not a TIFF file, damaged, or truncated.
    """
    stream = file if file.seekable() else BytesIO(contents(file, limits))
    tags, following = ifd.parse(stream, limits)
    if following:
        raise UnsupportedError("TIFF files of several pages are not supported")
    channels, bits, photometric = _check_pixels(tags)
    _check_segments(tags, channels, bits, stream.seek(0, 2), limits)
    samples = _samples(stream, tags, channels)
    metadata = _to_metadata(tags, photometric, channels)
    if photometric == PALETTE:
        samples, bits = _look_up(samples, _integers(tags, COLOUR_MAP), bits)
    return image(samples, bits, metadata)


def write(path: Path, signal: Signal) -> None:
    """Write a TIFF file, a BigTIFF file from about 4 GB of pixels.

    Raises:
        UnsupportedError: not an image of 1 to 16 bits.
    """
    import tifffile

    channels = check(signal, "TIFF", DEPTHS)
    x, bits = signal.samples, signal.bit_depth
    big = x.size * ((bits + 7) // 8) >= CLASSIC_LIMIT
    bilevel = bits == 1 and channels == 1
    whole = bits in (8, 16)
    white_is_0 = channels <= 2 and signal.metadata.get("tiff/photometric") == b"0"
    grey = "miniswhite" if white_is_0 else "minisblack"
    tifffile.imwrite(
        path,
        np.ascontiguousarray(x, dtype=bool if bilevel else None),
        byteorder="<",  # of packed samples tifffile gets only this order right
        bigtiff=big,
        photometric="rgb" if channels >= 3 else grey,
        planarconfig="contig" if channels > 1 else None,
        extrasamples=[EXTRA.get(signal.metadata.get("tiff/extrasamples", b""), "unassalpha")] if channels in (2, 4) else None,
        bitspersample=None if bilevel or whole else bits,
        compression="adobe_deflate" if bilevel or whole else None,
        predictor=2 if whole else None,
        metadata=None,
        software=False,
    )
    _replace_tags(path, _from_metadata(signal.metadata), big)


def _integers(tags: Tags, tag: int, *default: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    value = tags.get(tag)
    return value.integers() if isinstance(value, Value) else np.array(default, np.uint64)


def _number(tags: Tags, tag: int, default: int | None = None) -> int:
    """A tag's only or first number."""
    numbers = _integers(tags, tag)
    if len(numbers):
        return int(numbers[0])
    if default is None:
        raise InrcodecError(f"damaged TIFF file: tag {tag} is missing")
    return default


def _check_pixels(tags: Tags) -> tuple[int, int, int]:
    """Channels, bits per sample and photometric interpretation of a file that can be kept."""
    for tag in sorted(COUNTED):
        if (count := len(_integers(tags, tag))) > MOST_CHANNELS:
            raise InrcodecError(f"damaged TIFF file: tag {tag} has {count} numbers")
    channels = _number(tags, SAMPLES_PER_PIXEL, 1)
    photometric = _number(tags, PHOTOMETRIC)
    kinds = set(_integers(tags, SAMPLE_FORMAT).tolist()) & FORMATS.keys()
    depths = set(_integers(tags, BITS, 1).tolist())
    compression = _number(tags, COMPRESSION, 1)
    bits = min(depths)
    if SUB_IMAGES in tags:
        raise UnsupportedError("TIFF files with sub-images are not supported")
    if photometric not in (WHITE_IS_0, BLACK_IS_0, RGB, PALETTE):
        raise UnsupportedError(
            f"{COLOURS.get(photometric, f'photometric {photometric}')} TIFF is not supported; grey, RGB and palettes are"
        )
    if kinds:
        raise UnsupportedError(f"TIFF of {FORMATS[min(kinds)]} samples is not supported; unsigned integers are")
    if channels not in {RGB: (3, 4), PALETTE: (1,)}.get(photometric, (1, 2)):
        raise UnsupportedError(f"TIFF of {channels} channels is not supported where {'RGB' if photometric == RGB else 'grey'} is stored")
    if len(depths) > 1 or not 1 <= bits <= 16:
        raise UnsupportedError(f"TIFF of {', '.join(map(str, sorted(depths)))} bits per sample is not supported; one depth from 1 to 16 is")
    if compression not in LOSSLESS:
        raise UnsupportedError(f"TIFF of compression {compression}, which can be lossy, is not supported")
    if _number(tags, DEPTH, 1) != 1:
        raise UnsupportedError("TIFF volumes are not supported")
    description = tags.get(DESCRIPTION)
    if isinstance(description, Value) and re.match(rb"ImageJ=[^\0]*\nimages=(?!1\n)\d", description.data):
        raise UnsupportedError("ImageJ stacks are not supported")  # their first page stands for all others
    return channels, bits, photometric


def _check_segments(tags: Tags, channels: int, bits: int, size: int, limits: Limits) -> None:
    """Refuse a file that the limits do not allow, and one that lacks strips or tiles: tifffile would give zeros for them.

    Args:
        tags: the tags of the file.
        channels, bits: of its pixels.
        size: bytes of the file.
        limits: what it may ask for.
    """
    width, height = _number(tags, WIDTH), _number(tags, HEIGHT)
    if not (width and height):
        raise InrcodecError(f"damaged TIFF file: {width} × {height} pixels")
    if TILE_OFFSETS in tags:
        offsets, sizes = _integers(tags, TILE_OFFSETS), _integers(tags, TILE_SIZES)
        across, rows = max(1, _number(tags, TILE_WIDTH)), max(1, _number(tags, TILE_HEIGHT))
    else:
        offsets, sizes = _integers(tags, STRIP_OFFSETS), _integers(tags, STRIP_SIZES)
        across, rows = max(1, width), max(1, _number(tags, ROWS_PER_STRIP, height))
    separate = _number(tags, PLANES, 1) == 2
    shape = (height, width, 3 if _number(tags, PHOTOMETRIC) == PALETTE else channels)
    sample_bytes = 1 if bits <= 8 else 2
    check_size(limits, shape, sample_bytes, 3, size)  # tifffile's array, the samples, and what a palette makes of them
    rows = min(rows, height) if TILE_OFFSETS not in tags else rows
    segment = rows * across * channels * sample_bytes  # which may be larger than the picture
    limits.check_memory(size + 4 * segment + SEGMENT_BYTES * max(len(offsets), len(sizes)))
    expected = -(-width // across) * -(-height // rows) * (channels if separate else 1)
    count = min(len(offsets), len(sizes))
    there = (offsets[:count] > 0) & (sizes[:count] > 0)
    at, length = (numbers[:count][there].astype(np.uint64) for numbers in (offsets, sizes))
    if len(at) < expected or int(at.max()) > size or (length > np.uint64(size) - at).any():
        raise InrcodecError("TIFF file ends early: pixels are missing")
    coded = int(sizes.sum(dtype=np.float64))  # exact up to 2^53
    if coded > SHARED * size:
        raise InrcodecError("damaged TIFF file: its strips or tiles overlap")
    row = (across * (1 if separate else channels) * bits + 7) // 8
    coded_rows = expected * rows if TILE_OFFSETS in tags else height * (channels if separate else 1)
    if ratio := RATIOS.get(_number(tags, COMPRESSION, 1)):
        check_ratio(coded, coded_rows * row, ratio, f"{width} × {height} pixels")


def _samples(file: BinaryIO, tags: Tags, channels: int) -> Samples:
    """The samples as they are stored, palette indices included."""
    import tifffile

    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        samples: Samples = opened.pages[0].asarray()
    if samples.dtype == bool:
        samples = samples.view(np.uint8)
    height, width = _number(tags, HEIGHT), _number(tags, WIDTH)
    if _number(tags, PLANES, 1) == 2 and channels > 1:
        samples = np.moveaxis(samples.reshape(channels, height, width), 0, 2)
    return samples.reshape((height, width) if channels == 1 else (height, width, channels))


def _look_up(indices: Samples, colour_map: npt.NDArray[np.unsignedinteger[Any]], bits: int) -> tuple[Samples, int]:
    """RGB of palette indices, and its depth."""
    if len(colour_map) != 3 << bits or colour_map.max() >= 1 << 16:
        raise InrcodecError("damaged TIFF file: no valid palette")
    stored = colour_map.astype(np.uint16).reshape(3, -1).T
    high, low = (stored >> 8).astype(np.uint8), (stored & 255).astype(np.uint8)
    if not high.any():
        return low[indices], 8  # 8 bits, stored by careless programs as they are
    if not low.any() or np.array_equal(low, high):
        return high[indices], 8  # 8 bits, widened in one of the two usual ways
    return stored[indices], 16


def _to_metadata(tags: Tags, photometric: int, channels: int) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    exif: Tags = {}
    if photometric == WHITE_IS_0:
        metadata["tiff/photometric"] = b"0"
    extra = _number(tags, EXTRA_SAMPLES, 0)
    if channels in (2, 4) and extra != UNASSOCIATED:
        metadata["tiff/extrasamples"] = b"1" if extra == ASSOCIATED else b"0"
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
    unit = UNITS.get(_number(tags, DENSITY_UNIT, 2))
    if unit == "cm" and all(bottom % 100 == 0 for _, bottom in ratios):  # how whole numbers per metre are written
        unit, ratios = "m", [(top, bottom // 100) for top, bottom in ratios]
    fields = [f"{top}/{bottom}" if bottom > 1 else f"{top}" for top, bottom in ratios]
    return f"{fields[0]} {fields[1]} {unit}".encode() if unit else None


def _from_metadata(metadata: Mapping[str, bytes]) -> Tags:
    """The tags that hold the metadata. What TIFF has no place for is left out."""
    tags: Tags = _exif_tags(metadata.get("exif", b""))
    for name, value in under(metadata, "tiff/"):
        tag = number(name.encode(), (1 << 16) - 1)
        if tag is not None and tag not in STORAGE and len(value) >= 2:
            (kind,) = struct.unpack_from("<H", value)
            whole = kind in ifd.SIZES and (len(value) - 2) % ifd.SIZES[kind] == 0
            # a directory's place is none here, and what would be read as another key is that key's concern
            if (
                whole
                and tag not in ifd.SUBDIRECTORIES
                and _to_metadata({tag: Value(kind, value[2:])}, BLACK_IS_0, 1).keys() == {f"tiff/{tag}"}
            ):
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


def _replace_tags(path: Path, tags: Tags, big: bool) -> None:
    """Put a directory with more tags at the end of a file that has only what its pixels need.

    Here and not by tifffile, because that writes neither directories of Exif nor texts beyond ASCII.
    """
    with path.open("r+b") as file:
        own, _ = ifd.parse(file)
        end = file.seek(0, 2)
        end += end % 2
        stored = {tag: value for tag, value in own.items() if tag in STORAGE}
        kept = dict(list(tags.items())[-(MOST_TAGS - len(stored)) :])  # the shared keys come last
        directory = ifd.pack(stored | kept, end, big)
        file.seek(end)
        file.write(directory)
        file.seek(8 if big else 4)
        file.write(struct.pack("<Q" if big else "<I", end))


TYPES = (
    FileType(
        "TIFF",
        "image",
        (".tif", ".tiff"),
        "grey, grey+alpha, RGB and RGBA of 1 to 16 bits; palettes are read as RGB",
        rb"II[*+]\0|MM\0[*+]",
        read,
        write,
    ),
)
