"""Sparse codes over a seeded dictionary: Jayasundara et al., "SINR", CVPR 2025. See `inrcodec.weights.sinr`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import orthogonal_mp, orthogonal_mp_gram
from torch import nn

from ...errors import quiet
from ...kernels.dictionary import atoms, deviation
from ...weights import sinr
from ...weights.network import sparse_layers
from ..model import CoordinateNetwork
from .base import Coding, Grid, as_integers, groups_of, round_through

FEW = sinr.Form(2, False, 8)  # with few non-zeros: what is gained by more atoms does not pay for their numbers
MANY = sinr.Form(8, True, 8)  # with many: the matrix comes closer to the float one
MANY_FROM = 3 / 8  # non-zeros per element
MOST_WORK = 10**11  # multiplications of the pursuits of a network, at most; a setting that needs more is left out unless it is the only one
LARGEST_GRAM = 8192  # atoms of a dictionary whose products are all computed beforehand: 512 MB


@dataclass(frozen=True)
class Setting:
    """One way of making sparse codes.

    Attributes:
        share: non-zeros per element of a vector, see `nonzeros`.
        form: of the dictionary and of the values.
    """

    share: float
    form: sinr.Form

    @classmethod
    def of(cls, given: float | Setting) -> Setting:
        """A setting, or that of a share in the form which was measured to suit it: see bench/results/implicit-sinr-tuned.md."""
        return given if isinstance(given, Setting) else cls(given, FEW if given < MANY_FROM else MANY)

    def work(self, shape: tuple[int, int]) -> int:
        """About how many multiplications the pursuit of a matrix (outputs, inputs) takes."""
        vectors, length = sinr.vector_shape(shape)
        return vectors * nonzeros(length, self.share) ** 2 * sinr.dictionary_size(length, self.form)


@dataclass(frozen=True)
class Pursuit:
    """The result of orthogonal matching pursuit of the vectors of one layer.

    Attributes:
        order: (vectors, s_max) int64, the atoms in the order in which they were chosen; with s non-zeros, the first s are used.
        targets: (vectors, length) float64, the vectors.
        dictionary: (atoms, length) float32, of standard deviation 1.
    """

    order: np.ndarray
    targets: np.ndarray
    dictionary: np.ndarray

    def codes(self, s: int) -> tuple[np.ndarray, np.ndarray]:
        """The first s atoms of each vector, (vectors, s) int64, increasing, and their values by least squares, (vectors, s) float64."""
        positions = np.sort(self.order[:, :s], axis=1)
        chosen = self.dictionary[positions].astype(np.float64)  # (vectors, s, length)
        values = [np.linalg.lstsq(a.T, t, rcond=None)[0] for a, t in zip(chosen, self.targets, strict=True)]
        return positions, np.stack(values)


def pursue(matrix: np.ndarray, share: float, seed: int, form: sinr.Form = sinr.USUAL) -> Pursuit:
    """Orthogonal matching pursuit (Pati et al., 1993) of a weight matrix, (outputs, inputs), with `nonzeros(length, share)` per vector."""
    targets = sinr.to_vectors(matrix).astype(np.float64)
    length = targets.shape[1]
    most = nonzeros(length, share)
    whole = atoms(length, np.arange(sinr.dictionary_size(length, form)), seed, form.signs)
    dictionary = whole.astype(np.float64) / deviation(form.signs)
    gram = dictionary @ dictionary.T if len(dictionary) <= LARGEST_GRAM else None
    order = np.zeros((len(targets), most), np.int64)
    for i, target in enumerate(targets):
        chosen = np.zeros(0, np.int64)
        if target.any():
            with quiet():  # it warns when it ends early
                if gram is None:
                    path = orthogonal_mp(dictionary.T, target, n_nonzero_coefs=most, return_path=True)
                else:
                    path = orthogonal_mp_gram(gram, dictionary @ target, n_nonzero_coefs=most, return_path=True)
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
    """w = A·x with x sparse: its positions are fixed, its values are fine-tuned, as integers.

    pursuits: see `pursue_all`; share: non-zeros per element of a vector; seed: of the dictionary, 0 … 255; form: of the dictionary, which
    is that of the pursuits, and of the values.
    """

    name = "sinr"
    delta_settings = (1 / 32, 1 / 8)

    @classmethod
    def settings(cls, auto: bool, bits: int) -> tuple[float, ...]:
        """Non-zeros per element of a vector. The smallest result is taken, so s is searched, up to just below half of the elements."""
        return (1 / 32, 1 / 16) if auto else (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)

    @classmethod
    def makers(cls, model: Any, settings: Sequence[float | Setting], seed: int) -> Iterator[tuple[str, Callable[[Any], Coding]]]:
        """As in Coding. A setting is a share or a Setting, see `Setting.of`; those whose pursuit would take too long are left out."""
        shapes = [(w.shape[1], w.shape[2]) for w, sparse in zip(model.weights, sparse_layers(model.architecture), strict=True) if sparse]
        given = [Setting.of(s) for s in settings]
        works = [sum(len(model.weights[0]) * s.work(shape) for shape in shapes) for s in given]
        given = [s for s, work in zip(given, works, strict=True) if work <= max(MOST_WORK, min(works))]
        pursuits: dict[tuple[int, bool], list[list[Pursuit] | None]] = {}
        for setting in given:
            form = setting.form
            key = form.overcomplete, form.signs
            if key not in pursuits:
                most = max(s.share for s in given if (s.form.overcomplete, s.form.signs) == key)
                pursuits[key] = pursue_all(model, most, seed % 256, form)
            make = partial(cls, pursuits=pursuits[key], share=setting.share, seed=seed % 256, form=form)
            yield f"sinr {setting.share:g}k of {words(form)}", make

    def __init__(
        self, model: CoordinateNetwork, pursuits: list[list[Pursuit] | None], share: float, seed: int, form: sinr.Form = sinr.USUAL
    ) -> None:
        super().__init__(model)
        self.setting, self.form = seed, form
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
            codes = [pursuit.codes(nonzeros(pursuit.targets.shape[1], share)) for pursuit in found]
            positions = [place for place, _ in codes]
            self.positions.append(positions)
            self.values.append(nn.Parameter(torch.tensor(np.stack([x for _, x in codes]), dtype=torch.float32, device=device)))
            self.chosen.append(torch.tensor(np.stack(positions), device=device))
            self.dictionaries.append(torch.tensor(found[0].dictionary, device=device))

    def _quantized(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        values = self.values[layer]
        step = values.detach().abs().max().clamp_min(1e-12) / self.form.largest
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
        shape = outputs, inputs
        codes = [sinr.Sparse(shape, place, as_integers(values), self.form) for place, values in zip(positions, x.detach(), strict=True)]
        return Grid(np.stack([sinr.expand(code, self.setting) for code in codes]), float(step) / deviation(self.form.signs), codes)

    def groups(self, rate: float) -> list[dict[str, object]]:
        model = self.model[0]
        untouched = [w for i, w in enumerate(model.weights) if self.positions[i] is None]
        values = [v for v in self.values if v.numel()]
        return [*groups_of(model, rate, untouched), {"params": values, "lr": rate}]


def words(form: sinr.Form) -> str:
    """A form in words, for labels."""
    return f"{form.overcomplete}k {'±1' if form.signs else 'Gaussian'} atoms, {form.bits} bits"


def pursue_all(model: CoordinateNetwork, share: float, seed: int, form: sinr.Form = sinr.USUAL) -> list[list[Pursuit] | None]:
    """`pursue` for every layer that `sinr` codes sparsely, [layer][network]; None for the other layers."""
    return [
        [pursue(w.double().cpu().numpy(), share, seed, form) for w in model.weights[i].detach()] if sparse else None
        for i, sparse in enumerate(sparse_layers(model.architecture))
    ]
