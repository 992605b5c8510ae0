"""Draws docs/implicit-priors.png: a photograph of scikit-learn by networks from priors, by one from random weights, and by JPEG.

python -m bench.implicit.priors_picture
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

import inrcodec

from ..common import Samples, tell
from . import rate
from .figures import DOCS
from .priors import COMMON, SHAPE
from .rate import psnr, rendered

STEPS = 1000
CROP = (slice(130, 290), slice(250, 490))  # what is shown of the picture
WIDTH = 3  # panels in a row
COLOURS = 96  # of the picture


def panels(samples: Samples) -> list[tuple[str, Samples]]:
    """(title, samples) of each panel; all fits are of the whole picture."""
    places = samples.shape[0] * samples.shape[1]
    found = [("original", samples)]
    files = {
        f"random weights, {STEPS // 10} steps": {**SHAPE, "bits": 8, "steps": STEPS // 10},
        f"prior meta, {STEPS // 10} steps": {"prior": "meta", "steps": STEPS // 10},
        f"prior meta, {STEPS} steps": {"prior": "meta", "steps": STEPS},
        "prior modulations": {"prior": "modulations"},
    }
    size = 0
    for title, options in files.items():
        data = inrcodec.encode(samples, kind="image", **COMMON, **options)
        size, seen = len(data), rendered(data)
        found.append((f"{title}\n{8 * size / places:.2f} bits per pixel, {psnr(samples, seen):.1f} dB", seen))
        tell(found[-1][0])
    coded = next(data for data in (rate.jpeg(samples, quality) for quality in range(1, 60)) if len(data) >= size)
    seen = rate.unjpeg(coded)
    found.append((f"JPEG\n{8 * len(coded) / places:.2f} bits per pixel, {psnr(samples, seen):.1f} dB", seen))
    return found


def draw(shown: list[tuple[str, Samples]], path: Path) -> None:
    """Write the panels."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    rows = -(-len(shown) // WIDTH)
    figure, axes = plt.subplots(rows, WIDTH, figsize=(8.4, 2.35 * rows), layout="constrained")
    for axis, (title, samples) in zip(axes.flat, shown, strict=True):
        axis.imshow(samples[CROP], interpolation="nearest")
        axis.set_title(title, fontsize=7.5)
        axis.axis("off")
    out = io.BytesIO()
    figure.savefig(out, dpi=110)
    plt.close(figure)
    shrunk(Image.open(out)).save(path, optimize=True)


def shrunk(picture: Image.Image) -> Image.Image:
    """A picture of few colours, which takes a fraction of the bytes."""
    return picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


def main() -> None:
    """Fit and draw."""
    samples = np.ascontiguousarray(load_sample_image("china.jpg"))
    draw(panels(samples), DOCS / "implicit-priors.png")


if __name__ == "__main__":
    main()
