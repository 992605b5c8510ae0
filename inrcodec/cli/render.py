"""`inrcodec render`."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import Any

import click

from ..errors import UnsupportedError, naming
from . import pipes, tensors
from .common import FORCE, IN, THREADS, Region, check_type, decoded, limits_of, read_linr, size_of, with_limits, write_as, write_signal
from .headings import TELLING, Command, under
from .output import JSON, QUIET, report, reporting
from .pipes import PIPE, Format


class Sizes(click.ParamType):  # type: ignore[type-arg]
    """Numbers above 0 with an x between them, as 1024x768."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers."""
        if not re.fullmatch(r"[1-9]\d{0,9}(x[1-9]\d{0,9})*", str(value)):
            self.fail(f"{value!r} is no size; give numbers with an x between them, like 1024x768", param, ctx)
        return tuple(map(int, str(value).split("x")))


class Factor(click.FloatRange):
    """A number within limits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; NaN, which is within any limits to click, is none."""
        found = float(super().convert(value, param, ctx))
        return self.fail(f"{value!r} is no number", param, ctx) if math.isnan(found) else found


ASKED = under(
    "The network, and sizes",
    click.option("--network-only", is_flag=True, help="Ask the network alone, although the samples are in the file. Lossy."),
    click.option(
        "--size",
        type=Sizes(),
        help="Ask the network for so many places over the same extent: WIDTHxHEIGHT of a picture; frames of a sound; of an array, the "
        "sizes of its axes in their order.",
    ),
    click.option(
        "--scale",
        type=Factor(0, 4096, min_open=True),
        help="Ask the network for so many times as many places along each axis; 1: the samples.",
    ),
    click.option("--rate", type=click.IntRange(1, 2**32 - 1), help="For sounds: ask the network for so many frames per second."),
    click.option(
        "--config", "configuration", type=Sizes(), help="Ask this network of a supernet: LAYERSxUNITS, like 3x64; info lists them."
    ),
)
OF_ALL = under(
    "Of any file",
    click.option("--region", type=Region(), help="For pictures: only this part of what is rendered, LEFT,TOP,WIDTH,HEIGHT in its pixels."),
    click.option(
        "--bit-depth",
        type=click.IntRange(1, 32),
        help="Render samples of so many bits. Where the file has the samples, their bits do not change and the others are estimated; where "
        "the network is asked, it gives all.",
    ),
    click.option(
        "--fill",
        type=click.Choice(("smooth", "network", "midpoint", "zero")),
        help="With --bit-depth: where the lower bits come from. smooth, the default: from the samples around. network: from the network, "
        "of values or of siren with enough --bit-places. midpoint: the middle of what the known bits leave. zero: zeros.",
    ),
)


@click.command(cls=Command, short_help="Show a .linr file at another size or depth, or what its network says.")
@click.argument("input", metavar="IN.linr", type=IN)
@under(
    "Output",
    click.option(
        "-o",
        "--output",
        type=IN,
        help="Output file; its extension names the type, unless --format does; - is standard output, also if IN.linr is - and "
        "nothing is given.",
    ),
    click.option("--format", "extension", type=Format(), help="The type to write, by its extension: png, wav, npy, …. Needed with -o -."),
    FORCE,
)
@ASKED
@OF_ALL
@with_limits
@under("Speed", THREADS)
@under(TELLING, QUIET, JSON)
def render(input: Path, output: Path | None, extension: str | None, force: bool, **given: Any) -> None:
    """Render IN.linr: at another size or bit depth, a part of it, or what its network alone says.

    Files of profile inr hold a network, which can be asked at any place: --size, --scale, --rate, --network-only and --config ask it. What
    it says is the same on every machine. Of other files, --region and --bit-depth work. A file that was cut can still be rendered with
    --network-only, if a whole network is left of it. IN.linr can be -, for standard input.

    \b
    inrcodec render photo.linr -o large.png --scale 4      between the pixels
    inrcodec render photo.linr -o deep.png --bit-depth 16  8 more bits
    inrcodec render photo.linr -o small.png --config 2x16  one of a supernet
    inrcodec render take.linr -o fine.wav --rate 96000     another rate
    inrcodec render bust.linr -o bust.ply --scale 2        a mesh, of voxels
    """
    started = time.perf_counter()
    if output is None and input != PIPE:
        raise click.UsageError("name the output with -o")
    target = output or PIPE
    if target == PIPE and extension is None:
        raise click.UsageError("say by --format which type is to go to standard output, such as --format png")
    report(input=input, output=target)
    with pipes.source(input, None, limits_of(given)) as source, pipes.target(target, extension, force, input) as made:
        _render(source, made, force, given)
    if reporting():
        report(output_bytes=size_of(target), seconds=round(time.perf_counter() - started, 3))


def _render(input: Path, output: Path, force: bool, given: dict[str, Any]) -> None:
    """Render a file. given: the other options. Raises InrcodecError; click.UsageError."""
    from .. import views as rendering
    from ..files import mesh
    from ..storage import check_output

    check_type(output)
    check_output(output, force, input)
    wanted = {name: given.pop(name) for name in ("size", "scale", "rate", "region", "bit_depth", "fill", "configuration", "network_only")}
    if sum(wanted[name] is not None for name in ("size", "scale", "rate")) > 1:
        raise click.UsageError("--size, --scale and --rate exclude one another")
    asked = wanted["network_only"] or any(wanted[name] is not None for name in ("size", "scale", "rate", "configuration"))
    if wanted["fill"] is not None and (asked or wanted["bit_depth"] is None):
        raise click.UsageError("--fill goes with --bit-depth, and where the samples are known: not with what asks the network")
    if wanted["configuration"] is not None and len(wanted["configuration"]) != 2:
        raise click.UsageError("--config takes LAYERSxUNITS, like 3x64")
    data = read_linr(input, given)
    with naming(input):
        tensors.refuse(data, {"render": True})
        first = rendering.View(network_only=wanted["network_only"], config=wanted["configuration"])
        opened = rendering.open_for(first, data, limits_of(given))
        view = _view(opened, wanted)
        header = opened.header
        if mesh.is_mesh(output) and (fault := mesh.fault_of(header.shape, header.value_map.bits)):
            raise UnsupportedError(fault)
        if mesh.is_mesh(output) and rendering.asks(opened, view):
            field = mesh.closed(decoded(lambda options: rendering.field(opened, view, options), **given))
            metadata = opened.metadata
        else:
            field = None
            found = decoded(lambda options: rendering.render_opened(opened, view, options), **given)
    if field is None:
        write_signal(output, found, force, input)
    else:
        write_as(output, lambda path: mesh.write_field(path, field, header.shape, metadata), force, input)


def _view(opened: Any, wanted: dict[str, Any]) -> Any:
    """The View that options ask for. Raises UnsupportedError if they do not fit the file."""
    from ..signal import named
    from ..views import View

    axes, kind = opened.layout.axes, opened.header.kind
    sizes: tuple[int, ...] = axes
    if wanted["size"]:
        sizes = tuple(reversed(wanted["size"])) if kind == "image" else wanted["size"]
    elif wanted["scale"]:
        sizes = tuple(max(1, round(n * wanted["scale"])) for n in axes)
    elif wanted["rate"]:
        if kind != "audio":
            raise UnsupportedError(f"--rate is for sounds, and this is {named(kind)}")
        sizes = ()
    if wanted["region"] and kind != "image":
        raise UnsupportedError(f"--region is for pictures, and this is {named(kind)}")
    names = {name: wanted[name] for name in ("bit_depth", "network_only", "fill") if wanted[name] is not None}
    return View(sizes, wanted["region"] or (), config=wanted["configuration"], sample_rate=wanted["rate"] or 0, **names)
