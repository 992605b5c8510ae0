"""Parts of a signal, tile by tile: each is decoded once, in a thread, and kept as long as there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import views
from ..errors import FormatError
from ..layout import Box, box_shape
from ..options import Options
from ..progress import Ticker
from ..signal import Signal
from .held import Held
from .store import Store

Parts = npt.NDArray[Any]  # (sizes of a box, channels); of complex numbers, their floats are the channels


@dataclass(frozen=True)
class Piece:
    """What a tile has of a box.

    box: where in the box; parts: the samples, (*sizes, channels); None: the tile cannot be decoded, and fault says why.
    """

    box: Box
    parts: Parts | None
    fault: str = ""


class Samples:
    """Decodes what is asked for. options: threads and limits matter."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store, self.options = store, options

    async def pieces(self, held: Held, box: Box) -> list[Piece]:
        """The tiles in a box. Raises InrcodecError: not of a tile, but of the file."""
        return await self._pieces(held, box, self._tile)

    async def costs(self, held: Held, box: Box) -> list[Piece]:
        """The bits that the places in a box took: each coded plane is a channel, in the order of `Opened.planes`."""
        return await self._pieces(held, box, self._costs)

    async def network(self, held: Held, box: Box) -> Signal:
        """What the network alone says of a box. Raises InrcodecError."""
        opened, view = held.signal, views.View(network_only=True, region=box)
        found: Signal = await self.store.get(
            ("network", held.path, held.stamp, tuple((s.start, s.stop) for s in box)),
            lambda stop: views.render_opened(opened, view, replace(self.options, stop=stop)),
            lambda signal: signal.samples.nbytes,
        )
        return found

    async def _pieces(self, held: Held, box: Box, of_tile: Callable[[Held, int], Any]) -> list[Piece]:
        opened = held.tiled

        async def piece(index: int) -> Piece:
            both = [(max(t.start, s.start), min(t.stop, s.stop)) for t, s in zip(opened.layout.box(index), box, strict=True)]
            here = tuple(slice(a - t.start, b - t.start) for (a, b), t in zip(both, opened.layout.box(index), strict=True))
            there = tuple(slice(a - s.start, b - s.start) for (a, b), s in zip(both, box, strict=True))
            try:
                return Piece(there, (await of_tile(held, index))[here])
            except FormatError as fault:
                return Piece(there, None, f"tile {index + 1} of {opened.layout.tiles} is lost: {str(fault).removeprefix('damaged: ')}")

        return list(await asyncio.gather(*map(piece, opened.meeting(box))))

    async def _tile(self, held: Held, index: int) -> Parts:
        """The samples of a tile. Raises InrcodecError."""
        opened, threads = held.tiled, self._threads(held)

        def decode(stop: Callable[[], bool]) -> Parts:
            box, options = self._checked(held, index, stop)
            whole = tuple(slice(0, n) for n in box_shape(box))
            with opened.blaming():
                return opened.cut(index, opened.tile(index), threads, Ticker(options, "decoding"), whole)

        return await self.store.get(("tile", held.path, held.stamp, index), decode, lambda parts: parts.nbytes)

    async def _costs(self, held: Held, index: int) -> Parts:
        """The bits of a tile, (*sizes, planes) float32. Raises InrcodecError."""
        opened = held.tiled

        def decode(stop: Callable[[], bool]) -> Parts:
            box, options = self._checked(held, index, stop)
            with opened.blaming():
                return np.moveaxis(opened.decode_costs(box, options).bits, 0, -1)

        return await self.store.get(("costs", held.path, held.stamp, index), decode, lambda parts: parts.nbytes)

    def _threads(self, held: Held) -> int:
        """Threads for a tile: all of them if there is no other."""
        return max(1, self.options.workers // held.tiled.layout.tiles)

    def _checked(self, held: Held, index: int, stop: Callable[[], bool]) -> tuple[Box, Options]:
        """The box of a tile, and the options to decode it with. Raises LimitError: it would take too much."""
        options = replace(self.options, threads=self._threads(held), stop=stop)
        box = held.tiled.layout.box(index)
        held.tiled.check_limits(box, [index], options, self.store.held)
        return box, options
