"""The context in which worker processes start: apart from the caller's program, of which they run nothing."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

NO_WORD = "ignore:resource_tracker:UserWarning"  # an option -W for the process that removes what is left of processes that a signal ended
_starting = threading.Lock()


METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_usual: Any = multiprocessing.get_context(METHOD)
_Process = _usual.Process


class Apart(_Process):  # type: ignore[misc, valid-type]  # the class depends on the system
    """A process that does not import the main module of the program that starts it."""

    @staticmethod
    def _Popen(process: Any) -> Any:  # what starts it
        with _without_main():
            return _Process._Popen(process)


class Context(type(_usual)):  # type: ignore[misc]  # likewise
    """The context of such processes."""

    Process = Apart


def context(preload: list[str]) -> Any:
    """A context whose processes do not import the main module of the caller, so that a script needs no `if __name__ == "__main__"`.

    They are forked by a server that has none of this process's threads, where the system can do that; else they are started anew.
    preload: modules that the server imports, once for all processes.
    """
    if METHOD == "forkserver":
        _start_server(preload)
    return Context()


def _start_server(preload: list[str]) -> None:
    """Start the server, if none runs. Ctrl-C, which a terminal sends to all processes, does not reach it, nor what it forks."""
    from multiprocessing import forkserver

    sys.warnoptions.append(NO_WORD)
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(NO_WORD)
    server: Any = forkserver._forkserver
    before = server._preload_modules
    with _without_main():
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            server.set_forkserver_preload(preload)
            server.ensure_running()
        finally:
            server.set_forkserver_preload(before)  # a server that the caller starts later is the caller's
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module inside the `with` block: what starts a process then does not tell it to import that."""
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
