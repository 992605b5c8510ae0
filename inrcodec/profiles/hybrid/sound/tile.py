"""One tile of a sound: samples of the coded channels ↔ bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ....container import Reader, varint
from ....errors import FormatError
from ....kernels import contextnet, integers
from ....kernels.coder import Input, Output
from ....kernels.contextnet import RATE_UNIT
from ....kernels.noting import costs_of
from ....kernels.predictors import BATCH
from ....kernels.sound import (
    LEAST_LAG,
    OTHER,
    OWN,
    PIECE,
    SEGMENT,
    STACKED,
    Channels,
    Sound,
    code_frames,
    code_stepped_frames,
    sound,
)
from .plan import DECAY_UNIT, LENGTHS, STEP_UNIT, SoundPlan, valid_piece

STEP = 1 << 12  # frames that a kernel codes before progress is reported
MOST_BITS = 96  # the most decisions that code one sample
STATE_BYTES = 1 << 21  # of mixer and contexts of a channel, and of what else has the same size in all tiles
Tally = npt.NDArray[np.float64]  # (3,): bits of decisions that are mixed, inside a leaf, even; see `coding.SPENT`
Pieces = npt.NDArray[np.int64]  # (coded channels, pieces, 3): start, end and curve of the steps, see `kernels.sound.Steps`


def _segments_of(frames: int) -> int:
    """How many segments, each with its own lags, a tile has."""
    return -(-frames // SEGMENT)


def _pieces_of(frames: int) -> int:
    """How many pieces, each with its own steps, a tile has."""
    return -(-frames // PIECE)


def _state(plan: SoundPlan, frames: int, pieces: Pieces) -> Sound:
    channels = [plan.channels[k.channel] for k in plan.coded]
    m = plan.model
    return sound(
        Channels(
            frames,
            [k.partner if k.partner != i else -1 for i, k in enumerate(plan.coded)],
            [-c.zero for c in channels],
            [c.largest - c.zero for c in channels],
        ),
        [(w.rounds, w.every, w.decay * DECAY_UNIT) for w in m.windows],
        [(1 << f.length, f.step * STEP_UNIT, f.source) for f in m.filters],
        m.lags,
        m.units,
        m.learning * RATE_UNIT,
        (pieces, 2.0**-plan.steps / PIECE**2),
    )


def memory(plan: SoundPlan, frames: int) -> int:
    """The most bytes that `decode` takes at once, its result included. frames: of the tile."""
    if not plan.coded:
        return 0
    m, c = plan.model, len(plan.coded)
    samples = 24 * c * frames  # each as an integer and a float of 64 bits, and two errors of 32 bits
    lags = 40 * m.lags * _segments_of(frames)
    # what has the same size in all tiles: least squares and LMS, then mixer and contexts, then the network with what Adam keeps
    n = max(m.predictors) * (OWN + OTHER)
    taps = 8 * (c * (len(m.windows) * n * (n + 1) + (len(m.predictors) + BATCH) * n) + 2 * n * (n + 8))
    taps += 12 * c * len(m.filters) * max(1 << k for k in LENGTHS) + 8 * c * STACKED * (STACKED + BATCH + 2)
    network = 24 * contextnet.parameters(64, m.units) + 4 * contextnet.BATCH * (64 + 4 * m.units + 32)
    steps = 160 * c * _pieces_of(frames) if plan.steps else 0
    return samples + lags + taps + network + steps + STATE_BYTES * (c + 1)


def _write_steps(pieces: Pieces) -> bytes:
    """The coded numbers of which `_read_steps` makes `pieces`."""
    before = np.concatenate([np.zeros_like(pieces[:, :1]), pieces[:, :-1]], 1)
    start, end, curve = np.moveaxis(pieces, 2, 0)
    guess = start + before[:, :, 1] - before[:, :, 0]
    some = start > 0
    numbers = np.stack([start - before[:, :, 1], (end - guess) * some, (curve - before[:, :, 2]) * some], 1)
    return integers.encode(list(numbers.reshape(-1, pieces.shape[1])))


def _read_steps(data: bytes, channels: int, count: int, shift: int) -> Pieces:
    """The steps of each channel in `count` pieces. shift: the plan's `steps`. Raises FormatError."""
    numbers = integers.decode(data, [count] * (3 * channels))
    pieces = np.zeros((channels, count, 3), np.int64)
    for c in range(channels):
        start = end = curve = 0
        for i, (first, second, third) in enumerate(zip(*(n.tolist() for n in numbers[3 * c : 3 * c + 3]), strict=True)):
            rise = end - start
            start = end + first
            end, curve = (start + rise + second, curve + third) if start else (second, third)
            if not valid_piece(start, end, curve, shift):
                raise FormatError("damaged: a step is not valid")
            pieces[c, i] = start, end, curve
    return pieces


def encode(
    plan: SoundPlan,
    samples: npt.NDArray[np.int64],
    lags: npt.NDArray[np.int64],
    tick: Callable[[int], None],
    pieces: Pieces | None = None,
) -> tuple[bytes, Tally]:
    """A tile's bytes, and the bits by what they were spent on.

    samples: (coded channels, frames), index − zero; lags: (segments, n), n at most the model's, 0: none; tick: called with the number of
    frames coded since its last call; what it raises ends the work; pieces: the steps, or None; only if the plan says so.
    """
    frames = samples.shape[1]
    wide = np.zeros((_segments_of(frames), plan.model.lags), np.int64)
    wide[:, : lags.shape[1]] = lags
    parts = [integers.encode(list(np.diff(wide, axis=0, prepend=0).T))] if plan.model.lags else []
    if pieces is None or not plan.steps:
        pieces = np.zeros((len(samples), _pieces_of(frames) if plan.steps else 0, 3), np.int64)
    if plan.steps:
        parts.append(_write_steps(pieces))
    state, output = _state(plan, frames, pieces), Output()
    code = code_stepped_frames if plan.steps else code_frames
    for start in range(0, frames, STEP):
        stop = min(frames, start + STEP)
        code(output.coder(MOST_BITS * len(samples) * (stop - start)), start, stop, state, wide, samples)
        tick(stop - start)
    return b"".join([varint(len(part)) + part for part in parts] + [output.finish()]), state.decisions.tally


def decode(
    plan: SoundPlan, frames: int, data: bytes, tick: Callable[[float], None], costs: npt.NDArray[np.float32] | None = None
) -> tuple[npt.NDArray[np.int64], Tally]:
    """The samples of a tile, (coded channels, frames), index − zero, and the bits by what they were spent on. Raises FormatError.

    frames: of the tile; tick: see `profiles.base.Tick`; costs: (coded channels, frames), filled in with the bits of each sample.
    """
    r = Reader(data, "a tile")
    lags = np.zeros((_segments_of(frames), plan.model.lags), np.int64)
    if plan.model.lags:
        columns = integers.decode(r.take(r.varint()), [len(lags)] * plan.model.lags)
        lags[:] = np.cumsum(columns, axis=1).T
        starts = np.arange(len(lags))[:, None] * SEGMENT
        if ((lags != 0) & ((lags < LEAST_LAG) | (lags > starts))).any():
            raise FormatError("damaged: a lag points outside the sound")
    pieces = np.zeros((len(plan.coded), 0, 3), np.int64)
    if plan.steps:
        pieces = _read_steps(r.take(r.varint()), len(plan.coded), _pieces_of(frames), plan.steps)
    samples = np.zeros((len(plan.coded), frames), np.int64)
    state, stream = _state(plan, frames, pieces), Input(r.rest())
    if costs is not None:
        state = state._replace(decisions=state.decisions._replace(read=np.zeros(costs.T.shape)))
    code = code_stepped_frames if plan.steps else code_frames
    for start in range(0, frames, STEP):
        stop = min(frames, start + STEP)
        code(stream.coder(0), start, stop, state, lags, samples)
        tick((stop - start) / frames)
    stream.finish()
    if costs is not None:
        costs[:] = costs_of(state.decisions.read, stream.bits).T
    return samples, state.decisions.tally
