"""Fault messages that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InrcodecError


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before the message of an InrcodecError raised inside."""
    try:
        yield
    except InrcodecError as e:
        raise type(e)(f"{path}: {e}") from e.__cause__
