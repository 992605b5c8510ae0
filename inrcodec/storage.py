"""Reading and replacing whole files safely: output appears complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import InrcodecError


def reason(fault: OSError) -> str:
    """Why the operating system said no, in a few words."""
    return (fault.strerror or str(fault) or type(fault).__name__).lower()


def read_bytes(path: Path) -> bytes:
    """All bytes of a file. Raises InrcodecError naming the file and the fault."""
    try:
        return path.read_bytes()
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def check_output(path: Path, force: bool) -> None:
    """Raise InrcodecError if `path` exists (unless `force`) or cannot be created. To be called before long work."""
    if path.is_dir():
        raise InrcodecError(f"{path}: is a directory")
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault
    else:
        if not force:
            raise InrcodecError(f"{path}: exists already; --force overwrites it")
        if path.exists() and not path.is_file():
            raise InrcodecError(f"{path}: is not a regular file")
    if not path.parent.is_dir():
        raise InrcodecError(f"{path}: there is no directory {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InrcodecError(f"{path}: directory {path.parent} is not writable")


def replace(path: Path, write: Callable[[Path], None], force: bool) -> None:
    """Let `write` fill a temporary file in the directory of `path`, then move that file to `path` in one step.

    The temporary file has the extension of `path`, since that names the format. It is removed if anything fails. A file that is
    overwritten keeps its permissions. If `path` is a symbolic link, the link stays and the file it leads to is replaced.

    Raises:
        InrcodecError: the file cannot be written, or `path` exists by now (unless `force`).
    """
    check_output(path, force)
    temporary = None
    try:
        target = path.resolve() if path.is_symlink() else path
        handle, name = tempfile.mkstemp(prefix=".inrcodec-", suffix=path.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        if target.exists():
            shutil.copymode(target, temporary)
        else:  # mkstemp gives permissions to the owner only
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
        write(temporary)
        if force:
            os.replace(temporary, target)
        else:  # os.link fails if the name is taken, os.replace does not; but not every file system has links
            try:
                os.link(temporary, target)
            except FileExistsError:
                raise InrcodecError(f"{path}: exists already; --force overwrites it") from None
            except OSError:
                check_output(path, force)
                os.replace(temporary, target)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be written: {reason(fault)}") from fault
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
