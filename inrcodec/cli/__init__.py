"""The command line. Exit status: 0 done, 1 the data or a file is at fault (one line on standard error), 2 wrong usage."""

from __future__ import annotations

import json
import shutil
import signal as signals
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from .. import __version__
from ..errors import InrcodecError, UnsupportedError, naming
from ..options import CODINGS, DEVICES, LIMITS, NETWORKS, PROFILES, UNTIL, Progress, Options
from ..signal import Signal
from ..storage import check_output, read_bytes, reason, replace

SUFFIX = ".linr"


class Commands(click.Group):
    """Turns every expected fault into one line and status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InrcodecError as fault:
            message = str(fault)
        except MemoryError:
            message = "not enough memory"
        except OSError as fault:
            message = f"{fault.filename}: {reason(fault)}" if fault.filename else reason(fault)
        except KeyboardInterrupt:
            click.echo("inrcodec: interrupted; nothing was written", err=True)
            ctx.exit(130)
        click.echo(f"inrcodec: {' '.join(message.split())}", err=True)
        ctx.exit(1)
        return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="inrcodec")
def main() -> None:
    """A lossless neural codec for images, sound and other integer arrays.

    \b
    inrcodec encode photo.png -o photo.linr     compress; decodes and compares before the file appears
    inrcodec decode photo.linr -o photo.png     the same samples and metadata again
    inrcodec info photo.linr                    what is inside, and where the bytes go
    inrcodec verify photo.linr photo.png        compare with an original

    Images: PNG, TIFF, PNM/PAM, BMP, lossless WebP, 1 to 16 bits. Sound: WAV, FLAC, AIFF, AU, CAF, W64,
    8 to 32 bits.
    Arrays: NumPy .npy of any integer type or bool, 1 to 4 dimensions.
    """
    warnings.simplefilter("ignore")  # of libraries; ours are errors


def _read_signal(path: Path) -> Signal:
    from .. import files

    try:
        return files.read(path)
    except OSError as fault:
        raise InrcodecError(f"{path}: cannot be read: {reason(fault)}") from fault


IN = click.Path(path_type=Path)


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click only
    """Seconds, or minutes:seconds, or hours:minutes:seconds."""

    name = "seconds"

    def __init__(self, positive: bool) -> None:
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            total = 0.0
            for part in str(value).split(":"):
                total = 60 * total + float(part)
        except ValueError:
            self.fail(f"{value!r} is not a time in seconds, as 12.5 or 1:30", param, ctx)
        if not (0 < total < 1e9 or (total == 0 and not self.positive)):
            self.fail(f"{value!r} is not a time of {'above 0' if self.positive else '0 or more'} seconds", param, ctx)
        return total


THREADS = click.option("--threads", type=click.IntRange(1, int(LIMITS["threads"][1])), help="Default: all cores.")


# --- progress and interruption ------------------------------------------------------------------------------------


class ProgressLine:
    """One line on standard error that is written over: stage, time, step, bit errors per plane, PSNR, code length."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.width = 0
        self.fitted: Progress | None = None  # the last word on the fit itself

    def __call__(self, status: Progress) -> None:
        if status.stage == "fit":
            self.fitted = status
        if not self.shown:
            return
        if not status.bit_errors:
            self._write(f"{status.stage} {100 * status.fraction:3.0f}%  {status.seconds:.0f} s")
            return
        # as in a plot: one column per bit-plane, the most significant first
        marks = "".join("·" if e == 0 else "▁▂▃▄▅▆▇█"[min(7, int(e * 16))] for e in status.bit_errors)
        mean = sum(status.bit_errors) / max(1, len(status.bit_errors))
        weights = f" + weights {_size(status.weights_bytes)}" if status.weights_bytes else ""
        self._write(
            f"{status.stage} {100 * status.fraction:3.0f}%  step {status.step}  {status.seconds:.0f} s  "
            f"bit errors {mean:.2e} [{marks}]  PSNR {status.psnr:.1f} dB  payload {_size(status.payload_bytes)}{weights}"
        )

    def say(self, text: str) -> None:
        if self.shown:
            self._write(text)

    def _write(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be written over
        sys.stderr.write("\r" + text.ljust(self.width))
        sys.stderr.flush()
        self.width = len(text)

    def clear(self) -> None:
        if self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()
            self.width = 0


@contextmanager
def _interruptible(say: str) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks the work to end, and says so; the second one ends the program."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        sys.stderr.write(f"\nstopping{say}. Ctrl-C again gives up at once\n")

    before = signals.signal(signals.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signals.signal(signals.SIGINT, before)


def _on_terminal() -> bool:
    """Whether standard error is there and is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.2f} GB"


# --- encode -------------------------------------------------------------------------------------------------------


def _options(**given: Any) -> Options:
    """The options, or wrong usage if one of them is out of its range."""
    try:
        return Options(**given)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault


@main.command(short_help="Compress a file to .linr.")
@click.argument("input", metavar="IN", type=IN)
@click.option("-o", "--output", type=IN, help="Output file; the default is IN with the extension .linr.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="auto",
    show_default=True,
    help="auto: whatever is smallest. hybrid: predicts each bit from what was decoded before (sound, images, and arrays up to 16 bits). "
    "inr: a network fitted to the coordinates, even where that is larger. stored: no model.",
)
@click.option(
    "--effort",
    type=click.IntRange(1, 9),
    default=5,
    show_default=True,
    help="1 is fast, 9 is small; README.md has the curve. 8 and 9 also fit networks to a picture of at least 20,000 pixels, "
    "which takes minutes; 9 also tries settings for a sound. "
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
    type=click.Choice(CODINGS),
    help="Weight coding: uniform n bits, lsq (n bits, learned step), ternary, sinr (sparse over a seeded dictionary), or auto: "
    "the one with the smallest weights + payload. Default: uniform with --until exact, else auto.",
)
@click.option("--bits", type=click.IntRange(2, 16), help="Bits per weight for uniform and lsq. Default: 16 for uniform, 4 for lsq.")
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
    from .. import codec

    if not input.name:
        raise InrcodecError(f"{input}: is a directory")
    target = output or input.with_suffix(SUFFIX)
    if target.suffix.lower() != SUFFIX:
        raise click.UsageError(f"the output must be named {SUFFIX}, not {target}")
    check_output(target, force)
    original = _read_signal(input)
    line = ProgressLine(not quiet and _on_terminal())
    started = time.perf_counter()
    with _interruptible("; a fit is written as it is, anything else is given up") as stop:
        options = _options(progress=line, stop=stop, verify=not no_verify, **{k: v for k, v in given.items() if v is not None})
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


# --- decode, verify, info -----------------------------------------------------------------------------------------


def _decoded(data: bytes, threads: int | None, span: tuple[float, float | None] | None = None) -> Signal:
    """The signal, with a line of progress."""
    from .. import codec

    line = ProgressLine(_on_terminal())
    with _interruptible("") as stop:
        try:
            return codec.decode(data, _options(threads=threads or 0, progress=line, stop=stop), span)
        finally:
            line.clear()


@main.command(short_help="Decompress a .linr file.")
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
        found = _decoded(data, threads, part)

    def write(path: Path) -> None:
        try:
            files.write(path, found)
        except UnsupportedError as fault:  # it names the temporary file
            raise UnsupportedError(str(fault).replace(str(path), str(output))) from fault
        lost = sorted(files.lost(path, found))
        if lost:
            click.echo(f"{output}: this format cannot hold {', '.join(lost)}", err=True)

    replace(output, write, force)


@main.command(short_help="Check a .linr file, or compare it with an original.")
@click.argument("input", metavar="IN.linr", type=IN)
@click.argument("original", metavar="[ORIGINAL]", type=IN, required=False)
@THREADS
def verify(input: Path, original: Path | None, threads: int | None) -> None:
    """Decode IN.linr and check it against its digest; with ORIGINAL, compare samples and metadata with that file."""
    data = read_bytes(input)
    with naming(input):
        found = _decoded(data, threads)
    if original is None:
        click.echo(f"{input}: OK, {found.samples.size} samples match their digest")
        return
    other = _read_signal(original)
    if not found.equals(other):
        raise InrcodecError(f"{input}: differs from {original} in {_difference(found, other)}")
    click.echo(f"{input}: OK, the same as {original}")


def _difference(a: Signal, b: Signal) -> str:
    """The first thing in which two signals differ."""
    for name in ("kind", "bit_depth", "sample_rate"):
        if getattr(a, name) != getattr(b, name):
            return f"{name.replace('_', ' ')} ({getattr(a, name)}, {getattr(b, name)})"
    x, y = a.samples, b.samples
    if x.shape != y.shape or x.dtype != y.dtype:
        return f"shape or type ({x.shape} {x.dtype}, {y.shape} {y.dtype})"
    wrong = int((x != y).sum())
    if wrong:
        return f"{wrong} of {x.size} samples"
    keys = [k for k in sorted(a.metadata.keys() | b.metadata.keys()) if a.metadata.get(k) != b.metadata.get(k)]
    return f"metadata ({', '.join(keys)})"


@main.command(short_help="Show what a .linr file holds.")
@click.argument("input", metavar="IN.linr", type=IN)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--stages", is_flag=True, help="Decode the samples as well, to show where bits and time go.")
def info(input: Path, as_json: bool, stages: bool) -> None:
    """Show what IN.linr holds and where its bytes go; without --stages, no sample is decoded."""
    from .. import codec

    data = read_bytes(input)
    with naming(input):
        found = codec.info(data, stages)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    total = found["file_bytes"]
    rate, unit = (found["bits_per_pixel"], "pixel") if "bits_per_pixel" in found else (found["bits_per_sample"], "sample")
    places = 8 * total / rate
    rows = [
        ("profile", found["profile"]),
        ("signal", f"{found['kind']} {' × '.join(map(str, found['shape']))}, {found['bit_depth']} bits ({found['dtype']})"),
        *([("sample rate", f"{found['sample_rate']} Hz")] if found["sample_rate"] else []),
        ("size", f"{total} bytes, {100 * total / found['raw_bytes']:.1f} % of {found['raw_bytes']}; {rate:.3f} bits per {unit}"),
        *((name, f"{n} bytes, {100 * n / total:.1f} %") for name, n in found["bytes"].items()),
        ("values", "offset {offset}, step {step}, {bits} bits".format(**found["value_map"])),
        ("tiles", f"{found['tiles']['count']} of {' × '.join(map(str, found['tiles']['shape']))}"),
    ]
    if found["weights"]:
        w, n = found["weights"], found["network"]
        rows += [
            ("network", f"{n['form']}: {n['layers']} hidden layers of {n['hidden']}, {n['activation']}, {n['octaves']} octaves"),
            ("planes", n["planes"]),
            ("weights coded", f"{w['coding']} {w['setting'] or ''}: {w['parameters']} parameters, {w['bits_per_parameter']:.2f} bits each"),
        ]
    if found["profile"] == "hybrid" and found["network"]["transform"] == "sound":
        n = found["network"]
        with_tables = f", {n['tables']} with tables" if n["tables"] else ""
        rows += [
            ("model", f"least squares of {', '.join(n['least_squares'])} taps, LMS of {', '.join(map(str, n['filters'])) or 'none'}"),
            ("looks back", f"at up to {n['lags']} places"),
            ("network", f"{n['units']} units" if n["units"] else "none"),
            ("channels", f"{len(n['channels'])} coded{with_tables}, {n['copies']} copies"),
        ]
    elif found["profile"] == "hybrid":
        n = found["network"]
        network = f"network of {n['units']} units, prior {n['prior']}" if n["units"] else "no network"
        rows.append(("model", f"{n['transform']}; {n['least_squares']} least squares predictors, {network}, contexts: {n['contexts']}"))
        rows += [("fitted", f"plane {d['plane']} {d['pass']}: {d['coding']}, {d['bytes']} bytes") for d in n.get("deltas", [])]
    rows += [(f"metadata {k}", f"{n} bytes") for k, n in found["metadata"].items()]
    rows.append(("digest", f"SHA-256 {found['digest']}"))
    for name, value in rows:
        click.echo(f"{name + ':':<15} {value}")
    for stage in found.get("stages", []):
        timed = f"  {stage['seconds']:7.2f} s" if "seconds" in stage else ""
        click.echo(f"  {stage['name']:<20}{stage['bytes']:>10} bytes  {8 * stage['bytes'] / places:8.4f} bits per {unit}{timed}")
        spent = [f"{key} {bits / places:.4f}" for key, bits in stage.get("bits", {}).items() if bits]
        if spent:
            click.echo(f"{'':<6}{', '.join(spent)}")


@main.command(short_help="Fit, encode, decode and compare some examples.")
@click.option("--directory", type=IN, default=Path("demo"), show_default=True, help="Where the files go.")
def demo(directory: Path) -> None:
    """A photograph, a crop of it fitted until every bit is right, and sound both ways: encoded, decoded, compared."""
    from .demo import run

    run(directory, ProgressLine(_on_terminal()))
