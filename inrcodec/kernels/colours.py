"""A colour lattice: colours → labels (encoder only), labels → colours, and the coding of corrections.

Not every colour of a picture lies on the lattice. Corrections are the differences between the colours and those of their labels. The way
from labels to colours is integers only. SPEC.md, "Colours of a lattice", defines it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .arrays import Bytes2, Floats1, Floats2, Int, Ints1, Ints2, Ints3, Shorts3, Singles1, Unsigned3, Words3
from .coder import BitCoder, as_probability, code_bit
from .compiling import kernel, part, shared, stage
from .mixer import NODES, Contexts, Mixer, adjust, calibrate, contexts, find_lines, look_up, mix, mix_hash, mixer, rate_of, refine, remember
from .noting import UNREAD, note_bits

SCALE = 16  # fractional bits of the matrix and of a colour before it is rounded
HALF = 1 << (SCALE - 1)
F32 = np.float32


class Affine(NamedTuple):
    """From labels to colours: component i is Σ_j matrix[i, j]·label[j] + offset[i], rounded and clipped to 0 … limit."""

    matrix: Ints2  # (3, 3) in units of 2^-16
    offset: Ints1  # (3,) in units of 2^-16
    limit: Int  # the largest component


class Inverse(NamedTuple):
    """From colours to labels: label ≈ matrix·(colour − origin). Encoder only, so floats do not matter: any label can be corrected."""

    matrix: Floats2  # (3, 3)
    origin: Floats1  # (3,) the colour of label 0
    near: float  # half the least distance between the colours of two labels, by the largest component


@shared
def component(to: Affine, i: Int, a: Int, b: Int, c: Int) -> Int:
    """Component i of the colour of label (a, b, c), in units of 2^-16, before rounding and clipping."""
    return to.matrix[i, 0] * a + to.matrix[i, 1] * b + to.matrix[i, 2] * c + to.offset[i]


@shared
def rounded(t: Int, limit: Int) -> Int:
    """t, in units of 2^-16, rounded to an integer and clipped to 0 … limit."""
    return min(max((t + HALF) >> SCALE, 0), limit)


@stage
def _as_before(planes: Any, y: Int, x: Int) -> bool:
    """Whether a pixel has the colour of the pixel to its left. planes: (3, height, width)."""
    same: Any = x > 0
    for i in range(3):
        same = same and planes[i, y, x] == planes[i, y, x - 1]
    return same


@stage
def _saturated(planes: Any, y: Int, x: Int, limit: Int) -> bool:
    """Whether a component of a pixel is 0 or the limit. planes: (3, height, width)."""
    found = False
    for i in range(3):
        found = found or np.int64(planes[i, y, x]) == 0 or np.int64(planes[i, y, x]) == limit
    return found


@stage
def _invert(planes: Any, y: Int, x: Int, back: Inverse, j: Int) -> Int:
    """Component j of matrix·(colour − origin), rounded: the label of a pixel by the inverse alone. planes: (3, height, width)."""
    t = 0.0
    for i in range(3):
        t += back.matrix[j, i] * (np.int64(planes[i, y, x]) - back.origin[i])
    return math.floor(t + 0.5)


@stage
def _right(planes: Any, y: Int, x: Int, to: Affine, near: float, a: Int, b: Int, c: Int) -> bool:
    """Whether label (a, b, c) gives a pixel's colour exactly, or is so near that no other label is nearer. planes: (3, height, width)."""
    off = 0.0
    exact: Any = True
    for i in range(3):
        whole = component(to, i, a, b, c)
        off = max(off, abs(whole / 65536.0 - np.int64(planes[i, y, x])))
        exact = exact and rounded(whole, to.limit) == np.int64(planes[i, y, x])
    return exact or off < near


@stage
def _misfit(planes: Any, y: Int, x: Int, to: Affine, a: Int, b: Int, c: Int) -> float:
    """How badly label (a, b, c) fits a pixel. planes: (3, height, width).

    1000 times the sum of the components' differences after rounding, plus the largest difference before rounding.
    """
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
    """The sum of the components' differences between a pixel and the rounded colour of label (a, b, c). planes: (3, height, width)."""
    wrong = 0.0
    for i in range(3):
        wrong += abs(rounded(component(to, i, a, b, c), to.limit) - np.int64(planes[i, y, x]))
    return wrong


@stage
def _roughness(out: Shorts3, y: Int, x: Int, a: Int, b: Int, c: Int) -> float:
    """How far label (a, b, c) is from the labels to the left and above; chroma counts twice. out: (3, height, width), labels so far."""
    rough = 0.0
    if x > 0:
        rough += abs(out[0, y, x - 1] - a) + 2 * (abs(out[1, y, x - 1] - b) + abs(out[2, y, x - 1] - c))
    if y > 0:
        rough += abs(out[0, y - 1, x] - a) + 2 * (abs(out[1, y - 1, x] - b) + abs(out[2, y - 1, x] - c))
    return rough


@kernel
def label_rows(planes: Unsigned3, to: Affine, back: Inverse, out: Shorts3) -> None:
    """Fill in the labels `out` of the colours `planes`, both (3, height, width).

    A pixel gets the label that fits best (`_misfit`). A pixel with a saturated component may have many labels that fit as well; it gets the
    one nearest to its neighbours' labels.
    """
    _, height, width = planes.shape
    for y in range(height):
        for x in range(width):
            if _as_before(planes, y, x):
                out[0, y, x], out[1, y, x], out[2, y, x] = out[0, y, x - 1], out[1, y, x - 1], out[2, y, x - 1]
                continue
            saturated = _saturated(planes, y, x, to.limit)
            s0, s1, s2 = _invert(planes, y, x, back, 0), _invert(planes, y, x, back, 1), _invert(planes, y, x, back, 2)
            if not saturated and _right(planes, y, x, to, back.near, s0, s1, s2):  # so it is with most pixels
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
    """The labels of colours, (3, height, width) int16. planes: (3, height, width); see `label_rows`."""
    out: Shorts3 = np.zeros(planes.shape, np.int16)
    label_rows(planes, to, back, out)
    return out


CONTEXTS = 7
GUESSES = 3 * 4 * 8 * 32  # see `small` in `correct_rows`
START = 0.1  # first value of a guess
SURE = F32(1 / 128)  # with a guess below this, contexts and mixer are not asked
UNARY = 12  # sizes up to this are coded in unary; what is above follows in 8 bits
MOST_BITS = 2 + UNARY + 8  # the most decisions for a component
LEAST_RATE = 0.002  # of the mixer's learning, see `mixer.rate_of`


class Corrector(NamedTuple):
    """What the coding of corrections adapts."""

    contexts: Contexts
    mixer: Mixer
    wrong: Bytes2  # (3, width + 2) whether a component was corrected: of this row up to the pixel before, then of the row above
    guess: Singles1  # (GUESSES,) probability that a component is corrected
    mixed: Ints1  # (1,) number of decisions that the mixer has coded
    read: Floats2  # (rows, width) of the rows that are coded, bits that had been read before each pixel; (0, 0): not wanted


def corrector(width: int, lines: int) -> Corrector:
    """A fresh state for rows of `width` pixels. lines: of each context's table, a power of two."""
    return Corrector(
        contexts=contexts(CONTEXTS, lines),
        mixer=mixer(np.full(1 + 2 * CONTEXTS, 0.15)),
        wrong=np.zeros((3, width + 2), np.uint8),
        guess=np.full(GUESSES, START, np.float32),
        mixed=np.zeros(1, np.int64),
        read=UNREAD,
    )


@part
def _decide(coder: BitCoder, s: Corrector, node: Int, bit: Int) -> Int:
    """Code a decision by contexts and mixer, and learn it. node: of the contexts' lines, 1 … 15. Returns the decision."""
    m = s.mixer
    look_up(s.contexts, m.inputs, 1, 1, node)
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
    """Hash the contexts, (CONTEXTS,), of component i of the colour of label (a, b, c). t: the component before rounding; small: number of
    the guess."""
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
    """Code a difference that is not 0: its sign, its size in unary up to UNARY, then the rest in 8 bits. Returns the difference."""
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
    """Code the corrections of some rows: the differences between the colours and those of their labels.

    labels: (3, rows, width), the labels themselves; image: (rows, width, 3), the colours, which decoding fills in.
    """
    _, rows, width = labels.shape
    s.mixer.inputs[0] = F32(0.3)
    selected = s.mixer.selected
    for y in range(rows):
        for x in range(width):
            if s.read.shape[0] > 0:
                note_bits(coder.state, s.read[y], x)
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
                if unlikely:  # asking contexts and mixer would take time and save little
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
