"""One second of speech-like sound at 16 kHz, by networks of profile `inr` until no bit is wrong, as integers and as floats.

    python -m bench.implicit.speech [--seconds 120] [--forms default,heads-grid,…]

The sound is made here, with a fixed seed: pulses of a glottis through formants that move from vowel to vowel, noise of a fricative, pauses,
and a little noise of a room, 16 bits. A network has reached the goal if the bit error rate of the network alone, as the integer network of
the file computes, is 0 in every bit-plane; then the file has no payload. It needs matplotlib, for docs/speech.svg.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

import inrcodec
from inrcodec import Signal, codec, files
from inrcodec.fit import search
from inrcodec.options import Options, goal_of
from inrcodec.peers.sounds import FLAC
from inrcodec.values import plane_bits, to_values
from inrcodec.weights.network import CodedNetwork

from ..common import save, table, tell, timed
from .crop import command
from .figures import DOCS, GREY, Curve, thinned, write
from .watching import threads, with_machine

RATE = 16000
ZOOM = 7200  # the sample from which on 30 ms are shown larger
Doubles = npt.NDArray[np.float64]

# formants of vowels and what lies between them, in Hz, at times in seconds
TIMES = (0.0, 0.08, 0.25, 0.34, 0.55, 0.72, 1.0)
FORMANTS = (
    (650, 1100, 2500), (730, 1090, 2440), (570, 840, 2410), (270, 2290, 3010), (530, 1840, 2480), (300, 870, 2240), (440, 1020, 2240),
)  # fmt: skip
WIDTHS = (80.0, 110.0, 170.0)
VOICED = ((0.06, 0.28), (0.36, 0.56), (0.74, 0.93))  # seconds; between them and the fricatives are pauses
FRICATIVES = ((0.27, 0.35), (0.57, 0.64))

# "seconds" is the budget of a form, in place of --seconds
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("values, cells and a small network", {}),
    "heads": ("an output per bit", {"network": "heads", "seconds": 700.0}),
    "heads-grid": ("an output per bit, with cells", {"network": "heads", "body": "grid"}),
    "siren-grid": ("the bit as a coordinate, with cells", {"network": "siren", "body": "grid", "batch": 2048}),
}


def envelope(spans: Sequence[tuple[float, float]], edge: float) -> Doubles:
    """1 within spans of seconds, 0 outside, with edges of so many seconds."""
    t = np.arange(RATE) / RATE
    parts = [np.clip((t - start) / edge, 0, 1) * np.clip((stop - t) / edge, 0, 1) for start, stop in spans]
    return np.asarray(np.max(parts, axis=0))


def resonance(x: Doubles, frequency: Doubles, width: float) -> Doubles:
    """x through a resonator of two poles whose frequency moves."""
    r = np.exp(-np.pi * width / RATE)
    turn, gain = 2 * r * np.cos(2 * np.pi * frequency / RATE), 1 - r
    y = np.zeros(len(x) + 2)
    for i in range(len(x)):
        y[i + 2] = gain * x[i] + turn[i] * y[i + 1] - r * r * y[i]
    return y[2:]


def speech(seed: int = 0) -> npt.NDArray[np.int16]:
    """The sound, (16000,)."""
    g = np.random.default_rng(seed)
    t = np.arange(RATE) / RATE
    pitch = 118 + 22 * np.sin(2 * np.pi * 0.9 * t) - 25 * t + 2 * np.sin(2 * np.pi * 5.3 * t)
    phase = np.cumsum(pitch * (1 + 0.01 * g.normal(0, 1, RATE).cumsum() / 100)) / RATE
    place = phase % 1
    opened = np.where(place < 0.4, 0.5 - 0.5 * np.cos(np.pi * place / 0.4), np.where(place < 0.56, np.cos(np.pi * (place - 0.4) / 0.32), 0))
    pulses = np.diff(opened, prepend=0.0)  # the flow that lips radiate
    voiced = pulses * envelope(VOICED, 0.02) * (1 + 0.15 * g.normal(0, 1, RATE) * (place < 0.56))
    for i, width in enumerate(WIDTHS):
        frequency = np.interp(t, TIMES, [f[i] for f in FORMANTS])
        voiced = voiced + 6 * resonance(voiced, frequency, width) / (i + 1)
    hiss = g.normal(0, 1, RATE)
    hiss = np.convolve(hiss - np.roll(hiss, 1), [1, -0.6, 0.2], "same") * envelope(FRICATIVES, 0.015)
    x = 9000 * voiced / np.abs(voiced).max() + 700 * hiss + g.normal(0, 4, RATE)
    found: npt.NDArray[np.int16] = np.rint(x).astype(np.int16)
    return found


def flac(signal: Signal) -> int:
    """Bytes by FLAC."""
    with tempfile.TemporaryDirectory() as folder:
        wav, out = Path(folder) / "a.wav", Path(folder) / "a.flac"
        files.write(wav, signal)
        subprocess.run([*FLAC, str(wav), "-o", str(out)], check=True, capture_output=True)
        return out.stat().st_size


@dataclass(frozen=True)
class Found:
    """A form's outcome.

    Attributes:
        row: of the table.
        errors: of each plane, by the network alone.
        curve: (steps, errors of planes) of the fit.
        coded: the network of the file.
    """

    row: list[Any]
    errors: npt.NDArray[np.float64]
    curve: list[tuple[int, tuple[float, ...]]]
    coded: CodedNetwork


def fit(signal: Signal, name: str, seconds: float) -> Found:
    """Fit a form until no bit is wrong, and write the file."""
    values, value_map = to_values(signal.samples)
    words, given = FORMS[name]
    seen: list[tuple[int, tuple[float, ...]]] = []
    budget = {"seconds": seconds} | given
    options = Options(profile="inr", threads=1, progress=lambda p: seen.append((p.step, p.bit_errors)), **budget)
    weights, bits = "uniform", 16 if name == "heads" else 8
    fitted, spent = timed(lambda: search.fit_float(values.reshape(RATE, 1), value_map.bits, options, goal_of("exact")))
    curve = [point for point in seen if point[1]]
    best, more = timed(lambda: search.best_of(fitted, weights, bits))
    data = file_of(signal, best.coded)
    wrong = plane_bits(values_of_network(data), value_map.bits) != plane_bits(values.reshape(RATE, 1), value_map.bits)
    errors, found = wrong.mean(0), inrcodec.info(data)
    reached = "yes" if not wrong.any() else f"no: {int(wrong.sum())} of {wrong.size}"
    about = [name, words, fitted.model.architecture.parameters, len(data), found["bytes"]["weights"], found["bytes"]["payload"]]
    told = command(replace(options, weights=weights, bits=bits, progress=None))
    row = [*about, reached, found["network"]["psnr"] or "inf", fitted.outcome.steps, spent + more, told]
    tell(str(row[:-1]))
    return Found(row, errors, curve, best.coded)


def file_of(signal: Signal, coded: CodedNetwork) -> bytes:
    """The file of a sound that holds a network that was fitted to its integers. It is decoded and compared with the sound."""
    with mock.patch.object(search, "fit_network", return_value=coded), warnings.catch_warnings():
        warnings.simplefilter("ignore", inrcodec.Notice)  # that nothing was fitted
        data = inrcodec.encode(signal, profile="inr", threads=1)
    if not inrcodec.decode(data).equals(signal):
        raise SystemExit("it did not come back")
    return data


def told_of_floats(signal: Signal, found: Found) -> str:
    """What the same sound as float32 takes by the same network, since its integers are the same."""
    floats = Signal(signal.samples.astype(np.float32) / np.float32(32768), "audio", 0, RATE)
    data = file_of(floats, found.coded)
    alone = inrcodec.render(data, network_only=True)
    exact = "gives every float" if alone.equals(floats) else "does not give every float"
    return (
        f"As float32, the sound has the same integers, so the same network serves: a file of {len(data)} bytes. The network alone {exact}, "
        f"bit for bit. Without a network: `hybrid` takes {len(inrcodec.encode(floats, profile='hybrid'))} bytes, `stored` "
        f"{len(inrcodec.encode(floats, profile='stored'))}."
    )


def values_of_network(data: bytes) -> npt.NDArray[Any]:
    """The values, (16000, 1), that the network of a file gives alone."""
    opened = codec.open_bytes(data)
    return opened.decoder.alone(opened.layout.axes, opened.whole())


def looks(signal: Signal, steps: Sequence[int]) -> list[tuple[int, Doubles]]:
    """What the network of the default form gives, (16000,), after so many steps."""
    found = []
    for count in steps:
        options = Options(profile="inr", until="mdl", payload=False, steps=count, seconds=3600.0, threads=1, weights="uniform", bits=8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", inrcodec.Notice)
            data = codec.encode(signal, options)
        found.append((count, inrcodec.render(data, network_only=True).samples.astype(np.float64).reshape(-1)))
        tell(f"after {count} steps")
    return found


def draw(signal: Signal, alone: Sequence[tuple[int, Doubles]], curve: Sequence[tuple[int, tuple[float, ...]]], path: Path) -> None:
    """The sound, what the network alone gives after some steps, and its errors by plane."""
    import matplotlib.pyplot as plt  # it is needed for nothing else

    from ..plots import SETTINGS

    plt.switch_backend("svg")
    settings: Any = {**SETTINGS, "font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False}
    t = np.arange(RATE) / RATE
    with plt.rc_context(settings):
        figure = plt.figure(figsize=(8.6, 1.2 * (1 + len(alone)) + 3.0), layout="constrained")
        halves: Any = figure.subfigures(2, 1, height_ratios=(1.2 * (1 + len(alone)) + 0.4, 2.6))
        upper, lower = halves
        axes = upper.subplots(1 + len(alone), 2, squeeze=False)
        shown = [("the sound", signal.samples.astype(np.float64)), *((f"the network, {n:,} steps", x) for n, x in alone)]
        for (title, x), row in zip(shown, axes, strict=True):
            bins = x.reshape(-1, 40)
            row[0].fill_between(t[::40], bins.min(1), bins.max(1), lw=0.3, color="#31688e")
            row[1].plot(t[ZOOM : ZOOM + 480], x[ZOOM : ZOOM + 480], lw=0.9, color="#31688e")
            for axis in row:
                axis.set(ylim=(-1.05 * abs(shown[0][1]).max(), 1.05 * abs(shown[0][1]).max()), yticks=[])
                axis.tick_params(colors=GREY)
            row[0].set_title(title, fontsize=8.5, loc="left")
        for axis in axes[-1]:
            axis.set_xlabel("seconds")
        axis = lower.subplots()
        steps = [float(step) for step, _ in curve]
        for plane, share in enumerate(np.array([errors for _, errors in curve]).T):
            shade = plane / 13
            places, shares = thinned(Curve(f"plane {plane + 1}", steps, share.tolist(), shade))
            axis.plot(places, shares, lw=1.0, color=plt.get_cmap("viridis")(0.92 * shade), label=f"plane {plane + 1}")
        axis.set(xlabel="steps", ylabel="share of wrong bits")
        axis.set_title("wrong bits of each plane while the network is fitted, before its cells are set", fontsize=8.5, loc="left")
        axis.legend(fontsize=6, frameon=False, ncols=2)
        axis.tick_params(colors=GREY)
        write(figure, path, "Speech-like sound, and what a network alone gives after some steps")


def planes_table(found: dict[str, Found]) -> str:
    """Errors of each plane by the network alone, in per cent."""
    count = max(len(f.errors) for f in found.values())
    rows = [[name, *(f"{100 * e:.2f}" if e else "0" for e in f.errors)] for name, f in found.items()]
    return table(["network", *map(str, range(1, count + 1))], rows)


def beside(signals: dict[str, Signal]) -> str:
    """A table of what else codes the sounds."""
    rows: list[list[Any]] = []
    for name, signal in signals.items():
        size = flac(signal) if signal.samples.dtype.kind == "i" else "—"
        ours = [len(inrcodec.encode(signal, profile="hybrid", effort=effort)) for effort in (4, 5)]
        rows.append([name, signal.raw_bytes, size, *ours, len(inrcodec.encode(signal, profile="stored"))])
    return table(["samples", "bytes", "FLAC", "`hybrid`, effort 4", "effort 5", "`stored`"], rows)


def main() -> None:
    """Fit all forms, write the tables and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each fit; coding its weights comes on top")
    parser.add_argument("--forms", default=",".join(FORMS), help="which forms, with commas between them")
    parser.add_argument("--steps", default="30,300,3000", help="after which the picture shows the network; empty: no picture")
    arguments = with_machine(parser).parse_args()
    samples = speech()
    signal = Signal(samples, "audio", 16, RATE)
    with threads(arguments.threads):
        found = {name: fit(signal, name, arguments.seconds) for name in arguments.forms.split(",")}
        floats = told_of_floats(signal, found[next(iter(found))])
        if arguments.steps:
            alone = looks(signal, [int(n) for n in arguments.steps.split(",")])
            draw(signal, alone, found[next(iter(found))].curve, DOCS / "speech.svg")
    heads = ["network", "what it is", "parameters", "file bytes", "weights", "payload", "BER 0", "PSNR dB", "steps", "seconds", "command"]
    note = (
        f"One second of 16 kHz, 16 bits, made with a fixed seed. Each fit had at most {arguments.seconds:g} s, `heads` 700 s, on "
        f"{arguments.device}, with {arguments.threads} thread(s), on a machine with other work; coding the weights comes on top. Every "
        "file was decoded and compared with the sound."
    )
    parts = [
        note, beside({"int16": signal}), "## By networks", table(heads, [f.row for f in found.values()]),
        floats,
        "## Wrong bits of each bit-plane by the network alone, in per cent, the most significant plane first", planes_table(found),
    ]  # fmt: skip
    save("implicit-speech", "Speech-like sound until no bit is wrong", parts, "scikit-learn", module="bench.implicit.speech")


if __name__ == "__main__":
    main()
