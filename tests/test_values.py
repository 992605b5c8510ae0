"""Samples ↔ values ↔ bits, and tiles."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrcodec.layout import Layout, tile_of
from inrcodec.values import ValueMap, fits, from_gray, from_values, join_bits, plane_bits, to_gray, to_values, type_range

DTYPES = ["?", "u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", "<i4", "<u8", ">u8", "<i8", ">i8"]
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=6)


def arrays() -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return st.sampled_from(DTYPES).flatmap(lambda d: hnp.arrays(np.dtype(d), SHAPES))


@given(arrays())
def test_values_round_trip(samples: np.ndarray) -> None:
    values, value_map = to_values(samples)
    assert fits(value_map, samples.dtype)
    assert int(values.max()) < 2**value_map.bits
    back = from_values(values, value_map, samples.dtype)
    assert back.dtype == samples.dtype
    assert (back == samples).all()


def test_samples_take_the_place_of_their_values() -> None:
    for dtype in ("<i2", ">u2"):
        values, whole = np.array([[0, 3], [5, 1]], np.uint16), ValueMap(40, 7, 3)
        kept, one = values.copy(), np.broadcast_to(np.zeros((), np.uint16), (2, 2))
        back = from_values(values, whole, np.dtype(dtype))
        assert np.shares_memory(back, values)
        assert (back == 40 + 7 * kept.astype(int)).all()
        assert (from_values(one, whole, np.dtype(dtype)) == 40).all()


def test_joined_bits_take_the_narrowest_type() -> None:
    for bits, width in ((1, 1), (8, 1), (9, 2), (17, 4), (33, 8), (64, 8)):
        values = np.array([[0, 2**bits - 1, 1]], np.uint64)
        found = join_bits(plane_bits(to_gray(values), bits), bits)
        assert found.dtype == np.dtype(f"u{width}")
        assert (from_gray(found) == values).all()


def test_extremes_of_64_bits() -> None:
    for dtype in ("i8", "u8"):
        low, high = type_range(np.dtype(dtype))
        samples = np.array([low, high, low + 1], dtype)
        values, value_map = to_values(samples)
        assert (value_map.offset, value_map.step, value_map.bits) == (low, 1, 64)
        assert (from_values(values, value_map, samples.dtype) == samples).all()


def test_unused_planes_cost_nothing() -> None:
    assert to_values(np.full((3, 3), -7, np.int32))[1] == ValueMap(-7, 1, 0)
    assert to_values(np.array([0, 257, 65535], np.uint16))[1] == ValueMap(0, 257, 8)
    assert to_values(np.array([-256, 0, 512], np.int32))[1] == ValueMap(-256, 256, 2)


@pytest.mark.parametrize("bad", [ValueMap(-1, 1, 1), ValueMap(0, 0, 1), ValueMap(0, 1, 9), ValueMap(255, 1, 1), ValueMap(0, 1, 65)])
def test_maps_that_do_not_fit_are_refused(bad: ValueMap) -> None:
    assert not fits(bad, np.dtype("u1"))


@given(st.integers(0, 64), hnp.arrays(np.uint64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)))
def test_bits_round_trip(bits: int, values: np.ndarray) -> None:
    kept = values & np.uint64(2**bits - 1)
    planes = plane_bits(kept, bits)
    assert planes.shape == (len(values), values.shape[1] * bits)
    if bits:
        assert (join_bits(planes, bits) == kept).all()


@given(hnp.arrays(np.uint64, 20, elements=st.integers(0, 2**64 - 2)))
def test_gray_code(values: np.ndarray) -> None:
    assert (from_gray(to_gray(values)) == values).all()
    assert (np.bitwise_count(to_gray(values) ^ to_gray(values + np.uint64(1))) == 1).all()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 50))
def test_tiles_cover_every_place_once(axes: list[int], places: int) -> None:
    tile = tile_of(tuple(axes), places)
    layout = Layout(tuple(axes), 1, tile)
    seen = np.zeros(axes, int)
    for box in layout.boxes():
        assert seen[box].size <= places
        seen[box] += 1
    assert (seen == 1).all()
