"""Named tensors: what a checkpoint holds, such as the weights of a network. A tensor is kept as bits, so that no NaN is changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UnsupportedError

MAX_AXES = 32
MAX_ELEMENTS = 1 << 36  # of a tensor; the product of its axes that are not empty is at most this, too


@dataclass(frozen=True)
class DType:
    """A type of elements.

    Attributes:
        name: as safetensors has it.
        number: its number in .linr files; never reused.
        width: bits of an element.
        numpy: the NumPy type with the same bits, little-endian; "" if there is none.
        exponent, mantissa: bits of a float; 0, 0: it is no float.
    """

    name: str
    number: int
    width: int
    numpy: str
    exponent: int = 0
    mantissa: int = 0

    @property
    def word(self) -> np.dtype[Any]:
        """The unsigned NumPy type of this width."""
        return np.dtype(f"u{self.width // 8}")


DTYPES = (
    DType("BOOL", 0, 8, "?"),
    DType("U8", 1, 8, "u1"),
    DType("I8", 2, 8, "i1"),
    DType("F8_E5M2", 3, 8, "", 5, 2),
    DType("F8_E4M3", 4, 8, "", 4, 3),
    DType("I16", 5, 16, "<i2"),
    DType("U16", 6, 16, "<u2"),
    DType("F16", 7, 16, "<f2", 5, 10),
    DType("BF16", 8, 16, "", 8, 7),
    DType("I32", 9, 32, "<i4"),
    DType("U32", 10, 32, "<u4"),
    DType("F32", 11, 32, "<f4", 8, 23),
    DType("F64", 12, 64, "<f8", 11, 52),
    DType("I64", 13, 64, "<i8"),
    DType("U64", 14, 64, "<u8"),
)
BY_NAME = {dtype.name: dtype for dtype in DTYPES}
BY_NUMBER = {dtype.number: dtype for dtype in DTYPES}


def shape_fault(shape: Sequence[int]) -> str:
    """What is wrong with the shape of a tensor; "" if nothing is."""
    if len(shape) > MAX_AXES:
        return f"{len(shape)} axes are too many: {MAX_AXES} are allowed"
    if any(n < 0 for n in shape) or math.prod(n for n in shape if n) > MAX_ELEMENTS:
        return "its shape is out of range"
    return ""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor as bits.

    Attributes:
        dtype: name of its type, one of BY_NAME.
        bits: its elements as unsigned integers of that width, in its shape, which may be () or have empty axes.

    Raises:
        UnsupportedError: there is no such type, or the bits or the shape do not fit it.
    """

    dtype: str
    bits: npt.NDArray[Any]

    def __post_init__(self) -> None:
        if self.dtype not in BY_NAME:
            raise UnsupportedError(f"tensors of type {self.dtype} are not supported; known are {', '.join(BY_NAME)}")
        word = BY_NAME[self.dtype].word
        if not isinstance(self.bits, np.ndarray) or self.bits.dtype != word:
            raise UnsupportedError(f"the bits of a tensor of type {self.dtype} must be an array of type {word}")
        if fault := shape_fault(self.bits.shape):
            raise UnsupportedError(fault)

    @classmethod
    def of(cls, array: npt.ArrayLike) -> Tensor:
        """A tensor of a NumPy array with bool, integers or floats of 16 to 64 bits. Raises UnsupportedError."""
        x = np.asarray(array)
        little = x.dtype.newbyteorder("<") if x.dtype.itemsize > 1 else x.dtype
        found = next((dtype for dtype in DTYPES if dtype.numpy and np.dtype(dtype.numpy) == little), None)
        if found is None:
            raise UnsupportedError(
                f"arrays of type {x.dtype} are not supported; those of {', '.join(d.numpy for d in DTYPES if d.numpy)} are"
            )
        contiguous = np.asarray(x, little.newbyteorder("="), order="C").reshape(-1)  # ascontiguousarray would give a scalar an axis
        return cls(found.name, contiguous.view(found.word).reshape(x.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.bits.shape

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self.bits.size

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self.bits.nbytes

    def raw(self) -> bytes:
        """Its elements as little-endian bytes, the last axis fastest."""
        return self.bits.astype(self.bits.dtype.newbyteorder("<"), copy=False).tobytes()

    def numpy(self) -> npt.NDArray[Any]:
        """Its elements in the NumPy type with the same bits; float32 for BF16, whose numbers it has all.

        Raises UnsupportedError: floats of 8 bits, which NumPy does not have.
        """
        dtype = BY_NAME[self.dtype]
        if self.dtype == "BF16":
            wide: npt.NDArray[Any] = np.asarray(self.bits.astype(np.uint32) << np.uint32(16)).reshape(-1).view(np.float32)
            return wide.reshape(self.shape)
        if not dtype.numpy:
            raise UnsupportedError(f"NumPy has no type for {self.dtype}; `bits` are its elements")
        return self.bits.reshape(-1).view(np.dtype(dtype.numpy).newbyteorder("=")).reshape(self.shape)

    def equals(self, other: Tensor) -> bool:
        """Whether type, shape and all bits are the same."""
        return self.dtype == other.dtype and self.shape == other.shape and bool(np.array_equal(self.bits, other.bits))


@dataclass(frozen=True, eq=False)
class Tensors:
    """Tensors by name, in their order.

    Attributes:
        tensors: by name; any names, also "".
        metadata: what a file has beside them, by key; see `inrcodec.files`.

    Raises:
        UnsupportedError: a name is no valid Unicode, or a value is no Tensor.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, tensor in self.tensors.items():
            if not isinstance(name, str) or any(0xD800 <= ord(c) < 0xE000 for c in name):
                raise UnsupportedError(f"the name {name!r} of a tensor is not valid Unicode")
            if not isinstance(tensor, Tensor):
                raise UnsupportedError(f"{name}: must be a Tensor, not {type(tensor).__name__}; Tensors.of takes arrays")
        for key, value in self.metadata.items():
            if not isinstance(key, str) or not isinstance(value, bytes) or any(0xD800 <= ord(c) < 0xE000 for c in key):
                raise UnsupportedError(f"metadata {key!r}: keys must be valid str and values bytes")

    @classmethod
    def of(cls, arrays: Mapping[str, npt.ArrayLike], metadata: Mapping[str, bytes] | None = None) -> Tensors:
        """Tensors of NumPy arrays by name. Raises UnsupportedError, naming the tensor."""
        found = {}
        for name, array in arrays.items():
            try:
                found[name] = Tensor.of(array)
            except UnsupportedError as fault:
                raise UnsupportedError(f"tensor {name}: {fault}") from None
        return cls(found, metadata or {})

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def equals(self, other: Tensors) -> bool:
        """Whether names, their order, all tensors and the metadata are the same."""
        return (
            list(self.tensors) == list(other.tensors)
            and list(self.metadata.items()) == list(other.metadata.items())
            and all(tensor.equals(other.tensors[name]) for name, tensor in self.tensors.items())
        )
