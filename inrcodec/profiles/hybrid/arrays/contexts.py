"""The sets of hashed contexts of bricks, as lists of indices into `kernels.volume.State.numbers`. SPEC.md 21.6 has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ORIGIN, LEVEL, PATTERN, WEST, NORTH, NEAR, FAR = range(7)
W, N, NW, NE, WW, NN, PLACE = range(7, 14)
# the same neighbours, of whose values the highest 3 and 2 bits are left
W3, N3, NW3, NE3, WW3, NN3, W2, N2, NW2, NE2, WW2, NN2 = range(14, 26)

VALUES: list[list[int]] = [
    [LEVEL, PATTERN], [WEST, NORTH], [NEAR, FAR], [ORIGIN], [W, N], [W, N, NW, NE], [W, N, NW, NE, WW, NN], [PLACE], [PLACE, W, N],
    [PLACE, W3, N3], [PLACE, W3, N3, NW3, NE3], [W3, N3, NW3, NE3, WW3, NN3], [PLACE, W2, N2, NW2, NE2, WW2, NN2],
]  # fmt: skip
SETS: dict[str, list[list[int]]] = {"none": [], "values": VALUES}
NAMES = list(SETS)


def items(name: str) -> npt.NDArray[np.int64]:
    """The contexts of a set: (contexts, longest) int64, −1 after a context's last item."""
    lists = SETS[name]
    found: npt.NDArray[np.int64] = np.full((len(lists), max([1, *map(len, lists)])), -1, np.int64)
    for row, some in zip(found, lists, strict=True):
        row[: len(some)] = some
    return found
