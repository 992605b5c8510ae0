"""Sums over a group of files, and who is smaller where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..compare.result import ARRAYS, SOUND, Comparison, FileResult, Measurement, is_ours
from .front import front

LEAST = 0.5  # share of a group's files that the codecs of a table have in common; codecs that take fewer stand apart


@dataclass(frozen=True)
class Unit:
    """In what the sizes and times of a group are told: bits per place, and seconds per so many places or bytes."""

    place: str
    amount: str
    per: float

    def bits(self, row: Row) -> float:
        """Bits per place."""
        return 8 * row.size / max(row.places, 1)

    def time(self, seconds: float, row: Row) -> float:
        """Seconds for the unit's amount."""
        return seconds * self.per / max(row.raw if self.amount == "MB" else row.places, 1)


PICTURES = Unit("pixel", "megapixel", 1e6)
UNITS = {SOUND: Unit("sample", "million samples", 1e6), ARRAYS: Unit("sample", "MB", 1e6)}


@dataclass(frozen=True)
class Row:
    """Sums of a codec over the files of a table.

    Attributes:
        codec: its name; settings: those it was given, "" if they differ.
        size, raw: bytes of its files, and of the samples.
        places: pixels or samples.
        encode, decode: seconds.
        memory: bytes of the largest peak; None: not told of any file.
        smallest: on how many files no other codec is smaller.
    """

    codec: str
    settings: str
    size: int
    raw: int
    places: int
    encode: float
    decode: float
    memory: int | None
    smallest: int

    @property
    def ours(self) -> bool:
        """Whether it is inrcodec."""
        return is_ours(self.codec)


@dataclass(frozen=True)
class Partial:
    """A codec that took only some files: how many, its bytes, and those of inrcodec on the same; None: it did not take all of them."""

    codec: str
    settings: str
    files: int
    size: int
    ours: int | None


@dataclass(frozen=True)
class Totals:
    """A group's table.

    Attributes:
        group: its name; count: how many files are in it, those of the table or not.
        files: those that every codec of the table took; none: there are no rows.
        rows: from the smallest to the largest.
        partial: codecs that stand apart.
        ours: which inrcodec is told of: the row of the fewest bytes; "": none took the files.
    """

    group: str
    count: int
    files: tuple[FileResult, ...]
    rows: tuple[Row, ...]
    partial: tuple[Partial, ...]
    ours: str

    @property
    def unit(self) -> Unit:
        """In what its sizes and times are told."""
        return UNITS.get(self.group, PICTURES)

    def fronts(self) -> tuple[set[str], set[str]]:
        """The codecs than which no other is both smaller and faster: at encoding, at decoding."""
        points = ([(row.encode, row.size) for row in self.rows], [(row.decode, row.size) for row in self.rows])
        encode, decode = ({self.rows[i].codec for i in front(of)} for of in points)
        return encode, decode


def totals(comparison: Comparison, group: str) -> Totals:
    """The table of a group."""
    files = comparison.of_group(group)
    taken = {codec: {i for i, file in enumerate(files) if file.of(codec)} for codec in comparison.codecs(group)}
    taken = {codec: found for codec, found in taken.items() if found}
    table = list(taken)
    while len(table) > 2 and len(_common(taken, table)) < LEAST * len(files):
        others = [codec for codec in table if not is_ours(codec)] or table
        table.remove(min(reversed(others), key=lambda codec: len(taken[codec])))
    common = tuple(files[i] for i in sorted(_common(taken, table)))
    rows = sorted((_row(codec, common) for codec in table if common), key=lambda row: row.size)
    ours = next((row.codec for row in rows if row.ours), next(filter(is_ours, taken), ""))
    apart = [codec for codec in taken if codec not in {row.codec for row in rows}]
    partial = tuple(_partial(codec, ours, files) for codec in apart)
    return Totals(group, len(files), common, tuple(rows), partial, ours)


def gain(file: FileResult, ours: str) -> float | None:
    """What share of the smallest other codec's bytes inrcodec saves, less than 0 if it is larger; None: one of both took nothing."""
    mine, best = file.of(ours), smallest_other(file)
    return None if mine is None or best is None else 1 - mine.size / max(best.size, 1)


def smallest_other(file: FileResult) -> Measurement | None:
    """The smallest measurement that is not inrcodec's."""
    return min((one for one in file.measurements if not is_ours(one.codec)), key=lambda one: one.size, default=None)


def _common(taken: dict[str, set[int]], table: Sequence[str]) -> set[int]:
    return set.intersection(*(taken[codec] for codec in table)) if table else set()


def _row(codec: str, files: Sequence[FileResult]) -> Row:
    ones = _of(codec, files)
    settings = {one.settings for one in ones}
    return Row(
        codec,
        settings.pop() if len(settings) == 1 else "",
        sum(one.size for one in ones),
        sum(file.raw for file in files),
        sum(file.places for file in files),
        sum(one.encode for one in ones),
        sum(one.decode for one in ones),
        max((one.memory for one in ones if one.memory is not None), default=None),
        sum(one.size == min(other.size for other in file.measurements) for file, one in zip(files, ones, strict=True)),
    )


def _partial(codec: str, ours: str, files: Sequence[FileResult]) -> Partial:
    both = [file for file in files if file.of(codec)]
    ones, mine = _of(codec, both), _of(ours, both)
    settings = {one.settings for one in ones}
    told = sum(one.size for one in mine) if len(mine) == len(both) and codec != ours else None
    return Partial(codec, settings.pop() if len(settings) == 1 else "", len(both), sum(one.size for one in ones), told)


def _of(codec: str, files: Sequence[FileResult]) -> list[Measurement]:
    return [one for file in files if (one := file.of(codec))]
