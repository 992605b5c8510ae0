"""The fine bits of floats that are split: what integers leave of them, packed without gaps. SPEC.md 4 defines the string.

A float that was mixed from others has a mantissa whose lower bits nothing predicts. `floats` takes the upper ones as an integer on a scale
that all samples share, which is coded as any other sound. The smaller a float, the more bits it has below that; they are here, as they are.
WavPack (D. Bryant) keeps floats in a similar way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import floats
from .compression import compress, decompress
from .container import Reader, varint
from .errors import FormatError
from .floats import BLOCK, Binary, FloatMap
from .values import bits_of

PLAIN, BROTLI = range(2)
LEAST = 1 << 12  # bytes: fewer are always tried with Brotli
TRIED = 1 << 16  # bytes of which a part of it is tried else
Words = npt.NDArray[np.uint64]


def _widths(n: npt.NDArray[np.int64], float_map: FloatMap, b: Binary) -> npt.NDArray[np.int64]:
    """How many fine bits each integer has; −1 for 0, of which a flag says whether it has a whole pattern. Raises FormatError."""
    m = np.abs(n).view(np.uint64)
    found = floats.room(m, float_map.exponent, b, float_map.digits)
    if bool(((found < 0) & (n != 0)).any()):
        raise FormatError("damaged: a sample has more bits than a float")
    found[n == 0] = -1
    return found


class _Writer:
    """A string of bits."""

    def __init__(self) -> None:
        self.left = np.zeros(0, np.uint8)  # bits that fill no byte yet
        self.bytes: list[bytes] = []

    def put(self, numbers: Words, widths: npt.NDArray[np.int64]) -> None:
        """Append numbers, each in so many bits, the most significant first."""
        starts = len(self.left) + np.cumsum(widths) - widths
        bits = np.zeros(len(self.left) + int(widths.sum()), np.uint8)
        bits[: len(self.left)] = self.left
        for b in range(int(widths.max(initial=0))):
            wide = widths > b
            bits[(starts + widths - 1 - b)[wide]] = (numbers[wide] >> np.uint64(b)) & np.uint64(1)
        whole = len(bits) // 8 * 8
        self.bytes.append(np.packbits(bits[:whole]).tobytes())
        self.left = bits[whole:]

    def end(self) -> bytes:
        """The string, filled with zero bits."""
        return b"".join([*self.bytes, np.packbits(self.left).tobytes()])


class _Bits:
    """Reads a string of bits. Raises FormatError at its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = np.frombuffer(data, np.uint8), 0

    def take(self, widths: npt.NDArray[np.int64]) -> Words:
        """Numbers of so many bits each."""
        stop = self.at + int(widths.sum())
        if stop > 8 * len(self.data):
            raise FormatError("damaged: the fine bits of a tile end too early")
        bits = np.unpackbits(self.data[self.at // 8 : (stop + 7) // 8])[self.at % 8 :]
        starts = np.cumsum(widths) - widths
        found = np.zeros(len(widths), np.uint64)
        for b in range(int(widths.max(initial=0))):
            wide = widths > b
            found[wide] = found[wide] << np.uint64(1) | bits[starts[wide] + b]
        self.at = stop
        return found

    def end(self) -> None:
        """Check that only zero bits are left, fewer than 8."""
        left = 8 * len(self.data) - self.at
        if left >= 8 or (left and int(self.data[-1]) & ((1 << left) - 1)):
            raise FormatError("damaged: the fine bits of a tile are too long")


def encode(samples: floats.Floats, float_map: FloatMap) -> bytes:
    """The fine bits of samples, in raster order, as a tile has them. float_map: of form "split"."""
    b, flat = floats.binary(samples.dtype), samples.reshape(-1)
    bits = _Writer()
    for start in range(0, len(flat), BLOCK):
        part = flat[start : start + BLOCK]
        widths = _widths(floats.to_integers(part, float_map).astype(np.int64), float_map, b)
        patterns, (mantissa, unit) = bits_of(part).astype(np.uint64), floats.parts(floats.magnitudes(part, b)[0], b)
        none = widths < 0
        spare = np.where(none, 0, float_map.exponent - widths - unit).astype(np.uint64)  # bits that are 0 in all mantissas
        marked = patterns[none] > 0
        bits.put(marked.astype(np.uint64), np.ones(len(marked), np.int64))
        widths[none] = np.where(marked, b.width, 0)
        numbers = np.where(none, patterns, (mantissa >> spare) & ((np.uint64(1) << np.maximum(widths, 0).astype(np.uint64)) - np.uint64(1)))
        bits.put(numbers, widths)
    return _shorter(bits.end())


def _shorter(data: bytes) -> bytes:
    """The string after a byte that says how it is written, as short as it gets."""
    middle = len(data) // 2
    sample = data if len(data) <= LEAST else data[middle : middle + TRIED]
    if len(compress(sample, 5)) < 0.98 * len(sample):
        packed = bytes([BROTLI]) + varint(len(data)) + compress(data, 9)
        if len(packed) <= len(data):
            return packed
    return bytes([PLAIN]) + data


def size_limit(count: int, dtype: np.dtype[Any]) -> int:
    """The most bytes of the fine bits of so many floats of a type."""
    return (count * (8 * dtype.itemsize + 1) + 7) // 8


def decode(integers: floats.Integers, float_map: FloatMap, dtype: np.dtype[Any], data: bytes) -> floats.Floats:
    """The floats of these integers and fine bits. integers: of `floats.integer_type`, in any shape, which is that of the floats.

    Raises FormatError: the fine bits are not such of these integers.
    """
    b, flat = floats.binary(dtype), integers.reshape(-1)
    bits = _Bits(_opened(data, size_limit(len(flat), dtype)))
    out = np.empty(len(flat), f"u{dtype.itemsize}")
    for start in range(0, len(flat), BLOCK):
        n = flat[start : start + BLOCK].astype(np.int64)
        widths = _widths(n, float_map, b)
        none = widths < 0
        widths[none] = np.where(bits.take(np.ones(int(none.sum()), np.int64)) > 0, b.width, 0)
        fine = bits.take(widths)
        m, fine_bits = np.abs(n).view(np.uint64), np.where(none, 0, widths)
        shift = np.where(none, 0, floats.room(m, float_map.exponent, b))
        mantissa = (m << fine_bits.astype(np.uint64) | fine) << (shift - fine_bits).astype(np.uint64)
        found = ((float_map.exponent - shift - b.least).astype(np.uint64) << np.uint64(b.stored)) + mantissa
        if bool((~none & (found >= np.uint64(b.infinity))).any()):
            raise FormatError("damaged: a sample is beyond the range of floats")
        found |= (n < 0).astype(np.uint64) << np.uint64(b.width - 1)
        found[none] = fine[none]
        out[start : start + BLOCK] = found
    bits.end()
    return floats.patterned(out, dtype).reshape(integers.shape)


def _opened(data: bytes, most: int) -> bytes:
    """The string of fine bits, of at most so many bytes. Raises FormatError."""
    r = Reader(data, "the fine bits of a tile")
    mode = r.byte()
    if mode == PLAIN:
        return r.rest()
    if mode != BROTLI:
        raise FormatError("damaged: the fine bits of a tile have no valid mode")
    size = r.varint(most)
    return decompress(r.rest(), size, "the fine bits of a tile")
