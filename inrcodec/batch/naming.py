"""Names of outputs: of .linr files, and of what they decode to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..errors import UnsupportedError

SUFFIX = ".linr"
PNG_DEPTHS = {1: (1, 2, 4, 8, 16), 2: (8, 16), 3: (8, 16), 4: (8, 16)}  # bits that PNG has of its own, by the number of channels
FLAC_DEPTHS = (8, 16, 24)  # bits that a FLAC file is written with


def default_output(path: Path, about: Callable[[], Mapping[str, Any]]) -> Path:
    """Where a .linr file is decoded to if nothing else is said: beside it.

    The name is that of the file without .linr, if that leaves the extension of a type that can be written: photo.png.linr gives photo.png.
    Else the extension of the type that it came from is added, if the metadata tell which that is, else that of a type that holds exactly
    what is in the file. A folder that was encoded has no extension.

    path: the .linr file; about: gives what `info` says of it, and is called if the name says too little.
    Raises what `about` raises.
    """
    plain = without_suffix(path)
    if plain != path and is_output(plain):
        return plain
    return plain.with_name(plain.name + extension_of(about()))


def without_suffix(path: Path) -> Path:
    """A path without .linr at its end, in upper or lower case."""
    named = path.name.lower().endswith(SUFFIX) and len(path.name) > len(SUFFIX)
    return path.with_name(path.name[: -len(SUFFIX)]) if named else path


def is_output(path: Path) -> bool:
    """Whether the extension of a path names a type that can be written."""
    from ..files import checkpoints, npz, registry

    if checkpoints.named(path) is not None or npz.is_npz(path):
        return True
    try:
        registry.writer(path)
    except UnsupportedError:
        return False
    return True


def extension_of(about: Mapping[str, Any]) -> str:
    """The extension, with its dot, of a type that holds exactly what is in a .linr file; "" for a folder. about: see `inrcodec.info`."""
    from ..files import registry, series, torchfile

    keys = about["metadata"]
    if "tensors" in about:
        return ".pt" if any(key.startswith(torchfile.TREE) for key in keys) else ".safetensors"
    if "arrays" in about:
        return ".npz"
    if series.names(keys):
        return ""
    origin = next((kind for kind in registry.types() if kind.name == registry.origin(keys)), None)
    if origin is not None and origin.write is not None:
        return origin.extensions[0]
    return _usual(about["kind"], about["shape"], about["dtype"], about["bit_depth"], keys)


def _usual(kind: str, shape: list[int], dtype: str, depth: int, keys: Collection[str]) -> str:
    """The extension of a type that any program reads and that holds such a signal; .npy holds all."""
    if dtype.startswith(">") or dtype == "bfloat16":
        return ".npy"
    if kind == "audio":
        if any(key.startswith("flac/") for key in keys) and depth in FLAC_DEPTHS and dtype.startswith("int"):
            return ".flac"
        return ".npy" if dtype == "float16" or (depth > 32 and dtype.startswith("int")) else ".aiff" if "aiff/head" in keys else ".wav"
    if kind in ("image", "stack"):
        axis = len(shape) == (3 if kind == "image" else 4)
        channels = shape[-1] if axis else 1
        plain = dtype == f"uint{8 if depth <= 8 else 16}"
        if kind == "image" and plain and depth in PNG_DEPTHS.get(channels, ()) and not (axis and channels == 1):
            return ".png"
        whole = dtype.endswith(str(depth)) or dtype.startswith(("float", "complex"))  # a sample has all bits of its type
        if ((plain and depth <= 16) or whole) and not (axis and channels == 1) and not (kind == "stack" and shape[0] == 1):
            return ".tif"
    return ".npy"
