"""What the encoder chooses for a sound: tables of values, copies and partners of channels, the model, and the length of tiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....options import Options
from ....values import bits_saved_by_gaps
from .plan import DECAY_UNIT, MAX_TABLE, STEP_UNIT, Channel, CodedChannel, Filter, SoundModel, SoundPlan, Window, pack_table

SPARSE = 0.9  # no table if more than this share of the values between the least and the largest occur
TILE_SECONDS = 45  # the most seconds of a tile, except as the next two say
LEAST_TILE = 1 << 18  # the limit in frames is not below this,
LARGEST_TILE = 1 << 23  # nor above this divided by the number of channels


def _window(every: int, decay: float, *rounds: int) -> Window:
    return Window(rounds, every, round(decay / DECAY_UNIT))


def _filters(*filters: tuple[int, float], source: int = 0) -> tuple[Filter, ...]:
    """source: of the first; the others predict the error of the one before."""
    found = tuple(Filter(length.bit_length() - 1, round(step / STEP_UNIT)) for length, step in filters)
    return tuple(replace(f, source=source) if f is found[0] else f for f in found)


# windows of some 8000 (SLOW), 500 (MAIN) and 80 (FAST) samples. LMS filters find most in the errors of a slow predictor; a second cascade
# works on those of MAIN.
SLOW, MAIN, FAST = _window(16, 0.999, 3), _window(4, 0.984, 2), _window(1, 0.9, 1)
LEARNING = 64  # rate of the context network's learning, in units of 2^-14
LONG, SHORT = ((1024, 6e-5), (256, 3e-4)), ((32, 3e-3), (16, 8e-3))  # LMS filters: taps and step
# of efforts 1, 2 and 3, 4, 5: a model between two of these would take more time for next to nothing
MODELS = (
    SoundModel((_window(16, 0.999, 2), _window(4, 0.96, 1)), _filters(*LONG, SHORT[1]), 0),
    *2 * (SoundModel((SLOW, _window(4, 0.984, 1)), _filters(*LONG, SHORT[1]) + _filters(*SHORT, source=2), 1),),
    SoundModel((SLOW, MAIN, FAST), _filters(*LONG, SHORT[1]) + _filters(LONG[1], SHORT[0], source=2), 2, 32, LEARNING),
    SoundModel(
        (_window(16, 0.999, 8), _window(2, 0.984, 2), FAST),
        _filters((2048, 3e-5), LONG[1], *SHORT) + _filters(*LONG, SHORT[0], source=2),
        3,
        64,
        LEARNING,
    ),
)


def tile_frames(frames: int, channels: int, rate: int) -> int:
    """Frames of a tile: the sound is cut into the fewest tiles of equal length within the limits above. rate: frames per second."""
    most = min(max(rate * TILE_SECONDS, LEAST_TILE), LARGEST_TILE // channels)
    return -(-frames // -(-frames // most))


def plan_of(values: npt.NDArray[Any], silence: int, options: Options, tables: bool = True) -> SoundPlan:
    """The plan for values, (frames, channels) unsigned.

    silence: the value of a sample 0, perhaps outside the values' range; tables: whether channels may have tables.
    """
    found: list[Channel] = []
    for i in range(values.shape[1]):
        same = next((j for j in range(i) if found[j].copy_of is None and np.array_equal(values[:, i], values[:, j])), None)
        found.append(channel_of(values[:, i], silence, tables) if same is None else Channel(copy_of=same))
    live = [i for i, c in enumerate(found) if c.coded]
    return SoundPlan(tuple(found), tuple(_pairs(values, live)), MODELS[options.effort - 1])


def channel_of(values: npt.NDArray[Any], silence: int, tables: bool = True) -> Channel:
    """How the values of a channel, (frames,), become indices: by an offset, or by a table of the values that occur.

    A table is taken if it saves clearly more bits than it costs, see `bits_saved_by_gaps`. silence, tables: see `plan_of`.
    """
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
    """The coded channels in their order, each with the channel it resembles most as partner; a single channel has none.

    values: (frames, channels); live: numbers of the channels to be coded. Resemblance is the correlation of the channels' differences.
    """
    count = len(live)
    if count == 1:
        return [CodedChannel(live[0], 0)]
    if count == 2:
        return [CodedChannel(live[0], 1), CodedChannel(live[1], 0)]
    step = max(1, len(values) >> 18)  # some hundred thousand differences are enough
    slopes = [np.diff(values[:, i].astype(np.float64))[::step] for i in live]
    norms = [float(np.sqrt(s @ s)) + 1e-9 for s in slopes]
    likeness = np.array([[-1.0 if a is b else abs(float(a @ b)) / (m * n) for b, n in zip(slopes, norms, strict=True)]
                         for a, m in zip(slopes, norms, strict=True)])  # fmt: skip
    return [CodedChannel(channel, int(np.argmax(row))) for channel, row in zip(live, likeness, strict=True)]
