"""`inrcodec encode`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Literal

import click

from .. import codec, files, profiles
from .. import plot as drawing
from ..errors import InrcodecError, UnsupportedError, naming, notice
from ..files.mesh import LEAST_VOXELS, MOST_VOXELS
from ..options import LEAST_TILE, LIMITS
from ..profiles.inr import alone
from ..signal import KINDS, MAX_RATE, Kind, Signal, likely_kind
from ..storage import check_output, replace, stamp
from . import arrays, many, pipes, tensors
from .common import (
    FORCE,
    IN,
    PIXELS,
    SUFFIX,
    THREADS,
    Effort,
    coded,
    limits_of,
    options_of,
    read_input,
    report_coded,
    with_limits,
    write_linr,
)
from .fitoptions import OPTIONS as FIT_OPTIONS
from .headings import TELLING, Command, under
from .output import JSON, QUIET, is_quiet, say
from .pipes import PIPE, Format
from .progress import ProgressLine
from .signals import interruptible, on_terminal

PROFILES = ("auto", *sorted(profile.name for profile in profiles.registered()))


OUTPUT = under(
    "Output",
    click.option(
        "-o",
        "--output",
        type=many.NEW_PLACE,
        help="Output file; - is standard output. Default: IN with the extension .linr. Of several files or of a folder: the folder for the "
        "output, in which a/b.png becomes a/b.png.linr.",
    ),
    FORCE,
    click.option(
        "--no-verify",
        is_flag=True,
        help="Write the file without decoding it for a check. A fault of the memory, the processor or this program then goes unseen: do "
        "not delete the original.",
    ),
)
KIND = click.option(
    "--kind",
    type=click.Choice(("auto", *KINDS)),
    default="auto",
    show_default=True,
    help="What a .npy array is. auto: an image if its shape is that of a picture with channels, a stack if it is that of several such, "
    "else an array. stack: (pages, height, width) or (pages, height, width, channels). audio: (frames) or (frames, channels), signed or "
    "floats. The decoded array is the same.",
)
VOXELS = click.option(
    "--voxels",
    type=click.IntRange(LEAST_VOXELS, MOST_VOXELS),
    help="For a closed mesh (.obj, .ply, .stl, .off): the voxels of a cube along its longest side. Those whose centres lie inside the mesh "
    "become an array of bool, which is what the file holds exactly; of the mesh between the voxels nothing is kept.",
)
INPUT = under(
    "Input",
    click.option(
        "--format",
        "extension",
        type=Format(),
        help="The type of IN, by its extension, where neither its first bytes nor its name tell: png, wav, npy, npz, pt, ….",
    ),
    PIXELS,
    KIND,
    click.option("--sample-rate", type=click.IntRange(1, MAX_RATE), help="Frames per second of a .npy array with --kind audio."),
    click.option("--bit-depth", type=click.IntRange(1, 64), help="Bits per sample of a .npy array. Default: those of its type."),
    VOXELS,
)
PROFILE = click.option(
    "-p",
    "--profile",
    type=click.Choice(PROFILES),
    default="auto",
    show_default=True,
    help="auto: the profile with the smallest file. " + " ".join(f"{p.name}: {p.words} ({p.codes})." for p in profiles.registered()),
)
EFFORT = click.option(
    "-e",
    "--effort",
    cls=Effort,
    type=click.IntRange(int(LIMITS["effort"][0]), int(LIMITS["effort"][1])),
    default=4,
    show_default=True,
    help="1: fast, 5: small. Each step takes up to three times as long as the one before, for encoding and for decoding. "
    "For sounds, 2 and 3 are the same. -1 … -5 are short for it.",
)
TUNE = click.option(
    "--tune",
    is_flag=True,
    default=None,
    help="At efforts 4 and 5, fit the context networks of profile hybrid to a photograph of 20,000 pixels or more. Takes minutes, and "
    "gains some 0.1 %.",
)
PLOT = click.option(
    "--plot",
    type=IN,
    help="With profile inr: draw the fit into this file, .png, .svg or .pdf (needs matplotlib): code length and errors against time, the "
    "weights at their levels, and where in the signal the bits are spent.",
)
LOSSY = click.option(
    "--lossy",
    is_flag=True,
    default=None,
    help="Of a checkpoint: code its floats of two axes or more by --weights with --bits (default 8) each, and print the signal-to-noise "
    "ratio of each tensor. Without it, nothing is ever lost.",
)
TILE = click.option(
    "--tile",
    type=click.IntRange(LEAST_TILE, int(LIMITS["tile"][1])),
    help="For pictures: tiles of so many rows and columns, so that decode --region is fast. The smaller, the larger the file. "
    "Default: about a megapixel.",
)
PREVIEW = click.option(
    "--preview",
    is_flag=True,
    default=None,
    help="For pictures: also write a preview of an eighth of their size, at most 1 % of the file, for decode --scale 1/8.",
)
NO_COMPACT = click.option(
    "--no-compact",
    "compact",
    flag_value=False,
    type=bool,
    default=None,
    help="Write whole sections and a whole digest for small signals too. By default a file of at most 4 KB has the compact form: about 110 "
    "bytes less, one checksum over all, and 4 bytes of the digest.",
)


@click.command(cls=Command, short_help="Compress a file to .linr.")
@click.argument("inputs", metavar="IN…", type=many.PLACE, nargs=-1, required=True)
@OUTPUT
@under("Compression", EFFORT, PROFILE, TILE, PREVIEW, NO_COMPACT, LOSSY, TUNE, THREADS)
@INPUT
@many.OF_ENCODE
@under("Fits of networks", *FIT_OPTIONS, PLOT)
@with_limits
@under(TELLING, QUIET, JSON)
def encode(
    inputs: tuple[Any, ...], output: Any, plot: Path | None, force: bool, no_verify: bool, extension: str | None, **given: Any
) -> None:
    """Compress IN, an image, a sound, an array or a checkpoint (.safetensors, .pt), losslessly; or the voxels of a mesh.

    Arrays are .npy, .npz, NIfTI, DICOM and FITS. A folder of the DICOM files of one series is coded as a volume. IN can be -, for
    standard input; the output then goes to standard output, unless -o names a file. Of several files, folders and patterns, a fault of one
    does not end the work; faults are listed at the end.

    Before the file is written, the result is decoded and compared with IN.

    Ctrl-C ends a fit early (--profile inr, and --tune): the file is written with the best network so far, and is
    lossless all the same. A second Ctrl-C stops at once and writes nothing. If nothing is being fitted, the first one does so. Of many
    files, what is done stays.

    \b
    inrcodec encode photo.png                  write photo.linr
    inrcodec encode photo.png -5 -f            smaller, takes twice as long
    inrcodec encode photos -o coded            all files in a folder
    inrcodec encode photos -o coded -u         those that are new
    inrcodec encode - < photo.png > x.linr     in a pipe
    inrcodec encode photo.jpg --pixels         the pixels of a JPEG
    inrcodec encode take.wav -o take.linr      a sound: WAV, FLAC, AIFF, …
    inrcodec encode cells.tif                  one picture, or a stack of several
    inrcodec encode brain.nii.gz               a volume: NIfTI, FITS, DICOM
    inrcodec encode series                     a folder of DICOM files
    inrcodec encode model.safetensors          the weights of a network

    With a network that is fitted to the file:

    \b
    inrcodec encode crop.png --profile inr               until every bit is right
    inrcodec encode map.tif --profile inr --until mdl    shortest description
    inrcodec encode bust.ply --voxels 128 --profile inr  a mesh, as voxels

    Lossy, on request only: the network alone, or weights of 8 bits each.

    \b
    inrcodec encode photo.png --profile inr --until rate=0.5 --no-payload
    inrcodec encode model.safetensors --lossy --weights lsq --bits 8
    """
    several = many.taken(given)
    if many.is_many("encode", inputs, output, several):
        if plot or extension:
            raise click.UsageError("--plot and --format are for one file")
        many.do("encode", inputs, output, several, {"force": force, "verify": not no_verify, **given})
        return
    input, output = Path(inputs[0]), None if output is None else Path(output)
    if not input.name:
        raise InrcodecError(f"{input}: is a directory")
    if output is None and input.exists() and not input.is_file() and not input.is_dir():
        raise click.UsageError(f"{input} is no regular file; name the output with -o")
    target = output or (PIPE if input == PIPE else _target(input))
    if target != PIPE:
        if target.suffix.lower() != SUFFIX:
            raise click.UsageError(f"the output must be named {SUFFIX}, not {target}")
        check_output(target, force, input)
    with (
        pipes.source(input, extension, limits_of(given), guess=True) as source,
        pipes.target(target, SUFFIX, force, input) as made,
    ):
        switches = {"force": force, "no_verify": no_verify, "quiet": is_quiet(), "stamp": stamp(source)}
        _encode(source, made, plot, switches, given)


def _encode(input: Path, target: Path, plot: Path | None, switches: Mapping[str, Any], given: dict[str, Any]) -> None:
    """Encode a file. switches: force, no_verify, quiet, stamp; given: the other options. Raises InrcodecError; click.UsageError."""
    force, quiet, pixels = switches["force"], switches["quiet"], given.pop("pixels")
    if files.checkpoints.type_of(input):
        tensors.encode(input, target, plot, switches, given)
        return
    if files.npz.is_npz(input):
        arrays.encode(input, target, plot, switches, given)
        return
    if given.pop("lossy"):
        raise click.UsageError(f"--lossy is for checkpoints, and {input} is none; --no-payload makes a lossy file of a signal")
    if plot:
        drawing.check(plot)
        check_output(plot, force, input)
    original = read_input(input, given.pop("voxels"), limits_of(given), pixels)
    del given["max_samples"], given["max_memory"]
    with naming(input):
        original = _as_asked(original, given.pop("kind"), given.pop("sample_rate"), given.pop("bit_depth"))
    line = ProgressLine(not quiet and on_terminal())
    recorder = drawing.Recorder(line)
    started = time.perf_counter()
    with interruptible("; a fit is written as it is now, other work is given up") as stop:
        given = {name: value for name, value in given.items() if value is not None}
        options, stages = options_of(progress=recorder, stop=stop, verify=not switches["no_verify"], **given).watched()
        data = coded(line, input, lambda: codec.encode(original, options))
    write_linr(target, data, switches, input)
    if plot and drawing.can_draw(data, recorder):
        replace(plot, lambda path: drawing.draw(path, data, original, recorder), force, input)
    elif plot:
        notice("without effect: --plot (the file holds no network of profile inr that was fitted)", 1)
    if unused := options.unused(stages, codec.activation_of(data), lambda name: f"--{name.replace('_', '-')}"):
        notice(unused, 1)
    found = codec.info(data)
    report_coded(input, target, found, time.perf_counter() - started, kind=found["kind"], shape=found["shape"], profile=found["profile"])
    if not quiet:
        rate = found.get("bits_per_pixel") or found.get("bits_per_sample") or 0.0
        unit = "pixel" if "bits_per_pixel" in found else "sample"
        sizes = found["bytes"]
        say(
            f"{target}: {found['profile']}, {original.raw_bytes} → {len(data)} bytes ({100 * len(data) / original.raw_bytes:.1f} %, "
            f"{rate:.3f} bits per {unit}; weights {sizes['weights']}, payload {sizes['payload']}), {time.perf_counter() - started:.1f} s"
        )
        if line.fitted and found["profile"] == "inr":
            ended = ", interrupted" if stop() else ""
            say(f"fitted in {line.fitted.step} steps, {line.fitted.seconds:.1f} s{ended}; the network alone: {alone(found['network'])}")
        if not found["lossless"]:
            say("the file is lossy: it holds the network alone")
        if len(data) > original.raw_bytes + 256 + sizes["metadata"]:
            say("the file is larger than the samples; --profile auto writes a smaller one", err=True)


def _target(source: Path) -> Path:
    """The default output: the input with another extension; beside a folder."""
    if source.is_dir():
        return source.with_name(source.name + SUFFIX)
    return files.registry.stem(source).with_name(files.registry.stem(source).name + SUFFIX)


def _as_asked(signal: Signal, kind: Kind | Literal["auto"], sample_rate: int | None, bit_depth: int | None) -> Signal:
    """A signal that was read, with what options say of it, which only an array leaves open. Raises UnsupportedError."""
    if signal.kind == "array":
        known = likely_kind(signal.samples) if kind == "auto" else kind
        return changed(signal, kind=known, sample_rate=sample_rate, bit_depth=bit_depth or 0)
    if kind not in ("auto", signal.kind) or sample_rate or bit_depth:
        raise UnsupportedError(f"is of kind {signal.kind}; --kind, --sample-rate and --bit-depth are for .npy arrays")
    return signal
