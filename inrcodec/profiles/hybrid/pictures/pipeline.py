"""Jobs that go through a tile row by row, over any number of threads. A job follows some rows behind the jobs whose rows it needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

CHUNK = 16  # rows at a time


@dataclass(eq=False)
class Job:
    """Work on rows 0 … rows − 1, in order.

    Attributes:
        run: run(first, last) does rows first … last − 1.
        needs: needs(last): which other jobs, and how many rows of each, must be done before the rows up to last − 1 can be.
        top, step: row i of the job is row top + step·i of the tile.
        done, seconds: how many rows are done, and how long they took.
    """

    rows: int
    run: Callable[[int, int], None]
    needs: Callable[[int], Sequence[tuple[Job, int]]]
    top: int = 0
    step: int = 1
    done: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)

    def advance(self) -> int:
        """Do the next rows, at most CHUNK. Returns how many."""
        first, last = self.done, self.next
        start = time.perf_counter()
        self.run(first, last)
        self.seconds += time.perf_counter() - start
        return last - first

    @property
    def next(self) -> int:
        """How many rows are done after the next call of `advance`."""
        return min(self.rows, self.done + CHUNK)

    def blocker(self) -> tuple[Job, int] | None:
        """A job of which more rows must be done before `advance` may be called, and how many rows; None if there is none."""
        return next((need for need in self.needs(self.next) if need[0].done < need[1]), None)


def rows_until(job: Job, row: int) -> int:
    """How many rows of a job must be done so that all its rows down to row `row` of the tile are."""
    return max(0, (row - job.top) // job.step + 1)


def most_begun(threads: int) -> int:
    """How many jobs `run` has begun and not ended, at most: what they hold in memory is there all at once."""
    return 1 if threads <= 1 else 2 * threads + 2


class _Queue:
    """Which job is to be advanced next. Not for several threads at once.

    Each job is in one place: among those that can go on, among those that wait for rows of another, or with a thread.
    """

    def __init__(self, jobs: Sequence[Job], most: int) -> None:
        self.most, self.begun, self.left = most, 0, sum(job.rows > 0 for job in jobs)
        self.number = {job: i for i, job in enumerate(jobs)}
        # jobs that can go on, by their number, negative so that the last comes first: those not yet begun, and those begun
        self.ready: tuple[list[tuple[int, Job]], list[tuple[int, Job]]] = [], []
        self.waiting: dict[Job, list[tuple[int, Job]]] = {}  # by the job that is waited for: how many rows of it, and who waits
        for job in jobs:
            if job.rows:
                self.put(job)

    def put(self, job: Job) -> None:
        """Take a job that has rows left."""
        need = job.blocker()
        if need is None:
            heappush(self.ready[job.done > 0], (-self.number[job], job))
        else:
            self.waiting.setdefault(need[0], []).append((need[1], job))

    def pop(self, idle: bool) -> Job | None:
        """The last job that can go on, None if there is none now. idle: whether no thread has a job."""
        fresh, old = self.ready
        may_begin = fresh and (self.begun < self.most or (idle and not old))
        if may_begin and (not old or fresh[0] < old[0]):
            self.begun += 1
            return heappop(fresh)[1]
        return heappop(old)[1] if old else None

    def advanced(self, job: Job, rows: int) -> None:
        """Take back a job that was popped and has done so many rows; let those go on that waited for them."""
        job.done += rows
        if job.done < job.rows:
            self.put(job)
        else:
            self.begun -= 1
            self.left -= 1
        waiting = self.waiting.pop(job, [])
        still = [w for w in waiting if w[0] > job.done]
        if still:
            self.waiting[job] = still
        for needed, other in waiting:
            if needed <= job.done:
                self.put(other)


def run(jobs: Sequence[Job], threads: int, tick: Callable[[int], None] | None = None) -> None:
    """Do all jobs. They must be in an order in which each needs only earlier ones. The result does not depend on `threads`.

    tick: called with the number of rows done since its last call; what it raises ends the work.
    """
    if threads <= 1 or len(jobs) <= 1:
        for job in jobs:
            while job.done < job.rows:
                rows = job.advance()
                job.done += rows
                if tick:
                    tick(rows)
        return
    queue = _Queue(jobs, most_begun(threads))
    changed = threading.Condition()
    faults: list[BaseException] = []
    running = 0

    def work() -> None:
        nonlocal running
        while True:
            with changed:
                job = None
                while job is None:
                    if faults or not queue.left:
                        return
                    job = queue.pop(running == 0)  # the last job first: else it would run alone at the end
                    if job is None:
                        changed.wait()
                running += 1
            try:
                rows = job.advance()
                if tick:
                    tick(rows)
            except BaseException as fault:  # else the other threads would wait for ever
                rows = 0
                faults.append(fault)
            with changed:
                running -= 1
                queue.advanced(job, rows)
                changed.notify_all()

    workers = [threading.Thread(target=work) for _ in range(min(threads, len(jobs)) - 1)]
    for worker in workers:
        worker.start()
    work()
    for worker in workers:
        worker.join()
    if faults:
        raise faults[0]
