"""Cells of a grid in torch: which cells surround a place, with which shares. The same as `kernels.inr.interpolated`, in float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..kernels.architecture import COORDINATE_BITS, Level
from ..kernels.inr import FRACTION_BITS, PRIMES


@dataclass(frozen=True)
class Corners:
    """The cells around some places. cells: (n, 2^axes) int64; shares: (n, 2^axes) float32, whose sum at each place is 1."""

    cells: torch.Tensor
    shares: torch.Tensor

    def interpolate(self, numbers: torch.Tensor) -> torch.Tensor:
        """(cells, features) → (n, features)."""
        found = torch.index_select(numbers, 0, self.cells.flatten())  # its gradient is faster than that of an embedding
        return (found.reshape(*self.cells.shape, -1) * self.shares[..., None]).sum(1)

    def at(self, index: torch.Tensor) -> Corners:
        """Those of some places. index: (m,) int64."""
        return Corners(self.cells[index], self.shares[index])


def corners_of(level: Level, coordinates: np.ndarray, sizes: tuple[int, ...], device: torch.device) -> Corners:
    """The corners of places. coordinates: (n, axes) int64, see `kernels.inr.axis_coordinates`; sizes: of the axes."""
    axes, nodes, fraction = len(sizes), level.nodes(sizes), 1 << FRACTION_BITS
    cells, shares = [], []
    lower, part = [], []
    for c, n in zip(coordinates.T, sizes, strict=True):
        limit = (n - 1) << FRACTION_BITS
        position = np.clip(((c + (1 << COORDINATE_BITS)) * limit + (1 << COORDINATE_BITS)) >> (COORDINATE_BITS + 1), 0, limit)
        lower.append(position >> (FRACTION_BITS + level.spacing))
        part.append((position >> level.spacing) & (fraction - 1))
    for corner in range(1 << axes):
        share, index, mixed = np.ones(len(coordinates)), np.zeros(len(coordinates), np.int64), np.zeros(len(coordinates), np.int64)
        for a in range(axes):
            high = bool(corner >> a & 1)
            node = np.minimum(lower[a] + high, nodes[a] - 1)
            share *= (part[a] if high else fraction - part[a]) / fraction
            index = index * nodes[a] + node
            mixed ^= (node * PRIMES[a]) & 0xFFFFFFFF
        cells.append(mixed & ((1 << level.table) - 1) if level.table else index)
        shares.append(share.astype(np.float32))
    return Corners(torch.from_numpy(np.stack(cells, 1)).to(device), torch.from_numpy(np.stack(shares, 1)).to(device))
