"""Trains priors for the context networks of pictures: `python -m inrcodec.profiles.hybrid.train PHOTOS… --out OUT.npz`.

PHOTOS are folders of 8-bit RGB photographs, PNG. It needs torch, imagecodecs and OpenCV.

Every tenth file of each family (a folder's files with the same letters before `_`, and all its others) is held out for validation. The
networks are trained on what the codec itself gathers on crops of the photographs, transposed and mirrored at random: two as RGB, one as
luma and chroma, and one with chroma interpolated from half the resolution. The weights of the coordinates stay 0, since what depends on
the place differs from picture to picture.
"""

from __future__ import annotations

import argparse
import math
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...compression import compress
from ...container import varint
from ...kernels import contextnet
from ...kernels.picture import OCTAVES
from ...weights.shelf import word_bytes
from .pictures import tile
from .pictures.plan import PictureModel, PicturePlan, Plane
from .pictures.sources import Source
from .pictures.transforms import Direct
from .priors import shipped

CROP = 288  # most rows and columns of a crop
RATE = 4e-3  # highest rate of Adam in the first cycle
COORDINATES = 4 * OCTAVES  # the last inputs of a network: sine and cosine of the coordinates
Samples = dict[str, npt.NDArray[Any]]  # by name of the network: (n, inputs + 3) float32, see `fit.context.value_bits`


def load(path: Path) -> npt.NDArray[np.int32]:
    """The samples of a PNG file, (height, width, 3) int32; grey is repeated, alpha is dropped."""
    import imagecodecs

    image = np.atleast_3d(imagecodecs.imread(str(path)))
    return image[:, :, [0, 0, 0] if image.shape[2] < 3 else [0, 1, 2]].astype(np.int32)


def to_luma_chroma(rgb: npt.NDArray[Any], random: np.random.Generator, halve: bool) -> npt.NDArray[np.int32]:
    """Luma and chroma, (3, height, width) int32, of an image (height, width, 3), much as the labels of a lattice would be.

    The weights are those of BT.601. Quantization steps are random. With `halve`, chroma is interpolated from half the resolution.
    """
    import cv2

    r, g, b = (rgb[:, :, i].astype(np.float64) for i in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    cb, cr = (b - y) * 0.564 + 128, (r - y) * 0.713 + 128
    if halve:
        height, width = y.shape
        kind = random.integers(3)
        out: list[npt.NDArray[Any]] = []
        for c in (cb, cr):
            half = cv2.resize(np.round(c), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            half = np.round(half)
            if kind == 0:  # the samples of the half resolution stay as they are, those between are means
                full = np.zeros((height, width))
                full[::2, ::2] = half
                right = np.concatenate([half[:, 1:], half[:, -1:]], 1)
                full[::2, 1::2] = (half + right) / 2
                below = np.concatenate([half[1:], half[-1:]], 0)
                full[1::2, ::2] = (half + below) / 2
                full[1::2, 1::2] = (half + right + below + np.concatenate([right[1:], right[-1:]], 0)) / 4
                out.append(full)
            else:
                how = cv2.INTER_LINEAR if kind == 1 else cv2.INTER_CUBIC
                out.append(cv2.resize(half, (width, height), interpolation=how))
        cb, cr = out
    scale, chroma_scale = (1.0, 1.0) if random.integers(2) else (random.uniform(0.6, 1.0), random.uniform(0.45, 1.0))
    noise = random.normal(0, 0.15, (2, *y.shape)) if random.integers(2) else 0.0  # as if some labels were wrong
    planes = np.stack([y * scale, *(np.stack([cr, cb]) * chroma_scale + noise)])
    return np.clip(np.round(planes), 0, 255).astype(np.int32)


def samples_of(job: tuple[Path, int]) -> Samples:
    """The samples of one photograph. job: (its path, most samples of each network)."""
    path, samples = job
    image = load(path)
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    found: dict[str, list[npt.NDArray[Any]]] = {}
    for variant in ("rgb", "rgb", "chroma", "halved"):
        top, left = (int(random.integers(0, max(1, n - CROP + 1))) for n in image.shape[:2])
        crop = image[top : top + CROP, left : left + CROP]
        crop = crop[: crop.shape[0] // 2 * 2, : crop.shape[1] // 2 * 2]
        if random.integers(2):
            crop = crop.transpose(1, 0, 2)
        if random.integers(2):
            crop = crop[:, ::-1]
        crop = np.ascontiguousarray(crop)
        if variant == "rgb":
            planes = np.ascontiguousarray(np.moveaxis(crop[:, :, [1, 0, 2]], -1, 0))
        else:
            planes = to_luma_chroma(crop, random, variant == "halved")
        for name, references, rows in collect(planes, variant == "halved", (top, left)):
            if variant == "halved" and name == "raster":
                continue
            keep = random.permutation(len(rows))[: samples // 2 if variant == "chroma" and references == 0 else samples]
            found.setdefault(shipped.network_name(name, references, variant == "chroma"), []).append(rows[keep])
    return {name: np.concatenate(rows) for name, rows in found.items()}


def collect(planes: npt.NDArray[np.int32], halved: bool, origin: tuple[int, int]) -> list[tuple[str, int, npt.NDArray[np.float32]]]:
    """The samples of each pass of three planes, (3, height, width): (name of the pass, number of references, (n, inputs + 3) float32).

    halved: whether the last two planes are coded in four passes; origin: (y, x) of the crop in the photograph.
    """
    named = tuple(Plane(i, 255, tuple(range(i)), halved and i > 0) for i in range(3))
    model = PictureModel(least_squares=4, lines=1)
    plan = PicturePlan(Direct(), tuple(Source(255) for _ in range(3)), named, model)
    return [(name, plane, found) for (plane, name), found in tile.features(plan, planes, origin).items()]


def fit(
    samples: npt.NDArray[np.float32], held: npt.NDArray[np.float32], units: int, steps: int, cycles: int
) -> tuple[npt.NDArray[np.float32], float]:
    """Train one network: its weights, float32 (parameters,) as in kernels.contextnet, and its bits per value on the held samples.

    samples, held: (n, inputs + 3) float32, see `fit.context.value_bits`; units: of each hidden layer; steps: of each cycle. In a cycle the
    rate rises and falls (L. N. Smith and N. Topin, "Super-convergence", 2018), each time to half of the cycle before.
    """
    import torch

    from ...fit.context import value_bits

    torch.manual_seed(0)
    inputs = samples.shape[1] - 3
    k = contextnet.COMPONENTS
    data, test = torch.from_numpy(samples), torch.from_numpy(held)

    def layer(weights: Any) -> Any:
        return torch.cat([weights, torch.zeros(1, weights.shape[1])])  # the last row has the biases

    p: Any = [
        layer(torch.randn(inputs, units) / math.sqrt(inputs)),
        layer(torch.randn(units, units) / math.sqrt(units)),
        layer(torch.randn(units, contextnet.OUTPUTS) * 0.01),
    ]
    coordinates = slice(inputs - COORDINATES, inputs)
    p[0][coordinates] = 0
    p[2][-1, 2 * k : 3 * k] = torch.linspace(-1.5, 1.0, k)
    p = [x.requires_grad_() for x in p]

    def bits(batch: Any) -> Any:
        return value_bits(batch, p, 255)

    size = 4096
    order, at = torch.randperm(len(data)), 0
    for cycle in range(cycles):
        rate = RATE / 2**cycle
        optimizer = torch.optim.Adam(p, lr=rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
        for _ in range(steps):
            if at + size > len(data):
                order, at = torch.randperm(len(data)), 0
            loss = bits(data[order[at : at + size]]).mean()
            at += size
            optimizer.zero_grad()
            loss.backward()
            p[0].grad[coordinates] = 0
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        score = float(torch.cat([bits(test[i : i + 65536]) for i in range(0, len(test), 65536)]).mean())
    return torch.cat([x.detach().ravel() for x in p]).numpy(), score


def quantize(weights: npt.NDArray[np.float32], inputs: int, units: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """Weights, (parameters,), as 16-bit integers (parameters,), and a shift for each tensor, (tensors,): weight ≈ integer·2^−shift."""
    whole, shifts, start = np.empty(len(weights), np.int32), [], 0
    for size in shipped.sizes(inputs, units):
        part = weights[start : start + size].astype(np.float64)
        shift = min(30, math.floor(math.log2(32767 / max(1e-9, float(np.abs(part).max())))))
        whole[start : start + size] = np.round(part * 2.0**shift)
        shifts.append(shift)
        start += size
    return whole, np.array(shifts, np.int8)


def pack(networks: dict[str, npt.NDArray[np.float32]], units: int) -> bytes:
    """The bytes of a prior: SPEC.md, "Priors". networks: weights, float32 (parameters,), by name; units: of each hidden layer."""
    parts = [bytes([units, len(networks)])]
    for name, weights in sorted(networks.items()):
        inputs = (len(weights) - contextnet.parameters(0, units)) // units
        whole, shifts = quantize(weights, inputs, units)
        parts += [bytes([len(name)]), name.encode(), varint(inputs), shifts.tobytes()]
        parts.append(word_bytes(whole))
    plain = b"".join(parts)
    return shipped.MAGIC + varint(len(plain)) + compress(plain)


def main() -> None:
    """Train a network for every kind of pass and all `--units`, and write the priors beside OUT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="+", help="folders of 8-bit RGB photographs, PNG")
    parser.add_argument("--out", type=Path, required=True, help="file for the float weights, .npz; the priors are written beside it")
    parser.add_argument("--samples", type=int, default=8000, help="most values taken from a crop for each network")
    parser.add_argument("--units", type=int, nargs="+", default=[48, 64], help="units of a hidden layer; several make several priors")
    parser.add_argument("--steps", type=int, default=20000, help="steps of a cycle of training, for each network")
    parser.add_argument(
        "--cycles",
        type=int,
        default=1,
        help="cycles of training; a second one gained 0.03 % on photographs, and took half as much again for one drawing",
    )
    parser.add_argument("--cache", type=Path, help="folder to keep the gathered samples in")
    parser.add_argument("--workers", type=int, default=2, help="processes that gather samples")
    options = parser.parse_args()
    families: dict[str, list[Path]] = {}
    for folder in options.photos:
        for path in sorted(folder.glob("*.png")):
            family = path.name.split("_")[0]
            families.setdefault(f"{folder}/{family if family.isalpha() else ''}", []).append(path)
    held = [p for family in families.values() for p in family[9::10]]
    train = [p for family in families.values() for p in family if p not in held]
    start = time.time()
    sets: list[dict[str, Any]] = []
    for name, paths in (("train", train), ("held", held)):
        cache = options.cache / f"{name}.npz" if options.cache else None
        if cache and cache.exists():
            sets.append(dict(np.load(cache)))
            continue
        with ProcessPoolExecutor(options.workers) as pool:
            parts = list(pool.map(samples_of, [(p, options.samples) for p in paths]))
        sets.append({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
        if cache:
            np.savez(cache, **sets[-1])
    print(f"{len(train)} photographs, {len(held)} held out, {time.time() - start:.0f} s", flush=True)
    out: dict[str, Any] = {}
    for units in options.units:
        for name in sorted(sets[0]):
            start = time.time()
            out[f"{name}_{units}"], score = fit(sets[0][name], sets[1][name], units, options.steps, options.cycles)
            print(f"{name} {units} units: {len(sets[0][name])} samples, held out {score:.4f} bits, {time.time() - start:.0f} s", flush=True)
            np.savez(options.out, **out)
    for units in options.units:
        chosen = {name.removesuffix(f"_{units}"): w for name, w in out.items() if name.endswith(f"_{units}")}
        options.out.with_name(f"{options.out.stem}-{units}.prior").write_bytes(pack(chosen, units))


if __name__ == "__main__":
    main()
