"""From a network's logits to coded bits: a gain per plane, then an adaptive map, then the arithmetic coder.

The gain, chosen by the encoder, makes an exact fit nearly free and damps an uncertain one. The adaptive map (an APM, or
secondary symbol estimation, after M. Mahoney's PAQ) learns what the logits of a plane are worth as the bits go by: it
keeps an estimate for each of 25 values of the logit and interpolates between the nearest two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from . import adaptive, coder
from .adaptive import update
from .coder import decode_bit, encode_bit
from .tables import LOGIT_BITS, LOGIT_LIMIT, squash

NODES = 2 * (LOGIT_LIMIT >> LOGIT_BITS) + 1
START_AGE = 12
AGE_LIMIT = 250
GAIN_CODES = 256


def gain(code: int) -> int:
    """The gain, times 2^8, that a byte of the file stands for: a small float of 4 + 4 bits; 0 is no trust at all."""
    return 0 if code == 0 else (16 + (code & 15)) << (code >> 4)


class Calibration:
    """The adaptive state for a set of planes. gains: one byte per plane, int64 array of codes 0 … 255."""

    def __init__(self, gain_codes: npt.NDArray[Any]) -> None:
        self.gains = np.array([gain(int(code)) for code in gain_codes], np.int64)
        squashed = squash()
        nodes = squashed[:: 1 << LOGIT_BITS].astype(np.int64) << (adaptive.BITS - 16)
        self.estimate = np.tile(nodes, len(self.gains))
        self.age = np.full(len(self.estimate), START_AGE, np.int64)
        self.squash = squashed

    def encode(self, output: coder.Output, logits: npt.NDArray[np.int32], bits: npt.NDArray[np.uint8]) -> None:
        """Code bits[i, p] (0 or 1) with the logits[i, p] of plane p, natural logarithm × 2^10."""
        _encode(output.state, output.reserve(bits.size), logits, bits, self.gains, self.squash, self.estimate, self.age)

    def decode(self, state: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], logits: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
        """The bits, an array of the logits' shape."""
        bits = np.empty(logits.shape, np.uint8)
        _decode(state, data, logits, bits, self.gains, self.squash, self.estimate, self.age)
        return bits


@njit(inline="always", cache=True)
def _predict(logit: Any, gain_: Any, plane: int, squashed: Any, estimate: Any) -> Any:
    """(probability for the coder, index of the nearest node)."""
    t = min(max((np.int64(logit) * gain_) >> 10, -LOGIT_LIMIT + 1), LOGIT_LIMIT - 1) + LOGIT_LIMIT
    left = plane * NODES + (t >> LOGIT_BITS)
    right_share = t & ((1 << LOGIT_BITS) - 1)
    mapped = (estimate[left] * ((1 << LOGIT_BITS) - right_share) + estimate[left + 1] * right_share) >> (LOGIT_BITS + adaptive.BITS - 16)
    p = (squashed[t] + 3 * mapped + 2) >> 2
    return min(max(p, 1), 65535), left + (right_share >> (LOGIT_BITS - 1))


@njit(cache=True, nogil=True)
def _encode(state: Any, out: Any, logits: Any, bits: Any, gains: Any, squashed: Any, estimate: Any, age: Any) -> None:
    for i in range(logits.shape[0]):
        for plane in range(logits.shape[1]):
            p, node = _predict(logits[i, plane], gains[plane], plane, squashed, estimate)
            bit = bits[i, plane]
            encode_bit(state, out, p, bit)
            update(estimate, age, node, bit, AGE_LIMIT)


@njit(cache=True, nogil=True)
def _decode(state: Any, data: Any, logits: Any, bits: Any, gains: Any, squashed: Any, estimate: Any, age: Any) -> None:
    for i in range(logits.shape[0]):
        for plane in range(logits.shape[1]):
            p, node = _predict(logits[i, plane], gains[plane], plane, squashed, estimate)
            bit = decode_bit(state, data, p)
            bits[i, plane] = bit
            update(estimate, age, node, bit, AGE_LIMIT)
