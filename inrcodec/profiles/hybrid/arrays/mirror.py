"""Arrays that are their own mirror image along an axis, as templates of brains are: only half of such an axis is coded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LEAST = 8  # places of an axis in which a mirror is looked for


def find(values: npt.NDArray[Any]) -> tuple[int, int] | None:
    """(axis, sum) with values[i] = values[sum − i] along the axis, for all places i of which sum − i is one too; None if there is none.

    At least half of the axis must have such twins. values: (axes…, channels). Constant slices at the ends do not count.
    """
    for axis in range(values.ndim - 1):
        n = values.shape[axis]
        if n < LEAST:
            continue
        moved = np.moveaxis(values, axis, 0)
        profile = moved.reshape(n, -1).sum(1, dtype=np.uint64)  # equal slices have equal sums, also modulo 2^64
        varied = np.flatnonzero(profile != profile[0])
        if len(varied) < LEAST:
            continue
        middle = int(varied[0] + varied[-1])
        for total in (n - 1, middle, middle - 1, middle + 1):
            first, last = max(0, total - n + 1), min(n - 1, total)
            if 2 * (last - first + 1) < n or not (profile[first : last + 1] == profile[first : last + 1][::-1]).all():
                continue
            twins = moved[first : last + 1]
            if np.array_equal(twins, twins[::-1]):
                return axis, total
    return None


def kept(n: int, total: int) -> npt.NDArray[np.int64]:
    """The places of an axis of length n that are coded: all but those after the middle that have a twin before it."""
    place = np.arange(n)
    return np.flatnonzero((2 * place <= total) | (place > total))


def fold(values: npt.NDArray[Any], mirror: tuple[int, int] | None) -> npt.NDArray[Any]:
    """The places that are coded."""
    return values if mirror is None else np.take(values, kept(values.shape[mirror[0]], mirror[1]), mirror[0])


def folded_shape(shape: tuple[int, ...], mirror: tuple[int, int] | None) -> tuple[int, ...]:
    """The shape of what `fold` gives of an array of this shape."""
    return tuple(len(kept(n, mirror[1])) if mirror is not None and axis == mirror[0] else n for axis, n in enumerate(shape))


def kept_of(shape: tuple[int, ...], mirror: tuple[int, int] | None) -> list[npt.NDArray[np.int64]]:
    """The places that are coded along each axis of an array of this shape."""
    return [kept(n, mirror[1]) if mirror is not None and axis == mirror[0] else np.arange(n) for axis, n in enumerate(shape)]


def unfold(part: npt.NDArray[Any], mirror: tuple[int, int] | None, n: int) -> npt.NDArray[Any]:
    """The inverse of `fold`. n: length of the axis."""
    if mirror is None:
        return part
    axis, total = mirror
    places = kept(n, total)
    where = np.zeros(n, np.int64)
    where[places] = np.arange(len(places))
    place = np.arange(n)
    twins = np.where((2 * place <= total) | (place > total), place, total - place)
    return np.take(part, where[twins], axis)
