"""Evaluates the integer network with torch on a GPU: exactly what `kernels.inr` computes, but faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..kernels import inr
from ..kernels.architecture import FEATURE_BITS
from ..kernels.inr import Network
from ..kernels.tables import GELU_LIMIT, SINE_BITS, gaussian, gelu, sine

CHUNK_VALUES = 1 << 26  # numbers of the widest layer that are computed at a time on a GPU; does not change the result


def by_parts(network: Network, coordinates: np.ndarray, device: torch.device) -> Any:
    """`Network.logits`, or of form "values" `Network.means`, of many places, on a device. coordinates: (n, axes) int64."""
    a = network.architecture
    cpu = device.type == "cpu"
    step = max(1, CHUNK_VALUES // (16 if cpu else 1) // max(a.inputs, a.hidden, a.planes))
    asked: Network = network if cpu else OnDevice(network, device)
    call: Callable[[np.ndarray], Any] = asked.means if a.form == "values" else asked.logits
    pieces = [call(coordinates[i : i + step]) for i in range(0, len(coordinates), step)]
    if a.form == "values":
        return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))
    return np.concatenate(pieces)


class OnDevice(Network):
    """A network whose layers torch evaluates on any device: matrix products in float64, which is exact here, the rest in int64."""

    def __init__(self, network: Network, device: torch.device) -> None:
        super().__init__(network.architecture, network.layers, network.cells, network.halvings)
        object.__setattr__(self, "device", device)
        made = [[torch.from_numpy(layer.weights.T.astype(np.float64)).to(device) for layer in layers] for layers in network.layers]
        object.__setattr__(self, "products", made)
        tables = {"sine": sine(), "gelu": gelu(), "gaussian": gaussian()}
        object.__setattr__(self, "tables", {k: torch.from_numpy(t.astype(np.int64)).to(device) for k, t in tables.items()})

    device: torch.device
    products: list[list[torch.Tensor]]
    tables: dict[str, torch.Tensor]

    def _run(self, network: int, features: np.ndarray, columns: list[np.ndarray], moved: inr.Shifts | None = None) -> np.ndarray:
        assert moved is None, "networks whose layers are shifted are evaluated by kernels.modulation"
        a = self.architecture
        inputs = np.hstack([inr.encoded(columns, a.octaves, a.input_bits), features])
        x = torch.from_numpy(np.ascontiguousarray(inputs)).to(self.device)
        last = len(a.matrices) - 1

        def affine(i: int, entering: torch.Tensor, more: torch.Tensor | int = 0) -> torch.Tensor:
            layer = self.layers[network][i]
            sums = (entering.double() @ self.products[network][i]).to(torch.int64)
            shift = torch.as_tensor(more + layer.shift).clamp_max(inr.LARGEST_SHIFT).to(self.device)
            return ((sums * layer.multiplier) >> shift) + torch.from_numpy(layer.bias).to(self.device)

        def activated(periodic: bool, argument: torch.Tensor) -> torch.Tensor:
            if periodic:
                return self.tables["sine"][argument & 0xFFFF]
            return self.tables[a.activation][(argument + GELU_LIMIT).clamp(0, 2 * GELU_LIMIT - 1)]

        hidden = activated(a.is_sine(0), affine(0, x))
        if a.body == "filters":
            hidden = hidden >> (SINE_BITS - FEATURE_BITS)
            for i in range(1, last, 2):
                linear = affine(i, hidden).clamp(1 - GELU_LIMIT, GELU_LIMIT - 1)
                hidden = (linear * activated(True, affine(i + 1, x))) >> SINE_BITS
        else:
            for i in range(1, a.layers):
                hidden = activated(a.is_sine(0), affine(min(i, last - 1), _normalized(hidden) if a.normalized else hidden))
            hidden = _normalized(hidden) if a.normalized else hidden
        halvings = torch.from_numpy(self.halvings) if self.halvings is not None else 0
        limit = inr.MEAN_LIMIT if a.form == "values" else inr.OUTPUT_LIMIT
        found: np.ndarray = affine(last, hidden, halvings).clamp(-limit, limit).cpu().numpy()
        return found


def _normalized(x: torch.Tensor) -> torch.Tensor:
    """Layer normalization of integers, see `kernels.inr._normalize`. The root of a float64 is mended where it was rounded."""
    units = x.shape[1]
    d = x - torch.div(x.sum(1, keepdim=True), units, rounding_mode="floor")
    n = torch.div((d * d).sum(1, keepdim=True) << (2 * inr.NORM_BITS), units, rounding_mode="floor")
    r = n.double().sqrt().to(torch.int64)
    r = torch.where(r * r > n, r - 1, r)
    r = torch.where((r + 1) * (r + 1) <= n, r + 1, r).clamp_min(1)
    scaled = torch.div(d << (FEATURE_BITS + inr.NORM_BITS), r, rounding_mode="floor")
    return scaled.clamp(-GELU_LIMIT, GELU_LIMIT - 1)
