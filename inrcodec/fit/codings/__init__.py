"""The weight codings in the fit, a module each.

To add one, write a module here, add its class to CODINGS, and its name and number to `weights.codings`.
"""

from __future__ import annotations

from .base import Coding, Grid
from .lsq import Lsq
from .sinr import Sinr
from .ternary import Ternary
from .uniform import Uniform

__all__ = ["CODINGS", "Coding", "Grid", "Lsq", "Sinr", "Ternary", "Uniform", "wanted"]

CODINGS: dict[str, type[Coding]] = {coding.name: coding for coding in (Uniform, Lsq, Ternary, Sinr)}  # in the order of `weights.codings`


def wanted(name: str) -> list[type[Coding]]:
    """The weight codings that a name stands for: one, or all for "auto"."""
    return list(CODINGS.values()) if name == "auto" else [CODINGS[name]]
