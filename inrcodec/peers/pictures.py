"""Codecs of pictures: PNG (also Pillow's), WebP, JPEG XL, JPEG 2000, JPEG-LS and AVIF, of imagecodecs. Of a stack, each page is a file.

JPEG XL, JPEG 2000 and JPEG-LS also take arrays of two axes or more: a picture for each slice of the last two, made unsigned by taking away
the least value, which is not counted.
"""

from __future__ import annotations

import io
import struct
import zlib
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import imagecodecs as ic
import numpy as np
from PIL import Image

from ..files import pngchunks
from ..files.png import PALETTE, packed_rows
from ..signal import Kind, Signal
from .base import Peer, Samples, Unsuited, bits, integers, native, restored, unsigned

FLOATS = ("float16", "float32")  # that JPEG XL takes
NO_FILTER = 8  # what libpng calls it
MOST_COLOURS = 256  # of a palette
LOOKED_AT = 1 << 16  # pixels that are looked at first: if these have more colours, there is no palette


# --- PNG ------------------------------------------------------------------------------------------------------------


def encode_png(picture: Samples, depth: int) -> bytes:
    """The smallest of libpng's at level 9 with and without filters and by two strategies of zlib, Pillow's `optimize`, and a palette.

    picture: (height, width) or (height, width, 2 to 4), uint8 or uint16; depth: its bits.
    """
    room = picture.nbytes + picture.nbytes // 100 + 16 * picture.shape[0] + 4096  # its own guess is too small for narrow pictures
    ways: list[dict[str, int]] = [{}, {"strategy": ic.PNG.STRATEGY.FILTERED}, {"filter": NO_FILTER}]
    found = [bytes(ic.png_encode(picture, level=9, out=room, **way)) for way in ways]
    if picture.dtype == np.uint8:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG", optimize=True)
        found.append(file.getvalue())
    if picture.ndim == 2 and depth in (1, 2, 4):
        found.append(_png(picture, depth, 0))
    if picture.ndim == 3 and picture.dtype == np.uint8 and picture.shape[2] > 2 and (indexed := _indexed(picture)):
        colours, indices = indexed
        width = next(n for n in (1, 2, 4, 8) if len(colours) <= 1 << n)
        opacity = pngchunks.build(b"tRNS", colours[:, 3].tobytes()) if picture.shape[2] == 4 else b""
        found.append(_png(indices, width, PALETTE, pngchunks.build(b"PLTE", colours[:, :3].tobytes()) + opacity))
    return min(found, key=len)


def _png(samples: Samples, depth: int, colour_type: int, before: bytes = b"") -> bytes:
    """A PNG file of one channel without filters. before: chunks before the samples."""
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, colour_type, 0, 0, 0)
    stream = pngchunks.build(b"IDAT", zlib.compress(packed_rows(samples, depth), 9))
    return b"".join([pngchunks.SIGNATURE, pngchunks.build(b"IHDR", head), before, stream, pngchunks.build(b"IEND", b"")])


def _indexed(picture: Samples) -> tuple[Samples, Samples] | None:
    """(colours, (n, channels) uint8; the number of each pixel's, uint8) of a picture of few colours; None: there are too many."""
    wide = np.zeros((*picture.shape[:2], 4), np.uint8)
    wide[..., : picture.shape[2]] = picture
    packed = wide.view(np.uint32)[..., 0]
    if len(np.unique(packed.reshape(-1)[:LOOKED_AT])) > MOST_COLOURS:
        return None
    colours, indices = np.unique(packed, return_inverse=True)
    if len(colours) > MOST_COLOURS:
        return None
    return colours.view(np.uint8).reshape(-1, 4)[:, : picture.shape[2]], indices.astype(np.uint8).reshape(packed.shape)


def decode_png(data: bytes, depth: int) -> Samples:
    """What `encode_png` was given."""
    found = np.asarray(ic.png_decode(data))
    head = struct.unpack_from(">BB", data, len(pngchunks.SIGNATURE) + 16)
    return found // (255 // ((1 << depth) - 1)) if head == (depth, 0) and depth < 8 else found  # libpng scales them up to 8 bits


# --- others ---------------------------------------------------------------------------------------------------------


def encode_webp(picture: Samples) -> bytes:
    """WebP, lossless, at its greatest effort. picture: (height, width, 3 or 4) uint8."""
    return bytes(ic.webp_encode(picture, lossless=True, level=100, method=6))


def encode_jpegxl(picture: Samples, depth: int, threads: int, effort: int) -> bytes:
    """JPEG XL. depth: bits of integers. picture: (height, width) or (height, width, 2 to 4), uint8, uint16, float16 or float32."""
    known = depth if picture.dtype == np.uint16 else None
    return bytes(ic.jpegxl_encode(picture, lossless=True, effort=effort, bitspersample=known, numthreads=threads))


def decode_jpegxl(data: bytes, threads: int) -> Samples:
    """What `encode_jpegxl` was given."""
    return np.asarray(ic.jpegxl_decode(data, numthreads=threads))


def encode_jpeg2000(picture: Samples, depth: int, threads: int) -> bytes:
    """JPEG 2000 with the reversible wavelet, as a codestream. depth: bits of the samples."""
    depth = max(depth, 8) if picture.ndim > 2 else depth  # its reversible colour transform fails at 1 bit
    return bytes(ic.jpeg2k_encode(picture, level=0, reversible=True, codecformat="j2k", bitspersample=depth, numthreads=threads))


def decode_jpeg2000(data: bytes, threads: int) -> Samples:
    """What `encode_jpeg2000` was given."""
    return np.asarray(ic.jpeg2k_decode(data, numthreads=threads))


def encode_jpegls(picture: Samples) -> bytes:
    """JPEG-LS, lossless. picture: (height, width) or (height, width, 3 or 4), uint8 or uint16."""
    return bytes(ic.jpegls_encode(picture, level=0))


def decode_jpegls(data: bytes) -> Samples:
    """What `encode_jpegls` was given."""
    return np.asarray(ic.jpegls_decode(data))


# --- as peers -------------------------------------------------------------------------------------------------------


class Pages(NamedTuple):
    """What a signal is as pictures. pages: of one shape and type; depth: their bits, 0 of floats."""

    pages: list[Samples]
    depth: int


def pages_of(signal: Signal) -> Pages:
    """The pictures of an image or a stack, (height, width) or (height, width, 2 to 64); the slices of an array of two axes or more."""
    x = signal.samples.view(np.uint8) if signal.samples.dtype.kind == "b" else native(signal.samples)
    depth = 0 if x.dtype.kind == "f" else signal.bit_depth
    if signal.kind == "array" or x.dtype.kind == "i" or x.dtype.itemsize > 2:
        depth, x = (0, x) if x.dtype.kind == "f" else (bits(x), unsigned(x))
    if signal.kind == "array":
        x = x.reshape(-1, *x.shape[-2:])
    elif signal.kind == "image":
        x = x[np.newaxis]
    if signal.channel_axis and x.shape[-1] == 1:
        x = x[..., 0]
    return Pages([np.ascontiguousarray(page) for page in x], depth)


class _OfPictures(Peer):
    """A codec of pictures: a string of bytes for each.

    channels: how many a picture may have; most: bits of its samples; floats: types of such that it takes.
    """

    kinds: tuple[Kind, ...] = ("image", "stack")
    channels: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    most: ClassVar[int] = 16
    floats: ClassVar[tuple[str, ...]] = ()

    def check(self, signal: Signal) -> None:
        x = signal.samples
        if signal.kind == "array":
            if x.ndim < 2:
                raise Unsuited("takes no arrays of one axis")
            integers(x.view(np.uint8) if x.dtype.kind == "b" else x, self.most, self.floats)
            return
        count = x.shape[-1] if signal.channel_axis else 1
        if count not in self.channels:
            raise Unsuited(f"takes no pictures of {count} channels")
        if x.dtype.kind in "fc":
            if x.dtype.name not in self.floats:
                raise Unsuited(f"takes no pictures of {x.dtype}")
            return
        depth = bits(x) if x.dtype.kind == "i" or x.dtype.itemsize > 2 else signal.bit_depth
        if depth > self.most:
            raise Unsuited(f"takes no pictures of {depth} bits")

    def told(self, kind: Kind) -> str:
        return self.settings + {"array": ", a picture for each slice", "stack": ", a file for each page"}.get(kind, "")

    def prepare(self, signal: Signal, folder: Path) -> Pages:
        return pages_of(signal)

    def encode(self, prepared: Pages, threads: int) -> list[bytes]:
        return [self.encode_page(page, prepared.depth, threads) for page in prepared.pages]

    def size(self, coded: list[bytes]) -> int:
        return sum(map(len, coded))

    def decode(self, coded: list[bytes], prepared: Pages, threads: int) -> list[Samples]:
        return [self.decode_page(data, prepared.depth, threads) for data in coded]

    def samples(self, decoded: list[Samples], signal: Signal) -> Samples:
        x = signal.samples
        if signal.channel_axis and any(page.ndim < 3 or page.shape[2] != x.shape[-1] for page in decoded) and x.shape[-1] > 1:
            decoded = [_with_channels(page, x.shape[-1]) for page in decoded]
        found = np.stack(decoded)
        if x.dtype.kind == "i" or x.dtype.itemsize > 2 or signal.kind == "array":
            like = x.view(np.uint8) if x.dtype.kind == "b" else x
            return restored(found, like).view(x.dtype)
        return found.view(x.dtype).reshape(x.shape) if found.dtype.itemsize == x.dtype.itemsize else found.reshape(x.shape)

    @abstractmethod
    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        """The bytes of a picture, (height, width) or (height, width, channels). depth: its bits, 0 of floats."""

    @abstractmethod
    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        """What `encode_page` was given; what says nothing may be left out, as an alpha channel that is opaque."""


def _with_channels(page: Samples, count: int) -> Samples:
    """A picture with so many channels: greys become RGB or the other way, and an alpha channel that is not there is opaque."""
    page = page if page.ndim == 3 else page[..., np.newaxis]
    if page.shape[2] == count:
        return page
    opaque = np.full((*page.shape[:2], 1), np.iinfo(page.dtype).max, page.dtype)
    colours, alpha = (page[..., :-1], page[..., -1:]) if page.shape[2] in (2, 4) else (page, opaque)
    wanted = count - 1 if count in (2, 4) else count
    colours = colours[..., :wanted] if colours.shape[2] > wanted else np.repeat(colours, wanted // colours.shape[2], 2)
    return np.concatenate((colours, alpha), 2) if count in (2, 4) else colours


class Png(_OfPictures):
    """PNG."""

    name = "PNG"
    settings = "level 9, the smallest of filters, strategies and palette"

    def version(self) -> str:
        return str(ic.png_version())

    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        return encode_png(page, depth)

    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        return decode_png(data, depth)


class WebP(_OfPictures):
    """WebP, which has RGB and RGBA of 8 bits; greys become such."""

    name = "WebP"
    settings = "lossless, method 6, quality 100"
    most = 8

    def version(self) -> str:
        return str(ic.webp_version())

    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        return encode_webp(np.ascontiguousarray(_with_channels(page, 4 if page.ndim == 3 and page.shape[2] in (2, 4) else 3)))

    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        return np.asarray(ic.webp_decode(data))

    def samples(self, decoded: list[Samples], signal: Signal) -> Samples:
        if not signal.channel_axis or signal.samples.shape[-1] == 1:
            decoded = [page[..., 0] for page in decoded]
        return super().samples(decoded, signal)


class JpegXl(_OfPictures):
    """JPEG XL."""

    name = "JPEG XL"
    settings = "effort 10"
    kinds = ("image", "stack", "array")
    floats = FLOATS

    def version(self) -> str:
        return str(ic.jpegxl_version())

    def told(self, kind: Kind) -> str:
        return super().told(kind).replace("10", "9") if kind == "array" else super().told(kind)

    def prepare(self, signal: Signal, folder: Path) -> Pages:
        self.effort = 9 if signal.kind == "array" else 10
        return super().prepare(signal, folder)

    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        return encode_jpegxl(page, depth, threads, self.effort)

    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        return decode_jpegxl(data, threads)


class Jpeg2000(_OfPictures):
    """JPEG 2000."""

    name = "JPEG 2000"
    settings = "reversible wavelet"
    kinds = ("image", "stack", "array")

    def version(self) -> str:
        return str(ic.jpeg2k_version())

    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        return encode_jpeg2000(page, depth, threads)

    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        return decode_jpeg2000(data, threads)


class JpegLs(_OfPictures):
    """JPEG-LS."""

    name = "JPEG-LS"
    settings = "lossless"
    kinds = ("image", "stack", "array")
    channels = (1, 3, 4)

    def version(self) -> str:
        return str(ic.jpegls_version())

    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        return encode_jpegls(page)

    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        return decode_jpegls(data)


class Avif(_OfPictures):
    """AVIF, which has 8, 10 and 12 bits. Without a level, imagecodecs takes all colours as they are (the identity matrix, 4:4:4)."""

    name = "AVIF"
    settings = "lossless, identity matrix, 4:4:4, speed 4"
    channels = (1, 3, 4)
    most = 12

    def missing(self) -> str:
        return "" if is_available("AVIF") else "this build of imagecodecs has no AVIF; install with: pip install imagecodecs"

    def version(self) -> str:
        return str(ic.avif_version())

    def encode_page(self, page: Samples, depth: int, threads: int) -> bytes:
        known = next(n for n in (8, 10, 12) if depth <= n)
        return bytes(ic.avif_encode(page, speed=4, bitspersample=known, numthreads=threads))

    def decode_page(self, data: bytes, depth: int, threads: int) -> Samples:
        return np.asarray(ic.avif_decode(data, numthreads=threads))


def is_available(name: str) -> bool:
    """Whether this build of imagecodecs has a codec. name: as "JPEGXL"."""
    found: Any = getattr(ic, name, None)
    return bool(found is not None and found.available)
