"""Chunks, as stores of arrays have them: an array of any type but Python objects, and any shape, ↔ one `.linr` file.

The store knows the shape and the type of a chunk, so they need not be in the file. An array that a signal can hold is coded as it is. Of
others, the bytes are coded in a type and a shape that a signal can hold: dates as integers, texts as characters, records as bytes, and of
more than four axes the first ones as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from . import codec, container, parallel
from .arrays import elements_like, elements_of
from .codec import BUNDLE, Index, Opened
from .container import END, FIRST, Reader, Section
from .errors import FormatError, UnsupportedError
from .header import HEAD, INDEX, TILE, Header, read_header
from .layout import Layout, box_shape
from .limits import Limits
from .options import Options
from .signal import BFLOAT16, MAX_DIMENSIONS, MAX_RATE, Kind, Signal, likely_kind
from .stream.sections import FRAME, Place

Array = npt.NDArray[Any]
STORED: dict[str, Any] = {"effort": 4, "profile": "auto", "sample_rate": 0}  # options that a store keeps, as usual
PROFILES = ("auto", "hybrid", "stored")  # `inr` fits a network for minutes
FIRST_READ = 1 << 16  # bytes that are read of a chunk of which a part is wanted: as a rule all before its first brick
LARGEST_BEGINNING = 1 << 26  # bytes; if more stands before the first brick, the chunk is read whole
GAP = 1 << 15  # bytes between two bricks that are read with them, since a read costs more


def check_options(profile: str, sample_rate: int) -> None:
    """Raise ValueError if a profile or a sample rate is none that chunks can have."""
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; it can be {', '.join(PROFILES)}")
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int) or not 0 <= sample_rate <= MAX_RATE:
        raise ValueError(f"sample_rate is {sample_rate!r}; it can be 0 to {MAX_RATE}")


def stored(codec_of_store: object) -> dict[str, Any]:
    """The options of a codec that a store keeps with its arrays: the effort, and what is not as usual."""
    found = {name: getattr(codec_of_store, name) for name in STORED}
    return {name: value for name, value in found.items() if name == "effort" or value != STORED[name]}


def encode(array: Array, options: Options, sample_rate: int = 0, metadata: Mapping[str, bytes] | None = None) -> bytes:
    """The .linr file of a chunk; empty if the array is. sample_rate: if it is not 0, the chunk is sound, (frames[, channels]).

    Raises UnsupportedError: the array is of Python objects, or is to be sound and cannot be; and as `codec.encode`.
    """
    check_type(array.dtype)
    if not array.nbytes:
        return b""
    samples = array if _is_signal(array.shape, array.dtype) else elements_of(array)
    samples = np.ascontiguousarray(samples)
    kind: Kind = "audio" if sample_rate else likely_kind(samples)
    return codec.encode(Signal(samples, kind, sample_rate=sample_rate or None, metadata=metadata or {}), options)


def check_type(dtype: np.dtype[Any]) -> None:
    """Raise UnsupportedError if arrays of this type have parts elsewhere in memory."""
    if dtype.hasobject:
        raise UnsupportedError(f"arrays of type {dtype} are not supported: their elements have no fixed size")


def _is_signal(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether a signal can hold such an array as it is."""
    numbers = (dtype.kind in "buif" and dtype.itemsize <= 8) or (dtype.kind == "c" and dtype.itemsize <= 16) or dtype.name == BFLOAT16
    return 1 <= len(shape) <= MAX_DIMENSIONS and numbers


def coded_like(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of the samples that a chunk is coded as."""
    if not _is_signal(shape, dtype):
        return elements_like(shape, dtype)
    return shape, np.dtype(np.uint16) if dtype.name == BFLOAT16 else dtype


def _checked_like(header: Header, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """`coded_like`. Raises FormatError if the file is not of such samples; the byte order does not matter."""
    sizes, part = coded_like(shape, dtype)
    if header.shape != sizes or header.dtype.newbyteorder("=") != part.newbyteorder("="):
        raise FormatError(f"it holds samples of type {header.type_name} and shape {header.shape}, and the chunk has {part} of {sizes}")
    return sizes, part


def decode(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], options: Options, selection: Sequence[Any] | None = None) -> Array:
    """The chunk of a file, in this shape and type.

    selection: for each axis an integer, a slice, or an array of integers, as NumPy takes them; only bricks that it meets are decoded, and
    the rest of the array is anything. None: all is decoded and compared with the digest.

    Raises FormatError: the file is damaged, or holds no such array; LimitError.
    """
    if not data and not math.prod(shape) * dtype.itemsize:
        return np.empty(shape, dtype)
    return decode_opened(codec.open_bytes(data, options.limits), shape, dtype, options, selection)


def decode_opened(
    opened: Opened, shape: tuple[int, ...], dtype: np.dtype[Any], options: Options, selection: Sequence[Any] | None = None
) -> Array:
    """See `decode`."""
    opened.check_lossless()
    sizes, part = _checked_like(opened.header, shape, dtype)
    numbers = None if selection is None else bricks_of(selection, shape, sizes, opened.layout)
    try:
        if numbers is None or len(numbers) == opened.layout.tiles:
            samples = opened.samples(options)
        else:
            samples = _decode_bricks(opened, numbers, options)
        return samples.astype(part, copy=False).reshape(-1).view(dtype).reshape(shape)
    except MemoryError as fault:
        raise FormatError(f"not enough memory for its {math.prod(sizes)} samples") from fault


def _decode_bricks(opened: Opened, numbers: Sequence[int], options: Options) -> Array:
    """An array of the samples of a file, in which only those of some bricks are set. Raises FormatError; LimitError."""
    h, layout = opened.header, opened.layout
    found = np.empty(h.shape, h.dtype)
    if not numbers:
        return found
    inner, workers = max(1, options.workers // len(numbers)), min(options.workers, len(numbers))
    at_once = opened.most_of_one(numbers, inner) * workers
    options.limits.check_memory(opened.held + opened.decoder.shared + at_once + found.nbytes)

    def put(number: int) -> None:
        box = layout.box(number)
        found[box] = h.shaped(opened.whole_tile(number, inner).reshape(*box_shape(box), -1))

    with opened.blaming():
        parallel.run(put, numbers, workers)
    return found


# --- which bricks a selection meets -------------------------------------------------------------------------------


def whole_selection(selection: Any, axes: int) -> tuple[Any, ...]:
    """A selection with an item for each axis, as NumPy reads it: what is left out is whole."""
    items = selection if isinstance(selection, tuple) else (selection,)
    dots = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    return (*items[:dots], *[slice(None)] * (axes - len(items) + (dots < len(items))), *items[dots + 1 :])


def is_whole(selection: Sequence[Any], shape: Sequence[int]) -> bool:
    """Whether a selection is of slices over whole axes."""
    return all(isinstance(item, slice) and item.indices(n) == (0, n, 1) for item, n in zip(selection, shape, strict=True))


def bricks_of(selection: Sequence[Any], shape: tuple[int, ...], sizes: tuple[int, ...], layout: Layout) -> list[int]:
    """The numbers of the bricks that hold what is selected of a chunk, in order.

    selection: see `decode`; shape: of the chunk; sizes: of the samples that it is coded as, see `coded_like`; layout: of these. The first
    axis of the samples may be several of the chunk, and the last one of none: the parts of an element.
    """
    if not shape:
        return list(range(layout.tiles))
    divided = math.prod(sizes) != math.prod(shape)
    merged = 1 + max(0, len(shape) + divided - MAX_DIMENSIONS)
    arrays = [item for item in selection if isinstance(item, np.ndarray)]
    if merged == 1 and not _is_mesh(arrays):
        return _bricks_of_points(selection, sizes, layout)
    along = [_places(item, n) for item, n in zip(selection, shape, strict=True)]
    first = along[0]
    for places, n in zip(along[1:merged], shape[1:merged], strict=True):
        first = np.add.outer(first * n, places).reshape(-1)
    along = [first, *along[merged:], *([np.arange(sizes[-1])] if divided else [])]
    bricks = [np.unique(places // tile).tolist() for places, tile in zip(along, layout.tile, strict=False)]  # none of an axis of channels
    return [layout.number(place) for place in product(*bricks)]


def _is_mesh(arrays: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether each of these arrays has places of its own along an axis of its own, as `np.ix_` makes them."""
    long = [[axis for axis, n in enumerate(array.shape) if n > 1] for array in arrays]
    axes = [axis for own in long for axis in own]
    return all(len(own) <= 1 for own in long) and len(set(axes)) == len(axes)


def _bricks_of_points(selection: Sequence[Any], sizes: tuple[int, ...], layout: Layout) -> list[int]:
    """`bricks_of` points, whose places along several axes belong together. No axes are merged."""
    counts = layout.counts
    strides = [math.prod(counts[axis + 1 :]) for axis in range(len(counts))]
    points = np.zeros(1, np.int64)
    found = np.zeros(1, np.int64)
    items = [*selection, *[slice(None)] * (len(sizes) - len(selection))]
    for item, n, tile, stride in zip(items, sizes, layout.tile, strides, strict=False):
        if isinstance(item, np.ndarray):
            points = points + item // tile * stride
        else:
            found = np.add.outer(found, np.unique(_places(item, n) // tile) * stride).reshape(-1)
    numbers: list[int] = np.unique(np.add.outer(found, np.unique(points))).tolist()
    return numbers


def _places(item: Any, n: int) -> npt.NDArray[np.int64]:
    """The places along an axis of n of a slice, an integer or an array of integers."""
    if isinstance(item, slice):
        return np.arange(*item.indices(n))
    return np.unique(np.asarray(item, np.int64))


# --- which bytes of a file hold them ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beginning:
    """What stands before the first brick of a file, and where its bricks are, by number.

    sections: all that stand there.
    """

    sections: list[Section]
    header: Header
    index: Index
    places: list[Place]

    @classmethod
    def read(cls, data: bytes) -> Beginning | int:
        """Parse the first bytes of a file. A number: so many are needed. Raises FormatError: the file is damaged, or must be read whole."""
        container.check_start(data)
        if container.is_compact(data):
            raise FormatError("it is a compact file")
        r = Reader(data, "the file")
        r.take(FIRST)
        sections: list[Section] = []
        while True:
            start = r.position
            if r.left < FRAME:
                return start + FRAME
            kind, length = container.read_frame(r)
            if kind == TILE:
                break
            end = start + container.framed(length) + FRAME
            if kind in (END, BUNDLE) or end > LARGEST_BEGINNING:
                raise FormatError("it is to be read whole")
            if end > len(data):
                return end
            r.position = start
            sections.append(container.read_section(r))
        single = {section.type: section.content for section in sections}
        if HEAD not in single or INDEX not in single:
            raise FormatError("it is to be read whole")
        header = read_header(single[HEAD])
        index = codec.read_index(single[INDEX], header)
        places: list[Place] = []
        for number in index.order:
            size = container.framed(index.lengths[number])
            places.append(Place(start, size, index.lengths[number]))
            start += size
        return cls(sections, header, index, codec.placed(index, places))

    def bricks(self, selection: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[int]:
        """The numbers of the bricks that a selection meets. Raises FormatError: the file holds no such chunk."""
        sizes, _ = _checked_like(self.header, shape, dtype)
        return bricks_of(selection, shape, sizes, self.index.layout)

    def spans(self, numbers: Sequence[int]) -> list[tuple[int, int]]:
        """(first byte, the one after the last) of what is to be read for some bricks, in order.

        Raises FormatError: it is more than these bricks can take.
        """
        found: list[tuple[int, int]] = []
        for place in sorted((self.places[number] for number in numbers), key=lambda place: place.start):
            if found and place.start - found[-1][1] <= GAP:
                found[-1] = found[-1][0], place.start + place.size
            else:
                found.append((place.start, place.start + place.size))
        raw = math.prod(self.header.shape) * self.header.dtype.itemsize
        if sum(stop - start for start, stop in found) > 2 * raw + LARGEST_BEGINNING:
            raise FormatError("it is to be read whole")
        return found

    def opened(self, pieces: Mapping[int, bytes], limits: Limits) -> Opened:
        """The file, of which only some bricks can be decoded. pieces: bytes of the file by their first place. Raises FormatError."""
        tiles: list[bytes | None] = []
        for place in self.places:
            stop = place.start + place.size
            data = next(
                (data[place.start - at : stop - at] for at, data in pieces.items() if at <= place.start and stop <= at + len(data)), None
            )
            tiles.append(None if data is None else _tile(data, place.length))
        return codec.assemble(self.sections, lambda _: tiles, limits, 2 * sum(map(len, pieces.values())))


def _tile(data: bytes, length: int) -> bytes:
    """The content of a section TILE. Raises FormatError."""
    r = Reader(data, "the file")
    section = container.read_section(r)
    if section.type != TILE or len(section.content) != length:
        raise FormatError("damaged: it has no such tile where the tile index says")
    return section.content
