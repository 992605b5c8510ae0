"""One pass over a plane of a tile of a picture. SPEC.md, "One pass", defines it.

For each value, in this order: gather the values around its place; if they are all alike, code one decision, the flag; predict the value;
code its decisions, by experts, contexts and the mixer or by tables alone; learn. The decisions are its bits, the most significant first, or
those of a tree around the prediction: the side, how far in steps that double, then halvings. The functions below stand in this order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import contextnet as cn
from . import mixer as mx
from . import predictors as pr
from .adaptive import RATE
from .arrays import Floats1, Floats2, Int, Ints1, Ints2, Singles1, Singles2, Singles3, Words1, Words2, Words3
from .coder import BitCoder, as_probability, code_bit
from .compiling import kernel, part, shared, stage
from .contextnet import ContextNet
from .functions import cost, log2, sigmoid, soft
from .lanes import LANES, ask_all, begin_asking, center, copy16, dot16, padded, pick, pick_words, soften
from .mixer import Contexts, Mixer, mix_hash
from .noting import UNREAD, note_bits
from .predictors import LocalLeastSquares
from .tables import SINE_BITS, sine

F32 = np.float32
PREDICTORS = 4  # least squares predictors, at most
BIASES = 2  # corrections of their blend by the mean error in a context
SAYINGS = PREDICTORS + 1 + BIASES  # predictions: of the predictors, their blend, and what the corrections make of it
BLEND = PREDICTORS  # number of the blend among the predictions
NETWORK_LANE, FIRST_LANE = 3, 4  # lanes of the mixer's inputs: of the context network, and of the first prediction
# contexts in the mixer's inputs: up to FEW of them have one lane each, from FEW_LANE on; more have two each, from MANY_LANE on
FEW_LANE, MANY_LANE, FEW = 11, 16, 5
EXTRAS = 32  # inputs of the context network beside the gathered values and the coordinates
OCTAVES = 3  # of the coordinates
MEANS = 8  # groups, at most, and one more
DERIVED = 22  # numbers that contexts may use beside the gathered values
ACTIVITIES = 40  # levels of the local error
PATTERNS = 64 * 12  # contexts of the first correction
TRIPLES = 9 * 9 * 9  # contexts of the second
SPREAD_SHARE, LEAST_SPREAD = 0.6, 0.03  # the scale of a predictor's logistic is SPREAD_SHARE times its mean error, plus LEAST_SPREAD
PLAIN_AGE = 120  # after so many bits, a probability of plain coding moves at a constant rate
AGREED_LIMIT = 3.5  # the same without a network, if all predictions' stretched probabilities are beyond this
SURE_LIMIT = 5.0  # bit by bit: if the network's stretched probability is beyond this, contexts and mixer are not asked
NOISE = 1.0  # in planes of more than 8 bits, a bit that halves a span below this many scales is almost noise
WORTH = 0.002  # bits that mixing must save for such a bit, or else it is not mixed
SURE = 32  # classes of stretched probabilities for bits that are not mixed
LEAST_RATE = 0.002  # of the mixer's learning, see `mixer.rate_of`
FLAGS = 1 << 9  # contexts of the flag
NUMBERS, TABLE = 512, 64  # nodes, and values of a context, of plain coding
KINDS = 17  # kinds of decisions
HALVINGS = 8  # the first kind of halvings in a tree around the prediction
TALLY = KINDS + 1  # rows of the tally
FLAT = KINDS  # row of the flag in the tally


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
    offset: Ints1  # (taps, padded) difference of the indices, in flat order, of a tap inside the tile and of the current place in plane 0
    group: Ints1  # (taps, padded) number of the group; of the padding, MEANS − 1


class Switches(NamedTuple):
    """Settings of the model."""

    predictors: Int  # number of least squares predictors, 0 … PREDICTORS
    units: Int  # of each hidden layer of the context network; 0: there is no network
    learning: float  # Adam's rate; 0: the network does not learn
    coordinates: Int  # 1 if the network sees the coordinates, else 0
    around: Int  # 1 if values are coded in a tree around the prediction, 0: bit by bit
    plain: Int  # 1 if decisions are coded by two tables of adaptive probabilities, without experts, contexts and mixer


class State(NamedTuple):
    """What a pass adapts, beside predictors, network, contexts and mixer; and scratch for the current value."""

    gathered: Words1  # (taps, padded, + DERIVED) gathered values, then numbers derived from them; the padding is 0
    relative: Singles1  # (taps and at least one 0, padded) gathered values minus the mean of their group
    means: Singles1  # (MEANS,) means of the groups; the last is 0
    said: Floats1  # (SAYINGS,) predictions of the value
    spread: Floats2  # (SAYINGS, ACTIVITIES) mean errors of the predictions, by level of the local error
    errors: Singles3  # (2, columns + 2, PREDICTORS) errors of the predictors at each column of the row before, and of this row
    recent: Singles1  # (PREDICTORS,) mean errors of the predictors around the place
    biases: Singles2  # (BIASES, contexts) mean errors of the blend, in units of the local error
    bias_at: Ints1  # (BIASES,) the contexts of the current value
    logistics: Singles2  # (4, LANES) see `lanes.ask_all`
    masses: Singles2  # (3, LANES) see `lanes.ask_all`
    flags: Singles1  # (FLAGS,) probability of flag 1, by context
    sure: Singles1  # (SURE,) probability of a 1 for bits that are not mixed, by class
    counters: Ints1  # (3,) bits mixed, the last six flags, flags 1 in a row
    tables: Ints2  # (2, NUMBERS·TABLE) for plain coding: probability << 8 | number of bits learnt, by node and by one of two contexts
    worth: Floats1  # (KINDS,) bits that mixing saves per noisy bit, by kind
    tally: Floats2  # (TALLY, 2) bits spent and decisions coded, by kind, and for the flag; only reported
    read: Floats2  # (rows, columns) of the pass, bits that had been read before each value; (0, 0): not wanted
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


def fresh_state(taps: int, context_taps: Ints2, columns: int, largest: int, switches: Switches) -> State:
    """The state before the first value. taps: how many there are; context_taps: see `State`; columns: of the pass; largest: value."""
    logistics, masses = np.zeros((4, LANES), np.float32), np.zeros((3, LANES), np.float32)
    masses[2] = 1
    logistics[3, NETWORK_LANE] = switches.units > 0
    logistics[3, FIRST_LANE : FIRST_LANE + SAYINGS] = switches.predictors > 0
    return State(
        gathered=np.zeros(padded(taps + 1) + DERIVED, np.int32),
        relative=np.zeros(padded(taps + 1), np.float32),
        means=np.zeros(MEANS, np.float32),
        said=np.zeros(SAYINGS),
        spread=np.tile(SPREAD, (SAYINGS, 1)),
        errors=np.full((2, columns + 2, PREDICTORS), largest / 32, np.float32),
        recent=np.ones(PREDICTORS, np.float32),
        biases=np.zeros((BIASES, max(PATTERNS, TRIPLES)), np.float32),
        bias_at=np.zeros(BIASES, np.int64),
        logistics=logistics,
        masses=masses,
        flags=np.full(FLAGS, 0.9, np.float32),
        sure=FRESH_SURE.copy(),
        counters=np.zeros(3, np.int64),
        tables=np.full((2, NUMBERS * TABLE if switches.plain else 1), 1 << 29, np.int64),
        worth=np.zeros(KINDS),
        tally=np.zeros((TALLY, 2)),
        read=UNREAD,
        context_taps=context_taps,
        sines=SINES,
    )


def first_weights(contexts: int, networked: bool = False, predicted: bool = False) -> npt.NDArray[np.float32]:
    """(inputs,) the first weights of the mixer's sums.

    contexts: how many hashed contexts there are; networked: whether there is a network; predicted: whether there are predictors.
    """
    first, count = (FEW_LANE, contexts) if contexts <= FEW else (MANY_LANE, 2 * contexts)
    found = np.zeros(padded(first + count), np.float32)
    found[first : first + count] = 0.05 if predicted else 0.15
    if predicted:
        found[FIRST_LANE : FIRST_LANE + SAYINGS] = (0.3 if networked else 0.8) / SAYINGS
    if networked:
        found[NETWORK_LANE] = 0.6
    return found


class PassState(NamedTuple):
    """All that one pass needs and adapts."""

    geometry: Geometry
    taps: Taps
    switches: Switches
    predictors: LocalLeastSquares
    net: ContextNet
    contexts: Contexts
    mixer: Mixer
    state: State


class Guess(NamedTuple):
    """What is known of a value before its bits are coded."""

    base: np.float32  # mean of the group of the own plane
    unit: np.float32  # local error: mean size of the residuals around
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
def gather(planes: Words3, g: Geometry, taps: Taps, y: Int, x: Int, gathered: Words1) -> None:
    """Fill in the first of `gathered`: the values of all taps at place (y, x). planes: (planes, height, width)."""
    reach = 4 * g.step
    if y >= reach and x >= reach and y < g.height - reach and x < g.width - reach:
        pick_words(planes, y * g.width + x, taps.offset, gathered, taps.offset.shape[0])
        for t in range(taps.plane.shape[0], taps.offset.shape[0]):
            gathered[t] = 0
    else:
        for t in range(taps.plane.shape[0]):
            gathered[t] = outside(planes[taps.plane[t]], y, x, taps.dy[t], taps.dx[t], taps.causal[t], g)


@stage
def is_flat(gathered: Words1, start: Ints1) -> bool:
    """Whether a place is flat: the first four values of the own group are alike, and the first three of each reference's group.

    gathered, start: (groups + 1,): see `State` and `Taps`.
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
    """The residual of the blend at (y + dy, x + dx), in eighths; a constant outside the tile. own: (height, width) residuals."""
    if y + dy >= g.top and x + dx >= g.left and x + dx < g.width:
        return np.int64(own[y + dy, x + dx])
    return np.int64(g.largest >> 2)


@stage
def relate(st: State, taps: Taps) -> np.float32:
    """Fill in `relative`, the gathered values minus the mean of their group. Returns the mean of the own group."""
    for k in range(taps.start.shape[0] - 1):
        b = taps.start[k]
        total: Int = 0
        for i in range(b + taps.means[k, 0], b + taps.means[k, 1]):
            total += st.gathered[i]
        st.means[k] = F32(total) / F32(taps.means[k, 1] - taps.means[k, 0])
    center(st.gathered, st.means, taps.group, st.relative, st.relative.shape[0])
    return st.means[0]


@stage
def local_error(own: Words2, y: Int, x: Int, g: Geometry) -> np.float32:
    """The local error at (y, x): 1/4 plus the mean size of the blend's residuals around. own: (height, width) residuals."""
    s = g.step
    ew = abs(error_at(own, y, x, 0, -s, g))
    en = abs(error_at(own, y, x, -s, 0, g))
    around = abs(error_at(own, y, x, -s, -s, g)) + abs(error_at(own, y, x, -s, s, g))
    far = abs(error_at(own, y, x, 0, -2 * s, g)) + abs(error_at(own, y, x, -2 * s, 0, g))
    return F32(0.25) + F32(2 * (ew + en) + around + far) * F32(1.0 / 64.0)


@shared
def within(x: float, largest: Int) -> float:
    """x clipped to 0 … largest; 0 if x is NaN."""
    if not x >= 0.0:
        return 0.0
    return min(x, np.float64(largest))


@stage
def blend(p: PassState, row: Int, column: Int) -> None:
    """Fill in the blend of the predictions: each weighs by the inverse fourth power of its errors around."""
    st = p.state
    here, before = st.errors[row & 1], st.errors[~row & 1]
    total, sum_ = F32(0), F32(0)
    for k in range(p.switches.predictors):
        e = F32(0.125) * (F32(2) * (here[column, k] + before[column + 1, k]) + before[column, k] + before[column + 2, k]) + F32(0.125)
        st.recent[k] = e
        weight = F32(1) / ((e * e) * (e * e))
        total += weight
        sum_ += weight * F32(st.said[k] - st.said[0])
    st.said[BLEND] = st.said[0] + np.float64(sum_ / total)


@shared
def class_of(residual: Int, eighths: np.float32) -> int:
    """The class, 0 … 8, of a residual in eighths; eighths: the local error, in eighths."""
    t = abs(F32(residual)) / eighths
    size = int(t > F32(0.25)) + int(t > F32(0.75)) + int(t > F32(1.5)) + int(t > F32(3.0))
    return 4 + size if residual > 0 else 4 - size


@stage
def correct(p: PassState, residuals: Words3, y: Int, x: Int, guess: Guess) -> None:
    """Correct the blend by its mean error in two contexts: the pattern of the neighbours, and the residuals around.

    After X. Wu and N. Memon, "Context-based, adaptive, lossless image coding", IEEE Trans. Communications 45(4), 1997.
    """
    st, g, ga = p.state, p.geometry, p.state.gathered
    n, s, mid = st.relative.shape[0], g.step, st.said[BLEND]
    pattern: Int = 0
    for i in range(6):
        pattern = pattern << 1 | int(np.float64(ga[i]) > mid)
    own, eighths = residuals[g.plane], F32(8) * guess.unit
    west, north = class_of(error_at(own, y, x, 0, -s, g), eighths), class_of(error_at(own, y, x, -s, 0, g), eighths)
    first, second = 4, 4
    groups = p.taps.start.shape[0] - 1
    if groups > 1:
        first = class_of(np.int64(residuals[p.taps.plane[p.taps.start[1]], y, x]), eighths)
    if groups > 2:
        second = class_of(np.int64(residuals[p.taps.plane[p.taps.start[2]], y, x]), eighths)
    if groups == 1:
        first = class_of(error_at(own, y, x, -s, s, g), eighths)
        second = class_of(error_at(own, y, x, -s, -s, g), eighths)
    st.bias_at[0] = pattern * 12 + min(guess.level >> 1, 11)
    st.bias_at[1] = (first * 9 + (second if groups > 2 else west)) * 9 + north
    for k in range(BIASES):
        bias = st.biases[k, st.bias_at[k]]
        st.said[BLEND + 1 + k] = within(mid + np.float64(bias * guess.unit), g.largest)
    ga[n + 10] = west
    ga[n + 11] = north
    ga[n + 12] = first
    ga[n + 13] = second
    ga[n + 14] = pattern


@stage
def predict(p: PassState, residuals: Words3, row: Int, place: tuple[Int, Int, Int]) -> Guess:
    """Predict the value at a place: fills in `relative` and `said`. Without predictors, these stay 0, and the local error is 1.

    residuals: (planes, height, width); row: of the pass; place: (y, x, column), column: number of the place in its row.
    """
    st, g, ga = p.state, p.geometry, p.state.gathered
    y, x, column = place
    base, unit, level = F32(0), F32(1), 0
    activity = int(min(log2(1.0 + abs(ga[0] - ga[2]) + abs(ga[1] - ga[2]) + abs(ga[1] - ga[3])), 15.0))
    if p.switches.predictors > 0:
        base = relate(st, p.taps)
        unit = local_error(residuals[g.plane], y, x, g)
        level = min(int(2.0 * (log2(np.float64(unit)) + 2.0)), ACTIVITIES - 1)
        ls = p.predictors
        m = ls.x.shape[0]
        pick(st.relative, ls.taps, ls.x, m)
        for k in range(PREDICTORS):
            if k < p.switches.predictors:
                st.said[k] = within(np.float64(base + dot16(ls.w, k * m, ls.x, m)), g.largest)
            else:
                st.said[k] = st.said[k % p.switches.predictors]
    guess = Guess(base, unit, level, activity)
    if p.switches.plain:
        if p.switches.predictors > 1:
            blend(p, row, column)
        else:
            st.said[BLEND] = st.said[0]
        st.said[BLEND + 1] = st.said[BLEND]
    elif p.switches.predictors > 0:
        blend(p, row, column)
        correct(p, residuals, y, x, guess)
    return guess


@stage
def see(p: PassState, residuals: Words3, y: Int, x: Int, unit: np.float32) -> None:
    """Fill in the context network's inputs but those that are always 0. SPEC.md, "The context network", has the list.

    residuals: (planes, height, width); unit: the local error.
    """
    st, g, f = p.state, p.geometry, p.net.x
    relative, own, sines = st.relative, residuals[g.plane], st.sines
    mid, ga = st.said[BLEND], st.gathered
    inverse = F32(1) / unit
    n = p.taps.plane.shape[0]
    soften(relative, inverse, f, relative.shape[0])
    f[n] = soft(F32(mid - 0.5 * (ga[0] + ga[1])) * inverse)
    for k in range(PREDICTORS):
        f[n + 1 + k] = soft(F32(st.said[k] - mid) * inverse)
    for k in range(BIASES):
        f[n + 5 + k] = soft(F32(st.said[BLEND + 1 + k] - mid) * inverse)
    for k in range(PREDICTORS):
        f[n + 7 + k] = soft(F32(log2(np.float64(st.recent[k] * inverse))))
    f[n + 11] = F32(min(log2(np.float64(unit)), 8.0) * 0.25)
    f[n + 12] = soft(F32(log2((abs(ga[0] - mid) + 0.25) * np.float64(inverse))))
    w, nn, nw, ne = relative[0], relative[1], relative[2], relative[3]
    act = F32(0.25) * (abs(w - nw) + abs(nn - nw) + abs(nn - ne) + abs(w - relative[4]))
    f[n + 13] = soft(F32(log2(np.float64((act + F32(0.25)) * inverse))))
    s, eighth = g.step, F32(0.125) * inverse
    f[n + 14] = soft(F32(error_at(own, y, x, 0, -s, g)) * eighth)
    f[n + 15] = soft(F32(error_at(own, y, x, -s, 0, g)) * eighth)
    f[n + 16] = soft(F32(error_at(own, y, x, -s, -s, g)) * eighth)
    f[n + 17] = soft(F32(error_at(own, y, x, -s, s, g)) * eighth)
    start = p.taps.start
    for k in range(2):
        if k + 1 < start.shape[0] - 1:
            there = residuals[p.taps.plane[start[k + 1]]]
            f[n + 18 + 4 * k] = soft(F32(there[y, x]) * eighth)
            f[n + 19 + 4 * k] = soft(F32(there[y, min(x + s, g.width - 1)]) * eighth)
            f[n + 20 + 4 * k] = soft(F32(there[min(y + s, g.height - 1), x]) * eighth)
            f[n + 21 + 4 * k] = soft(F32(there[y, max(x - s, g.left)]) * eighth)
    f[n + 26] = F32(2.0 * mid / g.largest - 1.0)
    f[n + 27] = F32(2.0 * (mid - math.floor(mid)) - 1.0)
    py, px = (y + g.origin_y) & 7, (x + g.origin_x) & 7
    f[n + 28] = sines[py * 8192]
    f[n + 29] = sines[(py * 8192 + 16384) & 65535]
    f[n + 30] = sines[px * 8192]
    f[n + 31] = sines[(px * 8192 + 16384) & 65535]
    if p.switches.coordinates:
        see_place(f, n + EXTRAS, OCTAVES, (y * 65536) // (2 * g.height), sines)
        see_place(f, n + EXTRAS + 2 * OCTAVES, OCTAVES, (x * 65536) // (2 * g.width), sines)


@shared
def see_place(f: Singles1, first: Int, octaves: Int, turn: Int, sines: Singles1) -> None:
    """Fill in f[first] … with sine and cosine of some octaves of a coordinate. turn: the coordinate in units of 2^-16 turns.

    f: (inputs + 1,); sines: (2^16,).
    """
    for k in range(octaves):
        f[first + 2 * k] = sines[(turn << k) & 65535]
        f[first + 2 * k + 1] = sines[((turn << k) + 16384) & 65535]


@stage
def derive(p: PassState, level: Int, mid: float, origin: Int) -> None:
    """Fill in the last DERIVED of `gathered`, of which `correct` fills in some. mid: see `middle`; origin: mid, rounded."""
    st, start, ga = p.state, p.taps.start, p.state.gathered
    n, groups = st.relative.shape[0], p.taps.start.shape[0] - 1
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
    ga[n + 9] = int(mid * 2.0)
    ga[n + 15] = origin
    ga[n + 16] = ga[0] - origin
    ga[n + 17] = ga[1] - origin
    ga[n + 18] = ga[n + 4] - origin
    ga[n + 19] = ga[n + 5] - origin
    ga[n + 20] = int((mid - math.floor(mid)) * 4.0)
    ga[n + 21] = level >> 1


@shared
def middle(p: PassState) -> float:
    """The prediction that the tree is around: the mean of the network's mixture, or without a network the blend."""
    if p.switches.units > 0:
        return within(p.state.said[BLEND] + np.float64(cn.mixture_mean(p.net)), p.geometry.largest)
    return p.state.said[BLEND + 1]


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
            h = mix_hash(h, np.int64(ga[t]))
        hashes[c] = h


# --- code a value -------------------------------------------------------------------------------------------------


class Node(NamedTuple):
    """A decision that is to be coded: whether the value is `edge` or above."""

    kind: Int  # 0 … KINDS − 1: bit by bit, the index of the bit; around the prediction: 0 the side, 1 … 7 how far, 8 … 15 halving
    number: Int  # of the node in the tree
    line: Int  # number of the part of the tree that has a line in each context's table
    within: Int  # number of the node in this part, 1 … 15
    edge: Int
    width: Int  # of the span that is halved


class Answer(NamedTuple):
    """Whether the experts are so sure of a bit that it need not be mixed."""

    sure: bool  # whether the network is
    agreed: bool  # whether all predictors are
    first: np.float32  # stretched probability of the first expert


@stage
def set_up(p: PassState, guess: Guess, origin: Int) -> None:
    """Set up the experts' logistics, with means relative to `origin`."""
    st = p.state
    logistics = st.logistics
    begin_asking(st.masses)
    if p.switches.units > 0:
        cn.tell_shifted(p.net, F32(st.said[BLEND] - np.float64(origin)), logistics)
    if p.switches.predictors > 0:
        for k in range(SAYINGS):
            logistics[0, FIRST_LANE + k] = F32(st.said[k] - np.float64(origin))
            logistics[1, FIRST_LANE + k] = F32(1.0 / (SPREAD_SHARE * st.spread[k, guess.level] + LEAST_SPREAD))


@stage
def ask(p: PassState, edge: Int, origin: Int) -> Answer:
    """Ask the experts about a decision: fills in their mixer inputs and masses."""
    st, inputs = p.state, p.mixer.inputs
    ask_all(F32(edge - origin) - F32(0.5), st.logistics, st.masses, inputs)
    inputs[0] = F32(0.3)
    if p.switches.units > 0:
        t = inputs[NETWORK_LANE]
        return Answer(abs(t) > F32(SURE_LIMIT), False, t)
    agreed: Any = p.switches.predictors > 0
    for k in range(SAYINGS):
        agreed = agreed and abs(inputs[FIRST_LANE + k]) > F32(AGREED_LIMIT)
    return Answer(False, agreed, inputs[FIRST_LANE])


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
def select(p: PassState, node: Node, guess: Guess, confident: Int, first: np.float32, y: Int, x: Int) -> None:
    """Select the mixer's sets of weights for a bit. confident: how many contexts have learnt at least 3 bits here."""
    g, selected, b = p.geometry, p.mixer.selected, node.kind
    contexts = p.contexts.hashes.shape[0]
    selected[0] = b * 32 + 2 * int(min(abs(first) * F32(2), F32(15))) + int(first > F32(0))
    selected[1] = b * 16 + guess.activity
    if contexts > 0 or p.switches.around:
        selected[2] = node.number if node.number < 512 else 512 + b * 16
    else:
        selected[2] = ((y + g.origin_y) & 7) * 8 + ((x + g.origin_x) & 7) + 64 * min(b, 15)
    selected[3] = b * 40 + (confident if contexts > 8 else guess.level)


@stage
def code_mixed(
    coder: BitCoder, p: PassState, node: Node, guess: Guess, first: np.float32, place: tuple[Int, Int], bit: Int
) -> tuple[Int, Int]:
    """Code a bit by experts and contexts through mixer and final maps, and learn it. `find_lines` must have been called.

    first: stretched probability of the first expert. Returns the bit and the probability that was coded, 1 … 65535.
    """
    st, m, b = p.state, p.mixer, node.kind
    contexts = p.contexts.hashes.shape[0]
    confident: Int = 0
    if contexts > 0:
        confident = mx.look_up(p.contexts, m.inputs, FEW_LANE if contexts <= FEW else MANY_LANE, int(contexts > FEW), node.within)
    select(p, node, guess, confident, first, place[0], place[1])
    total = mx.mix(m)
    row = m.selected[2] if contexts > 0 else b * 64 + guess.level
    second: Int = m.selected[2]
    if p.switches.around:
        second = b * 64 + guess.level
    elif contexts > 0:
        second = mix_hash(p.contexts.hashes[0], node.number) >> 16 & (m.maps.shape[1] - 1)
    pi = as_probability(mx.refine(m.maps, total, row, second))
    found = code_bit(coder, pi, bit)
    st.counters[0] += 1
    mx.adjust(m, found, total, mx.rate_of(LEAST_RATE, st.counters[0]))
    mx.calibrate(m.maps, found, total, row, second)
    if contexts > 0:
        mx.remember(p.contexts, found)
    return found, pi


@stage
def code_plain(coder: BitCoder, st: State, node: Node, guess: Guess, part: Int, bit: Int) -> tuple[Int, Int]:
    """Code a bit by the mean of two adaptive probabilities, and learn it. part: quarter of the unit in which the prediction lies.

    Returns the bit and the probability that was coded, 1 … 65535.
    """
    number = node.number if node.number < NUMBERS else NUMBERS - KINDS + node.kind
    i, j = number * TABLE + guess.level, number * TABLE + guess.activity * 4 + part
    a, b = st.tables[0, i], st.tables[1, j]
    pi = min(max(((a >> 8) + (b >> 8)) >> 7, 1), 65535)
    found = code_bit(coder, pi, bit)
    target = np.int64(found) * ((1 << 22) - 1)
    n, m = a & 255, b & 255
    st.tables[0, i] = ((a >> 8) + (((target - (a >> 8)) * RATE[n]) >> 16)) << 8 | min(n + 1, PLAIN_AGE)
    st.tables[1, j] = ((b >> 8) + (((target - (b >> 8)) * RATE[m]) >> 16)) << 8 | min(m + 1, PLAIN_AGE)
    return found, pi


class Walk(NamedTuple):
    """Where a walk down the tree of a value's decisions is."""

    low: Int  # the value is one of low … top − 1 by the decisions before
    top: Int
    phase: Int  # 0: bit by bit, or halving; 1: the side; 2: how far
    side: Int  # 1: at or above the origin, 0: below
    steps: Int  # how far, in doublings; then halvings
    number: Int  # of the node, see `Node`
    line: Int


@shared
def next_node(walk: Walk, around: Int, origin: Int, reach: Int) -> Node:
    """The next decision of a walk. reach: log2 of the first distance from the origin."""
    if walk.phase == 1:
        return Node(0, 1, 1, 1, origin, 0)
    if walk.phase == 2:
        far = np.int64(1) << (reach + walk.steps)
        u = min(walk.steps, 6)
        number = 2 + 7 * walk.side + u
        return Node(1 + u, number, 1, number, origin + far if walk.side else origin - far, 0)
    width = walk.top - walk.low
    first = np.int64(1) << (walk.steps & 3)
    kind = walk.steps
    if around:
        kind, w = HALVINGS, width
        while w > 2 and kind < HALVINGS + 7:
            w >>= 1
            kind += 1
    return Node(kind, walk.number, walk.line, first | (walk.number & (first - 1)), walk.low + (width >> 1), width)


@shared
def descend(walk: Walk, node: Node, bit: Int, reach: Int, origin: Int) -> Walk:
    """A walk after a decision."""
    if walk.phase == 1:
        return Walk(walk.low, walk.top, 2, bit, 0, 0, 0)
    if walk.phase == 2:
        if bit == walk.side:  # farther
            return Walk(walk.low, walk.top, 2, walk.side, walk.steps + 1, 0, 0)
        near: Int = np.int64(0)
        if walk.steps > 0:
            near = np.int64(1) << (reach + walk.steps - 1)
        far = np.int64(1) << (reach + walk.steps)
        number: Int = np.int64(16) + walk.side * 8 + min(walk.steps, 7)
        if walk.side:
            return Walk(origin + near, origin + far, 0, 1, 0, number, number)
        return Walk(origin - far, origin - near, 0, 0, 0, number, number)
    number = walk.number << 1 | bit
    line = number if (walk.steps + 1) & 3 == 0 else walk.line
    half = node.edge
    return Walk(half if bit else walk.low, walk.top if bit else half, 0, walk.side, walk.steps + 1, number, line)


@stage
def code_value(coder: BitCoder, p: PassState, guess: Guess, row: Int, place: tuple[Int, Int], origin: Int, value: Int) -> Int:
    """Code the decisions of a value. Returns the value.

    row: of the pass; place: (y, x) in the tile; origin: the value that the tree is around; value: to encode.
    """
    st, g, around = p.state, p.geometry, p.switches.around
    part: Int = 0
    if p.switches.plain:
        part = int((st.said[BLEND] - math.floor(st.said[BLEND])) * 4.0)
    else:
        set_up(p, guess, origin)
    reach: Int = np.int64(0)
    if around:
        reach = np.int64(max(log2(st.spread[BLEND, guess.level] + 0.5), 0.0))
        walk = Walk(np.int64(0), np.int64(0), np.int64(1), np.int64(0), np.int64(0), np.int64(0), np.int64(0))
    else:
        walk = Walk(np.int64(0), np.int64(1) << g.bits, np.int64(0), np.int64(0), np.int64(0), np.int64(1), np.int64(1))
    line: Int = -1
    pi: Int = 0
    while walk.phase > 0 or walk.top - walk.low > 1:
        node = next_node(walk, around, origin, reach)
        bit: Int = np.int64(value >= node.edge)
        if node.edge <= 0:
            bit = np.int64(1)
        elif node.edge > g.largest:
            bit = np.int64(0)
        elif p.switches.plain:
            bit, pi = code_plain(coder, st, node, guess, part, bit)
            st.tally[node.kind, 0] += cost(pi, bit)
            st.tally[node.kind, 1] += 1
        else:
            answer = ask(p, node.edge, origin)
            # the lowest bits of deep samples are almost noise: every eighth row measures what mixing saves, other rows mix only if it pays
            noisy = (
                g.bits > 8 and walk.phase == 0 and p.switches.predictors > 0 and F32(node.width) * st.logistics[1, FIRST_LANE] < F32(NOISE)
            )
            plain: Int = 0
            if noisy:
                plain = min(max(int(sigmoid(np.float64(answer.first)) * 65536.0), 1), 65535)
            if noisy and row & 7 and st.worth[node.kind] < WORTH:
                pi = plain
                bit = code_bit(coder, pi, bit)
            elif (not around) and (answer.sure or answer.agreed):
                bit, pi = code_sure(coder, st, np.float64(answer.first), bit)
            else:
                if p.contexts.hashes.shape[0] > 0 and line != node.line:
                    line = node.line
                    mx.find_lines(p.contexts, line)
                bit, pi = code_mixed(coder, p, node, guess, answer.first, place, bit)
                if noisy:
                    saved = np.float64(cost(plain, bit) - cost(pi, bit))
                    st.worth[node.kind] += (saved - st.worth[node.kind]) * 0.001
            st.tally[node.kind, 0] += cost(pi, bit)
            st.tally[node.kind, 1] += 1
            copy16(st.masses, LANES, st.masses, 0 if bit else 2 * LANES)
        walk = descend(walk, node, bit, reach, origin)
    return walk.low


# --- learn --------------------------------------------------------------------------------------------------------


@stage
def learn_predictors(p: PassState, own: Words2, guess: Guess, row: Int, place: tuple[Int, Int, Int], value: Int) -> None:
    """Learn a value: its residual, the sums of the predictors, and the mean errors.

    own: (height, width) residuals, written at the place; row, place: see `predict`.
    """
    st, (y, x, column) = p.state, place
    own[y, x] = np.int32(math.floor((value - st.said[BLEND]) * 8.0 + 0.5))
    t = F32(1) / (F32(0.5) + guess.unit + F32(0.1) * F32(abs(value - st.said[BLEND])))
    errors = st.errors[row & 1, column + 1]
    pr.local_learn(p.predictors, F32(value) - guess.base, t * t)
    for k in range(p.switches.predictors):
        errors[k] = F32(abs(value - st.said[k]))
    for k in range(SAYINGS):
        st.spread[k, guess.level] += (abs(value - st.said[k]) - st.spread[k, guess.level]) * 0.01
    miss = F32(value - st.said[BLEND]) / guess.unit
    miss = min(max(miss, F32(-8)), F32(8))
    for k in range(BIASES):
        i = st.bias_at[k]
        st.biases[k, i] += (miss - st.biases[k, i]) * F32(0.02)


@shared
def learn_flat(st: State, own: Words2, row: Int, place: tuple[Int, Int, Int]) -> None:
    """Learn that a flat place has the value of its neighbours: no error. Arguments as for `learn_predictors`."""
    y, x, column = place
    own[y, x] = 0
    for k in range(PREDICTORS):
        st.errors[row & 1, column + 1, k] = F32(0)


# --- the pass -----------------------------------------------------------------------------------------------------


@stage
def begin(p: PassState, column: Int) -> None:
    """Before a value: at the first column of a block, the predictors are solved for."""
    if p.switches.predictors > 0 and pr.begins_block(column):
        pr.local_block(p.predictors, column // pr.BLOCK)


@kernel
def code_rows(coder: BitCoder, first: Int, last: Int, planes: Words3, residuals: Words3, p: PassState) -> None:
    """Code rows first … last − 1 of a pass, as the pass counts them, in either direction.

    planes: (planes, height, width), the values; decoding fills in those of the pass. residuals: (planes, height, width), of the
    blend, in eighths; those of the pass are written.
    """
    g, st = p.geometry, p.state
    own = residuals[g.plane]
    noting = st.read.shape[0] > 0
    for row in range(first, last):
        y = g.top + row * g.step
        for column in range((g.width - g.left + g.step - 1) // g.step):
            x = g.left + column * g.step
            if noting:
                note_bits(coder.state, st.read[row], column)
            gather(planes, g, p.taps, y, x, st.gathered)
            value: Int = np.int64(planes[g.plane, y, x]) if coder.encoding else np.int64(0)
            begin(p, column)
            if is_flat(st.gathered, p.taps.start) and code_flag(coder, st, int(value == st.gathered[0])):
                if not coder.encoding:
                    planes[g.plane, y, x] = np.int32(st.gathered[0])
                learn_flat(st, own, row, (y, x, column))
                continue
            guess = predict(p, residuals, row, (y, x, column))
            if p.switches.units > 0:
                see(p, residuals, y, x, guess.unit)
                cn.forward(p.net, F32(0), guess.unit)
            mid = middle(p)
            origin: Int = np.int64(mid + 0.5)
            if p.contexts.hashes.shape[0] > 0:
                derive(p, guess.level, mid, origin)
                hash_contexts(p)
            value = code_value(coder, p, guess, row, (y, x), origin, value)
            if not coder.encoding:
                planes[g.plane, y, x] = np.int32(value)
            if p.switches.predictors > 0:
                learn_predictors(p, own, guess, row, (y, x, column), value)
                if p.switches.units > 0 and p.switches.learning > 0.0:
                    cn.learn(p.net, F32(value - origin), F32(0.5), value == 0, value == g.largest, guess.unit, p.switches.learning)


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
                learn_flat(st, own, row, (y, x, column))
                continue
            guess = predict(p, residuals, row, (y, x, column))
            see(p, residuals, y, x, guess.unit)
            for i in range(inputs):
                out[n, i] = p.net.x[i]
            out[n, inputs] = F32(st.said[BLEND])
            out[n, inputs + 1] = guess.unit
            out[n, inputs + 2] = F32(value)
            n += 1
            learn_predictors(p, own, guess, row, (y, x, column), value)
    return n
