"""Curves of the studies as SVG in docs/, and how any figure is written. It needs matplotlib; the same version writes the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parent.parent.parent / "docs"
POINTS = 48  # of a curve that are drawn
GREY = "#59636e"
MARKERS = "os^vDPX*"


def number(cell: str) -> float:
    """The number in a cell of a table, whose digits may be grouped."""
    return float(cell.replace(" ", ""))


def write(figure: Any, path: Path, title: str) -> Path:
    """Write a figure as SVG without what would differ the next time, and close it."""
    import matplotlib.pyplot as plt  # it is needed for nothing else

    figure.savefig(path, format="svg", transparent=False, metadata={"Date": None, "Title": title})
    plt.close(figure)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Curve:
    """A line of a plot. shade: 0 to 1, of its colour; dashed: how it is drawn; marked: whether its points are; joined: by lines or not."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    shade: float
    dashed: bool = False
    marked: bool = False
    joined: bool = True


@dataclass(frozen=True)
class Panel:
    """One part of a plot. x, y: what the axes are; logarithmic: which of "x", "y" are so; ticks: of x, or all that suit."""

    title: str
    x: str
    y: str
    curves: Sequence[Curve]
    logarithmic: str = ""
    ticks: Sequence[float] = ()


def thinned(curve: Curve) -> tuple[list[float], list[float]]:
    """x and y of at most POINTS points of a curve."""
    index = np.unique(np.linspace(0, len(curve.x) - 1, POINTS).round().astype(int)) if len(curve.x) > POINTS else range(len(curve.x))
    return [float(curve.x[i]) for i in index], [float(curve.y[i]) for i in index]


def draw(name: str, title: str, panels: Sequence[Panel], folder: Path = DOCS, height: float = 3.2) -> Path:
    """Write a plot, panels side by side, into folder/NAME.svg. height: in inches."""
    import matplotlib.pyplot as plt  # it is needed for nothing else

    from ..plots import SETTINGS

    plt.switch_backend("svg")
    settings: Any = {**SETTINGS, "font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False}
    with plt.rc_context(settings):
        figure, axes = plt.subplots(1, len(panels), figsize=(8.6, height), squeeze=False, layout="constrained")
        figure.suptitle(title, fontsize=10, fontweight="bold")
        for axis, panel in zip(axes[0], panels, strict=True):
            for i, curve in enumerate(panel.curves):
                x, y = thinned(curve)
                style: dict[str, Any] = {"linestyle": "" if not curve.joined else "--" if curve.dashed else "-"}
                style |= {"marker": MARKERS[i % len(MARKERS)] if curve.marked else "", "markersize": 3}
                axis.plot(x, y, color=plt.get_cmap("viridis")(0.92 * curve.shade), lw=1.2, label=curve.label, **style)
            if "x" in panel.logarithmic:
                axis.set_xscale("log")
            if "y" in panel.logarithmic:
                axis.set_yscale("log")
            if panel.ticks:
                axis.set_xticks(panel.ticks, [f"{t:g}" for t in panel.ticks])
                axis.set_xticks([], minor=True)
            axis.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
            axis.title.set_fontsize(8.5)
            axis.tick_params(colors=GREY)
            if panel is panels[0] or [c.label for c in panel.curves] != [c.label for c in panels[0].curves]:
                axis.legend(fontsize=6, frameon=False, ncols=2 if len(panel.curves) > 8 else 1)
        return write(figure, folder / f"{name}.svg", title)
