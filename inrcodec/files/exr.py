"""OpenEXR: pictures of float16, float32 or uint32, of one part, in lines or tiles.

The package OpenEXR decodes and encodes the samples; where it is not installed, OpenCV does, if it was built with OpenEXR, of grey, RGB and
RGBA floats. The header is read here, since neither tells all of it, and OpenCV would drop channels that it does not know.

Channels Y, Y and A, R G B, and R G B A come in this order. Others come in the order of the file, which is that of their names, and
`exr/channels` has the names, with a NUL between two. All other attributes but those that say how the samples are stored are kept as
`exr/NAME`: the name of the type, a NUL, and the value; `exr/dataWindow` only if it does not begin at 0, 0. Files are written in lines, with
ZIP.

Refused: several parts, deep data, several levels, channels of different types, and subsampled ones. Of a lossy compression the
samples that the library decodes are coded, and a Notice says so.

Source: openexr.com, "OpenEXR File Layout".
"""

from __future__ import annotations

import math
import os
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, InrcodecError, MissingError, UnsupportedError, notice
from ..limits import Limits
from ..signal import MAX_CHANNELS, Signal
from . import opencv
from .bounds import DEFLATE, check_ratio, check_size, contents
from .images import Samples, check_one
from .registry import FileType

MAGIC = b"v/1\x01"
TILED, LONG_NAMES, DEEP, PARTS = 0x200, 0x400, 0x800, 0x1000  # of the version
TYPES_OF = (np.dtype(np.uint32), np.dtype(np.float16), np.dtype(np.float32))
USUAL = {("Y",): "Y", ("A", "Y"): "YA", ("B", "G", "R"): "RGB", ("A", "B", "G", "R"): "RGBA"}  # names in the file → in the samples
BY_OPENCV = {"Y", "RGB", "RGBA"}
STORAGE = {"channels", "compression", "dataWindow", "lineOrder", "type", "tiles", "chunkCount", "version"}
ZIP, PXR24, B44, B44A, DWAA, DWAB = 3, 5, 6, 7, 8, 9
ZIP_LINES = 16  # of a chunk
LONG_NAME = 31  # bytes, from which a flag must be set
RATIOS = {0: 1, 1: 128, 2: DEFLATE, 3: DEFLATE}  # the most bytes that one can stand for, by compression; others are not known
LINES = {0: 1, 1: 1, 2: 1, 3: ZIP_LINES, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32}  # of a chunk, by compression
MOST_LINES = 256
CHUNK = 16  # bytes of a chunk that are always there: its place, its line and its size
_standard_error = threading.Lock()


@dataclass(frozen=True)
class Header:
    """A header. attributes: (type, value) by name; end: the byte behind it, where the places of the chunks are listed."""

    version: int
    attributes: Mapping[str, tuple[str, bytes]]
    end: int

    def value(self, name: str, size: int) -> bytes:
        """The value of an attribute. Raises FormatError if it is missing, or has another size."""
        found = self.attributes.get(name, ("", b""))[1]
        if len(found) != size:
            raise FormatError(f"damaged OpenEXR file: no valid attribute {name}")
        return found

    @property
    def window(self) -> tuple[int, int, int, int]:
        """The first column and line, and the last ones."""
        left, top, right, bottom = struct.unpack("<4i", self.value("dataWindow", 16))
        if right < left or bottom < top:
            raise FormatError("damaged OpenEXR file: its data window is empty")
        return left, top, right, bottom

    @property
    def compression(self) -> int:
        """The number of the compression."""
        return self.value("compression", 1)[0]


@dataclass(frozen=True)
class Channels:
    """names: in the order of the file; dtype: of all of them."""

    names: tuple[str, ...]
    dtype: np.dtype[Any]

    @property
    def order(self) -> Sequence[str]:
        """The names in the order of the samples."""
        return USUAL.get(self.names, self.names)


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read an OpenEXR file: (height, width) or (height, width, channels), float16, float32 or uint32.

    Raises:
        MissingError: neither OpenEXR nor an OpenCV that has it is there.
        UnsupportedError: a sort of file that is named above.
        InrcodecError: not an OpenEXR file, damaged, or truncated.
    """
    data = contents(file, limits)
    header = parse(data)
    channels = channels_of(header)
    left, top, right, bottom = header.window
    height, width = bottom - top + 1, right - left + 1
    shape = (height, width, len(channels.names))
    check_size(limits, shape, channels.dtype.itemsize, 4, 2 * len(data))
    if not header.version & TILED:
        check_ratio(len(data), CHUNK * -(-height // LINES.get(header.compression, MOST_LINES)), 1, f"{width} × {height} pixels")
    if ratio := RATIOS.get(header.compression):
        check_ratio(len(data), math.prod(shape) * channels.dtype.itemsize, ratio, f"{width} × {height} pixels")
    samples = _decode(data, channels, (height, width))
    half = channels.dtype == np.float16
    if header.compression in (DWAA, DWAB) or (header.compression in (B44, B44A) and half) or (header.compression == PXR24 and not half):
        said = "its compression is lossy; the samples that the library decodes are coded, and other decoders may give others"
        notice(f"{path}: {said}", 2)
    return Signal(samples[:, :, 0] if len(channels.names) == 1 else samples, "image", 0, None, _to_metadata(header, channels))


def write(path: Path, signal: Signal) -> None:
    """Write an OpenEXR file.

    Raises:
        MissingError: neither OpenEXR nor an OpenCV that has it is there.
        UnsupportedError: not an image of float16, float32 or uint32, or of floats that OpenCV does not write exactly.
    """
    count = check_one(signal, "OpenEXR")
    x = signal.samples
    if signal.bfloat16 or x.dtype not in TYPES_OF or not x.dtype.isnative or signal.bit_depth != 8 * x.dtype.itemsize:
        held = f"{signal.bit_depth}-bit samples of {x.dtype}"
        raise UnsupportedError(f"OpenEXR holds float16, float32 or uint32, not {held}; .tif or .npy can")
    samples = x.reshape(*x.shape[:2], count)
    channels = Channels(_names(signal.metadata, count), x.dtype)
    data = _encode(samples, channels)
    if not np.array_equal(_bits(_decode(data, channels, x.shape[:2])), _bits(samples)):
        raise UnsupportedError("OpenCV does not write these floats exactly; the package OpenEXR does")
    kept = _from_metadata(signal.metadata)
    if kept:
        more = with_attributes(data, kept)
        try:
            right = np.array_equal(_bits(_decode(more, channels, x.shape[:2])), _bits(samples))
        except Exception:  # an attribute that the library does not take: metadata can come from anywhere
            right = False
        data = more if right else data
    path.write_bytes(data)


def _bits(samples: Samples) -> Samples:
    return samples.view(f"u{samples.dtype.itemsize}")


# --- the header ---------------------------------------------------------------------------------------------------


def parse(data: bytes) -> Header:
    """The header of a file of one part. Raises FormatError; UnsupportedError."""
    if data[:4] != MAGIC or len(data) < 8:
        raise FormatError("not an OpenEXR file")
    version = int.from_bytes(data[4:8], "little")
    if version & DEEP:
        raise UnsupportedError("OpenEXR files of deep data are not supported")
    if version & PARTS:
        raise UnsupportedError("OpenEXR files of several parts are not supported; save each part as a file")
    attributes: dict[str, tuple[str, bytes]] = {}
    at = 8
    while data[at : at + 1] != b"\0":
        name, at = _text(data, at)
        kind, at = _text(data, at)
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4 + size
        if at >= len(data) or name in attributes:
            raise FormatError("damaged OpenEXR file: its header ends early, or has an attribute twice")
        attributes[name] = kind, data[at - size : at]
    header = Header(version, attributes, at + 1)
    if version & TILED and header.value("tiles", 9)[8] & 15:
        raise UnsupportedError("OpenEXR files of several levels are not supported")
    return header


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A name that ends with NUL, and where it ends. Raises FormatError."""
    end = data.find(b"\0", at, at + 256)
    if end <= at:
        raise FormatError("damaged OpenEXR file: its header ends early")
    return data[at:end].decode("utf-8", "surrogateescape"), end + 1


def channels_of(header: Header) -> Channels:
    """The channels, all of one type. Raises FormatError; UnsupportedError."""
    content = header.attributes.get("channels", ("", b""))[1]
    names: list[str] = []
    kinds: list[int] = []
    at = 0
    while content[at : at + 1] not in (b"\0", b""):
        name, at = _text(content, at)
        if at + 16 > len(content):
            raise FormatError("damaged OpenEXR file: its list of channels ends early")
        kind, _, across, down = struct.unpack_from("<i4sii", content, at)
        at += 16
        if (across, down) != (1, 1):
            raise UnsupportedError(f"OpenEXR files with subsampled channels ({name[:40]}) are not supported")
        names.append(name)
        kinds.append(kind)
    if not names or len(set(names)) < len(names) or not all(0 <= kind < len(TYPES_OF) for kind in kinds):
        raise FormatError("damaged OpenEXR file: no valid list of channels")
    if len(names) > MAX_CHANNELS:
        raise UnsupportedError(f"OpenEXR files of {len(names)} channels are not supported; up to {MAX_CHANNELS} are")
    if len(set(kinds)) > 1:
        listed = ", ".join(f"{name[:40]} {TYPES_OF[kind]}" for name, kind in zip(names[:8], kinds, strict=False))
        raise UnsupportedError(f"OpenEXR files with channels of different types are not supported: {listed}")
    return Channels(tuple(names), TYPES_OF[kinds[0]])


def _usual(name: str, value: bytes, header: Header) -> bool:
    """Whether an attribute that every file has is as it goes without saying."""
    left, top, right, bottom = header.window
    usual = {
        "displayWindow": struct.pack("<4i", 0, 0, right - left, bottom - top),
        "pixelAspectRatio": struct.pack("<f", 1),
        "screenWindowCenter": bytes(8),
        "screenWindowWidth": struct.pack("<f", 1),
    }
    return usual.get(name) == value


def _to_metadata(header: Header, channels: Channels) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    if channels.names not in USUAL:
        metadata["exr/channels"] = "\0".join(channels.names).encode("utf-8", "surrogateescape")
    for name, (kind, value) in header.attributes.items():
        moved = name == "dataWindow" and header.window[:2] != (0, 0)
        if moved or (name not in STORAGE and not _usual(name, value, header)):
            try:
                metadata[f"exr/{name}"] = kind.encode() + b"\0" + value
            except UnicodeEncodeError:  # a key is UTF-8
                continue
    return metadata


def _names(metadata: Mapping[str, bytes], count: int) -> tuple[str, ...]:
    """The names of the channels in the order of the file."""
    kept = tuple(metadata.get("exr/channels", b"").decode("utf-8", "surrogateescape").split("\0"))
    if len(kept) == count and "" not in kept and list(kept) == sorted(set(kept)) and max(map(len, kept)) <= LONG_NAME and kept not in USUAL:
        return kept
    return next((names for names in USUAL if len(names) == count), tuple(f"C{i:02}" for i in range(count)))


def _from_metadata(metadata: Mapping[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """The attributes that the metadata have, as far as a header can hold them."""
    found: dict[str, tuple[str, bytes]] = {}
    for key, value in metadata.items():
        name = key.removeprefix("exr/")
        kind, mark, content = value.partition(b"\0")
        short = 0 < len(name.encode()) < 256 and "\0" not in name and 0 < len(kind) < 256 and kind.isascii()
        if key != name and mark and short and (name not in STORAGE or (name == "dataWindow" and kind == b"box2i" and len(content) == 16)):
            found[name] = kind.decode(), content
    return found


def with_attributes(data: bytes, more: Mapping[str, tuple[str, bytes]]) -> bytes:
    """A file of lines, with ZIP, with more attributes, which take the place of those of the same name; a data window moves the picture."""
    header = parse(data)
    left, top, right, bottom = header.window
    attributes = {**header.attributes, **more}
    if "dataWindow" in more:
        x, y = struct.unpack_from("<2i", more["dataWindow"][1])
        if max(x + right - left, y + bottom - top) >= 1 << 31:
            x, y = 0, 0
        attributes["dataWindow"] = "box2i", struct.pack("<4i", x, y, x + right - left, y + bottom - top)
    else:
        y = top
    long = any(max(len(name.encode()), len(kind)) > LONG_NAME for name, (kind, _) in attributes.items())
    out = bytearray(MAGIC + struct.pack("<I", header.version | LONG_NAMES * long))
    for name, (kind, value) in attributes.items():
        out += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<I", len(value)) + value
    out += b"\0"
    count = -(-(bottom - top + 1) // ZIP_LINES)
    places = np.frombuffer(data, "<i8", count, header.end)
    moved = len(out) - header.end
    out += (places + moved).tobytes() + data[header.end + 8 * count :]
    for place in places.tolist():
        (line,) = struct.unpack_from("<i", out, place + moved)
        struct.pack_into("<i", out, place + moved, line - top + y)
    return bytes(out)


# --- the samples --------------------------------------------------------------------------------------------------


def _decode(data: bytes, channels: Channels, sizes: tuple[int, ...]) -> Samples:
    """The samples of a file, (height, width, channels), in the order of the samples. Raises InrcodecError."""
    if find_spec("OpenEXR") is None:
        return _by_opencv(data, channels)
    import OpenEXR

    try:
        with _silence():  # the older interface: the newer one prints faults of pixels, and goes on
            opened = OpenEXR.InputFile(BytesIO(data))
            try:
                planes = [opened.channel(name) for name in channels.order]
            finally:
                opened.close()
    except (OSError, RuntimeError, ValueError, TypeError) as fault:
        raise InrcodecError("damaged, or not an OpenEXR file that can be decoded") from fault
    if any(len(plane) != math.prod(sizes) * channels.dtype.itemsize for plane in planes):
        raise InrcodecError("damaged OpenEXR file: a channel has another size or type than its header says")
    return np.stack([np.frombuffer(plane, channels.dtype).reshape(sizes) for plane in planes], -1)


def _encode(samples: Samples, channels: Channels) -> bytes:
    """A file of samples, (height, width, channels), with ZIP."""
    if find_spec("OpenEXR") is None:
        return _from_opencv(samples, channels)
    import OpenEXR

    planes = {name: np.ascontiguousarray(samples[:, :, i]) for i, name in enumerate(channels.order)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.exr"
        with _silence(), OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, planes) as made:
            made.write(str(path))
        return path.read_bytes()


def _check_opencv(channels: Channels) -> None:
    """Raise MissingError if OpenCV cannot do what the package OpenEXR can."""
    if not opencv.has_exr():
        raise MissingError("an OpenEXR file, which OpenCV was not built with here,", ["OpenEXR"])
    if "".join(channels.order) not in BY_OPENCV or channels.dtype.kind != "f":
        listed = ", ".join(name[:40] for name in channels.names[:8])
        raise MissingError(f"an OpenEXR file with the {channels.dtype} channels {listed}, which OpenCV does not take,", ["OpenEXR"])


def _by_opencv(data: bytes, channels: Channels) -> Samples:
    """The samples as OpenCV decodes them, always to float32."""
    _check_opencv(channels)
    found = opencv.decoded(data, "OpenEXR")
    wide = found.reshape(*found.shape[:2], -1)
    if wide.dtype != np.float32 or wide.shape[2] != len(channels.names):
        raise InrcodecError("damaged OpenEXR file: OpenCV decodes other channels than its header says")
    return np.ascontiguousarray(wide[:, :, opencv.RGB_ORDER.get(wide.shape[2], [0])].astype(channels.dtype))


def _from_opencv(samples: Samples, channels: Channels) -> bytes:
    _check_opencv(channels)
    order = opencv.RGB_ORDER.get(samples.shape[2], [0])
    return opencv.encoded_exr(np.ascontiguousarray(samples[:, :, order].astype(np.float32)), samples.dtype == np.float16)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the library, which prints what is wrong with a file, from writing to standard output and standard error."""
    with _standard_error, open(os.devnull, "wb") as nothing:
        if sys.stdout is not None:
            sys.stdout.flush()
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(nothing.fileno(), number)
            yield
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


TYPES = (
    FileType(
        "OpenEXR",
        "image",
        (".exr",),
        "float16, float32 and uint32, up to 64 channels of one part; needs the package OpenEXR, or an OpenCV that was built with it",
        rb"v/1\x01",
        read,
        write,
    ),
)
