"""The passes of a plane, and the taps: the places around the current one whose values are gathered. SPEC.md, "Groups of values".

A plane is coded in one pass, "raster". A plane that was interpolated from half the resolution is coded in four passes instead:

    quarter   places of even row and even column
    diagonal  places of odd row and odd column
    beside    places of even row and odd column
    below     places of odd row and even column

From the second pass on, a place has known neighbours on all sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ....kernels.lanes import padded
from ....kernels.picture import MEANS, Taps

Offset = tuple[int, int]  # dy, dx

# taps in the own plane for passes raster and quarter: places coded before the current one
CAUSAL: list[Offset] = [
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-1, -2), (-1, 2), (-2, -1),
    (0, -3), (-3, 0), (-2, 2), (-2, -2), (-1, -3), (-1, 3), (-3, -1), (-3, 1),
]  # fmt: skip
# taps in a reference, of which all places are known: the current place first
AROUND: list[Offset] = [(0, 0), (0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, 2), (2, 0), (0, -2), (-2, 0)]
# taps in the own plane for the other three passes: the four nearest first
DIAGONAL: list[Offset] = [
    (-1, -1), (1, 1), (-1, 1), (1, -1), (-1, -3), (-1, 3), (1, -3), (1, 3), (-3, -1), (-3, 1), (3, -1), (3, 1), (0, -2), (-2, 0),
]  # fmt: skip
BESIDE: list[Offset] = [
    (0, -1), (0, 1), (-1, 0), (1, 0), (0, -3), (0, 3), (-2, -1), (-2, 1), (2, -1), (2, 1), (-1, -2), (-1, 2), (1, -2), (1, 2),
]  # fmt: skip
BELOW: list[Offset] = [
    (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1), (-3, 0), (3, 0), (-2, -1), (-2, 1), (2, -1), (2, 1),
]  # fmt: skip
FILLED = 12  # the first taps of DIAGONAL, all in the quarter pass; the others are causal
LEAST_SIZE = 4  # height and width of a tile coded in four passes; in a smaller tile, a mirrored tap could fall on a place not yet known


@dataclass(frozen=True)
class Pass:
    """One pass, over the places (top + step·i, left + step·j) of a tile.

    `name` and the number of the plane's references select the network of the prior.
    """

    name: str
    top: int
    left: int
    step: int

    def rows(self, height: int) -> int:
        """How many rows of a tile of this height the pass codes."""
        return max(0, -(-(height - self.top) // self.step))


RASTER = (Pass("raster", 0, 0, 1),)
QUARTERS = (Pass("quarter", 0, 0, 2), Pass("diagonal", 1, 1, 2), Pass("beside", 0, 1, 2), Pass("below", 1, 0, 2))


PASSES = {p.name: p for p in RASTER + QUARTERS}
NAMES = list(PASSES)


def passes(four_passes: bool) -> tuple[Pass, ...]:
    """The passes of a plane, in order: four if `four_passes`, else one."""
    return QUARTERS if four_passes else RASTER


def taps(p: Pass, plane: int, references: Sequence[int], size: tuple[int, int] = (0, 0), few: bool = False) -> Taps:
    """The taps of a pass: those in the own plane, then those in each reference.

    plane, references: numbers of planes in coded order; size: (height, width) of the tile, of which `Taps.offset` depends; few: only
    those that the predictor with fewer regressors, the means and the flag need.
    """
    there = offsets(p, len(references), few)
    planes = np.array([plane, *references], np.int64)[there.plane]
    height, width = size
    where = np.zeros_like(there.offset)
    where[: len(planes)] = (planes * height + there.dy) * width + there.dx
    return there._replace(plane=planes, offset=where)


@cache
def offsets(p: Pass, references: int, few: bool) -> Taps:
    """`taps` with the number of the group instead of that of the plane. references: how many. The arrays are not to be changed."""
    rows: list[tuple[int, int, int, int]] = []  # group, dy, dx, causal
    start, means = [0], []
    if p.name in ("raster", "quarter"):
        rows += [(0, dy * p.step, dx * p.step, 1) for dy, dx in CAUSAL]
        around = [(dy * p.step, dx * p.step) for dy, dx in AROUND]
        means.append((0, 2))
        reference_mean = (1, 3)
    else:
        own = {"diagonal": DIAGONAL, "beside": BESIDE, "below": BELOW}[p.name]
        rows += [(0, dy, dx, int(p.name == "diagonal" and i >= FILLED)) for i, (dy, dx) in enumerate(own)]
        nearest = own[:4]
        around = [(0, 0), *nearest, *[o for o in AROUND[1:] if o not in nearest]]
        means.append((0, 4))
        reference_mean = (1, 5)
    if few:
        rows, around = rows[: first_taps(p)], around[: max(NEAR, reference_mean[1])]
    start.append(len(rows))
    for group in range(1, references + 1):
        rows += [(group, dy, dx, 0) for dy, dx in around]
        start.append(len(rows))
        means.append(reference_mean)
    columns = np.array(rows, np.int64).T
    group_of, dy, dx, causal = (np.ascontiguousarray(c) for c in columns)
    count = padded(len(rows) + 1)
    groups = np.full(count, MEANS - 1, np.int64)
    groups[: len(rows)] = group_of
    return Taps(group_of, dy, dx, causal, np.array(start, np.int64), np.array(means, np.int64), np.zeros(count, np.int64), groups)


NEAR = 3  # regressors in each reference of the predictor with fewer regressors


def first_taps(p: Pass) -> int:
    """Regressors in the own plane of the predictor with fewer regressors."""
    return 6 if p.name in ("raster", "quarter") else 8


@cache
def predictor_taps(p: Pass, references: int) -> tuple[tuple[int, ...], int]:
    """The regressors of the least squares predictors, as indices into `taps`, and how many the predictor with fewer of them has."""
    causal = p.name in ("raster", "quarter")
    taps_of_plane = len(CAUSAL) if causal else len(DIAGONAL)
    first, own = first_taps(p), 14 if causal and references else taps_of_plane
    far = 9 if causal else 5
    starts = [taps_of_plane + k * len(AROUND) for k in range(references)]
    fewer = [*range(first), *(start + i for start in starts for i in range(NEAR))]
    return (*fewer, *range(first, own), *(start + i for start in starts for i in range(NEAR, far))), len(fewer)


def few_taps(p: Pass, starts: Sequence[int]) -> tuple[int, ...]:
    """The regressors of the predictor with fewer of them, as indices into few taps. starts: `Taps.start` of these."""
    return (*range(first_taps(p)), *(start + i for start in starts[1:-1] for i in range(NEAR)))
