"""Pictures compared with PNG, WebP and JPEG XL; sizes and times of all efforts; and what each part of the codec is worth.

    python -m bench.images compare DATA [--sets kodak photos bsd cid graphics pages deep] [--effort 4]
    python -m bench.images efforts FILE… [--efforts 1 2 3]
    python -m bench.images ablation FILE…
    python -m bench.images deltas FILE…

DATA has the folders kodak/, photos/, cid/, graphics/ and deep/. Of each family in photos/ (names begin with urban_, sun_ or bsd_) and of
cid/, every tenth file is used; the priors were not trained on these. The set pages is made of some of them, see `bench.pages`. Times are
those of library calls in one process after a warm-up, without start-up. inrcodec and JPEG XL have `--threads` threads.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

import inrcodec
from inrcodec import Signal, files
from inrcodec.peers import Peer, Unsuited
from inrcodec.peers.pictures import JpegXl, Png, WebP
from inrcodec.profiles.hybrid.pictures import analysis, lattice
from inrcodec.profiles.hybrid.pictures import plan as plans

from . import pages
from .common import Result, ours, save, table, tell, timed

Samples = npt.NDArray[Any]


def measured(peer: Peer, signal: Signal, threads: int) -> Result:
    """A picture by another codec. Raises Unsuited; SystemExit: it is not given back."""
    peer.check(signal)
    prepared = peer.prepare(signal, Path())
    coded, encode = timed(lambda: peer.encode(prepared, threads))
    decoded, decode = timed(lambda: peer.decode(coded, prepared, threads))
    if not np.array_equal(peer.samples(decoded, signal), signal.samples):
        raise SystemExit(f"{peer.name} did not give the picture back")
    return Result(peer.size(coded), encode, decode)


def jpegxl(signal: Signal, threads: int) -> Result:
    """JPEG XL, lossless, effort 10."""
    return measured(JpegXl(), signal, threads)


def webp(signal: Signal) -> Result | None:
    """WebP, lossless, at its greatest effort. None if the picture is not 8-bit RGB or RGBA, or does not come back."""
    samples = signal.samples
    if samples.dtype != np.uint8 or samples.ndim != 3 or samples.shape[2] < 3:
        return None
    try:
        return measured(WebP(), signal, 1)
    except SystemExit:  # it changes colours of transparent pixels
        return None


def png(signal: Signal) -> Result | None:
    """PNG, the smallest of several ways to write it. None for types that it lacks."""
    try:
        return measured(Png(), signal, 1)
    except Unsuited:
        return None


def sets_of(data: Path) -> dict[str, list[Path]]:
    """The files of each set in the folder DATA."""

    def tenth(family: str) -> list[Path]:
        return sorted((data / "photos").glob(f"{family}_*.png"))[9::10]

    return {
        "kodak": sorted((data / "kodak").glob("*.png")),
        "photos": tenth("urban") + tenth("sun"),
        "bsd": tenth("bsd"),
        "cid": sorted((data / "cid").glob("*.png"))[9::10],
        "graphics": sorted((data / "graphics").glob("*.png")),
        "pages": pages.make(data, Path(tempfile.mkdtemp())),
        "deep": sorted((data / "deep").glob("*")),
    }


def compare(data: Path, names: Iterable[str], effort: int, threads: int) -> list[str]:
    """Every picture of some sets by all codecs: a table of the sets, then one of each set's files."""
    warm_up()
    parts, summary = [], []
    sets = sets_of(data)
    for name in names:
        rows, sums = [], []
        for path in sets[name]:
            signal = files.read(path)
            pixels = signal.samples.shape[0] * signal.samples.shape[1]
            found = {"png": png(signal), "webp": webp(signal), "jxl": jpegxl(signal, threads), "ours": ours(signal, effort, threads)}
            sums.append((pixels, found))
            bpp = [8 * r.size / pixels if r else "" for r in found.values()]
            jxl, mine = found["jxl"], found["ours"]
            assert jxl
            assert mine
            tell(f"{name} {path.name} {mine.size / jxl.size:.3f}")
            rows.append([path.name, *bpp, mine.size / jxl.size, jxl.encode, mine.encode, mine.decode])
        parts.append(
            f"## {name}\n\n"
            + table(
                ["file", "PNG", "WebP", "JPEG XL", "ours", "ours / JPEG XL", "JPEG XL encodes, s", "ours encodes, s", "decodes, s"], rows
            )
        )
        summary.append(summarize(name, sums))
    heads = [
        "set",
        "files",
        "PNG bpp",
        "WebP bpp",
        "JPEG XL bpp",
        "ours bpp",
        "ours / JPEG XL",
        "total bytes / min(WebP, JPEG XL)",
        "larger than JPEG XL",
        "encode / JXL encode",
        "decode / JXL encode",
    ]
    return [table(heads, summary), *parts]


def summarize(name: str, sums: list[tuple[int, dict[str, Result | None]]]) -> list[Any]:
    """The row of a set: mean bits per pixel, ratios of sizes, and times relative to encoding by JPEG XL.

    sums: for each picture its number of pixels, and the results by codec.
    """

    def mean(key: str) -> Any:
        known = [8 * r[key].size / pixels for pixels, r in sums if r[key]]  # type: ignore[union-attr]
        return float(np.mean(known)) if len(known) == len(sums) else ""

    def total(key: str, what: str) -> float:
        return float(sum(getattr(r[key], what) for _, r in sums if r[key]))

    rival = total("jxl", "size") if mean("webp") == "" else min(total("jxl", "size"), total("webp", "size"))
    worse = sum(r["ours"].size >= r["jxl"].size for _, r in sums)  # type: ignore[union-attr]
    return [
        name,
        len(sums),
        mean("png"),
        mean("webp"),
        mean("jxl"),
        mean("ours"),
        f"{mean('ours') / mean('jxl'):.3f}",
        f"{total('ours', 'size') / rival:.3f}",
        worse,
        total("ours", "encode") / total("jxl", "encode"),
        total("ours", "decode") / total("jxl", "encode"),
    ]


def warm_up() -> None:
    """Compile the kernels, load the priors."""
    g = np.random.default_rng(0)
    small = Signal((g.integers(0, 9, (64, 64, 3)) + np.arange(64)[:, None, None]).astype(np.uint8), "image")
    for effort in range(1, 6):
        inrcodec.decode(inrcodec.encode(small, effort=effort, profile="hybrid", verify=False))


def efforts(paths: list[Path], threads: int, wanted: Iterable[int]) -> list[str]:
    """Mean size and time of some pictures at the efforts that are wanted, and by JPEG XL."""
    warm_up()
    signals = [files.read(p) for p in paths]
    pixels = [s.samples.shape[0] * s.samples.shape[1] for s in signals]
    rows = []
    for effort in wanted:
        found = [ours(s, effort, threads) for s in signals]
        tell(f"effort {effort}")
        bpp = float(np.mean([8 * r.size / n for r, n in zip(found, pixels, strict=True)]))
        rows.append(
            [
                effort,
                f"{bpp:.4f}",
                sum(r.encode for r in found),
                sum(r.decode for r in found),
                sum(pixels) / 1e6 / sum(r.decode for r in found),
            ]
        )
    rival = [jpegxl(s, threads) for s in signals]
    bpp = float(np.mean([8 * r.size / n for r, n in zip(rival, pixels, strict=True)]))
    rows.append(
        [
            "JPEG XL effort 10",
            f"{bpp:.4f}",
            sum(r.encode for r in rival),
            sum(r.decode for r in rival),
            sum(pixels) / 1e6 / sum(r.decode for r in rival),
        ]
    )
    return [
        f"{', '.join(p.name for p in paths)}; mean bits per pixel, sums of seconds.",
        table(["effort", "bpp", "encode, s", "decode, s", "MP/s decoding"], rows),
    ]


def ablation(paths: list[Path], effort: int, threads: int) -> list[str]:
    """Mean size of some pictures when one part of the codec at a time is left out."""
    signals = [files.read(p) for p in paths]
    pixels = [s.samples.shape[0] * s.samples.shape[1] for s in signals]
    plain = analysis.model_of

    def changed(**fields: Any) -> Any:
        return mock.patch.object(analysis, "model_of", lambda *a: replace(plain(*a), **fields))

    cases: list[tuple[str, Any]] = [
        ("everything", mock.patch.object(analysis, "LEARNING", analysis.LEARNING)),
        ("without the lattice", mock.patch.object(lattice, "find", return_value=None)),
        ("without two passes", mock.patch.object(analysis, "is_interpolated", return_value=False)),
        ("without the network", changed(units=0, learning=0)),
        ("prior only: the network does not learn while coding", changed(learning=0)),
        ("without coordinates", changed(coordinates=False)),
        ("without contexts", changed(contexts="none")),
        ("two least squares predictors instead of four", changed(least_squares=2)),
        ("one small least squares predictor instead of four", changed(least_squares=1)),
        ("bit by bit instead of around the prediction", changed(coding=plans.BITS)),
        ("without least squares, and so bit by bit without the network", changed(coding=plans.BITS, least_squares=0, units=0, learning=0)),
    ]
    rows, base = [], 0.0
    for name, patch in cases:
        with patch:
            found = [ours(s, effort, threads) for s in signals]
        tell(name)
        bpp = float(np.mean([8 * r.size / n for r, n in zip(found, pixels, strict=True)]))
        base = base or bpp
        rows.append([name, f"{bpp:.4f}", f"{100 * (bpp / base - 1):+.2f} %", sum(r.decode for r in found)])
    return [f"{', '.join(p.name for p in paths)}; effort {effort}.", table(["", "mean bpp", "change", "decode, s"], rows)]


def deltas(paths: list[Path], threads: int) -> list[str]:
    """Sizes of some pictures with networks fitted to each, by the weight coding of the deltas."""
    signals = [files.read(p) for p in paths]
    rows = []
    for coding in (None, "uniform", "lsq", "ternary", "sinr", "auto"):
        sizes, written, seconds = [], 0, 0.0
        for signal in signals:
            options: dict[str, Any] = {"weights": coding, "tune": True} if coding else {}
            data, took = timed(partial(inrcodec.encode, signal, threads=threads, verify=False, **options))
            if not inrcodec.decode(data, threads=threads).equals(signal):
                raise SystemExit("a picture did not come back")
            sizes.append(len(data))
            written += sum(d["bytes"] for d in inrcodec.info(data)["network"].get("deltas", []))
            seconds += took
        tell(str(coding))
        rows.append([coding or "prior only", *sizes, written, seconds])
    heads = ["deltas", *(f"{p.parent.name}/{p.name}, bytes" for p in paths), "of which deltas", "encode, s"]
    return ["Default effort; only deltas that pay are kept.", table(heads, rows)]


def main() -> None:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "efforts", "ablation", "deltas"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--sets", nargs="+", default=["kodak", "photos", "bsd", "cid", "graphics", "pages", "deep"])
    parser.add_argument("--effort", type=int, default=inrcodec.Options.effort)
    parser.add_argument("--efforts", type=int, nargs="+", default=list(range(1, 6)), help="which, of the command efforts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--name", help="name of the file in bench/results, without .md")
    options = parser.parse_args()
    if options.what == "compare":
        parts = compare(options.paths[0], options.sets, options.effort, options.threads)
    elif options.what == "efforts":
        parts = efforts(options.paths, options.threads, options.efforts)
    elif options.what == "deltas":
        parts = deltas(options.paths, options.threads)
    else:
        parts = ablation(options.paths, options.effort, options.threads)
    names = {"compare": "Pictures", "efforts": "Efforts", "ablation": "What each part is worth", "deltas": "Networks fitted to the file"}
    save(options.name or f"images-{options.what}", names[options.what], parts, "imagecodecs", "numba", "pillow")


if __name__ == "__main__":
    main()
