"""First weights that were learned over many pictures, from which a few steps lead to most of one picture, in torch.

Finn et al., "Model-Agnostic Meta-Learning" (ICML 2017), with a learned rate for each weight and step (Li et al., "Meta-SGD", 2017), as
Strümpler et al. use it for pictures ("Implicit Neural Representations for Image Compression", ECCV 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from .frame import samples_of
from .model import HIDDEN_OMEGA, positional

INNER = 3  # steps with learned rates
OCTAVES = 8  # sines and cosines of each coordinate that are inputs
FIRST_RATES = 1e-3, 1e-2  # where learned rates begin: of hidden layers, and of the last

Tensors = Sequence[torch.Tensor]


class Learned(nn.Module):
    """First weights of a network of sines, and rates of the steps that follow.

    Attributes:
        weights, biases: of each layer, (outputs, inputs) and (outputs,).
        log_rates: for the weights of each layer, then the biases of each: natural logarithms of rates, (INNER, *shape).
    """

    def __init__(self, hidden: int, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weights, self.biases, self.log_rates = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        shapes = [(hidden, 2 * (1 + 2 * OCTAVES))] + [(hidden, hidden)] * (layers - 1) + [(3, hidden)]
        for i, (outputs, inputs) in enumerate(shapes):
            bound = 1 / inputs if i == 0 else math.sqrt(6 / inputs) / HIDDEN_OMEGA if i < layers else 1 / math.sqrt(inputs)
            self.weights.append(nn.Parameter((2 * torch.rand(outputs, inputs, generator=generator) - 1) * bound))
            self.biases.append(nn.Parameter((2 * torch.rand(outputs, generator=generator) - 1) / math.sqrt(inputs)))
        for group in (self.weights, self.biases):
            for i, p in enumerate(group):
                self.log_rates.append(nn.Parameter(torch.full((INNER, *p.shape), math.log(FIRST_RATES[i == layers]))))


def network(weights: Tensors, biases: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Samples as shares of their range, (tasks, places, 3). weights, biases: of each layer, (tasks, …); x: (tasks, places, inputs)."""
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        x = torch.sin(HIDDEN_OMEGA * torch.baddbmm(b[:, None], x, w.transpose(1, 2)))
    return samples_of(torch.baddbmm(biases[-1][:, None], x, weights[-1].transpose(1, 2)))


def encoded(x: torch.Tensor) -> torch.Tensor:
    """Coordinates (tasks, places, 2) as inputs (tasks, places, inputs)."""
    found = positional(x.flatten(0, 1), OCTAVES)
    return found.reshape(*x.shape[:2], found.shape[1])


def adapted(
    model: Learned, data: Sequence[tuple[torch.Tensor, torch.Tensor]], second_order: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Coordinates → samples of the networks after steps with learned rates, of a few pictures at once.

    data: of each step, coordinates (pictures, places, 2) and samples (pictures, places, 3). second_order: whether the result is
    differentiable in the first weights and the rates.
    """
    weights, biases = adapted_weights(model, data, second_order)
    return lambda x: network(weights, biases, encoded(x))


def adapted_weights(model: Learned, data: Sequence[tuple[torch.Tensor, torch.Tensor]], second_order: bool) -> tuple[Tensors, Tensors]:
    """As `adapted`: the weights and the biases, (pictures, …) each."""
    count, layers = len(data[0][0]), len(model.weights)
    current = [p[None].expand(count, *p.shape) for p in (*model.weights, *model.biases)]
    for step, (x, wanted) in enumerate(data):
        if not second_order:
            current = [p.detach().requires_grad_() for p in current]
        square = (network(current[:layers], current[layers:], encoded(x)) - wanted).square().mean((1, 2)).sum()
        gradients = torch.autograd.grad(square, current, create_graph=second_order)
        current = [p - torch.exp(r[step]) * g for p, r, g in zip(current, model.log_rates, gradients, strict=True)]
    return current[:layers], current[layers:]
