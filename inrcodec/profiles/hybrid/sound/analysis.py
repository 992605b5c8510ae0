"""What the encoder chooses for a sound: its values' tables, order and partners of the channels, the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ....options import Options
from ....values import bits_saved_by_gaps
from .plan import DECAY_UNIT, MAX_TABLE, STEP_UNIT, Channel, CodedChannel, Filter, Predictor, SoundModel, SoundPlan, pack_table

SPARSE = 0.9  # of the values in the range: where more occur, a table is not worth it
TILE_SECONDS = 45
LEAST_TILE = 1 << 18  # frames
LARGEST_TILE = 1 << 23  # samples of all channels


def _predictor(own: int, other: int, every: int, decay: float) -> Predictor:
    return Predictor(own, other, every, round(decay / DECAY_UNIT))


def _filters(*filters: tuple[int, float]) -> tuple[Filter, ...]:
    return tuple(Filter(length.bit_length() - 1, round(step / STEP_UNIT)) for length, step in filters)


# least squares of three memories: some 500, 80 and 3000 samples; the cascade of filters works on what the first leaves
MAIN, FAST, SLOW = _predictor(32, 16, 2, 0.984), _predictor(16, 8, 1, 0.9), _predictor(32, 16, 8, 0.9975)
LONG, BRISK = _predictor(40, 16, 1, 0.984), _predictor(24, 8, 1, 0.96)
LEARNING = 64  # in units of 2^-14
SHORT = (32, 3e-3), (16, 8e-3)
# by effort, 1 to 9
MODELS = (
    SoundModel((_predictor(16, 8, 4, 0.984),), _filters((16, 8e-3)), 0),
    SoundModel((_predictor(24, 8, 4, 0.984),), _filters(*SHORT), 1),
    SoundModel((_predictor(32, 16, 4, 0.984),), _filters((256, 3e-4), *SHORT), 1),
    SoundModel((MAIN, FAST, SLOW), _filters((256, 3e-4), *SHORT), 2),
    SoundModel((MAIN, FAST, SLOW), _filters((256, 3e-4), *SHORT), 2, 32, LEARNING),
    SoundModel((MAIN, FAST, SLOW), _filters((1024, 6e-5), (256, 3e-4), *SHORT), 2, 32, LEARNING),
    SoundModel((MAIN, FAST, BRISK, SLOW), _filters((1024, 6e-5), (256, 3e-4), *SHORT), 3, 32, LEARNING),
    SoundModel((LONG, FAST, BRISK, SLOW), _filters((2048, 3e-5), (256, 3e-4), *SHORT), 4, 64, LEARNING),
    SoundModel((LONG, FAST, BRISK, SLOW), _filters((2048, 3e-5), (256, 3e-4), *SHORT), 4, 64, LEARNING),
)
SEARCHING_EFFORT = 9  # from here on `search` looks for better settings


def tile_frames(frames: int, channels: int, rate: int) -> int:
    """Frames of a tile: even parts of at most TILE_SECONDS."""
    most = min(max(rate * TILE_SECONDS, LEAST_TILE), LARGEST_TILE // channels)
    return -(-frames // -(-frames // most))


def plan_of(values: npt.NDArray[Any], silence: int, options: Options, tables: bool = True) -> SoundPlan:
    """The plan for values (frames, channels), unsigned.

    silence: the value, perhaps outside of their range, that stands for 0; tables: whether there may be any.
    """
    found: list[Channel] = []
    for i in range(values.shape[1]):
        same = next((j for j in range(i) if found[j].copy_of is None and np.array_equal(values[:, i], values[:, j])), None)
        found.append(channel_of(values[:, i], silence, tables) if same is None else Channel(copy_of=same))
    live = [i for i, c in enumerate(found) if c.coded]
    return SoundPlan(tuple(found), tuple(_pairs(values, live)), MODELS[options.effort - 1])


def channel_of(values: npt.NDArray[Any], silence: int, tables: bool = True) -> Channel:
    """Offset; or a table, where samples meet fewer values than chance would have them meet."""
    least, most = int(values.min()), int(values.max())
    plain = Channel(most - least, least, min(max(silence - least, 0), most - least))
    if most - least < 4 or not tables:
        return plain
    used, counts = np.unique(values, return_counts=True)
    used = used.astype(np.int64)
    if not 1 < len(used) <= min(MAX_TABLE, (most - least + 1) * SPARSE):
        return plain
    if bits_saved_by_gaps(used, counts) < 8 * 1.5 * len(pack_table(used)) + 800:
        return plain
    return Channel(len(used) - 1, 0, int(np.clip(np.searchsorted(used, silence), 0, len(used) - 1)), used)


def _pairs(values: npt.NDArray[Any], live: list[int]) -> list[CodedChannel]:
    """Channels in their order, each with the one that is most like it."""
    count = len(live)
    if count == 1:
        return [CodedChannel(live[0], 0)]
    if count == 2:
        return [CodedChannel(live[0], 1), CodedChannel(live[1], 0)]
    step = max(1, len(values) >> 18)  # some hundred thousand differences tell enough
    slopes = [np.diff(values[:, i].astype(np.float64))[::step] for i in live]
    norms = [float(np.sqrt(s @ s)) + 1e-9 for s in slopes]
    likeness = np.array([[-1.0 if a is b else abs(float(a @ b)) / (m * n) for b, n in zip(slopes, norms, strict=True)]
                         for a, m in zip(slopes, norms, strict=True)])  # fmt: skip
    return [CodedChannel(channel, int(np.argmax(row))) for channel, row in zip(live, likeness, strict=True)]
