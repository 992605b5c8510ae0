"""The exceptions a caller may have to handle. Every message is one line, written for the person at the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InrcodecError(Exception):
    """A file or an input is at fault. The command line prints the message and exits with status 1."""


class FormatError(InrcodecError):
    """The bytes are not a valid .linr file, or a damaged one."""


class UnsupportedError(InrcodecError):
    """The input is valid but holds something this codec does not take: floats, animations, several pages."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name before the message of an InrcodecError raised inside."""
    try:
        yield
    except InrcodecError as fault:
        raise type(fault)(f"{path}: {fault}") from fault.__cause__
