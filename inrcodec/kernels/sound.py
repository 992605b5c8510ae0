"""One tile of sound: predict each sample, mix, code, learn. SPEC.md, "Sound", defines it in words.

Prediction has four stages, each learning from what the ones before left: least squares over the channel's past and that of its
partner, present included where it is known; the same over a place further back that the encoder points at, seen through the
current filter; a cascade of LMS filters; and a small least squares over the opinions of all. Least squares before LMS, and mixing
the stages, is the order of S. Lehmann's Sac; weighing samples by the inverse square of the local error, the limited LMS step
and the look further back are our own.

Samples here are signed, the middle of the range near 0. All that adapts is float64 but for the LMS filters, float32.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from . import mixing as mx
from . import mixture as nn
from .coder import decode_bit, encode_bit
from .dictionary import atoms
from .functions import COST, LN2, log2, sigmoid, soft
from .leastsquares import factor
from .mixture import Mixture

F32 = np.float32
BATCH = 8  # samples between updates of the normal equations
PAD = 128  # zeros before the first sample
MAX_TAPS = 64
SEGMENT = 1 << 11  # frames for which a lag holds
LEAST_LAG = 1 << 9
REACH = 2  # places on either side of the one a lag points at
AROUND = 2 * REACH + 1
MAX_LAGS = 4  # of a segment
STACKED = 8  # opinions that the last stage can weigh
LEAVES = 32
GALLOPS = 12  # beyond the outermost quantiles
NODES = LEAVES + 2 * (GALLOPS + 1)
EXPERTS = 6  # logistics
CONTEXTS = 4
RATES = np.array([1 / 16, 1 / 128, 1 / 1024, 1 / 32, 1 / 32, 1 / 32])  # of the experts' mean errors
SHARE = 0.55  # of a mean error: a logistic's scale
MODELLED = 3  # splits of a leaf by the distribution; further ones are even
LARGEST_STRETCH = 9.0
OWN_MISSES = 16  # that the network sees
OTHER_MISSES = 8
MEASURES = 6  # other features of the network, beside the opinions
SEED = 0x6C696E72  # of the network's first weights


def _quantiles() -> Any:
    """ln(i/(LEAVES − i)) for i = 1 … LEAVES − 1: of the standard logistic distribution."""
    return np.array([LN2 * (log2(i / LEAVES) - log2(1.0 - i / LEAVES)) for i in range(1, LEAVES)])


QUANTILES = _quantiles()


class Sound(NamedTuple):
    """All that the coding of a tile adapts. Axes: p predictors, k LMS filters, c channels, n taps."""

    past: Any  # (c, PAD + frames): the samples
    errors: Any  # (c, PAD + frames) float32: what the first predictor left
    misses: Any  # (c, PAD + frames) float32: what the last stage left
    partner: Any  # (c,) int64: another channel, −1: none
    low: Any  # (c,) int64: the least sample
    high: Any  # (c,) int64: the largest
    own: Any  # (p,) int64: taps in the channel,
    other: Any  # (p,) int64: in its partner
    every: Any  # (p,) int64: batches between solutions
    decay: Any  # (p,): of the sums, per batch
    a: Any  # (p, c, n, n): upper triangles of the normal matrices
    b: Any  # (p, c, n)
    w: Any  # (p, c, n)
    x: Any  # (p, c, BATCH, n): regressors since the last update
    weight: Any  # (c, BATCH): of these samples
    target: Any  # (c, BATCH): the samples,
    left: Any  # (c, BATCH): and what the first predictor left of them
    look_a: Any  # (c, l, l); l: AROUND of the channel and of its partner for each lag
    look_b: Any  # (c, l)
    look_w: Any  # (c, l)
    look_x: Any  # (c, BATCH, l)
    looks: Any  # (c, lags, AROUND): the current filter's errors around the places that are looked at
    stack_a: Any  # (c, STACKED, STACKED)
    stack_b: Any  # (c, STACKED)
    stack_w: Any  # (c, STACKED)
    stack_x: Any  # (c, BATCH, STACKED)
    u: Any  # (n, n) scratch: a factor
    z: Any  # (n,) scratch
    length: Any  # (k,) int64: taps, powers of two
    step: Any  # (k,): of the weights
    taps: Any  # (k, c, longest) float32
    recent: Any  # (k, c, 2·longest) float32: the last inputs, twice
    power: Any  # (k, c, 3): mean squares: of errors, of inputs, of inputs over the filter's length
    local: Any  # (c,): the local mean error
    spread: Any  # (c, EXPERTS): mean errors of the experts' predictions
    weights: Any  # (c, SETS, SELECTIONS, inputs) float32
    gates: Any  # (c, SELECTIONS, SETS) float32
    maps: Any  # (c, 2, rows, FINE) float32
    slots: Any  # (c, CONTEXTS, NODES·CONTEXT_SIZE) int64: probability << 8 | bits seen
    leaves: Any  # (c,) int64: the last samples' leaves
    count: Any  # (c,) int64: bits mixed
    tally: Any  # (3,): bits of decisions that are mixed, inside a leaf, even; only told, never used


CONTEXT_SIZE = 32  # of the largest context, but for the node
LOOK_DECAY = 0.9607
STACK_DECAY = 0.984
RIDGE = 0.005
LOOK_RIDGE = 0.2
STACK_RIDGE = 0.5


def sound(frames: int, partner: Any, low: Any, high: Any, predictors: Any, filters: Any, lags: int) -> Sound:
    """A fresh state. predictors: (own, other, every, decay) of each, filters: (length, step) of each; lags: of a segment, at most."""
    c, p, k = len(partner), len(predictors), len(filters)
    own, other = (np.array([q[i] for q in predictors], np.int64) for i in (0, 1))
    if c == 1:
        other[:] = 0
    n = int((own + other).max())
    longest = max([length for length, _ in filters], default=8)
    fresh = mx.mixer(0, EXPERTS + CONTEXTS + 1, 1, mx.power_of_two(NODES * 16))
    wide = max(lags * AROUND * (1 if c == 1 else 2), 1)
    scratch = max(n, wide, STACKED)
    w = np.zeros((p, c, n))
    for i in range(p):
        w[i, :, own[i] - 1] = 1.0  # the sample before
    z = np.zeros
    return Sound(
        z((c, PAD + frames)),
        z((c, PAD + frames), np.float32),
        z((c, PAD + frames), np.float32),
        np.array(partner, np.int64),
        np.array(low, np.int64),
        np.array(high, np.int64),
        own,
        other,
        np.array([q[2] for q in predictors], np.int64),
        np.array([q[3] for q in predictors], np.float64),
        z((p, c, n, n)),
        z((p, c, n)),
        w,
        z((p, c, BATCH, n)),
        z((c, BATCH)),
        z((c, BATCH)),
        z((c, BATCH)),
        z((c, wide, wide)),
        z((c, wide)),
        z((c, wide)),
        z((c, BATCH, wide)),
        z((c, lags, AROUND)),
        z((c, STACKED, STACKED)),
        z((c, STACKED)),
        z((c, STACKED)),
        z((c, BATCH, STACKED)),
        z((scratch, scratch)),
        z(scratch),
        np.array([q[0] for q in filters], np.int64),
        np.array([q[1] for q in filters], np.float64),
        z((k, c, longest), np.float32),
        z((k, c, 2 * longest), np.float32),
        z((k, c, 3)),
        np.full(c, 100.0),
        np.full((c, EXPERTS), 30.0),
        np.tile(fresh.weights, (c, 1, 1, 1)),
        np.tile(fresh.gates, (c, 1, 1)),
        np.tile(fresh.maps, (c, 1, 1, 1)),
        np.full((c, CONTEXTS, NODES * CONTEXT_SIZE), 32768 << 8, np.int64),
        np.full(c, LEAVES // 2, np.int64),
        np.zeros(c, np.int64),
        z(3),
    )


def network(predictors: int, filters: int, units: int) -> Mixture:
    """A fresh network of so many units for a tile; `units` 0: one that is not used.

    Its first weights are seeded, Gaussian and exact: entries of the SINR dictionary times powers of two.
    """
    inputs = OWN_MISSES + OTHER_MISSES + predictors + filters + MEASURES
    if units == 0:
        return nn.mixture(inputs, 1, np.zeros(nn.parameters(inputs, 1), np.float32))
    shapes = nn.shapes(inputs, units)
    drawn = atoms(nn.parameters(inputs, units), np.zeros(1, np.int64), SEED)[0].astype(np.float32)
    parts, start = [], 0
    for (rows, columns), scale in zip(shapes, (2.0**-5, 2.0**-5, 2.0**-8), strict=True):
        part = drawn[start : start + rows * columns] * np.float32(scale)
        part[-columns:] = 0
        parts.append(part)
        start += rows * columns
    biases = parts[-1][-nn.OUTPUTS :]
    biases[nn.COMPONENTS : 2 * nn.COMPONENTS] = (-0.5, 0, 0, 0.5)
    biases[2 * nn.COMPONENTS : 3 * nn.COMPONENTS] = (-2, -1, 0, 1)
    return nn.mixture(inputs, units, np.concatenate(parts))


@njit(inline="always", cache=True)
def dot(w: Any, x: Any, n: Any) -> Any:
    """w·x over n values, in their type: eight lanes, then the rest one by one into the first."""
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


@njit(cache=True, nogil=True)
def accumulate(a: Any, b: Any, x: Any, f: Any, y: Any, n: Any, decay: Any) -> None:
    """Fade the sums and add a batch: x (BATCH, n) regressors, f weights, y targets."""
    x0, x1, x2, x3, x4, x5, x6, x7 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    for i in range(n):
        t0, t1, t2, t3 = f[0] * x0[i], f[1] * x1[i], f[2] * x2[i], f[3] * x3[i]
        t4, t5, t6, t7 = f[4] * x4[i], f[5] * x5[i], f[6] * x6[i], f[7] * x7[i]
        row = a[i]
        for j in range(i // 8 * 8, n):  # whole lanes; what lies below the diagonal is not looked at
            t = (((row[j] * decay + t0 * x0[j]) + t1 * x1[j]) + t2 * x2[j]) + t3 * x3[j]
            row[j] = (((t + t4 * x4[j]) + t5 * x5[j]) + t6 * x6[j]) + t7 * x7[j]
        t = (((b[i] * decay + t0 * y[0]) + t1 * y[1]) + t2 * y[2]) + t3 * y[3]
        b[i] = (((t + t4 * y[4]) + t5 * y[5]) + t6 * y[6]) + t7 * y[7]


@njit(cache=True, nogil=True)
def solve(a: Any, b: Any, w: Any, u: Any, z: Any, n: Any, ridge: Any) -> None:
    """New weights w from the sums."""
    for i in range(n):
        for j in range(i, n):
            u[i, j] = a[i, j]
        u[i, i] += ridge
        z[i] = b[i]
    factor(u, z, w[:n])


@njit(inline="always", cache=True)
def within(p: Any, low: Any, high: Any) -> Any:
    """p, or the nearer limit; low if it is not a number."""
    q = np.float64(p)
    if not q >= low:
        q = np.float64(low)
    if q > high:
        q = np.float64(high)
    return q


@njit(cache=True, nogil=True)
def code_frames(
    encoding: bool, first: int, last: int, s: Sound, net: Mixture, learning: float, lags: Any, samples: Any, coder: Any, stream: Any
) -> None:
    """Code frames first … last − 1. samples: (c, frames) int64, read or filled in; lags: (segments, lags) int64, 0: none."""
    past, errors, misses, partner, lows, highs = s.past, s.errors, s.misses, s.partner, s.low, s.high
    own, other, every, decay, a, b, w, x = s.own, s.other, s.every, s.decay, s.a, s.b, s.w, s.x
    weight, target, left = s.weight, s.target, s.left
    look_a, look_b, look_w, look_x, looks = s.look_a, s.look_b, s.look_w, s.look_x, s.looks
    stack_a, stack_b, stack_w, stack_x = s.stack_a, s.stack_b, s.stack_w, s.stack_x
    u, z, length, step, taps, recent, power = s.u, s.z, s.length, s.step, s.taps, s.recent, s.power
    local, spread, weights, gates, maps, slots = s.local, s.spread, s.weights, s.gates, s.maps, s.slots
    leaves, count, tally = s.leaves, s.count, s.tally
    nx, w1, w2, w3, h1, d1, h2, d2 = net.x, net.w1, net.w2, net.w3, net.h1, net.d1, net.h2, net.d2
    out, dout, mix, w2t, w3t = net.out, net.dout, net.mix, net.w2t, net.w3t
    xs, h1s, h2s, s1, s2, douts, clock = net.xs, net.h1s, net.h2s, net.s1, net.s2, net.douts, net.clock
    channels, predictors, filters = partner.shape[0], own.shape[0], length.shape[0]
    used = predictors + filters  # opinions
    inputs = np.zeros(weights.shape[3], np.float32)
    selected = np.zeros(mx.SETS, np.int64)
    dots = np.zeros(mx.SETS, np.float32)
    squashed = np.zeros(mx.SETS, np.float32)
    mean, inv, fl, fh, fm = np.zeros(EXPERTS), np.zeros(EXPERTS), np.zeros(EXPERTS), np.zeros(EXPERTS), np.zeros(EXPERTS)
    said = np.zeros(predictors)
    inside = np.zeros(filters)
    cell = np.zeros(CONTEXTS, np.int64)
    for t in range(first, last):
        at = PAD + t
        slot = t & (BATCH - 1)
        segment = t // SEGMENT
        looking = False
        for g in range(lags.shape[1]):
            looking = looking or lags[segment, g] > 0
        for c in range(channels):
            low, high = lows[c], highs[c]
            o = partner[c]
            known = 1 if 0 <= o < c else 0
            mine = past[c]
            # 1. least squares
            for p in range(predictors):
                row = x[p, c, slot]
                n0, n1 = own[p], other[p] if o >= 0 else 0
                for i in range(n0):
                    row[i] = mine[at - n0 + i]
                if n1 > 0:
                    theirs = past[o]
                    for i in range(n1):
                        row[n0 + i] = theirs[at + known - n1 + i]
                said[p] = within(dot(w[p, c], row, n0 + n1), low, high)
            p0 = said[0]
            # 2. further back
            looked = 0.0
            if looking:
                row = look_x[c, slot]
                n0, n1 = own[0], other[0] if o >= 0 else 0
                wide = 0
                for g in range(lags.shape[1]):
                    around = looks[c, g]
                    there = at - lags[segment, g] - REACH
                    if lags[segment, g] > 0:
                        begin = 0
                        if slot > 0:  # the filter is the same as for the sample before
                            for d in range(AROUND - 1):
                                around[d] = around[d + 1]
                            begin = AROUND - 1
                        for d in range(begin, AROUND):
                            r = mine[there + d] - dot(w[0, c], mine[there + d - n0 :], n0)
                            if n1 > 0:
                                r -= dot(w[0, c, n0:], past[o, there + d + known - n1 :], n1)
                            around[d] = r
                    else:
                        for d in range(AROUND):
                            around[d] = 0.0
                    for d in range(AROUND):
                        row[wide + d] = around[d]
                    wide += AROUND
                    if o >= 0:
                        for d in range(AROUND):
                            row[wide + d] = np.float64(errors[o, there + d]) if lags[segment, g] > 0 else 0.0
                        wide += AROUND
                looked = dot(look_w[c], row, wide)
                looked = within(p0 + looked, low, high) - p0
            # 3. the cascade
            opinions = stack_x[c, slot]
            for p in range(1, predictors):
                opinions[p - 1] = said[p] - p0
            opinions[predictors - 1] = looked
            total = p0 + looked
            for k in range(filters):
                n = length[k]
                ring = recent[k, c, (t & (n - 1)) : (t & (n - 1)) + n]
                tap = taps[k, c]
                q = within(dot(tap, ring, n), low - high, high - low)
                inside[k] = q
                opinions[predictors + k] = q
                total += q
            # 4. all opinions
            pf = within(p0 + dot(stack_w[c], opinions, used), low, high)
            # the experts' distributions
            spreads = spread[c]
            mean[0] = pf
            mean[1] = pf
            mean[2] = pf
            mean[3] = within(total, low, high)
            mean[4] = said[0]
            mean[5] = said[predictors - 1]
            for k in range(EXPERTS):
                inv[k] = 1.0 / (SHARE * spreads[k] + 0.03)
                fl[k] = 0.0
                fh[k] = 1.0
            scale = 0.5 * SHARE * (spreads[0] + spreads[1]) + 0.02
            trend: Any = np.int64(min(max(4.0 + 2.0 * (log2(spreads[0] + 0.05) - log2(spreads[1] + 0.05)), 0.0), 7.0))
            size: Any = np.int64(min(max(2.0 * (log2(spreads[1] + 0.03) + 5.0), 0.0), 31.0))
            before = leaves[c] >> 1
            beside: Any = LEAVES >> 2
            if o >= 0:
                beside = leaves[o] >> 1
            # the network's distribution
            unit = 0.25 + 0.5 * (spreads[0] + spreads[1])
            nl, nh, nm = 0.0, 1.0, 0.0
            if learning > 0.0:
                y = 1.0 / unit
                f = 0
                for i in range(OWN_MISSES):
                    nx[f] = soft(np.float64(misses[c, at - 1 - i]) * y)
                    f += 1
                for i in range(OTHER_MISSES):
                    nx[f] = soft(np.float64(misses[o, at + known - 1 - i]) * y) if o >= 0 else F32(0)
                    f += 1
                for i in range(used):
                    nx[f] = soft(opinions[i] * y)
                    f += 1
                nx[f] = F32(0.25 * log2(unit))
                nx[f + 1] = F32(log2((spreads[0] + 0.05) / (spreads[1] + 0.05)))
                nx[f + 2] = F32(log2((spreads[2] + 0.05) / (spreads[1] + 0.05)))
                nx[f + 3] = F32(2.0 * (pf - math.floor(pf)) - 1.0)
                nx[f + 4] = soft((mine[at - 1] - pf) * y)
                nx[f + 5] = F32(known)
                nn.forward(nx, w1, w2, w3, h1, d1, h2, d2, out, mix, pf - low, unit)
            v = samples[c, t] if encoding else np.int64(0)
            bottom: Any = np.int64(low)
            top: Any = np.int64(high) + 1  # bottom ≤ v < top
            a0: Any = np.int64(0)
            a1: Any = np.int64(LEAVES)
            gallop: Any = np.int64(0)
            depth: Any = np.int64(0)
            while True:
                split = a1 - a0 > 1
                if split:
                    node: Any = (a0 + a1) >> 1
                    edge: Any = np.int64(math.floor(pf + scale * QUANTILES[node - 1] + 0.5))
                elif (a0 == 0 or a1 == LEAVES) and gallop < GALLOPS:
                    gallop += 1
                    far = scale * QUANTILES[LEAVES - 2] * (1.0 + 0.25 * np.float64(1 << gallop))
                    if a0 == 0:
                        node = LEAVES + 2 * gallop
                        edge = np.int64(math.floor(pf - far + 0.5))
                    else:
                        node = LEAVES + 2 * gallop + 1
                        edge = np.int64(math.floor(pf + far + 0.5))
                else:
                    break
                if edge <= bottom:
                    bit: Any = np.int64(1)
                elif edge >= top:
                    bit = np.int64(0)
                else:
                    e = edge - 0.5
                    for k in range(EXPERTS):
                        m = sigmoid((e - mean[k]) * inv[k])
                        fm[k] = m
                        y = LN2 * (log2(fh[k] - m + 1e-6) - log2(m - fl[k] + 1e-6))
                        inputs[k] = F32(min(max(y, -LARGEST_STRETCH), LARGEST_STRETCH))
                    inputs[EXPERTS + CONTEXTS] = F32(0.3)
                    if learning > 0.0:
                        nm = nn.below(mix, e - low)
                        inputs[EXPERTS + CONTEXTS + 1] = F32(mx.odds(max(nh - nm, 0.0) + 1e-7, max(nm - nl, 0.0) + 1e-7))
                    cell[0] = node * 8 + trend
                    cell[1] = node * 16 + before
                    cell[2] = node * 16 + beside
                    cell[3] = node * 32 + size
                    for i in range(CONTEXTS):
                        inputs[EXPERTS + i] = mx.STRETCH[slots[c, i, cell[i]] >> 12]
                    selected[0] = node
                    selected[1] = size * 8 + trend
                    selected[2] = min(depth, 7) * 16 + beside
                    selected[3] = min(depth, 7) * 16 + before
                    mixed = mx.mix(inputs, weights[c], gates[c], selected, dots, squashed)
                    m1, m2 = node * 8 + trend, node * 16 + beside
                    p32 = mx.refine(maps[c], mixed, m1, m2)
                    pi: Any = min(max(np.int64(p32 * F32(65536)), 1), 65535)
                    if encoding:
                        bit = np.int64(v >= edge)
                        encode_bit(coder, stream, pi, bit)
                    else:
                        bit = decode_bit(coder, stream, pi)
                    tally[0] += COST[(pi if bit else 65536 - pi) >> 4]
                    count[c] += 1
                    rate = 0.003 + 0.02 / (1.0 + count[c] * 0.0005)
                    mx.adjust(inputs, weights[c], gates[c], selected, dots, squashed, bit, mixed, F32(rate))
                    mx.calibrate(maps[c], bit, mixed, m1, m2)
                    for i in range(CONTEXTS):
                        packed = slots[c, i, cell[i]]
                        n = packed & 255
                        q16 = packed >> 8
                        if bit:
                            q16 += ((65535 - q16) * mx.SLOT_RATE[n]) >> 16
                        else:
                            q16 -= (q16 * mx.SLOT_RATE[n]) >> 16
                        slots[c, i, cell[i]] = q16 << 8 | min(n + 1, 250)
                    if bit:
                        nl = nm
                        for k in range(EXPERTS):
                            fl[k] = fm[k]
                    else:
                        nh = nm
                        for k in range(EXPERTS):
                            fh[k] = fm[k]
                if bit:
                    bottom = max(bottom, edge)
                else:
                    top = min(top, edge)
                depth += 1
                if split:
                    if bit:
                        a0 = node
                    else:
                        a1 = node
                elif (a0 == 0) == (bit == 1):
                    break
            # inside the leaf
            if top - bottom > 1:
                side = 1.0 if pf < bottom else -1.0  # so that small masses keep their digits
                scaled = side / scale
                below = sigmoid((pf - (bottom - 0.5)) * scaled)
                above = sigmoid((pf - (top - 0.5)) * scaled)
                splits: Any = np.int64(0)
                while top - bottom > 1:
                    half = (bottom + top) >> 1
                    if splits < MODELLED:
                        middle = sigmoid((pf - (half - 0.5)) * scaled)
                        y = abs(middle - above) + 1e-9
                        pi = min(max(np.int64(y / (y + abs(below - middle) + 1e-9) * 65536.0), 1), 65535)
                        splits += 1
                        kind = 1
                    else:
                        middle = 0.0
                        pi = ((top - half) << 16) // (top - bottom)
                        kind = 2
                    if encoding:
                        bit = np.int64(v >= half)
                        encode_bit(coder, stream, pi, bit)
                    else:
                        bit = decode_bit(coder, stream, pi)
                    tally[kind] += COST[(pi if bit else 65536 - pi) >> 4]
                    if bit:
                        bottom = half
                        below = middle
                    else:
                        top = half
                        above = middle
            v = bottom
            if not encoding:
                samples[c, t] = v
            # learn
            leaves[c] = a0
            value = np.float64(v)
            mine[at] = value
            for k in range(EXPERTS):
                spreads[k] += (abs(value - mean[k]) - spreads[k]) * RATES[k]
            misses[c, at] = F32(value - pf)
            if learning > 0.0:
                nn.gradient(mix, dout, value - low, np.float64(high - low), unit)
                sample = np.int64(clock[0])
                nn.backward(nx, h1, d1, h2, d2, dout, w2t, w3t, xs, h1s, h2s, s1, s2, douts, sample)
                clock[0] += 1.0
                if sample + 1 == nn.BATCH:
                    clock[0] = 0.0
                    nn.step(net, learning)
            e = abs(value - pf)
            y = 1.0 / (0.5 + local[c] + 0.25 * e)
            local[c] += (e - local[c]) * 0.1
            weight[c, slot] = y * y
            target[c, slot] = value
            left[c, slot] = value - p0
            errors[c, at] = F32(value - p0)
            rest: Any = value - (p0 + looked)
            for k in range(filters):
                n = length[k]
                now: Any = F32(rest)
                place = t & (n - 1)
                ring = recent[k, c, place : place + n]
                tap = taps[k, c]
                rest -= inside[k]
                q0, q1, q2 = power[k, c, 0], power[k, c, 1], power[k, c, 2]
                new = np.float64(now) * np.float64(now)
                q0 += (rest * rest - q0) * 0.02
                q1 += (new - q1) * 0.02
                q2 += (new - q2) / n
                power[k, c, 0] = q0
                power[k, c, 1] = q1
                power[k, c, 2] = q2
                y = min(max(rest / (math.sqrt(q0) + 0.1), -2.0), 2.0)
                gain = F32(step[k] * y / (math.sqrt(max(q1, q2)) + 0.1))
                for i in range(n):
                    tap[i] += gain * ring[i]
                recent[k, c, place] = now
                recent[k, c, place + n] = now
        if slot == BATCH - 1:
            batch = t // BATCH
            for c in range(channels):
                for p in range(predictors):
                    n = own[p] + other[p] if partner[c] >= 0 else own[p]
                    accumulate(a[p, c], b[p, c], x[p, c], weight[c], target[c], n, decay[p])
                    if batch % every[p] == 0:
                        solve(a[p, c], b[p, c], w[p, c], u, z, n, RIDGE)
                if looking:
                    n = lags.shape[1] * (AROUND if partner[c] < 0 else 2 * AROUND)
                    accumulate(look_a[c], look_b[c], look_x[c], weight[c], left[c], n, LOOK_DECAY)
                    solve(look_a[c], look_b[c], look_w[c], u, z, n, LOOK_RIDGE)
                accumulate(stack_a[c], stack_b[c], stack_x[c], weight[c], left[c], used, STACK_DECAY)
                solve(stack_a[c], stack_b[c], stack_w[c], u, z, used, STACK_RIDGE)
