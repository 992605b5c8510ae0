"""Networks in a network (supernets) in the fit: what is trained, what options choose for them, and the learned step of `lsq`."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import inrcodec  # noqa: E402
from inrcodec.fit import search  # noqa: E402
from inrcodec.fit.choices import architecture_of, goal_for, squared_of, weights_of  # noqa: E402
from inrcodec.fit.codings import Lsq  # noqa: E402
from inrcodec.fit.data import targets  # noqa: E402
from inrcodec.fit.model import CoordinateNetwork, Plain  # noqa: E402
from inrcodec.fit.objective import ValueHead, objective_of  # noqa: E402
from inrcodec.fit.train import Steering, balance  # noqa: E402
from inrcodec.kernels.architecture import Architecture  # noqa: E402
from inrcodec.options import Goal, Options  # noqa: E402
from inrcodec.profiles.inr import coding  # noqa: E402
from inrcodec.values import to_values  # noqa: E402

SUPERNET = Options(profile="inr", supernet="1,2x4,8", steps=120, seconds=1e6, threads=1)


def picture(size: int = 12) -> np.ndarray:
    """(size, size, 3) uint8: waves and an edge."""
    y, x = np.mgrid[0:size, 0:size] / size
    planes = [np.sin(5 * x + 2 * y), np.cos(4 * y * x), np.where(x + y > 1, 0.7, -0.4)]
    return np.asarray(np.rint(127.5 + 100 * np.stack(planes, -1)), np.uint8)


def waves(size: int) -> np.ndarray:
    """(size, size) uint8, smooth."""
    y, x = np.mgrid[0:size, 0:size] / size
    return np.asarray(np.rint(127.5 + 50 * np.sin(9 * x + 4 * y) + 50 * np.cos(11 * y * x)), np.uint8)


def supernet(a: Architecture) -> CoordinateNetwork:
    return CoordinateNetwork(a, 30.0, torch.Generator().manual_seed(3))


def errors(coded: Any, values: Any) -> list[int]:
    """The squared error of each network in a coded network."""
    found = [coding.compare_part(coded, values, *c) for c in coded.network.architecture.configurations]
    return [coding.error_code(part.squares, values.size, 8) for part in found]


sizes = st.sets(st.integers(1, 6), min_size=1, max_size=3).map(lambda s: tuple(sorted(s)))


@given(sizes, sizes, st.sampled_from(["heads", "siren", "values"]), st.sampled_from(["sine", "gelu", "gaussian"]), st.booleans())
def test_every_network_at_once_is_each_network_alone(depths: Any, widths: Any, form: Any, activation: Any, colour: bool) -> None:
    a = Architecture(
        (3, 2), 2, 3, widths[-1], depths[-1], form, activation=activation, bit_places=3 if form == "siren" else 0, colour=colour,
        widths=widths, depths=depths,
    )  # fmt: skip
    model, x = supernet(a), torch.rand(5, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    source = Plain(model, torch.Generator())
    found = model.every(x, source, [])
    assert len(found) == len(a.configurations)
    for out, (layers, hidden) in zip(found, a.configurations, strict=True):
        (alone,) = model._run(model._entering(x, source, []), source, a.smaller(layers, hidden), (layers,))
        assert torch.allclose(out, model._arranged(alone, len(x)), atol=1e-5)
    assert torch.allclose(found[-1], model(x, source, []), atol=1e-5)


def test_a_network_alone_is_every_network() -> None:
    model = supernet(Architecture((3, 2), 1, 3, 4, 2))
    x = torch.rand(5, 2)
    (found,) = model.every(x, Plain(model, torch.Generator()), [])
    assert torch.equal(found, model(x, Plain(model, torch.Generator()), []))


@given(sizes, sizes, st.floats(0, 4), st.floats(0, 1))
def test_small_networks_count_more_at_first(depths: Any, widths: Any, small_first: float, fraction: float) -> None:
    a = Architecture((3, 2), 1, 8, widths[-1], depths[-1], widths=widths, depths=depths)
    found = balance(a, small_first, fraction)
    assert len(found) == len(a.configurations)
    by_size = [share for _, share in sorted(zip((d * w for d, w in a.configurations), found, strict=True))]
    assert all(small >= large * (1 - 1e-12) for small, large in pairwise(by_size))
    assert balance(a, small_first, 1.0) == [1.0] * len(found)
    assert balance(a, 0.0, fraction) == [1.0] * len(found)


def test_what_a_supernet_is_fitted_for() -> None:
    values, value_map = to_values(picture())
    assert goal_for(SUPERNET, "exact").kind == "mdl"
    assert goal_for(Options(), "exact").kind == "exact"
    assert goal_for(replace(SUPERNET, until="exact"), "mdl").kind == "exact"
    goal = goal_for(SUPERNET, "exact")
    a = architecture_of(values, value_map.bits, SUPERNET, goal)
    assert not a.scales
    assert squared_of(a.form, SUPERNET, goal)
    assert not squared_of(a.form, replace(SUPERNET, loss="likelihood"), goal)
    assert weights_of(a, SUPERNET, goal) == ("lsq", 8)
    assert weights_of(a, replace(SUPERNET, bits=3), goal) == ("lsq", 3)
    assert weights_of(a, replace(SUPERNET, weights="ternary"), goal) == ("ternary", 0)


def test_a_supernet_needs_no_other_option() -> None:
    data = inrcodec.encode(picture(), kind="image", profile="inr", supernet="1,2x4,8", steps=5)
    assert (inrcodec.decode(data).samples == picture()).all()
    found = inrcodec.info(data)
    assert found["weights"]["coding"] == "lsq"
    assert [(c["layers"], c["hidden"]) for c in found["network"]["configurations"]] == [(1, 4), (2, 4), (1, 8), (2, 8)]


def test_all_networks_learn_together() -> None:
    """Every network comes nearer to the picture in the fit, and by fine-tuning of coarse weights."""
    values, value_map = to_values(picture())
    goal = goal_for(SUPERNET, "exact")
    first = search.fit_float(values, value_map.bits, replace(SUPERNET, steps=1), goal)
    fitted = search.fit_float(values, value_map.bits, SUPERNET, goal)
    before, after = (
        errors(search.code_all(replace(f, options=stopped(f.options)), "uniform", 12)[0].coded, values) for f in (first, fitted)
    )
    assert all(b > a for b, a in zip(before, after, strict=True))
    bare = errors(search.code_all(replace(fitted, options=stopped(fitted.options)), "lsq", 3)[0].coded, values)
    tuned = errors(search.code_all(fitted, "lsq", 3)[0].coded, values)
    assert sum(map(math.log, tuned)) < sum(map(math.log, bare))


def stopped(options: Options) -> Options:
    """Options with which nothing is fine-tuned."""
    return replace(options, stop=lambda: True)


def test_the_gradient_of_a_step_is_scaled_if_options_say_so() -> None:
    model = supernet(Architecture((3, 2), 1, 8, 6, 2))
    gradients = {}
    for scaled in (False, True):
        ((label, make),) = search.candidates(model, Options(lsq_gradient_scale=scaled), "lsq", 4)
        lsq = make(model)
        assert isinstance(lsq, Lsq)
        lsq(1).square().sum().backward()
        assert label == "lsq 4"
        gradients[scaled] = float(lsq.log_scale[1].grad)
    assert gradients[True] == pytest.approx(gradients[False] / math.sqrt(36 * 7))


def test_the_scale_of_a_gradient_changes_no_other_coding() -> None:
    model = supernet(Architecture((3, 2), 1, 8, 6, 2))
    made = [make(model) for _, make in search.candidates(model, Options(lsq_gradient_scale=True), "auto", 0)]
    assert [c.gradient_scale for c in made if isinstance(c, Lsq)] == [True, True]


def test_a_gradient_scale_without_lsq_is_told() -> None:
    options = Options(profile="inr", lsq_gradient_scale=True)
    assert "lsq_gradient_scale" in (options.unused({"fit", "uniform 8"}) or "")
    assert options.unused({"fit", "uniform 5", "lsq 4"}) is None


def test_bits_of_ternary_weights_are_told() -> None:
    assert "bits" in (Options(profile="inr", network="bitlinear", bits=5).unused({"fit", "ternary"}) or "")
    assert Options(profile="inr", network="bitlinear", bits=5, weights="lsq").unused({"fit", "lsq 5"}) is None
    assert Options(profile="inr", network="bitlinear", bits=5, until="mdl").unused({"fit", "lsq 5"}) is None


@pytest.mark.parametrize(("given", "told"), [({}, True), ({"activation": "sine"}, False), ({"network": "bitlinear"}, True)])
def test_a_frequency_without_sines_is_told(given: dict[str, Any], told: bool) -> None:
    """The default network of small pictures has none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inrcodec.encode(np.arange(64, dtype=np.uint8).reshape(8, 8), profile="inr", omega=9.0, steps=2, threads=1, **given)
    assert any("omega" in str(w.message) for w in caught) == told


def test_scales_follow_a_squared_error() -> None:
    """Where the squared error is minimized, the scales that code the values are those of the errors: half or twice as wide costs more."""
    values, value_map = to_values(picture())
    data = targets(values, value_map.bits, torch.device("cpu"))
    head = ValueHead(data, False, False)
    head.factors.data.zero_()
    batch = data.batch(None)
    exact = (batch.values.float() - head.offsets)[..., None] / (head.units[0] * head.peak)[:, None]
    noisy = exact + 0.02 * torch.randn(exact.shape, generator=torch.Generator().manual_seed(0))
    found = objective_of(data, head, True).nats(noisy, batch)
    scales = head.log_scales.detach().clone()
    for octaves in (-1.0, 1.0):
        head.log_scales.data = scales + octaves
        assert objective_of(data, head, False).nats(noisy, batch) > found


# --- a rate, a PSNR -----------------------------------------------------------------------------------------------


@given(st.floats(8, 30), st.floats(1.5, 8), st.floats(18, 45))
def test_sizes_that_are_tried_come_to_a_psnr(at_one: float, slope: float, wanted: float) -> None:
    tried = {24: at_one + slope * math.log2(24)}
    for _ in range(8):
        units = search.next_units(tried, wanted)
        assert 2 <= units <= 512
        tried[units] = at_one + slope * math.log2(units)
    right = 2 ** ((wanted - at_one) / slope)
    near = min(tried, key=lambda units: abs(tried[units] - wanted))
    assert near == pytest.approx(min(max(right, 2), 512), abs=1, rel=0.03)


@given(st.floats(0.3, 6), st.floats(-2, 3), st.booleans(), st.sampled_from(["mlp", "recurrent", "filters"]))
def test_the_largest_network_of_a_rate(rate: float, costs: float, free: bool, body: Any) -> None:
    values, value_map = to_values(picture(48))
    sizes = search.Sizes(values, value_map.bits, Options(body=body, bits=8, weights="uniform"), Goal("rate", rate), free)
    hidden, bits = sizes.largest(costs)
    allowed = rate * 48 * 48
    assert bits in ((7, 8) if free else (8,))
    assert sizes.weights(hidden) * (bits + costs) <= allowed < sizes.weights(hidden + 1) * (bits + costs)
    if free:
        assert sizes.weights(hidden) * (bits + costs) >= replace_free(sizes, costs)


def replace_free(sizes: search.Sizes, costs: float) -> float:
    """The bits of the largest network where no bit is free."""
    hidden, bits = replace(sizes, free_bits=False).largest(costs)
    return sizes.weights(hidden) * (bits + costs)


def test_steering_moves_farther_where_steps_are_few() -> None:
    moved = []
    for share in (1e-4, 1e-3 / 2, 1e-3, 0.1):
        steering = Steering("psnr", 30.0)
        steering.learn(1.0, 60.0, share)
        moved.append(steering.log_weight)
    assert moved == [0.02, 0.03, 0.06, 0.06]


@pytest.mark.parametrize("rate", [1.5, 2.0])
def test_cells_meet_a_rate(rate: float) -> None:
    options: dict[str, Any] = {"steps": 150, "seconds": 1e6, "threads": 1, "payload": False}
    data = inrcodec.encode(waves(40), kind="image", profile="inr", until=f"rate={rate}", **options)
    found = 8 * inrcodec.info(data)["bytes"]["weights"] / 1600
    assert 0.93 * rate <= found <= rate + 8 * 20 / 1600  # the section's framing, and the length of the error


def test_cells_meet_a_psnr() -> None:
    options: dict[str, Any] = {"steps": 400, "seconds": 1e6, "threads": 1, "payload": False}
    data = inrcodec.encode(waves(32), kind="image", profile="inr", until="psnr=35", **options)
    assert 35 <= inrcodec.info(data)["network"]["psnr"] <= 36.5


@pytest.mark.parametrize("weights", ["uniform", "ternary"])
def test_a_network_is_as_large_as_a_rate_allows(weights: str) -> None:
    options: dict[str, Any] = {"steps": 60, "seconds": 1e6, "threads": 1, "payload": False, "body": "mlp", "weights": weights}
    data = inrcodec.encode(picture(40), kind="image", profile="inr", until="rate=4", **options)
    found = 8 * inrcodec.info(data)["bytes"]["weights"] / 1600
    assert 3.6 <= found <= 4 + 8 * 20 / 1600
