"""Help with the options of a command under headings. click has none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]
LIMITING, TELLING = "Limits", "Messages"  # headings of several commands; the second is also that of options without one
NARROW = 24  # columns of the names of options, at most; longer ones have a line for themselves
METAVARS: tuple[tuple[type, str], ...] = ((click.IntRange, "N"), (click.FloatRange, "X"), (click.types.IntParamType, "N"))
RANGE = re.compile(r"([\d.e+-]+)(<=?)x<=([\d.e+-]+)")  # click's words for it


def under(heading: str, *options: Decorator) -> Callable[[Decorated], Decorated]:
    """A decorator that gives a command options, in this order, under a heading of its help."""

    def decorate(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
            made: Any = command.__click_params__[-1]  # type: ignore[attr-defined]
            made.heading = heading
            if not isinstance(made.type, click.Choice) and made.metavar is None:
                made.metavar = next((word for kind, word in METAVARS if isinstance(made.type, kind)), None)
        return command

    return decorate


def sections(command: click.Command, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
    """The options of a command as (names, help), by heading, in the order in which the headings come."""
    found: dict[str, list[tuple[str, str]]] = {}
    for option in command.get_params(ctx):
        if isinstance(option, click.Option) and (record := option.get_help_record(ctx)):
            names, text = record
            found.setdefault(getattr(option, "heading", TELLING), []).append((names, RANGE.sub(_range, text)))
    return found


def _range(match: re.Match[str]) -> str:
    least, sign, most = match.groups()
    return f"above {least}, up to {most}" if sign == "<" else f"{least} to {most}"


class Command(click.Command):
    """A command whose help has its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        for heading, rows in sections(self, ctx).items():
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=NARROW)
