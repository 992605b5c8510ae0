"""Bundles of arrays (SPEC.md 18), in plain Python and NumPy. Each stream is decoded by linr.py.

python linr_arrays.py IN.linr OUT.npz
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import math
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from linr import Head, Invalid, NoSamples, Reader, beside, decode, read_file, require, unbrotli

Array = npt.NDArray[Any]
tensors = beside("linr_tensors")


class UnknownType(ValueError):
    """The file may be valid, but an array has a type that NumPy does not have."""


@dataclass
class Entry:
    """What the manifest says of an array. type: "" if it is the signal of its stream."""

    name: str
    type: str
    size: int
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.size


def read_entry(reader: Reader) -> Entry:
    name, form = tensors.text(reader), reader.byte()
    require(form < 2, "an unknown form of an array")
    if form == 0:
        return Entry(name, "", 0, ())
    told, size, axes = tensors.text(reader), reader.varint(), reader.byte()
    shape = tuple(reader.varint() for _ in range(axes))
    require(1 <= len(told.encode()) <= 1 << 16, "a type of no length, or of too many bytes")
    require(size <= 1 << 36 and axes <= 32 and math.prod(n for n in shape if n) <= 1 << 36, "an array out of range")
    return Entry(name, told, size, shape)


def read_manifest(content: bytes) -> tuple[list[Entry], dict[str, bytes], bytes, bytes]:
    """The arrays, the metadata, what the Brotli stream decodes to, and the digest."""
    reader = Reader(content)
    require(reader.byte() == 1, "another kind of bundle")
    digest, size = reader.take(32), reader.varint()
    require(size <= 1 << 28, "the manifest is too long")
    plain = unbrotli(reader.rest(), size)
    r = Reader(plain)
    metadata: dict[str, bytes] = {}
    for _ in range(r.varint()):
        key = tensors.text(r)
        require(key not in metadata, "a key twice")
        metadata[key] = r.take(r.varint())
    entries: dict[str, Entry] = {}
    for _ in range(r.varint()):
        entry = read_entry(r)
        require(entry.name not in entries, "a name twice")
        entries[entry.name] = entry
    r.finish()
    return list(entries.values()), metadata, plain, digest


def type_of(told: str) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.lib.format.descr_to_dtype(ast.literal_eval(told))
    except Exception:
        raise UnknownType(told) from None
    if not isinstance(found, np.dtype) or found.hasobject:
        raise UnknownType(told)
    return found


def stream_of(content: bytes) -> tuple[Array, Head]:
    try:
        samples, _ = decode(content)
    except NoSamples as error:
        raise Invalid("a stream without samples") from error
    return samples, read_file(content).head


def little(samples: Array) -> bytes:
    """Samples as little-endian bytes."""
    return (samples.byteswap() if samples.dtype.str[0] == ">" else samples).tobytes()


def decode_arrays(data: bytes) -> tuple[dict[str, Array], dict[str, bytes]]:
    """The arrays of a bundle by name, and its metadata."""
    manifest, streams = tensors.read_sections(data)
    entries, metadata, plain, digest = read_manifest(manifest)
    require(len(streams) == sum(not e.type or e.nbytes > 0 for e in entries), "another number of streams than the manifest has")
    contents, hashed = iter(streams), hashlib.sha256(plain)
    found: dict[str, Array] = {}
    for entry in entries:
        raw = b""
        if not entry.type or entry.nbytes:
            samples, head = stream_of(next(contents))
            hashed.update(hashlib.sha256(head.meaning + little(samples)).digest())
            if not entry.type:
                found[entry.name] = samples
                continue
            require(head.kind == "array", "elements that are not in an array")
            raw = samples.tobytes()
        require(len(raw) == entry.nbytes, "another number of bytes than the array has")
        dtype = type_of(entry.type)
        require(dtype.itemsize == entry.size, "elements of another size than their type")
        found[entry.name] = np.ndarray(entry.shape, dtype, raw)
    require(hashed.digest() == digest, "the arrays do not match the digest")
    return found, metadata


def main() -> int:
    parser = argparse.ArgumentParser(description="Decode a .linr file of arrays.")
    parser.add_argument("source", metavar="IN.linr", type=Path)
    parser.add_argument("target", metavar="OUT.npz", type=Path)
    options = parser.parse_args()
    try:
        arrays, _ = decode_arrays(options.source.read_bytes())
    except ValueError as error:
        print(f"{options.source}: {error}", file=sys.stderr)
        return 1
    with zipfile.ZipFile(options.target, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array)
    return 0


if __name__ == "__main__":
    sys.exit(main())
