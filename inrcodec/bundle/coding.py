"""Tensors ↔ the bytes of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import codec, compact, container, parallel
from ..codec import BUNDLE
from ..container import Section
from ..errors import FormatError
from ..limits import UNLIMITED
from ..options import Options
from ..tensors import Tensor, Tensors
from . import choices, manifest, streams
from .manifest import STREAM, Manifest

FIRST_CONTENT = container.FIRST + len(BUNDLE)  # where the length of the manifest stands
Flat = npt.NDArray[Any]


def is_bundle(data: bytes) -> bool:
    """Whether these are the first bytes of a bundle, as the encoder writes it: the manifest comes first."""
    first = container.FIRST
    return data[:first] == container.MAGIC + bytes([container.VERSION]) and data[first : first + 4] == BUNDLE


@dataclass(frozen=True)
class Opened:
    """A parsed bundle: its manifest, the streams of each group, and the bytes of each stream."""

    manifest: Manifest
    groups: Sequence[Sequence[codec.Opened]]
    sizes: Sequence[Sequence[int]]
    size: int


def open_bytes(data: bytes, options: Options) -> Opened:
    """Parse and check a bundle without decoding its streams. Raises FormatError; LimitError."""
    sections = compact.sections_of(data)
    found = [section.content for section in sections if section.type == BUNDLE]
    inner = [section.content for section in sections if section.type == STREAM]
    if len(found) != 1 or sections[0].type != BUNDLE:
        if all(section.type not in (BUNDLE, STREAM) for section in sections):
            raise FormatError("it holds no tensors, but a signal: inrcodec.decode gives it")
        raise FormatError("damaged: its manifest is not the first section, or is there twice")
    for section in sections:
        if section.required and section.type not in (BUNDLE, STREAM):
            raise FormatError(f"damaged: a bundle has a section {section.type.decode()}")
    limits = options.limits
    known = manifest.read(found[0], limits)
    if sum(group.streams for group in known.groups) != len(inner):
        raise FormatError("damaged: it has more or fewer streams than its manifest says")
    opened, groups, sizes = iter(_open_streams(inner, options)), [], []
    shapes = [next(e.shape for e in known.entries if e.group == number) for number in range(len(known.groups))]
    counts = iter(map(len, inner))
    for group, elements, shape in zip(known.groups, known.sizes, shapes, strict=True):
        of_group = [next(opened) for _ in range(group.streams)]
        streams.check_sizes(group, elements, shape, [stream.header.shape for stream in of_group])
        groups.append(of_group)
        sizes.append([next(counts) for _ in of_group])
    return Opened(known, groups, sizes, len(data))


def _open_streams(inner: Sequence[bytes], options: Options) -> list[codec.Opened]:
    """The streams, parsed. Raises FormatError; LimitError."""
    found = []
    for content in inner:
        stream = codec.open_bytes(content, options.limits)
        if stream.header.kind != "array" or stream.header.lossy or stream.header.float_map:
            raise FormatError("damaged: a stream is not an array of integers")
        options.limits.check_shape(stream.header.shape)
        found.append(stream)
    return found


def _check_memory(opened: Opened, options: Options) -> None:
    """Raise LimitError if decoding takes more memory than the limits allow."""
    of_groups = [
        streams.decoded_memory(group, elements, [stream.header.dtype.itemsize * int(np.prod(stream.header.shape)) for stream in of_group])
        for group, elements, of_group in zip(opened.manifest.groups, opened.manifest.sizes, opened.groups, strict=True)
    ]
    at_once = sum(sorted(of_groups)[-options.workers :])
    options.limits.check_memory(2 * opened.size + opened.manifest.nbytes + sum(opened.manifest.sizes) + at_once)


def decode(data: bytes, options: Options) -> Tensors:
    """The tensors in a bundle, and its metadata. options: threads, limits, progress and stop matter.

    Raises:
        FormatError: the bytes are damaged.
        LimitError: the file asks for more than options.limits allow.
        Stopped: options.stop says so.
    """
    opened = open_bytes(data, options)
    _check_memory(opened, options)
    known = opened.manifest
    own = replace(options, threads=max(1, options.workers // max(1, len(known.groups))))

    def decode_group(number: int) -> Flat:
        arrays = [stream.samples(own).reshape(-1) for stream in opened.groups[number]]
        shape = next(entry.shape for entry in known.entries if entry.group == number)
        return streams.elements_of(known.groups[number], shape, arrays)

    elements = parallel.run(decode_group, range(len(known.groups)), options.workers)
    tensors: dict[str, Tensor] = {}
    places: list[Flat] = []
    used = [0] * len(known.groups)
    for entry in known.entries:
        if entry.group < 0:
            flat = np.zeros(0, entry.dtype.word)
        elif entry.same >= 0:
            flat = places[entry.same]
        else:
            flat = elements[entry.group][used[entry.group] : used[entry.group] + entry.size]
            used[entry.group] += entry.size
        places.append(flat)
        tensors[entry.name] = Tensor(entry.dtype.name, flat.reshape(entry.shape))
    found = Tensors(tensors, dict(known.metadata))
    if manifest.digest(found) != known.digest:
        raise FormatError("damaged: the decoded tensors do not match their digest")
    return found


def encode(tensors: Tensors, options: Options) -> bytes:
    """The bundle of tensors. With options.lossy, floats of two axes or more are coded by options.weights; all others are exact.

    Raises:
        InrcodecError: verification failed (options.verify).
        MissingError: weights are to be "sinr", and scikit-learn or torch is not installed.
        Stopped: options.stop says so.
    """
    plan = choices.planned(tensors, options)
    own = replace(options, verify=False, threads=max(1, options.workers // max(1, len(plan.groups))))
    coded = parallel.run(lambda job: job(own), plan.groups, options.workers)
    decoded = dict(tensors.tensors)
    for of_group in coded:
        decoded.update(of_group.decoded)
    for entry in plan.entries:
        if entry.same >= 0:
            same = decoded[plan.entries[entry.same].name]
            decoded[entry.name] = Tensor(same.dtype, same.bits.reshape(entry.shape))
    result = Tensors(decoded, tensors.metadata)
    known = Manifest([of_group.group for of_group in coded], plan.entries, dict(tensors.metadata), manifest.digest(result))
    contents = [content for of_group in coded for content in of_group.streams]
    data = container.write([Section(BUNDLE, manifest.write(known)), *(Section(STREAM, content) for content in contents)])
    if options.verify:
        _verify(data, result, options)
    return data


def _verify(data: bytes, wanted: Tensors, options: Options) -> None:
    """Raise InrcodecError if the bytes do not decode to these tensors, or if this machine cannot be trusted: see `codec.prove`."""
    free = replace(options, max_samples=UNLIMITED, max_memory=UNLIMITED)
    codec.check_same(lambda: decode(data, free).equals(wanted))
    for of_group in open_bytes(data, free).groups:
        for stream in of_group:
            codec.prove(stream.decoder)


def info(data: bytes, options: Options) -> dict[str, Any]:
    """What a bundle holds and where its bytes go, whatever it declares. Raises FormatError; LimitError: the manifest is too large."""
    opened = open_bytes(data, replace(options, threads=1, max_samples=UNLIMITED))
    known = opened.manifest
    groups, by_dtype = [], dict[str, dict[str, int]]()
    for group, elements, sizes, of_group in zip(known.groups, known.sizes, opened.sizes, opened.groups, strict=True):
        taken = sum(container.framed(size) for size in sizes)
        groups.append(
            {
                "dtype": group.dtype.name,
                "coding": ("fields", "table", "steps", "sparse")[group.coding],
                "fields": list(group.fields),
                "elements": elements,
                "bytes": taken,
                "bits_per_element": 8 * taken / elements,
                "profiles": [stream.profile.name for stream in of_group],
            }
        )
        row = by_dtype.setdefault(group.dtype.name, {"tensors": 0, "raw_bytes": 0, "bytes": 0})
        row["bytes"] += taken
    for entry in known.entries:
        row = by_dtype.setdefault(entry.dtype.name, {"tensors": 0, "raw_bytes": 0, "bytes": 0})
        row["tensors"] += 1
        row["raw_bytes"] += entry.size * entry.dtype.width // 8
    coded = sum(row["bytes"] for row in by_dtype.values())
    elements = sum(entry.size for entry in known.entries)
    return {
        "kind": "tensors",
        "lossless": not known.lossy,
        "raw_bytes": known.nbytes,
        "file_bytes": len(data),
        "elements": elements,
        "bits_per_weight": 8 * len(data) / elements if elements else 0.0,
        "bytes": {"manifest": len(data) - coded, "streams": coded},
        "dtypes": by_dtype,
        "groups": groups,
        "tensors": manifest.describe(known),
        "metadata": {key: len(value) for key, value in known.metadata.items()},
        "digest": known.digest.hex(),
    }
