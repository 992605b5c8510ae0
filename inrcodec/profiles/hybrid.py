"""The `hybrid` profile: P(bit) from what was decoded before, by a shipped network and experts that learn as they go.

Section HYBR holds the plan; a tile holds one arithmetic code for each pass of each plane. For images, and for arrays of two axes or more
of up to 16 bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ..container import Section
from ..errors import FormatError
from ..hybrid import plan as plans
from ..hybrid import priors, transform
from ..hybrid.plan import Plan, Plane
from ..hybrid.scan import Pass
from ..hybrid.tile import Stage, Tile
from ..layout import Box, Layout, box_shape, tile_of
from ..options import FitStatus, Options
from ..planes import Values
from . import Coded

HYBR = b"HYBR"
TILE_PLACES = 1 << 20
Choice = tuple[Plan, transform.Planes, transform.Planes]  # the plan, the coded planes, the sources' indices


def applies(values: Values, bits: int) -> bool:
    """Whether this profile can code such values, (axes…, channels)."""
    return values.ndim >= 3 and 1 <= bits <= plans.MAX_BITS and math.prod(values.shape[:-3]) * values.shape[-1] <= plans.MAX_PLANES


def layout_of(axes: tuple[int, ...], channels: int, places: int) -> Layout:
    """Tiles of at most so many places cut the last two axes."""
    return Layout(axes, channels, (*axes[:-2], *tile_of(axes[-2:], places)))


def weights_of(plan: Plan) -> Any:
    """What a tile asks for a pass's first weights: None where there is no network for it."""
    if not plan.model.units:
        return lambda p, plane, plan_: None
    networks = priors.named(plan.model.prior, plan.model.units)

    def find(p: Pass, plane: Plane, plan_: Plan) -> npt.NDArray[np.float32] | None:
        return networks.get(priors.network_name(p, plane, plan_))

    return find


def encode(values: Values, bits: int, options: Options) -> Coded:
    """Values of shape (axes…, channels), two axes or more, below 2^bits."""
    from ..hybrid import analysis

    tried = (
        encode_with(choice, values.shape, options, analysis.tile_places(choice[0]))
        for choice in analysis.choices(transform.split(values), bits, options)
    )
    return min(tried, key=lambda coded: coded.size)


class Ticker:
    """Counts rows, tells of them, and stops the work when asked to."""

    def __init__(self, options: Options) -> None:
        self.options, self.done, self.total, self.start = options, 0, 1, time.perf_counter()

    def __call__(self, rows: int) -> None:
        self.done += rows
        if self.options.stop and self.options.stop():
            raise KeyboardInterrupt
        if self.options.progress:
            seconds = time.perf_counter() - self.start
            self.options.progress(FitStatus("coding", self.done, seconds, min(1.0, self.done / self.total), (), math.inf, 0.0))


def encode_with(chosen: Choice, shape: tuple[int, ...], options: Options, places: int = TILE_PLACES) -> Coded:
    """Code a choice of plan and planes in tiles of at most so many places; shape: of the values, (axes…, channels).

    Raises KeyboardInterrupt where options.stop says so.
    """
    workers = options.workers
    plan, planes, indices = chosen
    layout = layout_of(shape[:-1], shape[-1], places)
    weights = weights_of(plan)
    boxes = list(layout.boxes())
    inner = max(1, workers // len(boxes))
    ticker = Ticker(options)

    def encode_tile(box: Box) -> bytes:
        y, x = box[-2:]
        tile = Tile(plan, weights, np.ascontiguousarray(planes[:, y, x]).astype(np.int32), (y.start, x.start))
        image = np.ascontiguousarray(np.moveaxis(indices[:3, y, x], 0, -1)).astype(np.int32) if plan.lattice is not None else None
        ticker.total = len(boxes) * sum(job.rows for job in tile.jobs)
        return tile.encode(inner, image, ticker)

    with ThreadPoolExecutor(workers) as pool:
        tiles = list(pool.map(encode_tile, boxes))
    return Coded("hybrid", layout, [Section(HYBR, plans.write(plan))], tiles)


class Decoder:
    """Holds the plan and the prior's networks."""

    def __init__(self, plan: Plan, layout: Layout, bits: int) -> None:
        self.plan, self.layout, self.bits = plan, layout, bits
        self.weights = weights_of(plan)

    def decode_tile(self, box: Box, data: bytes, threads: int = 1) -> Values:
        y, x = box[-2:]
        shape = (*box_shape(box), self.layout.channels)
        planes = np.zeros((len(self.plan.planes), y.stop - y.start, x.stop - x.start), np.int32)
        decoded = Tile(self.plan, self.weights, planes, (y.start, x.start)).decode(data, threads)
        return transform.join(decoded, shape)

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """Where the payload goes, by plane and pass.

        With `decode` also the time it takes on one thread, and the bits by what they were spent on.
        """
        total: dict[str, Stage] = {}
        for index, data in enumerate(tiles):
            y, x = self.layout.box(index)[-2:]
            planes = np.zeros((len(self.plan.planes), y.stop - y.start, x.stop - x.start), np.int32)
            tile = Tile(self.plan, self.weights, planes, (y.start, x.start))
            if decode:
                tile.decode(data, 1)
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
        }


def open_decoder(sections: Mapping[bytes, bytes], layout: Layout, bits: int) -> Decoder:
    """Parse and check the plan. Raises FormatError."""
    if HYBR not in sections:
        raise FormatError("damaged: it lacks its plan")
    if len(layout.axes) < 2 or layout.tile[:-2] != layout.axes[:-2]:
        raise FormatError("damaged: its tiles are not those of a picture")
    sources = math.prod(layout.axes[:-2]) * layout.channels
    return Decoder(plans.read(sections[HYBR], sources, bits), layout, bits)
