"""Which files there are to be shown: one, or the .linr files in a folder. What leads out of the folder is not there."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from ..container import FIRST, check_start
from ..errors import FormatError, InrcodecError, naming
from ..storage import reason

SUFFIX = ".linr"
UNKNOWN = "there is no such file in what is shown"
GONE = "is not there any more"


class NotHereError(Exception):
    """A name that no file of the library has."""


class Library:
    """The file, or the .linr files in a folder and below it, that a viewer shows.

    Attributes:
        root: the file or the folder, resolved. single: whether it is a file.

        key: the name of a single file.

    Raises InrcodecError, naming the path: it is neither, is another kind of file, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.root = path.resolve(strict=True)
            self.single = self.root.is_file()
            if self.single:
                with self.root.open("rb") as file:
                    start = file.read(FIRST)
                with naming(path):
                    _check(start)
            elif not self.root.is_dir():
                raise InrcodecError(f"{path}: is neither a file nor a folder")
            else:
                os.scandir(self.root).close()
        except OSError as fault:
            raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault
        self.title = path.name or self.root.name or str(self.root)
        self.key = self.root.name.encode("utf-8", "backslashreplace").decode("utf-8")  # names need not be Unicode

    def names(self) -> list[str]:
        """The names of all files, with "/" as separator, sorted. Links to folders are not followed; what cannot be read is left out."""
        if self.single:
            return [self.key]
        found = []
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            inside = Path(folder).relative_to(self.root)
            names = [(inside / name).as_posix() for name in files if name.lower().endswith(SUFFIX)]
            found += [name for name in names if self._is_here(name)]
        return sorted(found)

    def path(self, name: str) -> Path:
        """Where the file of a name is; it may be gone. Raises NotHereError: the library has no such name."""
        if self.single:
            if name != self.key:
                raise NotHereError(UNKNOWN)
            return self.root
        if not _is_plain(name) or not name.lower().endswith(SUFFIX):
            raise NotHereError(UNKNOWN)
        path = self.root / name
        try:
            target = path.resolve()
            other = target.exists() and not target.is_file()
        except (OSError, RuntimeError, ValueError) as fault:  # a circle of links, NUL, a name that is too long
            raise NotHereError(UNKNOWN) from fault
        if other or not target.is_relative_to(self.root):
            raise NotHereError(UNKNOWN)
        return target

    def _is_here(self, name: str) -> bool:
        try:
            return self.path(name).is_file()
        except (NotHereError, OSError):
            return False


def _check(start: bytes) -> None:
    """Raise FormatError if a file that begins so is no .linr file."""
    try:
        check_start(start)
    except FormatError as fault:
        if not str(fault).startswith("not a .linr file: it begins"):
            raise
        raise FormatError(f"{fault}; inrcodec encode makes one of a picture, sound or array") from fault


def _is_plain(name: str) -> bool:
    """Whether a name is written as `names` writes it: parts with "/" between them, none of which leads up or to another drive."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts) or PurePosixPath(name).is_absolute():
        return False
    return os.name != "nt" or not ("\\" in name or ":" in name)
