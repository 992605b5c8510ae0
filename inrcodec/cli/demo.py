"""`inrcodec demo`: encodes, decodes and compares some signals, and prints a table of sizes and times."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from .. import codec, files, fit
from ..errors import InrcodecError
from ..options import Options, Progress
from ..signal import Signal
from ..storage import reason
from .headings import TELLING, Command, under
from .output import JSON, QUIET, is_quiet, report, say
from .progress import ProgressLine
from .signals import on_terminal

CROP = (slice(160, 224), slice(320, 384))
RATE = 8000


def chime(frames: int = RATE // 2, seed: int = 0) -> Signal:
    """A struck bell, (frames, 1) int16 at 8 kHz, by default half a second: decaying inharmonic partials and a little noise."""
    t = np.arange(frames) / RATE
    partials = ((1.0, 9000, 2.0), (2.76, 5000, 4.0), (5.40, 2500, 7.0))
    wave = sum(a * np.sin(2 * np.pi * 440 * f * t) * np.exp(-d * t) for f, a, d in partials)
    noise = np.random.default_rng(seed).normal(0, 20, frames)
    return Signal(np.rint(wave + noise).astype(np.int16)[:, None], "audio", 16, RATE)


def run(directory: Path, progress: Callable[[Progress], None] | None = None) -> None:
    """Encode, decode and compare the signals, with all files in `directory`, and print the table.

    Raises:
        InrcodecError: a signal comes back different, or the directory cannot be made.
        MissingError: torch or scikit-learn is not installed.
    """
    fit.require("inrcodec demo")
    from ..fit.sample import photograph

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise InrcodecError(f"{directory}: cannot be made: {reason(fault)}") from fault
    photo = Signal(photograph(), "image")
    crop = Signal(np.ascontiguousarray(photo.samples[CROP]), "image")
    exact: dict[str, Any] = {"profile": "inr", "until": "exact"}
    cases: list[tuple[str, str, Signal, dict[str, Any]]] = [
        ("photograph", "photo.png", photo, {}),
        ("64×64 crop, fitted until exact", "crop.png", crop, exact),
        ("64×64 crop, shortest description", "crop-mdl.png", crop, {"profile": "inr", "until": "mdl"}),
        ("64×64 crop, patches of one network", "crop-patches.png", crop, {"profile": "inr", "prior": "modulations"}),
        ("8 s of sound", "bell.wav", chime(8 * RATE), {}),
        ("½ s of sound, fitted until exact", "chime.wav", chime(), exact),
    ]
    heads = ("signal", "profile", "raw bytes", "file bytes", "weights", "payload", "encode s", "decode s", "comes back")
    rows: list[tuple[str, ...]] = [heads]
    signals: list[dict[str, Any]] = []
    for title, name, signal, options in cases:
        source = directory / name
        files.write(source, signal)
        original = files.read(source)
        start = time.perf_counter()
        data = codec.encode(original, Options(progress=progress, **options))
        encoded = time.perf_counter()
        source.with_suffix(".linr").write_bytes(data)
        back = codec.decode(source.with_suffix(".linr").read_bytes())
        decoded = time.perf_counter()
        files.write(source.with_name(f"{source.stem}-decoded{source.suffix}"), back)
        if not back.equals(original):
            raise InrcodecError(f"{source}: what was decoded differs from the original; please report this")
        found = codec.info(data)
        sizes = found["bytes"]
        signals.append(
            {
                "file": source,
                "profile": found["profile"],
                "raw_bytes": original.raw_bytes,
                "file_bytes": len(data),
                "bytes": sizes,
                "encode_seconds": round(encoded - start, 3),
                "decode_seconds": round(decoded - encoded, 3),
                "digest": found["digest"],
            }
        )
        numbers = map(str, (original.raw_bytes, len(data), sizes["weights"], sizes["payload"]))
        rows.append((title, found["profile"], *numbers, f"{encoded - start:.1f}", f"{decoded - encoded:.2f}", "exactly"))
    clear = getattr(progress, "clear", None)
    if clear:
        clear()
    report(directory=directory, signals=signals)
    for line in table(rows):
        say(line)
    say(f"The files are in {directory}. Try: inrcodec info {directory / 'crop.linr'}")


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines of text: the first row is the heading, the first two columns are aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


@click.command(cls=Command, short_help="Encode, decode and compare some examples.")
@under(
    "Output",
    click.option("--directory", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Directory for the files."),
)
@under(TELLING, QUIET, JSON)
def demo(directory: Path) -> None:
    """Encode some examples, decode them, and compare the results.

    The examples are a photograph, a crop of it, and two sounds. To the crop and one of the sounds, networks are fitted, so this takes some
    minutes and needs torch. The files stay in the directory.
    """
    run(directory, ProgressLine(on_terminal() and not is_quiet()))
