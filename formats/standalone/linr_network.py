"""The profile `inr` of linr.py, in plain Python and NumPy, written from SPEC.md alone: the coordinate network and what it gives.

The network (6), the tiles (9), what the network alone gives (17). The sparse matrices (7) and the coded integers (8) are in linr.py.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from linr import (
    SINR,
    Adaptive,
    ArithmeticDecoder,
    Coder,
    Head,
    Ints,
    Layer,
    Reader,
    Span,
    Words,
    beside,
    coded_integers,
    exp2_table,
    gauss_table,
    gelu_table,
    read_sparse,
    require,
    sigmoid_table,
    sine_table,
    squash_table,
    stretch_table,
    typed_floats,
)

BLOCK = 1024  # so many places are evaluated at once

# 6. NETW: the network

HEADS, SIREN, BITLINEAR, VALUES = range(4)
PLAIN, RECURRENT, FILTERS = range(3)
GELU, SINE, GAUSSIAN = range(3)
PRIMES = (1, 2654435761, 805459861, 3674653429)


@dataclass
class Level:
    """A level of the grid."""

    spacing: int
    features: int
    direct: bool
    table: int
    nodes: tuple[int, ...]  # along each axis
    multiplier: int = 0
    shift: int = 0
    cells: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))  # a row per feature

    @property
    def count(self) -> int:
        """The number of cells."""
        return 1 << self.table if self.table else math.prod(self.nodes)


@dataclass
class Modulation:
    """What a network from a prior of patches of 2^patch places along each axis adds to its hidden layers: a row of shifts per patch."""

    patch: int
    shifts: Ints


@dataclass
class Network:
    """The network of a file, or several, with what is needed to evaluate them."""

    axes: tuple[int, ...]
    channels: int
    bits: int
    form: int
    body: int
    activation: int
    gray: bool
    colour: bool
    normalized: bool
    biased: bool
    scales: bool
    grid: bool
    parts: bool
    hidden: int
    depth: int
    octaves: int
    bit_places: int = 0  # D
    levels: list[Level] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    distances: list[int] = field(default_factory=list)
    networks: list[list[Layer]] = field(default_factory=list)  # one; bitlinear: one per bit of a value
    gains: list[int] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    factors: list[list[int]] = field(default_factory=list)  # factors[i][j] is k_ij
    scale_codes: list[int] = field(default_factory=list)
    halvings: list[int] = field(default_factory=list)
    modulation: Modulation | None = None  # 18

    @property
    def at_once(self) -> int:
        """C': the channels that an evaluation gives."""
        return 1 if self.colour else self.channels

    @property
    def inputs(self) -> int:
        coordinates = len(self.axes) + (self.form == SIREN) + self.colour
        return coordinates * (1 + 2 * self.octaves) + sum(level.features for level in self.levels if not level.direct)

    @property
    def outputs(self) -> int:
        return self.at_once * (self.bits if self.form == HEADS else 2 if self.scales else 1)

    @property
    def input_bits(self) -> int:
        """F."""
        return 12 if self.grid else 14 if self.octaves else 24

    @property
    def configurations(self) -> list[tuple[int, int]]:
        """(layers, units)."""
        return [(layers, units) for units in self.widths for layers in self.depths]

    def shapes(self, layers: int, units: int) -> list[tuple[int, int, bool]]:
        """(outputs, inputs, whether it takes the network's inputs) of the matrices of one network."""
        body = {
            PLAIN: [(units, units, False)] * (layers - 1),
            RECURRENT: [(units, units, False)] * min(layers - 1, 1),
            FILTERS: [(units, units, False), (units, self.inputs, True)] * (layers - 1),
        }
        return [(units, self.inputs, True), *body[self.body], (self.outputs, units, False)]


def read_network(content: bytes, head: Head) -> Network:
    if content[:1] == b"\x40":
        found: Network = beside("linr_prior").read_network(content, head)
        return found
    reader = Reader(content)
    net = read_architecture(reader, head)
    coding, setting = reader.byte(), reader.byte()
    require(coding <= SINR, "an unknown coding of weights")
    require(coding != SINR or not net.parts, "a sparse network of parts")
    read_errors(reader, net)
    layers = make_layers(net)
    read_scales(reader, net, layers)
    if net.parts:
        read_part_strings(reader, net)
    else:
        sparse = [layer for layer in layers if net.octaves or net.grid or not layer.takes_inputs] if coding == SINR else []
        read_string(reader, net, layers, [layer for layer in layers if not any(layer is other for other in sparse)])
        if coding == SINR:
            read_sparse(Reader(reader.rest()), sparse, setting)
    reader.finish()
    check_exact(net)
    return net


def read_errors(reader: Reader, net: Network) -> None:
    """The errors of the configurations, and the distances, which values of one bit have."""
    net.errors = [reader.varint() for _ in net.configurations]
    require(max(net.errors) < 1 << 63, "the error of a configuration is out of range")
    if net.bits == 1:
        net.distances = [reader.varint() for _ in net.configurations]
        require(max(net.distances) <= 1 << 24, "the distance of a configuration is out of range")
        require([e > 0 for e in net.errors] == [d > 0 for d in net.distances], "an error and its distance contradict each other")


def read_architecture(reader: Reader, head: Head) -> Network:
    """The fields before the coding."""
    form, flags = reader.byte(), reader.byte()
    require(form < 64 and form >> 2 & 3 <= FILTERS and form >> 4 <= GAUSSIAN, "an unknown form of the network")
    require(flags < 128, "unknown flags of the network")
    gray, colour, normalized, unbiased, scales, grid, parts = (bool(flags >> i & 1) for i in range(7))
    hidden, depth, octaves = reader.varint(), reader.varint(), reader.varint()
    require(1 <= hidden <= 8192 and 1 <= depth <= 32 and octaves <= 24, "the size of the network is out of range")
    net = Network(
        axes=head.axes,
        channels=head.channels,
        bits=head.bits,
        form=form & 3,
        body=form >> 2 & 3,
        activation=form >> 4,
        gray=gray,
        colour=colour,
        normalized=normalized,
        biased=not unbiased,
        scales=scales,
        grid=grid,
        parts=parts,
        hidden=hidden,
        depth=depth,
        octaves=octaves,
    )
    require(net.form != VALUES or (net.bits <= 24 and not gray), "a network of values with too many bits, or with a Gray code")
    require(net.form == VALUES or not scales, "scales without values")
    require(net.body != FILTERS or (net.activation == SINE and not normalized), "filters with what they cannot have")
    require(net.form != BITLINEAR or not (grid or parts or colour), "bitlinear with what it cannot have")
    require(not grid or max(net.axes) <= 1 << 28, "an axis that is too long for a grid")
    require(not parts or (not grid and net.body == PLAIN), "parts of a network with a grid or another body")

    if net.form == SIREN:
        net.bit_places = reader.varint()
        require(net.bits <= net.bit_places <= 64, "the number of bit places is out of range")
    if grid:
        count = reader.varint()
        require(1 <= count <= 32, "the number of levels is out of range")
        net.levels = [read_level(reader, net) for _ in range(count)]
    net.widths = read_sizes(reader, hidden) if parts else [hidden]
    net.depths = read_sizes(reader, depth) if parts else [depth]
    return net


def read_level(reader: Reader, net: Network) -> Level:
    spacing, features, table = reader.byte(), reader.varint(), reader.byte()
    direct = table >= 128
    table &= 127
    require(spacing <= 28 and 1 <= features <= 256 and table <= 24, "a level is out of range")
    require(not direct or (net.form == VALUES and features == net.channels), "a direct level that is not of the channels' values")
    return Level(spacing, features, direct, table, tuple(-(-(n - 1) >> spacing) + 1 for n in net.axes))


def read_sizes(reader: Reader, last: int) -> list[int]:
    """The widths or the depths."""
    count = reader.varint()
    require(1 <= count <= 16, "the number of widths or depths is out of range")
    sizes = [reader.varint() for _ in range(count)]
    ascending = all(a < b for a, b in itertools.pairwise([0, *sizes]))
    require(ascending and sizes[-1] == last, "the widths or depths are out of order")
    return sizes


def make_layers(net: Network) -> list[Layer]:
    """All layers, without their numbers."""
    shapes = net.shapes(net.depth, net.hidden)
    count = net.bits if net.form == BITLINEAR else 1
    total = count * sum(o * (i + net.biased) for o, i, _ in shapes) + sum(level.count * level.features for level in net.levels)
    require(total <= 1 << 24, "the network has too many parameters")
    net.networks = [[Layer(*shape, bias=np.zeros(shape[0], np.int64)) for shape in shapes] for _ in range(count)]
    return [layer for network in net.networks for layer in network]


def read_scales(reader: Reader, net: Network, layers: Sequence[Layer]) -> None:
    """What stands between the errors and the coded integers."""
    scaled: list[Layer | Level] = [*layers, *(level for level in net.levels if not level.direct)]
    for part in scaled:
        part.multiplier, part.shift = reader.varint(), reader.byte()
        require(part.multiplier < 1 << 31 and part.shift <= 62, "a multiplier or a shift is out of range")
    for layer in layers if net.biased else []:
        layer.grain = reader.byte()
        require(layer.grain <= 31, "a grain is out of range")
    if net.form != VALUES:
        net.gains = [gain(reader.byte()) for _ in range(net.channels * net.bits)]
        return
    net.order = list(reader.take(net.channels))
    require(sorted(net.order) == list(range(net.channels)), "the order of the channels is not a permutation")
    net.factors = [[int.from_bytes(reader.take(2), "little", signed=True) for _ in range(i)] for i in range(net.channels)]
    net.scale_codes = list(reader.take(net.channels))
    net.halvings = list(reader.take(net.outputs))
    require(max(net.halvings) <= 31, "a number of halvings is out of range")


# 6. Coded integers


def read_string(reader: Reader, net: Network, layers: Sequence[Layer], dense: Sequence[Layer]) -> None:
    decoder = ArithmeticDecoder(reader.take(reader.varint()))
    if net.biased:
        for layer in layers:
            layer.bias = coded_integers(decoder, layer.outputs)
    for layer in dense:
        layer.matrix = coded_integers(decoder, layer.outputs * layer.inputs).astype(np.float64).reshape(layer.outputs, layer.inputs)
    for level in net.levels:
        width = 0 if level.table else level.nodes[-1]
        level.cells = np.stack([coded_integers(decoder, level.count, width=width) for _ in range(level.features)])
    decoder.finish()


def read_part_strings(reader: Reader, net: Network) -> None:
    """Each string has what its configuration has and none before it has."""
    network = net.networks[0]
    for layer in network:
        layer.matrix = np.zeros((layer.outputs, layer.inputs))
    had_biases = [np.zeros(layer.outputs, bool) for layer in network]
    had_weights = [np.zeros((layer.outputs, layer.inputs), bool) for layer in network]
    of_biases, of_weights = Coder(), Coder()
    for layers, units in net.configurations:
        length, crc = reader.varint(), int.from_bytes(reader.take(4), "little")
        string = reader.take(length)
        require(crc == zlib.crc32(string), "wrong CRC of a configuration")
        parts = [*range(layers), net.depth]  # of the layers
        shapes = net.shapes(layers, units)
        new_biases, new_weights = [], []
        for part, (outputs, inputs, _) in zip(parts, shapes, strict=True):
            biases, weights = np.zeros_like(had_biases[part]), np.zeros_like(had_weights[part])
            biases[:outputs], weights[:outputs, :inputs] = net.biased, True
            new_biases.append(biases & ~had_biases[part])
            new_weights.append(weights & ~had_weights[part])
            had_biases[part] |= biases
            had_weights[part] |= weights
        decoder = ArithmeticDecoder(string)
        biases = coded_integers(decoder, sum(int(new.sum()) for new in new_biases), coder=of_biases)
        weights = coded_integers(decoder, sum(int(new.sum()) for new in new_weights), coder=of_weights)
        decoder.finish()
        for part, new in zip(parts, new_biases, strict=True):
            network[part].bias[new], biases = biases[: new.sum()], biases[new.sum() :]
        for part, new in zip(parts, new_weights, strict=True):
            network[part].matrix[new], weights = weights[: new.sum()], weights[new.sum() :]


def configured(net: Network, configuration: tuple[int, int]) -> Network:
    """The network of a configuration."""
    if not net.parts:
        return net
    layers, units = configuration
    parts = []
    for part, (outputs, inputs, _) in zip([*range(layers), net.depth], net.shapes(layers, units), strict=True):
        layer = net.networks[0][part]
        parts.append(replace(layer, outputs=outputs, inputs=inputs, bias=layer.bias[:outputs], matrix=layer.matrix[:outputs, :inputs]))
    return replace(net, depth=layers, hidden=units, networks=[parts])


def check_exact(net: Network) -> None:
    """Every sum must be exact in float64, every product in 63 bits. The biases get the zero bits that were not written."""
    for layer in itertools.chain(*net.networks):
        if layer.takes_inputs:
            input_bits = 15 if net.grid else net.input_bits
        else:
            input_bits = 15 if net.normalized or net.body == FILTERS or net.activation == GELU else 14
        magnitude = np.abs(layer.matrix)
        require(magnitude.max() <= 1 << 30, "a weight is too large")
        require(int(np.abs(layer.bias).max()) << layer.grain <= 1 << 31, "a bias is too large")
        layer.bias <<= layer.grain
        total = int(magnitude.sum(axis=1).max()) << input_bits
        require(total < 1 << 53 and total * layer.multiplier < 1 << 62, "the sums of a layer are not exact")
    for level in net.levels:
        most = int(np.abs(level.cells).max())
        require(most <= 1 << 24 and (most << 8) * level.multiplier < 1 << 62, "a number in a cell is too large")


# 6. Evaluation


def coordinate(i: int, n: int) -> int:
    """The coordinate of place i on an axis of n places. In Python's integers: the product may have more than 64 bits."""
    return ((2 * i - (n - 1)) << 24) // (n - 1) if n > 1 else 0


def network_inputs(net: Network, places: Ints, *others: int) -> Ints:
    """A row per place; `others` are the coordinates of the channel and of the bit, where the network has them."""
    coordinates = np.column_stack([places, *(np.full(len(places), other) for other in others)])
    columns = []
    for c in coordinates.T:
        columns.append(c >> 24 - net.input_bits)
        for k in range(net.octaves):
            p = (c << k) >> 9
            columns += [sine_table()[p % 2**16] >> 14 - net.input_bits, sine_table()[(p + 2**14) % 2**16] >> 14 - net.input_bits]
    for level in net.levels:
        if not level.direct:
            columns += list(np.clip(features(level, places, net.axes) * level.multiplier >> level.shift, -(2**15), 2**15).T)
    return np.stack(columns, axis=1)


def arguments(layer: Layer, x: Ints, halvings: Sequence[int] = ()) -> Ints:
    """z of a layer; x has a row per place."""
    sums = (x.astype(np.float64) @ layer.matrix.T).astype(np.int64)
    shifts = np.minimum(layer.shift + np.array(halvings or [0]), 62)
    z: Ints = (sums * layer.multiplier >> shifts) + layer.bias
    return z


def sine(z: Ints) -> Ints:
    found: Ints = sine_table()[z % 2**16]
    return found


def activated(net: Network, z: Ints) -> Ints:
    if net.activation == SINE:
        return sine(z)
    table = gelu_table() if net.activation == GELU else gauss_table()
    found: Ints = table[np.clip(z + 2**15, 0, 2**16 - 1)]
    return found


def normalized(net: Network, y: Ints) -> Ints:
    if not net.normalized:
        return y
    n = y.shape[1]
    apart = y - y.sum(axis=1, keepdims=True) // n
    variances = (apart**2).sum(axis=1) * 2**8 // n
    d = np.array([max(1, math.isqrt(variance)) for variance in variances.tolist()])[:, None]
    found: Ints = np.clip(apart * 2**16 // d, -(2**15), 2**15 - 1)
    return found


def outputs_of(net: Network, network: Sequence[Layer], x: Ints) -> Ints:
    """The last layer's outputs for the inputs x, a row per place."""
    first, *between, last = network
    if net.body == FILTERS:
        y = sine(arguments(first, x)) >> 2
        for u, v in zip(between[::2], between[1::2], strict=True):
            y = np.clip(arguments(u, y), -(2**15) + 1, 2**15 - 1) * sine(arguments(v, x)) >> 14
    else:
        y = activated(net, arguments(first, x))
        for layer in between if net.body == PLAIN else between * (net.depth - 1):
            y = activated(net, arguments(layer, normalized(net, y)))
        y = normalized(net, y)
    if net.form == VALUES:
        return np.clip(arguments(last, y, net.halvings), -(2**31), 2**31)
    return np.clip(arguments(last, y), -(2**20), 2**20)


def groups(net: Network) -> Iterator[tuple[slice, list[int]]]:
    """The channels that an evaluation gives, and the coordinate that the network has of them, if it has one."""
    for c in range(0, net.channels, net.at_once):
        yield slice(c, c + net.at_once), [coordinate(c, net.channels)] if net.colour else []


def logits(net: Network, places: Ints, bits: int) -> Ints:
    """The logits of so many bits of each channel: place, channel, bit. `places` are their coordinates, a row each."""
    found = np.zeros((len(places), net.channels, bits), np.int64)
    for channels, colour in groups(net):
        if net.form == HEADS:
            found[:, channels] = outputs_of(net, net.networks[0], network_inputs(net, places, *colour)).reshape(len(places), -1, bits)
        elif net.form == SIREN:
            for b in range(bits):
                x = network_inputs(net, places, *colour, coordinate(b, net.bit_places))
                found[:, channels, b] = outputs_of(net, net.networks[0], x)
        else:
            for b, network in enumerate(net.networks):
                found[:, channels, b] = outputs_of(net, network, network_inputs(net, places))
    return found


def means_and_scales(net: Network, places: Ints) -> tuple[Ints, Ints]:
    """Those of each channel: place, channel."""
    if net.modulation:
        means = modulated(net, net.modulation, places)
        return means, np.zeros_like(means)
    means, scales = np.zeros((2, len(places), net.channels), np.int64)
    for channels, colour in groups(net):
        outputs = outputs_of(net, net.networks[0], network_inputs(net, places, *colour))
        means[:, channels] = outputs[:, : net.at_once]
        if net.scales:
            scales[:, channels] = outputs[:, net.at_once :] >> 17
    for level in net.levels:
        if level.direct:
            means += features(level, places, net.axes) << 22 >> net.bits
    return np.clip(means, -(2**31), 2**31), scales


# 18. Networks from priors


def modulated(net: Network, modulation: Modulation, places: Ints) -> Ints:
    """The means of each channel: place, channel."""
    rows, local = np.zeros(len(places), np.int64), []
    bits = 8 + modulation.patch
    for c, n in zip(places.T, net.axes, strict=True):
        q = position(c, n)
        rows = rows * -(-n >> modulation.patch) + (q >> bits)
        last = (1 << bits) - 256
        local.append(np.minimum((2 * (q - (q >> bits << bits)) - last << 24) // max(last, 1), 2**24))
    y = network_inputs(net, np.stack(local, axis=1))
    *hidden, output = net.networks[0]
    shifts = modulation.shifts[rows]
    for i, layer in enumerate(hidden):
        y = sine(arguments(layer, y) + shifts[:, i * net.hidden : (i + 1) * net.hidden])
    return np.clip(arguments(output, y), -(2**31), 2**31)


# 6. Cells


def position(c: Ints, n: int) -> Ints:
    """q: the positions of coordinates on an axis of n places, in units of 2^-8 places."""
    found: Ints = np.clip((c + 2**24) * ((n - 1) << 8) + 2**24 >> 25, 0, (n - 1) << 8)
    return found


def features(level: Level, places: Ints, axes: Sequence[int]) -> Ints:
    """The values g of a level's features, a row per place."""
    below, shares = [], []
    for c, n in zip(places.T, axes, strict=True):
        q = position(c, n)
        below.append(q >> 8 + level.spacing)
        shares.append((q >> level.spacing) % 2**8)
    g = np.zeros((len(places), level.features), np.int64)
    for corner in itertools.product((0, 1), repeat=len(axes)):
        share = np.ones(len(places), np.int64)
        nodes = []
        for up, k, f, count in zip(corner, below, shares, level.nodes, strict=True):
            share *= f if up else 2**8 - f
            nodes.append(np.minimum(k + up, count - 1))
        g += share[:, None] * level.cells[:, cell(level, nodes)].T
    return g >> 8 * (len(axes) - 1)


def cell(level: Level, nodes: Sequence[Ints]) -> Ints:
    """The cells of nodes: their numbers along each axis."""
    number = np.zeros_like(nodes[0])
    if level.table:
        for k, prime in zip(nodes, PRIMES, strict=False):
            number ^= k * prime % 2**32
        number %= 2**level.table
        return number
    for k, count in zip(nodes, level.nodes, strict=True):
        number = number * count + k
    return number


# 9. Tiles


def gain(code: int) -> int:
    """The gain times 2^8."""
    return 0 if code == 0 else (16 + code % 16) << code // 16


class BitDecoder(Protocol):
    """What a tile's bits come from: an ArithmeticDecoder; or an encoder, which knows the bits."""

    def bit(self, p: int) -> int: ...


class Planes:
    """The nodes of all bit-planes, and the bits that are decoded with them."""

    def __init__(self, decoder: BitDecoder, count: int) -> None:
        self.decoder = decoder
        self.squash = squash_table().tolist()
        self.nodes = [[Adaptive(self.squash[256 * m] << 6, 12, 250) for m in range(25)] for _ in range(count)]

    def adapted(self, j: int, z: int, gain: int) -> int:
        t = min(max(z * gain >> 10, -3071), 3071) + 3072
        m, f = t >> 8, t % 256
        low, high = self.nodes[j][m : m + 2]
        q = low.estimate * (256 - f) + high.estimate * f >> 14
        bit = self.decoder.bit(min(max(self.squash[t] + 3 * q + 2 >> 2, 1), 65535))
        (low if f < 128 else high).update(bit)
        return bit


def from_gray(code: int) -> int:
    """The value v whose Gray code v xor (v >> 1) is `code`."""
    value = 0
    while code:
        value ^= code
        code >>= 1
    return value


def place_of_bits(net: Network, planes: Planes, logits: list[list[int]]) -> list[int]:
    """The values of a place, by the logits of its channels' bits."""
    values = []
    for c, of_channel in enumerate(logits):
        value = 0
        for b, z in enumerate(of_channel):
            j = c * net.bits + b
            value = value << 1 | planes.adapted(j, z, net.gains[j])
        values.append(from_gray(value) if net.gray else value)
    return values


def place_of_values(net: Network, planes: Planes, mean: list[int], scale: list[int], errors: list[list[int]], width: int) -> list[int]:
    """The values of a place, by the means and scales of its channels. errors: r of the places before; that of this one is appended."""
    u = 1 << 30 - net.bits
    usual = [91750] * net.channels
    last = errors[-1] if errors else usual
    above = errors[-width] if len(errors) >= width else usual
    here = [0] * net.channels
    y, values = [0] * net.channels, [0] * net.channels
    for c, factors in zip(net.order, net.factors, strict=True):
        z = mean[c] + sum(k * y[other] >> 12 for k, other in zip(factors, net.order, strict=False))
        z = min(max(z, -(2**32)), 2**32)
        a = ((last[c] + above[c]) * 195 >> 16) - 512
        e = min(max(min(max(scale[c], -(2**13)), 2**13) + 2**6 * net.scale_codes[c] + a >> 2, 0), 2**13 - 1)
        steepness = (int(exp2_table()[-e % 256]) >> 14, 26 - net.bits - (-e >> 8))
        low, high, below, upto = 0, 1 << net.bits, 0, 1 << 46
        for b in range(net.bits):
            middle = (low + high) // 2
            mass = mass_below(net, middle, z, *steepness)
            p = ((upto - mass) << 16) // (upto - below)
            if planes.adapted(c * net.bits + b, 4 * int(stretch_table()[min(p, 65535) >> 4]), 2**8):
                low, below = middle, mass
            else:
                high, upto = middle, mass
        values[c] = low
        y[c] = low * u
        here[c] = min(abs(low * u - z) * steepness[0] >> steepness[1], 2**18)
    errors.append(here)
    return values


def mass_below(net: Network, v: int, z: int, factor: int, shift: int) -> int:
    """F(v): the mass below v."""
    u = 1 << 30 - net.bits
    t = min(max(((2 * v - 1) * u // 2 - z) * factor >> shift, -(2**20)), 2**20 - 1) + 2**20
    a, b = sigmoid_table()[t >> 10 : (t >> 10) + 2].tolist()
    f: int = a + ((b - a) * (t % 2**10) >> 10) >> 2
    return f - (f >> 12) + (v << 34 - net.bits)


def blocks(spans: Sequence[range], sizes: Sequence[int]) -> Iterator[Ints]:
    """The coordinates of the places within the spans, in raster order, a row each, a block at a time; `sizes` are those of the axes."""
    of_axes = [np.array([coordinate(i, n) for i in span], np.int64) for span, n in zip(spans, sizes, strict=True)]
    shape = [len(span) for span in spans]
    count = math.prod(shape)
    for start in range(0, count, BLOCK):
        positions = np.unravel_index(np.arange(start, min(start + BLOCK, count)), shape)
        yield np.stack([of_axis[i] for of_axis, i in zip(of_axes, positions, strict=True)], axis=1)


def values_of_tile(decoder: BitDecoder, span: Span, net: Network) -> Words:
    """The values of a tile, those of a place together."""
    planes = Planes(decoder, net.channels * net.bits)
    values: list[int] = []
    errors: list[list[int]] = []
    width = span[-1].stop - span[-1].start if len(span) > 1 else 2
    for places in blocks([range(part.start, part.stop) for part in span], net.axes):
        if net.form == VALUES:
            for mean, scale in zip(*(part.tolist() for part in means_and_scales(net, places)), strict=True):
                values += place_of_values(net, planes, mean, scale, errors, width)
        else:
            for of_place in logits(net, places, net.bits).tolist():
                values += place_of_bits(net, planes, of_place)
    return np.array(values, np.uint64)


def decode_tile(tile: bytes, span: Span, head: Head, net: Network) -> Words:
    if net.errors[-1] == 0:
        require(not tile, "a tile has content where the network gives every value")
        return values_alone(net, [range(part.start, part.stop) for part in span], net.axes, 0).reshape(-1)
    decoder = ArithmeticDecoder(tile)
    values = values_of_tile(decoder, span, net)
    decoder.finish()
    return values


# 17. What the network alone gives


def network_values(net: Network, size: Sequence[int] = (), more_bits: int = 0, configuration: tuple[int, int] | None = None) -> Words:
    """The values of bits + more_bits bits at the places of a grid of this size (empty: that of the signal), with an axis of channels."""
    size = tuple(size or net.axes)
    if len(size) != len(net.axes) or min(size) < 1:
        raise ValueError(f"the size must have {len(net.axes)} axes of at least 1 place")
    most = 30 - net.bits if net.form == VALUES else net.bit_places - net.bits if net.form == SIREN and not net.gray else 0
    if not 0 <= more_bits <= most:
        raise ValueError(f"this network gives at most {most} more bits")
    if configuration is not None:
        if configuration not in net.configurations:
            raise ValueError(f"the configurations of this network, layers and units, are {net.configurations}")
        net = configured(net, configuration)
    return values_alone(net, [range(n) for n in size], size, more_bits).reshape(*size, net.channels)


def values_alone(net: Network, spans: Sequence[range], sizes: Sequence[int], more_bits: int) -> Words:
    """The values that the network alone gives at the places within the spans, of axes of these sizes: place, channel."""
    return np.concatenate([values_of_places(net, places, more_bits) for places in blocks(spans, sizes)])


def values_of_places(net: Network, places: Ints, more_bits: int) -> Words:
    if net.form == VALUES:
        return values_of_means(net, means_and_scales(net, places)[0], more_bits)
    bits = (logits(net, places, net.bits + more_bits) > 0).astype(np.uint64)
    values = np.zeros(bits.shape[:2], np.uint64)
    before = np.zeros_like(values)
    for b in range(bits.shape[2]):
        before = bits[:, :, b] ^ before if net.gray else bits[:, :, b]  # a bit of a value is the exclusive or of those of its code up to it
        values = values << np.uint64(1) | before
    return values


def values_of_means(net: Network, means: Ints, more_bits: int) -> Words:
    u = 1 << 30 - net.bits
    y, values = np.zeros_like(means), np.zeros_like(means)
    for c, factors in zip(net.order, net.factors, strict=True):
        moved = sum((k * y[:, other] >> 12 for k, other in zip(factors, net.order, strict=False)), np.int64(0))
        y[:, c] = np.clip(means[:, c] + moved, 0, (2**net.bits - 1) * u)
        values[:, c] = y[:, c] + u // 2 >> 30 - net.bits - more_bits
        if more_bits == 0:
            y[:, c] = values[:, c] * u
    return values.astype(np.uint64)


def floats_of_network(head: Head, values: Words, more_bits: int) -> npt.NDArray[Any]:
    """The floats nearest to what the values say."""
    if more_bits:
        raise ValueError("floats have no more bits")
    floats = beside("linr_floats")
    integers = floats.integers_of(values, head.offset, head.step, head.float_map.width, wrapped=False)
    return typed_floats(head, floats.floats_of(integers, head.float_map, rounded=True))


def samples_of_network(head: Head, values: Words, more_bits: int, known: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """offset·2^e + step·value of all values, within what fits the depth, or within what `known` samples leave.

    In the type of the file's samples, or, if they need more bits than it has, in the narrowest that has them.
    """
    if head.float_map is not None:
        return floats_of_network(head, values, more_bits)
    depth = head.bit_depth + more_bits
    if depth > 64:
        raise ValueError("samples of more than 64 bits")
    signed = head.low < 0
    low, high = (-(1 << depth - 1), (1 << depth - 1) - 1) if signed else (0, (1 << depth) - 1)
    dtype = head.dtype
    if high > head.high:
        width = next(width for width in (1, 2, 4, 8) if 8 * width >= depth)
        dtype = np.dtype(f"{'>' if dtype.str[0] == '>' else '<'}{'i' if signed else 'u'}{width}")
    shape = values.shape if head.channel_axis else values.shape[:-1]
    samples = np.clip((head.offset << more_bits) + head.step * values.astype(object), low, high).reshape(shape)
    if known is not None:
        least = known.astype(object) * 2**more_bits
        samples = np.clip(samples, least, least + 2**more_bits - 1)
    typed: npt.NDArray[Any] = samples.astype(dtype)
    return typed
