"""The `hybrid` profile: P(bit) from what was decoded before, by a shipped network and experts that learn as they go.

Section HYBR holds the plan; a tile holds one arithmetic code for each pass of each plane. Here for images, and for arrays of two axes or
more of up to 16 bits; sound is in `hybrid_sound`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..container import Section
from ..errors import FormatError
from ..hybrid import deltas, priors, scan, transform
from ..hybrid import plan as plans
from ..hybrid.plan import Plan
from ..hybrid.scan import Pass
from ..hybrid.tile import Stage, Start, Starts, Tile
from ..layout import Box, Layout, box_shape, tile_of
from ..options import Options
from ..planes import Values
from ..progress import Ticker
from ..sound.plan import SOUND
from ..weights.serialize import CODINGS
from . import HYBR, Coded, Tick, TileDecoder, hybrid_sound, ignore

TILE_PLACES = 1 << 20
TUNED_EFFORT = 8  # from here on networks are fitted to the file


def applies(values: Values, bits: int) -> bool:
    """Whether this profile can code such values, (axes…, channels)."""
    return values.ndim >= 3 and 1 <= bits <= plans.MAX_BITS and math.prod(values.shape[:-3]) * values.shape[-1] <= plans.MAX_PLANES


def layout_of(axes: tuple[int, ...], channels: int, places: int) -> Layout:
    """Tiles of at most so many places cut the last two axes."""
    return Layout(axes, channels, (*axes[:-2], *tile_of(axes[-2:], places)))


def starts_of(plan: Plan) -> Starts:
    """What a tile asks for: the prior's networks, with the file's deltas. Raises FormatError."""
    m = plan.model
    networks = priors.named(m.prior, m.units) if m.units else {}

    def prior_of(pass_name: str, plane: int) -> npt.NDArray[np.float32] | None:
        return networks.get(priors.network_name(pass_name, len(plan.planes[plane].references), plan.kind == plans.LATTICE))

    found = {}
    for d in plan.deltas:
        prior = prior_of(scan.NAMES[d.pass_], d.plane)
        if prior is None or not plan.planes[d.plane].largest:
            raise FormatError("damaged: a delta of a network that is not there")
        found[d.plane, scan.NAMES[d.pass_]] = Start(deltas.apply(d, prior, m.units), d.learning)

    def start(p: Pass, plane: int) -> Start:
        return found.get((plane, p.name)) or Start(prior_of(p.name, plane), m.learning)

    return start


def encode(values: Values, bits: int, options: Options) -> Coded:
    """Values of shape (axes…, channels), two axes or more, below 2^bits."""
    from ..hybrid import analysis

    tried = []
    quiet = replace(options, progress=None)  # told of the first alone: only of small pictures are there others
    for i, choice in enumerate(analysis.choices(transform.split(values), bits, options)):
        places = analysis.tile_places(choice[0])
        tried.append((choice, places, *encode_with(choice, values.shape, quiet if i else options, places)))
    choice, places, coded, sizes = min(tried, key=lambda t: t[2].size)
    if options.effort >= TUNED_EFFORT and choice[0].model.units:
        return tune(choice, values.shape, options, places, coded, sizes)
    return coded


def tune(choice: transform.Choice, shape: tuple[int, ...], options: Options, places: int, plain: Coded, sizes: Sizes) -> Coded:
    """Fit the networks to the file, and keep the deltas of those passes that it makes smaller. plain, sizes: without any.

    Where options.stop says so, the best file so far.
    """
    from ..hybrid import tuning

    plan, planes, indices = choice
    best = plain
    with suppress(KeyboardInterrupt):  # a fit that is stopped leaves the file as good as it was
        found = tuning.deltas_of(plan, planes, starts_of(plan), options)
        while found:
            coded, tuned = encode_with((replace(plan, deltas=tuple(found)), planes, indices), shape, options, places)
            best = min(best, coded, key=lambda c: c.size)
            pays = [d for d in found if sizes[key := (d.plane, scan.NAMES[d.pass_])] - tuned[key] > len(plans.write_delta(d))]
            if len(pays) == len(found):
                break
            found = pays
    return best


Sizes = Counter[tuple[int, str]]  # bytes of a plane's pass in all tiles


def encode_with(chosen: transform.Choice, shape: tuple[int, ...], options: Options, places: int = TILE_PLACES) -> tuple[Coded, Sizes]:
    """Code a choice of plan and planes in tiles of at most so many places; shape: of the values, (axes…, channels).

    Raises KeyboardInterrupt where options.stop says so.
    """
    workers = options.workers
    plan, planes, indices = chosen
    layout = layout_of(shape[:-1], shape[-1], places)
    starts = starts_of(plan)
    boxes = list(layout.boxes())
    inner = max(1, workers // len(boxes))
    ticker = Ticker(options, "coding")

    def encode_tile(box: Box) -> tuple[bytes, Sizes]:
        y, x = box[-2:]
        tile = Tile(plan, starts, np.ascontiguousarray(planes[:, y, x]).astype(np.int32), (y.start, x.start))
        image = np.ascontiguousarray(np.moveaxis(indices[:3, y, x], 0, -1)).astype(np.int32) if plan.lattice is not None else None
        ticker.expect(len(boxes) * sum(job.rows for job in tile.jobs))
        data = tile.encode(inner, image, ticker)
        return data, Counter({(p.plane, p.name.name): len(p.stream) for p in tile.passes})

    with ThreadPoolExecutor(workers) as pool:
        tiles, sizes = zip(*pool.map(encode_tile, boxes), strict=True)
    return Coded("hybrid", layout, [Section(HYBR, plans.write(plan))], list(tiles)), sum(sizes, Counter())


def _told(d: plans.Delta) -> dict[str, object]:
    return {"plane": d.plane, "pass": scan.NAMES[d.pass_], "coding": CODINGS[d.coding], "bytes": len(plans.write_delta(d))}


class Decoder:
    """Holds the plan and the prior's networks."""

    def __init__(self, plan: Plan, layout: Layout, bits: int) -> None:
        self.plan, self.layout, self.bits = plan, layout, bits
        self.starts = starts_of(plan)

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        return transform.join(self._tile(box).decode(data, threads, tick), (*box_shape(box), self.layout.channels))

    def _tile(self, box: Box) -> Tile:
        """The tile of a box, not yet decoded."""
        y, x = box[-2:]
        planes = np.zeros((len(self.plan.planes), y.stop - y.start, x.stop - x.start), np.int32)
        return Tile(self.plan, self.starts, planes, (y.start, x.start))

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """Where the payload goes, by plane and pass.

        With `decode` also the time it takes on one thread, and the bits by what they were spent on.
        """
        total: dict[str, Stage] = {}
        for index, data in enumerate(tiles):
            tile = self._tile(self.layout.box(index))
            if decode:
                tile.decode(data, 1, ignore)
            for stage in tile.stages(data):
                sum_ = total.setdefault(stage.name, Stage(stage.name, 0, 0.0, {}))
                sum_.bytes += stage.bytes
                sum_.seconds += stage.seconds
                for key, bits in stage.bits.items():
                    sum_.bits[key] = sum_.bits.get(key, 0.0) + bits
        timed = ("name", "bytes", "seconds", "bits") if decode else ("name", "bytes")
        return [{key: getattr(stage, key) for key in timed} for stage in total.values()]

    def describe(self) -> Mapping[str, object]:
        m = self.plan.model
        return {
            "transform": ("planes", "lattice", "palette")[self.plan.kind],
            "tables": sum(s.table is not None for s in self.plan.sources),
            "planes": [{"largest": p.largest, "references": list(p.references), "two_pass": p.two_pass} for p in self.plan.planes],
            "least_squares": m.least_squares,
            "units": m.units,
            "contexts": m.contexts,
            "prior": m.prior.hex(),
            **({"deltas": [_told(d) for d in self.plan.deltas]} if self.plan.deltas else {}),
        }


def open_decoder(sections: Mapping[bytes, bytes], layout: Layout, bits: int) -> TileDecoder:
    """Parse and check the plan. Raises FormatError."""
    if HYBR not in sections:
        raise FormatError("damaged: it lacks its plan")
    if sections[HYBR][:1] == bytes([SOUND]):
        return hybrid_sound.open_decoder(sections, layout, bits)
    if len(layout.axes) < 2 or layout.tile[:-2] != layout.axes[:-2]:
        raise FormatError("damaged: its tiles are not those of a picture")
    sources = math.prod(layout.axes[:-2]) * layout.channels
    return Decoder(plans.read(sections[HYBR], sources, bits), layout, bits)
