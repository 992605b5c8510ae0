"""Sections of a `.linr` file taken apart into fields, and written again with all lengths and sizes mended. SPEC.md has the fields.

Only valid files are taken apart. What is written may be anything: a field can hold any number or bytes.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import brotli

from inrcodec import codec
from inrcodec.compression import compress
from inrcodec.container import Reader, varint, zigzag
from inrcodec.floats import FORMS, MISSING, TWO_ZEROS
from inrcodec.header import INDEX, TILE
from inrcodec.kernels import contextnet, integers
from inrcodec.kernels.architecture import Architecture
from inrcodec.kernels.arrays import Ints1
from inrcodec.kernels.sound import PIECE, SEGMENT
from inrcodec.layout import box_shape
from inrcodec.profiles.base import TileDecoder
from inrcodec.profiles.hybrid import turned
from inrcodec.profiles.hybrid.arrays.coding import Decoder as ArrayDecoder
from inrcodec.profiles.hybrid.arrays.plan import CODED_BITS
from inrcodec.profiles.hybrid.limits import ARRAY, SOUND, TURNED
from inrcodec.profiles.hybrid.pictures import deltas, scan, sources
from inrcodec.profiles.hybrid.pictures.coding import Decoder as PictureDecoder
from inrcodec.profiles.hybrid.pictures.plan import COLOURS, FULL, TOLD, WRITTEN_OUT, Delta, PicturePlan
from inrcodec.profiles.hybrid.pictures.transforms import TRANSFORMS
from inrcodec.profiles.hybrid.priors import shipped
from inrcodec.weights import adapted, codings, network, sinr
from inrcodec.weights.shelf import NAME_BYTES

# number forms; "length" and "size": the bytes of another field as it is written, and before Brotli; "crc": its CRC-32, in 4 bytes; these
# three are right if the value is None
Form = Literal["byte", "varint", "signed", "length", "size", "crc", "bytes", "brotli", "integers"]
NUMBERS = ("byte", "varint", "signed", "length", "size", "crc")


@dataclass(frozen=True, eq=False)
class Field:
    """A field of a section.

    Attributes:
        name: tells it from the others of its section.
        form: how it is written.
        value: a number, bytes (before compression), or for "integers" a list of arrays; None: of a length, size or CRC that is right.
        of: the fields that a length, size or CRC is of.
        widths: of "integers": that of the rows of each array.
        states: of "integers": what is known before of each array, if they go on from others.
    """

    name: str
    form: Form
    value: Any
    of: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    states: tuple[integers.State, ...] = ()

    @cached_property
    def written(self) -> bytes:
        """Its bytes, if it is not a length, size or CRC without value."""
        if self.form == "byte":
            return bytes([self.value & 255])
        if self.form in ("varint", "length", "size"):
            return varint(max(0, self.value))
        if self.form == "signed":
            return varint(zigzag(self.value))
        if self.form == "brotli":
            return compress(self.value, 3)
        if self.form == "integers":
            widths = [*self.widths, *[0] * len(self.value)][: len(self.value)]
            return integers.encode(self.value, widths, [(e.copy(), n.copy()) for e, n in self.states])
        if self.form == "crc":
            return int(self.value % 2**32).to_bytes(4, "little")
        return bytes(self.value)


def number_of(field: Field, fields: Iterable[Field]) -> int:
    """The number that a field of one of NUMBERS holds, among all fields of its section."""
    if field.value is not None:
        return int(field.value)
    named = {f.name: f for f in fields}
    found = [named[name] for name in field.of if name in named]
    if field.form == "crc":
        return zlib.crc32(b"".join(f.written for f in found))
    return sum(len(f.value) if field.form == "size" and f.form == "brotli" else len(f.written) for f in found)


def write(fields: Sequence[Field]) -> bytes:
    """The content of a section."""
    return b"".join(f.written if f.value is not None else replace(f, value=number_of(f, fields)).written for f in fields)


class Taker:
    """Takes fields from the front of a section's content. All methods but `rest` append to `fields` and return the value."""

    def __init__(self, content: bytes) -> None:
        self.reader = Reader(content, "a seed")
        self.fields: list[Field] = []

    def _add(self, name: str, form: Form, value: Any, of: tuple[str, ...] = ()) -> Any:
        self.fields.append(Field(name, form, value, of))
        return value

    def bytes_of(self, *names: str) -> list[int]:
        """A byte for each name."""
        return [self._add(name, "byte", self.reader.byte()) for name in names]

    def varint(self, name: str) -> int:
        """A varint."""
        return int(self._add(name, "varint", self.reader.varint(2**64 - 1)))

    def signed(self, name: str) -> int:
        """A signed varint."""
        return int(self._add(name, "signed", self.reader.signed()))

    def number_ahead(self, form: Form, *of: str) -> int:
        """The length or size of fields that come later."""
        number = self.reader.varint()
        self._add(f"{form} of {of[0]}", form, None, of)
        return number

    def raw(self, name: str, count: int | None = None) -> bytes:
        """Bytes as they are; None: all that are left."""
        data = self.reader.rest() if count is None else self.reader.take(count)
        self._add(name, "bytes", data)
        return data

    def brotli(self, name: str, count: int | None = None) -> bytes:
        """A Brotli stream of `count` bytes; None: all that are left."""
        stream = self.reader.rest() if count is None else self.reader.take(count)
        return bytes(self._add(name, "brotli", brotli.decompress(stream)))

    def integers(
        self, name: str, count: int, sizes: list[int], widths: Sequence[int] = (), states: Sequence[integers.State] = ()
    ) -> list[Ints1]:
        """Coded integers, arrays of these sizes, in `count` bytes. widths, states: see `integers.decode`."""
        before = tuple((e.copy(), n.copy()) for e, n in states)
        found = integers.decode(self.reader.take(count), sizes, widths, states)
        self.fields.append(Field(name, "integers", found, (), tuple(widths), before))
        return found

    def sparse(self, name: str, shapes: list[tuple[int, int]], count: int | None = None) -> None:
        """Sparse matrices of these shapes in `count` bytes; None: all that are left."""
        end = len(self.reader.data) if count is None else self.reader.position + count
        form, _ = self.bytes_of(f"{name}: form", f"{name}: value bits")
        counts = [self.varint(f"{name}: non-zeros {i}") for i in range(len(shapes))]
        left = end - self.reader.position
        if form & 8:
            total = sum(sinr.vector_shape(shape)[0] * n for shape, n in zip(shapes, counts, strict=True))
            self.integers(f"{name}: codes", left, [total, total])
        else:
            self.brotli(f"{name}: codes", left)


def _head(t: Taker) -> None:
    _, kind, type_, _, dimensions = t.bytes_of("profile", "kind", "type", "depth", "dimensions")
    for i in range(dimensions):
        t.varint(f"size {i}")
    if kind == 1:
        t.varint("rate")
    if type_ & 3 == 3:
        _float_map(t)
    t.signed("offset")
    t.varint("step")
    t.bytes_of("bits")
    t.raw("digest")


def _float_map(t: Taker) -> None:
    (way,) = t.bytes_of("way")
    form = FORMS[way & ~(TWO_ZEROS | MISSING)]
    if way & MISSING:
        t.varint("missing pattern")
        t.signed("missing number")
    if form == "narrow":
        t.bytes_of("format")
    if form in ("fixed", "split"):
        t.signed("exponent")
    if form == "split":
        t.bytes_of("digits")
    if form in ("product", "quotient"):
        t.raw("factor", 8)


def _meta(t: Taker) -> None:
    t.number_ahead("size", "items")
    t.brotli("items")


def _index(t: Taker) -> None:
    for i in itertools.count():
        if not t.reader.left:
            return
        t.varint(f"number {i}")


def _architecture(t: Taker) -> None:
    form, flags = t.bytes_of("form", "flags")
    for name in ("hidden", "layers", "octaves"):
        t.varint(name)
    if form & 3 == 1:
        t.varint("bit places")
    if flags & network.GRID:
        for i in range(t.varint("levels")):
            t.bytes_of(f"level {i} spacing")
            t.varint(f"level {i} features")
            t.bytes_of(f"level {i} table")
    if flags & network.PARTS:
        for name in ("widths", "depths"):
            for i in range(t.varint(name)):
                t.varint(f"{name} {i}")


def _network(t: Taker, opened: codec.Opened) -> None:
    layout = opened.layout
    if adapted.names_prior(bytes(t.reader.data)):
        _from_prior(t, opened)
        return
    known = network.parse(bytes(t.reader.data), layout.axes, layout.channels, opened.header.value_map.bits)
    a = known.architecture
    _architecture(t)
    t.bytes_of("coding", "setting")
    for i in range(len(known.errors)):
        t.varint(f"error {i}")
    for i in range(len(known.distances)):
        t.varint(f"distance {i}")
    for i in range(len(known.scales)):
        t.varint(f"multiplier {i}")
        t.bytes_of(f"shift {i}")
    if a.biased:
        t.bytes_of(*(f"grain {i}" for i in range(len(known.shapes))))
    if a.form == "values":
        t.bytes_of(*(f"order {i}" for i in range(a.channels)))
        t.raw("factors", a.channels * (a.channels - 1))
        t.bytes_of(*(f"scale {i}" for i in range(a.channels)), *(f"halving {i}" for i in range(a.outputs)))
    else:
        t.raw("gains", a.planes)
    if a.widths:
        _shells(t, a)
        return
    length = t.number_ahead("length", "numbers")
    both = list(zip(known.shapes, known.is_sparse, strict=True))
    sizes = [*(o for o, _ in known.shapes if a.biased), *(o * i for (o, i), sparse in both if not sparse)]
    cells = [level for level in a.levels for _ in range(level.features)]
    widths = [0] * len(sizes) + [0 if level.table else level.nodes(a.sizes)[-1] for level in cells]
    t.integers("numbers", length, [*sizes, *(level.cells(a.sizes) for level in cells)], widths)
    if codings.named(known.coding).sparse:
        t.sparse("sparse", [shape for shape, sparse in both if sparse])


def _from_prior(t: Taker, opened: codec.Opened) -> None:
    """A network that is made from a prior."""
    layout = opened.layout
    known = adapted.parse(bytes(t.reader.data), layout.axes, layout.channels, opened.header.value_map.bits)
    a = known.architecture
    t.bytes_of("form")
    t.raw("prior", NAME_BYTES)
    t.bytes_of("coding", "setting")
    for name in ("error", "distance")[: 1 + len(known.distances)]:
        t.varint(name)
    t.varint("multiplier")
    t.bytes_of("shift")
    for i in range(a.outputs):
        t.signed(f"bias {i}")
    t.bytes_of(*(f"scale {i}" for i in range(a.channels)))
    if known.patches:
        latents, patches = known.values
        t.varint("latent multiplier")
        t.bytes_of("latent shift")
        if codings.named(known.coding).sparse:
            t.sparse("sparse", [(latents, patches)])
        else:
            t.integers("latents", t.reader.left, [latents * patches], [latents])
        return
    for i in range(len(known.steps)):
        t.varint(f"step {i}")
    t.integers("differences", t.reader.left, [o for o, _ in a.shapes[:-1]] + [o * i for o, i in a.shapes])


def _shells(t: Taker, a: Architecture) -> None:
    """The strings of a network with smaller ones in it."""
    states = [integers.fresh(), integers.fresh()]
    for i, found in enumerate(network.shells(a)):
        length = t.number_ahead("length", f"numbers {i}")
        t.reader.take(4)
        t.fields.append(Field(f"crc {i}", "crc", None, (f"numbers {i}",)))
        sizes = [sum(int(b.sum()) for _, b in found) * a.biased, sum(int(w.sum()) for w, _ in found)]
        t.integers(f"numbers {i}", length, sizes, (), states)


def _source(t: Taker, i: int) -> None:
    """A source in the long form."""
    t.varint(f"source {i} largest")
    if t.bytes_of(f"source {i} form")[0]:
        t.varint(f"source {i} last")
        t.brotli(f"source {i} table", t.number_ahead("length", f"source {i} table"))
    else:
        t.varint(f"source {i} least")


def _brief_plan(t: Taker, plan: PicturePlan) -> None:
    """The brief form of a plan."""
    (form,) = t.bytes_of("form")
    if form & WRITTEN_OUT == WRITTEN_OUT:
        model = t.bytes_of("coding", "predictors", "units", "learning", "coordinates", "contexts", "lines")
        t.raw("prior", NAME_BYTES if model[2] else 0)
    for i in range(0 if form & FULL else len(plan.sources)):
        (way,) = t.bytes_of(f"source {i}")
        if way == sources.LONG:
            _source(t, i)
        elif way == sources.PLAIN:
            t.varint(f"source {i} largest")
            t.raw(f"source {i} table", (t.varint(f"source {i} last") + 8) // 8)
    way = form >> 4 & 3
    if way == COLOURS:
        if t.varint("colours") & 1:
            t.brotli("palette", t.number_ahead("length", "palette"))
        else:
            t.raw("palette")
    elif way == TOLD:
        _planes(t, len(plan.sources))


def _picture_plan(t: Taker, decoder: TileDecoder) -> None:
    assert isinstance(decoder, PictureDecoder)
    if decoder.plan.brief:
        _brief_plan(t, decoder.plan)
        return
    kind, _, _, units, *_ = t.bytes_of("kind", "coding", "predictors", "units", "learning", "coordinates", "contexts", "lines")
    if units:
        t.raw("prior", 8)
    count = t.varint("sources")
    for i in range(count):
        _source(t, i)
    if kind == 1:
        for i in range(15):
            t.signed(f"lattice {i}")
    if kind == 2:
        t.varint("colours")
        t.brotli("palette", t.number_ahead("length", "palette"))
    _planes(t, 1 if kind == 2 else count)
    if not t.reader.left:
        return
    t.varint("deltas")
    for i, delta in enumerate(decoder.plan.deltas):
        t.varint(f"delta {i} plane")
        t.bytes_of(*(f"delta {i} {name}" for name in ("pass", "learning", "coding", "setting")))
        for j in range(3):
            t.bytes_of(f"delta {i} mantissa {j}", f"delta {i} shift {j}")
        _delta(t, f"delta {i}", delta, decoder.plan)


def _planes(t: Taker, count: int) -> None:
    for i in range(count):
        t.varint(f"plane {i} source")
        t.varint(f"plane {i} largest")
        for j in range(t.bytes_of(f"plane {i} two-pass", f"plane {i} references")[1]):
            t.varint(f"plane {i} reference {j}")


def _delta(t: Taker, name: str, delta: Delta, plan: PicturePlan) -> None:
    """The content of a delta."""
    units, references = plan.model.units, len(plan.planes[delta.plane].references)
    networks = shipped.named(plan.model.prior, units)
    first = networks[shipped.network_name(scan.NAMES[delta.pass_], references, plan.transform.chroma)]
    shapes = contextnet.shapes(deltas.inputs_of(first, units), units)
    if codings.named(delta.coding).sparse:
        parts = [f"sparse {name}: {part}" for part in ("form", "value bits", *(f"non-zeros {i}" for i in range(3)))]
        length = t.number_ahead("length", f"sparse {name}: codes", *parts)
        t.sparse(f"sparse {name}", [(columns, rows) for rows, columns in shapes], length)
        return
    t.integers(f"{name} numbers", t.number_ahead("length", f"{name} numbers"), [rows * columns for rows, columns in shapes])


def _sound_plan(t: Taker) -> None:
    _, windows, filters, _, _, _ = t.bytes_of("kind", "windows", "filters", "lags", "units", "learning")
    for i in range(windows):
        t.bytes_of(f"sizes {i}", f"every {i}")
        t.varint(f"decay {i}")
    for i in range(filters):
        t.bytes_of(f"filter length {i}", f"filter source {i}")
        t.varint(f"filter step {i}")
    coded = 0
    for i in range(t.varint("channels")):
        (kind,) = t.bytes_of(f"channel {i} kind")
        if kind == 2:
            t.bytes_of(f"channel {i} copy of")
            continue
        coded += t.varint(f"channel {i} largest") > 0
        t.varint(f"channel {i} zero")
        if kind == 0:
            t.varint(f"channel {i} least")
        else:
            table = f"channel {i} table"
            t.number_ahead("size", table)
            t.brotli(table, t.number_ahead("length", table))
    for i in range(coded):
        t.bytes_of(f"coded {i} channel", f"coded {i} partner")
    if t.reader.left:
        t.bytes_of("steps")


def _array_plan(t: Taker) -> None:
    if t.bytes_of("kind", "floats")[1]:
        t.signed("first float")
        t.varint("step of floats")


def _brick(t: Taker, floats: bool) -> None:
    """A tile of an array."""
    if not t.bytes_of("brick")[0]:
        t.raw("values")
        return
    t.bytes_of("order")
    if t.varint("mirror"):
        t.varint("sum")
    t.varint("least")
    largest = t.varint("largest")
    (tabled,) = t.bytes_of("tabled")
    if tabled:
        t.number_ahead("size", "table")
        t.brotli("table", t.number_ahead("length", "table"))
    if not largest:
        return
    for i in range(t.bytes_of("regressors", "decay", "units", "learning", "contexts", "lines", "references")[-1]):
        t.varint(f"lag {i}")
    for i in range(t.varint("specials")):
        t.varint(f"special {i}")
    if floats:
        t.signed("grain")
    if not tabled and largest.bit_length() > CODED_BITS:
        t.brotli("low bits", t.number_ahead("length", "low bits"))
    t.raw("string")


def _plan(t: Taker, opened: codec.Opened) -> None:
    decoder = opened.decoder
    if t.reader.data[0] == TURNED:
        t.bytes_of("kind of turned", "turn")
        decoder = decoder.inner  # type: ignore[attr-defined]
    kind = t.reader.data[t.reader.position]
    if kind == SOUND:
        _sound_plan(t)
    elif kind == ARRAY:
        _array_plan(t)
    else:
        _picture_plan(t, decoder)


def _tile(t: Taker, opened: codec.Opened, index: int) -> None:
    if opened.header.split:
        t.raw("coded", t.number_ahead("length", "coded"))
        (mode,) = t.bytes_of("mode of fine bits")
        if mode:
            t.number_ahead("size", "fine bits")
            t.brotli("fine bits")
        else:
            t.raw("fine bits")
    elif opened.profile.name == "stored" and t.reader.left:
        (mode,) = t.bytes_of("mode")
        if mode:
            t.brotli("values")
        else:
            t.raw("values")
    elif opened.profile.name == "hybrid":
        _hybrid_tile(t, opened, box_shape(opened.layout.box(index)))
    else:
        t.raw("string")


def _hybrid_tile(t: Taker, opened: codec.Opened, shape: tuple[int, ...]) -> None:
    decoder: Any = opened.decoder
    if isinstance(decoder, turned.Decoder):
        decoder, shape = decoder.inner, box_shape(decoder.box)
    if isinstance(decoder, ArrayDecoder):
        _brick(t, decoder.floats is not None)
        return
    plan: Any = decoder.plan
    if not isinstance(plan, PicturePlan):
        lags, frames = plan.model.lags, math.prod(shape)
        if lags and t.reader.left:
            t.integers("lags", t.number_ahead("length", "lags"), [-(-frames // SEGMENT)] * lags)
        if plan.steps and t.reader.left:
            t.integers("steps", t.number_ahead("length", "steps"), [-(-frames // PIECE)] * (3 * len(plan.coded)))
        t.raw("string")
        return
    names = []
    for i, plane in enumerate(plan.planes):
        four = plane.four_passes and min(shape[-2:]) >= 4
        names += [f"string {i} {name}" for name in (scan.NAMES[1:] if four else scan.NAMES[:1])] if plane.largest else []
    names += ["corrections"] if TRANSFORMS[plan.transform.number].corrected else []
    lengths: list[int | None] = [t.number_ahead("length", name) for name in names[: len(names) - (plan.brief > 0)]]
    lengths += [None] * (len(names) - len(lengths))
    for name, length in zip(names, lengths, strict=True):
        t.raw(name, length)


TAKERS: dict[bytes, Callable[[Taker, codec.Opened], None]] = {
    b"HEAD": lambda t, _: _head(t),
    b"meta": lambda t, _: _meta(t),
    b"TIDX": lambda t, _: _index(t),
    b"NETW": _network,
    b"HYBR": _plan,
}


def fields_of(opened: codec.Opened) -> Iterator[tuple[bytes, bytes, tuple[Field, ...]]]:
    """(type, content, fields) of each section of a valid file, in order."""
    index = next((section.content for section in opened.sections if section.type == INDEX), b"")
    tiles = iter(codec.read_index(index, opened.header).order)
    for section in opened.sections:
        t = Taker(section.content)
        if section.type == TILE:
            _tile(t, opened, next(tiles))
        elif section.type in TAKERS:
            TAKERS[section.type](t, opened)
        else:
            t.raw("content")
        t.reader.end()
        yield section.type, section.content, tuple(t.fields)
