"""Pictures as arrays, read and written in one call, as OpenCV has it: `inrcodec.imread`, `inrcodec.imwrite`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from . import codec, container, files, storage
from .errors import UnsupportedError, naming, notice, spelling
from .files.images import is_cmyk
from .layout import region_box
from .limits import MAX_SAMPLES
from .options import Options, check_names
from .signal import Signal, named, picture_kind

Order = Literal["rgb", "bgr"]
EXTENSION = ".linr"
SWAPPED = {3: [2, 1, 0], 4: [2, 1, 0, 3]}  # RGB ↔ BGR, RGBA ↔ BGRA


def imread(
    path: str | os.PathLike[str],
    *,
    order: Order = "rgb",
    region: tuple[int, int, int, int] | None = None,
    threads: int = 0,
    max_samples: int = MAX_SAMPLES,
    max_memory: int = 0,
) -> npt.NDArray[Any]:
    """The samples of a picture in a .linr file, or in a file of any type that `files.read` knows, exactly as they are stored.

    Unlike OpenCV's function it never converts: grey stays grey, 16 bits stay 16, alpha is kept. A fault is raised; None is never returned.

    Args:
        path: of the file. Its first bytes tell the type.
        order: "rgb", or "bgr" as OpenCV has it: channels are then blue, green, red and alpha. It is for pictures of 3 or 4 channels that
            are no inks.
        region: the part of the picture to decode, (left, top, width, height) in pixels; of .linr files only.
        threads, max_samples, max_memory: see `inrcodec.decode`.

    Returns:
        (height, width) or (height, width, channels); of a stack, (pages, …). Of the type in the file: uint8, uint16, float32, …

    Raises:
        OSError: the file is not there, or cannot be read.
        FormatError, InrcodecError: it is damaged.
        UnsupportedError: it holds no picture, or a type that is not known, or the region does not lie inside it.
        LimitError: it asks for more than max_samples or max_memory.
        ValueError: there is no such order.
        TypeError: region is not four whole numbers.
    """
    _check(order)
    path, options = Path(path), Options(threads=threads, max_samples=max_samples, max_memory=max_memory)
    box = None if region is None else region_box(region)
    with path.open("rb") as file:
        head = file.read(container.FIRST)
    if head.startswith((container.MAGIC, container.COMPACT)) or path.suffix.lower() == EXTENSION:
        with naming(path):
            signal = codec.decode(path.read_bytes(), options, region=box)
    elif box is None:
        signal = files.read(path, options.limits)
    else:
        raise UnsupportedError(f"{path}: a region can be decoded only of .linr files; take a part of what is read without")
    if signal.kind not in ("image", "stack"):
        raise UnsupportedError(f"{path}: it holds {named(signal.kind)}, not a picture")
    return signal.array if is_cmyk(signal) else _ordered(signal.array, order, signal.channel_axis)


def imwrite(
    path: str | os.PathLike[str],
    samples: npt.ArrayLike,
    *,
    order: Order = "rgb",
    bit_depth: int = 0,
    metadata: Mapping[str, bytes] | None = None,
    **options: Any,
) -> None:
    """Write a picture, or a stack of them, to a .linr file, or to a file of any type that `files.write` knows.

    The file appears when it is whole; a file of this name is replaced then.

    Args:
        path: of the file; its extension tells the type.
        samples: (height, width) or (height, width, 1 to 4 channels): an image; any other shape of 3 or 4 axes: a stack, (pages, …).
        order: of the channels in samples, see `imread`. Files have red first.
        bit_depth, metadata: see `inrcodec.encode`.
        options: for .linr files, fields of `inrcodec.Options`: effort, profile, preview, …

    Raises:
        UnsupportedError: samples that are no picture, or that the type of file cannot hold.
        InrcodecError: the file cannot be written, or its verification failed.
        ValueError: there is no such order, or an option has a value that it cannot have.
        TypeError: there is no such option, or the file is no .linr file and options are given.
        OSError: the file cannot be written.
    """
    _check(order)
    path, plain = Path(path), np.asarray(samples)
    kind = picture_kind(plain.shape)
    signal = Signal(_ordered(plain, order, plain.ndim == (3 if kind == "image" else 4)), kind, bit_depth, None, metadata or {})
    if path.suffix.lower() == EXTENSION:
        check_names(options)
        storage.replace_bytes(path, _encoded(signal, Options(**options)), force=True)
        return
    if options:
        raise TypeError(f"{', '.join(options)}: for .linr files only")
    files.check(path)

    def write(temporary: Path) -> None:
        with spelling(temporary, path):
            files.write(temporary, signal)

    storage.replace(path, write, force=True)


def _check(order: str) -> None:
    """Raise ValueError if there is no such order of channels."""
    if order not in get_args(Order):
        raise ValueError(f"order is {order!r}; it can be 'rgb' or 'bgr'")


def _ordered(samples: npt.NDArray[Any], order: Order, channel_axis: bool) -> npt.NDArray[Any]:
    """Samples with their channels swapped, if they are to be; it leads from one order to the other, both ways."""
    if order == "rgb" or not channel_axis or samples.shape[-1] not in SWAPPED:
        return samples
    return np.ascontiguousarray(samples[..., SWAPPED[samples.shape[-1]]])


def _encoded(signal: Signal, options: Options) -> bytes:
    """The .linr file of a signal. Warns with a `Notice` of options that did nothing."""
    watched, stages = options.watched()
    data = codec.encode(signal, watched)
    if unused := watched.unused(stages, codec.activation_of(data)):
        notice(unused, 3)
    return data
