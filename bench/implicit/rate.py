"""Rate against PSNR of all networks of profile `inr` that hold a picture, with JPEG and JPEG XL as yardsticks.

    python -m bench.implicit.rate --data DIR

Each network is fitted with `--until rate=R --no-payload`. The rate is that of its weights; the table has that of the whole file. The lossy
codecs take the quality whose file comes nearest to the rate. A supernet is fitted once; its row for a rate is the best network among those
of its prefixes that are not larger. bench.implicit.plots draws the table.
"""

from __future__ import annotations

import argparse
import io
import math
import statistics
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

import inrcodec
from inrcodec import Options, views

from ..common import Samples, save, table, tell
from .pictures import folder, titled

RATES = (0.15, 0.3, 0.6, 1.2)
SUPERNET = "1,2,3x8,12,16,24,32"
MLP: dict[str, Any] = {"body": "mlp"}
NETWORKS: dict[str, dict[str, Any]] = {
    "grid, uniform 8 (default)": {},
    "mlp, uniform 8": {**MLP, "weights": "uniform", "bits": 8},
    "mlp, lsq 4": {**MLP, "weights": "lsq", "bits": 4},
    "mlp, ternary": {**MLP, "weights": "ternary"},
    "mlp, sinr": {**MLP, "weights": "sinr"},
    "filters, uniform 8": {"body": "filters", "weights": "uniform", "bits": 8},
    "recurrent, uniform 8": {"body": "recurrent", "weights": "uniform", "bits": 8},
}
MISSED = 0.03  # of a rate


@dataclass(frozen=True)
class Point:
    """A picture by one method. bpp: bits per pixel of the whole file; psnr: in dB; met: rate of the weights / rate asked for, or nan."""

    bpp: float
    psnr: float
    met: float = math.nan


def psnr(truth: Samples, found: Samples) -> float:
    """Of 8-bit samples, in dB."""
    square = float(np.mean((truth.astype(np.float64) - found) ** 2))
    return 10 * math.log10(255**2 / square) if square else math.inf


def rendered(data: bytes) -> Samples:
    """What the network of a file says."""
    view = views.View(network_only=True)
    return views.render(data, view, Options()).samples


def network(samples: Samples, rate: float, given: dict[str, Any], fit: dict[str, Any]) -> Point | None:
    """A picture as a network of a given rate; None if no network is so small."""
    pixels = samples.shape[0] * samples.shape[1]
    try:
        data = inrcodec.encode(samples, kind="image", profile="inr", until=f"rate={rate}", payload=False, **given, **fit)
    except inrcodec.InrcodecError:
        return None
    weights = inrcodec.info(data)["bytes"]["weights"]
    return Point(8 * len(data) / pixels, psnr(samples, rendered(data)), 8 * weights / pixels / rate)


def prefixes(samples: Samples, fit: dict[str, Any]) -> list[Point]:
    """A supernet's prefixes."""
    pixels = samples.shape[0] * samples.shape[1]
    data = inrcodec.encode(samples, kind="image", profile="inr", supernet=SUPERNET, payload=False, **fit)
    return [Point(8 * c["bytes"] / pixels, c["psnr"]) for c in inrcodec.info(data)["network"]["configurations"]]


def jpeg(samples: Samples, quality: int) -> bytes:
    """JPEG with chroma at half resolution and optimized tables. quality: 1 to 100."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(samples).save(out, "JPEG", quality=quality, optimize=True, subsampling=2)
    return out.getvalue()


def unjpeg(data: bytes) -> Samples:
    """A JPEG file's samples."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


def jpegxl(samples: Samples, quality: int) -> bytes:
    """JPEG XL at effort 7. quality: 1 (a distance of 15) to 100 (of 0.1)."""
    return bytes(imagecodecs.jpegxl_encode(samples, distance=15 - 14.9 * (quality - 1) / 99, effort=7, numthreads=1))


def unjpegxl(data: bytes) -> Samples:
    """A JPEG XL file's samples."""
    return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))


LOSSY: dict[str, tuple[Callable[[Samples, int], bytes], Callable[[bytes], Samples]]] = {
    "JPEG": (jpeg, unjpeg),
    "JPEG XL": (jpegxl, unjpegxl),
}


def nearest(samples: Samples, rate: float, encode: Callable[[Samples, int], bytes], decode: Callable[[bytes], Samples]) -> Point:
    """A lossy codec at the quality whose file has the rate, or comes nearest to it from below, or is its smallest."""
    low, high, allowed = 1, 100, rate * samples.shape[0] * samples.shape[1] / 8
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(encode(samples, middle)) <= allowed else (low, middle - 1)
    data = encode(samples, low)
    return Point(8 * len(data) / (samples.shape[0] * samples.shape[1]), psnr(samples, decode(data)))


def points(name: str, samples: Samples, fit: dict[str, Any], without: Collection[str]) -> Iterator[tuple[str, float, Point]]:
    """(method, rate, point) of a picture. without: words of the methods that are left out."""
    for method, (encode, decode) in LOSSY.items():
        for rate in RATES:
            yield method, rate, nearest(samples, rate, encode, decode)
    parts = prefixes(samples, fit)
    for rate in RATES:
        if possible := [p for p in parts if p.bpp <= rate * (1 + MISSED)]:
            yield f"prefixes of {SUPERNET}, lsq 8", rate, max(possible, key=lambda p: p.psnr)
    for method, given in NETWORKS.items():
        if any(word in method for word in without):
            continue
        for rate in RATES:
            if point := network(samples, rate, given, fit):
                yield method, rate, point
        tell(f"{name}: {method}")


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of PNG files, such as those of Kodak")
    parser.add_argument("--pictures", type=int, default=12, help="how many of them")
    parser.add_argument("--scale", type=int, default=2, help="by which they are reduced")
    parser.add_argument("--seconds", type=float, default=0, help="for each fit; 0: by effort")
    parser.add_argument("--steps", type=int, default=0, help="of each fit; 0: by the network")
    parser.add_argument("--batch", type=int, default=0, help="places per step; 0: by the size of the picture")
    parser.add_argument(
        "--without", action="append", default=[], help="leave out the methods with this in their name, as sinr, which is slow"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    given = parser.parse_args()
    fit: dict[str, Any] = {"device": given.device, "batch": given.batch, "steps": given.steps, "threads": 1, "verify": False}
    fit |= {"seconds": given.seconds or (1e9 if given.steps else 0.0)}
    found: dict[tuple[str, float], list[Point]] = {}
    names = []
    for stem, samples in folder(given.data, given.pictures, given.scale):
        name = titled(stem, samples)
        for method, rate, point in points(name, samples, fit, given.without):
            found.setdefault((method, rate), []).append(point)
        names.append(name)
        report(names, found)  # a run that is ended early has a table of the pictures so far


def report(names: list[str], found: dict[tuple[str, float], list[Point]]) -> None:
    """Save the table. found: (method, rate) → a point of each picture that the method can do."""
    rows: list[list[Any]] = []
    for (method, rate), each in found.items():
        bpp, mean = (statistics.fmean(getattr(p, what) for p in each) for what in ("bpp", "psnr"))
        met = ", ".join(f"{p.met:.3f}" for p in each if not math.isnan(p.met))
        rows.append([method, f"{rate:g}", len(each), f"{bpp:.3f}", mean, met])
    heads = ["method", "rate", "pictures", "bpp of the file", "PSNR", "weights / rate, each picture"]
    what = f"Means over {len(names)} pictures: {'; '.join(names)}. A network lacks pictures where its smallest is above the rate; where "
    what += "the smallest files of the other codecs are, they stand as they are."
    save("implicit-rate", "Networks that hold a picture", [what, table(heads, rows)], "imagecodecs", module="bench.implicit.rate")


if __name__ == "__main__":
    main()
