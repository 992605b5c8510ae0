"""Several files, folders and patterns on the command line: encode, decode, verify and info of many files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InrcodecError
from ..storage import SEPARATORS
from .common import MOST_LINES, FileName
from .headings import under
from .output import is_quiet, report, reporting, say
from .progress import size
from .signals import interruptible, on_terminal

if TYPE_CHECKING:
    from ..batch.cluster import RayExecutor
    from ..batch.doing import How
    from ..batch.plan import Plan
    from ..batch.report import Report
    from ..batch.tasks import Action, Result, Task

MOST_JOBS = 1024
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # as `places` has it, which takes time to import
PIPE = "-"
VERBS = {"encode": "encoding", "decode": "decoding", "verify": "verifying"}


class Place(FileName):
    """A file, a folder, a pattern such as "photos/**/*.png", or an address. new: whether it may be a folder that is not there yet.

    What a path cannot say stays a text: an address, and a name that ends in a separator.
    """

    name = "path"

    def __init__(self, new: bool) -> None:
        super().__init__(folders=True, new=new)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or the text. Raises InrcodecError if it is empty."""
        plain = os.fspath(value)
        if ADDRESS.match(plain):
            return plain
        path = super().convert(plain, param, ctx)
        return plain if plain.endswith(SEPARATORS) and path.name else path


PLACE, NEW_PLACE = Place(new=False), Place(new=True)
JOBS = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, MOST_JOBS),
    help="Files at the same time, each in a process of its own. Default: as many as cores.",
)
UPDATE = click.option(
    "-u",
    "--update",
    is_flag=True,
    help="Skip files that are done: the output is there with the time of its source, and whole. Outputs with another time are made again: "
    "of encode they replace .linr files only, of decode nothing is replaced without --force.",
)
LISTED = "List what would be done, and write nothing."
DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help=LISTED)
ESTIMATE = click.option(
    "-n",
    "--dry-run",
    is_flag=True,
    help=f"{LISTED} Some files are encoded, for half a minute at most, to estimate core-hours and bytes saved.",
)
CLUSTER = click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Let the workers of a Ray cluster do the work: auto (the one that runs on this machine), host:port, ray://host:port, or local "
    "(workers are started here). Needs the extra cluster. The output is that of one machine.",
)
DELETE = click.option(
    "--delete-original",
    is_flag=True,
    help="Remove each source after its output was read back from the disk, decoded, and compared with it. A source stays if it "
    "holds what does not come back, or if that cannot be told of its type. How it was packed is lost, such as PNG's compression.",
)
MANIFEST = click.option(
    "--manifest", type=NEW_PLACE, help="Write a list of all files with sizes, times and digests, as JSON. inrcodec verify checks it."
)
OF_ENCODE = under("Many files", JOBS, UPDATE, ESTIMATE, MANIFEST, DELETE, CLUSTER)
OF_DECODE = under("Many files", JOBS, UPDATE, DRY_RUN, DELETE, CLUSTER)
OPTIONS = ("jobs", "update", "dry_run", "manifest", "delete_original", "cluster")


def taken(given: dict[str, Any]) -> dict[str, Any]:
    """The options for many files, which are taken out of all that are given."""
    return {name: given.pop(name) for name in OPTIONS if name in given}


def is_many(action: Action, inputs: Sequence[Any], output: Any, switches: Mapping[str, Any]) -> bool:
    """Whether there are several files, or options that are for such. Raises click.UsageError: standard input is one of several."""
    names = [os.fspath(name) for name in inputs]
    if PIPE in names:
        if len(names) > 1 or any(value for name, value in switches.items() if name != "jobs"):
            raise click.UsageError("standard input is one file; give no other one with it, and no options for many files")
        return False
    if any(value for name, value in switches.items() if name != "jobs"):
        return True
    target = "" if output is None else os.fspath(output)
    if len(names) == 1 and os.path.isfile(names[0]) and not (target.endswith(SEPARATORS) or os.path.isdir(target) or ADDRESS.match(target)):
        return False  # the usual case, before anything is imported that takes time
    from ..batch import places, plan

    if any(map(places.is_address, (*names, target))):
        return True
    return target != PIPE and not plan.is_single(action, names, target)


def do(action: Action, inputs: Sequence[Any], output: Any, switches: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Do many files. switches: options for many files; options: those of `batch.encode` and `batch.decode`.

    Raises InrcodecError: nothing was begun; click.UsageError; click.exceptions.Exit: a file is at fault, or the work was stopped.
    """
    from ..batch import doing, plan

    names = [os.fspath(name) for name in inputs]
    manifest = switches.get("manifest")
    plain = {name: value for name, value in options.items() if value is not None and (name != "pixels" or value)}
    plain["delete_original"] = bool(switches.get("delete_original"))
    try:
        template = doing.template(action, bool(switches.get("update")), manifest is not None, plain)
    except ValueError as fault:
        kept = plain["delete_original"] and str(fault) == doing.NOT_DELETED
        told = "--delete-original does not go with --no-verify, --no-payload, --lossy and --voxels" if kept else str(fault)
        raise click.UsageError(told) from None
    found = plan.make(template, names, None if output is None else os.fspath(output))
    _check_some(found, action, names)
    if switches.get("dry_run"):
        _list(found, action, switches)
        return
    _finish(_watched(found, template, switches, manifest), action)


def _check_some(found: Plan, action: str, names: Sequence[str]) -> None:
    """Raise InrcodecError if there is nothing to do and nothing at fault."""
    if found.tasks or any(result.status == "failed" for result in found.settled):
        return
    reasons = Counter(map(_reason, found.settled)).most_common(3)
    skipped = "; ".join(f"{count} skipped, {reason}" for reason, count in reasons)
    raise InrcodecError(f"{names[0]}: there is no file to {action}{f' ({skipped})' if skipped else ''}")


def _watched(found: Plan, template: Any, switches: Mapping[str, Any], manifest: Any) -> Report:
    """Do a plan with a bar, until Ctrl-C."""
    from ..batch import doing

    with _how(template.action, switches, manifest, "; what is done stays") as how:
        return doing.run(found, template, how)


@contextmanager
def _how(action: Action, switches: Mapping[str, Any], manifest: Any, told: str) -> Iterator[How]:
    """How many files are done: with a bar on a terminal, until Ctrl-C. told: what is said then.

    Raises InrcodecError: there is no such cluster; click.UsageError.
    """
    from ..batch.doing import How

    with _executor(switches) as executor, interruptible(told) as stop:
        how = How(executor, switches.get("jobs") or 0, manifest, None, stop)
        if not on_terminal() or is_quiet():
            yield how
            return
        from .manybar import ManyBar

        with ManyBar(VERBS[action]) as bar:
            yield replace(how, progress=bar.show)


def _executor(switches: Mapping[str, Any]) -> AbstractContextManager[RayExecutor | None]:
    """The cluster that is asked for; None: processes of this machine. Raises InrcodecError: it is not there; click.UsageError."""
    address = switches.get("cluster")
    if address is None:
        return nullcontext()
    if switches.get("jobs"):
        raise click.UsageError("--jobs is for this machine alone; with --cluster, all cores of the cluster are used")
    from ..batch.cluster import RayExecutor

    return RayExecutor(address)


def _finish(done: Report, action: Action, more: Sequence[str] = ()) -> None:
    """Tell what was done, and end with the status that this has. more: lines to print last, on standard error."""
    report(**{name: value for name, value in done.to_json().items() if name != "action"})
    if done.failed:
        report(fault=done.failed[0].fault, faults=[result.fault for result in done.failed])
    _tell(done.notices)
    _tell([result.fault for result in done.failed])
    for line in more:
        say(f"inrcodec: {line}", err=True)
    if not (len(done.results) == 1 and done.failed):
        say(_summary(done, action))
    if not done.complete:
        say(f"inrcodec: interrupted; {_count(len(done.results))} looked at", err=True)
        raise click.exceptions.Exit(130)
    if done.failed:
        raise click.exceptions.Exit(1)


def _tell(lines: Sequence[str]) -> None:
    """Print lines on standard error, of which only the first if they are many."""
    for line in lines[:MOST_LINES]:
        say(f"inrcodec: {line}", err=True)
    if len(lines) > MOST_LINES:
        say(f"inrcodec: and {len(lines) - MOST_LINES} more; --json lists all", err=True)


def _count(n: int, what: str = "file") -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _summary(done: Report, action: Action) -> str:
    """What was done, in one line."""
    words = {"encode": "encoded", "decode": "decoded", "verify": "verified"}
    parts = [f"{_count(len(done.done))} {words[action]}"]
    if action == "encode" and done.source_bytes:
        share = 100 * done.file_bytes / done.source_bytes
        parts.append(f"{size(done.source_bytes)} → {size(done.file_bytes)} ({share:.1f} %)")
    for reason, count in Counter(_reason(result) for result in done.skipped).most_common():
        parts.append(f"{count} {reason}" if reason == "done already" else f"{count} skipped ({reason})")
    if done.failed:
        parts.append(f"{len(done.failed)} failed")
    where = f"{done.output}: " if done.output else ""
    return f"{where}{', '.join(parts)}, {done.seconds:.1f} s"


def _reason(result: Result) -> str:
    """Why a file was skipped, without its name."""
    return result.fault.removeprefix(f"{result.task.source}: ").partition(":")[0].partition(";")[0]


def _estimated(todo: Sequence[Task], switches: Mapping[str, Any]) -> list[str]:
    """What encoding would cost and save, in lines. Ctrl-C ends the sample."""
    from ..batch.estimate import estimate
    from .estimated import told

    with _executor(switches) as executor, interruptible("; the estimate is made from what there is") as stop:
        found, cores = estimate(todo, stop=stop), executor.workers if executor else switches.get("jobs") or os.cpu_count() or 1
    if found is None:
        return ["no estimate: a fit takes as long as its options say"] if any(task.fits for task in todo) else []
    seconds = found.wall_seconds(cores, executor is not None)
    report(estimate={**found.to_json(), "cores": cores, "seconds": round(seconds, 1)})
    return told(found, cores, executor is not None)


def _list(found: Plan, action: Action, switches: Mapping[str, Any]) -> None:
    """Tell what a plan would do, and end with the status that its faults have."""
    from ..batch import tasks

    todo = [task for task in found.tasks if not _is_done(task)]
    current = len(found.tasks) - len(todo)
    skipped = [result for result in found.settled if result.status == "skipped"]
    failed = [result for result in found.settled if result.status == "failed"]
    report(
        dry_run=True,
        ok=not failed,
        files=[{"source": task.source, "target": task.target, "source_bytes": task.size} for task in todo],
        current=current,
        skipped=[result.fault for result in skipped],
        faults=[result.fault for result in failed],
    )
    if failed:
        report(fault=failed[0].fault)
    for task in todo:
        say(f"{task.source} → {task.target}" if action != "verify" else task.source)
    for result in skipped:
        say(f"skipped: {result.fault}")
    for result in failed:
        say(f"inrcodec: {result.fault}", err=True)
    done = f", {current} {tasks.DONE}" if current else ""
    say(f"{_count(len(todo))} to {action}, {size(sum(task.size for task in todo))}{done}, {len(skipped)} skipped, {len(failed)} failed")
    if todo and action == "encode":
        for line in _estimated(todo, switches):
            say(line)
    if failed:
        raise click.exceptions.Exit(1)


def _is_done(task: Any) -> bool:
    """Whether a task has nothing to do."""
    from ..batch import tasks

    try:
        return tasks.done_already(task) is not None
    except InrcodecError:
        return False


def verify(inputs: Sequence[Any], switches: Mapping[str, Any], quick: bool, options: Mapping[str, Any]) -> None:
    """Verify many files, or those that a manifest lists. Raises as `do`."""
    from ..batch import manifest

    names = [os.fspath(name) for name in inputs]
    if not (len(names) == 1 and names[0].lower().endswith(".json")):
        if quick:
            raise click.UsageError("--quick compares the bytes with a manifest; name one, as --manifest of encode has written it")
        do("verify", names, None, switches, options)
        return
    plain = {name: value for name, value in options.items() if value is not None}
    with _how("verify", switches, None, "") as how:
        done, extra = manifest.verify(names[0], how, quick, **plain)
    report(extra=extra)
    more = [f"not in the manifest: {name}" for name in extra[:MOST_LINES]]
    if len(extra) > MOST_LINES:
        more.append(f"not in the manifest: {len(extra) - MOST_LINES} more; --json lists all")
    _finish(done, "verify", more)


def is_verify_many(inputs: Sequence[Any]) -> bool:
    """Whether `verify` is given several .linr files, a folder, a pattern or a manifest; else a file, and perhaps its original."""
    from ..batch import places

    names = [os.fspath(name) for name in inputs]
    if PIPE in names:
        return len(names) > 2
    if len(names) == 2 and not _is_folder(names[0]) and not places.has_magic(names[0]):
        return names[1].lower().endswith(".linr") or places.has_magic(names[1])
    first = names[0].lower()
    return len(names) > 1 or _is_folder(names[0]) or places.has_magic(names[0]) or places.is_address(names[0]) or first.endswith(".json")


def is_info_many(inputs: Sequence[Any]) -> bool:
    """Whether `info` is given several .linr files, a folder, a pattern or an address."""
    names = [os.fspath(name) for name in inputs]
    if len(names) == 1 and (names[0] == PIPE or os.path.isfile(names[0])):
        return False
    from ..batch import places

    return len(names) > 1 or _is_folder(names[0]) or places.has_magic(names[0]) or places.is_address(names[0])


def _is_folder(name: str) -> bool:
    from ..batch import places

    try:
        return places.is_folder(name)
    except InrcodecError:
        return False


def info(inputs: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Print a line for each of many files; for programs, a list. Raises click.exceptions.Exit: a file is at fault; InrcodecError."""
    from ..batch import doing, places, plan
    from .inspect import info_of
    from .table import Table

    template = doing.template("verify", False, False, {name: value for name, value in given.items() if value is not None})
    names = [os.fspath(name) for name in inputs]
    found = plan.make(template, names)
    _check_some(found, "show", names)
    faults = [result.fault for result in found.settled if result.status == "failed"]
    table = Table()
    rows: list[dict[str, Any]] = []
    for task in found.tasks:
        try:
            with places.local(task.source) as path:
                about = info_of(Path(path), given)
        except InrcodecError as fault:
            faults.append(str(fault))
            continue
        rows.append({"file": task.source, **about})
        if not reporting():
            say(table.row(task.source, about))
    report(files=rows, ok=not faults, faults=faults)
    if rows and not reporting():
        say(table.total(rows))
    _tell(faults)
    if faults:
        report(fault=faults[0])
        raise click.exceptions.Exit(1)
