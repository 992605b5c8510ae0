"""Section HYBR of an array, and the head of a brick: what its values are, and what predicts them. SPEC.md 21 defines them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ....compression import compress, decompress
from ....container import Reader, varint, zigzag
from ....errors import FormatError
from ....kernels.contextnet import UNITS
from ...base import Ordered
from ..limits import ARRAY
from . import contexts, taps

WHAT = "a brick"
RAW, CODED = range(2)  # first byte of a tile
ROWS = 0x80  # of the byte that has the order of the axes: slices are rows
MAX_SPECIALS = 3
MAX_LINES = 15  # log2 of the lines of a context's table
CODED_BITS = 60  # of an integer; the lower bits of larger ones are coded without a model
LARGEST_GRAIN = 1 << 11  # exponent
# how fast sums fade: fast and slow ones from row to row, and past ones from slice to slice; for volumes, sets of pictures, and rows, in
# which they fade from block to block
DECAYS = ((0.6, 0.98, 0.2), (0.9, 0.98, 0.95), (0.97, 0.998, 0.5))


@dataclass(frozen=True)
class BrickModel:
    """What a brick is predicted with.

    Attributes:
        order: the axes, the slowest first.
        rows: whether slices are rows: only the last axis of the order is in a slice, else the last two.
        lags: references, in steps of a slice back.
        size: how many regressors, see `taps.SIZES`.
        decay: number in DECAYS.
        units: of each hidden layer of the context network; 0: there is none.
        learning: rate of its learning, in units of 2^-14.
        contexts: name of the set of hashed contexts.
        lines: log2 of the lines of each context's table.
    """

    order: tuple[int, ...]
    rows: bool = False
    lags: tuple[int, ...] = ()
    size: int = 1
    decay: int = 0
    units: int = 0
    learning: int = 0
    contexts: str = "none"
    lines: int = 14

    @property
    def in_rows(self) -> bool:
        """Whether slices are rows, as they are of one axis in any case."""
        return self.rows or len(self.order) == 1


@dataclass(frozen=True)
class BrickPlan:
    """The head of a coded brick.

    Attributes:
        model: see `BrickModel`.
        mirror: None, or (axis, sum): places i and sum − i along the axis are alike, and only the first half is coded.
        least: least value.
        largest: largest integer; the integer is value − least, without its lower bits, or the value's number in the table.
        table: None, or (largest + 1,) uint64 the values that occur, minus the least one, ascending.
        specials: integers that are coded apart.
        grain: exponent of the unit of real numbers, of floats.
    """

    model: BrickModel
    mirror: tuple[int, int] | None
    least: int
    largest: int
    table: npt.NDArray[np.uint64] | None = None
    specials: tuple[int, ...] = ()
    grain: int = 0

    @property
    def low(self) -> int:
        """Bits of values below those of integers."""
        return 0 if self.table is not None else max(0, self.largest.bit_length() - CODED_BITS)


@cache
def orders(axes: int) -> tuple[tuple[int, ...], ...]:
    """All orders of so many axes, by their numbers in files."""
    return tuple(itertools.permutations(range(axes)))


def write_section(floats: Ordered | None) -> bytes:
    """The content of section HYBR of an array. floats: which floats its values stand for; None: they are numbers themselves."""
    if floats is None:
        return bytes([ARRAY, 0])
    return bytes([ARRAY, 1 + Ordered.KINDS.index(floats.kind)]) + varint(zigzag(floats.offset)) + varint(floats.step)


def read_section(content: bytes, bits: int) -> Ordered | None:
    """The inverse of `write_section`, of values below 2^bits. Raises FormatError."""
    r = Reader(content, "section HYBR")
    r.byte()
    number = r.byte()
    if number > len(Ordered.KINDS):
        raise FormatError("damaged: section HYBR has an unknown setting")
    if number == 0:
        r.end()
        return None
    offset, step = r.signed(), r.varint(2**63 - 1)
    r.end()
    if not -(2**63) <= offset < 2**63 or not step or offset + ((1 << bits) - 1) // 2 * step >= 2**63:
        raise FormatError("damaged: the floats of section HYBR are out of range")
    return Ordered(Ordered.KINDS[number - 1], offset, step)


def write(plan: BrickPlan, floats: bool) -> bytes:
    """The head of a brick. floats: whether its values stand for floats."""
    m = plan.model
    mirror = varint(0) if plan.mirror is None else varint(plan.mirror[0] + 1) + varint(plan.mirror[1])
    parts = [bytes([orders(len(m.order)).index(m.order) | ROWS * m.rows]), mirror, varint(plan.least), varint(plan.largest)]
    parts.append(bytes([plan.table is not None]) + (_write_table(plan.table) if plan.table is not None else b""))
    if plan.largest:
        parts.append(bytes([m.size, m.decay, m.units, m.learning, contexts.NAMES.index(m.contexts), m.lines, len(m.lags)]))
        parts += [varint(lag) for lag in m.lags]
        parts.append(varint(len(plan.specials)) + b"".join(map(varint, plan.specials)))
        parts.append(varint(zigzag(plan.grain)) if floats else b"")
    return b"".join(parts)


def read(r: Reader, shape: tuple[int, ...], bits: int, floats: bool) -> BrickPlan:
    """Parse and check the head of a brick of this shape, without channels, of values below 2^bits. Raises FormatError."""
    first, axis = r.byte(), r.varint(len(shape))
    number, rows = first & ~ROWS, bool(first & ROWS)
    if number >= math.factorial(len(shape)):
        raise FormatError("damaged: a brick has an unknown setting")
    mirror = None
    if axis:
        mirror = axis - 1, r.varint(2 * shape[axis - 1] - 2)
    least, largest, has_table = r.varint((1 << bits) - 1), r.varint((1 << bits) - 1), r.byte()
    if has_table > 1:
        raise FormatError("damaged: a brick has an unknown setting")
    table = _read_table(r, largest, math.prod(shape), (1 << bits) - 1 - least) if has_table else None
    if table is None and least + largest >= 1 << bits:
        raise FormatError("damaged: the values of a brick are out of range")
    order = orders(len(shape))[number]
    if not largest:
        return BrickPlan(BrickModel(order, rows), mirror, least, 0, table)
    size, decay, units, learning, set_number, lines, count = (r.byte() for _ in range(7))
    if (
        size >= len(taps.SIZES)
        or decay >= len(DECAYS)
        or units not in UNITS
        or set_number >= len(contexts.NAMES)
        or not 1 <= lines <= MAX_LINES
        or count > taps.MAX_REFERENCES
    ):
        raise FormatError("damaged: a brick has an unknown setting")
    lags = tuple(r.varint(math.prod(shape)) for _ in range(count))
    if 0 in lags or len(set(lags)) != count:
        raise FormatError("damaged: a brick refers to a slice that is not there")
    top = largest if table is not None else largest >> max(0, largest.bit_length() - CODED_BITS)
    specials = tuple(r.varint(top) for _ in range(r.varint(MAX_SPECIALS)))
    grain = r.signed() if floats else 0
    if len(set(specials)) != len(specials) or abs(grain) > LARGEST_GRAIN:
        raise FormatError("damaged: a brick has an unknown setting")
    model = BrickModel(order, rows, lags, size, decay, units, learning, contexts.NAMES[set_number], lines)
    return BrickPlan(model, mirror, least, largest, table, specials, grain)


def _write_table(table: npt.NDArray[np.uint64]) -> bytes:
    """A table: the lengths of a string and of its Brotli string as varints, then that. The string has the differences minus 1."""
    raw = b"".join(varint(int(d) - 1) for d in np.diff(table))
    packed = compress(raw)
    return varint(len(raw)) + varint(len(packed)) + packed


def table_bytes(table: npt.NDArray[np.uint64]) -> int:
    """Bytes that a table takes."""
    return len(_write_table(table))


def _read_table(r: Reader, largest: int, count: int, most: int) -> npt.NDArray[np.uint64]:
    """The table of a brick of `count` places, with values up to `most`. Raises FormatError."""
    if largest >= 64 * count:
        raise FormatError("damaged: a table of values is not valid")
    size = r.varint(10 * largest)
    numbers = Reader(decompress(r.take(r.varint()), size, "a table of values"), "a table of values")
    steps = [numbers.varint(2**64 - 1) + 1 for _ in range(largest)]
    numbers.end()
    if sum(steps) > most:
        raise FormatError("damaged: a table of values is not valid")
    return np.cumsum(np.array([0, *steps], np.uint64), dtype=np.uint64)
