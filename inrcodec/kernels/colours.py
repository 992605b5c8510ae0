"""Labels ↔ colours of a value lattice, and the corrections that make the way back exact. Integers only on the way back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from .coder import decode_bit, encode_bit
from .mixing import NODES, adjust, calibrate, find_lines, gather, mix, mix_hash, refine, remember

SCALE = 16
HALF = 1 << (SCALE - 1)


@njit(inline="always", cache=True)
def component(matrix: Any, offset: Any, i: Any, a: Any, b: Any, c: Any) -> Any:
    """Component i of a label's colour, in units of 2^-16, before rounding and clipping."""
    return matrix[i, 0] * a + matrix[i, 1] * b + matrix[i, 2] * c + offset[i]


@njit(inline="always", cache=True)
def rounded(t: Any, limit: Any) -> Any:
    """To the nearest of 0 … limit."""
    return min(max((t + HALF) >> SCALE, 0), limit)


@njit(cache=True, nogil=True)
def label(planes: Any, matrix: Any, offset: Any, inverse: Any, origin: Any, limit: Any, near: Any) -> Any:
    """Labels (3, height, width) int16 of planes of that shape: of those that reproduce a pixel best, the nearest to its neighbours'.

    inverse: of the matrix, float64, not in 2^-16; origin: the offset, likewise; near: half the least distance of two labels' colours.
    Encoder only: floats decide which label, never what it means.
    """
    _, height, width = planes.shape
    out = np.zeros((3, height, width), np.int16)
    start = np.zeros(3, np.int64)
    for y in range(height):
        for x in range(width):
            same = x > 0  # as the pixel before
            for i in range(3):
                same = same and planes[i, y, x] == planes[i, y, x - 1]
            if same:
                out[0, y, x], out[1, y, x], out[2, y, x] = out[0, y, x - 1], out[1, y, x - 1], out[2, y, x - 1]
                continue
            saturated = False
            for i in range(3):
                saturated = saturated or np.int64(planes[i, y, x]) == 0 or np.int64(planes[i, y, x]) == limit
            for j in range(3):
                t = 0.0
                for i in range(3):
                    t += inverse[j, i] * (np.int64(planes[i, y, x]) - origin[i])
                start[j] = np.int64(math.floor(t + 0.5))
            best = 1e30
            if not saturated:  # most are found at once
                off = 0.0
                exact = True
                for i in range(3):
                    whole = component(matrix, offset, i, start[0], start[1], start[2])
                    off = max(off, abs(whole / 65536.0 - np.int64(planes[i, y, x])))
                    exact = exact and rounded(whole, limit) == np.int64(planes[i, y, x])
                if exact or off < near:
                    out[0, y, x], out[1, y, x], out[2, y, x] = start[0], start[1], start[2]
                    continue
            reach = 2 if saturated else 1
            for da in range(-reach, reach + 1):
                for db in range(-reach, reach + 1):
                    for dc in range(-reach, reach + 1):
                        a, b, c = start[0] + da, start[1] + db, start[2] + dc
                        wrong = 0.0
                        off = 0.0
                        for i in range(3):
                            t = component(matrix, offset, i, a, b, c)
                            wrong += abs(rounded(t, limit) - np.int64(planes[i, y, x]))
                            d = abs(t / 65536.0 - np.int64(planes[i, y, x]))
                            if (np.int64(planes[i, y, x]) == limit and t > limit << SCALE) or (np.int64(planes[i, y, x]) == 0 and t < 0):
                                d = 0.0
                            off = max(off, d)
                        cost = 1000.0 * wrong + off
                        if saturated:
                            rough = 0.0
                            if x > 0:
                                rough += abs(out[0, y, x - 1] - a) + 2 * (abs(out[1, y, x - 1] - b) + abs(out[2, y, x - 1] - c))
                            if y > 0:
                                rough += abs(out[0, y - 1, x] - a) + 2 * (abs(out[1, y - 1, x] - b) + abs(out[2, y - 1, x] - c))
                            cost = 1000.0 * wrong + rough
                        if cost < best:
                            best = cost
                            out[0, y, x], out[1, y, x], out[2, y, x] = a, b, c
    return out


CONTEXTS = 7
SMALL = 3 * 4 * 8 * 32
START = 0.1  # of a first guess
SURE = np.float32(1 / 128)
UNARY = 12  # from here on a correction's size is written in 8 plain bits
MOST_BITS = 2 + UNARY + 8  # of a component


@njit(cache=True, nogil=True)
def correct_rows(
    encoding: bool,
    first: int,
    last: int,
    labels: Any,
    image: Any,
    matrix: Any,
    offset: Any,
    limit: Any,
    wrong: Any,
    sure: Any,
    m: Any,
    counters: Any,
    coder: Any,
    stream: Any,
) -> None:
    """Code what a pixel's components differ by from their label's, rows first … last − 1.

    labels: (3, height, width), the least label added; image: (height, width, 3) int32, read or written; wrong: (3, width + 2) uint8,
    zero at first: which components of the row above, or of this row so far, differed; sure: (SMALL,) float32, the first guess; m: a
    Mixer of CONTEXTS contexts and no experts.
    """
    width = labels.shape[2]
    # out of the tuple once: for every pixel it would cost more than the arithmetic
    slots, history, weights, gates, maps, hashes = m.slots, m.history, m.weights, m.gates, m.maps, m.hashes
    lines, checks, slot, inputs, selected, dots, squashed = m.lines, m.checks, m.slot, m.inputs, m.selected, m.dots, m.squashed
    inputs[0] = np.float32(0.3)
    for y in range(first, last):
        for x in range(width):
            a, b, c = np.int64(labels[0, y, x]), np.int64(labels[1, y, x]), np.int64(labels[2, y, x])
            whole = mix_hash(mix_hash(a, b), c)
            for i in range(3):
                t = component(matrix, offset, i, a, b, c)
                predicted = rounded(t, limit)
                near = np.int64(wrong[i, x]) | np.int64(wrong[i, x + 1]) << 1 | np.int64(wrong[i, x + 2]) << 2
                before = np.int64(wrong[0, x + 1] if i > 0 else 0) | np.int64(wrong[1, x + 1] if i > 1 else 0) << 1
                part = (t >> (SCALE - 5)) & 31
                small = ((i * 4 + before) * 8 + near) * 32 + part
                difference = np.int64(image[y, x, i]) - predicted if encoding else np.int64(0)
                share = sure[small]
                if share < SURE:  # hardly ever: not worth the contexts
                    bit = np.int64(difference != 0)
                    pi = min(max(np.int64(share * np.float32(65536)), 1), 65535)
                    if encoding:
                        encode_bit(coder, stream, pi, bit)
                    else:
                        bit = decode_bit(coder, stream, pi)
                    sure[small] = share + (np.float32(bit) - share) * np.float32(0.01)
                    wrong[i, x + 1] = bit
                    if not bit:
                        if not encoding:
                            image[y, x, i] = np.int32(predicted)
                        continue
                hashes[0] = small
                hashes[1] = mix_hash(np.int64(i), t >> (SCALE - 5))
                hashes[2] = mix_hash(whole, np.int64(i))
                hashes[3] = mix_hash(mix_hash(b, c), np.int64(part * 4 + i))
                hashes[5] = mix_hash(mix_hash(b, c), np.int64(i))
                hashes[6] = mix_hash(mix_hash(a, c), np.int64(part * 4 + i))
                hashes[4] = mix_hash(a, np.int64(part * 4 + i))
                find_lines(slots, hashes, lines, checks, np.int64(1))
                selected[0] = i * 32 + part
                selected[1] = near * 4 + before
                selected[2] = (b & 255) * 3 + i
                selected[3] = (a & 3) * 3 + i
                bit = np.int64(1)
                if share >= SURE:
                    bit = code_bit(
                        encoding,
                        1,
                        np.int64(difference != 0),
                        slots,
                        history,
                        hashes,
                        lines,
                        slot,
                        inputs,
                        weights,
                        gates,
                        maps,
                        selected,
                        dots,
                        squashed,
                        counters,
                        coder,
                        stream,
                    )
                    sure[small] = share + (np.float32(bit) - share) * np.float32(0.01)
                    wrong[i, x + 1] = bit
                if bit:
                    negative = code_bit(
                        encoding,
                        2,
                        np.int64(difference < 0),
                        slots,
                        history,
                        hashes,
                        lines,
                        slot,
                        inputs,
                        weights,
                        gates,
                        maps,
                        selected,
                        dots,
                        squashed,
                        counters,
                        coder,
                        stream,
                    )
                    size: Any = 1
                    while size < UNARY:
                        if not code_bit(
                            encoding,
                            2 + size,
                            np.int64(abs(difference) > size),
                            slots,
                            history,
                            hashes,
                            lines,
                            slot,
                            inputs,
                            weights,
                            gates,
                            maps,
                            selected,
                            dots,
                            squashed,
                            counters,
                            coder,
                            stream,
                        ):
                            break
                        size += 1
                    if size == UNARY:
                        rest = np.int64(0)
                        for k in range(7, -1, -1):
                            bit = ((abs(difference) - UNARY) >> k) & 1
                            if encoding:
                                encode_bit(coder, stream, 32768, bit)
                            else:
                                bit = decode_bit(coder, stream, 32768)
                            rest = rest << 1 | bit
                        size += rest
                    difference = -size if negative else size
                if not encoding:
                    image[y, x, i] = np.int32(min(max(predicted + difference, 0), limit))


@njit(cache=True, nogil=True)
def code_bit(
    encoding: bool,
    node: Any,
    bit: Any,
    slots: Any,
    history: Any,
    hashes: Any,
    lines: Any,
    slot: Any,
    inputs: Any,
    weights: Any,
    gates: Any,
    maps: Any,
    selected: Any,
    dots: Any,
    squashed: Any,
    counters: Any,
    coder: Any,
    stream: Any,
) -> Any:
    """One decision at a node of the contexts' lines."""
    gather(slots, history, hashes, lines, slot, inputs, 0, node)
    total = mix(inputs, weights, gates, selected, dots, squashed)
    first = selected[0] * NODES + node
    second = selected[1] * NODES + node
    p = refine(maps, total, first, second)
    pi = min(max(np.int64(p * np.float32(65536)), 1), 65535)
    if encoding:
        encode_bit(coder, stream, pi, bit)
    else:
        bit = decode_bit(coder, stream, pi)
    counters[0] += 1
    rate = np.float32(0.002 + 0.02 / (1.0 + counters[0] * 0.0005))
    adjust(inputs, weights, gates, selected, dots, squashed, bit, total, rate)
    calibrate(maps, bit, total, first, second)
    remember(slots, history, slot, bit)
    return bit
