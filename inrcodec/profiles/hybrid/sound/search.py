"""Tries other settings of a model on an excerpt of the sound, and takes the best. Encoder only."""

from __future__ import annotations

from dataclasses import replace

from .... import parallel
from ....progress import Ticker
from . import lookback, tile
from .plan import DECAY_UNIT, SoundModel, SoundPlan
from .transform import Indices

DECAYS = 0.975, 0.99  # of the first window
PACES = 0.5, 2.0  # factors of the steps of all LMS filters
EXCERPT = 1 << 20  # frames


def _with_decay(model: SoundModel, decay: float) -> SoundModel:
    first, *others = model.windows
    return replace(model, windows=(replace(first, decay=round(decay / DECAY_UNIT)), *others))


def _with_pace(model: SoundModel, pace: float) -> SoundModel:
    return replace(model, filters=tuple(replace(f, step=round(f.step * pace)) for f in model.filters))


def excerpt(frames: int) -> slice:
    """The frames of the excerpt: at most EXCERPT, from the middle of the sound. frames: of the sound."""
    start = max(0, frames - EXCERPT) // 2
    return slice(start, min(frames, start + EXCERPT))


def trials(frames: int) -> int:
    """How many frames `search` codes in all. frames: of the sound."""
    return (1 + len(DECAYS) + len(PACES)) * min(frames, EXCERPT)


def search(plan: SoundPlan, indices: Indices, workers: int, tick: Ticker) -> SoundPlan:
    """The plan with the best decay for an excerpt, and then the best steps of the filters.

    indices: (coded channels, frames) int64, of the excerpt; tick: called with the frames coded. Raises Stopped.
    """
    lags = lookback.find(indices, plan.model.lags)

    def size(model: SoundModel) -> int:
        return len(tile.encode(replace(plan, model=model), indices, lags, tick)[0])

    best = plan.model
    rivals = [best, *(_with_decay(best, d) for d in DECAYS)]
    sizes = parallel.run(size, rivals, workers, tick.cancel)
    best = rivals[sizes.index(min(sizes))]
    rivals = [_with_pace(best, p) for p in PACES]
    found = parallel.run(size, rivals, workers, tick.cancel)
    if min(found) < min(sizes):
        best = rivals[found.index(min(found))]
    return replace(plan, model=best)
