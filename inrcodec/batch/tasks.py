"""One file of many: a `Task`, what becomes of it (`Result`), and `run`, which does it in any process.

`run` has two steps, which may also be done in two places: `work`, which needs the source's bytes and nothing else, and `finish`, which puts
the output in place.
"""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .. import container
from ..errors import FormatError, InrcodecError, keeping_notices, naming, spelling
from ..files import bounds
from ..files.registry import is_named
from ..options import Options
from ..storage import CHANGED, new_folder, reason, same_file, scratch
from . import content as contents
from . import originals, places
from .content import READING, Content, limits_of

Action = Literal["encode", "decode", "verify"]
Status = Literal["done", "skipped", "failed"]
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}  # faults after which nothing more may be written
CLOSE = 1000  # nanoseconds by which two times differ that are the same
COARSE = (places.SECOND, 2 * places.SECOND)  # nanoseconds to which some file systems cut times
DONE = "done already"
MOST_NAMES = 20  # of metadata in a notice


@dataclass(frozen=True)
class Task:
    """What to do with one file. It can be pickled.

    Attributes:
        action: "encode", "decode" or "verify".
        source: the file, or a folder of the DICOM files of one series.
        target: the file to write, or of such a series the folder; "" for "verify".
        name: of the source below the folder of all sources, with "/"; target_name: of the target below the folder of all targets.
        options: fields of `Options` as plain values, and those of `content.READING`.
        size: bytes of the source; of a folder, of all files in it.
        update: whether to skip it if it is done; force: whether the target may be there already.
        delete: whether to remove the source after the target was read back, decoded, and compared with it.
        digests: whether the result is to have the digest of the source.
        expected: of "verify", SHA-256 of the bytes that the file had, "" if it is not known; quick: whether to look at that alone.
        fits: whether a network is fitted, which a GPU speeds up.
    """

    action: Action
    source: str
    target: str = ""
    name: str = ""
    target_name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0
    update: bool = False
    force: bool = False
    delete: bool = False
    digests: bool = False
    expected: str = ""
    quick: bool = False

    @property
    def fits(self) -> bool:
        """Whether it fits a network, or may do so, since profile "auto" is given a budget for it."""
        budget = bool(self.options.get("steps") or self.options.get("seconds"))
        profile = self.options.get("profile", "auto")
        return self.action == "encode" and (profile == "inr" or bool(self.options.get("tune")) or (profile == "auto" and budget))


@dataclass(frozen=True)
class Result:
    """What became of a task. It can be pickled.

    Attributes:
        task: the task.
        status: "done", "skipped" (with a reason in `fault`) or "failed".
        fault: one line that says what is wrong, beginning with the name of the file; "" if nothing is.
        source_bytes, file_bytes, raw_bytes: of the source, of the .linr file, of the samples alone; 0 where they are not known.
        seconds: that it took.
        source_digest: SHA-256 of the source's bytes, hexadecimal, if it was asked for; of a folder, of a line "DIGEST  NAME" for each file.
        file_digest: SHA-256 of the .linr file's bytes; digest: of the samples, as the .linr file has it.
        kind, profile: of the .linr file.
        mtime: when the source was changed last, in seconds since 1970; None if the place does not say.
        notices: lines that say what was done otherwise than asked.
        deleted: whether the source was removed.
        full: whether it failed since the disk takes no more.
    """

    task: Task
    status: Status = "done"
    fault: str = ""
    source_bytes: int = 0
    file_bytes: int = 0
    raw_bytes: int = 0
    seconds: float = 0.0
    source_digest: str = ""
    file_digest: str = ""
    digest: str = ""
    kind: str = ""
    profile: str = ""
    mtime: float | None = None
    notices: tuple[str, ...] = ()
    deleted: bool = False
    full: bool = False


@dataclass(frozen=True)
class Product:
    """What `work` makes: a result that holds if the output can be put in place, and the output: bytes, content to write, or nothing."""

    result: Result
    output: bytes | Content | None = None


def run(task: Task, stop: Callable[[], bool] | None = None) -> Result:
    """Do a task, in any process. Whatever is wrong with the file becomes a Result.

    stop: asked now and then; when it returns True, the work is given up.
    Raises Stopped: `stop` said so.
    """
    started = time.perf_counter()
    try:
        if (found := done_already(task)) is not None:
            return _timed(without_original(found), started)
        before = stamp(task.source)
        with places.local(task.source) as path:
            product = work(task, path, stop)
        check_unchanged(task, before)
        return _timed(finish(task, product), started)
    except (InrcodecError, OSError, MemoryError) as fault:
        return _timed(failed(task, fault), started)


def _timed(result: Result, started: float) -> Result:
    return replace(result, seconds=time.perf_counter() - started)


def failed(task: Task, fault: BaseException) -> Result:
    """The result of a task that failed."""
    text = "not enough memory" if isinstance(fault, MemoryError) else reason(fault) if isinstance(fault, OSError) else str(fault)
    if not text.startswith((task.source, *([task.target] if task.target else []))):
        text = f"{task.source}: {text}"
    cause = fault if isinstance(fault, OSError) else fault.__cause__
    full = isinstance(cause, OSError) and cause.errno in FULL
    return Result(task, "failed", " ".join(text.split("\n")), source_bytes=task.size, full=full)


def work(task: Task, path: Path, stop: Callable[[], bool] | None = None) -> Product:
    """Read the source and code it; nothing is written. path: where the source is, if it is not where the task says.

    Raises InrcodecError; MemoryError; Stopped.
    """
    options = Options(stop=stop, **{name: value for name, value in task.options.items() if name not in READING})
    options = replace(options, max_samples=limits_of(task.options).max_samples, max_memory=limits_of(task.options).max_memory)
    with keeping_notices() as told:
        product = _WORK[task.action](task, path, options)
    notices = (line.removeprefix(f"{path}: ") for line in told)
    return replace(product, result=replace(product.result, notices=(*product.result.notices, *notices)))


def _encode(task: Task, path: Path, options: Options) -> Product:
    digest = digest_of(path) if task.digests else ""
    found = contents.read(path, task.options)
    with naming(path):
        watched, stages = options.watched()
        data = contents.encode(found, watched)
        about = contents.info(data, Options(threads=1))
        unused = watched.unused(stages, str(about.get("network", {}).get("activation", "")))
    result = replace(_described(task, data, about), raw_bytes=contents.raw_bytes(found), source_digest=digest)
    return Product(replace(result, notices=(unused,) if unused else ()), data)


def _described(task: Task, data: bytes, about: Mapping[str, Any]) -> Result:
    return Result(
        task,
        source_bytes=task.size,
        file_bytes=len(data),
        raw_bytes=about["raw_bytes"],
        file_digest=hashlib.sha256(data).hexdigest(),
        digest=about["digest"],
        kind=about["kind"],
        profile=about.get("profile", ""),
    )


def _decode(task: Task, path: Path, options: Options) -> Product:
    data = read_linr(path, task.options)
    changed = bool(task.expected) and hashlib.sha256(data).hexdigest() != task.expected
    with naming(path):
        if task.quick:
            if changed:
                raise FormatError("changed or damaged: its bytes are not those that the manifest lists")
            return Product(Result(task, source_bytes=len(data), file_bytes=len(data), file_digest=task.expected))
        about = contents.info(data, replace(options, threads=1))
        found = contents.decode(data, options)
        if changed:
            raise FormatError("changed: it is whole, but its bytes are not those that the manifest lists")
    return Product(_described(task, data, about), found if task.action == "decode" else None)


_WORK: dict[Action, Callable[[Task, Path, Options], Product]] = {"encode": _encode, "decode": _decode, "verify": _decode}


def read_linr(path: Path, options: Mapping[str, Any]) -> bytes:
    """The bytes of a .linr file. Raises InrcodecError, naming the file."""
    return bounds.read_linr(path, limits_of(options))


def about(path: Path, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `info` says of a .linr file. Raises InrcodecError, naming the file."""
    data = read_linr(path, options)
    with naming(path):
        return contents.info(data, Options(threads=1, max_memory=limits_of(options).max_memory))


def finish(task: Task, product: Product) -> Result:
    """Put the output of `work` in place, and remove the source if the task says so. Raises InrcodecError; OSError; Stopped."""
    if task.action == "verify":
        return product.result
    source, result = facts(task.source), product.result
    paths = places.disk_path(task.source), places.disk_path(task.target)
    if task.source == task.target or (paths[0] and paths[1] and same_file(paths[0], paths[1])):
        raise InrcodecError(f"{task.target}: is the input itself; give the output another name")
    lost = _put(task, product.output, source)
    notices = list(result.notices)
    notices += told_lost(task, lost)
    result = replace(result, source_bytes=source.size, mtime=source.mtime, notices=tuple(notices))
    return without_original(result)


def without_original(result: Result) -> Result:
    """The result of a task whose target is in place, after the source was removed if the task says so. Raises InrcodecError; Stopped."""
    task = result.task
    if not task.delete:
        return result
    kept = originals.removed(task)
    return replace(result, notices=(*result.notices, f"{task.source}: not deleted: {kept}")) if kept else replace(result, deleted=True)


def told_lost(task: Task, lost: Sequence[str]) -> list[str]:
    """A line that says what the format of a target does not keep; no line if that is nothing. lost: names of metadata."""
    if not lost:
        return []
    more = f" and {len(lost) - MOST_NAMES} more" if len(lost) > MOST_NAMES else ""
    return [f"{task.target}: this format does not keep exactly: {', '.join(lost[:MOST_NAMES])}{more}"]


def _put(task: Task, output: bytes | Content | None, source: places.Entry) -> list[str]:
    """Write the output; what its format does not keep. Raises InrcodecError; OSError."""
    if output is not None and not isinstance(output, bytes) and contents.is_folder(output) and _is_folder_name(task.target):
        _put_folder(task.target, output)
        return []
    lost: list[str] = []
    force = task.force or (task.update and task.action == "encode" and _is_linr(task.target))
    with places.writing(task.target, force=force, mtime_ns=source.mtime_ns, mode=source.mode) as path:
        if isinstance(output, bytes):
            path.write_bytes(output)
        elif output is not None:
            with spelling(path, task.target):
                lost = contents.write(path, output)
    return lost


def _is_folder_name(name: str) -> bool:
    """Whether no type of files has such a name, so that it is that of a folder."""
    return not is_named(Path(places.last_part(name)))


def _put_folder(name: str, found: Content) -> None:
    """Write the files of a series into a new folder. Raises InrcodecError; OSError."""
    folder = places.disk_path(name)

    def write(path: Path) -> None:
        with spelling(path, name):
            contents.write(path, found)

    if folder is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new_folder(folder, write)
        return
    with scratch() as temporary:
        write(temporary)
        for path in sorted(temporary.iterdir()):
            places.put(places.join(name, path.name), path)


def _is_linr(name: str) -> bool:
    """Whether a file is there that begins as a .linr file does. Raises InrcodecError."""
    if not places.exists(name):
        return False
    return container.is_linr(places.first_bytes(name, container.FIRST))


def facts(name: str) -> places.Entry:
    """Size, time and permissions of a source. Of a folder: the size of all files in it, and no permissions, since a file gets them.

    Raises InrcodecError.
    """
    path = places.disk_path(name)
    if path is None or not path.is_dir():
        return places.stat(name)
    size = sum(entry.size for entry in places.walk(name))
    return places.Entry(name, path.name, size, path.stat().st_mtime_ns, None)


def stamp(name: str) -> object:
    """Something that changes when a source is changed. Raises InrcodecError."""
    path = places.disk_path(name)
    return [entry[1:4] for entry in places.walk(name)] if path is not None and path.is_dir() else places.stat(name)[1:4]


def check_unchanged(task: Task, before: object) -> None:
    """Raise InrcodecError if the source was changed. before: its `stamp` before it was read."""
    if stamp(task.source) != before:
        raise InrcodecError(f"{task.source}: {CHANGED}")


def done_already(task: Task) -> Result | None:
    """The result of a task that asks for an update and has nothing to do; None: it is to be done. Raises InrcodecError.

    On this machine, a target is done if it has the time of its source, which `finish` gives it; at an address, if it is newer. A .linr file
    must also be whole: its checksums are right.
    """
    if not task.update or task.action == "verify" or not places.exists(task.target):
        return None
    source = facts(task.source)
    path = places.disk_path(task.target)
    if path is not None and path.is_dir():
        return Result(task, "skipped", DONE, source_bytes=source.size, mtime=source.mtime)
    target = places.stat(task.target)
    if source.mtime_ns is None or target.mtime_ns is None:
        return None
    if path is None:
        same = target.mtime_ns >= source.mtime_ns
    else:
        same = _same_time(source.mtime_ns, target.mtime_ns, path.stat().st_ctime_ns)
    if not same:
        return None
    if (found := of_target(task)) is None:
        return None
    digest = ""
    if task.digests and task.action == "encode":
        with places.local(task.source) as source_path:
            digest = digest_of(source_path)
    return replace(found, status="skipped", fault=DONE, source_bytes=source.size, mtime=source.mtime, source_digest=digest)


def of_target(task: Task) -> Result | None:
    """The result of a task by its target alone; None: that is damaged, or no .linr file where it is to be one."""
    if task.action == "decode":
        return Result(task)
    try:
        with places.local(task.target) as path:
            data = read_linr(path, task.options)
            return _described(task, data, contents.info(data, Options(threads=1)))
    except InrcodecError:
        return None


def _same_time(source: int, target: int, status: int) -> bool:
    """Whether a target has the time of its source, as well as its file system can hold it. All in nanoseconds.

    status: when the status of the target was changed, which the system sets itself: it has a fraction unless the file system cuts times.
    """
    return abs(source - target) < CLOSE or any(source // step * step == target and status % step == 0 for step in COARSE)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, of a line "DIGEST  NAME" for each file, sorted by names, as sha256sum prints them.

    Raises InrcodecError, naming the file.
    """
    try:
        if path.is_dir():
            lines = (f"{digest_of(file)}  {file.name}\n" for file in sorted(path.iterdir()))
            return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault
