"""Fitting: small signals to bit error rate 0, every coding, interruption, seeds. Minutes of fitting belong in bench/."""

from typing import Any

import numpy as np
import pytest
import torch

import inrcodec
from inrcodec.fit import search
from inrcodec.fit.train import Budget, Meter
from inrcodec.options import Options, Progress
from inrcodec.values import to_values


def photo(size: int = 12, bits: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray[Any, Any]:
    """Something like a photograph: smooth, with noise in the low bits."""
    y, x = np.mgrid[0:size, 0:size] / size
    smooth = np.stack([0.5 + 0.4 * np.sin(5 * x + c) * np.cos(3 * y - c) for c in range(channels)], -1)
    noise = np.random.default_rng(seed).normal(0, 0.02, smooth.shape)
    peak = 2**bits - 1
    return np.asarray(np.rint(np.clip(smooth + noise, 0, 1) * peak), np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize("bits", [8, 16])
def test_heads_reach_bit_error_rate_0_and_the_payload_is_nearly_empty(bits: int) -> None:
    samples = photo(bits=bits)
    data = inrcodec.encode(samples, kind="image", profile="inr", hidden=192, bits=16)
    found = inrcodec.info(data)
    assert found["weights"]["coding"] == "uniform"
    assert found["bytes"]["payload"] - 9 < 0.01 * found["raw_bytes"]  # 9: the framing of the section
    assert (inrcodec.decode(data).samples == samples).all()


def test_sound_reaches_bit_error_rate_0() -> None:
    t = np.arange(500) / 8000
    sound = np.rint(9000 * np.sin(2765 * t) * np.exp(-9 * t) + np.random.default_rng(0).normal(0, 40, 500)).astype(np.int16)
    data = inrcodec.encode(sound[:, None], kind="audio", sample_rate=8000, profile="inr", hidden=192)
    assert inrcodec.info(data)["bytes"]["payload"] - 9 < 0.01 * sound.nbytes


@pytest.mark.parametrize(
    ("network", "extra"),
    [("siren", {"hidden": 96, "layers": 2, "learning_rate": 1e-3}), ("bitlinear", {"hidden": 96, "layers": 2, "learning_rate": 5e-3})],
)
def test_the_other_networks_learn(network: str, extra: dict[str, Any]) -> None:
    values, value_map = to_values(photo(8, 4, 1))
    options = Options(profile="inr", network=network, steps=600, **extra)  # type: ignore[arg-type]
    fitted = search.fit_float(values, value_map.bits, options, "exact", 60)
    assert fitted.outcome.exact_step is not None


@pytest.mark.parametrize("weights", ["uniform", "lsq", "ternary", "sinr"])
def test_fine_tuning_pays(weights: str) -> None:
    """With the coding in the loop the sum of weights and payload is no larger than without."""
    values, value_map = to_values(photo(32, 6, 1))
    options = Options(profile="inr", hidden=56, layers=2, steps=300, bits=3, learning_rate=3e-3)
    fitted = search.fit_float(values, value_map.bits, options, "mdl", 60)
    tuned = min(search.code_all(fitted, options, weights, "mdl"), key=lambda r: r.total)
    bare = min(search.code_all(fitted, Options(profile="inr", bits=3, stop=lambda: True), weights, "mdl"), key=lambda r: r.total)
    assert tuned.total <= bare.total
    assert bare.steps == 0
    if weights != "sinr":
        assert tuned.payload_bytes < bare.payload_bytes


def test_auto_takes_the_smallest() -> None:
    values, value_map = to_values(photo(16, 6, 1))
    options = Options(profile="inr", hidden=56, layers=2, steps=60)
    fitted = search.fit_float(values, value_map.bits, options, "mdl", 60)
    results = search.code_all(fitted, options, "auto", "mdl")
    assert {r.coded.coding for r in results} == {"uniform", "lsq", "ternary", "sinr"}
    for r in results:  # what was measured is what will be written
        coded = search_encode(r, values)
        assert coded == (r.weights_bytes, r.payload_bytes)


def search_encode(result: search.Result, values: np.ndarray) -> tuple[int, int]:
    from inrcodec.profiles.inr import coding

    _, section, tiles = coding.encode_with(result.coded, values, Options())
    assert section is not None
    return len(section.content), sum(map(len, tiles))


def test_the_same_seed_gives_the_same_file() -> None:
    options: dict[str, Any] = {"profile": "inr", "hidden": 16, "steps": 20, "weights": "uniform", "threads": 1}
    files = {inrcodec.encode(photo(), kind="image", seed=s, **options) for s in (1, 1, 2)}
    assert len(files) == 2


def test_a_clock_does_not_change_a_fit_that_steps_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes some seconds on the second run, as on a machine that is busy or cold."""
    import time

    options: dict[str, Any] = {"profile": "inr", "until": "mdl", "weights": "uniform", "bits": 4, "hidden": 16, "steps": 30, "threads": 1}
    first = inrcodec.encode(photo(), kind="image", seconds=1e6, **options)
    real, looks = time.perf_counter, iter(range(10**9))
    monkeypatch.setattr(time, "perf_counter", lambda: real() + 5 * next(looks))
    assert inrcodec.encode(photo(), kind="image", seconds=1e6, **options) == first


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
    data = inrcodec.encode(samples, kind="image", profile="inr", hidden=128, batch=100, steps=90, progress=seen.append)
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
    with pytest.raises(inrcodec.InrcodecError, match="before the fit had begun"):
        inrcodec.encode(photo(), kind="image", profile="inr", stop=lambda: True)


def test_weights_that_are_not_finite_are_refused() -> None:
    from inrcodec.fit.codings import Uniform
    from inrcodec.fit.export import export
    from inrcodec.fit.model import CoordinateNetwork
    from inrcodec.kernels.inr import Architecture, BoundError

    for value in (float("inf"), float("nan"), 1e30):
        model = CoordinateNetwork(Architecture(1, 1, 1, 4, 1), 30.0, torch.Generator())
        with torch.no_grad():
            model.weights[0][0, 0, 0] = value
        with pytest.raises(BoundError):
            export(model, Uniform(model, 8))


def test_progress_reports_what_happens() -> None:
    seen: list[Progress] = []
    inrcodec.encode(photo(), kind="image", profile="inr", hidden=128, steps=400, progress=seen.append)
    first, last = seen[0], seen[-1]
    assert first.step == 0
    assert len(first.bit_errors) == 8
    assert 0.3 < np.mean(first.bit_errors) < 0.7
    assert last.psnr > first.psnr
    assert last.payload_bytes < first.payload_bytes
    assert all(0 <= s.fraction <= 1 for s in seen)


def test_the_meter_measures() -> None:
    values, value_map = to_values(np.array([[0, 255], [128, 1]], np.uint8))
    from inrcodec.fit.data import targets

    data = targets(values[..., None], value_map.bits, torch.device("cpu"))
    meter = Meter(data)
    logits = (data.bits.float() * 2 - 1) * 10
    logits[0, 0, 0] = 10  # 0 is read as 128
    meter.add(logits, data.bits, 2.0)
    assert meter.bit_errors == (0.25, 0, 0, 0, 0, 0, 0, 0)
    assert meter.psnr == pytest.approx(10 * np.log10(255**2 / (128**2 / 4)))
    assert not meter.exact
    assert gray_meter_psnr() == meter.psnr


def gray_meter_psnr() -> float:
    """The PSNR of the same values, read from Gray-coded planes."""
    from inrcodec.fit.data import targets

    values, value_map = to_values(np.array([[0, 255], [128, 1]], np.uint8))
    data = targets(values[..., None], value_map.bits, torch.device("cpu"), gray=True)
    meter = Meter(data)
    logits = (data.bits.float() * 2 - 1) * 10
    logits[0, 0, :2] = 10  # 11000000 is the code of 128
    meter.add(logits, data.bits, 2.0)
    return meter.psnr


def test_a_hopeless_fit_is_given_up() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)
    values, value_map = to_values(noise)
    options = Options(steps=40, hidden=16)
    fitted = search.fit_float(values[..., None], value_map.bits, options, "mdl", 60, to_beat=1000)
    assert fitted.outcome.hopeless
    assert fitted.outcome.steps < 30
    assert search.fit_if_smaller(values[..., None], value_map.bits, options, 1000) is None


def test_a_network_may_be_smaller_than_brotli() -> None:
    """Three bit-planes of large discs: a network says it in fewer bytes than Brotli."""
    y, x = np.mgrid[0:128, 0:128] / 128
    discs = sum(
        (np.hypot(x - cx, y - cy) < r).astype(np.uint8) << i
        for i, (cx, cy, r) in enumerate(((0.4, 0.5, 0.3), (0.6, 0.3, 0.25), (0.5, 0.8, 0.4)))
    )
    noise = np.random.default_rng(0).random(discs.shape) < 0.02
    data = inrcodec.encode(
        (discs ^ noise).astype(np.uint8), kind="image", profile="inr", until="mdl", weights="auto", steps=250, seconds=1000, hidden=16
    )
    found = inrcodec.info(data)
    assert found["profile"] == "inr"
    assert found["file_bytes"] < len(inrcodec.encode((discs ^ noise).astype(np.uint8), kind="image", profile="stored"))


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
    data = inrcodec.encode(photo(), kind="image", profile="inr", hidden=16, steps=5, learning_rate=1.0)
    assert (inrcodec.decode(data).samples == photo()).all()


def test_budget_ends_a_fit() -> None:
    values, value_map = to_values(photo())
    fitted = search.fit_float(values, value_map.bits, Options(hidden=16, steps=7), "exact", 60)
    assert fitted.outcome.steps == 7
    assert Budget(1, 1.0, True).bits_to_beat == float("inf")
