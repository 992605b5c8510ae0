"""JPEG 2000 headers (ITU-T T.800): the boxes of a .jp2 file and the main header of a codestream, as far as they say what the samples are.

Nothing is decoded here. A file that passes is whole: every tile has a tile-part, and every tile-part ends within the file.
JPEG 2000 has no checksums, so damage inside a tile-part can go unseen.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import InrcodecError, UnsupportedError

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
SOC, SIZ, COD, COC, SOT, SOD, EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
CODINGS = {COD: (4, 9), COC: (5, 6)}  # bytes from the marker to the flags, and to the levels and what follows them
DEEPEST = 32  # levels of the wavelet
SIZES = struct.Struct(">HIIIIIIIIH")  # of SIZ: capabilities, ends and starts of the image, size and start of the tiles, components
COLOUR_SPACES = {12: "CMYK", 14: "CIELab", 18: "sYCC"}
GREY, SRGB = 17, 16
ICC_SPACES = {b"GRAY", b"RGB "}
OPACITY = 1


@dataclass(frozen=True)
class Codestream:
    """The image of a codestream.

    Attributes:
        data: the codestream, from its SOC marker to its EOC marker.
        width, height: in pixels.
        channels: 1, 3 or 4.
        bit_depth: of every channel.
        irreversible: whether a wavelet of it is the irreversible one, so that decoders may differ in the pixels they give.
        tiles: how many there are.
        precincts: how many the bands of a tile have at most, of which a resolution has up to three.
        packets: for how many of a tile a decoder has room: as if all resolutions had as many precincts as that with the most.
        icc: the ICC profile of the file around it, if there is one.
    """

    data: bytes
    width: int
    height: int
    channels: int
    bit_depth: int
    irreversible: bool
    tiles: int
    precincts: int
    packets: int
    icc: bytes | None


class _Codings:
    """The most that any of the segments COD and COC asks for (ISO/IEC 15444-1, A.6.1 and A.6.2). There may be very many of them."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height  # of a tile
        self.irreversible = False
        self.layers = 0
        self.precincts = 0  # of the bands of a channel, of which a resolution has up to three
        self.places = 0  # for precincts of a channel, if all resolutions had as many as that with the most

    def add(self, data: bytes, at: int, end: int) -> None:
        """Look at the segments between two places."""
        while at < end:
            marker, length = struct.unpack_from(">HH", data, at)
            following = at + 2 + length
            if marker in CODINGS:
                flags, levels = (at + distance for distance in CODINGS[marker])
                if levels + 5 > following or (count := data[levels] + 1) > DEEPEST + 1:
                    raise InrcodecError("damaged: it does not say how it is coded")
                sizes = data[levels + 5 : min(following, levels + 5 + count)] if data[flags] & 1 else b"\xff" * count
                if len(sizes) < count:
                    raise InrcodecError("truncated: a header is too short")
                if marker == COD:
                    self.layers = max(self.layers, int.from_bytes(data[at + 6 : at + 8], "big"))
                self.irreversible |= data[levels + 4] == 0
                self._count(sizes)
            at = following

    def _count(self, sizes: bytes) -> None:
        """Count the precincts. `sizes` are log2 of width and height of one, in 4 bits each, by resolution, the lowest first."""
        total = most = 0
        for step, size in zip(range(len(sizes) - 1, -1, -1), sizes, strict=True):
            count = ((self.width >> (size & 15) + step) + 2) * ((self.height >> (size >> 4) + step) + 2)
            total += count
            most = max(most, count)
        self.precincts = max(self.precincts, 3 * total)
        self.places = max(self.places, len(sizes) * most)


def parse(data: bytes) -> Codestream:
    """The image of a .jp2 file or of a bare codestream.

    Raises:
        UnsupportedError: several codestreams, a palette, channels in another order than grey, RGB or RGBA, another colour
            space, premultiplied alpha, signed, subsampled or unequally deep channels.
        InrcodecError: not JPEG 2000, damaged, or truncated.
    """
    icc = None
    stream = data
    try:
        if data.startswith(SIGNATURE):
            stream, icc = _unwrap(data)
        width, height, depths, at, tile = _main_header(stream)
        tiles = -(-width // tile[0]) * -(-height // tile[1])
        codings = _Codings(min(width, tile[0]), min(height, tile[1]))
        codings.add(stream, 2, at)
        end = _end(stream, at, tiles, codings)
    except struct.error as fault:
        raise InrcodecError("truncated, or damaged: a header is too short") from fault
    if len(depths) not in (1, 3, 4):
        raise UnsupportedError(f"JPEG 2000 of {len(depths)} channels is not supported; 1, 3 and 4 are")
    if len(set(depths)) > 1:
        raise UnsupportedError("JPEG 2000 with channels of unequal depth is not supported")
    precincts, packets = len(depths) * codings.precincts, len(depths) * codings.layers * codings.places
    return Codestream(stream[:end], width, height, len(depths), depths[0], codings.irreversible, tiles, precincts, packets, icc)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the boxes of a file or of a superbox."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + size if size else len(data)  # the last box may leave its size open
        if end > len(data) or end < at + head:
            raise InrcodecError(f"truncated, or damaged: box {kind.decode('latin-1')!r} does not end within the file")
        yield kind, data[at + head : end]
        at = end


def _unwrap(data: bytes) -> tuple[bytes, bytes | None]:
    """The codestream of a .jp2 file and its ICC profile."""
    streams: list[bytes] = []
    profile: bytes | None = None
    for kind, content in _boxes(data):
        if kind == b"jp2c":
            streams.append(content)
        elif kind == b"jp2h":
            profile = _image_header(content)
    if len(streams) > 1:
        raise UnsupportedError("JPEG 2000 files of several images are not supported")
    if not streams:
        raise InrcodecError("truncated, or damaged: no image in it")
    return streams[0], profile


def _image_header(content: bytes) -> bytes | None:
    """The ICC profile of a jp2h box whose other boxes leave the channels as they are."""
    profile = None
    coloured = False
    for kind, body in _boxes(content):
        if kind in (b"pclr", b"cmap"):
            raise UnsupportedError("JPEG 2000 with a palette is not supported; convert it to PNG first")
        if kind == b"cdef":
            _check_channels(body)
        elif kind == b"colr" and not coloured:  # of several the first counts
            coloured = True
            profile = _profile(body)
    return profile


def _check_channels(body: bytes) -> None:
    """Refuse channels that are not grey, or red, green, blue, and alpha last."""
    (count,) = struct.unpack_from(">H", body)
    for i in range(count):
        channel, kind, colour = struct.unpack_from(">HHH", body, 2 + 6 * i)
        if not ((kind == 0 and colour == channel + 1) or (kind == OPACITY and colour == 0 and channel == count - 1)):
            what = "premultiplied alpha" if kind == 2 else "channels in another order than RGBA"
            raise UnsupportedError(f"JPEG 2000 with {what} is not supported; convert it to PNG first")


def _profile(body: bytes) -> bytes | None:
    """The ICC profile of a colr box, None where it names sRGB or grey."""
    method, _, _ = struct.unpack_from(">BBB", body)
    if method == 1:
        (space,) = struct.unpack_from(">I", body, 3)
        if space not in (GREY, SRGB):
            raise UnsupportedError(f"JPEG 2000 of colour space {COLOUR_SPACES.get(space, space)} is not supported; grey and RGB are")
        return None
    profile = body[3:]
    if method not in (2, 3) or profile[16:20] not in ICC_SPACES:
        raise UnsupportedError("JPEG 2000 with an ICC profile of neither grey nor RGB is not supported")
    return profile


def _main_header(data: bytes) -> tuple[int, int, list[int], int, tuple[int, int]]:
    """Width, height, the depth of every channel, where the first tile-part begins, and width and height of a tile from 0, 0 on."""
    soc, siz, _ = struct.unpack_from(">HHH", data)
    if (soc, siz) != (SOC, SIZ):
        raise InrcodecError("not a JPEG 2000 file")
    _, x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0, channels = SIZES.unpack_from(data, 6)
    if not (x0 < x1 and y0 < y1 and tile_x and tile_y and tile_x0 <= x0 and tile_y0 <= y0 and channels):
        raise InrcodecError(f"damaged: {x1 - x0} × {y1 - y0} pixels, {channels} channels")
    if x0 or y0:
        raise UnsupportedError("JPEG 2000 of an image that begins elsewhere than at 0, 0 is not supported: OpenCV does not read it")
    depths = []
    for i in range(channels):
        depth, step_x, step_y = struct.unpack_from(">BBB", data, 6 + SIZES.size + 3 * i)
        if depth & 0x80:
            raise UnsupportedError("JPEG 2000 of signed samples is not supported")
        if (step_x, step_y) != (1, 1):
            raise UnsupportedError("JPEG 2000 with channels of lower resolution is not supported; convert it to PNG first")
        depths.append(depth + 1)
    return x1, y1, depths, _header_end(data, 2, len(data), SOT), (tile_x, tile_y)


def _header_end(data: bytes, at: int, end: int, last: int) -> int:
    """Where the marker `last` ends a header whose segments begin at `at`, and which ends before `end`."""
    while (marker := struct.unpack_from(">H", data, at)[0]) != last:
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
        if marker < 0xFF00 or length < 2 or at + 2 > end:
            raise InrcodecError("damaged: a header has no end")
    return at


def _end(data: bytes, at: int, tiles: int, codings: _Codings) -> int:
    """Where the codestream ends, if no tile and no tile-part of it is missing. What the headers of the tile-parts say goes to `codings`."""
    seen: set[int] = set()
    while (marker := struct.unpack_from(">H", data, at)[0]) == SOT:
        _, tile, length = struct.unpack_from(">HHI", data, at + 2)
        seen.add(tile)
        if length == 0:  # to the end
            end = data.rfind(b"\xff\xd9", at + 12)
            length = end - at if end > 0 else len(data)
        if length < 12 or at + length > len(data):
            raise InrcodecError("truncated: a tile does not end within the file")
        codings.add(data, at + 12, _header_end(data, at + 12, at + length, SOD))
        at += length
    if marker != EOC:
        raise InrcodecError("truncated, or damaged: a tile-part is followed by something else")
    if len(seen) < tiles:
        raise InrcodecError(f"truncated, or damaged: {len(seen)} of {tiles} tiles are there")
    return at + 2
