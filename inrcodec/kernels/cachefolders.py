"""Where compiled kernels are kept on disk: which folders, in which order, and whether what lies there may be trusted.

Cache files are pickles of machine code: who can write them can run code. So a file is only read if it and its folder belong to this user,
to root, or to the owner of the sources; if it is a regular file, no link, that only its owner can write to; and if only its owner can write
to the folder, or with the owner a group of the owner's own (its name, its first group, no other members: what goes with umask 002). A
temporary folder must be this user's, no link, and closed to all others.

Not looked at: access lists beside the permission bits, and the folders above. Who can write to those beside the sources can change the
sources themselves; of NUMBA_CACHE_DIR and of the home, the user has the say. Windows has lists of rights instead: nothing is checked there.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

try:
    import grp
    import pwd
except ImportError:  # Windows
    grp = pwd = None  # type: ignore[assignment]

from numba import config
from numba.misc.appdirs import AppDirs

_appdirs: Any = AppDirs  # not typed
HAVE_OWNERS = hasattr(os, "geteuid")  # Windows has lists of rights instead, and temporary folders of each user
ONLY_FILES = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # no link is followed, no pipe waited for


@dataclass(frozen=True)
class Folder:
    """A folder for compiled kernels.

    owners: whose files are trusted, beside this user's own; temporary: whether it lies in a place that everybody can write to.
    """

    path: str
    owners: frozenset[int] = frozenset()
    temporary: bool = False

    def fault(self) -> str | None:
        """Why the folder, which exists, is not to be trusted; None: it is. Raises OSError."""
        status = os.lstat(self.path) if self.temporary else os.stat(self.path)
        if not HAVE_OWNERS:
            return None
        if not self._is_owner(status):
            return "belongs to another user"
        if self.temporary:
            others = bool(status.st_mode & 0o077)
        else:
            others = bool(status.st_mode & stat.S_IWOTH) or (bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status))
        return "is open to other users" if others else None

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if it is not there, cannot be read, or is not to be trusted."""
        try:
            if self.fault():
                return None
            with open(os.path.join(self.path, name), "rb", opener=lambda path, flags: os.open(path, flags | ONLY_FILES)) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return None
                if HAVE_OWNERS and not (self._is_owner(status) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
                    return None
                return file.read()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file in one step; the folder is made if need be. Raises OSError, also if the folder is not to be trusted."""
        os.makedirs(self.path, mode=0o700 if self.temporary else 0o755, exist_ok=True)
        if fault := self.fault():
            raise OSError(None, fault, self.path)
        path = os.path.join(self.path, name)
        temporary = f"{path}.tmp.{uuid.uuid4().hex[:16]}"
        try:
            with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o644)) as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def touch(self, name: str, age: float) -> None:
        """Say that a file is in use: set its time to now if that is possible and it is older than `age` seconds."""
        path = os.path.join(self.path, name)
        with suppress(OSError):
            if os.stat(path).st_mtime < time.time() - age:
                os.utime(path)

    def remove(self, name: str) -> None:
        """Remove a file if possible."""
        with suppress(OSError):
            os.unlink(os.path.join(self.path, name))

    def _is_owner(self, status: os.stat_result) -> bool:
        return status.st_uid == os.geteuid() or status.st_uid in self.owners


def _is_own_group(status: os.stat_result) -> bool:
    """Whether the group of a folder is its owner's own: of the owner's name, the owner's first group, and without other members."""
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == status.st_gid and owner.pw_name == group.gr_name and set(group.gr_mem) <= {owner.pw_name}


def folders(source: str) -> Iterator[Folder]:
    """The folders for the kernels of a source file, in the order in which they are tried. The last may be a temporary one.

    They are Numba's own: NUMBA_CACHE_DIR if it is set, else __pycache__ beside the source, then the user's cache folder.
    """
    home = os.path.dirname(os.path.abspath(source))
    number = hashlib.sha1(home.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    name = f"{os.path.basename(home)}_{number}"
    owners = frozenset({0})
    with suppress(OSError):
        owners |= {os.stat(home).st_uid}
    if chosen := getattr(config, "CACHE_DIR", ""):
        yield Folder(os.path.join(chosen, name), owners)
    else:
        if os.path.isdir(home) and not getattr(sys, "frozen", False):
            yield Folder(os.path.join(home, "__pycache__"), owners)
        if os.environ.get("XDG_CACHE_HOME") or os.path.isdir(os.path.expanduser("~")):  # a home is not made up
            yield Folder(os.path.join(_appdirs(appname="numba", appauthor=False).user_cache_dir, name), owners)
    user = f"{os.geteuid()}-" if HAVE_OWNERS else ""
    try:
        place = tempfile.gettempdir()
    except OSError:  # there is none at all
        return
    yield Folder(os.path.join(place, f"inrcodec-kernels-{user}{number[:16]}"), temporary=True)
