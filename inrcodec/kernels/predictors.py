"""Linear predictors that learn: least squares predictors of pictures and of sound, and LMS filters.

Least squares predictors are float64. LMS filters are float32.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import Floats1, Floats2, Floats3, Int, Ints1, Singles1
from .compiling import part, shared, stage

BATCH = 8  # samples of a sound between updates of the normal equations


@shared
def dot(w: Any, x: Any, n: Int) -> Any:
    """The dot product of the first n elements of w and x, (at least n,), both float32 or both float64.

    It has eight partial sums; what is left after whole groups of eight is added to the first, one by one.
    """
    l0 = l1 = l2 = l3 = l4 = l5 = l6 = l7 = w.dtype.type(0)
    whole = n & ~7
    for i in range(0, whole, 8):
        l0 += w[i] * x[i]
        l1 += w[i + 1] * x[i + 1]
        l2 += w[i + 2] * x[i + 2]
        l3 += w[i + 3] * x[i + 3]
        l4 += w[i + 4] * x[i + 4]
        l5 += w[i + 5] * x[i + 5]
        l6 += w[i + 6] * x[i + 6]
        l7 += w[i + 7] * x[i + 7]
    for i in range(whole, n):
        l0 += w[i] * x[i]
    return ((l0 + l4) + (l1 + l5)) + ((l2 + l6) + (l3 + l7))


@part
def factor(u: Floats2, z: Floats1, w: Floats1) -> None:
    """Solve A·w = z by Cholesky's factorization A = UᵀU. If A is not positive definite, w is not changed.

    u: (at least n, at least n), the upper triangle of A; z: (at least n,); both are overwritten. w: (n,).
    """
    n = w.shape[0]
    for i in range(n):  # row by row; from each element, the products of the rows above are subtracted, from the first to the last
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


# --- least squares for pictures -----------------------------------------------------------------------------------


class LocalLeastSquares(NamedTuple):
    """A least squares predictor of pictures, fitted to the decoded values around a place.

    The normal equations are summed by blocks of columns, and the sums of a block fade from row to row. The weights at a place are solved
    for from the sums of its block and of the two blocks beside it. So they are fitted to a two-dimensional window. A value counts by the
    inverse square of the local error. After X. Li and M. T. Orchard, "Edge-directed prediction for lossless compression of natural
    images", IEEE Trans. Image Processing 10(6), 2001; the sums by blocks are our own.
    """

    taps: Ints1  # (n,) the regressors: indices into the gathered values
    shift: Int  # log2 of the columns of a block
    every: Int  # columns between two solutions, a power of two
    decay: float  # factor of a block's sums from row to row
    a: Floats3  # (blocks, n, n) upper triangles of the normal matrices
    b: Floats2  # (blocks, n) right-hand sides
    u: Floats2  # (n, n) scratch: the factor
    z: Floats1  # (n,) scratch
    w: Floats1  # (n,) the weights
    x: Floats1  # (n,) the values of the regressors at the current place


RIDGE = 1.0  # added to the diagonal


def local_least_squares(taps: npt.ArrayLike, columns: int, block: int, every: int, decay: float) -> LocalLeastSquares:
    """A fresh predictor. It begins as the mean of its first two regressors.

    taps: (n,), every, decay: see the class; columns: places of a row of the pass; block: columns of a block, a power of two.
    """
    indices = np.asarray(taps, np.int64)
    n, blocks = len(indices), -(-columns // block)
    w = np.zeros(n)
    w[:2] = 0.5
    return LocalLeastSquares(
        taps=indices,
        shift=block.bit_length() - 1,
        every=every,
        decay=decay,
        a=np.zeros((blocks, n, n)),
        b=np.zeros((blocks, n)),
        u=np.zeros((n, n)),
        z=np.zeros(n),
        w=w,
        x=np.zeros(n),
    )


@stage
def local_fade(s: LocalLeastSquares, column: Int) -> None:
    """At the first column of a block, let the sums of the block fade."""
    if column & ((1 << s.shift) - 1) == 0:
        block = column >> s.shift
        for i in range(s.b.shape[1]):
            for j in range(s.b.shape[1]):
                s.a[block, i, j] *= s.decay
            s.b[block, i] *= s.decay


@part
def local_solve(a: Floats3, b: Floats2, u: Floats2, z: Floats1, w: Floats1, block: Int) -> None:
    """Solve for the weights w, (n,), with the sums of a block and of the two beside it. They stay if the matrix is not positive definite.

    a: (blocks, n, n); b: (blocks, n); u: (n, n) and z: (n,) are scratch.
    """
    n = w.shape[0]
    for i in range(n):
        for j in range(i, n):
            u[i, j] = a[block, i, j]
        z[i] = b[block, i]
    for other in (block - 1, block + 1):
        if 0 <= other < a.shape[0]:
            for i in range(n):
                for j in range(i, n):
                    u[i, j] += a[other, i, j]
                z[i] += b[other, i]
    for k in range(n):
        u[k, k] += RIDGE
    factor(u, z, w)


@stage
def local_predict(s: LocalLeastSquares, relative: Floats1, column: Int) -> float:
    """The prediction, relative to the mean of the own group. relative: (taps,) the gathered values minus the mean of their group."""
    if column & (s.every - 1) == 0:
        local_solve(s.a, s.b, s.u, s.z, s.w, column >> s.shift)
    p = 0.0
    for i in range(s.w.shape[0]):
        t = relative[s.taps[i]]
        s.x[i] = t
        p += s.w[i] * t
    return p


@stage
def local_learn(s: LocalLeastSquares, column: Int, target: float, weight: float) -> None:
    """Add a place to the sums of its block, with the regressors that `local_predict` has set.

    target: the value, relative as the prediction is; weight: how much the place counts.
    """
    block = column >> s.shift
    n = s.x.shape[0]
    for i in range(n):
        t = s.x[i] * weight
        for j in range(i // 8 * 8, n):  # from a multiple of 8, for vector instructions; elements below the diagonal are not used
            s.a[block, i, j] += t * s.x[j]
        s.b[block, i] += t * target


# --- least squares for sound --------------------------------------------------------------------------------------


@part
def add_batch(a: Floats2, b: Floats1, x: Floats2, f: Floats1, y: Floats1, n: Int, decay: float) -> None:
    """Let the sums fade, and add a batch. a: (n, n) and b: (n,), the sums.

    x: (BATCH, n) regressors, f: (BATCH,) weights and y: (BATCH,) targets of the samples; decay: factor of the sums.
    """
    x0, x1, x2, x3, x4, x5, x6, x7 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    for i in range(n):
        t0, t1, t2, t3 = f[0] * x0[i], f[1] * x1[i], f[2] * x2[i], f[3] * x3[i]
        t4, t5, t6, t7 = f[4] * x4[i], f[5] * x5[i], f[6] * x6[i], f[7] * x7[i]
        row = a[i]
        for j in range(i // 8 * 8, n):  # from a multiple of 8, for vector instructions; elements below the diagonal are not used
            t = (((row[j] * decay + t0 * x0[j]) + t1 * x1[j]) + t2 * x2[j]) + t3 * x3[j]
            row[j] = (((t + t4 * x4[j]) + t5 * x5[j]) + t6 * x6[j]) + t7 * x7[j]
        t = (((b[i] * decay + t0 * y[0]) + t1 * y[1]) + t2 * y[2]) + t3 * y[3]
        b[i] = (((t + t4 * y[4]) + t5 * y[5]) + t6 * y[6]) + t7 * y[7]


@part
def solve(a: Floats2, b: Floats1, w: Floats1, u: Floats2, z: Floats1, n: Int, ridge: float) -> None:
    """Solve for the weights w, (at least n,), from the sums a, (n, n), and b, (n,). They stay if the matrix is not positive definite.

    u, z: scratch, at least (n, n) and (n,); ridge: added to the diagonal.
    """
    for i in range(n):
        for j in range(i, n):
            u[i, j] = a[i, j]
        u[i, i] += ridge
        z[i] = b[i]
    factor(u, z, w[:n])


# --- LMS ----------------------------------------------------------------------------------------------------------


@stage
def lms_learn(taps: Singles1, ring: Singles1, power: Floats1, rest: float, now: np.float32, step: float) -> None:
    """Learn a sample: move the weights of an LMS filter along its inputs, in proportion to its error (LMS: Widrow and Hoff, 1960).

    The error is divided by its local scale and limited to ±2, and the step by the scale of the inputs; the limit is our own.
    taps: (n,) the weights; ring: (n,) the filter's inputs in the order of the weights; rest: the filter's error; now: the filter's next
    input; power: (3,) mean squares of errors, of inputs, and of inputs over the filter's length, which are updated.
    """
    n = taps.shape[0]
    q0, q1, q2 = power[0], power[1], power[2]
    new = np.float64(now) * np.float64(now)
    q0 += (rest * rest - q0) * 0.02
    q1 += (new - q1) * 0.02
    q2 += (new - q2) / n
    power[0] = q0
    power[1] = q1
    power[2] = q2
    y = min(max(rest / (math.sqrt(q0) + 0.1), -2.0), 2.0)
    gain = np.float32(step * y / (math.sqrt(max(q1, q2)) + 0.1))
    for i in range(n):
        taps[i] += gain * ring[i]
