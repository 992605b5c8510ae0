"""What the commands print: one safe line at a time, on any terminal, pipe or encoding."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

import click

from ..errors import InrcodecError
from ..storage import reason

PIPE_CLOSED = 141  # what a shell shows of a program that SIGPIPE ends


def plain(text: str) -> str:
    """Text as one line without control characters: what cannot be printed is written as in Python, a byte of a name as \\xff."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


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
    """Print a line on standard output, or on standard error.

    Raises:
        BrokenPipeError: nobody reads standard output any more.
        InrcodecError: standard output cannot be written.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    try:
        click.echo(plain(text), file=stream)
    except OSError as fault:
        drop(stream)
        if err:  # there is nobody to tell
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
