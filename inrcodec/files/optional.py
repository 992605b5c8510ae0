"""Packages that only some file types need: a missing one is named, with the line that installs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from ..errors import MissingError


def require(what: str, needed: Mapping[str, str]) -> None:
    """Raise MissingError if a package is missing; its message says that `what` needs it.

    needed: by the name of a module, the name of the package that has it.
    """
    if absent := [package for module, package in needed.items() if find_spec(module) is None]:
        raise MissingError(what, absent)
