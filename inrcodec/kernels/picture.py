"""One pass over a plane of a tile of a picture. SPEC.md, "One pass", defines it in words.

For each value, in this order: gather its neighbours; if they are all alike, one flag; predict; code its bits from the top, each by
the experts, the contexts and the mixer; learn. The functions below stand in that order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from . import contextnet as cn
from . import mixer as mx
from . import predictors as pr
from .arrays import Floats1, Floats2, Int, Ints1, Ints2, Singles1, Singles2, Words2, Words3
from .coder import BitCoder, as_probability, code_bit
from .compiling import function, kernel, part, shared, stage
from .contextnet import ContextNet
from .experts import logistic_odds, mixture_odds
from .functions import cost, log2, sigmoid, soft
from .mixer import Contexts, Mixer, mix_hash
from .predictors import LocalLeastSquares
from .tables import SINE_BITS, sine

F32 = np.float32
EXTRAS = 17  # features beside the gathered values, without the coordinates
OCTAVES = 3
DERIVED = 10  # numbers that contexts may use beside the gathered values
ACTIVITIES = 40
PREDICTORS = 2  # least squares predictors, at most
EXPERTS = PREDICTORS + 1  # and the network
SPREAD_SHARE, LEAST_SPREAD = 0.6, 0.03  # of a mean error: a logistic's scale
PLAIN_LIMIT = 3.5  # of the predictors' stretched probabilities where there is no network: beyond it, nothing else is asked
SURE_LIMIT = 5.0  # the same of the network's
NOISE = 1.0  # of a node's span over the scale: below it, bits of deep samples are all but noise
WORTH = 0.002  # bits that mixing must save there
SURE = 32  # classes of bits that an expert is sure of
LEAST_RATE = 0.002  # of the mixer
FLAGS = 1 << 9
TALLY = 18
FLAT = 17  # row of the tally


class Geometry(NamedTuple):
    """Where a pass runs."""

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
    """Places to gather, group by group: the plane's own, then those of each reference."""

    plane: Ints1  # (taps,)
    dy: Ints1  # (taps,)
    dx: Ints1  # (taps,)
    causal: Ints1  # (taps,) whether a tap follows the rule for causal places
    start: Ints1  # (groups + 1,) first tap of each group, and the end
    means: Ints2  # (groups, 2): first and end of the taps of a group that make its mean


class Switches(NamedTuple):
    """What this pass uses."""

    predictors: Int  # 0 … PREDICTORS
    units: Int  # 0: no network
    learning: float  # rate of Adam
    coordinates: Int


class State(NamedTuple):
    """What a pass adapts beside its predictors, network, contexts and mixer, and its scratch."""

    gathered: Ints1  # (taps + DERIVED,)
    relative: Floats1  # (taps,) gathered values less their group's mean
    said: Floats1  # (PREDICTORS,) predictions
    spread: Floats2  # (PREDICTORS, ACTIVITIES): their mean errors
    below: Floats1  # (EXPERTS,) masses below the least value that is still possible,
    at: Floats1  # (EXPERTS,) the edge,
    above: Floats1  # (EXPERTS,) and the end
    inverse: Floats1  # (PREDICTORS,) inverse scales
    flags: Singles1  # (FLAGS,): "as predicted"
    sure: Singles1  # (SURE,)
    counters: Ints1  # (3,): bits mixed, last flags, flags in a row
    worth: Floats1  # (16,): bits that mixing saves where noise is coded, by index of the bit
    tally: Floats2  # (TALLY, 2): cost in bits, and decisions: by index of the bit, then of flat places; only told, never used
    context_taps: Ints2  # (contexts, longest): indices into `gathered`, −1 ends
    sines: Singles1  # (2^16,) of a turn


SPREAD = np.ldexp(np.tile([1.0, 1.4142135623730951], ACTIVITIES // 2), np.arange(ACTIVITIES) // 2 - 2)  # 2^(level/2 − 2), without libm


def _sines() -> Singles1:
    """(2^16,) sines of a turn."""
    return (sine().astype(np.float64) / 2.0**SINE_BITS).astype(np.float32)


def _sure() -> Singles1:
    """(SURE,) what `State.sure` begins with: the probability in the middle of each class."""
    classes = (np.arange(SURE) // 2 + 0.5) / 2 * np.where(np.arange(SURE) % 2, 1.0, -1.0)
    return np.array([sigmoid(float(x)) for x in classes], np.float32)


SINES, FRESH_SURE = _sines(), _sure()


def fresh_state(taps: int, context_taps: Ints2) -> State:
    """The state before the first value. taps: how many there are; context_taps: see `State`."""
    return State(
        gathered=np.zeros(taps + DERIVED, np.int64),
        relative=np.zeros(taps),
        said=np.zeros(PREDICTORS),
        spread=np.tile(SPREAD, (PREDICTORS, 1)),
        below=np.zeros(EXPERTS),
        at=np.zeros(EXPERTS),
        above=np.zeros(EXPERTS),
        inverse=np.zeros(PREDICTORS),
        flags=np.full(FLAGS, 0.9, np.float32),
        sure=FRESH_SURE.copy(),
        counters=np.zeros(3, np.int64),
        worth=np.zeros(16),
        tally=np.zeros((TALLY, 2)),
        context_taps=context_taps,
        sines=SINES,
    )


@function
def experts(switches: Switches) -> Int:
    """How many experts a pass asks: the network, if there is one, then the least squares predictors."""
    return switches.predictors + int(switches.units > 0)


class PassState(NamedTuple):
    """All that the coding of one pass needs and adapts."""

    geometry: Geometry
    taps: Taps
    switches: Switches
    predictors: tuple[LocalLeastSquares, ...]  # PREDICTORS of them
    net: ContextNet
    contexts: Contexts
    mixer: Mixer
    state: State


class Guess(NamedTuple):
    """What is known of a value before its bits."""

    base: float  # mean of the nearest neighbours
    unit: float  # local error
    level: Int  # its class, 0 … ACTIVITIES − 1
    activity: Int  # differences of the neighbours, log2


# --- gather -------------------------------------------------------------------------------------------------------


@part
def outside(values: Words2, y: Int, x: Int, dy: Int, dx: Int, causal: Int, g: Geometry) -> Int:
    """The value a tap stands for near the tile's edges. values: (height, width)."""
    height, width = values.shape
    start = (g.largest + 1) >> 1
    if causal:
        if dy == 0:
            if x + dx >= g.left:
                return np.int64(values[y, x + dx])
            if x > g.left:
                return np.int64(values[y, g.left])
            return np.int64(values[y - g.step, g.left]) if y > g.top else start
        if y == g.top:
            return np.int64(values[y, x - g.step]) if x > g.left else start
        yy = max(y + dy, g.top)
        last = g.left + (width - 1 - g.left) // g.step * g.step
        return np.int64(values[yy, min(max(x + dx, g.left), last)])
    yy, xx = y + dy, x + dx
    if yy < 0:
        yy = -yy
    if yy >= height:
        yy = 2 * (height - 1) - yy
    if xx < 0:
        xx = -xx
    if xx >= width:
        xx = 2 * (width - 1) - xx
    return np.int64(values[min(max(yy, 0), height - 1), min(max(xx, 0), width - 1)])


@stage
def gather(planes: Words3, g: Geometry, taps: Taps, y: Int, x: Int, gathered: Ints1) -> None:
    """Fill `gathered` with the taps' values at a place."""
    reach = 4 * g.step
    inside = y >= reach and x >= reach and y < g.height - reach and x < g.width - reach
    if inside:
        for t in range(taps.plane.shape[0]):
            gathered[t] = planes[taps.plane[t], y + taps.dy[t], x + taps.dx[t]]
    else:
        for t in range(taps.plane.shape[0]):
            gathered[t] = outside(planes[taps.plane[t]], y, x, taps.dy[t], taps.dx[t], taps.causal[t], g)


@stage
def is_flat(gathered: Ints1, start: Ints1) -> bool:
    """Whether the nearest neighbours are all alike, in the plane and in each reference."""
    ga = gathered
    flat = ga[0] == ga[1] and ga[0] == ga[2] and ga[0] == ga[3]
    for k in range(1, start.shape[0] - 1):
        b = start[k]
        flat = flat and ga[b] == ga[b + 1] and ga[b] == ga[b + 2]
    return flat


@stage
def code_flag(coder: BitCoder, st: State, bit: Int) -> Int:
    """Code whether a value in flat surroundings is as its neighbours."""
    ga = st.gathered
    near = int(ga[4] == ga[0]) | int(ga[5] == ga[0]) << 1
    c = near | (st.counters[1] & 63) << 2 | int(st.counters[2] > 16) << 8
    p = st.flags[c]
    pi = as_probability(p)
    found = code_bit(coder, pi, bit)
    st.tally[FLAT, 0] += cost(pi, found)
    st.tally[FLAT, 1] += 1
    st.flags[c] = p + (F32(found) - p) * F32(0.02)
    st.counters[1] = (st.counters[1] << 1 | found) & 63
    st.counters[2] = st.counters[2] + 1 if found else 0
    return found


# --- predict ------------------------------------------------------------------------------------------------------


@shared
def error_at(own: Words2, y: Int, x: Int, dy: Int, dx: Int, g: Geometry) -> np.int64:
    """A residual of the first predictor, in eighths. own: (height, width) of the plane."""
    if y + dy >= g.top and x + dx >= g.left and x + dx < g.width:
        return np.int64(own[y + dy, x + dx])
    return np.int64(g.largest >> 2)


@stage
def relate(st: State, taps: Taps) -> float:
    """Fill in the gathered values less their group's mean. Returns the mean of the plane's own group."""
    base = 0.0
    for k in range(taps.start.shape[0] - 1):
        b = taps.start[k]
        mean = 0.0
        for i in range(b + taps.means[k, 0], b + taps.means[k, 1]):
            mean += st.gathered[i]
        mean /= taps.means[k, 1] - taps.means[k, 0]
        if k == 0:
            base = mean
        for i in range(b, taps.start[k + 1]):
            st.relative[i] = st.gathered[i] - mean
    return base


@stage
def local_error(own: Words2, y: Int, x: Int, g: Geometry) -> float:
    """How much the first predictor erred around a place."""
    s = g.step
    ew = abs(error_at(own, y, x, 0, -s, g))
    en = abs(error_at(own, y, x, -s, 0, g))
    around = abs(error_at(own, y, x, -s, -s, g)) + abs(error_at(own, y, x, -s, s, g))
    far = abs(error_at(own, y, x, 0, -2 * s, g)) + abs(error_at(own, y, x, -2 * s, 0, g))
    return 0.25 + (2 * (ew + en) + around + far) * (1.0 / 64.0)


@stage
def predict(p: PassState, own: Words2, y: Int, x: Int, column: Int) -> Guess:
    """Fill in `said`, and say where and how sure. Without predictors everything is 0 but the neighbours' mean."""
    st, g, ga = p.state, p.geometry, p.state.gathered
    base, unit, level = 0.5 * (ga[0] + ga[1]), 1.0, 0
    if p.switches.predictors > 0:
        base = relate(st, p.taps)
        unit = local_error(own, y, x, g)
        level = min(int(2.0 * (log2(unit) + 2.0)), ACTIVITIES - 1)
        for k in range(p.switches.predictors):
            st.said[k] = min(max(base + pr.local_predict(p.predictors[k], st.relative, column), 0.0), np.float64(g.largest))
        for k in range(p.switches.predictors, PREDICTORS):
            st.said[k] = st.said[0]
    activity = int(min(log2(1.0 + abs(ga[0] - ga[2]) + abs(ga[1] - ga[2]) + abs(ga[1] - ga[3])), 15.0))
    return Guess(base, unit, level, activity)


@stage
def see(p: PassState, residuals: Words3, y: Int, x: Int, unit: float) -> None:
    """Fill in the network's features: SPEC.md has the list."""
    st, g, f = p.state, p.geometry, p.net.x
    relative, own, sines = st.relative, residuals[g.plane], st.sines
    p1, p2 = st.said[0], st.said[1]
    inverse = 1.0 / unit
    n = p.taps.plane.shape[0]
    for t in range(n):
        f[t] = soft(relative[t] * inverse)
    f[n] = soft((p1 - 0.5 * (st.gathered[0] + st.gathered[1])) * inverse)
    f[n + 1] = soft((p2 - p1) * inverse)
    f[n + 2] = F32(min(log2(unit), 8.0) * 0.25)
    f[n + 3] = F32(log2((abs(st.gathered[0] - p2) + 0.25) * inverse))
    w, nn, nw, ne = relative[0], relative[1], relative[2], relative[3]
    act = 0.25 * (abs(w - nw) + abs(nn - nw) + abs(nn - ne) + abs(w - relative[4]))
    f[n + 4] = F32(log2((act + 0.25) * inverse))
    s = g.step
    f[n + 5] = soft(error_at(own, y, x, 0, -s, g) * 0.125 * inverse)
    f[n + 6] = soft(error_at(own, y, x, -s, 0, g) * 0.125 * inverse)
    f[n + 7] = soft(error_at(own, y, x, -s, -s, g) * 0.125 * inverse)
    f[n + 8] = soft(error_at(own, y, x, -s, s, g) * 0.125 * inverse)
    start = p.taps.start
    for k in range(2):
        known = k + 1 < start.shape[0] - 1
        f[n + 9 + k] = soft(residuals[p.taps.plane[start[k + 1]], y, x] * 0.125 * inverse) if known else F32(0)
    f[n + 11] = F32(2.0 * p1 / g.largest - 1.0)
    f[n + 12] = F32(2.0 * (p1 - math.floor(p1)) - 1.0)
    py, px = (y + g.origin_y) & 7, (x + g.origin_x) & 7
    f[n + 13] = sines[py * 8192]
    f[n + 14] = sines[(py * 8192 + 16384) & 65535]
    f[n + 15] = sines[px * 8192]
    f[n + 16] = sines[(px * 8192 + 16384) & 65535]
    if p.switches.coordinates:
        see_place(f, n + EXTRAS, (y * 65536) // (2 * g.height), sines)
        see_place(f, n + EXTRAS + 2 * OCTAVES, (x * 65536) // (2 * g.width), sines)


@shared
def see_place(f: Singles1, first: Int, turn: Int, sines: Singles1) -> None:
    """Sine and cosine of OCTAVES octaves of a coordinate. turn: in units of 2^-16."""
    for k in range(OCTAVES):
        f[first + 2 * k] = sines[(turn << k) & 65535]
        f[first + 2 * k + 1] = sines[((turn << k) + 16384) & 65535]


@stage
def derive(p: PassState, level: Int) -> None:
    """What contexts may use beside the gathered values: predictions, gradients, the error's class, the mixture's mean."""
    st, start, ga = p.state, p.taps.start, p.state.gathered
    n, groups = p.taps.plane.shape[0], p.taps.start.shape[0] - 1
    p1, p2 = st.said[0], st.said[1]
    ga[n] = int(p1 + 0.5)
    ga[n + 1] = int(2.0 * p1)
    ga[n + 2] = int(p2 + 0.5)
    ga[n + 3] = ga[0] + ga[1] - ga[2]
    if groups > 1:
        b = start[1]
        ga[n + 4] = ga[0] + ga[b] - ga[b + 1]
        ga[n + 5] = ga[1] + ga[b] - ga[b + 2]
    if groups > 2:
        b = start[2]
        ga[n + 6] = ga[0] + ga[b] - ga[b + 1]
        ga[n + 7] = ga[1] + ga[b] - ga[b + 2]
    ga[n + 8] = level
    if p.switches.units > 0:
        mean, logistics = 0.0, p.net.logistics
        for k in range(cn.COMPONENTS):
            mean += logistics[0, k] * logistics[1, k]
        ga[n + 9] = int(min(max(mean, 0.0), np.float64(p.geometry.largest)) * 2.0)


@stage
def hash_contexts(p: PassState) -> None:
    """The hash of each context's numbers."""
    taps, ga, hashes = p.state.context_taps, p.state.gathered, p.contexts.hashes
    for c in range(hashes.shape[0]):
        h: Int = np.int64(c)
        for i in range(taps.shape[1]):
            t = taps[c, i]
            if t < 0:
                break
            h = mix_hash(h, ga[t])
        hashes[c] = h


# --- code a value -------------------------------------------------------------------------------------------------


class Node(NamedTuple):
    """A bit of a value: its index, what is still possible (low ≤ value < top), the bits before it."""

    b: Int
    low: Int
    top: Int
    prefix: Int
    behind: bool  # the predictors were not asked for the bit before: their masses are of bits before that


class Answer(NamedTuple):
    """What the experts make of a bit. Their stretched probabilities are in the mixer's inputs."""

    sure: bool  # the network is
    agreed: bool  # all predictors are sure


@stage
def ask(p: PassState, node: Node) -> Answer:
    """Ask the network, and, unless it is sure, the predictors."""
    st, inputs, i = p.state, p.mixer.inputs, 0
    edge = ((node.low + node.top) >> 1) - 0.5
    sure = False
    agreed: Any = p.switches.predictors > 0
    if p.switches.units > 0:
        st.at[0] = cn.below(p.net.logistics, edge)
        t = mixture_odds(st.below[0], st.at[0], st.above[0])
        inputs[0] = F32(t)
        sure = abs(t) > SURE_LIMIT
        i = 1
    if not sure:
        for k in range(p.switches.predictors):
            mean, inverse, e = st.said[k], st.inverse[k], i + k
            if node.behind:
                st.below[e] = sigmoid((node.low - 0.5 - mean) * inverse) if node.low > 0 else 0.0
                st.above[e] = sigmoid((node.top - 0.5 - mean) * inverse) if node.top <= p.geometry.largest else 1.0
            st.at[e] = sigmoid((edge - mean) * inverse)
            t = logistic_odds(st.below[e], st.at[e], st.above[e])
            inputs[e] = F32(t)
            agreed = agreed and abs(t) > PLAIN_LIMIT
    return Answer(sure, agreed)


@stage
def code_sure(coder: BitCoder, st: State, stretched: float, bit: Int) -> tuple[Int, Int]:
    """Code a bit by how such bits have come out. Returns it and its probability."""
    c = 2 * int(min(abs(stretched) * 2.0, SURE // 2 - 1.0)) + int(stretched > 0.0)
    p = st.sure[c]
    pi = as_probability(p)
    found = code_bit(coder, pi, bit)
    st.sure[c] = p + (F32(found) - p) * F32(0.002)
    return found, pi


@stage
def select(p: PassState, node: Node, guess: Guess, confident: Int, y: Int, x: Int) -> None:
    """Choose the mixer's weight sets for a bit. confident: contexts that know it."""
    g, selected, b = p.geometry, p.mixer.selected, node.b
    count = experts(p.switches)
    contexts = p.contexts.hashes.shape[0]
    t = np.float64(p.mixer.inputs[0]) if count > 0 else 0.0
    selected[0] = b * 32 + 2 * int(min(abs(t) * 2.0, 15.0)) + int(t > 0.0)
    selected[1] = b * 16 + guess.activity
    if contexts > 0:
        selected[2] = node.prefix if b < 9 else b * 32
    else:
        selected[2] = ((y + g.origin_y) & 7) * 8 + ((x + g.origin_x) & 7) + 64 * min(b, 15)
    selected[3] = b * 40 + (confident if contexts > 6 else guess.level)


@stage
def code_mixed(coder: BitCoder, p: PassState, node: Node, guess: Guess, y: Int, x: Int, bit: Int) -> tuple[Int, Int]:
    """Code a bit by experts and contexts, mixed, and learn it. Returns it and its probability. The contexts' lines are found."""
    st, m, b = p.state, p.mixer, node.b
    count = experts(p.switches)
    contexts = p.contexts.hashes.shape[0]
    m.inputs[count] = F32(0.3)
    confident: Int = 0
    if contexts > 0:
        within = (1 << (b & 3)) | (node.prefix & ((1 << (b & 3)) - 1))
        confident = mx.look_up(p.contexts, m.inputs, count + 1, within)
    select(p, node, guess, confident, y, x)
    alone = count == 1 and contexts == 0
    total = m.inputs[0]
    if not alone:
        total = mx.mix(m)
    first = m.selected[2] if contexts > 0 else b * 64 + guess.level
    second: Int = m.selected[2]
    if contexts > 0:
        second = mix_hash(p.contexts.hashes[0], node.prefix) >> 16 & (m.maps.shape[1] - 1)
    pi = as_probability(mx.refine(m.maps, total, first, second))
    found = code_bit(coder, pi, bit)
    st.counters[0] += 1
    if not alone:
        mx.adjust(m, found, total, mx.rate_of(LEAST_RATE, st.counters[0]))
    mx.calibrate(m.maps, found, total, first, second)
    if contexts > 0:
        mx.remember(p.contexts, found)
    return found, pi


@stage
def code_value(coder: BitCoder, p: PassState, guess: Guess, row: Int, place: tuple[Int, Int], value: Int) -> Int:
    """Code a value's bits, the most significant first. place: (y, x). Returns the value."""
    st, g = p.state, p.geometry
    y, x = place
    for k in range(p.switches.predictors):
        st.inverse[k] = 1.0 / (SPREAD_SHARE * st.spread[k, guess.level] + LEAST_SPREAD)
    for k in range(EXPERTS):
        st.below[k] = 0.0
        st.above[k] = 1.0
    low, top = 0, 1 << g.bits
    prefix: Int = 1
    found_lines, behind = False, False
    for b in range(g.bits):
        half = (low + top) >> 1
        if b & 3 == 0:
            found_lines = False
        bit: Int = (value >> (g.bits - 1 - b)) & 1
        if half > g.largest:
            top = half
            prefix = prefix << 1
            continue
        node = Node(b, low, top, prefix, behind)
        answer = ask(p, node)
        behind = answer.sure
        # of deep samples, the lowest bits are noise: mixing is measured in every eighth row, and done where it pays
        noisy = g.bits > 8 and p.switches.predictors > 0 and (top - low) * st.inverse[0] < NOISE
        plain = 0
        if noisy:
            plain = min(max(int(sigmoid(np.float64(p.mixer.inputs[0])) * 65536.0), 1), 65535)
        if noisy and row & 7 and st.worth[b] < WORTH:
            pi: Int = plain
            bit = code_bit(coder, pi, bit)
        elif answer.sure or (answer.agreed and p.switches.units == 0):
            bit, pi = code_sure(coder, st, np.float64(p.mixer.inputs[0]), bit)
        else:
            if p.contexts.hashes.shape[0] > 0 and not found_lines:
                mx.find_lines(p.contexts, prefix if b & 3 == 0 else prefix >> (b & 3))
                found_lines = True
            bit, pi = code_mixed(coder, p, node, guess, y, x, bit)
            if noisy:
                saved = np.float64(cost(plain, bit) - cost(pi, bit))
                st.worth[b] += (saved - st.worth[b]) * 0.001
        st.tally[b, 0] += cost(pi, bit)
        st.tally[b, 1] += 1
        prefix = prefix << 1 | bit
        if bit:
            low = half
            for k in range(EXPERTS):
                st.below[k] = st.at[k]
        else:
            top = half
            for k in range(EXPERTS):
                st.above[k] = st.at[k]
    return low


# --- learn --------------------------------------------------------------------------------------------------------


@stage
def learn_predictors(p: PassState, own: Words2, guess: Guess, place: tuple[Int, Int, Int], value: Int) -> None:
    """Residual, least squares and mean errors. place: (y, x, column)."""
    st, (y, x, column) = p.state, place
    own[y, x] = np.int32(math.floor((value - st.said[0]) * 8.0 + 0.5))
    t = 1.0 / (0.5 + guess.unit + 0.25 * abs(value - st.said[0]))
    for k in range(p.switches.predictors):
        pr.local_learn(p.predictors[k], column, value - guess.base, t * t)
        st.spread[k, guess.level] += (abs(value - st.said[k]) - st.spread[k, guess.level]) * 0.01


# --- the pass -----------------------------------------------------------------------------------------------------


@stage
def begin(p: PassState, column: Int) -> None:
    """Where a block of columns begins, its least squares sums fade."""
    for k in range(p.switches.predictors):
        pr.local_fade(p.predictors[k], column)


@kernel
def code_rows(coder: BitCoder, first: Int, last: Int, planes: Words3, residuals: Words3, p: PassState) -> None:
    """Code rows first … last − 1 of a pass (its own rows, step apart). planes, residuals: (planes, height, width)."""
    g, st = p.geometry, p.state
    own = residuals[g.plane]
    for row in range(first, last):
        y = g.top + row * g.step
        for column in range((g.width - g.left + g.step - 1) // g.step):
            x = g.left + column * g.step
            gather(planes, g, p.taps, y, x, st.gathered)
            value: Int = np.int64(planes[g.plane, y, x]) if coder.encoding else np.int64(0)
            begin(p, column)
            if is_flat(st.gathered, p.taps.start) and code_flag(coder, st, int(value == st.gathered[0])):
                if not coder.encoding:
                    planes[g.plane, y, x] = np.int32(st.gathered[0])
                own[y, x] = 0
                continue
            guess = predict(p, own, y, x, column)
            if p.switches.units > 0:
                see(p, residuals, y, x, guess.unit)
                cn.forward(p.net, st.said[0], guess.unit)
            derive(p, guess.level)
            hash_contexts(p)
            value = code_value(coder, p, guess, row, (y, x), value)
            if not coder.encoding:
                planes[g.plane, y, x] = np.int32(value)
            if p.switches.predictors > 0:
                learn_predictors(p, own, guess, (y, x, column), value)
                if p.switches.units > 0 and p.switches.learning > 0.0:
                    cn.learn(p.net, np.float64(value), np.float64(g.largest), guess.unit, p.switches.learning)


@kernel
def observe(planes: Words3, residuals: Words3, p: PassState, out: Singles2) -> Int:
    """What the network of a pass would see, without coding: for training. planes are known.

    out: (values, inputs + 3), filled with features, prediction, local error and value of each. Returns how many there are: values that
    are as their flat surroundings are left out.
    """
    g, st, n = p.geometry, p.state, 0
    own = residuals[g.plane]
    inputs = out.shape[1] - 3
    for row in range((g.height - g.top + g.step - 1) // g.step):
        y = g.top + row * g.step
        for column in range((g.width - g.left + g.step - 1) // g.step):
            x = g.left + column * g.step
            gather(planes, g, p.taps, y, x, st.gathered)
            value = np.int64(planes[g.plane, y, x])
            begin(p, column)
            if is_flat(st.gathered, p.taps.start) and value == st.gathered[0]:
                own[y, x] = 0
                continue
            guess = predict(p, own, y, x, column)
            see(p, residuals, y, x, guess.unit)
            for i in range(inputs):
                out[n, i] = p.net.x[i]
            out[n, inputs] = F32(st.said[0])
            out[n, inputs + 1] = F32(guess.unit)
            out[n, inputs + 2] = F32(value)
            n += 1
            learn_predictors(p, own, guess, (y, x, column), value)
    return n
