"""Finds the steps of which samples are nearly multiples: those of a coarse sound that was scaled by a slow envelope, perhaps with dither.

Only the encoder searches; the steps are written into the tile, in pieces of PIECE frames. The search has three steps:

1. In short windows over the tile, how coherent are the phases exp(2πi·x·f) of the samples x? Their mean is the Fourier transform of the
   histogram of x, and has a peak where 1/f is the step (the phase periodogram of lattices and of pulse trains). Most sounds end here.
2. From a peak on, a Kalman filter follows the step and its slope, forwards and backwards, for as long as samples stay near multiples.
   Samples far from 0 count only once the step is known well enough to tell their multiples.
3. The step of each piece is a parabola, fitted by least squares. Pieces in which it saves too little have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ....kernels.arrays import Floats1, Int
from ....kernels.compiling import kernel
from ....kernels.sound import LEAST_STEP, MOST_STEPS, PIECE
from .plan import MAX_STEPS, valid_piece

WINDOW = 256  # frames of a window
APART, WINDOWS = 1 << 15, 6  # at first, the most frames between windows, and the fewest windows;
NEAR = 1 << 11  # frames between windows once something was found
# of the samples in a window, those nearest to 0 are looked at, and none farther than a limit: few, for steps that change fast; then most,
# for a sound of few levels
SHARES = (0.25, 1 << 14), (0.95, 1 << 12)
FEWEST, DISTINCT = 60, 10  # samples, and different ones
COHERENT = 0.4  # the least coherence of a peak, beside what chance gives
LEAST_LEVELS = 2.5  # a step fits into the largest sample that is looked at at least so many times
LEAST = 2.8  # the least step that is looked for
OVERTONE = 0.85  # the step is that of the lowest peak of at least this share of the highest
STEADY = 1e-12  # how much the variance of the relative slope grows in each frame
GATE = 0.15  # a sample is used if its multiple is known to this share of a step
LOST = 0.19  # the mean distance from multiples, in steps, at which the filter stops; 0.25: by chance
UNSEEN = 4096  # it also stops after so many frames without a sample that can be used
TRUSTED = 500  # bits that what the filter has followed must save
SAVED = 0.1  # bits per sample that a piece must save
WORTH = 800  # bits that a tile must save


def _best(x: Floats1, t: npt.NDArray[Any], frequencies: Floats1, slopes: npt.NDArray[Any]) -> tuple[float, float]:
    """The frequency and the slope at which phases are most coherent. x, t: (n,) samples and their times; slopes: of log(step) over time."""
    warped = x * (1.0 - slopes[:, None] * t)
    found = [np.abs(np.exp(2j * np.pi * f * warped).sum(1)) for f in frequencies]
    i, j = divmod(int(np.argmax(found)), len(slopes))
    return float(frequencies[i]), float(slopes[j])


def _seed(x: Floats1) -> tuple[float, float, float]:
    """The step in the middle of a window, its relative slope in a frame, and the mean multiple; three zeros if there is none.

    x: (WINDOW,), the window's samples.
    """
    size = np.abs(x)
    ordered = np.sort(size)
    for share, farthest in SHARES:
        near = np.flatnonzero(size <= min(float(ordered[int(share * len(x))]), farthest))
        peak = _peak(x[near]) if len(near) >= FEWEST else 0.0
        if peak > 0:
            mean = max(float(size[near].mean()) * peak, 1.0)
            width = 1 / (4 * size[near].max())
            frequencies = peak + np.arange(-8, 9) * (width / 8)
            slopes = np.arange(-16, 17) * (0.4 / (mean * WINDOW))
            frequency, slope = _best(x[near], near - WINDOW / 2, frequencies, slopes)
            return 1 / frequency, slope, mean
    return 0.0, 0.0, 0.0


def _peak(x: Floats1) -> float:
    """The frequency at which the phases of samples, (n,), are coherent; 0: none."""
    from scipy.fft import rfft

    most = float(np.abs(x).max())
    if most < LEAST_LEVELS * LEAST:
        return 0.0
    points = 1 << max(8, math.ceil(math.log2(4 * most)))
    counts = np.bincount(x.astype(np.int64) % points, minlength=points)
    if np.count_nonzero(counts) < DISTINCT:
        return 0.0
    first, last = math.ceil(LEAST_LEVELS * points / most), int(points / LEAST)
    found = np.abs(rfft(counts.astype(np.float32)))[first : last + 1] / len(x)
    if not len(found) or found.max() < max(COHERENT, math.sqrt((math.log(points) + 10) / len(x))):
        return 0.0
    lowest = int(np.argmax(found >= OVERTONE * found.max()))
    return (first + lowest + int(np.argmax(found[lowest : lowest + 4]))) / points


@kernel
def _follow(x: Floats1, first: Int, by: Int, step: float, slope: float, mean: float, steps: Floats1) -> Int:
    """Follow the step from frame `first` on, in the direction `by`, 1 or -1, until it is lost. Fills in `steps`, (frames,).

    Returns the first frame that it does not fill in; -1 or `frames` at the ends.
    step: in that frame; slope: relative, in a frame; mean: of the multiples whose phases gave them.
    """
    s, r = step, slope * by
    a, b, c = (0.1 * step / mean) ** 2, 0.0, (0.2 / (mean * 256)) ** 2  # variances of s and r, and b between them
    away, unseen, t = 0.1, 0, first
    while 0 <= t < x.shape[0]:
        k = math.floor(x[t] / s + 0.5)
        unseen += 1
        if k != 0 and abs(k) * math.sqrt(a) < GATE * s:
            unseen = 0
            e = x[t] - k * s
            away += (abs(e) / s - away) / 128.0
            total = k * k * a + 0.3
            limit = 3.0 * math.sqrt(total)
            e = min(max(e, -limit), limit)
            g, h = a * k / total, b * k / total
            s += g * e
            r += h * e
            c -= h * k * b
            b -= g * k * b
            a -= g * k * a
        if away > LOST or unseen > UNSEEN or not LEAST_STEP < s < 1e8 or abs(r) > 0.01:
            break
        steps[t] = s
        a += 2.0 * s * b + s * s * c
        b += s * c
        c += STEADY
        s += s * r
        t += by
    return t


def _track(x: Floats1, tick: Callable[[int], None]) -> Floats1:
    """The step in each frame, 0 where there is none. x: (frames,) of a channel; tick: see `find`."""
    steps, followed = np.zeros(len(x)), np.zeros(len(x))
    apart, start = min(APART, max(NEAR, len(x) // WINDOWS)), 0
    while start + WINDOW <= len(x):
        tick(0)
        middle = start + WINDOW // 2
        if steps[middle] > 0:
            start += NEAR
            continue
        step, slope, mean = _seed(x[start : start + WINDOW])
        if step > 0:
            last = _follow(x, middle, 1, step, slope, mean, followed)
            first = _follow(x, middle, -1, step, slope, mean, followed) + 1
            there, found = steps[first:last], followed[first:last]  # only these: a sound may have many short stretches
            new = there == 0
            if _saved(x[first:last][new], found[new]) > TRUSTED:
                there[new] = found[new]
                if apart > NEAR:  # begin again, and look everywhere
                    apart, start = NEAR, -NEAR
        start += apart
    return steps


def _multiples(x: Floats1, steps: Floats1) -> Floats1:
    """The nearest multiples of steps, (n,), over the steps."""
    return np.floor(x / steps + 0.5)


def _saved(x: Floats1, steps: Floats1) -> float:
    """Bits that steps save, (n,) as the samples: those of a place in a cell, less the entropy of distances from multiples."""
    k = _multiples(x, steps)
    some = k != 0
    if not some.any():
        return 0.0
    away = np.abs(x - np.floor(k * steps + 0.5))[some].astype(np.int64)
    counts = np.bincount(np.minimum(away, 4), minlength=5).astype(np.float64)
    entropy = float((counts * np.log2(len(away) / np.maximum(counts, 1))).sum()) + counts[1:4].sum()
    place = np.log2(steps[some])
    return float(place.sum() - entropy - place[away >= 4].sum()) - 40.0


def _basis(frames: int) -> npt.NDArray[np.float64]:
    """What start, end and curve are multiplied by in the first frames of a piece, (frames, 3)."""
    u = np.arange(frames) / PIECE
    return np.stack([1 - u, u, -u * (1 - u)], 1)


def _parabolas(x: Floats1, steps: Floats1) -> npt.NDArray[np.float64]:
    """Start, end and curve of the steps in each piece, (pieces, 3), 0 where there are none. x, steps: (frames,)."""
    pieces = np.zeros((-(-len(x) // PIECE), 3))
    for i in range(len(pieces)):
        here, known = x[i * PIECE : (i + 1) * PIECE], steps[i * PIECE : (i + 1) * PIECE]
        basis, track = _basis(len(here)), known > 0
        if np.count_nonzero(track) < len(here) / 4:
            continue
        fit = np.zeros(3)
        for _ in range(2):
            k = np.zeros(len(here))
            k[track] = _multiples(here[track], known[track])
            if np.count_nonzero(k) < 16:
                break
            rough = np.linalg.lstsq(basis[track], known[track], rcond=None)[0]
            rest = here - k * (basis @ rough)
            fit = rough + np.linalg.lstsq(basis[track] * k[track, None], rest[track], rcond=1e-6)[0]
            known = basis @ fit
            if known.min() < LEAST_STEP + 0.1:
                break
        if known.min() > LEAST_STEP + 0.1 and fit[:2].min() > 0 and _saved(here, basis @ fit) > SAVED * len(here):
            pieces[i] = fit
    return pieces


def _sizes(pieces: npt.NDArray[np.float64], frames: int) -> Floats1:
    """The step in each frame, (frames,), that parabolas give. pieces: (pieces, 3)."""
    steps: Floats1 = (pieces @ _basis(PIECE).T).reshape(-1)[:frames]
    return steps


def _whole(x: Floats1, steps: Floats1) -> Floats1:
    """The steps times 2, 3 or 5 where only such multiples occur."""
    for factor in (2, 3, 2, 5):
        some = steps > 0
        k = _multiples(x[some], steps[some])
        k = k[k != 0]
        if len(k) and np.count_nonzero(k % factor == 0) > 0.95 * len(k):
            steps = steps * factor
    return steps


def find(samples: npt.NDArray[Any], tick: Callable[[int], None] = lambda _: None) -> npt.NDArray[np.float64]:
    """The steps of each channel: (channels, pieces, 3) start, end and curve, as in `kernels.sound.Steps`, or (channels, 0, 3): none.

    samples: (channels, frames), of a tile; tick: called with 0 now and then; what it raises ends the search.
    """
    channels, frames = samples.shape
    found, saved = np.zeros((channels, -(-frames // PIECE), 3)), 0.0
    for c in range(channels):
        x = samples[c].astype(np.float64)
        steps = _track(x, tick)
        if not steps.any():
            continue
        found[c] = _parabolas(x, _whole(x, steps))
        fitted = _sizes(found[c], frames)
        some = fitted > 0
        saved += _saved(x[some], fitted[some]) if some.any() else 0.0
    return found if saved > WORTH else found[:, :0]


def unit(samples: npt.NDArray[Any], pieces: npt.NDArray[np.float64]) -> int:
    """The plan's `steps` for a tile: 0 if it has none, else fine enough for its largest multiples.

    samples, pieces: what `find` takes and returns.
    """
    if not pieces.any():
        return 0
    most = np.stack([np.abs(samples[:, i : i + PIECE]).max(1) for i in range(0, samples.shape[1], PIECE)], 1)
    least = pieces[:, :, :2].min(2)
    multiple = float((most[least > 0] / least[least > 0]).max())
    room = int(math.log2(MOST_STEPS) - 1 - math.log2(float(np.abs(pieces).max())))
    return max(1, min(math.ceil(math.log2(max(multiple, 1.0))) + 5, room, MAX_STEPS))


def rounded(pieces: npt.NDArray[np.float64], shift: int) -> npt.NDArray[np.int64]:
    """The pieces in units of 2^-shift, without those that a file cannot hold."""
    whole = np.rint(pieces * 2.0**shift)
    right = [[valid_piece(start, end, curve, shift) for start, end, curve in channel.tolist()] for channel in whole]
    return np.where(np.array(right, np.bool_)[:, :, None], whole, 0.0).astype(np.int64)
