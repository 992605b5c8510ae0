"""Networks fitted to a file: deltas in every weight coding, kept where they pay."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import inrcodec
from inrcodec import Signal
from inrcodec.kernels import contextnet, integers
from inrcodec.profiles.hybrid.pictures import analysis, coding, deltas, tuning
from inrcodec.profiles.hybrid.pictures.plan import Delta
from inrcodec.profiles.hybrid.priors import shipped
from inrcodec.weights import sinr


def two_humped(height: int, width: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    """Nothing that a prior of photographs expects: every value is off by 30 one way or the other."""
    g = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    planes = [110 + 40 * np.sin(y / 19 + c) * np.cos(x / 23) + 30 * g.choice([-1, 1], y.shape) for c in range(channels)]
    found: npt.NDArray[np.uint8] = np.clip(np.stack(planes, -1) + g.normal(0, 1, (height, width, channels)), 0, 255).astype(np.uint8)
    return found.squeeze(-1 if channels == 1 else ())


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STEPS", 20)
    monkeypatch.setattr(coding, "LEAST_VALUES", 500)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tile begins with the prior again: what was fitted is worth more."""
    monkeypatch.setattr(analysis, "tile_places", lambda drawn: 1 << 10)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[list[Delta]]:
    """What every fit found, before it was seen whether it pays."""
    found: list[list[Delta]] = []
    fit = tuning.deltas_of

    def remembered(*args: Any) -> list[Delta]:
        found.append(fit(*args))
        return found[-1]

    monkeypatch.setattr(tuning, "deltas_of", remembered)
    return found


def deltas_in(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = inrcodec.info(data)["network"].get("deltas", [])
    return found


@pytest.mark.slow
def test_a_fit_that_pays_is_kept(short: None, small_tiles: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STEPS", 300)
    signal = Signal(two_humped(320, 300), "image")
    files = {
        tune: inrcodec.encode(signal, effort=5, tune=tune, profile="hybrid", verify=False, weights="uniform") for tune in (False, True)
    }
    assert not deltas_in(files[False])
    assert [d["coding"] for d in deltas_in(files[True])] == ["uniform"]
    assert len(files[True]) < len(files[False])
    assert inrcodec.decode(files[True]).equals(signal)


def test_a_fit_that_does_not_pay_is_dropped(short: None) -> None:
    signal = Signal(np.random.default_rng(0).integers(0, 256, (60, 60)).astype(np.uint8), "image")
    files = {tune: inrcodec.encode(signal, tune=tune, profile="hybrid", verify=False) for tune in (False, True)}
    assert not deltas_in(files[True])
    assert len(files[True]) == len(files[False])


@pytest.mark.parametrize("name", ["uniform", "lsq", "ternary", "sinr"])
def test_every_coding_round_trips(short: None, fitted: list[list[Delta]], monkeypatch: pytest.MonkeyPatch, name: Any) -> None:
    monkeypatch.setattr(tuning, "LEFT", 100.0)  # so that it seems to pay
    signal = Signal(two_humped(60, 50, 3), "image")
    data = inrcodec.encode(signal, tune=True, profile="hybrid", verify=False, weights=name)
    assert inrcodec.decode(data).equals(signal)
    assert len(fitted[0]) == 3
    assert {d.coding for d in fitted[0]} == {name}


def test_threads_give_the_same_fit(short: None, fitted: list[list[Delta]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "LEFT", 100.0)  # so that it seems to pay
    signal = Signal(two_humped(60, 50, 3), "image")
    files = [inrcodec.encode(signal, tune=True, profile="hybrid", verify=False, weights="uniform", threads=n) for n in (1, 3)]
    assert len(fitted[0]) == 3
    assert fitted[0] == fitted[1]
    assert files[0] == files[1]


def test_a_large_picture_is_fitted_to_crops(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "CROP", 64)
    signal = Signal(two_humped(300, 270), "image")
    data = inrcodec.encode(signal, tune=True, profile="hybrid", verify=False, weights="uniform")
    assert inrcodec.decode(data).equals(signal)
    corners = list(tuning.corners(300, 270))
    assert len(set(corners)) == tuning.CROPS
    assert all(0 <= y <= 300 - 64 and 0 <= x <= 270 - 64 and y % 8 == x % 8 == 0 for y, x in corners)


@pytest.mark.parametrize("step", [1e-12, 1e-4, 0.013, 0.5, 1.0, 2.0, 100.0])
def test_scales_are_near_their_steps(step: float) -> None:
    mantissa, shift = deltas.scale_of(step)
    assert 1 <= mantissa <= 255
    assert mantissa * 2.0**-shift == pytest.approx(step, rel=1 / 200)


def test_what_a_delta_adds() -> None:
    units = 48
    prior = shipped.named(shipped.current(units), units)["raster0"]
    inputs = deltas.inputs_of(prior, units)
    g = np.random.default_rng(0)
    layers = [g.integers(-3, 4, shape) for shape in contextnet.shapes(inputs, units)]
    scales = ((128, 10), (200, 12), (255, 14))
    delta = Delta(0, 0, 8, "uniform", 3, scales, integers.encode(layers))
    flat = np.concatenate([np.ravel(x) * (m / 2**s) for x, (m, s) in zip(layers, scales, strict=True)])
    assert np.array_equal(deltas.apply(delta, prior, units), (prior.astype(np.float64) + flat).astype(np.float32))
    with pytest.raises(inrcodec.FormatError, match="out of range"):
        deltas.apply(Delta(0, 0, 8, "uniform", 3, ((255, 0),) * 3, integers.encode(layers)), prior, units)


def test_sparse_deltas_are_transposed_layers() -> None:
    units = 48
    prior = shipped.named(shipped.current(units), units)["raster0"]
    shapes = contextnet.shapes(deltas.inputs_of(prior, units), units)
    g = np.random.default_rng(1)
    codes = []
    for rows, columns in shapes:
        vectors, length = sinr.vector_shape((columns, rows))
        positions = np.sort(np.stack([g.choice(sinr.dictionary_size(length), 2, replace=False) for _ in range(vectors)]), 1)
        codes.append(sinr.Sparse((columns, rows), positions, g.integers(-9, 10, (vectors, 2))))
    delta = Delta(0, 0, 8, "sinr", 5, ((128, 20),) * 3, sinr.write(codes))
    found = deltas.expand(delta, deltas.inputs_of(prior, units), units)
    assert all(np.array_equal(layer, sinr.expand(code, 5).T) for layer, code in zip(found, codes, strict=True))
