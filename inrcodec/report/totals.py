"""A group's table as the page shows it: the sums of `compare.summary`, in units that fit, and who is on the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..compare.result import ARRAYS, SOUND, Comparison, FileResult
from ..compare.summary import Aside, Row, Summary, smallest_other, summarize
from .front import front

AMOUNTS = {SOUND: "million samples", ARRAYS: "MB"}  # in which times are told; of pictures it is the megapixel


@dataclass(frozen=True)
class Partial:
    """A codec that is not in the table but took some files.

    Attributes:
        aside: how many it took, and why not the others; settings: those it was given.
        size: its bytes; ours: those of inrcodec on the same files, None: that did not take all of them.
    """

    aside: Aside
    settings: str
    size: int
    ours: int | None


@dataclass(frozen=True)
class Totals:
    """A group's table.

    Attributes:
        summary: the sums.
        rows: those of the summary from the smallest to the largest; none if no file was taken by all.
        smallest: by codec of a row, on how many files of the table no other codec is smaller.
        partial: codecs that are not in the table and took some files.
    """

    summary: Summary
    rows: tuple[Row, ...]
    smallest: dict[str, int]
    partial: tuple[Partial, ...]

    @property
    def group(self) -> str:
        """Its name."""
        return self.summary.group

    @property
    def ours(self) -> str:
        """Which inrcodec is told of; "": it took none of the files."""
        return self.summary.ours

    @property
    def amount(self) -> str:
        """For how much a time is told."""
        return AMOUNTS.get(self.group, "megapixel")

    def bits(self, row: Row) -> float:
        """Bits per pixel or sample."""
        return 8 * row.size / max(self.summary.places, 1)

    def time(self, seconds: float) -> float:
        """Seconds for the amount."""
        return seconds * 1e6 / max(self.summary.raw if self.group == ARRAYS else self.summary.places, 1)

    def fronts(self) -> tuple[set[str], set[str]]:
        """The codecs than which no other is both smaller and faster: at encoding, at decoding."""
        points = ([(row.encode, row.size) for row in self.rows], [(row.decode, row.size) for row in self.rows])
        encode, decode = ({self.rows[i].codec for i in front(of)} for of in points)
        return encode, decode


def totals(comparison: Comparison) -> list[Totals]:
    """The tables of all groups."""
    return [_totals(comparison.of_group(summary.group), summary) for summary in summarize(comparison)]


def gain(file: FileResult, ours: str) -> float | None:
    """What share of the smallest other codec's bytes inrcodec saves, less than 0 if it is larger; None: one of both took nothing."""
    mine, best = file.of(ours), smallest_other(file)
    return None if mine is None or best is None else 1 - mine.size / max(best.size, 1)


def _totals(files: Sequence[FileResult], summary: Summary) -> Totals:
    rows = tuple(sorted(summary.rows, key=lambda row: row.size)) if summary.files else ()
    least = [min(one.size for one in file.measurements) for file in summary.files]
    smallest = {
        row.codec: sum((one := file.of(row.codec)) is not None and one.size == n for file, n in zip(summary.files, least, strict=True))
        for row in rows
    }
    partial = tuple(_partial(aside, summary.ours, files) for aside in summary.aside if aside.taken)
    return Totals(summary, rows, smallest, partial)


def _partial(aside: Aside, ours: str, files: Sequence[FileResult]) -> Partial:
    pairs = [(one, file.of(ours)) for file in files if (one := file.of(aside.codec))]
    mine = [other.size for _, other in pairs if other]
    settings = "; ".join(dict.fromkeys(one.settings for one, _ in pairs))
    told = sum(mine) if len(mine) == len(pairs) and aside.codec != ours else None
    return Partial(aside, settings, sum(one.size for one, _ in pairs), told)
