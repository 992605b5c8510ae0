"""Adaptive bit probabilities: a 22-bit estimate that moves fast while young and slowly when it has seen much."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

BITS = 22
ONE = 1 << BITS
AGE_LIMIT = 255

# RATE[n] / 2^16 is the step after n bits seen: 1/(n + 1.5), the Krichevsky–Trofimov-like average
RATE: npt.NDArray[np.int64] = np.array([2 * 65536 // (2 * n + 3) for n in range(AGE_LIMIT + 1)], np.int64)

# a model is a pair of arrays: the estimates (of a 1, times 2^22) and their ages
Model = npt.NDArray[np.int64]


@njit(inline="always", cache=True)
def update(estimate: Model, age: Model, i: Any, bit: Any, limit: Any) -> None:
    """Move estimate i towards `bit`; its age grows up to `limit`."""
    n = age[i]
    rate = RATE[n]
    if bit:
        estimate[i] += ((ONE - estimate[i]) * rate) >> 16
    else:
        estimate[i] -= (estimate[i] * rate) >> 16
    if n < limit:
        age[i] = n + 1


@njit(inline="always", cache=True)
def probability(estimate: Model, i: Any) -> Any:
    """Estimate i as the coder takes it: 1 … 65535."""
    return min(max(estimate[i] >> (BITS - 16), 1), 65535)
