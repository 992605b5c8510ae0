"""What a profile is: a way to say how likely the next bit is, with the section of the file that it owns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..container import Section
from ..layout import Box, Layout
from ..options import Options
from ..signal import Kind
from ..values import Values

Tick = Callable[[float], None]


def ignore(share: float) -> None:
    """A tick that nobody hears."""


@dataclass(frozen=True)
class Subject:
    """What is to be coded.

    Attributes:
        values: (axes…, channels), unsigned, below 2^bits.
        bits: planes of the values, 0 … 64; 0: all values are 0.
        kind: of the signal.
        silence: the value that stands for a sample 0; it may lie outside the values' range.
        sample_rate: frames per second, None if it is not a sound.
    """

    values: Values
    bits: int
    kind: Kind = "array"
    silence: int = 0
    sample_rate: int | None = None


@dataclass(frozen=True)
class Encoded:
    """What a profile's encoder hands to the container: its section, if it has one, and the bytes of each tile of `layout`."""

    profile: Profile
    layout: Layout
    section: Section | None
    tiles: Sequence[bytes]

    @property
    def size(self) -> int:
        """Bytes, without the framing of the tiles."""
        return (self.section.size if self.section else 0) + sum(map(len, self.tiles))


class TileDecoder(ABC):
    """An opened file's tiles: decoded in any order, from any thread."""

    @abstractmethod
    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        """The values of one tile: (*sizes of box, channels).

        tick: told now and then what share was done since; what it raises ends the work.
        Raises FormatError.
        """

    @abstractmethod
    def describe(self) -> Mapping[str, object]:
        """What `info` shows of the model; empty if there is none. Its entry "weights" tells of weights that the file holds."""

    def weights_bytes(self, section: int) -> int:
        """How many of the section's bytes are weights."""
        return 0

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """What `info` shows of where the payload goes; with `decode`, of the time too. Empty where there is but one stage."""
        return []


class Profile(ABC):
    """One profile.

    Attributes:
        name: as `--profile` has it.
        number: as files have it; never reused.
        section: type of the section that it owns, None if it has none.
        codes: what it can code, in words.
    """

    name: ClassVar[str]
    number: ClassVar[int]
    section: ClassVar[bytes | None] = None
    codes: ClassVar[str]

    @abstractmethod
    def applies(self, subject: Subject) -> bool:
        """Whether it can code such a signal."""

    @abstractmethod
    def encode(self, subject: Subject, options: Options) -> Encoded:
        """Code a signal to which it applies. Raises Stopped where options.stop says so."""

    @abstractmethod
    def rival(self, subject: Subject, options: Options, best: Encoded | None, modelled: bool) -> Encoded | None:
        """What `auto` should take instead of the best so far; None where this profile has nothing better, or no chance.

        modelled: whether a profile before this one has a model of such signals. The subject is one to which this profile applies.
        """

    @abstractmethod
    def open(self, section: bytes | None, layout: Layout, bits: int) -> TileDecoder:
        """Parse and check the profile's section. Raises FormatError."""

    def tell(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What `info` says of the model to a person, by name. found: what `inrcodec.info` gave of a file of this profile."""
        return []
