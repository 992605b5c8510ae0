"""Sums over the files of a group: how small, how fast, and where inrcodec is not the smallest."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .result import ARRAYS, SOUND, Comparison, FileResult, Measurement, is_ours

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet take a text for a formula
SHARE = 0.5  # of a group's files that a codec must have taken to be in its table
COLUMNS = ("path", "group", "kind", "shape", "dtype", "raw", "source", "codec", "settings", "size", "encode", "decode", "memory", "fault")


@dataclass(frozen=True)
class Row:
    """The sums of a codec over the files of a table.

    Attributes:
        size: bytes; encode, decode: seconds; memory: the most bytes of all files, None: they are not known of each.
    """

    codec: str
    settings: str
    size: int
    encode: float
    decode: float
    memory: int | None


@dataclass(frozen=True)
class Aside:
    """A codec that is not in a table. taken: how many files of the group it took; reason: why not the others, most often."""

    codec: str
    taken: int
    reason: str


@dataclass(frozen=True)
class Smaller:
    """A codec that made smaller files than inrcodec. files: of which it did, each with its share of inrcodec's bytes, the least first;
    taken: how many both took."""

    codec: str
    files: tuple[tuple[str, float], ...]
    taken: int


@dataclass(frozen=True)
class Score:
    """inrcodec against all others on the files of a group.

    Attributes:
        files: that another codec took.
        smaller, equal: on how many inrcodec is smaller than all others, and as small as the smallest.
        failed: on how many it was asked and gave nothing.
        kept: of how many the file as it came is smaller than what inrcodec made, whatever others did.
    """

    files: int
    smaller: int
    equal: int
    failed: int
    kept: int = 0


@dataclass(frozen=True)
class Summary:
    """A table of a group.

    Attributes:
        group: its name; total: how many files it has.
        files: those that all codecs of the table took: the sums are over these.
        rows: a codec each, inrcodec first.
        aside: codecs that are not in the table.
        ours: which inrcodec is told of, that of the fewest bytes; "": it took none.
        score: how it did against all others; smaller: the codecs that were smaller somewhere; both in the whole group.
    """

    group: str
    total: int
    files: tuple[FileResult, ...]
    rows: tuple[Row, ...]
    aside: tuple[Aside, ...]
    ours: str
    score: Score
    smaller: tuple[Smaller, ...]

    @property
    def others(self) -> list[str]:
        """The other codecs that took a file of the group."""
        taken = [row.codec for row in self.rows] + [aside.codec for aside in self.aside if aside.taken]
        return [codec for codec in taken if not is_ours(codec)]

    @property
    def raw(self) -> int:
        """Bytes of the samples."""
        return sum(file.raw for file in self.files)

    @property
    def source(self) -> int:
        """Bytes of the files as they came."""
        return sum(file.source for file in self.files)

    @property
    def places(self) -> int:
        """Pixels or samples, see `unit`."""
        return sum(file.places for file in self.files)

    @property
    def unit(self) -> str:
        """What `places` counts."""
        return "sample" if self.group in (SOUND, ARRAYS) else "pixel"


def summarize(found: Comparison) -> list[Summary]:
    """The tables of a comparison, one for each group that has files."""
    return [_summary(group, found.of_group(group), found.codecs(group)) for group in found.groups]


def _summary(group: str, files: Sequence[FileResult], codecs: Sequence[str]) -> Summary:
    taken = {codec: [file for file in files if file.of(codec)] for codec in codecs}
    shown = [codec for codec in codecs if taken[codec] and len(taken[codec]) >= SHARE * len(files)]
    while not (common := [file for file in files if shown and all(file.of(codec) for codec in shown)]) and len(shown) > 1:
        shown.remove(min(reversed(shown), key=lambda codec: len(taken[codec])))
    rows = [_row(codec, common) for codec in shown]
    aside = [Aside(codec, len(taken[codec]), _reason(codec, files)) for codec in codecs if codec not in shown]
    measured = (codec for codec in codecs if is_ours(codec) and taken[codec])
    ours = min((row for row in rows if is_ours(row.codec)), key=lambda row: row.size, default=None)
    told = ours.codec if ours else next(measured, "")
    smaller = _smaller(files, codecs, told)
    return Summary(group, len(files), tuple(common), tuple(rows), tuple(aside), told, _score(files, told), tuple(smaller))


def _row(codec: str, files: Sequence[FileResult]) -> Row:
    every = [found for file in files if (found := file.of(codec))]
    memory = [one.memory for one in every if one.memory is not None]
    settings = "; ".join(dict.fromkeys(one.settings for one in every))
    sums = sum(one.size for one in every), sum(one.encode for one in every), sum(one.decode for one in every)
    return Row(codec, settings, *sums, max(memory) if len(memory) == len(every) and memory else None)


def _reason(codec: str, files: Sequence[FileResult]) -> str:
    """Why a codec gave nothing, most often."""
    reasons = Counter(file.faults[codec] for file in files if codec in file.faults)
    return reasons.most_common(1)[0][0] if reasons else ""


def _score(files: Sequence[FileResult], ours: str) -> Score:
    """How inrcodec did. ours: its name, "": it took no file."""
    pairs = [(file.of(ours), other.size) for file in files if (other := smallest_other(file))]
    failed = sum(mine is None for mine, _ in pairs)
    sizes = [(mine.size, other) for mine, other in pairs if mine]
    kept = sum((mine := file.of(ours)) is not None and file.source < mine.size for file in files)
    return Score(len(pairs), sum(mine < other for mine, other in sizes), sum(mine == other for mine, other in sizes), failed, kept)


def smallest_other(file: FileResult) -> Measurement | None:
    """The smallest measurement that is not inrcodec's; None: there is none."""
    return min((one for one in file.measurements if not is_ours(one.codec)), key=lambda one: one.size, default=None)


def _smaller(files: Sequence[FileResult], codecs: Sequence[str], ours: str) -> list[Smaller]:
    """The codecs that made smaller files than inrcodec, the one with the most files first."""
    found = []
    for codec in codecs:
        if is_ours(codec):
            continue
        pairs = [(file, one, mine) for file in files if (one := file.of(codec)) and (mine := file.of(ours))]
        where = sorted(((file.path, one.size / mine.size) for file, one, mine in pairs if one.size < mine.size), key=lambda pair: pair[1])
        if where:
            found.append(Smaller(codec, tuple(where), len(pairs)))
    return sorted(found, key=lambda one: -len(one.files))


def best(file: FileResult) -> Measurement | None:
    """The smallest measurement of inrcodec of a file; None: there is none."""
    return min((one for one in file.measurements if is_ours(one.codec)), key=lambda one: one.size, default=None)


def median_file(files: Sequence[FileResult]) -> FileResult | None:
    """The file whose share of raw bytes is in the middle, by inrcodec; None: it coded none of them."""
    known = sorted((mine.size / max(1, file.raw), file.path, file) for file in files if (mine := best(file)))
    return known[len(known) // 2][2] if known else None


def to_csv(found: Comparison) -> str:
    """All measurements and faults as CSV: a line for each file and codec. Times are in seconds, sizes and memory in bytes.

    A text that begins as a formula of a spreadsheet does has an apostrophe before it.
    """
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # names may hold CR
    table.writeheader()
    for file in found.files:
        plain = {name: getattr(file, name) for name in ("path", "group", "kind", "dtype", "raw", "source")}
        plain["shape"] = " ".join(map(str, file.shape))
        for one in file.measurements:
            measured = {name: getattr(one, name) for name in ("codec", "settings", "size", "encode", "decode", "memory")}
            table.writerow(_plain(plain | measured | ({"memory": ""} if one.memory is None else {})))
        table.writerows(_plain(plain | {"codec": codec, "fault": fault}) for codec, fault in file.faults.items())
    table.writerows(_plain({"path": path, "fault": why}) for path, why in found.refused.items())
    return out.getvalue()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row in which no text is a formula."""
    return {name: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for name, cell in row.items()}
