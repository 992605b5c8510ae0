"""Sparse codes over a seeded dictionary: Jayasundara et al., "SINR", CVPR 2025. See `inrcodec.weights.sinr`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import orthogonal_mp_gram
from torch import nn

from ...kernels.dictionary import DEVIATION, atoms
from ...weights import sinr
from ...weights.network import sparse_layers
from ..model import CoordinateNetwork
from .base import Coding, Grid, as_integers, groups_of, round_through


@dataclass(frozen=True)
class Pursuit:
    """The result of orthogonal matching pursuit of the vectors of one layer.

    Attributes:
        order: (vectors, s_max) int64, the atoms in the order in which they were chosen; with s non-zeros, the first s are used.
        targets: (vectors, length) float64, the vectors.
        dictionary: (atoms, length) float32.
    """

    order: np.ndarray
    targets: np.ndarray
    dictionary: np.ndarray


def pursue(matrix: np.ndarray, share: float, seed: int) -> Pursuit:
    """Orthogonal matching pursuit (Pati et al., 1993) of a weight matrix, (outputs, inputs), with `nonzeros(length, share)` per vector."""
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
                warnings.simplefilter("ignore", RuntimeWarning)  # it warns when it ends early
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
    """s, the non-zeros of a vector of this length: share·length, but at least 1, and else 2s < length."""
    return max(1, min(int(length * share), (length - 1) // 2))


class Sinr(Coding):
    """w = A·x with x sparse: its positions are fixed, its values are fine-tuned, as 16-bit integers.

    pursuits: see `pursue_all`; share: non-zeros per element of a vector; seed: of the dictionary, 0 … 255.
    """

    name = "sinr"
    delta_settings = (1 / 32, 1 / 8)

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """Non-zeros per element of a vector."""
        return (1 / 8, 1 / 4)

    @classmethod
    def makers(cls, model: Any, settings: Sequence[float], seed: int) -> Iterator[tuple[str, Callable[[Any], Coding]]]:
        pursuits = pursue_all(model, max(settings), seed % 256)
        for share in settings:
            yield f"sinr {share:g}", partial(cls, pursuits=pursuits, share=share, seed=seed % 256)

    def __init__(self, model: CoordinateNetwork, pursuits: list[list[Pursuit] | None], share: float, seed: int) -> None:
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
        codes = [sinr.Sparse((outputs, inputs), place, as_integers(values)) for place, values in zip(positions, x.detach(), strict=True)]
        return Grid(np.stack([sinr.expand(code, self.setting) for code in codes]), float(step) / DEVIATION, codes)

    def groups(self, rate: float) -> list[dict[str, object]]:
        model = self.model[0]
        untouched = [w for i, w in enumerate(model.weights) if self.positions[i] is None]
        values = [v for v in self.values if v.numel()]
        return [*groups_of(model, rate, untouched), {"params": values, "lr": rate}]


def pursue_all(model: CoordinateNetwork, share: float, seed: int) -> list[list[Pursuit] | None]:
    """`pursue` for every layer that `sinr` codes sparsely, [layer][network]; None for the other layers."""
    return [
        [pursue(w.double().cpu().numpy(), share, seed) for w in model.weights[i].detach()] if sparse else None
        for i, sparse in enumerate(sparse_layers(model.architecture))
    ]
