"""Pictures to look at: of signals, of their bits, and of what places cost. All are uint8 arrays; `png` makes a file of one."""

from __future__ import annotations

import io
import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import UnsupportedError
from .signal import Signal
from .values import bits_of

Picture = npt.NDArray[np.uint8]  # (height, width), or (height, width, 1, 3 or 4 channels): grey, RGB, RGBA

INKS = b"5"  # TIFF's number of pictures whose channels are inks
INK_NAMES = ("cyan", "magenta", "yellow", "black")
COLOUR_NAMES = {1: ("grey",), 2: ("grey", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}  # by channels
SIDES = ("left", "right")
MISSING = (255, 0, 255)  # the colour of NaN
BRIGHTEST = 0.995  # share of values that are below the top colour of a heat map, if no top is given
MAP_WIDTH, MAP_HEIGHT = 1600, 240  # of a map of values along one axis, at most
PAPER = 255  # grey behind bars
SHOWN_DEPTH = 8  # integers of up to so many bits keep their meaning; deeper ones are stretched


def pages_of(signal: Signal) -> int:
    """How many pictures `shown` can make: pages of a stack, or slices of an array along its last two axes; 0 of sound and of rows."""
    if signal.kind == "audio" or (signal.kind == "array" and signal.samples.ndim < 2):
        return 0
    return math.prod(signal.parts.shape[:-3])


def shown(signal: Signal, page: int = 0, span: tuple[float, float] | None = None) -> Picture:
    """How a picture looks: (height, width, channels), 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Unsigned integers of up to 8 bits are stretched from 0 … 2^depth − 1. Deeper and signed ones and floats are stretched from the least to
    the largest of the page, all colours alike; alpha keeps its range, and that of floats is left out. Infinities are the ends; NaN is
    magenta. Of complex numbers the magnitude is shown. Channels after the third are left out if there are more than four. CMYK is
    shown as RGB, without a colour profile.

    page: of a stack; or which slice of an array along its last two axes, counted in raster order. span: what `span_of` says of the whole
    picture, if this is a part of it.

    Raises:
        UnsupportedError: it is sound, or an array of one axis, or has no such page.
    """
    x = _numbers(signal, _parts(signal, page))
    channels, full, unsigned = x.shape[2], (1 << signal.bit_depth) - 1, signal.samples.dtype.kind in "bu" and not signal.bfloat16
    low, high = span or span_of(signal, page) or (0, full)
    if _has_inks(signal, channels):
        light = 255 - _stretched(x[..., :4], low, high).astype(np.uint16)
        return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
    alpha = _stretched(x[..., -1], 0, full) if channels in (2, 4) and unsigned else None
    x = x[..., : 1 if channels == 2 else 3]
    found = _stretched(x, low, high)
    missing = np.isnan(x).any(axis=2) if x.dtype.kind == "f" else np.zeros(x.shape[:2], bool)
    if found.shape[2] == 1 and (alpha is not None or missing.any()):
        found = np.repeat(found, 3, axis=2)
    found[missing] = MISSING[: found.shape[2]]
    return found if alpha is None else np.dstack([found, alpha])


def span_of(signal: Signal, page: int = 0) -> tuple[float, float] | None:
    """The numbers that `shown` makes black and white; None: 0 and 2^depth − 1. Raises as `shown`."""
    x = _numbers(signal, _parts(signal, page))
    inks, unsigned = _has_inks(signal, x.shape[2]), signal.samples.dtype.kind in "bu" and not signal.bfloat16
    if unsigned and (inks or signal.bit_depth <= SHOWN_DEPTH):
        return None
    return _range(x[..., :4] if inks else x[..., : 1 if x.shape[2] == 2 else 3])


def _has_inks(signal: Signal, channels: int) -> bool:
    return channels >= 4 and signal.kind != "array" and signal.metadata.get("tiff/photometric") == INKS


def channel_names(signal: Signal) -> list[str]:
    """What the channels are called, one name each; those that have none are "channel 0" and so on, and so are values without channels.

    Of complex numbers, the parts are named in the order of `Signal.parts`.
    """
    count = signal.parts.shape[-1]
    numbered = [f"channel {i}" for i in range(count)]
    if signal.samples.dtype.kind == "c":
        pairs = count // 2
        return [f"{part} {i}" if pairs > 1 else part for i in range(pairs) for part in ("real", "imaginary")]
    if signal.kind == "audio":
        return list(SIDES) if count == len(SIDES) else numbered
    if signal.kind == "array":
        return numbered
    if _has_inks(signal, count):
        return [*INK_NAMES, *numbered[len(INK_NAMES) :]]
    return list(COLOUR_NAMES.get(count, numbered))


def bit_plane(signal: Signal, plane: int, channel: int = 0, page: int = 0) -> Picture:
    """One bit of each sample of a picture: (height, width), 255 where it is 1, else 0.

    plane: 0 is the lowest bit. Negative integers have the bits of their two's complement, floats those of their format. channel: counted
    from 0; of complex numbers, the real parts are even and the imaginary ones odd. page: see `shown`.

    Raises:
        UnsupportedError: as `shown`; or there is no such plane or channel.
    """
    x = _parts(signal, page)
    depth = 8 * x.dtype.itemsize if x.dtype.kind == "f" else signal.bit_depth
    for what, i, count in (("bit-plane", plane, depth), ("channel", channel, x.shape[2])):
        if not 0 <= i < count:
            raise UnsupportedError(f"there is no {what} {i}: it has {count}, counted from 0")
    bits = bits_of(np.ascontiguousarray(x[..., channel]))
    found: Picture = ((bits >> bits.dtype.type(plane)) & bits.dtype.type(1)).astype(np.uint8) * np.uint8(255)
    return found


def heat(values: npt.NDArray[Any], top: float | None = None) -> tuple[Picture, float]:
    """Values as colours of viridis, from 0 (dark blue) to `top` and above (yellow): ((height, width, 3), top).

    values: (height, width), 0 or more; NaN is magenta. top: None: what 99.5 % of the values do not exceed, so that a few large ones do
    not darken the rest; 1 if that is 0.
    """
    import cv2

    top = brightest(values) if top is None else top
    top = top if top > 0 else 1.0
    colours = cv2.applyColorMap(_stretched(values, 0, top), cv2.COLORMAP_VIRIDIS)
    found: Picture = np.ascontiguousarray(colours[..., ::-1])
    found[np.isnan(values)] = MISSING
    return found, top


def brightest(values: npt.NDArray[Any]) -> float:
    """The top that `heat` takes if none is given; 1 if that is 0."""
    known = values[np.isfinite(values)]
    top = float(np.quantile(known, BRIGHTEST)) if known.size else 0.0
    return top if top > 0 else 1.0


def bars(values: npt.NDArray[Any], width: int, height: int, top: float | None = None) -> tuple[Picture, float]:
    """Values along one axis as bars in the colours of `heat`, on white: ((height, width, 3), top).

    values: (places,), 0 or more; a column is the mean of the places in it. top: the value of a full bar; None: that of the tallest.
    """
    start, stop = _columns(len(values), width)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    means = (sums[stop] - sums[start]) / (stop - start)
    colours, top = heat(means[None], float(means.max()) if top is None else top)
    filled = np.rint(np.clip(means / top, 0, 1) * height)
    found = np.full((height, width, 3), PAPER, np.uint8)
    inside = np.arange(height)[::-1, None] < filled
    found[inside] = np.broadcast_to(colours, found.shape)[inside]
    return found, top


def map_of(values: npt.NDArray[Any]) -> tuple[Picture, float]:
    """Values of the places of any signal as a picture, as `inrcodec info --map` draws it: ((height, width, 3), top).

    values: (height, width), see `heat`; (places,), see `bars`; of more axes, the means of all slices along the last two.
    """
    if values.ndim == 1:
        return bars(values, min(len(values), MAP_WIDTH), MAP_HEIGHT)
    return heat(values if values.ndim == 2 else values.reshape(-1, *values.shape[-2:]).mean(axis=0, dtype=np.float64))


def png(picture: Picture) -> bytes:
    """The PNG file of a picture: (height, width), or (height, width, 1, 3 or 4 channels)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture)).save(file, "PNG")
    return file.getvalue()


Shrinking = TypeVar("Shrinking", Picture, npt.NDArray[np.float32])


def shrunk(picture: Shrinking, most: int) -> Shrinking:
    """A picture whose sides are at most `most` pixels, by the means of what falls into each pixel. A smaller one is returned as it is.

    picture: (height, width), or (height, width, 1, 3 or 4 channels), of which colours count as much as they are opaque; or float32 values,
    (height, width), as costs are before they become colours.
    """
    import cv2

    longest = max(picture.shape[:2])
    if longest <= most:
        return picture
    sides = [max(1, round(n * most / longest)) for n in picture.shape[:2]]

    def means(x: npt.NDArray[Any]) -> Any:
        return cv2.resize(x, sides[::-1], interpolation=cv2.INTER_AREA)

    if picture.ndim < 3 or picture.shape[2] < 4:
        found: Shrinking = means(picture).reshape(*sides, *picture.shape[2:])
        return found
    alpha = picture[..., 3:].astype(np.float32)
    opaque = means(alpha)[..., None]
    colours = means(picture[..., :3] * alpha) / np.maximum(opaque, 1e-6)
    both: Shrinking = np.rint(np.dstack([np.clip(colours, 0, 255), opaque])).astype(picture.dtype)
    return both


def _parts(signal: Signal, page: int) -> npt.NDArray[Any]:
    """The samples of a page, (height, width, channels), of complex numbers their floats. Raises UnsupportedError, see `shown`."""
    count = pages_of(signal)
    if not count:
        what = "an array of one axis" if signal.kind == "array" else "sound"
        raise UnsupportedError(f"{what} cannot be shown as a picture")
    if not 0 <= page < count:
        raise UnsupportedError(f"there is no page {page}: it has {count}, counted from 0")
    x = signal.parts
    found: npt.NDArray[Any] = x.reshape(-1, *x.shape[-3:])[page]
    return found


def _numbers(signal: Signal, parts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Samples from `_parts` as numbers, in native byte order; of complex numbers, the magnitudes: (height, width, channels)."""
    parts = parts.astype(parts.dtype.newbyteorder("="), copy=False)
    if signal.samples.dtype.kind == "c":
        sizes: npt.NDArray[Any] = np.hypot(parts[..., ::2].astype(np.float64), parts[..., 1::2])
        return sizes
    return (parts.astype(np.uint32) << 16).view(np.float32) if signal.bfloat16 else parts


def _range(x: npt.NDArray[Any]) -> tuple[float, float]:
    """The least and the largest number that is finite."""
    known = x[np.isfinite(x)] if x.dtype.kind == "f" else x
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _stretched(x: npt.NDArray[Any], low: float, high: float) -> Picture:
    """Numbers from low to high as 0 … 255, of the same shape; others are clipped, NaN is 0. If low is high, that is 0."""
    if x.dtype == np.uint8 and (low, high) == (0, 255):
        return x.copy()
    halves, span = x.astype(np.float64) * 0.5, high * 0.5 - low * 0.5  # of all, so that no difference is too large
    share = (halves - low * 0.5) / span if span > 0 else (halves > low * 0.5).astype(np.float64)
    share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _columns(places: int, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first place of each of `width` columns and the one after its last, (width,); columns overlap if there are fewer places."""
    edges = np.arange(width + 1, dtype=np.int64) * places // width
    start = np.minimum(edges[:-1], places - 1)
    return start, np.maximum(edges[1:], start + 1)
