"""Arrays of any NumPy type but Python objects, as a .npz file has them under names.

Each is a signal, or the elements of one in another type and shape.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FormatError, UnsupportedError, quiet
from .signal import MAX_DIMENSIONS, Signal, likely_kind
from .tensors import MAX_AXES, shape_fault

Array = npt.NDArray[Any]
LONGEST_TYPE = 1 << 16  # bytes of the text of a type


@dataclass(frozen=True, eq=False)
class Item:
    """An array as it is coded.

    Attributes:
        signal: what is coded; None: the array takes no bytes.
        type: "": the array is the samples of the signal. Else NumPy's text for its type, as a .npy file has it; its elements are the bytes
            of the samples.
        shape: of the array, if it has a type of its own.

    Raises:
        FormatError: type and shape do not fit the signal.
        UnsupportedError: there is no such type.
    """

    signal: Signal | None
    type: str = ""
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        there = self.signal.samples.nbytes if self.signal else 0
        if not self.type:
            if self.signal is None:
                raise FormatError("damaged: an array has neither samples nor a type")
            return
        if fault := shape_fault(self.shape):
            raise FormatError(f"damaged: of an array, {fault}")
        if math.prod(self.shape) * dtype_of(self.type).itemsize != there:
            raise FormatError("damaged: the shape of an array does not fit its samples")

    @classmethod
    def of(cls, array: npt.ArrayLike | Signal, metadata: Mapping[str, bytes] | None = None) -> Item:
        """The item of an array or a signal. metadata: what is kept beside an array. Raises UnsupportedError."""
        if isinstance(array, Signal):
            return cls(array)
        if isinstance(array, np.ma.MaskedArray):
            raise UnsupportedError("masked arrays are not supported; give data and mask as two arrays")
        x = np.asarray(array)
        if x.dtype.hasobject:
            raise UnsupportedError("arrays of Python objects are not supported")
        if x.ndim > MAX_AXES:
            raise UnsupportedError(f"{x.ndim} dimensions are not supported: at most {MAX_AXES} are")
        try:
            return cls(Signal(x, likely_kind(x) if x.ndim == 3 and x.size else "array", metadata=metadata or {}))
        except UnsupportedError:  # of another type, without axes, empty, or of too many axes
            pass
        text = repr(np.lib.format.dtype_to_descr(x.dtype))
        try:
            known = dtype_of(text) == x.dtype
        except UnsupportedError:
            known = False
        if not known:
            raise UnsupportedError(f"arrays of type {x.dtype} are not supported: a .npy file does not have them")
        elements = elements_of(x)
        return cls(Signal(elements, metadata=metadata or {}) if elements.size else None, text, x.shape)

    def array(self) -> Array:
        """The array: native, read-only where it has a type of its own."""
        if not self.type:
            assert self.signal is not None, "checked"
            return self.signal.samples
        dtype = dtype_of(self.type)
        if self.signal is None:
            return np.ndarray(self.shape, dtype)
        return np.ndarray(self.shape, dtype, self.signal.samples.tobytes())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the array."""
        if self.type:
            return dtype_of(self.type)
        assert self.signal is not None, "checked"
        return self.signal.samples.dtype

    @property
    def own_shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.signal.samples.shape if self.signal and not self.type else self.shape

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.signal.samples.nbytes if self.signal else 0

    def equals(self, other: Item) -> bool:
        """Whether type, shape, every bit and what is kept beside them are the same."""
        if (self.type, self.shape, self.signal is None) != (other.type, other.shape, other.signal is None):
            return False
        return self.signal is None or other.signal is None or self.signal.equals(other.signal)


def dtype_of(text: str) -> np.dtype[Any]:
    """The type that a text of NumPy says. Raises UnsupportedError: none that is known, or one of Python objects."""
    try:
        with quiet():  # of old names
            found: np.dtype[Any] | None = np.lib.format.descr_to_dtype(ast.literal_eval(text[:LONGEST_TYPE]))
    except Exception:  # it is a Python literal: a damaged one fails in a dozen ways
        found = None
    if not isinstance(found, np.dtype) or found.hasobject:
        raise UnsupportedError(f"an array is of type {text[:40]!r}, which is not supported")
    return found


def elements_of(x: Array) -> Array:
    """The bytes of an array of any type as one of 1 to 4 axes that a signal can hold: complex numbers as pairs, texts as characters."""
    plain = np.ascontiguousarray(x).reshape(x.shape)
    if not x.nbytes:
        return np.zeros(0, np.uint8)
    return np.ndarray(*elements_like(x.shape, x.dtype), plain.tobytes())


def elements_like(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of `elements_of` an array that has bytes."""
    kind, size = dtype.kind, dtype.itemsize
    order = ">" if dtype.str[0] == ">" else "<"
    if kind in "buif" and size <= 8:
        unit = dtype
    elif kind == "c" and size <= 16:
        unit = np.dtype(f"{order}f{size // 2}")
    elif kind in "mM":
        unit = np.dtype(f"{order}i8")
    elif kind == "U":
        unit = np.dtype(f"{order}u4")
    else:
        unit = np.dtype(np.uint8)
    per = size // unit.itemsize
    shape = (*shape, *((per,) if per > 1 else ())) or (1,)
    more = max(0, len(shape) - MAX_DIMENSIONS)
    return (math.prod(shape[: more + 1]), *shape[more + 1 :]), unit
