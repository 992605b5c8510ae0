"""FITS images ↔ Signal, byte for byte.

Read: the stored numbers of the largest image, in the primary unit or an extension, without BSCALE and BZERO, of any BITPIX. The axes are
those of the file, the slowest first (NAXIS2 before NAXIS1). Slow axes of 1 are dropped; more than 4 become 4 by merging slow ones. All
headers, other images, tables, and whatever follows are kept, compressed as metadata are.

Written from other signals: a primary unit with the cards that it must have.

Refused: files without an image, images that are compressed in a table, random groups.

Only the cards that tell where data begin and end are looked at, so no library is needed; astropy can be made to loop by a few bytes.

Source: FITS standard 4.0, 3 and 4.4.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from ..errors import FormatError, UnsupportedError, notice
from ..limits import Limits
from ..signal import Signal
from . import hollow
from .bounds import contents
from .hollow import Dialect, Layout, squeezed
from .registry import FileType

BITPIX = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
BLOCK, CARD = 2880, 80  # bytes; headers and data are padded to blocks
MOST_AXES = 999
LARGEST = 1 << 62  # of an axis or a count
TOLD = 0.1  # of a file: other images and tables of more than this are told
START = b"SIMPLE  ="
LOOKED_AT = re.compile(rb"(SIMPLE|XTENSION|BITPIX|NAXIS[0-9]*|PCOUNT|GCOUNT|GROUPS|ZIMAGE) *= *('[^']*'|[^ /]*)")


@dataclass(frozen=True)
class Unit:
    """A header and its data.

    Attributes:
        body, end: where the data begin, and where the blocks end that they take.
        layout: of an image with data; None: it is none.
        refused: why it is no image that can be read, if it looks like one; "" else.
    """

    body: int
    end: int
    layout: Layout | None
    refused: str = ""


def read(path: Path, file: BufferedReader, limits: Limits) -> Signal:
    """Read a FITS file: an array of integers or floats. A Notice tells if much of the file is something else.

    Raises:
        UnsupportedError: there is no image, or it is compressed.
        FormatError: not a FITS file, damaged, or truncated.
    """
    return of_bytes(path, contents(file, limits), limits)


def of_bytes(path: Path, data: bytes, limits: Limits) -> Signal:
    """As `read`, of the bytes of a file. path: for the Notice."""
    signal = hollow.of_bytes(data, DIALECT, limits)
    units = _units(data)
    image = _largest(units)
    others = [unit for unit in units if unit is not image and unit.end > unit.body]
    size = sum(len(data[unit.body : unit.end]) for unit in others)
    if size > TOLD * len(data):
        what = f"only its largest image is coded as samples; {len(others)} other unit{'s' if len(others) > 1 else ''}"
        notice(f"{path}: {what}, {size} of {len(data)} bytes, {'are' if len(others) > 1 else 'is'} kept as metadata", 2)
    return signal


def write(path: Path, signal: Signal) -> None:
    """Write the file that a signal was read from; of another one, a file with the least of a header.

    Raises:
        UnsupportedError: samples that FITS does not have: bool, other unsigned ones than of 8 bits, signed ones of 8, floats of 16; or a
        first axis of 1, which would be dropped.
    """
    hollow.write(path, signal, DIALECT)


def _units(data: bytes) -> list[Unit]:
    """All units of a file. Raises FormatError: not a FITS file, or a header in it is damaged."""
    if not data.startswith(START):
        raise FormatError("not a FITS file")
    found: list[Unit] = []
    at = 0
    while at < len(data) and (not found or data.startswith(b"XTENSION=", at)):
        cards, body = _header(data, at)
        unit = _unit(cards, body, primary=not found)
        found.append(unit)
        at = unit.end
    return found


def _header(data: bytes, start: int) -> tuple[dict[bytes, bytes], int]:
    """The cards that are looked at, of those there twice the first, and where the data begin. Raises FormatError: it has no end."""
    found: dict[bytes, bytes] = {}
    for at in range(start, len(data) - CARD + 1, CARD):
        card = data[at : at + CARD]
        if card.startswith(b"END") and not card[3:].strip():
            return found, start + -(-(at + CARD - start) // BLOCK) * BLOCK
        if match := LOOKED_AT.match(card):
            found.setdefault(match[1], match[2])
    raise FormatError("truncated, or damaged: a header has no end")


def _unit(cards: Mapping[bytes, bytes], body: int, primary: bool) -> Unit:
    """What a header says. Raises FormatError."""
    bitpix, axes = _number(cards, b"BITPIX"), _number(cards, b"NAXIS")
    if bitpix not in BITPIX or not 0 <= axes <= MOST_AXES:
        raise FormatError(f"damaged: a header has BITPIX {bitpix} and NAXIS {axes}")
    sizes = [_number(cards, b"NAXIS%d" % i) for i in range(axes, 0, -1)]
    groups = primary and cards.get(b"GROUPS") == b"T" and axes > 0 and sizes[-1] == 0
    extra, count = (0, 1) if primary and not groups else (_number(cards, b"PCOUNT", 0), _number(cards, b"GCOUNT", 1))
    if any(n < 0 for n in (*sizes, extra, count)):
        raise FormatError("damaged: a header has a size below 0")
    of_group = math.prod(sizes[:-1] if groups else sizes) if axes else 0
    nbytes = abs(bitpix) // 8 * count * (extra + of_group)
    end = body + -(-nbytes // BLOCK) * BLOCK
    if groups:
        return Unit(body, end, None, "random groups are not supported")
    if cards.get(b"ZIMAGE") == b"T":
        return Unit(body, end, None, "its image is compressed; unpack it first, as with funpack")
    image = primary or cards.get(b"XTENSION", b"").strip(b"' ") == b"IMAGE"
    if not image or not of_group or (extra, count) != (0, 1):
        return Unit(body, end, None)
    return Unit(body, end, Layout(body, np.dtype(BITPIX[bitpix]), tuple(sizes), squeezed(sizes)))


def _number(cards: Mapping[bytes, bytes], name: bytes, default: int | None = None) -> int:
    """The whole number of a card. Raises FormatError: it is not there, or has none."""
    text = cards.get(name)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(rb"[+-]?[0-9]{1,19}", text) or abs(int(text)) > LARGEST:
        raise FormatError(f"damaged: a header has no {name.decode()}, or none that is a number")
    return int(text)


def _largest(units: list[Unit]) -> Unit:
    """The unit with the largest image. Raises UnsupportedError: there is none."""
    images = [unit for unit in units if unit.layout]
    if not images:
        raise UnsupportedError(
            next((unit.refused for unit in units if unit.refused), "there is no image in it; tables alone are not supported")
        )
    return max(images, key=lambda unit: unit.layout.nbytes if unit.layout else 0)


def _parse(data: bytes) -> Layout:
    layout = _largest(_units(data)).layout
    assert layout is not None, "an image"
    return layout


def _fresh(signal: Signal) -> tuple[bytes, bytes]:
    samples = signal.samples
    bitpix = next((code for code, name in BITPIX.items() if name[-2:] == samples.dtype.str[1:]), None)
    if bitpix is None:
        raise UnsupportedError(f".fits cannot hold samples of type {samples.dtype} as they are; .npy can")
    cards = [("SIMPLE", "T"), ("BITPIX", bitpix), ("NAXIS", samples.ndim)]
    cards += [(f"NAXIS{i + 1}", n) for i, n in enumerate(samples.shape[::-1])]
    header = "".join(f"{name:<8}= {value:>20}".ljust(CARD) for name, value in cards) + "END".ljust(CARD)
    return header.ljust(-(-len(header) // BLOCK) * BLOCK).encode(), bytes(-samples.nbytes % BLOCK)


DIALECT = Dialect("fits", ".fits", _parse, _fresh)
TYPES = (
    FileType(
        "FITS",
        "array",
        (".fits", ".fit", ".fts"),
        "the largest image as stored, the rest kept; comes back byte for byte",
        START,
        read,
        write,
        "fits/",
    ),
)
