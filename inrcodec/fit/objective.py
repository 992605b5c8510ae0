"""What a fit minimizes: the code length of the bits or values, or the squared error of what the network says.

A bit costs −log2 P(bit): the binary cross-entropy. A value costs −log2 of its mass under a discretized logistic, see `kernels.meancode`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..kernels.architecture import MEAN_BITS
from ..kernels.inr import LARGEST_HALVING, SCALE_SHIFT
from ..kernels.meancode import EVEN, FACTOR_BITS, FINEST_SCALE, SCALE_CODE, SCALE_LIMIT, Joint
from .data import Batch, Targets
from .model import CoordinateNetwork

OCTAVES = 2.0 ** (MEAN_BITS - SCALE_SHIFT - 10)  # that an output for a scale of 1 stands for
SCALE_RANGE = SCALE_LIMIT / 2.0**10  # octaves that a network can move a scale
LEAST_SPREAD = 2.0**-8  # of a channel, in values


class Objective(ABC):
    """What a fit minimizes. targets: what is fitted to; squared: whether that is a squared error, and not the code length."""

    def __init__(self, targets: Targets, squared: bool) -> None:
        self.targets, self.squared = targets, squared

    def kept(self, outputs: torch.Tensor) -> torch.Tensor:
        """As little of the outputs as `predicted` and `right` need."""
        return outputs

    @abstractmethod
    def nats(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The code length of a batch in nats, differentiable. outputs: of the network, see `CoordinateNetwork.forward`."""

    def loss(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """What is minimized, in nats for the batch; by default the code length."""
        return self.nats(outputs, batch)

    @abstractmethod
    def predicted(self, outputs: torch.Tensor) -> torch.Tensor:
        """The likeliest values, (n, channels) int64."""

    def psnr_of(self, outputs: torch.Tensor, batch: Batch) -> float:
        """PSNR of the likeliest values of a batch, in dB."""
        return psnr(float((self.predicted(outputs) - batch.values).double().square().mean()), self.targets.peak)

    def right(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Which bits of the likeliest values are right, (n, channels, bits) bool."""
        shifts = torch.arange(self.targets.depth - 1, -1, -1, device=outputs.device)
        differing = self.predicted(outputs) ^ batch.values
        return (differing[..., None] >> shifts & 1) == 0


class BitObjective(Objective):
    """The code length of bits, by logits (n, channels, bits). squared: whether the squared error of their probabilities is minimized."""

    def kept(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs > 0

    def nats(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(outputs, batch.bits.to(outputs.dtype), reduction="sum")

    def loss(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        if not self.squared:
            return self.nats(outputs, batch)
        return F.mse_loss(torch.sigmoid(outputs), batch.bits.to(outputs.dtype), reduction="sum")

    def predicted(self, outputs: torch.Tensor) -> torch.Tensor:
        bits = (outputs > 0).long()
        if self.targets.gray:  # a bit of the value is the parity of the code's bits down to it
            bits = bits.cumsum(2) % 2
        return (bits << torch.arange(self.targets.depth - 1, -1, -1, device=outputs.device)).sum(2)

    def right(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        return (outputs > 0) == (batch.bits > 0)


class ValueHead(nn.Module):
    """From the outputs of a network of form "values" to means and scales of values, and how channels are joined.

    The units of the outputs differ by powers of 2: a channel that hardly differs from those before it needs finer steps.

    Attributes:
        order: channels in the order of coding: green first, where there are three colours.
        factors: (channels, channels), [i, j], j < i, in the order of coding: see `kernels.meancode.Joint`.
        log_scales: (channels,) log2 of the scale in values that an output for a scale of 0 stands for.
        units: (outputs of a channel, channels): what an output of 1 stands for, as a share of the range of the values.
        offsets: (channels,) the mean where the output is 0, in values. With `colour`, all channels have the same units and offset, as they
            have the same output.
    """

    units: torch.Tensor
    offsets: torch.Tensor

    def __init__(self, targets: Targets, scales: bool, colour: bool) -> None:
        super().__init__()
        values = targets.values.double()
        channels, self.peak = targets.channels, 2.0**targets.depth
        self.order = [1, 0, 2, *range(3, channels)][:channels] if channels > 2 else list(range(channels))
        factors, rest, offsets = torch.zeros(channels, channels), torch.empty_like(values), torch.zeros(channels, dtype=torch.float64)
        for i, channel in enumerate(self.order):
            known = torch.cat([values[:, self.order[:i]], torch.ones_like(values[:, :1])], 1)
            found = torch.linalg.lstsq(known.cpu(), values[:, channel : channel + 1].cpu(), driver="gelsd").solution[:, 0].to(values.device)
            factors[i, :i] = found[:i].clamp(-4, 4)
            rest[:, channel] = values[:, channel] - values[:, self.order[:i]] @ factors[i, :i].double().to(values.device)
            offsets[channel] = rest[:, channel].mean()
        spread = (rest - offsets.to(values.device)).square().mean(0).sqrt().clamp_min(LEAST_SPREAD)
        self.factors = nn.Parameter(factors.to(values.device))
        self.log_scales = nn.Parameter(torch.log2(spread / 2).float())
        if colour:
            offsets = offsets.mean().expand(channels).clone()
            spread = (rest - offsets.to(values.device)).square().mean(0).sqrt().max().clamp_min(LEAST_SPREAD).expand(channels)
        wanted = [2 * spread / self.peak] + [torch.full_like(spread, 1 / OCTAVES)] * scales
        units = torch.stack(wanted).float()
        self.halvings = torch.round(torch.log2(units.max() / units)).clamp(0, LARGEST_HALVING)
        self.register_buffer("units", units.max() * 2.0**-self.halvings)
        self.register_buffer("offsets", offsets.float().to(values.device))

    def means(self, outputs: torch.Tensor) -> torch.Tensor:
        """Means of channels before they are joined, in values, (n, channels). outputs: (n, channels, 1 or 2)."""
        return outputs[:, :, 0] * (self.units[0] * self.peak) + self.offsets

    def scales(self, outputs: torch.Tensor) -> torch.Tensor:
        """Log2 of the scales in values, (n, channels) or (channels,)."""
        if outputs.shape[2] == 1:
            return self.log_scales
        return self.log_scales + (outputs[:, :, 1] * (self.units[1] * OCTAVES)).clamp(-SCALE_RANGE, SCALE_RANGE)

    def given(self, means: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Joined means, if the values of the channels before are known: (n, channels) float."""
        out = means.clone()
        for i, channel in enumerate(self.order):
            for j in range(i):
                out[:, channel] = out[:, channel] + self.factors[i, j] * values[:, self.order[j]]
        return out

    def alone(self, means: torch.Tensor) -> torch.Tensor:
        """Joined means by the network alone, (n, channels), within the range of the values."""
        columns: dict[int, torch.Tensor] = {}
        for i, channel in enumerate(self.order):
            mean = means[:, channel]
            for j in range(i):
                mean = mean + self.factors[i, j] * columns[self.order[j]]
            columns[channel] = mean + (mean.clamp(0, self.peak - 1) - mean).detach()
        return torch.stack([columns[c] for c in range(means.shape[1])], 1)

    def joint(self) -> Joint:
        """How channels are joined, in integers."""
        factors = torch.round(self.factors.detach() * 2**FACTOR_BITS).clamp(-(1 << 15), (1 << 15) - 1).tril(-1).long().cpu().numpy()
        codes = torch.round((self.log_scales.detach() + FINEST_SCALE) * 2 ** (10 - SCALE_CODE)).clamp(0, 255).long().cpu().numpy()
        return Joint(np.array(self.order, np.int64), factors, codes)


class ValueObjective(Objective):
    """The code length of values by a network of form "values". squared: whether the squared error of its means is minimized."""

    def __init__(self, targets: Targets, squared: bool, head: ValueHead) -> None:
        super().__init__(targets, squared)
        self.head = head

    def nats(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        head, peak = self.head, self.head.peak
        value = batch.values.to(outputs.dtype)
        mean = head.given(head.means(outputs), value)
        if self.squared and outputs.shape[2] == 1:  # nothing else teaches the scales: a logistic's is its deviation times √3 / π
            with torch.no_grad():
                deviation = (value - mean).square().mean(0).sqrt().clamp_min(LEAST_SPREAD)
                head.log_scales.copy_(torch.log2(deviation * (math.sqrt(3) / math.pi)))
        inverse = torch.exp2(-head.scales(outputs).clamp(-FINEST_SCALE, 16))
        # the mean is subtracted first: in float32, values of many bits leave no room for halves
        distance = value - mean
        upper = torch.where(value >= peak - 1, torch.ones_like(mean), torch.sigmoid((distance + 0.5) * inverse))
        lower = torch.where(value <= 0, torch.zeros_like(mean), torch.sigmoid((distance - 0.5) * inverse))
        # beyond the floor of the even part, the logistic's own tail guides the fit
        tail = F.logsigmoid(-distance.abs() * inverse) + torch.log(inverse.clamp_max(1.0))
        mass = (upper - lower) * (1 - 2.0**-EVEN) + 2.0**-EVEN / peak
        return torch.where(upper - lower > 1e-5, -torch.log(mass), -torch.logaddexp(tail.clamp_min(-60.0), torch.log(mass.detach()))).sum()

    def loss(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        if not self.squared:
            return self.nats(outputs, batch)
        square = (self.head.alone(self.head.means(outputs)) - batch.values).square().mean(0)
        # nats of a Gaussian whose variance is the mean square: its gradient does not depend on the range of the values
        return 0.5 * batch.places * torch.log(square + 2.0**-8).sum()

    def predicted(self, outputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.floor(self.head.alone(self.head.means(outputs)) + 0.5).clamp(0, self.head.peak - 1).long()


def objective_of(targets: Targets, head: nn.Module, squared: bool) -> Objective:
    """The objective of a fit. head: of the network; squared: see Objective."""
    return ValueObjective(targets, squared, head) if isinstance(head, ValueHead) else BitObjective(targets, squared)


def cell_nats(cells: list[torch.Tensor]) -> torch.Tensor:
    """An estimate of the code length of cells in nats, differentiable: each column of a level under a Laplace distribution of its own.

    cells: (cells, features) of each level, rounded or with noise of width 1.
    """
    total = torch.zeros((), device=cells[0].device if cells else None)
    for numbers in cells:
        b = numbers.abs().mean(0) + 0.05

        def below(x: torch.Tensor, b: torch.Tensor = b) -> torch.Tensor:
            half = 0.5 * torch.exp(-x.abs() / b)
            return torch.where(x < 0, half, 1 - half)

        total = total - torch.log(below(numbers + 0.5) - below(numbers - 0.5) + 1e-5).sum()
    return total


def cell_bits(model: CoordinateNetwork) -> float:
    """An estimate of the code length of a network's cells in bits, when they are rounded; without those of direct levels."""
    with torch.no_grad():
        rounded = [torch.round(c) for c, level in zip(model.cells, model.architecture.levels, strict=True) if not level.direct]
        return float(cell_nats(rounded)) / math.log(2)


def psnr(square: float, peak: float) -> float:
    """PSNR in dB of a mean squared error of values; infinite if it is 0. peak: see `data.Targets`."""
    return 10 * math.log10(peak * peak / square) if square else math.inf
