"""A brick of an array: slices, one after the other, each row by row. SPEC.md 21 defines it.

For each value, in this order: code whether it is special; if its neighbours are all alike, code one decision, the flag; predict it; code
its decisions in a tree around the prediction; learn. A value is predicted from its slice so far, and from whole slices before. What was
learnt goes on from slice to slice. Predictions are real numbers: a float is predicted in its own scale, while the tree is over the
integers that stand for floats. The functions below stand in this order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from . import contextnet as cn
from . import mixer as mx
from .arrays import Bytes1, Floats1, Floats2, Floats3, Int, Ints1, Ints2, Singles1, Singles2
from .coder import BitCoder, as_probability, code_bit, code_uniform
from .compiling import kernel, part, shared, stage
from .contextnet import ContextNet
from .functions import bits_of, cost, log2, soft
from .lanes import LANES, ask_all, begin_asking, copy16, dot8, eliminate, square_batch, substitute, weigh_batch
from .mixer import Contexts, Mixer, mix_hash
from .noting import note_bits
from .picture import KINDS, Node, Walk, descend, next_node, see_place

F32 = np.float32
BLOCK = 8  # columns, and rows, of a block of sums
# predictors: by sums that fade fast, all regressors or few; that fade slowly, likewise; of slices before; the reference, shifted
FAST, SLOW, PAST, STEADY, PREDICTORS = 0, 2, 4, 5, 6
BLEND = PREDICTORS  # number of the blend among the predictions
BIASES = 2  # corrections of the blend by the mean error in a context
SAYINGS = PREDICTORS + 1 + BIASES
# lanes of the mixer's inputs: the context network, the first prediction, the first of two for each context
NETWORK_LANE, FIRST_LANE, CONTEXT_LANE = 3, 4, LANES
EXTRAS = 44  # inputs of the context network beside the regressors
OCTAVES = 4  # of the coordinates
LEVELS = 128  # classes of the local error
HIGHEST = 59  # class of level and of place that selects weights, at most
RIDGE = 0.3  # added to the diagonal
LARGEST_WEIGHT = 4096.0  # of a regressor
SPREAD_SHARE, LEAST_SPREAD = 0.6, 0.03  # the scale of a predictor's logistic is SPREAD_SHARE times its mean error, plus LEAST_SPREAD
LEAST_RATE = 0.002  # of the mixer's learning, see `mixer.rate_of`
PATTERNS, TRIPLES = 256 * 12, 9 * 9 * 9  # contexts of the two corrections
FLAGS = 1 << 10  # contexts of the flag
MARKS, WHICH = 1 << 10, 1 << 9  # contexts of special values; the first of those of which one it is
QUIET = 0.25  # a span below this share of the mean error is halved by bits without a model
FAR = 2.0**100  # real numbers are limited to this many grains
DERIVED = 26  # numbers that contexts are made of


class Scale(NamedTuple):
    """Which real number an integer stands for, in grains. A table says it, or a kind of floats, or the integer itself."""

    table: Floats1  # (integers,) ascending; of length 0: there is none
    stored: Int  # bits that are stored of a float's mantissa; 0: no floats
    least: Int  # exponent of the unit of the smallest floats
    offset: Int  # which float 0 stands for, in the order of the floats; −1 is −0, and 0 is 0
    step: Int  # floats from one integer to the next
    grain: Int  # exponent of a grain
    largest: Int  # integer
    low: float  # real numbers of 0 and of `largest`
    high: float


class Geometry(NamedTuple):
    """A slice in memory, with padding around it."""

    height: Int
    width: Int
    rows: Int  # of padding, above and below
    columns: Int  # of padding, on both sides
    stride: Int  # places of a row
    slice: Int  # places of a slice
    channels: Int  # slices that are coded by turns, each kind with a state of its own


class Taps(NamedTuple):
    """The regressors, by groups: of the own slice, and of each reference, a slice before. A group begins with W and N.

    The third one in a reference is the place itself.
    """

    group: Ints1  # (taps,) number of the group; 0: the own slice
    dy: Ints1  # (taps,) rows down
    dx: Ints1  # (taps,) columns to the right
    start: Ints1  # (groups,) number of a group's first tap
    lags: Ints1  # (groups,) slices back; 0 for the own one
    at: Ints1  # (groups,) where a reference lies in memory, from the current place; written
    where: Ints1  # (taps,) where a tap lies in memory, from the current place; written


class Sums(NamedTuple):
    """The least squares predictors. A row of sums is a matrix, (m, m), of which the upper triangle counts, then a right-hand side, (m,).

    The sums of a block of columns fade from row to row, at two rates. Those of a block of rows and columns fade from slice to slice. The
    weights at a place are solved for from the sums of its block and of the blocks beside it. n regressors are padded to m, a multiple
    of 8.
    """

    few: Int  # regressors of the predictors by few of them
    taken: Int  # n
    decay: Floats1  # (3,) of fast and of slow sums from row to row, and of past sums from slice to slice
    x: Floats2  # (BLOCK, m) regressors of the places of the current block
    f: Floats1  # (BLOCK,) how much these places count
    y: Floats1  # (BLOCK,) their values, relative to the mean of the own group
    fast: Floats2  # (blocks + 2, m·m + m) sums by block of columns; the first and the last block are 0
    slow: Floats2  # the same
    now: Floats2  # (blocks, m·m + m) sums over the current block of rows
    past: Floats3  # (blocks of rows + 2, blocks + 2, m·m + m) sums of slices before
    sum: Floats1  # (m·m + m,) scratch
    w: Floats2  # (PREDICTORS, m) the weights
    old: Floats2  # (blocks, m) the weights of predictor PAST
    weighted: Floats1  # (BLOCK·m,) scratch, as all that follows
    d: Floats2  # (m, m)
    u: Floats2  # (m, m)
    z: Floats1  # (m,)
    inverse: Floats1  # (m,)
    solved: Floats1  # (m,)


class State(NamedTuple):
    """What is adapted beside predictors, network, contexts and mixer; and scratch for the current value."""

    said: Floats1  # (SAYINGS,) predictions
    means: Floats1  # (groups,) means of the groups
    spread: Floats2  # (SAYINGS, LEVELS) mean errors of the predictions, by level of the local error
    errors: Floats3  # (2, columns + 2, PREDICTORS) errors at each column of this row of the channel and the one before, by turns
    biases: Floats2  # (BIASES, contexts) mean errors of the blend, in units of the local error
    bias_at: Ints1  # (BIASES,) the contexts of the current value
    numbers: Ints1  # (DERIVED,) what contexts are made of
    items: Ints2  # (contexts, longest) for each context, indices into `numbers`, then −1
    logistics: Singles2  # (4, LANES) see `lanes.ask_all`
    masses: Singles2  # (3, LANES) see `lanes.ask_all`
    flags: Singles1  # (FLAGS,) probability of flag 1, by context
    marks: Singles1  # (MARKS,) probabilities of special values, by context
    counters: Ints1  # (3,) decisions mixed, the last four flags, rows
    tally: Floats2  # (KINDS + 1, 2) bits spent and decisions coded by kind, then bits without a model; only reported
    sines: Singles1  # (2^16,) sine by the fraction of a turn


class Model(NamedTuple):
    """All that one channel of a brick needs and adapts."""

    geometry: Geometry
    scale: Scale
    specials: Ints1  # (specials,) integers that are coded apart
    taps: Taps
    sums: Sums
    net: ContextNet
    units: Int  # of each hidden layer of the network; 0: there is none
    learning: float  # Adam's rate
    contexts: Contexts
    mixer: Mixer
    state: State


class Memory(NamedTuple):
    """The values of a brick, in flat order, after a blank slice. Padding is filled in as rows and slices are coded."""

    integers: Ints1
    reals: Floats1  # in grains; of special values, the mean of W and N
    rests: Floats1  # residuals of the blend
    marks: Bytes1  # 0, or 1 + number of the special value
    read: Floats1  # bits that had been read before each value; of length 0: not wanted


class Place(NamedTuple):
    """Where a value lies."""

    row: Int
    column: Int
    at: Int  # index in memory
    k: Int  # number in its block
    turn: Int  # which of both rows of errors is this row's


class Guess(NamedTuple):
    """What is known of a value before its decisions are coded."""

    unit: float  # local error: mean size of the residuals around
    level: Int  # its class, 0 … LEVELS − 1
    middle: float  # the prediction that the tree is around
    origin: Int  # its integer
    here: float  # the real number of that


# --- real numbers -------------------------------------------------------------------------------------------------


@intrinsic
def from_bits(context: Any, n: Any) -> Any:
    """The float64 with these 64 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@shared
def power(e: Int) -> float:
    """2^e; e is limited to ±1000."""
    found: float = from_bits((min(max(e, -1000), 1000) + 1023) << 52)  # type: ignore[call-arg]
    return found


@shared
def within(x: float, low: float, high: float) -> float:
    """x clipped to low … high; low if x is NaN."""
    if not x >= low:
        return low
    return min(x, high)


@shared
def real_of(n: Int, sc: Scale) -> float:
    """The real number of an integer."""
    if sc.table.shape[0] > 0:
        return sc.table[min(max(n, 0), sc.table.shape[0] - 1)]
    if sc.stored == 0:
        return np.float64(n)
    m = n * sc.step + sc.offset
    k = -1 - m if m < 0 else m
    field = k >> sc.stored
    mantissa = k & ((np.int64(1) << sc.stored) - 1)
    if field > 0:
        mantissa += np.int64(1) << sc.stored
        field -= 1
    x = min(np.float64(mantissa) * power(sc.least + field - sc.grain), FAR)
    return -x if m < 0 else x


@shared
def integer_of(x: float, sc: Scale) -> Int:
    """The integer that stands for the number nearest to x, which is within those of 0 and `largest`, or next to it."""
    count = sc.table.shape[0]
    if count > 0:
        low: Int = np.int64(0)
        high: Int = np.int64(count) - 1
        while low < high:
            half = (low + high) >> 1
            if x > 0.5 * (sc.table[half] + sc.table[half + 1]):
                low = half + 1
            else:
                high = half
        return low
    if sc.stored == 0:
        return np.int64(within(x, 0.0, np.float64(sc.largest)) + 0.5)
    size = min(abs(x), FAR)
    e = max((bits_of(size) >> 52) - 1023 + sc.grain, sc.least + sc.stored)  # type: ignore[call-arg]
    q = e - sc.stored
    k = ((q - sc.least) << sc.stored) + np.int64(size * power(sc.grain - q) + 0.5)
    full = -1 - k if x < 0 else k
    if full <= sc.offset:
        return np.int64(0)
    found = np.int64(np.uint64(full - sc.offset) // np.uint64(sc.step))
    return min(found, sc.largest)


# --- sums ---------------------------------------------------------------------------------------------------------


@part
def settle(s: Sums, block: Int, count: Int) -> None:
    """After a block's last place: add what its places are to all sums. count: places of the block."""
    m, sum_ = s.x.shape[1], s.sum
    for k in range(count, BLOCK):
        s.f[k] = 0.0
    weigh_batch(s.x, s.f, s.y, m, m, s.weighted, s.z)
    square_batch(s.d, s.x, s.weighted, m, m, m)
    for i in range(m):
        for j in range(m):
            sum_[i * m + j] = s.d[i, j]
        sum_[m * m + i] = s.z[i]
    fast, slow, now = s.fast[block + 1], s.slow[block + 1], s.now[block]
    a, b = s.decay[0], s.decay[1]
    for i in range(sum_.shape[0]):
        fast[i] = fast[i] * a + sum_[i]
        slow[i] = slow[i] * b + sum_[i]
        now[i] += sum_[i]


@part
def reduced(s: Sums) -> Int:
    """Eliminate in the system of `sum`. Returns how many of its first regressors can be solved for."""
    m = s.x.shape[1]
    for i in range(m):
        for j in range(m):
            s.u[i, j] = s.sum[i * m + j]
        s.u[i, i] += RIDGE
        s.z[i] = s.sum[m * m + i]
    return eliminate(s.u, s.z, s.inverse, m, m, m)


@part
def solve(s: Sums, which: Int, n: Int, done: Int) -> None:
    """The weights of a predictor by the first n regressors, after `reduced`, which returned `done`. They stay if it is less than n."""
    if done >= n:
        substitute(s.u, s.z, s.inverse, s.solved, n, s.x.shape[1])
        for j in range(n):
            s.w[which, j] = within(s.solved[j], -LARGEST_WEIGHT, LARGEST_WEIGHT)


@part
def begin_rows(s: Sums, row: Int) -> None:
    """Before the first row of a block of rows: the weights of PAST. row: number of the block."""
    for b in range(s.now.shape[0]):
        for i in range(s.sum.shape[0]):
            s.sum[i] = 0.0
        for r in range(3):
            for c in range(3):
                past = s.past[row + r, b + c]
                for i in range(s.sum.shape[0]):
                    s.sum[i] += past[i]
        solve(s, PAST, s.taken, reduced(s))
        for j in range(s.x.shape[1]):
            s.old[b, j] = s.w[PAST, j]


@part
def end_rows(s: Sums, row: Int) -> None:
    """After the last row of a block of rows: its sums go to those of slices before. row: number of the block."""
    for b in range(s.now.shape[0]):
        past, now = s.past[row + 1, b + 1], s.now[b]
        for i in range(s.sum.shape[0]):
            past[i] = past[i] * s.decay[2] + now[i]
            now[i] = 0.0


@part
def gather_sums(sums: Floats2, block: Int, out: Floats1) -> None:
    """The sum of the sums of a block and of the two beside it."""
    a, b, c = sums[block], sums[block + 1], sums[block + 2]
    for i in range(out.shape[0]):
        out[i] = a[i] + b[i] + c[i]


@part
def begin_block(s: Sums, block: Int) -> None:
    """Before the first place of a block: solve for the weights."""
    gather_sums(s.fast, block, s.sum)
    done = reduced(s)
    solve(s, FAST, s.taken, done)
    solve(s, FAST + 1, s.few, done)
    if block & 3 == 0:
        gather_sums(s.slow, block, s.sum)
        done = reduced(s)
        solve(s, SLOW, s.taken, done)
        solve(s, SLOW + 1, s.few, done)
    for j in range(s.x.shape[1]):
        s.w[PAST, j] = s.old[block, j]


# --- predict ------------------------------------------------------------------------------------------------------


@stage
def gather(p: Model, mem: Memory, place: Place) -> None:
    """Fill in the regressors of a place: values relative to the means of their groups."""
    t, means, reals, at, x = p.taps, p.state.means, mem.reals, place.at, p.sums.x
    for g in range(t.start.shape[0]):
        b = t.start[g]
        means[g] = (reals[at + t.where[b]] + reals[at + t.where[b + 1]]) * 0.5
    for i in range(t.where.shape[0]):
        x[place.k, i] = reals[at + t.where[i]] - means[t.group[i]]


@stage
def local_error(p: Model, mem: Memory, at: Int) -> float:
    """The local error: 1/4 plus the mean size of the residuals around."""
    r, s, t = mem.rests, p.geometry.stride, p.taps
    near = abs(r[at - 1]) + abs(r[at - s])
    far = abs(r[at - s - 1]) + abs(r[at - s + 1]) + abs(r[at - 2]) + abs(r[at - 2 * s])
    if t.at.shape[0] > 1:
        b = at + t.at[1]
        there = 2.0 * abs(r[b]) + abs(r[b - 1]) + abs(r[b + 1]) + abs(r[b + s]) + abs(r[b - s])
        return 0.25 + (2.0 * near + far + there) * (1.0 / 14.0)
    return 0.25 + (2.0 * near + far) * 0.125


@shared
def class_of(rest: float, unit: float) -> Int:
    """The class, 0 … 8, of a residual. unit: the local error."""
    t = abs(rest) / unit
    size = int(t > 0.25) + int(t > 0.75) + int(t > 1.5) + int(t > 3.0)
    return 4 + size if rest > 0 else 4 - size


@stage
def blend(p: Model, place: Place) -> None:
    """Fill in the blend of the predictions: each weighs by the inverse fourth power of its errors around."""
    st, column = p.state, place.column
    here, before = st.errors[place.turn], st.errors[1 - place.turn]
    total, sum_ = 0.0, 0.0
    for k in range(PREDICTORS):
        e = 0.125 * (2.0 * (here[column, k] + before[column + 1, k]) + before[column, k] + before[column + 2, k]) + 0.02
        weight = 1.0 / ((e * e) * (e * e))
        total += weight
        sum_ += weight * (st.said[k] - st.said[0])
    st.said[BLEND] = st.said[0] + sum_ / total


@stage
def correct(p: Model, mem: Memory, place: Place, unit: float, level: Int) -> None:
    """Correct the blend by its mean error in two contexts: the pattern of the neighbours, and the residuals around. See `picture.correct`.

    Fills in some of the numbers of contexts.
    """
    st, t, x, at, r, s = p.state, p.taps, p.sums.x, place.at, mem.rests, p.geometry.stride
    mid, base = st.said[BLEND], st.means[0]
    pattern: Int = 0
    for i in range(6):
        pattern = pattern << 1 | int(base + x[place.k, i] > mid)
    west, north = class_of(r[at - 1], unit), class_of(r[at - s], unit)
    first, second = class_of(r[at - s + 1], unit), class_of(r[at - s - 1], unit)
    if t.start.shape[0] > 1:
        b = t.start[1] + 2
        pattern = pattern << 2 | int(base + x[place.k, b] > mid) << 1 | int(x[place.k, b + 1] > x[place.k, b])
        first = class_of(r[at + t.at[1]], unit)
    st.bias_at[0] = pattern * 12 + min(level >> 1, 11)
    st.bias_at[1] = (first * 9 + west) * 9 + north
    for i in range(BIASES):
        st.said[BLEND + 1 + i] = within(mid + st.biases[i, st.bias_at[i]] * unit, p.scale.low, p.scale.high)
    st.numbers[1] = level
    st.numbers[2] = pattern
    st.numbers[3] = first * 9 + west
    st.numbers[4] = north * 9 + second


@stage
def predict(p: Model, mem: Memory, place: Place) -> Guess:
    """Predict the value at a place: fills in `said`. The guess has no prediction for the tree yet."""
    st, s, t, sc = p.state, p.sums, p.taps, p.scale
    gather(p, mem, place)
    unit = local_error(p, mem, place.at)
    level = min(int(2.0 * (log2(unit) + 2.0)), LEVELS - 1)
    m, base = s.x.shape[1], st.means[0]
    for i in range(STEADY):
        st.said[i] = within(base + dot8(s.w, i * m, s.x, place.k * m, m), sc.low, sc.high)
    shift = s.x[place.k, t.start[1] + 2] if t.start.shape[0] > 1 else 0.0
    st.said[STEADY] = within(base + shift, sc.low, sc.high)
    blend(p, place)
    correct(p, mem, place, unit, level)
    return Guess(unit, level, 0.0, 0, 0.0)


@shared
def softened(x: float) -> np.float32:
    """How a number is limited before it is an input of the network."""
    return soft(F32(within(x, -1e6, 1e6)))


@stage
def see(p: Model, mem: Memory, place: Place, guess: Guess) -> None:
    """Fill in the context network's inputs but those that are always 0. SPEC.md has the list."""
    st, s, x, stride, r, g, at = p.state, p.sums, p.net.x, p.geometry.stride, mem.rests, p.geometry, place.at
    mid, inverse, m = st.said[BLEND], 1.0 / guess.unit, s.x.shape[1]
    for i in range(m):
        x[i] = softened(s.x[place.k, i] * inverse)
    for i in range(SAYINGS):
        x[m + i] = softened((st.said[i] - mid) * inverse)
    for i in range(PREDICTORS):
        e = st.errors[place.turn, place.column, i] + st.errors[1 - place.turn, place.column + 1, i]
        x[m + 9 + i] = soft(F32(log2((e + 0.1) * inverse)))
    x[m + BLEND] = softened((st.means[0] - mid) * inverse)  # in place of the blend's difference from itself
    x[m + 15] = F32(min(guess.level, 40)) * F32(0.05)
    n = m + 16
    x[n] = softened(r[at - 1] * inverse)
    x[n + 1] = softened(r[at - stride] * inverse)
    x[n + 2] = softened(r[at - stride - 1] * inverse)
    x[n + 3] = softened(r[at - stride + 1] * inverse)
    x[n + 4] = soft(F32(log2((abs(r[at - 1]) + 0.25) * inverse)))
    x[n + 5] = soft(F32(log2((abs(r[at - stride]) + 0.25) * inverse)))
    if p.taps.at.shape[0] > 1:
        b = at + p.taps.at[1]
        x[n + 6] = softened(r[b] * inverse)
        x[n + 7] = softened(r[b + 1] * inverse)
        x[n + 8] = softened(r[b + stride] * inverse)
        x[n + 9] = soft(F32(log2((abs(r[b]) + 0.25) * inverse)))
    sc = p.scale
    x[n + 10] = F32((mid - sc.low) / (sc.high - sc.low + 1.0) * 2.0 - 1.0)
    x[n + 11] = F32(2.0 * (mid - np.floor(mid)) - 1.0) if sc.stored == 0 else F32(0)
    see_place(x, n + 12, OCTAVES, (place.row * 65536) // (2 * g.height), st.sines)
    see_place(x, n + 12 + 2 * OCTAVES, OCTAVES, (place.column * 65536) // (2 * g.width), st.sines)


@stage
def middle(p: Model) -> float:
    """The prediction that the tree is around: the mean of the network's mixture, or without a network the first correction."""
    if p.units > 0:
        return within(p.state.said[BLEND] + np.float64(cn.mixture_mean(p.net)), p.scale.low, p.scale.high)
    return p.state.said[BLEND + 1]


@shared
def compared(x: float, unit: float) -> Int:
    """A difference in units, coarser the larger it is, −20 … 20."""
    size = abs(x) / unit
    n = np.int64(size * 4.0) if size < 2.0 else np.int64(min(8.0 + 2.0 * log2(size * 0.5), 20.0))
    return n if x >= 0.0 else -n


@stage
def derive(p: Model, mem: Memory, place: Place, guess: Guess) -> None:
    """Fill in the numbers that contexts are made of, of which `correct` fills in some."""
    d, s, at, v = p.state.numbers, p.geometry.stride, place.at, mem.integers
    d[0] = guess.origin
    d[5] = compared(mem.reals[at - 1] - guess.middle, guess.unit)
    d[6] = compared(mem.reals[at - s] - guess.middle, guess.unit)
    d[7], d[8], d[9], d[10], d[11], d[12] = v[at - 1], v[at - s], v[at - s - 1], v[at - s + 1], v[at - 2], v[at - 2 * s]
    d[13] = place.row << 16 | place.column
    coarse = 0
    while p.scale.largest >> coarse > 7:
        coarse += 1
    for i in range(6):
        d[14 + i] = d[7 + i] >> coarse
        d[20 + i] = d[7 + i] >> (coarse + 1)


@stage
def hash_contexts(p: Model) -> None:
    """Hash the numbers of each context."""
    items, d, hashes = p.state.items, p.state.numbers, p.contexts.hashes
    for c in range(hashes.shape[0]):
        h: Int = np.int64(c)
        for i in range(items.shape[1]):
            if items[c, i] < 0:
                break
            h = mix_hash(h, d[items[c, i]])
        hashes[c] = h


# --- code a value -------------------------------------------------------------------------------------------------


@shared
def code_adaptive(coder: BitCoder, table: Singles1, c: Int, bit: Int) -> Int:
    """Code a bit by the adaptive probability of a context, and learn it. Returns the bit."""
    q = table[c]
    found = code_bit(coder, as_probability(q), bit)
    table[c] = q + (F32(found) - q) * F32(0.02)
    return found


@stage
def code_mark(coder: BitCoder, p: Model, mem: Memory, at: Int, mark: Int) -> Int:
    """Code whether a value is special, and which: 0, or 1 + its number. Returns that. mark: to encode."""
    table, marks, s = p.state.marks, mem.marks, p.geometry.stride
    c: Int = int(marks[at - 1] > 0) | int(marks[at - s] > 0) << 1 | int(marks[at - s - 1] > 0) << 2 | int(marks[at - s + 1] > 0) << 3
    c |= int(marks[at - 2] > 0) << 4 | int(marks[at - 2 * s] > 0) << 5
    if p.taps.at.shape[0] > 1:
        b = at + p.taps.at[1]
        c |= int(marks[b] > 0) << 6 | int(marks[b + 1] > 0) << 7 | int(marks[b + s] > 0) << 8
    if not code_adaptive(coder, table, c, np.int64(mark > 0)):
        return 0
    number: Int = 1
    while number < p.specials.shape[0]:
        c = WHICH + min(int(marks[at - 1]), 3) * 16 + min(int(marks[at - s]), 3) * 64 + number
        if code_adaptive(coder, table, c, np.int64(mark == number)):
            break
        number += 1
    return number


@stage
def is_flat(mem: Memory, at: Int, stride: Int) -> bool:
    """Whether the four nearest neighbours of a place are alike, and not special."""
    v = mem.integers
    w = v[at - 1]
    return w == v[at - stride] and w == v[at - stride - 1] and w == v[at - stride + 1] and mem.marks[at - 1] == 0


@stage
def code_flag(coder: BitCoder, p: Model, mem: Memory, at: Int, bit: Int) -> Int:
    """Code the flag at a flat place: 1 if the value is that of its neighbours. Returns the flag. bit: the flag, to encode."""
    st, v, s = p.state, mem.integers, p.geometry.stride
    w = v[at - 1]
    c = int(v[at - 2] == w) | int(v[at - 2 * s] == w) << 1 | (st.counters[1] & 15) << 2
    if p.taps.at.shape[0] > 1:
        b = at + p.taps.at[1]
        c |= int(v[b] == w) << 6 | int(v[b + 1] == w) << 7 | int(v[b + s] == w) << 8 | int(v[b + s + 1] == w) << 9
    found = code_adaptive(coder, st.flags, c, bit)
    st.counters[1] = (st.counters[1] << 1 | found) & 15
    return found


@stage
def set_up(p: Model, guess: Guess) -> None:
    """Set up the experts' logistics, with means relative to the real number of the origin."""
    st, logistics = p.state, p.state.logistics
    begin_asking(st.masses)
    if p.units > 0:
        cn.tell_shifted(p.net, F32(st.said[BLEND] - guess.here), logistics)
    for k in range(SAYINGS):
        logistics[0, FIRST_LANE + k] = F32(st.said[k] - guess.here)
        logistics[1, FIRST_LANE + k] = F32(1.0 / (SPREAD_SHARE * st.spread[k, guess.level] + LEAST_SPREAD))


@stage
def first_distance(p: Model, guess: Guess) -> Int:
    """log2 of the first distance from the origin: of as many integers as the blend's mean error spans on the side where they are fewer."""
    size, sc = p.state.spread[BLEND, guess.level], p.scale
    if sc.stored == 0 and sc.table.shape[0] == 0:
        return np.int64(max(log2(size + 0.5), 0.0))
    above = integer_of(within(guess.middle + size, sc.low, sc.high), sc) - guess.origin
    below = guess.origin - integer_of(within(guess.middle - size, sc.low, sc.high), sc)
    return np.int64(log2(np.float64(max(min(above, below), 1))))


@stage
def code_mixed(coder: BitCoder, p: Model, node: Node, level: Int, place: Int, bit: Int) -> Int:
    """Code a decision by experts and contexts through mixer and final maps, and learn it. Returns the bit.

    `ask_all` and `find_lines` must have been called. place: number of the place in its slice.
    """
    st, m, b = p.state, p.mixer, node.kind
    if p.contexts.hashes.shape[0] > 0:
        mx.look_up(p.contexts, m.inputs, CONTEXT_LANE, 1, node.within)
    first, selected = m.inputs[NETWORK_LANE if p.units > 0 else FIRST_LANE], m.selected
    m.inputs[0] = F32(0.3)
    selected[0] = b * 32 + 2 * int(min(abs(first) * F32(2), F32(15))) + int(first > F32(0))
    selected[1] = b * 60 + min(level, HIGHEST)
    selected[2] = node.number if node.number < 512 else 512 + b * 16
    selected[3] = place
    if p.geometry.height * p.geometry.width > mx.SELECTIONS:
        selected[3] = b * 60 + abs(st.numbers[3] // 9 - 4) * 5 + abs(st.numbers[3] % 9 - 4)
    total = mx.mix(m)
    pi = as_probability(mx.refine(m.maps, total, selected[2], selected[1]))
    found = code_bit(coder, pi, bit)
    st.counters[0] += 1
    mx.adjust(m, found, total, mx.rate_of(LEAST_RATE, st.counters[0]))
    mx.calibrate(m.maps, found, total, selected[2], selected[1])
    if p.contexts.hashes.shape[0] > 0:
        mx.remember(p.contexts, found)
    st.tally[b, 0] += cost(pi, found)
    st.tally[b, 1] += 1
    return found


@stage
def code_value(coder: BitCoder, p: Model, guess: Guess, place: Place, value: Int) -> Int:
    """Code the decisions of a value. Returns the value. value: to encode."""
    st, sc, origin = p.state, p.scale, guess.origin
    set_up(p, guess)
    reach = first_distance(p, guess)
    quiet = QUIET * st.spread[BLEND, guess.level]
    walk = Walk(np.int64(0), np.int64(0), np.int64(1), np.int64(0), np.int64(0), np.int64(0), np.int64(0))
    line: Int = -1
    while walk.phase > 0 or walk.top - walk.low > 1:
        halving = walk.phase == 0 and walk.low >= 0 and walk.top - 1 <= sc.largest
        if halving and real_of(walk.top, sc) - real_of(walk.low, sc) < quiet:
            n = np.int64(log2(np.float64(walk.top - walk.low)) + 0.5)
            st.tally[KINDS, 0] += n
            return walk.low + code_uniform(coder, n, value - walk.low)
        node = next_node(walk, 1, origin, reach)
        bit: Int = np.int64(value >= node.edge)
        if node.edge <= 0:
            bit = np.int64(1)
        elif node.edge > sc.largest:
            bit = np.int64(0)
        else:
            edge = F32(0.5 * (real_of(node.edge, sc) + real_of(node.edge - 1, sc)) - guess.here)
            ask_all(edge, st.logistics, st.masses, p.mixer.inputs)
            if p.contexts.hashes.shape[0] > 0 and line != node.line:
                line = node.line
                mx.find_lines(p.contexts, line)
            bit = code_mixed(coder, p, node, guess.level, place.row * p.geometry.width + place.column, bit)
            copy16(st.masses, LANES, st.masses, 0 if bit else 2 * LANES)
        walk = descend(walk, node, bit, reach, origin)
    return walk.low


# --- learn --------------------------------------------------------------------------------------------------------


@shared
def learn_nothing(p: Model, mem: Memory, place: Place, value: Int, real: float) -> None:
    """Take a value that was not predicted: no error."""
    mem.integers[place.at] = value
    mem.reals[place.at] = real
    mem.rests[place.at] = 0.0
    p.sums.f[place.k] = 0.0
    p.sums.y[place.k] = 0.0
    for i in range(p.sums.x.shape[1]):
        p.sums.x[place.k, i] = 0.0
    for i in range(PREDICTORS):
        p.state.errors[place.turn, place.column + 1, i] = 0.0


@stage
def learn(p: Model, mem: Memory, place: Place, guess: Guess, value: Int) -> None:
    """Learn a value that was predicted."""
    st, sc, s, unit = p.state, p.scale, p.sums, guess.unit
    x = real_of(value, sc)
    if p.units > 0:
        gap = real_of(min(value + 1, sc.largest), sc) - real_of(max(value - 1, 0), sc)
        cn.learn(p.net, F32(x - guess.here), F32(max(0.25 * gap, 0.05 * unit)), False, False, F32(unit), p.learning)
    rest = x - st.said[BLEND]
    mem.integers[place.at] = value
    mem.reals[place.at] = x
    mem.rests[place.at] = rest
    t = 1.0 / (0.5 + unit + 0.1 * abs(rest))
    s.f[place.k] = t * t
    s.y[place.k] = x - st.means[0]
    for i in range(PREDICTORS):
        st.errors[place.turn, place.column + 1, i] = abs(x - st.said[i])
    for i in range(SAYINGS):
        st.spread[i, guess.level] += (abs(x - st.said[i]) - st.spread[i, guess.level]) * 0.01
    miss = within(rest / unit, -8.0, 8.0)
    for i in range(BIASES):
        b = st.bias_at[i]
        st.biases[i, b] += (miss - st.biases[i, b]) * 0.02


# --- the brick ----------------------------------------------------------------------------------------------------


@shared
def copy_places(mem: Memory, source: Int, target: Int, count: Int) -> None:
    """Copy what memory holds at `count` places from `source` on to those from `target` on."""
    for i in range(count):
        mem.integers[target + i] = mem.integers[source + i]
        mem.reals[target + i] = mem.reals[source + i]
        mem.rests[target + i] = mem.rests[source + i]
        mem.marks[target + i] = mem.marks[source + i]


@stage
def begin_slice(p: Model, mem: Memory, number: Int) -> None:
    """Before a slice: find its references, and pad it above by the first row of the slice before of its channel.

    A reference before the first slice is the slice before, and of the first slice the blank one.
    """
    g, t = p.geometry, p.taps
    for k in range(1, t.lags.shape[0]):
        t.at[k] = -g.slice * (t.lags[k] if t.lags[k] <= number else 1)
    for i in range(t.where.shape[0]):
        t.where[i] = t.at[t.group[i]] + t.dy[i] * g.stride + t.dx[i]
    start = (number + 1) * g.slice
    before = start - min(g.channels, number + 1) * g.slice + g.rows * g.stride
    for y in range(g.rows):
        copy_places(mem, before, start + y * g.stride, g.stride)


@stage
def end_slice(p: Model, mem: Memory, number: Int) -> None:
    """After a slice: pad it below by its last row."""
    g = p.geometry
    last = (number + 1) * g.slice + (g.rows + g.height - 1) * g.stride
    for y in range(g.rows):
        copy_places(mem, last, last + (y + 1) * g.stride, g.stride)


@stage
def code_place(coder: BitCoder, p: Model, mem: Memory, place: Place) -> None:
    """Code the value at a place, and learn it."""
    at, stride = place.at, p.geometry.stride
    if mem.read.shape[0] > 0:
        note_bits(coder.state, mem.read, at)
    value: Int = mem.integers[at] if coder.encoding else np.int64(0)
    if p.specials.shape[0] > 0:
        mark = code_mark(coder, p, mem, at, np.int64(mem.marks[at]) if coder.encoding else np.int64(0))
        mem.marks[at] = np.uint8(mark)
        if mark:
            learn_nothing(p, mem, place, p.specials[mark - 1], (mem.reals[at - 1] + mem.reals[at - stride]) * 0.5)
            return
    if is_flat(mem, at, stride):
        near = mem.integers[at - 1]
        if code_flag(coder, p, mem, at, np.int64(value == near)):
            learn_nothing(p, mem, place, near, mem.reals[at - 1])
            return
    guess = predict(p, mem, place)
    if p.units > 0:
        see(p, mem, place, guess)
        cn.forward(p.net, F32(0), F32(guess.unit))
    mid = middle(p)
    origin = integer_of(mid, p.scale)
    guess = Guess(guess.unit, guess.level, mid, origin, real_of(origin, p.scale))
    if p.contexts.hashes.shape[0] > 0:
        derive(p, mem, place, guess)
        hash_contexts(p)
    learn(p, mem, place, guess, code_value(coder, p, guess, place, value))


@kernel
def code_rows(coder: BitCoder, p: Model, mem: Memory, first: Int, last: Int) -> None:
    """Code rows first … last − 1 of the channel's slices, in either direction; decoding fills them in.

    Rows are counted from the first slice on: slice i has rows i·height to (i + 1)·height − 1. They must lie in slices of the channel,
    one after the other: with several channels, in one slice.
    """
    g, s = p.geometry, p.sums
    for row in range(first, last):
        number, y = row // g.height, row % g.height
        if y == 0:
            begin_slice(p, mem, number)
        if y & (BLOCK - 1) == 0:
            begin_rows(s, y // BLOCK)
        start = (number + 1) * g.slice + (y + g.rows) * g.stride + g.columns
        for i in range(1, g.columns + 1):  # left of the row: as the value above its first
            copy_places(mem, start - g.stride, start - i, 1)
        for column in range(g.width):
            k = column & (BLOCK - 1)
            block = column // BLOCK if g.height > 1 else 0  # a slice of one row has one block, whose sums fade along the row
            if k == 0:
                begin_block(s, block)
            code_place(coder, p, mem, Place(y, column, start + column, k, p.state.counters[2] & 1))
            if k == BLOCK - 1 or column == g.width - 1:
                settle(s, block, k + 1)
        for i in range(g.columns):  # right of the row: as its last value
            copy_places(mem, start + g.width - 1, start + g.width + i, 1)
        p.state.counters[2] += 1
        if y & (BLOCK - 1) == BLOCK - 1 or y == g.height - 1:
            end_rows(s, y // BLOCK)
        if y == g.height - 1:
            end_slice(p, mem, number)


@kernel
def fill_reals(integers: Ints1, sc: Scale, out: Floats1) -> None:
    """Fill in `out`, (n,): the real numbers of integers, (n,)."""
    for i in range(integers.shape[0]):
        out[i] = real_of(integers[i], sc)
