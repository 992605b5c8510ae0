"""Labels ↔ colours of a value lattice, and the corrections that make the way back exact. Integers only on the way back."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .arrays import Bytes2, Floats1, Floats2, Int, Ints1, Ints2, Ints3, Shorts3, Singles1, Unsigned3, Words3
from .coder import BitCoder, as_probability, code_bit
from .compiling import kernel, part, shared, stage
from .mixer import NODES, Contexts, Mixer, adjust, calibrate, contexts, find_lines, look_up, mix, mix_hash, mixer, rate_of, refine, remember

SCALE = 16  # fractional bits of the matrix and of a colour before it is rounded
HALF = 1 << (SCALE - 1)
F32 = np.float32


class Affine(NamedTuple):
    """From labels to colours: colour i = Σ matrix[i, j]·label j + offset[i], in units of 2^-16, rounded and limited to 0 … limit."""

    matrix: Ints2  # (3, 3)
    offset: Ints1  # (3,)
    limit: Int


class Inverse(NamedTuple):
    """From colours to labels, in units of 1. Encoder only: floats decide which label is taken, never what it means."""

    matrix: Floats2  # (3, 3)
    origin: Floats1  # (3,) the colour of label 0
    near: float  # half the least distance of two labels' colours


@shared
def component(to: Affine, i: Int, a: Int, b: Int, c: Int) -> Int:
    """Component i of a label's colour, in units of 2^-16, before rounding and clipping."""
    return to.matrix[i, 0] * a + to.matrix[i, 1] * b + to.matrix[i, 2] * c + to.offset[i]


@shared
def rounded(t: Int, limit: Int) -> Int:
    """To the nearest of 0 … limit."""
    return min(max((t + HALF) >> SCALE, 0), limit)


@stage
def _as_before(planes: Any, y: Int, x: Int) -> bool:
    """Whether the pixel has the colour of the one before it."""
    same: Any = x > 0
    for i in range(3):
        same = same and planes[i, y, x] == planes[i, y, x - 1]
    return same


@stage
def _saturated(planes: Any, y: Int, x: Int, limit: Int) -> bool:
    """Whether a component is 0 or the limit."""
    found = False
    for i in range(3):
        found = found or np.int64(planes[i, y, x]) == 0 or np.int64(planes[i, y, x]) == limit
    return found


@stage
def _invert(planes: Any, y: Int, x: Int, back: Inverse, j: Int) -> Int:
    """Component j of the label nearest to a pixel's colour by the inverse alone."""
    t = 0.0
    for i in range(3):
        t += back.matrix[j, i] * (np.int64(planes[i, y, x]) - back.origin[i])
    return math.floor(t + 0.5)


@stage
def _right(planes: Any, y: Int, x: Int, to: Affine, near: float, a: Int, b: Int, c: Int) -> bool:
    """Whether a label reproduces a pixel, or is so near that no other can be nearer."""
    off = 0.0
    exact: Any = True
    for i in range(3):
        whole = component(to, i, a, b, c)
        off = max(off, abs(whole / 65536.0 - np.int64(planes[i, y, x])))
        exact = exact and rounded(whole, to.limit) == np.int64(planes[i, y, x])
    return exact or off < near


@stage
def _misfit(planes: Any, y: Int, x: Int, to: Affine, a: Int, b: Int, c: Int) -> float:
    """1000 for each step that the label's rounded colour is off, and how far it is off before rounding."""
    wrong, off = 0.0, 0.0
    for i in range(3):
        t = component(to, i, a, b, c)
        v = np.int64(planes[i, y, x])
        wrong += abs(rounded(t, to.limit) - v)
        d: float = abs(t / 65536.0 - v)
        if (v == to.limit and t > to.limit << SCALE) or (v == 0 and t < 0):
            d = 0.0
        off = max(off, d)
    return 1000.0 * wrong + off


@stage
def _wrong(planes: Any, y: Int, x: Int, to: Affine, a: Int, b: Int, c: Int) -> float:
    """How many steps the label's rounded colour is off, over all components."""
    wrong = 0.0
    for i in range(3):
        wrong += abs(rounded(component(to, i, a, b, c), to.limit) - np.int64(planes[i, y, x]))
    return wrong


@stage
def _roughness(out: Shorts3, y: Int, x: Int, a: Int, b: Int, c: Int) -> float:
    """How far a label is from those to the left and above; chroma counts twice."""
    rough = 0.0
    if x > 0:
        rough += abs(out[0, y, x - 1] - a) + 2 * (abs(out[1, y, x - 1] - b) + abs(out[2, y, x - 1] - c))
    if y > 0:
        rough += abs(out[0, y - 1, x] - a) + 2 * (abs(out[1, y - 1, x] - b) + abs(out[2, y - 1, x] - c))
    return rough


@kernel
def label_rows(planes: Unsigned3, to: Affine, back: Inverse, out: Shorts3) -> None:
    """Fill in labels, (3, height, width), of planes of that shape: of those that reproduce a pixel best, the nearest to its neighbours'."""
    _, height, width = planes.shape
    for y in range(height):
        for x in range(width):
            if _as_before(planes, y, x):
                out[0, y, x], out[1, y, x], out[2, y, x] = out[0, y, x - 1], out[1, y, x - 1], out[2, y, x - 1]
                continue
            saturated = _saturated(planes, y, x, to.limit)
            s0, s1, s2 = _invert(planes, y, x, back, 0), _invert(planes, y, x, back, 1), _invert(planes, y, x, back, 2)
            if not saturated and _right(planes, y, x, to, back.near, s0, s1, s2):  # most are found at once
                out[0, y, x], out[1, y, x], out[2, y, x] = s0, s1, s2
                continue
            best = 1e30
            reach = 2 if saturated else 1
            for a in range(s0 - reach, s0 + reach + 1):
                for b in range(s1 - reach, s1 + reach + 1):
                    for c in range(s2 - reach, s2 + reach + 1):
                        if saturated:
                            cost = 1000.0 * _wrong(planes, y, x, to, a, b, c) + _roughness(out, y, x, a, b, c)
                        else:
                            cost = _misfit(planes, y, x, to, a, b, c)
                        if cost < best:
                            best = cost
                            out[0, y, x], out[1, y, x], out[2, y, x] = a, b, c


def label(planes: Unsigned3, to: Affine, back: Inverse) -> Shorts3:
    """Labels (3, height, width) int16 of planes of that shape; see `label_rows`."""
    out: Shorts3 = np.zeros(planes.shape, np.int16)
    label_rows(planes, to, back, out)
    return out


CONTEXTS = 7
GUESSES = 3 * 4 * 8 * 32
START = 0.1  # of a first guess
SURE = F32(1 / 128)
UNARY = 12  # from here on a correction's size is written in 8 plain bits
MOST_BITS = 2 + UNARY + 8  # of a component
LEAST_RATE = 0.002


class Corrector(NamedTuple):
    """All that the coding of corrections adapts."""

    contexts: Contexts
    mixer: Mixer
    wrong: Bytes2  # (3, width + 2): which components of the row above, or of this row so far, differed
    guess: Singles1  # (GUESSES,): how likely a component differs
    mixed: Ints1  # (1,): bits mixed


def corrector(width: int, lines: int) -> Corrector:
    """A fresh state for rows of so many pixels; lines: of each context, a power of two."""
    return Corrector(
        contexts=contexts(CONTEXTS, lines),
        mixer=mixer(CONTEXTS, 0),
        wrong=np.zeros((3, width + 2), np.uint8),
        guess=np.full(GUESSES, START, np.float32),
        mixed=np.zeros(1, np.int64),
    )


@part
def _decide(coder: BitCoder, s: Corrector, node: Int, bit: Int) -> Int:
    """One decision at a node of the contexts' lines."""
    m = s.mixer
    look_up(s.contexts, m.inputs, 1, node)
    total = mix(m)
    first = m.selected[0] * NODES + node
    second = m.selected[1] * NODES + node
    found = code_bit(coder, as_probability(refine(m.maps, total, first, second)), bit)
    s.mixed[0] += 1
    adjust(m, found, total, rate_of(LEAST_RATE, s.mixed[0]))
    calibrate(m.maps, found, total, first, second)
    remember(s.contexts, found)
    return found


@stage
def _hash(hashes: Ints1, i: Int, a: Int, b: Int, c: Int, t: Int, small: Int) -> None:
    """The contexts of component i of a label's colour, which is t before rounding."""
    share = (t >> (SCALE - 5)) & 31
    hashes[0] = small
    hashes[1] = mix_hash(i, t >> (SCALE - 5))
    hashes[2] = mix_hash(mix_hash(mix_hash(a, b), c), i)
    hashes[3] = mix_hash(mix_hash(b, c), share * 4 + i)
    hashes[4] = mix_hash(a, share * 4 + i)
    hashes[5] = mix_hash(mix_hash(b, c), i)
    hashes[6] = mix_hash(mix_hash(a, c), share * 4 + i)


@stage
def _correction(coder: BitCoder, s: Corrector, difference: Any) -> Any:
    """Code a difference that is not 0: sign, then size in unary, then plain bits."""
    negative = _decide(coder, s, np.int64(2), int(difference < 0))
    size: Any = 1
    while size < UNARY:
        if not _decide(coder, s, 2 + size, int(abs(difference) > size)):
            break
        size += 1
    if size == UNARY:
        rest: Int = 0
        for k in range(7, -1, -1):
            rest = rest << 1 | code_bit(coder, 32768, ((abs(difference) - UNARY) >> k) & 1)
        size += rest
    return -size if negative else size


@kernel
def correct_rows(coder: BitCoder, labels: Ints3, image: Words3, to: Affine, s: Corrector) -> None:
    """Code what the components of some rows of pixels differ by from their labels'.

    labels: (3, rows, width), the least label added; image: (rows, width, 3), read or written.
    """
    _, rows, width = labels.shape
    s.mixer.inputs[0] = F32(0.3)
    selected = s.mixer.selected
    for y in range(rows):
        for x in range(width):
            a, b, c = labels[0, y, x], labels[1, y, x], labels[2, y, x]
            for i in range(3):
                t = component(to, i, a, b, c)
                predicted = rounded(t, to.limit)
                near = np.int64(s.wrong[i, x]) | np.int64(s.wrong[i, x + 1]) << 1 | np.int64(s.wrong[i, x + 2]) << 2
                before = np.int64(s.wrong[0, x + 1] if i > 0 else 0) | np.int64(s.wrong[1, x + 1] if i > 1 else 0) << 1
                share = (t >> (SCALE - 5)) & 31
                small = ((i * 4 + before) * 8 + near) * 32 + share
                difference: Any = np.int64(image[y, x, i]) - predicted if coder.encoding else 0
                guess = s.guess[small]
                bit: Int = int(difference != 0)
                unlikely = guess < SURE
                if unlikely:  # not worth the contexts
                    bit = code_bit(coder, as_probability(guess), bit)
                if not unlikely or bit:
                    _hash(s.contexts.hashes, i, a, b, c, t, small)
                    find_lines(s.contexts, 1)
                    selected[0] = i * 32 + share
                    selected[1] = near * 4 + before
                    selected[2] = (b & 255) * 3 + i
                    selected[3] = (a & 3) * 3 + i
                if not unlikely:
                    bit = _decide(coder, s, np.int64(1), bit)
                s.guess[small] = guess + (F32(bit) - guess) * F32(0.01)
                s.wrong[i, x + 1] = bit
                if bit:
                    difference = _correction(coder, s, difference)
                if not coder.encoding:
                    image[y, x, i] = np.int32(min(max(predicted + (difference if bit else 0), 0), to.limit))
