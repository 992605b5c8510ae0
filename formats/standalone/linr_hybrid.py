"""The profile `hybrid` of linr.py, in plain Python and NumPy, written from SPEC.md alone; the parts follow its sections.

Sounds are in linr_sound.py.

Every number in binary32 is a `np.float32` or an element of an array of them, every number in binary64 a Python float or
an element of an array of these. No step leaves the order of an addition to NumPy, except `np.add.accumulate`: it has one.
"""

from __future__ import annotations

import decimal
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from linr import (
    SINR,
    ArithmeticDecoder,
    Head,
    Ints,
    Layer,
    Reader,
    Span,
    Words,
    coded_integers,
    prior_at,
    prior_file,
    read_sparse,
    require,
    sine_table,
    unbrotli,
)

Single = np.float32
Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Grid = list[list[int]]  # a whole number per place of a tile

# 10. HYBR: the plan of the profile hybrid

PLANES, LATTICE, PALETTE = range(3)
BITS, AROUND, PLAIN = range(3)


@dataclass
class Start:
    """What a context network begins with."""

    matrices: list[Singles]
    learning: int


@dataclass
class Plane:
    """What the plan says of a coded plane."""

    source: int
    largest: int
    two_pass: bool
    references: list[int]
    deltas: dict[str, Start] = field(default_factory=dict)  # what passes with a delta begin with, by their names


@dataclass
class Lattice:
    """How the first three components follow from a place's label."""

    matrix: list[list[int]]
    offset: list[int]
    least_label: list[int]
    limit: int


@dataclass
class Model:
    """What the planes are predicted with."""

    coding: int
    predictors: int
    units: int
    learning: int
    coordinates: bool
    contexts: int
    lines: int
    networks: dict[str, list[Singles]]  # those of the prior


@dataclass
class Plan(Model):
    """HYBR, read and checked."""

    kind: int
    sources: list[Ints]  # the values of the indices 0 … largest
    lattice: Lattice | None
    palette: Ints | None  # indices: source, colour
    planes: list[Plane]
    brief: bool = False


def read_blob(reader: Reader, size: int) -> bytes:
    return unbrotli(reader.take(reader.varint()), size)


def read_source(reader: Reader, bits: int) -> Ints:
    """The values of a source's indices."""
    largest = reader.varint()
    form = reader.byte()
    require(form <= 1, "an unknown form of a source")
    if form == 0:
        least = reader.varint()
        require(largest + least < 1 << bits, "a source has values that are too large")
        return np.arange(least, least + largest + 1)
    last = reader.varint()
    require(last < 1 << bits, "a source has values that are too large")
    return table_of(read_blob(reader, (last + 8) // 8), largest, last)


def table_of(bits: bytes, largest: int, last: int) -> Ints:
    """The values that occur."""
    occurs = np.unpackbits(np.frombuffer(bits, np.uint8))
    values: Ints = np.flatnonzero(occurs).astype(np.int64)
    require(len(values) == largest + 1 and values[-1] == last, "a table of values that does not match its source")
    return values


def read_flag(reader: Reader, limit: int) -> int:
    """A byte between 0 and `limit`."""
    byte = reader.byte()
    require(byte <= limit, "a setting of the plan is out of range")
    return byte


def read_small(reader: Reader) -> int:
    number = reader.signed()
    require(abs(number) < 1 << 31, "a number of the lattice is too large")
    return number


def read_lattice(reader: Reader, sources: Sequence[Ints]) -> Lattice:
    require(len(sources) >= 3, "a lattice of fewer than three sources")
    numbers = [read_small(reader) for _ in range(15)]
    limit = max(len(values) for values in sources[:3]) - 1
    require(limit <= 255, "a lattice of sources with large values")
    return Lattice([numbers[i : i + 3] for i in (0, 3, 6)], numbers[9:12], numbers[12:], limit)


def read_palette(reader: Reader, sources: Sequence[Ints]) -> Ints:
    return palette_of(reader, reader.varint(), sources)


def palette_of(reader: Reader, colours: int, sources: Sequence[Ints]) -> Ints:
    require(len(sources) <= 4, "a palette of more than four sources")
    require(1 <= colours <= 4096, "the number of colours is out of range")
    blob = read_blob(reader, 2 * colours * len(sources))
    return checked_palette(np.frombuffer(blob, "<u2").astype(np.int64), sources)


def checked_palette(numbers: Ints, sources: Sequence[Ints]) -> Ints:
    palette = numbers.reshape(len(sources), -1)
    for indices, values in zip(palette, sources, strict=True):
        require(int(indices.max()) < len(values), "a colour is not within its source")
    return palette


def largest_of(number: int, source: int, kind: int, sources: Sequence[Ints], palette: Ints | None) -> int | None:
    """The largest value that a plane must have, if it is not free."""
    if palette is not None:
        return int(palette.shape[1]) - 1
    if kind == LATTICE and number < 3:
        require(source == number, "a plane of labels with another source than its own")
        return None
    return len(sources[source]) - 1


def read_plane(reader: Reader, before: Sequence[Plane]) -> Plane:
    plane = Plane(reader.varint(), reader.varint(), bool(read_flag(reader, 1)), [])
    require(plane.largest < 1 << 16, "a plane has too large values")
    for _ in range(read_flag(reader, 3)):
        reference = reader.varint()
        require(reference < len(before), "a reference to a plane that is not earlier")
        require(before[reference].largest > 0, "a reference to a constant plane")
        require(reference not in plane.references, "a reference is there twice")
        plane.references.append(reference)
    return plane


def read_model(reader: Reader) -> Model:
    coding, predictors = read_flag(reader, 2), reader.byte()
    require(predictors in WINDOWS, "the number of predictors is out of range")
    require(predictors > 0 or coding == BITS, "a tree around a prediction without predictors")
    units = reader.byte()
    require(units in UNITS and (predictors > 0 or units == 0), "the number of units is out of range")
    learning = reader.byte()
    coordinates = bool(read_flag(reader, 1))
    contexts, lines = read_flag(reader, 3), read_flag(reader, 18)
    require(lines >= 1, "a setting of the plan is out of range")
    require(coding != PLAIN or (units == 0 and contexts == 0), "plain coding with a network or contexts")
    networks = read_prior(reader.take(8), units) if units > 0 else {}
    return Model(coding, predictors, units, learning, coordinates, contexts, lines, networks)


def read_planes(reader: Reader, kind: int, sources: Sequence[Ints], palette: Ints | None) -> list[Plane]:
    planes: list[Plane] = []
    unnamed = set(range(1 if kind == PALETTE else len(sources)))
    while unnamed:
        plane = read_plane(reader, planes)
        require(plane.source in unnamed, "a source that is not there, or named twice")
        unnamed.remove(plane.source)
        largest = largest_of(len(planes), plane.source, kind, sources, palette)
        require(largest is None or plane.largest == largest, "a plane whose largest value is not that of its source")
        planes.append(plane)
    return planes


def read_plan(content: bytes, head: Head) -> Plan:
    """The content of HYBR."""
    require(head.kind != "audio" and len(head.axes) >= 2 and head.bits <= 16, "not a signal for the profile hybrid")
    count = head.channels * math.prod(head.axes[:-2])
    require(count <= 1 << 16, "a picture of too many sources")
    reader = Reader(content)
    kind = reader.byte()
    if kind & 128:
        return read_brief(reader, kind, count, head.bits)
    require(kind <= 2, "a setting of the plan is out of range")
    model = read_model(reader)
    require(reader.varint() == count, "another number of sources than the signal has")
    sources = [read_source(reader, head.bits) for _ in range(count)]
    lattice = read_lattice(reader, sources) if kind == LATTICE else None
    palette = read_palette(reader, sources) if kind == PALETTE else None
    planes = read_planes(reader, kind, sources, palette)
    if reader.position < len(content):
        read_deltas(reader, kind, model.networks, planes)
    reader.finish()
    return Plan(**vars(model), kind=kind, sources=sources, lattice=lattice, palette=palette, planes=planes)


LIKE_PHOTO, LIKE_DRAWN, BY_PALETTE, WRITTEN_OUT = range(4)  # planes of the brief form
PRESETS = (  # coding, predictors, units, contexts, lines
    (PLAIN, 1, 0, 0, 14),
    (PLAIN, 4, 0, 0, 14),
    (AROUND, 4, 0, 1, 14),
    (AROUND, 4, 48, 1, 14),
    (AROUND, 4, 64, 1, 14),
    (BITS, 4, 0, 2, 16),
    (BITS, 4, 48, 2, 16),
    (BITS, 4, 64, 2, 16),
    (BITS, 0, 0, 2, 16),
    (BITS, 0, 0, 3, 16),
)
PRESET_PRIORS = {48: "2026-11-48.prior", 64: "2026-11-64.prior"}
ORDERS = {  # the sources that the planes hold, by how many there are; else in order
    LIKE_PHOTO: {3: (1, 0, 2), 4: (1, 0, 2, 3)},
    LIKE_DRAWN: {2: (1, 0), 3: (1, 0, 2), 4: (3, 1, 0, 2)},
}


def preset(number: int) -> Model:
    require(number < len(PRESETS), "an unknown preset")
    coding, predictors, units, contexts, lines = PRESETS[number]
    if not units:
        return Model(coding, predictors, 0, 0, False, contexts, lines, {})
    networks = networks_of(prior_at(PRESET_PRIORS[units], "profiles/hybrid/priors"), units)
    return Model(coding, predictors, units, 20, True, contexts, lines, networks)


def usual_planes(sources: Sequence[Ints], way: int) -> list[Plane]:
    planes: list[Plane] = []
    for source in ORDERS[way].get(len(sources), range(len(sources))):
        live = [number for number, plane in enumerate(planes) if plane.largest > 0]
        references = live[-2:] if way == LIKE_PHOTO else live[-3:][::-1]
        planes.append(Plane(source, len(sources[source]) - 1, False, references))
    return planes


def read_brief_source(reader: Reader, bits: int, before: Sequence[Ints]) -> Ints:
    way = reader.byte()
    if way == 0:
        return np.arange(1 << bits)
    if way == 1:
        require(len(before) > 0, "the first source is like one before it")
        return before[-1]
    if way == 2:
        return np.array([(1 << bits) - 1])
    if way == 3:
        return read_source(reader, bits)
    require(way == 4, "an unknown form of a source")
    largest, last = reader.varint(), reader.varint()
    require(last < 1 << bits, "a source has values that are too large")
    return table_of(reader.take((last + 8) // 8), largest, last)


def read_brief_palette(reader: Reader, sources: Sequence[Ints], bits: int) -> Ints:
    number = reader.varint()
    if number & 1:
        return palette_of(reader, number >> 1, sources)
    require(len(sources) <= 4, "a palette of more than four sources")
    require(2 <= number <= 8192, "the number of colours is out of range")
    count = (number >> 1) * len(sources)
    binary = np.unpackbits(np.frombuffer(reader.take(-(-count * bits // 8)), np.uint8))
    require(not binary[count * bits :].any(), "the bits that fill the last byte are not zero")
    powers = 1 << np.arange(bits - 1, -1, -1, dtype=np.int64)
    return checked_palette(binary[: count * bits].reshape(-1, bits) @ powers, sources)


def read_brief(reader: Reader, form: int, count: int, bits: int) -> Plan:
    """The brief form, after its first byte."""
    model = read_model(reader) if form & 15 == 15 else preset(form & 15)
    way = form >> 4 & 3
    sources: list[Ints] = []
    for _ in range(count):
        sources.append(np.arange(1 << bits) if form & 64 else read_brief_source(reader, bits, sources))
    kind = PALETTE if way == BY_PALETTE else PLANES
    palette = read_brief_palette(reader, sources, bits) if kind == PALETTE else None
    if palette is not None:
        planes = [Plane(0, palette.shape[1] - 1, False, [])]
    else:
        planes = read_planes(reader, kind, sources, None) if way == WRITTEN_OUT else usual_planes(sources, way)
    reader.finish()
    return Plan(**vars(model), kind=kind, sources=sources, lattice=None, palette=palette, planes=planes, brief=True)


@dataclass(frozen=True)
class Pass:
    name: str
    top: int
    left: int
    step: int

    @property
    def regular(self) -> bool:
        return self.name in ("raster", "quarter")


RASTER = Pass("raster", 0, 0, 1)
FOUR = (Pass("quarter", 0, 0, 2), Pass("diagonal", 1, 1, 2), Pass("beside", 0, 1, 2), Pass("below", 1, 0, 2))
PASSES = (RASTER, *FOUR)  # by their numbers


def passes_of(plane: Plane, height: int, width: int) -> Sequence[Pass]:
    if plane.largest == 0:
        return ()
    return FOUR if plane.two_pass and height >= 4 and width >= 4 else (RASTER,)


def read_strings(tile: bytes, count: int, brief: bool) -> Iterator[bytes]:
    """The arithmetic-coded strings of a tile."""
    reader = Reader(tile)
    lengths = [reader.varint() for _ in range(count - brief)]
    strings = [reader.take(length) for length in lengths]
    if brief and count:
        strings.append(reader.rest())
    reader.finish()
    return iter(strings)


def decode_tile(tile: bytes, span: Span, head: Head, plan: Plan) -> Words:
    """The values of a tile, those of a place together."""
    require(all(part == slice(0, axis) for part, axis in zip(span[:-2], head.axes[:-2], strict=True)), "a tile cuts a leading axis")
    row, column = span[-2].start, span[-1].start
    height, width = span[-2].stop - row, span[-1].stop - column
    passes = [passes_of(plane, height, width) for plane in plan.planes]
    strings = read_strings(tile, sum(map(len, passes)) + (plan.kind == LATTICE), plan.brief)

    coded: list[CodedPlane] = []
    for plane, of_plane in zip(plan.planes, passes, strict=True):
        own = CodedPlane.empty(height, width)
        references = [coded[number] for number in plane.references]
        for which in of_plane:
            PassDecoder(plan, plane, which, own, references, (row, column), next(strings)).run()
        coded.append(own)

    indices = np.zeros((len(plan.sources), height, width), np.int64)
    for plane, own in zip(plan.planes, coded, strict=True):
        indices[plane.source] = own.values
    if plan.palette is not None:
        indices = plan.palette[:, indices[0]]
    elif plan.lattice is not None:
        labels = [own.values for own in coded[:3]]
        lines = min(1 << plan.lines, power_of_two(6 * height * width))
        indices[:3] = Colours(plan.lattice, lines, next(strings)).decode(labels)
    return values_of(indices, plan.sources, head)


def values_of(indices: Ints, sources: Sequence[Ints], head: Head) -> Words:
    """The values of all sources, in the order that a tile has."""
    for of_source, values in zip(indices, sources, strict=True):
        require(int(of_source.max()) < len(values), "an index that its source does not have")
    planes = np.stack([values[of_source] for of_source, values in zip(indices, sources, strict=True)])
    of_channels = planes.reshape(head.channels, -1)
    return of_channels.T.reshape(-1).astype(np.uint64)


# 11. Priors


def read_prior(name: bytes, units: int) -> dict[str, list[Singles]]:
    """The networks of the prior whose SHA-256 begins with `name`."""
    return networks_of(prior_file(name, "profiles/hybrid/priors"), units)


def networks_of(data: bytes, units: int) -> dict[str, list[Singles]]:
    outer = Reader(data)
    require(outer.take(10) == b"LINRprior1", "not a prior")
    size = outer.varint()
    reader = Reader(unbrotli(outer.rest(), size))
    require(reader.byte() == units, "a prior for another number of units")
    networks = {}
    for _ in range(reader.byte()):
        name = reader.take(reader.byte()).decode("ascii")
        networks[name] = read_matrices(reader, units)
    reader.finish()
    return networks


def read_matrices(reader: Reader, units: int) -> list[Singles]:
    """The three matrices of a network, their last rows the biases."""
    shapes = [(reader.varint() + 1, units), (units + 1, units), (units + 1, 16)]
    shifts = [int.from_bytes(reader.take(1), "little", signed=True) for _ in range(6)]
    count = sum(rows * columns for rows, columns in shapes)
    low = np.frombuffer(reader.take(count), np.uint8).astype(np.int64)
    numbers = 256 * np.frombuffer(reader.take(count), np.int8).astype(np.int64) + low
    matrices = []
    start = 0
    for (rows, columns), of_weights, of_biases in zip(shapes, shifts[::2], shifts[1::2], strict=True):
        matrix = numbers[start : start + rows * columns].reshape(rows, columns).astype(np.float32)
        matrix[:-1] *= Single(2.0**-of_weights)
        matrix[-1] *= Single(2.0**-of_biases)
        start += rows * columns
        matrices.append(matrix)
    return matrices


def network_name(which: Pass, references: int, kind: int) -> str:
    return f"{'chroma' if kind == LATTICE and which is RASTER and references else which.name}{references}"


def read_deltas(reader: Reader, kind: int, networks: dict[str, list[Singles]], planes: Sequence[Plane]) -> None:
    """The deltas, into the planes that they are for."""
    require(bool(networks), "deltas of a plan without networks")
    count = reader.varint()
    require(1 <= count <= 1024, "the number of deltas is out of range")
    last = (-1, -1)
    for _ in range(count):
        number, which = reader.varint(), reader.byte()
        require((number, which) > last, "deltas that are not in order")
        require(number < len(planes) and which < len(PASSES), "a delta of a pass that does not exist")
        last = number, which
        plane = planes[number]
        require(plane.largest > 0, "a delta of a constant plane")
        name = network_name(PASSES[which], len(plane.references), kind)
        require(name in networks, "a delta of a network that the prior lacks")
        plane.deltas[PASSES[which].name] = read_delta(reader, networks[name])


def read_delta(reader: Reader, prior: Sequence[Singles]) -> Start:
    """A delta from its byte `learning` on, added to the prior's matrices."""
    learning, coding, setting = reader.byte(), reader.byte(), reader.byte()
    require(coding <= SINR, "an unknown coding of a delta")
    scales = []
    for _ in prior:
        mantissa, shift = reader.byte(), reader.byte()
        require(mantissa >= 1 and shift <= 63, "the scale of a delta is out of range")
        scales.append(mantissa * 2.0**-shift)
    content = reader.take(reader.varint())
    matrices = []
    for matrix, numbers, scale in zip(prior, delta_numbers(content, prior, coding, setting), scales, strict=True):
        matrices.append((matrix.astype(np.float64) + numbers * scale).astype(np.float32))
        require(float(np.abs(matrices[-1]).max()) <= 64, "a delta makes too large weights")
    return Start(matrices, learning)


def delta_numbers(content: bytes, prior: Sequence[Singles], coding: int, setting: int) -> list[Doubles]:
    """The whole numbers of a delta, a matrix for each of the prior's."""
    if coding == SINR:
        layers = [Layer(columns, rows) for rows, columns in (matrix.shape for matrix in prior)]
        read_sparse(Reader(content), layers, setting)
        return [layer.matrix.T for layer in layers]
    decoder = ArithmeticDecoder(content)
    numbers = [coded_integers(decoder, matrix.size).astype(np.float64).reshape(matrix.shape) for matrix in prior]
    decoder.finish()
    return numbers


# 12. Arithmetic of hybrid

LN2 = 0.6931471805599453
ROOT2 = 1.4142135623730951
UNITS = (0, 16, 32, 48, 64)
WORD = (1 << 64) - 1


def checked(entries: Iterable[int], shift: int, digest: str) -> list[float]:
    numbers = list(entries)
    if hashlib.sha256(np.array(numbers, "<i8").tobytes()).hexdigest() != digest:
        raise RuntimeError("a table of the profile hybrid is wrong")
    return [number / 2**shift for number in numbers]


def nearest(x: decimal.Decimal) -> int:
    return int(x.to_integral_value(decimal.ROUND_HALF_EVEN))


@cache
def log2_table() -> list[float]:
    with decimal.localcontext(prec=60):
        ln2 = decimal.Decimal(2).ln()
        entries = [math.floor(2**30 * ((1 + decimal.Decimal(i) / 256).ln() / ln2)) for i in range(257)]
    return checked(entries, 30, "1d19f867bcdc6e60c8149dda5686a0304d64e7e9647ebda84231defc00dac0bf")


@cache
def sigmoid_table() -> list[float]:
    with decimal.localcontext(prec=60):
        entries = [nearest(2**48 / (1 + (decimal.Decimal(1024 - i) / 64).exp())) for i in range(2049)]
    return checked(entries, 48, "2b921f08e417392812bad34d1e8f9ccb6d96734cecc21da3848f97aa46e2e8fd")


def log2(x: float) -> float:
    half, exponent = math.frexp(x)  # x = half·2^exponent, ½ ≤ half < 1
    fraction = int(half * 2.0**53) - 2**52
    i, t = fraction >> 44, (fraction & (1 << 44) - 1) / 2**44
    table = log2_table()
    return exponent - 1 + (table[i] + (table[i + 1] - table[i]) * t)


def sigmoid(x: float) -> float:
    t = (min(max(x, -16 + 0.01), 16 - 0.01) + 16) * 64
    i = int(t)
    s = sigmoid_table()
    return s[i] + (s[i + 1] - s[i]) * (t - i)


def soft(z: Single) -> Single:
    return z / (Single(1) + Single(0.25) * abs(z))


def hashed(a: int, b: int) -> int:
    x = (a * 0x1E3779B97F4A7C15 + b + 0x7F4A7C15) * 0x56E8FEB86659FD93 & WORD
    return x ^ x >> 32


def wrapped(x: int) -> int:
    """x in 64-bit two's complement."""
    return (x + (1 << 63) & WORD) - (1 << 63)


@cache
def single_sigmoids() -> Singles:
    return np.array(sigmoid_table()).astype(np.float32)


def squash(d: Single) -> Single:
    result: Single = single_sigmoids()[int((d + Single(16)) * Single(64) + Single(0.5))]
    return result


@cache
def stretch_table() -> Singles:
    points = [(i + 0.5) / 4096 for i in range(4096)]
    return np.array([LN2 * (log2(p) - log2(1 - p)) for p in points]).astype(np.float32)


def coin(p: Single | float) -> int:
    return min(max(int(p * 65536), 1), 65535)


@cache
def cost_table() -> Singles:
    return np.array([-log2((i + 0.5) / 4096) for i in range(4096)]).astype(np.float32)


def cost(p: int, bit: int) -> Single:
    """The bits that a bit takes whose probability of a 1 is p / 2^16."""
    result: Single = cost_table()[(p if bit else 65536 - p) >> 4]
    return result


def power_of_two(n: int) -> int:
    """The least one that is at least n."""
    return 1 << (n - 1).bit_length()


@cache
def single_sine() -> Singles:
    return (sine_table() / 2**14).astype(np.float32)


def single_limited(x: Single, limit: float) -> Single:
    return min(max(x, Single(-limit)), Single(limit))


def summed(terms: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """0 + terms[0] + terms[1] + …, in this order. (Accumulation has it; a reduction may take another.)"""
    total: npt.NDArray[Any] = np.add.accumulate(terms, axis=0)[-1]
    return total


# 12. Lanes: whole vectors of numbers in binary32


def halved(lanes: npt.NDArray[Any]) -> Any:
    """The sum of the last axis: its upper half is added to its lower half, and so on."""
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes[..., 0]


def dot(weights: npt.NDArray[Any], x: npt.NDArray[Any], lanes: int) -> Any:
    """Scalar products with the vector x, in f32 or in f64, as they are: a sum for each lane, then the sum of these."""
    products = (weights * x).reshape(*weights.shape[:-1], -1, lanes)
    return halved(np.add.accumulate(products, axis=-2)[..., -1, :])


def weighed(x: Singles, matrix: Singles) -> Singles:
    """The sum of the rows of a matrix times x: that of the rows 0, 2, …, plus that of the rows 1, 3, …"""
    products = x[:, None] * matrix
    total: Singles = summed(products[::2]) + summed(products[1::2])
    return total


def padded(x: Sequence[Any] | npt.NDArray[Any], lanes: int) -> npt.NDArray[Any]:
    """With zeros at the end, so that lanes are filled."""
    x = np.asarray(x)
    return np.concatenate([x, np.zeros(-len(x) % lanes, x.dtype)])


ZERO, HALF, ONE = Single(0), Single(0.5), Single(1)
MAGIC = Single(12582912)
POLYNOMIAL_EXP2 = (
    0.0013276472454890609,
    0.009675540961325169,
    0.05550713092088699,
    0.24022120237350464,
    0.6931469440460205,
    1.0000001192092896,
)
POLYNOMIAL_LOG2 = -0.2068466991186142, 0.3219325542449951, -0.3673725724220276, 0.4793791174888611, -0.7211395502090454, 1.4427123069763184
HALF_ROOT = 0x3F3504F3  # the pattern of √½
LEAST_MASS = Single(2.0**-20)


def polynomial(x: Singles, factors: Sequence[float]) -> Singles:
    """By Horner's rule."""
    result: Singles = np.full_like(x, factors[0])
    for factor in factors[1:]:
        result = result * x + Single(factor)
    return result


def exp2s(x: Singles) -> Singles:
    """2^x: the power of the nearest whole number, times a polynomial of what is left."""
    rounded = x + MAGIC
    part = polynomial(x - (rounded - MAGIC), POLYNOMIAL_EXP2)
    return (part.view(np.uint32) + (rounded.view(np.uint32) << np.uint32(23))).view(np.float32)


def log2s(x: Singles) -> Singles:
    """Those of x: the exponent of the nearest power of two, plus a polynomial of what is left."""
    pattern = x.view(np.int32)
    exponent = (pattern - np.int32(HALF_ROOT)) >> np.int32(23)
    rest = (pattern - (exponent << np.int32(23))).view(np.float32) - Single(1)
    return exponent.astype(np.float32) + rest * polynomial(rest, POLYNOMIAL_LOG2)


def limited(x: Singles, limit: float) -> Singles:
    """Not beyond −limit … limit."""
    x = np.where(x < Single(-limit), Single(-limit), x)
    return np.where(x > Single(limit), Single(limit), x)


def sigmoids(x: Singles) -> Singles:
    return Single(1) / (Single(1) + exp2s(limited(x, 16) * Single(-1.4426950216293335)))


def softs(x: Singles) -> Singles:
    return x / (Single(1) + np.abs(x) * Single(0.25))


NETWORK, FIRST = 3, 4  # the lanes of the network, and of the first of the other experts
FEW_LANE, MANY_LANE, FEW = 11, 16, 5  # the first lane of the contexts of a pass, with one input each if there are few, else two


class Experts:
    """What logistics say of the decisions of a value, in 16 lanes. The first four are those of the network's mixture.

    Means and edges are relative to the same number.
    """

    def __init__(self, mixture: Mixture | None, means: Sequence[float], inverses: Sequence[float]) -> None:
        self.mean, self.inverse, self.used = (np.zeros(16, np.float32) for _ in range(3))
        self.share = np.zeros(4, np.float32)
        if mixture is not None:
            self.mean[:4], self.inverse[:4], self.share = mixture.mean, mixture.inverse, mixture.share
            self.used[NETWORK] = 1
        stop = FIRST + len(means)
        self.mean[FIRST:stop], self.inverse[FIRST:stop], self.used[FIRST:stop] = means, inverses, 1
        self.bottom, self.middle, self.top = np.zeros(16, np.float32), np.zeros(16, np.float32), np.ones(16, np.float32)

    def ask(self, edge: int) -> Singles:
        """Of all lanes, the stretched probability of a 1, which is that the value is at the edge or above it."""
        return self.ask_at(Single(edge) - HALF)

    def ask_at(self, x: Single) -> Singles:
        """The same, of the place of an edge."""
        z = (x - self.mean) * self.inverse
        self.middle = sigmoids(z)
        self.middle[NETWORK] = halved(self.middle[:4] * self.share)
        above, below = (self.top - self.middle) + LEAST_MASS, (self.middle - self.bottom) + LEAST_MASS
        return limited((log2s(above) - log2s(below)) * Single(LN2), 12) * self.used

    def move(self, bit: int) -> None:
        """What is still possible after the decision about the last edge."""
        if bit:
            self.bottom = self.middle
        else:
            self.top = self.middle


# 13.1, 13.2. Groups of values and gathering

Tap = tuple[int, int]


def taps(text: str) -> list[Tap]:
    numbers = [int(number) for number in text.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


CAUSAL = taps("0 -1 -1 0 -1 -1 -1 1 0 -2 -2 0 -2 1 -1 -2 -1 2 -2 -1 0 -3 -3 0 -2 2 -2 -2 -1 -3 -1 3 -3 -1 -3 1")
BESIDES = taps("0 0 0 -1 -1 0 0 1 1 0 -1 -1 -1 1 1 -1 1 1 0 2 2 0 0 -2 -2 0")
OF_PASS = {
    "diagonal": taps("-1 -1 1 1 -1 1 1 -1 -1 -3 -1 3 1 -3 1 3 -3 -1 -3 1 3 -1 3 1 0 -2 -2 0"),
    "beside": taps("0 -1 0 1 -1 0 1 0 0 -3 0 3 -2 -1 -2 1 2 -1 2 1 -1 -2 -1 2 1 -2 1 2"),
    "below": taps("-1 0 1 0 0 -1 0 1 -1 -1 -1 1 1 -1 1 1 -3 0 3 0 -2 -1 -2 1 2 -1 2 1"),
}


def mirrored(i: int, n: int) -> int:
    i = abs(i)
    if i >= n:
        i = 2 * (n - 1) - i
    return min(max(i, 0), n - 1)


@dataclass
class CodedPlane:
    """The values of a plane of a tile, as far as they are decoded, and the residuals of their predictions."""

    values: Grid
    residuals: Grid

    @classmethod
    def empty(cls, height: int, width: int) -> CodedPlane:
        return cls([[0] * width for _ in range(height)], [[0] * width for _ in range(height)])


class Gatherer:
    """The values around a place."""

    def __init__(self, which: Pass, own: Grid, references: Sequence[Grid], largest: int) -> None:
        self.which, self.own, self.references, self.largest = which, own, references, largest
        self.height, self.width = len(own), len(own[0])
        self.last_column = self.width - 1 - (self.width - 1 - which.left) % which.step
        if which.regular:
            scaled = [[(dy * which.step, dx * which.step) for dy, dx in group] for group in (CAUSAL, BESIDES)]
            self.own_taps, self.reference_taps = scaled
            self.causal_taps = range(len(CAUSAL))
        else:
            self.own_taps = OF_PASS[which.name]
            near = [(0, 0), *self.own_taps[:4]]
            self.reference_taps = near + [tap for tap in BESIDES if tap not in near]
            self.causal_taps = range(12, 14) if which.name == "diagonal" else range(0)
        of_own, of_reference = len(self.own_taps), len(self.reference_taps)
        self.starts = [of_own + k * of_reference for k in range(len(references))]  # b of the groups of the references
        self.count = of_own + of_reference * len(references)

    def gather(self, y: int, x: int) -> list[int]:
        """g_0, g_1, …"""
        gathered = [
            self.causal(y, x, *tap) if number in self.causal_taps else self.around(self.own, y, x, *tap)
            for number, tap in enumerate(self.own_taps)
        ]
        for grid in self.references:
            gathered += [self.around(grid, y, x, *tap) for tap in self.reference_taps]
        return gathered

    def around(self, grid: Grid, y: int, x: int, dy: int, dx: int) -> int:
        return grid[mirrored(y + dy, self.height)][mirrored(x + dx, self.width)]

    def causal(self, y: int, x: int, dy: int, dx: int) -> int:
        top, left, step = self.which.top, self.which.left, self.which.step
        middle = (self.largest + 1) >> 1
        if dy == 0:
            if x + dx >= left:
                return self.own[y][x + dx]
            if x > left:
                return self.own[y][left]
            return self.own[y - step][left] if y > top else middle
        if y == top:
            return self.own[y][x - step] if x > left else middle
        return self.own[max(y + dy, top)][min(max(x + dx, left), self.last_column)]


# 13.4, 13.5. Prediction

WINDOWS = {0: [], 1: [(1, 0.8)], 2: [(1, 0.7)], 4: [(1, 0.7), (4, 0.98)]}  # every and fading, by the number of predictors
BLOCK = 8  # columns
BLEND = 4  # the number of the blend, after those of the predictors


def eliminated(u: Doubles, z: Doubles) -> list[float]:
    """Gauss's elimination in a symmetric matrix, of which only the part with j ≥ i is used, and in z.

    The result is the inverse pivots, up to the first one that is too small.
    """
    inverse = list[float]()
    for k in range(len(z)):
        if not u[k, k] > 1e-9:
            break
        inverse.append(1 / float(u[k, k]))
        factors = u[k, k + 1 :] * inverse[k]
        u[k + 1 :, k + 1 :] -= np.multiply.outer(factors, u[k, k + 1 :])
        z[k + 1 :] -= factors * z[k]
    return inverse


def substituted(u: Doubles, z: Doubles, inverse: Sequence[float], count: int) -> Doubles:
    """The first `count` weights, after the elimination."""
    weights = z[:count].copy()
    for i in reversed(range(count)):
        weights[i] *= inverse[i]
        weights[:i] -= u[:i, i] * weights[i]
    return weights


class Bank:
    """The least squares predictors, two for each window: by all regressors, and by only the first of them.

    The regressors are the numbers r_i with i in `used`.
    """

    def __init__(self, count: int, which: Pass, starts: Sequence[int], columns: int) -> None:
        self.count, self.windows = count, WINDOWS[count]
        first, own, far = (6, 14 if starts else 18, 9) if which.regular else (8, 14, 5)
        self.used = [*range(first), *(b + i for b in starts for i in range(3))]
        fewer = len(self.used)
        if count > 1:
            self.used += [*range(first, own), *(b + i for b in starts for i in range(3, far))]
        n, self.blocks = len(self.used), -(-columns // BLOCK)
        self.counts = n, fewer
        self.a = np.zeros((len(self.windows), self.blocks + 2, n, n), np.float32)  # only the part with j ≥ i is ever used
        self.b = np.zeros((len(self.windows), self.blocks + 2, n), np.float32)
        self.d, self.e = np.zeros((n, n), np.float32), np.zeros(n, np.float32)  # of the block that is being summed
        self.weights = np.zeros((2 * len(self.windows), n + -n % 16), np.float32)
        self.x = np.zeros(n, np.float32)

    def begin(self, column: int) -> None:
        """Before the first place of a block."""
        if column % BLOCK:
            return
        block = column // BLOCK  # its sums are those of number block + 1
        before = block or self.blocks
        for k, (every, fading) in enumerate(self.windows):
            self.a[k, before] = self.a[k, before] * Single(fading) + self.d
            self.b[k, before] = self.b[k, before] * Single(fading) + self.e
            if block % every == 0:
                self.solve(k, block + 1)
        self.d[:], self.e[:] = 0, 0

    def solve(self, k: int, middle: int) -> None:
        u, z = (((of[k, middle - 1] + of[k, middle]) + of[k, middle + 1]).astype(np.float64) for of in (self.a, self.b))
        u[np.diag_indices_from(u)] += 1.0
        inverse = eliminated(u, z)
        for i, count in enumerate(self.counts):
            if len(inverse) >= count:
                self.weights[2 * k + i, :count] = np.clip(substituted(u, z, inverse, count), -4096, 4096)

    def predict(self, r: Singles, mean: Single, largest: int) -> list[float]:
        """Four predictions; if there are fewer predictors, theirs again."""
        self.x = r[self.used]
        sums = dot(self.weights, padded(self.x, 16), 16)
        p = [min(max(float(mean + s), 0.0), float(largest)) for s in sums[: self.count]]
        return (4 * p)[:4]

    def learn(self, difference: Single, weight: Single) -> None:
        self.d += np.multiply.outer(weight * self.x, self.x)
        self.e += (weight * difference) * self.x


@dataclass
class Place:
    """What is known of a place before its value."""

    y: int
    x: int
    row: int  # of the pass
    column: int
    g: list[int]
    y8: int
    x8: int
    activity: int
    r: Singles  # without predictors it is not filled in
    mean: Single = ZERO  # mean_0
    said: list[float] = field(default_factory=lambda: [0.0] * 7)  # by the predictors, their blend and the two corrections of it
    recent: list[Single] = field(default_factory=list)  # the mean errors around
    classes: list[int] = field(default_factory=lambda: [0] * 5)  # EW EN EG ER PATTERN
    unit: Single = ONE
    level: int = 0
    middle: float = 0.0  # MEAN
    origin: int = 0


class Predictions:
    """The predictors, their blend, and what corrects it."""

    def __init__(self, bank: Bank, columns: int, largest: int) -> None:
        self.bank, self.largest = bank, largest
        self.fresh = np.full((columns + 2, 4), largest / 32, np.float32)  # with a border to the left and to the right
        self.here, self.before = self.fresh.copy(), self.fresh.copy()
        self.errors = [[(ROOT2 if level % 2 else 1.0) * 2.0 ** (level // 2 - 2) for level in range(40)] for _ in range(7)]  # D
        self.biases = [[Single(0)] * 768, [Single(0)] * 729]
        self.at: tuple[int, ...] = ()  # the contexts of the biases of the last place; plain coding has none

    def begin(self, column: int) -> None:
        if column == 0:
            self.here, self.before = self.fresh.copy(), self.here
        self.bank.begin(column)

    def pass_over(self, column: int) -> None:
        """A place that was decoded as flat."""
        self.here[column + 1] = 0

    def blend(self, place: Place) -> None:
        """Each predictor weighs by the inverse fourth power of its errors around."""
        total = blended = Single(0)
        place.recent = [Single(1)] * 4
        c, here, before = place.column, self.here, self.before
        for k in range(self.bank.count):
            e = ((Single(2) * (here[c, k] + before[c + 1, k]) + before[c, k]) + before[c + 2, k]) * Single(0.125) + Single(0.125)
            weight = Single(1) / ((e * e) * (e * e))
            place.recent[k] = e
            total = total + weight
            blended = blended + weight * Single(place.said[k] - place.said[0])
        place.said[BLEND] = place.said[0] + float(blended / total)

    def correct(self, place: Place, residuals: Sequence[int], of_references: Sequence[int]) -> None:
        """`residuals`: those to the left, above, and above to the right and to the left."""
        middle = place.said[BLEND]
        pattern = 0
        for value in place.g[:6]:
            pattern = 2 * pattern + (value > middle)
        eighths = Single(8) * place.unit
        west, north, *others = (class_of(residual, eighths) for residual in residuals)
        if of_references:
            others = [*(class_of(residual, eighths) for residual in of_references[:2]), 4]
        place.classes = [west, north, *others[:2], pattern]
        of_west = others[1] if len(of_references) > 1 else west
        self.at = 12 * pattern + min(place.level // 2, 11), 81 * others[0] + 9 * of_west + north
        for k, (biases, i) in enumerate(zip(self.biases, self.at, strict=True)):
            place.said[BLEND + 1 + k] = min(max(middle + float(biases[i] * place.unit), 0.0), float(self.largest))

    def inverses(self, level: int) -> list[float]:
        return [1 / (0.6 * errors[level] + 0.03) for errors in self.errors]

    def learn(self, place: Place, value: int) -> None:
        difference = value - place.said[BLEND]
        t = Single(1) / ((Single(0.5) + place.unit) + Single(0.1) * Single(abs(difference)))
        self.bank.learn(Single(value) - place.mean, t * t)
        for k in range(self.bank.count):
            self.here[place.column + 1, k] = abs(value - place.said[k])
        for errors, p in zip(self.errors, place.said, strict=True):
            errors[place.level] += (abs(value - p) - errors[place.level]) * 0.01
        miss = single_limited(Single(difference) / place.unit, 8)
        for biases, i in zip(self.biases, self.at, strict=False):
            biases[i] = biases[i] + (miss - biases[i]) * Single(0.02)


def class_of(residual: int, eighths: Single) -> int:
    """The class of a residual, relative to the local error: 0 … 8."""
    t = abs(Single(residual)) / eighths
    size = sum(t > Single(limit) for limit in (0.25, 0.75, 1.5, 3.0))
    return 4 + int(size) if residual > 0 else 4 - int(size)


# 13.6. The context network


class Mixture:
    """The mixture of logistics that the context network's outputs stand for: an expert. Its means are relative to `base`'s origin."""

    def __init__(self, outputs: Singles, base: Single, unit: Single) -> None:
        top = outputs[:4].max()
        shares = exp2s(np.maximum(outputs[:4] - top, Single(-30)))
        widths = exp2s(limited(-outputs[8:12], 12))
        share = Single(1) / ((shares[0] + shares[1]) + (shares[2] + shares[3]))
        self.unit = unit
        self.mean: Singles = base + unit * outputs[4:8]
        self.inverse: Singles = np.minimum(widths * (Single(1) / unit), Single(1 / 0.03))
        self.share: Singles = shares * share

    def expected(self) -> Single:
        total = Single(0)
        for share, mean in zip(self.share, self.mean, strict=True):
            total = total + share * mean
        return total

    def gradient(self, value: Single, is_least: bool, is_largest: bool, half: Single = HALF) -> Singles:
        """δ: the gradient at the outputs. The value is relative, as the means are; `half`: of its width."""
        share, one = self.share, Single(1)
        hi, lo = ((value + half) - self.mean) * self.inverse, ((value - half) - self.mean) * self.inverse
        upper = np.ones(4, np.float32) if is_largest else sigmoids(hi)
        lower = np.zeros(4, np.float32) if is_least else sigmoids(lo)
        upper_derivative, lower_derivative = upper * (one - upper), lower * (one - lower)
        parts = share * (upper - lower)
        total = Single(0)
        for part in parts:
            total = total + part
        of_mean = ((share * (upper_derivative - lower_derivative)) * self.inverse) * self.unit
        of_width = (share * (upper_derivative * hi - lower_derivative * lo)) * Single(LN2)
        sigma = one / (total + LEAST_MASS)
        of_share = ((share * total - parts) * sigma) * Single(LN2)
        return np.concatenate([of_share, limited(of_mean * sigma, 8), limited(of_width * sigma, 8), np.zeros(4, np.float32)])


def activated(x: Singles) -> tuple[Singles, Singles]:
    """h and d of the sums of a layer: the outputs and the derivatives."""
    half, one = Single(0.5), Single(1)
    rho: Singles = one / (one + np.abs(x))
    q: Singles = x * rho
    h: Singles = half * (x * (one + q))
    d: Singles = half * ((one + q) + q * rho)
    return h, d


def with_one(x: Singles) -> Singles:
    return np.append(x, Single(1))


class ContextNetwork:
    """A network that learns while it codes."""

    def __init__(self, matrices: Sequence[Singles], learning: int) -> None:
        self.matrices = [matrix.copy() for matrix in matrices]
        self.rate = learning * 2.0**-14
        self.moments = [(np.zeros_like(matrix), np.zeros_like(matrix)) for matrix in matrices]
        self.alpha = self.beta = 1.0
        self.kept: list[list[tuple[Singles, Singles]]] = []  # per value and layer: its inputs, and the gradient at its units

    def outputs(self, inputs: Singles) -> Singles:
        self.inputs = [with_one(inputs)]
        self.derivatives: list[Singles] = []
        for matrix in self.matrices[:2]:
            h, d = activated(weighed(self.inputs[-1], matrix))
            self.inputs.append(with_one(h))
            self.derivatives.append(d)
        return weighed(self.inputs[-1], self.matrices[2])

    def learn(self, delta: Singles) -> None:
        """Learn from the last outputs."""
        if self.rate == 0:
            return
        s2 = weighed(delta, self.matrices[2][:-1].T) * self.derivatives[1]
        s1 = weighed(s2, self.matrices[1][:-1].T) * self.derivatives[0]
        self.kept.append(list(zip(self.inputs, (s1, s2, delta), strict=True)))
        if len(self.kept) == 64:
            self.move()
            self.kept = []

    def move(self) -> None:
        self.alpha *= 0.9
        self.beta *= 0.999
        size, kappa = Single(self.rate / (1 - self.alpha)), Single(1 / (1 - self.beta))
        for layer, (matrix, (mu, nu)) in enumerate(zip(self.matrices, self.moments, strict=True)):
            gradient = np.zeros_like(matrix)
            for of_value in self.kept:
                inputs, s = of_value[layer]
                gradient += np.multiply.outer(inputs, s)
            gradient *= Single(1 / 64)
            mu[:] = Single(0.9) * mu + Single(0.1) * gradient
            nu[:] = Single(0.999) * nu + Single(0.001) * (gradient * gradient)
            matrix -= (size * mu) / (np.sqrt(nu * kappa) + Single(1e-5))


# 13.7, 13.9. Contexts and the mixer


@dataclass
class Word:
    """A word of a line of a context's table."""

    p: int = 0
    n: int = 0
    n0: int = 0
    n1: int = 0

    def update(self, bit: int) -> None:
        rate = 131072 // (2 * self.n + 3)
        if bit:
            self.p += (65535 - self.p) * rate >> 16
            self.n1 = min(self.n1 + 1, 15)
            if self.n0 > 2:
                self.n0 = (self.n0 >> 1) + 1
        else:
            self.p -= self.p * rate >> 16
            self.n0 = min(self.n0 + 1, 15)
            if self.n1 > 2:
                self.n1 = (self.n1 >> 1) + 1
        self.n = min(self.n + 1, 127)


@dataclass
class Line:
    """The check in word 0, and the other words (that of number 0 is not used)."""

    check: int
    words: list[Word]


class Mixer:
    """The mixer: bits whose probability comes from inputs, by four sets of weights, gates and two maps (13.9)."""

    def __init__(self, weights: Singles, rows: int, least_rate: float) -> None:
        """`weights`: those that each row begins with."""
        self.rows, self.least_rate = rows, least_rate
        self.weights = np.tile(weights, (4, 1024, 1))
        self.gates = np.full((1024, 4), Single(0.25), np.float32)
        entries = np.array([sigmoid((j - 16) * 0.75) for j in range(33)]).astype(np.float32)
        self.maps = np.tile(entries, (2, rows, 1))
        self.mixed = 0
        self.p = 0  # the probability of the last bit

    def mix(self, decoder: ArithmeticDecoder, inputs: Singles, rows: Sequence[int], first: int, second: int) -> int:
        """A bit; `first` and `second` are its rows in the maps."""
        dots = [single_limited(d, 12) for d in dot(self.weights[np.arange(4), list(rows)], inputs, 16)]
        gates = self.gates[rows[0]]
        total = Single(0)
        for gate, d in zip(gates, dots, strict=True):
            total = total + gate * d
        total = single_limited(total, 12)

        u = (total + Single(12)) * Single(4 / 3)
        i = min(int(u), 31)
        part = u - Single(i)
        of_maps = [map_[row] for map_, row in zip(self.maps, (first, second), strict=True)]
        a, b = (entries[i] * (Single(1) - part) + entries[i + 1] * part for entries in of_maps)
        self.p = coin(Single(0.5) * squash(total) + Single(0.25) * (a + b))
        bit = decoder.bit(self.p)

        y = Single(bit)
        self.mixed += 1
        rate = Single(self.least_rate + 0.02 / (1 + self.mixed * 0.0005))
        epsilon = (y - squash(total)) * Single(0.002)
        for s, (row, d) in enumerate(zip(rows, dots, strict=True)):
            gates[s] += epsilon * d
            self.weights[s, row] += ((y - squash(d)) * rate) * inputs
        j = i + 1 if part > Single(0.5) else i
        for entries in of_maps:
            entries[j] += (y - entries[j]) * Single(0.02)
        return bit


class ContextMixer(Mixer):
    """A mixer of experts and contexts, with the tables of these (13.7)."""

    def __init__(self, contexts: int, lines: int, rows: int, lane: int, weights: npt.ArrayLike) -> None:
        """`lane`: the first of the contexts' inputs."""
        self.contexts, self.lines, self.lane = contexts, lines, lane
        self.apart = lane != FEW_LANE
        self.tables: list[dict[int, Line]] = [{} for _ in range(contexts)]  # the lines that are not all 0
        self.found: list[Line] = []
        n0, n1 = np.divmod(np.arange(256), 16)  # for H
        self.history = np.tile(((n1 + 0.5) / (n0 + n1 + 1)).astype(np.float32), (contexts, 1))
        super().__init__(padded(np.asarray(weights, np.float32), 16), rows, 0.002)

    def look_up(self, hashes: Iterable[int]) -> None:
        """Find the lines of all contexts."""
        self.found = []
        for table, hh in zip(self.tables, hashes, strict=True):
            place, check = (hh >> 20) % self.lines, 65536 + hh % 65536
            line = table.get(place)
            if line is None or line.check != check:
                line = table[place] = Line(check, [Word(32768) for _ in range(16)])
            self.found.append(line)

    def known(self, word: int) -> int:
        """The number of contexts that have seen this bit more than twice."""
        return sum(line.words[word].n > 2 for line in self.found)

    def inputs(self, experts: Singles, words: Sequence[Word], history: Singles) -> Singles:
        inputs = np.zeros(self.weights.shape[2], np.float32)
        inputs[: len(experts)] = experts
        inputs[0] = 0.3
        stretch = stretch_table()
        for number, (of_context, h) in enumerate(zip(words, history, strict=True)):
            slot = past = Single(0)
            if of_context.n:
                slot = stretch[of_context.p >> 4] * Single(min(1.0, of_context.n / 4))
                past = stretch[int(h * Single(4095))]
            if self.apart:
                position = self.lane + 2 * number
                inputs[position : position + 2] = slot, past
            else:
                inputs[self.lane + number] = slot + past
        return inputs

    def decode(self, decoder: ArithmeticDecoder, word: int, experts: Singles, rows: Sequence[int], first: int, second: int) -> int:
        """A bit; `word` is its word in the lines, `first` and `second` its rows in the maps."""
        words = [line.words[word] for line in self.found]
        places = (np.arange(len(words)), np.array([16 * of_context.n0 + of_context.n1 for of_context in words], np.int64))
        history = self.history[places]
        bit = self.mix(decoder, self.inputs(experts, words, history), rows, first, second)
        self.history[places] = history + (Single(bit) - history) * Single(0.01)
        for of_context in words:
            of_context.update(bit)
        return bit


def picture_mixer(contexts: int, lines: int, rows: int, networked: bool, predicted: bool) -> ContextMixer:
    """That of a pass."""
    lane, count = (FEW_LANE, contexts) if contexts <= FEW else (MANY_LANE, 2 * contexts)
    weights = np.zeros(lane + count)
    weights[lane:] = 0.05 if predicted else 0.15
    if predicted:
        weights[FIRST : FIRST + 7] = (0.3 if networked else 0.8) / 7
    if networked:
        weights[NETWORK] = 0.6
    return ContextMixer(contexts, lines, rows, lane, weights)


# 13.8. The tree of a value's decisions


@dataclass
class Node:
    """A decision: whether the value is at the edge or above it."""

    kind: int
    number: int
    line: int
    within: int  # the number in the line
    edge: int
    width: int = 0  # of the span that is halved


SIDE, DISTANCE, HALVING = range(3)


class Walk:
    """The way down the tree, to the one value that is at least `low` and below `top`."""

    def __init__(self, bits: int, around: tuple[int, int] | None) -> None:
        """`around`: the origin, and log2 of the first distance from it; None: bit by bit."""
        self.phase = HALVING if around is None else SIDE
        self.around, (self.origin, self.reach) = around is not None, around or (0, 0)
        self.low, self.top = 0, 1 << bits
        self.side = self.steps = 0
        self.number = self.line = 1

    @property
    def ends(self) -> bool:
        return self.phase == HALVING and self.top - self.low == 1

    def node(self) -> Node:
        if self.phase == SIDE:
            return Node(0, 1, 1, 1, self.origin)
        if self.phase == DISTANCE:
            far = 1 << self.reach + self.steps
            kind = 1 + min(self.steps, 6)
            number = 1 + 7 * self.side + kind
            return Node(kind, number, 1, number, self.origin + far if self.side else self.origin - far)
        width = self.top - self.low
        kind = 8 + min(width.bit_length() - 2, 7) if self.around else self.steps
        size = 1 << self.steps % 4
        return Node(kind, self.number, self.line, size + self.number % size, self.low + width // 2, width)

    def descend(self, node: Node, bit: int) -> None:
        if self.phase == SIDE:
            self.phase, self.side = DISTANCE, bit
        elif self.phase == DISTANCE:
            if bit == self.side:
                self.steps += 1
                return
            near, far = 1 << self.reach + self.steps - 1 if self.steps else 0, 1 << self.reach + self.steps
            self.low, self.top = (self.origin + near, self.origin + far) if self.side else (self.origin - far, self.origin - near)
            self.number = self.line = 16 + 8 * self.side + min(self.steps, 7)
            self.phase, self.steps = HALVING, 0
        else:
            self.number = 2 * self.number + bit
            self.steps += 1
            if self.steps % 4 == 0:
                self.line = self.number
            if bit:
                self.low = node.edge
            else:
                self.top = node.edge


class Tables:
    """Plain coding: by the mean of two probabilities."""

    def __init__(self) -> None:
        self.tables: list[dict[tuple[int, int], tuple[int, int]]] = [{}, {}]  # p, of 22 bits, and n, where they are not the first ones

    def decode(self, decoder: ArithmeticDecoder, node: Node, level: int, activity: int) -> int:
        number = node.number if node.number < 512 else 495 + node.kind
        found = [table.get((number, i), (1 << 21, 0)) for table, i in zip(self.tables, (level, activity), strict=True)]
        bit = decoder.bit(min(max((found[0][0] + found[1][0]) >> 7, 1), 65535))
        for table, i, (p, n) in zip(self.tables, (level, activity), found, strict=True):
            p += (bit * ((1 << 22) - 1) - p) * (131072 // (2 * n + 3)) >> 16
            table[number, i] = p, min(n + 1, 120)
        return bit


# 13, 13.3, 13.8. One pass: flat places, and the bits of a value


class Sure:
    """Bits as sure."""

    def __init__(self) -> None:
        self.y = [Single(sigmoid((1 if c % 2 else -1) * (c // 2 + 0.5) / 2)) for c in range(32)]

    def decode(self, decoder: ArithmeticDecoder, t: Single) -> int:
        c = 2 * min(int(Single(2) * abs(t)), 15) + int(t > 0)
        bit = decoder.bit(coin(self.y[c]))
        self.y[c] = self.y[c] + (Single(bit) - self.y[c]) * Single(0.002)
        return bit


class Noise:
    """What mixing is worth for noisy bits; without it they are decoded as noise."""

    def __init__(self) -> None:
        self.worth = [0.0] * 17

    def is_plain(self, row: int, kind: int) -> bool:
        return row % 8 != 0 and self.worth[kind] < 0.002

    def learn(self, kind: int, bit: int, plain: int, mixed: int) -> None:
        self.worth[kind] += (float(cost(plain, bit) - cost(mixed, bit)) - self.worth[kind]) * 0.001


class Flat:
    """The flat decision."""

    def __init__(self) -> None:
        self.f = [Single(0.9)] * 512
        self.history = 0  # the last six decisions
        self.run = 0

    def decode(self, decoder: ArithmeticDecoder, g: Sequence[int]) -> int:
        c = (g[4] == g[0]) + 2 * (g[5] == g[0]) + 4 * self.history + 256 * (self.run >= 17)
        bit = decoder.bit(coin(self.f[c]))
        self.f[c] = self.f[c] + (Single(bit) - self.f[c]) * Single(0.02)
        self.history = (2 * self.history + bit) % 64
        self.run = self.run + 1 if bit else 0
        return bit


class PassDecoder:
    """Decodes the values of a plane at the places of a pass."""

    def __init__(
        self,
        plan: Plan,
        plane: Plane,
        which: Pass,
        own: CodedPlane,
        references: Sequence[CodedPlane],
        corner: tuple[int, int],  # of the tile in the picture
        string: bytes,
    ) -> None:
        self.which, self.own, self.references, self.corner = which, own, references, corner
        self.largest, self.bits = plane.largest, plane.largest.bit_length()
        self.height, self.width = len(own.values), len(own.values[0])
        self.coding, self.coordinates = plan.coding, plan.coordinates
        self.gatherer = Gatherer(which, own.values, [reference.values for reference in references], self.largest)
        self.starts = self.gatherer.starts
        columns = len(range(which.left, self.width, which.step))
        self.predictions: Predictions | None = None
        if plan.predictors:
            self.predictions = Predictions(Bank(plan.predictors, which, self.starts, columns), columns, self.largest)
        self.network = self.network_of(plan, plane)
        self.mixture: Mixture | None = None
        self.contexts = contexts_of(plan.contexts, self.gatherer)
        places = len(range(which.top, self.height, which.step)) * columns
        lines = min(1 << plan.lines, power_of_two(2 * places * -(-self.bits // 4)))
        rows = min(16384, max(1024, power_of_two(2 * places))) if self.coding == BITS else 1024
        self.mixer = picture_mixer(len(self.contexts), lines, rows, self.network is not None, self.predictions is not None)
        self.noise, self.sure, self.flat, self.tables = Noise(), Sure(), Flat(), Tables()
        self.decoder = ArithmeticDecoder(string)

    def network_of(self, plan: Plan, plane: Plane) -> ContextNetwork | None:
        start = plane.deltas.get(self.which.name)
        if start is None:
            matrices = plan.networks.get(network_name(self.which, len(self.references), plan.kind))
            if matrices is None:
                return None
            start = Start(matrices, plan.learning)
        require(len(start.matrices[0]) == self.gatherer.count + 44 + 1, "a network with another number of inputs")
        return ContextNetwork(start.matrices, start.learning)

    def run(self) -> None:
        for row, y in enumerate(range(self.which.top, self.height, self.which.step)):
            for column, x in enumerate(range(self.which.left, self.width, self.which.step)):
                self.own.values[y][x] = self.value_at(y, x, row, column)
        self.decoder.finish()

    def value_at(self, y: int, x: int, row: int, column: int) -> int:
        g = self.gatherer.gather(y, x)
        if self.predictions is not None:
            self.predictions.begin(column)
        if self.is_flat(g) and self.flat.decode(self.decoder, g):
            if self.predictions is not None:
                self.predictions.pass_over(column)
            return g[0]
        activity = int(min(log2(1.0 + abs(g[0] - g[2]) + abs(g[1] - g[2]) + abs(g[1] - g[3])), 15.0))
        y8, x8 = (y + self.corner[0]) % 8, (x + self.corner[1]) % 8
        place = Place(y, x, row, column, g, y8, x8, activity, np.zeros(0, np.float32))
        if self.predictions is not None:
            self.predict(place, self.predictions)
            place.middle = place.said[BLEND + 1]
        if self.network is not None:
            self.mixture = Mixture(self.network.outputs(self.network_inputs(place)), Single(0), place.unit)
            place.middle = min(max(place.said[BLEND] + float(self.mixture.expected()), 0.0), float(self.largest))
        place.origin = int(place.middle + 0.5)
        value = self.decode_value(place)
        if self.predictions is not None:
            self.predictions.learn(place, value)
            self.own.residuals[y][x] = math.floor((value - place.said[BLEND]) * 8 + 0.5)
        if self.network is not None and self.mixture is not None:
            self.network.learn(self.mixture.gradient(Single(value - place.origin), value == 0, value == self.largest))
        return value

    def is_flat(self, g: Sequence[int]) -> bool:
        return g[0] == g[1] == g[2] == g[3] and all(g[b] == g[b + 1] == g[b + 2] for b in self.starts)

    # Prediction

    def residual(self, place: Place, dy: int, dx: int) -> int:
        y, x = place.y + dy * self.which.step, place.x + dx * self.which.step
        if y >= self.which.top and self.which.left <= x < self.width:
            return self.own.residuals[y][x]
        return self.largest >> 2

    def predict(self, place: Place, predictions: Predictions) -> None:
        g = place.g
        own, other = ((0, 2), (1, 3)) if self.which.regular else ((0, 4), (1, 5))
        groups = []
        for k, (start, stop) in enumerate(itertools.pairwise([0, *self.starts, len(g)])):
            first, last = own if k == 0 else other
            mean = Single(sum(g[start + first : start + last])) / Single(last - first)
            if k == 0:
                place.mean = mean
            groups.append(np.array(g[start:stop], np.float32) - mean)
        place.r = np.concatenate(groups)
        e = {tap: abs(self.residual(place, *tap)) for tap in CAUSAL[:6] if tap != (-2, 1)}
        near = 2 * (e[0, -1] + e[-1, 0]) + (e[-1, -1] + e[-1, 1]) + (e[0, -2] + e[-2, 0])
        place.unit = Single(0.25) + Single(near) * Single(1 / 64)
        place.level = min(int(2 * (log2(float(place.unit)) + 2)), 39)
        place.said[:4] = predictions.bank.predict(place.r, place.mean, self.largest)
        predictions.blend(place)
        if self.coding == PLAIN:
            place.said[BLEND + 1] = place.said[BLEND]
            return
        residuals = [self.residual(place, *tap) for tap in ((0, -1), (-1, 0), (-1, 1), (-1, -1))]
        predictions.correct(place, residuals, [reference.residuals[place.y][place.x] for reference in self.references])

    def network_inputs(self, place: Place) -> Singles:
        """The inputs of the context network (13.6)."""
        g, r, said, middle = place.g, place.r, place.said, place.said[BLEND]
        inverse = Single(1) / place.unit
        inputs = [soft(Single(middle - 0.5 * (g[0] + g[1])) * inverse)]
        inputs += [soft(Single(p - middle) * inverse) for p in (*said[:BLEND], *said[BLEND + 1 :])]
        inputs += [soft(Single(log2(float(e * inverse)))) for e in place.recent]
        inputs += [Single(min(log2(float(place.unit)), 8.0) * 0.25), soft(Single(log2((abs(g[0] - middle) + 0.25) * float(inverse))))]
        a = Single(0.25) * (((abs(r[0] - r[2]) + abs(r[1] - r[2])) + abs(r[1] - r[3])) + abs(r[0] - r[4]))
        inputs.append(soft(Single(log2(float((a + Single(0.25)) * inverse)))))
        residuals = [self.residual(place, *tap) for tap in CAUSAL[:4]]
        for reference in self.references[:2]:
            residuals += self.residuals_of(reference, place)
        residuals += [0] * (12 - len(residuals))
        inputs += [soft(Single(e) * (Single(0.125) * inverse)) for e in residuals]
        inputs += [Single(2 * middle / self.largest - 1), Single(2 * (middle - math.floor(middle)) - 1)]
        return np.concatenate([softs(inverse * r), np.array(inputs, np.float32), single_sine()[self.phases(place)]])

    def residuals_of(self, reference: CodedPlane, place: Place) -> list[int]:
        """Those at the place, to the right, below, and to the left."""
        y, x, step = place.y, place.x, self.which.step
        right, below, left = min(x + step, self.width - 1), min(y + step, self.height - 1), max(x - step, self.which.left)
        return [reference.residuals[y][x], reference.residuals[y][right], reference.residuals[below][x], reference.residuals[y][left]]

    def phases(self, place: Place) -> Ints:
        """The arguments of SINE that make the last inputs; 0, whose sine is 0, where there is no coordinate."""
        quarter = 16384
        phases = [8192 * i + turn for i in (place.y8, place.x8) for turn in (0, quarter)]
        if self.coordinates:
            of_place = (65536 * place.y // (2 * self.height), 65536 * place.x // (2 * self.width))
            phases += [(q << k) + turn for q in of_place for k in range(3) for turn in (0, quarter)]
        else:
            phases += [0] * 12
        return np.array(phases) % 65536

    # The decisions

    def decode_value(self, place: Place) -> int:
        middle, around = place.said[BLEND], None
        if self.coding != BITS and self.predictions is not None:
            around = place.origin, int(max(log2(self.predictions.errors[BLEND][place.level] + 0.5), 0.0))
        walk = Walk(self.bits, around)
        if self.coding == PLAIN:
            part = int((middle - math.floor(middle)) * 4)
        else:
            if self.mixture is not None:
                self.mixture.mean = self.mixture.mean + Single(middle - place.origin)
            means, inverses = [], []
            if self.predictions is not None:
                means, inverses = [p - place.origin for p in place.said], self.predictions.inverses(place.level)
            self.experts = Experts(self.mixture, means, inverses)
            self.hashes = self.context_hashes(place)
            self.line = -1  # that of the lines that were looked up
        while not walk.ends:
            node = walk.node()
            if node.edge <= 0:
                bit = 1
            elif node.edge > self.largest:
                bit = 0
            elif self.coding == PLAIN:
                bit = self.tables.decode(self.decoder, node, place.level, 4 * place.activity + part)
            else:
                bit = self.decode_bit(place, node)
            walk.descend(node, bit)
        return walk.low

    def decode_bit(self, place: Place, node: Node) -> int:
        stretched = self.experts.ask(node.edge - place.origin)
        t: Single = stretched[NETWORK if self.mixture is not None else FIRST]
        noisy = self.is_noisy(node)
        plain = coin(sigmoid(float(t))) if noisy else 0
        if noisy and self.noise.is_plain(place.row, node.kind):
            bit = self.decoder.bit(plain)
        elif self.coding == BITS and self.is_sure(stretched):
            bit = self.sure.decode(self.decoder, t)
        else:
            if self.line != node.line:
                self.line = node.line
                self.mixer.look_up(hashed(h, node.line) for h in self.hashes)
            bit = self.decode_mixed(place, node, stretched, t)
            if noisy:
                self.noise.learn(node.kind, bit, plain, self.mixer.p)
        self.experts.move(bit)
        return bit

    def is_sure(self, stretched: Singles) -> bool:
        if self.mixture is not None:
            return bool(abs(stretched[NETWORK]) > Single(5))
        return self.predictions is not None and bool((np.abs(stretched[FIRST : FIRST + 7]) > Single(3.5)).all())

    def is_noisy(self, node: Node) -> bool:
        if self.bits <= 8 or self.predictions is None:
            return False
        return node.width > 0 and bool(Single(node.width) * self.experts.inverse[FIRST] < Single(1))

    def decode_mixed(self, place: Place, node: Node, stretched: Singles, t: Single) -> int:
        kind, of_level = node.kind, 64 * node.kind + place.level
        if self.hashes or self.coding == AROUND:
            row2 = node.number if node.number < 512 else 512 + 16 * kind
        else:
            row2 = 64 * kind + 8 * place.y8 + place.x8
        first, second = row2 if self.hashes else of_level, row2
        if self.coding == AROUND:
            second = of_level
        elif self.hashes:
            second = (hashed(self.hashes[0], node.number) >> 16) % self.mixer.rows
        rows = (
            32 * kind + 2 * min(int(Single(2) * abs(t)), 15) + int(t > 0),
            16 * kind + place.activity,
            row2,
            40 * kind + (self.mixer.known(node.within) if len(self.hashes) > 8 else place.level),
        )
        return self.mixer.decode(self.decoder, node.within, stretched, rows, first, second)

    def context_hashes(self, place: Place) -> list[int]:
        """h of each context."""
        numbers = place.g + self.derived(place)
        hashes = []
        for number, which in enumerate(self.contexts):
            h = number
            for i in which:
                h = hashed(h, numbers[i])
            hashes.append(h)
        return hashes

    def derived(self, place: Place) -> list[int]:
        """d_0 … d_21; those of references that are not there are 0: no context uses them."""
        g, origin, middle = place.g, place.origin, place.middle
        gradients = [0, 0, 0, 0]
        for k, b in enumerate(self.starts[:2]):
            gradients[2 * k : 2 * k + 2] = g[0] + g[b] - g[b + 1], g[1] + g[b] - g[b + 2]
        numbers = [int(place.said[0] + 0.5), int(2 * place.said[0]), int(place.said[1] + 0.5), g[0] + g[1] - g[2]]
        numbers += [*gradients, place.level, int(2 * middle), *place.classes, origin]
        numbers += [number - origin for number in (g[0], g[1], *gradients[:2])]
        return [*numbers, int((middle - math.floor(middle)) * 4), place.level // 2]


# 14. Colours of a lattice


class Colours:
    """Decodes the three components of each place from its label."""

    def __init__(self, lattice: Lattice, lines: int, string: bytes) -> None:
        self.lattice = lattice
        self.mixer = ContextMixer(7, lines, 16384, 1, np.full(15, 0.15))
        self.chance = [Single(0.1)] * (12 * 8 * 32)
        self.decoder = ArithmeticDecoder(string)

    def decode(self, labels: Sequence[Grid]) -> Ints:
        """The indices of the components 0, 1 and 2."""
        height, width = len(labels[0]), len(labels[0][0])
        indices = np.zeros((3, height, width), np.int64)
        wrong = np.zeros((3, height + 1, width + 2), np.int64)  # with a border above, to the left and to the right
        for y, x in itertools.product(range(height), range(width)):
            label = [grid[y][x] + least for grid, least in zip(labels, self.lattice.least_label, strict=True)]
            for i in range(3):
                of_component = wrong[i]
                near = int(of_component[y + 1, x] + 2 * of_component[y, x + 1] + 4 * of_component[y, x + 2])
                before = sum(int(wrong[j, y + 1, x + 1]) << j for j in range(i))
                indices[i, y, x], of_component[y + 1, x + 1] = self.component(i, label, near, before)
        self.decoder.finish()
        return indices

    def component(self, i: int, label: Sequence[int], near: int, before: int) -> tuple[int, bool]:
        """A component of a place, and whether it was wrong."""
        a, b, c = label
        row = self.lattice.matrix[i]
        t = wrapped(row[0] * a + row[1] * b + row[2] * c + self.lattice.offset[i])
        part = (t >> 11) % 32
        small = ((4 * i + before) * 8 + near) * 32 + part
        predicted = min(max(wrapped(t + 2**15) >> 16, 0), self.lattice.limit)
        looked_up = False

        def mixed(node: int) -> int:
            nonlocal looked_up
            if not looked_up:
                self.mixer.look_up(hashed(h, 1) for h in colour_contexts(i, label, t, small, part))
                looked_up = True
            rows = (32 * i + part, 4 * near + before, 3 * (b % 256) + i, 3 * (a % 4) + i)
            return self.mixer.decode(self.decoder, node, np.zeros(16, np.float32), rows, 16 * rows[0] + node, 16 * rows[1] + node)

        sigma = self.chance[small]
        wrong = self.decoder.bit(coin(sigma)) if sigma < Single(1 / 128) else mixed(1)
        self.chance[small] = sigma + (Single(wrong) - sigma) * Single(0.01)
        if not wrong:
            return predicted, False
        negative = mixed(2)
        size = 1
        while size < 12 and mixed(2 + size):
            size += 1
        if size == 12:
            more = 0
            for _ in range(8):
                more = 2 * more + self.decoder.bit(32768)
            size += more
        return min(max(predicted + (-size if negative else size), 0), self.lattice.limit), True


def colour_contexts(i: int, label: Sequence[int], t: int, small: int, part: int) -> list[int]:
    """h of the seven contexts."""
    a, b, c = label
    whole, later, outer = hashed(hashed(a, b), c), hashed(b, c), hashed(a, c)
    return [
        small,
        hashed(i, t >> 11),
        hashed(whole, i),
        hashed(later, 4 * part + i),
        hashed(a, 4 * part + i),
        hashed(later, i),
        hashed(outer, 4 * part + i),
    ]


# 15. Contexts


def split(text: str) -> list[str]:
    return text.split()


OWN_NAMES = split("W N NW NE WW NN NNE NWW NEE NNW WWW NNN NNEE NNWW NWWW NEEE NNNW NNNE")
REFERENCE_NAMES = (
    split("G GW GN GE GS GNW GNE GSW GSE GEE GSS GWW GNN"),
    split("R RW RN RE RS RNW RNE RSW RSE REE RSS RWW RNN"),
    ["A"],
)
DERIVED_NAMES = split("P PHALF Q GRADIENT WG NG WR NR ERROR MEAN EW EN EG ER PATTERN ORIGIN DW DN DWG DNG PART LEVEL")

# The sets of contexts: a list for each number of references.

PHOTO = ("LEVEL PATTERN | DW DN | ORIGIN", "LEVEL PATTERN | DW DN | G ORIGIN", "LEVEL PATTERN | DWG DNG | G R ORIGIN")
GRAPHICS = (
    "| W | N | W N | W NW | N NE | W N NW | W N NE | W N NW NE | W WW N NW NE | W N NW NE WW NN | W N NW NE WW NN NNE NWW NEE"
    " | W N NW NE WW NN NNE NWW NEE NNW WWW NNN NNEE"
    " | W N NW NE WW NN NNE NWW NEE NNW WWW NNN NNEE NNWW NWWW NEEE NNNW NNNE | W WW WWW | N NN NNN",
    "G | G W | G N | G W N | G GW W | G GN N | G GW GN W N | G W N NW NE | G GW GN GNW GNE W N NW NE"
    " | G GW GN GE GS GNW GNE GSW GSE W N | G W N NW NE WW NN NNE NWW NEE | WG | NG | G WG NG"
    " | G GW GN GE GS W N NW NE WW NN | G GE W",
    "G R | G R W | G R N | G R W N | G R GW RW W | G R GN RN N | G R GW RW GN RN W N | G R W N NW NE"
    " | G R GE RE GS RS W N | G R W N NW NE WW NN NNE | G W | WG WR | NG NR | R W N | R RW W | G GW R RW WG",
    "G R A | G R A W | G R A N | G R A W N | G R A GW RW W | G R A GN RN N | G R GW RW GN RN W N A | G R W N NW NE"
    " | G R GE RE GS RS W N | G R W N NW NE WW NN NNE | G W | WG WR | NG NR | R W N A | R RW W | G GW R RW WG",
)


def contexts_of(setting: int, gatherer: Gatherer) -> list[list[int]]:
    """The numbers of each context, as places in the gathered and derived numbers."""
    if setting == 0:
        return []
    lists = PHOTO if setting == 1 else GRAPHICS
    contexts = [context.split() for context in lists[min(len(gatherer.starts), len(lists) - 1)].split("|")]
    if setting == 3:
        contexts = [contexts[number] for number in (0, 3, 5, 6, 8, 10)]
    own_last = len(gatherer.own_taps) - 1
    places = {name: min(i, own_last) for i, name in enumerate(OWN_NAMES)}
    for names, start in zip(REFERENCE_NAMES, gatherer.starts, strict=False):
        places |= {name: start + i for i, name in enumerate(names)}
    places |= {name: gatherer.count + i for i, name in enumerate(DERIVED_NAMES)}
    return [[places[name] for name in context] for context in contexts]
