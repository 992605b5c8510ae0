"""The training set: coordinates of all places and the bits that belong there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..kernels.inr import COORDINATE_BITS, axis_coordinates
from ..values import Values, plane_bits, to_gray


@dataclass(frozen=True)
class Targets:
    """Everything a network is fitted to.

    Attributes:
        coordinates: integer coordinates (places, axes), as the decoder computes them.
        inputs: the same as float32 in −1 … 1, on the device.
        bits: (places, channels, bits) of 0 and 1, uint8, on the device, the most significant bit first.
        gray: whether they are bits of the values' Gray code.
    """

    coordinates: np.ndarray
    inputs: torch.Tensor
    bits: torch.Tensor
    gray: bool

    @property
    def places(self) -> int:
        return int(self.bits.shape[0])

    @property
    def channels(self) -> int:
        return int(self.bits.shape[1])

    @property
    def depth(self) -> int:
        return int(self.bits.shape[2])


def targets(values: Values, bits: int, device: torch.device, gray: bool = False) -> Targets:
    """Targets for values of shape (axes…, channels), below 2^bits."""
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
