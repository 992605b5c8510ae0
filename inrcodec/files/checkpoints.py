"""Files of named tensors ↔ `Tensors`: which types there are, and which one a file is of. They stand beside the types of signals."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from ..errors import UnsupportedError, naming
from ..limits import Limits
from ..tensors import Tensors
from . import safetensors, torchfile
from .faults import faults

HEAD = 64  # bytes that are looked at
USUAL = Limits()


@dataclass(frozen=True)
class CheckpointType:
    """One type of files of tensors.

    Attributes:
        name: what people call it.
        extensions: lower-case, each with its dot, the usual one first.
        description: what of the type is supported, in a few words.
        magic: a regular expression that matches the first bytes of every such file and of no other type; None: the extension tells.
        read: (path, file, limits) → Tensors. What the file declares is checked against the limits before memory is taken.
        write: (path, tensors) → None.
    """

    name: str
    extensions: tuple[str, ...]
    description: str
    magic: bytes | None
    read: Callable[[Path, BufferedReader, Limits], Tensors]
    write: Callable[[Path, Tensors], None]


CHECKPOINTS = (
    CheckpointType(
        "safetensors",
        (".safetensors",),
        "all its types; comes back byte for byte",
        rb".{8}\{\s*\"",
        safetensors.read,
        safetensors.write,
    ),
    CheckpointType(
        "PyTorch",
        (".pt", ".pth"),
        "state dicts (needs torch); every tensor bit for bit; files with code are refused",
        None,
        torchfile.read,
        torchfile.write,
    ),
)


def type_of(path: Path) -> CheckpointType | None:
    """The type of a file of tensors, by its first bytes, else by its extension; None: it is none, or cannot be opened."""
    known = named(path)
    if known is not None or not path.is_file():  # a pipe can be read only once
        return known
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return None
    return next((kind for kind in CHECKPOINTS if kind.magic and re.match(kind.magic, head, re.DOTALL)), None)


def named(path: Path) -> CheckpointType | None:
    """The type that the extension of a file names; None: it names no type of files of tensors."""
    return next((kind for kind in CHECKPOINTS if path.suffix.lower() in kind.extensions), None)


def check_tensors(path: Path | str) -> None:
    """Check that the extension of `path`, of which nothing else is looked at, names a type of files of tensors. Raises UnsupportedError."""
    if named(Path(path)) is None:
        known = " ".join(extension for kind in CHECKPOINTS for extension in kind.extensions)
        raise UnsupportedError(
            f"{path}: tensors cannot be written as {Path(path).suffix or 'a file without an extension'}; {known} can hold them"
        )


def read_tensors(path: Path | str, limits: Limits = USUAL) -> Tensors:
    """Read a file of tensors.

    Raises:
        UnsupportedError: it is of no such type, or has code in it, or tensors of unknown types.
        LimitError: it asks for more than the limits allow.
        MissingError: torch is needed and not installed.
        InrcodecError: it is damaged or not what its name says.
        OSError: it cannot be opened or read.
    """
    path = Path(path)
    kind = type_of(path)
    with naming(path):
        if kind is None:
            known = " ".join(extension for kind in CHECKPOINTS for extension in kind.extensions)
            raise UnsupportedError(f"is no file of tensors; known are {known}")
        with path.open("rb") as file, faults(f"damaged or not a {kind.name} file"):
            return kind.read(path, file, limits)


def write_tensors(path: Path | str, tensors: Tensors) -> None:
    """Write tensors to `path` as the type that its extension names.

    Raises:
        UnsupportedError: there is no such type, or it cannot hold these tensors.
        MissingError: torch is needed and not installed.
        OSError: the file cannot be written.
    """
    path = Path(path)
    check_tensors(path)
    kind = named(path)
    assert kind is not None, "checked"
    with naming(path), faults(f"cannot be written as {path.suffix}"):
        kind.write(path, tensors)
