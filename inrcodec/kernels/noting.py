"""What each value took in a stream that is decoded."""

from __future__ import annotations

import math

import numpy as np

from .arrays import Floats1, Floats2, Int, Ints1
from .coder import DPOSITION, DRANGE
from .compiling import part


@part
def note_bits(state: Ints1, read: Floats1, i: Int) -> None:
    """Fill in read[i]: the bits that were decoded so far. state: see `BitCoder`, while decoding.

    They are those of the bytes that were read, less what the range can still tell: what is decoded between two calls took their difference,
    as exactly as an arithmetic coder spends. It is no stage, since hardly anyone asks, and code that is never run would slow down loops.
    The logarithm may be libm's: nothing that is coded depends on it. That of `functions` loads more of Numba than decoding needs.
    """
    read[i] = 8.0 * np.float64(state[DPOSITION]) - math.log2(np.float64(state[DRANGE]))


UNREAD: Floats2 = np.zeros((0, 0))  # what kernels get in place of an array for `note_bits` before each value, if that is not wanted


def costs_of(read: Floats2, end: float) -> Floats2:
    """The bits of each value, from those that had been read before each; end: after the last. read: of any shape, in coding order."""
    return np.maximum(np.diff(read.ravel(), append=end), 0.0).reshape(read.shape)
