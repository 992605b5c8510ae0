"""Networks from priors: the priors' bytes, section NETW, fits, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import inrcodec
from inrcodec import FormatError, InrcodecError, Options, Signal, UnsupportedError, codec, plot
from inrcodec.fit import difference, frame, latents, shifted
from inrcodec.fit.model import HIDDEN_OMEGA, Plain
from inrcodec.kernels.inr import BoundError, axis_coordinates
from inrcodec.kernels.modulation import Modulated, patches_of
from inrcodec.weights import adapted, prior
from inrcodec.weights.network import CodedNetwork
from inrcodec.weights.shelf import NAME_BYTES

FIT: dict[str, Any] = {"profile": "inr", "threads": 1, "device": "cpu"}
NAMES = ("meta", "modulations")


def photograph(height: int, width: int, depth: int = 8, seed: int = 0) -> Signal:
    """A gradient with a disc and noise, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    disc = ((y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3) ** 2) * 0.3
    shares = np.stack([0.2 + 0.4 * x / width + disc, 0.3 + 0.3 * y / height + disc, np.full((height, width), 0.4) + disc], -1)
    samples = np.clip(np.rint(shares * 2**depth + rng.normal(0, 2 ** (depth - 7), shares.shape)), 0, 2**depth - 1)
    return Signal(samples.astype(np.uint8 if depth <= 8 else np.uint16), "image", depth)


def psnr(signal: Signal, data: bytes) -> float:
    found = inrcodec.info(data)["network"]["psnr"]
    assert found is not None
    return float(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_prior_is_written_as_it_was_read(name: str) -> None:
    key, found = prior.named(name)
    data = prior.write(found)
    assert hashlib.sha256(data).digest()[:NAME_BYTES] == key
    assert len(data) < 2 << 20


@settings(max_examples=30)
@given(st.integers(0, 10**9), st.integers(1, 255), st.booleans())
def test_a_damaged_prior_is_refused_or_read(at: int, change: int, cut: bool) -> None:
    data = bytearray(prior.write(prior.named("meta")[1]))
    at %= len(data)
    if cut:
        del data[at:]
    else:
        data[at] ^= change
    try:
        prior.read(bytes(data))
    except FormatError:
        return
    assert not cut


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (32, 32), (33, 31), (70, 90)])
@pytest.mark.parametrize("name", NAMES)
def test_pictures_come_back(name: Any, shape: tuple[int, int]) -> None:
    signal = photograph(*shape, seed=shape[1])
    data = inrcodec.encode(signal, prior=name, steps=3, **FIT)
    assert inrcodec.decode(data).equals(signal)
    assert inrcodec.info(data)["network"]["prior"] == prior.named(name)[0].hex()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("depth", "least"), [(8, 24), (12, 24), (16, 24)])
def test_a_prior_fits_pictures_of_any_depth(name: Any, depth: int, least: float) -> None:
    signal = photograph(64, 64, depth)
    data = inrcodec.encode(signal, prior=name, steps=40, payload=False, **FIT)
    assert psnr(signal, data) > least


@pytest.mark.parametrize("name", NAMES)
def test_values_need_not_be_samples(name: Any) -> None:
    """Samples of a narrow range with a step: the values have fewer bits, and another offset."""
    plain = photograph(48, 40)
    samples = (plain.samples // 8 * 4 + 90).astype(np.uint8)
    signal = Signal(samples, "image", 8)
    data = inrcodec.encode(signal, prior=name, steps=40, **FIT)
    assert inrcodec.decode(data).equals(signal)
    assert inrcodec.info(data)["value_map"]["step"] == 4
    assert psnr(signal, data) > 28


def test_sparse_latents_come_back() -> None:
    signal = photograph(70, 90)
    data = inrcodec.encode(signal, prior="modulations", weights="sinr", steps=3, **FIT)
    assert inrcodec.decode(data).equals(signal)
    assert inrcodec.info(data)["weights"]["coding"] == "sinr"


@pytest.mark.parametrize(("name", "bits"), [("meta", (4, 9)), ("modulations", (3, 7))])
def test_more_bits_are_closer_and_longer(name: Any, bits: tuple[int, int]) -> None:
    signal = photograph(96, 96)
    files = [inrcodec.encode(signal, prior=name, steps=40, bits=b, payload=False, **FIT) for b in bits]
    assert len(files[0]) < len(files[1])
    assert psnr(signal, files[0]) < psnr(signal, files[1]) + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_networks_from_priors_can_be_rendered(name: Any) -> None:
    signal = photograph(40, 50)
    data = inrcodec.encode(signal, prior=name, steps=5, payload=False, **FIT)
    same = inrcodec.render(data).samples
    twice = inrcodec.render(data, sizes=(79, 99)).samples
    assert twice.shape == (79, 99, 3)
    assert (twice[::2, ::2] == same).all()  # these are the places of the file
    assert inrcodec.render(data, bit_depth=12).samples.max() > 255


def test_every_place_has_the_coordinate_of_its_patch() -> None:
    """The network of places of one patch is that of the patch alone, wherever it lies."""
    _, found = prior.named("modulations")
    assert found.map is not None
    sizes = (70, 100)
    rng = np.random.default_rng(0)
    values = rng.integers(-5, 5, (int(np.prod(patches_of(sizes, found.patch))), found.map.shape[1]))
    values[:] = values[0]
    base = replace(found.network.architecture, sizes=sizes, bits=8)
    network = Modulated(replace_network(found, base), sizes, found.patch, found.map, values, 1, 2)
    y, x = np.meshgrid(axis_coordinates(70), axis_coordinates(100), indexing="ij")
    means = network.means(np.stack([y.ravel(), x.ravel()], 1))[0].reshape(70, 100, 3)
    assert (means[:32, :32] == means[32:64, 32:64]).all()
    assert (means[64:, 96:] == means[:6, :4]).all()
    assert (means[:32, :32] != means[:32, 1:33]).any()


def replace_network(found: prior.Prior, architecture: Any) -> Any:
    return replace(found.network, architecture=architecture)


def test_sums_of_latents_that_are_not_exact_are_refused() -> None:
    _, found = prior.named("modulations")
    assert found.map is not None
    a = replace(found.network.architecture, sizes=(8, 8), bits=8)
    values = np.full((1, found.map.shape[1]), 1 << 40)
    with pytest.raises(BoundError, match="latent"):
        Modulated(replace_network(found, a), (8, 8), found.patch, found.map, values, 1, 0)
    with pytest.raises(BoundError, match="shape"):
        Modulated(replace_network(found, a), (40, 8), found.patch, found.map, values, 1, 0)


def test_the_float_network_of_patches_is_the_integer_one() -> None:
    _, found = prior.named("modulations")
    model = latents.float_network(found)
    signal = photograph(32, 32)
    cut = latents.patches(signal.samples, frame.Frame())
    wanted = shifted.first_latents(cut.samples)
    step = 1 / 64
    assert found.map is not None
    content = adapted.Latents(np.rint(wanted.numpy() / step).astype(np.int64), *latents._scaled(np.array([4000]), step, found))
    head = frame.PriorHead(frame.Frame())
    last = difference.last_layer(found.network.layers[0][-1], model.biases[-1].double().numpy()[[1, 0, 2]], head, frame.Frame())
    coded = CodedNetwork(found.network, "uniform", 5, np.zeros(0, np.uint8), head.joint())
    made = adapted.of(prior.named("modulations")[0], coded, content, last, (32, 32), 8)
    y, x = np.meshgrid(axis_coordinates(32), axis_coordinates(32), indexing="ij")
    means = made.network.means(np.stack([y.ravel(), x.ravel()], 1))[0] / 2.0**30
    with torch.no_grad():
        out = model(shifted.places()[None], torch.from_numpy(content.values * step).float())[0].numpy()
    assert np.abs(means[:, 1] - out[:, 1]).max() < 2e-3
    assert np.abs(means[:, 0] - (out[:, 0] - out[:, 1])).max() < 2e-3


def test_the_float_network_of_whole_pictures_is_the_integer_one() -> None:
    _, found = prior.named("meta")
    a = replace(found.network.architecture, sizes=(20, 30), bits=8)
    model = difference.float_network(a, frame.float_layers(found, [HIDDEN_OMEGA] * a.layers), frame.Frame())
    y, x = np.meshgrid(axis_coordinates(20), axis_coordinates(30), indexing="ij")
    coordinates = np.stack([y.ravel(), x.ravel()], 1)
    means = replace_network(found, a).means(coordinates)[0] / 2.0**30
    with torch.no_grad():
        inputs = torch.from_numpy(coordinates / 2.0**24).float()
        out = model(inputs, Plain(model, torch.Generator()), [])[:, :, 0].double().numpy()
    offsets = np.array([0, frame.OFFSET, 0])
    assert np.abs(means - (out * frame.UNIT + offsets)).max() < 2e-3


def test_a_difference_of_zero_is_the_prior() -> None:
    key, found = prior.named("meta")
    a, own = found.network.architecture, found.network.layers[0]
    content = adapted.Difference([np.zeros(s, np.int64) for s in a.shapes], [np.zeros(o, np.int64) for o, _ in a.shapes[:-1]], [1] * 7)
    joint = frame.PriorHead(frame.Frame()).joint()
    made = adapted.of(key, CodedNetwork(found.network, "uniform", 7, np.zeros(0, np.uint8), joint), content, own[-1], (5, 4), 8)
    for layer, first in zip(made.network.layers[0], own, strict=True):
        assert (layer.weights == first.weights).all()
        assert (layer.bias == first.bias).all()
    again = adapted.parse(adapted.write(made), (5, 4), 3, 8).decode()
    assert adapted.write(again) == adapted.write(made)


def test_a_stopped_fit_still_makes_a_file() -> None:
    signal = photograph(64, 70)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    for name in NAMES:
        asked.clear()
        data = inrcodec.encode(signal, prior=name, stop=stop, steps=1000, **FIT)
        assert inrcodec.decode(data).equals(signal)
    with pytest.raises(inrcodec.Stopped):
        inrcodec.encode(signal, prior="modulations", stop=lambda: True, **FIT)


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_can_be_drawn(name: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    signal, recorder = photograph(40, 40), plot.Recorder()
    data = inrcodec.encode(signal, prior=name, steps=12, progress=recorder, **FIT)
    assert plot.can_draw(data, recorder)
    plot.draw(tmp_path / "fit.svg", data, signal, recorder)
    assert (tmp_path / "fit.svg").stat().st_size > 1000


def test_a_fit_tells_how_it_goes() -> None:
    seen: list[Any] = []
    inrcodec.encode(photograph(64, 64), prior="modulations", steps=12, progress=seen.append, **FIT)
    fits = [s for s in seen if s.stage == "fit"]
    assert fits[-1].fraction == 1
    assert fits[-1].psnr > 20


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        (np.zeros((8, 8), np.uint8), "image"),
        (np.arange(8 * 8 * 4, dtype=np.uint8).reshape(8, 8, 4), "image"),
        (np.arange(100, dtype=np.int16), "array"),
        (np.random.default_rng(0).integers(0, 2**32, (10, 10, 3), dtype=np.uint32), "image"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_other_signals_are_refused(name: Any, samples: Any, kind: Any) -> None:
    varied = samples if samples.any() else np.eye(8, dtype=np.uint8)
    with pytest.raises(UnsupportedError, match=f"prior {name}: it takes pictures of red, green and blue"):
        inrcodec.encode(varied, kind=kind, prior=name, **FIT)


@pytest.mark.parametrize(
    "given_options",
    [
        {"prior": "other"},
        {"prior": "meta", "hidden": 32},
        {"prior": "meta", "network": "heads"},
        {"prior": "modulations", "body": "grid"},
        {"prior": "meta", "until": "exact"},
        {"prior": "meta", "until": "rate=0.3"},
        {"prior": "meta", "supernet": "1x4"},
        {"prior": "meta", "weights": "sinr"},
        {"prior": "modulations", "weights": "lsq"},
        {"prior": "modulations", "loss": "bce"},
    ],
)
def test_options_that_contradict_a_prior_are_refused(given_options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="prior"):
        Options(**given_options)


def test_a_prior_that_changed_in_memory_is_found() -> None:
    data = inrcodec.encode(photograph(16, 16), prior="meta", steps=2, **FIT)
    decoder = codec.open_bytes(data).decoder
    decoder.check()
    weights = prior.named("meta")[1].network.layers[0][1].weights
    weights[3, 4] ^= 1
    try:
        with pytest.raises(RuntimeError, match="has changed in memory"):
            decoder.check()
    finally:
        weights[3, 4] ^= 1


def test_a_prior_that_the_package_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    data = inrcodec.encode(photograph(16, 16), prior="meta", steps=2, **FIT)
    monkeypatch.setattr(prior.SHELF, "names", {})
    with pytest.raises(InrcodecError, match="the package lacks its file"):
        inrcodec.encode(photograph(16, 16), prior="meta", steps=2, **FIT)
    with pytest.raises(FormatError, match="it needs prior"):
        codec.open_bytes(data)
