"""WebP, lossless, still: RGB and RGBA of 8 bits, with ICC profile, Exif and XMP.

Colours under full transparency are kept, and so is an alpha channel that is opaque everywhere. Refused: lossy files, because
their pixels depend on the decoder; animations; and on writing grey, which WebP would give back as RGB.

Source: RFC 9649.
"""

from __future__ import annotations

import struct
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from . import refused
from .bounds import check_size, contents
from .images import Samples, check, image, pillow_decode
from .metadata import is_exif
from .registry import FileType

LONGEST_SIDE = 16383
DEPTHS = {3: (8,), 4: (8,)}
# flags of the VP8X chunk
ANIMATION, XMP, EXIF, ALPHA, ICC = 0x02, 0x04, 0x08, 0x10, 0x20
KEY_FRAME = b"\x9d\x01\x2a"  # in a lossy image, after 3 bytes
ALPHA_BIT = 0x10  # in the fifth byte of a VP8L chunk


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a lossless WebP file: (height, width, 3 or 4), uint8.

    Raises:
        UnsupportedError: lossy or animated.
        InrcodecError: not a WebP file, damaged, or truncated.
    """
    return of_bytes(contents(file, limits), limits)


def is_lossy(data: bytes) -> bool:
    """Whether a file is lossy and still. Raises InrcodecError: not a WebP file, or damaged."""
    chunks = _chunks(data)
    return b"VP8 " in chunks and b"ANIM" not in chunks


def of_bytes(data: bytes, limits: Limits) -> Signal:
    """As `read`, of the bytes of a file."""
    chunks = _chunks(data)
    if b"ANIM" in chunks or chunks.get(b"VP8X", b"\0")[0] & ANIMATION:
        raise UnsupportedError("animated WebP is not supported")
    if b"VP8 " in chunks:
        raise UnsupportedError(refused.LOSSY.format("WebP", "WebP"))
    if b"VP8L" not in chunks:
        raise InrcodecError("damaged WebP file: no image in it")
    width, height, channels = _shape(chunks[b"VP8L"])
    # libwebp's image, Pillow's, its copy, the samples; the first two with 4 bytes for a pixel
    check_size(limits, (height, width, channels), 1, 5, 3 * len(chunks[b"VP8L"]))
    metadata = {}
    if b"ICCP" in chunks:
        metadata["icc"] = chunks[b"ICCP"]
    if b"EXIF" in chunks:
        metadata["exif"] = chunks[b"EXIF"].removeprefix(b"Exif\0\0")  # the prefix is JPEG's; many programs write it here
    if b"XMP " in chunks:
        metadata["xmp"] = chunks[b"XMP "]
    return image(pillow_decode(_riff(_chunk(b"VP8L", chunks[b"VP8L"])), "WEBP"), 8, metadata)


def write(path: Path, signal: Signal) -> None:
    """Write a lossless WebP file.

    Raises:
        UnsupportedError: not an RGB or RGBA image of 8 bits, or more than 16383 pixels a side.
    """
    from PIL import Image

    channels = check(signal, "WebP", DEPTHS)
    height, width = signal.samples.shape[:2]
    if max(height, width) > LONGEST_SIDE:
        raise UnsupportedError(f"WebP cannot hold images of more than {LONGEST_SIDE} pixels a side; .png and .tif can")
    encoded = BytesIO()
    Image.fromarray(signal.samples).save(encoded, "WEBP", lossless=True, exact=True, quality=100)
    stream = bytearray(_chunks(encoded.getvalue())[b"VP8L"])
    if channels == 4:
        stream[4] |= ALPHA_BIT  # the encoder clears it where all is opaque, and readers would give RGB
    icc, exif, xmp = (signal.metadata.get(key) for key in ("icc", "exif", "xmp"))
    exif = exif if exif and is_exif(exif) else None
    body = _chunk(b"VP8L", bytes(stream))
    if icc or exif or xmp:
        flags = (ICC if icc else 0) | (EXIF if exif else 0) | (XMP if xmp else 0) | (ALPHA if channels == 4 else 0)
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = _chunk(b"VP8X", struct.pack("<I", flags) + sides) + (_chunk(b"ICCP", icc) if icc else b"") + body
        body += (_chunk(b"EXIF", exif) if exif else b"") + (_chunk(b"XMP ", xmp) if xmp else b"")
    data = _riff(body)
    path.write_bytes(data)


def encode_lossy(pixels: Samples, quality: int) -> bytes:
    """A lossy WebP file, without metadata, of (height, width, 3 or 4) uint8. quality: 0 … 100, of colours and of alpha."""
    from PIL import Image

    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "WEBP", quality=quality, alpha_quality=quality, method=6)
    return encoded.getvalue()


def decode_lossy(data: bytes, height: int, width: int, alpha: bool) -> Samples:
    """The pixels of a lossy WebP file whose size is known: (height, width, 3), or 4 with alpha, uint8. An image without alpha is opaque.

    Nothing is decoded before its chunks and sizes are checked. Raises InrcodecError, or what Pillow says of a damaged file.
    """
    chunks = _chunks(data)
    stream = chunks.get(b"VP8 ", b"")
    if len(stream) < 10 or stream[0] & 1 or stream[3:6] != KEY_FRAME:  # bit 0: the frame needs another one
        raise InrcodecError("no lossy image in it")
    if tuple(side & 16383 for side in struct.unpack_from("<HH", stream, 6)) != (width, height):
        raise InrcodecError("its size is not the one that it should have")
    body = _chunk(b"VP8 ", stream)
    if alpha and b"ALPH" in chunks:
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = _chunk(b"VP8X", struct.pack("<I", ALPHA) + sides) + _chunk(b"ALPH", chunks[b"ALPH"]) + body
    pixels = pillow_decode(_riff(body), "WEBP")
    if pixels.shape[:2] != (height, width):
        raise InrcodecError("its size is not the one that it should have")
    if alpha and pixels.shape[2] == 3:
        return np.concatenate([pixels, np.full((height, width, 1), 255, np.uint8)], axis=2)
    return pixels


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of the file by type; of several of a type the first, as the format asks."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise InrcodecError("not a WebP file")
    (size,) = struct.unpack_from("<I", data, 4)
    end = 8 + size
    if end > len(data):
        raise InrcodecError(f"WebP file ends after {len(data)} of {end} bytes")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise InrcodecError("damaged WebP file: a chunk is longer than the file")
        chunks.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return chunks


def _shape(stream: bytes) -> tuple[int, int, int]:
    """Width, height and channels of a VP8L stream: 14 bits each, less 1, after its first byte, and whether there is alpha."""
    if len(stream) < 5:
        raise InrcodecError("damaged WebP file: its image has no header")
    packed = int.from_bytes(stream[1:5], "little")
    return (packed & 16383) + 1, (packed >> 14 & 16383) + 1, 4 if stream[4] & ALPHA_BIT else 3


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


TYPES = (FileType("WebP", "image", (".webp",), "lossless RGB and RGBA of 8 bits", rb"RIFF....WEBP", read, write),)
