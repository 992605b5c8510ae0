"""Pictures made smaller: each sample is the mean of a square block, and exact.

The sums of the blocks are collected from parts of the picture in any order, from any thread, so that no more of it need be there at once.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FormatError
from .layout import Box

SIDES = (2, 4, 8, 16, 32)  # of blocks
MAX_DEPTH = 32  # bits of samples, so that no sum overflows
LEAST_DEPTH = 8  # of what is made: blocks of few bits have means in between
ROWS = 64  # of means that are rounded at a time


class Averages:
    """Means of the blocks of side × side samples of a picture. At its last row and column they are smaller.

    sizes: rows and columns; channels: of the picture; depth, dtype: bits and type of its samples, up to MAX_DEPTH.
    """

    def __init__(self, sizes: tuple[int, ...], channels: int, side: int, depth: int, dtype: np.dtype[Any]) -> None:
        self.sizes, self.side, self.depth, self.dtype = sizes, side, depth, dtype
        self.sums = np.zeros((*smaller(sizes, side), channels), np.uint32 if dtype.itemsize <= 2 else np.uint64)
        self._lock = threading.Lock()

    @staticmethod
    def memory(sizes: tuple[int, ...], channels: int, side: int) -> int:
        """The most bytes that the sums and the means take."""
        rows, columns = smaller(sizes, side)
        return 16 * rows * columns * channels + 64 * min(rows, ROWS) * columns * channels

    def add(self, box: Box, samples: npt.NDArray[Any]) -> None:
        """Add the samples of a box, (rows, columns, channels). Each sample must be added once."""
        found = samples
        for axis, span in enumerate(box):
            starts = [span.start, *range((span.start // self.side + 1) * self.side, span.stop, self.side)]
            found = np.add.reduceat(found, np.array(starts) - span.start, axis=axis, dtype=self.sums.dtype)
        target = tuple(slice(span.start // self.side, (span.stop - 1) // self.side + 1) for span in box)
        with self._lock:
            self.sums[target] += found

    def samples(self) -> npt.NDArray[Any]:
        """The means, rounded, halves up: (rows, columns, channels), in the picture's type; of less than 8 bits, stretched to 8, uint8.

        Raises FormatError if samples did not fit in their bits.
        """
        shown, top = (1, 1) if self.depth >= LEAST_DEPTH else ((1 << LEAST_DEPTH) - 1, (1 << self.depth) - 1)
        most = np.uint64((1 << self.depth) - 1)
        found = np.empty(self.sums.shape, type_of(self.dtype, self.depth))
        high, wide = (np.minimum(self.side, n - np.arange(0, n, self.side)).astype(np.uint64) for n in self.sizes)
        for row in range(0, len(found), ROWS):
            rows = slice(row, row + ROWS)
            count = high[rows, None, None] * wide[:, None]
            if (self.sums[rows] > count * most).any():
                raise FormatError(f"damaged: samples do not fit in {self.depth} bits")
            below = count * np.uint64(top)
            found[rows] = (2 * shown * self.sums[rows].astype(np.uint64) + below) // (2 * below)
        return found


def type_of(dtype: np.dtype[Any], depth: int) -> np.dtype[Any]:
    """The type of means of samples of this type and depth."""
    return dtype if depth >= LEAST_DEPTH else np.dtype(np.uint8)


def smaller(sizes: tuple[int, ...], side: int) -> tuple[int, ...]:
    """How many blocks there are along each axis."""
    return tuple(-(-n // side) for n in sizes)


def of_samples(samples: npt.NDArray[Any], side: int, depth: int) -> npt.NDArray[Any]:
    """The means of a picture that is there: (rows, columns[, channels]). See `Averages.samples`."""
    shaped = samples.reshape(*samples.shape[:2], -1)
    sizes = shaped.shape[:2]
    means = Averages(sizes, shaped.shape[2], side, depth, samples.dtype)
    for row in range(0, sizes[0], ROWS * side):
        rows = slice(row, min(row + ROWS * side, sizes[0]))
        means.add((rows, slice(0, sizes[1])), shaped[rows])
    return means.samples().reshape(*smaller(sizes, side), *samples.shape[2:])
