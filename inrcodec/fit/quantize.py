"""The weight codings as differentiable stand-ins for the weights, for fine-tuning with the coding in the loop.

Each is a WeightSource: called with a layer, it gives the weights that the decoder would see, with gradients passed
straight through the rounding (Bengio et al., 2013). `grid(layer)` gives what is written.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import orthogonal_mp_gram
from torch import nn

from ..kernels.dictionary import DEVIATION, atoms
from ..kernels.network import LARGEST_WEIGHT, BoundError
from ..weights import sinr
from ..weights.serialize import CodingName, sparse_layers
from .model import BitPlaneNetwork

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
    """A weight coding of one network."""

    name: CodingName
    setting = 0

    def __init__(self, model: BitPlaneNetwork) -> None:
        super().__init__()
        self.model = [model]  # in a list, so that its parameters are not this module's

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
            return Grid(_as_integers(self.weights(layer) / step), step)
        return self.coded_grid(layer)

    @abstractmethod
    def coded(self, layer: int) -> torch.Tensor: ...

    @abstractmethod
    def coded_grid(self, layer: int) -> Grid: ...

    def groups(self, rate: float) -> list[dict[str, object]]:
        """Parameter groups for the optimizer: the network's weights and biases by default."""
        return [{"params": list(self.model[0].parameters()), "lr": rate}]


def _as_integers(x: torch.Tensor) -> np.ndarray:
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


class Uniform(Bits):
    """n bits, the step from the largest weight of the layer."""

    name: CodingName = "uniform"

    def _step(self, layer: int) -> torch.Tensor:
        return torch.div(self.weights(layer).detach().abs().max().clamp_min(1e-12), self.largest)

    def coded(self, layer: int) -> torch.Tensor:
        step = self._step(layer)
        return torch.mul(round_through(self.weights(layer) / step), step)

    def coded_grid(self, layer: int) -> Grid:
        step = self._step(layer)
        return Grid(_as_integers(self.weights(layer) / step), float(step))


class Lsq(Bits):
    """n bits with a learned step: x̄ = quantize(clamp(x/s, −1, 1)), x̂ = x̄·s (after Esser et al., LSQ, ICLR 2020)."""

    name: CodingName = "lsq"

    def __init__(self, model: BitPlaneNetwork, bits: int) -> None:
        super().__init__(model, bits)
        self.log_scale = nn.ParameterList(nn.Parameter(self._initial(w).log()) for w in model.weights)

    def _initial(self, weights: torch.Tensor) -> torch.Tensor:
        """The scale with the least squared error."""
        w = weights.detach()
        top = w.abs().max().clamp_min(1e-12)
        scales: list[torch.Tensor] = [top * share / 20 for share in range(2, 21)]
        errors = [((torch.round((w / s).clamp(-1, 1) * self.largest) / self.largest * s - w) ** 2).sum() for s in scales]
        return scales[int(torch.stack(errors).argmin())]

    def coded(self, layer: int) -> torch.Tensor:
        scale: torch.Tensor = self.log_scale[layer].exp()
        levels = round_through((self.weights(layer) / scale).clamp(-1, 1) * self.largest)
        return torch.mul(levels, scale / self.largest)

    def coded_grid(self, layer: int) -> Grid:
        scale = self.log_scale[layer].detach().exp()
        return Grid(_as_integers((self.weights(layer) / scale).clamp(-1, 1) * self.largest), float(scale) / self.largest)

    def groups(self, rate: float) -> list[dict[str, object]]:
        return [*super().groups(rate), {"params": list(self.log_scale.parameters()), "lr": 3 * rate}]


class Ternary(Coding):
    """−1, 0 or 1 times the mean magnitude of the layer (absmean, BitNet b1.58)."""

    name: CodingName = "ternary"

    def _scale(self, layer: int) -> torch.Tensor:
        return self.weights(layer).detach().abs().mean().clamp_min(1e-12)

    def coded(self, layer: int) -> torch.Tensor:
        scale = self._scale(layer)
        w = self.weights(layer)
        return w + (torch.round(w.detach() / scale).clamp(-1, 1) * scale - w.detach())

    def coded_grid(self, layer: int) -> Grid:
        scale = self._scale(layer)
        return Grid(_as_integers((self.weights(layer) / scale).clamp(-1, 1)), float(scale))


@dataclass(frozen=True)
class Pursuit:
    """Orthogonal matching pursuit of one layer's vectors, kept step by step: fewer non-zeros are a prefix.

    order: (vectors, s_max) atoms as they were chosen; targets: (vectors, length); dictionary: (atoms, length), float32.
    """

    order: np.ndarray
    targets: np.ndarray
    dictionary: np.ndarray


def pursue(matrix: np.ndarray, share: float, seed: int) -> Pursuit:
    """Orthogonal matching pursuit (Pati et al., 1993) of a weight matrix with share·length non-zeros per vector."""
    targets = sinr.to_vectors(matrix).astype(np.float64)
    length = targets.shape[1]
    most = nonzeros(length, share)
    dictionary = atoms(length, np.arange(sinr.dictionary_size(length)), seed).astype(np.float64) / DEVIATION
    gram, correlations = dictionary @ dictionary.T, dictionary @ targets.T
    order = np.zeros((len(targets), most), np.int64)
    for i in range(len(targets)):
        chosen = np.zeros(0, np.int64)
        if targets[i].any():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # it says so when it ends early
                path = orthogonal_mp_gram(gram, correlations[:, i], n_nonzero_coefs=most, return_path=True)
            used = np.asarray(path).reshape(len(dictionary), -1) != 0  # [atom, step]
            first = np.where(used.any(axis=1), used.argmax(axis=1), used.shape[1])
            chosen = np.argsort(first, kind="stable")[: min(most, int(used.any(axis=1).sum()))]
        if len(chosen) < most:  # the pursuit ended early: fill up with unused atoms, whose values will be 0 or nearly so
            rest = np.setdiff1d(np.arange(len(dictionary)), chosen)[: most - len(chosen)]
            chosen = np.concatenate([chosen, rest])
        order[i] = chosen
    return Pursuit(order, targets, dictionary.astype(np.float32))


def nonzeros(length: int, share: float) -> int:
    """s for vectors of this length: at least 1, and 2s < length where there is room."""
    return max(1, min(int(length * share), (length - 1) // 2))


class Sinr(Coding):
    """w = A·x with sparse x on a fixed support; the values of x are fine-tuned, as 16-bit integers."""

    name: CodingName = "sinr"

    def __init__(self, model: BitPlaneNetwork, pursuits: list[list[Pursuit] | None], share: float, seed: int) -> None:
        super().__init__(model)
        self.setting = seed
        self.positions: list[list[np.ndarray] | None] = []
        self.values = nn.ParameterList()
        self.chosen: list[torch.Tensor | None] = []
        device = model.weights[0].device
        self.dictionaries: list[torch.Tensor | None] = []
        for found in pursuits:
            if found is None:
                self.positions.append(None)
                self.chosen.append(None)
                self.dictionaries.append(None)
                self.values.append(nn.Parameter(torch.zeros(0)))
                continue
            positions, values = [], []
            for pursuit in found:
                s = nonzeros(pursuit.targets.shape[1], share)
                place = np.sort(pursuit.order[:, :s], axis=1)
                a = pursuit.dictionary[place].astype(np.float64)  # (vectors, s, length)
                x = [np.linalg.lstsq(m.T, t, rcond=None)[0] for m, t in zip(a, pursuit.targets, strict=True)]
                positions.append(place)
                values.append(np.stack(x))
            self.positions.append(positions)
            self.values.append(nn.Parameter(torch.tensor(np.stack(values), dtype=torch.float32, device=device)))
            self.chosen.append(torch.tensor(np.stack(positions), device=device))
            self.dictionaries.append(torch.tensor(found[0].dictionary, device=device))

    def _quantized(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        values = self.values[layer]
        step = values.detach().abs().max().clamp_min(1e-12) / sinr.LARGEST_VALUE
        return round_through(values / step), step

    def coded(self, layer: int) -> torch.Tensor:
        chosen, dictionary = self.chosen[layer], self.dictionaries[layer]
        assert chosen is not None
        assert dictionary is not None
        x, step = self._quantized(layer)
        networks, vectors, _ = x.shape
        dense = x.new_zeros(networks, vectors, len(dictionary)).scatter(2, chosen, x * step)
        _, outputs, inputs = self.weights(layer).shape
        return (dense @ dictionary).flatten(1)[:, : outputs * inputs].reshape(networks, outputs, inputs)

    def coded_grid(self, layer: int) -> Grid:
        x, step = self._quantized(layer)
        positions = self.positions[layer]
        assert positions is not None
        _, outputs, inputs = self.weights(layer).shape
        codes = [sinr.Sparse((outputs, inputs), place, _as_integers(values)) for place, values in zip(positions, x.detach(), strict=True)]
        return Grid(np.stack([sinr.expand(code, self.setting) for code in codes]), float(step) / DEVIATION, codes)

    def groups(self, rate: float) -> list[dict[str, object]]:
        model = self.model[0]
        untouched = [w for i, w in enumerate(model.weights) if self.positions[i] is None]
        values = [v for v in self.values if v.numel()]
        return [{"params": [*model.biases, *untouched], "lr": rate}, {"params": values, "lr": rate}]


def pursue_all(model: BitPlaneNetwork, share: float, seed: int) -> list[list[Pursuit] | None]:
    """`pursue` for every layer that `sinr` codes sparsely, [layer][network]."""
    return [
        [pursue(w.double().cpu().numpy(), share, seed) for w in model.weights[i].detach()] if sparse else None
        for i, sparse in enumerate(sparse_layers(model.architecture))
    ]
