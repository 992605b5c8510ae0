"""Pictures to look at: of signals, of their bits, of costs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inrcodec import Signal, UnsupportedError, figures

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
RGB = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)


def image(samples: npt.NDArray[Any], depth: int = 0, **more: Any) -> Signal:
    return Signal(samples, "image", depth, **more)


def test_pictures_of_8_bits_are_shown_as_they_are() -> None:
    assert np.array_equal(figures.shown(image(RGB)), RGB)
    assert np.array_equal(figures.shown(image(GREY)), GREY[..., None])
    rgba = np.dstack([RGB, GREY])
    assert np.array_equal(figures.shown(image(rgba)), rgba)
    assert np.array_equal(figures.shown(image(np.dstack([GREY, GREY]))), np.dstack([GREY] * 4))


def test_few_bits_are_stretched_from_their_range() -> None:
    assert figures.shown(image(np.array([[0, 1], [2, 3]], np.uint8), 2))[..., 0].tolist() == [[0, 85], [170, 255]]
    assert figures.shown(image(np.array([[False, True]])))[..., 0].tolist() == [[0, 255]]
    assert (figures.shown(image(np.full((2, 2), 3, np.uint8), 2)) == 255).all()


def test_deep_pictures_are_stretched_from_least_to_largest_but_for_alpha() -> None:
    deep = np.array([[[1000, 1000, 1000, 0], [3000, 2000, 1000, 65535]]], np.uint16)
    assert figures.shown(image(deep)).tolist() == [[[0, 0, 0, 0], [255, 128, 0, 255]]]


def test_more_channels_than_four_are_left_out() -> None:
    bands = np.arange(2 * 2 * 7, dtype=np.uint8).reshape(2, 2, 7)
    assert np.array_equal(figures.shown(image(bands)), bands[..., :3])


def test_inks_are_shown_as_colours() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0]]], np.uint8)
    signal = image(inks, metadata={"tiff/photometric": b"5"})
    assert figures.shown(signal).tolist() == [[[255, 255, 255], [0, 255, 255], [0, 0, 0], [255, 0, 0]]]


@pytest.mark.parametrize(
    ("signal", "names"),
    [
        (image(GREY), ["grey"]),
        (image(GREY[..., None]), ["grey"]),
        (image(np.dstack([GREY, GREY])), ["grey", "alpha"]),
        (image(RGB), ["red", "green", "blue"]),
        (Signal(np.stack([RGB, RGB]), "stack"), ["red", "green", "blue"]),
        (image(np.dstack([RGB, GREY])), ["red", "green", "blue", "alpha"]),
        (image(np.dstack([RGB, GREY]), metadata={"tiff/photometric": b"5"}), ["cyan", "magenta", "yellow", "black"]),
        (image(np.dstack([RGB, GREY, GREY]), metadata={"tiff/photometric": b"5"}), ["cyan", "magenta", "yellow", "black", "channel 4"]),
        (image(np.dstack([RGB, RGB])), [f"channel {i}" for i in range(6)]),
        (Signal(GREY), ["channel 0"]),
        (Signal(np.array([1j, 2])), ["real", "imaginary"]),
        (image(np.zeros((2, 2, 2), np.complex64)), ["real 0", "imaginary 0", "real 1", "imaginary 1"]),
        (Signal(np.zeros(3, np.int16), "audio", sample_rate=1), ["channel 0"]),
        (Signal(np.zeros((3, 2), np.int16), "audio", sample_rate=1), ["left", "right"]),
    ],
)
def test_channels_have_names(signal: Signal, names: list[str]) -> None:
    assert figures.channel_names(signal) == names


def test_floats_are_shown_with_what_is_missing() -> None:
    floats = np.array([[0.5, 1.5, np.nan], [np.inf, -np.inf, 1.0]], np.float32)
    found = figures.shown(Signal(floats))
    assert found.shape == (2, 3, 3)
    assert found[0, 2].tolist() == list(figures.MISSING)
    assert found[..., 0].tolist() == [[0, 255, 255], [255, 0, 128]]
    assert figures.shown(Signal(floats[:, :2])).shape == (2, 2, 1)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i2", ">i2", "<u4", "<u8", "<i8"])
def test_any_type_is_stretched(dtype: str) -> None:
    kind = np.dtype(dtype)
    low, high = (np.finfo(kind).min, np.finfo(kind).max) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    found = figures.shown(Signal(np.array([[low, high], [high, low]], kind)))
    assert found[..., 0].tolist() == [[0, 255], [255, 0]]
    assert (figures.shown(Signal(np.full((3, 2), high, kind))) == 0).all()


def test_all_missing_is_all_magenta() -> None:
    assert (figures.shown(Signal(np.full((2, 2), np.nan))) == figures.MISSING).all()


def test_complex_numbers_show_their_magnitude_and_bfloat16_its_numbers() -> None:
    assert figures.shown(Signal(np.array([[0, 3 + 4j], [10j, -5]], np.complex64)))[..., 0].tolist() == [[0, 128], [255, 128]]
    halves = Signal((np.array([[-1.0, 1.0]], np.float32).view(np.uint32) >> 16).astype(np.uint16), bfloat16=True)
    assert figures.shown(halves)[..., 0].tolist() == [[0, 255]]


def test_pages_of_stacks_and_slices_of_arrays() -> None:
    stack = Signal(np.stack([RGB, 255 - RGB]), "stack")
    assert figures.pages_of(stack) == 2
    assert np.array_equal(figures.shown(stack, 1), 255 - RGB)
    array = Signal(np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5))
    assert figures.pages_of(array) == 6
    assert np.array_equal(figures.shown(array, 4)[..., 0], array.samples[1, 1])
    with pytest.raises(UnsupportedError, match="there is no page 6: it has 6"):
        figures.shown(array, 6)


def test_sound_and_rows_are_no_pictures() -> None:
    for signal in (Signal(np.zeros(5, np.int16), "audio", 16, 8000), Signal(np.zeros(5))):
        assert figures.pages_of(signal) == 0
        with pytest.raises(UnsupportedError, match="cannot be shown as a picture"):
            figures.shown(signal)


@given(st.integers(0, 11), st.integers(0, 2))
def test_bit_planes_make_up_the_samples(row: int, channel: int) -> None:
    deep = np.random.default_rng(row).integers(0, 1 << 12, (3, 5, 3)).astype(np.uint16)
    planes = [figures.bit_plane(image(deep, 12), plane, channel) for plane in range(12)]
    assert set(np.unique(planes)) <= {0, 255}
    assert np.array_equal(sum((p.astype(int) // 255) << i for i, p in enumerate(planes)), deep[..., channel])


def test_bit_planes_of_negative_numbers_and_floats() -> None:
    assert figures.bit_plane(Signal(np.array([[-1, 1]], np.int16)), 15).tolist() == [[255, 0]]
    for order in "<>":
        assert figures.bit_plane(Signal(np.array([[-1.0, 1.0]], f"{order}f4")), 31).tolist() == [[255, 0]]
    assert figures.bit_plane(Signal(np.array([[1 - 1j, -1 + 1j]], np.complex64)), 31, 1).tolist() == [[255, 0]]


def test_faults_of_planes_and_channels_are_named() -> None:
    for plane, channel, what in ((8, 0, "bit-plane 8: it has 8"), (-1, 0, "bit-plane -1"), (0, 3, "channel 3: it has 3")):
        with pytest.raises(UnsupportedError, match=what):
            figures.bit_plane(image(RGB), plane, channel)


def test_heat_goes_from_dark_to_yellow() -> None:
    found, top = figures.heat(np.array([[0.0, 1.0, 2.0, 5.0, np.nan]]), 2.0)
    assert top == 2.0
    assert found[0, 0].tolist() == [68, 1, 84]
    assert found[0, 2].tolist() == found[0, 3].tolist() == [253, 231, 37]
    assert found[0, 4].tolist() == list(figures.MISSING)
    light = found[0, :3].astype(int) @ [299, 587, 114]
    assert (np.diff(light) > 0).all()


def test_the_top_of_heat_is_not_a_lone_value() -> None:
    values = np.ones((100, 100), np.float32)
    values[5, 5] = 1000
    assert figures.heat(values)[1] == 1.0
    assert figures.heat(np.zeros((4, 4)))[1] == 1.0
    assert figures.heat(np.full((1, 1), np.nan))[1] == 1.0


def test_bars_are_means_of_columns() -> None:
    found, top = figures.bars(np.array([0.0, 0.0, 1.0, 3.0]), 2, 10)
    assert top == 2.0
    assert (found[:, 0] == 255).all()
    assert (found[:, 1] == [253, 231, 37]).all()
    half, _ = figures.bars(np.array([1.0]), 3, 10, 2.0)
    assert (half[:5] == 255).all()
    assert (half[5:] != 255).any(axis=2).all()


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4)])
def test_png_files_hold_the_picture(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(figures.png(picture))) as read:
        assert np.array_equal(np.asarray(read).reshape(shape), picture)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.sampled_from([0, 1, 3, 4]))
def test_shrunk_pictures_fit(height: int, width: int, most: int, channels: int) -> None:
    shape = (height, width, channels) if channels else (height, width)
    picture = np.full(shape, 77, np.uint8)
    found = figures.shrunk(picture, most)
    assert max(found.shape[:2]) == min(most, max(height, width))
    assert found.shape[2:] == picture.shape[2:]
    assert (found == 77).all()


def test_shrunk_pictures_are_means_and_transparent_colours_do_not_count() -> None:
    assert figures.shrunk(np.array([[0, 100], [50, 90]], np.uint8), 1).tolist() == [[60]]
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = 200, 100, 50, 255
    assert figures.shrunk(clear, 1).tolist() == [[[200, 100, 50, 64]]]


def test_a_part_is_shown_as_in_the_whole_picture() -> None:
    x = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    whole = Signal(x, "image")
    part = figures.shown(Signal(np.ascontiguousarray(x[5:9, 3:7]), "image"), span=figures.span_of(whole))
    assert (part == figures.shown(whole)[5:9, 3:7]).all()
    assert figures.span_of(whole) == (0, 59900)
    assert figures.span_of(Signal(np.zeros((4, 4), np.uint8), "image")) is None
