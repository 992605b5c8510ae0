"""Linear predictors that learn: least squares predictors of pictures and of sound, and LMS filters.

Sums and weights are float32 in pictures and float64 in sound; systems are solved in float64. LMS filters are float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Floats1, Floats2, Int, Ints1, Singles1, Singles2, Singles3, Singles4
from .compiling import part, shared, stage
from .lanes import (
    add3,
    add_scaled,
    add_square,
    clear,
    copy8,
    eliminate,
    fade_and_add,
    fade_square,
    padded,
    square_batch,
    substitute,
    take_square,
    weigh_batch,
)

BATCH = 8  # samples of a sound between updates of the normal equations


# --- least squares for pictures -----------------------------------------------------------------------------------


class LocalLeastSquares(NamedTuple):
    """Least squares predictors of pictures, fitted to the decoded values around a place.

    The normal equations are summed by blocks of columns. For each window, the sums of a block fade from row to row at a rate of its
    own. The weights at a place are solved for from the sums of its block and of the two blocks beside it, so they are fitted to a
    two-dimensional window. A value counts by the inverse square of the local error. Each window gives two predictors: by all
    regressors, or by only the first of them. n regressors are padded with zeros to m, a multiple of 16, and to `rows`, a multiple of 4.

    After X. Li and M. T. Orchard, "Edge-directed prediction for lossless compression of natural images", IEEE Trans. Image Processing
    10(6), 2001; the sums by blocks are our own.
    """

    taps: Ints1  # (m,) the regressors: indices into the values relative to the mean of their group; the padding is of one that is 0
    counts: Ints1  # (2,) number of regressors of both predictors of a window: all, and fewer
    every: Ints1  # (windows,) blocks between two solutions, a power of two
    decay: Singles1  # (windows,) factor of a block's sums from row to row
    d: Singles2  # (rows, m) sums over the current block in this row
    e: Singles1  # (m,) the same of the right-hand sides
    a: Singles4  # (windows, blocks + 2, rows, m) upper triangles of the normal matrices; the first and the last block are 0
    b: Singles3  # (windows, blocks + 2, m) right-hand sides
    u: Floats2  # (rows, m) scratch
    z: Floats1  # (m,) scratch
    inverse: Floats1  # (m,) scratch
    solved: Floats1  # (m,) scratch
    w: Singles2  # (2·windows, m) the weights
    x: Singles1  # (m,) the values of the regressors at the current place


RIDGE = 1.0  # added to the diagonal
BLOCK = 8  # columns of a block
# (every, decay) of the windows, by the number of predictors that are used
WINDOWS: dict[int, tuple[tuple[int, float], ...]] = {0: (), 1: ((1, 0.8),), 2: ((1, 0.7),), 4: ((1, 0.7), (4, 0.98))}
LARGEST_WEIGHT = 4096.0


def local_least_squares(
    taps: Sequence[int], fewer: int, zero: int, columns: int, windows: Sequence[tuple[int, float]]
) -> LocalLeastSquares:
    """Fresh predictors.

    taps: (n,) see the class; fewer: regressors of the second predictor of a window; zero: index of a value that is always 0; columns:
    places of a row of the pass; windows: (every, decay) of each.
    """
    n, count = len(taps), len(windows)
    m, rows, blocks = padded(n), padded(n, 4), -(-columns // BLOCK)
    return LocalLeastSquares(
        taps=np.array([*taps, *[zero] * (m - n)], np.int64),
        counts=np.array([n, min(fewer, n)], np.int64),
        every=np.array([every for every, _ in windows], np.int64),
        decay=np.array([decay for _, decay in windows], np.float32),
        d=np.zeros((rows, m), np.float32),
        e=np.zeros(m, np.float32),
        a=np.zeros((count, blocks + 2, rows, m), np.float32),
        b=np.zeros((count, blocks + 2, m), np.float32),
        u=np.zeros((rows, m)),
        z=np.zeros(m),
        inverse=np.zeros(m),
        solved=np.zeros(m),
        w=np.zeros((2 * count, m), np.float32),
        x=np.zeros(m, np.float32),
    )


@shared
def begins_block(column: Int) -> bool:
    """Whether a column is the first of a block."""
    return column & (BLOCK - 1) == 0


@part
def local_block(s: LocalLeastSquares, block: Int) -> None:
    """Before the first place of a block: let the sums of the block before fade, add what was summed since, and solve for the weights.

    block: its number in the row. The block before is the last one of the row above if it is 0.
    """
    m, rows, blocks = s.x.shape[0], s.u.shape[0], s.a.shape[1] - 2
    size, before = rows * m, block if block else blocks
    for k in range(s.decay.shape[0]):
        fade_and_add(s.a, (k * (blocks + 2) + before) * size, s.d, size, s.decay[k])
        fade_and_add(s.b, (k * (blocks + 2) + before) * m, s.e, m, s.decay[k])
    clear(s.d, size)
    clear(s.e, m)
    for k in range(s.decay.shape[0]):
        if block & (s.every[k] - 1) == 0:
            local_solve(s, k, k * (blocks + 2) + block + 1)


@shared
def local_solve(s: LocalLeastSquares, window: Int, block: Int) -> None:
    """Solve for the weights of a window with the sums of a block and of the two beside it. They stay if the matrix is not positive
    definite.

    block: its number in `a`, over all windows.
    """
    m, rows = s.x.shape[0], s.u.shape[0]
    size = rows * m
    add3(s.a, (block - 1) * size, block * size, (block + 1) * size, size, s.u)
    add3(s.b, (block - 1) * m, block * m, (block + 1) * m, m, s.z)
    for k in range(rows):
        s.u[k, k] += RIDGE
    done = eliminate(s.u, s.z, s.inverse, rows, m, m)
    for i in range(2):
        n = s.counts[i]
        if done >= n:
            substitute(s.u, s.z, s.inverse, s.solved, n, m)
            for j in range(n):
                s.w[2 * window + i, j] = np.float32(min(max(s.solved[j], -LARGEST_WEIGHT), LARGEST_WEIGHT))


@stage
def local_learn(s: LocalLeastSquares, target: np.float32, weight: np.float32) -> None:
    """Add a place to the sums, with the regressors `x`.

    target: the value, relative to the mean of the own group; weight: how much the place counts.
    """
    m, rows = s.x.shape[0], s.u.shape[0]
    add_square(s.d, 0, s.x, rows, m, weight)
    add_scaled(s.e, 0, s.x, m, weight * target)


# --- least squares for sound --------------------------------------------------------------------------------------


class Scratch(NamedTuple):
    """What the least squares stages of a sound share. m: most regressors of any stage, a multiple of 8."""

    weighted: Floats1  # (BATCH·m,) regressors times weights
    d: Floats2  # (m, m) sums over a batch: upper triangle of the normal matrix,
    e: Floats1  # (m,) and right-hand sides
    u: Floats2  # (m, m) the factor
    z: Floats1  # (m,) right-hand sides
    inverse: Floats1  # (m,) inverse pivots
    solved: Floats1  # (m,) weights


def scratch(m: int) -> Scratch:
    """Scratch for at most m regressors, a multiple of 8."""
    z = np.zeros
    return Scratch(z(BATCH * m), z((m, m)), z(m), z((m, m)), z(m), z(m), z(m))


@part
def sum_batch(x: Floats2, f: Floats1, y: Floats1, s: Scratch, n: Int) -> None:
    """Sum a batch: fills in s.d and s.e.

    x: (BATCH, m) regressors, f: (BATCH,) weights and y: (BATCH,) targets of the samples; n: how many regressors count, a multiple of 8.
    """
    m = x.shape[1]
    weigh_batch(x, f, y, n, m, s.weighted, s.e)
    square_batch(s.d, x, s.weighted, n, m, s.d.shape[1])


@part
def fade_and_add_batch(a: Floats2, b: Floats1, s: Scratch, n: Int, decay: float) -> None:
    """Let sums fade, and add those of the batch in s.d and s.e. a: (m, m) and b: (m,), the sums; n: see `sum_batch`."""
    fade_square(a, s.d, n, a.shape[1], s.d.shape[1], decay)
    for i in range(n):
        b[i] = b[i] * decay + s.e[i]


@part
def reduce(a: Floats2, b: Floats1, s: Scratch, n: Int, ridge: float) -> Int:
    """Eliminate in the system of the sums a, (m, m), and b, (m,). Returns how many of its first regressors can be solved for.

    n: how many regressors count, a multiple of 8; ridge: added to the diagonal.
    """
    wide = s.u.shape[1]
    take_square(a, s.u, n, a.shape[1], wide, ridge)
    copy8(b, 0, s.z, 0, n)
    return eliminate(s.u, s.z, s.inverse, n, n, wide)


@part
def solve(w: Floats1, s: Scratch, n: Int) -> None:
    """The weights w, (m,), of the first n regressors, after `reduce` of at least n."""
    substitute(s.u, s.z, s.inverse, s.solved, n, s.u.shape[1])
    copy8(s.solved, 0, w, 0, n)


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
    add_scaled(taps, 0, ring, n, gain)
