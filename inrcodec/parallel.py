"""Work on several threads that ends at once when it should."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def run(work: Callable[[T], R], items: Iterable[T], workers: int, cancel: Callable[[], None] | None = None) -> list[R]:
    """work(item) of all items, in order, on at most so many threads.

    If one of them fails, or this thread is interrupted (Ctrl-C), items that are not begun are dropped, `cancel` is called to end those
    that are, and the fault is raised.
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
