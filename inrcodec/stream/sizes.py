"""The sizes of bricks, where they are not given."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import UnsupportedError
from ..header import LARGEST_SHAPE

BRICK = 1 << 20  # values of a brick, about
SLICE = 1 << 16  # places of a slice, the last two axes, that is not cut
LAYER = (
    1 << 26
)  # values of a layer of bricks along the first axis, which are buffered when slabs are appended; at most so many if it can be


def default_chunks(axes: Sequence[int | None], channels: int) -> tuple[int, ...]:
    """Sizes of a brick of about BRICK values: near a cube, but of small slices whole ones, and flat where the other axes are long.

    axes: sizes of the coordinate axes; None: not yet known, of the first.
    """
    sizes = [LARGEST_SHAPE if n is None else n for n in axes]
    places = max(1, BRICK // channels)
    if len(sizes) > 2 and math.prod(sizes[-2:]) <= min(SLICE, places):
        leading = near_cube(sizes[:-2], max(1, places // math.prod(sizes[-2:])))
        found = (*leading, *sizes[-2:])
    else:
        found = near_cube(sizes, places)
    most = max(1, LAYER // (channels * math.prod(sizes[1:])))
    if len(sizes) == 1 or found[0] <= most:
        return found
    return (most, *near_cube(sizes[1:], max(1, places // most)))


def near_cube(sizes: Sequence[int], places: int) -> tuple[int, ...]:
    """Sizes of a box of at most `places` places, as near to a cube as the axes' sizes allow. Those along an axis are of about one size."""
    found, left = list(sizes), places
    rising = sorted(range(len(sizes)), key=lambda i: sizes[i])
    for done, axis in enumerate(rising):
        side = int(left ** (1 / (len(rising) - done)) + 1e-9)
        if sizes[axis] > side:
            for other in rising[done:]:
                found[other] = _even(sizes[other], max(1, side))
            break
        left //= sizes[axis]
    return tuple(found)


def _even(n: int, most: int) -> int:
    """The size of parts of an axis of n places, so that the last one is no sliver; at most `most`. If n is not known, a round number."""
    if n == LARGEST_SHAPE:
        return most // 16 * 16 if most >= 32 else most
    return -(-n // -(-n // most))


def checked_chunks(chunks: Sequence[int | None], axes: Sequence[int | None], channels: int | None) -> tuple[int, ...]:
    """Sizes of a brick along the coordinate axes, from those that were asked for; None or −1: the whole axis.

    channels: of the last axis of the samples, which may have a size too and is never cut; None: there is none.

    Raises UnsupportedError: a size is missing, or cannot be.
    """
    given = list(chunks)
    if channels is not None and len(given) == len(axes) + 1 and given.pop() not in (None, -1, channels):
        raise UnsupportedError(f"chunks {tuple(chunks)} would cut the {channels} channels, which stay together")
    if len(given) != len(axes):
        raise UnsupportedError(f"chunks {tuple(chunks)} must have a size for each of {len(axes)} axes")
    found = []
    for size, n in zip(given, axes, strict=True):
        whole = size in (None, -1)
        if (whole and n is None) or (not whole and (isinstance(size, bool) or size < 1)):  # type: ignore[operator]
            raise UnsupportedError(f"chunks {tuple(chunks)}: a size is 1 or more, or None for the whole of an axis whose length is known")
        found.append(n if whole or (n is not None and size > n) else size)  # type: ignore[operator]
    return tuple(int(n) for n in found)  # type: ignore[arg-type]
