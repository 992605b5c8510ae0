"""Files of more samples than fit in memory: written brick by brick, read by index."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..options import Options
from .reader import CACHE, StreamReader
from .writer import Declared, StreamWriter

__all__ = ["Declared", "StreamReader", "StreamWriter", "open_file"]

READING = {"threads", "max_samples", "max_memory", "progress", "stop"}
WRITING = {"profile", "effort", "threads", "verify", "max_memory", "progress", "stop"}


def open_file(path: str | os.PathLike[str], mode: str, declared: dict[str, Any], more: dict[str, Any]) -> StreamReader | StreamWriter:
    """Open a file: see `inrcodec.open`. declared: fields of `Declared` that were given; more: options, and cache_bytes."""
    if mode not in ("r", "w"):
        raise ValueError(f"mode is {mode!r}; it can be 'r' or 'w'")
    if mode == "r":
        if declared:
            raise TypeError(f"{', '.join(declared)}: the file has its own; they are for mode 'w'")
        cache_bytes = more.pop("cache_bytes", CACHE)
        return StreamReader(Path(path), _options(more, READING), cache_bytes)
    if missing := [name for name in ("shape", "dtype") if name not in declared]:
        raise TypeError(f"{' and '.join(missing)} must be given to write a file")
    shape = declared["shape"]
    declared["shape"] = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    return StreamWriter(Path(path), Declared(**declared), _options(more, WRITING))


def _options(given: dict[str, Any], wanted: set[str]) -> Options:
    """The Options with these fields. Raises TypeError if one is not wanted; ValueError: it has a value that it cannot have."""
    known = {field.name for field in fields(Options)}
    if unknown := sorted(given.keys() - known):
        raise TypeError(f"{', '.join(unknown)}: there is no such option")
    if others := sorted(given.keys() - wanted):
        raise TypeError(f"{', '.join(others)}: not for files that are opened; {', '.join(sorted(wanted))} are")
    return Options(**given)
