"""A radiance field through the coding of weights: PSNR of views that were not trained, before and after.

    python -m bench.implicit.radiance                       trains, encodes, measures, and draws docs/implicit-radiance.png
    python -m bench.implicit.radiance --model FILE          keeps the trained network in FILE, or takes it from there

A small network gives colour and density of each point, and views are integrals along rays (Mildenhall et al., "NeRF", ECCV 2020), on 40
views of 64 × 64 of a scene of analytic shapes. There is no direction of view: the shapes are matt. Its weights go through `inrcodec encode
--lossy` and `decode`. Claim to test: sparse codes keep the quality (Jayasundara et al., "SINR", CVPR 2025); wanted: at most 0.5 dB lost at
8 bits a weight or fewer.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import inrcodec
from inrcodec import Tensors, files

from ..common import save, table, tell
from . import scene
from .figures import DOCS

SIZE, TRAINED, HELD = 64, 40, 6  # pixels of a view each way, views that are trained, views that are not
UNITS, LAYERS, OCTAVES = 128, 4, 6
RAYS, SAMPLES = 384, 32  # of a step; of a ray
FINE = 64  # samples of a ray when a view is drawn
RATES = (3e-3, 1e-4)  # learning rate at the first and at the last step
CODINGS = (("exact", 0), ("uniform", 8), ("lsq", 8), ("lsq", 6), ("lsq", 4), ("sinr", 8), ("sinr", 6), ("sinr", 4), ("ternary", 2))
SHOWN = (0, 3)  # held-out views in the picture
DRAWN = (("uniform", 8), ("lsq", 4), ("sinr", 8))


class Field(nn.Module):
    """Points in the ball → colour and density."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [3 + 6 * OCTAVES, *[UNITS] * LAYERS]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = nn.Linear(UNITS, 4)

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """points: (n, 3) → colours (n, 3), 0 to 1, and densities (n,), 0 or more."""
        scaled = points / scene.RADIUS
        angles = (scaled[:, None, :] * (math.pi * 2.0 ** torch.arange(OCTAVES))[:, None]).flatten(1)
        x = torch.cat([scaled, angles.sin(), angles.cos()], dim=1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        found = self.last(x)
        return torch.sigmoid(found[:, :3]), nn.functional.softplus(10 * found[:, 3])


def seen(field: Field, origins: torch.Tensor, rays: torch.Tensor, samples: int, jitter: torch.Generator | None) -> torch.Tensor:
    """The colours along rays, (n, 3): the integral of colour and density inside the ball, on white. jitter: of places; None: middles."""
    middle = -(origins * rays).sum(1)
    reach = (scene.RADIUS**2 - (origins.square().sum(1) - middle.square())).clamp_min(0).sqrt()
    offsets = torch.rand((len(rays), samples), generator=jitter) if jitter else torch.full((len(rays), samples), 0.5)
    along = (middle - reach)[:, None] + 2 * reach[:, None] * (torch.arange(samples) + offsets) / samples
    points = origins[:, None] + along[..., None] * rays[:, None]
    colours, density = field(points.reshape(-1, 3))
    opaque = 1 - torch.exp(-density.reshape(len(rays), samples) * 2 * reach[:, None] / samples)
    through = torch.cumprod(torch.cat([torch.ones(len(rays), 1), 1 - opaque[:, :-1] + 1e-10], dim=1), dim=1)
    weights = opaque * through
    found: torch.Tensor = (weights[..., None] * colours.reshape(len(rays), samples, 3)).sum(1) + (1 - weights.sum(1))[:, None]
    return found


def trained(views: list[scene.View], steps: int) -> Field:
    """A field fitted to views by Adam; the same seed gives the same field on the same machine."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    field = Field()
    origins = torch.tensor(np.repeat([v.origin for v in views], len(views[0].rays), axis=0), dtype=torch.float32)
    rays = torch.tensor(np.concatenate([v.rays for v in views]), dtype=torch.float32)
    colours = torch.tensor(np.concatenate([v.colours for v in views]), dtype=torch.float32)
    optimizer = torch.optim.Adam(field.parameters(), RATES[0])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATES[0] * (RATES[1] / RATES[0]) ** (step / steps)
        chosen = torch.randint(len(rays), (RAYS,), generator=generator)
        loss = (seen(field, origins[chosen], rays[chosen], SAMPLES, generator) - colours[chosen]).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 200 == 0:
            tell(f"step {step}: {-10 * math.log10(float(loss.detach())):.2f} dB")
    return field


def drawn(field: Field, view: scene.View) -> np.ndarray:
    """What a field shows of a view, (pixels, 3), 0 to 1."""
    with torch.no_grad():
        rays = torch.tensor(view.rays, dtype=torch.float32)
        origins = torch.tensor(view.origin, dtype=torch.float32).expand_as(rays)
        parts = zip(torch.split(origins, 1024), torch.split(rays, 1024), strict=True)
        return np.concatenate([seen(field, o, r, FINE, None).numpy() for o, r in parts])


def psnr(field: Field, views: list[scene.View]) -> float:
    """PSNR of views, the mean over views, in dB."""
    errors = [float(np.square(drawn(field, view).clip(0, 1) - view.colours).mean()) for view in views]
    return float(np.mean([-10 * math.log10(error) for error in errors]))


def weights_of(field: Field) -> Tensors:
    """The weights of a field by name."""
    return Tensors.of({name: value.numpy() for name, value in field.state_dict().items()})


def field_of(tensors: Tensors) -> Field:
    """The field with these weights."""
    field = Field()
    field.load_state_dict({name: torch.from_numpy(tensor.numpy().copy()) for name, tensor in tensors.tensors.items()})
    return field


def command(*words: str | Path) -> str:
    """Run inrcodec with these words; what it prints. Raises CalledProcessError."""
    found = subprocess.run(
        [sys.executable, "-m", "inrcodec", *map(str, words)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    return found.stdout


def coded(model: Path, folder: Path) -> Iterator[tuple[str, int, int, Field, dict[str, Any]]]:
    """The field after each coding: its name, bits, bytes of the file, the field, and what info says."""
    for coding, bits in CODINGS:
        file, back = folder / f"{coding}-{bits}.linr", folder / f"{coding}-{bits}.safetensors"
        asked = [] if coding == "exact" else ["--lossy", "--weights", coding, *(["--bits", str(bits)] if coding != "ternary" else [])]
        command("encode", model, "-o", file, "--threads", "1", *asked)
        command("decode", file, "-o", back, "--threads", "1")
        yield coding, bits, file.stat().st_size, field_of(files.read_tensors(back)), inrcodec.info(file.read_bytes())


def picture(views: list[scene.View], shown: list[tuple[str, Field | None]], path: Path) -> None:
    """Draw held-out views, a row each: the truth (no field), then what each field shows. Needs matplotlib."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(SHOWN), len(shown), figsize=(1.7 * len(shown), 1.75 * len(SHOWN) + 0.3), squeeze=False)
    for row, number in zip(axes, SHOWN, strict=True):
        for place, (title, field) in zip(row, shown, strict=True):
            colours = views[number].colours if field is None else drawn(field, views[number])
            place.imshow(colours.reshape(SIZE, SIZE, 3).clip(0, 1), interpolation="nearest")
            place.set_axis_off()
            if number == SHOWN[0]:
                place.set_title(title, fontsize=8)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--model", type=Path, help="a .safetensors file of the trained network: read if it is there, else written")
    parser.add_argument("--train-only", action="store_true", help="end when the network is trained")
    given = parser.parse_args()
    training, held = scene.views(TRAINED, SIZE, 0), scene.views(HELD, SIZE, 1)
    with tempfile.TemporaryDirectory() as name:
        model = given.model or Path(name) / "field.safetensors"
        if not model.exists():
            files.write_tensors(model, weights_of(trained(training, given.steps)))
        if given.train_only:
            return
        first = field_of(files.read_tensors(model))
        before, own = psnr(first, held), psnr(first, training[::8])
        tell(f"trained: {own:.2f} dB on its views, {before:.2f} dB on others")
        rows: list[list[Any]] = []
        shown: list[tuple[str, Field | None]] = [("truth\n", None), (f"float32: {before:.2f} dB\n{weights_of(first).nbytes} bytes", first)]
        for coding, bits, size, field, about in coded(model, Path(name)):
            after = psnr(field, held)
            noise = [t["lossy"]["snr"] for t in about["tensors"] if "lossy" in t]
            worst = f"{min(noise):.1f}" if noise else "no error"
            label = coding if coding in ("exact", "ternary") else f"{coding} {bits}"
            rows.append([label, size, 8 * size / about["elements"], worst, after, f"{after - before:+.2f}"])
            tell(f"{label}: {size} bytes, {after:.2f} dB")
            if (coding, bits) in DRAWN:
                shown.append((f"{label}: {after:.2f} dB\n{size} bytes", field))
        raw = weights_of(first).nbytes
    picture(held, shown, DOCS / "implicit-radiance.png")
    intro = (
        f"{TRAINED} views of {SIZE} × {SIZE}, {HELD} held out; {LAYERS} × {UNITS}, {OCTAVES} octaves, {raw // 4} parameters, {raw} bytes "
    )
    intro += f"as float32. {given.steps} steps of {RAYS} rays of {SAMPLES} samples. PSNR of the held-out views before: {before:.2f} dB, "
    intro += f"of some that it was trained on {own:.2f}. No fine-tuning after rounding. Matrices are rounded, biases stay exact."
    heads = ["weights", "bytes", "bits per weight", "least signal-to-noise ratio, dB", "PSNR, dB", "difference"]
    title = "A radiance field: views after its weights were coded"
    save("implicit-radiance", title, [intro, table(heads, rows)], module="bench.implicit.radiance")


if __name__ == "__main__":
    main()
