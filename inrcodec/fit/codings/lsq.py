"""Quantization with a learned step: Esser et al., "Learned Step Size Quantization", ICLR 2020."""

from __future__ import annotations

import torch
from torch import nn

from ..model import CoordinateNetwork
from .base import Bits, Grid, as_integers, round_through


class Lsq(Bits):
    """n bits with a learned step: x̄ = quantize(clamp(x/s, −1, 1)), x̂ = x̄·s (after Esser et al., LSQ, ICLR 2020)."""

    name = "lsq"
    delta_settings = (3, 4)

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """Bits per weight."""
        return (bits,) if bits else (3, 5) if auto else (4,)

    def __init__(self, model: CoordinateNetwork, bits: int) -> None:
        super().__init__(model, bits)
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
        levels = round_through((self.weights(layer) / scale).clamp(-1, 1) * self.largest)
        return torch.mul(levels, scale / self.largest)

    def coded_grid(self, layer: int) -> Grid:
        scale = self.log_scale[layer].detach().exp()
        return Grid(as_integers((self.weights(layer) / scale).clamp(-1, 1) * self.largest), float(scale) / self.largest)

    def groups(self, rate: float) -> list[dict[str, object]]:
        return [*super().groups(rate), {"params": list(self.log_scale.parameters()), "lr": 3 * rate}]
