"""`inrcodec decode`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import FormatError, InrcodecError, naming
from ..storage import check_output, replace
from .common import IN, THREADS, Seconds, decoded, fail, read_linr, shortened, with_limits
from .output import say


@click.command(short_help="Decompress a .linr file.")
@click.argument("input", metavar="IN.linr", type=IN)
@click.option("-o", "--output", required=True, type=IN, help="Output file; its extension names the format.")
@click.option(
    "--start",
    type=Seconds(positive=False),
    help="For sounds: begin at this time, in seconds or as minutes:seconds. Only the tiles needed are decoded.",
)
@click.option(
    "--duration",
    type=Seconds(positive=True),
    help="For sounds: decode this many seconds. Default: to the end.",
)
@click.option(
    "--salvage",
    is_flag=True,
    help="For damaged files: write all that is intact, and say what is lost; lost samples are 0. The exit status is 1 if anything is.",
)
@THREADS
@with_limits
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
def decode(input: Path, output: Path, start: float | None, duration: float | None, salvage: bool, force: bool, **given: Any) -> None:
    """Decompress IN.linr to an image, a sound or a .npy array.

    The decoded samples are checked against the digest in the file. With --start or --duration, only checksums of the compressed bytes are
    checked. Any .linr file can be decoded to .npy. Other formats must be able to hold the samples exactly.

    \b
    inrcodec decode take.linr -o take.wav                             the whole sound
    inrcodec decode take.linr -o bar.wav --start 12.5 --duration 3    three seconds of it
    inrcodec decode cut.linr -o left.png --salvage                    what is left of a damaged file
    """
    from .. import codec, damage, files

    part = None if start is None and duration is None else (start or 0.0, duration)
    if salvage and part:
        raise click.UsageError("--salvage decodes the whole file; give it without --start and --duration")

    files.check(output)
    check_output(output, force, input)
    data = read_linr(input, given, damaged=salvage)
    with naming(input):
        if salvage:
            salvaged = decoded(lambda options: damage.salvage(data, options), **given)
            found, faults = salvaged.signal, salvaged.report()
            if len(salvaged.lost) == salvaged.tiles:
                fail(input, [*faults, "nothing is left of the samples, so no output is written"])
        else:
            try:
                found, faults = decoded(lambda options: codec.decode(data, options, part), **given), []
            except FormatError as fault:
                raise FormatError(f"{fault}; --salvage writes what is intact") from fault
    lost: list[str] = []

    def write(path: Path) -> None:
        try:
            files.write(path, found)
            lost.extend(sorted(files.lost(path, found)))
        except InrcodecError as fault:  # its message names the temporary file
            fault.args = (str(fault).replace(str(path), str(output)),)
            raise

    replace(output, write, force, input)
    if lost:
        say(f"inrcodec: {output}: this format does not keep exactly: {shortened(lost)}", err=True)
    if faults:
        fail(input, faults)
