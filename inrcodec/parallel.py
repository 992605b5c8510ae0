"""Work over several threads. A fault, or Ctrl-C, ends all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def run(work: Callable[[T], R], items: Iterable[T], workers: int, cancel: Callable[[], None] | None = None) -> list[R]:
    """[work(item) for each item], over at most `workers` threads.

    If an item fails, or this thread is interrupted (Ctrl-C), items not yet begun are dropped, `cancel` is called to end those that are
    running, and the fault is raised.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures: list[Future[R]] = []
        try:
            for item in items:
                futures.append(pool.submit(work, item))
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            if cancel is not None:
                cancel()
            raise
