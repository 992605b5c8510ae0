"""From the logits of profile `inr` to coded bits: a gain for each bit-plane, then an adaptive map, then the arithmetic coder.

The encoder chooses the gains. A large gain makes the bits of an exact fit nearly free, a small one damps logits that are often wrong.
The adaptive map (an APM, or secondary symbol estimation, after M. Mahoney's PAQ) learns from each bit how often the bits with such a logit
are 1. It has an estimate for each of 25 values of the logit, and interpolates between the nearest two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import adaptive
from .adaptive import update
from .arrays import Bytes2, Floats2, Int, Ints1, Words1, Words2
from .coder import BitCoder, Input, Output, code_bit
from .compiling import kernel, stage
from .noting import UNREAD, note_bits
from .tables import CALIBRATED_BITS, LOGIT_LIMIT, squash

NODES = 2 * (LOGIT_LIMIT >> CALIBRATED_BITS) + 1  # estimates of a bit-plane
START_AGE = 12  # bits that an estimate counts as having learnt at the start
AGE_LIMIT = 250
GAIN_CODES = 256


def gain(code: int) -> int:
    """The gain for a byte of the file, times 2^8: (16 + low 4 bits)·2^(high 4 bits). Code 0 is gain 0: the logit is ignored."""
    return 0 if code == 0 else (16 + (code & 15)) << (code >> 4)


class Maps(NamedTuple):
    """Gains and adaptive maps of a set of bit-planes."""

    gains: Ints1  # (bit-planes,) times 2^8
    squash: Words1  # (6145,) probabilities of logits, see `tables.squash`
    estimate: Ints1  # (bit-planes·NODES,) see `adaptive.update`
    age: Ints1  # (bit-planes·NODES,)


def first_estimates(squashed: npt.NDArray[Any], planes: int) -> npt.NDArray[np.int64]:
    """The estimates of maps before they learn, (planes · NODES,): at each node its own probability. squashed: see `tables.squash`."""
    return np.tile(squashed[:: 1 << CALIBRATED_BITS].astype(np.int64) << (adaptive.BITS - 16), planes)


class Calibration:
    """Codes the bits of a set of bit-planes with the logits of a network, and adapts to them.

    gain_codes: (bit-planes,) of any integer type, see `gain`.
    """

    def __init__(self, gain_codes: npt.NDArray[Any]) -> None:
        gains = np.array([gain(int(code)) for code in gain_codes], np.int64)
        squashed = squash()
        estimate = first_estimates(squashed, len(gains))
        self.state = Maps(gains, squashed, estimate, np.full(len(estimate), START_AGE, np.int64))

    def encode(self, output: Output, logits: Words2, bits: Bytes2) -> None:
        """Code bits[i, p], 0 or 1, with logits[i, p], × 2^10 (natural logarithm). Both are (places, bit-planes)."""
        code_planes(output.coder(bits.size), logits, bits, self.state, UNREAD)

    def decode(self, stream: Input, logits: Words2, read: Floats2 = UNREAD) -> Bytes2:
        """Decode bits with the logits, × 2^10: both (places, bit-planes). read: see `code_planes`."""
        bits: Bytes2 = np.empty(logits.shape, np.uint8)
        code_planes(stream.coder(bits.size), logits, bits, self.state, read)
        return bits


@stage
def predict(m: Any, logit: Int, plane: Int) -> tuple[Int, Int]:
    """(probability of a 1 in units of 2^-16, index of the nearest estimate) for a logit × 2^10. m: Maps, or what has its fields."""
    t = min(max((np.int64(logit) * m.gains[plane]) >> 10, -LOGIT_LIMIT + 1), LOGIT_LIMIT - 1) + LOGIT_LIMIT
    left = plane * NODES + (t >> CALIBRATED_BITS)
    right_share = t & ((1 << CALIBRATED_BITS) - 1)
    mean = m.estimate[left] * ((1 << CALIBRATED_BITS) - right_share) + m.estimate[left + 1] * right_share
    mapped = mean >> (CALIBRATED_BITS + adaptive.BITS - 16)
    p = (m.squash[t] + 3 * mapped + 2) >> 2
    return min(max(p, 1), 65535), left + (right_share >> (CALIBRATED_BITS - 1))


@kernel
def code_planes(coder: BitCoder, logits: Words2, bits: Bytes2, m: Maps, read: Floats2) -> None:
    """Code bits, (places, bit-planes), with the logits of the same shape; decoding fills them in.

    read: (places, bit-planes), decoding fills in how many bits of the stream had been read before each; (0, 0): not wanted.
    """
    for i in range(logits.shape[0]):
        for plane in range(logits.shape[1]):
            if read.shape[0] > 0:
                note_bits(coder.state, read[i], plane)
            p, node = predict(m, logits[i, plane], plane)
            bit = code_bit(coder, p, np.int64(bits[i, plane]))
            bits[i, plane] = bit
            update(m.estimate, m.age, node, bit, AGE_LIMIT)
