"""docs/draw_architecture.py: the graph that it reads from the imports, and a picture in which nothing overlaps."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import loaded

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "docs" / "draw_architecture.py"

FILES = {
    "__init__.py": '"""small: a package. More of it."""\n\nfrom .codec import encode\n',
    "cli.py": "import sys\n\nimport small.codec\nfrom small import __version__, files\n",
    "codec.py": "from . import profiles\nfrom .errors import Fault\n\n\ndef encode():\n    from .profiles import rich\n",
    "errors.py": "",
    "files/__init__.py": "from ..errors import Fault\n",
    "files/png.py": "from . import helper\nfrom ..errors import Fault\n",
    "files/helper.py": "",
    "kernels/__init__.py": '"""Arithmetic."""\n',
    "kernels/add.py": "import numpy.typing as npt\n",
    "profiles/__init__.py": "from ..errors import Fault\n",
    "profiles/plain.py": "from . import Profile\nfrom ..kernels import add\n",
    "profiles/rich/__init__.py": "from .. import Profile\nfrom . import fit\n",
    "profiles/rich/fit.py": "def train():\n    import torch.nn\n",
}


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    return loaded(SCRIPT)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "small"


def test_imports_are_read(draw: ModuleType, package: Path) -> None:
    modules = draw.read_package(package)
    inside = {name: set(module.inside) for name, module in modules.items()}
    assert inside["small"] == {"small.codec"}
    assert inside["small.cli"] == {"small", "small.codec", "small.files"}
    assert inside["small.codec"] == {"small.profiles", "small.profiles.rich", "small.errors"}  # in functions too
    assert inside["small.files.png"] == {"small.files.helper", "small.errors"}
    assert inside["small.profiles.plain"] == {"small.profiles", "small.kernels.add"}
    assert inside["small.profiles.rich"] == {"small.profiles", "small.profiles.rich.fit"}
    assert modules["small.kernels.add"].outside == {"numpy"}
    assert modules["small.profiles.rich.fit"].outside == {"torch"}
    assert modules["small"].text == "small: a package"


def test_rooms_and_what_they_use(draw: ModuleType, package: Path) -> None:
    modules = draw.read_package(package)
    root = draw.room_of("small", modules)
    rooms = {room.name.removeprefix("small."): room for room in root.rooms}
    assert set(rooms) == {"__init__", "cli", "codec", "errors", "files", "kernels", "profiles"}
    assert [room.label for room in rooms["profiles"].rooms] == ["__init__", "plain", "rich/"]
    assert not rooms["files"].rooms  # not among those that are drawn open
    assert rooms["profiles"].marked
    assert not rooms["files"].marked
    edges = {(a.removeprefix("small."), b.removeprefix("small.")) for a, b in draw.uses(root.rooms, modules)}
    assert edges == {
        ("__init__", "codec"),
        ("cli", "__init__"),
        ("cli", "codec"),
        ("cli", "files"),
        ("codec", "errors"),
        ("codec", "profiles"),
        ("files", "errors"),
        ("profiles", "errors"),
        ("profiles", "kernels"),
    }
    assert draw.uses(rooms["profiles"].rooms, modules) == {
        ("small.profiles.plain", "small.profiles.__init__"),
        ("small.profiles.rich", "small.profiles.__init__"),
    }


def test_circles_are_opened(draw: ModuleType) -> None:
    edges = {("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")}
    assert draw.without_circles(edges) == ({("a", "b"), ("b", "c"), ("c", "d")}, {("c", "b")})


def test_arrows_that_others_imply_are_left_out(draw: ModuleType) -> None:
    edges = {("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d"), ("b", "d"), ("a", "e")}
    assert draw.reduced(edges) == {("a", "b"), ("b", "c"), ("c", "d"), ("a", "e")}


def test_a_room_is_above_what_it_uses(draw: ModuleType) -> None:
    edges = {("a", "b"), ("b", "c"), ("c", "d"), ("a", "e"), ("x", "d")}
    level = draw.layers("abcdex", edges)
    assert all(level[room] > level[other] for room, other in edges)
    assert level["d"] == 0
    assert level["e"] == level["a"] - 1  # beside what uses it, not at the bottom


def test_order_avoids_crossings(draw: ModuleType) -> None:
    rows = draw.ordered([["a", "b", "c"], ["x", "y", "z"]], [("a", "z"), ("b", "x"), ("c", "y")])
    assert draw.crossings(rows[0], rows[1], [("a", "z"), ("b", "x"), ("c", "y")]) == 0


def test_places_keep_their_distance(draw: ModuleType) -> None:
    assert draw.spread([0, 10, 40], [1, 1, 1], [5, 5]) == [0, 10, 40]
    assert draw.spread([10, 10, 40], [1, 1, 1], [6, 6]) == [7, 13, 40]
    assert draw.spread([10, 10], [3, 1], [8]) == [8, 16]


def test_text_is_cut_after_a_clause(draw: ModuleType) -> None:
    def lines(text: str) -> str:
        return " ".join(draw.wrapped(text, 80, 10, 2))

    assert lines("one two") == "one two"
    assert lines("one two three four: five six seven eight nine") == "one two three four"
    assert lines("one: two three four, five six seven eight nine") == "one: two three four, five six …"


def test_two_rooms_that_use_each_other_share_an_arrow(draw: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "circle"
    folder.mkdir()
    (folder / "a.py").write_text("from . import b\n", "utf-8")
    (folder / "b.py").write_text("from . import a\n", "utf-8")
    svg = draw.svg_of(folder)
    assert svg.count('stroke-dasharray="4 3"') == svg.count('marker-start="url(#back)"') == 1


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the boxes of rooms."""
    found = []
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"):
        if element.get("rx") == "6":
            x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


@pytest.mark.parametrize("of_this_package", [False, True])
def test_boxes_are_apart_or_in_each_other(draw: ModuleType, package: Path, of_this_package: bool) -> None:
    svg = draw.svg_of(ROOT / "inrcodec" if of_this_package else package)
    found = boxes(svg)
    assert len(found) > 7
    for (a, b, c, d), (e, f, g, h) in itertools.combinations(found, 2):
        apart = c <= e or g <= a or d <= f or h <= b
        nested = (a <= e and b <= f and g <= c and h <= d) or (e <= a and f <= b and c <= g and d <= h)
        assert apart or nested


def test_picture_is_checked(draw: ModuleType, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "picture.svg"
    assert draw.main(["--check"], package, picture) == 1
    assert not picture.exists()
    assert draw.main([], package, picture) == 0
    first = picture.read_bytes()
    assert draw.main([], package, picture) == 0
    assert picture.read_bytes() == first
    assert draw.main(["--check"], package, picture) == 0
    capsys.readouterr()
    (package / "errors.py").write_text("import torch\n", "utf-8")
    assert draw.main(["--check"], package, picture) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert picture.read_bytes() == first
