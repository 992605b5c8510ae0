"""Signal ↔ `.linr` bytes: the header, metadata and tile index around what a profile codes, and the checks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import container, planes, profiles
from .compression import compress, decompress
from .container import Reader, Section, varint, zigzag
from .errors import FormatError, InrcodecError
from .layout import Layout, split
from .options import Options
from .signal import IMAGE_CHANNELS, KINDS, MAX_AUDIO_CHANNELS, MAX_DIMENSIONS, MAX_RATE, Kind, Signal

HEAD, META, INDEX, TILE = b"HEAD", b"meta", b"TIDX", b"TILE"
KNOWN = {HEAD, META, INDEX, TILE, b"NETW"}

SAMPLE_TYPES = "bui"
BIG_ENDIAN = 0x20
MAX_SAMPLES = 1 << 40
MAX_METADATA = 1 << 28


def digest(samples: npt.NDArray[Any]) -> bytes:
    """SHA-256 of the samples, little-endian, the last axis fastest; bool as one byte each."""
    plain = np.ascontiguousarray(samples, samples.dtype.newbyteorder("<"))
    return hashlib.sha256(plain.reshape(-1).view(np.uint8).data).digest()


# --- header -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Header:
    """What section HEAD says."""

    profile: int
    kind: Kind
    dtype: np.dtype[Any]
    bit_depth: int
    shape: tuple[int, ...]
    sample_rate: int | None
    value_map: planes.ValueMap
    digest: bytes

    @property
    def channel_axis(self) -> bool:
        return (self.kind == "image" and len(self.shape) == 3) or (self.kind == "audio" and len(self.shape) == 2)

    @property
    def raw_bytes(self) -> int:
        return (math.prod(self.shape) * self.bit_depth + 7) // 8


def _dtype_byte(dtype: np.dtype[Any]) -> int:
    """Kind in bits 0–1 (bool, unsigned, signed), log2 of the size in bits 2–3, big-endian in bit 5."""
    big = dtype.itemsize > 1 and dtype.newbyteorder("=") != dtype.newbyteorder(">") and dtype == dtype.newbyteorder(">")
    return SAMPLE_TYPES.index(dtype.kind) | (dtype.itemsize.bit_length() - 1) << 2 | (BIG_ENDIAN if big else 0)


def _dtype_of(byte: int) -> np.dtype[Any]:
    kind, size, big = byte & 3, 1 << (byte >> 2 & 3), bool(byte & BIG_ENDIAN)
    if byte & ~0x2F or kind > 2 or (kind == 0 and size > 1) or (big and size == 1):
        raise FormatError("damaged: unknown sample type")
    return np.dtype(f"{'>' if big else '<'}{SAMPLE_TYPES[kind]}{size}").newbyteorder(">" if big else "=")


def _write_header(header: Header) -> bytes:
    m = header.value_map
    rate = varint(header.sample_rate) if header.sample_rate is not None else b""
    return b"".join(
        [
            bytes([header.profile, KINDS.index(header.kind), _dtype_byte(header.dtype), header.bit_depth, len(header.shape)]),
            *[varint(n) for n in header.shape],
            rate,
            varint(zigzag(m.offset)),
            varint(m.step),
            bytes([m.bits]),
            header.digest,
        ]
    )


def _read_header(content: bytes) -> Header:
    r = Reader(content, "the header")
    profile, kind_number, dtype, bit_depth, ndim = r.byte(), r.byte(), _dtype_of(r.byte()), r.byte(), r.byte()
    if kind_number >= len(KINDS):
        raise FormatError("damaged: unknown kind of signal")
    kind = KINDS[kind_number]
    if not 1 <= ndim <= MAX_DIMENSIONS:
        raise FormatError("damaged: the number of dimensions is out of range")
    shape = tuple(r.varint(MAX_SAMPLES) for _ in range(ndim))
    if not 1 <= math.prod(shape) <= MAX_SAMPLES:
        raise FormatError("damaged: the shape is out of range")
    if not 1 <= bit_depth <= (1 if dtype.kind == "b" else 8 * dtype.itemsize):
        raise FormatError("damaged: the bit depth is out of range")
    if kind == "image" and not ((ndim == 2 or (ndim == 3 and shape[2] in IMAGE_CHANNELS)) and dtype.kind != "i"):
        raise FormatError("damaged: the shape or type is not that of an image")
    if kind == "audio" and not ((ndim == 1 or (ndim == 2 and shape[1] <= MAX_AUDIO_CHANNELS)) and dtype.kind == "i"):
        raise FormatError("damaged: the shape or type is not that of a sound")
    rate = r.varint(MAX_RATE) if kind == "audio" else None
    if rate == 0:
        raise FormatError("damaged: the sample rate is 0")
    value_map = planes.ValueMap(r.signed(), r.varint(2**64 - 1), r.byte())
    if not planes.fits(value_map, dtype):
        raise FormatError("damaged: the value map does not fit the sample type")
    found = Header(profile, kind, dtype, bit_depth, shape, rate, value_map, r.take(32))
    r.end()
    return found


# --- metadata -----------------------------------------------------------------------------------------------------


def _write_metadata(metadata: Mapping[str, bytes]) -> list[Section]:
    if not metadata:
        return []
    plain = b"".join(varint(len(k)) + k + varint(len(v)) + v for k, v in ((k.encode(), bytes(v)) for k, v in metadata.items()))
    return [Section(META, varint(len(plain)) + compress(plain))]


def _read_metadata(content: bytes) -> dict[str, bytes]:
    r = Reader(content, "the metadata")
    size = r.varint(MAX_METADATA)
    items = Reader(decompress(r.rest(), size, "the metadata"), "the metadata")
    metadata: dict[str, bytes] = {}
    while items.left:
        key = items.take(items.varint())
        try:
            name = key.decode()
        except UnicodeDecodeError as fault:
            raise FormatError("damaged: a metadata key is not UTF-8") from fault
        metadata[name] = items.take(items.varint())
    return metadata


# --- tile index ---------------------------------------------------------------------------------------------------


def _write_index(coded: profiles.Coded) -> bytes:
    return b"".join(varint(n) for n in [*coded.layout.tile, *(len(t) for t in coded.tiles)])


def _read_index(content: bytes, header: Header, tiles: list[bytes]) -> Layout:
    r = Reader(content, "the tile index")
    axes, channels = split(header.shape, header.channel_axis)
    tile = tuple(r.varint(n) for n in axes)
    if 0 in tile:
        raise FormatError("damaged: a tile is empty")
    layout = Layout(axes, channels, tile)
    if layout.tiles != len(tiles):
        raise FormatError(f"damaged: it has {len(tiles)} tiles and should have {layout.tiles}")
    if any(r.varint() != len(t) for t in tiles):
        raise FormatError("damaged: a tile's size is not the one in the index")
    r.end()
    return layout


# --- the whole file -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A parsed file, its samples not yet decoded."""

    header: Header
    layout: Layout
    metadata: dict[str, bytes]
    sections: list[Section]
    tiles: list[bytes]
    decoder: profiles.TileDecoder

    def samples(self, threads: int = 0) -> npt.NDArray[Any]:
        """All samples. Raises FormatError if they do not match the digest."""
        values = np.empty((*self.layout.axes, self.layout.channels), np.uint64)

        def decode_tile(index: int) -> None:
            box = self.layout.box(index)
            values[box] = self.decoder.decode_tile(box, self.tiles[index])

        with ThreadPoolExecutor(Options(threads=threads).workers) as pool:
            list(pool.map(decode_tile, range(self.layout.tiles)))
        samples = planes.from_values(values, self.header.value_map, self.header.dtype).reshape(self.header.shape)
        if digest(samples) != self.header.digest:
            raise FormatError("damaged: the decoded samples do not match their digest")
        return samples


def open_bytes(data: bytes) -> Opened:
    """Parse and validate a .linr file without decoding its samples. Raises FormatError."""
    sections = container.read(data)
    single: dict[bytes, bytes] = {}
    tiles: list[bytes] = []
    for section in sections:
        if section.type == TILE:
            tiles.append(section.content)
        elif section.type in KNOWN:
            if section.type in single:
                raise FormatError(f"damaged: section {section.type.decode()} is there twice")
            single[section.type] = section.content
        elif section.required:
            raise FormatError(f"it needs section {section.type.decode()}, which this version does not know")
    if HEAD not in single or INDEX not in single:
        raise FormatError("damaged: it lacks its header or tile index")
    header = _read_header(single[HEAD])
    layout = _read_index(single[INDEX], header, tiles)
    metadata = _read_metadata(single[META]) if META in single else {}
    decoder = profiles.opener(header.profile)(single, layout, header.value_map.bits)
    return Opened(header, layout, metadata, sections, tiles, decoder)


def _code(values: planes.Values, bits: int, raw_bytes: int, options: Options) -> profiles.Coded:
    """What the chosen profile makes of the values; `auto` takes the smallest."""
    from .profiles import stored

    if bits == 0:
        return stored.encode(values, bits, options)
    if options.profile == "inr":
        from .profiles import inr

        return inr.encode(values, bits, options)
    floor = stored.encode(values, bits, options)
    if options.profile == "stored":
        return floor
    from .profiles import inr

    coded = inr.encode_if_smaller(values, bits, options, floor.size)
    return coded if coded is not None and coded.size < floor.size else floor


def encode(signal: Signal, options: Options) -> bytes:
    """The .linr file of a signal.

    Raises:
        InrcodecError: the file decodes to something else (with options.verify): it is never returned then.
    """
    samples = signal.samples
    values, value_map = planes.to_values(samples)
    axes, channels = split(samples.shape, signal.channel_axis)
    coded = _code(values.reshape(*axes, channels), value_map.bits, signal.raw_bytes, options)
    header = Header(
        profiles.NUMBERS[coded.profile],
        signal.kind,
        samples.dtype,
        signal.bit_depth,
        samples.shape,
        signal.sample_rate,
        value_map,
        digest(samples),
    )
    data = container.write(
        [
            Section(HEAD, _write_header(header)),
            *_write_metadata(signal.metadata),
            *coded.sections,
            Section(INDEX, _write_index(coded)),
            *(Section(TILE, t) for t in coded.tiles),
        ]
    )
    if options.verify and not decode(data, options.threads).equals(signal):
        raise InrcodecError("verification failed: the encoded file does not decode to the original; please report this")
    return data


def decode(data: bytes, threads: int = 0) -> Signal:
    """The signal in a .linr file.

    Raises:
        FormatError: the bytes are not a .linr file, or are damaged.
    """
    opened = open_bytes(data)
    h = opened.header
    try:
        samples = opened.samples(threads)
    except MemoryError as fault:
        raise FormatError(f"not enough memory for its {math.prod(h.shape)} samples") from fault
    return Signal(samples, h.kind, h.bit_depth, h.sample_rate, opened.metadata)


def info(data: bytes) -> dict[str, Any]:
    """What a .linr file holds and where its bytes go, without decoding its samples. Raises FormatError."""
    opened = open_bytes(data)
    h = opened.header
    by_type: dict[bytes, int] = {}
    for section in opened.sections:
        by_type[section.type] = by_type.get(section.type, 0) + section.size
    sizes = {"metadata": by_type.get(META, 0), "weights": by_type.get(b"NETW", 0), "payload": by_type.get(TILE, 0)}
    per, count = ("bits_per_pixel", opened.layout.places) if h.kind == "image" else ("bits_per_sample", math.prod(h.shape))
    model = dict(opened.decoder.describe())
    return {
        "profile": profiles.NAMES[h.profile],
        "kind": h.kind,
        "shape": list(h.shape),
        "dtype": h.dtype.str if h.dtype.byteorder == ">" else h.dtype.name,
        "bit_depth": h.bit_depth,
        "sample_rate": h.sample_rate,
        "raw_bytes": h.raw_bytes,
        "file_bytes": len(data),
        per: 8 * len(data) / count,
        "bytes": {"header": len(data) - sum(sizes.values()), **sizes},
        "value_map": {"offset": h.value_map.offset, "step": h.value_map.step, "bits": h.value_map.bits},
        "tiles": {"shape": list(opened.layout.tile), "count": opened.layout.tiles},
        "weights": model.pop("weights", None),
        **({"network": model} if model else {}),
        "metadata": {k: len(v) for k, v in opened.metadata.items()},
        "digest": h.digest.hex(),
    }
