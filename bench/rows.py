"""Tables in docs/ that the other benchmarks do not print: families of pictures, small pictures, memory.

    python -m bench.rows lattices DATA      which pictures are coded with a hidden colour lattice; encodes each once, at effort 1
    python -m bench.rows families           pictures by family, from images-compare.md and images-lattices.md; encodes nothing
    python -m bench.rows efforts            sizes by effort, from images-efforts.md and images-efforts-plain.md; encodes nothing
    python -m bench.rows small FILE…        crops of 4 × 4 to 128 × 128 pixels, compared with JPEG XL
    python -m bench.rows memory             peak memory and time of whole commands, on large files

A picture that once passed through JPEG, video or PhotoCD has a colour lattice. inrcodec looks for it, other codecs do not. So pictures
with a lattice and pictures without one are different cases, and no row is a mean over both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import inrcodec
from inrcodec import Signal, files

from .common import RESULTS, photo8, save, table, tell

SETS = ("kodak", "photos", "bsd", "cid", "graphics", "pages", "deep")
TITLES = {
    "kodak": "Kodak",
    "photos sun": "Sun-Hays80",
    "bsd": "BSD100",
    "photos urban": "Urban100",
    "cid": "CID22",
    "graphics": "screenshots and diagrams",
    "pages": "text and shapes around photographs",
    "deep": "one photograph at 1 to 16 bits",
}
Row = dict[str, str]


def tables_of(name: str) -> dict[str, list[Row]]:
    """The tables of bench/results/NAME.md, by the heading above them. A row has its cells by the heads of the columns."""
    found: dict[str, list[Row]] = {}
    heading, heads = "", list[str]()
    for line in (RESULTS / f"{name}.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        cells = [c.strip() for c in line.strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
            found.setdefault(heading, [])
        elif not set(line) <= set("|-: "):
            found[heading].append(dict(zip(heads, cells, strict=True)))
    return found


# --- families of pictures -----------------------------------------------------------------------------------------


def lattices(data: Path) -> None:
    """Encode every picture of the comparison once, and list its transform."""
    from .images import sets_of

    parts = []
    for name in SETS:
        rows: list[list[Any]] = []
        for path in sets_of(data)[name]:
            signal = files.read(path)
            found = inrcodec.info(inrcodec.encode(signal, effort=1, threads=1, verify=False))
            rows.append([path.name, signal.samples.shape[0] * signal.samples.shape[1], found["network"]["transform"]])
            tell(f"{name} {path.name} {rows[-1][2]}")
        parts.append(f"## {name}\n\n" + table(["file", "pixels", "transform"], rows))
    save("images-lattices", "Which pictures are coded on a hidden colour lattice", parts)


@dataclass(frozen=True)
class Family:
    """Pictures from one source that all have a lattice, or all have none.

    Attributes:
        rows: of the pictures, in images-compare.md.
        pixels: of each picture.
        whole: the row of images-compare.md for exactly these pictures, if there is one; its means are more exact than means of the rows.
    """

    title: str
    lattice: bool
    rows: list[Row]
    pixels: list[int]
    whole: Row | None


def families_of() -> list[Family]:
    """The families of the pictures in images-compare.md, in the order of TITLES, those with a lattice first."""
    compared, known = tables_of("images-compare"), tables_of("images-lattices")
    summary = {row["set"]: row for row in compared["Pictures"]}
    groups: dict[tuple[str, bool], list[tuple[Row, Row]]] = {}
    for name in SETS:
        for row, other in zip(compared[name], known[name], strict=True):
            assert row["file"] == other["file"]
            source = f"{name} {row['file'].split('_')[0]}" if name == "photos" else name
            groups.setdefault((source, other["transform"] == "lattice"), []).append((row, other))
    found = []
    for (source, lattice), pairs in groups.items():
        rows = [row for row, _ in pairs]
        whole = summary.get(source) if source in compared and len(rows) == len(compared[source]) else None
        found.append(Family(TITLES[source], lattice, rows, [int(o["pixels"].replace(" ", "")) for _, o in pairs], whole))
    return sorted(found, key=lambda f: (list(TITLES.values()).index(f.title), not f.lattice))


def row_of(family: Family) -> list[Any]:
    """The row of a family: mean bits per pixel of each codec, ratios of sizes, and speeds."""

    def column(name: str) -> list[float]:
        return [float(row[name]) for row in family.rows if row[name]]

    def mean(name: str, summary: str) -> str:
        if family.whole is not None:
            return family.whole[summary]
        return f"{np.mean(column(name)):.2f}" if len(column(name)) == len(family.rows) else ""

    jxl, mine = column("JPEG XL"), column("ours")
    ratio = family.whole["ours / JPEG XL"] if family.whole else f"{np.mean(mine) / np.mean(jxl):.3f}"
    ratios, seconds = column("ours / JPEG XL"), column("JPEG XL encodes, s")
    return [
        family.title,
        "yes" if family.lattice else "no",
        len(family.rows),
        *(mean(n, s) for n, s in (("PNG", "PNG bpp"), ("WebP", "WebP bpp"), ("JPEG XL", "JPEG XL bpp"), ("ours", "ours bpp"))),
        ratio,
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        sum(r >= 1 for r in ratios),
        *(f"{sum(family.pixels) / 1e6 / sum(column(name)):.2f}" for name in ("ours encodes, s", "decodes, s")),
        f"{sum(family.pixels) / 1e6 / sum(seconds):.2f}",
    ]


def families() -> None:
    """Write images-families.md."""
    heads = ["family", "lattice", "files", "PNG bpp", "WebP bpp", "JPEG XL bpp", "ours bpp", "ours / JPEG XL", "of single files"]
    heads += ["larger than JPEG XL", "encodes, MP/s", "decodes, MP/s", "JPEG XL encodes, MP/s"]
    note = "Out of images-compare.md, which names command, versions and machine of the measurement, and images-lattices.md. bpp are means."
    save("images-families", "Pictures by family", [note, table(heads, [row_of(f) for f in families_of()])])


def efforts() -> None:
    """Write images-efforts-families.md: the means of images-efforts.md, split into one picture without a lattice and two with one."""
    means, plain = tables_of("images-efforts")["Efforts"], tables_of("images-efforts-plain")["Efforts"]
    rows: list[list[Any]] = []
    for mean, one in zip(means, plain, strict=True):
        assert mean["effort"] == one["effort"]
        others = (3 * float(mean["bpp"]) - float(one["bpp"])) / 2
        times = [mean[key] for key in ("encode, s", "decode, s", "MP/s decoding")]
        rows.append([mean["effort"], f"{float(one['bpp']):.3f}", f"{others:.3f}", *times])
    note = (
        "Out of images-efforts.md (kodak/20.png, bsd_050.png, urban_010.png) and images-efforts-plain.md (urban_010.png): what is left of "
        "the mean of three when that of one is taken out. Times are those of the three together."
    )
    heads = ["effort", "no lattice, 1 picture: bpp", "lattice, 2 pictures: bpp", "encode, s", "decode, s", "MP/s decoding"]
    save("images-efforts-families", "Efforts, with and without a colour lattice", [note, table(heads, rows)])


# --- small pictures -----------------------------------------------------------------------------------------------

SIDES = (4, 8, 16, 24, 32, 48, 64, 96, 128)


def small(paths: list[Path]) -> None:
    """Write images-small.md: crops from the middle of each picture, by inrcodec and JPEG XL."""
    from .images import jpegxl

    rows: list[list[Any]] = []
    signals = [files.read(p) for p in paths]
    for side in SIDES:
        sizes: list[Any] = []
        for signal in signals:
            top, left = ((n - side) // 2 for n in signal.samples.shape[:2])
            crop = Signal(np.ascontiguousarray(signal.samples[top : top + side, left : left + side]), "image")
            mine, jxl = len(inrcodec.encode(crop, threads=1)), jpegxl(crop, 1).size
            sizes += [jxl, mine, f"{mine - jxl:+d}"]
        rows.append([f"{side} × {side}", *sizes])
        tell(str(rows[-1]))
    heads = [f"{p.name}{what}" for p in paths for what in (": JPEG XL, bytes", ": ours", ": difference")]
    save("images-small", "Small pictures", ["Crops out of the middle; default effort.", table(["pixels", *heads], rows)], "imagecodecs")


# --- memory -------------------------------------------------------------------------------------------------------


CHILD = """
import re
from inrcodec.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], flush=True)
"""  # getrusage would count the memory that the parent had when it started the child


def measured(*arguments: str) -> tuple[float, float]:
    """(seconds, peak memory in MB) of a command in a process of its own. Linux only."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, int(done.stdout.split()[-1]) / 1024


def memory() -> None:
    """Write memory.md: a picture of 24 megapixels and ten minutes of stereo, at effort 1."""
    from .sound import RATE, music

    g = np.random.default_rng(0)
    picture = np.tile(photo8(256), (16, 24, 1))[:4000, :6000]
    picture = (picture // 2 + g.integers(0, 8, picture.shape)).astype(np.uint8)  # so that no colour lattice is left
    minute = music(60 * RATE)
    sound = np.concatenate([np.roll(minute, 997 * i, 0) // (1 + i % 3) for i in range(10)])
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        png, wav, back = Path(folder) / "a.png", Path(folder) / "b.wav", Path(folder) / "back"
        files.write(png, Signal(picture, "image"))
        files.write(wav, Signal(sound, "audio", 16, RATE))
        cases = [
            ("encode 24 MP RGB, verified", ("encode", str(png), "--effort", "1", "--quiet")),
            ("decode them", ("decode", str(png.with_suffix(".linr")), "-o", f"{back}.png")),
            ("encode 10 minutes of stereo, verified", ("encode", str(wav), "--effort", "1", "--quiet")),
            ("decode them", ("decode", str(wav.with_suffix(".linr")), "-o", f"{back}.wav")),
            ("decode 3 s of them", ("decode", str(wav.with_suffix(".linr")), "-o", f"{back}3.wav", "--start", "5:00", "--duration", "3")),
        ]
        for name, arguments in cases:
            rows.append([name, *measured(*arguments)])
            tell(str(rows[-1]))
    note = "Whole commands with start-up, effort 1, two threads; compiled kernels were cached."
    save("memory", "Memory and time of whole commands", [note, table(["command", "seconds", "peak memory, MB"], rows)])


def main() -> None:
    """Make the table that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["lattices", "families", "efforts", "small", "memory"])
    parser.add_argument("paths", type=Path, nargs="*")
    given = parser.parse_args()
    if given.what == "lattices":
        lattices(given.paths[0])
    elif given.what == "small":
        small(given.paths)
    else:
        {"families": families, "efforts": efforts, "memory": memory}[given.what]()


if __name__ == "__main__":
    main()
