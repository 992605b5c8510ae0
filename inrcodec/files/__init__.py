"""Files of other formats ↔ `Signal`, files of tensors ↔ `Tensors` (see `checkpoints`), and .npz ↔ named arrays (see `npz`).

A file type is a module of this folder with a tuple `TYPES` (see `registry`). A file that is read is recognized by its first
bytes, and by its extension only where these say nothing; a file that is written is of the type that its extension names.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import keeping_notices, naming
from ..limits import NO_LIMITS, Limits
from ..signal import Signal
from . import lossy, registry, series
from .checkpoints import CHECKPOINTS, check_tensors, read_tensors, write_tensors
from .faults import faults
from .npz import read_arrays, write_arrays
from .registry import FileType, types

__all__ = [
    "CHECKPOINTS", "FileType", "check", "check_tensors", "lossy", "lost", "read", "read_arrays", "read_tensors", "types", "write",
    "write_arrays", "write_tensors",
]  # fmt: skip

USUAL = Limits()


def check(path: Path | str) -> None:
    """Check that the extension of `path`, of which nothing else is looked at, names a type that can be written.

    Raises:
        UnsupportedError: it does not; the message names what does.
    """
    path = Path(path)
    with naming(path):
        registry.writer(path)


def read(path: Path | str, limits: Limits = USUAL, pixels: bool = False) -> Signal:
    """Read an image, a sound or an array; of a folder, the DICOM files of one series as a volume.

    The first bytes tell the type. The extension is asked only if no type has such bytes.

    Args:
        path: the file, or the folder.
        limits: how many samples and how much memory it may ask for; what it declares is checked before memory is taken.
        pixels: whether to read the pixels of lossy pictures too, which are refused otherwise: JPEG, AVIF, lossy WebP, and GIF of one frame.
            See `lossy`.

    Returns:
        image: unsigned samples, uint8 up to 8 bits, else uint16, of shape (height, width) for grey, else (height, width,
        channels) in the order RGB, alpha last; of some formats other types and more channels. stack: several such images of one shape,
        (pages, …). audio: signed samples, the smallest of int8, int16 and int32 that holds
        them, or float32 or float64, of shape (frames, channels), and the rate in frames per second. array: the dtype and
        the shape of the file.

    Raises:
        UnsupportedError: the type is not known, or a sample type or layout cannot be kept without loss.
        LimitError: it asks for more than the limits allow.
        InrcodecError: the file is empty, damaged or not what its name says.
        OSError: it cannot be opened or read.
    """
    path = Path(path)
    if path.is_dir():
        return series.read(path, limits)
    with path.open("rb") as file, naming(path):
        kind = (lossy.recognized(file) if pixels else None) or registry.recognized(path, file)
        with faults(f"damaged or not a {kind.name} file"):
            return kind.read(path, file, limits)


def lost(path: Path | str, signal: Signal) -> set[str]:
    """The metadata that a file does not hold of the signal that it was written from.

    Args:
        path: the file as it was written.
        signal: what was written.

    Returns:
        all keys that are missing in the file, or have another value there: texts that are cut or changed, since most formats end one
        at its first NUL, and values that are rounded or put in another way. Keys that would be overlooked in a list are in quotes.
        Also that samples are bfloat16, which no file says.

    Raises:
        InrcodecError: the file cannot be read back.
        OSError: it cannot be opened.
    """
    wanted = signal.metadata
    with keeping_notices():  # they were told when the file was encoded
        found = read(path, NO_LIMITS).metadata if wanted else {}
    kind = {"that its samples are bfloat16"} if signal.bfloat16 else set()
    return {_listed(key) for key, value in wanted.items() if found.get(key) != value} | kind


def _listed(key: str) -> str:
    """A key as it can stand in a list: in quotes if it is empty, has spaces around it, or has a comma in it."""
    return key if key and key == key.strip() and "," not in key else repr(key)


def write(path: Path | str, signal: Signal) -> None:
    """Write `signal` to `path` as the type that its extension names. What is read back has the same samples.

    A volume that was read from a folder is written to one if `path` is an empty folder.

    Raises:
        UnsupportedError: the type cannot be written, or cannot hold these samples (kind, channels, depth).
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        with naming(path):
            series.write(path, signal)
        return
    with naming(path):
        write_as = registry.writer(path)
        with faults(f"cannot be written as {path.suffix}"):
            write_as(path, signal)
