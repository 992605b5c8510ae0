"""Adaptive bit probabilities: 22-bit estimates that move by 1/(n + 1.5) of the error after n bits, so fast at first and then slowly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import Int, Ints1
from .compiling import shared

BITS = 22
ONE = 1 << BITS
AGE_LIMIT = 255

# RATE[n] / 2^16 = 1/(n + 1.5): nearly the mean of the bits seen, after Krichevsky and Trofimov
RATE: npt.NDArray[np.int64] = np.array([2 * 65536 // (2 * n + 3) for n in range(AGE_LIMIT + 1)], np.int64)


@shared
def update(estimate: Ints1, age: Ints1, i: Int, bit: Int, limit: Int) -> None:
    """Learn a bit: move estimate i, the probability of a 1 times 2^22, towards `bit`.

    estimate, age: (n,). The age of an estimate is the number of bits that it has learnt, at most `limit`.
    """
    n = age[i]
    rate = RATE[n]
    if bit:
        estimate[i] += ((ONE - estimate[i]) * rate) >> 16
    else:
        estimate[i] -= (estimate[i] * rate) >> 16
    if n < limit:
        age[i] = n + 1


@shared
def probability(estimate: Ints1, i: Int) -> Int:
    """Estimate i as the arithmetic coder takes it: in units of 2^-16, 1 … 65535."""
    return min(max(estimate[i] >> (BITS - 16), 1), 65535)
