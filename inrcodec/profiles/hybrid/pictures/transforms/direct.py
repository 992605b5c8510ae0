"""No transform: the coded planes are the sources, in any order."""

from __future__ import annotations

import numpy as np

from .....container import Reader
from ..sources import Planes, Source
from .base import Transform


class Direct(Transform):
    """The coded planes are the sources."""

    name = "planes"
    number = 0

    @classmethod
    def read(cls, r: Reader, sources: tuple[Source, ...]) -> Direct:
        return cls()

    def restore(self, planes: Planes, order: tuple[int, ...], sources: tuple[Source, ...], image: Planes | None) -> Planes:
        indices = np.empty(planes.shape, np.uint16)
        indices[list(order)] = planes
        return indices
