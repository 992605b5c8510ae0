"""What a measurement is: bytes and seconds. Needs no package, so processes that measure start fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SHORT = 0.5  # seconds; what takes less is measured more often


@dataclass
class Result:
    """Bytes of a file, and the seconds of encoding and decoding it."""

    size: int
    encode: float
    decode: float


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call, and the seconds it took."""
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def steady(call: Callable[[], Result]) -> Result:
    """A measurement; the least times of three if it is short."""
    found = [call()]
    while len(found) < 3 and found[0].encode + found[0].decode < SHORT:
        found.append(call())
    return Result(found[0].size, min(f.encode for f in found), min(f.decode for f in found))
