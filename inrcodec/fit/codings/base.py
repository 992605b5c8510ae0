"""What a weight coding is in the fit: the weights as the decoder will see them, with gradients, for fine-tuning.

A coding is a WeightSource: called with a layer, it gives the rounded weights, and passes gradients straight through the rounding (Bengio
et al., "Estimating or propagating gradients through stochastic neurons", 2013). `grid(layer)` gives the integers to be written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from ...kernels.inr import LARGEST_WEIGHT, BoundError
from ...weights import sinr
from ..model import CoordinateNetwork

CELL_RATE = 10  # learning rate of cells, which are in steps, relative to that of weights
# step of the weights of a layer that takes coordinates as they are, in turns (sine) or units (GELU), and in units of a Gaussian
COORDINATE_STEP, GAUSSIAN_STEP = 2.0**-12, 2.0**-9


@dataclass(frozen=True)
class Grid:
    """Weights of one layer as integers: weight = step·integer.

    Attributes:
        integers: (networks, outputs, inputs) int64.
        sparse: of a sparse coding, the codes of each network that expand to these integers; else None.
    """

    integers: np.ndarray
    step: float
    sparse: list[sinr.Sparse] | None = None


def round_through(x: torch.Tensor) -> torch.Tensor:
    """x rounded, with the gradient of x."""
    return x + (torch.round(x) - x).detach()


class Coding(ABC, nn.Module):
    """A weight coding of one model, a CoordinateNetwork or the Difference of a context network, as a WeightSource.

    Attributes:
        name: see `weights.codings`.
        delta_settings: settings to try on the Difference of a context network; empty: the coding is not for that.
        least_bits: the least bits per parameter to expect; a fit that will probably not come below a given size ends early.
        setting: the coding's byte in the file.
    """

    name: ClassVar[str]
    delta_settings: ClassVar[tuple[float, ...]] = ()
    least_bits: ClassVar[float] = 2.0
    setting = 0

    def __init__(self, model: CoordinateNetwork) -> None:
        super().__init__()
        self.model = [model]  # in a list, so that torch does not take the model's parameters for those of this module

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """The settings to try on a network of `inr`. auto: whether other codings are tried too; bits: `Options.bits`."""
        return (0,)

    @classmethod
    def makers(cls, model: Any, settings: Sequence[float], seed: int) -> Iterator[tuple[str, Callable[[Any], Coding]]]:
        """For each setting, (label, what makes the coding of a copy of `model`)."""
        for _ in settings:
            yield cls.name, cls

    def weights(self, layer: int) -> torch.Tensor:
        """The float weights of a layer, (networks, outputs, inputs)."""
        found: torch.Tensor = self.model[0].weights[layer]
        return found

    def coordinate_step(self, layer: int) -> float | None:
        """The fixed step of a layer that takes coordinates as they are; None for all other layers.

        The weights of such a layer are frequencies. They are few, and an error in one of them shifts phases all over the signal.
        """
        model = self.model[0]
        if not model.architecture.takes_coordinates(layer):
            return None
        step = GAUSSIAN_STEP if model.architecture.activation == "gaussian" else COORDINATE_STEP
        return float(step * (2 * np.pi if model.architecture.is_sine(layer) else 1.0) / model.omegas[layer])

    def forward(self, layer: int) -> torch.Tensor:
        """The weights of a layer as the decoder will see them, (networks, outputs, inputs)."""
        step = self.coordinate_step(layer)
        if step is not None:
            return round_through(self.weights(layer) / step) * step
        return self.coded(layer)

    def grid(self, layer: int) -> Grid:
        """The integers of a layer that are written. Raises BoundError if one is too large."""
        step = self.coordinate_step(layer)
        if step is not None:
            return Grid(as_integers(self.weights(layer) / step), step)
        return self.coded_grid(layer)

    @abstractmethod
    def coded(self, layer: int) -> torch.Tensor:
        """`forward` for a layer without a fixed step."""

    @abstractmethod
    def coded_grid(self, layer: int) -> Grid:
        """`grid` for a layer without a fixed step."""

    def cells(self, level: int) -> torch.Tensor:
        """The cells of a level as the decoder will see them, (cells, features), in steps."""
        return round_through(self.model[0].cells[level])

    def groups(self, rate: float) -> list[dict[str, object]]:
        """Parameter groups for Adam, each with its "lr": by default those of the whole model. rate: learning rate."""
        return groups_of(self.model[0], rate, list(self.model[0].weights))


def groups_of(model: Any, rate: float, weights: Sequence[torch.Tensor]) -> list[dict[str, object]]:
    """Parameter groups for Adam of a model with these weights trained: weights, biases and head, and cells, which take larger steps."""
    rest = [*model.biases, *model.head.parameters()] if isinstance(model, CoordinateNetwork) else list(model.biases)
    cells = list(model.cells) if isinstance(model, CoordinateNetwork) else []
    groups: list[dict[str, object]] = [{"params": [*weights, *(p for p in rest if p.requires_grad)], "lr": rate}]
    return [*groups, {"params": cells, "lr": CELL_RATE * rate}] if cells else groups


def as_integers(x: torch.Tensor) -> np.ndarray:
    """x rounded, as int64. Raises BoundError if an element is not finite or above LARGEST_WEIGHT."""
    found = torch.round(x.detach()).double().cpu().numpy()
    if not (np.abs(found) <= LARGEST_WEIGHT).all():
        raise BoundError("a weight is out of range")
    return np.asarray(found, np.int64)


class Bits(Coding):
    """A coding as integers of n bits, symmetric about 0: −(2^(n−1) − 1) … 2^(n−1) − 1."""

    def __init__(self, model: CoordinateNetwork, bits: int) -> None:
        super().__init__(model)
        self.setting = bits
        self.largest = 2 ** (bits - 1) - 1

    @classmethod
    def makers(cls, model: Any, settings: Sequence[float], seed: int) -> Iterator[tuple[str, Callable[[Any], Coding]]]:
        for bits in settings:
            yield f"{cls.name} {int(bits)}", partial(cls, bits=int(bits))
