"""How a signal's axes are coded: coordinate axes, channels, and the tiles they are cut into."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral

Box = tuple[slice, ...]  # one slice per coordinate axis


@dataclass(frozen=True)
class Layout:
    """Coordinate axes, channels and tiles of a signal.

    Attributes:
        axes: sizes of the coordinate axes, 1 to 4 of them.
        channels: values at each place.
        tile: sizes of a tile along the axes, at most `axes`. Tiles at the far end of an axis may be smaller.
    """

    axes: tuple[int, ...]
    channels: int
    tile: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return tuple(-(-n // t) for n, t in zip(self.axes, self.tile, strict=True))

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return math.prod(self.counts)

    @property
    def places(self) -> int:
        """Number of places: pixels of a picture, frames of a sound."""
        return math.prod(self.axes)

    def box(self, index: int) -> Box:
        """The box of tile `index`. Tiles are numbered in raster order, the last axis fastest."""
        slices: list[slice] = []
        for n, t, count in zip(reversed(self.axes), reversed(self.tile), reversed(self.counts), strict=True):
            index, i = divmod(index, count)
            slices.append(slice(i * t, min(n, (i + 1) * t)))
        return tuple(reversed(slices))

    def boxes(self) -> Iterator[Box]:
        """The boxes of all tiles, in order."""
        return (self.box(i) for i in range(self.tiles))

    def number(self, place: Iterable[int]) -> int:
        """The number of the tile that is the i-th along each axis, i from `place`."""
        found = 0
        for i, count in zip(place, self.counts, strict=True):
            found = found * count + i
        return found

    def meeting(self, spans: Box) -> list[int]:
        """The numbers of the tiles that lie in a box, in order."""
        along = (range(s.start // t, -(-s.stop // t)) for s, t in zip(spans, self.tile, strict=True))
        return [self.number(place) for place in itertools.product(*along)]


def split(shape: tuple[int, ...], channel_axis: bool) -> tuple[tuple[int, ...], int]:
    """(sizes of the coordinate axes, number of channels) of an array of this shape."""
    return (shape[:-1], shape[-1]) if channel_axis else (shape, 1)


def tile_of(axes: tuple[int, ...], places: int) -> tuple[int, ...]:
    """Sizes of a tile of at most `places` places: the longest axis is halved until the tile is small enough."""
    tile = list(axes)
    while math.prod(tile) > places:
        longest = max(range(len(tile)), key=lambda i: tile[i])
        tile[longest] = -(-tile[longest] // 2)
    return tuple(tile)


def box_shape(box: Box) -> tuple[int, ...]:
    """Sizes of a box along each axis."""
    return tuple(s.stop - s.start for s in box)


def region_box(region: tuple[int, int, int, int]) -> Box:
    """Rows and columns of a region, (left, top, width, height) in pixels. Raises TypeError: it is not four whole numbers."""
    if len(region) != 4 or any(isinstance(n, bool) or not isinstance(n, Integral) for n in region):
        raise TypeError(f"region is {region!r}; it must be (left, top, width, height) in pixels")
    left, top, width, height = map(int, region)
    return slice(top, top + height), slice(left, left + width)
