"""Draws docs/speed.svg from the tables in bench/results: size against the speed of decoding, of pictures, sound and arrays.

    python -m bench.speeds

It encodes nothing. It needs matplotlib; the same version of it writes the same bytes. Pictures with a hidden colour lattice and without
stand in separate panels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]
from matplotlib.patches import FancyBboxPatch  # type: ignore[import-not-found,unused-ignore]
from matplotlib.ticker import LogLocator, NullFormatter  # type: ignore[import-not-found,unused-ignore]

from inrcodec.report.front import front as pareto

from .plots import CARD, FRAME, INK, OURS, SETTINGS, SOFT, write
from .rows import Row, tables_of

OUT = Path(__file__).parent.parent / "docs" / "speed.svg"
OWN = "inrcodec"
JXL, JXL_HERE = "JPEG XL effort 10", "JPEG XL 10"
SOUND = {"flac": "FLAC -8 -p -e", "wavpack": "WavPack -hhx6", "ours": OWN}
TITLE = "Size against speed of decoding"


@dataclass(frozen=True)
class Point:
    """A codec, the speed at which it decodes in the unit of its panel, and the size of its files."""

    name: str
    speed: float
    size: float

    @property
    def ours(self) -> bool:
        """Whether it is inrcodec."""
        return self.name.startswith(OWN)


@dataclass(frozen=True)
class Panel:
    """Codecs on the same files. speed and size: what the axes mean."""

    title: str
    note: str
    speed: str
    size: str
    points: tuple[Point, ...]


def number(text: str) -> float:
    """A number of a table, which may have spaces between its digits."""
    return float(text.replace(" ", "").replace("\N{NO-BREAK SPACE}", ""))


def front(points: Iterable[Point]) -> list[Point]:
    """The points on the Pareto front, from slow to fast: none other is both as fast and smaller, or faster and as small."""
    found = list(points)
    return [found[i] for i in pareto([(-p.speed, p.size) for p in found])][::-1]


def family(codec: str) -> str:
    """The name of a codec without its settings."""
    return re.split(r",| with | \d{1,2}\b| Zstandard", codec)[0]


def panels() -> list[Panel]:
    """All panels, from the tables of efforts, of sound and of arrays."""
    return [*_pictures(), *_sound(), *_arrays()]


def _pictures() -> list[Panel]:
    families = tables_of("images-efforts-families")["Efforts, with and without a colour lattice"]
    plain = tables_of("images-efforts-plain")["Efforts"]

    def points(rows: Sequence[Row], size: str) -> tuple[Point, ...]:
        names = [JXL_HERE if row["effort"] == JXL else f"{OWN} {row['effort']}" for row in rows]
        return tuple(Point(name, number(row["MP/s decoding"]), number(row[size])) for name, row in zip(names, rows, strict=True))

    with_ = points(families, "lattice, 2 pictures: bpp")
    axes = ("decodes, megapixels per second", "bits per pixel")
    return [
        Panel("Photographs with a hidden colour lattice", "2 pictures; speeds are those of 3", *axes, with_),
        Panel("Photographs without a lattice", "1 picture", *axes, points(plain, "bpp")),
    ]


def _sound() -> list[Panel]:
    found = []
    for effort in (4, 5):
        for row in tables_of(f"sound-{effort}")["Sound"]:
            if "codec" in row and (row["codec"] == "ours" or effort == 4):
                name = f"{OWN} {effort}" if row["codec"] == "ours" else SOUND[row["codec"]]
                found.append(Point(name, number(row["decodes, times real"]), number(row["of FLAC"])))
    ladder = tables_of("sound-efforts")["Sound: the effort ladder"]
    efforts = [Point(f"{OWN} {row['effort']}", number(row["decodes, times real"]), number(row["of FLAC"])) for row in ladder]
    axes = ("decodes, × real time", "of FLAC's bytes")
    return [
        Panel("Sound", "30 recordings and loops", *axes, tuple(found)),
        Panel("Sound by effort", "3 recordings", *axes, tuple(efforts)),
    ]


def _arrays() -> list[Panel]:
    tables = tables_of("arrays")

    def points(group: str) -> tuple[Point, ...]:
        """The codecs that took all arrays of a group, each with the settings of the fewest bytes. Bytes and times are sums."""
        arrays = [row for row in tables["Arrays"] if row["group"] == group]
        raw = {row["array"]: number(row["raw bytes"]) for row in arrays}
        rows = {name: {row["codec"].strip("*"): row for row in tables[name]} for name in raw}
        everywhere = set.intersection(*(set(codecs) for codecs in rows.values()))
        found: list[Point] = []
        for codec in sorted(everywhere):
            seconds = sum(size / number(rows[name][codec]["decodes, MB/s"]) for name, size in raw.items()) / 1e6
            size = sum(number(rows[name][codec]["bytes"]) for name in raw)
            found.append(Point(codec, round(sum(raw.values()) / 1e6 / seconds, 4), round(size / sum(raw.values()), 6)))
        smallest = {family(point.name): point for point in sorted(found, key=lambda p: -p.size)}
        return tuple(Point(name, point.speed, point.size) for name, point in sorted(smallest.items()))

    axes = ("decodes, MB per second", "of the raw bytes")
    return [
        Panel("Volumes and slices", "4 arrays of 8 and 16 bits", *axes, points("volumes")),
        Panel("Fields of floats", "3 arrays of float32", *axes, points("fields")),
    ]


def name_points(axes: Any, points: Sequence[Point]) -> None:
    """Write the name of each point beside it, where it meets no other name and no point; of inrcodec's, the effort if it is known."""
    places = {point: axes.transData.transform((point.speed, point.size)) * 72 / axes.figure.dpi for point in points}  # in points
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places.values()]
    edge = axes.get_window_extent().x1 * 72 / axes.figure.dpi
    for point in sorted(points, key=lambda p: (not p.ours, p.size)):
        text = point.name.removeprefix(f"{OWN} ")
        width, height = 4.3 * len(text), 8.0
        x, y = places[point]
        boxes: list[tuple[int, int, tuple[float, float], tuple[float, float, float, float]]] = []
        for left, low in ((6, -3), (4, 5), (-width - 2, 5), (-width - 6, -3), (-width / 2, 8), (-width / 2, -height - 6), (4, -height - 2)):
            box = (x + left, y + low, x + left + width, y + low + height)
            met = 2 * (box[2] > edge) + sum(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken)
            boxes.append((met, len(boxes), (left, low), box))
        _, _, offset, box = min(boxes)
        taken.append(box)
        style: dict[str, Any] = {"color": OURS, "weight": "bold"} if point.ours else {"color": SOFT}
        axes.annotate(text, (point.speed, point.size), xytext=offset, textcoords="offset points", fontsize=7.5, **style)


def draw(axes: Any, panel: Panel) -> None:
    """Draw a panel: all points with their names, and the front as steps."""
    best = front(panel.points)
    steps = [(slow.speed, slow.size) for slow in best[:1]]
    for slow, fast in pairwise(best):
        steps += [(slow.speed, fast.size), (fast.speed, fast.size)]
    axes.plot(*zip(*steps, strict=True), color=FRAME, lw=1.5, zorder=1)
    for point in panel.points:
        axes.scatter([point.speed], [point.size], s=26, color=OURS if point.ours else "#98a3af", zorder=3 if point.ours else 2)
    axes.set_xscale("log")
    axes.margins(x=0.16, y=0.16)
    left, right = axes.get_xlim()
    axes.set_xlim(left, right * (right / left) ** 0.12)  # room for names
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if right / left > 300 else (1, 2, 5), numticks=20))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    name_points(axes, panel.points)
    axes.set_title(panel.title, fontsize=10, weight="bold", loc="left", color=INK, pad=16)
    axes.text(0, 1.03, panel.note, transform=axes.transAxes, fontsize=8, color=SOFT)
    axes.set_xlabel(panel.speed, fontsize=8, color=SOFT)
    axes.set_ylabel(panel.size, fontsize=8, color=SOFT)
    axes.tick_params(labelsize=7.5, colors=SOFT, which="both")
    axes.grid(color="#eceff2", lw=0.8, zorder=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FRAME)


def main() -> None:
    """Draw the figure, and write it to OUT."""
    found = panels()
    plt.switch_backend("svg")
    with plt.rc_context(SETTINGS):  # type: ignore[arg-type,unused-ignore]
        figure, axes = plt.subplots(3, 2, figsize=(8.6, 10))
        figure.patch.set_alpha(0)
        card = FancyBboxPatch((0.005, 0.005), 0.99, 0.99, boxstyle="round,pad=0,rounding_size=0.01", fc=CARD, ec=FRAME, lw=1)
        card.set(transform=figure.transFigure, zorder=-1)
        figure.add_artist(card)
        figure.text(0.03, 0.967, TITLE, fontsize=13, weight="bold", color=INK)
        what = "Further right is faster, lower is smaller. The line is the Pareto front: to the left of it and above, "
        what += "another codec is better in both."
        what += "\nNumbers beside green points are efforts of inrcodec. Arrays: each codec with the settings of the fewest bytes."
        figure.text(0.03, 0.93, what, fontsize=8.5, color=SOFT)
        figure.subplots_adjust(left=0.085, right=0.965, top=0.87, bottom=0.055, wspace=0.24, hspace=0.46)
        for place, panel in zip(axes.flat, found, strict=True):
            place.set_facecolor("none")
            draw(place, panel)
        write(figure, OUT, TITLE, found)
        plt.close(figure)


if __name__ == "__main__":
    main()
