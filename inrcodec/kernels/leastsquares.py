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
        np.asarray(taps, np.int64),
        block,
        every,
        decay,
        np.zeros((blocks, n, n)),
        np.zeros((blocks, n)),
        np.zeros((n, n)),
        np.zeros(n),
        w,
        np.zeros(n),
    )


@njit(cache=True, nogil=True)
def factor(u: Any, z: Any, w: Any) -> None:
    """Solve U·w = z in place, U's upper triangle given, by Cholesky's factorization UᵀU; w is kept as it is if U is not positive."""
    n = w.shape[0]
    for i in range(n):  # row by row; each element loses the products of the rows above, from the first to the last
        row = u[i]
        whole = i // 4 * 4
        for k in range(0, whole, 4):
            r0, r1, r2, r3 = u[k], u[k + 1], u[k + 2], u[k + 3]
            f0, f1, f2, f3 = r0[i], r1[i], r2[i], r3[i]
            for j in range(i, n):
                row[j] = (((row[j] - f0 * r0[j]) - f1 * r1[j]) - f2 * r2[j]) - f3 * r3[j]
            z[i] = (((z[i] - f0 * z[k]) - f1 * z[k + 1]) - f2 * z[k + 2]) - f3 * z[k + 3]
        for k in range(whole, i):
            r0 = u[k]
            f0 = r0[i]
            for j in range(i, n):
                row[j] -= f0 * r0[j]
            z[i] -= f0 * z[k]
        if not row[i] > 1e-9:
            return
        inverse = 1.0 / math.sqrt(row[i])
        for j in range(i, n):
            row[j] *= inverse
        z[i] *= inverse
    for i in range(n - 1, -1, -1):
        t = z[i]
        for j in range(i + 1, n):
            t -= u[i, j] * w[j]
        w[i] = t / u[i, i]


@njit(cache=True, nogil=True)
def solve(s: LeastSquares, block: Any) -> None:
    """New weights from the sums around a block; kept as they are if the matrix is not positive."""
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
    factor(u, z, s.w)


@njit(inline="always", cache=True)
def fade(a: Any, b: Any, block: Any, decay: Any) -> None:
    """Forget a little of a block."""
    for i in range(b.shape[1]):
        for j in range(b.shape[1]):
            a[block, i, j] *= decay
        b[block, i] *= decay


@njit(inline="always", cache=True)
def predict(taps: Any, w: Any, x: Any, relative: Any) -> Any:
    """The prediction, relative to the own group's mean; relative: gathered values less their group's mean."""
    p = 0.0
    for i in range(w.shape[0]):
        t = relative[taps[i]]
        x[i] = t
        p += w[i] * t
    return p


@njit(inline="always", cache=True)
def learn(a: Any, b: Any, x: Any, target: Any, weight: Any, block: Any) -> None:
    """Add a place to a block's sums: its regressors as `predict` left them, and the value that was to be predicted."""
    n = x.shape[0]
    for i in range(n):
        t = x[i] * weight
        for j in range(i // 8 * 8, n):  # whole lanes; what lies below the diagonal is not looked at
            a[block, i, j] += t * x[j]
        b[block, i] += t * target
