"""Section HYBR: by which transform the samples become planes, how the planes lean on each other, and with what they are predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compression import compress, decompress
from ..container import Reader, varint, zigzag
from ..errors import FormatError
from ..kernels.mixture import UNITS
from ..weights.serialize import CODINGS
from . import contexts, scan
from .lattice import Lattice

PLANES, LATTICE, PALETTE = range(3)
MAX_BITS = 16
MAX_PLANES = 1 << 16
MAX_REFERENCES = 3
MAX_COLOURS = 1 << 12
MAX_LINES = 18  # log2
PRIOR_BYTES = 8
LAYERS = 3  # of the context network


@dataclass(frozen=True)
class Source:
    """One of the signal's planes, as the transform sees it: value = least + index, or the table's entry.

    Attributes:
        largest: index that occurs.
        least: what is added to the index; 0 where there is a table.
        table: the values that occur, ascending, where few do: (largest + 1,) int64.
    """

    largest: int
    least: int = 0
    table: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Plane:
    """One coded plane.

    Attributes:
        source: of which source it holds the indices. In a lattice the first three planes hold labels, in a palette the only one holds
            colours.
        largest: value; 0: the plane is constant and nothing is coded.
        references: earlier coded planes, at most MAX_REFERENCES, none of them constant.
        two_pass: whether it is coded in four passes, a quarter of the places first.
    """

    source: int
    largest: int
    references: tuple[int, ...] = ()
    two_pass: bool = False


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
    learning: int = 20
    coordinates: bool = True
    contexts: str = "none"
    lines: int = 14
    prior: bytes = b""


@dataclass(frozen=True)
class Delta:
    """What the network of one pass of a plane differs by from the prior's; see `hybrid.deltas`.

    Attributes:
        plane: in coded order.
        pass_: number of the pass, in the order of `scan.NAMES`.
        learning: Adam's rate from there, in units of 2^-14.
        coding: number in `weights.serialize.CODINGS`.
        setting: seed of the dictionary for "sinr"; else bits, only told.
        scales: (mantissa, shift) of each layer: what its integers count.
        data: the integers.
    """

    plane: int
    pass_: int
    learning: int
    coding: int
    setting: int
    scales: tuple[tuple[int, int], ...]
    data: bytes


@dataclass(frozen=True)
class Plan:
    """All that section HYBR says."""

    kind: int
    sources: tuple[Source, ...]
    planes: tuple[Plane, ...]
    model: Model
    lattice: Lattice | None = None  # of the first three sources
    colours: npt.NDArray[np.int64] | None = None  # (colours, sources) of a palette, in indices
    deltas: tuple[Delta, ...] = ()

    @property
    def limit(self) -> int:
        """The largest colour component of a lattice."""
        return max(s.largest for s in self.sources[:3])


def _signed(numbers: Any) -> bytes:
    return b"".join(varint(zigzag(int(n))) for n in np.ravel(numbers))


def _packed(data: bytes) -> bytes:
    packed = compress(data)
    return varint(len(packed)) + packed


def _table(values: npt.NDArray[np.int64]) -> bytes:
    present = np.zeros(int(values[-1]) + 1, np.uint8)
    present[values] = 1
    return varint(int(values[-1])) + _packed(np.packbits(present).tobytes())


def table_size(source: Source) -> int:
    """Bytes that a source's table takes."""
    return len(_table(source.table)) if source.table is not None else 0


def write(plan: Plan) -> bytes:
    """The content of section HYBR."""
    m = plan.model
    parts = [
        bytes([plan.kind, m.least_squares, m.units, m.learning, m.coordinates, contexts.NAMES.index(m.contexts), m.lines]),
        m.prior if m.units else b"",
        varint(len(plan.sources)),
    ]
    for s in plan.sources:
        parts += [varint(s.largest), bytes([s.table is not None])]
        if s.table is not None:
            parts.append(_table(s.table))
        else:
            parts.append(varint(s.least))
    if plan.lattice is not None:
        parts.append(_signed(plan.lattice.matrix) + _signed(plan.lattice.offset) + _signed(plan.lattice.least))
    if plan.colours is not None:
        parts += [varint(len(plan.colours)), _packed(plan.colours.T.astype("<u2").tobytes())]
    for p in plan.planes:
        parts += [varint(p.source), varint(p.largest), bytes([p.two_pass, len(p.references)]), *(varint(r) for r in p.references)]
    if plan.deltas:
        parts += [varint(len(plan.deltas)), *map(write_delta, plan.deltas)]
    return b"".join(parts)


def write_delta(d: Delta) -> bytes:
    """One delta of section HYBR."""
    numbers = [d.pass_, d.learning, d.coding, d.setting, *(n for scale in d.scales for n in scale)]
    return varint(d.plane) + bytes(numbers) + varint(len(d.data)) + d.data


def _read_deltas(r: Reader, planes: list[Plane], units: int) -> Iterator[Delta]:
    last = (-1, -1)
    count = r.varint(len(planes) * len(scan.NAMES)) if r.left else None
    if count == 0:
        raise FormatError("damaged: a list of no deltas")
    for _ in range(count or 0):
        plane, pass_, learning, coding, setting = r.varint(len(planes) - 1), *(r.byte() for _ in range(4))
        scales = tuple((r.byte(), r.byte()) for _ in range(LAYERS))
        if (
            not units
            or (plane, pass_) <= last
            or pass_ >= len(scan.NAMES)
            or coding >= len(CODINGS)
            or any(not m or s > 63 for m, s in scales)
        ):
            raise FormatError("damaged: a delta is not valid")
        last = plane, pass_
        yield Delta(plane, pass_, learning, coding, setting, scales, r.take(r.varint()))


def read(content: bytes, sources: int, bits: int) -> Plan:
    """The plan in section HYBR, all of it validated, for a signal of so many planes of values below 2^bits. Raises FormatError."""
    what = "section HYBR"
    r = Reader(content, what)
    kind, least_squares, units, learning, coordinates, set_number, lines = (r.byte() for _ in range(7))
    if (
        kind > PALETTE
        or least_squares > 2
        or units not in UNITS
        or coordinates > 1
        or set_number >= len(contexts.NAMES)
        or not 1 <= lines <= MAX_LINES
    ):
        raise FormatError(f"damaged: {what} has an unknown setting")
    if units and not least_squares:
        raise FormatError("damaged: a network needs a least squares predictor")
    model = Model(
        least_squares, units, learning, bool(coordinates), contexts.NAMES[set_number], lines, r.take(PRIOR_BYTES) if units else b""
    )
    if r.varint() != sources or not 1 <= sources <= MAX_PLANES or not 1 <= bits <= MAX_BITS:
        raise FormatError("damaged: the planes are not those of the header")
    found = tuple(_read_source(r, bits) for _ in range(sources))
    lattice = colours = None
    labels = 0
    if kind == LATTICE:
        if sources < 3 or max(s.largest for s in found[:3]) > 255:
            raise FormatError("damaged: a lattice is of three planes of 8 bits")
        numbers = [r.signed() for _ in range(15)]
        if max(map(abs, numbers)) >= 1 << 31:
            raise FormatError("damaged: a lattice's number is out of range")
        flat = np.array(numbers, np.int64)
        lattice, labels = Lattice(flat[:9].reshape(3, 3), flat[9:12], flat[12:]), 3
    if kind == PALETTE:
        count = r.varint(MAX_COLOURS)
        raw = decompress(r.take(r.varint()), 2 * count * sources, "the palette")
        if not count or len(raw) != 2 * count * sources:
            raise FormatError("damaged: the palette does not have its size")
        colours = np.frombuffer(raw, "<u2").reshape(sources, count).T.astype(np.int64)
        if (colours > np.array([s.largest for s in found])).any():
            raise FormatError("damaged: a colour of the palette is out of range")
    planes: list[Plane] = []
    for i in range(1 if colours is not None else sources):
        p = _read_plane(r, planes, sources)
        limit = len(colours) - 1 if colours is not None else found[p.source].largest
        if i >= labels and p.largest != limit:
            raise FormatError("damaged: a plane's values are out of range")
        planes.append(p)
    if sorted(p.source for p in planes) != list(range(len(planes))) or any(planes[i].source != i for i in range(labels)):
        raise FormatError("damaged: a plane is missing")
    deltas = tuple(_read_deltas(r, planes, model.units))
    r.end()
    return Plan(kind, found, tuple(planes), model, lattice, colours, deltas)


def _read_source(r: Reader, bits: int) -> Source:
    largest, has_table = r.varint((1 << bits) - 1), r.byte()
    if has_table > 1:
        raise FormatError("damaged: a plane has an unknown setting")
    last = r.varint((1 << bits) - 1)
    if not has_table:
        if largest + last >= 1 << bits:
            raise FormatError("damaged: a plane's values are out of range")
        return Source(largest, last)
    size = (last + 8) // 8
    raw = decompress(r.take(r.varint()), size, "a table of values")
    present = np.unpackbits(np.frombuffer(raw, np.uint8))
    table = np.flatnonzero(present).astype(np.int64)
    if len(raw) != size or len(table) != largest + 1 or table[-1] != last:
        raise FormatError("damaged: a table of values is not valid")
    return Source(largest, 0, table)


def _read_plane(r: Reader, before: list[Plane], sources: int) -> Plane:
    source, largest, two_pass, count = r.varint(sources - 1), r.varint((1 << MAX_BITS) - 1), r.byte(), r.byte()
    if two_pass > 1 or count > MAX_REFERENCES:
        raise FormatError("damaged: a plane has an unknown setting")
    references = tuple(r.varint(MAX_PLANES) for _ in range(count))
    if any(q >= len(before) or before[q].largest == 0 for q in references) or len(set(references)) != count:
        raise FormatError("damaged: a plane refers to one that is not there")
    return Plane(source, largest, references, bool(two_pass))
