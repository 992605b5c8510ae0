"""The integer network: identical bits in a plain Python loop, NumPy and torch, sizes near the bounds included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.fit.exact import OnDevice, by_parts
from inrcodec.fit.grid import corners_of
from inrcodec.kernels.architecture import COORDINATE_BITS, Architecture, Level
from inrcodec.kernels.inr import (
    LARGEST_CELL,
    BoundError,
    Cells,
    Layer,
    Network,
    axis_coordinates,
    encoded,
    interpolated,
)
from inrcodec.profiles.inr.coding import network_values
from inrcodec.weights.network import CodedNetwork
from tests.networks import (
    ARCHITECTURES,
    Plain,
    coordinate,
    interpolation,
    random_coordinates,
    random_joint,
    random_network,
    values_alone,
)

CPU = torch.device("cpu")


def said(network: Network, coordinates: np.ndarray) -> list[Any]:
    """What a network says of all places: logits, or means and scales."""
    if network.architecture.form == "values":
        return [found.tolist() for found in network.means(coordinates)]
    return list(network.logits(coordinates).tolist())


def expected_of(network: Network, coordinates: np.ndarray) -> list[Any]:
    plain = Plain(network)
    if network.architecture.form == "values":
        return [list(column) for column in zip(*(plain.means(place) for place in coordinates.tolist()), strict=True)]
    return [plain.logits(place) for place in coordinates.tolist()]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_python_numpy_and_torch_agree(name: str, full: bool) -> None:
    a = ARCHITECTURES[name]
    rng = np.random.default_rng(list(ARCHITECTURES).index(name))
    for _ in range(4):
        network = random_network(a, rng, full)
        coordinates = random_coordinates(a, 15, rng)
        expected = expected_of(network, coordinates)
        assert said(network, coordinates) == expected
        assert said(OnDevice(network, CPU), coordinates) == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_cuda_agrees(name: str, full: bool) -> None:
    rng = np.random.default_rng(0)
    network = random_network(ARCHITECTURES[name], rng, full)
    coordinates = random_coordinates(network.architecture, 500, rng)
    assert said(OnDevice(network, torch.device("cuda")), coordinates) == said(network, coordinates)


def test_a_filter_of_the_largest_numbers() -> None:
    """−2^15 times a sine of −1 would be 2^15, which no int16 holds: so arguments end one before it."""
    a = Architecture((5,), 1, 1, 1, 2, body="filters")
    one, zero = np.ones((1, 1), np.int64), np.zeros((1, 1), np.int64)
    lowest, sine = Layer(zero, np.array([-(2**20)]), 0, 0), Layer(zero, np.array([3 * 2**14]), 0, 0)
    network = Network(a, [[sine, lowest, sine, Layer(one, np.zeros(1, np.int64), 1, 0)]])
    coordinates = axis_coordinates(5)[:, None]
    assert expected_of(network, coordinates) == [[2**15 - 1]] * 5
    assert said(network, coordinates) == [[2**15 - 1]] * 5
    assert said(OnDevice(network, CPU), coordinates) == [[2**15 - 1]] * 5


@pytest.mark.parametrize("name", ["heads, grid", "values, hashed and direct", "siren, more bit places"])
def test_parts_of_many_places_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from inrcodec.fit import exact

    rng = np.random.default_rng(0)
    network = random_network(ARCHITECTURES[name], rng)
    coordinates = random_coordinates(network.architecture, 40, rng)
    monkeypatch.setattr(exact, "CHUNK_VALUES", 16 * 7 * 9)
    found = by_parts(network, coordinates, CPU)
    assert [x.tolist() for x in found] == said(network, coordinates)


@pytest.mark.parametrize("name", [name for name, a in ARCHITECTURES.items() if a.form == "values"])
def test_values_of_a_network_of_means_alone(name: str) -> None:
    a, rng = ARCHITECTURES[name], np.random.default_rng(1)
    for _ in range(3):
        coded = CodedNetwork(random_network(a, rng), "uniform", 8, np.zeros(a.planes, np.uint8), random_joint(a.channels, rng))
        coordinates = random_coordinates(a, 12, rng)
        for extra in {0, 1, 30 - a.bits}:
            found = network_values(coded, coded.network, coordinates, extra)
            assert found.tolist() == [values_alone(coded.network, coded.joint, False, p, extra) for p in coordinates.tolist()]


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("name", ["heads", "heads, wide values", "heads, colour", "siren, one bit", "bitlinear"])
def test_values_of_a_network_of_bits_alone(name: str, gray: bool) -> None:
    a, rng = ARCHITECTURES[name], np.random.default_rng(1)
    coded = CodedNetwork(random_network(a, rng), "uniform", 8, np.zeros(a.planes, np.uint8), None, gray)
    coordinates = random_coordinates(a, 20, rng)
    found = network_values(coded, coded.network, coordinates)
    assert found.tolist() == [values_alone(coded.network, None, gray, place) for place in coordinates.tolist()]


def test_a_siren_gives_further_bits() -> None:
    a, rng = ARCHITECTURES["siren, more bit places"], np.random.default_rng(2)
    coded = CodedNetwork(random_network(a, rng), "uniform", 8, np.zeros(a.planes, np.uint8))
    coordinates = random_coordinates(a, 9, rng)
    own = network_values(coded, coded.network, coordinates)
    for extra in range(1, a.bit_places - a.bits + 1):
        found = network_values(coded, coded.network, coordinates, extra)
        assert found.tolist() == [values_alone(coded.network, None, False, place, extra) for place in coordinates.tolist()]
        assert (found >> extra == own).all()


@settings(max_examples=60)
@given(st.data())
def test_cells_are_interpolated(data: st.DataObject) -> None:
    """Hashed and not, on any axes, within the float network's corners too."""
    sizes = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 8, 9, 1000]), min_size=1, max_size=4)))
    spacing = data.draw(st.sampled_from([0, 1, 3, 28]) if max(sizes) < 1000 else st.sampled_from([8, 9, 28]))
    level = Level(spacing, data.draw(st.integers(1, 3)), data.draw(st.sampled_from([0, 0, 1, 5])))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    numbers = rng.integers(-LARGEST_CELL, LARGEST_CELL + 1, (level.cells(sizes), level.features))
    coordinates = rng.integers(-(2**24), 2**24 + 1, (9, len(sizes)))
    coordinates[:2] = [[-(2**24)] * len(sizes), [2**24] * len(sizes)]
    on_places = np.stack([axis_coordinates(n)[rng.integers(0, n, 9)] for n in sizes], axis=1)
    coordinates = np.concatenate([coordinates, on_places])
    found = interpolated(level, numbers, coordinates, sizes)
    assert found.tolist() == [interpolation(level, numbers.tolist(), place, sizes) for place in coordinates.tolist()]
    close = corners_of(level, coordinates, sizes, CPU).interpolate(torch.from_numpy(numbers / LARGEST_CELL)) * LARGEST_CELL * 2**8
    assert np.abs(found - close.numpy()).max() <= 2**32 * 1e-6


def test_a_cell_at_each_place_is_found_at_its_place() -> None:
    """So an exact fit can set it. At the far end too, where a node has no next one."""
    for sizes in ((7,), (5, 9), (1, 6), (3, 1, 4), (2, 3, 1, 2), (4001,)):
        numbers = np.arange(np.prod(sizes))[:, None] - 7
        places = np.stack([x.ravel() for x in np.meshgrid(*[axis_coordinates(n) for n in sizes], indexing="ij")], axis=1)
        assert (interpolated(Level(0, 1), numbers, places, sizes) == numbers << 8).all()


def test_wide_layers_and_chunks_agree() -> None:
    """A real size: the order in which BLAS sums must not matter, nor how many places are evaluated together."""
    a = Architecture((512, 512), 3, 8, 512, 3)
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
    assert (whole == OnDevice(network, CPU).logits(coordinates)).all()
    assert expected_of(network, coordinates[:2]) == whole[:2].tolist()


def test_wide_layers_are_normalized_alike() -> None:
    """8,192 units at the ends of their range: the largest sum of squares, whose root is taken."""
    a = Architecture((5,), 1, 1, 8192, 1, activation="gelu", normalized=True)
    rng = np.random.default_rng(0)
    coordinates = axis_coordinates(5)[:, None]
    for biases in (rng.choice([-(2**15), 2**15], 8192), rng.integers(-(2**15), 2**15, 8192), np.full(8192, 9), np.arange(8192) == 77):
        first = Layer(np.zeros((8192, 1), np.int64), np.asarray(biases, np.int64) << 14 >> 14, 0, 0)
        last = Layer(rng.integers(-9, 10, (1, 8192)), np.zeros(1, np.int64), 1, 10)
        network = Network(a, [[first, last]])
        assert said(network, coordinates) == expected_of(network, coordinates) == said(OnDevice(network, CPU), coordinates)


def test_narrow_sums_use_float32_and_wide_ones_float64() -> None:
    a = Architecture((9,), 1, 1, 8, 1, octaves=1)
    small = [Layer(np.ones((8, 3), np.int64), np.zeros(8, np.int64), 1, 0), Layer(np.ones((1, 8), np.int64), np.zeros(1, np.int64), 1, 0)]
    assert Network(a, [small])._matrices[0][0].dtype == np.float32
    wide = [Layer(np.full((8, 3), 1000, np.int64), np.zeros(8, np.int64), 1, 0), small[1]]
    assert Network(a, [wide])._matrices[0][0].dtype == np.float64


# --- smaller networks in a network --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, a in ARCHITECTURES.items() if a.widths])
def test_a_part_is_the_leading_rows_and_columns_of_the_first_layers(name: str) -> None:
    a, rng = ARCHITECTURES[name], np.random.default_rng(3)
    network = random_network(a, rng)
    coordinates = random_coordinates(a, 8, rng)
    assert len(a.configurations) == len(a.widths) * len(a.depths)
    for layers, hidden in a.configurations:
        part = network.part(layers, hidden)
        assert part.architecture == replace(a, layers=layers, hidden=hidden, widths=(), depths=())
        assert said(part, coordinates) == expected_of(part, coordinates)
        own = [*network.layers[0][:layers], network.layers[0][-1]]
        for small, large in zip(part.layers[0], own, strict=True):
            o, i = small.weights.shape
            assert (small.weights == large.weights[:o, :i]).all()
            assert (small.bias == large.bias[:o]).all()
            assert (small.multiplier, small.shift) == (large.multiplier, large.shift)
    assert said(network.part(a.layers, a.hidden), coordinates) == said(network, coordinates)


# --- bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "bias", "multiplier", "shift"),
    [
        (2**29, 0, 1, 0),  # 2^29 · 2^24 = 2^53
        (2**31, 0, 1, 0),
        (2**20, 0, 2**18, 0),  # product of 63 bits
        (1, 2**31 + 1, 1, 0),
        (1, 2**32, 1, 0),
        (1, 0, 2**31, 0),
        (1, 0, -1, 0),
        (1, 0, 1, 63),
        (1, 0, 1, -1),
    ],
)
def test_inexact_networks_are_refused(weights: int, bias: int, multiplier: int, shift: int) -> None:
    a = Architecture((9,), 1, 1, 1, 1)
    good = Layer(np.ones((1, 1), np.int64), np.zeros(1, np.int64), 1, 0)
    bad = Layer(np.full((1, 1), weights), np.full(1, bias), multiplier, shift)
    Network(a, [[good, good]])
    with pytest.raises(BoundError):
        Network(a, [[bad, good]])


@pytest.mark.parametrize(
    ("a", "matrix", "largest"),
    [
        (Architecture((9,), 1, 1, 1, 2), 0, 2**24),
        (Architecture((9,), 1, 1, 1, 2), 1, 2**14),
        (Architecture((9,), 1, 1, 1, 2, activation="gelu"), 1, 2**15),
        (Architecture((9,), 1, 1, 1, 2, activation="gaussian"), 2, 2**14),
        (Architecture((9,), 1, 1, 1, 2, normalized=True), 2, 2**15),
        (Architecture((9,), 1, 1, 1, 2, octaves=1), 0, 2**14),
        (Architecture((9,), 1, 1, 1, 2, body="filters", octaves=1), 2, 2**14),
        (Architecture((9,), 1, 1, 1, 2, body="filters"), 1, 2**15),
        (Architecture((9,), 1, 1, 1, 2, levels=(Level(0, 1),)), 0, 2**15),
    ],
)
def test_the_bound_is_that_of_what_enters(a: Architecture, matrix: int, largest: int) -> None:
    def network(weight: int, multiplier: int = 1) -> Network:
        layers = [Layer(np.ones(shape, np.int64), np.zeros(shape[0], np.int64), 1, 0) for shape in a.shapes]
        outputs, inputs = a.shapes[matrix]
        weights = np.zeros((outputs, inputs), np.int64)
        weights[0, 0] = -weight
        layers[matrix] = Layer(weights, np.zeros(outputs, np.int64), multiplier, 0)
        return Network(a, [layers], [Cells(np.ones((x.cells(a.sizes), x.features), np.int64), 1, 0) for x in a.levels])

    if largest == 2**24:
        network(2**29 - 1)
        with pytest.raises(BoundError):
            network(2**29)
    network(2**62 // largest // 2**30, 2**30 - 1)
    with pytest.raises(BoundError):
        network(2**62 // largest // 2**30, 2**30)


@pytest.mark.parametrize(
    ("cells", "multiplier", "shift"),
    [(2**24 + 1, 0, 0), (2**24, 2**30, 0), (1, 2**31, 0), (1, 1, 63), (1, -1, 0)],
)
def test_cells_out_of_range_are_refused(cells: int, multiplier: int, shift: int) -> None:
    a = Architecture((9,), 1, 1, 1, 1, levels=(Level(0, 1),))
    layers = [Layer(np.ones(shape, np.int64), np.zeros(shape[0], np.int64), 1, 0) for shape in a.shapes]
    numbers = np.zeros((9, 1), np.int64)
    Network(a, [layers], [Cells(numbers, 1, 0)])
    numbers[4] = -cells
    with pytest.raises(BoundError):
        Network(a, [layers], [Cells(numbers, multiplier, shift)])


def test_shapes_are_checked() -> None:
    a = Architecture((9,), 1, 1, 2, 1)
    good = Layer(np.ones((1, 1), np.int64), np.zeros(1, np.int64), 1, 0)
    with pytest.raises(BoundError):
        Network(a, [[good, good]])


@pytest.mark.parametrize("name", ["heads, grid", "values", "bitlinear"])
def test_what_is_missing_is_refused(name: str) -> None:
    network = random_network(ARCHITECTURES[name], np.random.default_rng(0))
    a, layers, cells, halvings = network.architecture, network.layers, network.cells, network.halvings
    with pytest.raises(BoundError):
        Network(a, [*layers, layers[0]], cells, halvings)
    with pytest.raises(BoundError):
        Network(a, [list(layers[0])[1:], *layers[1:]], cells, halvings)
    if cells:
        with pytest.raises(BoundError):
            Network(a, layers, [], halvings)
        with pytest.raises(BoundError):
            Network(a, layers, [replace(cells[0], numbers=cells[0].numbers[1:]), *cells[1:]], halvings)
    if halvings is not None:
        for wrong in (halvings[1:], halvings - 32, halvings + 32):
            with pytest.raises(BoundError):
                Network(a, layers, cells, wrong)


# --- shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "shapes"),
    [
        (Architecture((9, 7), 3, 8, 16, 3), [(16, 2), (16, 16), (16, 16), (24, 16)]),
        (Architecture((9, 7), 3, 8, 16, 3, body="recurrent"), [(16, 2), (16, 16), (24, 16)]),
        (Architecture((9, 7), 3, 8, 16, 1, body="recurrent"), [(16, 2), (24, 16)]),
        (Architecture((9, 7), 3, 8, 16, 2, body="filters"), [(16, 2), (16, 16), (16, 2), (24, 16)]),
        (Architecture((9, 7), 3, 8, 16, 1, "siren", octaves=2, bit_places=8, colour=True), [(16, 20), (1, 16)]),
        (Architecture((9, 7), 3, 8, 16, 1, "bitlinear"), [(16, 2), (3, 16)]),
        (Architecture((9,), 3, 8, 16, 1, "values", scales=True), [(16, 1), (6, 16)]),
        (Architecture((9,), 3, 8, 16, 1, "values", scales=True, colour=True), [(16, 2), (2, 16)]),
        (Architecture((9,), 3, 8, 16, 1, "values", levels=(Level(0, 3, direct=True), Level(1, 2))), [(16, 3), (3, 16)]),
    ],
)
def test_shapes_of_matrices(a: Architecture, shapes: list[tuple[int, int]]) -> None:
    assert a.shapes == shapes
    cells = {0: 9, 1: 5}
    assert a.cells == sum(cells[level.spacing] * level.features for level in a.levels)
    assert a.parameters == a.networks * sum(o * i + o for o, i in shapes) + a.cells


@settings(max_examples=50)
@given(st.integers(1, 2**28), st.integers(0, 28))
def test_nodes_reach_the_end_of_an_axis(size: int, spacing: int) -> None:
    (nodes,) = Level(spacing, 1).nodes((size,))
    assert (nodes - 1) << spacing >= size - 1 > (nodes - 2) << spacing or (size, nodes) == (1, 1)


@settings(max_examples=50)
@given(st.integers(1, 2**36), st.integers(0, 2**36))
def test_coordinates(size: int, place: int) -> None:
    place %= size
    (found,) = axis_coordinates(size, np.array([place])).tolist()
    assert found == coordinate(place, size)
    assert -(2**COORDINATE_BITS) <= found <= 2**COORDINATE_BITS
    assert axis_coordinates(1).tolist() == [0]
    assert axis_coordinates(3).tolist() == [-(2**24), 0, 2**24]


def test_positional_encoding_is_that_of_the_float_network() -> None:
    from inrcodec.fit.model import positional as float_positional

    coordinates = axis_coordinates(33)
    for bits in (14, 12):
        exact = encoded([coordinates], 6, bits) / 2**bits
        close = float_positional(torch.from_numpy(coordinates[:, None] / 2**24), 6).numpy()
        assert np.abs(exact - close).max() < 2e-3
