"""`inrcodec decode`."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UnsupportedError, naming
from ..storage import check_output, read_bytes, replace
from .common import IN, THREADS, Seconds, decoded


@click.command(short_help="Decompress a .linr file.")
@click.argument("input", metavar="IN.linr", type=IN)
@click.option("-o", "--output", required=True, type=IN, help="Output file; its extension names the format.")
@click.option(
    "--start",
    type=Seconds(positive=False),
    help="Of a sound: decode from here on, in seconds or as 1:30; only the blocks needed.",
)
@click.option("--duration", type=Seconds(positive=True), help="Of a sound: decode so many seconds, at least a frame. Default: to the end.")
@THREADS
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
def decode(input: Path, output: Path, start: float | None, duration: float | None, threads: int | None, force: bool) -> None:
    """Decompress IN.linr to an image, a sound or a .npy array.

    Every sample is checked against the digest in the file (not where only a part is decoded: its blocks have checksums of their own, but
    those are of the compressed bytes). Any .linr file can be decoded to .npy; other formats must be able to hold the samples exactly.

    \b
    inrcodec decode take.linr -o take.wav                             all of it
    inrcodec decode take.linr -o bar.wav --start 12.5 --duration 3    three seconds of it
    """
    from .. import files

    files.check(output)
    check_output(output, force)
    data = read_bytes(input)
    with naming(input):
        part = None if start is None and duration is None else (start or 0.0, duration)
        found = decoded(data, threads, part)

    def write(path: Path) -> None:
        try:
            files.write(path, found)
        except UnsupportedError as fault:  # it names the temporary file
            raise UnsupportedError(str(fault).replace(str(path), str(output))) from fault
        lost = sorted(files.lost(path, found))
        if lost:
            click.echo(f"{output}: this format cannot hold {', '.join(lost)}", err=True)

    replace(output, write, force)
