"""Tasks over an executor: a few ahead of the workers, the largest first. How workers end, and what follows when one dies."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

from ..errors import InrcodecError, Stopped
from ..kernels import events
from ..storage import abandon, sweep
from . import places
from . import tasks as tasks_
from .tasks import Result, Task

AHEAD = 2  # tasks that are handed out for each worker
POLL = 0.2  # seconds after which it is asked again whether to stop
MOST_FULL = 3  # tasks that fail one after the other since the disk is full, after which no more is tried
DIED = "the worker process ended, as when the system runs out of memory; it was tried again alone and ended again"
GONE = "the workers have ended, and none can be started"
NOT_TRIED = f"not tried: {MOST_FULL} files in a row could not be written"

_stop: Any = None  # in a worker: the event that is set when the work is to stop
_compiling: Any = None  # in the parent of workers: the event that is set when one of them compiles its first kernel


class TaskExecutor(Executor):
    """An executor that knows what a task is: it may do its parts in several places, and shares the cores among tasks itself.

    workers: how many tasks it does at the same time.
    """

    workers: int

    @abstractmethod
    def submit_task(self, task: Task, stop: Callable[[], bool] | None = None) -> Future[Result]:
        """The future of `tasks.run`."""


def workers_of(executor: Executor) -> int:
    """How many tasks an executor does at the same time; 0: it does not say."""
    found = getattr(executor, "workers", None) or getattr(executor, "_max_workers", None)
    return found if isinstance(found, int) else 0


class InTurn(Executor):
    """Does what is submitted at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of a call, which is over."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as fault:
            future.set_exception(fault)
        return future


class Workers:
    """The executor of a run, and how to get another one when its processes have died.

    jobs: how many workers it has. executor: one that the caller brings, and closes; None: one for `jobs` processes, or of one job the
    calling thread.
    """

    def __init__(self, jobs: int, executor: Executor | None = None) -> None:
        self.jobs, self.given = jobs, executor
        self._executor = executor
        self._event: Any = None  # set to tell the processes to stop

    @property
    def executor(self) -> Executor:
        """The executor, started if it is not there yet."""
        if self._executor is None:
            self._executor = self._start() if self.jobs > 1 else InTurn()
        return self._executor

    @property
    def in_process(self) -> bool:
        """Whether the work is done in this process."""
        return isinstance(self.executor, ThreadPoolExecutor | InTurn)

    def _start(self) -> ProcessPoolExecutor:
        from .processes import context

        found = context([tasks_.__name__])
        global _compiling
        self._event, _compiling = found.Event(), found.Event()
        return ProcessPoolExecutor(self.jobs, found, _begin, (self._event, _compiling))

    def again(self) -> bool:
        """Replace an executor whose processes have died; whether that can be done."""
        if self.given is not None:
            return False
        self.close()
        return True

    def stop(self) -> None:
        """Tell the workers to give up what they do."""
        if self._event is not None:
            self._event.set()

    def close(self) -> None:
        """End the workers, unless they are the caller's."""
        if self.given is None and self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


def compiling() -> bool:
    """Whether a worker of this process has begun to compile kernels, which takes half a minute."""
    return _compiling is not None and bool(_compiling.is_set())


def _begin(event: Any, compiles: Any = None) -> None:
    """Make this process a worker: it does not hear Ctrl-C, which its parent tells it by an event, and it ends when its parent does.

    compiles: an event to set before the first kernel is compiled.
    """
    import multiprocessing
    import signal
    import warnings
    from multiprocessing.connection import wait as wait_for

    global _stop
    _stop = event
    if compiles is not None:
        events.on_first_compile(compiles.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    warnings.simplefilter("ignore")  # of libraries; tasks catch Notices
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait_for([parent.sentinel])
        _end()

    threading.Thread(target=watch, daemon=True).start()


def _end() -> None:
    """End this process at once, with nothing half-written left."""
    abandon()
    os._exit(1)


def run_task(task: Task) -> Result:
    """As `tasks.run`, in a process that `_begin` has made a worker, or in any other."""
    return tasks_.run(task, None if _stop is None else _stop.is_set)


def run_all(tasks: Sequence[Task], workers: Workers, stop: Callable[[], bool] | None = None) -> Iterator[Result]:
    """The results of tasks, as they come. The largest are begun first, so that at the end no worker has long to do while others wait.

    If worker processes die, those tasks that may have been the cause are tried again, one at a time; one that ends its worker again has
    failed. After MOST_FULL tasks in a row for which the disk was full, the others fail without being tried.
    stop: asked now and then; when it returns True, no more tasks are begun, those that run are given up, and the results end.
    Raises what a task raises that is no fault of its file.
    """
    run = _Run(workers, stop)
    waiting = sorted(tasks, key=lambda task: -task.size) if workers.jobs > 1 else list(tasks)
    try:
        yield from run.all(waiting[::-1])
    except BaseException:
        workers.stop()
        raise


class _Run:
    """One run of `run_all`. running: the tasks that are handed out; full: how many failed in a row since the disk was full."""

    def __init__(self, workers: Workers, stop: Callable[[], bool] | None) -> None:
        self.workers, self._asked = workers, stop
        self.running: dict[Future[Result], Task] = {}
        self.before: dict[str, object] = {}  # what was at their targets when they were handed out, if anything was
        self.full = 0

    def stopped(self) -> bool:
        """Whether to stop."""
        return self._asked is not None and self._asked()

    def all(self, waiting: list[Task]) -> Iterator[Result]:
        """The results. waiting: the tasks, the last one first; it is emptied."""
        most = AHEAD * self.workers.jobs if not isinstance(self.workers.executor, InTurn) else 1
        left = sum(task.size for task in waiting)
        while (waiting or self.running) and not self.stopped():
            if self.full >= MOST_FULL and waiting:
                yield from (Result(task, "failed", f"{task.source}: {NOT_TRIED}", task.size) for task in waiting[::-1])
                waiting.clear()
            suspects: list[Task] = []
            while waiting and len(self.running) < most and not suspects:
                task = waiting.pop()
                if not self._submit(self._with_threads(task, left)):
                    suspects.append(task)
                left -= task.size
            for result, task in self._ended():
                if result is None:
                    suspects.append(task)
                else:
                    yield result
            if suspects:
                yield from self._alone(suspects)
        for future in self.running:
            future.cancel()
        if self.running:
            self.workers.stop()
            yield from self._last()

    def _with_threads(self, task: Task, left: int) -> Task:
        own = isinstance(self.workers.executor, TaskExecutor)
        return task if own else _with_threads(task, left, self.workers.jobs)

    def _submit(self, task: Task) -> bool:
        """Hand a task out; False: the workers have died."""
        executor = self.workers.executor
        if task.target and (there := _there(task.target)) is not None:
            self.before[task.target] = there
        try:
            if isinstance(executor, TaskExecutor):
                future = executor.submit_task(task, self.stopped)
            elif self.workers.in_process:
                future = executor.submit(tasks_.run, task, self.stopped)
            else:
                future = executor.submit(run_task, task)
        except (BrokenExecutor, OSError):  # the server that forks them may be gone
            return False
        self.running[future] = task
        return True

    def _ended(self) -> Iterator[tuple[Result | None, Task]]:
        """The tasks that have ended, after some waiting; without a result if their worker died."""
        ended, _ = wait(self.running, POLL, FIRST_COMPLETED)
        for future in ended:
            task = self.running.pop(future)
            try:
                result = future.result()
            except BrokenExecutor:
                yield None, task
                continue
            except Stopped:
                continue
            self.before.pop(task.target, None)
            self.full = self.full + 1 if result.full else 0 if result.status == "done" else self.full
            yield result, task

    def _alone(self, suspects: list[Task]) -> Iterator[Result]:
        """Do tasks one at a time with new workers, since one of them has ended its worker. No task that was handed out goes on by now."""
        wait(self.running)
        while self.running:
            for result, task in self._ended():
                if result is None:
                    suspects.append(task)
                else:
                    yield result
        if not self.workers.again():
            yield from (Result(task, "failed", f"{task.source}: {GONE}", task.size) for task in suspects)
            return
        for task in suspects:
            if (found := _ended_in_time(task, self.before.get(task.target))) is not None:
                yield found
                continue
            ended = self._submit(task)
            while ended and self.running and not self.stopped():
                for result, _ in self._ended():
                    ended = result is not None
                    if result is not None:
                        yield result
            if self.stopped():
                return
            if not ended:
                _sweep(task)
                yield Result(task, "failed", f"{task.source}: {DIED}", task.size)
                self.workers.again()

    def _last(self) -> Iterator[Result]:
        """The results of tasks that were over before they heard that they are to stop."""
        wait(self.running)
        for future in self.running:
            if not future.cancelled() and future.exception() is None:
                yield future.result()


def _sweep(task: Task) -> None:
    """Remove what a worker that died has left half-written."""
    target = places.disk_path(task.target) if task.target else None
    if target is not None:
        sweep(target.parent)


def _there(name: str) -> object:
    """What tells the file at a target from another one that replaces it; None: none is there, or it is at an address."""
    path = places.disk_path(name)
    try:
        found = None if path is None else path.lstat()
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns)


def _ended_in_time(task: Task, before: object) -> Result | None:
    """The result of a task whose target is in place, although its worker has died; None: it must be done again.

    before: what was at the target when the task was handed out, see `_there`.
    """
    if not task.target or task.force:  # what is forced can be done again
        return None
    _sweep(task)
    if (now := _there(task.target)) is None or now == before:
        return None
    try:
        if task.delete and not places.exists(task.source):  # which is removed last
            found = tasks_.of_target(task)
            return found and replace(found, deleted=True)
        found = tasks_.done_already(replace(task, update=True))
        return found and tasks_.without_original(replace(found, task=task, status="done", fault=""))
    except InrcodecError as fault:
        return tasks_.failed(task, fault)


def _with_threads(task: Task, left: int, jobs: int) -> Task:
    """A task with the threads that it may use, unless it says. left: bytes of all tasks that are not begun, this one among them.

    The cores are shared by the jobs. But a file that would take longer than its share of what is left gets them all: it would end last.
    """
    if jobs == 1 or task.options.get("threads"):
        return task
    cores = os.cpu_count() or 1
    threads = cores if task.size * jobs > left else max(1, cores // jobs)
    return replace(task, options={**task.options, "threads": threads})
