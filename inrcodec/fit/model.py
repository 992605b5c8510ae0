"""The float network that is trained. It has the shape of the integer network that the file will hold.

SIREN: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions" (NeurIPS 2020). Bit-plane
networks: Han et al., "Towards Lossless Implicit Neural Representation via Bit Plane Decomposition" (CVPR 2025): the bit
index as a coordinate, or a network per bit-plane with ternary weights. BitLinear: Wang et al., "BitNet" (2023) and Ma et
al., "The Era of 1-bit LLMs" (2024). Filters: Fathony et al., "Multiplicative Filter Networks" (ICLR 2021). Cells: Müller et al., "Instant
Neural Graphics Primitives" (2022). Gaussian activations: Ramasinghe and Lucey, "Beyond Periodicity" (ECCV 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

from ..kernels.architecture import FEATURE_BITS, FEATURE_LIMIT, Architecture
from ..kernels.tables import GELU_BITS, GELU_LIMIT
from .grid import Corners

HIDDEN_OMEGA = 30.0  # frequency of sine layers after the first
# 1/a of a Gaussian exp(−x²/(2a²)): of coordinates, for each place along the longest axis, within limits; of the layers after them.
# With octaves or cells, whose features are sharp already, a is 1.
INPUT_SHARPNESS, LEAST_SHARPNESS, MOST_SHARPNESS, HIDDEN_SHARPNESS = 0.2, 5.0, 100.0, 10.0
LIMIT = GELU_LIMIT / 2.0**GELU_BITS  # arguments of GELU and Gaussian layers are limited to ±8, the range of the integer tables
CELL_STEP = 2.0**-4  # a cell of 1 is a feature of so much
NORM_EPSILON = 1e-5


class WeightSource(Protocol):
    """What gives the weights of a network: the float weights, or those that a weight coding makes of them."""

    def __call__(self, layer: int) -> torch.Tensor:
        """The weights of this matrix, (networks, outputs, inputs)."""

    def cells(self, level: int) -> torch.Tensor:
        """The cells of a level, (cells, features), in steps."""


class Plain:
    """The float weights of a network as they are. Cells get noise of a step's width, which stands for their rounding in a fit.

    So the rate of cells can be learned: Ballé et al., "End-to-end Optimized Image Compression" (ICLR 2017). generator: of the noise.
    """

    def __init__(self, model: CoordinateNetwork, generator: torch.Generator) -> None:
        self.model, self.generator = model, generator

    def __call__(self, layer: int) -> torch.Tensor:
        found: torch.Tensor = self.model.weights[layer]
        return found

    def cells(self, level: int) -> torch.Tensor:
        """The cells of a level, (cells, features), in steps, with noise."""
        found: torch.Tensor = self.model.cells[level]
        return found + torch.rand(found.shape, generator=self.generator, device=found.device) - 0.5


class CoordinateNetwork(nn.Module):
    """Coordinates in −1 … 1, (n, axes), and corners of cells → the outputs of each channel.

    `weights[l]` is (networks, outputs, inputs) and `biases[l]` (networks, outputs). Matrix l gives f(omegas[l]·(W·x + b)); its omega
    is 1 if neither a sine nor a Gaussian follows. `cells[i]` is (cells, features), in steps.
    """

    def __init__(self, architecture: Architecture, omega: float, generator: torch.Generator, lowest: float = 0.0) -> None:
        """Random weights. omega: frequency of sines of the inputs; with `lowest` > 0, frequencies are spread from there to omega."""
        super().__init__()
        a = self.architecture = architecture
        count = len(a.matrices)
        self.omegas = [self._omega(i, omega) for i in range(count)]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for i, (outputs, inputs) in enumerate(a.shapes):
            self.weights.append(self._random((a.networks, outputs, inputs), self._bound(i, inputs), generator))
            bias = self._random((a.networks, outputs), 1 / math.sqrt(inputs), generator)
            self.biases.append(bias if a.biased else nn.Parameter(torch.zeros_like(bias), requires_grad=False))
            if lowest and a.takes_inputs(i) and a.is_sine(i):
                self.weights[i].data *= (lowest / omega) ** torch.rand((a.networks, outputs, 1), generator=generator)
        self.cells = nn.ParameterList(nn.Parameter(torch.zeros(level.cells(a.sizes), level.features)) for level in a.levels)
        self.head = nn.Module()  # what belongs to the objective: see `objective`

    def _omega(self, matrix: int, omega: float) -> float:
        """What the arguments of the function after a matrix are multiplied by. omega: of sines of the inputs."""
        a = self.architecture
        if a.is_sine(matrix):
            return omega if a.takes_inputs(matrix) else HIDDEN_OMEGA
        if a.activation != "gaussian" or a.normalized or a.levels or a.octaves or matrix == len(a.matrices) - 1:
            return 1.0
        if not a.takes_coordinates(matrix):
            return HIDDEN_SHARPNESS
        return min(max(INPUT_SHARPNESS * max(a.sizes), LEAST_SHARPNESS), MOST_SHARPNESS)

    @staticmethod
    def _random(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
        return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) * bound)

    def _bound(self, matrix: int, inputs: int) -> float:
        """The largest random weight of a matrix."""
        a = self.architecture
        if not a.is_sine(matrix):
            return 1 / math.sqrt(inputs)
        return 1 / inputs if a.takes_inputs(matrix) else math.sqrt(6 / inputs) / HIDDEN_OMEGA

    def forward(self, inputs: torch.Tensor, source: WeightSource, corners: list[Corners]) -> torch.Tensor:
        """Outputs for inputs (n, axes): logits (n, channels, bits), or of form "values" (n, channels, 1 or 2): means, then scales.

        corners: of each level, see `grid.Corners`. Direct levels are left out.
        """
        a = self.architecture
        return self._arranged(self._run(self._entering(inputs, source, corners), source, a, (a.layers,))[0], len(inputs))

    def every(self, inputs: torch.Tensor, source: WeightSource, corners: list[Corners]) -> list[torch.Tensor]:
        """`forward` of each network in this one, in the order of `Architecture.configurations`; the whole network is the last.

        Networks of one width share the work of their first layers.
        """
        a = self.architecture
        if not a.widths:
            return [self(inputs, source, corners)]
        x = self._entering(inputs, source, corners)
        found = [out for width in a.widths for out in self._run(x, source, a.smaller(a.layers, width), a.depths)]
        return [self._arranged(out, len(inputs)) for out in found]

    def _entering(self, inputs: torch.Tensor, source: WeightSource, corners: list[Corners]) -> torch.Tensor:
        """What enters the first layer, (calls·n, inputs). inputs: (n, axes)."""
        a = self.architecture
        n = inputs.shape[0]
        features = self.features(source, corners)
        columns = [inputs]
        if a.colour:
            columns = [torch.cat([inputs, inputs.new_full((n, 1), float(c))], 1) for c in _steps(a.channels)]
        if a.form == "siren":
            columns = [torch.cat([x, inputs.new_full((n, 1), float(b))], 1) for x in columns for b in _steps(a.bit_places)[: a.bits]]
        if len(columns) > 1:
            features = features.repeat(len(columns), 1)
        x = torch.cat(columns) if len(columns) > 1 else columns[0]
        x = positional(x, a.octaves) if a.octaves else x
        return torch.cat([x, features], 1) if features.shape[1] else x

    def _arranged(self, out: torch.Tensor, n: int) -> torch.Tensor:
        """The outputs of `forward`. out: (networks, calls·n, outputs)."""
        a = self.architecture
        if a.form == "bitlinear":
            return out.permute(1, 2, 0)
        calls = out.reshape(a.channels if a.colour else 1, a.bits if a.form == "siren" else 1, n, -1)
        each = calls.permute(2, 0, 3, 1).flatten(1, 2) if a.form == "siren" else calls[:, 0].permute(1, 0, 2)
        if a.form == "siren":  # (n, channels, bits)
            return each
        if a.form == "values":  # an output of each channel for means, then one of each for scales
            return each if a.colour else each.reshape(n, 1 + a.scales, a.channels).transpose(1, 2)
        return each.reshape(n, a.channels, a.bits)

    def features(self, source: WeightSource, corners: list[Corners]) -> torch.Tensor:
        """The features of the levels that are inputs, (n, features)."""
        a, limit = self.architecture, FEATURE_LIMIT / 2.0**FEATURE_BITS
        found = [c.interpolate(source.cells(i) * CELL_STEP) for i, c in enumerate(corners) if not a.levels[i].direct]
        return torch.cat(found, 1).clamp(-limit, limit) if found else self.weights[0].new_zeros(0, 0)

    def _run(self, x: torch.Tensor, source: WeightSource, a: Architecture, depths: Sequence[int]) -> list[torch.Tensor]:
        """(n, inputs) → (networks, n, outputs) after each of these numbers of hidden layers, ascending.

        a: of this network, or of a smaller one in it, whose layers are the last of `depths`.
        """
        last, shapes = len(a.matrices) - 1, a.shapes

        def affine(i: int, entering: torch.Tensor) -> torch.Tensor:
            wide = entering.expand(a.networks, -1, -1) if entering.dim() == 3 else entering[None].expand(a.networks, -1, -1)
            own = len(self.weights) - 1 if i == last else i
            weights, bias = source(own), self.biases[own]
            if a is not self.architecture:
                weights, bias = weights[:, : shapes[i][0], : shapes[i][1]], bias[:, : shapes[i][0]]
            return torch.baddbmm(bias[:, None], wide, weights.transpose(1, 2))

        if a.body == "filters":
            hidden = torch.sin(self.omegas[0] * affine(0, x))
            for i in range(1, last, 2):
                hidden = affine(i, hidden).clamp(-LIMIT, LIMIT) * torch.sin(self.omegas[i + 1] * affine(i + 1, x))
            return [affine(last, hidden)]
        hidden, found = self._activated(0, affine(0, x)), []
        for layer in range(1, a.layers + 1):
            entering = normalized(hidden) if a.normalized else hidden
            if layer in depths:
                found.append(affine(last, entering))
            if layer < a.layers:
                at = min(layer, last - 1)
                hidden = self._activated(at, affine(at, entering))
        return found

    def _activated(self, matrix: int, x: torch.Tensor) -> torch.Tensor:
        if self.architecture.activation == "sine":
            return torch.sin(self.omegas[matrix] * x)
        x = (self.omegas[matrix] * x if self.omegas[matrix] != 1.0 else x).clamp(-LIMIT, LIMIT)
        return nn.functional.gelu(x) if self.architecture.activation == "gelu" else torch.exp(-0.5 * x * x)


def _steps(places: int) -> list[float]:
    """Coordinates of the places of an axis, −1 … 1."""
    return torch.linspace(-1, 1, places).tolist() if places > 1 else [0.0]


def normalized(x: torch.Tensor) -> torch.Tensor:
    """Layer normalization (Ba et al., 2016) over the last axis, without gain and bias, limited to ±8 as in the integer network."""
    return nn.functional.layer_norm(x, x.shape[-1:], eps=NORM_EPSILON).clamp(-LIMIT, LIMIT)


def positional(x: torch.Tensor, octaves: int) -> torch.Tensor:
    """Positional encoding (Mildenhall et al., NeRF, 2020): (n, axes) → (n, axes·(1 + 2·octaves)), as `kernels.inr.encoded`."""
    columns = []
    for axis in x.unbind(1):
        columns.append(axis)
        for k in range(octaves):
            phase = (math.pi * 2**k) * axis
            columns += [torch.sin(phase), torch.cos(phase)]
    return torch.stack(columns, 1)
