"""The coordinate network of profile `inr` in exact integer arithmetic: coordinates in, logits of bit-planes or means of values out.

In every matrix product the numbers are integers whose partial sums stay below 2^53 (2^24 in float32). So BLAS, CUDA and a plain loop give
the same result in whatever order they add. A Network checks this bound for its weights when it is made. SPEC.md, "NETW: the network",
defines the function.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .architecture import COORDINATE_BITS, FEATURE_BITS, FEATURE_LIMIT, Architecture, Level
from .arrays import Int, Ints1, Ints2, Words2
from .compiling import function, kernel
from .tables import GELU_LIMIT, SINE_BITS, TURN_BITS, gaussian, gelu, sine

OUTPUT_LIMIT = 1 << 20  # of a logit
MEAN_LIMIT = 1 << 31  # of an output of form "values"

EXACT_FLOAT64 = 1 << 53
EXACT_FLOAT32 = 1 << 24
LARGEST_WEIGHT = 1 << 30
LARGEST_CELL = 1 << 24
LARGEST_BIAS = 1 << 31
LARGEST_MULTIPLIER = 1 << 31
LARGEST_SHIFT = 62
LARGEST_PRODUCT = 1 << 62
LARGEST_HALVING = 31
NORM_BITS = 4  # fractional bits of a deviation in layer normalization

SCALE_SHIFT = 17  # from an output in units of 2^-30 to a scale in units of 2^-10 octaves: the range of the values is 8 octaves
DIRECT_SHIFT = 22  # from an interpolated integer in units of 2^-8 to 2^-30 of the range, before division by 2^bits
FRACTION_BITS = 8  # of a position between two nodes of a grid
PRIMES = (1, 2654435761, 805459861, 3674653429)  # of the hash of a node, for each axis

Integers = npt.NDArray[np.int64]
Sums = np.ndarray[tuple[int, int], np.dtype[Any]]  # float32 or float64, whole numbers
Activated = np.ndarray[tuple[int, int], np.dtype[np.int16]]
Table = np.ndarray[tuple[int], np.dtype[np.int16]]


class Affine(NamedTuple):
    """From the sums of a layer to its arguments: (sum·multiplier >> shift) + bias, with bias (outputs,)."""

    multiplier: int
    shift: int
    bias: Ints1


class Shifts(NamedTuple):
    """What is added to the arguments of hidden layers: table (patches, layers·hidden), and which row of it each place takes, (n,)."""

    table: Ints2
    rows: Ints1


class BoundError(ValueError):
    """Weights have wrong shapes, are too large, or could make a sum that is not exact."""


@dataclass(frozen=True)
class Layer:
    """A layer: argument = floor((weights·input)·multiplier / 2^shift) + bias.

    weights: (outputs, inputs), int64 or int32; bias: (outputs,) int64, zeros if the network has no biases.
    """

    weights: npt.NDArray[np.int64] | npt.NDArray[np.int32]
    bias: Integers
    multiplier: int
    shift: int


@dataclass(frozen=True)
class Cells:
    """The cells of a level: feature = floor((interpolated integers)·multiplier / 2^shift), in units of 2^-12; a direct level has no scale.

    numbers: (cells, features) int64 or int32.
    """

    numbers: npt.NDArray[np.int64] | npt.NDArray[np.int32]
    multiplier: int = 0
    shift: int = 0


@dataclass(frozen=True)
class Network:
    """A network of profile `inr`, immutable. Raises BoundError if not all sums of its weights are exact.

    layers: [network][matrix]; cells: [level]; halvings: (outputs,) of form "values": an output is shifted right by so many more bits
    before its bias is added, so that all share one step; None: by none.
    """

    architecture: Architecture
    layers: Sequence[Sequence[Layer]]
    cells: Sequence[Cells] = ()
    halvings: Integers | None = None
    _matrices: list[list[npt.NDArray[Any]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_matrices", [[_matrix(layer, peak) for layer, peak in _with_peaks(self, i)] for i in range(len(self.layers))]
        )
        _check_cells(self)
        h = self.halvings
        if h is not None and (h.shape != (self.architecture.outputs,) or not 0 <= int(h.min()) <= int(h.max()) <= LARGEST_HALVING):
            raise BoundError("the halvings of the outputs are out of range")

    def logits(self, coordinates: Integers, places: int = 0) -> npt.NDArray[np.int32]:
        """Logits × 2^10 of all bit-planes, (n, channels·bits) int32. coordinates: (n, axes) int64, see `axis_coordinates`.

        places: form "siren": for so many bits from the most significant one, at most `bit_places`; 0: for those of the values.
        """
        a = self.architecture
        bits = places or a.bits
        out = np.empty((len(coordinates), a.channels, bits), np.int32)
        given, extra = self._features(coordinates)
        for which, channels, columns in self._calls(coordinates):
            if a.form == "siren":
                for b, position in enumerate(axis_coordinates(a.bit_places)[:bits]):
                    out[:, channels, b] = self._run(0, given, [*columns, np.full(len(coordinates), position)])
            elif a.form == "bitlinear":
                for b in range(bits):
                    out[:, channels, b] = self._run(b, given, columns)
            else:
                out[:, channels] = self._run(0, given, columns).reshape(len(coordinates), which, bits)
        assert extra is None
        return out.reshape(len(coordinates), a.channels * bits)

    def means(self, coordinates: Integers) -> tuple[Integers, Integers]:
        """Form "values": what the network says of each value, before channels are joined: (means, scales), (n, channels) int64 each.

        coordinates: (n, axes) int64. Means are in units of 2^-30 of the range of the values, within ±2^31; scales in units of 2^-10
        octaves, 0 if the network does not predict them.
        """
        a = self.architecture
        n = len(coordinates)
        means, scales = np.empty((n, a.channels), np.int64), np.zeros((n, a.channels), np.int64)
        given, extra = self._features(coordinates)
        for which, channels, columns in self._calls(coordinates):
            found = self._run(0, given, columns)
            means[:, channels] = found[:, :which]
            if a.scales:
                scales[:, channels] = found[:, which:] >> SCALE_SHIFT
        if extra is not None:
            means += extra
            np.clip(means, -MEAN_LIMIT, MEAN_LIMIT, out=means)
        return means, scales

    def shifted_means(self, coordinates: Integers, shifts: Shifts) -> Integers:
        """The means of `means`, (n, channels) int64, of a plain network of sines without cells or scales, its layers shifted."""
        return np.asarray(self._run(0, np.empty((len(coordinates), 0), np.int64), list(coordinates.T), shifts), np.int64)

    def part(self, layers: int, hidden: int) -> Network:
        """The smaller network in this one that has so many hidden layers of so many units."""
        smaller = self.architecture.smaller(layers, hidden)
        own = [*self.layers[0][:layers], self.layers[0][-1]]
        cut = [
            Layer(layer.weights[:o, :i], layer.bias[:o], layer.multiplier, layer.shift)
            for layer, (o, i) in zip(own, smaller.shapes, strict=True)
        ]
        return Network(smaller, [cut], self.cells, self.halvings)

    def _calls(self, coordinates: Integers) -> Iterator[tuple[int, slice, list[Integers]]]:
        """(number of channels, which channels, coordinates as columns) of each evaluation: one, or one for each channel."""
        a, columns = self.architecture, list(coordinates.T)
        if not a.colour:
            yield a.channels, slice(None), columns
            return
        for c, position in enumerate(axis_coordinates(a.channels)):
            yield 1, slice(c, c + 1), [*columns, np.full(len(coordinates), position)]

    def _features(self, coordinates: Integers) -> tuple[Integers, Integers | None]:
        """(features of the levels that are inputs (n, features), what the direct levels add to the means (n, channels) or None)."""
        a, extra = self.architecture, None
        found = [np.empty((len(coordinates), 0), np.int64)]
        for level, cells in zip(a.levels, self.cells, strict=True):
            sums = interpolated(level, cells.numbers, coordinates, a.sizes)
            if level.direct:
                added = (sums << DIRECT_SHIFT) >> a.bits
                extra = added if extra is None else extra + added
            else:
                found.append(np.clip((sums * cells.multiplier) >> cells.shift, -FEATURE_LIMIT, FEATURE_LIMIT))
        return np.hstack(found), extra

    def _run(self, network: int, features: Integers, columns: list[Integers], moved: Shifts | None = None) -> Any:
        """The outputs of one network, (n, outputs) int32 or, of form "values", int64. moved: see `shifted_means`."""
        a, layers, matrices = self.architecture, self.layers[network], self._matrices[network]
        inputs = np.hstack([encoded(columns, a.octaves, a.input_bits), features])

        def sums(i: int, entering: npt.NDArray[Any]) -> tuple[Sums, Affine]:
            matrix = matrices[i]
            return entering.astype(matrix.dtype) @ matrix, Affine(layers[i].multiplier, layers[i].shift, layers[i].bias)

        hidden = _activated(a.is_sine(0), a.activation, *sums(0, inputs), _of_layer(moved, 0, a.hidden))
        if a.body == "filters":
            hidden >>= SINE_BITS - FEATURE_BITS
            for i in range(1, 2 * a.layers - 1, 2):
                filtered = _activated(True, a.activation, *sums(i + 1, inputs))
                _filter(*sums(i, hidden), filtered)
                hidden = filtered
        else:
            for i in range(1, a.layers):
                if a.normalized:
                    _normalize(hidden)
                entering = sums(min(i, len(matrices) - 2), hidden)
                hidden = _activated(a.is_sine(0), a.activation, *entering, _of_layer(moved, i, a.hidden))
            if a.normalized:
                _normalize(hidden)
        found, affine = sums(len(matrices) - 1, hidden)
        limit = MEAN_LIMIT if a.form == "values" else OUTPUT_LIMIT
        out: Any = np.empty(found.shape, np.int64 if a.form == "values" else np.int32)
        shifts: Ints1 = np.full(a.outputs, affine.shift, np.int64)
        if self.halvings is not None:
            shifts = np.minimum(shifts + self.halvings, LARGEST_SHIFT)
        _output(found, affine, shifts, limit, out)
        return out


def axis_coordinates(size: int, places: Integers | None = None) -> Integers:
    """Coordinates of places along an axis, int64 of the same shape: floor((2i − (size − 1))·2^24 / (size − 1)), or 0 if size is 1.

    size: of the axis; places: the indices i, by default all, (size,).
    """
    i = np.arange(size, dtype=np.int64) if places is None else places.astype(np.int64)
    return ((2 * i - (size - 1)) << COORDINATE_BITS) // max(size - 1, 1)


def encoded(columns: Sequence[Integers], octaves: int, bits: int) -> Integers:
    """Coordinates as inputs: (n,) each → (n, coordinates·(1 + 2·octaves)) int64, × 2^bits.

    For each coordinate x: x, then sin(2^k·π·x) and cos(2^k·π·x) for k = 0 … octaves − 1, the positional encoding of Mildenhall et al.,
    NeRF, 2020.
    """
    out = []
    for c in columns:
        out.append(c >> (COORDINATE_BITS - bits))
        for k in range(octaves):
            phase = (c << k) >> (COORDINATE_BITS + 1 - TURN_BITS)
            for turned in (phase, phase + (1 << (TURN_BITS - 2))):
                out.append(sine()[turned & 0xFFFF].astype(np.int64) >> max(SINE_BITS - bits, 0))
    return np.stack(out, axis=1)


def positions_of(coordinates: Integers, sizes: tuple[int, ...]) -> Integers:
    """Where coordinates (n, axes) lie on axes of these sizes, in units of 2^-8 places: (n, axes) int64, within the axes."""
    limits = np.array([(n - 1) << FRACTION_BITS for n in sizes], np.int64)
    return np.clip(((coordinates + (1 << COORDINATE_BITS)) * limits + (1 << COORDINATE_BITS)) >> (COORDINATE_BITS + 1), 0, limits)


def interpolated(level: Level, numbers: npt.NDArray[Any], coordinates: Integers, sizes: tuple[int, ...]) -> Integers:
    """The features of a level at some coordinates, × 2^8, by multilinear interpolation of integers: (n, features) int64.

    numbers: (cells, features); coordinates: (n, axes) int64; sizes: of the axes.
    """
    axes = len(sizes)
    positions = positions_of(coordinates, sizes)
    nodes = np.array(level.nodes(sizes), np.int64)
    out: Ints2 = np.empty((len(coordinates), level.features), np.int64)
    primes = np.array(PRIMES[:axes], np.int64)
    _interpolate(np.ascontiguousarray(numbers, np.int32), positions, nodes, primes, level.spacing, level.table, out)
    return out


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
        _check_scale(layer.multiplier, layer.shift)
        if layer.bias.shape != layer.weights.shape[:1] or int(np.abs(layer.bias).max()) > LARGEST_BIAS:
            raise BoundError("a layer's bias is out of range")
        if _largest(layer.weights) > LARGEST_WEIGHT:
            raise BoundError("a weight is out of range")
        peak = peak_of(layer.weights, a.largest_input(i))
        if peak >= EXACT_FLOAT64 or peak * layer.multiplier >= LARGEST_PRODUCT:
            raise BoundError("a sum of weights is too large to be exact")
        pairs.append((layer, peak))
    return pairs


def _check_cells(network: Network) -> None:
    """Raise BoundError if the cells do not fit the architecture, or if an interpolation of them would not be exact."""
    a = network.architecture
    if [c.numbers.shape for c in network.cells] != [(level.cells(a.sizes), level.features) for level in a.levels]:
        raise BoundError("the cells do not have the shapes of the architecture")
    for cells in network.cells:
        _check_scale(cells.multiplier, cells.shift)
        largest = _largest(cells.numbers)
        if largest > LARGEST_CELL or (largest << FRACTION_BITS) * cells.multiplier >= LARGEST_PRODUCT:
            raise BoundError("a cell is out of range")


def _check_scale(multiplier: int, shift: int) -> None:
    if not (0 <= multiplier < LARGEST_MULTIPLIER and 0 <= shift <= LARGEST_SHIFT):
        raise BoundError("a multiplier or shift is out of range")


def _largest(numbers: npt.NDArray[Any]) -> int:
    """The largest magnitude; 0 if there are no numbers."""
    return max(int(numbers.max()), -int(numbers.min())) if numbers.size else 0


def _matrix(layer: Layer, peak: int) -> npt.NDArray[Any]:
    """The transposed weights, (inputs, outputs), in the narrowest float type whose sums are exact. peak: largest magnitude of a sum."""
    return np.ascontiguousarray(layer.weights.T, np.float32 if peak < EXACT_FLOAT32 else np.float64)


def _of_layer(shifts: Shifts | None, layer: int, hidden: int) -> Shifts | None:
    """The shifts of one hidden layer: table (patches, hidden)."""
    return shifts and Shifts(np.ascontiguousarray(shifts.table[:, layer * hidden : (layer + 1) * hidden]), shifts.rows)


def _activated(periodic: bool, activation: str, sums: Sums, affine: Affine, shifts: Shifts | None = None) -> Activated:
    """The activations of a layer's sums, (n, outputs) int16. periodic: whether they are sines; shifts: of the arguments of sines."""
    out: Activated = np.empty(sums.shape, np.int16)
    if shifts is not None:
        _shifted_sine(sums, affine, shifts.table, shifts.rows, sine(), out)
    elif periodic:
        _sine(sums, affine, sine(), out)
    else:
        _bounded(sums, affine, gelu() if activation == "gelu" else gaussian(), out)
    return out


@kernel
def _sine(sums: Sums, affine: Affine, table: Table, out: Activated) -> None:
    """out = sine of the arguments. sums, out: (n, outputs); table: see `tables.sine`."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            out[i, j] = table[(((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j]) & 0xFFFF]


@kernel
def _shifted_sine(sums: Sums, affine: Affine, shifts: Ints2, rows: Ints1, table: Table, out: Activated) -> None:
    """As `_sine`, with a shift of each argument: shifts (patches, outputs); rows (n,): which of them a place takes."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            argument = ((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j] + shifts[rows[i], j]
            out[i, j] = table[argument & 0xFFFF]


@kernel
def _bounded(sums: Sums, affine: Affine, table: Table, out: Activated) -> None:
    """out = the function of the arguments, limited to [−8, 8). sums, out: (n, outputs); table: see `tables.gelu`, `tables.gaussian`."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            x = ((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j]
            out[i, j] = table[min(max(x + GELU_LIMIT, 0), 2 * GELU_LIMIT - 1)]


@kernel
def _filter(sums: Sums, affine: Affine, filters: Activated) -> None:
    """filters = the arguments, limited to (−8, 8), times the filters, which are in units of 2^-14. sums, filters: (n, outputs)."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            x = ((np.int64(sums[i, j]) * affine.multiplier) >> affine.shift) + affine.bias[j]
            filters[i, j] = (min(max(x, 1 - GELU_LIMIT), GELU_LIMIT - 1) * np.int64(filters[i, j])) >> SINE_BITS


@kernel
def _normalize(values: Activated) -> None:
    """Layer normalization in place: (value − mean) / deviation, × 2^12, of each row of values, (n, units)."""
    units = values.shape[1]
    for i in range(values.shape[0]):
        total = np.int64(0)
        for j in range(units):
            total += values[i, j]
        mean = total // units
        square = np.int64(0)
        for j in range(units):
            d = values[i, j] - mean
            square += d * d
        deviation = max(_root((square << (2 * NORM_BITS)) // units), 1)
        for j in range(units):
            x = ((values[i, j] - mean) << (FEATURE_BITS + NORM_BITS)) // deviation
            values[i, j] = min(max(x, -GELU_LIMIT), GELU_LIMIT - 1)


@function
def _root(n: Int) -> Int:
    """floor(√n) for 0 ≤ n < 2^60: the root of a float64, mended by at most 1 where it was rounded."""
    r = np.int64(math.sqrt(np.float64(n)))
    if r * r > n:
        r -= 1
    elif (r + 1) * (r + 1) <= n:
        r += 1
    return r


@kernel
def _interpolate(cells: Words2, positions: Ints2, nodes: Ints1, primes: Ints1, spacing: int, table: int, out: Ints2) -> None:
    """Multilinear interpolation. cells: (cells, features); positions: (n, axes) × 2^8; nodes, primes: (axes,); out: (n, features)."""
    axes = positions.shape[1]
    cell = FRACTION_BITS + spacing
    for i in range(positions.shape[0]):
        for f in range(out.shape[1]):
            out[i, f] = 0
        for corner in range(1 << axes):
            share, index, mixed = np.int64(1), np.int64(0), np.int64(0)
            for a in range(axes):
                node = positions[i, a] >> cell
                part = (positions[i, a] >> spacing) & ((1 << FRACTION_BITS) - 1)
                if (corner >> a) & 1:
                    node = min(node + 1, nodes[a] - 1)
                else:
                    part = (1 << FRACTION_BITS) - part
                share *= part
                index = index * nodes[a] + node
                mixed ^= (node * primes[a]) & 0xFFFFFFFF
            if share:
                row = mixed & ((1 << table) - 1) if table else index
                for f in range(out.shape[1]):
                    out[i, f] += share * cells[row, f]
        for f in range(out.shape[1]):
            out[i, f] >>= FRACTION_BITS * (axes - 1)


@kernel
def _output(sums: Sums, affine: Affine, shifts: Ints1, limit: int, out: Any) -> None:
    """out = the arguments, limited to ±limit. shifts: (outputs,) in place of the layer's. sums, out: (n, outputs); out: int32 or int64."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            x = ((np.int64(sums[i, j]) * affine.multiplier) >> shifts[j]) + affine.bias[j]
            out[i, j] = min(max(x, -limit), limit)
