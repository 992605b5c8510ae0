"""Signed integers, entropy-coded: each value as zero flag, sign and magnitude in Elias-gamma form, bit by bit with
adaptive probabilities, the sign and the low mantissa bits at one half. Quantized weights are written with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from . import adaptive, coder
from .adaptive import probability, update
from .coder import decode_bit, encode_bit

MAGNITUDE_BITS = 32  # of the largest magnitude
MODELLED = 2  # mantissa bits below the leading one that have probabilities of their own
# contexts: bit length in unary (0 … 32), then the modelled mantissa bits by bit length and the bits above
MANTISSA = MAGNITUDE_BITS + 1
CONTEXTS = MANTISSA + ((MAGNITUDE_BITS + 1) << MODELLED)
BITS_PER_VALUE = 2 * MAGNITUDE_BITS + 2  # at most


@njit(cache=True, nogil=True)
def _model() -> Any:
    return np.full(CONTEXTS, adaptive.ONE // 2, np.int64), np.zeros(CONTEXTS, np.int64)


@njit(cache=True, nogil=True)
def _encode(values: npt.NDArray[np.int64], state: npt.NDArray[np.int64], out: npt.NDArray[np.uint8], estimate: Any, age: Any) -> None:
    for value in values:
        magnitude = abs(value)
        length = 0
        while magnitude >> length:
            length += 1
        for i in range(length):
            encode_bit(state, out, probability(estimate, i), 1)
            update(estimate, age, i, 1, adaptive.AGE_LIMIT)
        if length < MAGNITUDE_BITS:
            encode_bit(state, out, probability(estimate, length), 0)
            update(estimate, age, length, 0, adaptive.AGE_LIMIT)
        if length:
            encode_bit(state, out, 32768, np.int64(value < 0))
        above = 1
        for i in range(length - 2, -1, -1):
            bit = (magnitude >> i) & 1
            if length - 2 - i < MODELLED:
                context = MANTISSA + (length << MODELLED) + above
                encode_bit(state, out, probability(estimate, context), bit)
                update(estimate, age, context, bit, adaptive.AGE_LIMIT)
                above = 2 * above + bit
            else:
                encode_bit(state, out, 32768, bit)


@njit(cache=True, nogil=True)
def _decode(data: npt.NDArray[np.uint8], values: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> None:
    state = coder.start_decoding(data)
    for part in range(len(starts) - 1):
        estimate, age = _model()
        for j in range(starts[part], starts[part + 1]):
            length = 0
            while length < MAGNITUDE_BITS:
                bit = decode_bit(state, data, probability(estimate, length))
                update(estimate, age, length, bit, adaptive.AGE_LIMIT)
                if not bit:
                    break
                length += 1
            if not length:
                values[j] = 0
                continue
            negative = decode_bit(state, data, 32768)
            magnitude = np.int64(1)
            above = 1
            for i in range(length - 1):
                if i < MODELLED:
                    context = MANTISSA + (length << MODELLED) + above
                    bit = decode_bit(state, data, probability(estimate, context))
                    update(estimate, age, context, bit, adaptive.AGE_LIMIT)
                    above = 2 * above + bit
                else:
                    bit = decode_bit(state, data, 32768)
                magnitude = 2 * magnitude + bit
            values[j] = -magnitude if negative else magnitude


def encode(parts: list[npt.NDArray[Any]]) -> bytes:
    """Code arrays of integers, each below 2^32 in magnitude; every array starts with fresh probabilities."""
    output = coder.Output()
    for part in parts:
        values = np.ascontiguousarray(part, np.int64).ravel()
        if len(values) and not -(1 << MAGNITUDE_BITS) < int(values.min()) <= int(values.max()) < 1 << MAGNITUDE_BITS:
            raise ValueError(f"a number has more than {MAGNITUDE_BITS} bits")
        estimate, age = _model()
        step = 1 << 16  # bounds the buffer, which must hold the worst case
        for i in range(0, len(values), step):
            piece = values[i : i + step]
            _encode(piece, output.state, output.reserve(BITS_PER_VALUE * len(piece)), estimate, age)
    return output.finish()


def decode(data: bytes, sizes: list[int]) -> list[npt.NDArray[np.int64]]:
    """The arrays that `encode` was given, flat, of these sizes."""
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    values = np.zeros(int(starts[-1]), np.int64)
    _decode(np.frombuffer(data, np.uint8), values, starts)
    return np.split(values, starts[1:-1])
