"""Weights that are not exact: integers times a step, or sparse codes. There is no fine-tuning, since there is no data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.dictionary import deviation
from ..options import Options
from ..tensors import BY_NAME, Tensor
from ..weightfloats import LOSSY, to_double
from ..weights import codings, sinr
from ..weights.sinr import Sparse, gaps_and_values, vector_shape
from .manifest import LARGEST_SNR, LONGEST_SPARSE, MOST_SPARSE, SPARSE, STEPS, Group, Lossy, matrix_of
from .streams import elements_of

BITS = 8  # per weight, if no number is given
SHARES = (1 / 2, 3 / 8, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)  # non-zeros per element of a vector, for sinr: the most that fit are taken
SCALES = 48  # steps that are tried for lsq
MOST_WORK = 10**11  # multiplications of a pursuit; a larger tensor is coded by lsq


@dataclass(frozen=True)
class Quantized:
    """A tensor that was quantized: its group, the arrays of its streams, and the tensor that a decoder gives."""

    group: Group
    arrays: Sequence[npt.NDArray[Any]]
    decoded: Tensor


def applies(tensor: Tensor) -> bool:
    """Whether a tensor is quantized: a float of 16 bits or more with two axes or more, finite, and not all 0."""
    if tensor.dtype not in LOSSY or len(tensor.shape) < 2 or not tensor.size:
        return False
    weights = _double(tensor)
    return bool(np.isfinite(weights).all()) and bool(weights.any()) and math.isfinite(float((weights * weights).sum()))


def _double(tensor: Tensor) -> npt.NDArray[np.float64]:
    """Its weights, (rows, columns)."""
    with np.errstate(all="ignore"):
        return to_double(np.ascontiguousarray(tensor.bits).reshape(-1), tensor.dtype).reshape(matrix_of(tensor.shape))


def quantize(tensor: Tensor, options: Options) -> Quantized:
    """A tensor for which `applies` holds, by the weight coding of the options. Raises MissingError: sinr, without torch."""
    weights, bits = _double(tensor), options.bits or BITS
    coding = options.weights or "lsq"
    if coding == "sinr" and _can_be_sparse(weights.shape):
        return _sparse(tensor, weights, bits, options.seed % 256)
    if coding == "sinr":
        coding = "lsq"
    if coding == "ternary":
        step, largest = float(np.abs(weights).mean()), 1
    else:
        largest = (1 << (bits - 1)) - 1
        step = float(np.abs(weights).max()) / largest
        if coding == "lsq":
            step = _learned(weights, step, largest)
    step = max(step, 5e-324)
    whole = np.clip(np.rint(weights / step), -largest, largest).astype(np.int16 if largest > 127 else np.int8)
    return _made(tensor, weights, (codings.named(coding), bits if coding != "ternary" else 2, step), [whole])


def _learned(weights: npt.NDArray[np.float64], top: float, largest: int) -> float:
    """The step with the least squared error, of shares of the one that reaches the largest weight; then refined by least squares."""
    best, least = top, math.inf
    flat = weights.reshape(-1)
    if len(flat) > 1 << 20:
        flat = flat[:: len(flat) >> 20]
    for share in np.geomspace(0.05, 1, SCALES):
        step = float(top * share)
        for _ in range(2):  # the best step for the integers that this one gives
            if not step > 0:
                break
            whole = np.clip(np.rint(flat / step), -largest, largest)
            error = float(((flat - whole * step) ** 2).sum())
            if error < least:
                best, least = step, error
            power = float((whole * whole).sum())
            step = float((whole * flat).sum()) / power if power else 0.0
    return best


def _can_be_sparse(shape: Sequence[int]) -> bool:
    vectors, length = vector_shape((shape[0], shape[1]))
    work = vectors * (length / 2) ** 2 * 8 * length
    return shape[0] * shape[1] <= MOST_SPARSE and length <= LONGEST_SPARSE and work <= MOST_WORK


def _sparse(tensor: Tensor, weights: npt.NDArray[np.float64], bits: int, seed: int) -> Quantized:
    """Sparse codes with as many non-zeros as `bits` per weight allow."""
    from .. import fit

    fit.require("weights sinr")
    from ..fit.codings.sinr import Setting, nonzeros, pursue

    scaled = weights / np.abs(weights).max()  # tiny weights stay within the range of float32
    shape = weights.shape[0], weights.shape[1]
    pursuits: dict[sinr.Form, Any] = {}
    for share in SHARES:
        form = Setting.of(share).form
        if form not in pursuits:
            pursuits[form] = pursue(scaled, share, seed, form)
        positions, values = pursuits[form].codes(nonzeros(pursuits[form].targets.shape[1], share))
        unit = max(float(np.abs(values).max()), 1e-300) / form.largest
        code = Sparse(shape, positions, np.rint(values / unit).astype(np.int16), form)
        if 8 * len(sinr.write([code])) <= bits * weights.size:
            break
    gaps, values = gaps_and_values([code])
    vectors = code.positions.shape[0]
    arrays = [_narrow(gaps, False).reshape(vectors, -1), _narrow(values, True).reshape(vectors, -1)]
    step = float(unit / deviation(code.form.signs) * np.abs(weights).max())
    return _made(tensor, weights, (codings.named("sinr"), bits, step), arrays, seed, code.form)


def _narrow(numbers: npt.NDArray[Any], signed: bool) -> npt.NDArray[Any]:
    kinds = (np.int8, np.int16, np.int32) if signed else (np.uint8, np.uint16, np.uint32)
    fitting = next(kind for kind in kinds if np.iinfo(kind).min <= int(numbers.min()) and int(numbers.max()) <= np.iinfo(kind).max)
    return numbers.astype(fitting)


def _made(
    tensor: Tensor,
    weights: npt.NDArray[np.float64],
    known: tuple[codings.WeightCoding, int, float],
    arrays: Sequence[npt.NDArray[Any]],
    seed: int = 0,
    form: sinr.Form = sinr.USUAL,
) -> Quantized:
    """The group of a quantized tensor, with what a decoder makes of it, and the signal-to-noise ratio of that."""
    coding, bits, step = known
    kind = SPARSE if coding.sparse else STEPS
    dtype = BY_NAME[tensor.dtype]
    rough = Group(dtype, kind, (), Lossy(step, coding.number, bits, 0), seed, form)
    words = elements_of(rough, tensor.shape, [array.reshape(-1) for array in arrays])
    decoded = Tensor(tensor.dtype, words.reshape(tensor.shape))
    error = weights - _double(decoded)
    snr = _snr(float((weights * weights).sum()), float((error * error).sum()))
    return Quantized(Group(dtype, kind, (), Lossy(step, coding.number, bits, snr), seed, form), arrays, decoded)


def _snr(power: float, error: float) -> int:
    """Hundredths of a dB."""
    if not error > 0 or not power > 0:
        return LARGEST_SNR if not error > 0 else -LARGEST_SNR
    return max(-LARGEST_SNR, min(LARGEST_SNR - 1, round(1000 * (math.log10(power) - math.log10(error)))))
