"""A plan from beginning to end: options → a template of tasks; tasks → results; the times of folders; the manifest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from ..options import Options
from .content import READING
from .plan import Plan
from .report import Report, Status
from .run import Workers, run_all, workers_of
from .tasks import Action, Result, Task

SWITCHES = {"force", "delete_original"}
NOT_DELETED = "an original is deleted only if it is coded whole and verified: not with lossy, voxels, payload=False or verify=False"
OF_DECODING = {"threads", "max_samples", "max_memory"}  # the options that decoding has


@dataclass(frozen=True)
class How:
    """How tasks are done: see `batch.encode`."""

    executor: Executor | None = None
    jobs: int = 0
    manifest: str | os.PathLike[str] | None = None
    progress: Callable[[Status], None] | None = None
    stop: Callable[[], bool] | None = None


def template(action: Action, update: bool, digests: bool, options: Mapping[str, Any]) -> Task:
    """The task of which all others are copies. options: see `batch.encode`.

    Raises ValueError: an option has a value that it cannot have, also beside another one; TypeError: there is no option of a name.
    """
    known = {f.name for f in fields(Options)} - {"progress", "stop"} | READING if action == "encode" else OF_DECODING
    if unknown := sorted(options.keys() - known - SWITCHES):
        raise TypeError(f"{', '.join(unknown)}: there is no such option of {action}")
    plain = {name: value for name, value in options.items() if name in known and value is not None}
    chosen = Options(**{name: value for name, value in plain.items() if name not in READING}, **_limits(plain))
    delete = bool(options.get("delete_original"))
    if delete and (not chosen.verify or not chosen.payload or chosen.lossy or plain.get("voxels")):
        raise ValueError(NOT_DELETED)
    return Task(action, "", options=plain, update=update, force=bool(options.get("force")), delete=delete, digests=digests)


def _limits(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain[name] for name in ("max_samples", "max_memory") if plain.get(name)}


def run(plan: Plan, template: Task, how: How) -> Report:
    """Do all tasks of a plan. Raises InrcodecError: the manifest cannot be written; and what a task raises that is no fault of its file."""
    from . import manifest

    total = len(plan.tasks) + len(plan.settled)
    status = Status(None, 0, total, 0, sum(task.size for task in plan.tasks) + sum(r.task.size for r in plan.settled), 0, 0)
    tell = how.progress or (lambda status: None)
    cores = os.cpu_count() or 1
    jobs = how.jobs or (workers_of(how.executor) if how.executor else 0) or cores
    workers = Workers(jobs if how.executor else max(1, min(jobs, len(plan.tasks))), how.executor)
    results: list[Result] = list(plan.settled)
    started = time.perf_counter()
    if how.manifest is not None:
        manifest.check(how.manifest, plan.root, plan.output, template.force)
    folders = _to_make(plan)
    tell(status)
    for result in plan.settled:
        status = status.after(result)
        tell(status)
    complete = False
    try:
        for result in run_all(plan.tasks, workers, how.stop):
            results.append(result)
            status = status.after(result)
            tell(status)
        complete = len(results) == total
    finally:
        workers.close()
        results.sort(key=lambda result: result.task.name.split("/"))
        report = Report(template.action, tuple(results), plan.root, plan.output, time.perf_counter() - started, complete)
        try:
            if how.manifest is not None:
                manifest.write(how.manifest, report, template.options)
        finally:
            _finish_folders(folders)  # last: the manifest may lie in one of them
    return report


def _to_make(plan: Plan) -> list[tuple[str, os.stat_result]]:
    """The folders that the work will make, and what is known of those that they stand for; the deepest last."""
    found = []
    for source, target in plan.folders:
        with suppress(OSError):
            if not os.path.lexists(target):
                found.append((target, os.stat(source)))
    return found


def _finish_folders(made: list[tuple[str, os.stat_result]]) -> None:
    """Give folders that were made the times and the permissions of those that they stand for, the deepest first."""
    for target, like in reversed(made):
        with suppress(OSError):
            os.chmod(target, like.st_mode & 0o777)
            os.utime(target, ns=(like.st_atime_ns, like.st_mtime_ns))
