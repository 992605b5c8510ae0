"""The integer network: identical bits in a plain Python loop, NumPy and torch, sizes near the bounds included."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.fit.exact import torch_logits
from inrcodec.kernels.inr import (
    COORDINATE_BITS,
    LARGEST_BIAS,
    LARGEST_SHIFT,
    Architecture,
    BoundError,
    Layer,
    Network,
    axis_coordinates,
    positional,
)
from inrcodec.kernels.tables import gelu, sine

ARCHITECTURES = [
    Architecture(2, 3, 8, 16, 2),
    Architecture(1, 1, 16, 9, 3, bit_coordinate=True),
    Architecture(2, 2, 4, 8, 2, "gelu", 5, per_plane=True),
    Architecture(3, 1, 1, 5, 1, "gelu", 0),
    Architecture(4, 1, 2, 6, 2, "sine", 3),
]


def plain_logits(network: Network, coordinates: np.ndarray) -> list[list[int]]:
    """The definition in SPEC.md, with Python integers only."""
    a = network.architecture
    sine_table, gelu_table = sine().tolist(), gelu().tolist()

    def run(layers: list[Layer], place: list[int]) -> list[int]:
        x = place
        if a.octaves:
            x = []
            for c in place:
                x.append(c >> 10)
                for k in range(a.octaves):
                    phase = (c << k) >> 9
                    x += [sine_table[phase % 65536], sine_table[(phase + 16384) % 65536]]
        for i, layer in enumerate(layers):
            z = []
            for row, bias in zip(layer.weights.tolist(), layer.bias.tolist(), strict=True):
                z.append((sum(w * v for w, v in zip(row, x, strict=True)) * layer.multiplier >> layer.shift) + bias)
            if i == a.layers:
                return [min(max(v, -(2**20)), 2**20) for v in z]
            x = [sine_table[v % 65536] if a.activation == "sine" else gelu_table[min(max(v + 32768, 0), 65535)] for v in z]
        raise AssertionError

    out = []
    for place in coordinates.tolist():
        if a.bit_coordinate:
            columns = [run(list(network.layers[0]), [*place, c]) for c in axis_coordinates(a.bits).tolist()]
        else:
            columns = [run(list(layers), place) for layers in network.layers]
        if a.bit_coordinate or a.per_plane:
            out.append([columns[b][c] for c in range(a.channels) for b in range(a.bits)])
        else:
            out.append(columns[0])
    return out


def random_network(a: Architecture, rng: np.random.Generator, full: bool) -> Network:
    """Random weights; `full` makes the partial sums as large as is allowed."""
    networks = []
    for _ in range(a.networks):
        layers = []
        largest = 1 << a.input_bits
        for outputs, inputs in a.shapes:
            limit = min((2**53 - 1) // (inputs * largest), 2**30) if full else int(rng.integers(1, 3000))
            weights = rng.integers(-limit, limit + 1, (outputs, inputs))
            if full:
                weights[0] = limit  # all of one sign
            peak = int(np.abs(weights).sum(axis=1).max()) * largest
            multiplier = int(min(2**31 - 1, (2**62 - 1) // max(peak, 1)) if full else rng.integers(0, 2**16))
            bias = rng.integers(-LARGEST_BIAS if full else -(2**15), LARGEST_BIAS if full else 2**15, outputs)
            layers.append(Layer(weights, bias, multiplier, int(rng.integers(0, LARGEST_SHIFT + 1))))
            largest = 1 << (14 if a.activation == "sine" else 15)
        networks.append(layers)
    return Network(a, networks)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("a", ARCHITECTURES, ids=str)
def test_python_numpy_and_torch_agree(a: Architecture, full: bool) -> None:
    rng = np.random.default_rng(ARCHITECTURES.index(a))
    for _ in range(5):
        network = random_network(a, rng, full)
        coordinates = rng.integers(-(2**24), 2**24 + 1, (40, a.axes))
        coordinates[0], coordinates[1] = 2**24, -(2**24)
        expected = plain_logits(network, coordinates)
        assert network.logits(coordinates).tolist() == expected
        assert torch_logits(network, coordinates, torch.device("cpu")).tolist() == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("a", ARCHITECTURES, ids=str)
def test_cuda_agrees(a: Architecture) -> None:
    rng = np.random.default_rng(0)
    network = random_network(a, rng, full=True)
    coordinates = rng.integers(-(2**24), 2**24 + 1, (500, a.axes))
    assert (torch_logits(network, coordinates, torch.device("cuda")) == network.logits(coordinates)).all()


def test_wide_layers_and_chunks_agree() -> None:
    """A real size: the order in which BLAS sums must not matter, nor how many places are evaluated together."""
    a = Architecture(2, 3, 8, 512, 3)
    rng = np.random.default_rng(0)
    layers = []
    for outputs, inputs in a.shapes:
        largest = 1 << (24 if inputs == 2 else 14)
        weights = rng.integers(-(2**14), 2**14, (outputs, inputs))
        peak = int(np.abs(weights).sum(axis=1).max()) * largest
        layers.append(Layer(weights, rng.integers(-(2**15), 2**15, outputs), min(2**31 - 1, (2**62 - 1) // peak), 44))
    network = Network(a, [layers])
    coordinates = rng.integers(-(2**24), 2**24, (64, 2))
    whole = network.logits(coordinates)
    assert (whole[5:6] == network.logits(coordinates[5:6])).all()
    assert (whole == torch_logits(network, coordinates, torch.device("cpu"))).all()
    assert plain_logits(network, coordinates[:2]) == whole[:2].tolist()


def test_narrow_sums_use_float32_and_wide_ones_float64() -> None:
    a = Architecture(1, 1, 1, 8, 1, "sine", 1)
    small = [Layer(np.ones((8, 3), np.int64), np.zeros(8, np.int64), 1, 0), Layer(np.ones((1, 8), np.int64), np.zeros(1, np.int64), 1, 0)]
    assert Network(a, [small])._matrices[0][0].dtype == np.float32
    wide = [Layer(np.full((8, 3), 1000, np.int64), np.zeros(8, np.int64), 1, 0), small[1]]
    assert Network(a, [wide])._matrices[0][0].dtype == np.float64


@pytest.mark.parametrize(
    ("weights", "bias", "multiplier", "shift"),
    [
        (2**29, 0, 1, 0),  # 2^29 · 2^24 = 2^53
        (2**31, 0, 1, 0),
        (2**20, 0, 2**18, 0),  # product of 63 bits
        (1, 2**32, 1, 0),
        (1, 0, 2**31, 0),
        (1, 0, 1, 63),
    ],
)
def test_inexact_networks_are_refused(weights: int, bias: int, multiplier: int, shift: int) -> None:
    a = Architecture(1, 1, 1, 1, 1)
    good = Layer(np.ones((1, 1), np.int64), np.zeros(1, np.int64), 1, 0)
    bad = Layer(np.full((1, 1), weights), np.full(1, bias), multiplier, shift)
    Network(a, [[good, good]])
    with pytest.raises(BoundError):
        Network(a, [[bad, good]])


def test_shapes_are_checked() -> None:
    a = Architecture(1, 1, 1, 2, 1)
    good = Layer(np.ones((1, 1), np.int64), np.zeros(1, np.int64), 1, 0)
    with pytest.raises(BoundError):
        Network(a, [[good, good]])


@settings(max_examples=50)
@given(st.integers(1, 2**40), st.integers(0, 2**40))
def test_coordinates(size: int, place: int) -> None:
    place %= size
    (found,) = axis_coordinates(min(size, 2**38), np.array([min(place, 2**38 - 1)])).tolist()
    assert -(2**COORDINATE_BITS) <= found <= 2**COORDINATE_BITS
    assert axis_coordinates(1).tolist() == [0]
    assert axis_coordinates(3).tolist() == [-(2**24), 0, 2**24]


def test_positional_encoding_is_that_of_the_float_network() -> None:
    from inrcodec.fit.model import positional as float_positional

    coordinates = axis_coordinates(33)[:, None]
    exact = positional(coordinates, 6) / 2**14
    close = float_positional(torch.from_numpy(coordinates / 2**24), 6).numpy()
    assert np.abs(exact - close).max() < 2e-3
