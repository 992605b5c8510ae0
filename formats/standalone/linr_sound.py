"""Sounds in the profile `hybrid` of linr.py (SPEC.md, 16), in plain Python and NumPy, written from SPEC.md alone.

As in linr_hybrid.py, whose parts it uses, no step leaves the order of an addition to NumPy, except `np.add.accumulate`.
Samples are kept as f64, with zeros before the beginning of the tile: PAST of them are as many as any step looks at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from linr import ArithmeticDecoder, Head, Ints, Reader, Span, Words, atom, coded_integers, require
from linr_hybrid import (
    FIRST,
    LN2,
    NETWORK,
    UNITS,
    ContextNetwork,
    Doubles,
    Experts,
    Mixer,
    Mixture,
    Single,
    Singles,
    coin,
    dot,
    eliminated,
    log2,
    padded,
    read_blob,
    sigmoid,
    soft,
    softs,
    stretch_table,
    substituted,
)

SEGMENT = 2048  # frames
BATCH = 8  # frames
PIECE = 1024  # frames
PAST = 160
RATES = (1 / 16, 1 / 128, 1 / 1024, 1 / 32, 1 / 32, 1 / 32)  # of the mean errors of the logistics
STEEPNESS = [0.0] + [LN2 * (log2(i / 32) - log2(1 - i / 32)) for i in range(1, 32)]  # Q_i

# 16.1. The plan


@dataclass
class Window:
    """What the plan says of a window: the rounds of its predictors, the most first."""

    rounds: list[int]
    every: int
    decay: int


@dataclass
class Filter:
    """What the plan says of an LMS filter."""

    length: int
    source: int
    step: int


@dataclass
class Channel:
    """How the samples of a channel stand for its values."""

    largest: int
    zero: int
    least: int = 0
    table: Ints | None = None

    def values(self, samples: Ints) -> Ints:
        indices = samples + self.zero
        return self.table[indices] if self.table is not None else indices + self.least


@dataclass
class Plan:
    """HYBR of a sound, read and checked."""

    windows: list[Window]
    filters: list[Filter]
    lags: int
    units: int
    learning: int
    channels: list[Channel]  # several may be the same
    coded: list[tuple[Channel, int | None]]  # and the partners, by their numbers in this list
    steps: int  # 0: there are none

    @property
    def opinions(self) -> int:
        return sum(len(window.rounds) for window in self.windows) + len(self.filters)


def read_within(reader: Reader, least: int, most: int) -> int:
    """A byte."""
    byte = reader.byte()
    require(least <= byte <= most, "a setting of the plan is out of range")
    return byte


def read_window(reader: Reader) -> Window:
    sizes, every = read_within(reader, 1, 255), read_within(reader, 1, 128)
    require(every & (every - 1) == 0, "a window is not solved every 2^n batches")
    decay = reader.varint()
    require(1 <= decay <= 65536, "the decay of a window is out of range")
    return Window([rounds for rounds in range(8, 0, -1) if sizes >> (rounds - 1) & 1], every, decay)


def read_filter(reader: Reader, predictors: int) -> Filter:
    length, source = read_within(reader, 4, 12), read_within(reader, 0, predictors)
    step = reader.varint()
    require(1 <= step <= 1 << 20, "the step of a filter is out of range")
    return Filter(length, source, step)


def read_table(reader: Reader, largest: int, bits: int) -> Ints:
    """The values of the indices 0 … largest."""
    require(largest < 1 << 18, "a table is too large")
    size = reader.varint()
    require(size <= 5 * (largest + 1), "a table is too long")
    numbers = Reader(read_blob(reader, size))
    table = [numbers.varint()]
    for _ in range(largest):
        table.append(table[-1] + 1 + numbers.varint())
    numbers.finish()
    require(table[-1] < 1 << bits, "a table has values that are too large")
    return np.array(table, np.int64)


def read_channel(reader: Reader, before: Sequence[tuple[int, Channel]], bits: int) -> tuple[int, Channel]:
    """Its kind, and the channel."""
    kind = read_within(reader, 0, 2)
    if kind == 2:
        number = reader.byte()
        require(number < len(before), "the same values as those of a channel that is not earlier")
        require(before[number][0] != 2, "the same values as those of a channel that has none of its own")
        return kind, before[number][1]
    channel = Channel(reader.varint(), reader.varint())
    require(channel.zero <= channel.largest, "the zero of a channel is not within its indices")
    if kind == 1:
        channel.table = read_table(reader, channel.largest, bits)
    else:
        channel.least = reader.varint()
        require(channel.largest + channel.least < 1 << bits, "a channel has values that are too large")
    return kind, channel


def read_coded(reader: Reader, channels: Sequence[tuple[int, Channel]]) -> list[tuple[Channel, int | None]]:
    unnamed = {number for number, (kind, channel) in enumerate(channels) if kind != 2 and channel.largest > 0}
    count = len(unnamed)
    coded: list[tuple[Channel, int | None]] = []
    for own in range(count):
        number, partner = reader.byte(), reader.byte()
        require(number in unnamed, "a coded channel that is not there, or named twice")
        require(partner < count, "a partner that is not there")
        unnamed.remove(number)
        coded.append((channels[number][1], partner if partner != own else None))
    return coded


def read_plan(content: bytes, head: Head) -> Plan:
    """The content of HYBR."""
    require(len(head.axes) == 1 and head.channels <= 8 and head.bits <= 32, "not a sound for the profile hybrid")
    reader = Reader(content)
    read_within(reader, 3, 3)
    windows, filters = read_within(reader, 1, 4), read_within(reader, 0, 15)
    lags = read_within(reader, 0, 4)
    units, learning = reader.byte(), reader.byte()
    require(units in UNITS, "the number of units is out of range")
    require((learning == 0) == (units == 0), "learning without a network, or a network without learning")
    of_windows = [read_window(reader) for _ in range(windows)]
    predictors = sum(len(window.rounds) for window in of_windows)
    require(predictors + filters <= 16, "too many predictors and filters")
    of_filters = [read_filter(reader, predictors) for _ in range(filters)]
    require(reader.varint() == head.channels, "another number of channels than the signal has")
    channels: list[tuple[int, Channel]] = []
    for _ in range(head.channels):
        channels.append(read_channel(reader, channels, head.bits))
    coded = read_coded(reader, channels)
    rest = reader.rest()
    require(len(rest) == 0 or (len(rest) == 1 and 1 <= rest[0] <= 20), "the unit of steps is out of range, or bytes are left over")
    return Plan(of_windows, of_filters, lags, units, learning, [channel for _, channel in channels], coded, rest[0] if rest else 0)


# 16.2, 16.3. Tiles


def decode_tile(tile: bytes, span: Span, head: Head, plan: Plan) -> Words:
    """The values of a tile, those of a frame together."""
    frames = span[0].stop - span[0].start
    require(frames <= 1 << 24, "a tile is too long")
    samples: dict[int, Ints] = {}
    if plan.coded:
        reader = Reader(tile)
        lags = read_lags(reader, frames, plan.lags)
        steps = read_steps(reader, frames, len(plan.coded), plan.steps)
        decoder = TileDecoder(plan, frames, lags, steps, reader.rest())
        with np.errstate(all="ignore"):
            decoder.run()
        for (channel, _), of_channel in zip(plan.coded, decoder.channels, strict=True):
            samples[id(channel)] = of_channel.x[PAST:].astype(np.int64)
    else:
        require(not tile, "a tile of constant channels has content")
    constant = np.zeros(frames, np.int64)
    values = [channel.values(samples.get(id(channel), constant - channel.zero)) for channel in plan.channels]
    return np.stack(values, axis=1).reshape(-1).astype(np.uint64)


def read_lags(reader: Reader, frames: int, lags: int) -> list[list[int]]:
    """The lags of each segment."""
    segments = -(-frames // SEGMENT)
    if lags == 0:
        return [[]] * segments
    decoder = ArithmeticDecoder(reader.take(reader.varint()))
    found = np.stack([np.cumsum(coded_integers(decoder, segments)) for _ in range(lags)], axis=1)
    decoder.finish()
    for number, of_segment in enumerate(found):
        require(all(lag == 0 or 512 <= lag <= number * SEGMENT for lag in of_segment), "a lag is out of range")
    result: list[list[int]] = found.tolist()
    return result


Piece = tuple[int, int, int]  # start, end and curve of its steps


def read_steps(reader: Reader, frames: int, channels: int, shift: int) -> list[list[Piece]]:
    """The steps of each piece of each coded channel."""
    pieces = -(-frames // PIECE)
    if shift == 0:
        return [[(0, 0, 0)] * pieces] * channels
    decoder = ArithmeticDecoder(reader.take(reader.varint()))
    arrays = [[int(number) for number in coded_integers(decoder, pieces)] for _ in range(3 * channels)]
    decoder.finish()
    found: list[list[Piece]] = []
    for c in range(channels):
        of_channel = [(0, 0, 0)]
        for first, second, third in zip(*arrays[3 * c : 3 * c + 3], strict=True):
            start, end, curve = of_channel[-1]
            rise = end - start
            start = end + first
            if start == 0:
                require(second == third == 0, "steps change where there are none")
                end = curve = 0
            else:
                end, curve = start + rise + second, curve + third
                require(max(start, end, abs(curve)) < 1 << 31, "a step is too large")
                require(4 * min(start, end) - max(curve, 0) >= 8 << shift, "a step is below 2")
            of_channel.append((start, end, curve))
        found.append(of_channel[1:])
    return found


class TileDecoder:
    """Decodes the samples of a tile."""

    def __init__(self, plan: Plan, frames: int, lags: Sequence[Sequence[int]], steps: Sequence[Sequence[Piece]], string: bytes) -> None:
        self.frames, self.lags, self.steps, self.unit = frames, lags, steps, 2.0 ** -(20 + plan.steps)
        self.decoder = decoder = ArithmeticDecoder(string)
        network = first_network(30 + plan.opinions, plan.units, plan.learning, 0x6C696E72) if plan.units else None
        self.channels = [ChannelDecoder(plan, channel, frames, network, decoder) for channel, _ in plan.coded]
        for number, (channel, (_, partner)) in enumerate(zip(self.channels, plan.coded, strict=True)):
            if partner is not None:
                channel.join(plan, self.channels[partner], int(partner < number))

    def run(self) -> None:
        for t in range(self.frames):
            lags = self.lags[t // SEGMENT]
            for channel, steps in zip(self.channels, self.steps, strict=True):
                start, end, curve = steps[t // PIECE]
                i = t % PIECE
                step = float((start << 20) + ((end - start) * i << 10) - curve * i * (PIECE - i)) * self.unit
                channel.decode(PAST + t, lags if any(lags) else (), step)
            if t % BATCH == BATCH - 1:
                for channel in self.channels:
                    channel.learn_batch(t // BATCH)
        self.decoder.finish()


# 16.4, 16.10, 16.11. Prediction, and how it learns


def within(p: float, low: int, high: int) -> float:
    """The nearer limit, or p; low if p is not a number."""
    return min(p, float(high)) if p >= low else float(low)


class LeastSquares:
    """Sums over batches, and weights that are solved for."""

    def __init__(self, count: int, decay: float, ridge: float) -> None:
        self.decay, self.ridge = decay, ridge
        self.a = np.zeros((count, count))  # only the part with j ≥ i is ever used
        self.b = np.zeros(count)
        self.weights = np.zeros(count)

    def predict(self, regressors: Doubles) -> float:
        return float(dot(self.weights, regressors, 8))

    def learn(self, regressors: Sequence[Doubles], weights: Sequence[float], targets: Sequence[float]) -> None:
        d, e = np.zeros_like(self.a), np.zeros_like(self.b)
        for x, weight, target in zip(regressors, weights, targets, strict=True):
            weighted = weight * x
            d += np.multiply.outer(weighted, x)
            e += weighted * target
        self.a = self.a * self.decay + d
        self.b = self.b * self.decay + e

    def reduce(self) -> tuple[Doubles, Doubles, list[float]]:
        """What is left of the system, and the inverse pivots."""
        u, z = self.a.copy(), self.b.copy()
        u[np.diag_indices_from(u)] += self.ridge
        return u, z, eliminated(u, z)

    def solve(self) -> None:
        u, z, inverse = self.reduce()
        if len(inverse) == len(z):
            self.weights = substituted(u, z, inverse, len(z))


class Predictors(LeastSquares):
    """The least squares predictors of a window; `each`: regressors of a round."""

    def __init__(self, window: Window, each: int) -> None:
        self.counts = [rounds * each for rounds in window.rounds]
        super().__init__(self.counts[0], window.decay * 2.0**-16, 0.005)
        self.rounds, self.every = window.rounds, window.every
        self.of_each = [np.zeros(count) for count in self.counts]
        for weights in self.of_each:
            weights[15] = 1.0

    def predictions(self, regressors: Doubles) -> list[float]:
        return [float(dot(weights, regressors[:count], 8)) for weights, count in zip(self.of_each, self.counts, strict=True)]

    def solve(self) -> None:
        u, z, inverse = self.reduce()
        for i, count in enumerate(self.counts):
            if count <= len(inverse):
                self.of_each[i] = substituted(u, z, inverse, count)


class LeastMeanSquares:
    """An LMS filter."""

    def __init__(self, settings: Filter, span: int) -> None:
        self.span = span  # high − low
        self.count = 1 << settings.length
        self.source = settings.source
        self.step = settings.step * 2.0**-20
        self.weights = np.zeros(self.count, np.float32)
        self.inputs = np.zeros(self.count, np.float32)
        self.q = 0.0
        self.alpha = self.beta = self.gamma = 0.0

    def predict(self) -> float:
        self.q = within(float(dot(self.weights, self.inputs, 16)), -self.span, self.span)
        return self.q

    def learn(self, rho: float) -> float:
        """What is left for the next filter."""
        latest = Single(rho)
        i = float(latest)
        rho = rho - self.q
        self.alpha += (rho * rho - self.alpha) * 0.02
        self.beta += (i * i - self.beta) * 0.02
        self.gamma += (i * i - self.gamma) / self.count
        limited = min(max(rho / (math.sqrt(self.alpha) + 0.1), -2.0), 2.0)
        h = Single((self.step * limited) / (math.sqrt(max(self.beta, self.gamma)) + 0.1))
        self.weights += h * self.inputs
        self.inputs = np.append(self.inputs[1:], latest)
        return rho


def first_network(inputs: int, units: int, learning: int, seed: int) -> ContextNetwork:
    """What a context network without a prior begins with."""
    shapes = [(inputs + 1, units), (units + 1, units), (units + 1, 16)]
    entries = atom(0, sum(rows * columns for rows, columns in shapes), seed)
    matrices = []
    start = 0
    for (rows, columns), shift in zip(shapes, (5, 5, 8), strict=True):
        matrix = entries[start : start + rows * columns].reshape(rows, columns).astype(np.float32) * Single(2.0**-shift)
        matrix[-1] = 0
        start += rows * columns
        matrices.append(matrix)
    matrices[2][-1, 4:12] = [-0.5, 0, 0, 0.5, -2, -1, 0, 1]
    return ContextNetwork(matrices, learning)


# 16.8. The mixer


CONTEXTS = FIRST + 6  # the first lane of the contexts


class SoundMixer(Mixer):
    """The mixer of a channel, with its four contexts."""

    def __init__(self, rows: int, networked: bool) -> None:
        weights = np.zeros(16, np.float32)
        weights[FIRST : CONTEXTS + 4] = Single(1 / 11)
        weights[NETWORK] = Single(1 / 11) if networked else 0
        weights[FIRST] = Single(0.7)
        super().__init__(weights, rows, 0.003)
        self.states: list[dict[int, tuple[int, int]]] = [{} for _ in range(4)]  # e and n, where they are not the first ones

    def decode(
        self, decoder: ArithmeticDecoder, experts: Singles, contexts: Sequence[int], rows: Sequence[int], first: int, second: int
    ) -> int:
        states = [of_context.get(place, (32768, 0)) for of_context, place in zip(self.states, contexts, strict=True)]
        inputs = experts.copy()
        inputs[0] = Single(0.3)
        inputs[CONTEXTS : CONTEXTS + 4] = stretch_table()[[e >> 4 for e, _ in states]]
        bit = self.mix(decoder, inputs, rows, first, second)
        for of_context, place, (e, n) in zip(self.states, contexts, states, strict=True):
            rate = 131072 // (2 * n + 3)
            e += (65535 - e) * rate >> 16 if bit else -(e * rate >> 16)
            of_context[place] = e, min(n + 1, 250)
        return bit


# 16.3 to 16.12. Channels


def border(edge: int, step: float) -> int:
    """The border of two cells that is nearest to an edge (16.12)."""
    return math.ceil((math.floor(edge / step + 1) - 0.5) * step)


def limited_int(x: float, most: int) -> int:
    return int(min(max(x, 0.0), float(most)))


@dataclass
class Remembered:
    """What a batch learns of a frame."""

    weights: list[float]  # by the errors of P_0 and of pf
    value: float
    difference: float  # from P_0
    regressors: list[Doubles]  # of each window
    far: Doubles  # those of the lags
    opinions: Doubles


class ChannelDecoder:
    """Decodes the samples of a channel. The number of a frame is that of its place in x: PAST more than t."""

    def __init__(self, plan: Plan, channel: Channel, frames: int, network: ContextNetwork | None, decoder: ArithmeticDecoder) -> None:
        self.low, self.high = -channel.zero, channel.largest - channel.zero
        self.network, self.decoder = network, decoder
        self.x = np.zeros(PAST + frames)
        self.errors = np.zeros(PAST + frames, np.float32)  # E
        self.misses = np.zeros(PAST + frames, np.float32)  # M
        self.partner: ChannelDecoder | None = None
        self.known = 0
        self.each = 16
        self.windows = [Predictors(window, self.each) for window in plan.windows]
        self.far = LeastSquares(-(-5 * plan.lags // 8) * 8, 0.9607, 0.2)
        self.filters = [LeastMeanSquares(settings, channel.largest) for settings in plan.filters]
        self.together = LeastSquares(-(-plan.opinions // 8) * 8, 0.994, 0.5)
        self.mean_errors = [30.0] * 6
        self.leaf = 16
        self.strays = 0
        self.distances = [100.0, 100.0]  # D, of P_0 and of pf
        self.mixer = SoundMixer(1024, network is not None)
        self.batch: list[Remembered] = []

    def join(self, plan: Plan, partner: ChannelDecoder, known: int) -> None:
        """Make it one that has a partner."""
        self.partner, self.known = partner, known
        self.each = 24
        self.windows = [Predictors(window, self.each) for window in plan.windows]
        self.far = LeastSquares(-(-10 * plan.lags // 8) * 8, 0.9607, 0.2)

    def within(self, p: float) -> float:
        return within(p, self.low, self.high)

    # Prediction

    def regressors(self, t: int, rounds: int) -> Doubles:
        found = []
        for r in range(1, rounds + 1):
            found.append(self.x[t - 16 * r : t - 16 * r + 16])
            if self.partner is not None:
                first = t - 8 * r + self.known
                found.append(self.partner.x[first : first + 8])
        return np.concatenate(found)

    def far_regressors(self, t: int, lags: Sequence[int]) -> Iterator[float]:
        rounds, weights = self.windows[0].rounds[0], self.windows[0].of_each[0]
        for lag in lags:
            near = range(t - lag - 2, t - lag + 3)
            for u in near:
                yield float(self.x[u] - dot(weights, self.regressors(u, rounds), 8)) if lag else 0.0
            if self.partner is not None:
                for u in near:
                    yield float(self.partner.errors[u]) if lag else 0.0

    def decode(self, t: int, lags: Sequence[int], step: float) -> None:
        """The sample of frame t. No lags: all are 0."""
        regressors = [self.regressors(t, window.rounds[0]) for window in self.windows]
        predictions = [self.within(p) for window, x in zip(self.windows, regressors, strict=True) for p in window.predictions(x)]
        nearest = predictions[0]
        far = padded(np.array(list(self.far_regressors(t, lags))), 8)
        looked = self.within(nearest + self.far.predict(far)) - nearest if lags else 0.0
        of_filters = [one.predict() for one in self.filters]
        opinions = padded(np.array([p - nearest for p in predictions[1:]] + [looked, *of_filters]), 8)
        total = nearest + looked
        for one, q in zip(self.filters, of_filters, strict=True):
            if one.source:
                break
            total = total + q
        pf = self.within(nearest + self.together.predict(opinions))

        means = [pf, pf, pf, self.within(total), nearest, predictions[-1]]
        unit = Single(0.25 + 0.5 * (self.mean_errors[0] + self.mean_errors[1]))
        mixture = None
        if self.network is not None:
            inputs = self.network_inputs(t, pf, unit, opinions[: len(predictions) + len(of_filters)])
            mixture = Mixture(self.network.outputs(inputs), Single(pf - math.floor(pf)), unit)
        value = self.decode_value(means, mixture, step)
        if step > 0:
            away = abs(value - math.floor(math.floor(value / step + 0.5) * step + 0.5))
            self.strays = 2 * min(away, 3) + min(self.strays >> 1, 1)
        self.x[t] = v = float(value)

        for i, rate in enumerate(RATES):
            self.mean_errors[i] += (abs(v - means[i]) - self.mean_errors[i]) * rate
        self.misses[t] = Single(v - pf)
        if self.network is not None and mixture is not None:
            self.network.learn(mixture.gradient(Single(value - math.floor(pf)), value == self.low, value == self.high))
        omegas = []
        for i, p in enumerate((nearest, pf)):
            e = abs(v - p)
            omegas.append(1 / (0.5 + self.distances[i] + 0.25 * e))
            self.distances[i] += (e - self.distances[i]) * 0.1
        self.errors[t] = Single(v - nearest)
        rho = v - (nearest + looked)
        for one in self.filters:
            rho = one.learn(v - predictions[one.source - 1] if one.source else rho)
        self.batch.append(Remembered([omega * omega for omega in omegas], v, v - nearest, regressors, far, opinions))

    def learn_batch(self, number: int) -> None:
        first, weights = ([frame.weights[i] for frame in self.batch] for i in range(2))
        values = [frame.value for frame in self.batch]
        differences = [frame.difference for frame in self.batch]
        for i, window in enumerate(self.windows):
            window.learn([frame.regressors[i] for frame in self.batch], first, values)
            if number % window.every == 0:
                window.solve()
        if len(self.batch[0].far):
            self.far.learn([frame.far for frame in self.batch], weights, differences)
            self.far.solve()
        self.together.learn([frame.opinions for frame in self.batch], weights, differences)
        self.together.solve()
        self.batch = []

    def network_inputs(self, t: int, pf: float, unit: Single, opinions: Doubles) -> Singles:
        """The inputs of the context network (16.6)."""
        y = Single(1) / unit
        s0, s1, s2 = self.mean_errors[:3]
        errors = [self.misses[t - 16 : t][::-1], np.zeros(8, np.float32), opinions.astype(np.float32)]
        if self.partner is not None:
            errors[1] = self.partner.misses[t + self.known - 8 : t + self.known][::-1]
        measures = [
            0.25 * log2(float(unit)),
            log2((s0 + 0.05) / (s1 + 0.05)),
            log2((s2 + 0.05) / (s1 + 0.05)),
            2 * (pf - math.floor(pf)) - 1,
        ]
        last = soft(Single(float(self.x[t - 1]) - pf) * y)
        return np.concatenate([softs(np.concatenate(errors) * y), np.array([*measures, last, self.known]).astype(np.float32)])

    # The bits

    def decode_value(self, means: Sequence[float], mixture: Mixture | None, step: float) -> int:
        pf = means[0]
        s0, s1 = self.mean_errors[:2]
        scale = 0.275 * (s0 + s1) + 0.02
        trend = limited_int(4 + 2 * (log2(s0 + 0.05) - log2(s1 + 0.05)), 7)
        size = limited_int(2 * (log2(s1 + 0.03) + 5), 31)
        before = self.leaf >> 1
        beside = 8 if self.partner is None else self.partner.leaf >> 1
        origin = math.floor(pf)
        experts = Experts(mixture, [mean - origin for mean in means], [1 / (0.55 * s + 0.03) for s in self.mean_errors])
        bottom, top = self.low, self.high + 1
        first, last, g, depth = 0, 32, 0, 0
        while True:
            inner = last - first > 1
            if inner:
                node = (first + last) >> 1
                edge = math.floor(pf + scale * STEEPNESS[node] + 0.5)
            elif (first == 0 or last == 32) and g < 12:
                g += 1
                far = (scale * STEEPNESS[31]) * (1 + 0.25 * 2**g)
                node = 32 + 2 * g if first == 0 else 33 + 2 * g
                edge = math.floor((pf - far if first == 0 else pf + far) + 0.5)
            else:
                break
            if step > 0:
                edge = border(edge, step)
            contexts = (8 * node + trend, 16 * node + before, 16 * node + beside, 32 * node + size)
            rows = (node, 8 * size + trend, 16 * min(depth, 7) + beside, 16 * min(depth, 7) + before)
            bit, bottom, top = self.decide(experts, edge, origin, (bottom, top), contexts, rows)
            depth += 1
            if inner:
                first, last = (node, last) if bit else (first, node)
            elif bit == (first == 0):
                break
        self.leaf = first
        if step > 0:
            bottom, top = self.cell(bottom, top, pf, scale, step)
            bottom, top = self.around_multiple(bottom, top, experts, origin, step)
        return self.inside(bottom, top, pf, scale)

    def decide(
        self, experts: Experts, edge: int, origin: int, span: tuple[int, int], contexts: tuple[int, ...], rows: tuple[int, ...]
    ) -> tuple[int, int, int]:
        """Whether the sample is `edge` or above, of which span may leave no doubt: the decision, and what bottom and top become."""
        bottom, top = span
        if edge <= bottom:
            bit = 1
        elif edge >= top:
            bit = 0
        else:
            stretched = experts.ask(edge - origin)
            bit = self.mixer.decode(self.decoder, stretched, contexts, rows, contexts[0], contexts[2])
            experts.move(bit)
        return (bit, max(bottom, edge), top) if bit else (bit, bottom, min(top, edge))

    def cell(self, bottom: int, top: int, pf: float, scale: float, step: float) -> tuple[int, int]:
        """The cell of the sample (16.12): what bottom and top become."""
        sigma = 1 / scale if pf < bottom else -1 / scale

        def z(a: int) -> float:
            return sigmoid((pf - (a - 0.5)) * sigma)

        z_bottom, z_top = z(bottom), z(top)
        while bottom < (half := border((bottom + top) >> 1, step)) < top:
            z_half = z(half)
            y = abs(z_half - z_top) + 1e-9
            if self.decoder.bit(coin(y / ((y + abs(z_bottom - z_half)) + 1e-9))):
                bottom, z_bottom = half, z_half
            else:
                top, z_top = half, z_half
        return bottom, top

    def around_multiple(self, bottom: int, top: int, experts: Experts, origin: int, step: float) -> tuple[int, int]:
        """How far the sample is from the multiple of the step in its cell (16.12): what bottom and top become."""
        k = math.floor(bottom / step + 1)
        if math.ceil((k - 0.5) * step) > bottom:
            k -= 1
        centre = math.floor(k * step + 0.5)
        apart = int(((k * step + 0.5) - centre) * 16)
        far = min(int(2 * log2(1.0 + abs(k))), 15)
        place = 8 * (apart >> 2) + (far >> 1)
        experts.ask(bottom - origin)
        experts.move(1)
        experts.ask(top - origin)
        experts.move(0)
        edge, node, up = centre, 58, 0
        for i in range(4):
            contexts = (8 * node + self.strays, 16 * node + far, 16 * node + apart, 32 * node + place)
            rows = (node, 8 * (32 + place) + self.strays, 16 * (8 + i) + apart, 16 * (8 + i) + far)
            bit, bottom, top = self.decide(experts, edge, origin, (bottom, top), contexts, rows)
            if i == 0:
                up, node = bit, 59 if bit else 62
            elif bit != up or (i == 2 and not up):
                break
            else:
                node += 1
            edge += 1 if up else -1
        return bottom, top

    def inside(self, bottom: int, top: int, pf: float, scale: float) -> int:
        """The sample that is at least bottom, and below top."""
        sigma = 1 / scale if pf < bottom else -1 / scale

        def z(a: int) -> float:
            return sigmoid((pf - (a - 0.5)) * sigma)

        done = 0
        z_bottom, z_top = z(bottom), z(top)
        while top - bottom > 1:
            half = (bottom + top) >> 1
            z_half = z(half)
            if done < 3:
                y = abs(z_half - z_top) + 1e-9
                p = coin(y / ((y + abs(z_bottom - z_half)) + 1e-9))
            else:
                p = ((top - half) << 16) // (top - bottom)
            done += 1
            if self.decoder.bit(p):
                bottom, z_bottom = half, z_half
            else:
                top, z_top = half, z_half
        return bottom
