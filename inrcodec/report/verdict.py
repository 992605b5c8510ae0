"""The result in a few sentences, of what is smaller and of what is larger."""

from __future__ import annotations

from collections.abc import Sequence

from ..compare.result import OURS, is_ours
from ..compare.summary import Score, Summary
from .totals import Totals
from .words import THIN, counted, listed, number, significant


def verdict(summaries: Sequence[Summary]) -> str:
    """One sentence on all groups."""
    told = [one for one in summaries if one.score.files]
    names = {one.ours for one in told if one.ours}
    if not names:
        return f"Nothing can be said of {OURS}: no file was taken both by it and by another codec."
    # one name does for all groups if the same effort is told of in each
    name = names.pop() if len(names) == 1 else OURS
    wins = listed([f"{_share(one.score.smaller, one.score.files, one.group)}{_ties(one.score)}" for one in told])
    return f"{name} is the smallest on {wins}; {_losses(told)}{_failures(told)}."


def _share(n: int, of: int, group: str) -> str:
    if n == of:
        return counted(of, group) if of == 1 else f"all {counted(of, group)}"
    return f"{number(n)} of {counted(of, group)}"


def _failures(told: Sequence[Summary]) -> str:
    failed = [one for one in told if one.score.failed]
    return f"; it gave nothing of {listed([counted(one.score.failed, one.group) for one in failed])}" if failed else ""


def _ties(one: Score) -> str:
    return f" (and as small as the smallest on {number(one.equal)})" if one.equal else ""


def _losses(told: Sequence[Summary]) -> str:
    lost = [one for one in told if one.smaller]
    if not lost:
        count = len({codec for one in told for codec in one.others})
        if count == 1:
            return "the one other codec measured is not smaller"
        return f"none of the {number(count)} other codecs measured is smaller"
    several = len(told) > 1
    parts = []
    for one in lost:
        first, *others = one.smaller
        n = len(first.files)
        said = f"{first.codec} is smaller on {counted(n, one.group) if several else number(n)}"
        parts.append(listed([said, *(f"{other.codec} on {number(len(other.files))}" for other in others)]))
    return "; ".join(parts)


def cost(table: Totals) -> str:
    """A sentence on the time that inrcodec takes, beside that of the smallest other codec; "" if there is none."""
    ours = next((row for row in table.rows if row.codec == table.ours), None)
    other = next((row for row in table.rows if not is_ours(row.codec)), None)
    if ours is None or other is None:
        return ""
    size = _times(ours.size, other.size, 3)
    encode, decode = _times(ours.encode, other.encode, 2), _times(ours.decode, other.decode, 2)
    return (
        f"In total {ours.codec} takes {size} the bytes of {other.codec}, the smallest other codec. "
        f"Encoding takes {encode} as long, decoding {decode} as long."
    )


def _times(ours: float, other: float, digits: int) -> str:
    return f"{significant(ours / max(other, 1e-9), digits)}{THIN}×"
