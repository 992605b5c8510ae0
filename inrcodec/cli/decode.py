"""`inrcodec decode`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ..errors import FormatError, InrcodecError, UnsupportedError, naming
from ..storage import check_new_folder, check_output
from . import arrays, many, pipes, tensors
from .common import (
    FORCE,
    THREADS,
    Pages,
    Region,
    Seconds,
    check_type,
    decoded,
    facts,
    fail,
    limits_of,
    read_linr,
    size_of,
    with_limits,
    write_as,
    write_folder,
    write_signal,
)
from .headings import TELLING, Command, under
from .output import JSON, QUIET, report, reporting, say
from .pipes import PIPE, Format

OUTPUT = under(
    "Output",
    click.option(
        "-o",
        "--output",
        type=many.NEW_PLACE,
        help="Output file; its extension names the type, unless --format does; - is standard output. Of a folder that was encoded: a new "
        "folder. Default: IN without .linr, with the extension of the type that it came from, or of one that holds exactly the same. Of "
        "several files or of a folder: the folder for the output.",
    ),
    click.option("--format", "extension", type=Format(), help="The type to write, by its extension: png, wav, npy, …. Needed with -o -."),
    FORCE,
)
PART = under(
    "Parts and sizes",
    click.option(
        "--region",
        type=Region(),
        help="For pictures, and for each picture of a stack: only this part, LEFT,TOP,WIDTH,HEIGHT in pixels. Only the tiles needed are "
        "decoded; see encode --tile.",
    ),
    click.option(
        "--scale",
        type=click.Choice(("1/2", "1/4", "1/8", "1/16", "1/32")),
        help="For pictures: at this fraction of the size, each pixel the mean of a block; with --region, of this part. Without --region, "
        "the preview is taken at 1/8 and below if the file holds one (see encode --preview). That takes milliseconds, but is lossy, and a "
        "line says so.",
    ),
    click.option("--exact", is_flag=True, help="With --scale: decode the picture, although the file holds a preview."),
    click.option(
        "--page",
        "pages",
        type=Pages(),
        help="For stacks: only this picture, the first is 1, as a picture; or FIRST,LAST, as a stack. Only the tiles needed are decoded.",
    ),
    click.option(
        "--start",
        type=Seconds(positive=False),
        help="For sounds: begin at this time, in seconds or as minutes:seconds. Only the tiles needed are decoded.",
    ),
    click.option("--duration", type=Seconds(positive=True), help="For sounds: decode this many seconds. Default: to the end."),
    click.option("--array", metavar="NAME", help="Of a file that holds several arrays (.npz): only this one. Only its bytes are decoded."),
)
SALVAGE = click.option(
    "--salvage",
    is_flag=True,
    help="For damaged files: write all that is intact, and say what is lost; lost samples are 0. The exit status is 1 if any byte was "
    "damaged.",
)
NETWORK_ONLY = click.option(
    "--network-only",
    is_flag=True,
    help="Write what the network of a file of profile inr says of the samples, instead of the samples: lossy. See also render.",
)
OF_PARTS = ("start", "duration", "region", "pages", "scale", "array", "salvage", "network_only")  # options by which not all is decoded


@click.command(cls=Command, short_help="Decompress a .linr file.")
@click.argument("inputs", metavar="IN.linr…", type=many.PLACE, nargs=-1, required=True)
@OUTPUT
@PART
@under("Damaged and lossy files", SALVAGE, NETWORK_ONLY)
@many.OF_DECODE
@with_limits
@under("Speed", THREADS)
@under(TELLING, QUIET, JSON)
def decode(inputs: tuple[Path | str, ...], output: Path | str | None, extension: str | None, force: bool, **given: Any) -> None:
    """Decompress IN.linr to an image, a sound or an array; of a checkpoint, to .safetensors, .pt or .pth; of several arrays, to .npz.

    The decoded samples are checked against the digest in the file. With --start, --duration, --region, --page or --scale, only checksums
    of the compressed bytes are checked. Any .linr file can be decoded to .npy. Other formats must be able to hold the samples exactly; but
    of a volume of one bit, a mesh (.obj, .ply, .stl, .off) is the surface between the voxels.

    IN.linr can be -, for standard input; the output then goes to standard output, unless -o names a file.

    \b
    inrcodec decode photo.linr                      to what it came from
    inrcodec decode coded -o back                   all files in a folder
    inrcodec decode take.linr -o take.wav           the whole sound
    inrcodec decode - --format png < x.linr | …     in a pipe
    inrcodec decode model.linr -o m.safetensors     the weights of a network
    inrcodec decode series.linr -o series/          the DICOM files of a folder

    Parts:

    \b
    inrcodec decode take.linr -o bar.wav --start 12.5 --duration 3
    inrcodec decode scan.linr -o part.png --region 100,50,256,256
    inrcodec decode scan.linr -o small.png --scale 1/8
    inrcodec decode stack.linr -o third.tif --page 3
    inrcodec decode runs.linr -o speed.npy --array speed

    What is left of a damaged file:

    \b
    inrcodec decode cut.linr -o left.png --salvage
    """
    started = time.perf_counter()
    part = any(given[name] not in (None, False) for name in OF_PARTS)
    several = many.taken(given)
    if many.is_many("decode", inputs, output, several):
        if part or extension or given["exact"]:
            raise click.UsageError("parts, --salvage, --network-only and --format are for one file")
        many.do(
            "decode", inputs, output, several, {name: given[name] for name in ("threads", "max_samples", "max_memory")} | {"force": force}
        )
        return
    input, output = Path(inputs[0]), None if output is None else Path(output)
    with pipes.source(input, None, limits_of(given)) as source:
        target = output or _target(input, source, extension, part, given)
        if target == PIPE and extension is None:
            raise click.UsageError("say by --format which type is to go to standard output, such as --format png")
        report(input=input, output=target)
        with pipes.target(target, extension, force, input) as made:
            _decode(source, made, force, dict(given))
        if reporting():
            report(output_bytes=size_of(target), whole=not part, **facts(source, given))
    report(seconds=round(time.perf_counter() - started, 3))
    if output is None and target != PIPE:
        say(f"{input} → {target}")


def _target(input: Path, source: Path, extension: str | None, part: bool, given: dict[str, Any]) -> Path:
    """The default output. source: what is read for `input`. Raises click.UsageError; InrcodecError: it cannot be read."""
    from ..batch.naming import default_output, is_output, without_suffix
    from ..files import registry
    from .inspect import info_of

    if input == PIPE:
        return PIPE
    if part:
        raise click.UsageError("name the output with -o: what is decoded is not the whole file")
    if extension is not None:
        plain = without_suffix(input)
        plain = registry.stem(plain) if is_output(plain) else plain
        return plain.with_name(plain.name + extension)
    return default_output(input, lambda: info_of(source, given))


def _decode(input: Path, output: Path, force: bool, given: dict[str, Any]) -> None:
    """Decode a file. given: the other options. Raises InrcodecError; click.UsageError."""
    from .. import files, thumbnails

    start, duration, region, salvage, network_only = (
        given.pop(name) for name in ("start", "duration", "region", "salvage", "network_only")
    )
    part = None if start is None and duration is None else (start or 0.0, duration)
    array: str | None = given.pop("array")
    pages: int | slice | None = given.pop("pages")
    side, exact = int((given.pop("scale") or "1/1")[2:]), given.pop("exact")
    scale = side > 1
    paged = pages is not None
    _check_usage(part is not None, region is not None, paged, scale, exact, salvage, network_only)
    if output.suffix == ".npy" and not (part or region or scale or paged or salvage or network_only or array):
        check_output(output, force, input)
        if _to_npy(input, output, force, given):
            return
    data, to_folder = _opened(input, output, force, salvage, given)
    if array is not None:
        if salvage:
            raise click.UsageError("--salvage decodes the whole file; give it without --array")
        found_array = arrays.one(input, data, array, given)
        if found_array is None:
            if part or region or scale or network_only:
                raise click.UsageError(f"--start, --duration, --region, --scale and --network-only are not for array {array}")
            arrays.decode_typed(input, output, data, array, {"force": force, **given})
            return
        data = found_array
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
    if bundle.holds_arrays(data):
        arrays.decode(input, output, data, force, given)
        return
    if bundle.is_bundle(data):
        tensors.decode(input, output, data, force, given)
        return
    if files.checkpoints.named(output) is not None or files.npz.is_npz(output):
        holding = "tensors" if files.checkpoints.named(output) else "several arrays"
        raise UnsupportedError(f"{output}: files named {output.suffix} hold {holding}, and {input} holds a signal; .npy can hold any")
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
    if to_folder:
        write_folder(output, found)
    else:
        write_signal(output, found, force, input)
    if faults:
        fail(input, faults)


def _check_usage(part: bool, region: bool, paged: bool, scale: bool, exact: bool, salvage: bool, network_only: bool) -> None:
    """Raise click.UsageError if options do not go together. Each argument: whether the option was given."""
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


def _to_npy(source: Path, output: Path, force: bool, given: dict[str, Any]) -> bool:
    """Decode an array that was written brick by brick into a .npy file, in memory for some bricks; whether the file holds such an array.

    Raises FormatError: it is damaged; LimitError; InrcodecError: the output cannot be written.
    """
    import numpy as np

    from ..stream import StreamReader

    try:
        opened = decoded(lambda options: StreamReader(source, options, 0), **given)
    except (InrcodecError, OSError):  # what is wrong is found where other files are read
        return False
    with opened as found:
        if not found.by_bricks or found.kind != "array" or found.metadata:
            return False

        def write(path: Path) -> None:
            array = np.lib.format.open_memmap(path, "w+", found.dtype, found.shape)
            try:
                decoded(lambda options: found.verify(options, array.__setitem__), **given)
            except FormatError as fault:
                raise FormatError(f"{fault}; --salvage writes what is intact") from fault
            array.flush()

        with naming(source):
            limits_of(given).check_shape(found.shape)  # before a file of that size is made
        write_as(output, write, force, source)
    return True


def _opened(input: Path, output: Path, force: bool, salvage: bool, given: dict[str, Any]) -> tuple[bytes, bool]:
    """The bytes of the input, and whether the output is a folder; the output is checked before. Raises InrcodecError."""
    from .. import files

    several = files.checkpoints.named(output) is not None or files.npz.is_npz(output)
    if several or files.registry.is_named(output):
        if not several:
            check_type(output)
        check_output(output, force, input)
        return read_linr(input, given, damaged=salvage), False
    from .. import codec
    from ..files import series

    data = read_linr(input, given, damaged=salvage)
    try:
        with naming(input):
            names = series.names(codec.open_bytes(data, limits_of(given)).metadata)
    except FormatError:  # it is damaged, or no signal
        names = []
    if not names:
        check_output(output, force, input)
        check_type(output)
    check_new_folder(output)
    return data, True
