"""The binary arithmetic coder: 32-bit range, 16-bit probabilities, carries propagated.

A range coder after G. N. N. Martin (1979) with byte-wise carry handling as in LZMA. P is the probability that the bit is
1, in units of 2^-16, 1 … 65535. The bound is the full 48-bit product, so a bit that is all but certain costs what it
should (2.2e-5 bits at P = 65535).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import Bytes1, Int, Ints1
from .compiling import kernel, shared

# the coder's state is an array, because Numba passes arrays by reference: low, range, cache, pending, position
STATE = 5
LOW, RANGE, CACHE, PENDING, POSITION = range(STATE)
TOP = 1 << 24


def start_encoding() -> Ints1:
    """A fresh encoder state."""
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
    """Code one bit. `out` must have room for 2 bytes a bit, those of pending carries included."""
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
    for zeros in (32, 24, 16, 8, 0):  # of the values that decode right, one that ends in most zero bytes
        value = (low + (np.int64(1) << zeros) - 1) >> zeros << zeros
        if value <= last:
            state[LOW] = value
            break
    for _ in range(5):
        shift_low(state, out)


def finish_encoding(state: Ints1, out: Bytes1) -> bytes:
    """The coded bytes. Zero bytes at the end are left out: the decoder reads zeros past the end."""
    _flush(state, out)
    return out[: max(0, int(state[POSITION]))].tobytes().rstrip(b"\0")


class BitCoder(NamedTuple):
    """One stream of coded bits, to be written or to be read.

    Attributes:
        encoding: whether bits are written.
        state: of the encoder (STATE,) or of the decoder (DECODER_STATE,).
        data: the stream, (bytes,).
    """

    encoding: bool
    state: Ints1
    data: Bytes1


class Output:
    """A stream that is written: a growing buffer that has room for `bits` more bits whenever `reserve(bits)` returns."""

    def __init__(self) -> None:
        self.state = start_encoding()
        self.buffer: Bytes1 = np.zeros(256, np.uint8)

    def reserve(self, bits: int) -> Bytes1:
        need = int(self.state[POSITION]) + int(self.state[PENDING]) + 2 * bits + 16
        if need > len(self.buffer):
            grown: Bytes1 = np.zeros(max(need, 2 * len(self.buffer)), np.uint8)
            grown[: len(self.buffer)] = self.buffer
            self.buffer = grown
        return self.buffer

    def coder(self, bits: int) -> BitCoder:
        """For kernels, with room for so many more bits."""
        return BitCoder(True, self.state, self.reserve(bits))

    def finish(self) -> bytes:
        return finish_encoding(self.state, self.reserve(0))


def is_valid(data: bytes) -> bool:
    """Whether `data` can be an encoder's output: the code is below the range."""
    return not data.startswith(b"\xff\xff\xff\xff")


# decoder: code − low, range, position
DECODER_STATE = 3
CODE, DRANGE, DPOSITION = range(DECODER_STATE)


@shared
def next_byte(state: Ints1, data: Bytes1) -> Int:
    """The next byte of `data`, zero past its end."""
    position = state[DPOSITION]
    state[DPOSITION] = position + 1
    return int(data[position]) if position < len(data) else 0


def start_decoding(data: Bytes1) -> Ints1:
    """The decoder's state at the beginning of `data`."""
    state = np.array([0, 0xFFFFFFFF, 4], np.int64)
    state[CODE] = int.from_bytes(data[:4].tobytes().ljust(4, b"\0"), "big")
    return state


class Input:
    """A stream that is read."""

    def __init__(self, data: bytes) -> None:
        self.data: Bytes1 = np.frombuffer(bytearray(data or b"\0"), np.uint8)  # writable, as kernels have it of Output
        self.state = start_decoding(self.data)

    def coder(self, bits: int) -> BitCoder:
        """For kernels; see `Output.coder`."""
        return BitCoder(False, self.state, self.data)

    def finish(self) -> bytes:
        return b""


@shared
def decode_bit(state: Ints1, data: Bytes1, probability: Int) -> Int:
    """The next bit, 0 or 1."""
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
    """Code one bit either way: write `bit`, or read the next one. Returns it."""
    if coder.encoding:
        encode_bit(coder.state, coder.data, probability, bit)
        found = bit
    else:
        found = decode_bit(coder.state, coder.data, probability)
    return found


@shared
def as_probability(p: np.float32) -> Int:
    """A float32 probability as the coder takes it: 1 … 65535."""
    return min(max(int(p * np.float32(65536)), 1), 65535)
