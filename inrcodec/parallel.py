"""Work over several threads, or over what a caller gives in their place. A fault, or Ctrl-C, ends all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Lock
from typing import Generic, Protocol, TypeVar

from .errors import FormatError

AHEAD = 64  # items per thread that are handed out before the first of them has ended: there may be millions in all
T = TypeVar("T")
R = TypeVar("R")
Tick = Callable[[float], None]  # called with the work done since the last call; may raise Stopped


class Elsewhere(Protocol):
    """Does work on items in other processes, see `spread`. Its faults are those of the work."""

    def __call__(self, work: Callable[[T, Tick], R], items: Iterable[T], count: int, tick: Tick) -> Iterator[R]:
        """work(item, …) for each of `count` items, in order. tick: called now and then, in this process, with the work done."""


_elsewhere: ContextVar[Elsewhere | None] = ContextVar("elsewhere", default=None)


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
                futures.append(pool.submit(copy_context().run, work, item))
            return found + [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            if cancel is not None:
                cancel()
            raise


@contextmanager
def sending(elsewhere: Elsewhere) -> Iterator[None]:
    """Inside the `with` block, and in the threads of `run` there, let `spread` do its work elsewhere."""
    before = _elsewhere.set(elsewhere)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def sent() -> Elsewhere | None:
    """What does the work of `spread` here; None: threads of this process."""
    return _elsewhere.get()


class Cancellable(Protocol):
    """A tick that can be made to raise Stopped: see `progress.Ticker`."""

    def __call__(self, done: float) -> None: ...

    def cancel(self) -> None: ...


def spread(work: Callable[[T, Tick], R], items: Iterable[T], count: int, workers: int, ticker: Cancellable) -> list[R]:
    """[work(item, tick) for each of `count` items], as `run` does it, or elsewhere, see `sending`.

    The work, the items and what is made of them must be such that pickle takes them: an item holds all that the work needs to know of it.
    """
    elsewhere = sent()
    if elsewhere is None or count < 2:
        return run(lambda item: work(item, ticker), items, workers, ticker.cancel)
    return list(elsewhere(work, items, count, ticker))


def do_all(work: Callable[[T, Tick], R], items: Iterable[T]) -> tuple[list[R], float]:
    """([work(item, …) for each item], the work that was done by its ticks): a part of what `spread` does, in another process."""
    done = 0.0

    def tick(more: float) -> None:
        nonlocal done
        done += more

    return [work(item, tick) for item in items], done
