"""The exceptions that a caller may have to handle. Every message is one line, written for the user of the command line.

Each can be made from its message alone: so it is what another process gets of it, by pickle or from a worker of PyTorch's DataLoader.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock


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


# the list to which notices go in this context; Python's own way to record warnings is for all threads at once
_kept: ContextVar[list[str] | None] = ContextVar("kept", default=None)
_quiet_lock = Lock()
_quiet: list[warnings.catch_warnings[None]] = []  # what restores the filters, while a `quiet` block runs
_blocks = 0  # `quiet` blocks that run, in all threads


def notice(text: str, stacklevel: int = 1) -> None:
    """Give a line to the list of `keeping_notices`; outside of that as a warning, a `Notice`. stacklevel: as that of warnings.warn."""
    if not keep_notice(text):
        warnings.warn(Notice(text), stacklevel=stacklevel + 1)


def keep_notice(text: str) -> bool:
    """Add a line to the list of `keeping_notices`; False: this is not inside of one."""
    kept = _kept.get()
    if kept is not None:
        kept.append(text)
    return kept is not None


@contextmanager
def keeping_notices() -> Iterator[list[str]]:
    """The notices of the `with` block, in this thread and in those that `parallel.run` starts there; they are not given as warnings."""
    kept: list[str] = []
    before = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence all warnings inside but Notices. The filters are those of the whole process: the last block that ends restores them."""
    global _blocks
    if getattr(sys.flags, "context_aware_warnings", False):  # each thread has its own filters
        with warnings.catch_warnings():
            _silence()
            yield
        return
    with _quiet_lock:
        if not _blocks:
            _quiet.append(warnings.catch_warnings())
            _quiet[0].__enter__()
            _silence()
        _blocks += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _blocks -= 1
            if not _blocks:
                _quiet.pop().__exit__(None, None, None)


def _silence() -> None:
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", Notice)


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Raise an InrcodecError inside the `with` block as OSError, which users of libraries for pictures expect of a damaged file."""
    try:
        yield
    except InrcodecError as fault:
        raise OSError(str(fault)) from fault


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put a file's name before the message of an InrcodecError raised inside."""
    try:
        yield
    except InrcodecError as fault:
        fault.args = (f"{path}: {fault}",)
        raise


@contextmanager
def spelling(copy: Path, name: Path | str) -> Iterator[None]:
    """Put a file's own name where an InrcodecError raised inside names its temporary copy."""
    try:
        yield
    except InrcodecError as fault:
        fault.args = (str(fault).replace(str(copy), str(name)),)
        raise
