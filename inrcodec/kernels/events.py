"""What a user may want to hear of the compilation of kernels. Importing this loads no Numba, so a program can ask before it starts.

Each is told at most once in a process, unless a callback is set again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from ..errors import Notice, keep_notice

_lock = Lock()
_noticed = False


class _Once:
    """A callback that is called at most once, by whatever thread."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None

    def tell(self) -> None:
        with _lock:
            callback, self.callback = self.callback, None
        if callback is not None:
            callback()


_first_compile, _first_load = _Once(), _Once()


def on_first_compile(callback: Callable[[], None] | None) -> None:
    """Set what is called before this process compiles its first kernel. It is not called if all come from the cache. None: nothing."""
    _first_compile.callback = callback


def first_compile() -> None:
    """Say that a kernel is about to be compiled."""
    _first_compile.tell()


def on_first_load(callback: Callable[[], None] | None) -> None:
    """Set what is called before this process loads or compiles its next kernel, once. None: nothing."""
    _first_load.callback = callback


def first_load() -> None:
    """Say that a kernel is about to be loaded or compiled."""
    _first_load.tell()


def notice(text: str) -> None:
    """Give the user a line, as a Notice. Later ones are dropped: they would most likely be about the same fault.

    It is one line too where no command line prints it. Where warnings are errors it is lost, since a cache must not stop the work.
    """
    global _noticed
    with _lock:
        first, _noticed = not _noticed, True
    if first and not keep_notice(text):
        with suppress(Notice):
            warnings.warn_explicit(text, Notice, __name__.partition(".")[0], 1)
