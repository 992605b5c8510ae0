"""The studies of checkpoints and of the radiance field measure what they say, on tiny networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import checkpoints
from bench.implicit import radiance, scene
from inrcodec import Tensors, files


def test_a_scene_has_its_shapes_where_they_are() -> None:
    inside = np.array([[0.45, 0.35, 0.05], [-0.13, 0.3, 0.0], [0.0, -0.45, 0.0], [0.5, 0.0, -0.42]])
    found = scene.distances(inside)
    assert (np.diag(found) < 0).all()
    assert (found > 0).sum() == 12
    far = scene.distances(np.array([[3.0, 0.0, 0.0]]))[0]
    assert np.allclose(far, [np.hypot(2.55, np.hypot(0.35, 0.05)) - 0.35, far[1], far[2], np.hypot(2.0, 0.36)])


def test_views_see_the_scene_on_white() -> None:
    first, second = scene.views(2, 16, 0)
    assert np.allclose(np.linalg.norm(first.rays, axis=1), 1)
    colours = first.colours.reshape(16, 16, 3)
    assert (colours[0, 0] == 1).all()
    assert (colours[8, 8] < 1).any()
    assert 0 <= colours.min() <= colours.max() <= 1
    assert not np.array_equal(first.colours, second.colours)
    assert np.array_equal(first.colours, scene.views(2, 16, 0)[0].colours)


class Fog(radiance.Field):
    """Red fog of a density everywhere."""

    def __init__(self, density: float) -> None:
        super().__init__()
        self.density = density

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([1.0, 0.0, 0.0]).expand(len(points), 3), torch.full((len(points),), self.density)


@pytest.mark.parametrize("density", [0.0, 0.3, 1e4])
def test_light_is_lost_as_beer_and_lambert_say(density: float) -> None:
    origin, ray = torch.tensor([[scene.DISTANCE, 0.0, 0.0]]), torch.tensor([[-1.0, 0.0, 0.0]])
    left = np.exp(-density * 2 * scene.RADIUS)
    with torch.no_grad():
        found = radiance.seen(Fog(density), origin, ray, 16, None)[0].numpy()
    assert np.allclose(found, [1, left, left], atol=1e-4)


def test_training_depends_on_its_seed_alone_and_fields_come_back(tmp_path: Path) -> None:
    views = scene.views(2, 8, 0)
    first, second = (radiance.weights_of(radiance.trained(views, 3)) for _ in range(2))
    assert first.equals(second)
    files.write_tensors(tmp_path / "x.safetensors", first)
    again = radiance.field_of(files.read_tensors(tmp_path / "x.safetensors"))
    assert np.array_equal(radiance.drawn(again, views[0]), radiance.drawn(radiance.field_of(first), views[0]))
    assert radiance.psnr(again, views) > 3


@pytest.mark.slow
def test_the_study_goes_through_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radiance, "CODINGS", (("exact", 0), ("lsq", 6)))
    monkeypatch.setattr(radiance, "UNITS", 8)
    model = tmp_path / "model.safetensors"
    files.write_tensors(model, radiance.weights_of(radiance.Field()))
    (_, _, first, _, exact), (_, _, second, _, lossy) = radiance.coded(model, tmp_path)
    assert exact["lossless"]
    assert not lossy["lossless"]
    assert second < first < model.stat().st_size + 500


def test_rounding_is_that_of_torch() -> None:
    wide = torch.randn(50, 7)
    plain = Tensors.of({"w": wide.numpy(), "n": np.array(3), "large": np.array([1e9], np.float32)})
    found = checkpoints.rounded(plain, "BF16").tensors
    assert np.array_equal(found["w"].bits, wide.bfloat16().view(torch.int16).numpy().view(np.uint16))
    half = checkpoints.rounded(plain, "F16").tensors
    assert np.array_equal(half["w"].numpy(), wide.half().numpy())
    assert [half["n"].dtype, half["large"].dtype] == ["I64", "F32"]


def test_rows_have_what_their_heads_say() -> None:
    weights = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    row: list[Any] = checkpoints.exact("x", Tensors.of({"w": weights}), 1, None)
    assert row[:3] == ["x", 2000, 8000]
    assert float(row[7]) == pytest.approx(100 * row[3] / 8000, abs=0.06)
    assert row[6] == "–"
    rows = checkpoints.lossy("x", Tensors.of({"w": weights}), 1, lambda _: "judged")
    assert [r[1] for r in rows] == ["uniform 8", "lsq 8", "lsq 4", "sinr 8", "ternary"]
    assert all(r[5] == "judged" for r in rows)
