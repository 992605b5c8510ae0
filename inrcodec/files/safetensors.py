"""safetensors ↔ `Tensors`: 8 bytes with the length of a JSON header, the header, then the elements of all tensors. Byte for byte.

https://github.com/huggingface/safetensors has the format. A header that `header_of` would write is not kept; another one is kept as it is.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..limits import Limits
from ..tensors import BY_NAME, MAX_AXES, DType, Tensor, Tensors, shape_fault
from .bounds import contents

LARGEST_HEADER = 100_000_000  # bytes: what the original allows
ENTRY = 2000  # bytes that a tensor takes while a header is read
OWN = "safetensors/metadata"  # key of the strings that a file has beside its tensors: a JSON object
RAW = "safetensors/header"  # key of a header that is not written as `header_of` would
STRINGS = "__metadata__"


def read(path: Path, file: BufferedReader, limits: Limits) -> Tensors:
    """The tensors of a file, in the order of its header. Raises FormatError, LimitError, UnsupportedError."""
    data = contents(file, limits)
    if len(data) < 8:
        raise FormatError("truncated: it ends within the first 8 bytes")
    (size,) = struct.unpack("<Q", data[:8])
    if size > min(LARGEST_HEADER, len(data) - 8):
        raise FormatError(f"truncated, or no safetensors file: its header should have {size} bytes")
    header = data[8 : 8 + size]
    listed = _parsed(header, limits, len(data))
    strings = listed.pop(STRINGS, None)
    metadata = {}
    if strings is not None:
        if not isinstance(strings, dict) or not all(isinstance(value, str) for value in strings.values()):
            raise FormatError(f"damaged: {STRINGS} of its header is no object of strings")
        metadata[OWN] = _json(strings)
    spans = _spans(listed, len(data) - 8 - size)
    limits.check_shape((sum(math.prod(shape) for _, shape, _ in spans.values()),))
    limits.check_memory(2 * len(data) + ENTRY * len(spans))
    tensors = {}
    for name, (dtype, shape, start) in spans.items():
        kind = dtype.word.newbyteorder("<") if dtype.width > 8 else dtype.word
        flat = np.frombuffer(data, kind, math.prod(shape), 8 + size + start).astype(dtype.word)
        tensors[name] = Tensor(dtype.name, flat.reshape(shape))
    found = Tensors(tensors, metadata)
    return found if header_of(found) == header else Tensors(tensors, {**metadata, RAW: header})


def _parsed(header: bytes, limits: Limits, held: int) -> dict[str, Any]:
    """The JSON object of a header. Raises FormatError; LimitError: parsing it may take more memory than the limits allow."""
    limits.check_memory(held + 40 * len(header))

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise FormatError("damaged: a name is in its header twice")
        return found

    def never(text: str) -> Any:
        raise FormatError(f"damaged: its header has {text[:20]}, which is no number of tensors")

    try:
        found = json.loads(header.decode("utf-8"), object_pairs_hook=once, parse_float=never, parse_constant=never)
    except (ValueError, RecursionError) as fault:
        raise FormatError(f"damaged, or no safetensors file: its header is not JSON ({fault})") from None
    if not isinstance(found, dict):
        raise FormatError("damaged: its header is no JSON object")
    return found


def _spans(listed: Mapping[str, Any], there: int) -> dict[str, tuple[DType, tuple[int, ...], int]]:
    """(type, shape, place of the first byte) of each tensor. The tensors fill all bytes, without gaps or overlaps. Raises FormatError."""
    found: dict[str, tuple[DType, tuple[int, ...], int]] = {}
    ends: dict[str, int] = {}
    for name, about in listed.items():
        if any(0xD800 <= ord(c) < 0xE000 for c in name):
            raise FormatError(f"damaged: the name {name!r} of a tensor is not valid Unicode")
        if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
            raise FormatError(f"damaged: tensor {name}: its header must have dtype, shape and data_offsets")
        shape, offsets = about["shape"], about["data_offsets"]
        if not _whole(shape) or not _whole(offsets) or len(offsets) != 2 or len(shape) > MAX_AXES or shape_fault(shape):
            raise FormatError(f"damaged: tensor {name}: its shape or its place is out of range")
        if about["dtype"] not in BY_NAME or not isinstance(about["dtype"], str):
            raise UnsupportedError(
                f"tensor {name} is of type {str(about['dtype'])[:40]}, which is not supported; known are {', '.join(BY_NAME)}"
            )
        dtype = BY_NAME[about["dtype"]]
        if offsets[1] - offsets[0] != math.prod(shape) * dtype.width // 8:
            raise FormatError(f"damaged: tensor {name}: its shape needs more or fewer bytes than its place has")
        found[name], ends[name] = (dtype, tuple(shape), offsets[0]), offsets[1]
    place = 0
    for name in sorted(found, key=lambda name: (found[name][2], ends[name])):
        if found[name][2] != place:
            raise FormatError(f"damaged: tensor {name} begins at byte {found[name][2]}, and the one before it ends at {place}")
        place = ends[name]
    if place != there:
        raise FormatError(f"truncated, or damaged: its tensors need {place} bytes, and there are {there}")
    return found


def _whole(numbers: Any) -> bool:
    """Whether this is a list of integers that are not negative."""
    return isinstance(numbers, list) and all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 62 for n in numbers)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def header_of(tensors: Tensors) -> bytes:
    """The header as the library safetensors writes it: the tensors in their order one after the other, padded to 8 bytes with spaces.

    Raises FormatError if the metadata cannot be those of such a file.
    """
    listed: dict[str, Any] = {}
    if OWN in tensors.metadata:
        listed[STRINGS] = _strings(tensors.metadata[OWN])
    place = 0
    for name, tensor in tensors.tensors.items():
        listed[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [place, place + tensor.nbytes]}
        place += tensor.nbytes
    plain = _json(listed)
    return plain + b" " * (-len(plain) % 8)


def _strings(value: bytes) -> dict[str, str]:
    try:
        found = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise FormatError(f"its metadata {OWN} is no JSON object of strings")
    return found


def write(path: Path, tensors: Tensors) -> None:
    """Write the file that the tensors were read from, byte for byte; of other tensors, one in the usual order.

    Raises UnsupportedError: a name is one that the format keeps for itself.
    """
    if STRINGS in tensors.tensors:
        raise UnsupportedError(f"a tensor cannot have the name {STRINGS} in a safetensors file")
    header, order = header_of(tensors), list(tensors.tensors)
    if RAW in tensors.metadata:
        kept = tensors.metadata[RAW]
        listed = {name: about for name, about in _parsed(kept, Limits(), 0).items() if name != STRINGS}
        spans = _spans(listed, tensors.nbytes)
        if {name: (t.dtype, t.shape) for name, t in tensors.tensors.items()} == {n: (d.name, shape) for n, (d, shape, _) in spans.items()}:
            ends = {name: start + tensors.tensors[name].nbytes for name, (_, _, start) in spans.items()}
            header, order = kept, sorted(order, key=lambda name: (spans[name][2], ends[name]))
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)))
        file.write(header)
        for name in order:
            file.write(tensors.tensors[name].raw())
