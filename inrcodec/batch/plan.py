"""From what the user names (files, folders, patterns) to tasks: which files there are, which of them are taken, and where each one goes.

What lies below the deepest folder that holds all inputs lies in the same way below the folder of the output. A folder stands for all files
in it and in folders below; links to files are followed, links to folders are not, since they could lead in a circle. A folder of which all
files are DICOM files of one series is one source.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .. import container
from ..errors import InrcodecError, UnsupportedError
from ..files import checkpoints, lossy, npz, refused, registry, series
from ..storage import SEPARATORS, TEMPORARY, reason, same_file
from . import naming, places
from .naming import SUFFIX, is_output
from .tasks import Action, Result, Status, Task, about, facts, failed

UNKNOWN = "not a known type"
CODED = "a .linr file, compressed already"
NOT_CODED = "not a .linr file"
NO_LINR = "holds no .linr file"
LINK = "a link to a folder, which is not followed"
SPECIAL = "no regular file"
NO_TYPE = "its first bytes are of no known type"  # what the fault of such a file begins with
LOSSY_WEBP = b"WEBPVP8 "  # at byte 8; of others it is known only further on, and they are faults
MAGIC_SIGNS = re.compile(r"[*?[]")


class Found(NamedTuple):
    """What was found. name: in full; relative: below the folder of all inputs; explicit: whether it was named itself; aside: why it is
    skipped, and fault: why it cannot be read; "" for neither."""

    name: str
    relative: str
    size: int = 0
    explicit: bool = False
    aside: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        tasks: in the order of names, each with another target.
        settled: results of what is skipped or cannot be read.
        root: the deepest folder that holds all inputs; output: the folder of the targets, "" if each is beside its source.
        folders: of sources and of targets, in pairs, of those that lie below root and output, and these themselves.
    """

    tasks: tuple[Task, ...]
    settled: tuple[Result, ...] = ()
    root: str = ""
    output: str = ""
    folders: tuple[tuple[str, str], ...] = field(default=())


def make(template: Task, inputs: Sequence[places.Name], output: places.Name | None = None, *, several: bool = False) -> Plan:
    """What is to be done for these inputs.

    template: action, options and switches of all tasks.
    output: a folder, which need not be there; for one file also the name of the output itself. None: each output is beside its source,
    which is for files that are named one by one.
    several: whether one input is treated as several are, so that `output` is a folder.

    Raises InrcodecError: two sources would have one target; the output cannot be written, or is needed; the inputs have no folder in
    common.
    """
    names, plain = [os.fspath(name) for name in inputs], "" if output is None else os.fspath(output)
    if not all(names) or (output is not None and not plain):
        raise InrcodecError("the name of a file is empty")
    if not several and is_single(template.action, names, plain):
        return _of_one(template, names[0], plain)
    if plain:
        _check_folder(plain, names, template.action)
    root = _root(names)
    found = {_key(item.name): item for item in _found(names, root, plain if template.action != "verify" else "", template.action)}
    if not plain and template.action != "verify" and not all(item.explicit for item in found.values()):
        raise InrcodecError(f"{names[0]}: name a folder for the output (-o); it may be that of the input")
    tasks, settled = [], []
    for item in sorted(found.values(), key=lambda item: item.relative.split("/")):
        looked = _looked_at(template, item)
        if isinstance(looked, Result):
            settled.append(looked)
            continue
        try:
            tasks.append(_task(template, item, plain, looked))
        except InrcodecError as fault:
            settled.append(_result(template, item, "failed", str(fault)))
    if template.action != "encode" and len(names) > 1:
        settled += [_result(template, Found(name, name), "failed", f"{name}: {NO_LINR}") for name in names if _holds_none(name, tasks)]
    _check_targets(tasks)
    return Plan(tuple(tasks), tuple(settled), root, plain, _folders(tasks, root, plain))


def is_single(action: Action, names: Sequence[str], output: str) -> bool:
    """Whether there is one source, and an output of its own name: a file, or a folder of a series, and no folder to write to."""
    if action == "verify" or len(names) != 1 or places.has_magic(names[0]):
        return False
    if output and (output.endswith(SEPARATORS) or _is_folder(output)):
        return action == "decode" and _holds_folder(names[0])
    return not _is_folder(names[0]) or (action == "encode" and _is_series(names[0]))


def _is_folder(name: str) -> bool:
    """Whether a folder of this name can be seen."""
    try:
        return places.is_folder(name)
    except InrcodecError:
        return False


def _holds_none(name: str, tasks: Sequence[Task]) -> bool:
    """Whether a name is that of a folder, and no task has its source in it."""
    start = _key(name).rstrip("/\\")
    return _is_folder(name) and not any(_key(task.source).startswith((f"{start}/", f"{start}{os.sep}")) for task in tasks)


def _holds_folder(name: str) -> bool:
    """Whether a .linr file holds a folder, so that the output is that folder, and not one to put it in."""
    try:
        return not _is_folder(name) and bool(series.names(about_of(name, {})["metadata"]))
    except InrcodecError:
        return False


def _is_series(name: str) -> bool:
    """Whether a folder holds nothing but DICOM files of one series."""
    path = places.disk_path(name)
    return path is not None and series.is_series(path)


def _of_one(template: Task, name: str, output: str) -> Plan:
    """The plan of one source whose output has a name of its own."""
    task = replace(template, source=name, name=places.last_part(name))
    try:
        path = places.disk_path(name)
        if not output and path is None:
            raise InrcodecError(f"{name}: name the output (-o)")
        target = output or str(_default(template, Path(name)))
        size = facts(name).size
    except InrcodecError as fault:
        return Plan((), (failed(task, fault),))
    if template.action == "encode" and not target.lower().endswith(SUFFIX):
        raise InrcodecError(f"the output must be named {SUFFIX}, or be a folder, not {target}")
    task = replace(task, target=target, target_name=places.last_part(target), size=size)
    return Plan((task,), (), _parent(name), _parent(target))


def _parent(name: str) -> str:
    """The folder that a file lies in."""
    path = places.disk_path(name)
    return name.rpartition("/")[0] if path is None else os.path.dirname(os.path.abspath(path))


def _default(template: Task, path: Path) -> Path:
    """The output of one source if nothing is said. Raises InrcodecError."""
    if template.action == "decode":
        return naming.default_output(path, lambda: about(path, template.options))
    stem = path if path.is_dir() else registry.stem(path)
    return stem.with_name(stem.name + SUFFIX)


def _key(name: str) -> str:
    """What the names of one file have in common, but for links."""
    path = places.disk_path(name)
    return name if path is None else os.path.abspath(path)


# --- what is found ------------------------------------------------------------------------------------------------


def _root(names: Sequence[str]) -> str:
    """The deepest folder that holds all inputs. Raises InrcodecError: there is none."""
    bases = [_base(name) for name in names]
    addresses = [places.disk_path(base) is None for base in bases]
    if not any(addresses):
        with suppress(ValueError):  # of several drives
            return os.path.commonpath(bases)
    elif all(addresses):
        parts = [base.rstrip("/").split("/") for base in bases]
        same = itertools.takewhile(lambda each: len(set(each)) == 1, zip(*parts, strict=False))
        common = [each[0] for each in same]
        if len(common) > 2:
            return "/".join(common)
    raise InrcodecError(f"{names[0]} and {names[-1]} have no folder in common; do one after the other")


def _base(name: str) -> str:
    """The folder that what is found under a name lies in: the folder itself, that of a file, that before the first sign of a pattern."""
    path = places.disk_path(name)
    if places.has_magic(name):
        parts = re.split(
            r"(?<=/)" if path is None else r"(?<=[\\/])" if os.name == "nt" else r"(?<=/)", name if path is None else str(path)
        )
        fixed = "".join(itertools.takewhile(lambda part: not MAGIC_SIGNS.search(part), parts))
        return fixed.rstrip("/") if path is None else os.path.abspath(fixed or ".")
    if path is None:
        return name.rstrip("/") if _is_folder(name) else name.rpartition("/")[0]
    return os.path.abspath(path if path.is_dir() else path.parent)


def _found(names: Sequence[str], root: str, output: str, action: Action) -> Iterator[Found]:
    """All files that the inputs stand for. output: a folder that is passed over where it lies inside one of them."""
    for name in names:
        if not places.has_magic(name):
            yield from _of_name(name, root, output, action, explicit=True)
            continue
        try:
            matches = places.expand(name)
        except InrcodecError as fault:
            yield Found(name, name, explicit=True, fault=str(fault))
            continue
        if not matches:
            yield Found(name, name, explicit=True, fault=f"{name}: no file has such a name")
        for match in matches:
            if not ("**" in name and _is_folder(match)):  # what is in it matches as well
                yield from _of_name(match, root, output, action, explicit=False)


def _of_name(name: str, root: str, output: str, action: Action, explicit: bool) -> Iterator[Found]:
    """The file of a name, or all files in the folder of that name."""
    path = places.disk_path(name)
    if path is not None:
        if path.is_dir():
            yield from _walk(Path(os.path.normpath(path)), root, output, action)
        else:
            item = _on_disk(path, root)
            yield item._replace(explicit=explicit)
        return
    try:
        if not places.is_folder(name):
            yield Found(name, _below(name, root), places.stat(name).size, explicit)
            return
        inside = _below(name.rstrip("/") + "/", root)
        away = output.rstrip("/") + "/"
        for entry in places.walk(name):
            if not (output and entry.name.startswith(away) and away.rstrip("/") != name.rstrip("/")):
                yield Found(entry.name, inside + entry.relative, entry.size)
    except InrcodecError as fault:
        yield Found(name, _below(name, root), explicit=explicit, fault=str(fault))


def _below(name: str, root: str) -> str:
    """The name of what lies in the root, from there, with "/"."""
    path = places.disk_path(name)
    if path is None:
        return name.removeprefix(root).lstrip("/")
    relative = Path(os.path.relpath(os.path.abspath(path), root)).as_posix()
    return Path(os.path.abspath(path)).name if relative == "." else relative


def _walk(folder: Path, root: str, output: str, action: Action) -> Iterator[Found]:
    """All files in a folder and those below it, but for links to folders, and for the folder of the output if it is below."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as fault:
        yield Found(str(folder), _below(str(folder), root), fault=f"{folder}: cannot be read: {reason(fault)}")
        return
    if action == "encode" and series.is_series(folder, least=2):
        size = sum(entry.stat().st_size for entry in entries)
        yield Found(str(folder), _below(str(folder), root), size)
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(TEMPORARY):
            continue
        if _is_link(entry) and os.path.isdir(path):  # Path.is_dir raises where it may not look
            yield Found(str(path), _below(str(path), root), aside=LINK)
        elif entry.is_dir(follow_symlinks=False):
            if not (output and places.disk_path(output) is not None and same_file(path, Path(str(places.disk_path(output))))):
                yield from _walk(path, root, output, action)
        else:
            yield _on_disk(path, root)


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a link, or what Windows calls a junction, which Python knows from 3.12 on."""
    return entry.is_symlink() or bool(getattr(entry, "is_junction", bool)())


def _on_disk(path: Path, root: str) -> Found:
    """A file of this machine."""
    try:
        found = path.stat()
    except OSError as fault:
        return Found(str(path), _below(str(path), root), fault=f"{path}: cannot be read: {reason(fault)}")
    return Found(str(path), _below(str(path), root), found.st_size, aside="" if stat.S_ISREG(found.st_mode) else SPECIAL)


# --- what is taken ------------------------------------------------------------------------------------------------


def _result(template: Task, item: Found, status: Status, fault: str) -> Result:
    task = replace(template, source=item.name, name=item.relative, size=item.size)
    return Result(task, status, fault, source_bytes=item.size)


def _looked_at(template: Task, item: Found) -> Result | bytes:
    """The result of what is no task; of what is one, its first bytes, of a folder none."""
    if item.fault:
        no_linr = template.action != "encode" and not item.explicit and os.path.islink(item.name) and not item.name.lower().endswith(SUFFIX)
        return _result(template, item, "skipped" if no_linr else "failed", f"{item.name}: {NOT_CODED}" if no_linr else item.fault)
    path = places.disk_path(item.name)
    if path is not None and path.is_dir() and not item.aside:
        return b""
    aside, head = item.aside, b""
    try:
        if not aside:
            head = places.first_bytes(item.name, registry.HEAD)
            aside = _aside(template, item, head)
    except InrcodecError as fault:
        text = str(fault)
        return _result(template, item, "failed", text if text.startswith(item.name) else f"{item.name}: {text}")
    if aside:
        return _result(template, item, "failed" if item.explicit else "skipped", f"{item.name}: {aside}")
    return head


def _aside(template: Task, item: Found, head: bytes) -> str:
    """Why a file is not taken; "" if it is. head: its first bytes. Raises InrcodecError: it is at fault."""
    path = Path(places.last_part(item.name))
    named = path.suffix.lower() == SUFFIX
    coded = container.is_linr(head)
    if template.action != "encode":
        return "" if named or coded or item.explicit else NOT_CODED
    if named or coded:
        return CODED
    if not head and not (registry.is_named(path) or is_output(path)) and not item.explicit:
        return UNKNOWN
    if not head:
        raise InrcodecError("empty file")
    if head.startswith(b"RIFF") and head[8:16] == LOSSY_WEBP and not template.options.get("pixels"):
        return refused.LOSSY.format("WebP", "WebP")
    if path.suffix.lower() in registry.MESHES:
        return "" if template.options.get("voxels") else "a mesh; --voxels makes voxels of it"
    of_tensors = any(kind.magic and re.match(kind.magic, head, re.DOTALL) for kind in checkpoints.CHECKPOINTS)
    if checkpoints.named(path) is not None or of_tensors or npz.is_npz(path):
        return ""
    if template.options.get("pixels") and any(kind.recognizes(head) for kind in lossy.LOSSY):
        return ""
    try:
        registry.recognized(path, io.BufferedReader(io.BytesIO(head)))
    except UnsupportedError as fault:
        text = str(fault)
        return UNKNOWN if text.startswith(NO_TYPE) and not item.explicit else text
    return ""


def _task(template: Task, item: Found, output: str, head: bytes) -> Task:
    """The task of a file. head: its first bytes. Raises InrcodecError: its target cannot be named."""
    task = replace(template, source=item.name, name=item.relative, size=item.size)
    if task.action == "verify":
        return task
    if task.action == "encode":
        relative = item.relative + _true_extension(item.name, head) + SUFFIX
    else:
        plain = naming.default_output(Path(places.last_part(item.name)), lambda: about_of(item.name, template.options)).name
        relative = item.relative[: len(item.relative) - len(places.last_part(item.name))] + plain
    if output:
        return replace(task, target=places.join(output, relative), target_name=relative)
    path = places.disk_path(item.name)
    if path is None:
        raise InrcodecError(f"{item.name}: name a folder for the output (-o)")
    return replace(task, target=str(path.with_name(Path(relative).name)), target_name=relative)


def _true_extension(name: str, head: bytes) -> str:
    """What is to follow the name of a source, so that its output decodes to a file of its type: "" if its own extension names a type
    that holds such a signal. A WAV file may be named .png. head: its first bytes.
    """
    path = Path(places.last_part(name))
    kind = next((kind for kind in registry.types() if kind.recognizes(head)), None)
    named = next((kind for kind in registry.types() if path.name.lower().endswith(kind.extensions)), None)
    return "" if kind is None or named is None or named.holds in (kind.holds, "array") else kind.extensions[0]


def about_of(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `info` says of a .linr file. Raises InrcodecError, naming the file."""
    with places.local(name) as path:
        return about(path, options)


# --- where it goes ------------------------------------------------------------------------------------------------


def _check_folder(name: str, inputs: Sequence[str], action: Action) -> None:
    """Raise InrcodecError if no folder of this name is there or can be made, or if the name is that of a file."""
    last = Path(places.last_part(name))
    of_file = last.suffix.lower() == SUFFIX if action == "encode" else is_output(last)
    if of_file and not _is_folder(name) and not name.endswith(SEPARATORS):
        several = "several inputs" if len(inputs) > 1 else inputs[0]
        raise InrcodecError(f"{name}: is the name of a file; name a folder for what {several} will become")
    path = places.disk_path(name)
    if path is not None:
        places.check_folder(name, path)


def _check_targets(tasks: Sequence[Task]) -> None:
    """Raise InrcodecError if two sources would have one target."""
    seen: dict[str, Task] = {}
    for task in tasks:
        key = task.target
        if not key:
            continue
        if key.casefold() in seen and (seen[key.casefold()].target == key or _ignores_case(key)):
            other = seen[key.casefold()]
            raise InrcodecError(f"{other.source} and {task.source} would both become {task.target}; nothing was written")
        seen[key.casefold()] = task


def _ignores_case(name: str) -> bool:
    """Whether names that differ in upper and lower case only are one, where this file is to be."""
    path = places.disk_path(name)
    if path is None:
        return False
    for folder in Path(os.path.abspath(path)).parents:
        if folder.exists() and folder.name.swapcase() != folder.name:
            return same_file(folder, folder.with_name(folder.name.swapcase()))
    return False


def _folders(tasks: Sequence[Task], root: str, output: str) -> tuple[tuple[str, str], ...]:
    """The folders of sources and the ones of targets that stand for them, on this machine; the deepest last."""
    if not output or places.disk_path(output) is None or places.disk_path(root) is None:
        return ()
    inner = {parent.as_posix() for task in tasks for parent in PurePosixPath(task.target_name).parents}
    pairs = [
        (os.path.join(root, *name.split("/")), os.path.join(str(places.disk_path(output)), *name.split("/"))) for name in sorted(inner)
    ]
    return tuple((os.path.normpath(one), os.path.normpath(other)) for one, other in pairs)
