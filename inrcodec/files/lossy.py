"""The pixels of lossy pictures, for those who ask for them: JPEG, AVIF, lossy WebP, and GIF of one frame, as Pillow decodes them.

The files do not come back. Decoders of JPEG, AVIF and WebP may differ in a pixel by a little, so what is coded is what this one gives.
Kept: ICC profile, Exif, XMP, comment, density of JFIF. The orientation in Exif is not applied, and stays there. Not kept: IPTC, XMP that
continues in further segments, gain maps and other pictures behind the first.

Refused: JPEG and AVIF of more than 8 bits, of which Pillow would give 8; animations.

Source: ITU-T T.81 for the markers of JPEG; ISO/IEC 23000-22 and the AV1 codec configuration for the depth of AVIF.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InrcodecError, UnsupportedError, notice
from ..limits import Limits
from ..signal import Signal
from . import webp
from .bounds import check_size, contents
from .images import image, pillow_opened
from .registry import FileType, head_of

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}
COPIES = 3  # the library's pixels, Pillow's, the samples
UNITS = {0: "-", 1: "in", 2: "cm"}  # of the density in JFIF
# second bytes of JPEG's markers: those without a length, and those that begin a frame
ALONE = {0x01, *range(0xD0, 0xD9)}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SCAN = 0xDA
HIGH_DEPTH = 0x40  # in the third byte of AVIF's box av1C


def recognized(file: BufferedReader) -> FileType | None:
    """The type of an open file, if it is a lossy picture that can be read."""
    head = head_of(file)
    return next((kind for kind in LOSSY if kind.recognizes(head)), None)


def _read(name: str, refused: Callable[[bytes], str | None], data: bytes, limits: Limits, path: Path) -> Signal:
    """The picture in a file. name: of the format, as Pillow has it but for capitals; refused: why a file is refused, if it is."""
    from PIL import UnidentifiedImageError

    if fault := refused(data):
        raise UnsupportedError(fault)
    try:
        with pillow_opened(data, name.upper()) as picture:
            if getattr(picture, "n_frames", 1) > 1 and name != "JPEG":
                raise UnsupportedError(f"animated {name} is not supported")
            if "mp" in picture.info:
                notice(f"{path}: holds other pictures behind the first, which are not kept", 2)
            mode = _mode(picture)
            check_size(limits, (picture.height, picture.width, CHANNELS[mode]), 1, COPIES, 2 * len(data))
            samples = np.asarray(picture if mode == picture.mode else picture.convert(mode))
            return image(samples, 8, _metadata(picture.info) | ({"tiff/photometric": b"5"} if mode == "CMYK" else {}))
    except UnidentifiedImageError:  # its message has no more to say than the place of the bytes in memory
        raise InrcodecError(f"damaged, or no {name} file that Pillow can read") from None


def _mode(picture: Image) -> str:
    """The mode in which the pixels are taken: the picture's own, but colours where it has a palette."""
    if picture.mode in CHANNELS:
        return picture.mode
    if picture.mode == "P":
        return "RGBA" if "transparency" in picture.info else "RGB"
    raise UnsupportedError(f"pictures of Pillow's mode {picture.mode} are not supported")


def _metadata(found: Mapping[Any, Any]) -> dict[str, bytes]:
    """What Pillow tells of a picture, by the keys of `metadata`."""
    kept: dict[str, bytes] = {}
    if icc := found.get("icc_profile"):
        kept["icc"] = icc
    if exif := found.get("exif"):
        kept["exif"] = exif.removeprefix(b"Exif\0\0")
    if xmp := found.get("xmp"):
        kept["xmp"] = xmp
    if comment := found.get("comment"):
        kept["text/Comment"] = comment.decode("utf-8", "replace").encode()
    x, y = found.get("jfif_density", (0, 0))
    if x and y and found.get("jfif_unit") in UNITS and (x, y) != (1, 1):
        kept["density"] = f"{x} {y} {UNITS[found['jfif_unit']]}".encode()
    return kept


def _jpeg_refused(data: bytes) -> str | None:
    """Why a JPEG file is refused. What is damaged is left to the decoder."""
    at = 2
    while at + 4 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in ALONE:  # filled up, or a marker without a length
            at += 1 if marker == 0xFF else 2
        elif marker in FRAMES:
            return None if data[at + 4] == 8 else f"JPEG of {data[at + 4]} bits per sample is not supported, only of 8"
        elif marker == SCAN:
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _avif_refused(data: bytes) -> str | None:
    """Why an AVIF file is refused."""
    from PIL import features

    if not features.check("avif"):
        return "this build of Pillow cannot read AVIF"
    at = -1
    while (at := data.find(b"av1C", at + 1)) >= 0:  # one for the colours, one for alpha
        if data[at + 6 : at + 7] and data[at + 6] & HIGH_DEPTH:
            return "AVIF of more than 8 bits per sample is not supported: Pillow would give 8"
    return None


def _jpeg(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    return _read("JPEG", _jpeg_refused, contents(file, limits), limits, path)


def _avif(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    return _read("AVIF", _avif_refused, contents(file, limits), limits, path)


def _gif(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    return _read("GIF", lambda data: None, contents(file, limits), limits, path)


def _webp(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    data = contents(file, limits)
    if not webp.is_lossy(data):
        return webp.of_bytes(data, limits)
    return _read("WebP", lambda data: None, data, limits, path)


# what `files.read` reads with pixels=True; the last also lossless
LOSSY = (
    FileType("JPEG", "image", (".jpg", ".jpeg"), "grey, RGB and CMYK of 8 bits", rb"\xff\xd8\xff", _jpeg, None),
    FileType("AVIF", "image", (".avif",), "RGB and RGBA of 8 bits", rb"....ftyp(?:avif|avis)", _avif, None),
    FileType("GIF", "image", (".gif",), "one frame", rb"GIF8[79]a", _gif, None),
    FileType("WebP", "image", (".webp",), "RGB and RGBA of 8 bits", rb"RIFF....WEBP", _webp, None),
)
