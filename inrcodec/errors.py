"""The exceptions a caller may have to handle. Every message is one line, written for the person at the keyboard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class InrcodecError(Exception):
    """A file or an input is at fault. The command line prints the message and exits with status 1."""


class FormatError(InrcodecError):
    """The bytes are not a valid .linr file (or file of another format), or a damaged one."""


class UnsupportedError(InrcodecError):
    """The input is valid but holds something this codec does not take: floats, animations, several pages."""


class MissingError(InrcodecError):
    """An optional package is needed and not installed."""

    def __init__(self, what: str, packages: Sequence[str], extra: str) -> None:
        super().__init__(f"{what} needs {' and '.join(packages)}; install with: pip install 'inrcodec[{extra}]'")


class Notice(UserWarning):
    """Something the person should know of work that went on all the same. The command line prints it as one line."""


class Stopped(Exception):  # what happened is no error
    """The work was asked to stop (`Options.stop`) and had nothing that could be kept. Ctrl-C itself stays KeyboardInterrupt."""

    def __init__(self) -> None:
        super().__init__("stopped as asked; nothing was written")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name before the message of an InrcodecError raised inside."""
    try:
        yield
    except InrcodecError as fault:
        fault.args = (f"{path}: {fault}",)
        raise
