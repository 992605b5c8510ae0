"""Section HYBR: by which transform the samples become planes, how the planes lean on each other, and with what they are predicted."""

from __future__ import annotations


from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint, zigzag
from ..errors import FormatError
from . import contexts
from .lattice import Lattice

PLANES, LATTICE, PALETTE = range(3)
MAX_BITS = 16
MAX_PLANES = 1 << 16
MAX_REFERENCES = 3
MAX_COLOURS = 1 << 12
UNITS = (0, 16, 32, 64)
RATE_UNIT = 2.0**-14  # of Adam's rate
PRIOR_BYTES = 8


@dataclass(frozen=True)
class Plane:
    """One coded plane.

    Attributes:
        source: which of the signal's planes it is; 0 in a lattice or palette.
        largest: value; 0: the plane is constant and nothing is coded.
        references: earlier coded planes, at most MAX_REFERENCES, none of them constant.
        two_pass: whether it is coded in four passes, a quarter of the places first.
        least: what is added to the values, or to the indices' values where there is a table.
        table: the values that occur, ascending, where few do: the plane holds indices.
    """

    source: int
    largest: int
    references: tuple[int, ...] = ()
    two_pass: bool = False
    least: int = 0
    table: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Model:
    """With what the planes are predicted.

    Attributes:
        least_squares: predictors, 0 to 2.
        units: of the context network's layers; 0: there is none.
        learning: Adam's rate while coding, in units of 2^-14.
        coordinates: whether the network sees sine and cosine of the place.
        contexts: name of the set of hashed contexts.
        lines: log2 of the lines of each context's table.
        prior: first bytes of the prior's SHA-256; empty without network.
    """

    least_squares: int = 2
    units: int = 32
    learning: int = 33
    coordinates: bool = True
    contexts: str = "none"
    lines: int = 14
    prior: bytes = b""


@dataclass(frozen=True)
class Plan:
    """All that section HYBR says."""

    kind: int
    sources: int
    planes: tuple[Plane, ...]
    model: Model
    lattice: Lattice | None = None
    colours: npt.NDArray[np.int64] | None = None  # (colours, sources) of a palette


def _signed(numbers: Any) -> bytes:
    return b"".join(varint(zigzag(int(n))) for n in np.ravel(numbers))


def write(plan: Plan) -> bytes:
    """The content of section HYBR."""
    m = plan.model
    parts = [
        bytes([plan.kind, m.least_squares, m.units, m.learning, m.coordinates, contexts.NAMES.index(m.contexts), m.lines]),
        m.prior if m.units else b"",
        varint(plan.sources),
    ]
    if plan.lattice is not None:
        parts.append(_signed(plan.lattice.matrix) + _signed(plan.lattice.offset) + _signed(plan.lattice.least))
    if plan.colours is not None:
        packed = compress(plan.colours.T.astype("<u2").tobytes())
        parts += [varint(len(plan.colours)), varint(len(packed)), packed]
    for p in plan.planes:
        parts += [varint(p.largest), bytes([p.two_pass | (p.table is not None) << 1, len(p.references)]), *(varint(r) for r in p.references)]
        if plan.kind == PLANES:
            parts += [varint(p.source), varint(p.least)]
        if p.table is not None:
            present = np.zeros(int(p.table[-1]) + 1, np.uint8)
            present[p.table] = 1
            packed = compress(np.packbits(present).tobytes())
            parts += [varint(int(p.table[-1])), varint(len(packed)), packed]
    return b"".join(parts)


def read(content: bytes, sources: int, bits: int) -> Plan:
    """The plan in section HYBR, all of it validated, for a signal of so many planes of values below 2^bits. Raises FormatError."""
    what = "section HYBR"
    r = Reader(content, what)
    kind, least_squares, units, learning, coordinates, set_number, lines = (r.byte() for _ in range(7))
    if kind > PALETTE or least_squares > 2 or units not in UNITS or coordinates > 1 or set_number >= len(contexts.NAMES) or not 1 <= lines <= 22:
        raise FormatError(f"damaged: {what} has an unknown setting")
    if units and not least_squares:
        raise FormatError("damaged: a network needs a least squares predictor")
    prior = r.take(PRIOR_BYTES) if units else b""
    model = Model(least_squares, units, learning, bool(coordinates), contexts.NAMES[set_number], lines, prior)
    if r.varint() != sources or not 1 <= sources <= MAX_PLANES or not 1 <= bits <= MAX_BITS:
        raise FormatError("damaged: the planes are not those of the header")
    lattice = colours = None
    if kind == LATTICE:
        if sources != 3 or bits > 8:
            raise FormatError("damaged: a lattice is of three planes of 8 bits")
        numbers = [r.signed() for _ in range(15)]
        if max(map(abs, numbers)) >= 1 << 31:
            raise FormatError("damaged: a lattice's number is out of range")
        flat = np.array(numbers, np.int64)
        lattice = Lattice(flat[:9].reshape(3, 3), flat[9:12], flat[12:])
    if kind == PALETTE:
        count, size = r.varint(MAX_COLOURS), r.varint()
        raw = decompress(r.take(size), 2 * count * sources, "the palette")
        if not count or len(raw) != 2 * count * sources:
            raise FormatError("damaged: the palette does not have its size")
        colours = np.frombuffer(raw, "<u2").reshape(sources, count).T.astype(np.int64)
        if int(colours.max()) >> bits:
            raise FormatError("damaged: a colour of the palette is out of range")
    planes = []
    for i in range(1 if kind == PALETTE else sources):
        planes.append(_read_plane(r, i, kind, planes, sources, bits, count - 1 if colours is not None else (1 << bits) - 1))
    if kind == PLANES and sorted(p.source for p in planes) != list(range(sources)):
        raise FormatError("damaged: a plane is missing")
    r.end()
    return Plan(kind, sources, tuple(planes), model, lattice, colours)


def _read_plane(r: Reader, index: int, kind: int, before: list[Plane], sources: int, bits: int, limit: int) -> Plane:
    largest, flags, count = r.varint((1 << MAX_BITS) - 1), r.byte(), r.byte()
    if flags > 3 or count > MAX_REFERENCES or (kind != PLANES and flags & 2):
        raise FormatError("damaged: a plane has an unknown setting")
    references = tuple(r.varint(MAX_PLANES) for _ in range(count))
    if any(q >= index or before[q].largest == 0 for q in references) or len(set(references)) != count:
        raise FormatError("damaged: a plane refers to one that is not there")
    source, least = (r.varint(sources - 1), r.varint((1 << bits) - 1)) if kind == PLANES else (0, 0)
    table = None
    if flags & 2:
        last = r.varint((1 << bits) - 1)
        raw = decompress(r.take(r.varint()), (last + 8) // 8, "a table of values")
        if len(raw) != (last + 8) // 8:
            raise FormatError("damaged: a table of values does not have its size")
        present = np.unpackbits(np.frombuffer(raw, np.uint8))
        table = np.flatnonzero(present[: last + 1]).astype(np.int64)
        if present[last + 1 :].any() or not present[last] or len(table) != largest + 1:
            raise FormatError("damaged: a table of values is not valid")
    elif kind != LATTICE and largest + least > limit:
        raise FormatError("damaged: a plane's values are out of range")
    if least and table is not None:
        raise FormatError("damaged: a plane has both a table and a least value")
    return Plane(source, largest, references, bool(flags & 1), least, table)


