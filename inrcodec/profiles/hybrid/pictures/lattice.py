"""Finds a hidden colour lattice: the integer planes that a picture's colours were once converted from. Encoder only.

A picture that once was stored as integers Y, C1, C2 (JPEG, video, PhotoCD) uses only the colours round(M·(Y, C1, C2) + o), a lattice in
the RGB cube. The dual lattice shows as peaks of the Fourier transform of the set of colours. From three peaks follow M and o, whatever
the conversion was. The method is our own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .... import parallel
from ....kernels import colours
from .transforms import Lattice

FOLD = 128  # colours are taken modulo this in each component, which samples their Fourier transform at multiples of 1/FOLD
LEAST_COLOURS = 2000  # with fewer different colours, no lattice is looked for
LEAST_AMPLITUDE = 0.1  # of a peak, relative to that at frequency 0
REFINED_ON = 6000  # colours by which peaks are refined,
FITTED_ON = 20000  # by which the lattice is fitted at last,
TRIED_ON = 400  # and by which each triple of peaks is tried
LEAST_GAIN = 0.7  # estimated bits per pixel that a lattice must save
SURE_GAIN = 1.7  # with this gain no other triple is tried
SCALE = 16  # fractional bits of the matrix and the offset
LABELLED_ROWS = 128  # rows that a thread labels at a time


def _amplitude(colours_: npt.NDArray[np.float64], k: npt.NDArray[np.float64]) -> complex:
    """The Fourier transform of a set of colours, (n, 3), at frequency k, (3,) in turns per step, divided by n."""
    turns = colours_ @ k
    return complex(np.exp(2j * np.pi * turns).mean())


def _refine(colours_: npt.NDArray[np.float64], k: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The frequency near k, (3,), where the phases of the colours, (n, 3), agree best: repeated least squares on their deviations."""
    centred = colours_ - colours_.mean(0)
    normal = centred.T @ centred + np.eye(3)
    for _ in range(8):
        turns = colours_ @ k
        off = turns - np.angle(np.exp(2j * np.pi * turns).mean()) / (2 * np.pi)
        off -= np.round(off)
        step = np.linalg.solve(normal, centred.T @ (-off * (np.abs(off) < 0.3)))
        k = k + step
        if np.abs(step).max() < 1e-9:
            break
    return k


def _peaks(distinct: npt.NDArray[np.int64], threads: int) -> list[npt.NDArray[np.float64]]:
    """Frequencies in [−1/2, 1/2)³, (3,) each, where the Fourier transform of the colours, (n, 3), has peaks; the highest first."""
    from scipy import fft

    folded = np.bincount(((distinct[:, 0] % FOLD) * FOLD + distinct[:, 1] % FOLD) * FOLD + distinct[:, 2] % FOLD, minlength=FOLD**3)
    spectrum = np.abs(fft.rfftn(folded.reshape(FOLD, FOLD, FOLD).astype(np.float32), workers=threads)) / len(distinct)
    f = np.fft.fftfreq(FOLD)
    near = np.abs(f) < 0.05
    spectrum[np.ix_(near, near, np.flatnonzero(near[: FOLD // 2 + 1]))] = 0
    threshold = max(0.5 * LEAST_AMPLITUDE, 6 / np.sqrt(len(distinct)))
    found: list[npt.NDArray[np.float64]] = []
    for _ in range(16):
        at = np.unravel_index(int(spectrum.argmax()), spectrum.shape)
        if spectrum[at] < threshold:
            break
        found.append(np.array([f[at[0]], f[at[1]], at[2] / FOLD]))
        for other in (at, tuple((FOLD - i) % FOLD for i in at)):
            around = [np.arange(i - 3, i + 4) % FOLD for i in other[:2]]
            third = np.arange(other[2] - 3, other[2] + 4)
            spectrum[np.ix_(*around, third[(third >= 0) & (third <= FOLD // 2)])] = 0
    return found


def _distinct(peaks: list[npt.NDArray[np.float64]]) -> list[npt.NDArray[np.float64]]:
    """The peaks without those near a whole vector, or near plus or minus an earlier peak plus a whole vector: they tell nothing new."""
    kept: list[npt.NDArray[np.float64]] = []
    for k in peaks:
        others = [np.zeros(3), *kept, *(-q for q in kept)]
        if all(np.abs(k - q - np.round(k - q)).max() > 0.02 for q in others):
            kept.append(k)
    return kept


SHIFTS = np.array(list(itertools.product((-1, 0, 1), repeat=3)), float)
COMBINATIONS = np.array([n for n in itertools.product(range(-3, 4), repeat=3) if any(n)], float)


def _independent(triple: tuple[npt.NDArray[np.float64], ...]) -> bool:
    """Whether no combination of three frequencies with small factors is near a whole vector; else they do not span a lattice."""
    sums = COMBINATIONS @ np.array(triple)
    return bool(np.abs(sums - np.round(sums)).max(1).min() > 0.012)


def _aliases(k: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The short vectors that differ from k by whole numbers, (at most 4, 3): their phases are the same at every colour."""
    aliases = k + SHIFTS
    norms = np.linalg.norm(aliases, axis=1)
    order = np.argsort(norms, kind="stable")[:4]
    short: npt.NDArray[np.float64] = aliases[order[norms[order] < 0.9]]
    return short


def _nice(basis: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Another basis, (3, 3), of the same lattice: luma, and two chroma components that are constant for greys; else the basis as given."""
    whole = np.array([n for n in itertools.product(range(-2, 3), repeat=3) if any(n)], float)
    vectors = whole @ basis
    order = np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")
    whole, vectors = whole[order], vectors[order]
    grey = np.flatnonzero(np.abs(vectors.sum(1)) < 0.02)
    for i, j in itertools.combinations(grey[:12], 2):
        for luma in np.flatnonzero(vectors.sum(1) > 0.2):
            if abs(abs(np.linalg.det(whole[[luma, i, j]])) - 1) < 1e-6:
                chosen: npt.NDArray[np.float64] = vectors[[luma, i, j]]
                return chosen
    return basis


def find(planes: npt.NDArray[Any], threads: int = 1) -> tuple[Lattice, npt.NDArray[np.uint16]] | None:
    """The lattice of three planes of 8 bits, (3, height, width), and label − least label of each place, uint16 of the same shape.

    None if no lattice is found. The result does not depend on the number of threads.
    """
    present = np.zeros(1 << 24, np.bool_)
    for rows in np.array_split(np.arange(planes.shape[1]), max(1, planes.shape[1] // 256)):  # some rows at a time, to save memory
        red, green, blue = planes[:, rows].astype(np.int32)
        present[red << 16 | green << 8 | blue] = True
    keys = np.flatnonzero(present)
    distinct = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], 1)
    limit = int(distinct.max())
    inside = distinct[((distinct > 2) & (distinct < limit - 2)).all(1)]
    if len(inside) < LEAST_COLOURS:
        return None
    peaks = _peaks(inside, threads)
    if len(peaks) < 3:
        return None
    sample = inside[:: max(1, len(inside) // REFINED_ON)].astype(float)
    peaks = [_refine(sample, k) for k in peaks[:10]]
    peaks = _distinct(sorted((k for k in peaks if abs(_amplitude(sample, k)) > LEAST_AMPLITUDE), key=lambda k: -abs(_amplitude(sample, k))))
    few = sample[:: max(1, len(sample) // TRIED_ON)]
    best: tuple[float, npt.NDArray[np.float64]] | None = None
    for triple in filter(_independent, itertools.combinations(peaks[:5], 3)):
        for aliases in itertools.product(*map(_aliases, triple)):
            basis = np.array(aliases)
            if not 0.01 < abs(np.linalg.det(basis)) < 0.8:
                continue
            fitted = _fit(few, basis, 2)
            if fitted is not None and (best is None or fitted.gain > best[0]):
                best = fitted.gain, basis
        if best is not None and best[0] > SURE_GAIN:
            break
    if best is None or best[0] < LEAST_GAIN:
        return None
    fitted = _fit(inside[:: max(1, len(inside) // FITTED_ON)].astype(float), _nice(best[1]), 3)
    if fitted is None:
        return None
    matrix, offset = (np.round(x * 2**SCALE).astype(np.int64) for x in (fitted.matrix, fitted.offset))
    steps = np.array([d for d in itertools.product((-1, 0, 1), repeat=3) if any(d)], float) @ fitted.matrix.T
    near = float(np.abs(steps).max(1).min()) / 2  # a colour nearer than this to that of a label is farther from those of all others
    to = colours.Affine(np.ascontiguousarray(matrix), offset, limit)
    back = colours.Inverse(np.ascontiguousarray(np.linalg.inv(fitted.matrix)), np.ascontiguousarray(fitted.offset), near)

    def label(rows: slice) -> npt.NDArray[np.int16]:
        return colours.label(planes[:, rows], to, back)

    bands = [slice(i, i + LABELLED_ROWS) for i in range(0, planes.shape[1], LABELLED_ROWS)]
    labels = np.concatenate(parallel.run(label, bands, threads), 1)
    least = labels.reshape(3, -1).min(1).astype(np.int64)
    labels -= least[:, None, None].astype(labels.dtype)
    return Lattice(to.matrix, offset, least), labels.view(np.uint16)


@dataclass(frozen=True)
class Fit:
    """colour ≈ matrix·label + offset, with matrix (3, 3) and offset (3,).

    gain: bits per colour that the lattice saves, less an estimate of what coding the corrections costs.
    """

    matrix: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    gain: float


def _entropy(share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    p = np.clip(share, 1e-9, 1 - 1e-9)
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def _fit(sample: npt.NDArray[np.float64], basis: npt.NDArray[np.float64], turns: int) -> Fit | None:
    """Fit a lattice by turns: the matrix to the labels, then the labels to the matrix. None if it degenerates.

    sample: (n, 3) colours without saturated components; basis: (3, 3) frequencies; turns: how many.
    """
    phases = np.array([np.angle(_amplitude(sample, k)) / (2 * np.pi) for k in basis])
    labels = np.round(sample @ basis.T - phases)
    for _ in range(turns):
        a = np.concatenate([labels, np.ones((len(labels), 1))], 1)
        solution = np.linalg.solve(a.T @ a + 1e-9 * np.eye(4), a.T @ sample)
        matrix, offset = solution[:3].T, solution[3]
        if abs(np.linalg.det(matrix)) < 1e-3:
            return None
        labels = np.round((sample - offset) @ np.linalg.inv(matrix).T)
        off = labels @ matrix.T + offset - sample
        e = np.zeros((len(SHIFTS), len(sample)))  # (shifts, n): the largest component of |off + shift|
        for component, shifts in zip(off.T, (SHIFTS @ matrix.T).T, strict=True):
            np.maximum(e, np.abs(shifts[:, None] + component), out=e)
        nearest = e.argmin(0)
        best = e[nearest, np.arange(len(sample))]
        labels += SHIFTS[nearest]
    exact = (np.floor(labels @ matrix.T + offset + 0.5) == sample).mean(0)
    gain = float(np.log2(abs(np.linalg.det(matrix))) - _entropy(exact).sum() - (best > 1.01).mean() * 8)
    return Fit(matrix, offset, gain)
