"""Bit-depth expansion: `python -m bench.implicit.depth [--data DIR]`.

The upper 8 bits of pictures of 16 are expanded to 16 bits, and compared with the pictures. DIR has photographs of 16 bits that inrcodec
reads; the other pictures are made here. Published methods are in a table of their own, since their pictures are others.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_sample_image

import inrcodec
from inrcodec import files
from inrcodec.expand import expand

from ..common import Samples, photo16, save, smooth16, table, timed

PEAK = 65535
SIDE = 128
HEADS = ["picture", "shape", "zero padding", "midpoint", "ours", "ours − midpoint", "s"]
PUBLISHED = [
    ["zero padding", 52.9],
    ["MIG", 55.9],
    ["Han et al., 2025", 55.92],
    ["ABCD", 59.4],
]
NETWORKS: dict[str, dict[str, Any]] = {
    "SIREN, 16 places": {"network": "siren", "bit_places": 16, "hidden": 64, "layers": 3, "learning_rate": 1e-3, "weights": "uniform"},
    "values, SIREN": {"network": "values", "body": "mlp", "hidden": 64, "weights": "uniform"},
    "values, grid": {},
}
SOURCE = (
    "PSNR in dB at 8 → 16 bits as given by Han et al., “Towards Lossless Implicit Neural Representation via Bit Plane Decomposition”, CVPR "
    "2025. Their pictures are not those above. For uniform low bits the midpoint has 58.95 dB on any picture, and zero padding 52.9 dB."
)


def psnr(truth: Samples, found: Samples) -> float:
    """The peak signal-to-noise ratio of 16-bit samples, in dB; infinite if they are equal."""
    square = float(np.mean((truth.astype(np.float64) - found) ** 2))
    return 10 * math.log10(PEAK**2 / square) if square else math.inf


def as16(values: Samples) -> Samples:
    """Values rounded to 16 bits."""
    return np.clip(np.rint(values), 0, PEAK).astype(np.uint16)


def camera(picture: Samples, noise: float, seed: int) -> Samples:
    """A picture (height, width, 3) as a camera takes it.

    One colour at each place (RGGB) with noise that grows with the light, bilinear interpolation, and a matrix of colours.
    """
    light = 3000 + 0.6 * picture.astype(np.float64)
    light += noise * np.sqrt(light / 20000) * np.random.default_rng(seed).standard_normal(light.shape)
    y, x = np.indices(light.shape[:2])
    colour = np.where(y % 2 == x % 2, np.where(y % 2, 2, 0), 1)
    for c in range(3):
        known = np.pad(np.where(colour == c, 1.0, 0.0), 1, "reflect")
        values = known * np.pad(light[..., c], 1, "reflect")
        near = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if c != 1 or abs(dy) + abs(dx) == 1]
        total, count = (sum(np.roll(a, shift, (0, 1))[1:-1, 1:-1] for shift in near) for a in (values, known))
        light[..., c] = np.where(colour == c, light[..., c], total / np.maximum(count, 1))
    return as16(light @ np.array([[1.6, -0.2, 0.0], [-0.5, 1.5, -0.6], [-0.1, -0.3, 1.6]]))


def downsampled(name: str, factor: int) -> Samples:
    """One of scikit-learn's sample photographs in linear light, each value the mean of factor × factor pixels: it has next to no noise."""
    light = (load_sample_image(name).astype(np.float64) / 255) ** 2.2
    height, width = (n // factor for n in light.shape[:2])
    return as16(PEAK * light[: height * factor, : width * factor].reshape(height, factor, width, factor, 3).mean((1, 3)))


def photographs(folder: Path) -> Iterator[tuple[str, Samples]]:
    """The pictures of a folder that have 16 bits."""
    for path in sorted(p for p in folder.iterdir() if p.suffix in {".png", ".tif", ".tiff", ".ppm", ".pgm"}):
        signal = files.read(path)
        if signal.bit_depth == 16:
            yield path.name, signal.samples


def made_photographs() -> Iterator[tuple[str, Samples]]:
    """Photographs of 16 bits made from ones of 8."""
    for size in (64, 96, 200, 350):
        yield f"photo16({size})", photo16(size)
    yield "flower.jpg ÷ 4, linear", downsampled("flower.jpg", 4)
    yield "china.jpg ÷ 2, linear", downsampled("china.jpg", 2)
    for name in ("china.jpg", "flower.jpg"):
        yield f"{name} ÷ 2, as by a camera", camera(downsampled(name, 2)[40:168, 60:188], 200, 1)
    yield "china.jpg ÷ 2, very dark", downsampled("china.jpg", 2) // 40


def synthetic() -> Iterator[tuple[str, Samples]]:
    """Gradients with noise, waves, areas of one value, and noise alone."""
    noise = np.random.default_rng(1).standard_normal((SIDE, SIDE))
    y, x = np.indices((SIDE, SIDE))
    for spread in (0, 20, 80, 150, 256, 400, 1000, 4000):
        yield f"gradient, noise of {spread}", as16(8000 + 150 * x + 97.3 * y + spread * noise)
    for spread in (0, 20, 80):
        yield f"slow gradient, noise of {spread}", as16(20000 + 11.3 * x + 5.1 * y + spread * noise)
    for size in (64, 256):
        yield f"smooth16({size})", smooth16(size)
    yield "waves", as16(32768 + 30000 * np.sin(x / 9) * np.cos(y / 7))
    yield "short waves", as16(32768 + 30000 * np.sin(1.1 * x) * np.cos(0.9 * y))
    yield "checkerboard, noise of 30", as16(np.where((x // 16 + y // 16) % 2, 40000, 12345) + 30 * noise)
    yield "uniform noise", np.random.default_rng(2).integers(0, 65536, (SIDE, SIDE), np.uint16)
    yield "black with noise of 40", as16(40 * np.abs(noise))
    yield "black with noise of 200", as16(200 * np.abs(noise))
    yield "dark: 40 … 165, and brighter below", as16(100 + 60 * np.sin(x / 20) + 5 * noise + np.where(y > 100, 300, 0))
    yield "one value", np.full((SIDE, SIDE), 18120, np.uint16)


def row(name: str, truth: Samples) -> list[Any]:
    """A picture by all ways: PSNR in dB, and the seconds of ours."""
    upper, channel_axis = (truth >> 8).astype(np.uint8), truth.ndim == 3
    zero, middle = (psnr(truth, expand(upper, 8, 16, channel_axis, fill=fill)) for fill in ("zero", "midpoint"))
    found, seconds = timed(lambda: expand(upper, 8, 16, channel_axis))
    if not (found >> 8 == upper).all():
        raise SystemExit(f"{name}: the given bits changed")
    ours = psnr(truth, found)
    return [name, "×".join(map(str, truth.shape)), zero, middle, ours, f"{ours - middle:+.2f}", seconds]


def section(title: str, pictures: Iterator[tuple[str, Samples]]) -> str:
    """A table of pictures, with how often ours is better than the midpoint."""
    rows = [row(name, truth) for name, truth in pictures]
    better = sum(r[4] > r[3] for r in rows)
    worst = min(rows, key=lambda r: r[4] - r[3])
    note = f"Ours is better than the midpoint on {better} of {len(rows)}; the least gain is {worst[5]} dB ({worst[0]})."
    means = f"Means: midpoint {statistics.fmean(r[3] for r in rows):.2f} dB, ours {statistics.fmean(r[4] for r in rows):.2f} dB."
    return "\n\n".join([f"## {title}", table(HEADS, rows), f"{note} {means}"])


def by_networks(pictures: list[tuple[str, Samples]], steps: int) -> str:
    """A table of what networks that were fitted to the upper bits say of the lower ones, within the cells that the upper ones leave."""
    rows: list[list[Any]] = []
    for name, truth in pictures:
        upper, channel_axis = (truth >> 8).astype(np.uint8), truth.ndim == 3
        found = [name, psnr(truth, expand(upper, 8, 16, channel_axis, fill="midpoint"))]
        for options in NETWORKS.values():
            given = {"profile": "inr", "until": "mdl", "steps": steps, "seconds": 1e6, "threads": 1, **options}
            data, seconds = timed(partial(inrcodec.encode, upper, kind="image", **given))
            signal = inrcodec.render(data, bit_depth=16, fill="network")
            if not (signal.samples >> 8 == upper).all():
                raise SystemExit(f"{name}: the given bits changed")
            found += [psnr(truth, signal.samples), seconds]
        rows.append([*found, psnr(truth, expand(upper, 8, 16, channel_axis))])
    heads = ["picture", "midpoint", *(h for name in NETWORKS for h in (name, "s")), "ours, smooth"]
    note = (
        "Each network is fitted to the upper 8 bits alone, as a file that anybody can make (`encode --profile inr`), and rendered by "
        f"`render --bit-depth 16 --fill network`. {steps} steps each. The SIREN is the form of Han et al.: its axis of bits has 16 places, "
        "and the lower ones are extrapolated. The networks of values are bounded to the cells by their loss: a cell's whole mass counts."
    )
    return "\n\n".join(["## By networks", table(heads, rows), note])


def main() -> None:
    """Expand all pictures, and save the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.implicit.depth", description="Bit-depth expansion from 8 to 16 bits.")
    parser.add_argument("--data", type=Path, help="a folder of photographs of 16 bits")
    parser.add_argument("--steps", type=int, default=0, help="also fit networks, in so many steps; minutes")
    given = parser.parse_args()
    expand(photo16(64).astype(np.uint8), 8, 16, True)  # compiles the kernels
    parts = ["The upper 8 bits of 16 are given, and never change. PSNR in dB, peak 65535."]
    if given.data is not None:
        parts.append(section("True photographs of 16 bits", photographs(given.data)))
    parts.append(section("Photographs of 16 bits made from ones of 8", made_photographs()))
    parts.append(section("Made pictures", synthetic()))
    if given.steps:
        chosen = [
            *(photographs(given.data) if given.data is not None else []),
            ("photo16(64)", photo16(64)),
            ("smooth16(64)", smooth16(64)),
        ]
        parts.append(by_networks(chosen, given.steps))
    parts.append("\n\n".join(["## Published", table(["method", "PSNR, dB"], PUBLISHED), SOURCE]))
    save("implicit-depth", "Bit-depth expansion from 8 to 16 bits", parts, "numba", "scikit-learn", module="bench.implicit.depth")


if __name__ == "__main__":
    main()
