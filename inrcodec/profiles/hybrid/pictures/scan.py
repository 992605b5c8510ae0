"""In which order a plane's places are coded, and what is gathered around each.

A plane is coded in one raster pass, or, where it was interpolated from half the resolution, in four: the places of even row and
column first, then the diagonal ones between them, then the rest, with neighbours on all sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....kernels.picture import Taps

Offset = tuple[int, int]  # dy, dx

CAUSAL: list[Offset] = [
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-1, -2), (-1, 2), (-2, -1),
    (0, -3), (-3, 0), (-2, 2), (-2, -2), (-1, -3), (-1, 3), (-3, -1), (-3, 1),
]  # fmt: skip
# of a plane that is known already: the place itself first
AROUND: list[Offset] = [(0, 0), (0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1), (0, 2), (2, 0), (0, -2), (-2, 0)]
# of the plane itself, in the passes that fill it in: the four nearest first
DIAGONAL: list[Offset] = [
    (-1, -1), (1, 1), (-1, 1), (1, -1), (-1, -3), (-1, 3), (1, -3), (1, 3), (-3, -1), (-3, 1), (3, -1), (3, 1), (0, -2), (-2, 0),
]  # fmt: skip
BESIDE: list[Offset] = [
    (0, -1), (0, 1), (-1, 0), (1, 0), (0, -3), (0, 3), (-2, -1), (-2, 1), (2, -1), (2, 1), (-1, -2), (-1, 2), (1, -2), (1, 2),
]  # fmt: skip
BELOW: list[Offset] = [
    (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1), (-3, 0), (3, 0), (-2, -1), (-2, 1), (2, -1), (2, 1),
]  # fmt: skip
FILLED = 12  # of DIAGONAL: known on both sides; the others are causal
LEAST_SIZE = 4  # of a tile coded in four passes: below, a mirrored tap could fall on a place that is not known


@dataclass(frozen=True)
class Pass:
    """One pass: the places (top + step·i, left + step·j). `name` names the prior's network, with the number of references."""

    name: str
    top: int
    left: int
    step: int

    def rows(self, height: int) -> int:
        return max(0, -(-(height - self.top) // self.step))


RASTER = (Pass("raster", 0, 0, 1),)
QUARTERS = (Pass("quarter", 0, 0, 2), Pass("diagonal", 1, 1, 2), Pass("beside", 0, 1, 2), Pass("below", 1, 0, 2))


NAMES = [p.name for p in RASTER + QUARTERS]


def passes(two_pass: bool) -> tuple[Pass, ...]:
    """The passes of a plane."""
    return QUARTERS if two_pass else RASTER


def taps(p: Pass, plane: int, references: Sequence[int]) -> Taps:
    """What is gathered: the plane itself, then each reference."""
    rows: list[tuple[int, int, int, int]] = []  # plane, dy, dx, causal
    start, means = [0], []
    if p.name in ("raster", "quarter"):
        rows += [(plane, dy * p.step, dx * p.step, 1) for dy, dx in CAUSAL]
        around = [(dy * p.step, dx * p.step) for dy, dx in AROUND]
        means.append((0, 2))
        reference_mean = (1, 3)
    else:
        own = {"diagonal": DIAGONAL, "beside": BESIDE, "below": BELOW}[p.name]
        rows += [(plane, dy, dx, int(p.name == "diagonal" and i >= FILLED)) for i, (dy, dx) in enumerate(own)]
        nearest = own[:4]
        around = [(0, 0), *nearest, *[o for o in AROUND[1:] if o not in nearest]]
        means.append((0, 4))
        reference_mean = (1, 5)
    start.append(len(rows))
    for reference in references:
        rows += [(reference, dy, dx, 0) for dy, dx in around]
        start.append(len(rows))
        means.append(reference_mean)
    columns = np.array(rows, np.int64).T
    plane_of, dy, dx, causal = (np.ascontiguousarray(c) for c in columns)
    return Taps(plane_of, dy, dx, causal, np.array(start, np.int64), np.array(means, np.int64))


def predictor_taps(p: Pass, references: int, wide: bool) -> list[int]:
    """Indices into the taps that a least squares predictor uses."""
    causal = p.name in ("raster", "quarter")
    own = (14 if references else 18) if wide else 6
    if not causal:
        own = 14 if wide else 8
    around = 13 if not causal else len(AROUND)
    total = (18 if causal else 14) + np.arange(references) * around
    near = (9 if causal else 5) if wide else 3
    return [*range(own), *(int(b) + i for b in total for i in range(near))]
