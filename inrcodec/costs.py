"""The bits that each place of a coded signal took."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import bundle, codec
from .errors import FormatError, UnsupportedError
from .header import matches
from .layout import Box
from .options import Options

Bits = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Costs:
    """Where the bits of a file went.

    Attributes:
        places: float32, bits of each place, all channels together. Shape: (height, width) of a picture, (pages, height, width) of a stack,
            (frames,) of a sound, the shape of an array; or that of the region.
        planes: (name, float32 array of the same shape) of each part that is coded by itself, as a plane of a picture or a channel of a
            sound; they add up to `places`. A part that took nothing is left out.
        overhead: bits of the file that belong to no place: header, metadata, plan, network, index, and what a tile holds for all of its
            places. Of a region, what other tiles hold does not count.
    """

    places: Bits
    planes: list[tuple[str, Bits]]
    overhead: float


def costs(data: bytes, options: Options | None = None, region: Box | None = None) -> Costs:
    """The bits that each place took in a .linr file, which is decoded for it: places and overhead add up to all its bits.

    A place has the bits by which its value moved the arithmetic coder. What is compressed as a whole, as in profile `stored`, is shared
    evenly among the places of its tile. Where half of an array is the mirror image of the other, the image took nothing.

    data: the file; options: threads, limits, progress and stop matter; region: slices along the coordinate axes, of a stack also rows and
    columns alone. Only the tiles that hold it are decoded, and the digest is not checked.

    Raises:
        FormatError: the data is damaged or is not a .linr file.
        LimitError: the file asks for more than options.limits allow.
        LossyError: the samples are not in the file.
        Stopped: options.stop says so.
        UnsupportedError: the file holds tensors or several arrays, or the region does not lie inside the signal.
    """
    if bundle.is_bundle(data):
        raise UnsupportedError("it holds tensors or several arrays; only a file of one signal has a map of its bits")
    options = options or Options()
    opened = codec.open_bytes(data, options.limits)
    opened.check_lossless()
    spans = opened.whole() if region is None else _checked(opened, region)
    with opened.blaming():
        try:
            found = opened.decode_costs(spans, options)
        except MemoryError as fault:
            raise FormatError(f"not enough memory for its {math.prod(opened.header.shape)} samples") from fault
        if region is None and not matches(opened.header, found.samples, opened.layout):
            raise FormatError("damaged: the decoded samples do not match their digest")
    planes = [(name, bits) for name, bits in zip(opened.planes, found.bits, strict=True) if bits.any()]
    outside = 8 * (len(data) - sum(len(opened.tile(i)) for i in range(opened.layout.tiles)))
    return Costs(found.bits.sum(axis=0), planes, outside + found.rest)


def _checked(opened: codec.Opened, region: Box) -> Box:
    """The region, of all pages if it names none. Raises UnsupportedError if it does not lie inside the signal."""
    if opened.header.kind in ("image", "stack"):
        return opened.check_region(region)
    axes = opened.layout.axes
    if len(region) != len(axes) or any(not 0 <= s.start < s.stop <= n for s, n in zip(region, axes, strict=True)):
        raise UnsupportedError(f"the region does not lie inside the signal, which is {' × '.join(map(str, axes))}")
    return region
