"""What a question says, besides the file: its parameters and its header Range."""

from __future__ import annotations

import re
from typing import get_args

from starlette.requests import Request

from . import drawing

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
NUMBERS = re.compile(r"-?\d{1,12}(,-?\d{1,12}){0,3}", re.ASCII)


class AskedWronglyError(Exception):
    """A question that makes no sense. The message says why."""


def layer(request: Request) -> drawing.Layer:
    """The layer that is asked for. Raises AskedWronglyError."""
    mode = request.query_params.get("mode", "picture")
    if mode not in get_args(drawing.Mode):
        raise AskedWronglyError("there is no such mode")
    try:
        top = float(request.query_params.get("top", "8"))
    except ValueError:
        top = 0.0
    if not 0 < top < 1e6:
        raise AskedWronglyError("top is out of range")
    page = numbers(request, "page", ())
    return drawing.Layer(mode, page, number(request, "plane", -1), number(request, "channel", 0), top)  # type: ignore[arg-type]


def area(request: Request) -> tuple[int, int, int, int]:
    """The part of a page that is asked for, (left, top, width, height). Raises AskedWronglyError."""
    left, top, width, height = numbers(request, "area", (0, 0, 0, 0))
    return left, top, width, height


def numbers(request: Request, name: str, usual: tuple[int, ...]) -> tuple[int, ...]:
    """Whole numbers with commas between them. usual: those of one that is not given, which also says how many there are if it is not empty.

    Raises AskedWronglyError.
    """
    text = request.query_params.get(name, "")
    if not text:
        return usual
    found = tuple(map(int, text.split(","))) if NUMBERS.fullmatch(text) else ()
    if not found or (usual and len(found) != len(usual)):
        raise AskedWronglyError(f"{name} is not as it should be")
    return found


def number(request: Request, name: str, usual: int) -> int:
    """A whole number. Raises AskedWronglyError."""
    return numbers(request, name, (usual,))[0]


def part(request: Request, size: int) -> tuple[int, int] | None:
    """The first and the last byte that header Range asks for of so many; None: it asks for none.

    The first is after the last if there is no such part.
    """
    found = RANGE.fullmatch(request.headers.get("range", ""))
    if not found:
        return None
    first, last = found[1], found[2]
    if not first:
        return (max(0, size - int(last)), size - 1) if last and int(last) else (1, 0)
    return int(first), min(int(last), size - 1) if last else size - 1
