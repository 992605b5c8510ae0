"""Jobs that go through a tile row by row, over any number of threads. A job follows some rows behind the jobs whose rows it needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CHUNK = 16  # rows at a time


@dataclass
class Job:
    """Work on rows 0 … rows − 1, in order.

    Attributes:
        run: run(first, last) does rows first … last − 1.
        needs: needs(last): which other jobs, and how many rows of each, must be done before the rows up to last − 1 can be.
        top, step: row i of the job is row top + step·i of the tile.
        done, seconds, running: how many rows are done, how long they took, and whether a thread is at work on more.
    """

    rows: int
    run: Callable[[int, int], None]
    needs: Callable[[int], Sequence[tuple[Job, int]]]
    top: int = 0
    step: int = 1
    done: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    running: bool = field(default=False, init=False)

    def advance(self) -> int:
        """Do the next rows, at most CHUNK. Returns how many."""
        first, last = self.done, min(self.rows, self.done + CHUNK)
        start = time.perf_counter()
        self.run(first, last)
        self.seconds += time.perf_counter() - start
        return last - first

    @property
    def ready(self) -> bool:
        """Whether a thread may call `advance` now."""
        if self.running or self.done >= self.rows:
            return False
        last = min(self.rows, self.done + CHUNK)
        return all(job.done >= rows for job, rows in self.needs(last))


def rows_until(job: Job, row: int) -> int:
    """How many rows of a job must be done so that all its rows down to row `row` of the tile are."""
    return max(0, (row - job.top) // job.step + 1)


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
    changed = threading.Condition()
    faults: list[BaseException] = []

    def work() -> None:
        while True:
            with changed:
                while not faults and not any(job.ready for job in jobs):
                    if all(job.done >= job.rows for job in jobs):
                        return
                    changed.wait()
                if faults:
                    return
                job = next(job for job in reversed(jobs) if job.ready)  # the last job first: else it would run alone at the end
                job.running = True
            rows = 0
            try:
                rows = job.advance()
                if tick:
                    tick(rows)
            except BaseException as fault:  # else the other threads would wait for ever
                faults.append(fault)
            with changed:
                job.done, job.running = job.done + rows, False
                changed.notify_all()

    workers = [threading.Thread(target=work) for _ in range(min(threads, len(jobs)) - 1)]
    for worker in workers:
        worker.start()
    work()
    for worker in workers:
        worker.join()
    if faults:
        raise faults[0]
