"""From the means of a value network to coded bits: a discretized logistic around each mean, cut in two bit by bit.

The mass of a value v is that of the logistic between v − 1/2 and v + 1/2, plus 2^-12 of an even distribution, so that no value is
impossible (Salimans et al., "PixelCNN++", 2017, has the discretized logistic). The probability of a bit, given the bits above it, is
the mass of the upper half of what they leave over the mass of all of it. An adaptive map then mends it, as in `calibration`.

The scale of a channel follows its errors at two places before, the last one and the one above.

The channels of a place are coded in a given order. The mean of a channel also depends on the values of the channels before it: in a
photograph, red and blue follow green.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .adaptive import update
from .architecture import MEAN_BITS
from .arrays import Floats2, Int, Ints1, Ints2, Shorts1, Words1
from .calibration import AGE_LIMIT, START_AGE, first_estimates, gain, predict
from .coder import BitCoder, Input, Output, code_bit
from .compiling import kernel, stage
from .noting import UNREAD, note_bits
from .tables import SIGMOID_LIMIT, exp2_fractions, sigmoids, squash, stretches

FACTOR_BITS = 12  # fractional bits of a factor between channels
SCALE_CODE = 6  # a scale code is in units of 2^6·2^-10 octaves: 1/16 octave; code 64 is a scale of 1 value
SCALE_LIMIT = 1 << 13  # of the scale that a network predicts, in units of 2^-10 octaves
LARGEST_SCALE = (1 << 13) - 1  # in units of 1/256 octave, from 2^-4 values
FINEST_SCALE = 4  # the least scale is 2^-4 values
MASS_BITS = 46  # a mass is in units of 2^-46
EVEN = 12  # 2^-12 of the mass is even
USUAL_ERROR = 91750  # in units of 2^-16 scales: of places that are not there, nearly the mean error of a logistic
MOST_ERROR = 4 << 16
ERROR_WEIGHT, ERROR_OFFSET = 195, 512  # 2^-10 octaves for the sum of two errors of 1, and what is subtracted
ARGUMENT_BITS = 16  # fractional bits of the argument of the logistic function
STEP_BITS = ARGUMENT_BITS - 6  # of it, below an entry of the table, which has 64 for a unit
UNIT_GAIN = gain(64)


class Joint(NamedTuple):
    """How the channels of a place are coded.

    order: (channels,) the channel that is coded first, second, …; factors: (channels, channels) × 2^12: [i, j], j < i, how much the mean of
    the i-th channel that is coded moves with the j-th; scales: (channels,) scale codes, by channel.
    """

    order: Ints1
    factors: Ints2
    scales: Ints1


class Model(NamedTuple):
    """What the bits of values are coded with: how channels are joined, tables, and adaptive maps."""

    joint: Joint
    powers: Ints1
    sigmoids: Ints1
    stretches: Shorts1
    gains: Ints1  # (channels·bits,)
    squash: Words1
    estimate: Ints1  # (channels·bits·NODES,)
    age: Ints1
    recent: Ints2  # (width, channels) errors at the last places, in units of 2^-16 scales
    places: Ints1  # (1,) how many were coded


class MeanCoder:
    """Codes the values of a tile with the means of a network, and adapts to them.

    joint: see Joint; bits: of a value, 1 … 24; sizes: of the tile's axes.
    """

    def __init__(self, joint: Joint, bits: int, sizes: tuple[int, ...]) -> None:
        self.bits = bits
        planes = len(joint.order) * bits
        squashed = squash()
        estimate = first_estimates(squashed, planes)
        gains = np.full(planes, UNIT_GAIN, np.int64)
        age = np.full(len(estimate), START_AGE, np.int64)
        recent = np.full((sizes[-1] if len(sizes) > 1 else 2, len(joint.order)), USUAL_ERROR, np.int64)
        tables = exp2_fractions(), sigmoids(), stretches()
        self.model = Model(joint, *tables, gains, squashed, estimate, age, recent, np.zeros(1, np.int64))

    def encode(self, output: Output, means: Ints2, scales: Ints2, values: Ints2) -> None:
        """Code values, (places, channels) int64, with the means and scales of a network, of the same shape."""
        code_values(output.coder(values.size * self.bits), means, scales, values, self.bits, self.model, UNREAD)

    def decode(self, stream: Input, means: Ints2, scales: Ints2, read: Floats2 = UNREAD) -> Ints2:
        """Decode values, (places, channels) int64. read: see `code_values`."""
        values: Ints2 = np.empty(means.shape, np.int64)
        code_values(stream.coder(values.size * self.bits), means, scales, values, self.bits, self.model, read)
        return values


@stage
def _mass(value: Int, mean: Int, power: Int, shift: Int, bits: Int, table: Ints1) -> Any:
    """The mass below a value, 1 … 2^bits − 1, in units of 2^-46."""
    edge = (2 * value - 1) << (MEAN_BITS - 1 - bits)
    limit = np.int64(SIGMOID_LIMIT) << ARGUMENT_BITS
    t = min(max(((edge - mean) * power) >> shift, -limit), limit - 1) + limit
    i = t >> STEP_BITS
    f = table[i] + (((table[i + 1] - table[i]) * (t & ((1 << STEP_BITS) - 1))) >> STEP_BITS)
    f >>= 48 - MASS_BITS
    return f - (f >> EVEN) + (np.int64(value) << (MASS_BITS - EVEN - bits))


@kernel
def code_values(coder: BitCoder, means: Ints2, scales: Ints2, values: Ints2, bits: int, m: Model, read: Floats2) -> None:
    """Code values, (places, channels), with means and scales of the same shape; decoding fills them in.

    read: (places, channels·bits), in coding order: decoding fills in how many bits of the stream had been read before each; (0, 0): not
    wanted.
    """
    unit = MEAN_BITS - bits
    farthest = np.int64(1) << 32
    joint, whole = m.joint, np.int64(1) << MASS_BITS
    width = m.recent.shape[0]
    for i in range(means.shape[0]):
        here, last = m.places[0] % width, (m.places[0] + width - 1) % width
        m.places[0] += 1
        for k in range(means.shape[1]):
            channel = joint.order[k]
            mean = means[i, channel]
            for j in range(k):  # the means of the channels before are their values by now
                mean += (joint.factors[k, j] * means[i, joint.order[j]]) >> FACTOR_BITS
            mean = min(max(mean, -farthest), farthest)
            scale: Any = min(max(scales[i, channel], -SCALE_LIMIT), SCALE_LIMIT) + (joint.scales[channel] << SCALE_CODE)
            scale += (((m.recent[here, channel] + m.recent[last, channel]) * ERROR_WEIGHT) >> 16) - ERROR_OFFSET
            octaves = -min(max(scale >> 2, 0), LARGEST_SCALE)
            power = m.powers[octaves & 255] >> 14
            shift = unit - FINEST_SCALE - (octaves >> 8)
            low: Any = np.int64(0)
            high: Any = np.int64(1) << bits
            below: Any = np.int64(0)
            upto: Any = whole
            for b in range(bits):
                if read.shape[0] > 0:
                    note_bits(coder.state, read[i], k * bits + b)
                middle = (low + high) >> 1
                mass = _mass(middle, mean, power, shift, bits, m.sigmoids)
                p = ((upto - mass) << 16) // (upto - below)
                plane = channel * bits + b
                q, node = predict(m, np.int64(m.stretches[min(p, 65535) >> 4]) << 2, plane)
                bit = code_bit(coder, q, (values[i, channel] >> (bits - 1 - b)) & 1)
                update(m.estimate, m.age, node, bit, AGE_LIMIT)
                if bit:
                    low, below = middle, mass
                else:
                    high, upto = middle, mass
            values[i, channel] = low
            means[i, channel] = low << unit
            m.recent[here, channel] = min(abs(((low << unit) - mean) * power) >> shift, MOST_ERROR)


@kernel
def join_means(means: Ints2, joint: Joint, bits: int, whole: bool) -> None:
    """What the network alone says of the values, in place: means, (places, channels), of joined channels, within their range.

    whole: whether they are rounded to values. Then what is right for a channel is right for those after it, as while coding.
    """
    unit = MEAN_BITS - bits
    largest = ((np.int64(1) << bits) - 1) << unit
    for i in range(means.shape[0]):
        for k in range(means.shape[1]):
            channel = joint.order[k]
            mean = means[i, channel]
            for j in range(k):
                mean += (joint.factors[k, j] * means[i, joint.order[j]]) >> FACTOR_BITS
            mean = min(max(mean, 0), largest)
            means[i, channel] = ((mean + (np.int64(1) << (unit - 1))) >> unit) << unit if whole else mean


def rounded(means: Ints2, bits: int, extra: int = 0) -> npt.NDArray[np.int64]:
    """The values, (places, channels) int64, that joined means round to, with `extra` bits below those of the values."""
    unit = MEAN_BITS - bits
    return (means + (1 << (unit - 1))) >> (unit - extra)
