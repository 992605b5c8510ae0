"""Parts of a signal, tile by tile: each is decoded once, in a thread, and kept as long as there is room.

However large the part is that is asked for, only as many tiles of it are at hand as there are threads, beside those in the store.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import views
from ..errors import FormatError, LimitError, Stopped
from ..layout import Box, Layout, box_shape
from ..options import Options
from ..progress import Ticker
from .held import Held
from .store import Notes, Store

Parts = npt.NDArray[Any]  # (sizes of a box, channels); of complex numbers, their floats are the channels
# samples; "costs": the bits that places took, each coded plane is a channel, in the order of `Opened.planes`; what the network alone says
Source = Literal["samples", "costs", "network"]

REQUESTS = 8  # that are worked on at a time
ASKED = 512  # rows and columns of a part of which a network is asked
STRIP = 1 << 16  # values of a piece that are worked on at a time
NOTES = 1000  # facts of pages that are kept
TOLD = 5  # tiles that are lost of which is told


@dataclass(frozen=True)
class Piece:
    """What a tile has of a box.

    box: where in the box; parts: the samples, (*sizes, channels); None: the tile cannot be decoded, and fault says why.
    """

    box: Box
    parts: Parts | None
    fault: str = ""


Take = Callable[[Piece], None]


class Samples:
    """Decodes what is asked for. options: threads and limits matter. Its methods are called from one event loop."""

    def __init__(self, store: Store, options: Options) -> None:
        self.store, self.options, self.notes = store, options, Notes(NOTES)
        self._turns = asyncio.Semaphore(REQUESTS)
        self._taken = 0  # bytes that those need who have a room
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def room(self, held: Held, box: Box, more: int, source: Source = "samples") -> AsyncIterator[None]:
        """Wait until there is memory to decode a box tile by tile; the `with` block may use it.

        more: bytes that the caller needs besides, all its tiles together. Raises LimitError: there will never be so much.
        """
        async with self._turns:
            while True:
                try:
                    self._check(held, box, more + max(self.store.most, self.store.held) + self._taken, source)
                    break
                except LimitError:
                    if not self._taken and self.store.held <= self.store.most:
                        raise
                if self._taken:
                    await self._freed.wait()
                else:
                    self.store.empty()
            self._taken += more
            try:
                yield
            finally:
                self._taken -= more
                self._freed.set()
                self._freed = asyncio.Event()

    def at_once(self, held: Held, box: Box, source: Source = "samples") -> int:
        """How many values of a box are worked on at once, at most, by those who take `strips` of pieces."""
        columns = min(box_shape(box)[-1], _cut(held, source).tile[-1]) if len(box) > 1 else 1
        return self.options.workers * max(STRIP, columns * _width(held, source))

    async def each(self, held: Held, box: Box, take: Take, source: Source = "samples") -> list[str]:
        """Call `take` with what each tile has of a box, in any order and from several threads. To be called inside of `room`.

        Returns what of it is lost, a line for each tile, see TOLD. Raises InrcodecError: not of a tile, but of the file.
        """
        cut, lost = _cut(held, source), {}
        wanted = cut.meeting(box)
        waiting = iter(wanted)

        def taking(piece: Piece) -> None:
            if self.store.ended:
                raise Stopped
            take(piece)

        async def work() -> None:
            for index in waiting:
                piece = await self._piece(held, cut, index, box, source)
                if piece.fault:
                    lost[index] = piece.fault
                await self.store.run(taking, piece)

        working = [asyncio.create_task(work()) for _ in range(min(self.options.workers, len(wanted)))]
        try:
            await asyncio.gather(*working)
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
        return _told([lost[index] for index in sorted(lost)])

    async def pieces(self, held: Held, box: Box, more: int = 0, source: Source = "samples") -> list[Piece]:
        """What the tiles have of a small box. more: see `room`. Raises as `each`."""
        found: list[Piece] = []
        async with self.room(held, box, more, source):
            await self.each(held, box, found.append, source)
        return found

    async def _piece(self, held: Held, cut: Layout, index: int, box: Box, source: Source) -> Piece:
        tile = cut.box(index)
        both = [(max(t.start, s.start), min(t.stop, s.stop)) for t, s in zip(tile, box, strict=True)]
        here = tuple(slice(a - t.start, b - t.start) for (a, b), t in zip(both, tile, strict=True))
        there = tuple(slice(a - s.start, b - s.start) for (a, b), s in zip(both, box, strict=True))
        made = {"samples": self._tile, "costs": self._costs, "network": self._network}[source]
        try:
            return Piece(there, (await made(held, index))[here])
        except FormatError as fault:
            if source == "network":
                raise
            return Piece(there, None, f"tile {index + 1} of {cut.tiles} is lost: {str(fault).removeprefix('damaged: ')}")

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

    async def _network(self, held: Held, index: int) -> Parts:
        """What the network alone says of a part. Raises InrcodecError."""
        opened, view = held.signal, views.View(network_only=True, region=_cut(held, "network").box(index))

        def render(stop: Callable[[], bool]) -> Parts:
            return views.render_opened(opened, view, replace(self.options, threads=1, stop=stop)).parts

        return await self.store.get(("network", held.path, held.stamp, index), render, lambda parts: parts.nbytes)

    def _threads(self, held: Held) -> int:
        """Threads for a tile: all of them if there is no other."""
        return max(1, self.options.workers // held.tiled.layout.tiles)

    def _check(self, held: Held, box: Box, more: int, source: Source) -> None:
        """Raise LimitError if decoding a box takes too much. more: bytes that are needed besides."""
        cut, workers = _cut(held, source), self.options.workers
        first = cut.box(cut.meeting(tuple(slice(s.start, s.start + 1) for s in box))[0])  # no tile of the box is larger
        if source == "network":
            places = math.prod(box_shape(first)) * workers
            self.options.limits.check_memory(held.signal.held + more + views.PLACE_BYTES * places * cut.channels)
            return
        wanted = cut.meeting(box)[:workers]
        if source == "costs":
            more += len(wanted) * held.tiled.noted(box_shape(first), 1)
        held.tiled.check_limits(first, wanted, self.options, more, 0)

    def _checked(self, held: Held, index: int, stop: Callable[[], bool]) -> tuple[Box, Options]:
        """The box of a tile, and the options to decode it with. Raises LimitError: it would take too much."""
        options = replace(self.options, threads=self._threads(held), stop=stop)
        box = held.tiled.layout.box(index)
        held.tiled.check_limits(box, [index], options)
        return box, options


def strips(piece: Piece) -> Iterator[tuple[Box, Parts]]:
    """What a piece of a page or a sound has, in strips of rows or frames of STRIP values, at least of one row. Nothing if it is lost."""
    if piece.parts is None:
        return
    axis = max(0, len(piece.box) - 2)
    first, count = piece.box[axis].start, piece.parts.shape[axis]
    step = max(1, STRIP // math.prod(piece.parts.shape[axis + 1 :]))
    for start in range(0, count, step):
        stop = min(start + step, count)
        box = (*piece.box[:axis], slice(first + start, first + stop), *piece.box[axis + 1 :])
        yield box, piece.parts[(*[slice(None)] * axis, slice(start, stop))]


def _width(held: Held, source: Source) -> int:
    """Values of a place."""
    return len(held.tiled.planes) if source == "costs" else held.signal.layout.channels


def _cut(held: Held, source: Source) -> Layout:
    """Into what a signal is cut. Raises InrcodecError: it lacks what is asked for."""
    if source != "network":
        return held.tiled.layout
    layout = held.signal.layout
    sides = [1] * (len(layout.axes) - 2) + [ASKED, ASKED]
    return replace(layout, tile=tuple(min(a, b) for a, b in zip(layout.axes, sides, strict=True)))


def _told(faults: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    return [*faults[:TOLD], f"and {len(faults) - TOLD} more"] if len(faults) > TOLD else list(faults)
