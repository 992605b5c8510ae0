"""What OpenCV reads and no other library here does: JPEG 2000, as .jp2 files and as bare codestreams.

Read: grey, RGB and RGBA of 8 to 16 bits, lossless or lossy; of a lossy file the pixels that OpenCV decodes. OpenCV is given the
codestream alone, and does not say how many bits there are, so the headers are read here (see `codestream`). A fourth
channel that the file does not describe is taken for alpha.

Kept: an ICC profile. Lost: resolution, XML, Exif, XMP and other boxes, comments.

Refused: fewer than 8 bits, grey+alpha, palettes, signed or subsampled channels, other colour spaces than grey and RGB,
premultiplied alpha. JPEG 2000 is not written.

It also decodes and encodes OpenEXR for `exr`, where it was built with that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InrcodecError, UnsupportedError, notice
from ..limits import Limits
from ..signal import Signal
from . import codestream
from .bounds import check_size, contents
from .images import Samples, dtype_of, image
from .registry import FileType

DEPTHS = range(8, 17)
LONGEST_SIDE, MOST_PIXELS = 1 << 20, 1 << 30  # OpenCV's limits
PRECINCT_BYTES, PACKET_BYTES, TILE_BYTES = 600, 2, 15_000  # that OpenJPEG keeps for each
NO_MEMORY = -4  # OpenCV's code of that fault
SILENT = 0  # and of that log level
RGB_ORDER = {3: [2, 1, 0], 4: [2, 1, 0, 3]}  # from OpenCV's blue, green, red
_opencv = threading.Lock()


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a JPEG 2000 file: (height, width), or (height, width, 3 or 4), uint8 of 8 bits, else uint16.

    Raises:
        UnsupportedError: another sort of samples than those named above, or more than 2^30 pixels or 2^20 a side.
        InrcodecError: not a JPEG 2000 file, damaged, or truncated.
    """
    stream = codestream.parse(contents(file, limits))
    if stream.bit_depth not in DEPTHS:
        raise UnsupportedError(
            f"JPEG 2000 of {stream.bit_depth} bits per sample is not supported, only of 8 to 16; convert it to PNG or TIFF first"
        )
    if max(stream.width, stream.height) > LONGEST_SIDE or stream.width * stream.height > MOST_PIXELS:
        raise UnsupportedError(
            f"JPEG 2000 of {stream.width} × {stream.height} pixels is not supported: OpenCV takes up to 2^30, 2^20 a side"
        )
    shape = (stream.height, stream.width, stream.channels)
    # OpenJPEG has 32 bits for a sample
    kept = PRECINCT_BYTES * stream.precincts + PACKET_BYTES * stream.packets + TILE_BYTES * stream.tiles
    held = 3 * len(stream.data) + kept
    check_size(limits, shape, 4, 3, held)
    samples = decoded(stream.data, "JPEG 2000")
    if samples.reshape(*samples.shape[:2], -1).shape != shape or samples.dtype != dtype_of(stream.bit_depth):
        raise InrcodecError(
            f"damaged: OpenCV decodes {samples.shape}, {samples.dtype} where the header says {shape}, {stream.bit_depth} bits"
        )
    if stream.irreversible:
        said = "its wavelet is irreversible; the pixels that OpenCV decodes are coded, and other decoders may give others"
        notice(f"{path}: {said}", 2)
    if stream.channels in RGB_ORDER:
        samples = samples[:, :, RGB_ORDER[stream.channels]]
    return image(samples, stream.bit_depth, {"icc": stream.icc} if stream.icc else {})


def has_exr() -> bool:
    """Whether OpenCV can decode and encode OpenEXR. It does so only if an environment variable says so, which it reads once."""
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    import cv2

    return bool(cv2.haveImageWriter("x.exr"))


def encoded_exr(samples: Samples, half: bool) -> bytes:
    """An OpenEXR file with ZIP of float32 samples, channels in the order blue, green, red, alpha; half: whether as float16."""
    import cv2

    kind = cv2.IMWRITE_EXR_TYPE_HALF if half else cv2.IMWRITE_EXR_TYPE_FLOAT
    asked = [cv2.IMWRITE_EXR_TYPE, kind, cv2.IMWRITE_EXR_COMPRESSION, cv2.IMWRITE_EXR_COMPRESSION_ZIP]
    try:
        with _silence():
            done, data = cv2.imencode(".exr", samples, asked)
    except cv2.error as fault:
        raise InrcodecError("OpenCV cannot write it as OpenEXR") from fault
    if not done:
        raise InrcodecError("OpenCV cannot write it as OpenEXR")
    return bytes(data)


def decoded(data: bytes, name: str) -> Samples:
    """The samples of an image file as OpenCV gives them: channels in the order blue, green, red, alpha."""
    import cv2

    try:
        with _silence():
            samples: Samples | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as fault:
        if fault.code == NO_MEMORY:
            raise MemoryError from fault
        samples = None
    if samples is None:
        raise InrcodecError(f"damaged, or not a {name} file that OpenCV can decode")
    return samples


@contextmanager
def _silence() -> Iterator[None]:
    """Keep OpenCV from writing to standard error; its logging is the process's, so it is put back as it was."""
    import cv2

    logging: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging  # of OpenCV 4 and 5
    with _opencv:
        level = logging.getLogLevel()
        logging.setLogLevel(SILENT)
        try:
            yield
        finally:
            logging.setLogLevel(level)


TYPES = (
    FileType(
        "JPEG 2000",
        "image",
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        "grey, RGB and RGBA of 8 to 16 bits, read only; of a lossy file the decoded pixels are coded",
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        read,
        None,
    ),
)
