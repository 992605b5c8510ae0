"""`inrcodec view`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import viewer
from .common import FILE_OR_FOLDER, THREADS, limits_of, options_of, with_limits
from .headings import TELLING, Command, under
from .output import JSON, report, reporting, say, tell


@click.command(cls=Command, short_help="Show a .linr file, or a folder of them, in a browser.")
@click.argument("input", metavar="IN", type=FILE_OR_FOLDER)
@under(
    "Page",
    click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of this machine for the page. Default: one that is free."),
    click.option("--browser/--no-browser", default=True, help="Open a browser, or only print the address. Default: open one."),
)
@with_limits
@under("Speed", THREADS)
@under(TELLING, JSON)
def view(input: Path, port: int, browser: bool, **given: Any) -> None:
    """Show IN, a .linr file or a folder of them, on a page of this machine, until Ctrl-C.

    Pictures can be moved and enlarged, with the exact value of each pixel; beside the picture there are its bits, the bits that each pixel
    took, and what a network alone says. Stacks and arrays are shown slice by slice, sounds are played. Only what is looked at is decoded.

    Nobody but the browser that gets the address can ask: it has a secret, and only programs on this machine reach it. Nothing is
    written. It needs the extra `view`.

    \b
    inrcodec view photo.linr               a file
    inrcodec view coded                    all .linr files in a folder
    inrcodec view coded --no-browser       only print the address
    inrcodec view coded --json             the same, for programs
    """
    viewer.require()
    from ..viewer import serving

    limits = limits_of(given)
    options = options_of(threads=given["threads"] or 0, max_samples=limits.max_samples, max_memory=limits.max_memory)

    def started(address: str) -> None:
        report(input=input, address=address)
        if reporting():
            tell()  # now: the command ends when somebody ends it
        else:
            say(f"{address} shows {input}; Ctrl-C ends it")

    if not serving.run(input, options, port, browser, started):
        serving.leave()
