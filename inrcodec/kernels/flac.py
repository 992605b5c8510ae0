"""The audio frames of FLAC (RFC 9639, section 9): one frame → samples, of any depth from 4 to 32 bits.

`inrcodec.files.flacframes` uses it. Every read is checked against the end of the data, every
sample against its depth, so that no stream can make the kernel leave its arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import Bytes1, Int, Ints1, Ints2
from .compiling import kernel, shared

# fields of the state: the next bit, where the data ends (in bits), what is wrong, the number of the frame or of its first sample, and
# whether it is that of the sample
AT, END, FAULT, NUMBER, VARIABLE = range(5)
STATE = 5
TRUNCATED, DAMAGED, CHANGED = 1, 2, 3  # faults; CHANGED: another depth or channels than the header of the file says
LONGEST = 65536  # frames of a block
SIDE_LEFT, SIDE_RIGHT, MID_SIDE = 8, 9, 10  # channel assignments in which one of two channels is a difference


def _crc_table(polynomial: int, bits: int) -> npt.NDArray[np.int64]:
    """The remainders of the 256 bytes."""
    table = np.arange(256, dtype=np.int64) << (bits - 8)
    for _ in range(8):
        table = (table << 1) ^ np.where(table >> (bits - 1) & 1, polynomial | 1 << bits, 0)
    return table


CRC8, CRC16 = _crc_table(0x07, 8), _crc_table(0x8005, 16)
DEPTHS = np.array([0, 8, 12, -1, 16, 20, 24, 32], np.int64)  # by code; 0: that of the file
SIZES = np.array([-1, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768], np.int64)  # by code; 0: told apart


@shared
def _fail(state: Ints1, fault: Int) -> None:
    """Note a fault; the first counts."""
    if not state[FAULT]:
        state[FAULT] = fault


@shared
def _bits(data: Bytes1, state: Ints1, count: Int) -> Int:
    """The next bits, 0 to 40, as an unsigned number; 0 past the end, which is a fault."""
    at = state[AT]
    if at + count > state[END]:
        _fail(state, TRUNCATED)
        return np.int64(0)
    state[AT] = at + count
    value, left = np.int64(0), count
    while left > 0:
        here = 8 - (at & 7)  # bits of this byte that are left
        taken = min(here, left)
        value = value << taken | (np.int64(data[at >> 3]) >> (here - taken) & ((1 << taken) - 1))
        at += taken
        left -= taken
    return value


@shared
def _signed(data: Bytes1, state: Ints1, count: Int) -> Int:
    """The next bits, 1 to 40, as a number in two's complement."""
    value = _bits(data, state, count)
    return value - ((value >> (count - 1) & 1) << count)


@shared
def _zeros(data: Bytes1, state: Ints1) -> Int:
    """How many bits are 0 before the next 1, which is read too."""
    start = at = state[AT]
    while at < state[END]:
        byte = np.int64(data[at >> 3]) & (255 >> (at & 7))
        if byte == 0:
            at = (at | 7) + 1
            continue
        while byte >> (7 - (at & 7)) & 1 == 0:
            at += 1
        state[AT] = at + 1
        return at - start
    _fail(state, TRUNCATED)
    return np.int64(0)


@shared
def _residual(data: Bytes1, state: Ints1, order: Int, out: Ints1) -> None:
    """The Rice-coded differences from the prediction, out[order:]."""
    method = _bits(data, state, 2)
    wide = 4 + method  # bits of a parameter
    escape = (1 << wide) - 1
    partitions = _bits(data, state, 4)
    n = out.shape[0]
    length = n >> partitions
    if method > 1 or length << partitions != n or length < order:
        _fail(state, DAMAGED)
        return
    at = order
    for partition in range(1 << partitions):
        parameter = _bits(data, state, wide)
        raw = _bits(data, state, 5) if parameter == escape else np.int64(0)
        for i in range(at, (partition + 1) * length):
            if parameter == escape:
                out[i] = _signed(data, state, raw) if raw else np.int64(0)
            else:
                high = _zeros(data, state)
                if high >> (32 - parameter):
                    _fail(state, DAMAGED)
                value = (high & 0xFFFFFFFF) << parameter | _bits(data, state, parameter)
                out[i] = (value >> 1) ^ -(value & 1)
            if state[FAULT]:
                return
        at = (partition + 1) * length


@shared
def _predict(state: Ints1, out: Ints1, coefficients: Ints1, order: Int, shift: Int, depth: Int) -> None:
    """Add the predictions to the differences out[order:]. coefficients[j] is that of the sample j + 1 before."""
    low, high = -(np.int64(1) << (depth - 1)), np.int64(1) << (depth - 1)
    for i in range(order, out.shape[0]):
        total = np.int64(0)
        for j in range(order):
            total += coefficients[j] * out[i - 1 - j]
        value = out[i] + (total >> shift)
        if value < low or value >= high:
            _fail(state, DAMAGED)
            return
        out[i] = value


@shared
def _subframe(data: Bytes1, state: Ints1, coefficients: Ints1, depth: Int, out: Ints1) -> None:
    """The samples of one channel. depth: their bits; coefficients: (32,), room to work in."""
    kind = _bits(data, state, 7)  # its highest bit must be 0
    wasted: Int = np.int64(0)
    if _bits(data, state, 1):
        wasted = _zeros(data, state) + 1
    width = depth - wasted
    if kind >= 64 or width < 1 or state[FAULT]:
        _fail(state, DAMAGED)
        return
    n = out.shape[0]
    if kind == 0:
        out[:] = _signed(data, state, width)
    elif kind == 1:
        for i in range(n):
            out[i] = _signed(data, state, width)
    elif 8 <= kind <= 12 or kind >= 32:
        order = kind - 8 if kind < 32 else kind - 31
        shift: Int = np.int64(0)
        if order > n:
            _fail(state, DAMAGED)
            return
        for i in range(order):
            out[i] = _signed(data, state, width)
        if kind >= 32:
            precision = _bits(data, state, 4) + 1
            shift = _signed(data, state, 5)
            if precision > 15 or shift < 0:
                _fail(state, DAMAGED)
                return
            for j in range(order):
                coefficients[j] = _signed(data, state, precision)
        else:
            value = np.int64(1)
            for j in range(order):  # binomials with alternating signs
                value = value * (order - j) // (j + 1)
                coefficients[j] = value if j % 2 == 0 else -value
        _residual(data, state, order, out)
        if not state[FAULT]:
            _predict(state, out, coefficients, order, shift, width)
    else:
        _fail(state, DAMAGED)
    if wasted:
        for i in range(n):
            out[i] <<= wasted


@shared
def _header(data: Bytes1, state: Ints1, depth: Int, channels: Int) -> tuple[Int, Int]:
    """Frames of the block, and how its channels are stored. Faults go into the state."""
    start = state[AT] >> 3
    sync = _bits(data, state, 15)
    state[VARIABLE] = _bits(data, state, 1)
    size, rate = _bits(data, state, 4), _bits(data, state, 4)
    assignment, code = _bits(data, state, 4), _bits(data, state, 3)
    if sync != 0x7FFC or _bits(data, state, 1) or rate == 15 or assignment > MID_SIDE or SIZES[size] < 0 or DEPTHS[code] < 0:
        _fail(state, DAMAGED)
        return np.int64(0), np.int64(0)
    first = _bits(data, state, 8)  # a number coded as in UTF-8, of 1 to 7 bytes
    length = np.int64(0)
    while length < 8 and first >> (7 - length) & 1:
        length += 1
    if length in (1, 8):
        _fail(state, DAMAGED)
    number: Int = first & ((1 << (7 - length)) - 1) if length < 8 else 0
    for _ in range(1, length):
        byte = _bits(data, state, 8)
        if byte >> 6 != 2:
            _fail(state, DAMAGED)
        number = number << 6 | (byte & 63)
    state[NUMBER] = number
    frames = SIZES[size]
    if frames == 0:
        frames = _bits(data, state, 8 if size == 6 else 16) + 1
    _bits(data, state, 8 if rate == 12 else 16 if rate > 12 else 0)
    crc = np.int64(0)
    if not state[FAULT]:
        for i in range(start, state[AT] >> 3):
            crc = CRC8[crc ^ np.int64(data[i])]
    if _bits(data, state, 8) != crc:
        _fail(state, DAMAGED)
    if (assignment + 1 if assignment < SIDE_LEFT else 2) != channels or (DEPTHS[code] != depth and DEPTHS[code] != 0):
        _fail(state, CHANGED)
    return frames, assignment


@shared
def _join(first: Ints1, second: Ints1, assignment: Int) -> None:
    """Left and right of two channels of which one is a difference, in place."""
    for i in range(first.shape[0]):
        a, b = first[i], second[i]
        if assignment == SIDE_LEFT:
            second[i] = a - b
        elif assignment == SIDE_RIGHT:
            first[i] = a + b
        else:
            middle = a << 1 | (b & 1)
            first[i], second[i] = (middle + b) >> 1, (middle - b) >> 1


@kernel
def decode_frame(data: Bytes1, state: Ints1, coefficients: Ints1, depth: Int, out: Ints2) -> Int:
    """Decode the frame that begins at state[AT].

    Args:
        data: (bytes,) of the stream.
        state: (STATE,); AT is moved behind the frame, FAULT is 0 or says what is wrong.
        coefficients: (32,), room to work in.
        depth: bits of a sample, 4 to 32.
        out: (channels, LONGEST), filled as far as the block goes.

    Returns:
        frames of the block.
    """
    start, channels = state[AT] >> 3, out.shape[0]
    frames, assignment = _header(data, state, depth, channels)
    for channel in range(channels):
        if state[FAULT]:
            return np.int64(0)
        wider = (assignment == SIDE_RIGHT and channel == 0) or (assignment in (SIDE_LEFT, MID_SIDE) and channel == 1)
        _subframe(data, state, coefficients, depth + (1 if wider else 0), out[channel, :frames])
    if assignment >= SIDE_LEFT and not state[FAULT]:
        _join(out[0, :frames], out[1, :frames], assignment)
    state[AT] = (state[AT] + 7) >> 3 << 3
    crc = np.int64(0)
    for i in range(start, state[AT] >> 3):
        crc = (crc << 8 & 0xFFFF) ^ CRC16[crc >> 8 ^ np.int64(data[i])]
    if _bits(data, state, 16) != crc:
        _fail(state, DAMAGED)
    low, high = -(np.int64(1) << (depth - 1)), np.int64(1) << (depth - 1)
    for channel in range(channels):
        for i in range(frames):
            if out[channel, i] < low or out[channel, i] >= high:
                _fail(state, DAMAGED)
    return frames
