"""Local least squares: linear prediction fitted to what was decoded around a place, above as well as to the left.

The normal equations are kept per block of columns and fade from row to row, so that the fit at a place is that of a
two-dimensional window: this block, its neighbours, and the rows above. Samples count by the inverse square of the
local error. After X. Li and M. T. Orchard, "Edge-directed prediction for lossless compression of natural images", IEEE
Trans. Image Processing 10(6), 2001; the sums by blocks are our own.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit


class LeastSquares(NamedTuple):
    """One predictor's state: float64, but for `taps` (indices into the gathered values, int64)."""

    taps: Any  # (n,)
    block: int  # columns
    every: int  # columns between solutions
    decay: float  # from row to row
    a: Any  # (blocks, n, n): upper triangles of the normal matrices
    b: Any  # (blocks, n)
    u: Any  # (n, n) scratch: the factor
    z: Any  # (n,) scratch
    w: Any  # (n,) the current weights
    x: Any  # (n,) the current regressors


RIDGE = 1.0


def least_squares(taps: Any, columns: int, block: int, every: int, decay: float) -> LeastSquares:
    """A fresh predictor for rows of `columns` places. It begins as the mean of its first two taps."""
    n, blocks = len(taps), -(-columns // block)
    w = np.zeros(n)
    w[:2] = 0.5
    return LeastSquares(
        np.asarray(taps, np.int64), block, every, decay, np.zeros((blocks, n, n)), np.zeros((blocks, n)), np.zeros((n, n)), np.zeros(n), w, np.zeros(n)
    )  # fmt: skip


@njit(cache=True, nogil=True)
def solve(s: LeastSquares, block: Any) -> None:
    """New weights from the sums around a block, by Cholesky's factorization A = UᵀU; kept as they are if A is not positive."""
    n = s.w.shape[0]
    u, z = s.u, s.z
    for i in range(n):
        for j in range(i, n):
            u[i, j] = s.a[block, i, j]
        z[i] = s.b[block, i]
    for other in (block - 1, block + 1):
        if 0 <= other < s.a.shape[0]:
            for i in range(n):
                for j in range(i, n):
                    u[i, j] += s.a[other, i, j]
                z[i] += s.b[other, i]
    for k in range(n):
        u[k, k] += RIDGE
    for k in range(n):
        if not u[k, k] > 1e-9:
            return
        inverse = 1.0 / math.sqrt(u[k, k])
        for j in range(k, n):
            u[k, j] *= inverse
        for i in range(k + 1, n):
            f = u[k, i]
            for j in range(i, n):
                u[i, j] -= f * u[k, j]
        t = z[k] * inverse
        z[k] = t
        for j in range(k + 1, n):
            z[j] -= u[k, j] * t
    for i in range(n - 1, -1, -1):
        t = z[i]
        for j in range(i + 1, n):
            t -= u[i, j] * s.w[j]
        s.w[i] = t / u[i, i]


@njit(cache=True, nogil=True)
def fade(s: LeastSquares, column: Any) -> None:
    """Forget a little of the block that begins at `column`."""
    block = column // s.block
    for i in range(s.w.shape[0]):
        for j in range(i, s.w.shape[0]):
            s.a[block, i, j] *= s.decay
        s.b[block, i] *= s.decay


@njit(cache=True, nogil=True)
def predict(s: LeastSquares, relative: Any, column: Any) -> Any:
    """The prediction, relative to the own group's mean; relative: gathered values less their group's mean."""
    n = s.w.shape[0]
    if column % s.block == 0:
        fade(s, column)
    if column % s.every == 0:
        solve(s, column // s.block)
    p = 0.0
    for i in range(n):
        t = relative[s.taps[i]]
        s.x[i] = t
        p += s.w[i] * t
    return p


@njit(cache=True, nogil=True)
def learn(s: LeastSquares, target: Any, weight: Any, column: Any) -> None:
    """Add a place to the sums: its regressors as `predict` left them, and the value that was to be predicted."""
    block = column // s.block
    n = s.w.shape[0]
    for i in range(n):
        t = s.x[i] * weight
        for j in range(i, n):
            s.a[block, i, j] += t * s.x[j]
        s.b[block, i] += t * target
