"""Samples of few bits → samples of more bits: where in its cell each sample lies.

A sample of d bits stands for a cell: all samples of D > d bits that begin with these bits. `inrcodec.expand` uses what is here to say
which of them is likely. Places are in units of a cell, relative to the middle of a cell:

- offsets, in units of 2^-STEP of a cell: a prediction minus the middle of the sample's own cell;
- variances, in units of 2^-SQUARE of the square of a cell.

All is exact integers, but for sums of products, their solution and the means over predictions: single float64 operations in the order
written here. So every machine gets the same samples.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from .arrays import Floats1, Floats2, Floats3, Int, Ints1, Ints2, Words2
from .compiling import kernel, part, shared
from .functions import exp2

STEP = 12  # log2 of the steps of a cell
ONE = 1 << STEP
FAR = 1 << (STEP + 8)  # offsets are limited to this
SQUARE = 16
UNIFORM = (1 << SQUARE) // 12  # variance of what is uniform within a cell
WEIGHT = 16  # fractional bits of a weight
HEAVIEST = 32.0  # a fit with a larger weight is not used
CONSTANT = 16.0  # value of the regressor that is constant
RIDGE = 1e-5  # added to the diagonal, for each unit of the samples' weight
BATCH = 4  # samples whose products are added at a time

# the posterior mean is tabulated for variances 2^(FIRST + i/8), by linear interpolation between powers of two, and offsets j/COLUMNS
FIRST, OCTAVES, PARTS = 6, 20, 8
COLUMNS, WIDEST = 64, 4  # columns for a cell, and the largest offset, in cells
MEAN = 14  # log2 of the steps of a cell in which the posterior mean is given
POINTS = 64  # of a cell, over which is summed
LOG2_E = 1.4426950408889634


# --- filters along an axis ----------------------------------------------------------------------------------------
# An axis of n places of an array is given by `outer`, the product of the lengths of the axes before it, n, and `inner`, that of those
# after it.


@shared
def _even(x: Ints1, base: Int, i: Int, n: Int, inner: Int) -> Int:
    """The value at place i of an axis whose first value is x[base]; beyond the ends the values return. −n < i < 2n − 1."""
    j = -i if i < 0 else 2 * (n - 1) - i if i >= n else i
    return x[base + j * inner]


@shared
def _odd(x: Ints1, base: Int, i: Int, n: Int, inner: Int) -> Int:
    """The same, but beyond the ends the values go on as they came, turned around the last one."""
    if i < 0:
        return 2 * x[base] - x[base - i * inner]
    if i >= n:
        return 2 * x[base + (n - 1) * inner] - x[base + (2 * (n - 1) - i) * inner]
    return x[base + i * inner]


@kernel
def blur(x: Ints1, y: Ints1, outer: Int, n: Int, inner: Int, step: Int) -> None:
    """y = x filtered by (1, 4, 6, 4, 1)/16 along an axis, with taps `step` places apart; 2·step < n. x, y: (outer·n·inner,)."""
    s = step * inner
    for o in range(outer):
        for i in range(n):
            base = o * n * inner
            if 2 * step <= i < n - 2 * step:
                continue
            for k in range(base, base + inner):
                near = _even(x, k, i - step, n, inner) + _even(x, k, i + step, n, inner)
                far = _even(x, k, i - 2 * step, n, inner) + _even(x, k, i + 2 * step, n, inner)
                y[k + i * inner] = (6 * x[k + i * inner] + 4 * near + far + 8) >> 4
        for k in range(o * n * inner + 2 * s, (o + 1) * n * inner - 2 * s):
            y[k] = (6 * x[k] + 4 * (x[k - s] + x[k + s]) + (x[k - 2 * s] + x[k + 2 * s]) + 8) >> 4


@kernel
def smooth(x: Ints1, y: Ints1, outer: Int, n: Int, inner: Int, step: Int) -> None:
    """y = x filtered by 2g − g∗g with g = (1, 4, 6, 4, 1)/16 along an axis, with taps `step` places apart; 4·step < n.

    It leaves cubic polynomials as they are. With steps 1, 2, 4, … one after the other this is the algorithme à trous (M. Holschneider et
    al., "A real-time algorithm for signal analysis with the help of the wavelet transform", Wavelets, Springer, 1989). x, y: as in `blur`.
    """
    s = step * inner
    for o in range(outer):
        base = o * n * inner
        for i in range(n):
            if 4 * step <= i < n - 4 * step:
                continue
            for k in range(base, base + inner):
                a = _odd(x, k, i - step, n, inner) + _odd(x, k, i + step, n, inner)
                b = _odd(x, k, i - 2 * step, n, inner) + _odd(x, k, i + 2 * step, n, inner)
                c = _odd(x, k, i - 3 * step, n, inner) + _odd(x, k, i + 3 * step, n, inner)
                d = _odd(x, k, i - 4 * step, n, inner) + _odd(x, k, i + 4 * step, n, inner)
                y[k + i * inner] = (122 * x[k + i * inner] + 72 * a + 4 * b - 8 * c - d + 128) >> 8
        for k in range(base + 4 * s, base + n * inner - 4 * s):
            a, b = x[k - s] + x[k + s], x[k - 2 * s] + x[k + 2 * s]
            c, d = x[k - 3 * s] + x[k + 3 * s], x[k - 4 * s] + x[k + 4 * s]
            y[k] = (122 * x[k] + 72 * a + 4 * b - 8 * c - d + 128) >> 8


# --- least squares ------------------------------------------------------------------------------------------------
# A regressor is the sum of two values, at places opposite each other: cells[at + taps[0, i]] + cells[at + taps[1, i]]. The last but one is
# a constant, and the last is the value to be predicted. Rows are along the last axis. Samples may be of several phases: those of even and
# odd rows and columns, as cameras see other colours there.


@part
def _add(sums: Floats2, z: Floats2, weights: Floats1) -> None:
    """Add the products of BATCH samples to the upper triangle of sums, (n, n). z: (BATCH, n); weights: (BATCH,)."""
    n = z.shape[1]
    z0, z1, z2, z3 = z[0], z[1], z[2], z[3]
    for i in range(n):
        t0, t1, t2, t3 = weights[0] * z0[i], weights[1] * z1[i], weights[2] * z2[i], weights[3] * z3[i]
        row = sums[i]
        for j in range(i, n):
            row[j] = (((row[j] + t0 * z0[j]) + t1 * z1[j]) + t2 * z2[j]) + t3 * z3[j]


@kernel
def products(
    cells: Ints1, rows: Ints2, width: Int, taps: Ints2, own: Int, weights: Ints1, power: Int, sums: Floats3, z: Floats2, w: Floats1
) -> None:
    """Sum the products of the regressors, by phase.

    cells: the padded samples, in cells. rows: (m, 2) for each row, where it begins in `cells` and in `weights`. taps: (2, n − 2). own:
    what is predicted is at cells[at + own]. weights: (places,) variances; a sample counts by the inverse of its variance, to the power
    of `power`, 0 or 1. sums: (4 or 1, n, n), zeros at first. z, w: (BATCH, n) and (BATCH,), scratch.
    """
    n, phases = sums.shape[1], sums.shape[0]
    for phase in range(phases):
        row_phase, column_phase, columns = phase >> 1, phase & 1, 2 if phases == 4 else 1
        count = 0
        for r in range(rows.shape[0]):
            if phases == 4 and r & 1 != row_phase:
                continue
            for x in range(column_phase, width, columns):
                at = rows[r, 0] + x
                for i in range(n - 2):
                    z[count, i] = np.float64(cells[at + taps[0, i]] + cells[at + taps[1, i]])
                z[count, n - 2] = CONSTANT
                z[count, n - 1] = np.float64(cells[at + own])
                w[count] = 1.0 / np.float64(weights[rows[r, 1] + x]) if power else 1.0
                count += 1
                if count == BATCH:
                    _add(sums[phase], z, w)
                    count = 0
        for i in range(count, BATCH):
            w[i] = 0.0
        if count:
            _add(sums[phase], z, w)


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


@kernel
def fit(sums: Floats2, u: Floats2, z: Floats1, w: Floats1, found: Ints1) -> float:
    """Solve for the weights of the regressors; the sum of squares that they leave, or −1 if there is no solution.

    sums: (n, n) sums of products, of which the upper triangle is used. u: (n − 1, n − 1), z, w: (n − 1,): scratch. found: (n − 1,) the
    weights, in units of 2^-WEIGHT; that of the constant is the constant itself, in cells.
    """
    n = w.shape[0]
    total = sums[n - 1, n - 1] / (CONSTANT * CONSTANT)
    for i in range(n):
        for j in range(i, n):
            u[i, j] = sums[i, j]
        u[i, i] += RIDGE * total
        z[i] = sums[i, n]
        w[i] = 2.0 * HEAVIEST
    factor(u, z, w)
    left = sums[n, n]
    for i in range(n):
        if not -HEAVIEST <= w[i] <= HEAVIEST:
            return -1.0
        left -= w[i] * sums[i, n]
        found[i] = math.floor(w[i] * (CONSTANT if i == n - 1 else 1.0) * (1 << WEIGHT) + 0.5)
    return max(left, 0.0)


@kernel
def predict(cells: Ints1, rows: Ints2, width: Int, taps: Ints2, own: Int, weights: Ints2, offsets: Ints1) -> None:
    """The offsets of the predictions, (places,). weights: (4 or 1, n − 1), by phase; the others as in `products`."""
    n, phases = taps.shape[1], weights.shape[0]
    for r in range(rows.shape[0]):
        for x in range(width):
            phase = (r & 1) << 1 | x & 1 if phases == 4 else 0
            at = rows[r, 0] + x
            t = weights[phase, n]
            for i in range(n):
                t += weights[phase, i] * (cells[at + taps[0, i]] + cells[at + taps[1, i]])
            t = (t + (1 << (WEIGHT - STEP - 1))) >> (WEIGHT - STEP)
            offsets[rows[r, 1] + x] = min(max(t - cells[at + own] * ONE, -FAR), FAR)


# --- from predictions to samples ----------------------------------------------------------------------------------


@kernel
def squares(offsets: Ints1, gain: Int, found: Ints1) -> None:
    """The squares of offsets, as variances, times gain · 2^-16. offsets, found: (places,)."""
    for i in range(offsets.shape[0]):
        found[i] = (offsets[i] * offsets[i] >> (2 * STEP - SQUARE)) * gain >> 16


@kernel
def blend(offsets: Ints1, variances: Ints1, least: Int, sums: Floats2) -> None:
    """Add a prediction to those that are blended.

    The offset of a good prediction from the middle of the cell has the variance of its error, plus that of the middle, UNIFORM. One of
    less variance predicts the middle itself, as within an area of one value, and its error is not known. So a prediction counts by the
    inverse fourth power of the difference of its variance from UNIFORM, plus `least`. offsets, variances: (places,), variances of the
    offsets. sums: (3, places): of the weights, of the weights times offsets, and of the weights times differences.
    """
    for i in range(offsets.shape[0]):
        error = np.float64(abs(variances[i] - UNIFORM))
        t = 1024.0 / (error + least)
        t = (t * t) * (t * t)
        sums[0, i] += t
        sums[1, i] += t * np.float64(offsets[i])
        sums[2, i] += t * error


@shared
def _variance(row: Int) -> float:
    """The variance of a row of the tables, in squares of a cell."""
    return np.float64((PARTS + row % PARTS) << (row // PARTS)) / np.float64(PARTS << (SQUARE - FIRST))


@kernel
def _posterior_means(found: Words2) -> None:
    """Fill in the table, (OCTAVES·PARTS + 1, COLUMNS·WIDEST + 1). The posterior is summed at POINTS places of the cell."""
    for row in range(found.shape[0]):
        scale = LOG2_E / (2.0 * _variance(row))
        for column in range(found.shape[1]):
            offset = np.float64(column) / COLUMNS
            least = max(offset - 0.5, 0.0)
            total = moment = 0.0
            for i in range(POINTS):
                place = (i + 0.5) / POINTS - 0.5
                mass = exp2(max((least * least - (place - offset) * (place - offset)) * scale, -60.0))
                total += mass
                moment += mass * place
            found[row, column] = math.floor(moment / total * (1 << MEAN) + 0.5)


@kernel
def _excesses(found: Ints1) -> None:
    """Fill in the table, (OCTAVES·PARTS + 1,): the mean square of the excess, for an offset that is uniform plus normally distributed."""
    for row in range(found.shape[0]):
        spread = math.sqrt(_variance(row))
        total = square = 0.0
        for j in range(-96, 97):
            z = j / 16.0
            mass = exp2(z * z * (-0.5 * LOG2_E))
            total += POINTS * mass
            for i in range(POINTS):
                excess = max(abs((i + 0.5) / POINTS - 0.5 + spread * z) - 0.5, 0.0)
                square += mass * (excess * excess)
        found[row] = math.floor(square / total * (1 << SQUARE) + 0.5)


@functools.cache
def posterior_means() -> Words2:
    """The table that `most_likely` takes: the mean of a normal distribution within a cell, by its variance and the offset of its mean."""
    found = np.zeros((OCTAVES * PARTS + 1, COLUMNS * WIDEST + 1), np.int32)
    _posterior_means(found)
    return found


@functools.cache
def excesses() -> Ints1:
    """The table that `doubt` takes: the mean square of the excess of offsets, by the variance of the prediction's error."""
    found = np.zeros(OCTAVES * PARTS + 1, np.int64)
    _excesses(found)
    return found


@kernel
def settle(sums: Floats2, least: Int, offsets: Ints1, variances: Ints1, excess: Ints1) -> None:
    """The blended prediction. sums: (3, places) of `blend`. least: the least variance. The others are filled in, (places,).

    offsets: of the prediction; variances: of its error; excess: the squares by which it leaves the cell.
    """
    for i in range(offsets.shape[0]):
        offsets[i] = math.floor(sums[1, i] / sums[0, i] + 0.5)
        variances[i] = max(math.floor(sums[2, i] / sums[0, i]), least)
        beyond = max(abs(offsets[i]) - ONE // 2, 0)
        excess[i] = beyond * beyond >> (2 * STEP - SQUARE)


@kernel
def doubt(excess: Ints1, table: Ints1, most: Int, variances: Ints1) -> None:
    """Raise variances below `most` to what the excess tells. excess: (places,) its mean around each place. table: `excesses`.

    Where few samples leave a cell that holds the others, the offsets vary as little as those of a sure prediction. But those of a sure
    prediction do not leave the cell.
    """
    for i in range(excess.shape[0]):
        if variances[i] < most:
            low, high = np.int64(0), np.int64(OCTAVES * PARTS)  # the first row with that excess or more
            while low < high:
                middle = (low + high) >> 1
                if table[middle] < excess[i]:
                    low = middle + 1
                else:
                    high = middle
            variances[i] = max(variances[i], (PARTS + low % PARTS) << (low // PARTS) << (FIRST - 3))


@shared
def _posterior_mean(table: Words2, offset: Int, variance: Int) -> Int:
    """The posterior mean for an offset ≥ 0 and a variance, by linear interpolation in both."""
    if offset > WIDEST * ONE:  # what counts then is the slope of the density, their ratio
        variance, offset = variance * (WIDEST * ONE) // offset, np.int64(WIDEST * ONE)
    variance = min(max(variance, 1 << FIRST), (1 << (FIRST + OCTAVES)) - 1)
    octave = np.int64(0)
    while variance >> (octave + FIRST + 1):
        octave += 1
    fine = (variance << 8 >> (octave + FIRST)) - 256  # within the octave, in units of 2^-8
    row, up = octave * PARTS + fine * PARTS // 256, fine * PARTS % 256
    column = min(offset * COLUMNS // ONE, COLUMNS * WIDEST - 1)
    right = offset * COLUMNS - column * ONE
    a = table[row, column] * (ONE - right) + table[row, column + 1] * right
    b = table[row + 1, column] * (ONE - right) + table[row + 1, column + 1] * right
    return (a * (256 - up) + b * up) >> (STEP + 8)


@kernel
def most_likely(offsets: Ints1, variances: Ints1, table: Words2, means: Ints1) -> None:
    """The mean of where samples lie in their cells, in units of 2^-MEAN of a cell from the middle.

    A sample is normally distributed around its prediction, and known uniformly over the cell. offsets, variances: (places,), of the
    predictions. table: `posterior_means`. means: (places,), filled in.
    """
    for i in range(means.shape[0]):
        mean = _posterior_mean(table, abs(offsets[i]), variances[i])
        means[i] = mean if offsets[i] >= 0 else -mean
