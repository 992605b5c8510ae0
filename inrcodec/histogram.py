"""Which values occur, and what it saves to know."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 64  # values among which gaps are looked for


def gaps(used: npt.NDArray[np.int64], counts: npt.NDArray[Any]) -> float:
    """Bits that it saves to know which values occur. used: those that do, ascending, from 0 up; counts: how many samples have each.

    In a block of values that are equally likely, so many samples would meet some number of different ones; what they meet less is gaps.
    """
    _, starts = np.unique(used // BLOCK, return_index=True)
    samples, met = np.add.reduceat(counts, starts).astype(np.float64), np.diff(starts, append=len(used))
    expected = -BLOCK * np.expm1(samples * np.log1p(-1 / BLOCK))
    return float((samples * np.maximum(np.log2(expected / met), 0)).sum())
