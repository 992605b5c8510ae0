"""The training set of a coordinate network: the coordinates of all places, and the values there and their bits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage

from ..kernels.architecture import COORDINATE_BITS, Level
from ..kernels.inr import axis_coordinates
from ..values import Values, plane_bits, to_gray
from .grid import Corners, corners_of

KEPT_CORNERS = 1 << 27  # corners of all levels that are kept at once; for a larger signal they are found anew for each batch


@dataclass(frozen=True)
class Batch:
    """Some places. inputs: (n, axes) float32; bits: (n, channels, bits) uint8; values: (n, channels) int64; corners: of each level.

    near: how many of them, the first, were drawn from the places near a surface, and the others from the rest; 0: all from all.
    """

    inputs: torch.Tensor
    bits: torch.Tensor
    values: torch.Tensor
    corners: list[Corners]
    near: int = 0

    @property
    def places(self) -> int:
        """n."""
        return int(self.values.shape[0])

    def part(self, places: slice) -> Batch:
        """Some of the places, without corners, which only the network needs: of a large signal, they would fill the memory."""
        return Batch(self.inputs[places], self.bits[places], self.values[places], [])


@dataclass(frozen=True)
class Targets:
    """What a network is fitted to.

    Attributes:
        sizes: of the axes.
        coordinates: (places, axes) int64, the integer coordinates that the decoder computes.
        inputs: (places, axes) float32 on the device, the same coordinates scaled to −1 … 1.
        bits: (places, channels, bits) uint8 of 0 and 1, on the device, the most significant bit first.
        values: (places, channels) int64 on the device.
        gray: whether `bits` are those of the values' Gray code.
        peak: what a PSNR of the values is relative to: see `profiles.Subject`.
        near, far: of an occupancy field, the places near its surface, see `near_surface`, and the others, (n,) int64 each, on the CPU; else
            empty.
    """

    sizes: tuple[int, ...]
    coordinates: np.ndarray
    inputs: torch.Tensor
    bits: torch.Tensor
    values: torch.Tensor
    gray: bool
    peak: float
    near: torch.Tensor
    far: torch.Tensor
    _corners: dict[Level, Corners] = field(default_factory=dict, repr=False)

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

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.bits.device

    def batch(self, index: torch.Tensor | None, levels: tuple[Level, ...] = (), near: int = 0) -> Batch:
        """The places with these numbers, (n,) int64; None: all. levels: whose corners are wanted; near: see `Batch`."""
        if self.places * len(levels) << len(self.sizes) <= KEPT_CORNERS:
            for level in levels:
                if level not in self._corners:
                    self._corners[level] = corners_of(level, self.coordinates, self.sizes, self.device)
            kept = [self._corners[level] for level in levels]
            corners = kept if index is None else [c.at(index) for c in kept]
        else:
            chosen = self.coordinates if index is None else self.coordinates[index.cpu().numpy()]
            corners = [corners_of(level, chosen, self.sizes, self.device) for level in levels]
        if index is None:
            return Batch(self.inputs, self.bits, self.values, corners)
        return Batch(self.inputs[index], self.bits[index], self.values[index], corners, near)


def is_occupancy(values: Values, bits: int) -> bool:
    """Whether values, (axes…, channels), are an occupancy field: of one bit, in a space of at least three axes."""
    return bits == 1 and values.ndim > 3


def near_surface(values: Values) -> np.ndarray:
    """The places of an occupancy field whose neighbourhood, 3 places along each axis, holds both values: their numbers, (n,) int64."""
    size = (*[3] * (values.ndim - 1), 1)
    mixed = ndimage.maximum_filter(values, size, mode="nearest") != ndimage.minimum_filter(values, size, mode="nearest")
    return np.flatnonzero(mixed.any(axis=-1))


def targets(values: Values, bits: int, device: torch.device, gray: bool = False, peak: float = 0.0) -> Targets:
    """The targets for values, (axes…, channels), below 2^bits. gray: whether to fit to their Gray code; peak: 0 stands for 2^bits − 1."""
    axes, channels = values.shape[:-1], values.shape[-1]
    grid = np.meshgrid(*[axis_coordinates(n) for n in axes], indexing="ij")
    coordinates = np.stack([g.ravel() for g in grid], axis=1)
    planes = plane_bits((to_gray(values) if gray else values).reshape(-1, channels), bits).reshape(-1, channels, bits)
    near = near_surface(values) if is_occupancy(values, bits) else np.empty(0, np.int64)
    far = np.setdiff1d(np.arange(len(coordinates)), near, assume_unique=True) if len(near) else near
    return Targets(
        axes,
        coordinates,
        torch.from_numpy((coordinates / 2.0**COORDINATE_BITS).astype(np.float32)).to(device),
        torch.from_numpy(planes).to(device),
        torch.from_numpy(values.reshape(-1, channels).astype(np.int64)).to(device),
        gray,
        peak or 2.0**bits - 1,
        torch.from_numpy(near),
        torch.from_numpy(far),
    )
