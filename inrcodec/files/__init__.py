"""Files of other formats ↔ `Signal`. Each format is one module with `read(path)` and `write(path, signal)`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from ..errors import UnsupportedError
from ..signal import Signal
from .metadata import base

# extension → module; modules are imported when first needed, because their libraries are slow to import
FORMATS = {
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".pbm": "netpbm",
    ".pgm": "netpbm",
    ".ppm": "netpbm",
    ".pnm": "netpbm",
    ".pam": "netpbm",
    ".bmp": "bmp",
    ".webp": "webp",
    ".wav": "wav",
    ".rf64": "wav",
    ".flac": "flac",
    ".aif": "aiff",
    ".aiff": "aiff",
    ".aifc": "aiff",
    ".au": "libsndfile",
    ".snd": "libsndfile",
    ".caf": "libsndfile",
    ".w64": "libsndfile",
    ".npy": "npy",
}


# of metadata that belongs to one format, what a person would miss: texts, pictures and cue sheets, foreign chunks
KEPT = ("text/", "tag/", "flac/block", "riff/", "aiff/")


def _module(path: Path) -> ModuleType:
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        known = " ".join(sorted(FORMATS))
        raise UnsupportedError(f"{path}: files named {path.suffix or 'without an extension'} are not supported; known are {known}")
    return import_module(f".{name}", __name__)


def check(path: Path) -> None:
    """Raise UnsupportedError unless the extension of `path` names a format that can be read and written."""
    _module(path)


def read(path: Path) -> Signal:
    """Read an image, a sound or an array; the extension names the format.

    Raises:
        UnsupportedError: a format, sample type or layout that cannot be kept without loss.
        InrcodecError: the file is damaged or is not what its name says.
        OSError: it cannot be opened.
    """
    signal: Signal = _module(path).read(path)
    return signal


def lost(path: Path, signal: Signal) -> set[str]:
    """What of `signal`'s metadata a file written from it does not hold, by key; what only another format's coding needs is not counted."""
    found = {key for key in signal.metadata if "/" not in key or base(key).startswith(KEPT)}
    return {base(key) for key in found - read(path).metadata.keys()} if found else set()


def write(path: Path, signal: Signal) -> None:
    """Write `signal` to `path` in the format that its extension names.

    Raises:
        UnsupportedError: the format cannot hold these samples (kind, channels, depth).
        OSError: it cannot be written.
    """
    _module(path).write(path, signal)
