"""The shape of a coordinate network of profile `inr`: what it predicts, its body, its inputs, and the matrices that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from .tables import GAUSSIAN_BITS, GELU_BITS, GELU_LIMIT, SINE_BITS, TURN_BITS

COORDINATE_BITS = 24  # a coordinate runs from −2^24 to 2^24
FEATURE_BITS = 12  # fractional bits of inputs where there are grids, of normalized inputs, and of filtered ones
FEATURE_LIMIT = 1 << 15  # of their magnitude
LOGIT_BITS = 10  # a logit is in units of 2^-10 (natural logarithm)
MEAN_BITS = 30  # a mean is in units of 2^-30 of the range of the values
MAX_VALUE_BITS = 24  # bits of the values whose means a network can predict

Form = Literal["heads", "siren", "bitlinear", "values"]
Body = Literal["mlp", "recurrent", "filters"]
Activation = Literal["gelu", "sine", "gaussian"]
Role = Literal["input", "hidden", "filter", "output"]


class Matrix(NamedTuple):
    """One weight matrix of a network. role: "input" and "filter" take the network's inputs, the others take hidden units."""

    role: Role
    outputs: int
    inputs: int


@dataclass(frozen=True)
class Level:
    """One level of a grid of cells, which is interpolated at each place.

    Attributes:
        spacing: a cell every 2^spacing places along each axis.
        features: numbers in a cell.
        table: 0: a cell for each node of the grid; n > 0: the nodes share 2^n cells by a hash (Müller et al., "Instant Neural Graphics
            Primitives", 2022).
        direct: whether its features are added to the means instead of being inputs: one for each channel.
    """

    spacing: int
    features: int
    table: int = 0
    direct: bool = False

    def nodes(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Nodes along each axis. sizes: of the axes, in places."""
        return tuple(-(-(n - 1) >> self.spacing) + 1 if n > 1 else 1 for n in sizes)

    def cells(self, sizes: tuple[int, ...]) -> int:
        """How many cells it has."""
        return 1 << self.table if self.table else math.prod(self.nodes(sizes))


@dataclass(frozen=True)
class Architecture:
    """The shape of a network.

    Attributes:
        sizes: places along each coordinate axis, 1 to 4 axes.
        channels: values at each place.
        bits: bits of each value. Bit-planes are ordered by channel, then the most significant bit first.
        hidden: units of each hidden layer.
        layers: hidden layers, at least 1. In a recurrent network, its state is computed so many times.
        form: what it predicts. "heads": the bits, an output for each. "siren": the bits, an output for each channel, the index of the bit
            being one more coordinate. "bitlinear": the bits, by a network for each index. "values": a mean for each channel.
        body: "mlp"; "recurrent": all matrices between hidden layers are one; "filters": each hidden layer is multiplied by a sine of the
            inputs (Fathony et al., "Multiplicative Filter Networks", ICLR 2021).
        activation: of hidden layers; of "filters", that of the filters, which is "sine".
        octaves: n > 0: besides each coordinate x, sine and cosine of 2^k·π·x for k = 0 … n − 1 are inputs.
        bit_places: form "siren": places on the axis of the bit, at least `bits`; those after the bits of a value are extrapolated. Else 0.
        colour: whether the index of the channel is one more coordinate, so that the network has the outputs of one channel.
        normalized: whether hidden layers are normalized (Ba et al., "Layer Normalization", 2016, without gain and bias).
        biased: whether layers have biases.
        scales: form "values": whether the network also predicts how far the values lie from the means.
        levels: of the grid whose features are inputs; empty: there is none.
        widths, depths: of the smaller networks in this one, ascending, the last being `hidden` and `layers`; empty: there are none.
    """

    sizes: tuple[int, ...]
    channels: int
    bits: int
    hidden: int
    layers: int
    form: Form = "heads"
    body: Body = "mlp"
    activation: Activation = "sine"
    octaves: int = 0
    bit_places: int = 0
    colour: bool = False
    normalized: bool = False
    biased: bool = True
    scales: bool = False
    levels: tuple[Level, ...] = ()
    widths: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()

    @property
    def axes(self) -> int:
        """Number of coordinate axes."""
        return len(self.sizes)

    @property
    def planes(self) -> int:
        """Number of bit-planes."""
        return self.channels * self.bits

    @property
    def networks(self) -> int:
        """Number of networks: one, or one for each index of the bit."""
        return self.bits if self.form == "bitlinear" else 1

    @property
    def coordinates(self) -> int:
        """Coordinates that the network sees: those of the axes, of the bit and of the channel."""
        return self.axes + (self.form == "siren") + self.colour

    @property
    def inputs(self) -> int:
        """Inputs of the first layer: those from coordinates, then the features of the levels that are not direct."""
        features = sum(level.features for level in self.levels if not level.direct)
        return self.coordinates * (1 + 2 * self.octaves) + features

    @property
    def outputs(self) -> int:
        """Outputs of the last layer."""
        channels = 1 if self.colour else self.channels
        return channels * {"heads": self.bits, "values": 1 + self.scales}.get(self.form, 1)

    @property
    def matrices(self) -> list[Matrix]:
        """The matrices of one network, in the order of the file."""
        last = Matrix("output", self.outputs, self.hidden)
        between = Matrix("hidden", self.hidden, self.hidden)
        if self.body == "filters":
            taken = Matrix("filter", self.hidden, self.inputs)
            return [taken, *[between, taken] * (self.layers - 1), last]
        count = self.layers - 1 if self.body == "mlp" else min(1, self.layers - 1)
        return [Matrix("input", self.hidden, self.inputs), *[between] * count, last]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of each matrix of one network."""
        return [(m.outputs, m.inputs) for m in self.matrices]

    @property
    def weights(self) -> int:
        """Weights and biases of all networks."""
        return self.networks * sum(o * i + o * self.biased for o, i in self.shapes)

    @property
    def cells(self) -> int:
        """Numbers in the cells of all levels."""
        return sum(level.cells(self.sizes) * level.features for level in self.levels)

    @property
    def parameters(self) -> int:
        """Weights, biases and numbers in cells."""
        return self.weights + self.cells

    @property
    def input_bits(self) -> int:
        """Fractional bits of the network's inputs."""
        return FEATURE_BITS if self.levels else SINE_BITS if self.octaves else COORDINATE_BITS

    @property
    def activation_bits(self) -> int:
        """Fractional bits of what enters a matrix that takes hidden units."""
        if self.normalized or self.body == "filters":
            return FEATURE_BITS
        return {"sine": SINE_BITS, "gelu": GELU_BITS, "gaussian": GAUSSIAN_BITS}[self.activation]

    def takes_inputs(self, matrix: int) -> bool:
        """Whether a matrix takes the network's inputs, and not hidden units."""
        return self.matrices[matrix].role in ("input", "filter")

    def takes_coordinates(self, matrix: int) -> bool:
        """Whether a matrix takes coordinates as they are: its weights are frequencies."""
        return self.takes_inputs(matrix) and not self.octaves and not self.levels

    def entry_bits(self, matrix: int) -> int:
        """Fractional bits of what enters a matrix."""
        return self.input_bits if self.takes_inputs(matrix) else self.activation_bits

    def largest_input(self, matrix: int) -> int:
        """The largest magnitude that what enters a matrix can have."""
        if self.takes_inputs(matrix):
            return FEATURE_LIMIT if self.levels else 1 << self.input_bits
        if self.normalized or self.body == "filters" or self.activation == "gelu":
            return GELU_LIMIT
        return 1 << self.activation_bits

    def argument_bits(self, matrix: int) -> int:
        """Fractional bits of what a matrix gives, which is in turns where a sine follows."""
        role = self.matrices[matrix].role
        if role == "output":
            return MEAN_BITS if self.form == "values" else LOGIT_BITS
        return TURN_BITS if self.is_sine(matrix) else GELU_BITS

    def is_sine(self, matrix: int) -> bool:
        """Whether the sine of what a matrix gives is taken."""
        role = self.matrices[matrix].role
        return role == "filter" or (role != "output" and self.body != "filters" and self.activation == "sine")

    def smaller(self, layers: int, hidden: int) -> Architecture:
        """The shape of a network that is part of this one: its first layers, and the leading rows and columns of their matrices."""
        return replace(self, layers=layers, hidden=hidden, widths=(), depths=())

    @property
    def configurations(self) -> list[tuple[int, int]]:
        """(layers, hidden) of all networks in this one, in the order of the file: by width, then depth."""
        return [(d, w) for w in self.widths for d in self.depths] or [(self.layers, self.hidden)]
