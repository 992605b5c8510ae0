"""From a network's logits to coded bits: a gain per plane, then an adaptive map, then the arithmetic coder.

The gain, chosen by the encoder, makes an exact fit nearly free and damps an uncertain one. The adaptive map (an APM, or
secondary symbol estimation, after M. Mahoney's PAQ) learns what the logits of a plane are worth as the bits go by: it
keeps an estimate for each of 25 values of the logit and interpolates between the nearest two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import adaptive
from .adaptive import update
from .arrays import Bytes2, Int, Ints1, Words1, Words2
from .coder import BitCoder, Input, Output, code_bit
from .compiling import kernel, stage
from .tables import LOGIT_BITS, LOGIT_LIMIT, squash

NODES = 2 * (LOGIT_LIMIT >> LOGIT_BITS) + 1
START_AGE = 12
AGE_LIMIT = 250
GAIN_CODES = 256


def gain(code: int) -> int:
    """The gain, times 2^8, that a byte of the file stands for: a small float of 4 + 4 bits; 0 is no trust at all."""
    return 0 if code == 0 else (16 + (code & 15)) << (code >> 4)


class Maps(NamedTuple):
    """What the bits of a set of bit-planes are coded with."""

    gains: Ints1  # (planes,)
    squash: Words1  # (6145,): probabilities of logits
    estimate: Ints1  # (planes·NODES,)
    age: Ints1  # (planes·NODES,)


class Calibration:
    """The adaptive state for a set of bit-planes. gain_codes: one of 0 … 255 per plane, any integer type."""

    def __init__(self, gain_codes: npt.NDArray[Any]) -> None:
        gains = np.array([gain(int(code)) for code in gain_codes], np.int64)
        squashed = squash()
        nodes = squashed[:: 1 << LOGIT_BITS].astype(np.int64) << (adaptive.BITS - 16)
        estimate = np.tile(nodes, len(gains))
        self.state = Maps(gains, squashed, estimate, np.full(len(estimate), START_AGE, np.int64))

    def encode(self, output: Output, logits: Words2, bits: Bytes2) -> None:
        """Code bits[i, p] (0 or 1) with the logits[i, p] of plane p, natural logarithm × 2^10."""
        code_planes(output.coder(bits.size), logits, bits, self.state)

    def decode(self, stream: Input, logits: Words2) -> Bytes2:
        """The bits, an array of the logits' shape."""
        bits: Bytes2 = np.empty(logits.shape, np.uint8)
        code_planes(stream.coder(bits.size), logits, bits, self.state)
        return bits


@stage
def _predict(m: Maps, logit: Int, plane: Int) -> tuple[Int, Int]:
    """(probability for the coder, index of the nearest node)."""
    t = min(max((np.int64(logit) * m.gains[plane]) >> 10, -LOGIT_LIMIT + 1), LOGIT_LIMIT - 1) + LOGIT_LIMIT
    left = plane * NODES + (t >> LOGIT_BITS)
    right_share = t & ((1 << LOGIT_BITS) - 1)
    mean = m.estimate[left] * ((1 << LOGIT_BITS) - right_share) + m.estimate[left + 1] * right_share
    mapped = mean >> (LOGIT_BITS + adaptive.BITS - 16)
    p = (m.squash[t] + 3 * mapped + 2) >> 2
    return min(max(p, 1), 65535), left + (right_share >> (LOGIT_BITS - 1))


@kernel
def code_planes(coder: BitCoder, logits: Words2, bits: Bytes2, m: Maps) -> None:
    """Code bits[i, p] with logits[i, p]."""
    for i in range(logits.shape[0]):
        for plane in range(logits.shape[1]):
            p, node = _predict(m, logits[i, plane], plane)
            bit = code_bit(coder, p, np.int64(bits[i, plane]))
            bits[i, plane] = bit
            update(m.estimate, m.age, node, bit, AGE_LIMIT)
