"""Writes bench/results/fuzz-readers.md from the tables that `bench.fuzz.readers --json` left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.common import RESULTS, machine, table, versions

from .reader_seeds import SOURCES, seeds

PACKAGES = ("pillow", "tifffile", "imagecodecs", "opencv-python-headless", "soundfile")
HEADS = ["format", "valid files", "cases", "read", "refused", "failed", "worst, s", "worst growth, MB", "bytes per byte of the file"]
HOW = """Valid files are changed once to four times: bits, bytes and runs of bytes, sizes and counts set to extremes, chunks removed or
repeated, halves of two files joined. Each is read in a child process with limits of 2^20 samples and 256 MB. A case fails if it ends
otherwise than in a signal or a fault of one line, takes 10 s, or lets the process grow by more than 96 MB and a hundred times the file.
Growth is that of the resident memory, the file included; memory that was used and freed before does not show. Other work ran on the
machine."""
FOUND = """Found before, by earlier runs, by files made by hand and by reading the code; all of it is mended and has a test:

| format | what | took, or gave |
| --- | --- | --- |
| PNG | 20,000 texts of one name | 25 s |
| PNG | six texts that inflate to 350 MB each | 2.1 GB |
| TIFF | tags that point at the same bytes of a file of 4 MB | 990 MB |
| JPEG 2000 | a picture of a megapixel in 146 bytes, with precincts of one pixel | 575 MB |
| JPEG 2000 | 62,500 tiles in 5 MB | 616 MB |
| NumPy | a header of 5 kB that says it has 4 GB | 4.3 GB |
| PNM | numbers in digits, and comments between them | a hundred bytes for each |
| NumPy | a named pipe, which was opened a second time | no end |
| CAF, AU, W64 | a file of another beginning, which libsndfile took for MPEG | lines on standard error |
| FLAC | frames missing or in another order, in a file without an MD5 sum | silence in their place, unnoticed |
| CAF | ALAC packets that are not compressed, of two channels above 16 bits or of 32 bits | wrong samples, unnoticed |"""


def report(paths: Iterable[Path]) -> None:
    """Write and print the results of several runs."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    parts = [f"# Changed files of other formats\n\n{versions(*PACKAGES)}; {machine()}", HOW]
    for found in runs:
        parts += [f"`python -m bench.fuzz.readers --cases {found['cases']} --seed {found['seed']}`", table(HEADS, _rows(found["formats"]))]
    text = "\n\n".join([*parts, FOUND]) + "\n"
    (RESULTS / "fuzz-readers.md").write_text(text, encoding="utf-8")
    print(text)


def _rows(formats: dict[str, dict[str, Any]]) -> list[list[Any]]:
    """The rows of the table of a run, the total last."""
    rows = []
    for kind in SOURCES:
        row = formats[kind]
        counts = [len(seeds(kind)), row["cases"], row["read"], row["refused"], len(row["failures"])]
        rows.append([kind, *counts, float(row["worst_seconds"]), row["worst_growth"] / 1e6, row["worst_growth_per_byte"]])
    sums = [sum(row[i] for row in rows) for i in range(1, 6)]
    return [*rows, ["all", *sums, *(max(row[i] for row in rows) for i in (6, 7, 8))]]
