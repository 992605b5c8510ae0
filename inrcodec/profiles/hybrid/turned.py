"""Arrays of two axes that are coded turned: transposed, or from another corner. What is above and to the left then tells more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...container import Section
from ...errors import FormatError
from ...layout import Box, Layout
from ...options import Options
from ...values import Values
from ..base import Bits, Parts, Subject, Tick, TileDecoder, ignore
from .limits import SECTION, TURNED

UP, LEFT, ACROSS = 1, 2, 4  # rows from below, columns from the right; after rows and columns were exchanged
TURNS = (UP, UP | LEFT | ACROSS)  # that are tried


def _flipped(values: npt.NDArray[Any], way: int) -> npt.NDArray[Any]:
    return np.flip(values, tuple(axis for axis, bit in ((0, UP), (1, LEFT)) if way & bit))


def turn(values: Values, way: int) -> Values:
    """Values (rows, columns, channels), turned."""
    moved = values.transpose(1, 0, 2) if way & ACROSS else values
    return np.ascontiguousarray(_flipped(moved, way))


def back(values: npt.NDArray[Any], way: int) -> npt.NDArray[Any]:
    """The inverse of `turn`."""
    moved = _flipped(values, way)
    return np.ascontiguousarray(moved.transpose(1, 0, 2) if way & ACROSS else moved)


def _layout(layout: Layout, way: int) -> Layout:
    """The layout of turned values, which is one tile."""
    axes = layout.axes[::-1] if way & ACROSS else layout.axes
    return Layout(axes, layout.channels, axes)


def encode(subject: Subject, options: Options, way: int, code: Callable[[Subject, Options], Parts]) -> Parts | None:
    """A signal of two axes, turned, as `code` codes it; None if that takes several tiles."""
    parts = code(replace(subject, values=turn(subject.values, way)), replace(options, progress=None))
    if parts.layout.tiles > 1 or parts.section is None:
        return None
    axes = subject.values.shape[:-1]
    return Parts(Layout(axes, subject.values.shape[-1], axes), Section(SECTION, bytes([TURNED, way]) + parts.section.content), parts.tiles)


class Decoder(TileDecoder):
    """Decodes a turned array, of one tile, by the decoder of what was turned."""

    def __init__(self, inner: TileDecoder, way: int, layout: Layout) -> None:
        self.inner, self.way, self.known, self.planes = inner, way, inner.known, inner.planes
        self.box: Box = _layout(layout, way).box(0)

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        return back(self.inner.decode_tile(self.box, data, threads, tick), self.way)

    def decode_costs(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> tuple[Values, Bits]:
        values, costs = self.inner.decode_costs(self.box, data, threads, tick)
        return back(values, self.way), np.moveaxis(back(np.moveaxis(costs, 0, -1), self.way), -1, 0)

    def check(self) -> None:
        self.inner.check()

    def memory(self, box: Box, threads: int = 1) -> int:
        return 2 * self.inner.memory(self.box, threads)

    @property
    def shared(self) -> int:
        return self.inner.shared

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        return self.inner.stages(tiles, decode)

    def describe(self) -> Mapping[str, object]:
        names = {UP: "rows from below", LEFT: "columns from the right", ACROSS: "transposed"}
        return {**self.inner.describe(), "turned": [name for bit, name in names.items() if self.way & bit]}

    def weights_bytes(self, section: int) -> int:
        return self.inner.weights_bytes(section - 2)


def open_decoder(section: bytes, layout: Layout, bits: int, open_inner: Callable[[bytes, Layout, int], TileDecoder]) -> Decoder:
    """Parse and check section HYBR of a turned array. open_inner: parses what follows. Raises FormatError."""
    if len(layout.axes) != 2 or layout.tiles > 1:
        raise FormatError("damaged: its plan is that of a turned array, which has two axes and one tile")
    if len(section) < 3 or not 1 <= section[1] <= (UP | LEFT | ACROSS) or section[2] == TURNED:
        raise FormatError("damaged: section HYBR has an unknown setting")
    way = section[1]
    return Decoder(open_inner(section[2:], _layout(layout, way), bits), way, layout)
