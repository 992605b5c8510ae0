"""The float network that is trained. It has the shape of the integer network that the file will hold.

SIREN: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions" (NeurIPS 2020). Bit-plane
networks: Han et al., "Towards Lossless Implicit Neural Representation via Bit Plane Decomposition" (CVPR 2025): the bit
index as a coordinate, or a network per bit-plane with ternary weights. BitLinear: Wang et al., "BitNet" (2023) and Ma et
al., "The Era of 1-bit LLMs" (2024), here without normalization layers.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import nn

from ..kernels.inr import Architecture
from ..kernels.tables import GELU_BITS, GELU_LIMIT

HIDDEN_OMEGA = 30.0  # frequency of sine layers after the first


class WeightSource(Protocol):
    """A function that gives the weights of a layer: the float weights, or those that a weight coding makes of them."""

    def __call__(self, layer: int) -> torch.Tensor:
        """The weights of this layer, (networks, outputs, inputs)."""


class BitPlaneNetwork(nn.Module):
    """Coordinates in −1 … 1, (n, axes) → logits (n, channels, bits), the most significant bit first.

    `weights[l]` is (networks, outputs, inputs) and `biases[l]` (networks, outputs). Layer l computes f(omegas[l]·(W·x + b)); its omega
    is 1 if it is not a sine layer.
    """

    def __init__(self, architecture: Architecture, omega: float, generator: torch.Generator, lowest: float = 0.0) -> None:
        """Random weights. omega: frequency of a first sine layer; with `lowest` > 0, its frequencies are spread from there to omega."""
        super().__init__()
        a = self.architecture = architecture
        sine = a.activation == "sine"
        self.omegas = [(omega if i == 0 else HIDDEN_OMEGA) if sine and i < a.layers else 1.0 for i in range(a.layers + 1)]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for i, (outputs, inputs) in enumerate(a.shapes):
            if not sine or i == a.layers:
                bound = 1 / math.sqrt(inputs)
            else:
                bound = 1 / inputs if i == 0 else math.sqrt(6 / inputs) / HIDDEN_OMEGA
            for group, shape, limit in (
                (self.weights, (a.networks, outputs, inputs), bound),
                (self.biases, (a.networks, outputs), 1 / math.sqrt(inputs)),
            ):
                group.append(nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) * limit))
        if lowest and sine:
            shares = torch.rand((a.networks, a.shapes[0][0], 1), generator=generator)
            self.weights[0].data *= (lowest / omega) ** shares

    def plain(self, layer: int) -> torch.Tensor:
        """The float weights of a layer, (networks, outputs, inputs): the WeightSource of a network that is not quantized."""
        found: torch.Tensor = self.weights[layer]
        return found

    def forward(self, inputs: torch.Tensor, source: WeightSource) -> torch.Tensor:
        """Logits, (n, channels, bits), for inputs (n, axes), with the weights that `source` gives."""
        a = self.architecture
        n = inputs.shape[0]
        if a.bit_coordinate:
            steps = torch.linspace(-1, 1, a.bits, device=inputs.device) if a.bits > 1 else inputs.new_zeros(1)
            inputs = torch.cat([inputs[:, None].expand(-1, a.bits, -1), steps[None, :, None].expand(n, -1, 1)], 2).flatten(0, 1)
        x = positional(inputs, a.octaves) if a.octaves else inputs
        x = x[None]
        for i, (bias, omega) in enumerate(zip(self.biases, self.omegas, strict=True)):
            x = torch.baddbmm(bias[:, None], x.expand(a.networks, -1, -1), source(i).transpose(1, 2))
            if i < a.layers:
                x = torch.sin(omega * x) if a.activation == "sine" else bounded_gelu(x)
        if a.per_plane:
            return x.permute(1, 2, 0)
        if a.bit_coordinate:
            return x.reshape(n, a.bits, a.channels).transpose(1, 2)
        return x.reshape(n, a.channels, a.bits)


def bounded_gelu(x: torch.Tensor) -> torch.Tensor:
    """GELU (Hendrycks and Gimpel, 2016) of the argument limited to −8 … 8, the range of the integer table."""
    limit = GELU_LIMIT / 2.0**GELU_BITS
    return nn.functional.gelu(x.clamp(-limit, limit))


def positional(x: torch.Tensor, octaves: int) -> torch.Tensor:
    """Positional encoding (Mildenhall et al., NeRF, 2020): (n, axes) → (n, axes·(1 + 2·octaves)), as `kernels.inr.positional`."""
    columns = []
    for axis in x.unbind(1):
        columns.append(axis)
        for k in range(octaves):
            phase = (math.pi * 2**k) * axis
            columns += [torch.sin(phase), torch.cos(phase)]
    return torch.stack(columns, 1)
