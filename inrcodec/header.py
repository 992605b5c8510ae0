"""Section HEAD (shape, types, value map and digest of a signal) and section meta (its metadata).

The digest is of what the samples mean and of the samples. So a header whose shape, type, depth or rate was changed does not pass, even
with a mended checksum. It has two forms: the samples follow each other in raster order, or, of a file that was written tile by tile, they
are hashed for each tile, and the digest is of these digests.
"""

from __future__ import annotations

import hashlib
import math
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import floats, values
from .compression import compress, decompress
from .container import Reader, varint, zigzag
from .errors import FormatError
from .layout import Layout, split
from .limits import Limits
from .signal import KINDS, MAX_DIMENSIONS, MAX_RATE, Kind, Signal, has_channel_axis, layout_fault, packed_bytes, type_bits

HEAD, META = b"HEAD", b"meta"
INDEX, TILE = b"TIDX", b"TILE"  # the other sections of every signal with samples
SEEK = b"seek"  # where section TIDX begins, if it stands behind the tiles: 8 bytes, little-endian
SAMPLE_TYPES = "buif"
COMPLEX, BFLOAT16 = 0x10, 0x40  # of the byte of a type of floats
DIGEST, SHORT_DIGEST = 32, 4  # bytes of the digest; the short one is that of compact files
HASHED = 1 << 20  # samples at a time
ENTRY = 256  # bytes that a key and its value take besides their own
BIG_ENDIAN = 0x20
LOSSY, BY_TILES = 0x80, 0x40  # of the byte that has the profile
PADDED = 6  # bytes of a size that is written before it is known: enough for LARGEST_SHAPE
LARGEST_SHAPE = 1 << 36  # samples; with longer axes, computing coordinates would need more than 63 bits
MAX_METADATA = 1 << 28


def peak_of(kind: Kind, bit_depth: int, value_map: values.ValueMap, float_map: floats.FloatMap | None) -> float:
    """The range of samples in steps of the values, which PSNRs are relative to: that of the depth; of floats of a sound, from −1 to 1.

    Of other floats, and where equal steps of values are not equal steps of floats, it is the range of the values.
    """
    if float_map is None:
        return (2.0**bit_depth - 1) / value_map.step
    unit = float_map.unit * value_map.step if kind == "audio" and float_map.linear else 0.0
    return 2 / unit if unit > sys.float_info.min else 2.0**value_map.bits - 1


@dataclass(frozen=True)
class Header:
    """What section HEAD says: the number of the profile, the fields of Signal, the value map, the digest, and `lossy`.

    digest: 32 bytes, or the first 4 of them.

    by_tiles: whether the digest is of the digests of the tiles' samples.

    float_map: how integers, to which the value map leads, stand for floats; None: the samples are integers. A lossy file has no tiles, only
    what its profile says of the samples.
    """

    profile: int
    kind: Kind
    dtype: np.dtype[Any]
    bit_depth: int
    shape: tuple[int, ...]
    sample_rate: int | None
    value_map: values.ValueMap
    digest: bytes
    lossy: bool = False
    float_map: floats.FloatMap | None = None
    by_tiles: bool = False
    bfloat16: bool = False

    @property
    def part_type(self) -> np.dtype[Any]:
        """The type of what is coded: that of the samples; of complex numbers, that of their floats."""
        return values.part_type(self.dtype)

    @property
    def integer_type(self) -> np.dtype[Any]:
        """The type of the integers that the value map gives: that of the samples, but for floats."""
        return floats.integer_type(self.part_type) if self.float_map else self.dtype

    @property
    def type_name(self) -> str:
        """What people call the type of the samples; a big-endian one as NumPy writes it."""
        big = self.dtype.str[0] == ">"
        if self.bfloat16:
            return ">" * big + "bfloat16"
        return self.dtype.str if big else self.dtype.name

    @property
    def places(self) -> tuple[tuple[int, ...], int]:
        """(sizes of the coordinate axes, values at each place)."""
        axes, channels = split(self.shape, self.channel_axis)
        return axes, channels * (2 if self.dtype.kind == "c" else 1)

    def shaped(self, parts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Samples of some places, (sizes…, values at each place) of `part_type`, in the header's type, with channels as in its shape."""
        sizes = parts.shape[:-1]
        return np.ascontiguousarray(parts).view(self.dtype).reshape(*sizes, *self.shape[len(sizes) :])

    def signal(self, samples: npt.NDArray[Any], metadata: Mapping[str, bytes]) -> Signal:
        """The Signal of samples that were decoded. Raises UnsupportedError if they do not fit kind and depth."""
        return Signal(samples, self.kind, self.bit_depth, self.sample_rate, metadata, self.bfloat16)

    @property
    def split(self) -> bool:
        """Whether tiles have fine bits beside what the profile codes."""
        return self.float_map is not None and self.float_map.form == "split"

    @property
    def channel_axis(self) -> bool:
        """Whether the last axis holds channels."""
        return has_channel_axis(self.kind, len(self.shape))

    @property
    def raw_bytes(self) -> int:
        """Bytes of the samples, packed at `bit_depth` bits each."""
        return packed_bytes(self.shape, self.bit_depth)


def dtype_byte(dtype: np.dtype[Any], bfloat16: bool = False) -> int:
    """The byte of a sample type: kind in bits 0–1 (bool, unsigned, signed, float), log2 of the size in bits 2–3, big-endian in bit 5.

    Bit 4: complex, of two floats of this size. Bit 6: bfloat16, whose patterns of bits have the type `dtype`.
    """
    big = dtype.str[0] == ">"  # also where that is the machine's own order, which `byteorder` does not tell
    part = values.part_type(dtype)
    kind = SAMPLE_TYPES.index("f" if bfloat16 else part.kind)
    flags = BIG_ENDIAN * big | COMPLEX * (dtype.kind == "c") | BFLOAT16 * bfloat16
    return kind | (part.itemsize.bit_length() - 1) << 2 | flags


def _dtype_of(byte: int) -> tuple[np.dtype[Any], bool]:
    """The type of a byte, and whether its samples are patterns of bfloat16. Raises FormatError."""
    kind, size, big = byte & 3, 1 << (byte >> 2 & 3), bool(byte & BIG_ENDIAN)
    paired, brain, floating = bool(byte & COMPLEX), bool(byte & BFLOAT16), kind == 3
    wrong = (paired and not (floating and size >= 4)) or (brain and not (floating and size == 2)) or (size == 1 and (big or floating))
    if byte & 0x80 or (kind == 0 and size > 1) or wrong:
        raise FormatError("damaged: unknown sample type")
    name = "u2" if brain else f"c{2 * size}" if paired else f"{SAMPLE_TYPES[kind]}{size}"
    return np.dtype(f"{'>' if big else '<'}{name}"), brain


def _meaning(header: Header, least: int = 0) -> bytes:
    """What the samples mean, as section HEAD has it: kind, type, bit depth, dimensions, shape and rate, varints in their shortest form.

    least: bytes that the first size is to take at least, in HEAD only.
    """
    rate = varint(header.sample_rate) if header.sample_rate is not None else b""
    fixed = bytes([KINDS.index(header.kind), dtype_byte(header.dtype, header.bfloat16), header.bit_depth, len(header.shape)])
    first, *others = header.shape
    return b"".join([fixed, varint(first, least), *[varint(n) for n in others], rate])


def digest(header: Header, samples: npt.NDArray[Any]) -> bytes:
    """SHA-256, 32 bytes, of what the header says of the samples, then of the samples as little-endian bytes, the last axis fastest.

    A bool is one byte. The header's profile, value map and digest do not matter.
    """
    return _hashed(_meaning(header), samples)


def tile_digest(samples: npt.NDArray[Any]) -> bytes:
    """SHA-256, 32 bytes, of the samples of a tile, as in `digest`."""
    return _hashed(b"", samples)


def digest_of_tiles(header: Header, tile: Sequence[int], digests: Iterable[bytes]) -> bytes:
    """SHA-256, 32 bytes, of what the header says of the samples, of the sizes of a tile as varints, and of the tiles' digests in order.

    It does not need all samples at once, nor in raster order.
    """
    found = hashlib.sha256(_meaning(header) + b"".join(map(varint, tile)))
    for of_tile in digests:
        found.update(of_tile)
    return found.digest()


def _hashed(meaning: bytes, samples: npt.NDArray[Any]) -> bytes:
    found = hashlib.sha256(meaning)
    flat = values.parts_of(np.ascontiguousarray(samples)).reshape(-1)
    for start in range(0, len(flat), HASHED):  # a copy of all samples in another byte order would take their memory once more
        part = values.bits_of(flat[start : start + HASHED])
        found.update(np.ascontiguousarray(part, part.dtype.newbyteorder("<")).view(np.uint8).data)
    return found.digest()


def matches(header: Header, samples: npt.NDArray[Any], layout: Layout) -> bool:
    """Whether samples have the digest of the header, as far as it is there."""
    if header.by_tiles:
        found = digest_of_tiles(header, layout.tile, (tile_digest(samples[box]) for box in layout.boxes()))
    else:
        found = digest(header, samples)
    return found[: len(header.digest)] == header.digest


def write_header(header: Header, least: int = 0) -> bytes:
    """The content of section HEAD. least: bytes that the first size is to take at least."""
    m = header.value_map
    float_map = floats.write_map(header.float_map) if header.float_map else b""
    value_map = varint(zigzag(m.offset)) + varint(m.step) + bytes([m.bits])
    first = header.profile | LOSSY * header.lossy | BY_TILES * header.by_tiles
    return bytes([first]) + _meaning(header, least) + float_map + value_map + header.digest


def read_header(content: bytes) -> Header:
    """Parse and check section HEAD. Raises FormatError."""
    r = Reader(content, "the header")
    profile, kind_number, (dtype, bfloat16), bit_depth, ndim = r.byte(), r.byte(), _dtype_of(r.byte()), r.byte(), r.byte()
    floating = bfloat16 or dtype.kind in "fc"
    if kind_number >= len(KINDS):
        raise FormatError("damaged: unknown kind of signal")
    kind = KINDS[kind_number]
    if not 1 <= ndim <= MAX_DIMENSIONS:
        raise FormatError("damaged: the number of dimensions is out of range")
    shape = tuple(r.varint(LARGEST_SHAPE) for _ in range(ndim))
    if not 1 <= math.prod(shape) <= LARGEST_SHAPE:
        raise FormatError("damaged: the shape is out of range")
    if not 1 <= bit_depth <= type_bits(dtype) or (floating and bit_depth != type_bits(dtype)):
        raise FormatError("damaged: the bit depth is out of range")
    fault = layout_fault(kind, shape, dtype)
    if fault:
        raise FormatError(f"damaged: {fault}")
    rate = r.varint(MAX_RATE) if kind == "audio" else None
    if rate == 0:
        raise FormatError("damaged: the sample rate is 0")
    float_map = floats.read_map(r, values.part_type(dtype)) if floating else None
    value_map = values.ValueMap(r.signed(), r.varint(2**64 - 1), r.byte())
    if not values.fits(value_map, floats.integer_type(values.part_type(dtype)) if floating else dtype):
        raise FormatError("damaged: the value map does not fit the sample type")
    read = r.take(SHORT_DIGEST if r.left == SHORT_DIGEST else DIGEST)
    r.end()
    lossy, by_tiles = bool(profile & LOSSY), bool(profile & BY_TILES)
    if lossy and by_tiles:
        raise FormatError("damaged: it has no tiles, and a digest of their digests")
    number = profile & ~(LOSSY | BY_TILES)
    return Header(number, kind, dtype, bit_depth, shape, rate, value_map, read, lossy, float_map, by_tiles, bfloat16)


def write_metadata(metadata: Mapping[str, bytes]) -> bytes:
    """The content of section meta."""
    plain = b"".join(varint(len(k)) + k + varint(len(v)) + v for k, v in ((k.encode(), bytes(v)) for k, v in metadata.items()))
    return varint(len(plain)) + compress(plain)


def read_metadata(content: bytes, limits: Limits) -> dict[str, bytes]:
    """Parse section meta. Raises FormatError; LimitError: it takes more memory than the limits allow."""
    r = Reader(content, "the metadata")
    size = r.varint(MAX_METADATA)
    limits.check_memory(2 * size)  # decompressed in parts, which are joined
    items = Reader(decompress(r.rest(), size, "the metadata"), "the metadata")
    metadata: dict[str, bytes] = {}
    try:
        while items.left:
            limits.check_memory(2 * size + ENTRY * len(metadata))
            key = items.take(items.varint())
            try:
                name = key.decode()
            except UnicodeDecodeError as fault:
                raise FormatError("damaged: a metadata key is not UTF-8") from fault
            if name in metadata:
                raise FormatError("damaged: a metadata key is there twice")
            metadata[name] = items.take(items.varint())
    except FormatError as fault:  # who handles it shall not hold what was decompressed, as frames of a traceback do
        traceback.clear_frames(fault.__traceback__)
        del items, metadata
        raise
    return metadata
