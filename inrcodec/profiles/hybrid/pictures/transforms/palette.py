"""A palette: a list of the colours of a picture, and one plane of their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .....compression import decompress
from .....container import Reader, varint
from .....errors import FormatError
from ..sources import Planes, Source, pack, packed
from .base import Transform

MAX_COLOURS = 1 << 12
MAX_SOURCES = 4


@dataclass(frozen=True, eq=False)
class Palette(Transform):
    """colours: (colours, sources) int64, the index of each source."""

    colours: npt.NDArray[np.int64]

    name = "palette"
    number = 2

    def planes(self, sources: int) -> int:
        return 1

    def largest(self, source: Source) -> int:
        return len(self.colours) - 1

    def write(self) -> bytes:
        return varint(len(self.colours)) + packed(self.colours.T.astype("<u2").tobytes())

    @classmethod
    def read(cls, r: Reader, sources: tuple[Source, ...]) -> Palette:
        if len(sources) > MAX_SOURCES:  # else 200 KB could ask for half a gigabyte
            raise FormatError("damaged: a palette is of at most four planes")
        count = r.varint(MAX_COLOURS)
        raw = decompress(r.take(r.varint()), 2 * count * len(sources), "the palette")
        if not count:
            raise FormatError("damaged: the palette does not have its size")
        colours = np.frombuffer(raw, "<u2").reshape(len(sources), count).T.astype(np.int64)
        if (colours > np.array([s.largest for s in sources])).any():
            raise FormatError("damaged: a colour of the palette is out of range")
        return cls(colours)

    def restore(self, planes: Planes, order: tuple[int, ...], sources: tuple[Source, ...], image: Planes | None) -> Planes:
        return np.ascontiguousarray(self.colours.T.astype(np.uint16))[:, planes[0]]

    def numbers(self, indices: Planes) -> Planes:
        """The numbers of the colours, (1, height, width) uint16. indices: (sources, height, width); each colour must be in the palette."""
        keys, known = pack(indices), pack(self.colours.T[:, :, None])[:, 0]
        order = np.argsort(known, kind="stable")
        return order[np.searchsorted(known[order], keys)].astype(np.uint16)[None]
