"""Named arrays ↔ the bytes of a bundle of kind 1: a manifest of names, and a whole .linr file for each array. SPEC.md 18 defines it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from .. import codec, compact, container, parallel
from ..arrays import LONGEST_TYPE, Item, dtype_of
from ..codec import BUNDLE
from ..compression import compress, decompress
from ..container import Reader, Section, varint
from ..errors import FormatError, InrcodecError, UnsupportedError
from ..header import digest as digest_of_signal
from ..limits import UNLIMITED, Limits
from ..options import Options
from ..signal import Signal
from ..tensors import MAX_AXES, shape_fault
from .manifest import ARRAYS, ENTRY, MAX_MANIFEST, STREAM, TENSORS, read_metadata, text

PLAIN, TYPED = range(2)  # forms of an array
LARGEST_ELEMENT = 1 << 36  # bytes
TEXT = "a text"  # what a name or a type of a manifest is called in messages
# the options that are for arrays
OPTIONS = {"profile", "effort", "seed", "threads", "compact", "verify", "progress", "stop", "max_samples", "max_memory"}


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one array.

    Attributes:
        type: "": the array is what its stream says. Else NumPy's text for its type.
        size: bytes of an element, and shape: of the array, if it has a type of its own.
    """

    name: str
    type: str = ""
    size: int = 0
    shape: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of an array with a type of its own."""
        return math.prod(self.shape) * self.size

    @property
    def streamed(self) -> bool:
        """Whether it has a stream."""
        return not self.type or self.nbytes > 0


@dataclass(frozen=True)
class Decoded:
    """Arrays by name, in their order, and what a file has beside them."""

    items: Mapping[str, Item]
    metadata: Mapping[str, bytes]

    def equals(self, other: Decoded) -> bool:
        """Whether names, their order, all arrays and the metadata are the same."""
        return (
            list(self.items) == list(other.items)
            and dict(self.metadata) == dict(other.metadata)
            and all(item.equals(other.items[name]) for name, item in self.items.items())
        )


@dataclass(frozen=True)
class Opened:
    """A parsed bundle: the manifest, what its digest begins with, the digest, and the bytes of each array's stream; None: it has none."""

    entries: Sequence[Entry]
    metadata: Mapping[str, bytes]
    plain: bytes
    digest: bytes
    streams: Sequence[bytes | None]


def check_options(options: Options, spell: Callable[[str], str] = str) -> None:
    """Raise ValueError if an option is given that is not for arrays. spell: how an option's name is written."""
    given = [spell(f.name) for f in fields(options) if f.name not in OPTIONS and getattr(options, f.name) != f.default]
    if given:
        raise ValueError(f"{', '.join(given)}: not for several arrays together; encode such an array by itself")


def _written(arrays: Decoded) -> bytes:
    """The manifest before it is compressed."""
    parts = [varint(len(arrays.metadata))]
    for key, value in arrays.metadata.items():
        parts += [_text(key), varint(len(value)), value]
    parts.append(varint(len(arrays.items)))
    for name, item in arrays.items.items():
        parts += [_text(name), bytes([TYPED if item.type else PLAIN])]
        if item.type:
            parts += [_text(item.type), varint(item.dtype.itemsize), bytes([len(item.shape)]), *map(varint, item.shape)]
    return b"".join(parts)


def _text(text: str) -> bytes:
    return varint(len(text.encode())) + text.encode()


def _digest(plain: bytes, digests: Sequence[bytes]) -> bytes:
    """SHA-256 of the manifest, then of the digests of all streams' signals, 32 bytes each."""
    return hashlib.sha256(b"".join([plain, *digests])).digest()


def encode(arrays: Decoded, options: Options) -> bytes:
    """The bundle of arrays.

    Raises:
        UnsupportedError: a name is no valid Unicode.
        InrcodecError: verification failed (options.verify); the profile cannot code an array, which is named.
        Stopped: options.stop says so.
        ValueError: an option is not for arrays.
    """
    check_options(options)
    for name in [*arrays.items, *arrays.metadata]:
        if any(0xD800 <= ord(c) < 0xE000 for c in name):
            raise UnsupportedError(f"the name {name!r} of an array is not valid Unicode")
    signals = {name: item.signal for name, item in arrays.items.items() if item.signal}
    own = replace(options, verify=False, threads=max(1, options.workers // max(1, len(signals))))

    def encode_one(name: str) -> bytes:
        try:
            return codec.encode(signals[name], own)
        except InrcodecError as fault:
            fault.args = (f"array {name}: {fault}",)
            raise

    contents = parallel.run(encode_one, signals, options.workers)
    plain = _written(arrays)
    digests = [digest_of_signal(codec.open_bytes(c).header, signals[name].samples) for name, c in zip(signals, contents, strict=True)]
    manifest = bytes([ARRAYS]) + _digest(plain, digests) + varint(len(plain)) + compress(plain)
    data = container.write([Section(BUNDLE, manifest), *(Section(STREAM, content) for content in contents)])
    if options.verify:
        _verify(data, arrays, options)
    return data


def _verify(data: bytes, wanted: Decoded, options: Options) -> None:
    """Raise InrcodecError if the bytes do not decode to these arrays, or if this machine cannot be trusted: see `codec.prove`."""
    free = replace(options, max_samples=UNLIMITED, max_memory=UNLIMITED)
    codec.check_same(lambda: decode(data, free).equals(wanted))
    for content in open_bytes(data, free.limits).streams:
        if content is not None:
            codec.prove(codec.open_bytes(content).decoder)


def open_bytes(data: bytes, limits: Limits) -> Opened:
    """Parse and check a bundle without looking into its streams. Raises FormatError; LimitError."""
    sections = compact.sections_of(data)
    if not sections or sections[0].type != BUNDLE or any(section.type == BUNDLE for section in sections[1:]):
        raise FormatError("damaged: its manifest is not the first section, or is there twice")
    for section in sections:
        if section.required and section.type not in (BUNDLE, STREAM):
            raise FormatError(f"damaged: a bundle has a section {section.type.decode()}")
    r = Reader(sections[0].content, "the manifest")
    if (kind := r.byte()) != ARRAYS:
        raise FormatError(
            "it holds tensors, not arrays: inrcodec.decode_tensors gives them"
            if kind == TENSORS
            else f"it is a bundle of kind {kind}, which this version does not know; a newer inrcodec may read it"
        )
    digest = r.take(32)
    size = r.varint(MAX_MANIFEST)
    limits.check_memory(2 * size)
    plain = decompress(r.rest(), size, "the manifest")
    entries, metadata = _read(Reader(plain, "the manifest"), size, limits)
    inner = [section.content for section in sections if section.type == STREAM]
    if len(inner) != sum(entry.streamed for entry in entries):
        raise FormatError("damaged: it has more or fewer streams than its manifest says")
    following = iter(inner)
    return Opened(entries, metadata, plain, digest, [next(following) if entry.streamed else None for entry in entries])


def _read(r: Reader, size: int, limits: Limits) -> tuple[list[Entry], dict[str, bytes]]:
    """The arrays and the metadata that a manifest tells. Raises FormatError; LimitError."""
    metadata = read_metadata(r, size, limits, TEXT)
    entries: list[Entry] = []
    names: set[str] = set()
    for _ in range(r.varint(r.left)):
        limits.check_memory(2 * size + ENTRY * (len(metadata) + len(entries)))
        entry = _read_entry(r)
        if entry.name in names:
            raise FormatError("damaged: two arrays have the same name")
        names.add(entry.name)
        entries.append(entry)
    r.end()
    return entries, metadata


def _read_entry(r: Reader) -> Entry:
    name, form = text(r, TEXT), r.byte()
    if form == PLAIN:
        return Entry(name)
    if form != TYPED:
        raise FormatError("damaged: an array has an unknown form")
    of_type, size = text(r, TEXT), r.varint()
    axes = r.byte()
    shape = tuple(r.varint() for _ in range(axes))
    if not 1 <= len(of_type.encode()) <= LONGEST_TYPE or axes > MAX_AXES or shape_fault(shape) or size > LARGEST_ELEMENT:
        raise FormatError("damaged: the type or the shape of an array is out of range")
    return Entry(name, of_type, size, shape)


def _open_stream(entry: Entry, content: bytes, limits: Limits) -> codec.Opened:
    """A stream, parsed. Raises FormatError; LimitError."""
    stream = codec.open_bytes(content, limits)
    header = stream.header
    if header.lossy:
        raise FormatError("damaged: a stream has no samples")
    if entry.type and (header.kind != "array" or math.prod(header.shape) * header.dtype.itemsize != entry.nbytes):
        raise FormatError("damaged: a stream does not have the bytes of its array")
    return stream


def _chosen(opened: Opened, names: Collection[str] | None) -> list[int]:
    """The numbers of the arrays with these names; None: of all. Raises UnsupportedError: there is no such array."""
    known = {entry.name: number for number, entry in enumerate(opened.entries)}
    for name in names or ():
        if name not in known:
            listed = ", ".join(list(known)[:20]) + (" and more" if len(known) > 20 else "")
            raise UnsupportedError(f"it has no array {name}; there are {listed or 'none'}")
    return list(known.values()) if names is None else sorted(known[name] for name in set(names))


def decode(data: bytes, options: Options, names: Collection[str] | None = None) -> Decoded:
    """The arrays in a bundle. names: of those that are wanted; then the digest over all is not checked, but each one's own is.

    Raises:
        FormatError: the bytes are damaged.
        LimitError: the file asks for more than options.limits allow.
        UnsupportedError: there is no array of a name, or NumPy does not have the type of one.
        Stopped: options.stop says so.
    """
    opened = open_bytes(data, options.limits)
    wanted = _chosen(opened, names)
    for entry in (opened.entries[n] for n in wanted):
        if entry.type and dtype_of(entry.type).itemsize != entry.size:
            raise FormatError("damaged: an element of an array has another size than its type")
    streams = {n: _open_stream(opened.entries[n], c, options.limits) for n in wanted if (c := opened.streams[n]) is not None}
    shapes = [stream.header.shape for stream in streams.values()] + [opened.entries[n].shape for n in wanted if n not in streams]
    options.limits.check_shape((sum(math.prod(shape) for shape in shapes),))
    taken = sum(math.prod(stream.header.shape) * stream.header.dtype.itemsize for stream in streams.values())
    options.limits.check_memory(2 * len(data) + len(opened.plain) + 2 * taken)
    own = replace(options, threads=max(1, options.workers // max(1, len(streams))))

    def decode_one(number: int) -> Signal:
        stream = streams[number]
        h = stream.header
        try:
            return Signal(stream.samples(own), h.kind, h.bit_depth, h.sample_rate, stream.metadata)
        except UnsupportedError as fault:
            raise FormatError(f"damaged: {fault}") from fault

    signals = dict(zip(streams, parallel.run(decode_one, streams, options.workers), strict=True))
    items = {opened.entries[n].name: Item(signals.get(n), opened.entries[n].type, opened.entries[n].shape) for n in wanted}
    if names is None:
        digests = [digest_of_signal(stream.header, signals[n].samples) for n, stream in streams.items()]
        if _digest(opened.plain, digests) != opened.digest:
            raise FormatError("damaged: the decoded arrays do not match their digest")
    return Decoded(items, dict(opened.metadata))


def stream(data: bytes, name: str, options: Options) -> bytes | None:
    """The .linr file of one array; None if the array has a type of its own. Raises FormatError; LimitError; UnsupportedError."""
    opened = open_bytes(data, options.limits)
    (number,) = _chosen(opened, [name])
    return None if opened.entries[number].type else opened.streams[number]


def info(data: bytes, options: Options) -> dict[str, Any]:
    """What a bundle holds and where its bytes go, whatever it declares. Raises FormatError; LimitError: the manifest is too large."""
    free = Limits(UNLIMITED, options.max_memory)
    opened = open_bytes(data, free)
    arrays, raw, streams = [], 0, 0
    for entry, content in zip(opened.entries, opened.streams, strict=True):
        about: dict[str, Any] = {"name": entry.name}
        if content is None:
            about |= {"dtype": _told(entry.type), "shape": list(entry.shape), "raw_bytes": 0, "bytes": 0, "profile": None}
        else:
            inner = _open_stream(entry, content, free)
            h = inner.header
            dtype, shape = (entry.type, entry.shape) if entry.type else (h.dtype, h.shape)
            nbytes = math.prod(h.shape) * h.dtype.itemsize
            about |= {"dtype": _told(dtype), "shape": list(shape), "raw_bytes": nbytes, "bytes": container.framed(len(content))}
            about["profile"] = inner.profile.name
        raw += about["raw_bytes"]
        streams += about["bytes"]
        arrays.append(about)
    return {
        "kind": "arrays",
        "lossless": True,
        "raw_bytes": raw,
        "file_bytes": len(data),
        "bytes": {"manifest": len(data) - streams, "streams": streams},
        "arrays": arrays,
        "metadata": {key: len(value) for key, value in opened.metadata.items()},
        "digest": opened.digest.hex(),
    }


def _told(dtype: np.dtype[Any] | str) -> str:
    """A type in a few words, as `info` tells those of signals; or a text of NumPy, if that is none of its types."""
    if isinstance(dtype, str):
        try:
            return _told(dtype_of(dtype))
        except UnsupportedError:
            return dtype
    return dtype.str if dtype.str[0] == ">" else str(dtype)
