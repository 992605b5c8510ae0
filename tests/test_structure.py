"""How the code is laid out: short functions, few parameters, imports that only lead down, torch only where networks are fitted."""

from __future__ import annotations

import ast
import runpy
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "inrcodec"
FOLDERS = ("inrcodec", "bench", "formats", "docs")

LINES = 100  # of a function
PARAMETERS = 8  # of a function
PARAMETERS_OF_KERNELS = 12

# The rooms from top to bottom: one imports from those below it and from itself. A module belongs to the longest name that fits, and "" is
# the package's own __init__.py.
ROOMS = (
    "__main__",
    "cli",
    "viewer",
    "report",
    "compare",
    "peers",
    "batch",
    "torch",
    "sound",
    "pillow",
    "imageio",
    "numcodecs",
    "zarr",
    "hdf5",
    "chunks",
    "",
    "pictures",
    "facts",
    "damage",
    "plot",
    "costs",
    "figures",
    "views",
    "bundle",
    "thumbnails",
    "stream",
    "codec",
    "preview",
    "averages",
    "subjects",
    "floatsearch",
    "files",
    "storage",
    "profiles",
    "profiles.hybrid.train",
    "profiles.hybrid",
    "profiles.hybrid.pictures",
    "profiles.hybrid.sound",
    "profiles.hybrid.priors",
    "profiles.hybrid.limits",
    "profiles.inr.train",
    "profiles.inr",
    "profiles.stored",
    "profiles.base",
    "fit",
    "expand",
    "known",
    "compact",
    "header",
    "arrays",
    "weightfloats",
    "tensors",
    "signal",
    "layout",
    "progress",
    "options",
    "limits",
    "weights",
    "finebits",
    "floats",
    "container",
    "compression",
    "values",
    "parallel",
    "kernels",
    "errors",
)
FITTING = {"torch", "sklearn"}  # what only fitting imports, and the module for those who train with torch

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, Any]:
    """The package's modules and their imports at any level, by names without "inrcodec."."""
    found: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "draw_architecture.py"))["read_package"](PACKAGE)
    return found


def inner(name: str) -> str:
    return name.removeprefix(PACKAGE.name).removeprefix(".")


def is_in(name: str, room: str) -> bool:
    return name == room or (room != "" and name.startswith(f"{room}."))


def room_of(name: str) -> int | None:
    """The number of a module's room, from the top."""
    rooms = [i for i, room in enumerate(ROOMS) if is_in(name, room)]
    return max(rooms, key=lambda i: len(ROOMS[i]), default=None)


@cache
def functions() -> list[tuple[str, Function, bool]]:
    """All functions outside of tests: where they are, and whether they are methods."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        methods = {item for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body}
        for node in ast.walk(tree):
            if isinstance(node, Function):
                found.append((f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}", node, node in methods))
    return found


def parameters(function: Function, is_method: bool) -> int:
    given = function.args
    count = len([*given.posonlyargs, *given.args, *given.kwonlyargs]) + (given.vararg is not None) + (given.kwarg is not None)
    is_static = any(isinstance(node, ast.Name) and node.id == "staticmethod" for node in function.decorator_list)
    return count - (is_method and not is_static)


def expect_none(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(found)


def test_functions_are_short() -> None:
    lengths = [(where, (function.end_lineno or 0) - function.lineno + 1) for where, function, _ in functions()]
    expect_none([f"{where} has {length} lines" for where, length in lengths if length > LINES])


def test_functions_have_few_parameters() -> None:
    counts = [(where, parameters(function, is_method)) for where, function, is_method in functions()]
    limits = [(where, n, PARAMETERS_OF_KERNELS if where.startswith("inrcodec/kernels/") else PARAMETERS) for where, n in counts]
    expect_none([f"{where} has {n} parameters of at most {limit}" for where, n, limit in limits if n > limit])


def test_every_module_has_a_room() -> None:
    expect_none([inner(name) for name in modules() if room_of(inner(name)) is None])
    expect_none([room for room in ROOMS if not any(is_in(inner(name), room) for name in modules())])


def test_imports_lead_down() -> None:
    upwards = []
    for name, module in modules().items():
        for other in sorted(module.inside):
            start, end = room_of(inner(name)), room_of(inner(other))
            if start is not None and end is not None and end < start:
                upwards.append(f"{inner(name)} imports {inner(other) or PACKAGE.name}")
    expect_none(upwards)


def test_kernels_import_nothing_of_the_package_but_errors() -> None:
    kernels = [(name, module) for name, module in modules().items() if is_in(inner(name), "kernels")]
    imports = [(name, other) for name, module in kernels for other in module.inside]
    outside = [f"{name} imports {other}" for name, other in imports if inner(other).split(".")[0] not in ("kernels", "errors")]
    expect_none(outside)


def test_only_fitting_imports_torch() -> None:
    """The scripts that train priors do, too, and the integration of PyTorch, which nothing imports."""
    integration = f"{PACKAGE.name}.torch"
    others = {name: module for name, module in modules().items() if "fit" not in name.split(".") and name.split(".")[-1] != "train"}
    assert others.pop(integration).outside & FITTING == {"torch"}
    expect_none([f"{name} imports {found}" for name, module in others.items() for found in sorted(module.outside & FITTING)])
    expect_none([f"{name} imports {integration}" for name, module in modules().items() if integration in module.inside])
