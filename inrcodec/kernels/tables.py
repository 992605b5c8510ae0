"""Integer tables of sine, GELU, the logistic function, exp2 and log2.

They are computed in fixed point with Python integers, never with libm. A table is compared with its hash before use, and a RuntimeError is
raised if they differ, since wrong tables would decode wrong samples. `check` compares them once more, for verification: a table in use can
be changed by a fault of the memory.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np
import numpy.typing as npt

FRACTION = 128  # fractional bits of the fixed-point numbers the tables are computed with
ONE = 1 << FRACTION

TURN_BITS = 16  # the argument of a sine layer is in units of 2^-16 turns
SINE_BITS = 14  # the output of a sine layer is in units of 2^-14
GELU_BITS = 12  # argument and output of a GELU layer are in units of 2^-12
GELU_LIMIT = 8 << GELU_BITS  # the argument is limited to [−8, 8)
GAUSSIAN_BITS = 14  # the output of a Gaussian layer is in units of 2^-14; its argument is that of a GELU layer
CALIBRATED_BITS = 8  # a calibrated logit is in units of 2^-8 (natural logarithm)
LOGIT_LIMIT = 12 << CALIBRATED_BITS  # a calibrated logit is limited to (−12, 12)
EXP2_STEPS = 256  # entries per unit of the argument, here and in the next two
LOG2_STEPS = 256
SIGMOID_STEPS = 64
SIGMOID_LIMIT = 16


_in_use: list[tuple[str, npt.NDArray[Any], str]] = []  # name, entries and SHA-256 of each table that was computed


def _sha256(values: npt.NDArray[Any]) -> str:
    return hashlib.sha256(values.astype(values.dtype.newbyteorder("<")).tobytes()).hexdigest()


def check() -> None:
    """Compare all tables that are in use with their hashes. Raises RuntimeError."""
    for name, values, sha256 in _in_use:
        if _sha256(values) != sha256:
            raise RuntimeError(f"the {name} table has changed in memory")


def _checked(sha256: str) -> Callable[[Callable[[], npt.NDArray[Any]]], Callable[[], npt.NDArray[Any]]]:
    """Compute a table once, and refuse it unless its little-endian bytes have this SHA-256."""

    def decorate(make: Callable[[], npt.NDArray[Any]]) -> Callable[[], npt.NDArray[Any]]:
        @cache
        @wraps(make)
        def table() -> npt.NDArray[Any]:
            values = make()
            found = _sha256(values)
            if found != sha256:
                raise RuntimeError(f"the {make.__name__} table came out wrong on this machine (SHA-256 {found})")
            values.setflags(write=False)
            _in_use.append((make.__name__, values, sha256))
            return values

        return table

    return decorate


def _exp_of_fraction(numerator: int, denominator: int) -> int:
    """e^(numerator/denominator) in fixed point, by its Taylor series with floor divisions."""
    term, total, n = ONE, 0, 0
    while term:
        total += term
        n += 1
        term = term * numerator // (denominator * n)
    return total


@_checked("31cb492c38b916d41235fe23d11cda71470217e50e4fc4c45732ab988b85d8e9")
def sine() -> npt.NDArray[np.int16]:
    """(2^16,): round(2^14·sin(2π·i/2^16)) for i = 0 … 2^16 − 1."""
    quarter = 1 << (TURN_BITS - 2)

    # π by Machin's formula, then sine and cosine of one step by their Taylor series
    def arctan_of_inverse(x: int) -> int:
        power, total, n = ONE // x, 0, 1
        while power:
            total += power // n if n % 4 == 1 else -(power // n)
            power //= x * x
            n += 2
        return total

    step = 8 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> TURN_BITS
    series = [ONE]  # step^n / n!
    while series[-1]:
        series.append((series[-1] * step >> FRACTION) // len(series))
    step_cosine = sum(series[0::4]) - sum(series[2::4])
    step_sine = sum(series[1::4]) - sum(series[3::4])
    cosine_i, sine_i = ONE, 0
    half = 1 << (FRACTION - SINE_BITS - 1)
    rise = np.empty(quarter + 1, np.int16)
    for i in range(quarter + 1):
        rise[i] = sine_i + half >> FRACTION - SINE_BITS
        cosine_i, sine_i = (
            cosine_i * step_cosine - sine_i * step_sine >> FRACTION,
            sine_i * step_cosine + cosine_i * step_sine >> FRACTION,
        )
    return np.concatenate([rise[:-1], rise[:0:-1], -rise[:-1], -rise[:0:-1]])


@_checked("3fc3d4847fe2f71a701c517908678c2fa53049d7e1ec997d80a0799715a97e01")
def gelu() -> npt.NDArray[np.int16]:
    """(2^16,): round(2^12·x·Φ(x)), at most 2^15 − 1, for x = i/2^12 − 8, i = 0 … 2^16 − 1. Φ is the standard normal distribution.

    Φ(x) − 1/2 is the integral of the density by Simpson's rule with nodes 2^-13 apart (its error is below 10^-16); the
    density at the nodes is a product: e^(−(x+h)²/2) = e^(−x²/2)·ratio, and each ratio is the last one times e^(−h²).
    """
    nodes = 2 * GELU_LIMIT
    h2 = 1 << 2 * (GELU_BITS + 1)  # 1/h²
    square = ONE * ONE // _exp_of_fraction(1, h2)
    ratio = ONE * ONE // _exp_of_fraction(1, 2 * h2)
    density = [ONE]
    for _ in range(nodes):
        density.append(density[-1] * ratio >> FRACTION)
        ratio = ratio * square >> FRACTION
    total = [0]  # in units of h/3
    for i in range(0, nodes, 2):
        total.append(total[-1] + density[i] + 4 * density[i + 1] + density[i + 2])
    whole = 2 * total[-1]  # the integral from −8 to 8, taken as 1 (it lacks 1.2e-15)
    out = np.empty(2 * GELU_LIMIT, np.int16)
    for i in range(2 * GELU_LIMIT):
        x = i - GELU_LIMIT
        part = total[abs(x)]
        mass = total[-1] + part if x >= 0 else total[-1] - part
        out[i] = min(2**15 - 1, (2 * x * mass + whole) // (2 * whole))
    return out


@_checked("94d4728751ac18ae278cccd953b25b19375c4c78421261c071b9a46682da092b")
def gaussian() -> npt.NDArray[np.int16]:
    """(2^16,): round(2^14·e^(−x²/2)) for x = i/2^12 − 8, i = 0 … 2^16 − 1."""
    square = ONE * ONE // _exp_of_fraction(1, 1 << 2 * GELU_BITS)  # e^(−h²), with h = 2^-12
    ratio = ONE * ONE // _exp_of_fraction(1, 2 << 2 * GELU_BITS)  # e^(−(x+h)²/2) / e^(−x²/2) at x = 0
    value, half = ONE, 1 << (FRACTION - GAUSSIAN_BITS - 1)
    fall = np.empty(GELU_LIMIT + 1, np.int16)
    for i in range(GELU_LIMIT + 1):
        fall[i] = value + half >> FRACTION - GAUSSIAN_BITS
        value = value * ratio >> FRACTION
        ratio = ratio * square >> FRACTION
    return np.concatenate([fall[:0:-1], fall[:-1]])


@_checked("0fba0ee59b1e8e54ae85a34f16014e415e47357996056107788898dddac23c39")
def squash() -> npt.NDArray[np.int32]:
    """(6145,): round(2^16 / (1 + e^(−t/2^8))), within 1 … 2^16 − 1, for t = i − 3072, i = 0 … 6144: the probability for a logit."""
    step = _exp_of_fraction(1, 1 << CALIBRATED_BITS)
    power = ONE  # e^(t/2^8)
    rise = np.empty(LOGIT_LIMIT + 1, np.int32)
    for t in range(LOGIT_LIMIT + 1):
        rise[t] = min(65535, (2 * 65536 * power + power + ONE) // (2 * (power + ONE)))
        power = power * step >> FRACTION
    return np.concatenate([65536 - rise[:0:-1], rise])


@_checked("011c4f45e04c3e78a821d7c6379371f77a8125d064ccf52825e900524deb5964")
def stretches() -> npt.NDArray[np.int16]:
    """(2^12,): the logit, × 2^8, of the probability (i + 1/2)/2^12: the least t whose entry of `squash` is at least 16·i + 8."""
    return np.asarray(np.searchsorted(squash(), 16 * np.arange(4096) + 8) - LOGIT_LIMIT, np.int16)


def _log2_of(numerator: int, denominator: int, bits: int) -> int:
    """floor(2^bits·log2(numerator/denominator)) for a ratio from 1 up to but without 2, bit by bit, by squaring."""
    x, out = (numerator << FRACTION) // denominator, 0
    for _ in range(bits):
        x = x * x >> FRACTION
        out <<= 1
        if x >= 2 * ONE:
            x >>= 1
            out |= 1
    return out


@_checked("a78b7ce471df25af4c297d4047f969d40430cd63b5d7486fb9731c34d479855d")
def exp2_fractions() -> npt.NDArray[np.int64]:
    """(257,): round(2^30·2^(i/256)) for i = 0 … 256."""
    root = 2 * ONE
    for _ in range(EXP2_STEPS.bit_length() - 1):
        root = math.isqrt(root << FRACTION)
    power, out = ONE, []
    for _ in range(EXP2_STEPS + 1):
        out.append(power + (1 << FRACTION - 31) >> FRACTION - 30)
        power = power * root >> FRACTION
    return np.array(out, np.int64)


@_checked("1d19f867bcdc6e60c8149dda5686a0304d64e7e9647ebda84231defc00dac0bf")
def log2_mantissas() -> npt.NDArray[np.int64]:
    """(257,): floor(2^30·log2(1 + i/256)) for i = 0 … 256."""
    inner = [_log2_of(LOG2_STEPS + i, LOG2_STEPS, 30) for i in range(LOG2_STEPS)]
    return np.array([*inner, 1 << 30], np.int64)


@_checked("2b921f08e417392812bad34d1e8f9ccb6d96734cecc21da3848f97aa46e2e8fd")
def sigmoids() -> npt.NDArray[np.int64]:
    """(2049,): round(2^48 / (1 + e^(−t/64))) for t = −1024 … 1024: the logistic function."""
    step, power = _exp_of_fraction(1, SIGMOID_STEPS), ONE
    rise = []
    for _ in range(SIGMOID_LIMIT * SIGMOID_STEPS + 1):
        rise.append(((power << 49) + power + ONE) // (2 * (power + ONE)))
        power = power * step >> FRACTION
    whole = 1 << 48
    return np.array([*(whole - r for r in rise[:0:-1]), *rise], np.int64)
