"""Training the priors of pictures: what is gathered, what a fit learns, and the file that is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inrcodec.profiles.hybrid.pictures import scan, tile
from inrcodec.profiles.hybrid.priors import shipped

pytest.importorskip("torch")
pytest.importorskip("cv2")
pytest.importorskip("imagecodecs")

from inrcodec.profiles.hybrid import train

UNITS = 16


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> train.Samples:
    g = np.random.default_rng(0)
    y, x = np.mgrid[0:64, 0:72]
    planes = [110 + 60 * np.sin(y / 9 + c) * np.cos(x / 11) + g.normal(0, 3, y.shape) for c in range(3)]
    path = tmp_path_factory.mktemp("train") / "photo.png"
    Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)).save(path)
    return train.samples_of((path, 700))


def test_every_network_gets_samples(gathered: train.Samples) -> None:
    assert set(gathered) == set(shipped.named(shipped.current(48), 48))
    for name, rows in gathered.items():
        references = int(name[-1])
        taps = scan.taps(scan.PASSES.get(name[:-1], scan.RASTER[0]), references, range(references))
        assert rows.shape[1] == tile.inputs_of(taps) + 3
        assert np.isfinite(rows).all()


def test_a_fit_learns(gathered: train.Samples) -> None:
    rows = gathered["raster1"]
    weights, after = train.fit(rows, rows, UNITS, 60, 2)
    _, before = train.fit(rows, rows, UNITS, 1, 1)
    assert after < before - 0.05
    inputs = rows.shape[1] - 3
    coordinates = weights[: inputs * UNITS].reshape(inputs, UNITS)[-train.COORDINATES :]
    assert not coordinates.any()


def test_what_is_packed_is_read(gathered: train.Samples) -> None:
    rows = gathered["raster0"]
    weights, _ = train.fit(rows, rows, UNITS, 20, 1)
    units, found = shipped.read(train.pack({"raster0": weights}, UNITS))
    assert units == UNITS
    assert list(found) == ["raster0"]
    assert np.abs(found["raster0"] - weights).max() < 1e-3


def test_weights_fill_16_bits() -> None:
    inputs = 5
    weights = np.linspace(-3, 3, sum(shipped.sizes(inputs, UNITS)), dtype=np.float32)
    whole, shifts = train.quantize(weights, inputs, UNITS)
    assert len(shifts) == len(shipped.sizes(inputs, UNITS))
    assert np.abs(whole).max() <= 32767
    assert np.abs(whole).max() > 16383


def test_grey_photographs_are_taken(tmp_path: Path) -> None:
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(tmp_path / "grey.png")
    assert train.load(tmp_path / "grey.png").shape == (6, 8, 3)
