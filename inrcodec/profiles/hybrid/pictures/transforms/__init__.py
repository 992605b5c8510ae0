"""The transforms of pictures, a module each.

To add one, write a module here, add its class to TRANSFORMS, and let `pictures.analysis` choose it.
"""

from __future__ import annotations

from .base import Corrections, Transform
from .direct import Direct
from .lattice import Lattice
from .palette import Palette

__all__ = ["TRANSFORMS", "Corrections", "Direct", "Lattice", "Palette", "Transform"]

TRANSFORMS: dict[int, type[Transform]] = {t.number: t for t in (Direct, Lattice, Palette)}
