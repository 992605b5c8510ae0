"""The chosen picture: what it looks like, where its bits go, and its bit-planes, as PNG files inside the page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import figures
from ..errors import InrcodecError, Stopped, UnsupportedError
from ..options import Options
from ..signal import Signal
from .words import number, percent, significant

if TYPE_CHECKING:
    from ..costs import Costs

MOST = 1024  # pixels of the longest side of a picture in the page
PICTURE_BYTES, MAP_BYTES, PLANE_BYTES = 1_200_000, 1_100_000, 1_100_000  # of PNG files, of all of a sort; a third more in the page
SCALE = 256  # pixels of the colour scale


@dataclass(frozen=True)
class Choice:
    """A picture that the page shows.

    Attributes:
        path: its name.
        signal: its samples.
        data: its .linr file.
        options: threads, limits and stop matter, when the file is decoded for the map of its bits.
    """

    path: str
    signal: Signal
    data: bytes
    options: Options | None = None


@dataclass(frozen=True)
class Image:
    """A picture in the page.

    Attributes:
        address: a data URI; width, height: in pixels.
        name: what it shows, as a chooser has it; group: of bit-planes, the channel.
        top: of a map, bits per pixel of the brightest colour, in words.
        note: a sentence more.
    """

    address: str
    width: int
    height: int
    name: str
    group: str = ""
    top: str = ""
    note: str = ""


@dataclass(frozen=True)
class Chosen:
    """What the page shows of a chosen picture.

    Attributes:
        path: its name.
        facts: about its samples and its file, in words.
        picture: how it looks; None: it cannot be shown, and `faults` say why.
        maps: where the bits go, of all planes together first.
        scale: the colours of the maps, a data URI.
        planes: its bit-planes, the highest of the first channel first.
        shrunk, cropped: what was done so that the page stays small; "" if nothing.
        faults: what cannot be shown, and why.
    """

    path: str
    facts: str
    picture: Image | None = None
    maps: list[Image] = field(default_factory=list)
    scale: str = ""
    planes: list[Image] = field(default_factory=list)
    shrunk: str = ""
    cropped: str = ""
    faults: list[str] = field(default_factory=list)


def chosen(choice: Choice) -> Chosen:
    """Draw a chosen picture: of a stack its first page, of an array the first slice along its last two axes.

    Raises Stopped.
    """
    from ..costs import costs  # decodes, so it needs the kernels, and a page without a picture does not

    signal, faults = choice.signal, []
    facts = f"{_shape(signal)}, {signal.samples.dtype.name}; {number(len(choice.data))} bytes as .linr"
    if not figures.pages_of(signal):
        return Chosen(choice.path, facts, faults=["This is no picture, so there is nothing to look at."])
    if (pages := figures.pages_of(signal)) > 1:
        facts += f"; page 1 of {number(pages)} is shown"
    whole = figures.shown(signal)
    pictures = _fitting([whole], PICTURE_BYTES, _png)
    maps: list[Image] = []
    try:
        maps = _maps(costs(choice.data, choice.options))
    except Stopped:
        raise
    except UnsupportedError as fault:
        faults.append(f"There is no map of where the bits go: {fault}.")
    except InrcodecError as fault:
        faults.append(f"The map of where the bits go could not be made: {fault}.")
    planes, cropped = _planes(signal)
    height, width = pictures[0][1].shape[:2]
    smaller = f"The picture and its maps were shrunk to at most {number(max(width, height))} pixels a side, to keep this page small."
    least = min([max(width, height), *(max(image.width, image.height) for image in maps)])
    return Chosen(
        choice.path,
        facts,
        Image(_address(pictures[0][0]), width, height, "picture"),
        maps,
        _address(_png(figures.heat(np.broadcast_to(np.linspace(0, 1, SCALE), (8, SCALE)), 1.0)[0])),
        planes,
        smaller if least < max(whole.shape[:2]) else "",
        cropped,
        faults,
    )


def _shape(signal: Signal) -> str:
    """The size of a picture as people say it, width first; of others the shape."""
    if signal.kind != "image":
        return " × ".join(number(n) for n in signal.samples.shape)
    height, width, channels = signal.parts.shape
    return f"{number(width)} × {number(height)} pixels, {channels} {'channel' if channels == 1 else 'channels'}"


def _maps(found: Costs) -> list[Image]:
    """Where the bits go, of all coded planes together, then of each."""
    all_planes = ("all planes", found.places)
    named = [all_planes, *found.planes] if len(found.planes) > 1 else [all_planes]
    total = float(np.sum(found.places, dtype=np.float64))
    drawn = _fitting([_page(places) for _, places in named], MAP_BYTES, lambda x: _png(figures.heat(x)[0]))
    images = []
    for (name, places), (file, smaller) in zip(named, drawn, strict=True):
        height, width = smaller.shape
        bits = float(np.sum(places, dtype=np.float64))
        note = f"{significant(bits / places.size)} bits per pixel on average"
        if places is found.places:
            note += f"; {number(round(found.overhead))} bits of the file belong to no pixel"
        else:
            note += f", {percent(bits / max(total, 1e-9))} of all that pixels take"
        images.append(Image(_address(file), width, height, name, top=significant(figures.brightest(smaller)), note=note + "."))
    return images


def _page(places: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The first page, (height, width)."""
    found: npt.NDArray[np.float32] = places.reshape(-1, *places.shape[-2:])[0]
    return found


def _planes(signal: Signal) -> tuple[list[Image], str]:
    """The bit-planes of the first page, and what is said if they show only its middle: bits that are averaged are none any more."""
    names = figures.channel_names(signal)
    depth = 8 * signal.parts.dtype.itemsize if signal.floating else signal.bit_depth
    kinds = [(channel, plane) for channel in range(len(names)) for plane in reversed(range(depth))]
    height, width = signal.parts.shape[-3:-1]
    share = min(1.0, math.sqrt(8 * PLANE_BYTES / (len(kinds) * height * width)))
    wide, high = max(1, int(width * share)), max(1, int(height * share))
    left, top = (width - wide) // 2, (height - high) // 2
    images = []
    for channel, plane in kinds:
        bits = figures.bit_plane(signal, plane, channel)[top : top + high, left : left + wide]
        ones = float(np.mean(bits > 0))
        images.append(Image(_address(_bits(bits)), wide, high, f"bit {plane}", names[channel], note=f"{100 * ones:.1f} % are 1."))
    said = f"The bit-planes show the middle of the picture, {number(wide)} × {number(high)} pixels, to keep this page small."
    return images, said if share < 1 else ""


Drawn = tuple[bytes, npt.NDArray[Any]]  # a PNG file, and what it was drawn from


def _fitting(pictures: Sequence[npt.NDArray[Any]], budget: int, draw: Callable[[Any], bytes]) -> list[Drawn]:
    """All pictures, as large as MOST and the budget of bytes of their files allow."""
    most = min(MOST, max(max(picture.shape[:2]) for picture in pictures))
    while True:
        smaller: list[npt.NDArray[Any]] = [figures.shrunk(picture, most) for picture in pictures]
        found = [(draw(picture), picture) for picture in smaller]
        total = sum(len(file) for file, _ in found)
        if total <= budget or most <= 64:
            return found
        most = max(64, min(int(most * math.sqrt(budget / total)), most - 1))


def _png(picture: figures.Picture) -> bytes:
    """A PNG file, with a palette if there are few colours: those of a map are at most 256."""
    from PIL import Image as Pillow

    if picture.ndim == 3 and picture.shape[2] == 3:
        packed = picture.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        colours, which = np.unique(packed, return_inverse=True)
        if len(colours) <= 256:
            image = Pillow.fromarray(which.reshape(packed.shape).astype(np.uint8), "P")
            image.putpalette(np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.uint8).tobytes())
            return _saved(image)
    return figures.png(picture)


def _bits(plane: figures.Picture) -> bytes:
    """A PNG file of one bit a pixel."""
    from PIL import Image as Pillow

    return _saved(Pillow.fromarray(plane > 0))


def _saved(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _address(file: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(file).decode('ascii')}"
