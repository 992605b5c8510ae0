"""A file that is looked at: opened once, read part by part, and given up when it is changed or removed."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from .. import bundle
from ..codec import Opened
from ..container import FIRST, check_start
from ..errors import InrcodecError
from ..files import bounds
from ..limits import Limits
from ..storage import reason
from ..stream.sections import FileParts, open_parts
from .library import GONE, UNKNOWN, Library, NotHereError

MOST_OPEN = 16  # files; of each, all but the tiles is in memory
BUNDLE_START = 64  # bytes by which a bundle is told

Stamp = tuple[int, int, int]  # size, time of the last change in nanoseconds, and number of a file


class ChangedError(InrcodecError):
    """The file is another one than when it was opened."""


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file is still the same. Raises InrcodecError: it is gone, or cannot be looked at."""
    try:
        status = path.stat()
    except FileNotFoundError as fault:
        raise ChangedError(GONE) from fault
    except OSError as fault:
        raise InrcodecError(f"cannot be read: {reason(fault)}") from fault
    return status.st_size, status.st_mtime_ns, status.st_ino


class Rereading(io.RawIOBase):
    """A file that is opened anew for each reading. So it can be replaced and removed meanwhile, on Windows too.

    Reading raises ChangedError if that has happened.
    """

    def __init__(self, path: Path, stamp: Stamp) -> None:
        super().__init__()
        self.name, self._path, self._stamp, self._at = str(path), path, stamp, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._stamp[0]}[whence]
        return self._at

    def read(self, count: int = -1) -> bytes:
        try:
            with self._path.open("rb") as file:
                if stamp_of(self._path) != self._stamp:
                    raise ChangedError("was changed while it was shown")
                file.seek(self._at)
                found = file.read(count)
        except FileNotFoundError as fault:
            raise ChangedError(GONE) from fault
        except OSError as fault:
            raise InrcodecError(f"cannot be read: {reason(fault)}") from fault
        self._at += len(found)
        return found


@dataclass(frozen=True, eq=False)
class Held:
    """An opened file.

    Attributes:
        name, path, stamp: its name in the library, where it is, and which it is.
        opened: the signal in it; None: it is a bundle.
    """

    name: str
    path: Path
    stamp: Stamp
    opened: Opened | None

    @property
    def version(self) -> str:
        """The stamp as a text."""
        return "-".join(f"{n:x}" for n in self.stamp)

    @property
    def signal(self) -> Opened:
        """The signal in it. Raises InrcodecError: it is a bundle."""
        if self.opened is None:
            raise InrcodecError("it holds several tensors or arrays, not a signal")
        return self.opened

    @property
    def tiled(self) -> Opened:
        """The signal in it, of which there are samples. Raises InrcodecError."""
        self.signal.check_lossless()
        return self.signal

    @property
    def why_no_network(self) -> str:
        """Why the file has no network that can be asked alone, in a sentence; "" if it has one. Raises InrcodecError: it is a bundle."""
        opened = self.signal
        if opened.decoder.configurations:
            return ""
        if opened.header.value_map.bits == 0:
            return "All samples are the same, so the file needs no network."
        name = opened.profile.name
        if name == "hybrid":
            return "This file is of profile hybrid. Its networks learn from the bits that are decoded and say nothing without them."
        return f"This file is of profile {name}. It has no network."

    def data(self, limits: Limits) -> bytes:
        """All bytes of the file. Raises InrcodecError."""
        found = bounds.read_linr(self.path, limits)
        if stamp_of(self.path) != self.stamp:
            raise ChangedError("was changed while it was shown")
        return found

    def file(self) -> BinaryIO:
        """The file, to be read part by part. Reading raises ChangedError if it is another one by now."""
        return cast(BinaryIO, Rereading(self.path, self.stamp))


class Files:
    """The files of a library, of which some are held open. Methods may be called from any thread."""

    def __init__(self, library: Library, limits: Limits) -> None:
        self.library, self.limits = library, limits
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> Held:
        """An opened file, anew if it was changed. Raises NotHereError; InrcodecError."""
        path = self.library.path(name)
        with self._lock:
            found = self._held.get(name)
        try:
            stamp = stamp_of(path)
        except ChangedError as fault:
            raise fault if found is not None else NotHereError(UNKNOWN) from fault
        with self._lock:
            self._held.pop(name, None)
        if found is None or found.stamp != stamp:
            found = _opened(name, path, stamp, self.limits)
        with self._lock:
            self._held[name] = found
            while len(self._held) > MOST_OPEN:
                self._held.popitem(last=False)
        return found


def _opened(name: str, path: Path, stamp: Stamp, limits: Limits) -> Held:
    """Open a file. Raises InrcodecError."""
    file = cast(BinaryIO, Rereading(path, stamp))
    start = file.read(BUNDLE_START)
    file.seek(0)
    check_start(start[:FIRST])
    return Held(name, path, stamp, None if bundle.is_bundle(start) else open_parts(FileParts(file), limits))
