"""More bits for the samples of a signal: `expand`.

A sample of d bits says which cell of 2^(D − d) values the sample of D bits lies in. `expand` never leaves the cell. Where in it the sample
lies is estimated from its neighbours, in the same channel and in the others:

1. Predictions that do not know the sample itself: weighted sums of the values around it, fitted to this signal by least squares, and
   local cubic polynomials of several widths.
2. What each of them is worth at a place is known from how far the middles of the cells around are from what it predicts there. They are
   blended accordingly.
3. The estimate is the posterior mean: of a normal distribution around the prediction, within the cell. So a prediction that is sure
   counts in full, and one that may be off by several cells leaves the middle.

The parts are known: prediction by least squares as in lossless coding, smoothing by wavelets' filters, the mean of a truncated normal
distribution. Their combination is our own.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .errors import UnsupportedError
from .kernels import expansion as kn
from .kernels.functions import LN2, log2
from .signal import MAX_DIMENSIONS, type_bits

Fill = Literal["smooth", "midpoint", "zero"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_BITS = 32
SCALES = 7  # local polynomials, of widths that double
LEAST = 655  # 0.01: differences of variance below this hardly matter
LEAST_VARIANCE = 65  # 0.001: no prediction is surer
SURE = 1 << (kn.SQUARE - 2)  # 1/4: a lesser variance is called in question
STEEPEST = 4.0  # slope of the logarithm of a density, per cell
FLOOR = (1 << kn.SQUARE) // 5  # 0.2, added to the variance of values around a place

# by the number of axes: the window of least squares, and the steps of the filter that averages squares
RADIUS = {1: 8, 2: 2, 3: 1, 4: 1}
BLURS = {1: (1, 2, 4, 8), 2: (1, 2, 2), 3: (1, 1), 4: (1,)}
PHASE_BLURS = (2, 4)  # among samples of one phase
MOST_REGRESSORS = 100
SAMPLES_PER_REGRESSOR = 4  # at least, in each phase
FITTED = 1 << 18  # places that are fitted to, about
SLAB, MARGIN = 1 << 23, 64  # samples worked on at a time, and places beside them along the first axis
SAMPLE_BYTES = 160  # that each of them takes at most while it is worked on


def expand(
    samples: npt.NDArray[Any],
    bit_depth: int,
    wanted_depth: int,
    channel_axis: bool,
    fill: Fill = "smooth",
) -> npt.NDArray[Any]:
    """Samples of `wanted_depth` bits whose upper `bit_depth` bits are those given.

    Args:
        samples: an integer or bool array of 1 to 4 axes and, last, one for channels if `channel_axis`; signed or unsigned.
        bit_depth: bits of the given samples.
        wanted_depth: bits of those returned, at least as many, at most 32.
        channel_axis: whether the last axis holds channels; else it is a coordinate axis as the others.
        fill: what the lower bits are: "smooth" estimates them, "midpoint" takes the middle of the cell, "zero" zeros.

    Returns:
        An array of the same shape, of the narrowest type that holds `wanted_depth` bits, signed if `samples` are. Shifted right by
        `wanted_depth` − `bit_depth`, it equals the samples. It is the same on every machine.

    Raises:
        UnsupportedError: the samples are not integers of 1 to 4 axes, do not fit `bit_depth`, or the depths are not in order.
        ValueError: `fill` is unknown.
    """
    _check(samples, bit_depth, wanted_depth, channel_axis)
    if fill not in get_args(Fill):
        raise ValueError(f"unknown fill {fill!r}: one of {', '.join(get_args(Fill))}")
    extra, signed = wanted_depth - bit_depth, samples.dtype.kind == "i"
    width = next(w for w in (1, 2, 4) if wanted_depth <= 8 * w)
    found = np.empty(samples.shape, np.dtype(f"{'i' if signed else 'u'}{width}"))
    for part, inner in _slabs(samples.shape):
        lowest = samples[part].astype(np.int64) << extra
        if extra and fill == "midpoint":
            lowest += 1 << (extra - 1)
        elif extra and fill == "smooth":
            shape = lowest.shape if channel_axis else (*lowest.shape, 1)
            places = _places(_by_channel(lowest >> extra, shape), shape[:-1], nominal_range(bit_depth, signed))
            lowest += np.moveaxis(places.reshape(shape[-1], *shape[:-1]), 0, -1).reshape(lowest.shape) << extra >> kn.MEAN
        found[part][inner] = lowest[inner]
    return found


def memory(shape: tuple[int, ...], wanted_depth: int) -> int:
    """Bytes that `expand` takes at most for samples of a shape, with those that it returns, but without those that are given."""
    row = math.prod(shape[1:])
    rows = max((part.stop - part.start for part, _ in _slabs(shape)), default=0)
    return SAMPLE_BYTES * rows * row + math.prod(shape) * ((wanted_depth + 7) // 8)


def nominal_range(bit_depth: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest sample of a depth."""
    return (-(1 << (bit_depth - 1)), (1 << (bit_depth - 1)) - 1) if signed else (0, (1 << bit_depth) - 1)


def _check(samples: npt.NDArray[Any], bit_depth: int, wanted_depth: int, channel_axis: bool) -> None:
    """Raise UnsupportedError if the arguments of `expand` do not go together."""
    if samples.dtype.kind not in "bui":
        raise UnsupportedError(f"samples of type {samples.dtype} have no bits to add: only integers and bool do")
    axes = samples.ndim - channel_axis
    if not 1 <= axes <= MAX_DIMENSIONS:
        raise UnsupportedError(f"{axes} axes are not supported: 1 to {MAX_DIMENSIONS} are")
    if not 1 <= bit_depth <= min(MOST_BITS, type_bits(samples.dtype)):
        raise UnsupportedError(f"bit depth {bit_depth} does not fit samples of type {samples.dtype}, or is above {MOST_BITS}")
    if not bit_depth <= wanted_depth <= MOST_BITS:
        raise UnsupportedError(f"{bit_depth}-bit samples cannot become {wanted_depth}-bit ones: {bit_depth} to {MOST_BITS} are possible")
    low, high = nominal_range(bit_depth, samples.dtype.kind == "i")
    if samples.size and not low <= int(samples.min()) <= int(samples.max()) <= high:
        raise UnsupportedError(f"samples do not fit in {bit_depth} bits")


def _slabs(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Parts of the first axis that are small enough to be worked on, with margins; and what they are without margins, within themselves."""
    rows = max(1, SLAB * shape[0] // max(math.prod(shape), 1))
    for start in range(0, shape[0] if math.prod(shape) else 0, rows):
        end, first = min(start + rows, shape[0]), max(0, start - MARGIN)
        yield slice(first, min(end + MARGIN, shape[0])), slice(start - first, end - first)


def _by_channel(x: Ints, shape: tuple[int, ...]) -> Ints:
    """Samples of a shape whose last axis holds channels → (channels, places)."""
    return np.ascontiguousarray(np.moveaxis(x.reshape(shape), -1, 0)).reshape(shape[-1], -1)


def _places(samples: Ints, lengths: tuple[int, ...], limits: tuple[int, int]) -> Ints:
    """Where the samples lie in their cells, in units of 2^-MEAN from the lower end: (channels, places), as samples are.

    lengths: of the axes of the places; limits: the least and the largest sample.
    """
    grid = Grid(tuple(n for n in lengths if n > 1) or (1,))
    cells = samples - (samples.sum(1, keepdims=True) // samples.shape[1])
    fits = LeastSquares(cells, grid)
    means: Ints = np.empty_like(cells)
    offsets, variances, excess = np.empty_like(cells[0]), np.empty_like(cells[0]), np.empty_like(cells[0])
    for channel, own in enumerate(cells):
        sums = np.zeros((3, len(own)))
        steps = fits.blend(channel, sums)
        _blend_polynomials(own, grid, sums)
        if not sums[0].all():  # a place alone, or few of them
            sums += np.array([[1.0], [0.0], [float(SURE)]])
        kn.settle(sums, LEAST_VARIANCE, offsets, variances, excess)
        kn.doubt(grid.blurred(excess, steps), kn.excesses(), SURE, variances)
        ends = _ends(samples[channel], limits)
        for end in ends:
            end.tilt(variances, offsets)
        kn.most_likely(offsets, variances, kn.posterior_means(), means[channel])
        for end in ends:
            end.saturate(grid, means[channel])
    means += 1 << (kn.MEAN - 1)
    np.clip(means, 0, (1 << kn.MEAN) - 1, out=means)
    return means


# --- filters ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """The places of a channel. lengths: of the axes that are longer than 1, or (1,)."""

    lengths: tuple[int, ...]

    @property
    def dimensions(self) -> int:
        """The number of axes."""
        return len(self.lengths)

    def along(self, axis: int) -> tuple[int, int, int]:
        """The product of the lengths before an axis, its own length, and the product of those after it."""
        return math.prod(self.lengths[:axis]), self.lengths[axis], math.prod(self.lengths[axis + 1 :])

    def blurred(self, x: Ints, steps: tuple[int, ...]) -> Ints:
        """x, (places,), filtered along all axes with these steps, but along none that is too short."""
        x, y = x.copy(), np.empty_like(x)
        for step, axis in itertools.product(steps, range(self.dimensions)):
            if 2 * step < self.lengths[axis]:
                kn.blur(x, y, *self.along(axis), step)
                x, y = y, x
        return x

    def smoothed(self, x: Ints, step: int) -> Ints:
        """x, (places,), smoothed with a step along the axes that are long enough."""
        x, y = x.copy(), np.empty_like(x)
        for axis in self.long_axes(step):
            kn.smooth(x, y, *self.along(axis), step)
            x, y = y, x
        return x

    def long_axes(self, step: int) -> list[int]:
        """The axes that are long enough to be smoothed with a step."""
        return [axis for axis, length in enumerate(self.lengths) if 4 * step < length]


# --- predictions --------------------------------------------------------------------------------------------------


class LeastSquares:
    """Predictions of each channel by least squares, from the values around a place in all channels.

    cells: (channels, places) int64. A regressor is the sum of the values at two places opposite each other. A picture of three or more
    channels may come from a camera that sees one colour at each place, and be interpolated. Then its even and odd rows and columns differ.
    So four phases are fitted each by itself, where that leaves less.
    """

    def __init__(self, cells: Ints, grid: Grid) -> None:
        radius = RADIUS[grid.dimensions]
        padded = np.pad(cells.reshape(-1, *grid.lengths), [(0, 0)] + [(radius, radius)] * grid.dimensions, "reflect")
        self.grid, self.cells, self.own = grid, padded.ravel(), cells
        self.plane, *strides = (s // padded.itemsize for s in padded.strides)
        near = itertools.product(range(-radius, radius + 1), repeat=grid.dimensions)
        half = [o for o in near if o > (0,) * grid.dimensions and (grid.dimensions < 4 or sum(map(abs, o)) <= 2)]
        self.window = np.array([sum(a * s for a, s in zip(o, strides, strict=True)) for o in half], np.int64)
        begins = np.full(math.prod(grid.lengths[:-1]), radius, np.int64)
        for row, stride in zip(np.indices(grid.lengths[:-1]), strides, strict=False):
            begins += (row.ravel() + radius) * stride
        self.rows = np.stack([begins, np.arange(len(begins)) * grid.lengths[-1]], 1)
        every = max(1, cells.shape[1] // FITTED)
        self.fitted = self.rows[(np.arange(len(self.rows)) >> 1) % every == 0]  # pairs of rows, so that phases stay apart

    def taps(self, channel: int) -> Ints:
        """(2, regressors) where the two values of each regressor are, relative to a place of channel 0."""
        others = [other for other in range(len(self.own)) if other != channel]
        centres = np.array(others, np.int64) * self.plane
        around = [channel * self.plane + self.window]
        if (len(others) + 1) * len(self.window) + len(others) <= MOST_REGRESSORS:
            around += [other * self.plane + self.window for other in others]
        planes = [channel, *others][: len(around)]
        mirrored = [2 * plane * self.plane - tap for plane, tap in zip(planes, around, strict=True)]
        return np.stack([np.concatenate([*around, centres]), np.concatenate([*mirrored, centres])])

    def blend(self, channel: int, sums: Floats) -> tuple[int, ...]:
        """Add the predictions of a channel to the blend, (3, places): one fitted to all samples alike, one to those of calm areas.

        Returns the steps of the filter that averages squares of their offsets.
        """
        grid, taps, at = self.grid, self.taps(channel), channel * self.plane
        places = len(self.fitted) * grid.lengths[-1]
        n = taps.shape[1] + 1
        steps, width = BLURS[grid.dimensions], grid.lengths[-1]
        if places < SAMPLES_PER_REGRESSOR * n:
            return steps
        phases = 4 if grid.dimensions == 2 and len(self.own) >= 3 and places >= 4 * SAMPLES_PER_REGRESSOR * n else 1
        activity, offsets, squares = self.activity(channel), np.empty_like(self.own[0]), np.empty_like(self.own[0])
        for power in (0, 1):
            products = np.zeros((phases, n + 1, n + 1))
            scratch = np.zeros((kn.BATCH, n + 1)), np.zeros(kn.BATCH)
            kn.products(self.cells, self.fitted, width, taps, at, activity, power, products, *scratch)
            weights, gain = _fit(products, places)
            if weights is not None:
                steps = PHASE_BLURS if len(weights) == 4 else BLURS[grid.dimensions]
                kn.predict(self.cells, self.rows, width, taps, at, weights, offsets)
                kn.squares(offsets, gain, squares)
                kn.blend(offsets, grid.blurred(squares, steps), LEAST, sums)
        return steps

    def activity(self, channel: int) -> Ints:
        """(places,) the variance of the values around a place, plus FLOOR."""
        values = self.own[channel] * kn.ONE
        offsets = np.clip(values - self.grid.blurred(values, (1,)), -kn.FAR, kn.FAR)
        kn.squares(offsets, 1 << 16, offsets)
        return self.grid.blurred(offsets, (1,)) + FLOOR


def _fit(products: Floats, places: int) -> tuple[Ints | None, int]:
    """Weights from sums of products by phase, (phases, n + 1, n + 1): (4 or 1, n), and the gain of the squares that they leave.

    None if there is no solution. Fitted weights leave less of the samples that they were fitted to than of others: the gain, in units of
    2^-16, makes up for it (generalized cross-validation; P. Craven and G. Wahba, "Smoothing noisy data with spline functions", Numerische
    Mathematik 31, 1979).
    """
    n = products.shape[1] - 1
    scratch = np.empty((n, n)), np.empty(n), np.empty(n)

    def solved(sums: Floats) -> tuple[Ints, float]:
        weights = np.zeros(n, np.int64)
        return weights, float(kn.fit(sums, *scratch, weights))

    def gain(phases: int) -> float:
        ratio: float = places / (places - phases * n)
        return ratio * ratio

    whole = products[0]
    for phase in products[1:]:
        whole = whole + phase
    weights, left = solved(whole)
    if len(products) == 1:
        return (weights[None] if left >= 0 else None), int(gain(1) * (1 << 16))
    share = n / places  # the whole picture counts as one sample for each regressor
    by_phase = [solved(phase + share * whole) for phase in products]
    lefts = [each for _, each in by_phase]
    total = ((lefts[0] + lefts[1]) + (lefts[2] + lefts[3])) / (1 + 4 * share)
    if min(lefts) >= 0 and (left < 0 or total * gain(4) < left * gain(1)):
        return np.stack([each for each, _ in by_phase]), int(gain(4) * (1 << 16))
    return (weights[None] if left >= 0 else None), int(gain(1) * (1 << 16))


@functools.cache
def _own_weights() -> list[int]:
    """What a value weighs in itself, in units of 2^-30, after it is smoothed along one axis with steps 1; 1 and 2; 1, 2 and 4; …"""
    middle = 4 << SCALES
    line, found = Grid((2 * middle + 1,)), []
    x = np.zeros(2 * middle + 1, np.int64)
    x[middle] = 1 << 40
    for scale in range(SCALES):
        x = line.smoothed(x, 1 << scale)
        found.append(int(x[middle]) >> 10)
    return found


def _blend_polynomials(cells: Ints, grid: Grid, sums: Floats) -> None:
    """Add local polynomials, of widths that double, to the blend. cells: (places,); sums: (3, places)."""
    values = smooth = cells * kn.ONE
    own, squares = [1 << 30] * grid.dimensions, np.empty_like(cells)
    for scale in range(SCALES):
        axes = grid.long_axes(1 << scale)
        if not axes:
            break
        smooth = grid.smoothed(smooth, 1 << scale)
        for axis in axes:
            own[axis] = _own_weights()[scale]
        weight = functools.reduce(lambda a, b: a * b >> 30, own)
        # without the sample itself: (smooth − weight·value) ÷ (1 − weight), minus the value
        offsets = ((smooth - values).clip(-kn.FAR, kn.FAR) * (1 << 30) // ((1 << 30) - weight)).clip(-kn.FAR, kn.FAR)
        kn.squares(offsets, 1 << 16, squares)
        kn.blend(offsets, grid.blurred(squares, BLURS[grid.dimensions]), LEAST, sums)


# --- other knowledge ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """An extreme cell that holds more samples than the cell beside it: the least sample there is, or the largest."""

    here: npt.NDArray[np.bool_]  # (places,) the samples in it
    count: int  # how many they are
    beside: int  # how many are in the cell beside it
    sign: int  # 1: the end of the cell is above its middle; −1: below
    dark: bool  # the end is black

    def tilt(self, variances: Ints, offsets: Ints) -> None:
        """Move the predictions, (places,), of samples in the cell towards its end.

        The density rises towards the end, and exponentially if nothing else is known. A normal distribution times an exponential is the
        same one, moved by its variance times the slope.
        """
        slope = math.floor(min(LN2 * log2(self.count / max(self.beside, 1)), STEEPEST) * (1 << 16))
        offsets[self.here] += self.sign * (variances[self.here] * slope >> (kn.SQUARE + 16 - kn.STEP))

    def saturate(self, grid: Grid, means: Ints) -> None:
        """Move clipped samples to the end of the cell. means: (places,).

        As many as the cell holds more than the cell beside it are taken to be clipped, in areas where there are no others. Dark areas of
        pictures are often not clipped but dark, so black counts half.
        """
        inner = self.here.reshape(grid.lengths)
        for axis, _ in itertools.product(range(grid.dimensions), range(2)):
            wide = np.pad(inner, [(int(a == axis),) * 2 for a in range(grid.dimensions)], constant_values=True)
            inner = inner & wide.take(range(wide.shape[axis] - 2), axis) & wide.take(range(2, wide.shape[axis]), axis)
        share = ((self.count - self.beside) << 16) // self.count >> int(self.dark)
        inside = means[inner.ravel()]
        means[inner.ravel()] = inside + ((self.sign * (1 << (kn.MEAN - 1)) - inside) * share >> 16)


def _ends(samples: Ints, limits: tuple[int, int]) -> list[End]:
    """The extreme cells of samples, (places,), that hold more than the cells beside them; none if there are but two."""
    found = []
    for limit, sign in zip(limits, (-1, 1), strict=True):
        here = samples == limit
        count, beside = int(here.sum()), int((samples == limit - sign).sum())
        if count > beside and limits[1] - limits[0] > 1:
            found.append(End(here, count, beside, sign, limit == 0))
    return found
