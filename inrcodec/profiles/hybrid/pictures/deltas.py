"""What a file's networks differ by from the prior's, entropy-coded: one delta for each pass of a plane that has any."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ....container import Reader
from ....errors import FormatError
from ....kernels import coder, contextnet, integers
from ....weights import codings, sinr
from .plan import Delta

LARGEST_WEIGHT = 64.0  # what the kernels compute stays finite


def scale_of(step: float) -> tuple[int, int]:
    """(mantissa 128 … 255, shift) with mantissa·2^−shift near a step."""
    mantissa, exponent = math.frexp(step)  # 0.5 … 1
    return min(255, round(mantissa * 256)), min(63, max(0, 8 - exponent))


def inputs_of(prior: npt.NDArray[np.float32], units: int) -> int:
    """Features that a prior's network takes."""
    return (len(prior) - contextnet.parameters(0, units)) // units


def expand(delta: Delta, inputs: int, units: int) -> list[npt.NDArray[np.int64]]:
    """The integers of the three layers. Raises FormatError."""
    shapes = contextnet.shapes(inputs, units)
    if codings.named(delta.coding).sparse:
        codes = sinr.read(Reader(delta.data, "a delta"), [(columns, rows) for rows, columns in shapes])
        return [sinr.expand(code, delta.setting).T for code in codes]
    if not coder.is_valid(delta.data):
        raise FormatError("damaged: a delta is not an arithmetic code")
    found = integers.decode(delta.data, [rows * columns for rows, columns in shapes])
    return [f.reshape(s) for f, s in zip(found, shapes, strict=True)]


def apply(delta: Delta, prior: npt.NDArray[np.float32], units: int) -> npt.NDArray[np.float32]:
    """The prior's weights and the delta. Raises FormatError."""
    layers = expand(delta, inputs_of(prior, units), units)
    parts = [np.ravel(x).astype(np.float64) * (m * 2.0**-s) for x, (m, s) in zip(layers, delta.scales, strict=True)]
    weights: npt.NDArray[np.float32] = (prior.astype(np.float64) + np.concatenate(parts)).astype(np.float32)
    if not (np.abs(weights) <= LARGEST_WEIGHT).all():
        raise FormatError("damaged: a delta's weights are out of range")
    return weights
