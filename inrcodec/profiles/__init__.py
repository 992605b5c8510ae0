"""The profiles: how values become sections and tiles, and back.

A profile is one module with an encoder, and `open_decoder(sections, layout, bits) -> TileDecoder`. To add one, write the
module and register its number here; numbers are never reused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from ..container import Section
from ..errors import FormatError
from ..layout import Box, Layout
from ..planes import Values

HYBR = b"HYBR"  # section of the profile hybrid
NUMBERS = {"stored": 0, "inr": 1, "hybrid": 2}
NAMES = {number: name for name, number in NUMBERS.items()}


Tick = Callable[[float], None]


def ignore(share: float) -> None:
    """A tick that nobody hears."""


@dataclass(frozen=True)
class Coded:
    """What a profile's encoder hands to the container: its own sections, and the bytes of each tile of `layout`."""

    profile: str
    layout: Layout
    sections: Sequence[Section]
    tiles: Sequence[bytes]

    @property
    def size(self) -> int:
        return sum(s.size for s in self.sections) + sum(len(t) for t in self.tiles)


class TileDecoder(Protocol):
    """Decodes tiles, in any order, from any thread."""

    def decode_tile(self, box: Box, data: bytes, threads: int = 1, tick: Tick = ignore) -> Values:
        """The values of one tile: (*sizes of box, channels).

        tick: told now and then what share was done since; what it raises ends the work.
        """

    def describe(self) -> Mapping[str, object]:
        """What `info` shows of the model; empty if there is none."""

    def stages(self, tiles: Sequence[bytes], decode: bool) -> list[dict[str, Any]]:
        """What `info` shows of where the payload goes; with `decode`, of the time too. Empty where there is but one stage."""


Opener = Callable[[Mapping[bytes, bytes], Layout, int], TileDecoder]


def opener(number: int) -> Opener:
    """The `open_decoder` of a profile's number. Raises FormatError if there is no such profile."""
    if number not in NAMES:
        raise FormatError(f"it uses profile {number}, which this version does not know")
    found: Opener = import_module(f".{NAMES[number]}", __name__).open_decoder
    return found
