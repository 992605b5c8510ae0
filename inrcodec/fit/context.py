"""The context network of profile `hybrid` in torch: its objective, and the tuning of a prior to one file.

What is tuned is the difference from the prior, under a penalty on what it will cost to write, with each weight coding in the loop.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from ..kernels import contextnet
from .codings import Coding, Grid, wanted

K = contextnet.COMPONENTS
BATCH = 4096
RATE = 2e-3
YARDSTICK = 0.05  # of a difference: much smaller ones cost next to nothing, tenfold ones 3 bits more


def value_bits(batch: torch.Tensor, layers: list[torch.Tensor], largest: int) -> torch.Tensor:
    """−log2 P(value) of each row of a batch: (n, inputs + 3), the features, then the prediction, its unit and the value.

    layers: (inputs + 1, units), (units + 1, units), (units + 1, OUTPUTS), the last row of each its biases.
    """
    inputs = batch.shape[1] - 3
    x, base, unit, value = batch[:, :inputs], batch[:, inputs], batch[:, inputs + 1], batch[:, inputs + 2]

    def act(a: torch.Tensor) -> torch.Tensor:
        return 0.5 * a * (1 + a / (1 + a.abs()))

    def affine(a: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.addmm(w[-1], a, w[:-1])

    o = affine(act(affine(act(affine(x, layers[0])), layers[1])), layers[2])
    share = F.softmax(o[:, :K] * math.log(2), -1)
    mean = base[:, None] + unit[:, None] * o[:, K : 2 * K]
    scale = (unit[:, None] * torch.exp2(o[:, 2 * K : 3 * K].clamp(-12, 12))).clamp(min=0.03)
    v = value[:, None]
    high = torch.where(v >= largest, torch.ones_like(mean), torch.sigmoid((v + 0.5 - mean) / scale))
    low = torch.where(v <= 0, torch.zeros_like(mean), torch.sigmoid((v - 0.5 - mean) / scale))
    return -torch.log2((share * (high - low)).sum(-1) * (1 - 2**-12) + 2**-20)


class Difference(nn.Module):
    """The difference from a prior's network as the weight codings see a model: layers (1, outputs, inputs + 1)."""

    def __init__(self, shapes: list[tuple[int, int]], device: torch.device) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(1, columns, rows, device=device)) for rows, columns in shapes)
        self.biases: list[nn.Parameter] = []
        self.architecture = SimpleNamespace(octaves=1, layers=len(shapes) - 1)  # no layer takes bare coordinates


@dataclass(frozen=True)
class Candidate:
    """A coded difference. bits: per value of the samples, before any learning while coding."""

    coding: Coding
    grids: list[Grid]
    bits: float


class Tuner:
    """Fits one pass's network.

    samples: as for `value_bits`; prior: its float32 weights; values: how many of the file's a bit saved per value is saved for.
    """

    def __init__(
        self,
        samples: npt.NDArray[np.float32],
        prior: npt.NDArray[np.float32],
        units: int,
        largest: int,
        values: float,
        seed: int,
        device: torch.device,
    ) -> None:
        self.data, self.largest, self.values = torch.from_numpy(samples).to(device), largest, values
        self.seed, self.device = seed, device
        shapes = contextnet.shapes(samples.shape[1] - 3, units)
        flat = torch.from_numpy(prior).to(device)
        self.prior = [p.reshape(s) for p, s in zip(torch.split(flat, [r * c for r, c in shapes]), shapes, strict=True)]
        self.model: Any = Difference(shapes, device)

    def layers(self, differences: Callable[[int], torch.Tensor]) -> list[torch.Tensor]:
        return [w + differences(i)[0].T for i, w in enumerate(self.prior)]

    def bits(self, differences: Callable[[int], torch.Tensor]) -> float:
        """Mean over the samples."""
        with torch.no_grad():
            layers = self.layers(differences)
            parts = [value_bits(self.data[i : i + 65536], layers, self.largest).sum() for i in range(0, len(self.data), 65536)]
            return float(torch.stack(parts).sum()) / len(self.data)

    def difference(self, layer: int) -> torch.Tensor:
        """A layer's difference as it is before coding."""
        found: torch.Tensor = self.model.weights[layer]
        return found

    def train(self, model: Any, coding: Coding | None, steps: int, tick: Callable[[int], None]) -> None:
        """Adam on the values' bits and what the difference may cost to write."""
        plain: Callable[[int], torch.Tensor] = coding if coding is not None else self.difference
        groups: Any = coding.groups(RATE) if coding is not None else [{"params": list(model.weights), "lr": RATE}]
        groups = [{**g, "params": [p for p in g["params"] if p.numel()]} for g in groups]
        groups = [g for g in groups if g["params"]]
        optimizer = torch.optim.Adam(groups)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [g["lr"] for g in groups], total_steps=steps, pct_start=0.1)
        generator = torch.Generator().manual_seed(self.seed)
        n = len(self.data)
        order = torch.randperm(n, generator=generator)
        at = 0
        for step in range(steps):
            if at + BATCH > n:
                order, at = torch.randperm(n, generator=generator), 0
            rows = order[at : at + BATCH].to(self.device)
            at += BATCH
            loss = value_bits(self.data[rows], self.layers(plain), self.largest).mean()
            cost: Any = sum(torch.log2(1 + w.abs() / YARDSTICK).sum() for w in model.weights)
            optimizer.zero_grad()
            (loss + cost / self.values).backward()
            optimizer.step()
            schedule.step()
            if step % 20 == 0:
                tick(20)

    def candidates(self, steps: int, weights: str, tick: Callable[[int], None]) -> Iterator[Candidate]:
        """Every weight coding of the tuned difference that `weights` ("auto": all) asks for."""
        self.train(self.model, None, steps, tick)
        for kind in wanted(weights):
            for _, make in kind.makers(self.model, kind.delta_settings, self.seed):
                model = copy.deepcopy(self.model)
                coding = make(model).to(self.device)
                self.train(model, coding, tuning_steps(steps), tick)
                with torch.no_grad():
                    yield Candidate(coding, [coding.grid(i) for i in range(len(self.prior))], self.bits(coding))


def tuning_steps(steps: int) -> int:
    """Steps with each coding in the loop, after so many without."""
    return max(20, steps // 5)


def steps_of(steps: int, weights: str) -> int:
    """Steps of `Tuner.candidates` in all."""
    return steps + sum(len(kind.delta_settings) for kind in wanted(weights)) * tuning_steps(steps)
