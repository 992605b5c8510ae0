"""Elements of a group ↔ the arrays of integers that its streams hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..tensors import DType
from ..weightfloats import from_double
from ..weights.sinr import Sparse, dictionary_size, expand, vector_shape
from .manifest import BITS, SPARSE, STEPS, TABLE, Group, matrix_of

Words = npt.NDArray[Any]  # (elements,), unsigned integers
EXPANDED = 48 << 20  # bytes that expanding sparse codes takes besides, see weights.sinr


def field_type(width: int) -> np.dtype[Any]:
    """The smallest unsigned type of so many bits."""
    return np.dtype(f"u{next(n for n in (1, 2, 4, 8) if 8 * n >= width)}")


def split(words: Words, widths: Sequence[int]) -> list[Words]:
    """The fields of elements, the highest bits first, each in the smallest unsigned type."""
    found, shift = [], sum(widths)
    for width in widths:
        shift -= width
        part = words >> words.dtype.type(shift) if shift else words
        if width < 8 * words.dtype.itemsize:
            part = part & words.dtype.type((1 << width) - 1)
        found.append(part.astype(field_type(width)))
    return found


def join(fields: Sequence[npt.NDArray[Any]], widths: Sequence[int], dtype: DType) -> Words:
    """The inverse of `split`; a field may be signed, and counts modulo 2^width. fields: flat. Raises FormatError."""
    out = np.zeros(len(fields[0]), dtype.word)
    for part, width in zip(fields, widths, strict=True):
        _check_range(part, -(1 << (width - 1)), (1 << width) - 1, "a field")
        if width == dtype.width:
            return part.astype(dtype.word)
        out <<= dtype.word.type(width)
        out |= part.astype(dtype.word) & dtype.word.type((1 << width) - 1)
    return out


def _check_range(numbers: npt.NDArray[Any], least: int, most: int, what: str) -> None:
    if numbers.size and not least <= int(numbers.min()) <= int(numbers.max()) <= most:
        raise FormatError(f"damaged: {what} of a tensor is out of range")


def check_sizes(group: Group, elements: int, shape: Sequence[int], sizes: Sequence[tuple[int, ...]]) -> None:
    """Raise FormatError if streams do not have the sizes that a group must have, before any is decoded.

    elements: of the group; shape: of its first tensor; sizes: the shape of each stream's array.
    """
    counts = [math.prod(size) for size in sizes]
    if group.coding == SPARSE:
        vectors, length = vector_shape(matrix_of(shape))
        right = counts[0] == counts[1] and counts[0] % vectors == 0 and counts[0] // vectors <= length
    elif group.coding == TABLE:
        right = counts[1] == elements and counts[0] <= max(elements, 1)
    else:
        right = all(count == elements for count in counts)
    if not right:
        raise FormatError("damaged: a stream has more or fewer numbers than its tensors")


def decoded_memory(group: Group, elements: int, streams: Sequence[int]) -> int:
    """The most bytes that making the elements of a group takes at once. streams: bytes of each stream's array."""
    word = group.dtype.word.itemsize
    extra = {BITS: 2 * word, TABLE: word, STEPS: 60, SPARSE: 100}[group.coding] * elements
    return sum(streams) + word * elements + extra + (EXPANDED if group.coding == SPARSE else 0)


def elements_of(group: Group, shape: Sequence[int], arrays: Sequence[npt.NDArray[Any]]) -> Words:
    """The elements of a group, flat, from the flat arrays of its streams. shape: of its first tensor. Raises FormatError."""
    if group.coding == BITS:
        return join(arrays, group.fields, group.dtype)
    if group.coding == TABLE:
        table, index = arrays
        _check_range(table, 0, (1 << group.dtype.width) - 1, "an entry")
        _check_range(index, 0, len(table) - 1, "an index")
        found: Words = table.astype(group.dtype.word)[index.astype(np.intp)]
        return found
    known = group.lossy
    assert known is not None, "the manifest was checked"
    if group.coding == STEPS:
        _check_range(arrays[0], -(1 << 31), (1 << 31) - 1, "an integer")
        whole = arrays[0].astype(np.float64)
    else:
        whole = _sparse(group, matrix_of(shape), arrays).astype(np.float64).reshape(-1)
    with np.errstate(over="ignore", under="ignore"):
        return from_double(whole * known.step, group.dtype.name)


def _sparse(group: Group, shape: tuple[int, int], arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """The integer matrix of sparse codes. Raises FormatError."""
    gaps, values = arrays
    vectors, length = vector_shape(shape)
    atoms = dictionary_size(length, group.form)
    _check_range(gaps, 0, atoms - 1, "a gap")
    _check_range(values, -group.form.largest, group.form.largest, "a sparse value")
    positions = np.cumsum(gaps.reshape(vectors, -1).astype(np.int64) + 1, axis=1) - 1
    _check_range(positions, 0, atoms - 1, "an atom")
    return expand(Sparse(shape, positions, values.reshape(vectors, -1).astype(np.int16), group.form), group.seed)
