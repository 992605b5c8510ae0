"""PBM, PGM, PPM and PAM (P1 to P7), plain and raw, of any maxval up to 65535.

The bit depth is that of maxval; a maxval other than 2^b − 1 is kept as `pnm/maxval`. Bitmaps (P1, P4) store 1 for black; they
are read as 0 for black, like every other grey image, and written back inverted again. Header comments are kept as
`text/Comment`, a TUPLTYPE that does not follow from the channel count as `pnm/tupltype`. Files are always written raw:
.pbm, .pgm and .ppm hold what their names say, .pnm any of the three, .pam everything.

Refused: several images in a file, samples above maxval, more than 4 channels, CMYK.

Source: the manual pages pbm(5), pgm(5), ppm(5) and pam(5) of Netpbm.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import InrcodecError, UnsupportedError
from ..limits import Limits
from ..signal import Signal
from .bounds import check_size, contents
from .images import Samples, check, dtype_of, image
from .metadata import number, under
from .registry import FileType
from .tags import utf8

CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3}
TUPLE_TYPES = {
    1: (b"GRAYSCALE", b"BLACKANDWHITE"),
    2: (b"GRAYSCALE_ALPHA", b"BLACKANDWHITE_ALPHA"),
    3: (b"RGB",),
    4: (b"RGB_ALPHA",),
}
CMYK = b"CMYK"
ALL = range(1, 17)
DEPTHS: dict[str, dict[int, Collection[int]]] = {
    ".pbm": {1: (1,)},
    ".pgm": {1: ALL},
    ".ppm": {3: ALL},
    ".pnm": {1: ALL, 3: ALL},
    ".pam": dict.fromkeys((1, 2, 3, 4), ALL),
}

NO_NUMBER = "damaged netpbm file: a sample is not a number"
SPACES = b" \t\n\r\v\f"
BLOCK, BLOCK_MEMORY = 1 << 16, 8 << 20  # bytes of digits that are taken at once, and what that takes
_SPACE, _LINE_END, _COMMENT = re.compile(rb"\s"), re.compile(rb"[\r\n]"), re.compile(rb"#[^\r\n]*")
_ITEM = re.compile(rb"\s*(?:#([^\r\n]*)|(\d+))")


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read any netpbm file: (height, width) or (height, width, 2 to 4), uint8 up to 8 bits, else uint16.

    Raises:
        UnsupportedError: several images, more than 4 channels, or CMYK.
        InrcodecError: not a netpbm file, damaged, or truncated.
    """
    data = contents(file, limits)
    magic = data[:2]
    if magic == b"P7" and data[2:3] in (b"\n", b"\r"):
        return _read_pam(data, limits)
    if magic not in CHANNELS or not re.match(rb"[\s#]", data[2:3]):
        raise InrcodecError("not a netpbm file")
    bitmap = magic in (b"P1", b"P4")
    numbers, at, comments = header_of(data, 2 if bitmap else 3)
    maxval = 1 if bitmap else numbers[2]
    shape = (numbers[1], numbers[0], CHANNELS[magic])
    plain = magic in (b"P1", b"P2", b"P3")
    _check_header(shape, maxval, limits, len(data) + (BLOCK_MEMORY if plain else 0))
    if plain:
        samples = _plain(data, at, shape, maxval, bitmap)
    elif bitmap:
        samples = _bitmap(data, at, shape)
    else:
        samples = _raster(data, at, shape, maxval)
    return _image(1 - samples if bitmap else samples, maxval, comments, {})


def write(path: Path, signal: Signal) -> None:
    """Write a raw netpbm file of the kind that the extension names.

    Raises:
        UnsupportedError: a file of that kind cannot hold the image.
    """
    suffix = path.suffix.lower()
    channels = check(signal, f"a {suffix} file", DEPTHS[suffix])
    x = signal.samples
    maxval = _maxval(signal)
    if int(x.max()) > maxval:
        raise UnsupportedError(f"a sample of {int(x.max())} is above the maxval {maxval} of this image")
    height, width = x.shape[:2]
    bitmap = channels == 1 and maxval == 1 and suffix in (".pbm", ".pnm")
    notes = _notes(signal)
    if suffix == ".pam":
        kind = _tuple_type(signal.metadata.get("pnm/tupltype", b"")) or TUPLE_TYPES[channels][channels == 1 and maxval == 1]
        numbers = b"WIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d" % (width, height, channels, maxval)
        header = b"P7\n%s%s\nTUPLTYPE %s\nENDHDR\n" % (notes, numbers, kind)
    elif bitmap:
        header = b"P4\n%s%d %d\n" % (notes, width, height)
    else:
        header = b"P%d\n%s%d %d\n%d\n" % (5 if channels == 1 else 6, notes, width, height, maxval)
    raster = np.packbits(1 - x, axis=1) if bitmap else x.astype(">u2" if maxval > 255 else np.uint8, order="C", copy=False)
    with path.open("wb") as file:
        file.write(header)
        raster.tofile(file)


def header_of(data: bytes, count: int) -> tuple[list[int], int, list[bytes]]:
    """The numbers of the header, where the raster begins, and the comments."""
    numbers: list[int] = []
    comments: list[bytes] = []
    at = 2
    while len(numbers) < count:
        item = _ITEM.match(data, at)
        if item is None:
            raise InrcodecError("damaged netpbm header")
        at = item.end()
        if item[2] is None:
            comments.append(item[1])
        else:
            numbers.append(int(item[2]))
    if at < len(data) and not data[at : at + 1].isspace():
        raise InrcodecError("damaged netpbm header")
    return numbers, at + 1, comments


def _read_pam(data: bytes, limits: Limits) -> Signal:
    fields: dict[bytes, bytes] = {}
    kinds: list[bytes] = []
    comments: list[bytes] = []
    at = 3
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            raise InrcodecError("damaged PAM header: it has no end")
        line = data[at:end].strip()
        at = end + 1
        if line.startswith(b"#"):
            comments.append(line[1:])
        elif line:
            name, _, value = line.partition(b" ")
            if name == b"ENDHDR":
                break
            if name == b"TUPLTYPE":  # the only one that may be there again, and then goes on
                kinds.append(value.strip())
            elif name in fields:
                raise InrcodecError("damaged PAM header: a line is there twice")
            else:
                fields[name] = value.strip()
    try:
        width, height, channels, maxval = (int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    except (KeyError, ValueError):
        raise InrcodecError("damaged PAM header: width, height, depth or maxval is missing or not a number") from None
    kind = b" ".join(kinds)
    if channels > 4 or kind.startswith(CMYK):
        raise UnsupportedError(f"PAM images of {channels} channels {kind[:40].decode('latin-1')} are not supported")
    _check_header((height, width, channels), maxval, limits, len(data))
    samples = _raster(data, at, (height, width, channels), maxval)
    own = {"pnm/tupltype": kind} if kind and kind not in TUPLE_TYPES[channels] else {}
    return _image(samples, maxval, comments, own)


def _check_header(shape: tuple[int, int, int], maxval: int, limits: Limits, held: int) -> None:
    if min(shape) < 1 or not 1 <= maxval <= 65535:
        raise InrcodecError(f"damaged netpbm header: {shape[1]} × {shape[0]} pixels, maxval {maxval}")
    check_size(limits, shape, 1 if maxval < 256 else 2, 3, held)


def _raster(data: bytes, at: int, shape: tuple[int, int, int], maxval: int) -> Samples:
    """The samples of a raw file: 1 byte each, or 2, the high one first."""
    stored = np.dtype(">u2" if maxval > 255 else np.uint8)
    size = shape[0] * shape[1] * shape[2] * stored.itemsize
    _check_end(data, at, size)
    return np.frombuffer(data, stored, size // stored.itemsize, at).reshape(shape)


def _bitmap(data: bytes, at: int, shape: tuple[int, int, int]) -> Samples:
    """The bits of a P4 file; its rows end at a byte."""
    row = (shape[1] + 7) // 8
    _check_end(data, at, shape[0] * row)
    rows = np.frombuffer(data, np.uint8, shape[0] * row, at).reshape(shape[0], row)
    return np.unpackbits(rows, axis=1, count=shape[1]).reshape(shape)


def _check_end(data: bytes, at: int, size: int) -> None:
    """Refuse a raster that is too short, and one that another image follows."""
    if at + size > len(data):
        raise InrcodecError(f"netpbm file ends after {max(0, len(data) - at)} of {size} bytes of pixels")
    if re.match(rb"\s*P[1-7]\s", data[at + size : at + size + 64]):
        raise UnsupportedError("several images in one netpbm file are not supported")


def _plain(data: bytes, at: int, shape: tuple[int, int, int], maxval: int, bitmap: bool) -> Samples:
    """The samples of a file in decimal digits; those of a bitmap need no space between them."""
    count = shape[0] * shape[1] * shape[2]
    parts: list[Samples] = []
    found = 0
    for text in _blocks(data, at):
        parts.append(_bits(text, count - found) if bitmap else _numbers(text, count - found, maxval))
        found += len(parts[-1])
        if found == count:
            return np.concatenate(parts).reshape(shape)
    raise InrcodecError(f"netpbm file ends after {found} of {count} samples")


def _blocks(data: bytes, at: int) -> Iterator[bytes]:
    """The text from `at` on, without comments, in blocks that end before a space: each item of a text that is split takes much memory."""
    while at < len(data):
        space = _SPACE.search(data, at + BLOCK)
        end = space.start() if space else len(data)
        if data.rfind(b"#", at, end) > max(data.rfind(b"\n", at, end), data.rfind(b"\r", at, end)):
            line = _LINE_END.search(data, end)
            end = line.start() if line else len(data)
        yield _COMMENT.sub(b"", data[at:end])
        at = end


def _bits(text: bytes, count: int) -> Samples:
    """The first `count` digits of a text, or all of them; spaces between them do not matter."""
    digits = np.frombuffer(text.translate(None, SPACES)[:count], np.uint8) - np.uint8(ord("0"))
    if digits.size and int(digits.max()) > 1:
        raise InrcodecError(NO_NUMBER)
    return digits


def _numbers(text: bytes, count: int, maxval: int) -> Samples:
    """The first `count` numbers of a text, or all of them."""
    items = text.split(maxsplit=min(count, len(text)))[:count]
    if not all(map(bytes.isdigit, items)) or any(len(item) > 9 for item in items):
        raise InrcodecError(NO_NUMBER)
    numbers = np.array(items, "S9").astype(np.int64)
    _check_maxval(numbers, maxval)
    return numbers.astype(dtype_of(maxval.bit_length()))


def _check_maxval(samples: Samples, maxval: int) -> None:
    if samples.size and int(samples.max()) > maxval:
        raise InrcodecError(f"damaged netpbm file: a sample of {int(samples.max())} above maxval {maxval}")


def _image(samples: Samples, maxval: int, comments: list[bytes], own: dict[str, bytes]) -> Signal:
    _check_maxval(samples, maxval)
    depth = maxval.bit_length()
    if maxval != (1 << depth) - 1:
        own = {"pnm/maxval": b"%d" % maxval, **own}
    if comments:
        own["text/Comment"] = utf8(b"\n".join(line.removeprefix(b" ").rstrip() for line in comments))
    return image(samples[:, :, 0] if samples.shape[2] == 1 else samples, depth, own)


def _maxval(signal: Signal) -> int:
    """The maxval that the image came with, if it is one of its bit depth, else the largest of that depth."""
    kept = number(signal.metadata.get("pnm/maxval", b""), 65535)
    if kept is not None and kept.bit_length() == signal.bit_depth:
        return kept
    return (1 << signal.bit_depth) - 1


def _tuple_type(kept: bytes) -> bytes:
    """The tuple type that the image came with, empty if it would not be read as it is, but as further lines of the header."""
    return b"" if b"\n" in kept or kept != kept.strip() or kept.startswith(CMYK) else kept


def _notes(signal: Signal) -> bytes:
    """The lines of the header that hold the comments. They are not split: a list of many lines takes much memory."""
    texts = [value for keyword, value in under(signal.metadata, "text/") if keyword == "Comment"]
    text = b"\n".join(texts).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return b"# %s\n" % text.replace(b"\n", b"\n# ") if texts else b""


TYPES = (
    FileType(
        "PNM/PAM",
        "image",
        tuple(DEPTHS),
        "grey, grey+alpha, RGB and RGBA of 1 to 16 bits; all of these in .pam, grey or RGB in the others",
        rb"P[1-6][\s#]|P7[\n\r]",
        read,
        write,
    ),
)
