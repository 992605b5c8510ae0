"""Weight codings and section NETW: what is written comes back, integer for integer; what contradicts itself is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.container import Reader, varint
from inrcodec.errors import FormatError
from inrcodec.fit.codings import Coding, Lsq, Sinr, Ternary, Uniform
from inrcodec.fit.codings.sinr import nonzeros, pursue, pursue_all
from inrcodec.fit.data import targets
from inrcodec.fit.export import export
from inrcodec.fit.grid import corners_of
from inrcodec.fit.model import CoordinateNetwork
from inrcodec.fit.objective import ValueHead
from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.kernels.inr import Network, axis_coordinates
from inrcodec.options import LIMITS, MAX_SIZES
from inrcodec.weights import codings as names
from inrcodec.weights import network, sinr
from inrcodec.weights.network import CodedNetwork
from tests.networks import ARCHITECTURES, architectures, random_joint, random_network

FORMS = {
    "heads": Architecture((9, 9), 3, 8, 12, 2),
    "wide": Architecture((9, 9), 1, 4, 64, 2),
    "siren": Architecture((9,), 2, 5, 10, 2, "siren", bit_places=7),
    "bitlinear": Architecture((9, 9), 1, 3, 12, 2, "bitlinear", "mlp", "gelu", 4, normalized=True, biased=False),
    "recurrent": Architecture((9, 9), 1, 3, 12, 4, body="recurrent", activation="gelu", normalized=True),
    "filters": Architecture((9, 9), 1, 3, 12, 3, body="filters"),
    "gaussian": Architecture((9, 9), 2, 3, 12, 2, activation="gaussian", octaves=3, colour=True),
    "values": Architecture((9, 9), 3, 8, 12, 2, "values", scales=True),
    "grid": Architecture((9, 9), 3, 8, 12, 2, "values", activation="gelu", scales=True, levels=(Level(1, 2), Level(2, 1, 3))),
    "colour": Architecture((9, 9), 3, 8, 12, 2, "values", colour=True, scales=True),
}


def model_of(form: str, seed: int = 0) -> CoordinateNetwork:
    a = FORMS[form]
    model = CoordinateNetwork(a, 40.0, torch.Generator().manual_seed(seed))
    if a.form == "values":  # channels of different ranges
        rng = np.random.default_rng(seed)
        values = (rng.integers(0, 2**a.bits, (*a.sizes, a.channels)) * np.array([1.0, 0.7, 0.01])).astype(np.uint8)
        model.head = ValueHead(targets(values, a.bits, torch.device("cpu")), a.scales, a.colour)
    for cells in model.cells:
        cells.data = 5 * torch.randn(cells.shape, generator=torch.Generator().manual_seed(seed))
    return model


def codings(model: CoordinateNetwork) -> list[Coding]:
    pursuits = pursue_all(model, 0.25, 9)
    return [
        Uniform(model, 16),
        Uniform(model, 2),
        Lsq(model, 4),
        Ternary(model),
        Sinr(model, pursuits, 0.25, 9),
        Sinr(model, pursuits, 0.05, 9),
    ]


def same(a: Network, b: Network) -> bool:
    """Whether two networks hold the same integers."""
    pairs = list(zip((x for n in a.layers for x in n), (x for n in b.layers for x in n), strict=True))
    cells = list(zip(a.cells, b.cells, strict=True))
    return (
        a.architecture == b.architecture
        and all((x.multiplier, x.shift) == (y.multiplier, y.shift) for x, y in pairs)
        and all((x.multiplier, x.shift) == (y.multiplier, y.shift) for x, y in cells)
        and all((x.weights == y.weights).all() and (x.bias == y.bias).all() for x, y in pairs)
        and all((x.numbers == y.numbers).all() for x, y in cells)
        and (a.halvings == b.halvings if a.halvings is None or b.halvings is None else bool((a.halvings == b.halvings).all()))
    )


@pytest.mark.parametrize("form", FORMS)
def test_networks_round_trip(form: str) -> None:
    model = model_of(form)
    a = model.architecture
    for coding in codings(model):
        coded = export(model, coding)
        content = network.write(coded)
        found = network.read(content, a.sizes, a.channels, a.bits)
        assert (found.coding, found.setting) == (coded.coding, coded.setting)
        assert same(found.network, coded.network)
        assert network.write(found) == content


@pytest.mark.parametrize("form", FORMS)
def test_the_integer_network_is_the_coded_float_network(form: str) -> None:
    """What fine-tuning sees is what the decoder computes, but for the rounding of activations."""
    model = model_of(form)
    a, head = model.architecture, model.head
    places = np.stack(np.meshgrid(*[axis_coordinates(n) for n in a.sizes], indexing="ij"), -1).reshape(-1, a.axes)
    inputs = torch.from_numpy((places / 2**24).astype(np.float32))
    corners = [corners_of(level, places, a.sizes, torch.device("cpu")) for level in a.levels]
    for coding in codings(model):
        with torch.no_grad():
            outputs = model(inputs, coding, corners)
        exact = export(model, coding).network
        if isinstance(head, ValueHead):
            means, scales = exact.means(places)
            close = head.means(outputs).detach().numpy() / 2**a.bits
            pairs = [(means / 2**30, close)]
            pairs.append((scales / 1024 + head.log_scales.detach().numpy(), head.scales(outputs).detach().numpy()))
        else:
            pairs = [(exact.logits(places) / 1024, outputs.reshape(len(places), -1).numpy())]
        for found, wanted in pairs:
            assert np.abs(found - wanted).max() < 0.02 * max(1.0, float(np.abs(wanted).max()))


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


@pytest.mark.parametrize("shape", [(64, 64), (5, 49), pytest.param((80, 20), marks=pytest.mark.slow), (7, 60), (1, 1)])
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
    assert LIMITS["octaves"][1] == network.MAX_OCTAVES
    assert LIMITS["bit_places"][1] == network.MAX_BIT_PLACES
    assert MAX_SIZES == network.MAX_CONFIGURATIONS


def test_damaged_networks_are_refused() -> None:
    model = model_of("wide")
    a = model.architecture
    content = network.write(export(model, Uniform(model, 8)))
    for damaged in (content + b"x", b"\x30" + content[1:], content[:5] + b"\x09" + content[6:], b"\x06" + content[1:]):
        with pytest.raises(FormatError):
            network.read(damaged, a.sizes, a.channels, a.bits)
    for n in range(0, len(content) - 1, 37):
        with pytest.raises(FormatError):
            network.read(content[:n], a.sizes, a.channels, a.bits)


# --- section NETW -------------------------------------------------------------------------------------------------


def coded_of(a: Architecture, rng: np.random.Generator, full: bool = False) -> CodedNetwork:
    """A random network as a file holds it. Cells of direct levels have no scale."""
    gains = rng.integers(0, 256, a.planes).astype(np.uint8)
    joint = random_joint(a.channels, rng) if a.form == "values" else None
    errors = tuple(int(e) for e in rng.integers(0, 2**63 - 1, len(a.configurations)))
    gray = a.form != "values" and bool(rng.integers(0, 2))
    return CodedNetwork(random_network(a, rng, full), "lsq", int(rng.integers(0, 256)), gains, joint, gray, (), errors)


def sparse_of(a: Architecture, rng: np.random.Generator) -> CodedNetwork:
    """A random network whose matrices are sparse codes."""
    dense, seed = coded_of(a, rng), int(rng.integers(0, 256))
    nets, codes = [], []
    for layers in dense.network.layers:
        own: list[sinr.Sparse | None] = []
        for shape, is_sparse in zip(a.shapes, network.sparse_layers(a), strict=True):
            vectors, length = sinr.vector_shape(shape)
            s = int(rng.integers(0, length + 1))
            positions = np.stack([np.sort(rng.permutation(sinr.dictionary_size(length))[:s]) for _ in range(vectors)])
            own.append(sinr.Sparse(shape, positions, rng.integers(-99, 100, (vectors, s))) if is_sparse else None)
        codes.append(own)
        pairs = zip(layers, own, strict=True)
        nets.append([x if c is None else replace(x, weights=sinr.expand(c, seed), multiplier=3) for x, c in pairs])
    net = replace(dense.network, layers=nets)
    return replace(dense, network=net, coding="sinr", setting=seed, sparse=codes)


def read(content: bytes, a: Architecture) -> CodedNetwork:
    return network.read(content, a.sizes, a.channels, a.bits)


def check_round_trip(coded: CodedNetwork) -> None:
    a, content = coded.network.architecture, network.write(coded)
    found = read(content, a)
    assert same(found.network, coded.network)
    assert (found.coding, found.setting, found.gray, found.errors) == (coded.coding, coded.setting, coded.gray, coded.errors)
    assert (found.joint is None) == (coded.joint is None)
    if found.joint is None:
        assert (found.gains == coded.gains).all()
    elif coded.joint is not None:
        assert all((x == y).all() for x, y in zip(found.joint, coded.joint, strict=True))
    assert network.write(found) == content


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_written_and_read(name: str) -> None:
    rng = np.random.default_rng(0)
    a = ARCHITECTURES[name]
    for full in (False, True):
        check_round_trip(coded_of(a, rng, full))
    if not a.widths:
        check_round_trip(sparse_of(a, rng))


@settings(max_examples=120)
@given(architectures(), st.integers(0, 2**32), st.booleans())
def test_any_architecture_is_written_and_read(a: Architecture, seed: int, full: bool) -> None:
    check_round_trip(coded_of(a, np.random.default_rng(seed), full))


@settings(max_examples=40)
@given(architectures(parts=False), st.integers(0, 2**32))
def test_any_architecture_has_sparse_codes(a: Architecture, seed: int) -> None:
    check_round_trip(sparse_of(a, np.random.default_rng(seed)))


PLAIN = Architecture((9, 7), 2, 4, 6, 2)
MEANS = Architecture((9, 7), 2, 4, 6, 2, "values")


@pytest.mark.parametrize(
    "a",
    [
        Architecture((9, 7), 2, 4, 6, 2, "siren", bit_places=3),
        Architecture((9, 7), 2, 4, 6, 2, "siren", bit_places=65),
        replace(PLAIN, hidden=8193),
        replace(PLAIN, layers=33),
        replace(PLAIN, octaves=25),
        replace(PLAIN, scales=True),
        replace(PLAIN, body="filters", normalized=True),
        replace(PLAIN, body="filters", activation="gelu"),
        replace(PLAIN, body="filters", activation="gaussian"),
        Architecture((9, 7), 2, 4, 6, 2, "bitlinear", levels=(Level(1, 1),)),
        Architecture((9, 7), 2, 4, 6, 2, "bitlinear", colour=True),
        Architecture((9, 7), 2, 4, 6, 2, "bitlinear", widths=(3, 6), depths=(2,)),
        replace(PLAIN, levels=(Level(1, 2, direct=True),)),
        replace(MEANS, levels=(Level(1, 3, direct=True),)),
        replace(MEANS, levels=(Level(1, 1, direct=True),)),
        replace(MEANS, levels=(Level(29, 1),)),
        replace(MEANS, levels=(Level(1, 257),)),
        replace(MEANS, levels=(Level(1, 0),)),
        replace(MEANS, levels=(Level(1, 1, 25),)),
        replace(MEANS, levels=(Level(1, 1),) * 33),
        replace(MEANS, levels=(Level(1, 1),), widths=(3, 6), depths=(2,)),
        replace(PLAIN, body="recurrent", widths=(3, 6), depths=(2,)),
        replace(PLAIN, body="filters", widths=(3, 6), depths=(2,)),
        replace(PLAIN, widths=(3, 3, 6), depths=(2,)),
        replace(PLAIN, widths=(4, 3, 6), depths=(2,)),
        replace(PLAIN, widths=(3, 5), depths=(2,)),
        replace(PLAIN, widths=(3, 6), depths=(1,)),
        replace(PLAIN, widths=(0, 6), depths=(2,)),
        replace(PLAIN, widths=(6,), depths=(2, 3)),
        replace(PLAIN, hidden=17, widths=tuple(range(1, 18)), depths=(2,)),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(a: Architecture) -> None:
    content = network._write_architecture(a, False)
    more = bytes(5000)
    network.parse(network.write(coded_of(PLAIN, np.random.default_rng(0))), a.sizes, a.channels, a.bits)
    with pytest.raises(FormatError, match="damaged"):
        network._parse_architecture(Reader(content + more, "the network"), a.sizes, a.channels, a.bits)


@pytest.mark.parametrize(
    ("form", "flags"),
    [(0, 128), (64, 0), (128, 0), (3 << 2, 0), (3 << 4, 0), (3, 1), (0, 32), (2, 64)],
)
def test_unknown_forms_and_flags_are_refused(form: int, flags: int) -> None:
    content = bytes([form, flags]) + varint(6) + varint(2) + varint(0) + bytes(99)
    with pytest.raises(FormatError):
        network._parse_architecture(Reader(content, "the network"), (9, 7), 2, 4)


def test_sizes_of_the_signal_are_checked() -> None:
    means, grid = network._write_architecture(MEANS, False), network._write_architecture(replace(PLAIN, levels=(Level(28, 1),)), False)

    def parse(content: bytes, sizes: tuple[int, ...], bits: int) -> None:
        network._parse_architecture(Reader(content, "the network"), sizes, 2, bits)

    parse(means, (9,), 24)
    parse(grid, (1 << 28, 4), 8)
    for content, sizes, bits in ((means, (9,), 25), (grid, (4, (1 << 28) + 1), 8)):
        with pytest.raises(FormatError, match="contradicts"):
            parse(content, sizes, bits)
    cells = network._write_architecture(replace(PLAIN, levels=(Level(0, 1),)), False)
    parse(cells, (1 << 23,), 8)
    with pytest.raises(FormatError, match="too large"):
        parse(cells, (1 << 24,), 8)


@pytest.mark.parametrize("what", ["order", "halvings", "coding", "coding of parts", "error", "multiplier", "shift", "checksum", "more"])
def test_numbers_out_of_range_are_refused(what: str) -> None:
    rng = np.random.default_rng(0)
    a = replace(MEANS, widths=(3, 6), depths=(2,)) if what in ("coding of parts", "checksum", "more") else MEANS
    coded = replace(coded_of(a, rng), errors=(0,) * len(a.configurations))
    assert coded.joint is not None
    assert coded.network.halvings is not None
    content = network.write(coded)
    start = len(network._write_architecture(a, False))
    scales = start + 2 + len(coded.errors)  # of the first layer
    first = coded.network.layers[0][0]
    at = content.index(bytes([*coded.joint.order.tolist(), *coded.joint.factors[1, :1].astype("<i2").tobytes()]), scales)
    after = at + 2 + 2 + 2  # order, factor, scale codes
    broken = {
        "order": content[:at] + b"\1\1" + content[at + 2 :],
        "halvings": content[:after] + bytes([32]) + content[after + 1 :],
        "coding": content[:start] + b"\4" + content[start + 1 :],
        "coding of parts": content[:start] + b"\3" + content[start + 1 :],
        "error": content[: start + 2] + varint(2**63) + content[start + 3 :],
        "multiplier": content[:scales] + varint(1 << 31) + content[scales + len(varint(first.multiplier)) :],
        "shift": content[:scales] + varint(first.multiplier) + bytes([63]) + content[scales + len(varint(first.multiplier)) + 1 :],
        "checksum": content[:-1] + bytes([content[-1] ^ 1]),
        "more": content + b"\0",
    }[what]
    read(content, a)
    with pytest.raises(FormatError):
        network.parse(broken, a.sizes, a.channels, a.bits)


@settings(max_examples=150)
@given(architectures(), st.integers(0, 2**32), st.data())
def test_damage_is_refused_or_read_as_another_network(a: Architecture, seed: int, data: st.DataObject) -> None:
    """What is read can be asked."""
    rng = np.random.default_rng(seed)
    content = bytearray(network.write(coded_of(a, rng)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.booleans())
    try:
        written = network.parse(bytes(content), a.sizes, a.channels, a.bits, cut)
        if written.memory > 1 << 26:
            return
        found = written.decode()
    except FormatError:
        return
    b, places = found.network.architecture, np.zeros((2, a.axes), np.int64)
    assert (b.sizes, b.channels, b.bits) == (a.sizes, a.channels, a.bits)
    if b.form == "values":
        found.network.means(places)
    else:
        found.network.logits(places)
    assert cut or len(network.write(found)) > 0


def test_a_section_that_is_cut_is_refused() -> None:
    for name in ("heads", "values, hashed and direct", "bitlinear", "values, parts"):
        a = ARCHITECTURES[name]
        content = network.write(coded_of(a, np.random.default_rng(0)))
        for n in range(0, len(content), 1 if len(content) < 400 else 7):
            with pytest.raises(FormatError):
                read(content[:n], a)


# --- networks in a network ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, a in ARCHITECTURES.items() if a.widths])
def test_every_cut_of_a_supernet_has_the_networks_that_are_whole(name: str) -> None:
    a = ARCHITECTURES[name]
    coded = coded_of(a, np.random.default_rng(5))
    content = network.write(coded)
    whole = network.parse(content, a.sizes, a.channels, a.bits)
    assert len(whole.numbers) == len(whole.ends) == len(a.configurations)
    assert whole.ends[-1] == len(content)
    for n in range(len(content) + 1):
        there = sum(end <= n for end in whole.ends)
        if not there:
            with pytest.raises(FormatError):
                network.parse(content[:n], a.sizes, a.channels, a.bits, cut=True)
            continue
        if n < len(content) and n not in whole.ends and n + 1 not in whole.ends and n % 23:
            continue  # others are alike
        written = network.parse(content[:n], a.sizes, a.channels, a.bits, cut=True)
        assert len(written.numbers) == there
        assert same(part_of(written, there - 1), coded.network.part(*a.configurations[there - 1]))
        joined = written.decode().network
        for c in a.configurations[:there]:
            assert same(joined.part(*c), coded.network.part(*c))


def part_of(written: network.Written, index: int) -> Network:
    """The network with this number in a network, decoded by itself: from the shells up to its own."""
    a = written.architecture
    short = replace(written, numbers=written.numbers[: index + 1])
    return short.decode().network.part(*a.configurations[index])


@settings(max_examples=40)
@given(architectures(parts=True), st.integers(0, 2**32))
def test_each_network_of_any_supernet(a: Architecture, seed: int) -> None:
    coded = coded_of(a, np.random.default_rng(seed))
    written = network.parse(network.write(coded), a.sizes, a.channels, a.bits)
    for i, c in enumerate(a.configurations):
        assert same(part_of(written, i), coded.network.part(*c))


def test_damage_in_a_supernet_spares_what_comes_before() -> None:
    a = ARCHITECTURES["heads, parts"]
    coded = coded_of(a, np.random.default_rng(5))
    content = network.write(coded)
    ends = network.parse(content, a.sizes, a.channels, a.bits).ends
    broken = content[: ends[1] + 9] + bytes([content[ends[1] + 9] ^ 4]) + content[ends[1] + 10 :]
    with pytest.raises(FormatError, match="checksum"):
        read(broken, a)
    written = network.parse(broken, a.sizes, a.channels, a.bits, cut=True)
    assert len(written.numbers) == 2
    assert same(part_of(written, 1), coded.network.part(*a.configurations[1]))


def test_numbers_of_the_codings() -> None:
    assert {c.number for c in names.CODINGS} == {0, 1, 2, 3}


def test_a_supernet_has_each_weight_once() -> None:
    a = ARCHITECTURES["heads, parts"]
    seen = [(np.zeros(s, int), np.zeros(s[0], int)) for s in a.shapes]
    for found in network.shells(a):
        for (w, b), (weights, biases) in zip(seen, found, strict=True):
            w += weights
            b += biases
    assert all((w == 1).all() and (b == 1).all() for w, b in seen)
