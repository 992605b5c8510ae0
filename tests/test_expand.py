"""`expand`: more bits, of which the given ones never change."""

from __future__ import annotations

import hashlib
import sys
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inrcodec.errors import UnsupportedError
from inrcodec.expand import Fill, expand, memory, nominal_range

Samples = npt.NDArray[Any]


def error(truth: Samples, found: Samples) -> float:
    """The mean square of the error, in units of that of the midpoint on uniform low bits."""
    return float(np.mean((truth.astype(float) - found) ** 2) / (256.0**2 / 12))


def against_midpoint(truth: Samples, channel_axis: bool = False, **more: Any) -> tuple[float, float]:
    """The errors of "smooth" and "midpoint" for the upper 8 bits of 16-bit samples."""
    given_bits = (truth >> 8).astype(np.uint8)
    found = expand(given_bits, 8, 16, channel_axis, **more)
    assert found.dtype == np.uint16
    assert (found >> 8 == given_bits).all()
    return error(truth, found), error(truth, expand(given_bits, 8, 16, channel_axis, fill="midpoint"))


def ramp(*shape: int) -> Samples:
    """A linear ramp over all axes, a fraction of a cell from place to place, rising by another one along each."""
    steps = [43.7, 21.1, 61.3, 12.9]
    found: Samples = np.full(shape, 9000.0)
    for step, x in zip(steps, np.indices(shape), strict=False):
        found = found + step * x
    return found.astype(np.uint16)


def waves(height: int, width: int) -> Samples:
    """(height, width, 3): a picture that three channels share, by parabolas."""
    y, x = np.indices((height, width))
    bumps = sum((x % a - a // 2) ** 2 * (y % b - b // 2) for a, b in ((23, 31), (41, 19), (37, 43)))
    return np.stack([20000 + bumps // 3, 25000 + bumps // 2, 15000 + bumps // 5], -1).clip(0, 65535).astype(np.uint16)


def mosaic(picture: Samples) -> Samples:
    """A picture as of a camera that sees one colour at each place, and takes the means of the neighbours for the others."""
    height, width, _ = picture.shape
    y, x = np.indices((height, width))
    colour = np.where(y % 2 == x % 2, 1, np.where(y % 2, 2, 0))
    found = np.empty_like(picture)
    for channel in range(3):
        known = np.pad((colour == channel).astype(np.int64), 1, "reflect")
        values = known * np.pad(picture[..., channel].astype(np.int64), 1, "reflect")
        sums = [
            sum(a[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy in (-1, 0, 1) for dx in (-1, 0, 1)) for a in (values, known)
        ]
        found[..., channel] = np.where(colour == channel, picture[..., channel], sums[0] // sums[1])
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Samples, int, int, bool]:
    """Samples, their depth, a wanted depth, and whether there is an axis of channels."""
    dtype = np.dtype(draw(st.sampled_from(["?", "u1", "i1", "<u2", ">u2", "<i2", "<u4", ">i4", "<i8", "<u8"])))
    channel_axis = draw(st.booleans())
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=12))
    if channel_axis:
        shape = (*shape, draw(st.integers(1, 4)))
    depth = 1 if dtype.kind == "b" else draw(st.integers(1, min(32, 8 * dtype.itemsize)))
    wanted = draw(st.integers(depth, 32))
    low, high = nominal_range(depth, dtype.kind == "i")
    smooth, seed = draw(st.booleans()), draw(st.integers(0, 99))
    values = np.random.default_rng(seed).integers(low, high, shape, np.int64, endpoint=True)
    if smooth:
        values = np.clip(sum(np.indices(shape)) + draw(st.sampled_from([low, 0, high - 5])), low, high)
    return values.astype(dtype), depth, wanted, channel_axis


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["smooth", "midpoint", "zero"]))
@pytest.mark.slow
def test_given_bits_never_change(case: tuple[Samples, int, int, bool], fill: Fill) -> None:
    samples, depth, wanted, channel_axis = case
    before = samples.copy()
    found = expand(samples, depth, wanted, channel_axis, fill)
    assert found.shape == samples.shape
    assert found.dtype == np.dtype(f"{'i' if samples.dtype.kind == 'i' else 'u'}{1 if wanted <= 8 else 2 if wanted <= 16 else 4}")
    assert (found.astype(np.int64) >> (wanted - depth) == samples.astype(np.int64)).all()
    assert (samples == before).all()


@pytest.mark.parametrize("shape", [(900,), (60, 50), (24, 20, 22), (12, 10, 11, 13)])
def test_a_ramp_is_found(shape: tuple[int, ...]) -> None:
    smooth, middle = against_midpoint(ramp(*shape))
    assert smooth < 0.1 * middle


@pytest.mark.parametrize("shape", [(2000,), (60, 50), (17, 16, 18)])
def test_noise_is_left_at_the_midpoint(shape: tuple[int, ...]) -> None:
    truth = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    smooth, middle = against_midpoint(truth)
    assert smooth < 1.005 * middle


@pytest.mark.parametrize("spread", [20, 80, 150, 256, 1000])
def test_a_ramp_with_noise_is_never_worse(spread: int) -> None:
    noise = np.random.default_rng(2).integers(-spread, spread, (64, 64), endpoint=True)
    smooth, middle = against_midpoint((ramp(64, 64) + noise).astype(np.uint16))
    assert smooth < middle * (0.9 if spread < 150 else 1.0)


def test_other_channels_help() -> None:
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 50000, (48, 48))
    truth = np.stack([grey, grey // 2 + 9000, grey // 3 + 20000], -1).astype(np.uint16)
    smooth, middle = against_midpoint(truth, channel_axis=True)
    apart, _ = against_midpoint(truth[..., 2])
    assert smooth < 0.6 * middle
    assert apart > 0.97 * middle


def test_a_mosaic_of_colours_is_found() -> None:
    rng = np.random.default_rng(4)
    truth = mosaic((waves(64, 64).astype(int) + rng.integers(-600, 600, (64, 64, 3))).clip(0, 65535).astype(np.uint16))
    smooth, middle = against_midpoint(truth, channel_axis=True)
    apart, _ = against_midpoint(truth.reshape(64, 64 * 3))
    assert smooth < 0.7 * middle
    assert smooth < 0.8 * apart


def test_clipped_samples_are_at_the_end() -> None:
    truth = np.minimum(ramp(64, 64).astype(int) * 9, 65535).astype(np.uint16)
    assert (truth == 65535).sum() > 500
    found = expand((truth >> 8).astype(np.uint8), 8, 16, False)
    assert (found[-20:, -20:] > 65500).all()
    sound = np.clip(np.cumsum(np.random.default_rng(5).integers(-3000, 3000, 3000)), -32768, 32767).astype(np.int16)
    found = expand((sound >> 8).astype(np.int8), 8, 16, False)
    inside = np.convolve(sound == -32768, np.ones(9), "same") == 9
    assert inside.any()
    assert (found[inside] < -32700).all()


def test_axes_are_equal() -> None:
    truth = waves(70, 45)[..., 0]
    given_bits = (truth >> 8).astype(np.uint8)
    found, turned = expand(given_bits, 8, 16, False), expand(np.ascontiguousarray(given_bits.T), 8, 16, False).T
    assert np.abs(found.astype(int) - turned).max() <= 2  # filters round along one axis before the other
    single = expand(given_bits[:, None, :, None], 8, 16, True)[:, 0, :, 0]
    assert (single == found).all()


def test_a_large_signal_is_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = waves(150, 40)
    whole, _ = against_midpoint(truth, channel_axis=True)
    module = sys.modules["inrcodec.expand"]  # "inrcodec.expand" may also be the name of the function
    monkeypatch.setattr(module, "SLAB", 40 * 3 * 40)
    parts, _ = against_midpoint(truth, channel_axis=True)
    assert parts < 1.5 * whole + 1e-3
    monkeypatch.setattr(module, "SLAB", 1)
    monkeypatch.setattr(module, "MARGIN", 3)
    against_midpoint(truth[:20], channel_axis=True)


@pytest.mark.parametrize(
    ("bits", "digest"),
    [
        (4, "ce7d8d5565cfa5bd"),
        (8, "e63c35459513bb01"),
    ],
)
def test_the_samples_are_the_same_on_every_machine(bits: int, digest: str) -> None:
    noise = np.random.default_rng(7).integers(-400, 400, (96, 80, 3))
    noisy = (waves(96, 80).astype(int) + noise).clip(0, 65535).astype(np.uint16)
    found = [
        expand(mosaic(noisy) >> (16 - bits), bits, 16, True),
        expand(noisy[..., 0] >> (16 - bits), bits, 24, False),
        expand(waves(96, 80)[..., 1] >> (16 - bits), bits, 16, False),
        expand((noisy.reshape(-1).astype(np.int32) - 32768) >> (16 - bits), bits, 20, False),
        expand(noisy[:40, :40] >> (16 - bits), bits, 12, False),
    ]
    assert hashlib.sha256(b"".join(f.astype("<i8").tobytes() for f in found)).hexdigest()[:16] == digest


def test_more_depth_than_the_table_of_means_has() -> None:
    samples = np.arange(40, dtype=np.uint32).reshape(5, 8) << 26 | 5
    assert (expand(samples, 32, 32, False) == samples).all()
    assert (expand(samples >> 16, 16, 32, False) >> 16 == samples >> 16).all()
    assert expand(np.zeros((0, 3), np.uint8), 8, 16, True).shape == (0, 3)


@pytest.mark.parametrize(
    ("samples", "depth", "wanted", "message"),
    [
        (np.zeros(3), 8, 16, "type float64"),
        (np.zeros((1,) * 5, np.uint8), 8, 16, "5 axes"),
        (np.array(3, np.uint8), 8, 16, "0 axes"),
        (np.zeros(3, np.uint8), 9, 16, "bit depth 9"),
        (np.zeros(3, np.uint8), 0, 16, "bit depth 0"),
        (np.zeros(3, np.uint64), 33, 40, "bit depth 33"),
        (np.zeros(3, np.uint8), 8, 7, "cannot become 7-bit"),
        (np.zeros(3, np.uint8), 8, 33, "cannot become 33-bit"),
        (np.full(3, 16, np.uint8), 4, 8, "do not fit in 4 bits"),
        (np.full(3, -9, np.int8), 4, 8, "do not fit in 4 bits"),
    ],
)
def test_faults(samples: Samples, depth: int, wanted: int, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        expand(samples, depth, wanted, False)


def test_wrong_arguments() -> None:
    samples = np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="fill"):
        expand(samples, 8, 16, False, fill="cubic")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="0 axes"):
        expand(np.zeros(3, np.uint8), 8, 16, True)


COLOURS = [(300, 200, 3), (40, 40, 40, 3), (200_000, 2)]


@pytest.mark.parametrize("shape", [*COLOURS, (300, 400), (200_000,), (60, 60, 60), (14, 14, 14, 14)], ids=str)
def test_the_memory_is_at_most_what_is_told(shape: tuple[int, ...]) -> None:
    channel_axis = shape in COLOURS
    samples = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    expand(samples[:9], 8, 16, channel_axis)  # compiles
    tracemalloc.start()
    try:
        expand(samples, 8, 16, channel_axis)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    told = memory(shape, 16)
    assert told / 8 < peak <= told
