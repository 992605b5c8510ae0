"""Draws docs/sizes.svg from the tables in bench/results: sizes of pictures compared with JPEG XL, and of sound with FLAC.

    python -m bench.plots

It encodes nothing. It needs matplotlib (`pip install matplotlib`); the same version of it writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]
from matplotlib.patches import FancyBboxPatch, Rectangle  # type: ignore[import-not-found,unused-ignore]

from .rows import tables_of

OUT = Path(__file__).parent.parent / "docs" / "sizes.svg"
SETTINGS: dict[str, Any] = {"svg.hashsalt": "inrcodec", "svg.fonttype": "path", "font.family": "DejaVu Sans"}
WIDTH, MARGIN = 860, 24  # pixels, as are the next two lines
LEFT, FULL = 296, 264  # where bars begin, and how long a bar of 100 % is
BAR, BETWEEN, AFTER_GROUP, AFTER_SECTION = 14, 3, 13, 12
INK, SOFT, FRAME, CARD, OURS = "#1f2328", "#59636e", "#d1d9e0", "#ffffff", "#0a7f6f"
GREYS = {"PNG": "#dde2e7", "WebP": "#c2cad2", "WavPack": "#c2cad2", "JPEG XL": "#98a3af", "FLAC": "#98a3af"}


@dataclass(frozen=True)
class Group:
    """Bars that belong together: sizes by codec, in `unit`. The bar of codec `base` has 100 %."""

    section: str
    title: str
    note: str
    sizes: dict[str, float]
    share: str  # size of inrcodec relative to `base`, as it is in the results
    base: str
    unit: str


NOTES = {  # of photographs
    "Kodak": "lattice of PhotoCD",
    "Sun-Hays80": "lattice of JPEG",
    "BSD100": "lattice of JPEG",
    "Urban100": "resampled",
    "CID22": "resampled",
}
DRAWN = {  # titles and notes of the others
    "screenshots and diagrams": ("screenshots and diagrams", "WebP not measured on all"),
    "text and shapes around photographs": ("pages", "text, shapes and photographs"),
}
CODECS = {"FLAC": "flac", "WavPack": "wavpack", "inrcodec": "ours"}  # their names in sound-4.md


def groups() -> list[Group]:
    """All groups of bars, from the tables images-families and sound-4."""
    found = []
    for row in tables_of("images-families")["Pictures by family"]:
        if row["family"].startswith("one photograph"):
            continue
        sizes = {"PNG": row["PNG bpp"], "WebP": row["WebP bpp"], "JPEG XL": row["JPEG XL bpp"], "inrcodec": row["ours bpp"]}
        known = {codec: float(size) for codec, size in sizes.items() if size}
        if row["family"] in NOTES:
            section = f"Photographs with{'' if row['lattice'] == 'yes' else 'out'} a hidden colour lattice"
            title, note = f"{row['family']}, {row['files']} pictures", NOTES[row["family"]]
        else:
            title, note = DRAWN[row["family"]]
            section, title = "Drawings and pages", f"{row['files']} {title}"
        found.append(Group(section, title, note, known, row["ours / JPEG XL"], "JPEG XL", "bpp"))
    totals = {row["codec"]: row for row in tables_of("sound-4")["Sound"] if "codec" in row}
    sound = {name: int(totals[key]["bytes"].replace(" ", "")) / 1e6 for name, key in CODECS.items()}
    found.append(Group("Sound", "30 recordings and loops", "16 and 24 bits, 44.1 kHz", sound, totals["ours"]["of FLAC"], "FLAC", "MB"))
    return found


class Page:
    """A figure whose coordinates are pixels, with the origin at the top left."""

    def __init__(self, height: float) -> None:
        self.figure = plt.figure(figsize=(WIDTH / 100, height / 100), dpi=100)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, WIDTH)
        self.axes.set_ylim(height, 0)
        self.axes.axis("off")
        card = FancyBboxPatch((4, 4), WIDTH - 8, height - 8, boxstyle="round,pad=0,rounding_size=10", fc=CARD, ec=FRAME, lw=1)
        self.axes.add_patch(card)

    def text(self, x: float, y: float, what: str, size: float = 9.5, **style: Any) -> None:
        """Write a text. size: in points of 1/72 inch; a pixel is 1/100 inch."""
        self.axes.text(x, y, what, fontsize=size, **{"color": INK, "va": "center", "ha": "left", **style})

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Draw a bar."""
        self.axes.add_patch(Rectangle((x, y), width, height, fc=colour, ec="none"))

    def line(self, x0: float, x1: float, y: float) -> None:
        """Draw a horizontal line."""
        self.axes.plot([x0, x1], [y, y], color=FRAME, lw=0.8)


def draw(page: Page, found: list[Group]) -> float:
    """Draw everything from top to bottom. Returns the height that it takes."""
    page.text(MARGIN, 36, "Lossless sizes, beside JPEG XL and FLAC", 13, weight="bold")
    page.text(MARGIN, 60, "Bars relative to JPEG XL (FLAC) in each group. Shorter is smaller.", 9, color=SOFT)
    y, section = 78.0, ""
    for group in found:
        if group.section != section:
            section = group.section
            page.line(MARGIN, WIDTH - MARGIN, y)
            page.text(MARGIN, y + 20, section, 10.5, weight="bold")
            y += 28 + AFTER_SECTION
        page.text(MARGIN, y + BAR / 2, group.title, 9.5)
        page.text(MARGIN, y + BAR / 2 + BAR + BETWEEN, group.note, 8.5, color=SOFT)
        for codec, size in group.sizes.items():
            ours, width = codec == "inrcodec", FULL * size / group.sizes[group.base]
            strong: dict[str, Any] = {"weight": "bold", "color": OURS} if ours else {}
            page.text(LEFT - 8, y + BAR / 2 + 0.5, codec, 8.5, ha="right", **({"color": SOFT} | strong))
            page.bar(LEFT, y, width, BAR, OURS if ours else GREYS[codec])
            label = f"{size:.2f} {group.unit}" + (f"   {100 * float(group.share):.1f} % of {group.base}" if ours else "")
            page.text(LEFT + width + 7, y + BAR / 2 + 0.5, label, 8.5, **({"color": SOFT} | strong))
            y += BAR + BETWEEN
        y += AFTER_GROUP
    what = "Lattice: only part of all RGB colours can occur, since the picture once passed through JPEG, video or PhotoCD."
    what += " bpp: bits per pixel."
    page.text(MARGIN, y + 4, what, 8.5, color=SOFT)
    what = "JPEG XL at effort 10, WebP at method 6, FLAC -8 -p -e, inrcodec at its default effort."
    page.text(MARGIN, y + 20, what, 8.5, color=SOFT)
    return y + 42


def digest(data: Sequence[Any]) -> str:
    """SHA-256 of what is drawn, a list of dataclasses."""
    return hashlib.sha256(json.dumps([asdict(part) for part in data], sort_keys=True).encode()).hexdigest()


def write(figure: Any, out: Path, title: str, data: Sequence[Any]) -> None:
    """Write a figure as SVG, with the digest of its data, and without what differs between runs."""
    about = {"Date": None, "Title": title, "Description": f"drawn from data with SHA-256 {digest(data)}"}
    figure.savefig(out, format="svg", transparent=True, metadata=about)
    text = out.read_text(encoding="utf-8")
    out.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8", newline="\n")
    print(out)


def main() -> None:
    """Draw the figure, and write it to OUT."""
    found = groups()
    plt.switch_backend("svg")
    with plt.rc_context(SETTINGS):  # type: ignore[arg-type,unused-ignore]
        probe = Page(1000)
        height = draw(probe, found)
        plt.close(probe.figure)
        page = Page(height)
        draw(page, found)
        write(page.figure, OUT, "Lossless sizes beside JPEG XL and FLAC", found)
        plt.close(page.figure)


if __name__ == "__main__":
    main()
