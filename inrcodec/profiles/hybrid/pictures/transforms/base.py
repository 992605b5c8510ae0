"""What a transform is: an exactly reversible way from the signal's planes to the planes that are coded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from .....container import Reader
from .....kernels import coder
from ..pipeline import Job
from ..sources import Planes, Source


class Corrections(Protocol):
    """What is coded of a tile after its planes.

    Attributes:
        image: (height, width, 3) int32 of the first three sources' indices: to be set before encoding, filled in by decoding.
        coder: the stream.
        job: the rows, each after those of the planes that it needs.
    """

    image: Planes
    coder: coder.Input | coder.Output
    job: Job


class Transform(ABC):
    """One transform of a picture, with what the plan says of it.

    Attributes:
        name: as `info` has it.
        number: first byte of section HYBR; never reused.
        labels: so many first planes hold labels of their own: plane i is of source i, and its largest value is the plan's to say.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    labels: ClassVar[int] = 0

    def planes(self, sources: int) -> int:
        """How many planes are coded for so many of the signal's."""
        return sources

    def largest(self, source: Source) -> int:
        """The largest value of a coded plane that holds no labels."""
        return source.largest

    def write(self) -> bytes:
        """What section HYBR says of it."""
        return b""

    @classmethod
    @abstractmethod
    def read(cls, r: Reader, sources: tuple[Source, ...]) -> Transform:
        """The inverse of `write`. Raises FormatError."""

    def corrections(self, sources: tuple[Source, ...], planes: Planes, jobs: list[list[Job]], lines: int) -> Corrections | None:
        """What is coded of a tile after its planes, (planes, height, width) int32. jobs: of each plane; lines: log2, of a context."""
        return None

    @abstractmethod
    def restore(self, planes: Planes, order: tuple[int, ...], sources: tuple[Source, ...], image: Planes | None) -> Planes:
        """The indices of the signal's planes, (sources, height, width).

        planes: as coded; order: the source of each; image: (height, width, 3), what corrections have made, if there are any.
        """
