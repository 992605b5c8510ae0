"""Deltas: the differences between context networks fitted to a picture and those of the prior. A pass of a plane has one or none."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ....container import Reader
from ....errors import FormatError
from ....kernels import contextnet, integers
from ....weights import codings, sinr
from .plan import Delta

LARGEST_WEIGHT = 64.0  # larger weights are refused, so that all sums in the kernels stay finite


def scale_of(step: float) -> tuple[int, int]:
    """A quantization step as it is written: (mantissa 128 … 255, shift 0 … 63) with mantissa·2^−shift near the step."""
    mantissa, exponent = math.frexp(step)  # 0.5 … 1
    return min(255, round(mantissa * 256)), min(63, max(0, 8 - exponent))


def inputs_of(prior: npt.NDArray[np.float32], units: int) -> int:
    """How many inputs a prior's network, float32 (parameters,), has."""
    return (len(prior) - contextnet.parameters(0, units)) // units


def expand(delta: Delta, inputs: int, units: int) -> list[npt.NDArray[np.int64]]:
    """The integers of a delta's three layers, each (inputs + 1, outputs) int64, the biases last. Raises FormatError."""
    shapes = contextnet.shapes(inputs, units)
    if codings.named(delta.coding).sparse:
        codes = sinr.read(Reader(delta.data, "a delta"), [(columns, rows) for rows, columns in shapes])
        return [sinr.expand(code, delta.setting).T for code in codes]
    found = integers.decode(delta.data, [rows * columns for rows, columns in shapes])
    return [f.reshape(s) for f, s in zip(found, shapes, strict=True)]


def apply(delta: Delta, prior: npt.NDArray[np.float32], units: int) -> npt.NDArray[np.float32]:
    """The weights of a fitted network: prior + scale·integer, float32 (parameters,) like the prior. Raises FormatError."""
    layers = expand(delta, inputs_of(prior, units), units)
    parts = [np.ravel(x).astype(np.float64) * (m * 2.0**-s) for x, (m, s) in zip(layers, delta.scales, strict=True)]
    weights: npt.NDArray[np.float32] = (prior.astype(np.float64) + np.concatenate(parts)).astype(np.float32)
    if not (np.abs(weights) <= LARGEST_WEIGHT).all():
        raise FormatError("damaged: a delta's weights are out of range")
    return weights
