"""Evaluates the integer network with torch on a GPU: exactly the logits of `kernels.inr`, but faster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..kernels.inr import COORDINATE_BITS, OUTPUT_LIMIT, Architecture, Layer, Network, axis_coordinates
from ..kernels.tables import GELU_LIMIT, SINE_BITS, TURN_BITS, gelu, sine

CHUNK_VALUES = 1 << 26  # numbers of the widest layer that are computed at a time on a GPU; does not change the result


def logits(network: Network, coordinates: np.ndarray, device: torch.device) -> np.ndarray:
    """Logits × 2^10 of all bit-planes, (n, bit-planes) int32. coordinates: (n, axes) int64. On a CPU, `kernels.inr` computes them."""
    a = network.architecture
    if device.type == "cpu":
        step = max(1, CHUNK_VALUES // 16 // max(a.hidden, a.planes))
        return np.concatenate([network.logits(coordinates[i : i + step]) for i in range(0, len(coordinates), step)])
    step = max(1, CHUNK_VALUES // max(a.hidden, a.planes))
    pieces = [torch_logits(network, coordinates[i : i + step], device) for i in range(0, len(coordinates), step)]
    return np.concatenate(pieces)


def torch_logits(network: Network, coordinates: np.ndarray, device: torch.device) -> np.ndarray:
    """`logits` by torch on any device, all places at once: matrix products in float64, which is exact here, the rest in int64."""
    a = network.architecture
    c = torch.from_numpy(np.ascontiguousarray(coordinates, np.int64)).to(device)
    if a.bit_coordinate:
        columns = [_run(a, network.layers[0], torch.cat([c, torch.full_like(c[:, :1], int(p))], 1)) for p in axis_coordinates(a.bits)]
    elif a.per_plane:
        columns = [_run(a, layers, c) for layers in network.layers]
    else:
        columns = [_run(a, network.layers[0], c)]
    stacked = columns[0] if len(columns) == 1 and not (a.bit_coordinate or a.per_plane) else torch.stack(columns, 2).flatten(1)
    found: np.ndarray = stacked.to(torch.int32).cpu().numpy()
    return found


def _run(a: Architecture, layers: Sequence[Layer], c: torch.Tensor) -> torch.Tensor:
    sine_table = torch.from_numpy(sine().astype(np.int64)).to(c.device)
    gelu_table = torch.from_numpy(gelu().astype(np.int64)).to(c.device)
    x = c
    if a.octaves:
        columns = []
        for axis in c.unbind(1):
            columns.append(axis >> (COORDINATE_BITS - SINE_BITS))
            for k in range(a.octaves):
                phase = (axis << k) >> (COORDINATE_BITS + 1 - TURN_BITS)
                columns += [sine_table[phase & 0xFFFF], sine_table[(phase + (1 << (TURN_BITS - 2))) & 0xFFFF]]
        x = torch.stack(columns, 1)
    for i, layer in enumerate(layers):
        weights = torch.from_numpy(layer.weights.T.astype(np.float64)).to(c.device)
        sums = (x.double() @ weights).to(torch.int64)
        argument = ((sums * layer.multiplier) >> layer.shift) + torch.from_numpy(layer.bias).to(c.device)
        if i == a.layers:
            return argument.clamp(-OUTPUT_LIMIT, OUTPUT_LIMIT)
        if a.activation == "sine":
            x = sine_table[argument & 0xFFFF]
        else:
            x = gelu_table[(argument + GELU_LIMIT).clamp(0, 2 * GELU_LIMIT - 1)]
    raise AssertionError("a network ends with its output layer")
