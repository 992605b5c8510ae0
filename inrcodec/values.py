"""Samples ↔ values ↔ bit-planes: sample = offset + step·value, with unsigned values, 0 ≤ value < 2^bits.

offset is the smallest sample. step is the greatest common divisor of the samples' differences from it. So a constant signal has 0 bits,
and samples that were shifted or scaled into a wider type have no more bits than before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]  # unsigned, of any width that holds them


@dataclass(frozen=True)
class ValueMap:
    """sample = offset + step·value; bits: the bit length of the largest value."""

    offset: int
    step: int
    bits: int


def value_type(bits: int) -> np.dtype[Any]:
    """The narrowest unsigned dtype for values below 2^bits, bits at most 64."""
    return np.dtype(next(t for t, width in ((np.uint8, 8), (np.uint16, 16), (np.uint32, 32), (np.uint64, 64)) if bits <= width))


def part_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of what is coded of samples of this type: of complex numbers, that of their floats."""
    return np.dtype(f"f{dtype.itemsize // 2}").newbyteorder(dtype.byteorder) if dtype.kind == "c" else dtype


def parts_of(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The samples; of complex numbers, their floats: the last axis is twice as long, the real part of each before the imaginary one."""
    return np.ascontiguousarray(samples).view(part_type(samples.dtype)) if samples.dtype.kind == "c" else samples


def bits_of(samples: npt.NDArray[Any]) -> Values:
    """The bits of samples of any type, unsigned, in native byte order: of integers, the samples modulo 2^w, w the bits of their type.

    Of complex numbers, those of their parts, see `parts_of`.
    """
    samples = parts_of(samples)
    unsigned = np.dtype(f"u{samples.dtype.itemsize}")
    return samples.view(unsigned.newbyteorder(samples.dtype.byteorder)).astype(unsigned, copy=False)


def plain_bools(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The samples; of bools with other bytes than 0 and 1, which mean True and which Pillow gives, a copy that has only these."""
    if samples.dtype.kind != "b" or not samples.size or int(samples.view(np.uint8).max()) <= 1:
        return samples
    plain: npt.NDArray[Any] = samples.view(np.uint8) != 0
    return plain


def _step(values: Values) -> int:
    """The greatest common divisor of all values; 1 if all are 0."""
    if values.dtype.itemsize <= 2:
        values = np.flatnonzero(np.bincount(values.ravel())).astype(values.dtype)
    return int(np.gcd.reduce(values, axis=None)) or 1


def to_values(samples: npt.NDArray[Any]) -> tuple[Values, ValueMap]:
    """The values of integer or bool samples, in the same shape and the narrowest unsigned dtype, and the map back to the samples."""
    offset = int(samples.min())
    wrapped = bits_of(samples)
    values = wrapped - wrapped.dtype.type(offset % (1 << 8 * wrapped.dtype.itemsize))
    step = _step(values)
    if step > 1:
        values //= values.dtype.type(step)
    bits = int(values.max()).bit_length()
    return values.astype(value_type(bits), copy=False), ValueMap(offset, step, bits)


def values_by(samples: npt.NDArray[Any], value_map: ValueMap) -> Values:
    """The values of integer or bool samples by a map of step 1 that is given, in the same shape and the narrowest unsigned dtype.

    The samples must be offset … offset + 2^bits − 1.
    """
    wrapped = bits_of(samples)
    values: Values = wrapped - wrapped.dtype.type(value_map.offset % (1 << 8 * wrapped.dtype.itemsize))
    return values.astype(value_type(value_map.bits), copy=False)


def from_values(values: Values, value_map: ValueMap, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The samples of these values, in the same shape, of type `dtype`. fits(value_map, dtype) must hold.

    Values as wide as the samples are overwritten, unless they are read-only: the samples take their place in memory.
    """
    wrapped = values.astype(f"u{dtype.itemsize}", copy=not values.flags.writeable)
    whole = 1 << 8 * dtype.itemsize
    step, offset = value_map.step % whole, value_map.offset % whole
    if step != 1:
        wrapped *= wrapped.dtype.type(step)
    if offset:
        wrapped += wrapped.dtype.type(offset)
    if not dtype.isnative:
        wrapped.byteswap(inplace=True)
    return wrapped.view(dtype)


def type_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest sample of an integer or bool type."""
    if dtype.kind == "b":
        return 0, 1
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def fits(value_map: ValueMap, dtype: np.dtype[Any]) -> bool:
    """Whether a map read from a file is possible for samples of this type: the samples of value 0 and of value 2^(bits − 1) must fit."""
    low, high = type_range(dtype)
    if not (low <= value_map.offset <= high and value_map.step >= 1 and 0 <= value_map.bits <= 64):
        return False
    return value_map.bits == 0 or value_map.offset + (value_map.step << (value_map.bits - 1)) <= high


def to_gray(values: Values) -> Values:
    """The reflected binary code (F. Gray, US patent 2632058, 1953) of each value, in the same shape and dtype.

    Neighbouring values differ in one bit, so bit-planes of smooth signals change less often.
    """
    codes: Values = values ^ (values >> np.uint64(1))
    return codes


def from_gray(codes: Values) -> Values:
    """The inverse of `to_gray`."""
    values = codes.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < 8 * values.dtype.itemsize:
            values ^= values >> values.dtype.type(shift)
    return values


def plane_bits(values: Values, bits: int) -> npt.NDArray[np.uint8]:
    """Values (n, channels) → their bits (n, channels·bits), uint8: all bits of a channel together, the most significant first."""
    planes = np.empty((*values.shape, bits), np.uint8)
    for b in range(bits):
        planes[:, :, b] = (values >> values.dtype.type(bits - 1 - b)) & values.dtype.type(1)
    return planes.reshape(len(values), -1)


def join_bits(planes: npt.NDArray[np.uint8], bits: int) -> Values:
    """The inverse of `plane_bits`: bits (n, channels·bits) → values (n, channels) of the narrowest type."""
    values = np.zeros((len(planes), planes.shape[1] // max(bits, 1)), value_type(bits))
    columns = planes.reshape(len(planes), -1, max(bits, 1))
    for b in range(bits):
        values <<= values.dtype.type(1)
        values |= columns[:, :, b]
    return values


BLOCK = 64  # values among which gaps are looked for


def bits_saved_by_gaps(used: npt.NDArray[np.int64], counts: npt.NDArray[Any]) -> float:
    """An estimate of the bits that a table of the values that occur would save, over all samples.

    used: (n,) the values that occur, ascending, 0 or more; counts: (n,) how many samples have each.

    The values from 0 up are cut into blocks of BLOCK. If the samples of a block fell on its values by chance, all equally likely, a certain
    number of different values would be expected to occur. If fewer do, the missing ones are gaps, and a table that excludes them
    saves log2(expected / found) bits for each sample of the block.
    """
    _, starts = np.unique(used // BLOCK, return_index=True)
    samples, met = np.add.reduceat(counts, starts).astype(np.float64), np.diff(starts, append=len(used))
    expected = -BLOCK * np.expm1(samples * np.log1p(-1 / BLOCK))
    return float((samples * np.maximum(np.log2(expected / met), 0)).sum())
