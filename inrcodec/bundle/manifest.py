"""Section BNDL: what the streams of a bundle, its sections LINR, make together. SPEC.md 18 defines it."""

from __future__ import annotations

import hashlib
import math
import struct
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..compression import compress, decompress
from ..container import Reader, varint, zigzag
from ..errors import FormatError
from ..limits import Limits
from ..tensors import BY_NAME, BY_NUMBER, DType, Tensors, shape_fault
from ..weights import codings
from ..weights.sinr import OVERCOMPLETE, VALUE_BITS, Form, vector_shape

STREAM = b"LINR"  # the type of a section that is a whole .linr file
TENSORS, ARRAYS = 0, 1  # the kinds of bundles that there are
MAX_MANIFEST = 1 << 28
ENTRY = 600  # bytes that a tensor takes besides its elements
BITS, TABLE, STEPS, SPARSE = range(4)  # codings of a group
STREAMS = {TABLE: 2, STEPS: 1, SPARSE: 2}
MOST_FIELDS = 64
MOST_SPARSE, LONGEST_SPARSE = 1 << 24, 1 << 13  # elements of a sparse tensor, and of its vectors: bounds the time it takes
LARGEST_SNR = 10**5  # of hundredths of a dB: no error


@dataclass(frozen=True)
class Lossy:
    """What is said of a group that is not exact.

    Attributes:
        step: what its integers are multiplied with, above 0 and finite.
        coding: number of its weight coding (`weights.codings`).
        bits: per weight, as they were asked for.
        snr: power of the weights by that of the error, in hundredths of a dB; LARGEST_SNR: there is no error. For information.
    """

    step: float
    coding: int
    bits: int
    snr: int


@dataclass(frozen=True)
class Group:
    """Elements of one type that are coded together.

    Attributes:
        dtype: of the elements.
        coding: BITS, TABLE, STEPS or SPARSE.
        fields: with BITS: widths of the fields that an element is cut into, the highest first; each is a stream.
        lossy: with STEPS and SPARSE.
        seed, form: with SPARSE: of the dictionary.
    """

    dtype: DType
    coding: int
    fields: tuple[int, ...] = ()
    lossy: Lossy | None = None
    seed: int = 0
    form: Form = field(default_factory=Form)

    @property
    def streams(self) -> int:
        """How many streams it takes."""
        return STREAMS.get(self.coding, len(self.fields))


@dataclass(frozen=True)
class Entry:
    """One tensor.

    Attributes:
        group: number of its group; −1: it has no elements.
        same: −1: its elements follow those of the tensor before it in its group; else they are those of tensor number `same`.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    group: int
    same: int = -1

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Manifest:
    """What section BNDL says. digest: see `digest`."""

    groups: Sequence[Group]
    entries: Sequence[Entry]
    metadata: Mapping[str, bytes]
    digest: bytes

    @property
    def lossy(self) -> bool:
        """Whether a tensor is not exact."""
        return any(group.lossy for group in self.groups)

    @property
    def sizes(self) -> list[int]:
        """How many elements each group has."""
        found = [0] * len(self.groups)
        for entry in self.entries:
            if entry.same < 0 <= entry.group:
                found[entry.group] += entry.size
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors, each counted, also where two are the same."""
        return sum(entry.size * entry.dtype.width // 8 for entry in self.entries)


def digest(tensors: Tensors) -> bytes:
    """SHA-256, 32 bytes, of each tensor in its order: name, type, axes and shape as the manifest has them, then its bytes."""
    found = hashlib.sha256()
    for name, tensor in tensors.tensors.items():
        found.update(_about(name, BY_NAME[tensor.dtype], tensor.shape))
        found.update(tensor.raw())
    return found.digest()


def _about(name: str, dtype: DType, shape: Sequence[int]) -> bytes:
    key = name.encode()
    return b"".join([varint(len(key)), key, bytes([dtype.number, len(shape)]), *map(varint, shape)])


def write(manifest: Manifest) -> bytes:
    """The content of section BNDL."""
    parts = [varint(len(manifest.metadata))]
    for key, value in manifest.metadata.items():
        parts += [varint(len(key.encode())), key.encode(), varint(len(value)), value]
    parts.append(varint(len(manifest.groups)))
    for group in manifest.groups:
        parts.append(bytes([group.dtype.number, group.coding]))
        if group.coding == BITS:
            parts.append(bytes([len(group.fields), *group.fields]))
        if group.lossy:
            known = group.lossy
            parts += [struct.pack("<d", known.step), bytes([known.coding, known.bits]), varint(zigzag(known.snr))]
        if group.coding == SPARSE:
            parts.append(bytes([group.seed, _form_byte(group.form), group.form.bits]))
    parts.append(varint(len(manifest.entries)))
    for entry in manifest.entries:
        parts += [
            _about(entry.name, entry.dtype, entry.shape),
            varint(entry.group + 1),
            *([varint(entry.same + 1)] if entry.group >= 0 else []),
        ]
    plain = b"".join(parts)
    return bytes([TENSORS]) + manifest.digest + varint(len(plain)) + compress(plain)


def _form_byte(form: Form) -> int:
    return OVERCOMPLETE.index(form.overcomplete) | 4 * form.signs


def read(content: bytes, limits: Limits) -> Manifest:
    """Parse and check section BNDL. Raises FormatError; LimitError: it, or what it declares, takes more than the limits allow."""
    r = Reader(content, "the manifest")
    if (kind := r.byte()) == ARRAYS:
        raise FormatError("it holds named arrays, not tensors: inrcodec.decode_arrays gives them")
    if kind != TENSORS:
        raise FormatError(f"it is a bundle of kind {kind}, which this version does not know; a newer inrcodec may read it")
    found_digest = r.take(32)
    size = r.varint(MAX_MANIFEST)
    limits.check_memory(2 * size)
    plain = Reader(decompress(r.rest(), size, "the manifest"), "the manifest")
    try:
        return _read(plain, size, found_digest, limits)
    except FormatError as fault:  # who handles it shall not hold what was decompressed, as frames of a traceback do
        traceback.clear_frames(fault.__traceback__)
        raise


def _read(r: Reader, size: int, found_digest: bytes, limits: Limits) -> Manifest:
    metadata = read_metadata(r, size, limits, "a name")
    groups: list[Group] = []
    for _ in range(r.varint(r.left)):
        limits.check_memory(2 * size + ENTRY * (len(metadata) + len(groups)))
        groups.append(_read_group(r))
    entries: list[Entry] = []
    names: set[str] = set()
    elements = 0
    for entry in _read_entries(r, groups, entries):
        limits.check_memory(2 * size + ENTRY * (len(metadata) + len(groups) + len(entries)))
        if entry.name in names:
            raise FormatError("damaged: two tensors have the same name")
        names.add(entry.name)
        elements += entry.size
        limits.check_shape((elements,))
        entries.append(entry)
    r.end()
    found = Manifest(groups, entries, metadata, found_digest)
    _check_groups(found)
    return found


def read_metadata(r: Reader, size: int, limits: Limits, what: str) -> dict[str, bytes]:
    """The metadata of a manifest of `size` bytes. what: see `text`. Raises FormatError; LimitError."""
    metadata: dict[str, bytes] = {}
    for _ in range(r.varint(r.left)):
        limits.check_memory(2 * size + ENTRY * len(metadata))
        key = text(r, what)
        if key in metadata:
            raise FormatError("damaged: a key of the manifest is there twice")
        metadata[key] = r.take(r.varint())
    return metadata


def text(r: Reader, what: str = "a name") -> str:
    """The next text of a manifest. what: its name for messages. Raises FormatError."""
    try:
        return r.take(r.varint()).decode()
    except UnicodeDecodeError as fault:
        raise FormatError(f"damaged: {what} in the manifest is not UTF-8") from fault


def _dtype(r: Reader) -> DType:
    found = BY_NUMBER.get(r.byte())
    if found is None:
        raise FormatError("damaged: a tensor has a type that there is not")
    return found


def _read_group(r: Reader) -> Group:
    dtype, coding = _dtype(r), r.byte()
    if coding == BITS:
        count = r.byte()
        fields = tuple(r.take(count))
        if not fields or 0 in fields or sum(fields) != dtype.width:
            raise FormatError("damaged: the fields of a group do not make an element")
        return Group(dtype, coding, fields)
    if coding == TABLE:
        return Group(dtype, coding)
    if coding not in (STEPS, SPARSE):
        raise FormatError("damaged: a group has an unknown coding")
    (step,) = struct.unpack("<d", r.take(8))
    known = Lossy(step, r.byte(), r.byte(), r.signed())
    named = codings.numbered(known.coding)
    if dtype.name not in ("F16", "BF16", "F32", "F64") or not 0 < step < math.inf or abs(known.snr) > LARGEST_SNR or known.bits > 16:
        raise FormatError("damaged: a step, or what is said of it, is out of range")
    if named is None or named.sparse != (coding == SPARSE):
        raise FormatError("damaged: a group has a weight coding that does not fit")
    if coding == STEPS:
        return Group(dtype, coding, (), known)
    seed, form, bits = r.byte(), r.byte(), r.byte()
    if form & ~7 or form & 3 >= len(OVERCOMPLETE) or not VALUE_BITS[0] <= bits <= VALUE_BITS[1]:
        raise FormatError("damaged: the form of sparse weights is out of range")
    return Group(dtype, coding, (), known, seed, Form(OVERCOMPLETE[form & 3], bool(form & 4), bits))


def _read_entries(r: Reader, groups: Sequence[Group], before: Sequence[Entry]) -> Iterator[Entry]:
    """The tensors, each checked against the groups and those before it."""
    for number in range(r.varint(r.left)):
        name, dtype = text(r), _dtype(r)
        shape = tuple(r.varint() for _ in range(r.byte()))
        if fault := shape_fault(shape):
            raise FormatError(f"damaged: of a tensor, {fault}")
        group = r.varint(len(groups)) - 1
        same = r.varint(number) - 1 if group >= 0 else -1
        entry = Entry(name, dtype, shape, group, same)
        if (entry.size == 0) != (group < 0):
            raise FormatError("damaged: a tensor has no group, or one without need")
        if group >= 0 and groups[group].dtype is not dtype:
            raise FormatError("damaged: a tensor is of another type than its group")
        if same >= 0 and (before[same].same >= 0 or before[same].group != group or before[same].size != entry.size):
            raise FormatError("damaged: a tensor repeats one that it cannot be")
        yield entry


def _check_groups(manifest: Manifest) -> None:
    """Raise FormatError if a group is empty, or has other tensors than its coding can have."""
    shapes: dict[int, list[tuple[int, ...]]] = {}
    for entry in manifest.entries:
        if entry.same < 0 <= entry.group:
            shapes.setdefault(entry.group, []).append(entry.shape)
    for number, group in enumerate(manifest.groups):
        own = shapes.get(number, [])
        if not own or (group.coding == SPARSE and len(own) > 1):
            raise FormatError("damaged: a group has no tensor, or more than its coding allows")
        if group.coding == SPARSE and (
            not own[0] or math.prod(own[0]) > MOST_SPARSE or vector_shape(matrix_of(own[0]))[1] > LONGEST_SPARSE
        ):
            raise FormatError("damaged: a tensor cannot be a sparse one")


def matrix_of(shape: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of a tensor with elements: its first axis, and all others."""
    return (shape[0], math.prod(shape[1:])) if shape else (1, 1)


def describe(manifest: Manifest) -> list[dict[str, Any]]:
    """What `info` says of each tensor: name, dtype, shape, and for one that is not exact how it was coded."""
    found = []
    for entry in manifest.entries:
        about: dict[str, Any] = {"name": entry.name, "dtype": entry.dtype.name, "shape": list(entry.shape)}
        group = manifest.groups[entry.group] if entry.group >= 0 else None
        if entry.same >= 0:
            about["same_as"] = manifest.entries[entry.same].name
        if group and group.lossy:
            coding = codings.numbered(group.lossy.coding)
            snr = None if group.lossy.snr == LARGEST_SNR else group.lossy.snr / 100
            about["lossy"] = {"weights": coding.name if coding else "", "bits": group.lossy.bits, "snr": snr}
        found.append(about)
    return found
