"""Small signals by every network of profile `inr`, with the weight codings that make sense for it: whole files, and how they are written.

    python -m bench.implicit.crop                        a photograph of 64 × 64, RGB, 8 bits: exact, and the shortest description
    python -m bench.implicit.crop --signal photo16       one of 16 bits, exact
    python -m bench.implicit.crop --signal sound         1 s of sound of 8 kHz and 16 bits, exact
    python -m bench.implicit.crop --signal smooth        a smooth grey picture of 256 × 256 and 16 bits, the shortest description

A network is fitted once for each goal, and coded in several ways. A file is decoded and compared with the signal.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

import imagecodecs

import inrcodec
from inrcodec import Signal
from inrcodec.cli.demo import chime
from inrcodec.fit import search
from inrcodec.options import FIT_OPTIONS, Options, goal_of
from inrcodec.values import to_values

from ..common import photo8, photo16, save, smooth16, table, tell, timed
from .watching import threads, with_machine

NETWORKS: dict[str, dict[str, Any]] = {
    "default": {},
    "heads": {"network": "heads"},
    "siren": {"network": "siren", "learning_rate": 1e-3},
    "bitlinear": {"network": "bitlinear"},
    "recurrent": {"network": "heads", "body": "recurrent"},
    "filters": {"network": "heads", "body": "filters"},
}
# so that exact fits of the crop take a minute of a CPU at most: a siren is evaluated for each bit, and ternary networks take many steps
EXACT: dict[str, dict[str, Any]] = {
    "siren": {"hidden": 192, "batch": 1024},
    "bitlinear": {"batch": 1024},
    "recurrent": {"hidden": 384},
    "filters": {"hidden": 256},
}
HEADS = [
    "network", "weights", "parameters", "weights bytes", "payload bytes", "file bytes", "bit errors by the network alone", "PSNR dB",
    "seconds", "command",
]  # fmt: skip
TITLES = {"exact": "Fitted until every bit is right", "mdl": "Fitted for the shortest description"}


@dataclass(frozen=True)
class Case:
    """A signal that is measured. make: it, from a size; size: the usual one; goals, kinds: see `Options.until` and NETWORKS."""

    title: str
    make: Callable[[int], Signal]
    size: int
    goals: Sequence[str]
    kinds: Sequence[str]


CASES = {
    "photo8": Case("A photograph, RGB, 8 bits", lambda size: Signal(photo8(size), "image"), 64, ("exact", "mdl"), tuple(NETWORKS)),
    "photo16": Case("A photograph, RGB, 16 bits", lambda size: Signal(photo16(size), "image"), 64, ("exact",), ("default", "heads")),
    "sound": Case("Sound of 8 kHz, 16 bits", chime, 8000, ("exact",), ("default", "heads")),
    "smooth": Case("A smooth grey picture, 16 bits", lambda size: Signal(smooth16(size), "image"), 256, ("mdl",), ("default", "heads")),
}


def codings_of(kind: str, until: str) -> list[tuple[str, int]]:
    """(weight coding, bits per weight) that make sense for a network, its default first. kind: of NETWORKS."""
    if kind == "bitlinear":
        return [("ternary", 0)]
    if kind == "default":  # its few weights stand beside cells, which are whole numbers anyway
        return [("uniform", 8), ("uniform", 5), ("lsq", 4)]
    if until == "exact":
        return [("uniform", 16), ("uniform", 8), ("uniform", 5), ("lsq", 5)]
    return [("uniform", 7), ("uniform", 5), ("lsq", 4), ("ternary", 0)] + [("sinr", 0)] * (kind == "heads")


def command(options: Options) -> str:
    """The command that writes a file with these options. The device is left out."""
    words = ["inrcodec encode IN --profile inr"]
    for name in FIT_OPTIONS["fit"]:
        value = getattr(options, name)
        if name != "device" and value != getattr(Options, name):
            flag = f"--{name.replace('_', '-')}"
            words.append(flag if value is True else f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}")
    return f"`{' '.join(words)}`"


def file_of(signal: Signal, result: search.Result, workers: int) -> bytes:
    """The .linr file that holds a coded network. It is decoded and compared with the signal."""
    with mock.patch.object(search, "fit_network", return_value=result.coded):
        return inrcodec.encode(signal, profile="inr", threads=workers)


def measure(
    signal: Signal, kind: str, until: str, given: dict[str, Any], codings: Sequence[tuple[str, int]], workers: int = 1
) -> list[list[Any]]:
    """A row for each weight coding of one network, with the columns HEADS. given: options beside those of the network."""
    samples = signal.samples
    values, value_map = to_values(samples)
    shaped = values if signal.channel_axis else values[..., None]
    special = EXACT.get(kind, {}) if until == "exact" else {}
    options = Options(profile="inr", until="" if until == "exact" else until, **(NETWORKS[kind] | special | given))
    fitted, fit_seconds = timed(lambda: search.fit_float(shaped, value_map.bits, options, goal_of(until)))
    rows: list[list[Any]] = []
    for weights, bits in codings:
        best, seconds = timed(partial(search.best_of, fitted, weights, bits))
        m, data = best.measured, file_of(signal, best, workers)
        told = command(replace(options, weights=weights, bits=bits))
        sizes = [m.weights_bytes, m.payload_bytes, len(data)]
        rows.append([kind, best.label, fitted.model.architecture.parameters, *sizes, m.wrong, m.psnr, fit_seconds + seconds, told])
        tell(f"{until}: {rows[-1][:-1]}")
    return rows


def others(signal: Signal) -> str:
    """A table of what else codes the signal."""
    rows: list[list[Any]] = [["samples", signal.raw_bytes]]
    for profile in ("stored", "hybrid"):
        rows.append([f"profile `{profile}`", len(inrcodec.encode(signal, profile=profile))])
    if signal.kind == "image":
        rows.append(["PNG, level 9 (imagecodecs)", len(imagecodecs.png_encode(signal.samples, level=9))])
        rows.append(["JPEG XL lossless, effort 9 (imagecodecs)", len(imagecodecs.jpegxl_encode(signal.samples, lossless=True, effort=9))])
    return table(["beside it", "bytes"], rows)


def main() -> None:
    """Measure one signal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signal", choices=[*CASES], default="photo8")
    parser.add_argument("--size", type=int, default=0, help="pixels of a side, or frames; default: by the signal")
    told = "the most that a fit until exact and one for the shortest description get; each coding adds 15 to 40 %%"
    parser.add_argument("--seconds", type=float, nargs=2, metavar=("EXACT", "MDL"), default=(60.0, 25.0), help=told)
    arguments = with_machine(parser).parse_args()
    case = CASES[arguments.signal]
    signal = case.make(arguments.size or case.size)
    shape = " × ".join(map(str, signal.samples.shape))
    budget = dict(zip(TITLES, arguments.seconds, strict=True))
    note = (
        f"Samples: {shape}. Each fit had at most {' or '.join(f'{budget[goal]:g} s' for goal in case.goals)} on {arguments.device}, with "
        f"{arguments.threads} thread(s). Seconds are those of the fit and of the coding. File bytes are those of a .linr file that was "
        "decoded and compared with the signal. `default`: a mean for each value, from a grid of cells and a small network."
    )
    parts = [note, others(signal)]
    with threads(arguments.threads):
        for until in case.goals:
            given: dict[str, Any] = {"seconds": budget[until], "device": arguments.device}
            rows = [r for kind in case.kinds for r in measure(signal, kind, until, given, codings_of(kind, until), arguments.threads)]
            parts += [f"## {TITLES[until]}", table(HEADS, rows)]
    name = "implicit-crop" + ("" if arguments.signal == "photo8" else f"-{arguments.signal}")
    save(name, f"{case.title}, by every network", parts, "imagecodecs", "scikit-learn", module="bench.implicit.crop")


if __name__ == "__main__":
    main()
