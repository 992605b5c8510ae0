"""How the samples that a prior speaks of map to the values of a signal, and the head of a network that is made from a prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..kernels.architecture import MEAN_BITS
from ..kernels.tables import TURN_BITS
from ..weights.prior import Prior
from .objective import ValueHead

UNIT, OFFSET = 0.25, 0.5  # of a prior: what an output of 1 stands for, and where an output is 0, as shares of the range of samples
ORDER = (1, 0, 2)  # channels in the order of coding
FOLLOWS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0))  # red and blue are coded as what they differ by from green
FIRST_SPREAD = 3.0  # log2 of the spread of values at first, of 8 bits


@dataclass(frozen=True)
class Frame:
    """A value is gain·sample + offset, both as shares of their ranges: those of the value's bits, and of the samples' depth."""

    bits: int = 8
    gain: float = 1.0
    offset: float = 0.0

    def shares(self, values: torch.Tensor) -> torch.Tensor:
        """Samples as shares of their range, float32. values: integers."""
        return ((values.double() / 2.0**self.bits - self.offset) / self.gain).float()

    def values(self, shares: torch.Tensor) -> torch.Tensor:
        """The inverse of `shares`: the nearest values, int64."""
        return torch.round((shares.double() * self.gain + self.offset) * 2.0**self.bits).clamp(0, 2**self.bits - 1).long()


def frame_of(bits: int, peak: float, silence: float) -> Frame:
    """The frame of a signal. bits: of its values; peak, silence: see `profiles.Subject`; peak 0: the values are the samples."""
    whole = 2.0**bits
    return Frame(bits, (peak + 1) / whole, silence / whole) if peak else Frame(bits)


class PriorHead(ValueHead):
    """The head of a network that is made from a prior: only the spread of the values is learned."""

    def __init__(self, frame: Frame) -> None:
        nn.Module.__init__(self)
        self.peak = 2.0**frame.bits
        self.order = list(ORDER)
        self.factors = nn.Parameter(torch.tensor(FOLLOWS), requires_grad=False)
        self.log_scales = nn.Parameter(torch.full((3,), FIRST_SPREAD + frame.bits - 8))
        self.halvings = torch.zeros(1, 3)
        self.register_buffer("units", torch.full((1, 3), UNIT * frame.gain))
        green = OFFSET * frame.gain + frame.offset
        self.register_buffer("offsets", torch.tensor([0.0, green, 0.0]) * self.peak)


class FloatLayer(NamedTuple):
    """A layer of a prior in floats: weights (outputs, inputs), bias (outputs,), and what 1 of its integer weights stands for."""

    weights: npt.NDArray[np.floating[Any]]
    bias: npt.NDArray[np.floating[Any]]
    unit: float


def float_layers(found: Prior, omegas: Sequence[float]) -> list[FloatLayer]:
    """The layers of a prior in floats, those of the last by channel. omegas: frequencies of the hidden layers."""
    a, usual = found.network.architecture, PriorHead(Frame())
    offsets = usual.offsets.double().numpy() / usual.peak
    layers = []
    for i, layer in enumerate(found.network.layers[0]):
        factor = layer.multiplier * 2.0**-layer.shift
        if i < a.layers:
            unit = factor / (omegas[i] / (2 * math.pi) * 2.0 ** (TURN_BITS - a.entry_bits(i)))
            bias = layer.bias * (2 * math.pi / omegas[i] * 2.0**-TURN_BITS)
        else:
            unit = factor / (UNIT * 2.0 ** (MEAN_BITS - a.activation_bits))
            bias = (layer.bias * 2.0**-MEAN_BITS - offsets) / UNIT
        layers.append(FloatLayer(layer.weights * unit, bias, unit))
    return layers


def samples_of(outputs: torch.Tensor) -> torch.Tensor:
    """Red, green and blue as shares of their range, (…, 3), from outputs in the order of coding: green, then red and blue less green."""
    green = outputs[..., :1] * UNIT + OFFSET
    return torch.cat([outputs[..., 1:2] * UNIT + green, green, outputs[..., 2:] * UNIT + green], -1)
