"""What the commands print: one safe line at a time, on any terminal, pipe or encoding; or, by --json, one object at the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TextIO, TypeVar

import click

from ..errors import InrcodecError
from ..storage import reason

PIPE_CLOSED = 141  # what a shell shows of a program that SIGPIPE ends


@dataclass
class _Run:
    """What a run prints where.

    found: the object that --json prints, None without it; quiet: whether only faults and notices are printed; data: whether a file goes to
    standard output.
    """

    found: dict[str, Any] | None = None
    quiet: bool = False
    data: bool = False
    names: dict[str, str] = field(default_factory=dict)  # what messages call files that only this run knows

    def spoken(self, text: str) -> str:
        """A text with the names that messages have."""
        for name, words in self.names.items():
            text = text.replace(name, words)
        return text


_run = _Run()
Command = TypeVar("Command", bound=Callable[..., Any])


@contextmanager
def running() -> Iterator[None]:
    """Print lines inside the `with` block, until an option says otherwise."""
    global _run
    before, _run = _run, _Run()
    try:
        yield
    finally:
        _run = before


def _begin(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        _run.found = {"ok": True, "command": ctx.info_name}


def _hush(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    _run.quiet = value
    return value


QUIET = click.option("-q", "--quiet", is_flag=True, callback=_hush, expose_value=False, help="Print nothing but errors and notices.")


def is_quiet() -> bool:
    """Whether --quiet is given."""
    return _run.quiet


JSON = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_begin,
    help='Print one JSON object, for programs: "ok", and what was done. After a fault, "ok" is false and "fault" says why; the line on '
    "standard error and the exit status stay.",
)


def reporting() -> bool:
    """Whether --json is given."""
    return _run.found is not None


def report(**found: Any) -> None:
    """Add fields to the object that --json prints."""
    if _run.found is not None:
        _run.found |= found


def tell(fault: str | None = None) -> None:
    """Print the object of --json, if that is given, once. fault: the line that says why the run failed, if nothing has reported one.

    Raises as `say`, but not after a fault.
    """
    found, _run.found = _run.found, None
    if found is None:
        return
    if fault is not None:
        found = {"ok": False, "command": found["command"], "fault": fault} | {key: value for key, value in found.items() if key != "ok"}
    with suppress(*(() if fault is None else (InrcodecError, BrokenPipeError))):
        for line in json.dumps(_called(found), indent=2).splitlines():
            _print(line, sys.stdout)


def _called(found: Any) -> Any:
    """What JSON can hold of an object, with the names that messages have."""
    if isinstance(found, dict):
        return {key: _called(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_called(value) for value in found]
    if isinstance(found, str | os.PathLike):
        return _run.spoken(os.fspath(found))
    return found


def data_follows() -> None:
    """Print on standard error from now on: a file goes to standard output. Raises click.UsageError: so does --json."""
    if reporting():
        raise click.UsageError("--json and the output - both go to standard output; name a file with -o")
    _run.data = True


def call(path: os.PathLike[str], words: str) -> None:
    """Call a file that only this run knows by other words in all that is printed."""
    _run.names[os.fspath(path)] = words


def plain(text: str) -> str:
    """Text as one line without control characters: what cannot be printed is written as in Python, a byte of a name as \\xff."""
    return "".join(c if c.isprintable() else _escaped(c) for c in _run.spoken(text))


def _escaped(c: str) -> str:
    if "\udc80" <= c <= "\udcff":  # a byte of a file name that is not UTF-8
        return f"\\x{ord(c) - 0xDC00:02x}"
    return c.encode("unicode_escape").decode("ascii")


def any_encoding() -> None:
    """Let standard output and standard error take every character: one that the encoding lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str, err: bool = False) -> None:
    """Print a line on standard output, or on standard error. With --quiet, and before the object of --json, nothing on standard output.

    Raises:
        BrokenPipeError: nobody reads standard output any more.
        InrcodecError: standard output cannot be written.
    """
    if err or not (reporting() or _run.quiet):
        _print(text, sys.stderr if err or _run.data else sys.stdout)


def _print(text: str, stream: TextIO | None) -> None:
    if stream is None:
        return
    try:
        click.echo(plain(text), file=stream)
    except OSError as fault:
        drop(stream)
        if stream is sys.stderr:  # there is nobody to tell
            return
        if isinstance(fault, BrokenPipeError):
            raise
        raise InrcodecError(f"standard output: cannot be written: {reason(fault)}") from fault


def drop(stream: TextIO) -> None:
    """Send what a stream still holds nowhere. Else Python writes it when it ends, and prints a traceback."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
