"""Writes the conformance files of bundles (SPEC.md 18) in bundles/, their README.md, and manifest.json with what they must decode to.

    python formats/make_bundles.py [--force]

Those of signals are made by make_vectors.py. Here too, a file that exists is never written again unless --force is given, and what was
written is decoded with the package and with standalone/linr_tensors.py.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli
import numpy as np
from vector_tools import HERE, Array, Sections, Signal, file_of, signed, stored, varint
from vectors_floats import BITS, stored_floats

import inrcodec

import linr  # isort: skip
import linr_tensors  # isort: skip  (it is no package: vector_tools puts its folder in the path)

BUNDLES = HERE / "bundles"
NUMBER = {name: i for i, (name, *_) in enumerate(linr_tensors.TYPES)}
Group = tuple[bytes, list[bytes]]  # what the manifest says of it, and its streams


def stream(array: Array) -> bytes:
    """An array as a .linr file, by hand."""
    signal = Signal(array)
    low, high = int(array.min()), int(array.max())
    if low == high:
        return file_of(stored(signal, bits=0, offset=low))
    return file_of(stored(signal, bits=(high - low).bit_length(), offset=low))


def text(name: str) -> bytes:
    return varint(len(name.encode())) + name.encode()


def about(name: str, dtype: str, shape: Sequence[int]) -> bytes:
    return text(name) + bytes([NUMBER[dtype], len(shape)]) + b"".join(map(varint, shape))


def bits(dtype: str, widths: Sequence[int], *arrays: Array) -> Group:
    return bytes([NUMBER[dtype], 0, len(widths), *widths]), [stream(array) for array in arrays]


def steps(dtype: str, step: float, *arrays: Array, coding: int = 1, more: bytes = b"", ratio: int = 3000) -> Group:
    told = struct.pack("<d", step) + bytes([coding, 8]) + signed(ratio) + more
    return bytes([NUMBER[dtype], 3 if more else 2]) + told, [stream(array) for array in arrays]


def table(dtype: str, *arrays: Array) -> Group:
    return bytes([NUMBER[dtype], 1]), [stream(array) for array in arrays]


@dataclass
class Bundle:
    """A bundle by hand. entries: each tensor's name, type, shape, group + 1 and same + 1; raws: their bytes, for the digest."""

    groups: Sequence[Group]
    entries: Sequence[tuple[str, str, Sequence[int], int, int]]
    raws: Sequence[bytes]
    metadata: Sequence[tuple[str, bytes]] = ()

    def manifest(self) -> bytes:
        parts = [varint(len(self.metadata)), *(text(key) + varint(len(value)) + value for key, value in self.metadata)]
        parts += [varint(len(self.groups)), *(told for told, _ in self.groups), varint(len(self.entries))]
        parts += [about(*entry[:3]) + varint(entry[3]) + (varint(entry[4]) if entry[3] else b"") for entry in self.entries]
        return b"".join(parts)

    def digest(self) -> bytes:
        return hashlib.sha256(b"".join(about(*e[:3]) + raw for e, raw in zip(self.entries, self.raws, strict=True))).digest()

    def sections(self, plain: bytes | None = None, kind: int = 0, digest: bytes | None = None) -> Sections:
        """plain: a manifest in place of the right one."""
        given = self.manifest() if plain is None else plain
        first = bytes([kind]) + (digest or self.digest()) + varint(len(given)) + brotli.compress(given)
        return [(b"BNDL", first), *((b"LINR", content) for _, contents in self.groups for content in contents)]


def numbers(count: int, width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 2**width - 1, count, np.uint64, endpoint=True).astype(f"u{width // 8}")


def of_type(dtype: str) -> Bundle:
    """A tensor of 3 × 4 with any bits, a scalar and an empty one."""
    width = linr_tensors.TYPES[NUMBER[dtype]][1]
    elements = numbers(13, width, NUMBER[dtype])
    entries = [("matrix", dtype, (3, 4), 1, 0), ("scalar", dtype, (), 1, 0), ("empty", dtype, (0, 5), 0, 0)]
    raw = elements.astype(elements.dtype.newbyteorder("<")).tobytes()
    cut = 12 * width // 8
    return Bundle([bits(dtype, [width], elements)], entries, [raw[:cut], raw[cut:], b""])


def simple() -> Bundle:
    return Bundle([bits("U8", [8], np.arange(6, dtype=np.uint8))], [("a", "U8", (2, 3), 1, 0)], [bytes(range(6))])


def floats() -> Bundle:
    """Special floats, cut into signs, exponents and mantissas; and signed fields."""
    words = np.array([0, 1 << 31, 0x7F800000, 0xFFC00001, 0x7FBFFFFF, 1, 0x3F800000, 0xC2280000], np.uint32)
    fields = [(words >> 31).astype(np.uint8), (words >> 23 & 255).astype(np.uint8), words & 0x7FFFFF]
    shifted = np.where(fields[1] > 127, fields[1].astype(np.int16) - 256, fields[1]).astype(np.int16)
    groups = [bits("F32", [1, 8, 23], *fields), bits("F32", [1, 8, 23], fields[0], shifted, fields[2])]
    raw = words.astype("<u4").tobytes()
    return Bundle(groups, [("plain", "F32", (2, 4), 1, 0), ("signed", "F32", (8,), 2, 0)], [raw, raw])


def tied() -> Bundle:
    """Two tensors with the elements of another, one of them in another shape, and a group in two parts."""
    elements = np.arange(10, dtype=np.uint16) * 99
    raw = elements.astype("<u2").tobytes()
    entries = [("a", "BF16", (2, 3), 1, 0), ("b", "BF16", (6,), 1, 1), ("", "BF16", (4,), 1, 0), ("ä", "BF16", (2, 1, 3), 1, 1)]
    return Bundle([bits("BF16", [16], elements)], entries, [raw[:12], raw[:12], raw[12:], raw[:12]], [("k", b"\0"), ("", b"")])


def tabled() -> Bundle:
    values, index = np.array([0x7FF0000000000001, 5, 2**64 - 1], np.uint64), np.array([[2, 0, 1, 1], [0, 2, 2, 1]], np.uint8)
    return Bundle([table("F64", values, index)], [("a", "F64", (8,), 1, 0)], [values[index.reshape(-1)].astype("<u8").tobytes()])


def rounded(dtype: str) -> Bundle:
    """Integers times a step, of which some are halfway between two floats, overflow, or are subnormal."""
    whole = np.array([0, 1, -1, 2049, 4098 * 512 + 256, -(2**31), 2**31 - 1, 3, 5, 1 << 24 | 1], np.int64)
    step = {"F16": 2.0**-25, "BF16": 2.0**-134, "F32": 2.0**-150, "F64": 1 / 3}[dtype]
    _, width, exponent, mantissa = linr_tensors.TYPES[NUMBER[dtype]]
    products = [float(n) * step for n in whole]
    if width == 64:
        raw = struct.pack(f"<{len(products)}d", *products)
    else:
        raw = b"".join(linr_tensors.rounded(x, exponent, mantissa, width).to_bytes(width // 8, "little") for x in products)
    return Bundle([steps(dtype, step, whole)], [("a", dtype, (2, 5), 1, 0)], [raw])


def sparse(form: int, shape: tuple[int, int] = (2, 60), seed: int = 7) -> Bundle:
    """Sparse codes with this form."""
    layer = linr_tensors.matrix_of(shape)
    vectors, length = linr.vectors_of(layer)
    rng = np.random.default_rng(form)
    gaps, values = rng.integers(0, length // 2, (vectors, 3)).astype(np.uint8), rng.integers(-127, 128, (vectors, 3)).astype(np.int8)
    group = linr_tensors.Group(NUMBER["F32"], linr_tensors.SPARSE, (), 0.25, seed, form, 8)
    elements = linr_tensors.elements_of(group, layer.outputs * layer.inputs, shape, [a.reshape(-1).tolist() for a in (gaps, values)])
    raw = np.array(elements, "<u4").tobytes()
    return Bundle([steps("F32", 0.25, gaps, values, coding=3, more=bytes([seed, form, 8]))], [("a", "F32", shape, 1, 0)], [raw])


def valid() -> Iterable[tuple[str, str, bytes]]:
    """Name, what it exercises, and bytes of each valid file."""
    for dtype in NUMBER:
        yield (
            f"type-{dtype.lower().replace('_', '-')}",
            f"{dtype}: a matrix of any bits, a scalar, an empty tensor",
            file_of(of_type(dtype).sections()),
        )
    yield "none", "no tensors", file_of(Bundle([], [], []).sections())
    yield "floats", "fields of sign, exponent and mantissa; a signed field; NaNs, infinities, subnormals, −0", file_of(floats().sections())
    yield "tied", "tensors with the elements of another, an empty name, metadata", file_of(tied().sections())
    yield "table", "a table of values, and indices of another shape", file_of(tabled().sections())
    for dtype in linr_tensors.QUANTIZED:
        yield (
            f"steps-{dtype.lower()}",
            f"{dtype}: integers times a step, rounded: ties, overflow, subnormals",
            file_of(rounded(dtype).sections()),
        )
    for form in (0, 1, 6):
        yield f"sparse-{form}", f"sparse codes with the form {form}", file_of(sparse(form).sections())
    yield "sparse-flat", "a sparse matrix of less than 50 columns, which is one vector", file_of(sparse(0, (7, 9)).sections())
    first, *streams = simple().sections()
    yield "sections", "sections that nobody knows, and may be skipped", file_of([first, (b"note", b"?"), *streams, (b"note", b"")])
    weights = np.random.default_rng(0).standard_normal((40, 70)) * 0.05
    given = {"w": weights.astype(np.float32), "h": weights.astype(np.float16), "b": weights[0].astype(np.float32), "n": np.array(3)}
    plain = inrcodec.Tensors.of(given, {"safetensors/metadata": b'{"format":"pt"}'})
    yield "encoder", "written by the encoder: exact", inrcodec.encode(plain, threads=1, effort=3)
    for coding in ("uniform", "lsq", "ternary", "sinr"):
        bits: dict[str, Any] = {} if coding == "ternary" else {"bits": 4}
        data = inrcodec.encode(plain, threads=1, effort=3, lossy=True, weights=coding, **bits)
        yield f"encoder-{coding}", f"written by the encoder: lossy, {coding}", data


def faulty() -> Iterable[tuple[str, str, bytes]]:
    """Name, fault, and bytes of each faulty file."""
    good = simple()
    plain, sections = good.manifest(), good.sections()
    first, only = sections
    group, entry = plain[1:6], plain[7:]

    def with_manifest(content: bytes) -> bytes:
        return file_of(good.sections(content))

    def built(**changes: Any) -> bytes:
        return file_of(Bundle(**{"groups": good.groups, "entries": good.entries, "raws": good.raws, **changes}).sections())

    yield "empty-manifest", "BNDL with no content", file_of([(b"BNDL", b""), only])
    yield "kind-1", "a bundle of kind 1", file_of(good.sections(kind=1))
    yield "digest", "another digest", file_of(good.sections(digest=bytes(32)))
    yield "manifest-cut", "a manifest that ends early", with_manifest(plain[:-1])
    yield "manifest-long", "a byte after the manifest", with_manifest(plain + b"\0")
    yield "manifest-size", "a manifest of another size than it says", file_of([(b"BNDL", first[1][:33] + b"\x7f" + first[1][34:]), only])
    yield "manifest-last", "the manifest after the stream", file_of([only, first])
    yield "manifest-twice", "two manifests", file_of([first, first, only])
    yield "manifest-missing", "no manifest", file_of([only])
    yield "stream-missing", "a stream too few", file_of([first])
    yield "stream-more", "a stream too many", file_of([first, only, only])
    yield "stream-nested", "a bundle as stream", file_of([first, (b"LINR", file_of(sections))])
    yield "stream-damaged", "a stream that ends early", file_of([first, (b"LINR", only[1][:-1])])
    yield "section-head", "a section HEAD", file_of([first, only, (b"HEAD", b"")])
    image = Signal(np.zeros((2, 3), np.uint8) + np.arange(3, dtype=np.uint8), "image")
    yield "stream-image", "a stream that is an image", file_of([first, (b"LINR", file_of(stored(image, bits=2)))])
    pair = Signal(np.zeros((2, 3), np.complex64))
    yield "stream-complex", "a stream of complex numbers", file_of([first, (b"LINR", file_of(stored_floats(pair, [0] * 12, BITS, bits=0)))])
    brain = Signal(np.zeros((2, 3), np.uint16), bfloat16=True)
    yield "stream-bfloat16", "a stream of bfloat16", file_of([first, (b"LINR", file_of(stored_floats(brain, [0] * 6, BITS, bits=0)))])
    yield "stream-short", "a stream of 5 numbers for 6 elements", built(groups=[bits("U8", [8], np.arange(5, dtype=np.uint8))])
    yield "stream-large", "a field of 9 bits in one of 8", built(groups=[bits("U8", [8], np.arange(6, dtype=np.uint16) + 251)])
    yield "stream-low", "a field below −128", built(groups=[bits("U8", [8], np.arange(6, dtype=np.int16) - 129)])
    yield "fields-none", "no fields", with_manifest(plain.replace(group, b"\1" + group[1:3] + b"\0", 1))
    yield "fields-7", "fields of 7 bits", built(groups=[bits("U8", [7], np.arange(6, dtype=np.uint8))])
    zero = np.zeros(6, np.uint8)
    yield "fields-0", "a field of 0 bits", built(groups=[bits("U8", [8, 0], np.arange(6, dtype=np.uint8), zero)])
    yield "type-15", "type 15", with_manifest(plain[:2] + b"\x0f" + plain[3:])
    yield "coding-4", "coding 4", with_manifest(plain[:3] + b"\4" + plain[4:])
    yield "name-bytes", "a name that is not UTF-8", with_manifest(plain[:7] + entry.replace(b"\1a", b"\1\xff", 1))
    yield "name-twice", "a name twice", built(entries=[*good.entries, ("a", "U8", (6,), 1, 1)], raws=[*good.raws, *good.raws])
    yield "key-twice", "a key twice", built(metadata=[("a", b""), ("a", b"")])
    yield (
        "shape-large",
        "a shape of 2^37 with an empty axis",
        built(entries=[*good.entries, ("b", "U8", (0, 2**37), 0, 0)], raws=[*good.raws, b""]),
    )
    yield "shape-33", "33 axes", built(entries=[("a", "U8", (6, *[1] * 32), 1, 0)])
    yield "group-2", "a group that is not there", built(entries=[("a", "U8", (6,), 2, 0)])
    yield "group-none", "elements without a group", built(entries=[*good.entries, ("b", "U8", (6,), 0, 0)], raws=[*good.raws, bytes(6)])
    yield "group-empty", "an empty tensor with a group", built(entries=[*good.entries, ("b", "U8", (0,), 1, 0)], raws=[*good.raws, b""])
    yield "group-unused", "a group without tensors", built(groups=[*good.groups, bits("U8", [8], zero)])
    yield "group-type", "a tensor of another type than its group", built(entries=[("a", "I8", (6,), 1, 0)])
    yield "same-later", "a tensor like itself", built(entries=[("a", "U8", (6,), 1, 1)])
    more = [("b", "U8", (6,), 1, 1), ("c", "U8", (6,), 1, 2)]
    yield "same-same", "a tensor like one that is like another", built(entries=[*good.entries, *more], raws=[*good.raws] * 3)
    yield (
        "same-size",
        "a tensor like one of another size",
        built(entries=[*good.entries, ("b", "U8", (5,), 1, 1)], raws=[*good.raws, bytes(5)]),
    )
    yield from faulty_codings()


def faulty_codings() -> Iterable[tuple[str, str, bytes]]:
    """Tables, steps and sparse codes."""
    one, six = [("a", "F32", (2, 3), 1, 0)], np.arange(6, dtype=np.int16)

    def of(group: Group, shape: Sequence[int] = (2, 3)) -> bytes:
        return file_of(Bundle([group], [("a", one[0][1], shape, 1, 0)], [bytes(24)]).sections())

    words = np.arange(6, dtype=np.uint32)
    yield "table-index", "an index that the table lacks", of(table("F32", words[:2], words % 3))
    yield "table-negative", "a negative index", of(table("F32", words[:3], six - 1))
    yield "table-long", "a table with more entries than there are elements", of(table("F32", np.arange(7, dtype=np.uint32), words))
    yield "table-value", "an entry of 33 bits", of(table("F32", words[:3].astype(np.uint64) << np.uint64(31), words % 3))
    for name, step in (("0", 0.0), ("negative", -1.0), ("infinite", float("inf")), ("nan", float("nan"))):
        yield f"step-{name}", f"a step that is {name}", of(steps("F32", step, six))
    yield "step-coding", "steps by sinr", of(steps("F32", 1.0, six, coding=3))
    yield "step-ratio", "a ratio of 10^5 + 1", of(steps("F32", 1.0, six, ratio=10**5 + 1))
    yield "step-integer", "an integer of 2^31", of(steps("F32", 1.0, six.astype(np.int64) << 29))
    yield "step-of-integers", "steps of U32", file_of(Bundle([steps("U32", 1.0, six)], [("a", "U32", (6,), 1, 0)], [bytes(24)]).sections())

    def codes(gaps: Array, values: Array, more: bytes = bytes([0, 0, 8]), coding: int = 3) -> Group:
        return steps("F32", 1.0, gaps, values, coding=coding, more=more)

    gap, value = np.array([3], np.uint8), np.array([5], np.int16)
    yield "sparse-atom", "an atom that is not in the dictionary", of(codes(np.array([11, 0], np.uint8), np.array([5, 5], np.int16)))
    yield "sparse-gap", "a negative gap", of(codes(np.array([-1], np.int8), value))
    yield "sparse-value", "a value of 9 bits", of(codes(gap, value + 123))
    yield "sparse-counts", "other numbers of gaps and of values", of(codes(gap, np.array([5, 6], np.int16)))
    yield "sparse-many", "more non-zeros than a vector has elements", of(codes(np.zeros(7, np.uint8), np.arange(7, dtype=np.int16)))
    yield "sparse-form-3", "the form 3", of(codes(gap, value, bytes([0, 3, 8])))
    yield "sparse-form-8", "the form 8", of(codes(gap, value, bytes([0, 8, 8])))
    yield "sparse-bits-7", "values of 7 bits", of(codes(gap, value, bytes([0, 0, 7])))
    yield "sparse-coding", "sparse codes by lsq", of(codes(gap, value, coding=1))
    yield "sparse-scalar", "a sparse scalar", of(codes(gap, value), ())
    yield "sparse-long", "vectors of 2^13 + 50 elements", of(codes(gap, value), (1, 2**13 + 50))
    two = Bundle([codes(gap, value)], [*one, ("b", "F32", (2, 3), 1, 0)], [bytes(24)] * 2)
    yield "sparse-two", "a sparse group of two tensors", file_of(two.sections())


def decoded(data: bytes) -> dict[str, Any]:
    """What the manifest has of a file, by the standalone decoder."""
    try:
        tensors, metadata = linr_tensors.decode_tensors(data)
    except linr.Invalid:
        return {"invalid": True}
    rows = [
        {"name": name, "dtype": t.dtype, "shape": list(t.shape), "sha256": hashlib.sha256(t.raw).hexdigest()} for name, t in tensors.items()
    ]
    return {"tensors": rows, "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in metadata.items()}}


def by_package(data: bytes) -> dict[str, Any]:
    """The same by the package."""
    try:
        found = inrcodec.decode_tensors(data, threads=1)
    except inrcodec.FormatError:
        return {"invalid": True}
    rows = [
        {"name": name, "dtype": t.dtype, "shape": list(t.shape), "sha256": hashlib.sha256(t.raw()).hexdigest()}
        for name, t in found.tensors.items()
    ]
    return {"tensors": rows, "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in found.metadata.items()}}


Files = Callable[[], Iterable[tuple[str, str, bytes]]]
Decoder = Callable[[bytes], dict[str, Any]]


def make(where: Path, sets: Sequence[tuple[str, str, Files]], decoders: tuple[Decoder, Decoder], force: bool) -> int:
    """Write the files that are not there yet, and what a manifest has of them. Returns the exit status.

    sets: folder, title and files of each; the last one is of faulty files. decoders: the standalone one, and the package.
    """
    kept = where / "manifest.json"
    known = {entry["file"]: entry for entry in json.loads(kept.read_text("utf-8"))} if kept.exists() else {}
    problems = []
    for folder, title, files in sets:
        (where / folder).mkdir(parents=True, exist_ok=True)
        for name, what, data in files():
            file = f"{folder}/{name}.linr"
            path = where / file
            if file in known and path.exists() and not force:
                continue
            path.write_bytes(data)
            found, other = (decode(data) for decode in decoders)
            known[file] = {"file": file, "what": what, **found}
            if other != found:
                problems.append(f"{file}: the package disagrees")
            if ("invalid" in found) != (folder == "faulty"):
                problems.append(f"{file}: it is {'refused' if 'invalid' in found else 'taken'}")
        rows = [f"| `{Path(e['file']).name}` | {e['what']} |" for e in known.values() if e["file"].startswith(f"{folder}/")]
        lines = [f"# {folder}", "", title, "", "| file | what it exercises |", "| --- | --- |", *rows, ""]
        (where / folder / "README.md").write_text("\n".join(lines), "utf-8")
    kept.write_text(json.dumps(list(known.values()), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(problems), end="\n" * bool(problems))
    return 1 if problems else 0


def main() -> int:
    sets = [
        ("valid", "Bundles that every decoder must decode to what ../manifest.json says.", valid),
        ("faulty", "Bundles that it must refuse.", faulty),
    ]
    return make(BUNDLES, sets, (decoded, by_package), "--force" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
