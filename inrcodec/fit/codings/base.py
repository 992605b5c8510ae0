"""What a weight coding is to the fit: a differentiable stand-in for the weights, for fine-tuning with the coding in the loop.

Each is a WeightSource: called with a layer, it gives the weights that the decoder would see, with gradients passed
straight through the rounding (Bengio et al., 2013). `grid(layer)` gives what is written.
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
from ..model import BitPlaneNetwork

COORDINATE_STEP = 2.0**-12  # of the weights of a layer that takes bare coordinates, in turns (or units) per coordinate


@dataclass(frozen=True)
class Grid:
    """Weights of one layer as integers: weight = step·integer. integers: (networks, outputs, inputs)."""

    integers: np.ndarray
    step: float
    sparse: list[sinr.Sparse] | None = None


def round_through(x: torch.Tensor) -> torch.Tensor:
    """x rounded, with the gradient of x."""
    return x + (torch.round(x) - x).detach()


class Coding(ABC, nn.Module):
    """A weight coding of one network, as a WeightSource.

    Attributes:
        name: see `weights.codings`.
        delta_settings: that are tried on the difference of a context network from its prior.
        setting: what the file tells of the coding, one byte.
    """

    name: ClassVar[str]
    delta_settings: ClassVar[tuple[float, ...]] = (0,)
    setting = 0

    def __init__(self, model: BitPlaneNetwork) -> None:
        super().__init__()
        self.model = [model]  # in a list, so that its parameters are not this module's

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """What is tried on a network of `inr`. auto: whether other codings are tried too; bits: that were asked for, or 0."""
        return (0,)

    @classmethod
    def makers(cls, model: Any, settings: Sequence[float], seed: int) -> Iterator[tuple[str, Callable[[Any], Coding]]]:
        """(label, what makes the coding of a model like this one) of each setting."""
        for _ in settings:
            yield cls.name, cls

    def weights(self, layer: int) -> torch.Tensor:
        """The float weights of a layer."""
        found: torch.Tensor = self.model[0].weights[layer]
        return found

    def coordinate_step(self, layer: int) -> float | None:
        """The fixed step of the layer that takes bare coordinates; None for all others.

        Its weights are frequencies: they are few, and an error in one of them is multiplied by the size of the signal.
        """
        model = self.model[0]
        if layer > 0 or model.architecture.octaves:
            return None
        sine = model.architecture.activation == "sine"
        return COORDINATE_STEP * (2 * np.pi / model.omegas[0] if sine else 1.0)

    def forward(self, layer: int) -> torch.Tensor:
        step = self.coordinate_step(layer)
        if step is not None:
            return round_through(self.weights(layer) / step) * step
        return self.coded(layer)

    def grid(self, layer: int) -> Grid:
        """What is written of this layer."""
        step = self.coordinate_step(layer)
        if step is not None:
            return Grid(as_integers(self.weights(layer) / step), step)
        return self.coded_grid(layer)

    @abstractmethod
    def coded(self, layer: int) -> torch.Tensor: ...

    @abstractmethod
    def coded_grid(self, layer: int) -> Grid: ...

    def groups(self, rate: float) -> list[dict[str, object]]:
        """Parameter groups for the optimizer: the network's weights and biases by default."""
        return [{"params": list(self.model[0].parameters()), "lr": rate}]


def as_integers(x: torch.Tensor) -> np.ndarray:
    """x rounded to int64. Raises BoundError if it is not finite or larger than any weight may be."""
    found = torch.round(x.detach()).double().cpu().numpy()
    if not (np.abs(found) <= LARGEST_WEIGHT).all():
        raise BoundError("a weight is out of range")
    return np.asarray(found, np.int64)


class Bits(Coding):
    """Integers of n bits, symmetric about 0."""

    def __init__(self, model: BitPlaneNetwork, bits: int) -> None:
        super().__init__(model)
        self.setting = bits
        self.largest = 2 ** (bits - 1) - 1

    @classmethod
    def makers(cls, model: Any, settings: Sequence[float], seed: int) -> Iterator[tuple[str, Callable[[Any], Coding]]]:
        for bits in settings:
            yield f"{cls.name} {int(bits)}", partial(cls, bits=int(bits))
