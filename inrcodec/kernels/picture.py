"""One pass over a plane of a tile of a picture. SPEC.md, "One pass", defines it.

For each value, in this order: gather the values around its place; if they are all alike, code one decision, the flag; predict the value;
code its bits, the most significant first, by experts, contexts and the mixer; learn. The functions below stand in this order.
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
EXTRAS = 17  # inputs of the context network beside the gathered values and the coordinates
OCTAVES = 3  # of the coordinates
DERIVED = 10  # numbers that contexts may use beside the gathered values
ACTIVITIES = 40  # levels of the local error
PREDICTORS = 2  # least squares predictors, at most
EXPERTS = PREDICTORS + 1  # the context network and the predictors, at most
SPREAD_SHARE, LEAST_SPREAD = 0.6, 0.03  # the scale of a predictor's logistic is SPREAD_SHARE times its mean error, plus LEAST_SPREAD
PLAIN_LIMIT = 3.5  # without a network: if all predictors' stretched probabilities are beyond this, contexts and mixer are not asked
SURE_LIMIT = 5.0  # if the network's stretched probability is beyond this, predictors, contexts and mixer are not asked
NOISE = 1.0  # in planes of more than 8 bits, a bit that halves a span below this many scales is almost noise
WORTH = 0.002  # bits that mixing must save for such a bit, or else it is not mixed
SURE = 32  # classes of stretched probabilities for bits that are not mixed
LEAST_RATE = 0.002  # of the mixer's learning, see `mixer.rate_of`
FLAGS = 1 << 9  # contexts of the flag
TALLY = 18  # rows of the tally
FLAT = 17  # row of the flag in the tally


class Geometry(NamedTuple):
    """The places of a pass, and the range of its values."""

    plane: int  # number of the own plane, in coded order
    height: int  # of the tile
    width: int
    top: int  # row and column of the first place in the tile
    left: int
    step: int  # rows, and columns, between two places
    largest: int  # largest value
    bits: int  # bit length of `largest`
    origin_y: int  # row and column of the tile in the picture
    origin_x: int


class Taps(NamedTuple):
    """The taps: where values are gathered, relative to the current place. A group is the taps in the own plane, or in one reference."""

    plane: Ints1  # (taps,) number of the plane, in coded order
    dy: Ints1  # (taps,) rows down
    dx: Ints1  # (taps,) columns to the right
    causal: Ints1  # (taps,) whether a tap is causal: only coded before the current place; this decides its value at the tile's edges
    start: Ints1  # (groups + 1,) number of the first tap of each group, then the number of taps
    means: Ints2  # (groups, 2) first and end, within its group, of the taps whose mean is the mean of the group


class Switches(NamedTuple):
    """Settings of the model."""

    predictors: Int  # number of least squares predictors, 0 … PREDICTORS
    units: Int  # of each hidden layer of the context network; 0: there is no network
    learning: float  # Adam's rate; 0: the network does not learn
    coordinates: Int  # 1 if the network sees the coordinates, else 0


class State(NamedTuple):
    """What a pass adapts, beside predictors, network, contexts and mixer; and scratch for the current value."""

    gathered: Ints1  # (taps + DERIVED,) gathered values, then numbers derived from them
    relative: Floats1  # (taps,) gathered values minus the mean of their group
    said: Floats1  # (PREDICTORS,) predictions of the value
    spread: Floats2  # (PREDICTORS, ACTIVITIES) mean errors of the predictions, by level of the local error
    below: Floats1  # (EXPERTS,) mass of each expert's distribution below the least value that is still possible
    at: Floats1  # (EXPERTS,) its mass below the edge between the values with bit 0 and those with bit 1
    above: Floats1  # (EXPERTS,) its mass below the end of the values that are still possible
    inverse: Floats1  # (PREDICTORS,) inverse scales of the predictors' logistics
    flags: Singles1  # (FLAGS,) probability of flag 1, by context
    sure: Singles1  # (SURE,) probability of a 1 for bits that are not mixed, by class
    counters: Ints1  # (3,) bits mixed, the last six flags, flags 1 in a row
    worth: Floats1  # (16,) bits that mixing saves per noisy bit, by index of the bit
    tally: Floats2  # (TALLY, 2) bits spent and decisions coded, by index of the bit, and for the flag; only reported
    context_taps: Ints2  # (contexts, longest) for each context, indices into `gathered`, then −1
    sines: Singles1  # (2^16,) sine by the fraction of a turn


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
    """All that one pass needs and adapts."""

    geometry: Geometry
    taps: Taps
    switches: Switches
    predictors: tuple[LocalLeastSquares, ...]  # PREDICTORS of them
    net: ContextNet
    contexts: Contexts
    mixer: Mixer
    state: State


class Guess(NamedTuple):
    """What is known of a value before its bits are coded."""

    base: float  # mean of the group of the own plane
    unit: float  # local error: mean size of the residuals around
    level: Int  # class of the local error, 0 … ACTIVITIES − 1
    activity: Int  # log2 of the differences between the nearest neighbours, 0 … 15


# --- gather -------------------------------------------------------------------------------------------------------


@part
def outside(values: Words2, y: Int, x: Int, dy: Int, dx: Int, causal: Int, g: Geometry) -> Int:
    """The value of a tap (dy, dx) at place (y, x), which may lie outside the tile. values: (height, width), of the tap's plane."""
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
    """Fill in the first of `gathered`, (taps + DERIVED,): the values of all taps at place (y, x). planes: (planes, height, width)."""
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
    """Whether a place is flat: the first four values of the own group are alike, and the first three of each reference's group.

    gathered: (taps + DERIVED,); start: (groups + 1,), see `Taps`.
    """
    ga = gathered
    flat = ga[0] == ga[1] and ga[0] == ga[2] and ga[0] == ga[3]
    for k in range(1, start.shape[0] - 1):
        b = start[k]
        flat = flat and ga[b] == ga[b + 1] and ga[b] == ga[b + 2]
    return flat


@stage
def code_flag(coder: BitCoder, st: State, bit: Int) -> Int:
    """Code the flag at a flat place: 1 if the value is that of its neighbours. Learns and returns the flag. bit: the flag, to encode."""
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
    """The residual of the first predictor at (y + dy, x + dx), in eighths; a constant outside the tile. own: (height, width) residuals."""
    if y + dy >= g.top and x + dx >= g.left and x + dx < g.width:
        return np.int64(own[y + dy, x + dx])
    return np.int64(g.largest >> 2)


@stage
def relate(st: State, taps: Taps) -> float:
    """Fill in `relative`, the gathered values minus the mean of their group. Returns the mean of the own group."""
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
    """The local error at (y, x): 1/4 plus the mean size of the first predictor's residuals around. own: (height, width) residuals."""
    s = g.step
    ew = abs(error_at(own, y, x, 0, -s, g))
    en = abs(error_at(own, y, x, -s, 0, g))
    around = abs(error_at(own, y, x, -s, -s, g)) + abs(error_at(own, y, x, -s, s, g))
    far = abs(error_at(own, y, x, 0, -2 * s, g)) + abs(error_at(own, y, x, -2 * s, 0, g))
    return 0.25 + (2 * (ew + en) + around + far) * (1.0 / 64.0)


@stage
def predict(p: PassState, own: Words2, y: Int, x: Int, column: Int) -> Guess:
    """Predict the value at (y, x): fills in `relative` and `said`. Without predictors, these stay 0, and the local error is 1.

    own: (height, width) residuals of the plane; column: number of the place in its row of the pass.
    """
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
    """Fill in the context network's inputs. SPEC.md, "The context network", has the list.

    residuals: (planes, height, width); unit: the local error.
    """
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
    """Fill in f[first] … with sine and cosine of OCTAVES octaves of a coordinate. turn: the coordinate in units of 2^-16 turns.

    f: (inputs + 1,); sines: (2^16,).
    """
    for k in range(OCTAVES):
        f[first + 2 * k] = sines[(turn << k) & 65535]
        f[first + 2 * k + 1] = sines[((turn << k) + 16384) & 65535]


@stage
def derive(p: PassState, level: Int) -> None:
    """Fill in the last DERIVED of `gathered`: predictions, gradients, level of the local error, and the mean of the network's mixture."""
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
    """Hash the numbers of each context."""
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
    """A bit of a value that is to be coded."""

    b: Int  # index of the bit, 0: the most significant
    low: Int  # the value is one of low … top − 1 by the bits before
    top: Int
    prefix: Int  # a 1, then the bits before
    behind: bool  # whether `below` and `above` of the predictors are out of date, as they were not asked about the bit before


class Answer(NamedTuple):
    """Whether the experts are so sure of a bit that it need not be mixed."""

    sure: bool  # whether the network is
    agreed: bool  # whether all predictors are


@stage
def ask(p: PassState, node: Node) -> Answer:
    """Ask the experts about a bit: fills in their mixer inputs and masses `at`. The predictors are not asked if the network is sure."""
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
    """Code a bit of which the experts are sure, by the adaptive probability of the class of `stretched`. Learns the bit.

    stretched: the stretched probability of the first expert. Returns the bit and the probability that was coded, 1 … 65535.
    """
    c = 2 * int(min(abs(stretched) * 2.0, SURE // 2 - 1.0)) + int(stretched > 0.0)
    p = st.sure[c]
    pi = as_probability(p)
    found = code_bit(coder, pi, bit)
    st.sure[c] = p + (F32(found) - p) * F32(0.002)
    return found, pi


@stage
def select(p: PassState, node: Node, guess: Guess, confident: Int, y: Int, x: Int) -> None:
    """Select the mixer's sets of weights for a bit. confident: how many contexts have learnt at least 3 bits here."""
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
    """Code a bit by experts and contexts through mixer and final maps, and learn it. `find_lines` must have been called.

    Returns the bit and the probability that was coded, 1 … 65535.
    """
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
    """Code the bits of a value, the most significant first. Returns the value.

    row: of the pass; place: (y, x) in the tile; value: to encode.
    """
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
        # the lowest bits of deep samples are almost noise: every eighth row measures what mixing saves, other rows mix only if it pays
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
    """Learn a value: its residual, the sums of the predictors, and their mean errors.

    own: (height, width) residuals, written at the place; place: (y, x, column), see `predict`.
    """
    st, (y, x, column) = p.state, place
    own[y, x] = np.int32(math.floor((value - st.said[0]) * 8.0 + 0.5))
    t = 1.0 / (0.5 + guess.unit + 0.25 * abs(value - st.said[0]))
    for k in range(p.switches.predictors):
        pr.local_learn(p.predictors[k], column, value - guess.base, t * t)
        st.spread[k, guess.level] += (abs(value - st.said[k]) - st.spread[k, guess.level]) * 0.01


# --- the pass -----------------------------------------------------------------------------------------------------


@stage
def begin(p: PassState, column: Int) -> None:
    """Before a value: at the first column of a block, the sums of the predictors fade."""
    for k in range(p.switches.predictors):
        pr.local_fade(p.predictors[k], column)


@kernel
def code_rows(coder: BitCoder, first: Int, last: Int, planes: Words3, residuals: Words3, p: PassState) -> None:
    """Code rows first … last − 1 of a pass, as the pass counts them, in either direction.

    planes: (planes, height, width), the values; decoding fills in those of the pass. residuals: (planes, height, width), of the first
    predictor, in eighths; those of the pass are written.
    """
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
    """Gather what the context network of a pass would see, without coding, to fit networks to it.

    planes: (planes, height, width), known; residuals: (planes, height, width), those of the pass are written. out: (values, inputs + 3),
    filled with inputs, prediction, local error and value. Values at flat places with flag 1 are left out. Returns how many rows are filled.
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
