"""Section HYBR of a picture: its transform, sources, coded planes with their references, model, and deltas. SPEC.md, "HYBR", defines it.

It has a long form, which says all, and a brief one for small files, where what is usual takes no bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ....container import Reader, varint
from ....errors import FormatError
from ....kernels.contextnet import UNITS
from ....kernels.predictors import WINDOWS
from ....weights import codings
from ....weights.shelf import NAME_BYTES
from ..limits import MAX_SOURCES, PICTURE_BITS
from ..priors import shipped
from . import contexts, scan, sources
from .sources import Source
from .transforms import TRANSFORMS, Direct, Palette, Transform

MAX_REFERENCES = 3
MAX_LINES = 18  # log2 of the lines of a context's table
MAX_DELTAS = 1 << 10
LAYERS = 3  # of the context network, with the output layer
# how values become decisions: bit by bit; in a tree around the prediction; in such a tree, by adaptive probabilities alone
BITS, AROUND, PLAIN = range(3)
COUNTS = tuple(WINDOWS)  # of least squares predictors
BRIEF = 0x80  # of the first byte: the brief form
FULL = 0x40  # of the first byte of the brief form: all sources have their full range
PHOTO, DRAWN, COLOURS, TOLD = range(4)  # how the brief form has the planes: usual ones, those of drawn pictures, a palette, one by one
WHAT = "section HYBR"
WRITTEN_OUT = 15  # in place of the number of a preset


@dataclass(frozen=True)
class Plane:
    """One coded plane.

    Attributes:
        source: number of the source whose indices it holds. With a lattice the first three planes hold labels; with a palette the only
            plane holds numbers of colours.
        largest: largest value, below 2^16; 0: the plane is constant and nothing is coded.
        references: numbers of earlier coded planes, at most MAX_REFERENCES, none of them constant.
        four_passes: whether it is coded in four passes instead of one, a quarter of the places first (see `scan`).
    """

    source: int
    largest: int
    references: tuple[int, ...] = ()
    four_passes: bool = False


@dataclass(frozen=True)
class PictureModel:
    """What the planes are predicted with.

    Attributes:
        coding: how values become decisions: BITS, AROUND or PLAIN.
        least_squares: number of least squares predictors, one of COUNTS.
        units: units of each hidden layer of the context network; 0: there is no network.
        learning: rate of the network's learning while coding, in units of 2^-14; 0: it does not learn.
        coordinates: whether the network sees sine and cosine of the coordinates.
        contexts: name of the set of hashed contexts.
        lines: log2 of the lines of each context's table.
        prior: first 8 bytes of the prior's SHA-256; empty without network.
    """

    coding: int = 0
    least_squares: int = 0
    units: int = 0
    learning: int = 0
    coordinates: bool = False
    contexts: str = "none"
    lines: int = 14
    prior: bytes = b""


def _preset(units: int = 0, contexts: str = "none", coding: int = AROUND, least_squares: int = 4) -> PictureModel:
    """A model as the encoder makes it."""
    lines = 14 if contexts in ("none", "photo") else 16
    prior = shipped.preset(units) if units else b""
    return PictureModel(coding, least_squares, units, 20 if units else 0, units > 0, contexts, lines, prior)


@cache
def presets() -> tuple[PictureModel, ...]:
    """The models that a number says in the brief form, at most WRITTEN_OUT. All models of the encoder should be among them."""
    return (
        _preset(coding=PLAIN, least_squares=1),
        _preset(coding=PLAIN),
        _preset(0, "photo"),
        _preset(48, "photo"),
        _preset(64, "photo"),
        _preset(0, "graphics", BITS),
        _preset(48, "graphics", BITS),
        _preset(64, "graphics", BITS),
        _preset(0, "graphics", BITS, 0),
        _preset(0, "few", BITS, 0),
    )


@dataclass(frozen=True)
class Delta:
    """The difference between the context network of one pass of a plane and that of the prior, as it is written; see `deltas`.

    Attributes:
        plane: number of the plane, in coded order.
        pass_: number of the pass in `scan.NAMES`.
        learning: rate of this network's learning, in units of 2^-14; it takes the place of the model's.
        coding: name of the weight coding.
        setting: seed of the dictionary for "sinr"; else the bits per weight, which decoding does not need.
        scales: (mantissa, shift) of each layer: difference = integer·mantissa·2^−shift.
        data: the coded integers of the three layers.
    """

    plane: int
    pass_: int
    learning: int
    coding: str
    setting: int
    scales: tuple[tuple[int, int], ...]
    data: bytes


@dataclass(frozen=True)
class PicturePlan:
    """All that section HYBR of a picture says. brief: bits of the values if it has the brief form; 0: it has the long one."""

    transform: Transform
    sources: tuple[Source, ...]
    planes: tuple[Plane, ...]
    model: PictureModel
    deltas: tuple[Delta, ...] = ()
    brief: int = 0


def usual_planes(sources: tuple[Source, ...], drawn: bool) -> list[Plane]:
    """The planes of sources in coded order with their references: green before red and blue; alpha before all others in drawn pictures."""
    count = len(sources)
    first = {2: [1, 0] if drawn else [0, 1], 3: [1, 0, 2], 4: [3, 1, 0, 2] if drawn else [1, 0, 2, 3]}.get(count, list(range(count)))
    planes: list[Plane] = []
    live: list[int] = []  # numbers of the planes so far that are not constant
    for source in first:
        references = tuple(live[:-4:-1]) if drawn else tuple(live[-2:])
        planes.append(Plane(source, sources[source].largest, references))
        if planes[-1].largest:
            live.append(len(planes) - 1)
    return planes


def write(plan: PicturePlan) -> bytes:
    """The content of section HYBR for a plan. One that has the brief form must have neither deltas nor a lattice."""
    if plan.brief:
        return _write_brief(plan)
    parts = [bytes([plan.transform.number]), _write_model(plan.model), varint(len(plan.sources))]
    parts += [*map(sources.write, plan.sources), plan.transform.write(), *map(_write_plane, plan.planes)]
    if plan.deltas:
        parts += [varint(len(plan.deltas)), *map(write_delta, plan.deltas)]
    return b"".join(parts)


def _write_brief(plan: PicturePlan) -> bytes:
    known = presets()
    number = known.index(plan.model) if plan.model in known else WRITTEN_OUT
    full = Source((1 << plan.brief) - 1)
    if isinstance(plan.transform, Palette):
        planes = COLOURS
    else:
        planes = next((way for way in (PHOTO, DRAWN) if tuple(usual_planes(plan.sources, way == DRAWN)) == plan.planes), TOLD)
    all_full = all(not source.has_table and source == full for source in plan.sources)  # arrays do not compare to one truth value
    parts = [bytes([BRIEF | FULL * all_full | planes << 4 | number]), _write_model(plan.model) if number == WRITTEN_OUT else b""]
    if not all_full:
        parts += [
            sources.write_brief(source, before, plan.brief) for source, before in zip(plan.sources, (None, *plan.sources), strict=False)
        ]
    if isinstance(plan.transform, Palette):
        parts.append(plan.transform.write_brief(plan.brief))
    parts += map(_write_plane, plan.planes if planes == TOLD else ())
    return b"".join(parts)


def _write_model(m: PictureModel) -> bytes:
    numbers = [m.coding, m.least_squares, m.units, m.learning, m.coordinates, contexts.NAMES.index(m.contexts), m.lines]
    return bytes(numbers) + (m.prior if m.units else b"")


def _write_plane(p: Plane) -> bytes:
    return b"".join([varint(p.source), varint(p.largest), bytes([p.four_passes, len(p.references)]), *map(varint, p.references)])


def write_delta(d: Delta) -> bytes:
    """The bytes of one delta in section HYBR."""
    numbers = [d.pass_, d.learning, codings.named(d.coding).number, d.setting, *(n for scale in d.scales for n in scale)]
    return varint(d.plane) + bytes(numbers) + varint(len(d.data)) + d.data


def _read_deltas(r: Reader, planes: list[Plane], units: int) -> Iterator[Delta]:
    last = (-1, -1)
    count = r.varint() if r.left else None
    if count == 0:
        raise FormatError("damaged: a list of no deltas")
    if count is not None and count > MAX_DELTAS:
        raise FormatError(f"damaged: more than {MAX_DELTAS} deltas")
    for _ in range(count or 0):
        plane, pass_, learning, number, setting = r.varint(len(planes) - 1), *(r.byte() for _ in range(4))
        coding = codings.numbered(number)
        scales = tuple((r.byte(), r.byte()) for _ in range(LAYERS))
        if not units or (plane, pass_) <= last or pass_ >= len(scan.NAMES) or coding is None or any(not m or s > 63 for m, s in scales):
            raise FormatError("damaged: a delta is not valid")
        last = plane, pass_
        yield Delta(plane, pass_, learning, coding.name, setting, scales, r.take(r.varint()))


def read(content: bytes, count: int, bits: int) -> PicturePlan:
    """Parse and check section HYBR of a picture with `count` sources, of values below 2^bits. Raises FormatError."""
    r = Reader(content, WHAT)
    kind = r.byte()
    if not 1 <= count <= MAX_SOURCES or not 1 <= bits <= PICTURE_BITS:
        raise FormatError("damaged: the planes are not those of the header")
    if kind & BRIEF:
        return _read_brief(r, kind, count, bits)
    if kind not in TRANSFORMS:
        raise FormatError(f"damaged: {WHAT} has an unknown setting")
    model = _read_model(r)
    if r.varint() != count:
        raise FormatError("damaged: the planes are not those of the header")
    found = tuple(sources.read(r, bits) for _ in range(count))
    transform = TRANSFORMS[kind].read(r, found)
    planes = _read_planes(r, transform, found)
    deltas = tuple(_read_deltas(r, planes, model.units))
    r.end()
    return PicturePlan(transform, found, tuple(planes), model, deltas)


def _read_planes(r: Reader, transform: Transform, found: tuple[Source, ...]) -> list[Plane]:
    """The planes, one by one. found: the sources."""
    planes: list[Plane] = []
    for i in range(transform.planes(len(found))):
        p = _read_plane(r, planes, len(found))
        if i >= transform.labels and p.largest != transform.largest(found[p.source]):
            raise FormatError("damaged: a plane's values are out of range")
        planes.append(p)
    if sorted(p.source for p in planes) != list(range(len(planes))) or any(planes[i].source != i for i in range(transform.labels)):
        raise FormatError("damaged: a plane is missing")
    return planes


def _read_brief(r: Reader, first: int, count: int, bits: int) -> PicturePlan:
    """The brief form, after its first byte."""
    number, way = first & WRITTEN_OUT, first >> 4 & 3
    if number != WRITTEN_OUT and number >= len(presets()):
        raise FormatError(f"damaged: {WHAT} has an unknown setting")
    model = _read_model(r) if number == WRITTEN_OUT else presets()[number]
    found: list[Source] = [Source((1 << bits) - 1)] * count if first & FULL else []
    while len(found) < count:
        found.append(sources.read_brief(r, found[-1] if found else None, bits))
    known = tuple(found)
    transform: Transform = Palette.read_brief(r, known, bits) if way == COLOURS else Direct()
    if way == COLOURS:
        planes = [Plane(0, transform.largest(known[0]))]
    else:
        planes = _read_planes(r, transform, known) if way == TOLD else usual_planes(known, way == DRAWN)
    r.end()
    return PicturePlan(transform, known, tuple(planes), model, brief=bits)


def _read_model(r: Reader) -> PictureModel:
    coding, least_squares, units, learning, coordinates, set_number, lines = (r.byte() for _ in range(7))
    if (
        coding > PLAIN
        or least_squares not in COUNTS
        or units not in UNITS
        or coordinates > 1
        or set_number >= len(contexts.NAMES)
        or not 1 <= lines <= MAX_LINES
    ):
        raise FormatError(f"damaged: {WHAT} has an unknown setting")
    if units and not least_squares:
        raise FormatError("damaged: a network needs a least squares predictor")
    if coding != BITS and not least_squares:
        raise FormatError("damaged: a tree around a prediction needs a least squares predictor")
    if coding == PLAIN and (units or set_number):
        raise FormatError("damaged: plain coding has no network and no contexts")
    prior = r.take(NAME_BYTES) if units else b""
    return PictureModel(coding, least_squares, units, learning, bool(coordinates), contexts.NAMES[set_number], lines, prior)


def _read_plane(r: Reader, before: list[Plane], sources: int) -> Plane:
    source, largest, four_passes, count = r.varint(sources - 1), r.varint((1 << PICTURE_BITS) - 1), r.byte(), r.byte()
    if four_passes > 1 or count > MAX_REFERENCES:
        raise FormatError("damaged: a plane has an unknown setting")
    references = tuple(r.varint(MAX_SOURCES) for _ in range(count))
    if any(q >= len(before) or before[q].largest == 0 for q in references) or len(set(references)) != count:
        raise FormatError("damaged: a plane refers to one that is not there")
    return Plane(source, largest, references, bool(four_passes))
