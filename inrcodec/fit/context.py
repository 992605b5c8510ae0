"""The context network of profile `hybrid` in torch: the bits it spends, and fitting it to the values of one picture.

The file will hold the difference between the fitted weights and those of the prior. So the fit minimizes the bits of the values plus an
estimate of the bits of the difference: first with a float difference, then again with the difference as each weight coding rounds it.
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
BATCH = 4096  # values per step
RATE = 2e-3  # Adam's learning rate
YARDSTICK = 0.05  # a weight that differs by d from the prior's is taken to cost log2(1 + |d| / YARDSTICK) bits


def value_bits(batch: torch.Tensor, layers: list[torch.Tensor], largest: int) -> torch.Tensor:
    """The bits that a context network spends on values: −log2 P(value), (n,). This is the objective of the fit.

    batch: (n, inputs + 3) float32; a row has the network's inputs for a value, then the prediction, the unit (the local error) and the
    value. layers: the weights, (inputs + 1, units), (units + 1, units) and (units + 1, OUTPUTS), the biases in the last row of each.
    largest: the largest value of the plane. The network is that of `kernels.contextnet`, in float32 of torch, so the bits are those of
    the codec but for rounding, and for learning while coding.
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
    """The difference between a fitted network and the prior's, with the attributes of a CoordinateNetwork that the weight codings use.

    weights: for each layer (1, outputs, inputs + 1), the biases in the last column; zero at first. shapes: (inputs + 1, outputs) of each.
    """

    def __init__(self, shapes: list[tuple[int, int]], device: torch.device) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(1, columns, rows, device=device)) for rows, columns in shapes)
        self.biases: list[nn.Parameter] = []
        self.architecture = SimpleNamespace(matrices=shapes, takes_coordinates=lambda layer: False)


@dataclass(frozen=True)
class Candidate:
    """A fitted difference under one weight coding.

    Attributes:
        grids: the integers and the step of each layer.
        bits: mean bits per value of the samples, by a network that does not learn while coding.
    """

    coding: Coding
    grids: list[Grid]
    bits: float


class Tuner:
    """Fits the context network of one pass to samples of a picture.

    Args:
        samples: (n, inputs + 3) float32, as `value_bits` takes them.
        prior: (parameters,) float32, the weights of the prior's network.
        units: of each hidden layer.
        largest: the largest value of the plane.
        values: how many values of the file to count on: a saving of 1 bit per sample is weighed as `values` bits against the bits of the
            difference.
        seed: of the order of samples, and of the dictionary of "sinr".
        device: where to fit.
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
        """Prior plus difference, as `value_bits` takes the layers. differences: layer number → (1, outputs, inputs + 1)."""
        return [w + differences(i)[0].T for i, w in enumerate(self.prior)]

    def bits(self, differences: Callable[[int], torch.Tensor]) -> float:
        """Mean bits per value over all samples. differences: as in `layers`."""
        with torch.no_grad():
            layers = self.layers(differences)
            parts = [value_bits(self.data[i : i + 65536], layers, self.largest).sum() for i in range(0, len(self.data), 65536)]
            return float(torch.stack(parts).sum()) / len(self.data)

    def difference(self, layer: int) -> torch.Tensor:
        """The float difference of a layer, (1, outputs, inputs + 1)."""
        found: torch.Tensor = self.model.weights[layer]
        return found

    def train(self, model: Any, coding: Coding | None, steps: int, tick: Callable[[int], None]) -> None:
        """Fit the differences in `model` by Adam, in place: mean bits of the samples plus the estimated bits of the difference / values.

        model: a Difference; coding: None, or the weight coding whose rounded differences are used; tick: called with the steps done.
        """
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
        """Fit the float difference in `steps` steps, then yield it under each weight coding, after more steps with that coding.

        weights: name of the weight coding, or "auto" for all. Raises what `tick` raises.
        """
        self.train(self.model, None, steps, tick)
        for kind in wanted(weights):
            for _, make in kind.makers(self.model, kind.delta_settings, self.seed):
                model = copy.deepcopy(self.model)
                coding = make(model).to(self.device)
                self.train(model, coding, tuning_steps(steps), tick)
                with torch.no_grad():
                    yield Candidate(coding, [coding.grid(i) for i in range(len(self.prior))], self.bits(coding))


def tuning_steps(steps: int) -> int:
    """Steps for each weight coding, after `steps` steps without one."""
    return max(20, steps // 5)


def steps_of(steps: int, weights: str) -> int:
    """Steps that `Tuner.candidates` takes in all, for the same arguments."""
    return steps + sum(len(kind.delta_settings) for kind in wanted(weights)) * tuning_steps(steps)
