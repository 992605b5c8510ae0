"""What `inrcodec bench` prints: a table for each group, where other codecs are smaller, and what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..batch.plan import UNKNOWN
from ..compare.result import OURS, Comparison, is_ours
from ..compare.summary import Row, Smaller, Summary, summarize
from .common import MOST_LINES
from .progress import size

LONGEST = 40  # characters of a path in a list


def lines(found: Comparison) -> Iterator[str]:
    """All of it, line by line."""
    for summary in summarize(found):
        yield from _group(summary)
        yield ""
    for codec in found.codecs():
        settings = dict.fromkeys(one.settings for file in found.files if (one := file.of(codec)))
        version = f"version {found.versions.get(OURS, '?')}" if is_ours(codec) else found.versions.get(codec, "")
        if settings:
            yield f"{codec}: {', '.join(filter(None, (version, '; '.join(settings))))}"
    for codec, why in found.missing.items():
        measured = any(file.of(codec) for file in found.files)
        yield f"{codec}: {why}" if measured else f"{codec} was not measured: {why}"
    yield from refused(found.refused)
    yield f"{_count(len(found.files))} measured on {found.machine}, {found.threads} thread{'' if found.threads == 1 else 's'}"


def _count(n: int, what: str = "file") -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _group(summary: Summary) -> Iterator[str]:
    """The lines of a group."""
    of = f"{len(summary.files)} of {_count(summary.total)}" if len(summary.files) < summary.total else _count(summary.total)
    yield f"{summary.group}: {of}, {size(summary.raw)} of samples" if summary.rows else f"{summary.group}: {_count(summary.total)}"
    if summary.rows and len(summary.files) < summary.total:
        yield "  The sums are over the files that all codecs of the table took."
    first = next((row for row in summary.rows if row.codec == summary.ours), None)
    heads = ("", "bytes", "of raw", f"bits/{summary.unit}", "encode", "decode", "memory")
    cells: list[tuple[str, ...]] = [heads, ("as they came", f"{summary.source}", *_shares(summary, summary.source), "", "", "")]
    if summary.rows:
        cells += [_cells(summary, row, first) for row in summary.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
        for row in cells:
            rest = "  ".join(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
            yield f"  {row[0].ljust(widths[0])}  {rest}".rstrip()
    for aside in summary.aside:
        yield f"  {aside.codec} took {aside.taken} of {_count(summary.total)}{f': it {aside.reason}' if aside.reason else ''}"
    yield from _beaten(summary)


def _shares(summary: Summary, n: int) -> tuple[str, str]:
    return f"{100 * n / max(1, summary.raw):.1f} %", f"{8 * n / max(1, summary.places):.3f}"


def _cells(summary: Summary, row: Row, first: Row | None) -> tuple[str, ...]:
    """The cells of a codec. first: the row of the inrcodec that is told of, with which times are compared."""
    times = [_time(row.encode, first.encode if first and first is not row else None)]
    times.append(_time(row.decode, first.decode if first and first is not row else None))
    return row.codec, f"{row.size}", *_shares(summary, row.size), *times, "" if row.memory is None else size(row.memory)


def _time(seconds: float, other: float | None) -> str:
    """Seconds, or how many times as fast or slow as others they are."""
    if other is None or not seconds or not other:
        return f"{seconds:.2f} s"
    ratio = seconds / other
    return f"{_factor(ratio)} × slower" if ratio > 1 else f"{_factor(1 / ratio)} × faster"


def _factor(x: float) -> str:
    return f"{x:.0f}" if x >= 10 else f"{x:.1f}"


def _beaten(summary: Summary) -> Iterator[str]:
    """How inrcodec did, and where other codecs are smaller."""
    score = summary.score
    if score.kept:
        they, are, them = ("it", "is", "it") if score.kept == 1 else ("they", "are", "them")
        yield f"  {_count(score.kept)} as {they} came {are} smaller than {summary.ours} makes {them}."
    if not score.files or not summary.ours:
        return
    if score.smaller == score.files:
        yield f"  {summary.ours} makes the smallest file of each."
        return
    equal = f", as small as the smallest of {score.equal}" if score.equal else ""
    failed = f", and gave nothing of {score.failed}" if score.failed else ""
    yield f"  {summary.ours} is the smallest of {score.smaller} of {_count(score.files)}{equal}{failed}."
    for other in summary.smaller:
        yield f"  {other.codec} is smaller than {summary.ours} in {len(other.files)} of {_count(other.taken)}: {_named(other)}"


def _named(other: Smaller) -> str:
    shown = [f"{_short(path)} ({_less(share)})" for path, share in other.files[:3]]
    more = len(other.files) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _less(share: float) -> str:
    percent = round(100 * (1 - share), 1)
    return f"−{percent:.0f} %" if percent >= 10 else f"−{percent:.1f} %" if percent >= 0.1 else "less than −0.1 %"


def _short(path: str) -> str:
    return path if len(path) <= LONGEST else f"…{path[1 - LONGEST :]}"


def refused(found: Mapping[str, str]) -> Iterator[str]:
    """What was not measured, by path: unknown types are counted, others are named."""
    unknown = sum(why == UNKNOWN for why in found.values())
    named = [f"not measured: {path}: {why}" for path, why in found.items() if why != UNKNOWN]
    yield from named[:MOST_LINES]
    if len(named) > MOST_LINES:
        yield f"not measured: {len(named) - MOST_LINES} more; --json lists all"
    if unknown:
        yield f"not measured: {_count(unknown)} of no known type"
