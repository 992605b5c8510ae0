"""The registry of file types: what a module of this folder says of the types it reads and writes, and how a type is found.

A module registers its types by a tuple `TYPES` of `FileType`. The modules of the folder are found by their presence, so
adding a file type is adding one module. They must be quick to import: a library that is slow to load (Pillow, tifffile,
imagecodecs, soundfile, cv2) is imported by the functions that use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from pkgutil import iter_modules

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import KINDS, Kind, Signal
from .refused import named_refusal, refusal
from .tags import id3_size

HEAD = 160  # bytes that are looked at to recognize a type; DICOM has its name at 128
MESHES = (".obj", ".off", ".ply", ".stl")  # extensions of what `mesh` reads and writes, which is no signal
ALTERNATIVE: dict[Kind, str] = {"image": ".png", "audio": ".wav", "array": ".npy"}  # the extension to name where another cannot be written


@dataclass(frozen=True)
class FileType:
    """One type of file.

    Attributes:
        name: what people call it, for messages and lists, such as "PNG".
        holds: the kind of the signals that are read from it: "image", "audio" or "array".
        extensions: lower-case, each with its dot, the usual one first.
        description: what of the type is supported, in a few words.
        magic: a regular expression that matches the first bytes of every such file and of no other type; `.` is any byte. None: the type
            is known by its extension alone.
        read: (path, file, limits) → Signal. `file` is open at its first byte; `path` is there for libraries that want a name. What the
            file declares is checked against the limits before memory is taken (see `bounds`).
        write: (path, signal) → None, or None where the type cannot be written without loss.
        keys: what the keys of metadata that only this type knows begin with, if a file that came from it always has such; "" else.

    `read` and `write` raise InrcodecError or UnsupportedError without the file's name, which is put before the message by
    `inrcodec.files`; other exceptions are taken for faults of the file.
    """

    name: str
    holds: Kind
    extensions: tuple[str, ...]
    description: str
    magic: bytes | None
    read: Callable[[Path, BufferedReader, Limits], Signal]
    write: Callable[[Path, Signal], None] | None
    keys: str = ""

    def recognizes(self, head: bytes) -> bool:
        """Whether these are the first bytes of a file of this type."""
        return self.magic is not None and re.match(self.magic, head, re.DOTALL) is not None


@cache
def types() -> tuple[FileType, ...]:
    """All file types that the modules of the folder register, sorted by kind (image, audio, array), then by name."""
    package = __name__.rpartition(".")[0]
    found: list[FileType] = []
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        found += getattr(import_module(module.name), "TYPES", ())
    return tuple(sorted(found, key=lambda kind: (KINDS.index(kind.holds), kind.name.casefold())))


def writer(path: Path) -> Callable[[Path, Signal], None]:
    """What writes files with the extension of `path`; the file need not exist.

    Raises:
        UnsupportedError: no type has that extension, or its type cannot be written.
    """
    found = _named(path, [kind for kind in types() if kind.write])
    if found.write is None:
        raise UnsupportedError(f"{found.name} can be read but not written; {ALTERNATIVE[found.holds]} can")
    return found.write


def recognized(path: Path, file: BufferedReader) -> FileType:
    """The type of an open file: the one that its first bytes show, else the one that its extension names.

    Args:
        path: the file's name.
        file: the file, open at its first byte, where it stays.

    Raises:
        InrcodecError: the file is empty.
        UnsupportedError: the type is not supported, or is not known by bytes or by name.
    """
    head = head_of(file)
    if not head:
        raise InrcodecError("empty file")
    if reason := refusal(head):
        raise UnsupportedError(reason)
    found = next((kind for kind in types() if kind.recognizes(head)), None)
    return found or _named(path, types(), "its first bytes are of no known type, and ")


def shown(path: Path) -> FileType | None:
    """The type that the first bytes of a file show; None: they show none of those that can be written or read. Raises OSError."""
    with path.open("rb") as file:
        head = head_of(file)
    return next((kind for kind in types() if kind.recognizes(head)), None)


def is_refused(path: Path) -> bool:
    """Whether the first bytes of a file show a type that is refused. Raises OSError."""
    with path.open("rb") as file:
        return refusal(head_of(file)) is not None


def is_named(path: Path) -> bool:
    """Whether the extension of a path names a type, or what is refused by it."""
    name, extension = path.name.lower(), path.suffix.lower()
    return bool(extension in MESHES or named_refusal(extension) or any(name.endswith(e) for kind in types() for e in kind.extensions))


def origin(metadata: Iterable[str]) -> str | None:
    """The name of the type that a signal with these keys of metadata was read from; None if they do not tell."""
    keys = tuple(metadata)
    return next((kind.name for kind in types() if kind.keys and any(key.startswith(kind.keys) for key in keys)), None)


def stem(path: Path) -> Path:
    """A path without the extension that names its type, which may be a double one as .nii.gz; else without its last one."""
    found = next((e for kind in types() for e in kind.extensions if e.count(".") > 1 and path.name.lower().endswith(e)), path.suffix)
    return path.with_name(path.name[: len(path.name) - len(found)] or path.name)


def _named(path: Path, listed: Iterable[FileType], unknown: str = "") -> FileType:
    """The type that the extension of `path` names; the fault begins with `unknown` and lists the extensions of `listed`."""
    extension, name = path.suffix.lower(), path.name.lower()
    if extension in MESHES:
        raise UnsupportedError(f"{extension} is a mesh: encode --voxels reads it as voxels, decode and render write it")
    if reason := named_refusal(extension):
        raise UnsupportedError(f"{unknown}{reason}")
    found = next((kind for kind in types() if any(name.endswith(e) for e in kind.extensions)), None)
    if found is None:
        known = " ".join(sorted(e for kind in listed for e in kind.extensions))
        named = path.suffix or "without an extension"
        raise UnsupportedError(f"{unknown}files named {named} are not supported; known are {known}")
    return found


def head_of(file: BufferedReader) -> bytes:
    """The first bytes of a file, those after ID3v2 tags if it begins with such, as recordings of any type may.

    They are peeked at, so that a pipe can be read too.
    """
    head = file.peek(HEAD)[:HEAD]
    if not (id3_size(head) and file.seekable()):
        return head
    at = 0
    while size := id3_size(head):
        at = file.seek(at + size)
        head = file.read(HEAD)
    file.seek(0)
    return head or b"ID3"  # nothing but tags: no type begins like that, so the extension is asked
