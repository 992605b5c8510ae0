"""A manifest: a JSON file that lists what became of each file, with digests, and `verify`, which checks the .linr files against it.

format, version    "inrcodec manifest", 1
tool               the version of inrcodec that wrote it
action, options    what was done, and with which options that are not left at their defaults
complete           whether all files were begun; else the work was stopped
root, output       the folders that the names of sources and targets begin in: relative to the folder of the manifest if they lie in it
files              a list in the order of names; each one has those of these that are known:
  source, target     names, with "/"
  status             "done", "current" (skipped, since it was done already), "skipped" or "failed"; of the last two, fault says why
  source_bytes, file_bytes, raw_bytes      of the source, of the .linr file, of the samples alone
  mtime              when the source was changed last, in seconds since 1970
  kind, profile      of the .linr file
  source_sha256      of the source's bytes; of a folder, of a line "SHA256  NAME" for each file in it, sorted by names
  file_sha256        of the .linr file's bytes
  samples_digest     of the samples, as the .linr file has it
  deleted            true if the source was removed
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from .. import __version__
from ..errors import FormatError, InrcodecError, naming
from ..storage import check_output, reason
from . import doing, places
from .naming import SUFFIX
from .plan import Plan
from .report import Report
from .tasks import DONE, Result, Task, failed

FORMAT, VERSION = "inrcodec manifest", 1
PRESENT = ("done", "current")  # the statuses of files that are there
LARGEST = 1 << 32  # bytes of a manifest


def check(name: places.Name, root: str, output: str, force: bool) -> None:
    """Raise InrcodecError if a manifest cannot be written, before long work.

    A manifest of this name is replaced if it is of the same folders, or by force; another file is not.
    """
    path = places.disk_path(name)
    if path is None:
        return
    if path.parent.is_dir():
        check_output(path, force=True)
    else:
        places.check_folder(name, path.parent)  # which is made, as when it is that of the output
    if path.exists():
        found, folder = read(path), path.absolute().parent
        if not force and (found.get("root"), found.get("output")) != (_from(folder, root), _from(folder, output or root)):
            raise InrcodecError(f"{path}: is the manifest of other folders; --force replaces it")


def write(name: places.Name, report: Report, options: Mapping[str, Any]) -> None:
    """Write the manifest of a report, whole or not at all. Raises InrcodecError."""
    path = places.disk_path(name)
    folder = None if path is None else path.absolute().parent
    content = {
        "format": FORMAT,
        "version": VERSION,
        "tool": f"inrcodec {__version__}",
        "action": report.action,
        "options": dict(options),
        "complete": report.complete,
        "root": _from(folder, report.root),
        "output": _from(folder, report.output or report.root),
        "files": [_entry(result) for result in report.results],
    }
    text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
    places.put(name, text.encode(), force=True)


def _from(folder: Path | None, name: str) -> str:
    """A folder as a manifest names it. folder: of the manifest, if it is on this machine."""
    path = places.disk_path(name) if name else None
    if path is None or folder is None:
        return name
    absolute = Path(os.path.abspath(path))
    return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else str(absolute)


def _entry(result: Result) -> dict[str, Any]:
    task = result.task
    current = result.status == "skipped" and result.fault == DONE
    plain = {
        "source": task.name,
        "target": task.target_name,
        "status": "current" if current else result.status,
        "fault": "" if current else result.fault,
        "source_bytes": result.source_bytes,
        "file_bytes": result.file_bytes,
        "raw_bytes": result.raw_bytes,
        "mtime": result.mtime,
        "kind": result.kind,
        "profile": result.profile,
        "source_sha256": result.source_digest,
        "file_sha256": result.file_digest,
        "samples_digest": result.digest,
        "deleted": result.deleted,
    }
    return {name: value for name, value in plain.items() if value not in ("", None, False)}


def read(path: Path) -> dict[str, Any]:
    """A manifest, of which the form was checked. Raises FormatError: it is none; InrcodecError: it cannot be read."""
    try:
        with naming(path):
            if path.stat().st_size > LARGEST:
                raise FormatError("too large for a manifest")
            found = json.loads(path.read_bytes())
            _check(found)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault
    except (ValueError, RecursionError) as fault:
        raise FormatError(f"{path}: is no manifest ({' '.join(str(fault).split())})") from fault
    return dict(found)


def _check(found: Any) -> None:
    """Raise FormatError if this is no manifest that this version knows."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise FormatError("is no manifest of inrcodec")
    if found.get("version") != VERSION:
        raise FormatError(f"has version {found.get('version')!r}, and this program reads version {VERSION}")
    files, folders = found.get("files"), (found.get("root"), found.get("output"))
    if found.get("action") != "encode" or not all(isinstance(folder, str) for folder in folders) or not isinstance(files, list):
        raise FormatError("damaged: it does not list what was encoded")
    for entry in files:
        texts = ("target", "status", "file_sha256", "samples_digest")
        if not isinstance(entry, dict) or not all(isinstance(entry.get(name, ""), str) for name in texts):
            raise FormatError("damaged: an entry is no object, or lacks its names")
        if entry.get("status") in PRESENT and not (entry.get("target") and entry.get("file_sha256")):
            raise FormatError("damaged: an entry lacks its target or its digest")


def verify(name: places.Name, how: doing.How | None = None, quick: bool = False, **options: Any) -> tuple[Report, list[str]]:
    """Check the .linr files that a manifest lists: that each is there, has the bytes that it had, and decodes to the same samples.

    Args:
        name: of the manifest.
        how: executor, jobs, progress and stop: see `doing.How`.
        quick: whether to compare only the bytes' digests, and decode nothing.
        options: threads, max_samples and max_memory.

    Returns:
        a Report, whose failed results say what is missing, changed or damaged; and the names of .linr files that the manifest does not
        list, in the folders where it lists some.

    Raises:
        FormatError: it is no manifest. InrcodecError: it cannot be read.
    """
    with places.local(name) as path:
        found = read(path)
    path_of = places.disk_path(name)
    base = str(path_of.absolute().parent) if path_of is not None else ""
    output = found["output"] if places.is_address(found["output"]) or not base else os.path.join(base, found["output"])
    template = doing.template("verify", False, False, options)
    tasks: list[Task] = []
    settled: list[Result] = []
    for entry in found["files"]:
        if entry.get("status") not in PRESENT:
            continue
        task = replace(template, name=entry["target"], expected=entry["file_sha256"], quick=quick)
        try:
            source = places.join(output, entry["target"])
            tasks.append(replace(task, source=source, size=places.stat(source).size))
        except InrcodecError as fault:
            there = entry["target"]
            settled.append(failed(replace(task, source=there), InrcodecError(f"{there}: missing ({fault})")))
    report = doing.run(Plan(tuple(tasks), tuple(settled), output, output), template, how or doing.How())
    extra, notices = _extra(output, {result.task.name for result in report.results})
    if not found.get("complete", True):
        notices.insert(0, f"{os.fspath(name)}: the work that it tells of was stopped; files that were not begun are not listed")
    return replace(report, told=tuple(notices)), extra


def _extra(output: str, listed: set[str]) -> tuple[list[str], list[str]]:
    """The names of .linr files beside those that are listed, which are not; and a line for each folder that cannot be read.

    No other folder is looked into: the folder of the outputs may be that of the whole disk.
    """
    extra, faults = [], []
    for inner in sorted({str(PurePosixPath(name).parent) for name in listed}):
        try:
            folder = output if inner == "." else places.join(output, inner)
            if not places.is_folder(folder):  # what was listed in it is missing
                continue
            beside = "" if inner == "." else f"{inner}/"
            extra += [
                entry.name
                for entry in places.walk(folder, below=False)
                if entry.relative.lower().endswith(SUFFIX) and beside + entry.relative not in listed
            ]
        except InrcodecError as fault:
            faults.append(str(fault))
    return extra, faults
