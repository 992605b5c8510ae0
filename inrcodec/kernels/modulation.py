"""A network whose hidden layers are shifted by a vector of each patch of the signal, in exact integer arithmetic.

Dupont et al., "COIN++: Neural Compression Across Modalities" (TMLR 2022). SPEC.md, "Networks from priors", defines the function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .architecture import COORDINATE_BITS, Architecture
from .inr import (
    EXACT_FLOAT64,
    FRACTION_BITS,
    LARGEST_MULTIPLIER,
    LARGEST_PRODUCT,
    LARGEST_SHIFT,
    BoundError,
    Integers,
    Network,
    Shifts,
    positions_of,
)

TURN_MASK = 0xFFFF  # a shift is in units of 2^-16 turns


@dataclass(frozen=True)
class Modulated:
    """A network of means, shifted patch by patch. Raises BoundError if not all sums are exact.

    Attributes:
        base: a plain network of sines, of form "values", of coordinates within a patch.
        sizes: of the signal's axes.
        patch: patches have 2^patch places along each axis; the last along an axis may have fewer.
        map: (layers·hidden, latents) int32: shift = floor((map·latents)·multiplier / 2^shift), in units of 2^-16 turns.
        latents: (patches, latents) int64, patches in raster order.
    """

    base: Network
    sizes: tuple[int, ...]
    patch: int
    map: npt.NDArray[np.int32]
    latents: Integers
    multiplier: int
    shift: int
    _map: npt.NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.latents.shape != (math.prod(patches_of(self.sizes, self.patch)), self.map.shape[1]):
            raise BoundError("the latent vectors do not have the shape of the signal")
        largest = max(int(self.latents.max()), -int(self.latents.min()))
        peak = largest * int(np.abs(self.map).sum(axis=1, dtype=np.int64).max())
        if not (0 <= self.multiplier < LARGEST_MULTIPLIER and 0 <= self.shift <= LARGEST_SHIFT):
            raise BoundError("a multiplier or shift is out of range")
        if peak >= EXACT_FLOAT64 or peak * self.multiplier >= LARGEST_PRODUCT:
            raise BoundError("a sum of latent values is too large to be exact")
        object.__setattr__(self, "_map", np.ascontiguousarray(self.map.T, np.float64))

    @cached_property
    def architecture(self) -> Architecture:
        """That of the base, with the signal's sizes."""
        return replace(self.base.architecture, sizes=self.sizes)

    def means(self, coordinates: Integers) -> tuple[Integers, Integers]:
        """As `Network.means`, of coordinates of the whole signal, (n, axes) int64; the scales are 0."""
        positions = positions_of(coordinates, self.sizes)
        rows, local = np.zeros(len(coordinates), np.int64), np.empty_like(positions)
        for axis, count in enumerate(patches_of(self.sizes, self.patch)):
            index = positions[:, axis] >> (FRACTION_BITS + self.patch)
            rows = rows * count + index
            local[:, axis] = within_patch(positions[:, axis] - (index << (FRACTION_BITS + self.patch)), self.patch)
        patches, where = np.unique(rows, return_inverse=True)
        sums = (self.latents[patches].astype(np.float64) @ self._map).astype(np.int64)
        found = self.base.shifted_means(local, Shifts(((sums * self.multiplier) >> self.shift) & TURN_MASK, where.astype(np.int64)))
        return found, np.zeros_like(found)


def patches_of(sizes: tuple[int, ...], patch: int) -> tuple[int, ...]:
    """Patches of 2^patch places along each axis."""
    return tuple(-(-n >> patch) for n in sizes)


def within_patch(positions: Integers, patch: int) -> Integers:
    """Coordinates of positions from the beginning of a patch, in units of 2^-8 places, both int64 (n,): −2^24 … 2^24."""
    last = ((1 << patch) - 1) << FRACTION_BITS
    return np.minimum(((2 * positions - last) << COORDINATE_BITS) // max(last, 1), 1 << COORDINATE_BITS)
