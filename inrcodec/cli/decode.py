"""`inrcodec decode`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import FormatError, UnsupportedError, naming
from ..storage import check_output
from . import tensors
from .common import IN, THREADS, Pages, Region, Seconds, check_type, decoded, fail, limits_of, read_linr, with_limits, write_signal


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
    "--region",
    type=Region(),
    help="For pictures, and for each picture of a stack: only this part, LEFT,TOP,WIDTH,HEIGHT in pixels. Only the tiles needed are "
    "decoded; see encode --tile.",
)
@click.option(
    "--page",
    "pages",
    type=Pages(),
    help="For stacks: only this picture, the first is 1, as a picture; or FIRST,LAST, as a stack. Only the tiles needed are decoded.",
)
@click.option(
    "--scale",
    type=click.Choice(("1/2", "1/4", "1/8", "1/16", "1/32")),
    help="For pictures: at this fraction of the size, each pixel the mean of a block; with --region, of this part. Without --region, "
    "the preview is taken at 1/8 and below if the file holds one (see encode --preview). That takes milliseconds, but is lossy, and a "
    "line says so.",
)
@click.option("--exact", is_flag=True, help="With --scale: decode the picture, although the file holds a preview.")
@click.option(
    "--salvage",
    is_flag=True,
    help="For damaged files: write all that is intact, and say what is lost; lost samples are 0. The exit status is 1 if any byte was "
    "damaged.",
)
@click.option(
    "--network-only",
    is_flag=True,
    help="Write what the network of a file of profile inr says of the samples, instead of the samples: lossy. See also render.",
)
@THREADS
@with_limits
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
def decode(
    input: Path,
    output: Path,
    start: float | None,
    duration: float | None,
    region: tuple[slice, slice] | None,
    salvage: bool,
    network_only: bool,
    **given: Any,
) -> None:
    """Decompress IN.linr to an image, a sound or a .npy array; of a checkpoint, to .safetensors, .pt or .pth.

    The decoded samples are checked against the digest in the file. With --start, --duration, --region, --page or --scale, only checksums
    of the compressed bytes are checked. Any .linr file can be decoded to .npy. Other formats must be able to hold the samples exactly; but
    of a volume of one bit, a mesh (.obj, .ply, .stl, .off) is the surface between the voxels.

    \b
    inrcodec decode take.linr -o take.wav                             the whole sound
    inrcodec decode take.linr -o bar.wav --start 12.5 --duration 3    three seconds of it
    inrcodec decode scan.linr -o part.png --region 100,50,256,256     a part of a picture
    inrcodec decode scan.linr -o small.png --scale 1/8                an eighth of its size
    inrcodec decode stack.linr -o third.tif --page 3                  a picture of a stack
    inrcodec decode cut.linr -o left.png --salvage                    what is left of a damaged file
    inrcodec decode model.linr -o model.safetensors                   the weights of a network
    """
    from .. import files, thumbnails

    force, part = given.pop("force"), None if start is None and duration is None else (start or 0.0, duration)
    pages: int | slice | None = given.pop("pages")
    side, exact = int((given.pop("scale") or "1/1")[2:]), given.pop("exact")
    scale = side > 1
    paged = pages is not None
    if part and (region or scale or paged):
        raise click.UsageError("--start and --duration are for sounds, --region, --page and --scale are for pictures")
    if salvage and (part or region or scale or paged):
        raise click.UsageError("--salvage decodes the whole file; give it without --start, --duration, --region, --page and --scale")
    if network_only and (salvage or part or region or scale or paged):
        raise click.UsageError(
            "--network-only decodes no samples; give it without --salvage, --start, --duration, --region, --page and --scale"
        )
    if paged and scale:
        raise click.UsageError("--scale is for pictures, --page is for stacks; decode the page first")
    if exact and not scale:
        raise click.UsageError("--exact goes with --scale; without it, all that is decoded is exact")

    if files.checkpoints.named(output) is None:
        check_type(output)
    check_output(output, force, input)
    data = read_linr(input, given, damaged=salvage)
    if scale and not region and not exact:
        with naming(input):  # before anything is imported that takes longer
            shown = thumbnails.of_preview(data, side, limits_of(given))
        if shown:
            write_signal(output, shown, force, input)
            return
    from .. import bundle, codec, container, damage, views

    asked = {"--salvage": salvage, "--network-only": network_only, "--start": start is not None, "--duration": duration is not None}
    asked |= {"--region": region is not None, "--page": paged, "--scale": scale}
    with naming(input):
        tensors.refuse(data, asked)
    if bundle.is_bundle(data):
        tensors.decode(input, output, data, force, given)
        return
    if files.checkpoints.named(output) is not None:
        raise UnsupportedError(f"{output}: files named {output.suffix} hold tensors, and {input} holds a signal; .npy can hold any")
    with naming(input):
        if salvage:
            salvaged = decoded(lambda options: damage.salvage(data, options), **given)
            found, faults = salvaged.signal, salvaged.report()
            if len(salvaged.lost) == salvaged.tiles:
                fail(input, [*faults, "nothing is left of the samples, so no output is written"])
        elif network_only:
            view = views.View(network_only=True)
            found, faults = decoded(lambda options: views.render(data, view, options), **given), []
        elif scale:
            found, faults = decoded(lambda options: thumbnails.thumbnail(data, side, options, region, exact), **given), []
        else:
            try:
                found, faults = decoded(lambda options: codec.decode(data, options, part, region, pages), **given), []
            except FormatError as fault:
                hint = "" if container.is_compact(data) else "; --salvage writes what is intact"
                raise FormatError(f"{fault}{hint}") from fault
    write_signal(output, found, force, input)
    if faults:
        fail(input, faults)
