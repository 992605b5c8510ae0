"""The exceptions that a caller may have to handle. Every message is one line, written for the user of the command line.

Each can be made from its message alone: so it is what another process gets of it, by pickle or from a worker of PyTorch's DataLoader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class InrcodecError(Exception):
    """A file or an input is at fault. The command line prints the message and exits with status 1."""


class FormatError(InrcodecError):
    """The bytes are not a valid file: they are damaged, truncated, or of another format or version."""


class UnsupportedError(InrcodecError):
    """The input is valid but holds something this codec does not take: floats, animations, several pages."""


class LimitError(InrcodecError):
    """The file asks for more samples or memory than `Limits` allow. It may be valid; a caller who trusts it can raise the limit."""


class LossyError(InrcodecError):
    """The samples are wanted of a file that holds only a network that was fitted to them."""

    def __init__(
        self, message: str = "holds a network alone, not the samples; decode --network-only, or render, gives what the network says of them"
    ) -> None:
        super().__init__(message)


class MissingError(InrcodecError):
    """An optional package is needed and not installed.

    what: what needs it; packages: their names. Without names `what` is the whole message.
    """

    def __init__(self, what: str, packages: Sequence[str] = ()) -> None:
        needs = f" needs {' and '.join(packages)}; install with: pip install {' '.join(packages)}" if packages else ""
        super().__init__(what + needs)


class FitError(InrcodecError):
    """The network that the options ask for cannot be fitted to the signal: it is too large, too small for a rate, or diverged."""


class Notice(UserWarning):
    """A warning: the work is done, but not quite as asked. The command line prints it as one line."""


class Stopped(Exception):  # no InrcodecError: nothing is at fault
    """`Options.stop` asked the work to stop, and no result could be kept. Ctrl-C in a caller's program stays KeyboardInterrupt."""

    def __init__(self, message: str = "stopped as asked; nothing was written") -> None:
        super().__init__(message)


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put a file's name before the message of an InrcodecError raised inside."""
    try:
        yield
    except InrcodecError as fault:
        fault.args = (f"{path}: {fault}",)
        raise
