"""The weight codings' torch side, a module each. To add one: a module here, its class in CODINGS, its number in `weights.codings`."""

from __future__ import annotations

from .base import Coding, Grid
from .lsq import Lsq
from .sinr import Sinr
from .ternary import Ternary
from .uniform import Uniform

__all__ = ["CODINGS", "Coding", "Grid", "Lsq", "Sinr", "Ternary", "Uniform", "wanted"]

CODINGS: dict[str, type[Coding]] = {coding.name: coding for coding in (Uniform, Lsq, Ternary, Sinr)}


def wanted(name: str) -> list[type[Coding]]:
    """The codings that are tried: "auto" tries all."""
    return list(CODINGS.values()) if name == "auto" else [CODINGS[name]]
