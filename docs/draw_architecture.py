"""Draw the architecture of the package from its imports: docs/architecture.svg.

    python docs/draw_architecture.py            write the picture
    python docs/draw_architecture.py --check    fail if the picture is not what would be written

A room is a module or a folder of the package. The folders in OPENED are drawn with their own rooms. Every room stands above what it
uses, and arrows lead from a room to what it uses; where the same is reached through another room, the arrow is left out. An arrow
against the order is dashed and red: it closes a circle.

The steps are those of Sugiyama: layers by the longest path, dummies where an arrow passes a layer, an order with few crossings,
places near the neighbours. The same imports give the same bytes: math.fsum, since the sum of floats depends on Python's version.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
PACKAGE = ROOT / "inrcodec"
OPENED = ("profiles", "profiles.hybrid")
MARKED = "torch"  # rooms that import it get a mark

Edge = tuple[str, str]  # a room, and one that it uses
Point = tuple[float, float]

# Reading the imports


@dataclass(frozen=True)
class Module:
    """A module of the package: what it imports of the package, and of others by their first name."""

    name: str
    is_package: bool
    text: str  # the first sentence of its docstring
    has_code: bool
    inside: frozenset[str]
    outside: frozenset[str]


def imported(tree: ast.AST, name: str, is_package: bool) -> set[str]:
    """Everything that a module names in its imports, at any level: "a.b" of `import a.b`, "a.b.c" of `from a.b import c`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            here = name.split(".")
            above = here[: len(here) - node.level + is_package] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{start}.{alias.name}" for alias in node.names}
    return found


def read_package(folder: Path) -> dict[str, Module]:
    """The modules of a package by their dotted names."""
    paths = {}
    for path in sorted(folder.rglob("*.py")):
        parts = list(path.relative_to(folder.parent).with_suffix("").parts)
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    above = {name[:i] for name in paths for i, c in enumerate(name) if c == "."} - paths.keys()
    modules = {name: Module(name, True, "", False, frozenset(), frozenset()) for name in above}  # folders without __init__.py
    for name, path in paths.items():
        tree = ast.parse(path.read_text("utf-8"))
        is_package = path.name == "__init__.py"
        inside, outside = set(), set()
        for other in imported(tree, name, is_package):
            parts = other.split(".")
            if parts[0] != folder.name:
                outside.add(parts[0])
                continue
            while ".".join(parts) not in paths and len(parts) > 1:  # what is not a module is a name in one
                parts.pop()
            inside.add(".".join(parts))
        text = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].replace("`", "").split()).split(". ")[0].rstrip(".")
        has_code = any(not isinstance(node, ast.Expr) for node in tree.body)
        modules[name] = Module(name, is_package, text, has_code, frozenset(inside - {name}), frozenset(outside))
    return dict(sorted(modules.items()))


# Rooms and what they use


@dataclass
class Room:
    """A box of the picture. An open one has rooms of its own."""

    name: str
    text: str = ""
    is_folder: bool = False
    marked: bool = False
    modules: frozenset[str] = frozenset()
    rooms: list[Room] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.name.rpartition(".")[2] + "/" * self.is_folder


def room_of(name: str, modules: Mapping[str, Module]) -> Room:
    """The room of a module, or of a folder and what is in it."""
    members = [module for other, module in modules.items() if other == name or other.startswith(f"{name}.")]
    below = [module for module in members if module.name.rpartition(".")[0] == name]
    own = modules[name]
    room = Room(name, own.text, own.is_package, any(MARKED in module.outside for module in members), frozenset(m.name for m in members))
    if below and name.partition(".")[2] in ("", *OPENED):
        if own.has_code:
            room.rooms.append(Room(f"{name}.__init__", own.text, marked=MARKED in own.outside, modules=frozenset([name])))
        room.rooms += [room_of(module.name, modules) for module in below]
        room.text = ""
    return room


def uses(rooms: Iterable[Room], modules: Mapping[str, Module]) -> set[Edge]:
    """Which of these rooms import something of which."""
    owner = {module: room.name for room in rooms for module in room.modules}
    pairs = {(owner[name], owner.get(other, "")) for name in owner for other in modules[name].inside}
    return {(room, other) for room, other in pairs if other and room != other}


def without_circles(edges: Iterable[Edge]) -> tuple[set[Edge], set[Edge]]:
    """The edges without those that lead back to a room that is being visited, and these."""
    below: dict[str, list[str]] = {}
    for room, other in sorted(edges):
        below.setdefault(room, []).append(other)
        below.setdefault(other, [])
    users = {other for _, other in edges}
    forth: set[Edge] = set()
    back: set[Edge] = set()
    open_rooms: set[str] = set()
    done: set[str] = set()

    def visit(room: str) -> None:
        open_rooms.add(room)
        for other in below[room]:
            (back if other in open_rooms else forth).add((room, other))
            if other not in open_rooms and other not in done:
                visit(other)
        open_rooms.remove(room)
        done.add(room)

    for room in sorted(below, key=lambda room: (room in users, room)):
        if room not in done:
            visit(room)
    return forth, back


def reduced(edges: Iterable[Edge]) -> set[Edge]:
    """The edges without those whose end is also reached through another room. There are no circles."""
    edges = set(edges)
    below: dict[str, set[str]] = {}
    for room, other in edges:
        below.setdefault(room, set()).add(other)
    reached: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in reached:
            reached[room] = set().union(*({other} | reach(other) for other in below.get(room, ())))
        return reached[room]

    return {(room, other) for room, other in edges if not any(other in reach(third) for third in below[room])}


# Layers, order and places


def layers(names: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """A layer for each room, 0 at the bottom, so that every room is above what it uses and arrows are short."""
    below: dict[str, list[str]] = {name: [] for name in names}
    above: dict[str, list[str]] = {name: [] for name in below}
    for room, other in edges:
        below[room].append(other)
        above[other].append(room)
    level: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in level:
            level[room] = 1 + max((height(other) for other in below[room]), default=-1)
        return level[room]

    for name in below:
        height(name)
    moved = True
    while moved:  # a room with more users than used goes up to its users
        moved = False
        for name in sorted(below, key=lambda name: (-level[name], name)):
            if len(above[name]) > len(below[name]):
                highest = min(level[room] for room in above[name]) - 1
                moved |= highest > level[name]
                level[name] = highest
    return level


def crossings(upper: Sequence[str], lower: Sequence[str], links: Sequence[Edge]) -> int:
    """How many links between two rows cross."""
    first = {name: i for i, name in enumerate(upper)}
    second = {name: i for i, name in enumerate(lower)}
    ends = [(first[a], second[b]) for a, b in links if a in first and b in second]
    return sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(ends, 2))


def ordered(rows: list[list[str]], links: Sequence[Edge]) -> list[list[str]]:
    """The rows, each in an order that leaves few crossings: by the mean of the neighbours, then by swaps."""

    def total(rows: Sequence[Sequence[str]]) -> int:
        return sum(crossings(upper, lower, links) for upper, lower in itertools.pairwise(rows))

    def swapped(rows: list[list[str]]) -> list[list[str]]:
        count, better = total(rows), True
        while better:
            better = False
            for row in rows:
                for i in range(len(row) - 1):
                    row[i], row[i + 1] = row[i + 1], row[i]
                    if (new := total(rows)) < count:
                        count, better = new, True
                    else:
                        row[i], row[i + 1] = row[i + 1], row[i]
        return rows

    near: dict[str, set[str]] = {}
    for a, b in links:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    best = swapped([list(row) for row in rows])
    for start in (rows, [row[::-1] for row in rows]):
        trial = [list(row) for row in start]
        for sweep in range(12):
            down = sweep % 2 == 0
            for i in range(1, len(trial)) if down else range(len(trial) - 2, -1, -1):
                fixed = {name: j for j, name in enumerate(trial[i - 1 if down else i + 1])}
                ends = {name: [fixed[other] for other in near.get(name, ()) if other in fixed] for name in trial[i]}
                place = {name: sum(ends[name]) / len(ends[name]) if ends[name] else trial[i].index(name) for name in trial[i]}
                trial[i].sort(key=lambda name, place=place: place[name])  # type: ignore[misc]
            better = swapped([list(row) for row in trial])
            if total(better) < total(best):
                best = better
    return best


def spread(wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The places nearest to those wanted (least squares) that keep neighbours so far apart: by pooling neighbours."""
    offsets = list(itertools.accumulate(apart, initial=0.0))
    pools: list[list[float]] = []  # mean, weight, count
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        pools.append([place - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, heavy, count = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + mean * heavy) / (last[1] + heavy)
            last[1] += heavy
            last[2] += count
    means = [mean for mean, _, count in pools for _ in range(int(count))]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


# Geometry

WIDTH = 156.0  # of a closed room
GAP = 16.0  # between rooms of a layer
LANE = 16.0  # of an arrow that passes a layer
FALL = (40.0, 84.0)  # between layers, more where arrows go far
EDGE = 16.0  # inside an open room
TITLE = 28.0  # above the rooms of an open room
LINE = 14.0  # of a room's text


@dataclass
class Drawing:
    """A room with its size, and within an open one the places of its rooms and the paths of the arrows between them."""

    room: Room
    width: float
    height: float
    lines: list[str] = field(default_factory=list)
    parts: list[tuple[float, float, Drawing]] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)


@dataclass(frozen=True)
class Arrow:
    """From the user to what it uses. One that leads back goes up, and may stand for one that goes down as well."""

    points: list[Point]
    leads_back: bool = False
    both_ways: bool = False


def width_of(text: str) -> float:
    """About the width of a text of size 1 in a sans-serif typeface, rather too much than too little."""
    return math.fsum(0.36 if c in " .,:;'|!()[]ijlftr" else 0.95 if c in "mwMW@→↔…−×" else 0.7 if c.isupper() else 0.6 for c in text)


def wrapped(text: str, width: float, size: float, most: int) -> list[str]:
    """The text in lines of at most that width. One that needs more than `most` is cut off, after a clause if it can be."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}") * size <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = lines[:most]
        clauses = [i for i, word in enumerate(text.split()) if word[-1] in ":;" and 2 < i + 1 <= len(" ".join(lines).split())]
        if clauses:
            return wrapped(" ".join(text.split()[: clauses[-1] + 1])[:-1], width, size, most)
        while " " in lines[-1] and width_of(f"{lines[-1]} …") * size > width:
            lines[-1] = lines[-1].rpartition(" ")[0]
        lines[-1] += " …"
    return lines


class Layout:
    """Rooms in rows, and the arrows between them by way of dummies, one in each row that an arrow passes."""

    def __init__(self, parts: Sequence[Drawing], edges: Iterable[Edge], back: Iterable[Edge]) -> None:
        self.parts = {part.room.name: part for part in parts}
        self.back = {(other, room) for room, other in back}  # drawn from the upper room to the lower one, and turned round at the end
        self.forth = set(edges)
        level = layers(self.parts, self.forth | self.back)
        rows: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
        for name in sorted(self.parts):
            rows[-1 - level[name]].append(name)
        self.chains: dict[Edge, list[str]] = {}
        for room, other in sorted(self.forth | self.back):
            passed = range(level[room] - 1, level[other], -1)
            self.chains[room, other] = [room, *(f"{room}>{other}@{i}" for i in passed), other]
            for i in passed:
                rows[-1 - i].append(f"{room}>{other}@{i}")
        self.links = [link for chain in self.chains.values() for link in itertools.pairwise(chain)]
        self.rows = ordered(rows, self.links)
        self.middle = self._places()

    def _width(self, name: str) -> float:
        return self.parts[name].width if name in self.parts else LANE

    def _places(self) -> dict[str, float]:
        """The middle of each room and dummy: near the middles of those it is linked to, and at last the dummies of an arrow in line."""
        near: dict[str, list[str]] = {name: [] for row in self.rows for name in row}
        for a, b in self.links:
            near[a].append(b)
            near[b].append(a)
        apart = [
            [(self._width(a) + self._width(b)) / 2 + (GAP if a in self.parts or b in self.parts else 0) for a, b in itertools.pairwise(row)]
            for row in self.rows
        ]
        middle: dict[str, float] = {}
        for row, distances in zip(self.rows, apart, strict=True):
            places = list(itertools.accumulate(distances, initial=0.0))
            middle |= {name: place - places[-1] / 2 for name, place in zip(row, places, strict=True)}
        in_line = {name: chain[1:-1] for chain in self.chains.values() for name in chain[1:-1]}
        for sweep in range(120):
            for row, distances in zip(self.rows[:: 1 - sweep % 2 * 2], apart[:: 1 - sweep % 2 * 2], strict=True):
                wanted, weights = [], []
                for name in row:
                    pulls = [(middle[other], 1.0 if other in self.parts else 3.0) for other in near[name]] or [(middle[name], 1.0)]
                    if sweep >= 60 and name in in_line:
                        pulls = [(middle[other], 1.0) for other in in_line[name]]
                    wanted.append(math.fsum(place * pull for place, pull in pulls) / math.fsum(pull for _, pull in pulls))
                    weights.append(1.0 if name in self.parts else 4.0 if sweep < 60 else 40.0)
                middle |= zip(row, spread(wanted, weights, distances), strict=True)
        left = min(middle[name] - self._width(name) / 2 for name in middle)
        return {name: round(place - left, 1) for name, place in middle.items()}

    def into(self, drawing: Drawing, top: float) -> None:
        """Put rooms and arrows into an open room, and give it its size."""
        self.tops: list[float] = []
        self.heights = [max((self.parts[name].height for name in row if name in self.parts), default=0.0) for row in self.rows]
        for height, row in zip(self.heights, self.rows, strict=True):
            self.tops.append(top)
            far = max((abs(self.middle[a] - self.middle[b]) for a, b in self.links if a in row), default=0.0)
            fall = min(max(FALL[0], 30 + far / 14), FALL[1])
            top += height + fall
        for row, start, height in zip(self.rows, self.tops, self.heights, strict=True):
            for name in row:
                if name in self.parts:
                    part = self.parts[name]
                    drawing.parts.append((EDGE + self.middle[name] - part.width / 2, start + (height - part.height) / 2, part))
        for edge, chain in self.chains.items():
            points, leads_back = self._path(edge, chain), edge in self.back
            drawing.arrows.append(Arrow(points[::-1] if leads_back else points, leads_back, leads_back and edge in self.forth))
        widest = max(self.middle[name] + self._width(name) / 2 for name in self.middle)
        drawing.width = max(drawing.width, widest + 2 * EDGE)
        drawing.height = top - fall + EDGE

    def _port(self, room: str, edge: Edge, downwards: bool) -> float:
        """Where an arrow leaves or meets a room: they are side by side, in the order of where they lead."""
        ends = [(self.middle[chain[1]], other) for other, chain in self.chains.items() if chain[0] == room]
        if not downwards:
            ends = [(self.middle[chain[-2]], other) for other, chain in self.chains.items() if chain[-1] == room]
        place = sorted(ends).index(next(end for end in ends if end[1] == edge))
        step = min(18.0, self.parts[room].width / (len(ends) + 1))
        return self.middle[room] + (place - (len(ends) - 1) / 2) * step

    def _path(self, edge: Edge, chain: Sequence[str]) -> list[Point]:
        """The points of an arrow, two for each row: where it enters and leaves it."""
        first = next(i for i, row in enumerate(self.rows) if chain[0] in row)
        points = []
        for i, name in enumerate(chain):
            top, height = self.tops[first + i], self.heights[first + i]
            part = self.parts.get(name)
            x = EDGE + (self._port(name, edge, i == 0) if part else self.middle[name])
            beside = (height - part.height) / 2 if part else 0.0
            if i > 0:
                points += [(x, top), (x, top + beside)] if part else [(x, top)]
            if i < len(chain) - 1:
                points += [(x, top + height - beside), (x, top + height)] if part else [(x, top + height)]
        return [point for point, _ in itertools.groupby(points)]


def drawing_of(room: Room, modules: Mapping[str, Module]) -> Drawing:
    """A room with everything in it, measured and placed."""
    if not room.rooms:
        lines = wrapped(room.text, WIDTH - 20, 11, 3)
        return Drawing(room, WIDTH, 30 + LINE * len(lines), lines)
    forth, back = without_circles(uses(room.rooms, modules))
    drawing = Drawing(room, WIDTH, 0)
    Layout([drawing_of(part, modules) for part in room.rooms], reduced(forth), back).into(drawing, TITLE + EDGE)
    return drawing


# SVG

INK, QUIET, PAPER = "#1f2933", "#5b6875", "#ffffff"
FOLDER, MODULE, OPEN = ("#e3edf7", "#8aa9c7"), ("#ffffff", "#aab4be"), ("#f5f8fb", "#b9c9d9")
ARROW, BACK, MARK = "#7a8896", "#c0392b", "#b45309"
TYPEFACE = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def number(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def text_at(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{number(x)}" y="{number(y)}" {style}>{escape(text)}</text>'


def box(x: float, y: float, width: float, height: float, colours: tuple[str, str]) -> str:
    fill, stroke = colours
    size = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect {size} rx="6" fill="{fill}" stroke="{stroke}"/>'


def path_of(arrow: Arrow, x: float, y: float) -> str:
    """It runs straight through rows and bends between them."""
    moved = [(x + a, y + b) for a, b in arrow.points]
    path = f"M{number(moved[0][0])} {number(moved[0][1])}"
    for (a, b), (c, d) in itertools.pairwise(moved):
        half = (b + d) / 2
        path += f"V{number(d)}" if a == c else f"C{number(a)} {number(half)} {number(c)} {number(half)} {number(c)} {number(d)}"
    style = f'stroke="{ARROW}" marker-end="url(#to)"'
    if arrow.leads_back:
        style = f'stroke="{BACK}" stroke-dasharray="4 3" marker-end="url(#back)"' + ' marker-start="url(#back)"' * arrow.both_ways
    return f'<path d="{path}" fill="none" stroke-width="1.2" {style}/>'


def picture_of(drawing: Drawing, x: float, y: float) -> list[str]:
    """The elements of a room: its box, its name and text, its arrows, its rooms."""
    room = drawing.room
    colours = OPEN if room.rooms else FOLDER if room.is_folder else MODULE
    found = [box(x, y, drawing.width, drawing.height, colours)]
    found.append(text_at(x + 10, y + 19, room.label, f'font-size="13" font-weight="600" fill="{INK}"'))
    if room.marked and not room.rooms:
        found.append(text_at(x + drawing.width - 10, y + 18, MARKED, f'font-size="10" font-weight="600" text-anchor="end" fill="{MARK}"'))
    for i, line in enumerate(drawing.lines):
        found.append(text_at(x + 10, y + 36 + LINE * i, line, f'font-size="11" fill="{QUIET}"'))
    found += [path_of(arrow, x, y) for arrow in drawing.arrows]
    for left, top, part in drawing.parts:
        found += picture_of(part, x + left, y + top)
    return found


def legend(x: float, y: float, has_back: bool) -> list[str]:
    """What boxes, arrows and marks mean."""
    found = []
    for width, (fill, stroke), what in ((62, FOLDER, "folder"), (70, MODULE, "module")):
        found.append(f'<rect x="{number(x)}" y="{number(y - 10)}" width="16" height="12" rx="3" fill="{fill}" stroke="{stroke}"/>')
        found.append(text_at(x + 22, y, what, f'font-size="11" fill="{QUIET}"'))
        x += width + 10
    found.append(f'<path d="M{number(x)} {number(y - 4)}h22" stroke="{ARROW}" stroke-width="1.2" marker-end="url(#to)"/>')
    words = "uses, and what that uses" + "; dashed: against the order" * has_back
    found.append(text_at(x + 34, y, words, f'font-size="11" fill="{QUIET}"'))
    x += 50 + width_of(words) * 11
    found.append(text_at(x, y, MARKED, f'font-size="10" font-weight="600" fill="{MARK}"'))
    found.append(text_at(x + 34, y, "imports it", f'font-size="11" fill="{QUIET}"'))
    return found


def svg_of(folder: Path) -> str:
    """The picture of a package."""
    modules = read_package(folder)
    drawing = drawing_of(room_of(folder.name, modules), modules)
    border, foot = 14.0, 30.0
    width, height = drawing.width + 2 * border, drawing.height + 2 * border + foot
    has_back = '"4 3"' in "".join(picture_of(drawing, 0, 0))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" '
        f'height="{number(height)}" role="img" font-family="{TYPEFACE}">'
    )
    markers = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
        f'<path d="M0 0.5L8 4L0 7.5z" fill="{colour}"/></marker>'
        for name, colour in (("to", ARROW), ("back", BACK))
    )
    lines = [
        head,
        f"<title>The rooms of {escape(folder.name)}, and which uses which</title>",
        f"<defs>{markers}</defs>",
        f'<rect width="{number(width)}" height="{number(height)}" rx="10" fill="{PAPER}"/>',
        *picture_of(drawing, border, border),
        *legend(border + EDGE, height - border - 6, has_back),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None, folder: Path = PACKAGE, picture: Path = PICTURE) -> int:
    parser = argparse.ArgumentParser(description="Draw the architecture of the package from its imports.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the picture is stale")
    check = parser.parse_args(arguments).check
    found = svg_of(folder)
    if not check:
        picture.write_text(found, "utf-8", newline="\n")
        return 0
    if picture.exists() and picture.read_text("utf-8") == found:
        return 0
    print(f"{picture.parent.name}/{picture.name} is stale; renew it: python docs/draw_architecture.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
