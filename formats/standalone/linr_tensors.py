"""Bundles of tensors (SPEC.md 18), in plain Python and NumPy. Each stream is decoded by linr.py.

python linr_tensors.py IN.linr OUT.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from linr import Invalid, Layer, Reader, all_sections, atom, decode, invalid, require, shortest_varint, unbrotli, vectors_of

# name, bits of an element; of floats, bits of exponent and mantissa
TYPES = (
    ("BOOL", 8, 0, 0), ("U8", 8, 0, 0), ("I8", 8, 0, 0), ("F8_E5M2", 8, 5, 2), ("F8_E4M3", 8, 4, 3), ("I16", 16, 0, 0), ("U16", 16, 0, 0),
    ("F16", 16, 5, 10), ("BF16", 16, 8, 7), ("I32", 32, 0, 0), ("U32", 32, 0, 0), ("F32", 32, 8, 23), ("F64", 64, 11, 52),
    ("I64", 64, 0, 0), ("U64", 64, 0, 0),
)  # fmt: skip
QUANTIZED = ("F16", "BF16", "F32", "F64")
BITS, TABLE, STEPS, SPARSE = range(4)
Numbers = list[int]


@dataclass
class Group:
    """Elements that are coded together."""

    dtype: int
    coding: int
    fields: Sequence[int] = ()
    step: float = 0.0
    seed: int = 0
    form: int = 0
    value_bits: int = 0

    @property
    def streams(self) -> int:
        return len(self.fields) if self.coding == BITS else 1 if self.coding == STEPS else 2


@dataclass
class Entry:
    """A tensor."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    group: int
    same: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass
class Tensor:
    """What a tensor decodes to: its type, its shape, and its elements as little-endian bytes."""

    dtype: str
    shape: tuple[int, ...]
    raw: bytes


def read_sections(data: bytes) -> tuple[bytes, list[bytes]]:
    """The manifest and the streams."""
    manifest: bytes | None = None
    streams = []
    for kind, content in all_sections(data):
        if manifest is None:
            require(kind == b"BNDL", "it does not begin with a manifest")
            manifest = content
        elif kind == b"LINR":
            streams.append(content)
        else:
            require(kind[:1].islower(), "a section that a bundle cannot have")
    if manifest is None:
        invalid("there is no manifest")
    return manifest, streams


def text(reader: Reader) -> str:
    try:
        return reader.take(reader.varint()).decode()
    except UnicodeDecodeError as error:
        raise Invalid("a name that is not UTF-8") from error


def dtype_of(reader: Reader) -> int:
    number = reader.byte()
    require(number < len(TYPES), "an unknown type")
    return number


def read_group(reader: Reader) -> Group:
    dtype, coding = dtype_of(reader), reader.byte()
    require(coding <= SPARSE, "an unknown coding of a group")
    if coding == BITS:
        fields = tuple(reader.take(reader.byte()))
        require(len(fields) > 0 and 0 not in fields and sum(fields) == TYPES[dtype][1], "fields that do not make an element")
        return Group(dtype, coding, fields)
    if coding == TABLE:
        return Group(dtype, coding)
    (step,) = struct.unpack("<d", reader.take(8))
    weights, bits, ratio = reader.byte(), reader.byte(), reader.signed()
    require(TYPES[dtype][0] in QUANTIZED and 0 < step < math.inf, "a step that cannot be")
    require(weights == 3 if coding == SPARSE else weights < 3, "a weight coding that does not fit")
    require(bits <= 16 and abs(ratio) <= 10**5, "bits or a ratio out of range")
    if coding == STEPS:
        return Group(dtype, coding, (), step)
    seed, form, value_bits = reader.byte(), reader.byte(), reader.byte()
    require(form < 8 and form & 3 < 3 and 8 <= value_bits <= 16, "the form of sparse matrices is out of range")
    return Group(dtype, coding, (), step, seed, form, value_bits)


def read_entry(reader: Reader, groups: Sequence[Group], before: Sequence[Entry]) -> Entry:
    name, dtype = text(reader), dtype_of(reader)
    axes = reader.byte()
    require(axes <= 32, "too many axes")
    shape = tuple(reader.varint() for _ in range(axes))
    require(math.prod(n for n in shape if n) <= 1 << 36, "a shape out of range")
    group = reader.varint() - 1
    require(group < len(groups), "a group that is not there")
    same = reader.varint() - 1 if group >= 0 else -1
    entry = Entry(name, dtype, shape, group, same)
    require((entry.size == 0) == (group < 0), "elements without a group, or a group without elements")
    require(group < 0 or groups[group].dtype == dtype, "a tensor of another type than its group")
    require(same < len(before), "a tensor like one that comes later")
    if same >= 0:
        like = before[same]
        require(like.same < 0 and like.group == group and like.size == entry.size, "a tensor like one that it cannot be")
    require(name not in {other.name for other in before}, "a name twice")
    return entry


def matrix_of(shape: Sequence[int]) -> Layer:
    return Layer(shape[0], math.prod(shape[1:]))


def read_manifest(content: bytes) -> tuple[list[Group], list[Entry], dict[str, bytes], bytes]:
    reader = Reader(content)
    require(reader.byte() == 0, "another kind of bundle")
    digest = reader.take(32)
    size = reader.varint()
    require(size <= 1 << 28, "the manifest is too long")
    r = Reader(unbrotli(reader.rest(), size))
    metadata: dict[str, bytes] = {}
    for _ in range(r.varint()):
        key = text(r)
        require(key not in metadata, "a key twice")
        metadata[key] = r.take(r.varint())
    groups = [read_group(r) for _ in range(r.varint())]
    entries: list[Entry] = []
    for _ in range(r.varint()):
        entries.append(read_entry(r, groups, entries))
    r.finish()
    for number, group in enumerate(groups):
        own = [entry for entry in entries if entry.group == number and entry.same < 0]
        require(len(own) > 0, "a group without tensors")
        if group.coding == SPARSE:
            require(len(own) == 1 and len(own[0].shape) > 0, "a sparse group of other than one matrix")
            require(own[0].size <= 1 << 24 and vectors_of(matrix_of(own[0].shape))[1] <= 1 << 13, "a sparse matrix that is too large")
    return groups, entries, metadata, digest


def stream_of(content: bytes) -> Numbers:
    samples, about = decode(content)
    integers = samples.dtype.kind in "bui" and "bfloat16" not in about
    require(about["kind"] == "array" and integers, "a stream that is not an array of integers")
    found: Numbers = samples.reshape(-1).astype(object).tolist()
    return [int(number) for number in found]


def rounded(x: float, exponent: int, mantissa: int, width: int) -> int:
    """The bits of the nearest float with so many bits of exponent and mantissa, ties to even."""
    sign = int(math.copysign(1, x) < 0) << (width - 1)
    if math.isinf(x):
        return sign | (((1 << exponent) - 1) << mantissa)
    least = 2 - (1 << (exponent - 1))
    scale = max(least, math.frexp(x)[1] - 1) if x else least
    units = round(Fraction(abs(x)) / Fraction(2) ** (scale - mantissa))  # Python rounds fractions half to even
    magnitude = units + ((scale - least) << mantissa)
    return sign | min(magnitude, ((1 << exponent) - 1) << mantissa)


def sparse(group: Group, layer: Layer, gaps: Numbers, values: Numbers) -> Numbers:
    """The integers of a sparse matrix."""
    count, length = vectors_of(layer)
    require(len(gaps) == len(values) and len(gaps) % count == 0 and len(gaps) // count <= length, "another number of non-zeros")
    atoms, limit, s = (2 << (group.form & 3)) * length, 1 << (group.value_bits - 1), len(gaps) // count
    whole: Numbers = []
    for vector in range(count):
        total, j = np.zeros(length, np.int64), -1
        for gap, value in zip(gaps[vector * s : vector * s + s], values[vector * s : vector * s + s], strict=True):
            require(gap >= 0 and abs(value) < limit, "a gap or a value out of range")
            j += gap + 1
            require(j < atoms, "an atom that is not in the dictionary")
            total += value * atom(j, length, group.seed, bool(group.form & 4))
        whole += total.tolist()
    return whole[: layer.outputs * layer.inputs]


def elements_of(group: Group, size: int, shape: Sequence[int], arrays: Sequence[Numbers]) -> Numbers:
    """The elements of a group as unsigned integers."""
    _, width, exponent, mantissa = TYPES[group.dtype]
    if group.coding == BITS:
        found = [0] * size
        for numbers, bits in zip(arrays, group.fields, strict=True):
            require(len(numbers) == size, "another number of fields than elements")
            require(all(-(1 << (bits - 1)) <= n < 1 << bits for n in numbers), "a field out of range")
            found = [a << bits | n % (1 << bits) for a, n in zip(found, numbers, strict=True)]
        return found
    if group.coding == TABLE:
        table, index = arrays
        require(len(table) <= size == len(index), "another number of indices than elements")
        require(all(0 <= n < 1 << width for n in table), "an entry out of range")
        require(all(0 <= i < len(table) for i in index), "an index out of range")
        return [table[i] for i in index]
    if group.coding == STEPS:
        whole = arrays[0]
        require(len(whole) == size, "another number of integers than elements")
        require(all(-(1 << 31) <= n < 1 << 31 for n in whole), "an integer out of range")
    else:
        whole = sparse(group, matrix_of(shape), *arrays)
    products = [float(n) * group.step for n in whole]
    if width == 64:
        return [int.from_bytes(struct.pack("<d", x), "little") for x in products]
    return [rounded(x, exponent, mantissa, width) for x in products]


def decode_tensors(data: bytes) -> tuple[dict[str, Tensor], dict[str, bytes]]:
    """The tensors of a bundle by name, and its metadata."""
    manifest, streams = read_sections(data)
    groups, entries, metadata, digest = read_manifest(manifest)
    require(sum(group.streams for group in groups) == len(streams), "another number of streams than the manifest has")
    contents = iter(streams)
    elements: list[Numbers] = []
    for number, group in enumerate(groups):
        own = [entry for entry in entries if entry.group == number and entry.same < 0]
        arrays = [stream_of(next(contents)) for _ in range(group.streams)]
        elements.append(elements_of(group, sum(entry.size for entry in own), own[0].shape, arrays))
    found: dict[str, Tensor] = {}
    raws: list[bytes] = []
    hashed = hashlib.sha256()
    for entry in entries:
        if entry.same >= 0:
            raw = raws[entry.same]
        elif entry.group < 0:
            raw = b""
        else:
            numbers, elements[entry.group] = elements[entry.group][: entry.size], elements[entry.group][entry.size :]
            raw = b"".join(number.to_bytes(TYPES[entry.dtype][1] // 8, "little") for number in numbers)
        raws.append(raw)
        found[entry.name] = Tensor(TYPES[entry.dtype][0], entry.shape, raw)
        key = entry.name.encode()
        hashed.update(shortest_varint(len(key)) + key + bytes([entry.dtype, len(entry.shape)]))
        hashed.update(b"".join(map(shortest_varint, entry.shape)) + raw)
    require(hashed.digest() == digest, "the tensors do not match the digest")
    return found, metadata


def safetensors(tensors: dict[str, Tensor]) -> bytes:
    """A safetensors file of these tensors, without what the metadata say of it."""
    header: dict[str, Any] = {}
    place = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [place, place + len(tensor.raw)]}
        place += len(tensor.raw)
    plain = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    plain += b" " * (-len(plain) % 8)
    return struct.pack("<Q", len(plain)) + plain + b"".join(tensor.raw for tensor in tensors.values())


def main() -> int:
    parser = argparse.ArgumentParser(description="Decode a .linr file of tensors.")
    parser.add_argument("source", metavar="IN.linr", type=Path)
    parser.add_argument("target", metavar="OUT.safetensors", type=Path)
    options = parser.parse_args()
    try:
        tensors, _ = decode_tensors(options.source.read_bytes())
    except ValueError as error:
        print(f"{options.source}: {error}", file=sys.stderr)
        return 1
    options.target.write_bytes(safetensors(tensors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
