"""What the commands share: faults as one line, options, reading and decoding of files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import click

from ..errors import InrcodecError, Notice, Stopped
from ..options import LIMITS, Options
from ..signal import Signal
from ..storage import reason
from .progress import INTERRUPTED, ProgressLine, interruptible, on_terminal

SUFFIX = ".linr"
IN = click.Path(path_type=Path)
THREADS = click.option("--threads", type=click.IntRange(1, int(LIMITS["threads"][1])), help="Threads to use. Default: as many as cores.")


class Commands(click.Group):
    """The group of commands. It turns every expected fault into one line and an exit status."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the registered file types at the end of the help."""
        from .. import files

        with formatter.section("File types"):
            for kind, title in (("image", "pictures"), ("audio", "sound"), ("array", "arrays")):
                known = [t for t in files.types() if t.holds == kind]
                text = ", ".join(f"{t.name} ({' '.join(t.extensions)}{'' if t.write else ', read only'})" for t in known)
                formatter.write_text(f"{title}: {text}")

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Exit with status 1 on a fault of the data, of a file or of memory, and with 130 if interrupted."""
        try:
            return super().invoke(ctx)
        except InrcodecError as fault:
            message = str(fault)
        except MemoryError:
            message = "not enough memory"
        except OSError as fault:
            message = f"{fault.filename}: {reason(fault)}" if fault.filename else reason(fault)
        except (KeyboardInterrupt, Stopped):
            click.echo(INTERRUPTED, err=True)
            ctx.exit(130)
        click.echo(f"inrcodec: {' '.join(message.split())}", err=True)
        ctx.exit(1)
        return None


def only_notices() -> None:
    """Silence the warnings of libraries, and print a Notice as one line."""

    def show(message: Warning | str, *rest: Any) -> None:
        click.echo(f"inrcodec: {message}", err=True)

    warnings.simplefilter("ignore")
    warnings.simplefilter("always", Notice)
    warnings.showwarning = show  # type: ignore[assignment]


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click only
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
    """Decode a .linr file, with a line of progress. Ctrl-C raises Stopped. Arguments and errors: see `codec.decode`."""
    from .. import codec

    line = ProgressLine(on_terminal())
    with interruptible("") as stop:
        try:
            return codec.decode(data, options_of(threads=threads or 0, progress=line, stop=stop), span)
        finally:
            line.clear()
