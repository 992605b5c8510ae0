"""Uniform quantization: integers of n bits, with a step that maps the largest weight of a layer to the largest integer."""

from __future__ import annotations

import torch

from .base import Bits, Grid, as_integers, round_through


class Uniform(Bits):
    """Integers of n bits; the step is the largest weight of the layer divided by the largest integer."""

    name = "uniform"
    delta_settings = (3, 4, 5)

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """Bits per weight."""
        return (bits,) if bits else (5, 7) if auto else (16,)

    def _step(self, layer: int) -> torch.Tensor:
        return torch.div(self.weights(layer).detach().abs().max().clamp_min(1e-12), self.largest)

    def coded(self, layer: int) -> torch.Tensor:
        step = self._step(layer)
        return torch.mul(round_through(self.weights(layer) / step), step)

    def coded_grid(self, layer: int) -> Grid:
        step = self._step(layer)
        return Grid(as_integers(self.weights(layer) / step), float(step))
