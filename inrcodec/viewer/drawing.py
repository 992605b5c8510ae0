"""Pictures, stacks and arrays of two or more axes as pictures: what a part of a page looks like, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import figures
from ..averages import Averages, smaller
from ..errors import UnsupportedError
from ..figures import Picture
from ..layout import Box, box_shape
from ..signal import Kind, Signal
from .held import Held
from .samples import Parts, Piece, Samples, Source, strips

Mode = Literal["picture", "cost", "bits", "network"]
LARGEST = 1 << 24  # places of a part that is drawn at once
LARGEST_BLOCK = 1 << 12  # places of which values are told at once
STEPS = 1 << 12  # rows and columns that become one, at most
WORKED = 48  # bytes that a sample takes while it is drawn, at most
PNG = 4  # bytes that a sample takes in the picture and while its file is made, at most
TEXT = 120  # bytes that a value takes as a text, at most
HATCH = 8  # pixels between the stripes of what is lost
LOST = (np.uint8(90), np.uint8(150))


@dataclass(frozen=True)
class Layer:
    """What is to be seen of a page.

    Attributes:
        mode: "picture"; "cost": the bits that each place took; "bits": one bit of each sample; "network": what the network alone says.
        page: the place along each of the leading axes.
        plane: of cost: which coded plane, −1: all together; of bits: which bit, 0 is the lowest.
        channel: of bits.
        top: of cost: bits of the brightest colour.
    """

    mode: Mode = "picture"
    page: tuple[int, ...] = ()
    plane: int = -1
    channel: int = 0
    top: float = 8.0


@dataclass(frozen=True)
class Drawn:
    """A PNG file, and what could not be drawn of it: a line for each tile, see samples.TOLD."""

    png: bytes
    faults: tuple[str, ...] = ()


def box_of(held: Held, page: tuple[int, ...], area: tuple[int, int, int, int]) -> Box:
    """The box of an area (left, top, width, height) of a page. Raises UnsupportedError: it does not lie inside the signal."""
    axes = held.signal.layout.axes
    left, top, width, height = area
    box = (*(slice(n, n + 1) for n in page), slice(top, top + height), slice(left, left + width))
    if held.signal.header.kind == "audio" or len(axes) < 2:
        raise UnsupportedError("it cannot be shown as a picture")
    if len(box) != len(axes) or any(not 0 <= s.start < s.stop <= n for s, n in zip(box, axes, strict=True)):
        raise UnsupportedError("the part does not lie inside the picture")
    return box


def is_nominal(held: Held) -> bool:
    """Whether black and white are the ends of the samples' range, and not those of a page."""
    header = held.signal.header
    channels = held.signal.layout.channels
    return figures.span_of(_signal_of(held, np.zeros((1, 1, channels), header.part_type))) is None


def bits_of(held: Held) -> int:
    """How many bits a sample has that can be shown one by one."""
    header = held.signal.header
    return 8 * header.part_type.itemsize if header.part_type.kind == "f" else header.bit_depth


async def span_of(samples: Samples, held: Held, page: tuple[int, ...]) -> tuple[float, float] | None:
    """The numbers of a page that are black and white; None: those of the samples' range. It may have to decode all of the page, once."""
    height, width = (1, *held.signal.layout.axes)[-2:]
    box = box_of(held, page, (0, 0, width, height))
    if is_nominal(held):
        return None
    source: Source = "network" if held.signal.header.lossy else "samples"
    found: list[tuple[float, float]] = []

    def take(piece: Piece) -> None:
        for _, parts in strips(piece):
            span = figures.span_of(_signal_of(held, _flat(parts)))
            found.extend([span] if span else [])

    async def make() -> tuple[float, float]:
        async with samples.room(held, box, WORKED * samples.at_once(held, box, source), source):
            await samples.each(held, box, take, source)
        return (min(low for low, _ in found), max(high for _, high in found)) if found else (0.0, 0.0)

    return await samples.notes.get(("span", held.path, held.stamp, page), make)


async def draw(samples: Samples, held: Held, layer: Layer, area: tuple[int, int, int, int], step: int) -> Drawn:
    """An area of a page as a picture of 8 bits.

    area: (left, top, width, height); step: how many rows and columns of it become one: their means. 1 to STEPS.
    Raises InrcodecError: nothing of it can be drawn.
    """
    box = box_of(held, layer.page, area)
    sizes = box_shape(box)[-2:]
    if sizes[0] * sizes[1] > LARGEST * step * step:
        raise UnsupportedError("the part is too large to be drawn at once")
    span = await span_of(samples, held, layer.page) if layer.mode in ("picture", "network") else None
    source = _source(layer)
    canvas = Canvas(sizes, step, _channels_of(held, layer))
    more = canvas.memory() + WORKED * samples.at_once(held, box, source)

    def take(piece: Piece) -> None:
        if piece.parts is None:
            canvas.put(piece.box[-2:], _hatched(piece.box[-2:]))
        for place, parts in strips(piece):
            canvas.put(place[-2:], _draw(held, layer, _flat(parts), span))

    async with samples.room(held, box, more, source):
        canvas.clear()
        faults = await samples.each(held, box, take, source)
        return Drawn(await samples.store.run(lambda: figures.png(canvas.picture())), tuple(faults))


async def values(samples: Samples, held: Held, layer: Layer, area: tuple[int, int, int, int]) -> list[list[list[str]]]:
    """The values of an area of a page, as texts: of each row, of each pixel, of each channel; of layer cost, the bits of the place.

    Raises InrcodecError.
    """
    box = box_of(held, layer.page, area)
    sizes = box_shape(box)[-2:]
    if sizes[0] * sizes[1] > LARGEST_BLOCK:
        raise UnsupportedError("the part is too large to tell its values at once")
    found: list[list[list[str]]] = [[["lost"]] * sizes[1] for _ in range(sizes[0])]
    for piece in await samples.pieces(held, box, TEXT * sizes[0] * sizes[1] * held.signal.layout.channels, _source(layer)):
        if piece.parts is None:
            continue
        rows, columns = piece.box[-2:]
        if layer.mode == "cost":
            told = [[[f"{bits:.2f}"] for bits in row] for row in _costs(layer, _flat(piece.parts)).tolist()]
        else:
            told = _texts(_signal_of(held, _flat(piece.parts)))
        for row, texts in zip(range(rows.start, rows.stop), told, strict=True):
            found[row][columns] = texts
    return found


def page(held: Held, samples: npt.NDArray[Any]) -> Picture:
    """A page as `draw` shows it. samples: as `Opened.decode` gives them, with sizes of 1 along the leading axes."""
    header = held.signal.header
    return figures.shown(_only(held, Signal(samples, header.kind, header.bit_depth, None, held.signal.metadata, header.bfloat16)))


def _flat(parts: Parts) -> Parts:
    """The samples of a page, whose leading axes have a size of 1: (rows, columns, channels)."""
    return np.ascontiguousarray(parts.reshape(parts.shape[-3:]))


def _signal_of(held: Held, parts: Parts) -> Signal:
    """A part of a page, (rows, columns, channels), as a picture or an array of two axes. Raises UnsupportedError: the file is damaged."""
    header = held.signal.header
    leading = (1,) * (len(held.signal.layout.axes) - 2)
    samples = header.shaped(parts.reshape(*leading, *parts.shape))
    return _only(held, Signal(samples, header.kind, header.bit_depth, None, held.signal.metadata, header.bfloat16))


def _only(held: Held, signal: Signal) -> Signal:
    """The one page of a signal as a picture, or as an array of two axes."""
    leading = len(held.signal.layout.axes) - 2
    kind: Kind = "array" if signal.kind == "array" else "image"
    samples = signal.samples.reshape(signal.samples.shape[leading:])
    return Signal(samples, kind, signal.bit_depth, None, signal.metadata, signal.bfloat16)


def _draw(held: Held, layer: Layer, parts: Parts, span: tuple[float, float] | None) -> Picture:
    """A part of a page, (rows, columns, channels), as a picture."""
    if layer.mode == "cost":
        return figures.heat(_costs(layer, parts), layer.top)[0]
    signal = _signal_of(held, parts)
    if layer.mode == "bits":
        return figures.bit_plane(signal, layer.plane, layer.channel)[..., None]
    return figures.shown(signal, 0, span)


def _costs(layer: Layer, parts: Parts) -> npt.NDArray[np.float32]:
    """The bits of places, (rows, columns). Raises UnsupportedError: there is no such plane."""
    if not -1 <= layer.plane < parts.shape[-1]:
        raise UnsupportedError(f"there is no coded plane {layer.plane}")
    found: npt.NDArray[np.float32] = parts.sum(axis=-1) if layer.plane < 0 else parts[..., layer.plane]
    return found


def _hatched(box: Box) -> Picture:
    """Stripes in place of what is lost, which go on from one part to the next."""
    rows, columns = (np.arange(s.start, s.stop) for s in box)
    striped = (rows[:, None] + columns) // HATCH % 2
    return np.where(striped, *LOST).astype(np.uint8)[..., None]


def _source(layer: Layer) -> Source:
    """What a layer is made from."""
    return "costs" if layer.mode == "cost" else "network" if layer.mode == "network" else "samples"


def _channels_of(held: Held, layer: Layer) -> int:
    """Channels of the picture of a layer, at most: NaN is coloured in grey too."""
    if layer.mode in ("cost", "bits"):
        return 3 if layer.mode == "cost" else 1
    header = held.signal.header
    shown = figures.shown(_signal_of(held, np.zeros((1, 1, held.signal.layout.channels), header.part_type)))
    channels: int = shown.shape[2]
    return max(channels, 1 if header.dtype.kind in "biu" and not header.bfloat16 else 3)


class Canvas:
    """A picture that is put together from parts, in any order and from any thread, in which a pixel is the mean of step × step of theirs.

    sizes: rows and columns of the parts together; channels: of the picture, at most. It is grey if all parts are.
    """

    def __init__(self, sizes: tuple[int, ...], step: int, channels: int) -> None:
        self.sizes, self.step, self.channels = sizes, step, channels
        self.used = 1

    def memory(self) -> int:
        """The most bytes that it takes, and its PNG file."""
        rows, columns = smaller(self.sizes, self.step)
        means = Averages.memory(self.sizes, self.channels, self.step) if self.step > 1 else 0
        return PNG * rows * columns * self.channels + means

    def clear(self) -> None:
        """Take the memory. To be called before the first `put`."""
        if self.step == 1:
            self._found: Picture = np.zeros((*self.sizes, self.channels), np.uint8)
        else:
            self._means = Averages(self.sizes, self.channels, self.step, 8, np.dtype(np.uint8))

    def put(self, box: Box, part: Picture) -> None:
        """Put a part in its place, (rows, columns)."""
        self.used = max(self.used, part.shape[2])
        part = _widened(part, self.channels)
        if self.step == 1:
            self._found[box] = part
        else:
            self._means.add(box, part)

    def picture(self) -> Picture:
        """The whole."""
        found: Picture = self._found if self.step == 1 else self._means.samples()
        return found[..., : self.used] if self.used == 1 else found


def _widened(part: Picture, channels: int) -> Picture:
    """A picture with more channels: grey becomes RGB, and what has no alpha opaque."""
    if part.shape[2] == 1 and channels > 1:
        part = np.repeat(part, 3, axis=2)
    if part.shape[2] < channels:
        part = np.dstack([part, np.full(part.shape[:2], 255, np.uint8)])
    return part


def _texts(signal: Signal) -> list[list[list[str]]]:
    """The samples of a picture or of an array of two axes as texts: exact, and as short as can be."""
    samples = signal.samples
    if signal.bfloat16:
        samples = (samples.astype(np.uint32) << 16).view(np.float32)
    native: npt.NDArray[Any] = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    pixels = native.reshape(*native.shape[:2], -1)
    return [[[str(value) for value in pixel] for pixel in row] for row in pixels]
