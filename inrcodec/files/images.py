"""What the image formats share: making a Signal, refusing what a format cannot hold, and decoding with Pillow."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..signal import Signal

if TYPE_CHECKING:
    from PIL.Image import Image

Samples = npt.NDArray[Any]
LAYOUTS = {1: "grey", 2: "grey+alpha", 3: "RGB", 4: "RGBA"}
_pillow = threading.Lock()


def dtype_of(bit_depth: int) -> type[np.unsignedinteger[Any]]:
    """The type of the samples of an image of 1 to 16 bits: uint8 up to 8 bits, else uint16."""
    return np.uint8 if bit_depth <= 8 else np.uint16


def image(samples: Samples, bit_depth: int, metadata: Mapping[str, bytes]) -> Signal:
    """The Signal of an image.

    Args:
        samples: (height, width) or (height, width, channels), of any integer type, from 0 to 2^bit_depth − 1.
        bit_depth: 1 to 16.
        metadata: by the keys of `metadata`.

    Returns:
        the same samples, C-contiguous, in native byte order and of the type that goes with the depth.

    Raises:
        UnsupportedError: the samples do not fit the depth, or their shape is not that of an image.
    """
    return Signal(np.ascontiguousarray(samples, dtype=dtype_of(bit_depth)), "image", bit_depth, None, metadata)


def channels_of(samples: Samples) -> int:
    """Channels of samples of shape (height, width) or (height, width, channels)."""
    return 1 if samples.ndim == 2 else int(samples.shape[2])


def is_cmyk(signal: Signal) -> bool:
    """Whether the channels of an image are inks, as only TIFF has them."""
    return signal.metadata.get("tiff/photometric") == b"5" and channels_of(signal.samples) >= max(LAYOUTS)


def check_one(signal: Signal, name: str) -> int:
    """The channel count of what is to be written in a format of this name. Raises UnsupportedError if it is not one image of its own."""
    x = signal.samples
    if signal.kind == "stack":
        raise UnsupportedError(f"{name} holds one image, and this is a stack of {len(x)}: decode --page writes one, and .tif holds all")
    if signal.kind != "image":
        raise UnsupportedError(f"{name} holds images, not signals of kind {signal.kind!r}")
    if x.ndim == 3 and x.shape[2] == 1:
        raise UnsupportedError(f"an image of shape {x.shape} would come back as {x.shape[:2]}: drop the last axis, or write .npy")
    if is_cmyk(signal):
        raise UnsupportedError(f"{name} cannot hold CMYK images; .tif can")
    return channels_of(x)


def check(signal: Signal, name: str, depths: Mapping[int, Collection[int]]) -> int:
    """The channel count of an image that the format can give back as it is.

    Args:
        signal: what is to be written.
        name: the format's name.
        depths: the bit depths that the format has, by channel count.

    Raises:
        UnsupportedError: it would come back with another kind, shape, type or depth.
    """
    channels = check_one(signal, name)
    x, depth = signal.samples, signal.bit_depth
    if signal.floating or x.dtype.kind == "i":
        able = ".npy" if signal.bfloat16 else ".tif"
        named = "bfloat16" if signal.bfloat16 else x.dtype.name
        raise UnsupportedError(f"{name} cannot hold images of {named} samples; {able} can")
    if channels > max(LAYOUTS):
        raise UnsupportedError(f"{name} cannot hold images of {channels} channels; .tif can")
    what = f"{depth}-bit {LAYOUTS[channels]} images"
    if depth not in depths.get(channels, ()):
        where = "; .tif and .pam can" if depth <= 16 else f"; {'.tif' if depth in (32, 64) else '.npy'} can"
        raise UnsupportedError(f"{name} cannot hold {what}{where}")
    if x.dtype != dtype_of(depth):
        raise UnsupportedError(f"{what} come back from {name} as {dtype_of(depth).__name__}, but these samples are {x.dtype}")
    return channels


@contextmanager
def pillow_opened(data: bytes, name: str) -> Iterator[Image]:
    """An image file, opened by Pillow for the `with` block: its head is read, its pixels are not.

    Pillow takes images of more than 179 million pixels for an attack, unless a global says otherwise; scans of that size are
    ordinary input here, so the global is lifted while the file is read.

    Args:
        data: the whole file.
        name: Pillow's name of the only format it may be.

    Raises:
        Exception: whatever Pillow says of a damaged file; `faults` makes a line of it.
    """
    from PIL import Image

    with _pillow:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            with Image.open(BytesIO(data), formats=(name,)) as picture:
                yield picture
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def pillow_decode(data: bytes, name: str) -> Samples:
    """The pixels of an image file as Pillow gives them in the file's own mode: palette indices stay indices.

    Args: see `pillow_opened`, which says what is raised.

    Returns:
        (height, width) or (height, width, channels), uint8, or bool for 1 bit.
    """
    with pillow_opened(data, name) as picture:
        return np.asarray(picture)
