"""What the commands share: names of files, options, reading and decoding of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InrcodecError
from ..options import LIMITS, Options
from ..storage import reason
from .progress import ProgressLine
from .signals import on_terminal

if TYPE_CHECKING:
    from ..signal import Signal

SUFFIX = ".linr"
SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


class FileName(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click only
    """The name of a file. Whether it can be read or written is found out by reading or writing it."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Raises InrcodecError if the name is empty or that of a directory."""
        name = os.fspath(value)
        if not name:
            raise InrcodecError("the name of a file is empty")
        if name.endswith(SEPARATORS):  # Path would drop it
            raise InrcodecError(f"{name}: {'is a directory' if os.path.isdir(name) else 'no file has a name that ends like this'}")
        return Path(name)


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A time as seconds, minutes:seconds or hours:minutes:seconds. positive: whether it must be above 0."""

    name = "seconds"

    def __init__(self, positive: bool) -> None:
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time in seconds."""
        try:
            total = 0.0
            for part in str(value).split(":"):
                total = 60 * total + float(part)
        except ValueError:
            self.fail(f"{value!r} is not a time; give seconds or minutes:seconds, like 12.5 or 1:30", param, ctx)
        if not (0 < total < 1e9 or (total == 0 and not self.positive)):
            self.fail(f"{value!r} is out of range; the time must be {'above 0' if self.positive else '0 or more'}", param, ctx)
        return total


IN = FileName()
THREADS = click.option("--threads", type=click.IntRange(1, int(LIMITS["threads"][1])), help="Threads to use. Default: as many as cores.")


def options_of(**given: Any) -> Options:
    """The Options with these fields. Raises click.UsageError if one is out of range."""
    try:
        return Options(**given)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault


def read_signal(path: Path) -> Signal:
    """Read a file of a registered type. Raises InrcodecError, naming the file."""
    from .. import files

    try:
        return files.read(path)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


def decoded(data: bytes, threads: int | None, span: tuple[float, float | None] | None = None) -> Signal:
    """Decode a .linr file, with a line of progress. Arguments and errors: see `codec.decode`."""
    from .. import codec

    line = ProgressLine(on_terminal())
    try:
        return codec.decode(data, options_of(threads=threads or 0, progress=line), span)
    finally:
        line.clear()
