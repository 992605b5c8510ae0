"""Floats ↔ integers, exactly: a `FloatMap` says which signed integer, as wide as the float, stands for which float.

Floats of the type uint16 are patterns of bits of bfloat16. They are mapped by form "bits" only.

Form "fixed" is for what was made from integers, as most recordings are; "product" and "quotient" for such integers times a gain, or divided
by a full scale or a power of ten; "split" for sound that was mixed in floats; "narrow" for floats of a narrower format; "bits" for
everything else. SPEC.md 2 defines them.

Integers become floats by operations on integers, or by a single IEEE-754 operation and a rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .container import Reader, varint, zigzag
from .errors import FormatError
from .values import bits_of

Form = Literal["bits", "fixed", "product", "quotient", "split", "narrow"]
FORMS: tuple[Form, ...] = get_args(Form)  # by their numbers
SIZES = (2, 4, 8)  # bytes of a float
SCALED = 1 << 53  # products and quotients are of integers up to this
BLOCK = 1 << 16  # samples worked on at a time

Integers = npt.NDArray[Any]  # signed, as wide as the floats
Floats = npt.NDArray[Any]
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class FloatMap:
    """Which float an integer n stands for.

    Attributes:
        form: "bits": n is the float's pattern of bits, in the order of the numbers. "fixed": n·2^exponent. "product": n·factor, rounded.
            "quotient": n/factor, rounded. "split": n·2^exponent is what is left of the float without its lower bits; its fine bits, which
            stand apart, give those.
        exponent: of "fixed" and "split".
        digits: of "split": no mantissa has more bits, the leading one included.
        factor: of "product" and "quotient"; if it is below 0, the float of 0 is −0.
        narrower: of "narrow": the format of which n is the pattern of bits, in the order of the numbers; one of NARROWER.
        two_zeros: of "fixed", "product" and "quotient": n below 0 stands for what −1 − n stands for, with the other sign; so −1 is −0.
        missing: of the same: None, or (pattern, number): this integer stands for the float with this pattern of bits, such as a NaN.
    """

    form: Form = "bits"
    exponent: int = 0
    digits: int = 0
    factor: float = 1.0
    narrower: str = ""
    two_zeros: bool = False
    missing: tuple[int, int] | None = None

    @property
    def linear(self) -> bool:
        """Whether equal steps of integers are equal steps of floats."""
        return self.form not in ("bits", "narrow")

    @property
    def unit(self) -> float:
        """The size of the float of the integer 1, without rounding to the type; of linear maps."""
        if self.form in ("product", "quotient"):
            return abs(self.factor if self.form == "product" else 1 / self.factor)
        return math.ldexp(1.0, self.exponent)


@dataclass(frozen=True)
class Binary:
    """An IEEE-754 format.

    Attributes:
        width: its bits, 16, 32 or 64.
        digits: bits of a mantissa, the leading one included.
        least: exponent of the unit of the smallest numbers: all numbers are multiples of 2^least.
    """

    width: int
    digits: int
    least: int

    @property
    def stored(self) -> int:
        """Bits of the mantissa that are stored."""
        return self.digits - 1

    @property
    def infinity(self) -> int:
        """The pattern of bits of infinity; those of NaNs are above it."""
        return ((1 << self.width - 1) - 1) >> self.stored << self.stored

    @property
    def most(self) -> int:
        """The greatest exponent of a map: that of the largest power of two."""
        return (self.infinity >> self.stored) - 2 + self.least + self.stored


FORMATS = {2: Binary(16, 11, -24), 4: Binary(32, 24, -149), 8: Binary(64, 53, -1074)}  # by bytes
BFLOAT16 = Binary(16, 8, -133)
NARROWER = {"binary16": FORMATS[2], "bfloat16": BFLOAT16, "binary32": FORMATS[4]}  # by their numbers in files
NAMED = {**NARROWER, "binary64": FORMATS[8]}  # likewise


def binary(dtype: np.dtype[Any]) -> Binary:
    """The format of a type of floats."""
    return BFLOAT16 if dtype.kind == "u" else FORMATS[dtype.itemsize]


def format_name(dtype: np.dtype[Any]) -> str:
    """The name of the format of a type of floats: "binary16", "binary32" or "binary64"; of uint16, "bfloat16"."""
    return "bfloat16" if dtype.kind == "u" else f"binary{8 * dtype.itemsize}"


def integer_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of the integers that stand for floats of this type: signed and as wide."""
    return np.dtype(f"i{dtype.itemsize}")


def described(float_map: FloatMap) -> dict[str, str | int | float]:
    """What `info` shows of a map: "form", and the numbers that it has."""
    of_form = {"fixed": ("exponent",), "split": ("exponent", "digits"), "bits": (), "narrow": ("narrower",)}
    numbers = of_form.get(float_map.form, ("factor",))
    numbers += ("two_zeros",) * float_map.two_zeros + ("missing",) * (float_map.missing is not None)
    return {"form": float_map.form, **{name: getattr(float_map, name) for name in numbers}}


TWO_ZEROS, MISSING = 0x80, 0x40  # of the byte that has the form
EXTENDED = ("fixed", "product", "quotient")  # forms that may have them


def write_map(float_map: FloatMap) -> bytes:
    """What section HEAD has of a map."""
    flags = TWO_ZEROS * float_map.two_zeros | MISSING * (float_map.missing is not None)
    number = bytes([FORMS.index(float_map.form) | flags])
    if float_map.missing is not None:
        number += varint(float_map.missing[0]) + varint(zigzag(float_map.missing[1]))
    if float_map.form in ("fixed", "split"):
        return number + varint(zigzag(float_map.exponent)) + bytes([float_map.digits] if float_map.form == "split" else [])
    if float_map.form == "narrow":
        return number + bytes([list(NARROWER).index(float_map.narrower)])
    return number if float_map.form == "bits" else number + np.float64(float_map.factor).astype("<f8").tobytes()


def read_map(r: Reader, dtype: np.dtype[Any]) -> FloatMap:
    """Parse and check a map of floats of this type. Raises FormatError."""
    first = r.byte()
    number = first & ~(TWO_ZEROS | MISSING)
    if number >= len(FORMS):
        raise FormatError(f"it maps floats in way {number}, which this version does not know; a newer inrcodec may read it")
    form = FORMS[number]
    if form != "bits" and dtype.kind == "u":
        raise FormatError("damaged: bfloat16 is mapped by its bits only")
    if first != number and form not in EXTENDED:
        raise FormatError("damaged: the map of its floats has an unknown setting")
    missing = None
    if first & MISSING:
        missing = r.varint((1 << binary(dtype).width) - 1), r.signed()
        if missing[1].bit_length() >= binary(dtype).width:
            raise FormatError("damaged: the number of a missing value is out of range")
    return replace(_read_form(r, form, dtype), two_zeros=bool(first & TWO_ZEROS), missing=missing)


def _read_form(r: Reader, form: Form, dtype: np.dtype[Any]) -> FloatMap:
    """What follows the byte that has the form, and a missing value. Raises FormatError."""
    if form in ("fixed", "split"):
        exponent, b = r.signed(), binary(dtype)
        if not b.least <= exponent <= b.most:
            raise FormatError("damaged: the exponent of its floats is out of range")
        digits = r.byte() if form == "split" else 0
        if form == "split" and not 1 <= digits <= b.digits:
            raise FormatError("damaged: the digits of its floats are out of range")
        return FloatMap(form, exponent, digits)
    if form == "bits":
        return FloatMap()
    if form == "narrow":
        kind = r.byte()
        if kind >= len(NARROWER) or list(NARROWER.values())[kind].width >= binary(dtype).width:
            raise FormatError("damaged: the format of its floats is unknown")
        return FloatMap(form, narrower=list(NARROWER)[kind])
    factor = float(np.frombuffer(r.take(8), "<f8")[0])
    if not np.finfo(np.float64).tiny <= abs(factor) < math.inf:
        raise FormatError("damaged: the factor of its floats is out of range")
    return FloatMap(form, factor=factor)


# --- floats → integers --------------------------------------------------------------------------------------------


def ordered(patterns: Integers) -> Integers:
    """Patterns of bits, taken for signed integers, ↔ integers in the order of the numbers: −1 is −0, and 0 is 0."""
    top = 8 * patterns.dtype.itemsize - 1
    turned: Integers = patterns ^ ((patterns >> top) & patterns.dtype.type((1 << top) - 1))
    return turned


def parts(patterns: Words, b: Binary) -> tuple[Words, npt.NDArray[np.int64]]:
    """(m, q) of floats with these patterns of bits, without their signs: the float is m·2^q. Infinities and NaNs are as good as any."""
    fraction = patterns & np.uint64((1 << b.stored) - 1)
    field = (patterns >> np.uint64(b.stored)) & np.uint64((1 << b.width - 1 - b.stored) - 1)
    return fraction | ((field > 0).astype(np.uint64) << np.uint64(b.stored)), np.maximum(field.astype(np.int64), 1) - 1 + b.least


def magnitudes(samples: Floats, b: Binary) -> tuple[Words, npt.NDArray[np.bool_]]:
    """(patterns of bits without their signs, whether they are negative)."""
    patterns = bits_of(samples).astype(np.uint64)
    sign = np.uint64(1 << b.width - 1)
    return patterns & (sign - np.uint64(1)), (patterns & sign) > 0


def to_integers(samples: Floats, float_map: FloatMap) -> Integers:
    """The integers that stand for floats, in the same shape. The map must be one that can hold them: see `floatsearch`.

    "split": n·2^exponent is the float rounded towards 0; 0 also stands for infinities and NaNs.
    """
    if float_map.two_zeros or float_map.missing is not None:
        return _extended(samples, float_map)
    b, kind = binary(samples.dtype), integer_type(samples.dtype)
    if float_map.form == "bits":
        return ordered(bits_of(samples).view(kind))
    if float_map.form == "narrow":
        narrow = NARROWER[float_map.narrower]
        return ordered(_narrowed(bits_of(samples).reshape(-1), b, narrow).view(f"i{narrow.width // 8}")).astype(kind).reshape(samples.shape)
    if float_map.form in ("product", "quotient"):
        wide = samples.astype(np.float64)
        scaled = np.rint(wide / float_map.factor if float_map.form == "product" else wide * float_map.factor)
        return scaled.astype(kind)
    out, flat = np.empty(samples.size, kind), samples.reshape(-1)
    for start in range(0, len(flat), BLOCK):
        patterns, negative = magnitudes(flat[start : start + BLOCK], b)
        m, q = parts(patterns, b)
        up = np.clip(q - float_map.exponent, 0, 63).astype(np.uint64)
        down = np.clip(float_map.exponent - q, 0, 63).astype(np.uint64)
        n = ((m << up) >> down).astype(np.int64)
        n[patterns >= np.uint64(b.infinity)] = 0
        out[start : start + BLOCK] = np.where(negative, -n, n)
    return out.reshape(samples.shape)


def _narrowed(patterns: npt.NDArray[Any], b: Binary, narrow: Binary) -> npt.NDArray[Any]:
    """Patterns of bits of a format → those of a narrower one, where `_widened` gives them back; anything elsewhere. (n,) unsigned."""
    found = np.empty(len(patterns), f"u{narrow.width // 8}")
    for start in range(0, len(patterns), BLOCK):
        whole = patterns[start : start + BLOCK].astype(np.uint64)
        sizes = whole & np.uint64((1 << b.width - 1) - 1)
        m, q = parts(sizes, b)
        up = np.maximum(bit_lengths(m) - narrow.digits + q, narrow.least)  # exponent of the unit that the narrower float has
        shift = up - q
        mantissa = np.where(shift >= 0, m >> np.clip(shift, 0, 63).astype(np.uint64), m << np.clip(-shift, 0, 63).astype(np.uint64))
        out = ((up - narrow.least).astype(np.uint64) << np.uint64(narrow.stored)) + mantissa
        endless = sizes >= np.uint64(b.infinity)
        drop = np.uint64(b.stored - narrow.stored)
        out[endless] = np.uint64(narrow.infinity) + ((sizes[endless] - np.uint64(b.infinity)) >> drop)
        out[m == 0] = 0
        sign = whole >> np.uint64(b.width - 1) << np.uint64(narrow.width - 1)
        found[start : start + BLOCK] = ((out & np.uint64((1 << narrow.width - 1) - 1)) | sign).astype(found.dtype)
    return found


def _widened(patterns: npt.NDArray[Any], narrow: Binary, b: Binary) -> npt.NDArray[Any]:
    """Patterns of bits of a format → those of the same floats in a wider one; NaNs keep the bits of their mantissas. (n,) unsigned."""
    found = np.empty(len(patterns), f"u{b.width // 8}")
    for start in range(0, len(patterns), BLOCK):
        whole = patterns[start : start + BLOCK].astype(np.uint64)
        sizes = whole & np.uint64((1 << narrow.width - 1) - 1)
        m, q = parts(sizes, narrow)
        shift = np.minimum(b.digits - bit_lengths(m), q - b.least)  # less if the number is subnormal in the wider format too
        out = ((q - shift - b.least).astype(np.uint64) << np.uint64(b.stored)) + (m << shift.astype(np.uint64))
        endless = sizes >= np.uint64(narrow.infinity)
        out[endless] = np.uint64(b.infinity) + ((sizes[endless] - np.uint64(narrow.infinity)) << np.uint64(b.stored - narrow.stored))
        out[m == 0] = 0
        found[start : start + BLOCK] = (out | whole >> np.uint64(narrow.width - 1) << np.uint64(b.width - 1)).astype(found.dtype)
    return found


def _extended(samples: Floats, float_map: FloatMap) -> Integers:
    """`to_integers` of a map with two zeros or a missing value."""
    patterns, plain = bits_of(samples), replace(float_map, two_zeros=False, missing=None)
    gone = patterns == float_map.missing[0] if float_map.missing is not None else np.zeros(samples.shape, bool)
    kept = np.where(gone, samples.dtype.type(0), samples)
    integers = to_integers(np.abs(kept) if float_map.two_zeros else kept, plain)
    if float_map.two_zeros:
        integers = np.where(np.signbit(kept), -1 - integers, integers)
    if float_map.missing is not None:
        integers[gone] = float_map.missing[1]
    return integers


# --- integers → floats --------------------------------------------------------------------------------------------


def bit_lengths(numbers: Words) -> npt.NDArray[np.int64]:
    """The bit length of each number."""
    filled = numbers.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        filled |= filled >> np.uint64(shift)
    return np.bitwise_count(filled).astype(np.int64)


def room(n: Words, exponent: int, b: Binary, digits: int = 0) -> npt.NDArray[np.int64]:
    """How many bits a float of this format has below n·2^exponent, n not 0; less than 0: it has not even all of these.

    digits: bits of its mantissa; 0: those of the format.
    """
    return np.minimum((digits or b.digits) - bit_lengths(n), exponent - b.least)


def _fixed(n: npt.NDArray[np.int64], exponent: int, b: Binary, rounded: bool) -> Words:
    """The patterns of bits, without signs, of |n|·2^exponent. Raises FormatError if one is no float, unless they are to be rounded."""
    m = np.abs(n).view(np.uint64)
    shift = room(m, exponent, b)
    shift[m == 0] = 0
    up, down = np.maximum(shift, 0).astype(np.uint64), np.maximum(-shift, 0).astype(np.uint64)
    lost = m & ((np.uint64(1) << down) - np.uint64(1))
    kept = (m >> down) << up
    if rounded:
        half = (np.uint64(1) << down) >> np.uint64(1)
        kept += (down > 0) & ((lost > half) | ((lost == half) & ((kept & np.uint64(1)) > 0)))
    elif lost.any():
        raise FormatError("damaged: a sample has more bits than a float")
    patterns = ((exponent - shift - b.least).astype(np.uint64) << np.uint64(b.stored)) + kept
    patterns[m == 0] = 0
    return patterns


def _scaled(n: npt.NDArray[np.int64], float_map: FloatMap, dtype: np.dtype[Any], rounded: bool) -> Floats:
    """n times, or divided by, the factor, as floats of this type. rounded: see `from_integers`.

    Raises FormatError if one is neither 0 nor a normal number: others depend on how the processor is set.
    """
    if rounded:
        n = np.clip(n, -SCALED, SCALED)
    elif max(-int(n.min()), int(n.max())) > SCALED:
        raise FormatError("damaged: a sample has too many bits to be multiplied")
    wide, limits = n.astype(np.float64), np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        exact = wide * float_map.factor if float_map.form == "product" else wide / float_map.factor
        found = exact.astype(dtype.newbyteorder("="))
    size = np.abs(found)
    if rounded:
        found[size < limits.tiny] = 0
        limited: Floats = np.clip(found, limits.min, limits.max)
        return limited
    if not (((size >= limits.tiny) & (size <= limits.max)) | (n == 0)).all():
        raise FormatError("damaged: a sample is beyond the range of floats")
    return found


def from_integers(integers: Integers, float_map: FloatMap, dtype: np.dtype[Any], rounded: bool = False) -> Floats:
    """The floats of type `dtype` that integers stand for, in the same shape. integers: of `integer_type`.

    rounded: whether every integer is to have a float, the nearest there is, as for what a network says: SPEC.md 17 has it.
    Of "split", this is the float without its fine bits. Raises FormatError if there is no such float.
    """
    if float_map.two_zeros or float_map.missing is not None:
        return _from_extended(integers, float_map, dtype, rounded)
    b = binary(dtype)
    if float_map.form == "bits":
        within = np.clip(integers, -1 - b.infinity, b.infinity) if rounded else integers
        return patterned(ordered(within), dtype)
    if float_map.form == "narrow":
        narrow = NARROWER[float_map.narrower]
        small = f"i{narrow.width // 8}"
        limits = np.iinfo(small)
        if rounded:
            integers = np.clip(integers, -1 - narrow.infinity, narrow.infinity)
        elif int(integers.min()) < limits.min or int(integers.max()) > limits.max:
            raise FormatError("damaged: a sample has more bits than its format")
        patterns = ordered(integers.reshape(-1).astype(small)).view(f"u{narrow.width // 8}")
        return patterned(_widened(patterns, narrow, b), dtype).reshape(integers.shape)
    flat = integers.reshape(-1)
    out = np.empty(len(flat), f"u{dtype.itemsize}")
    for start in range(0, len(flat), BLOCK):
        n = flat[start : start + BLOCK].astype(np.int64)
        if float_map.form in ("product", "quotient"):
            out[start : start + BLOCK] = bits_of(_scaled(n, float_map, dtype, rounded))
            continue
        patterns = _fixed(n, float_map.exponent, b, rounded)
        if rounded:
            patterns = np.minimum(patterns, np.uint64(b.infinity - 1))
        elif len(patterns) and int(patterns.max()) >= b.infinity:
            raise FormatError("damaged: a sample is beyond the range of floats")
        out[start : start + BLOCK] = patterns | ((n < 0).astype(np.uint64) << np.uint64(b.width - 1))
    return patterned(out, dtype).reshape(integers.shape)


def _from_extended(integers: Integers, float_map: FloatMap, dtype: np.dtype[Any], rounded: bool) -> Floats:
    """`from_integers` of a map with two zeros or a missing value."""
    plain = replace(float_map, two_zeros=False, missing=None)
    gone = integers == float_map.missing[1] if float_map.missing is not None else np.zeros(integers.shape, bool)
    kept = np.where(gone, integers.dtype.type(0), integers)
    negative = kept < 0
    if float_map.two_zeros:
        kept = np.where(negative, -1 - kept, kept)
    patterns = bits_of(from_integers(kept, plain, dtype, rounded))
    if float_map.two_zeros:
        patterns = patterns ^ (negative.astype(patterns.dtype) << patterns.dtype.type(binary(dtype).width - 1))
    if float_map.missing is not None:
        patterns[gone] = float_map.missing[0]
    return patterned(patterns, dtype)


def patterned(patterns: npt.NDArray[Any], dtype: np.dtype[Any]) -> Floats:
    """The floats of type `dtype` with these patterns of bits, integers of the same width in native byte order."""
    return patterns.astype(patterns.dtype.newbyteorder(dtype.byteorder), copy=False).view(dtype)
