"""Ternary weights: Ma et al., "The Era of 1-bit LLMs", 2024 (BitNet b1.58)."""

from __future__ import annotations

import torch

from .base import Coding, Grid, as_integers


class Ternary(Coding):
    """−1, 0 or 1 times the mean magnitude of the layer's weights (absmean of BitNet b1.58)."""

    name = "ternary"
    delta_settings = (0,)
    least_bits = 1.5  # where many weights are 0, it takes less than log2 3

    def _scale(self, layer: int) -> torch.Tensor:
        return self.weights(layer).detach().abs().mean().clamp_min(1e-12)

    def coded(self, layer: int) -> torch.Tensor:
        scale = self._scale(layer)
        w = self.weights(layer)
        return w + (torch.round(w.detach() / scale).clamp(-1, 1) * scale - w.detach())

    def coded_grid(self, layer: int) -> Grid:
        scale = self._scale(layer)
        return Grid(as_integers((self.weights(layer) / scale).clamp(-1, 1)), float(scale))
