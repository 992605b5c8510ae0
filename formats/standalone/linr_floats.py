"""Floats of .linr files: the maps of section 2, the fine bits of section 4, and what section 17 makes of them. Part of linr.py.

Each float is made by itself, from Python's integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from linr import Reader, Words, invalid, require, unbrotli

BITS, FIXED, PRODUCT, QUOTIENT, SPLIT, NARROW = range(6)
MANTISSA = {16: 11, 32: 24, 64: 53}
LEAST = {16: -24, 32: -149, 64: -1074}
MOST = {16: 15, 32: 127, 64: 1023}
FLAGS = 1 << 16  # values whose flags stand together
FORMATS = ((16, 11, -24), (16, 8, -133), (32, 24, -149))  # bits, bits of the mantissa, least exponent: binary16, bfloat16, binary32


@dataclass
class FloatMap:
    """Which float an integer stands for. The factor is a binary64."""

    width: int
    way: int
    exponent: int = 0
    digits: int = 0
    factor: Any = None
    bfloat16: bool = False
    format: tuple[int, int, int] = (0, 0, 0)  # of the way narrow
    two_zeros: bool = False
    missing: tuple[int, int] | None = None  # a pattern, and the number that stands for it

    @property
    def infinity(self) -> int:
        """Its pattern."""
        return (1 << self.width - 1) - (1 << (8 if self.bfloat16 else MANTISSA[self.width]) - 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """A type of floats of this width; NumPy has no bfloat16."""
        return np.dtype(f"f{self.width // 8}")


def read_map(reader: Reader, width: int, bfloat16: bool) -> FloatMap:
    code = reader.byte()
    way, special = code & 63, code >> 6
    require(way <= NARROW and (special == 0 or FIXED <= way <= QUOTIENT), "an unknown way to map floats")
    require(way == BITS or not bfloat16, "a way that bfloat16 does not have")
    found = FloatMap(width, way, bfloat16=bfloat16, two_zeros=special >= 2)
    if special & 1:
        found.missing = reader.varint(), reader.signed()
        require(found.missing[0] < 1 << width, "the pattern of a missing value is out of range")
        require(abs(found.missing[1]) < 1 << width - 1, "the number of a missing value is out of range")
    if way in (FIXED, SPLIT):
        found.exponent = reader.signed()
        require(LEAST[width] <= found.exponent <= MOST[width], "the exponent of floats is out of range")
    if way == SPLIT:
        found.digits = reader.byte()
        require(1 <= found.digits <= MANTISSA[width], "the digits of floats are out of range")
    if way in (PRODUCT, QUOTIENT):
        found.factor = np.frombuffer(reader.take(8), "<f8")[0]
        require(bool(np.finfo(np.float64).tiny <= abs(found.factor) < np.inf), "the factor of floats is out of range")
    if way == NARROW:
        number = reader.byte()
        require(number < len(FORMATS) and FORMATS[number][1] < MANTISSA[width] and FORMATS[number][0] < width, "not a narrower format")
        found.format = FORMATS[number]
    return found


def pattern_of(m: int, e: int, width: int, *, rounded: bool = False) -> int:
    """The pattern of bits of m·2^e, m ≥ 0, perhaps rounded to the nearest, ties to even, and limited to the largest number."""
    p, least = MANTISSA[width], LEAST[width]
    if m == 0:
        return 0
    unit = max(m.bit_length() + e - p, least)  # the number is a multiple of 2^unit
    if unit <= e:
        m <<= e - unit
    else:
        low, half = m & ((1 << unit - e) - 1), 1 << unit - e - 1
        m >>= unit - e
        require(rounded or low == 0, "a sample has more bits than a float")
        m += low > half or (low == half and m & 1)
    found = (unit - least << p - 1) + m  # the leading bit of m, if it is there, and a carry count in the exponent
    infinity = (1 << width - 1) - (1 << p - 1)
    require(rounded or found < infinity, "a sample is beyond the range of floats")
    return min(found, infinity - 1)


def scaled(n: int, m: FloatMap, *, rounded: bool) -> int:
    """The pattern of n times, or divided by, the factor."""
    require(rounded or abs(n) <= 2**53, "a sample has too many bits to be multiplied")
    wide = np.float64(min(max(n, -(2**53)), 2**53))
    limits = np.finfo(m.dtype)
    with np.errstate(over="ignore", under="ignore"):
        number = m.dtype.type(wide * m.factor if m.way == PRODUCT else wide / m.factor)
    normal = bool(limits.tiny <= abs(number) <= limits.max)
    require(rounded or normal or n == 0, "a sample is beyond the range of floats")
    if rounded and abs(number) < limits.tiny:
        return 0
    return int(np.clip(number, limits.min, limits.max).view(f"u{m.width // 8}"))


def widened(n: int, m: FloatMap, *, rounded: bool) -> int:
    """The pattern of a float of a narrower format, which n stands for as in way bits."""
    bits, p, least = m.format
    infinity = (1 << bits - 1) - (1 << p - 1)
    if rounded:
        n = min(max(n, -1 - infinity), infinity)
    require(-(1 << bits - 1) <= n < 1 << bits - 1, "a sample is beyond the range of a narrower format")
    k, sign = (n, 0) if n >= 0 else (-1 - n, 1 << m.width - 1)
    if k >= infinity:
        return sign | m.infinity | (k - infinity) << MANTISSA[m.width] - p
    e, fraction = k >> p - 1, k & ((1 << p - 1) - 1)
    if e > 0:
        fraction, e = fraction + (1 << p - 1), e - 1
    return sign | pattern_of(fraction, least + e, m.width)


def floats_of(integers: npt.NDArray[Any], m: FloatMap, *, rounded: bool = False) -> npt.NDArray[Any]:
    """The floats of integers (Python's, of w bits with their sign), in the same shape; rounded: those of section 17."""
    sign = 1 << m.width - 1

    def pattern(n: int) -> int:
        if m.missing is not None and n == m.missing[1]:
            return m.missing[0]
        if m.two_zeros and n < 0:
            return plain(-1 - n) ^ sign
        return plain(n)

    def plain(n: int) -> int:
        if m.way == NARROW:
            return widened(n, m, rounded=rounded)
        if m.way == BITS:
            n = min(max(n, -1 - m.infinity), m.infinity) if rounded else n
            return n if n >= 0 else -1 - n | sign
        if m.way in (PRODUCT, QUOTIENT):
            return scaled(n, m, rounded=rounded)
        return pattern_of(abs(n), m.exponent, m.width, rounded=rounded) | (sign if n < 0 else 0)

    found = np.array([pattern(int(n)) for n in integers.reshape(-1)], f"u{m.width // 8}")
    return found.view(m.dtype).reshape(integers.shape)


def divided(tile: bytes, values: int, width: int) -> tuple[bytes, bytes]:
    """What the profile has coded of a tile, and the string of fine bits."""
    reader = Reader(tile)
    coded = reader.take(reader.varint())
    mode = reader.byte()
    require(mode <= 1, "an unknown mode of fine bits")
    if mode == 0:
        return coded, reader.rest()
    size = reader.varint()
    require(size <= ((width + 1) * values + 7) // 8, "too many fine bits")
    return coded, unbrotli(reader.rest(), size)


class Bits:
    """Numbers from a string of bits."""

    def __init__(self, data: bytes) -> None:
        self.left = 8 * len(data)
        self.bits: Iterator[int] = iter(np.unpackbits(np.frombuffer(data, np.uint8)).tolist())

    def take(self, count: int) -> int:
        self.left -= count
        require(self.left >= 0, "the fine bits end early")
        number = 0
        for _ in range(count):
            number = number << 1 | next(self.bits)
        return number

    def finish(self) -> None:
        require(self.left < 8 and self.take(self.left) == 0, "the fine bits are not filled with zeros")


def with_fine_bits(integers: npt.NDArray[Any], m: FloatMap, fine: bytes) -> npt.NDArray[Any]:
    """The floats of the integers of a tile, in one axis, and of its fine bits."""
    bits = Bits(fine)
    sign = 1 << m.width - 1
    patterns = list[int]()
    for start in range(0, len(integers), FLAGS):
        numbers = [int(n) for n in integers[start : start + FLAGS]]
        flags = iter([bits.take(1) for n in numbers if n == 0])
        for n in numbers:
            if n == 0:
                patterns.append(bits.take(m.width if next(flags) else 0))
                continue
            length = abs(n).bit_length()
            if length > m.digits:
                invalid("a sample has more bits than a float")
            more = min(m.digits - length, m.exponent - LEAST[m.width])
            patterns.append(pattern_of(abs(n) << more | bits.take(more), m.exponent - more, m.width) | (sign if n < 0 else 0))
    bits.finish()
    return np.array(patterns, f"u{m.width // 8}").view(m.dtype)


def integers_of(values: Words, offset: int, step: int, width: int, *, wrapped: bool = True) -> npt.NDArray[Any]:
    """offset + step·value, as Python's integers: modulo 2^width, or limited to what so many bits hold with a sign."""
    whole = offset + step * values.astype(object)
    half = 1 << width - 1
    return (whole + half) % (2 * half) - half if wrapped else np.clip(whole, -half, half - 1)
