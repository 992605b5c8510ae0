"""A sound ↔ section HYBR and tiles. A tile, of at most some 45 seconds, holds the lags of its segments and one arithmetic-coded stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .... import parallel
from ....container import Section
from ....errors import FormatError
from ....kernels.sound import OTHER, OWN
from ....layout import Box, Layout, box_shape
from ....options import Options
from ....progress import Ticker
from ....values import Values, value_type
from ...base import Bits, Parts, Tick, TileDecoder, ignore
from ..limits import SECTION
from . import analysis, lookback, steps, tile, transform
from . import plan as plans
from .plan import SoundPlan

T = TypeVar("T")
R = TypeVar("R")
SMALL = 1 << 20  # samples; with at most this many, a plan with tables is compared with one without
SPENT = ("mixed", "inside", "even")  # what bits are spent on: decisions that the mixer codes, by one logistic, with even odds


def encode(values: Values, silence: int, rate: int, options: Options) -> Parts:
    """Code a sound. values: (frames, channels) unsigned; silence: the value of a sample 0; rate: frames per second.

    Raises Stopped if options.stop says so.
    """
    plan = analysis.plan_of(values, silence, options)
    coded = encode_with(plan, values, rate, options)
    if values.size <= SMALL and any(c.table is not None for c in plan.channels):  # in a loop few values occur too, but a table may not pay
        plain = analysis.plan_of(values, silence, options, tables=False)
        coded = min(coded, encode_with(plain, values, rate, replace(options, progress=None)), key=lambda c: c.size)
    return coded


def encode_with(plan: SoundPlan, values: Values, rate: int, options: Options) -> Parts:
    """Code a sound by a plan. values: (frames, channels); rate: frames per second.

    Raises Stopped if options.stop says so.
    """
    ticker = Ticker(options, "coding")
    frames, channels = values.shape
    layout = Layout((frames,), channels, (analysis.tile_frames(frames, channels, rate),))
    ticker.expect(frames)
    if not plan.coded:
        return Parts(layout, Section(SECTION, plans.write(plan)), [b""] * layout.tiles)
    plan, tiles = _encode_tiles(plan, values, layout, options, ticker)
    return Parts(layout, Section(SECTION, plans.write(plan)), tiles)


def _encode_tiles(plan: SoundPlan, values: Values, layout: Layout, options: Options, ticker: Ticker) -> tuple[SoundPlan, list[bytes]]:
    """The tiles, with steps if these make them smaller, and the plan that says so. values: (frames, channels)."""

    def in_all_tiles(work: Callable[[T, Tick], R], items: Iterable[T]) -> list[R]:
        return parallel.spread(work, items, layout.tiles, options.workers, ticker)

    found = in_all_tiles(partial(_look_for_steps, plan), (values[box] for box in layout.boxes()))
    shift = max(unit for _, unit in found)
    stepped = replace(plan, steps=shift) if shift else None
    if shift:
        ticker.expect(2 * layout.axes[0])
    cut = ((values[box], pieces) for box, (pieces, _) in zip(layout.boxes(), found, strict=True))
    ways = list(zip(*in_all_tiles(partial(_encode_tile, plan, stepped), cut), strict=True))
    best = min(ways, key=lambda tiles: sum(map(len, tiles)))
    return stepped if stepped and best is not ways[0] else plan, list(best)


def _look_for_steps(plan: SoundPlan, values: Values, tick: Tick) -> tuple[npt.NDArray[np.float64], int]:
    """The steps in a tile, and their unit: see `steps`. values: (frames, channels) of the tile."""
    x = transform.to_indices(values, plan)
    pieces = steps.find(x, tick)
    return pieces, steps.unit(x, pieces)


def _encode_tile(plan: SoundPlan, stepped: SoundPlan | None, cut: tuple[Values, npt.NDArray[np.float64]], tick: Tick) -> list[bytes]:
    """The bytes of a tile by the plan, and by the one with steps if there are any: what both need is made once, and not kept.

    cut: the values of the tile, (frames, channels), and the steps in it.
    """
    values, pieces = cut
    x = transform.to_indices(values, plan)
    lags = lookback.find(x, plan.model.lags)
    coded = [tile.encode(plan, x, lags, tick)[0]]
    if stepped:
        coded.append(tile.encode(stepped, x, lags, tick, steps.rounded(pieces, stepped.steps) if pieces.size else None)[0])
    return coded


class Decoder(TileDecoder):
    """Decodes the tiles of a sound; bits: of its values."""

    known: tuple[str, ...] = ("sound_pair_net",)

    def __init__(self, plan: SoundPlan, layout: Layout, bits: int) -> None:
        self.plan, self.layout, self.bits = plan, layout, bits
        self.planes = [f"channel {k.channel}" for k in plan.coded]
        if plan.steps:
            self.known = "sound_step_pair", *self.known

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        (frames,) = box_shape(box)
        return self._values(self._decode(frames, data, tick)[0])

    def decode_costs(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> tuple[Values, Bits]:
        (frames,) = box_shape(box)
        costs = np.zeros((len(self.planes), frames), np.float32)
        return self._values(self._decode(frames, data, tick, costs)[0]), costs

    def _values(self, indices: transform.Indices) -> Values:
        """The values of a tile, (frames, channels)."""
        values = np.empty((indices.shape[1], self.layout.channels), value_type(self.bits))
        transform.from_indices(indices, self.plan, values)
        return values

    def memory(self, box: Box, threads: int = 1) -> int:
        (frames,) = box_shape(box)
        return tile.memory(self.plan, frames) + frames * (value_type(self.bits).itemsize * self.layout.channels + 16)

    def _decode(self, frames: int, data: bytes, tick: Tick = ignore, costs: Bits | None = None) -> tuple[transform.Indices, tile.Tally]:
        """See `tile.decode`."""
        if not self.plan.coded:
            if data:
                raise FormatError("damaged: a tile of constant channels is not empty")
            return np.zeros((0, frames), np.int64), np.zeros(len(SPENT))
        return tile.decode(self.plan, frames, data, tick, costs)

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """One stage, "samples", as `TileDecoder.stages` has it. Bits are by the names in SPENT."""
        start, tally = time.perf_counter(), np.zeros(len(SPENT))
        if decode:
            for index, data in enumerate(tiles):
                (frames,) = box_shape(self.layout.box(index))
                tally += self._decode(frames, data)[1]
        stage: dict[str, Any] = {"name": "samples", "bytes": sum(map(len, tiles))}
        if decode:
            stage |= {"seconds": time.perf_counter() - start, "bits": dict(zip(SPENT, tally.tolist(), strict=True))}
        return [stage]

    def describe(self) -> Mapping[str, object]:
        p, m = self.plan, self.plan.model
        return {
            "transform": "sound",
            "tables": sum(c.table is not None for c in p.channels),
            "copies": sum(c.copy_of is not None for c in p.channels),
            "channels": [{"channel": k.channel, "partner": p.coded[k.partner].channel} for k in p.coded],
            "least_squares": [f"{OWN * r}+{OTHER * r}" for r in m.predictors],
            "filters": [1 << f.length for f in m.filters],
            "lags": m.lags,
            "units": m.units,
            "steps": p.steps > 0,
        }


def open_decoder(section: bytes, layout: Layout, bits: int) -> Decoder:
    """Parse and check section HYBR of a sound. bits: of the values. Raises FormatError."""
    if len(layout.axes) != 1:
        raise FormatError("damaged: its plan is that of a sound, and it has more than one axis")
    if layout.tile[0] > plans.MAX_TILE:
        raise FormatError("damaged: a tile of the sound is too long")
    return Decoder(plans.read(section, layout.channels, bits), layout, bits)
