"""What a user may want to hear of the compilation of kernels. Importing this loads no Numba, so a program can ask before it starts.

Each of the two is told at most once in a process.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

_lock = Lock()
_first_compile: Callable[[], None] | None = None
_notice: Callable[[str], None] | None = None


def on_first_compile(callback: Callable[[], None] | None) -> None:
    """Set what is called before this process compiles its first kernel. It is not called if all come from the cache. None: nothing."""
    global _first_compile
    _first_compile = callback


def on_notice(callback: Callable[[str], None] | None) -> None:
    """Set what gets the one line for the user if compiled kernels cannot be kept, or something else is unusual. None: nothing."""
    global _notice
    _notice = callback


def first_compile() -> None:
    """Say that a kernel is about to be compiled."""
    global _first_compile
    with _lock:
        callback, _first_compile = _first_compile, None
    if callback is not None:
        callback()


def notice(text: str) -> None:
    """Give the user a line. Later ones are dropped: they would most likely be about the same fault."""
    global _notice
    with _lock:
        callback, _notice = _notice, None
    if callback is not None:
        callback(text)
