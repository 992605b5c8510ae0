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
    by_encoder,
    fault,
    faultless,
    head,
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

    model: BrickModel
    mirror: tuple[int, int] | None = None
    tabled: bool = False
    special: Sequence[int] = ()
    grain: int = 0
    raw: bool = False


def way(model: BrickModel, twin: tuple[int, int] | None = None, *, special: Sequence[int] = (), **about: Any) -> Way:
    """A way by this model with some changes, and what else `about` says. twin: a mirror."""
    of_way = {name: about.pop(name) for name in ("tabled", "grain", "raw") if name in about}
    return Way(replace(model, **about), twin, special=special, **of_way)


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
    step: int = 1,
) -> Sections:
    """All sections of an array; the bricks are coded in these ways in turn. ordered: whether values are told of as floats."""
    sizes = sizes or signal.axes
    integers, about = signal.samples, dict[str, Any]()
    if integers.dtype.kind == "f":
        float_map = float_map or FloatMap()
        integers = floats.to_integers(integers, float_map)
        about["float_map"] = floats.write_map(float_map)
    offset = int(integers.min())
    bits = bits or ((int(integers.max()) - offset) // step).bit_length()
    values = ((integers.astype(object) - offset) // step).astype(value_type(bits)).reshape(*signal.axes, signal.channels)
    of_floats = None
    if float_map is not None and ordered:
        of_floats = Ordered(float_map.narrower or f"binary{8 * signal.samples.dtype.itemsize}", offset, step)
    turns = itertools.cycle([ways] if isinstance(ways, Way) else ways)
    tiles = [bricked(values[span], way, bits, of_floats) for span, way in zip(spans(signal.axes, sizes), turns, strict=False)]
    return [
        (b"HEAD", head(signal, 2, bits=bits, offset=offset, step=step, **about)),
        (b"HYBR", plans.write_section(of_floats)),
        *tiled(tiles, sizes),
    ]


BITS = FloatMap()


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


FLAT = BrickModel((0, 1), lines=6)
LINE = BrickModel((0,), lines=6)
FULL = BrickModel((0, 1, 2), lags=(1, 2, 3), size=2, units=32, learning=40, contexts="values", lines=10)
PLAIN = BrickModel((0, 1, 2), lags=(1,), size=1, lines=6)
ROWS = BrickModel((0, 1), rows=True, lags=(1, 2), size=1, decay=2, lines=6)
KINDS = ("binary16", "bfloat16", "binary32")


def subset() -> Iterable[Recipe]:
    x = integers(5, 14, 19)
    x[1:, 2:8, 3:9] = -1000
    yield of("volume", "a volume with a value that is coded apart; a network of 32 units and contexts", x, way(FULL, special=[0]))
    y = (volume(4, 12, 17) / 7).astype(np.float32)
    y[0, 2:5, 4:9], y[2, 5, 5:9], y[3, 7:9, 1:5] = np.nan, np.inf, -0.0
    model = replace(FULL, order=(2, 0, 1), lags=(1, 2), size=3, units=48)
    coded_so = way(model, special=values_at(y, [(0, 2, 4), (2, 5, 5)]), grain=-20)
    yield of("floats", "float32, with NaN, infinity and −0; a network of 48 units and contexts", y, coded_so)
    yield from by_effort()


def by_effort() -> Iterable[Recipe]:
    """What the encoder makes of arrays."""
    x, smooth = integers(18, 12, 17, dtype=np.int64, noise=8), volume(8, 12, 17, noise=0.05)
    brains = smooth.astype(np.float32).view(np.uint32) >> 16
    turning = (volume(7, 8, 9, noise=0) + 1j * volume(7, 8, 9, noise=0.01, seed=1)).astype(np.complex64)
    wide = x[:9] * 70000 + np.random.default_rng(7).integers(0, 9999, (9, 12, 17)) + 2**31
    drawn = np.where(np.random.default_rng(6).random((12, 10, 10)) < 0.2, 255, 0).astype(np.uint8)
    drawn = np.maximum.accumulate(drawn, 1) // (1 + np.arange(12, dtype=np.uint8).reshape(-1, 1, 1) % 2)
    files: dict[str, tuple[str, Signal, int]] = {
        "encoded_int16": ("a volume of int16", Signal(x.astype(np.int16)), 3),
        "encoded_uint32": ("a volume of uint32", Signal(wide.astype(np.uint32)), 5),
        "encoded_float32": ("a volume of float32", Signal(np.exp(smooth / 80).astype(np.float32)), 4),
        "encoded_set": ("a set of small pictures", Signal(drawn), 4),
        "encoded_4_axes": ("float64 of four axes", Signal(np.exp(volume(3, 4, 5, 9, noise=0) / 50)), 2),
        "encoded_complex": ("complex numbers of three axes", Signal(turning), 2),
        "encoded_bfloat16": ("bfloat16 of three axes", Signal(brains.astype(np.uint16), bfloat16=True), 3),
        "encoded_stack": ("a stack of pictures of float32", Signal(np.exp(smooth[:3, ..., :2] / 50).astype(np.float32), "stack"), 2),
    }
    for name, (what, signal, effort) in files.items():
        yield by_encoder(f"hybrid_array_{name}", f"hybrid: {what}, by the encoder", signal, profile="hybrid", effort=effort)
    told = "hybrid: a volume in bricks of 16 places along each axis, by the encoder"
    yield by_encoder("hybrid_array_encoded_bricks", told, Signal(x.astype(np.int32)), profile="hybrid", effort=2, tile=16)


def values_at(samples: Array, places: Iterable[tuple[int, ...]], float_map: FloatMap = BITS) -> list[int]:
    """The values of floats at these places."""
    found = floats.to_integers(samples, float_map)
    return [int(found[place]) - int(found.min()) for place in places]


def uncommon() -> Iterable[Recipe]:
    yield from of_axes()
    yield from of_settings()
    yield from of_mirrors()
    yield from of_tables()
    yield from of_bricks()
    yield from of_channels()
    yield from of_floats()
    yield from of_large_numbers()


def of_axes() -> Iterable[Recipe]:
    """One axis to four, in several orders, and slices that are rows."""
    line = integers(300, dtype=np.int32)
    yield of("1_axis", "one axis", line, way(LINE, size=3, decay=2))
    yield of("1_axis_rows", "one axis, slices named rows; a network", line, way(LINE, rows=True, size=1, units=16, learning=20))
    plane = integers(21, 30)
    yield of("2_axes", "two axes, all regressors; contexts", plane, way(FLAT, size=3, contexts="values", lines=10))
    yield of("2_axes_turned", "two axes, columns first; a network", plane, way(FLAT, order=(1, 0), size=2, units=16, learning=80))
    yield of(
        "2_axes_rows",
        "two axes, slices are rows, three references; a network",
        plane[:9],
        way(ROWS, lags=(1, 2, 5), size=3, units=32),
    )
    yield of("2_axes_columns", "two axes, slices are columns", plane, way(ROWS, order=(1, 0), size=0, decay=1))
    for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        name = "".join(map(str, order))
        yield of(f"order_{name}", f"three axes, order {name}", integers(6, 9, 11), way(PLAIN, order=order))
    yield of("3_axes_rows", "three axes, slices are rows; contexts", integers(4, 6, 20), way(ROWS, order=(1, 0, 2), contexts="values"))
    four = integers(3, 4, 5, 8)
    yield of("4_axes", "four axes, a reference at the last axis but two", four, way(PLAIN, order=(0, 1, 2, 3), lags=(4, 1, 12)))
    yield of("4_axes_turned", "four axes, order 3201", four, way(PLAIN, order=(3, 2, 0, 1), lags=(1, 5), size=2))
    yield of("4_axes_rows", "four axes, order 3120, slices are rows", four, way(ROWS, order=(3, 1, 2, 0), lags=(3, 1)))
    yield of(
        "flat",
        "slices of one row that are not named rows; a network",
        integers(7, 1, 40),
        way(PLAIN, size=3, units=16, learning=20),
    )
    yield of(
        "flat_2",
        "one slice of one row that is not named rows; contexts",
        integers(1, 90),
        way(FLAT, size=2, contexts="values", lines=8),
    )
    yield of("thin", "slices of one column", integers(4, 30, 1), way(PLAIN, size=2))
    yield of("thin_rows", "rows of one place", integers(60, 1), way(ROWS))


def of_settings() -> Iterable[Recipe]:
    x = integers(4, 11, 18)
    for size, decay in ((0, 1), (1, 2), (2, 0), (3, 1)):
        model = replace(PLAIN, size=size, decay=decay, lags=(1, 2, 3)[:size])
        yield of(f"size_{size}", f"size {size}, decay {decay}, {size} references", x, way(model))
        rows = replace(model, order=(0, 1), rows=True)
        yield of(f"size_{size}_rows", f"the same in rows, decay {2 - decay}", x[0], way(rows, decay=2 - decay))
    yield of("units_64", "a network of 64 units that learns fast", x, way(PLAIN, units=64, learning=255))
    yield of("units_still", "a network that does not learn, without references", x, way(PLAIN, units=16, lags=()))
    yield of("learning_alone", "a rate of learning, and no network", x, way(PLAIN, learning=7))
    yield of("lines_1", "contexts of two lines", x, way(PLAIN, contexts="values", lines=1))
    wide = integers(5, 40, 44, noise=1)
    yield of(
        "lines_15",
        "contexts of 2^15 lines; slices of more than 1024 places, two bands, six blocks",
        wide,
        way(PLAIN, contexts="values", lines=15),
    )
    yield of("lags_far", "references further back than there are slices", x, way(PLAIN, lags=(4, 792, 2)))
    same = np.concatenate([x, x])
    yield of("lags_same", "a slice that comes again; a network", same, way(FULL, lags=(4, 1), size=1, units=16, contexts="none"))
    yield of("flat_places", "a drawing with flat places; a network and contexts", x // 150, way(FULL))
    sparse = np.where(np.random.default_rng(5).random(x.shape) < 0.3, x, 7)
    for count in (1, 2, 3):
        sparse[count, :, : 5 * count] = 1000 * count
        special = [value - int(sparse.min()) for value in (7, 2000, 3000)[:count]]
        yield of(
            f"specials_{count}",
            f"{count} values that are coded apart",
            sparse.copy(),
            way(FULL, units=16 * (count == 3), special=special),
        )
    yield of("specials_none", "values are coded apart that do not occur, without references", x, way(PLAIN, lags=(), special=[1, 3]))
    yield of("bits", "truth values", x > 20, way(FULL))


def of_mirrors() -> Iterable[Recipe]:
    half = integers(4, 9, 8)
    whole = np.concatenate([half, half[:, -2::-1]], 1)
    yield of("mirror", "a mirror of the second axis, 17 places", whole, way(FULL, (1, 16)))
    yield of(
        "mirror_even", "a mirror of the first axis, of an even number of places", np.concatenate([half, half[::-1]]), way(PLAIN, (0, 7))
    )
    longer = np.concatenate([whole, integers(4, 3, 8, seed=1)], 1)
    yield of("mirror_early", "a mirror with places after it that have no twin", longer, way(PLAIN, (1, 16)))
    later = np.concatenate([integers(4, 3, 8, seed=1), whole], 1)
    yield of("mirror_late", "a mirror with places before it that have no twin", later, way(PLAIN, (1, 22), order=(1, 2, 0)))
    yield of("mirror_0", "a mirror of one place: all places are coded", half, way(PLAIN, (2, 0)))
    yield of("mirror_last", "a mirror of the last place: all places are coded", half, way(PLAIN, (2, 14)))
    line = np.concatenate([half[0, 0], half[0, 0, ::-1]])
    yield of("mirror_line", "a mirror of one axis", line, way(LINE, (0, 15)))
    yield of("mirror_constant", "a mirror of equal values", np.stack([line, line])[:, 4:12], [way(FLAT, (1, 7))], sizes=(1, 8))


def of_tables() -> Iterable[Recipe]:
    x = integers(4, 11, 18)
    wide = np.unique(np.random.default_rng(2).integers(0, 2**64, 700, np.uint64))
    numbered = wide[(x - x.min()) % len(wide)]
    yield of("table", "a table of multiples of 17; a network", x.astype(np.int64) * 17, way(FULL, contexts="none", tabled=True))
    yield of("table_64", "a table of numbers of 64 bits; contexts", numbered, way(PLAIN, contexts="values", tabled=True))
    yield of("table_2", "a table of two numbers", (x > 0) * np.uint16(65535), way(FULL, tabled=True))
    small = (x / 8).astype(np.float16)
    small[2, 3:5], small[3, 2] = -0.0, np.nan
    coded_so = way(FULL, tabled=True, special=values_at(small, [(2, 3, 0)]), grain=-3)
    yield of("table_floats", "a table of float16; a network", small, coded_so)
    decimals = np.round(x / 100, 2)
    yield of(
        "table_floats_64",
        "a table of float64, in a mirror",
        np.concatenate([decimals, decimals[::-1]]),
        way(PLAIN, (0, 7), tabled=True, grain=-52),
    )
    yield of(
        "table_1",
        "a table of one number",
        np.array([[3, 3], [9, 8]], np.uint8),
        way(FLAT, tabled=True),
        sizes=(1, 2),
    )
    gaps = np.zeros((30, 9), np.uint64)
    gaps[::4], gaps[3, 3:] = 2**64 - 1, 5
    yield of("table_limits", "a table of 0, 5 and 2^64 − 1, the last one coded apart", gaps, way(ROWS, tabled=True, special=[2**64 - 1]))


def of_bricks() -> Iterable[Recipe]:
    x = integers(9, 10, 11, dtype=np.int32)
    x[:5, :6, 7:], x[5:, 6:, :7] = 4, x.max()
    ways = [way(PLAIN), way(PLAIN, raw=True), way(ROWS, order=(2, 0, 1)), way(FULL, lines=6), way(PLAIN, tabled=True)]
    yield of("bricks", "eight bricks in several ways, two of which are constant, and one of which is raw", x, ways, sizes=(5, 6, 7))
    for bits in (1, 12, 17, 40, 64):
        values = np.random.default_rng(bits).integers(0, 1 << bits, (3, 4), np.uint64, endpoint=False) if bits < 64 else gaussian(3, 4)
        yield of(f"raw_{bits}", f"raw bricks, values of {bits} bits", values, way(ROWS, raw=True), sizes=(2, 3), bits=bits)
    yield of("places", "bricks of one place each", Signal(integers(2, 3)), way(FLAT), sizes=(1, 1))


def gaussian(*shape: int, scale: float = 2.0**62, dtype: Any = np.uint64, seed: int = 0) -> Array:
    """Rounded numbers around 0, which unsigned types wrap."""
    found: Array = np.random.default_rng(seed).normal(0, scale, shape).clip(-(2.0**63), 2.0**62 * 1.99).astype(np.int64).astype(dtype)
    return found


def of_channels() -> Iterable[Recipe]:
    x = np.clip(volume(15, 18, noise=3)[..., None] * (0.3, 0.25, 0.2) + (128, 120, 90) + volume(15, 18, 3) / 30, 0, 255).astype(np.uint8)
    full = replace(FULL, order=(0, 1), lags=())
    yield of("image_3", "an image of three channels; a network and contexts", Signal(x, "image"), way(full))
    alpha = np.concatenate([x, np.where(x[..., :1] > 128, 255, 0).astype(np.uint8)], 2)
    rows = replace(ROWS, size=2)
    yield of("image_4", "an image of four channels, slices are rows", Signal(alpha, "image"), way(rows, special=[255]))
    yield of(
        "image_2",
        "an image of two channels in four bricks, columns first",
        Signal(alpha[..., 2:], "image"),
        way(full, order=(1, 0), units=0, lines=6),
        sizes=(8, 9),
    )
    sound = integers(60, 8)
    yield of(
        "sound_8",
        "a sound of eight channels; a network",
        Signal(sound, "audio", 0, 8000),
        way(LINE, size=1, units=16, learning=20),
    )
    stereo = (volume(150, 2) / 300).astype(np.float32)
    yield of(
        "sound_floats",
        "a sound of two channels of float32",
        Signal(stereo, "audio", 0, 8000),
        way(LINE, size=3, decay=2, contexts="values", lines=9, grain=-25),
    )
    yield of(
        "image_flat", "an image of one row and three channels, which is not named a row", Signal(x[:1], "image"), way(full, lines=6, size=3)
    )
    yield of(
        "image_rows",
        "an image of three channels, slices are columns; contexts",
        Signal(x, "image"),
        way(rows, order=(1, 0), contexts="values"),
    )
    spot = np.array([[[1, 2, 3]]], np.uint8)
    yield of("image_1", "an image of one place and three channels", Signal(spot, "image"), way(full, lines=6))


def of_floats() -> Iterable[Recipe]:
    x = volume(3, 10, 16) / 16
    for dtype, grain in (("<f2", -10), ("<f4", -23), (">f8", -52)):
        some = x.astype(dtype)
        some[0, :3], some[1, 4, :9], some[2, 5:7] = 0, -0.0, some[2, :2] * some.dtype.type(1e-3)
        few = every_kind(dtype)
        some[1, 6:9].flat[: len(few)] = few
        what = f"{dtype[1:]}, with subnormal numbers, infinities and NaNs"
        yield of(f"binary{8 * some.dtype.itemsize}", what, some, way(FULL, grain=grain))
    narrow = [(kind, dtype) for kind in KINDS for dtype in ("<f4", "<f8") if (kind, dtype) != ("binary32", "<f4")]
    for kind, dtype in narrow:
        told_by, wide = FloatMap("narrow", narrower=kind), every_narrow(x, kind, dtype)
        special = values_at(wide, [(0, 9, 15)], told_by)
        told = f"{dtype[1:]} that hold {kind} numbers of all kinds"
        yield of(f"{kind}_{dtype[1:]}", told, wide, way(PLAIN, special=special, grain=-2), float_map=told_by)
    some = x.astype("<f4")
    for grain in (-(2**11), -160, 160, 2**11):
        yield of(
            f"grain_{grain}".replace("-", "minus_"),
            f"float32 in grains of 2^{grain}; a network",
            some[0],
            way(FULL, order=(0, 1), lags=(), grain=grain),
        )
    yield of("grain_64", "float64 from 2^-1000 to 2^1000", np.exp2(x * 40).reshape(30, 16), way(ROWS, contexts="values", grain=-52))
    few = (abs(some[:2]).view(np.int32) >> 15 << 15).view(np.float32)
    yield of("floats_step", "float32 of few bits, in steps of 2^15; contexts", few, way(FULL, units=0, grain=-23), step=1 << 15)
    yield of("floats_numbers", "float32 whose bits are coded as numbers", some[:2], way(PLAIN), ordered=False)
    whole = integers(20, 12, dtype=np.int32)
    what = "hybrid: array, integers that are told of as bfloat16, in steps"
    yield recipe("hybrid_array_numbers_floats", what, Signal(whole), lambda: as_floats(whole))
    past = beyond_floats()
    what = "hybrid: array, integers that are told of as binary64, with numbers beyond 2^63"
    yield recipe("hybrid_array_numbers_past", what, Signal(past), lambda: past_floats(past))


def beyond_floats() -> Array:
    """Numbers from 2^62 + 10 on; with an offset of 2^62, no 64 bits with a sign hold their sums."""
    found: Array = (np.arange(120).reshape(10, 12) ** 2).astype(np.uint64) + np.uint64((1 << 62) + 10)
    return found


def past_floats(x: Array) -> Sections:
    """Numbers that are told of as binary64, and as more than there are."""
    ordered = Ordered("binary64", 1 << 62)
    tile = bricked(x[..., None], way(FLAT, size=1, grain=-52), 63, ordered)
    return [(b"HEAD", head(Signal(x), 2, bits=63)), (b"HYBR", plans.write_section(ordered)), *tiled([tile], x.shape)]


def as_floats(x: Array) -> Sections:
    """Integers whose values are predicted as bfloat16, from below −0 to beyond infinity, in steps of 160."""
    bits, least = int(x.max() - x.min()).bit_length(), int(x.min())
    ordered = Ordered("bfloat16", -16000, 160)
    tile = bricked((x - least).astype(np.uint16)[..., None], way(FLAT, size=2, units=16, learning=9, grain=3), bits, ordered)
    signal = Signal(x)
    return [(b"HEAD", head(signal, 2, bits=bits, offset=least)), (b"HYBR", plans.write_section(ordered)), *tiled([tile], x.shape)]


def every_kind(dtype: str) -> Array:
    """Zeros, subnormals, the limits, infinities, and NaNs."""
    kind = np.dtype(dtype)
    width = 8 * kind.itemsize
    infinity = int(np.array(np.inf, kind.newbyteorder("=")).view(f"u{kind.itemsize}"))
    few = [0, 1, 2, infinity - 1, infinity, infinity + 1, (1 << width - 1) - 1]
    patterns = np.array([*few, *(p | 1 << width - 1 for p in few)], f"u{kind.itemsize}")
    return patterns.astype(patterns.dtype.newbyteorder(kind.byteorder)).view(kind)


def every_narrow(x: Array, kind: str, dtype: str) -> Array:
    """x as numbers of a narrower format, in a wider type, with some of every kind."""
    narrow, like = floats.NARROWER[kind], np.dtype(dtype)
    cut = FloatMap("narrow", narrower=kind)
    numbers = floats.to_integers((x + 1 / 3).astype(dtype), cut)
    few = [0, 1, 2, narrow.infinity - 1, narrow.infinity, narrow.infinity + 1, (1 << narrow.width - 1) - 1]
    numbers[1, 6, :14] = [*few, *(-1 - n for n in few)]
    numbers[0, 9, 8:] = narrow.infinity + 2
    return floats.from_integers(numbers, cut, like)


def of_large_numbers() -> Iterable[Recipe]:
    yield of("uint64", "uint64 over the whole range; a network", gaussian(3, 8, 9), way(FULL, contexts="none"))
    noise = np.random.default_rng(3).integers(0, 2**64, (3, 7, 9), np.uint64)
    noise[0, 0, :2] = 0, 2**64 - 1
    yield of("uint64_noise", "uint64, noise; contexts", noise, way(FULL, units=0, special=[0, 2**64 - 1]))
    patterns = np.random.default_rng(4).integers(0, 2**64, (8, 20), np.uint64).view("<f8")
    yield of(
        "float64_noise",
        "float64 of any patterns of bits",
        patterns,
        way(FLAT, size=2, units=16, learning=40, lines=7, grain=0),
    )
    ramp = (np.arange(30)[:, None] * 3 + np.arange(20)) * 10**14
    yield of("ramp", "int64, a steep ramp: some equations are not solved", ramp, way(FLAT, size=3, decay=2))
    yield of(
        "ramp_noise",
        "int64, a steep ramp with noise in slices",
        (ramp + gaussian(30, 20, scale=40, dtype=np.int64)).reshape(5, 6, 20),
        way(FULL),
    )
    for bits in (60, 61):
        top = gaussian(12, 10, scale=2.0**57, dtype=np.int64, seed=bits)
        top.flat[:3], top.flat[50:70] = (0, 2**bits - 1, 2**bits - 1), 2**bits - 1
        yield of(f"{bits}_bits", f"int64 of {bits} bits", abs(top), way(FLAT, size=1, units=16, learning=40))


# Faulty files: all is right but for one thing.

CUBE = np.array([[[0, 3, 5, 4], [1, 2, 6, 3], [2, 2, 7, 9]], [[1, 4, 5, 3], [2, 2, 6, 4], [1, 2, 8, 9]]], np.int8)
SETTINGS = {"size": 0, "decay": 0, "units": 0, "learning": 0, "contexts": 0, "lines": 6}


def front(
    order: int = 0,
    mirror: bytes = b"\0",
    least: int = 0,
    largest: int = 9,
    table: bytes = b"\0",
    lags: Sequence[int] = (1,),
    specials: Sequence[int] = (),
    **settings: int,
) -> bytes:
    """The head of a coded brick, up to the grain."""
    numbers = bytes({**SETTINGS, **settings}.values())
    parts = [bytes([1, order]), mirror, varint(least), varint(largest), table, numbers, bytes([len(lags)]), *map(varint, lags)]
    return b"".join([*parts, varint(len(specials)), *map(varint, specials)])


def string(*, tabled: bool = False) -> bytes:
    """The arithmetic-coded string of CUBE, as `front` describes it; tabled: with a table."""
    tile = bricked(CUBE.view(np.uint8)[..., None], way(PLAIN, size=0, tabled=tabled), 4, None)
    assert tile.startswith(front()[:5])
    return tile[len(front()) + (plans.table_bytes(np.arange(10, dtype=np.uint64)) if tabled else 0) :]


def file(tile: bytes, plan: bytes = b"\4\0", signal: Signal | None = None, bits: int = 4) -> Sections:
    signal = signal or Signal(CUBE)
    return [(b"HEAD", head(signal, 2, bits=bits)), (b"HYBR", plan), *tiled([tile], list(signal.axes))]


def fault_of(name: str, what: str, sections: Sections) -> Recipe:
    return fault(f"hybrid_array_{name}", f"hybrid: {what}", sections)


def bricks_fault(name: str, what: str, tile: bytes, **about: Any) -> Recipe:
    """A file whose only fault is in its brick."""
    return fault_of(name, f"a brick: {what}", file(tile, **about))


def faulty_plans() -> Iterable[Recipe]:
    def planned(name: str, what: str, content: bytes) -> Recipe:
        return fault_of(f"plan_{name}", f"HYBR of an array: {what}", file(floating, content))

    floating = bricked(CUBE.view(np.uint8)[..., None], way(PLAIN, grain=-20), 4, Ordered("binary32", 0, 1 << 20))
    faultless(file(floating, b"\4\3" + signed(0) + varint(1 << 20)))
    yield planned("kind", "floats of kind 5", b"\4\5" + signed(0) + varint(1))
    yield planned("short", "it ends after its first byte", b"\4")
    yield planned("offset_none", "floats without an offset", b"\4\3")
    yield planned("step_none", "floats without a step", b"\4\3" + signed(0))
    yield planned("offset_high", "an offset of 2^63", b"\4\3" + signed(1 << 63) + varint(1))
    yield planned("offset_low", "an offset of −2^63 − 1", b"\4\3" + signed(-(1 << 63) - 1) + varint(1))
    yield planned("step_0", "a step of 0", b"\4\3" + signed(0) + varint(0))
    yield planned("step_high", "a step of 2^63", b"\4\3" + signed(-(1 << 63)) + varint(1 << 63))
    yield planned("beyond", "values beyond 2^63", b"\4\3" + signed((1 << 63) - 7) + varint(1))
    yield planned("left_over", "bytes left over", b"\4\3" + signed(0) + varint(1 << 20) + b"\0")
    yield planned("numbers_left_over", "numbers with an offset", b"\4\0" + signed(0) + varint(1))


def faulty_bricks() -> Iterable[Recipe]:
    right = string()
    faultless(file(front() + right))
    settings = {
        "size_4": ("size 4", front(size=4)),
        "decay_3": ("decay 3", front(decay=3)),
        "units_8": ("a network of 8 units", front(units=8, learning=1)),
        "units_80": ("a network of 80 units", front(units=80, learning=1)),
        "contexts_2": ("contexts of number 2", front(contexts=2)),
        "lines_0": ("contexts of one line", front(lines=0)),
        "lines_16": ("contexts of 2^16 lines", front(lines=16)),
        "references_4": ("four references", front(lags=(1, 2, 3, 4))),
        "lag_0": ("a reference to the slice itself", front(lags=(0,))),
        "lag_25": ("a reference further back than there are places", front(lags=(25,))),
        "lag_twice": ("a reference that is there twice", front(lags=(2, 2))),
        "lag_long": ("a lag of more than 64 bits", front(lags=()).removesuffix(b"\0\0") + b"\1" + b"\xff" * 9 + b"\x7f\0"),
        "specials_4": ("four specials", front(specials=(1, 2, 3, 4))),
        "special_10": ("a special above the largest integer", front(specials=(10,))),
        "special_twice": ("a special that is there twice", front(specials=(3, 3))),
        "order_6": ("order 6 of three axes", front(6)),
        "order_127": ("order 127, in rows", front(255)),
        "mirror_4": ("a mirror of the fourth axis of three", front(mirror=b"\4\0")),
        "mirror_sum": ("a mirror that is after the last place", front(mirror=b"\2\5")),
        "mirror_long": ("a mirror of an axis of more than 64 bits", front(mirror=b"\xff" * 9 + b"\x7f\0")),
        "least": ("values above the values' bits", front(least=7)),
        "least_alone": ("a least value above the values' bits", front(least=16, largest=0)[:5]),
        "largest": ("a largest integer above the values' bits", front(largest=16)),
        "largest_long": ("a largest integer of 64 bits", front(largest=(1 << 64) - 1)),
        "tabled_2": ("a table of kind 2", front(table=b"\2\0\0")),
    }
    for name, (what, tile) in settings.items():
        yield bricks_fault(name, what, tile + (right if len(tile) > 5 else b""))
    yield bricks_fault("kind_2", "it begins with 2", b"\2" + front()[1:] + right)
    yield bricks_fault("nothing", "it is empty", b"")
    yield bricks_fault("head_short", "its head ends early", front()[:7])
    yield bricks_fault("constant_left_over", "one value, and bytes after it", front(largest=0)[:5] + b"\0")
    yield bricks_fault("raw_short", "raw, with a byte less", b"\0" + CUBE.tobytes()[:-1])
    yield bricks_fault("raw_long", "raw, with a byte more", b"\0" + CUBE.tobytes() + b"\0")
    yield bricks_fault("raw_high", "raw, with a value of 5 bits", b"\0" + CUBE.tobytes()[:-1] + b"\x10")
    yield bricks_fault("string_ff", "a string that is no arithmetic code", front() + b"\xff" * 4)
    yield bricks_fault("string_none", "no string", front(), bits=4)
    yield bricks_fault("string_short", "a string that ends early", front() + right[:-9])
    yield bricks_fault("string_long", "a string of which no bit needs the last bytes", front() + right + bytes(9))
    floating = file(front() + signed(0) + right, b"\4\3" + signed(0) + varint(1 << 20))
    for grain in ((1 << 11) + 1, -(1 << 11) - 1):
        name = f"grain_{grain}".replace("-", "minus_")
        tile = front() + signed(grain) + right
        yield fault_of(name, f"a brick: a grain of {grain}", [*floating[:2], *tiled([tile], CUBE.shape)])
    yield fault_of("grain_none", "a brick: floats without a grain", [*floating[:2], *tiled([front()], CUBE.shape)])


def faulty_memory() -> Iterable[Recipe]:
    """Bricks that take too much for their size."""
    yield bricks_fault("memory_lines", "contexts of 2^8 lines for 24 values", front(lines=8) + string())
    thin = Signal(np.zeros((2000, 1, 1), np.int8))
    yield bricks_fault("memory_slices", "2000 slices of one place", front() + RIGHT, signal=thin)
    tall = Signal(np.zeros((2, 160, 1), np.int8))
    yield bricks_fault("memory_sums", "predictors of 69 regressors for 320 values", front(size=3, lags=(1, 2, 3)) + RIGHT, signal=tall)
    folded = Signal(np.zeros((1800, 1, 8), np.int8))
    told = "1800 slices of eight places, of which a mirror leaves four"
    yield bricks_fault("memory_mirror", told, front(mirror=b"\3\7") + RIGHT, signal=folded)


def faulty_tables() -> Iterable[Recipe]:
    def table(gaps: Sequence[int], *, size: int | None = None, largest: int = 9, content: bytes | None = None) -> bytes:
        numbers = b"".join(map(varint, gaps)) if content is None else content
        told = b"\1" + varint(len(numbers) if size is None else size) + blob(numbers)
        return front(table=told, largest=largest) + right

    right = string(tabled=True)
    faultless(file(table([0] * 9)))
    yield bricks_fault("table_less", "a table with an entry less than it says", table([0] * 8))
    yield bricks_fault("table_more", "a table with an entry more", table([0] * 10))
    yield bricks_fault("table_size", "a table of another size than it says", table([0] * 9, size=10))
    yield bricks_fault("table_long", "a table of more than ten bytes an entry", table([], size=91, content=b"\x80" * 90 + b"\0"))
    yield bricks_fault("table_high", "a table's entry above the values' bits", table([*[0] * 8, 7]))
    yield bricks_fault("table_wrapped", "a table's entries that sum to 2^64 and more", table([*[0] * 7, (1 << 64) - 9, 0]))
    huge = b"\xff" * 9 + b"\x7f"
    yield bricks_fault("table_huge", "a table's entry of 70 bits", table([], content=bytes(8) + huge))
    yield bricks_fault("table_large", "a table of 64 numbers for each place, and one more", table([0] * 1536, largest=1536))
    yield bricks_fault("table_stream", "a table that is no Brotli stream", front(table=b"\1\t\t" + b"\xff" * 9) + right)


def faulty_low_bits() -> Iterable[Recipe]:
    """Numbers of 62 bits, of which two are low bits."""
    x = (CUBE.astype(np.int64) << 57) + CUBE
    x.flat[-1] = 1 << 61
    x.flat[0], most = 0, 1 << 61
    tile = bricked(x.view(np.uint64)[..., None], way(PLAIN, size=0), 62, None)
    first = front(largest=most)
    low = bytes(int(value) & 3 for value in x.flat)
    reader = tile.removeprefix(first)
    stream = reader[1 : 1 + reader[0]]
    assert brotli.decompress(stream) == low
    right = reader[1 + reader[0] :]
    signal = Signal(x)
    faultless(file(first + blob(low) + right, signal=signal, bits=62))

    def of_low(name: str, what: str, content: bytes) -> Recipe:
        return bricks_fault(f"low_{name}", f"low bits: {what}", first + content + right, signal=signal, bits=62)

    yield of_low("short", "of a number less", blob(low[:-1]))
    yield of_low("long", "of a number more", blob(low + b"\0"))
    yield of_low("large", "three of them", blob(b"\4" + low[1:]))
    yield of_low("above", "a number above the largest", blob(low[:-1] + b"\1"))
    yield of_low("stream", "no Brotli stream", varint(9) + b"\xff" * 9)
    yield of_low("end", "they go past the end of the brick", varint(999))
