"""The network of profile `inr` in exact integer arithmetic: coordinates in, one logit for each bit-plane out.

In every matrix product the numbers are integers whose partial sums stay below 2^53 (2^24 in float32). So BLAS, CUDA and a plain loop give
the same result in whatever order they add. A Network checks this bound for its weights when it is made. SPEC.md, "NETW: the network",
defines the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import Ints1, Words2
from .compiling import kernel
from .tables import GELU_BITS, GELU_LIMIT, SINE_BITS, TURN_BITS, gelu, sine

COORDINATE_BITS = 24  # a coordinate runs from −2^24 to 2^24
OUTPUT_BITS = 10  # a logit is in units of 2^-10 (natural logarithm)
OUTPUT_LIMIT = 1 << 20  # of a logit

EXACT_FLOAT64 = 1 << 53
EXACT_FLOAT32 = 1 << 24
LARGEST_WEIGHT = 1 << 30
LARGEST_BIAS = 1 << 31
LARGEST_MULTIPLIER = 1 << 31
LARGEST_SHIFT = 62
LARGEST_PRODUCT = 1 << 62

Activation = Literal["sine", "gelu"]
Integers = npt.NDArray[np.int64]


Sums = np.ndarray[tuple[int, int], np.dtype[Any]]  # float32 or float64, whole numbers
Activated = npt.NDArray[np.int16]


class Affine(NamedTuple):
    """From the sums of a layer to its arguments: (sum·multiplier >> shift) + bias, with bias (outputs,)."""

    multiplier: int
    shift: int
    bias: Ints1


class BoundError(ValueError):
    """Weights have wrong shapes, are too large, or could make a sum that is not exact."""


@dataclass(frozen=True)
class Architecture:
    """The shape of a network.

    Attributes:
        axes: number of coordinates, 1 to 4.
        channels: values at each place.
        bits: bits of each value. Bit-planes are ordered by channel, then the most significant bit first.
        hidden: units of each hidden layer.
        layers: hidden layers, at least 1.
        activation: "sine" (SIREN) or "gelu".
        octaves: 0: the inputs are the coordinates x. n > 0: the inputs are a positional encoding, for each axis the coordinate, and sine
            and cosine of 2^k·π·x for k = 0 … n − 1.
        bit_coordinate: whether the index of the bit is one more coordinate (one output per channel).
        per_plane: whether each index of the bit has a network of its own (one output per channel).
            If neither holds, one network has an output for each bit-plane.
    """

    axes: int
    channels: int
    bits: int
    hidden: int
    layers: int
    activation: Activation = "sine"
    octaves: int = 0
    bit_coordinate: bool = False
    per_plane: bool = False

    @property
    def form(self) -> str:
        """Its name in options."""
        return "siren" if self.bit_coordinate else "bitlinear" if self.per_plane else "heads"

    @property
    def planes(self) -> int:
        """Number of bit-planes."""
        return self.channels * self.bits

    @property
    def networks(self) -> int:
        """Number of networks: one, or one for each index of the bit."""
        return self.bits if self.per_plane else 1

    @property
    def inputs(self) -> int:
        """Inputs of the first layer."""
        axes = self.axes + self.bit_coordinate
        return axes * (1 + 2 * self.octaves)

    @property
    def outputs(self) -> int:
        """Outputs of the last layer."""
        return self.channels if self.bit_coordinate or self.per_plane else self.planes

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of each layer of one network."""
        sizes = [self.inputs, *[self.hidden] * self.layers, self.outputs]
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    @property
    def parameters(self) -> int:
        """Weights and biases of all networks."""
        return self.networks * sum(o * i + o for o, i in self.shapes)

    @property
    def input_bits(self) -> int:
        """Fractional bits of the first layer's input."""
        return SINE_BITS if self.octaves else COORDINATE_BITS

    @property
    def activation_bits(self) -> int:
        """Fractional bits of a hidden layer's output."""
        return SINE_BITS if self.activation == "sine" else GELU_BITS

    def largest_input(self, layer: int) -> int:
        """The largest magnitude that an input of a layer, 0 … layers, can have."""
        if layer == 0:
            return 1 << self.input_bits
        return 1 << SINE_BITS if self.activation == "sine" else GELU_LIMIT

    @property
    def argument_bits(self) -> int:
        """Fractional bits of a hidden layer's argument, which is in turns for sine."""
        return TURN_BITS if self.activation == "sine" else GELU_BITS


@dataclass(frozen=True)
class Layer:
    """A layer: argument = floor((weights·input)·multiplier / 2^shift) + bias.

    weights: (outputs, inputs), int64 or int32; bias: (outputs,) int64.
    """

    weights: npt.NDArray[np.int64] | npt.NDArray[np.int32]
    bias: Integers
    multiplier: int
    shift: int


@dataclass(frozen=True)
class Network:
    """A network of profile `inr`, immutable. layers: [network][layer]. Raises BoundError if not all sums of the weights are exact."""

    architecture: Architecture
    layers: Sequence[Sequence[Layer]]
    _matrices: list[list[npt.NDArray[Any]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_matrices", [[_matrix(layer, peak) for layer, peak in _with_peaks(self, i)] for i in range(len(self.layers))]
        )

    def logits(self, coordinates: Integers) -> npt.NDArray[np.int32]:
        """Logits × 2^10 of all bit-planes, (n, bit-planes) int32. coordinates: (n, axes) int64, see `axis_coordinates`."""
        a = self.architecture
        out = np.empty((len(coordinates), a.channels, a.bits), np.int32)
        if a.bit_coordinate:
            for b, position in enumerate(axis_coordinates(a.bits)):
                column = np.full((len(coordinates), 1), position, np.int64)
                out[:, :, b] = self._run(0, np.hstack([coordinates, column]))
        elif a.per_plane:
            for b in range(a.bits):
                out[:, :, b] = self._run(b, coordinates)
        else:
            out = self._run(0, coordinates)
        return out.reshape(len(coordinates), a.planes)

    def _run(self, network: int, coordinates: Integers) -> npt.NDArray[np.int32]:
        a = self.architecture
        values: npt.NDArray[Any] = positional(coordinates, a.octaves) if a.octaves else coordinates
        for i, (layer, matrix) in enumerate(zip(self.layers[network], self._matrices[network], strict=True)):
            sums = values.astype(matrix.dtype) @ matrix
            affine = Affine(layer.multiplier, layer.shift, layer.bias)
            if i == a.layers:
                logits: Words2 = np.empty(sums.shape, np.int32)
                _output(sums, affine, logits)
                return logits
            values = np.empty(sums.shape, np.int16)
            if a.activation == "sine":
                _sine(sums, affine, sine(), values)
            else:
                _gelu(sums, affine, gelu(), values)
        raise AssertionError("a network ends with its output layer")


def axis_coordinates(size: int, places: Integers | None = None) -> Integers:
    """Coordinates of places along an axis, int64 of the same shape: floor((2i − (size − 1))·2^24 / (size − 1)), or 0 if size is 1.

    size: of the axis; places: the indices i, by default all, (size,).
    """
    i = np.arange(size, dtype=np.int64) if places is None else places.astype(np.int64)
    return ((2 * i - (size - 1)) << COORDINATE_BITS) // max(size - 1, 1)


def positional(coordinates: Integers, octaves: int) -> Integers:
    """Positional encoding × 2^14 (Mildenhall et al., NeRF, 2020): (n, axes) → (n, axes·(1 + 2·octaves)).

    For each axis: x, then sin(2^k·π·x) and cos(2^k·π·x) for k = 0 … octaves − 1.
    """
    columns = []
    for c in coordinates.T:
        columns.append(c >> (COORDINATE_BITS - SINE_BITS))
        for k in range(octaves):
            phase = (c << k) >> (COORDINATE_BITS + 1 - TURN_BITS)
            columns.append(sine()[phase & 0xFFFF].astype(np.int64))
            columns.append(sine()[(phase + (1 << (TURN_BITS - 2))) & 0xFFFF].astype(np.int64))
    return np.stack(columns, axis=1)


def peak_of(weights: npt.NDArray[Any], largest_input: int) -> int:
    """The largest magnitude that a partial sum of weights, (outputs, inputs), with inputs up to `largest_input` can have."""
    step = max(1, (1 << 20) // weights.shape[1])  # rows at a time: the magnitudes take memory
    sums = (np.abs(weights[i : i + step]).sum(axis=1, dtype=np.int64).max() for i in range(0, len(weights), step))
    return int(max(sums)) * largest_input


def _with_peaks(network: Network, index: int) -> list[tuple[Layer, int]]:
    """Each layer of network `index` with the largest magnitude of its partial sums. Raises BoundError if a number is too large."""
    a = network.architecture
    if len(network.layers) != a.networks or [x.weights.shape for x in network.layers[index]] != a.shapes:
        raise BoundError("the weights do not have the shapes of the architecture")
    pairs = []
    for i, layer in enumerate(network.layers[index]):
        if not (0 <= layer.multiplier < LARGEST_MULTIPLIER and 0 <= layer.shift <= LARGEST_SHIFT):
            raise BoundError("a layer's multiplier or shift is out of range")
        if layer.bias.shape != layer.weights.shape[:1] or int(np.abs(layer.bias).max()) > LARGEST_BIAS:
            raise BoundError("a layer's bias is out of range")
        if max(int(layer.weights.max()), -int(layer.weights.min())) > LARGEST_WEIGHT:
            raise BoundError("a weight is out of range")
        peak = peak_of(layer.weights, a.largest_input(i))
        if peak >= EXACT_FLOAT64 or peak * layer.multiplier >= LARGEST_PRODUCT:
            raise BoundError("a sum of weights is too large to be exact")
        pairs.append((layer, peak))
    return pairs


def _matrix(layer: Layer, peak: int) -> npt.NDArray[Any]:
    """The transposed weights, (inputs, outputs), in the narrowest float type whose sums are exact. peak: largest magnitude of a sum."""
    return np.ascontiguousarray(layer.weights.T, np.float32 if peak < EXACT_FLOAT32 else np.float64)


@kernel
def _sine(sums: Sums, affine: Affine, table: Activated, out: Activated) -> None:
    """out = sine of the arguments. sums, out: (n, outputs); table: see `tables.sine`."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            out[i, j] = table[(((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j]) & 0xFFFF]


@kernel
def _gelu(sums: Sums, affine: Affine, table: Activated, out: Activated) -> None:
    """out = GELU of the arguments. sums, out: (n, outputs); table: see `tables.gelu`."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            x = ((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j]
            out[i, j] = table[min(max(x + GELU_LIMIT, 0), 2 * GELU_LIMIT - 1)]


@kernel
def _output(sums: Sums, affine: Affine, out: Words2) -> None:
    """out = the arguments, limited to ±OUTPUT_LIMIT: the logits. sums, out: (n, outputs)."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            x = ((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j]
            out[i, j] = min(max(x, -OUTPUT_LIMIT), OUTPUT_LIMIT)
