"""Section HYBR of a sound: how values become indices, which channels are coded, and the model. SPEC.md, "HYBR of a sound", defines it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....compression import compress, decompress
from ....container import MAX_VARINT_BYTES, Reader, varint
from ....errors import FormatError
from ....kernels.contextnet import UNITS
from ....kernels.sound import LEAST_STEP, MAX_LAGS, MAX_ROUNDS, MOST_STEPS, STACKED
from ..limits import SOUND, SOUND_BITS

MAX_WINDOWS = 4
LENGTHS = range(4, 13)  # log2 of an LMS filter's taps
DECAY_UNIT = 2.0**-16  # of Window.decay
STEP_UNIT = 2.0**-20  # of Filter.step
MAX_TABLE = 1 << 18  # values
MAX_STEPS = 20  # the largest SoundPlan.steps
MAX_TILE = 1 << 24  # frames
RANGE, TABLE, COPY = range(3)  # kinds of channel


@dataclass(frozen=True)
class Channel:
    """How the values of one channel become indices: value = least + index, or value = table[index]; or the channel copies another.

    Attributes:
        largest: largest index; 0: the channel is constant, or a copy, and is not coded.
        least: least value; 0 if there is a table.
        zero: the index nearest to silence. The coded samples are index − zero.
        table: None, or (largest + 1,) int64: the values that occur, ascending.
        copy_of: None, or the number of an earlier channel with the same values; then the other fields are not used.
    """

    largest: int = 0
    least: int = 0
    zero: int = 0
    table: npt.NDArray[np.int64] | None = None
    copy_of: int | None = None

    @property
    def coded(self) -> bool:
        """Whether tiles hold samples of the channel."""
        return self.largest > 0


@dataclass(frozen=True)
class CodedChannel:
    """A coded channel.

    Attributes:
        channel: its number in the signal.
        partner: number, in coded order, of the channel whose samples help to predict it; its own number: it has no partner.
    """

    channel: int
    partner: int


@dataclass(frozen=True)
class Window:
    """Least squares predictors of a channel that are fitted with the same sums.

    Attributes:
        rounds: for each predictor, how many rounds of regressors it uses, 1 to MAX_ROUNDS, the largest first. A round is 16 samples of the
            channel and 8 of its partner.
        every: batches of 8 samples between two solutions for the weights, a power of two.
        decay: the factor of the sums after each batch, in units of 2^-16.
    """

    rounds: tuple[int, ...]
    every: int
    decay: int


@dataclass(frozen=True)
class Filter:
    """An LMS filter.

    Attributes:
        length: log2 of its taps.
        step: rate of its learning, in units of 2^-20.
        source: whose error it predicts. 0: that of the filter before, for the first one that of the first predictor and the look back; else
            1 + the number of a predictor, and it begins another cascade.
    """

    length: int
    step: int
    source: int = 0


@dataclass(frozen=True)
class SoundModel:
    """What samples are predicted with.

    Attributes:
        windows: of the least squares predictors, 1 to MAX_WINDOWS.
        filters: LMS filters, in one cascade or several, see `Filter.source`.
        lags: how many lags a segment has, 0 to MAX_LAGS.
        units: units of each hidden layer of the context network; 0: there is no network.
        learning: rate of the network's learning, in units of 2^-14; 0 if there is no network.
    """

    windows: tuple[Window, ...]
    filters: tuple[Filter, ...]
    lags: int
    units: int = 0
    learning: int = 0

    @property
    def predictors(self) -> tuple[int, ...]:
        """The rounds of each least squares predictor."""
        return tuple(r for w in self.windows for r in w.rounds)


@dataclass(frozen=True)
class SoundPlan:
    """All that section HYBR of a sound says.

    Attributes:
        channels: those of the signal.
        coded: those that are coded, in coded order.
        model: what samples are predicted with.
        steps: 0, or tiles say of which steps samples are nearly multiples, in units of 2^-steps.
    """

    channels: tuple[Channel, ...]
    coded: tuple[CodedChannel, ...]
    model: SoundModel
    steps: int = 0


def valid_piece(start: float, end: float, curve: float, shift: int) -> bool:
    """Whether a file can hold the steps of a piece, see `kernels.sound.Steps`: three whole numbers, in units of 2^-shift."""
    if start == 0:
        return end == curve == 0
    return max(abs(start), abs(end), abs(curve)) < MOST_STEPS and 4 * min(start, end) - max(curve, 0) >= 4 * LEAST_STEP << shift


def pack_table(table: npt.NDArray[np.int64]) -> bytes:
    """The bytes of a table, (n,) ascending, in section HYBR: two sizes as varints, then the gaps between entries, compressed by Brotli."""
    plain = b"".join(map(varint, (np.diff(table, prepend=-1) - 1).tolist()))
    packed = compress(plain)
    return varint(len(plain)) + varint(len(packed)) + packed


def write(plan: SoundPlan) -> bytes:
    """The content of section HYBR for a plan."""
    m = plan.model
    parts = [bytes([SOUND, len(m.windows), len(m.filters), m.lags, m.units, m.learning])]
    for w in m.windows:
        parts += [bytes([sum(1 << r - 1 for r in w.rounds), w.every]), varint(w.decay)]
    for f in m.filters:
        parts += [bytes([f.length, f.source]), varint(f.step)]
    parts.append(varint(len(plan.channels)))
    for c in plan.channels:
        if c.copy_of is not None:
            parts.append(bytes([COPY, c.copy_of]))
            continue
        parts += [bytes([RANGE if c.table is None else TABLE]), varint(c.largest), varint(c.zero)]
        if c.table is None:
            parts.append(varint(c.least))
        else:
            parts.append(pack_table(c.table))
    parts += [bytes([k.channel, k.partner]) for k in plan.coded]
    if plan.steps:
        parts.append(bytes([plan.steps]))
    return b"".join(parts)


def read(content: bytes, channels: int, bits: int) -> SoundPlan:
    """Parse and check section HYBR of a sound with `channels` channels, of values below 2^bits. Raises FormatError."""
    r = Reader(content, "section HYBR")
    kind, windows, filters, lags, units, learning = (r.byte() for _ in range(6))
    if kind != SOUND or not 1 <= windows <= MAX_WINDOWS or lags > MAX_LAGS:
        raise FormatError("damaged: section HYBR has an unknown setting")
    if units not in UNITS or (units > 0) != (learning > 0):
        raise FormatError("damaged: section HYBR has an unknown setting")
    if not 1 <= bits <= SOUND_BITS:
        raise FormatError("damaged: the profile hybrid codes samples of up to 32 bits")
    found_windows = tuple(_read_window(r) for _ in range(windows))
    count = sum(len(w.rounds) for w in found_windows)
    model = SoundModel(found_windows, tuple(_read_filter(r, count) for _ in range(filters)), lags, units, learning)
    if count + filters > STACKED:
        raise FormatError("damaged: section HYBR has too many predictors and filters")
    if r.varint() != channels:
        raise FormatError("damaged: the channels are not those of the header")
    found: list[Channel] = []
    for _ in range(channels):
        found.append(_read_channel(r, found, bits))
    live = [i for i, c in enumerate(found) if c.coded]
    coded = tuple(CodedChannel(r.byte(), r.byte()) for _ in live)
    if sorted(k.channel for k in coded) != live or any(k.partner >= len(live) for k in coded):
        raise FormatError("damaged: a channel is missing")
    steps = 0
    if r.left:
        steps = r.byte()
        if not 1 <= steps <= MAX_STEPS:
            raise FormatError("damaged: the unit of steps is unknown")
    r.end()
    return SoundPlan(tuple(found), coded, model, steps)


def _read_window(r: Reader) -> Window:
    sizes, every, decay = r.byte(), r.byte(), r.varint(1 << 16)
    if not (1 <= sizes < 1 << MAX_ROUNDS and 1 <= every <= 128 and every & (every - 1) == 0 and decay):
        raise FormatError("damaged: a window is not valid")
    return Window(tuple(n for n in range(MAX_ROUNDS, 0, -1) if sizes >> n - 1 & 1), every, decay)


def _read_filter(r: Reader, predictors: int) -> Filter:
    length, source, step = r.byte(), r.byte(), r.varint(1 << 20)
    if length not in LENGTHS or not step or source > predictors:
        raise FormatError("damaged: a filter is not valid")
    return Filter(length, step, source)


def _read_channel(r: Reader, before: list[Channel], bits: int) -> Channel:
    kind = r.byte()
    if kind == COPY:
        source = r.byte()
        if source >= len(before) or before[source].copy_of is not None:
            raise FormatError("damaged: a channel is a copy of one that is not there")
        return Channel(copy_of=source)
    if kind not in (RANGE, TABLE):
        raise FormatError("damaged: a channel is of an unknown kind")
    largest = r.varint((1 << bits) - 1)
    zero = r.varint(largest)
    if kind == RANGE:
        return Channel(largest, r.varint((1 << bits) - 1 - largest), zero)
    return Channel(largest, 0, zero, _read_table(r, largest, bits))


def _read_table(r: Reader, largest: int, bits: int) -> npt.NDArray[np.int64]:
    what = "a table of values"
    if largest >= MAX_TABLE:
        raise FormatError("damaged: a table of values is too long")
    size = r.varint(5 * (largest + 1))
    gaps = varints(decompress(r.take(r.varint()), size, what), what)
    if len(gaps) != largest + 1 or int(gaps.max()) >= 1 << bits:
        raise FormatError("damaged: a table of values is not valid")
    table = np.cumsum(gaps + 1) - 1
    if table[-1] >= 1 << bits:
        raise FormatError("damaged: a table of values is not valid")
    return table


def varints(data: bytes, what: str) -> npt.NDArray[np.int64]:
    """All numbers in a string of varints, (n,): what a Reader would read one by one. Those of 2^48 or more are only told to be large.

    Raises FormatError if a number is too long, or the last one is not whole.
    """
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80) + 1
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    sizes = np.diff(starts)
    if starts[-1] != len(raw) or (len(sizes) and int(sizes.max()) > MAX_VARINT_BYTES):
        raise FormatError(f"damaged: a number in {what} is too long")
    found = np.zeros(len(sizes), np.int64)
    for i in range(int(sizes.max(initial=0))):
        group = np.where(sizes > i, raw[np.minimum(starts[:-1] + i, len(raw) - 1)] & 0x7F, 0).astype(np.int64)
        found |= group << 7 * i if i < 7 else (group > 0).astype(np.int64) << 49
    return found
