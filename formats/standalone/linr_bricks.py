"""Arrays in the profile `hybrid` of linr.py (SPEC.md, 21), in plain Python and NumPy, written from SPEC.md alone.

As in linr_hybrid.py and linr_sound.py, whose parts it uses, no step leaves the order of an addition to NumPy, except
`np.add.accumulate`. Integers of a brick are Python's, real numbers f64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from linr import ArithmeticDecoder, Head, Ints, Reader, Span, Words, require, unbrotli
from linr_hybrid import (
    FIRST,
    HALVING,
    NETWORK,
    ROOT2,
    UNITS,
    ContextMixer,
    ContextNetwork,
    Doubles,
    Experts,
    Mixture,
    Node,
    Single,
    Singles,
    Tap,
    Walk,
    coin,
    dot,
    eliminated,
    hashed,
    log2,
    padded,
    read_blob,
    single_sine,
    softs,
    substituted,
    taps,
    wrapped,
)
from linr_sound import first_network

# 21. The plan

STORED_MANTISSA = (0, 10, 7, 23, 52)  # P, by kind
LEAST_EXPONENT = (0, -24, -133, -149, -1074)  # l
HUGE = 2.0**100


@dataclass
class Plan:
    """HYBR of an array, read and checked."""

    kind: int
    offset: int
    step: int


def read_plan(content: bytes, head: Head) -> Plan:
    """The content of HYBR."""
    reader = Reader(content)
    require(reader.byte() == 4, "not the plan of an array")
    plan = Plan(reader.byte(), 0, 1)
    require(plan.kind <= 4, "an unknown kind of values")
    if plan.kind > 0:
        plan.offset, plan.step = reader.signed(), reader.varint()
        require(-(1 << 63) <= plan.offset < 1 << 63, "the offset of the plan is out of range")
        require(1 <= plan.step < 1 << 63, "the step of the plan is out of range")
        require(plan.offset + ((1 << head.bits) - 1) // 2 * plan.step < 1 << 63, "the values of the plan are out of range")
    reader.finish()
    return plan


# 21.1. Bricks


@dataclass
class Brick:
    """What a brick says before its numbers."""

    shape: tuple[int, ...]  # of its coordinate axes
    channels: int
    bits: int  # of HEAD
    order: tuple[int, ...] = ()  # of the axes, the slowest first
    rows: bool = False
    coded: list[list[int]] = field(default_factory=list)  # the places along each axis that are coded
    mirror: tuple[int, int] | None = None  # axis, sum
    least: int = 0
    largest: int = 0
    table: list[int] | None = None  # T
    size: int = 0
    decay: int = 0
    units: int = 0
    learning: int = 0
    contexts: int = 0
    lines: int = 0
    lags: list[int] = field(default_factory=list)
    specials: list[int] = field(default_factory=list)
    grain: int = 0

    @property
    def places(self) -> int:
        return math.prod(self.shape)

    @property
    def shift(self) -> int:
        """q"""
        return max(0, self.largest.bit_length() - 60) if self.table is None else 0

    @property
    def top(self) -> int:
        return self.largest >> self.shift

    @property
    def sizes(self) -> list[int]:
        """The number of coded places along each axis, in order."""
        return [len(self.coded[axis]) for axis in self.order]

    @property
    def slices(self) -> tuple[int, int, int]:
        """Steps, rows, columns."""
        sizes = self.sizes
        cut = 1 if self.rows else 2
        return math.prod(sizes[:-cut]), 1 if self.rows else sizes[-2], sizes[-1]

    @property
    def pads(self) -> tuple[int, int]:
        return (1, 32) if self.rows else (3, 3)

    def references(self, channel: int) -> list[int]:
        """The lags of a channel, in slices."""
        before = list(range(1, min(channel, 2) + 1))
        return (before + [lag * self.channels for lag in self.lags])[:3]


def read_table(reader: Reader, brick: Brick) -> list[int]:
    require(brick.largest < 64 * brick.places, "a table is too large")
    size = reader.varint()
    require(size <= 10 * brick.largest, "a table is too long")
    numbers = Reader(read_blob(reader, size))
    table = [0]
    for _ in range(brick.largest):
        table.append(table[-1] + numbers.varint() + 1)
    numbers.finish()
    return table


def read_within(reader: Reader, least: int, most: int) -> int:
    """A byte."""
    byte = reader.byte()
    require(least <= byte <= most, "a setting of a brick is out of range")
    return byte


def read_order(reader: Reader, brick: Brick) -> None:
    """The order of the axes, and which places are coded."""
    axes = len(brick.shape)
    code = reader.byte()
    require(code & 127 < math.factorial(axes), "an order of the axes that is not there")
    brick.order = next(itertools.islice(itertools.permutations(range(axes)), code & 127, None))
    brick.rows = code >= 128 or axes == 1
    brick.coded = [list(range(size)) for size in brick.shape]
    mirror = reader.varint()
    require(mirror <= axes, "a mirror of an axis that is not there")
    if mirror > 0:
        axis, total = mirror - 1, reader.varint()
        require(total <= 2 * brick.shape[axis] - 2, "the sum of a mirror is out of range")
        brick.mirror = axis, total
        brick.coded[axis] = [i for i in brick.coded[axis] if 2 * i <= total or i > total]


def read_brick(reader: Reader, shape: tuple[int, ...], channels: int, bits: int, kind: int) -> Brick:
    """Up to the low bits; of a constant brick, up to its end."""
    brick = Brick(shape, channels, bits)
    read_order(reader, brick)
    brick.least, brick.largest = reader.varint(), reader.varint()
    if read_within(reader, 0, 1):
        brick.table = read_table(reader, brick)
    most = brick.largest if brick.table is None else brick.table[-1]
    require(brick.least + most < 1 << bits, "a brick has values that are too large")
    if brick.largest == 0:
        return brick
    brick.size, brick.decay = read_within(reader, 0, 3), read_within(reader, 0, 2)
    brick.units, brick.learning = reader.byte(), reader.byte()
    require(brick.units in UNITS, "the number of units is out of range")
    brick.contexts, brick.lines = read_within(reader, 0, 1), read_within(reader, 1, 15)
    brick.lags = [reader.varint() for _ in range(read_within(reader, 0, 3))]
    require(all(1 <= lag <= brick.places for lag in brick.lags), "a lag is out of range")
    require(len(set(brick.lags)) == len(brick.lags), "a lag is there twice")
    specials = reader.varint()
    require(specials <= 3, "too many specials")
    brick.specials = [reader.varint() for _ in range(specials)]
    require(all(special <= brick.top for special in brick.specials), "a special is out of range")
    require(len(set(brick.specials)) == specials, "a special is there twice")
    if kind > 0:
        brick.grain = reader.signed()
        require(abs(brick.grain) <= 1 << 11, "the grain is out of range")
    check_memory(brick)
    return brick


def check_memory(brick: Brick) -> None:
    steps, h, w = brick.slices
    y, x = brick.pads
    values = steps * brick.channels * h * w
    blocks, bands = 1 if h == 1 else -(-w // 8), -(-h // 8)
    require((steps * brick.channels + 1) * (h + 2 * y) * (w + 2 * x) <= 4 * values + (1 << 16), "a brick takes too much for its slices")
    sums = 0
    for channel in range(brick.channels):
        m = -(-sum(map(len, groups_of(brick, channel))) // 8) * 8
        sums += 8 * (m * m + m) * (blocks + 2) * (bands + 5)
    require(sums <= min(1 << 27, brick.channels * (1 << 21) + (values << 8)), "a brick takes too much for its predictors")
    require(1 << brick.lines <= max(1 << 6, 8 * values), "a brick takes too much for its contexts")


def decode_tile(tile: bytes, span: Span, head: Head, plan: Plan) -> Words:
    """The values of a brick, those of a place together."""
    shape = tuple(part.stop - part.start for part in span)
    count = math.prod(shape) * head.channels
    reader = Reader(tile)
    if read_within(reader, 0, 1) == 0:
        width = -(-head.bits // 8)
        octets = np.frombuffer(reader.take(count * width), np.uint8).reshape(count, width)
        reader.finish()
        values = [int.from_bytes(of_value.tobytes(), "little") for of_value in octets]
        require(max(values) < 1 << head.bits, "a value has too many bits")
        return np.array(values, np.uint64)
    brick = read_brick(reader, shape, head.channels, head.bits, plan.kind)
    if brick.largest == 0:
        reader.finish()
        return np.full(count, brick.least, np.uint64)
    steps, h, w = brick.slices
    values_coded = steps * head.channels * h * w
    low = bytes(values_coded)
    if brick.shift:
        low = unbrotli(reader.take(reader.varint()), values_coded)
        require(max(low) < 1 << brick.shift, "low bits that are too large")
    decoder = BrickDecoder(brick, plan, ArithmeticDecoder(reader.rest()))
    with np.errstate(all="ignore"):
        integers = decoder.run()
    numbers = [j << brick.shift | bits for j, bits in zip(integers, low, strict=True)]
    require(max(numbers) <= brick.largest, "a number is above the largest")
    table = brick.table
    values = [brick.least + (number if table is None else table[number]) for number in numbers]
    return in_raster_order(np.array(values, np.uint64), brick).reshape(-1)


def in_raster_order(values: Words, brick: Brick) -> Words:
    """The values of all places, from those of the slices."""
    steps, h, w = brick.slices
    channels_last = np.moveaxis(values.reshape(steps, brick.channels, h, w), 1, -1).reshape(*brick.sizes, brick.channels)
    axes = len(brick.order)
    found: Words = channels_last.transpose(*(brick.order.index(axis) for axis in range(axes)), axes)
    if brick.mirror is not None:
        axis, total = brick.mirror
        places = {place: number for number, place in enumerate(brick.coded[axis])}
        found = found.take([places[i] if i in places else places[total - i] for i in range(brick.shape[axis])], axis)
    return found


# 21.2. Real numbers


class Scale:
    """The real numbers that integers stand for, in grains."""

    def __init__(self, brick: Brick, plan: Plan) -> None:
        self.kind, self.grain, self.top = plan.kind, brick.grain, brick.top
        self.first = wrapped(plan.offset + plan.step * brick.least)  # the number of the integer 0, if values stand for floats
        self.step = plan.step << brick.shift
        self.table: list[float] | None = None
        if brick.table is not None:
            self.table = [self.float_of(self.first + plan.step * t) if self.kind else float(t) for t in brick.table]
        self.lo, self.hi = self.x(0), self.x(self.top)

    def x(self, j: int) -> float:
        """X(j)"""
        if self.table is not None:
            return self.table[min(j, self.top)]
        return self.float_of(self.first + self.step * j) if self.kind else float(j)

    def float_of(self, number: int) -> float:
        """The real number of the float with this number in the order of way bits."""
        stored, least = STORED_MANTISSA[self.kind], LEAST_EXPONENT[self.kind]
        s = wrapped(number)
        k = s if s >= 0 else -1 - s
        e, m = k >> stored, k % (1 << stored)
        if e > 0:
            m, e = m + (1 << stored), e - 1
        x = min(float(m) * 2.0 ** min(max(least + e - self.grain, -1000), 1000), HUGE)
        return x if s >= 0 else -x

    def nearest(self, x: float) -> int:
        """An integer near x."""
        if self.table is not None:
            table = self.table
            return next((j for j in range(self.top) if x <= 0.5 * (table[j] + table[j + 1])), self.top)
        if self.kind == 0:
            return int(min(max(x, 0.0), float(self.top)) + 0.5)
        stored, least = STORED_MANTISSA[self.kind], LEAST_EXPONENT[self.kind]
        size = min(abs(x), HUGE)
        e = math.frexp(size)[1] - 1 if size >= 2.0**-1022 else -1023
        e = max(e + self.grain, least + stored)
        k = (e - stored - least << stored) + int(size * 2.0 ** min(max(self.grain - e + stored, -1000), 1000) + 0.5)
        s = k if x >= 0 else -1 - k
        return 0 if s <= self.first else min((s - self.first) // self.step, self.top)

    def within(self, x: float) -> float:
        return min(x, self.hi) if x >= self.lo else self.lo


# 21.2. Surroundings


class Slice:
    """What is known of the places of a slice, with pads around."""

    def __init__(self, h: int, w: int, pads: tuple[int, int]) -> None:
        self.h, self.w, (self.y, self.x) = h, w, pads
        shape = h + 2 * self.y, w + 2 * self.x
        self.integers = np.zeros(shape, np.int64)  # J
        self.reals, self.residuals = np.zeros(shape), np.zeros(shape)  # X, R
        self.marks = np.zeros(shape, np.int64)

    @property
    def fields(self) -> tuple[Ints | Doubles, ...]:
        return self.integers, self.reals, self.residuals, self.marks

    def begin(self, before: Slice | None) -> None:
        """`before`: the slice of this channel one step before."""
        if before is not None:
            for own, other in zip(self.fields, before.fields, strict=True):
                own[: self.y] = other[self.y]

    def begin_row(self, row: int) -> None:
        for own in self.fields:
            own[self.y + row, : self.x] = own[self.y + row - 1, self.x]

    def end_row(self, row: int) -> None:
        for own in self.fields:
            own[self.y + row, self.x + self.w :] = own[self.y + row, self.x + self.w - 1]

    def end(self) -> None:
        for own in self.fields:
            own[self.y + self.h :] = own[self.y + self.h - 1]


@dataclass
class Around:
    """A number of each place around one, by names."""

    w: float
    n: float
    nw: float
    ne: float
    ww: float
    nn: float


# 21.3. Regressors

OWN = taps("0 -1 -1 0 -1 -1 -1 1 0 -2 -2 0 -2 1 -1 -2 -1 2 -2 -1 0 -3 -3 0 -2 2 -2 -2 -1 -3 -1 3 -3 -1 -3 1")
OTHER = taps("0 -1 -1 0 0 0 0 1 1 0 -1 -1 -1 1 1 -1 1 1 0 2 2 0 0 -2 -2 0 1 2 2 1 -1 2 -2 1 1 -2 2 -1 -1 -2 -2 -1 2 2 2 -2 -2 2 -2 -2")
OWN_OF_ROWS = [(0, -i) for i in range(1, 33)]
OTHER_OF_ROWS = taps("0 -1 0 -2 0 0 0 1 0 2 0 -3 0 3 0 -4 0 4")
COUNTS = ((6, 10, 14, 18), (5, 9, 13, 25), (3, 5, 9, 13))  # of group 0, of group 1, of each other group, by size
COUNTS_OF_ROWS = ((6, 12, 20, 32), (5, 7, 9, 9), (3, 5, 7, 9))


def groups_of(brick: Brick, channel: int) -> list[list[Tap]]:
    """The taps of each group."""
    own, other = (OWN_OF_ROWS, OTHER_OF_ROWS) if brick.rows else (OWN, OTHER)
    counts = COUNTS_OF_ROWS if brick.rows else COUNTS
    groups = [own[: counts[0][brick.size]]]
    for number in range(len(brick.references(channel))):
        groups.append(other[: counts[min(number, 1) + 1][brick.size]])
    return groups


# 21.4. Prediction

BLOCK = 8
FADING = ((0.6, 0.98, 0.2), (0.9, 0.98, 0.95), (0.97, 0.998, 0.5))  # a, b, c, by decay
PREDICTIONS = 9
LEVELS = 128


class Sums:
    """Symmetric matrices, of which elements with j ≥ i are used, and vectors; those that are not there are 0."""

    def __init__(self, shape: tuple[int, ...], n: int) -> None:
        self.a = np.zeros((*(size + 2 for size in shape), n, n))
        self.b = np.zeros((*(size + 2 for size in shape), n))


class Predictors:
    """The five least squares predictors of a channel, of n_1 or n_2 regressors."""

    def __init__(self, counts: tuple[int, int], blocks: int, bands: int, decay: int) -> None:
        self.counts, self.blocks = counts, blocks
        self.fading = FADING[decay]
        n = counts[0]
        self.fast, self.slow, self.now = (Sums((blocks,), n) for _ in range(3))
        self.past = Sums((bands, blocks), n)
        self.weights = np.zeros((5, n + -n % 8))
        self.old = np.zeros((blocks, n + -n % 8))
        self.seen: list[tuple[float, Doubles, float]] = []  # f, ξ and τ of the places of these columns

    def solve(self, a: Doubles, b: Doubles, targets: Sequence[tuple[int, int]]) -> None:
        """`targets`: predictors, and their numbers of regressors."""
        u, z = a.copy(), b.copy()
        u[np.diag_indices_from(u)] += 0.3
        inverse = eliminated(u, z)
        for predictor, n in targets:
            if len(inverse) >= n:
                self.weights[predictor, :n] = np.clip(substituted(u, z, inverse, n), -4096, 4096)

    def begin_band(self, band: int) -> None:
        for k in range(self.blocks):
            a, b = np.zeros_like(self.now.a[0]), np.zeros_like(self.now.b[0])
            for r in range(band, band + 3):
                for c in range(k, k + 3):
                    a, b = a + self.past.a[r, c], b + self.past.b[r, c]
            self.solve(a, b, [(4, self.counts[0])])
            self.old[k] = self.weights[4]

    def begin_block(self, k: int) -> None:
        full, fewer = self.counts
        for of, first in ((self.fast, 0), (self.slow, 2)):
            if of is self.slow and k % 4:
                break
            a, b = ((sums[k] + sums[k + 1]) + sums[k + 2] for sums in (of.a, of.b))
            self.solve(a, b, [(first, full), (first + 1, fewer)])
        self.weights[4] = self.old[k]

    def end_block(self, k: int) -> None:
        d, e = np.zeros_like(self.now.a[0]), np.zeros_like(self.now.b[0])
        for f, xi, tau in self.seen:
            weighted = f * xi
            d, e = d + np.multiply.outer(weighted, xi), e + weighted * tau
        self.seen = []
        a, b, _ = self.fading
        for of, fading in ((self.fast, a), (self.slow, b), (self.now, 1.0)):
            of.a[k + 1] = of.a[k + 1] * fading + d
            of.b[k + 1] = of.b[k + 1] * fading + e

    def end_band(self, band: int) -> None:
        c = self.fading[2]
        self.past.a[band + 1] = self.past.a[band + 1] * c + self.now.a
        self.past.b[band + 1] = self.past.b[band + 1] * c + self.now.b
        self.now.a[:], self.now.b[:] = 0, 0


def soft_of(x: Sequence[float] | Doubles) -> Singles:
    """soft(x), of f32."""
    x = np.asarray(x, np.float64)
    return softs(np.where(x >= -1e6, np.minimum(x, 1e6), -1e6).astype(np.float32))


@dataclass
class Place:
    """What is known of a place before its integer."""

    row: int
    column: int
    xi: Doubles  # the regressors
    base: float
    r: Around  # residuals
    q: list[float]  # residuals of reference 1: C, W, E, S, N
    unit: float = 1.0
    level: int = 0
    p: list[float] = field(default_factory=list)
    classes: tuple[int, int, int, int] = (0, 0, 0, 0)  # west, north, first, second
    pattern: int = 0
    biases: tuple[int, int] = (0, 0)
    middle: float = 0.0
    origin: int = 0


def class_of(r: float, unit: float) -> int:
    t = abs(r) / unit
    m = sum(t > limit for limit in (0.25, 0.75, 1.5, 3.0))
    return 4 + m if r > 0 else 4 - m


# 21.5. Special and flat places


class Chances:
    """Probabilities that code a bit and learn."""

    def __init__(self, p: float) -> None:
        self.a = [Single(p)] * 1024

    def decode(self, decoder: ArithmeticDecoder, c: int) -> int:
        bit = decoder.bit(coin(self.a[c]))
        self.a[c] = self.a[c] + (Single(bit) - self.a[c]) * Single(0.02)
        return bit


# 21.6. The decisions of a value

CONTEXTS = (
    "LEVEL PATTERN | WEST NORTH | NEAR FAR | ORIGIN | W N | W N NW NE | W N NW NE WW NN | PLACE | PLACE W N | PLACE W3 N3"
    " | PLACE W3 N3 NW3 NE3 | W3 N3 NW3 NE3 WW3 NN3 | PLACE W2 N2 NW2 NE2 WW2 NN2"
)
NUMBERS = [context.split() for context in CONTEXTS.split("|")]  # of each context
LANE = 16  # the first one of the contexts


def mixer_of(brick: Brick) -> ContextMixer:
    contexts = len(NUMBERS) * brick.contexts
    weights = np.zeros(LANE + 2 * contexts)
    weights[NETWORK] = 0.3
    weights[FIRST : FIRST + PREDICTIONS] = (0.6 if brick.units else 0.8) / PREDICTIONS
    weights[LANE:] = 0.05
    return ContextMixer(contexts, 1 << brick.lines, 1024, LANE, weights)


def compared(x: float, unit: float) -> int:
    t = abs(x) / unit
    n = int(4 * t) if t < 2 else int(min(8 + 2 * log2(0.5 * t), 20))
    return n if x >= 0 else -n


class ChannelDecoder:
    """Decodes the slices of a channel."""

    def __init__(self, brick: Brick, channel: int, scale: Scale, decoder: ArithmeticDecoder) -> None:
        self.brick, self.scale, self.decoder = brick, scale, decoder
        _, self.h, self.w = brick.slices
        self.groups = groups_of(brick, channel)
        self.lags = brick.references(channel)
        n = sum(map(len, self.groups))
        counts = n, 10 if self.lags else 6
        blocks, bands = 1 if self.h == 1 else -(-self.w // BLOCK), -(-self.h // BLOCK)
        self.predictors = Predictors(counts, blocks, bands, brick.decay)
        self.fresh = np.ones((self.w + 2, 6))
        self.here, self.before = self.fresh.copy(), self.fresh.copy()  # error_k of a row, with a border at each end
        self.biases = [[0.0] * 3072, [0.0] * 3072]
        self.errors = [[(ROOT2 if level % 2 else 1.0) * 2.0 ** (level // 2 - 2) for level in range(LEVELS)] for _ in range(PREDICTIONS)]
        self.network: ContextNetwork | None = None
        if brick.units:
            self.network = first_network(n + -n % 8 + 44, brick.units, brick.learning, 1)
        self.special, self.flat = Chances(0.5), Chances(0.9)
        self.history = 0
        self.mixer = mixer_of(brick)
        self.small = next(s for s in range(64) if brick.top >> s <= 7)

    def decode(self, number: int, slices: Sequence[Slice]) -> None:
        """The slice of this number, which is the last one of `slices`; they begin with one of zeros before slice 0."""
        own = self.own = slices[-1]
        self.references = [slices[1 + (number - lag if lag <= number else number - 1)] for lag in self.lags]
        self.previous = slices[-2]
        for row in range(self.h):
            if row % BLOCK == 0:
                self.predictors.begin_band(row // BLOCK)
            self.before, self.here = self.here, self.fresh.copy()
            own.begin_row(row)
            for column in range(self.w):
                block = 0 if self.h == 1 else column // BLOCK
                if column % BLOCK == 0:
                    self.predictors.begin_block(block)
                self.decode_place(row, column)
                if column % BLOCK == BLOCK - 1 or column == self.w - 1:
                    self.predictors.end_block(block)
            own.end_row(row)
            if row % BLOCK == BLOCK - 1 or row == self.h - 1:
                self.predictors.end_band(row // BLOCK)
        own.end()

    def around(self, numbers: Ints | Doubles, above: Ints | Doubles, row: int, column: int) -> Around:
        """Those at W, N, … of one field of the own slice; `above`: the same field of the slice before."""
        y, x = row + self.own.y, column + self.own.x
        two_above = above[self.own.y + self.h, x] if self.brick.rows else numbers[y - 2, x]
        return Around(
            numbers[y, x - 1].item(),
            numbers[y - 1, x].item(),
            numbers[y - 1, x - 1].item(),
            numbers[y - 1, x + 1].item(),
            numbers[y, x - 2].item(),
            two_above.item(),
        )

    def decode_place(self, row: int, column: int) -> None:
        own, before = self.own, self.previous
        y, x = row + own.y, column + own.x
        j = self.around(own.integers, before.integers, row, column)
        m = self.around(own.marks, before.marks, row, column)
        mark = self.decode_mark(m, y, x) if self.brick.specials else 0
        if mark:
            own.marks[y, x] = mark
            own.integers[y, x] = self.brick.specials[mark - 1]
            own.reals[y, x] = (own.reals[y, x - 1] + own.reals[y - 1, x]) * 0.5
        elif j.w == j.n == j.nw == j.ne and m.w == 0 and self.decode_flat(j, y, x):
            own.integers[y, x] = own.integers[y, x - 1]
            own.reals[y, x] = own.reals[y, x - 1]
        else:
            self.decode_predicted(row, column, j)
            return
        self.here[column + 1] = 0

    def decode_mark(self, m: Around, y: int, x: int) -> int:
        c = sum((number > 0) << i for i, number in enumerate((m.w, m.n, m.nw, m.ne, m.ww, m.nn)))
        if self.references:
            marks = self.references[0].marks
            c += sum(int(number > 0) << 6 + i for i, number in enumerate((marks[y, x], marks[y, x + 1], marks[y + 1, x])))
        if not self.special.decode(self.decoder, c):
            return 0
        mark = 1
        at = 512 + 16 * min(int(m.w), 3) + 64 * min(int(m.n), 3)
        while mark < len(self.brick.specials) and not self.special.decode(self.decoder, at + mark):
            mark += 1
        return mark

    def decode_flat(self, j: Around, y: int, x: int) -> int:
        c = (j.ww == j.w) + 2 * (j.nn == j.w) + 4 * self.history
        if self.references:
            integers = self.references[0].integers
            for i, number in enumerate((integers[y, x], integers[y, x + 1], integers[y + 1, x], integers[y + 1, x + 1])):
                c += (int(number) == j.w) << 6 + i
        flag = self.flat.decode(self.decoder, c)
        self.history = (2 * self.history + flag) % 16
        return flag

    # Prediction

    def regressors(self, row: int, column: int) -> tuple[Doubles, float]:
        """ξ, and mean_0."""
        groups: list[Doubles] = []
        base = 0.0
        for number, (group, of) in enumerate(zip(self.groups, [self.own, *self.references], strict=True)):
            found = np.array([of.reals[row + of.y + dy, column + of.x + dx] for dy, dx in group])
            mean = (found[0] + found[1]) * 0.5
            base = base if number else float(mean)
            groups.append(found - mean)
        if len(groups) == 1:
            return groups[0], base
        own, first = groups[:2]
        return np.concatenate([own[:6], first[:4], own[6:], first[4:], *groups[2:]]), base

    def recent(self, column: int) -> tuple[Doubles, Doubles]:
        """near_k, and the errors to the left and above, k = 0 … 5."""
        here, before = self.here, self.before
        beside = here[column] + before[column + 1]
        return 0.125 * ((2 * beside + before[column]) + before[column + 2]) + 0.02, beside

    def predict(self, place: Place) -> None:
        within, xi, base = self.scale.within, place.xi, place.base
        r = place.r
        near = abs(r.w) + abs(r.n)
        far = ((abs(r.nw) + abs(r.ne)) + abs(r.ww)) + abs(r.nn)
        if self.references:
            c, west, east, south, north = map(abs, place.q)
            there = (((2 * c + west) + east) + south) + north
            place.unit = 0.25 + ((2 * near + far) + there) * (1 / 14)
        else:
            place.unit = 0.25 + (2 * near + far) * 0.125
        place.level = min(int(2 * (log2(place.unit) + 2)), LEVELS - 1)

        dots = dot(self.predictors.weights, padded(xi, 8), 8)
        p = [within(base + float(d)) for d in dots]
        p.append(within(base + float(xi[8])) if self.references else within(base))
        near_k, _ = self.recent(place.column)
        total = blended = 0.0
        for number, one in zip(near_k, p, strict=True):
            e = float(number)
            share = 1 / ((e * e) * (e * e))
            total, blended = total + share, blended + share * (one - p[0])
        p.append(p[0] + blended / total)
        place.p = p
        self.correct(place)

    def correct(self, place: Place) -> None:
        xi, base, unit, blend = place.xi, place.base, place.unit, place.p[6]
        pattern = 0
        for regressor in xi[:6]:
            pattern = 2 * pattern + int(base + float(regressor) > blend)
        west, north, first, second = (class_of(r, unit) for r in (place.r.w, place.r.n, place.r.ne, place.r.nw))
        if self.references:
            pattern = 4 * pattern + 2 * int(base + float(xi[8]) > blend) + int(xi[9] > xi[8])
            first = class_of(place.q[0], unit)
        place.classes, place.pattern = (west, north, first, second), pattern
        place.biases = 12 * pattern + min(place.level >> 1, 11), (9 * first + west) * 9 + north
        for biases, c in zip(self.biases, place.biases, strict=True):
            place.p.append(self.scale.within(blend + biases[c] * unit))

    def network_inputs(self, place: Place) -> Singles:
        mu, p, r, scale = 1 / place.unit, place.p, place.r, self.scale
        _, beside = self.recent(place.column)
        logs = [log2((abs(residual) + 0.25) * mu) for residual in (r.w, r.n)]
        soft = [(p[k] - p[6]) * mu for k in range(6)] + [(place.base - p[6]) * mu] + [(p[k] - p[6]) * mu for k in (7, 8)]
        soft += [log2((float(error) + 0.1) * mu) for error in beside]
        more = [residual * mu for residual in (r.w, r.n, r.nw, r.ne)] + logs
        if self.references:
            c, _, east, south, _ = place.q
            more += [c * mu, east * mu, south * mu, log2((abs(c) + 0.25) * mu)]
        else:
            more += [0.0] * 4
        parts = [(p[6] - scale.lo) / (scale.hi - scale.lo + 1) * 2 - 1, 0.0]
        if scale.kind == 0 or scale.table is not None:
            parts[1] = 2 * (p[6] - math.floor(p[6])) - 1
        phases = []
        for q in (65536 * place.row // (2 * self.h), 65536 * place.column // (2 * self.w)):
            phases += [((q << k) + turn) % 65536 for k in range(4) for turn in (0, 16384)]
        return np.concatenate(
            [
                soft_of(padded(place.xi, 8) * mu),
                soft_of(soft),
                [Single(min(place.level, 40)) * Single(0.05)],
                soft_of(more),
                np.array(parts).astype(np.float32),
                single_sine()[phases],
            ]
        ).astype(np.float32)

    def decode_predicted(self, row: int, column: int, j: Around) -> None:
        own, scale = self.own, self.scale
        y, x = row + own.y, column + own.x
        xi, base = self.regressors(row, column)
        place = Place(row, column, xi, base, self.around(own.residuals, self.previous.residuals, row, column), [])
        if self.references:
            residuals = self.references[0].residuals
            place.q = [float(residuals[y + dy, x + dx]) for dy, dx in ((0, 0), (0, -1), (0, 1), (1, 0), (-1, 0))]
        self.predict(place)
        blend = place.p[6]
        mixture = None
        place.middle = place.p[7]
        if self.network is not None:
            mixture = Mixture(self.network.outputs(self.network_inputs(place)), Single(0), Single(place.unit))
            place.middle = scale.within(blend + float(mixture.expected()))
        place.origin = scale.nearest(place.middle)
        at = scale.x(place.origin)
        if mixture is not None:
            mixture.mean = mixture.mean + Single(blend - at)
        value = self.decode_value(place, mixture, j)

        real = scale.x(value)
        if self.network is not None and mixture is not None:
            between = scale.x(min(value + 1, scale.top)) - scale.x(max(value - 1, 0))
            half = Single(max(0.25 * between, 0.05 * place.unit))
            self.network.learn(mixture.gradient(Single(real - at), False, False, half))
        residual = real - blend
        t = 1 / ((0.5 + place.unit) + 0.1 * abs(residual))
        self.predictors.seen.append((t * t, xi, real - base))
        for k in range(6):
            self.here[column + 1, k] = abs(real - place.p[k])
        for of_level, p in zip(self.errors, place.p, strict=True):
            of_level[place.level] += (abs(real - p) - of_level[place.level]) * 0.01
        miss = min(max(residual / place.unit, -8.0), 8.0)
        for biases, c in zip(self.biases, place.biases, strict=True):
            biases[c] += (miss - biases[c]) * 0.02
        own.integers[y, x], own.reals[y, x], own.residuals[y, x] = value, real, residual

    # The decisions

    def reach(self, place: Place) -> int:
        scale, distance = self.scale, self.errors[6][place.level]
        if scale.kind == 0 and scale.table is None:
            return int(max(log2(distance + 0.5), 0.0))
        above = scale.nearest(scale.within(place.middle + distance)) - place.origin
        below = place.origin - scale.nearest(scale.within(place.middle - distance))
        return int(log2(float(max(min(above, below), 1))))

    def decode_value(self, place: Place, mixture: Mixture | None, j: Around) -> int:
        scale, top = self.scale, self.scale.top
        at, level = scale.x(place.origin), place.level
        means = [p - at for p in place.p]
        experts = Experts(mixture, means, [1 / (0.6 * errors[level] + 0.03) for errors in self.errors])
        hashes = list(self.hashes(place, j)) if self.brick.contexts else []
        line = -1
        walk = Walk(top.bit_length(), (place.origin, self.reach(place)))
        while not walk.ends:
            if walk.phase == HALVING and self.is_narrow(walk.low, walk.top, level):
                return walk.low + self.decoder.uniform((walk.top - walk.low).bit_length() - 1)
            node = walk.node()
            if node.edge <= 0:
                bit = 1
            elif node.edge > top:
                bit = 0
            else:
                stretched = experts.ask_at(Single(0.5 * (scale.x(node.edge) + scale.x(node.edge - 1)) - at))
                if line != node.line:
                    line = node.line
                    self.mixer.look_up(hashed(h, line) for h in hashes)
                bit = self.decode_mixed(place, node, stretched)
                experts.move(bit)
            walk.descend(node, bit)
        return walk.low

    def is_narrow(self, low: int, end: int, level: int) -> bool:
        """Whether the values from low to end − 1 are all equally likely."""
        scale = self.scale
        return low >= 0 and end - 1 <= scale.top and scale.x(end) - scale.x(low) < 0.25 * self.errors[6][level]

    def decode_mixed(self, place: Place, node: Node, stretched: Singles) -> int:
        kind, (west, _, first, _) = node.kind, place.classes
        t: Single = stretched[NETWORK if self.network is not None else FIRST]
        row_1 = 60 * kind + min(place.level, 59)
        row_2 = node.number if node.number < 512 else 512 + 16 * kind
        row_3 = place.row * self.w + place.column
        if self.h * self.w > 1024:
            row_3 = 60 * kind + 5 * abs(first - 4) + abs(west - 4)
        rows = 32 * kind + 2 * min(int(Single(2) * abs(t)), 15) + int(t > 0), row_1, row_2, row_3
        return self.mixer.decode(self.decoder, node.within, stretched, rows, row_2, row_1)

    def hashes(self, place: Place, j: Around) -> Iterator[int]:
        west, north, first, second = place.classes
        y, x = place.row + self.own.y, place.column + self.own.x
        reals = self.own.reals
        numbers = {
            "LEVEL": place.level,
            "PATTERN": place.pattern,
            "ORIGIN": place.origin,
            "WEST": 9 * first + west,
            "NORTH": 9 * north + second,
            "PLACE": 65536 * place.row + place.column,
            "NEAR": compared(float(reals[y, x - 1]) - place.middle, place.unit),
            "FAR": compared(float(reals[y - 1, x]) - place.middle, place.unit),
        }
        for name, number in vars(j).items():
            for suffix, shift in (("", 0), ("3", self.small), ("2", self.small + 1)):
                numbers[name.upper() + suffix] = int(number) >> shift
        for c, context in enumerate(NUMBERS):
            h = c
            for name in context:
                h = hashed(h, numbers[name])
            yield h


class BrickDecoder:
    """Decodes the integers of a brick."""

    def __init__(self, brick: Brick, plan: Plan, decoder: ArithmeticDecoder) -> None:
        self.brick, self.decoder = brick, decoder
        scale = Scale(brick, plan)
        self.channels = [ChannelDecoder(brick, channel, scale, decoder) for channel in range(brick.channels)]

    def run(self) -> list[int]:
        """They come slice by slice."""
        steps, h, w = self.brick.slices
        pads = y, x = self.brick.pads
        slices = [Slice(h, w, pads)]
        found: list[int] = []
        for number in range(steps * self.brick.channels):
            own = Slice(h, w, pads)
            before = number - self.brick.channels
            own.begin(slices[1 + before] if before >= 0 else None)
            slices.append(own)
            self.channels[number % self.brick.channels].decode(number, slices)
            found += own.integers[y : y + h, x : x + w].reshape(-1).tolist()
        self.decoder.finish()
        return found
