"""Many files at once: folders, patterns and files, over several processes or any executor of concurrent.futures.

>>> import tempfile, numpy as np, inrcodec.batch
>>> from pathlib import Path
>>> folder = Path(tempfile.mkdtemp())
>>> (folder / "runs").mkdir()
>>> np.save(folder / "runs" / "a.npy", np.arange(600, dtype=np.int16))
>>> report = inrcodec.batch.encode([folder / "runs"], folder / "coded", jobs=1, profile="stored")
>>> [result.task.target_name for result in report.done]
['a.npy.linr']
>>> inrcodec.batch.verify([folder / "coded"], jobs=1).ok
True

A fault of one file does not end the work: it is a result with status "failed". With more than one job, processes are started, which do not
run the calling script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import Report, Status
    from .tasks import Action

__all__ = ["decode", "encode", "verify"]

Name = str | PathLike[str]
Progress = Callable[["Status"], None]


def encode(
    paths: Name | Sequence[Name],
    output: Name | None = None,
    *,
    executor: Executor | None = None,
    jobs: int = 0,
    update: bool = False,
    manifest: Name | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Encode files, and the files in folders, to .linr files.

    Args:
        paths: files, folders, and patterns such as "photos/**/*.png". Addresses, as s3://…, need the extra `remote`.
        output: the folder of the .linr files; what is a/b.png in the folder of all inputs becomes a/b.png.linr there. If `paths` is one
            name, and no list, that of a file: the .linr file, unless a folder of this name is there, or the text ends in "/", which a Path
            does not keep. None: each beside its source; then folders and patterns cannot be given.
        executor: what does the tasks; it is not closed. None: `jobs` processes, or with one job the calling thread.
        jobs: files at the same time; 0: as many as there are cores. With an executor: its workers.
        update: whether to skip files of which a whole .linr file with the same time is there, and to replace .linr files with another time.
        manifest: where to write a list of all files with their digests, as JSON: see `inrcodec.batch.manifest`.
        progress: called with a `Status` at the beginning and when a file has ended, by the calling thread.
        options: fields of `inrcodec.Options`, of which `threads` is for each job, and `stop` ends the work: it is asked also within a
            file, which is then given up, so that nothing of it is written; kind, sample_rate, bit_depth, voxels and pixels as in
            `inrcodec encode`; force: whether targets may be there already; delete_original: whether to remove each source after its .linr
            file was read back, decoded, and compared with it.

    Returns:
        A `Report` of all files, in the order of their names.

    Raises:
        InrcodecError: nothing was begun: two sources would have one target, or the output cannot be written.
        ValueError: an option has a value that it cannot have. TypeError: there is no such option.
    """
    return _run("encode", paths, output, {"executor": executor, "jobs": jobs, "manifest": manifest, "progress": progress}, update, options)


def decode(
    paths: Name | Sequence[Name],
    output: Name | None = None,
    *,
    executor: Executor | None = None,
    jobs: int = 0,
    update: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Decode .linr files, and those in folders.

    Args:
        paths: files, folders and patterns; in folders, other files are skipped.
        output: the folder to write to; a/b.png.linr becomes a/b.png there. A file whose name has no other extension that can be written
            gets one: of the type that it came from, or of one that holds exactly what is in it.
        options: threads, max_samples, max_memory, stop, force and delete_original.
        others: as of `encode`.

    Returns, raises: as `encode`.
    """
    return _run("decode", paths, output, {"executor": executor, "jobs": jobs, "progress": progress}, update, options)


def verify(
    paths: Name | Sequence[Name],
    *,
    executor: Executor | None = None,
    jobs: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Decode .linr files, and those in folders, and check them against their digests; nothing is written.

    options: threads, max_samples, max_memory and stop; others: as of `encode`. For manifests see `inrcodec.batch.manifest.verify`.
    """
    return _run("verify", paths, None, {"executor": executor, "jobs": jobs, "progress": progress}, False, options)


def _run(
    action: Action, paths: Name | Sequence[Name], output: Name | None, how: Mapping[str, Any], update: bool, options: dict[str, Any]
) -> Report:
    from . import doing, plan

    inputs = [paths] if isinstance(paths, str | PathLike) else list(paths)
    stop = options.pop("stop", None)
    template = doing.template(action, update, how.get("manifest") is not None, options)
    found = plan.make(template, inputs, output, several=not isinstance(paths, str | PathLike))
    return doing.run(found, template, doing.How(**how, stop=stop))
