"""Compares the speed of two revisions: `python -m bench.revisions OLD NEW FILE…`, where OLD and NEW are checkouts.

Every run is a process of its own, so times include start-up. The checkouts run by turns, so that changes in the speed of the machine
affect both. Each has its own cache of compiled kernels. Its first run of each step fills the cache, and is listed apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .common import save, table, tell

STEPS = ("encode", "decode")
HEADS = ["file", "step", "first run, old, s", "first run, new, s", "old, s", "new, s", "new / old, median", "least", "most", "same bytes"]


@dataclass(frozen=True)
class Side:
    """A checkout, and the folder for its output and its compiled kernels."""

    checkout: Path
    folder: Path

    def output(self, step: str, source: Path) -> Path:
        """The file that a step, "encode" or "decode", writes for a source file."""
        return self.folder / (f"{source.name}.linr" if step == "encode" else f"{source.stem}.npy")

    def run(self, step: str, source: Path, threads: int) -> float:
        """Run a step in a new process: the seconds it took. Encoding is done without verification."""
        given = [source, "--no-verify", "--quiet"] if step == "encode" else [self.output("encode", source)]
        given += ["-o", self.output(step, source), "--force", "--threads", threads]
        environment = {**os.environ, "PYTHONPATH": str(self.checkout), "NUMBA_CACHE_DIR": str(self.folder / "numba")}
        command = [sys.executable, "-c", "import sys; from inrcodec.cli import main; main(sys.argv[1:])", step, *map(str, given)]
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, cwd=self.folder, capture_output=True)
        return time.perf_counter() - started


def revision(checkout: Path) -> str:
    """The commit of a checkout, as git names it."""
    found = subprocess.run(["git", "-C", str(checkout), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no git checkout"


def compare(old: Side, new: Side, source: Path, runs: int, threads: int) -> Iterator[list[str]]:
    """The rows of the table for a file, one for each step. runs: how many are counted."""
    for step in STEPS:
        first = [side.run(step, source, threads) for side in (old, new)]
        times: dict[Side, list[float]] = {old: [], new: []}
        for i in range(runs):
            for side in (old, new) if i % 2 == 0 else (new, old):
                times[side].append(side.run(step, source, threads))
        ratios = [n / o for o, n in zip(times[old], times[new], strict=True)]
        same = old.output(step, source).read_bytes() == new.output(step, source).read_bytes()
        yield [
            source.name,
            step,
            *(f"{x:.1f}" for x in first),
            *(f"{statistics.median(times[side]):.2f}" for side in (old, new)),
            *(f"{x:.3f}" for x in (statistics.median(ratios), min(ratios), max(ratios))),
            "yes" if same else "no",
        ]


def main() -> None:
    """Compare two checkouts on some files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each step on each side")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        old, new = Side(given.old.resolve(), Path(scratch) / "old"), Side(given.new.resolve(), Path(scratch) / "new")
        for side in (old, new):
            side.folder.mkdir()
        for source in given.files:
            for row in compare(old, new, source.resolve(), given.runs, given.threads):
                tell(" ".join(row))
                rows.append(row)
    which = f"Old is {revision(given.old)}, new is {revision(given.new)}."
    how = f"Whole processes, {given.runs} counted runs of each side by turns, {given.threads} threads. First runs compile the kernels."
    save("revisions", "Two revisions beside each other", [f"{which} {how}", table(HEADS, rows)], "numba")


if __name__ == "__main__":
    main()
