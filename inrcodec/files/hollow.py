"""Files whose samples are one stretch of bytes, uncompressed, as NIfTI, DICOM and FITS: what stands before and behind it is kept.

The kept parts, `NAME/head` and `NAME/tail`, are written again only if a reader would find this very signal's type and shape between them;
else the writer makes its own, if the format allows that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, InrcodecError, UnsupportedError
from ..header import MAX_METADATA
from ..limits import Limits
from ..signal import MAX_DIMENSIONS, Kind, Signal
from ..values import bits_of
from .bounds import check_size, contents

Samples = npt.NDArray[Any]
MOST_KEPT = MAX_METADATA - (1 << 16)  # bytes; keys take some


@dataclass(frozen=True)
class Layout:
    """Where the samples are in a file, and what they are.

    Attributes:
        start: the first byte.
        dtype: their type, with the file's byte order; bool: 8 to a byte, the lowest bit first.
        stored: their shape as they are stored, the last axis fastest.
        shape: that of the signal, as many samples.
        channels_first: whether the stored axis of channels, the third from the end, is the last one of the signal.
        kind: of the signal.
        bit_depth: of the signal, if all samples fit; 0: that of the type.
    """

    start: int
    dtype: np.dtype[Any]
    stored: tuple[int, ...]
    shape: tuple[int, ...]
    channels_first: bool = False
    kind: Kind = "array"
    bit_depth: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take in the file."""
        count = math.prod(self.stored)
        return -(-count // 8) if self.dtype.kind == "b" else count * self.dtype.itemsize

    @property
    def end(self) -> int:
        """The first byte behind them."""
        return self.start + self.nbytes

    @property
    def little(self) -> np.dtype[Any]:
        """The type of the signal: little-endian, whatever the file is."""
        return self.dtype.newbyteorder("<") if self.dtype.itemsize > 1 else self.dtype

    def unpack(self, data: memoryview) -> Samples:
        """The samples in bytes that hold nothing else. Raises UnsupportedError: bits are set behind the last one."""
        if self.dtype.kind == "b":
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            count = math.prod(self.stored)
            if bits[count:].any():
                raise UnsupportedError("bits are set behind the last sample")
            return bits[:count].view(np.bool_).reshape(self.shape)
        found = np.frombuffer(data, self.dtype).reshape(self.stored)
        if self.dtype != self.little:
            found = found.byteswap().view(self.little)
        if self.channels_first:
            found = np.moveaxis(found, -3, -1)
        return np.array(found.reshape(self.shape), order="C")

    def pack(self, samples: Samples) -> bytes:
        """The bytes of samples; the inverse of `unpack`."""
        if self.dtype.kind == "b":
            return np.packbits(samples.reshape(-1), bitorder="little").tobytes()
        x = samples
        if self.channels_first:
            *before, channels, rows, columns = self.stored
            x = np.moveaxis(x.reshape(*before, rows, columns, channels), -1, -3)
        return (x.byteswap() if self.dtype != x.dtype else x).tobytes()


@dataclass(frozen=True)
class Dialect:
    """One format.

    Attributes:
        name: prefix of the metadata keys.
        extension: for messages.
        parse: finds the layout in the bytes of a file; raises InrcodecError.
        fresh: (head, tail) that the writer puts around a signal that was read from another format; raises UnsupportedError if it cannot.
    """

    name: str
    extension: str
    parse: Callable[[bytes], Layout]
    fresh: Callable[[Signal], tuple[bytes, bytes]]


def squeezed(stored: Sequence[int]) -> tuple[int, ...]:
    """A shape of at most 4 axes for stored samples, the last axis fastest: slow axes of 1 are dropped.

    Of more than 4, all axes of 1 are, and then slow ones merge.
    """
    shape = list(stored)
    while len(shape) > 1 and shape[0] == 1:
        del shape[0]
    if len(shape) > MAX_DIMENSIONS:
        shape = [n for n in shape if n > 1] or [1]
    more = len(shape) - MAX_DIMENSIONS
    return (math.prod(shape[: more + 1]), *shape[more + 1 :]) if more > 0 else tuple(shape)


def read(file: BufferedReader, dialect: Dialect, limits: Limits) -> Signal:
    """Read a file of that dialect.

    Raises:
        UnsupportedError: it holds something that is not supported.
        FormatError: it is damaged or truncated.
        LimitError: it asks for more than the limits allow.
    """
    return of_bytes(contents(file, limits), dialect, limits)


def of_bytes(data: bytes, dialect: Dialect, limits: Limits) -> Signal:
    """As `read`, of the bytes of a file."""
    layout = dialect.parse(data)
    signal = samples_of(data, layout, limits)
    head, tail = data[: layout.start], data[layout.end :]
    try:
        usual = dialect.fresh(signal) == (head, tail)
    except UnsupportedError:
        usual = False
    return signal if usual else replace(signal, metadata=kept(dialect.name, head, tail))


def samples_of(data: bytes, layout: Layout, limits: Limits) -> Signal:
    """The samples in the bytes of a file, without metadata. Raises FormatError: they are not all there; LimitError; UnsupportedError."""
    if 0 in layout.stored:
        raise UnsupportedError("there are no samples in it")
    if layout.end > len(data):
        raise FormatError(f"truncated: {max(0, len(data) - layout.start)} of {layout.nbytes} bytes of samples are there")
    check_size(limits, layout.shape, layout.dtype.itemsize, 3, len(data))
    samples = layout.unpack(memoryview(data)[layout.start : layout.end])
    try:
        return Signal(samples, layout.kind, layout.bit_depth)
    except UnsupportedError:
        return Signal(samples, layout.kind if samples.dtype.kind in "bu" else "array")  # samples that do not fit their nominal bits


def kept(name: str, head: bytes, tail: bytes) -> dict[str, bytes]:
    """The metadata that keep what a file has beside its samples. Raises UnsupportedError: it is too much."""
    if len(head) + len(tail) > MOST_KEPT:
        raise UnsupportedError(f"{len(head) + len(tail)} bytes beside its samples are too many; the limit is {MOST_KEPT}")
    return {f"{name}/head": head, **({f"{name}/tail": tail} if tail else {})}


def content(signal: Signal, dialect: Dialect) -> bytes:
    """The file that a signal was read from; of another one, a new file.

    Raises UnsupportedError: the format cannot hold it, or not without a header of its own.
    """
    head = signal.metadata.get(f"{dialect.name}/head")
    if head is not None:
        found = joined(signal.samples, dialect.parse, head, signal.metadata.get(f"{dialect.name}/tail", b""))
        if found is not None:
            return found
    made = joined(signal.samples, dialect.parse, *dialect.fresh(signal))
    if made is None:
        shape, dtype = signal.samples.shape, signal.samples.dtype
        raise UnsupportedError(f"{dialect.extension} cannot hold samples of type {dtype} and shape {shape} as they are; .npy can")
    return made


def joined(samples: Samples, parse: Callable[[bytes], Layout], head: bytes, tail: bytes) -> bytes | None:
    """A head, samples, and a tail, if a reader would find these samples in them; else None."""
    hole = (samples.size + 7) // 8 if samples.dtype.kind == "b" else samples.nbytes
    try:
        layout = parse(b"".join((head, bytes(hole), tail)))
    except InrcodecError:
        return None
    except Exception:  # libraries fail in many ways at a head that came from elsewhere
        return None
    little = samples.astype(samples.dtype.newbyteorder("<")) if samples.dtype.kind != "f" else _swapped(samples)
    if (layout.start, layout.end, layout.shape, layout.little) != (len(head), len(head) + hole, samples.shape, little.dtype):
        return None
    return b"".join((head, layout.pack(little), tail))


def _swapped(samples: Samples) -> Samples:
    """Floats in little-endian order, bit for bit."""
    little = samples.dtype.newbyteorder("<")
    bits = bits_of(samples)
    found: Samples = bits.astype(bits.dtype.newbyteorder("<")).view(little)
    return found


def write(path: Path, signal: Signal, dialect: Dialect) -> None:
    """Write a file of that dialect: see `content`."""
    path.write_bytes(content(signal, dialect))
