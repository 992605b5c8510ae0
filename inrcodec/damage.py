"""What is left of a damaged file: every tile that is intact, and where the others were.

A tile decodes alone, from its bytes, the header and the profile's section. So a file that was cut, or has wrong bytes somewhere, still
gives all tiles whose checksums match. The header and the profile's section are needed. They are some hundred bytes of a photograph's file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from . import codec, compact, container, profiles
from .codec import BUNDLE, Opened
from .container import Section
from .errors import FormatError, LossyError, UnsupportedError
from .header import HEAD, INDEX, META, SEEK, TILE, Header, matches, read_header, read_metadata
from .layout import Box, Layout, tile_of
from .limits import Limits
from .options import Options
from .signal import Signal

NOT_THERE = {
    "damaged": "its bytes are damaged",
    "cut": "the file ends before its end",
    "unplaced": "its bytes are damaged, or it cannot be told which of the intact tiles it is",
}


@dataclass(frozen=True)
class Lost:
    """A tile that cannot be decoded. tile: its number; box: where its samples are; where: the same in words; why: what is wrong with it."""

    tile: int
    box: Box
    where: str
    why: str


@dataclass(frozen=True)
class Salvaged:
    """What was got out of a file.

    Attributes:
        signal: the samples and metadata. Lost samples are 0.
        lost: the tiles that are lost, in order.
        tiles: how many tiles there are in all.
        faults: what else is wrong with the file, one line each. The file is intact if this and lost are empty.
        intact: (sizes of the coordinate axes) bool: where the samples are right; nowhere, if it cannot be told. If tiles are lost, only the
            checksums of the others vouch for them.
    """

    signal: Signal
    lost: tuple[Lost, ...]
    tiles: int
    faults: tuple[str, ...]
    intact: npt.NDArray[np.bool_]

    def report(self) -> list[str]:
        """What is wrong with the file and what is lost, a line each; empty if it is intact."""
        parts = [f"tile {lost.tile + 1} of {self.tiles} is lost, {lost.where}: {lost.why}" for lost in self.lost]
        right = ["all samples are there, and match their digest"] if self.faults and not self.lost and self.intact.all() else []
        return [*self.faults, *parts, *right]


def salvage(data: bytes, options: Options | None = None) -> Salvaged:
    """Decode all that is intact in a .linr file.

    options: threads, limits, progress and stop matter.

    Raises:
        FormatError: nothing can be decoded: the bytes are no .linr file, or its header or the profile's section is damaged.
        LimitError: the file asks for more than options.limits allow.
        Stopped: options.stop says so.
    """
    options = options or Options()
    found = _Remains(data, options.limits)
    attempts = (_attempt(opened, found.missing, options) for opened in found.openings())
    best = next((attempt for attempt in attempts if attempt.matches or not found.guessed), None)
    if best is None:
        raise FormatError("damaged: it cannot be salvaged without its tile index")
    opened, why = best.opened, best.why
    if not best.matches and not why:
        found.faults.append("all tiles decode, but the samples do not match their digest, and it cannot be told which are wrong")
    if best.matches and not found.faults:
        found.faults.extend(_refusal(data, options.limits))
    h, layout = opened.header, opened.layout
    intact = np.full(layout.axes, best.matches or bool(why))
    for tile in why:
        intact[layout.box(tile)] = False
    lost = tuple(Lost(tile, layout.box(tile), where(layout.box(tile), h), reason) for tile, reason in sorted(why.items()))
    try:
        signal = h.signal(best.samples, opened.metadata)
    except UnsupportedError as fault:
        raise FormatError(f"damaged: {fault}") from fault
    return Salvaged(signal, lost, layout.tiles, tuple(found.faults), intact)


@dataclass(frozen=True)
class _Attempt:
    """What decoding gave. why: what is wrong with the tiles that are lost, by number; matches: whether the samples match the digest."""

    opened: Opened
    samples: npt.NDArray[Any]
    why: dict[int, str]
    matches: bool


def _attempt(opened: Opened, missing: dict[int, str], options: Options) -> _Attempt:
    """Decode all tiles that are there. missing: why others are not. Raises FormatError if memory ends; LimitError; Stopped."""
    why: dict[int, str] = {}

    def failed(index: int, fault: FormatError) -> None:
        why[index] = missing.get(index) or str(fault).removeprefix("damaged: ")

    try:
        samples = opened.decode(opened.whole(), options, failed, opened.layout.places)
    except MemoryError as fault:
        raise FormatError("not enough memory for its samples") from fault
    if why:
        codec.prove(opened.decoder)
    return _Attempt(opened, samples, why, not why and matches(opened.header, samples, opened.layout))


def _refusal(data: bytes, limits: Limits) -> Iterator[str]:
    """Why a file is invalid although all that is needed of it is intact: a section is there twice, or is one too many."""
    try:
        codec.open_bytes(data, limits)
    except FormatError as fault:
        yield str(fault).removeprefix("damaged: ")


def where(box: Box, header: Header) -> str:
    """A box in words: rows and columns of a picture, seconds of a sound, indices of an array. All ends are included but that of seconds."""
    if header.sample_rate:
        return f"{box[0].start / header.sample_rate:.3f} to {box[0].stop / header.sample_rate:.3f} s"
    pictures: dict[str, tuple[str, ...]] = {"image": ("rows", "columns"), "stack": ("pages", "rows", "columns")}
    names = pictures.get(header.kind) or tuple(f"axis {i} from" for i in range(len(box)))
    return ", ".join(f"{name} {s.start} to {s.stop - 1}" for name, s in zip(names, box, strict=True))


class _Remains:
    """The intact sections of a file.

    Attributes:
        faults: what is wrong with the file, one line each.
        missing: why a tile is not there, by its number.
        guessed: whether the tile index is damaged and was guessed, so that only the digest can tell whether the tiles are in their places.

    limits: for its metadata. Raises FormatError: it is no .linr file, or lacks its header.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        container.check_start(data, damaged=True)
        self.data, self.limits = data, limits
        self.owners = {p.section: p for p in profiles.registered() if p.section is not None}
        self.scan = compact.scan(data, (HEAD, META, SEEK, INDEX, TILE, *self.owners))
        self.faults = list(self._faults())
        self.missing: dict[int, str] = {}
        self.guessed = False
        self.single: dict[bytes, tuple[int, Section]] = {}
        self.tiles: list[tuple[int, Section]] = []
        for start, section in self.scan.sections:
            if section.type == TILE:
                self.tiles.append((start, section))
            else:
                self.single.setdefault(section.type, (start, section))
        if HEAD not in self.single and BUNDLE in self.single:
            raise FormatError("it holds tensors, of which nothing can be salvaged but by decoding all")
        if HEAD not in self.single:
            raise FormatError("damaged: it cannot be salvaged without its header")

    def _faults(self) -> Iterator[str]:
        if not container.is_compact(self.data) and self.data[: container.FIRST] != container.MAGIC + bytes([container.VERSION]):
            yield "its first bytes are damaged"
        for first, last in self.scan.damaged:
            kind = self.data[first : first + 4]
            named = f": section {kind.decode()}" if kind in {HEAD, META, INDEX, TILE, *self.owners} else ""
            what = "are damaged"
            if last == len(self.data):
                what = "do not belong to it" if self.scan.ended else "are damaged or cut off"
            yield f"bytes {first} to {last - 1} {what}{named}"
        if not self.scan.complete and not (self.scan.damaged and self.scan.damaged[-1][1] == len(self.data)):
            yield f"it ends after byte {len(self.data) - 1}, too early"

    def openings(self) -> Iterator[Opened]:
        """The file, with the tiles that are there; once for each guess if the tile index is damaged. Raises FormatError."""
        header = read_header(self.single[HEAD][1].content)
        if header.lossy:
            raise LossyError
        profile = profiles.numbered(header.profile)
        if profile.section is not None and profile.section not in self.single:
            raise FormatError(f"damaged: it cannot be salvaged without its section {profile.section.decode()}")
        metadata = self._metadata()
        sections = [section for _, section in self.single.values() if section.type in {HEAD, profile.section}]

        held = 2 * sum(len(section.content) for _, section in self.tiles)

        def opened(index: Section, tiles: codec.Finder) -> Opened:
            return replace(codec.assemble([*sections, index], tiles, self.limits, held), metadata=metadata)

        if INDEX in self.single:
            start, index = self.single[INDEX]
            yield opened(index, lambda found: self._placed(found, start, index.size))
            return
        self.guessed = True
        for index in self._guesses(header):
            yield opened(index, lambda _: [section.content for _, section in self.tiles])

    def _metadata(self) -> dict[str, bytes]:
        """The metadata; none if it cannot be read, which is then one of the faults."""
        if META not in self.single:
            return {}
        try:
            return read_metadata(self.single[META][1].content, self.limits)
        except FormatError as fault:
            self.faults.append(f"the metadata is lost: {str(fault).removeprefix('damaged: ')}")
            return {}

    def _placed(self, index: codec.Index, at: int, size: int) -> list[bytes | None]:
        """The tiles by their numbers, None for those that are missing. at, size: where the section of the index begins, and its bytes."""
        lengths = [index.lengths[tile] for tile in index.order]  # in the order of the sections
        first, behind = self._around(sum(map(container.framed, lengths)), at, size)
        starts = list(accumulate(map(container.framed, lengths), initial=first))
        found: dict[int, bytes] = {}
        for (_, section), number in zip(self.tiles, self._numbers(lengths, starts, behind), strict=True):
            if number is not None:
                found[index.order[number]] = section.content
        unplaced = len(found) < len(self.tiles)
        for i, n in enumerate(lengths):
            tile = index.order[i]
            if tile not in found and n == 0:
                found[tile] = b""  # an empty tile needs no bytes
            elif tile not in found:
                self.missing[tile] = NOT_THERE[
                    "cut" if not self.scan.complete and starts[i + 1] > len(self.data) else "unplaced" if unplaced else "damaged"
                ]
        return [found.get(i) for i in range(len(lengths))]

    def _around(self, tiles: int, at: int, size: int) -> tuple[int, int]:
        """(where the first tile should begin, bytes that should stand between the tiles and the end section).

        tiles: bytes of their sections; at, size: of the index. That of a file that was written tile by tile stands behind the tiles, and
        a section `seek` before them.
        """
        if all(start > at for start, _ in self.tiles):
            return at + size, 0
        before = self.single.get(SEEK)
        return (before[0] + before[1].size if before else at - tiles), size

    def _numbers(self, lengths: Sequence[int], starts: Sequence[int], behind: int) -> list[int | None]:
        """The place of each tile that was found among all, None where that is not certain.

        lengths: of all tiles, in the order of the sections; starts: where they should begin, and where the last should end; behind: bytes
        that should follow them before the end section.

        A tile of a length that no other has is told by it. Others are where they should be if the file has its size, or only lacks its
        end. If bytes were lost or added at one place, the tiles before it are where they should be, and those behind it where they should
        be when counted from the end.
        """
        there = [(start, len(section.content)) for start, section in self.tiles]
        if [n for _, n in there] == list(lengths):
            return list(range(len(lengths)))
        of_length = _single(lengths)
        found = [of_length.get(n, number) for (_, n), number in zip(there, self._places(there, lengths, starts, behind), strict=True)]
        claimed: dict[int | None, set[bytes]] = {}
        for number, (_, section) in zip(found, self.tiles, strict=True):
            claimed.setdefault(number, set()).add(section.content)
        return [number if len(claimed[number]) == 1 else None for number in found]  # two different tiles cannot both be it

    def _places(self, there: Sequence[tuple[int, int]], lengths: Sequence[int], starts: Sequence[int], behind: int) -> list[int | None]:
        """The numbers of tiles by where they are, None where no tile should be. there: (first byte, length) of each."""
        shift = len(self.data) - container.END_SIZE - behind - starts[-1]
        damaged = self.scan.damaged
        if not self.scan.complete or not shift:
            until, since = len(self.data), len(self.data)
        elif damaged:
            until, since = damaged[0][0], damaged[-1][1]
        else:  # whole sections are missing, and no place says where
            return _embedded([n for _, n in there], lengths)
        numbers = {(start, n): i for i, (start, n) in enumerate(zip(starts, lengths, strict=False))}
        found = [
            numbers.get((start, n)) if start < until else numbers.get((start - shift, n)) if start >= since else None for start, n in there
        ]
        rising = all(a < b for a, b in pairwise(number for number in found if number is not None))
        return found if rising else [None] * len(found)

    def _guesses(self, header: Header) -> Iterator[Section]:
        """Tile indices for as many tiles as there are, with sizes that an encoder would choose."""
        axes, channels = header.places
        lengths = [len(section.content) for _, section in self.tiles]
        for whole in {0, max(0, len(axes) - 2)}:  # leading axes that are not cut
            cut = tile = axes[whole:]
            while True:
                if Layout(axes, channels, (*axes[:whole], *tile)).tiles == len(lengths):
                    yield Section(INDEX, b"".join(container.varint(n) for n in [*axes[:whole], *tile, *lengths]))
                    break
                if math.prod(tile) == 1:
                    break
                tile = tile_of(cut, math.prod(tile) - 1)
        equal = -(-axes[0] // max(1, len(lengths)))  # a sound is cut into equal parts
        if len(axes) == 1 and Layout(axes, channels, (equal,)).tiles == len(lengths):
            yield Section(INDEX, b"".join(container.varint(n) for n in [equal, *lengths]))


def _embedded(some: Sequence[int], lengths: Sequence[int]) -> list[int | None]:
    """For each of some lengths, its place among all `lengths`, from which the others were taken out; None where there are several ways."""

    def first(some: Sequence[int], lengths: Sequence[int]) -> list[int]:
        """The places if each is as early as can be; −1 for those that do not fit."""
        left = enumerate(lengths)
        return [next((i for i, n in left if n == wanted), -1) for wanted in some]

    early = first(some, lengths)
    late = [len(lengths) - 1 - i for i in reversed(first(some[::-1], lengths[::-1]))]
    return [a if a == b and -1 not in early else None for a, b in zip(early, late, strict=True)]


def _single(lengths: Sequence[int]) -> dict[int, int]:
    """The place of each length that is there once."""
    count = Counter(lengths)
    return {n: i for i, n in enumerate(lengths) if count[n] == 1}
