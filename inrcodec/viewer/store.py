"""Work of which the results are kept, the last ones used. What nobody waits for any more is stopped."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ..errors import Stopped

BESIDE = 4  # threads, and one for each that decodes, for work that is short

Found = TypeVar("Found")
Stop = Callable[[], bool]  # asked by the work whether it is to end


@dataclass(eq=False)
class _Job:
    """Work that runs or waits. work: in its thread; future: the same in the event loop; wanted: how many wait for it."""

    work: Future[Any]
    future: asyncio.Future[Any]
    stop: Event
    wanted: int = 0


class Store:
    """Results by key. All methods but `close` are called from one event loop.

    most: bytes that are kept. The last result is kept whatever its size, since it is asked for again at once.
    workers: how much is done at a time.
    ended: whether it was closed.
    """

    def __init__(self, most: int, workers: int) -> None:
        self.most = most
        self.held = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._jobs: dict[Hashable, _Job] = {}
        self._all: set[_Job] = set()
        self._pool = ThreadPoolExecutor(workers, "inrcodec-view")
        self._beside = ThreadPoolExecutor(workers + BESIDE, "inrcodec-view-beside")
        self._running: set[Future[Any]] = set()
        self.ended = False

    async def get(self, key: Hashable, make: Callable[[Stop], Found], size: Callable[[Found], int]) -> Found:
        """What `make` gives for a key, or gave before. It is called in a thread, once for all who wait for it.

        make: asked for with a function that says whether it is to end. size: bytes of a result; 0: it is not kept.
        Raises what `make` raises; nothing is kept then.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            found: Found = self._kept[key][0]
            return found
        job = self._jobs.get(key) or self._begin(key, make, size)
        job.wanted += 1
        try:
            return await asyncio.shield(job.future)
        finally:
            job.wanted -= 1
            if not job.wanted and not job.future.done():
                job.stop.set()
                if self._jobs.get(key) is job:
                    del self._jobs[key]

    async def run(self, work: Callable[..., Found], *given: Any) -> Found:
        """What some short work gives, in a thread beside those that decode. It is not kept."""
        future = self._beside.submit(copy_context().run, work, *given)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)

    def _begin(self, key: Hashable, make: Callable[[Stop], Found], size: Callable[[Found], int]) -> _Job:
        stop = Event()
        work = self._pool.submit(copy_context().run, _done, make, stop)
        job = _Job(work, asyncio.wrap_future(work), stop)
        self._jobs[key] = job
        self._all.add(job)

        def ended(future: asyncio.Future[Found]) -> None:
            self._all.discard(job)
            if self._jobs.get(key) is job:
                del self._jobs[key]
            if not future.cancelled() and future.exception() is None and not job.stop.is_set():
                self._keep(key, future.result(), size(future.result()))

        job.future.add_done_callback(ended)
        return job

    def _keep(self, key: Hashable, found: Any, size: int) -> None:
        if not size:
            return
        self._kept[key] = found, size
        self.held += size
        while self.held > self.most and len(self._kept) > 1:
            self.held -= self._kept.popitem(last=False)[1][1]

    def empty(self) -> None:
        """Keep nothing of what is kept."""
        self._kept.clear()
        self.held = 0

    def close(self, seconds: float) -> bool:
        """Stop all work; whether all has ended within some seconds. To be called when the event loop has ended."""
        self.ended = True
        for job in self._all:
            job.stop.set()
        for pool in (self._pool, self._beside):
            pool.shutdown(wait=False, cancel_futures=True)
        return not wait([*(job.work for job in self._all), *self._running], seconds).not_done


class Notes:
    """Small results of work of the event loop, by key: the last ones used. Each is made once for all who wait for it.

    most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Found]]) -> Found:
        """What `make` gives for a key, or gave before. Raises what `make` raises; nothing is kept then."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:  # who is cancelled while it works leaves the work to the next one
            if key not in self._kept:
                self._kept[key] = await make()
            self._kept.move_to_end(key)
            found: Found = self._kept[key]
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
            return found


def _done(make: Callable[[Stop], Found], stop: Event) -> Found:
    """What `make` makes. Raises Stopped: that is not wanted any more."""
    if stop.is_set():
        raise Stopped
    return make(stop.is_set)
