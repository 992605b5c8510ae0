"""Fitting: small signals to bit error rate 0, every network and coding, goals, interruption, seeds. Minutes of fitting belong in bench/."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import inrcodec
from inrcodec import views
from inrcodec.fit import search, train
from inrcodec.fit.choices import architecture_of, network_of, seconds_of, weights_of
from inrcodec.fit.data import targets
from inrcodec.fit.export import settle
from inrcodec.fit.model import CoordinateNetwork, Plain
from inrcodec.fit.objective import BitObjective, ValueHead, ValueObjective, objective_of
from inrcodec.fit.train import Budget, Meter, Steering
from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.kernels.inr import BoundError, Cells
from inrcodec.options import Goal, Options, Progress, goal_of
from inrcodec.profiles.inr.coding import network_values
from inrcodec.values import to_values
from inrcodec.weights.network import CodedNetwork
from tests.networks import random_joint, random_network

CPU = torch.device("cpu")
EXACT, MDL = Goal("exact"), Goal("mdl")


def photo(size: int = 12, bits: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray[Any, Any]:
    """Something like a photograph: smooth, with noise in the low bits."""
    y, x = np.mgrid[0:size, 0:size] / size
    smooth = np.stack([0.5 + 0.4 * np.sin(5 * x + c) * np.cos(3 * y - c) for c in range(channels)], -1)
    noise = np.random.default_rng(seed).normal(0, 0.02, smooth.shape)
    peak = 2**bits - 1
    return np.asarray(np.rint(np.clip(smooth + noise, 0, 1) * peak), np.uint8 if bits <= 8 else np.uint16)


def alone(data: bytes, **options: Any) -> np.ndarray:
    """What the network of a file says of the samples."""
    return views.render(data, views.View(network_only=True, **options), Options(threads=1)).samples


def psnr(found: np.ndarray, samples: np.ndarray, peak: float = 255.0) -> float:
    return float(10 * np.log10(peak * peak / np.square(found.astype(float) - samples).mean()))


# --- until exact --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
def test_heads_reach_bit_error_rate_0_and_the_payload_is_nearly_empty(bits: int) -> None:
    samples = photo(bits=bits)
    data = inrcodec.encode(samples, kind="image", profile="inr", network="heads", hidden=192, bits=16)
    found = inrcodec.info(data)
    assert found["weights"]["coding"] == "uniform"
    assert found["bytes"]["payload"] - 9 < 0.01 * found["raw_bytes"]  # 9: the framing of the section
    assert (inrcodec.decode(data).samples == samples).all()
    assert (alone(data) == samples).all()


def test_sound_reaches_bit_error_rate_0() -> None:
    t = np.arange(500) / 8000
    sound = np.rint(9000 * np.sin(2765 * t) * np.exp(-9 * t) + np.random.default_rng(0).normal(0, 40, 500)).astype(np.int16)
    data = inrcodec.encode(sound[:, None], kind="audio", sample_rate=8000, profile="inr", network="heads", hidden=192)
    assert inrcodec.info(data)["bytes"]["payload"] - 9 < 0.01 * sound.nbytes


@pytest.mark.parametrize(
    ("samples", "more"),
    [
        (photo(16), {}),
        (photo(16), {"colour": True}),
        (photo(16, 16, 4), {}),
        (photo(16, 1, 1), {}),
        (np.cumsum(np.random.default_rng(0).integers(-99, 99, (200, 2)), 0).astype(np.int16), {"kind": "audio", "sample_rate": 8000}),
        (np.random.default_rng(0).integers(0, 2**24, (40, 2)).astype(np.int32), {"kind": "audio", "sample_rate": 8000, "bit_depth": 25}),
        (np.random.default_rng(0).integers(0, 99, (4, 1, 5, 6)).astype(np.uint8), {"kind": "array"}),
        (photo(9, 8, 1)[:1, :, 0], {}),
    ],
    ids=["photo", "colour", "16 bits", "1 bit", "sound", "24 bits", "4 axes", "a row"],
)
def test_the_default_network_has_every_value(samples: np.ndarray, more: dict[str, Any]) -> None:
    """A cell for each place has what the others lack, so there is no payload but a section's frame, however short the fit is."""
    data = inrcodec.encode(samples, profile="inr", steps=30, threads=1, **{"kind": "image", **more})
    found = inrcodec.info(data)
    assert (found["network"]["form"], found["network"]["mse"], found["network"]["psnr"]) == ("values", 0, None)
    assert found["bytes"]["payload"] < 10 * found["tiles"]["count"]
    assert (alone(data) == samples).all()
    assert (inrcodec.decode(data).samples == samples).all()


def test_the_default_network_is_small() -> None:
    """Smaller than the samples, and than a network of bits."""
    samples = photo(32)
    data = inrcodec.encode(samples, kind="image", profile="inr", steps=300, threads=1)
    assert len(data) < 0.9 * samples.nbytes
    assert (alone(data) == samples).all()


@pytest.mark.parametrize("bits", [1, 8, 16, 20, 24])
@pytest.mark.parametrize("channels", [1, 3])
def test_cells_are_set_to_what_means_lack(bits: int, channels: int) -> None:
    """Of any network, with means anywhere: halves round up, and the channels are joined."""
    sizes = (7, 9)
    a = Architecture(sizes, channels, bits, 4, 1, "values", levels=(Level(2, 2), Level(0, channels, 0, True)))
    for seed in range(12):
        rng = np.random.default_rng(seed)
        network = random_network(a, rng, full=seed % 2 == 1)
        network = replace(network, cells=[network.cells[0], Cells(0 * network.cells[1].numbers)])
        if seed % 3 == 0:  # means lie in steps of half a value, so that halves occur
            last = network.layers[0][-1]
            half = replace(last, weights=last.weights * 0, bias=rng.integers(-9, 9, a.outputs) * (1 << (29 - bits)))
            network = replace(network, layers=[[*network.layers[0][:-1], half]])
        joint = random_joint(channels, rng)
        joint = joint._replace(factors=joint.factors >> int(rng.integers(0, 9)))
        coded = CodedNetwork(network, "uniform", 8, np.zeros(a.planes, np.uint8), joint)
        values = rng.integers(0, 2**bits, (*sizes, channels)).astype(np.uint32)
        data = targets(values, bits, CPU)
        settled = settle(coded, data)
        found = network_values(settled, settled.network, data.coordinates).reshape(values.shape)
        if bits <= 22:
            assert (found == values).all()
        else:
            assert (np.abs(settled.network.cells[1].numbers) <= 2**24).all()


# --- other networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "extra"),
    [
        ("siren", {"hidden": 96, "layers": 2, "learning_rate": 1e-3}),
        ("bitlinear", {"hidden": 96, "layers": 2, "learning_rate": 5e-3}),
    ],
)
def test_the_other_networks_reach_bit_error_rate_0(network: str, extra: dict[str, Any]) -> None:
    values, value_map = to_values(photo(8, 4, 1))
    options = Options(profile="inr", network=network, steps=600, **extra)  # type: ignore[arg-type]
    fitted = search.fit_float(values, value_map.bits, options, EXACT)
    assert fitted.outcome.exact_step is not None


LEARNING: dict[str, dict[str, Any]] = {
    "values": {"body": "mlp"},
    "values, grid": {"until": "mdl"},
    "values, mse": {"loss": "mse", "body": "mlp"},
    "values, colour": {"colour": True, "body": "mlp", "octaves": 3},
    "values, recurrent": {"body": "recurrent", "activation": "gelu", "octaves": 3},
    "values, filters": {"body": "filters"},
    "values, gaussian": {"activation": "gaussian", "octaves": 3, "learning_rate": 5e-3},
    "heads, recurrent": {"network": "heads", "body": "recurrent"},
    "heads, filters": {"network": "heads", "body": "filters"},
    "heads, gaussian": {"network": "heads", "activation": "gaussian", "octaves": 4, "learning_rate": 1e-2},
    "heads, colour": {"network": "heads", "colour": True},
    "heads, grid": {"network": "heads", "body": "grid", "learning_rate": 1e-2},
    "heads, mse": {"network": "heads", "loss": "mse"},
    "siren": {"network": "siren", "learning_rate": 2e-3},
    "siren, colour": {"network": "siren", "learning_rate": 2e-3, "colour": True},
    "siren, bit places": {"network": "siren", "learning_rate": 2e-3, "bit_places": 12},
    "bitlinear": {"network": "bitlinear", "learning_rate": 5e-3, "weights": "ternary", "bits": 0},
    "supernet": {"supernet": "1,2x8,24"},
    "supernet of heads": {"supernet": "1,2x8,24", "network": "heads", "loss": "bce"},
    "supernet, mse": {"supernet": "2x4,24", "loss": "mse"},
}


@pytest.mark.parametrize("name", LEARNING)
def test_every_network_learns_a_little(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network that is written is the one that was fitted: it says of the samples what the fit said. And it round-trips."""
    monkeypatch.setattr(train, "REPORT_SECONDS", 0)  # a busy machine would tell nothing of the last steps
    samples = photo(12)
    sizes = {} if "supernet" in name else {"hidden": 24, "layers": 2}
    seen: list[Progress] = []
    options: dict[str, Any] = {"weights": "uniform", "bits": 12, "steps": 120, "threads": 1, "progress": seen.append}
    data = inrcodec.encode(samples, kind="image", profile="inr", **{"until": "mdl", **sizes, **options, **LEARNING[name]})
    found = inrcodec.info(data)
    assert found["network"]["psnr"] > 14
    fit = [s for s in seen if s.stage.startswith(("fit", "uniform", "ternary"))]
    assert fit[-1].payload_bytes < 0.9 * fit[0].payload_bytes
    assert found["network"]["psnr"] == pytest.approx(max(s.psnr for s in fit), abs=4)
    # a sample has at most 8 bits; offset + value may have more
    assert found["network"]["psnr"] - 0.1 < psnr(alone(data), samples) < found["network"]["psnr"] + 0.5
    assert (inrcodec.decode(data).samples == samples).all()


def test_a_network_of_values_learns_what_is_sharp_and_what_is_not() -> None:
    """Scales that the network says shorten the code where half of a picture is noise."""
    rng = np.random.default_rng(0)
    samples = np.full((24, 24), 100, np.uint8)
    samples[:, 12:] += rng.integers(0, 60, (24, 12)).astype(np.uint8)
    fit: dict[str, Any] = {"profile": "inr", "until": "mdl", "hidden": 8, "layers": 1, "steps": 250, "threads": 1, "weights": "uniform"}
    payload = [
        inrcodec.info(inrcodec.encode(samples, kind="image", loss=loss, **fit))["bytes"]["payload"] for loss in ("likelihood", "mse")
    ]
    assert payload[0] < payload[1]


# --- weight codings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["uniform", "lsq", "ternary", "sinr"])
def test_fine_tuning_pays(weights: str) -> None:
    """With the coding in the loop the sum of weights and payload is no larger than without."""
    values, value_map = to_values(photo(32, 6, 1))
    options = Options(profile="inr", network="heads", hidden=56, layers=2, steps=300, learning_rate=3e-3, seconds=1e6)
    fitted = search.fit_float(values, value_map.bits, options, MDL)
    tuned = search.best_of(fitted, weights, 3)
    bare = search.best_of(replace(fitted, options=replace(options, stop=lambda: True)), weights, 3)
    assert tuned.total <= bare.total
    assert bare.steps == 0
    if weights != "sinr":
        assert tuned.measured.payload_bytes < bare.measured.payload_bytes


def test_auto_takes_the_smallest() -> None:
    values, value_map = to_values(photo(16, 6, 1))
    for network, body in (("heads", ""), ("values", "grid"), ("values", "filters")):
        options = Options(profile="inr", network=network, body=body, hidden=56, layers=2, steps=40)  # type: ignore[arg-type]
        with search.limited_threads(1):  # else two fine-tunings of one network may differ
            fitted = search.fit_float(values, value_map.bits, options, MDL)
            results = search.code_all(fitted, "auto")
            smallest = search.best_of(fitted, "auto", 0).total
        assert {r.coded.coding for r in results} == {"uniform", "lsq", "ternary", "sinr"}
        assert smallest == min(r.total for r in results)
        for r in results:  # what was measured is what will be written, but for the length of the error
            weights, payload = search_encode(r, values)
            assert 0 <= weights - r.measured.weights_bytes <= 9
            assert payload == r.measured.payload_bytes


def search_encode(result: search.Result, values: np.ndarray) -> tuple[int, int]:
    from inrcodec.profiles.inr import coding

    _, section, tiles = coding.encode_with(result.coded, values, Options())
    assert section is not None
    return len(section.content), sum(map(len, tiles))


def test_the_same_seed_gives_the_same_file() -> None:
    options: dict[str, Any] = {"profile": "inr", "hidden": 16, "steps": 20, "weights": "uniform", "threads": 1}
    for more in ({"network": "heads"}, {}, {"supernet": "1,2x4,9", "hidden": 0}):
        files = {inrcodec.encode(photo(), kind="image", **{**options, "seed": s, **more}) for s in (1, 1, 2)}
        assert len(files) == 2


def test_a_clock_does_not_change_a_fit_that_steps_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes some seconds on the second run, as on a machine that is busy or cold."""
    import time

    options: dict[str, Any] = {"profile": "inr", "until": "mdl", "weights": "uniform", "bits": 4, "hidden": 16, "steps": 30, "threads": 1}
    real, looks = time.perf_counter, iter(range(10**9))
    for network in ("heads", "values"):
        first = inrcodec.encode(photo(), kind="image", seconds=1e6, network=network, **options)
        with monkeypatch.context() as patch:
            patch.setattr(time, "perf_counter", lambda: real() + 5 * next(looks))
            assert inrcodec.encode(photo(), kind="image", seconds=1e6, network=network, **options) == first


def test_fitting_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the old global state is what is tested
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    inrcodec.encode(photo(), kind="image", profile="inr", hidden=16, steps=5)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002


def test_mini_batches() -> None:
    samples = photo(16)
    seen: list[Progress] = []
    for more in ({"network": "heads", "hidden": 128}, {"until": "mdl"}, {"supernet": "1,2x8,16"}):
        seen.clear()
        data = inrcodec.encode(samples, kind="image", profile="inr", batch=100, steps=90, progress=seen.append, **more)
        assert (inrcodec.decode(data).samples == samples).all()
        assert seen[-1].payload_bytes < seen[0].payload_bytes


def test_stopping_writes_the_best_so_far() -> None:
    samples = photo(16)
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 5

    data = inrcodec.encode(samples, kind="image", profile="inr", until="mdl", hidden=64, stop=stop)
    assert (inrcodec.decode(data).samples == samples).all()
    assert calls < 40


def test_stopping_before_the_beginning_writes_nothing() -> None:
    with pytest.raises(inrcodec.Stopped):
        inrcodec.encode(photo(), kind="image", profile="inr", stop=lambda: True)


def test_weights_that_are_not_finite_are_refused() -> None:
    from inrcodec.fit.codings import Uniform
    from inrcodec.fit.export import export

    for value in (float("inf"), float("nan"), 1e30):
        for what in ("weights", "biases", "cells"):
            model = CoordinateNetwork(Architecture((9,), 1, 1, 4, 1, levels=(Level(1, 1),)), 30.0, torch.Generator())
            export(model, Uniform(model, 8))
            with torch.no_grad():
                getattr(model, what)[0].flatten()[0] = value
            with pytest.raises(BoundError):
                export(model, Uniform(model, 8))


@pytest.mark.parametrize("network", ["heads", "values"])
def test_progress_reports_what_happens(network: str) -> None:
    seen: list[Progress] = []
    options: dict[str, Any] = {"steps": 200, "hidden": 128 if network == "heads" else 0}
    inrcodec.encode(photo(), kind="image", profile="inr", network=network, progress=seen.append, **options)
    seen = [s for s in seen if s.stage == "fit"]
    first, last = seen[0], seen[-1]
    assert first.step == 0
    assert len(first.bit_errors) == 8
    assert 0.2 < np.mean(first.bit_errors) < 0.7
    assert last.psnr > first.psnr
    assert last.payload_bytes < first.payload_bytes
    assert all(0 <= s.fraction <= 1 for s in seen)


def test_the_meter_measures() -> None:
    values, value_map = to_values(np.array([[0, 255], [128, 1]], np.uint8))
    data = targets(values[..., None], value_map.bits, CPU)
    meter = Meter(BitObjective(data, False))
    logits = (data.bits.float() * 2 - 1) * 10
    batch = data.batch(None)
    for wrong in (False, True):
        if wrong:
            logits[0, 0, 0] = 10  # 0 is read as 128
        meter = Meter(BitObjective(data, False))
        assert not meter.full
        meter.add(logits, batch, 2.0, 1.0)
        assert meter.full
        assert meter.exact == (not wrong)
        assert meter.code_bits == pytest.approx(3 / np.log(2))
    assert meter.bit_errors == (0.25, 0, 0, 0, 0, 0, 0, 0)
    assert meter.psnr == pytest.approx(10 * np.log10(255**2 / (128**2 / 4)))
    assert gray_meter_psnr() == meter.psnr


def test_the_meter_measures_values() -> None:
    values = np.array([[[0, 9], [255, 9]], [[128, 9], [1, 8]]], np.uint8)
    data = targets(values, 8, CPU)
    head = ValueHead(data, False, False)
    objective = ValueObjective(data, True, head)
    wanted = data.values.float().clone()
    wanted[0, 0] += 0.4  # rounds to what is right
    wanted[2, 1] += 3
    joined = torch.zeros_like(wanted)  # what the channels before add
    for i, channel in enumerate(head.order):
        for j in range(i):
            joined[:, channel] += head.factors[i, j].detach() * wanted[:, head.order[j]]
    outputs = ((wanted - joined - head.offsets) / (head.units[0] * 256))[..., None]
    meter = Meter(objective)
    meter.add(outputs, data.batch(None), 2.0, 0.0)
    assert not meter.exact
    assert meter.psnr == pytest.approx(10 * np.log10(255**2 / (9 / 8)))
    assert meter.bit_errors == (0, 0, 0, 0, 0, 0.125, 0, 0.125)  # 9 is read as 12


def gray_meter_psnr() -> float:
    """The PSNR of the same values, read from Gray-coded planes."""
    values, value_map = to_values(np.array([[0, 255], [128, 1]], np.uint8))
    data = targets(values[..., None], value_map.bits, CPU, gray=True)
    meter = Meter(BitObjective(data, False))
    logits = (data.bits.float() * 2 - 1) * 10
    logits[0, 0, :2] = 10  # 11000000 is the code of 128
    meter.add(logits, data.batch(None), 2.0, 0.0)
    return meter.psnr


def test_a_hopeless_fit_is_given_up() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)
    values, value_map = to_values(noise)
    for network in ("heads", "values"):
        options = Options(steps=40, hidden=16, network=network)
        fitted = search.fit_float(values[..., None], value_map.bits, options, MDL, to_beat=1000)
        assert fitted.outcome.hopeless
        assert fitted.outcome.steps < 30
        assert search.fit_if_smaller(values[..., None], value_map.bits, options, 1000) is None


@pytest.mark.slow
def test_a_network_may_be_smaller_than_brotli() -> None:
    """Three bit-planes of large discs: a network says it in fewer bytes than Brotli."""
    y, x = np.mgrid[0:128, 0:128] / 128
    discs = sum(
        (np.hypot(x - cx, y - cy) < r).astype(np.uint8) << i
        for i, (cx, cy, r) in enumerate(((0.4, 0.5, 0.3), (0.6, 0.3, 0.25), (0.5, 0.8, 0.4)))
    )
    noise = np.random.default_rng(0).random(discs.shape) < 0.06
    options: dict[str, Any] = {"until": "mdl", "weights": "auto", "steps": 250, "seconds": 1000, "hidden": 16}
    data = inrcodec.encode((discs ^ noise).astype(np.uint8), kind="image", profile="inr", network="heads", **options)
    found = inrcodec.info(data)
    assert found["profile"] == "inr"
    assert found["file_bytes"] < len(inrcodec.encode((discs ^ noise).astype(np.uint8), kind="image", profile="stored"))


# --- goals --------------------------------------------------------------------------------------------------------


def smooth(size: int) -> np.ndarray:
    """A photograph without noise."""
    y, x = np.mgrid[0:size, 0:size] / size
    return np.asarray(np.rint(127 + 90 * np.sin(5 * x) * np.cos(3 * y)), np.uint8)


def test_mdl_is_smaller_than_stored() -> None:
    """Both networks of values, on something smooth."""
    samples = smooth(48)
    stored = inrcodec.encode(samples, kind="image", profile="stored")
    mlp: dict[str, Any] = {"body": "mlp", "hidden": 12, "layers": 2, "weights": "uniform", "bits": 10}
    for more in ({}, mlp):
        data = inrcodec.encode(samples, kind="image", profile="inr", until="mdl", steps=300, threads=1, **more)
        assert (inrcodec.decode(data).samples == samples).all()
        assert len(data) < len(stored)
        assert inrcodec.info(data)["bytes"]["payload"] > 100  # it is the payload that makes it exact


@pytest.mark.parametrize(
    ("size", "rate", "more"),
    [
        (64, 1.5, {}),
        (24, 4.0, {"body": "mlp"}),
        (24, 4.0, {"network": "heads", "layers": 1}),
        (24, 4.0, {"hidden": 8, "layers": 1, "body": "mlp", "weights": "lsq"}),
    ],
)
def test_a_rate_is_kept(size: int, rate: float, more: dict[str, Any]) -> None:
    samples = photo(size)
    data = inrcodec.encode(samples, kind="image", profile="inr", until=f"rate={rate}", steps=150, threads=1, payload=False, **more)
    found = inrcodec.info(data)
    assert 8 * found["bytes"]["weights"] <= rate * size * size + 8 * 20  # the section's framing, and the length of the error
    assert not found["lossless"]
    assert found["network"]["psnr"] > 15
    assert found["network"]["psnr"] - 0.1 < psnr(alone(data), samples) < found["network"]["psnr"] + 0.5


def test_a_rate_that_no_network_has_is_refused() -> None:
    with pytest.raises(inrcodec.InrcodecError, match="too low"):
        inrcodec.encode(photo(), kind="image", profile="inr", until="rate=0.1", body="mlp", payload=False, steps=5)


@pytest.mark.parametrize(
    ("wanted", "more"),
    [(26, {}), pytest.param(30, {}, marks=pytest.mark.slow), (24, {"body": "mlp", "learning_rate": 5e-3})],
)
def test_a_psnr_is_reached(wanted: int, more: dict[str, Any]) -> None:
    samples = photo(24)
    data = inrcodec.encode(samples, kind="image", profile="inr", until=f"psnr={wanted}", steps=400, threads=1, payload=False, **more)
    assert psnr(alone(data), samples) >= wanted
    assert len(data) < samples.nbytes


def test_goals_are_met_by_the_file_with_the_payload_too() -> None:
    samples = photo(16)
    for until in ("rate=4", "psnr=24"):
        data = inrcodec.encode(samples, kind="image", profile="inr", until=until, steps=150, threads=1)
        assert (inrcodec.decode(data).samples == samples).all()


def test_steering_turns_towards_its_goal() -> None:
    for kind, wanted, cell_bits, found in (("rate", 100.0, 200.0, 20.0), ("psnr", 30.0, 100.0, 40.0)):
        steering = Steering(kind, wanted)
        steering.learn(cell_bits, found)
        assert steering.weight > 1  # too many bits, or better than asked: cells cost more
        for _ in range(3000):
            steering.learn(1.0, 1.0)
        assert 0 < steering.weight < 1


# --- supernets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["values", "heads"])
def test_larger_networks_in_a_network_are_better(network: str) -> None:
    samples = photo(16)
    options: dict[str, Any] = {"steps": 250, "threads": 1, "bits": 10, "network": network, "until": "mdl"}
    data = inrcodec.encode(samples, kind="image", profile="inr", supernet="1,2x4,24", **options)
    parts = inrcodec.info(data)["network"]["configurations"]
    assert [(p["layers"], p["hidden"]) for p in parts] == [(1, 4), (2, 4), (1, 24), (2, 24)]
    assert parts[0]["psnr"] > 12
    assert parts[-1]["psnr"] > parts[0]["psnr"] + 1
    assert [p["bytes"] for p in parts] == sorted(p["bytes"] for p in parts)
    for p in parts:  # what info says is what is rendered
        assert psnr(alone(data, config=(p["layers"], p["hidden"])), samples) == pytest.approx(p["psnr"], abs=0.5)


# --- what the encoder chooses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "options", "goal", "form", "body", "levels", "direct"),
    [
        (photo(32), {}, "exact", "values", "mlp", 5, True),
        (photo(32), {}, "mdl", "values", "mlp", 4, False),
        (photo(32), {}, "rate=1", "values", "mlp", 4, False),
        (photo(32), {"network": "heads"}, "exact", "heads", "mlp", 0, False),
        (photo(32), {"network": "heads", "body": "grid"}, "exact", "heads", "mlp", 4, False),
        (photo(32), {"body": "recurrent"}, "exact", "values", "recurrent", 0, False),
        (photo(32), {"activation": "sine"}, "exact", "values", "mlp", 0, False),
        (photo(32), {"octaves": 3}, "exact", "values", "mlp", 0, False),
        (photo(32), {"supernet": "1x8"}, "exact", "values", "mlp", 0, False),
        (photo(2), {}, "exact", "values", "mlp", 2, True),
        (photo(2)[:1, :1], {}, "exact", "values", "mlp", 2, True),
        (np.array([0, 2**25], np.uint32), {}, "exact", "heads", "mlp", 0, False),
    ],
)
def test_networks_are_chosen(
    samples: np.ndarray, options: dict[str, Any], goal: str, form: str, body: str, levels: int, direct: bool
) -> None:
    values = samples.reshape(*samples.shape[: max(1, samples.ndim - 1)], -1)
    bits = max(1, int(values.max()).bit_length())
    a = architecture_of(values, bits, Options(**options), goal_of(goal))
    assert (a.form, a.body, len(a.levels)) == (form, body, levels)
    assert any(level.direct for level in a.levels) == direct
    assert all(level.cells(a.sizes) * 2 <= 32 * 32 or level.direct for level in a.levels)


def test_values_of_more_than_24_bits_are_refused_by_a_network_of_values() -> None:
    with pytest.raises(inrcodec.InrcodecError, match="at most 24 bits"):
        inrcodec.encode(np.array([0, 1, 2**25], np.uint32), profile="inr", network="values", steps=1)


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_noise_of_cells_comes_from_the_seed() -> None:
    model = CoordinateNetwork(Architecture((9,), 1, 1, 4, 1, levels=(Level(1, 1),)), 30.0, torch.Generator())
    with torch.no_grad():
        found = [torch.stack([source.cells(0) for _ in range(200)]) for source in (Plain(model, generator_of(seed)) for seed in (3, 3, 4))]
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()
    assert found[0].abs().max() <= 0.5
    assert float(found[0].std()) == pytest.approx(12**-0.5, abs=0.03)


# --- devices, and what ends a fit ---------------------------------------------------------------------------------


def test_cuda_that_is_not_there() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(inrcodec.InrcodecError, match="no CUDA device"):
        inrcodec.encode(photo(), kind="image", profile="inr", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_fit_on_cuda_decodes_on_the_cpu() -> None:
    samples = photo()
    data = inrcodec.encode(samples, kind="image", profile="inr", hidden=192, device="cuda")
    assert (inrcodec.decode(data).samples == samples).all()


def test_a_network_that_could_not_be_written_is_refused() -> None:
    with pytest.raises(inrcodec.InrcodecError, match="too large"):
        inrcodec.encode(photo(), kind="image", profile="inr", hidden=8192, layers=32)


def test_a_fit_that_diverges_is_still_exact() -> None:
    for network in ("heads", "values"):
        data = inrcodec.encode(photo(), kind="image", profile="inr", hidden=16, steps=5, learning_rate=1.0, network=network)
        assert (inrcodec.decode(data).samples == photo()).all()


def test_budget_ends_a_fit() -> None:
    values, value_map = to_values(photo())
    fitted = search.fit_float(values, value_map.bits, Options(hidden=16, steps=7), EXACT)
    assert fitted.outcome.steps == 7
    assert Budget(1, 1.0, True).bits_to_beat == float("inf")


# --- what options choose ------------------------------------------------------------------------------------------


def test_steps_alone_end_a_fit() -> None:
    """Else the clock would have a say in the learning rate, and the same seed would not give the same file."""
    a = architecture_of(photo(8), 8, Options(), EXACT)
    assert seconds_of(a, Options(steps=9), EXACT) == math.inf
    assert seconds_of(a, Options(steps=9, seconds=3.0), EXACT) == 3.0
    assert seconds_of(a, Options(), EXACT) < 100


def test_a_loss_of_bits_is_for_a_network_of_bits() -> None:
    assert network_of(photo(8), 8, Options(loss="bce"))[0] == "heads"
    assert network_of(photo(8), 8, Options(loss="mse"))[0] == "values"
    with pytest.raises(inrcodec.InrcodecError, match="loss likelihood"):
        network_of(photo(8), 25, Options(loss="likelihood"))


@pytest.mark.parametrize(
    ("given", "weights", "bits"),
    [({}, "uniform", 8), ({"supernet": "1x4"}, "lsq", 8), ({"body": "mlp"}, "uniform", 0), ({"body": "mlp", "weights": "lsq"}, "lsq", 0)],
)
def test_naming_the_default_coding_changes_nothing(given: dict[str, Any], weights: str, bits: int) -> None:
    options = Options(**given)
    a = architecture_of(photo(8), 8, options, EXACT)
    assert weights_of(a, options, EXACT) == weights_of(a, replace(options, weights=weights), EXACT) == (weights, bits)
    assert weights_of(a, replace(options, weights=weights, bits=6), EXACT) == (weights, 6)


def test_each_bit_needs_a_place() -> None:
    with pytest.raises(inrcodec.InrcodecError, match="bit_places 7: the samples have 8 bits"):
        architecture_of(photo(8), 8, Options(network="siren", bit_places=7), EXACT)


@pytest.mark.parametrize("until", ["psnr=44", "psnr=47"])
def test_the_psnr_that_is_met_is_that_of_info(until: str) -> None:
    """Samples that use a part of their range have values of fewer bits."""
    samples = (photo(24) // 7 + 100).astype(np.uint8)
    data = inrcodec.encode(samples, kind="image", profile="inr", until=until, steps=300, threads=1, payload=False)
    wanted = float(until[5:])
    assert wanted <= inrcodec.info(data)["network"]["psnr"] < wanted + 2


def test_auto_keeps_what_it_has_if_no_network_can_be_fitted() -> None:
    samples = np.random.default_rng(0).integers(0, 1 << 40, 900)
    plain = inrcodec.encode(samples, effort=1)
    fitting: list[str] = []

    def watch(progress: inrcodec.Progress) -> None:
        if progress.stage not in ("coding", "verifying"):
            fitting.append(progress.stage)

    assert inrcodec.encode(samples, progress=watch, stop=lambda: bool(fitting), steps=9, effort=1, verify=False) == plain
    assert fitting
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", inrcodec.Notice)
        assert inrcodec.encode(samples, until="rate=0.0001", steps=9) == plain


def test_a_batch_that_was_measured_has_no_corners() -> None:
    """Those of all batches of a large signal would fill the memory."""
    values, value_map = to_values(photo(8))
    fitted = search.fit_float(values, value_map.bits, Options(steps=1, batch=16), MDL)
    objective = objective_of(fitted.targets, fitted.model.head, False)
    levels = fitted.model.architecture.levels
    batch, meter = fitted.targets.batch(None, levels), Meter(objective)
    meter.add(fitted.model(batch.inputs, Plain(fitted.model, torch.Generator()), batch.corners), batch, 0.0, 0.0)
    assert batch.corners
    assert not meter.read[0][1].corners


@pytest.mark.parametrize(
    ("until", "more", "told"),
    [
        ("psnr=90", {"body": "mlp", "hidden": 4}, "psnr=90 was not reached: the network alone has"),
        ("rate=0.1", {"body": "mlp", "hidden": 40}, "rate=0.1 was not reached: the weights take"),
        ("exact", {"body": "mlp", "hidden": 4}, "exact was not reached"),
        ("exact", {}, None),
        ("psnr=20", {}, None),
    ],
)
def test_a_goal_that_is_not_reached_is_told(until: str, more: dict[str, Any], told: str | None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inrcodec.encode(photo(16), kind="image", profile="inr", until=until, steps=60, threads=1, **more)
    found = [str(w.message) for w in caught if "reached" in str(w.message)]
    assert len(found) == (told is not None)
    assert not told or told in found[0]
