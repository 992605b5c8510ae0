"""One file of many: a `Task`, what becomes of it (`Result`), and `run`, which does it in any process.

`run` has three steps, which an executor may also do in different places: `open_source`, `work`, which needs the file's bytes and nothing
else, and `finish`, which puts the output in place.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from .. import storage
from ..container import COMPACT, MAGIC
from ..errors import FormatError, InrcodecError, Notice, naming
from ..files import bounds
from ..options import Options
from ..storage import reason
from . import content as contents
from .content import READING, Content, limits_of

Action = Literal["encode", "decode", "verify"]
Status = Literal["done", "skipped", "failed"]
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}  # faults after which nothing more may be written
STEPS = (1, 100, 1000, 10**9, 2 * 10**9)  # nanoseconds to which file systems round times
DONE = "done already"


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

    @property
    def fits(self) -> bool:
        """Whether it fits a network."""
        return self.action == "encode" and (self.options.get("profile") == "inr" or bool(self.options.get("tune")))


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
        mtime_ns: when the source was changed last, in nanoseconds since 1970.
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
    mtime_ns: int = 0
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
        if task.update and is_done(task):
            return _timed(skipped(task), started)
        with storage_faults(task.source):
            before = stamp(Path(task.source))
            product = work(task, Path(task.source), stop)
            if stamp(Path(task.source)) != before:
                raise InrcodecError(f"{task.source}: was changed while it was read; nothing was written")
        return _timed(finish(task, product, stop), started)
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Notice)
        product = _WORK[task.action](task, path, options)
    notices = (str(w.message).removeprefix(f"{path}: ") for w in caught if issubclass(w.category, Notice))
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
    with naming(path):
        about = contents.info(data, replace(options, threads=1))
        found = contents.decode(data, options)
    return Product(_described(task, data, about), found if task.action == "decode" else None)


_WORK: dict[Action, Callable[[Task, Path, Options], Product]] = {"encode": _encode, "decode": _decode, "verify": _decode}


def read_linr(path: Path, options: Mapping[str, Any]) -> bytes:
    """The bytes of a .linr file. Raises InrcodecError, naming the file."""
    try:
        with naming(path), path.open("rb") as file:
            if not (head := file.peek(len(MAGIC))):
                raise FormatError("empty file")
            if not head.startswith((MAGIC, COMPACT)):
                raise FormatError("is no .linr file")
            return bounds.contents(file, limits_of(options))
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault
