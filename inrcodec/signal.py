"""`Signal`: samples, what they mean, and the metadata of the file that they came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .errors import UnsupportedError
from .layout import split
from .values import bits_of, parts_of, plain_bools

Kind = Literal["image", "audio", "array", "stack"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MAX_DIMENSIONS = 4
MAX_CHANNELS = 64  # of a picture: 1 is grey, 2 grey+alpha, 3 RGB, 4 RGBA, more are bands
LIKELY_CHANNELS = (1, 2, 3, 4)  # of a picture that is recognized by its shape,
LIKELY_STACK = (3, 4)  # and of pages that are
LEAST_SIDE = 8  # of a picture that is recognized by its shape
MAX_AUDIO_CHANNELS = 8
MAX_RATE = 2**32 - 1
BFLOAT16 = "bfloat16"
FLOATS_HAVE = ", which have all the bits of their type"


def has_channel_axis(kind: Kind, dimensions: int) -> bool:
    """Whether the last axis of a signal holds channels. dimensions: how many axes it has."""
    return dimensions == {"image": 3, "stack": 4, "audio": 2}.get(kind)


def named(kind: Kind) -> str:
    """A kind with its article."""
    return f"a {kind}" if kind == "stack" else f"an {kind}"


def layout_fault(kind: Kind, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str | None:
    """A message that says why samples of this shape and type cannot be of this kind; None if they can."""
    if kind == "image" and not (len(shape) == 2 or (len(shape) == 3 and shape[2] <= MAX_CHANNELS)):
        return f"shape {shape} is not that of an image: (height, width), or (height, width, channels) with at most {MAX_CHANNELS} channels"
    if kind == "stack" and not (len(shape) == 3 or (len(shape) == 4 and shape[3] <= MAX_CHANNELS)):
        known = f"(pages, height, width), or (pages, height, width, channels) with at most {MAX_CHANNELS} channels"
        return f"shape {shape} is not that of a stack of pictures: {known}"
    if kind == "audio":
        if not (len(shape) == 1 or (len(shape) == 2 and shape[1] <= MAX_AUDIO_CHANNELS)):
            return f"shape {shape} is not (frames, channels) with at most {MAX_AUDIO_CHANNELS} channels"
        if dtype.kind not in "if":
            return "sound is signed; give it as signed integers or floats, or encode it as an array"
    return None


def likely_kind(samples: npt.NDArray[Any]) -> Kind:
    """What samples of which nothing else is known are coded as: "image" if they have the shape of a picture with channels, "stack" if they
    have that of several pictures of 3 or 4 channels, else "array".

    Unsigned samples of (height, width, at most 4) are nearly always smaller as an image, even if they show nothing: an image is predicted
    along both long axes and from its other channels. Of two axes, image and array are coded alike, and so are samples of more than 16 bits.
    """
    shape, dtype = samples.shape, samples.dtype
    kind: Kind = "image" if len(shape) == 3 else "stack"
    channels = {3: LIKELY_CHANNELS, 4: LIKELY_STACK}.get(len(shape), ())
    if dtype.kind not in "bu" or 0 in shape or not channels or shape[-1] not in channels or min(shape[-3:-1]) < LEAST_SIDE:
        return "array"
    deep = dtype.itemsize > 2 and int(samples.max()) - int(samples.min()) >= 1 << 16
    return "array" if deep else kind


def picture_kind(shape: tuple[int, ...]) -> Kind:
    """What samples of this shape are if they show something: an image of (height, width), or (height, width, 1 to 4); else a stack."""
    return "image" if len(shape) == 2 or (len(shape) == 3 and shape[2] in LIKELY_CHANNELS) else "stack"


def type_bits(dtype: np.dtype[Any]) -> int:
    """Bits that a sample of this type can use."""
    return 1 if dtype.kind == "b" else 8 * dtype.itemsize


def packed_bytes(shape: tuple[int, ...], bit_depth: int) -> int:
    """Bytes of samples packed at `bit_depth` bits each."""
    return (math.prod(shape) * bit_depth + 7) // 8


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples with their meaning.

    Attributes:
        samples: an array of integers, bool, floats of 16, 32 or 64 bits, or complex numbers of two floats of 32 or 64 bits, of 1 to 4
            dimensions, none of them empty.
            image: (height, width) for grey, (height, width, channels) with 1 (grey), 2 (grey, alpha), 3 (RGB), 4 (RGBA), or up to 64
            channels; stack: as many pictures of one shape, (pages, …); audio: (frames,) or (frames, channels), signed or floats;
            array: anything. An array of `ml_dtypes.bfloat16` is taken, and kept as uint16.
        kind: what the axes mean: "image", "audio", "array" or "stack".
        bit_depth: nominal bits per sample, as in the file it came from, at most the bits of the dtype: an image of
            depth b holds 0 … 2^b − 1, audio of depth b −2^(b−1) … 2^(b−1) − 1. 0 means: the bits of the dtype, as
            floats and complex numbers always have.
        sample_rate: frames per second; audio only.
        metadata: what a viewer or a player needs beside the samples, by key (see `inrcodec.files.metadata`).
        bfloat16: whether the samples, which are then uint16, are the patterns of bits of floats of type bfloat16; see `array`.

    Raises:
        UnsupportedError: the samples are of another type, are empty, or do not fit kind and bit depth.
    """

    samples: npt.NDArray[Any]
    kind: Kind = "array"
    bit_depth: int = 0
    sample_rate: int | None = None
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.samples, np.ndarray) or isinstance(self.samples, np.ma.MaskedArray):
            raise UnsupportedError(f"samples must be a plain NumPy array, not {type(self.samples).__name__}")
        if self.samples.dtype.name == BFLOAT16:  # of ml_dtypes
            object.__setattr__(self, "samples", self.samples.view(np.uint16))
            object.__setattr__(self, "bfloat16", True)
        object.__setattr__(self, "samples", plain_bools(self.samples))
        x = self.samples
        for name in ("bit_depth", "sample_rate"):
            number = getattr(self, name)
            if number is not None and (isinstance(number, bool) or not isinstance(number, int | np.integer)):
                raise UnsupportedError(f"{name.replace('_', ' ')} must be a whole number, not {number!r}")
        for key, value in self.metadata.items():
            if not isinstance(key, str) or not isinstance(value, bytes):
                raise UnsupportedError(f"metadata {key!r}: keys must be str and values bytes")
            if not key.isascii() and any(0xD800 <= ord(c) < 0xE000 for c in key):
                raise UnsupportedError(f"metadata {key!r}: the key is not valid Unicode")
        if x.dtype.kind not in "buifc" or x.dtype.itemsize > (16 if x.dtype.kind == "c" else 8):
            known = "integers, bool, floats of 16, 32 or 64 bits, and complex numbers of two floats of 32 or 64 bits are"
            raise UnsupportedError(f"samples of type {x.dtype} are not supported: {known}")
        if self.bfloat16 and x.dtype.name != "uint16":
            raise UnsupportedError(f"samples of type {x.dtype} are no patterns of bfloat16, which are uint16")
        if not 1 <= x.ndim <= MAX_DIMENSIONS:
            raise UnsupportedError(f"{x.ndim} dimensions are not supported: 1 to {MAX_DIMENSIONS} are")
        if 0 in x.shape:
            raise UnsupportedError(f"nothing to encode: shape {x.shape} has an empty dimension")
        if self.kind not in KINDS:
            raise UnsupportedError(f"unknown kind {self.kind!r}: one of {', '.join(KINDS)}")
        width = type_bits(x.dtype)
        if self.bit_depth == 0:
            object.__setattr__(self, "bit_depth", width)
        if not 1 <= self.bit_depth <= width or (self.floating and self.bit_depth != width):
            name = BFLOAT16 if self.bfloat16 else x.dtype.name
            raise UnsupportedError(f"bit depth {self.bit_depth} does not fit samples of type {name}{FLOATS_HAVE * self.floating}")
        fault = layout_fault(self.kind, x.shape, x.dtype)
        if fault:
            raise UnsupportedError(fault)
        if self.kind == "audio" and self.sample_rate is None:
            raise UnsupportedError("sound needs a sample rate")
        if self.sample_rate is not None and not (self.kind == "audio" and 1 <= self.sample_rate <= MAX_RATE):
            raise UnsupportedError(f"sample rate {self.sample_rate} is not valid for kind {self.kind!r}")
        if self.bit_depth < width:
            low, high = self.nominal_range
            if int(x.min()) < low or int(x.max()) > high:
                raise UnsupportedError(f"samples do not fit in {self.bit_depth} bits")

    @property
    def array(self) -> npt.NDArray[Any]:
        """The samples, as `ml_dtypes.bfloat16` if they are such and that package is there."""
        if self.bfloat16:
            with suppress(ImportError):
                import ml_dtypes

                return self.samples.astype(np.uint16, copy=False).view(ml_dtypes.bfloat16)
        return self.samples

    @property
    def floating(self) -> bool:
        """Whether the samples are floats, or complex numbers made of such."""
        return self.bfloat16 or self.samples.dtype.kind in "fc"

    @property
    def parts(self) -> npt.NDArray[Any]:
        """The samples in the shape in which they are coded, (coordinate axes…, channels); of complex numbers, their floats."""
        axes, _ = split(self.samples.shape, self.channel_axis)
        return parts_of(self.samples).reshape(*axes, -1)

    @property
    def nominal_range(self) -> tuple[int, int]:
        """Smallest and largest integer that `bit_depth` bits can hold, signed or unsigned as the dtype is. Floats have no such range."""
        if self.floating:
            raise UnsupportedError("floats have no range that their bits would tell")
        if self.samples.dtype.kind == "i":
            return -(1 << (self.bit_depth - 1)), (1 << (self.bit_depth - 1)) - 1
        return 0, (1 << self.bit_depth) - 1

    @property
    def channel_axis(self) -> bool:
        """Whether the last axis holds channels; else it is a coordinate axis as the others."""
        return has_channel_axis(self.kind, self.samples.ndim)

    @property
    def raw_bytes(self) -> int:
        """Bytes of the samples alone, packed at `bit_depth` bits each. Sizes in per cent refer to this."""
        return packed_bytes(self.samples.shape, self.bit_depth)

    def equals(self, other: Signal) -> bool:
        """Whether samples (type, shape and every bit), kind, depth, rate and metadata are all the same."""
        return (
            self.samples.dtype == other.samples.dtype
            and self.samples.shape == other.samples.shape
            and bool(np.array_equal(bits_of(self.samples), bits_of(other.samples)))
            and (self.kind, self.bit_depth, self.sample_rate) == (other.kind, other.bit_depth, other.sample_rate)
            and self.bfloat16 == other.bfloat16
            and dict(self.metadata) == dict(other.metadata)
        )
