"""Values of a sound ↔ samples of its coded channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .plan import SoundPlan

Indices = npt.NDArray[np.int64]  # (coded channels, frames): index − zero


def to_indices(values: npt.NDArray[Any], plan: SoundPlan) -> Indices:
    """The samples of the coded channels, (coded channels, frames) int64. values: (frames, channels), unsigned."""
    out = np.empty((len(plan.coded), len(values)), np.int64)
    for row, k in zip(out, plan.coded, strict=True):
        c = plan.channels[k.channel]
        row[:] = values[:, k.channel]
        if c.table is not None:
            row[:] = np.searchsorted(c.table, row)
        row -= c.least + c.zero
    return out


def from_indices(indices: Indices, plan: SoundPlan, out: npt.NDArray[Any]) -> None:
    """The inverse of `to_indices`: fills in the values, out: (frames, channels) of an unsigned dtype."""
    coded = {k.channel: row for k, row in zip(plan.coded, indices, strict=True)}
    for i, c in enumerate(plan.channels):
        if c.copy_of is not None:
            out[:, i] = out[:, c.copy_of]
        elif c.table is not None:
            out[:, i] = c.table[coded[i] + c.zero] if i in coded else c.table[0]
        else:
            out[:, i] = coded[i] + (c.zero + c.least) if i in coded else c.least
