"""A picture ↔ section HYBR and tiles. The encoder tries choices and keeps the smallest, then may fit the context networks to the file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .... import fit, parallel
from ....container import Section
from ....errors import FormatError, MissingError, Stopped, notice
from ....kernels import contextnet
from ....layout import Box, Layout, box_shape, tile_of
from ....options import Options
from ....parallel import Once
from ....progress import Ticker
from ....values import Values
from ...base import Bits, Parts, Tick, TileDecoder, ignore
from ..limits import SECTION
from ..priors import shipped
from . import analysis, deltas, scan, sources, tile_memory
from . import plan as plans
from .analysis import Choice
from .plan import PicturePlan
from .scan import Pass
from .sources import Planes
from .tile import Spent, Start, Starts, Tile, inputs_of, rows_of, sizes_of

SHARED = 1 << 23  # bytes of the priors' networks and of tables that all tiles use
DELTA = 1 << 16  # bytes of the largest network that a delta makes
EXPANSION = 1 << 24  # bytes that making it takes
LEAST_VALUES = 20000  # only networks of passes with at least this many values are fitted


def layout_of(axes: tuple[int, ...], channels: int, places: int, side: int = 0) -> Layout:
    """The layout of a picture whose tiles have at most `places` places each along the last two axes, and the whole of the others.

    side: if it is not 0, tiles have that many rows and columns instead.
    """
    tile = tuple(min(side, n) for n in axes[-2:]) if side else tile_of(axes[-2:], places)
    return Layout(axes, channels, (*axes[:-2], *tile))


def starts_of(plan: PicturePlan) -> Starts:
    """The first weights of each pass's context network: those of the prior plus the file's delta, if it has one.

    A delta is expanded when it is first asked for, and kept. Both this function and what it returns raise FormatError.
    """
    m = plan.model
    networks = shipped.named(m.prior, m.units) if m.units else {}
    found = {(d.plane, scan.NAMES[d.pass_]): d for d in plan.deltas}

    def prior_of(pass_name: str, plane: int) -> npt.NDArray[np.float32] | None:
        return networks.get(shipped.network_name(pass_name, len(plan.planes[plane].references), plan.transform.chroma))

    for plane, name in found:
        if prior_of(name, plane) is None or not plan.planes[plane].largest:
            raise FormatError("damaged: a delta of a network that is not there")

    @cache
    def start(p: Pass, plane: int) -> Start:
        prior, delta = prior_of(p.name, plane), found.get((plane, p.name))
        if delta is None or prior is None:
            return Start(prior, m.learning)
        return Start(deltas.apply(delta, prior, m.units), delta.learning)

    return start


def checked_starts(plan: PicturePlan) -> Starts:
    """`starts_of` a plan that was read, after expanding all that was left unexpanded once. Raises FormatError."""
    starts = starts_of(plan)
    for _ in sources.expanded(plan.sources):
        pass
    for d in plan.deltas:
        starts(scan.PASSES[scan.NAMES[d.pass_]], d.plane)
    return starts


Sizes = Counter[tuple[int, str]]  # (number of the plane, name of the pass): bytes of its streams in all tiles


@dataclass(frozen=True)
class CodedPicture:
    """A picture coded by one choice. places: the most places of a tile; sizes: bytes by plane and pass."""

    choice: Choice
    places: int
    parts: Parts
    sizes: Sizes


def encode(values: Values, bits: int, options: Options) -> CodedPicture:
    """Code a picture. values: (axes…, channels), two axes or more, below 2^bits. Raises Stopped if options.stop says so;
    MissingError: networks are to be fitted, and torch is not there.
    """
    if options.tune and not fit.available():
        raise MissingError("fitting networks to the picture (tune)", fit.missing())
    tried: dict[bytes, CodedPicture] = {}
    quiet = replace(options, progress=None)  # progress is shown for the first choice only: there are others only of small pictures
    for i, choice in enumerate(analysis.choices(sources.split(values), bits, options)):
        if (content := plans.write(choice.plan)) not in tried:
            tried[content] = encode_with(choice, values.shape, quiet if i else options, analysis.tile_places(choice.drawn))
    best = min(tried.values(), key=lambda coded: coded.parts.size)
    if options.tune and best.choice.plan.model.units and best.choice.planes[0].size >= LEAST_VALUES:
        return tune(best, values.shape, options)
    return best


def tune(plain: CodedPicture, shape: tuple[int, ...], options: Options) -> CodedPicture:
    """Fit the context networks to the picture. Deltas are kept for those passes that they make smaller by more than their own bytes.

    plain: the picture coded with the prior; shape: of the values. Returns the smallest found. If options.stop ends the fit, that is the
    smallest so far.
    """
    from . import tuning

    choice, best = plain.choice, plain
    with suppress(Stopped):  # what was coded before the stop is a valid file
        found = tuning.deltas_of(choice.plan, choice.planes, starts_of(choice.plan), options, LEAST_VALUES)[: plans.MAX_DELTAS]
        while found:
            with_deltas = replace(choice, plan=replace(choice.plan, deltas=tuple(found), brief=0))
            coded = encode_with(with_deltas, shape, options, plain.places)
            best = min(best, coded, key=lambda c: c.parts.size)
            pays = [d for d in found if plain.sizes[key := (d.plane, scan.NAMES[d.pass_])] - coded.sizes[key] > len(plans.write_delta(d))]
            if len(pays) == len(found):
                break
            found = pays
        if best is plain:
            notice("what was fitted saved less than it takes: the file is as it is without", 2)
    return best


def encode_with(choice: Choice, shape: tuple[int, ...], options: Options, places: int) -> CodedPicture:
    """Code a picture by one choice. shape: of the values, (axes…, channels); places: the most places of a tile.

    Raises Stopped if options.stop says so.
    """
    plan, workers = choice.plan, options.workers
    layout = layout_of(shape[:-1], shape[-1], places, options.tile)
    ticker = Ticker(options, "coding")
    of_sizes = Counter(box_shape(box)[-2:] for box in layout.boxes())
    ticker.expect(sum(count * rows_of(plan, size) for size, count in of_sizes.items()))
    coder = TileCoding(plan, max(1, workers // layout.tiles))
    cut = (((y.start, x.start), choice.planes[:, y, x], choice.indices[:, y, x]) for *_, y, x in layout.boxes())
    tiles, sizes = zip(*parallel.spread(coder, cut, layout.tiles, workers, ticker), strict=True)
    return CodedPicture(choice, places, Parts(layout, Section(SECTION, plans.write(plan)), tiles), sum(sizes, Counter()))


Cut = tuple[tuple[int, int], Planes, Planes]  # of a tile: (y, x) of its first place; its part of a Choice's planes; and of the indices


@dataclass(frozen=True)
class TileCoding:
    """Codes tiles of a picture, in any process. threads: for each of them."""

    plan: PicturePlan
    threads: int

    @cached_property
    def starts(self) -> Starts:
        """See `starts_of`."""
        return starts_of(self.plan)

    def __reduce__(self) -> tuple[type[TileCoding], tuple[PicturePlan, int]]:
        return TileCoding, (self.plan, self.threads)

    def __call__(self, cut: Cut, tick: Tick) -> tuple[bytes, Sizes]:
        """The bytes of a tile, and how many of them its streams take. tick: called with the rows done."""
        origin, planes, indices = cut
        tile = Tile(self.plan, self.starts, np.ascontiguousarray(planes).astype(np.int32), origin)
        data = tile.encode(indices, self.threads, tick)
        return data, Counter({(p.plane, p.order.name): len(p.stream) for p in tile.passes})


def coded_planes(plan: PicturePlan, pages: int) -> list[tuple[str, list[int]]]:
    """Names of the coded planes of a picture of so many pages, and of its corrections, and of which pages each one tells.

    With several pages, planes of the same channel share a name: there would be too many else.
    """
    found = []
    for i, p in enumerate(plan.planes):
        told = plan.transform.told_by(i, p.source, len(plan.sources))
        name = f"plane {i}" if pages == 1 else f"channel {p.source // pages}" if len(told) == 1 else "colours"
        found.append((name, [source % pages for source in told] if pages > 1 else [0]))
    return found + [("corrections", [source % pages for source in range(3)] if pages > 1 else [0])] * plan.transform.corrected


def plane_names(plan: PicturePlan, pages: int) -> list[str]:
    """The names of `coded_planes`, each once."""
    return list(dict.fromkeys(name for name, _ in coded_planes(plan, pages)))


class Decoder(TileDecoder):
    """Decodes the tiles of a picture. starts: where the networks begin; the first call checks tables and deltas, see `checked_starts`."""

    known = ("hybrid_rgb_net_photo", "hybrid_rgba_graphics", "hybrid_rgb_two_pass")

    def __init__(self, plan: PicturePlan, layout: Layout) -> None:
        self.plan, self.layout = plan, layout
        self.planes = plane_names(plan, math.prod(layout.axes[:-2]))
        self.starts = Once(lambda: checked_starts(plan))

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        return sources.join(self._tile(box).decode(data, threads, tick), (*box_shape(box), self.layout.channels))

    def decode_costs(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> tuple[Values, Bits]:
        tile, sizes = self._tile(box), box_shape(box)
        tile.note()
        values = tile.decode(data, threads, tick)
        pages = math.prod(sizes[:-2])
        found = np.zeros((len(self.planes), pages, *sizes[-2:]), np.float32)
        for (name, told), bits in zip(coded_planes(self.plan, pages), tile.costs(), strict=True):
            for page in told:
                found[self.planes.index(name), page] += bits / len(told)
        return sources.join(values, (*sizes, self.layout.channels)), found.reshape(-1, *sizes)

    def check(self) -> None:
        super().check()
        shipped.SHELF.check()

    def memory(self, box: Box, threads: int = 1) -> int:
        height, width = box_shape(box)[-2:]
        return tile_memory.memory(self.plan, (height, width), threads)

    @property
    def shared(self) -> int:
        return SHARED + (EXPANSION + len(self.plan.deltas) * DELTA if self.plan.deltas else 0)

    def _tile(self, box: Box) -> Tile:
        """The tile of a box, not yet decoded."""
        starts, (y, x) = self.starts(), box[-2:]
        planes = np.zeros((len(self.plan.planes), y.stop - y.start, x.stop - x.start), np.int32)
        return Tile(self.plan, starts, planes, (y.start, x.start))

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """Bytes by plane and pass, as `TileDecoder.stages` has it. Seconds are those of one thread, bits are by index of the bit."""
        total: dict[str, Spent] = {}
        for index, data in enumerate(tiles):
            for stage in self._spent(self.layout.box(index), data, decode):
                sum_ = total.setdefault(stage.name, Spent(stage.name, 0, 0.0, {}))
                sum_.bytes += stage.bytes
                sum_.seconds += stage.seconds
                for key, bits in stage.bits.items():
                    sum_.bits[key] = sum_.bits.get(key, 0.0) + bits
        timed = ("name", "bytes", "seconds", "bits") if decode else ("name", "bytes")
        return [{key: getattr(stage, key) for key in timed} for stage in total.values()]

    def _spent(self, box: Box, data: bytes, decode: bool) -> Iterable[Spent]:
        """The stages of a tile."""
        if not decode:
            height, width = box_shape(box)[-2:]
            return sizes_of(self.plan, (height, width), data)
        tile = self._tile(box)
        tile.decode(data, 1, ignore)
        return tile.stages(data)

    def describe(self) -> Mapping[str, object]:
        m = self.plan.model
        return {
            "transform": self.plan.transform.name,
            "tables": sum(s.has_table for s in self.plan.sources),
            "planes": [{"largest": p.largest, "references": list(p.references), "four_passes": p.four_passes} for p in self.plan.planes],
            "least_squares": m.least_squares,
            "units": m.units,
            "contexts": m.contexts,
            "prior": m.prior.hex(),
            **self._deltas(),
        }

    def _deltas(self) -> Mapping[str, object]:
        """The entries "deltas" and "weights" of `describe`; empty if the file has no deltas."""
        plan, settings = self.plan, {d.setting for d in self.plan.deltas}
        if not plan.deltas:
            return {}
        told = [
            {"plane": d.plane, "pass": scan.NAMES[d.pass_], "coding": d.coding, "bytes": len(plans.write_delta(d))} for d in plan.deltas
        ]
        passes = [(scan.PASSES[scan.NAMES[d.pass_]], plan.planes[d.plane]) for d in plan.deltas]
        parameters = sum(contextnet.parameters(inputs_of(scan.taps(p, 0, q.references)), plan.model.units) for p, q in passes)
        return {
            "deltas": told,
            "weights": {
                "coding": "+".join(sorted({d.coding for d in plan.deltas})),
                "setting": settings.pop() if len(settings) == 1 else None,  # None: they differ
                "parameters": parameters,
                "bits_per_parameter": 8 * self.weights_bytes(0) / parameters,
            },
        }

    def weights_bytes(self, section: int) -> int:
        return sum(len(plans.write_delta(d)) for d in self.plan.deltas)


def open_decoder(section: bytes, layout: Layout, bits: int) -> Decoder:
    """Parse and check section HYBR of a picture. bits: of the values. Raises FormatError."""
    if len(layout.axes) < 2 or layout.tile[:-2] != layout.axes[:-2]:
        raise FormatError("damaged: its tiles are not those of a picture")
    count = math.prod(layout.axes[:-2]) * layout.channels
    return Decoder(plans.read(section, count, bits), layout)
