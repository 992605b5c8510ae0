"""NumPy's basic indexing of arrays that are cut into bricks: which bricks an index meets, and what of each goes where."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Along:
    """What an index asks of one axis: the places start, start + step, …, `count` of them.

    Attributes:
        start, step, count: step is at least 1.
        backwards: whether they are wanted in the opposite order.
        kept: whether the axis stays; an integer drops it.
    """

    start: int
    step: int
    count: int
    backwards: bool = False
    kept: bool = True

    @property
    def stop(self) -> int:
        """The place after the last; the start if there is none."""
        return self.start + (self.count - 1) * self.step + 1 if self.count else self.start

    def bricks(self, size: int) -> Sequence[int]:
        """Which bricks of this size along the axis hold some of these places, in order."""
        if not self.count:
            return []
        if self.step <= size:
            return range(self.start // size, (self.stop - 1) // size + 1)
        found: list[int] = np.unique((self.start + self.step * np.arange(self.count)) // size).tolist()
        return found

    def within(self, brick: int, size: int) -> tuple[slice, slice]:
        """(where the places of a brick go among all that are wanted, where they are in the brick)."""
        low = brick * size
        first = max(0, -(-(low - self.start) // self.step))
        last = min(self.count, -(-(low + size - self.start) // self.step))
        inside = self.start + first * self.step - low
        return slice(first, last), slice(inside, inside + (last - first - 1) * self.step + 1, self.step)


def parse(key: Any, shape: Sequence[int]) -> tuple[Along, ...]:
    """What an index asks of each axis of an array of this shape.

    Raises IndexError: it is no basic index of integers, slices and an ellipsis, has too many of these, or an integer is out of range.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    for item in items:
        if item is None:
            raise IndexError("None (numpy.newaxis) is no index here; add axes to what comes out")
        if not isinstance(item, int | np.integer | slice | EllipsisType) or isinstance(item, bool):
            raise IndexError(f"an index is made of integers, slices and an ellipsis, not of {type(item).__name__}")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can have only one ellipsis")
    if len(items) - len(dots) > len(shape):
        raise IndexError(f"too many indices: there are {len(shape)} axes, and {len(items) - len(dots)} were indexed")
    at = dots[0] if dots else len(items)
    whole = [slice(None)] * (len(shape) - len(items) + len(dots))
    items[at : at + len(dots)] = whole
    return tuple(_along(item, axis, n) for axis, (item, n) in enumerate(zip(items, shape, strict=True)))


def _along(item: Any, axis: int, n: int) -> Along:
    """What an integer or a slice asks of an axis of n places. Raises IndexError."""
    if not isinstance(item, slice):
        place = operator.index(item)
        if not -n <= place < n:
            raise IndexError(f"index {place} is out of bounds for axis {axis} with size {n}")
        return Along(place % n, 1, 1, kept=False)
    if item.step is not None and operator.index(item.step) == 0:
        raise IndexError("the step of a slice cannot be 0")
    places = range(*item.indices(n))
    if not places:
        return Along(0, 1, 0)
    if places.step < 0:
        return Along(places[-1], -places.step, len(places), backwards=True)
    return Along(places[0], places.step, len(places))


def told(spans: Sequence[slice]) -> str:
    """A box as an index: "[0:16, 32:64]"."""
    return f"[{', '.join(f'{s.start}:{s.stop}' for s in spans)}]"


def bricks_of(along: Sequence[Along], sizes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The bricks that an index meets, as the number of each along the axes. sizes: of a brick."""
    lists = [a.bricks(size) for a, size in zip(along, sizes, strict=True)]
    counts = tuple(map(len, lists))
    for place in np.ndindex(*counts):
        yield tuple(numbers[i] for numbers, i in zip(lists, place, strict=True))
