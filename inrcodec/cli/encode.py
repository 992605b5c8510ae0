"""`inrcodec encode`."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Literal

import click

from .. import codec, profiles
from ..errors import InrcodecError, Notice, UnsupportedError, naming
from ..options import CODING_NAMES, DEVICES, LIMITS, NETWORKS, UNTIL
from ..signal import KINDS, MAX_RATE, Kind, Signal, likely_kind
from ..storage import check_output, replace
from ..weights import codings
from .common import IN, SUFFIX, THREADS, limits_of, options_of, read_signal, with_limits
from .output import say
from .progress import ProgressLine
from .signals import interruptible, on_terminal

PROFILES = ("auto", *sorted(profile.name for profile in profiles.registered()))


@click.command(short_help="Compress a file to .linr.")
@click.argument("input", metavar="IN", type=IN)
@click.option("-o", "--output", type=IN, help="Output file. Default: IN with the extension .linr.")
@click.option(
    "--kind",
    type=click.Choice(("auto", *KINDS)),
    default="auto",
    show_default=True,
    help="What a .npy array is. auto: an image if its shape is that of a picture with channels, else an array. audio: (frames) or "
    "(frames, channels), signed. The decoded array is the same.",
)
@click.option("--sample-rate", type=click.IntRange(1, MAX_RATE), help="Frames per second of a .npy array with --kind audio.")
@click.option("--bit-depth", type=click.IntRange(1, 64), help="Bits per sample of a .npy array. Default: those of its type.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="auto",
    show_default=True,
    help="auto: the profile with the smallest file. " + " ".join(f"{p.name}: {p.words} ({p.codes})." for p in profiles.registered()),
)
@click.option(
    "--effort",
    type=click.IntRange(int(LIMITS["effort"][0]), int(LIMITS["effort"][1])),
    default=5,
    show_default=True,
    help="1: fast, 9: small. 8 and 9 also fit networks to pictures of at least 20,000 pixels, which takes minutes; 9 also tries "
    "more settings for sounds. The options from --device to --seed are for fits: with profile inr all of them, with hybrid "
    "--device, --weights and --seed.",
)
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where networks are fitted. auto: on a CUDA GPU if there is one, else on the CPU.",
)
@click.option(
    "--weights",
    type=click.Choice(CODING_NAMES),
    help=f"How the weights of a network are coded: {', '.join(f'{c.name} ({c.words})' for c in codings.CODINGS)}; "
    "auto tries all and takes the smallest weights + payload. Default: uniform with profile inr and --until exact, else auto.",
)
@click.option(
    "--bits",
    type=click.IntRange(2, int(LIMITS["bits"][1])),
    help="Bits per weight for uniform and lsq. Default: 16 for uniform, 4 for lsq.",
)
@click.option(
    "--until",
    type=click.Choice(UNTIL),
    help="When a fit ends before its time is over. exact: when the network predicts every bit. mdl: when weights + payload have stopped "
    "falling (minimum description length). Default: exact with --profile inr, mdl with auto. The file is lossless either way.",
)
@click.option(
    "--network",
    type=click.Choice(NETWORKS),
    default="heads",
    show_default=True,
    help="The network of profile inr. heads: SIREN with an output for each bit-plane. siren: SIREN with the index of the bit as one more "
    "coordinate. bitlinear: positional encoding, GELU, ternary weights, a network for each bit-plane.",
)
@click.option(
    "--hidden", type=click.IntRange(1, int(LIMITS["hidden"][1])), help="Units of a hidden layer. Default: by the size of the signal."
)
@click.option("--layers", type=click.IntRange(1, int(LIMITS["layers"][1])), help="Number of hidden layers. Default: 3.")
@click.option(
    "--omega",
    type=click.FloatRange(0, LIMITS["omega"][1], min_open=True),
    help="Frequency of the first sine layer. Default: by the size of the signal.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, LIMITS["learning_rate"][1], min_open=True),
    help="Learning rate of the fit. Default: by the width of the network.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, int(LIMITS["steps"][1])),
    help="End the fit after this many steps. Default: 20,000 for exact, 4,000 for mdl.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, LIMITS["seconds"][1], min_open=True),
    help="End the fit after this many seconds; each weight coding that is tried adds 15 %. Default: by effort.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, int(LIMITS["batch"][1])),
    help="Pixels or frames per step of the fit. Default: all of a small signal, some of a large one.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random in the fit.")
@THREADS
@with_limits
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@click.option(
    "--no-verify",
    is_flag=True,
    help="Write the file without decoding it for a check. A fault of the memory, the processor or this program then goes unseen: do not "
    "delete the original.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors and notices.")
def encode(input: Path, output: Path | None, force: bool, no_verify: bool, quiet: bool, **given: Any) -> None:
    """Compress IN, an image, a sound or a .npy array, losslessly.

    Before the file is written, the result is decoded and compared with IN.

    Ctrl-C ends a fit early (profile inr, and pictures at efforts 8 and 9): the file is written with the best network so far, and is
    lossless all the same. A second Ctrl-C stops at once and writes nothing. If nothing is being fitted, the first one does so.

    \b
    inrcodec encode photo.png                                     write photo.linr, with the smallest profile
    inrcodec encode photo.png --effort 9 --force                  smaller, but takes minutes
    inrcodec encode take.wav -o take.linr                         a sound: WAV, FLAC, AIFF, …
    inrcodec encode crop.png -o crop.linr --profile inr           fit a network until it predicts every bit
    inrcodec encode smooth.tif --profile inr --until mdl          the shortest description: a small network + payload
    """
    if not input.name:
        raise InrcodecError(f"{input}: is a directory")
    if output is None and input.exists() and not input.is_file() and not input.is_dir():
        raise click.UsageError(f"{input} is no regular file; name the output with -o")
    target = output or input.with_suffix(SUFFIX)
    if target.suffix.lower() != SUFFIX:
        raise click.UsageError(f"the output must be named {SUFFIX}, not {target}")
    check_output(target, force, input)
    original = read_signal(input, limits_of(given))
    del given["max_samples"], given["max_memory"]
    with naming(input):
        original = _as_asked(original, given.pop("kind"), given.pop("sample_rate"), given.pop("bit_depth"))
    line = ProgressLine(not quiet and on_terminal())
    started = time.perf_counter()
    with interruptible("; a fit is written as it is now, other work is given up") as stop:
        given = {name: value for name, value in given.items() if value is not None}
        options, stages = options_of(progress=line, stop=stop, verify=not no_verify, **given).watched()
        line.say("coding")
        try:
            with naming(input):
                data = codec.encode(original, options)
        finally:
            line.clear()

    def write(path: Path) -> None:
        path.write_bytes(data)

    replace(target, write, force, input)
    if unused := options.unused(stages, lambda name: f"--{name.replace('_', '-')}"):
        warnings.warn(Notice(unused), stacklevel=1)
    if not quiet:
        found = codec.info(data)
        rate = found.get("bits_per_pixel") or found.get("bits_per_sample") or 0.0
        unit = "pixel" if "bits_per_pixel" in found else "sample"
        sizes = found["bytes"]
        say(
            f"{target}: {found['profile']}, {original.raw_bytes} → {len(data)} bytes ({100 * len(data) / original.raw_bytes:.1f} %, "
            f"{rate:.3f} bits per {unit}; weights {sizes['weights']}, payload {sizes['payload']}), {time.perf_counter() - started:.1f} s"
        )
        if line.fitted and found["profile"] == "inr":
            error = sum(line.fitted.bit_errors) / len(line.fitted.bit_errors)
            ended = ", interrupted" if stop() else ""
            say(f"fitted in {line.fitted.step} steps, {line.fitted.seconds:.1f} s{ended}: bit error rate {error:.2g} before weight coding")
        if len(data) > original.raw_bytes + 256 + sizes["metadata"]:
            say("the file is larger than the samples; --profile auto writes a smaller one", err=True)


def _as_asked(signal: Signal, kind: Kind | Literal["auto"], sample_rate: int | None, bit_depth: int | None) -> Signal:
    """A signal that was read, with what options say of it, which only an array leaves open. Raises UnsupportedError."""
    if signal.kind == "array":
        known = likely_kind(signal.samples) if kind == "auto" else kind
        return changed(signal, kind=known, sample_rate=sample_rate, bit_depth=bit_depth or 0)
    if kind not in ("auto", signal.kind) or sample_rate or bit_depth:
        raise UnsupportedError(f"is of kind {signal.kind}; --kind, --sample-rate and --bit-depth are for .npy arrays")
    return signal
