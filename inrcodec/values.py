"""Samples ↔ the unsigned values whose bit-planes are coded: sample = offset + step·value, 0 ≤ value < 2^bits.

offset is the smallest sample and step the greatest common divisor of the differences, so that constant signals need no
planes and samples shifted or scaled into a wider type need no more planes than they have information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]  # unsigned, of any width that holds them


@dataclass(frozen=True)
class ValueMap:
    """sample = offset + step·value; `bits` planes hold the largest value."""

    offset: int
    step: int
    bits: int


def value_type(bits: int) -> np.dtype[Any]:
    """The narrowest unsigned type for values below 2^bits."""
    return np.dtype(next(t for t, width in ((np.uint8, 8), (np.uint16, 16), (np.uint32, 32), (np.uint64, 64)) if bits <= width))


def _wrapped(samples: npt.NDArray[Any]) -> Values:
    """The samples modulo 2^w, w being the bits of their type."""
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return native.view(f"u{native.dtype.itemsize}")


def _step(values: Values) -> int:
    """The greatest common divisor; 1 if all are 0."""
    if values.dtype.itemsize <= 2:
        values = np.flatnonzero(np.bincount(values.ravel())).astype(values.dtype)
    return int(np.gcd.reduce(values, axis=None)) or 1


def to_values(samples: npt.NDArray[Any]) -> tuple[Values, ValueMap]:
    """The values of integer or bool samples, same shape, and the map that leads back."""
    offset = int(samples.min())
    wrapped = _wrapped(samples)
    values = wrapped - wrapped.dtype.type(offset % (1 << 8 * wrapped.dtype.itemsize))
    step = _step(values)
    if step > 1:
        values //= values.dtype.type(step)
    bits = int(values.max()).bit_length()
    return values.astype(value_type(bits), copy=False), ValueMap(offset, step, bits)


def from_values(values: Values, value_map: ValueMap, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The samples of these values, of type `dtype`. `fits` must hold of the map."""
    wrapped = values.astype(f"u{dtype.itemsize}")
    whole = 1 << 8 * dtype.itemsize
    wrapped *= wrapped.dtype.type(value_map.step % whole)
    wrapped += wrapped.dtype.type(value_map.offset % whole)
    native = wrapped.view(np.dtype(f"{dtype.kind}{dtype.itemsize}"))
    return native.astype(dtype, copy=False)


def type_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest sample of an integer or bool type."""
    if dtype.kind == "b":
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def fits(value_map: ValueMap, dtype: np.dtype[Any]) -> bool:
    """Whether a map read from a file can lead to samples of this type: the smallest is one, the largest value's leading bit too."""
    low, high = type_range(dtype)
    if not (low <= value_map.offset <= high and value_map.step >= 1 and 0 <= value_map.bits <= 64):
        return False
    return value_map.bits == 0 or value_map.offset + (value_map.step << (value_map.bits - 1)) <= high


def to_gray(values: Values) -> Values:
    """The reflected binary code (Gray): neighbouring values differ in one bit, so planes of smooth signals change less often."""
    codes: Values = values ^ (values >> np.uint64(1))
    return codes


def from_gray(codes: Values) -> Values:
    """The inverse of `to_gray`."""
    values = codes.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        values ^= values >> np.uint64(shift)
    return values


def plane_bits(values: Values, bits: int) -> npt.NDArray[np.uint8]:
    """(n, channels) values → (n, channels·bits) bits, a channel's together, the most significant first."""
    shifts = np.arange(bits - 1, -1, -1, dtype=np.uint64)
    return ((values[:, :, None] >> shifts) & np.uint64(1)).astype(np.uint8).reshape(len(values), -1)


def join_bits(planes: npt.NDArray[np.uint8], bits: int) -> Values:
    """The inverse of `plane_bits`."""
    values = np.zeros((len(planes), planes.shape[1] // max(bits, 1)), np.uint64)
    columns = planes.reshape(len(planes), -1, max(bits, 1))
    for b in range(bits):
        values = (values << np.uint64(1)) | columns[:, :, b]
    return values


BLOCK = 64  # values among which gaps are looked for


def bits_saved_by_gaps(used: npt.NDArray[np.int64], counts: npt.NDArray[Any]) -> float:
    """Bits that it saves to know which values occur.

    used: the values that do, ascending, from 0 up, (n,); counts: how many samples have each, (n,).

    If all values of a block were equally likely, s samples would meet a certain number of different ones by chance. Where they meet
    fewer, the others are taken for gaps, and knowing them saves log2(expected/met) bits a sample.
    """
    _, starts = np.unique(used // BLOCK, return_index=True)
    samples, met = np.add.reduceat(counts, starts).astype(np.float64), np.diff(starts, append=len(used))
    expected = -BLOCK * np.expm1(samples * np.log1p(-1 / BLOCK))
    return float((samples * np.maximum(np.log2(expected / met), 0)).sum())
