"""What the pages of a TIFF file hold, by their tags, and their samples.

Before tifffile decodes a page, its strips or tiles are checked: that they are there, and that they can hold what the page declares.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import MAX_CHANNELS
from .bounds import DEFLATE, check_ratio
from .ifd import Tags, Value
from .images import Samples, dtype_of

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
STRIP_OFFSETS, SAMPLES_PER_PIXEL, ROWS_PER_STRIP, STRIP_SIZES, PLANES = 273, 277, 278, 279, 284
COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES, SUB_IMAGES = 320, 322, 323, 324, 325, 330
INK_SET, INKS, EXTRA_SAMPLES, SAMPLE_FORMAT, DEPTH = 332, 334, 338, 339, 32997

# uncompressed, CCITT (3), LZW, Deflate (2), PackBits, LZMA, Zstandard
LOSSLESS = {1, 2, 3, 4, 5, 8, 32946, 32773, 34925, 50000}
# the most bytes that a coded byte can stand for; one of CCITT can stand for any number of rows
RATIOS = {1: 1, 5: 4096, 8: DEFLATE, 32946: DEFLATE, 32773: 64, 34925: 1 << 14, 50000: 1 << 16}
SHARED = 16  # strips may share bytes, but together they may not take more than so many times the file
MOST_NUMBERS = (1 << 16) - 1  # channels can be declared; a tag that says something of channels, or one thing, has no more numbers
COUNTED = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES_PER_PIXEL, ROWS_PER_STRIP, PLANES}
COUNTED |= {TILE_WIDTH, TILE_HEIGHT, INK_SET, INKS, EXTRA_SAMPLES, SAMPLE_FORMAT, DEPTH}
SEGMENT_BYTES = 100  # that tifffile and the checks here take for a strip or tile
COPIES = 3  # of a page while it is decoded: tifffile's array, the samples, and what a palette makes of them
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE = range(4)
SEPARATED = 5
COLOURS = {4: "mask", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "colour filter array", 32844: "LogL"}
NAMES = {WHITE_IS_0: "grey", BLACK_IS_0: "grey", RGB: "RGB", PALETTE: "a palette", SEPARATED: "inks"}
CMYK = 4  # channels, if the inks are these
# sample formats: unsigned, signed, float, undefined, complex integers, complex
KINDS = {1: "u", 2: "i", 3: "f", 4: "u", 6: "c"}
WORDS = {"u": "unsigned", "i": "signed", "f": "floating-point", "c": "complex"}
COMPLEX_INTEGERS = 5
BITS_OF = {"u": (*range(1, 17), 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64), "c": (64, 128)}
IMAGEJ = re.compile(rb"ImageJ=[^\0]*\nimages=([1-9]\d{0,9})\n")
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = range(3)


@dataclass(frozen=True)
class Sort:
    """What a page holds. Only pages of the same sort make a stack.

    Attributes:
        height, width, channels: its shape; channels as they are stored, 1 of a palette.
        kind: of its samples, by NumPy's letters: u, i, f or c.
        bits: of a sample.
        photometric: what the channels mean.
        extras: of which sort each channel is that goes beyond the colour: 0 unspecified, 1 associated alpha, 2 unassociated alpha.
    """

    height: int
    width: int
    channels: int
    kind: str
    bits: int
    photometric: int
    extras: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the samples as they are stored."""
        return np.dtype(dtype_of(self.bits) if self.bits <= 16 and self.kind == "u" else f"{self.kind}{self.bits // 8}")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the samples that are made of the page."""
        channels = 3 if self.photometric == PALETTE else self.channels
        return (self.height, self.width) if channels == 1 else (self.height, self.width, channels)

    @property
    def page_bytes(self) -> int:
        """Bytes of these samples; of a palette, of 16 bits."""
        return math.prod(self.shape) * (2 if self.photometric == PALETTE else self.dtype.itemsize)

    def __str__(self) -> str:
        """In words, for messages."""
        size = " × ".join(map(str, (self.height, self.width, *([self.channels] if self.channels > 1 else []))))
        return f"{size} of {self.bits}-bit {WORDS[self.kind]} samples, {NAMES[self.photometric]}"


def integers(tags: Tags, tag: int, *default: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The numbers of a tag, or others if it is not there."""
    value = tags.get(tag)
    return value.integers() if isinstance(value, Value) else np.array(default, np.uint64)


def integer(tags: Tags, tag: int, default: int | None = None) -> int:
    """A tag's only or first number. Raises InrcodecError if it is not there, and there is no default."""
    numbers = integers(tags, tag)
    if len(numbers):
        return int(numbers[0])
    if default is None:
        raise InrcodecError(f"damaged TIFF file: tag {tag} is missing")
    return default


def colours(photometric: int, channels: int, tags: Tags) -> int:
    """How many of the channels are the colour; the others are extra."""
    if photometric != SEPARATED:
        return 3 if photometric == RGB else 1
    return CMYK if integer(tags, INK_SET, 1) == 1 else min(channels, integer(tags, INKS, channels))


def usual_extras(photometric: int, channels: int, colour: int) -> tuple[int, ...]:
    """The sorts of the channels beyond the colour that go without saying: one beside grey or RGB is alpha."""
    extra = channels - colour
    return (UNASSOCIATED,) if extra == 1 and photometric != SEPARATED else (UNSPECIFIED,) * extra


def usual_photometric(channels: int) -> int:
    """The meaning of so many channels that goes without saying."""
    return RGB if channels in (3, 4) else BLACK_IS_0


def sort_of(tags: Tags) -> Sort:
    """What a page holds. Raises UnsupportedError if it cannot be kept; InrcodecError if tags are damaged."""
    for tag in sorted(COUNTED):
        if (count := len(integers(tags, tag))) > MOST_NUMBERS:
            raise InrcodecError(f"damaged TIFF file: tag {tag} has {count} numbers")
    channels, photometric = integer(tags, SAMPLES_PER_PIXEL, 1), integer(tags, PHOTOMETRIC)
    formats = set(integers(tags, SAMPLE_FORMAT).tolist())
    kinds = {KINDS.get(number, "u") for number in formats} or {"u"}
    depths = set(integers(tags, BITS, 1).tolist())
    compression, bits = integer(tags, COMPRESSION, 1), min(depths)
    if SUB_IMAGES in tags:
        raise UnsupportedError("TIFF files with sub-images are not supported")
    if photometric not in NAMES:
        found = COLOURS.get(photometric, f"photometric {photometric}")
        raise UnsupportedError(f"{found} TIFF is not supported; grey, RGB, palettes and CMYK are")
    if COMPLEX_INTEGERS in formats:
        raise UnsupportedError("TIFF of complex integers is not supported; complex floats are")
    if len(kinds) > 1:
        raise UnsupportedError("TIFF of channels of different types is not supported")
    (kind,) = kinds
    colour = colours(photometric, channels, tags)
    if not colour <= channels <= (1 if photometric == PALETTE else MAX_CHANNELS):
        raise UnsupportedError(f"TIFF of {channels} channels is not supported where {NAMES[photometric]} is stored")
    known = range(1, 17) if photometric == PALETTE else BITS_OF[kind]
    if len(depths) > 1 or bits not in known or (photometric == PALETTE and kind != "u"):
        listed = "1 to 16, 32 or 64" if kind == "u" else ", ".join(map(str, BITS_OF[kind]))
        several = ", ".join(map(str, sorted(depths)))
        raise UnsupportedError(f"TIFF of {several} bits per {WORDS[kind]} sample is not supported; one depth of {listed} is")
    if compression not in LOSSLESS:
        raise UnsupportedError(f"TIFF of compression {compression}, which can be lossy, is not supported")
    if integer(tags, DEPTH, 1) != 1:
        raise UnsupportedError("TIFF volumes are not supported")
    height, width = integer(tags, HEIGHT), integer(tags, WIDTH)
    if not (width and height):
        raise InrcodecError(f"damaged TIFF file: {width} × {height} pixels")
    told = [number if number in (ASSOCIATED, UNASSOCIATED) else UNSPECIFIED for number in integers(tags, EXTRA_SAMPLES).tolist()]
    extras = [*told, *[UNSPECIFIED] * channels][: channels - colour] if photometric != PALETTE else []
    return Sort(height, width, channels, kind, bits, photometric, tuple(extras))


def _coded_bytes(tags: Tags, sort: Sort, size: int, kept: int, limits: Limits) -> int:
    """The bytes of a page's strips or tiles. size: bytes of the file; kept: bytes of samples that are held besides.

    Raises LimitError if decoding them takes too much; InrcodecError if some are missing, for which tifffile would give zeros, or declare
    more than they can hold.
    """
    height, width, channels, tiled = sort.height, sort.width, sort.channels, TILE_OFFSETS in tags
    if tiled:
        offsets, sizes = integers(tags, TILE_OFFSETS), integers(tags, TILE_SIZES)
        across, rows = max(1, integer(tags, TILE_WIDTH)), max(1, integer(tags, TILE_HEIGHT))
    else:
        offsets, sizes = integers(tags, STRIP_OFFSETS), integers(tags, STRIP_SIZES)
        across, rows = width, min(height, max(1, integer(tags, ROWS_PER_STRIP, height)))
    planes = channels if integer(tags, PLANES, 1) == 2 else 1
    segment = rows * across * channels * sort.dtype.itemsize  # which may be larger than the picture
    limits.check_memory(size + kept + 4 * segment + SEGMENT_BYTES * max(len(offsets), len(sizes)))
    expected = -(-width // across) * -(-height // rows) * planes
    count = min(len(offsets), len(sizes))
    there = (offsets[:count] > 0) & (sizes[:count] > 0)
    at, length = (numbers[:count][there].astype(np.uint64) for numbers in (offsets, sizes))
    if len(at) < expected or int(at.max()) > size or (length > np.uint64(size) - at).any():
        raise InrcodecError("TIFF file ends early: pixels are missing")
    coded = int(sizes.sum(dtype=np.float64))  # exact up to 2^53
    if coded > SHARED * size:
        raise InrcodecError("damaged TIFF file: its strips or tiles overlap")
    row = (across * channels // planes * sort.bits + 7) // 8
    coded_rows = expected * rows if tiled else height * planes
    if ratio := RATIOS.get(integer(tags, COMPRESSION, 1)):
        check_ratio(coded, coded_rows * row, ratio, f"{width} × {height} pixels")
    return coded


def check_pages(pages: Sequence[Tags], count: int, sort: Sort, size: int, limits: Limits) -> None:
    """Refuse a file that the limits do not allow, and one that lacks strips or tiles.

    Args:
        pages: the tags of its pages, all of this sort.
        count: of pictures; more than pages only if the pictures of one page follow each other.
        size: bytes of the file.
        limits: what it may ask for.
    """
    limits.check_shape((count, *sort.shape))
    kept = sort.page_bytes * (count if count > 1 else 0)
    limits.check_memory(size + kept + COPIES * sort.page_bytes)
    if sum(_coded_bytes(tags, sort, size, kept, limits) for tags in pages) > SHARED * size:
        raise InrcodecError("damaged TIFF file: its pages overlap")


def following(pages: Sequence[Tags], sort: Sort, size: int) -> int:
    """How many pictures there are: the pages; or those of ImageJ, which has one page for large files, and the others follow its samples."""
    description = pages[0].get(DESCRIPTION)
    match = IMAGEJ.match(description.data) if isinstance(description, Value) else None
    if len(pages) > 1 or match is None or int(match[1]) == 1:
        return len(pages)
    plain = integer(pages[0], COMPRESSION, 1) == 1 and sort.bits % 8 == 0 and TILE_OFFSETS not in pages[0]
    plain = plain and sort.photometric != PALETTE and integer(pages[0], PLANES, 1) == 1
    offsets, sizes = integers(pages[0], STRIP_OFFSETS), integers(pages[0], STRIP_SIZES)
    in_order = len(offsets) == len(sizes) > 0 and (offsets[1:] == offsets[:-1] + sizes[:-1]).all()
    if plain and in_order and int(sizes.sum()) == sort.page_bytes and int(offsets[0]) + int(match[1]) * sort.page_bytes <= size:
        return int(match[1])
    raise InrcodecError(f"TIFF file of ImageJ ends early: it should have {int(match[1])} pictures, and there is one")


def samples_of(file: BinaryIO, pages: Sequence[Tags], count: int, sort: Sort) -> tuple[Samples, int]:
    """(the samples of all pictures, (count, …), of palettes the colours; their bits). See `check_pages`."""
    import tifffile

    file.seek(0)
    if count > len(pages):
        return _following_samples(file, pages[0], count, sort), sort.bits
    out: Samples | None = None
    depth = sort.bits
    with tifffile.TiffFile(file) as opened:
        for i, tags in enumerate(pages):
            samples = _page(opened.pages[i].asarray(), tags, sort)
            bits = sort.bits
            if sort.photometric == PALETTE:
                samples, bits = _look_up(samples, integers(tags, COLOUR_MAP), bits)
            if len(pages) == 1:
                return samples[None], bits
            if out is None:
                out, depth = np.empty((count, *samples.shape), samples.dtype), bits
            if bits != depth:
                raise UnsupportedError(f"page {i + 1} has a palette of {bits} bits, page 1 one of {depth}; a stack has one depth")
            out[i] = samples
    assert out is not None
    return out, depth


def _page(stored: Samples, tags: Tags, sort: Sort) -> Samples:
    """The samples of a page as tifffile gives them, in its shape and type; palette indices stay."""
    samples = stored.view(np.uint8) if stored.dtype == bool else stored
    if integer(tags, PLANES, 1) == 2 and sort.channels > 1:
        samples = np.moveaxis(samples.reshape(sort.channels, sort.height, sort.width), 0, 2)
    shape = replace(sort, photometric=BLACK_IS_0).shape
    return np.ascontiguousarray(samples.reshape(shape), sort.dtype)


def _following_samples(file: BinaryIO, tags: Tags, count: int, sort: Sort) -> Samples:
    """The samples of pictures that follow each other without pages of their own."""
    order: Literal["<", ">"] = ">" if file.read(2) == b"MM" else "<"
    file.seek(int(integers(tags, STRIP_OFFSETS)[0]))
    out = np.empty((count, *sort.shape), sort.dtype)
    for picture in out:
        picture[...] = np.frombuffer(file.read(sort.page_bytes), sort.dtype.newbyteorder(order)).reshape(sort.shape)
    return out


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
