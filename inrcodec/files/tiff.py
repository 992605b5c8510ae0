"""TIFF and BigTIFF: pictures of 1 to 64 channels, and stacks of them.

Samples are unsigned of 1 to 16, 32 or 64 bits, signed of 8, 16, 32 or 64 bits, floats of 16, 32 or 64 bits, or complex numbers of two
floats. tifffile decodes and encodes them, in strips or tiles, interleaved or in planes, of any lossless compression. They stay
as stored: orientation, the sense of grey where 0 is white, and what channels mean, CMYK among it, are metadata. Palettes are read as the
RGB they stand for, of 8 bits if that loses nothing, else of 16. Files are written with Deflate, but for depths that need packing, and for
stacks of ImageJ, which wants its pictures one behind the other. They are little-endian, but for those with metadata of ImageJ that are not.

Several pages of one shape and type are a stack. Those of ImageJ that have one page for all pictures are read, and get a page for each.

Metadata: ICC profile, XMP, density and the common texts have shared keys; Exif and GPS directories and the orientation make up
`exif`. All other tags but those that say how the pixels are stored are kept as `tiff/NUMBER`: 2 bytes for the type, then
the little-endian values. `tiff/photometric` is there if the channels mean something else than usual (0: 0 is white; 1: grey, although there
are 3 or 4 channels; 2: RGB, although there are more; 5: CMYK or other inks), `tiff/extrasamples` if channels beyond the colour are of
other sorts than usual (0 unspecified, 1 associated alpha, 2 unassociated alpha; one beside grey or RGB is usually 2, others 0).
What differs from page to page: see `paging`. Descriptions of ImageJ and OME are texts of the first page.

Refused: pages that differ in shape or type, sub-images, other colours than grey, RGB and inks, channels of unequal depth, and lossy
compression, whose pixels depend on the decoder.

Source: TIFF revision 6.0 (Adobe, 1992); BigTIFF as libtiff 4 writes it; ImageJ's TiffDecoder.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import ifd, paging
from .bounds import contents
from .ifd import Tags
from .images import dtype_of, image
from .registry import FileType
from .tiffpixels import BITS_OF, EXTRA_SAMPLES, IMAGEJ, PHOTOMETRIC, WORDS, check_pages, following, samples_of, sort_of
from .tifftags import STORAGE, from_metadata, is_big_endian, pixel_tags, to_metadata

# tifffile logs what it finds odd in a file; without a handler that would end up on the terminal
logging.getLogger("tifffile").addHandler(logging.NullHandler())

MOST_TAGS = 4096  # that tifffile reads
CLASSIC_LIMIT = (1 << 32) - (1 << 27)  # bytes of pixels from which offsets need 64 bits; the rest is for metadata
PREDICTORS = {"u": 2, "i": 2, "f": 3}  # by the kind of samples: differences, and those of the bytes of floats


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a TIFF file: an image, (height, width) or (height, width, channels), or a stack of such, (pages, …).

    Samples are uint8 up to 8 bits and uint16 up to 16, else of the type of the file, in native byte order.

    Raises:
        UnsupportedError: pages that differ in shape or type, or samples of a sort that is not named above.
        InrcodecError: not a TIFF file, damaged, or truncated.
    """
    stream = file if file.seekable() else BytesIO(contents(file, limits))
    pages, order = ifd.parse_pages(stream, limits)
    sort = sort_of(pages[0])
    for number, tags in enumerate(pages[1:], 2):
        if (other := sort_of(tags)) != sort:
            raise UnsupportedError(
                f"page {number} is {other}, but page 1 is {sort}; only pages of one shape and type are supported, as a stack: "
                "save the others apart"
            )
    size = stream.seek(0, 2)
    count = following(pages, sort, size)
    check_pages(pages, count, sort, size, limits)
    samples, bits = samples_of(stream, pages, count, sort)
    metadata = paging.joined(to_metadata(tags, sort, order) for tags in pages)
    if count > 1:
        return Signal(samples, "stack", bits, None, metadata)
    return Signal(samples[0], "image", bits, None, metadata) if sort.kind != "u" or bits > 16 else image(samples[0], bits, metadata)


def write(path: Path, signal: Signal) -> None:
    """Write a TIFF file, a BigTIFF file from about 4 GB of pixels.

    Raises:
        UnsupportedError: not an image or a stack, or of samples that TIFF does not have.
    """
    import tifffile

    channels = _check(signal)
    x, bits, metadata = signal.samples, signal.bit_depth, signal.metadata
    count = len(x) if signal.kind == "stack" else 1
    big = x.nbytes >= CLASSIC_LIMIT
    bilevel = bits == 1 and channels == 1
    whole = bits == 8 * x.dtype.itemsize
    order: Literal["<", ">"] = ">" if whole and is_big_endian(metadata) else "<"  # of packed samples tifffile gets only this order right
    plain = count > 1 and IMAGEJ.match(metadata.get(paging.DESCRIPTION, b"")) is not None
    deflated = (whole or bilevel) and not plain
    tifffile.imwrite(
        path,
        np.ascontiguousarray(x, dtype=bool if bilevel else None),
        byteorder=order,
        bigtiff=big,
        photometric="minisblack",  # what the channels mean is told below
        planarconfig="contig" if channels > 1 else None,
        bitspersample=None if bilevel or whole else bits,
        compression="adobe_deflate" if deflated else None,
        predictor=PREDICTORS.get(x.dtype.kind) if deflated and whole else None,
        metadata=None,
        software=False,
    )
    _replace_tags(path, [_tags_of(page, channels, count) for page in paging.parted(metadata, count)], big)


def _check(signal: Signal) -> int:
    """The channel count of a signal that TIFF can give back as it is. Raises UnsupportedError."""
    x, bits, pictures = signal.samples, signal.bit_depth, "images" if signal.kind == "image" else "stacks"
    if signal.kind not in ("image", "stack"):
        raise UnsupportedError(f"TIFF holds images and stacks of them, not signals of kind {signal.kind!r}")
    if signal.channel_axis and x.shape[-1] == 1:
        raise UnsupportedError(f"{pictures} of shape {x.shape} would come back as {x.shape[:-1]}: drop the last axis, or write .npy")
    if signal.kind == "stack" and len(x) == 1:
        raise UnsupportedError("a stack of one page would come back as an image: take the page out, or write .npy")
    if signal.bfloat16:
        raise UnsupportedError("TIFF cannot hold bfloat16 samples; .npy can hold their bits, as uint16")
    kind = "u" if x.dtype.kind == "b" else x.dtype.kind
    if bits not in BITS_OF[kind]:
        raise UnsupportedError(f"TIFF cannot hold {bits}-bit {WORDS[kind]} samples; .npy can")
    wanted = np.dtype(dtype_of(bits) if kind == "u" and bits <= 16 else f"{kind}{bits // 8}")
    if x.dtype != wanted:
        raise UnsupportedError(f"{bits}-bit {pictures} come back from TIFF as {wanted}, but these samples are {x.dtype}")
    return int(x.shape[-1]) if signal.channel_axis else 1


def _tags_of(metadata: dict[str, bytes], channels: int, count: int) -> Tags:
    """The tags of a page, but for those that say how its pixels are stored."""
    told = IMAGEJ.match(metadata.get(paging.DESCRIPTION, b""))
    if told and int(told[1]) != count:  # it would be looked for pictures that are not there
        metadata = {key: value for key, value in metadata.items() if key != paging.DESCRIPTION}
    tags = from_metadata(metadata)
    return tags | pixel_tags(metadata, channels, tags)


def _replace_tags(path: Path, pages: Sequence[Tags], big: bool) -> None:
    """Put directories with more tags at the end of a file that has only what its pixels need.

    Here and not by tifffile, because that writes neither directories of Exif nor texts beyond ASCII, and has one set of tags for all pages.
    """
    with path.open("r+b") as file:
        own, order = ifd.parse_pages(file)
        end = file.seek(0, 2)
        first = at = end + end % 2
        for number, (stored, tags) in enumerate(zip(own, pages, strict=True), 1):
            plain = {tag: value for tag, value in stored.items() if tag in STORAGE - {PHOTOMETRIC, EXTRA_SAMPLES}}
            needed = plain | {tag: value for tag, value in tags.items() if tag in STORAGE}
            others = {tag: value for tag, value in tags.items() if tag not in STORAGE}
            kept = dict(list(others.items())[-(MOST_TAGS - len(needed)) :])  # the shared keys come last
            directory = ifd.pack(needed | kept, at, big, order, last=number == len(own))
            file.seek(at)
            file.write(directory)
            at += len(directory)
        file.seek(8 if big else 4)
        file.write(struct.pack(order + ("Q" if big else "I"), first))


TYPES = (
    FileType(
        "TIFF",
        "image",
        (".tif", ".tiff"),
        "1 to 64 channels, CMYK among them, of 1 to 64 bits: unsigned, signed, floats and complex numbers; several pages are a stack; "
        "palettes are read as RGB",
        rb"II[*+]\0|MM\0[*+]",
        read,
        write,
    ),
)
