"""Sound of floats, made from recordings of integers in four ways, by inrcodec and others.

    python -m bench.sound_float FOLDER [--seconds 1] [--effort 4]

FOLDER has recordings of 16 and 24 bits. From the beginning of each are made

    full scale   float32: the integers divided by 2^15 or 2^23, as most programs do
    gain         the same, times 0.7, in float32: mantissas look random, and are functions of the integers
    fade         the same, times a gain that moves from 0.5 to 1 and back, in float32: mantissas are random
    fade, 64     the same in float64

FLAC gets the integers, or the nearest 24-bit integers to the floats, which is not lossless: it is there to show what the rest costs. The
commands `flac` and `zstd` must be installed. WavPack is there if the package `wavpack-numcodecs` is.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import tempfile
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import brotli
import numpy as np

import inrcodec
from inrcodec import Signal, files
from inrcodec.peers.sounds import FLAC

from .common import Samples, save, table, tell
from .sound import warm_up

WAYS = ("full scale", "gain", "fade", "fade, 64")
OTHERS = ("FLAC of integers", "WavPack", "Brotli", "zstd", "zstd, planes", "ours")


@cache
def wavpack() -> Any:
    """The codec WavPack, very high, from wavpack-numcodecs; None if that is not installed."""
    try:
        return importlib.import_module("wavpack_numcodecs").WavPack(level=4)
    except ImportError:
        return None


def made(signal: Signal, way: str) -> Samples:
    """The floats of a recording of integers, (frames, channels)."""
    whole = np.asarray(signal.samples.astype(np.float32) / np.float32(1 << signal.bit_depth - 1))
    if way == "full scale":
        return whole
    if way == "gain":
        return np.asarray(whole * np.float32(0.7))
    slow = 0.75 - 0.25 * np.cos(2 * np.pi * np.arange(len(whole)) / len(whole))
    dtype: Any = np.float64 if "64" in way else np.float32
    return np.asarray(whole.astype(dtype) * slow.astype(dtype)[:, None])


def flac_of(samples: Samples, depth: int, rate: int) -> int:
    """Bytes of integers as FLAC."""
    with tempfile.TemporaryDirectory() as folder:
        wav, flac = Path(folder) / "a.wav", Path(folder) / "a.flac"
        files.write(wav, Signal(samples.astype(np.int16 if depth == 16 else np.int32), "audio", depth, rate))
        subprocess.run([*FLAC, str(wav), "-o", str(flac)], check=True, capture_output=True)
        return flac.stat().st_size


def zstd(data: bytes) -> int:
    """Bytes by `zstd -19`."""
    return len(subprocess.run(["zstd", "-19", "-c", "-q"], input=data, capture_output=True, check=True).stdout)


def others(signal: Signal, floats: Samples, way: str) -> dict[str, int]:
    """Bytes of floats by other codecs."""
    rate = signal.sample_rate or 0
    if way in ("full scale", "gain"):
        found = {"FLAC of integers": flac_of(signal.samples, signal.bit_depth, rate)}
    else:
        nearest = np.rint(floats * (1 << 23)).clip(-(1 << 23), (1 << 23) - 1)
        found = {"FLAC of integers": flac_of(nearest, 24, rate)}
    if wavpack() is not None and floats.dtype == np.float32:
        data = wavpack().encode(floats)
        if not np.array_equal(np.frombuffer(wavpack().decode(data), np.float32).reshape(floats.shape), floats):
            raise SystemExit("WavPack does not give the floats back")
        found["WavPack"] = len(data)
    raw = floats.tobytes()
    planes = np.frombuffer(raw, np.uint8).reshape(-1, floats.dtype.itemsize).T.tobytes()
    return found | {"Brotli": len(brotli.compress(raw, quality=9, lgwin=24)), "zstd": zstd(raw), "zstd, planes": zstd(planes)}


def coded(samples: Samples, depth: int, rate: int, effort: int) -> tuple[int, str]:
    """(bytes by inrcodec, how floats are mapped) of a sound. Its file is decoded and compared."""
    signal = Signal(samples, "audio", depth, rate)
    data = inrcodec.encode(signal, effort=effort, threads=1, verify=False)
    if not inrcodec.decode(data, threads=1).equals(signal):
        raise SystemExit("it did not come back")
    return len(data), inrcodec.info(data).get("float_map", {"form": ""})["form"]


def main() -> None:
    """Measure a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--effort", type=int, default=inrcodec.Options.effort)
    given = parser.parse_args()
    warm_up()
    totals: dict[tuple[str, int], dict[str, int]] = {}
    chosen: dict[tuple[str, int], Counter[str]] = {}
    for path in sorted(given.folder.iterdir()):
        whole = files.read(path)
        signal = replace(whole, samples=np.ascontiguousarray(whole.samples[: round(given.seconds * (whole.sample_rate or 0))]), metadata={})
        for way in WAYS:
            floats = made(signal, way)
            mine, form = coded(floats, 0, signal.sample_rate or 0, given.effort)
            integers = coded(signal.samples, signal.bit_depth, signal.sample_rate or 0, given.effort)[0] if way == WAYS[0] else 0
            sizes = {"bytes": floats.nbytes, "ours of integers": integers, **others(signal, floats, way), "ours": mine}
            row = totals.setdefault((way, signal.bit_depth), {})
            for name, number in sizes.items():
                row[name] = row.get(name, 0) + number
            chosen.setdefault((way, signal.bit_depth), Counter())[form] += 1
        tell(path.name)
    heads = ["made", "from bits", "bytes", *OTHERS, "mapped by"]
    rows: list[list[Any]] = []
    for (way, depth), row in sorted(totals.items(), key=lambda item: (WAYS.index(item[0][0]), item[0][1])):
        cells: list[Any] = [row.get(name, "—") for name in ("bytes", *OTHERS)]
        rows.append([way, depth, *cells, ", ".join(f"{form} {count}" for form, count in sorted(chosen[way, depth].items()))])
    whole_numbers = ", ".join(f"{row['ours of integers']:,} bytes of {depth} bits" for (of, depth), row in totals.items() if of == WAYS[0])
    note = (
        f"The first {given.seconds:g} s of {len(list(given.folder.iterdir()))} recordings, effort {given.effort}. "
        f"FLAC is `{' '.join(FLAC)}` of the integers that the floats were made from, or, for fades, of the nearest 24-bit integers, which "
        f"is not lossless. Brotli has quality 9 and a window of 16 MB, zstd level 19; planes: all first bytes of the floats, then all "
        f"second ones, and so on. The integers themselves take, by inrcodec: {whole_numbers}."
    )
    save("sound-float", "Sound of floats", [note, table(heads, rows)], "brotli", module="bench.sound_float")


if __name__ == "__main__":
    main()
