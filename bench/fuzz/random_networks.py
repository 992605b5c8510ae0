"""Random networks of profile `inr`: every form, body, activation and option, with integer weights as no fit makes them, and values to code.

For fuzzers and tests: a network is valid by construction, or made again until it is.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inrcodec.kernels.architecture import Architecture, Level
from inrcodec.kernels.inr import (
    LARGEST_BIAS,
    LARGEST_CELL,
    LARGEST_HALVING,
    LARGEST_MULTIPLIER,
    LARGEST_SHIFT,
    LARGEST_WEIGHT,
    BoundError,
    Cells,
    Layer,
    Network,
)
from inrcodec.kernels.meancode import Joint
from inrcodec.profiles.inr.coding import coordinates_of, network_values
from inrcodec.values import Values, value_type
from inrcodec.weights import sinr
from inrcodec.weights.network import MAX_BIT_PLACES, CodedNetwork, sparse_layers

FORMS = ("heads", "siren", "bitlinear", "values")
ACTIVATIONS = ("sine", "gelu", "gaussian")
SIDES = (1, 1, 2, 3, 4, 5, 7, 9, 12, 17)
MOST_PLACES, MOST_PARAMETERS = 160, 20_000

Generator = np.random.Generator


def chance(rng: Generator, p: float) -> bool:
    return bool(rng.random() < p)


def random_level(rng: Generator, channels: int, values: bool) -> Level:
    direct = values and chance(rng, 0.4)
    features = channels if direct else int(rng.choice([1, 2, 3]))
    return Level(int(rng.choice([0, 1, 2, 3, 5, 28])), features, int(rng.choice([0, 0, 1, 3, 6])), direct)


def random_sizes(rng: Generator, last: int) -> tuple[int, ...]:
    """Some ascending sizes, of which `last` is the last."""
    count = int(rng.integers(1, min(last, 4), endpoint=True))
    return tuple(sorted({last, *rng.integers(1, last, count - 1, endpoint=True).tolist()}))


def random_architecture(rng: Generator, form: str = "") -> Architecture:
    """A shape of a network that a file may have, of few parameters. form: what it predicts; empty: anything."""
    kind = form or str(rng.choice(FORMS))
    while True:
        sizes = tuple(int(n) for n in rng.choice(SIDES, int(rng.choice([1, 2, 2, 3, 4]))))
        channels = int(rng.choice([1, 1, 2, 3, 4, 8] if len(sizes) == 1 else [1, 1, 2, 3, 4] if len(sizes) == 2 else [1]))
        bits = int(rng.choice([1, 2, 5, 8, 8, 12, 16, 24] if kind == "values" or chance(rng, 0.9) else [25, 33, 63, 64]))
        body = str(rng.choice(["mlp", "mlp", "recurrent", "filters"]))
        hidden, layers = int(rng.choice([1, 2, 5, 8, 13, 60])), int(rng.choice([1, 2, 2, 3, 4, 7]))
        single = kind == "bitlinear"
        parts = body == "mlp" and not single and chance(rng, 0.25)
        count = 0 if parts or single or chance(rng, 0.6) else int(rng.choice([1, 2, 4]))
        a = Architecture(
            sizes,
            channels,
            bits,
            hidden,
            layers,
            kind,  # type: ignore[arg-type]
            body,  # type: ignore[arg-type]
            "sine" if body == "filters" else str(rng.choice(ACTIVATIONS)),  # type: ignore[arg-type]
            octaves=int(rng.choice([0, 0, 1, 2, 5, 24])),
            bit_places=int(rng.integers(bits, MAX_BIT_PLACES, endpoint=True)) if kind == "siren" else 0,
            colour=not single and chance(rng, 0.3),
            normalized=body != "filters" and chance(rng, 0.3),
            biased=chance(rng, 0.8),
            scales=kind == "values" and chance(rng, 0.5),
            levels=tuple(random_level(rng, channels, kind == "values") for _ in range(count)),
            widths=random_sizes(rng, hidden) if parts else (),
            depths=random_sizes(rng, layers) if parts else (),
        )
        if math.prod(sizes) <= MOST_PLACES and a.parameters <= MOST_PARAMETERS:
            return a


def random_integers(rng: Generator, shape: tuple[int, ...], largest: int) -> npt.NDArray[np.int64]:
    """Integers of one of several distributions, at most `largest` in magnitude."""
    most = min(largest, int(rng.choice([1, 3, 7, 127, 127, 4000, 2**20, largest])))
    found = rng.integers(-most, most, shape, np.int64, endpoint=True)
    if chance(rng, 0.2):
        found[rng.random(shape) < 0.8] = 0
    return found


def random_scale(rng: Generator, typical: float, bits: int) -> tuple[int, int]:
    """(multiplier, shift) that bring sums of a typical magnitude to about 2^bits; sometimes any."""
    if chance(rng, 0.05):
        return int(rng.choice([0, 1, LARGEST_MULTIPLIER - 1, int(rng.integers(LARGEST_MULTIPLIER))])), int(rng.integers(LARGEST_SHIFT + 1))
    multiplier = int(rng.choice([1, 3, 1000, 2**15 + 1, LARGEST_MULTIPLIER - 1]))
    return multiplier, min(max(round(math.log2(multiplier * max(typical, 1)) - bits + rng.normal()), 0), LARGEST_SHIFT)


def random_layer(rng: Generator, a: Architecture, matrix: int, weights: npt.NDArray[np.int64]) -> Layer:
    typical = float(np.sqrt(np.square(weights.astype(np.float64)).sum(axis=1).mean())) * a.largest_input(matrix) / 2
    target = a.argument_bits(matrix) + (1 if a.matrices[matrix].role != "output" else 2 * (a.form != "values"))
    multiplier, shift = random_scale(rng, typical, target)
    if chance(rng, 0.1):
        bias = random_integers(rng, (len(weights),), LARGEST_BIAS)
    else:
        bias = rng.integers(-(2**target), 2**target, len(weights), np.int64) // int(rng.choice([1, 4, 64]))
    return Layer(weights, bias if a.biased else np.zeros(len(weights), np.int64), multiplier, shift)


def random_sparse(rng: Generator, shape: tuple[int, int]) -> sinr.Sparse:
    vectors, length = sinr.vector_shape(shape)
    count = int(rng.choice([0, 1, min(3, length), length if length < 200 else 7]))
    size = sinr.dictionary_size(length)
    positions = np.stack([np.sort(rng.choice(size, count, replace=False)) for _ in range(vectors)]).astype(np.int64)
    return sinr.Sparse(shape, positions, random_integers(rng, positions.shape, 32767).astype(np.int16))


def random_network(rng: Generator, a: Architecture, sparse: bool, seed: int) -> tuple[Network, list[list[sinr.Sparse | None]]]:
    """A network of this shape, and its sparse codes. Raises BoundError if its sums would not be exact."""
    networks, codes = [], []
    for _ in range(a.networks):
        layers, own = [], []
        for i, (shape, is_sparse) in enumerate(zip(a.shapes, sparse_layers(a), strict=True)):
            code = random_sparse(rng, shape) if sparse and is_sparse else None
            weights = sinr.expand(code, seed) if code else random_integers(rng, shape, LARGEST_WEIGHT)
            layers.append(random_layer(rng, a, i, weights))
            own.append(code)
        networks.append(layers)
        codes.append(own)
    cells = []
    for level in a.levels:
        numbers = random_integers(rng, (level.cells(a.sizes), level.features), LARGEST_CELL)
        typical = float(np.abs(numbers).mean()) * 2**8
        cells.append(Cells(numbers) if level.direct else Cells(numbers, *random_scale(rng, typical, 13)))
    halvings = rng.integers(0, int(rng.choice([1, 4, LARGEST_HALVING + 1])), a.outputs) if a.form == "values" else None
    return Network(a, networks, cells, halvings), codes


def random_joint(rng: Generator, channels: int) -> Joint:
    factors = np.tril(random_integers(rng, (channels, channels), 2**15 - 1), -1)
    codes = rng.choice([rng.integers(0, 256, channels), np.full(channels, 64), rng.integers(40, 160, channels)])
    return Joint(rng.permutation(channels).astype(np.int64), factors, codes.astype(np.int64))


def exact(coded: CodedNetwork) -> tuple[CodedNetwork, Values]:
    """The network with an error of 0, so that tiles are empty, and the values that it gives."""
    a = coded.network.architecture
    coordinates = coordinates_of(tuple(slice(0, n) for n in a.sizes), a.sizes, 0, math.prod(a.sizes))
    values = network_values(coded, coded.network, coordinates).reshape(*a.sizes, a.channels)
    return replace(coded, errors=(*coded.errors[:-1], 0), distances=()), values


def random_values(rng: Generator, coded: CodedNetwork) -> Values:
    """(axes…, channels) values: what the network says, with some noise; or anything."""
    a = coded.network.architecture
    shape, largest = (*a.sizes, a.channels), 2**a.bits - 1
    anything = rng.integers(0, largest, shape, np.uint64, endpoint=True)
    if chance(rng, 0.4):
        return anything.astype(value_type(a.bits))
    box = tuple(slice(0, n) for n in a.sizes)
    found = network_values(coded, coded.network, coordinates_of(box, a.sizes, 0, math.prod(a.sizes))).astype(np.uint64).reshape(shape)
    noisy = found ^ (anything & np.uint64(int(rng.choice([0, 1, 3]))))
    values: Values = np.where(rng.random(shape) < 0.1, anything, noisy) & np.uint64(largest)
    return values.astype(value_type(a.bits))


def random_coded(rng: Generator, **options: Any) -> tuple[CodedNetwork, Values]:
    """A network as a file holds it, and values, (axes…, channels), to code with it. options: of `random_architecture`."""
    while True:
        a = random_architecture(rng, **options)
        coding = str(rng.choice(["uniform", "lsq", "ternary"] if a.widths else ["uniform", "lsq", "ternary", "sinr", "sinr"]))
        setting = int(rng.integers(256))
        try:
            network, codes = random_network(rng, a, coding == "sinr", setting)
        except BoundError:
            continue
        values = a.form == "values"
        gains = rng.choice([0, 1, 40, 64, 64, 90, 255], a.planes) if chance(rng, 0.3) else np.full(a.planes, 64)
        coded = CodedNetwork(
            network,
            coding,
            setting,
            gains.astype(np.uint8),
            random_joint(rng, a.channels) if values else None,
            not values and chance(rng, 0.4),
            codes if coding == "sinr" else (),
            tuple(int(2.0 ** rng.uniform(0, 63)) for _ in a.configurations),  # not 0: that says that tiles are empty
        )
        if chance(rng, 0.1):
            return exact(coded)
        return coded, random_values(rng, coded)
