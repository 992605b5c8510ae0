"""The geometry of a chart of size against time: points, axes, the Pareto front, and labels that do not cover each other.

The template draws it as SVG. All coordinates are in units of the chart's view box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..compare.result import is_ours
from ..compare.summary import Row
from .front import front
from .totals import Totals
from .words import significant, visible

WIDTH, HEIGHT = 400.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 10.0, 22.0, 46.0  # margins around the plot
LETTER, LINE = 7.0, 14.0  # width of a letter, and height of a line, of labels
RADIUS = 5.0
LONGEST = 22  # letters of a label
LEAST_TIME = 1e-7  # seconds; less than clocks tell, and a logarithm needs something


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that two have in common."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)

    def outside(self, other: Box) -> float:
        """How much of it is outside of another."""
        return (self.right - self.left) * (self.bottom - self.top) - self.overlap(other)


class Tick(NamedTuple):
    """A mark on an axis: where, and what stands there; "" for a line alone."""

    at: float
    text: str


class Label(NamedTuple):
    """Where a label's text stands: its anchor ("start", "middle", "end"), the middle of its line, and the box that it takes."""

    x: float
    y: float
    anchor: str
    box: Box
    apart: bool  # whether a line leads to it from its point


class Point(NamedTuple):
    """A codec in the chart; front: whether no other is both smaller and faster; text: what a pointer or a screen reader is told."""

    codec: str
    x: float
    y: float
    front: bool
    ours: bool
    label: Label
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart: its title, the names of its axes, marks, points from the fastest to the slowest, and the front as an SVG path."""

    title: str
    across: str
    up: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    points: list[Point]
    path: str
    plot: Box


PLOT = Box(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)


def charts(table: Totals) -> list[Chart]:
    """Size against time of encoding, and of decoding."""
    return [_chart(table, "encode", [row.encode for row in table.rows]), _chart(table, "decode", [row.decode for row in table.rows])]


def _chart(table: Totals, what: str, seconds: Sequence[float]) -> Chart:
    times = [max(table.time(s), LEAST_TIME) for s in seconds]
    sizes = [table.bits(row) for row in table.rows]
    low, high, x_ticks = decades(min(times), max(times))
    bottom, top, y_ticks = steps(min(sizes), max(sizes))

    def x(time: float) -> float:
        return PLOT.left + (math.log10(time) - low) / (high - low) * (PLOT.right - PLOT.left)

    def y(bits: float) -> float:
        return PLOT.bottom - (bits - bottom) / (top - bottom) * (PLOT.bottom - PLOT.top)

    places = [(x(time), y(bits)) for time, bits in zip(times, sizes, strict=True)]
    on = front(list(zip(times, sizes, strict=True)))
    names = [shortened(row.codec) for row in table.rows]
    labels = placed(places, names, [places[i] for i in on])
    points = [
        Point(names[i], *places[i], i in on, is_ours(row.codec), labels[i], _told(row, table, what, times[i]))
        for i, row in enumerate(table.rows)
    ]
    return Chart(
        f"Size against time to {what}",
        f"seconds per {table.amount} to {what}",
        f"bits per {table.summary.unit}",
        [Tick(x(value), text) for value, text in x_ticks],
        [Tick(y(value), text) for value, text in y_ticks],
        [point for _, point in sorted(zip(times, points, strict=True), key=lambda pair: pair[0])],
        staircase([places[i] for i in on]),
        PLOT,
    )


def _told(row: Row, table: Totals, what: str, time: float) -> str:
    bits = f"{significant(table.bits(row))} bits per {table.summary.unit}"
    return f"{row.codec}: {bits}, {significant(time)} s per {table.amount} to {what}"


def shortened(name: str) -> str:
    """A name as a label has it."""
    shown = visible(name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def decades(least: float, largest: float) -> tuple[float, float, list[tuple[float, str]]]:
    """A logarithmic axis for times, with room at both ends: its ends as logarithms, and its marks with their texts."""
    low, high = math.log10(least) - 0.15, math.log10(largest) + 0.15
    if high - low < 1:  # never so narrow that noise looks like a difference
        low, high = (low + high) / 2 - 0.5, (low + high) / 2 + 0.5
    exponents = range(math.floor(low), math.ceil(high) + 1)
    named = (1,) if high - low > 3 else (1, 2, 5)
    every = 1 + int((high - low) // 7)  # very wide axes name every second power, or every third
    marks = []
    for exponent in exponents:
        for factor in (1, 2, 5) if high - low <= 4 else (1,):
            if low <= math.log10(factor) + exponent <= high:
                value = factor * 10.0**exponent
                marks.append((value, significant(value, 1) if factor in named and exponent % every == 0 else ""))
    return low, high, marks


def steps(least: float, largest: float) -> tuple[float, float, list[tuple[float, str]]]:
    """A linear axis for sizes, with room at both ends: its ends, and its marks at round numbers, with their texts."""
    span = max(largest - least, 0.05 * largest, 1e-9)
    middle = (least + largest) / 2
    bottom, top = max(middle - 0.62 * span, 0.0), middle + 0.62 * span
    largest_step = (top - bottom) / 4
    power = 10.0 ** math.floor(math.log10(largest_step))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= largest_step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(bottom / step)
    return bottom, top, [(i * step, f"{i * step:.{decimals}f}") for i in range(first, math.floor(top / step) + 1)]


def staircase(points: Sequence[tuple[float, float]]) -> str:
    """The front as a path of steps, from the right end of the plot's top to its right end: what no codec here reaches lies below it.

    points: on the front, from left to right.
    """
    path = f"M{points[0][0]:.1f} {PLOT.top:.1f}"
    for x, y in points:
        path += f"H{x:.1f}V{y:.1f}"
    return path + f"H{PLOT.right:.1f}"


def placed(points: Sequence[tuple[float, float]], names: Sequence[str], corners: Sequence[tuple[float, float]]) -> list[Label]:
    """A place for each label, beside its point where there is room.

    points: of all codecs; corners: those of the front, from left to right, whose steps labels should not cover.
    """
    dots = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    lines = _lines(corners)
    labels: dict[int, Label] = {}
    # those in the middle of many have the least choice: they come first
    crowd = [sum(abs(x - u) < 90 and abs(y - v) < 40 for u, v in points) for x, y in points]
    for i in sorted(range(len(points)), key=lambda i: (-crowd[i], points[i])):
        taken = [label.box for label in labels.values()]

        def fault(label: Label, i: int = i, taken: Sequence[Box] = taken) -> float:
            on_dots = sum(label.box.overlap(dot) for j, dot in enumerate(dots) if j != i)
            on_lines = sum(label.box.overlap(line) for line in lines)
            return (
                10 * label.box.outside(PLOT)
                + 4 * sum(label.box.overlap(other) for other in taken)
                + 4 * on_dots
                + on_lines
                + (12 if label.apart else 0)
            )

        labels[i] = min(_choices(*points[i], len(names[i]) * LETTER), key=fault)
    return [labels[i] for i in range(len(points))]


def _choices(x: float, y: float, width: float) -> list[Label]:
    """Where a label can stand, the best first: right, left, above, below, at the corners, then the same farther away, with a line."""
    found = []
    for far in (0.0, 16.0, 32.0, 48.0):
        gap = RADIUS + 4 + far
        rise = RADIUS + LINE / 2 + 2 + far
        found += [
            _label(x + gap, y, "start", width, far),
            _label(x - gap, y, "end", width, far),
            _label(x, y - rise, "middle", width, far),
            _label(x, y + rise, "middle", width, far),
            _label(x + RADIUS, y - rise, "start", width, far),
            _label(x + RADIUS, y + rise, "start", width, far),
            _label(x - RADIUS, y - rise, "end", width, far),
            _label(x - RADIUS, y + rise, "end", width, far),
        ]
    return found


def _label(x: float, y: float, anchor: str, width: float, far: float) -> Label:
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return Label(x, y, anchor, Box(left, y - LINE / 2, left + width, y + LINE / 2), far > 0)


def _lines(corners: Sequence[tuple[float, float]]) -> list[Box]:
    """The steps of the front, as thin boxes."""
    found = []
    above = PLOT.top
    for i, (x, y) in enumerate(corners):
        following = corners[i + 1][0] if i + 1 < len(corners) else PLOT.right
        found += [Box(x - 1, above, x + 1, y), Box(x, y - 1, following, y + 1)]
        above = y
    return found
