"""Reading and replacing whole files safely: output appears complete or not at all, and what a killed run has left is swept up."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .errors import InrcodecError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".inrcodec-"
OURS = re.compile(re.escape(TEMPORARY) + r"([0-9a-f]{8})-[0-9a-f]{16}(\.[^.]*)?(\.gz)?")  # the first digits: see `host`
FOLDER = ".folder"  # what the name of a temporary folder ends with
AGAIN = 600.0  # seconds after which a folder is swept again by a process that writes many files to it
OLD = 24 * 3600.0  # seconds; where locks say nothing, a temporary file of this age belongs to no run any more
CHANGED = "was changed while it was read; nothing was written"  # what is said of a source
SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))  # at the end of the name of a folder
CANNOT = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # what fsync says on a file system that has no such thing

_unfinished: set[Path] = set()
_swept: dict[Path, float] = {}  # when this process swept a folder, which takes long where there are many files


def host() -> str:
    """8 digits of a hash of this machine's name. They are part of a temporary file's name, since its lock may hold on this machine only."""
    return hashlib.sha256(platform.node().encode("utf-8", "surrogateescape")).hexdigest()[:8]


def reason(fault: OSError) -> str:
    """Why the operating system said no, in a few words."""
    return (fault.strerror or str(fault) or type(fault).__name__).lower()


def check_output(path: Path, force: bool, source: Path | None = None) -> None:
    """Check that a file can be put in place; to be called before long work.

    path: the output; force: whether it may be there already; source: the input, which is never overwritten, whatever its other names.

    Raises:
        InrcodecError: `path` is the source, is there already (unless `force`), is no regular file, or cannot be created.
    """
    try:
        if path.is_dir():
            raise InrcodecError(f"{path}: is a directory")
        if source is not None and same_file(path, source):
            raise InrcodecError(f"{path}: is the input itself; give the output another name")
        path.lstat()
        if path.exists() and not path.is_file():
            raise InrcodecError(f"{path}: is not a regular file")
        if not force:
            raise InrcodecError(f"{path}: exists already; --force overwrites it")
    except FileNotFoundError:
        pass
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault
    if not path.parent.is_dir():
        raise InrcodecError(f"{path}: there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InrcodecError(f"{path}: directory {path.parent} is not writable")


def same_file(path: Path, other: Path) -> bool:
    """Whether both names lead to one file: by links, or by another spelling."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def replace(path: Path, write: Callable[[Path], None], force: bool, source: Path | None = None, like: Path | None = None) -> None:
    """Let `write` fill a temporary file, which then gets the name `path`: see `Replacement`.

    like: a file whose times the new one gets, and its permissions, if it replaces none.

    Raises:
        InrcodecError: the file cannot be written, or see `check_output`, which is asked again.
    """
    replacement = Replacement(path, force, source)
    try:
        write(replacement.temporary)
        replacement.commit(None if like is None else copy_times(like, replacement.temporary))
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault
    finally:
        replacement.discard()


def replace_bytes(path: Path, data: bytes, force: bool, source: Path | None = None, like: Path | None = None) -> None:
    """As `replace`, with a file of these bytes."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    replace(path, write, force, source, like)


class Replacement:
    """A temporary file in the directory of `path`, to be filled, which `commit` moves to `path` in one step. `discard` must be called last.

    The temporary file has the extension of `path`, since that names the format. A file that is
    overwritten keeps its permissions. If `path` is a symbolic link, the link stays and the file it leads to is replaced. Temporary files
    that killed runs have left in the directory are removed.

    Attributes:
        temporary: the temporary file, empty at first.

    Raises:
        InrcodecError: the file cannot be written, or see `check_output`.
    """

    def __init__(self, path: Path, force: bool, source: Path | None = None) -> None:
        check_output(path, force, source)
        self.path, self.force = path, force
        self.target = Path(os.path.realpath(path)) if path.is_symlink() else path
        sweep(self.target.parent, again=False)
        self._open = ExitStack()
        extension = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
        try:
            self.temporary = self._open.enter_context(_temporary(self.target.parent, extension))
        except OSError as fault:
            raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault

    def commit(self, mode: int | None = None) -> None:
        """Give the file its name. mode: permissions of a new file; None: those that the process gives new files.

        Raises OSError; InrcodecError if the name is taken by now.
        """
        _to_disk(self.temporary)
        with suppress(OSError):  # where permissions cannot be set, the file stays its owner's
            self.temporary.chmod(_mode(self.target, mode))
        if self.force:
            os.replace(self.temporary, self.target)
        else:
            _move_to_new(self.temporary, self.target, self.path)
        self.discard()
        with suppress(OSError):  # the file is there; some systems cannot do more
            _to_disk(self.target.parent)

    def discard(self) -> None:
        """Remove the temporary file if it is still there."""
        self._open.close()


def check_new_folder(path: Path) -> None:
    """Check that a folder can be put in place. Raises InrcodecError: something but an empty folder is there, or it cannot be made."""
    try:
        if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
            raise InrcodecError(f"{path}: exists already; name a new or an empty folder")
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault
    if not path.absolute().parent.is_dir():
        raise InrcodecError(f"{path}: there is no directory {path.parent}")


def new_folder(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary folder beside `path`, then move it to `path` in one step. It is removed if anything fails.

    Raises InrcodecError: the folder cannot be written, or see `check_new_folder`, which is asked again.
    """
    check_new_folder(path)
    parent = path.absolute().parent
    sweep(parent, again=False)
    try:
        with _temporary_folder(parent) as temporary:
            write(temporary)
            for inside in temporary.iterdir():
                _to_disk(inside)
            with suppress(OSError):
                temporary.chmod(_mode(path) if path.exists() else 0o777 & ~_masked())
            os.replace(temporary, path)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """A new empty folder for the `with` block, for its owner alone, in `parent`, by default in that of the system's temporary files.

    It is removed also if a signal ends the run, and what killed runs have left in `parent` is removed before. Raises InrcodecError.
    """
    with ExitStack() as opened:
        try:
            parent = parent or Path(tempfile.gettempdir())
            sweep(parent, again=False)
            folder = opened.enter_context(_temporary_folder(parent))
        except OSError as fault:
            raise InrcodecError(f"{parent or 'temporary files'}: cannot be written: {reason(fault)}") from fault
        yield folder


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """A new empty folder for the `with` block, for its owner alone. It is locked, so that no other run sweeps it."""
    while True:
        path = parent / f"{TEMPORARY}{host()}-{secrets.token_hex(8)}{FOLDER}"
        _unfinished.add(path)
        try:
            path.mkdir(0o700)
            handle = None if fcntl is None else os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # another run swept it before it was opened
            _unfinished.discard(path)
            continue
        except BaseException:
            _unfinished.discard(path)
            raise
        if handle is None or (_lock(handle) is not False and path.exists()):
            break
        os.close(handle)
        _unfinished.discard(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _unfinished.discard(path)
        if handle is not None:
            os.close(handle)


def _move_to_new(temporary: Path, target: Path, path: Path) -> None:
    """Move a file to a name that is not taken. path: the name for messages. Raises InrcodecError if it is taken by now."""
    try:  # os.link fails if the name is taken, os.replace does not; but not every file system has links
        os.link(temporary, target)
    except FileExistsError:
        raise InrcodecError(f"{path}: exists already; --force overwrites it") from None
    except OSError:
        check_output(path, force=False)
        os.replace(temporary, target)


def _mode(target: Path, wanted: int | None = None) -> int:
    """The permissions that a file is to have: those of the file that it replaces, else `wanted`, else what the process gives new files."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        return 0o666 & ~_masked() if wanted is None else wanted & 0o777


def set_times(path: Path, accessed: int, changed: int) -> None:
    """Give a file its times, in nanoseconds since 1970. Where they cannot be set, they stay as they are: the file is whole all the same."""
    with suppress(OSError, OverflowError):
        os.utime(path, ns=(accessed, changed))


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a regular file is changed. None of all else: the time of a pipe changes while it is read."""
    with suppress(OSError):
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def copy_times(source: Path, target: Path) -> int | None:
    """Give a file the times of another one; the permissions of that, None if they cannot be told or if it is a folder.

    If the times cannot be told or set, they stay as they are.
    """
    with suppress(OSError):
        found = source.stat()
        set_times(target, found.st_atime_ns, found.st_mtime_ns)
        return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None
    return None


def _masked() -> int:
    """The permissions that the process takes from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk. Else a power cut could leave an empty file under the final name."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno not in CANNOT:
            raise
    finally:
        os.close(handle)


@contextmanager
def _temporary(folder: Path, suffix: str) -> Iterator[Path]:
    """A new empty file for the `with` block, readable by its owner alone. It is locked, so that no other run sweeps it."""
    path, handle = _create(folder, suffix)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        _unfinished.discard(path)
        if handle is not None:
            os.close(handle)


def _create(folder: Path, suffix: str) -> tuple[Path, int | None]:
    """The file of `_temporary`, and the handle that holds its lock; None where an open file cannot be moved, which is on Windows."""
    while True:
        path = folder / f"{TEMPORARY}{host()}-{secrets.token_hex(8)}{suffix}"
        _unfinished.add(path)  # before it is there, so that a signal at any moment finds it
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except BaseException:
            _unfinished.discard(path)
            raise
        if fcntl is None:
            os.close(handle)
            return path, None
        if _lock(handle) is not False and path.exists():
            return path, handle
        os.close(handle)  # another run swept it before it was locked
        _unfinished.discard(path)


def _lock(handle: int) -> bool | None:
    """Lock an open file, until it is closed or the process ends. False: another process has locked it; None: it cannot be locked."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def abandon() -> None:
    """Remove the temporary files of this process, which is about to end at once. May be called by a signal handler."""
    for path in tuple(_unfinished):
        with suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def sweep(folder: Path, again: bool = True) -> None:
    """Remove temporary files that this user's runs have left in a folder because they were killed.

    again: whether also if this process has done so within AGAIN.

    Those of runs that go on are locked. But on some network file systems another machine does not see the lock. So a file that was made
    under another machine's name, or that cannot be locked here, is removed only when it has not changed for a day.
    """
    with suppress(OSError):
        key, now = folder.absolute(), time.monotonic()
        if not again and now - _swept.get(key, -math.inf) < AGAIN:
            return
        _swept[key] = now
    with suppress(OSError), os.scandir(folder) as entries:
        left = [(Path(entry.path), match[1] == host()) for entry in entries if (match := OURS.fullmatch(entry.name))]
        for path, here in left:
            with suppress(OSError):
                _sweep_file(path, here)


def _sweep_file(path: Path, here: bool) -> None:
    """Remove a temporary file unless a run may still write it. here: whether this machine made it. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(handle)
        folder = stat.S_ISDIR(found.st_mode) and path.suffix == FOLDER
        if not (folder or stat.S_ISREG(found.st_mode)) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
            return
        lock, old = _lock(handle), time.time() - found.st_mtime > OLD
        if lock and (here or old):
            if folder:
                shutil.rmtree(path)
            else:
                path.unlink()
    finally:
        os.close(handle)
    if lock is None and old and not folder:
        path.unlink()
