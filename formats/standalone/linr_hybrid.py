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
class Plan:
    """HYBR, read and checked."""

    kind: int
    predictors: int
    units: int
    learning: int
    coordinates: bool
    contexts: int
    lines: int
    networks: dict[str, list[Singles]]  # those of the prior
    sources: list[Ints]  # the values of the indices 0 … largest
    lattice: Lattice | None
    palette: Ints | None  # indices: source, colour
    planes: list[Plane]


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
    occurs = np.unpackbits(np.frombuffer(read_blob(reader, (last + 8) // 8), np.uint8))
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
    require(len(sources) <= 4, "a palette of more than four sources")
    colours = reader.varint()
    require(1 <= colours <= 4096, "the number of colours is out of range")
    blob = read_blob(reader, 2 * colours * len(sources))
    palette = np.frombuffer(blob, "<u2").astype(np.int64).reshape(len(sources), colours)
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


def read_plan(content: bytes, head: Head) -> Plan:
    """The content of HYBR."""
    require(head.kind != "audio" and len(head.axes) >= 2 and head.bits <= 16, "not a signal for the profile hybrid")
    reader = Reader(content)
    kind, predictors = read_flag(reader, 2), read_flag(reader, 2)
    units = reader.byte()
    require(units in (0, 16, 32, 64) and (predictors > 0 or units == 0), "the number of units is out of range")
    learning = reader.byte()
    coordinates = bool(read_flag(reader, 1))
    contexts, lines = read_flag(reader, 3), read_flag(reader, 18)
    require(lines >= 1, "a setting of the plan is out of range")
    networks = read_prior(reader.take(8), units) if units > 0 else {}

    count = head.channels * math.prod(head.axes[:-2])
    require(count <= 1 << 16, "a picture of too many sources")
    require(reader.varint() == count, "another number of sources than the signal has")
    sources = [read_source(reader, head.bits) for _ in range(count)]
    lattice = read_lattice(reader, sources) if kind == LATTICE else None
    palette = read_palette(reader, sources) if kind == PALETTE else None

    planes: list[Plane] = []
    unnamed = set(range(1 if kind == PALETTE else count))
    while unnamed:
        plane = read_plane(reader, planes)
        require(plane.source in unnamed, "a source that is not there, or named twice")
        unnamed.remove(plane.source)
        largest = largest_of(len(planes), plane.source, kind, sources, palette)
        require(largest is None or plane.largest == largest, "a plane whose largest value is not that of its source")
        planes.append(plane)
    if reader.position < len(content):
        read_deltas(reader, kind, networks, planes)
    reader.finish()
    return Plan(kind, predictors, units, learning, coordinates, contexts, lines, networks, sources, lattice, palette, planes)


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


def read_strings(tile: bytes, count: int) -> Iterator[bytes]:
    """The arithmetic-coded strings of a tile."""
    reader = Reader(tile)
    lengths = [reader.varint() for _ in range(count)]
    strings = [reader.take(length) for length in lengths]
    reader.finish()
    return iter(strings)


def decode_tile(tile: bytes, span: Span, head: Head, plan: Plan) -> Words:
    """The values of a tile, those of a place together."""
    require(all(part == slice(0, axis) for part, axis in zip(span[:-2], head.axes[:-2], strict=True)), "a tile cuts a leading axis")
    row, column = span[-2].start, span[-1].start
    height, width = span[-2].stop - row, span[-1].stop - column
    passes = [passes_of(plane, height, width) for plane in plan.planes]
    strings = read_strings(tile, sum(map(len, passes)) + (plan.kind == LATTICE))

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
WORD = (1 << 64) - 1


def checked(entries: Iterable[int], shift: int, digest: str) -> list[float]:
    numbers = list(entries)
    if hashlib.sha256(np.array(numbers, "<i8").tobytes()).hexdigest() != digest:
        raise RuntimeError("a table of the profile hybrid is wrong")
    return [number / 2**shift for number in numbers]


def nearest(x: decimal.Decimal) -> int:
    return int(x.to_integral_value(decimal.ROUND_HALF_EVEN))


@cache
def exp2_table() -> list[float]:
    with decimal.localcontext(prec=60):
        ln2 = decimal.Decimal(2).ln()
        entries = [nearest(2**30 * (ln2 * i / 256).exp()) for i in range(257)]
    return checked(entries, 30, "a78b7ce471df25af4c297d4047f969d40430cd63b5d7486fb9731c34d479855d")


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


def exp2(x: float) -> float:
    n = math.floor(x)
    t = (x - n) * 256
    i = int(t)
    e = exp2_table()
    return math.ldexp(e[i] + (e[i + 1] - e[i]) * (t - i), n)


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


def odds(a: float, b: float) -> float:
    return min(max(LN2 * log2(a / b), -12.0), 12.0)


def soft(z: float) -> float:
    return z / (1 + 0.25 * abs(z))


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


# 13.1, 13.2. Groups of values and gathering

Tap = tuple[int, int]


def taps(text: str) -> list[Tap]:
    numbers = [int(number) for number in text.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


CAUSAL = taps("0 -1 -1 0 -1 -1 -1 1 0 -2 -2 0 -2 1 -1 -2 -1 2 -2 -1 0 -3 -3 0 -2 2 -2 -2 -1 -3 -1 3 -3 -1 -3 1")
AROUND = taps("0 0 0 -1 -1 0 0 1 1 0 -1 -1 -1 1 1 -1 1 1 0 2 2 0 0 -2 -2 0")
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
            scaled = [[(dy * which.step, dx * which.step) for dy, dx in group] for group in (CAUSAL, AROUND)]
            self.own_taps, self.reference_taps = scaled
            self.causal_taps = range(len(CAUSAL))
        else:
            self.own_taps = OF_PASS[which.name]
            near = [(0, 0), *self.own_taps[:4]]
            self.reference_taps = near + [tap for tap in AROUND if tap not in near]
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


# 13.4, 13.5. Prediction, and the predictors' distributions


def solution(sums: Doubles, right: Doubles, ridge: float) -> Doubles | None:
    """The weights that solve sums, with `ridge` added to the diagonal; only the part with j ≥ i of the sums is used."""
    u, z = sums.copy(), right.copy()
    n = len(z)
    u[np.arange(n), np.arange(n)] += ridge
    for i in range(n):  # when row i is reached, all rows k < i have been taken off it, in their order
        if not u[i, i] > 1e-9:
            return None
        inverse = 1.0 / math.sqrt(u[i, i])
        u[i, i:] *= inverse
        z[i] *= inverse
        u[i + 1 :, i + 1 :] -= np.multiply.outer(u[i, i + 1 :], u[i, i + 1 :])
        z[i + 1 :] -= u[i, i + 1 :] * z[i]
    weights = np.zeros(n)
    for i in range(n - 1, -1, -1):
        terms = np.concatenate([z[i : i + 1], u[i, i + 1 :] * weights[i + 1 :]])
        weights[i] = np.subtract.accumulate(terms)[-1] / u[i, i]
    return weights


class Predictor:
    """A least squares predictor, and an expert. Its regressors are the numbers r_i with i in `used`."""

    def __init__(self, used: Sequence[int], block: int, every: int, fading: float, columns: int) -> None:
        self.used, self.block, self.every, self.fading = list(used), block, every, fading
        blocks, n = -(-columns // block), len(self.used)
        self.a = np.zeros((blocks, n, n))  # only the part with j ≥ i is ever used
        self.b = np.zeros((blocks, n))
        self.weights = [0.5, 0.5] + [0.0] * (n - 2)
        self.errors = [(ROOT2 if level % 2 else 1.0) * 2.0 ** (level // 2 - 2) for level in range(40)]  # D
        self.p = 0.0

    def fade(self, column: int) -> None:
        if column % self.block == 0:
            self.a[column // self.block] *= self.fading
            self.b[column // self.block] *= self.fading

    def solve(self, column: int) -> None:
        if column % self.every:
            return
        block = column // self.block
        u, z = self.a[block].copy(), self.b[block].copy()
        for other in (block - 1, block + 1):
            if 0 <= other < len(self.a):
                u += self.a[other]
                z += self.b[other]
        weights = solution(u, z, 1.0)
        if weights is not None:
            self.weights = weights.tolist()

    def predict(self, r: Sequence[float], mean: float, largest: int) -> float:
        p = 0.0
        for i, w in zip(self.used, self.weights, strict=True):
            p += w * r[i]
        self.p = min(max(mean + p, 0.0), float(largest))
        return self.p

    def learn(self, column: int, r: Sequence[float], weight: float, difference: float) -> None:
        regressors = np.array([r[i] for i in self.used])
        weighted = regressors * weight
        self.a[column // self.block] += np.multiply.outer(weighted, regressors)
        self.b[column // self.block] += weighted * difference

    def inverse(self, level: int) -> float:
        return 1 / (0.6 * self.errors[level] + 0.03)

    def below(self, half: int, level: int) -> float:
        """The mass below."""
        return sigmoid((half - 0.5 - self.p) * self.inverse(level))

    def learn_error(self, value: int, level: int) -> None:
        self.errors[level] += (abs(value - self.p) - self.errors[level]) * 0.01


def predictors_of(count: int, which: Pass, starts: Sequence[int], columns: int) -> list[Predictor]:
    """The wide and the narrow one, as far as there are."""
    if which.regular:
        wide, narrow = (14 if starts else 18, 9), (6, 3)
    else:
        wide, narrow = (14, 5), (8, 3)

    def used(own: int, other: int) -> list[int]:
        return [*range(own), *(b + i for b in starts for i in range(other))]

    found = []
    if count == 2:
        found.append(Predictor(used(*wide), 16, 16 // which.step, 0.9, columns))
    if count > 0:
        found.append(Predictor(used(*narrow), 8, 8 if len(found) else 16, 0.8, columns))
    return found


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
    r: list[float]
    mean: float = 0.0  # mean_0
    p1: float = 0.0
    p2: float = 0.0
    unit: float = 0.0
    level: int = 0
    expected: int = 0  # MEAN


# 13.6. The context network


class Mixture:
    """The mixture of logistics that the context network's outputs stand for: an expert."""

    def __init__(self, outputs: Singles, centre: float, unit: float) -> None:
        o = [float(output) for output in outputs]
        top = max(o[:4])
        shares = [exp2(max(o[k] - top, -30.0)) for k in range(4)]
        total = 0.0
        for share in shares:
            total += share
        self.share = [share / total for share in shares]
        self.mean = [centre + unit * o[4 + k] for k in range(4)]
        self.inverse = [1 / max(unit * exp2(min(max(o[8 + k], -12.0), 12.0)), 0.03) for k in range(4)]

    def below(self, edge: float) -> float:
        total = 0.0
        for share, mean, inverse in zip(self.share, self.mean, self.inverse, strict=True):
            total += share * sigmoid((edge - mean) * inverse)
        return total

    def expected(self) -> float:
        total = 0.0
        for share, mean in zip(self.share, self.mean, strict=True):
            total += share * mean
        return total

    def gradient(self, value: int, largest: int, unit: float) -> Singles:
        """δ: the gradient at the outputs."""
        parts, of_mean, of_width = [], [], []
        total = 0.0
        for share, mean, inverse in zip(self.share, self.mean, self.inverse, strict=True):
            hi, lo = (value + 0.5 - mean) * inverse, (value - 0.5 - mean) * inverse
            upper = sigmoid(hi) if value < largest else 1.0
            lower = sigmoid(lo) if value > 0 else 0.0
            upper_derivative, lower_derivative = upper * (1 - upper), lower * (1 - lower)
            part = share * (upper - lower)
            total += part
            parts.append(part)
            of_mean.append(share * (upper_derivative - lower_derivative) * inverse * unit)
            of_width.append(share * (upper_derivative * hi - lower_derivative * lo) * LN2)
        sigma = 1 / (total + 2.0**-20)
        deltas = [float(Single(delta)) for delta in parts + of_mean + of_width]
        result = [(share * total - delta) * sigma * LN2 for share, delta in zip(self.share, deltas, strict=False)]
        result += [min(max(delta * sigma, -8.0), 8.0) for delta in deltas[4:]]
        return np.array([*result, 0, 0, 0, 0]).astype(np.float32)


def activated(x: Singles) -> tuple[Singles, Singles]:
    """h and d of the sums of a layer: the outputs and the derivatives."""
    half, one = Single(0.5), Single(1)
    rho: Singles = one / (one + np.abs(x))
    q: Singles = x * rho
    h: Singles = (half * x) * (one + q)
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
            h, d = activated(summed(self.inputs[-1][:, None] * matrix))
            self.inputs.append(with_one(h))
            self.derivatives.append(d)
        outputs: Singles = summed(self.inputs[-1][:, None] * self.matrices[2])
        return outputs

    def learn(self, delta: Singles) -> None:
        """Learn from the last outputs."""
        if self.rate == 0:
            return
        s2 = summed(delta[:, None] * self.matrices[2][:-1].T) * self.derivatives[1]
        s1 = summed(s2[:, None] * self.matrices[1][:-1].T) * self.derivatives[0]
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


def eight(sums: Sequence[Any] | npt.NDArray[Any]) -> Any:
    """The sum of eight sums."""
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]))


class Mixer:
    """The mixer: bits whose probability comes from inputs, by four sets of weights, gates and two maps (13.9)."""

    def __init__(self, weights: Singles, rows: int, least_rate: float) -> None:
        """`weights`: those that each row begins with."""
        self.rows, self.least_rate = rows, least_rate
        self.weights = np.tile(weights, (4, 1024, 1))
        self.gates = np.full((1024, 4), Single(0.25), np.float32)
        entries = np.array([sigmoid((j - 16) * 0.75) for j in range(33)] + [0.0]).astype(np.float32)
        self.maps = np.tile(entries, (2, rows, 1))  # the entry 33 is read with the weight 0, never written
        self.mixed = 0
        self.p = 0  # the probability of the last bit

    def dots(self, inputs: Singles, rows: Sequence[int]) -> list[Single]:
        weights = self.weights[np.arange(4), list(rows)]
        terms = (weights * inputs).reshape(4, -1, 8).transpose(1, 2, 0)  # j + 8k of set s lies at [k, j, s]
        return [single_limited(dot, 12) for dot in eight(summed(terms))]

    def mix(self, decoder: ArithmeticDecoder, inputs: Singles, rows: Sequence[int], first: int, second: int, alone: bool = False) -> int:
        """A bit; `first` and `second` are its rows in the maps. `alone`: the first input takes the place of the total."""
        dots = self.dots(inputs, rows)
        gates = self.gates[rows[0]]
        total = Single(0)
        for gate, dot in zip(gates, dots, strict=True):
            total = total + gate * dot
        total = single_limited(total, 12)
        if alone:
            total = inputs[0]

        u = (total + Single(12)) * Single(4 / 3)
        i = int(u)
        part = u - Single(i)
        of_maps = [map_[row] for map_, row in zip(self.maps, (first, second), strict=True)]
        a, b = (entries[i] * (Single(1) - part) + entries[i + 1] * part for entries in of_maps)
        self.p = coin(Single(0.5) * squash(total) + Single(0.25) * (a + b))
        bit = decoder.bit(self.p)

        y = Single(bit)
        self.mixed += 1
        rate = Single(self.least_rate + 0.02 / (1 + self.mixed * 0.0005))
        epsilon = (y - squash(total)) * Single(0.002)
        for s, (row, dot) in enumerate(zip(rows, dots, strict=True)):
            if alone:
                break
            gates[s] += epsilon * dot
            self.weights[s, row] += ((y - squash(dot)) * rate) * inputs
        j = i + 1 if part > Single(0.5) else i
        for entries in of_maps:
            entries[j] += (y - entries[j]) * Single(0.02)
        return bit


class ContextMixer(Mixer):
    """A mixer of experts and contexts, with the tables of these (13.7)."""

    def __init__(self, contexts: int, lines: int, rows: int, experts: int) -> None:
        self.contexts, self.lines = contexts, lines
        self.tables: list[dict[int, Line]] = [{} for _ in range(contexts)]  # the lines that are not all 0
        self.found: list[Line] = []
        n0, n1 = np.divmod(np.arange(256), 16)  # for H
        self.history = np.tile(((n1 + 0.5) / (n0 + n1 + 1)).astype(np.float32), (contexts, 1))
        self.size = -(-(experts + 1 + 2 * contexts) // 8) * 8
        weights = np.full(self.size, Single(0.15 if contexts else 0.3), np.float32)
        if experts:
            weights[1:experts] = Single((0.6 if contexts else 1.0) / experts)
            weights[0] = Single(0.4 if contexts else 0.7)
        super().__init__(weights, rows, 0.002)

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

    def inputs(self, experts: Sequence[Single], words: Sequence[Word], history: Singles) -> Singles:
        inputs = np.zeros(self.size, np.float32)
        inputs[: len(experts) + 1] = [*experts, Single(0.3)]
        stretch = stretch_table()
        position = len(experts) + 1
        for of_context, h in zip(words, history, strict=True):
            if of_context.n:
                inputs[position] = stretch[of_context.p >> 4] * Single(min(1.0, of_context.n / 4))
                inputs[position + 1] = stretch[int(h * Single(4095))]
            position += 2
        return inputs

    def decode(self, decoder: ArithmeticDecoder, word: int, experts: Sequence[Single], rows: Sequence[int], first: int, second: int) -> int:
        """A bit; `word` is its word in the lines, `first` and `second` its rows in the maps."""
        words = [line.words[word] for line in self.found]
        places = (np.arange(self.contexts), np.array([16 * of_context.n0 + of_context.n1 for of_context in words], np.int64))
        history = self.history[places]
        inputs = self.inputs(experts, words, history)
        bit = self.mix(decoder, inputs, rows, first, second, len(experts) == 1 and not self.contexts)
        self.history[places] = history + (Single(bit) - history) * Single(0.01)
        for of_context in words:
            of_context.update(bit)
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
        self.worth = [0.0] * 16

    def is_plain(self, row: int, b: int) -> bool:
        return row % 8 != 0 and self.worth[b] < 0.002

    def learn(self, b: int, bit: int, plain: int, mixed: int) -> None:
        self.worth[b] += (float(cost(plain, bit) - cost(mixed, bit)) - self.worth[b]) * 0.001


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
        self.coordinates = plan.coordinates
        self.gatherer = Gatherer(which, own.values, [reference.values for reference in references], self.largest)
        self.starts = self.gatherer.starts
        columns = len(range(which.left, self.width, which.step))
        self.predictors = predictors_of(plan.predictors, which, self.starts, columns)
        self.network = self.network_of(plan, plane)
        self.mixture: Mixture | None = None
        self.contexts = contexts_of(plan.contexts, self.gatherer)
        places = len(range(which.top, self.height, which.step)) * columns
        lines = min(1 << plan.lines, power_of_two(2 * places * -(-self.bits // 4)))
        rows = min(16384, max(1024, power_of_two(2 * places)))
        self.mixer = ContextMixer(len(self.contexts), lines, rows, len(self.predictors) + (self.network is not None))
        self.noise, self.sure, self.flat = Noise(), Sure(), Flat()
        self.decoder = ArithmeticDecoder(string)

    def network_of(self, plan: Plan, plane: Plane) -> ContextNetwork | None:
        start = plane.deltas.get(self.which.name)
        if start is None:
            matrices = plan.networks.get(network_name(self.which, len(self.references), plan.kind))
            if matrices is None:
                return None
            start = Start(matrices, plan.learning)
        require(len(start.matrices[0]) == self.gatherer.count + 29 + 1, "a network with another number of inputs")
        return ContextNetwork(start.matrices, start.learning)

    def run(self) -> None:
        for row, y in enumerate(range(self.which.top, self.height, self.which.step)):
            for column, x in enumerate(range(self.which.left, self.width, self.which.step)):
                self.own.values[y][x] = self.value_at(y, x, row, column)
        self.decoder.finish()

    def value_at(self, y: int, x: int, row: int, column: int) -> int:
        for predictor in self.predictors:
            predictor.fade(column)
        g = self.gatherer.gather(y, x)
        if self.is_flat(g) and self.flat.decode(self.decoder, g):
            return g[0]
        place = Place(y, x, row, column, g, (y + self.corner[0]) % 8, (x + self.corner[1]) % 8, [])
        if self.predictors:
            self.predict(place)
        if self.network is not None:
            self.mixture = Mixture(self.network.outputs(self.network_inputs(place)), place.p1, place.unit)
            place.expected = int(2 * min(max(self.mixture.expected(), 0.0), float(self.largest)))
        value = self.decode_value(place)
        if self.predictors:
            self.learn(place, value)
        return value

    def is_flat(self, g: Sequence[int]) -> bool:
        return g[0] == g[1] == g[2] == g[3] and all(g[b] == g[b + 1] == g[b + 2] for b in self.starts)

    # Prediction

    def residual(self, place: Place, dy: int, dx: int) -> int:
        y, x = place.y + dy * self.which.step, place.x + dx * self.which.step
        if y >= self.which.top and self.which.left <= x < self.width:
            return self.own.residuals[y][x]
        return self.largest >> 2

    def predict(self, place: Place) -> None:
        g = place.g
        own, other = ((0, 2), (1, 3)) if self.which.regular else ((0, 4), (1, 5))
        starts = [0, *self.starts, len(g)]
        for k, (start, stop) in enumerate(itertools.pairwise(starts)):
            first, last = own if k == 0 else other
            mean = sum(g[start + first : start + last]) / (last - first)
            if k == 0:
                place.mean = mean
            place.r += [value - mean for value in g[start:stop]]
        e = {tap: abs(self.residual(place, *tap)) for tap in CAUSAL[:6]}
        near = 2 * (e[0, -1] + e[-1, 0]) + (e[-1, -1] + e[-1, 1]) + (e[0, -2] + e[-2, 0])
        place.unit = 0.25 + near * (1 / 64)
        place.level = min(int(2 * (log2(place.unit) + 2)), 39)
        for predictor in self.predictors:
            predictor.solve(place.column)
            predictor.predict(place.r, place.mean, self.largest)
        place.p1, place.p2 = self.predictors[0].p, self.predictors[-1].p

    def learn(self, place: Place, value: int) -> None:
        t = 1 / (0.5 + place.unit + 0.25 * abs(value - place.p1))
        for predictor in self.predictors:
            predictor.learn(place.column, place.r, t * t, value - place.mean)
            predictor.learn_error(value, place.level)
        self.own.residuals[place.y][place.x] = math.floor((value - place.p1) * 8 + 0.5)
        if self.network is not None and self.mixture is not None:
            self.network.learn(self.mixture.gradient(value, self.largest, place.unit))

    def network_inputs(self, place: Place) -> Singles:
        """The inputs of the context network (13.6)."""
        g, r, p1, p2, unit = place.g, place.r, place.p1, place.p2, place.unit
        inverse = 1 / unit
        inputs = [soft(x * inverse) for x in r]
        inputs += [soft((p1 - 0.5 * (g[0] + g[1])) * inverse), soft((p2 - p1) * inverse)]
        a = 0.25 * (abs(r[0] - r[2]) + abs(r[1] - r[2]) + abs(r[1] - r[3]) + abs(r[0] - r[4]))
        inputs += [min(log2(unit), 8.0) * 0.25, log2((abs(g[0] - p2) + 0.25) * inverse), log2((a + 0.25) * inverse)]
        residuals = [self.residual(place, *tap) for tap in CAUSAL[:4]]
        residuals += [reference.residuals[place.y][place.x] for reference in self.references[:2]]
        residuals += [0] * (6 - len(residuals))
        inputs += [soft((e * 0.125) * inverse) for e in residuals]
        inputs += [2 * p1 / self.largest - 1, 2 * (p1 - math.floor(p1)) - 1]
        return np.concatenate([np.array(inputs).astype(np.float32), single_sine()[self.phases(place)]])

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

    # The bits

    def below(self, half: int, level: int) -> list[float]:
        """q of all experts: their mass below `half`."""
        of_network = [] if self.mixture is None else [self.mixture.below(half - 0.5)]
        return of_network + [predictor.below(half, level) for predictor in self.predictors]

    def stretched(self, q: Sequence[float], q_low: Sequence[float], q_top: Sequence[float]) -> list[float]:
        """t of all experts: the stretched probability of a 1."""
        t = []
        for number, (middle, low, top) in enumerate(zip(q, q_low, q_top, strict=True)):
            if number == 0 and self.mixture is not None:
                t.append(odds(max(top - middle, 0.0) + 1e-7, max(middle - low, 0.0) + 1e-7))
            else:
                t.append(min(max(odds(top - middle + 1e-6, middle - low + 1e-6), -9.0), 9.0))
        return t

    def is_sure(self, stretched: Sequence[float]) -> bool:
        asked, limit = (stretched[:1], 5.0) if self.mixture is not None else (stretched, 3.5)
        return bool(asked) and all(abs(t) > limit for t in asked)

    def is_noisy(self, low: int, top: int, level: int) -> bool:
        return self.bits > 8 and bool(self.predictors) and (top - low) * self.predictors[0].inverse(level) < 1

    def decode_value(self, place: Place) -> int:
        hashes = self.context_hashes(place)
        g = place.g
        activity = int(min(log2(1.0 + abs(g[0] - g[2]) + abs(g[1] - g[2]) + abs(g[1] - g[3])), 15.0))
        low, top, prefix = 0, 1 << self.bits, 1
        experts = len(self.below(0, place.level))
        q_low, q_top = [0.0] * experts, [1.0] * experts
        group = -1  # the group of bits whose lines were looked up
        for b in range(self.bits):
            half = (low + top) >> 1
            if half > self.largest:
                prefix, top = 2 * prefix, half
                continue
            q = self.below(half, place.level)
            stretched = self.stretched(q, q_low, q_top)
            noisy = self.is_noisy(low, top, place.level)
            plain = coin(sigmoid(float(Single(stretched[0])))) if noisy else 0
            if noisy and self.noise.is_plain(place.row, b):
                bit = self.decoder.bit(plain)
            elif self.is_sure(stretched):
                bit = self.sure.decode(self.decoder, Single(stretched[0]))
            else:
                if group != b // 4:
                    group = b // 4
                    self.mixer.look_up(hashed(h, prefix >> b % 4) for h in hashes)
                bit = self.decode_mixed(place, b, prefix, [Single(t) for t in stretched], hashes, activity)
                if noisy:
                    self.noise.learn(b, bit, plain, self.mixer.p)
            prefix = 2 * prefix + bit
            if bit:
                low, q_low = half, q
            else:
                top, q_top = half, q
        return low

    def decode_mixed(self, place: Place, b: int, prefix: int, experts: Sequence[Single], hashes: Sequence[int], activity: int) -> int:
        word = (1 << b % 4) + prefix % (1 << b % 4)
        t = experts[0] if experts else Single(0)
        if hashes:
            row2 = prefix if b < 9 else 32 * b
            first, second = row2, (hashed(hashes[0], prefix) >> 16) % self.mixer.rows
        else:
            row2 = 64 * min(b, 15) + 8 * place.y8 + place.x8
            first, second = 64 * b + place.level, row2
        rows = (
            32 * b + 2 * min(int(Single(2) * abs(t)), 15) + int(t > 0),
            16 * b + activity,
            row2,
            40 * b + (self.mixer.known(word) if len(hashes) > 6 else place.level),
        )
        return self.mixer.decode(self.decoder, word, experts, rows, first, second)

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
        """d_0 … d_9; those of references that are not there are 0: no context uses them."""
        g = place.g
        gradients = [0, 0, 0, 0]
        for k, b in enumerate(self.starts[:2]):
            gradients[2 * k : 2 * k + 2] = g[0] + g[b] - g[b + 1], g[1] + g[b] - g[b + 2]
        predicted = [int(place.p1 + 0.5), int(2 * place.p1), int(place.p2 + 0.5)]
        return [*predicted, g[0] + g[1] - g[2], *gradients, place.level, place.expected]


# 14. Colours of a lattice


class Colours:
    """Decodes the three components of each place from its label."""

    def __init__(self, lattice: Lattice, lines: int, string: bytes) -> None:
        self.lattice = lattice
        self.mixer = ContextMixer(7, lines, 16384, 0)
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
            return self.mixer.decode(self.decoder, node, [], rows, 16 * rows[0] + node, 16 * rows[1] + node)

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
DERIVED_NAMES = split("P PHALF Q GRADIENT WG NG WR NR ERROR MEAN")

# The sets of contexts: a list for each number of references.

PHOTO = (
    "W N | PHALF | P Q | MEAN ERROR | W N NW | N NE",
    "G P | G MEAN | WG NG | PHALF | G W N | G GW GN WG",
    "G R | G R P | WG WR | G MEAN | G R W | PHALF Q",
)
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
