"""Entropy coding of signed integers, for weights and lags.

A value is coded as the bit length of its magnitude in unary, its sign, and the bits of its magnitude below the leading one (Elias gamma
code). The unary bits and the MODELLED highest of the others have adaptive probabilities; the sign and the rest have probability 1/2.
SPEC.md, "Coded bits and integers", defines it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import adaptive
from .adaptive import probability, update
from .arrays import Int, Ints1
from .coder import BitCoder, Input, Output, code_bit
from .compiling import kernel, stage

MAGNITUDE_BITS = 32  # of the largest magnitude
HALF = 32768  # probability of a bit that is not modelled
MODELLED = 2  # bits below the leading one that have adaptive probabilities
# contexts: first the unary bits of the bit length, 0 … 32, then the modelled bits, by bit length and the bits above them
MANTISSA = MAGNITUDE_BITS + 1
CONTEXTS = MANTISSA + ((MAGNITUDE_BITS + 1) << MODELLED)
BITS_PER_VALUE = 2 * MAGNITUDE_BITS + 2  # at most
STEP = 1 << 16  # values at a time: bounds the encoder's buffer, and what a decoder does past the end of a string


def _fresh() -> tuple[Ints1, Ints1]:
    """Fresh estimates and ages, (CONTEXTS,) each."""
    return np.full(CONTEXTS, adaptive.ONE // 2, np.int64), np.zeros(CONTEXTS, np.int64)


@stage
def _code_adaptive(coder: BitCoder, estimate: Ints1, age: Ints1, context: Int, bit: Int) -> Int:
    """Code a bit with the probability of a context, and learn it."""
    found = code_bit(coder, probability(estimate, context), bit)
    update(estimate, age, context, found, adaptive.AGE_LIMIT)
    return found


@kernel
def _code(coder: BitCoder, values: Ints1, estimate: Ints1, age: Ints1) -> None:
    """Code values, (n,), below 2^MAGNITUDE_BITS in magnitude; decoding fills them in. estimate, age: (CONTEXTS,)."""
    for j in range(values.shape[0]):
        value = values[j] if coder.encoding else np.int64(0)
        magnitude = abs(value)
        length = 0
        while length < MAGNITUDE_BITS and _code_adaptive(coder, estimate, age, length, int(magnitude >> length != 0)):
            length += 1
        found = np.int64(0)
        if length:
            negative = code_bit(coder, HALF, int(value < 0))
            found = np.int64(1)
            for i in range(length - 1):
                bit = (magnitude >> (length - 2 - i)) & 1
                if i < MODELLED:
                    bit = _code_adaptive(coder, estimate, age, MANTISSA + (length << MODELLED) + found, bit)
                else:
                    bit = code_bit(coder, HALF, bit)
                found = 2 * found + bit
            if negative:
                found = -found
        values[j] = found


def encode(parts: list[npt.NDArray[Any]]) -> bytes:
    """The bytes of arrays of integers of any shape, below 2^32 in magnitude. Each array begins with fresh probabilities.

    Raises ValueError if a number is too large.
    """
    output = Output()
    for part in parts:
        values = np.array(part, np.int64).ravel()
        if len(values) and not -(1 << MAGNITUDE_BITS) < int(values.min()) <= int(values.max()) < 1 << MAGNITUDE_BITS:
            raise ValueError(f"a number has more than {MAGNITUDE_BITS} bits")
        state = _fresh()
        for i in range(0, len(values), STEP):
            piece = values[i : i + STEP]
            _code(output.coder(BITS_PER_VALUE * len(piece)), piece, *state)
    return output.finish()


def decode(data: bytes, sizes: list[int]) -> list[Ints1]:
    """The inverse of `encode`: arrays of these sizes, flat, int64. Raises FormatError.

    Memory is taken for what has been decoded, not for what the sizes claim.
    """
    stream = Input(data)
    found: list[Ints1] = []
    for size in sizes:
        state, pieces = _fresh(), [np.zeros(0, np.int64)]
        for start in range(0, size, STEP):
            piece = np.zeros(min(STEP, size - start), np.int64)
            _code(stream.coder(0), piece, *state)
            pieces.append(piece)
        found.append(np.concatenate(pieces))
    stream.finish()
    return found
