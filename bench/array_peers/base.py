"""What a peer is: a codec of arrays with its settings. `inrcodec.peers` has the codecs that `inrcodec bench` measures too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inrcodec.peers.base import FLOATS, Samples, Unsuited, bits, integers, package, restored, types, unsigned

__all__ = [
    "FLOATS",
    "Peer",
    "Samples",
    "Streams",
    "Suits",
    "Unsuited",
    "anything",
    "bits",
    "integers",
    "of_one",
    "package",
    "restored",
    "types",
    "unsigned",
]

Streams = list[bytes]
Suits = Callable[[Samples], None]


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


def of_one(encode: Callable[[Samples, int], bytes], decode: Callable[[bytes, Samples, int], Samples]) -> tuple[Any, Any]:
    """Both directions of a codec that gives one stream, as a peer has them."""
    return lambda array, threads: [encode(array, threads)], lambda streams, like, threads: decode(streams[0], like, threads)
