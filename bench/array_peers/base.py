"""What a peer is, and which arrays codecs can take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]
Streams = list[bytes]
Suits = Callable[[Samples], None]
FLOATS = ("float16", "float32", "float64")


class Unsuited(ValueError):
    """A peer cannot take an array. The text says why."""


@dataclass(frozen=True)
class Peer:
    """A codec with its settings.

    Attributes:
        suits: raises Unsuited if the codec cannot take the array.
        encode: array, threads → streams.
        decode: streams, an array whose shape, type and least value are those of the result, threads → array.
        apart: it can end the process, so it runs in another one.
    """

    name: str
    suits: Suits
    encode: Callable[[Samples, int], Streams]
    decode: Callable[[Streams, Samples, int], Samples]
    apart: bool = False


def anything(array: Samples) -> None:
    """Every array."""


def types(array: Samples, *names: str, axes: int = 32) -> None:
    """Arrays of these types and at most so many axes."""
    if array.dtype.name not in names:
        raise Unsuited(f"does not take {array.dtype}")
    if array.ndim > axes:
        raise Unsuited(f"takes at most {axes} axes")


def bits(array: Samples) -> int:
    """Bits of integers less their least value."""
    return max(1, (int(array.max()) - int(array.min())).bit_length())


def integers(array: Samples, most: int, floats: tuple[str, ...] = ()) -> None:
    """Integers that span at most so many bits, or floats of these types, in two axes or more."""
    if array.ndim < 2:
        raise Unsuited("takes pictures")
    if array.dtype.kind not in "iu":
        types(array, *floats)
    elif bits(array) > most:
        raise Unsuited(f"takes at most {most} bits")


def unsigned(array: Samples) -> Samples:
    """Integers less their least value, in the smallest unsigned type; floats as they are."""
    if array.dtype.kind == "f":
        return array
    size = bits(array)
    return (array.astype(np.int64) - int(array.min())).astype(np.uint8 if size <= 8 else np.uint16 if size <= 16 else np.uint32)


def restored(found: Samples, like: Samples) -> Samples:
    """What `unsigned` was made from."""
    if like.dtype.kind == "f":
        return found.reshape(like.shape)
    return (found.astype(np.int64) + int(like.min())).astype(like.dtype).reshape(like.shape)


def package(name: str) -> Any:
    """A package of extra `bench`. Raises Unsuited if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise Unsuited(f"is not installed: pip install {name.partition('.')[0]}") from None
