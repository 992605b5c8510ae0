"""Draws docs/implicit-ani.svg and docs/implicit-rate.svg from the tables in bench/results.

    python -m bench.implicit.plots

It fits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..rows import Row, tables_of
from .figures import Curve, Panel, draw, number


def supernets() -> list[Panel]:
    """A panel for each picture of implicit-ani.md: its own fits, and the networks of its supernet that no smaller one betters."""
    found = []
    for heading, rows in tables_of("implicit-ani").items():
        name, _, what = heading.partition(": ")
        if not what.startswith("a supernet"):
            continue
        lines: list[Curve] = []
        for bits, part in zip(("8 bits", "4 bits"), parted(rows), strict=True):
            alone = [(number(row["bytes"]), number(row["alone"])) for row in part]
            inside = [(number(row["bytes of the prefix"]), number(row["in the supernet"])) for row in part]
            shade = len(lines) / 4
            lines += [curve(f"alone, {bits}", alone, shade, joined=False), curve(f"prefixes of the supernet, {bits}", front(inside), shade)]
        found.append(Panel(name, "bytes of the file up to the network's end", "PSNR, dB", lines, "x"))
    return found


def parted(rows: list[Row]) -> list[list[Row]]:
    """The tables below one heading: each begins with the same network."""
    starts = [i for i, row in enumerate(rows) if row["network"] == rows[0]["network"]]
    return [rows[start:end] for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]


def curve(label: str, points: Sequence[tuple[float, float]], shade: float, joined: bool = True) -> Curve:
    """Marked points, from left to right."""
    x, y = zip(*sorted(points), strict=True)
    return Curve(label, x, y, shade, marked=True, joined=joined)


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
    drawn = [curve(method, points, i / max(len(lines) - 1, 1)) for i, (method, points) in enumerate(lines.items())]
    return [Panel("means over the pictures", "bits per pixel of the file", "PSNR, dB", drawn, "x", (0.15, 0.3, 0.6, 1.2))]


def main() -> None:
    """Draw both."""
    draw("implicit-ani", "Networks in a network, beside networks fitted alone", supernets(), height=4.2)
    draw("implicit-rate", "Networks that hold a picture: rate against PSNR", rates(), height=4.2)


if __name__ == "__main__":
    main()
