"""Pictures of a file at a fraction of their size: exact means of blocks, tile by tile, or the preview that the file holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import averages, compact, preview
from .averages import Averages
from .errors import FormatError, UnsupportedError, notice
from .files import density
from .header import HEAD, META, read_header, read_metadata
from .layout import Box, box_shape
from .limits import Limits
from .options import Options
from .signal import Signal, named

if TYPE_CHECKING:  # it imports Numba, which takes longer than all that a preview needs
    from .codec import Opened

PLACED = {"png/oFFs", "png/pHYs", "png/sCAL"}  # metadata that counts pixels
OF_DEPTH = {"png/bKGD", "png/sBIT"}  # and that depends on the bits of samples
ADDING = 8  # bytes of a sum, at most; a tile's columns are added up first
LOSSY = "this is the preview in the file, which is lossy; --exact (exact=True) decodes the picture"


def thumbnail(data: bytes, side: int, options: Options, region: Box | None = None, exact: bool = False) -> Signal:
    """The picture in which each sample is the mean of side × side samples of the file's, rounded, halves up.

    Samples of less than 8 bits are stretched to 8. At an eighth and below it is made from the preview, if the file holds one and all of the
    picture is wanted; a Notice says so. Else only the tiles needed are decoded. The digest is not checked.

    side: of the blocks, one of averages.SIDES. options: threads, limits, progress and stop matter. region: the part of the picture of which
    blocks are made, slices of rows and columns. exact: whether the preview is not to be taken.

    Raises:
        FormatError: the bytes are not a .linr file, or are damaged.
        LossyError: the samples are not in the file.
        LimitError: the file asks for more than options.limits allow.
        Stopped: options.stop says so.
        UnsupportedError: the file holds no picture, or one of too many bits, or the region does not lie inside it.
    """
    if region is None and not exact and (found := of_preview(data, side, options.limits)):
        return found
    from . import codec

    opened = codec.open_bytes(data, options.limits)
    h = opened.header
    opened.check_lossless()
    if h.kind != "image":
        page = "; decode one of its pages first" if h.kind == "stack" else ""
        raise UnsupportedError(f"only a picture can be made smaller, and this is {named(h.kind)}{page}")
    if h.float_map or h.dtype.kind not in "bu":
        raise UnsupportedError(f"its samples are {h.type_name}; only pictures of unsigned samples can be made smaller")
    if h.bit_depth > averages.MAX_DEPTH:
        raise UnsupportedError(f"its samples have {h.bit_depth} bits; pictures of up to {averages.MAX_DEPTH} can be made smaller")
    try:
        return _of_tiles(opened, side, region or opened.whole(), options)
    except MemoryError as fault:
        raise FormatError(f"not enough memory for a picture of {' × '.join(map(str, h.shape))}") from fault


def of_preview(data: bytes, side: int, limits: Limits) -> Signal | None:
    """What `thumbnail` makes of the preview in a file; None if it holds none, or if that is not to be taken. Nothing else of it is checked.

    Raises FormatError; LimitError.
    """
    if side % preview.SIDE:
        return None
    single: dict[bytes, bytes] = {}
    for section in compact.sections_of(data):
        single.setdefault(section.type, section.content)
    if preview.TYPE not in single or HEAD not in single:
        return None
    h = read_header(single[HEAD])
    if h.lossy or preview.refusal(h.kind, h.dtype if h.float_map is None else None, h.shape, h.bit_depth):
        return None
    metadata = metadata_of(read_metadata(single[META], limits) if META in single else {}, h.bit_depth)
    depth, dtype = max(h.bit_depth, averages.LEAST_DEPTH), averages.type_of(h.dtype, h.bit_depth)
    shape = (*averages.smaller(h.shape[:2], preview.SIDE), *h.shape[2:])
    samples = preview.decode(single[preview.TYPE], shape, depth, dtype, limits)
    if side > preview.SIDE:
        samples = averages.of_samples(samples, side // preview.SIDE, depth)
    notice(LOSSY, 4)
    return Signal(samples, "image", depth, None, metadata)


def _of_tiles(opened: Opened, side: int, box: Box, options: Options) -> Signal:
    """Means of the blocks of a box. Raises FormatError; LimitError; Stopped; UnsupportedError."""
    h, sizes, channels = opened.header, box_shape(box), opened.layout.channels
    opened.check_region(box)
    wanted = opened.meeting(box)
    summed = ADDING * math.prod(opened.layout.tile) * channels // side * min(options.workers, len(wanted))
    opened.check_limits(box, wanted, options, summed, Averages.memory(sizes, channels, side))
    means = Averages(sizes, channels, side, h.bit_depth, h.dtype)
    with opened.blaming():
        opened.each(box, options, means.add)
        samples = means.samples().reshape(*averages.smaller(sizes, side), *h.shape[2:])
    return Signal(samples, "image", max(h.bit_depth, averages.LEAST_DEPTH), None, metadata_of(opened.metadata, h.bit_depth))


def metadata_of(metadata: Mapping[str, bytes], depth: int) -> dict[str, bytes]:
    """The metadata of a picture of so many bits for one of its means: without what counts pixels, as a density does; their aspect stays."""
    gone = PLACED | (OF_DEPTH if depth < averages.LEAST_DEPTH else set())
    fields = density.parse(metadata)
    if fields is None or fields[2] != "-":
        gone = gone | {"density"}
    return {key: value for key, value in metadata.items() if key not in gone}
