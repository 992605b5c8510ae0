"""One tile of a sound. SPEC.md, "Sound", defines it.

For each sample, in this order: predict it in four stages; code it as decisions in a tree of quantiles, by experts, contexts and the
mixer; learn. The functions below stand in this order.

The stages of prediction are

1. least squares predictors, over the last samples of the channel and of its partner;
2. the look back, which predicts the error of the first predictor by least squares over its errors at the lags that the encoder has chosen;
3. LMS filters in cascades: each predicts the error of the one before, and the first of a later cascade that of a predictor;
4. the stack: least squares over the outputs of all earlier stages, the opinions.

Least squares before LMS filters, and a last stage over all others, are those of S. Lehmann's Sac. Weighing samples by the inverse square
of the local error, the limited LMS step, and the look back are our own. The weights of stage 1 are by its own errors: by those of the last
stage they would be huge where a look back is exact, and the predictors would fit a few samples.

Where the tile says of which steps samples are nearly multiples, the tree has its edges between the cells of multiples, and what is left is
how far the sample is from its multiple.

Samples are signed here, with silence near 0. LMS filters, mixer and context network are float32, everything else is float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import contextnet as cn
from . import mixer as mx
from . import predictors as pr
from .arrays import Floats1, Floats2, Floats3, Floats4, Int, Ints1, Ints2, Ints3, Singles2, Singles3, Singles4
from .coder import BitCoder, as_probability, code_bit
from .compiling import kernel, shared, stage
from .contextnet import ContextNet
from .functions import LN2, cost, log2, sigmoid, soft
from .lanes import LANES, ask_all, begin_asking, copy8, copy16, dot8, dot16, padded
from .mixer import Mixer
from .noting import UNREAD, note_bits
from .predictors import BATCH, Scratch, lms_learn, scratch

F32 = np.float32
PAD = 256  # zeros before the first sample
OWN, OTHER = 16, 8  # regressors of a round: samples of the channel, and of its partner
MAX_ROUNDS = 8  # of a least squares predictor
SEGMENT = 1 << 11  # frames; each segment has its own lags
LEAST_LAG = 1 << 9  # frames
REACH = 2  # the look back uses this many samples before, and after, the one at a lag
AROUND = 2 * REACH + 1
MAX_LAGS = 4  # of a segment
STACKED = 16  # opinions of the stack, at most
LEAVES = 32  # of the tree of quantiles
GALLOPS = 12  # steps beyond an outermost quantile, at most
GALLOPED = LEAVES + 2 * (GALLOPS + 1)  # decisions of the tree and beyond it
DEVIATION = 3  # how far from a multiple of a step samples are is modelled up to here
NODES = GALLOPED + 2 * DEVIATION  # all decisions that contexts and mixer tell apart
PIECE = 1 << 10  # frames; each piece has its own steps
LEAST_STEP = 2
MOST_STEPS = 1 << 31  # start, end and curve of a piece are below this in magnitude
EXPERTS = 6  # logistics, beside the context network
CONTEXTS = 4
NETWORK_LANE, FIRST_LANE = 3, 4  # lanes of the mixer's inputs: of the context network, of the first logistic,
CONTEXT_LANE = FIRST_LANE + EXPERTS  # and of the first context
RATES = np.array([1 / 16, 1 / 128, 1 / 1024, 1 / 32, 1 / 32, 1 / 32])  # how fast the experts' mean errors follow
SHARE = 0.55  # the scale of an expert's logistic, relative to its mean error
MODELLED = 3  # halvings inside a leaf that a logistic predicts; the others are even
OWN_MISSES = 16  # the network sees the last errors of the last stage in the channel
OTHER_MISSES = 8  # and in its partner
MEASURES = 6  # inputs of the network beside errors and opinions
SEED = 0x6C696E72  # of the network's first weights


def _quantiles() -> Floats1:
    """(LEAVES − 1,): ln(i/(LEAVES − i)) for i = 1 … LEAVES − 1, the quantiles of the standard logistic distribution."""
    return np.array([LN2 * (log2(i / LEAVES) - log2(1.0 - i / LEAVES)) for i in range(1, LEAVES)])


QUANTILES = _quantiles()


class Past(NamedTuple):
    """The samples so far, and the errors of the predictions. Axes: c channels."""

    samples: Floats2  # (c, PAD + frames) samples
    errors: Singles2  # (c, PAD + frames) errors of the first predictor: sample − prediction
    misses: Singles2  # (c, PAD + frames) errors of the last stage
    partner: Ints1  # (c,) the partner, −1: none
    low: Ints1  # (c,) the least possible sample
    high: Ints1  # (c,) the largest possible sample
    local: Floats2  # (c, 2) local mean errors of the first predictor, and of the last stage
    weight: Floats3  # (c, 2, BATCH) weights, in the sums of stage 1, and of the others, of the samples of this batch
    target: Floats2  # (c, BATCH) these samples
    left: Floats2  # (c, BATCH) the first predictor's errors of these samples


class Linear(NamedTuple):
    """The least squares predictors of stage 1. Axes: p predictors, v windows, c channels, n regressors of the largest predictor.

    The regressors come in rounds: OWN samples of the channel and OTHER of its partner, then those before them, and so on. A predictor uses
    the first of them. The predictors of a window are fitted with the same sums, the largest first.
    """

    rounds: Ints1  # (p,) of a predictor
    most: Int  # of any
    first: Ints1  # (v + 1,) number of the first predictor of each window, and p
    every: Ints1  # (v,) batches between two solutions
    decay: Floats1  # (v,) factor of the sums after each batch
    a: Floats4  # (v, c, n, n) upper triangles of the normal matrices
    b: Floats3  # (v, c, n) right-hand sides
    w: Floats3  # (p, c, n) weights
    x: Floats3  # (c, BATCH, n) regressors of the samples of this batch
    there: Floats1  # (n,) those of a sample at a lag
    said: Floats1  # (p,) predictions
    scratch: Scratch  # of all solutions


class Regression(NamedTuple):
    """A least squares predictor of the first predictor's error: the look back or the stack. Axes: c channels, n regressors."""

    a: Floats3  # (c, n, n) upper triangles of the normal matrices
    b: Floats2  # (c, n) right-hand sides
    w: Floats2  # (c, n) weights
    x: Floats3  # (c, BATCH, n) regressors of the samples of this batch


class Cascade(NamedTuple):
    """The LMS filters, in cascades: the input of one is the error of the one before, or of a predictor. Axes: k filters, c channels."""

    length: Ints1  # (k,) number of weights, a power of two
    step: Floats1  # (k,) rate of learning
    source: Ints1  # (k,) 0: the filter before, for the first one the look back; else 1 + the number of a predictor
    taps: Singles3  # (k, c, longest) weights
    recent: Singles3  # (k, c, 2·longest) the last inputs as a ring, stored twice so that any part of it is contiguous
    power: Floats3  # (k, c, 3) mean squares, see `lms_learn`
    said: Floats1  # (k,) predictions


class Decisions(NamedTuple):
    """Experts, contexts and mixer, which code the decisions. Axes: c channels."""

    mean: Floats1  # (EXPERTS,) means of the logistics
    logistics: Singles2  # (4, LANES) see `lanes.ask_all`
    masses: Singles2  # (3, LANES) see `lanes.ask_all`
    spread: Floats2  # (c, EXPERTS) mean errors of the experts' means
    weights: Singles4  # (c, SETS, SELECTIONS, inputs) of the mixer
    gates: Singles3  # (c, SELECTIONS, SETS) of the mixer
    maps: Singles4  # (c, 2, rows, FINE) final maps
    mixer: Mixer  # only its inputs, selected, dots and squashed are used
    slots: Ints3  # (c, CONTEXTS, NODES·CONTEXT_SIZE) probability << 8 | number of bits learnt
    cell: Ints1  # (CONTEXTS,) slot of each context for the current decision
    leaves: Ints1  # (c,) leaf of the last sample
    mixed: Ints1  # (c,) number of decisions mixed
    tally: Floats1  # (3,) bits of decisions that are mixed, inside a leaf, and even; only reported
    read: Floats2  # (frames, c) bits that had been read before each sample; (0, 0): not wanted


class Steps(NamedTuple):
    """The steps of which samples are nearly multiples. Axes: c channels, p pieces of PIECE frames; p is 0 if no channel has steps.

    In frame i of a piece, with u = i/PIECE, the step is (start + (end − start)·u − curve·u·(1 − u))·PIECE²·unit. A piece whose start is 0
    has no step.
    """

    pieces: Ints3  # (c, p, 3) start, end, curve
    unit: float  # a power of two
    strays: Ints1  # (c,) how far the last samples were from multiples, 0 … 7


class Sound(NamedTuple):
    """All that one tile needs and adapts. Axes: c channels."""

    past: Past
    linear: Linear
    lookback: Regression
    around: Floats3  # (c, lags, AROUND) errors that the first predictor, with its current weights, makes around each lag
    cascade: Cascade
    stack: Regression
    decisions: Decisions
    net: ContextNet
    learning: float  # rate of the network; 0: there is none
    steps: Steps


class Opinion(NamedTuple):
    """The predictions of a sample."""

    first: float  # of the first least squares predictor
    looked: float  # what the look back adds to it
    total: float  # first + looked + the predictions of the LMS filters of the first cascade
    final: float  # of the stack
    known: Int  # 1 if the partner's sample of this frame is known, else 0


class Spot(NamedTuple):
    """The current sample."""

    c: Int  # channel, in coded order
    t: Int  # frame
    slot: Int  # number in the batch
    low: Int  # the least possible sample
    high: Int  # the largest possible sample


class Scene(NamedTuple):
    """The quantiles of a sample, and what selects slots, weights and maps for its decisions."""

    final: float  # centre of the quantiles
    origin: Int  # the same, rounded down; means and edges of the logistics are relative to it
    scale: float  # unit of the quantiles
    trend: Int  # class of short-term errors relative to longer-term errors, 0 … 7
    size: Int  # class of the size of errors, 0 … 31
    before: Int  # half the leaf of the sample before
    beside: Int  # half the last leaf of the partner


CONTEXT_SIZE = 32  # values of the largest context
LOOK_DECAY = 0.9607  # factor of the look back's sums after each batch
STACK_DECAY = 0.994  # factor of the stack's sums after each batch
RIDGE = 0.005  # added to the diagonals of stage 1,
LOOK_RIDGE = 0.2  # of the look back,
STACK_RIDGE = 0.5  # and of the stack
LEAST_RATE = 0.003  # of the mixer's learning, see `mixer.rate_of`


class Channels(NamedTuple):
    """The coded channels of a tile. For each: partner, the number of its partner, −1: none; low, high: the least and largest sample."""

    frames: Int
    partner: Sequence[int]
    low: Sequence[int]
    high: Sequence[int]


def sound(
    channels: Channels,
    windows: Sequence[tuple[Sequence[int], int, float]],
    filters: Sequence[tuple[int, float, int]],
    lags: int,
    units: int,
    learning: float,
    steps: tuple[Ints3, float] | None = None,
) -> Sound:
    """A fresh state.

    windows: (rounds of each predictor, every, decay) of each, see `Linear`; filters: (length, step, source) of each, see `Cascade`; lags:
    of a segment; units: of each hidden layer of the context network, 0: there is no network; learning: Adam's rate; steps: pieces and
    unit, see `Steps`.
    """
    c, rounds = len(channels.partner), [r for w in windows for r in w[0]]
    wide = padded(max(lags * AROUND * (1 if c == 1 else 2), 1), 8)
    opinions = padded(len(rounds) + len(filters), 8)
    linear = _linear(channels.partner, windows, max(wide, opinions))
    return Sound(
        past=_past(channels),
        linear=linear,
        lookback=_regression(c, wide),
        around=np.zeros((c, lags, AROUND)),
        cascade=_cascade(c, filters),
        stack=_regression(c, opinions),
        decisions=_decisions(c, learning > 0.0),
        net=seeded_network(len(rounds), len(filters), units),
        learning=learning,
        steps=Steps(*(steps or (np.zeros((c, 0, 3), np.int64), 1.0)), np.zeros(c, np.int64)),
    )


def _linear(partner: Sequence[int], windows: Sequence[tuple[Sequence[int], int, float]], most: int) -> Linear:
    """most: regressors of the other stages, at most."""
    rounds = [r for w in windows for r in w[0]]
    c, p, v, n = len(partner), len(rounds), len(windows), max(rounds) * (OWN + OTHER if max(partner) >= 0 else OWN)
    z = np.zeros
    w = z((p, c, n))
    w[:, :, OWN - 1] = 1.0  # the sample before
    return Linear(
        rounds=np.array(rounds, np.int64),
        most=max(rounds),
        first=np.cumsum([0, *(len(q[0]) for q in windows)]),
        every=np.array([q[1] for q in windows], np.int64),
        decay=np.array([q[2] for q in windows], np.float64),
        a=z((v, c, n, n)),
        b=z((v, c, n)),
        w=w,
        x=z((c, BATCH, n)),
        there=z(n),
        said=z(p),
        scratch=scratch(max(n, most)),
    )


def _past(channels: Channels) -> Past:
    c, frames = len(channels.partner), channels.frames
    return Past(
        samples=np.zeros((c, PAD + frames)),
        errors=np.zeros((c, PAD + frames), np.float32),
        misses=np.zeros((c, PAD + frames), np.float32),
        partner=np.array(channels.partner, np.int64),
        low=np.array(channels.low, np.int64),
        high=np.array(channels.high, np.int64),
        local=np.full((c, 2), 100.0),
        weight=np.zeros((c, 2, BATCH)),
        target=np.zeros((c, BATCH)),
        left=np.zeros((c, BATCH)),
    )


def _regression(channels: int, n: int) -> Regression:
    c, z = channels, np.zeros
    return Regression(z((c, n, n)), z((c, n)), z((c, n)), z((c, BATCH, n)))


def _cascade(channels: int, filters: Sequence[tuple[int, float, int]]) -> Cascade:
    k, longest = len(filters), max([q[0] for q in filters], default=8)
    return Cascade(
        length=np.array([q[0] for q in filters], np.int64),
        step=np.array([q[1] for q in filters], np.float64),
        source=np.array([q[2] for q in filters], np.int64),
        taps=np.zeros((k, channels, longest), np.float32),
        recent=np.zeros((k, channels, 2 * longest), np.float32),
        power=np.zeros((k, channels, 3)),
        said=np.zeros(k),
    )


def _decisions(channels: int, networked: bool) -> Decisions:
    c = channels
    initial = np.zeros(LANES, np.float32)
    initial[FIRST_LANE : CONTEXT_LANE + CONTEXTS] = 1.0 / (EXPERTS + CONTEXTS + 1)
    initial[NETWORK_LANE] = 1.0 / (EXPERTS + CONTEXTS + 1) if networked else 0.0
    initial[FIRST_LANE] = 0.7
    logistics = np.zeros((4, LANES), np.float32)
    logistics[3, FIRST_LANE : FIRST_LANE + EXPERTS] = 1
    logistics[3, NETWORK_LANE] = networked
    fresh = mx.mixer(initial, mx.power_of_two(NODES * 16))
    return Decisions(
        mean=np.zeros(EXPERTS),
        logistics=logistics,
        masses=np.zeros((3, LANES), np.float32),
        spread=np.full((c, EXPERTS), 30.0),
        weights=np.tile(fresh.weights, (c, 1, 1, 1)),
        gates=np.tile(fresh.gates, (c, 1, 1)),
        maps=np.tile(fresh.maps, (c, 1, 1, 1)),
        mixer=fresh,
        # two nodes more than there are, since tables of a power of two would meet in the processor's cache
        slots=np.full((c, CONTEXTS, (NODES + 2) * CONTEXT_SIZE), 32768 << 8, np.int64),
        cell=np.zeros(CONTEXTS, np.int64),
        leaves=np.full(c, LEAVES // 2, np.int64),
        mixed=np.zeros(c, np.int64),
        tally=np.zeros(3),
        read=UNREAD,
    )


def seeded_network(predictors: int, filters: int, units: int) -> ContextNet:
    """A fresh context network, see `contextnet.seeded`. units: of each hidden layer."""
    return cn.seeded(OWN_MISSES + OTHER_MISSES + predictors + filters + MEASURES, units, SEED)


@shared
def within(p: float, low: Int, high: Int) -> float:
    """p clipped to low … high; low if p is NaN."""
    q = np.float64(p)
    if not q >= low:
        q = np.float64(low)
    if q > high:
        q = np.float64(high)
    return q


# --- predict ------------------------------------------------------------------------------------------------------


@shared
def gather(past: Past, c: Int, i1: Int, known: Int, rounds: Int, row: Floats1) -> None:
    """Fill in `row`: the regressors of the sample at i1 of channel c, see `Linear`. known: see `Opinion`."""
    o, n = past.partner[c], 0
    for r in range(1, rounds + 1):
        copy8(past.samples[c], i1 - OWN * r, row, n, OWN)
        n += OWN
        if o >= 0:
            copy8(past.samples[o], i1 + known - OTHER * r, row, n, OTHER)
            n += OTHER


@stage
def predict_linear(s: Sound, at: Spot, known: Int) -> None:
    """Stage 1: the least squares predictors. Fills in `linear.said` and `linear.x`. known: see `Opinion`."""
    linear = s.linear
    row, each = linear.x[at.c, at.slot], OWN + OTHER if s.past.partner[at.c] >= 0 else OWN
    gather(s.past, at.c, PAD + at.t, known, linear.most, row)
    for p in range(linear.rounds.shape[0]):
        linear.said[p] = within(dot8(linear.w[p, at.c], 0, row, 0, linear.rounds[p] * each), at.low, at.high)


@stage
def refresh_around(s: Sound, at: Spot, known: Int, around: Floats1, there: Int) -> None:
    """Fill in `around`, (AROUND,): errors that the first predictor, with its current weights, makes at the samples from `there` on.

    Weights change only between batches, so within a batch the errors move up by one and only the last is new.
    """
    linear, past = s.linear, s.past
    rounds = linear.rounds[0]
    n = rounds * (OWN + OTHER if past.partner[at.c] >= 0 else OWN)
    first = 0
    if at.slot > 0:
        for d in range(AROUND - 1):
            around[d] = around[d + 1]
        first = AROUND - 1
    for d in range(first, AROUND):
        gather(past, at.c, there + d, known, rounds, linear.there)
        around[d] = past.samples[at.c, there + d] - dot8(linear.w[0, at.c], 0, linear.there, 0, n)


@stage
def look_back(s: Sound, at: Spot, lags: Ints1, known: Int) -> float:
    """Stage 2: the look back. Returns what it adds to the first prediction. lags: (lags,), of this segment, 0: none."""
    o, row, wide = s.past.partner[at.c], s.lookback.x[at.c, at.slot], 0
    for g in range(lags.shape[0]):
        around = s.around[at.c, g]
        there = PAD + at.t - lags[g] - REACH
        if lags[g] > 0:
            refresh_around(s, at, known, around, there)
        else:
            for d in range(AROUND):
                around[d] = 0.0
        for d in range(AROUND):
            row[wide + d] = around[d]
        wide += AROUND
        if o >= 0:
            for d in range(AROUND):
                row[wide + d] = np.float64(s.past.errors[o, there + d]) if lags[g] > 0 else 0.0
            wide += AROUND
    first = s.linear.said[0]
    return within(first + dot8(s.lookback.w[at.c], 0, row, 0, row.shape[0]), at.low, at.high) - first


@stage
def predict(s: Sound, at: Spot, lags: Ints1, looking: bool, known: Int) -> Opinion:
    """Predict a sample in all four stages. lags: (lags,), of this segment; looking: whether one of them is not 0; known: see `Opinion`."""
    predict_linear(s, at, known)
    said, cascade = s.linear.said, s.cascade
    predictors, filters = said.shape[0], cascade.length.shape[0]
    first, looked = said[0], 0.0
    if looking:
        looked = look_back(s, at, lags, known)
    opinions = s.stack.x[at.c, at.slot]
    for p in range(1, predictors):
        opinions[p - 1] = said[p] - first
    opinions[predictors - 1] = looked
    total, adding = first + looked, True
    for k in range(filters):  # stage 3
        n = cascade.length[k]
        place = at.t & (n - 1)
        ring = cascade.recent[k, at.c, place : place + n]
        q = within(np.float64(dot16(cascade.taps[k, at.c], 0, ring, n)), at.low - at.high, at.high - at.low)
        cascade.said[k] = q
        opinions[predictors + k] = q
        adding = adding and cascade.source[k] == 0
        if adding:
            total += q
    final = within(first + dot8(s.stack.w[at.c], 0, opinions, 0, opinions.shape[0]), at.low, at.high)  # stage 4
    return Opinion(first, looked, total, final, known)


@stage
def see(s: Sound, at: Spot, opinion: Opinion, unit: np.float32) -> None:
    """Fill in the context network's inputs. SPEC.md, "The context network", has the list. unit: see `contextnet.forward`."""
    f, misses, y = s.net.x, s.past.misses, F32(1) / unit
    i1, o, spread = PAD + at.t, s.past.partner[at.c], s.decisions.spread[at.c]
    n = 0
    for i in range(OWN_MISSES):
        f[n] = soft(misses[at.c, i1 - 1 - i] * y)
        n += 1
    for i in range(OTHER_MISSES):
        f[n] = soft(misses[o, i1 + opinion.known - 1 - i] * y) if o >= 0 else F32(0)
        n += 1
    opinions = s.stack.x[at.c, at.slot]
    for i in range(s.linear.said.shape[0] + s.cascade.length.shape[0]):
        f[n] = soft(F32(opinions[i]) * y)
        n += 1
    f[n] = F32(0.25 * log2(np.float64(unit)))
    f[n + 1] = F32(log2((spread[0] + 0.05) / (spread[1] + 0.05)))
    f[n + 2] = F32(log2((spread[2] + 0.05) / (spread[1] + 0.05)))
    f[n + 3] = F32(2.0 * (opinion.final - math.floor(opinion.final)) - 1.0)
    f[n + 4] = soft(F32(s.past.samples[at.c, i1 - 1] - opinion.final) * y)
    f[n + 5] = F32(opinion.known)


@stage
def describe(s: Sound, at: Spot, opinion: Opinion) -> Scene:
    """Set up the experts' logistics, and the quantiles and selections of a sample."""
    d, o = s.decisions, s.past.partner[at.c]
    spread = d.spread[at.c]
    d.mean[0] = opinion.final
    d.mean[1] = opinion.final
    d.mean[2] = opinion.final
    d.mean[3] = within(opinion.total, at.low, at.high)
    d.mean[4] = opinion.first
    d.mean[5] = s.linear.said[s.linear.said.shape[0] - 1]
    origin = np.float64(math.floor(opinion.final))
    begin_asking(d.masses)
    for k in range(EXPERTS):
        d.logistics[0, FIRST_LANE + k] = F32(d.mean[k] - origin)
        d.logistics[1, FIRST_LANE + k] = F32(1.0 / (SHARE * spread[k] + 0.03))
    if s.learning > 0.0:
        for k in range(cn.COMPONENTS):
            for i in range(3):
                d.logistics[i, k] = s.net.mixture[i, k]
    scale = 0.5 * SHARE * (spread[0] + spread[1]) + 0.02
    trend = int(min(max(4.0 + 2.0 * (log2(spread[0] + 0.05) - log2(spread[1] + 0.05)), 0.0), 7.0))
    size = int(min(max(2.0 * (log2(spread[1] + 0.03) + 5.0), 0.0), 31.0))
    beside = d.leaves[o] >> 1 if o >= 0 else LEAVES >> 2
    return Scene(opinion.final, np.int64(origin), scale, trend, size, d.leaves[at.c] >> 1, beside)


# --- code a sample ------------------------------------------------------------------------------------------------


@stage
def code_mixed(coder: BitCoder, d: Decisions, c: Int, node: Int, depth: Int, scene: Scene, bit: Int) -> Int:
    """Code a decision by experts and contexts through mixer and final maps, and learn it. Returns the decision.

    node: of the tree, or of a deviation; depth: how many decisions were before, at most 15; bit: the decision, to encode.
    """
    cell, slots, scratch = d.cell, d.slots[c], d.mixer
    cell[0] = node * 8 + scene.trend
    cell[1] = node * 16 + scene.before
    cell[2] = node * 16 + scene.beside
    cell[3] = node * 32 + (scene.size & 31)
    for i in range(CONTEXTS):
        scratch.inputs[CONTEXT_LANE + i] = mx.STRETCH[slots[i, cell[i]] >> 12]
    scratch.selected[0] = node
    scratch.selected[1] = scene.size * 8 + scene.trend
    scratch.selected[2] = depth * 16 + scene.beside
    scratch.selected[3] = depth * 16 + scene.before
    m = Mixer(d.weights[c], d.gates[c], d.maps[c], scratch.inputs, scratch.selected, scratch.dots, scratch.squashed)
    mixed = mx.mix(m)
    first, second = node * 8 + scene.trend, node * 16 + scene.beside
    pi = as_probability(mx.refine(m.maps, mixed, first, second))
    found = code_bit(coder, pi, bit)
    d.tally[0] += cost(pi, found)
    d.mixed[c] += 1
    mx.adjust(m, found, mixed, mx.rate_of(LEAST_RATE, d.mixed[c]))
    mx.calibrate(m.maps, found, mixed, first, second)
    for i in range(CONTEXTS):
        packed = slots[i, cell[i]]
        slots[i, cell[i]] = mx.moved(packed >> 8, packed & 255, found) << 8 | min((packed & 255) + 1, 250)
    return found


@stage
def gallop_edge(scene: Scene, gallop: Int, below: bool) -> float:
    """The edge of step `gallop`, from 1, beyond the lowest (`below`) or highest quantile; the steps double in length."""
    far = scene.scale * QUANTILES[LEAVES - 2] * (1.0 + 0.25 * np.float64(1 << gallop))
    return scene.final - far if below else scene.final + far


@shared
def code_edge(
    coder: BitCoder,
    d: Decisions,
    c: Int,
    scene: Scene,
    node: Int,
    depth: Int,
    edge: Int,
    bottom: Int,
    top: Int,
    value: Int,
) -> tuple[Int, Int, Int]:
    """Code whether a sample in bottom … top − 1 is at least `edge`, if that is open. Returns the decision, and what bottom and top become.

    node, depth: see `code_mixed`; value: the sample, to encode.
    """
    if edge <= bottom:
        bit: Int = 1
    elif edge >= top:
        bit = 0
    else:
        ask_all(F32(edge - scene.origin) - F32(0.5), d.logistics, d.masses, d.mixer.inputs)
        d.mixer.inputs[0] = F32(0.3)
        bit = code_mixed(coder, d, c, node, depth, scene, int(value >= edge))
        copy16(d.masses, LANES, d.masses, 0 if bit else 2 * LANES)
    if bit:
        bottom = max(bottom, edge)
    else:
        top = min(top, edge)
    return bit, bottom, top


@stage
def code_sample(coder: BitCoder, s: Sound, at: Spot, scene: Scene, step: float, value: Int) -> tuple[Int, Int]:
    """Code a sample: decisions in the tree of quantiles down to a leaf, steps beyond it if it is an outermost leaf, then inside the leaf.

    step: of which the sample is nearly a multiple, 0: none. If there is one, the decisions are between cells of multiples at first,
    and then inside a cell. value: the sample, to encode. Returns the sample and its leaf.
    """
    d = s.decisions
    bottom: Int = np.int64(at.low)  # bottom ≤ sample < top
    top: Int = np.int64(at.high) + 1
    a0, a1 = np.int64(0), np.int64(LEAVES)
    gallop, depth = 0, 0
    while True:
        split = a1 - a0 > 1
        if split:
            node = (a0 + a1) >> 1
            edge = np.int64(math.floor(scene.final + scene.scale * QUANTILES[node - 1] + 0.5))
        elif (a0 == 0 or a1 == LEAVES) and gallop < GALLOPS:
            gallop += 1
            node = np.int64(LEAVES + 2 * gallop + (0 if a0 == 0 else 1))
            edge = np.int64(math.floor(gallop_edge(scene, gallop, a0 == 0) + 0.5))
        else:
            break
        if step > 0.0:
            edge = np.int64(border(edge, step))
        bit, bottom, top = code_edge(coder, d, at.c, scene, node, min(depth, 7), edge, bottom, top, value)
        depth += 1
        if split:
            if bit:
                a0 = node
            else:
                a1 = node
        elif (a0 == 0) == (bit == 1):
            break
    if step > 0.0:
        low, high = code_cell(coder, d.tally, scene, bottom, top, step, value)
        low, high = code_stray(coder, s, at, scene, low, high, step, value)
        bottom, top = np.int64(low), np.int64(high)
    return code_inside(coder, d.tally, scene, bottom, top, value), a0


@shared
def side_of(scene: Scene, bottom: Int) -> float:
    """The side that `mass` is asked for, for a sample from `bottom` on: masses in a tail are then small numbers, which are precise."""
    return (1.0 if scene.final < bottom else -1.0) / scene.scale


@shared
def mass(scene: Scene, edge: Int, side: float) -> float:
    """The mass of one logistic on one side of an edge."""
    return sigmoid((scene.final - (edge - 0.5)) * side)


@shared
def share_above(below: float, middle: float, above: float) -> Int:
    """The probability, in units of 2^-16, that a sample between two edges is above a third. Takes the masses at the edges, see `mass`."""
    y = abs(middle - above) + 1e-9
    return min(max(int(y / (y + abs(below - middle) + 1e-9) * 65536.0), 1), 65535)


@stage
def code_inside(coder: BitCoder, tally: Floats1, scene: Scene, bottom: Int, top: Int, value: Int) -> Int:
    """Code which of bottom … top − 1 a sample is: MODELLED halvings by a logistic, the rest with even odds. Returns the sample.

    tally: (3,), see `Decisions`; value: the sample, to encode.
    """
    if top - bottom > 1:
        side = side_of(scene, bottom)
        below, above = mass(scene, bottom, side), mass(scene, top, side)
        splits = 0
        while top - bottom > 1:
            half = (bottom + top) >> 1
            if splits < MODELLED:
                middle = mass(scene, half, side)
                pi: Int = share_above(below, middle, above)
                splits += 1
                kind = 1
            else:
                middle = 0.0
                pi = ((top - half) << 16) // (top - bottom)
                kind = 2
            bit = code_bit(coder, pi, int(value >= half))
            tally[kind] += cost(pi, bit)
            if bit:
                bottom = half
                below = middle
            else:
                top = half
                above = middle
    return bottom


# --- near multiples of a step -------------------------------------------------------------------------------------


@stage
def step_at(steps: Steps, c: Int, t: Int) -> float:
    """The step of channel c in frame t; 0: there is none."""
    piece, i = steps.pieces[c, t // PIECE], t & (PIECE - 1)
    start, end, curve = piece[0], piece[1], piece[2]
    return np.float64(start * PIECE**2 + (end - start) * i * PIECE - curve * i * (PIECE - i)) * steps.unit


@shared
def border(edge: Int, step: float) -> Int:
    """The border between two cells that is nearest to an edge. A cell holds the integers that are nearest to one multiple of the step."""
    return np.int64(math.ceil((math.floor(edge / step + 1.0) - 0.5) * step))


@stage
def code_cell(coder: BitCoder, tally: Floats1, scene: Scene, bottom: Int, top: Int, step: float, value: Int) -> tuple[Int, Int]:
    """Code in which cell of bottom … top − 1 a sample lies, by halvings and one logistic. Returns what bottom and top become.

    tally: (3,), see `Decisions`; value: the sample, to encode.
    """
    side = side_of(scene, bottom)
    below, above = mass(scene, bottom, side), mass(scene, top, side)
    while True:
        half: Int = border((bottom + top) >> 1, step)
        if not bottom < half < top:
            break
        middle = mass(scene, half, side)
        pi = share_above(below, middle, above)
        bit = code_bit(coder, pi, int(value >= half))
        tally[1] += cost(pi, bit)
        if bit:
            bottom = half
            below = middle
        else:
            top = half
            above = middle
    return bottom, top


@stage
def code_stray(coder: BitCoder, s: Sound, at: Spot, scene: Scene, bottom: Int, top: Int, step: float, value: Int) -> tuple[Int, Int]:
    """Code how far a sample is from the multiple of the step in whose cell bottom … top − 1 lie. Returns what bottom and top become.

    Distances up to DEVIATION are decisions by experts, contexts and the mixer, as in `code_sample`; what is beyond is left open.
    value: the sample, to encode.
    """
    d, strays = s.decisions, s.steps.strays
    k = math.floor(bottom / step + 1.0)
    if math.ceil((k - 0.5) * step) > bottom:
        k -= 1
    centre = np.int64(math.floor(k * step + 0.5))
    apart = int((k * step + 0.5 - centre) * 16.0)  # 0 … 15, which side of the centre is nearer to the multiple
    far = min(int(2.0 * log2(1.0 + abs(k))), 15)
    beyond = 32 + (apart >> 2) * 8 + (far >> 1)
    place = Scene(scene.final, scene.origin, scene.scale, strays[at.c], beyond, far, apart)
    ask_all(F32(bottom - scene.origin) - F32(0.5), d.logistics, d.masses, d.mixer.inputs)
    copy16(d.masses, LANES, d.masses, 0)
    ask_all(F32(top - scene.origin) - F32(0.5), d.logistics, d.masses, d.mixer.inputs)
    copy16(d.masses, LANES, d.masses, 2 * LANES)
    edge, node = centre, np.int64(GALLOPED)
    up: Int = 0
    for i in range(DEVIATION + 1):
        bit, bottom, top = code_edge(coder, d, at.c, place, node, 8 + i, edge, bottom, top, value)
        if i == 0:
            up = bit
            node += 1 if up else 1 + DEVIATION
        elif bit != up or (i == DEVIATION - 1 and not up):
            break
        else:
            node += 1
        edge += 1 if up else -1
    return bottom, top


@stage
def learn_stray(strays: Ints1, c: Int, step: float, value: Int) -> None:
    """Learn how far a sample is from the nearest multiple of its step."""
    multiple = math.floor(value / step + 0.5) * step
    away: Int = abs(value - np.int64(math.floor(multiple + 0.5)))
    strays[c] = min(away, 3) << 1 | min(strays[c] >> 1, 1)


# --- learn --------------------------------------------------------------------------------------------------------


@stage
def learn_sample(s: Sound, at: Spot, opinion: Opinion, value: float) -> None:
    """Learn a sample: mean errors and LMS filters at once; weight, target and errors are kept for the end of the batch."""
    past, d, cascade, i1 = s.past, s.decisions, s.cascade, PAD + at.t
    past.samples[at.c, i1] = value
    for k in range(EXPERTS):
        d.spread[at.c, k] += (abs(value - d.mean[k]) - d.spread[at.c, k]) * RATES[k]
    past.misses[at.c, i1] = F32(value - opinion.final)
    for k in range(2):
        e = abs(value - (opinion.final if k else opinion.first))
        y = 1.0 / (0.5 + past.local[at.c, k] + 0.25 * e)
        past.local[at.c, k] += (e - past.local[at.c, k]) * 0.1
        past.weight[at.c, k, at.slot] = y * y
    past.target[at.c, at.slot] = value
    past.left[at.c, at.slot] = value - opinion.first
    past.errors[at.c, i1] = F32(value - opinion.first)
    rest = value - (opinion.first + opinion.looked)
    for k in range(cascade.length.shape[0]):
        if cascade.source[k] > 0:
            rest = value - s.linear.said[cascade.source[k] - 1]
        n, now = cascade.length[k], F32(rest)
        place = at.t & (n - 1)
        rest -= cascade.said[k]
        recent = cascade.recent[k, at.c]
        lms_learn(cascade.taps[k, at.c, :n], recent[place : place + n], cascade.power[k, at.c], rest, now, cascade.step[k])
        recent[place] = now
        recent[place + n] = now


@stage
def learn_batch(s: Sound, c: Int, batch: Int, lags: Int, looking: bool) -> None:
    """Learn a batch of a channel: add it to the sums of all least squares stages, and solve for their weights.

    batch: number of the batch in the tile; lags: of a segment; looking: whether one of the segment's lags is not 0.
    """
    past, linear, scratch = s.past, s.linear, s.linear.scratch
    each = OWN + OTHER if past.partner[c] >= 0 else OWN
    pr.sum_batch(linear.x[c], past.weight[c, 0], past.target[c], scratch, linear.most * each)
    for v in range(linear.every.shape[0]):
        n = linear.rounds[linear.first[v]] * each
        pr.fade_and_add_batch(linear.a[v, c], linear.b[v, c], scratch, n, linear.decay[v])
        if batch % linear.every[v] == 0:
            done = pr.reduce(linear.a[v, c], linear.b[v, c], scratch, n, RIDGE)
            for p in range(linear.first[v], linear.first[v + 1]):
                if linear.rounds[p] * each <= done:
                    pr.solve(linear.w[p, c], scratch, linear.rounds[p] * each)
    if looking:
        learn_stage(s.lookback, s, c, LOOK_DECAY, LOOK_RIDGE)
    learn_stage(s.stack, s, c, STACK_DECAY, STACK_RIDGE)


@shared
def learn_stage(r: Regression, s: Sound, c: Int, decay: float, ridge: float) -> None:
    """Add a batch to the sums of the look back or the stack, and solve for its weights."""
    n, scratch = r.b.shape[1], s.linear.scratch
    pr.sum_batch(r.x[c], s.past.weight[c, 1], s.past.left[c], scratch, n)
    pr.fade_and_add_batch(r.a[c], r.b[c], scratch, n, decay)
    if pr.reduce(r.a[c], r.b[c], scratch, n, ridge) == n:
        pr.solve(r.w[c], scratch, n)


# --- the tile -----------------------------------------------------------------------------------------------------


@kernel
def code_frames(coder: BitCoder, first: Int, last: Int, s: Sound, lags: Ints2, samples: Ints2) -> None:
    """Code frames first … last − 1 of a tile, in either direction, as if it had no steps.

    lags: (segments, lags of a segment), 0: none; samples: (channels, frames), which decoding fills in.
    """
    code_all(coder, first, last, s, lags, samples, False)


@kernel
def code_stepped_frames(coder: BitCoder, first: Int, last: Int, s: Sound, lags: Ints2, samples: Ints2) -> None:
    """The same, of a tile with steps. It is a kernel of its own, so that other sounds lose no time."""
    code_all(coder, first, last, s, lags, samples, True)


@stage
def code_all(coder: BitCoder, first: Int, last: Int, s: Sound, lags: Ints2, samples: Ints2, stepped: bool) -> None:
    """The loop of both kernels. stepped: whether the tile has steps."""
    past = s.past
    channels = past.partner.shape[0]
    for t in range(first, last):
        slot = t & (BATCH - 1)
        here = lags[t // SEGMENT]
        looking = False
        for g in range(here.shape[0]):
            looking = looking or here[g] > 0
        for c in range(channels):
            if s.decisions.read.shape[0] > 0:
                note_bits(coder.state, s.decisions.read[t], c)
            at = Spot(c, t, slot, past.low[c], past.high[c])
            known = 1 if 0 <= past.partner[c] < c else 0
            opinion = predict(s, at, here, looking, known)
            spread = s.decisions.spread[c]
            unit = F32(0.25 + 0.5 * (spread[0] + spread[1]))
            if s.learning > 0.0:
                see(s, at, opinion, unit)
                cn.forward(s.net, F32(opinion.final - math.floor(opinion.final)), unit)
            scene = describe(s, at, opinion)
            step = step_at(s.steps, c, t) if stepped else 0.0
            value, leaf = code_sample(coder, s, at, scene, step, samples[c, t] if coder.encoding else np.int64(0))
            if not coder.encoding:
                samples[c, t] = value
            s.decisions.leaves[c] = leaf
            if step > 0.0:
                learn_stray(s.steps.strays, c, step, value)
            learn_sample(s, at, opinion, np.float64(value))
            if s.learning > 0.0:
                cn.learn(s.net, F32(value - scene.origin), F32(0.5), value == at.low, value == at.high, unit, s.learning)
        if slot == BATCH - 1:
            for c in range(channels):
                learn_batch(s, c, t // BATCH, lags.shape[1], looking)
