"""What a file holds, whichever kind it is: a `Signal`, `Tensors`, or named arrays. Read, coded, decoded and written by the same calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from .. import bundle, codec, files
from ..bundle import arrays as bundles
from ..bundle.arrays import Decoded
from ..errors import InrcodecError, UnsupportedError
from ..files import mesh, series
from ..limits import MAX_SAMPLES, Limits
from ..options import Options
from ..signal import Kind, Signal, likely_kind
from ..storage import reason
from ..tensors import Tensors

Content = Signal | Tensors | Decoded

# what a task says of how its source is read; all other options are fields of `Options`
READING = {"kind", "sample_rate", "bit_depth", "voxels", "pixels", "max_samples", "max_memory"}


def limits_of(options: Mapping[str, Any]) -> Limits:
    """The limits that the options of a task set."""
    return Limits(options.get("max_samples") or MAX_SAMPLES, options.get("max_memory") or 0)


def read(path: Path, options: Mapping[str, Any]) -> Content:
    """Read a file, or a folder of DICOM files.

    options: of READING those that matter here; kind, sample_rate and bit_depth are of arrays that do not tell, and left alone else.
    Raises InrcodecError, naming the file.
    """
    limits = limits_of(options)
    try:
        if files.checkpoints.type_of(path):
            return files.read_tensors(path, limits)
        if files.npz.is_npz(path):
            return Decoded(*files.read_arrays(path, limits))
        if options.get("voxels") and mesh.is_mesh(path):
            return mesh.read(path, options["voxels"], limits)
        signal = files.read(path, limits, bool(options.get("pixels")))
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault
    if signal.kind != "array":
        return signal
    kind: Kind | Literal["auto"] = options.get("kind") or "auto"
    known = likely_kind(signal.samples) if kind == "auto" else kind
    try:
        return replace(signal, kind=known, sample_rate=options.get("sample_rate"), bit_depth=options.get("bit_depth") or 0)
    except InrcodecError as fault:
        fault.args = (f"{path}: {fault}",)
        raise


def encode(content: Content, options: Options) -> bytes:
    """The .linr file of what was read. Raises InrcodecError; Stopped."""
    try:
        if isinstance(content, Tensors):
            options.check_tensors()
            return bundle.encode(content, options)
        if isinstance(content, Decoded):
            return bundles.encode(content, options)
    except ValueError as fault:  # an option that is for other kinds of files
        raise UnsupportedError(str(fault)) from fault
    return codec.encode(content, options)


def decode(data: bytes, options: Options) -> Content:
    """What is in the bytes of a .linr file, checked against its digest. Raises InrcodecError; Stopped."""
    if bundle.holds_arrays(data):
        return bundles.decode(data, options)
    return bundle.decode(data, options) if bundle.is_bundle(data) else codec.decode(data, options)


def info(data: bytes, options: Options) -> dict[str, Any]:
    """What `inrcodec.info` says of the bytes of a .linr file. Raises FormatError; LimitError."""
    return bundle.info(data, options) if bundle.is_bundle(data) else codec.info(data, False, options)


def raw_bytes(content: Content) -> int:
    """Bytes of the samples alone."""
    if isinstance(content, Signal):
        return content.raw_bytes
    return content.nbytes if isinstance(content, Tensors) else sum(item.nbytes for item in content.items.values())


def same(one: Content, other: Content) -> bool:
    """Whether two contents are equal: samples, what they mean, and metadata."""
    return type(one) is type(other) and one.equals(other)  # type: ignore[arg-type]


def is_folder(content: Content) -> bool:
    """Whether it was read from a folder, and is written to one."""
    return isinstance(content, Signal) and bool(series.names(content.metadata))


def write(path: Path, content: Content) -> list[str]:
    """Write a file of the type that its name says, or the files of a folder; what the type does not keep, by names.

    Raises InrcodecError: no such type, or it cannot hold this content; OSError.
    """
    if isinstance(content, Tensors):
        files.write_tensors(path, content)
        return []
    if isinstance(content, Decoded):
        if not files.npz.is_npz(path):
            raise UnsupportedError(f"{path}: several arrays are written as .npz")
        files.write_arrays(path, content.items, content.metadata)
        return []
    if mesh.is_mesh(path):
        mesh.write(path, content)
        return []
    files.write(path, content)
    return [] if path.is_dir() else sorted(files.lost(path, content))
