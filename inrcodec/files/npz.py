"""NumPy's .npz ↔ named arrays: a ZIP archive of .npy files. Names, types, shapes and every bit come back, and each .npy file byte for byte.

All types are read but Python objects. Of the archive itself, times and comments are not kept; whether it is compressed is, as
`npz/deflated`. Archives stand beside the types of signals, as checkpoints do.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path

from ..arrays import Item
from ..errors import FormatError, InrcodecError, UnsupportedError, naming
from ..limits import Limits
from . import npy
from .faults import faults

EXTENSION = ".npz"
DEFLATED = "npz/deflated"
MEMBER = ".npy"
ENTRY = 2000  # bytes that an array takes while the archive is read
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the time of every member
USUAL = Limits()


def is_npz(path: Path) -> bool:
    """Whether the extension of a path is that of an archive of arrays."""
    return path.suffix.lower() == EXTENSION


def read_arrays(path: Path | str, limits: Limits = USUAL) -> tuple[dict[str, Item], dict[str, bytes]]:
    """The arrays of a .npz file by name, in their order, and what is kept beside them.

    Raises:
        UnsupportedError: an array of Python objects, or a member that is no .npy file; it is named.
        LimitError: it asks for more than the limits allow.
        InrcodecError: it is damaged or no .npz file.
        OSError: it cannot be opened or read.
    """
    path = Path(path)
    with path.open("rb") as file, naming(path), faults("damaged or not a .npz file"):
        return _read(file, limits)


def _read(file: BufferedReader, limits: Limits) -> tuple[dict[str, Item], dict[str, bytes]]:
    if not file.seekable():
        raise UnsupportedError("a .npz file cannot be read from a pipe")
    if not file.read(1):
        raise InrcodecError("empty file")
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as fault:
        raise FormatError(f"damaged or not a .npz file ({fault})") from None
    found: dict[str, Item] = {}
    held = samples = 0
    with archive:
        members = archive.infolist()
        for member in members:
            name = member.filename.removesuffix(MEMBER)
            if name == member.filename:
                raise UnsupportedError(f"it holds {name!r}, which is no array; only .npy files in it are supported")
            if name in found:
                raise FormatError(f"damaged: two arrays have the name {name!r}")
            limits.check_memory(held + 3 * member.file_size)
            try:
                array, kept = npy.unpack(archive.read(member))
                found[name] = Item.of(array, kept)
            except (FormatError, UnsupportedError) as fault:
                fault.args = (f"array {name!r}: {fault}",)
                raise
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as fault:
                raise FormatError(f"array {name!r}: damaged, or packed in an unknown way ({fault})") from None
            samples += array.size
            limits.check_shape((samples,))
            held += found[name].nbytes + ENTRY
    deflated = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    return found, {DEFLATED: b"1"} if deflated else {}


def write_arrays(path: Path | str, items: Mapping[str, Item], metadata: Mapping[str, bytes] | None = None) -> None:
    """Write arrays as a .npz file, compressed if they were. Raises UnsupportedError: a name that no member can have; OSError."""
    path = Path(path)
    packing = zipfile.ZIP_DEFLATED if (metadata or {}).get(DEFLATED) == b"1" else zipfile.ZIP_STORED
    with naming(path), faults("cannot be written as .npz"), zipfile.ZipFile(path, "w", packing) as archive:
        for name, item in items.items():
            if "\0" in name or len(name.encode()) > 60000:
                raise UnsupportedError(f"{name[:40]!r} cannot be the name of an array in a .npz file")
            member = zipfile.ZipInfo(name + MEMBER, FIRST_DAY)
            member.compress_type, member.external_attr = packing, 0o600 << 16
            if member.filename != name + MEMBER:
                raise UnsupportedError(f"{name!r} cannot be the name of an array in a .npz file")
            content = npy.pack(item.array(), item.signal.metadata if item.signal else {})
            with archive.open(member, "w", force_zip64=len(content) > 1 << 30) as file:
                file.write(content)
