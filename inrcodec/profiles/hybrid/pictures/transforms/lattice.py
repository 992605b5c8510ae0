"""A colour lattice: planes of labels, and corrections for colours that are not those of their labels. `pictures.lattice` finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .....container import Reader, varint, zigzag
from .....errors import FormatError
from .....kernels import coder, colours, mixer, noting
from ..pipeline import CHUNK, Job, rows_until
from ..sources import Planes, Source
from .base import Transform

STATE_BYTES = 1 << 23  # of the corrections of any tile, the tables of the contexts aside


@dataclass(frozen=True, eq=False)
class Lattice(Transform):
    """The colour of a label is clip((matrix·label + offset + 2^15) >> 16), componentwise, between 0 and the largest component.

    Attributes:
        matrix: (3, 3) int64, rows R, G, B; columns Y, C1, C2; in units of 2^-16.
        offset: (3,) int64, R, G, B, in units of 2^-16.
        least: (3,) int64, the least label of each plane; a plane holds label − least.
    """

    matrix: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    least: npt.NDArray[np.int64]

    name = "lattice"
    number = 1
    labels = 3
    chroma = True
    corrected = True

    def told_by(self, plane: int, source: int, sources: int) -> Sequence[int]:
        return range(3) if plane < 3 else (source,)

    def write(self) -> bytes:
        numbers = np.concatenate([self.matrix.ravel(), self.offset, self.least])
        return b"".join(varint(zigzag(int(n))) for n in numbers)

    @classmethod
    def read(cls, r: Reader, sources: tuple[Source, ...]) -> Lattice:
        if len(sources) < 3 or limit(sources) > 255:
            raise FormatError("damaged: a lattice is of three planes of 8 bits")
        numbers = [r.signed() for _ in range(15)]
        if max(map(abs, numbers)) >= 1 << 31:
            raise FormatError("damaged: a lattice's number is out of range")
        flat = np.array(numbers, np.int64)
        return cls(flat[:9].reshape(3, 3), flat[9:12], flat[12:])

    def corrections(self, sources: tuple[Source, ...], planes: Planes, jobs: list[list[Job]], lines: int) -> LabelCorrections:
        return LabelCorrections(self, limit(sources), planes, [job for some in jobs[:3] for job in some], lines)

    def memory(self, size: tuple[int, int], lines: int) -> int:
        height, width = size
        # the image twice, a chunk of labels, the tables of the contexts, and what has the same size in all tiles
        return 24 * height * width + 24 * CHUNK * width + colours.CONTEXTS * 4 * mixer.NODES * table_lines(size, lines) + STATE_BYTES

    def restore(self, planes: Planes, order: tuple[int, ...], sources: tuple[Source, ...], image: Planes | None) -> Planes:
        assert image is not None
        indices = np.empty_like(planes)
        indices[list(order)] = planes
        indices[:3] = np.moveaxis(image, -1, 0)
        return indices


def table_lines(size: tuple[int, int], lines: int) -> int:
    """Lines of the table of a context, for a tile of this size, (height, width). lines: log2 of the most lines."""
    return min(1 << lines, mixer.power_of_two(6 * size[0] * size[1]))


def limit(sources: tuple[Source, ...]) -> int:
    """The largest component that a colour can have."""
    return max(s.largest for s in sources[:3])


class LabelCorrections:
    """Codes the differences between the colours of a tile and those of their labels: the Corrections of a lattice.

    limit: the largest component; planes: (planes, height, width) int32 of the tile; before: the jobs of the planes of labels; lines:
    log2 of the most lines of a context's table.
    """

    def __init__(self, lattice: Lattice, limit: int, planes: Planes, before: list[Job], lines: int) -> None:
        self.lattice, self.planes = lattice, planes
        self.to = colours.Affine(lattice.matrix, lattice.offset, limit)
        _, height, width = planes.shape
        self.image: Any = np.zeros((height, width, 3), np.int32)
        self.state = colours.corrector(width, table_lines((height, width), lines))
        self.read = noting.UNREAD
        self.coder: coder.Input | coder.Output = coder.Output()
        self.job = Job(height, self.run, lambda last: [(job, min(job.rows, rows_until(job, last - 1))) for job in before])

    def run(self, first: int, last: int) -> None:
        """Code rows first … last − 1, either way."""
        bits = self.coder.coder((last - first) * self.planes.shape[2] * 3 * colours.MOST_BITS)
        labels = self.planes[:3, first:last].astype(np.int64) + self.lattice.least[:, None, None]
        colours.correct_rows(bits, labels, self.image[first:last], self.to, self.state._replace(read=self.read[first:last]))

    def note(self) -> None:
        """See `Corrections`."""
        self.read = np.zeros(self.image.shape[:2])

    def costs(self) -> npt.NDArray[np.float64]:
        """See `Corrections`."""
        assert isinstance(self.coder, coder.Input)
        return noting.costs_of(self.read, self.coder.bits)
