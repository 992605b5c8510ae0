"""Where files lie: on this machine, or at an address that fsspec knows (memory://, s3://, gs://, …; extra `remote`).

A name is a path or an address. An address file:// stands for the path in it. fsspec is imported only when another address is given.
"""

from __future__ import annotations

import glob
import math
import os
import re
import secrets
import shutil
import stat as stats
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..errors import InrcodecError, MissingError, spelling
from ..files.optional import require
from ..storage import TEMPORARY, Replacement, reason, scratch, set_times

Name = str | os.PathLike[str]
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters or more: C:// is a drive
SECOND = 1_000_000_000  # in nanoseconds
DISK = ("file", "local")
AT_ONCE = {
    "s3",
    "s3a",
    "gs",
    "gcs",
    "abfs",
    "abfss",
    "az",
    "adl",
    "oss",
    "obs",
    "cos",
    "r2",
    "oci",
    "tos",
    "hf",
}  # a put shows all or nothing
WORDS = {
    FileNotFoundError: "no such file or directory",
    PermissionError: "permission denied",
    FileExistsError: "exists already",
    IsADirectoryError: "is a directory",
    NotADirectoryError: "not a directory",
    ConnectionRefusedError: "connection refused",
    NotImplementedError: "this kind of address does not allow it",
}


class Entry(NamedTuple):
    """A file.

    Attributes:
        name: its full name, a path or an address.
        relative: its name from the folder that was walked, with "/" between the parts; of a file that was asked for alone, its last part.
        size: in bytes.
        mtime_ns: when it was last changed, in nanoseconds since 1970; None if the place does not say.
        mode: its permissions; None if the place has none.
    """

    name: str
    relative: str
    size: int
    mtime_ns: int | None
    mode: int | None

    @property
    def mtime(self) -> float | None:
        """When it was last changed, in seconds since 1970."""
        return None if self.mtime_ns is None else self.mtime_ns / SECOND


def is_address(name: Name) -> bool:
    """Whether a name is an address, file:// among them, and no path."""
    return SCHEME.match(os.fspath(name)) is not None


def disk_path(name: Name) -> Path | None:
    """The path that a name stands for; None if it is an address elsewhere. Raises InrcodecError: no path can have this name."""
    plain = os.fspath(name)
    match = SCHEME.match(plain)
    if match is None:
        inside = plain
    elif match[1].lower() not in DISK or "::" in plain:
        return None
    else:
        inside = plain[match.end() :]
        inside = inside[1:] if os.name == "nt" and re.match(r"/[A-Za-z]:", inside) else inside
    if "\0" in inside:
        raise InrcodecError(f"{inside!r} is no name of a file")
    return Path(inside)


def join(root: Name, relative: str) -> str:
    """The name of what lies below a folder. relative: with "/" between its parts.

    Raises InrcodecError: it would lie elsewhere. Addresses may hold names such as "../a", which are no paths there.
    """
    parts = relative.split("/")
    drive = os.name == "nt" and any(re.search(r"[\\:]", part) for part in parts)
    if drive or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise InrcodecError(f"{relative!r} is no name of a file below {os.fspath(root)}")
    path = disk_path(root)
    if path is not None:
        return str(path.joinpath(*parts))
    first, chain, rest = os.fspath(root).partition("::")
    return f"{first if first.endswith('/') else first + '/'}{relative}{chain}{rest}"


def last_part(name: Name) -> str:
    """The name of a file without the folders that it lies in."""
    path = disk_path(name)
    return path.name if path is not None else PurePosixPath(os.fspath(name).partition("::")[0]).name


def has_magic(name: Name) -> bool:
    """Whether a name is a pattern: it has *, ? or [, and no file of just this name is there. In addresses http:// ? begins a query."""
    path = disk_path(name)
    if path is None:
        plain = os.fspath(name).partition("::")[0]
        if not glob.has_magic(plain.replace("?", "") if plain.lower().startswith(("http://", "https://")) else plain):
            return False
        with suppress(InrcodecError):  # what is wrong is said where it is read
            return not exists(name)
        return True
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def expand(pattern: Name) -> list[str]:
    """The names of the files and folders that match a pattern, sorted. ** stands for any folders. Raises InrcodecError."""
    path = disk_path(pattern)
    if path is not None:
        with _faults(pattern, "read"):
            return sorted(glob.glob(str(path), recursive=True, include_hidden=True))
    with _faults(pattern, "read"):
        fs, inside = _system(pattern)
        found = fs.glob(inside)
        return sorted(_named(pattern, fs, each) for each in found)


def is_folder(name: Name) -> bool:
    """Whether a folder of this name is there. Raises InrcodecError."""
    path = disk_path(name)
    if path is not None:
        return path.is_dir()
    with _faults(name, "read"):
        fs, inside = _system(name)
        return bool(fs.isdir(inside))


def exists(name: Name) -> bool:
    """Whether a file or a folder of this name is there. Raises InrcodecError."""
    path = disk_path(name)
    if path is not None:
        return os.path.lexists(path)
    with _faults(name, "read"):
        fs, inside = _system(name)
        return bool(fs.exists(inside))


def stat(name: Name) -> Entry:
    """What is known of a file. Raises InrcodecError: it is not there, is a folder, or the place cannot be reached."""
    path = disk_path(name)
    with _faults(name, "read"):
        if path is not None:
            return _on_disk(path, path.name)
        fs, inside = _system(name)
        info = fs.info(inside)
        if info.get("type") == "directory":
            raise IsADirectoryError
        return Entry(os.fspath(name), last_part(name), int(info.get("size") or 0), _mtime(info), None)


def walk(root: Name, *, below: bool = True) -> Iterator[Entry]:
    """The files in a folder and, if `below`, in those below it, in the order of their relative names. Raises InrcodecError.

    Links to files are followed, links to folders are not: they could lead in a circle. A file that can be listed and not be read, or a
    link that leads nowhere, is an entry of size 0. What is neither file nor folder is left out, and so are the temporary files of inrcodec.
    At an address, a relative name may be one that `join` refuses.
    """
    path = disk_path(root)
    found = _walk_disk(path, below) if path is not None else _walk_system(root, below)
    return iter(sorted(found, key=lambda entry: entry.relative.split("/")))


def _walk_disk(root: Path, below: bool) -> Iterator[Entry]:
    def fault(problem: OSError) -> None:
        raise InrcodecError(f"{problem.filename}: cannot be read: {reason(problem)}") from problem

    for folder, folders, names in os.walk(root, onerror=fault):
        if not below:
            folders.clear()
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if name.startswith(TEMPORARY):
                continue
            try:
                mode = path.stat().st_mode
            except OSError:
                yield Entry(str(path), relative, 0, None, None)
                continue
            if stats.S_ISREG(mode):
                yield _on_disk(path, relative)


def _walk_system(root: Name, below: bool) -> Iterator[Entry]:
    with _faults(root, "read"):
        fs, inside = _system(root)
        fs.invalidate_cache()  # what others have written since
        if not fs.isdir(inside):
            raise NotADirectoryError if fs.exists(inside) else FileNotFoundError
        found = fs.find(inside, maxdepth=None if below else 1, detail=True)
        for full, info in found.items():
            relative = full.removeprefix(inside).lstrip("/")
            if relative and not relative.endswith("/") and not relative.rpartition("/")[2].startswith(TEMPORARY):
                yield Entry(_named(root, fs, full), relative, int(info.get("size") or 0), _mtime(info), None)


def _on_disk(path: Path, relative: str) -> Entry:
    """Raises OSError."""
    found = path.stat()
    if stats.S_ISDIR(found.st_mode):
        raise IsADirectoryError
    return Entry(str(path), relative, found.st_size, found.st_mtime_ns, stats.S_IMODE(found.st_mode))


def check_folder(name: Name, folder: Path) -> None:
    """Raise InrcodecError if a folder of this machine is not there and cannot be made, or cannot be written to. name: what is told."""
    folder = Path(os.path.abspath(folder))
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), None)
    if there is None or not there.is_dir():
        why = "there is no such drive" if there is None else f"{there} is a file; name a folder for the output"
        raise InrcodecError(f"{os.fspath(name)}: {why}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InrcodecError(f"{os.fspath(name)}: folder {there} is not writable")


@contextmanager
def local(name: Name) -> Iterator[Path]:
    """A file as a path on this machine, inside the `with` block: the path itself, or a temporary copy of the same last name.

    Faults that are raised inside and name the copy name the file instead. Raises InrcodecError: it cannot be read, or copied.
    """
    path = disk_path(name)
    if path is not None:
        yield path
        return
    with scratch() as folder:
        copy = folder / last_part(name)
        with _faults(name, "read"):
            fs, inside = _system(name)
            if fs.isdir(inside):
                raise IsADirectoryError
            fs.get_file(inside, str(copy))
        with spelling(copy, os.fspath(name)):
            yield copy


def read_bytes(name: Name) -> bytes:
    """The bytes of a file. Raises InrcodecError."""
    path = disk_path(name)
    with _faults(name, "read"):
        if path is not None:
            return path.read_bytes()
        fs, inside = _system(name)
        return bytes(fs.cat_file(inside))


def first_bytes(name: Name, count: int) -> bytes:
    """The first bytes of a file, at most so many. Raises InrcodecError."""
    path = disk_path(name)
    with _faults(name, "read"):
        if path is not None:
            with path.open("rb") as file:
                return file.read(count)
        fs, inside = _system(name)
        return bytes(fs.cat_file(inside, start=0, end=count))


@contextmanager
def writing(name: Name, *, force: bool = False, mtime_ns: int | None = None, mode: int | None = None) -> Iterator[Path]:
    """A temporary path to be filled inside the `with` block, which then becomes the file `name`, whole or not at all.

    The temporary file has the extension of `name`. Folders above the file are made.

    Args:
        force: whether a file of this name may be there already; it is replaced.
        mtime_ns, mode: what `Entry` calls so, for the new file. A file that is replaced keeps its permissions. Addresses keep neither.

    Raises:
        InrcodecError: a file is there already and `force` does not say that it may be; or it cannot be written.
    """
    path = disk_path(name)
    if path is None:
        with scratch() as folder:
            copy = folder / last_part(name)
            _check_free(name, force)
            with _system_faults(name, "written"), spelling(copy, os.fspath(name)):
                yield copy
            _send(name, copy, force)
        return
    with _faults(name, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        replacement = Replacement(path, force)
        try:
            yield replacement.temporary
            if mtime_ns is not None:
                set_times(replacement.temporary, mtime_ns, mtime_ns)
            replacement.commit(mode)
        finally:
            replacement.discard()


def put(name: Name, data: bytes | Path, *, force: bool = False, mtime_ns: int | None = None, mode: int | None = None) -> None:
    """Write a file, whole or not at all. data: its bytes, or a file on this machine that is copied. Else as `writing`."""
    if disk_path(name) is None:
        _check_free(name, force)
        _send(name, data, force)
        return
    with writing(name, force=force, mtime_ns=mtime_ns, mode=mode) as temporary:
        if isinstance(data, Path):
            shutil.copyfile(data, temporary)
        else:
            temporary.write_bytes(data)


def remove(name: Name) -> None:
    """Remove a file. Raises InrcodecError: it is not there, or cannot be removed."""
    path = disk_path(name)
    with _faults(name, "removed"):
        if path is not None:
            path.unlink()
        else:
            fs, inside = _system(name)
            fs.rm_file(inside)


def _check_free(name: Name, force: bool) -> None:
    """Raise InrcodecError if a folder of this name is there, or a file that is not to be replaced."""
    with _faults(name, "written"):
        fs, inside = _system(name)
        if fs.isdir(inside):
            raise IsADirectoryError
        if not force and fs.exists(inside):
            raise InrcodecError(f"{os.fspath(name)}: exists already; --force overwrites it")


def _send(name: Name, data: bytes | Path, force: bool) -> None:
    """Put a file at an address. Where a file is seen while it is being written, it is written under a temporary name and then moved."""
    with _faults(name, "written"):
        fs, inside = _system(name)
        at_once = not AT_ONCE.isdisjoint((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)
        folder, _, last = inside.rpartition("/")
        there = inside if at_once else f"{folder}/{TEMPORARY}{secrets.token_hex(8)}{PurePosixPath(last).suffix}"
        try:
            if folder and not at_once:
                fs.makedirs(folder, exist_ok=True)
            if isinstance(data, Path):
                fs.put_file(str(data), there)
            else:
                fs.pipe_file(there, data)
            if there != inside:
                _check_free(name, force)  # asked again: the work may have taken hours
                _move(fs, there, inside)
        except BaseException:
            if there != inside:
                with suppress(Exception):
                    fs.rm_file(there)
            raise


def _move(fs: Any, there: str, inside: str) -> None:
    """Give a file at an address another name. fsspec's own `mv`, where a file system has none, takes [ and * in folders for patterns."""
    from fsspec.spec import AbstractFileSystem

    innermost = fs
    while isinstance(getattr(innermost, "fs", None), AbstractFileSystem):  # dir:// and others go through to one
        innermost = innermost.fs
    if type(innermost).mv is not AbstractFileSystem.mv:
        fs.mv(there, inside)
        return
    fs.cp_file(there, inside)
    fs.rm_file(there)


def _system(name: Name) -> tuple[Any, str]:
    """(the file system of fsspec that an address names, the path in it). Raises MissingError, and what fsspec raises."""
    plain = os.fspath(name)
    scheme = plain.partition("://")[0]
    require(f"{plain}: an address", {"fsspec": "fsspec"})
    import fsspec

    try:
        fs, inside = fsspec.core.url_to_fs(plain)
    except ImportError as fault:
        package = getattr(fault.__cause__, "name", None) or fault.name
        if package is None:
            raise InrcodecError(f"{plain}: {fault}") from fault
        raise MissingError(f"{plain}: {scheme}://", [package]) from fault
    return fs, inside


def _named(pattern: Name, fs: Any, inside: str) -> str:
    """The address of a path that a pattern has found."""
    _, chain, rest = os.fspath(pattern).partition("::")
    return f"{fs.unstrip_protocol(inside)}{chain}{rest}"


def _mtime(info: dict[str, Any]) -> int | None:
    """When a file was changed, in nanoseconds since 1970, from what its file system says: each has its own word for that."""
    for word in ("mtime", "LastModified", "last_modified", "modified", "updated", "created"):
        when = info.get(word)
        if isinstance(when, str):
            try:
                when = datetime.fromisoformat(when)
            except ValueError:
                continue
        if isinstance(when, datetime):
            return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * SECOND)
        if isinstance(when, int | float) and math.isfinite(when):
            return round(when * SECOND)
    return None


@contextmanager
def _system_faults(name: Name, what: str) -> Iterator[None]:
    """Raise an OSError inside as an InrcodecError of one line. what: "read", "written" or "removed"."""
    try:
        yield
    except OSError as fault:
        words = next((words for kind, words in WORDS.items() if isinstance(fault, kind)), None)
        why = words if words and not fault.strerror else reason(fault)
        raise InrcodecError(f"{os.fspath(name)}: cannot be {what}: {' '.join(why.split())}") from fault


@contextmanager
def _faults(name: Name, what: str) -> Iterator[None]:
    """As `_system_faults`; at an address, all exceptions: the packages behind fsspec have their own, of no common class."""
    with _system_faults(name, what):
        try:
            yield
        except (InrcodecError, OSError, MemoryError):
            raise
        except Exception as fault:
            if disk_path(name) is not None:
                raise
            words = WORDS[NotImplementedError] if isinstance(fault, NotImplementedError) else " ".join(str(fault).split())
            raise InrcodecError(f"{os.fspath(name)}: cannot be {what}: {words or type(fault).__name__}") from fault
