"""Figures of the studies: lines and points, written as SVG, the same bytes each time. They need matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]

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
        figure, axes = plt.subplots(1, len(panels), figsize=(5.6 * len(panels), 4.2), squeeze=False, layout="constrained")
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
