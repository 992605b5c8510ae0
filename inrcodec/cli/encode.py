"""`inrcodec encode`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from .. import codec, profiles
from ..errors import InrcodecError, naming
from ..options import CODING_NAMES, DEVICES, LIMITS, NETWORKS, UNTIL
from ..storage import check_output, replace
from ..weights import codings
from .common import IN, SUFFIX, THREADS, options_of, read_signal
from .progress import ProgressLine, interruptible, on_terminal

PROFILES = ("auto", *sorted(profile.name for profile in profiles.registered()))


@click.command(short_help="Compress a file to .linr.")
@click.argument("input", metavar="IN", type=IN)
@click.option("-o", "--output", type=IN, help="Output file; the default is IN with the extension .linr.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="auto",
    show_default=True,
    help="auto: whatever is smallest. " + " ".join(f"{p.name}: {p.words} ({p.codes})." for p in profiles.registered()),
)
@click.option(
    "--effort",
    type=click.IntRange(int(LIMITS["effort"][0]), int(LIMITS["effort"][1])),
    default=5,
    show_default=True,
    help="1 is fast, 9 is small; docs/usage.md has sizes and times of each. 8 and 9 also fit networks to a picture of at least "
    "20,000 pixels, which takes minutes; 9 also tries settings for a sound. "
    "Options from --device to --seed are for networks fitted to the file: inr, and with hybrid --device, --weights and --seed.",
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where networks are fitted: auto uses a GPU if there is one.",
)
@click.option(
    "--weights",
    type=click.Choice(CODING_NAMES),
    help=f"Weight coding: {', '.join(f'{c.name} ({c.words})' for c in codings.CODINGS)}, or auto: "
    "the one with the smallest weights + payload. Default: uniform with --until exact, else auto.",
)
@click.option(
    "--bits",
    type=click.IntRange(2, int(LIMITS["bits"][1])),
    help="Bits per weight for uniform and lsq. Default: 16 for uniform, 4 for lsq.",
)
@click.option(
    "--until",
    type=click.Choice(UNTIL),
    help="exact: fit until every bit is right, or the time of --effort or --seconds is over. "
    "mdl: until weights + payload stop falling. Default: exact with --profile inr, mdl with auto. "
    "The file is exact either way.",
)
@click.option(
    "--network",
    type=click.Choice(NETWORKS),
    default="heads",
    show_default=True,
    help="heads: SIREN with an output per bit-plane. siren: SIREN with the bit index as a coordinate. "
    "bitlinear: positional encoding, GELU, ternary weights, a network per bit-plane.",
)
@click.option(
    "--hidden", type=click.IntRange(1, int(LIMITS["hidden"][1])), help="Units per hidden layer. Default: by the size of the signal."
)
@click.option("--layers", type=click.IntRange(1, int(LIMITS["layers"][1])), help="Hidden layers. Default: 3.")
@click.option(
    "--omega",
    type=click.FloatRange(0, LIMITS["omega"][1], min_open=True),
    help="Frequency of the first sine layer. Default: by the size of the signal.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, LIMITS["learning_rate"][1], min_open=True),
    help="Of Adam. Default: by the width of the network.",
)
@click.option("--steps", type=click.IntRange(1, int(LIMITS["steps"][1])), help="Most steps of the fit. Default: by effort.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, LIMITS["seconds"][1], min_open=True),
    help="Most seconds of the fit; each weight coding tried adds 15 %. Default: by effort.",
)
@click.option("--batch", type=click.IntRange(1, int(LIMITS["batch"][1])), help="Places per step. Default: all of them, where they fit.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random in the fit.")
@THREADS
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@click.option("--no-verify", is_flag=True, help="Do not decode the result and compare it before it is put in place.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def encode(input: Path, output: Path | None, force: bool, no_verify: bool, quiet: bool, **given: Any) -> None:
    """Compress IN, an image, a sound or a .npy array, losslessly.

    The result is decoded and compared before it is put in place. Ctrl-C ends a fit (profile inr, and pictures at efforts 8
    and 9) early: the file is written with the best network so far, and is exact all the same; a second Ctrl-C gives up and
    writes nothing. Where nothing is fitted the first one does.

    \b
    inrcodec encode photo.png                                     photo.linr, as small as auto gets it
    inrcodec encode take.wav -o take.linr                         sound likewise: WAV, FLAC, AIFF, …
    inrcodec encode crop.png -o crop.linr --profile inr           fit a network until every bit is right
    inrcodec encode smooth.tif --profile inr --until mdl          the shortest description: small network + payload
    inrcodec encode crop.png --profile inr --weights sinr         sparse weights over a dictionary
    """
    if not input.name:
        raise InrcodecError(f"{input}: is a directory")
    target = output or input.with_suffix(SUFFIX)
    if target.suffix.lower() != SUFFIX:
        raise click.UsageError(f"the output must be named {SUFFIX}, not {target}")
    check_output(target, force)
    original = read_signal(input)
    line = ProgressLine(not quiet and on_terminal())
    started = time.perf_counter()
    with interruptible("; a fit is written as it is, anything else is given up") as stop:
        options = options_of(progress=line, stop=stop, verify=not no_verify, **{k: v for k, v in given.items() if v is not None})
        line.say("coding; the first run ever compiles for some seconds")
        try:
            with naming(input):
                data = codec.encode(original, options)
        finally:
            line.clear()

    def write(path: Path) -> None:
        path.write_bytes(data)

    replace(target, write, force)
    if not quiet:
        found = codec.info(data)
        rate = found.get("bits_per_pixel") or found.get("bits_per_sample") or 0.0
        unit = "pixel" if "bits_per_pixel" in found else "sample"
        sizes = found["bytes"]
        click.echo(
            f"{target}: {found['profile']}, {original.raw_bytes} → {len(data)} bytes ({100 * len(data) / original.raw_bytes:.1f} %, "
            f"{rate:.3f} bits per {unit}; weights {sizes['weights']}, payload {sizes['payload']}), {time.perf_counter() - started:.1f} s"
        )
        if line.fitted and found["profile"] == "inr":
            error = sum(line.fitted.bit_errors) / len(line.fitted.bit_errors)
            ended = ", interrupted" if stop() else ""
            click.echo(
                f"fitted in {line.fitted.step} steps, {line.fitted.seconds:.1f} s{ended}: bit error rate {error:.2g} before weight coding"
            )
        if len(data) > original.raw_bytes + 256 + sizes["metadata"]:
            click.echo("larger than the samples: --profile auto never writes that", err=True)
