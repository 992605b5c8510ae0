"""Until exact under a weight coding; the studies of memory in the network and of ternary weights: what they measure, and their plots."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from bench import rows
from bench.implicit import memory, memory_plots, shapes, ternary
from inrcodec import views
from inrcodec.fit import choices, search
from inrcodec.fit.choices import architecture_of, rate_of, weights_of
from inrcodec.fit.model import CoordinateNetwork, Plain
from inrcodec.fit.train import Budget, Watch, train
from inrcodec.kernels.architecture import Architecture
from inrcodec.options import Goal, Options
from inrcodec.values import to_values

EXACT, MDL = Goal("exact"), Goal("mdl")


def noise(size: int = 10, bits: int = 4, channels: int = 1, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 1 << bits, (size, size, channels)).astype(np.uint8)


def fitted(samples: np.ndarray, **more: Any) -> search.Fitted:
    values, value_map = to_values(samples)
    chosen: dict[str, Any] = {"network": "heads", "steps": 400, "hidden": 48} | more
    options = Options(profile="inr", device="cpu", threads=1, seconds=1000, **chosen)
    return search.fit_float(values, value_map.bits, options, EXACT)


# --- fits until exact -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "hidden", "weights", "bits"),
    [("mlp", 40, "lsq", 3), ("mlp", 32, "uniform", 4), ("recurrent", 40, "lsq", 3), ("recurrent", 40, "uniform", 4)],
)
def test_fine_tuning_ends_exact(body: str, hidden: int, weights: str, bits: int) -> None:
    """Few bits a weight make some bits wrong; training under the coding goes on until the integer network alone has all of them right."""
    found = fitted(noise(12), body=body, layers=3, hidden=hidden, steps=800)
    (before,) = search.code_all(replace(found, options=replace(found.options, stop=lambda: True)), weights, bits)
    (after,) = search.code_all(found, weights, bits)
    assert before.measured.wrong > 0
    assert after.measured.wrong == 0
    assert after.measured.payload_bytes == 0
    assert after.steps < 800


def test_a_file_with_few_bits_a_weight_is_exact_by_the_network_alone() -> None:
    samples = noise(8)
    data = inrcodec.encode(
        samples, kind="image", profile="inr", network="heads", hidden=48, weights="lsq", bits=4, steps=400, seconds=1000, threads=1
    )
    alone = views.render(data, views.View(network_only=True), Options(threads=1)).samples
    assert (alone == samples).all()
    assert inrcodec.info(data)["weights"]["bits_per_parameter"] < 6


def test_auto_fine_tunes_each_coding_for_a_share_of_the_budget() -> None:
    found = fitted(noise(6), hidden=16, layers=1, steps=60)
    steps = {r.label: r.steps for r in search.code_all(found, "auto")}
    assert max(steps.values()) <= max(20, found.outcome.steps * search.FINE_TUNE)


@pytest.mark.parametrize("right", [False, True])
def test_the_integer_network_is_asked(right: bool) -> None:
    """Training ends where it is right too, and goes on to the end of the budget if it never is."""
    found = fitted(noise(6), steps=1)
    asked: list[int] = []

    def confirm() -> bool:
        asked.append(1)
        return right

    generator = torch.Generator().manual_seed(0)
    plan = replace(found.schedule(Budget(90, 1000.0, True, falling=False), found.model, generator), confirm=confirm)
    groups: list[dict[str, object]] = [{"params": [*found.model.weights, *found.model.biases], "lr": 3e-3}]
    outcome = train(found.model, Plain(found.model, generator), groups, plan, Watch())
    assert outcome.exact is right
    assert len(asked) == 1 if right else len(asked) > 3
    assert outcome.steps == (outcome.exact_step if right else 90)


def test_of_results_an_exact_one_is_taken_for_an_exact_fit() -> None:
    found = fitted(noise(6), steps=200)
    (good,) = search.code_all(found, "uniform", 16)
    assert good.measured.wrong == 0
    small = replace(good, measured=replace(good.measured, wrong=1, weights_bytes=good.measured.weights_bytes // 2))
    assert search._worth(good, found) < search._worth(small, found)
    assert search._worth(good, replace(found, goal=MDL)) > search._worth(small, replace(found, goal=MDL))


def test_the_learning_rate_stays_or_falls() -> None:
    found = fitted(noise(6), steps=1)
    for falling in (False, True):
        seen: list[float] = []
        groups: list[dict[str, object]] = [{"params": [*found.model.weights], "lr": 1e-9}]
        real = torch.optim.Adam.step

        def step(self: Any, *arguments: Any, seen: list[float] = seen, real: Any = real) -> Any:
            seen.append(self.param_groups[0]["lr"])
            return real(self, *arguments)

        plan = found.schedule(Budget(40, 1000.0, False, falling=falling), found.model, torch.Generator().manual_seed(0))
        with mock.patch.object(torch.optim.Adam, "step", step):
            train(found.model, Plain(found.model, torch.Generator()), groups, plan, Watch())
        assert (seen[-1] < 0.05 * max(seen)) is falling
        assert (len(set(seen)) == 1) is not falling


def test_ternary_networks_end_exact() -> None:
    """With what the encoder chooses, and the weights of the file are the ternary ones."""
    samples = noise(10, 3)
    data = inrcodec.encode(samples, kind="image", profile="inr", network="bitlinear", hidden=48, steps=400, seconds=1000, threads=1)
    found = inrcodec.info(data)
    assert found["weights"]["coding"] == "ternary"
    assert found["weights"]["bits_per_parameter"] < 1.8
    assert (views.render(data, views.View(network_only=True), Options(threads=1)).samples == samples).all()


def test_what_is_chosen_for_ternary_networks() -> None:
    options = Options(network="bitlinear")
    a = architecture_of(np.zeros((100, 128, 3), np.uint8), 8, options, EXACT)
    assert (a.octaves, a.layers, a.normalized, a.biased) == (9, 4, True, False)
    assert rate_of(a, options) > 2 * rate_of(replace(a, form="heads"), options)
    assert weights_of(a, options, EXACT) == ("ternary", 0)
    assert 5 < a.weights / a.networks / (100 * 128 * 3) < 9
    assert architecture_of(np.zeros((100, 128, 3), np.uint16), 16, options, EXACT).hidden == a.hidden
    assert weights_of(a, Options(network="bitlinear", weights="uniform"), EXACT)[0] == "uniform"
    assert weights_of(a, options, MDL)[0] == "auto"


# --- the studies ----------------------------------------------------------------------------------------------------

GIVEN = argparse.Namespace(device="cpu", seconds=1000.0, steps=120, size=8, units=12, octaves=0, batch=0, data=None, bits=8)


def test_states_are_those_of_the_network() -> None:
    a = Architecture((5, 6), 2, 3, 7, 4, "heads", "recurrent")
    model = CoordinateNetwork(a, 30.0, torch.Generator().manual_seed(1))
    inputs = torch.rand(30, 2) * 2 - 1
    found = memory.states(model, inputs, 6)
    assert len(found) == 7
    outputs = found[a.layers - 1] @ model.weights[-1][0].T + model.biases[-1][0]
    assert torch.allclose(outputs.reshape(30, 2, 3), model(inputs, Plain(model, torch.Generator()), []), atol=1e-5)


def test_relative_changes() -> None:
    one = torch.ones(4, 3)
    assert memory.relative_changes([one, one, 2 * one, -one]) == pytest.approx([0, 0.5, 3])


@given(st.sampled_from(memory.DEPTHS), st.integers(200, 100000), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_units_for_equal_parameters(depth: int, parameters: int, channels: int) -> None:
    units = memory.units_for(memory.recurrent(depth), parameters, (9, 9), channels, 8)

    def count(n: int) -> int:
        return Architecture((9, 9), channels, 8, n, depth + 1, "heads", "recurrent").parameters

    assert abs(count(units) - parameters) <= min(abs(count(n) - parameters) for n in (units + 1, max(units - 1, 8)))


@given(st.integers(0, 9), st.integers(2, 99))
@settings(max_examples=20, deadline=None)
def test_hashing_leaves_small_and_direct_levels(hashed: int, side: int) -> None:
    values = np.zeros((side, side, 3), np.uint8)
    plain = architecture_of(values, 8, Options(), EXACT)
    with mock.patch.object(choices, "_levels", memory._hashing(choices._levels, hashed)):
        found = architecture_of(values, 8, Options(), EXACT)
    assert [x.spacing for x in found.levels] == [x.spacing for x in plain.levels]
    for before, after in zip(plain.levels, found.levels, strict=True):
        assert after.table in ({0, hashed} if not before.direct else {0})
        assert before.direct or not hashed or after.cells((side, side)) <= 1 << hashed


def test_a_run_is_measured_and_tried_at_both_rates() -> None:
    shape = memory.recurrent(2).of(24)
    found = memory.run(shape, noise(8, 3), GIVEN, ("lsq", 4))
    assert found.name == "recurrent, R = 2, × 24"
    assert len(found.row()) == len(memory.RUN_HEADS)
    assert found.fitted.model.architecture.layers == 3
    assert found.exact == (found.result.measured.wrong == 0)


def test_psnr_and_stability_tables() -> None:
    with mock.patch.object(memory, "PSNR_STEPS", 3), mock.patch.object(memory, "DEPTHS", (1, 2)):
        parts = memory.steps(GIVEN)
    assert parts[0].startswith("## PSNR at step 500")
    assert parts[2].count("\n") == 3
    assert "R = 2" in parts[-1]


def test_the_verdict_names_other_winners() -> None:
    rows = [["a", memory.DEFAULT, 5], ["a", "other", 9], ["b", memory.DEFAULT, 8], ["b", "recurrent", 7], ["a", "values and payload", 3]]
    alone, every = memory._verdict(rows).split("\n\n")
    assert alone.startswith("Networks that are to be exact alone: dense cells, the default, have the smallest file of 1 of 2 signals;")
    assert alone.endswith("others are smaller for b: recurrent, 7 bytes.")
    assert every.endswith("0 of 2 signals; others are smaller for a: values and payload, 3 bytes; b: recurrent, 7 bytes.")


def test_a_ternary_run_follows_each_plane() -> None:
    samples = noise(8, 3)
    options = ternary.options_of(GIVEN, hidden=32)
    found = ternary.run(samples, options)
    assert [step for step, _ in found.curve][:-1] == list(range(len(found.curve) - 1))
    assert len(found.first_right) == 3
    if found.exact_step is not None:
        assert max(s for s in found.first_right if s is not None) <= found.exact_step
        assert found.result.measured.wrong == 0
    assert len(ternary.row("x", samples, found)) == len(ternary.HEADS)
    assert "plane 3" in ternary.planes_table([("x", found)])
    assert ternary.curve_table(found).count("\n") >= 3
    assert found.weights == 3 * (2 * 11 * 32 + 3 * 32 * 32 + 32)


def test_the_published_network() -> None:
    """Its weights are those that the paper's size stands for."""
    a = architecture_of(np.zeros((128, 128, 3), np.uint16), 16, Options(network="bitlinear", hidden=256, octaves=7), EXACT)
    assert a.weights == ternary.PAPER_WEIGHTS
    assert int(a.weights * ternary.PAPER_BITS / 8) in (ternary.PAPER_BYTES, ternary.PAPER_BYTES - 1)


# --- shapes ---------------------------------------------------------------------------------------------------------


def cube(path: Path, low: float, high: float) -> None:
    """A cube as a Wavefront OBJ file."""
    corners = [(x, y, z) for x in (low, high) for y in (low, high) for z in (low, high)]
    faces = [(1, 2, 4, 3), (5, 6, 8, 7), (1, 2, 6, 5), (3, 4, 8, 7), (1, 3, 7, 5), (2, 4, 8, 6)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    lines += [f"f {a}/1 {b}/1 {c}/1\nf {a} {c} {d}" for a, b, c, d in faces]
    path.write_text("\n".join(lines))


@pytest.mark.parametrize("side", [8, 16, 17])
def test_a_cube_in_voxels(tmp_path: Path, side: int) -> None:
    cube(tmp_path / "cube.obj", 3.0, 5.0)
    inside = shapes.voxels(*shapes.mesh(tmp_path / "cube.obj"), side)
    near = np.abs(shapes.centres(side)) < 1 - shapes.MARGIN
    assert (inside == near[:, None, None] & near[None, :, None] & near[None, None, :]).all()


def test_distances_have_the_sign_of_the_side() -> None:
    inside = np.zeros((7, 7, 7), np.bool_)
    inside[2:5, 2:5, 2:5] = True
    found = shapes.distances_of(inside)
    assert ((found < 0) == inside).all()
    assert found[3, 3, 3] == -2
    assert found[0, 3, 3] == 2


def test_the_made_shape() -> None:
    found = shapes.made(24)
    assert found.min() < -0.3
    assert found.max() > 0.5
    for axis in range(3):  # a distance changes no faster than the place
        assert np.abs(np.diff(found, axis=axis)).max() <= 2 / 24 + 1e-12


@given(st.integers(2, 16))
@settings(max_examples=15, deadline=None)
def test_quantized_distances_keep_to_their_bits(bits: int) -> None:
    found = shapes.quantized(shapes.made(6), bits)
    assert found.dtype == np.uint16
    assert int(found.max()) < 1 << bits
    order = np.argsort(shapes.made(6).ravel(), kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()


# --- plots ----------------------------------------------------------------------------------------------------------

MEMORY_TABLES = """
### Exact: equal units

| network | parameters | weights bytes | wrong bits |
| --- | ---: | ---: | ---: |
| heads, 3 × 96 | 21 240 | 10 920 | 0 |
| recurrent, R = 2, × 96 | 11 928 | 6 385 | 22 |

## Stability of the networks of values

| network | r = 1 | r = 2 |
| --- | --- | --- |
| R = 1 | 1.2 | 1.1 |
| R = 2 | 1.1 | 0.9 |

## Cells beside a recurrent network: exact files

| signal | network | file bytes |
| --- | --- | ---: |
| china | cells, dense (default) | 2 000 |
| china | recurrent | 6 000 |
"""
TERNARY_TABLES = """
## Steps until each bit-plane is right for the first time

| picture | plane 1 | plane 2 |
| --- | --- | --- |
| a | 10 | never |

## Wrong bits while training: a

| step | plane 1 | plane 2 |
| ---: | --- | --- |
| 0 | 0.5 | 0.5 |
| 1 200 | 0 | 0.1 |
"""


def test_plots_are_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "implicit-memory.md").write_text(MEMORY_TABLES)
    (tmp_path / "implicit-ternary.md").write_text(TERNARY_TABLES)
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    drawn = []
    for _ in range(2):
        memory_plots.main(tmp_path)
        drawn.append([(tmp_path / f"implicit-{name}.svg").read_bytes() for name in ("memory", "ternary")])
    assert drawn[0] == drawn[1]
    assert all(data.startswith(b"<?xml") for data in drawn[0])
