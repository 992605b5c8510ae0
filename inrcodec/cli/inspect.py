"""`inrcodec info` and `inrcodec verify`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .. import bundle, codec, damage, stream
from .. import facts as described
from ..errors import FormatError, InrcodecError, LimitError, UnsupportedError, naming
from ..signal import Signal
from ..storage import check_output, replace_bytes
from ..values import bits_of
from . import arrays, many, pipes, tensors
from .common import (
    FORCE,
    NEW,
    PIXELS,
    THREADS,
    decoded,
    facts,
    fail,
    limits_of,
    read_linr,
    read_signal,
    shortened,
    with_limits,
)
from .headings import TELLING, Command, under
from .output import JSON, QUIET, is_quiet, report, reporting, say
from .pipes import PIPE, Format


@click.command(cls=Command, short_help="Check a .linr file, or compare it with an original.")
@click.argument("inputs", metavar="IN… [ORIGINAL]", type=many.PLACE, nargs=-1, required=True)
@under(
    "Original",
    click.option("--format", "extension", type=Format(), help="The type of ORIGINAL, where neither its first bytes nor its name tell."),
    PIXELS,
)
@under(
    "Many files",
    many.JOBS,
    click.option("--quick", is_flag=True, help="With a manifest: compare only the bytes of the files with it, and decode nothing."),
    many.CLUSTER,
)
@with_limits
@under("Speed", THREADS)
@under(TELLING, QUIET, JSON)
def verify(inputs: tuple[Path | str, ...], extension: str | None, pixels: bool, quick: bool, **given: Any) -> None:
    """Decode IN.linr and check its samples against the digest in the file. With ORIGINAL, compare samples and metadata with that file.

    If the file is damaged, the damaged parts are named; `inrcodec decode --salvage` gets the others out. One of the two can be -, for
    standard input. Of several .linr files and of folders, each is checked; of a manifest that encode has written, each file that it lists.

    \b
    inrcodec verify photo.linr                 check it against its digest
    inrcodec verify photo.linr photo.png       compare it with the original
    inrcodec verify coded                      all .linr files in a folder
    inrcodec verify coded.json                 those that a manifest lists
    inrcodec verify - < photo.linr             in a pipe
    """
    several = many.taken(given)
    if many.is_verify_many(inputs) or quick or several["cluster"]:
        if extension or pixels:
            raise click.UsageError("--format and --pixels are for an original")
        many.verify(inputs, several, quick, given)
        return
    input, original = Path(inputs[0]), Path(inputs[1]) if len(inputs) > 1 else None
    if input == original == PIPE:
        raise click.UsageError("only one of two files can come from standard input")
    started, limits = time.perf_counter(), limits_of(given)
    report(input=input, original=original)
    with ExitStack() as opened:
        source = opened.enter_context(pipes.source(input, None, limits))
        other = None if original is None else opened.enter_context(pipes.source(original, extension, limits, guess=True))
        _verify_file(source, other, pixels, given)
        if reporting():
            report(**facts(source, given))
    report(seconds=round(time.perf_counter() - started, 3))


def _verify_file(input: Path, original: Path | None, pixels: bool, given: dict[str, Any]) -> None:
    """Verify a file. pixels: whether the original may be a lossy picture. Raises InrcodecError; click.exceptions.Exit: it is damaged."""
    fault: FormatError | None = None
    if original is None:
        try:
            count = _verified_by_bricks(input, given)
        except FormatError as found:  # what is damaged can be told of a file that fits in memory
            count, fault = 0, found
        if count:
            say(f"{input}: OK, {count} samples match their digest")
            return
    try:
        _verify(input, original, given | {"pixels": pixels}, fault)
    except LimitError:
        if fault is None:
            raise
        raise fault from None


def _verified_by_bricks(path: Path, given: dict[str, Any]) -> int:
    """How many samples a file has that was written brick by brick, and is verified so; 0 if it is another file, or cannot be opened.

    Raises FormatError: it is damaged; LimitError.
    """
    try:
        found = decoded(lambda options: stream.StreamReader(path, options, 0), **given)
    except (InrcodecError, OSError):
        return 0
    with found:
        if not found.by_bricks:
            return 0
        decoded(found.verify, **given)
        return found.size


def _verify(input: Path, original: Path | None, given: dict[str, Any], known: FormatError | None) -> None:
    """Decode a file in memory and check it, or compare it with another one. known: what is known to be wrong with it."""
    pixels = given.pop("pixels")
    data = read_linr(input, given, damaged=True)
    if bundle.holds_arrays(data):
        arrays.verify(input, original, data, given)
        return
    if bundle.is_bundle(data):
        tensors.verify(input, original, data, given)
        return
    with naming(input):
        try:
            found = decoded(lambda options: codec.decode(data, options), **given)
        except FormatError as fault:
            told = str(known or fault).removeprefix(f"{input}: ")
            fail(input, [told, *(part for part in _damaged_parts(data, given) if part not in told)])
    if original is None:
        say(f"{input}: OK, {found.samples.size} samples match their digest")
        return
    other = read_signal(original, limits_of(given), pixels)
    if other.kind == "array":  # a .npy file does not say what its samples are
        with suppress(UnsupportedError):
            other = replace(other, kind=found.kind, bit_depth=found.bit_depth, sample_rate=found.sample_rate, bfloat16=found.bfloat16)
    if not found.equals(other):
        raise InrcodecError(f"{input}: differs from {original} in {_difference(found, other)}")
    say(f"{input}: OK, the same as {original}")


def _damaged_parts(data: bytes, given: dict[str, Any]) -> list[str]:
    """What is wrong with a file that does not decode, a line each; empty if not even its header can be read."""
    try:
        return decoded(lambda options: damage.salvage(data, options), **given).report()
    except InrcodecError:
        return []


def _difference(a: Signal, b: Signal) -> str:
    """The first thing in which two signals differ."""
    for name in ("kind", "bit_depth", "sample_rate", "bfloat16"):
        if getattr(a, name) != getattr(b, name):
            return f"{name.replace('_', ' ')} ({getattr(a, name)}, {getattr(b, name)})"
    x, y = a.samples, b.samples
    if x.shape != y.shape or x.dtype != y.dtype:
        return f"shape or type ({x.shape} {x.dtype}, {y.shape} {y.dtype})"
    wrong = int((bits_of(x) != bits_of(y)).sum())
    if wrong:
        return f"{wrong} of {x.size} samples"
    keys = [k for k in sorted(a.metadata.keys() | b.metadata.keys()) if a.metadata.get(k) != b.metadata.get(k)]
    return f"metadata, not in samples ({shortened(keys)})"


@click.command(cls=Command, short_help="Show what a .linr file holds.")
@click.argument("inputs", metavar="IN.linr…", type=many.PLACE, nargs=-1, required=True)
@under(
    "Contents",
    click.option("--stages", is_flag=True, help="Also decode the samples, to show what bits and time are spent on."),
    click.option(
        "--map",
        "drawn",
        type=NEW,
        metavar="OUT.png",
        help="Also decode the samples, and draw how many bits each place took: of a sound, bars along the time; of more than two axes, "
        "the mean of all slices.",
    ),
    FORCE,
)
@with_limits
@under(TELLING, QUIET, JSON)
def info(inputs: tuple[Path | str, ...], stages: bool, drawn: Path | None, force: bool, **given: Any) -> None:
    """Show what IN.linr holds and where its bytes go. Without --stages and --map this is fast, as nothing is decoded.

    The limits are for --stages and --map, and --max-memory for metadata too: what a file declares is shown in any case. IN.linr can be -,
    for standard input.

    \b
    inrcodec info photo.linr               for people
    inrcodec info coded                    a line for each file in a folder
    inrcodec info photo.linr --json        for programs
    inrcodec info photo.linr --stages      where bits and time go
    inrcodec info photo.linr --map where.png      which places took many bits
    """
    if many.is_info_many(inputs):
        if stages or drawn:
            raise click.UsageError("--stages and --map are for one file")
        many.info(inputs, given)
        return
    input = Path(inputs[0])
    report(input=input)
    with pipes.source(input, None, limits_of(given)) as source:
        if drawn:
            check_map(drawn, force, source)
        found = info_of(source, given, stages)
        told = _drawn(source, drawn, force, given) if drawn else {}
    report(**found, **told)
    if reporting() or is_quiet():
        return
    for name, value in described.rows(found):
        say(f"{name + ':':<15} {value}")
    for stage in found.get("stages", []):
        _tell_stage(stage, *described.unit(found))
    if told:
        scale = "dark blue is {least:g} bits, yellow {top:.3g} or more; {overhead} bits belong to no place".format(**told["map"])
        say(f"{'map:':<15} {told['map']['path']}: {scale}")


def check_map(path: Path, force: bool, source: Path) -> None:
    """Raise InrcodecError if a map cannot be written to this file. source: the input."""
    if path.suffix.lower() != ".png":
        raise InrcodecError(f"{path}: a map is a .png file")
    check_output(path, force, source)


def _drawn(source: Path, path: Path, force: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the map of a file into another, and say what its colours mean. Raises InrcodecError, naming the file."""
    from .. import costs, figures

    limits = {name: given[name] for name in ("max_samples", "max_memory")}
    data = read_linr(source, limits)
    with naming(source):
        tensors.refuse(data, {"--map": True})
        found = decoded(lambda options: costs.costs(data, options), **limits)
    picture, top = figures.map_of(found.places)
    replace_bytes(path, figures.png(picture), force, source)
    return {"map": {"path": path, "least": 0, "top": top, "overhead": round(found.overhead)}}


def info_of(path: Path, given: Mapping[str, Any], stages: bool = False) -> dict[str, Any]:
    """What `info` says of a file. given: the arguments that `with_limits` makes. Raises InrcodecError, naming the file."""
    limits = {name: given[name] for name in ("max_samples", "max_memory")}
    if not stages:
        return decoded(lambda options: described.of(path, options), **limits)
    data = read_linr(path, limits)
    with naming(path):
        tensors.refuse(data, {"--stages": stages})
        return decoded(lambda options: codec.info(data, stages, options), **limits)


def _tell_stage(stage: dict[str, Any], unit: str, places: float) -> None:
    timed = f"  {stage['seconds']:7.2f} s" if "seconds" in stage else ""
    say(f"  {stage['name']:<20}{stage['bytes']:>10} bytes  {8 * stage['bytes'] / places:8.4f} bits per {unit}{timed}")
    spent = [f"{key} {bits / places:.4f}" for key, bits in stage.get("bits", {}).items() if bits]
    if spent:
        say(f"{'':<6}{', '.join(spent)}")
