"""Finds where a sound repeats: for each segment of a tile, a few lags at which the samples before are most like the segment.

Only the encoder searches; the lags are written into the tile. The search has three steps:

1. The channels are whitened: each sample is replaced by its error under linear prediction. In the whitened signal an exact repeat
   correlates strongly, and sounds that are merely similar do not.
2. Each block of BLOCK frames is correlated with all that comes before it, by FFT, at half the rate. The best lags are its candidates.
3. For each segment of SEGMENT frames, the candidates are compared at the full rate. Lags are chosen one after the other, each by what
   the lags before it leave, as in matching pursuit (Mallat and Zhang, 1993).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ....kernels.arrays import Floats2, Ints1, Ints2, Singles2
from ....kernels.compiling import kernel
from ....kernels.sound import LEAST_LAG, SEGMENT

ORDER = 24  # of the linear prediction that whitens
BLOCK = 4096  # frames
TRANSFORM = 8192  # points of the FFT, at half the rate
CANDIDATES = 6  # lags kept of each block
NEAR = 3  # lags up to this much above and below a candidate are tried too
ENOUGH = 0.25  # the least correlation of a segment with the samples at its first lag
MORE = 0.2  # the least correlation of what is left of a segment with the samples at a further lag


def whitened(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A channel, (frames,), whitened: float32 of the same shape, within ±4.

    The errors of linear prediction (order ORDER, autocorrelation method, fitted to each block) are divided by their local mean magnitude.
    """
    from scipy.fft import irfft, rfft
    from scipy.linalg import solve_toeplitz
    from scipy.signal import lfilter

    y = np.zeros(len(x))
    signal = np.concatenate([np.zeros(ORDER), x.astype(np.float64)])
    for start in range(0, len(x), BLOCK):
        part = signal[start : start + ORDER + BLOCK]
        windowed = part * np.hanning(len(part) + 2)[1:-1]
        r = irfft(np.abs(rfft(windowed, 2 * BLOCK)) ** 2)[: ORDER + 1]
        r[0] = r[0] * (1 + 1e-9) + 1e-3
        try:
            predictor = solve_toeplitz(r[:-1], r[1:])
        except np.linalg.LinAlgError:  # the matrix of a signal without noise can be singular
            predictor = np.zeros(ORDER)
        left = lfilter(np.concatenate([[1.0], -predictor]), [1.0], part)[ORDER:]
        y[start : start + BLOCK] = np.where(np.isfinite(left), left, 0.0)
    total = np.cumsum(np.concatenate([[0.0], np.abs(y)]))
    reach = 128
    ends = np.minimum(np.arange(len(y)) + reach + 1, len(y))
    starts = np.maximum(np.arange(len(y)) - reach, 0)
    scale = (total[ends] - total[starts]) / (ends - starts)
    scaled: npt.NDArray[np.float32] = np.clip(y / (scale + 1e-3), -4, 4).astype(np.float32)
    return scaled


def _candidates(white: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The candidate lags of each block, (blocks, CANDIDATES) int64, exact to a frame or two; 0: none. white: (channels, frames)."""
    from scipy.fft import irfft, rfft

    half = white[:, : white.shape[1] // 2 * 2].reshape(len(white), -1, 2).sum(-1)
    frames, block = half.shape[1], BLOCK // 2
    blocks = -(-frames // block)
    hop = TRANSFORM - block
    padded = np.zeros((len(half), (frames // hop + 2) * hop + TRANSFORM), np.float32)
    padded[:, :frames] = half
    references = np.stack([rfft(padded[:, i : i + TRANSFORM]) for i in range(0, frames, hop)])
    found = np.zeros((blocks, CANDIDATES), np.int64)
    for i in range(1, blocks):
        start = i * block
        query = np.conj(rfft(padded[:, start : start + block], TRANSFORM))
        count = -(-start // hop)
        likeness = irfft((references[:count] * query).sum(1), TRANSFORM)[:, :hop].reshape(-1)[: start - LEAST_LAG // 2]
        if len(likeness) <= CANDIDATES:
            continue
        best = np.argpartition(likeness, -CANDIDATES)[-CANDIDATES:]
        found[i] = 2 * (start - best)
    return found


@kernel
def _choose(white: Singles2, candidates: Ints2, lags: Ints2, tried: Ints1, rest: Floats2) -> None:
    """Fill in `lags`, (segments, lags of a segment); 0: none.

    A segment tries the candidates of its block and of the blocks before and after, and the lags of the segment before.
    white: (channels, frames); candidates: (blocks, CANDIDATES). Scratch: tried, as long as a segment can try lags, and rest,
    (channels, SEGMENT), what the lags chosen so far leave of the segment.
    """
    channels, frames = white.shape
    for segment in range(lags.shape[0]):
        start = segment * SEGMENT
        length = min(SEGMENT, frames - start)
        if length < SEGMENT // 4:
            continue
        count = 0
        block = start // BLOCK
        for i in range(3 * candidates.shape[1] + lags.shape[1]):
            if i < 3 * candidates.shape[1]:
                other = block - 1 + i // candidates.shape[1]
                lag = candidates[other, i % candidates.shape[1]] if 0 <= other < candidates.shape[0] else 0
            else:
                lag = lags[segment - 1, i - 3 * candidates.shape[1]] if segment > 0 else 0
            if lag == 0:
                continue
            for near in range(-NEAR, NEAR + 1):
                this = lag + near
                fresh = LEAST_LAG <= this <= start
                for j in range(count):
                    fresh = fresh and tried[j] != this
                if fresh:
                    tried[count] = this
                    count += 1
        total = 1e-9
        for c in range(channels):
            for t in range(length):
                rest[c, t] = white[c, start + t]
                total += rest[c, t] * rest[c, t]
        for g in range(lags.shape[1]):
            best, chosen, gain, left = MORE if g else ENOUGH, 0, 0.0, 1e-9
            for c in range(channels):
                for t in range(length):
                    left += rest[c, t] * rest[c, t]
            for i in range(count):
                at = start - tried[i]
                product, power = 0.0, 1e-9
                for c in range(channels):
                    for t in range(length):
                        r = np.float64(white[c, at + t])
                        product += rest[c, t] * r
                        power += r * r
                likeness = product / math.sqrt(power * left)
                if likeness > best:
                    best, chosen, gain = likeness, tried[i], product / power
            if chosen == 0:
                break
            lags[segment, g] = chosen
            for c in range(channels):
                for t in range(length):
                    rest[c, t] -= gain * white[c, start - chosen + t]


def find(samples: npt.NDArray[Any], lags: int) -> npt.NDArray[np.int64]:
    """The lags of each segment, (segments, n) int64 with n ≤ `lags`; 0: none. samples: (channels, frames), of a tile."""
    found = np.zeros((-(-samples.shape[1] // SEGMENT), lags), np.int64)
    if lags and samples.shape[1] > 2 * BLOCK:
        white = np.stack([whitened(x) for x in samples])
        tried = np.zeros((3 * CANDIDATES + lags) * (2 * NEAR + 1), np.int64)
        _choose(white, _candidates(white), found, tried, np.zeros((len(white), SEGMENT)))
    used = int((found > 0).any(0).sum())
    return found[:, :used]
