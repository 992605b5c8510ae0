"""Fits the latent vectors of a picture's patches, for the prior that all patches share: see `shifted`.

Each vector begins as low frequencies of its patch, and is improved by Adam, at first as it is, then rounded.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..errors import FitError, Stopped
from ..kernels.dictionary import deviation
from ..kernels.inr import EXACT_FLOAT64
from ..kernels.modulation import patches_of
from ..kernels.tables import TURN_BITS
from ..options import Options, Progress
from ..values import Values
from ..weights import adapted, prior, sinr
from ..weights.adapted import Adapted, Latents
from ..weights.network import CodedNetwork
from ..weights.prior import Prior
from .codings.base import as_integers, round_through
from .codings.sinr import FEW as FORM
from .codings.sinr import nonzeros, pursue
from .difference import last_layer
from .export import scale_of
from .frame import ORDER, Frame, PriorHead, float_layers, frame_of
from .objective import psnr
from .shifted import SIDE, Shifted, first_latents, places

BITS = 5  # of a latent value, unless options say otherwise
STEPS = (4, 8, 12, 20, 160)  # of each patch, for efforts 1 to 5
RATE = 0.02  # Adam's learning rate
PATCHES, PLACES = 64, 128  # that are fitted at a time, and pixels of each in a step
CUT = 0.9995  # share of first latent values that the largest integer holds
ROUNDED = 0.5  # share of the steps with rounded values
SPARSE_SHARE = 1 / 4  # non-zeros of a sparse vector, relative to its length
MOST_SPARSE = 4096  # patches: the dictionary has some times their square in numbers


@dataclass(frozen=True)
class Patches:
    """A picture cut into patches: samples (patches, SIDE², 3) as shares of their range; known (patches, SIDE²): 1 inside the picture."""

    samples: torch.Tensor
    known: torch.Tensor


def patches(values: Values, frame: Frame) -> Patches:
    """Values (height, width, 3), cut. Patches at the far ends are filled with the last row or column."""
    counts = patches_of(values.shape[:-1], SIDE.bit_length() - 1)
    padding = [(0, c * SIDE - n) for c, n in zip(counts, values.shape[:-1], strict=True)]
    inside = np.pad(np.ones(values.shape[:-1], np.float32), padding)
    whole = np.pad(values.astype(np.int64), [*padding, (0, 0)], mode="edge")

    def cut(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return x.reshape(counts[0], SIDE, counts[1], SIDE, -1).swapaxes(1, 2).reshape(counts[0] * counts[1], SIDE * SIDE, -1)

    return Patches(frame.shares(torch.from_numpy(cut(whole))), torch.from_numpy(cut(inside))[..., 0])


def float_network(found: Prior) -> Shifted:
    """The float network of a prior of patches; its map gives shifts in radians."""
    a = found.network.architecture
    model = Shifted(a.hidden, a.layers, torch.Generator().manual_seed(0))
    assert found.map is not None
    with torch.no_grad():
        for i, layer in enumerate(float_layers(found, model.omegas)):
            order = list(ORDER) if i == a.layers else slice(None)  # the last layer has its outputs in the order of coding
            model.weights[i].copy_(torch.from_numpy(layer.weights[order]))
            model.biases[i].copy_(torch.from_numpy(layer.bias[order]))
        model.map.copy_(torch.from_numpy(found.map * (2.0**-found.unit * 2 * math.pi * 2.0**-TURN_BITS)))
    return model.requires_grad_(False)


class Watched:
    """Reports how a fit goes. total: steps of all patches."""

    def __init__(self, options: Options, total: int, frame: Frame) -> None:
        self.options, self.total, self.frame = options, total, frame
        self.started, self.done = time.perf_counter(), 0

    def __call__(self, found: torch.Tensor, wanted: torch.Tensor) -> bool:
        """After a step. found, wanted: samples as shares, of one shape. Returns whether the fit is to end."""
        self.done += 1
        seconds, fraction = time.perf_counter() - self.started, self.done / self.total
        if self.options.progress and (self.done % 10 == 1 or self.done == self.total):
            values, truth = self.frame.values(found), self.frame.values(wanted)
            wrong = [((values ^ truth) >> b & 1).double().mean().item() for b in reversed(range(self.frame.bits))]
            square = float((found - wanted).square().mean())
            # nats of a Gaussian of this spread, for each value: about what a payload would take
            bits = max(0.5 * math.log2(2 * math.pi * math.e * max(square, 1e-12)) + self.frame.bits, 0.0)
            payload = bits / 8 * wanted.numel() * self.total / max(self.done, 1)
            self.options.progress(Progress("fit", self.done, seconds, fraction, tuple(wrong), psnr(square, 1.0), payload))
        return bool(self.options.stop and self.options.stop()) or bool(self.options.seconds and seconds > self.options.seconds)


def fitted(model: Shifted, cut: Patches, frame: Frame, rounding: tuple[float, int] | None, options: Options) -> torch.Tensor:
    """Latent vectors, (patches, latents).

    rounding: (step, largest): vectors are multiples of the step, at most so many; None: they are not rounded.

    Raises Stopped if options.stop says so before the first step.
    """
    if options.stop and options.stop():
        raise Stopped
    device, generator = cut.samples.device, torch.Generator().manual_seed(options.seed)
    steps = options.steps or STEPS[options.effort - 1]
    found = first_latents(cut.samples.cpu()).to(device)
    groups = range(0, len(found), PATCHES)
    watch, ended = Watched(options, len(groups) * steps, frame), False
    grid = places().to(device)
    for start in groups:
        own, known = cut.samples[start : start + PATCHES], cut.known[start : start + PATCHES]
        latents = found[start : start + PATCHES].clone().requires_grad_()
        optimizer = torch.optim.Adam([latents], lr=options.learning_rate or RATE)
        for at in range(0 if ended else steps):
            optimizer.param_groups[0]["lr"] = (options.learning_rate or RATE) * (1 - at / steps)
            index = torch.randint(0, SIDE * SIDE, (len(own), PLACES), generator=generator).to(device)
            used = latents
            if rounding and at >= steps * (1 - ROUNDED):
                used = _rounded(latents, *rounding)
            out, wanted = model(grid[index], used), torch.gather(own, 1, index[..., None].expand(-1, -1, 3))
            off = (out - wanted).square().mean(2)
            loss = (off * torch.gather(known, 1, index)).sum() / PLACES
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            ended = watch(out.detach(), wanted)
            if ended:
                break
        found[start : start + PATCHES] = latents.detach()
    return _rounded(found, *rounding) if rounding else found


def _rounded(latents: torch.Tensor, step: float, largest: int) -> torch.Tensor:
    """Multiples of a step, with the gradient of what was rounded."""
    return round_through(latents / step).clamp(-largest, largest) * step


def fit_latents(values: Values, bits: int, options: Options, peak: float, silence: float) -> Adapted:
    """Fit the latent vectors of a picture for the prior "modulations".

    values: (height, width, 3), below 2^bits; peak, silence: see `profiles.Subject`.

    Raises InrcodecError if the device is not there; Stopped if options.stop says so before the first step.
    """
    from .search import device_of

    key, prior_ = prior.named("modulations")
    device, frame = device_of(options), frame_of(bits, peak, silence)
    cut = patches(values, frame)
    largest = 2 ** ((options.bits or BITS) - 1) - 1
    sizes = first_latents(cut.samples).abs().flatten()
    step = max(float(sizes.kthvalue(max(1, int(CUT * len(sizes)))).values) / largest, 1e-4)
    model = float_network(prior_).to(device)
    sparse = options.weights == "sinr"
    on_device = Patches(cut.samples.to(device), cut.known.to(device))
    found = fitted(model, on_device, frame, None if sparse else (step, largest), options).cpu()
    if sparse:
        setting, content = options.seed % 256, _sparse(found, prior_, options.seed % 256)
    else:
        setting, content = options.bits or BITS, _plain(found, step, prior_)
    head = PriorHead(frame)
    own = prior_.network.layers[0][-1]
    bias = model.biases[-1].double().cpu().numpy()[list(ORDER)]
    coded = CodedNetwork(prior_.network, "sinr" if sparse else "uniform", setting, np.zeros(0, np.uint8), head.joint())
    return adapted.of(key, coded, content, last_layer(own, bias, head, frame), values.shape[:-1], bits)


def _scaled(values: npt.NDArray[np.int64], step: float, found: Prior) -> tuple[int, int]:
    """(multiplier, shift) of latent values of which 1 stands for `step`."""
    assert found.map is not None
    sums = int(np.abs(found.map).sum(axis=1, dtype=np.int64).max()) * max(int(np.abs(values).max()), 1)
    assert sums < EXACT_FLOAT64
    return scale_of(step * 2.0**-found.unit, sums)


def _plain(latents: torch.Tensor, step: float, found: Prior) -> Latents:
    values = as_integers(latents / step)
    return Latents(values, *_scaled(values, step, found))


def _sparse(latents: torch.Tensor, found: Prior, seed: int) -> Latents:
    """The values of each latent over all patches as a sparse code over the seeded dictionary."""
    matrix = latents.T.contiguous().double().numpy()
    if matrix.shape[1] > MOST_SPARSE:
        raise FitError(
            f"weights sinr: the picture has {matrix.shape[1]} patches, and sparse codes take at most {MOST_SPARSE}; take uniform"
        )
    found_codes = pursue(matrix, SPARSE_SHARE, seed, FORM)
    positions, floats = found_codes.codes(nonzeros(found_codes.targets.shape[1], SPARSE_SHARE))
    unit = max(float(np.abs(floats).max()) / FORM.largest, 1e-12)
    code = sinr.Sparse(matrix.shape, positions, np.rint(floats / unit).astype(np.int64), FORM)
    expanded = np.ascontiguousarray(sinr.expand(code, seed).T)
    return Latents(expanded, *_scaled(expanded, unit / deviation(FORM.signs), found), code)
