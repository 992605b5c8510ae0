"""Networks from priors beside networks that begin with random weights, on the photographs of a folder.

    python -m bench.implicit.priors meta|modulations --data DIR [--count N] [--steps N]

Rows "basic" are fits of the shape of the prior "meta", from random weights; rows "meta" begin with the prior. Both were fitted with so many
steps, and their learning rate falls over these. Rows "modulations" have the latent vectors of patches. JPEG is a yardstick: at the quality
whose file is the largest that is no larger.

Published (Strümpler et al., 2022, on Kodak): basic, 8 bits: 0.299 bits per pixel, 28.41 dB; meta-learned, 7 bits: 0.249, 28.28. Modulations
of patches: about 24.2 dB at 1.5 bits per pixel (as Jayasundara et al., 2025, cite and improve it).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inrcodec

from ..common import Samples, save, table, tell, timed
from . import rate
from .pictures import folder
from .rate import psnr, rendered
from .watching import threads, with_machine

COMMON: dict[str, Any] = {"profile": "inr", "payload": False, "threads": 1, "verify": False}
SHAPE: dict[str, Any] = {
    "network": "values", "body": "mlp", "octaves": 8, "hidden": 64, "layers": 3, "until": "mdl", "loss": "mse", "weights": "uniform",
}  # fmt: skip
MOST_QUALITY = 60  # of JPEG, below which all rates here lie
Row = tuple[str, Callable[[Samples], bytes]]


def encoder(**options: Any) -> Callable[[Samples], bytes]:
    """What makes the file of a picture."""
    return lambda samples: inrcodec.encode(samples, kind="image", **COMMON, **options)


def rows_of(prior: str, steps: int) -> list[Row]:
    """(name, how its file is made) of each row. prior: "meta" or "modulations"."""
    rows: list[Row] = []
    if prior == "modulations":
        for bits in (5, 4, 3):
            rows.append((f"modulations, uniform {bits}", encoder(prior="modulations", bits=bits, effort=2)))
        return [*rows, ("modulations, sinr", encoder(prior="modulations", weights="sinr", effort=2))]
    for n in (steps, steps // 10):
        rows.append((f"basic, uniform 8, {n} steps", encoder(**SHAPE, bits=8, steps=n)))
    for bits in (7, 6):
        rows.append((f"meta, uniform {bits}, {steps} steps", encoder(prior="meta", bits=bits, steps=steps)))
    for n in (steps // 4, steps // 10, steps // 40):
        rows.append((f"meta, uniform 7, {n} steps", encoder(prior="meta", bits=7, steps=n)))
    return rows


def jpeg(samples: Samples, size: float) -> tuple[float, float]:
    """(bytes, PSNR in dB) of the largest JPEG of at most `size` bytes; of the smallest one if all are larger."""
    best = rate.jpeg(samples, 1)
    for quality in range(2, MOST_QUALITY):
        found = rate.jpeg(samples, quality)
        if len(found) > size:
            break
        best = found
    return len(best), psnr(samples, rate.unjpeg(best))


def main() -> None:
    """Fit, and write bench/results/implicit-priors-PRIOR.md."""
    parser = with_machine(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument("prior", choices=("meta", "modulations"))
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs, PNG")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    rows = rows_of(given.prior, given.steps)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _ in rows}
    beside: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in rows}
    with threads(given.threads):
        for picture, samples in folder(given.data, given.count, 1):
            for name, make in rows:
                data, seconds = timed(lambda make=make, samples=samples: make(samples))  # type: ignore[misc]
                quality = psnr(samples, rendered(data))
                places = samples.shape[0] * samples.shape[1]
                found[name].append((8 * len(data) / places, quality, seconds))
                size, other = jpeg(samples, len(data))
                beside[name].append((8 * size / places, other))
                tell(f"{picture} {name}: {found[name][-1]}")
    lines = [[name, *(statistics.mean(column) for column in zip(*found[name], strict=True)), *_mean(beside[name])] for name, _ in rows]
    heads = ["network", "bits per pixel", "PSNR, dB", "seconds", "JPEG: bits per pixel", "PSNR, dB"]
    shown = [[line[0], *(f"{x:.3f}" if i in (0, 3) else f"{x:.2f}" for i, x in enumerate(line[1:]))] for line in lines]
    parts = [f"Means over {len(found[rows[0][0]])} pictures. Whole files, lossy: the network alone.", table(heads, shown)]
    save(f"implicit-priors-{given.prior}", f"Networks from the prior {given.prior}", parts, "pillow", module="bench.implicit.priors")


def _mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.mean(a for a, _ in pairs), statistics.mean(b for _, b in pairs)


if __name__ == "__main__":
    main()
