"""Settings of a model that suit one sound better than the usual ones: the encoder tries a few on an excerpt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from . import lookback, tile
from .plan import DECAY_UNIT, Model, Plan
from .transform import Indices

DECAYS = 0.975, 0.99  # of the first predictor
PACES = 0.5, 2.0  # of the LMS filters, as multiples
EXCERPT = 1 << 20  # frames


def _with_decay(model: Model, decay: float) -> Model:
    first, *others = model.predictors
    return replace(model, predictors=(replace(first, decay=round(decay / DECAY_UNIT)), *others))


def _with_pace(model: Model, pace: float) -> Model:
    return replace(model, filters=tuple(replace(f, step=round(f.step * pace)) for f in model.filters))


def excerpt(frames: int) -> slice:
    """The middle of a sound."""
    start = max(0, frames - EXCERPT) // 2
    return slice(start, min(frames, start + EXCERPT))


def trials(frames: int) -> int:
    """Frames that `search` codes in all."""
    return (1 + len(DECAYS) + len(PACES)) * min(frames, EXCERPT)


def search(plan: Plan, indices: Indices, workers: int, tick: Callable[[int], None]) -> Plan:
    """The plan with the best decay, and then the best pace, for an excerpt. indices: (coded channels, frames)."""
    lags = lookback.find(indices, plan.model.lags)

    def size(model: Model) -> int:
        return len(tile.encode(replace(plan, model=model), indices, lags, tick)[0])

    with ThreadPoolExecutor(workers) as pool:
        best = plan.model
        rivals = [best, *(_with_decay(best, d) for d in DECAYS)]
        sizes = list(pool.map(size, rivals))
        best = rivals[sizes.index(min(sizes))]
        rivals = [_with_pace(best, p) for p in PACES]
        found = list(pool.map(size, rivals))
        if min(found) < min(sizes):
            best = rivals[found.index(min(found))]
    return replace(plan, model=best)
