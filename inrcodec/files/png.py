"""PNG: grey of 1, 2, 4, 8 or 16 bits; grey+alpha, RGB and RGBA of 8 or 16 bits.

Read too: palettes, as the RGB or RGBA they stand for, and transparent colours (tRNS), as an alpha channel; grey of less than
8 bits with a transparent colour is then scaled to 8, since PNG has no narrower alpha. Nothing is done to the samples
otherwise: gamma, profiles and orientation are metadata (see `pngchunks`). Animations and critical chunks outside the standard
are refused.

Source: Portable Network Graphics (PNG) Specification, third edition (W3C).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import pngchunks
from .bounds import DEFLATE, check_ratio, check_size, contents
from .images import Samples, check, dtype_of, image
from .registry import FileType

PALETTE = 3
CHANNELS = {0: 1, 2: 3, PALETTE: 1, 4: 2, 6: 4}  # by colour type
COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}  # by channel count
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # y, x, steps
LONGEST_SIDE = 1_000_000  # libpng's limit
LARGEST_CHUNK = 1 << 30


class Header(NamedTuple):
    """The IHDR chunk."""

    width: int
    height: int
    depth: int
    colour_type: int
    compression: int
    filtering: int
    interlaced: int

    @property
    def row_bytes(self) -> int:
        """Bytes of the samples of a row."""
        return (self.width * CHANNELS[self.colour_type] * self.depth + 7) // 8

    @property
    def raw_bytes(self) -> int:
        """Bytes of all rows, each with its filter type."""
        return self.height * (1 + self.row_bytes) if self.width else 0


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a PNG file: (height, width) or (height, width, 2 to 4), uint8 up to 8 bits, else uint16.

    Raises:
        UnsupportedError: an animation, a critical chunk outside the standard, or more than a million pixels a side.
        InrcodecError: not a PNG file, damaged, or truncated.
    """
    data = contents(file, limits)
    chunks = pngchunks.walk(data)
    content: dict[bytes, bytes] = {}
    for kind, body in chunks:
        content.setdefault(kind, body)
    header = _header(chunks[0])
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    transparent = content.get(b"tRNS")
    _check_size(header, transparent is not None, limits, len(packed), 3 * len(data))
    samples, depth = _samples(header, packed), header.depth
    if header.colour_type == PALETTE:
        samples, depth = _look_up(samples, content.get(b"PLTE", b""), transparent), 8
    elif header.colour_type in (0, 2) and transparent is not None:
        samples, depth = _with_alpha(samples, depth, transparent)
    same = header.colour_type != PALETTE and samples.shape[2:] == (() if header.colour_type == 0 else (CHANNELS[header.colour_type],))
    return image(samples, depth, pngchunks.to_metadata(chunks, same))


def write(path: Path, signal: Signal) -> None:
    """Write a PNG file.

    Raises:
        UnsupportedError: PNG cannot hold the image.
    """
    channels = check(signal, "PNG", {n: DEPTHS[kind] for n, kind in COLOUR_TYPE.items()})
    x = signal.samples
    if max(x.shape[:2]) > LONGEST_SIDE:
        raise UnsupportedError(f"PNG files of more than {LONGEST_SIDE} pixels a side are not supported; .tif and .pam can")
    if signal.bit_depth < 8:
        header = Header(x.shape[1], x.shape[0], signal.bit_depth, COLOUR_TYPE[channels], 0, 0, 0)
        data = _file(header, zlib.compress(packed_rows(x, signal.bit_depth), 9))
    else:
        import imagecodecs

        # its own guess at the size forgets the byte before every row, of which narrow images have many
        room = x.nbytes + x.nbytes // 100 + 16 * x.shape[0] + 4096
        data = bytes(imagecodecs.png_encode(np.ascontiguousarray(x), out=room))
    start = len(pngchunks.SIGNATURE) + 12 + 13  # what is before the second chunk
    with path.open("wb") as file:
        file.write(data[:start])
        file.write(pngchunks.from_metadata(signal.metadata, channels))
        file.write(memoryview(data)[start:])


def _header(chunk: tuple[bytes, bytes]) -> Header:
    kind, content = chunk
    if kind != b"IHDR" or len(content) != 13:
        raise InrcodecError("damaged PNG file: it does not begin with its header")
    header = Header(*struct.unpack(">IIBBBBB", content))
    valid = header.depth in DEPTHS.get(header.colour_type, ()) and header.width and header.height
    if not valid or header.compression or header.filtering or header.interlaced > 1:
        raise InrcodecError("damaged PNG file: its header is not valid")
    if max(header.width, header.height) > LONGEST_SIDE:
        raise UnsupportedError(f"PNG files of more than {LONGEST_SIDE} pixels a side are not supported")
    return header


def _check_size(header: Header, transparent: bool, limits: Limits, packed: int, held: int) -> None:
    """Refuse an image that the limits do not allow, or that `packed` bytes of Deflate cannot hold. held: bytes held already."""
    added = header.colour_type in (0, 2, PALETTE) and transparent
    channels = (3 if header.colour_type == PALETTE else CHANNELS[header.colour_type]) + added
    # the rows, twice as libpng's input; its image, and what is made of it
    check_size(limits, (header.height, header.width, channels), 2 if header.depth == 16 else 1, 5, held)
    passes = [part for part, _ in _passes(header)] if header.interlaced else [header]
    check_ratio(packed, sum(part.raw_bytes for part in passes), DEFLATE, f"{header.width} × {header.height} pixels")


def _samples(header: Header, packed: bytes) -> Samples:
    """The samples as they are stored, palette indices included."""
    passes = list(_passes(header)) if header.interlaced else [(header, (slice(None), slice(None)))]
    raw = _inflate(packed, sum(part.raw_bytes for part, _ in passes))
    if not header.interlaced:
        return _rows(header, raw)
    shape = (header.height, header.width, CHANNELS[header.colour_type])
    out = np.empty(shape, dtype_of(header.depth))
    at = 0
    for part, places in passes:
        if part.raw_bytes:
            # a pass is a small image like any other
            out[places] = _rows(part, raw[at : at + part.raw_bytes]).reshape(part.height, part.width, -1)
        at += part.raw_bytes
    return out[:, :, 0] if shape[2] == 1 else out


def _passes(header: Header) -> Iterator[tuple[Header, tuple[slice, slice]]]:
    """The seven passes of an interlaced image, with the pixels they hold."""
    for y, x, down, right in ADAM7:
        height = max(0, -((y - header.height) // down))
        width = max(0, -((x - header.width) // right))
        yield header._replace(height=height, width=width), (slice(y, None, down), slice(x, None, right))


def _inflate(packed: bytes, size: int) -> bytes:
    """Exactly `size` bytes: a stream that goes on after the last pixel is cut, as all decoders do."""
    inflater = zlib.decompressobj()
    raw = inflater.decompress(packed, size)
    if len(raw) < size:
        raise InrcodecError(f"damaged PNG file: pixels end after {len(raw)} of {size} bytes")
    if not inflater.eof:
        inflater.decompress(inflater.unconsumed_tail, 1)  # reaches the checksum of the stream, which raises if it is wrong
    return raw


def _rows(header: Header, raw: bytes) -> Samples:
    """The samples of filtered rows.

    libpng sees a file with nothing but the pixels: no chunk that could change them, none that it would print a warning about.
    A palette image goes through as grey, which gives the indices.
    """
    import imagecodecs

    plain = header._replace(colour_type=0 if header.colour_type == PALETTE else header.colour_type, interlaced=0)
    samples: Samples = imagecodecs.png_decode(_file(plain, zlib.compress(raw, 0)))
    if header.depth < 8:
        samples //= 255 // ((1 << header.depth) - 1)  # libpng scales them up to 8 bits
    return samples


def _file(header: Header, stream: bytes) -> bytes:
    parts = [pngchunks.SIGNATURE, pngchunks.build(b"IHDR", struct.pack(">IIBBBBB", *header))]
    parts += [pngchunks.build(b"IDAT", stream[i : i + LARGEST_CHUNK]) for i in range(0, len(stream), LARGEST_CHUNK)]
    return b"".join([*parts, pngchunks.build(b"IEND", b"")])


def packed_rows(samples: Samples, depth: int) -> bytes:
    """Unfiltered rows of grey of less than 8 bits, which libpng is not given here: nothing is gained by filtering them."""
    pixels = 8 // depth  # in a byte, the first in its highest bits
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % pixels)))
    rows = np.zeros((padded.shape[0], 1 + padded.shape[1] // pixels), np.uint8)  # the first byte is the filter type, none
    for i in range(pixels):
        rows[:, 1:] |= padded[:, i::pixels] << (8 - depth * (i + 1))
    return rows.tobytes()


def _look_up(indices: Samples, palette: bytes, alphas: bytes | None) -> Samples:
    """RGB of palette indices, or RGBA if there is a tRNS chunk."""
    if not palette or len(palette) % 3 or len(palette) > 768:
        raise InrcodecError("damaged PNG file: no valid palette")
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if int(indices.max()) >= len(colours):
        raise InrcodecError(f"damaged PNG file: a pixel of colour {int(indices.max())} where the palette has {len(colours)}")
    if alphas is None:
        return colours[indices]
    opacity = np.full(len(colours), 255, np.uint8)
    given = np.frombuffer(alphas, np.uint8)[: len(colours)]
    opacity[: len(given)] = given
    return np.column_stack((colours, opacity))[indices]


def _with_alpha(samples: Samples, depth: int, transparent: bytes) -> tuple[Samples, int]:
    """The samples with an alpha channel that is 0 where they are of the transparent colour, and their depth."""
    colour = np.frombuffer(transparent, ">u2") & ((1 << depth) - 1)
    pixels = samples.reshape(*samples.shape[:2], -1)
    if len(colour) != pixels.shape[2]:
        raise InrcodecError("damaged PNG file: its transparent colour is not one of its colour type")
    visible = (pixels != colour.astype(pixels.dtype)).any(axis=2, keepdims=True)
    if depth < 8:
        pixels = pixels * (255 // ((1 << depth) - 1))
        depth = 8
    alpha = visible.astype(pixels.dtype) * ((1 << depth) - 1)
    return np.concatenate((pixels, alpha.astype(pixels.dtype)), axis=2), depth


TYPES = (
    FileType(
        "PNG",
        "image",
        (".png",),
        "grey of 1 to 16 bits; grey+alpha, RGB and RGBA of 8 and 16; palettes are read as RGB",
        rb"\x89PNG\r\n\x1a\n",
        read,
        write,
    ),
)
