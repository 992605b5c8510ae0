"""A decoder of .linr files in plain Python and NumPy, written from SPEC.md alone; the parts follow its sections.

It is meant to be read beside the specification, and to check other decoders: it is exact, but slow. The coordinate network (6, 9, 17) is in
linr_network.py, networks from priors (19) in linr_prior.py, the profile hybrid in linr_hybrid.py (10 to 15), linr_sound.py (16) and
linr_bricks.py (21), what floats add (2, 4, 17) in linr_floats.py.

    python linr.py IN.linr OUT.npy [--more-bits N]
    python linr.py --network-only IN.linr OUT.npy [--size AxB] [--more-bits N] [--configuration LAYERSxUNITS]
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import itertools
import math
import os
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import brotli
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


class Invalid(ValueError):
    """The bytes are not a valid .linr file of version 1."""


class NoSamples(ValueError):
    """The file is valid but lossy: it has a network and no samples."""


def invalid(why: str) -> NoReturn:
    raise Invalid(why)


def require(condition: bool, why: str) -> None:
    if not condition:
        invalid(why)


class Reader:
    """Numbers and bytes from the beginning of `data` to its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        require(count <= len(self.data) - self.position, "the data end early")
        self.position += count
        return self.data[self.position - count : self.position]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = 0
        for group in range(10):
            byte = self.byte()
            value |= (byte & 127) << (7 * group)
            if byte < 128:
                return value
        invalid("a varint has more than 10 bytes")

    def signed(self) -> int:
        z = self.varint()
        return -((z + 1) // 2) if z & 1 else z // 2

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.position)

    def finish(self) -> None:
        require(self.position == len(self.data), "bytes are left over")


def shortest_varint(number: int) -> bytes:
    groups = [number >> i & 127 for i in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def unbrotli(stream: bytes, size: int) -> bytes:
    """The content of a Brotli stream that must have `size` bytes and fill `stream`."""
    try:
        content: bytes = brotli.decompress(stream)
    except brotli.error as error:
        raise Invalid("a damaged Brotli stream") from error
    require(len(content) == size, "a Brotli stream of another length than it should have")
    return content


# 1. Sections

MAGIC = b"\x89LINR\r\n\x1a\n"
ONCE = {b"HEAD", b"meta", b"NETW", b"HYBR", b"TIDX"}


COMPACT = b"\x89LI\n"
IMAGE, AUDIO, ARRAY = range(3)
# of each type of a compact file: kind, code of the sample type, bit depth, varints of the shape, channels
TYPES = (
    (IMAGE, 0, 1, 2, 0),
    *((IMAGE, 1, depth, 2, 0) for depth in (2, 4, 8)),
    *((IMAGE, 1, 8, 2, channels) for channels in (2, 3, 4)),
    *((IMAGE, 5, 16, 2, channels) for channels in (0, 2, 3, 4)),
    (AUDIO, 6, 16, 1, 0),
    (AUDIO, 6, 16, 1, 2),
    (ARRAY, 1, 8, 1, 0),
    (ARRAY, 5, 16, 1, 0),
)


def compact_header(reader: Reader, form: int) -> bytes:
    """HEAD between the profile and the digest."""
    if form & 15 == 15:
        require(not form & 16, "a compact file with a header and a value map")
        return reader.take(reader.varint())
    kind, sample_type, depth, axes, channels = TYPES[form & 15]
    numbers = [reader.varint() for _ in range(axes)] + [channels] * (channels > 0)
    head = bytes([kind, sample_type, depth, len(numbers)]) + b"".join(map(shortest_varint, numbers))
    if kind == AUDIO:
        head += shortest_varint(reader.varint())
    if not form & 16:
        return head + (shortest_varint(65535) if sample_type & 3 == SIGNED else bytes(1)) + bytes([1, depth])  # of −2^15
    return head + b"".join(shortest_varint(reader.varint()) for _ in range(2)) + reader.take(1)


def compact_sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each section of a compact file."""
    require(len(data) >= 8 and int.from_bytes(data[-4:], "little") == zlib.crc32(data[:-4]), "wrong CRC")
    reader = Reader(data[4:-4])
    form = reader.byte()
    profile = form >> 6
    require(profile in (0, 2), "an unknown compact form")
    head = bytes([profile]) + compact_header(reader, form) + reader.take(4)
    yield b"HEAD", head
    if form & 32:
        yield b"meta", reader.take(reader.varint())
    if profile:
        yield b"HYBR", reader.take(reader.varint())
    tile, told = reader.rest(), read_head(head)
    require(len(told.digest) == 4, "a compact file with more of its digest")
    yield b"TIDX", b"".join(map(shortest_varint, [*told.axes, len(tile)]))
    yield b"TILE", tile


def all_sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each section but the end."""
    if data.startswith(COMPACT):
        yield from compact_sections(data)
        return
    reader = Reader(data)
    require(reader.take(9) == MAGIC, "not a .linr file")
    require(reader.byte() == 1, "another version of the format")
    while True:
        kind = reader.take(4)
        content = reader.take(reader.varint())
        require(int.from_bytes(reader.take(4), "little") == zlib.crc32(kind + content), "wrong CRC")
        if kind == b"END!":
            require(not content, "an end with content")
            reader.finish()
            return
        require(kind.isalpha() and kind.isascii(), "a section type that is not made of letters")
        yield kind, content


def read_sections(data: bytes) -> tuple[dict[bytes, bytes], list[bytes]]:
    """The sections that may come once, by their type, and the tiles."""
    sections: dict[bytes, bytes] = {}
    tiles: list[bytes] = []
    for kind, content in all_sections(data):
        if kind == b"TILE":
            tiles.append(content)
        elif kind in ONCE:
            require(kind not in sections, "a section is there twice")
            sections[kind] = content
        else:
            require(kind[:1].islower(), "an unknown section that must be understood")  # prev (20) is skipped as any other
    return sections, tiles


def priors_in(folder: str) -> Path:
    """A folder of the package, or that in LINR_PRIORS."""
    given = os.environ.get("LINR_PRIORS")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "inrcodec" / folder


def prior_at(file: str, folder: str) -> bytes:
    """The prior in a file of this name."""
    path = priors_in(folder) / file
    require(path.is_file(), "a prior that is not here")
    return path.read_bytes()


def prior_file(name: bytes, folder: str) -> bytes:
    """The prior whose SHA-256 begins with `name`. (11, 19)"""
    of_files = (path.read_bytes() for path in sorted(priors_in(folder).glob("*.prior")))
    data = next((data for data in of_files if hashlib.sha256(data).digest()[:8] == name), b"")
    require(data != b"", "a prior that is not here")
    return data


# 2. HEAD

KINDS = ("image", "audio", "array", "stack")
MOST_CHANNELS = {"image": 64, "stack": 64, "audio": 8}
BOOL, UNSIGNED, SIGNED, FLOAT = range(4)


@dataclass
class Head:
    """What the signal is."""

    profile: int
    lossy: bool
    kind: str
    dtype: np.dtype[Any]
    bit_depth: int
    shape: tuple[int, ...]
    rate: int | None
    offset: int
    step: int
    bits: int
    digest: bytes
    low: int  # the least and the greatest number that the sample type can hold; of floats, the integers that stand for them
    high: int
    meaning: bytes  # what the digest is of, before the samples
    float_map: Any = None  # a FloatMap of linr_floats.py if the samples are floats
    by_tiles: bool = False  # whether the digest is made of the tiles' digests
    tile: tuple[int, ...] = ()  # the tile size, which TIDX has
    bfloat16: bool = False  # the samples are patterns of bits of bfloat16, of the type uint16

    @property
    def split(self) -> bool:
        """Whether tiles have fine bits."""
        return self.float_map is not None and self.float_map.way == 4

    @property
    def channel_axis(self) -> bool:
        return len(self.shape) == {"image": 3, "audio": 2, "array": 0, "stack": 4}[self.kind]

    @property
    def axes(self) -> tuple[int, ...]:
        """The sizes of the coordinate axes."""
        return self.shape[:-1] if self.channel_axis else self.shape

    @property
    def channels(self) -> int:
        return (self.shape[-1] if self.channel_axis else 1) * (2 if self.dtype.kind == "c" else 1)


def read_head(content: bytes) -> Head:
    reader = Reader(content)
    code = reader.byte()
    profile, by_tiles, lossy = code & 63, bool(code & 64), bool(code >> 7)
    require(profile <= 2, "an unknown profile")
    require(not (lossy and by_tiles), "a digest of tiles that are not there")
    require(not lossy or profile == 1, "a lossy file without a network")
    kind_code = reader.byte()
    require(kind_code <= 3, "an unknown kind")
    kind = KINDS[kind_code]

    code = reader.byte()
    require(code < 128, "unknown bits in the sample type")
    sort, width, big = code & 3, 1 << (code >> 2 & 3), bool(code >> 5 & 1)
    pairs, bfloat16 = bool(code >> 4 & 1), bool(code >> 6)
    require((sort != BOOL or width == 1) and not (width == 1 and (big or sort == FLOAT)), "a sample type that does not exist")
    require(not pairs or (sort == FLOAT and width >= 4), "complex numbers that do not exist")
    require(not bfloat16 or (sort == FLOAT and width == 2), "a bfloat16 that is none")
    type_bits = 1 if sort == BOOL else 8 * width
    low, high = (-(1 << (type_bits - 1)), (1 << (type_bits - 1)) - 1) if sort in (SIGNED, FLOAT) else (0, (1 << type_bits) - 1)
    name = "u2" if bfloat16 else f"c{2 * width}" if pairs else f"{'?uif'[sort]}{width}"
    dtype = np.dtype("?" if sort == BOOL else f"{'>' if big else '<'}{name}")

    bit_depth, most_bits = reader.byte(), type_bits * (2 if pairs else 1)
    require(1 <= bit_depth <= most_bits and (sort != FLOAT or bit_depth == most_bits), "the bit depth is out of range")
    dimensions = reader.byte()
    require(1 <= dimensions <= 4, "the number of dimensions is out of range")
    shape = tuple(reader.varint() for _ in range(dimensions))
    require(min(shape) >= 1 and math.prod(shape) <= 1 << 36, "the shape is out of range")
    rate = None
    if kind != "array":
        axes = {"image": 2, "stack": 3, "audio": 1}[kind]
        require(dimensions == axes or (dimensions == axes + 1 and shape[-1] <= MOST_CHANNELS[kind]), f"not the shape of kind {kind}")
    if kind == "audio":
        require(dtype.kind in "if", "a sound is signed")
        rate = reader.varint()
        require(1 <= rate < 1 << 32, "the sample rate is out of range")

    float_map = beside("linr_floats").read_map(reader, type_bits, bfloat16) if sort == FLOAT else None
    offset, step, bits = reader.signed(), reader.varint(), reader.byte()
    require(1 <= step < 1 << 64 and bits <= 64, "the value map is out of range")
    require(low <= offset <= high, "the offset is out of range")
    require(bits == 0 or low <= offset + (step << (bits - 1)) <= high, "the values exceed the sample type")
    require(bits > 0 or profile == 0, "a constant signal has the profile stored")
    digest = reader.take(4 if reader.position == len(content) - 4 else 32)
    meaning = content[1:5] + b"".join(shortest_varint(n) for n in [*shape, *([] if rate is None else [rate])])
    reader.finish()
    return Head(
        profile,
        lossy,
        kind,
        dtype,
        bit_depth,
        shape,
        rate,
        offset,
        step,
        bits,
        digest,
        low,
        high,
        meaning,
        float_map,
        by_tiles,
        bfloat16=bfloat16,
    )


def check_digest(head: Head, samples: npt.NDArray[Any]) -> None:
    """Compare samples, little-endian and in the shape of the file, with the digest, as far as it is there."""
    if head.by_tiles:
        sizes = b"".join(map(shortest_varint, head.tile))
        content = sizes + b"".join(hashlib.sha256(samples[span].tobytes()).digest() for span in spans_of(head))
    else:
        content = samples.tobytes()
    found = hashlib.sha256(head.meaning + content).digest()
    require(found[: len(head.digest)] == head.digest, "the samples do not match the digest")


def samples_of(head: Head, values: Words) -> npt.NDArray[Any]:
    """offset + step·value of all values, checked against the digest, which is of what HEAD says of them too."""
    if head.float_map is not None:
        floats = beside("linr_floats")
        return checked_floats(
            head, floats.floats_of(floats.integers_of(values, head.offset, head.step, head.float_map.width), head.float_map)
        )
    wrapped = np.uint64(head.offset % 2**64) + np.uint64(head.step % 2**64) * values  # modulo 2^64
    samples = wrapped.astype(head.dtype.newbyteorder("<")).reshape(head.shape)
    check_digest(head, samples)
    half = 1 << (head.bit_depth - 1)
    least, most = (-half, half - 1) if head.low < 0 else (0, 2 * half - 1)
    require(least <= int(samples.min()) and int(samples.max()) <= most, "the samples do not fit the bit depth")
    return samples.astype(head.dtype)


def checked_floats(head: Head, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Samples of a native type of floats, checked against the digest, in the shape, the type and the byte order of the file."""
    patterns = samples.view(f"u{samples.dtype.itemsize}")
    check_digest(head, patterns.astype(patterns.dtype.newbyteorder("<")))
    return typed_floats(head, samples)


def typed_floats(head: Head, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Samples of a native type of floats, (sizes…, channels), in the type and the byte order of the file; pairs become complex numbers."""
    patterns = samples.view(f"u{samples.dtype.itemsize}")
    typed: npt.NDArray[Any] = patterns.astype(patterns.dtype.newbyteorder(head.dtype.byteorder)).view(head.dtype)
    return typed.reshape(*samples.shape[:-1], *head.shape[len(head.axes) :])


# 3. meta


def read_metadata(content: bytes) -> dict[str, bytes]:
    reader = Reader(content)
    size = reader.varint()
    require(size <= 1 << 28, "the metadata are too long")
    items = Reader(unbrotli(reader.rest(), size))
    metadata: dict[str, bytes] = {}
    while items.position < size:
        try:
            key = items.take(items.varint()).decode()
        except UnicodeDecodeError as error:
            raise Invalid("a key of the metadata is not UTF-8") from error
        require(key not in metadata, "a key of the metadata is there twice")
        metadata[key] = items.take(items.varint())
    return metadata


# 4. TIDX

Span = tuple[slice, ...]


def read_index(content: bytes, head: Head, contents: Sequence[bytes]) -> list[bytes]:
    """The tiles in their order, from the contents of the sections; it gives `head` the tile size. A lossy file has no tiles."""
    reader = Reader(content)
    sizes = [reader.varint() for _ in head.axes]
    require(all(1 <= size <= axis for size, axis in zip(sizes, head.axes, strict=True)), "the tile size is out of range")
    head.tile = tuple(sizes)
    count = 0 if head.lossy else math.prod(-(-axis // size) for size, axis in zip(sizes, head.axes, strict=True))
    require(count == len(contents), "another number of tiles than the index has")
    lengths = [reader.varint() for _ in contents]
    order = list(range(count))
    if reader.position < len(content):
        order = [reader.varint() for _ in contents]
        require(sorted(order) == list(range(count)), "an order that does not name each tile once")
    reader.finish()
    of_number = dict(zip(order, contents, strict=True))
    tiles = [of_number[number] for number in range(count)]
    require(lengths == [len(tile) for tile in tiles], "a tile of another length than in the index")
    return tiles


def spans_of(head: Head) -> list[Span]:
    """The place of every tile along the coordinate axes."""
    cuts = [
        [slice(start, min(start + size, axis)) for start in range(0, axis, size)] for size, axis in zip(head.tile, head.axes, strict=True)
    ]
    return list(itertools.product(*cuts))


# 5. Tiles of the profile stored


def decode_stored(tile: bytes, places: int, channels: int, bits: int) -> Words:
    """The values of a tile, those of a place together."""
    count = places * channels
    reader = Reader(tile)
    mode, content = reader.byte(), reader.rest()
    values = np.zeros(count, np.uint64)
    if mode in (0, 3):
        size = -(-count * bits // 8)
        packed = content if mode == 0 else unbrotli(content, size)
        require(len(packed) == size, "a tile of another length than its values have")
        binary = np.unpackbits(np.frombuffer(packed, np.uint8))
        require(not binary[count * bits :].any(), "the bits that fill the last byte are not zero")
        for column in binary[: count * bits].reshape(count, bits).T:
            values = values << np.uint64(1) | column
    elif mode in (1, 2):
        width = -(-bits // 8)
        octets = np.frombuffer(unbrotli(content, count * width), np.uint8)
        if mode == 1:
            planes = octets.reshape(count, width).T
        else:
            planes = octets.reshape(width, channels, places).transpose(0, 2, 1).reshape(width, count)
        for i, plane in enumerate(planes):
            values |= plane.astype(np.uint64) << np.uint64(8 * i)
        require(int(values.max()) >> bits == 0, "a value has too many bits")
    else:
        invalid("an unknown mode")
    return values


# 6. NETW: the network: linr_network.py


# 6. Tables


def checked_table(entries: Iterable[float | Decimal], low: int, high: int, width: int, digest: str) -> Ints:
    """The entries, rounded and limited. No entry is near a half: floating point is good enough to make them, and the hash proves it.

    That of SIGMOID, whose entries have 48 bits, has 28 digits.
    """
    table = np.array([min(max(round(entry), low), high) for entry in entries], np.int64)
    if hashlib.sha256(table.astype(f"<i{width}").tobytes()).hexdigest() != digest:
        raise RuntimeError("the mathematics library of this machine is too inexact to compute the tables")
    return table


@cache
def sine_table() -> Ints:
    entries = (2**14 * math.sin(2 * math.pi * i / 2**16) for i in range(2**16))
    return checked_table(entries, -(2**14), 2**14, 2, "31cb492c38b916d41235fe23d11cda71470217e50e4fc4c45732ab988b85d8e9")


@cache
def gelu_table() -> Ints:
    arguments = (i / 2**12 - 8 for i in range(2**16))
    entries = (2**12 * x * math.erfc(-x / math.sqrt(2)) / 2 for x in arguments)
    return checked_table(entries, -(2**15), 2**15 - 1, 2, "3fc3d4847fe2f71a701c517908678c2fa53049d7e1ec997d80a0799715a97e01")


@cache
def gauss_table() -> Ints:
    entries = (2**14 * math.exp(-((i / 2**12 - 8) ** 2) / 2) for i in range(2**16))
    return checked_table(entries, 0, 2**14, 2, "94d4728751ac18ae278cccd953b25b19375c4c78421261c071b9a46682da092b")


@cache
def squash_table() -> Ints:
    entries = (2**16 / (1 + math.exp(-(i - 3072) / 2**8)) for i in range(6145))
    return checked_table(entries, 1, 2**16 - 1, 4, "0fba0ee59b1e8e54ae85a34f16014e415e47357996056107788898dddac23c39")


@cache
def sigmoid_table() -> Ints:
    entries = (2**48 / (1 + (Decimal(1024 - i) / 64).exp()) for i in range(2049))
    return checked_table(entries, 0, 2**48, 8, "2b921f08e417392812bad34d1e8f9ccb6d96734cecc21da3848f97aa46e2e8fd")


@cache
def exp2_table() -> Ints:
    entries = (2 ** (30 + i / 256) for i in range(257))
    return checked_table(entries, 0, 2**31, 8, "a78b7ce471df25af4c297d4047f969d40430cd63b5d7486fb9731c34d479855d")


@cache
def stretch_table() -> Ints:
    least = np.searchsorted(squash_table(), 16 * np.arange(2**12) + 8)  # j with SQUASH[j] at least so much
    return checked_table((least - 3072).tolist(), -3072, 3072, 2, "011c4f45e04c3e78a821d7c6379371f77a8125d064ccf52825e900524deb5964")


# 7. sinr: sparse matrices

UNIFORM, LSQ, TERNARY, SINR = range(4)


@dataclass
class Layer:
    """A layer of a network: its weights are `matrix`, in float64, where all sums of the products are exact."""

    outputs: int
    inputs: int
    takes_inputs: bool = False  # those of the network
    multiplier: int = 0
    shift: int = 0
    grain: int = 0
    bias: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    matrix: Floats = field(default_factory=lambda: np.zeros((0, 0)))


def vectors_of(layer: Layer) -> tuple[int, int]:
    """The number of vectors that the layer's matrix is cut into, and their length."""
    if layer.inputs >= 50:
        return layer.outputs, layer.inputs
    size = layer.outputs * layer.inputs
    count = -(-size // 2500)
    return count, -(-size // count)


def atom(j: int, length: int, seed: int, signs: bool = False) -> Ints:
    z = (np.arange(length, dtype=np.uint64) + np.uint64((j << 32) + 1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    h = z ^ z >> np.uint64(31)
    if signs:
        return 2 * (h & np.uint64(1)).astype(np.int64) - 1
    return np.bitwise_count(h).astype(np.int64) - 32


def read_sparse(reader: Reader, layers: Sequence[Layer], seed: int) -> None:
    """Read the matrices of `layers`."""
    form, value_bits = reader.byte(), reader.byte()
    require(form < 16 and form & 3 < 3 and 8 <= value_bits <= 16, "the form of sparse matrices is out of range")
    per_element, signs = 2 << (form & 3), bool(form & 4)
    non_zeros = []
    for layer in layers:
        s = reader.varint()
        require(s <= vectors_of(layer)[1], "a matrix with more non-zeros than it has rows")
        non_zeros.append(s)
    total = sum(vectors_of(layer)[0] * s for layer, s in zip(layers, non_zeros, strict=True))
    limit = 1 << (value_bits - 1)
    if form & 8:
        decoder = ArithmeticDecoder(reader.rest())
        halves, all_values = coded_integers(decoder, total), coded_integers(decoder, total)
        decoder.finish()
        all_gaps = np.where(halves < 0, -2 * halves - 1, 2 * halves)
    else:
        octets = np.frombuffer(unbrotli(reader.rest(), 4 * total), np.uint8).reshape(4, total).astype(np.int64)
        all_gaps, all_values = octets[0] + (octets[1] << 8), octets[2] + (octets[3] << 8) - limit
    require(bool((all_gaps >= 0).all()) and bool((all_gaps < 1 << 16).all()), "a gap that is out of range")
    require(bool((np.abs(all_values) < limit).all()), "a value that has too many bits")

    start = 0
    for layer, s in zip(layers, non_zeros, strict=True):
        count, length = vectors_of(layer)
        gaps = all_gaps[start : start + count * s].reshape(count, s)
        values = all_values[start : start + count * s].reshape(count, s)
        start += count * s
        atoms = np.cumsum(gaps + 1, axis=1) - 1
        require(bool((atoms < per_element * length).all()), "an atom that is not in the dictionary")
        used, index = np.unique(atoms, return_inverse=True)
        dictionary = np.zeros((len(used), length), np.int64)
        for row, j in zip(dictionary, used.tolist(), strict=True):
            row[:] = atom(j, length, seed, signs)
        coefficients = np.zeros((count, len(used)), np.int64)
        if s:
            np.put_along_axis(coefficients, index.reshape(count, s), values, axis=1)  # the atoms of a vector are different
        # Sums of at most k products, each below 2^15·2^5, are exact in float64.
        vectors = coefficients.astype(np.float64) @ dictionary.astype(np.float64)
        layer.matrix = vectors.reshape(-1)[: layer.outputs * layer.inputs].reshape(layer.outputs, layer.inputs)


# 8. Coded bits and integers


SPARED = 8  # at most so many bytes past the end of a string are read


class ArithmeticDecoder:
    """Bits of given probability from a string; past its end there are zeros. To be finished after the last bit."""

    def __init__(self, string: bytes) -> None:
        self.bytes = itertools.chain(string, itertools.repeat(0, SPARED))
        self.code = 0
        for _ in range(4):
            self.code = self.code << 8 | self.next()
        self.range = 2**32 - 1
        require(self.code < self.range, "a string that is not an arithmetic code")

    def bit(self, p: int) -> int:
        """The next bit; p / 2^16 is the probability of a 1."""
        bound = self.range * p >> 16
        if self.code < bound:
            self.range = bound
            bit = 1
        else:
            self.code -= bound
            self.range -= bound
            bit = 0
        while self.range < 1 << 24:
            self.range <<= 8
            self.code = self.code << 8 | self.next()  # it stays below the range
        return bit

    def uniform(self, count: int) -> int:
        """So many bits, all equally likely. (21.6)"""
        v = 0
        while count > 0:
            s = min(count, 8)
            count -= s
            self.range >>= s
            part = min(self.code // self.range, (1 << s) - 1)
            self.code -= part * self.range
            while self.range < 1 << 24:
                self.range <<= 8
                self.code = self.code << 8 | self.next()
            v = v << s | part
        return v

    def next(self) -> int:
        """The next byte."""
        byte = next(self.bytes, None)
        return byte if byte is not None else invalid("a string that ends early")

    def finish(self) -> None:
        """Check that all bytes of the string were read."""
        require(sum(1 for _ in self.bytes) <= SPARED, "a string with bytes that no bit needs")


class Adaptive:
    """An adaptive probability."""

    __slots__ = ("age", "estimate", "limit")

    def __init__(self, estimate: int, age: int, limit: int) -> None:
        self.estimate = estimate
        self.age = age
        self.limit = limit

    def update(self, bit: int) -> None:
        rate = 131072 // (2 * self.age + 3)
        if bit:
            self.estimate += (2**22 - self.estimate) * rate >> 16
        else:
            self.estimate -= self.estimate * rate >> 16
        if self.age < self.limit:
            self.age += 1

    @property
    def probability(self) -> int:
        return min(max(self.estimate >> 6, 1), 65535)

    def decode(self, decoder: ArithmeticDecoder) -> int:
        bit = decoder.bit(self.probability)
        self.update(bit)
        return bit


class Coder:
    """The adaptive probabilities of coded integers."""

    def __init__(self) -> None:
        self.unary: defaultdict[tuple[int, int], Adaptive] = defaultdict(lambda: Adaptive(2**21, 0, 255))
        self.mantissa: defaultdict[tuple[int, int, int], Adaptive] = defaultdict(lambda: Adaptive(2**21, 0, 255))

    def decode(self, decoder: ArithmeticDecoder, x: int) -> int:
        """The next number; x is its set."""
        length = 0
        while length < 32 and self.unary[x, length].decode(decoder):
            length += 1
        if length == 0:
            return 0
        negative = decoder.bit(32768)
        m = 1
        for i in range(length - 1):
            bit = self.mantissa[x, length, m].decode(decoder) if i < 2 else decoder.bit(32768)
            m = m << 1 | bit
        return -m if negative else m


def coded_integers(decoder: ArithmeticDecoder, count: int, *, width: int = 0, coder: Coder | None = None) -> Ints:
    """An array of coded integers, with rows if `width` is not 0; `coder` is given where its probabilities go on from another array."""
    coder = coder or Coder()
    numbers = [0] * count
    for i in range(count):
        before = abs(numbers[i - 1]) if width and i % width else 0
        above = abs(numbers[i - width]) if width and i >= width else 0
        numbers[i] = coder.decode(decoder, min((before + above).bit_length(), 7))
    return np.array(numbers, np.int64)


# 9. Tiles of the profile inr: linr_network.py


# 10 to 16, 21. The profile hybrid: linr_hybrid.py, linr_sound.py, linr_bricks.py, linr_turned.py


@cache
def beside(name: str) -> ModuleType:
    """A module that lies beside this file. It imports `linr`: this module, by whatever name it runs."""
    sys.modules["linr"] = sys.modules[__name__]
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for their module there
    spec.loader.exec_module(module)
    return module


def hybrid(plan: bytes) -> ModuleType:
    """The module that knows a plan of the profile: its first byte tells which."""
    pictures = beside("linr_hybrid")  # each imports those before it
    if plan[:1] == b"\5":
        return beside("linr_turned")
    if plan[:1] not in (b"\3", b"\4"):
        return pictures
    sound = beside("linr_sound")
    return sound if plan[:1] == b"\3" else beside("linr_bricks")


# The whole file


@dataclass
class File:
    """The sections of a file."""

    head: Head
    metadata: dict[str, bytes]
    tiles: list[bytes]
    spans: list[Span]
    module: Any  # what knows the profile; None: it is stored
    plan: Any  # a Network of linr_network.py, or a plan of the profile hybrid


def read_file(data: bytes) -> File:
    """Everything but what is in the tiles."""
    sections, tiles = read_sections(data)
    require(b"HEAD" in sections and b"TIDX" in sections, "a section is missing")
    head = read_head(sections[b"HEAD"])
    metadata = read_metadata(sections[b"meta"]) if b"meta" in sections else {}
    require((b"NETW" in sections) == (head.profile == 1), "a network is missing, or there without need")
    require((b"HYBR" in sections) == (head.profile == 2), "a plan is missing, or there without need")
    tiles = read_index(sections[b"TIDX"], head, tiles)
    spans = [] if head.lossy else spans_of(head)
    module, plan = None, None
    if head.profile == 1:
        module = beside("linr_network")
        plan = module.read_network(sections[b"NETW"], head)
    elif head.profile == 2:
        module = hybrid(sections[b"HYBR"])
        plan = module.read_plan(sections[b"HYBR"], head)
    return File(head, metadata, tiles, spans, module, plan)


def about(file: File, more_bits: int = 0) -> dict[str, Any]:
    """What a file says of its samples: kind, bit_depth, sample_rate (None if not audio), metadata, bfloat16 (only if they are)."""
    head = file.head
    found = {"kind": head.kind, "bit_depth": head.bit_depth + more_bits, "sample_rate": head.rate, "metadata": file.metadata}
    return found | ({"bfloat16": True} if head.bfloat16 else {})


def decode(data: bytes) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """The samples of a file, and what else it says of them."""
    file = read_file(data)
    head = file.head
    if head.lossy:
        raise NoSamples("the file is lossy: it has no samples, only a network that was fitted to them (--network-only gives what it says)")
    values = np.zeros((*head.axes, head.channels), np.uint64)
    fine: list[bytes] = []
    for tile, span in zip(file.tiles, file.spans, strict=True):
        if head.split:
            tile, own = beside("linr_floats").divided(tile, values[span].size, head.float_map.width)
            fine.append(own)
        if head.bits == 0:
            require(not tile, "a tile of a constant signal has content")
            continue
        shape = values[span].shape
        if file.module is not None:
            of_tile = file.module.decode_tile(tile, span, head, file.plan)
        else:
            of_tile = decode_stored(tile, math.prod(shape[:-1]), head.channels, head.bits)
        values[span] = of_tile.reshape(shape)
    if head.split:
        return split_samples(file, values, fine), about(file)
    return samples_of(head, values), about(file)


def split_samples(file: File, values: Words, fine: Sequence[bytes]) -> npt.NDArray[Any]:
    """The floats of these values and the fine bits of each tile."""
    floats, head = beside("linr_floats"), file.head
    integers = floats.integers_of(values, head.offset, head.step, head.float_map.width)
    samples = np.zeros(values.shape, head.float_map.dtype)
    for own, span in zip(fine, file.spans, strict=True):
        samples[span] = floats.with_fine_bits(integers[span].reshape(-1), head.float_map, own).reshape(samples[span].shape)
    return checked_floats(head, samples)


def network_only(
    data: bytes, size: Sequence[int] = (), more_bits: int = 0, configuration: tuple[int, int] | None = None
) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """What the network of a file says its samples are (17), and what else the file says of them.

    `size` is that of the coordinate axes, if another than the signal's; `configuration` is (layers, units). A ValueError says what this
    network cannot give.
    """
    file = with_network(data)
    values = file.module.network_values(file.plan, size, more_bits, configuration)
    return file.module.samples_of_network(file.head, values, more_bits), about(file, more_bits)


def deeper(data: bytes, more_bits: int) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """The samples of a file with more bits below theirs, as its network says (17), and what else the file says of them."""
    samples, _ = decode(data)
    file = with_network(data)
    values = file.module.network_values(file.plan, (), more_bits)
    return file.module.samples_of_network(file.head, values, more_bits, samples), about(file, more_bits)


def with_network(data: bytes) -> File:
    file = read_file(data)
    if file.head.profile != 1:
        raise ValueError("only files of the profile inr have a network that gives samples")
    return file


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("x"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Decode a .linr file.")
    parser.add_argument("source", metavar="IN.linr", type=Path)
    parser.add_argument("target", metavar="OUT.npy", type=Path)
    parser.add_argument("--network-only", action="store_true", help="what the network of the profile inr says the samples are")
    parser.add_argument("--size", metavar="AxB", type=numbers, default=(), help="with --network-only: places along each coordinate axis")
    parser.add_argument(
        "--more-bits", metavar="N", type=int, default=0, help="so many bits below those of the samples, as the network says"
    )
    parser.add_argument("--configuration", metavar="LAYERSxUNITS", type=numbers, help="with --network-only: a part of the network")
    options = parser.parse_args()
    if (options.size or options.configuration) and not options.network_only:
        parser.error("--size and --configuration need --network-only")
    try:
        data = options.source.read_bytes()
        if options.network_only:
            samples, _ = network_only(data, options.size, options.more_bits, options.configuration)
        else:
            samples, _ = deeper(data, options.more_bits) if options.more_bits else decode(data)
    except ValueError as error:  # Invalid and NoSamples are
        print(f"{options.source}: {error}", file=sys.stderr)
        return 1
    np.save(options.target, samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
