"""Finds what floats were made from (encoder only): integers on a binary grid, or integers times a gain, or divided by some number.

The smallest samples are small multiples of the step, and as floats they are precise: the smallest one divided by 1, 2, 3, … is tried as
the step. Going up octave by octave, each sample names its multiple, and leaves a narrower interval for the step, or none. A step from the
interval that is left, or one of a whole divisor, must give every sample back, bit for bit; else it is not taken.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from . import floats
from .errors import FormatError
from .floats import SCALED, Binary, FloatMap, Floats, Words
from .values import bits_of

DIVISORS = 1 << 10  # the smallest sample is at most so many steps
FIRST = 1 << 12  # of the smallest samples, by which a step is tried
DECIMALS = 9  # digits after the point that are tried
LEAST_EXPONENT = -1022  # of a factor that is a normal number
ROUNDING = 2.0**-52  # of quotients here
NEIGHBOURS = 4  # of the middle of an interval that are tried as well
FEW_BITS = 16  # of integers: with so few, no other map is looked for
FAR = 2.0**20  # times the median: a float beyond may stand for a value that is missing
DISTINCT = 1 << 20  # samples, spread over all, that a step is looked for in
Doubles = npt.NDArray[np.float64]


def _trailing_zeros(numbers: Words) -> npt.NDArray[np.int64]:
    """The zero bits below the lowest 1 of each number; 64 of 0."""
    lowest = numbers & (~numbers + np.uint64(1))
    found: npt.NDArray[np.int64] = np.bitwise_count(lowest - np.uint64(1)).astype(np.int64)
    return found


def fixed(samples: Floats) -> tuple[FloatMap, int] | None:
    """The map of form "fixed", with the largest exponent, and the bits of the largest integer; None if there is none that holds them all.

    There is none if a sample is −0, infinite or not a number, or if integers as wide as the samples cannot hold all.
    """
    b, flat = floats.binary(samples.dtype), samples.reshape(-1)
    least, most = math.inf, -math.inf
    for start in range(0, len(flat), floats.BLOCK):
        patterns, negative = floats.magnitudes(flat[start : start + floats.BLOCK], b)
        if bool((patterns >= np.uint64(b.infinity)).any()) or bool((negative & (patterns == 0)).any()):
            return None
        m, q = floats.parts(patterns[patterns > 0], b)
        if len(m):
            least = min(least, int((q + _trailing_zeros(m)).min()))
            most = max(most, int((q + floats.bit_lengths(m)).max()))
    if least == math.inf:
        return FloatMap("fixed", 0), 0
    exponent = min(int(least), b.most)
    bits = int(most) - exponent
    return (FloatMap("fixed", exponent), bits) if bits < b.width else None


def split(samples: Floats, bits: int) -> FloatMap | None:
    """The map of form "split" whose integers have at most so many bits, and no more than mantissas; None if all finite samples are 0."""
    b = floats.binary(samples.dtype)
    flat, largest, digits = samples.reshape(-1), 0, 1
    for start in range(0, len(flat), floats.BLOCK):
        patterns = floats.magnitudes(flat[start : start + floats.BLOCK], b)[0]
        patterns = patterns[(patterns > 0) & (patterns < np.uint64(b.infinity))]
        if len(patterns):
            m = floats.parts(patterns, b)[0]
            largest = max(largest, int(patterns.max()))
            digits = max(digits, int((floats.bit_lengths(m) - _trailing_zeros(m)).max()))
    if largest == 0:
        return None
    m, q = floats.parts(np.array([largest], np.uint64), b)
    exponent = int(q[0]) + int(floats.bit_lengths(m)[0]) - min(bits, digits)
    return FloatMap("split", min(max(exponent, b.least), b.most), digits)


def scaled(samples: Floats) -> FloatMap | None:
    """A map of form "quotient" or "product" that gives every sample back; None if none was found."""
    with np.errstate(all="ignore"):  # NaNs, and what is beyond all numbers
        return _scaled(samples)


def _scaled(samples: Floats) -> FloatMap | None:
    b = floats.binary(samples.dtype)
    flat = samples.reshape(-1)
    some = np.abs(flat[:: max(1, len(flat) // DISTINCT)].astype(np.float64))
    sizes = np.unique(some[some > 0])
    if not len(sizes) or not np.isfinite(sizes[-1]) or sizes[0] < np.finfo(samples.dtype).tiny:
        return None
    for candidate in _candidates(sizes, b):
        if holds(samples, candidate):
            return candidate
    return None


def turned(samples: Floats) -> FloatMap | None:
    """A map of form "quotient" or "product" with a factor below 0: of a sound that was turned upside down, whose zeros are all −0."""
    if not (np.signbit(samples) & (samples == 0)).any():
        return None
    upright = floats.patterned(bits_of(samples) ^ bits_of(np.array(-0.0, samples.dtype)), samples.dtype)
    found = scaled(upright)
    if found is None and (point := fixed(upright)) and point[0].exponent >= LEAST_EXPONENT:
        found = FloatMap("product", factor=math.ldexp(1.0, point[0].exponent))
    turned_map = replace(found, factor=-found.factor) if found else None
    return turned_map if turned_map and holds(samples, turned_map) else None


def narrow(samples: Floats) -> FloatMap | None:
    """The map of form "narrow" to the narrowest format that has all samples; None if there is none."""
    for name, b in sorted(floats.NARROWER.items(), key=lambda item: (item[1].width, -item[1].digits)):
        if b.width < floats.binary(samples.dtype).width:
            found = FloatMap("narrow", narrower=name)
            if _is_same(samples.reshape(-1)[:: max(1, samples.size // FIRST)], found) and _is_same(samples, found):
                return found
    return None


def _blocks(samples: Floats) -> Iterator[Floats]:
    """Samples, (n,), by blocks."""
    return (samples[start : start + floats.BLOCK] for start in range(0, len(samples), floats.BLOCK))


def _comes_back(block: Floats, float_map: FloatMap) -> bool:
    """Whether a map gives a block of samples back, bit for bit."""
    try:
        back = floats.from_integers(floats.to_integers(block, float_map), float_map, block.dtype)
    except FormatError:
        return False
    return np.array_equal(bits_of(back), bits_of(block))


def _is_same(samples: Floats, float_map: FloatMap) -> bool:
    """Whether a map gives samples, (n,), back, bit for bit."""
    return all(_comes_back(block, float_map) for block in _blocks(samples))


def linear(samples: Floats) -> tuple[FloatMap, int] | None:
    """The map of form "fixed", "product" or "quotient" with the smallest integers, and their bits without sign; None if there is none.

    It may have two zeros, and a missing value: a NaN, or a float far beyond all others.
    """
    missing = _missing(samples)
    kept = samples if missing is None else samples[bits_of(samples) != missing]
    if not kept.size:
        return None
    zeros = kept[kept == 0]
    two_zeros = bool(np.signbit(zeros).any()) and not bool(np.signbit(zeros).all())
    found = _linear(np.where(kept == 0, kept.dtype.type(0), kept) if two_zeros else kept)
    if found is None or not (two_zeros or missing is not None):
        return found
    whole = replace(found[0], two_zeros=two_zeros)
    if two_zeros and found[0].form != "fixed" and found[0].factor < 0:
        return None
    least = int(floats.to_integers(kept, whole).min()) - 1
    if missing is not None:
        whole = replace(whole, missing=(missing, least))
    if least < -(1 << 8 * samples.dtype.itemsize - 2) or not _is_same(samples.reshape(-1), whole):
        return None
    return whole, max(found[1], (-least).bit_length())


def _missing(samples: Floats) -> int | None:
    """The pattern of bits of the NaN that occurs most often, or of an infinity or a float far beyond the others; None if there is none."""
    flat = samples.reshape(-1)
    with np.errstate(all="ignore"):
        sizes = np.abs(flat.astype(np.float64))
        odd = ~(sizes <= FAR * float(np.nanmedian(sizes[sizes > 0]))) if bool((sizes > 0).any()) else np.isnan(sizes)
    if not odd.any():
        return None
    patterns, counts = np.unique(bits_of(flat[odd]), return_counts=True)
    return int(patterns[np.argmax(counts)])


def _linear(samples: Floats) -> tuple[FloatMap, int] | None:
    """`linear` without two zeros and missing values."""
    found = fixed(samples)
    if found and found[1] < FEW_BITS:
        return found
    other = scaled(samples) or turned(samples)
    if other is None:
        return found
    integers = floats.to_integers(samples, other)
    bits = max(-int(integers.min()), int(integers.max())).bit_length()
    return found if found and found[1] <= bits else (other, bits)


def holds(samples: Floats, float_map: FloatMap) -> bool:
    """Whether integers, by this map, give every sample back, bit for bit."""
    most = min(SCALED, 2 ** (8 * samples.dtype.itemsize - 1) - 1)
    return all(
        float(np.abs(block.astype(np.float64)).max()) / float_map.unit < most and _comes_back(block, float_map)
        for block in _blocks(samples.reshape(-1))
    )


def _candidates(sizes: Doubles, b: Binary) -> Iterator[FloatMap]:
    """Maps that may hold. sizes: samples without their signs, ascending, all different, none 0."""
    if float(sizes[-1]) * 10.0**DECIMALS < SCALED:
        few = sizes[:: max(1, len(sizes) // 256)]
        for digits in range(1, DECIMALS + 1):
            power = 10.0**digits
            if float(sizes[-1]) * power >= 2.0**b.digits:  # any float is a decimal of so many digits
                break
            if np.array_equal((np.rint(few * power) / power).astype(_type(b)), few.astype(_type(b))):
                yield FloatMap("quotient", factor=power)
                break
    for divisor in range(1, DIVISORS + 1):
        found = _interval(sizes[:FIRST], sizes[0] / divisor, b)
        if found and (found := _interval(sizes, sum(found) / 2, b)):
            yield from _steps(*found)


def _type(b: Binary) -> np.dtype[np.floating]:
    return np.dtype(f"f{b.width // 8}")


def _interval(sizes: Doubles, step: float, b: Binary) -> tuple[float, float] | None:
    """The steps near this one of which all sizes are multiples but for rounding, (lowest, highest); None if there are none."""
    slack = 2.0 ** (2 - b.digits)
    low, high = step * (1 - slack), step * (1 + slack)
    exponents = np.frexp(sizes)[1]
    octaves = np.flatnonzero(np.diff(exponents, prepend=-9999, append=9999))
    for first, last in itertools.pairwise(octaves):
        part, half = sizes[first:last], math.ldexp(1.0, int(exponents[first]) - b.digits - 1)  # of the unit in the last place
        n = np.rint(part / ((low + high) / 2))
        if n[0] < 1 or n[-1] * (high - low) / low > 0.5 or n[-1] > 2.0 ** (b.digits - 1):
            return None
        low = max(low, float(((part - half) / n).max()) * (1 - ROUNDING))
        high = min(high, float(((part + half) / n).min()) * (1 + ROUNDING))
        if low > high:
            return None
    return low, high


def _steps(low: float, high: float) -> Iterator[FloatMap]:
    """Steps of an interval, those first that someone may have chosen."""
    middle = (low + high) / 2
    if low <= 1 / max(1.0, float(np.rint(1 / middle))) <= high:
        yield FloatMap("quotient", factor=float(np.rint(1 / middle)))
    yield FloatMap("product", factor=middle)
    above = below = middle
    for _ in range(NEIGHBOURS):  # of doubles, the interval holds a few, of which one is right
        above, below = math.nextafter(above, math.inf), math.nextafter(below, 0)
        yield from (FloatMap("product", factor=step) for step in (above, below) if low <= step <= high)
