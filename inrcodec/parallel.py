"""Work over several threads. A fault, or Ctrl-C, ends all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from .errors import FormatError

AHEAD = 64  # items per thread that are handed out before the first of them has ended: there may be millions in all
T = TypeVar("T")
R = TypeVar("R")


class Once(Generic[R]):
    """A value that is made when it is first asked for, by one thread; others wait for it.

    A FormatError of `make` is raised by every call, without another try: `damage` asks for each tile of a file, and there may be many.
    """

    def __init__(self, make: Callable[[], R]) -> None:
        self._make, self._lock = make, Lock()
        self._made: list[R] = []
        self._fault: FormatError | None = None

    def __call__(self) -> R:
        with self._lock:
            if self._fault is not None:
                raise FormatError(*self._fault.args) from self._fault
            if not self._made:
                try:
                    self._made.append(self._make())
                except FormatError as fault:
                    self._fault = fault
                    raise
            return self._made[0]


def run(work: Callable[[T], R], items: Iterable[T], workers: int, cancel: Callable[[], None] | None = None) -> list[R]:
    """[work(item) for each item], over at most `workers` threads.

    If an item fails, or this thread is interrupted (Ctrl-C), items not yet begun are dropped, `cancel` is called to end those that are
    running, and the fault is raised. One worker is this thread, so that what has one thread works where none can be started: while Python
    ends, or while a library that must not be called from two threads waits for the result.
    """
    if workers == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        futures: deque[Future[R]] = deque()
        found: list[R] = []
        try:
            for item in items:
                if len(futures) == AHEAD * workers:
                    found.append(futures.popleft().result())
                futures.append(pool.submit(work, item))
            return found + [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            if cancel is not None:
                cancel()
            raise
