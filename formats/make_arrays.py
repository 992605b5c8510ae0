"""Writes the conformance files of bundles of arrays (SPEC.md 18) in arrays/, their README.md, and manifest.json with what they decode to.

    python formats/make_arrays.py [--force]

As make_bundles.py does for tensors: a file that exists is never written again unless --force is given, and what was written is decoded with
the package and with standalone/linr_arrays.py.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brotli
import numpy as np
from make_bundles import make, text
from vector_tools import HERE, Array, NetworkSpec, Sections, Signal, file_of, head, lossy, meta, stored, stored_tile, tiled, varint

import inrcodec

import linr  # isort: skip
import linr_arrays  # isort: skip  (it is no package: vector_tools puts its folder in the path)

ARRAYS = HERE / "arrays"


def sections_of(signal: Signal) -> Sections:
    """The sections of a stored signal, with its metadata. Floats are mapped by their bits."""
    samples = signal.samples
    if samples.dtype.kind == "f":
        width = 8 * samples.dtype.itemsize
        offset = -(1 << (width - 1))
        patterns = samples.view(np.dtype(f"u{samples.dtype.itemsize}").newbyteorder(samples.dtype.byteorder)).reshape(-1).tolist()
        whole = [n if n < -offset else -1 - (n + offset) for n in patterns]
        values = np.array([n - offset for n in whole], object).reshape(*samples.shape, 1)
        found = [(b"HEAD", head(signal, bits=width, offset=offset)), *tiled([stored_tile(values, width, 0)], samples.shape)]
    else:
        low, high = int(samples.min()), int(samples.max())
        found = stored(signal, bits=(high - low).bit_length(), offset=low)
    if signal.metadata:
        found.insert(1, (b"meta", meta((key.encode(), value) for key, value in signal.metadata.items())))
    return found


@dataclass
class Typed:
    """An array with a type of its own. signal: its elements; None: it has none."""

    type: str
    size: int
    shape: Sequence[int]
    signal: Signal | None


@dataclass
class Bundle:
    """A bundle by hand: arrays by name, and metadata."""

    arrays: Sequence[tuple[str, Signal | Typed]]
    metadata: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def signals(self) -> list[Signal]:
        """Those that have streams."""
        found = [array.signal if isinstance(array, Typed) else array for _, array in self.arrays]
        return [signal for signal in found if signal is not None]

    def manifest(self) -> bytes:
        parts = [varint(len(self.metadata)), *(text(key) + varint(len(value)) + value for key, value in self.metadata.items())]
        parts.append(varint(len(self.arrays)))
        for name, array in self.arrays:
            parts += [text(name), bytes([isinstance(array, Typed)])]
            if isinstance(array, Typed):
                parts += [text(array.type), varint(array.size), bytes([len(array.shape)]), *map(varint, array.shape)]
        return b"".join(parts)

    def sections(self, plain: bytes | None = None, kind: int = 1, digest: bytes | None = None) -> Sections:
        """plain: a manifest in place of the right one."""
        given = self.manifest() if plain is None else plain
        right = hashlib.sha256(given + b"".join(signal.digest for signal in self.signals)).digest()
        first = bytes([kind]) + (digest or right) + varint(len(given)) + brotli.compress(given)
        return [(b"BNDL", first), *((b"LINR", file_of(sections_of(signal))) for signal in self.signals)]


def ramp(count: int, dtype: str, shape: Sequence[int] = ()) -> Array:
    found: Array = (np.arange(count) * 7 % 120).astype(dtype).reshape(shape or (count,))
    return found


def typed(array: Array, elements: str, shape: Sequence[int] = ()) -> Typed:
    """An array with its own type. elements: the type of the samples of its stream; shape: of them."""
    told = repr(np.lib.format.dtype_to_descr(array.dtype))
    if not array.nbytes:
        return Typed(told, array.dtype.itemsize, array.shape, None)
    samples = np.frombuffer(array.tobytes(), elements)
    return Typed(told, array.dtype.itemsize, array.shape, Signal(samples.reshape(shape or samples.shape)))


def simple() -> Bundle:
    return Bundle([("a", Signal(ramp(6, "u1", (2, 3)))), ("b", Typed("'<u2'", 2, (1,) * 5, Signal(ramp(1, "<u2"))))])


def valid() -> Iterable[tuple[str, str, bytes]]:
    """Name, what it exercises, and bytes of each valid file."""
    yield "none", "no arrays", file_of(Bundle([]).sections())
    yield "simple", "an array that its stream tells, and one of five axes", file_of(simple().sections())
    signals = [
        ("image", Signal(ramp(30, "u1", (2, 5, 3)), "image", 7)),
        ("sound", Signal(ramp(9, "<i2"), "audio", 16, 8000)),
        ("big", Signal(ramp(6, ">i4", (3, 2)))),
        ("", Signal(ramp(4, "?"), metadata={"npy/fortran_order": b"1"})),
        ("ä", Signal(np.array([1.5, -0.0, np.nan, np.inf], "<f8"))),
        ("constant", Signal(np.full((2, 2), 7, "<u8"))),
    ]
    yield (
        "kinds",
        "signals of all kinds, big-endian, floats, constant; an empty name; metadata",
        file_of(Bundle(signals, {"k": b"\0"}).sections()),
    )
    record = np.array([(1, 2.5), (-3, 4.0)], [("a", "<i4"), ("b", "<f8")])
    arrays = [
        ("scalar", typed(np.array(-5, "<i8"), "<i8")),
        ("scalar of floats", typed(np.array(1.25, "<f4"), "u1")),
        ("complex", typed(np.array([1 + 2j, -3.5j], "<c8"), "<f4", (2, 2))),
        ("big-endian complex", typed(np.array([1 + 2j, -3.5j], ">c16"), ">f8")),
        ("texts", typed(np.array(["ab", "", "äöü"], "<U3"), "<u4", (3, 3))),
        ("bytes", typed(np.array([b"ab", b"c"], "S2"), "u1")),
        ("times", typed(np.array(["2020-02-29", "NaT"], "<M8[D]"), "<i8")),
        ("record", typed(record, "u1", (2, 12))),
        ("empty", typed(np.zeros((0, 3), "<f4"), "u1")),
        ("empty texts", typed(np.zeros((2, 0, 5), "<U7"), "u1")),
        ("of no bytes", typed(np.ndarray((2, 3), "<U0"), "u1")),
        ("six axes", typed(ramp(64, "<i2", (2,) * 6), "<i2", (8, 2, 2, 2))),
    ]
    yield "types", "arrays with types and shapes that no signal has", file_of(Bundle(arrays).sections())
    first, *streams = simple().sections()
    yield "sections", "sections that nobody knows, and may be skipped", file_of([first, (b"note", b"?"), *streams, (b"note", b"")])
    given = {"x": np.add.outer(np.arange(20), np.arange(30)).astype(np.uint16), "z": np.array([1j, 2]), "n": np.array(3)}
    yield "encoder", "written by the encoder", inrcodec.encode_arrays(given, threads=1, effort=3)


def faulty() -> Iterable[tuple[str, str, bytes]]:
    """Name, fault, and bytes of each faulty file."""
    good = simple()
    plain, sections = good.manifest(), good.sections()
    first, one, two = sections

    def with_manifest(content: bytes) -> bytes:
        return file_of(good.sections(content))

    def with_entry(**changes: Any) -> bytes:
        fields = {"type": "'<u2'", "size": 2, "shape": (1,) * 5, "signal": Signal(ramp(1, "<u2")), **changes}
        return file_of(Bundle([("b", Typed(**fields))]).sections())

    yield "kind-0", "a manifest of arrays as one of tensors", file_of(good.sections(kind=0))
    yield "kind-2", "a bundle of kind 2", file_of(good.sections(kind=2))
    yield "digest", "another digest", file_of(good.sections(digest=bytes(32)))
    yield "empty-manifest", "BNDL with no content", file_of([(b"BNDL", b""), one, two])
    yield "manifest-cut", "a manifest that ends early", with_manifest(plain[:-1])
    yield "manifest-long", "a byte after the manifest", with_manifest(plain + b"\0")
    yield "manifest-last", "the manifest after the streams", file_of([one, two, first])
    yield "manifest-twice", "two manifests", file_of([first, first, one, two])
    yield "stream-missing", "a stream too few", file_of([first, one])
    yield "stream-more", "a stream too many", file_of([first, one, two, two])
    yield "stream-order", "streams in another order", file_of([first, two, one])
    yield "stream-other", "a stream with other samples", file_of([first, (b"LINR", file_of(sections_of(Signal(ramp(6, "u1"))))), two])
    yield "stream-nested", "a bundle as stream", file_of([first, (b"LINR", file_of(sections)), two])
    yield "stream-damaged", "a stream that ends early", file_of([first, (b"LINR", one[1][:-1]), two])
    bare = file_of(lossy(good.signals[0], NetworkSpec(good.signals[0], 3), bits=3))
    yield "stream-lossy", "a stream without samples", file_of([first, (b"LINR", bare), two])
    yield "section-head", "a section HEAD", file_of([first, one, two, (b"HEAD", b"")])
    yield "form-2", "an array of form 2", with_manifest(plain[:4] + b"\2" + plain[5:])
    yield "name-bytes", "a name that is not UTF-8", with_manifest(plain.replace(b"\1a", b"\1\xff", 1))
    yield "name-twice", "a name twice", file_of(Bundle([("a", good.signals[0])] * 2).sections())
    yield "key-twice", "a key twice", with_manifest(b"\2" + (text("k") + b"\0") * 2 + plain[1:])
    yield "type-empty", "a type without text", with_entry(type="")
    yield "type-long", "a type of 65537 bytes", with_entry(type="'<u2'" + " " * 65532)
    yield "type-bytes", "a type that is not UTF-8", with_manifest(plain.replace(b"<u2", b"\xffu2", 1))
    yield "type-size", "a size that is not that of the type", with_entry(type="'<u4'")
    yield "type-size-empty", "the same of an array without elements", with_entry(type="'<u4'", shape=(0,), signal=None)
    yield "bytes-few", "more elements than its stream has bytes for", with_entry(shape=(2,))
    yield "bytes-many", "fewer elements than its stream has bytes for", with_entry(signal=Signal(ramp(2, "<u2")))
    image = Signal(ramp(2, "u1", (1, 2)), "image")
    yield "bytes-image", "elements in a stream of kind image", with_entry(signal=image)
    yield "shape-33", "33 axes", with_entry(shape=(1,) * 33)
    yield "shape-large", "a shape of 2^37 with an empty axis", with_entry(shape=(0, 2**37), signal=None)
    yield "size-large", "elements of 2^37 bytes", with_entry(size=2**37, shape=(0,), signal=None)


def decoded(data: bytes) -> dict[str, Any]:
    """What the manifest has of a file, by the standalone decoder."""
    try:
        arrays, metadata = linr_arrays.decode_arrays(data)
    except linr.Invalid:
        return {"invalid": True}
    return rows(arrays, metadata)


def by_package(data: bytes) -> dict[str, Any]:
    """The same by the package."""
    from inrcodec import bundle

    try:
        arrays = inrcodec.decode_arrays(data, threads=1)
        metadata = bundle.arrays.open_bytes(data, inrcodec.Options().limits).metadata
    except inrcodec.FormatError:
        return {"invalid": True}
    return rows(arrays, metadata)


def rows(arrays: Mapping[str, Array], metadata: Mapping[str, bytes]) -> dict[str, Any]:
    found = [
        {
            "name": name,
            "dtype": repr(np.lib.format.dtype_to_descr(x.dtype)),
            "shape": list(x.shape),
            "sha256": hashlib.sha256(x.tobytes()).hexdigest(),
        }
        for name, x in arrays.items()
    ]
    return {"arrays": found, "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in metadata.items()}}


def main(where: Path = ARRAYS) -> int:
    sets = [
        ("valid", "Bundles of arrays that every decoder must decode to what ../manifest.json says.", valid),
        ("faulty", "Bundles that it must refuse.", faulty),
    ]
    return make(where, sets, (decoded, by_package), "--force" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
