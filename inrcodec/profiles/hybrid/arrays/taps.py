"""The regressors of a brick: which places around the current one, in its slice and in slices before, and how many by size of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....kernels.volume import Taps

Offset = tuple[int, int]  # dy, dx

# in the own slice: places coded before the current one
OWN: tuple[Offset, ...] = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-1, -2), (-1, 2), (-2, -1),
    (0, -3), (-3, 0), (-2, 2), (-2, -2), (-1, -3), (-1, 3), (-3, -1), (-3, 1),
)  # fmt: skip
# in a reference: W, N and the place itself first
AROUND: tuple[Offset, ...] = (
    (0, -1), (-1, 0), (0, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, 2), (2, 0), (0, -2), (-2, 0),
    (1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1), (2, 2), (2, -2), (-2, 2), (-2, -2),
)  # fmt: skip
# the same for slices of one row, in which the next place but one stands for N
OWN_ROW: tuple[Offset, ...] = tuple((0, -i) for i in range(1, 33))
AROUND_ROW: tuple[Offset, ...] = tuple((0, i) for i in (-1, -2, 0, 1, 2, -3, 3, -4, 4))
# taps in the own slice, in the first reference, and in each other one, by size of the model
SIZES = ((6, 5, 3), (10, 9, 5), (14, 13, 9), (18, 25, 13))
ROW_SIZES = ((6, 5, 3), (12, 7, 5), (20, 9, 7), (32, 9, 9))
FIRST_OWN, FIRST_AROUND = 6, 4  # of them stand first: the regressors of the predictors by few
PAD, ROW_PAD = (3, 3), (1, 32)  # rows and columns around a slice in memory that taps need; around a row
MAX_REFERENCES = 3


def lags_of(lags: Sequence[int], channel: int, channels: int) -> tuple[int, ...]:
    """How many slices back the references of a channel are. lags: steps back; slices of a step are its channels, one after the other."""
    own = [lag * channels for lag in lags]
    return tuple([*([1] if channel else []), *([2] if channel > 1 else []), *own][:MAX_REFERENCES])


def taps_of(size: int, row: bool, lags: Sequence[int]) -> tuple[Taps, int]:
    """The taps, and how many regressors the predictors by few have. size: of the model; row: whether slices are rows; lags: in slices."""
    own, around = (OWN_ROW, AROUND_ROW) if row else (OWN, AROUND)
    counts = (ROW_SIZES if row else SIZES)[size]
    first: list[tuple[int, int, int]] = [(0, *o) for o in own[:FIRST_OWN]]
    rest: list[tuple[int, int, int]] = [(0, *o) for o in own[FIRST_OWN : counts[0]]]
    start = [0]
    if lags:
        start.append(len(first))
        first += [(1, *o) for o in around[:FIRST_AROUND]]
        rest += [(1, *o) for o in around[FIRST_AROUND : counts[1]]]
    for group in range(2, len(lags) + 1):
        start.append(len(first) + len(rest))
        rest += [(group, *o) for o in around[: counts[2]]]
    group_of, dy, dx = (np.ascontiguousarray(column) for column in np.array(first + rest, np.int64).T)
    groups = len(start)
    found = Taps(
        group=group_of,
        dy=dy,
        dx=dx,
        start=np.array(start, np.int64),
        lags=np.array([0, *lags], np.int64),
        at=np.zeros(groups, np.int64),
        where=np.zeros(len(dy), np.int64),
    )
    return found, len(first)
