"""exp2, log2 and the logistic function in float64: exact tables and linear interpolation, without libm.

The operations are + − × ÷ in the order written here, so that every machine gets the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..errors import InrcodecError
from .arrays import Floats1, Int, Singles1
from .compiling import function
from .tables import EXP2_STEPS, SIGMOID_LIMIT, SIGMOID_STEPS, exp2_fractions, log2_mantissas, sigmoids

EXP2: Floats1 = exp2_fractions().astype(np.float64) / 2.0**30
LOG2: Floats1 = log2_mantissas().astype(np.float64) / 2.0**30
SIGMOID: Floats1 = sigmoids().astype(np.float64) / 2.0**48
LN2 = 0.6931471805599453


@function
def exp2(x: float) -> float:
    """2^x for −60 ≤ x ≤ 60, interpolated between multiples of 1/256."""
    whole = math.floor(x)
    t = (x - whole) * EXP2_STEPS
    i = int(t)
    part = EXP2[i] + (EXP2[i + 1] - EXP2[i]) * (t - i)
    return part * np.float64(1 << int(whole)) if whole >= 0 else part / np.float64(1 << int(-whole))


@intrinsic
def bits_of(context: Any, x: Any) -> Any:
    """The 64 bits of a float64 as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


PART = 1.0 / (1 << 44)


@function
def log2(x: float) -> float:
    """log2(x) for a normal number x > 0: its exponent, plus the log2 of its mantissa, interpolated between multiples of 1/256."""
    bits: Any = bits_of(np.float64(x))  # type: ignore[call-arg]
    i = (bits >> 44) & 255
    t = (bits & ((1 << 44) - 1)) * PART
    return ((bits >> 52) - 1023) + (LOG2[i] + (LOG2[i + 1] - LOG2[i]) * t)


@function
def sigmoid(x: float) -> float:
    """1/(1 + e^−x), interpolated between multiples of 1/64; x is limited to ±15.99."""
    t = (min(max(x, -SIGMOID_LIMIT + 0.01), SIGMOID_LIMIT - 0.01) + SIGMOID_LIMIT) * SIGMOID_STEPS
    i = int(t)
    return SIGMOID[i] + (SIGMOID[i + 1] - SIGMOID[i]) * (t - i)


@function
def soft(x: np.float32) -> np.float32:
    """x/(1 + |x|/4): how numbers are limited before they are inputs of a context network."""
    return x / (np.float32(1) + np.float32(0.25) * abs(x))


# COST[i]: bits that an event of probability (i + 1/2)/4096 costs
COST: Singles1 = np.array([-log2((i + 0.5) / 4096) for i in range(4096)], np.float32)


@function
def cost(probability: Int, bit: Int) -> np.float32:
    """Bits that `bit` costs; probability: of a 1, in units of 2^-16."""
    return COST[(probability if bit else 65536 - probability) >> 4]


def check_subnormals() -> None:
    """Raise InrcodecError if this thread does not compute with subnormal numbers: see `keeps_subnormals`."""
    if not keeps_subnormals():  # libraries built with -ffast-math, and torch.set_flush_denormal, switch them off
        raise InrcodecError(
            "a library in this process made the processor round subnormal numbers to zero, so files would not be exact; "
            "code in a process without that library"
        )


def keeps_subnormals() -> bool:
    """Whether this thread computes with subnormal numbers as IEEE 754 says. Libraries can set a mode that rounds them to zero."""
    return bool(np.float32(2.0**-126) * np.float32(0.5) != 0 and np.float64(2.0**-1022) * np.float64(0.5) != 0)
