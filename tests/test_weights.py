"""Weight codings: what is written comes back, integer for integer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.errors import FormatError
from inrcodec.fit.codings import Coding, Lsq, Sinr, Ternary, Uniform
from inrcodec.fit.codings.sinr import nonzeros, pursue, pursue_all
from inrcodec.fit.export import export
from inrcodec.fit.model import BitPlaneNetwork
from inrcodec.kernels.inr import Architecture, axis_coordinates
from inrcodec.options import LIMITS
from inrcodec.weights import network, sinr

FORMS = {
    "heads": Architecture(2, 3, 8, 12, 2),
    "wide": Architecture(2, 1, 4, 64, 2),
    "siren": Architecture(1, 2, 5, 10, 2, bit_coordinate=True),
    "bitlinear": Architecture(2, 1, 3, 12, 2, "gelu", 4, per_plane=True),
}


def model_of(form: str, seed: int = 0) -> BitPlaneNetwork:
    return BitPlaneNetwork(FORMS[form], 40.0, torch.Generator().manual_seed(seed))


def codings(model: BitPlaneNetwork) -> list[Coding]:
    pursuits = pursue_all(model, 0.25, 9)
    return [
        Uniform(model, 16),
        Uniform(model, 2),
        Lsq(model, 4),
        Ternary(model),
        Sinr(model, pursuits, 0.25, 9),
        Sinr(model, pursuits, 0.05, 9),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_networks_round_trip(form: str) -> None:
    model = model_of(form)
    a = model.architecture
    for coding in codings(model):
        coded = export(model, coding)
        content = network.write(coded)
        found = network.read(content, a.axes, a.channels, a.bits)
        assert (found.coding, found.setting) == (coded.coding, coded.setting)
        assert found.network.architecture == a
        for x, y in zip(coded.network.layers, found.network.layers, strict=True):
            for p, q in zip(x, y, strict=True):
                assert (p.weights == q.weights).all()
                assert (p.bias == q.bias).all()
                assert (p.multiplier, p.shift) == (q.multiplier, q.shift)
        assert network.write(found) == content


@pytest.mark.parametrize("form", FORMS)
def test_the_integer_network_is_the_coded_float_network(form: str) -> None:
    """What fine-tuning sees is what the decoder computes, but for the rounding of activations."""
    model = model_of(form)
    a = model.architecture
    grid = np.stack(np.meshgrid(*[axis_coordinates(9)] * a.axes, indexing="ij"), -1).reshape(-1, a.axes)
    inputs = torch.from_numpy((grid / 2**24).astype(np.float32))
    for coding in codings(model):
        with torch.no_grad():
            close = model(inputs, coding).reshape(len(grid), -1).numpy()
        exact = export(model, coding).network.logits(grid) / 1024
        assert np.abs(exact - close).max() < 0.02 * max(1.0, float(np.abs(close).max()))


def test_ternary_weights_are_ternary() -> None:
    model = model_of("heads")
    layers = export(model, Ternary(model)).network.layers[0]
    assert all(set(np.unique(layer.weights)) <= {-1, 0, 1} for layer in layers[1:])
    content = network.write(export(model, Ternary(model)))
    assert len(content) < 1.6 / 8 * sum(w.weights.size for w in layers[1:]) + 250  # frequencies, biases, gains


@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_uniform_and_lsq_keep_to_their_bits(bits: int) -> None:
    model = model_of("wide")
    for coding in (Uniform(model, bits), Lsq(model, bits)):
        for layer in export(model, coding).network.layers[0][1:]:
            assert int(np.abs(layer.weights).max()) <= 2 ** (bits - 1) - 1


@pytest.mark.parametrize("shape", [(64, 64), (5, 49), (80, 20), (7, 60), (1, 1)])
def test_sparse_codes_expand_to_the_pursuit(shape: tuple[int, int]) -> None:
    """A·x in exact integers is close to what least squares found, and 2s < k."""
    matrix = np.random.default_rng(0).normal(0, 1, shape)
    found = pursue(matrix, 0.4, 3)
    vectors, length = sinr.vector_shape(shape)
    assert found.targets.shape == (vectors, length)
    s = found.order.shape[1]
    assert 2 * s < length or length <= 2
    assert all(len(set(row)) == s for row in found.order.tolist())
    if length > 2:
        a = found.dictionary[found.order[0]].astype(float)
        x = np.linalg.lstsq(a.T, found.targets[0], rcond=None)[0]
        assert np.linalg.norm(x @ a - found.targets[0]) < 0.75 * np.linalg.norm(found.targets[0])


def test_pursuit_of_zeros() -> None:
    found = pursue(np.zeros((3, 60)), 0.2, 0)
    assert all(len(set(row)) == found.order.shape[1] for row in found.order.tolist())


@settings(max_examples=30)
@given(st.integers(1, 120), st.integers(1, 60), st.integers(0, 2**31))
def test_sparse_layers_round_trip(outputs: int, inputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = []
    for shape in ((outputs, inputs), (inputs, outputs)):
        vectors, length = sinr.vector_shape(shape)
        s = nonzeros(length, 0.3)
        positions = np.stack([np.sort(rng.permutation(sinr.dictionary_size(length))[:s]) for _ in range(vectors)])
        layers.append(sinr.Sparse(shape, positions, rng.integers(-32767, 32768, (vectors, s))))
    from inrcodec.container import Reader

    found = sinr.read(Reader(sinr.write(layers), "a test"), [layer.shape for layer in layers])
    for a, b in zip(layers, found, strict=True):
        assert (a.positions == b.positions).all()
        assert (a.values == b.values).all()
        assert (sinr.expand(a, 5) == sinr.expand(b, 5)).all()


def test_matrices_survive_being_cut_into_vectors() -> None:
    for shape in ((64, 64), (120, 49), (1, 1), (3, 7)):
        matrix = np.arange(shape[0] * shape[1]).reshape(shape)
        assert (sinr.from_vectors(sinr.to_vectors(matrix), shape) == matrix).all()


def test_what_can_be_asked_for_can_be_read() -> None:
    assert LIMITS["hidden"][1] == network.MAX_HIDDEN
    assert LIMITS["layers"][1] == network.MAX_LAYERS


def test_damaged_networks_are_refused() -> None:
    model = model_of("wide")
    a = model.architecture
    content = network.write(export(model, Uniform(model, 8)))
    for damaged in (content + b"x", b"\x10" + content[1:], content[:4] + b"\x09" + content[5:], b"\x06" + content[1:]):
        with pytest.raises(FormatError):
            network.read(damaged, a.axes, a.channels, a.bits)
    for n in range(0, len(content) - 1, 37):
        with pytest.raises(FormatError):
            network.read(content[:n], a.axes, a.channels, a.bits)
