"""Draws docs/implicit-ani.svg and docs/implicit-rate.svg from the tables in bench/results.

    python -m bench.implicit.plots

It fits nothing. It needs matplotlib (`pip install matplotlib`); the same version of it writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]

from ..rows import Row, tables_of

DOCS = Path(__file__).parent.parent.parent / "docs"
SETTINGS: dict[str, Any] = {"svg.hashsalt": "inrcodec", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 9}


@dataclass(frozen=True)
class Line:
    """Points of one kind. line: whether they are joined; strong: whether it is drawn boldly."""

    label: str
    points: Sequence[tuple[float, float]]
    line: bool = True
    strong: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes. logarithmic: whether the horizontal axis is."""

    title: str
    across: str
    up: str
    lines: Sequence[Line]
    logarithmic: bool = True


def draw(name: str, title: str, panels: Sequence[Panel]) -> None:
    """Write docs/NAME.svg, with panels side by side."""
    plt.switch_backend("svg")
    with plt.rc_context(SETTINGS):  # type: ignore[arg-type,unused-ignore]
        figure, axes = plt.subplots(1, len(panels), figsize=(max(8.4, 5.6 * len(panels)), 5), squeeze=False, layout="constrained")
        figure.suptitle(title)
        for one, panel in zip(axes[0], panels, strict=True):
            for i, line in enumerate(panel.lines):
                across, up = zip(*sorted(line.points), strict=True)
                style: dict[str, Any] = {"lw": 2.2 if line.strong else 1.1} if line.line else {"ls": "none", "ms": 7}
                one.plot(across, up, marker="os^vDPX*"[i % 8], label=line.label, **{"ms": 4, **style})
            one.set_title(panel.title)
            one.set_xlabel(panel.across)
            one.set_ylabel(panel.up)
            if panel.logarithmic:
                one.set_xscale("log")
            one.grid(alpha=0.3)
            one.legend(fontsize=7.5)
        path = DOCS / f"{name}.svg"
        figure.savefig(path, format="svg", metadata={"Date": None, "Title": title})
        plt.close(figure)
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


def supernets() -> list[Panel]:
    """A panel for each picture of implicit-ani.md: its own fits, and the networks of its supernet that no smaller one betters."""
    found = []
    for heading, rows in tables_of("implicit-ani").items():
        name, _, what = heading.partition(": ")
        if not what.startswith("a supernet"):
            continue
        lines = []
        for bits, part in zip(("8 bits", "4 bits"), parted(rows), strict=True):
            alone = [(number(row["bytes"]), number(row["alone"])) for row in part]
            inside = [(number(row["bytes of the prefix"]), number(row["in the supernet"])) for row in part]
            lines += [Line(f"alone, {bits}", alone, line=False), Line(f"prefixes of the supernet, {bits}", front(inside), strong=True)]
        found.append(Panel(name, "bytes of the file up to the network's end", "PSNR, dB", lines))
    return found


def parted(rows: list[Row]) -> list[list[Row]]:
    """The tables below one heading: each begins with the same network."""
    starts = [i for i, row in enumerate(rows) if row["network"] == rows[0]["network"]]
    return [rows[start:end] for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]


def number(cell: str) -> float:
    """A number of a table, whose digits may be grouped."""
    return float(cell.replace(" ", ""))


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no point farther left is above."""
    found: list[tuple[float, float]] = []
    for point in sorted(points):
        if not found or point[1] > found[-1][1]:
            found.append(point)
    return found


def rates() -> list[Panel]:
    """The methods of implicit-rate.md, where they have all pictures."""
    lines: dict[str, list[tuple[float, float]]] = {}
    rows = next(iter(tables_of("implicit-rate").values()))
    most = max(number(row["pictures"]) for row in rows)
    for row in rows:
        if number(row["pictures"]) == most:
            lines.setdefault(row["method"], []).append((number(row["bpp of the file"]), number(row["PSNR"])))
    drawn = [Line(method, points, strong="default" in method) for method, points in lines.items()]
    return [Panel("means over the pictures", "bits per pixel of the file", "PSNR, dB", drawn)]


def main() -> None:
    """Draw both."""
    draw("implicit-ani", "Networks in a network, beside networks fitted alone", supernets())
    draw("implicit-rate", "Networks that hold a picture: rate against PSNR", rates())


if __name__ == "__main__":
    main()
