"""One brick of an array: values ↔ bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ....compression import compress, decompress
from ....container import Reader, varint
from ....errors import FormatError
from ....kernels import contextnet, functions, mixer, picture, volume
from ....kernels.coder import Input, Output
from ....kernels.contextnet import RATE_UNIT
from ....kernels.lanes import LANES, padded
from ....kernels.noting import costs_of
from ....kernels.picture import HALVINGS, KINDS
from ....kernels.volume import (
    BIASES,
    BLOCK,
    CONTEXT_LANE,
    DERIVED,
    EXTRAS,
    FIRST_LANE,
    FLAGS,
    LEVELS,
    MARKS,
    NETWORK_LANE,
    PATTERNS,
    PREDICTORS,
    SAYINGS,
    TRIPLES,
    Geometry,
    Memory,
    Model,
    Scale,
    State,
    Sums,
    code_rows,
)
from ....values import Values, value_type
from ...base import Bits, Ordered, Tick, evenly
from ...stored import as_bytes, from_bytes, width_of
from . import contexts, mirror, taps
from . import plan as plans
from .plan import CODED, DECAYS, RAW, BrickModel, BrickPlan

STEP = 1 << 12  # places that a kernel codes before progress is reported
MOST_BITS = 2 * plans.CODED_BITS + 16  # the most decisions that code one value
LOW_QUALITY = 5  # of Brotli, for bits below those of the integers: most are noise
SEED = 1  # of the network's first weights
MOST_PADDED, LEAST_PLACES = 4, 1 << 16  # places in memory: so many for each place, and so many more
LEAST_LINES = 1 << 6
LEAST_SUMS, SUMS_OF_PLACE, MOST_SUMS = 1 << 21, 1 << 8, 1 << 27  # bytes of sums: of a channel, for each place, in all
SPENT = ("side", "distance", "halving", "without a model")  # what bits are spent on
Tally = npt.NDArray[np.float64]  # (4,) bits by what they were spent on
SPREAD = np.ldexp(np.tile([1.0, 1.4142135623730951], LEVELS // 2), np.arange(LEVELS) // 2 - 2)  # 2^(level/2 − 2), without libm


class Slices(NamedTuple):
    """A brick's slices: how many of each channel, and rows and columns of each."""

    steps: int
    height: int
    width: int


def slices_of(shape: tuple[int, ...], model: BrickModel) -> Slices:
    """The slices of one channel of a brick. shape: of its coordinate axes, without what a mirror gives."""
    sizes = [shape[axis] for axis in model.order]
    flat = 1 if model.in_rows else 2
    return Slices(math.prod(sizes[:-flat]), sizes[-2] if flat == 2 else 1, sizes[-1])


def _wrapped(number: int) -> int:
    """A number modulo 2^64, as a signed integer: a file may tell of floats that there are not."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def scale_of(plan: BrickPlan, floats: Ordered | None) -> Scale:
    """What the integers of a brick stand for. floats: what values stand for."""
    table = np.zeros(0)
    stored, least, offset, step = 0, 0, 0, 1
    if floats is not None:
        stored, least = floats.format
        offset, step = _wrapped(floats.offset + plan.least * floats.step), floats.step << plan.low
    if plan.table is not None:
        table = _reals(plan.table, floats, offset, plan.grain)
        stored = 0
    largest = plan.largest >> plan.low
    sc = Scale(table, stored, least, offset, step, plan.grain, largest, 0.0, 0.0)
    low, high = reals_of(np.array([0, largest]), sc)
    return sc._replace(low=float(low), high=float(high))


def reals_of(integers: npt.NDArray[np.int64], sc: Scale) -> npt.NDArray[np.float64]:
    """The real numbers of integers, (n,)."""
    found = np.zeros(len(integers))
    volume.fill_reals(integers, sc, found)
    return found


def _reals(table: npt.NDArray[np.uint64], floats: Ordered | None, offset: int, grain: int) -> npt.NDArray[np.float64]:
    """The real numbers of the values of a table."""
    if floats is None:
        return table.astype(np.float64)
    stored, least = floats.format
    sc = Scale(np.zeros(0), stored, least, offset, floats.step, grain, 0, 0.0, 0.0)
    return reals_of(table.view(np.int64), sc)


def blocks_of(slices: Slices) -> tuple[int, int]:
    """Blocks of columns, and of rows, of a slice. A slice of one row has one block."""
    return -(-slices.width // BLOCK) if slices.height > 1 else 1, -(-slices.height // BLOCK)


def sums_of(regressors: int, few: int, slices: Slices, decay: tuple[float, float, float]) -> Sums:
    """Fresh least squares predictors. regressors, few: how many there are, and how many the predictors by few have."""
    m, zeros = padded(regressors, 8), np.zeros
    (blocks, rows), n = blocks_of(slices), m * m + m
    return Sums(
        few=few,
        taken=regressors,
        decay=np.array(decay),
        x=zeros((BLOCK, m)),
        f=zeros(BLOCK),
        y=zeros(BLOCK),
        fast=zeros((blocks + 2, n)),
        slow=zeros((blocks + 2, n)),
        now=zeros((blocks, n)),
        past=zeros((rows + 2, blocks + 2, n)),
        sum=zeros(n),
        w=zeros((PREDICTORS, m)),
        old=zeros((blocks, m)),
        weighted=zeros(BLOCK * m),
        d=zeros((m, m)),
        u=zeros((m, m)),
        z=zeros(m),
        inverse=zeros(m),
        solved=zeros(m),
    )


def first_weights(count: int, networked: bool) -> npt.NDArray[np.float32]:
    """(inputs,) the first weights of the mixer's sums. count: of contexts; networked: whether there is a network."""
    found = np.zeros(padded(CONTEXT_LANE + 2 * count), np.float32)
    found[FIRST_LANE : FIRST_LANE + SAYINGS] = (0.6 if networked else 0.8) / SAYINGS
    found[CONTEXT_LANE : CONTEXT_LANE + 2 * count] = 0.05
    if networked:
        found[NETWORK_LANE] = 0.3
    return found


def state_of(groups: int, width: int, m: BrickModel) -> State:
    """What is adapted beside the rest, before the first value. groups: of taps; width: of a slice."""
    logistics, masses = np.zeros((4, LANES), np.float32), np.zeros((3, LANES), np.float32)
    masses[2] = 1
    logistics[3, NETWORK_LANE] = m.units > 0
    logistics[3, FIRST_LANE : FIRST_LANE + SAYINGS] = 1
    return State(
        said=np.zeros(SAYINGS),
        means=np.zeros(groups),
        spread=np.tile(SPREAD, (SAYINGS, 1)),
        errors=np.ones((2, width + 2, PREDICTORS)),
        biases=np.zeros((BIASES, max(PATTERNS, TRIPLES))),
        bias_at=np.zeros(BIASES, np.int64),
        numbers=np.zeros(DERIVED, np.int64),
        items=contexts.items(m.contexts),
        logistics=logistics,
        masses=masses,
        flags=np.full(FLAGS, 0.9, np.float32),
        marks=np.full(MARKS, 0.5, np.float32),
        counters=np.zeros(3, np.int64),
        tally=np.zeros((KINDS + 1, 2)),
        sines=picture.SINES,
    )


def geometry_of(slices: Slices, channels: int, row: bool) -> Geometry:
    """The slices in memory. row: whether slices are rows."""
    rows, columns = taps.ROW_PAD if row else taps.PAD
    stride = slices.width + 2 * columns
    return Geometry(slices.height, slices.width, rows, columns, stride, (slices.height + 2 * rows) * stride, channels)


class Brick:
    """Codes the integers of one brick, once, in one of both directions.

    plan: its head; floats: what values stand for; shape: of its coordinate axes, without what a mirror gives.
    """

    def __init__(self, plan: BrickPlan, floats: Ordered | None, shape: tuple[int, ...], channels: int) -> None:
        functions.check_subnormals()
        self.plan, self.channels, self.slices = plan, channels, slices_of(shape, plan.model)
        m = plan.model
        self.geometry = g = geometry_of(self.slices, channels, m.in_rows)
        places = (self.slices.steps * channels + 1) * g.slice
        self.memory = Memory(np.zeros(places, np.int64), np.zeros(places), np.zeros(places), np.zeros(places, np.uint8), np.zeros(0))
        scale, count = scale_of(plan, floats), len(contexts.SETS[m.contexts])
        self.models: list[Model] = []
        for channel in range(channels):
            found, few = taps.taps_of(m.size, m.in_rows, taps.lags_of(m.lags, channel, channels))
            sums = sums_of(len(found.where), few, self.slices, DECAYS[m.decay])
            self.models.append(
                Model(
                    geometry=g,
                    scale=scale,
                    specials=np.array(plan.specials, np.int64),
                    taps=found,
                    sums=sums,
                    net=contextnet.seeded(sums.x.shape[1] + EXTRAS, m.units, SEED),
                    units=m.units,
                    learning=m.learning * RATE_UNIT,
                    contexts=mixer.contexts(count, 1 << m.lines),
                    mixer=mixer.mixer(first_weights(count, m.units > 0), mixer.LEAST_MAPS),
                    state=state_of(len(found.start), self.slices.width, m),
                )
            )

    def inside(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What an array of memory has of the slices, (steps, channels, height, width): a view."""
        g = self.geometry
        slices = flat.reshape(-1, g.slice // g.stride, g.stride)[1:]
        steps = slices.reshape(self.slices.steps, self.channels, *slices.shape[1:])
        return steps[:, :, g.rows : g.rows + g.height, g.columns : g.columns + g.width]

    def run(self, coder: Input | Output, tick: Callable[[float], None]) -> None:
        """Code all rows. tick: see `profiles.base.Tick`."""
        total = self.slices.steps * self.slices.height
        rows = max(1, STEP // self.slices.width)
        for number in range(self.slices.steps if self.channels > 1 else 1):
            for channel, model in enumerate(self.models):
                start = (number * self.channels + channel) * self.slices.height
                stop = start + (self.slices.height if self.channels > 1 else total)
                for first in range(start, stop, rows):
                    last = min(first + rows, stop)
                    code_rows(coder.coder((last - first) * self.slices.width * MOST_BITS), model, self.memory, first, last)
                    tick((last - first) / (total * self.channels))

    def note(self) -> None:
        """Let `run` note what each value takes, for `costs`. Only while decoding."""
        self.memory = self.memory._replace(read=np.zeros(len(self.memory.marks)))

    def costs(self, stream: Input) -> npt.NDArray[np.float64]:
        """The bits of each value, (steps, channels, height, width), after `run`."""
        return costs_of(self.inside(self.memory.read), stream.bits)

    def tally(self) -> Tally:
        """The bits by what they were spent on."""
        kinds = np.sum([model.state.tally[:, 0] for model in self.models], 0)
        return np.array([kinds[0], kinds[1:HALVINGS].sum(), kinds[HALVINGS:KINDS].sum(), kinds[KINDS]])


def _arranged(values: npt.NDArray[Any], model: BrickModel, slices: Slices) -> npt.NDArray[Any]:
    """Values (axes…, channels) as slices, (steps, channels, height, width)."""
    moved = values.transpose(*model.order, values.ndim - 1)
    return np.moveaxis(moved.reshape(*slices, values.shape[-1]), -1, 1)


def _restored(arranged: npt.NDArray[Any], model: BrickModel, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The inverse of `_arranged`. shape: of the coordinate axes."""
    moved = np.moveaxis(arranged, 1, -1).reshape(*(shape[axis] for axis in model.order), arranged.shape[1])
    return moved.transpose(*np.argsort(model.order), len(shape))


def encode_raw(values: Values, bits: int) -> bytes:
    """A brick without a model: its values, each in as few bytes as hold so many bits, the lowest first."""
    return bytes([RAW]) + as_bytes(values, bits).tobytes()


def encode(values: Values, plan: BrickPlan, floats: Ordered | None, tick: Callable[[float], None]) -> bytes:
    """A brick's bytes by a plan, which must fit it. values: (axes…, channels) unsigned; floats: see `Subject.floats`."""
    folded = mirror.fold(values, plan.mirror)
    shifted = folded - folded.dtype.type(plan.least)
    integers = np.searchsorted(plan.table, shifted.ravel()).reshape(shifted.shape) if plan.table is not None else shifted
    head = bytes([CODED]) + plans.write(plan, floats is not None)
    if not plan.largest:
        return head
    brick = Brick(plan, floats, folded.shape[:-1], values.shape[-1])
    arranged = _arranged(integers, plan.model, brick.slices)
    coded = brick.inside(brick.memory.integers)
    coded[:] = (arranged >> arranged.dtype.type(plan.low)).astype(np.int64)
    marks = brick.inside(brick.memory.marks)
    for i, special in enumerate(plan.specials):
        marks[coded == special] = i + 1
    output = Output()
    brick.run(output, tick)
    low = b""
    if plan.low:
        packed = compress(np.ascontiguousarray(arranged & arranged.dtype.type((1 << plan.low) - 1), np.uint8).tobytes(), LOW_QUALITY)
        low = varint(len(packed)) + packed
    return head + low + output.finish()


def decode(
    data: bytes, box: tuple[tuple[int, ...], int], bits: int, floats: Ordered | None, tick: Tick, costs: Bits | None = None
) -> tuple[Values, Tally]:
    """The values of a brick, (axes…, channels), and the bits by what they were spent on. Raises FormatError.

    box: shape of its coordinate axes, and channels; bits: of the values; costs: (channels + 1, axes…) zeros, filled in with the bits of
    each value, and of the low bits of each place. The twins that a mirror gives take none.
    """
    shape, channels = box
    r = Reader(data, plans.WHAT)
    kind, nothing = r.byte(), np.zeros(len(SPENT))
    if kind == RAW:
        count = math.prod(shape) * channels
        raw = r.take(count * width_of(bits))
        r.end()
        if costs is not None:
            costs[:channels] = evenly(8 * len(raw), costs[:channels].shape)
        return from_bytes(raw, count, bits, False, plans.WHAT).reshape(*shape, channels), nothing
    if kind != CODED:
        raise FormatError("damaged: a brick has an unknown setting")
    plan = plans.read(r, shape, bits, floats is not None)
    inner = mirror.folded_shape(shape, plan.mirror)
    kind_of_values = value_type(bits)
    if not plan.largest:
        r.end()
        return np.full((*shape, channels), plan.least, kind_of_values), nothing
    if not fits(plan, inner, channels):
        raise FormatError("damaged: a brick needs more memory than its size allows")
    brick = Brick(plan, floats, inner, channels)
    packed = r.take(r.varint()) if plan.low else b""
    low = decompress(packed, math.prod(inner) * channels, "the low bits of a brick") if plan.low else b""
    stream = Input(r.rest())
    if costs is not None:
        brick.note()
    brick.run(stream, tick)
    stream.finish()
    if costs is not None:
        at = mirror.kept_of(shape, plan.mirror)
        costs[np.ix_(np.arange(channels), *at)] = np.moveaxis(_restored(brick.costs(stream), plan.model, inner), -1, 0)
        costs[channels:][np.ix_(np.arange(1), *at)] = evenly(8 * len(packed), (1, *inner))
    arranged = brick.inside(brick.memory.integers).astype(np.uint64)
    if plan.low:
        fine = np.frombuffer(low, np.uint8).reshape(arranged.shape)
        if int(fine.max()) >> plan.low:
            raise FormatError("damaged: a value of a brick is out of range")
        arranged = arranged << np.uint64(plan.low) | fine
    if int(arranged.max()) > plan.largest:
        raise FormatError("damaged: a value of a brick is out of range")
    shifted = plan.table[arranged] if plan.table is not None else arranged
    values = (shifted + np.uint64(plan.least)).astype(kind_of_values)
    folded = _restored(values, plan.model, inner)
    n = shape[plan.mirror[0]] if plan.mirror else 0
    return np.ascontiguousarray(mirror.unfold(folded, plan.mirror, n)), brick.tally()


def _regressors(m: BrickModel, channels: int) -> list[int]:
    """The regressors of each channel, with padding."""
    return [padded(len(taps.taps_of(m.size, m.in_rows, taps.lags_of(m.lags, c, channels))[0].where), 8) for c in range(channels)]


def fits(plan: BrickPlan, shape: tuple[int, ...], channels: int) -> bool:
    """Whether a brick takes no more memory than `memory` says. shape: of its coordinate axes, without what a mirror gives."""
    m, slices = plan.model, slices_of(shape, plan.model)
    places = math.prod(shape) * channels
    padded_places = (slices.steps * channels + 1) * geometry_of(slices, channels, m.in_rows).slice
    if padded_places > MOST_PADDED * places + LEAST_PLACES or (1 << m.lines) > max(LEAST_LINES, 8 * places):
        return False
    blocks, rows = blocks_of(slices)
    sums = sum(8 * (n * n + n) * ((blocks + 2) * (rows + 5)) for n in _regressors(m, channels))
    return sums <= sums_memory(places, channels)


def sums_memory(places: int, channels: int) -> int:
    """The most bytes of the sums of a brick of so many places, channels included."""
    return min(MOST_SUMS, channels * LEAST_SUMS + SUMS_OF_PLACE * places)


def memory(shape: tuple[int, ...], channels: int) -> int:
    """The most bytes that decoding a brick takes, its values included. shape: of its coordinate axes."""
    places = math.prod(shape) * channels
    inputs = 160 + EXTRAS
    network = 24 * contextnet.parameters(inputs, 64) + 4 * contextnet.BATCH * (inputs + 400)
    lines = min(1 << plans.MAX_LINES, max(LEAST_LINES, 8 * places))
    count = max(map(len, contexts.SETS.values()))
    mixing = 4 * mixer.SETS * mixer.SELECTIONS * (len(first_weights(count, True)) + 1) + 8 * mixer.LEAST_MAPS * mixer.FINE
    each = network + 64 * count * lines + mixing + (1 << 19)
    held = 25 * (MOST_PADDED * places + LEAST_PLACES) + 40 * places
    return held + sums_memory(places, channels) + channels * each + 16 * PREDICTORS * max(shape) * channels
