"""Draws docs/implicit-memory.svg and docs/implicit-ternary.svg from the tables in bench/results.

    python -m bench.implicit.memory_plots

It fits nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt  # type: ignore[import-not-found,unused-ignore]

from ..plots import FRAME, INK, OURS, SETTINGS, SOFT
from ..rows import Row, tables_of
from .figures import DOCS, number, write

COLOURS = ("#0a7f6f", "#c2571a", "#3b6fb5", "#8a5aa8", "#98a3af", "#59636e", "#b8860b", "#1f2328")
STYLE: dict[str, Any] = {
    **SETTINGS,
    "axes.edgecolor": FRAME, "axes.labelcolor": INK, "xtick.color": SOFT, "ytick.color": SOFT, "font.size": 9, "axes.titlesize": 10,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 8,
}  # fmt: skip


def columns_of(row: Row, start: str) -> list[float]:
    """The numbers of the columns whose heads begin so; empty cells, and "never", are left out."""
    return [number(v) for k, v in row.items() if k.startswith(start) and v not in ("", "never")]


def exact_sizes(axes: Any, tables: dict[str, list[Row]]) -> None:
    """Weight bytes and wrong bits of heads and of recurrent networks."""
    rows = [row for title, found in tables.items() if title.startswith("Exact: ") and "values" not in title for row in found]
    rows = [row for row in rows if "parameters" in row]
    for start, colour in (("heads", COLOURS[1]), ("recurrent", OURS)):
        mine = [row for row in rows if row["network"].startswith(start) and number(row["weights bytes"]) < 14000]
        x = [number(row["weights bytes"]) for row in mine]
        axes.scatter(x, [number(row["wrong bits"]) + 0.7 for row in mine], s=22, color=colour, label=start)
    axes.set_yscale("log")
    axes.set_yticks([0.7, 1.7, 10.7, 100.7, 1000.7], ["0", "1", "10", "100", "1000"])
    axes.set(xlabel="bytes of weights", ylabel="wrong bits", title="32 × 32 RGB by weights of 4 bits")
    axes.legend()


def stability(axes: Any, tables: dict[str, list[Row]]) -> None:
    """How much the state changes at each step."""
    title = next(t for t in tables if t.startswith("Stability of the networks of values"))
    for row, colour in zip(tables[title], COLOURS, strict=False):
        found = columns_of(row, "r = ")
        trained = int(row["network"].split("=")[1])
        axes.plot(range(1, len(found) + 1), found, color=colour, lw=1, alpha=0.45)
        axes.plot(range(1, trained + 1), found[:trained], color=colour, lw=2, marker="o", ms=3.5, label=row["network"])
    axes.set(xlabel="r", ylabel="‖h_r − h_(r−1)‖ / ‖h_r‖", title="Change of the state; thin: beyond what was trained")
    axes.set_ylim(0)
    axes.legend(ncols=2)


def file_sizes(axes: Any, tables: dict[str, list[Row]]) -> None:
    """Exact files by kind of network, relative to dense cells."""
    rows = tables["Cells beside a recurrent network: exact files"]
    names = list(dict.fromkeys(row["signal"] for row in rows))
    for i, name in enumerate(names):
        mine = [row for row in rows if row["signal"] == name]
        for j, row in enumerate(mine):
            share = number(row["file bytes"]) / number(mine[0]["file bytes"])
            label = row["network"].split(" × ")[0] if i == 0 else None
            axes.barh(i + 0.16 * j, share, 0.15, color=COLOURS[j], label=label)
    axes.set_yticks([i + 0.32 for i in range(len(names))], names)
    axes.invert_yaxis()
    axes.axvline(1, color=SOFT, lw=0.8)
    axes.set(xlabel="bytes, beside dense cells", title="Exact files")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def planes(axes: Any, tables: dict[str, list[Row]]) -> None:
    """Wrong bits of each bit-plane while ternary weights are trained."""
    title = next(t for t in tables if t.startswith("Wrong bits while training"))
    rows = tables[title]
    steps = [number(row["step"]) for row in rows]
    count = len(rows[0]) - 1
    for i in range(count):
        share = [number(row[f"plane {i + 1}"]) for row in rows]
        axes.plot(
            steps, [max(s, 3e-6) for s in share], lw=1.3, color=plt.get_cmap("viridis")(i / max(count - 1, 1)), label=f"plane {i + 1}"
        )
    axes.set_yscale("log")
    axes.set(xlabel="step", ylabel="share of wrong bits (lowest: none)", title=title.split(": ")[1])
    axes.legend(ncols=2)


def first_right(axes: Any, tables: dict[str, list[Row]]) -> None:
    """The step at which each bit-plane is right for the first time."""
    for row, colour in zip(tables["Steps until each bit-plane is right for the first time"], [*COLOURS, *COLOURS], strict=False):
        found = columns_of(row, "plane ")
        axes.plot(range(1, len(found) + 1), found, color=colour, lw=1.3, marker="o", ms=3, label=row["picture"])
    axes.set(xlabel="bit-plane, the most significant first", ylabel="step", title="Right for the first time")
    axes.legend()


def main(docs: Path = DOCS) -> None:
    """Draw both figures."""
    plt.switch_backend("svg")
    with plt.rc_context(STYLE):  # type: ignore[arg-type,unused-ignore]
        tables = tables_of("implicit-memory")
        figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
        for draw, place in zip((exact_sizes, stability, file_sizes), axes, strict=True):
            draw(place, tables)
        write(figure, docs / "implicit-memory.svg", "Memory in the network")
        tables = tables_of("implicit-ternary")
        figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
        planes(axes[0], tables)
        first_right(axes[1], tables)
        write(figure, docs / "implicit-ternary.svg", "Ternary weights until every bit is right")


if __name__ == "__main__":
    main()
