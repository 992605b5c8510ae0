"""The training set of a bit-plane network: the coordinates of all places, and the bits of their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..kernels.inr import COORDINATE_BITS, axis_coordinates
from ..values import Values, plane_bits, to_gray


@dataclass(frozen=True)
class Targets:
    """What a network is fitted to.

    Attributes:
        coordinates: (places, axes) int64, the integer coordinates that the decoder computes.
        inputs: (places, axes) float32 on the device, the same coordinates scaled to −1 … 1.
        bits: (places, channels, bits) uint8 of 0 and 1, on the device, the most significant bit first.
        gray: whether `bits` are those of the values' Gray code.
    """

    coordinates: np.ndarray
    inputs: torch.Tensor
    bits: torch.Tensor
    gray: bool

    @property
    def places(self) -> int:
        """Number of places."""
        return int(self.bits.shape[0])

    @property
    def channels(self) -> int:
        """Values at each place."""
        return int(self.bits.shape[1])

    @property
    def depth(self) -> int:
        """Bits of each value."""
        return int(self.bits.shape[2])


def targets(values: Values, bits: int, device: torch.device, gray: bool = False) -> Targets:
    """The targets for values, (axes…, channels), below 2^bits. gray: whether to fit to their Gray code."""
    axes, channels = values.shape[:-1], values.shape[-1]
    grid = np.meshgrid(*[axis_coordinates(n) for n in axes], indexing="ij")
    coordinates = np.stack([g.ravel() for g in grid], axis=1)
    planes = plane_bits((to_gray(values) if gray else values).reshape(-1, channels), bits).reshape(-1, channels, bits)
    return Targets(
        coordinates,
        torch.from_numpy((coordinates / 2.0**COORDINATE_BITS).astype(np.float32)).to(device),
        torch.from_numpy(planes).to(device),
        gray,
    )
