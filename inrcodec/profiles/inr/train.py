"""Trains the priors of profile `inr`: `python -m inrcodec.profiles.inr.train meta|modulations OUT FOLDER…`.

FOLDER holds photographs of 8 bits, RGB, PNG. Every tenth file of each family (a folder, and in it the part of a name before `_`) is held
out for validation. With the same torch, thread count and seed the result is the same.

meta: first weights from which three steps with learned rates lead to most of a picture, by second-order meta-learning (Finn et al., "MAML",
ICML 2017; Li et al., "Meta-SGD", 2017; for pictures: Strümpler et al., "Implicit Neural Representations for Image Compression", ECCV 2022).
modulations: a network shared by all patches, see `fit.shifted`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...fit.codings import Uniform
from ...fit.export import export
from ...fit.frame import ORDER, Frame, PriorHead
from ...fit.learned import INNER, OCTAVES, Learned, adapted
from ...fit.model import HIDDEN_OMEGA, CoordinateNetwork
from ...fit.shifted import FIRST_OMEGA, SIDE, Shifted, first_latents, places
from ...kernels.architecture import Architecture
from ...kernels.inr import Layer, Network
from ...kernels.tables import TURN_BITS
from ...weights import prior
from ...weights.prior import Prior

Pictures = list[torch.Tensor]  # (height, width, 3) float32, samples as shares of their range
WARM_UP = 200  # steps in which the learning rate rises
EVERY = 200  # steps from one line of progress to the next
NORM = 1.0  # gradients are cut to this length

META_SIDE = 384  # pixels of the longer side at which photographs are seen: more than such a network can show
META_TASKS, META_PLACES = 4, 1536  # pictures in a step, and pixels of each in an inner step
META_RATE, META_RATE_RATE = 3e-4, 1e-2  # of Adam, for the first weights, and for the logarithms of the learned rates
MODULATION_HIDDEN, MODULATION_LAYERS = 300, 5
MODULATION_PATCHES, MODULATION_PLACES = 48, 64  # in a step, and pixels of each
MODULATION_RATE = 2e-4
WEIGHT_BITS, MAP_BITS = 14, 11  # of the numbers of a prior
MULTIPLIER_BITS = 20  # of a multiplier in a prior, at most


def read(folders: Sequence[Path], side: int = 0) -> tuple[Pictures, Pictures]:
    """The photographs of some folders: those to train with, and those held out. side: the longer side is made so small; 0: not."""
    from PIL import Image

    families: dict[tuple[Path, str], list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.png")):
            families.setdefault((folder, path.stem.split("_")[0] if folder.name == "photos" else ""), []).append(path)

    def load(path: Path) -> torch.Tensor:
        image = Image.open(path).convert("RGB")
        scale = side / max(image.size) if side else 1.0
        if scale < 1:
            image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        return torch.from_numpy(np.array(image)).float() / 256

    held = {path for family in families.values() for path in family[9::10]}
    every = [path for family in families.values() for path in family]
    return [load(p) for p in every if p not in held], [load(p) for p in every if p in held]


def rates(steps: int) -> Iterator[float]:
    """The learning rate of each step, relative to its largest: it rises for WARM_UP steps, and falls like half a cosine."""
    for step in range(steps):
        yield min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps)) + 1e-3


def decibels(square: float) -> float:
    """PSNR in dB of a mean squared error of shares of the range."""
    return -10 * math.log10(max(square, 1e-12))


class Told:
    """Prints how a training goes."""

    def __init__(self, steps: int) -> None:
        self.steps, self.started, self.losses = steps, time.perf_counter(), [0.0][:0]

    def __call__(self, step: int, loss: float, held: Any) -> None:
        """After a step. held: gives the PSNR of what is held out."""
        self.losses.append(loss)
        if step % EVERY == 0 or step == self.steps - 1:
            mean = float(np.mean(self.losses[-EVERY:]))
            print(f"{step} {time.perf_counter() - self.started:.0f} s  train {decibels(mean):.2f} dB  held out {held():.2f} dB", flush=True)


def sampled(picture: torch.Tensor, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random pixels of a picture: coordinates (count, 2), samples (count, 3)."""
    height, width, _ = picture.shape
    index = torch.randint(0, height * width, (count,), generator=generator)
    rows, columns = index // width, index % width
    return torch.stack([2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1], 1), picture.reshape(-1, 3)[index]


def train_meta(folders: Sequence[Path], hidden: int, layers: int, steps: int, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """First weights and learned rates by name: see `fit.learned.Learned`."""
    pictures, held = read(folders, META_SIDE)
    generator, random = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    model = Learned(hidden, layers, generator)
    first = [*model.weights, *model.biases]
    optimizer = torch.optim.Adam([{"params": first, "lr": META_RATE}, {"params": list(model.log_rates), "lr": META_RATE_RATE}])

    def tasks(chosen: Pictures) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [
            (torch.stack([x for x, _ in found]), torch.stack([y for _, y in found]))
            for found in ([sampled(p, META_PLACES, generator) for p in chosen] for _ in range(INNER + 1))
        ]

    def on_held() -> float:
        squares = []
        for picture in held[::2]:
            data = tasks([picture])
            network = adapted(model, data[:-1], second_order=False)
            with torch.no_grad():
                squares.append(decibels(float((network(data[-1][0]) - data[-1][1]).square().mean())))
        return float(np.mean(squares))

    tell = Told(steps)
    for step, rate in enumerate(rates(steps)):
        for group, most in zip(optimizer.param_groups, (META_RATE, META_RATE_RATE), strict=True):
            group["lr"] = rate * most
        data = tasks([pictures[i] for i in random.integers(0, len(pictures), META_TASKS)])
        network = adapted(model, data[:-1], second_order=True)
        square = (network(data[-1][0]) - data[-1][1]).square().mean((1, 2))
        optimizer.zero_grad()
        torch.autograd.backward(torch.log(square).mean())  # a picture counts the same whether it is smooth or not
        torch.nn.utils.clip_grad_norm_(first, NORM)
        optimizer.step()
        tell(step, float(torch.exp(torch.log(square.detach()).mean())), on_held)
    return {name: p.detach().numpy() for name, p in model.named_parameters()}


def recoloured(patches: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of the patches, (patches, places, 3), with their channels in another order, and each channel with another range.

    Few photographs have patches of strong colours, which drawings are made of.
    """
    count = len(patches)
    order = torch.rand(count, 3, generator=generator).argsort(1)
    least, most = (torch.rand(count, 1, 3, generator=generator) for _ in range(2))
    changed = torch.gather(patches, 2, order[:, None].expand_as(patches)) * (most - least) + least
    chosen = torch.rand(count, 1, 1, generator=generator) < 0.5
    return torch.where(chosen, changed.clamp(0, 255 / 256), patches)


def train_modulations(
    folders: Sequence[Path], steps: int, seed: int, first: dict[str, npt.NDArray[np.float32]] | None = None
) -> dict[str, npt.NDArray[np.float32]]:
    """The network and its map of latent vectors, by name: see `fit.shifted.Shifted`.

    first: of an earlier training, which goes on with half of the rate and with `recoloured` patches.
    """
    pictures, held = read(folders)
    generator, random = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    model = Shifted(MODULATION_HIDDEN, MODULATION_LAYERS, generator)
    if first:
        model.load_state_dict({name: torch.from_numpy(p) for name, p in first.items()})
    network = [*model.weights, *model.biases]
    optimizer = torch.optim.Adam([{"params": network}, {"params": [model.map]}], betas=(0.9, 0.99))

    def patches(chosen: Pictures, count: int) -> torch.Tensor:
        found = []
        for picture in (chosen[i] for i in random.integers(0, len(chosen), count)):
            top, left = (int(random.integers(n - SIDE + 1)) for n in picture.shape[:2])
            found.append(picture[top : top + SIDE, left : left + SIDE].reshape(-1, 3))
        return torch.stack(found)

    checked = patches(held, 128)

    def on_held() -> float:
        with torch.no_grad():
            found = model(places().expand(len(checked), -1, -1), first_latents(checked))
        return decibels(float((found - checked).square().mean()))

    tell = Told(steps)
    for step, rate in enumerate(rates(steps)):
        for group, factor in zip(optimizer.param_groups, (1, 3), strict=True):
            group["lr"] = rate * factor * MODULATION_RATE * (0.5 if first else 1.0)
        batch = patches(pictures, MODULATION_PATCHES)
        if first:
            batch = recoloured(batch, generator)
        index = torch.randint(0, SIDE * SIDE, (len(batch), MODULATION_PLACES), generator=generator)
        wanted = torch.gather(batch, 1, index[..., None].expand(-1, -1, 3))
        square = (model(places()[index], first_latents(batch)) - wanted).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(square)
        torch.nn.utils.clip_grad_norm_(list(model.parameters()), NORM)
        optimizer.step()
        tell(step, square.item(), on_held)
    return {name: p.detach().numpy() for name, p in model.named_parameters()}


def pack(found: dict[str, npt.NDArray[np.float32]]) -> bytes:
    """The bytes of a prior. found: what `train_meta` or `train_modulations` gave."""
    count = sum(name.startswith("weights.") for name in found)
    weights, biases = ([found[f"{part}.{i}"].copy() for i in range(count)] for part in ("weights", "biases"))
    in_order = list(ORDER)  # the training has outputs in the order of coding, a network in that of the channels
    weights[-1], biases[-1] = weights[-1][in_order], biases[-1][in_order]
    patch = 0 if "map" not in found else SIDE.bit_length() - 1
    hidden, octaves = weights[0].shape[0], 0 if patch else OCTAVES
    a = Architecture((1, 1), 3, 1, hidden, count - 1, "values", octaves=octaves)
    model = CoordinateNetwork(a, FIRST_OMEGA if patch else HIDDEN_OMEGA, torch.Generator())
    with torch.no_grad():
        for i in range(count):
            model.weights[i].copy_(torch.from_numpy(weights[i])[None])
            model.biases[i].copy_(torch.from_numpy(biases[i])[None])
    head = PriorHead(Frame())
    model.head = head
    exported, joint = export(model, Uniform(model, WEIGHT_BITS)).network, head.joint()
    network = Network(a, [[_with_room(layer) for layer in exported.layers[0]]])
    if patch:
        turns = found["map"] * (2.0**TURN_BITS / (2 * math.pi))
        unit = math.floor(math.log2(2 ** (MAP_BITS - 1) / float(np.abs(turns).max())))
        words = np.rint(turns * 2.0**unit).astype(np.int32)
        return prior.write(Prior(network, joint.order, joint.factors, patch, words, unit, np.zeros((0, 0), np.float32)))
    rates = [found[f"log_rates.{i}"] for i in range(2 * count)]
    for i in (count - 1, 2 * count - 1):
        rates[i] = rates[i][:, in_order]
    flat = np.exp(np.concatenate([r.reshape(len(r), -1) for r in rates], axis=1))
    return prior.write(Prior(network, joint.order, joint.factors, 0, None, 0, flat))


def _with_room(layer: Layer) -> Layer:
    """A layer with a coarser multiplier, so that its sums stay exact when a difference makes its weights larger."""
    room = min(max(layer.multiplier.bit_length() - MULTIPLIER_BITS, 0), layer.shift)
    return replace(layer, multiplier=layer.multiplier >> room, shift=layer.shift - room)


def main() -> None:
    """Train a prior, and write its float weights to OUT.npz and the prior to OUT.prior."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("meta", "modulations"))
    parser.add_argument("out", type=Path, help="name of the files without extension")
    parser.add_argument("folders", type=Path, nargs="+", help="folders of 8-bit RGB photographs, PNG")
    parser.add_argument("--hidden", type=int, default=64, help="meta: units of a hidden layer")
    parser.add_argument("--layers", type=int, default=3, help="meta: hidden layers")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="for torch; another number may change the result in its last digits")
    parser.add_argument("--first", type=Path, help="modulations: float weights, .npz, to go on from, with colours changed")
    parser.add_argument("--pack", action="store_true", help="only write the prior of the float weights that are there")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.pack:
        found = dict(np.load(given.out.with_suffix(".npz")))
    elif given.kind == "meta":
        found = train_meta(given.folders, given.hidden, given.layers, given.steps, given.seed)
    else:
        found = train_modulations(given.folders, given.steps, given.seed, dict(np.load(given.first)) if given.first else None)
    np.savez(given.out.with_suffix(".npz"), **found)
    given.out.with_suffix(".prior").write_bytes(pack(found))


if __name__ == "__main__":
    main()
