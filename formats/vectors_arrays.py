"""Conformance vectors of arrays in the profile `hybrid` (SPEC.md 21). Bricks are coded by plans that are written by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import brotli
import numpy as np
from vector_tools import (
    RIGHT,
    Array,
    Recipe,
    Sections,
    Signal,
    blob,
    fault,
    faultless,
    head,
    long_varint,
    recipe,
    signed,
    spans,
    tiled,
    varint,
)

from inrcodec import floats
from inrcodec.floats import FloatMap
from inrcodec.profiles.base import Ordered, ignore
from inrcodec.profiles.hybrid.arrays import brick, mirror
from inrcodec.profiles.hybrid.arrays import plan as plans
from inrcodec.profiles.hybrid.arrays.plan import BrickModel, BrickPlan
from inrcodec.values import value_type


@dataclass(frozen=True)
class Way:
    """How a brick is coded. special: values that are coded apart."""

    model: BrickModel = BrickModel((0,))
    mirror: tuple[int, int] | None = None
    tabled: bool = False
    special: Sequence[int] = ()
    grain: int = 0
    raw: bool = False


def bricked(values: Array, way: Way, bits: int, ordered: Ordered | None) -> bytes:
    """The bytes of a brick. values: (axes…, channels), unsigned."""
    if way.raw:
        return brick.encode_raw(values, bits)
    folded = mirror.fold(values, way.mirror)
    least, most = int(folded.min()), int(folded.max())
    table = np.unique(folded - folded.dtype.type(least)).astype(np.uint64) if way.tabled else None
    plan = BrickPlan(way.model, way.mirror, least, most - least if table is None else len(table) - 1, table, grain=way.grain)
    if table is None:
        special = [value - least >> plan.low for value in way.special]
    else:
        special = np.searchsorted(table, np.array(way.special, np.uint64) - np.uint64(least)).tolist()
    return brick.encode(values, replace(plan, specials=tuple(special)), ordered, ignore)


def coded(
    signal: Signal,
    ways: Way | Sequence[Way],
    *,
    sizes: Sequence[int] = (),
    float_map: FloatMap | None = None,
    ordered: bool = True,
    bits: int = 0,
) -> Sections:
    """All sections of an array; the bricks are coded in these ways in turn. ordered: whether values are told of as floats."""
    sizes = sizes or signal.axes
    integers, about = signal.samples, dict[str, Any]()
    if integers.dtype.kind == "f":
        float_map = float_map or FloatMap()
        integers = floats.to_integers(integers, float_map)
        about["float_map"] = floats.write_map(float_map)
    offset = int(integers.min())
    bits = bits or (int(integers.max()) - offset).bit_length()
    values = (integers.astype(object) - offset).astype(value_type(bits)).reshape(*signal.axes, signal.channels)
    of_floats = None
    if float_map is not None and ordered:
        of_floats = Ordered(float_map.narrower or f"binary{8 * signal.samples.dtype.itemsize}", offset)
    turns = itertools.cycle([ways] if isinstance(ways, Way) else ways)
    tiles = [bricked(values[span], way, bits, of_floats) for span, way in zip(spans(signal.axes, sizes), turns, strict=False)]
    return [(b"HEAD", head(signal, 2, bits=bits, offset=offset, **about)), (b"HYBR", plans.write_section(of_floats)), *tiled(tiles, sizes)]


def volume(*shape: int, noise: float = 2, seed: int = 0) -> Array:
    """Waves along all axes, with noise: about −300 … 300."""
    rng = np.random.default_rng(seed)
    found: Array = rng.normal(0, noise, shape)
    for axis, n in enumerate(shape):
        wave = 90 * np.sin(np.arange(n) / (2.5 + axis))
        found = found + wave.reshape(-1, *[1] * (len(shape) - axis - 1))
    return found


def integers(*shape: int, dtype: Any = np.int16, **about: Any) -> Array:
    found: Array = np.rint(volume(*shape, **about)).astype(dtype)
    return found


def of(name: str, what: str, signal: Signal | Array, ways: Way | Sequence[Way], **about: Any) -> Recipe:
    """An array that is coded in these ways."""
    told = signal if isinstance(signal, Signal) else Signal(signal)
    return recipe(f"hybrid_array_{name}", f"hybrid: array, {what}", told, partial(coded, told, ways, **about))


FULL = BrickModel((0, 1, 2), lags=(1, 2, 3), size=2, units=32, learning=40, contexts="values", lines=11)
PLAIN = BrickModel((0, 1, 2), lags=(1,), size=1)


def subset() -> Iterable[Recipe]:
    x = integers(5, 14, 19)
    x[1:, 2:8, 3:9] = -1000
    marked = Way(FULL, special=[0])
    yield of("volume", "a volume with a value that is coded apart; a network of 32 units and contexts", x, marked)
    y = (volume(4, 12, 17) / 7).astype(np.float32)
    y[0, 2:5, 4:9], y[2, 5, 5:9], y[3, 7:9, 1:5] = np.nan, np.inf, -0.0
    order = floats.to_integers(y, FloatMap())
    special = [int(order[0, 2, 4]) - int(order.min()), int(order[2, 5, 5]) - int(order.min())]
    model = replace(FULL, order=(2, 0, 1), lags=(1, 2), size=3, units=48)
    yield of("floats", "float32, with NaN, infinity and −0; a network of 48 units and contexts", y, Way(model, special=special, grain=-20))
