"""Files of other formats ↔ `Signal`.

A file type is a module of this folder with a tuple `TYPES` (see `registry`). A file that is read is recognized by its first
bytes, and by its extension only where these say nothing; a file that is written is of the type that its extension names.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import naming
from ..limits import NO_LIMITS, Limits
from ..signal import Signal
from . import registry
from .faults import faults
from .metadata import base
from .registry import FileType, types
from .tags import utf8

__all__ = ["FileType", "check", "lost", "read", "types", "write"]

# of metadata that belongs to one format, what a person would miss: texts, pictures and cue sheets, foreign chunks
KEPT = ("text/", "tag/", "flac/block", "riff/", "aiff/", "png/profile-name", "png/tEXt", "png/zTXt", "png/iTXt")
TEXTS = ("text/", "tag/")
USUAL = Limits()


def check(path: Path | str) -> None:
    """Check that the extension of `path`, of which nothing else is looked at, names a type that can be written.

    Raises:
        UnsupportedError: it does not; the message names what does.
    """
    path = Path(path)
    with naming(path):
        registry.writer(path)


def read(path: Path | str, limits: Limits = USUAL) -> Signal:
    """Read an image, a sound or an array.

    The first bytes tell the type. The extension is asked only if no type has such bytes.

    Args:
        path: the file.
        limits: how many samples and how much memory it may ask for; what it declares is checked before memory is taken.

    Returns:
        image: unsigned samples, uint8 up to 8 bits, else uint16, of shape (height, width) for grey, else (height, width,
        channels) in the order RGB, alpha last. audio: signed samples, the smallest of int8, int16 and int32 that holds
        them, of shape (frames, channels), and the rate in frames per second. array: the dtype and the shape of the file.

    Raises:
        UnsupportedError: the type is not known, or a sample type or layout cannot be kept without loss.
        LimitError: it asks for more than the limits allow.
        InrcodecError: the file is empty, damaged or not what its name says.
        OSError: it cannot be opened or read.
    """
    path = Path(path)
    with path.open("rb") as file, naming(path):
        kind = registry.recognized(path, file)
        with faults(f"damaged or not a {kind.name} file"):
            return kind.read(path, file, limits)


def lost(path: Path | str, signal: Signal) -> set[str]:
    """The metadata that a file does not hold of the signal that it was written from.

    Args:
        path: the file as it was written.
        signal: what was written.

    Returns:
        the keys that are missing, without those that only the coding of another format needs, and those of texts that are cut: most
        formats end a text at its first NUL.

    Raises:
        InrcodecError: the file cannot be read back.
        OSError: it cannot be opened.
    """
    wanted = {key: value for key, value in signal.metadata.items() if "/" not in key or base(key).startswith(KEPT)}
    found = read(path, NO_LIMITS).metadata if wanted else {}
    return {base(key) for key, value in wanted.items() if key not in found or (key.startswith(TEXTS) and _cut(value, found[key]))}


def _cut(text: bytes, found: bytes) -> bool:
    """Whether only the beginning of a text was found."""
    return len(found) < len(utf8(text)) and utf8(text).startswith(found)


def write(path: Path | str, signal: Signal) -> None:
    """Write `signal` to `path` as the type that its extension names. What is read back has the same samples.

    Raises:
        UnsupportedError: the type cannot be written, or cannot hold these samples (kind, channels, depth).
        OSError: the file cannot be written.
    """
    path = Path(path)
    with naming(path):
        write_as = registry.writer(path)
        with faults(f"cannot be written as {path.suffix}"):
            write_as(path, signal)
