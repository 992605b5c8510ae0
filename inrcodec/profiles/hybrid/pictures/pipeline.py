"""Jobs that go through a picture row by row, each some rows behind those it needs, over any number of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CHUNK = 16  # rows at a time


@dataclass
class Job:
    """Rows 0 … rows − 1, in order.

    Attributes:
        run: do rows first … last − 1.
        needs: for a last row, the jobs and how many rows of each must be done before.
        top, step: row i is row top + step·i of the picture.
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
        """Do the next rows; how many."""
        first, last = self.done, min(self.rows, self.done + CHUNK)
        start = time.perf_counter()
        self.run(first, last)
        self.seconds += time.perf_counter() - start
        return last - first

    @property
    def ready(self) -> bool:
        if self.running or self.done >= self.rows:
            return False
        last = min(self.rows, self.done + CHUNK)
        return all(job.done >= rows for job, rows in self.needs(last))


def rows_until(job: Job, row: int) -> int:
    """How many rows of a job it takes to have every row of the tile up to `row` that it codes."""
    return max(0, (row - job.top) // job.step + 1)


def run(jobs: Sequence[Job], threads: int, tick: Callable[[int], None] | None = None) -> None:
    """Do all jobs. What they compute depends on the rows they need alone, so neither on threads nor on timing.

    tick: told now and then how many rows were done since; what it raises ends the work.
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
                job = next(job for job in reversed(jobs) if job.ready)  # so that none is left to the end, when there is nothing beside it
                job.running = True
            rows = 0
            try:
                rows = job.advance()
                if tick:
                    tick(rows)
            except BaseException as fault:  # the other threads must not wait for ever
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
