"""One pass over a plane of a tile: gather, predict, mix, code, learn. SPEC.md, "Hybrid", defines it in words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from . import leastsquares as ls
from . import mixing as mx
from . import mixture as nn
from .coder import decode_bit, encode_bit
from .functions import COST, log2, sigmoid, soft
from .leastsquares import LeastSquares
from .mixing import Mixer, mix_hash
from .mixture import Mixture

F32 = np.float32
EXTRAS = 17  # features beside the gathered values, without the coordinates
OCTAVES = 3
DERIVED = 12  # numbers that contexts may use beside the gathered values
ACTIVITIES = 40
PLAIN_LIMIT = 3.5  # the same of the predictors' where there is no network
SURE_LIMIT = 5.0  # of the network's stretched probability: beyond it, nothing else is asked
NOISE = 1.0  # of a node's span over the scale: below it, bits of deep samples are all but noise
WORTH = 0.002  # bits that mixing must save there
SURE = 32  # classes of bits that an expert is sure of


class Geometry(NamedTuple):
    """Where a pass runs. All int64."""

    plane: int
    height: int
    width: int
    top: int  # row and column of its first place
    left: int
    step: int
    largest: int  # value
    bits: int
    origin_y: int  # of the tile in the picture
    origin_x: int


class Taps(NamedTuple):
    """Places to gather: plane, dy, dx, and whether they follow the rule for causal places. int64 arrays."""

    plane: Any
    dy: Any
    dx: Any
    causal: Any
    group: Any  # of each tap
    start: Any  # of each group, and the end
    means: Any  # (groups, 2): first and end of the taps of a group that make its mean


class Switches(NamedTuple):
    """What this pass uses."""

    least: int  # 0, 1 or 2 predictors
    units: int  # 0: no network
    learning: float  # rate of Adam
    coordinates: int
    mixing: float  # the mixer's last rate


class State(NamedTuple):
    """What a pass adapts beside its predictors."""

    gathered: Any  # (taps + DERIVED,) int64
    relative: Any  # (taps,) float64
    spread: Any  # (2, ACTIVITIES) float64: mean errors of the least squares predictors
    flags: Any  # (FLAGS,) float32: "as predicted"
    sure: Any  # (17·SURE,) float32
    counters: Any  # (4,) int64: bits mixed, last flags
    worth: Any  # (16,) float64: bits that mixing saves where noise is coded, by index of the bit
    tally: Any  # (TALLY, 2) float64: cost in bits, and decisions: by index of the bit, then of flat places
    context_taps: Any  # (contexts, longest) int64: indices into `gathered`, −1 ends
    cosines: Any  # sine table float32


FLAGS = 1 << 10
TALLY = 18
FLAT = 17  # row of the tally


@njit(cache=True, nogil=True)
def outside(values: Any, y: Any, x: Any, dy: Any, dx: Any, causal: Any, top: Any, left: Any, step: Any, start: Any) -> Any:
    """The value a tap stands for near the tile's edges. values: (height, width)."""
    height, width = values.shape
    if causal:
        if dy == 0:
            if x + dx >= left:
                return values[y, x + dx]
            if x > left:
                return values[y, left]
            return values[y - step, left] if y > top else start
        if y == top:
            return values[y, x - step] if x > left else start
        yy = max(y + dy, top)
        last = left + (width - 1 - left) // step * step
        return values[yy, min(max(x + dx, left), last)]
    yy, xx = y + dy, x + dx
    if yy < 0:
        yy = -yy
    if yy >= height:
        yy = 2 * (height - 1) - yy
    if xx < 0:
        xx = -xx
    if xx >= width:
        xx = 2 * (width - 1) - xx
    return values[min(max(yy, 0), height - 1), min(max(xx, 0), width - 1)]


@njit(inline="always", cache=True)
def gather(planes: Any, g: Geometry, plane: Any, dy: Any, dx: Any, causal: Any, y: Any, x: Any, gathered: Any) -> None:
    """Fill `gathered` with the taps' values at a place."""
    reach = 4 * g.step
    inside = y >= reach and x >= reach and y < g.height - reach and x < g.width - reach
    if inside:
        for t in range(plane.shape[0]):
            gathered[t] = planes[plane[t], y + dy[t], x + dx[t]]
    else:
        start = (g.largest + 1) >> 1
        for t in range(plane.shape[0]):
            gathered[t] = outside(planes[plane[t]], y, x, dy[t], dx[t], causal[t], g.top, g.left, g.step, start)


@njit(inline="always", cache=True)
def error_at(residuals: Any, y: Any, x: Any, dy: Any, dx: Any, g: Geometry) -> Any:
    """A residual of the first predictor, in eighths."""
    if y + dy >= g.top and x + dx >= g.left and x + dx < g.width:
        return residuals[y + dy, x + dx]
    return np.int32(g.largest >> 2)


@njit(inline="always", cache=True)
def features(
    gathered: Any,
    relative: Any,
    cosines: Any,
    g: Geometry,
    plane: Any,
    start: Any,
    coordinates: Any,
    f: Any,
    residuals: Any,
    y: Any,
    x: Any,
    p1: Any,
    p2: Any,
    unit: Any,
    e2: Any,
) -> None:
    """The network's inputs: see SPEC.md for the list."""
    inverse = 1.0 / unit
    n = plane.shape[0]
    for t in range(n):
        f[t] = soft(relative[t] * inverse)
    own = residuals[g.plane]
    mean = gathered[0] + gathered[1]
    f[n] = soft((p1 - 0.5 * mean) * inverse)
    f[n + 1] = soft((p2 - p1) * inverse)
    f[n + 2] = F32(min(log2(unit), 8.0) * 0.25)
    f[n + 3] = F32(log2((e2 + 0.25) * inverse))
    w, nn_, nw, ne = relative[0], relative[1], relative[2], relative[3]
    act = 0.25 * (abs(w - nw) + abs(nn_ - nw) + abs(nn_ - ne) + abs(w - relative[4]))
    f[n + 4] = F32(log2((act + 0.25) * inverse))
    s = g.step
    for k in range(4):
        if k == 0:
            r = error_at(own, y, x, 0, -s, g)
        elif k == 1:
            r = error_at(own, y, x, -s, 0, g)
        elif k == 2:
            r = error_at(own, y, x, -s, -s, g)
        else:
            r = error_at(own, y, x, -s, s, g)
        f[n + 5 + k] = soft(r * 0.125 * inverse)
    for k in range(2):
        known = k + 1 < start.shape[0] - 1
        f[n + 9 + k] = soft(residuals[plane[start[k + 1]], y, x] * 0.125 * inverse) if known else F32(0)
    f[n + 11] = F32(2.0 * p1 / g.largest - 1.0)
    f[n + 12] = F32(2.0 * (p1 - math.floor(p1)) - 1.0)
    py, px = (y + g.origin_y) & 7, (x + g.origin_x) & 7
    f[n + 13] = cosines[py * 8192]
    f[n + 14] = cosines[(py * 8192 + 16384) & 65535]
    f[n + 15] = cosines[px * 8192]
    f[n + 16] = cosines[(px * 8192 + 16384) & 65535]
    if coordinates:
        i = n + EXTRAS
        for axis in range(2):
            turn = (y * 65536) // (2 * g.height) if axis == 0 else (x * 65536) // (2 * g.width)
            for k in range(OCTAVES):
                f[i] = cosines[(turn << k) & 65535]
                f[i + 1] = cosines[((turn << k) + 16384) & 65535]
                i += 2


@njit(cache=True, nogil=True)
def code_rows(
    encoding: bool,
    first: int,
    last: int,
    planes: Any,
    residuals: Any,
    g: Geometry,
    taps: Taps,
    sw: Switches,
    one: LeastSquares,
    two: LeastSquares,
    net: Mixture,
    mixer: Mixer,
    st: State,
    coder: Any,
    stream: Any,
    dump: Any,
    dumped: Any,
) -> None:
    """Code rows first … last − 1 of the pass (its own rows, step apart)."""
    n = taps.plane.shape[0]
    groups = taps.start.shape[0] - 1
    ga = st.gathered
    experts = 1 + sw.least if sw.units > 0 else sw.least
    contexts = mixer.hashes.shape[0]
    own = residuals[g.plane]
    s = g.step
    # out of the tuples once: for every value it would cost more than the arithmetic
    one_taps, one_w, one_x, one_a, one_b = one.taps, one.w, one.x, one.a, one.b
    two_taps, two_w, two_x, two_a, two_b = two.taps, two.w, two.x, two.a, two.b
    nx, w1, w2, w3, h1, d1, h2, d2, out, dout, mixed = (
        net.x,
        net.w1,
        net.w2,
        net.w3,
        net.h1,
        net.d1,
        net.h2,
        net.d2,
        net.out,
        net.dout,
        net.mix,
    )
    w2t, w3t, xs, h1s, h2s, s1, s2, douts, clock = net.w2t, net.w3t, net.xs, net.h1s, net.h2s, net.s1, net.s2, net.douts, net.clock
    slots, history, weights, gates, maps, hashes = mixer.slots, mixer.history, mixer.weights, mixer.gates, mixer.maps, mixer.hashes
    lines, checks, slot, inputs, selected, dots, squashed = (
        mixer.lines,
        mixer.checks,
        mixer.slot,
        mixer.inputs,
        mixer.selected,
        mixer.dots,
        mixer.squashed,
    )
    relative, spread, flags, sures, counters, tally, context_taps, cosines = (
        st.relative,
        st.spread,
        st.flags,
        st.sure,
        st.counters,
        st.tally,
        st.context_taps,
        st.cosines,
    )
    tap_plane, tap_dy, tap_dx, tap_causal, starts, means = taps.plane, taps.dy, taps.dx, taps.causal, taps.start, taps.means
    worth = st.worth
    one_mask, two_mask = one.every - 1, two.every - 1  # powers of two
    fl = np.zeros(3)
    fh = np.zeros(3)
    fm = np.zeros(3)
    inv = np.zeros(3)
    mean = np.zeros(3)
    for row in range(first, last):
        y = g.top + row * s
        columns = (g.width - g.left + s - 1) // s
        one_block: Any = np.int64(-1)  # of this column; and how many columns are left of it
        two_block: Any = np.int64(-1)
        one_left: Any = np.int64(0)
        two_left: Any = np.int64(0)
        for column in range(columns):
            x = g.left + column * s
            gather(planes, g, tap_plane, tap_dy, tap_dx, tap_causal, y, x, ga)
            v = np.int64(planes[g.plane, y, x]) if encoding else np.int64(0)
            one_left -= 1
            if one_left < 0:
                one_left = one.block - 1
                one_block += 1
                if sw.least > 0:
                    ls.fade(one_a, one_b, one_block, one.decay)
            two_left -= 1
            if two_left < 0:
                two_left = two.block - 1
                two_block += 1
                if sw.least > 1:
                    ls.fade(two_a, two_b, two_block, two.decay)
            # flat surroundings: one decision, "as its neighbour"
            flat = ga[0] == ga[1] and ga[0] == ga[2] and ga[0] == ga[3]
            for k in range(1, groups):
                b = starts[k]
                flat = flat and ga[b] == ga[b + 1] and ga[b] == ga[b + 2]
            if flat:
                c = np.int64(ga[4] == ga[0]) | np.int64(ga[5] == ga[0]) << 1 | (counters[1] & 63) << 2 | np.int64(counters[2] > 16) << 8
                p = flags[c]
                bit: Any = np.int64(v == ga[0])
                pi: Any = min(max(np.int64(p * F32(65536)), 1), 65535)
                if encoding:
                    encode_bit(coder, stream, pi, bit)
                else:
                    bit = decode_bit(coder, stream, pi)
                tally[FLAT, 0] += COST[(pi if bit else 65536 - pi) >> 4]
                tally[FLAT, 1] += 1
                flags[c] = p + (F32(bit) - p) * F32(0.02)
                counters[1] = (counters[1] << 1 | bit) & 63
                counters[2] = counters[2] + 1 if bit else 0
                if bit:
                    if not encoding:
                        planes[g.plane, y, x] = np.int32(ga[0])
                    own[y, x] = 0
                    continue
            unit: Any = 1.0
            le: Any = 0
            p1: Any = 0.0
            p2: Any = 0.0
            m0: Any = 0.5 * (ga[0] + ga[1])
            if sw.least > 0:
                for k in range(groups):
                    b = starts[k]
                    t = 0.0
                    for i in range(b + means[k, 0], b + means[k, 1]):
                        t += ga[i]
                    t /= means[k, 1] - means[k, 0]
                    if k == 0:
                        m0 = t
                    for i in range(b, starts[k + 1]):
                        relative[i] = ga[i] - t
                ew = abs(error_at(own, y, x, 0, -s, g))
                en = abs(error_at(own, y, x, -s, 0, g))
                around = abs(error_at(own, y, x, -s, -s, g)) + abs(error_at(own, y, x, -s, s, g))
                far = abs(error_at(own, y, x, 0, -2 * s, g)) + abs(error_at(own, y, x, -2 * s, 0, g))
                unit = 0.25 + (2 * (ew + en) + around + far) * (1.0 / 64.0)
                le = min(np.int64(2.0 * (log2(unit) + 2.0)), ACTIVITIES - 1)
                if column & one_mask == 0:
                    ls.solve(one, one_block)
                p1 = min(max(m0 + ls.predict(one_taps, one_w, one_x, relative), 0.0), np.float64(g.largest))
                p2 = p1
                if sw.least > 1:
                    if column & two_mask == 0:
                        ls.solve(two, two_block)
                    p2 = min(max(m0 + ls.predict(two_taps, two_w, two_x, relative), 0.0), np.float64(g.largest))
                if sw.units > 0:
                    features(
                        ga, relative, cosines, g, tap_plane, starts, sw.coordinates, nx, residuals, y, x, p1, p2, unit, abs(ga[0] - p2)
                    )
                    nn.forward(nx, w1, w2, w3, h1, d1, h2, d2, out, mixed, p1, unit)
            if dumped[0] < dump.shape[0]:
                k = nx.shape[0] - 1
                for i in range(k):
                    dump[dumped[0], i] = nx[i]
                dump[dumped[0], k] = F32(p1)
                dump[dumped[0], k + 1] = F32(unit)
                dump[dumped[0], k + 2] = F32(v)
                dumped[0] += 1
            # what the contexts may use beside the gathered values
            w, nv, nwv = ga[0], ga[1], ga[2]
            ga[n] = np.int64(p1 + 0.5)
            ga[n + 1] = np.int64(2.0 * p1)
            ga[n + 2] = np.int64(p2 + 0.5)
            ga[n + 3] = w + nv - nwv
            ga[n + 8] = le
            if groups > 1:
                b = starts[1]
                ga[n + 4] = w + ga[b] - ga[b + 1]
                ga[n + 5] = nv + ga[b] - ga[b + 2]
            if groups > 2:
                b = starts[2]
                ga[n + 6] = w + ga[b] - ga[b + 1]
                ga[n + 7] = nv + ga[b] - ga[b + 2]
            if sw.units > 0:
                t = 0.0
                for k in range(nn.COMPONENTS):
                    t += mixed[0, k] * mixed[1, k]
                ga[n + 9] = np.int64(min(max(t, 0.0), np.float64(g.largest)) * 2.0)
            for c in range(contexts):
                h = np.int64(c)
                for i in range(context_taps.shape[1]):
                    t = context_taps[c, i]
                    if t < 0:
                        break
                    h = mix_hash(h, ga[t])
                hashes[c] = h
            # the experts' distributions
            for k in range(sw.least):
                mean[k] = p1 if k == 0 else p2
                inv[k] = 1.0 / (0.6 * spread[k, le] + 0.03)
            activity = np.int64(min(log2(1.0 + abs(w - nwv) + abs(nv - nwv) + abs(nv - ga[3])), 15.0))
            for k in range(3):
                fl[k] = 0.0
                fh[k] = 1.0
            low: Any = np.int64(0)
            top: Any = np.int64(1) << g.bits
            prefix: Any = np.int64(1)
            looked = False
            behind = False
            for b in range(g.bits):
                half = (low + top) >> 1
                if contexts > 0 and b & 3 == 0:
                    looked = False
                bit = (v >> (g.bits - 1 - b)) & 1
                if half > g.largest:
                    bit = 0
                    top = half
                    prefix = prefix << 1
                    continue
                edge = half - 0.5
                sure = False
                agreed = experts > 0
                i = 0
                if sw.units > 0:
                    fm[2] = nn.below(mixed, edge)
                    t = mx.odds(max(fh[2] - fm[2], 0.0) + 1e-7, max(fm[2] - fl[2], 0.0) + 1e-7)
                    inputs[0] = F32(t)
                    sure = abs(t) > SURE_LIMIT
                    i = 1
                if not sure:
                    for k in range(sw.least):
                        if behind:  # the masses below what the value lies between, as the bits that were sure left it
                            fl[k] = sigmoid((low - 0.5 - mean[k]) * inv[k]) if low > 0 else 0.0
                            fh[k] = sigmoid((top - 0.5 - mean[k]) * inv[k]) if top <= g.largest else 1.0
                        fm[k] = sigmoid((edge - mean[k]) * inv[k])
                        t = min(max(mx.odds(fh[k] - fm[k] + 1e-6, fm[k] - fl[k] + 1e-6), -9.0), 9.0)
                        inputs[i] = F32(t)
                        agreed = agreed and abs(t) > PLAIN_LIMIT
                        i += 1
                behind = sure
                noisy = g.bits > 8 and sw.least > 0 and (top - low) * inv[0] < NOISE
                if noisy:
                    plain: Any = min(max(np.int64(sigmoid(np.float64(inputs[0])) * 65536.0), 1), 65535)
                if noisy and row & 7 and worth[b] < WORTH:
                    pi = plain
                    if encoding:
                        encode_bit(coder, stream, pi, bit)
                    else:
                        bit = decode_bit(coder, stream, pi)
                elif sure or (agreed and sw.units == 0):
                    t = np.float64(inputs[0])
                    c = 2 * np.int64(min(abs(t) * 2.0, SURE // 2 - 1.0)) + np.int64(t > 0.0)
                    p32 = sures[c]
                    pi = min(max(np.int64(p32 * F32(65536)), 1), 65535)
                    if encoding:
                        encode_bit(coder, stream, pi, bit)
                    else:
                        bit = decode_bit(coder, stream, pi)
                    sures[c] = p32 + (F32(bit) - p32) * F32(0.002)
                else:
                    if contexts > 0 and not looked:
                        mx.find_lines(slots, hashes, lines, checks, prefix if b & 3 == 0 else prefix >> (b & 3))
                        looked = True
                    inputs[experts] = F32(0.3)
                    confident = 0
                    if contexts > 0:
                        confident = mx.gather(
                            slots, history, hashes, lines, slot, inputs, experts, (1 << (b & 3)) | (prefix & ((1 << (b & 3)) - 1))
                        )
                    t = np.float64(inputs[0]) if experts > 0 else 0.0
                    selected[0] = b * 32 + 2 * np.int64(min(abs(t) * 2.0, 15.0)) + np.int64(t > 0.0)
                    selected[1] = b * 16 + activity
                    selected[2] = (
                        (prefix if b < 9 else b * 32)
                        if contexts > 0
                        else ((y + g.origin_y) & 7) * 8 + ((x + g.origin_x) & 7) + 64 * min(b, 15)
                    )
                    selected[3] = b * 40 + (confident if contexts > 6 else le)
                    alone = experts == 1 and contexts == 0
                    total = inputs[0]
                    if not alone:
                        total = mx.mix(inputs, weights, gates, selected, dots, squashed)
                    m1 = selected[2] if contexts > 0 else b * 64 + le
                    m2 = np.int64(mix_hash(hashes[0], prefix) >> 16 & (maps.shape[1] - 1)) if contexts > 0 else selected[2]
                    p32 = mx.refine(maps, total, m1, m2)
                    pi = min(max(np.int64(p32 * F32(65536)), 1), 65535)
                    if encoding:
                        encode_bit(coder, stream, pi, bit)
                    else:
                        bit = decode_bit(coder, stream, pi)
                    counters[0] += 1
                    rate = sw.mixing + 0.02 / (1.0 + counters[0] * 0.0005)
                    if not alone:
                        mx.adjust(inputs, weights, gates, selected, dots, squashed, bit, total, F32(rate))
                    mx.calibrate(maps, bit, total, m1, m2)
                    if contexts > 0:
                        mx.remember(slots, history, slot, bit)
                    if noisy:
                        t = np.float64(COST[(plain if bit else 65536 - plain) >> 4] - COST[(pi if bit else 65536 - pi) >> 4])
                        worth[b] += (t - worth[b]) * 0.001
                tally[b, 0] += COST[(pi if bit else 65536 - pi) >> 4]
                tally[b, 1] += 1
                prefix = prefix << 1 | bit
                if bit:
                    low = half
                    fl[0], fl[1], fl[2] = fm[0], fm[1], fm[2]
                else:
                    top = half
                    fh[0], fh[1], fh[2] = fm[0], fm[1], fm[2]
            if not encoding:
                v = low
                planes[g.plane, y, x] = np.int32(v)
            if sw.least > 0:
                r = (v - p1) * 8.0
                own[y, x] = np.int32(math.floor(r + 0.5))
                e = abs(v - p1)
                t = 1.0 / (0.5 + unit + 0.25 * e)
                ls.learn(one_a, one_b, one_x, v - m0, t * t, one_block)
                spread[0, le] += (e - spread[0, le]) * 0.01
                if sw.least > 1:
                    ls.learn(two_a, two_b, two_x, v - m0, t * t, two_block)
                    spread[1, le] += (abs(v - p2) - spread[1, le]) * 0.01
                if sw.units > 0 and sw.learning > 0.0:
                    nn.gradient(mixed, dout, np.float64(v), np.float64(g.largest), unit)
                    sample = np.int64(clock[0])
                    nn.backward(nx, h1, d1, h2, d2, dout, w2t, w3t, xs, h1s, h2s, s1, s2, douts, sample)
                    clock[0] += 1.0
                    if sample + 1 == nn.BATCH:
                        clock[0] = 0.0
                        nn.step(net, sw.learning)
