"""What a transform is: an exactly reversible map from the sources of a picture to its coded planes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from .....container import Reader
from .....kernels import coder
from ..pipeline import Job
from ..sources import Planes, Source


class Corrections(Protocol):
    """What is coded of a tile after its planes: the differences that the transform leaves.

    Attributes:
        image: (height, width, 3) int32, the indices of the first three sources. To be set before encoding; decoding fills it in.
        coder: the stream; to be set before decoding.
        job: codes the rows, each when the rows of the planes that it needs are known.
    """

    image: Planes
    coder: coder.Input | coder.Output
    job: Job

    def note(self) -> None:
        """Let decoding note what it reads. To be called before it begins."""

    def costs(self) -> npt.NDArray[np.float64]:
        """The bits of each place of the tile, (height, width), after decoding that was noted."""


class Transform(ABC):
    """A transform of a picture, with its parameters from section HYBR.

    Attributes:
        name: its name in `info`.
        number: first byte of section HYBR. Never reused, and not 3, which is sound (`limits.SOUND`).
        labels: how many of the first coded planes hold labels. Such a plane i belongs to source i, and HYBR says its largest value.
        chroma: whether planes after the first hold chroma: their networks begin from a prior of their own.
        corrected: whether tiles have corrections.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    labels: ClassVar[int] = 0
    chroma: ClassVar[bool] = False
    corrected: ClassVar[bool] = False

    def planes(self, sources: int) -> int:
        """How many planes are coded. sources: number of sources of the picture."""
        return sources

    def told_by(self, plane: int, source: int, sources: int) -> Sequence[int]:
        """The sources that a coded plane tells of, with the source that its entry in HYBR names. sources: how many there are."""
        return (source,)

    def largest(self, source: Source) -> int:
        """The largest value that a coded plane of this source must have; not asked for planes of labels."""
        return source.largest

    def write(self) -> bytes:
        """The bytes of the transform's parameters in section HYBR."""
        return b""

    @classmethod
    @abstractmethod
    def read(cls, r: Reader, sources: tuple[Source, ...]) -> Transform:
        """The inverse of `write`. sources: those of the picture. Raises FormatError."""

    def corrections(self, sources: tuple[Source, ...], planes: Planes, jobs: list[list[Job]], lines: int) -> Corrections | None:
        """What codes the corrections of a tile, which follow its planes; None if the transform needs none.

        planes: (planes, height, width) int32, of the tile; jobs: the jobs of each plane; lines: log2 of the lines of a context's table.
        """
        return None

    def memory(self, size: tuple[int, int], lines: int) -> int:
        """The most bytes that the corrections of a tile take, its planes aside. size: (height, width); lines: as in `corrections`."""
        return 0

    @abstractmethod
    def restore(self, planes: Planes, order: tuple[int, ...], sources: tuple[Source, ...], image: Planes | None) -> Planes:
        """The indices of the sources, (sources, height, width).

        planes: (planes, height, width), the coded planes; order: the source of each plane; image: (height, width, 3), the corrected
        indices of the first three sources, None if the transform has no corrections.
        """
