"""Arrays: volumes, fields, floats, series and sets of small pictures, beside every lossless codec for them that is at hand.

    python -m bench.arrays [FILE.npy…] [--only NAME…] [--effort N] [--threads 2] [--no-ours] [--no-made] [--kept FILE] [--out NAME]

The group of a FILE is its folder; `bench.array_data` makes the other arrays. `bench.array_peers` has the other codecs; what each gives is
decoded and compared, and one that cannot take an array is named with the reason. The best peer of an array is that of the fewest bytes,
whatever its settings. MB/s are raw bytes of arrays in memory, by library calls without verification, after a warm-up. inrcodec, JPEG XL,
JPEG 2000 and Blosc2 have `--threads` threads, other peers one. What is short is measured three times, and the least time taken.

Peers take much longer than inrcodec at large arrays. With `--kept FILE`, what they gave is kept there, and not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import inrcodec
from inrcodec import Signal
from inrcodec.peers.timing import Result, steady
from inrcodec.signal import likely_kind

from .array_data import MADE
from .array_peers import PEERS, Samples, Unsuited, measure
from .common import ours, save, table, tell

PACKAGES = ("imagecodecs", "numcodecs", "pcodec", "fpzip")
WARM = 1 << 16  # values of the part that is coded first
Found = dict[str, Result | str]  # what a peer gave, or why it gave nothing


@dataclass(frozen=True)
class Case:
    """An array to be measured. load: reads or makes it."""

    name: str
    group: str
    load: Callable[[], Samples]


@dataclass
class Row:
    """What was found of an array. mine: None if it was not asked for or is refused; then `fault` says why."""

    case: Case
    shape: tuple[int, ...]
    dtype: str
    raw: int
    peers: dict[str, Result]
    refused: dict[str, str]
    mine: Result | None = None
    fault: str = ""

    def best(self) -> tuple[str, Result]:
        """The smallest peer, its name first; equal ones by name."""
        return min(self.peers.items(), key=lambda item: (item[1].size, item[0]))


@dataclass
class Kept:
    """What peers gave in earlier runs, by array and versions; in a JSON file, if one is named."""

    path: Path | None = None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path and self.path.exists():
            self.known = json.loads(self.path.read_text(encoding="utf-8"))

    def peers(self, array: Samples, threads: int) -> Found:
        """What all peers give, measured where it is not known."""
        meaning = f"{array.dtype.str} {array.shape} {threads} {installed()}"
        key = hashlib.sha256(meaning.encode() + array.tobytes()).hexdigest()
        known = self.known.setdefault(key, {})
        for peer in PEERS:
            if peer.name in known:
                continue
            try:
                found = measure(peer, array, threads)
                known[peer.name] = [found.size, found.encode, found.decode]
            except Unsuited as fault:
                known[peer.name] = str(fault)
            if self.path:
                self.path.write_text(json.dumps(self.known), encoding="utf-8")
        return {p.name: known[p.name] if isinstance(known[p.name], str) else Result(*known[p.name]) for p in PEERS}


def installed() -> dict[str, str]:
    """The versions of the packages that hold peers, without those that are missing."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def cases_of(paths: Iterable[Path], made: bool, only: Iterable[str]) -> list[Case]:
    """Files first. only: names of arrays or groups, or patterns of them; none: all."""
    found = [Case(p.stem, p.resolve().parent.name, partial(np.load, p)) for p in paths]
    if made:
        found += [Case(name, array.group, array.make) for name, array in MADE.items()]
    wanted = list(only) or ["*"]
    return [c for c in found if any(fnmatch(c.name, w) or fnmatch(c.group, w) for w in wanted)]


def measure_ours(array: Samples, effort: int, threads: int) -> Result:
    """Bytes and seconds of inrcodec. Raises InrcodecError if it refuses the array, SystemExit if it does not give it back."""
    signal = Signal(array, likely_kind(array))
    first = array[: max(1, WARM * len(array) // array.size)]
    ours(Signal(np.ascontiguousarray(first), signal.kind), effort, threads)
    return steady(lambda: ours(signal, effort, threads))


def row_of(case: Case, kept: Kept, effort: int | None, threads: int) -> Row:
    """Measure an array. effort: of inrcodec; None: leave it out."""
    array = np.ascontiguousarray(case.load())
    found = kept.peers(array, threads)
    peers = {name: r for name, r in found.items() if isinstance(r, Result)}
    row = Row(case, array.shape, str(array.dtype), array.nbytes, peers, {n: r for n, r in found.items() if isinstance(r, str)})
    if effort is not None:
        try:
            row.mine = measure_ours(array, effort, threads)
        except inrcodec.InrcodecError as fault:
            row.fault = str(fault)
    name, best = row.best()
    mine = f"; ours {row.mine.size}, {row.mine.size / best.size:.3f}" if row.mine else f"; {row.fault}" if row.fault else ""
    tell(f"{case.name} {row.raw}: {name} {best.size}{mine}")
    return row


# --- tables -------------------------------------------------------------------------------------------------------


def _speed(size: int, seconds: float) -> str:
    speed = size / 1e6 / max(seconds, 1e-9)
    return f"{speed:.2f}" if speed < 10 else f"{speed:.0f}"


def _speeds(size: int, found: Result | None) -> list[str]:
    return [_speed(size, found.encode), _speed(size, found.decode)] if found else ["", ""]


def groups(rows: list[Row], with_ours: bool) -> str:
    """A row for each group: sums of bytes, of the best peer of each array, and of inrcodec without the arrays that it refuses."""
    heads = ["group", "arrays", "raw bytes", "best peers, bytes"]
    heads += ["ours, bytes", "ours / best peers", "of single arrays", "larger", "ours encodes, MB/s", "decodes, MB/s"] if with_ours else []
    lines: list[list[Any]] = []
    for group in dict.fromkeys(r.case.group for r in rows):
        members = [r for r in rows if r.case.group == group]
        line: list[Any] = [group, len(members), sum(r.raw for r in members), sum(r.best()[1].size for r in members)]
        if with_ours:
            line += _ours_in_group(members)
        lines.append(line)
    return table(heads, lines)


def _ours_in_group(members: list[Row]) -> list[Any]:
    """The cells of inrcodec in a row of `groups`."""
    pairs = [(r.mine, r) for r in members if r.mine]
    if not pairs:
        return ["refused", *[""] * 5]
    ratios = [mine.size / r.best()[1].size for mine, r in pairs]
    size, raw = sum(mine.size for mine, _ in pairs), sum(r.raw for _, r in pairs)
    total = Result(size, sum(mine.encode for mine, _ in pairs), sum(mine.decode for mine, _ in pairs))
    ratio = size / sum(r.best()[1].size for _, r in pairs)
    larger = f"{sum(q > 1 for q in ratios)} of {len(pairs)}"
    return [size, f"{ratio:.3f}", f"{min(ratios):.3f} to {max(ratios):.3f}", larger, *_speeds(raw, total)]


def arrays(rows: list[Row], with_ours: bool) -> str:
    """A row for each array."""
    heads = ["array", "group", "type", "shape", "raw bytes", "best peer", "its bytes", "of raw"]
    heads += ["ours, bytes", "ours / best peer"] if with_ours else []
    heads += ["best peer encodes, MB/s", "decodes, MB/s"]
    heads += ["ours encodes, MB/s", "ours decodes, MB/s"] if with_ours else []
    lines: list[list[Any]] = []
    for r in rows:
        name, best = r.best()
        shape = " × ".join(map(str, r.shape))
        line: list[Any] = [r.case.name, r.case.group, r.dtype, shape, r.raw, name, best.size, f"{best.size / r.raw:.4f}"]
        if with_ours:
            line += [r.mine.size, f"{r.mine.size / best.size:.3f}"] if r.mine else [f"refused: {r.fault}", ""]
        line += _speeds(r.raw, best)
        lines.append(line + (_speeds(r.raw, r.mine) if with_ours else []))
    return table(heads, lines)


def detail(row: Row) -> str:
    """All codecs of an array, the smallest first, and the reasons of those that cannot take it."""
    entries = sorted([*row.peers.items(), *([("**inrcodec**", row.mine)] if row.mine else [])], key=lambda item: item[1].size)
    lines = [[name, r.size, f"{r.size / row.raw:.4f}", *_speeds(row.raw, r)] for name, r in entries]
    reasons: dict[str, list[str]] = {}
    for name, reason in row.refused.items():
        reasons.setdefault(reason, []).append(name)
    told = "\n".join(f"- {reason}: {'; '.join(names)}" for reason, names in reasons.items())
    return "\n\n".join(
        [
            f"### {row.case.name}",
            table(["codec", "bytes", "of raw", "encodes, MB/s", "decodes, MB/s"], lines),
            *([f"Cannot take it:\n\n{told}"] if told else []),
        ]
    )


def report(rows: list[Row], with_ours: bool) -> list[str]:
    """The parts of the result."""
    parts = ["## Groups", groups(rows, with_ours), "## Arrays", arrays(rows, with_ours), "## All codecs"]
    return parts + [detail(r) for r in rows]


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="arrays or groups, or patterns such as 'turbulence*'")
    parser.add_argument("--effort", type=int, default=inrcodec.Options.effort)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-ours", action="store_true", help="peers alone")
    parser.add_argument("--no-made", action="store_true", help="files alone")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="keeps what peers gave")
    parser.add_argument("--out", default="arrays", metavar="NAME", help="name of the file in bench/results, without .md")
    given = parser.parse_args()
    cases = cases_of(given.files, not given.no_made, given.only)
    if not cases:
        parser.error(f"no array is named {' or '.join(given.only)}" if given.only else "no arrays")
    warnings.simplefilter("ignore", inrcodec.Notice)
    kept = Kept(given.kept)
    rows = [row_of(case, kept, None if given.no_ours else given.effort, given.threads) for case in cases]
    about = (
        f"{given.threads} threads" + ("" if given.no_ours else f", effort {given.effort}") + "; the best peer is that of the fewest bytes."
    )
    about += " Peers may be of an earlier run with these versions." if given.kept else ""
    save(given.out, "Arrays", [about, *report(rows, not given.no_ours)], *installed())


if __name__ == "__main__":
    main()
