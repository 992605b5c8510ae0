"""Floats of any width ↔ float64, bit by bit: the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .tensors import BY_NAME, Tensor

LOSSY = ("F16", "BF16", "F32", "F64")  # what can be coded as multiples of a step


def to_double(bits: npt.NDArray[Any], dtype: str) -> npt.NDArray[np.float64]:
    """The float64 numbers of floats of a type of LOSSY, given as bits, (n,). Exact; a signalling NaN may become a quiet one."""
    return Tensor(dtype, bits).numpy().astype(np.float64)


def from_double(x: npt.NDArray[np.float64], dtype: str) -> npt.NDArray[Any]:
    """The bits of the nearest floats of a type of LOSSY, ties to even, as IEEE 754 rounds. x: (n,), no NaN; subnormals are kept."""
    kind = BY_NAME[dtype]
    bits = np.ascontiguousarray(x).view(np.uint64)
    if dtype == "F64":
        return bits.copy()
    one, least, top = np.uint64(1), 2 - (1 << (kind.exponent - 1)), np.uint64((1 << kind.exponent) - 1 << kind.mantissa)
    biased = (bits >> np.uint64(52)).astype(np.int64) & 0x7FF
    scale = np.maximum(biased, 1) - 1023
    significand = (bits & np.uint64((1 << 52) - 1)) | ((biased > 0).astype(np.uint64) << np.uint64(52))
    shift = np.minimum(52 - kind.mantissa + np.maximum(0, least - scale), 63).astype(np.uint64)
    kept = significand >> shift
    rest, half = significand & ((one << shift) - one), one << (shift - one)
    kept += ((rest > half) | ((rest == half) & (kept & one == one))).astype(np.uint64)
    kept += np.maximum(scale - least, 0).astype(np.uint64) << np.uint64(kind.mantissa)  # the leading 1 adds one to the exponent
    magnitude = np.where(biased == 0x7FF, top, np.minimum(kept, top))
    sign = (bits >> np.uint64(63)) << np.uint64(kind.width - 1)
    found: npt.NDArray[Any] = (magnitude | sign).astype(kind.word)
    return found
