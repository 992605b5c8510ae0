"""A palette: a list of the colours of a picture, and one plane of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .....compression import decompress
from .....container import Reader, varint
from .....errors import FormatError
from .....values import join_bits, plane_bits, value_type
from ..sources import Planes, Source, pack, packed
from .base import Transform

MAX_COLOURS = 1 << 12
MAX_SOURCES = 4


def _checked(colours: npt.NDArray[np.int64], sources: tuple[Source, ...]) -> npt.NDArray[np.int64]:
    """The colours, if their indices are those of the sources. Raises FormatError."""
    if (colours > np.array([s.largest for s in sources])).any():
        raise FormatError("damaged: a colour of the palette is out of range")
    return colours


@dataclass(frozen=True, eq=False)
class Palette(Transform):
    """colours: (colours, sources) int64, the index of each source."""

    colours: npt.NDArray[np.int64]

    name = "palette"
    number = 2

    def planes(self, sources: int) -> int:
        return 1

    def told_by(self, plane: int, source: int, sources: int) -> Sequence[int]:
        return range(sources)

    def largest(self, source: Source) -> int:
        return len(self.colours) - 1

    def write(self) -> bytes:
        return varint(len(self.colours)) + packed(self.colours.T.astype("<u2").tobytes())

    def write_brief(self, bits: int) -> bytes:
        """The bytes of the palette in the brief form of HYBR. bits: of the values."""
        plain = np.packbits(plane_bits(self.colours.T.reshape(-1, 1).astype(value_type(bits)), bits)).tobytes()
        long = packed(self.colours.T.astype("<u2").tobytes())
        return varint(2 * len(self.colours)) + plain if len(plain) <= len(long) else varint(2 * len(self.colours) + 1) + long

    @classmethod
    def read_brief(cls, r: Reader, sources: tuple[Source, ...], bits: int) -> Palette:
        """The inverse of `write_brief`. sources: those of the picture. Raises FormatError."""
        count, long = divmod(r.varint(2 * MAX_COLOURS + 1), 2)
        if long or not count or len(sources) > MAX_SOURCES:
            return cls._read(r, sources, count)
        numbers = count * len(sources)
        binary = np.unpackbits(np.frombuffer(r.take((numbers * bits + 7) // 8), np.uint8))
        if binary[numbers * bits :].any():
            raise FormatError("damaged: the last byte of the palette is not filled with zeros")
        values = join_bits(binary[: numbers * bits].reshape(-1, bits), bits)[:, 0]
        return cls(_checked(values.reshape(len(sources), count).T.astype(np.int64), sources))

    @classmethod
    def read(cls, r: Reader, sources: tuple[Source, ...]) -> Palette:
        return cls._read(r, sources, r.varint(MAX_COLOURS))

    @classmethod
    def _read(cls, r: Reader, sources: tuple[Source, ...], count: int) -> Palette:
        """The palette of so many colours, from its Brotli string."""
        if len(sources) > MAX_SOURCES:  # else 200 KB could ask for half a gigabyte
            raise FormatError("damaged: a palette is of at most four planes")
        if not count:
            raise FormatError("damaged: a palette has no colours")
        raw = decompress(r.take(r.varint()), 2 * count * len(sources), "the palette")
        return cls(_checked(np.frombuffer(raw, "<u2").reshape(len(sources), count).T.astype(np.int64), sources))

    def restore(self, planes: Planes, order: tuple[int, ...], sources: tuple[Source, ...], image: Planes | None) -> Planes:
        return np.ascontiguousarray(self.colours.T.astype(np.uint16))[:, planes[0]]

    def numbers(self, indices: Planes) -> Planes:
        """The numbers of the colours, (1, height, width) uint16. indices: (sources, height, width); each colour must be in the palette."""
        keys, known = pack(indices), pack(self.colours.T[:, :, None])[:, 0]
        order = np.argsort(known, kind="stable")
        return order[np.searchsorted(known[order], keys)].astype(np.uint16)[None]
