"""A network of profile `inr` whose hidden layers are shifted by a latent vector of each patch, in torch.

Dupont et al., "COIN++: Neural Compression Across Modalities" (TMLR 2022): one network is shared by all patches of all pictures, and what is
particular to a patch is a shift of the arguments of its hidden layers, a linear map of a short vector. There the vector is found by a few
gradient steps from 0. Here it begins as the low frequencies of the patch's cosine transform, which the network was trained to decode, so
that training needs no gradients of gradients and a fit begins near its end.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from .frame import samples_of
from .model import HIDDEN_OMEGA

SIDE = 32  # of a patch, in pixels
LUMA, CHROMA = 112, 24  # frequencies of the cosine transform that make the first latent vector: of luma, and of each of two chromas
LATENTS = LUMA + 2 * CHROMA
FIRST_OMEGA = 10.0  # frequency of the first layer
AXES = ((0.25, 0.5, 0.25), (0.5, -0.5, 0.0), (0.0, -0.5, 0.5))  # luma and chromas of red, green and blue


class Shifted(nn.Module):
    """(places, coordinates) and latent vectors → samples as shares of their range.

    Attributes:
        weights, biases: of each layer, (outputs, inputs) and (outputs,); the last gives the outputs of green, and of red and blue
            less green.
        map: (layers·hidden, latents): the shifts of the hidden layers, in radians.
        omegas: frequencies of the hidden layers.
    """

    def __init__(self, hidden: int, layers: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.omegas = [FIRST_OMEGA] + [HIDDEN_OMEGA] * (layers - 1)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for i, (outputs, inputs) in enumerate([(hidden, 2)] + [(hidden, hidden)] * (layers - 1) + [(3, hidden)]):
            bound = 1 / inputs if i == 0 else math.sqrt(6 / inputs) / HIDDEN_OMEGA if i < layers else 1 / math.sqrt(inputs)
            self.weights.append(nn.Parameter((2 * torch.rand(outputs, inputs, generator=generator) - 1) * bound))
            spread = 0.3 / math.sqrt(inputs) if i < layers else 0.0
            self.biases.append(nn.Parameter((2 * torch.rand(outputs, generator=generator) - 1) * spread))
        self.map = nn.Parameter(torch.randn(layers * hidden, LATENTS, generator=generator) * 0.05)

    def forward(self, x: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """(patches, places, 3) samples. x: (patches, places, 2) coordinates, −1 … 1 within a patch; latents: (patches, LATENTS)."""
        shifts = (latents @ self.map.T).reshape(len(latents), self.layers, 1, self.hidden)
        for i, omega in enumerate(self.omegas):
            x = torch.sin(F.linear(x, omega * self.weights[i], omega * self.biases[i]) + shifts[:, i])
        return samples_of(F.linear(x, self.weights[-1], self.biases[-1]))


@cache
def places() -> torch.Tensor:
    """The coordinates of the pixels of a patch in raster order, (SIDE², 2)."""
    axis = torch.linspace(-1, 1, SIDE)
    return torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


@cache
def frequencies() -> torch.Tensor:
    """The linear map from a patch to its first latent vector, (LATENTS, SIDE²·3): low frequencies of luma and chroma.

    Pictures have less of high frequencies, which are scaled up by the root of the frequency: so the vectors' elements differ less in
    size, and less than a round step for all would have them.
    """
    k = np.arange(SIDE)
    cosines = np.cos(np.pi * (k + 0.5) * k[:, None] / SIDE) * math.sqrt(2 / SIDE)
    cosines[0] /= math.sqrt(2)
    order = sorted((math.hypot(u, v), u, v) for u in range(SIDE) for v in range(SIDE))
    rows: list[npt.NDArray[np.float64]] = []
    for axis, count in zip(AXES, (LUMA, CHROMA, CHROMA), strict=True):
        for f, u, v in order[:count]:
            scale = math.sqrt(1 + f) / (8 if f == 0 else 2)
            rows.append(scale * np.outer(np.outer(cosines[u], cosines[v]).ravel(), axis).ravel())
    return torch.from_numpy(np.array(rows)).float()


def first_latents(patches: torch.Tensor) -> torch.Tensor:
    """Where the latent vectors of patches begin, (patches, LATENTS). patches: (patches, SIDE², 3), samples as shares of their range."""
    return (patches - 0.5).flatten(1) @ frequencies().T
