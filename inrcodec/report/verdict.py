"""The result in a few sentences, of what is smaller and of what is larger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..compare.result import OURS, Comparison, is_ours
from .totals import Totals, smallest_other
from .words import THIN, counted, listed, number, significant


@dataclass(frozen=True)
class Score:
    """inrcodec against all others on the files of a group.

    Attributes:
        group: its name; codec: which inrcodec.
        files: on which there is another codec to compare with.
        smaller, equal: on how many it is smaller than all others, and as small as the smallest.
        losses: by codec, on how many files that one is smaller.
    """

    group: str
    codec: str
    files: int
    smaller: int
    equal: int
    losses: dict[str, int]


def score(comparison: Comparison, table: Totals) -> Score:
    """Count a group's files."""
    pairs = [
        (file, mine, best) for file in comparison.of_group(table.group) if (mine := file.of(table.ours)) and (best := smallest_other(file))
    ]
    losses = Counter(one.codec for file, mine, _ in pairs for one in file.measurements if not is_ours(one.codec) and one.size < mine.size)
    return Score(
        table.group,
        table.ours,
        len(pairs),
        sum(mine.size < best.size for _, mine, best in pairs),
        sum(mine.size == best.size for _, mine, best in pairs),
        dict(losses.most_common()),
    )


def verdict(scores: Sequence[Score]) -> str:
    """One sentence on all groups."""
    told = [one for one in scores if one.files]
    if not told:
        return f"Nothing can be said of {OURS}: no file was taken both by it and by another codec."
    # one name does for all groups if the same effort is told of in each
    names = {one.codec for one in told}
    name = names.pop() if len(names) == 1 else OURS
    wins = listed([f"{_share(one.smaller, one.files, one.group)}{_ties(one)}" for one in told])
    return f"{name} is the smallest on {wins}; {_losses(told)}."


def _share(n: int, of: int, group: str) -> str:
    if n == of:
        return counted(of, group) if of == 1 else f"all {counted(of, group)}"
    return f"{number(n)} of {counted(of, group)}"


def _ties(one: Score) -> str:
    return f" (and as small as the smallest on {number(one.equal)})" if one.equal else ""


def _losses(told: Sequence[Score]) -> str:
    lost = [one for one in told if one.losses]
    if not lost:
        return "no other codec is smaller on any of them" if sum(one.files for one in told) > 1 else "no other codec is smaller"
    several = len(told) > 1
    parts = []
    for one in lost:
        (first, n), *others = one.losses.items()
        said = f"{first} is smaller on {counted(n, one.group) if several else number(n)}"
        parts.append(listed([said, *(f"{codec} on {number(n)}" for codec, n in others)]))
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
