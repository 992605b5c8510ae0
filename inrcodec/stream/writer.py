"""Writing a `.linr` file by blocks, which are cut into bricks."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import floats, values
from ..errors import UnsupportedError
from ..header import DIGEST, LARGEST_SHAPE, Header
from ..layout import Layout, split
from ..options import Options
from ..signal import Kind, Signal, has_channel_axis
from ..values import plain_bools
from .brickfile import BrickFile
from .indexing import Along, parse, told
from .sizes import checked_chunks, default_chunks

BUFFER = 1 << 30  # bytes of a layer of bricks that are buffered, at most, where max_memory is not given
UNBOUNDED = 4 * LARGEST_SHAPE  # the length of the first axis while it is not known

Samples = npt.NDArray[Any]


@dataclass(frozen=True)
class Declared:
    """What a file is to hold.

    Attributes:
        shape: of the samples; None for the length of the first axis if that is not yet known.
        dtype, kind, bit_depth, sample_rate, metadata: see `Signal`.
        chunks: sizes of a brick; None: chosen.
    """

    shape: tuple[int | None, ...]
    dtype: npt.DTypeLike
    chunks: Sequence[int | None] | None = None
    kind: Kind = "array"
    bit_depth: int = 0
    sample_rate: int | None = None
    metadata: Mapping[str, bytes] = field(default_factory=dict)


def _whole_map(dtype: np.dtype[Any], bit_depth: int) -> values.ValueMap:
    """The value map of all samples of a type and a depth: what occurs is not known beforehand."""
    signed = dtype.kind in "if"
    return values.ValueMap(-1 << bit_depth - 1 if signed else 0, 1, bit_depth)


def _header(declared: Declared) -> Header:
    """The header of a file without samples and digest; an unknown length is 1.

    Raises UnsupportedError: there is no such signal; TypeError: there is no such type.
    """
    shape, dtype = declared.shape, np.dtype(declared.dtype)
    if not shape or any(n is None for n in shape[1:]):
        raise UnsupportedError(f"shape {shape}: it needs 1 to 4 sizes, of which only the first can be None")
    if any(n is not None and (isinstance(n, bool) or int(n) != n or n < 1) for n in shape):
        raise UnsupportedError(f"shape {shape}: sizes are whole numbers of 1 or more")
    if dtype.name == "bfloat16":
        raise UnsupportedError("bfloat16 is not written brick by brick; write its bits as uint16, or encode it at once")
    if dtype.kind == "c":
        raise UnsupportedError("complex numbers are not written brick by brick; write real and imaginary parts, or encode them at once")
    sizes = tuple(1 if n is None else int(n) for n in shape)
    if math.prod(sizes) > LARGEST_SHAPE:
        raise UnsupportedError(f"shape {shape} has more than {LARGEST_SHAPE} samples")
    channels = sizes[-1:] if has_channel_axis(declared.kind, len(sizes)) else ()
    like = np.zeros((*[1] * (len(sizes) - len(channels)), *channels), dtype)  # checked as a signal of the shape would be
    if like.size > 1 << 16:
        raise UnsupportedError(f"shape {shape} has too many channels")
    signal = Signal(like, declared.kind, declared.bit_depth, declared.sample_rate, declared.metadata)
    value_map = _whole_map(dtype, signal.bit_depth)
    float_map = floats.FloatMap() if dtype.kind == "f" else None
    return Header(
        0, declared.kind, dtype, signal.bit_depth, sizes, signal.sample_rate, value_map, bytes(DIGEST), float_map=float_map, by_tiles=True
    )


class StreamWriter:
    """A `.linr` file that is written brick by brick: `f[0:16] = block`, or `f.write(block)`, which appends along the first axis.

    It is a context manager. The file is there, under its name, only after `close`, if every brick was written; if the block ends by an
    exception, nothing is left, and a file that had the name stays.

    Attributes:
        path: of the file.
        shape: of the samples; the first is None while it is not known.
        dtype, ndim, kind, bit_depth, sample_rate, metadata: see `Signal`.
        chunks: sizes of a brick along each axis.
        profile: the name of the profile.
    """

    def __init__(self, path: Path, declared: Declared, options: Options) -> None:
        """Begin a file. options: profile, effort, threads, verify, progress, stop and max_memory matter.

        Raises: UnsupportedError: there is no such signal, or the profile cannot code its bricks; InrcodecError: see `storage.Replacement`;
        TypeError: there is no such type; ValueError: there is no such profile.
        """
        h = _header(declared)
        axes, channels = split(h.shape, h.channel_axis)
        known = (declared.shape[0], *axes[1:])
        of_channels = channels if h.channel_axis else None
        tile = default_chunks(known, channels) if declared.chunks is None else checked_chunks(declared.chunks, known, of_channels)
        self.path, self.dtype, self.kind, self.bit_depth, self.sample_rate = path, h.dtype, h.kind, h.bit_depth, h.sample_rate
        self.metadata, self.chunks = declared.metadata, (*tile, *h.shape[len(tile) :])
        self._rest, self._axes, self._most = h.shape[1:], len(axes), options.max_memory or BUFFER
        self._length = declared.shape[0]  # of the first axis; None: not known
        self._reach = 0  # the end of what was written, along the first axis
        self._cursor = 0  # how many slabs were appended
        self._layer = np.empty((0,), h.dtype)  # slabs that do not yet fill a layer of bricks
        self._bricks: set[int] = set()  # those that were written, or wait for being so
        self._lock, self._closed, self._layer_bytes = RLock(), False, 0
        self._file = file = BrickFile(path, h if self._length else replace(h, shape=(0, *self._rest)), tile, self.metadata, options)
        weakref.finalize(self, file.discard)
        self.profile = file.profile.name
        if self._length:
            self._file.expect(self._layout(0).tiles)

    # --- the public side ------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of the samples; the first size is None while it is not known."""
        return (self._length, *self._rest)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return 1 + len(self._rest)

    @property
    def held(self) -> int:
        """The most bytes of samples that were held at once: in bricks that wait for being coded, and in a layer that is not yet whole."""
        return self._file.most + self._layer_bytes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}: {self.kind} {self.shape}, {self.dtype}, chunks {self.chunks}>"

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, block: npt.ArrayLike) -> None:
        """Append slabs along the first axis: a block (n, *shape[1:]), or one slab (*shape[1:]). n need not be a multiple of the chunks.

        Raises:
            ValueError: the block has another shape, goes past the end, or a brick of it was written already; or slabs that do not fill
                a layer of bricks would take too much memory.
            TypeError: its type does not fit that of the file without loss.
            UnsupportedError: samples do not fit the bit depth.
            InrcodecError: the file cannot be written.
        """
        found, rest = self._typed(block), self._rest
        whole = found[None] if found.shape == rest else found
        if whole.shape[1:] != rest or whole.ndim != self.ndim:
            raise ValueError(f"a block of shape {found.shape} cannot be appended to shape {self.shape}: it must be (n, {str(rest)[1:]}")
        with self._lock:
            self._check_open()
            self._append(whole)

    def __setitem__(self, key: Any, block: npt.ArrayLike) -> None:
        """Write the bricks of a box: slices without steps that begin and end where bricks do, or at the end of an axis.

        A box of whole slabs that begins where the appended ones end is appended, and needs no such bounds. Raises IndexError, and as
        `write`.
        """
        with self._lock:
            self._check_open()
            along = parse(key, (UNBOUNDED if self._length is None else self._length, *self._rest))
            if any(a.step != 1 or a.backwards for a in along):
                raise ValueError("samples are written by slices without steps")
            if self._length is None and along[0].stop > LARGEST_SHAPE:
                raise ValueError("the length of the first axis is not known yet: its slice needs a start and an end, both 0 or more")
            found = self._typed(block)
            kept = tuple(a.count for a in along if a.kept)
            whole = np.broadcast_to(found, kept).reshape([a.count for a in along])
            if not whole.size:
                return
            if along[0].start == self._cursor and all(a.count == n for a, n in zip(along[1:], self._rest, strict=True)):
                self._append(whole)
            else:
                self._put(along, whole)

    def close(self) -> None:
        """Finish the file, and give it its name. It does nothing if the file is closed.

        Raises:
            ValueError: bricks are missing; nothing is left of the file.
            InrcodecError: it cannot be written.
            Stopped: options.stop says so.
        """
        with self._lock:
            if self._closed:
                return
            try:
                self._finish()
            finally:
                self.discard()

    def _finish(self) -> None:
        """Hand out what was appended last, and finish the file. Raises ValueError if bricks are missing."""
        if self._length is None:
            self._length = self._reach
            rows = self._cursor % self.chunks[0]
            if rows and self._cursor == self._length:
                self._put_layer(self._cursor // self.chunks[0], self._layer[:rows])
        if not self._length:
            raise ValueError(f"{self.path}: nothing was written, so there is no file")
        layout = self._layout(0)
        layout = replace(layout, tile=tuple(min(t, n) for t, n in zip(layout.tile, layout.axes, strict=True)))
        if missing := layout.tiles - len(self._bricks):
            first = next(box for i, box in enumerate(layout.boxes()) if i not in self._bricks)
            what = f"{missing} of {layout.tiles} bricks were not written, the first is {told(first)}"
            raise ValueError(f"{self.path}: {what}; nothing is kept")
        self._file.finish((self._length, *self._rest), layout)

    def discard(self) -> None:
        """Give the file up: nothing is left of it. It does nothing if the file is closed."""
        with self._lock:
            self._closed = True
            self._file.discard()
            self._layer = np.empty((0,), self.dtype)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.path}: the file is closed")

    # --- blocks → bricks ------------------------------------------------------------------------------------------

    def _typed(self, block: npt.ArrayLike) -> Samples:
        """A block as an array of the type of the file. Raises TypeError if it could lose something."""
        found = np.asarray(block)
        if isinstance(block, np.ma.MaskedArray):
            raise TypeError("a masked array has no samples where it is masked; fill it first")
        if isinstance(block, bool | int | float):
            with np.errstate(all="ignore"):
                number = found.astype(self.dtype) if found.dtype.kind != "O" else np.zeros((), self.dtype)
            if number != found and not (isinstance(block, float) and self.dtype.kind == "f"):
                raise TypeError(f"{block!r} is no {self.dtype}")
            return number
        rounded = found.dtype.kind in "iu" and found.dtype.itemsize == 8 and self.dtype.kind == "f"
        if rounded or not np.can_cast(found.dtype, self.dtype, "safe"):
            raise TypeError(f"a block of {found.dtype} may not fit {self.dtype} without loss; convert it first")
        found = plain_bools(found)
        return found if found.dtype == self.dtype else found.astype(self.dtype)

    def _rows(self, layer: int) -> int:
        """Slabs of a layer of bricks."""
        size = self.chunks[0]
        return size if self._length is None else max(0, min(size, self._length - layer * size))

    def _append(self, block: Samples) -> None:
        """Append slabs. What does not fill a layer of bricks is buffered."""
        end = self._cursor + len(block)
        self._check_end(end)
        at = 0
        while at < len(block):
            layer, row = divmod(self._cursor, self.chunks[0])
            rows = self._rows(layer)
            taken = min(rows - row, len(block) - at)
            part = block[at : at + taken]
            if row or taken < rows:
                self._buffer()[row : row + taken] = part
                part = self._layer[:rows]
            if row + taken == rows:
                self._put_layer(layer, part)
            self._cursor += taken
            at += taken
        self._reach = max(self._reach, end)

    def _buffer(self) -> Samples:
        """The memory for a layer of bricks. Raises ValueError if that would be too much."""
        if not len(self._layer):
            shape = (self._rows(0), *self._rest)
            needed, most = math.prod(shape) * self.dtype.itemsize, self._most
            if needed > most:
                raise ValueError(
                    f"slabs that do not fill a layer of {shape[0]} along the first axis would take {needed} bytes of memory until they do, "
                    f"and at most {most} are taken (max_memory): append multiples of {shape[0]} slabs, write whole bricks by index, "
                    "or choose chunks that are shorter along the first axis"
                )
            self._layer = np.empty(shape, self.dtype)
            self._layer_bytes = needed
        return self._layer

    def _put_layer(self, layer: int, rows: Samples) -> None:
        """Hand out the bricks of a layer along the first axis."""
        start = layer * self.chunks[0]
        whole = (Along(start, 1, len(rows)), *[Along(0, 1, n) for n in self._rest])
        self._hand_out(whole, rows)

    def _put(self, along: Sequence[Along], block: Samples) -> None:
        """Write the bricks of a box. Raises ValueError if it does not begin and end where bricks do."""
        self._check_end(along[0].stop)
        layer, row = divmod(self._cursor, self.chunks[0])
        if row and along[0].start < (layer + 1) * self.chunks[0] and along[0].stop > layer * self.chunks[0]:
            raise ValueError(f"slabs {self._cursor - row} to {self._cursor - 1} were appended and wait for the rest of their bricks")
        for axis, (a, size, n) in enumerate(zip(along, self.chunks, self.shape, strict=True)):
            ends = a.stop % size == 0 or a.stop == n or (n is None and a.stop > self._reach)
            if a.start % size or not ends:
                end = "" if n is None else f", or end at {n}"
                raise ValueError(
                    f"axis {axis}: {a.start}:{a.stop} must begin and end at multiples of {size}{end}, since bricks of {self.chunks} are "
                    "written whole; slabs along the first axis can be appended in any number (write)"
                )
        if self._length is None and along[0].stop % self.chunks[0]:
            self._length = along[0].stop
        self._hand_out(along, block)
        self._reach = max(self._reach, along[0].stop)

    def _check_end(self, end: int) -> None:
        """Raise ValueError if samples up to this place along the first axis are too many."""
        if self._length is not None and end > self._length:
            raise ValueError(f"{end} slabs go past the end of the first axis, which has {self._length}")
        if end * math.prod(self._rest) > LARGEST_SHAPE:
            raise ValueError(f"more than {LARGEST_SHAPE} samples")

    def _hand_out(self, along: Sequence[Along], block: Samples) -> None:
        """Hand out the bricks of a box, which is made of whole ones, to be coded."""
        layout = self._layout(max(along[0].stop, self._reach))
        spans = tuple(slice(a.start, a.stop) for a in along[: self._axes])
        numbers = layout.meeting(spans)
        for number in numbers:
            if number in self._bricks:
                raise ValueError(f"brick {number} {told(layout.box(number))} was written already")
        self._bricks.update(numbers)
        for number in numbers:
            here = tuple(slice(b.start - s.start, b.stop - s.start) for b, s in zip(layout.box(number), spans, strict=True))
            self._file.submit(number, block[here])

    def _layout(self, length: int) -> Layout:
        """The layout of a file of so many slabs, or of the length that is known. The numbers of bricks do not depend on it."""
        whole = (self._length or length, *self._rest)
        return Layout(whole[: self._axes], math.prod(whole[self._axes :]), self.chunks[: self._axes])
