"""How a run ends by a signal: Ctrl-C, SIGTERM, SIGHUP. Nothing half-written stays."""

from __future__ import annotations

import os
import signal as signals
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..storage import abandon

INTERRUPTED = "inrcodec: interrupted"
WORDS = {"SIGINT": INTERRUPTED, "SIGTERM": "inrcodec: terminated", "SIGHUP": "inrcodec: hung up"}

Handler = Callable[[int, FrameType | None], None]


def end(number: int, frame: FrameType | None = None) -> None:
    """End the process at once, with the status that shells give a signal: 128 and its number. A signal handler.

    Threads that compile a kernel or code samples cannot be stopped otherwise. Nothing is lost: output is not in place until it is whole.
    """
    abandon()
    with suppress(OSError):  # print would fail where the signal has interrupted another print
        line = WORDS[signals.Signals(number).name] + "\n"
        os.write(2, (f"\n{line}" if on_terminal() else line).encode())
    os._exit(128 + number)


@contextmanager
def ending() -> Iterator[None]:
    """Let signals end the process by `end` inside the `with` block. Those that the caller has set to be ignored, as nohup does, stay so."""
    with _handling(tuple(WORDS), end):
        yield


@contextmanager
def interruptible(say: str) -> Iterator[Callable[[], bool]]:
    """Handle Ctrl-C inside the `with` block: the first makes the function that is yielded return True, the second ends the process.

    say: what the message on the first one adds to "stopping".
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            end(number)
        asked = True
        if on_terminal():  # on a pipe, one line at the end is enough
            os.write(2, f"\nstopping{say}; Ctrl-C again stops at once\n".encode())

    with _handling(("SIGINT",), ask):
        yield lambda: asked


@contextmanager
def _handling(names: tuple[str, ...], handler: Handler) -> Iterator[None]:
    """Handle the signals that this system has of some names, unless they are ignored. Python allows it in the main thread only."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signals, name) for name in names if hasattr(signals, name)):
            if signals.getsignal(number) != signals.SIG_IGN:
                before[number] = signals.signal(number, handler)
    try:
        yield
    finally:
        for number, was in before.items():
            signals.signal(number, was)


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
