"""Quantization with a learned step: Esser et al., "Learned Step Size Quantization", ICLR 2020."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..model import CoordinateNetwork
from .base import Bits, Grid, as_integers, round_through

STEP_RATE = 3.0  # learning rate of the scale, relative to that of weights
COARSE = 15  # largest integer up to which it holds; a finer step moves all weights by more than itself at such a rate


def scaled_gradient(x: torch.Tensor, factor: float) -> torch.Tensor:
    """x, with its gradient multiplied by `factor`."""
    part = x * factor
    return x.detach() + (part - part.detach())


class Lsq(Bits):
    """n bits with a learned step: x̄ = quantize(clamp(x/s, −1, 1)), x̂ = x̄·s (after Esser et al., LSQ, ICLR 2020).

    gradient_scale: whether the step's gradient is multiplied by 1/√(N·Q_P), N the weights of the layer and Q_P the largest integer, as
    Esser et al. do. Adam divides gradients by their size, so there it matters little; it would with plain gradient descent.
    """

    name = "lsq"
    delta_settings = (3, 4)

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """Bits per weight."""
        return (bits,) if bits else (3, 5) if auto else (4,)

    def __init__(self, model: CoordinateNetwork, bits: int, gradient_scale: bool = False) -> None:
        super().__init__(model, bits)
        self.gradient_scale = gradient_scale
        self.log_scale = nn.ParameterList(nn.Parameter(self._initial(w).log()) for w in model.weights)

    def _initial(self, weights: torch.Tensor) -> torch.Tensor:
        """The scale s with the least squared error, of some multiples of the largest weight."""
        w = weights.detach()
        top = w.abs().max().clamp_min(1e-12)
        scales: list[torch.Tensor] = [top * share / 20 for share in range(2, 21)]
        errors = [((torch.round((w / s).clamp(-1, 1) * self.largest) / self.largest * s - w) ** 2).sum() for s in scales]
        return scales[int(torch.stack(errors).argmin())]

    def coded(self, layer: int) -> torch.Tensor:
        scale: torch.Tensor = self.log_scale[layer].exp()
        weights = self.weights(layer)
        if self.gradient_scale:
            scale = scaled_gradient(scale, 1 / math.sqrt(weights.numel() * self.largest))
        levels = round_through((weights / scale).clamp(-1, 1) * self.largest)
        return torch.mul(levels, scale / self.largest)

    def coded_grid(self, layer: int) -> Grid:
        scale = self.log_scale[layer].detach().exp()
        return Grid(as_integers((self.weights(layer) / scale).clamp(-1, 1) * self.largest), float(scale) / self.largest)

    def groups(self, rate: float) -> list[dict[str, object]]:
        own = STEP_RATE * rate * min(1.0, COARSE / self.largest)
        return [*super().groups(rate), {"params": list(self.log_scale.parameters()), "lr": own}]
