"""What a profile is: a way to code the values of a signal as the bytes of tiles, with a section of the file for its model."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import floats
from ..container import Section
from ..errors import UnsupportedError
from ..kernels import tables
from ..layout import Box, Layout, box_shape
from ..options import Options
from ..signal import Kind
from ..values import Values

Tick = Callable[[float], None]  # called with the share of the work, 0 to 1, that was done since the last call; may raise Stopped


def ignore(share: float) -> None:
    """A Tick that does nothing."""


@dataclass(frozen=True)
class Ordered:
    """Which floats values stand for, in the order of the floats: value v stands for float number offset + step·v; −1 is −0, and 0 is 0.

    kind: an IEEE-754 format or bfloat16, one of KINDS.
    """

    KINDS: ClassVar[tuple[str, ...]] = tuple(floats.NAMED)
    kind: str
    offset: int
    step: int = 1

    @property
    def format(self) -> tuple[int, int]:
        """(bits that are stored of a mantissa, exponent of the unit of the smallest numbers)."""
        b = floats.NAMED[self.kind]
        return b.stored, b.least


@dataclass(frozen=True)
class Subject:
    """What a profile codes: the values of a signal, and what is known of them.

    Attributes:
        values: (axes…, channels), unsigned, below 2^bits.
        bits: bit length of the largest value, 0 … 64; 0: all values are 0.
        kind: of the signal.
        silence: the value of a sample 0; it may lie outside 0 … 2^bits − 1.
        sample_rate: frames per second; None if the signal is no sound.
        peak: the range of samples, 2^depth − 1, in steps of the values, which PSNRs are relative to; 0: that of the values, 2^bits − 1.
        floats: which floats the values stand for, if equal steps of values are not equal steps of floats; else None.
    """

    values: Values
    bits: int
    kind: Kind = "array"
    silence: int = 0
    sample_rate: int | None = None
    peak: float = 0.0
    floats: Ordered | None = None


class Parts(NamedTuple):
    """What is written of a signal: the tiling, the profile's section (None if it has none), and the bytes of each tile."""

    layout: Layout
    section: Section | None
    tiles: Sequence[bytes]

    @property
    def size(self) -> int:
        """Bytes of the section and the tiles, without the tiles' framing."""
        return (self.section.size if self.section else 0) + sum(map(len, self.tiles))


@dataclass(frozen=True)
class Encoded:
    """What a profile makes of a signal."""

    profile: Profile
    parts: Parts

    @property
    def size(self) -> int:
        """See `Parts`."""
        return self.parts.size


@dataclass(frozen=True)
class Stream:
    """What is known beforehand of values that come tile by tile.

    Attributes:
        tile: sizes of a tile along the coordinate axes; those at the far end of an axis may be smaller.
        channels: values at each place.
        bits, kind, silence, sample_rate, peak: see `Subject`; bits are those that the type allows, 1 … 64, not those that occur.
        floats: see `Subject`.
    """

    tile: tuple[int, ...]
    channels: int
    bits: int
    kind: Kind = "array"
    silence: int = 0
    sample_rate: int | None = None
    peak: float = 0.0
    floats: Ordered | None = None


class TileCoder(ABC):
    """Codes tiles one by one, from any thread, each from its own values alone.

    Attributes:
        section: the profile's section, None if it has none. It is the same whatever the tiles hold.
    """

    section: Section | None = None

    @abstractmethod
    def encode(self, values: Values) -> bytes:
        """The bytes of a tile, which do not depend on where it lies. values: (*sizes of the tile, channels), unsigned, below 2^bits."""


Bits = npt.NDArray[np.float32]  # that places took: (planes, *sizes of a tile)


def evenly(bits: float, shape: tuple[int, ...]) -> Bits:
    """So many bits, an equal share for each element of an array of this shape."""
    return np.full(shape, bits / math.prod(shape), np.float32)


class TileDecoder(ABC):
    """Decodes the tiles of an opened file, in any order, from any thread.

    Attributes:
        known: names of files in inrcodec/known that use the same kernels.
        planes: names of what is coded at each place, for `decode_costs`.
    """

    known: tuple[str, ...] = ()
    planes: Sequence[str] = ("values",)

    @abstractmethod
    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        """The values of one tile, (*sizes of the box, channels), unsigned.

        box: where the tile lies; data: its bytes; threads: at most this many; tick: called now and then; what it raises ends the work.
        Raises FormatError.
        """

    def decode_costs(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> tuple[Values, Bits]:
        """`decode_tile`, and the bits of the tile that each place took in each of `planes`, (planes, *sizes of the box) float32.

        Bits that belong to no place are in none of them. Without a model all places took the same.
        """
        values = self.decode_tile(box, data, threads, tick)
        return values, evenly(8 * len(data), (1, *box_shape(box)))

    def memory(self, box: Box, threads: int = 1) -> int:
        """The most bytes that `decode_tile` takes at once for this tile with so many threads, its values included, and without `shared`."""
        return 0

    @property
    def shared(self) -> int:
        """The most bytes of what all tiles use, such as a network, and of making it."""
        return 0

    @property
    def most_extra(self) -> int:
        """How many bits below those of the values `alone` can give."""
        return 0

    @property
    def configurations(self) -> Sequence[tuple[int, int]]:
        """(layers, units) of the networks that `alone` can ask, the largest last; empty if there is no network that gives values."""
        return []

    def alone(self, sizes: tuple[int, ...], box: Box, extra: int = 0, configuration: int = -1, tick: Tick = ignore) -> Values:
        """The values that the model gives without tiles, (*sizes of the box, channels), unsigned.

        sizes: places along each coordinate axis, over the extent of the signal; box: which of these; extra: bits below those of the file
        that are wanted; configuration: index of the network that is asked. tick: see `decode_tile`. Raises FormatError.
        """
        raise UnsupportedError("its profile has no network that gives values without the payload; only files of profile inr have one")

    def field(self, sizes: tuple[int, ...], box: Box, configuration: int = -1, tick: Tick = ignore) -> npt.NDArray[np.int64]:
        """Of values of one bit and one channel, what `alone` decides by: (*sizes of the box, 1) int64, above 0 where the value is 1.

        Arguments: see `alone`. Raises FormatError.
        """
        raise UnsupportedError("its profile has no network that gives a field; only files of profile inr have one")

    @abstractmethod
    def describe(self) -> Mapping[str, object]:
        """What `info` shows of the model, as fields of its JSON; empty if there is no model.

        The entry "weights", if there is one, describes the weights that the file holds. Beside an entry "mse", the mean squared error of
        values, `info` puts their PSNR.
        """

    def check(self) -> None:
        """Compare the tables that decoding uses with their hashes. Raises RuntimeError: a fault of the memory has changed one."""
        tables.check()

    def weights_bytes(self, section: int) -> int:
        """How many bytes of the profile's section, which has `section` bytes, are weights."""
        return 0

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """Where the bytes of the tiles go: "name" and "bytes" of each stage. Empty if the profile has only one stage.

        With `decode`, the tiles are decoded, and each stage also has "seconds" and "bits" (a dictionary by what they were spent on).
        """
        return []


class Profile(ABC):
    """A profile: encodes signals, and opens files that name it.

    Attributes:
        name: its name in options.
        number: its number in files; never reused.
        section: type of the section that it owns, None if it has none.
        renders: whether its model gives values without the tiles, so that it can be a lossy file.
        models: whether it has a model of the signal. Constant signals are coded by a profile without one.
        codes: what it can code, as a phrase for messages and help.
        words: how it codes, as a phrase for help.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    section: ClassVar[bytes | None] = None
    models: ClassVar[bool] = True
    renders: ClassVar[bool] = False
    codes: ClassVar[str]
    words: ClassVar[str]

    @abstractmethod
    def applies(self, subject: Subject) -> bool:
        """Whether the profile can code this signal."""

    @abstractmethod
    def encode(self, subject: Subject, options: Options) -> Encoded:
        """Code a signal for which `applies` holds. Raises Stopped if options.stop says so."""

    def tile_coder(self, stream: Stream, options: Options) -> TileCoder | None:
        """What codes the tiles of a stream; None if the profile cannot code a tile before it has seen the others."""
        return None

    def rival(self, subject: Subject, options: Options, best: Encoded | None, modelled: bool) -> Encoded | None:
        """For profile "auto": the signal coded by this profile, if that is smaller than `best`; else None.

        best: the smallest of the profiles asked so far, None if this is the first; modelled: whether one of them has a model and could
        code the signal. `applies` must hold. A profile may return None without coding if it has no chance.
        """
        found = self.encode(subject, options)
        return found if best is None or found.size < best.size else None

    @abstractmethod
    def open(self, section: bytes | None, layout: Layout, bits: int, cut: bool = False) -> TileDecoder:
        """Parse and check the profile's section. Raises FormatError.

        section: its content, None if the file lacks it; layout: of the file; bits: of its values; cut: whether the section may be cut, so
        that what is there of it serves.
        """

    def tell(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What the command `info` prints of the model: (name, text) of each line. found: `inrcodec.info` of a file of this profile."""
        return []
