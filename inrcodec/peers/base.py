"""What another codec is, and what several of them need to take samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..signal import Kind, Signal
from ..values import bits_of

Samples = npt.NDArray[Any]
FLOATS = ("float16", "float32", "float64")


class Unsuited(ValueError):
    """A codec cannot take a signal or an array, or gives nothing of it. The text says why, without the name of the codec."""


class Peer(ABC):
    """Another codec, with its settings. Only `encode` and `decode` are measured.

    Attributes:
        name: of the codec; kinds: of signals that it may take; settings: what it was told, in words.
        compiles: whether it may have to compile itself when it is used first, which takes minutes.
    """

    name: str
    kinds: tuple[Kind, ...]
    compiles: bool = False

    @property
    @abstractmethod
    def settings(self) -> str:
        """What it is told, in words."""

    def told(self, kind: Kind) -> str:
        """What it is told for signals of a kind, in words."""
        return self.settings

    def missing(self) -> str:
        """What is not installed, and how to get it; "" if it is there."""
        return ""

    def lesser(self) -> str:
        """What is not installed, so that something else stands in, and what; "" if all is as it should be."""
        return ""

    @abstractmethod
    def version(self) -> str:
        """The library or program and its version. It is there."""

    @abstractmethod
    def check(self, signal: Signal) -> None:
        """Raise Unsuited if it cannot take a signal of this shape and type."""

    def prepare(self, signal: Signal, folder: Path) -> Any:
        """What `encode` takes: the samples in another form, or a file in a folder."""
        return signal

    @abstractmethod
    def encode(self, prepared: Any, threads: int) -> Any:
        """Code what was prepared."""

    @abstractmethod
    def size(self, coded: Any) -> int:
        """Bytes of what `encode` gave."""

    @abstractmethod
    def decode(self, coded: Any, prepared: Any, threads: int) -> Any:
        """Decode what `encode` gave. Of `prepared`, it looks at shapes and types only, and at what a file would say beside."""

    @abstractmethod
    def samples(self, decoded: Any, signal: Signal) -> Samples:
        """The samples of what `decode` gave, in shape and type of those of the signal."""

    def peak(self) -> int | None:
        """Bytes of memory that its last programs took at most; None: it runs in this process, or they cannot be told."""
        return None

    def notes(self, coded: Any) -> dict[str, Any]:
        """What else there is to say of what `encode` gave."""
        return {}

    @property
    def is_program(self) -> bool:
        """Whether it is a program of its own."""
        return False


def package(name: str) -> Any:
    """A package that need not be installed. Raises Unsuited if it is not."""
    try:
        return import_module(name)
    except ImportError:
        raise Unsuited(f"is not installed: pip install {name.partition('.')[0]}") from None


def types(array: Samples, *names: str, axes: int = 32) -> None:
    """Raise Unsuited unless an array is of one of these types and has at most so many axes."""
    if array.dtype.name not in names:
        raise Unsuited(f"does not take {array.dtype}")
    if array.ndim > axes:
        raise Unsuited(f"takes at most {axes} axes")


def bits(array: Samples) -> int:
    """Bits of integers less their least value."""
    return max(1, (int(array.max()) - int(array.min())).bit_length())


def integers(array: Samples, most: int, floats: tuple[str, ...] = ()) -> None:
    """Raise Unsuited unless an array has two axes or more of integers that span at most so many bits, or of floats of these types."""
    if array.ndim < 2:
        raise Unsuited("takes pictures")
    if array.dtype.kind not in "iu":
        types(array, *floats)
    elif bits(array) > most:
        raise Unsuited(f"takes at most {most} bits")


def unsigned(array: Samples) -> Samples:
    """Integers less their least value, in the smallest unsigned type; floats as they are. Both in native byte order."""
    if array.dtype.kind == "f":
        return native(array)
    size = bits(array)
    return (bits_of(array) - bits_of(array.min())).astype(np.uint8 if size <= 8 else np.uint16 if size <= 16 else np.uint32)


def restored(found: Samples, like: Samples) -> Samples:
    """What `unsigned` was made from. like: an array of the same shape, type and least value."""
    if like.dtype.kind == "f":
        return found.astype(like.dtype, copy=False).reshape(like.shape)
    least = bits_of(like.min())
    return (found.astype(least.dtype) + least).view(like.dtype.newbyteorder("=")).astype(like.dtype, copy=False).reshape(like.shape)


def native(array: Samples) -> Samples:
    """An array in the byte order of this machine."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)
