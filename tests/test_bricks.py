"""Arrays in the profile hybrid: bricks ↔ bytes by any plan, mirrors, the encoder's choices, memory, threads; the second decoder agrees."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from inrcodec import FormatError, Signal, floats, subjects
from inrcodec.container import Reader
from inrcodec.floats import FloatMap
from inrcodec.layout import Layout
from inrcodec.options import Options
from inrcodec.profiles.base import Ordered, Subject, ignore
from inrcodec.profiles.hybrid.arrays import analysis, brick, coding, contexts, mirror
from inrcodec.profiles.hybrid.arrays import plan as plans
from inrcodec.profiles.hybrid.arrays.plan import BrickModel, BrickPlan
from inrcodec.values import value_type
from tests.test_bounds import peak_of

Array = npt.NDArray[Any]
INTEGERS = [np.dtype(f"{order}{kind}{size}") for order in "<>" for kind in "iu" for size in (1, 2, 4, 8)]
FLOATS = [np.dtype(f"{order}f{size}") for order in "<>" for size in (2, 4, 8)]


def unhurried(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def waves(*shape: int, noise: float = 1.0, seed: int = 0) -> Array:
    """A smooth array with noise, about −100 … 100."""
    found: Array = np.random.default_rng(seed).normal(0, noise, shape)
    for axis, n in enumerate(shape):
        found = found + (30 * np.sin(np.arange(n) / (2 + axis))).reshape(-1, *[1] * (len(shape) - axis - 1))
    return found


@st.composite
def integer_arrays(draw: st.DrawFn) -> Array:
    """Integers of all widths: smooth ones of any part of the range, with some that are anything."""
    dtype = draw(st.sampled_from(INTEGERS))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
    limits = np.iinfo(dtype)
    smooth = waves(*shape, noise=draw(st.sampled_from([0.0, 1.0, 30.0])), seed=draw(st.integers(0, 99)))
    factor = draw(st.sampled_from([0.01, 1.0, float(limits.max) / 250]))
    middle = float(limits.max) / 2 if dtype.kind == "u" else 0.0
    found = (smooth * factor + middle).clip(float(limits.min), float(limits.max) * (1 - 2.0**-50)).astype(dtype)
    for value in draw(st.lists(st.integers(int(limits.min), int(limits.max)), max_size=4)):
        found.reshape(-1)[draw(st.integers(0, found.size - 1)) :: draw(st.integers(1, 9))] = value
    return found


@st.composite
def float_arrays(draw: st.DrawFn) -> Array:
    """Smooth floats, with zeros of both signs, infinities, NaNs and any patterns of bits in between."""
    dtype = draw(st.sampled_from(FLOATS))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
    found = (waves(*shape, seed=draw(st.integers(0, 99))) * draw(st.sampled_from([1e-6, 0.1, 100.0]))).astype(dtype)
    patterns = found.view(f"{dtype.str[0]}u{dtype.itemsize}").reshape(-1)
    sign = 1 << 8 * dtype.itemsize - 1
    infinity = floats.FORMATS[dtype.itemsize].infinity
    odd = st.sampled_from([0, sign, infinity, infinity | sign, infinity + 1, sign - 1, 1]) | st.integers(0, 2 * sign - 1)
    for pattern in draw(st.lists(odd, max_size=4)):
        patterns[draw(st.integers(0, found.size - 1)) :: draw(st.integers(1, 9))] = pattern
    return found


def told(x: Array) -> tuple[Array, int, Ordered | None]:
    """(values (axes…, 1), their bits, what they stand for) of an array, floats by their bits."""
    integers = floats.to_integers(x, FloatMap()) if x.dtype.kind == "f" else x
    least = int(integers.min())
    values = (integers.astype(object) - least)[..., None]
    bits = max(1, int(values.max()).bit_length())
    ordered = Ordered(f"binary{8 * x.dtype.itemsize}", least) if x.dtype.kind == "f" else None
    return values.astype(value_type(bits)), bits, ordered


# --- whole arrays ---------------------------------------------------------------------------------------------------


@unhurried(60)
@given(integer_arrays() | float_arrays(), st.integers(1, 5))
def test_any_array_comes_back(x: Array, effort: int) -> None:
    values, bits, ordered = told(x)
    parts = coding.encode(Subject(values, bits, floats=ordered), Options(effort=effort, threads=1))
    assert parts.section is not None
    decoder = coding.open_decoder(parts.section.content, parts.layout, bits)
    for box, data in zip(parts.layout.boxes(), parts.tiles, strict=True):
        assert np.array_equal(decoder.decode_tile(box, data), values[box])
        assert len(data) <= values[box].size * -(-bits // 8) + 1


@pytest.mark.parametrize("effort", range(1, 6))
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "f2", "f4", "f8"])
def test_files_of_volumes_come_back(dtype: str, effort: int) -> None:
    x = waves(9, 10, 11) * 1.001 + 120
    signal = Signal(x.clip(0).astype(dtype))
    data = inrcodec.encode(signal, profile="hybrid", effort=effort, threads=1)
    assert inrcodec.decode(data).equals(signal)
    assert len(data) < signal.samples.nbytes


@pytest.mark.parametrize("tile", [16, 24, 0])
def test_several_bricks_whatever_the_threads(tile: int) -> None:
    x = np.rint(waves(40, 20, 33)).astype(np.int16)
    files = [inrcodec.encode(x, kind="array", profile="hybrid", effort=2, tile=tile, threads=threads) for threads in (1, 2, 5)]
    assert files[0] == files[1] == files[2]
    if tile:
        assert inrcodec.info(files[0])["tiles"]["count"] == math.prod(-(-n // tile) for n in x.shape)
    for threads in (1, 3):
        assert np.array_equal(inrcodec.decode(files[0], threads=threads).samples, x)


def test_noise_is_kept_raw() -> None:
    noise = np.random.default_rng(0).integers(0, 1 << 32, (40, 41, 42), np.uint32)
    subject = Subject(noise[..., None], 32)
    parts = coding.encode(subject, Options(effort=3, threads=1))
    assert all(data[0] == plans.RAW for data in parts.tiles)
    assert sum(map(len, parts.tiles)) == noise.nbytes + len(parts.tiles)


@pytest.mark.parametrize("shape", [(5, 6, 7), (20, 30), (3, 4, 5, 6)])
def test_small_arrays_are_predicted(shape: tuple[int, ...]) -> None:
    """With contexts of more lines than small bricks may have, no model was tried."""
    values, bits, ordered = told(np.exp(waves(*shape, noise=0.01) / 50).astype(np.float32))
    parts = coding.encode(Subject(values, bits, floats=ordered), Options(effort=3, threads=1))
    assert [data[0] for data in parts.tiles] == [plans.CODED]
    assert parts.size < 0.9 * 4 * values.size


# --- bricks by any plan ---------------------------------------------------------------------------------------------


@st.composite
def models(draw: st.DrawFn, axes: int, places: int) -> BrickModel:
    lags = draw(st.lists(st.integers(1, min(places, 9)), max_size=3, unique=True))
    return BrickModel(
        order=tuple(draw(st.permutations(range(axes)))),
        rows=draw(st.booleans()),
        lags=tuple(lags),
        size=draw(st.integers(0, 3)),
        decay=draw(st.integers(0, 2)),
        units=draw(st.sampled_from([0, 0, 16, 32])),
        learning=draw(st.sampled_from([0, 40, 255])),
        contexts=draw(st.sampled_from(contexts.NAMES)),
        lines=draw(st.integers(1, 6)),
    )


@st.composite
def planned(draw: st.DrawFn) -> tuple[Array, int, Ordered | None, BrickPlan]:
    """A brick, and a plan that fits it."""
    values, bits, ordered = told(draw(integer_arrays() | float_arrays()))
    axes = values.shape[:-1]
    axis = draw(st.integers(0, len(axes) - 1))
    twin = (axis, draw(st.integers(0, 2 * axes[axis] - 2))) if draw(st.booleans()) else None
    values = mirror.unfold(mirror.fold(values, twin), twin, axes[axis])
    least, most = int(values.min()), int(values.max())
    plan = BrickPlan(draw(models(len(axes), math.prod(axes))), twin, least, most - least)
    numbers = values - values.dtype.type(least)
    if draw(st.booleans()):
        table = np.unique(numbers).astype(np.uint64)
        plan = replace(plan, table=table, largest=len(table) - 1)
        numbers = np.searchsorted(table, numbers)
    integers = np.unique(numbers >> numbers.dtype.type(plan.low)).tolist()
    special = draw(st.lists(st.sampled_from(integers), max_size=3, unique=True))
    grain = draw(st.integers(-60, 10)) if ordered else 0
    return values, bits, ordered, replace(plan, specials=tuple(special), grain=grain)


@unhurried(150)
@given(planned())
def test_a_brick_comes_back_by_any_plan(of: tuple[Array, int, Ordered | None, BrickPlan]) -> None:
    values, bits, ordered, plan = of
    inner = mirror.folded_shape(values.shape[:-1], plan.mirror)
    data = brick.encode(values, plan, ordered, ignore)
    box = values.shape[:-1], 1
    if plan.largest and not brick.fits(plan, inner, 1):
        with pytest.raises(FormatError, match="more memory than its size allows"):
            brick.decode(data, box, bits, ordered, ignore)
        return
    found, tally = brick.decode(data, box, bits, ordered, ignore)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert (tally >= 0).all()


@unhurried(100)
@given(planned())
def test_plans_are_read_as_they_were_written(of: tuple[Array, int, Ordered | None, BrickPlan]) -> None:
    values, bits, ordered, plan = of
    r = Reader(plans.write(plan, ordered is not None), "a plan")
    found = plans.read(r, values.shape[:-1], bits, ordered is not None)
    r.end()
    assert (found.table is None) == (plan.table is None)
    assert found.table is None or np.array_equal(found.table, plan.table)  # type: ignore[arg-type]
    if plan.largest:
        assert replace(found, table=None) == replace(plan, table=None)
    else:
        assert (found.mirror, found.least, found.largest) == (plan.mirror, plan.least, 0)


@given(st.none() | st.builds(Ordered, st.sampled_from(Ordered.KINDS), st.integers(-(2**63), 2**62), st.integers(1, 2**40)))
def test_sections_are_read_as_they_were_written(ordered: Ordered | None) -> None:
    assert plans.read_section(plans.write_section(ordered), 16) == ordered


@unhurried(15)
@given(planned())
def test_the_second_decoder_agrees(linr: ModuleType, of: tuple[Array, int, Ordered | None, BrickPlan]) -> None:
    values, bits, ordered, plan = of
    data = brick.encode(values, plan, ordered, ignore)
    module = linr.hybrid(b"\4")
    head = linr.Head(2, False, "array", np.dtype("u8"), 64, values.shape[:-1], None, 0, 1, bits, b"", 0, 2**64 - 1, b"")
    told_of = module.read_plan(plans.write_section(ordered), head)
    if plan.largest and not brick.fits(plan, mirror.folded_shape(values.shape[:-1], plan.mirror), 1):
        return
    found = module.decode_tile(data, tuple(slice(0, n) for n in values.shape[:-1]), head, told_of)
    assert np.array_equal(found, values.reshape(-1))


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_channels_come_back(channels: int) -> None:
    values = (waves(4, 7, 9, channels) + 200).astype(np.uint16)
    for rows in (False, True):
        model = BrickModel((1, 0, 2), rows, (1, 2, 3), size=2, units=16, learning=40, contexts="values", lines=6)
        plan = BrickPlan(model, None, int(values.min()), int(values.max() - values.min()))
        data = brick.encode(values, plan, None, ignore)
        assert np.array_equal(brick.decode(data, (values.shape[:-1], channels), 16, None, ignore)[0], values)


# --- mirrors ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.data())
def test_a_mirror_keeps_one_of_each_two_places(n: int, data: st.DataObject) -> None:
    total = data.draw(st.integers(0, 2 * n - 2))
    kept = set(mirror.kept(n, total).tolist())
    for place in range(n):
        twin = total - place
        if 0 <= twin < n:
            assert min(place, twin) in kept
            assert place == twin or max(place, twin) not in kept
        else:
            assert place in kept


@given(st.integers(0, 2), st.data())
def test_folding_and_unfolding(axis: int, data: st.DataObject) -> None:
    shape = (7, 6, 9)
    total = data.draw(st.integers(0, 2 * shape[axis] - 2))
    part = np.random.default_rng(total).integers(0, 9, (*mirror.folded_shape(shape, (axis, total)), 1))
    whole = mirror.unfold(part, (axis, total), shape[axis])
    assert whole.shape == (*shape, 1)
    assert np.array_equal(mirror.fold(whole, (axis, total)), part)
    for place in range(shape[axis]):
        if 0 <= total - place < shape[axis]:
            assert np.array_equal(whole.take(place, axis), whole.take(total - place, axis))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("ends", [(0, 0), (3, 0), (2, 3)])
@pytest.mark.parametrize("odd", [False, True])
def test_mirrors_are_found(axis: int, ends: tuple[int, int], odd: bool) -> None:
    half = np.random.default_rng(0).integers(0, 99, (12, 11, 10, 1))
    other = np.flip(half, axis)
    whole = np.concatenate([half, other[tuple(slice(odd if a == axis else 0, None) for a in range(4))]], axis)
    x = np.pad(whole, [ends if a == axis else (0, 0) for a in range(4)], constant_values=7)
    found = mirror.find(x)
    assert found == (axis, 2 * ends[0] + whole.shape[axis] - 1)
    assert np.array_equal(mirror.unfold(mirror.fold(x, found), found, x.shape[axis]), x)


def test_there_is_no_mirror_of_what_has_none() -> None:
    x = np.random.default_rng(0).integers(0, 99, (12, 11, 10, 1))
    assert mirror.find(x) is None
    assert mirror.find(np.zeros((20, 20, 1), np.int64)) is None
    nearly = np.concatenate([x, np.flip(x, 0)])
    nearly[20, 3, 4] += 1
    assert mirror.find(nearly) is None
    nearly[20, 3, 5] -= 1
    assert mirror.find(nearly) is None  # sums of slices do not tell


def test_a_mirror_halves_the_file() -> None:
    half = np.rint(waves(16, 24, 24)).astype(np.int16)
    whole = np.concatenate([half, half[::-1]])
    sizes = [len(inrcodec.encode(x, kind="array", profile="hybrid", effort=2, threads=1)) for x in (half, whole)]
    assert sizes[1] < 1.15 * sizes[0]


# --- what the encoder chooses ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 3000) | st.integers(1, 1 << 26), min_size=1, max_size=4), st.integers(1, 4), st.integers(-1, 3))
@example([1 << 26, 1, 1, 3], 1, 0)  # the mirror's axis has to be cut: this never ended
def test_bricks_are_not_too_large(sizes: list[int], channels: int, mirrored: int) -> None:
    while math.prod(sizes) * channels > 1 << 36:
        sizes[sizes.index(max(sizes))] //= 2
    values = np.broadcast_to(np.uint8(0), (*sizes, channels))
    tile = analysis.tile_for(values, (mirrored, sizes[mirrored]) if 0 <= mirrored < len(sizes) else None)
    assert len(tile) == len(sizes)
    assert all(1 <= cut <= size for cut, size in zip(tile, sizes, strict=True))
    most = analysis.LARGEST_ROW if len(sizes) == 1 else analysis.LARGEST_SET
    assert math.prod(tile) * channels <= max(most, channels)
    layout = Layout(tuple(sizes), channels, tile)
    assert layout.tiles >= 1


def test_marks_of_floats_are_coded_apart() -> None:
    x = waves(6, 12, 13).astype(np.float32)
    x[:, :4], x[2, 6:, 6:] = np.nan, 1e30
    values, _, ordered = told(x)
    plan = analysis.plan_for(values, analysis.Recipe(BrickModel((0, 1, 2)), True), ordered)
    integers = [int(i) for i in plan.specials]
    least = plan.least
    assert {int(values[0, 0, 0, 0]) - least, int(values[2, 7, 7, 0]) - least} <= set(integers)
    plain = analysis.plan_for(told(waves(6, 12, 13).astype(np.float32))[0], analysis.Recipe(BrickModel((0, 1, 2)), True), ordered)
    assert not plain.specials


@pytest.mark.parametrize(("factor", "tabled"), [(1, False), (1000, True)])
def test_values_are_numbered_where_it_pays(factor: int, tabled: bool) -> None:
    flat = (np.random.default_rng(0).integers(0, 200, 5000) * factor).astype(np.uint32)
    table = analysis.table_of(flat)
    assert (table is not None) == tabled
    assert table is None or np.array_equal(table, np.unique(flat))


# --- memory ------------------------------------------------------------------------------------------------------------

HEAVY = BrickModel((0, 1, 2), lags=(1, 2, 3), size=3, units=64, learning=40, contexts="values", lines=15)
BRICKS = {
    "volume": ((20, 30, 31), 1, HEAVY),
    "large": ((24, 64, 80), 1, HEAVY),
    "channels": ((4, 24, 25), 6, HEAVY),
    "rows": ((12, 20, 300), 1, replace(HEAVY, rows=True, lines=14)),
    "long": ((1, 1, 9000), 1, replace(HEAVY, rows=True, lines=13)),
    "wide": ((8, 40, 300), 2, HEAVY),
    "small": ((2, 3, 4), 1, replace(HEAVY, lines=6)),
}


@pytest.mark.parametrize("name", BRICKS)
def test_bricks_take_the_memory_that_is_told(name: str) -> None:
    shape, channels, model = BRICKS[name]
    values = (waves(*shape, channels) + 200).astype(np.uint16)
    plan = BrickPlan(model, None, int(values.min()), int(values.max() - values.min()))
    assert brick.fits(plan, shape, channels)
    data = brick.encode(values, plan, None, ignore)
    box = tuple(slice(0, n) for n in shape)
    decoder = coding.Decoder(None, Layout(shape, channels, shape), 16)
    peak = peak_of(lambda: decoder.decode_tile(box, data))
    assert peak <= decoder.memory(box) < 10 * peak + (16 << 20)


@unhurried(150)
@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=400), st.sampled_from([1, 3, 64]), st.data())
def test_what_does_not_fit_is_refused_before_it_takes_memory(shape: tuple[int, ...], channels: int, data: st.DataObject) -> None:
    """Any brick that fits takes, in its largest arrays, no more than is told."""
    model = replace(data.draw(models(len(shape), math.prod(shape))), lines=data.draw(st.integers(1, 15)))
    plan = BrickPlan(model, None, 0, 9)
    slices = brick.slices_of(shape, model)
    row = model.rows or len(shape) == 1
    geometry = brick.geometry_of(slices, channels, row)
    held = 25 * (slices.steps * channels + 1) * geometry.slice
    blocks, bands = brick.blocks_of(slices)
    each = [8 * (n * n + n) * (blocks + 2) * (bands + 5) for n in brick._regressors(model, channels)]
    lines = 64 * len(contexts.SETS[model.contexts]) * channels << model.lines
    if brick.fits(plan, shape, channels):
        assert held + sum(each) + lines <= brick.memory(shape, channels)
    elif sum(each) + held > brick.memory(shape, channels):
        with pytest.raises(FormatError, match="more memory"):
            brick.decode(bytes([1]) + plans.write(plan, False), (shape, channels), 4, None, ignore)


# --- the maps of floats of arrays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (lambda x: np.exp(x / 9).astype(np.float32), "bits"),
        (lambda x: x.astype(np.float16).astype(np.float64), "narrow"),
        (lambda x: np.round(x, 1), "quotient"),
        (lambda x: np.where(x > 20, np.nan, np.round(x, 1)), "quotient"),
        (lambda x: np.where(np.abs(x) < 5, np.where(x > 0, -0.0, 0.0), np.rint(x)), "fixed"),
    ],
    ids=["bits", "narrow", "decimals", "missing", "zeros"],
)
def test_the_map_follows_what_the_floats_were_made_from(make: Any, form: str) -> None:
    signal = Signal(make(waves(9, 10, 11)))
    found = subjects.mapped(signal, Options(effort=1, threads=1)).float_map
    assert found is not None
    assert found.form == form
    assert inrcodec.decode(inrcodec.encode(signal, profile="hybrid", effort=2, threads=1)).equals(signal)
