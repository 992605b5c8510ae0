"""A process for each codec, so that one that crashes or hangs ends nothing else, and that the memory it takes can be told.

It is kept from file to file, as it takes time to start.
"""

from __future__ import annotations

import os
import signal as signals
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ..batch.processes import context
from ..errors import Stopped, keeping_notices
from ..peers import Peer, Unsuited
from ..signal import Signal
from .trial import COMPILING, FIRST, RUNS, STARTED, Bench, Trial

POLL = 0.1  # seconds after which it is asked again whether to stop
LOADING = 30.0  # seconds that a process may take to start and to load libraries, beside the time that a file may take
COMPILING_TIME = 300.0  # seconds that compiling may take beside that, each time
CRASHED = "crashes: its process ended"
READY = f"{__package__}.worker"


class Late(Exception):
    """A codec takes longer than it may. The text says how long that is, and what for."""


class Worker:
    """The process of a codec. It is started when it is asked first, and again after a crash.

    folder: one that exists, in which the codec may have files; threads: that it may use.
    """

    def __init__(self, peer: Peer, folder: Path, threads: int) -> None:
        self.peer, self.folder, self.threads = peer, folder, threads
        self._process: Any = None
        self._pipe: Any = None

    def measure(self, signal: Signal, timeout: float, stop: Callable[[], bool] | None = None) -> Trial:
        """What the codec makes of a signal.

        timeout: seconds that encoding and decoding once may take; the repeats of what is short, and what goes before it, have as many, and
        more for what is loaded and compiled. stop: asked now and then.

        Raises:
            Unsuited: the codec gives nothing: its text says why.
            Stopped: `stop` returned True. The process has ended then.
        """
        self.peer.check(signal)
        try:
            if self._process is None:
                self._start()
            self._pipe.send(signal)
            answer = self._outcome(timeout, stop)
        except MemoryError:
            self.close()
            raise Unsuited("fails: not enough memory to hand the samples over") from None
        except (EOFError, OSError):
            self.close()
            raise Unsuited(CRASHED) from None
        except Late as fault:
            self.close()
            raise Unsuited(str(fault)) from None
        if isinstance(answer, Trial):
            return answer
        raise Unsuited(str(answer))

    def _outcome(self, timeout: float, stop: Callable[[], bool] | None) -> Any:
        """A Trial, or why there is none. Raises Late: it takes too long; as `_answer`."""
        warming = timeout + LOADING + (COMPILING_TIME if self.peer.compiles else 0)
        seconds, what = warming, f"took longer than {warming:g} s to start and to code a small part of it"
        while True:
            answer = self._answer(seconds, stop)
            if answer is None:
                raise Late(what)
            if answer == STARTED:
                seconds, what = timeout, f"took longer than {timeout:g} s"
            elif answer == COMPILING:
                seconds, what = timeout + COMPILING_TIME, f"took longer than {timeout + COMPILING_TIME:g} s with compiling"
            elif answer == FIRST:
                seconds, what = RUNS * timeout, f"took longer than {RUNS * timeout:g} s when it was repeated"
            else:
                return answer

    def _start(self) -> None:
        found = context([READY])
        self._pipe, theirs = found.Pipe()
        self._process = found.Process(target=serve, args=(theirs, self.peer, self.folder, self.threads), daemon=True)
        self._process.start()
        theirs.close()

    def _answer(self, seconds: float, stop: Callable[[], bool] | None) -> Any:
        """What the process says; None: it said nothing in time. Raises EOFError or OSError: it has ended; Stopped."""
        end = time.monotonic() + seconds
        while True:
            if stop is not None and stop():
                self.close()
                raise Stopped
            left = end - time.monotonic()
            if self._pipe.poll(max(0.0, min(POLL, left))):
                return self._pipe.recv()
            if left <= 0:
                return None

    def close(self) -> None:
        """End the process at once, and the programs that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        self._pipe.close()
        with suppress(OSError, AttributeError):
            os.killpg(process.pid, signals.SIGKILL)  # it leads a group of its own
        process.kill()
        process.join()
        process.close()


def serve(pipe: Connection, peer: Peer, folder: Path, threads: int) -> None:
    """What the process does: it tries its codec at each signal that comes, until the pipe is closed or its parent ends."""
    _begin()
    bench = Bench(peer, folder, threads, pipe.send)
    with suppress(EOFError, OSError), keeping_notices():
        while True:
            signal = pipe.recv()
            try:
                fresh = bench.warm_up(signal)
                answer: Any = bench.measure(signal, fresh)
            except Unsuited as fault:
                answer = str(fault)
            pipe.send(answer)


def _begin() -> None:
    """Lead a group of processes, hear no Ctrl-C, print nothing, and end when the parent does."""
    import multiprocessing

    with suppress(OSError, AttributeError):
        os.setsid()
    signals.signal(signals.SIGINT, signals.SIG_IGN)
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)  # what a library prints when it crashes
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        _end()

    threading.Thread(target=watch, daemon=True).start()


def _end() -> None:
    """End this process and the programs that it has started."""
    with suppress(OSError, AttributeError):
        os.killpg(os.getpid(), signals.SIGKILL)
    os._exit(1)
