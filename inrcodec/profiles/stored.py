"""The profile `stored`: packed bits or Brotli, no model. For signals that are tiny or incompressible, and what no other profile can code.

A tile is a mode byte and its content. The encoder takes the mode with the fewest bytes:

    0  the values packed, `bits` bits each, the most significant first
    1  Brotli of the values as little-endian bytes, ⌈bits / 8⌉ bytes each
    2  Brotli of the bytes of mode 1 in another order: the lowest bytes of all values first, channel by channel, then the next bytes, …
    3  Brotli of the packed values of mode 0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from .. import parallel
from ..compression import compress, decompress
from ..errors import FormatError
from ..layout import Box, Layout, box_shape, tile_of
from ..options import Options
from ..progress import Ticker
from ..values import Values, join_bits, plane_bits, value_type
from .base import Encoded, Parts, Profile, Stream, Subject, Tick, TileCoder, TileDecoder, ignore

TILE_PLACES = 1 << 20
SMALL = 1 << 16  # bytes: below, Brotli is always tried
BLOCK = 1 << 16  # values that are unpacked at a time, a multiple of 8
BROTLI = 1 << 25  # bytes that a Brotli decoder takes, its window included
PACKED, BYTES, PLANAR, PACKED_BROTLI = range(4)


def _pack(values: Values, bits: int) -> bytes:
    return np.packbits(plane_bits(values.reshape(-1, 1), bits)).tobytes()


def _unpack(data: bytes, count: int, bits: int) -> Values:
    packed = np.frombuffer(data, np.uint8)
    spare = 8 * len(packed) - count * bits
    if spare and packed[-1] & ((1 << spare) - 1):
        raise FormatError("damaged: the last byte of a tile is not filled with zeros")
    values = np.empty(count, value_type(bits))
    for start in range(0, count, BLOCK):  # a bit takes a byte while it is unpacked
        stop = min(count, start + BLOCK)
        unpacked = np.unpackbits(packed[start * bits // 8 : (stop * bits + 7) // 8])[: (stop - start) * bits]
        values[start:stop] = join_bits(unpacked.reshape(-1, bits), bits)[:, 0]
    return values


def from_bytes(data: bytes, count: int, bits: int, planar: bool, what: str) -> Values:
    """Values in the order of modes 1 and 2, (count,). planar: whether it is mode 2; what: holds them. Raises FormatError, naming `what`."""
    raw, width, kind = np.frombuffer(data, np.uint8), width_of(bits), value_type(bits).newbyteorder("<")
    if kind.itemsize == width and (width == 1 or not planar):
        values: Values = raw.view(kind)
    else:
        whole = np.zeros((count, kind.itemsize), np.uint8)
        whole[:, :width] = raw.reshape(width, count).T if planar else raw.reshape(count, width)
        values = whole.view(kind)[:, 0]
    if bits < 8 * kind.itemsize and int(values.max()) >> bits:
        raise FormatError(f"damaged: a value of {what} is out of range")
    return values.astype(kind.newbyteorder("="), copy=False)


def width_of(bits: int) -> int:
    """Bytes per value, 1, 2, …, 8."""
    return -(-bits // 8)


def as_bytes(values: Values, bits: int) -> npt.NDArray[np.uint8]:
    """The bytes of each value, little-endian: (values, bytes per value)."""
    little = values.astype(value_type(bits).newbyteorder("<")).reshape(-1, 1).view(np.uint8)
    return np.ascontiguousarray(little[:, : width_of(bits)])


def encode_tile(values: Values, bits: int, quality: int) -> bytes:
    """The bytes of a tile. values: (sizes of the tile…, channels), below 2^bits; quality: of Brotli, 0 … 11."""
    if bits == 0:
        return b""

    def squeeze(mode: int, data: bytes) -> bytes:
        return bytes([mode]) + compress(data, quality)

    packed = _pack(values, bits)
    interleaved = as_bytes(values, bits)
    candidates = [bytes([PACKED]) + packed, squeeze(BYTES, interleaved.tobytes())]
    if values.shape[-1] > 1 or width_of(bits) > 1:
        channels_first = as_bytes(np.moveaxis(values, -1, 0), bits)
        candidates.append(squeeze(PLANAR, channels_first.T.tobytes()))
    if bits % 8:
        candidates.append(squeeze(PACKED_BROTLI, packed))
    return min(candidates, key=len)


SMALL = 1 << 16  # bytes: fewer take no time


def _quality(options: Options, size: int) -> int:
    """Of Brotli, for so many bytes: 10 and 11 are an order of magnitude slower for 2 to 5 % on photographs."""
    return 11 if size <= SMALL and options.effort > 1 else (5, 7, 9, 9, 11)[options.effort - 1]


def _encode_cut(values: Values, tick: Tick, bits: int, quality: int) -> bytes:
    """`encode_tile`. Nothing is reported: it takes little time."""
    return encode_tile(values, bits, quality)


class Coder(TileCoder):
    """Codes the tiles of a stream; bits: of the values; quality: of Brotli, 0 … 11."""

    def __init__(self, bits: int, quality: int) -> None:
        self.bits, self.quality = bits, quality

    def encode(self, values: Values) -> bytes:
        return encode_tile(values, self.bits, self.quality)


class Stored(Profile):
    """Profile 0: it codes everything, so `auto` always has a file to compare with."""

    name = "stored"
    number = 0
    models = False
    codes = "everything"
    words = "packed bits or Brotli, no model"

    def applies(self, subject: Subject) -> bool:
        return True

    def encode(self, subject: Subject, options: Options) -> Encoded:
        values, bits = subject.values, subject.bits
        axes = values.shape[:-1]
        layout = Layout(axes, values.shape[-1], tile_of(axes, max(1, TILE_PLACES // values.shape[-1])))
        work = partial(_encode_cut, bits=bits, quality=_quality(options, values.nbytes))
        tiles = parallel.spread(work, (values[box] for box in layout.boxes()), layout.tiles, options.workers, Ticker(options, "coding"))
        return Encoded(self, Parts(layout, None, tiles))

    def tile_coder(self, stream: Stream, options: Options) -> TileCoder:
        return Coder(stream.bits, _quality(options, SMALL + 1))

    def rival(self, subject: Subject, options: Options, best: Encoded | None, modelled: bool) -> Encoded | None:
        raw = subject.values.size * subject.bits / 8
        if best is not None and raw >= SMALL and 0.1 * raw < best.size < 0.9 * raw:  # Brotli has no chance
            return None
        found = self.encode(subject, options)
        return found if best is None or found.size <= best.size else None

    def open(self, section: bytes | None, layout: Layout, bits: int, cut: bool = False) -> TileDecoder:
        return Decoder(layout, bits)


class Decoder(TileDecoder):
    """Decodes the tiles of profile `stored`; bits: of the values."""

    def __init__(self, layout: Layout, bits: int) -> None:
        self.layout, self.bits = layout, bits

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        shape = (*box_shape(box), self.layout.channels)
        count, bits = math.prod(shape), self.bits
        if bits == 0:
            if data:
                raise FormatError("damaged: a constant signal has data")
            return np.broadcast_to(np.zeros((), np.uint8), shape)  # takes no memory
        if not data or data[0] > PACKED_BROTLI:
            raise FormatError("damaged: a tile has no valid mode")
        mode, content = data[0], data[1:]
        packed_size = (count * bits + 7) // 8
        if mode in (PACKED, PACKED_BROTLI):
            packed = content if mode == PACKED else decompress(content, packed_size, "a tile")
            if len(packed) != packed_size:
                raise FormatError("damaged: a tile does not have the size it should have")
            return _unpack(packed, count, bits).reshape(shape)
        values = from_bytes(decompress(content, count * width_of(bits), "a tile"), count, bits, mode == PLANAR, "a tile")
        if mode == PLANAR:
            return np.moveaxis(values.reshape(self.layout.channels, *shape[:-1]), 0, -1)
        return values.reshape(shape)

    def memory(self, box: Box, threads: int = 1) -> int:
        count = math.prod(box_shape(box)) * self.layout.channels
        if self.bits == 0:
            return 0
        # the decompressed bytes up to three times, as Brotli hands them out, or once beside the values
        raw, block = count * width_of(self.bits), min(count, BLOCK) * (self.bits + 16)
        return max(3 * raw, raw + count * value_type(self.bits).itemsize + block) + BROTLI

    def describe(self) -> Mapping[str, object]:
        return {}
