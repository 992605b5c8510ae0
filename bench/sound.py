"""Sound compared with FLAC and WavPack; sizes and times of all efforts; what each part of the codec is worth; and signals with known
answers.

    python -m bench.sound compare FOLDER [--effort 4] [--threads 1]
    python -m bench.sound efforts FILE…
    python -m bench.sound ablation FILE…
    python -m bench.sound cases
    python -m bench.sound long

FOLDER has files that inrcodec reads. The commands `flac` and `wavpack` must be installed (Debian packages of these names). Their times
are those of whole commands; ours are those of library calls in one process after a warm-up. "Times real" is the duration of the sound
divided by the time taken.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import inrcodec
from inrcodec import Signal, files
from inrcodec.peers.sounds import Flac, WavPack
from inrcodec.profiles.hybrid.sound import analysis

from .common import Result, Samples, ours, save, table, tell, timed

RATE = 44100


def outside(signal: Signal) -> dict[str, Result]:
    """A sound by FLAC and WavPack."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, peer in (("flac", Flac()), ("wavpack", WavPack())):
            prepared = peer.prepare(signal, Path(folder))
            coded, encode = timed(partial(peer.encode, prepared, 1))
            _, decode = timed(partial(peer.decode, coded, prepared, 1))
            found[name] = Result(peer.size(coded), encode, decode)
        return found


def seconds(signal: Signal) -> float:
    """The duration of a sound."""
    return len(signal.samples) / (signal.sample_rate or 1)


def warm_up() -> None:
    """Compile the kernels."""
    g = np.random.default_rng(0)
    small = Signal(g.integers(-99, 99, (3000, 2)).astype(np.int16), "audio", 16, RATE)
    for effort in (1, 5):
        inrcodec.decode(inrcodec.encode(small, effort=effort, profile="hybrid", verify=False))


def compare(folder: Path, effort: int, threads: int) -> list[str]:
    """All sounds of a folder by all codecs: a table of sums, and one of the files."""
    warm_up()
    rows, total = [], {key: Result(0, 0.0, 0.0) for key in ("flac", "wavpack", "ours")}
    length, larger, count = 0.0, 0, 0
    sounds = {extension for known in files.types() if known.holds == "audio" for extension in known.extensions}
    for path in sorted(p for p in folder.iterdir() if p.suffix in sounds):
        signal = files.read(path)
        found = outside(signal) | {"ours": ours(signal, effort, threads)}
        for key, r in found.items():
            t = total[key]
            total[key] = Result(t.size + r.size, t.encode + r.encode, t.decode + r.decode)
        length, larger, count = length + seconds(signal), larger + (found["ours"].size >= found["flac"].size), count + 1
        bits = [8 * r.size / signal.samples.size for r in found.values()]
        rows.append([path.name, *bits, f"{found['ours'].size / found['flac'].size:.4f}", seconds(signal) / found["ours"].decode])
        tell(f"{path.name} {rows[-1][4]}")
    summary = [
        [key, r.size, f"{r.size / total['flac'].size:.4f}", length / r.encode, length / r.decode, r.encode, r.decode]
        for key, r in total.items()
    ]
    heads = ["codec", "bytes", "of FLAC", "encodes, times real", "decodes, times real", "encode, s", "decode, s"]
    return [
        f"{count} files, {length:.0f} s; ours with effort {effort} and {threads} thread(s); larger than FLAC: {larger} files. "
        f"FLAC is `{Flac().settings}`, WavPack `{WavPack().settings}`.",
        table(heads, summary),
        table(["file", "FLAC, bits per sample", "WavPack", "ours", "ours / FLAC", "decodes, times real"], rows),
    ]


def efforts(paths: list[Path], threads: int) -> list[str]:
    """Sizes and times of some sounds at all efforts."""
    warm_up()
    signals = [files.read(p) for p in paths]
    length, count = sum(map(seconds, signals)), sum(s.samples.size for s in signals)
    flac = sum(outside(s)["flac"].size for s in signals)
    rows = []
    for effort in range(1, 6):
        found = [ours(s, effort, threads) for s in signals]
        size = sum(r.size for r in found)
        times = sum(r.encode for r in found), sum(r.decode for r in found)
        rows.append([effort, f"{8 * size / count:.4f}", f"{size / flac:.4f}", *times, length / times[0], length / times[1]])
        tell(f"effort {effort}")
    heads = ["effort", "bits per sample", "of FLAC", "encode, s", "decode, s", "encodes, times real", "decodes, times real"]
    return [f"{', '.join(p.name for p in paths)}; {threads} thread(s).", table(heads, rows)]


def ablation(paths: list[Path], threads: int) -> list[str]:
    """Size of some sounds when one part of the codec at a time is left out or changed, at the default effort: its parts are named."""
    warm_up()
    signals = [files.read(p) for p in paths]
    count = sum(s.samples.size for s in signals)
    effort = inrcodec.Options.effort
    model = analysis.MODELS[effort - 1]
    first = model.filters[: next(i for i, f in enumerate(model.filters) if f.source)]  # the first cascade
    slow, main, fast = model.windows

    def changed(**fields: Any) -> Any:
        models = list(analysis.MODELS)
        models[effort - 1] = replace(model, **fields)
        return mock.patch.object(analysis, "MODELS", tuple(models))

    cases: list[tuple[str, Any]] = [
        ("everything", changed()),
        ("without looking further back", changed(lags=0)),
        ("with one place further back instead of two", changed(lags=1)),
        ("without the network", changed(units=0, learning=0)),
        ("with a network of 16 units", changed(units=16)),
        ("with a network of 64 units", changed(units=64)),
        ("without LMS filters", changed(filters=())),
        ("without the first of 1024 taps", changed(filters=model.filters[1:])),
        ("without the second cascade", changed(filters=first)),
        ("with two windows instead of three", changed(windows=(slow, main))),
        ("with the slow window alone, one cascade", changed(windows=(slow,), filters=first)),
        ("with that window first that is third", changed(windows=(fast, main, slow))),
        ("with 32 + 16 regressors in the slow window", changed(windows=(replace(slow, rounds=(2,)), main, fast))),
    ]
    rows, base = [], 0.0
    for name, patch in cases:
        with patch:
            found = [ours(s, effort, threads) for s in signals]
        tell(name)
        bits = 8 * sum(r.size for r in found) / count
        base = base or bits
        rows.append([name, f"{bits:.4f}", f"{100 * (bits / base - 1):+.2f} %", sum(r.decode for r in found)])
    return [f"{', '.join(p.name for p in paths)}; effort {effort}.", table(["", "bits per sample", "change", "decode, s"], rows)]


def sine(depth: int) -> Samples:
    """Two seconds of a sine of 440.3 Hz, (frames,) int32. depth: bits per sample."""
    t = np.arange(2 * RATE)
    return np.rint(0.8 * (1 << (depth - 1)) * np.sin(2 * np.pi * 440.3 * t / RATE)).astype(np.int32)


def music(frames: int = 2 * RATE, channels: int = 2, seed: int = 0) -> Samples:
    """Decaying notes with some noise, (frames, channels) int16."""
    g = np.random.default_rng(seed)
    t = np.arange(frames)
    x = np.zeros((frames, channels))
    for start in range(0, frames, RATE // 4):
        note, fall = 110 * 2 ** (g.integers(0, 36) / 12), np.exp(-np.maximum(t - start, 0) / 9000) * (t >= start)
        tone = sum(np.sin(2 * np.pi * note * k * t / RATE) / k for k in range(1, 6)) * fall
        x += 2500 * tone[:, None] * g.uniform(0.3, 1, channels)
    return np.clip(np.rint(x + g.normal(0, 12, x.shape)), -32768, 32767).astype(np.int16)


def coarse(channels: int, frames: int = 5 * RATE) -> Samples:
    """Notes of 8 bits under a decaying envelope, with triangular dither of ±1, (frames, channels) int16."""
    g = np.random.default_rng(7)
    notes = music(frames, channels, 7).astype(np.float64)
    levels = np.rint(127 * notes / np.abs(notes).max())
    envelope = 200 * np.exp(-np.arange(frames) / (1.5 * RATE))
    dither = g.random(notes.shape) - g.random(notes.shape)
    samples: Samples = np.rint(levels * envelope[:, None] + dither).astype(np.int16)
    return samples


def cases() -> list[str]:
    """Signals whose smallest size is known, or nearly so."""
    g = np.random.default_rng(1)
    sound = music()
    wide = sound.astype(np.int32)
    found: list[tuple[str, Samples, int]] = [
        ("silence, 2 s stereo", np.zeros((2 * RATE, 2), np.int16), 16),
        ("a constant", np.full((2 * RATE, 2), 1234, np.int16), 16),
        ("white noise, 16 bits", g.integers(-32768, 32768, (2 * RATE, 2)).astype(np.int16), 16),
        ("white noise, 24 bits", g.integers(-(1 << 23), 1 << 23, (RATE, 2)).astype(np.int32), 24),
        ("a sine, 16 bits", sine(16).astype(np.int16), 16),
        ("a sine, 24 bits", sine(24), 24),
        ("notes, 16 bits stereo", sound, 16),
        ("notes, one channel", np.ascontiguousarray(sound[:, :1]), 16),
        ("that channel twice", np.repeat(sound[:, :1], 2, 1), 16),
        ("that channel, and it inverted", np.stack([wide[:, 0], -wide[:, 0]], 1).clip(-32768, 32767).astype(np.int16), 16),
        ("the notes shifted into 24 bits", wide << 8, 24),
        ("the notes times 1.7", np.rint(wide * 1.7).clip(-32768, 32767).astype(np.int16), 16),
        ("the notes times 217.3, in 24 bits", np.rint(wide * 217.3).clip(-(1 << 23), (1 << 23) - 1).astype(np.int32), 24),
        ("the notes twice over", np.concatenate([sound, sound]), 16),
        ("the notes, clipped at 3000", sound.clip(-3000, 3000), 16),
        ("±full scale, at random", np.where(g.random((2 * RATE, 2)) < 0.5, -32768, 32767).astype(np.int16), 16),
        ("an 8-bit sample under a decaying envelope with dither, mono", coarse(1), 16),
        ("an 8-bit sample under a decaying envelope with dither, stereo", coarse(2), 16),
        ("noise of 32 bits with -2^31", g.integers(-(1 << 31), 1 << 31, (RATE, 2)).astype(np.int32), 32),
    ]
    found[-1][1][0] = -(1 << 31)
    rows = []
    for name, samples, depth in found:
        signal = Signal(samples, "audio", depth, RATE)
        mine = ours(signal, 5, 1)
        flac: Any = outside(signal)["flac"].size if depth < 32 else ""
        rows.append([name, signal.raw_bytes, flac, mine.size, 8 * mine.size / samples.size])
        tell(name)
    return [table(["case", "samples, bytes", "FLAC", "ours", "bits per sample"], rows)]


def long() -> list[str]:
    """Two to ten minutes of stereo: time by length and threads, and the peak memory of the process."""
    warm_up()
    rows = []
    minute = music(60 * RATE)
    for minutes, threads in ((2, 1), (4, 1), (4, 2), (10, 2)):
        signal = Signal(np.concatenate([np.roll(minute, 997 * i, 0) // (1 + i % 3) for i in range(minutes)]), "audio", 16, RATE)
        r = ours(signal, 1, threads)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append([minutes, threads, r.size, r.encode, r.decode, 60 * minutes / r.encode, 60 * minutes / r.decode, int(peak)])
        tell(str(rows[-1]))
    heads = ["minutes", "threads", "bytes", "encode, s", "decode, s", "encodes, times real", "decodes, times real", "peak memory, MB"]
    what = "Notes and noise made here, 44.1 kHz stereo, effort 1; the memory is the most so far of this process, test signal included."
    return [what, table(heads, rows)]


def main() -> None:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "efforts", "ablation", "cases", "long"])
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--effort", type=int, default=inrcodec.Options.effort)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.what == "ablation" and given.effort != inrcodec.Options.effort:
        raise SystemExit(f"ablation: only effort {inrcodec.Options.effort} has all the parts that are left out in turn")
    if given.what == "compare":
        save(f"sound-{given.effort}", "Sound", compare(given.paths[0], given.effort, given.threads))
    elif given.what == "efforts":
        save("sound-efforts", "Sound: the effort ladder", efforts(given.paths, given.threads))
    elif given.what == "ablation":
        save("sound-ablation", "Sound: what each part is worth", ablation(given.paths, given.threads))
    elif given.what == "cases":
        save("sound-cases", "Sound: cases with known answers", cases())
    else:
        save("sound-long", "Sound: long files", long())


if __name__ == "__main__":
    main()
