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
from .trial import Bench, Trial

POLL = 0.1  # seconds after which it is asked again whether to stop
WARMING = 300.0  # seconds that loading and compiling kernels may take, beside the time that a file may take
CRASHED = "crashes: its process ended"
WARM = "warm"
READY = f"{__package__}.worker"


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

        timeout: seconds that this may take; stop: asked now and then.

        Raises:
            Unsuited: the codec gives nothing: its text says why.
            Stopped: `stop` returned True. The process has ended then.
        """
        self.peer.check(signal)
        try:
            if self._process is None:
                self._start()
            self._pipe.send(signal)
            answer = self._answer(max(timeout, WARMING), stop)
            if answer == WARM:
                answer = self._answer(timeout, stop)
        except (EOFError, OSError):
            self.close()
            raise Unsuited(CRASHED) from None
        if answer is None:
            self.close()
            raise Unsuited(f"took longer than {timeout:g} s")
        if isinstance(answer, Trial):
            return answer
        raise Unsuited(str(answer))

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
    bench = Bench(peer, folder, threads)
    with suppress(EOFError, OSError), keeping_notices():
        while True:
            signal = pipe.recv()
            try:
                fresh = bench.warm_up(signal)
                pipe.send(WARM)
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
