"""An array ↔ section HYBR and tiles, which are its bricks. A brick holds all that it is decoded with, so any of them decodes alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .... import parallel
from ....container import Section
from ....errors import FormatError
from ....layout import Box, Layout, box_shape
from ....options import Options
from ....progress import Ticker
from ....values import Values
from ...base import Bits, Ordered, Parts, Stream, Subject, Tick, TileCoder, TileDecoder, ignore
from ...stored import width_of
from ..limits import MAX_CHANNELS_OF_ARRAY, SECTION
from . import analysis, brick, mirror
from . import plan as plans
from .analysis import Recipe


def encode(subject: Subject, options: Options) -> Parts:
    """Code an array. Raises Stopped if options.stop says so."""
    values, axes = subject.values, subject.values.shape[:-1]
    twin = mirror.find(values)
    tile = tuple(min(options.tile, n) for n in axes) if options.tile else analysis.tile_for(values, twin)
    layout = Layout(axes, values.shape[-1], tile)
    recipe = analysis.recipe_of(subject, options.effort, tile)
    if twin is not None and layout.counts[twin[0]] > 1:
        twin = None
    ticker = Ticker(options, "coding")
    ticker.expect(layout.tiles)
    work = partial(encode_brick, recipe=recipe, subject=replace(subject, values=values[:0]), twin=twin)
    tiles = parallel.spread(work, (values[box] for box in layout.boxes()), layout.tiles, options.workers, ticker)
    return Parts(layout, Section(SECTION, plans.write_section(subject.floats)), tiles)


def encode_brick(values: Values, tick: Tick, recipe: Recipe, subject: Subject, twin: tuple[int, int] | None) -> bytes:
    """The bytes of a brick, without a model if that is smaller. values: (axes…, channels) of the brick; subject: what else is known."""
    if recipe.noise:
        tick(1.0)
        return brick.encode_raw(values, subject.bits)
    plan = analysis.plan_for(values, recipe, subject.floats, twin)
    if plan.largest and not brick.fits(plan, mirror.folded_shape(values.shape[:-1], plan.mirror), values.shape[-1]):
        tick(1.0)
        return brick.encode_raw(values, subject.bits)
    coded = brick.encode(values, plan, subject.floats, tick)
    size = values.size * width_of(subject.bits) + 1
    return coded if len(coded) <= size else brick.encode_raw(values, subject.bits)


class BrickCoder(TileCoder):
    """Codes the bricks of an array that comes brick by brick, each with a recipe of its own."""

    def __init__(self, stream: Stream, options: Options) -> None:
        self.stream, self.options = stream, options
        self.section = Section(SECTION, plans.write_section(stream.floats))

    def encode(self, values: Values) -> bytes:
        s = self.stream
        subject = Subject(values, s.bits, s.kind, s.silence, s.sample_rate, s.peak, s.floats)
        recipe = analysis.recipe_of(subject, self.options.effort, values.shape[:-1])
        return encode_brick(values, ignore, recipe, subject, mirror.find(values))


class Decoder(TileDecoder):
    """Decodes the bricks of an array; bits: of its values; floats: what these stand for."""

    known = ("hybrid_array_volume", "hybrid_array_floats")

    def __init__(self, floats: Ordered | None, layout: Layout, bits: int) -> None:
        self.floats, self.layout, self.bits = floats, layout, bits
        self.planes = [*(["values"] if layout.channels == 1 else [f"channel {i}" for i in range(layout.channels)]), "low bits"]

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        return brick.decode(data, (box_shape(box), self.layout.channels), self.bits, self.floats, tick)[0]

    def decode_costs(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> tuple[Values, Bits]:
        shape = box_shape(box)
        costs = np.zeros((len(self.planes), *shape), np.float32)
        return brick.decode(data, (shape, self.layout.channels), self.bits, self.floats, tick, costs)[0], costs

    def memory(self, box: Box, threads: int = 1) -> int:
        return brick.memory(box_shape(box), self.layout.channels)

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """One stage, "values", as `TileDecoder.stages` has it. Bits are by the names in `brick.SPENT`."""
        start, tally = time.perf_counter(), np.zeros(len(brick.SPENT))
        if decode:
            for index, data in enumerate(tiles):
                shape = box_shape(self.layout.box(index)), self.layout.channels
                tally += brick.decode(data, shape, self.bits, self.floats, ignore)[1]
        stage: dict[str, Any] = {"name": "values", "bytes": sum(map(len, tiles))}
        if decode:
            stage |= {"seconds": time.perf_counter() - start, "bits": dict(zip(brick.SPENT, tally.tolist(), strict=True))}
        return [stage]

    def describe(self) -> Mapping[str, object]:
        return {"transform": "array", "floats": self.floats.kind if self.floats else None, "brick": list(self.layout.tile)}


def open_decoder(section: bytes, layout: Layout, bits: int) -> Decoder:
    """Parse and check section HYBR of an array. bits: of the values. Raises FormatError."""
    if layout.channels > MAX_CHANNELS_OF_ARRAY:
        raise FormatError("damaged: it has more channels than its plan allows")
    return Decoder(plans.read_section(section, bits), layout, bits)
