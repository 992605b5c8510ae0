"""The binary arithmetic coder: 32-bit range, 16-bit probabilities, with carries.

A range coder (G. N. N. Martin, "Range encoding", 1979) that handles carries byte by byte as LZMA does. P is the probability that the bit
is 1, in units of 2^-16, 1 … 65535. The bound is the full 48-bit product of range and P, so even a bit that is almost certain costs what
it should: 2.2e-5 bits at P = 65535.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..errors import FormatError
from .arrays import Bytes1, Int, Ints1
from .compiling import kernel, shared

# the encoder's state is an array because Numba passes arrays by reference: low, range, cache, pending, position
STATE = 5
LOW, RANGE, CACHE, PENDING, POSITION = range(STATE)
TOP = 1 << 24
# Zero bytes at the end of a stream that are not written. A decoder that reads more of them than this is reading a damaged stream, so
# what it does past the end is bounded.
SPARED = 8


def start_encoding() -> Ints1:
    """A fresh encoder state, (STATE,)."""
    return np.array([0, 0xFFFFFFFF, 0, 0, -1], np.int64)


@shared
def shift_low(state: Ints1, out: Bytes1) -> None:
    """Move the top byte of low to the output, once it is known whether a carry will reach it."""
    low = state[LOW]
    if low < 0xFF000000 or low >= 0x100000000:
        carry = low >> 32
        position = state[POSITION]
        if position >= 0:  # the very first byte is always 0 and is not sent
            out[position] = (state[CACHE] + carry) & 0xFF
        position += 1
        for _ in range(state[PENDING]):
            out[position] = (0xFF + carry) & 0xFF
            position += 1
        state[PENDING] = 0
        state[POSITION] = position
        state[CACHE] = (low >> 24) & 0xFF
    else:
        state[PENDING] += 1
    state[LOW] = (low & 0x00FFFFFF) << 8


@shared
def encode_bit(state: Ints1, out: Bytes1, probability: Int, bit: Int) -> None:
    """Code one bit. `out`, (bytes,), must have room for 2 more bytes for each bit, beside those that are pending."""
    bound = (state[RANGE] * probability) >> 16
    if bit:
        state[RANGE] = bound
    else:
        state[LOW] += bound
        state[RANGE] -= bound
    while state[RANGE] < TOP:
        state[RANGE] <<= 8
        shift_low(state, out)


@kernel
def _flush(state: Ints1, out: Bytes1) -> None:
    low, last = state[LOW], state[LOW] + state[RANGE] - 1
    for zeros in (32, 24, 16, 8, 0):  # of the values that decode correctly, the one with the most zero bytes at its end
        value = (low + (np.int64(1) << zeros) - 1) >> zeros << zeros
        if value <= last:
            state[LOW] = value
            break
    for _ in range(5):
        shift_low(state, out)


def finish_encoding(state: Ints1, out: Bytes1) -> bytes:
    """End the stream: the coded bytes, without up to SPARED zero bytes at the end, since the decoder reads zeros there."""
    _flush(state, out)
    full = out[: max(0, int(state[POSITION]))].tobytes()
    return full[:-SPARED] + full[-SPARED:].rstrip(b"\0")


class BitCoder(NamedTuple):
    """An arithmetic-coded stream as kernels take it, to be written or read; `code_bit` does either.

    Attributes:
        encoding: whether bits are written.
        state: (STATE,) of the encoder or (DECODER_STATE,) of the decoder.
        data: (bytes,) the stream; while encoding, a buffer with room at its end.
    """

    encoding: bool
    state: Ints1
    data: Bytes1


class Output:
    """A stream that is written, into a buffer that grows."""

    def __init__(self) -> None:
        self.state = start_encoding()
        self.buffer: Bytes1 = np.zeros(256, np.uint8)

    def reserve(self, bits: int) -> Bytes1:
        """The buffer, (bytes,), after making room for `bits` more bits."""
        need = int(self.state[POSITION]) + int(self.state[PENDING]) + 2 * bits + 16
        if need > len(self.buffer):
            grown: Bytes1 = np.zeros(max(need, 2 * len(self.buffer)), np.uint8)
            grown[: len(self.buffer)] = self.buffer
            self.buffer = grown
        return self.buffer

    def coder(self, bits: int) -> BitCoder:
        """The stream for a kernel that writes at most `bits` bits. It is not valid after another call of this method."""
        return BitCoder(True, self.state, self.reserve(bits))

    def finish(self) -> bytes:
        """End the stream, and return its bytes."""
        return finish_encoding(self.state, self.reserve(0))


# decoder: code − low, range, position
DECODER_STATE = 3
CODE, DRANGE, DPOSITION = range(DECODER_STATE)


@shared
def next_byte(state: Ints1, data: Bytes1) -> Int:
    """The next byte of `data`, (bytes,); 0 past its end."""
    position = state[DPOSITION]
    state[DPOSITION] = position + 1
    return int(data[position]) if position < len(data) else 0


def start_decoding(data: Bytes1) -> Ints1:
    """A fresh decoder state, (DECODER_STATE,), for `data`, (bytes,)."""
    state = np.array([0, 0xFFFFFFFF, 4], np.int64)
    state[CODE] = int.from_bytes(data[:4].tobytes().ljust(4, b"\0"), "big")
    return state


class Input:
    """A stream that is read. It has `coder` and `finish` like Output.

    Both of them raise FormatError if more than SPARED bytes past the end were read by then: a caller that decodes some bits at a time
    stops soon after the end. `finish` also raises it if bytes are left, and making an Input if no encoder begins a stream so.
    """

    def __init__(self, data: bytes) -> None:
        if data.startswith(b"\xff\xff\xff\xff"):  # a code of 2^32 − 1 would lie outside the range
            raise FormatError("damaged: a coded string begins as no encoder lets it begin")
        self.size = len(data)
        self.data: Bytes1 = np.frombuffer(bytearray(data or b"\0"), np.uint8)  # writable, so that its type is that of Output's buffer
        self.state = start_decoding(self.data)

    def coder(self, bits: int) -> BitCoder:
        """The stream for a kernel; bits: as in `Output.coder`, not used."""
        self._check_end()
        return BitCoder(False, self.state, self.data)

    @property
    def bits(self) -> float:
        """How many were decoded so far, see `noting.note_bits`."""
        return 8 * int(self.state[DPOSITION]) - math.log2(int(self.state[DRANGE]))

    def _check_end(self) -> None:
        if int(self.state[DPOSITION]) > self.size + SPARED:
            raise FormatError("damaged: a coded string ends too early")

    def finish(self) -> bytes:
        """Nothing, as there is nothing to write; to be called after the last bit."""
        self._check_end()
        if int(self.state[DPOSITION]) < self.size:
            raise FormatError("damaged: a coded string has bytes that no bit needs")
        return b""


@shared
def decode_bit(state: Ints1, data: Bytes1, probability: Int) -> Int:
    """The next bit of `data`, (bytes,): 0 or 1."""
    bound = (state[DRANGE] * probability) >> 16
    if state[CODE] < bound:
        state[DRANGE] = bound
        bit = 1
    else:
        state[CODE] -= bound
        state[DRANGE] -= bound
        bit = 0
    while state[DRANGE] < TOP:
        state[DRANGE] <<= 8
        state[CODE] = (state[CODE] << 8) | next_byte(state, data)
    return bit


@shared
def code_bit(coder: BitCoder, probability: Int, bit: Int) -> Int:
    """Code one bit in either direction: write `bit`, or read the next bit. Returns the bit. probability: of a 1, 1 … 65535."""
    if coder.encoding:
        encode_bit(coder.state, coder.data, probability, bit)
        found = bit
    else:
        found = decode_bit(coder.state, coder.data, probability)
    return found


UNIFORM = 8  # bits of a number without a model that are coded in one step


@shared
def code_uniform(coder: BitCoder, count: Int, number: Int) -> Int:
    """Code a number of `count` bits, 0 … 62, all equally likely, in either direction. Returns the number.

    It goes by UNIFORM bits, the highest first, and the rest last: so many bits take one step of the range.
    """
    found: Int = np.int64(0)
    left: Int = count
    while left > 0:
        n = min(left, UNIFORM)
        left -= n
        if coder.encoding:
            part = (number >> left) & ((np.int64(1) << n) - 1)
            coder.state[RANGE] >>= n
            coder.state[LOW] += coder.state[RANGE] * part
            while coder.state[RANGE] < TOP:
                coder.state[RANGE] <<= 8
                shift_low(coder.state, coder.data)
        else:
            coder.state[DRANGE] >>= n
            part = min(coder.state[CODE] // coder.state[DRANGE], (np.int64(1) << n) - 1)
            coder.state[CODE] -= part * coder.state[DRANGE]
            while coder.state[DRANGE] < TOP:
                coder.state[DRANGE] <<= 8
                coder.state[CODE] = (coder.state[CODE] << 8) | next_byte(coder.state, coder.data)
        found = found << n | part
    return found


@shared
def as_probability(p: np.float32) -> Int:
    """A float32 probability as the coder takes it: in units of 2^-16, 1 … 65535."""
    return min(max(int(p * np.float32(65536)), 1), 65535)
