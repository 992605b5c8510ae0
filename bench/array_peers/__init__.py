"""Other lossless codecs for arrays, for `bench.arrays`: those of imagecodecs and numcodecs, pcodec and fpzip.

The bytes of a peer are those of its streams. What a file needs beside them, such as shape, type and the places of the streams, is not
counted.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, cast

from inrcodec.peers.timing import Result, steady, timed

from . import numbers, pictures, plain
from .base import Peer, Samples, Unsuited

__all__ = ["PEERS", "Peer", "Samples", "Unsuited", "apart", "measure"]

HELPERS: list[ProcessPoolExecutor] = []  # one at most
PEERS: list[Peer] = [*pictures.peers(), *numbers.peers(), *plain.peers()]


def measure(peer: Peer, array: Samples, threads: int) -> Result:
    """Bytes and seconds of a peer. Raises Unsuited if it cannot take the array, does not give it back, or ends its process."""
    peer.suits(array)
    if peer.apart:
        return cast(Result, apart(_by_name, peer.name, array, threads))
    return steady(partial(once, peer, array, threads))


def apart(call: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call in another process. Raises Unsuited if the process ends.

    The process is kept for further calls, as it takes seconds to start. One that ends may have been spoilt by an earlier call, so the call
    is made again in a new one.
    """
    for _ in range(2):
        if not HELPERS:
            HELPERS.append(ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _silence))
        try:
            return HELPERS[0].submit(call, *arguments).result()
        except BrokenProcessPool:
            HELPERS.clear()
    raise Unsuited("crashes")


def once(peer: Peer, array: Samples, threads: int) -> Result:
    """Encode, decode and compare. Raises Unsuited with what a library says if it fails."""
    peer.suits(array)
    try:
        streams, encode = timed(lambda: peer.encode(array, threads))
        back, decode = timed(lambda: peer.decode(streams, array, threads))
    except (KeyboardInterrupt, Unsuited):
        raise
    except BaseException as fault:  # a panic of Rust is no Exception
        raise Unsuited(f"fails: {str(fault).splitlines()[0] if str(fault) else type(fault).__name__}") from None
    if back.dtype != array.dtype or back.shape != array.shape or back.tobytes() != array.tobytes():
        raise Unsuited("does not give it back")
    return Result(sum(map(len, streams)), encode, decode)


def _by_name(name: str, array: Samples, threads: int) -> Result:
    """What the other process does. It knows peers by name, as functions cannot all be sent."""
    return steady(partial(once, next(p for p in PEERS if p.name == name), array, threads))


def _silence() -> None:
    """No messages of crashes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
