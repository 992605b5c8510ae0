"""The sets of hashed contexts. A context is a list of numbers that are hashed together: gathered values, or numbers derived from them.

SPEC.md, "Contexts", has the same lists. An item below is 100·group + number of the tap in its group, or 1000 + number of a derived number
(`kernels.picture.derive`). Group 0 is the plane's own, group 1 that of its first reference, and so on.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ....kernels.lanes import padded
from ....kernels.picture import Taps

# taps by direction: of the own plane; G… of the first reference, R… of the second, A of the third
W, N, NW, NE, WW, NN, NNE, NWW, NEE, NNW, WWW, NNN, NNEE, NNWW, NWWW, NEEE, NNNW, NNNE = range(18)
G, GW, GN, GE, GS, GNW, GNE, GSW, GSE, GEE, GSS, GWW, GNN = range(100, 113)
R, RW, RN, RE, RS, RNW, RNE, RSW, RSE, REE, RSS, RWW, RNN = range(200, 213)
A = 300
P, PHALF, Q, GRADIENT, WG, NG, WR, NR, ERROR, MEAN, EW, EN, EG, ER, PATTERN, ORIGIN, DW, DN, DWG, DNG, PART, LEVEL = range(1000, 1022)

# contexts by number of references: the last list of a set is also for more
PHOTO: list[list[list[int]]] = [
    [[LEVEL, PATTERN], [DW, DN], [ORIGIN]],
    [[LEVEL, PATTERN], [DW, DN], [G, ORIGIN]],
    [[LEVEL, PATTERN], [DWG, DNG], [G, R, ORIGIN]],
]
GRAPHICS: list[list[list[int]]] = [
    [
        [], [W], [N], [W, N], [W, NW], [N, NE], [W, N, NW], [W, N, NE], [W, N, NW, NE], [W, WW, N, NW, NE], [W, N, NW, NE, WW, NN],
        [W, N, NW, NE, WW, NN, NNE, NWW, NEE], [W, N, NW, NE, WW, NN, NNE, NWW, NEE, NNW, WWW, NNN, NNEE],
        [W, N, NW, NE, WW, NN, NNE, NWW, NEE, NNW, WWW, NNN, NNEE, NNWW, NWWW, NEEE, NNNW, NNNE], [W, WW, WWW], [N, NN, NNN],
    ],
    [
        [G], [G, W], [G, N], [G, W, N], [G, GW, W], [G, GN, N], [G, GW, GN, W, N], [G, W, N, NW, NE],
        [G, GW, GN, GNW, GNE, W, N, NW, NE], [G, GW, GN, GE, GS, GNW, GNE, GSW, GSE, W, N], [G, W, N, NW, NE, WW, NN, NNE, NWW, NEE],
        [WG], [NG], [G, WG, NG], [G, GW, GN, GE, GS, W, N, NW, NE, WW, NN], [G, GE, W],
    ],
    [
        [G, R], [G, R, W], [G, R, N], [G, R, W, N], [G, R, GW, RW, W], [G, R, GN, RN, N], [G, R, GW, RW, GN, RN, W, N],
        [G, R, W, N, NW, NE], [G, R, GE, RE, GS, RS, W, N], [G, R, W, N, NW, NE, WW, NN, NNE], [G, W], [WG, WR], [NG, NR], [R, W, N],
        [R, RW, W], [G, GW, R, RW, WG],
    ],
    [
        [G, R, A], [G, R, A, W], [G, R, A, N], [G, R, A, W, N], [G, R, A, GW, RW, W], [G, R, A, GN, RN, N], [G, R, GW, RW, GN, RN, W, N, A],
        [G, R, W, N, NW, NE], [G, R, GE, RE, GS, RS, W, N], [G, R, W, N, NW, NE, WW, NN, NNE], [G, W], [WG, WR], [NG, NR], [R, W, N, A],
        [R, RW, W], [G, GW, R, RW, WG],
    ],
]  # fmt: skip
FEW = [[some[i] for i in (0, 3, 5, 6, 8, 10)] for some in GRAPHICS]
SETS = {"none": None, "photo": PHOTO, "graphics": GRAPHICS, "few": FEW}
NAMES = list(SETS)


def context_taps(name: str, taps: Taps) -> npt.NDArray[np.int64]:
    """The contexts of a set for these taps: (contexts, longest) int64, indices into `State.gathered`, −1 after a context's last item.

    name: of the set. The array is not to be changed. Raises ValueError if a context needs a reference that the taps do not have.
    """
    return _of_groups(name, tuple(taps.start.tolist()))


@cache
def _of_groups(name: str, starts: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """`context_taps`. starts: number of the first tap of each group, then the number of taps."""
    chosen = SETS[name]
    references = len(starts) - 2
    lists: list[list[int]] = chosen[min(references, len(chosen) - 1)] if chosen is not None else []

    def index(item: int) -> int:
        if item >= 1000:
            return padded(starts[-1] + 1) + item - 1000
        group, i = divmod(item, 100)
        if group > references:
            raise ValueError("a context uses a reference that is not there")
        return min(starts[group] + i, starts[group + 1] - 1)

    out: npt.NDArray[np.int64] = np.full((len(lists), max([1, *map(len, lists)])), -1, np.int64)
    for row, items in zip(out, lists, strict=True):
        row[: len(items)] = [index(i) for i in items]
    return out
