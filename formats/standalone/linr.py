"""A decoder of .linr files in plain Python and NumPy, written from SPEC.md alone; the parts follow its sections.

It is meant to be read beside the specification, and to check other decoders: it is exact, but slow.

    python linr.py IN.linr OUT.npy
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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


def read_sections(data: bytes) -> tuple[dict[bytes, bytes], list[bytes]]:
    """The sections that may come once, by their type, and the tiles."""
    reader = Reader(data)
    require(reader.take(9) == MAGIC, "not a .linr file")
    require(reader.byte() == 1, "another version of the format")
    sections: dict[bytes, bytes] = {}
    tiles: list[bytes] = []
    while True:
        kind = reader.take(4)
        content = reader.take(reader.varint())
        require(int.from_bytes(reader.take(4), "little") == zlib.crc32(kind + content), "wrong CRC")
        if kind == b"END!":
            require(not content, "an end with content")
            reader.finish()
            return sections, tiles
        require(kind.isalpha() and kind.isascii(), "a section type that is not made of letters")
        if kind == b"TILE":
            tiles.append(content)
        elif kind in ONCE:
            require(kind not in sections, "a section is there twice")
            sections[kind] = content
        else:
            require(kind[:1].islower(), "an unknown section that must be understood")


# 2. HEAD

KINDS = ("image", "audio", "array")
BOOL, UNSIGNED, SIGNED = range(3)


@dataclass
class Head:
    """What the signal is."""

    profile: int
    kind: str
    dtype: np.dtype[Any]
    bit_depth: int
    shape: tuple[int, ...]
    rate: int | None
    offset: int
    step: int
    bits: int
    digest: bytes
    low: int  # the least and the greatest number that the sample type can hold
    high: int
    meaning: bytes  # what the digest is of, before the samples

    @property
    def channel_axis(self) -> bool:
        return len(self.shape) == {"image": 3, "audio": 2, "array": 0}[self.kind]

    @property
    def axes(self) -> tuple[int, ...]:
        """The sizes of the coordinate axes."""
        return self.shape[:-1] if self.channel_axis else self.shape

    @property
    def channels(self) -> int:
        return self.shape[-1] if self.channel_axis else 1


def read_head(content: bytes) -> Head:
    reader = Reader(content)
    profile = reader.byte()
    require(profile <= 2, "an unknown profile")
    kind_code = reader.byte()
    require(kind_code <= 2, "an unknown kind")
    kind = KINDS[kind_code]

    code = reader.byte()
    require(code & ~0b101111 == 0, "unknown bits in the sample type")
    sort, width, big = code & 3, 1 << (code >> 2 & 3), bool(code >> 5)
    require(sort <= 2, "an unknown sample type")
    require((sort != BOOL or width == 1) and not (big and width == 1), "a sample type that does not exist")
    type_bits = 1 if sort == BOOL else 8 * width
    low, high = (-(1 << (type_bits - 1)), (1 << (type_bits - 1)) - 1) if sort == SIGNED else (0, (1 << type_bits) - 1)
    dtype = np.dtype(("?", f"{'>' if big else '<'}u{width}", f"{'>' if big else '<'}i{width}")[sort])

    bit_depth = reader.byte()
    require(1 <= bit_depth <= type_bits, "the bit depth is out of range")
    dimensions = reader.byte()
    require(1 <= dimensions <= 4, "the number of dimensions is out of range")
    shape = tuple(reader.varint() for _ in range(dimensions))
    require(min(shape) >= 1 and math.prod(shape) <= 1 << 36, "the shape is out of range")
    rate = None
    if kind == "image":
        require(dimensions == 2 or (dimensions == 3 and 1 <= shape[2] <= 4), "not the shape of an image")
        require(sort != SIGNED, "an image is not signed")
    elif kind == "audio":
        require(dimensions == 1 or (dimensions == 2 and shape[1] <= 8), "not the shape of a sound")
        require(sort == SIGNED, "a sound is signed")
        rate = reader.varint()
        require(1 <= rate < 1 << 32, "the sample rate is out of range")

    offset, step, bits = reader.signed(), reader.varint(), reader.byte()
    require(1 <= step < 1 << 64 and bits <= 64, "the value map is out of range")
    require(low <= offset <= high, "the offset is out of range")
    require(bits == 0 or low <= offset + (step << (bits - 1)) <= high, "the values exceed the sample type")
    require(bits > 0 or profile == 0, "a constant signal has the profile stored")
    digest = reader.take(32)
    meaning = content[1:5] + b"".join(shortest_varint(n) for n in [*shape, *([] if rate is None else [rate])])
    reader.finish()
    return Head(profile, kind, dtype, bit_depth, shape, rate, offset, step, bits, digest, low, high, meaning)


def samples_of(head: Head, values: Words) -> npt.NDArray[Any]:
    """offset + step·value of all values, checked against the digest, which is of what HEAD says of them too."""
    wrapped = np.uint64(head.offset % 2**64) + np.uint64(head.step % 2**64) * values  # modulo 2^64
    samples = wrapped.astype(head.dtype.newbyteorder("<")).reshape(head.shape)
    require(hashlib.sha256(head.meaning + samples.tobytes()).digest() == head.digest, "the samples do not match the digest")
    half = 1 << (head.bit_depth - 1)
    least, most = (-half, half - 1) if head.low < 0 else (0, 2 * half - 1)
    require(least <= int(samples.min()) and int(samples.max()) <= most, "the samples do not fit the bit depth")
    return samples.astype(head.dtype)


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


def read_index(content: bytes, head: Head, tiles: Sequence[bytes]) -> list[Span]:
    """The place of every tile along the coordinate axes; the lengths are compared with those of the tiles."""
    reader = Reader(content)
    sizes = [reader.varint() for _ in head.axes]
    require(all(1 <= size <= axis for size, axis in zip(sizes, head.axes, strict=True)), "the tile size is out of range")
    count = math.prod(-(-axis // size) for size, axis in zip(sizes, head.axes, strict=True))
    require(count == len(tiles), "another number of tiles than the index has")
    require(all(reader.varint() == len(tile) for tile in tiles), "a tile of another length than in the index")
    reader.finish()
    cuts = [[slice(start, min(start + size, axis)) for start in range(0, axis, size)] for size, axis in zip(sizes, head.axes, strict=True)]
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


# 6. NETW: the network

UNIFORM, LSQ, TERNARY, SINR = range(4)


@dataclass
class Layer:
    """A layer of a network: its weights are `matrix`, in float64, where all sums of the products are exact."""

    outputs: int
    inputs: int
    multiplier: int = 0
    shift: int = 0
    bias: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    matrix: Floats = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass
class Network:
    """All networks of a file, with what is needed to evaluate them."""

    sine: bool
    bit_coordinate: bool
    gray: bool
    octaves: int
    networks: list[list[Layer]]  # one, or one per plane of a channel
    gains: list[int]
    channels: int
    bits: int

    @property
    def planes(self) -> int:
        return self.channels * self.bits


def read_network(content: bytes, head: Head) -> Network:
    reader = Reader(content)
    flags = reader.byte()
    require(flags < 16 and flags & 6 != 6, "unknown flags of the network")
    sine, bit_coordinate, per_plane, gray = (bool(flags & flag) for flag in (1, 2, 4, 8))
    hidden, depth, octaves = reader.varint(), reader.varint(), reader.varint()
    require(1 <= hidden <= 8192 and 1 <= depth <= 32 and octaves <= 24, "the size of the network is out of range")
    coding, setting = reader.byte(), reader.byte()
    require(coding <= SINR, "an unknown coding of weights")

    planes = head.channels * head.bits
    inputs = (len(head.axes) + bit_coordinate) * (1 + 2 * octaves)
    outputs = head.channels if bit_coordinate or per_plane else planes
    widths = [inputs, *[hidden] * depth, outputs]
    count = head.bits if per_plane else 1
    require(count * sum((i + 1) * o for i, o in itertools.pairwise(widths)) <= 1 << 24, "the network has too many parameters")
    networks = [[Layer(o, i) for i, o in itertools.pairwise(widths)] for _ in range(count)]
    layers = [layer for network in networks for layer in network]

    for layer in layers:
        layer.multiplier, layer.shift = reader.varint(), reader.byte()
        require(layer.multiplier < 1 << 31 and layer.shift <= 62, "the scale of a layer is out of range")
    gains = [gain(reader.byte()) for _ in range(planes)]

    sparse = [layer for network in networks for layer in network[octaves == 0 :]] if coding == SINR else []
    numbers = ArithmeticDecoder(reader.take(reader.varint()))
    for layer in layers:
        layer.bias = coded_integers(numbers, layer.outputs)
    for layer in layers:
        if not any(layer is other for other in sparse):
            weights = coded_integers(numbers, layer.outputs * layer.inputs)
            layer.matrix = weights.astype(np.float64).reshape(layer.outputs, layer.inputs)
    if coding == SINR:
        read_sparse(Reader(reader.rest()), sparse, setting)
    reader.finish()
    numbers.finish()

    for network in networks:
        for layer in network:
            check_exact(layer, (24 if octaves == 0 else 14) if layer is network[0] else (14 if sine else 15))
    return Network(sine, bit_coordinate, gray, octaves, networks, gains, head.channels, head.bits)


def check_exact(layer: Layer, input_bits: int) -> None:
    """Every sum of the layer must be exact in float64, every product in 63 bits."""
    magnitude = np.abs(layer.matrix)
    require(magnitude.max() <= 1 << 30 and np.abs(layer.bias).max() <= 1 << 31, "a weight or bias is too large")
    total = int(magnitude.sum(axis=1).max()) << input_bits
    require(total < 1 << 53 and total * layer.multiplier < 1 << 62, "the sums of a layer are not exact")


# 6. Evaluation


def coordinate(i: int, n: int) -> int:
    """The coordinate of place i on an axis of n places. In Python's integers: the product may have more than 64 bits."""
    return ((2 * i - (n - 1)) << 24) // (n - 1) if n > 1 else 0


def network_inputs(coordinates: Ints, octaves: int) -> Ints:
    if octaves == 0:
        return coordinates
    columns = []
    for c in coordinates.T:
        columns.append(c >> 10)
        for k in range(octaves):
            p = c << k >> 9
            columns += [sine_table()[p % 2**16], sine_table()[(p + 2**14) % 2**16]]
    return np.stack(columns, axis=1)


def outputs_of(network: Sequence[Layer], x: Ints, sine: bool) -> Ints:
    """The last layer's outputs; x has a row per place."""
    for layer in network:
        sums = (x.astype(np.float64) @ layer.matrix.T).astype(np.int64)
        z = (sums * layer.multiplier >> layer.shift) + layer.bias
        if layer is network[-1]:
            break
        x = sine_table()[z % 2**16] if sine else gelu_table()[np.clip(z + 2**15, 0, 2**16 - 1)]
    limited: Ints = np.clip(z, -(2**20), 2**20)
    return limited


def logits(net: Network, coordinates: Ints) -> Ints:
    """The logits of all planes, a row per place."""
    if net.bit_coordinate:
        of_bits = np.array([coordinate(b, net.bits) for b in range(net.bits)], np.int64)
        rows = np.repeat(coordinates, net.bits, axis=0)
        coordinates = np.column_stack([rows, np.tile(of_bits, len(coordinates))])
    x = network_inputs(coordinates, net.octaves)
    outputs = np.stack([outputs_of(network, x, net.sine) for network in net.networks], axis=1)  # row, network, output
    if net.bit_coordinate:  # place, b, channel → place, channel, b
        return outputs.reshape(-1, net.bits, net.channels).transpose(0, 2, 1).reshape(-1, net.planes)
    if len(net.networks) > 1:
        return outputs.transpose(0, 2, 1).reshape(-1, net.planes)
    return outputs.reshape(-1, net.planes)


# 6. Tables


def checked_table(entries: Iterator[float], low: int, high: int, width: int, digest: str) -> Ints:
    """The entries, rounded and limited. No entry is near a half: floating point is good enough to make them, and the hash proves it."""
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
def squash_table() -> Ints:
    entries = (2**16 / (1 + math.exp(-(i - 3072) / 2**8)) for i in range(6145))
    return checked_table(entries, 1, 2**16 - 1, 4, "0fba0ee59b1e8e54ae85a34f16014e415e47357996056107788898dddac23c39")


# 7. sinr: sparse matrices


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


def coded_integers(decoder: ArithmeticDecoder, count: int) -> Ints:
    """An array of coded integers."""
    unary = [Adaptive(2**21, 0, 255) for _ in range(32)]
    mantissa = [[Adaptive(2**21, 0, 255) for _ in range(4)] for _ in range(33)]
    numbers = np.zeros(count, np.int64)
    for number in range(count):
        length = 0
        while length < 32 and unary[length].decode(decoder):
            length += 1
        if length == 0:
            continue
        negative = decoder.bit(32768)
        magnitude = 1
        for i in range(length - 1):
            if i < 2:
                bit = mantissa[length][1 if i == 0 else 2 + (magnitude & 1)].decode(decoder)
            else:
                bit = decoder.bit(32768)
            magnitude = magnitude << 1 | bit
        numbers[number] = -magnitude if negative else magnitude
    return numbers


# 9. Tiles of the profile inr


def gain(code: int) -> int:
    """The gain times 2^8."""
    return 0 if code == 0 else (16 + code % 16) << code // 16


class Plane:
    """The nodes of a plane."""

    def __init__(self) -> None:
        self.squash = squash_table().tolist()
        self.nodes = [Adaptive(self.squash[256 * m] << 6, 12, 250) for m in range(25)]

    def probability(self, t: int) -> int:
        m, f = t >> 8, t % 256
        q = self.nodes[m].estimate * (256 - f) + self.nodes[m + 1].estimate * f >> 14
        p: int = self.squash[t] + 3 * q + 2 >> 2
        return min(max(p, 1), 65535)

    def update(self, t: int, bit: int) -> None:
        m, f = t >> 8, t % 256
        self.nodes[m if f < 128 else m + 1].update(bit)


def squash_arguments(span: Span, axes: Sequence[int], net: Network) -> Iterator[list[int]]:
    """For each place of a tile, the number t of every plane."""
    shape = tuple(part.stop - part.start for part in span)
    of_axes = [np.array([coordinate(i, n) for i in range(part.start, part.stop)], np.int64) for part, n in zip(span, axes, strict=True)]
    places = math.prod(shape)
    block = 1024  # so many places are evaluated at once
    for start in range(0, places, block):
        positions = np.unravel_index(np.arange(start, min(start + block, places)), shape)
        z = logits(net, np.stack([of_axis[i] for of_axis, i in zip(of_axes, positions, strict=True)], axis=1))
        yield from (np.clip(z * np.array(net.gains) >> 10, -3071, 3071) + 3072).tolist()


def decode_coded(tile: bytes, span: Span, axes: Sequence[int], net: Network) -> Words:
    """The values of a tile, those of a place together."""
    decoder = ArithmeticDecoder(tile)
    planes = [Plane() for _ in range(net.planes)]
    values = []
    for arguments in squash_arguments(span, axes, net):
        value = 0
        for number, (plane, t) in enumerate(zip(planes, arguments, strict=True)):
            bit = decoder.bit(plane.probability(t))
            plane.update(t, bit)
            value = value << 1 | bit
            if number % net.bits == net.bits - 1:
                values.append(from_gray(value) if net.gray else value)
                value = 0
    decoder.finish()
    return np.array(values, np.uint64)


def from_gray(code: int) -> int:
    """The value v whose Gray code v xor (v >> 1) is `code`."""
    value = 0
    while code:
        value ^= code
        code >>= 1
    return value


# 10 to 16. The profile hybrid


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
    """The module that knows the profile's plan: linr_sound.py if it is one of a sound, else linr_hybrid.py."""
    pictures = beside("linr_hybrid")  # linr_sound.py imports it
    return beside("linr_sound") if plan[:1] == b"\3" else pictures


# The whole file


def decode(data: bytes) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """The samples of a file, and what else it says of them: kind, bit_depth, sample_rate (None if not audio), metadata."""
    sections, tiles = read_sections(data)
    require(b"HEAD" in sections and b"TIDX" in sections, "a section is missing")
    head = read_head(sections[b"HEAD"])
    metadata = read_metadata(sections[b"meta"]) if b"meta" in sections else {}
    require((b"NETW" in sections) == (head.profile == 1), "a network is missing, or there without need")
    require((b"HYBR" in sections) == (head.profile == 2), "a plan is missing, or there without need")
    spans = read_index(sections[b"TIDX"], head, tiles)
    net = read_network(sections[b"NETW"], head) if head.profile == 1 else None
    module = hybrid(sections[b"HYBR"]) if head.profile == 2 else None
    plan = module.read_plan(sections[b"HYBR"], head) if module is not None else None

    values = np.zeros((*head.axes, head.channels), np.uint64)
    for tile, span in zip(tiles, spans, strict=True):
        if head.bits == 0:
            require(not tile, "a tile of a constant signal has content")
            continue
        shape = values[span].shape
        if net is not None:
            of_tile = decode_coded(tile, span, head.axes, net)
        elif module is not None:
            of_tile = module.decode_tile(tile, span, head, plan)
        else:
            of_tile = decode_stored(tile, math.prod(shape[:-1]), head.channels, head.bits)
        values[span] = of_tile.reshape(shape)
    return samples_of(head, values), {
        "kind": head.kind,
        "bit_depth": head.bit_depth,
        "sample_rate": head.rate,
        "metadata": metadata,
    }


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python linr.py IN.linr OUT.npy", file=sys.stderr)
        return 2
    try:
        samples, _ = decode(Path(sys.argv[1]).read_bytes())
    except Invalid as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    np.save(sys.argv[2], samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
