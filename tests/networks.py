"""Random networks of profile `inr`, and what SPEC.md says of networks and coded integers, in Python integers alone.

The reference is slow, and shares nothing with `inrcodec.kernels` but the tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import strategies as st

from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.kernels.inr import (
    LARGEST_BIAS,
    LARGEST_CELL,
    LARGEST_HALVING,
    LARGEST_MULTIPLIER,
    LARGEST_SHIFT,
    Cells,
    Layer,
    Network,
)
from inrcodec.kernels.meancode import Joint
from inrcodec.kernels.tables import gaussian, gelu, sine

PRIMES = (1, 2654435761, 805459861, 3674653429)

# every form, body and activation, with octaves, normalization, colour, grids, parts, and without biases; also axes of one place
ARCHITECTURES = {
    "heads": Architecture((9, 7), 3, 8, 16, 2),
    "heads, one unit": Architecture((5,), 1, 1, 1, 1),
    "heads, wide values": Architecture((6,), 1, 64, 5, 2, octaves=2),
    "heads, gelu, 3 axes": Architecture((4, 1, 5), 1, 1, 5, 1, activation="gelu"),
    "heads, 4 axes": Architecture((2, 3, 1, 4), 1, 2, 6, 2, octaves=3, biased=False),
    "heads, gaussian": Architecture((9, 7), 2, 4, 6, 3, activation="gaussian", octaves=24),
    "heads, normalized": Architecture((9, 7), 2, 4, 7, 3, normalized=True),
    "heads, normalized, one unit": Architecture((9, 7), 1, 4, 1, 2, activation="gaussian", normalized=True),
    "heads, recurrent": Architecture((9, 7), 1, 4, 6, 4, body="recurrent", activation="gelu"),
    "heads, recurrent, one layer": Architecture((9, 7), 1, 4, 6, 1, body="recurrent"),
    "heads, filters": Architecture((9, 7), 1, 4, 6, 3, body="filters"),
    "heads, filters, octaves": Architecture((9,), 2, 3, 6, 2, body="filters", octaves=2, biased=False),
    "heads, filters, one layer": Architecture((9,), 2, 3, 6, 1, body="filters"),
    "heads, grid": Architecture((9, 7), 1, 3, 5, 1, activation="gelu", levels=(Level(1, 2), Level(3, 1, 4))),
    "heads, filters, grid": Architecture((9, 7), 1, 3, 5, 2, body="filters", levels=(Level(0, 3),)),
    "heads, colour": Architecture((9, 7), 3, 5, 8, 2, colour=True),
    "heads, colour, one channel": Architecture((9, 7), 1, 5, 8, 2, colour=True, octaves=1),
    "siren": Architecture((9,), 1, 16, 9, 3, "siren", bit_places=16),
    "siren, more bit places": Architecture((9, 7), 2, 3, 5, 2, "siren", bit_places=9),
    "siren, one bit": Architecture((9,), 2, 1, 5, 1, "siren", bit_places=1),
    "siren, colour, grid": Architecture((9, 7), 2, 3, 5, 2, "siren", "recurrent", "gaussian", 2, 4, True, levels=(Level(2, 1),)),
    "bitlinear": Architecture((9, 7), 2, 4, 8, 2, "bitlinear", "mlp", "gelu", 5, normalized=True, biased=False),
    "bitlinear, plain": Architecture((9,), 1, 3, 4, 1, "bitlinear", biased=True),
    "bitlinear, filters": Architecture((9,), 2, 3, 4, 2, "bitlinear", "filters"),
    "values": Architecture((9, 7), 3, 8, 6, 2, "values"),
    "values, one bit": Architecture((9, 7), 1, 1, 6, 2, "values", activation="gaussian", scales=True),
    "values, 24 bits": Architecture((9, 7), 2, 24, 6, 2, "values", scales=True, octaves=3),
    "values, recurrent": Architecture((9,), 8, 16, 6, 3, "values", "recurrent", normalized=True),
    "values, colour": Architecture((9, 7), 3, 8, 6, 2, "values", colour=True, scales=True),
    "values, filters": Architecture((9,), 3, 8, 6, 2, "values", "filters", scales=True),
    "values, grid": Architecture(
        (9, 7), 3, 8, 6, 1, "values", activation="gelu", scales=True, levels=(Level(1, 1), Level(2, 2), Level(0, 3, 0, True))
    ),
    "values, hashed and direct": Architecture(
        (5, 1, 6, 3), 1, 8, 3, 1, "values", activation="gelu",
        levels=(Level(0, 2, 3), Level(28, 1), Level(1, 1, 2, True), Level(0, 1, 0, True)),
    ),
    "values, direct alone": Architecture((9, 1), 2, 9, 2, 1, "values", levels=(Level(0, 2, 0, True), Level(1, 2, 0, True))),
    "values, colour, grid": Architecture((7,), 2, 9, 2, 1, "values", colour=True, levels=(Level(0, 2, 0, True), Level(1, 2, 5))),
    "heads, parts": Architecture((9, 7), 1, 4, 8, 3, widths=(2, 5, 8), depths=(1, 3)),
    "siren, parts": Architecture((9,), 2, 4, 6, 2, "siren", bit_places=5, widths=(6,), depths=(1, 2), biased=False),
    "values, parts": Architecture((9, 7), 3, 8, 6, 3, "values", scales=True, widths=(1, 6), depths=(1, 2, 3), octaves=2, colour=True),
}  # fmt: skip


@st.composite
def architectures(draw: st.DrawFn, parts: bool | None = None, most: int = 9) -> Architecture:
    """Any architecture that can be written, small. parts: whether it has smaller networks in it; None: it may. most: places on an axis."""
    form = draw(st.sampled_from(["heads", "siren", "values"] if parts else ["heads", "siren", "bitlinear", "values"]))
    body = draw(st.sampled_from(["mlp"] if parts else ["mlp", "recurrent", "filters"]))
    sizes = tuple(draw(st.lists(st.integers(1, most), min_size=1, max_size=4)))
    channels, bits = draw(st.integers(1, 4)), draw(st.integers(1, 24 if form == "values" else 64 if form == "heads" else 6))
    hidden, layers = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    level = st.builds(Level, st.sampled_from([0, 1, 2, 28]), st.integers(1, 3), st.sampled_from([0, 0, 1, 4]))
    levels = [] if parts or form == "bitlinear" else draw(st.lists(level, max_size=3))
    if levels and form == "values":
        levels = [replace(x, direct=True, features=channels) if draw(st.booleans()) else x for x in levels]
    split = not levels and body == "mlp" and form != "bitlinear" and (draw(st.booleans()) if parts is None else parts)
    below = [st.sets(st.integers(1, n - 1), max_size=3) if n > 1 else st.just(set()) for n in (hidden, layers)]
    return Architecture(
        sizes,
        channels,
        bits,
        hidden,
        layers,
        form,  # type: ignore[arg-type]
        body,  # type: ignore[arg-type]
        "sine" if body == "filters" else draw(st.sampled_from(["sine", "gelu", "gaussian"])),
        draw(st.integers(0, 3)),
        draw(st.integers(bits, 64)) if form == "siren" else 0,
        form != "bitlinear" and draw(st.booleans()),
        body != "filters" and draw(st.booleans()),
        draw(st.booleans()),
        form == "values" and draw(st.booleans()),
        tuple(levels),
        *[(*sorted(draw(sizes)), last) if split else () for sizes, last in zip(below, (hidden, layers), strict=True)],
    )


# --- random networks ----------------------------------------------------------------------------------------------


def random_layer(a: Architecture, matrix: int, rng: np.random.Generator, full: bool) -> Layer:
    """Random weights of a matrix; `full` makes the partial sums as large as is allowed."""
    outputs, inputs = a.shapes[matrix]
    largest = a.largest_input(matrix)
    limit = min((2**53 - 1) // (inputs * largest), 2**30) if full else int(rng.integers(1, 3000))
    weights = rng.integers(-limit, limit + 1, (outputs, inputs))
    if full:
        weights[0] = limit  # all of one sign
    peak = int(np.abs(weights).sum(axis=1).max()) * largest
    multiplier = int(min(LARGEST_MULTIPLIER - 1, (2**62 - 1) // max(peak, 1)) if full else rng.integers(0, 2**16))
    # mostly shifts that leave arguments of all sizes
    spread = max(0, (peak * max(multiplier, 1)).bit_length() - int(rng.integers(8, 36)))
    shift = min(spread, LARGEST_SHIFT) if rng.random() < 0.8 else int(rng.integers(0, LARGEST_SHIFT + 1))
    bias = np.zeros(outputs, np.int64)
    if a.biased:
        bias = rng.integers(-LARGEST_BIAS if full else -(2**15), (LARGEST_BIAS if full else 2**15) + 1, outputs)
    return Layer(weights, bias, multiplier, shift)


def random_cells(a: Architecture, level: Level, rng: np.random.Generator, full: bool) -> Cells:
    """Random cells of a level; `full` makes the interpolated numbers as large as is allowed."""
    limit = LARGEST_CELL if full else int(rng.integers(1, 300))
    numbers = rng.integers(-limit, limit + 1, (level.cells(a.sizes), level.features))
    numbers[0, 0] = -limit
    if level.direct:
        return Cells(numbers)
    multiplier = min(LARGEST_MULTIPLIER - 1, (2**62 - 1) // (limit << 8)) if full else int(rng.integers(0, 2**16))
    return Cells(numbers, multiplier, max(0, ((limit << 8) * max(multiplier, 1)).bit_length() - int(rng.integers(8, 20))))


def random_network(a: Architecture, rng: np.random.Generator, full: bool = False) -> Network:
    """A network of random integers. full: all as large as they may be."""
    layers = [[random_layer(a, i, rng, full) for i in range(len(a.matrices))] for _ in range(a.networks)]
    cells = [random_cells(a, level, rng, full) for level in a.levels]
    halvings = rng.integers(0, LARGEST_HALVING + 1, a.outputs) if a.form == "values" else None
    return Network(a, layers, cells, halvings)


def random_joint(channels: int, rng: np.random.Generator) -> Joint:
    """A random order, random factors and scale codes."""
    factors = np.tril(rng.integers(-(2**15), 2**15, (channels, channels)), -1)
    return Joint(rng.permutation(channels).astype(np.int64), factors, rng.integers(0, 256, channels))


def random_coordinates(a: Architecture, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random coordinates, (count, axes), the two ends among them; those of an axis of one place are 0."""
    found = rng.integers(-(2**24), 2**24 + 1, (count, a.axes))
    found[0], found[1] = 2**24, -(2**24)
    return np.asarray(found * (np.array(a.sizes) > 1))


# --- SPEC.md, section 6 -------------------------------------------------------------------------------------------


def coordinate(place: int, size: int) -> int:
    """The coordinate of a place on an axis."""
    return ((2 * place - (size - 1)) * 2**24) // (size - 1) if size > 1 else 0


def clamp(x: int, low: int, high: int) -> int:
    """x within low … high."""
    return min(max(x, low), high)


def interpolation(level: Level, numbers: list[list[int]], place: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """The numbers g of a level at a place, one for each feature."""
    nodes = [-(-(n - 1) // 2**level.spacing) + 1 for n in sizes]
    sides = []
    for c, n, count in zip(place, sizes, nodes, strict=True):
        q = clamp(((c + 2**24) * (n - 1) * 2**8 + 2**24) >> 25, 0, (n - 1) * 2**8)
        k, f = q >> (8 + level.spacing), (q >> level.spacing) % 2**8
        sides.append([(k, 2**8 - f), (min(k + 1, count - 1), f)])
    g = [0] * level.features
    for corner in product(*sides):
        share = math.prod(part for _, part in corner)
        if share == 0:  # the node may lie outside of the grid
            continue
        if level.table:
            cell = 0
            for (k, _), prime in zip(corner, PRIMES, strict=False):
                cell ^= k * prime % 2**32
            cell %= 2**level.table
        else:
            cell = 0
            for (k, _), count in zip(corner, nodes, strict=True):
                cell = cell * count + k
        for i in range(level.features):
            g[i] += share * numbers[cell][i]
    return [x >> (8 * (len(sizes) - 1)) for x in g]


def norm(y: list[int]) -> list[int]:
    """Layer normalization."""
    n = len(y)
    m = sum(y) // n
    d = max(1, math.isqrt(sum((v - m) ** 2 for v in y) * 2**8 // n))
    return [clamp((v - m) * 2**16 // d, -(2**15), 2**15 - 1) for v in y]


class Plain:
    """A network of profile `inr` in Python integers."""

    def __init__(self, network: Network) -> None:
        self.network, self.a = network, network.architecture
        self.sine, self.gelu, self.gauss = sine().tolist(), gelu().tolist(), gaussian().tolist()
        self.layers = [[(x.weights.tolist(), x.bias.tolist(), x.multiplier, x.shift) for x in layers] for layers in network.layers]
        self.cells = [c.numbers.tolist() for c in network.cells]

    def inputs(self, coordinates: Iterable[int], features: Iterable[int]) -> list[int]:
        """Step 2: the inputs."""
        f = 12 if self.a.levels else 14 if self.a.octaves else 24
        found = []
        for c in coordinates:
            found.append(c >> (24 - f))
            for k in range(self.a.octaves):
                p = (c * 2**k) >> 9
                found += [self.sine[p % 2**16] >> (14 - f), self.sine[(p + 2**14) % 2**16] >> (14 - f)]
        return [*found, *features]

    def act(self, z: int) -> int:
        """The activation function."""
        if self.a.activation == "sine":
            return int(self.sine[z % 2**16])
        table = self.gelu if self.a.activation == "gelu" else self.gauss
        return int(table[clamp(z + 2**15, 0, 2**16 - 1)])

    def layer(self, which: int, index: int, x: list[int], more: Sequence[int] | None = None) -> list[int]:
        """z of a layer. more: halvings of its outputs."""
        weights, bias, m, s = self.layers[which][index]
        shifts = [min(s + h, 62) for h in more] if more is not None else [s] * len(bias)
        return [((sum(w * v for w, v in zip(row, x, strict=True)) * m) >> t) + b for row, b, t in zip(weights, bias, shifts, strict=True)]

    def run(self, which: int, x: list[int]) -> list[int]:
        """Step 3: the outputs of network number `which`."""
        a, last = self.a, len(self.layers[which]) - 1
        if a.body == "filters":
            y = [self.sine[z % 2**16] >> 2 for z in self.layer(which, 0, x)]
            for i in range(1, last, 2):
                u, v = self.layer(which, i, y), self.layer(which, i + 1, x)
                y = [(clamp(p, -(2**15) + 1, 2**15 - 1) * self.sine[q % 2**16]) >> 14 for p, q in zip(u, v, strict=True)]
        else:
            y = [self.act(z) for z in self.layer(which, 0, x)]
            for i in range(1, a.layers):
                y = [self.act(z) for z in self.layer(which, 1 if a.body == "recurrent" else i, norm(y) if a.normalized else y)]
            y = norm(y) if a.normalized else y
        halvings = self.network.halvings.tolist() if self.network.halvings is not None else None
        limit = 2**31 if a.form == "values" else 2**20
        return [clamp(z, -limit, limit) for z in self.layer(which, last, y, halvings)]

    def features(self, place: Sequence[int]) -> list[int]:
        """The inputs that come from cells."""
        found: list[int] = []
        for level, cells, numbers in zip(self.a.levels, self.network.cells, self.cells, strict=True):
            if not level.direct:
                g = interpolation(level, numbers, place, self.a.sizes)
                found += [clamp((v * cells.multiplier) >> cells.shift, -(2**15), 2**15) for v in g]
        return found

    def logits(self, place: Sequence[int], bits: int = 0) -> list[int]:
        """Step 4 of a network that predicts bits: the logits of all bit-planes; of a siren, of so many bits."""
        a, features = self.a, self.features(place)
        bits = bits or a.bits
        out: list[int] = []
        for c in range(a.channels):
            coordinates = [*place, *([coordinate(c, a.channels)] if a.colour else [])]
            own = 0 if a.colour else c
            for b in range(bits):
                if a.form == "siren":
                    out.append(self.run(0, self.inputs([*coordinates, coordinate(b, a.bit_places)], features))[own])
                elif a.form == "bitlinear":
                    out.append(self.run(b, self.inputs(coordinates, features))[own])
                else:
                    out.append(self.run(0, self.inputs(coordinates, features))[own * a.bits + b])
        return out

    def means(self, place: Sequence[int]) -> tuple[list[int], list[int]]:
        """Step 4 of a network that predicts values: means and scales of all channels."""
        a, features = self.a, self.features(place)
        means, scales = [], []
        for c in range(a.channels):
            coordinates = [*place, *([coordinate(c, a.channels)] if a.colour else [])]
            found, own, count = self.run(0, self.inputs(coordinates, features)), 0 if a.colour else c, 1 if a.colour else a.channels
            mean = found[own]
            direct = False
            for level, numbers in zip(a.levels, self.cells, strict=True):
                if level.direct:
                    mean += (interpolation(level, numbers, place, a.sizes)[c] * 2**22) >> a.bits
                    direct = True
            means.append(clamp(mean, -(2**31), 2**31) if direct else mean)
            scales.append(found[count + own] >> 17 if a.scales else 0)
        return means, scales


# --- SPEC.md, section 17 ------------------------------------------------------------------------------------------


def values_alone(network: Network, joint: Joint | None, gray: bool, place: Sequence[int], extra: int = 0) -> list[int]:
    """The values of all channels that the network alone gives at a place, with `extra` more bits."""
    a, plain = network.architecture, Plain(network)
    if joint is None:
        bits = a.bits + extra
        found = []
        logits = plain.logits(place, bits)
        for c in range(a.channels):
            value = 0
            for b in range(bits):
                bit = int(logits[c * bits + b] > 0)
                value = 2 * value + (bit ^ (value & 1) if gray else bit)
            found.append(value)
        return found
    mean, _ = plain.means(place)
    u = 2 ** (30 - a.bits)
    order, y, out = joint.order.tolist(), [0] * a.channels, [0] * a.channels
    for i, c in enumerate(order):
        moved = sum((int(joint.factors[i, j]) * y[order[j]]) >> 12 for j in range(i))
        y[c] = clamp(mean[c] + moved, 0, (2**a.bits - 1) * u)
        out[c] = (y[c] + u // 2) >> (30 - a.bits - extra)
        if not extra:
            y[c] = out[c] * u
    return out


# --- SPEC.md, section 8 -------------------------------------------------------------------------------------------


class PlainInput:
    """The arithmetic decoder of one string."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position, self.range = data, 4, 2**32 - 1
        self.code = int.from_bytes((data + bytes(4))[:4], "big")

    def bit(self, p: int) -> int:
        """The next bit. p: the probability of a 1, times 2^16."""
        assert 1 <= p <= 65535
        bound = (self.range * p) >> 16
        result = int(self.code < bound)
        if result:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        while self.range < 2**24:
            self.range *= 2**8
            self.code = self.code * 2**8 + (self.data[self.position] if self.position < len(self.data) else 0)
            self.position += 1
        return result


class PlainIntegers:
    """The adaptive probabilities of arrays of coded integers: pairs of estimate and age."""

    def __init__(self) -> None:
        self.lengths = [[[2**21, 0] for _ in range(32)] for _ in range(8)]
        self.highest = [[[[2**21, 0] for _ in range(4)] for _ in range(33)] for _ in range(8)]

    def array(self, stream: PlainInput, count: int, width: int = 0) -> list[int]:
        """The numbers of an array. width: of its rows, 0: none."""
        found: list[int] = []
        for i in range(count):
            near = 0
            if width and i % width:
                near += abs(found[i - 1])
            if width and i >= width:
                near += abs(found[i - width])
            found.append(self.number(stream, min(near.bit_length(), 7)))
        return found

    def number(self, stream: PlainInput, x: int) -> int:
        """One number. x: its set."""
        length = 0
        while length < 32 and adaptive(stream, self.lengths[x][length], 255):
            length += 1
        if length == 0:
            return 0
        negative, m = stream.bit(32768), 1
        for i in range(length - 1):
            m = 2 * m + (adaptive(stream, self.highest[x][length][m], 255) if i < 2 else stream.bit(32768))
        return -m if negative else m


def adaptive(stream: PlainInput, a: list[int], limit: int) -> int:
    """A bit with an adaptive probability, [estimate, age], which learns it."""
    b, r = stream.bit(clamp(a[0] >> 6, 1, 65535)), 131072 // (2 * a[1] + 3)
    a[0] += ((2**22 - a[0]) * r) >> 16 if b else -((a[0] * r) >> 16)
    a[1] = min(a[1] + 1, limit)
    return b
